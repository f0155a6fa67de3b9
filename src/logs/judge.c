/* One line against the rules whose literals stand in it. */
#include <string.h>

#include "base/text.h"
#include "logs/inside.h"

#define WORD_MAX  128
#define COUNT_MAX 50
#define THROUGH_WITHIN 160

struct judge {
	struct logs_reader *r;
	struct line *l;
	struct frame f;
	uint64_t time_us;
	logs_fn fn;
	void *arg;
	bool framed;  /* f and time_us are known */
	bool through; /* the address may be one that was refused */
	unsigned done; /* 1 << ID: an event of this id was made */
};

struct found {
	const struct rule *rule;
	struct match_hit hit;
	struct rule_span more[MATCH_MORE_N];
	const char *text; /* what the spans point into */
	size_t base;	  /* text's place in the line; spans of `fields` have none */
	bool composed;
};

static int on_gate(uint32_t index, size_t end, void *user)
{
	struct {
		struct logs_reader *r;
		struct line *l;
	} *c = user;

	(void) end;
	if (index == MATCH_ESCAPE || !(c->r->may[index] & MAY_TRY) || c->r->w->stamp[index] == c->r->w->serial)
		return 0;
	c->r->w->stamp[index] = c->r->w->serial;
	c->l->id[c->l->n_ids++] = index;
	return 0;
}

int line_scan(struct logs_reader *r, struct line *l)
{
	struct {
		struct logs_reader *r;
		struct line *l;
	} c = { r, l };

	l->n_ids = 0;
	r->w->serial++;
	return match_gates(r->l->set, r->w->scratch, l->text, l->len, on_gate, &c);
}

static bool listed(const struct rule_words *w, const char *s, size_t len)
{
	char word[WORD_MAX];

	if (len >= sizeof(word) || memchr(s, '\0', len))
		return false;
	memcpy(word, s, len);
	word[len] = '\0';
	for (size_t i = 0; i < w->n; i++)
		if (glob_match(w->word[i], word))
			return true;
	return false;
}

/* NULL: it may be tried. Else why not. */
static const char *why_not(const struct judge *j, const struct rule *rule, uint8_t may)
{
	const struct log_record *rec = j->l->journal;
	bool named = rule->when.program.n != 0;

	if (rule->kind != RULE_LOG || rule->tells != RULE_LOGIN)
		return NULL;
	if (rec && (rule->when.unit.n || rule->when.has_uid || rule->when.transport.n)) {
		if (rule->when.unit.n && (!rec->unit || !listed(&rule->when.unit, rec->unit, strlen(rec->unit))) && !(may & TRUSTED))
			return "the record comes from another unit than the rule names";
		if (rule->when.has_uid && (!rec->has_uid || rec->uid != rule->when.uid))
			return "the record was written by another user than the rule names";
		if (rule->when.transport.n && (!rec->transport || !listed(&rule->when.transport, rec->transport, strlen(rec->transport))))
			return "the record came another way into the journal than the rule names";
	}
	if (!named)
		return NULL;
	if (j->f.framed)
		return listed(&rule->when.program, j->f.tag, j->f.tag_len) ? NULL : "the line was written by another program";
	if (listed(&rule->when.program, "-", 1) || ((may & TRUSTED) && j->r->s.kind != LOG_JOURNAL && j->r->s.kind != LOG_SYSLOG))
		return NULL;
	return "the line does not say which program wrote it, and the source is not known to be this service's";
}

/* The values of a JSON line's keys, joined by tabs. Control characters in them become `?`, so that a value is no border. */
static bool compose(struct logs_reader *r, const struct rule *rule, const char *msg, size_t len)
{
	struct json_value v[16];

	pv_buf_clear(&r->w->fields);
	if (!len || *msg != '{' || rule->json_keys.n > N_ELEMENTS(v) ||
	    json_values(msg, len, rule->json_keys.word, rule->json_keys.n, v) < 0)
		return false;
	for (size_t i = 0; i < rule->json_keys.n; i++) {
		size_t from;

		if (i)
			pv_buf_putc(&r->w->fields, '\t');
		from = r->w->fields.len;
		json_decode(&r->w->fields, &v[i]);
		for (size_t k = from; k < r->w->fields.len; k++)
			if ((unsigned char) r->w->fields.data[k] < 0x20)
				r->w->fields.data[k] = '?';
	}
	return true;
}

