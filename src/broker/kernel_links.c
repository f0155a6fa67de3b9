#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/kernel_exec.h"
#include "broker/kernel_maps.h"

#define CGROUPS_BELOW 4096 /* attached one level below the root: more children than that are left out */

const struct kernel_hook kernel_hooks[] = {
	{ "cgroup_mkdir", -1, BROKER_DEGRADED_CGROUPS },
	{ "cgroup_rmdir", -1, BROKER_DEGRADED_CGROUPS },
	{ "attach_task", -1, BROKER_DEGRADED_CGROUPS },
	{ "fork", -1, BROKER_DEGRADED_CGROUPS },
	{ "exit", -1, BROKER_DEGRADED_CGROUPS | BROKER_DEGRADED_OOM },
	{ "mark_victim", -2, BROKER_DEGRADED_OOM },
	{ "exec", -1, BROKER_DEGRADED_EXEC },
	{ "mmap", -1, BROKER_DEGRADED_MMAP },
	{ "mprotect", -1, BROKER_DEGRADED_MMAP },
	{ "unmapped", -1, BROKER_DEGRADED_MMAP },
	{ "recvmsg4", BPF_CGROUP_UDP4_RECVMSG, BROKER_DEGRADED_INGRESS },
	{ "recvmsg6", BPF_CGROUP_UDP6_RECVMSG, BROKER_DEGRADED_INGRESS },
	{ "ingress", BPF_CGROUP_INET_INGRESS, BROKER_DEGRADED_INGRESS },
	{ "connect4", BPF_CGROUP_INET4_CONNECT, BROKER_DEGRADED_CONNECT },
	{ "connect6", BPF_CGROUP_INET6_CONNECT, BROKER_DEGRADED_CONNECT },
	{ "sendmsg4", BPF_CGROUP_UDP4_SENDMSG, BROKER_DEGRADED_SENDMSG },
	{ "sendmsg6", BPF_CGROUP_UDP6_SENDMSG, BROKER_DEGRADED_SENDMSG },
	{ "egress", BPF_CGROUP_INET_EGRESS, BROKER_DEGRADED_EGRESS },
};
bool kernel_nat_is_hidden;
enum kernel_functions kernel_functions;
uint64_t kernel_quiet_ns = 60ull * 1000000000;
const size_t kernel_n_hooks = N_ELEMENTS(kernel_hooks);
_Static_assert(N_ELEMENTS(kernel_hooks) <= KERNEL_N_HOOKS, "a bit for each");

void kernel_blame(struct kernel *k, uint32_t bit, const char *what, int error)
{
	k->degraded |= bit;
	if (bit & ~k->said)
		(void) log_warning_errno(error, "not in force as meant: %s", what);
	k->said |= bit;
	for (uint32_t i = 0; i < KERNEL_N_REASONS; i++)
		if (bit & (1u << i))
			(void) snprintf(k->reasons[i], sizeof(k->reasons[i]), "%s: %s", what, strerror(error < 0 ? -error : error));
}

/* ---- loading ---- */

static struct bpf_program *program(struct pavise_bpf *skel, size_t hook)
{
	char name[40];

	(void) snprintf(name, sizeof(name), "pv_%s", kernel_hooks[hook].name);
	return bpf_object__find_program_by_name(skel->obj, name);
}

static uint32_t hook_bits(uint32_t degraded)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < kernel_n_hooks; i++)
		bits |= kernel_hooks[i].degraded == degraded ? 1u << i : 0;
	return bits;
}

static uint32_t hook_of_type(int type)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < kernel_n_hooks; i++)
		bits |= kernel_hooks[i].type == type ? 1u << i : 0;
	return bits;
}

/* Egress judges datagrams by where they were sent, which it reads in the connection tracker's entry. Can it find its way
 * there? The type is in the BTF of every kernel that we have met, also where the tracker is a module. */
