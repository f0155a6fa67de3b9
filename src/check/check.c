#include "check/check.h"

#include <string.h>

#include "base/text.h"
#include "check/img.h"
#include "check/remedy.h"

void check_policy_defaults(struct check_policy *p)
{
	*p = (struct check_policy){
		.pids = 100,
		.memory = 512u << 20,
		.nano_cpus = 1500000000,
		.ports = { 80, 443 },
		.n_ports = 2,
		.key_age_us = 90ull * 86400 * 1000000,
	};
}

static int set_policy(struct check_policy *p, const char *key, uint64_t n)
{
	if (strcmp(key, "pids") == 0)
		p->pids = n;
	else if (strcmp(key, "memory") == 0)
		p->memory = n;
	else if (strcmp(key, "milli_cpus") == 0)
		p->nano_cpus = n * 1000000;
	else if (strcmp(key, "key_age") == 0)
		p->key_age_us = n * 1000000;
	else if (strcmp(key, "channels") == 0)
		p->channels = (unsigned) n;
	else
		return -EINVAL;
	return 0;
}

static int set_ports(struct check_policy *p, char *list)
{
	char *save = NULL;
	uint32_t port;

	p->n_ports = 0;
	for (char *w = strtok_r(list, ":", &save); w; w = strtok_r(NULL, ":", &save)) {
		if (parse_u32(w, &port) < 0 || port > 65535 || p->n_ports == CHECK_PORTS)
			return -EINVAL;
		p->ports[p->n_ports++] = (uint16_t) port;
	}
	return 0;
}

int check_policy_read(struct check_policy *p, const char *text)
{
	char own[1024], *save = NULL;
	int r = text_copy(own, sizeof(own), text) ? 0 : -EINVAL;

	for (char *w = strtok_r(own, ",", &save); w && r == 0; w = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(w, '=');
		uint64_t n;

		if (!eq)
			return -EINVAL;
		*eq++ = '\0';
		if (strcmp(w, "ports") == 0)
			r = set_ports(p, eq);
		else
			r = parse_u64(eq, &n) < 0 ? -EINVAL : set_policy(p, w, n);
	}
	p->configured = r == 0;
	return r;
}

bool check_port_allowed(const struct check_policy *p, unsigned port)
{
	for (size_t i = 0; i < p->n_ports; i++)
		if (p->ports[i] == port)
			return true;
	return false;
}

/* --- which ids --- */

/* What the audit answers for; secrets, dependencies and logs are other commands'. */
bool check_is_audit(enum id id)
{
	static const char *const families[] = {
		"ctr.",
		"img.",
		"host.",
		"ssh.",
		"fw.",
		"upd.",
		"tls.",
		"unit.",
		"file.",
		"git.",
		"backup.",
		"mon.",
		"ci.",
		"image.",
		"dokploy.",
		"app.",
		"secret.key-length",
		"secret.rotation-age",
	};
	const struct id_info *info = id_info(id);

	for (size_t i = 0; info && i < N_ELEMENTS(families); i++)
		if (strncmp(info->name, families[i], strlen(families[i])) == 0)
			return true;
	return false;
}

/* "ctr" and "ctr." stand for all of ctr.*; "ctr.host" for nothing but itself. */
static bool fits(const char *word, size_t len, enum id id)
{
	const char *name = id_info(id)->name;
	char whole[64];
	enum id alias;

	if (len >= sizeof(whole) || len == 0)
		return false;
	memcpy(whole, word, len);
	whole[len] = '\0';
	if (id_parse(whole, &alias) == 0)
		return alias == id;
	if (strncmp(name, word, len) != 0)
		return false;
	return word[len - 1] == '.' || name[len] == '.' || name[len] == '\0';
}

static int apply(struct check_select *s, const char *list, bool value, char *ret_word, size_t size)
{
	while (list && *list) {
		size_t len = strcspn(list, ",");
		bool any = false;

		for (unsigned i = 0; i < ID_N; i++)
			if (check_is_audit((enum id) i) && fits(list, len, (enum id) i)) {
				s->on[i] = value;
				any = true;
			}
		if (!any) {
			size_t n = PV_MIN(len, size - 1);

			memcpy(ret_word, list, n);
			ret_word[n] = '\0';
			return -EINVAL;
		}
		list += len + (list[len] == ',');
	}
	return 0;
}

int check_select(struct check_select *s, const char *only, const char *skip, char *ret_word, size_t size)
{
	int r;

	for (unsigned i = 0; i < ID_N; i++)
		s->on[i] = !only && check_is_audit((enum id) i);
	r = apply(s, only, true, ret_word, size);
	return r < 0 ? r : apply(s, skip, false, ret_word, size);
}

