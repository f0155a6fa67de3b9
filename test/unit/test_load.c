#include <glob.h>

#include "base/clock.h"
#include "base/text.h"
#include "detect/load.h"

#include "flow.h"

/* ---- replay of test/flow/NAME.flow: see its README ---- */

#define MAX_EVENTS  512
#define MAX_EXPECTS 32

enum kind { SET_CPU, MISS, GAP, CLOCK, RESET, MEMORY, OOM, PIDS, SAMPLE, END };

struct event {
	uint64_t at_us;
	enum kind kind;
	uint64_t a, b;
	int64_t step;
	uint64_t cpu0, wait0; /* used before `at_us`, for SET_CPU */
};

struct expect {
	char id[32], how[16];
	uint64_t from_us, to_us;
	bool pressure;
};

struct flow {
	const char *name;
	struct policy *p;
	uint64_t step_us, quota, memory_limit, tasks_max;
	bool throttled; /* what it waits for is its own quota */
	struct event e[MAX_EVENTS];
	size_t n;
	struct expect x[MAX_EXPECTS];
	size_t n_x;
};

static uint64_t count(const char *s)
{
	uint64_t v = 0;

	CHECK(s && parse_bytes(s, &v) == 0, "number %s", s ? s : "(none)");
	return v;
}

static struct event *add(struct flow *f, uint64_t at, enum kind kind)
{
	CHECK(f->n < MAX_EVENTS, "%s: too long", f->name);
	f->e[f->n] = (struct event){ .at_us = at, .kind = kind };
	return &f->e[f->n++];
}

static void read_event(struct flow *f, char **word, size_t n)
{
	static const char *const kinds[] = { "cpu", "miss", "gap", "clock", "reset", "memory", "oom", "pids", "sample", "end" };
	struct event *e = NULL;

	for (size_t i = 0; n > 1 && i < N_ELEMENTS(kinds); i++)
		if (strcmp(word[1], kinds[i]) == 0)
			e = add(f, duration(word[0]), (enum kind) i);
	CHECK(e, "%s: what is `%s %s`?", f->name, word[0], n > 1 ? word[1] : "");
	switch (e->kind) {
	case SET_CPU: /* cpu 100% [wait 70%] */
		e->a = percent(word[2]);
		e->b = n > 4 ? percent(word[4]) : 0;
		break;
	case GAP:
		e->a = duration(word[2]);
		break;
	case CLOCK:
		e->step = (int64_t) duration(word[2] + 1) * (word[2][0] == '-' ? -1 : 1);
		break;
	case MEMORY:
	case OOM:
		e->a = count(word[2]);
		break;
	case PIDS: /* pids PROCESSES TASKS */
	case SAMPLE: /* sample CPU_US PRESSURE_US */
		e->a = count(word[2]);
		e->b = count(word[3]);
		break;
	default:
		break;
	}
}

static void read_expect(struct flow *f, char **word, size_t n)
{
	struct expect *x = &f->x[f->n_x++];
	char *dots;

	CHECK(n >= 4 && f->n_x <= MAX_EXPECTS, "%s: expect ID HOW FROM..TO", f->name);
	dots = strstr(word[3], "..");
	CHECK(dots, "%s: %s", f->name, word[3]);
	*dots = '\0';
	(void) text_copy(x->id, sizeof(x->id), word[1]);
	(void) text_copy(x->how, sizeof(x->how), word[2]);
	x->from_us = duration(word[3]);
	x->to_us = duration(dots + 2);
	x->pressure = n > 4 && strcmp(word[4], "pressure") == 0;
}

static void read_setting(struct flow *f, const char *key, const char *value)
{
	enum pv_action action;

	if (strcmp(key, "hold") == 0)
		f->p->cpu.hold_us = duration(value);
	else if (strcmp(key, "step") == 0)
		f->step_us = f->p->sample_us = duration(value);
	else if (strcmp(key, "quota") == 0)
		f->quota = percent(value);
	else if (strcmp(key, "throttled") == 0)
		f->throttled = true;
	else if (strcmp(key, "memory-limit") == 0)
		f->memory_limit = count(value);
	else if (strcmp(key, "tasks-max") == 0)
		f->tasks_max = count(value);
	else if (strcmp(key, "action") == 0) {
		assert_int_equal(action_parse(value, &action), 0);
		f->p->cpu.action = f->p->memory.action = f->p->pids.action = (uint8_t) action;
	} else {
		CHECK(false, "%s: unknown setting %s", f->name, key);
	}
}

static void read_flow(struct flow *f, const char *path)
{
	FILE *in = fopen(path, "re");
	char line[256];

	CHECK(in, "%s", path);
	f->name = strrchr(path, '/') + 1;
	while (fgets(line, sizeof(line), in)) {
		char *word[8], *save = NULL;
		size_t n = 0;

		line[strcspn(line, "#\n")] = '\0';
		for (char *w = strtok_r(line, " \t", &save); w && n < 8; w = strtok_r(NULL, " \t", &save))
			word[n++] = w;
		if (!n)
			continue;
		if (strcmp(word[0], "expect") == 0)
			read_expect(f, word, n);
		else if (word[0][0] >= '0' && word[0][0] <= '9')
			read_event(f, word, n);
		else
			read_setting(f, word[0], n > 1 ? word[1] : "");
	}
	fclose(in);
}