static bool egress_sees_nat(void)
{
	struct btf *btf = kernel_nat_is_hidden ? NULL : btf__load_vmlinux_btf();
	bool yes = btf && btf__find_by_name_kind(btf, "nf_conn", BTF_KIND_STRUCT) > 0;

	btf__free(btf);
	return yes;
}

static uint32_t hook_named(const char *name)
{
	for (size_t i = 0; i < kernel_n_hooks; i++)
		if (strcmp(kernel_hooks[i].name, name) == 0)
			return 1u << i;
	return 0;
}

/* Does this kernel take a program before one of its functions? Not where it is locked down or has no trampolines (arm64 before 6.4), and
 * the one shows when it is loaded, the other when it is attached. By an empty one. */
static bool functions_take_programs(void)
{
	static const struct bpf_insn nothing[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT } };
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	struct btf *btf = kernel_functions != FUNCTIONS_TRIED ? NULL : btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "security_mmap_file", BTF_KIND_FUNC) : 0, prog = -1, link = -1;

	btf__free(btf);
	if (id > 0) {
		opts.attach_btf_id = (uint32_t) id;
		prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "pv_try", "GPL", nothing, N_ELEMENTS(nothing), &opts);
	}
	if (prog >= 0)
		link = bpf_raw_tracepoint_open(NULL, prog);
	(void) pv_close(prog);
	(void) pv_close(link);
	return kernel_functions == FUNCTIONS_OPEN || link >= 0;
}

/* Opens and loads the hooks in `wanted`; `dir` NULL: maps of its own, for a trial. */
static int load(uint32_t wanted, const char *dir, struct pavise_bpf **ret)
{
	struct pavise_bpf *skel = pavise_bpf__open();
	struct bpf_map *map;
	char path[POLICY_PATH + 80];
	int r;

	if (!skel)
		return -errno;
	bpf_object__for_each_map(map, skel->obj) {
		/* sockets' storage cannot outlive its map, and nobody asks for it by name: but a pinned program needs it */
		(void) snprintf(path, sizeof(path), "%s/map_%s", dir ? dir : "", bpf_map__name(map));
		if (dir && !bpf_map__is_internal(map))
			(void) bpf_map__set_pin_path(map, path);
	}
	for (size_t i = 0; i < kernel_n_hooks; i++)
		(void) bpf_program__set_autoload(program(skel, i), wanted >> i & 1);
	r = pavise_bpf__load(skel);
	if (r < 0) {
		pavise_bpf__destroy(skel);
		return r;
	}
	*ret = skel;
	return 0;
}

/* By trial, hook by hook: no list of kernel versions says what a vendor's kernel, its lockdown or a seccomp profile
 * lets through. */
static uint32_t probe(struct kernel *k, uint32_t wanted)
{
	uint32_t works = 0;

	for (size_t i = 0; i < kernel_n_hooks; i++) {
		struct pavise_bpf *skel = NULL;
		int r;

		if (!(wanted >> i & 1))
			continue;
		r = load(1u << i, NULL, &skel);

		pavise_bpf__destroy(skel);
		if (r == 0)
			works |= 1u << i;
		else
			kernel_blame(k, kernel_hooks[i].degraded, kernel_hooks[i].name, r);
	}
	return works;
}

/* Pinned maps of our layout number that do not fit (a build that forgot to raise it): their programs go on with them
 * until each link is replaced. */
static void drop_map_pins(const struct kernel *k)
{
	struct pavise_bpf *skel = pavise_bpf__open();
	struct bpf_map *map;
	char path[POLICY_PATH + 80];

	if (!skel)
		return;
	bpf_object__for_each_map(map, skel->obj) {
		(void) snprintf(path, sizeof(path), "%s/map_%s", k->dir, bpf_map__name(map));
		(void) unlink(path);
	}
	pavise_bpf__destroy(skel);
}

