#include <glob.h>

#include "base/clock.h"
#include "base/text.h"
#include "detect/succession.h"

#include "flow.h"

/* ---- replay of test/flow/NAME.chain: see its README ---- */

#define MAX_RUNS    512
#define MAX_EXPECTS 16

struct run {
	struct container_info info;
	struct succession_run run;
	uint64_t from_us, life_us, every_us, busy_us; /* rate percent in the first busy_us of every every_us; 0: always */
	uint64_t rate, quota;
	bool ended;
};

struct expect {
	char how[16];
	uint64_t from_us, to_us;
	uint32_t min, max;
	bool image;
};

struct flow {
	const char *name;
	struct policy p;
	struct run runs[MAX_RUNS];
	size_t n;
	uint64_t end_us;
	struct expect x[MAX_EXPECTS];
	size_t n_x;
};

/* FROM [xN every=D] run RATE LIFE [key=value ...] */
static void read_run(struct flow *f, char **word, size_t n)
{
	uint64_t from = duration(word[0]), every = 0, times = 1;
	struct run r = { 0 };
	const char *id = NULL;
	size_t i = 1;

	CHECK(n > 3, "%s: what is `%s`?", f->name, word[0]);
	if (word[i][0] == 'x') {
		CHECK(n > 3 && parse_u64(word[i] + 1, &times) == 0 && strncmp(word[i + 1], "every=", 6) == 0, "%s: %s", f->name, word[i]);
		every = duration(word[i + 1] + 6);
		i += 2;
	}
	CHECK(n >= i + 3 && strcmp(word[i], "run") == 0, "%s: what is `%s`?", f->name, word[i]);
	r.rate = percent(word[i + 1]);
	r.life_us = duration(word[i + 2]);
	for (i += 3; i < n; i++) {
		char *value = strchr(word[i], '=');

		CHECK(value, "%s: %s", f->name, word[i]);
		*value++ = '\0';
		if (strcmp(word[i], "image") == 0)
			(void) snprintf(r.info.image_id, sizeof(r.info.image_id), "sha256:%s", value);
		else if (strcmp(word[i], "service") == 0)
			(void) text_copy(r.info.service, sizeof(r.info.service), value);
		else if (strcmp(word[i], "swarm") == 0)
			(void) text_copy(r.info.service_id, sizeof(r.info.service_id), value);
		else if (strcmp(word[i], "id") == 0)
			id = value;
		else if (strcmp(word[i], "quota") == 0)
			r.quota = percent(value);
		else if (strcmp(word[i], "busy") == 0)
			r.busy_us = duration(value);
		else if (strcmp(word[i], "of") == 0)
			r.every_us = duration(value);
		else
			CHECK(false, "%s: what is %s?", f->name, word[i]);
	}
	for (uint64_t k = 0; k < times; k++) {
		CHECK(f->n < MAX_RUNS, "%s: too long", f->name);
		r.from_us = from + k * every;
		if (id)
			(void) text_copy(r.info.id, sizeof(r.info.id), id);
		else
			(void) snprintf(r.info.id, sizeof(r.info.id), "run-%zu", f->n);
		f->end_us = PV_MAX(f->end_us, r.from_us + r.life_us);
		f->runs[f->n++] = r;
	}
}

/* "5m..6m" in two. */
static char *second_part(const struct flow *f, char *text)
{
	char *dots = strstr(text, "..");

	CHECK(dots, "%s: %s", f->name, text);
	*dots = '\0';
	return dots + 2;
}

/* expect HOW FROM..TO service|image MIN..MAX */
static void read_expect(struct flow *f, char **word, size_t n)
{
	struct expect *x = &f->x[f->n_x++];

	CHECK(n == 5 && f->n_x <= MAX_EXPECTS, "%s: expect", f->name);
	(void) text_copy(x->how, sizeof(x->how), word[1]);
	x->to_us = duration(second_part(f, word[2]));
	x->from_us = duration(word[2]);
	x->image = strcmp(word[3], "image") == 0;
	CHECK(parse_u32(second_part(f, word[4]), &x->max) == 0 && parse_u32(word[4], &x->min) == 0, "%s: expect", f->name);
}

static void read_flow(struct flow *f, const char *path)
{
	FILE *in = fopen(path, "re");
	char line[256];

	CHECK(in, "%s", path);
	f->name = strrchr(path, '/') + 1;
	while (fgets(line, sizeof(line), in)) {
		char *word[12] = { NULL }, *save = NULL;
		size_t n = 0;

		line[strcspn(line, "#\n")] = '\0';
		for (char *w = strtok_r(line, " \t", &save); w && n < 12; w = strtok_r(NULL, " \t", &save))
			word[n++] = w;
		if (!n)
			continue;
		if (strcmp(word[0], "expect") == 0) {
			read_expect(f, word, n);
		} else if (strcmp(word[0], "hold") == 0) {
			f->p.cpu.hold_us = duration(word[1]);
		} else if (strcmp(word[0], "action") == 0) {
			enum pv_action a;

			assert_int_equal(action_parse(word[1], &a), 0);
			f->p.cpu.action = (uint8_t) a;
		} else {
			read_run(f, word, n);
		}
	}
	fclose(in);
}

static struct cgroup_usage usage_at(const struct run *r, uint64_t t)
{
	uint64_t age = t - r->from_us, busy = age;

	if (r->every_us) {
		busy = age / r->every_us * r->busy_us;
		busy += PV_MIN(age % r->every_us, r->busy_us);
	}
	return (struct cgroup_usage){ .cpu_us = busy * r->rate / 10000, .cpu_quota = r->quota, .pressure_us = 0 };
}

