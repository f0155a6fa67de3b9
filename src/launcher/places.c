#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <dirent.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/text.h"
#include "launcher/launcher.h"
#include "model/control.h"

#define PROGRAMS_INSTALLED "/usr/lib/pavise"

/* The files themselves, not getpwnam(): that would load every module of nsswitch.conf into a root process, and users of
 * a system service are local. */
static bool passwd_find(const char *name, uid_t uid, struct ids *ret)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw = NULL;

	if (!f)
		return false;
	while ((pw = fgetpwent(f)))
		if (name ? strcmp(pw->pw_name, name) == 0 : pw->pw_uid == uid)
			break;
	if (pw && ret)
		*ret = (struct ids){ pw->pw_uid, pw->pw_gid };
	(void) fclose(f);
	return pw != NULL;
}

static bool group_find(const char *name, gid_t gid, gid_t *ret)
{
	FILE *f = fopen("/etc/group", "re");
	struct group *gr = NULL;

	if (!f)
		return false;
	while ((gr = fgetgrent(f)))
		if (name ? strcmp(gr->gr_name, name) == 0 : gr->gr_gid == gid)
			break;
	if (gr && ret)
		*ret = gr->gr_gid;
	(void) fclose(f);
	return gr != NULL;
}

static uid_t unowned_id(uid_t from)
{
	while (from < ROLE_UID_LAST && (passwd_find(NULL, from, NULL) || group_find(NULL, from, NULL)))
		from++;
	return from;
}

static void find_users(struct places *p)
{
	uid_t next = unowned_id(ROLE_UID_FIRST);

	if (!passwd_find(ROLE_USER, 0, &p->engine) || p->engine.uid == 0)
		p->engine = (struct ids){ next, next };
	next = unowned_id(next + 1);
	if (!passwd_find(ROLE_USER_SENDER, 0, &p->sender) || p->sender.uid == 0)
		p->sender = (struct ids){ next, next };
	next = unowned_id(next + 1);
	p->child = (struct ids){ next, next };
	if (!group_find(ROLE_GROUP_ADMIN, 0, &p->admin))
		p->admin = 0;
}

int places_find(struct places *p)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	*p = (struct places){ .programs_fd = -1, .run_fd = -1, .control_fd = -1, .engine_fd = -1, .evidence_fd = -1 };
	find_users(p);
	if (n <= 0)
		return log_error_errno(-errno, "cannot find where this program lies");
	path[n] = '\0';
	slash = strrchr(path, '/');
	*(slash ? slash : path) = '\0';
	p->programs_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->programs_fd >= 0 && faccessat(p->programs_fd, "pavise-broker", X_OK, 0) == 0)
		return 0;
	p->programs_fd = pv_close(p->programs_fd);
	p->programs_fd = open(PROGRAMS_INSTALLED, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->programs_fd >= 0 && faccessat(p->programs_fd, "pavise-broker", X_OK, 0) == 0)
		return 0;
	return log_error_errno(-ENOENT, "pavise-broker lies neither in %s nor in " PROGRAMS_INSTALLED, path);
}

/* As trustworthy as the programs themselves: root's, or of whoever owns their folder. */
static bool rules_trusted(const struct places *p, int fd)
{
	struct stat st, own;

	return fstat(fd, &st) == 0 && fstat(p->programs_fd, &own) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_uid == 0 || st.st_uid == own.st_uid) && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* Beside the programs in a work tree (build/), or of an installation (lib/pavise). */
int places_rules(const struct places *p, const char *name)
{
	static const char *const where[] = { "../rules", "../../share/pavise/rules", "/usr/share/pavise/rules" };

	for (size_t i = 0; i < N_ELEMENTS(where); i++) {
		pv_autoclose int fd = -1;
		char path[256];

		if (snprintf(path, sizeof(path), "%s/%s", where[i], name) >= (int) sizeof(path))
			return -ENAMETOOLONG;
		fd = openat(p->programs_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
		if (fd < 0)
			continue;
		if (rules_trusted(p, fd))
			return pv_steal_fd(&fd);
		return log_warning_errno(-EPERM, "%s: can be changed by others than root; it is not used", path);
	}
	return log_warning_errno(-ENOENT, "rules/%s is missing: what it names is not known", name);
}

static int open_no_links(int at, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t) (flags | O_CLOEXEC), .resolve = RESOLVE_NO_SYMLINKS };
	long fd = syscall(SYS_openat2, at, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int) fd;
}

/* Makes or adopts one folder. An existing one must be root's or already its owner's: somebody else's could be filled
 * with links. */
