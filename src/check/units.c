/* unit.*: the services that an administrator wrote, below /etc/systemd/system. What packages brought is theirs. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "check/gather.h"
#include "check/remedy.h"
#include "check/secret_name.h"
#include "check/unit_file.h"

#define DIR_UNITS  "/etc/systemd/system"
#define UNITS_MAX  500
#define UNIT_BYTES (256u << 10)

struct names {
	struct audit *a;
	const char **item;
	size_t n;
	const char *suffix;
};

static int collect(const char *name, unsigned char type, void *user)
{
	struct names *l = user;
	size_t n = strlen(name), s = strlen(l->suffix);
	const char **item;

	if (n <= s || strcmp(name + n - s, l->suffix) != 0 || (type == DT_LNK && strcmp(l->suffix, ".service") == 0) ||
	    type == DT_DIR)
		return 0; /* a link is an alias, a mask, or a package's unit switched on */
	item = arena_grow(&l->a->arena, l->item, l->n, sizeof(*item));
	if (!item)
		return -ENOMEM;
	l->item = item;
	l->item[l->n] = arena_dup(&l->a->arena, name);
	l->n += l->item[l->n] != NULL;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* NULL list: the folder cannot be read; then *ret says why. */
static int sorted(struct audit *a, const char *dir, const char *suffix, struct names *l)
{
	int r;

	*l = (struct names){ .a = a, .suffix = suffix };
	r = hostfs_list(&a->fs, dir, UNITS_MAX * 4, collect, l);
	if (l->n > 1)
		qsort(l->item, l->n, sizeof(*l->item), by_name);
	return r;
}

static int read_onto(struct audit *a, struct unit_file *u, const char *path)
{
	pv_autobuf text = PV_BUF_INIT;
	int r = hostfs_read(&a->fs, path, UNIT_BYTES, &text);

	return r < 0 ? r : unit_file_read(&a->arena, u, pv_buf_str(&text), text.len, path);
}

static int load(struct audit *a, const char *name, struct unit_file *u)
{
	static const char *const places[] = { DIR_UNITS, "/run/systemd/system", "/usr/lib/systemd/system" };
	int r;

	*u = (struct unit_file){ .name = name, .path = arena_printf(&a->arena, DIR_UNITS "/%s", name) };
	r = u->path ? read_onto(a, u, u->path) : -ENOMEM;
	for (size_t i = 0; i < N_ELEMENTS(places) && r == 0; i++) {
		const char *dir = arena_printf(&a->arena, "%s/%s.d", places[i], name);
		struct names drop;

		if (!dir || sorted(a, dir, ".conf", &drop) < 0)
			continue;
		for (size_t k = 0; k < drop.n && r == 0; k++) {
			const char *path = arena_printf(&a->arena, "%s/%s", dir, drop.item[k]);

			r = path ? read_onto(a, u, path) : -ENOMEM;
		}
	}
	return r;
}

static bool is_root(const struct unit_file *u)
{
	return !u->dynamic_user && (!u->user || strcmp(u->user, "root") == 0 || strcmp(u->user, "0") == 0);
}

static struct finding *unit_finding(const struct unit_file *u, enum id id, bool good)
{
	return gather_finding(id, good ? FINDING_PASS : FINDING_FAIL, SUBJECT_UNIT, u->name, u->path);
}

/* A drop-in of its own, so that nothing of the unit is touched. */
static void mend(struct finding *f, const struct unit_file *u, const char *text, const char *setting)
{
	pv_autobuf command = PV_BUF_INIT, dir = PV_BUF_INIT, file = PV_BUF_INIT;

	if (!f || f->verdict != FINDING_FAIL)
		return;
	pv_buf_printf(&dir, DIR_UNITS "/%s.d", u->name);
	pv_buf_printf(&file, "%s/pavise-%.*s.conf", pv_buf_str(&dir), (int) strcspn(setting, "="), setting);
	pv_buf_puts(&command, "mkdir -p ");
	remedy_word(&command, pv_buf_str(&dir));
	pv_buf_printf(&command, " && printf '[Service]\\n%s\\n' > ", setting);
	remedy_word(&command, pv_buf_str(&file));
	pv_buf_puts(&command, " && systemctl daemon-reload && systemctl restart ");
	remedy_word(&command, u->name);
	finding_remedy(f, text, *setting ? pv_buf_str(&command) : NULL);
}

