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
