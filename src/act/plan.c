#include "act/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "engine_api/request.h"

static enum pv_signal signal_of(enum id id)
{
	switch (id) {
	case ID_RUN_CPU:
		return SIGNAL_CPU;
	case ID_RUN_MEMORY:
	case ID_RUN_OOM:
		return SIGNAL_MEMORY;
	case ID_RUN_PIDS:
		return SIGNAL_PIDS;
	case ID_NET_STRATUM:
	case ID_NET_POOL: /* but for the questions among them */
		return SIGNAL_NET;
	case ID_DNS_MINING:
	case ID_DNS_ENCRYPTED:
		return SIGNAL_DNS;
	case ID_EXEC_DROPPED:
	case ID_EXEC_WEB_SHELL:
	case ID_EXEC_MINER:
		return SIGNAL_EXEC;
	default:
		return SIGNAL_N;
	}
}

/* The verdict's action after class and exceptions. */
static enum pv_action soften(const struct verdict *v, const struct workload *w, const char *name,
			     const struct policy *p, const char **ret_why)
{
	bool back = v->id == ID_RUN_RESPAWN; /* judged as what was ended before it */
	enum pv_signal signal = signal_of(back ? v->cause : v->id);
	enum pv_action action = v->action;

	if (w->class_ == PV_CLASS_PROTECTED) {
		*ret_why = "protected";
		return ACTION_IGNORE;
	}
	if (signal < SIGNAL_N) {
		enum pv_action wanted;

		if (policy_excepts(p, name, (back ? v->cause_chain : v->chain) ? w->info : NULL, signal, &wanted)) {
			*ret_why = "an exception names it";
			return PV_MIN(action, wanted);
		}
		if (w->info && w->info->label_action[signal] < ACTION_N) {
			*ret_why = "its label says so";
			return PV_MIN(action, w->info->label_action[signal]);
		}
		if (back && wanted <= ACTION_ALERT) { /* and by the configuration of now */
			*ret_why = "the configured action is alert";
			return PV_MIN(action, wanted);
		}
	}
	if (action <= ACTION_ALERT)
		return action;
	if (w->class_ == PV_CLASS_UNIT)
		*ret_why = "a systemd unit is told, never ended";
	else if (w->class_ == PV_CLASS_BUILD)
		*ret_why = "an image build is told, never ended";
	else if (w->class_ != PV_CLASS_CONTAINER)
		*ret_why = "not a container";
	else
		return action;
	return ACTION_ALERT;
}

static void add(struct act_plan *plan, enum act_step_kind step)
{
	plan->steps[plan->n_steps++] = step;
}

void act_plan_make(struct act_plan *plan, const struct verdict *v, const struct workload *w, const char *name,
		   const struct policy *p, bool engine_answers, const char **ret_why)
{
	const struct container_info *info = w->info;
	const char *why = NULL;
	bool api = info && engine_answers && !w->rootless && info->inspected;

	*plan = (struct act_plan){ .cgroup = w->cgroup, .engine = ENGINE_NONE };
	plan->action = soften(v, w, name, p, &why);
	if (ret_why)
		*ret_why = why;
	if (plan->action <= ACTION_ALERT)
		return;
	(void) text_copy(plan->id, sizeof(plan->id), w->id);
	if (plan->action == ACTION_FREEZE) {
		add(plan, ACT_CGROUP_FREEZE);
		return;
	}
	if (!api) {
		add(plan, ACT_CGROUP_KILL);
		add(plan, ACT_WAIT_EMPTY);
		return;
	}
	plan->engine = info->engine;
	if (*info->service_id) {
		(void) text_copy(plan->service_id, sizeof(plan->service_id), info->service_id);
		add(plan, ACT_SCALE_ZERO);
		add(plan, ACT_API_KILL);
		add(plan, ACT_WAIT_EMPTY);
		return;
	}
	if (*info->restart_policy && strcmp(info->restart_policy, "no") != 0) {
		(void) text_copy(plan->restart_old, sizeof(plan->restart_old), info->restart_policy);
		plan->restart_max = info->restart_max;
		add(plan, ACT_RESTART_OFF);
	}
	add(plan, plan->action == ACTION_STOP ? ACT_API_STOP : ACT_API_KILL);
	add(plan, ACT_WAIT_EMPTY);
}

