#include "logs/weak.h"

#include <string.h>

#include "base/clock.h"
#include "logs/attempt.h"

#define SETS	1024 /* a power of two */
#define WAYS	4
#define KEEP_US (10 * USEC_PER_MIN)
#define BLOOM	65536 /* counters; a power of two */

struct slot {
	uint64_t key;
	uint64_t time_us; /* 0: free */
	uint32_t text;	  /* place in bloom */
};

struct weak {
	struct slot slot[SETS][WAYS];
	uint16_t bloom[BLOOM];
};

int weak_new(struct weak **ret)
{
	struct weak *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	*ret = w;
	return 0;
}

struct weak *weak_free(struct weak *w)
{
	free(w);
	return NULL;
}

static uint64_t hash(const char *s, size_t len, uint64_t seed)
{
	uint64_t h = seed, part;

	for (; len >= 8; s += 8, len -= 8) {
		memcpy(&part, s, 8);
		h = attempt_mix(h, part);
	}
	part = 0;
	memcpy(&part, s, len);
	return attempt_mix(h, part ^ ((uint64_t) len << 56));
}

/* Without what stands behind `?`. */
static uint64_t key_of(const struct ip_addr *a, const char *path, size_t len)
{
	const char *q = memchr(path, '?', len);

	return hash((const char *) a->b, sizeof(a->b), hash(path, q ? (size_t) (q - path) : len, 7));
}

static void forget(struct weak *w, struct slot *s)
{
	if (s->time_us)
		w->bloom[s->text]--;
	s->time_us = 0;
}

void weak_note(struct weak *w, const struct ip_addr *a, const char *text, size_t text_len, const char *path, size_t path_len,
	       uint64_t time_us)
{
	uint64_t key = key_of(a, path, path_len);
	struct slot *set = w->slot[key & (SETS - 1)], *to = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].time_us && set[i].key == key) {
			to = &set[i];
			break;
		}
		if (set[i].time_us < to->time_us)
			to = &set[i];
	}
	forget(w, to);
	*to = (struct slot){ .key = key, .time_us = PV_MAX(time_us, (uint64_t) 1), .text = (uint32_t) hash(text, text_len, 3) & (BLOOM - 1) };
	w->bloom[to->text]++;
}

bool weak_maybe(const struct weak *w, const char *text, size_t text_len)
{
	return w->bloom[hash(text, text_len, 3) & (BLOOM - 1)] != 0;
}

bool weak_through(struct weak *w, const struct ip_addr *a, const char *path, size_t path_len, uint64_t time_us)
{
	uint64_t key = key_of(a, path, path_len);
	struct slot *set = w->slot[key & (SETS - 1)];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].time_us && set[i].key == key) {
			bool lately = time_us < set[i].time_us + KEEP_US;

			forget(w, &set[i]);
			return lately;
		}
	return false;
}
