/* cgroup.h - reads cgroups, changes nothing. cgroup v2, and hybrid (v1 controllers beside a v2 tree that
 * carries the ids). Works without privileges. */
#ifndef PV_HOST_CGROUP_H
#define PV_HOST_CGROUP_H

#include "base/util.h"

struct cgroup_tree; /* where the hierarchies are mounted */

/* `root` is the configured cgroup_root: the mount (/sys/fs/cgroup), or a folder below the v2 mount (tests watch
 * their own). On hybrid the v2 mount is found through /proc/self/mountinfo, and the v1 controllers beside it.
 * -ENOTSUP: pure v1. */
int cgroup_tree_open(const char *root, struct cgroup_tree **ret);

/* The same with the mount points told instead of looked up; what cgroup_tree_open() ends in, and how a test
 * brings a folder of its own. `cpu`, `memory`, `pids`: mount of the v1 controller, NULL where it is part of v2.
 * `watched` is a path below `v2`, or equal to it. -ENOENT, -EINVAL (not below), or what open(2) says. */
struct cgroup_mounts {
	const char *v2, *cpu, *memory, *pids;
};
int cgroup_tree_open_at(const struct cgroup_mounts *m, const char *watched, struct cgroup_tree **ret);
struct cgroup_tree *cgroup_tree_free(struct cgroup_tree *t);
PV_AUTO(cgroup_tree)
bool cgroup_tree_hybrid(const struct cgroup_tree *t);
const char *cgroup_tree_v2(const struct cgroup_tree *t);     /* path of the v2 mount */
const char *cgroup_tree_watched(const struct cgroup_tree *t); /* path of the watched root on v2 */
uint64_t cgroup_tree_watched_id(const struct cgroup_tree *t);

/* Walks every cgroup below the watched root (itself not), parents first; `path` is relative to the v2 mount, with leading
 * slash, `id` its 64-bit id, `parent` its parent's. fn returns 0 to go on, negative to stop (returned). What
 * vanishes meanwhile is left out; so is what lies more than 128 levels down. */
int cgroup_tree_walk(const struct cgroup_tree *t,
		     int (*fn)(const char *path, uint64_t id, uint64_t parent, void *arg), void *arg);

/* The files of one cgroup, kept open: 7 descriptors, 8 on hybrid with a CPU quota. The hard limit of 20,000 that
 * some machines have is thus enough for 2,500 workloads; past the limit values become `not known`, and only
 * what has no cpu.stat fails (-EMFILE). `t` must outlive it. -ENODEV: there is no such cgroup (any more). */
struct cgroup_files;
int cgroup_files_open(const struct cgroup_tree *t, const char *path, struct cgroup_files **ret);
struct cgroup_files *cgroup_files_free(struct cgroup_files *f);
PV_AUTO(cgroup_files)

struct cgroup_usage {
	uint64_t cpu_us;	  /* used since it was made */
	uint64_t cpu_quota;	  /* permyriad of one core (5000 = half a core); 0: none */
	uint64_t throttled_us;	  /* held back by its own quota, summed over its CPUs; 0: not known */
	uint64_t pressure_us;	  /* cpu.pressure `some` total; UINT64_MAX: not known */
	uint64_t memory;	  /* bytes that cannot be reclaimed; UINT64_MAX: not known */
	uint64_t memory_limit;	  /* bytes; UINT64_MAX: none */
	uint64_t oom_kills;	  /* since it was made; UINT64_MAX: not known. v1 does not count nested ones */
	uint64_t tasks, tasks_max; /* pids.current (UINT64_MAX: not known), pids.max (UINT64_MAX: none) */
	uint64_t processes;	  /* of it and the cgroups below it; UINT64_MAX: not counted */
};

/* One sample. `count_above`: processes are counted (cgroup.procs read) only when tasks are above it or not known,
 * else `processes` = tasks. Limits and files that were not there yet (a container's v1 folders are made after its
 * v2 one) are read again in the first three samples and in every sixth after that. -ENODEV: the cgroup is gone. */
int cgroup_files_read(struct cgroup_files *f, uint64_t count_above, struct cgroup_usage *ret);
/* The CPU alone: cpu_us, cpu_quota, throttled_us, pressure_us; the rest is not known. No sample in the sense above. */
int cgroup_files_read_cpu(struct cgroup_files *f, struct cgroup_usage *ret);
/* The processes of the cgroup itself, not of those below it; at most `max`. Returns how many, or negative errno. */
int cgroup_files_pids(struct cgroup_files *f, uint32_t *ret, size_t max);
/* Empty: no process in it or below. 1, 0 or negative errno (-ENODEV: gone). */
int cgroup_files_empty(struct cgroup_files *f);

#endif
