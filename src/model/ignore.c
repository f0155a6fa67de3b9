#include "model/ignore.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "model/conf_yaml.h"

#define YEAR_US (366 * USEC_PER_DAY)

struct entry {
	enum id id;
	char *subject, *rule, *reason, *owner, *expires;
	char *about; /* about: `secret.in-code test/key-*`, for findings */
	unsigned line;
	char wrong[96]; /* why it does not count; empty: it does */
	bool used;
};

struct ignore_list {
	char *name;
	struct entry *entry;
	size_t n;
};

struct ignore_list *ignore_list_free(struct ignore_list *l)
{
	if (!l)
		return NULL;
	for (size_t i = 0; i < l->n; i++) {
		free(l->entry[i].subject);
		free(l->entry[i].rule);
		free(l->entry[i].reason);
		free(l->entry[i].owner);
		free(l->entry[i].expires);
		free(l->entry[i].about);
	}
	free(l->entry);
	free(l->name);
	free(l);
	return NULL;
}

int ignore_date(const char *text, uint64_t *ret_us)
{
	struct tm tm = { .tm_hour = 23, .tm_min = 59, .tm_sec = 59 }, back;
	uint32_t v[3];
	char part[3][5];
	time_t t;

	if (strlen(text) != 10 || text[4] != '-' || text[7] != '-')
		return -EINVAL;
	(void) snprintf(part[0], 5, "%.4s", text);
	(void) snprintf(part[1], 5, "%.2s", text + 5);
	(void) snprintf(part[2], 5, "%.2s", text + 8);
	for (unsigned i = 0; i < 3; i++)
		if (parse_u32(part[i], &v[i]) < 0)
			return -EINVAL;
	tm.tm_year = (int) v[0] - 1900;
	tm.tm_mon = (int) v[1] - 1;
	tm.tm_mday = (int) v[2];
	back = tm;
	t = timegm(&back);
	if (t < 0 || back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday) /* 2027-02-30 */
		return -EINVAL;
	*ret_us = (uint64_t) t * USEC_PER_SEC + USEC_PER_SEC - 1;
	return 0;
}

int ignore_in_force(uint64_t until_us, uint64_t now_us)
{
	if (until_us < now_us)
		return -ETIME;
	return until_us - now_us > YEAR_US ? -ERANGE : 0;
}

static const char *value_of(const struct yaml_node *map, const char *key)
{
	for (size_t i = 0; i + 1 < map->n; i += 2)
		if (map->child[i]->kind == YAML_SCALAR && strcmp(map->child[i]->text, key) == 0)
			return map->child[i + 1]->kind == YAML_SCALAR && !map->child[i + 1]->null ? map->child[i + 1]->text :
												    NULL;
	return NULL;
}

static void wrong(struct entry *e, const char *fmt, ...) PV_PRINTF(2, 3);
static void wrong(struct entry *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void) vsnprintf(e->wrong, sizeof(e->wrong), fmt, ap);
	va_end(ap);
}

static void check_keys(struct entry *e, const struct yaml_node *map)
{
	static const char *const known[] = { "id", "subject", "rule", "reason", "owner", "expires" };

	for (size_t i = 0; i + 1 < map->n; i += 2) {
		bool found = false;

		for (size_t k = 0; k < N_ELEMENTS(known); k++)
			found |= map->child[i]->kind == YAML_SCALAR && strcmp(map->child[i]->text, known[k]) == 0;
		if (!found)
			wrong(e, "a key that is none of id, subject, rule, reason, owner, expires");
	}
}

static void check_entry(struct entry *e, const struct yaml_node *map, uint64_t now_us)
{
	const char *id = value_of(map, "id"), *expires = e->expires;
	uint64_t until = 0;

	check_keys(e, map);
	if (!id || !*id)
		wrong(e, "its id is missing");
	else if (strpbrk(id, "*?"))
		wrong(e, "an id has no wildcard");
	else if (id_parse(id, &e->id) < 0)
		wrong(e, "there is no such id");
	else if (!e->subject || !*e->subject)
		wrong(e, "its subject is missing");
	else if (!e->reason || !*e->reason)
		wrong(e, "its reason is missing");
	else if (!e->owner || !*e->owner)
		wrong(e, "its owner is missing: who answers for it");
	else if (!expires || ignore_date(expires, &until) < 0)
		wrong(e, "expires wants a date such as 2027-03-01");
	else if (ignore_in_force(until, now_us) == -ETIME)
		wrong(e, "it ended on %s", expires);
	else if (ignore_in_force(until, now_us) < 0)
		wrong(e, "expires lies more than a year ahead");
}

/* false: no memory */
static bool take(const struct yaml_node *map, const char *key, char **ret)
{
	const char *value = value_of(map, key);

	*ret = value ? strdup(value) : NULL;
	return *ret || !value;
}

