/* fix.h - from findings to the steps that mend them (check/step.h): what changes nothing that runs, or changes it live
 * within what it uses. Everything else stays a command for a person. */
#ifndef PV_CHECK_FIX_H
#define PV_CHECK_FIX_H

#include "check/gather.h"
#include "check/step.h"
#include "check/usage.h"

/* `emit` gets each step; a negative result of it ends the plan and is returned. `a->out` holds the findings as they are
 * reported (what is accepted is gone from it). 0 or -errno. */
int fix_plan(struct audit *a, int (*emit)(void *user, const struct audit_step *s), void *user);

/* Live limits for a container that uses so much: `wanted` gets those that leave it half as much again; a reason in `why`
 * for each that is left as it is. Pure. */
void fix_limits(const struct ctr *c, const struct check_policy *p, unsigned cpus, const struct ctr_usage *use,
		struct step_limits *wanted, struct pv_buf *why);

#endif
