#include <fcntl.h>
#include <getopt.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "base/pidfd.h"
#include "base/sandbox.h"
#include "launcher/launcher.h"

#define BIT(cap) (1ULL << (cap))
#define CAPS_BROKER                                                                                \
	(BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_NET_ADMIN) | BIT(CAP_KILL) |                    \
	 BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_PTRACE))
/* What the roles hold, only to pass it on, and what passing on needs. Folders and socket are made before this. */
#define CAPS_LAUNCHER (CAPS_BROKER | BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SETPCAP))

#define STOP_MS	     5000
#define RELOAD_EVERY USEC_PER_SEC

enum tag { TAG_SIGNAL, TAG_SOCK, TAG_PID, TAG_SHOT, TAG_RULES }; /* upper half of epoll's data; lower: which one */

struct role {
	enum launch_role id;
	const char *program;
	int pidfd; /* -1: does not run */
	int sock;  /* our end of ROLE_FD_LAUNCHER */
	bool ready;
	uint64_t start_us; /* when to start it; 0: not planned */
	struct restart restart;
};

struct launcher {
	const char *config;
	bool observe, stopping, ready_told, reload;
	int status;
	struct places places;
	const struct policy *policy;
	int policy_fd, epoll_fd, signal_fd;
	struct role broker, engine, sender;
	int engine_peer;    /* the broker's partner, for the engine that is about to start; -1: none waits */
	int sender_pair[2]; /* 0 engine's end, 1 sender's; kept open, so that what is queued outlives either */
	uint64_t reload_us; /* not before */
	unsigned dying;	    /* bits 1 << role: to be told to the next engine */
	int rules_fd;	    /* compiled rules for logs, for every engine; -1: none yet */
	struct rules_job rules;
	struct shots shots;
};

static struct role *role_of(struct launcher *l, uint32_t id)
{
	return id == LAUNCH_BROKER ? &l->broker : id == LAUNCH_ENGINE ? &l->engine : &l->sender;
}

static int watch(struct launcher *l, int fd, enum tag tag, uint32_t which)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = (uint64_t) tag << 32 | which };

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static void tell(const struct role *role, uint32_t op, uint32_t which, int fd)
{
	struct launch_msg m = { .op = op, .role = which };
	int r;

	if (role->sock < 0)
		return;
	r = fdpass_send(role->sock, &m, sizeof(m), &fd, fd >= 0 ? 1 : 0);
	if (r < 0)
		(void) log_warning_errno(r, "%s: cannot tell it the news", role->program);
}

