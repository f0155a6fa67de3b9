#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/guard.h"
#include "report/tell.h"

#define LIMIT_PAUSE_US (5 * USEC_PER_SEC)
#define LIMIT_TRIES    720 /* an hour */

/* An act under way. Holds its workload until it is over (w->acting). */
struct act {
	struct guard *g;
	struct guard_workload *w;
	struct act_run run;
	struct verdict verdict;
	struct notice notice;
	char name[160];
	sd_event_source *pause;
	unsigned tries;	   /* refused because of the limit */
	bool waits;	   /* for the limit: what was right then need not be right any more */
	uint64_t undo_row; /* in the history; 0: none yet */
	struct capture *capture; /* evidence; NULL: none is taken */
};

static void act_next(struct act *a, int result, uint64_t value);

static enum notice_action done_name(enum pv_action action, bool observe)
{
	switch (action) {
	case ACTION_KILL:
		return observe ? DONE_WOULD_KILL : DONE_KILLED;
	case ACTION_STOP:
		return observe ? DONE_WOULD_STOP : DONE_STOPPED;
	case ACTION_FREEZE:
		return observe ? DONE_WOULD_FREEZE : DONE_FROZEN;
	default:
		return DONE_ALERTED;
	}
}

bool acts_are_lifted(const struct guard *g)
{
	return g->off_until_ns / 1000 > clock_monotonic_us();
}

/* False when there is nothing (yet) that could be taken back. */
static bool undo_values(const struct act *a, struct store_act *s)
{
	const struct act_plan *p = &a->run.plan;

	if (a->run.scaled) {
		(void) text_copy(s->kind, sizeof(s->kind), "swarm-scale");
		(void) text_copy(s->id, sizeof(s->id), p->service_id);
		if (a->run.scaled_from == UINT64_MAX)
			(void) text_copy(s->old_value, sizeof(s->old_value), "global");
		else
			(void) snprintf(s->old_value, sizeof(s->old_value), "%" PRIu64, a->run.scaled_from);
	} else if (a->run.restart_changed || (a->run.last == ACT_WANT_REQUEST && a->run.asked == ACT_RESTART_OFF)) {
		(void) text_copy(s->kind, sizeof(s->kind), p->engine == ENGINE_PODMAN ? "restart-podman" : "restart-docker");
		(void) text_copy(s->id, sizeof(s->id), p->id);
		act_restart_text(s->old_value, sizeof(s->old_value), p->restart_old, p->restart_max);
	} else if (p->action == ACTION_FREEZE && a->run.acted) {
		(void) text_copy(s->kind, sizeof(s->kind), "freeze");
		(void) snprintf(s->id, sizeof(s->id), "%" PRIu64, p->cgroup);
	} else {
		return false;
	}
	return true;
}

/* What undo needs is in the history before the step that needs undoing (or as soon as its answer tells what there was),
 * and before the notice that names it: we may be killed between any two steps. */
static void remember(struct act *a)
{
	struct store_act s = { .time_us = clock_wall_us() };

	if (a->undo_row || !undo_values(a, &s))
		return;
	(void) text_copy(s.subject, sizeof(s.subject), a->name);
	if (store_act_add(a->g->store, &s) < 0) /* the notice waits for room, and takes it along */
		return;
	a->undo_row = s.row;
	notice_add_evidence(&a->notice, "undo", "pavise undo %" PRIu64 " (restores %s)", s.row,
			    *s.old_value ? s.old_value : "it");
}

/* Remembered ahead, and then nothing at all was done to it. */
static void forget_unchanged(struct act *a)
{
	if (!a->undo_row || a->run.restart_changed || a->run.scaled || a->run.acted)
		return;
	(void) store_act_undone(a->g->store, a->undo_row);
	for (size_t i = 0; i < a->notice.n_evidence; i++)
		if (strcmp(a->notice.evidence[i].what, "undo") == 0)
			a->notice.evidence[i] = a->notice.evidence[--a->notice.n_evidence];
	a->undo_row = 0;
}

/* Over the limit of acts: told once, and tried again until it is let through. A storm of kills is worse than a slow
 * one, but a miner that waits for the limit must not be forgotten. */
