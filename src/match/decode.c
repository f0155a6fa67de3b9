#include "match/decode.h"

#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#define WRAP_MIN 56 /* a line that goes on in the next one is at least this long; PEM has 64, MIME 76 */
#define PROBE	 12 /* decoded bytes that must be readable at first sight */

/* Value of a base64 character in either alphabet, 255 for what is none. */
static uint8_t six[256];
static bool run_char[256]; /* base64 or hex, padding excluded */
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
		run_char[c] = six[c] < 64;
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
	return to < len && run_char[(uint8_t) text[to]] ? to : at;
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
	if (!run_char[(uint8_t) w->text[w->at]]) {
		size_t to = next_line(w->text, w->end, w->line, w->at);

		if (to == w->at) {
			w->end = w->at;
			return false;
		}
		w->at = w->line = to;
	}
	return true;
}

static size_t run_end(const char *text, size_t len, size_t start)
{
	size_t at = start, line = start, limit = len - start > DECODE_MAX ? start + DECODE_MAX : len;

	for (;;) {
		size_t to;

		while (at < limit && run_char[(uint8_t) text[at]])
			at++;
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
		const uint8_t *q = (const uint8_t *) p + 4 * i;
		unsigned char b[3];

		/* The first bit of each byte is 0 in ASCII: that alone turns most of them down. */
		if (six[q[0]] & 0x20 || six[q[1]] & 0x08 || six[q[2]] & 0x02)
			return false;
		if (!quad(p + 4 * i, b) || !readable(b[0]) || !readable(b[1]) || !readable(b[2]))
			return false;
	}
	return true;
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
	for (size_t at = 0; at < 64 && at + 16 <= n; at++)
		if (base64_readable(text + start + at)) {
			*ret = (struct decode_cand) { DECODE_BASE64, { start + at, n - at } };
			return true;
		}
	return false;
}

/* Where in the 16 bytes at `p` the last one stands that is no run character, counted from 1; 0: there is none. */
static inline unsigned last_other(const char *p)
{
#ifdef __x86_64__
	const __m128i c = _mm_loadu_si128((const __m128i *) p), lower = _mm_or_si128(c, _mm_set1_epi8(0x20));
	const __m128i letter = _mm_sub_epi8(lower, _mm_set1_epi8('a')), digit = _mm_sub_epi8(c, _mm_set1_epi8('/'));
	__m128i in = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);

	in = _mm_or_si128(in, _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(10)), digit)); /* and the / before 0 */
	in = _mm_or_si128(in, _mm_cmpeq_epi8(c, _mm_set1_epi8('+')));
	in = _mm_or_si128(in, _mm_cmpeq_epi8(c, _mm_set1_epi8('-')));
	in = _mm_or_si128(in, _mm_cmpeq_epi8(c, _mm_set1_epi8('_')));
	unsigned other = ~(unsigned) _mm_movemask_epi8(in) & 0xffff;

	return other ? 32 - (unsigned) __builtin_clz(other) : 0;
#else
	for (unsigned i = 16; i > 0; i--)
		if (!run_char[(uint8_t) p[i - 1]])
			return i;
	return 0;
#endif
}

/* Readable bytes in base64 make small letters and capitals in any 24 characters (once in 2,000 they do not); else it is
 * all hex. Names and paths of one case are most of the long runs of a program. */
static bool may_be_encoded(const char *p)
{
	unsigned capitals = 0, small = 0, hex = 0;

	for (unsigned i = 0; i < DECODE_MIN; i++) {
		uint8_t c = (uint8_t) p[i], lower = c | 0x20;

		capitals += (uint8_t) (c - 'A') < 26;
		small += (uint8_t) (c - 'a') < 26;
		hex += (uint8_t) (c - '0') < 10 || (uint8_t) (lower - 'a') < 6;
	}
	return (capitals && small) || hex >= DECODE_MIN - 1; /* a letter may be glued to the front */
}