/* --- one container --- */

static void tell_gap(const struct ctr *c, enum ctr_field field, struct finding *f)
{
	const struct ctr_gap *g = &c->gap[field];

	finding_unknown(f, g->reason);
	finding_evidence(f, "not understood", c->path, g->line, "%s", g->why ? g->why : "");
}

static void settle(const struct ctr *c, const struct ctr_check *check, enum answer answer, struct finding *f)
{
	bool gap = c->gap[check->field].reason != REASON_NONE;

	switch (answer) {
	case ANSWER_PASS:
		if (gap)
			tell_gap(c, check->field, f);
		break;
	case ANSWER_SEEN:
		f->verdict = FINDING_FAIL;
		break;
	case ANSWER_MISSING:
		f->verdict = FINDING_FAIL;
		if (gap)
			tell_gap(c, check->field, f);
		break;
	case ANSWER_NA:
		f->verdict = FINDING_NOT_APPLICABLE;
		break;
	case ANSWER_UNKNOWN:
		break;
	}
}

/* The line of what was seen, so that a code host shows it there. */
static uint64_t line_of(const struct ctr *c, const struct finding *f)
{
	for (size_t i = 0; i < f->n_evidence; i++)
		if (f->evidence[i].line && f->evidence[i].path && c->path && strcmp(f->evidence[i].path, c->path) == 0)
			return f->evidence[i].line;
	return c->line;
}

static int one(const struct ctr *c, const struct ctr_check *check, const struct check_policy *p,
	       struct finding_list *to)
{
	struct finding *f = finding_new(check->id, FINDING_PASS);

	if (!f)
		return -ENOMEM;
	settle(c, check, check->probe(c, p, f), f);
	finding_subject(f, c->kind, c->name, c->path, line_of(c, f));
	if (f->verdict == FINDING_FAIL)
		remedy_container(c, check, p, f);
	finding_fingerprint(f, NULL, NULL);
	return finding_list_add(to, f);
}

int check_container(const struct ctr *c, const struct check_policy *p, const struct check_select *s,
		    struct finding_list *to)
{
	int r = 0;

	to->checked++;
	for (const struct ctr_check *k = ctr_checks; k->probe && r == 0; k++)
		if (s->on[k->id] && k->sources >> c->source & 1)
			r = one(c, k, p, to);
	return r < 0 ? r : check_image_steps(c, s, to);
}

/* --- replicas --- */

static bool same_subject(const struct finding *a, const struct finding *b)
{
	return a->id == b->id && a->subject.kind == b->subject.kind && strcmp(a->fingerprint, b->fingerprint) == 0;
}

static int by_fingerprint(const void *pa, const void *pb)
{
	const struct finding *a = *(const struct finding *const *) pa, *b = *(const struct finding *const *) pb;
	int r = strcmp(a->fingerprint, b->fingerprint);

	if (r == 0)
		r = (int) a->verdict - (int) b->verdict; /* the worse one first: it stays */
	return r ? r : (int) b->severity - (int) a->severity;
}

void check_fold(struct finding_list *l)
{
	size_t kept = 0;

	if (l->n > 1)
		qsort(l->item, l->n, sizeof(*l->item), by_fingerprint);
	for (size_t i = 0; i < l->n; i++) {
		struct finding *f = l->item[i], *last = kept ? l->item[kept - 1] : NULL;

		if (last && *f->fingerprint && same_subject(last, f)) {
			last->subject.instances = PV_MAX(last->subject.instances, (uint64_t) 1) + 1;
			(void) finding_free(f);
		} else {
			l->item[kept++] = f;
		}
	}
	l->n = kept;
}

int check_unsupported(const struct check_select *s, bool host, struct finding_list *to)
{
	bool answered[ID_N] = { false };
	int r = 0;

	for (size_t i = 0; i < to->n; i++)
		answered[to->item[i]->id] = true;
	for (unsigned i = 0; i < ID_N && r == 0 && host; i++) {
		const char *name = id_info((enum id) i)->name;
		struct finding *f;

		/* these speak of containers and Dockerfiles: without one there is nothing to say */
		if (!s->on[i] || answered[i] || strncmp(name, "ctr.", 4) == 0 || strncmp(name, "img.", 4) == 0 ||
		    i == ID_SECRET_KEY_LENGTH)
			continue;
		f = finding_new((enum id) i, FINDING_UNKNOWN);
		finding_unknown(f, REASON_UNSUPPORTED);
		finding_subject(f, SUBJECT_HOST, "host", NULL, 0);
		finding_fingerprint(f, NULL, NULL);
		r = finding_list_add(to, f);
	}
	return r;
}
