#include "detect/lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium/crypto_shorthash.h>

_Static_assert(LINES_KEY == crypto_shorthash_KEYBYTES, "SipHash-2-4");

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next line that counts, in [*at, end). */
static bool next_line(const char **at, const char *end, const char **ret, size_t *ret_len)
{
	while (*at < end) {
		const char *newline = memchr(*at, '\n', (size_t) (end - *at)), *from = *at, *to = newline ? newline : end;

		*at = newline ? newline + 1 : end;
		while (from < to && is_blank(*from))
			from++;
		while (to > from && is_blank(to[-1]))
			to--;
		if (from == to || (*from == '#' && !(to - from > 1 && from[1] == '!')))
			continue;
		*ret = from;
		*ret_len = (size_t) (to - from);
		return true;
	}
	return false;
}

static uint64_t hash_of(const uint8_t key[LINES_KEY], const char *line, size_t len)
{
	uint64_t h = 0;

	(void) crypto_shorthash((unsigned char *) &h, (const unsigned char *) line, len, key);
	return h;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

	return x < y ? -1 : x > y;
}

static bool has(const struct lines *l, uint64_t hash)
{
	return l->n && bsearch(&hash, l->hash, l->n, sizeof(hash), compare);
}

int lines_of(const uint8_t key[LINES_KEY], const char *text, size_t len, struct lines *ret)
{
	const char *at = text, *end = text + len, *line = NULL;
	size_t n = 0, line_len = 0;
	uint64_t *hash = NULL;

	while (next_line(&at, end, &line, &line_len)) {
		if (n % 32 == 0) {
			uint64_t *more = realloc(hash, (n + 32) * sizeof(*hash));

			if (!more) {
				free(hash);
				return -ENOMEM;
			}
			hash = more;
		}
		hash[n++] = hash_of(key, line, line_len);
	}
	if (n)
		qsort(hash, n, sizeof(*hash), compare);
	*ret = (struct lines){ hash, n };
	return 0;
}

void lines_done(struct lines *l)
{
	free(l->hash);
	*l = (struct lines){ NULL, 0 };
}

size_t lines_added(const uint8_t key[LINES_KEY], const struct lines *before, const char *text, size_t len,
		   void (*fn)(const char *line, size_t len, void *arg), void *arg)
{
	const char *at = text, *end = text + len, *line = NULL;
	size_t n = 0, line_len = 0;

	while (next_line(&at, end, &line, &line_len)) {
		if (has(before, hash_of(key, line, line_len)))
			continue;
		n++;
		if (fn)
			fn(line, line_len, arg);
	}
	return n;
}

size_t lines_gone(const struct lines *before, const struct lines *after)
{
	size_t n = 0;

	for (size_t i = 0; i < before->n; i++)
		n += !has(after, before->hash[i]);
	return n;
}
