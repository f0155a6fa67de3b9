/* Rules, own values, and both again in what is encoded. */
#include <stdio.h>

#include "match/decode.h"
#include "match/engine.h"
#include "match/values.h"

#define DEPTH_MAX  3
#define BUDGET	   (64u << 20)
#define SEEN_MAX   65536
#define ENCODING_MAX 32

/* One level of text; `outer` is where it was decoded from. */
struct level {
	struct match_scratch *s;
	const struct match_set *set;
	const struct match_deep *how;
	match_fn fn;
	void *user;

	const struct level *outer;
	const char *text;
	size_t len;
	struct decode_cand from; /* in outer's text */
	unsigned depth;
	char encoding[ENCODING_MAX];
	size_t *budget;
};

static struct rule_span outermost(const struct level *l, struct rule_span span)
{
	for (; l->outer; l = l->outer)
		if (span.len)
			span = decode_outer(l->outer->text, &l->from, span);
	return span;
}

/* What was told already, at this place or one that holds it. Own values count from the end, to stay apart from rules. */
static bool was_told(struct match_scratch *s, size_t index, struct rule_span span)
{
	size_t end = span.start + span.len;

	for (size_t i = 0; i < s->n_seen; i++)
		if (s->seen[i].index == index && s->seen[i].start < end && span.start < s->seen[i].end)
			return true;
	return false;
}

static int remember(struct match_scratch *s, size_t index, struct rule_span span)
{
	if (s->n_seen == SEEN_MAX)
		return 0;
	if (s->n_seen == s->seen_room) {
		size_t room = s->seen_room ? s->seen_room * 2 : 64;
		void *more = realloc(s->seen, room * sizeof(*s->seen));

		if (!more)
			return -ENOMEM;
		s->seen = more;
		s->seen_room = room;
	}
	s->seen[s->n_seen++] = (struct place) { index, span.start, span.start + span.len };
	return 0;
}

static int pass_on(struct level *l, struct match_hit *hit, size_t key)
{
	int r;

	if (l->depth) {
		hit->secret = outermost(l, hit->secret);
		hit->whole = outermost(l, hit->whole);
		hit->address = outermost(l, hit->address);
		hit->user = outermost(l, hit->user);
		hit->depth = l->depth;
		hit->encoding = l->encoding;
		if (was_told(l->s, key, hit->secret))
			return 0;
	}
	r = remember(l->s, key, hit->secret);
	return r < 0 ? r : l->fn(hit, l->user);
}

static int on_rule(const struct match_hit *hit, void *user)
{
	struct match_hit copy = *hit;

	return pass_on(user, &copy, hit->index);
}

static int on_value(size_t index, size_t start, size_t len, void *user)
{
	struct level *l = user;
	struct match_hit hit = {
		.encoding = "", .whole = { start, len }, .secret = { start, len }, .secret_text = l->text + start,
		.secret_len = len, .severity = SEV_HIGH, .value_index = index,
		.value_name = match_values_name(l->how->values, index),
	};

	return pass_on(l, &hit, SIZE_MAX - index);
}

static int scan_level(struct level *l);

static int scan_decoded(const struct level *outer, const struct decode_cand *cand)
{
	pv_autobuf text = { .cap = DECODE_MAX };
	struct level l = *outer;

	decode_run(outer->text, cand, &text);
	if (text.len < 8 || text.len > *outer->budget)
		return 0;
	*outer->budget -= text.len;
	l.outer = outer;
	l.text = text.data;
	l.len = text.len;
	l.from = *cand;
	l.depth = outer->depth + 1;
	(void) snprintf(l.encoding, sizeof(l.encoding), "%.20s%s%s", outer->encoding, *outer->encoding ? ">" : "",
			decode_name(cand->how));
	return scan_level(&l);
}

/* Candidates that begin in [from, to). */
static int decode_part(const struct level *l, const struct decode_known *known, size_t from, size_t to)
{
	struct decode_at at = { .run = from, .url = from, .known = known };
	struct decode_cand cand;

	while (decode_next(l->text, l->len, to, &at, &cand)) {
		int r = scan_decoded(l, &cand);

		if (r)
			return r;
	}
	return 0;
}

static int decode_level(const struct level *l, const struct decode_known *known)
{
	const struct match_deep *how = l->how;
	size_t done = 0;

	if (l->depth >= PV_MIN(how->max_depth, (unsigned) DEPTH_MAX))
		return 0;
	if (l->depth || !how->changed)
		return decode_part(l, known, 0, l->len);
	for (size_t i = 0; i < how->n_changed; i++) {
		size_t start = how->changed[i].start, end = start + how->changed[i].len;
		size_t from = PV_MAX(done, decode_start(l->text, start > MATCH_MARGIN ? start - MATCH_MARGIN : 0));
		size_t to = PV_MIN(l->len, end + MATCH_MARGIN + 1);
		int r = from < to ? decode_part(l, NULL, from, to) : 0;

		if (r)
			return r;
		done = PV_MAX(done, to);
	}
	return 0;
}

static int scan_values(struct level *l)
{
	const struct match_values *v = l->how->values;
	int r = 0;

	if (!v)
		return 0;
	if (l->depth || !l->how->changed)
		return match_values_scan(v, l->text, l->len, on_value, l);
	for (size_t i = 0; r == 0 && i < l->how->n_changed; i++) {
		const struct rule_span *c = &l->how->changed[i];

		r = match_values_scan_changed(v, l->text, l->len, c->start > MATCH_MARGIN ? c->start - MATCH_MARGIN : 0,
					      PV_MIN(l->len, c->start + c->len + MATCH_MARGIN), on_value, l);
	}
	return r;
}

static int scan_level(struct level *l)
{
	bool goes_on = l->depth < PV_MIN(l->how->max_depth, (unsigned) DEPTH_MAX);
	struct decode_known known;
	int r = scan_values(l);

	known.n = known.to = 0;
	if (r == 0)
		r = scan_knowing(l->set, l->s, l->text, l->len, goes_on ? &known : NULL, l->depth ? NULL : l->how->far, on_rule, l);
	return r || !goes_on ? r : decode_level(l, &known);
}

int match_scan_deep(const struct match_set *set, struct match_scratch *s, const char *text, size_t len,
		    const struct match_deep *how, match_fn fn, void *user, size_t *ret_scanned)
{
	size_t budget = how->budget ? how->budget : BUDGET, scanned = len;
	struct level l = { .s = s, .set = set, .how = how, .fn = fn, .user = user, .text = text, .len = len, .budget = &budget };
	int r;

	s->n_seen = 0;
	if (!how->changed) {
		r = scan_level(&l);
	} else {
		r = scan_values(&l);
		if (r == 0)
			r = scan_changed(set, s, text, len, how->changed, how->n_changed, how->far, on_rule, &l, &scanned);
		if (r == 0)
			r = decode_level(&l, NULL);
	}
	if (ret_scanned)
		*ret_scanned = scanned;
	return r;
}
