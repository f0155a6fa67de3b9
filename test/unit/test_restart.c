#include "check.h"
#include "launcher/restart.h"

#define SEC ((uint64_t) 1000000)

/* It lives `lived` seconds, dies, and is started after the pause that was given. */
static void test_pauses(void **state)
{
	static const struct {
		uint64_t lived, pause;
		bool dying;
	} cases[] = {
		{ 5, 0, false }, { 1, 1, false }, { 1, 2, true }, { 1, 4, false }, { 1, 8, false }, { 1, 16, false },
		{ 1, 32, false }, { 1, 60, false }, { 1, 60, false }, { 59, 60, false },
		{ 60, 0, false }, { 1, 1, false }, { 1, 2, true }, /* a minute of health: from the beginning, told again */
		{ 3600, 0, false }, { 58, 1, false }, { 58, 2, false }, /* three deaths, but not within a minute */
	};
	struct restart r = { 0 };
	uint64_t now = 1000 * SEC;
	bool dying;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		uint64_t pause;

		restart_started(&r, now);
		now += cases[i].lived * SEC;
		pause = restart_died(&r, now, &dying);
		CHECK(pause == cases[i].pause * SEC, "death %zu: %d s", i, (int) (pause / SEC));
		CHECK(dying == cases[i].dying, "death %zu", i);
		now += pause;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pauses) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
