#include "broker/broker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "model/roles.h"

#define CHECK_EVERY	(2 * USEC_PER_SEC)
#define ADDRESSES_EVERY (30 * USEC_PER_SEC)
#define REQUESTS_AT_ONCE 64

int broker_watch(struct broker *b, int fd, enum broker_tag tag, uint32_t which)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = (uint64_t) tag << 32 | which };

	return epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

/* The engine is gone or does not keep to the protocol. The launcher brings another one; nothing that this one asked for
 * is answered any more. */
static void drop_peer(struct broker *b)
{
	b->peer_fd = pv_close(b->peer_fd);
	relays_drop(b->relays);
	log_files_done(&b->logs);
	persist_done(&b->persist);
	for (size_t i = 0; i < BROKER_JOBS; i++)
		b->jobs[i].seq = 0;
}

void broker_reply(struct broker *b, struct broker_answer *a)
{
	int r = b->peer_fd < 0 ? 0 : fdpass_send(b->peer_fd, &a->rep, sizeof(a->rep), a->fds, a->n_fds);

	for (size_t i = 0; a->give && i < a->n_fds; i++)
		a->fds[i] = pv_close(a->fds[i]);
	if (r == -EAGAIN)
		log_warning("the engine does not read its answers; closing its connection");
	if (r < 0)
		drop_peer(b);
}

static void tell_news(struct broker *b, uint64_t once)
{
	struct broker_answer a = { .rep.value = broker_degraded(b) | once,
				   .rep.value2 = kernel_off_until(b->kernel) };

	b->off_told = a.rep.value2;
	broker_reply(b, &a);
}

static bool on_launcher(struct broker *b);

static void on_peer(struct broker *b)
{
	for (unsigned i = 0; i < REQUESTS_AT_ONCE && b->peer_fd >= 0; i++) {
		struct broker_answer a;
		struct broker_req req;
		const int peer = b->peer_fd;
		ssize_t n = fdpass_recv(peer, &req, sizeof(req), NULL, NULL);

		if (n == -EAGAIN)
			return;
		while (on_launcher(b) && !b->ending) /* a new policy was sent before what is asked by it */
			;
		if (b->peer_fd != peer)
			return;
		if (n <= 0 || requests_handle(&b->requests, &req, (size_t) n, clock_monotonic_us(), &a) < 0) {
			if (n > 0 || n == -EBADMSG)
				log_error("the engine sent a malformed request; closing its connection");
			drop_peer(b);
			return;
		}
		if (a.rep.result == -EDQUOT)
			log_warning("request %s refused: over the limit", requests_name(req.op));
		if (!a.later)
			broker_reply(b, &a);
	}
}

static void new_peer(struct broker *b, int fd)
{
	drop_peer(b);
	b->peer_fd = fd;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || broker_watch(b, fd, TAG_PEER, 0) < 0)
		drop_peer(b);
}

static void new_policy(struct broker *b, int fd)
{
	const struct policy *p;
	int r = policy_map(fd, &p);

	(void) pv_close(fd);
	if (r == 0) {
		r = kernel_policy(b->kernel, p);
		policy_unmap(b->policy);
		b->requests.policy = b->policy = p;
		bans_policy(b);
		log_files_forget(&b->logs);
	}
	if (r < 0)
		(void) log_error_errno(r, "cannot put the new policy in force");
	b->engines_down |= BROKER_DEGRADED_DOCKER | BROKER_DEGRADED_PODMAN; /* the sockets may be others now */
	b->check_us = 0;
}

