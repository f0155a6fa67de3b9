/* The flat policy: what a role refuses to run with, and what it says about one workload. */
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/util.h"
#include "model/conf.h"
#include "model/policy.h"
#include "model/workload.h"

static struct policy good, p;

static int setup(void **state)
{
	pv_autobuf err = PV_BUF_INIT;

	(void) state;
	conf_defaults(&good);
	return conf_finish(&good, &err);
}

#define BREAKS(change)                                                                             \
	do {                                                                                       \
		p = good;                                                                          \
		change;                                                                            \
		CHECK(policy_check(&p) == -EBADMSG, "%s", #change);                                \
	} while (0)

static void test_check(void **state)
{
	(void) state;
	assert_int_equal(policy_check(&good), 0);
	BREAKS(p.magic++);
	BREAKS(p.version++);
	BREAKS(p.size--);
	BREAKS(p.observe = 2);
	BREAKS(memset(p.state_dir, 'a', sizeof(p.state_dir)));
	BREAKS(p.state_dir[0] = '\0');
	BREAKS(strcpy(p.run_dir, "run"));
	BREAKS(strcpy(p.bpf_dir, "/a/../b"));
	BREAKS(strcpy(p.cgroup_root, "/a\nb"));
	BREAKS(memset(p.docker_socket, '/', sizeof(p.docker_socket)));
	BREAKS(p.cpu.action = ACTION_BLOCK);
	BREAKS(p.cpu.limit = 0);
	BREAKS(p.cpu.hold_us = 0);
	BREAKS(p.memory.action = ACTION_N);
	BREAKS(p.memory.of_limit = 10001);
	BREAKS(p.pids.action = 255);
	BREAKS(p.net.action = ACTION_KILL);
	BREAKS(p.net.n_ports = POLICY_PORTS + 1);
	BREAKS(p.net.ports[0] = 0);
	BREAKS(p.net.n_internal = POLICY_PREFIXES + 1);
	BREAKS((p.net.n_allow = 1, p.net.allow[0].len = 129));
	BREAKS(p.dns.action = ACTION_FREEZE);
	BREAKS(p.dns.n_names = POLICY_PATTERNS + 1);
	BREAKS(memset(p.dns.names[0], 'a', sizeof(p.dns.names[0])));
	BREAKS(p.dns.allow[0][0] = '\0');
	BREAKS(p.n_exceptions = POLICY_EXCEPTIONS + 1);
	BREAKS(p.n_exceptions = 1); /* an empty name */
	BREAKS((p.n_exceptions = 1, strcpy(p.exceptions[0].name, "a"), p.exceptions[0].signal = SIGNAL_N + 1));
	BREAKS((p.n_exceptions = 1, strcpy(p.exceptions[0].name, "a"), p.exceptions[0].action = ACTION_KILL));
	BREAKS(p.n_channels = POLICY_CHANNELS + 1);
	BREAKS((p.n_channels = 1, strcpy(p.channels[0].url, "journal:")));
	BREAKS(p.sample_us = 0);
	BREAKS(p.login.action = ACTION_KILL);
	BREAKS(p.login.limit = 0);
	BREAKS(p.login.within_us = 0);
	BREAKS(p.login.n_paths = POLICY_WEBPATHS + 1);
	BREAKS(p.login.n_paths = 1); /* empty */
	BREAKS(p.logs.n_files = POLICY_LOGS + 1);
	BREAKS(p.logs.n_files = 1);
	BREAKS((p.logs.n_files = 1, strcpy(p.logs.files[0].path, "/a/../b")));
	BREAKS(p.logs.journal = 2);
	BREAKS(strcpy(p.logs.syslog, "log"));
	BREAKS(p.docker_root[0] = '\0');
	BREAKS(p.logs.n_ban = POLICY_SERVICES + 1);
	BREAKS((p.logs.n_ban = 1, memset(p.logs.ban[0], 'a', sizeof(p.logs.ban[0]))));
	BREAKS(p.ban.raw = 2);
	BREAKS(p.ban.prefix6 = 55);
	BREAKS(p.ban.max_us = p.login.ban_us - 1);
	BREAKS(p.ban.budget.us = 0);
	BREAKS(p.n_proxies = POLICY_PREFIXES + 1);
	BREAKS((p.n_never_ban = 1, p.never_ban[0].len = 129));
	p = good;
	p.docker_socket[0] = '\0'; /* not used */
	assert_int_equal(policy_check(&p), 0);
}

static int sealed(const void *data, size_t len, int seals)
{
	int fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t) len);
	if (seals)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void test_map(void **state)
{
	const int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	static const struct {
		int seals;
		size_t len;
		int want;
	} cases[] = {
		{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, sizeof(struct policy), 0 },
		{ 0, sizeof(struct policy), -EBADMSG },
		{ F_SEAL_SHRINK | F_SEAL_GROW, sizeof(struct policy), -EBADMSG },
		{ F_SEAL_GROW | F_SEAL_WRITE, sizeof(struct policy), -EBADMSG },
		{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, sizeof(struct policy) - 1, -EBADMSG },
		{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, 0, -EBADMSG },
	};
	const struct policy *map = NULL;
	int fd;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		fd = sealed(&good, cases[i].len, cases[i].seals);
		CHECK(policy_map(fd, &map) == cases[i].want, "case %zu", i);
		if (cases[i].want == 0) {
			assert_memory_equal(map, &good, sizeof(good));
			policy_unmap(map);
		}
		(void) close(fd);
	}
	p = good;
	p.magic = 0;
	fd = sealed(&p, sizeof(p), all);
	assert_int_equal(policy_map(fd, &map), -EBADMSG);
	(void) close(fd);
	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_int_equal(policy_map(fd, &map), -EBADMSG);
	(void) close(fd);
	assert_int_equal(policy_map(-1, &map), -EBADF);
	policy_unmap(NULL);
}