static bool holds(const struct line *l, const struct rule_words *w)
{
	for (size_t i = 0; i < w->n; i++) {
		const char *word = w->word[i];

		if (word[1] ? !memmem(l->text, l->len, word, strlen(word)) : !memchr(l->text, *word, l->len))
			return false;
	}
	return true;
}

/* 1: it matches. */
static int confirm(struct judge *j, uint32_t index, const struct rule *rule, struct found *f)
{
	const char *text = j->l->text;
	size_t len = j->l->len;

	*f = (struct found){ .rule = rule };
	if (rule->kind == RULE_LOG && rule->from == RULE_FROM_JSON) {
		if (!compose(j->r, rule, j->f.msg, j->f.len))
			return 0;
		text = pv_buf_str(&j->r->w->fields);
		len = j->r->w->fields.len;
		f->composed = true;
	} else if (rule->kind == RULE_LOG && rule->from != RULE_FROM_PART) {
		text = j->f.msg;
		len = j->f.len;
	}
	f->text = text;
	f->base = f->composed ? 0 : (size_t) (text - j->l->text);
	return match_confirm(j->r->l->set, j->r->w->scratch, index, text, len, 0, &f->hit, f->more);
}

static const char *at(const struct found *f, struct rule_span s)
{
	return f->text + s.start;
}

static bool is(const struct found *f, struct rule_span s, const char *word)
{
	return s.len == strlen(word) && memcmp(at(f, s), word, s.len) == 0;
}

/* The address: the one at its place, or, where that is a declared proxy, the one that the proxy vouches for. */
static void find_address(const struct judge *j, const struct found *f, struct log_event *e)
{
	static const struct ip_addr none = { { 0 } };
	const struct log_source *s = &j->r->s;
	struct ip_addr a;

	if (!f->hit.address.len || !address_read(at(f, f->hit.address), f->hit.address.len, &a))
		return;
	if (address_listed(&a, s->proxies, s->n_proxies)) {
		struct rule_span fw = f->more[MATCH_FORWARDED];

		if (!fw.len || !address_forwarded(at(f, fw), fw.len, s->proxies, s->n_proxies, &a))
			return;
	}
	if (memcmp(&a, &none, sizeof(a)) == 0)
		return;
	e->address = a;
	e->has_address = true;
}

static enum log_strength strength_of(const struct rule *rule)
{
	static const enum log_strength of[] = { [RULE_WEAK] = LOG_WEAK, [RULE_STRONG] = LOG_STRONG, [RULE_NEUTRAL] = LOG_NEUTRAL,
						[RULE_ACCEPTED] = LOG_ACCEPTED, [RULE_THROUGH] = LOG_ACCEPTED };

	return of[rule->strength];
}

/* False: no event comes of it. */
static bool web(const struct judge *j, const struct found *f, struct log_event *e)
{
	struct rule_span path = f->more[MATCH_PATH], status = f->more[MATCH_STATUS];
	struct logs_reader *r = j->r;

	if (!path.len || !e->has_address)
		return f->rule->strength != RULE_THROUGH;
	if (f->rule->strength == RULE_THROUGH)
		return r->weak && weak_through(r->weak, &e->address, at(f, path), path.len, e->time_us);
	if (f->rule->strength != RULE_WEAK)
		return true;
	if (is(f, f->more[MATCH_METHOD], "POST") && path_is_login(&r->s, at(f, path), path.len))
		e->strength = LOG_STRONG;
	else if (is(f, status, "403"))
		return false;
	if (r->weak || weak_new(&r->weak) == 0)
		weak_note(r->weak, &e->address, at(f, f->hit.address), f->hit.address.len, at(f, path), path.len, e->time_us);
	return true;
}

static uint64_t hash_bytes(const char *s, size_t len, uint64_t h)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char) s[i]) * 0x100000001b3ULL;
	return attempt_mix(h, len);
}

