#include "logs/json.h"

#include <string.h>

struct key {
	const char *s;
	size_t len;
};

struct walk {
	const char *p, *end;
	struct key path[JSON_DEPTH];
	size_t depth;
	const char *const *keys;
	size_t n;
	struct json_value *ret;
};

static void blank(struct walk *w)
{
	while (w->p < w->end && (*w->p == ' ' || *w->p == '\t' || *w->p == '\n' || *w->p == '\r'))
		w->p++;
}

/* Behind the opening quote; leaves p behind the closing one. */
static bool string(struct walk *w, struct json_value *ret)
{
	const char *from = w->p;

	for (;;) {
		const char *q = memchr(w->p, '"', (size_t) (w->end - w->p)), *b;

		if (!q)
			return false;
		for (b = q; b > w->p && b[-1] == '\\'; b--)
			;
		w->p = q + 1;
		if ((q - b) % 2 == 0) {
			*ret = (struct json_value) { from, (size_t) (q - from), true };
			return true;
		}
	}
}

static bool path_is(const struct walk *w, const char *key)
{
	for (size_t i = 0; i < w->depth; i++) {
		const struct key *k = &w->path[i];

		if (strnlen(key, k->len) < k->len || memcmp(key, k->s, k->len) != 0 || key[k->len] != (i + 1 < w->depth ? '.' : '\0'))
			return false;
		key += k->len + 1;
	}
	return w->depth > 0;
}

/* `in`: where the list begins that it stands in, or NULL. What was taken from the same list goes on to this one's end. */
static void take(struct walk *w, const struct json_value *v, const char *in)
{
	for (size_t i = 0; i < w->n; i++) {
		struct json_value *ret = &w->ret[i];

		if ((ret->raw && (!in || ret->raw < in)) || !path_is(w, w->keys[i]))
			continue;
		if (!ret->raw)
			*ret = *v;
		else if (ret->string && v->string)
			ret->len = (size_t) (v->raw + v->len - ret->raw);
	}
}

static bool value(struct walk *w, unsigned nested, const char *in);

static bool object(struct walk *w, unsigned nested)
{
	blank(w);
	if (w->p < w->end && *w->p == '}')
		return w->p++, true;
	if (w->depth == JSON_DEPTH)
		return false;
	for (;;) {
		struct json_value k;

		blank(w);
		if (w->p == w->end || *w->p++ != '"' || !string(w, &k))
			return false;
		blank(w);
		if (w->p == w->end || *w->p++ != ':')
			return false;
		w->path[w->depth++] = (struct key) { k.raw, k.len };
		if (!value(w, nested + 1, NULL))
			return false;
		w->depth--;
		blank(w);
		if (w->p == w->end)
			return false;
		if (*w->p == '}')
			return w->p++, true;
		if (*w->p++ != ',')
			return false;
	}
}

static bool list(struct walk *w, unsigned nested)
{
	const char *from = w->p;

	blank(w);
	if (w->p < w->end && *w->p == ']')
		return w->p++, true;
	for (;;) {
		if (!value(w, nested + 1, from))
			return false;
		blank(w);
		if (w->p == w->end)
			return false;
		if (*w->p == ']')
			return w->p++, true;
		if (*w->p++ != ',')
			return false;
	}
}

static bool scalar(struct walk *w, struct json_value *ret)
{
	const char *from = w->p;

	while (w->p < w->end && !strchr(",]} \t\r\n\"{[:", *w->p) && *w->p)
		w->p++;
	*ret = (struct json_value) { from, (size_t) (w->p - from), false };
	return w->p > from;
}

static bool value(struct walk *w, unsigned nested, const char *in)
{
	struct json_value v;

	blank(w);
	if (w->p == w->end || nested > JSON_DEPTH)
		return false;
	if (*w->p == '{')
		return w->p++, object(w, nested);
	if (*w->p == '[')
		return w->p++, list(w, nested);
	if (*w->p == '"' ? (w->p++, !string(w, &v)) : !scalar(w, &v))
		return false;
	take(w, &v, in);
	return true;
}

int json_values(const char *text, size_t len, const char *const *keys, size_t n, struct json_value *ret)
{
	struct walk w = { .p = text, .end = text + len, .keys = keys, .n = n, .ret = ret };

	memset(ret, 0, n * sizeof(*ret));
	blank(&w);
	if (w.p == w.end || *w.p++ != '{' || !object(&w, 0))
		return -EINVAL;
	blank(&w);
	return w.p == w.end ? 0 : -EINVAL;
}

static bool hex4(const char *p, const char *end, unsigned *ret)
{
	unsigned v = 0;

	if (end - p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			v = v * 16 + (unsigned) (c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v * 16 + (unsigned) ((c | 32) - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return true;
}

static void utf8(struct pv_buf *out, unsigned c)
{
	char b[4];
	size_t n;

	if (c < 0x80) {
		b[0] = (char) c;
		n = 1;
	} else if (c < 0x800) {
		b[0] = (char) (0xc0 | c >> 6);
		b[1] = (char) (0x80 | (c & 63));
		n = 2;
	} else if (c < 0x10000) {
		b[0] = (char) (0xe0 | c >> 12);
		b[1] = (char) (0x80 | (c >> 6 & 63));
		b[2] = (char) (0x80 | (c & 63));
		n = 3;
	} else {
		b[0] = (char) (0xf0 | c >> 18);
		b[1] = (char) (0x80 | (c >> 12 & 63));
		b[2] = (char) (0x80 | (c >> 6 & 63));
		b[3] = (char) (0x80 | (c & 63));
		n = 4;
	}
	pv_buf_add(out, b, n);
}

/* Behind `\u`; returns where to go on. */
static const char *unicode(struct pv_buf *out, const char *p, const char *end)
{
	unsigned c, low;

	if (!hex4(p, end, &c)) {
		pv_buf_putc(out, '?');
		return p;
	}
	p += 4;
	if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' && hex4(p + 2, end, &low) && low >= 0xdc00 &&
	    low < 0xe000) {
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		p += 6;
	} else if (c >= 0xd800 && c < 0xe000) {
		c = 0xfffd;
	}
	utf8(out, c);
	return p;
}

void json_decode(struct pv_buf *out, const struct json_value *v)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *p = v->raw, *end = p ? p + v->len : NULL;

	if (!v->string) {
		if (p)
			pv_buf_add(out, p, v->len);
		return;
	}
	while (p < end) {
		const char *b = memchr(p, '\\', (size_t) (end - p)), *at;

		pv_buf_add(out, p, (size_t) ((b ? b : end) - p));
		if (!b || b + 1 == end)
			return;
		p = b + 2;
		at = strchr(from, b[1]);
		if (b[1] == 'u')
			p = unicode(out, p, end);
		else
			pv_buf_putc(out, b[1] && at ? to[at - from] : b[1]);
	}
}