static void secret_words(const struct unit_file *u, struct finding *f)
{
	for (size_t i = 0; i < u->env.n; i++) {
		const struct ctr_word *w = &u->env.item[i];
		const char *eq = strchr(w->text, '=');
		char name[128];

		if (!eq || (size_t) (eq - w->text) >= sizeof(name))
			continue;
		memcpy(name, w->text, (size_t) (eq - w->text));
		name[eq - w->text] = '\0';
		if (!secret_name(name) || !secret_value(name, eq + 1))
			continue;
		f->verdict = FINDING_FAIL;
		finding_evidence(f, name, w->file, w->line, "(len %zu)", strlen(eq + 1));
	}
}

/* --password=x, --token x, API_KEY=x on a command line. */
static void secret_arguments(struct audit *a, const struct unit_file *u, struct finding *f)
{
	for (size_t i = 0; i < u->exec.n; i++) {
		char *text = arena_dup(&a->arena, u->exec.item[i].text), *save = NULL;

		for (char *w = text ? strtok_r(text, " \t", &save) : NULL; w; w = strtok_r(NULL, " \t", &save)) {
			char *name = w + strspn(w, "-"), *eq = strchr(name, '=');

			if (!eq)
				continue;
			*eq = '\0';
			for (char *p = name; *p; p++)
				*p = *p == '-' ? '_' : *p;
			if (!secret_name(name) || !secret_value(name, eq + 1) || eq[1] == '$' || eq[1] == '%')
				continue;
			f->verdict = FINDING_FAIL;
			finding_evidence(f, name, u->exec.item[i].file, u->exec.item[i].line,
					 "on the command line (len %zu)", strlen(eq + 1));
		}
	}
}

static void env_files(struct audit *a, const struct unit_file *u, struct finding *f)
{
	for (size_t i = 0; i < u->env_file.n; i++) {
		const struct ctr_word *w = &u->env_file.item[i];
		const char *path = w->text + (*w->text == '-');
		struct stat st;
		int r = hostfs_stat(&a->fs, path, true, &st);

		if (strpbrk(path, "*?[%")) {
			if (f->verdict == FINDING_PASS)
				finding_unknown(f, REASON_UNSUPPORTED);
			finding_evidence(f, "EnvironmentFile", w->file, w->line, "%s is a pattern", path);
		} else if (r < 0 && *w->text != '-') {
			if (f->verdict == FINDING_PASS)
				finding_unknown(f, gather_reason(r));
			finding_evidence(f, "EnvironmentFile", w->file, w->line, "%s: %s", path, strerror(-r));
		} else if (r == 0 && st.st_mode & 077) {
			f->verdict = FINDING_FAIL;
			f->reason = REASON_NONE;
			finding_evidence(f, "EnvironmentFile", w->file, w->line, "%s has mode %04o", path,
					 st.st_mode & 07777);
		}
	}
}

static int environment(struct audit *a, const struct unit_file *u)
{
	struct finding *f = unit_finding(u, ID_UNIT_ENVIRONMENT_FILE, true);

	if (!f)
		return -ENOMEM;
	secret_words(u, f);
	secret_arguments(a, u, f);
	env_files(a, u, f);
	mend(f, u, "put the secrets into a file of mode 600 that EnvironmentFile= names, and change them", "");
	return gather_add(a, f, NULL);
}

