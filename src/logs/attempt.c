#include "logs/attempt.h"

#include "base/clock.h"

#define SETS	 1024 /* a power of two */
#define WAYS	 4
#define EPOCH_US (10 * USEC_PER_MIN)
#define OLD_S	 3600

struct slot {
	uint64_t key;
	uint32_t epoch, used_s;
	uint16_t n[RULE_PHASE_N];
};

struct attempts {
	struct slot slot[SETS][WAYS];
};

int attempts_new(struct attempts **ret)
{
	struct attempts *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	*ret = a;
	return 0;
}

struct attempts *attempts_free(struct attempts *a)
{
	free(a);
	return NULL;
}

/* The finalizer of MurmurHash3. */
uint64_t attempt_mix(uint64_t a, uint64_t b)
{
	uint64_t x = a ^ (b + 0x9e3779b97f4a7c15ULL + (a << 6) + (a >> 2));

	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdULL;
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ULL;
	return x ^ (x >> 33);
}

static struct slot *find(struct attempts *a, uint64_t key, uint64_t time_us)
{
	struct slot *set = a->slot[key & (SETS - 1)], *oldest = set;
	uint32_t now_s = (uint32_t) (time_us / USEC_PER_SEC);

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key == key && now_s - set[i].used_s <= OLD_S) {
			set[i].used_s = now_s;
			return &set[i];
		}
		if (set[i].used_s < oldest->used_s)
			oldest = &set[i];
	}
	*oldest = (struct slot){ .key = key, .epoch = (uint32_t) (time_us / EPOCH_US), .used_s = now_s };
	return oldest;
}

uint64_t attempts_next(struct attempts *a, uint64_t key, enum rule_phase phase, uint64_t time_us)
{
	struct slot *s = find(a, key, time_us);
	uint64_t id;

	s->n[phase] += s->n[phase] < UINT16_MAX;
	id = attempt_mix(attempt_mix(key, s->epoch), s->n[phase]);
	return id ? id : 1;
}
