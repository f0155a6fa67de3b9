#include "broker/persist.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/text.h"
#include "broker/cgroups.h"
#include "broker/log_walk.h"

/* Renaming over, closing after writing, and making: what a file holds afterwards is looked at. Folders, for .ssh made later. */
#define EVENTS	  (FAN_CREATE | FAN_MOVED_TO | FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD | FAN_ONDIR)
#define NAMES_MAX 4096 /* of one folder */

void persist_init(struct persist *p)
{
	*p = (struct persist){ .fanotify_fd = -1 };
}

void persist_done(struct persist *p)
{
	p->fanotify_fd = pv_close(p->fanotify_fd);
	free(p->folders);
	p->folders = NULL;
	p->n = 0;
}

int persist_watch(struct persist *p, int *ret_fd)
{
	persist_done(p);
	p->fanotify_fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
	if (p->fanotify_fd < 0)
		return -errno;
	*ret_fd = p->fanotify_fd;
	return 0;
}

static int as_memfd(const void *data, size_t len, int *ret_fd)
{
	pv_autoclose int fd = memfd_create("pavise-persist", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (len && write(fd, data, len) != (ssize_t) len)
		return -ENOSPC;
	*ret_fd = pv_steal_fd(&fd);
	return 0;
}

/* ---- folders ---- */

static int handle_of(int dir, struct persist_folder *f)
{
	union {
		struct file_handle h;
		uint8_t room[sizeof(struct file_handle) + PERSIST_HANDLE];
	} u = { .h.handle_bytes = PERSIST_HANDLE };
	struct statfs st;
	int mount_id;

	if (name_to_handle_at(dir, "", &u.h, &mount_id, AT_EMPTY_PATH) < 0 || fstatfs(dir, &st) < 0)
		return -errno;
	f->handle_type = (uint32_t) u.h.handle_type;
	f->handle_len = u.h.handle_bytes;
	memcpy(f->handle, u.h.f_handle, PV_MIN(u.h.handle_bytes, (unsigned) PERSIST_HANDLE));
	memcpy(f->fsid, &st.f_fsid, sizeof(f->fsid));
	return 0;
}

/* One that is there is marked; one inode under two names (/lib is /usr/lib) is one folder of each place. */
static int add_folder(struct persist *p, uint32_t place, const char *path)
{
	struct persist_folder *f = &p->folders[p->n];
	pv_autoclose int dir = -1;
	int r;

	if (p->n == PERSIST_FOLDERS)
		return -ENOSPC;
	*f = (struct persist_folder){ .place = place };
	if (!text_copy(f->path, sizeof(f->path), path))
		return -ENAMETOOLONG;
	r = log_walk_folder(path, &dir);
	if (r < 0)
		return r;
	if (fanotify_mark(p->fanotify_fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR, EVENTS, dir, NULL) < 0)
		return -errno;
	r = handle_of(dir, f);
	p->n += r == 0;
	return r;
}

static int open_folder(const char *path, DIR **ret)
{
	int fd, r = log_walk_folder(path, &fd);

	if (r < 0)
		return r;
	*ret = fdopendir(fd);
	if (*ret)
		return 0;
	r = -errno;
	(void) pv_close(fd);
	return r;
}

static int add_glob(struct persist *p, uint32_t place, const char *pattern)
{
	const char *star = strchr(pattern, '*'), *begin = star, *end;
	char path[512], glob[64];
	struct dirent *e;
	int r, worst = 0;
	size_t n = 0;
	DIR *d;

	while (begin[-1] != '/')
		begin--;
	end = begin + strcspn(begin, "/");
	(void) snprintf(glob, sizeof(glob), "%.*s", (int) (end - begin), begin);
	(void) snprintf(path, sizeof(path), "%.*s", (int) (begin - 1 - pattern), pattern);
	r = open_folder(path, &d);
	if (r < 0)
		return r;
	while ((errno = 0, e = readdir(d)) && ++n <= NAMES_MAX) {
		if (e->d_name[0] == '.' || e->d_type == DT_REG || !glob_match(glob, e->d_name) ||
		    snprintf(path, sizeof(path), "%.*s%s%s", (int) (begin - pattern), pattern, e->d_name, end) >=
			    (int) sizeof(path))
			continue;
		r = add_folder(p, place, path);
		worst = r < 0 && r != -ENOENT && r != -ENOTDIR ? r : worst;
	}
	worst = e ? -E2BIG : errno ? -errno : worst;
	(void) closedir(d);
	return worst;
}

int persist_list(struct persist *p, int *ret_fd, uint64_t *ret_lost)
{
	if (p->fanotify_fd < 0)
		return -EBADF;
	if (!p->folders)
		p->folders = calloc(PERSIST_FOLDERS + 1, sizeof(*p->folders));
	if (!p->folders)
		return -ENOMEM;
	p->n = 0;
	p->number++;
	*ret_lost = 0;
	for (uint32_t i = 0; i < persist_n_places; i++) {
		const char *folder = persist_places[i].folder;
		int r = strchr(folder, '*') ? add_glob(p, i, folder) : add_folder(p, i, folder);

		*ret_lost += r < 0 && r != -ENOENT && r != -ENOTDIR;
	}
	return as_memfd(p->folders, p->n * sizeof(*p->folders), ret_fd);
}

int persist_names(const struct persist *p, uint32_t which, int *ret_fd)
{
	pv_autobuf names = PV_BUF_INIT;
	struct dirent *e;
	size_t n = 0;
	DIR *d;
	int r;

	if (which >= p->n)
		return -EINVAL;
	r = open_folder(p->folders[which].path, &d);
	if (r < 0)
		return r;
	while ((errno = 0, e = readdir(d)) && ++n <= NAMES_MAX)
		if (e->d_type != DT_DIR && persist_takes(&persist_places[p->folders[which].place], e->d_name))
			pv_buf_add(&names, e->d_name, strlen(e->d_name) + 1);
	r = e ? -E2BIG : -errno;
	(void) closedir(d);
	if (r < 0)
		return r;
	return names.cut ? -ENOMEM : as_memfd(names.data, names.len, ret_fd);
}

/* ---- who wrote ---- */

static bool read_proc(uint32_t pid, const char *what, char *out, size_t size)
{
	char path[64];

	(void) snprintf(path, sizeof(path), "/proc/%u/%s", pid, what);
	return pv_read_start(path, out, size) > 0;
}

static uint32_t parent_of(uint32_t pid)
{
	char text[512];
	const char *end;

	/* PID (NAME) STATE PPID ...; the name may hold anything */
	if (!read_proc(pid, "stat", text, sizeof(text)) || !(end = strrchr(text, ')')) || strlen(end) < 4)
		return 0;
	return (uint32_t) strtoul(end + 4, NULL, 10);
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

/* True, too, where it cannot be told. */
static bool of_container(uint32_t pid)
{
	char text[8192];

	return !read_proc(pid, "cgroup", text, sizeof(text)) || cgroups_of_container(text);
}

/* A service has a mount namespace of its own, as this role has, on the host's root folder; a container that changed into the
 * host's root folder has the same, and a cgroup that says so. */
static bool of_host(uint32_t pid)
{
	char path[64];

	(void) snprintf(path, sizeof(path), "/proc/%u/ns/mnt", pid);
	if (same_file(path, "/proc/1/ns/mnt") || same_file(path, "/proc/self/ns/mnt"))
		return true;
	(void) snprintf(path, sizeof(path), "/proc/%u/root", pid);
	return same_file(path, "/proc/self/root") && !of_container(pid);
}

static void fill_chain(struct persist_look *look, uint32_t pid)
{
	char path[64];

	for (uint32_t i = 0; i < PERSIST_CHAIN && pid > 1; i++, pid = parent_of(pid)) {
		ssize_t n;

		if (!read_proc(pid, "comm", look->chain[i].comm, sizeof(look->chain[i].comm)))
			return;
		look->chain[i].comm[strcspn(look->chain[i].comm, "\n")] = '\0';
		look->chain[i].pid = pid;
		(void) snprintf(path, sizeof(path), "/proc/%u/exe", pid);
		n = readlink(path, look->chain[i].exe, sizeof(look->chain[i].exe) - 1);
		look->chain[i].exe[n > 0 ? n : 0] = '\0';
		look->chain[i].host = of_host(pid);
		look->n_chain = i + 1;
	}
}

/* ---- a file ---- */

int persist_look(const struct persist *p, uint32_t which, const char *name, uint32_t pid, int *ret_fd)
{
	pv_autofree uint8_t *data = malloc(sizeof(struct persist_look) + PERSIST_BYTES + 1);
	struct persist_look *look = (void *) data;
	pv_autoclose int dir = -1, fd = -1;
	ssize_t n;
	int r;

	if (which >= p->n || !persist_takes(&persist_places[p->folders[which].place], name))
		return -EINVAL;
	if (!data)
		return -ENOMEM;
	memset(look, 0, sizeof(*look));
	if (pid)
		fill_chain(look, pid);
	r = log_walk_folder(p->folders[which].path, &dir);
	if (r == 0)
		r = log_walk_file(dir, name, &fd);
	if (r < 0 && r != -ELOOP && r != -EPERM)
		return r;
	n = r < 0 ? 0 : pread(fd, data + sizeof(*look), PERSIST_BYTES + 1, 0);
	if (n < 0)
		return -errno;
	look->cut = n > PERSIST_BYTES;
	look->size = (uint32_t) PV_MIN(n, (ssize_t) PERSIST_BYTES);
	look->odd = r == -ELOOP ? PERSIST_LINK : r == -EPERM ? PERSIST_ODD : 0;
	return as_memfd(data, sizeof(*look) + look->size, ret_fd);
}
