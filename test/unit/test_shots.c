/* Programs for one job whose time is over: the launcher ends them, and waits for none, not even for one that cannot die. */
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pidfd.h"
#include "check.h"
#include "launcher/launcher.h"

static int victim_fd;
static pid_t tracer;

/* A tracer that does not let it go holds a process at its exit, whatever signal it got, as a file system without an answer does. */
static void hold(pid_t victim)
{
	int status;
	char byte = 0;
	int p[2];

	assert_int_equal(pipe(p), 0);
	tracer = fork();
	if (tracer == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		bool ok = ptrace(PTRACE_SEIZE, victim, NULL, PTRACE_O_TRACEEXIT) == 0;

		if (ok && write(p[1], &byte, 1) == 1)
			(void) pause();
		_exit(!ok);
	}
	assert_true(tracer > 0);
	(void) close(p[1]);
	if (read(p[0], &byte, 1) != 1) { /* where a process may trace its children only */
		assert_int_equal(waitpid(tracer, &status, 0), tracer);
		(void) kill(victim, SIGKILL);
		(void) waitpid(victim, &status, 0);
		skip();
	}
	(void) close(p[0]);
}

static int set_up(void **state)
{
	int p[2];
	char byte = 0;
	pid_t pid;

	(void) state;
	(void) alarm(20);
	if (pipe(p) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void) prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
		if (write(p[1], &byte, 1) == 1)
			(void) pause();
		_exit(0);
	}
	if (read(p[0], &byte, 1) != 1)
		return -1;
	(void) close(p[0]);
	(void) close(p[1]);
	victim_fd = pv_pidfd_open(pid);
	hold(pid);
	return victim_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void) state;
	(void) kill(tracer, SIGKILL);
	(void) waitpid(tracer, NULL, 0);
	while (waitpid(-1, NULL, 0) > 0)
		;
	return 0;
}

static bool has_ended(int pidfd, int ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static void test_late(void **state)
{
	struct shots s;

	(void) state;
	shots_init(&s);
	s.at[0] = (struct shot){ .kind = SHOT_COLLECTOR, .pidfd = victim_fd, .deadline_us = 10 };
	shots_end_late(&s, 9);
	assert_int_equal(shots_next(&s), 10);
	shots_end_late(&s, 10);
	assert_true(shots_next(&s) == UINT64_MAX); /* nothing is due: its end will be told by the pidfd */
	assert_false(has_ended(victim_fd, 200));
	shots_end_late(&s, 1000);
	assert_true(s.at[0].pidfd >= 0);
	(void) kill(tracer, SIGKILL);
	assert_true(has_ended(victim_fd, 10000));
	shots_ended(&s, 0);
	assert_int_equal(s.at[0].pidfd, -1);
}

static void test_stop(void **state)
{
	struct shots s;

	(void) state;
	shots_init(&s);
	s.at[3] = (struct shot){ .kind = SHOT_COLLECTOR, .pidfd = victim_fd, .deadline_us = UINT64_MAX - 1 };
	shots_stop(&s);
	assert_int_equal(s.at[3].pidfd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_late, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stop, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
