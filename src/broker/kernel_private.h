/* kernel_private.h - what the files of the kernel side share. */
#ifndef PV_BROKER_KERNEL_PRIVATE_H
#define PV_BROKER_KERNEL_PRIVATE_H

#include <limits.h>

#include "bpf/pavise.skel.h"
#include "broker/kernel.h"
#include "model/broker_proto.h"

#define KERNEL_N_HOOKS	 24
#define KERNEL_N_REASONS 16

/* The ingress hook rests when nobody has asked a DNS server of ours for so long. */
extern uint64_t kernel_quiet_ns;
/* For tests: as on a machine whose BTF does not have what egress needs to look behind NAT. */
extern bool kernel_nat_is_hidden;
/* And as on one that takes no program before its functions (what is mapped is seen by a tracepoint then), or that only seems to. */
extern enum kernel_functions { FUNCTIONS_TRIED, FUNCTIONS_CLOSED, FUNCTIONS_OPEN } kernel_functions;

/* One program and where it goes. Order: what gives a cgroup its class comes before what judges by it. */
struct kernel_hook {
	const char *name;  /* the program is pv_<name>, the pin link_<name> */
	int type;	   /* enum bpf_attach_type of a cgroup hook; -1: tp_btf; -2: raw tracepoint <name> */
	uint32_t degraded; /* BROKER_DEGRADED_* without it */
};
extern const struct kernel_hook kernel_hooks[];
extern const size_t kernel_n_hooks;

struct kernel_link {
	size_t hook;
	uint64_t cgroup; /* where it is attached; 0: nowhere (tracepoint) */
	int fd;
	uint32_t prog_id;
};

/* What stands in a map of prefixes, and why: the map itself answers with the longest prefix, not with this very one. */
struct kernel_prefixes {
	struct kernel_prefix {
		struct ip_prefix prefix;
		uint32_t from; /* bits of reasons */
	} *v;
	size_t n;
};

struct kernel {
	struct pavise_bpf *skel;
	char bpf_dir[POLICY_PATH];
	char dir[POLICY_PATH + 16]; /* bpf_dir/v<layout> */
	char root_path[PATH_MAX];
	int lock_fd; /* bpf_dir, locked: one opener at a time */
	int root_fd;
	int counters_fd;
	uint64_t root_id;
	uint32_t missing;  /* bits of hooks that could not be loaded (bit: index) */
	uint32_t spared;   /* bits of hooks that this machine does not need (now) */
	uint64_t served;   /* PV_COUNT_SERVED when we last looked */
	uint64_t served_ns; /* and when it rose, CLOCK_MONOTONIC */
	uint32_t degraded; /* BROKER_DEGRADED_* */
	char reasons[KERNEL_N_REASONS][120];
	uint32_t said; /* bits whose first reason is in the log */
	struct kernel_link *links;
	size_t n_links;
	struct kernel_prefixes internal, net_allow;
	uint8_t ovl_layout; /* found once */
};

/* kernel_links.c */
int kernel_load(struct kernel *k);
void kernel_attach(struct kernel *k, bool tracing); /* the tracepoints, or the cgroup hooks */
void kernel_drop_spared(const struct kernel *k);
void kernel_ingress_start(struct kernel *k);
void kernel_links_done(struct kernel *k);
void kernel_drop_other_layouts(const struct kernel *k);
void kernel_blame(struct kernel *k, uint32_t bit, const char *what, int error);

/* kernel_carry.c: what must not begin anew with another layout, read from the pins of the one before by the names of its members: `off`, before
 * anything is attached, then, when the workloads are known, what each is spared. Names and bits must therefore keep their meaning
 * (pv_bpf_conf.off_until_ns, pv_workload.flags). What cannot be read begins anew, and the engine says it again. */
void kernel_carry(struct kernel *k, bool off);

/* kernel_walk.c */
int kernel_root_open(struct kernel *k, const char *cgroup_root);
int kernel_walk(struct kernel *k);
int kernel_cgroup_id(int fd, uint64_t *ret);

static inline int kernel_map(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

#endif
