#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "detect/burst.h"
#include "detect/respawn.h"

#include "check.h"

#define IMAGE_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define IMAGE_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

#define WALL ((uint64_t) 1795297912000000)

static struct container_info container(unsigned n, const char *image_id, const char *project, const char *service)
{
	struct container_info c = { .engine = ENGINE_DOCKER };

	snprintf(c.id, sizeof(c.id), "%016x%048u", n, 0);
	(void) text_copy(c.image_id, sizeof(c.image_id), image_id);
	(void) text_copy(c.project, sizeof(c.project), project);
	(void) text_copy(c.service, sizeof(c.service), service);
	return c;
}

static const struct verdict load = { .id = ID_RUN_CPU };

/* Looks, and does what it says. */
static enum respawn_answer seen(struct respawn *r, const struct container_info *c, uint64_t now_us, unsigned *ret_times)
{
	struct verdict v = { .id = ID_RUN_RESPAWN, .now_us = now_us };
	enum respawn_answer back = respawn_seen(r, c, &v);

	if (back != RESPAWN_NO)
		respawn_count(r, c, now_us);
	if (ret_times)
		*ret_times = (unsigned) v.value;
	return back;
}

/* A twin of the same image that was there before: dockerd starts it again, and it lives. */
static void test_older_twin(void **state)
{
	struct container_info miner = container(1, "sha256:aa", "", ""), twin = container(2, "sha256:aa", "", "");
	struct respawn *r;

	(void) state;
	assert_int_equal(respawn_new(&r), 0);
	respawn_killed(r, &miner, &load, 5, WALL);
	twin.created_us = WALL - 1;
	assert_int_equal(seen(r, &twin, 6, NULL), RESPAWN_NO);
	twin.created_us = WALL + 1;
	assert_int_equal(seen(r, &twin, 6, NULL), RESPAWN_KILL);
	respawn_free(r);
}

/* Undo knows an id only: of the container it names, whichever of them it was, or of the Swarm service. */
static void test_forget_by_id(void **state)
{
	struct container_info first = container(1, IMAGE_A, "", ""), second = container(2, IMAGE_A, "", ""), third = second;
	struct container_info id = { 0 }, service = { 0 };
	struct respawn *r;

	(void) state;
	third.id[15] = '7';
	(void) text_copy(first.service_id, sizeof(first.service_id), "abcdefghijklmnopqrstuvwxy");
	(void) text_copy(id.id, sizeof(id.id), second.id);
	(void) text_copy(service.service_id, sizeof(service.service_id), first.service_id);
	assert_int_equal(respawn_new(&r), 0);
	for (int by_service = 0; by_service < 2; by_service++) {
		respawn_killed(r, &first, &load, 5, WALL);
		assert_int_equal(seen(r, &second, 6, NULL), RESPAWN_KILL);
		respawn_forget(r, by_service ? &service : &id);
		assert_int_equal(seen(r, &second, 7, NULL), RESPAWN_NO);
		assert_int_equal(seen(r, &third, 8, NULL), RESPAWN_NO);
	}
	respawn_free(r);
}

static void test_who(void **state)
{
	static const struct {
		const char *killed[3], *seen[3]; /* image, project, service */
		enum respawn_answer want;
	} cases[] = {
		{ { IMAGE_A, "", "" }, { IMAGE_A, "", "" }, RESPAWN_KILL },
		{ { IMAGE_A, "", "" }, { IMAGE_B, "", "" }, RESPAWN_NO },
		{ { IMAGE_A, "shop", "web" }, { IMAGE_B, "shop", "web" }, RESPAWN_KILL }, /* built anew */
		{ { IMAGE_A, "shop", "web" }, { IMAGE_A, "", "" }, RESPAWN_KILL },
		{ { IMAGE_A, "", "" }, { IMAGE_A, "shop", "web" }, RESPAWN_KILL },
		{ { IMAGE_A, "shop", "db" }, { IMAGE_A, "blog", "db" }, RESPAWN_NO }, /* another's database */
		{ { IMAGE_A, "shop", "web" }, { IMAGE_A, "shop", "db" }, RESPAWN_NO },
		{ { "", "", "" }, { "", "", "" }, RESPAWN_NO },
		{ { "", "shop", "web" }, { "", "shop", "web" }, RESPAWN_KILL },
		{ { "", "", "web" }, { "", "", "web" }, RESPAWN_KILL }, /* a Swarm service without a stack */
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct container_info a = container(1, cases[i].killed[0], cases[i].killed[1], cases[i].killed[2]);
		struct container_info b = container(2, cases[i].seen[0], cases[i].seen[1], cases[i].seen[2]);
		pv_auto(respawn) r = NULL;
		enum respawn_answer got;

		assert_int_equal(respawn_new(&r), 0);
		CHECK(seen(r, &b, 1, NULL) == RESPAWN_NO, "case %zu: before any kill", i);
		respawn_killed(r, &a, &load, 1, WALL);
		CHECK(seen(r, &a, 2, NULL) == RESPAWN_NO, "case %zu: the same id, started by hand", i);
		got = seen(r, &b, 2, NULL);
		CHECK(got == cases[i].want, "case %zu: %d", i, got);
	}
}

