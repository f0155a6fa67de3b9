#include "act/run.h"
#include "check.h"

#include "base/text.h"
#include "engine_api/request.h"

#define ID64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct policy policy;
static struct container_info info;

static struct workload container(const char *restart)
{
	struct workload w = { .cgroup = 42, .class_ = PV_CLASS_CONTAINER, .info = &info };

	(void) text_copy(w.id, sizeof(w.id), ID64);
	memset(&info, 0, sizeof(info));
	info.inspected = info.running = true;
	for (int s = 0; s < SIGNAL_N; s++)
		info.label_action[s] = ACTION_N;
	(void) text_copy(info.id, sizeof(info.id), ID64);
	(void) text_copy(info.restart_policy, sizeof(info.restart_policy), restart);
	return w;
}

static struct act_plan plan_for(const struct workload *w, enum pv_action action, bool api)
{
	struct verdict v = { .id = ID_RUN_CPU, .action = action, .cgroup = 42 };
	struct act_plan plan;

	act_plan_make(&plan, &v, w, "shop/web", &policy, api, NULL);
	return plan;
}

static void steps_are(const struct act_plan *p, const char *want)
{
	static const char letters[ACT_N_STEPS + 1] = "RKSZCFW";
	char got[ACT_STEPS + 1] = { 0 };

	for (size_t i = 0; i < p->n_steps; i++)
		got[i] = letters[p->steps[i]];
	CHECK_STR(got, want, "steps");
}

static void test_plans(void **state)
{
	struct workload w = container("always");
	struct act_plan p;

	(void) state;
	p = plan_for(&w, ACTION_KILL, true);
	steps_are(&p, "RKW");
	assert_string_equal(p.restart_old, "always");
	w = container("no");
	p = plan_for(&w, ACTION_KILL, true);
	steps_are(&p, "KW");
	p = plan_for(&w, ACTION_STOP, true);
	steps_are(&p, "SW");
	p = plan_for(&w, ACTION_FREEZE, true);
	steps_are(&p, "F");
	p = plan_for(&w, ACTION_KILL, false); /* the API does not answer */
	steps_are(&p, "CW");
	w.rootless = true;
	p = plan_for(&w, ACTION_KILL, true);
	steps_are(&p, "CW");
	w = container("always");
	(void) text_copy(info.service_id, sizeof(info.service_id), "abcdefghijklmnopqrstuvwxy");
	p = plan_for(&w, ACTION_KILL, true);
	steps_are(&p, "ZKW");
}

static void test_describe(void **state)
{
	static const struct {
		const char *restart, *service;
		enum pv_action action;
		bool api;
		const char *want;
	} cases[] = {
		{ "always", "", ACTION_KILL, true,
		  "set its restart policy to no (was always); kill container 001122334455; look whether no process is left" },
		{ "no", "", ACTION_STOP, true, "stop container 001122334455; look whether no process is left" },
		{ "no", "", ACTION_FREEZE, true, "freeze it" },
		{ "always", "", ACTION_KILL, false,
		  "end every process of it (cgroup.kill: the engine's API does not reach it); look whether no process is left" },
		{ "no", "abcdefghijklmnopqrstuvwxy", ACTION_KILL, true,
		  "scale Swarm service abcdefghijklmnopqrstuvwxy to 0; kill container 001122334455; look whether no process is left" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct workload w = container(cases[i].restart);
		pv_autobuf text = PV_BUF_INIT;
		struct act_plan p;

		(void) text_copy(info.service_id, sizeof(info.service_id), cases[i].service);
		p = plan_for(&w, cases[i].action, cases[i].api);
		act_plan_describe(&text, &p);
		CHECK_STR(pv_buf_str(&text), cases[i].want, "case %zu", i);
		CHECK(text.len < sizeof(((struct notice_evidence *) 0)->value), "case %zu: whole as evidence", i);
	}
}

/* The owner may have changed the action since its kind was ended. */
static void test_return_configured(void **state)
{
	static const struct {
		enum id cause;
		uint8_t *action;
	} cases[] = { { ID_RUN_CPU, &policy.cpu.action }, { ID_RUN_MEMORY, &policy.memory.action }, { ID_RUN_PIDS, &policy.pids.action } };
	struct workload w = container("no");
	const char *why;
	struct act_plan p;

	(void) state;
	policy.cpu.action = policy.memory.action = policy.pids.action = ACTION_KILL;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct verdict v = { .id = ID_RUN_RESPAWN, .cause = cases[i].cause, .action = ACTION_KILL, .cgroup = 42 };

		for (uint8_t a = ACTION_IGNORE; a <= ACTION_KILL; a++) {
			*cases[i].action = a;
			act_plan_make(&p, &v, &w, "shop/web", &policy, true, &why);
			CHECK(p.action == (a <= ACTION_ALERT ? a : ACTION_KILL), "case %zu: configured %u", i, a);
			CHECK((why != NULL) == (a <= ACTION_ALERT), "case %zu: configured %u: %s", i, a, why ? why : "");
		}
	}
	policy.cpu.action = policy.memory.action = policy.pids.action = 0;
}

