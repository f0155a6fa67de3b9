#include "logs/frame.h"

#include <string.h>

#define TAG_MAX	   64
#define REPEAT_MAX 50

struct span {
	const char *p, *end;
};

static bool word(struct span *s, const char **ret, size_t *ret_len)
{
	const char *from = s->p, *q = from < s->end ? memchr(from, ' ', (size_t) (s->end - from)) : NULL;

	if (!q || q == from)
		return false;
	*ret = from;
	*ret_len = (size_t) (q - from);
	s->p = q + 1;
	return true;
}

static void skip_blanks(struct span *s)
{
	while (s->p < s->end && *s->p == ' ')
		s->p++;
}

static bool tag_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_-./@", c));
}

static bool number(const char *p, const char *end, uint32_t *ret)
{
	uint64_t v = 0;

	if (p == end || end - p > 10)
		return false;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		v = v * 10 + (uint64_t) (*p - '0');
	}
	*ret = (uint32_t) v;
	return v <= UINT32_MAX;
}

/* `sshd[4242]: `, `sshd: `; with boxes `[sshd]: `, `[sshd] `; `dovecot: imap-login: ` (the first), `auth-worker(57065): `. */
static bool read_tag(struct span *s, bool boxes, struct frame *f)
{
	const char *p = s->p, *tag;
	bool box = p < s->end && *p == '[';
	uint32_t pid = 0;
	size_t n;

	p += box;
	for (tag = p; p < s->end && tag_char(*p) && p - tag < TAG_MAX; p++)
		;
	n = (size_t) (p - tag);
	if (!n || p == s->end || (box && !boxes))
		return false;
	if (box) {
		if (*p++ != ']')
			return false;
	} else if (*p == '[' || *p == '(') {
		const char *close = memchr(p, *p == '[' ? ']' : ')', (size_t) PV_MIN(s->end - p, 14));

		if (!close || !number(p + 1, close, &pid))
			return false;
		p = close + 1;
	}
	if (p < s->end && *p == ':')
		p++;
	else if (!box)
		return false;
	if (p < s->end && *p != ' ')
		return false;
	f->tag = tag;
	f->tag_len = n;
	f->pid = pid;
	f->framed = true;
	s->p = p + (p < s->end);
	return true;
}

/* What some systems put between tag and message: Solaris' [ID 800047 auth.info], the kernel's clock. */
static void skip_marks(struct span *s)
{
	const char *q;

	if (s->end - s->p > 4 && memcmp(s->p, "[ID ", 4) == 0 && (q = memchr(s->p, ']', (size_t) (s->end - s->p))))
		s->p = q + 1;
	skip_blanks(s);
	if (s->end - s->p > 8 && memcmp(s->p, "kernel:", 7) == 0) {
		struct span at = { s->p + 7, s->end };

		skip_blanks(&at);
		if (at.p < at.end && *at.p == '[' && (q = memchr(at.p, ']', (size_t) PV_MIN(at.end - at.p, 24)))) {
			at.p = q + 1;
			at.p += at.p < at.end && *at.p == ':';
			skip_blanks(&at);
			s->p = at.p;
		}
	}
}

/* Version, time, host, program, pid, message id, structured data (RFC 5424, 6). */
static bool rfc5424(struct span s, struct log_clock *c, uint64_t now_us, struct frame *f)
{
	const char *w;
	size_t n;

	if (s.end - s.p < 2 || s.p[0] != '1' || s.p[1] != ' ')
		return false;
	s.p += 2;
	if (!word(&s, &w, &n))
		return false;
	if (!(n == 1 && *w == '-') && log_time_read(c, w, n, now_us, &f->time_us) != n)
		return false;
	if (!word(&s, &w, &n) || !word(&s, &f->tag, &f->tag_len) || !word(&s, &w, &n))
		return false;
	(void) number(w, w + n, &f->pid);
	if (!word(&s, &w, &n))
		return false;
	if (s.p < s.end && *s.p == '-')
		s.p++;
	else
		while (s.p < s.end && *s.p == '[') { /* a value ends at a `]` that no backslash precedes */
			while (s.p < s.end && *s.p != ']')
				s.p += *s.p == '\\' && s.p + 1 < s.end ? 2 : 1;
			s.p += s.p < s.end;
		}
	skip_blanks(&s);
	if (s.end - s.p >= 3 && memcmp(s.p, "\xef\xbb\xbf", 3) == 0)
		s.p += 3;
	f->framed = f->tag_len != 1 || *f->tag != '-';
	f->msg = s.p;
	f->len = (size_t) (s.end - s.p);
	return true;
}

/* rsyslog's $RepeatedMsgReduction. */
static void repeated(struct frame *f)
{
	static const char start[] = "message repeated ";
	const char *p = f->msg + sizeof(start) - 1, *end = f->msg + f->len, *q;
	uint32_t n;

	if (f->len < 32 || memcmp(f->msg, start, sizeof(start) - 1) != 0 || end[-1] != ']')
		return;
	q = memchr(p, ' ', (size_t) PV_MIN(end - p, 12));
	if (!q || !number(p, q, &n) || end - q < 11 || memcmp(q, " times: [ ", 10) != 0)
		return;
	f->msg = q + 10;
	f->len = (size_t) (end - 1 - f->msg);
	f->times = PV_MIN(PV_MAX(n, 1u), (unsigned) REPEAT_MAX);
}

