/* A socket that its starter keeps and hands on: who accepts there comes and goes, as dockerd behind docker.socket. */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/activated.h"
#include "check.h"

#define SYSTEMD 1 /* who listens, as SO_PEERCRED would say */

/* A process of that name, with the socket among its descriptors or without. */
static pid_t server(int listener, const char *name, bool holds)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void) prctl(PR_SET_NAME, name);
		if (holds)
			(void) fcntl(listener, F_DUPFD, 50);
		(void) close(listener);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		(void) pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void) close(ready[0]);
	(void) close(ready[1]);
	return pid;
}

static void end(pid_t pid)
{
	(void) kill(pid, SIGKILL);
	(void) waitpid(pid, NULL, 0);
}

static void test_comes_and_goes(void **state)
{
	char dir[] = "/tmp/pv-activated-XXXXXX";
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct activated seen = { 0 };
	struct stat st, other;
	pid_t pid, late;

	(void) state;
	assert_non_null(mkdtemp(dir));
	(void) snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", dir);
	assert_int_equal(bind(s, (struct sockaddr *) &a, sizeof(a)), 0);
	assert_int_equal(listen(s, 4), 0);
	assert_int_equal(stat(a.sun_path, &st), 0);
	assert_int_equal(stat(dir, &other), 0);

	CHECK(activated_may_connect(&seen, &st), "nothing is known yet");
	activated_connected(&seen, &st, SYSTEMD, 1);
	CHECK(activated_may_connect(&seen, &st), "no dockerd was seen: podman's service is there on demand");
	pid = server(s, "dockerd", true);
	activated_connected(&seen, &st, SYSTEMD, 2);
	CHECK(seen.server == 0, "not looked for at every connection");
	activated_connected(&seen, &st, SYSTEMD, 2000000);
	CHECK(seen.server == pid, "found: %d is %d", seen.server, (int) pid);
	CHECK(activated_may_connect(&seen, &st), "it accepts");
	late = server(s, "dockerd", false);
	end(pid);
	CHECK(!activated_may_connect(&seen, &st), "it has gone; another one without the socket does not accept");
	CHECK(activated_may_connect(&seen, &other), "another socket is another matter");
	end(late);
	pid = server(s, "docker-proxy", true);
	CHECK(!activated_may_connect(&seen, &st), "whoever else has the socket does not accept");
	end(pid);
	pid = server(s, "dockerd", true);
	CHECK(activated_may_connect(&seen, &st) && seen.server == pid, "started again");
	end(pid);
	activated_connected(&seen, &other, SYSTEMD, 3000000);
	CHECK(activated_may_connect(&seen, &other), "a node that nobody listens at");
	seen = (struct activated){ 0 };
	pid = server(s, "dockerd", true);
	activated_connected(&seen, &st, getpid(), 1);
	end(pid);
	CHECK(activated_may_connect(&seen, &st), "who listens himself is not started by a connection");

	(void) close(s);
	(void) unlink(a.sun_path);
	(void) rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_comes_and_goes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
