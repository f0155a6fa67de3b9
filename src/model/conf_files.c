#include "model/conf_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

static int refuse(struct pv_buf *err, const char *name, const char *why, int r)
{
	pv_buf_safe(err, name, 0);
	pv_buf_printf(err, ": %s\n", why);
	return r;
}

static void close_one(struct conf_file *f)
{
	if (f->fd > 0)
		(void) close(f->fd);
	f->fd = 0;
}

/* Who may write this decides over the guard: that must be root alone (or the person who checks a file of theirs). */
static const char *untrusted(const struct stat *st)
{
	if (st->st_uid != 0 && (st->st_uid != geteuid() || geteuid() == 0))
		return "is not owned by root; mend with: chown root:root";
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return "can be written by others than its owner; mend with: chmod go-w";
	return NULL;
}

static int open_trusted(int dir_fd, const char *path, const char *name, struct conf_file *ret, struct pv_buf *err)
{
	pv_autoclose int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	const char *why;
	struct stat st;

	if (fd < 0 && errno == ELOOP)
		return refuse(err, name, "is a symbolic link; put the file itself here", -ELOOP);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : refuse(err, name, strerror(errno), -errno);
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return refuse(err, name, "is not a regular file", -EINVAL);
	why = untrusted(&st);
	if (why)
		return refuse(err, name, why, -EPERM);
	if (!text_copy(ret->name, CONF_FILE_NAME, name))
		return refuse(err, name, "has too long a path; at most 255 bytes", -ENAMETOOLONG);
	ret->fd = pv_steal_fd(&fd);
	return 0;
}

static int open_one(int dir_fd, const char *path, const char *name, struct conf_files *ret, struct pv_buf *err)
{
	struct conf_file one;
	int r = open_trusted(dir_fd, path, name, &one, err);

	if (r < 0)
		return r;
	if (ret->n == CONF_FILES_MAX) {
		(void) close(one.fd);
		return refuse(err, name, "is one file too many; at most 64 are read", -E2BIG);
	}
	ret->file[ret->n++] = one;
	return 0;
}

static int is_yaml(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 5 && strcmp(e->d_name + len - 5, ".yaml") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int open_dropins(const char *dir, struct conf_files *ret, struct pv_buf *err)
{
	pv_autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct dirent **list = NULL;
	const char *why;
	struct stat st;
	int n, r = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : refuse(err, dir, strerror(errno), -errno);
	if (fstat(fd, &st) < 0)
		return -errno;
	why = untrusted(&st);
	if (why)
		return refuse(err, dir, why, -EPERM);
	n = scandirat(fd, ".", &list, is_yaml, by_name);
	if (n < 0)
		return refuse(err, dir, strerror(errno), -errno);
	for (int i = 0; i < n; i++) {
		char name[CONF_FILE_NAME * 2];
		int one;

		(void) snprintf(name, sizeof(name), "%s/%s", dir, list[i]->d_name);
		one = open_one(fd, list[i]->d_name, name, ret, err);
		if (one < 0 && one != -ENOENT && r == 0) /* deleted meanwhile is deleted */
			r = one;
		free(list[i]);
	}
	free(list);
	return r;
}

static int beside(const char *path, const char *what, char *out, size_t size)
{
	const char *slash;
	int n;

	path = path ? path : CONF_FILE_DEFAULT;
	slash = strrchr(path, '/');
	n = slash ? snprintf(out, size, "%.*s/%s", (int) (slash - path), path, what) : snprintf(out, size, "%s", what);
	return n < 0 || (size_t) n >= size ? -ENAMETOOLONG : 0;
}

int conf_files_dropin_dir(const char *path, char *out, size_t size)
{
	return beside(path, "conf.d", out, size);
}

/* The line of refuse() without the name and the end of the line. */
static void pools_not_opened(struct conf_files *ret, const char *name, const char *line)
{
	pv_autobuf safe = PV_BUF_INIT;
	size_t n;

	pv_buf_safe(&safe, name, 0);
	n = strlen(line) > safe.len + 2 ? safe.len + 2 : 0;
	(void) snprintf(ret->pools_trouble, sizeof(ret->pools_trouble), "its file%s %.*s", n ? "" : ":", (int) strcspn(line + n, "\n"), line + n);
}

/* Both or none. */
static int open_pools(const char *path, struct conf_files *ret)
{
	pv_autobuf why = PV_BUF_INIT;
	char name[CONF_FILE_NAME], sig[CONF_FILE_NAME];
	int r = beside(path, "pools.yaml", name, sizeof(name));

	if (r == 0)
		r = beside(path, "pools.yaml.minisig", sig, sizeof(sig));
	if (r < 0)
		return r;
	r = open_trusted(AT_FDCWD, name, name, &ret->pools, &why);
	if (r < 0 && r != -ENOENT)
		pools_not_opened(ret, name, pv_buf_str(&why));
	if (r == 0)
		r = open_trusted(AT_FDCWD, sig, sig, &ret->pools_sig, &why);
	else if (r == -ENOENT)
		return 0;
	if (r == 0 || r == -ENOENT)
		return 0;
	if (!*ret->pools_trouble)
		(void) snprintf(ret->pools_trouble, sizeof(ret->pools_trouble), "its signature cannot be opened: %s", strerror(-r));
	close_one(&ret->pools);
	(void) text_copy(ret->pools.name, sizeof(ret->pools.name), name);
	return 0;
}

int conf_files_open(const char *path, struct conf_files *ret, struct pv_buf *err)
{
	struct conf_files files = { .n = 0 };
	char dir[CONF_FILE_NAME];
	int r, d;

	r = open_one(AT_FDCWD, path ? path : CONF_FILE_DEFAULT, path ? path : CONF_FILE_DEFAULT, &files, err);
	if (r == -ENOENT && !path)
		r = 0;
	else if (r == -ENOENT)
		(void) refuse(err, path, "does not exist; a sample: pavise config sample", r);
	d = conf_files_dropin_dir(path, dir, sizeof(dir));
	if (d == 0)
		d = open_dropins(dir, &files, err);
	if (d == 0)
		d = open_pools(path, &files);
	if (r < 0 || d < 0) {
		conf_files_close(&files);
		return r < 0 ? r : d;
	}
	*ret = files;
	return 0;
}

void conf_files_close(struct conf_files *f)
{
	for (size_t i = 0; i < f->n; i++)
		f->file[i].fd = pv_close(f->file[i].fd);
	f->n = 0;
	close_one(&f->pools);
	close_one(&f->pools_sig);
}

bool conf_files_trouble(const struct conf_files *f, char *out, size_t size)
{
	if (!*f->pools_trouble)
		return false;
	(void) snprintf(out, size, "%s:%s", f->pools.name, f->pools_trouble);
	return true;
}
