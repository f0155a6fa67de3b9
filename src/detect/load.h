/* load.h - the three judgements over samples of one workload: CPU, memory, processes. Pure: the caller
 * brings samples and the clock (microseconds, CLOCK_MONOTONIC). design.md section 6 says what they mean. */
#ifndef PV_DETECT_LOAD_H
#define PV_DETECT_LOAD_H

#include "host/cgroup.h"
#include "model/policy.h"
#include "model/verdict.h"

struct load; /* history of one workload; a few kB, fixed */

int load_new(struct load **ret);
struct load *load_free(struct load *l);
PV_AUTO(load)

#define LOAD_VERDICTS 8

/* Adds one sample and judges. Writes at most LOAD_VERDICTS verdicts to `ret` and returns how many. A condition
 * that goes on is reported once, and again only after it was gone (or an hour later). Verdicts carry the
 * configured action; whether the class or an exception softens it is act/'s business. One missed sample, a
 * clock that steps and a counter that goes backwards (cgroup re-made) never make a verdict by themselves. */
size_t load_step(struct load *l, const struct policy *p, const struct cgroup_usage *u, uint64_t now_us,
		 struct verdict ret[LOAD_VERDICTS]);

/* For `top`: mean over the last samples (about 10 s), permyriad of a core. */
uint32_t load_cpu_now(const struct load *l);

#endif
