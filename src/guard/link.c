#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fdpass.h"
#include "base/log.h"
#include "guard/guard.h"

#define LINK_PENDING 512

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
};

static struct link_pending *pending_find(struct link *l, uint32_t seq)
{
	for (size_t i = 0; i < LINK_PENDING; i++)
		if (l->pending[i].seq == seq)
			return &l->pending[i];
	return NULL;
}

static void link_answer(struct guard *g, const struct broker_rep *rep, int fd)
{
	struct link_pending *p = rep->seq ? pending_find(g->link, rep->seq) : NULL;

	if (!rep->seq) {
		(void) pv_close(fd);
		g->off_until_ns = rep->value2;
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
			return 0;
		if (n == 0 || n == -ECONNRESET)
			return link_lost(g);
		if (n < 0)
			return (int) n;
		for (size_t k = 1; k < n_fds; k++)
			(void) pv_close(fds[k]);
		if (n != sizeof(rep)) {
			if (n_fds)
				(void) pv_close(fds[0]);
			continue;
		}
		link_answer(g, &rep, n_fds ? fds[0] : -1);
	}
	return 0;
}

int link_start(struct guard *g, int fd)
{
	struct link *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->fd = fd;
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
	free(g->link);
	g->link = NULL;
}

int link_call(struct guard *g, struct broker_req *req, link_fn fn, void *arg)
{
	struct link *l = g->link;
	struct link_pending *p = pending_find(l, 0);
	int r;

	if (!p)
		return -EBUSY;
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
