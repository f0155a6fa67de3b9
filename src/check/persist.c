/* image.new-executables: programs in a container that its image did not bring. secret.rotation-age: secrets that nobody has
 * changed for too long. (Keys, deployments and files that are new: seen.c.) */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/dotenv.h"
#include "check/gather.h"
#include "check/remedy.h"
#include "check/secret_name.h"
#include "check/known.h"

#define EVIDENCE 12

struct watch { /* one finding about programs */
	struct audit *a;
	struct finding *f;
	size_t n, fresh;
	int error;
};

/* --- programs that the image did not bring: the container's own layer --- */

#define LAYER_ENTRIES 20000
#define LAYER_DEPTH   12

struct layer {
	struct watch *w;
	const struct ctr *c;
	const char *dir; /* on the host */
	const char *at;	 /* in the container */
	unsigned depth;
	size_t *left;
};

/* Where programs have no business: temporary folders, and what a package manager links as commands. */
static bool odd_place(const char *at)
{
	static const char *const starts[] = { "/tmp/", "/var/tmp/", "/dev/shm/", "/run/" };

	for (size_t i = 0; i < N_ELEMENTS(starts); i++)
		if (strncmp(at, starts[i], strlen(starts[i])) == 0)
			return true;
	return strstr(at, "/node_modules/.bin/") || strstr(at, "/.");
}

static void one_program(struct layer *l, const char *path, const char *at, const struct stat *st)
{
	char magic[4] = "";
	ssize_t n;

	if (!S_ISREG(st->st_mode) || !st->st_size || !odd_place(at))
		return;
	n = hostfs_head(&l->w->a->fs, path, magic, sizeof(magic));
	if (!(n == 4 && memcmp(magic, "\177ELF", 4) == 0) &&
	    !(st->st_mode & 0111 && n >= 2 && magic[0] == '#' && magic[1] == '!'))
		return;
	if (l->w->fresh++ < EVIDENCE)
		finding_evidence(l->w->f, l->c->name, path, 0, "%.300s", at);
}

static int layer_entry(const char *name, unsigned char type, void *user)
{
	struct layer *l = user, inner = *l;
	struct stat st;

	(void) type;
	if (!*l->left)
		return -EFBIG;
	--*l->left;
	inner.dir = arena_printf(&l->w->a->arena, "%s/%s", l->dir, name);
	inner.at = arena_printf(&l->w->a->arena, "%s/%s", l->at, name);
	inner.depth++;
	if (!inner.dir || !inner.at || hostfs_stat(&l->w->a->fs, inner.dir, false, &st) < 0)
		return 0;
	if (S_ISDIR(st.st_mode) && inner.depth < LAYER_DEPTH)
		return hostfs_list(&l->w->a->fs, inner.dir, LAYER_ENTRIES, layer_entry, &inner) == -EFBIG ? -EFBIG : 0;
	one_program(l, inner.dir, inner.at, &st);
	return 0;
}

static int programs(struct audit *a)
{
	struct watch w = { .a = a, .f = gather_finding(ID_IMAGE_NEW_EXECUTABLES, FINDING_PASS, SUBJECT_HOST, "host", NULL) };
	size_t left = LAYER_ENTRIES;

	for (size_t i = 0; i < a->containers.n; i++) {
		const struct ctr *c = a->containers.item[i];
		struct layer l = { &w, c, c->upper, "", 0, &left };
		int r;

		if (c->source != CTR_INSPECT || !c->running)
			continue;
		w.n++;
		r = c->upper ? hostfs_list(&a->fs, c->upper, LAYER_ENTRIES, layer_entry, &l) : -ENOTSUP;
		w.error = r < 0 ? r : w.error;
	}
	if (!w.f)
		return -ENOMEM;
	if (w.fresh) {
		w.f->verdict = FINDING_FAIL;
		finding_remedy(w.f,
			       "keep a copy, stop the container, build it again from clean sources, and change what it could read",
			       NULL);
	} else if (w.error < 0) {
		finding_unknown(w.f, w.error == -ENOTSUP ? REASON_UNSUPPORTED : gather_reason(w.error));
		finding_evidence(w.f, "layer", NULL, 0, "%s",
				 w.error == -ENOTSUP ? "only the overlay driver's are read" : strerror(-w.error));
	} else if (!w.n) {
		w.f->verdict = FINDING_NOT_APPLICABLE;
	}
	return gather_add(a, w.f, NULL);
}