static bool again_later(struct act *a)
{
	struct notice n;

	if (++a->tries > LIMIT_TRIES)
		return false;
	if (a->tries == 1) {
		notice_init(&n, ID_GUARD_LIMIT, clock_wall_us());
		notices_subject(&n, a->w);
		notice_set_what(&n, "waits to be ended: the guard has acted 5 times in a minute or 30 in an hour");
		notice_set_next(&n, "docker stop %.12s", a->run.plan.id);
		(void) notices_raise(a->g, &n);
	}
	a->waits = true;
	kept_act(a->g, a->w, &a->verdict, true);
	(void) sd_event_source_set_time_relative(a->pause, LIMIT_PAUSE_US);
	return sd_event_source_set_enabled(a->pause, SD_EVENT_ONESHOT) >= 0;
}

static bool answers_for(const struct guard *g, const struct guard_workload *w)
{
	return w->w.info && engines_answer(g, w->info.engine);
}

/* NULL: the verdict is to be carried out now, by *plan; else why not. */
static const char *spared(const struct guard *g, const struct guard_workload *w, const struct verdict *v, struct act_plan *plan)
{
	const char *why = NULL;
	char name[160];

	if (w->w.gone)
		return "it ended by itself";
	if (acts_are_lifted(g))
		return "blocks were lifted by pavise off";
	if (g->policy->observe)
		return "the guard only observes now";
	workload_name(name, sizeof(name), &w->w);
	act_plan_make(plan, v, &w->w, name, g->policy, answers_for(g, w), &why);
	if (plan->action <= ACTION_ALERT)
		return why ? why : "the configured action is another one now";
	return NULL;
}

static void act_end(struct act *a)
{
	struct guard_workload *w = a->w;

	forget_unchanged(a);
	(void) notices_raise(a->g, &a->notice);
	if (a->capture)
		capture_act_over(a->capture, a->notice.row);
	kept_act_over(a->g, w);
	sd_event_source_disable_unref(a->pause);
	free(a);
	table_release(w);
}

static void act_spared(struct act *a, const char *why)
{
	a->notice.action = DONE_ALERTED;
	notice_add_evidence(&a->notice, "spared", "%s", why);
	act_end(a);
}

/* Another one of its kind is ended on sight; itself may be started again. */
static void remember_ended(struct act *a)
{
	struct container_info who = a->w->info;
	struct guard *g = a->g;

	if (!a->w->w.info)
		return;
	if (!a->w->name_sure) /* what its image says of itself must not have somebody else's service ended */
		who.project[0] = who.service[0] = '\0';
	respawn_killed(g->respawn, &who, &a->verdict, clock_monotonic_us(), clock_wall_us());
	kept_respawn(g);
	if (!a->verdict.chain)
		succession_forget(g->succession, &who);
}

static void act_over(struct act *a)
{
	struct guard_workload *w = a->w;
	struct store_act s = { 0 };
	int r = a->run.result;

	if (r == -EDQUOT && !w->w.gone && again_later(a))
		return;
	if (!a->run.acted && (r >= 0 || r == -ESRCH || w->w.gone)) {
		if (a->verdict.chain)
			remember_ended(a); /* they all do: the next one is ended on sight */
		act_spared(a, "it ended by itself");
		return;
	}
	if (r < 0) {
		a->notice.action = DONE_FAILED;
		a->notice.severity = SEV_CRITICAL;
		notice_add_evidence(&a->notice, "failed", "%s", strerror(-r));
	} else if (a->run.plan.action == ACTION_KILL || a->run.plan.action == ACTION_STOP) {
		remember_ended(a);
	}
	remember(a);
	if (!a->undo_row && undo_values(a, &s))
		notice_add_evidence(&a->notice, "undo", "the history had no room for it; before: %s %s of %s", s.kind, s.old_value, s.id);
	if (a->run.forced)
		notice_add_evidence(&a->notice, "how", "the engine's API did not empty it; ended by cgroup.kill");
	if (w->w.rootless)
		notice_add_evidence(&a->notice, "how", "rootless: no engine API reaches it; ended by cgroup.kill");
	act_end(a);
}

