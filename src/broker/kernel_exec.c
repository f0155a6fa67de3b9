#include "broker/kernel_exec.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "base/text.h"

/* ---- the overlay's layout ---- */

static bool has_member(const struct btf *btf, const struct btf_type *t, const char *name)
{
	const struct btf_member *m = btf_members(t);

	for (unsigned i = 0; i < btf_vlen(t); i++, m++) {
		const char *s = btf__name_by_offset(btf, m->name_off);

		if (s && strcmp(s, name) == 0)
			return true;
	}
	return false;
}

static uint8_t layout_by_type(const struct btf *btf)
{
	int id = btf ? btf__find_by_name_kind(btf, "ovl_inode", BTF_KIND_STRUCT) : -ENOENT;
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (uint32_t) id) : NULL;

	if (!t || !has_member(btf, t, "__upperdentry"))
		return PV_OVL_UNKNOWN;
	if (has_member(btf, t, "oe"))
		return PV_OVL_ENTRY;
	if (has_member(btf, t, "lowerpath"))
		return PV_OVL_PATH;
	return has_member(btf, t, "lower") ? PV_OVL_LOWER : PV_OVL_UNKNOWN;
}

/* The module's types are there when it is loaded; dockerd may come after us. */
static uint8_t layout_by_btf(void)
{
	struct btf *kernel = btf__load_vmlinux_btf(), *module = NULL;
	uint8_t layout;

	if (libbpf_get_error(kernel))
		return PV_OVL_UNKNOWN;
	layout = layout_by_type(kernel);
	if (layout == PV_OVL_UNKNOWN) {
		module = btf__load_module_btf("overlay", kernel);
		if (!libbpf_get_error(module))
			layout = layout_by_type(module);
	}
	if (!libbpf_get_error(module))
		btf__free(module);
	btf__free(kernel);
	return layout;
}

static uint8_t layout_by_release(const char *release)
{
	char *end;
	unsigned long major = strtoul(release, &end, 10), minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;

	if (*end != '.' || major < 5 || (major == 5 && minor < 15))
		return PV_OVL_UNKNOWN;
	if (major == 5 && minor < 19)
		return PV_OVL_LOWER;
	return major < 6 || (major == 6 && minor < 5) ? PV_OVL_PATH : PV_OVL_ENTRY;
}

uint8_t kernel_ovl_layout(const char *release)
{
	struct utsname u;
	uint8_t layout;

	if (release)
		return layout_by_release(release);
	layout = layout_by_btf();
	if (layout != PV_OVL_UNKNOWN || uname(&u) < 0)
		return layout;
	return layout_by_release(u.release);
}

/* ---- names and paths ---- */

static int names_policy(struct kernel *k, const struct policy *p)
{
	int map = kernel_map(k->skel->maps.exec_names);
	struct pv_name_key key, next;
	int r;

	for (uint32_t i = 0; i < p->exec.n_names; i++) {
		memset(&key, 0, sizeof(key));
		(void) text_copy(key.name, sizeof(key.name), p->exec.names[i].name);
		if (bpf_map_update_elem(map, &key, &p->exec.names[i].what, BPF_ANY) < 0)
			return -errno;
	}
	r = bpf_map_get_next_key(map, NULL, &next);
	while (r == 0) {
		bool wanted = false;

		key = next;
		r = bpf_map_get_next_key(map, &key, &next);
		for (uint32_t i = 0; i < p->exec.n_names && !wanted; i++)
			wanted = strncmp(key.name, p->exec.names[i].name, sizeof(key.name)) == 0;
		if (!wanted)
			(void) bpf_map_delete_elem(map, &key);
	}
	return 0;
}

/* `/opt/app/` is all below it; `/opt/app` that program alone, its NUL included. */
static struct pv_path_key path_key(const char *path)
{
	size_t len = strlen(path);
	struct pv_path_key key = { .bits = (uint32_t) (len + (path[len - 1] != '/')) * 8 };

	(void) text_copy(key.path, sizeof(key.path), path);
	return key;
}

