/* kernel.h - the programs in the kernel: loads, attaches, pins, adopts, checks and feeds them. What is attached stays
 * in force when the broker dies: maps and links are pinned below <bpf_dir>/v<PV_BPF_LAYOUT>/, and kernel_open() takes
 * them over. All calls come from one thread. Needs BPF, PERFMON, NET_ADMIN, DAC_READ_SEARCH and SYS_ADMIN. */
#ifndef PV_BROKER_KERNEL_H
#define PV_BROKER_KERNEL_H

#include "base/ip.h"
#include "base/util.h"
#include "bpf/event.h"
#include "model/policy.h"

struct kernel;

/* Loads the programs or adopts what is pinned, puts `p` in force, gives every existing cgroup its class, and attaches
 * at p->cgroup_root (the v2 mount is found below or beside it on hybrid); pins go below p->bpf_dir, which is made (0700) if
 * it lies on a bpffs. What the machine refuses is left out and shows in kernel_degraded(). `p` is not kept.
 * -ENOTSUP: no cgroup v2 or no BTF; -ENODEV: bpf_dir is not on a bpffs; -EBUSY: two openers; else negative errno. */
int kernel_open(const struct policy *p, struct kernel **ret);
/* Closes our descriptors; the pins, and so the blocks, stay in force. Takes NULL. */
struct kernel *kernel_free(struct kernel *k);
PV_AUTO(kernel)

/* A new policy (reload), without a moment in which neither holds: additions first, then removals; the DNS table is
 * written beside the one in use and switched over. Exceptions (kernel_except) and network names stay. */
int kernel_policy(struct kernel *k, const struct policy *p);

/* Borrowed descriptors: to watch, to pass on. The ring must be passed writable (the reader moves its position), the
 * counters' map is frozen, so that only the programs write it: no passed descriptor can change a policy. */
int kernel_ring_fd(const struct kernel *k);
size_t kernel_ring_size(const struct kernel *k);
int kernel_counters_fd(const struct kernel *k);
/* Where the v2 hierarchy of p->cgroup_root lies. 0, -ENOTSUP or another negative errno. */
int kernel_root_find(const char *cgroup_root, char *ret, size_t size);
int kernel_cgroup_fd(const struct kernel *k);	  /* the watched root's folder: for open_by_handle_at() */
uint64_t kernel_root_id(const struct kernel *k); /* its cgroup id */

/* Every few seconds (at most 5 s apart): compares each link with what was attached, attaches and pins again what is
 * missing or replaced, tries again what was refused, covers new cgroups when attached below the root. Returns the bits of
 * BROKER_DEGRADED_* (model/broker_proto.h) that are mine; BROKER_DEGRADED_REPLACED only in the call that found it. */
uint32_t kernel_self_check(struct kernel *k);
uint32_t kernel_degraded(const struct kernel *k); /* the bits without looking again */
/* Why one bit is set, as the log has it of the first time: "connect4: Operation not permitted"; "" if it is not set. */
const char *kernel_reason(const struct kernel *k, uint32_t bit);

/* The workload of `cgroup`: its class and the topmost cgroup of its workload. 0 or -ENOENT. */
int kernel_workload(const struct kernel *k, uint64_t cgroup, struct pv_workload *ret);
/* Exceptions of a workload, by its topmost cgroup: PV_ALLOW_NET | PV_ALLOW_DNS | PV_ALLOW_EXEC, 0 takes them back. 0, -ENOENT (no such
 * cgroup), -EINVAL (other bits, or not the topmost cgroup). */
int kernel_except(struct kernel *k, uint64_t cgroup, uint32_t flags);
/* What the engine knows of a container's programs: PV_EXEC_ALERT | PV_EXEC_BUILD | PV_EXEC_NO_GRACE. As kernel_except();
 * -EPERM: it is no container. */
int kernel_exec(struct kernel *k, uint64_t cgroup, uint32_t flags);
/* Container `cgroup` (its topmost cgroup) is attached to the Docker network `name`, or no longer. Case is folded; names
 * of PV_NETNAME_LEN or more are -ENAMETOOLONG. */
int kernel_netname(struct kernel *k, uint64_t cgroup, const char *name, bool add);
/* One of Docker's networks: counts as internal. 0, -EINVAL (wider than /8 or IPv6 /32), -ENOSPC. */
int kernel_internal(struct kernel *k, const struct ip_prefix *net, bool add);
/* Reads the host's own addresses again, and forgets network names of containers that are gone. Call it on a timer
 * (30 s); kernel_open() has done it once. */
int kernel_refresh_addresses(struct kernel *k);

/* Blocks are lifted until CLOCK_MONOTONIC `until_ns`; 0: on again; UINT64_MAX: until told. Written to the pinned map. */
int kernel_off(struct kernel *k, uint64_t until_ns);
uint64_t kernel_off_until(const struct kernel *k);

/* The same with no broker running. 0: written; 1: there were pins, but their maps did not answer, and they were removed,
 * so that nothing blocks any more; -ENOENT: nothing is pinned. */
int kernel_off_pinned(const char *bpf_dir, uint64_t until_ns);
int kernel_off_until_pinned(const char *bpf_dir, uint64_t *ret_ns); /* 0 or -ENOENT */
/* Removes every pin of ours below bpf_dir, of any layout, and with the last holder the attachments. Number of pins. */
int kernel_unpin_all(const char *bpf_dir);

#endif
