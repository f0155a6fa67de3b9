#include <netinet/in.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/text.h"
#include "check.h"
#include "report/tell.h"
#include "report/words.h"

static struct notice start(enum id id, const char *subject, enum notice_action action)
{
	struct notice n;

	notice_init(&n, id, 1700000000 * USEC_PER_SEC);
	n.action = action;
	if (strcmp(subject, "host") != 0)
		n.kind = SUBJECT_CONTAINER;
	(void) text_copy(n.subject, sizeof(n.subject), subject);
	return n;
}

static void check_words(const struct notice *n, const char *sentence, const char *next)
{
	pv_autobuf b = PV_BUF_INIT;

	words_sentence(&b, n);
	CHECK_STR(pv_buf_str(&b), sentence, "sentence");
	CHECK_STR(n->next, next, "next, of: %s", sentence);
}

static void test_net(void **state)
{
	static const struct {
		const char *subject, *address;
		uint8_t proto;
		enum notice_action action;
		uint64_t count;
		const char *sentence, *next;
	} cases[] = {
		{ "shop/web", "203.0.113.9", IPPROTO_TCP, DONE_BLOCKED, 1,
		  "shop/web tried to connect to 203.0.113.9:3333 (mining port); refused", "pavise allow shop/web net" },
		{ "shop/web", "2001:db8::1", IPPROTO_TCP, DONE_BLOCKED, 3,
		  "shop/web tried to connect to [2001:db8::1]:3333 (mining port) 3 times; refused",
		  "pavise allow shop/web net" },
		{ "x", "203.0.113.9", IPPROTO_UDP, DONE_WOULD_BLOCK, 1,
		  "x tried to send UDP to 203.0.113.9:3333 (mining port); would have been refused (observe)",
		  "pavise allow x net" },
		{ "x", "203.0.113.9", IPPROTO_TCP, DONE_ALERTED, 1, "x connected to 203.0.113.9:3333 (mining port); told only",
		  "pavise allow x net" },
		{ "host", "203.0.113.9", IPPROTO_UDP, DONE_ALERTED, 1,
		  "host sent UDP to 203.0.113.9:3333 (mining port); told only", "pavise allow host net" },
		{ "a'b $(id)", "203.0.113.9", IPPROTO_TCP, DONE_BLOCKED, 1,
		  "a'b $(id) tried to connect to 203.0.113.9:3333 (mining port); refused",
		  "pavise allow 'a'\\''b $(id)' net" },
		{ "-x", "203.0.113.9", IPPROTO_TCP, DONE_BLOCKED, 1,
		  "-x tried to connect to 203.0.113.9:3333 (mining port); refused", "pavise allow -- -x net" },
		{ "red\x1b[31m\n", "203.0.113.9", IPPROTO_TCP, DONE_BLOCKED, 1,
		  "red\\x1b[31m\\x0a tried to connect to 203.0.113.9:3333 (mining port); refused",
		  "pavise allow 'red\x1b[31m\n' net" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct notice n = start(ID_NET_STRATUM, cases[i].subject, cases[i].action);
		struct ip_addr addr;

		assert_int_equal(ip_parse(cases[i].address, &addr), 0);
		n.count = cases[i].count;
		tell_net(&n, &addr, 3333, cases[i].proto);
		check_words(&n, cases[i].sentence, cases[i].next);
	}
}

static void test_dns(void **state)
{
	char longest[600];
	struct notice n = start(ID_DNS_MINING, "shop/web", DONE_BLOCKED);

	(void) state;
	n.count = 14;
	tell_dns(&n, "pool.hashvault.pro", "pool.*", NULL, NULL);
	check_words(&n, "shop/web asked for pool.hashvault.pro (mining pool name) 14 times; refused",
		    "pavise allow shop/web dns");
	n = start(ID_DNS_MINING, "shop/web", DONE_BLOCKED);
	tell_dns(&n, "pool.hashvault.pro", "pool.*", "shop/web", "shop/dns");
	check_words(&n, "shop/web asked for pool.hashvault.pro (mining pool name) through shop/dns; refused",
		    "pavise allow shop/dns dns");
	n = start(ID_DNS_MINING, "shop/dns", DONE_BLOCKED);
	tell_dns(&n, "pool.hashvault.pro", "", "172.18.0.5", "shop/dns");
	check_words(&n, "shop/dns passed on a question for pool.hashvault.pro (mining pool name) from 172.18.0.5; refused",
		    "pavise allow shop/dns dns");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest + sizeof(longest) - 9, ".evil.io", 8);
	n = start(ID_DNS_MINING, "shop/web", DONE_BLOCKED);
	tell_dns(&n, longest, "pool.*", NULL, NULL);
	assert_non_null(strstr(n.what, ".evil.io (mining pool name)"));
}

