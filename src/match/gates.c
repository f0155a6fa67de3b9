#include <string.h>

#include "match/engine.h"
#include "match/rules.h"

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

void gates_done(struct gates *g)
{
	(void) hs_free_database(g->near);
	(void) hs_free_database(g->far);
	(void) hs_free_database(g->all);
	*g = (struct gates){ NULL, NULL, NULL };
}

int gates_compile(const struct rules *rs, struct gates *ret, struct pv_buf *err)
{
	struct gates g = { NULL, NULL, NULL };
	int r = compile_some(rs, NEAR, &g.near, err);

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
