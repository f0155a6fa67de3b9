#include "base/map.h"

static char gone_mark;
#define PV_MAP_GONE ((void *) &gone_mark)

static size_t slot_of(uint64_t key, size_t size)
{
	key ^= key >> 33; /* the finaliser of MurmurHash3 */
	key *= 0xff51afd7ed558ccdULL;
	key ^= key >> 33;
	return (size_t) key & (size - 1);
}

static struct pv_map_slot *find(const struct pv_map *m, uint64_t key)
{
	if (!m->size)
		return NULL;
	for (size_t i = slot_of(key, m->size);; i = (i + 1) & (m->size - 1)) {
		if (!m->slots[i].value)
			return NULL;
		if (m->slots[i].value != PV_MAP_GONE && m->slots[i].key == key)
			return &m->slots[i];
	}
}

void *pv_map_get(const struct pv_map *m, uint64_t key)
{
	struct pv_map_slot *s = find(m, key);

	return s ? s->value : NULL;
}

static int rehash(struct pv_map *m, size_t size)
{
	struct pv_map_slot *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < m->size; i++) {
		struct pv_map_slot *s = &m->slots[i];
		size_t at;

		if (!s->value || s->value == PV_MAP_GONE)
			continue;
		for (at = slot_of(s->key, size); slots[at].value; at = (at + 1) & (size - 1))
			;
		slots[at] = *s;
	}
	free(m->slots);
	m->slots = slots;
	m->size = size;
	m->dirty = m->used;
	return 0;
}

int pv_map_put(struct pv_map *m, uint64_t key, void *value)
{
	struct pv_map_slot *s = find(m, key);
	size_t at;
	int r;

	if (s) {
		s->value = value;
		return 0;
	}
	if ((m->dirty + 1) * 4 > m->size * 3) {
		size_t want = m->size ? m->size : 16;

		while ((m->used + 1) * 2 > want)
			want *= 2;
		r = rehash(m, want);
		if (r < 0)
			return r;
	}
	for (at = slot_of(key, m->size); m->slots[at].value; at = (at + 1) & (m->size - 1))
		if (m->slots[at].value == PV_MAP_GONE)
			break;
	if (!m->slots[at].value)
		m->dirty++;
	m->slots[at] = (struct pv_map_slot){ key, value };
	m->used++;
	return 0;
}

void *pv_map_take(struct pv_map *m, uint64_t key)
{
	struct pv_map_slot *s = find(m, key);
	void *value;

	if (!s)
		return NULL;
	value = s->value;
	s->value = PV_MAP_GONE;
	m->used--;
	if (m->size > 64 && m->used * 8 < m->size)
		(void) rehash(m, m->size / 4);
	return value;
}

void pv_map_done(struct pv_map *m)
{
	free(m->slots);
	*m = (struct pv_map){ 0 };
}

void *pv_map_next(const struct pv_map *m, size_t *iter)
{
	while (*iter < m->size) {
		void *value = m->slots[(*iter)++].value;

		if (value && value != PV_MAP_GONE)
			return value;
	}
	return NULL;
}
