#include "detect/login.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "detect/login_private.h"

#define AGAIN_S	     60u   /* a ban that did not come about is asked for again after this */
#define BEAT_MS	     5000u /* a weak one after such a pause is a beat, no burst */
#define EVEN_MS	     2000u /* and so is one at even distances from here on */

struct ip_prefix login_network(const struct ip_addr *a, uint8_t prefix6)
{
	struct ip_prefix p = { .addr = *a, .len = 128 };

	if (ip_is_v4(a))
		return p;
	p.len = prefix6;
	for (unsigned i = 0; i < 16; i++)
		if (prefix6 < (i + 1) * 8)
			p.addr.b[i] &= prefix6 > i * 8 ? (uint8_t) (0xff00u >> (prefix6 - i * 8)) : 0;
	return p;
}

int login_new(const struct login_policy *p, struct login **ret)
{
	pv_auto(login) l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->policy = *p;
	l->policy.limit = PV_MIN(PV_MAX(p->limit, 1u), LOGIN_LIMIT_MAX);
	l->policy.addresses = p->addresses ? p->addresses : LOGIN_ADDRESSES;
	l->texts = calloc(TEXTS, sizeof(*l->texts));
	l->sources = calloc(SOURCES, sizeof(*l->sources));
	l->targets = calloc(TARGETS, sizeof(*l->targets));
	if (!l->texts || !l->sources || !l->targets)
		return -ENOMEM;
	l->n_sources = 1; /* 0: one too many to be named */
	r = login_table_init(&l->table, p->seed, l->policy.limit, l->policy.addresses);
	if (r < 0)
		return r;
	*ret = pv_steal(l);
	return 0;
}

struct login *login_free(struct login *l)
{
	if (!l)
		return NULL;
	login_table_done(&l->table);
	free(l->texts);
	free(l->sources);
	free(l->targets);
	free(l);
	return NULL;
}

int login_change(struct login *l, const struct login_policy *p)
{
	uint32_t limit = PV_MIN(PV_MAX(p->limit, 1u), LOGIN_LIMIT_MAX);
	struct login_table fresh;
	int r;

	if (limit > l->policy.limit || p->prefix6 != l->policy.prefix6) {
		r = login_table_init(&fresh, l->policy.seed, limit, l->policy.addresses);
		if (r < 0)
			return r;
		login_table_done(&l->table);
		l->table = fresh;
	}
	l->policy.limit = limit;
	l->policy.weak_limit = p->weak_limit;
	l->policy.within_us = p->within_us;
	l->policy.prefix6 = p->prefix6;
	return 0;
}

/* --- the lines that are shown --- */

static uint16_t source_of(struct login *l, const char *name)
{
	char cut[sizeof(l->sources[0])];

	if (!name)
		return 0;
	(void) text_copy(cut, sizeof(cut), name);
	if (strcmp(l->sources[l->last_source], cut) == 0)
		return l->last_source;
	for (uint16_t i = 1; i < l->n_sources; i++)
		if (strcmp(l->sources[i], cut) == 0)
			return l->last_source = i;
	if (l->n_sources == SOURCES)
		return 0;
	memcpy(l->sources[l->n_sources], cut, sizeof(cut));
	return l->last_source = l->n_sources++;
}

static uint32_t keep_text(struct login *l, const struct log_event *e, uint16_t source, uint64_t time_us)
{
	struct text *t = &l->texts[++l->text_number % TEXTS];
	size_t n = e->text ? PV_MIN(e->text_len, sizeof(t->text) - 1) : 0;

	*t = (struct text){ .number = l->text_number, .source = source, .time_us = time_us, .line = e->line };
	for (size_t i = 0; i < n; i++)
		t->text[i] = e->text[i] ? e->text[i] : '?'; /* a NUL would end it */
	return t->number;
}

static void show_line(const struct login *l, const struct login_entry *entry, uint64_t time_us, struct login_line *ret)
{
	const struct text *t = &l->texts[entry->text % TEXTS];

	*ret = (struct login_line){ .time_us = time_us };
	(void) text_copy(ret->source, sizeof(ret->source), l->sources[entry->source]);
	if ((t->number & TEXT_MASK) != entry->text || (uint32_t) (t->time_us / USEC_PER_MSEC) != entry->ms)
		return;
	ret->time_us = t->time_us;
	ret->line = t->line;
	memcpy(ret->text, t->text, sizeof(ret->text));
}

