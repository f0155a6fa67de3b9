#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cmd/cmd.h"

#define COLLECT_MAX (1u << 20)

int child_path(const struct cmd *c, const char *name, char *out, size_t size)
{
	const char *folders[] = { c->self, "/usr/lib/pavise" };

	for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
		int n = snprintf(out, size, "%s/%s", folders[i], name);

		if (n > 0 && (size_t) n < size && access(out, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

bool child_cache(char *out, size_t size)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n = -1;

	if (xdg && *xdg == '/') {
		n = snprintf(out, size, "%s/pavise", xdg);
	} else if (geteuid() == 0) {
		n = snprintf(out, size, "/var/cache/pavise");
	} else if (home && *home == '/') {
		n = snprintf(out, size, "%s/.cache", home);
		if (n > 0 && (size_t) n < size)
			(void) mkdir(out, 0700);
		n = snprintf(out, size, "%s/.cache/pavise", home);
	}
	return n > 0 && (size_t) n < size;
}

static void in_child(const char *const argv[], const struct child_io *io, int out, int err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	(void) sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		_exit(127);
	if ((out >= 0 && dup2(out, STDOUT_FILENO) < 0) || (err >= 0 && dup2(err, STDERR_FILENO) < 0))
		_exit(127);
	for (size_t i = 0; i < io->n_keep; i++)
		if (fcntl(io->keep[i], F_SETFD, 0) < 0)
			_exit(127);
	if (io->fd3 == 3 ? fcntl(3, F_SETFD, 0) < 0 : io->fd3 >= 0 && dup2(io->fd3, 3) < 0)
		_exit(127);
	execve(argv[0], (char *const *) (uintptr_t) argv, io->env ? (char *const *) (uintptr_t) io->env : (char *const[]){ NULL });
	_exit(127);
}

/* Reads both pipes until they end; what is over the cap is read and dropped, so that the child never hangs. */
static void collect(int out_fd, struct pv_buf *out, int err_fd, struct pv_buf *err)
{
	struct pollfd p[2] = { { .fd = out_fd, .events = POLLIN }, { .fd = err_fd, .events = POLLIN } };
	struct pv_buf *to[2] = { out, err };
	char chunk[4096];

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		for (size_t i = 0; i < 2; i++) {
			ssize_t n;

			if (p[i].fd < 0 || !p[i].revents)
				continue;
			n = read(p[i].fd, chunk, sizeof(chunk));
			if (n > 0)
				pv_buf_add(to[i], chunk, (size_t) n);
			else if (n == 0 || (errno != EINTR && errno != EAGAIN))
				p[i].fd = -1;
		}
	}
}

static int make_pipe(struct pv_buf *to, int *ret_read, int *ret_write)
{
	int fds[2];

	if (!to)
		return 0;
	to->cap = to->cap ? to->cap : COLLECT_MAX;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	/* Above what a child is given by number, so that dup2() to 3 never hits one of them. */
	*ret_read = fcntl(fds[0], F_DUPFD_CLOEXEC, 10);
	*ret_write = fcntl(fds[1], F_DUPFD_CLOEXEC, 10);
	(void) close(fds[0]);
	(void) close(fds[1]);
	return *ret_read < 0 || *ret_write < 0 ? -EMFILE : 0;
}

static int start(const char *const argv[], const struct child_io *io, int out, int err, pid_t *ret)
{
	pid_t pid;

	(void) fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		in_child(argv, io, out, err);
	*ret = pid;
	return 0;
}

int child_start(const char *const argv[], const struct child_io *io, pid_t *ret)
{
	return start(argv, io, -1, -1, ret);
}

int child_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int child_run(const char *const argv[], const struct child_io *io)
{
	pv_autoclose int out_r = -1, out_w = -1, err_r = -1, err_w = -1;
	int r = make_pipe(io->out, &out_r, &out_w);
	pid_t pid = -1;

	if (r == 0)
		r = make_pipe(io->err, &err_r, &err_w);
	if (r == 0)
		r = start(argv, io, out_w, err_w, &pid);
	if (r < 0)
		return r;
	out_w = pv_close(out_w);
	err_w = pv_close(err_w);
	collect(out_r, io->out, err_r, io->err);
	return child_wait(pid);
}
