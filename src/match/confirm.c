#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "match/engine.h"

static int group_of(const pcre2_code *re, const char *name)
{
	int n = *name ? pcre2_substring_number_from_name(re, (PCRE2_SPTR) name) : -1;

	return n > 0 ? n : -1;
}

static const char *const more_names[MATCH_MORE_N] = { "session", "count", "method", "path", "forwarded", "time", "status" };

struct confirm *confirm_free(struct confirm *c)
{
	if (!c)
		return NULL;
	pcre2_code_free(c->re);
	free(c);
	return NULL;
}

static int no_group(const struct rule *rule, const char *name, struct pv_buf *err)
{
	pv_buf_printf(err, "%s: %s: the pattern has no group (?<%s>...)\n", rule->origin, rule->id, name);
	return -EINVAL;
}

int confirm_compile(const struct rule *rule, struct confirm **ret, struct pv_buf *err)
{
	/* USE_OFFSET_LIMIT: only starts near what the gate found are tried. */
	uint32_t options = PCRE2_USE_OFFSET_LIMIT | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;
	pv_auto(confirm) c = calloc(1, sizeof(*c));
	PCRE2_SIZE at;
	int code;

	if (!c)
		return -ENOMEM;
	if (rule->kind == RULE_LOG) {
		options |= PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY;
		if (rule->from == RULE_FROM_LINE || rule->from == RULE_FROM_JSON)
			options |= PCRE2_ANCHORED;
		if (rule->from != RULE_FROM_PART)
			options |= PCRE2_ENDANCHORED;
	}
	c->re = pcre2_compile((PCRE2_SPTR) rule->match, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);
	if (!c->re) {
		PCRE2_UCHAR why[160] = "";

		(void) pcre2_get_error_message(code, why, sizeof(why));
		pv_buf_printf(err, "%s: %s: the pattern is wrong at its character %zu: %s\n", rule->origin, rule->id, at + 1,
			      (const char *) why);
		return -EINVAL;
	}
	(void) pcre2_jit_compile(c->re, PCRE2_JIT_COMPLETE); /* where memory cannot be made executable: slower */
	c->secret = PV_MAX(group_of(c->re, "secret"), 0);
	c->address = group_of(c->re, rule->address);
	c->user = group_of(c->re, rule->user);
	for (size_t i = 0; i < N_ELEMENTS(more_names); i++)
		c->more[i] = group_of(c->re, more_names[i]);
	if (*rule->address && c->address < 0)
		return no_group(rule, rule->address, err);
	if (*rule->user && c->user < 0)
		return no_group(rule, rule->user, err);
	*ret = pv_steal(c);
	return 0;
}

const struct confirm *confirm_of(const struct match_set *set, size_t index)
{
	struct confirm *c = atomic_load_explicit(&set->confirm[index], memory_order_acquire), *none = NULL;
	pv_autobuf err = PV_BUF_INIT;

	if (c)
		return c;
	if (confirm_compile(rules_get(set->rs, index), &c, &err) < 0)
		return NULL;
	if (!atomic_compare_exchange_strong(&set->confirm[index], &none, c)) { /* another thread was first */
		confirm_free(c);
		return none;
	}
	return c;
}