/* HTTP: 2xx done; 304 and 409: it was in that state already; 404: gone. */
static int http_result(int status)
{
	if (status < 0)
		return status;
	if (status / 100 == 2 || status == 304 || status == 409)
		return 0;
	return status == 404 ? -ESRCH : -EREMOTEIO;
}

static void on_api(struct guard *g, int status, void *arg)
{
	(void) g;
	act_next(arg, status == 304 || status == 409 ? -EALREADY : http_result(status), 0);
}

static void on_broker(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	(void) g;
	(void) pv_close(fd);
	act_next(arg, rep->result, rep->value);
}

static int on_pause(sd_event_source *s, uint64_t usec, void *arg)
{
	struct act *a = arg;
	struct act_plan plan;
	const char *why;

	(void) s;
	(void) usec;
	if (a->waits) { /* minutes may have gone by since the verdict */
		why = spared(a->g, a->w, &a->verdict, &plan);
		if (why) {
			act_spared(a, why);
			return 0;
		}
		act_run_again(&a->run, &plan);
		kept_act(a->g, a->w, &a->verdict, false);
	}
	a->waits = false;
	act_next(a, 0, 0);
	return 0;
}

static int look(struct act *a)
{
	if (a->w->w.gone)
		return -ENODEV;
	if (!a->w->files)
		return cgroup_files_open(a->g->tree, a->w->w.path, &a->w->files) < 0 ? -ENODEV :
		       cgroup_files_empty(a->w->files);
	return cgroup_files_empty(a->w->files);
}

static int send_request(struct act *a, struct broker_req *req)
{
	if (req->op == BROKER_API)
		return engines_act(a->g, req, on_api, a);
	return link_call(a->g, req, on_broker, a);
}

static void pause_until(struct act *a, uint64_t until_us)
{
	uint64_t now = clock_monotonic_us();

	(void) sd_event_source_set_time_relative(a->pause, until_us > now ? until_us - now : 0);
	(void) sd_event_source_set_enabled(a->pause, SD_EVENT_ONESHOT);
}

static void act_next(struct act *a, int result, uint64_t value)
{
	struct broker_req req;
	uint64_t until = 0;
	int r;

	for (;;) {
		switch (act_run_next(&a->run, result, value, clock_monotonic_us(), &req, &until)) {
		case ACT_WANT_REQUEST:
			remember(a);
			r = send_request(a, &req);
			if (r >= 0)
				return;
			result = r;
			break;
		case ACT_WANT_LOOK:
			result = look(a);
			break;
		case ACT_WANT_PAUSE:
			pause_until(a, until);
			return;
		case ACT_WANT_NOTHING:
			act_over(a);
			return;
		}
	}
}

/* What the act would destroy is held; or there was nothing, or no time. */
static void on_held(struct guard *g, void *arg)
{
	(void) g;
	act_next(arg, 0, 0);
}

static void count_return(struct guard *g, const struct guard_workload *w)
{
	respawn_count(g->respawn, &w->info, clock_monotonic_us());
	kept_respawn(g);
}

static int act_start(struct guard *g, struct guard_workload *w, const struct act_plan *plan, const struct notice *n,
		     const struct verdict *v)
{
	struct act *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	*a = (struct act){ .g = g, .w = w, .verdict = *v, .notice = *n };
	act_run_start(&a->run, plan);
	workload_name(a->name, sizeof(a->name), &w->w);
	r = sd_event_add_time_relative(g->loop, &a->pause, CLOCK_MONOTONIC, 0, 0, on_pause, a);
	if (r < 0) {
		free(a);
		return r;
	}
	(void) sd_event_source_set_enabled(a->pause, SD_EVENT_OFF);
	w->acting = true;
	if (v->id == ID_RUN_RESPAWN)
		count_return(g, w);
	kept_act(g, w, v, false);
	a->capture = capture_before(g, w, &a->notice, on_held, a);
	if (!a->capture)
		act_next(a, 0, 0);
	return 0;
}

