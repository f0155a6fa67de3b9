/* From bytes to lines: the first pass goes over a whole buffer and finds where literals of rules stand; only those lines are
 * decoded and judged. */
#include <string.h>

#include "logs/inside.h"

#define CHUNK	  (256u << 10)
#define PIECE_MIN 16384 /* Docker cuts what a container writes into pieces of this size (daemon/logger/copier.go) */

static const char *const docker_keys[] = { "log", "stream", "time" };

/* --- one line --- */

static int judge_text(struct logs_reader *r, struct line *l, logs_fn fn, void *arg)
{
	int e = line_scan(r, l);

	return e ? e : line_judge(r, l, fn, arg);
}

static bool has_escape(const char *text, size_t len)
{
	return memmem(text, len, "\x1b[", 2) || memmem(text, len, "#033[", 5);
}

static int judge_plain(struct logs_reader *r, struct line *l, logs_fn fn, void *arg)
{
	pv_buf_clear(&r->w->plain);
	frame_plain(l->text, l->len, &r->w->plain);
	l->text = pv_buf_str(&r->w->plain);
	l->len = r->w->plain.len;
	return judge_text(r, l, fn, arg);
}

static void trim(struct line *l)
{
	while (l->len && (l->text[l->len - 1] == '\n' || l->text[l->len - 1] == '\r'))
		l->len--;
}

/* A container's output, several lines of it where it was joined or holds newlines. */
static int judge_output(struct logs_reader *r, const struct line *at, const char *text, size_t len, logs_fn fn, void *arg)
{
	int e = 0;

	while (len && e == 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t) (nl - text) : len;
		struct line l = { .text = text, .len = n, .now_us = at->now_us, .time_us = at->time_us, .number = at->number, .id = r->w->ids };

		trim(&l);
		if (has_escape(l.text, l.len))
			e = judge_plain(r, &l, fn, arg);
		else
			e = judge_text(r, &l, fn, arg);
		n += nl != NULL;
		text += n;
		len -= n;
	}
	return e;
}

static bool joining(const struct logs_reader *r)
{
	return r->join[0].open || r->join[1].open;
}

/* A record of the json-file driver. One that is torn, or no record at all, says nothing. */
static int judge_docker(struct logs_reader *r, struct line *l, logs_fn fn, void *arg)
{
	struct json_value v[N_ELEMENTS(docker_keys)];
	struct join *j;
	int e;

	if (json_values(l->text, l->len, docker_keys, N_ELEMENTS(v), v) < 0 || !v[0].raw || !v[0].string)
		return 0;
	j = &r->join[v[1].len == 6 && memcmp(v[1].raw, "stderr", 6) == 0];
	if (v[2].raw)
		(void) log_time_read(&r->clock, v[2].raw, v[2].len, l->now_us, &l->time_us);
	pv_buf_clear(&r->w->decoded);
	json_decode(&r->w->decoded, &v[0]);
	if (!r->w->decoded.len || r->w->decoded.data[r->w->decoded.len - 1] != '\n') { /* goes on in the next record */
		j->open = true;
		pv_buf_add(&j->text, pv_buf_str(&r->w->decoded), r->w->decoded.len);
		return 0;
	}
	if (!j->open)
		return judge_output(r, l, r->w->decoded.data, r->w->decoded.len, fn, arg);
	pv_buf_add(&j->text, r->w->decoded.data, r->w->decoded.len);
	r->counts.cut += j->text.cut;
	e = judge_output(r, l, pv_buf_str(&j->text), j->text.len, fn, arg);
	j->open = false;
	pv_buf_done(&j->text);
	return e;
}

/* --- many lines --- */

struct pass {
	struct logs_reader *r;
	const char *text;
	size_t len;
	size_t start, end; /* of the line that was reached: [start, end), its newline at end */
	uint64_t line;	   /* its number */
	uint64_t escaped;  /* the last line with an escape sequence */
	bool full;	   /* no room for more: what follows is another pass */
};

static void next_line(struct pass *p)
{
	const char *nl;

	p->start = p->end + 1;
	nl = p->start < p->len ? memchr(p->text + p->start, '\n', p->len - p->start) : NULL;
	p->end = nl ? (size_t) (nl - p->text) : p->len;
	p->line++;
	p->r->w->serial++;
}

static void add_hit(struct pass *p, uint32_t rule)
{
	if (p->r->w->n_hits == HITS_MAX) {
		p->full = true;
		return;
	}
	p->r->w->hits[p->r->w->n_hits++] = (struct gate_hit){ .start = p->start, .line = p->line, .rule = rule };
}

