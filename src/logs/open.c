/* The set of rules that readers share, and what each source lets a rule do. */
#include <sodium.h>
#include <string.h>
#include <time.h>

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

int logs_make(struct match_set *set, struct logs **ret)
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

int logs_load(int fd, struct logs **ret)
{
	struct match_set *set = NULL;
	int r = match_set_load(fd, &set);

	return r < 0 ? r : logs_make(set, ret);
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
