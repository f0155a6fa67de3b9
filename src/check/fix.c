#include "check/fix.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "check/ask.h"

struct plan {
	struct audit *a;
	int (*emit)(void *user, const struct audit_step *s);
	void *user;
	bool ssh_done;
	size_t closed[256], n_closed; /* of a->open: planned */
};

static int send_step(struct plan *p, const struct audit_step *s)
{
	return p->emit(p->user, s);
}

static struct audit_step step(enum step_kind kind, enum id id, const char *subject)
{
	struct audit_step s = { .op = AUDIT_STEP, .kind = kind, .id = (uint32_t) id };

	(void) text_copy(s.subject, sizeof(s.subject), subject ? subject : "");
	return s;
}

static int left(struct plan *p, enum id id, const char *subject, const char *why)
{
	struct audit_step s = step(STEP_LEFT, id, subject);

	(void) text_copy(s.line, sizeof(s.line), why);
	return send_step(p, &s);
}

/* --- files --- */

/* Folder and name of a path, the folder as it really is: the command follows no link any more. */
static bool split(const char *path, struct audit_step *s)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX], real[PATH_MAX];
	int n = slash ? snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int) (slash - path), path) : -1;

	if (n < 0 || n >= (int) sizeof(dir) || !realpath(dir, real))
		return false;
	return text_copy(s->dir, sizeof(s->dir), real) && text_copy(s->name, sizeof(s->name), slash + 1);
}

/* A container that is given this very file and runs as somebody else could not read it any more. */
static const struct ctr *reader_of(struct plan *p, const char *path, const struct stat *st)
{
	for (size_t i = 0; i < p->a->containers.n; i++) {
		const struct ctr *c = p->a->containers.item[i];

		for (size_t k = 0; k < c->n_mounts; k++)
			if (c->mount[k].source && strcmp(c->mount[k].source, path) == 0 && c->running &&
			    c->live_uid > 0 && (uid_t) c->live_uid != st->st_uid)
				return c;
	}
	return NULL;
}

static int mode_step(struct plan *p, const struct finding *f, const char *path, uint32_t mode)
{
	struct audit_step s = step(STEP_MODE, f->id, path);
	const struct ctr *reader;
	struct stat st;
	int r = hostfs_stat(&p->a->fs, path, false, &st);

	if (r < 0 || !split(path, &s))
		return left(p, f->id, path, r < 0 ? strerror(-r) : "its path is too long");
	if (S_ISLNK(st.st_mode))
		return left(p, f->id, path, "it is a link: set the mode of what it leads to");
	if (S_ISREG(st.st_mode) && st.st_nlink != 1)
		return left(p, f->id, path, "the file has more than one name");
	reader = reader_of(p, path, &st);
	if (reader) {
		pv_autobuf why = PV_BUF_INIT;

		pv_buf_printf(&why, "%s reads it as user %ld: give it to that user first", reader->name, reader->live_uid);
		return left(p, f->id, path, pv_buf_str(&why));
	}
	s.mode = mode;
	s.dev = (uint64_t) st.st_dev;
	s.ino = (uint64_t) st.st_ino;
	s.owner = st.st_uid;
	return send_step(p, &s);
}

/* A name as a line of .gitignore that means just it (gitignore(5)). */
static bool ignore_line(const char *name, char *out, size_t size)
{
	size_t n = 0, len = strlen(name);

	if (!len || name[len - 1] == ' ' || strpbrk(name, "\n\r/"))
		return false;
	for (const char *c = name; *c; c++) {
		bool escape = strchr("*?[\\", *c) || (c == name && strchr("#!", *c));

		if (n + 3 > size)
			return false;
		if (escape)
			out[n++] = '\\';
		out[n++] = *c;
	}
	out[n] = '\0';
	return true;
}

