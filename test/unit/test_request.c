#include "check.h"
#include "engine_api/request.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SERVICE "abcdefghij0123456789abcde"

static void test_ids(void **state)
{
	static const struct {
		enum api_id_kind kind;
		const char *id;
		bool valid;
	} cases[] = {
		{ API_ID_NONE, "", true },
		{ API_ID_NONE, NULL, true },
		{ API_ID_NONE, "x", false },
		{ API_ID_CONTAINER, HEX64, true },
		{ API_ID_CONTAINER, HEX64 "0", false },
		{ API_ID_CONTAINER, "0123456789ab", false },
		{ API_ID_CONTAINER, "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", false },
		{ API_ID_CONTAINER, "../../../../containers/0123456789abcdef0123456789abcdef/kill?aaa", false },
		{ API_ID_CONTAINER, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n", false },
		{ API_ID_CONTAINER, "", false },
		{ API_ID_CONTAINER, NULL, false },
		{ API_ID_IMAGE, "sha256:" HEX64, true },
		{ API_ID_IMAGE, HEX64, false },
		{ API_ID_IMAGE, "sha512:" HEX64, false },
		{ API_ID_SERVICE, SERVICE, true },
		{ API_ID_SERVICE, SERVICE "f", false },
		{ API_ID_SERVICE, "abcdefghij0123456789abcd", false },
		{ API_ID_SERVICE, "abcdefghij0123456789abc/.", false },
		{ API_ID_SERVICE, "ABCDEFGHIJ0123456789abcde", false },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		CHECK(api_id_valid(cases[i].kind, cases[i].id) == cases[i].valid, "case %zu: %s", i,
		      cases[i].id ? cases[i].id : "(null)");
}

static void test_format(void **state)
{
	static const struct {
		enum api_request what;
		const char *id;
		uint32_t number;
		int r;
		const char *first, *body;
	} cases[] = {
		{ API_VERSION, "", 0, 0, "GET /version HTTP/1.1\r\n", "" },
		{ API_LIST, "", 0, 0, "GET /containers/json?all=1 HTTP/1.1\r\n", "" },
		{ API_INSPECT, HEX64, 0, 0, "GET /containers/" HEX64 "/json HTTP/1.1\r\n", "" },
		{ API_IMAGE, "sha256:" HEX64, 0, 0, "GET /images/sha256:" HEX64 "/json HTTP/1.1\r\n", "" },
		{ API_EVENTS, "", 0, 0,
		  "GET /events?filters=%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D HTTP/1.1\r\n", "" },
		{ API_SERVICE, SERVICE, 0, 0, "GET /services/" SERVICE " HTTP/1.1\r\n", "" },
		{ API_KILL, HEX64, 0, 0, "POST /containers/" HEX64 "/kill HTTP/1.1\r\n", "" },
		{ API_STOP, HEX64, 0, 0, "POST /containers/" HEX64 "/stop?t=5 HTTP/1.1\r\n", "" },
		{ API_RESTART_NO, HEX64, 0, 0, "POST /containers/" HEX64 "/update HTTP/1.1\r\n",
		  "{\"RestartPolicy\":{\"Name\":\"no\"}}" },
		{ API_RESTART_ON_FAILURE, HEX64, 7, 0, "POST /containers/" HEX64 "/update HTTP/1.1\r\n",
		  "{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":7}}" },
		{ API_LIMIT_PIDS, HEX64, 100, 0, "POST /containers/" HEX64 "/update HTTP/1.1\r\n", "{\"PidsLimit\":100}" },
		{ API_LIMIT_MEMORY, HEX64, 512, 0, "POST /containers/" HEX64 "/update HTTP/1.1\r\n",
		  "{\"Memory\":536870912,\"MemorySwap\":536870912}" },
		{ API_LIMIT_CPU, HEX64, 1500, 0, "POST /containers/" HEX64 "/update HTTP/1.1\r\n", "{\"NanoCpus\":1500000000}" },
		{ API_CHANGES, HEX64, 0, 0, "GET /containers/" HEX64 "/changes HTTP/1.1\r\n", "" },
		{ API_FOLLOW, HEX64, 1795287600, 0,
		  "GET /containers/" HEX64 "/logs?follow=1&stdout=1&stderr=1&timestamps=1&since=1795287600 HTTP/1.1\r\n", "" },
		{ API_FOLLOW, "", 0, -EINVAL, NULL, NULL },
		{ API_KILL, "", 0, -EINVAL, NULL, NULL },
		{ API_KILL, SERVICE, 0, -EINVAL, NULL, NULL },
		{ API_LIST, HEX64, 0, -EINVAL, NULL, NULL },
		{ API_N_REQUESTS, "", 0, -EINVAL, NULL, NULL },
		{ (enum api_request) -1, "", 0, -EINVAL, NULL, NULL },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_autobuf out = PV_BUF_INIT;
		char length[64];
		const char *text, *end;

		CHECK(api_request_format(&out, cases[i].what, cases[i].id, cases[i].number) == cases[i].r, "case %zu", i);
		text = pv_buf_str(&out);
		if (cases[i].r < 0) {
			CHECK_STR(text, "", "case %zu: nothing is written", i);
			continue;
		}
		CHECK(strncmp(text, cases[i].first, strlen(cases[i].first)) == 0, "case %zu: %s", i, text);
		end = strstr(text, "\r\n\r\n");
		CHECK(end, "case %zu: %s", i, text);
		CHECK_STR(end + 4, cases[i].body, "case %zu", i);
		CHECK(strstr(text, "\r\nConnection: close\r\n"), "case %zu", i);
		(void) snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", strlen(cases[i].body));
		CHECK((strncmp(text, "POST", 4) == 0) == (strstr(text, length) != NULL), "case %zu: %s", i, text);
	}
}

/* A cap or a time limit that is missing is a broker that waits for ever; only the streams have none. */
static void test_templates(void **state)
{
	(void) state;
	for (int r = 0; r < API_N_REQUESTS; r++) {
		const struct api_template *t = api_template((enum api_request) r);

		CHECK(t && t->name, "request %d", r);
		CHECK((t->cap == 0) == (r == API_EVENTS || r == API_FOLLOW), "%s", t->name);
		CHECK((t->timeout_ms == 0) == (r == API_EVENTS || r == API_FOLLOW), "%s", t->name);
		CHECK(t->acts == (r >= API_RESTART_NO), "%s", t->name);
		CHECK(!t->acts || t->id == API_ID_CONTAINER, "%s", t->name);
	}
	assert_null(api_template(API_N_REQUESTS));
	assert_null(api_template((enum api_request) -1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_templates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
