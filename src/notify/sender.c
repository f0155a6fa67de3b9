/* pavise-sender: delivers what the engine hands over, and nothing else. Started on demand, ends after 30 idle seconds,
 * when launcher or engine hang up, and when a new policy is in the making (it is started again with that one). Holds
 * the channels' secrets and outgoing connections; opens no file of pavise's. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "model/policy.h"
#include "model/roles.h"
#include "notify/channel.h"
#include "store/key.h"

#define IDLE_MS 30000
#define QUEUE	8 /* as many as an engine has in the air */

struct sender {
	const struct policy *policy;
	struct role_secrets secrets;
	struct outbox_row rows[QUEUE];
	size_t n_rows;
	bool over;
};

_Static_assert(N_ELEMENTS(((struct role_secrets *) NULL)->channels) == POLICY_CHANNELS, "one secret for each channel");

/* Names are looked up by the C library, certificates by the TLS library; both open files when they are needed. */
static int sandbox_files(void)
{
	static const struct sandbox_path paths[] = {
		{ .path = "/etc/ssl" },
		{ .path = "/etc/pki" },
		{ .path = "/etc/ca-certificates" },
		{ .path = "/usr/lib/ssl" },
		{ .path = "/usr/share/ca-certificates" },
		{ .path = "/usr/local/share/ca-certificates" },
		{ .path = "/etc/resolv.conf" },
		{ .path = "/run/systemd/resolve" }, /* where resolv.conf usually points, and is replaced */
		{ .path = "/run/NetworkManager" },
		{ .path = "/run/resolvconf" },
		{ .path = "/etc/hosts" },
		{ .path = "/etc/host.conf" },
		{ .path = "/etc/nsswitch.conf" },
		{ .path = "/etc/gai.conf" },
		{ .path = "/etc/services" },
	};
	int r = sandbox_paths(paths, N_ELEMENTS(paths));

	if (r == -ENOSYS) {
		log_warning("this kernel has no landlock: the sender could open what its user may");
		return 0;
	}
	return r;
}

static int sandbox_calls(void)
{
	static const char *const calls[] = {
		"read",		 "write",	   "readv",	   "writev",	    "pread64",	      "close",
		"openat",	 "open",	   "newfstatat",   "fstat",	    "fstat64",	      "stat",
		"lstat",	 "statx",	   "lseek",	   "_llseek",	    "fcntl",	      "fcntl64",
		"getdents64",	 "readlink",	   "readlinkat",   "access",	    "faccessat",      "faccessat2",
		"mmap",		 "mmap2",	   "munmap",	   "mprotect",	    "mremap",	      "madvise",
		"brk",		 "futex",	   "poll",	   "ppoll",	    "socket",	      "socketpair",
		"connect",	 "bind",	   "sendto",	   "sendmsg",	    "sendmmsg",	      "recvfrom",
		"recvmsg",	 "getsockopt",	   "setsockopt",   "getsockname",   "getpeername",    "shutdown",
		"pipe2",	 "eventfd2",	   "ioctl",	   "clone",	    "clone3",	      "set_robust_list",
		"rseq",		 "rt_sigaction",   "rt_sigprocmask", "rt_sigreturn", "sigaltstack",   "gettid",
		"getpid",	 "tgkill",	   "exit",	   "exit_group",    "getrandom",      "clock_gettime",
		"clock_gettime64", "clock_nanosleep", "nanosleep", "gettimeofday",  "time",	      "uname",
		"getuid",	 "geteuid",	   "getgid",	   "getegid",	    "sched_yield",    "sched_getaffinity",
		"restart_syscall", "sysinfo",	   "prctl",	   "futex_time64",  "ppoll_time64",   "clock_nanosleep_time64",
	};

	return sandbox_syscalls(calls, N_ELEMENTS(calls));
}

