#include "broker/log_walk.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LINKS_MAX 16
#define PATH_ROOM 4096

/* Nobody but root can have put a link there. */
static bool only_roots(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 && st.st_uid == 0 && !(st.st_mode & S_IWOTH) && (!(st.st_mode & S_IWGRP) || st.st_gid == 0);
}

struct walk {
	int dir; /* where we are */
	char rest[PATH_ROOM];
	unsigned links;
};

/* Takes the first name of w->rest out of it. False: nothing is left. */
static bool next_name(struct walk *w, char *name, size_t size, bool *ret_last)
{
	size_t skip = strspn(w->rest, "/"), len = strcspn(w->rest + skip, "/");
	const char *after = w->rest + skip + len;

	if (!len || len >= size)
		return false;
	memcpy(name, w->rest + skip, len);
	name[len] = '\0';
	after += strspn(after, "/");
	*ret_last = !*after;
	memmove(w->rest, after, strlen(after) + 1);
	return true;
}

/* `name` in w->dir is a link (its O_PATH descriptor: `fd`): what it says comes before what is left. */
static int follow_link(struct walk *w, int fd)
{
	char target[PATH_ROOM], joined[2 * PATH_ROOM + 2];
	ssize_t n;
	int len;

	if (!only_roots(w->dir) || ++w->links > LINKS_MAX)
		return -ELOOP;
	n = readlinkat(fd, "", target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	len = snprintf(joined, sizeof(joined), "%s/%s", target, w->rest);
	if (len < 0 || (size_t) len >= sizeof(w->rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, joined, (size_t) len + 1);
	if (target[0] != '/')
		return 0;
	(void) pv_close(w->dir);
	w->dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return w->dir < 0 ? -errno : 0;
}

/* One name on the way. 1: it is the last one and no link, left in `name`; 0: went on. */
static int step(struct walk *w, char *name, size_t size, bool keep_last)
{
	pv_autoclose int fd = -1;
	struct stat st;
	bool last;

	if (!next_name(w, name, size, &last))
		return -ENOENT;
	fd = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT && last && keep_last ? 1 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return follow_link(w, fd);
	if (last && keep_last)
		return 1;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	(void) pv_close(w->dir);
	w->dir = pv_steal_fd(&fd);
	return last ? 2 : 0;
}

static int walk(const char *path, bool keep_last, int *ret_dir, char *name, size_t size)
{
	struct walk *w;
	int r = 0;

	if (path[0] != '/' || strlen(path) >= PATH_ROOM)
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	memcpy(w->rest, path, strlen(path) + 1);
	w->dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->dir < 0)
		r = -errno;
	while (r == 0)
		r = step(w, name, size, keep_last);
	if (r > 0)
		*ret_dir = pv_steal_fd(&w->dir);
	(void) pv_close(w->dir);
	free(w);
	return PV_MIN(r, 0);
}

int log_walk_parent(const char *path, int *ret_dir, char *ret_name, size_t size)
{
	return walk(path, true, ret_dir, ret_name, size);
}

int log_walk_folder(const char *path, int *ret_fd)
{
	pv_autoclose int dir = -1;
	char name[256];
	int r;

	if (strcmp(path, "/") == 0) {
		*ret_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return *ret_fd < 0 ? -errno : 0;
	}
	r = walk(path, false, &dir, name, sizeof(name));
	if (r < 0)
		return r;
	*ret_fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

int log_walk_file(int dir, const char *name, int *ret_fd)
{
	pv_autoclose int node = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[64];
	struct stat st;
	int fd;

	if (node < 0 || fstat(node, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		return -EPERM;
	/* What was checked, whatever its name means by now. */
	(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", node);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}
