/* succession.h - CPU of containers that end and begin: a miner that runs as a chain of them, each shorter than the window of
 * run.cpu, is one load. Pure: the caller brings looks at containers and the clock (microseconds, CLOCK_MONOTONIC).
 *
 * Containers make a group by their Compose or Swarm service, and, whatever service they name, by their image id. What a group
 * used is a time line: at any moment that of its busiest container, never the sum. So ten replicas at 20 % are 20 %. Into the
 * time line goes
 *   - what no exception or label spares (the caller leaves those out: what an owner allows one is not held against another);
 *   - what is younger than the kill window (policy cpu.hold_us): an older one is run.cpu's own matter (load.h);
 *   - as far as it was seen: from the cgroup's making to the last look. What a container used after that look is not known
 *     (its cgroup is gone with its end), nor is anything of one that ended before its first look, or before the Engine API
 *     had said whose it is.
 * The time line is judged by the windows of run.cpu in load.h: the kill window with its half-way warning, the hour and the day.
 * A verdict also needs that it is a succession: at least two containers in the window, and at least as many of them ended as
 * live. Replicas that were all made a minute ago are none.
 *
 * Told, not acted upon:
 *   - an image under several services' names (a project whose services share one);
 *   - more than SUCCESSION_STARTS runs within the window of what an engine itself starts again: one container by its restart
 * policy, tasks of one Swarm service. A program that fails at its start looks like this until what it needs is there. */
#ifndef PV_DETECT_SUCCESSION_H
#define PV_DETECT_SUCCESSION_H

#include "host/cgroup.h"
#include "model/policy.h"
#include "model/verdict.h"
#include "model/workload.h"

#define SUCCESSION_GROUPS 64 /* made when one of their containers is busy; the one that was idle for longest makes room */
#define SUCCESSION_RUNS	  32 /* of a group that are remembered; and in one step: those that used most */
#define SUCCESSION_STARTS 5

/* One run of a container, kept by the caller beside it. */
struct succession_run {
	uint64_t begin_us; /* the caller's: when its cgroup was made; 0: not known, it does not count */
	uint64_t at_us;	   /* the rest is ours: last look, and the counters then */
	uint64_t cpu_us, pressure_us, throttled_us;
	uint32_t rate; /* permyriad of a core between the last two looks */
	bool told;     /* the caller's: it has had its verdict */
};

struct succession;

int succession_new(struct succession **ret);
struct succession *succession_free(struct succession *s);
PV_AUTO(succession)

/* Whether one that began a short time ago is to be looked at between the samples, about every second: the shorter they are, the
 * more of them would lie between two samples. */
bool succession_wants(const struct succession_run *run, const struct policy *p, uint64_t now_us);

/* A look at a container. Of `u` the CPU is read: cpu_us, cpu_quota, throttled_us, pressure_us. */
void succession_look(struct succession *s, const struct policy *p, const struct container_info *info, struct succession_run *run,
		     const struct cgroup_usage *u, uint64_t now_us);
/* It has ended. */
void succession_ended(struct succession *s, const struct container_info *info, const struct succession_run *run);

struct succession_verdict {
	struct verdict v; /* run.cpu with `chain` set; no cgroup */
	uint64_t group;	  /* for succession_of() */
};

/* After the looks of one sample. Writes at most `max` verdicts and returns how many; what did not fit comes with the next step.
 */
size_t succession_step(struct succession *s, const struct policy *p, uint64_t now_us, struct succession_verdict *ret, size_t max);
/* Whether this container is one that the verdict is about and that can be acted upon: of the group, young, busy at its last look.
 */
bool succession_of(const struct succession_verdict *v, const struct policy *p, const struct container_info *info,
		   const struct succession_run *run, uint64_t now_us);
/* What the container's groups used is not held against who comes next: it was ended for its own load, and somebody may start it
 * again. NULL: every group; what was ended is taken back. */
void succession_forget(struct succession *s, const struct container_info *info);
/* Nobody was there for it, or others may come: again with the next step, if the load goes on. NULL: of every group. */
void succession_tell_again(struct succession *s, const struct succession_verdict *v);

#endif
