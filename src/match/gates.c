#include <limits.h>
#include <string.h>

#include "match/engine.h"
#include "match/rules.h"

#define LITERALS_MAX 8192
#define LITERAL_MIN  3

struct patterns {
	const char *pattern[RULE_MAX];
	unsigned flags[RULE_MAX], id[RULE_MAX];
	unsigned n;
};

static int complain(const struct rules *rs, const struct patterns *g, const hs_compile_error_t *e, struct pv_buf *err)
{
	const struct rule *r = e->expression >= 0 ? rules_get(rs, g->id[e->expression]) : NULL;

	pv_buf_printf(err, "%s: %s: the pattern cannot be searched for: %s\n", r ? r->origin : "rules", r ? r->id : "all",
		      e->message);
	return -EINVAL;
}

static int compile(const struct rules *rs, const struct patterns *g, hs_database_t **ret, struct pv_buf *err)
{
	hs_compile_error_t *e = NULL;
	int r;

	if (!g->n)
		return 0;
	if (hs_compile_multi(g->pattern, g->flags, g->id, g->n, HS_MODE_BLOCK, NULL, ret, &e) == HS_SUCCESS)
		return 0;
	r = complain(rs, g, e, err);
	hs_free_compile_error(e);
	return r;
}

/* The longest text that a pattern can take; 0 where libhs cannot tell. */
static unsigned width(const char *pattern)
{
	hs_expr_info_t *info = NULL;
	hs_compile_error_t *e = NULL;
	unsigned w = 0;

	if (hs_expression_info(pattern, HS_FLAG_PREFILTER, &info, &e) == HS_SUCCESS)
		w = info->max_width;
	free(info);
	hs_free_compile_error(e);
	return w;
}

/* What changed in a text is looked at as far around as rules say that they reach: what they say must be true. */
static int check_reach(const struct rule *rule, struct pv_buf *err)
{
	unsigned match = width(rule->match);

	if (rule->context.n && match && match < UINT_MAX - RULE_CONTEXT_REACH)
		match += RULE_CONTEXT_REACH; /* on one side; on the other it is as far from the change */

	if (match > rule->reach) {
		pv_buf_printf(err, "%s: %s: ", rule->origin, rule->id);
		if (match == UINT_MAX)
			pv_buf_puts(err, "a match has no longest length; bound its repeats\n");
		else
			pv_buf_printf(err, "a match may have %u bytes, its context included; write reach: %u or more\n", match, match);
		return -EINVAL;
	}
	if (rule->reach <= RULE_REACH_NEAR || width(rule->gate) <= MATCH_FAR_WIDTH)
		return 0;
	pv_buf_printf(err, "%s: %s: a rule that reaches further than %d bytes needs a gate of at most %d; write gate: literal\n",
		      rule->origin, rule->id, RULE_REACH_NEAR, MATCH_FAR_WIDTH);
	return -EINVAL;
}

static void add(struct patterns *g, const struct rule *rule, size_t i)
{
	g->pattern[g->n] = rule->gate;
	/* What libhs finds is confirmed anyway, so it may find a little more than the pattern says. */
	g->flags[g->n] = HS_FLAG_PREFILTER | (rule->caseless ? HS_FLAG_CASELESS : 0);
	g->id[g->n++] = (unsigned) i;
}

enum which { NEAR = 1, FAR = 2 };

static int compile_some(const struct rules *rs, unsigned which, hs_database_t **ret, struct pv_buf *err)
{
	pv_autofree struct patterns *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	for (size_t i = 0; i < rules_count(rs); i++) {
		const struct rule *rule = rules_get(rs, i);

		if (!rule->run.n && (which & (rule->reach > RULE_REACH_NEAR ? FAR : NEAR)))
			add(g, rule, i);
	}
	return compile(rs, g, ret, err);
}

static const char *const escapes[] = { "\\x1b\\[", "\\\\u00", "#033\\[" };