static void test_never_ended(void **state)
{
	static const enum pv_class told[] = { PV_CLASS_UNIT, PV_CLASS_BUILD, PV_CLASS_SESSION, PV_CLASS_TOP, PV_CLASS_NONE };
	struct workload w = container("no");
	struct act_plan p;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(told); i++) {
		w.class_ = told[i];
		p = plan_for(&w, ACTION_KILL, true);
		CHECK(p.action == ACTION_ALERT && !p.n_steps, "class %d", told[i]);
	}
	w.class_ = PV_CLASS_PROTECTED;
	p = plan_for(&w, ACTION_KILL, true);
	assert_int_equal(p.action, ACTION_IGNORE);
}

static void test_exceptions(void **state)
{
	struct workload w = container("no");
	struct act_plan p;

	(void) state;
	info.label_action[SIGNAL_CPU] = ACTION_ALERT;
	p = plan_for(&w, ACTION_KILL, true);
	assert_int_equal(p.action, ACTION_ALERT);
	info.label_action[SIGNAL_CPU] = ACTION_N;
	policy.n_exceptions = 1;
	(void) text_copy(policy.exceptions[0].name, sizeof(policy.exceptions[0].name), "shop/*");
	policy.exceptions[0].signal = SIGNAL_CPU;
	policy.exceptions[0].action = ACTION_IGNORE;
	p = plan_for(&w, ACTION_KILL, true);
	assert_int_equal(p.action, ACTION_IGNORE);
	policy.exceptions[0].signal = SIGNAL_PIDS;
	p = plan_for(&w, ACTION_KILL, true);
	assert_int_equal(p.action, ACTION_KILL);
	policy.n_exceptions = 0;
}

/* An image's name spares what its containers use one after the other, and nothing else. */
static void test_image_exception(void **state)
{
	struct verdict v = { .id = ID_RUN_CPU, .action = ACTION_KILL, .cgroup = 42, .chain = 3 };
	struct workload w = container("no");
	struct act_plan p;

	(void) state;
	(void) text_copy(info.image, sizeof(info.image), "ci/build:3");
	policy.n_exceptions = 1;
	policy.exceptions[0] = (struct policy_exception){ .signal = SIGNAL_CPU, .action = ACTION_IGNORE };
	(void) text_copy(policy.exceptions[0].name, sizeof(policy.exceptions[0].name), "image:ci/build:*");
	act_plan_make(&p, &v, &w, "shop/web", &policy, true, NULL);
	assert_int_equal(p.action, ACTION_IGNORE);
	v.chain = 0;
	act_plan_make(&p, &v, &w, "shop/web", &policy, true, NULL);
	assert_int_equal(p.action, ACTION_KILL);
	/* A return is judged as what was ended before it: by that signal, and as one of a chain. */
	policy.cpu.action = policy.memory.action = ACTION_KILL;
	v = (struct verdict){ .id = ID_RUN_RESPAWN, .action = ACTION_KILL, .cgroup = 42, .cause = ID_RUN_CPU };
	act_plan_make(&p, &v, &w, "shop/web", &policy, true, NULL);
	assert_int_equal(p.action, ACTION_KILL);
	v.cause_chain = 1;
	act_plan_make(&p, &v, &w, "shop/web", &policy, true, NULL);
	assert_int_equal(p.action, ACTION_IGNORE);
	(void) text_copy(policy.exceptions[0].name, sizeof(policy.exceptions[0].name), "shop/web");
	policy.exceptions[0].signal = SIGNAL_MEMORY;
	act_plan_make(&p, &v, &w, "shop/web", &policy, true, NULL);
	assert_int_equal(p.action, ACTION_KILL);
	v.cause = ID_RUN_MEMORY;
	act_plan_make(&p, &v, &w, "shop/web", &policy, true, NULL);
	assert_int_equal(p.action, ACTION_IGNORE);
	policy.cpu.action = policy.memory.action = 0;
	policy.n_exceptions = 0;
}