/* Programs that log to syslog with a time of their own (nginx, mysqld, exim). The header's time counts. */
static void own_time(struct log_clock *c, uint64_t now_us, struct frame *f)
{
	struct log_clock copy = *c;
	uint64_t unused;
	size_t n = f->framed ? log_time_read(&copy, f->msg, f->len, now_us, &unused) : 0;

	if (n > 8 && n < f->len && f->msg[n] == ' ') {
		f->msg += n + 1;
		f->len -= n + 1;
	}
}

static bool brackets(struct span *s, struct log_clock *c, uint64_t now_us, struct frame *f)
{
	size_t n;

	if (s->p == s->end || *s->p != '[')
		return false;
	n = log_time_read(c, s->p + 1, (size_t) (s->end - s->p) - 1, now_us, &f->time_us);
	if (!n || s->p + 1 + n == s->end || s->p[1 + n] != ']')
		return false;
	s->p += n + 2;
	return true;
}

static bool is_host(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!tag_char(p[i]) && p[i] != ':')
			return false;
	return n <= 255;
}

/* HOST TAG[pid]: without a time: as journal exports and some forwarders write. */
static bool bare_host(struct span *s, struct frame *f)
{
	struct span at = *s;
	const char *host;
	size_t n;

	return word(&at, &host, &n) && is_host(host, n) && read_tag(&at, false, f) && f->pid && (*s = at, true);
}

enum header { HEADER_NONE, HEADER_PID, HEADER_ANY };

/* What may follow a time: a program's own log (nginx, MariaDB, OpenVPN) writes a level or a message, syslog a host and a tag. */
static enum header header_after(const char *time, size_t n)
{
	if (time[0] == '@')
		return HEADER_ANY;
	if (time[0] >= 'A' && time[0] <= 'Z') /* ctime(3) ends with the year */
		return n > 20 && time[n - 5] == ' ' ? HEADER_NONE : HEADER_ANY;
	if (n >= 19 && time[4] == '-')
		return time[10] == 'T' ? HEADER_ANY : HEADER_PID;
	return HEADER_NONE;
}

static void header(struct span *s, enum header kind, bool boxes, struct frame *f)
{
	struct span at = *s;
	struct frame got = *f;
	const char *host;
	size_t n;

	if (kind == HEADER_NONE ||
	    (!read_tag(&at, boxes, &got) && !(word(&at, &host, &n) && is_host(host, n) && read_tag(&at, boxes, &got))))
		return;
	if (kind == HEADER_PID && !got.pid)
		return;
	*f = got;
	*s = at;
	skip_marks(s);
}

void frame_read(struct log_clock *c, const char *line, size_t len, uint64_t now_us, struct frame *ret)
{
	struct span s = { line, line + len };
	struct frame f = { .times = 1 }, got = f;
	size_t n;

	if (len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
		s.p += 3;
	if (s.p < s.end && *s.p == '<') { /* <PRI> */
		const char *q = memchr(s.p, '>', (size_t) PV_MIN(s.end - s.p, 5));
		uint32_t pri;

		if (q && number(s.p + 1, q, &pri)) {
			s.p = q + 1;
			if (rfc5424(s, c, now_us, &f)) {
				repeated(&f);
				own_time(c, now_us, &f);
				*ret = f;
				return;
			}
		}
	}
	if (brackets(&s, c, now_us, &f)) { /* a time of the program's own: no syslog header follows */
		skip_blanks(&s);
	} else if ((n = log_time_read(c, s.p, (size_t) (s.end - s.p), now_us, &f.time_us))) {
		const char *time = s.p;

		s.p += n;
		if (s.p < s.end && *s.p == ':') {
			s.p++;
			skip_blanks(&s);
		} else {
			skip_blanks(&s);
			header(&s, header_after(time, n), *time >= 'A' && *time <= 'Z', &f);
		}
	} else if (bare_host(&s, &got)) {
		f = got;
		skip_marks(&s);
	}
	f.msg = s.p;
	f.len = (size_t) (s.end - s.p);
	if (f.framed)
		repeated(&f);
	own_time(c, now_us, &f);
	*ret = f;
}

void frame_plain(const char *line, size_t len, struct pv_buf *out)
{
	const char *p = line, *end = line + len;

	while (p < end) {
		const char *from = p;
		size_t n = 0;

		for (; p < end && !n; p += !n)
			n = *p == 0x1b ? 1 : end - p >= 4 && memcmp(p, "#033", 4) == 0 ? 4 : 0;
		pv_buf_add(out, from, (size_t) (p - from));
		if (!n)
			return;
		if (p + n < end && p[n] == '[') { /* CSI: parameters, intermediates, one final byte */
			p += n + 1;
			while (p < end && *p >= 0x20 && *p < 0x40)
				p++;
			p += p < end && *p >= 0x40 && *p < 0x7f;
		} else if (n == 4) {
			pv_buf_add(out, p, n);
			p += n;
		} else {
			p++;
		}
	}
}
