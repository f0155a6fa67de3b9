#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/text.h"
#include "collector/collector.h"

#define FDS_MAX 512 /* of one process */

/* A device or a FIFO is found out about before it is opened: opening alone may do something. */
static int reopen(int path_fd)
{
	char link[40];
	struct stat st;
	int fd;

	if (fstat(path_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOTSUP;
	(void) snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int file_open_in(int root_fd, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	pv_autoclose int fd = (int) syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : reopen(fd);
}

int file_open_at(int dir_fd, const char *name)
{
	pv_autoclose int fd = openat(dir_fd, name, O_PATH | O_CLOEXEC); /* the link's target: one of /proc's own */

	return fd < 0 ? -errno : reopen(fd);
}

static bool is_it(const struct stat *st, const struct capture_job *job)
{
	return job->ino && st->st_ino == job->ino && major(st->st_dev) == job->dev >> 20 &&
	       minor(st->st_dev) == (job->dev & 0xfffff);
}

/* Deleted, or in memory: somebody may still hold it. */
static int find_descriptor(const struct procs *p, const struct capture_job *job, const char *path, pid_t *ret_pid)
{
	for (size_t i = 0; i < p->n; i++) {
		int fd = openat(p->at[i].dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *d = fd < 0 ? NULL : fdopendir(fd);
		unsigned seen = 0;
		struct dirent *e;

		if (!d)
			continue;
		while ((e = readdir(d)) && seen++ < FDS_MAX) {
			char link[CAPTURE_PATH + 16] = "";
			struct stat st;

			if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode))
				continue;
			if (readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1) < 0)
				continue;
			if (!is_it(&st, job) &&
			    !(strncmp(link, path, strlen(path)) == 0 && strcmp(link + strlen(path), " (deleted)") == 0))
				continue;
			fd = file_open_at(dirfd(d), e->d_name);
			if (fd >= 0) {
				*ret_pid = p->at[i].pid;
				(void) closedir(d);
				return fd;
			}
		}
		(void) closedir(d);
	}
	return -ENOENT;
}

/* The roots of the container's processes: most have the same. */
static int find_root(const struct procs *p, const char *path, pid_t *ret_pid)
{
	int r = -ESRCH;

	for (size_t i = 0; i < p->n && i < 8; i++) {
		pv_autoclose int root = openat(p->at[i].dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
		int fd = root < 0 ? -errno : file_open_in(root, path);

		if (fd >= 0) {
			*ret_pid = p->at[i].pid;
			return fd;
		}
		r = fd;
	}
	return r;
}

static int find_dead(const char *docker_root, const char *id, const char *path)
{
	struct overlay o;
	int r = overlay_of_dead(docker_root, id, &o);

	return r < 0 ? r : overlay_open_upper(&o, path);
}

static const char *why_not(const struct procs *p, int r, const char *path)
{
	if (strncmp(path, "/memfd:", 7) == 0)
		return "it lay in memory alone, and no process holds it any more";
	if (r == -ENOTSUP)
		return "it is not a regular file";
	if (p->n == 0 && r == -ENOENT)
		return "the container has ended; in what it wrote itself the file is not (any more)";
	if (p->n == 0)
		return "the container has ended and what it wrote is not known to this host";
	return "it was deleted, and no process of the container holds it open";
}

void file_find(const struct procs *p, const struct capture_job *job, const char *path, const char *docker_root, const char *id,
	       struct taken_file *ret)
{
	bool absolute = path[0] == '/' && strncmp(path, "/memfd:", 7) != 0;
	pid_t pid = 0;
	int r;

	*ret = (struct taken_file){ .fd = -1 };
	(void) text_copy(ret->path, sizeof(ret->path), path);
	r = absolute ? find_root(p, path, &pid) : -ENOENT;
	if (r >= 0)
		(void) snprintf(ret->origin, sizeof(ret->origin), "by the root of process %d", (int) pid);
	if (r < 0) {
		ret->fd = find_descriptor(p, job, path, &pid);
		if (ret->fd >= 0)
			(void) snprintf(ret->origin, sizeof(ret->origin), "process %d holds it open", (int) pid);
	}
	if (r < 0 && ret->fd < 0 && absolute) {
		r = find_dead(docker_root, id, path);
		if (r >= 0)
			(void) snprintf(ret->origin, sizeof(ret->origin), "from the container's layer");
	}
	if (r >= 0)
		ret->fd = r;
	if (ret->fd < 0)
		(void) text_copy(ret->why, sizeof(ret->why), why_not(p, r, path));
}