#ifdef __x86_64__
/* One bit for each of 32 bytes: a run character. */
__attribute__((target("avx2"))) static inline uint64_t in_run(const char *p)
{
	const __m256i c = _mm256_loadu_si256((const __m256i *) p), lower = _mm256_or_si256(c, _mm256_set1_epi8(0x20));
	const __m256i letter = _mm256_sub_epi8(lower, _mm256_set1_epi8('a')), digit = _mm256_sub_epi8(c, _mm256_set1_epi8('/'));
	__m256i in = _mm256_cmpeq_epi8(_mm256_min_epu8(letter, _mm256_set1_epi8(25)), letter);

	in = _mm256_or_si256(in, _mm256_cmpeq_epi8(_mm256_min_epu8(digit, _mm256_set1_epi8(10)), digit));
	in = _mm256_or_si256(in, _mm256_cmpeq_epi8(c, _mm256_set1_epi8('+')));
	in = _mm256_or_si256(in, _mm256_cmpeq_epi8(c, _mm256_set1_epi8('-')));
	in = _mm256_or_si256(in, _mm256_cmpeq_epi8(c, _mm256_set1_epi8('_')));
	return (uint32_t) _mm256_movemask_epi8(in);
}

/* Goes on from `at` towards `limit` past blocks of 64 bytes in which no run of DECODE_MIN begins that lies in `len`. Blocks do not depend on
 * each other, so the processor works on several at once; steps from word to word do. */
__attribute__((target("avx2"))) static size_t skip_words(const char *text, size_t len, size_t at, size_t limit)
{
	for (; at < limit && len - at >= 64 + 32; at += 64) {
		uint64_t m = in_run(text + at) | in_run(text + at + 32) << 32, next = in_run(text + at + 64);
		uint64_t two = m & (m >> 1 | next << 63), two_next = next & next >> 1;
		uint64_t four = two & (two >> 2 | two_next << 62), four_next = two_next & two_next >> 2;
		uint64_t eight = four & (four >> 4 | four_next << 60), eight_next = four_next & four_next >> 4;

		/* Eight, eight and eight behind each other are 24. */
		if (eight & (eight >> 8 | eight_next << 56) & (eight >> 16 | eight_next << 48))
			break;
	}
	return at;
}

static bool has_avx2;

__attribute__((constructor)) static void ask_processor(void)
{
	__builtin_cpu_init();
	has_avx2 = __builtin_cpu_supports("avx2") != 0;
}
#endif

static inline size_t skip(const char *text, size_t len, size_t at, size_t limit)
{
#ifdef __x86_64__
	return has_avx2 ? skip_words(text, len, at, limit) : at;
#else
	(void) text, (void) len, (void) limit;
	return at;
#endif
}

_Static_assert(DECODE_MIN == 24, "next_run() looks at 16 bytes and 16 that overlap them by 8");

/* The next run of DECODE_MIN characters. The end of where it would be is looked at first, so that words are skipped in
 * one step. */
static bool next_run(const char *text, size_t len, size_t limit, size_t *at, struct decode_cand *ret)
{
	size_t floor = *at, looked = floor;

	while (floor < limit && len - floor >= DECODE_MIN) {
		unsigned other;

		if (floor >= looked) { /* a block that holds a run is gone through in steps */
			floor = skip(text, len, floor, limit);
			looked = floor + 64;
			if (floor >= limit || len - floor < DECODE_MIN)
				break;
		}
		other = last_other(text + floor + 8);
		if (other) {
			floor += 8 + other;
			continue;
		}
		other = last_other(text + floor);
		if (other) {
			floor += other;
			continue;
		}
		if (!may_be_encoded(text + floor)) {
			floor += 8;
			continue;
		}
		*at = run_end(text, len, floor);
		if (judge_run(text, floor, *at, ret))
			return true;
		floor = PV_MAX(*at, floor + 1);
	}
	*at = limit;
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
	if (at->run < limit && next_run(text, len, limit, &at->run, ret))
		return true;
	at->run = limit;
	return next_url(text, len, limit, &at->url, ret);
}

size_t decode_start(const char *text, size_t at)
{
	size_t floor = at > DECODE_MAX ? at - DECODE_MAX : 0, start = at;

	for (;;) {
		while (start > floor && (run_char[(uint8_t) text[start - 1]] || url_char[(uint8_t) text[start - 1]]))
			start--;
		/* Over a line break only from one full line of a wrapped run to another. */
		at = start;
		while (at > floor && strchr(" \t\r\n", text[at - 1]) && text[at - 1])
			at--;
		if (at == start || at < floor + WRAP_MIN || !run_char[(uint8_t) text[at - WRAP_MIN]] ||
		    !run_char[(uint8_t) text[at - 1]])
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
	if (!c->outer.len || !(c->how == DECODE_URL || run_char[(uint8_t) text[c->outer.start]]))
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
