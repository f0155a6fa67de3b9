#include "broker/limit.h"

#include <string.h>

#include "base/clock.h"

static void forget_old(struct limit *l, uint64_t now_us)
{
	size_t old = 0;

	while (old < l->n && now_us - l->uses[old].time_us >= USEC_PER_HOUR)
		old++;
	l->n -= old;
	memmove(l->uses, l->uses + old, l->n * sizeof(l->uses[0]));
}

int limit_take(struct limit *l, uint64_t key, uint64_t now_us)
{
	size_t minute = 0;

	forget_old(l, now_us);
	for (size_t i = 0; i < l->n; i++) {
		if (now_us - l->uses[i].time_us >= USEC_PER_MIN)
			continue;
		if (l->uses[i].key == key)
			return 0;
		minute++;
	}
	if (minute >= l->per_minute || l->n >= l->per_hour || l->n >= LIMIT_ROOM)
		return -EDQUOT;
	l->uses[l->n++] = (struct limit_use){ key, now_us };
	return 0;
}

int limit_rate_take(struct limit_rate *l, uint64_t now_us)
{
	uint64_t second = now_us / USEC_PER_SEC;

	for (unsigned i = 0; l->second < second && i < N_ELEMENTS(l->n); i++) {
		unsigned *oldest = &l->n[++l->second % N_ELEMENTS(l->n)];

		l->all -= *oldest;
		*oldest = 0;
	}
	l->second = PV_MAX(l->second, second);
	if (l->all >= l->max)
		return -EDQUOT;
	l->n[l->second % N_ELEMENTS(l->n)]++;
	l->all++;
	return 0;
}
