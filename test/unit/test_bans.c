/* Bans: how long, how many; who is never banned, out of files made up here. */
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "broker/never.h"
#include "detect/ban.h"

static void test_time(void **state)
{
	static const struct {
		uint32_t times;
		uint64_t hours;
	} cases[] = { { 0, 1 }, { 1, 1 }, { 2, 4 }, { 3, 16 }, { 4, 64 }, { 8, 8760 }, { UINT32_MAX, 8760 } };

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		CHECK(ban_time(USEC_PER_HOUR, 365 * USEC_PER_DAY, cases[i].times) == cases[i].hours * USEC_PER_HOUR, "time %u", cases[i].times);
	assert_int_equal(ban_time(USEC_PER_HOUR, USEC_PER_HOUR, 9), USEC_PER_HOUR);
}

static void test_budget(void **state)
{
	static struct ban_budget b = { .n = 3, .us = USEC_PER_HOUR };
	unsigned taken = 0;

	(void) state;
	for (uint64_t m = 0; m < 180; m++) /* three hours, each minute one */
		taken += ban_budget_take(&b, 42, m * USEC_PER_MIN);
	assert_int_equal(taken, 9);
	for (uint64_t key = 100; key < 100 + 2 * BAN_SOURCES; key++) /* many sources: each has its own */
		assert_true(ban_budget_take(&b, key, 200 * USEC_PER_MIN));
	b.n = 0;
	assert_false(ban_budget_take(&b, 7, 0));
}

static bool listed(const struct never_list *l, const char *address, enum ban_never why)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(address, &a), 0);
	for (size_t i = 0; i < l->n; i++)
		if (ip_in_prefix(&a, &l->prefix[i]) && l->why[i] == why)
			return true;
	return false;
}

static void test_files(void **state)
{
	static const char route[] = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
				    "eth0\t00000000\t0102000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
				    "eth0\t0002000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\nshort\n";
	static const char route6[] = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 "
				     "00000400 00000002 00000000 00000003     eth0\nnonsense\n";
	struct never_list l = { .n = 0 };

	(void) state;
	never_routes(&l, route, route6);
	never_routes(&l, "", "");
	assert_int_equal(l.n, 2);
	assert_true(listed(&l, "10.0.2.1", NEVER_GATEWAY));
	assert_true(listed(&l, "fe80::1", NEVER_GATEWAY));
	never_resolvers(&l, "# a comment\nnameserver 203.0.113.53\n nameserver fe80::53%eth0\nnameserver\nnameserver not-an-address\n"
			    "options nameserver 1.2.3.4\nnameserver 2001:db8::53");
	assert_int_equal(l.n, 5);
	assert_true(listed(&l, "203.0.113.53", NEVER_RESOLVER));
	assert_true(listed(&l, "fe80::53", NEVER_RESOLVER));
	assert_true(listed(&l, "2001:db8::53", NEVER_RESOLVER));
	free(l.prefix);
	free(l.why);
}

static char root[] = "/tmp/pv-never-XXXXXX";

static void put(const char *name, const char *text, size_t len)
{
	char path[256];
	FILE *f;

	(void) snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	(void) fclose(f);
}

static void process(unsigned pid, const char *comm, const char *title, const char *exe, unsigned uid, const char *groups, unsigned inode)
{
	char path[256], text[512];

	(void) snprintf(path, sizeof(path), "%s/%u", root, pid);
	assert_int_equal(mkdir(path, 0700), 0);
	(void) snprintf(path, sizeof(path), "%s/%u/fd", root, pid);
	assert_int_equal(mkdir(path, 0700), 0);
	(void) snprintf(path, sizeof(path), "%s/%u/fd/4", root, pid);
	(void) snprintf(text, sizeof(text), "socket:[%u]", inode);
	assert_int_equal(symlink(text, path), 0);
	(void) snprintf(path, sizeof(path), "%s/%u/exe", root, pid);
	assert_int_equal(symlink(exe, path), 0);
	(void) snprintf(path, sizeof(path), "%u/comm", pid);
	put(path, comm, strlen(comm));
	(void) snprintf(path, sizeof(path), "%u/cmdline", pid);
	put(path, title, strlen(title) + 1);
	(void) snprintf(path, sizeof(path), "%u/status", pid);
	(void) snprintf(text, sizeof(text), "Name:\tsshd\nUid:\t%u\t%u\t%u\t%u\nGid:\t100\t100\t100\t100\nFDSize:\t64\nGroups:\t%s \nNStgid:\t27\n", uid,
			uid, uid, uid, groups);
	put(path, text, strlen(text));
}

