#include "engine_api/log_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

#define HEAD	 8
#define STAMP	 40 /* bytes of a time at most: 2026-11-21T19:00:00.123456789+01:00 has 35 */
#define NSEC	 1000000000u
#define LATE_SEC 60
#define WORD	 "api "

enum state { AT_FIRST, AT_HEAD, AT_STAMP, AT_TEXT };

struct log_stream {
	enum state state;
	bool raw; /* a terminal's: no frames */
	uint8_t head[HEAD];
	size_t n_head;
	uint32_t left;	  /* bytes of the frame */
	unsigned current; /* 2: passed over */
	char stamp[STAMP];
	size_t n_stamp;
	struct part {
		struct pv_buf text;
		uint64_t ns; /* 0: not told; the line is passed over */
		bool begun;  /* its first piece was read */
	} part[2];
};

int log_stream_new(struct log_stream **ret)
{
	struct log_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < N_ELEMENTS(s->part); i++)
		s->part[i].text.cap = LOG_LINE_MAX;
	*ret = s;
	return 0;
}

struct log_stream *log_stream_free(struct log_stream *s)
{
	for (size_t i = 0; s && i < N_ELEMENTS(s->part); i++)
		pv_buf_done(&s->part[i].text);
	free(s);
	return NULL;
}

/* --- times --- */

/* `n` digits; false: something else stands there. */
static bool digits(const char **at, const char *end, unsigned n, unsigned *ret)
{
	unsigned v = 0;

	for (; n; n--, ++*at) {
		if (*at == end || **at < '0' || **at > '9')
			return false;
		v = v * 10 + (unsigned) (**at - '0');
	}
	*ret = v;
	return true;
}

static bool sign(const char **at, const char *end, char c)
{
	return *at < end && *(*at)++ == c;
}

/* "Z", "+01:00"; seconds east of UTC. */
static bool zone(const char *at, const char *end, int *ret)
{
	unsigned h, m;
	bool west;

	*ret = 0;
	if (end - at == 1 && *at == 'Z')
		return true;
	if (end - at != 6 || (*at != '+' && *at != '-'))
		return false;
	west = *at++ == '-';
	if (!digits(&at, end, 2, &h) || !sign(&at, end, ':') || !digits(&at, end, 2, &m) || h > 23 || m > 59)
		return false;
	*ret = (int) (h * 3600 + m * 60) * (west ? -1 : 1);
	return true;
}

static unsigned fraction(const char **at, const char *end)
{
	unsigned ns = 0, digit = NSEC / 10;

	for (; *at < end && **at >= '0' && **at <= '9'; ++*at, digit /= 10)
		ns += (unsigned) (**at - '0') * digit;
	return ns;
}

/* RFC 3339. 0: no time, or none of this age. */
static uint64_t stamp_ns(const char *s, size_t len)
{
	const char *end = s + len;
	unsigned y, mon, d, h, m, sec, ns = 0;
	struct tm tm;
	time_t t;
	int east;

	if (!digits(&s, end, 4, &y) || !sign(&s, end, '-') || !digits(&s, end, 2, &mon) || !sign(&s, end, '-') ||
	    !digits(&s, end, 2, &d) || !sign(&s, end, 'T') || !digits(&s, end, 2, &h) || !sign(&s, end, ':') ||
	    !digits(&s, end, 2, &m) || !sign(&s, end, ':') || !digits(&s, end, 2, &sec))
		return 0;
	if (y < 1970 || y > 2105 || mon < 1 || mon > 12 || d < 1 || d > 31 || h > 23 || m > 59 || sec > 60)
		return 0;
	if (s < end && *s == '.') {
		s++;
		ns = fraction(&s, end);
	}
	if (!zone(s, end, &east))
		return 0;
	tm = (struct tm){ .tm_year = (int) y - 1900,
			  .tm_mon = (int) mon - 1,
			  .tm_mday = (int) d,
			  .tm_hour = (int) h,
			  .tm_min = (int) m,
			  .tm_sec = (int) sec };
	t = timegm(&tm) - east;
	return t < 0 ? 0 : (uint64_t) t * NSEC + ns;
}

/* --- text --- */

static void add(struct part *p, const char *data, size_t len)
{
	pv_buf_add(&p->text, data, PV_MIN(len, (size_t) LOG_LINE_MAX - p->text.len));
}

static int line_end(struct log_stream *s, log_stream_fn fn, void *arg)
{
	struct part *p = &s->part[s->current];
	struct log_stream_line line = { .stream = s->current, .text = pv_buf_str(&p->text), .len = p->text.len, .ns = p->ns };
	int r = p->text.cut ? -ENOMEM : p->ns ? fn(&line, arg) : 0;

	pv_buf_done(&p->text); /* a long one is not kept for each container */
	p->begun = false;
	return r;
}

/* The time is read, or there is none. That of a line's further pieces is not needed. */
static void text_begins(struct log_stream *s)
{
	struct part *p = &s->part[s->current];

	if (!p->begun)
		p->ns = stamp_ns(s->stamp, s->n_stamp);
	p->begun = true;
	s->n_stamp = 0;
	s->state = AT_TEXT;
}