static int ignore_step(struct plan *p, const struct finding *f, const char *dir, const char *name)
{
	struct audit_step s = step(STEP_IGNORE, f->id, dir);
	const char *path = arena_printf(&p->a->arena, "%s/.gitignore", dir);
	struct stat st;
	int r = path ? hostfs_stat(&p->a->fs, path, false, &st) : -ENOMEM;

	if ((r < 0 && r != -ENOENT) || !split(path, &s) || !ignore_line(name, s.line, sizeof(s.line)))
		return left(p, f->id, dir, "no line of .gitignore can be written for it");
	if (r == 0 && !S_ISREG(st.st_mode))
		return left(p, f->id, path, "it is no plain file");
	s.dev = r == 0 ? (uint64_t) st.st_dev : 0;
	s.ino = r == 0 ? (uint64_t) st.st_ino : 0;
	s.owner = r == 0 ? st.st_uid : 0;
	return send_step(p, &s);
}

static const char *evidence(const struct finding *f, const char *what)
{
	for (size_t i = 0; i < f->n_evidence; i++)
		if (f->evidence[i].what && strcmp(f->evidence[i].what, what) == 0)
			return f->evidence[i].value ? f->evidence[i].value : "";
	return NULL;
}

static int env_ignored(struct plan *p, const struct finding *f)
{
	const char *path = f->subject.path, *slash = path ? strrchr(path, '/') : NULL;
	const char *git = evidence(f, "git");

	if (!slash || slash == path)
		return 0;
	if (!git || strncmp(git, "not ignored", 11) != 0)
		return left(p, f->id, path, "git has it: take it out by hand, and change every secret in it");
	return ignore_step(p, f, arena_ndup(&p->a->arena, path, (size_t) (slash - path)), slash + 1);
}

static int dumps(struct plan *p, const struct finding *f)
{
	int r = evidence(f, "tracked") ? left(p, f->id, f->subject.name, "git has a dump: take it out by hand") : 0;

	for (size_t i = 0; i < f->n_evidence && r == 0; i++) {
		const char *path = f->evidence[i].path, *slash = path ? strrchr(path, '/') : NULL;

		if (path && strcmp(f->evidence[i].what, "not ignored") == 0)
			r = ignore_step(p, f, f->subject.name, slash ? slash + 1 : path);
	}
	return r;
}

static int key_files(struct plan *p, const struct finding *f)
{
	int r = 0;

	for (size_t i = 0; i < f->n_evidence && r == 0; i++)
		if (f->evidence[i].what && *f->evidence[i].what == '/')
			r = mode_step(p, f, f->evidence[i].what, 0600);
	return r;
}

/* --- limits of running containers --- */

static void keep(struct pv_buf *why, uint64_t used, const char *what, const char *key)
{
	pv_buf_printf(why, "%sit uses %" PRIu64 " %s: set %s by hand", why->len ? "; " : "", used, what, key);
}

void fix_limits(const struct ctr *c, const struct check_policy *p, unsigned cpus, const struct ctr_usage *use,
		struct step_limits *wanted, struct pv_buf *why)
{
	uint64_t pids = PV_MAX(use->pids, use->pids_peak), cores = PV_MIN(p->nano_cpus / 1000000, (uint64_t) cpus * 1000);

	*wanted = (struct step_limits){ 0 };
	if (c->pids <= 0 && pids * 3 / 2 <= p->pids)
		wanted->pids = p->pids;
	else if (c->pids <= 0)
		keep(why, pids, "processes and threads", "pids_limit");
	if (!c->memory && use->memory * 3 / 2 <= p->memory)
		wanted->memory = p->memory;
	else if (!c->memory)
		keep(why, use->memory >> 20, "MiB", "mem_limit");
	if (!c->nano_cpus && use->milli_cpus * 3 / 2 <= cores)
		wanted->milli_cpus = cores;
	else if (!c->nano_cpus)
		keep(why, use->milli_cpus, "thousandths of a core on average", "cpus");
}

