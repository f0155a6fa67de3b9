#include "mend/state.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int open_real(const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int) fd;
}

static int child_folder(int at, const char *name, bool make, mode_t mode)
{
	pv_autoclose int fd = -1;
	struct stat st;

	if (make && mkdirat(at, name, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_uid != geteuid() || st.st_mode & 022 ? -EPERM : pv_steal_fd(&fd);
}

/* The folder above our own. Every part of a home folder's path is made; of state_dir only the last, as the guard does. */
static int home_base(bool make, struct pv_buf *path)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	pv_autoclose int fd = -1;
	static const char *const parts[] = { ".local", "state" };

	if (state && *state == '/') {
		pv_buf_puts(path, state);
		return open_real(state);
	}
	if (!home || *home != '/')
		return -ENOENT;
	pv_buf_puts(path, home);
	fd = open_real(home);
	for (size_t i = 0; i < N_ELEMENTS(parts) && fd >= 0; i++) {
		int next = child_folder(fd, parts[i], make, 0700);

		pv_buf_printf(path, "/%s", parts[i]);
		(void) close(fd);
		fd = next;
	}
	return pv_steal_fd(&fd);
}

static int base(const char *state_dir, bool make, struct pv_buf *path)
{
	pv_autofree char *parent = NULL;
	pv_autoclose int fd = -1;
	const char *slash;

	if (geteuid() != 0) {
		fd = home_base(make, path);
		pv_buf_puts(path, "/pavise");
		return fd < 0 ? pv_steal_fd(&fd) : child_folder(fd, "pavise", make, 0700);
	}
	slash = strrchr(state_dir, '/');
	if (!slash || !slash[1])
		return -EINVAL;
	pv_buf_puts(path, state_dir);
	parent = strndup(state_dir, slash == state_dir ? 1 : (size_t) (slash - state_dir));
	if (!parent)
		return -ENOMEM;
	fd = open_real(parent);
	return fd < 0 ? pv_steal_fd(&fd) : child_folder(fd, slash + 1, make, 0755);
}

static int get(const char *state_dir, const char *name, bool make, struct pv_buf *ret_path)
{
	pv_autobuf path = PV_BUF_INIT;
	pv_autoclose int fd = base(state_dir, make, &path);

	if (ret_path)
		pv_buf_printf(ret_path, "%s/%s", pv_buf_str(&path), name);
	return fd < 0 ? pv_steal_fd(&fd) : child_folder(fd, name, make, 0700);
}

int state_folder(const char *state_dir, const char *name, struct pv_buf *ret_path)
{
	return get(state_dir, name, true, ret_path);
}

int state_folder_open(const char *state_dir, const char *name, struct pv_buf *ret_path)
{
	return get(state_dir, name, false, ret_path);
}

int state_read(int folder, const char *name, size_t max, struct pv_buf *out)
{
	pv_autoclose int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char chunk[16384];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022)
		return -EPERM;
	out->cap = max;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		pv_buf_add(out, chunk, (size_t) n);
	return n < 0 ? -errno : out->cut ? -EFBIG : 0;
}

int state_write(int folder, const char *name, const char *text, size_t len)
{
	pv_autofree char *fresh = NULL;
	pv_autoclose int fd = -1;
	int r = 0;

	if (asprintf(&fresh, ".%s.new", name) < 0) {
		fresh = NULL;
		return -ENOMEM;
	}
	(void) unlinkat(folder, fresh, 0);
	fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while (len && r == 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			r = -errno;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t) n : 0;
	}
	if (r == 0 && (fsync(fd) < 0 || renameat(folder, fresh, folder, name) < 0))
		r = -errno;
	if (r < 0)
		(void) unlinkat(folder, fresh, 0);
	return r;
}