/* Returns how much it used. */
static size_t feed_stamp(struct log_stream *s, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == ' ') {
			text_begins(s);
			return i + 1;
		}
		if (data[i] == '\n' || s->n_stamp == STAMP) { /* no time: this line is passed over */
			s->n_stamp = 0;
			text_begins(s);
			return i;
		}
		s->stamp[s->n_stamp++] = data[i];
	}
	return len;
}

static int feed_text(struct log_stream *s, const char *data, size_t len, log_stream_fn fn, void *arg, size_t *ret_used)
{
	const char *lf = memchr(data, '\n', len);
	size_t n = lf ? (size_t) (lf - data) : len;

	add(&s->part[s->current], data, n);
	*ret_used = lf ? n + 1 : n;
	if (!lf)
		return 0;
	if (s->raw)
		s->state = AT_STAMP;
	return line_end(s, fn, arg);
}

static int on_head(struct log_stream *s)
{
	const uint8_t *h = s->head;

	if (h[0] > 3 || h[1] || h[2] || h[3])
		return -EBADMSG;
	s->current = h[0] == 3 ? 2 : h[0] == 2;
	s->left = (uint32_t) h[4] << 24 | (uint32_t) h[5] << 16 | (uint32_t) h[6] << 8 | h[7];
	s->n_head = s->n_stamp = 0;
	s->state = s->left ? AT_STAMP : AT_HEAD;
	return 0;
}

/* Some of what stands at `data`, or the state changes. */
static int feed_some(struct log_stream *s, const char *data, size_t len, log_stream_fn fn, void *arg, size_t *ret_used)
{
	int r = 0;

	if (s->state == AT_FIRST) { /* a time begins with a digit */
		s->raw = (uint8_t) *data > 3;
		s->state = s->raw ? AT_STAMP : AT_HEAD;
	}
	if (s->state == AT_HEAD) {
		s->head[s->n_head++] = (uint8_t) *data;
		*ret_used = 1;
		return s->n_head == HEAD ? on_head(s) : 0;
	}
	if (!s->raw)
		len = PV_MIN(len, (size_t) s->left);
	*ret_used = len;
	if (s->current == 2)
		;
	else if (s->state == AT_STAMP)
		*ret_used = feed_stamp(s, data, len);
	else
		r = feed_text(s, data, len, fn, arg, ret_used);
	if (s->raw)
		return r;
	s->left -= (uint32_t) *ret_used;
	if (!s->left)
		s->state = AT_HEAD;
	return r;
}

int log_stream_feed(struct log_stream *s, const char *data, size_t len, log_stream_fn fn, void *arg)
{
	size_t used;
	int r;

	for (; len; data += used, len -= used) {
		r = feed_some(s, data, len, fn, arg, &used);
		if (r)
			return r;
	}
	return 0;
}

/* --- the place --- */

void log_place_begin(struct log_place_in *p, uint64_t ns)
{
	memset(p, 0, sizeof(*p));
	p->at[0].ns = p->at[1].ns = ns;
}

void log_place_again(struct log_place_in *p)
{
	for (size_t i = 0; i < N_ELEMENTS(p->at); i++) {
		p->at[i].again = 0;
		p->at[i].past = false;
	}
}

bool log_place_take(struct log_place_in *p, const struct log_stream_line *line)
{
	const size_t i = line->stream & 1;

	if (!p->at[i].past) {
		if (line->ns < p->at[i].ns)
			return false;
		if (line->ns == p->at[i].ns && p->at[i].again < p->at[i].n) {
			p->at[i].again++;
			p->at[i].past = p->at[i].again == p->at[i].n; /* from here on the clock may even be set back */
			return false;
		}
		p->at[i].past = true;
	}
	p->at[i].n = line->ns == p->at[i].ns ? p->at[i].n + 1 : 1;
	p->at[i].ns = line->ns;
	return true;
}

uint32_t log_place_since(const struct log_place_in *p)
{
	uint64_t sec = PV_MAX(p->at[0].ns, p->at[1].ns) / NSEC;

	return sec <= LATE_SEC ? 0 : (uint32_t) PV_MIN(sec - LATE_SEC, (uint64_t) UINT32_MAX);
}

void log_place_save(const struct log_place_in *p, struct pv_buf *out)
{
	pv_buf_printf(out, WORD "%" PRIu64 " %u %" PRIu64 " %u", p->at[0].ns, p->at[0].n, p->at[1].ns, p->at[1].n);
}

int log_place_restore(struct log_place_in *p, const char *text)
{
	uint64_t v[4];
	char word[24];

	if (strncmp(text, WORD, strlen(WORD)) != 0)
		return -EBADMSG;
	text += strlen(WORD);
	for (size_t i = 0; i < N_ELEMENTS(v); i++) {
		size_t n = strcspn(text, " ");

		if (n >= sizeof(word) || (i < 3) != (text[n] == ' '))
			return -EBADMSG;
		memcpy(word, text, n);
		word[n] = '\0';
		if (parse_u64(word, &v[i]) < 0)
			return -EBADMSG;
		text += n + (i < 3);
	}
	if (v[1] > UINT32_MAX || v[3] > UINT32_MAX)
		return -EBADMSG;
	memset(p, 0, sizeof(*p));
	p->at[0].ns = v[0];
	p->at[0].n = (uint32_t) v[1];
	p->at[1].ns = v[2];
	p->at[1].n = (uint32_t) v[3];
	return 0;
}
