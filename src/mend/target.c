#include "mend/target.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/io.h"

#define PATH_FD 32 /* room for /proc/self/fd/N */

const char *mend_why(int r)
{
	switch (r) {
	case -ELOOP:
		return "a link stands there";
	case -EXDEV:
		return "it lies on another mount";
	case -EMLINK:
		return "the file has more than one name";
	case -ESTALE:
		return "it is not what it was when it was judged";
	case -EBADF:
		return "it is no plain file";
	case -EPERM:
	case -EACCES:
		return "it belongs to somebody else";
	case -EEXIST:
		return "a file of that name is there already, and not one of ours";
	case -ENOENT:
		return "it is gone";
	default:
		return strerror(-r);
	}
}

/* --- opening --- */

static int open_under(int at, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };
	long fd = syscall(SYS_openat2, at, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int) fd;
}

static bool plain_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int open_dir(const char *dir)
{
	if (*dir != '/')
		return -EINVAL;
	return open_under(AT_FDCWD, dir, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

static int judge(const struct mend_target *t, const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return -ELOOP;
	if (t->folder ? !S_ISDIR(st->st_mode) : !S_ISREG(st->st_mode))
		return -EBADF;
	if (!t->folder && st->st_nlink != 1)
		return -EMLINK;
	return (uint64_t) st->st_dev == t->dev && (uint64_t) st->st_ino == t->ino && st->st_uid == t->owner ? 0 : -ESTALE;
}

/* O_PATH: opening a FIFO or a device would already be an act. */
static int open_target(const struct mend_target *t, int *ret_dir, struct stat *ret)
{
	pv_autoclose int dir = open_dir(t->dir), fd = -1;
	int r;

	if (dir < 0 || !plain_name(t->name))
		return dir < 0 ? dir : -EINVAL;
	fd = open_under(dir, t->name, O_PATH | O_NOFOLLOW,
			RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	if (fd < 0)
		return fd;
	if (fstat(fd, ret) < 0)
		return -errno;
	r = judge(t, ret);
	if (r < 0)
		return r;
	if (ret_dir)
		*ret_dir = pv_steal_fd(&dir);
	return pv_steal_fd(&fd);
}

int mend_look(const struct mend_target *t, struct stat *ret)
{
	int fd = open_target(t, NULL, ret);

	if (fd < 0)
		return fd;
	(void) close(fd);
	return 0;
}

/* --- as its owner: in a process of its own, which ends with the change --- */

static int become(const struct stat *owner)
{
	if (geteuid() != 0)
		return owner->st_uid == geteuid() ? 0 : -EPERM;
	if (owner->st_uid == 0) /* root's own */
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(owner->st_gid, owner->st_gid, owner->st_gid) < 0 ||
	    setresuid(owner->st_uid, owner->st_uid, owner->st_uid) < 0)
		return -errno;
	return 0;
}

struct work {
	int (*fn)(void *arg, void *ret);
	void *arg, *ret;
	size_t ret_size;
};

static int as_other(const struct work *w)
{
	int pair[2], status, r = -EIO;
	ssize_t n;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	(void) fflush(NULL);
	pid = fork();
	if (pid == 0) {
		r = w->fn(w->arg, w->ret);
		n = write(pair[1], &r, sizeof(r));
		if (w->ret_size)
			n = write(pair[1], w->ret, w->ret_size);
		_exit(n < 0);
	}
	(void) close(pair[1]);
	if (pid > 0 && read(pair[0], &r, sizeof(r)) != sizeof(r))
		r = -EIO;
	if (pid > 0 && r == 0 && w->ret_size && read(pair[0], w->ret, w->ret_size) != (ssize_t) w->ret_size)
		r = -EIO;
	(void) close(pair[0]);
	if (pid < 0)
		return -EAGAIN;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return r;
}

/* --- a mode --- */

struct mode_work {
	const struct mend_target *t;
	uint32_t from, to;
};

static int do_mode(void *arg, void *ret)
{
	const struct mode_work *w = arg;
	pv_autoclose int fd = -1;
	char path[PATH_FD];
	struct stat st;
	int r;

	(void) ret;
	fd = open_target(w->t, NULL, &st);
	if (fd < 0)
		return fd;
	if (w->from != UINT32_MAX && (st.st_mode & 07777) != w->from)
		return -ESTALE;
	r = become(&st);
	if (r < 0)
		return r;
	/* fchmod() refuses O_PATH; fchmodat2() came with 6.6. This name is the descriptor itself, not a path. */
	(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (chmod(path, (mode_t) w->to) < 0)
		return -errno;
	return 0;
}

int mend_mode(const struct mend_target *t, uint32_t from, uint32_t to)
{
	struct mode_work m = { t, from, to };
	const struct work w = { .fn = do_mode, .arg = &m };

	return as_other(&w);
}

/* --- a line --- */

struct line_work {
	const struct mend_target *t;
	const char *line;
	const struct mend_size *size;
};

static int reopen(int fd, int flags)
{
	char path[PATH_FD];
	int r;

	(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* the descriptor's own file, known to be regular */
	return r < 0 ? -errno : r;
}

/* A new file in a folder, as the folder's owner. */
static int make_file(const char *dir_path, const char *name, uint32_t mode)
{
	pv_autoclose int dir = open_dir(dir_path), fd = -1;
	struct stat st;
	int r;

	if (dir < 0 || !plain_name(name))
		return dir < 0 ? dir : -EINVAL;
	if (fstat(dir, &st) < 0)
		return -errno;
	r = become(&st);
	if (r < 0)
		return r;
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	return fchmod(fd, (mode_t) mode) < 0 ? -errno : pv_steal_fd(&fd);
}

static int open_line(const struct mend_target *t, struct stat *st)
{
	pv_autoclose int at = -1;
	int r;

	if (t->ino == 0)
		return make_file(t->dir, t->name, 0644);
	at = open_target(t, NULL, st);
	if (at < 0)
		return at;
	r = become(st);
	return r < 0 ? r : reopen(at, O_RDWR | O_APPEND);
}

static int do_append(void *arg, void *ret)
{
	const struct line_work *w = arg;
	struct mend_size *size = ret;
	struct stat st = { .st_size = 0 };
	pv_autoclose int fd = open_line(w->t, &st);
	pv_autobuf text = PV_BUF_INIT;
	char last = '\n';
	int r;

	if (fd < 0)
		return fd;
	if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) != 1)
		return -EIO;
	pv_buf_puts(&text, last == '\n' ? "" : "\n");
	pv_buf_puts(&text, w->line);
	pv_buf_putc(&text, '\n');
	size->before = w->t->ino ? (uint64_t) st.st_size : UINT64_MAX;
	r = pv_write_all(fd, pv_buf_str(&text), text.len);
	if (r == 0 && (fsync(fd) < 0 || fstat(fd, &st) < 0))
		r = -errno;
	size->after = (uint64_t) st.st_size;
	size->dev = (uint64_t) st.st_dev;
	size->ino = (uint64_t) st.st_ino;
	size->owner = st.st_uid;
	return r;
}

int mend_append(const struct mend_target *t, const char *line, struct mend_size *ret)
{
	struct line_work l = { .t = t, .line = line };
	struct mend_size size = { 0 };
	const struct work w = { .fn = do_append, .arg = &l, .ret = &size, .ret_size = sizeof(size) };
	int r = strchr(line, '\n') ? -EINVAL : as_other(&w);

	if (r == 0)
		*ret = size;
	return r;
}

/* Whether the file ends as it did after the line was added. */
static bool ends_so(int fd, const char *line, const struct mend_size *size)
{
	char tail[512];
	size_t n = strlen(line);

	if (n + 1 > sizeof(tail) || size->after < n + 1)
		return false;
	return pread(fd, tail, n + 1, (off_t) (size->after - n - 1)) == (ssize_t) (n + 1) &&
	       memcmp(tail, line, n) == 0 && tail[n] == '\n';
}

static int do_unappend(void *arg, void *ret)
{
	const struct line_work *w = arg;
	pv_autoclose int dir = -1, at = -1, fd = -1;
	struct stat st;
	int r;

	(void) ret;
	at = open_target(w->t, &dir, &st);
	if (at < 0)
		return at;
	r = become(&st);
	fd = r < 0 ? r : reopen(at, O_RDWR);
	if (fd < 0)
		return fd;
	if ((uint64_t) st.st_size != w->size->after || !ends_so(fd, w->line, w->size))
		return -ESTALE;
	if (w->size->before == UINT64_MAX)
		return unlinkat(dir, w->t->name, 0) < 0 ? -errno : 0;
	return ftruncate(fd, (off_t) w->size->before) < 0 ? -errno : 0;
}

int mend_unappend(const struct mend_target *t, const char *line, const struct mend_size *size)
{
	struct line_work l = { .t = t, .line = line, .size = size };
	const struct work w = { .fn = do_unappend, .arg = &l };

	return as_other(&w);
}

/* --- a whole file --- */

struct file_work {
	const char *dir, *name, *mark, *text;
	size_t len;
	uint32_t mode;
};

/* An older one of ours. */
static int open_ours(const struct file_work *w, struct stat *ret)
{
	pv_autoclose int dir = open_dir(w->dir), at = -1, fd = -1;
	struct stat st;
	char head[128] = "";
	ssize_t n;
	int r;

	if (dir < 0)
		return dir;
	at = open_under(dir, w->name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	if (at < 0)
		return at;
	if (fstat(at, &st) < 0)
		return -errno;
	r = judge(&(struct mend_target){ .dev = (uint64_t) st.st_dev, .ino = (uint64_t) st.st_ino, .owner = st.st_uid }, &st);
	if (r == 0)
		r = become(&st);
	fd = r < 0 ? r : reopen(at, O_RDWR);
	if (fd < 0)
		return fd;
	n = pread(fd, head, sizeof(head) - 1, 0);
	if (n < 0 || strncmp(head, w->mark, strlen(w->mark)) != 0 || head[strlen(w->mark)] != '\n')
		return -EEXIST;
	*ret = st;
	return pv_steal_fd(&fd);
}

static int do_write(void *arg, void *ret)
{
	const struct file_work *w = arg;
	pv_autoclose int fd = make_file(w->dir, w->name, w->mode);
	struct stat st = { .st_size = 0 };
	int r;

	(void) ret;
	if (fd == -EEXIST) {
		fd = open_ours(w, &st);
		if (fd >= 0 && ftruncate(fd, 0) < 0)
			return -errno;
	}
	if (fd < 0)
		return fd;
	r = pv_write_all(fd, w->text, w->len);
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

int mend_write(const char *dir, const char *name, const char *mark, const char *text, size_t len, uint32_t mode)
{
	struct file_work f = { dir, name, mark, text, len, mode };
	const struct work w = { .fn = do_write, .arg = &f };

	return strlen(mark) < 100 ? as_other(&w) : -EINVAL;
}

static int do_unwrite(void *arg, void *ret)
{
	const struct file_work *w = arg;
	struct stat st = { .st_size = 0 };
	pv_autoclose int fd = open_ours(w, &st), dir = open_dir(w->dir);

	(void) ret;
	if (fd < 0 || dir < 0)
		return fd < 0 ? fd : dir;
	if ((uint64_t) st.st_size != w->len)
		return -ESTALE;
	return unlinkat(dir, w->name, 0) < 0 ? -errno : 0;
}

int mend_unwrite(const char *dir, const char *name, const char *mark, uint64_t len)
{
	struct file_work f = { .dir = dir, .name = name, .mark = mark, .len = len };
	const struct work w = { .fn = do_unwrite, .arg = &f };

	return strlen(mark) < 100 ? as_other(&w) : -EINVAL;
}
