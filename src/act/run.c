#include "act/run.h"

void act_run_start(struct act_run *run, const struct act_plan *plan)
{
	*run = (struct act_run){ .plan = *plan, .last = ACT_WANT_NOTHING };
}

void act_run_again(struct act_run *run, const struct act_plan *plan)
{
	struct act_run before = *run;

	act_run_start(run, plan);
	run->restart_changed = before.restart_changed;
	run->acted = before.acted;
	run->scaled = before.scaled;
	run->scaled_from = before.scaled_from;
}

static enum act_want finish(struct act_run *run, int result)
{
	run->result = result;
	run->step = run->plan.n_steps;
	return run->last = ACT_WANT_NOTHING;
}

static enum act_want ask(struct act_run *run, enum act_step_kind step, struct broker_req *ret_req)
{
	run->asked = step;
	(void) act_step_request(&run->plan, step, ret_req);
	return run->last = ACT_WANT_REQUEST;
}

/* An answer that broke off or came too late says nothing about what was done. */
static bool may_have_acted(int result)
{
	switch (result) {
	case 0:
	case -EPIPE:
	case -EREMOTEIO:
	case -ETIMEDOUT:
	case -ECONNRESET:
	case -EBADMSG:
	case -EIO:
		return true;
	default:
		return false;
	}
}

static void note_restart(struct act_run *run, int result)
{
	bool late = may_have_acted(result) && result != 0 && result != -EREMOTEIO;

	run->restart_changed |= result == 0 || late;
	if (!run->settling && result != 0 && result != -ESRCH)
		run->settles = late ? 2 : 1;
}

/* A request came back: note what undo needs. A failing step does not end the run: the cgroup decides. */
static void note_answer(struct act_run *run, int result, uint64_t value)
{
	if (run->asked == ACT_RESTART_OFF)
		note_restart(run, result);
	/* The second time it was zero already, and so it is where another replica's act came before. */
	if (run->asked == ACT_SCALE_ZERO && result == 0 && value && !run->scaled) {
		run->scaled = true;
		run->scaled_from = value;
	}
	if (run->asked != ACT_RESTART_OFF && may_have_acted(result))
		run->acted = true;
	if (run->asked == ACT_CGROUP_FREEZE || run->asked == ACT_CGROUP_KILL || result == -EDQUOT)
		run->result = result;
}

static enum act_want settle(struct act_run *run, struct broker_req *ret_req)
{
	if (!run->settles)
		return finish(run, 0);
	run->settles--;
	run->settling = true;
	return ask(run, ACT_RESTART_OFF, ret_req);
}

static enum act_want after_look(struct act_run *run, int empty, uint64_t now_us, struct broker_req *ret_req,
				uint64_t *ret_until_us)
{
	if (empty == 1 || empty == -ENODEV)
		return settle(run, ret_req);
	if (now_us < run->deadline_us) {
		*ret_until_us = now_us + ACT_LOOK_EVERY_US;
		return run->last = ACT_WANT_PAUSE;
	}
	if (run->forced)
		return finish(run, run->result < 0 ? run->result : -EBUSY);
	run->forced = true; /* the API said yes and processes are left, or it said no: end them ourselves */
	return ask(run, ACT_CGROUP_KILL, ret_req);
}

enum act_want act_run_next(struct act_run *run, int result, uint64_t value, uint64_t now_us, struct broker_req *ret_req,
			   uint64_t *ret_until_us)
{
	if (run->last == ACT_WANT_REQUEST) {
		note_answer(run, result, value);
		if (run->settling && !run->settles)
			return finish(run, 0);
		if (run->settling) {
			*ret_until_us = now_us + ACT_SETTLE_US;
			return run->last = ACT_WANT_PAUSE;
		}
		if (result == -EDQUOT) /* the limit holds for every other way, too */
			return finish(run, result);
		if (run->forced) {
			run->deadline_us = now_us + ACT_EMPTY_WAIT_US;
			return run->last = ACT_WANT_LOOK;
		}
	} else if (run->last == ACT_WANT_LOOK) {
		return after_look(run, result, now_us, ret_req, ret_until_us);
	} else if (run->last == ACT_WANT_PAUSE) {
		return run->settling ? settle(run, ret_req) : (run->last = ACT_WANT_LOOK);
	}
	if (run->step == run->plan.n_steps)
		return finish(run, run->result);
	enum act_step_kind step = run->plan.steps[run->step++];

	if (step == ACT_WAIT_EMPTY) {
		run->deadline_us = now_us + ACT_EMPTY_WAIT_US;
		if (run->plan.action == ACTION_STOP)
			run->deadline_us += 5 * (uint64_t) 1000000;
		run->forced = run->asked == ACT_CGROUP_KILL;
		return run->last = ACT_WANT_LOOK;
	}
	return ask(run, step, ret_req);
}