static void compare(const struct flow *f, const struct succession_verdict *sv, uint64_t t, size_t *seen, uint64_t phase)
{
	const struct verdict *v = &sv->v;
	const struct expect *x = &f->x[*seen];
	const char *how = v->warning ? "warning" : action_name(v->action);
	pv_autobuf when = PV_BUF_INIT;

	clock_duration(&when, t);
	CHECK(v->id == ID_RUN_CPU && v->chain >= 2 && v->value > v->limit, "%s", f->name);
	CHECK(*seen < f->n_x, "%s (phase %llu ms): unexpected %s after %s: value %llu, %u containers", f->name,
	      (unsigned long long) phase / 1000, how, pv_buf_str(&when), (unsigned long long) v->value, v->chain);
	CHECK_STR(how, x->how, "%s (phase %llu ms) after %s", f->name, (unsigned long long) phase / 1000, pv_buf_str(&when));
	CHECK(t >= x->from_us && t <= x->to_us, "%s (phase %llu ms): %s already or only after %s", f->name,
	      (unsigned long long) phase / 1000, how, pv_buf_str(&when));
	CHECK(!!v->chain_image == x->image, "%s: of the image %d", f->name, v->chain_image);
	CHECK(v->chain >= x->min && v->chain <= x->max, "%s: %u containers", f->name, v->chain);
	++*seen;
}

/* As guard/succession.c does: a second's looks at those that have just begun, all at a sample, then the step. */
static void replay(struct flow *f, uint64_t phase)
{
	const uint64_t base = 1000 * USEC_PER_DAY, second = USEC_PER_SEC;
	struct succession_verdict v[8];
	pv_auto(succession) s = NULL;
	size_t seen = 0;

	assert_int_equal(succession_new(&s), 0);
	for (size_t i = 0; i < f->n; i++) {
		f->runs[i].run = (struct succession_run){ .begin_us = base + f->runs[i].from_us };
		f->runs[i].ended = false;
	}
	for (uint64_t t = phase, k = 0; t <= f->end_us + USEC_PER_MIN; t += second, k++) {
		bool sample = k % (f->p.sample_us / second) == 0;
		size_t n;

		for (size_t i = 0; i < f->n; i++) {
			struct run *r = &f->runs[i];
			struct cgroup_usage u;

			if (t < r->from_us || r->ended)
				continue;
			if (t >= r->from_us + r->life_us) {
				succession_ended(s, &r->info, &r->run);
				r->ended = true;
				continue;
			}
			u = usage_at(r, t);
			if (sample || succession_wants(&r->run, &f->p, base + t))
				succession_look(s, &f->p, &r->info, &r->run, &u, base + t);
		}
		n = sample ? succession_step(s, &f->p, base + t, v, N_ELEMENTS(v)) : 0;
		for (size_t i = 0; i < n; i++) {
			compare(f, &v[i], t, &seen, phase);
		}
	}
	CHECK(seen == f->n_x, "%s (phase %llu ms): %s never came", f->name, (unsigned long long) phase / 1000, f->x[seen].how);
}

static void defaults(struct policy *p)
{
	*p = (struct policy){ .sample_us = 5 * USEC_PER_SEC };
	p->cpu.limit = 8000;
	p->cpu.hold_us = 5 * USEC_PER_MIN;
	p->cpu.action = ACTION_KILL;
}

static void test_flows(void **state)
{
	const char *source = getenv("PV_TEST_SOURCE");
	struct flow *f = calloc(1, sizeof(*f));
	char pattern[512];
	glob_t files;

	(void) state;
	snprintf(pattern, sizeof(pattern), "%s/flow/*.chain", source ? source : "test");
	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	CHECK(files.gl_pathc >= 8, "only %zu flows", files.gl_pathc);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		memset(f, 0, sizeof(*f));
		defaults(&f->p);
		read_flow(f, files.gl_pathv[i]);
		for (uint64_t phase = 0; phase < 5; phase++)
			replay(f, phase * 1100 * USEC_PER_MSEC);
	}
	globfree(&files);
	free(f);
}

/* More groups and runs than are remembered, counters and clocks that jump: bounded, and no verdict of nothing. */
static void test_many(void **state)
{
	struct succession_verdict v[4];
	pv_auto(succession) s = NULL;
	struct policy p;
	uint64_t now = 1000 * USEC_PER_DAY;

	(void) state;
	defaults(&p);
	assert_int_equal(succession_new(&s), 0);
	for (unsigned i = 0; i < 20000; i++) {
		struct container_info info = { 0 };
		struct succession_run run = { .begin_us = now };
		struct cgroup_usage u = { .cpu_us = i % 7 ? i % 5 * USEC_PER_SEC : UINT64_MAX - i,
					  .pressure_us = i % 3 ? UINT64_MAX : i };

		(void) snprintf(info.id, sizeof(info.id), "%u", i);
		(void) snprintf(info.image_id, sizeof(info.image_id), "sha256:%u", i % 500);
		now += i % 11 ? USEC_PER_SEC : 0;
		succession_look(s, &p, &info, &run, &u, i % 13 ? now : now - USEC_PER_DAY);
		u.cpu_us /= 2;
		succession_look(s, &p, &info, &run, &u, now + 1);
		succession_ended(s, &info, &run);
		if (i % 50 == 0)
			assert_int_equal(succession_step(s, &p, now, v, N_ELEMENTS(v)), 0);
	}
	now += 2 * USEC_PER_DAY;
	assert_int_equal(succession_step(s, &p, now, v, N_ELEMENTS(v)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("succession", tests, NULL, NULL);
}
