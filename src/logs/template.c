#include <string.h>

#include "logs/logs.h"

#define TEMPLATE_MAX 200

static bool alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A word with a digit in it is a number, an address, an id: different each time. `E11000` and `404` are lost with them. */
static bool varies(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] >= '0' && s[i] <= '9')
			return true;
	return n > 40;
}

static void star(struct pv_buf *out)
{
	if (!out->len || out->data[out->len - 1] != '*')
		pv_buf_putc(out, '*');
}

void logs_template(const char *text, size_t len, struct pv_buf *out)
{
	const char *p = text, *end = text + len;
	size_t from = out->len;

	while (p < end && out->len - from < TEMPLATE_MAX) {
		const char *q;

		if ((*p == '"' || *p == '\'') && (q = memchr(p + 1, *p, (size_t) (end - p) - 1))) {
			pv_buf_putc(out, *p);
			pv_buf_putc(out, '*');
			pv_buf_putc(out, *p);
			p = q + 1;
			continue;
		}
		for (q = p; q < end && (alnum(*q) || *q == '_' || (unsigned char) *q >= 0x80 ||
					(q > p && q + 1 < end && strchr(".:-", *q) && *q && alnum(q[1]))); q++)
			;
		if (q == p)
			pv_buf_putc(out, *p++);
		else if (varies(p, (size_t) (q - p)))
			star(out), p = q;
		else
			pv_buf_add(out, p, (size_t) (q - p)), p = q;
	}
}