/* The lines of one attempt: the same session, else the same process, and the same address. */
static uint64_t attempt_key(const struct judge *j, const struct found *f, const struct log_event *e)
{
	uint64_t h = hash_bytes(f->rule->family, strlen(f->rule->family), j->r->l->seed);

	if (f->more[MATCH_SESSION].len)
		h = hash_bytes(at(f, f->more[MATCH_SESSION]), f->more[MATCH_SESSION].len, h);
	else if (!f->rule->join_address)
		h = attempt_mix(h, j->f.pid);
	return e->has_address ? hash_bytes((const char *) e->address.b, sizeof(e->address.b), h) :
				hash_bytes(e->user, strlen(e->user), h);
}

static unsigned times_of(const struct judge *j, const struct found *f)
{
	struct rule_span s = f->more[MATCH_COUNT];
	unsigned n = 0;

	for (size_t i = 0; i < s.len && i < 4; i++)
		n = n * 10 + (unsigned) (at(f, s)[i] - '0');
	n = PV_MAX(n, 1u) * j->f.times;
	return PV_MIN(n, (unsigned) COUNT_MAX);
}

static int tell(struct judge *j, struct log_event *e)
{
	j->r->counts.events++;
	j->done |= 1u << (e->id - ID_LOGS_AUTH_FAILURE);
	return j->fn ? j->fn(e, j->arg) : 0;
}

static int tell_attempts(struct judge *j, const struct found *f, struct log_event *e)
{
	unsigned n = times_of(j, f);
	int r = 0;

	if (f->rule->phase != RULE_PHASE_NONE && !j->r->attempts && attempts_new(&j->r->attempts) < 0)
		return -ENOMEM;
	for (unsigned i = 0; i < n && r == 0; i++) {
		if (f->rule->phase != RULE_PHASE_NONE)
			e->attempt = attempts_next(j->r->attempts, attempt_key(j, f, e), f->rule->phase, e->time_us);
		r = tell(j, e);
	}
	return r;
}

static enum id id_of(const struct rule *rule)
{
	static const enum id of[] = { [RULE_LOGIN] = ID_LOGS_AUTH_FAILURE, [RULE_MINER] = ID_LOGS_MINER, [RULE_ERROR] = ID_LOGS_ERROR,
				      [RULE_PROBE] = ID_LOGS_PROBE };

	return rule->kind == RULE_LOG ? of[rule->tells] : ID_LOGS_SECRET;
}

static void fill(const struct judge *j, const struct found *f, uint8_t may, struct log_event *e)
{
	size_t n = PV_MIN(f->hit.user.len, (size_t) LOG_USER_MAX - 1);

	*e = (struct log_event){ .id = id_of(f->rule), .severity = f->hit.severity, .service = f->rule->family, .rule = f->rule->id,
				 .time_us = j->time_us, .source = j->r->s.name, .line = j->l->number,
				 .text = j->l->text, .text_len = j->l->len, .to = j->l->len };
	if (!f->composed) {
		e->from = f->base + f->hit.secret.start;
		e->to = e->from + f->hit.secret.len;
	}
	if (n) {
		memcpy(e->user, at(f, f->hit.user), n);
		for (size_t i = 0; i < n; i++) /* a NUL would end it */
			e->user[i] = e->user[i] ? e->user[i] : '?';
	}
	if (e->id == ID_LOGS_AUTH_FAILURE)
		e->strength = strength_of(f->rule);
	e->may_ban = e->id == ID_LOGS_AUTH_FAILURE && (may & MAY_BAN);
	if (f->more[MATCH_TIME].len && !j->l->time_us) {
		struct log_clock *c = &j->r->clock;

		(void) log_time_read(c, at(f, f->more[MATCH_TIME]), f->more[MATCH_TIME].len, j->l->now_us, &e->time_us);
	}
}

static bool address_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '.' || c == ':';
}

/* Whether it can be a request of somebody who was refused: something like an address that was, as it is written, stands in its
 * beginning. Asked first, for most lines of a web server. */
