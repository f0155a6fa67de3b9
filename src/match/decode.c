#include "match/decode.h"

#include <string.h>

#include "match/runs.h"

#define WRAP_MIN 56 /* a line that goes on in the next one is at least this long; PEM has 64, MIME 76 */
#define PROBE	 12 /* decoded bytes that must be readable at first sight */

/* Value of a base64 character in either alphabet, 255 for what is none. */
static uint8_t six[256];
static bool url_char[256]; /* what a URL or form value is made of */

__attribute__((constructor)) static void fill_tables(void)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	memset(six, 255, sizeof(six));
	for (uint8_t i = 0; i < 64; i++)
		six[(uint8_t) alphabet[i]] = i;
	six['-'] = 62;
	six['_'] = 63;
	for (unsigned c = 0; c < 256; c++) {
		url_char[c] = c > ' ' && c < 127 && !strchr("\"'`<>\\{}|^", (int) c);
	}
}

const char *decode_name(enum decode_how how)
{
	static const char *const names[] = { "base64", "hex", "url" };

	return names[how];
}

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool readable(unsigned char c)
{
	return (c >= ' ' && c < 127) || c == '\n' || c == '\r' || c == '\t';
}

/* A run may go on in the next line when its own line is long: the break and the indentation are skipped. */
static size_t next_line(const char *text, size_t len, size_t line, size_t at)
{
	size_t to = at;

	if (at - line < WRAP_MIN)
		return at;
	if (to + 1 < len && text[to] == '\\' && text[to + 1] == 'n') /* inside a JSON string */
		to += 2;
	else {
		if (to < len && text[to] == '\r')
			to++;
		if (to >= len || text[to] != '\n')
			return at;
		to++;
	}
	for (size_t end = PV_MIN(len, to + 32); to < end && (text[to] == ' ' || text[to] == '\t'); to++)
		;
	return to < len && run_has(text[to]) ? to : at;
}

/* Steps through the characters of a run; `at` is the one looked at, and stays at the end. */
struct walk {
	const char *text;
	size_t end, line, at;
};

static bool walk_next(struct walk *w)
{
	if (w->at >= w->end)
		return false;
	if (++w->at >= w->end)
		return false;
	if (!run_has(w->text[w->at])) {
		size_t to = next_line(w->text, w->end, w->line, w->at);

		if (to == w->at) {
			w->end = w->at;
			return false;
		}
		w->at = w->line = to;
	}
	return true;
}

static size_t wrapped_end(const char *text, size_t len, size_t start)
{
	size_t at = start, line = start, limit = len - start > DECODE_MAX ? start + DECODE_MAX : len;

	for (;;) {
		size_t to;

		at = run_end(text, limit, at);
		to = next_line(text, limit, line, at);
		if (to == at)
			return at;
		at = line = to;
	}
}

/* Decodes four characters to three bytes at `p`. */
static bool quad(const char *p, unsigned char *out)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++) {
		if (six[(uint8_t) p[i]] > 63)
			return false;
		v = v << 6 | six[(uint8_t) p[i]];
	}
	out[0] = (unsigned char) (v >> 16);
	out[1] = (unsigned char) (v >> 8);
	out[2] = (unsigned char) v;
	return true;
}

/* Something of 12 readable bytes at `p`, where 16 characters of a run stand. */
static bool base64_readable(const char *p)
{
	for (int i = 0; i < PROBE / 3; i++) {
		unsigned char b[3];

		if (!quad(p + 4 * i, b) || !readable(b[0]) || !readable(b[1]) || !readable(b[2]))
			return false;
	}
	return true;
}

struct places { /* one bit each, from the least */
	uint64_t low, high;
};

static struct places move_down(struct places v, unsigned n)
{
	return (struct places) { v.low >> n | v.high << (64 - n), v.high >> n };
}

static struct places both(struct places a, struct places b)
{
	return (struct places) { a.low & b.low, a.high & b.high };
}

/* One bit for each of the first 64 places of a run at which PROBE bytes below 128 may begin: the first bit of each decoded byte
 * is one certain bit of the first, second and third character of four. That alone turns nearly all down. */
static uint64_t ascii_places(const char *p, size_t n)
{
	struct places bit[3] = { { 0, 0 }, { 0, 0 }, { 0, 0 } }, three, all;

	for (size_t i = 0; i < n && i < 80; i++) {
		uint64_t v = ~(uint64_t) six[(uint8_t) p[i]], to = i % 64;
		uint64_t first = (v >> 5 & 1) << to, second = (v >> 3 & 1) << to, third = (v >> 1 & 1) << to;

		if (i < 64) {
			bit[0].low |= first;
			bit[1].low |= second;
			bit[2].low |= third;
		} else {
			bit[0].high |= first;
			bit[1].high |= second;
			bit[2].high |= third;
		}
	}
	three = both(bit[0], both(move_down(bit[1], 1), move_down(bit[2], 2)));
	all = both(both(three, move_down(three, 4)), both(move_down(three, 8), move_down(three, 12)));
	return all.low;
}