/* Only what is reported as failing: what somebody accepts stays. */
static bool reported(const struct audit *a, const struct ctr *c, enum id id)
{
	for (size_t i = 0; i < a->out.n; i++) {
		const struct finding *f = a->out.item[i];

		if (f->id == id && finding_fails(f) && f->subject.name && strcmp(f->subject.name, c->name) == 0)
			return true;
	}
	return false;
}

static int limits_step(struct plan *p, const struct ctr *c)
{
	struct audit_step s = step(STEP_LIMITS, ID_CTR_PIDS_LIMIT, c->name);
	const bool pids = reported(p->a, c, ID_CTR_PIDS_LIMIT), memory = reported(p->a, c, ID_CTR_MEMORY_LIMIT),
		   cpu = reported(p->a, c, ID_CTR_CPU_LIMIT);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pv_autobuf why = PV_BUF_INIT;
	struct ctr_usage use;
	int r;

	if (!pids && !memory && !cpu)
		return 0;
	s.id = pids ? ID_CTR_PIDS_LIMIT : memory ? ID_CTR_MEMORY_LIMIT : ID_CTR_CPU_LIMIT;
	if (!c->running)
		return left(p, (enum id) s.id, c->name, "it does not run: what it needs is not known");
	if (usage_read(&p->a->fs, c->pid, &use) < 0)
		return left(p, (enum id) s.id, c->name, "what it uses cannot be read");
	fix_limits(c, &p->a->policy, cpus > 0 ? (unsigned) cpus : 1, &use, &s.wanted, &why);
	s.wanted.pids = pids ? s.wanted.pids : 0;
	s.wanted.memory = memory ? s.wanted.memory : 0;
	s.wanted.milli_cpus = cpu ? s.wanted.milli_cpus : 0;
	r = why.len ? left(p, (enum id) s.id, c->name, pv_buf_str(&why)) : 0;
	if (r < 0 || (!s.wanted.pids && !s.wanted.memory && !s.wanted.milli_cpus))
		return r;
	s.engine = c->engine;
	(void) text_copy(s.name, sizeof(s.name), c->engine_name ? c->engine_name : c->id);
	return text_copy(s.container, sizeof(s.container), c->id) ? send_step(p, &s) : 0;
}

/* --- SSH: only where a key can log in, and only so far --- */

static bool has_keys(struct plan *p, const char *home)
{
	const char *path = arena_printf(&p->a->arena, "%s/.ssh/authorized_keys", home);
	pv_autobuf text = PV_BUF_INIT;

	return path && hostfs_read(&p->a->fs, path, 1 << 20, &text) == 0 &&
	       (strstr(pv_buf_str(&text), "ssh-") || strstr(pv_buf_str(&text), "ecdsa-"));
}

static int take_home(const char *name, unsigned char type, void *user)
{
	struct plan *p = *(struct plan *const *) user;

	(void) type;
	return has_keys(p, arena_printf(&p->a->arena, "/home/%s", name) ?: "/nonexistent");
}

static int ssh_step(struct plan *p, const struct finding *f)
{
	struct audit_step s = step(STEP_SSHD, f->id, "host");
	bool others = hostfs_list(&p->a->fs, "/home", 10000, take_home, &p) > 0, root = has_keys(p, "/root");

	if (!others && !root)
		return left(p, f->id, "host", "no key can log in yet: ssh-copy-id first, then this");
	(void) text_copy(s.dir, sizeof(s.dir), STEP_SSHD_DIR);
	(void) text_copy(s.name, sizeof(s.name), STEP_SSHD_NAME);
	s.root_login = !others; /* else nobody could log in any more */
	p->ssh_done = true;
	return send_step(p, &s);
}

/* --- the firewall: ports that a stranger reaches, some at a time --- */

#define PORTS_EACH 20 /* that fit into a line */

static bool planned(const struct plan *p, size_t i)
{
	for (size_t k = 0; k < p->n_closed; k++)
		if (p->a->open[p->closed[k]].port == p->a->open[i].port && p->a->open[p->closed[k]].udp == p->a->open[i].udp)
			return true;
	return false;
}

