#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/pidfd.h"
#include "base/sandbox.h"
#include "launcher/launcher.h"

#define HIGH_FD	  100 /* above every number a role is given */
#define SPAWN_FDS 80  /* the configuration files of the policy child are the most */

/* Moves the descriptors to their numbers in two steps: a source may sit on somebody else's target. Returns where the
 * folder of programs lies now, or a negative errno. */
static int place_fds(const struct spawn *s, int programs_fd)
{
	int high[SPAWN_FDS];
	int last = 2, dir;

	if (s->n_fds > SPAWN_FDS)
		return -E2BIG;
	for (size_t i = 0; i < s->n_fds; i++) {
		high[i] = fcntl(s->fds[i].fd, F_DUPFD_CLOEXEC, HIGH_FD);
		if (high[i] < 0)
			return -errno;
	}
	dir = fcntl(programs_fd, F_DUPFD_CLOEXEC, HIGH_FD);
	if (dir < 0)
		return -errno;
	for (size_t i = 0; i < s->n_fds; i++) {
		if (dup2(high[i], s->fds[i].as) < 0)
			return -errno;
		last = PV_MAX(last, s->fds[i].as);
	}
	/* Whatever was inherited from the shell or service manager without close-on-exec ends here; holes below `last`
	 * too. */
	for (int fd = 3; fd < last; fd++) {
		bool wanted = false;

		for (size_t i = 0; i < s->n_fds; i++)
			wanted |= s->fds[i].as == fd;
		if (!wanted)
			(void) close(fd);
	}
	if (syscall(SYS_close_range, (unsigned) last + 1, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */) < 0)
		return -errno;
	return dir;
}

static void limit(int what, uint64_t n)
{
	struct rlimit l = { n, n };

	if (n)
		(void) setrlimit(what, &l);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void) signal(sig, SIG_DFL);
	(void) sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
}

static int null_stdin(const struct spawn *s)
{
	int fd;

	for (size_t i = 0; i < s->n_fds; i++)
		if (s->fds[i].as == 0)
			return 0;
	fd = open("/dev/null", O_RDWR);
	if (fd < 0 || dup2(fd, 0) < 0)
		return -errno;
	if (fd > 2)
		(void) close(fd);
	return 0;
}

static __attribute__((noreturn)) void become(const struct places *p, const struct spawn *s)
{
	static char path_env[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char journal[64] = "", tz[128] = "";
	char *env[4] = { path_env };
	const char *stream = getenv("JOURNAL_STREAM"), *zone = getenv("TZ");
	size_t n = 1;
	int dir, r;

	reset_signals();
	(void) setsid(); /* no terminal to talk to, and Ctrl-C reaches the launcher alone */
	(void) umask(077);
	if (chdir("/") < 0)
		_exit(ROLE_EXIT_CONFIG);
	if (stream && snprintf(journal, sizeof(journal), "JOURNAL_STREAM=%s", stream) < (int) sizeof(journal))
		env[n++] = journal;
	if (zone && snprintf(tz, sizeof(tz), "TZ=%s", zone) < (int) sizeof(tz))
		env[n++] = tz;
	r = null_stdin(s);
	dir = r < 0 ? r : place_fds(s, p->programs_fd);
	if (dir < 0) {
		(void) log_error_errno(dir, "%s: cannot hand over its descriptors", s->program);
		_exit(ROLE_EXIT_CONFIG);
	}
	limit(RLIMIT_CPU, s->cpu_s);
	limit(RLIMIT_FSIZE, s->file_bytes);
	limit(RLIMIT_AS, s->memory_bytes);
	if (s->no_network) /* refused in some containers; the child's own filter holds in any case */
		(void) unshare(CLONE_NEWNET);
	r = sandbox_become(s->ids.uid, s->ids.gid, s->caps);
	if (r == 0)
		r = sandbox_basics();
	if (r < 0) {
		(void) log_error_errno(r, "%s: cannot take its user and capabilities", s->program);
		_exit(ROLE_EXIT_CONFIG);
	}
	(void) prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0); /* after the change of user, which clears it */
	/* Relative to the folder's descriptor: the folders above it (a build in /root) need not be open to the role. */
	(void) syscall(SYS_execveat, dir, s->program, s->argv, env, 0);
	(void) log_error_errno(-errno, "%s: user %u cannot execute it", s->program, (unsigned) s->ids.uid);
	_exit(ROLE_EXIT_CONFIG);
}

int spawn(const struct places *p, const struct spawn *s, pid_t *ret_pid, int *ret_pidfd)
{
	pid_t pid = fork();
	int fd;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(p, s);
	fd = pv_pidfd_open(pid);
	if (fd < 0) {
		int r = -errno;

		(void) kill(pid, SIGKILL);
		(void) waitpid(pid, NULL, 0);
		return r;
	}
	(void) fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (ret_pid)
		*ret_pid = pid;
	*ret_pidfd = fd;
	return 0;
}

int spawn_wait(int pidfd, int ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	siginfo_t info = { 0 };
	bool killed = false;
	int r;

	do
		r = poll(&p, 1, ms);
	while (r < 0 && errno == EINTR);
	if (r == 0) {
		killed = true;
		(void) pv_pidfd_signal(pidfd, SIGKILL);
	}
	do
		r = waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED) < 0 ? -errno : 0;
	while (r == -EINTR);
	(void) pv_close(pidfd);
	if (r < 0)
		return r;
	if (killed)
		return -ETIMEDOUT;
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}
