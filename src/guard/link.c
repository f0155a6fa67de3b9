#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fdpass.h"
#include "base/log.h"
#include "guard/guard.h"

/* Asked and not answered, at once: few enough that neither end's socket buffer (some 270 datagrams) is ever full, which
 * the broker would take for an engine that does not read. A reload with a thousand workloads asks thousands of things:
 * what is over waits here. */
#define LINK_PENDING 128
#define LINK_WAITING 16384

struct link_wait {
	struct broker_req req;
	link_fn fn;
	void *arg;
	struct link_wait *next;
};

struct link {
	int fd;
	sd_event_source *source;
	uint32_t seq;
	struct link_pending {
		uint32_t seq; /* 0: free */
		link_fn fn;
		void *arg;
	} pending[LINK_PENDING];
	unsigned in_use;
	struct link_wait *first, **last;
	size_t n_waiting;
};

static struct link_pending *pending_find(struct link *l, uint32_t seq)
{
	for (size_t i = 0; i < LINK_PENDING; i++)
		if (l->pending[i].seq == seq)
			return &l->pending[i];
	return NULL;
}

/* -EAGAIN: later. */
static int link_send(struct link *l, struct broker_req *req, link_fn fn, void *arg)
{
	struct link_pending *p = pending_find(l, 0);
	int r;

	if (!p)
		return -EAGAIN;
	if (++l->seq == 0)
		l->seq = 1;
	req->seq = l->seq;
	r = fdpass_send(l->fd, req, sizeof(*req), NULL, 0);
	if (r < 0)
		return r;
	*p = (struct link_pending){ .seq = req->seq, .fn = fn, .arg = arg };
	l->in_use++;
	return 0;
}

static struct link_wait *wait_take(struct link *l)
{
	struct link_wait *w = l->first;

	l->first = w->next;
	if (!l->first)
		l->last = &l->first;
	l->n_waiting--;
	return w;
}

/* What waits, in its order, as far as there is room. A socket that takes no more is asked again when it does. */
static int link_pump(struct link *l)
{
	int r = 0;

	while (l->first && l->in_use < LINK_PENDING) {
		r = link_send(l, &l->first->req, l->first->fn, l->first->arg);
		if (r < 0)
			break;
		free(wait_take(l));
	}
	(void) sd_event_source_set_io_events(l->source, EPOLLIN | (l->first && l->in_use < LINK_PENDING ? EPOLLOUT : 0));
	return r == -EAGAIN ? 0 : r;
}

static int link_wait(struct link *l, const struct broker_req *req, link_fn fn, void *arg)
{
	struct link_wait *w;

	if (l->n_waiting == LINK_WAITING)
		return -EBUSY;
	w = malloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	*w = (struct link_wait){ .req = *req, .fn = fn, .arg = arg };
	*l->last = w;
	l->last = &w->next;
	l->n_waiting++;
	(void) link_pump(l); /* a broken socket shows at its reading end */
	return 0;
}

static void link_answer(struct guard *g, const struct broker_rep *rep, int fd)
{
	struct link_pending *p = rep->seq ? pending_find(g->link, rep->seq) : NULL;

	if (!rep->seq) {
		(void) pv_close(fd);
		guard_off(g, rep->value2);
		guard_degraded(g, rep->value);
		return;
	}
	if (!p) {
		(void) pv_close(fd);
		return;
	}
	struct link_pending taken = *p;

	*p = (struct link_pending){ 0 };
	g->link->in_use--;
	if (taken.fn)
		taken.fn(g, rep, fd, taken.arg);
	else
		(void) pv_close(fd);
}

/* The broker went away: the launcher ends us and starts all three roles again. Blocks stay in force. */
static int link_lost(struct guard *g)
{
	log_warning("the broker is gone; ending with it");
	return sd_event_exit(g->loop, 0);
}

static int on_broker(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct guard *g = arg;
	struct broker_rep rep;
	int fds[FDPASS_MAX];
	size_t n_fds;
	ssize_t n;

	(void) s;
	(void) revents;
	for (unsigned i = 0; i < 64; i++) {
		n = fdpass_recv(fd, &rep, sizeof(rep), fds, &n_fds);
		if (n == -EAGAIN)
			break;
		if (n <= 0) { /* -EBADMSG, too: an answer without its descriptor (none was free) leaves somebody waiting for ever */
			if (n < 0 && n != -ECONNRESET)
				(void) log_error_errno((int) n, "the broker's answer cannot be received");
			return link_lost(g);
		}
		for (size_t k = 1; k < n_fds; k++)
			(void) pv_close(fds[k]);
		if (n != sizeof(rep)) {
			if (n_fds)
				(void) pv_close(fds[0]);
			continue;
		}
		link_answer(g, &rep, n_fds ? fds[0] : -1);
	}
	return link_pump(g->link) < 0 ? link_lost(g) : 0;
}

int link_start(struct guard *g, int fd)
{
	struct link *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->fd = fd;
	l->last = &l->first;
	g->link = l;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = sd_event_add_io(g->loop, &l->source, fd, EPOLLIN, on_broker, g);
	if (r < 0)
		return r;
	(void) sd_event_source_set_description(l->source, "broker");
	return 0;
}

void link_stop(struct guard *g)
{
	if (!g->link)
		return;
	sd_event_source_disable_unref(g->link->source);
	while (g->link->first)
		free(wait_take(g->link));
	free(g->link);
	g->link = NULL;
}

int link_call(struct guard *g, struct broker_req *req, link_fn fn, void *arg)
{
	struct link *l = g->link;
	int r = l->first ? -EAGAIN : link_send(l, req, fn, arg);

	return r == -EAGAIN ? link_wait(l, req, fn, arg) : r;
}
