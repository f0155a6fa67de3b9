#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/text.h"
#include "broker/kernel_private.h"
#include "broker/kernel_maps.h"

static bool on_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

/* bpf_dir and its folder of our layout, and the lock: a second opener would fight over the pins. */
static int open_folders(struct kernel *k)
{
	if (mkdir(k->bpf_dir, 0700) < 0 && errno != EEXIST)
		return errno == ENOENT ? -ENODEV : -errno;
	if (!on_bpffs(k->bpf_dir)) {
		(void) rmdir(k->bpf_dir);
		return -ENODEV;
	}
	if (mkdir(k->dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	k->lock_fd = open(k->bpf_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (k->lock_fd < 0)
		return -errno;
	if (flock(k->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

/* For the engine to map. A descriptor opened read-only cannot be mapped shared (do_mmap takes VM_SHARED away, and
 * bpf_map_mmap insists on it), so the map itself is frozen: only the programs write it, whoever holds a descriptor. */
static int open_counters(struct kernel *k)
{
	char path[POLICY_PATH + 80];

	(void) snprintf(path, sizeof(path), "%s/map_counters", k->dir);
	k->counters_fd = bpf_obj_get(path);
	if (k->counters_fd < 0)
		return -errno;
	if (bpf_map_freeze(k->counters_fd) < 0 && errno != EBUSY && errno != EPERM) /* EPERM: frozen by the broker before us */
		return -errno;
	return 0;
}

/* `pavise off` outlives an update: where this layout has no settings yet, what the one before it said goes on. */
static uint64_t off_before(const struct kernel *k)
{
	char path[POLICY_PATH + 80];

	(void) snprintf(path, sizeof(path), "%s/map_conf", k->dir);
	return access(path, F_OK) == 0 ? 0 : kernel_off_of_others(k);
}

/* Settings first, then the classes, then the judges: at no moment does a program run on half of them. */
static int start(struct kernel *k, const struct policy *p)
{
	const uint64_t off_until_ns = off_before(k);
	int r = kernel_load(k);

	if (r == 0)
		r = open_counters(k);
	if (r == 0)
		r = kernel_maps_root(k);
	if (r == 0)
		r = kernel_policy(k, p);
	if (r == 0 && off_until_ns)
		r = kernel_off(k, off_until_ns);
	if (r < 0)
		return r;
	(void) kernel_refresh_addresses(k);
	(void) kernel_maps_prune(k);
	kernel_carry(k, true);
	kernel_attach(k, true);
	r = kernel_walk(k);
	if (r < 0)
		return r;
	kernel_carry(k, false);
	kernel_ingress_start(k);
	kernel_attach(k, false);
	kernel_drop_spared(k);
	kernel_drop_other_layouts(k);
	return 0;
}

int kernel_open(const struct policy *p, struct kernel **ret)
{
	pv_auto(kernel) k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->lock_fd = k->root_fd = k->counters_fd = -1;
	(void) text_copy(k->bpf_dir, sizeof(k->bpf_dir), p->bpf_dir);
	(void) snprintf(k->dir, sizeof(k->dir), "%s/v%d", k->bpf_dir, PV_BPF_LAYOUT);
	(void) libbpf_set_print(NULL);
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		return -ENOTSUP;
	r = kernel_root_open(k, p->cgroup_root);
	if (r == 0)
		r = open_folders(k);
	if (r == 0)
		r = start(k, p);
	if (r < 0)
		return r;
	*ret = pv_steal(k);
	return 0;
}

struct kernel *kernel_free(struct kernel *k)
{
	if (!k)
		return NULL;
	kernel_links_done(k);
	kernel_maps_done(k);
	pavise_bpf__destroy(k->skel);
	(void) pv_close(k->counters_fd);
	(void) pv_close(k->root_fd);
	if (k->lock_fd >= 0)
		(void) flock(k->lock_fd, LOCK_UN); /* a forked child may still hold the descriptor */
	(void) pv_close(k->lock_fd);
	free(k);
	return NULL;
}

int kernel_ring_fd(const struct kernel *k)
{
	return kernel_map(k->skel->maps.events);
}

size_t kernel_ring_size(const struct kernel *k)
{
	return bpf_map__max_entries(k->skel->maps.events);
}

int kernel_counters_fd(const struct kernel *k)
{
	return k->counters_fd;
}

int kernel_cgroup_fd(const struct kernel *k)
{
	return k->root_fd;
}

uint64_t kernel_root_id(const struct kernel *k)
{
	return k->root_id;
}

uint32_t kernel_degraded(const struct kernel *k)
{
	return k->degraded;
}

const char *kernel_reason(const struct kernel *k, uint32_t bit)
{
	for (uint32_t i = 0; i < KERNEL_N_REASONS; i++)
		if (bit == 1u << i)
			return k->degraded & bit ? k->reasons[i] : "";
	return "";
}