/* What was used up to `t`, by the rates in force; and what the counters were reset by. */
static struct cgroup_usage usage_at(const struct flow *f, uint64_t t)
{
	struct cgroup_usage u = { .cpu_quota = f->quota, .memory = 0, .memory_limit = f->memory_limit, .tasks = 1,
				  .tasks_max = f->tasks_max, .processes = 1 };
	uint64_t rate = 0, wait = 0, since = 0, waited = 0, cpu0 = 0, wait0 = 0, cpu = 0;

	for (size_t i = 0; i < f->n && f->e[i].at_us <= t; i++) {
		const struct event *e = &f->e[i];

		cpu += (e->at_us - since) * rate / 10000;
		waited += (e->at_us - since) * wait / 10000;
		since = e->at_us;
		switch (e->kind) {
		case SET_CPU:
			rate = e->a;
			wait = e->b;
			break;
		case RESET:
			cpu0 = cpu;
			wait0 = waited;
			break;
		case MEMORY:
			u.memory = e->a;
			break;
		case OOM:
			u.oom_kills = e->a;
			break;
		case PIDS:
			u.processes = e->a;
			u.tasks = e->b;
			break;
		default:
			break;
		}
	}
	u.cpu_us = cpu + (t - since) * rate / 10000 - cpu0;
	u.pressure_us = waited + (t - since) * wait / 10000 - wait0;
	u.throttled_us = f->throttled ? u.pressure_us : 0;
	return u;
}

static bool skipped(const struct flow *f, uint64_t t)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct event *e = &f->e[i];
		uint64_t len = e->kind == MISS ? f->step_us : e->kind == GAP ? e->a : 0;

		if (t >= e->at_us && t - e->at_us < len)
			return true;
	}
	return false;
}

static const char *how(const struct verdict *v)
{
	return v->warning ? "warning" : action_name(v->action);
}

static void compare(const struct flow *f, const struct verdict *v, uint64_t t, size_t *seen, uint64_t phase)
{
	const struct expect *x = &f->x[*seen];
	pv_autobuf when = PV_BUF_INIT;

	clock_duration(&when, t);
	CHECK(*seen < f->n_x, "%s (phase %llu ms): unexpected %s %s after %s: value %llu limit %llu", f->name,
	      (unsigned long long) phase / 1000, id_info(v->id)->name, how(v), pv_buf_str(&when),
	      (unsigned long long) v->value, (unsigned long long) v->limit);
	CHECK_STR(id_info(v->id)->name, x->id, "%s after %s", f->name, pv_buf_str(&when));
	CHECK_STR(how(v), x->how, "%s after %s", f->name, pv_buf_str(&when));
	CHECK(t >= x->from_us && t <= x->to_us, "%s (phase %llu ms): %s %s already or only after %s", f->name,
	      (unsigned long long) phase / 1000, x->id, x->how, pv_buf_str(&when));
	CHECK(!!v->pressure == x->pressure, "%s: pressure %llu", f->name, (unsigned long long) v->pressure);
	CHECK(v->id == ID_RUN_OOM || v->value > v->limit, "%s", f->name);
	++*seen;
}

struct replay {
	const struct flow *f;
	struct load *load;
	uint64_t phase;
	size_t seen;
};

static void one_sample(struct replay *r, const struct cgroup_usage *u, uint64_t t, int64_t clock_step)
{
	struct verdict v[LOAD_VERDICTS];
	size_t n = load_step(r->load, r->f->p, u, (uint64_t) ((int64_t) (t + 1000 * USEC_PER_DAY) + clock_step), v);

	assert_true(n <= LOAD_VERDICTS);
	for (size_t i = 0; i < n; i++)
		compare(r->f, &v[i], t, &r->seen, r->phase);
}

static void replay_made(struct replay *r)
{
	const struct flow *f = r->f;
	uint64_t end = f->e[f->n - 1].at_us;

	for (uint64_t t = r->phase; t <= end; t += f->step_us) {
		struct cgroup_usage u = usage_at(f, t);
		int64_t clock_step = 0;

		for (size_t i = 0; i < f->n && f->e[i].at_us <= t; i++)
			clock_step += f->e[i].step;
		if (!skipped(f, t))
			one_sample(r, &u, t, clock_step);
	}
}

static void replay_recorded(struct replay *r)
{
	struct cgroup_usage u = usage_at(r->f, 0);

	for (size_t i = 0; i < r->f->n; i++) {
		if (r->f->e[i].kind != SAMPLE)
			continue;
		u.cpu_us = r->f->e[i].a;
		u.pressure_us = r->f->e[i].b;
		one_sample(r, &u, r->f->e[i].at_us, 0);
	}
}

