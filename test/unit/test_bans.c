/* Bans: how long, how many; who is never banned, out of files made up here. */
#include "check.h"

#include <arpa/inet.h>
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

/* A botnet on a virtual clock: the minutes in which each ban comes, and what is told: s at once, a number together. */
static void test_fold(void **state)
{
	static struct ban_fold f;
	struct ip_prefix who = { .len = 128 };
	struct ban_folded got;
	unsigned single = 0, together = 0;
	uint64_t told = 0;

	(void) state;
	for (uint64_t s = 0; s < 3 * 3600; s++) { /* one each 2 s for three hours, then quiet */
		if (ban_fold_due(&f, s * USEC_PER_SEC, &got)) {
			CHECK(s == 600 || s == 600 + 3600 || s == 600 + 2 * 3600, "told together at %d s", (int) s);
			CHECK(got.n == (together ? 1800 : 295), "%d at once", (int) got.n);
			assert_int_equal(got.n_shown, BAN_FOLD_SHOWN);
			assert_true(got.span_us >= (together ? 3590 : 585) * USEC_PER_SEC && got.span_us <= 3600 * USEC_PER_SEC);
			assert_string_equal(got.shown[0].service, "sshd");
			if (!together)
				assert_int_equal(got.shown[0].who.addr.b[15], 5); /* the sixth of all */
			together++;
			told += got.n;
		}
		if (s % 2)
			continue;
		who.addr.b[14] = (uint8_t) (s / 2 >> 8);
		who.addr.b[15] = (uint8_t) (s / 2);
		single += ban_fold_step(&f, &who, "sshd", s * USEC_PER_SEC);
	}
	assert_int_equal(single, BAN_FOLD_SINGLE);
	assert_int_equal(together, 3);
	assert_true(ban_fold_due(&f, UINT64_MAX, &got)); /* the guard ends */
	assert_int_equal(told + got.n + single, 3 * 3600 / 2); /* none is lost */
	assert_false(ban_fold_due(&f, UINT64_MAX, &got));
	/* after a quiet time they are told one by one again; few ones always are */
	for (uint64_t h = 0; h < 30; h++) {
		uint64_t now = (10 + h) * 3600 * USEC_PER_SEC;

		assert_false(ban_fold_due(&f, now, &got));
		assert_true(ban_fold_step(&f, &who, "sshd", now));
	}
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
				    "eth0\t0002000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";
	static const char route6[] = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 "
				     "00000400 00000002 00000000 00000003     eth0\n";
	static const char *const odd4[] = { "Iface\nshort\n", "Iface\neth0\t0\t-1\n", "Iface\neth0\t0\t1FFFFFFFF\n", "Iface\neth0\t0\tzz\n" };
	struct never_list l = { .n = 0 };

	(void) state;
	never_routes(&l, route, route6);
	never_routes(&l, "", "");
	assert_int_equal(l.n, 2);
	assert_false(l.odd);
	for (size_t i = 0; i < N_ELEMENTS(odd4); i++) { /* a route that is not understood might be the way to the owner */
		l.odd = false;
		never_routes(&l, odd4[i], "");
		CHECK(l.odd && l.n == 2, "%zu: %s", i, odd4[i]);
	}
	l.odd = false;
	never_routes(&l, "", "nonsense\n");
	assert_true(l.odd);
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

static const char *cgroup = "0::/user.slice/user-0.slice/session-1.scope\n", *ns_net = "self/ns/net";

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
	(void) snprintf(path, sizeof(path), "%u/cgroup", pid);
	put(path, cgroup, strlen(cgroup));
	(void) snprintf(path, sizeof(path), "%s/%u/ns", root, pid);
	assert_int_equal(mkdir(path, 0700), 0);
	(void) snprintf(path, sizeof(path), "%s/%u/ns/net", root, pid);
	(void) snprintf(text, sizeof(text), "%s/%s", root, ns_net);
	assert_int_equal(link(text, path), 0);
	(void) snprintf(path, sizeof(path), "%u/status", pid);
	(void) snprintf(text, sizeof(text), "Name:\tsshd\nUid:\t%u\t%u\t%u\t%u\nGid:\t100\t100\t100\t100\nFDSize:\t64\nGroups:\t%s \nNStgid:\t27\n", uid,
			uid, uid, uid, groups);
	put(path, text, strlen(text));
}

