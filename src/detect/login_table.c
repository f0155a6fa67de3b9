#include <string.h>

#include "base/clock.h"
#include "detect/login_private.h"

#define CHUNK	    1024
#define EVICT_LOOKS 16

static uint64_t mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 m = (unsigned __int128) a * b;

	return (uint64_t) m ^ (uint64_t) (m >> 64);
}

/* Keyed, so that nobody can choose addresses that all fall into one place. */
uint64_t login_hash(const uint64_t seed[2], const void *data, size_t len)
{
	const uint8_t *p = data;
	const uint64_t left = seed[1] ^ 0xa0761d6478bd642fu; /* also a seed of zeros must spread */
	uint64_t h = seed[0] ^ 0xe7037ed1a0b428dbu ^ len, a, b;

	for (; len > 16; p += 16, len -= 16) {
		memcpy(&a, p, 8);
		memcpy(&b, p + 8, 8);
		h = mix(a ^ left, b ^ h);
	}
	a = b = 0;
	memcpy(&a, p, PV_MIN(len, 8));
	if (len > 8)
		memcpy(&b, p + 8, len - 8);
	return mix(mix(a ^ left, b ^ h) ^ 0x8ebc6af09c88c6e3u, h | 1);
}

static struct login_slot *slot_at(const struct login_table *t, uint32_t place)
{
	return (struct login_slot *) (void *) (t->chunks[place / CHUNK] + (size_t) (place % CHUNK) * t->slot_size);
}

static uint32_t home(const struct login_table *t, const uint8_t key[16])
{
	return (uint32_t) login_hash(t->seed, key, 16) & (t->index_size - 1);
}

/* The position in the index that holds `key`, or the free one where it would go. */
static uint32_t position(const struct login_table *t, const uint8_t key[16])
{
	uint32_t i = home(t, key);

	while (t->index[i] && memcmp(slot_at(t, t->index[i] - 1)->key, key, 16) != 0)
		i = (i + 1) & (t->index_size - 1);
	return i;
}

static int grow_index(struct login_table *t, uint32_t size)
{
	uint32_t *old = t->index, old_size = t->index_size;
	uint32_t *index = calloc(size, sizeof(*index));

	if (!index)
		return -ENOMEM;
	t->index = index;
	t->index_size = size;
	t->bytes += size * sizeof(*index) - old_size * sizeof(*old);
	for (uint32_t i = 0; i < old_size; i++)
		if (old[i])
			t->index[position(t, slot_at(t, old[i] - 1)->key)] = old[i];
	free(old);
	return 0;
}

int login_table_init(struct login_table *t, const uint64_t seed[2], uint32_t limit, uint32_t max)
{
	size_t chunks = (max + CHUNK - 1) / CHUNK;

	*t = (struct login_table){ .seed = { seed[0], seed[1] }, .max = max };
	t->slot_size = (sizeof(struct login_slot) + limit * sizeof(struct login_entry) + 7) & ~(size_t) 7;
	t->chunks = calloc(chunks, sizeof(*t->chunks));
	t->bytes = chunks * sizeof(*t->chunks);
	return t->chunks ? grow_index(t, 1024) : -ENOMEM;
}

void login_table_done(struct login_table *t)
{
	for (uint32_t i = 0; t->chunks && i < (t->max + CHUNK - 1) / CHUNK; i++)
		free(t->chunks[i]);
	free(t->chunks);
	free(t->index);
	free(t->spare);
	*t = (struct login_table){ .max = 0 };
}

struct login_slot *login_table_find(const struct login_table *t, const uint8_t key[16])
{
	uint32_t at = t->index[position(t, key)];

	return at ? slot_at(t, at - 1) : NULL;
}

