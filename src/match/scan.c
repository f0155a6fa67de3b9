/* The two stages: a gate opens somewhere (libhs), the rule is confirmed around there (PCRE2), the find is judged. */
#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "base/array.h"
#include "match/checksum.h"
#include "match/decode.h"
#include "match/engine.h"
#include "match/random.h"
#include "match/runs.h"

#define SLICE	  (1u << 30) /* libhs counts in 32 bits */
#define GLOB_MAX  512	     /* of a credential, for `unless` */
#define LOOK_PAST 16	     /* of a look-ahead behind the longest match */
/* A text made of nothing but the beginnings of long matches: a rule that reaches far reads it this often, then gives up. */
#define WASTE_TIMES 32
#define WASTE_FREE  (64u << 20)

struct scan {
	const struct match_set *set;
	struct match_scratch *s;
	struct decode_known *known;
	struct match_far *far;
	const char *text;
	size_t len, base; /* base: where the slice begins that libhs looks at */
	match_fn fn;
	void *user;
	int result;
};

static bool word_near(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);
	int first = tolower((unsigned char) *word);

	for (size_t i = 0; i + n <= len; i++)
		if (tolower((unsigned char) text[i]) == first && strncasecmp(text + i, word, n) == 0)
			return true;
	return false;
}

static bool has_context(const struct scan *c, const struct rule *rule, const struct match_hit *hit)
{
	size_t from = hit->whole.start > RULE_CONTEXT_REACH ? hit->whole.start - RULE_CONTEXT_REACH : 0;
	size_t end = PV_MIN(c->len, hit->whole.start + hit->whole.len + RULE_CONTEXT_REACH);

	for (size_t i = 0; i < rule->context.n; i++)
		if (word_near(c->text + from, end - from, rule->context.word[i]))
			return true;
	return rule->context.n == 0;
}

static bool is_placeholder(const struct rule *rule, const char *secret, size_t len)
{
	char lower[GLOB_MAX + 1];
	size_t n = PV_MIN(len, (size_t) GLOB_MAX);

	if (!rule->unless.n)
		return false;
	for (size_t i = 0; i < n; i++)
		lower[i] = (char) tolower((unsigned char) secret[i]);
	lower[n] = '\0';
	for (size_t i = 0; i < rule->unless.n; i++)
		if (glob_match(rule->unless.word[i], lower))
			return true;
	return false;
}

/* False: it only looks like one. */
static bool judge(const struct scan *c, const struct rule *rule, struct match_hit *hit)
{
	const char *secret = c->text + hit->secret.start;
	size_t len = hit->secret.len;

	bool doubt = is_placeholder(rule, secret, len) ||
		     (rule->random && match_randomness(secret, len) < rule->random);

	if ((doubt && !rule->doubt_low) || !has_context(c, rule, hit))
		return false;
	hit->severity = doubt ? PV_MIN(rule->severity, SEV_LOW) : rule->severity;
	if (rule->check != RULE_CHECK_NONE) {
		hit->checked = match_check(rule->check, secret, len) ? MATCH_CHECK_GOOD : MATCH_CHECK_BAD;
		if (hit->checked == MATCH_CHECK_BAD)
			hit->severity = PV_MIN(hit->severity, SEV_LOW);
	}
	return true;
}

static struct rule_span group_span(const PCRE2_SIZE *at, int n, int group)
{
	if (group < 0 || group >= n || at[2 * group] == PCRE2_UNSET)
		return (struct rule_span) { 0, 0 };
	return (struct rule_span) { at[2 * group], at[2 * group + 1] - at[2 * group] };
}

static int report(struct scan *c, size_t index, const struct confirm *cf, int n, bool *ret_taken)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(c->s->data);
	const struct rule *rule = rules_get(c->set->rs, index);
	struct match_hit hit = {
		.rule = rule, .index = index, .encoding = "",
		.whole = group_span(at, n, 0), .secret = group_span(at, n, cf->secret),
		.address = group_span(at, n, cf->address), .user = group_span(at, n, cf->user),
	};

	if (!hit.secret.len) /* the group stands in an alternative that was not taken */
		hit.secret = hit.whole;
	*ret_taken = judge(c, rule, &hit);
	if (!*ret_taken)
		return 0;
	hit.secret_text = c->text + hit.secret.start;
	hit.secret_len = hit.secret.len;
	return c->fn(&hit, c->user);
}

