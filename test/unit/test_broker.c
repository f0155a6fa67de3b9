#include "base/clock.h"
#include "broker/limit.h"
#include "check.h"
#include "fake_broker.h"

static struct policy policy;

static void setup_policy(void)
{
	policy.n_exceptions = 4;
	policy.exceptions[0].signal = SIGNAL_NET;
	policy.exceptions[1].signal = SIGNAL_DNS;
	policy.exceptions[2].signal = SIGNAL_N;
	policy.exceptions[3].signal = SIGNAL_CPU;
}

static void test_limit(void **state)
{
	static const struct {
		uint64_t key, at_s;
		int r;
	} cases[] = {
		{ 1, 0, 0 },   { 1, 1, 0 },	   { 1, 59, 0 }, /* one workload, one act */
		{ 2, 1, 0 },   { 3, 1, 0 },	   { 4, 1, 0 },	 { 5, 1, 0 },
		{ 6, 2, -EDQUOT }, { 5, 2, 0 },	   { 6, 59, -EDQUOT },
		{ 6, 60, 0 },	   { 7, 60, -EDQUOT }, /* only the first is a minute old */
		{ 1, 61, 0 },	   { 7, 62, 0 },
	};
	struct limit l = LIMIT_KILL;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		CHECK(limit_take(&l, cases[i].key, cases[i].at_s * USEC_PER_SEC) == cases[i].r, "case %zu", i);
}

static void test_limit_hour(void **state)
{
	struct limit l = LIMIT_KILL;
	unsigned taken = 0;

	(void) state;
	for (uint64_t s = 0; s < 3600; s += 10) /* another workload every 10 s */
		taken += limit_take(&l, s + 1, s * USEC_PER_SEC) == 0;
	assert_int_equal(taken, 30);
	assert_int_equal(limit_take(&l, 9999, USEC_PER_HOUR), 0); /* the first is an hour old */
	assert_int_equal(limit_take(&l, 9998, USEC_PER_HOUR), -EDQUOT);
}

#define REQ(...) { .seq = 9, __VA_ARGS__ }
#define V4(a, b, c, d) { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d }