/* Killed on sight five times, then told once; each kill holds the memory for ten more minutes. */
static void test_five_times(void **state)
{
	struct container_info first = container(100, IMAGE_A, "", "");
	pv_auto(respawn) r = NULL;
	uint64_t now = USEC_PER_HOUR;
	unsigned times = 0;

	(void) state;
	assert_int_equal(respawn_new(&r), 0);
	respawn_killed(r, &first, &load, now, WALL);
	for (unsigned i = 1; i <= RESPAWN_KILLS; i++) {
		struct container_info c = container(100 + i, IMAGE_A, "", "");

		now += RESPAWN_WINDOW_US - 1;
		assert_int_equal(seen(r, &c, now, &times), RESPAWN_KILL);
		assert_int_equal(times, i);
		assert_int_equal(seen(r, &c, now, &times), RESPAWN_KILL); /* asked again: counts nothing */
		assert_int_equal(times, i);
		respawn_killed(r, &c, &load, now, WALL);
	}
	first = container(200, IMAGE_A, "", "");
	assert_int_equal(seen(r, &first, now + 1, &times), RESPAWN_GIVE_UP);
	assert_int_equal(times, RESPAWN_KILLS + 1);
	assert_int_equal(seen(r, &first, now + 2, &times), RESPAWN_NO);
	first = container(201, IMAGE_A, "", "");
	assert_int_equal(seen(r, &first, now + 3, &times), RESPAWN_NO);
}

/* What is only looked at is not counted, and what it was ended for comes back with it, also from the store. */
static void test_cause(void **state)
{
	static const struct verdict causes[] = { { .id = ID_RUN_MEMORY }, { .id = ID_RUN_CPU, .chain = 3 } };
	struct container_info a = container(1, IMAGE_A, "", "");

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(causes); i++) {
		pv_auto(respawn) r = NULL;
		pv_autobuf text = PV_BUF_INIT;
		struct verdict v = { .id = ID_RUN_RESPAWN, .now_us = 6 };

		assert_int_equal(respawn_new(&r), 0);
		respawn_killed(r, &a, &causes[i], 5, WALL);
		for (unsigned k = 2; k < 20; k++) {
			struct container_info b = container(k, IMAGE_A, "", "");

			v.value = 99;
			assert_int_equal(respawn_seen(r, &b, &v), RESPAWN_KILL);
			assert_int_equal(v.value, 1);
			assert_int_equal(v.cause, causes[i].id);
			assert_int_equal(v.cause_chain, causes[i].chain != 0);
		}
		respawn_killed(r, &a, &v, 7, WALL); /* a return that was killed leaves the cause as it is */
		respawn_json(r, 7, WALL, &text);
		assert_int_equal(respawn_from_json(r, pv_buf_str(&text), 7, WALL), 0);
		v = (struct verdict){ .id = ID_RUN_RESPAWN, .now_us = 8 };
		a.id[15] = '2';
		assert_int_equal(respawn_seen(r, &a, &v), RESPAWN_KILL);
		assert_int_equal(v.cause, causes[i].id);
		assert_int_equal(v.cause_chain, causes[i].chain != 0);
		a.id[15] = '1';
	}
}

static void test_forgetting(void **state)
{
	struct container_info a = container(1, IMAGE_A, "", ""), b = container(2, IMAGE_A, "", "");
	pv_auto(respawn) r = NULL;

	(void) state;
	assert_int_equal(respawn_new(&r), 0);
	respawn_killed(r, &a, &load, 5, WALL);
	assert_int_equal(seen(r, &b, 5 + RESPAWN_WINDOW_US + 1, NULL), RESPAWN_NO); /* after ten minutes */
	respawn_killed(r, &a, &load, 5, WALL);
	assert_int_equal(seen(r, &b, 1, NULL), RESPAWN_KILL); /* a clock that went back forgets nothing */
	respawn_forget(r, &b);
	assert_int_equal(seen(r, &b, 6, NULL), RESPAWN_NO);
	/* 64 are remembered, the oldest goes first */
	for (unsigned i = 0; i <= RESPAWN_SLOTS; i++) {
		char image[80];

		snprintf(image, sizeof(image), "sha256:%064u", i);
		a = container(1000 + i, image, "", "");
		respawn_killed(r, &a, &load, 100 + i, WALL);
	}
	b = container(1, "sha256:0000000000000000000000000000000000000000000000000000000000000000", "", "");
	assert_int_equal(seen(r, &b, 300, NULL), RESPAWN_NO);
	b = container(1, "sha256:0000000000000000000000000000000000000000000000000000000000000001", "", "");
	assert_int_equal(seen(r, &b, 300, NULL), RESPAWN_KILL);
}