/* Tries the starts from..to; those were not tried before. */
static int confirm_starts(struct scan *c, size_t index, const struct confirm *cf, size_t from, size_t *to, bool *ret_any)
{
	const struct rule *rule = rules_get(c->set->rs, index);
	size_t last = *to, end = PV_MIN(c->len, last + rule->reach + LOOK_PAST);
	uint32_t options = end < c->len ? PCRE2_NOTEOL : 0;

	(void) pcre2_set_offset_limit(c->s->context, last);
	while (from <= last) {
		const PCRE2_SIZE *at = pcre2_get_ovector_pointer(c->s->data);
		int n = pcre2_match(cf->re, (PCRE2_SPTR) c->text, end, from, options, c->s->data, c->s->context), r;
		bool taken = false;

		if (n < 0) {
			c->s->gave_up += n != PCRE2_ERROR_NOMATCH;
			return 0;
		}
		r = report(c, index, cf, n, &taken);
		if (r)
			return r;
		from = taken ? PV_MAX(at[1], at[0] + 1) : at[0] + 1;
		if (taken)
			*to = PV_MAX(*to, from - 1);
		*ret_any |= taken;
	}
	return 0;
}

static bool gives_up(const struct scan *c, const struct rule_state *st)
{
	return st->wasted > WASTE_FREE && (st->wasted - WASTE_FREE) / WASTE_TIMES > c->len;
}

static void count_waste(struct scan *c, struct rule_state *st, uint32_t reach)
{
	bool before = gives_up(c, st);

	st->wasted += reach > RULE_REACH_NEAR ? reach : 0;
	c->s->gave_up += !before && gives_up(c, st);
}

int match_far_add(struct match_far *far, size_t end, uint32_t rule)
{
	if (far->n == MATCH_FAR_MAX || far->lost) {
		far->lost = true;
		return 0;
	}
	if (pv_grow(&far->place, far->n, &far->room, sizeof(*far->place), 16) < 0)
		return -ENOMEM;
	far->place[far->n++] = (struct match_far_place){ end, rule };
	return 0;
}

/* Something that every match contains ends at `last`. */
static int open_gate(struct scan *c, size_t id, size_t last)
{
	struct rule_state *st = &c->s->state[id];
	const struct confirm *cf = confirm_of(c->set, id);
	const struct rule *rule = rules_get(c->set->rs, id);
	size_t from = last > rule->lead ? last - rule->lead : 0;
	bool any = false;

	if (!cf) {
		c->result = -ENOMEM;
		return 1;
	}
	if (st->scan != c->s->scan)
		*st = (struct rule_state) { .scan = c->s->scan, .from = SIZE_MAX };
	/* Gates of one rule open in rising order, nearly always: then every start is tried once. */
	if ((from >= st->from && last <= st->to) || gives_up(c, st))
		return 0;
	if (from >= st->from && from <= st->to)
		from = st->to + 1;
	else
		st->from = from;
	c->result = confirm_starts(c, id, cf, from, &last, &any);
	st->to = last;
	if (!any)
		count_waste(c, st, rule->reach);
	return c->result != 0;
}

static int on_gate(unsigned id, unsigned long long unused, unsigned long long to, unsigned flags, void *user)
{
	struct scan *c = user;

	(void) unused, (void) flags;
	if (c->far && rules_get(c->set->rs, id)->reach > RULE_REACH_NEAR) {
		c->result = match_far_add(c->far, c->base + (size_t) to, (uint32_t) id);
		if (c->result < 0)
			return 1;
	}
	return open_gate(c, id, c->base + (size_t) to);
}

static bool stands_before(const struct run_gate *g, const char *text, size_t at)
{
	if (at < g->len)
		return false;
	for (size_t i = 0; i < g->len; i++)
		if (g->before[i] != '?' && g->before[i] != text[at - g->len + i])
			return false;
	return true;
}

static void note_run(struct scan *c, size_t start, size_t end)
{
	struct decode_known *k = c->known;
	size_t place;

	if (!k || k->n == DECODE_KNOWN)
		return;
	k->to = end;
	if (decode_may_hold(c->text, start, end, &place))
		k->at[k->n++] = place;
}

