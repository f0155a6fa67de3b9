/* Every example of every rule is tried as a scan would: by the compiled gates, and confirmed. */
#include <string.h>

#include "match/engine.h"
#include "match/rules.h"

struct trial {
	const struct rule_example *e;
	const struct rules *rs;
	bool found, right, literal;
	struct pv_buf got;
};

static bool holds(const char *text, size_t len, const char *word, bool caseless)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= len; i++)
		if (caseless ? strncasecmp(text + i, word, n) == 0 : memcmp(text + i, word, n) == 0)
			return true;
	return false;
}

static bool has_literal(const struct rule *r, const char *text, size_t len)
{
	bool any_case = r->caseless || strstr(r->match, "(?i") != NULL;

	for (size_t i = 0; i < r->literal.n; i++)
		if (holds(text, len, r->literal.word[i], any_case))
			return true;
	return false;
}

static int on_hit(const struct match_hit *h, void *user)
{
	struct trial *t = user;
	struct rule_span span = h->rule->kind == RULE_LOG && h->address.len ? h->address : h->secret;
	const char *got = t->e->text + span.start;
	size_t want = strlen(t->e->span);

	if (h->index != t->e->rule)
		return 0;
	t->found = true;
	t->right |= want == 0 || (span.len == want && memcmp(got, t->e->span, want) == 0);
	t->literal |= has_literal(h->rule, t->e->text + h->whole.start, h->whole.len);
	pv_buf_clear(&t->got);
	pv_buf_safe(&t->got, got, PV_MIN(span.len, (size_t) 60)); /* an example, not a secret */
	return 0;
}

static int judge(const struct trial *t, struct pv_buf *err)
{
	const struct rule *r = rules_get(t->rs, t->e->rule);
	const char *why = NULL;

	if (t->e->want && !t->found)
		why = "the rule does not find this example";
	else if (t->e->want && !t->right)
		why = "the rule finds another span in this example than it says";
	else if (!t->e->want && t->found)
		why = "the rule finds this example, which is listed under `no`";
	else if (t->found && !t->literal)
		why = "the match holds none of the literals; each match has to contain one";
	if (!why)
		return 0;
	pv_buf_printf(err, "%s: %s: %s", t->e->where, r->id, why);
	if (t->found)
		pv_buf_printf(err, " (found: %s)", pv_buf_str(&t->got));
	pv_buf_putc(err, '\n');
	return -EINVAL;
}

static int try_all(const struct rules *rs, struct match_set *set, struct pv_buf *err)
{
	pv_auto(match_scratch) s = NULL;
	int r = match_scratch_new(set, &s), worst = 0;

	for (size_t i = 0; r == 0 && i < rs->n_examples; i++) {
		const struct rule_example *e = &rs->examples[i];
		struct trial t = { .e = e, .rs = rs };

		if (!e->text)
			return -ENOMEM;
		if (rs->rule[e->rule].kind == RULE_LOG)
			continue;
		r = match_scan(set, s, e->text, strlen(e->text), on_hit, &t);
		if (r == 0 && judge(&t, err) < 0)
			worst = -EINVAL;
		pv_buf_done(&t.got);
	}
	return r ? r : worst;
}

int rules_try_examples(const struct rules *rs, struct pv_buf *err)
{
	pv_auto(match_set) set = NULL;
	int r = 0;

	for (size_t i = 0; i < rs->n; i++) {
		pv_auto(confirm) c = NULL;

		if (confirm_compile(&rs->rule[i], &c, err) < 0)
			r = -EINVAL;
	}
	if (r == 0)
		r = match_set_compile(rs, &set, err);
	return r ? r : try_all(rs, set, err);
}