static void test_load(void **state)
{
	static const struct {
		struct verdict v;
		enum pv_action planned;
		enum notice_action action;
		const char *sentence, *next;
	} cases[] = {
		{ { .id = ID_RUN_CPU, .value = 9700, .limit = 8000, .window_us = 5 * USEC_PER_MIN }, ACTION_KILL, DONE_KILLED,
		  "shop/worker used 97 % of a core for 5m; killed", "pavise allow shop/worker cpu" },
		{ { .id = ID_RUN_CPU, .value = 31250, .limit = 8000, .window_us = 150 * USEC_PER_SEC, .warning = 1 },
		  ACTION_KILL, DONE_ALERTED,
		  "shop/worker used 312.5 % of a core for 2m 30s, half way to being killed; told only",
		  "pavise allow shop/worker cpu" },
		{ { .id = ID_RUN_CPU, .value = 9000, .limit = 8000, .window_us = 5 * USEC_PER_MIN, .pressure = 4000 },
		  ACTION_KILL, DONE_WOULD_KILL,
		  "shop/worker used 90 % of a core for 5m (corrected for standing 40 % of the time in the queue); would "
		  "have been killed (observe)",
		  "pavise allow shop/worker cpu" },
		{ { .id = ID_RUN_MEMORY, .value = 483393536, .limit = 471859200 }, ACTION_ALERT, DONE_ALERTED,
		  "shop/worker holds 461 MiB that cannot be reclaimed (limit 450 MiB); told only",
		  "pavise allow shop/worker memory" },
		{ { .id = ID_RUN_PIDS, .value = 63, .limit = 50 }, ACTION_ALERT, DONE_ALERTED,
		  "shop/worker runs 63 processes (limit 50); told only", "pavise allow shop/worker pids" },
		{ { .id = ID_RUN_PIDS, .value = 85, .limit = 80, .tasks = 1 }, ACTION_ALERT, DONE_FAILED,
		  "shop/worker runs 85 tasks (limit 80); could not be stopped", "pavise allow shop/worker pids" },
		{ { .id = ID_RUN_RESPAWN, .value = 2 }, ACTION_KILL, DONE_KILLED,
		  "shop/worker came back after it was killed (return 2); killed", "pavise allow shop/worker" },
		{ { .id = ID_RUN_RESPAWN, .value = 2, .cause_chain = 1 }, ACTION_KILL, DONE_KILLED,
		  "shop/worker came back after it was killed (return 2); killed", "pavise allow image:ci/build:3" },
	};
	const struct container_info info = { .image = "ci/build:3" };

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct notice n = start(cases[i].v.id, "shop/worker", cases[i].action);

		tell_load(&n, &cases[i].v, cases[i].planned, &info);
		check_words(&n, cases[i].sentence, cases[i].next);
	}
}

static void test_succession(void **state)
{
	struct container_info info = { .image = "ci/build:3" };
	struct verdict v = { .id = ID_RUN_CPU, .value = 9700, .limit = 8000, .window_us = 5 * USEC_PER_MIN, .chain = 7, .chain_image = 1 };
	struct notice n = start(ID_RUN_CPU, "lucid_darwin", DONE_KILLED);

	(void) state;
	tell_succession(&n, &v, ACTION_KILL, &info);
	check_words(&n, "lucid_darwin is one of 7 containers of the image ci/build:3 that one after the other used 97 % of a core for 5m; killed",
		    "pavise allow image:ci/build:3 cpu");
	v.chain_image = 0;
	v.warning = 1;
	n = start(ID_RUN_CPU, "shop/worker", DONE_ALERTED);
	tell_succession(&n, &v, ACTION_KILL, &info);
	check_words(&n, "shop/worker is one of 7 containers of this service that one after the other used 97 % of a core for 5m, half way to "
			"being killed; told only", "pavise allow shop/worker cpu");
	v = (struct verdict){ .id = ID_RUN_CPU, .value = 9700, .limit = 8000, .window_us = 5 * USEC_PER_MIN, .chain = 9, .chain_image = 1, .restarts = 1 };
	n = start(ID_RUN_CPU, "web", DONE_ALERTED);
	tell_succession(&n, &v, ACTION_ALERT, &info);
	check_words(&n, "web was started 9 times by its engine, and run after run used 97 % of a core for 5m; told only", "pavise allow web cpu");
}