/* Rules whose gate is a run of characters, for the runs that begin in [from, to). */
static int scan_runs(struct scan *c, size_t from, size_t to)
{
	const struct match_set *set = c->set;

	if (!set->n_runs)
		return 0;
	while ((from = run_next(c->text, c->len, from, to)) < to) {
		size_t start = from;

		from = run_end(c->text, c->len, start + RUN_MIN);
		note_run(c, start, from);
		if (!start || !set->run_after[(unsigned char) c->text[start - 1]])
			continue;
		for (size_t i = 0; i < set->n_runs; i++)
			if (stands_before(&set->run[i], c->text, start) && open_gate(c, set->run[i].rule, start + RUN_MIN))
				return c->result;
	}
	if (c->known && c->known->n < DECODE_KNOWN)
		c->known->to = to;
	return 0;
}

static int scan_part(struct scan *c, const hs_database_t *db, uint32_t reach, size_t from, size_t to)
{
	while (db && from < to) {
		size_t n = PV_MIN(to - from, (size_t) SLICE);
		hs_error_t e;

		c->base = from;
		e = hs_scan(db, c->text + from, (unsigned) n, 0, c->s->hs, on_gate, c);
		if (e == HS_SCAN_TERMINATED)
			return c->result;
		if (e != HS_SUCCESS)
			return e == HS_NOMEM ? -ENOMEM : -EINVAL;
		if (from + n == to)
			break;
		from += n - PV_MIN((size_t) reach, n / 2);
	}
	return 0;
}

static int by_end(const void *pa, const void *pb)
{
	const struct match_far_place *a = pa, *b = pb;

	if (a->end != b->end)
		return a->end < b->end ? -1 : 1;
	return (a->rule > b->rule) - (a->rule < b->rule);
}

static void sort_far(struct match_far *far)
{
	size_t kept = 0;

	if (far->lost)
		far->n = 0;
	if (far->n > 1)
		qsort(far->place, far->n, sizeof(*far->place), by_end);
	for (size_t i = 0; i < far->n; i++)
		if (!kept || by_end(&far->place[kept - 1], &far->place[i]) != 0)
			far->place[kept++] = far->place[i];
	far->n = kept;
}

int match_scan(const struct match_set *set, struct match_scratch *s, const char *text, size_t len, match_fn fn, void *user)
{
	return scan_knowing(set, s, text, len, NULL, NULL, fn, user);
}

int scan_knowing(const struct match_set *set, struct match_scratch *s, const char *text, size_t len, struct decode_known *known,
		 struct match_far *far, match_fn fn, void *user)
{
	struct scan c = { .set = set, .s = s, .known = known, .far = far, .text = text, .len = len, .fn = fn, .user = user };
	int r;

	s->scan++;
	if (far)
		*far = (struct match_far){ .place = far->place, .room = far->room };
	r = scan_runs(&c, 0, len);
	if (r == 0 && set->gates.all)
		r = scan_part(&c, set->gates.all, PV_MAX(set->reach_near, set->reach_far), 0, len);
	else if (r == 0 && set->gates.near)
		r = scan_part(&c, set->gates.near, set->reach_near, 0, len);
	else if (r == 0)
		r = scan_part(&c, set->gates.far, set->reach_far, 0, len);
	if (r == 0 && far)
		sort_far(far);
	return r;
}

/* The changed parts, each widened by reach, those that then touch as one. */
static int scan_windows(struct scan *c, const hs_database_t *db, uint32_t reach, bool runs, const struct rule_span *changed,
			size_t n, size_t *scanned)
{
	for (size_t i = 0; (db || runs) && i < n;) {
		size_t from = changed[i].start > reach ? changed[i].start - reach : 0, to;
		int r;

		do
			to = PV_MIN(c->len, changed[i].start + changed[i].len + reach);
		while (++i < n && changed[i].start <= to + reach);
		r = runs ? scan_runs(c, from, to) : 0;
		if (r == 0)
			r = scan_part(c, db, reach, from, to);
		if (r)
			return r;
		*scanned += to > from ? to - from : 0;
	}
	return 0;
}