static int close_ports(struct plan *p, const struct finding *f)
{
	if (!p->a->outside || !*p->a->outside)
		return left(p, f->id, "host", "which interface leads outside is not known");
	for (size_t i = 0; i < p->a->n_open; i++)
		if (p->a->open[i].id == f->id && !planned(p, i) && p->n_closed < N_ELEMENTS(p->closed))
			p->closed[p->n_closed++] = i;
	return 0;
}

/* One step for all that findings asked for: one thing to confirm. */
static int ports_step(struct plan *p)
{
	struct audit_step s;
	size_t len = 0;
	int r = 0;

	if (!p->n_closed)
		return 0;
	s = step(STEP_FIREWALL, p->a->open[p->closed[0]].id, "host");
	for (size_t i = 0; i < PV_MIN(p->n_closed, (size_t) PORTS_EACH); i++)
		len += (size_t) snprintf(s.line + len, sizeof(s.line) - len, "%s%u/%s", i ? " " : "", p->a->open[p->closed[i]].port,
					 p->a->open[p->closed[i]].udp ? "udp" : "tcp");
	(void) snprintf(s.name, sizeof(s.name), STEP_CHAIN "%" PRIu64, p->a->policy.now_us);
	if (p->n_closed > PORTS_EACH)
		r = left(p, (enum id) s.id, "host", "more ports than one step closes: confirm it, then run this again for the rest");
	if (r < 0 || !text_copy(s.dir, sizeof(s.dir), p->a->outside))
		return r < 0 ? r : left(p, (enum id) s.id, "host", "too many interfaces lead outside");
	return send_step(p, &s);
}

/* --- all --- */

static int of_finding(struct plan *p, const struct finding *f)
{
	switch (f->id) {
	case ID_FILE_ENV_MODE:
		return f->subject.path ? mode_step(p, f, f->subject.path, 0600) : 0;
	case ID_BACKUP_LOCATION_MODE:
		if (!f->subject.path || !evidence(f, "mode"))
			return left(p, f->id, f->subject.name, "it lies inside of the repository: move it by hand");
		if (evidence(f, "written to by") && !strstr(f->subject.path, "/backup"))
			return left(p, f->id, f->subject.path, "other things may lie there, too: chmod 700 by hand where only backups do");
		return mode_step(p, f, f->subject.path, 0700);
	case ID_TLS_ACME_PERM:
		return key_files(p, f);
	case ID_FILE_ENV_IGNORED:
		return env_ignored(p, f);
	case ID_GIT_DUMPS_SESSIONS:
		return dumps(p, f);
	case ID_SSH_PASSWORD_AUTH:
	case ID_SSH_ROOT_LOGIN:
		return p->ssh_done ? 0 : ssh_step(p, f);
	case ID_FW_LISTENING:
	case ID_FW_DOCKER_BYPASS:
	case ID_HOST_PANEL_EXPOSED:
		return close_ports(p, f);
	case ID_FW_ACTIVE_DEFAULT_DENY:
		return left(p, f->id, "host", "which firewall it is to be is for a person to say: pavise explain fw.active-default-deny");
	default:
		return 0;
	}
}

int fix_plan(struct audit *a, int (*emit)(void *user, const struct audit_step *s), void *user)
{
	struct plan p = { .a = a, .emit = emit, .user = user };
	int r = 0;

	for (size_t i = 0; i < a->out.n && r >= 0; i++)
		if (finding_fails(a->out.item[i]))
			r = of_finding(&p, a->out.item[i]);
	if (r >= 0)
		r = ports_step(&p);
	for (size_t i = 0; i < a->containers.n && r >= 0; i++)
		if (a->containers.item[i]->source == CTR_INSPECT && a->containers.item[i]->id)
			r = limits_step(&p, a->containers.item[i]);
	return r < 0 ? r : 0;
}
