#include "check/dotenv.h"

#include <ctype.h>
#include <string.h>

static const char name_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

/* The value that starts at `p`; a quoted one may go over several lines. Moves *at behind it. */
static char *take_value(struct arena *a, const char *p, const char *end, const char **at, unsigned *line)
{
	char quote = p < end && (*p == '"' || *p == '\'') ? *p : 0;
	pv_autobuf out = PV_BUF_INIT;

	if (quote) {
		const char *close = p + 1;

		while (close < end && (*close != quote || (quote == '"' && close[-1] == '\\')))
			close++;
		if (close < end) {
			for (const char *c = p + 1; c < close; c++)
				*line += *c == '\n';
			pv_buf_add(&out, p + 1, (size_t) (close - p) - 1);
			p = close + 1;
		} else {
			quote = 0; /* no end: the quote is part of the value */
		}
	}
	if (!quote) {
		const char *stop = p;

		while (stop < end && *stop != '\n' && !(*stop == '#' && stop > p && isspace((unsigned char) stop[-1])))
			stop++;
		while (stop > p && isspace((unsigned char) stop[-1]))
			stop--;
		pv_buf_add(&out, p, (size_t) (stop - p));
		p = stop;
	}
	while (p < end && *p != '\n')
		p++;
	*at = p;
	return arena_dup(a, pv_buf_str(&out));
}

static int add(struct arena *a, struct dotenv *d, const char *name, size_t len, const char *value, unsigned line)
{
	struct ctr_env *item = arena_grow(a, d->item, d->n, sizeof(*item));
	char *own = arena_ndup(a, name, len);

	if (!item || !own || !value)
		return -ENOMEM;
	d->item = item;
	d->item[d->n++] = (struct ctr_env){ .at = { .what = own, .line = line }, .name = own, .value = value };
	return 0;
}

int dotenv_parse(struct arena *a, const char *text, size_t len, struct dotenv *ret)
{
	const char *end = text + len;
	struct dotenv d = { 0 };
	unsigned line = 1;

	if (len > DOTENV_BYTES)
		return -EFBIG;
	for (const char *p = text; p < end && d.n < DOTENV_LINES; line++, p += p < end) {
		unsigned first = line;
		size_t n;

		while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
			p++;
		if ((size_t) (end - p) > 7 && strncmp(p, "export ", 7) == 0)
			p += 7;
		for (n = 0; p + n < end && p[n] && strchr(name_chars, p[n]); n++)
			;
		if (n && p + n < end && p[n] == '=') {
			const char *name = p, *value = take_value(a, p + n + 1, end, &p, &line);

			if (add(a, &d, name, n, value, first) < 0)
				return -ENOMEM;
		} else if (p < end && *p != '#' && *p != '\n' && !d.odd_line) {
			d.odd_line = first;
		}
		while (p < end && *p != '\n')
			p++;
	}
	*ret = d;
	return a->poor ? -ENOMEM : 0;
}

const struct ctr_env *dotenv_find(const struct dotenv *d, const char *name, size_t len)
{
	for (size_t i = d->n; i > 0; i--) /* the last one counts */
		if (strlen(d->item[i - 1].name) == len && memcmp(d->item[i - 1].name, name, len) == 0)
			return &d->item[i - 1];
	return NULL;
}