/* Knuth's deletion: what was pushed past the gap comes back into it, so that no mark is left behind. */
static void close_gap(struct login_table *t, uint32_t gap)
{
	uint32_t mask = t->index_size - 1, i = gap;

	t->index[gap] = 0;
	for (;;) {
		uint32_t want;

		i = (i + 1) & mask;
		if (!t->index[i])
			return;
		want = home(t, slot_at(t, t->index[i] - 1)->key);
		if (((i - want) & mask) >= ((i - gap) & mask)) {
			t->index[gap] = t->index[i];
			t->index[i] = 0;
			gap = i;
		}
	}
}

static void keep_spare(struct login_table *t, uint32_t place)
{
	if (t->n_spare == t->spare_room) {
		uint32_t room = t->spare_room ? 2 * t->spare_room : 256;
		uint32_t *more = realloc(t->spare, room * sizeof(*more));

		if (!more)
			return; /* one place fewer */
		t->bytes += (room - t->spare_room) * sizeof(*more);
		t->spare = more;
		t->spare_room = room;
	}
	t->spare[t->n_spare++] = place;
}

void login_table_drop(struct login_table *t, struct login_slot *s)
{
	uint32_t i = position(t, s->key), place = t->index[i] - 1;

	close_gap(t, i);
	s->used = 0;
	t->n--;
	keep_spare(t, place);
}

/* How little would be missed: live attempts, then age. */
static uint64_t worth(const struct login_slot *s, uint64_t now_us)
{
	unsigned n = s->n;

	if (s->newest_us + USEC_PER_DAY < now_us)
		return 0;
	for (size_t i = 0; i < LOGIN_SPANS; i++)
		n += s->spans[i];
	return ((uint64_t) n << 40) + (s->newest_us / USEC_PER_SEC & UINT32_MAX);
}

/* The least of sixteen anywhere: cheap, and a flood of addresses with one attempt each throws out its own. */
static void make_room(struct login_table *t, uint64_t now_us)
{
	struct login_slot *least = NULL;
	uint64_t least_worth = UINT64_MAX;

	for (unsigned i = 0; i < EVICT_LOOKS || !least; i++) {
		struct login_slot *s = slot_at(t, (uint32_t) (mix(++t->turn * 0x9e3779b97f4a7c15u, t->seed[0] | 1) % t->allocated));
		uint64_t w = s->used ? worth(s, now_us) : UINT64_MAX;

		if (w < least_worth) {
			least = s;
			least_worth = w;
		}
	}
	login_table_drop(t, least);
}

static int new_chunk(struct login_table *t)
{
	uint8_t *chunk = calloc(CHUNK, t->slot_size);

	if (!chunk)
		return -ENOMEM;
	t->chunks[t->allocated / CHUNK] = chunk;
	t->bytes += CHUNK * t->slot_size;
	for (uint32_t i = CHUNK; i; i--)
		if (t->allocated + i - 1 < t->max)
			keep_spare(t, t->allocated + i - 1);
	t->allocated = PV_MIN(t->allocated + CHUNK, t->max);
	return 0;
}

struct login_slot *login_table_take(struct login_table *t, const uint8_t key[16], uint64_t now_us)
{
	struct login_slot *s = login_table_find(t, key);
	uint32_t place;

	if (s)
		return s;
	if (!t->n_spare && t->allocated < t->max && new_chunk(t) < 0 && !t->allocated)
		return NULL;
	if (!t->n_spare)
		make_room(t, now_us);
	if (!t->n_spare || ((t->n + 1) * 2 > t->index_size && grow_index(t, t->index_size * 2) < 0))
		return NULL;
	place = t->spare[--t->n_spare];
	s = slot_at(t, place);
	memset(s, 0, t->slot_size);
	memcpy(s->key, key, 16);
	s->used = 1;
	t->index[position(t, key)] = place + 1;
	t->n++;
	return s;
}

struct login_slot *login_table_next(const struct login_table *t, uint32_t *at)
{
	while (*at < t->allocated) {
		struct login_slot *s = slot_at(t, (*at)++);

		if (s->used)
			return s;
	}
	return NULL;
}
