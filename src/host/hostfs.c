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

int hostfs_pieces(const struct hostfs *fs, const char *path, size_t max, int (*fn)(const char *piece, size_t len, void *user),
		  void *user)
{
	pv_autoclose int fd = open_at(fs, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	char piece[32768];
	struct stat st;
	size_t total = 0;
	int r = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	while (r == 0) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		total += (size_t) n;
		if (total > max)
			return -EFBIG;
		r = fn(piece, (size_t) n, user);
	}
	return r;
}

static int keep(const char *piece, size_t len, void *user)
{
	pv_buf_add(user, piece, len);
	return 0;
}

int hostfs_read(const struct hostfs *fs, const char *path, size_t max, struct pv_buf *out)
{
	int r = hostfs_pieces(fs, path, max, keep, out);

	return r == 0 && out->cut ? -ENOMEM : r;
}

static int by_line(const char *piece, size_t len, void *user)
{
	return lines_add(user, piece, len);
}

int hostfs_lines(const struct hostfs *fs, const char *path, size_t max, lines_fn *fn, void *user)
{
	pv_autofree struct line_reader *l = lines_new(fn, user);
	int r = l ? hostfs_pieces(fs, path, max, by_line, l) : -ENOMEM;

	return r == 0 ? lines_end(l) : r;
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