static int paths_policy(struct kernel *k, const struct policy *p)
{
	int map = kernel_map(k->skel->maps.exec_allow);
	struct pv_path_key key, next;
	uint32_t one = 1;
	int r;

	for (uint32_t i = 0; i < p->exec.n_allow; i++) {
		key = path_key(p->exec.allow[i]);
		if (bpf_map_update_elem(map, &key, &one, BPF_ANY) < 0)
			return -errno;
	}
	r = bpf_map_get_next_key(map, NULL, &next);
	while (r == 0) {
		bool wanted = false;

		key = next;
		r = bpf_map_get_next_key(map, &key, &next);
		for (uint32_t i = 0; i < p->exec.n_allow && !wanted; i++) {
			struct pv_path_key own = path_key(p->exec.allow[i]);

			wanted = own.bits == key.bits && memcmp(own.path, key.path, key.bits / 8) == 0;
		}
		if (!wanted)
			(void) bpf_map_delete_elem(map, &key);
	}
	return 0;
}

static uint32_t namespace_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : (uint32_t) st.st_ino;
}

int kernel_exec_policy(struct kernel *k, const struct policy *p, struct pv_bpf_conf *conf)
{
	int r = names_policy(k, p);

	if (r == 0)
		r = paths_policy(k, p);
	if (r < 0)
		return r;
	conf->exec_action = p->exec.action;
	conf->exec_allow = p->exec.n_allow != 0;
	conf->exec_grace_ns = p->exec.grace_us * 1000;
	if (!k->ovl_layout)
		k->ovl_layout = kernel_ovl_layout(NULL);
	conf->ovl_layout = k->ovl_layout;
	conf->host_ns[0] = namespace_of("/proc/1/ns/mnt");
	conf->host_ns[1] = namespace_of("/proc/self/ns/mnt");
	kernel_exec_check(k);
	return 0;
}

/* ---- containers ---- */

/* The kernel's own form of a device number, as the hook sees it. */
static uint32_t kernel_dev(dev_t dev)
{
	return (uint32_t) (major(dev) << 20 | minor(dev));
}

/* The container's first process: init of its PID namespace where it has one, else whoever is named first. What another
 * process made of its own root and mounts is not looked at. */
static bool is_init(const char *pid)
{
	char path[64], line[256];
	bool is = false;
	FILE *f;

	(void) snprintf(path, sizeof(path), "/proc/%s/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *last = strncmp(line, "NSpid:", 6) == 0 ? strrchr(line, '\t') : NULL;

		if (last)
			is = strcmp(last, "\t1\n") == 0;
	}
	if (f)
		(void) fclose(f);
	return is;
}

static bool read_root(struct pv_exec *e, const char *pid)
{
	char path[64];
	struct statfs fs;
	struct stat st;

	(void) snprintf(path, sizeof(path), "/proc/%s/root/.", pid);
	if (stat(path, &st) < 0 || statfs(path, &fs) < 0)
		return false;
	e->flags = e->flags & ~PV_CTR_OVERLAY;
	if (fs.f_type == OVERLAYFS_SUPER_MAGIC)
		e->flags |= PV_CTR_OVERLAY;
	e->root_dev = kernel_dev(st.st_dev);
	(void) snprintf(path, sizeof(path), "/proc/%s/ns/mnt", pid);
	e->mnt_ns = namespace_of(path);
	(void) snprintf(path, sizeof(path), "/proc/%s/ns/pid", pid);
	e->pid_ns = namespace_of(path);
	return true;
}

static void find_root(struct pv_exec *e, int dir)
{
	int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char line[32];

	if (!f) {
		(void) pv_close(fd);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!isdigit((unsigned char) line[0]))
			continue;
		if (is_init(line)) {
			(void) read_root(e, line);
			break;
		}
		if (!e->root_dev)
			(void) read_root(e, line);
	}
	(void) fclose(f);
}

/* The runtime on its way in still has the host's root, in its own namespace or in the container's: the first program will tell. */
static bool is_runtimes(const struct pv_exec *e)
{
	static const char *const hosts[] = { "self", "1" }; /* either may be in a namespace of its own */
	struct pv_exec host = { 0 };

	for (size_t i = 0; e->mnt_ns && i < N_ELEMENTS(hosts); i++)
		if (read_root(&host, hosts[i]) && (e->mnt_ns == host.mnt_ns || e->root_dev == host.root_dev))
			return true;
	return e->mnt_ns && e->mnt_ns == e->maker_ns;
}