/* Both ends block; each owner decides for itself. */
static int pair(int ret[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0 ? -errno : 0;
}

/* Starts one role with its descriptors; the launcher socket and the policy are every role's. */
static int role_start(struct launcher *l, struct role *role, struct ids ids, uint64_t caps,
		      const struct spawn_fd *more, size_t n_more)
{
	struct spawn_fd fds[8] = { { -1, ROLE_FD_LAUNCHER }, { l->policy_fd, ROLE_FD_POLICY } };
	char *argv[] = { (char *) (uintptr_t) role->program, NULL };
	struct spawn s = { .program = role->program, .argv = argv, .ids = ids, .caps = caps, .fds = fds,
			   .n_fds = 2 + n_more };
	int sock[2], r = pair(sock);

	if (r < 0)
		return r;
	fds[0].fd = sock[1];
	memcpy(fds + 2, more, n_more * sizeof(*more));
	r = spawn(&l->places, &s, NULL, &role->pidfd);
	(void) pv_close(sock[1]);
	if (r < 0) {
		(void) pv_close(sock[0]);
		return r;
	}
	role->sock = sock[0];
	(void) fcntl(role->sock, F_SETFL, O_NONBLOCK);
	role->ready = false;
	role->start_us = 0;
	restart_started(&role->restart, clock_monotonic_us());
	r = watch(l, role->sock, TAG_SOCK, role->id);
	return r < 0 ? r : watch(l, role->pidfd, TAG_PID, role->id);
}

static int broker_start(struct launcher *l)
{
	int p[2], r = pair(p);

	if (r < 0)
		return r;
	r = role_start(l, &l->broker, (struct ids){ 0, 0 }, CAPS_BROKER,
		       &(struct spawn_fd){ p[0], ROLE_FD_PEER }, 1);
	(void) pv_close(p[0]);
	l->engine_peer = pv_close(l->engine_peer);
	l->engine_peer = p[1];
	return r;
}

static int engine_start(struct launcher *l)
{
	int r;

	if (l->engine_peer < 0) { /* the broker runs on: a fresh socket for it */
		int p[2];

		r = pair(p);
		if (r < 0)
			return r;
		tell(&l->broker, LAUNCH_PEER, 0, p[0]);
		(void) pv_close(p[0]);
		l->engine_peer = p[1];
	}
	const struct spawn_fd fds[] = { { l->engine_peer, ROLE_FD_PEER },
					{ l->places.control_fd, ROLE_FD_CONTROL },
					{ l->places.engine_fd, ROLE_FD_STATE },
					{ l->sender_pair[0], ROLE_FD_SENDER } };

	r = role_start(l, &l->engine, l->places.engine, 0, fds, N_ELEMENTS(fds));
	l->engine_peer = pv_close(l->engine_peer);
	return r;
}

static int sender_start(struct launcher *l)
{
	pv_autoclose int secrets = -1;
	int r = child_secrets(l->policy, &secrets);

	if (r < 0)
		return r;
	const struct spawn_fd fds[] = { { l->sender_pair[1], ROLE_FD_PEER }, { secrets, ROLE_FD_STATE } };

	return role_start(l, &l->sender, l->places.sender, 0, fds, N_ELEMENTS(fds));
}

static void role_forget(struct role *role)
{
	role->pidfd = -1; /* closed by spawn_wait() */
	role->sock = pv_close(role->sock);
	role->ready = false;
	role->start_us = 0;
}

/* Ends a role that should go, politely first. */
static void role_stop(struct role *role)
{
	if (role->pidfd >= 0) {
		(void) pv_pidfd_signal(role->pidfd, SIGTERM);
		if (spawn_wait(role->pidfd, STOP_MS) == -ETIMEDOUT)
			log_warning("%s did not end within 5 s and was killed", role->program);
	}
	role_forget(role);
}

static void tell_dying(struct launcher *l)
{
	for (uint32_t id = LAUNCH_BROKER; id <= LAUNCH_SENDER; id++)
		if (l->dying & 1u << id)
			tell(&l->engine, LAUNCH_ROLE_DYING, id, -1);
	l->dying = 0;
}

/* Something queued for the sender that it did not take: it is wanted again. */
static bool sender_has_work(const struct launcher *l)
{
	char byte;

	return recv(l->sender_pair[1], &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static uint64_t plan_restart(struct launcher *l, struct role *role, int status)
{
	uint64_t now = clock_monotonic_us(), delay;
	bool dying;

	delay = restart_died(&role->restart, now, &dying);
	if (status == ROLE_EXIT_CONFIG)
		delay = 60 * USEC_PER_SEC;
	if (status > 128)
		log_warning("%s was ended by a signal (%s); starting it again in %u s", role->program,
			    sigdescr_np(status - 128), (unsigned) (delay / USEC_PER_SEC));
	else
		log_warning("%s ended with status %d; starting it again in %u s", role->program, status,
			    (unsigned) (delay / USEC_PER_SEC));
	if (dying) {
		log_error("%s died three times within a minute; blocks in force stay in force", role->program);
		l->dying |= 1u << role->id;
		if (role != &l->engine && l->engine.ready)
			tell_dying(l);
	}
	return now + delay;
}

static void sender_died(struct launcher *l, int status)
{
	if (status == 0) {
		role_forget(&l->sender);
		if (sender_has_work(l))
			l->sender.start_us = clock_monotonic_us();
		return;
	}
	role_forget(&l->sender);
	l->sender.start_us = plan_restart(l, &l->sender, status);
}

/* Without the broker nobody acts, and what engine and sender hold of it is void: all three start afresh. */
static void broker_died(struct launcher *l, int status)
{
	bool sender = l->sender.pidfd >= 0;
	uint64_t at;

	role_forget(&l->broker);
	role_stop(&l->engine);
	role_stop(&l->sender);
	l->engine_peer = pv_close(l->engine_peer);
	sender |= sender_has_work(l);
	l->sender_pair[0] = pv_close(l->sender_pair[0]);
	l->sender_pair[1] = pv_close(l->sender_pair[1]);
	at = plan_restart(l, &l->broker, status);
	l->broker.start_us = l->engine.start_us = at;
	l->sender.start_us = sender ? at : 0;
}

static void role_died(struct launcher *l, struct role *role)
{
	int status = spawn_wait(role->pidfd, 0);
	bool was_ready = role->ready;

	if (!l->ready_told && !was_ready && status == ROLE_EXIT_CONFIG && role != &l->sender) {
		log_error("%s cannot run here; giving up", role->program);
		role_forget(role);
		l->status = ROLE_EXIT_CONFIG;
		l->stopping = true;
	} else if (role == &l->broker) {
		broker_died(l, status);
	} else if (role == &l->engine) {
		role_forget(role);
		role->start_us = plan_restart(l, role, status);
	} else {
		sender_died(l, status);
	}
}

/* Where none is free the broker sees its pipe or socket end without an answer. */
static void shot_start(struct launcher *l, enum shot_kind kind, const int *fds, size_t n_fds)
{
	int which = shots_start(&l->shots, kind, &l->places, l->policy, fds, n_fds);

	if (which >= 0)
		(void) watch(l, l->shots.at[which].pidfd, TAG_SHOT, (uint32_t) which);
}

static void on_byte(struct launcher *l, struct role *role, char byte, const int *fds, size_t n_fds)
{
	if (byte == LAUNCH_READY) {
		role->ready = true;
		if (role == &l->engine) {
			tell_dying(l);
			if (l->rules_fd >= 0)
				tell(&l->engine, LAUNCH_RULES, 0, l->rules_fd);
		}
		if (!l->ready_told && l->broker.ready && l->engine.ready) {
			l->ready_told = true;
			service_notify("READY=1");
		}
	} else if (byte == LAUNCH_WANT_SENDER && role == &l->engine) {
		if (l->sender.pidfd < 0 && !l->sender.start_us)
			l->sender.start_us = clock_monotonic_us();
	} else if (byte == LAUNCH_WANT_RELOAD && role == &l->engine) {
		l->reload = true;
	} else if (byte == LAUNCH_WANT_SWARM && role == &l->broker) {
		shot_start(l, SHOT_SWARM, fds, n_fds);
	} else if (byte == LAUNCH_WANT_CAPTURE && role == &l->broker) {
		shot_start(l, SHOT_COLLECTOR, fds, n_fds);
	}
}

static void on_sock(struct launcher *l, struct role *role)
{
	int fds[FDPASS_MAX];
	size_t n_fds = 0;
	char byte = 0;
	ssize_t n;

	if (role->sock < 0)
		return;
	n = fdpass_recv(role->sock, &byte, 1, fds, &n_fds);
	if (n == -EAGAIN)
		return;
	if (n != 1) { /* it hung up, or does not keep to the protocol: its death is seen by pidfd */
		role->sock = pv_close(role->sock);
		if (role->pidfd >= 0 && n != 0)
			(void) pv_pidfd_signal(role->pidfd, SIGKILL);
		return;
	}
	on_byte(l, role, byte, fds, n_fds);
	while (n_fds)
		(void) pv_close(fds[--n_fds]);
}

static void log_lines(enum log_level level, const struct pv_buf *text)
{
	const char *line = pv_buf_str(text), *end;

	while ((end = strchr(line, '\n'))) {
		(void) log_full(level, 0, "%.*s", (int) (end - line), line);
		line = end + 1;
	}
}

/* In the background: nothing waits for rules but the logs. */
static void rules_start(struct launcher *l)
{
	int r;

	if (l->rules.pidfd >= 0)
		child_rules_end(&l->rules, NULL);
	r = child_rules(&l->places, l->policy, &l->rules);
	if (r == 0)
		r = watch(l, l->rules.pidfd, TAG_RULES, 0);
	if (r < 0)
		(void) log_error_errno(r, "logs are not read: their rules cannot be compiled");
}

static void rules_done(struct launcher *l)
{
	int fd = -1, r = child_rules_end(&l->rules, &fd);

	if (r < 0) {
		(void) log_error_errno(r, l->rules_fd < 0 ? "logs are not read: there are no rules" :
				       "the new rules for logs are refused; the ones before stay in force");
		return;
	}
	(void) pv_close(l->rules_fd);
	l->rules_fd = fd;
	if (l->engine.ready)
		tell(&l->engine, LAUNCH_RULES, 0, fd);
}

static void reload(struct launcher *l)
{
	pv_autobuf err = PV_BUF_INIT;
	const struct policy *policy;
	int fd = -1, r = child_policy(&l->places, l->config, l->observe, l->policy->pool.version, &fd, &err);

	l->reload = false;
	l->reload_us = clock_monotonic_us() + RELOAD_EVERY;
	if (r == 0)
		r = policy_map(fd, &policy);
	if (r < 0) {
		pv_autoclose int errors = -1;

		(void) pv_close(fd);
		log_error("the new configuration is refused; the old one stays in force");
		log_lines(LOG_LEVEL_ERR, &err);
		if (child_memfd("pavise-errors", pv_buf_str(&err), err.len, &errors) == 0)
			tell(&l->engine, LAUNCH_POLICY_FAILED, 0, errors);
		return;
	}
	log_lines(LOG_LEVEL_WARNING, &err);
	if (strcmp(policy->state_dir, l->policy->state_dir) != 0 ||
	    strcmp(policy->run_dir, l->policy->run_dir) != 0 || strcmp(policy->bpf_dir, l->policy->bpf_dir) != 0)
		log_warning("state_dir, run_dir and bpf_dir change only when the guard starts again");
	policy_unmap(l->policy);
	(void) pv_close(l->policy_fd);
	l->policy = policy;
	l->policy_fd = fd;
	tell(&l->broker, LAUNCH_POLICY, 0, fd);
	tell(&l->engine, LAUNCH_POLICY, 0, fd);
	if (l->sender.pidfd >= 0) { /* it knows the old channels; what is queued waits in the socket */
		role_stop(&l->sender);
		l->sender.start_us = clock_monotonic_us();
	}
	log_info("the new configuration is in force");
	rules_start(l);
}

static void on_signal(struct launcher *l)
{
	struct signalfd_siginfo si;

	while (read(l->signal_fd, &si, sizeof(si)) == (ssize_t) sizeof(si)) {
		if (si.ssi_signo == SIGHUP)
			l->reload = true;
		else
			l->stopping = true;
	}
}

/* An event may be about a predecessor: a child between fork and exec holds its descriptor a moment longer. */
static bool ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return pidfd >= 0 && poll(&p, 1, 0) == 1;
}

static void on_event(struct launcher *l, uint64_t data)
{
	uint32_t which = (uint32_t) data;

	switch ((enum tag) (data >> 32)) {
	case TAG_SIGNAL:
		on_signal(l);
		break;
	case TAG_SOCK:
		on_sock(l, role_of(l, which));
		break;
	case TAG_PID:
		if (ended(role_of(l, which)->pidfd))
			role_died(l, role_of(l, which));
		break;
	case TAG_RULES:
		if (ended(l->rules.pidfd))
			rules_done(l);
		break;
	case TAG_SHOT:
		if (ended(l->shots.at[which].pidfd))
			shots_ended(&l->shots, which);
		break;
	}
}

static int pairs_ready(struct launcher *l)
{
	return l->sender_pair[0] >= 0 ? 0 : pair(l->sender_pair);
}

/* Starts what is due; a role that cannot even be forked waits like one that died. */
static void start_due(struct launcher *l, uint64_t now)
{
	static int (*const start[])(struct launcher *) = { [LAUNCH_BROKER] = broker_start,
							   [LAUNCH_ENGINE] = engine_start,
							   [LAUNCH_SENDER] = sender_start };

	for (uint32_t id = LAUNCH_BROKER; id <= LAUNCH_SENDER; id++) {
		struct role *role = role_of(l, id);
		int r;

		if (!role->start_us || role->start_us > now)
			continue;
		if (id != LAUNCH_BROKER && l->broker.pidfd < 0)
			continue;
		r = pairs_ready(l);
		if (r == 0)
			r = start[id](l);
		if (r < 0) {
			(void) log_error_errno(r, "cannot start %s", role->program);
			role->start_us = now + USEC_PER_SEC;
		}
	}
}

static uint64_t next_due(struct launcher *l, uint64_t now)
{
	uint64_t next = service_watchdog(now);

	for (uint32_t id = LAUNCH_BROKER; id <= LAUNCH_SENDER; id++)
		if (role_of(l, id)->start_us && (id == LAUNCH_BROKER || l->broker.pidfd >= 0))
			next = PV_MIN(next, role_of(l, id)->start_us);
	next = PV_MIN(next, shots_next(&l->shots));
	if (l->reload)
		next = PV_MIN(next, l->reload_us);
	return next;
}

static int wait_ms(uint64_t next, uint64_t now)
{
	if (next == UINT64_MAX)
		return -1;
	return next <= now ? 0 : (int) PV_MIN((next - now) / USEC_PER_MSEC + 1, (uint64_t) 60000);
}

static void run(struct launcher *l)
{
	while (!l->stopping) {
		struct epoll_event e;
		uint64_t now = clock_monotonic_us();

		shots_end_late(&l->shots, now);
		start_due(l, now);
		if (l->reload && now >= l->reload_us)
			reload(l);
		/* One at a time: handling it may have ended what the next one in a batch was about. */
		if (epoll_wait(l->epoll_fd, &e, 1, wait_ms(next_due(l, now), now)) == 1)
			on_event(l, e.data.u64);
	}
}

static void stop_all(struct launcher *l)
{
	if (l->rules.pidfd >= 0)
		(void) child_rules_end(&l->rules, NULL);
	service_notify("STOPPING=1");
	role_stop(&l->engine);
	role_stop(&l->sender);
	role_stop(&l->broker);
	shots_stop(&l->shots);
	if (l->ready_told)
		log_info("stopped. Blocks stay in force; `pavise off` lifts them");
}

static int open_loop(struct launcher *l)
{
	sigset_t set;

	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGTERM);
	(void) sigaddset(&set, SIGINT);
	(void) sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	(void) signal(SIGPIPE, SIG_IGN);
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->signal_fd < 0 || l->epoll_fd < 0)
		return -errno;
	return watch(l, l->signal_fd, TAG_SIGNAL, 0);
}

