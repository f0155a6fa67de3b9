#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "match/engine.h"
#include "match/rules.h"

#define STACK_MIN 32768
#define STACK_MAX (1u << 20)
#define TRIES_MAX 200000 /* of one confirmation; a sane pattern takes some dozens */

void gates_done(struct gates *g)
{
	(void) hs_free_database(g->near);
	(void) hs_free_database(g->far);
	(void) hs_free_database(g->all);
	*g = (struct gates){ NULL, NULL, NULL };
}

struct match_set *match_set_free(struct match_set *set)
{
	if (!set)
		return NULL;
	for (size_t i = 0; set->confirm && i < rules_count(set->rs); i++)
		confirm_free(atomic_load(&set->confirm[i]));
	free(set->confirm);
	free(set->run);
	gates_done(&set->gates);
	rules_free(set->own);
	if (set->map)
		(void) munmap(set->map, set->map_len);
	free(set);
	return NULL;
}

/* What is looked for before a run of characters, of all rules. */
static int make_runs(struct match_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < rules_count(set->rs); i++)
		n += rules_get(set->rs, i)->run.n;
	set->run = calloc(n + 1, sizeof(*set->run));
	if (!set->run)
		return -ENOMEM;
	for (size_t i = 0; i < rules_count(set->rs); i++) {
		const struct rule_words *w = &rules_get(set->rs, i)->run;

		for (size_t k = 0; k < w->n; k++) {
			const char *word = w->word[k];

			set->run[set->n_runs++] = (struct run_gate){ word, strlen(word), i };
			set->run_after[(unsigned char) word[strlen(word) - 1]] = true;
		}
	}
	return 0;
}

int match_set_make(const struct rules *rs, struct rules *own, const struct gates *gates, struct match_set **ret)
{
	struct match_set *set = calloc(1, sizeof(*set));
	size_t n = rules_count(rs);

	if (!set) {
		gates_done(&(struct gates){ gates->near, gates->far, gates->all });
		rules_free(own);
		return -ENOMEM;
	}
	set->rs = rs;
	set->own = own;
	set->gates = *gates;
	set->confirm = calloc(n + 1, sizeof(*set->confirm));
	if (!set->confirm || make_runs(set) < 0) {
		match_set_free(set);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t reach = rules_get(rs, i)->reach;

		if (reach > RULE_REACH_NEAR)
			set->reach_far = PV_MAX(set->reach_far, reach);
		else
			set->reach_near = PV_MAX(set->reach_near, reach);
	}
	*ret = set;
	return 0;
}

const struct rules *match_set_rules(const struct match_set *set)
{
	return set->rs;
}

bool match_set_was_cached(const struct match_set *set)
{
	return set->cached;
}

struct match_scratch *match_scratch_free(struct match_scratch *s)
{
	if (!s)
		return NULL;
	(void) hs_free_scratch(s->hs);
	pcre2_match_data_free(s->data);
	pcre2_match_context_free(s->context);
	pcre2_jit_stack_free(s->stack);
	free(s->state);
	free(s->seen);
	free(s);
	return NULL;
}

int match_scratch_new(const struct match_set *set, struct match_scratch **ret)
{
	pv_auto(match_scratch) s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->set = set;
	if ((set->gates.near && hs_alloc_scratch(set->gates.near, &s->hs) != HS_SUCCESS) ||
	    (set->gates.far && hs_alloc_scratch(set->gates.far, &s->hs) != HS_SUCCESS) ||
	    (set->gates.all && hs_alloc_scratch(set->gates.all, &s->hs) != HS_SUCCESS))
		return -ENOMEM;
	s->data = pcre2_match_data_create(16, NULL);
	s->context = pcre2_match_context_create(NULL);
	s->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL);
	s->state = calloc(rules_count(set->rs) + 1, sizeof(*s->state));
	if (!s->data || !s->context || !s->stack || !s->state)
		return -ENOMEM;
	pcre2_jit_stack_assign(s->context, NULL, s->stack);
	(void) pcre2_set_match_limit(s->context, TRIES_MAX);
	*ret = pv_steal(s);
	return 0;
}

uint64_t match_scratch_gave_up(const struct match_scratch *s)
{
	return s->gave_up;
}