/* One that is there already keeps what it knows. A nested cgroup may hold the first process (systemd in a container). */
void kernel_exec_begin(struct kernel *k, const struct pv_workload *w, int fd)
{
	int map = kernel_map(k->skel->maps.execs);
	struct pv_exec e = { 0 };
	bool there = bpf_map_lookup_elem(map, &w->root_id, &e) == 0;

	if (!w->root_id || (there && e.root_dev))
		return;
	find_root(&e, fd);
	if (is_runtimes(&e)) {
		e.root_dev = e.mnt_ns = e.pid_ns = 0;
		e.flags &= ~PV_CTR_OVERLAY;
	}
	(void) bpf_map_update_elem(map, &w->root_id, &e, BPF_ANY);
}

void kernel_exec_end(struct kernel *k, uint64_t cgroup)
{
	(void) bpf_map_delete_elem(kernel_map(k->skel->maps.execs), &cgroup);
}

/* ---- roles ---- */

static uint32_t kind_of(const struct kernel *k, const char *name, bool stem)
{
	static const char marks[] = "-_.0123456789"; /* where a version may begin, as in bpf/process.h */
	size_t len = strlen(name), cuts[3] = { len, len, strcspn(name, marks) };
	uint32_t what = 0;

	while (cuts[1] > 1 && strchr(marks, name[cuts[1] - 1]))
		cuts[1]--;
	if (len == 0 || len >= PV_NAME_LEN)
		return 0;
	for (size_t i = 0; i < (stem ? N_ELEMENTS(cuts) : 1); i++) {
		struct pv_name_key key = { .name = "" };

		memcpy(key.name, name, cuts[i]);
		if (bpf_map_lookup_elem(kernel_map(k->skel->maps.exec_names), &key, &what) == 0 && (i == 0 || what & PV_NAME_STEM))
			return what;
	}
	return 0;
}

/* The first argument that is no option, without its folders. */
static const char *script_of(char *argv, size_t len)
{
	for (size_t at = strlen(argv) + 1; at < len; at += strlen(argv + at) + 1) {
		const char *slash = strrchr(argv + at, '/');

		if (argv[at] != '-')
			return slash ? slash + 1 : argv + at;
	}
	return "";
}

uint32_t kernel_exec_role(const struct kernel *k, const char *pid)
{
	char path[64], exe[4096], argv[512];
	pv_autoclose int fd = -1;
	const char *name;
	uint32_t what;
	ssize_t n;

	(void) snprintf(path, sizeof(path), "/proc/%.16s/exe", pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n <= 0)
		return 0;
	exe[n] = '\0';
	name = strrchr(exe, '/');
	if (!(kind_of(k, name ? name + 1 : exe, true) & PV_NAME_SERVER))
		return 0;
	(void) snprintf(path, sizeof(path), "/proc/%.16s/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, argv, sizeof(argv) - 1);
	argv[n > 0 ? n : 0] = '\0';
	what = n > 0 ? kind_of(k, script_of(argv, (size_t) n), false) : 0;
	if (!(what & PV_NAME_PACKAGE))
		return PV_ROLE_SERVER;
	return PV_ROLE_PACKAGE | (what & PV_NAME_INSTALLER ? PV_ROLE_INSTALLER : 0);
}

static bool some_root_is_plain(const struct kernel *k)
{
	int map = kernel_map(k->skel->maps.execs);
	uint64_t key, next;
	int r = bpf_map_get_next_key(map, NULL, &next);

	while (r == 0) {
		struct pv_exec e;

		key = next;
		if (bpf_map_lookup_elem(map, &key, &e) == 0 && e.root_dev && !(e.flags & PV_CTR_OVERLAY))
			return true;
		r = bpf_map_get_next_key(map, &key, &next);
	}
	return false;
}

void kernel_exec_check(struct kernel *k)
{
	if (k->ovl_layout == PV_OVL_UNKNOWN)
		kernel_blame(k, BROKER_DEGRADED_EXEC, "the overlay file system of this kernel", -EOPNOTSUPP);
	if (some_root_is_plain(k))
		kernel_blame(k, BROKER_DEGRADED_STORAGE, "a container's root", -EOPNOTSUPP);
}
