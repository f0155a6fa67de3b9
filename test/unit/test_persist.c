#include <string.h>

#include "base/util.h"
#include "check.h"
#include "detect/lines.h"
#include "model/persist.h"

static const uint8_t key[LINES_KEY] = { 1, 2, 3 };

static void keep(const char *line, size_t len, void *arg)
{
	(void) strncat(arg, line, len);
	(void) strcat(arg, "|");
}

static void test_lines(void **state)
{
	static const struct {
		const char *before, *after, *added;
		size_t gone;
	} cases[] = {
		{ "", "", "", 0 },
		{ "", "a\nb", "a|b|", 0 },
		{ "a\nb\n", "b\r\n  a\t\n", "", 0 }, /* order, blanks, ends of lines */
		{ "a\nb\n", "a\n", "", 1 },
		{ "a\n", "a\nA\n", "A|", 0 },
		{ "a\n", "# a comment\n\n   \na\n", "", 0 },
		{ "a\n", "#!/bin/sh\na\n", "#!/bin/sh|", 0 },
		{ "a\na\n", "a\n", "", 0 },
		{ "x\n", "y\n", "y|", 1 },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct lines before, after;
		char added[100] = "";

		assert_int_equal(lines_of(key, cases[i].before, strlen(cases[i].before), &before), 0);
		assert_int_equal(lines_of(key, cases[i].after, strlen(cases[i].after), &after), 0);
		(void) lines_added(key, &before, cases[i].after, strlen(cases[i].after), keep, added);
		CHECK_STR(added, cases[i].added, "case %zu", i);
		CHECK(lines_gone(&before, &after) == cases[i].gone, "case %zu: gone", i);
		lines_done(&before);
		lines_done(&after);
	}
}

static bool takes(const char *folder, const char *name)
{
	bool any = false;

	for (size_t i = 0; i < persist_n_places; i++)
		any |= strcmp(persist_places[i].folder, folder) == 0 && persist_takes(&persist_places[i], name);
	return any;
}

static void test_places(void **state)
{
	static const struct {
		const char *folder, *name;
		bool yes;
	} cases[] = {
		{ "/etc", "crontab", true },
		{ "/etc", "ld.so.preload", true },
		{ "/etc", "passwd", false },
		{ "/etc", "crontab~", false },
		{ "/etc/cron.d", "x", true },
		{ "/etc/cron.d", ".x", false },
		{ "/etc/cron.d", "x.dpkg-new", false },
		{ "/etc/cron.d", "a/b", false },
		{ "/etc/cron.d", "..", false },
		{ "/etc/cron.d", "", false },
		{ "/root", ".bashrc", true },
		{ "/root", ".bash_history", false },
		{ "/root", ".bashrc.swp", false },
		{ "/root/.ssh", "authorized_keys", true },
		{ "/root/.ssh", "id_ed25519", false },
		{ "/etc/systemd/system", "a.service", true },
		{ "/etc/systemd/system", "a.target", false },
		{ "/home/*", ".profile", true },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		CHECK(takes(cases[i].folder, cases[i].name) == cases[i].yes, "%s/%s", cases[i].folder, cases[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines), cmocka_unit_test(test_places) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