static void escape(struct pv_buf *out, const char *word)
{
	for (; *word; word++)
		pv_buf_printf(out, "\\x%02x", (unsigned char) *word);
}

struct line_patterns {
	char *pattern[LITERALS_MAX];
	unsigned flags[LITERALS_MAX], id[LITERALS_MAX], n;
};

static void add_literals(struct line_patterns *g, const struct rule *rule, unsigned id)
{
	for (size_t i = 0; i < rule->literal.n; i++)
		if (strlen(rule->literal.word[i]) < LITERAL_MIN)
			return;
	for (size_t i = 0; i < rule->literal.n && g->n < LITERALS_MAX - N_ELEMENTS(escapes); i++) {
		struct pv_buf text = PV_BUF_INIT;

		escape(&text, rule->literal.word[i]);
		g->pattern[g->n] = text.data;
		g->flags[g->n] = rule->caseless || strstr(rule->match, "(?i") ? HS_FLAG_CASELESS : 0;
		g->id[g->n++] = id;
	}
}

/* One pattern for each literal: libhs searches for them as plain strings, at several bytes a nanosecond. */
static int compile_lines(const struct rules *rs, hs_database_t **ret, struct pv_buf *err)
{
	pv_autofree struct line_patterns *g = calloc(1, sizeof(*g));
	hs_compile_error_t *e = NULL;
	int r = 0;

	if (!g)
		return -ENOMEM;
	for (size_t i = 0; i < rules_count(rs); i++)
		add_literals(g, rules_get(rs, i), (unsigned) i);
	if (g->n == LITERALS_MAX - N_ELEMENTS(escapes)) {
		pv_buf_printf(err, "rules: too many literals; at most %u\n", LITERALS_MAX);
		r = -EINVAL;
	}
	for (size_t i = 0; i < N_ELEMENTS(escapes); i++) {
		g->pattern[g->n] = strdup(escapes[i]);
		g->id[g->n++] = MATCH_ESCAPE;
	}
	for (unsigned i = 0; i < g->n; i++)
		if (!g->pattern[i])
			r = r ? r : -ENOMEM;
	if (r == 0 && hs_compile_multi((const char *const *) g->pattern, g->flags, g->id, g->n, HS_MODE_BLOCK, NULL, ret, &e) !=
			      HS_SUCCESS) {
		pv_buf_printf(err, "rules: the literals cannot be searched for: %s\n", e->message);
		hs_free_compile_error(e);
		r = -EINVAL;
	}
	for (unsigned i = 0; i < g->n; i++)
		free(g->pattern[i]);
	return r;
}

int gates_compile(const struct rules *rs, bool lines, struct gates *ret, struct pv_buf *err)
{
	struct gates g = { NULL, NULL, NULL };
	int r = 0;

	if (lines) {
		r = compile_lines(rs, &g.all, err);
		if (r == 0)
			*ret = g;
		return r;
	}
	for (size_t i = 0; i < rules_count(rs); i++)
		if (rules_get(rs, i)->kind != RULE_LOG && check_reach(rules_get(rs, i), err) < 0) /* a line has an end of its own */
			r = -EINVAL;
	if (r == 0)
		r = compile_some(rs, NEAR, &g.near, err);
	if (r == 0)
		r = compile_some(rs, FAR, &g.far, err);
	if (r == 0 && g.near && g.far)
		r = compile_some(rs, NEAR | FAR, &g.all, err);
	if (r < 0)
		gates_done(&g);
	else
		*ret = g;
	return r;
}

int match_set_compile(const struct rules *rs, struct match_set **ret, struct pv_buf *err)
{
	struct gates gates;
	int r = gates_compile(rs, false, &gates, err);

	return r < 0 ? r : match_set_make(rs, NULL, &gates, ret);
}

int match_set_compile_lines(const struct rules *rs, struct match_set **ret, struct pv_buf *err)
{
	struct gates gates;
	int r = gates_compile(rs, true, &gates, err);

	return r < 0 ? r : match_set_make(rs, NULL, &gates, ret);
}