static int judge(struct audit *a, const struct unit_file *u)
{
	bool nobody = u->user && strcmp(u->user, "nobody") == 0;
	struct finding *f;
	int r = 0;

	if (a->select.on[ID_UNIT_PRIVATE_TMP]) {
		f = unit_finding(u, ID_UNIT_PRIVATE_TMP, u->private_tmp || u->dynamic_user);
		mend(f, u, "give it a /tmp of its own", "PrivateTmp=yes");
		r = gather_add(a, f, NULL);
	}
	if (r == 0 && a->select.on[ID_UNIT_NO_NEW_PRIVILEGES]) {
		f = unit_finding(u, ID_UNIT_NO_NEW_PRIVILEGES,
				 u->no_new_privileges || u->dynamic_user || (u->implies_nnp && !is_root(u)));
		mend(f, u, "forbid new privileges", "NoNewPrivileges=yes");
		r = gather_add(a, f, NULL);
	}
	if (r == 0 && a->select.on[ID_UNIT_NON_ROOT]) {
		f = unit_finding(u, ID_UNIT_NON_ROOT, !is_root(u) && !nobody);
		if (f && f->verdict == FINDING_FAIL)
			finding_evidence(f, "User", u->path, u->user_line, "%s", u->user ? u->user : "not set: root");
		mend(f, u, "run it as a user of its own; its files must belong to that user", "");
		r = gather_add(a, f, NULL);
	}
	if (r == 0 && a->select.on[ID_UNIT_ENVIRONMENT_FILE])
		r = environment(a, u);
	return r;
}

static void projects_of(struct audit *a, const struct unit_file *u)
{
	const char *why = arena_printf(&a->arena, "unit %s", u->name);

	a->workloads = true;
	if (u->work_dir && *u->work_dir == '/')
		gather_project(a, u->work_dir, why);
	for (size_t i = 0; i < u->env_file.n; i++) {
		const char *path = u->env_file.item[i].text + (*u->env_file.item[i].text == '-'),
			   *slash = strrchr(path, '/');

		if (slash && slash != path && strncmp(path, "/etc/", 5) != 0)
			gather_project(a, arena_ndup(&a->arena, path, (size_t) (slash - path)), why);
	}
}

static int for_all(struct audit *a, enum finding_verdict v, int reason)
{
	static const enum id ids[] = { ID_UNIT_PRIVATE_TMP, ID_UNIT_NO_NEW_PRIVILEGES, ID_UNIT_NON_ROOT,
				       ID_UNIT_ENVIRONMENT_FILE };
	int r = 0;

	for (size_t i = 0; i < N_ELEMENTS(ids) && r == 0; i++)
		if (a->select.on[ids[i]])
			r = v == FINDING_UNKNOWN
				    ? gather_unknown(a, ids[i], SUBJECT_HOST, "host", gather_reason(reason), DIR_UNITS)
				    : gather_add(a, gather_finding(ids[i], v, SUBJECT_HOST, "host", NULL), NULL);
	return r;
}

int check_units(struct audit *a)
{
	struct names l;
	size_t judged = 0;
	int r = sorted(a, DIR_UNITS, ".service", &l);

	if (r < 0)
		return for_all(a, r == -ENOENT ? FINDING_NOT_APPLICABLE : FINDING_UNKNOWN, r);
	for (size_t i = 0; i < PV_MIN(l.n, (size_t) UNITS_MAX); i++) {
		struct unit_file u;

		r = load(a, l.item[i], &u);
		if (r == -ENOMEM)
			return r;
		if (r < 0) {
			r = gather_unknown(a, ID_UNIT_NON_ROOT, SUBJECT_UNIT, l.item[i], gather_reason(r),
					   strerror(-r));
		} else if (u.has_service) {
			judged++;
			projects_of(a, &u);
			r = judge(a, &u);
		}
		if (r < 0)
			return r;
	}
	return judged ? 0 : for_all(a, FINDING_NOT_APPLICABLE, 0);
}
