#include "broker/cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "base/pidfd.h"
#include "base/text.h"
#include "bpf/classify.h"

#define FILEID_KERNFS 0xfe /* linux/exportfs.h: the handle is the 64-bit id */
#define DEPTH_MAX     16
#define KILL_ROUNDS   64

static int path_of(int fd, char *path, size_t size)
{
	char link[64];
	ssize_t n;

	(void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, size - 1);
	if (n < 0)
		return -errno;
	if ((size_t) n >= size - 1)
		return -ENAMETOOLONG;
	path[n] = '\0';
	return 0;
}

/* `path` is `root` or lies below it. */
static bool is_below(const char *path, const char *root)
{
	size_t n = strlen(root);

	return strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static int find_mount(struct cgroups *c)
{
	char up[sizeof(c->mount)];
	struct statfs fs;

	if (fstatfs(c->root_fd, &fs) < 0)
		return -errno;
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return -ENOTSUP;
	(void) text_copy(up, sizeof(up), c->root);
	do {
		char *slash = strrchr(up, '/');

		(void) text_copy(c->mount, sizeof(c->mount), up);
		if (!slash || slash == up)
			break;
		*slash = '\0';
	} while (statfs(up, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC);
	return 0;
}

/* The v2 line of a process: "0::/path". */
static int cgroup_of(pid_t pid, char *ret, size_t size)
{
	char path[64], *line = NULL;
	size_t room = 0;
	int r = -ENOENT;
	FILE *f;

	(void) snprintf(path, sizeof(path), "/proc/%d/cgroup", (int) pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (r < 0 && getline(&line, &room, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) == 0)
			r = text_copy(ret, size, line + 3) ? 0 : -ENAMETOOLONG;
	}
	free(line);
	(void) fclose(f);
	return r;
}

int cgroups_init(struct cgroups *c, int root_fd)
{
	int r;

	*c = (struct cgroups){ .root_fd = root_fd };
	r = path_of(root_fd, c->root, sizeof(c->root));
	if (r == 0)
		r = find_mount(c);
	if (r == 0)
		r = cgroup_of(getpid(), c->own, sizeof(c->own));
	return r;
}

int cgroups_open(const struct cgroups *c, uint64_t id, char *path, size_t size, int *ret_fd)
{
	union {
		struct file_handle h;
		uint8_t room[sizeof(struct file_handle) + sizeof(id)];
	} handle = { .h = { .handle_bytes = sizeof(id), .handle_type = FILEID_KERNFS } };
	pv_autoclose int fd = -1;
	int r;

	memcpy(handle.h.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(c->root_fd, &handle.h, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ESTALE || errno == ENOENT ? -ESRCH : errno == EINVAL ? -EPERM : -errno;
	r = path_of(fd, path, size);
	if (r < 0)
		return r;
	if (!is_below(path, c->root) || strcmp(path, c->root) == 0)
		return -EPERM;
	*ret_fd = pv_steal_fd(&fd);
	return 0;
}

static bool holds_us(const struct cgroups *c, const char *path)
{
	return is_below(c->own, path + (strcmp(c->mount, "/") == 0 ? 0 : strlen(c->mount)));
}

int cgroups_open_container(const struct cgroups *c, uint64_t id, struct broker_cgroup *ret)
{
	pv_autoclose int fd = -1;
	const char *name;
	int r;

	if (!id)
		return -EINVAL;
	r = cgroups_open(c, id, ret->path, sizeof(ret->path), &fd);
	if (r < 0)
		return r;
	name = strrchr(ret->path, '/') + 1;
	if (requests_container_id(name, ret->id) < 0 || holds_us(c, ret->path))
		return -EPERM;
	ret->cgroup = id;
	ret->fd = pv_steal_fd(&fd);
	return 0;
}

/* Calls fn for each process in the folder and below; fn returns nonzero to stop. cgroup.procs of a threaded cgroup
 * cannot be read (EOPNOTSUPP); its processes stand in the one above. */
static int walk_procs(int dir_fd, unsigned depth, int (*fn)(pid_t pid, void *arg), void *arg)
{
	int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "re");
	struct dirent *e;
	char line[32];
	int r = 0;
	DIR *d;

	while (f && r == 0 && fgets(line, sizeof(line), f)) {
		long pid = strtol(line, NULL, 10); /* the kernel's own text */

		if (pid > 1 && pid <= INT_MAX)
			r = fn((pid_t) pid, arg);
	}
	if (f)
		(void) fclose(f);
	if (r || depth == DEPTH_MAX)
		return r;
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		(void) pv_close(fd);
		return 0;
	}
	while (r == 0 && (e = readdir(d))) {
		pv_autoclose int sub = -1;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (sub >= 0)
			r = walk_procs(sub, depth + 1, fn, arg);
	}
	(void) closedir(d);
	return r;
}

struct proc_walk {
	const struct cgroups *c;
	const char *path; /* below the mount */
	unsigned seen;
	int pidfd;
};

/* The number may belong to another process by the time it is opened; one that is open cannot change. */
static int open_proc(struct proc_walk *w, pid_t pid)
{
	char path[4096];
	int fd = pv_pidfd_open(pid);

	if (fd < 0)
		return -ESRCH;
	if (cgroup_of(pid, path, sizeof(path)) < 0 || !is_below(path, w->path))
		return pv_close(fd), -ESRCH;
	return fd;
}

static int kill_proc(pid_t pid, void *arg)
{
	struct proc_walk *w = arg;
	pv_autoclose int fd = open_proc(w, pid);

	if (fd >= 0) {
		w->seen++;
		(void) pv_pidfd_signal(fd, SIGKILL);
	}
	return 0;
}

static int take_proc(pid_t pid, void *arg)
{
	struct proc_walk *w = arg;

	w->pidfd = open_proc(w, pid);
	return w->pidfd >= 0;
}

static struct proc_walk walk_of(const struct cgroups *c, const struct broker_cgroup *cg)
{
	size_t n = strcmp(c->mount, "/") == 0 ? 0 : strlen(c->mount);

	return (struct proc_walk){ .c = c, .path = cg->path + n, .pidfd = -1 };
}

static int write_file(int dir_fd, const char *name, const char *text)
{
	pv_autoclose int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

/* Before 5.14 there is no cgroup.kill, and in a rootless user's cgroup the file is that user's (we hold no right to
 * override file modes): one by one, until none is left. */
static int kill_each(const struct cgroups *c, const struct broker_cgroup *cg)
{
	for (unsigned round = 0; round < KILL_ROUNDS; round++) {
		struct proc_walk w = walk_of(c, cg);
		const struct timespec pause = { .tv_nsec = 1000000 };

		(void) walk_procs(cg->fd, 0, kill_proc, &w);
		if (!w.seen)
			return 0;
		(void) nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

int cgroups_kill(const struct cgroups *c, const struct broker_cgroup *cg)
{
	int r = write_file(cg->fd, "cgroup.kill", "1");

	if (r == -ENODEV)
		return -ESRCH;
	return r < 0 ? kill_each(c, cg) : 0;
}

int cgroups_freeze(const struct broker_cgroup *cg, bool freeze)
{
	int r = write_file(cg->fd, "cgroup.freeze", freeze ? "1" : "0");

	return r == -ENODEV ? -ESRCH : r;
}

int cgroups_some_process(const struct cgroups *c, const struct broker_cgroup *cg, int *ret_pidfd)
{
	struct proc_walk w = walk_of(c, cg);

	(void) walk_procs(cg->fd, 0, take_proc, &w);
	if (w.pidfd < 0)
		return -ESRCH;
	*ret_pidfd = w.pidfd;
	return 0;
}

/* A line of /proc/PID/cgroup, of any hierarchy: does it lead through a container's or an image build's cgroup? */
static bool line_of_container(const char *line, size_t len)
{
	const char *end = line + len, *p = memchr(line, '/', len);
	uint8_t class_ = PV_CLASS_NONE;

	while (p && ++p < end) {
		const char *slash = memchr(p, '/', (size_t) (end - p)) ?: end;
		char name[CLASSIFY_NAME] = { 0 };
		size_t n = (size_t) (slash - p);

		memcpy(name, p, PV_MIN(n, sizeof(name) - 1));
		class_ = classify_name(name, (uint32_t) n, class_);
		p = slash;
	}
	return class_ == PV_CLASS_CONTAINER || class_ == PV_CLASS_BUILD;
}

bool cgroups_of_container(const char *proc_cgroup)
{
	for (const char *p = proc_cgroup; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (line_of_container(p, strcspn(p, "\n")))
			return true;
	return false;
}