/* Docker's long records may go on in the next one. */
static void look_at_line(struct pass *p)
{
	if (p->r->s.docker_json && p->end - p->start >= PIECE_MIN)
		add_hit(p, MATCH_ESCAPE);
}

static int on_gate(uint32_t rule, size_t end, void *user)
{
	struct pass *p = user;

	while (end > p->end && p->end < p->len) {
		next_line(p);
		look_at_line(p);
		if (p->full)
			return 1;
	}
	if (rule == MATCH_ESCAPE) {
		if (p->escaped == p->line)
			return 0;
		p->escaped = p->line;
	} else {
		if (!(p->r->may[rule] & MAY_TRY) || p->r->w->stamp[rule] == p->r->w->serial)
			return 0;
		p->r->w->stamp[rule] = p->r->w->serial;
	}
	add_hit(p, rule);
	return p->full;
}

static int judge_hits(struct logs_reader *r, struct line *l, const struct gate_hit *h, size_t n, logs_fn fn, void *arg)
{
	bool escape = false, through = n > 0 && !joining(r); /* a piece belongs to its line, whatever it says */

	for (size_t i = 0; i < n && through; i++)
		through = h[i].rule != MATCH_ESCAPE && (r->may[h[i].rule] & MAY_THROUGH);
	if (through && !line_through(r, l->text, l->len))
		return 0;
	r->counts.cut += l->len > LOG_LINE_MAX;
	l->len = PV_MIN(l->len, (size_t) LOG_LINE_MAX);
	trim(l);
	if (r->s.docker_json)
		return judge_docker(r, l, fn, arg);
	l->n_ids = 0;
	for (size_t i = 0; i < n; i++) {
		escape |= h[i].rule == MATCH_ESCAPE;
		if (h[i].rule != MATCH_ESCAPE)
			l->id[l->n_ids++] = h[i].rule;
	}
	if (escape && has_escape(l->text, l->len))
		return judge_plain(r, l, fn, arg);
	return line_judge(r, l, fn, arg);
}

static int judge_at(struct pass *p, size_t start, uint64_t number, const struct gate_hit *h, size_t n, uint64_t now_us, logs_fn fn,
		    void *arg)
{
	const char *nl = memchr(p->text + start, '\n', p->len - start);
	struct line l = { .text = p->text + start, .len = nl ? (size_t) (nl - p->text) - start : p->len - start, .now_us = now_us,
			  .number = number, .id = p->r->w->ids };

	return judge_hits(p->r, &l, h, n, fn, arg);
}

/* While a record of Docker's is in pieces, every line is looked at. */
static int judge_between(struct pass *p, size_t *pos, uint64_t *line, size_t until, uint64_t now_us, logs_fn fn, void *arg)
{
	int e = 0;

	while (e == 0 && joining(p->r) && *pos < until) {
		const char *nl = memchr(p->text + *pos, '\n', p->len - *pos);

		e = judge_at(p, *pos, ++*line, NULL, 0, now_us, fn, arg);
		*pos = nl ? (size_t) (nl - p->text) + 1 : p->len;
	}
	return e;
}

/* `until`: how far the lines were passed over. */
static int judge_pass(struct pass *p, size_t until, uint64_t now_us, logs_fn fn, void *arg)
{
	struct logs_reader *r = p->r;
	size_t pos = 0;
	uint64_t line = r->line;
	int e = 0;

	for (size_t i = 0, n; i < r->w->n_hits && e == 0; i += n) {
		const struct gate_hit *h = &r->w->hits[i];

		for (n = 1; i + n < r->w->n_hits && h[n].start == h->start; n++)
			;
		if (h->start >= until)
			break;
		e = judge_between(p, &pos, &line, h->start, now_us, fn, arg);
		if (e == 0 && pos <= h->start)
			e = judge_at(p, h->start, h->line, h, n, now_us, fn, arg);
		if (pos <= h->start) {
			const char *nl = memchr(p->text + h->start, '\n', p->len - h->start);

			pos = nl ? (size_t) (nl - p->text) + 1 : p->len;
			line = h->line;
		}
	}
	return e ? e : judge_between(p, &pos, &line, until, now_us, fn, arg);
}

