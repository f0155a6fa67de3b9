#include "host/hostfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

int hostfs_open(struct hostfs *fs, const char *folder)
{
	*fs = (struct hostfs){ .root = -1, .prefix = "" };
	if (!folder)
		return 0;
	fs->root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fs->prefix = folder;
	return fs->root < 0 ? -errno : 0;
}

void hostfs_done(struct hostfs *fs)
{
	fs->root = pv_close(fs->root);
}

static int open_at(const struct hostfs *fs, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t) (unsigned) flags | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	long fd;

	if (fs->root < 0)
		fd = open(path, flags | O_CLOEXEC);
	else
		fd = syscall(SYS_openat2, fs->root, path, &how, sizeof(how));
	return fd < 0 ? -errno : (int) fd;
}

int hostfs_read(const struct hostfs *fs, const char *path, size_t max, struct pv_buf *out)
{
	pv_autoclose int fd = open_at(fs, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	char chunk[32768];
	struct stat st;
	size_t total = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return out->cut ? -ENOMEM : 0;
		total += (size_t) n;
		if (total > max)
			return -EFBIG;
		pv_buf_add(out, chunk, (size_t) n);
	}
}

ssize_t hostfs_head(const struct hostfs *fs, const char *path, void *out, size_t size)
{
	pv_autoclose int fd = open_at(fs, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	do
		n = pread(fd, out, size, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

#define LINE_BYTES 65536

/* Hands out the whole lines of what is there; returns how many bytes are left of one that is not over. */
static size_t lines_of(char *buf, size_t have, bool *skip, int *r, int (*fn)(const char *line, size_t len, void *user),
		       void *user)
{
	char *at = buf, *end = buf + have, *lf;

	while (*r == 0 && (lf = memchr(at, '\n', (size_t) (end - at)))) {
		*lf = '\0';
		if (!*skip)
			*r = fn(at, (size_t) (lf - at), user);
		*skip = false;
		at = lf + 1;
	}
	memmove(buf, at, (size_t) (end - at));
	return (size_t) (end - at);
}

int hostfs_lines(const struct hostfs *fs, const char *path, size_t max,
		 int (*fn)(const char *line, size_t len, void *user), void *user)
{
	pv_autoclose int fd = open_at(fs, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	pv_autofree char *buf = malloc(2 * LINE_BYTES + 1);
	size_t have = 0, total = 0;
	bool skip = false;
	struct stat st;
	int r = 0;

	if (fd < 0 || !buf)
		return fd < 0 ? fd : -ENOMEM;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	while (r == 0) {
		ssize_t n = read(fd, buf + have, LINE_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			buf[have] = '\0';
			return n < 0 ? -errno : have && !skip ? fn(buf, have, user) : 0;
		}
		total += (size_t) n;
		if (total > max)
			return -EFBIG;
		have = lines_of(buf, have + (size_t) n, &skip, &r, fn, user);
		if (have > LINE_BYTES) { /* too long to be one of those that matter */
			skip = true;
			have = 0;
		}
	}
	return r;
}

int hostfs_stat(const struct hostfs *fs, const char *path, bool follow, struct stat *ret)
{
	pv_autoclose int fd = -1;

	if (fs->root < 0)
		return (follow ? stat(path, ret) : lstat(path, ret)) < 0 ? -errno : 0;
	fd = open_at(fs, path, O_PATH | (follow ? 0 : O_NOFOLLOW));
	if (fd < 0)
		return fd;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

int hostfs_list(const struct hostfs *fs, const char *path, size_t max,
		int (*fn)(const char *name, unsigned char type, void *user), void *user)
{
	int fd = open_at(fs, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK), r = 0;
	struct dirent *e;
	DIR *d;

	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		r = -errno;
		(void) close(fd);
		return r;
	}
	while (r == 0 && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		r = max-- ? fn(e->d_name, e->d_type, user) : -EFBIG;
	}
	(void) closedir(d);
	return r;
}