static int folder_at(int parent, const char *name, mode_t mode, struct ids owner, int *ret_fd)
{
	pv_autoclose int fd = -1;
	struct stat st;

	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open_no_links(parent, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != 0 && st.st_uid != owner.uid && (owner.uid == 0 || st.st_uid < ROLE_UID_FIRST ||
							  st.st_uid > ROLE_UID_LAST))
		return -EPERM;
	/* Only what is not right yet: the unit leaves us no CAP_CHOWN, since its folders are made beforehand (tmpfiles.d). */
	if ((st.st_uid != owner.uid || st.st_gid != owner.gid) && fchown(fd, owner.uid, owner.gid) < 0)
		return -errno;
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		return -errno;
	if (ret_fd)
		*ret_fd = pv_steal_fd(&fd);
	return 0;
}

static int folder(const char *path, int *ret_fd)
{
	char parent[POLICY_PATH];
	pv_autoclose int fd = -1;
	char *slash;
	int r;

	if (!text_copy(parent, sizeof(parent), path))
		return -ENAMETOOLONG;
	slash = strrchr(parent, '/');
	if (!slash || !slash[1])
		return -EINVAL;
	*slash = '\0';
	fd = open_no_links(AT_FDCWD, slash == parent ? "/" : parent, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fd;
	r = folder_at(fd, slash + 1, 0755, (struct ids){ 0, 0 }, ret_fd);
	return r;
}

static const char *why(int r)
{
	switch (r) {
	case -ELOOP:
		return " (a symbolic link stands in the path: write the real one)";
	case -EPERM:
		return " (it belongs to somebody else)";
	case -ENOENT:
		return " (the folder above it does not exist)";
	default:
		return "";
	}
}

/* The database of a guard that ran under another user (from the build folder, before it was installed). */
static void adopt_files(int dir_fd, struct ids owner)
{
	int fd = dup(dir_fd);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!d) {
		(void) pv_close(fd);
		return;
	}
	while ((e = readdir(d)))
		if (fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		    st.st_nlink == 1 && st.st_uid != owner.uid &&
		    fchownat(dir_fd, e->d_name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) < 0)
			(void) log_warning_errno(-errno, "cannot hand the engine its file %s", e->d_name);
	(void) closedir(d);
}

static int make_state(struct places *p, const char *path)
{
	static const char *const of_root[] = { "evidence", "undo" };
	pv_autoclose int fd = -1;
	int r = folder(path, &fd);

	if (r < 0)
		return log_error_errno(r, "cannot use state_dir %s%s", path, why(r));
	for (size_t i = 0; i < N_ELEMENTS(of_root) && r == 0; i++) {
		r = folder_at(fd, of_root[i], 0700, (struct ids){ 0, 0 }, i == 0 ? &p->evidence_fd : NULL);
		if (r < 0)
			return log_error_errno(r, "cannot use %s/%s%s", path, of_root[i], why(r));
	}
	r = folder_at(fd, "engine", 0700, p->engine, &p->engine_fd);
	if (r < 0)
		return log_error_errno(r, "cannot use %s/engine%s", path, why(r));
	adopt_files(p->engine_fd, p->engine);
	return 0;
}

/* Bound through the folder's descriptor, so that no name on the way can be exchanged. */
static int make_control(struct places *p)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	pv_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t old;
	int r;

	if (fd < 0)
		return -errno;
	(void) snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET, p->run_fd);
	if (unlinkat(p->run_fd, CONTROL_SOCKET, 0) < 0 && errno != ENOENT)
		return -errno;
	old = umask(0177);
	r = bind(fd, (struct sockaddr *) &addr, sizeof(addr)) < 0 ? -errno : 0;
	(void) umask(old);
	if (r < 0)
		return r;
	if (fchownat(p->run_fd, CONTROL_SOCKET, 0, p->admin, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(p->run_fd, CONTROL_SOCKET, 0660, 0) < 0 || listen(fd, CONTROL_CLIENTS) < 0)
		return -errno;
	p->control_fd = pv_steal_fd(&fd);
	return 0;
}

int places_make(struct places *p, const struct policy *policy)
{
	int r = folder(policy->run_dir, &p->run_fd);

	if (r < 0)
		return log_error_errno(r, "cannot use run_dir %s%s", policy->run_dir, why(r));
	if (flock(p->run_fd, LOCK_EX | LOCK_NB) < 0)
		return log_error_errno(-EBUSY, "another guard runs already with run_dir %s", policy->run_dir);
	r = make_state(p, policy->state_dir);
	if (r < 0)
		return r;
	r = make_control(p);
	if (r < 0)
		return log_error_errno(r, "cannot make %s/" CONTROL_SOCKET, policy->run_dir);
	return 0;
}