/* Whole lines, or one without its end. *ret_done: bytes that were passed over, at least one line. */
static int pass(struct logs_reader *r, const char *text, size_t len, uint64_t now_us, logs_fn fn, void *arg, size_t *ret_done)
{
	const char *nl = memchr(text, '\n', len);
	struct pass p = { .r = r, .text = text, .len = len, .end = nl ? (size_t) (nl - text) : len, .line = r->line + 1 };
	size_t until = len;
	int e;

	r->w->n_hits = 0;
	r->w->serial++;
	look_at_line(&p);
	e = match_gates(r->l->set, r->w->scratch, text, len, on_gate, &p);
	if (e < 0)
		return e;
	if (p.full && p.start) { /* the line that was reached is begun again */
		until = p.start;
		p.line--;
	} else {
		while (p.end + 1 < len) {
			next_line(&p);
			look_at_line(&p);
		}
	}
	e = judge_pass(&p, until, now_us, fn, arg);
	r->counts.lines += p.line - r->line;
	r->line = p.line;
	*ret_done = until;
	return e;
}

static int passes(struct logs_reader *r, const char *buf, size_t len, uint64_t now_us, logs_fn fn, void *arg)
{
	while (len) {
		size_t n = len, done = 0;
		const char *nl;
		int e;

		if (n > CHUNK) {
			nl = memrchr(buf, '\n', CHUNK);
			if (!nl)
				nl = memchr(buf + CHUNK, '\n', len - CHUNK);
			n = nl ? (size_t) (nl - buf) + 1 : len;
		}
		e = pass(r, buf, n, now_us, fn, arg, &done);
		if (e)
			return e;
		buf += done;
		len -= done;
	}
	return 0;
}

int logs_lines(struct logs_reader *r, const char *buf, size_t len, uint64_t time_us, logs_fn fn, void *arg, size_t *ret_used)
{
	const char *from = buf, *last;
	int e = 0;

	*ret_used = 0;
	if (r->skipping) {
		const char *nl = memchr(buf, '\n', len);

		if (!nl) {
			*ret_used = len;
			return 0;
		}
		r->skipping = false;
		from = nl + 1;
	}
	last = memrchr(from, '\n', (size_t) (buf + len - from));
	if (last) {
		e = passes(r, from, (size_t) (last + 1 - from), time_us, fn, arg);
		from = last + 1;
	}
	if (e == 0 && (size_t) (buf + len - from) >= LOG_LINE_MAX) {
		e = passes(r, from, LOG_LINE_MAX, time_us, fn, arg);
		r->counts.cut++;
		r->skipping = true;
		from = buf + len;
	}
	*ret_used = (size_t) (from - buf);
	return e;
}

int logs_end(struct logs_reader *r, const char *buf, size_t len, uint64_t time_us, logs_fn fn, void *arg)
{
	if (r->skipping || !len) {
		r->skipping = false;
		return 0;
	}
	return passes(r, buf, len, time_us, fn, arg);
}

int logs_record(struct logs_reader *r, const struct log_record *rec, logs_fn fn, void *arg)
{
	struct line l = { .text = rec->text, .len = PV_MIN(rec->len, (size_t) LOG_LINE_MAX), .now_us = rec->time_us, .number = rec->line,
			  .id = r->w->ids };

	r->counts.lines++;
	r->counts.cut += rec->len >= LOG_LINE_MAX; /* one that came in pieces was cut before */
	trim(&l);
	if (r->s.docker_json)
		return judge_docker(r, &l, fn, arg);
	if (r->s.kind == LOG_JOURNAL)
		l.journal = rec;
	if (r->s.kind == LOG_JOURNAL || r->s.kind == LOG_CONTAINER) /* a container has a time zone of its own */
		l.time_us = rec->time_us;
	return has_escape(l.text, l.len) ? judge_plain(r, &l, fn, arg) : judge_text(r, &l, fn, arg);
}

struct logs_counts logs_reader_counts(const struct logs_reader *r)
{
	struct logs_counts c = r->counts;

	c.gave_up = match_scratch_gave_up(r->w->scratch);
	return c;
}

int logs_try(struct logs_reader *r, const struct log_record *rec, logs_trial_fn fn, void *arg)
{
	int e;

	r->trial = fn;
	r->trial_arg = arg;
	e = logs_record(r, rec, NULL, NULL);
	r->trial = NULL;
	return e;
}

bool logs_time(struct logs_reader *r, const char *line, size_t len, uint64_t now_us, uint64_t *ret_us)
{
	struct json_value v = { 0 };
	struct frame f;

	if (r->s.docker_json)
		return json_values(line, len, &docker_keys[2], 1, &v) == 0 && v.raw &&
		       log_time_read(&r->clock, v.raw, v.len, now_us, ret_us) != 0;
	frame_read(&r->clock, line, len, now_us, &f);
	if (f.time_us)
		*ret_us = f.time_us;
	return f.time_us != 0;
}
