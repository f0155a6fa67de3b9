/* arena.h - memory that lives and ends together: facts are read once, judged, and thrown away as a whole. Nothing is
 * freed singly. When memory runs out `poor` is set and NULL comes back; callers look at it once, at the end. */
#ifndef PV_CHECK_ARENA_H
#define PV_CHECK_ARENA_H

#include "base/util.h"

struct arena {
	struct arena_block *last;
	size_t total, cap; /* bytes handed out; 0: ARENA_CAP */
	bool poor;
};

#define ARENA_CAP (64u << 20)

void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned for anything */
char *arena_dup(struct arena *a, const char *s); /* NULL stays NULL */
char *arena_ndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) PV_PRINTF(2, 3);
/* Room for one more of `size` bytes behind `n` items: the list, perhaps moved; NULL without memory (the old one stays).
 */
void *arena_grow(struct arena *a, void *list, size_t n, size_t size);
void arena_done(struct arena *a);
#define auto_arena __attribute__((cleanup(arena_done))) struct arena

#endif