int kernel_load(struct kernel *k)
{
	const uint32_t all = (1u << kernel_n_hooks) - 1, sendmsg = hook_bits(BROKER_DEGRADED_SENDMSG);
	uint32_t works;
	int r;

	k->spared = (egress_sees_nat() ? sendmsg : 0) | (functions_take_programs() ? hook_named("unmapped") : hook_named("mmap") | hook_named("mprotect"));
	r = load(all & ~k->spared, k->dir, &k->skel);
	if (r == 0)
		return 0;
	works = probe(k, all & ~(k->spared & ~sendmsg));
	if (!(works & hook_bits(BROKER_DEGRADED_EGRESS)))
		k->spared &= ~sendmsg;
	works &= ~k->spared;
	k->missing = all & ~works;
	if (!works)
		return r;
	r = load(works, k->dir, &k->skel);
	if (r < 0) {
		drop_map_pins(k);
		r = load(works, k->dir, &k->skel);
	}
	return r;
}

/* ---- links ---- */

static void pin_path(const struct kernel *k, const struct kernel_link *l, const char *suffix, char *out, size_t size)
{
	if (l->cgroup && l->cgroup != k->root_id)
		(void) snprintf(out, size, "%s/link_%s_%llx%s", k->dir, kernel_hooks[l->hook].name,
				(unsigned long long) l->cgroup, suffix);
	else
		(void) snprintf(out, size, "%s/link_%s%s", k->dir, kernel_hooks[l->hook].name, suffix);
}

/* Pins beside and renames over: at no moment is there no pin. */
static int link_pin(const struct kernel *k, const struct kernel_link *l)
{
	char path[POLICY_PATH + 80], fresh[POLICY_PATH + 90];

	pin_path(k, l, "", path, sizeof(path));
	pin_path(k, l, "-new", fresh, sizeof(fresh));
	(void) unlink(fresh);
	if (bpf_obj_pin(l->fd, fresh) < 0)
		return -errno;
	return rename(fresh, path) < 0 ? -errno : 0;
}

static int link_info(int fd, struct bpf_link_info *info)
{
	uint32_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &len) < 0 ? -errno : 0;
}

static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) < 0 ? 0 : info.id;
}

/* Is this link where it belongs? A detached cgroup link answers with cgroup 0. */
static bool link_in_place(const struct kernel_link *l, int fd)
{
	struct bpf_link_info info;
	const struct kernel_hook *h = &kernel_hooks[l->hook];

	if (link_info(fd, &info) < 0)
		return false;
	if (h->type < 0)
		return info.type == BPF_LINK_TYPE_TRACING || info.type == BPF_LINK_TYPE_RAW_TRACEPOINT;
	return info.type == BPF_LINK_TYPE_CGROUP && info.cgroup.cgroup_id == l->cgroup &&
	       info.cgroup.attach_type == (uint32_t) h->type;
}

/* The link that a broker before us pinned, with our program put in its place. -1: none such. A tracepoint's link takes
 * no other program: the new one is attached beside it, and the old one goes with its pin. */
static int adopt(const struct kernel *k, const struct kernel_link *l, int prog_fd)
{
	char path[POLICY_PATH + 80];
	int fd;

	if (kernel_hooks[l->hook].type < 0)
		return -1;
	pin_path(k, l, "", path, sizeof(path));
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -1;
	if (!link_in_place(l, fd) || bpf_link_update(fd, prog_fd, NULL) < 0)
		return pv_close(fd);
	return fd;
}

static int attach_new(const struct kernel_link *l, int prog_fd, int cgroup_fd)
{
	const struct kernel_hook *h = &kernel_hooks[l->hook];
	int fd;

	if (h->type >= 0)
		fd = bpf_link_create(prog_fd, cgroup_fd, (enum bpf_attach_type) h->type, NULL);
	else
		fd = bpf_raw_tracepoint_open(h->type == -2 ? h->name : NULL, prog_fd);
	return fd < 0 ? -errno : fd;
}

static struct kernel_link *link_find(struct kernel *k, size_t hook, uint64_t cgroup)
{
	for (size_t i = 0; i < k->n_links; i++)
		if (k->links[i].hook == hook && k->links[i].cgroup == cgroup)
			return &k->links[i];
	return NULL;
}

