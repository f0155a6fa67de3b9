#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/doctor.h"
#include "model/control.h"
#include "model/roles.h"

#define UNIT_MAX (64u << 10)

/* Root's, and written by nobody else: what is in it runs as root. */
static bool only_roots(const struct stat *st)
{
	return st->st_uid == 0 && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* The roles, and the children of the commands. */
static const char *const names[] = { "pavise-launcher", "pavise-policy", "pavise-broker",
				    "pavise-engine",   "pavise-sender", "pavise-swarm",
				    "pavise-rules",    "pavise-logs",   "pavise-audit",
				    "pavise-caps",
				    "pavise-fetch",    "pavise-scan",   "pavise-collector" };

static bool program(struct doctor *d, const char *name, char *folder, size_t size)
{
	char path[4096];
	struct stat st;

	if (child_path(d->c, name, path, sizeof(path)) < 0) {
		doctor_tell(d, DEGRADED, "programs", "install pavise again", "%s is missing", name);
		return false;
	}
	*strrchr(path, '/') = '\0';
	if (*folder && strcmp(folder, path) != 0) {
		doctor_tell(d, DEGRADED, "programs", "install pavise again",
			    "they lie in two folders, %s and %s", folder, path);
		return false;
	}
	(void) snprintf(folder, size, "%s", path);
	if (stat(path, &st) < 0 || !only_roots(&st)) {
		doctor_tell(d, DEGRADED, "programs", "chown root: the folder, and chmod go-w",
			    "somebody else than root may write into %s", path);
		return false;
	}
	path[strlen(path)] = '/';
	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || !only_roots(&st)) {
		doctor_tell(d, DEGRADED, "programs", "install pavise again",
			    "somebody else than root may change %s", path);
		return false;
	}
	return true;
}

static void programs(struct doctor *d)
{
	char folder[4096] = "";

	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (!program(d, names[i], folder, sizeof(folder)))
			return;
	doctor_tell(d, WELL, "programs", NULL, "%zu, in %s", N_ELEMENTS(names), folder);
}

/* The lines of ld.so(8) that end with `not found`: "libhs.so.5 => not found", "...: version
 * `GLIBC_2.36' not found (required by ...)". */
static size_t lacking(const char *said, struct pv_buf *ret)
{
	size_t n = 0;

	for (const char *line = said, *end; *line; line = *end ? end + 1 : end) {
		const char *at;

		end = strchrnul(line, '\n');
		at = memmem(line, (size_t) (end - line), "not found", strlen("not found"));
		if (!at)
			continue;
		line += strspn(line, "\t ");
		pv_buf_printf(ret, "%s", n++ ? "; " : "");
		pv_buf_safe(ret, line, PV_MIN((size_t) (end - line), (size_t) 200));
	}
	return n;
}

void doctor_libraries(struct doctor *d, bool well)
{
	static const char *const env[] = {"LD_TRACE_LOADED_OBJECTS=1", NULL};
	size_t bad = 0;

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		char path[4096];
		const char *argv[] = {path, NULL};
		pv_autobuf out = PV_BUF_INIT, err = PV_BUF_INIT, what = PV_BUF_INIT;

		if (child_path(d->c, names[i], path, sizeof(path)) < 0)
			continue; /* said elsewhere */
		if (child_run(argv, &(struct child_io){
					.fd3 = -1, .out = &out, .err = &err, .env = env}) < 0)
			continue;
		if (lacking(pv_buf_str(&out), &what) + lacking(pv_buf_str(&err), &what) == 0)
			continue;
		doctor_tell(d, DEGRADED, "libraries",
			    "doc/install.md, \"The tarball\", names the packages",
			    "%s cannot start: %s", names[i], pv_buf_str(&what));
		bad++;
	}
	if (!bad && well)
		doctor_tell(d, WELL, "libraries", NULL, "each program finds its own");
}

/* Where the files come from, and a second copy that a shell might find first. */
static void origin(struct doctor *d)
{
	static const char *const places[] = { "/usr/bin/pavise", "/usr/local/bin/pavise", "/opt/pavise/lib/pavise" };
	const char *first = NULL;
	struct stat a, b;

	for (size_t i = 0; i < N_ELEMENTS(places); i++) {
		if (stat(places[i], &b) < 0)
			continue;
		if (first && (a.st_dev != b.st_dev || a.st_ino != b.st_ino)) {
			doctor_tell(d, DEGRADED, "copies", "remove one of the two", "%s and %s are two programs", first, places[i]);
			return;
		}
		first = places[i];
		a = b;
	}
	if (access("/var/lib/dpkg/info/pavise.list", F_OK) == 0)
		doctor_tell(d, WELL, "package", NULL, "installed by dpkg; `debsums pavise` compares its files");
	else if (first)
		doctor_tell(d, WELL, "package", NULL, "none: %s is from the tarball or `make install`", first);
	else
		doctor_tell(d, DEGRADED, "package", "dpkg -i the package", "not installed: this is %s/pavise", d->c->self);
}

struct place {
	const char *what;
	const char *user; /* NULL: root */
	char path[POLICY_PATH + 16];
	mode_t mode;	  /* at most */
	bool late;	  /* the guard makes it when it starts */
};