/* --- windows of one address --- */

static uint32_t age_ms(const struct login_slot *s, const struct login_entry *e)
{
	return (uint32_t) (s->newest_us / USEC_PER_MSEC) - e->ms;
}

/* Moves counters of equal parts of time on, so that counts[0] is `part`. What is older than that already is -1 or less. */
static int shift(uint8_t *counts, unsigned n, uint32_t *first, uint32_t part)
{
	uint32_t by;

	if (part < *first)
		return (int) PV_MIN(*first - part, n) * -1;
	by = PV_MIN(part - *first, n);
	memmove(counts + by, counts, n - by);
	memset(counts, 0, by);
	*first = part;
	return 0;
}

static void count_part(uint8_t *counts, unsigned n, uint32_t *first, uint32_t part)
{
	int at = shift(counts, n, first, part);

	if ((unsigned) -at < n && counts[-at] < UINT8_MAX)
		counts[-at]++;
}

static unsigned sum(const uint8_t *counts, unsigned n)
{
	unsigned all = 0;

	for (unsigned i = 0; i < n; i++)
		all += counts[i];
	return all;
}

static unsigned refused_today(struct login_slot *s, uint64_t t)
{
	(void) shift(s->spans, LOGIN_SPANS, &s->span, (uint32_t) (t / LOGIN_SPAN_US));
	return sum(s->spans, LOGIN_SPANS);
}

static void forget_entries(struct login_slot *s, unsigned n)
{
	s->n = (uint8_t) (s->n - n);
	memmove(s->entry, s->entry + n, s->n * sizeof(s->entry[0]));
}

/* Out of the window, whatever the order they came in. */
static void prune(struct login_slot *s, uint64_t within_us)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < s->n; i++)
		if (age_ms(s, &s->entry[i]) <= within_us / USEC_PER_MSEC)
			s->entry[kept++] = s->entry[i];
	s->n = (uint8_t) kept;
}

static uint32_t attempt_hash(const struct login *l, const struct log_event *e)
{
	uint64_t h;

	if (!e->attempt)
		return 0;
	h = login_hash(l->policy.seed, e->service, strlen(e->service)) ^ e->attempt;
	h = login_hash(l->policy.seed, &h, sizeof(h));
	return (uint32_t) h ? (uint32_t) h : 1;
}

static bool known_attempt(const struct login_slot *s, uint32_t attempt)
{
	for (unsigned i = 0; attempt && i < s->n; i++)
		if (s->entry[i].attempt == attempt)
			return true;
	return false;
}

static bool is_container(const char *source)
{
	return source && strncmp(source, "container:", 10) == 0;
}

/* What leads to a ban: 1 a new attempt, 0 one that is known or too old to matter. */
static int add_attempt(struct login *l, struct login_slot *s, const struct log_event *e, uint64_t t)
{
	uint32_t attempt = attempt_hash(l, e);
	struct login_entry *entry;
	uint16_t source;

	if (known_attempt(s, attempt))
		return 0;
	if (t + l->policy.within_us < s->newest_us)
		return 0; /* it comes so late that it cannot be told from one that was counted */
	s->newest_us = PV_MAX(s->newest_us, t);
	prune(s, l->policy.within_us);
	if (s->n >= l->policy.limit)
		forget_entries(s, s->n - l->policy.limit + 1);
	source = source_of(l, e->source);
	entry = &s->entry[s->n++];
	*entry = (struct login_entry){ .ms = (uint32_t) (t / USEC_PER_MSEC), .attempt = attempt, .source = source,
				       .container = is_container(e->source), .text = keep_text(l, e, source, t) & TEXT_MASK };
	count_part(s->spans, LOGIN_SPANS, &s->span, (uint32_t) (t / LOGIN_SPAN_US));
	return 1;
}

/* --- answers --- */

static void verdict_of_event(struct login_verdict *v, const struct login *l, const struct log_event *e)
{
	memset(v, 0, sizeof(*v));
	v->who = login_network(&e->address, l->policy.prefix6);
	(void) text_copy(v->service, sizeof(v->service), e->service);
	(void) text_copy(v->user, sizeof(v->user), e->user);
}