static void replay(const struct flow *f, uint64_t phase)
{
	struct replay r = { .f = f, .phase = phase };
	pv_auto(load) l = NULL;

	assert_int_equal(load_new(&l), 0);
	r.load = l;
	if (f->n && f->e[0].kind == SAMPLE)
		replay_recorded(&r);
	else
		replay_made(&r);
	CHECK(r.seen == f->n_x, "%s (phase %llu ms): %s %s never came", f->name, (unsigned long long) phase / 1000,
	      f->x[r.seen].id, f->x[r.seen].how);
}

static void defaults(struct policy *p)
{
	*p = (struct policy){ .sample_us = 5 * USEC_PER_SEC };
	p->cpu.limit = 8000;
	p->cpu.hold_us = 5 * USEC_PER_MIN;
	p->cpu.action = ACTION_KILL;
	p->memory.limit = 450u << 20;
	p->memory.of_limit = 8800;
	p->memory.action = ACTION_ALERT;
	p->pids.limit = 50;
	p->pids.action = ACTION_ALERT;
}

/* Each flow at five positions of the sampler: what is decided must not hang on how the samples fall. */
static void test_flows(void **state)
{
	const char *source = getenv("PV_TEST_SOURCE");
	struct policy *p = calloc(1, sizeof(*p));
	struct flow *f = calloc(1, sizeof(*f));
	char pattern[512];
	glob_t files;

	(void) state;
	snprintf(pattern, sizeof(pattern), "%s/flow/*.flow", source ? source : "test");
	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	CHECK(files.gl_pathc >= 20, "only %zu flows", files.gl_pathc);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		defaults(p);
		*f = (struct flow){ .p = p, .step_us = 5 * USEC_PER_SEC, .memory_limit = UINT64_MAX, .tasks_max = UINT64_MAX };
		read_flow(f, files.gl_pathv[i]);
		for (uint64_t phase = 0; phase < 5; phase++)
			replay(f, phase * f->step_us / 5);
	}
	globfree(&files);
	free(f);
	free(p);
}

static void test_cpu_now(void **state)
{
	struct policy *p = calloc(1, sizeof(*p));
	struct cgroup_usage u = { .memory_limit = UINT64_MAX, .tasks_max = UINT64_MAX, .pressure_us = UINT64_MAX };
	struct verdict v[LOAD_VERDICTS];
	pv_auto(load) l = NULL;
	uint64_t now = 0;

	(void) state;
	defaults(p);
	assert_int_equal(load_new(&l), 0);
	assert_int_equal(load_cpu_now(l), 0);
	for (int i = 0; i < 20; i++, now += 5 * USEC_PER_SEC, u.cpu_us += 10 * USEC_PER_SEC)
		assert_int_equal(load_step(l, p, &u, now, v), 0);
	assert_int_equal(load_cpu_now(l), 20000); /* two cores */
	u.cpu_us -= 10 * USEC_PER_SEC;
	assert_int_equal(load_step(l, p, &u, now, v), 0);
	assert_int_equal(load_cpu_now(l), 10000); /* the mean of the last ten seconds */
	free(p);
}

/* Unknown values judge nothing; absurd ones crash nothing. */
static void test_unknown(void **state)
{
	struct policy *p = calloc(1, sizeof(*p));
	struct cgroup_usage u = { .pressure_us = UINT64_MAX, .memory = UINT64_MAX, .memory_limit = UINT64_MAX, .oom_kills = UINT64_MAX,
				  .tasks = UINT64_MAX, .tasks_max = UINT64_MAX, .processes = UINT64_MAX };
	struct verdict v[LOAD_VERDICTS];
	pv_auto(load) l = NULL;
	uint64_t now = 0;

	(void) state;
	defaults(p);
	assert_int_equal(load_new(&l), 0);
	for (int i = 0; i < 100; i++, now += 5 * USEC_PER_SEC)
		assert_int_equal(load_step(l, p, &u, now, v), 0);
	u.oom_kills = 7; /* known for the first time: not seven kills */
	assert_int_equal(load_step(l, p, &u, now += 1, v), 0);
	u.memory_limit = u.tasks_max = 0;
	assert_int_equal(load_step(l, p, &u, now += 1, v), 0);
	u = (struct cgroup_usage){ .cpu_us = UINT64_MAX, .cpu_quota = UINT64_MAX, .throttled_us = UINT64_MAX,
				   .memory_limit = UINT64_MAX - 1, .tasks_max = UINT64_MAX - 1 };
	for (int i = 0; i < 1000; i++) {
		now += (uint64_t) i * 997 * USEC_PER_MSEC;
		u.cpu_us = i % 3 ? UINT64_MAX - (uint64_t) i : (uint64_t) i;
		assert_true(load_step(l, p, &u, i % 7 ? now : UINT64_MAX - now, v) <= LOAD_VERDICTS);
	}
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_cpu_now),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
