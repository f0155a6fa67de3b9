/* kernel_exec.h - what the exec hook has to be told: the layout of the overlay's inodes, names, allowed paths, and of each
 * container that was there before us its root file system. The public half is in broker/kernel.h. */
#ifndef PV_BROKER_KERNEL_EXEC_H
#define PV_BROKER_KERNEL_EXEC_H

#include "broker/kernel_private.h"

/* Fills names and paths into the maps (what comes before what goes) and the settings into *conf, which the caller writes. */
int kernel_exec_policy(struct kernel *k, const struct policy *p, struct pv_bpf_conf *conf);

/* A container's or build's cgroup `w`, opened as `fd`, that no tracepoint of ours saw made: its root is read from its first
 * process. No grace: when it began for the first time is not known here (the engine may know and is not asked to give it). */
void kernel_exec_begin(struct kernel *k, const struct pv_workload *w, int fd);
void kernel_exec_end(struct kernel *k, uint64_t cgroup);

/* PV_OVL_* of the running kernel: by its BTF where the overlay is in it or its module is loaded, else by `release`
 * ("6.1.0-56-amd64"); PV_OVL_UNKNOWN where neither says. */
uint8_t kernel_ovl_layout(const char *release);

/* PV_ROLE_* of a process that ran before us: a server by its program's name, unless its script is a package
 * manager's. What it descends from is not asked. */
uint32_t kernel_exec_role(const struct kernel *k, const char *pid);

/* Blames what cannot be judged: an overlay of unknown layout, a container whose root is no overlay. */
void kernel_exec_check(struct kernel *k);

#endif