static int add_entry(struct ignore_list *l, const struct yaml_node *map, uint64_t now_us)
{
	struct entry *e = &l->entry[l->n];
	const char *id = value_of(map, "id");

	*e = (struct entry){ .line = map->line, .id = ID_IGNORE_INVALID };
	l->n++;
	if (!take(map, "subject", &e->subject) || !take(map, "rule", &e->rule) || !take(map, "reason", &e->reason) ||
	    !take(map, "owner", &e->owner) || !take(map, "expires", &e->expires))
		return -ENOMEM;
	if (asprintf(&e->about, "%s %s", id ? id : "(no id)", e->subject ? e->subject : "(no subject)") < 0) {
		e->about = NULL;
		return -ENOMEM;
	}
	check_entry(e, map, now_us);
	return 0;
}

static int bad(struct pv_buf *err, const char *name, unsigned line, unsigned column, const char *why)
{
	pv_buf_safe(err, name, 0);
	pv_buf_printf(err, ":%u:%u: %s\n", line, column, why);
	return -EINVAL;
}

static int read_list(struct ignore_list *l, const struct yaml_node *root, uint64_t now_us, struct pv_buf *err)
{
	int r = 0;

	if (root->kind != YAML_LIST)
		return bad(err, l->name, root->line, root->column, "wants a list of `- id: ...` entries");
	if (root->n > IGNORE_ENTRIES)
		return bad(err, l->name, root->line, root->column, "too many entries; at most 2000");
	l->entry = calloc(root->n + 1, sizeof(*l->entry));
	if (!l->entry)
		return -ENOMEM;
	for (size_t i = 0; i < root->n && r == 0; i++) {
		const struct yaml_node *map = root->child[i];

		r = map->kind == YAML_MAP ? add_entry(l, map, now_us) :
					    bad(err, l->name, map->line, map->column, "wants `id:`, `subject:` and so on");
	}
	return r;
}

int ignore_read(const char *name, const char *text, size_t len, uint64_t now_us, struct ignore_list **ret,
		struct pv_buf *err)
{
	pv_auto(ignore_list) l = calloc(1, sizeof(*l));
	pv_auto(yaml_doc) doc = NULL;
	pv_autobuf why = PV_BUF_INIT;
	const struct yaml_node *root = NULL;
	unsigned line = 1, column = 1;
	int r;

	if (!l || !(l->name = strdup(name)))
		return -ENOMEM;
	r = yaml_doc_parse(text, len, &doc, &root, &line, &column, &why);
	if (r == -EINVAL)
		return bad(err, name, line, column, pv_buf_str(&why));
	if (r == 0 && root)
		r = read_list(l, root, now_us, err);
	if (r < 0)
		return r;
	*ret = pv_steal(l);
	return 0;
}

bool ignore_covers(struct ignore_list *l, struct finding *f, const char *rule)
{
	for (size_t i = 0; l && i < l->n && f->verdict == FINDING_FAIL; i++) {
		struct entry *e = &l->entry[i];

		if (*e->wrong || e->id != f->id || (e->rule && (!rule || strcmp(e->rule, rule) != 0)))
			continue;
		if (!(f->subject.name && glob_match(e->subject, f->subject.name)) &&
		    !(f->subject.path && glob_match(e->subject, f->subject.path)))
			continue;
		e->used = true;
		if (!f->accepted.reason)
			finding_accept(f, e->reason, e->owner, e->expires);
	}
	return f->accepted.reason;
}

int ignore_report(const struct ignore_list *l, bool (*ran)(enum id id), struct finding_list *to)
{
	bool unknown[ID_N] = { false };
	int r = 0;

	for (size_t i = 0; i < to->n; i++)
		unknown[to->item[i]->id] |= to->item[i]->verdict == FINDING_UNKNOWN && to->item[i]->reason != REASON_BY_NATURE;
	for (size_t i = 0; l && i < l->n && r == 0; i++) {
		const struct entry *e = &l->entry[i];
		struct finding *f;

		if (!*e->wrong && (e->used || (ran && !ran(e->id)) || unknown[e->id]))
			continue;
		f = finding_new(*e->wrong ? ID_IGNORE_INVALID : ID_IGNORE_UNUSED, FINDING_FAIL);
		finding_subject(f, SUBJECT_FILE, l->name, l->name, e->line);
		finding_evidence(f, "entry", l->name, e->line, "%s", e->about);
		if (*e->wrong)
			finding_evidence(f, "because", NULL, 0, "%s", e->wrong);
		finding_fingerprint(f, NULL, e->about);
		r = finding_list_add(to, f);
	}
	return r;
}
