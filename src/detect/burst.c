#include "detect/burst.h"

#include <string.h>

#include "base/map.h"

struct slot {
	uint64_t key;
	uint64_t told_us;   /* when its last notice was made */
	uint64_t last_us;   /* when its last event came */
	uint64_t window_us; /* until then after told_us it is only counted */
	struct slot *newer, *older;
	bool used, dirty;
	struct burst_told told;
};

struct burst {
	struct pv_map by_key;
	struct slot *newest, *oldest;
	uint64_t flushed_us, events, evicted;
	void (*on_evicted)(const struct burst_told *t, void *arg);
	void *arg;
	size_t used, dirty;
	struct slot slots[BURST_SLOTS]; /* half a megabyte of zero pages; what is not used costs nothing */
};

int burst_new(struct burst **ret)
{
	struct burst *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	*ret = b;
	return 0;
}

struct burst *burst_free(struct burst *b)
{
	if (b)
		pv_map_done(&b->by_key);
	free(b);
	return NULL;
}

static void list_drop(struct burst *b, struct slot *s)
{
	*(s->newer ? &s->newer->older : &b->newest) = s->older;
	*(s->older ? &s->older->newer : &b->oldest) = s->newer;
}

static void list_front(struct burst *b, struct slot *s)
{
	s->newer = NULL;
	s->older = b->newest;
	*(b->newest ? &b->newest->newer : &b->oldest) = s;
	b->newest = s;
}

static void hand_back(struct burst *b, struct slot *s, void (*fn)(const struct burst_told *t, void *arg), void *arg)
{
	if (!s->dirty)
		return;
	s->dirty = false;
	b->dirty--;
	if (fn)
		fn(&s->told, arg);
}

/* A slot for a key that has none: a free one, or that of the key that was quiet for longest. */
static struct slot *slot_take(struct burst *b, uint64_t key)
{
	struct slot *s = b->used < BURST_SLOTS ? &b->slots[b->used] : b->oldest;

	if (s->used) {
		hand_back(b, s, b->on_evicted, b->arg);
		list_drop(b, s);
		if (pv_map_get(&b->by_key, s->key) == s)
			(void) pv_map_take(&b->by_key, s->key);
		b->evicted++;
	} else {
		b->used++;
	}
	memset(&s->told, 0, sizeof(s->told));
	s->key = key;
	s->used = true;
	s->dirty = false;
	list_front(b, s);
	(void) pv_map_put(&b->by_key, key, s); /* no memory: nobody finds it, and every event of it is told */
	return s;
}

/* Whether the window that began with the slot's last notice is over, and how long the next one is. A clock that
 * went backwards starts no notice. */
static bool window_over(struct slot *s, uint64_t now_us)
{
	uint64_t since = now_us > s->told_us ? now_us - s->told_us : 0;
	uint64_t quiet = now_us > s->last_us ? now_us - s->last_us : 0;

	if (quiet >= BURST_REMIND_US) {
		s->window_us = BURST_WINDOW_US;
		return true;
	}
	if (since < s->window_us)
		return false;
	s->window_us = BURST_REMIND_US;
	return true;
}

enum burst_answer burst_step(struct burst *b, uint64_t key, uint64_t now_us, uint64_t n, struct burst_told **ret_kept)
{
	struct slot *s = pv_map_get(&b->by_key, key);
	bool fresh = !s;

	b->events += n;
	if (fresh) {
		s = slot_take(b, key);
		s->window_us = BURST_WINDOW_US;
	} else {
		list_drop(b, s);
		list_front(b, s);
		fresh = window_over(s, now_us);
	}
	s->last_us = now_us;
	*ret_kept = &s->told;
	if (fresh) {
		hand_back(b, s, b->on_evicted, b->arg); /* the count of the notice before is final now */
		s->told_us = now_us;
		return BURST_NEW;
	}
	b->dirty += !s->dirty;
	s->dirty = true;
	return BURST_COUNT;
}

size_t burst_flush_all(struct burst *b, void (*fn)(const struct burst_told *t, void *arg), void *arg)
{
	size_t n = b->dirty;

	for (struct slot *s = b->newest; s && b->dirty; s = s->older)
		hand_back(b, s, fn, arg);
	return n;
}

size_t burst_flush(struct burst *b, uint64_t now_us, void (*fn)(const struct burst_told *t, void *arg), void *arg)
{
	if (!b->dirty || (now_us >= b->flushed_us && now_us - b->flushed_us < BURST_FLUSH_US))
		return 0;
	b->flushed_us = now_us;
	return burst_flush_all(b, fn, arg);
}

void burst_on_evicted(struct burst *b, void (*fn)(const struct burst_told *t, void *arg), void *arg)
{
	b->on_evicted = fn;
	b->arg = arg;
}

uint64_t burst_events(const struct burst *b)
{
	return b->events;
}

uint64_t burst_evicted(const struct burst *b)
{
	return b->evicted;
}