/* The engine holds six files for each container; the soft limit is there for select(2), which nobody here uses. */
static void raise_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		(void) setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int prepare(struct launcher *l)
{
	pv_autobuf err = PV_BUF_INIT;
	int r = places_find(&l->places);

	if (r < 0)
		return r;
	r = child_policy(&l->places, l->config, l->observe, 0, &l->policy_fd, &err);
	log_lines(r < 0 ? LOG_LEVEL_ERR : LOG_LEVEL_WARNING, &err);
	if (r < 0)
		return r;
	r = policy_map(l->policy_fd, &l->policy);
	if (r < 0)
		return log_error_errno(r, "the policy child's answer is not a policy");
	r = places_make(&l->places, l->policy);
	if (r < 0)
		return r;
	/* No seccomp filter and no landlock here: both are inherited by every role. Each sets its own after its exec. */
	r = sandbox_become(0, 0, CAPS_LAUNCHER);
	if (r == 0)
		r = sandbox_basics();
	if (r < 0)
		return log_error_errno(r, "cannot give up what the launcher does not need (are all capabilities here?)");
	r = open_loop(l);
	return r < 0 ? log_error_errno(r, "cannot make the event loop") : 0;
}

static int usage(void)
{
	(void) fputs("usage: pavise-launcher [--config FILE] [--observe]\n"
		     "Started by `pavise guard`; see pavise(1).\n", stderr);
	return 2;
}