/* False: it has said nothing. */
static bool on_launcher(struct broker *b)
{
	int fds[FDPASS_MAX];
	struct launch_msg m;
	size_t n_fds = 0;
	ssize_t n = fdpass_recv(b->launcher_fd, &m, sizeof(m), fds, &n_fds);

	if (n == -EAGAIN)
		return false;
	if (n != (ssize_t) sizeof(m)) { /* the launcher is gone: so are we; what is pinned stays in force */
		b->ending = true;
	} else if (m.op == LAUNCH_PEER && n_fds == 1) {
		new_peer(b, fds[0]);
		n_fds = 0;
	} else if (m.op == LAUNCH_POLICY && n_fds == 1) {
		new_policy(b, fds[0]);
		n_fds = 0;
	}
	while (n_fds)
		(void) pv_close(fds[--n_fds]);
	return true;
}

static void look_around(struct broker *b, uint64_t now)
{
	uint64_t once, is;

	if (now < b->check_us)
		return;
	b->check_us = now + CHECK_EVERY;
	once = kernel_self_check(b->kernel) & BROKER_DEGRADED_REPLACED;
	if (now >= b->addresses_us) {
		(void) kernel_refresh_addresses(b->kernel);
		b->addresses_us = now + ADDRESSES_EVERY;
	}
	once |= bans_look(b, now) ? BROKER_DEGRADED_BANS : 0;
	broker_probe_engines(b);
	is = broker_degraded(b);
	if (is != b->degraded || once || kernel_off_until(b->kernel) != b->off_told)
		tell_news(b, once);
	b->degraded = is;
}

static uint64_t tick(struct broker *b, uint64_t now)
{
	uint64_t next = relays_tick(b->relays, now);

	look_around(b, now);
	for (uint32_t i = 0; i < BROKER_JOBS; i++) {
		if (b->jobs[i].result_fd < 0)
			continue;
		if (b->jobs[i].deadline_us <= now)
			broker_job_done(b, i);
		else
			next = PV_MIN(next, b->jobs[i].deadline_us);
	}
	return PV_MIN(next, b->check_us);
}

static void on_event(struct broker *b, uint64_t data)
{
	switch ((enum broker_tag) (data >> 32)) {
	case TAG_SIGNAL:
		b->ending = true;
		break;
	case TAG_LAUNCHER:
		(void) on_launcher(b);
		break;
	case TAG_PEER:
		if (b->peer_fd >= 0)
			on_peer(b);
		break;
	case TAG_RELAY:
		relay_event(b->relays, (uint32_t) data);
		break;
	case TAG_JOB:
		broker_job_done(b, (uint32_t) data);
		break;
	case TAG_LOOK:
		broker_look_asks(b, (uint32_t) data);
		break;
	}
}

static int watch_all(struct broker *b)
{
	sigset_t set;
	int r;

	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGTERM);
	(void) sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	b->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	b->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (b->signal_fd < 0 || b->epoll_fd < 0)
		return -errno;
	r = relays_new(b->epoll_fd, TAG_RELAY, &b->relays);
	if (r == 0)
		r = broker_watch(b, b->signal_fd, TAG_SIGNAL, 0);
	if (r == 0)
		r = broker_watch(b, b->launcher_fd, TAG_LAUNCHER, 0);
	return r < 0 ? r : broker_watch(b, b->peer_fd, TAG_PEER, 0);
}

int broker_run(struct broker *b)
{
	const char ready = LAUNCH_READY;
	struct epoll_event e[16];
	int r = watch_all(b);

	if (r < 0)
		return r;
	b->engines_down = BROKER_DEGRADED_DOCKER | BROKER_DEGRADED_PODMAN;
	broker_probe_engines(b);
	bans_start(b);
	b->degraded = broker_degraded(b);
	(void) fdpass_send(b->launcher_fd, &ready, 1, NULL, 0);
	while (!b->ending) {
		uint64_t now = clock_monotonic_us(), next = tick(b, now);
		int n = epoll_wait(b->epoll_fd, e, N_ELEMENTS(e),
				   next <= now ? 0 : (int) ((next - now) / USEC_PER_MSEC + 1));

		for (int i = 0; i < n && !b->ending; i++)
			on_event(b, e[i].data.u64);
	}
	return 0;
}