static void verdict_lines(struct login_verdict *v, const struct login *l, const struct login_slot *s)
{
	unsigned from = s->n > LOGIN_EVIDENCE ? s->n - LOGIN_EVIDENCE : 0;

	for (unsigned i = from; i < s->n; i++)
		show_line(l, &s->entry[i], s->newest_us - age_ms(s, &s->entry[i]) * USEC_PER_MSEC, &v->lines[v->n_lines++]);
	for (unsigned i = 0; i < s->n; i++)
		if (s->entry[i].container)
			(void) text_copy(v->container, sizeof(v->container),
					 s->entry[i].source ? l->sources[s->entry[i].source] : "container:(one too many to be named)");
}

/* The event's own line alone: weak ones and successes are not kept one by one. */
static void verdict_this_line(struct login_verdict *v, struct login *l, const struct log_event *e, uint64_t t)
{
	uint16_t source = source_of(l, e->source);
	const struct login_entry entry = { .ms = (uint32_t) (t / USEC_PER_MSEC), .source = source, .text = keep_text(l, e, source, t) & TEXT_MASK };

	show_line(l, &entry, t, &v->lines[v->n_lines++]);
	if (is_container(e->source))
		(void) text_copy(v->container, sizeof(v->container), e->source);
}

static bool tips(struct login_slot *s, uint64_t now_us)
{
	uint32_t now_s = (uint32_t) (now_us / USEC_PER_SEC);

	if (s->tipped_s && now_s - s->tipped_s < AGAIN_S)
		return false;
	s->tipped_s = now_s;
	return true;
}

static enum login_answer strong(struct login *l, struct login_slot *s, const struct log_event *e, uint64_t t, uint64_t now_us,
				struct login_verdict *v)
{
	const struct login_policy *p = &l->policy;
	unsigned slow = p->limit * LOGIN_SLOW_TIMES, today;
	bool fast;

	if (!add_attempt(l, s, e, t))
		return LOGIN_NOTHING;
	s->user = (uint32_t) login_hash(p->seed, e->user, strlen(e->user));
	today = refused_today(s, s->newest_us);
	fast = s->n >= p->limit && s->newest_us + p->within_us >= now_us;
	if ((!fast && (today < slow || s->newest_us + USEC_PER_DAY < now_us)) || !tips(s, now_us))
		return LOGIN_NOTHING;
	verdict_of_event(v, l, e);
	v->why = fast ? LOGIN_FAST : LOGIN_SLOW;
	v->count = fast ? s->n : today;
	v->limit = fast ? p->limit : slow;
	v->window_us = fast ? p->within_us : USEC_PER_DAY;
	verdict_lines(v, l, s);
	return LOGIN_BAN;
}

/* Told by what may not ban. A window that begins anew when it is over is enough for telling. */
static enum login_answer other(struct login *l, struct login_slot *s, const struct log_event *e, uint64_t t, struct login_verdict *v)
{
	uint32_t attempt = attempt_hash(l, e), t_s = (uint32_t) (t / USEC_PER_SEC);
	uint64_t within_s = l->policy.within_us / USEC_PER_SEC;

	if (attempt && attempt == s->other_attempt)
		return LOGIN_NOTHING;
	s->other_attempt = attempt;
	s->newest_us = PV_MAX(s->newest_us, t);
	if (t_s - s->told_from_s > within_s) {
		s->told_from_s = t_s;
		s->others = 0;
	}
	if (s->others < UINT16_MAX)
		s->others++;
	if (s->others < (e->strength == LOG_WEAK ? l->policy.weak_limit : l->policy.limit) || (s->told_s && t_s - s->told_s < within_s))
		return LOGIN_NOTHING;
	s->told_s = t_s;
	verdict_of_event(v, l, e);
	v->count = s->others;
	v->limit = e->strength == LOG_WEAK ? l->policy.weak_limit : l->policy.limit;
	v->window_us = l->policy.within_us;
	verdict_this_line(v, l, e, t);
	return LOGIN_TELL_BRUTEFORCE;
}