/* A world on a virtual clock: what the API answers, when the cgroup becomes empty. */
struct world {
	int api_result, kill_result;
	uint64_t empty_at_us; /* UINT64_MAX: never by itself */
	bool kill_empties;
};

static struct act_run play(const struct act_plan *plan, struct world *wd, char *log, size_t size, uint64_t *ret_us)
{
	struct act_run run;
	struct broker_req req;
	uint64_t now = 1000000, until = 0;
	size_t n = 0;
	int result = 0;

	log[0] = '\0';
	act_run_start(&run, plan);
	for (int guard = 0; guard < 1000; guard++) {
		switch (act_run_next(&run, result, 2, now, &req, &until)) {
		case ACT_WANT_REQUEST:
			assert_true(n + 1 < size);
			log[n++] = req.op == BROKER_CGROUP_KILL ? 'C' : req.op == BROKER_SWARM_SCALE ? 'Z' :
				   req.arg == API_RESTART_NO	? 'R' : req.op == BROKER_CGROUP_FREEZE ? 'F' : 'K';
			log[n] = '\0';
			result = req.op == BROKER_CGROUP_KILL ? wd->kill_result : wd->api_result;
			if (req.op == BROKER_CGROUP_KILL && !result && wd->kill_empties)
				wd->empty_at_us = now;
			break;
		case ACT_WANT_LOOK:
			result = now >= wd->empty_at_us;
			break;
		case ACT_WANT_PAUSE:
			assert_true(until > now);
			now = until;
			result = 0;
			break;
		case ACT_WANT_NOTHING:
			*ret_us = now - 1000000;
			return run;
		}
	}
	fail_msg("the act does not end");
	return run;
}

static void test_runs(void **state)
{
	static const struct {
		const char *what;
		struct world world;
		const char *log;
		int result;
		bool forced, undo, acted;
	} cases[] = {
		{ "the API does it", { 0, 0, 1200000, false }, "RK", 0, false, true, true },
		{ "the API says yes and lies", { 0, 0, UINT64_MAX, true }, "RKC", 0, true, true, true },
		{ "the API is broken", { -EREMOTEIO, 0, UINT64_MAX, true }, "RKCR", 0, true, false, true },
		{ "nothing helps", { 0, 0, UINT64_MAX, false }, "RKC", -EBUSY, true, true, true },
		{ "over the limit", { -EDQUOT, -EDQUOT, UINT64_MAX, false }, "R", -EDQUOT, false, false, false },
		{ "the API's answer is late", { -EPIPE, 0, 1200000, false }, "RKRR", 0, false, true, true },
		{ "it had ended", { -EALREADY, 0, 1200000, false }, "RKR", 0, false, false, false },
		{ "it is gone", { -ESRCH, 0, 1200000, false }, "RK", 0, false, false, false },
	};
	struct workload w = container("always");
	struct act_plan p = plan_for(&w, ACTION_KILL, true);

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct world wd = cases[i].world;
		struct act_run run;
		uint64_t took = 0;
		char log[16];

		run = play(&p, &wd, log, sizeof(log), &took);
		CHECK_STR(log, cases[i].log, "%s", cases[i].what);
		CHECK(run.result == cases[i].result, "%s: %d", cases[i].what, run.result);
		CHECK(run.forced == cases[i].forced, "%s", cases[i].what);
		CHECK(run.restart_changed == cases[i].undo, "%s", cases[i].what);
		CHECK(run.acted == cases[i].acted, "%s", cases[i].what);
		CHECK(took <= 2 * ACT_EMPTY_WAIT_US + 2 * ACT_LOOK_EVERY_US + ACT_SETTLE_US, "%s took too long", cases[i].what);
	}
}