static int parse(struct launcher *l, int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
						 { "observe", no_argument, NULL, 'o' },
						 { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'c')
			l->config = optarg;
		else if (c == 'o')
			l->observe = true;
		else
			return -EINVAL;
	}
	return optind == argc ? 0 : -EINVAL;
}

static void at_first(struct launcher *l)
{
	*l = (struct launcher){ .policy_fd = -1, .epoll_fd = -1, .signal_fd = -1, .engine_peer = -1, .rules_fd = -1,
				.rules = { -1, -1 }, .sender_pair = { -1, -1 } };
	l->broker = (struct role){ .id = LAUNCH_BROKER, .program = "pavise-broker", .pidfd = -1, .sock = -1 };
	l->engine = (struct role){ .id = LAUNCH_ENGINE, .program = "pavise-engine", .pidfd = -1, .sock = -1 };
	l->sender = (struct role){ .id = LAUNCH_SENDER, .program = "pavise-sender", .pidfd = -1, .sock = -1 };
	shots_init(&l->shots);
}

int main(int argc, char **argv)
{
	static struct launcher l;
	int r;

	log_open("pavise");
	at_first(&l);
	if (parse(&l, argc, argv) < 0)
		return usage();
	if (geteuid() != 0) {
		log_error("pavise guard must run as root; it gives up what it does not need by itself");
		return 2;
	}
	service_start();
	raise_files();
	r = prepare(&l);
	if (r < 0) /* a machine that is short of something now is not a configuration with errors: the service manager tries again */
		return r == -ETIMEDOUT || r == -EAGAIN || r == -ENOMEM ? 1 : ROLE_EXIT_CONFIG;
	l.broker.start_us = l.engine.start_us = clock_monotonic_us();
	rules_start(&l);
	run(&l);
	stop_all(&l);
	return l.status;
}