static int read_secrets(struct role_secrets *ret)
{
	char *at = (char *) ret;
	size_t got = 0;
	ssize_t n;

	while (got < sizeof(*ret)) {
		n = pread(ROLE_FD_STATE, at + got, sizeof(*ret) - got, (off_t) got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		got += (size_t) n;
	}
	for (size_t i = 0; i < POLICY_CHANNELS; i++) {
		struct role_secret *s = &ret->channels[i];

		if (s->len > ROLE_SECRET)
			return -EBADMSG;
		while (s->len && (s->data[s->len - 1] == '\n' || s->data[s->len - 1] == '\r'))
			s->len--;
	}
	return 0;
}

static bool hung_up(void *arg)
{
	struct pollfd fds[] = { { .fd = ROLE_FD_LAUNCHER, .events = POLLIN }, { .fd = ROLE_FD_PEER } };

	(void) arg;
	return poll(fds, 2, 0) > 0 && (fds[0].revents || fds[1].revents & (POLLHUP | POLLERR));
}

static void deliver(struct sender *s, const struct outbox_row *row, struct outbox_answer *ret)
{
	const struct policy *p = s->policy;
	struct channel c = { .stop = hung_up };
	const struct channel_kind *kind;

	if (row->channel >= p->n_channels || store_channel_key(&p->channels[row->channel]) != row->key) {
		outbox_answer_set(ret, -ESTALE, "the sender has another configuration");
		s->over = true;
		return;
	}
	c.url = p->channels[row->channel].url;
	c.secret_len = s->secrets.channels[row->channel].len;
	c.secret = c.secret_len ? s->secrets.channels[row->channel].data : NULL;
	kind = channel_kind(c.url);
	if (kind)
		kind->deliver(&c, row, ret);
	else
		outbox_answer_set(ret, -EINVAL, "this version has no channel for such a URL");
}

static void queue_drop(struct sender *s, size_t i)
{
	s->n_rows--;
	memmove(&s->rows[i], &s->rows[i + 1], (s->n_rows - i) * sizeof(s->rows[0]));
}

static bool is_local(const struct sender *s, const struct outbox_row *row)
{
	const struct channel_kind *kind;

	if (row->channel >= s->policy->n_channels)
		return true;
	kind = channel_kind(s->policy->channels[row->channel].url);
	return !kind || kind->local;
}

/* The first local row, else the first: what stays on the host does not wait behind a receiver that hangs. */
static size_t queue_next(const struct sender *s)
{
	for (size_t i = 0; i < s->n_rows; i++)
		if (is_local(s, &s->rows[i]))
			return i;
	return 0;
}

static int deliver_one(struct sender *s)
{
	size_t i = queue_next(s);
	struct outbox_answer answer;

	memset(&answer, 0, sizeof(answer));
	answer.delivery = s->rows[i].delivery;
	deliver(s, &s->rows[i], &answer);
	queue_drop(s, i);
	if (send(ROLE_FD_PEER, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

/* Takes in what has arrived, as far as there is room. -EPIPE: the engine is gone; -EBADMSG: it is not ours. */
static int receive(struct sender *s)
{
	static char data[sizeof(struct outbox_row) + 1];

	while (s->n_rows < QUEUE) {
		ssize_t n = recv(ROLE_FD_PEER, data, sizeof(data), MSG_DONTWAIT);

		if (n == 0)
			return -EPIPE;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (outbox_row_parse(data, (size_t) n, &s->rows[s->n_rows]) < 0)
			return -EBADMSG;
		s->n_rows++;
	}
	return 0;
}

/* 1 when there may be something to receive, 0 when it is time to end. */
static int wait_for_more(void)
{
	struct pollfd fds[] = { { .fd = ROLE_FD_LAUNCHER, .events = POLLIN }, { .fd = ROLE_FD_PEER, .events = POLLIN } };
	int n;

	do
		n = poll(fds, 2, IDLE_MS);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	/* Anything from the launcher is a reason to end: it hung up, or has a new policy. */
	return n > 0 && !fds[0].revents;
}

static int run(struct sender *s)
{
	int r = 1;

	while (r > 0 && !s->over) {
		r = receive(s);
		if (r < 0)
			return r == -EPIPE ? 0 : r;
		if (hung_up(NULL))
			return 0;
		if (s->n_rows)
			r = deliver_one(s) < 0 ? 0 : 1;
		else
			r = wait_for_more();
	}
	return r;
}

/* Without one, the TLS library is not set up: it is most of this program's memory. */
static bool has_webhook(const struct policy *p)
{
	for (uint32_t i = 0; i < p->n_channels; i++) {
		const struct channel_kind *kind = channel_kind(p->channels[i].url);

		if (kind && kind->deliver == webhook_deliver)
			return true;
	}
	return false;
}

static int start(struct sender *s)
{
	int r;

	if (geteuid() == 0)
		return -EPERM;
	r = sandbox_basics();
	if (!r)
		r = policy_map(ROLE_FD_POLICY, &s->policy);
	if (!r)
		r = read_secrets(&s->secrets);
	(void) close(ROLE_FD_POLICY);
	(void) close(ROLE_FD_STATE);
	if (!r && has_webhook(s->policy))
		r = webhook_start();
	tzset(); /* reads /etc/localtime, which is out of reach afterwards */
	if (!r)
		r = sandbox_files();
	if (!r)
		r = sandbox_calls();
	return r;
}

/* Nothing of the environment is for us but what log.h looks at: libraries read proxies, certificate files and resolver
 * options from it. */
static int clear_environment(void)
{
	const char *journal = getenv("JOURNAL_STREAM");
	char *kept = journal ? strdup(journal) : NULL;
	int r;

	(void) clearenv();
	r = kept ? setenv("JOURNAL_STREAM", kept, 1) : 0;
	free(kept);
	return r;
}

int main(void)
{
	static struct sender sender;
	const char ready = LAUNCH_READY;
	int r;

	log_open("pavise-sender");
	(void) clear_environment();
	r = start(&sender);
	if (r == -EPERM && geteuid() == 0) {
		log_error("must not run as root; `pavise guard` starts it");
		return ROLE_EXIT_CONFIG;
	}
	if (r < 0) {
		(void) log_error_errno(r, "cannot start");
		return EXIT_FAILURE;
	}
	if (send(ROLE_FD_LAUNCHER, &ready, 1, MSG_NOSIGNAL) < 0)
		return EXIT_FAILURE;
	r = run(&sender);
	webhook_stop();
	explicit_bzero(&sender.secrets, sizeof(sender.secrets));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