static int link_keep(struct kernel *k, const struct kernel_link *l)
{
	struct kernel_link *there = link_find(k, l->hook, l->cgroup), *more;

	if (there) {
		(void) pv_close(there->fd);
		*there = *l;
		return 0;
	}
	more = reallocarray(k->links, k->n_links + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	k->links = more;
	k->links[k->n_links++] = *l;
	return 0;
}

/* One hook at one place: adopted or attached, pinned, kept. */
static int attach_at(struct kernel *k, size_t hook, int cgroup_fd, uint64_t cgroup)
{
	struct kernel_link l = { .hook = hook, .cgroup = cgroup, .fd = -1 };
	int prog_fd = bpf_program__fd(program(k->skel, hook)), r;

	if (prog_fd < 0)
		return -ENOENT;
	l.fd = adopt(k, &l, prog_fd);
	if (l.fd < 0) {
		l.fd = attach_new(&l, prog_fd, cgroup_fd);
		if (l.fd < 0)
			return l.fd;
	}
	l.prog_id = program_id(prog_fd);
	r = link_pin(k, &l);
	if (r == 0)
		r = link_keep(k, &l);
	if (r < 0)
		(void) pv_close(l.fd);
	return r;
}

/* Somebody's program sits at the root and suffers none beside it: ours goes to each cgroup one level below. What runs
 * in the root itself is then not seen, which is told about and never blocked anyway. */
static int attach_below(struct kernel *k, size_t hook)
{
	int fd = openat(k->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), worst = 0;
	size_t n = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		(void) pv_close(fd);
		return -errno;
	}
	for (struct dirent *e; (e = readdir(d)) && n < CGROUPS_BELOW;) {
		pv_autoclose int child = -1;
		uint64_t id;
		int r;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		child = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (child < 0 || kernel_cgroup_id(child, &id) < 0)
			continue;
		n++;
		if (link_find(k, hook, id))
			continue;
		r = attach_at(k, hook, child, id);
		if (r < 0 && r != -ENOENT)
			worst = r;
	}
	(void) closedir(d);
	return worst;
}

/* The root is free after all: what was attached below it would judge everything twice. */
static void drop_below(struct kernel *k, size_t hook)
{
	for (size_t i = k->n_links; i-- > 0;) {
		struct kernel_link *l = &k->links[i];
		char path[POLICY_PATH + 80];

		if (l->hook != hook || l->cgroup == 0 || l->cgroup == k->root_id)
			continue;
		pin_path(k, l, "", path, sizeof(path));
		(void) unlink(path);
		(void) pv_close(l->fd);
		*l = k->links[--k->n_links];
	}
}

static void attach_hook(struct kernel *k, size_t hook)
{
	const struct kernel_hook *h = &kernel_hooks[hook];
	int r;

	if (k->spared >> hook & 1)
		return;
	if (k->missing >> hook & 1) {
		k->degraded |= h->degraded; /* the reason stands there since the trial */
		return;
	}
	r = attach_at(k, hook, k->root_fd, h->type < 0 ? 0 : k->root_id);
	if (r == -EPERM && h->type >= 0) {
		kernel_blame(k, BROKER_DEGRADED_BELOW, h->name, r);
		r = attach_below(k, hook);
	} else if (r == 0) {
		drop_below(k, hook);
	}
	if (r < 0)
		kernel_blame(k, h->degraded, h->name, r);
}

void kernel_attach(struct kernel *k, bool tracing)
{
	for (size_t i = 0; i < kernel_n_hooks; i++)
		if ((kernel_hooks[i].type < 0) == tracing)
			attach_hook(k, i);
}

/* Is it the pin of a link that we hold? */
static bool is_pin_of_ours(const struct kernel *k, const char *name)
{
	char path[POLICY_PATH + 80];

	for (size_t i = 0; i < k->n_links; i++) {
		pin_path(k, &k->links[i], "", path, sizeof(path));
		if (strcmp(strrchr(path, '/') + 1, name) == 0)
			return true;
	}
	return false;
}

