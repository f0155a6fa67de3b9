#include "detect/ban.h"

uint64_t ban_time(uint64_t first_us, uint64_t max_us, uint32_t times)
{
	uint64_t us = first_us;

	for (uint32_t i = 1; i < times && us < max_us; i++)
		us = us > max_us / 4 ? max_us : us * 4;
	return PV_MIN(us, max_us);
}

bool ban_budget_take(struct ban_budget *b, uint64_t key, uint64_t now_us)
{
	struct ban_source *s = NULL, *oldest = &b->source[0];

	key = key ? key : 1;
	for (size_t i = 0; i < BAN_SOURCES && !s; i++) {
		if (b->source[i].key == key)
			s = &b->source[i];
		else if (oldest->key && (!b->source[i].key || b->source[i].start_us < oldest->start_us))
			oldest = &b->source[i];
	}
	if (!s) {
		s = oldest;
		*s = (struct ban_source){ .key = key, .start_us = now_us };
	}
	if (now_us - s->start_us >= b->us) {
		s->start_us = now_us;
		s->used = 0;
	}
	if (s->used >= b->n)
		return false;
	s->used++;
	return true;
}