void acts_verdict(struct guard *g, struct guard_workload *w, const struct verdict *v)
{
	struct verdict full = *v;
	struct act_plan plan;
	struct notice n;
	const char *why = NULL;
	bool lifted, acts;
	char name[160];

	if (w->acting)
		return;
	workload_name(name, sizeof(name), &w->w);
	if (v->warning) /* it warns of what would follow, for this workload with its exceptions */
		full.action = (enum pv_action) g->policy->cpu.action;
	act_plan_make(&plan, &full, &w->w, name, g->policy, answers_for(g, w), &why);
	if (plan.action == ACTION_IGNORE || (v->warning && plan.action == ACTION_ALERT))
		return;
	notice_init(&n, v->id, clock_wall_us());
	notices_subject(&n, w);
	lifted = plan.action > ACTION_ALERT && !v->warning && acts_are_lifted(g);
	w->spared |= plan.action > ACTION_ALERT && !v->warning && (lifted || g->policy->observe);
	if (lifted)
		plan.action = ACTION_ALERT;
	acts = plan.action > ACTION_ALERT && !v->warning;
	n.action = acts ? done_name(plan.action, g->policy->observe) : DONE_ALERTED;
	if (v->warning)
		n.severity = SEV_MEDIUM;
	else if (acts) /* critical is that it cannot be ended */
		n.severity = SEV_HIGH;
	if (v->chain && w->w.info)
		tell_succession(&n, v, plan.action, &w->info);
	else
		tell_load(&n, v, plan.action, w->w.info);
	if (w->w.info && *w->info.image)
		notice_add_evidence(&n, "image", "%s", w->info.image);
	if (why)
		notice_add_evidence(&n, "softened", "%s", why);
	if (lifted)
		notice_add_evidence(&n, "let through", "blocks were lifted by pavise off");
	if (acts && g->policy->observe) {
		pv_autobuf steps = PV_BUF_INIT;

		act_plan_describe(&steps, &plan);
		notice_add_evidence(&n, "would do", "%s", pv_buf_str(&steps));
	}
	if (!acts || g->policy->observe || act_start(g, w, &plan, &n, v) < 0)
		(void) notices_raise(g, &n);
}

void acts_seen_container(struct guard *g, struct guard_workload *w)
{
	struct verdict v = { .id = ID_RUN_RESPAWN, .cgroup = w->w.cgroup, .now_us = clock_monotonic_us(), .action = ACTION_KILL };
	enum respawn_answer back;
	struct act_plan plan;
	struct notice n;

	if (w->acting || w->respawn_checked)
		return;
	w->respawn_checked = true;
	if (kept_act_take(g, w, &v) && v.id != ID_RUN_RESPAWN) { /* a return is one still, and what for is kept with its kind */
		acts_verdict(g, w, &v);
		return;
	}
	back = respawn_seen(g->respawn, &w->info, &v);
	if (back == RESPAWN_NO)
		return;
	if (back == RESPAWN_KILL || spared(g, w, &v, &plan)) {
		acts_verdict(g, w, &v);
		return;
	}
	count_return(g, w);
	notice_init(&n, ID_RUN_RESPAWN, clock_wall_us());
	notices_subject(&n, w);
	tell_respawn(&n, RESPAWN_KILLS, &w->info);
	n.severity = SEV_CRITICAL;
	(void) notices_raise(g, &n);
}

/* undo */

struct undo {
	struct store_act act;
	void (*fn)(struct guard *, bool, const char *, void *);
	void *arg;
};

static void undo_over(struct guard *g, struct undo *u, int result)
{
	char text[512];

	if (result >= 0) {
		(void) snprintf(text, sizeof(text), "%s: taken back%s%s%s", u->act.subject, *u->act.old_value ? " (" : "",
				u->act.old_value, *u->act.old_value ? " again)" : "");
		if (strncmp(u->act.kind, "restart-", 8) == 0)
			(void) snprintf(text, sizeof(text), "%s: restart policy is %s again; start it with: docker start %.12s",
					u->act.subject, u->act.old_value, u->act.id);
	} else if (result == -EALREADY) { /* a service whose owner was faster */
		(void) snprintf(text, sizeof(text), "%s: it is scaled up already, and stays as it is; for the %s it had: docker service scale %.25s=%s",
				u->act.subject, u->act.old_value, u->act.id, u->act.old_value);
		result = 0;
	} else {
		(void) snprintf(text, sizeof(text), "%s: could not be taken back: %s", u->act.subject, strerror(-result));
	}
	if (result >= 0 && store_act_undone(g->store, u->act.row) < 0) {
		size_t n = strlen(text);

		(void) snprintf(text + n, sizeof(text) - n, "; the history could not be written, and still lists it");
	}
	u->fn(g, result >= 0, text, u->arg);
	free(u);
}