/* ---- burst ---- */

static uint64_t handed, last_row;

static void on_changed(const struct burst_told *t, void *arg)
{
	(void) arg;
	handed += t->count;
	last_row = t->row;
}

/* Steps as the engine does; returns whether it was told. */
static bool step(struct burst *b, uint64_t key, uint64_t now)
{
	struct burst_told *t;

	if (burst_step(b, key, now, 1, &t) == BURST_COUNT) {
		t->count++;
		return false;
	}
	*t = (struct burst_told){ .row = key, .count = 1 };
	return true;
}

static void test_burst_window(void **state)
{
	static const struct {
		uint64_t at_s;
		bool told;
	} cases[] = {
		{ 0, true },	   { 1, false },	{ 59, false },	 { 60, true },	  { 61, false },
		{ 1000, false },   { 3659, false },	{ 3660, true },	 { 3661, false }, { 7000, false },
		{ 7259, false },   { 7261, true },	{ 10900, true }, /* an hour of quiet: new again */
		{ 10959, false },  { 10960, true },	{ 10000, false }, /* the clock went back */
	};
	pv_auto(burst) b = NULL;

	(void) state;
	assert_int_equal(burst_new(&b), 0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		CHECK(step(b, 7, USEC_PER_DAY + cases[i].at_s * USEC_PER_SEC) == cases[i].told, "second %llu",
		      (unsigned long long) cases[i].at_s);
	assert_true(step(b, 8, USEC_PER_DAY)); /* another key is another notice */
	assert_int_equal(burst_events(b), N_ELEMENTS(cases) + 1);
}

/* 100,000 events within a minute: one notice, and its count is right. */
static void test_burst_flush(void **state)
{
	pv_auto(burst) b = NULL;
	uint64_t now = USEC_PER_HOUR;
	size_t told = 0, flushes = 0;

	(void) state;
	handed = 0;
	assert_int_equal(burst_new(&b), 0);
	for (int i = 0; i < 100000; i++, now += 500) {
		uint64_t before = handed;

		told += step(b, 42, now);
		handed = 0;
		if (burst_flush(b, now, on_changed, NULL))
			flushes++;
		else
			handed = before;
	}
	burst_flush_all(b, on_changed, NULL);
	assert_int_equal(told, 1);
	CHECK(flushes >= 45 && flushes <= 51, "%zu flushes in 50 seconds", flushes);
	handed = 0;
	assert_false(step(b, 42, now));
	assert_int_equal(burst_flush_all(b, on_changed, NULL), 1);
	assert_int_equal(handed, 100001);
	assert_int_equal(burst_flush_all(b, on_changed, NULL), 0); /* nothing changed since */
	assert_int_equal(burst_flush(b, now + USEC_PER_HOUR, on_changed, NULL), 0);
}

/* Written down and read again, by another process, hours of CLOCK_MONOTONIC earlier (a reboot), by a clock that was set. */
static void test_kept(void **state)
{
	struct container_info first = container(1, IMAGE_A, "shop \"x\"\n", "web"), next = first, other = container(9, IMAGE_B, "", "");
	static const char *const bad[] = { "", "{}", "[1]", "[[]]", "[[\"a\",\"b\",\"c\",\"d\",\"e\",1,2,0,[\"zz\"]]]",
		"[[\"a\",\"b\",\"c\",\"d\",\"e\",-1,2,0,[]]]", "[[\"a\",\"b\",\"c\",\"d\",\"e\",1,2,0,[" "\"0000000000000001\"" "]],7]" };
	pv_autobuf text = PV_BUF_INIT;
	pv_auto(respawn) a = NULL;
	pv_auto(respawn) b = NULL;
	const uint64_t now = 7200000000, minute = 60000000;
	unsigned times = 0;

	(void) state;
	assert_int_equal(respawn_new(&a), 0);
	assert_int_equal(respawn_new(&b), 0);
	respawn_killed(a, &other, &load, now - 11 * minute, WALL); /* too old to be kept */
	respawn_killed(a, &first, &load, now, WALL);
	next.id[15] = '2';
	assert_int_equal(seen(a, &next, now, &times), RESPAWN_KILL);
	respawn_json(a, now + minute, WALL + minute, &text);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		CHECK(respawn_from_json(b, bad[i], 5, WALL) == -EINVAL, "%s", bad[i]);
	assert_int_equal(respawn_from_json(b, pv_buf_str(&text), 5 * minute, WALL + 3 * minute), 0);
	assert_int_equal(seen(b, &first, 5 * minute, NULL), RESPAWN_NO); /* the killed one itself, started by hand */
	assert_int_equal(seen(b, &next, 5 * minute, &times), RESPAWN_KILL);
	assert_int_equal(times, 1); /* counted before */
	next.id[15] = '3';
	assert_int_equal(seen(b, &next, 5 * minute, &times), RESPAWN_KILL);
	assert_int_equal(times, 2);
	assert_int_equal(respawn_from_json(b, pv_buf_str(&text), 5 * minute, WALL + 12 * minute), 0);
	assert_int_equal(seen(b, &next, 5 * minute, NULL), RESPAWN_NO); /* ten minutes are over */
	assert_int_equal(respawn_from_json(b, pv_buf_str(&text), minute, WALL - 60 * minute), 0); /* the clock went back */
	assert_int_equal(seen(b, &next, minute, NULL), RESPAWN_KILL);
	assert_int_equal(respawn_from_json(b, pv_buf_str(&text), minute, WALL), 0);
	assert_int_equal(seen(b, &next, 12 * minute, NULL), RESPAWN_NO);
}

/* A row of an engine that did not keep what for. */
static void test_kept_old(void **state)
{
	struct container_info next = container(2, IMAGE_A, "", "");
	struct verdict v = { .cause = ID_N, .now_us = 5 };
	pv_auto(respawn) r = NULL;

	(void) state;
	assert_int_equal(respawn_new(&r), 0);
	assert_int_equal(respawn_from_json(r, "[[\"a\",\"" IMAGE_A "\",\"\",\"\",\"\",1,2,0,[]]]", 5, 3), 0);
	assert_int_equal(respawn_seen(r, &next, &v), RESPAWN_KILL);
	assert_true(v.cause == ID_RUN_CPU && !v.cause_chain);
	assert_int_equal(respawn_from_json(r, "[[\"a\",\"b\",\"c\",\"d\",\"e\",1,2,0,[],\"run.x\",0]]", 5, 3), -EINVAL);
	assert_int_equal(respawn_from_json(r, "[[\"a\",\"b\",\"c\",\"d\",\"e\",1,2,0,[],\"run.cpu\"]]", 5, 3), -EINVAL);
}

/* More keys than slots: the one quiet for longest goes, and its count is handed over first. */
static void test_burst_eviction(void **state)
{
	pv_auto(burst) b = NULL;

	(void) state;
	handed = 0;
	assert_int_equal(burst_new(&b), 0);
	burst_on_evicted(b, on_changed, NULL);
	for (uint64_t k = 0; k < BURST_SLOTS; k++)
		assert_true(step(b, k, 1000 + k));
	assert_false(step(b, 1, 3000)); /* now 0 is the oldest, then 2 */
	assert_false(step(b, 0, 3001));
	assert_int_equal(burst_evicted(b), 0);
	assert_true(step(b, 5000, 3002)); /* takes the place of 2, whose count is stored */
	assert_int_equal(burst_evicted(b), 1);
	assert_int_equal(handed, 0);
	assert_false(step(b, 0, 3003));
	assert_false(step(b, 1, 3004));
	assert_true(step(b, 2, 3005)); /* takes that of 3 */
	for (uint64_t k = 10000; k < 10000 + BURST_SLOTS; k++)
		assert_true(step(b, k, 4000 + k));
	assert_int_equal(burst_evicted(b), 2 + BURST_SLOTS);
	assert_int_equal(handed, 3 + 3); /* of 1 and 0, the only ones that had risen */
	for (uint64_t k = 0; k < 100000; k++) /* a flood of keys stays in its slots */
		(void) step(b, k * 0x9e3779b97f4a7c15ULL, 20000 + k);
	assert_int_equal(burst_flush_all(b, on_changed, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_older_twin), cmocka_unit_test(test_kept), cmocka_unit_test(test_kept_old), cmocka_unit_test(test_who), cmocka_unit_test(test_forget_by_id),	     cmocka_unit_test(test_five_times),	 cmocka_unit_test(test_cause),
		cmocka_unit_test(test_forgetting),	     cmocka_unit_test(test_burst_window), cmocka_unit_test(test_burst_flush),
		cmocka_unit_test(test_burst_eviction),
	};

	return cmocka_run_group_tests_name("respawn", tests, NULL, NULL);
}
