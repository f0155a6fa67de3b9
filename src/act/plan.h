/* plan.h - from a verdict to steps: what will be asked of the broker, in which order, and how each can be taken
 * back. Pure; in the mode observe the same plan is told that would be carried out. */
#ifndef PV_ACT_PLAN_H
#define PV_ACT_PLAN_H

#include "base/buf.h"
#include "model/broker_proto.h"
#include "model/policy.h"
#include "model/verdict.h"
#include "model/workload.h"

enum act_step_kind {
	ACT_RESTART_OFF, /* restart policy to `no`, the old one kept for undo */
	ACT_API_KILL,
	ACT_API_STOP,
	ACT_SCALE_ZERO, /* Swarm: the service, not the task */
	ACT_CGROUP_KILL,
	ACT_CGROUP_FREEZE,
	ACT_WAIT_EMPTY, /* success is an empty cgroup, whatever the API said */
	ACT_N_STEPS
};

#define ACT_STEPS 6

struct act_plan {
	uint64_t cgroup;
	enum engine_kind engine;
	char id[65];	     /* container */
	char service_id[32]; /* ACT_SCALE_ZERO */
	enum pv_action action;
	size_t n_steps;
	enum act_step_kind steps[ACT_STEPS];
	char restart_old[24]; /* restart policy before, empty when there is nothing to keep */
	uint32_t restart_max;
};

/* What may be done to this workload for this verdict. Softens the verdict's action: systemd units, builds and what is
 * no workload are told, never killed; protected ones nothing at all; exceptions by name (policy) and by label. A
 * container that the Engine API does not reach (rootless, API gone) is ended by cgroup.kill. The result's
 * `action` is ACTION_IGNORE, ACTION_ALERT or an act with steps. `name` is the workload's name.
 * *ret_why (may be NULL) says in words why it was softened, NULL if it was not. */
void act_plan_make(struct act_plan *plan, const struct verdict *v, const struct workload *w, const char *name,
		   const struct policy *p, bool engine_answers, const char **ret_why);

/* The plan for people: `set its restart policy to no (was always); kill container 0123456789ab; ...`. */
void act_plan_describe(struct pv_buf *out, const struct act_plan *plan);

/* The broker request of one step. False where the step needs none (ACT_WAIT_EMPTY). */
bool act_step_request(const struct act_plan *plan, enum act_step_kind step, struct broker_req *ret);

/* How a restart policy is put back: the request, from the text kept in the store (`always`, `on-failure:3`).
 * 0 or -EINVAL. */
int act_restart_request(const char *container_id, enum engine_kind engine, const char *old, struct broker_req *ret);
/* `on-failure:3`, `always`. */
void act_restart_text(char *out, size_t size, const char *policy, uint32_t max);

#endif