static void add(const char *name, unsigned signal, enum pv_action action)
{
	struct policy_exception *e = &p.exceptions[p.n_exceptions++];

	memset(e, 0, sizeof(*e));
	strcpy(e->name, name);
	e->signal = (uint8_t) signal;
	e->action = (uint8_t) action;
}

static void test_action(void **state)
{
	static const struct {
		const char *name;
		enum pv_signal signal;
		enum pv_action want;
		int exception;
	} cases[] = {
		{ "other", SIGNAL_CPU, ACTION_KILL, -1 },	 { "shop/web", SIGNAL_CPU, ACTION_IGNORE, 0 },
		{ "shop/web", SIGNAL_NET, ACTION_BLOCK, -1 },	 { "shop/job", SIGNAL_CPU, ACTION_ALERT, 1 },
		{ "ci", SIGNAL_DNS, ACTION_IGNORE, 2 },		 { "ci", SIGNAL_CPU, ACTION_IGNORE, 2 },
		{ "quiet", SIGNAL_PIDS, ACTION_IGNORE, 3 },	 { "Shop/web", SIGNAL_CPU, ACTION_KILL, -1 },
	};
	int exception;

	(void) state;
	p = good;
	add("shop/*", SIGNAL_CPU, ACTION_IGNORE);
	add("shop/job", SIGNAL_CPU, ACTION_ALERT); /* the later one wins */
	add("ci", SIGNAL_N, ACTION_IGNORE);
	add("quiet", SIGNAL_PIDS, ACTION_ALERT);
	p.pids.action = ACTION_IGNORE; /* an exception never makes it louder */
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CHECK(policy_action(&p, cases[i].name, cases[i].signal, &exception) == cases[i].want, "case %zu", i);
		CHECK(exception == cases[i].exception, "case %zu: exception %d", i, exception);
	}
	assert_int_equal(policy_action(&p, "ci", SIGNAL_CPU, NULL), ACTION_IGNORE);
}

/* A container is spared by its own name, or by its image's where that counts. */
static void test_excepts(void **state)
{
	struct container_info c = { .image = "ci/build:3" };
	enum pv_action a;

	(void) state;
	p = good;
	add("image:ci/*", SIGNAL_CPU, ACTION_IGNORE);
	add("web", SIGNAL_CPU, ACTION_ALERT);
	assert_true(policy_excepts(&p, "web", NULL, SIGNAL_CPU, &a));
	assert_int_equal(a, ACTION_ALERT);
	assert_true(policy_excepts(&p, "job-7", &c, SIGNAL_CPU, &a));
	assert_int_equal(a, ACTION_IGNORE);
	assert_false(policy_excepts(&p, "job-7", NULL, SIGNAL_CPU, &a));
	assert_int_equal(a, ACTION_KILL);
	assert_false(policy_excepts(&p, "job-7", &c, SIGNAL_PIDS, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_action), cmocka_unit_test(test_excepts),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