static const struct {
	const char *what;
	struct broker_req req;
	int result;
	const char *reached;
} cases[] = {
	{ "exec", REQ(.op = BROKER_EXEC, .cgroup = 100, .arg = PV_EXEC_ALERT | PV_EXEC_NO_GRACE), 0, "exec" },
	{ "exec taken back", REQ(.op = BROKER_EXEC, .cgroup = 100), 0, "exec" },
	{ "exec, its folder cannot be opened yet", REQ(.op = BROKER_EXEC, .cgroup = 7, .arg = PV_EXEC_ALERT), 0, "exec" },
	{ "exec as an exception", REQ(.op = BROKER_EXEC, .cgroup = 100, .arg = PV_ALLOW_EXEC), -EINVAL, "" },
	{ "exec as another's root", REQ(.op = BROKER_EXEC, .cgroup = 100, .arg = PV_WORKLOAD_ROOT), -EINVAL, "" },
	{ "capture", REQ(.op = BROKER_CAPTURE, .cgroup = 100, .id = FAKE_ID), 0, "capture" },
	{ "capture of one that has ended", REQ(.op = BROKER_CAPTURE, .id = FAKE_ID), 0, "capture" },
	{ "capture of one whose cgroup is gone", REQ(.op = BROKER_CAPTURE, .cgroup = 999, .id = FAKE_ID), 0, "capture" },
	{ "capture of a unit", REQ(.op = BROKER_CAPTURE, .cgroup = 200, .id = FAKE_ID), -EPERM, "" },
	{ "capture without an id", REQ(.op = BROKER_CAPTURE, .cgroup = 100), -EINVAL, "" },
	{ "capture of another's id", REQ(.op = BROKER_CAPTURE, .cgroup = 100, .id = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"), -EPERM, "" },
	{ "hello", REQ(.op = BROKER_HELLO), 0, "hello" },
	{ "hello with a cgroup", REQ(.op = BROKER_HELLO, .cgroup = 100), -EINVAL, "" },
	{ "list", REQ(.op = BROKER_API, .arg = API_LIST), 0, "api" },
	{ "list of podman", REQ(.op = BROKER_API, .arg = API_LIST, .arg2 = 1), 0, "api" },
	{ "a third engine", REQ(.op = BROKER_API, .arg = API_LIST, .arg2 = 2), -EINVAL, "" },
	{ "list with an id", REQ(.op = BROKER_API, .arg = API_LIST, .id = FAKE_ID), -EINVAL, "" },
	{ "list with a number", REQ(.op = BROKER_API, .arg = API_LIST, .arg2 = 1ULL << 32), -EINVAL, "" },
	{ "follow from a second", REQ(.op = BROKER_API, .arg = API_FOLLOW, .arg2 = 4000000000ULL << 32, .id = FAKE_ID), 0, "api" },
	{ "follow nobody", REQ(.op = BROKER_API, .arg = API_FOLLOW), -EINVAL, "" },
	{ "no such request", REQ(.op = BROKER_API, .arg = API_N_REQUESTS), -EINVAL, "" },
	{ "request beyond 32 bits", REQ(.op = BROKER_API, .arg = 1ULL << 32), -EINVAL, "" },
	{ "inspect", REQ(.op = BROKER_API, .arg = API_INSPECT, .id = FAKE_ID), 0, "api" },
	{ "inspect, short id", REQ(.op = BROKER_API, .arg = API_INSPECT, .id = "0123456789ab"), -EINVAL, "" },
	{ "inspect, path in id", REQ(.op = BROKER_API, .arg = API_INSPECT, .id = "../networks"), -EINVAL, "" },
	{ "kill", REQ(.op = BROKER_API, .arg = API_KILL, .cgroup = 100, .id = FAKE_ID), 0, "api" },
	{ "kill without cgroup", REQ(.op = BROKER_API, .arg = API_KILL, .id = FAKE_ID), -ESRCH, "" },
	{ "kill another than the cgroup", REQ(.op = BROKER_API, .arg = API_KILL, .cgroup = 100, .id = FAKE_OTHER_ID), -EPERM, "" },
	{ "kill a unit", REQ(.op = BROKER_API, .arg = API_KILL, .cgroup = FAKE_UNIT, .id = FAKE_ID), -EPERM, "" },
	{ "restart policy, no cgroup any more", REQ(.op = BROKER_API, .arg = API_RESTART_ALWAYS, .id = FAKE_ID), 0, "api" },
	{ "restart policy, the cgroup has gone", REQ(.op = BROKER_API, .arg = API_RESTART_NO, .cgroup = 7, .id = FAKE_ID), 0, "api" },
	{ "kill, the cgroup has gone", REQ(.op = BROKER_API, .arg = API_KILL, .cgroup = 7, .id = FAKE_ID), -ESRCH, "" },
	{ "restart policy of another", REQ(.op = BROKER_API, .arg = API_RESTART_NO, .cgroup = 100, .id = FAKE_OTHER_ID), -EPERM, "" },
	{ "on-failure:5", REQ(.op = BROKER_API, .arg = API_RESTART_ON_FAILURE, .arg2 = 5ULL << 32, .id = FAKE_ID), 0, "api" },
	{ "scale", REQ(.op = BROKER_SWARM_SCALE, .arg = 2, .id = FAKE_SERVICE), 0, "swarm" },
	{ "scale back a global one", REQ(.op = BROKER_SWARM_SCALE, .arg = UINT64_MAX, .id = FAKE_SERVICE), 0, "swarm" },
	{ "scale to a million", REQ(.op = BROKER_SWARM_SCALE, .arg = 1000000, .id = FAKE_SERVICE), -EINVAL, "" },
	{ "scale a container", REQ(.op = BROKER_SWARM_SCALE, .id = FAKE_ID), -EINVAL, "" },
	{ "cgroup kill", REQ(.op = BROKER_CGROUP_KILL, .cgroup = 100), 0, "kill" },
	{ "cgroup kill, gone", REQ(.op = BROKER_CGROUP_KILL, .cgroup = 7), -ESRCH, "" },
	{ "cgroup kill, a unit", REQ(.op = BROKER_CGROUP_KILL, .cgroup = FAKE_UNIT), -EPERM, "" },
	{ "cgroup kill with an address", REQ(.op = BROKER_CGROUP_KILL, .cgroup = 100, .addr = { 1 }), -EINVAL, "" },
	{ "freeze", REQ(.op = BROKER_CGROUP_FREEZE, .cgroup = 100, .arg = 1), 0, "freeze" },
	{ "thaw", REQ(.op = BROKER_CGROUP_FREEZE, .cgroup = 100), 0, "thaw" },
	{ "freeze twice", REQ(.op = BROKER_CGROUP_FREEZE, .cgroup = 100, .arg = 2), -EINVAL, "" },
	{ "cut", REQ(.op = BROKER_CUT, .cgroup = 100, .addr = V4(192, 0, 2, 1), .port = 3333), 0, "cut" },
	{ "cut with a prefix", REQ(.op = BROKER_CUT, .cgroup = 100, .prefix = 8), -EINVAL, "" },
	{ "except net", REQ(.op = BROKER_EXCEPT, .cgroup = 300, .arg = 1), 0, "except" },
	{ "except cpu", REQ(.op = BROKER_EXCEPT, .cgroup = 300, .arg = 4), -EPERM, "" },
	{ "except dns, by an exception for net", REQ(.op = BROKER_EXCEPT, .cgroup = 300, .arg = 1 << 16), -EPERM, "" },
	{ "except beyond the policy", REQ(.op = BROKER_EXCEPT, .cgroup = 300, .arg = 5), -EINVAL, "" },
	{ "except something else", REQ(.op = BROKER_EXCEPT, .cgroup = 300, .arg = 1ULL << 48), -EINVAL, "" },
	{ "except nobody", REQ(.op = BROKER_EXCEPT, .arg = 1), -EINVAL, "" },
	{ "no exception left", REQ(.op = BROKER_EXCEPT, .cgroup = 300), 0, "except" },
	{ "network", REQ(.op = BROKER_NETNAME, .cgroup = 100, .arg = 1, .id = "shop_default"), 0, "netname" },
	{ "network with a slash", REQ(.op = BROKER_NETNAME, .cgroup = 100, .arg = 1, .id = "a/b"), -EINVAL, "" },
	{ "network without a name", REQ(.op = BROKER_NETNAME, .cgroup = 100, .arg = 1), -EINVAL, "" },
	{ "network of 64 bytes", REQ(.op = BROKER_NETNAME, .cgroup = 100, .arg = 1, .id = FAKE_ID), -EINVAL, "" },
	{ "internal /16", REQ(.op = BROKER_INTERNAL, .arg = 1, .addr = V4(172, 17, 0, 0), .prefix = 112), 0, "internal" },
	{ "internal /7", REQ(.op = BROKER_INTERNAL, .arg = 1, .addr = V4(2, 0, 0, 0), .prefix = 103), -EINVAL, "" },
	{ "internal, everything", REQ(.op = BROKER_INTERNAL, .arg = 1), -EINVAL, "" },
	{ "internal v6 /31", REQ(.op = BROKER_INTERNAL, .arg = 1, .addr = { 0x20, 1 }, .prefix = 31), -EINVAL, "" },
	{ "internal v6 /32", REQ(.op = BROKER_INTERNAL, .arg = 1, .addr = { 0x20, 1 }, .prefix = 32), 0, "internal" },
	{ "internal /129", REQ(.op = BROKER_INTERNAL, .arg = 1, .prefix = 129), -EINVAL, "" },
	{ "internal with host bits", REQ(.op = BROKER_INTERNAL, .arg = 1, .addr = V4(172, 17, 0, 1), .prefix = 112), -EINVAL, "" },
	{ "ban", REQ(.op = BROKER_BAN, .addr = V4(203, 0, 113, 7), .prefix = 128, .arg = 3600), 0, "ban" },
	{ "ban a /24", REQ(.op = BROKER_BAN, .addr = V4(203, 0, 113, 0), .prefix = 120, .arg = 3600), 0, "ban" },
	{ "ban a /23", REQ(.op = BROKER_BAN, .addr = V4(203, 0, 112, 0), .prefix = 119, .arg = 3600), -EPERM, "" },
	{ "ban a /23, a person", REQ(.op = BROKER_BAN, .addr = V4(203, 0, 112, 0), .prefix = 119, .arg = 3600, .arg2 = 1), 0, "ban" },
	{ "ban a /7, a person", REQ(.op = BROKER_BAN, .addr = V4(202, 0, 0, 0), .prefix = 103, .arg = 3600, .arg2 = 1), -EPERM, "" },
	{ "ban v6 /56", REQ(.op = BROKER_BAN, .addr = { 0x20, 1, 0xd, 0xb8 }, .prefix = 56, .arg = 60), 0, "ban" },
	{ "ban v6 /55", REQ(.op = BROKER_BAN, .addr = { 0x20, 1, 0xd, 0xb8 }, .prefix = 55, .arg = 60), -EPERM, "" },
	{ "ban everything", REQ(.op = BROKER_BAN, .arg = 60, .arg2 = 1), -EPERM, "" },
	{ "ban with host bits", REQ(.op = BROKER_BAN, .addr = V4(203, 0, 113, 7), .prefix = 120, .arg = 60), -EINVAL, "" },
	{ "ban for ever", REQ(.op = BROKER_BAN, .addr = V4(203, 0, 113, 7), .prefix = 128, .arg = UINT64_MAX), -EINVAL, "" },
	{ "ban for no time", REQ(.op = BROKER_BAN, .addr = V4(203, 0, 113, 7), .prefix = 128), -EINVAL, "" },
	{ "may it be banned?", REQ(.op = BROKER_BAN, .addr = V4(203, 0, 113, 7), .prefix = 128, .arg = 60, .arg2 = 2), 0, "look" },
	{ "has another program?", REQ(.op = BROKER_BAN, .addr = V4(203, 0, 113, 7), .prefix = 128, .arg = 60, .arg2 = 3), 0, "others" },
	{ "of a network?", REQ(.op = BROKER_BAN, .addr = V4(203, 0, 113, 0), .prefix = 120, .arg = 60, .arg2 = 3), -EINVAL, "" },
	{ "ban, who knows how", REQ(.op = BROKER_BAN, .addr = V4(203, 0, 113, 7), .prefix = 128, .arg = 60, .arg2 = 4), -EINVAL, "" },
	{ "ban one of never_ban", REQ(.op = BROKER_BAN, .addr = V4(198, 51, 100, 7), .prefix = 128, .arg = 60), -EPERM, "" },
	{ "ban /129", REQ(.op = BROKER_BAN, .prefix = 129, .arg = 60), -EINVAL, "" },
	{ "unban", REQ(.op = BROKER_UNBAN, .addr = V4(203, 0, 113, 7), .prefix = 128), 0, "unban" },
	{ "unban everything", REQ(.op = BROKER_UNBAN), -EINVAL, "" },
	{ "a file for bans", REQ(.op = BROKER_BANS_FILE), 0, "bans file" },
	{ "load", REQ(.op = BROKER_BANS_LOAD, .arg = 50000), 0, "bans load" },
	{ "load too many", REQ(.op = BROKER_BANS_LOAD, .arg = BROKER_BANS_MAX + 1), -EINVAL, "" },
	{ "state of bans", REQ(.op = BROKER_BANS_STATE), 0, "bans state" },
	{ "off", REQ(.op = BROKER_OFF, .arg = UINT64_MAX), 0, "off" },
	{ "state", REQ(.op = BROKER_STATE), 0, "state" },
	{ "log watch", REQ(.op = BROKER_LOG_WATCH), 0, "log watch" },
	{ "logs of a place", REQ(.op = BROKER_LOG_LIST, .arg = 2), 0, "log list" },
	{ "the journal, where it is not read", REQ(.op = BROKER_LOG_LIST), -EINVAL, "" },
	{ "logs of no place", REQ(.op = BROKER_LOG_LIST, .arg = 10000), -EINVAL, "" },
	{ "logs of a large place", REQ(.op = BROKER_LOG_LIST, .arg = 1ULL << 32), -EINVAL, "" },
	{ "a log", REQ(.op = BROKER_LOG_OPEN, .arg = 3ULL << 32 | 2, .arg2 = 7), 0, "log" },
	{ "a log of no place", REQ(.op = BROKER_LOG_OPEN, .arg = 99), -EINVAL, "" },
	{ "a log by a name", REQ(.op = BROKER_LOG_OPEN, .id = "/etc/shadow"), -EINVAL, "" },
	{ "a container's log, when containers' are not read", REQ(.op = BROKER_LOG_CONTAINER, .id = FAKE_ID), -EINVAL, "" },
	{ "the syslog socket, where none is configured", REQ(.op = BROKER_LOG_SYSLOG), -ENOENT, "" },
	{ "watch what stays", REQ(.op = BROKER_PERSIST_WATCH), 0, "persistence watch" },
	{ "folders of it", REQ(.op = BROKER_PERSIST_LIST), 0, "persistence folders" },
	{ "names of it", REQ(.op = BROKER_PERSIST_NAMES, .arg = 3), 0, "persistence names" },
	{ "names of no folder", REQ(.op = BROKER_PERSIST_NAMES, .arg = PERSIST_FOLDERS), -EINVAL, "" },
	{ "a file of it", REQ(.op = BROKER_PERSIST_LOOK, .arg = 3, .arg2 = 77, .id = "crontab"), 0, "persistence file" },
	{ "a file elsewhere", REQ(.op = BROKER_PERSIST_LOOK, .arg = 3, .id = "../shadow"), -EINVAL, "" },
	{ "a file without a name", REQ(.op = BROKER_PERSIST_LOOK, .arg = 3), -EINVAL, "" },
	{ "state with a port", REQ(.op = BROKER_STATE, .port = 1), -EINVAL, "" },
	{ "padding", REQ(.op = BROKER_STATE, .pad = { 0, 0, 0, 0, 1 }), -EINVAL, "" },
};

static void test_requests(void **state)
{
	(void) state;
	setup_policy();
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct fake f = { 0 };
		struct requests r = { .ops = &fake_ops, .ctx = &f, .policy = &policy, .kills = LIMIT_KILL, .bans = LIMIT_BANS, .loads = LIMIT_LOADS, .captures = LIMIT_CAPTURES };
		struct broker_answer a;

		CHECK(requests_handle(&r, &cases[i].req, sizeof(cases[i].req), 0, &a) == 0, "%s", cases[i].what);
		CHECK(a.rep.result == cases[i].result, "%s: %d", cases[i].what, a.rep.result);
		CHECK(a.rep.seq == 9, "%s", cases[i].what);
		CHECK_STR(f.reached, cases[i].reached, "%s", cases[i].what);
		CHECK(f.open == 0, "%s: a cgroup stays open", cases[i].what);
	}
}

static void test_malformed(void **state)
{
	struct fake f = { 0 };
	struct requests r = { .ops = &fake_ops, .ctx = &f, .policy = &policy, .kills = LIMIT_KILL, .bans = LIMIT_BANS, .loads = LIMIT_LOADS, .captures = LIMIT_CAPTURES };
	struct broker_req req = { .op = BROKER_STATE, .seq = 1 };
	uint8_t big[512] = { 0 };
	struct broker_answer a;

	(void) state;
	memcpy(big, &req, sizeof(req));
	for (size_t len = 0; len <= sizeof(big); len++)
		CHECK(requests_handle(&r, big, len, 0, &a) == (len == sizeof(req) ? 0 : -EBADMSG), "length %zu", len);
	for (uint32_t op = 0; op < 64; op++) {
		req = (struct broker_req){ .op = op, .seq = 1 };
		CHECK((requests_handle(&r, &req, sizeof(req), 0, &a) == 0) == (requests_name(op) != NULL), "op %u", op);
	}
	req = (struct broker_req){ .op = BROKER_STATE, .seq = 0 };
	assert_int_equal(requests_handle(&r, &req, sizeof(req), 0, &a), -EBADMSG);
	/* an id that does not end, and one with something behind its end */
	req = (struct broker_req){ .op = BROKER_NETNAME, .seq = 1, .cgroup = 100, .arg = 1 };
	memset(req.id, 'a', sizeof(req.id));
	assert_int_equal(requests_handle(&r, &req, sizeof(req), 0, &a), 0);
	assert_int_equal(a.rep.result, -EINVAL);
	memset(req.id + 3, 0, sizeof(req.id) - 3);
	req.id[70] = 'x';
	assert_int_equal(requests_handle(&r, &req, sizeof(req), 0, &a), 0);
	assert_int_equal(a.rep.result, -EINVAL);
}

/* A kill as the engine does it: restart policy, API, cgroup. One workload is one act; what is refused harms nobody, and
 * undoing is never refused. */
static void test_kill_limit(void **state)
{
	struct fake f = { 0 };
	struct requests r = { .ops = &fake_ops, .ctx = &f, .policy = &policy, .kills = LIMIT_KILL, .bans = LIMIT_BANS, .loads = LIMIT_LOADS, .captures = LIMIT_CAPTURES };

	(void) state;
	for (uint64_t c = 100; c < 107; c++) {
		struct broker_req steps[] = {
			REQ(.op = BROKER_API, .arg = API_RESTART_NO, .cgroup = c, .id = FAKE_ID),
			REQ(.op = BROKER_API, .arg = API_KILL, .cgroup = c, .id = FAKE_ID),
			REQ(.op = BROKER_CGROUP_KILL, .cgroup = c),
			REQ(.op = BROKER_CGROUP_FREEZE, .cgroup = c, .arg = 1),
		};
		struct broker_req harmless[] = {
			REQ(.op = BROKER_CGROUP_FREEZE, .cgroup = c),
			REQ(.op = BROKER_API, .arg = API_UNPAUSE, .cgroup = c, .id = FAKE_ID),
			REQ(.op = BROKER_API, .arg = API_RESTART_ALWAYS, .cgroup = c, .id = FAKE_ID),
		};
		struct broker_answer a;

		for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
			f.reached[0] = '\0';
			if (steps[i].id[0])
				fake_id(c, steps[i].id, sizeof(steps[i].id));
			assert_int_equal(requests_handle(&r, &steps[i], sizeof(steps[i]), 0, &a), 0);
			CHECK(a.rep.result == (c < 105 ? 0 : -EDQUOT), "cgroup %d, step %zu", (int) c, i);
			CHECK((f.reached[0] != '\0') == (c < 105), "cgroup %d, step %zu", (int) c, i);
		}
		for (size_t i = 0; i < N_ELEMENTS(harmless); i++) {
			if (harmless[i].id[0])
				fake_id(c, harmless[i].id, sizeof(harmless[i].id));
			assert_int_equal(requests_handle(&r, &harmless[i], sizeof(harmless[i]), 0, &a), 0);
			CHECK(a.rep.result == 0, "cgroup %d, harmless %zu", (int) c, i);
		}
	}
	assert_int_equal(f.open, 0);
}