static struct act_plan service_plan(void)
{
	struct workload w = container("no");

	(void) text_copy(info.service_id, sizeof(info.service_id), "abcdefghijklmnopqrstuvwxy");
	return plan_for(&w, ACTION_KILL, true);
}

/* A service that is scaled to nothing and asked about again has no replicas any more: what undo needs is the first answer. */
static void test_again(void **state)
{
	struct act_plan p = service_plan();
	struct broker_req req;
	struct act_run run;
	uint64_t until;

	(void) state;
	act_run_start(&run, &p);
	for (uint64_t replicas = 3; replicas <= 3; replicas -= 3) {
		assert_int_equal(act_run_next(&run, 0, 0, 1, &req, &until), ACT_WANT_REQUEST);
		assert_int_equal(req.op, BROKER_SWARM_SCALE);
		assert_int_equal(act_run_next(&run, 0, replicas, 2, &req, &until), ACT_WANT_REQUEST);
		assert_int_equal(act_run_next(&run, -EDQUOT, 0, 3, &req, &until), ACT_WANT_NOTHING);
		assert_int_equal(run.result, -EDQUOT);
		assert_true(run.scaled);
		assert_int_equal(run.scaled_from, 3);
		act_run_again(&run, &p);
	}
}

/* Another replica's act has scaled the service to nothing already: that is nothing to give back. */
static void test_scaled_already(void **state)
{
	struct act_plan p = service_plan();
	struct broker_req req;
	struct act_run run;
	uint64_t until;

	(void) state;
	for (int global = 0; global < 2; global++) {
		act_run_start(&run, &p);
		assert_int_equal(act_run_next(&run, 0, 0, 1, &req, &until), ACT_WANT_REQUEST);
		assert_int_equal(req.op, BROKER_SWARM_SCALE);
		(void) act_run_next(&run, 0, global ? UINT64_MAX : 0, 2, &req, &until);
		assert_int_equal(run.scaled, global); /* that one is taken back the same way, however often it was stopped */
	}
}

static void test_undo_requests(void **state)
{
	static const struct {
		const char *old;
		int r;
		uint64_t request, max;
	} cases[] = {
		{ "always", 0, API_RESTART_ALWAYS, 0 },	    { "unless-stopped", 0, API_RESTART_UNLESS_STOPPED, 0 },
		{ "on-failure:3", 0, API_RESTART_ON_FAILURE, 3 }, { "on-failure", 0, API_RESTART_ON_FAILURE, 0 },
		{ "no", 0, API_RESTART_NO, 0 },		    { "on-failure:x", -EINVAL, 0, 0 },
		{ "alwaysx", -EINVAL, 0, 0 },		    { "", -EINVAL, 0, 0 },
	};
	struct broker_req req;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		int r = act_restart_request(ID64, ENGINE_PODMAN, cases[i].old, &req);

		CHECK(r == cases[i].r, "%s", cases[i].old);
		if (r < 0)
			continue;
		CHECK(req.arg == cases[i].request && req.arg2 >> 32 == cases[i].max && (uint32_t) req.arg2 == ENGINE_PODMAN,
		      "%s", cases[i].old);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans), cmocka_unit_test(test_describe), cmocka_unit_test(test_return_configured), cmocka_unit_test(test_never_ended), cmocka_unit_test(test_exceptions), cmocka_unit_test(test_image_exception),
		cmocka_unit_test(test_runs),  cmocka_unit_test(test_again), cmocka_unit_test(test_scaled_already), cmocka_unit_test(test_undo_requests),
	};

	return cmocka_run_group_tests_name("act", tests, NULL, NULL);
}
