/* Rules: from files or a memfd to a set that readers share; the examples of rule files, tried as lines. */
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "logs/inside.h"
#include "match/rules.h"

static struct logs_work *logs_work_free(struct logs_work *w)
{
	if (!w)
		return NULL;
	match_scratch_free(w->scratch);
	free(w->stamp);
	free(w->hits);
	free(w->ids);
	free(w->shown_ids);
	pv_buf_done(&w->plain);
	pv_buf_done(&w->decoded);
	pv_buf_done(&w->fields);
	free(w);
	return NULL;
}
PV_AUTO(logs_work)

static int logs_work_new(const struct match_set *set, struct logs_work **ret)
{
	pv_auto(logs_work) w = calloc(1, sizeof(*w));
	size_t n = rules_count(match_set_rules(set)) + 1;
	int r;

	if (!w)
		return -ENOMEM;
	w->stamp = calloc(n, sizeof(*w->stamp));
	w->hits = malloc(HITS_MAX * sizeof(*w->hits));
	w->ids = calloc(n, sizeof(*w->ids));
	w->shown_ids = calloc(n, sizeof(*w->shown_ids));
	if (!w->stamp || !w->hits || !w->ids || !w->shown_ids)
		return -ENOMEM;
	r = match_scratch_new(set, &w->scratch);
	if (r < 0)
		return r;
	w->plain.cap = w->decoded.cap = w->fields.cap = 2 * LOG_LINE_MAX;
	*ret = pv_steal(w);
	return 0;
}

struct logs *logs_free(struct logs *l)
{
	if (!l)
		return NULL;
	logs_work_free(l->work);
	match_set_free(l->set);
	free(l);
	return NULL;
}

static int make(struct match_set *set, struct logs **ret)
{
	pv_auto(logs) l = calloc(1, sizeof(*l));
	int r;

	if (!l || sodium_init() < 0) {
		match_set_free(set);
		return -ENOMEM;
	}
	tzset(); /* while files can be opened */
	l->set = set;
	l->rs = match_set_rules(set);
	randombytes_buf(&l->seed, sizeof(l->seed));
	r = logs_work_new(set, &l->work);
	if (r < 0)
		return r;
	*ret = pv_steal(l);
	return 0;
}

/* --- examples --- */

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
		r = make(set, &l);
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

	return r < 0 ? r : make(set, ret);
}

int logs_save(const struct match_where *where, int *ret_fd, struct pv_buf *err)
{
	const struct match_where w = as_lines(where);

	return match_set_save(&w, ret_fd, err);
}

int logs_load(int fd, struct logs **ret)
{
	struct match_set *set = NULL;
	int r = match_set_load(fd, &set);

	return r < 0 ? r : make(set, ret);
}

void logs_seed(struct logs *l, uint64_t seed)
{
	l->seed = seed;
}

bool logs_has_service(const struct logs *l, const char *service)
{
	for (size_t i = 0; i < rules_count(l->rs); i++) {
		const struct rule *r = rules_get(l->rs, i);

		if (r->kind == RULE_LOG && strcmp(r->family, service) == 0)
			return true;
	}
	return false;
}

static bool image_is(const struct rule *r, const char *image)
{
	for (size_t i = 0; i < r->when.image.n; i++)
		if (glob_match(r->when.image.word[i], image))
			return true;
	return false;
}

/* Without registry host, tag and digest: docker.io/library/nginx:1.27@sha256:... is nginx. */
static void image_name(const char *image, char *out, size_t size)
{
	const char *slash = strchr(image, '/'), *from = image;
	size_t n;

	if (slash && (memchr(image, '.', (size_t) (slash - image)) || memchr(image, ':', (size_t) (slash - image)) ||
		      strncmp(image, "localhost/", 10) == 0))
		from = slash + 1;
	if (strncmp(from, "library/", 8) == 0)
		from += 8;
	n = strcspn(from, "@:");
	n = PV_MIN(n, size - 1);
	memcpy(out, from, n);
	out[n] = '\0';
}

const char *logs_service_of_image(const struct logs *l, const char *image)
{
	char name[256];

	image_name(image, name, sizeof(name));
	for (size_t i = 0; *name && i < rules_count(l->rs); i++) {
		const struct rule *r = rules_get(l->rs, i);

		if (r->kind == RULE_LOG && image_is(r, name))
			return r->family;
	}
	return NULL;
}

/* --- what a source lets each rule do --- */

static bool in(const char *const *list, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], word) == 0)
			return true;
	return false;
}

static uint8_t judge_rule(const struct log_source *s, const char *image, const struct rule *rule)
{
	bool forced = s->service && strcmp(s->service, rule->family) == 0, chosen = forced;
	uint8_t may = MAY_TRY | (rule->kind == RULE_LOG && rule->strength == RULE_THROUGH ? MAY_THROUGH : 0);

	if (rule->kind != RULE_LOG)
		return rule->kind == RULE_SECRET ? MAY_TRY : 0;
	if (rule->tells != RULE_LOGIN)
		return MAY_TRY;
	if (s->service && !forced)
		return 0;
	if (image && *image && image_is(rule, image))
		chosen = true;
	if (chosen)
		may |= TRUSTED;
	if (s->kind == LOG_JOURNAL)
		chosen |= rule->when.unit.n != 0;
	else if (s->kind == LOG_SYSLOG)
		chosen |= rule->when.program.n != 0;
	if (chosen && (rule->verified || rule->ban || in(s->ban, s->n_ban, rule->family)))
		may |= MAY_BAN;
	return may;
}

int logs_reader_new(const struct logs *l, const struct log_source *s, struct logs_reader **ret)
{
	pv_auto(logs_reader) r = calloc(1, sizeof(*r));
	size_t n = rules_count(l->rs);
	char image[256] = "";

	if (!r)
		return -ENOMEM;
	r->l = l;
	r->w = l->work;
	r->s = *s;
	r->may = calloc(n + 1, sizeof(*r->may));
	if (!r->may)
		return -ENOMEM;
	if (s->image)
		image_name(s->image, image, sizeof(image));
	for (size_t i = 0; i < n; i++)
		r->may[i] = judge_rule(s, image, rules_get(l->rs, i));
	for (size_t i = 0; i < N_ELEMENTS(r->join); i++)
		r->join[i].text.cap = LOG_LINE_MAX;
	*ret = pv_steal(r);
	return 0;
}

struct logs_reader *logs_reader_free(struct logs_reader *r)
{
	if (!r)
		return NULL;
	attempts_free(r->attempts);
	weak_free(r->weak);
	free(r->may);
	for (size_t i = 0; i < N_ELEMENTS(r->join); i++)
		pv_buf_done(&r->join[i].text);
	free(r);
	return NULL;
}
