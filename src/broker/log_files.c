#include "broker/log_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/text.h"
#include "broker/log_walk.h"

#define WATCH_FILE   (IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)
#define WATCH_FOLDER (IN_CREATE | IN_MOVED_TO | IN_ONLYDIR)
#define ENTRIES_MAX  65536 /* of one folder that are looked at */
#define NAME_ROOM    256

_Static_assert(LOG_PLACES_MAX >= POLICY_LOGS + 18, "room for the known places");

void log_files_init(struct log_files *l)
{
	*l = (struct log_files){ .inotify_fd = -1 };
}

void log_files_forget(struct log_files *l)
{
	for (size_t i = 0; i < LOG_PLACES_MAX; i++) {
		pv_buf_done(&l->lists[i].paths);
		l->lists[i].number = 0;
		l->lists[i].n = 0;
	}
}

void log_files_done(struct log_files *l)
{
	l->inotify_fd = pv_close(l->inotify_fd);
	log_files_forget(l);
}

int log_files_watch(struct log_files *l, int *ret_fd)
{
	log_files_done(l);
	l->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (l->inotify_fd < 0)
		return -errno;
	*ret_fd = l->inotify_fd;
	return 0;
}

/* -1: none (there are too many, or the file system has none): the engine looks every few seconds anyway. */
static int watch(const struct log_files *l, int fd, uint32_t mask)
{
	char path[64];

	if (l->inotify_fd < 0)
		return -1;
	(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return inotify_add_watch(l->inotify_fd, path, mask);
}

/* --- what is there --- */

struct expand {
	struct log_files *l;
	struct log_list *list;
	uint64_t more;
};

static void keep(struct expand *e, const char *path)
{
	if (e->list->n == LOG_LIST_MAX) {
		e->more++;
		return;
	}
	pv_buf_add(&e->list->paths, path, strlen(path) + 1);
	e->list->n++;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static void names_free(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* Names in `dir` that the glob takes, sorted; takes the descriptor. */
static int names_of(int dir, const char *glob, char ***ret, size_t *ret_n)
{
	DIR *d = fdopendir(dir);
	struct dirent *e;
	char **names = NULL;
	size_t n = 0, looked = 0;
	int r = 0;

	if (!d) {
		(void) pv_close(dir);
		return -errno;
	}
	while (r == 0 && looked++ < ENTRIES_MAX && (e = readdir(d))) {
		char **grown;

		if ((e->d_name[0] == '.' && glob[0] != '.') || !glob_match(glob, e->d_name))
			continue;
		grown = n % 64 ? names : reallocarray(names, n + 64, sizeof(*names));
		if (grown)
			names = grown;
		if (!grown || !(names[n] = strdup(e->d_name)))
			r = -ENOMEM;
		else
			n++;
	}
	(void) closedir(d);
	if (r < 0) {
		names_free(names, n);
		return r;
	}
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	*ret = names;
	*ret_n = n;
	return 0;
}

static int expand(struct expand *e, const char *done, const char *rest);

/* `rest` begins with a name that holds a wildcard, or is the last one; it lies in the folder `done`. */
static int expand_name(struct expand *e, const char *done, const char *glob, const char *after)
{
	char **names = NULL;
	size_t n = 0;
	int dir, r = log_walk_folder(*done ? done : "/", &dir);

	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR ? 0 : r;
	(void) watch(e->l, dir, WATCH_FOLDER);
	r = names_of(dir, glob, &names, &n);
	for (size_t i = 0; i < n && r == 0; i++) {
		char path[4096];
		int len = snprintf(path, sizeof(path), "%s/%s", done, names[i]);

		if (len < 0 || (size_t) len >= sizeof(path))
			continue;
		if (*after)
			r = expand(e, path, after);
		else if (!log_name_is_rotated(names[i]))
			keep(e, path);
	}
	names_free(names, n);
	return r;
}

/* Paths below `done` (no slash at its end) that `rest` (begins with one) takes. */
static int expand(struct expand *e, const char *done, const char *rest)
{
	char name[NAME_ROOM], path[4096];
	size_t len = strcspn(rest + 1, "/");
	const char *after = rest + 1 + len;
	int n;

	if (len >= sizeof(name))
		return -ENAMETOOLONG;
	memcpy(name, rest + 1, len);
	name[len] = '\0';
	if (!*after || strpbrk(name, "*?"))
		return expand_name(e, done, name, after);
	n = snprintf(path, sizeof(path), "%s/%s", done, name);
	return n < 0 || (size_t) n >= sizeof(path) ? -ENAMETOOLONG : expand(e, path, after);
}

static int as_memfd(const struct pv_buf *paths, int *ret_fd)
{
	pv_autoclose int fd = memfd_create("pavise-logs", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (paths->len && write(fd, paths->data, paths->len) != (ssize_t) paths->len)
		return -ENOSPC;
	*ret_fd = pv_steal_fd(&fd);
	return 0;
}

int log_files_list(struct log_files *l, const struct policy *p, uint32_t place, int *ret_fd, uint64_t *ret_number, uint64_t *ret_more)
{
	struct expand e = { .l = l };
	int r;

	if (place >= log_places(p) || place >= LOG_PLACES_MAX)
		return -EINVAL;
	e.list = &l->lists[place];
	pv_buf_clear(&e.list->paths);
	e.list->n = 0;
	e.list->number = 0;
	r = expand(&e, "", log_place(p, place).path);
	if (r < 0 || e.list->paths.cut)
		return r < 0 ? r : -ENOMEM;
	e.list->number = ++l->numbers ? l->numbers : ++l->numbers;
	*ret_number = e.list->number;
	*ret_more = e.more;
	return as_memfd(&e.list->paths, ret_fd);
}

/* --- opening --- */

/* auth.log: auth.log.1, auth.log-20261128, auth-20261128.log; not auth2.log. */
static bool is_beside(const char *own, const char *name)
{
	size_t len = strlen(own), stem = strcspn(own + 1, ".") + 1;

	if (strcmp(own, name) == 0)
		return false;
	if (strncmp(name, own, len) == 0)
		return true;
	return strncmp(name, own, stem) == 0 && name[stem] && strchr(".-_", name[stem]);
}

static bool is_compressed(const char *name)
{
	size_t len = strlen(name);
	/* rotated by number is what is looked for here */
	return log_name_is_rotated(name) && !(name[len - 1] >= '0' && name[len - 1] <= '9') && strcmp(name + len - 1, "~") != 0 &&
	       !(len > 4 && (strcmp(name + len - 4, ".old") == 0 || strcmp(name + len - 4, ".bak") == 0));
}

struct beside {
	char name[NAME_ROOM];
	struct timespec mtime;
};

static bool newer(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* A number or a date is all that it has more: app.log.1, app-20261128.log. Somebody made app.log.bak and app.log.errors. */
static bool is_numbered(const char *own, const char *name)
{
	size_t len = strlen(own), stem = strcspn(own + 1, ".") + 1, end = strlen(name), tail = len - stem;
	const bool whole = strncmp(name, own, len) == 0;
	const char *more = name + (whole ? len : stem);

	if (!whole && end >= stem + tail && strcmp(name + end - tail, own + stem) == 0)
		end -= tail;
	return strspn(more, "0123456789.-_") >= (size_t) (name + end - more) && strpbrk(more, "0123456789");
}

/* The newest files beside `own`, newest first. */
static size_t find_beside(int dir, const char *own, struct beside found[LOG_BESIDE_MAX])
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	size_t n = 0, looked = 0;
	struct dirent *e;
	struct stat st;

	if (!d) {
		(void) pv_close(fd);
		return 0;
	}
	while (looked++ < ENTRIES_MAX && (e = readdir(d))) {
		size_t at;

		if (!is_beside(own, e->d_name) || is_compressed(e->d_name) || strlen(e->d_name) >= NAME_ROOM ||
		    fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		for (at = n; at > 0 && newer(&st.st_mtim, &found[at - 1].mtime); at--)
			if (at < LOG_BESIDE_MAX)
				found[at] = found[at - 1];
		if (at == LOG_BESIDE_MAX)
			continue;
		(void) text_copy(found[at].name, NAME_ROOM, e->d_name);
		found[at].mtime = st.st_mtim;
		n = PV_MIN(n + 1, (size_t) LOG_BESIDE_MAX);
	}
	(void) closedir(d);
	return n;
}

static int open_path(const struct log_files *l, const char *path, uint32_t which, struct log_file *ret)
{
	struct beside found[LOG_BESIDE_MAX];
	pv_autoclose int dir = -1;
	char name[NAME_ROOM];
	int r = log_walk_parent(path, &dir, name, sizeof(name)), wd;

	if (r < 0)
		return r;
	if (which) {
		if (which > find_beside(dir, name, found))
			return -ENOENT;
		ret->numbered = is_numbered(name, found[which - 1].name);
		(void) text_copy(name, sizeof(name), found[which - 1].name);
	}
	r = log_walk_file(dir, name, &ret->fd);
	if (r < 0)
		return r;
	wd = watch(l, ret->fd, WATCH_FILE);
	ret->watch = wd < 0 ? UINT64_MAX : (uint64_t) wd;
	return 0;
}

int log_files_open(struct log_files *l, const struct policy *p, uint32_t place, uint32_t position, uint32_t number, uint32_t which,
		   struct log_file *ret)
{
	const struct log_list *list;
	const char *path;

	if (place >= log_places(p) || place >= LOG_PLACES_MAX || which > LOG_BESIDE_MAX)
		return -EINVAL;
	list = &l->lists[place];
	if (!list->number || list->number != number)
		return -ESTALE;
	if (position >= list->n)
		return -EINVAL;
	for (path = list->paths.data; position; position--)
		path += strlen(path) + 1;
	return open_path(l, path, which, ret);
}

int log_files_container(struct log_files *l, const struct policy *p, const char *id, enum log_driver driver, uint32_t which,
			struct log_file *ret)
{
	char folder[POLICY_PATH + 96], path[POLICY_PATH + 256];
	int dir, r;

	if (!text_is_hex(id, 64) || driver >= LOG_DRIVERS || which > LOG_BESIDE_MAX)
		return -EINVAL;
	if (!p->docker_root[0])
		return -ENOENT;
	(void) snprintf(folder, sizeof(folder), "%s/containers/%s%s", p->docker_root, id, driver == LOG_LOCAL ? "/local-logs" : "");
	r = log_walk_folder(folder, &dir);
	if (r < 0)
		return r;
	(void) watch(l, dir, WATCH_FOLDER);
	(void) close(dir);
	if (driver == LOG_LOCAL)
		(void) snprintf(path, sizeof(path), "%s/container.log", folder);
	else
		(void) snprintf(path, sizeof(path), "%s/%s-json.log", folder, id);
	return open_path(l, path, which, ret);
}

int log_files_syslog(const struct policy *p, int *ret_fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	pv_autoclose int dir = -1, fd = -1;
	char name[NAME_ROOM];
	struct stat st;
	int r, one = 1;

	if (!p->logs.syslog[0])
		return -ENOENT;
	r = log_walk_parent(p->logs.syslog, &dir, name, sizeof(name));
	if (r < 0)
		return r;
	if (fstat(dir, &st) < 0)
		return -errno;
	if (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH)) /* others could exchange it */
		return -EPERM;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (!S_ISSOCK(st.st_mode) || unlinkat(dir, name, 0) < 0))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if ((size_t) snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%s", dir, name) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	if (bind(fd, (struct sockaddr *) &addr, sizeof(addr)) < 0 || fchmodat(dir, name, 0666, 0) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0)
		return -errno;
	*ret_fd = pv_steal_fd(&fd);
	return 0;
}