/* --- secrets --- */

struct secrets {
	struct audit *a;
	struct finding *f;
	const char *path;
	uint64_t changed_us; /* of the file: nothing in it is younger */
	bool any, untold;
};

static void one_secret(struct secrets *s, const struct ctr_env *e)
{
	uint64_t now = s->a->policy.now_us, since = s->changed_us;
	struct known_at at;

	if (!signing_key_name(e->name) && !(secret_name(e->name) && secret_value(e->name, e->value)))
		return;
	if (secret_placeholder(e->value) || strlen(e->value) < 8)
		return;
	s->any = true;
	if (known_since(s->a, "secret", arena_printf(&s->a->arena, "%s=%s", e->name, e->value) ?: "", &at) == 0)
		since = PV_MIN(since, at.first_us);
	else
		s->untold = true;
	if (now <= since || now - since <= s->a->policy.key_age_us)
		return;
	s->f->verdict = FINDING_FAIL;
	finding_evidence(s->f, e->name, s->path, e->at.line, "unchanged for %" PRIu64 " days at least",
			 (now - since) / ((uint64_t) 86400 * 1000000));
}

static int secrets_of(struct audit *a, const char *path)
{
	struct finding *f = gather_finding(ID_SECRET_ROTATION_AGE, FINDING_PASS, SUBJECT_FILE, path, path);
	struct secrets s = { .a = a, .f = f, .path = path };
	pv_autobuf text = PV_BUF_INIT;
	struct dotenv env = { 0 };
	struct stat st;
	int r = hostfs_stat(&a->fs, path, true, &st);

	if (!f)
		return -ENOMEM;
	if (r == 0)
		r = hostfs_read(&a->fs, path, DOTENV_BYTES, &text);
	if (r == 0)
		r = dotenv_parse(&a->arena, pv_buf_str(&text), text.len, &env);
	if (r == -ENOENT)
		return finding_free(f), 0;
	s.changed_us = r < 0 ? 0 : (uint64_t) st.st_mtim.tv_sec * 1000000;
	for (size_t i = 0; i < env.n && r == 0; i++)
		one_secret(&s, &env.item[i]);
	if (r < 0)
		finding_unknown(f, gather_reason(r));
	else if (!s.any)
		f->verdict = FINDING_NOT_APPLICABLE;
	else if (f->verdict == FINDING_PASS && s.untold && !a->saved)
		finding_unknown(f, REASON_PERMISSION); /* a younger file may hold an old secret */
	if (f->verdict == FINDING_FAIL)
		finding_remedy(f, "make new ones, put them in, and restart what uses them", "openssl rand -hex 32");
	return gather_add(a, f, NULL);
}

static int secrets(struct audit *a)
{
	static const char *const names[] = { ".env", ".env.local", ".env.production", ".env.production.local" };
	int r = 0;

	for (size_t i = 0; i < a->n_projects && r == 0; i++)
		for (size_t k = 0; k < N_ELEMENTS(names) && r == 0; k++) {
			const char *path = arena_printf(&a->arena, "%s/%s", a->project[i].dir, names[k]);

			r = path ? secrets_of(a, path) : -ENOMEM;
		}
	for (size_t i = 0; i < a->out.n && r == 0; i++)
		if (a->out.item[i]->id == ID_SECRET_ROTATION_AGE)
			return 0;
	return r < 0 ? r : gather_add(a, gather_finding(ID_SECRET_ROTATION_AGE, FINDING_NOT_APPLICABLE, SUBJECT_HOST, "host", NULL), NULL);
}

int check_persistence(struct audit *a)
{
	static const struct {
		enum id id;
		int (*check)(struct audit *a);
	} checks[] = { { ID_IMAGE_NEW_EXECUTABLES, programs }, { ID_SECRET_ROTATION_AGE, secrets } };
	int r = 0;

	for (size_t i = 0; i < N_ELEMENTS(checks) && r == 0; i++)
		if (a->select.on[checks[i].id])
			r = checks[i].check(a);
	return r;
}