/* Only an open session of an administrator counts: not one that has not logged in, not a user's, not a program of that name. */
static void test_sessions(void **state)
{
	static const char group[] = "root:x:0:\nsudo:x:27:ann\nusers:x:100:\nwheel:x:10:\nsudoers:x:55:\n";
	static uint64_t inodes[NEVER_INODES];
	char path[256];
	int fd;
	size_t n;

	(void) state;
	assert_non_null(mkdtemp(root));
	process(101, "sshd\n", "sshd: root@pts/0", "/usr/sbin/sshd", 0, "0", 1001);
	process(102, "sshd\n", "sshd: ann [priv]", "/usr/sbin/sshd", 0, "0", 1002);	       /* watches only */
	process(103, "sshd\n", "sshd: ann@pts/1", "/usr/sbin/sshd", 1000, "100 27", 1003);      /* of sudo */
	process(104, "sshd-session\n", "sshd-session: bob@notty", "/usr/lib/openssh/sshd-session", 1001, "100 55", 1004);
	process(105, "sshd\n", "sshd: unknown [net]", "/usr/sbin/sshd", 105, "65534", 1005);
	process(106, "sshd\n", "sshd: root@pts/9", "/tmp/evil", 1002, "100 27", 1006);	       /* another program */
	process(107, "sshd\n", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", "/usr/sbin/sshd", 0, "0", 1007);
	process(108, "sshd\n", "sshd: dora@pts/3", "/usr/sbin/sshd (deleted)", 1003, "10", 1008); /* of wheel, after an upgrade */
	process(109, "bash\n", "sshd: root@pts/4", "/bin/bash", 0, "0", 1009);
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = never_sessions(fd, group, inodes);
	(void) close(fd);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		CHECK(inodes[i] == 1001 || inodes[i] == 1003 || inodes[i] == 1008, "inode %d", (int) inodes[i]);
	(void) snprintf(path, sizeof(path), "rm -r %s", root);
	assert_int_equal(system(path), 0);
}

static void test_check(void **state)
{
	static struct policy p = { .n_never_ban = 1, .n_proxies = 1 };
	static const struct {
		const char *who;
		enum ban_never why;
	} cases[] = {
		{ "127.0.0.1", NEVER_SPECIAL }, { "::1", NEVER_SPECIAL },	{ "fe80::5", NEVER_SPECIAL },  { "169.254.169.254", NEVER_SPECIAL },
		{ "239.1.2.3", NEVER_SPECIAL }, { "203.0.113.77", NEVER_LISTED }, { "203.0.113.0/24", NEVER_LISTED }, { "198.51.100.9", NEVER_PROXY },
		{ "172.30.0.9", NEVER_CONTAINERS }, { "198.18.5.5", NEVER_NO }, { "2001:db8:9::/64", NEVER_NO },
	};
	pv_auto(never) n = NULL;
	struct ip_prefix net;

	(void) state;
	assert_int_equal(ip_prefix_parse("203.0.113.77", &p.never_ban[0]), 0);
	assert_int_equal(ip_prefix_parse("198.51.100.0/28", &p.proxies[0]), 0);
	assert_int_equal(never_new(&n), 0);
	assert_int_equal(ip_prefix_parse("172.30.0.0/16", &net), 0);
	never_network(n, &net, true);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct ip_prefix who;

		assert_int_equal(ip_prefix_parse(cases[i].who, &who), 0);
		CHECK(never_check(n, &p, &who, 1) == cases[i].why, "%s", cases[i].who);
	}
	never_network(n, &net, false);
	assert_int_equal(ip_prefix_parse("172.30.0.9", &net), 0);
	assert_int_equal(never_check(n, &p, &net, 2), NEVER_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_time),     cmocka_unit_test(test_budget), cmocka_unit_test(test_files),
					    cmocka_unit_test(test_sessions), cmocka_unit_test(test_check) };

	return cmocka_run_group_tests_name("bans", tests, NULL, NULL);
}