static void place(struct doctor *d, const struct place *p)
{
	const struct passwd *pw = p->user ? getpwnam(p->user) : NULL;
	struct stat st;

	if (lstat(p->path, &st) < 0) {
		if (errno == EACCES)
			doctor_tell(d, UNCHECKED, p->what, "sudo pavise doctor --install", "%s may be looked at by root only", p->path);
		else if (!p->late)
			doctor_tell(d, DEGRADED, p->what, "install -d -m 755 the folder", "%s is missing", p->path);
		return;
	}
	if (!S_ISDIR(st.st_mode))
		doctor_tell(d, DEGRADED, p->what, "move it away", "%s is not a folder", p->path);
	else if ((st.st_mode & 07777 & ~p->mode) != 0 || (st.st_uid != 0 && !(pw && st.st_uid == pw->pw_uid)))
		doctor_tell(d, DEGRADED, p->what, "systemctl restart pavise", "%s: mode %04o of user %u; at most %04o of %s would be right",
			    p->path, st.st_mode & 07777, st.st_uid, p->mode, p->user ? p->user : "root");
	else
		doctor_tell(d, WELL, p->what, NULL, "%s, mode %04o", p->path, st.st_mode & 07777);
}

static void places(struct doctor *d)
{
	struct place list[] = { { .what = "configuration", .path = "/etc/pavise", .mode = 0755 },
				{ .what = "state", .mode = 0755 },
				{ .what = "history", .mode = 0700, .user = ROLE_USER, .late = true },
				{ .what = "run", .mode = 0755, .late = true } };

	(void) snprintf(list[1].path, sizeof(list[1].path), "%s", d->policy->state_dir);
	(void) snprintf(list[2].path, sizeof(list[2].path), "%s/engine", d->policy->state_dir);
	(void) snprintf(list[3].path, sizeof(list[3].path), "%s", d->policy->run_dir);
	for (size_t i = 0; i < N_ELEMENTS(list); i++)
		place(d, &list[i]);
}

static void control(struct doctor *d)
{
	char path[POLICY_PATH + 16];
	const struct group *admin = getgrnam(ROLE_GROUP_ADMIN);
	struct stat st;

	(void) snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET, d->policy->run_dir);
	if (lstat(path, &st) < 0)
		return; /* the guard does not run, which is said elsewhere */
	if (!S_ISSOCK(st.st_mode) || st.st_uid != 0 || (st.st_mode & 07) || (admin && st.st_gid != admin->gr_gid && st.st_gid != 0))
		doctor_tell(d, DEGRADED, "control socket", "systemctl restart pavise", "%s: mode %04o of user %u, group %u; 0660 of root and %s would be right",
			    path, st.st_mode & 07777, st.st_uid, st.st_gid, ROLE_GROUP_ADMIN);
	else
		doctor_tell(d, WELL, "control socket", NULL, "%s, mode %04o", path, st.st_mode & 07777);
}

static int unit_read(struct pv_buf *ret, const char **ret_path)
{
	static const char *const paths[] = { "/etc/systemd/system/pavise.service", "/usr/lib/systemd/system/pavise.service",
					     "/lib/systemd/system/pavise.service" };
	char chunk[4096];

	for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
		pv_autoclose int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		ssize_t n;

		if (fd < 0)
			continue;
		*ret_path = paths[i];
		while (ret->len < UNIT_MAX && (n = read(fd, chunk, sizeof(chunk))) > 0)
			pv_buf_add(ret, chunk, (size_t) n);
		return 0;
	}
	return -ENOENT;
}

/* The program that the unit starts: there, and the only one that matters. */
static void unit_program(struct doctor *d, const char *unit)
{
	const char *at = strstr(unit, "\nExecStart=");
	char program[4096] = "";

	if (at) {
		at += strlen("\nExecStart=");
		(void) snprintf(program, sizeof(program), "%.*s", (int) PV_MIN(strcspn(at, " \n"), (size_t) 4000), at);
	}
	if (!*program || access(program, X_OK) < 0)
		doctor_tell(d, DEGRADED, "unit", "install pavise again", "it starts %s, which is not there", *program ? program : "nothing");
}

static void unit(struct doctor *d)
{
	pv_autobuf text = PV_BUF_INIT;
	const char *path = NULL;

	if (unit_read(&text, &path) < 0) {
		doctor_tell(d, DEGRADED, "unit", "install pavise again", "pavise.service is missing: the guard does not start with the machine");
		return;
	}
	if (access("/run/systemd/system", F_OK) < 0) {
		doctor_tell(d, UNCHECKED, "unit", NULL, "%s is there, but systemd does not run this machine: start `pavise guard` by your own means", path);
		return;
	}
	unit_program(d, pv_buf_str(&text));
	if (!strstr(pv_buf_str(&text), "docker.service"))
		doctor_tell(d, DEGRADED, "start order", "add Before=docker.service to the unit", "containers that start with the machine may be ahead of the guard");
	else
		doctor_tell(d, WELL, "start order", NULL, "before the container engines");
	if (faccessat(AT_FDCWD, "/etc/systemd/system/multi-user.target.wants/pavise.service", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		doctor_tell(d, DEGRADED, "unit", "systemctl enable pavise", "%s is not enabled: the guard does not start with the machine", path);
	else
		doctor_tell(d, WELL, "unit", NULL, "%s, enabled", path);
	if (access("/etc/systemd/system/pavise.service.d", F_OK) == 0)
		doctor_tell(d, WELL, "unit changes", NULL, "there are some: systemctl cat pavise");
}

void doctor_install(struct doctor *d)
{
	origin(d);
	programs(d);
	doctor_libraries(d, true);
	places(d);
	control(d);
	unit(d);
}
