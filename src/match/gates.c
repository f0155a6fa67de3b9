#include <string.h>

#include "match/engine.h"
#include "match/rules.h"

struct gates {
	const char *pattern[RULE_MAX];
	unsigned flags[RULE_MAX], id[RULE_MAX];
	unsigned n;
};

static int complain(const struct rules *rs, const struct gates *g, const hs_compile_error_t *e, struct pv_buf *err)
{
	const struct rule *r = e->expression >= 0 ? rules_get(rs, g->id[e->expression]) : NULL;

	pv_buf_printf(err, "%s: %s: the pattern cannot be searched for: %s\n", r ? r->origin : "rules", r ? r->id : "all",
		      e->message);
	return -EINVAL;
}

static int compile(const struct rules *rs, const struct gates *g, hs_database_t **ret, struct pv_buf *err)
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

int gates_compile(const struct rules *rs, hs_database_t **ret_near, hs_database_t **ret_far, struct pv_buf *err)
{
	struct gates *near = calloc(1, sizeof(*near)), *far = calloc(1, sizeof(*far));
	int r = near && far ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < rules_count(rs); i++) {
		const struct rule *rule = rules_get(rs, i);
		struct gates *g = rule->reach > RULE_REACH_NEAR ? far : near;

		g->pattern[g->n] = rule->gate;
		/* What libhs finds is confirmed anyway, so it may find a little more than the pattern says. */
		g->flags[g->n] = HS_FLAG_PREFILTER | (rule->caseless ? HS_FLAG_CASELESS : 0);
		g->id[g->n++] = (unsigned) i;
	}
	if (r == 0)
		r = compile(rs, near, ret_near, err);
	if (r == 0)
		r = compile(rs, far, ret_far, err);
	free(near);
	free(far);
	return r;
}