void act_plan_describe(struct pv_buf *out, const struct act_plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		if (i)
			pv_buf_puts(out, "; ");
		switch (plan->steps[i]) {
		case ACT_RESTART_OFF:
			pv_buf_printf(out, "set its restart policy to no (was %s)", plan->restart_old);
			break;
		case ACT_API_KILL:
			pv_buf_printf(out, "kill container %.12s", plan->id);
			break;
		case ACT_API_STOP:
			pv_buf_printf(out, "stop container %.12s", plan->id);
			break;
		case ACT_SCALE_ZERO:
			pv_buf_printf(out, "scale Swarm service %s to 0", plan->service_id);
			break;
		case ACT_CGROUP_KILL:
			pv_buf_puts(out, "end every process of it (cgroup.kill: the engine's API does not reach it)");
			break;
		case ACT_CGROUP_FREEZE:
			pv_buf_puts(out, "freeze it");
			break;
		case ACT_WAIT_EMPTY:
			pv_buf_puts(out, "look whether no process is left");
			break;
		case ACT_N_STEPS:
			break;
		}
	}
}

static void api_request(struct broker_req *req, enum api_request r, const struct act_plan *plan)
{
	req->op = BROKER_API;
	req->arg = r;
	req->arg2 = plan->engine;
	(void) text_copy(req->id, sizeof(req->id), plan->id);
}

bool act_step_request(const struct act_plan *plan, enum act_step_kind step, struct broker_req *ret)
{
	*ret = (struct broker_req){ .cgroup = plan->cgroup };
	switch (step) {
	case ACT_RESTART_OFF:
		api_request(ret, API_RESTART_NO, plan);
		return true;
	case ACT_API_KILL:
		api_request(ret, API_KILL, plan);
		return true;
	case ACT_API_STOP:
		api_request(ret, API_STOP, plan);
		return true;
	case ACT_SCALE_ZERO:
		ret->op = BROKER_SWARM_SCALE;
		(void) text_copy(ret->id, sizeof(ret->id), plan->service_id);
		return true;
	case ACT_CGROUP_KILL:
		ret->op = BROKER_CGROUP_KILL;
		return true;
	case ACT_CGROUP_FREEZE:
		ret->op = BROKER_CGROUP_FREEZE;
		ret->arg = 1;
		return true;
	case ACT_WAIT_EMPTY:
	case ACT_N_STEPS:
		break;
	}
	return false;
}

int act_restart_request(const char *container_id, enum engine_kind engine, const char *old, struct broker_req *ret)
{
	static const struct {
		const char *name;
		enum api_request request;
	} policies[] = {
		{ "no", API_RESTART_NO },
		{ "always", API_RESTART_ALWAYS },
		{ "unless-stopped", API_RESTART_UNLESS_STOPPED },
	};
	uint32_t max = 0;

	*ret = (struct broker_req){ .op = BROKER_API, .arg2 = engine };
	(void) text_copy(ret->id, sizeof(ret->id), container_id);
	for (size_t i = 0; i < N_ELEMENTS(policies); i++)
		if (strcmp(old, policies[i].name) == 0) {
			ret->arg = policies[i].request;
			return 0;
		}
	if (strncmp(old, "on-failure", 10) != 0)
		return -EINVAL;
	if (old[10] && (old[10] != ':' || parse_u32(old + 11, &max) < 0))
		return -EINVAL;
	ret->arg = API_RESTART_ON_FAILURE;
	ret->arg2 |= (uint64_t) max << 32;
	return 0;
}

void act_restart_text(char *out, size_t size, const char *policy, uint32_t max)
{
	if (max && strcmp(policy, "on-failure") == 0)
		(void) snprintf(out, size, "on-failure:%u", max);
	else
		(void) text_copy(out, size, policy);
}