static void test_metadata(void **state)
{
	struct event_net e = { .daddr = { [10] = 0xff, [11] = 0xff, [12] = 169, [13] = 254, [14] = 169, [15] = 254 }, .what = PV_NET_METADATA };
	struct notice n = start(ID_EXEC_WEB_SHELL, "shop/web", DONE_ALERTED);

	(void) state;
	tell_metadata(&n, &e, "python3\0/opt/x.py", sizeof("python3\0/opt/x.py"));
	check_words(&n, "shop/web had a server's shell ask 169.254.169.254 for the cloud's credentials: python3 /opt/x.py; told only",
		    "pavise allow shop/web exec");
	n = start(ID_EXEC_WEB_SHELL, "shop/web", DONE_ALERTED);
	tell_metadata(&n, &e, "", 0);
	check_words(&n, "shop/web had a server's shell ask 169.254.169.254 for the cloud's credentials; told only", "pavise allow shop/web exec");
}

static void test_unkept(void **state)
{
	struct event_dns e = { .daddr = { [10] = 0xff, [11] = 0xff, [12] = 203, [14] = 113, [15] = 9 }, .dport = 443, .what = PV_OPENING_UNKEPT };
	struct notice n = start(ID_NET_POOL, "shop/web", DONE_BLOCKED);

	(void) state;
	tell_opening(&n, &e, "");
	check_words(&n, "shop/web tried to speak to 203.0.113.9:443 through a socket whose memory is used up; refused", "pavise allow shop/web net");
	assert_int_equal(n.severity, SEV_MEDIUM);
	n = start(ID_NET_POOL, "shop/web", DONE_ALERTED);
	tell_opening(&n, &e, "");
	check_words(&n, "shop/web spoke to 203.0.113.9:443 through a socket whose memory is used up; told only", "pavise allow shop/web net");
	e.dport = 53;
	n = start(ID_DNS_ODD, "shop/web", DONE_BLOCKED);
	tell_dns_odd(&n, &e);
	check_words(&n, "shop/web tried to connect to 203.0.113.9 for DNS through a socket whose memory is used up; refused", "pavise explain dns.odd");
	e.what = 0;
	n = start(ID_DNS_ODD, "shop/web", DONE_ALERTED);
	tell_dns_odd(&n, &e);
	check_words(&n, "shop/web sent 203.0.113.9 a DNS question that cannot be read; told only", "pavise explain dns.odd");
}

static void test_rest(void **state)
{
	struct container_info info = { .restart_policy = "always", .image = "miner:1" };
	struct notice n = start(ID_RUN_OOM, "shop/db", DONE_ALERTED);

	(void) state;
	tell_oom(&n, "postgres", 77);
	check_words(&n, "shop/db ran out of memory: the kernel ended postgres (pid 77); told only", "pavise explain run.oom");
	n = start(ID_RUN_MOVED, "shop/web", DONE_ALERTED);
	tell_moved(&n, "xmrig", 78);
	check_words(&n, "shop/web had a process leave its container's cgroup: xmrig (pid 78); told only",
		    "pavise explain run.moved");
	n = start(ID_RUN_RESPAWN, "shop/web", DONE_ALERTED);
	tell_respawn(&n, 5, &info);
	check_words(&n, "shop/web came back 5 times after it was killed, started by its restart policy always; it is not "
		    "killed again; told only", "pavise explain run.respawn");
	n = start(ID_GUARD_LOST, "host", DONE_ALERTED);
	tell_lost(&n, 1);
	check_words(&n, "the details of 1 event were lost because too many came at once; every block held", "pavise status");
	n = start(ID_GUARD_DEGRADED, "host", DONE_ALERTED);
	tell_degraded(&n, "DNS questions are not seen", "pavise doctor");
	check_words(&n, "DNS questions are not seen", "pavise doctor");
	n = start(ID_GUARD_ENGINE, "host", DONE_ALERTED);
	tell_engine(&n, "Docker");
	check_words(&n, "Docker does not answer: names and limits of containers are missing, and kills go by cgroup",
		    "pavise doctor");
	n = start(ID_GUARD_ROLE, "host", DONE_ALERTED);
	tell_role(&n, "sender");
	check_words(&n, "the sender died three times within a minute; it is started again more and more slowly",
		    "journalctl -u pavise");
}

