/* One request and its answer, where no guard runs. It comes from the same code as a running engine's, over a history that
 * anybody may have written who was the engine's user, and so is checked as any other. */
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/fdpass.h"
#include "broker/broker.h"

/* What takes nothing away. */
static bool gives_back(const struct broker_req *q)
{
	return (q->op == BROKER_CGROUP_FREEZE && q->arg == 0) ||
	       (q->op == BROKER_API && q->arg >= API_RESTART_ALWAYS && q->arg <= API_RESTART_ON_FAILURE);
}

/* Until the engine's answer has gone through, or its time is over. */
static void relay_all(struct broker *b)
{
	struct epoll_event e[4];
	uint64_t now, next;

	while ((next = relays_tick(b->relays, now = clock_monotonic_us())) != UINT64_MAX) {
		int n = epoll_wait(b->epoll_fd, e, N_ELEMENTS(e), next <= now ? 0 : (int) ((next - now) / USEC_PER_MSEC + 1));

		for (int i = 0; i < n; i++)
			relay_event(b->relays, (uint32_t) e[i].data.u64);
	}
}

int broker_undo(struct broker *b)
{
	struct broker_answer a = { .rep.result = -EPERM };
	struct broker_req req;
	ssize_t n = fdpass_recv(b->peer_fd, &req, sizeof(req), NULL, NULL);
	int r;

	if (n <= 0)
		return (int) n;
	if (n != sizeof(req))
		return -EBADMSG;
	a.rep.seq = req.seq;
	r = relays_new(b->epoll_fd, TAG_RELAY, &b->relays);
	if (r == 0 && gives_back(&req))
		r = requests_handle(&b->requests, &req, sizeof(req), clock_monotonic_us(), &a);
	if (r == 0)
		r = fdpass_send(b->peer_fd, &a.rep, sizeof(a.rep), a.fds, a.n_fds);
	for (size_t i = 0; i < a.n_fds; i++)
		a.fds[i] = pv_close(a.fds[i]);
	if (r == 0) {
		relay_all(b);
		(void) fdpass_recv(b->peer_fd, &req, sizeof(req), NULL, NULL); /* until it has read all of it: an engine ends with its broker */
	}
	b->relays = relays_free(b->relays);
	return r;
}
