/* Rules from files; their examples, tried as lines. */
#include <string.h>

#include "base/clock.h"
#include "logs/inside.h"
#include "match/rules.h"

struct example {
	const struct rules *rs;
	const struct rule_example *e;
	bool taken, right;
	struct pv_buf got;
};

static int on_example(const struct log_event *e, void *arg)
{
	struct example *x = arg;

	if (strcmp(e->rule, x->rs->rule[x->e->rule].id) != 0)
		return 0;
	x->taken = true;
	pv_buf_clear(&x->got);
	if (e->has_address)
		ip_format(&x->got, &e->address);
	x->right |= !*x->e->span || strcmp(pv_buf_str(&x->got), x->e->span) == 0;
	return 0;
}

/* A request that got through tells something only after one that did not. */
static int prepare(struct logs_reader *r, const struct rule *rule)
{
	if (rule->strength != RULE_THROUGH)
		return 0;
	r->trial = NULL;
	return r->weak ? 0 : weak_new(&r->weak);
}

static int try_one(const struct logs *l, struct example *x, struct pv_buf *err)
{
	const struct rule *rule = &x->rs->rule[x->e->rule];
	const struct log_source source = { .kind = LOG_FILE, .name = "example", .service = rule->family };
	struct log_record rec = { .text = x->e->text, .len = strlen(x->e->text), .time_us = clock_wall_us() };
	pv_auto(logs_reader) r = NULL;
	const char *why = NULL;
	int e = logs_reader_new(l, &source, &r);

	if (e == 0)
		e = prepare(r, rule);
	if (e == 0)
		e = logs_record(r, &rec, on_example, x);
	if (e < 0)
		return e;
	if (rule->strength == RULE_THROUGH)
		return 0;
	if (x->e->want && !x->taken)
		why = "the rule does not take this example";
	else if (x->e->want && !x->right)
		why = "the rule finds another address in this example than it says";
	else if (!x->e->want && x->taken)
		why = "the rule takes this example, which is listed under `no`";
	if (!why)
		return 0;
	pv_buf_printf(err, "%s: %s: %s", x->e->where, rule->id, why);
	if (x->got.len)
		pv_buf_printf(err, " (found: %s)", pv_buf_str(&x->got));
	pv_buf_putc(err, '\n');
	return -EINVAL;
}

static int try_lines(const struct rules *rs, struct pv_buf *err)
{
	pv_auto(logs) l = NULL;
	struct match_set *set = NULL;
	int r = match_set_compile_lines(rs, &set, err), worst = 0;

	if (r == 0)
		r = logs_make(set, &l);
	for (size_t i = 0; r == 0 && i < rs->n_examples; i++) {
		struct example x = { .rs = rs, .e = &rs->examples[i] };

		if (!x.e->text)
			return -ENOMEM;
		if (rs->rule[x.e->rule].kind != RULE_LOG)
			continue;
		r = try_one(l, &x, err);
		pv_buf_done(&x.got);
		if (r == -EINVAL) {
			worst = r;
			r = 0;
		}
	}
	return r ? r : worst;
}

static struct match_where as_lines(const struct match_where *where)
{
	struct match_where w = *where;

	w.lines = true;
	w.try_lines = try_lines;
	return w;
}

int logs_open(const struct match_where *where, struct logs **ret, struct pv_buf *err)
{
	const struct match_where w = as_lines(where);
	struct match_set *set = NULL;
	int r = match_set_open(&w, &set, err);

	return r < 0 ? r : logs_make(set, ret);
}

int logs_save(const struct match_where *where, int *ret_fd, struct pv_buf *err)
{
	const struct match_where w = as_lines(where);

	return match_set_save(&w, ret_fd, err);
}