/* Whether this weak one is part of a burst. */
static bool burst_goes_on(struct login_slot *s, uint64_t t)
{
	uint32_t ms = (uint32_t) (t / USEC_PER_MSEC), gap = ms - s->weak_ms, off;
	bool first = !s->weak_ms;

	s->weak_ms = ms ? ms : 1;
	if (first || gap > INT32_MAX)
		return false;
	off = gap > s->gap_ms ? gap - s->gap_ms : s->gap_ms - gap;
	s->gap_off_ms = s->gap_ms ? s->gap_off_ms - s->gap_off_ms / 8 + PV_MIN(off, (uint32_t) INT32_MAX) / 8 : gap;
	s->gap_ms = s->gap_ms ? s->gap_ms - s->gap_ms / 8 + gap / 8 : gap;
	return gap < BEAT_MS && !(s->gap_ms >= EVEN_MS && s->gap_off_ms < s->gap_ms / 4);
}

static enum login_answer weak(struct login *l, struct login_slot *s, const struct log_event *e, uint64_t t, uint64_t now_us,
			      struct login_verdict *v)
{
	const struct login_policy *p = &l->policy;
	uint64_t part_us = PV_MAX(p->within_us / LOGIN_PARTS, USEC_PER_SEC);
	unsigned n;

	s->newest_us = PV_MAX(s->newest_us, t);
	if (s->accept_s && (uint32_t) (t / USEC_PER_SEC) - s->accept_s < DAY_S)
		return LOGIN_NOTHING;
	if (!burst_goes_on(s, t) || t + p->within_us < now_us)
		return LOGIN_NOTHING;
	count_part(s->weak, LOGIN_PARTS, &s->part, (uint32_t) (t / part_us));
	n = sum(s->weak, LOGIN_PARTS);
	if (n < p->weak_limit || !tips(s, now_us))
		return LOGIN_NOTHING;
	verdict_of_event(v, l, e);
	v->why = LOGIN_MANY_WEAK;
	v->count = n;
	v->limit = p->weak_limit;
	v->window_us = p->within_us;
	verdict_this_line(v, l, e, t);
	return LOGIN_BAN;
}

/* --- accounts --- */

static struct target *target_of(struct login *l, const struct log_event *e, uint64_t t, bool make)
{
	uint64_t key = login_hash(l->policy.seed, e->user, strlen(e->user)) ^
		       login_hash(l->policy.seed, e->service, strlen(e->service)) * 0x9e3779b97f4a7c15u;
	struct target *oldest = NULL;

	key = key ? key : 1;
	for (unsigned i = 0; i < TARGET_LOOKS; i++) {
		struct target *at = &l->targets[(key + i) % TARGETS];

		if (at->key == key)
			return at;
		if (!oldest || (oldest->key && (!at->key || at->start_s < oldest->start_s)))
			oldest = at;
	}
	if (make)
		*oldest = (struct target){ .key = key, .start_s = (uint32_t) (t / USEC_PER_SEC) };
	return make ? oldest : NULL;
}

/* Linear counting (Whang and others, 1990): -m ln(zeros / m), as a sum, which needs no libm. */
static uint32_t spread(const struct target *g)
{
	uint32_t set = 0;
	double n = 0;

	for (size_t i = 0; i < N_ELEMENTS(g->bits); i++)
		set += (uint32_t) __builtin_popcountll(g->bits[i]);
	for (uint32_t i = 0; i < set && i + 1 < TARGET_BITS; i++)
		n += (double) TARGET_BITS / (TARGET_BITS - i);
	return (uint32_t) n;
}

static enum login_answer refused_at(struct login *l, const struct log_event *e, const uint8_t key[16], uint64_t t,
				    struct login_verdict *v)
{
	uint32_t t_s = (uint32_t) (t / USEC_PER_SEC), n;
	struct target *g = target_of(l, e, t, true);
	uint64_t bit = login_hash(l->policy.seed, key, 16) >> 16;

