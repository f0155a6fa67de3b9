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
struct cgroup_tree *cgroup_tree_free(struct cgroup_tree *t);
PV_AUTO(cgroup_tree)
bool cgroup_tree_hybrid(const struct cgroup_tree *t);
const char *cgroup_tree_v2(const struct cgroup_tree *t);     /* path of the v2 mount */
const char *cgroup_tree_watched(const struct cgroup_tree *t); /* path of the watched root on v2 */
uint64_t cgroup_tree_watched_id(const struct cgroup_tree *t);

/* Walks every cgroup below the watched root, parents first; `path` is relative to the v2 mount, with leading
 * slash, `id` its 64-bit id, `parent` its parent's. fn returns 0 to go on, negative to stop (returned). */
int cgroup_tree_walk(const struct cgroup_tree *t,
		     int (*fn)(const char *path, uint64_t id, uint64_t parent, void *arg), void *arg);

/* The files of one cgroup, kept open. */
struct cgroup_files;
int cgroup_files_open(const struct cgroup_tree *t, const char *path, struct cgroup_files **ret);
struct cgroup_files *cgroup_files_free(struct cgroup_files *f);
PV_AUTO(cgroup_files)

struct cgroup_usage {
	uint64_t cpu_us;	  /* used since it was made */
	uint64_t cpu_quota;	  /* permyriad of one core (5000 = half a core); 0: none */
	uint64_t pressure_us;	  /* cpu.pressure `some` total; UINT64_MAX: not known */
	uint64_t memory;	  /* bytes that cannot be reclaimed; UINT64_MAX: not known */
	uint64_t memory_limit;	  /* bytes; UINT64_MAX: none */
	uint64_t oom_kills;	  /* since it was made */
	uint64_t tasks, tasks_max; /* pids.current, pids.max (UINT64_MAX: none) */
	uint64_t processes;	  /* of it and the cgroups below it; UINT64_MAX: not counted */
};

/* One sample. `count_above`: processes are counted (cgroup.procs read) only when tasks are above it, else
 * `processes` = tasks. -ENODEV: the cgroup is gone. */
int cgroup_files_read(struct cgroup_files *f, uint64_t count_above, struct cgroup_usage *ret);
/* Empty: no process in it or below. 1, 0 or negative errno (-ENODEV: gone). */
int cgroup_files_empty(struct cgroup_files *f);

#endif
