/* lines.h - bytes that come in pieces, handed on by the line; and the lines of a text, found again. */
#ifndef PV_BASE_LINES_H
#define PV_BASE_LINES_H

#include "base/util.h"

#define LINE_READER_MAX 65536

/* A line without its end, NUL behind it; what it returns ends the reading when it is not 0. */
typedef int lines_fn(const char *line, size_t len, void *user);

struct line_reader {
	lines_fn *fn;
	void *user;
	size_t have;
	bool skip; /* the line under way is longer than LINE_READER_MAX: it is left out */
	char buf[LINE_READER_MAX + 1];
};

struct line_reader *lines_new(lines_fn *fn, void *user); /* NULL: no memory; free() it */
int lines_add(struct line_reader *l, const char *piece, size_t len); /* 0, or what fn returned */
int lines_end(struct line_reader *l); /* the last one needs no end */

/* The text must stay as long as the set. */
struct line_set;
struct line_set *line_set_new(const char *text); /* NULL: no memory */
struct line_set *line_set_free(struct line_set *s);
PV_AUTO(line_set)
bool line_set_has(const struct line_set *s, const char *line, size_t len);

#endif