/* A cgroup that is gone names nobody: ten containers by way of it are ten acts. */
static void test_kill_limit_gone(void **state)
{
	struct fake f = { 0 };
	struct requests r = { .ops = &fake_ops, .ctx = &f, .policy = &policy, .kills = LIMIT_KILL, .bans = LIMIT_BANS, .loads = LIMIT_LOADS, .captures = LIMIT_CAPTURES };
	struct broker_req req = REQ(.op = BROKER_API, .arg = API_RESTART_NO, .cgroup = 999, .id = FAKE_ID);

	(void) state;
	for (unsigned i = 0; i < 10; i++) {
		struct broker_answer a;

		fake_id(FAKE_CONTAINER + i, req.id, sizeof(req.id));
		for (unsigned again = 0; again < 2; again++) {
			assert_int_equal(requests_handle(&r, &req, sizeof(req), 0, &a), 0);
			CHECK(a.rep.result == (i < 5 ? 0 : -EDQUOT), "container %u: %d", i, a.rep.result);
		}
	}
}

/* A thousand bans within any minute, and no more; letting in is never refused. */
static void test_ban_limit(void **state)
{
	struct fake f = { 0 };
	struct requests r = { .ops = &fake_ops, .ctx = &f, .policy = &policy, .bans = LIMIT_BANS, .loads = LIMIT_LOADS, .captures = LIMIT_CAPTURES };
	struct broker_req req = REQ(.op = BROKER_BAN, .addr = V4(203, 0, 113, 7), .prefix = 128, .arg = 3600);
	struct broker_req unban = REQ(.op = BROKER_UNBAN, .addr = V4(203, 0, 113, 7), .prefix = 128);
	struct broker_answer a;
	uint64_t taken[180] = { 0 };

	(void) state;
	for (uint64_t i = 0; i < 180 * 100; i++) {
		assert_int_equal(requests_handle(&r, &req, sizeof(req), (1000 + i / 100) * USEC_PER_SEC, &a), 0);
		taken[i / 100] += a.rep.result == 0;
		assert_int_equal(requests_handle(&r, &unban, sizeof(unban), (1000 + i / 100) * USEC_PER_SEC, &a), 0);
		assert_int_equal(a.rep.result, 0);
	}
	for (size_t from = 0; from + 60 <= 180; from++) {
		uint64_t all = 0;

		for (size_t i = from; i < from + 60; i++)
			all += taken[i];
		CHECK(all == 1000, "%d in the minute from second %zu on", (int) all, from);
	}
}