	if (t_s > g->start_s && t_s - g->start_s > HOUR_S) {
		memset(g->bits, 0, sizeof(g->bits));
		g->start_s = t_s;
	}
	g->bits[bit / 64 % N_ELEMENTS(g->bits)] |= 1ull << bit % 64;
	if (g->told_s && t_s - g->told_s < DAY_S)
		return LOGIN_NOTHING;
	n = spread(g);
	if (n < LOGIN_SPREAD)
		return LOGIN_NOTHING;
	g->told_s = t_s;
	verdict_of_event(v, l, e);
	v->count = n;
	v->limit = LOGIN_SPREAD;
	v->addresses = n;
	v->window_us = USEC_PER_HOUR;
	verdict_this_line(v, l, e, t);
	return LOGIN_TELL_DISTRIBUTED;
}

static enum login_answer accepted(struct login *l, struct login_slot *s, const struct log_event *e, uint64_t t,
				  struct login_verdict *v)
{
	const struct target *g = e->user[0] ? target_of(l, e, t, false) : NULL;
	unsigned n = refused_today(s, PV_MAX(t, s->newest_us)), limit = l->policy.limit;
	bool same = !e->user[0] || s->user == (uint32_t) login_hash(l->policy.seed, e->user, strlen(e->user));
	bool spread_out = n > 0 && g && g->told_s && (uint32_t) (t / USEC_PER_SEC) - g->told_s < DAY_S;

	s->accept_s = PV_MAX((uint32_t) (t / USEC_PER_SEC), 1u);
	memset(s->weak, 0, sizeof(s->weak));
	if (!(n >= limit && same) && n < LOGIN_SLOW_TIMES * limit && !spread_out) {
		if (n)
			memset(s->spans, 0, sizeof(s->spans)); /* a person who mistyped: the slow window begins anew */
		return LOGIN_NOTHING;
	}
	verdict_of_event(v, l, e);
	v->count = n;
	v->limit = limit;
	v->window_us = USEC_PER_DAY;
	verdict_lines(v, l, s);
	if (v->n_lines == LOGIN_EVIDENCE) {
		memmove(v->lines, v->lines + 1, (LOGIN_EVIDENCE - 1) * sizeof(v->lines[0]));
		v->n_lines--;
	}
	verdict_this_line(v, l, e, t);
	memset(s->spans, 0, sizeof(s->spans)); /* told once */
	return LOGIN_TELL_SUSPICIOUS;
}

enum login_answer login_step(struct login *l, const struct log_event *e, uint64_t now_us, struct login_verdict *ret)
{
	uint64_t t = PV_MIN(e->time_us, now_us);
	enum login_answer answer;
	struct login_slot *s;
	struct ip_prefix who;

	if (e->strength == LOG_NO_LOGIN || e->strength == LOG_NEUTRAL || !e->has_address || t + USEC_PER_DAY < now_us)
		return LOGIN_NOTHING;
	who = login_network(&e->address, l->policy.prefix6);
	s = login_table_take(&l->table, who.addr.b, now_us);
	if (!s)
		return LOGIN_NOTHING; /* no memory; nothing is blamed on anybody */
	/* The clock was set back by more than a window: what was counted lies in a future that will not come. */
	if (s->newest_us > now_us + l->policy.within_us || s->newest_us + USEC_PER_DAY < t) {
		s->n = 0;
		s->newest_us = 0;
	}
	if (e->strength == LOG_ACCEPTED)
		return accepted(l, s, e, t, ret);
	if (!e->may_ban)
		answer = other(l, s, e, t, ret);
	else if (e->strength == LOG_WEAK)
		answer = weak(l, s, e, t, now_us, ret);
	else
		answer = strong(l, s, e, t, now_us, ret);
	if (answer == LOGIN_NOTHING && e->strength == LOG_STRONG && e->user[0])
		answer = refused_at(l, e, who.addr.b, t, ret);
	return answer;
}

void login_forget(struct login *l, const struct ip_prefix *who)
{
	struct ip_prefix network = login_network(&who->addr, l->policy.prefix6);
	struct login_slot *s = login_table_find(&l->table, network.addr.b);

	if (s)
		login_table_drop(&l->table, s);
}

size_t login_addresses(const struct login *l)
{
	return l->table.n;
}

size_t login_memory(const struct login *l)
{
	return sizeof(*l) + l->table.bytes + TEXTS * sizeof(*l->texts) + SOURCES * sizeof(*l->sources) + TARGETS * sizeof(*l->targets);
}