static void on_undo_api(struct guard *g, int status, void *arg)
{
	undo_over(g, arg, http_result(status));
}

static void on_undo_broker(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	(void) pv_close(fd);
	undo_over(g, arg, rep->result);
}

static int undo_request(const struct store_act *a, struct broker_req *ret)
{
	uint64_t v = 0;

	if (strncmp(a->kind, "restart-", 8) == 0)
		return act_restart_request(a->id, strcmp(a->kind + 8, "podman") == 0 ? ENGINE_PODMAN : ENGINE_DOCKER,
					   a->old_value, ret);
	*ret = (struct broker_req){ 0 };
	if (strcmp(a->kind, "swarm-scale") == 0) {
		ret->op = BROKER_SWARM_SCALE;
		(void) text_copy(ret->id, sizeof(ret->id), a->id);
		if (strcmp(a->old_value, "global") == 0)
			ret->arg = UINT64_MAX;
		else if (parse_u64(a->old_value, &ret->arg) < 0)
			return -EINVAL;
		return 0;
	}
	if (strcmp(a->kind, "freeze") == 0 && parse_u64(a->id, &v) >= 0) {
		ret->op = BROKER_CGROUP_FREEZE;
		ret->cgroup = v;
		return 0;
	}
	return -EINVAL;
}

void acts_spare(struct guard *g, const struct store_act *a)
{
	struct container_info spared = { 0 };

	if (strcmp(a->kind, "swarm-scale") == 0)
		(void) text_copy(spared.service_id, sizeof(spared.service_id), a->id);
	else
		(void) text_copy(spared.id, sizeof(spared.id), a->id);
	respawn_forget(g->respawn, &spared);
	succession_forget(g->succession, NULL);
	kept_respawn(g);
}

int acts_undo(struct guard *g, uint64_t row, void (*fn)(struct guard *, bool, const char *, void *), void *arg)
{
	struct undo *u = calloc(1, sizeof(*u));
	struct broker_req req;
	int r;

	if (!u)
		return -ENOMEM;
	u->fn = fn;
	u->arg = arg;
	r = store_act(g->store, row, &u->act);
	if (r >= 0 && u->act.undone)
		r = -EALREADY;
	if (r >= 0)
		r = undo_request(&u->act, &req);
	if (r >= 0)
		acts_spare(g, &u->act); /* before the request: a service's new tasks may be there before its answer */
	if (r >= 0)
		r = req.op == BROKER_API ? engines_act(g, &req, on_undo_api, u) : link_call(g, &req, on_undo_broker, u);
	if (r < 0)
		free(u);
	return r;
}

const char *acts_undo_why(int r)
{
	return r == -ENOENT ? "there is no act of that number" : r == -EALREADY ? "that act was taken back already" : "the act could not be taken back";
}

static int on_act_row(const struct store_act *a, void *arg)
{
	struct pv_buf *out = arg;

	pv_buf_printf(out, "%s{\"row\":%" PRIu64 ",\"time\":\"", out->data[out->len - 1] == '[' ? "" : ",", a->row);
	clock_rfc3339(out, a->time_us);
	pv_buf_puts(out, "\",\"kind\":");
	pv_buf_json_str(out, a->kind);
	pv_buf_puts(out, ",\"subject\":");
	pv_buf_json_str(out, a->subject);
	pv_buf_puts(out, ",\"id\":");
	pv_buf_json_str(out, a->id);
	pv_buf_puts(out, ",\"old\":");
	pv_buf_json_str(out, a->old_value);
	pv_buf_printf(out, ",\"undone\":%s}", a->undone ? "true" : "false");
	return out->cut;
}

void acts_json(struct store *s, struct pv_buf *out)
{
	pv_buf_puts(out, "{\"ok\":true,\"acts\":[");
	(void) store_acts(s, 100, on_act_row, out);
	pv_buf_puts(out, "]}\n");
}
