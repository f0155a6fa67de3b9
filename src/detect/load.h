/* load.h - the three judgements over samples of one workload: CPU, memory, processes. Pure: the caller
 * brings samples and the clock (microseconds, CLOCK_MONOTONIC). The man page's
 * SIGNALS (cmd/help.c) say what they mean. */
#ifndef PV_DETECT_LOAD_H
#define PV_DETECT_LOAD_H

#include "host/cgroup.h"
#include "model/policy.h"
#include "model/verdict.h"

struct load; /* history of one workload; under 4 kB, fixed */

int load_new(struct load **ret);
struct load *load_free(struct load *l);
PV_AUTO(load)

#define LOAD_VERDICTS 8

/* Adds one sample and judges. Writes at most LOAD_VERDICTS verdicts to `ret` and returns how many. A condition
 * that goes on is reported once, and again only after it was gone, or an hour later (a window longer than that:
 * after the window). Verdicts carry the configured action; whether the class or an exception softens it is act/'s
 * business. `ignore`: none for that signal.
 *
 * run.cpu     kill window (policy cpu.hold_us): the mean is above cpu.limit, a share of one core or of the workload's
 *	       own quota where that is smaller; no fifth of the window is below half of that; the load is on now, and
 *	       has been for the whole window, breaks shorter than a fifth of it not counted. So ten idle seconds in
 *	       every four minutes do not help a miner, and a build of 4 min 50 s is left alone, whatever its width.
 *	       Half way there, where more than an alert would follow: `warning`, action alert.
 *	       1 h above 50 % (no fifth of it below half of that), 24 h above 30 %: action alert, unless a shorter window
 *	       has told it already.
 *	       `value` is the mean, permyriad of a core. Where that alone is not above the limit, but the workload used
 *	       at least a fifth of a core and stood waiting for one (cpu.pressure `some`, without what its own quota
 *	       held back) for the share `pressure` of the window, `value` is the mean divided by 1 - pressure, and
 *	       `pressure` is set (at most 9000).
 * run.memory  `value` bytes that cannot be reclaimed are above `limit`: memory.of_limit of its own limit, or
 *	       memory.limit where it has none.
 * run.oom     `value` OOM kills since the sample before; action alert.
 * run.pids    `value` processes above pids.limit; or, with `tasks` set and action alert, tasks above 80 % of its
 *	       pids.max.
 *
 * One missed sample, a clock that steps and a counter that goes backwards (cgroup re-made) never make a verdict by
 * themselves. After a gap of more than a fifth of the window and three samples the kill window starts anew. */
size_t load_step(struct load *l, const struct policy *p, const struct cgroup_usage *u, uint64_t now_us,
		 struct verdict ret[LOAD_VERDICTS]);

/* What it reported and would act upon is to be reported once more: what kept the act back (observe, `off`) is over. */
void load_tell_again(struct load *l);

/* What run.cpu judges by, permyriad of a core: cpu.limit of one core, or of the workload's own quota (0: none) where that is smaller. */
uint64_t load_cpu_limit(const struct policy *p, uint64_t quota);
uint64_t load_cpu_hold(const struct policy *p); /* the kill window */

/* For `top`: mean over the last samples (about 10 s), permyriad of a core. */
uint32_t load_cpu_now(const struct load *l);

#endif