/* A change lies so close that a match of the rule may hold both. */
static bool touched(const struct rule *rule, size_t end, const struct rule_span *changed, size_t n)
{
	size_t from = end > rule->lead ? end - rule->lead : 0, lo = 0, hi = n;

	while (lo < hi) { /* the first that does not end before */
		size_t mid = lo + (hi - lo) / 2;

		if (changed[mid].start + changed[mid].len < from)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && changed[lo].start <= end + rule->reach;
}

/* Rules that reach far begin at places that were there before, or at new ones close to a change: no more is looked at than for
 * the others. */
static int scan_far_places(struct scan *c, const struct rule_span *changed, size_t n, size_t before)
{
	const struct match_far *far = c->far;
	int r = 0;

	for (size_t i = 0; i < before && r == 0; i++) {
		const struct match_far_place *p = &far->place[i];

		if (p->end <= c->len && touched(rules_get(c->set->rs, p->rule), p->end, changed, n) &&
		    open_gate(c, p->rule, p->end) != 0)
			r = c->result;
	}
	return r;
}

int match_scan_changed(const struct match_set *set, struct match_scratch *s, const char *text, size_t len,
		       const struct rule_span *changed, size_t n, match_fn fn, void *user, size_t *ret_scanned)
{
	return scan_changed(set, s, text, len, changed, n, NULL, fn, user, ret_scanned);
}

int scan_changed(const struct match_set *set, struct match_scratch *s, const char *text, size_t len, const struct rule_span *changed,
		 size_t n, struct match_far *far, match_fn fn, void *user, size_t *ret_scanned)
{
	struct scan c = { .set = set, .s = s, .far = far, .text = text, .len = len, .fn = fn, .user = user };
	size_t scanned = 0, wide = 0, before = far ? far->n : 0;
	bool known = far && !far->lost;
	int r;

	s->scan++;
	if (known && set->gates.all) {
		r = scan_windows(&c, set->gates.all, PV_MAX(set->reach_near, (uint32_t) RULE_REACH_NEAR), set->n_runs, changed, n,
				 &scanned);
		if (r == 0)
			r = scan_far_places(&c, changed, n, before);
	} else {
		r = scan_windows(&c, set->gates.near, set->reach_near, set->n_runs, changed, n, &scanned);
		if (r == 0)
			r = scan_windows(&c, set->gates.far, set->reach_far, false, changed, n, &wide);
		if (far)
			far->lost |= set->gates.far != NULL;
	}
	if (far)
		sort_far(far);
	if (ret_scanned)
		*ret_scanned = PV_MAX(scanned, wide);
	return r;
}

/* --- many lines --- */

struct gate_scan {
	match_gate_fn fn;
	void *user;
	size_t base;
	int result;
};

static int on_literal(unsigned id, unsigned long long unused, unsigned long long to, unsigned flags, void *user)
{
	struct gate_scan *g = user;

	(void) unused, (void) flags;
	g->result = g->fn(id, g->base + (size_t) to, g->user);
	return g->result != 0;
}

int match_gates(const struct match_set *set, struct match_scratch *s, const char *text, size_t len, match_gate_fn fn, void *user)
{
	struct gate_scan g = { .fn = fn, .user = user };
	hs_error_t e = HS_SUCCESS;

	if (!set->gates.all || len > SLICE)
		return -EINVAL;
	if (len)
		e = hs_scan(set->gates.all, text, (unsigned) len, 0, s->hs, on_literal, &g);
	if (e == HS_SCAN_TERMINATED)
		return g.result;
	return e == HS_SUCCESS ? 0 : e == HS_NOMEM ? -ENOMEM : -EINVAL;
}

int match_confirm(const struct match_set *set, struct match_scratch *s, size_t index, const char *line, size_t len, size_t start,
		  struct match_hit *ret, struct rule_span more[MATCH_MORE_N])
{
	const struct confirm *cf = confirm_of(set, index);
	struct scan c = { .set = set, .s = s, .text = line, .len = len };
	const struct rule *rule = rules_get(set->rs, index);
	const PCRE2_SIZE *at;

	if (!cf)
		return -ENOMEM;
	(void) pcre2_set_offset_limit(s->context, len);
	at = pcre2_get_ovector_pointer(s->data);
	for (size_t from = start; from <= len; from = at[1] > at[0] ? at[1] : at[1] + 1) {
		int n = pcre2_match(cf->re, (PCRE2_SPTR) line, len, from, 0, s->data, s->context);

		if (n < 0) {
			s->gave_up += n != PCRE2_ERROR_NOMATCH;
			return 0;
		}
		*ret = (struct match_hit) {
			.rule = rule, .index = index, .encoding = "",
			.whole = group_span(at, n, 0), .secret = group_span(at, n, cf->secret),
			.address = group_span(at, n, cf->address), .user = group_span(at, n, cf->user),
		};
		if (!ret->secret.len)
			ret->secret = ret->whole;
		if (!judge(&c, rule, ret))
			continue;
		ret->secret_text = line + ret->secret.start;
		ret->secret_len = ret->secret.len;
		for (size_t i = 0; more && i < MATCH_MORE_N; i++)
			more[i] = group_span(at, n, cf->more[i]);
		return 1;
	}
	return 0;
}