/* Hooks that a broker before us wanted and we do not: they go with their pins. Those that we want and could not attach
 * again stay as they are. */
void kernel_drop_spared(const struct kernel *k)
{
	DIR *d = opendir(k->dir);

	for (struct dirent *e; d && (e = readdir(d));) {
		bool wanted = false;

		if (strncmp(e->d_name, "link_", 5) != 0 || is_pin_of_ours(k, e->d_name))
			continue;
		for (size_t i = 0; i < kernel_n_hooks && !wanted; i++)
			wanted = !(k->spared >> i & 1) &&
				 strncmp(e->d_name + 5, kernel_hooks[i].name, strlen(kernel_hooks[i].name)) == 0;
		if (!wanted)
			(void) unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		(void) closedir(d);
}

/* ---- the ingress hook comes and goes ---- */

/* It remembers who asked a DNS server of ours for what, and costs every packet that the machine receives: as much as connect
 * and egress together cost a connection. So it is there while such a server is asked, which the recvmsg hooks count. */
#define FIRST_LOOK_NS (10ull * 1000000000)

static uint64_t count_served(const struct kernel *k)
{
	const uint32_t index = EVENT_DNS * PV_COUNT_STEP + PV_COUNT_SERVED;
	uint64_t n = 0;

	return bpf_map_lookup_elem(k->counters_fd, &index, &n) < 0 ? 0 : n;
}

static uint64_t now_ns(void)
{
	return clock_monotonic_us() * 1000;
}

void kernel_ingress_start(struct kernel *k)
{
	k->served = count_served(k);
	k->served_ns = now_ns() + FIRST_LOOK_NS - PV_MIN(kernel_quiet_ns, now_ns()); /* whoever is asked, is within that time */
	(void) kernel_maps_rest(k, false);
}

static bool has_recvmsg(const struct kernel *k)
{
	unsigned n = 0;

	for (size_t i = 0; i < k->n_links; i++)
		n += kernel_hooks[k->links[i].hook].type == BPF_CGROUP_UDP4_RECVMSG ||
		     kernel_hooks[k->links[i].hook].type == BPF_CGROUP_UDP6_RECVMSG;
	return n >= 2;
}

static void drop_links(struct kernel *k, uint32_t hooks)
{
	for (size_t i = k->n_links; i-- > 0;)
		if (hooks >> k->links[i].hook & 1) {
			(void) pv_close(k->links[i].fd);
			k->links[i] = k->links[--k->n_links];
		}
	kernel_drop_spared(k);
}

static void ingress_look(struct kernel *k)
{
	const uint32_t ingress = hook_of_type(BPF_CGROUP_INET_INGRESS);
	const uint64_t served = count_served(k), now = now_ns();
	bool rests;

	if (served != k->served)
		k->served_ns = now;
	k->served = served;
	rests = now > k->served_ns && now - k->served_ns > kernel_quiet_ns && has_recvmsg(k);
	if (rests == !!(k->spared & ingress))
		return;
	(void) kernel_maps_rest(k, rests);
	if (rests) {
		k->spared |= ingress;
		drop_links(k, ingress);
	} else {
		k->spared &= ~ingress; /* attached with what else is missing */
	}
}

/* ---- the self-check ---- */

/* True when the link was not as we left it; it is then mended, or attach_hook() will. */
static bool check_link(struct kernel *k, size_t index)
{
	struct kernel_link *l = &k->links[index];
	struct bpf_link_info info, pinned;
	char path[POLICY_PATH + 80];
	pv_autoclose int pin = -1;

	if (!link_in_place(l, l->fd) || link_info(l->fd, &info) < 0) {
		(void) pv_close(l->fd);
		k->links[index] = k->links[--k->n_links];
		return true;
	}
	if (info.prog_id != l->prog_id) {
		(void) bpf_link_update(l->fd, bpf_program__fd(program(k->skel, l->hook)), NULL);
		return true;
	}
	pin_path(k, l, "", path, sizeof(path));
	pin = bpf_obj_get(path);
	if (pin >= 0 && link_info(pin, &pinned) == 0 && pinned.id == info.id)
		return false;
	(void) mkdir(k->bpf_dir, 0700);
	(void) mkdir(k->dir, 0700);
	(void) link_pin(k, l);
	return true;
}

static bool check_map_pins(struct kernel *k)
{
	struct bpf_map *map;
	bool found = false;

	bpf_object__for_each_map(map, k->skel->obj) {
		const char *path = bpf_map__pin_path(map);
		struct stat st;

		if (!path || stat(path, &st) == 0 || errno != ENOENT)
			continue;
		found = true;
		(void) bpf_obj_pin(bpf_map__fd(map), path);
	}
	return found;
}

/* A cgroup that was attached one level below is gone: so is its link, and nothing is wrong. */
static bool cgroup_is_gone(const struct kernel *k, uint64_t id)
{
	struct pv_workload w;

	return id != k->root_id && id != 0 && kernel_workload(k, id, &w) == -ENOENT;
}

uint32_t kernel_self_check(struct kernel *k)
{
	uint32_t replaced = 0;

	for (size_t i = 0; i < k->n_links;) {
		struct kernel_link was = k->links[i];
		size_t before = k->n_links;
		bool wrong = check_link(k, i);

		if (k->n_links < before && cgroup_is_gone(k, was.cgroup)) {
			char path[POLICY_PATH + 80];

			pin_path(k, &was, "", path, sizeof(path));
			(void) unlink(path);
			wrong = false;
		}
		if (wrong)
			replaced = BROKER_DEGRADED_REPLACED;
		if (k->n_links == before)
			i++;
	}
	k->degraded = 0;
	ingress_look(k);
	for (size_t i = 0; i < kernel_n_hooks; i++) {
		bool at_root = link_find(k, i, kernel_hooks[i].type < 0 ? 0 : k->root_id) != NULL;

		if (!at_root)
			attach_hook(k, i);
	}
	kernel_exec_check(k);
	if (check_map_pins(k))
		replaced = BROKER_DEGRADED_REPLACED;
	return k->degraded | replaced;
}

void kernel_links_done(struct kernel *k)
{
	for (size_t i = 0; i < k->n_links; i++)
		(void) pv_close(k->links[i].fd);
	free(k->links);
}

/* ---- folders of pins ---- */

static int remove_folder(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), n = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		(void) pv_close(fd);
		return 0;
	}
	/* links first: no program is left to run on maps that nobody can reach any more */
	for (int pass = 0; pass < 2; pass++) {
		rewinddir(d);
		for (struct dirent *e; (e = readdir(d));)
			if (e->d_name[0] != '.' && (pass == 1 || strncmp(e->d_name, "link_", 5) == 0))
				n += unlinkat(dirfd(d), e->d_name, 0) == 0;
	}
	(void) closedir(d);
	(void) unlinkat(parent, name, AT_REMOVEDIR);
	return n;
}

/* Every v<number> below bpf_dir but `keep` (may be NULL). */
static int remove_layouts(const char *bpf_dir, const char *keep)
{
	int fd = open(bpf_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), n = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		(void) pv_close(fd);
		return 0;
	}
	for (struct dirent *e; (e = readdir(d));) {
		uint32_t number;

		if (e->d_name[0] == 'v' && parse_u32(e->d_name + 1, &number) == 0 && (!keep || strcmp(e->d_name, keep) != 0))
			n += remove_folder(dirfd(d), e->d_name);
	}
	(void) closedir(d);
	return n;
}

void kernel_drop_other_layouts(const struct kernel *k)
{
	(void) remove_layouts(k->bpf_dir, strrchr(k->dir, '/') + 1);
}

int kernel_unpin_all(const char *bpf_dir)
{
	int n = remove_layouts(bpf_dir, NULL);

	(void) rmdir(bpf_dir);
	return n;
}
