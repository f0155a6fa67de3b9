#include "check/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 16384

struct arena_block {
	struct arena_block *before;
	size_t used, room;
	_Alignas(max_align_t) unsigned char data[];
};

static struct arena_block *add_block(struct arena *a, size_t size)
{
	size_t room = PV_MAX(size, (size_t) BLOCK);
	struct arena_block *b = calloc(1, sizeof(*b) + room);

	if (!b)
		return NULL;
	b->room = room;
	b->before = a->last;
	a->last = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->last;
	void *p;

	size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	if (size > (a->cap ? a->cap : ARENA_CAP) - a->total) {
		a->poor = true;
		return NULL;
	}
	if (!b || b->room - b->used < size)
		b = add_block(a, size);
	if (!b) {
		a->poor = true;
		return NULL;
	}
	p = b->data + b->used;
	b->used += size;
	a->total += size;
	return p;
}

char *arena_ndup(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	if (p)
		memcpy(p, s, len);
	return p;
}

char *arena_dup(struct arena *a, const char *s)
{
	return s ? arena_ndup(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	char *text, *p;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		a->poor = true;
		return NULL;
	}
	p = arena_ndup(a, text, (size_t) n);
	free(text);
	return p;
}

void *arena_grow(struct arena *a, void *list, size_t n, size_t size)
{
	void *more;

	if (n && (n & (n - 1)) != 0) /* there is room up to the next power of two */
		return list;
	more = arena_alloc(a, (n ? 2 * n : 1) * size);
	if (more && n)
		memcpy(more, list, n * size);
	return more;
}

void arena_done(struct arena *a)
{
	struct arena_block *b = a->last, *before;

	for (; b; b = before) {
		before = b->before;
		free(b);
	}
	*a = (struct arena){ .cap = a->cap };
}