bool line_through(const struct logs_reader *r, const char *text, size_t len)
{
	const char *p = text, *end = text + PV_MIN(len, (size_t) THROUGH_WITHIN);

	while (r->weak && p < end) {
		const char *from = p, *colon = NULL;
		unsigned dots = 0, colons = 0;

		for (; p < end && address_char(*p); p++) {
			dots += *p == '.';
			colons += *p == ':';
			colon = *p == ':' ? p : colon;
		}
		if ((dots >= 3 || colons >= 2) && (weak_maybe(r->weak, from, (size_t) (p - from)) ||
						   (colon && weak_maybe(r->weak, from, (size_t) (colon - from)))))
			return true;
		p += p == from;
	}
	return false;
}

static int say_trial(struct judge *j, const struct rule *rule, const char *why, const struct log_event *e)
{
	struct logs_trial t = { .rule = rule, .why = why };

	if (!j->r->trial)
		return 0;
	if (e)
		t.event = *e;
	return j->r->trial(&t, j->r->trial_arg);
}

static void frame_of_journal(const struct line *l, struct frame *f)
{
	const struct log_record *rec = l->journal;

	*f = (struct frame){ .msg = l->text, .len = l->len, .times = 1, .pid = rec->pid };
	if (rec->identifier) {
		f->tag = rec->identifier;
		f->tag_len = strlen(rec->identifier);
		f->framed = f->tag_len != 0;
	}
}

/* When the first rule asks for it: most lines end before. */
static void read_frame(struct judge *j)
{
	const struct line *l = j->l;

	if (j->framed)
		return;
	j->framed = true;
	if (l->journal)
		frame_of_journal(l, &j->f);
	else
		frame_read(&j->r->clock, l->text, l->len, l->now_us, &j->f);
	j->time_us = l->time_us ? l->time_us : j->f.time_us ? j->f.time_us : l->now_us;
}

static int try_rule(struct judge *j, uint32_t index)
{
	const struct rule *rule = rules_get(j->r->l->rs, index);
	uint8_t may = j->r->may[index];
	const char *why;
	struct log_event e;
	struct found f;
	int r;

	if ((may & MAY_THROUGH) && !j->r->trial && !j->through)
		return 0;
	if (rule->also.n && !j->r->trial && !holds(j->l, &rule->also))
		return 0;
	read_frame(j);
	why = why_not(j, rule, may);
	if (why)
		return say_trial(j, rule, why, NULL);
	if (j->done & 1u << (id_of(rule) - ID_LOGS_AUTH_FAILURE))
		return say_trial(j, rule, "another rule took the line", NULL);
	r = confirm(j, index, rule, &f);
	if (r < 0)
		return r;
	if (r == 0)
		return say_trial(j, rule, "its pattern does not take the line", NULL);
	fill(j, &f, may, &e);
	if (e.id == ID_LOGS_AUTH_FAILURE || e.id == ID_LOGS_PROBE)
		find_address(j, &f, &e);
	if (e.id == ID_LOGS_AUTH_FAILURE && !web(j, &f, &e))
		return say_trial(j, rule, "nothing was refused to this address for this path", NULL);
	if (e.id == ID_LOGS_ERROR) {
		pv_buf_clear(&j->r->w->fields);
		logs_template(j->f.msg, j->f.len, &j->r->w->fields);
		e.attempt = hash_bytes(pv_buf_str(&j->r->w->fields), j->r->w->fields.len, 1);
	}
	r = say_trial(j, rule, NULL, &e);
	if (r)
		return r;
	return e.id == ID_LOGS_AUTH_FAILURE ? tell_attempts(j, &f, &e) : tell(j, &e);
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

	return (x > y) - (x < y);
}

int line_judge(struct logs_reader *r, struct line *l, logs_fn fn, void *arg)
{
	struct judge j = { .r = r, .l = l, .fn = fn, .arg = arg };
	int res = 0;

	if (!l->n_ids)
		return 0;
	for (size_t i = 0; i < l->n_ids && !j.through; i++)
		j.through = (r->may[l->id[i]] & MAY_THROUGH) && line_through(r, l->text, l->len);
	qsort(l->id, l->n_ids, sizeof(*l->id), by_id);
	for (size_t i = 0; i < l->n_ids && res == 0; i++)
		res = try_rule(&j, l->id[i]);
	return res;
}
