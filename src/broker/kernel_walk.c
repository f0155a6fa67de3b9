#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/map.h"
#include "base/text.h"
#include "bpf/classify.h"
#include "broker/kernel_exec.h"
#include "broker/kernel_private.h"

#define DEPTH_MAX  64
#define PROCS_MAX  (1u << 20) /* bytes of a cgroup.procs that are read */
#define KERNFS_HANDLE 0xfe    /* FILEID_KERNFS: the handle of a cgroup is its id */

struct handle {
	struct file_handle head;
	unsigned char id[16];
};

int kernel_cgroup_id(int fd, uint64_t *ret)
{
	struct handle h = { .head.handle_bytes = sizeof(h.id) };
	int mount;

	if (name_to_handle_at(fd, "", &h.head, &mount, AT_EMPTY_PATH) < 0)
		return -errno;
	if (h.head.handle_bytes < sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, h.head.f_handle, sizeof(*ret));
	return 0;
}

static bool exists(const struct kernel *k, uint64_t id)
{
	struct handle h = { .head = { .handle_bytes = sizeof(id), .handle_type = KERNFS_HANDLE } };
	int fd;

	memcpy(h.head.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(k->root_fd, &h.head, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno != ESTALE && errno != ENOENT;
	(void) pv_close(fd);
	return true;
}

static bool is_v2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The v2 mount of a hybrid host: where systemd has it, or wherever /proc/self/mountinfo says. */
int kernel_root_find(const char *root, char *out, size_t size)
{
	FILE *f;
	char line[2048];
	int r = -ENOTSUP;

	if (is_v2(root))
		return text_copy(out, size, root) ? 0 : -ENAMETOOLONG;
	if (snprintf(out, size, "%s/unified", root) < (int) size && is_v2(out))
		return 0;
	f = fopen("/proc/self/mountinfo", "re");
	if (!f)
		return -errno;
	while (r < 0 && fgets(line, sizeof(line), f)) {
		char *save = NULL, *word = strtok_r(line, " ", &save), *mount = NULL;

		for (int i = 0; word && i < 4; i++) /* id, parent, device, root, mount point */
			word = strtok_r(NULL, " ", &save);
		mount = word;
		while (word && strcmp(word, "-") != 0)
			word = strtok_r(NULL, " ", &save);
		word = word ? strtok_r(NULL, " ", &save) : NULL;
		if (mount && word && strcmp(word, "cgroup2") == 0 && text_copy(out, size, mount))
			r = 0;
	}
	(void) fclose(f);
	return r;
}

int kernel_root_open(struct kernel *k, const char *cgroup_root)
{
	int r = kernel_root_find(cgroup_root, k->root_path, sizeof(k->root_path));

	if (r < 0)
		return r;
	k->root_fd = open(k->root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->root_fd < 0)
		return -errno;
	return kernel_cgroup_id(k->root_fd, &k->root_id);
}

/* Also of one that nobody has waited for yet: it has no program any more. */
static bool has_ended(const char *pid)
{
	char path[32], exe[1];

	(void) snprintf(path, sizeof(path), "/proc/%.16s/exe", pid);
	return readlink(path, exe, sizeof(exe)) < 0 && (errno == ENOENT || errno == ESRCH);
}

/* Who lives in a container, so that a move out of it is known for one (the tracepoint does not say from where). */
static void note_homes(struct kernel *k, int dir, uint64_t id)
{
	int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	struct pv_home home = { .cgroup = id };
	int map = kernel_map(k->skel->maps.homes);
	char line[32];
	size_t total = 0;

	if (!f) {
		(void) pv_close(fd);
		return;
	}
	while (total < PROCS_MAX && fgets(line, sizeof(line), f)) {
		uint32_t tgid;

		total += strlen(line);
		line[strcspn(line, "\n")] = '\0';
		home.role = kernel_exec_role(k, line);
		if (parse_u32(line, &tgid) == 0 && tgid != 0 && bpf_map_update_elem(map, &tgid, &home, BPF_NOEXIST) == 0 && has_ended(line))
			(void) bpf_map_delete_elem(map, &tgid); /* nobody else will, and the number comes again */
	}
	(void) fclose(f);
}

struct walk {
	struct kernel *k;
	struct pv_map seen;
};

/* Gives one cgroup its class, as cgroup_mkdir would have. Exceptions that stand there stay. */
static struct pv_workload put_workload(struct walk *w, uint64_t id, const char *name, const struct pv_workload *parent)
{
	struct pv_workload now = { 0 }, old;
	char padded[CLASSIFY_NAME] = { 0 };
	int map = kernel_map(w->k->skel->maps.workloads);

	(void) text_copy(padded, sizeof(padded), name);
	now.class_ = classify_name(padded, (uint32_t) strlen(padded), parent->class_);
	if (classify_is_top(now.class_, parent->class_)) {
		now.root_id = id;
		now.flags = PV_WORKLOAD_ROOT;
	} else if (now.class_ != PV_CLASS_NONE) {
		now.root_id = parent->root_id;
	}
	if (bpf_map_lookup_elem(map, &id, &old) == 0)
		now.flags |= old.flags & ~PV_WORKLOAD_ROOT;
	(void) bpf_map_update_elem(map, &id, &now, BPF_ANY);
	(void) pv_map_put(&w->seen, id, w);
	return now;
}

/* A folder's own entry is written before its children are listed: a child made meanwhile is either listed, or its
 * tracepoint finds the parent in the table. */
static void walk_folder(struct walk *w, int fd, const struct pv_workload *self, int depth)
{
	DIR *d = fdopendir(fd); /* takes fd */

	if (!d) {
		(void) pv_close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(d));) {
		struct pv_workload child;
		uint64_t id;
		int sub;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0 || kernel_cgroup_id(sub, &id) < 0) {
			(void) pv_close(sub);
			continue; /* it is gone */
		}
		child = put_workload(w, id, e->d_name, self);
		if (child.class_ == PV_CLASS_CONTAINER || child.class_ == PV_CLASS_BUILD) {
			note_homes(w->k, sub, id);
			kernel_exec_begin(w->k, &child, sub);
		}
		if (depth < DEPTH_MAX)
			walk_folder(w, sub, &child, depth + 1);
		else
			(void) pv_close(sub);
	}
	(void) closedir(d);
}

/* What died while no tracepoint of ours was attached. */
static void drop_stale(struct walk *w)
{
	int map = kernel_map(w->k->skel->maps.workloads);
	uint64_t key, next;
	int r = bpf_map_get_next_key(map, NULL, &next);

	while (r == 0) {
		key = next;
		r = bpf_map_get_next_key(map, &key, &next);
		if (!pv_map_get(&w->seen, key) && !exists(w->k, key)) {
			(void) bpf_map_delete_elem(map, &key);
			kernel_exec_end(w->k, key);
		}
	}
}

int kernel_walk(struct kernel *k)
{
	struct pv_workload top = { .class_ = PV_CLASS_TOP };
	struct walk w = { .k = k };
	int fd;

	if (bpf_map_update_elem(kernel_map(k->skel->maps.workloads), &k->root_id, &top, BPF_ANY) < 0)
		return -errno;
	(void) pv_map_put(&w.seen, k->root_id, &w);
	fd = openat(k->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	walk_folder(&w, fd, &top, 0);
	drop_stale(&w);
	pv_map_done(&w.seen);
	return 0;
}