static void test_event_line(void **state)
{
	struct words_style plain = { false, 0 }, narrow = { false, 60 }, colour = { true, 0 };
	struct notice n = start(ID_NET_STRATUM, "shop/web", DONE_BLOCKED);
	pv_autobuf b = PV_BUF_INIT;
	struct ip_addr addr;

	(void) state;
	assert_int_equal(ip_parse("203.0.113.9", &addr), 0);
	tell_net(&n, &addr, 3333, IPPROTO_TCP);
	words_event_line(&b, &n, &plain);
	CHECK_STR(pv_buf_str(&b), "2023-11-14 22:13:20 +0000  high      shop/web tried to connect to 203.0.113.9:3333 "
		  "(mining port); refused\n    pavise allow shop/web net\n", "plain");
	n.row = 4096;
	pv_buf_clear(&b);
	words_event_line(&b, &n, &plain);
	CHECK_STR(pv_buf_str(&b), "2023-11-14 22:13:20 +0000  high      shop/web tried to connect to 203.0.113.9:3333 "
		  "(mining port); refused [4096]\n    pavise allow shop/web net\n", "with its row, once it is stored");
	pv_buf_clear(&b);
	words_event_line(&b, &n, &narrow);
	CHECK_STR(pv_buf_str(&b), "2023-11-14 22:13:20 +0000  high      shop/web tried to \n    connect to "
		  "203.0.113.9:3333 (mining port); refused \n    [4096]\n    pavise allow shop/web net\n", "narrow");
	pv_buf_clear(&b);
	words_event_line(&b, &n, &colour);
	assert_non_null(strstr(pv_buf_str(&b), "\x1b[31mhigh    \x1b[0m  shop/web"));
	n = start(ID_GUARD_STARTED, "host", DONE_ALERTED);
	notice_set_what(&n, "the guard started");
	notice_set_next(&n, "pavise status");
	pv_buf_clear(&b);
	words_event_line(&b, &n, &plain);
	CHECK_STR(pv_buf_str(&b), "2023-11-14 22:13:20 +0000  info      the guard started\n", "no next for info");
}

static void test_numbers(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{ 0, "0 B" },		     { 1023, "1023 B" },	  { 1024, "1 KiB" },
		{ 327155712, "312 MiB" },    { 1503238554, "1.4 GiB" },	  { 471859200, "450 MiB" },
		{ 1073741823, "1 GiB" },     { 10737418240, "10 GiB" },	  { UINT64_MAX, "16 EiB" },
		{ 1048575, "1 MiB" },	     { 1536, "1.5 KiB" },
	};
	static const struct {
		uint64_t permyriad;
		const char *text;
	} percents[] = { { 0, "0 %" }, { 8320, "83.2 %" }, { 9700, "97 %" }, { 4, "0 %" }, { 9996, "100 %" }, { 40000, "400 %" } };
	static const struct {
		uint64_t value, limit;
		const char *text;
	} bars[] = {
		{ 5, 10, "#####-----" }, { 0, 10, "----------" }, { 99, 10, "##########" }, { 7, 0, "----------" },
		{ UINT64_MAX / 4, UINT64_MAX, "##--------" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
		pv_autobuf b = PV_BUF_INIT;

		words_bytes(&b, sizes[i].bytes);
		CHECK_STR(pv_buf_str(&b), sizes[i].text, "size %zu", i);
	}
	for (size_t i = 0; i < N_ELEMENTS(percents); i++) {
		pv_autobuf b = PV_BUF_INIT;

		words_percent(&b, percents[i].permyriad);
		CHECK_STR(pv_buf_str(&b), percents[i].text, "percent %zu", i);
	}
	for (size_t i = 0; i < N_ELEMENTS(bars); i++) {
		pv_autobuf b = PV_BUF_INIT;

		words_bar(&b, bars[i].value, bars[i].limit, 10);
		CHECK_STR(pv_buf_str(&b), bars[i].text, "bar %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_net),  cmocka_unit_test(test_dns),	cmocka_unit_test(test_load),
		cmocka_unit_test(test_succession),
		cmocka_unit_test(test_metadata), cmocka_unit_test(test_unkept),
		cmocka_unit_test(test_rest), cmocka_unit_test(test_event_line), cmocka_unit_test(test_numbers),
	};

	(void) setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
