#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool buf_reserve(struct pv_buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : PV_BUF_CAP;
	size_t room;
	char *data;

	if (b->cut || more > cap - b->len) {
		b->cut = true;
		return false;
	}
	if (b->len + more < b->room)
		return true;
	room = PV_MAX(b->room * 2, b->len + more + 1);
	room = PV_MAX(room, (size_t) 256);
	data = realloc(b->data, room);
	if (!data) {
		b->cut = true;
		return false;
	}
	b->data = data;
	b->room = room;
	return true;
}

void pv_buf_done(struct pv_buf *b)
{
	free(b->data);
	*b = (struct pv_buf){ .cap = b->cap };
}

void pv_buf_clear(struct pv_buf *b)
{
	b->len = 0;
	b->cut = false;
	if (b->data)
		b->data[0] = '\0';
}

const char *pv_buf_str(const struct pv_buf *b)
{
	return b->data ? b->data : "";
}

void pv_buf_add(struct pv_buf *b, const void *data, size_t len)
{
	if (!buf_reserve(b, len))
		return;
	memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void pv_buf_puts(struct pv_buf *b, const char *s)
{
	pv_buf_add(b, s, strlen(s));
}

void pv_buf_putc(struct pv_buf *b, char c)
{
	pv_buf_add(b, &c, 1);
}

void pv_buf_printf(struct pv_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !buf_reserve(b, (size_t) n))
		return;
	va_start(ap, fmt);
	(void) vsnprintf(b->data + b->len, (size_t) n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t) n;
}

/* Length of the valid UTF-8 sequence at `s` (RFC 3629: no overlong forms, no surrogates, at most
 * U+10FFFF), 0 if there is none. */
static size_t utf8_len(const unsigned char *s, size_t left)
{
	unsigned char c = s[0];

	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return left >= 2 && (s[1] & 0xc0) == 0x80 ? 2 : 0;
	if (c >= 0xe0 && c <= 0xef) {
		if (left < 3 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80)
			return 0;
		if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f))
			return 0;
		return 3;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		if (left < 4 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80 ||
		    (s[3] & 0xc0) != 0x80)
			return 0;
		if ((c == 0xf0 && s[1] < 0x90) || (c == 0xf4 && s[1] > 0x8f))
			return 0;
		return 4;
	}
	return 0;
}

/* C1 controls (U+0080-9F), bidirectional marks and overrides, line and paragraph separators. */
static bool utf8_is_tricky(const unsigned char *s, size_t n)
{
	if (n == 2)
		return s[0] == 0xc2 && s[1] < 0xa0;
	if (n != 3 || s[0] != 0xe2)
		return false;
	if (s[1] == 0x80)
		return (s[2] >= 0x8e && s[2] <= 0x8f) || (s[2] >= 0xa8 && s[2] <= 0xae);
	return s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9;
}

void pv_buf_json_strn(struct pv_buf *b, const char *str, size_t len)
{
	const unsigned char *s = (const unsigned char *) str;
	size_t i, n;

	pv_buf_putc(b, '"');
	for (i = 0; i < len; i += n) {
		n = utf8_len(s + i, len - i);
		if (n > 1 && !utf8_is_tricky(s + i, n)) {
			pv_buf_add(b, s + i, n);
		} else if (n == 3) { /* tricky and above U+07FF: U+20xx */
			pv_buf_printf(b, "\\u%04x",
				      (s[i] & 0xfu) << 12 | (s[i + 1] & 0x3fu) << 6 | (s[i + 2] & 0x3fu));
		} else if (n != 1) { /* invalid byte, or a C1 control */
			pv_buf_printf(b, "\\u%04x", n == 2 ? s[i + 1] : s[i]);
			n = PV_MAX(n, (size_t) 1);
		} else if (s[i] == '"' || s[i] == '\\') {
			pv_buf_putc(b, '\\');
			pv_buf_putc(b, (char) s[i]);
		} else if (s[i] < 0x20 || s[i] == 0x7f) {
			pv_buf_printf(b, "\\u%04x", s[i]);
		} else {
			pv_buf_putc(b, (char) s[i]);
		}
	}
	pv_buf_putc(b, '"');
}

void pv_buf_json_str(struct pv_buf *b, const char *s)
{
	pv_buf_json_strn(b, s, strlen(s));
}

void pv_buf_safe(struct pv_buf *b, const char *str, size_t max)
{
	const unsigned char *s = (const unsigned char *) str;
	size_t len = max ? strnlen(str, max) : strlen(str);
	size_t i, n, k;

	for (i = 0; i < len; i += n) {
		n = utf8_len(s + i, len - i);
		if ((n > 1 && !utf8_is_tricky(s + i, n)) || (n == 1 && s[i] >= 0x20 && s[i] != 0x7f)) {
			pv_buf_add(b, s + i, n);
			continue;
		}
		n = PV_MAX(n, (size_t) 1);
		for (k = 0; k < n; k++)
			pv_buf_printf(b, "\\x%02x", s[i + k]);
	}
}
