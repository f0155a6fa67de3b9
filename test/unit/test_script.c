#include "base/util.h"
#include "check.h"
#include "detect/script.h"

static const struct {
	const char *argv; /* blanks between arguments, ~ for a blank within one */
	const char *folder, *path; /* path NULL: no script, or not of a temporary folder */
	bool open;
} cases[] = {
	{ "sh /tmp/x", "", "/tmp/x", false },
	{ "bash /tmp/x arg", "", "/tmp/x", false },
	{ "python3 /var/tmp/a.py", "", "/var/tmp/a.py", false },
	{ "perl /dev/shm/x", "", "/dev/shm/x", false },
	{ "/bin/sh -x -- /run/shm/x", "", "/run/shm/x", false },
	{ "sh //tmp/./x", "", "/tmp/x", false },
	{ "sh /var/../tmp/a/../x", "", "/tmp/x", false },
	{ "sh /../../tmp/x", "", "/tmp/x", false },
	{ "sh /proc/1/root/tmp/x", "", "/tmp/x", false },
	{ "sh /proc/self/root/proc/1/root/tmp/x", "", "/tmp/x", false },
	{ "sh ../tmp/x", "/app", "/tmp/x", false },
	{ "sh ./x", "/tmp/a", "/tmp/a/x", false },
	{ "sh tmp/x", "/", "/tmp/x", false },
	{ "sh x", "/app/uploads", "/app/uploads/x", true },
	{ "sh a/../x", "/app/uploads", "/app/uploads/x", true },
	{ "sh x", "/app/uploads", NULL, false },
	{ "sh ../x", "/app/uploads", NULL, true },
	{ "sh x", "", NULL, true },
	{ "sh tmp/x", "/app", NULL, false },
	{ "sh /app/tmp/x", "", NULL, true },
	{ "sh /tmpfs/x", "", NULL, false },
	{ "sh /tmp/../opt/x", "", NULL, false },
	{ "sh /tmp", "", NULL, false },
	{ "sh -c /tmp/x", "/tmp", NULL, true },
	{ "bash -lc /tmp/x", "/tmp", NULL, true },
	{ "/bin/sh -e /tmp/x", "", "/tmp/x", false },
	{ "bash -xe /tmp/x", "", "/tmp/x", false },
	{ "node -p x /tmp/x", "/tmp", NULL, true },
	{ "node -r /tmp/x app.js", "/app", "/tmp/x", false },
	{ "perl -w /tmp/x", "", "/tmp/x", false },
	{ "perl -e print /tmp/x", "/tmp", NULL, true },
	{ "python3 -m http.server", "/tmp", NULL, true },
	{ "node /app/server.js /tmp/x", "", NULL, false },
	{ "sh", "/tmp", NULL, true },
	{ "sh -", "/tmp", NULL, true },
	{ "", "/tmp", NULL, true },
};

static void test_scripts(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char argv[200], path[64] = "";
		size_t len = strlen(cases[i].argv);
		bool got;

		memcpy(argv, cases[i].argv, len + 1);
		for (size_t k = 0; k < len; k++)
			argv[k] = argv[k] == ' ' ? '\0' : argv[k] == '~' ? ' ' : argv[k];
		got = script_is_temporary(argv, len, cases[i].folder, cases[i].open, path, sizeof(path));
		CHECK(got == !!cases[i].path && (!got || strcmp(path, cases[i].path) == 0), "%s in %s: %s", cases[i].argv, cases[i].folder,
		      got ? path : "none");
	}
}

/* What does not fit is cut at a part's end, and a folder that does not fit decides nothing. */
static void test_room(void **state)
{
	static const char line[] = "sh\0/tmp/0123456789/x";
	char path[12];

	(void) state;
	CHECK(script_is_temporary(line, sizeof(line) - 1, "", false, path, sizeof(path)) == false, "only the folder fits");
	CHECK(strcmp(path, "/tmp") == 0, "%s", path);
	CHECK(!script_is_temporary("sh\0x", 4, "/app/0123456789", true, path, sizeof(path)), "a folder that does not fit");
	CHECK(!script_is_temporary("sh\0/tmp/x", 9, "", false, path, 0), "no room at all");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_scripts), cmocka_unit_test(test_room) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
