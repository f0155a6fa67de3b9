/* lines.h - what came into a text, line by line, without keeping the text: each line is a hash (SipHash under a key of this
 * process, so that nobody can write a line that passes for another). Blank lines and comments (# but not #!) do not count, nor does
 * the order of lines. Pure. */
#ifndef PV_DETECT_LINES_H
#define PV_DETECT_LINES_H

#include <stddef.h>
#include <stdint.h>

#define LINES_KEY 16

struct lines {
	uint64_t *hash; /* sorted */
	size_t n;
};

int lines_of(const uint8_t key[LINES_KEY], const char *text, size_t len, struct lines *ret); /* 0 or -ENOMEM */
void lines_done(struct lines *l);

/* Calls `fn` (may be NULL) for each line of `text` that was not in `before`, without its blanks at both ends. How many. */
size_t lines_added(const uint8_t key[LINES_KEY], const struct lines *before, const char *text, size_t len,
		   void (*fn)(const char *line, size_t len, void *arg), void *arg);
/* How many of `before` are not in `after`. */
size_t lines_gone(const struct lines *before, const struct lines *after);

#endif
