/* usage.h - what a running container uses, read from its cgroup: v2, v1 and hybrid, also of a saved host. */
#ifndef PV_CHECK_USAGE_H
#define PV_CHECK_USAGE_H

#include "check/container.h"
#include "host/hostfs.h"

struct ctr_usage {
	uint64_t pids, pids_peak;     /* tasks; peak 0: the kernel keeps none (before 6.6) */
	uint64_t memory, memory_peak; /* bytes: what cannot be reclaimed now; the most ever, file cache included (0: not kept) */
	uint64_t milli_cpus;	      /* mean since its first process started, thousandths of a core */
	uint64_t age_us;
	uint64_t started_us; /* CLOCK_BOOTTIME, to 10 ms */
	uint64_t cgroup; /* id in the v2 hierarchy; 0: there is none */
};

/* 0; -ENOENT: no such process or cgroup; -EBADMSG: not understood. `pid` as the host counts. */
int usage_read(const struct hostfs *fs, long pid, struct ctr_usage *ret);

#endif