/* Only an open session of an administrator counts: not one that has not logged in, not a user's, not a program of that name. */
static void test_sessions(void **state)
{
	static const char group[] = "root:x:0:\nsudo::27:ann\nusers:x:100:\nwheel:x:10:\nsudoers:x:55:\n";
	static const char *const folders[] = { "self", "self/ns" };
	static uint64_t inodes[NEVER_INODES];
	char path[256];
	int fd;
	size_t n, none;

	(void) state;
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
		(void) snprintf(path, sizeof(path), "%s/%s", root, folders[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	put("self/ns/net", "", 0);
	put("elsewhere", "", 0);
	process(101, "sshd\n", "sshd: root@pts/0", "/usr/sbin/sshd", 0, "0", 1001);
	process(102, "sshd\n", "sshd: ann [priv]", "/usr/sbin/sshd", 0, "0", 1002);	       /* watches only */
	process(103, "sshd\n", "sshd: ann@pts/1", "/usr/sbin/sshd", 1000, "100 27", 1003);      /* of sudo */
	process(104, "sshd-session\n", "sshd-session: bob@notty", "/usr/lib/openssh/sshd-session", 1001, "100 55", 1004);
	process(105, "sshd\n", "sshd: unknown [net]", "/usr/sbin/sshd", 105, "65534", 1005);
	process(106, "sshd\n", "sshd: root@pts/9", "/tmp/evil", 1002, "100 27", 1006);	       /* another program */
	process(107, "sshd\n", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", "/usr/sbin/sshd", 0, "0", 1007);
	process(108, "sshd\n", "sshd: dora@pts/3", "/usr/sbin/sshd (deleted)", 1003, "10", 1008); /* of wheel, after an upgrade */
	process(109, "bash\n", "sshd: root@pts/4", "/bin/bash", 0, "0", 1009);
	ns_net = "elsewhere";
	process(110, "sshd\n", "sshd: root@pts/0", "/usr/sbin/sshd", 0, "0", 1010);
	ns_net = "self/ns/net"; /* a container on the host's network */
	cgroup = "0::/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope/x\n";
	process(111, "sshd\n", "sshd: root@pts/0", "/usr/sbin/sshd", 0, "0", 1011);
	for (unsigned i = 0; i <= NEVER_INODES; i++) {
		(void) snprintf(path, sizeof(path), "%s/111/fd/%u", root, 100 + i);
		assert_int_equal(symlink("socket:[1011]", path), 0);
	}
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(never_sessions(fd, group, inodes, &n), 0);
	assert_int_equal(n, 3);
	/* one that ended meanwhile is none; one that cannot be looked at might be an administrator's */
	(void) snprintf(path, sizeof(path), "%s/103/status", root);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(never_sessions(fd, group, inodes, &none), 0);
	assert_int_equal(none, 2);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(never_sessions(fd, group, inodes, &none), -EISDIR);
	assert_int_equal(never_sessions(-1, group, inodes, &none), -EBADF);
	assert_int_equal(never_sessions(fd, "sudo:x:many:ann\n", inodes, &none), -EBADMSG);
	assert_int_equal(never_sessions(fd, "sudo:x\n", inodes, &none), -EBADMSG);
	(void) close(fd);
	inodes[0] = 1001; /* as the first time: the order of a folder is anybody's */
	inodes[1] = 1003;
	inodes[2] = 1008;
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

/* --- what cannot be read --- */

static struct {
	const char *path;
	const char *text; /* NULL: `error` */
	int error;
} files_say[6];
static int own_says, sessions_say, connections_say;
static size_t many;

static int say_file(const char *path, struct pv_buf *ret)
{
	for (size_t i = 0; i < N_ELEMENTS(files_say); i++) {
		if (!files_say[i].path || strcmp(files_say[i].path, path) != 0)
			continue;
		if (files_say[i].text)
			pv_buf_puts(ret, files_say[i].text);
		return files_say[i].error;
	}
	return -ENOENT;
}

static int say_own(struct never_list *l)
{
	for (size_t i = 0; i < many; i++) {
		struct ip_addr a = ip_from_v4(htonl(0xC6120000u + (uint32_t) i));

		never_add(l, &a, 128, NEVER_OWN);
	}
	return own_says;
}

static int say_sessions(const char *etc_group, uint64_t *ret, size_t *ret_n)
{
	(void) etc_group;
	(void) ret;
	*ret_n = 0;
	return sessions_say;
}

static int say_connections(struct never_list *l, const uint64_t *inodes, size_t n_inodes)
{
	(void) l;
	(void) inodes;
	(void) n_inodes;
	return connections_say;
}

static void all_well(void)
{
	memset(files_say, 0, sizeof(files_say));
	files_say[0].path = "/proc/net/route";
	files_say[0].text = "Iface\tDestination\tGateway\n";
	own_says = sessions_say = connections_say = 0;
	many = 1;
}

/* Whatever fails, nobody is banned, and what failed is named; what is known to be never banned is still named as that. */
static void test_unknown(void **state)
{
	static const char *const paths[] = { "/proc/net/route", "/proc/net/ipv6_route", "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf",
					     "/run/NetworkManager/no-stub-resolv.conf", "/etc/group" };
	static const struct never_readers readers = { .file = say_file, .own = say_own, .sessions = say_sessions, .connections = say_connections };
	static struct policy p;
	pv_auto(never) n = NULL;
	struct ip_prefix who, own, net;
	uint64_t now = 1;

	(void) state;
	assert_int_equal(never_new(&n), 0);
	never_read_by(n, &readers);
	assert_int_equal(ip_prefix_parse("203.0.113.9", &who), 0);
	assert_int_equal(ip_prefix_parse("198.18.0.0", &own), 0);
	all_well();
	assert_int_equal(never_check(n, &p, &who, now), NEVER_NO);
	for (size_t i = 0; i < N_ELEMENTS(paths) + 5; i++) {
		const char *named;

		all_well();
		if (i < N_ELEMENTS(paths)) {
			files_say[i ? 1 : 0].path = paths[i];
			files_say[i ? 1 : 0].text = i == 1 ? "" : "half of it";
			files_say[i ? 1 : 0].error = i % 2 ? -EACCES : -EFBIG;
		} else if (i == N_ELEMENTS(paths)) {
			own_says = -ENOBUFS;
		} else if (i == N_ELEMENTS(paths) + 1) {
			sessions_say = -EMFILE;
		} else if (i == N_ELEMENTS(paths) + 2) {
			connections_say = -EPERM;
		} else if (i == N_ELEMENTS(paths) + 3) {
			many = 65537;
		} else {
			files_say[0].text = ""; /* not even its heading */
		}
		now += USEC_PER_SEC;
		CHECK(never_check(n, &p, &who, now) == NEVER_UNKNOWN, "case %zu: somebody is banned", i);
		named = never_refresh(n, USEC_PER_SEC, now);
		CHECK(*named && (i >= N_ELEMENTS(paths) || strstr(named, paths[i])), "case %zu: %s", i, named);
		CHECK(never_check(n, &p, &own, now) == NEVER_OWN, "case %zu: own", i);
	}
	all_well();
	now += USEC_PER_SEC;
	assert_int_equal(never_check(n, &p, &who, now), NEVER_NO); /* it mends by itself */
	/* networks of containers that find no room, and are gone again */
	assert_int_equal(ip_prefix_parse("10.0.0.0/24", &net), 0);
	for (unsigned i = 0; i < 1025; i++) {
		net.addr.b[13] = (uint8_t) (i >> 8);
		net.addr.b[14] = (uint8_t) i;
		never_network(n, &net, true);
	}
	assert_int_equal(never_check(n, &p, &who, now + USEC_PER_SEC), NEVER_UNKNOWN);
	never_network(n, &net, false);
	assert_int_equal(never_check(n, &p, &who, now + 2 * USEC_PER_SEC), NEVER_NO);
}

/* Connections out of /proc/net: 192.0.2.9:22 listens; a session of inode 77 from 203.0.113.5, a visitor, and one that went out. */
static void test_sockets(void **state)
{
	static const char v4[] =
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
		"   0: 090200C0:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0\n"
		"   1: 090200C0:0016 057100CB:C350 01 00000000:00000000 00:00000000 00000000     0        0 77 1 0 20 4 30 10 -1\n"
		"   2: 090200C0:0016 067100CB:C350 01 00000000:00000000 00:00000000 00000000     0        0 78 1 0 20 4 30 10 -1\n"
		"   3: 090200C0:D431 077100CB:01BB 02 00000000:00000000 00:00000000 00000000  1000        0 79 1 0 20 4 30 10 -1\n"
		"   4: 090200C0:D432 087100CB:01BB 06 00000000:00000000 00:00000000 00000000     0        0 0 3 0\nnonsense\n";
	static const char v6[] =
		"   0: B80D01200000000000000000090000000:D431 B80D0120000000000000000001000000:01BB 01 00000000:00000000 00:00000000 00000000 0 0 80 1\n"
		"   1: B80D0120000000000000000009000000:D431 B80D0120000000000000000001000000:01BB 01 00000000:00000000 00:00000000 00000000 0 0 80 1\n";
	static const uint64_t inodes[] = { 77 };
	struct never_list l = { .n = 0 };

	(void) state;
	never_sockets(&l, inodes, 1, false, v4, v6);
	assert_int_equal(l.n, 3);
	assert_true(listed(&l, "203.0.113.5", NEVER_ADMIN));
	assert_true(listed(&l, "203.0.113.7", NEVER_OUTGOING));
	assert_true(listed(&l, "2001:db8::1", NEVER_OUTGOING));
	never_sockets(&l, inodes, 1, true, "", "");
	assert_int_equal(l.n, 3);
	free(l.prefix);
	free(l.why);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_time),     cmocka_unit_test(test_budget), cmocka_unit_test(test_fold), cmocka_unit_test(test_files),
					    cmocka_unit_test(test_sessions), cmocka_unit_test(test_check),
					    cmocka_unit_test(test_unknown),  cmocka_unit_test(test_sockets) };

	return cmocka_run_group_tests_name("bans", tests, NULL, NULL);
}