static bool hex_readable(const char *p)
{
	for (int i = 0; i < PROBE; i++) {
		int hi = hex_value((unsigned char) p[2 * i]), lo = hex_value((unsigned char) p[2 * i + 1]);

		if (hi < 0 || lo < 0 || !readable((unsigned char) (hi << 4 | lo)))
			return false;
	}
	return true;
}

/* What the run may be. Base64 that is glued to a word in front begins at one of four alignments. */
static bool judge_run(const char *text, size_t start, size_t end, struct decode_cand *ret)
{
	size_t n = end - start;

	if (n >= 2 * PROBE)
		for (size_t skip = 0; skip < 2 && skip + 2 * PROBE <= n; skip++)
			if (hex_readable(text + start + skip)) {
				*ret = (struct decode_cand) { DECODE_HEX, { start + skip, n - skip } };
				return true;
			}
	for (uint64_t places = ascii_places(text + start, n); places; places &= places - 1) {
		size_t at = (size_t) __builtin_ctzll(places);

		if (at + 16 <= n && base64_readable(text + start + at)) {
			*ret = (struct decode_cand) { DECODE_BASE64, { start + at, n - at } };
			return true;
		}
	}
	return false;
}

/* Readable bytes in base64 make small letters and capitals in any 24 characters (once in 2,000 they do not); else it is
 * all hex. Names and paths of one case are most of the long runs of a program. */
static bool may_be_encoded(const char *p)
{
	unsigned capitals = 0, small = 0, hex = 0;

	for (unsigned i = 0; i < RUN_MIN; i++) {
		uint8_t c = (uint8_t) p[i], lower = c | 0x20;

		capitals += (uint8_t) (c - 'A') < 26;
		small += (uint8_t) (c - 'a') < 26;
		hex += (uint8_t) (c - '0') < 10 || (uint8_t) (lower - 'a') < 6;
	}
	return (capitals && small) || hex >= RUN_MIN - 1; /* a letter may be glued to the front */
}

bool decode_may_hold(const char *text, size_t start, size_t end, size_t *ret)
{
	for (; end - start >= RUN_MIN; start += PV_MIN((size_t) 8, end - start))
		if (may_be_encoded(text + start)) {
			*ret = start;
			return true;
		}
	return false;
}

/* The next place from `floor` on where something encoded may begin. */
static size_t next_place(const char *text, size_t len, size_t floor, size_t limit, struct decode_at *at)
{
	const struct decode_known *known = at->known;

	if (known && floor < known->to) {
		while (at->i < known->n && known->at[at->i] < floor)
			at->i++;
		if (at->i < known->n)
			return known->at[at->i];
		floor = known->to;
	}
	while ((floor = run_next(text, len, floor, limit)) < limit && !may_be_encoded(text + floor))
		floor += 8;
	return floor;
}

/* The next run that may be something encoded. */
static bool next_run(const char *text, size_t len, size_t limit, struct decode_at *at, struct decode_cand *ret)
{
	size_t floor = at->run;

	while ((floor = next_place(text, len, floor, limit, at)) < limit) {
		at->run = wrapped_end(text, len, floor);
		if (judge_run(text, floor, at->run, ret))
			return true;
		floor = PV_MAX(at->run, floor + 1);
	}
	at->run = limit;
	return false;
}

static bool is_escape(const char *text, size_t len, size_t i)
{
	return len - i > 2 && text[i] == '%' && hex_value((unsigned char) text[i + 1]) >= 0 &&
	       hex_value((unsigned char) text[i + 2]) >= 0;
}

/* The next run with two %XX or more. `at` is where the search goes on; nothing before it is taken. */
static bool next_url(const char *text, size_t len, size_t limit, size_t *at, struct decode_cand *ret)
{
	const char *hit;

	while (*at < limit && (hit = memchr(text + *at, '%', limit - *at))) {
		size_t i = (size_t) (hit - text), start = i, end = i, n = 0;

		if (!is_escape(text, len, i)) {
			*at = i + 1;
			continue;
		}
		while (start > *at && i - start < 4096 && url_char[(uint8_t) text[start - 1]])
			start--;
		while (end < len && end - start < DECODE_MAX && url_char[(uint8_t) text[end]])
			n += is_escape(text, len, end++);
		*at = PV_MAX(end, i + 1);
		if (n >= 2 && end - start >= 12) {
			*ret = (struct decode_cand) { DECODE_URL, { start, end - start } };
			return true;
		}
	}
	*at = PV_MAX(*at, limit);
	return false;
}

