#include <string.h>

#include "detect/entry.h"
#include "engine_api/answer.h"

#include "check.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LINE(s) s, sizeof(s) /* its last word has a NUL behind it, too */
#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

static struct container_info inspected(const char *path_args, const char *config)
{
	struct container_info c = { 0 };
	char json[4096];
	int n = snprintf(json, sizeof(json), "{\"Id\":\"" ID_A "\",\"Name\":\"/x\",%s,\"Config\":{%s}}", path_args, config);

	CHECK(n > 0 && n < (int) sizeof(json) && answer_inspect(json, (size_t) n, NULL, 0, ENGINE_DOCKER, &c) == 0, "%s", json);
	return c;
}

static void test_own(void **state)
{
	struct container_info c = inspected("\"Path\":\"dotenv\",\"Args\":[\"--\",\"sh\",\"-c\",\"node migrate && node server\"]", "");

	(void) state;
	assert_true(entry_is_own(&c, LINE("sh\0-c\0node migrate && node server"), false));
	assert_false(entry_is_own(&c, LINE("sh\0-c\0node migrate && node server; id"), false));
	assert_false(entry_is_own(&c, LINE("sh\0-c\0node migrate"), false));
	assert_false(entry_is_own(&c, LINE("bash\0-c\0node migrate && node server"), false));
	assert_false(entry_is_own(&c, "", 0, false));
	c = inspected("\"Path\":\"python3\",\"Args\":[\"/wrap.py\",\"/docker-entrypoint.sh\",\"gunicorn\"]", "");
	assert_true(entry_is_own(&c, LINE("/bin/sh\0-e\0/docker-entrypoint.sh\0gunicorn"), true));
	assert_true(entry_is_own(&c, LINE("/bin/bash\0/docker-entrypoint.sh\0gunicorn"), true));
	assert_false(entry_is_own(&c, LINE("/bin/bash\0/docker-entrypoint.sh\0gunicorn"), false));
}

/* What a shell runs that was given nothing stands nowhere: it is not the container's command, whatever that is. */
static void test_bare_shell(void **state)
{
	struct container_info c = inspected("\"Path\":\"tini\",\"Args\":[\"--\",\"bash\"]", "");

	(void) state;
	assert_false(entry_is_own(&c, LINE("bash"), false));
	c = inspected("\"Path\":\"bash\",\"Args\":[\"-i\"]", "");
	assert_false(entry_is_own(&c, LINE("bash\0-i"), false));
}

/* The kernel tells 256 octets of a line; what is longer is compared as far as that. */
static void test_long(void **state)
{
	static const char line[] = "sh\0-c\0" LONG LONG LONG;
	struct container_info c = inspected("\"Path\":\"sh\",\"Args\":[\"-c\",\"" LONG LONG LONG "\"]", ""), none = { 0 };

	(void) state;
	assert_true(entry_is_own(&c, line, PV_EXEC_ARGV, false));
	assert_false(entry_is_own(&c, line, PV_EXEC_ARGV - 1, false));
	assert_false(entry_is_own(&none, line, PV_EXEC_ARGV, false));
	c = inspected("\"Path\":7,\"Args\":{\"a\":[]}", "\"Healthcheck\":{\"Test\":{}}");
	assert_false(entry_is_own(&c, line, PV_EXEC_ARGV, false));
}

static void test_health(void **state)
{
	struct container_info c = inspected("\"Path\":\"node\"", "\"Healthcheck\":{\"Test\":[\"CMD\",\"node\",\"hc.js\"]}"), none = { 0 };

	(void) state;
	assert_true(entry_is_health(&c, LINE("node\0hc.js")));
	assert_false(entry_is_health(&c, LINE("node\0hc.js\0x")));
	assert_false(entry_is_health(&c, LINE("node")));
	c = inspected("\"Path\":\"node\"", "\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"curl -f http://127.0.0.1/ || exit 1\"]}");
	assert_true(entry_is_health(&c, LINE("/bin/sh\0-c\0curl -f http://127.0.0.1/ || exit 1")));
	assert_true(entry_is_health(&c, LINE("sh\0-c\0curl -f http://127.0.0.1/ || exit 1")));
	assert_false(entry_is_health(&c, LINE("sh\0-c\0curl -f http://203.0.113.9/ || exit 1")));
	c = inspected("\"Path\":\"node\"", "\"Shell\":[\"/bin/bash\",\"-c\"],\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"id\"]}");
	assert_true(entry_is_health(&c, LINE("/bin/bash\0-c\0id")));
	c = inspected("\"Path\":\"node\"", "\"Healthcheck\":{\"Test\":[\"NONE\"]}");
	assert_false(entry_is_health(&c, LINE("NONE")));
	assert_false(entry_is_health(&c, "", 0));
	assert_false(entry_is_health(&none, LINE("sh\0-c\0id")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_bare_shell),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_health),
	};

	return cmocka_run_group_tests_name("entry", tests, NULL, NULL);
}