static void test_exceptions(void **state)
{
	static const struct {
		uint64_t arg;
		uint32_t flags;
	} all[] = {
		{ 1, PV_ALLOW_NET },
		{ 2 << 16, PV_ALLOW_DNS },
		{ 2 << 16 | 1, PV_ALLOW_NET | PV_ALLOW_DNS },
		{ 3ULL << 32, PV_ALLOW_EXEC },
		{ 3ULL << 32 | 3 << 16 | 1, PV_ALLOW_NET | PV_ALLOW_DNS | PV_ALLOW_EXEC },
		{ 0, 0 },
	};
	struct fake f = { 0 };
	struct requests r = { .ops = &fake_ops, .ctx = &f, .policy = &policy, .kills = LIMIT_KILL, .bans = LIMIT_BANS, .loads = LIMIT_LOADS, .captures = LIMIT_CAPTURES };
	struct broker_answer a;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(all); i++) {
		struct broker_req req = REQ(.op = BROKER_EXCEPT, .cgroup = 300, .arg = all[i].arg);

		assert_int_equal(requests_handle(&r, &req, sizeof(req), 0, &a), 0);
		assert_int_equal(f.flags, all[i].flags);
	}
}

static void test_container_names(void **state)
{
	static const struct {
		const char *name;
		int r;
	} names[] = {
		{ FAKE_ID, 0 },
		{ "docker-" FAKE_ID ".scope", 0 },
		{ "libpod-" FAKE_ID ".scope", 0 },
		{ "libpod-" FAKE_ID, 0 },
		{ "libpod-conmon-" FAKE_ID ".scope", -ENOENT },
		{ "docker-" FAKE_ID ".service", -ENOENT },
		{ "docker.service", -ENOENT },
		{ FAKE_ID "0", -ENOENT },
		{ "x" FAKE_ID, -ENOENT },
		{ "", -ENOENT },
		{ "docker-", -ENOENT },
		{ "sshd.service", -ENOENT },
	};
	char id[65];

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		CHECK(requests_container_id(names[i].name, id) == names[i].r, "%s", names[i].name);
		if (names[i].r == 0)
			CHECK_STR(id, FAKE_ID, "%s", names[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),	   cmocka_unit_test(test_limit_hour),
		cmocka_unit_test(test_requests),   cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_kill_limit), cmocka_unit_test(test_kill_limit_gone), cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_ban_limit),
		cmocka_unit_test(test_container_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