bool decode_next(const char *text, size_t len, size_t limit, struct decode_at *at, struct decode_cand *ret)
{
	/* The two kinds are searched for apart, and handed out run by run, then escape by escape. */
	if (at->run < limit && next_run(text, len, limit, at, ret))
		return true;
	at->run = limit;
	return next_url(text, len, limit, &at->url, ret);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

size_t decode_start(const char *text, size_t at)
{
	size_t floor = at > DECODE_MAX ? at - DECODE_MAX : 0, start = at;

	for (;;) {
		while (start > floor && (run_has(text[start - 1]) || url_char[(uint8_t) text[start - 1]]))
			start--;
		/* Over a line break only from one full line of a wrapped run to another. */
		at = start;
		while (at > floor && is_blank(text[at - 1]))
			at--;
		if (at == start || at < floor + WRAP_MIN || !run_has(text[at - WRAP_MIN]) ||
		    !run_has(text[at - 1]))
			return start;
		start = at;
	}
}

static void decode_base64(const char *text, const struct decode_cand *c, struct pv_buf *out)
{
	struct walk w = { text, c->outer.start + c->outer.len, c->outer.start, c->outer.start };
	unsigned char bytes[768];
	uint32_t v = 0;
	size_t n = 0, have = 0;

	do {
		v = v << 6 | six[(uint8_t) text[w.at]];
		if (++have % 4 == 0) {
			bytes[n++] = (unsigned char) (v >> 16);
			bytes[n++] = (unsigned char) (v >> 8);
			bytes[n++] = (unsigned char) v;
		}
		if (n == sizeof(bytes)) {
			pv_buf_add(out, bytes, n);
			n = 0;
		}
	} while (walk_next(&w));
	if (have % 4 == 2)
		bytes[n++] = (unsigned char) (v >> 4);
	if (have % 4 == 3) {
		bytes[n++] = (unsigned char) (v >> 10);
		bytes[n++] = (unsigned char) (v >> 2);
	}
	pv_buf_add(out, bytes, n);
}

static void decode_hex(const char *text, const struct decode_cand *c, struct pv_buf *out)
{
	struct walk w = { text, c->outer.start + c->outer.len, c->outer.start, c->outer.start };
	int hi = -1;

	do {
		int v = hex_value((unsigned char) text[w.at]);

		if (v < 0)
			return;
		if (hi < 0) {
			hi = v;
		} else {
			pv_buf_putc(out, (char) (hi << 4 | v));
			hi = -1;
		}
	} while (walk_next(&w));
}

static void decode_url(const char *text, const struct decode_cand *c, struct pv_buf *out)
{
	size_t end = c->outer.start + c->outer.len;

	for (size_t i = c->outer.start; i < end; i++) {
		if (is_escape(text, end, i)) {
			pv_buf_putc(out, (char) ((unsigned) hex_value((unsigned char) text[i + 1]) << 4 |
						 (unsigned) hex_value((unsigned char) text[i + 2])));
			i += 2;
		} else {
			pv_buf_putc(out, text[i] == '+' ? ' ' : text[i]);
		}
	}
}

void decode_run(const char *text, const struct decode_cand *c, struct pv_buf *out)
{
	if (!c->outer.len || !(c->how == DECODE_URL || run_has(text[c->outer.start])))
		return;
	if (c->how == DECODE_BASE64)
		decode_base64(text, c, out);
	else if (c->how == DECODE_HEX)
		decode_hex(text, c, out);
	else
		decode_url(text, c, out);
}

/* Position of the nth character of a wrapped run. */
static size_t walk_to(const char *text, const struct decode_cand *c, size_t nth)
{
	struct walk w = { text, c->outer.start + c->outer.len, c->outer.start, c->outer.start };

	while (nth-- && walk_next(&w))
		;
	return w.at;
}

static size_t url_at(const char *text, const struct decode_cand *c, size_t nth)
{
	size_t end = c->outer.start + c->outer.len, i = c->outer.start;

	for (; i < end && nth; nth--)
		i += is_escape(text, end, i) ? 3 : 1;
	return i;
}

struct rule_span decode_outer(const char *text, const struct decode_cand *c, struct rule_span inner)
{
	size_t end = inner.start + inner.len, from, to;

	if (c->how == DECODE_URL) {
		from = url_at(text, c, inner.start);
		to = url_at(text, c, end);
	} else if (c->how == DECODE_HEX) {
		from = walk_to(text, c, inner.start * 2);
		to = end ? walk_to(text, c, end * 2 - 1) + 1 : from;
	} else {
		from = walk_to(text, c, inner.start / 3 * 4 + inner.start % 3);
		to = end ? walk_to(text, c, (end - 1) / 3 * 4 + (end - 1) % 3 + 1) + 1 : from;
	}
	return (struct rule_span) { from, PV_MIN(PV_MAX(to, from), c->outer.start + c->outer.len) - from };
}
