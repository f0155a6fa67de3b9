#include "base/lines.h"

#include <string.h>

struct line_reader *lines_new(lines_fn *fn, void *user)
{
	struct line_reader *l = malloc(sizeof(*l));

	if (!l)
		return NULL;
	l->fn = fn;
	l->user = user;
	l->have = 0;
	l->skip = false;
	return l;
}

static int hand_on(struct line_reader *l)
{
	size_t len = l->have;
	bool skip = l->skip;

	l->have = 0;
	l->skip = false;
	l->buf[len] = '\0';
	return skip ? 0 : l->fn(l->buf, len, l->user);
}

int lines_add(struct line_reader *l, const char *piece, size_t len)
{
	const char *end = piece + len;
	int r = 0;

	while (piece < end && r == 0) {
		const char *lf = memchr(piece, '\n', (size_t) (end - piece));
		size_t n = (size_t) ((lf ? lf : end) - piece);

		if (n > LINE_READER_MAX - l->have) {
			l->skip = true;
			l->have = n = 0;
		}
		if (!l->skip)
			memcpy(l->buf + l->have, piece, n);
		l->have += l->skip ? 0 : n;
		if (!lf)
			break;
		r = hand_on(l);
		piece = lf + 1;
	}
	return r;
}

int lines_end(struct line_reader *l)
{
	return l->have || l->skip ? hand_on(l) : 0;
}

/* --- a set --- */

struct line_at {
	const char *s;
	size_t len;
};

struct line_set {
	size_t n;
	struct line_at line[];
};

static int by_text(const void *pa, const void *pb)
{
	const struct line_at *a = pa, *b = pb;
	int r = memcmp(a->s, b->s, PV_MIN(a->len, b->len));

	return r ? r : (a->len > b->len) - (a->len < b->len);
}

struct line_set *line_set_new(const char *text)
{
	struct line_set *s;
	size_t n = 1;

	for (const char *p = text; (p = strchr(p, '\n')); p++)
		n++;
	s = malloc(sizeof(*s) + n * sizeof(s->line[0]));
	if (!s)
		return NULL;
	s->n = 0;
	for (const char *p = text; s->n < n; p++) {
		size_t len = strcspn(p, "\n");

		s->line[s->n++] = (struct line_at){ p, len };
		p += len;
	}
	qsort(s->line, s->n, sizeof(s->line[0]), by_text);
	return s;
}

struct line_set *line_set_free(struct line_set *s)
{
	free(s);
	return NULL;
}

bool line_set_has(const struct line_set *s, const char *line, size_t len)
{
	const struct line_at key = { line, len };

	return bsearch(&key, s->line, s->n, sizeof(s->line[0]), by_text) != NULL;
}
