#include "broker/relay.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"

#define PIECE	   (64u << 10) /* a pipe's usual room */
#define PIECES_MAX 32	       /* in one go; then the others have their turn */

struct relay {
	int sock, pipe; /* -1: this place is free */
	uint64_t left;	/* bytes that may still come */
	uint64_t deadline_us;
	bool again;	/* stopped for the sake of others, not for want of data */
};

struct relays {
	int epoll_fd;
	uint32_t tag;
	struct relay relay[RELAY_MAX];
};

int relays_new(int epoll_fd, uint32_t tag, struct relays **ret)
{
	struct relays *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->epoll_fd = epoll_fd;
	r->tag = tag;
	for (size_t i = 0; i < RELAY_MAX; i++)
		r->relay[i].sock = r->relay[i].pipe = -1;
	*ret = r;
	return 0;
}

static void relay_end(struct relay *one)
{
	one->sock = pv_close(one->sock);
	one->pipe = pv_close(one->pipe);
	one->again = false;
}

void relays_drop(struct relays *r)
{
	for (size_t i = 0; i < RELAY_MAX; i++)
		relay_end(&r->relay[i]);
}

struct relays *relays_free(struct relays *r)
{
	if (r)
		relays_drop(r);
	free(r);
	return NULL;
}

/* The node is opened once and checked; the connection goes to what was checked, whatever its name means by then. */
int relay_connect(const char *path, struct activated *activated, int *ret_fd)
{
	pv_autoclose int node = open(path, O_PATH | O_CLOEXEC), fd = -1;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct stat st;

	if (node < 0 || fstat(node, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	if (st.st_uid != 0)
		return -EPERM;
	if (activated && !activated_may_connect(activated, &st))
		return -ECONNREFUSED;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void) snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", node);
	if (connect(fd, (struct sockaddr *) &addr, sizeof(addr)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (peer.uid != 0)
		return -EPERM;
	if (activated)
		activated_connected(activated, &st, peer.pid, clock_monotonic_us());
	*ret_fd = pv_steal_fd(&fd);
	return 0;
}

static struct relay *free_place(struct relays *r)
{
	for (size_t i = 0; i < RELAY_MAX; i++)
		if (r->relay[i].sock < 0)
			return &r->relay[i];
	return NULL;
}

/* A request is far smaller than a socket's buffer: it goes out whole or not at all. */
static int send_request(int sock, enum api_request what, const char *id, uint32_t number)
{
	pv_autobuf text = PV_BUF_INIT;
	int r = api_request_format(&text, what, id, number);

	if (r < 0)
		return r;
	if (send(sock, text.data, text.len, MSG_NOSIGNAL) != (ssize_t) text.len)
		return -EIO;
	return 0;
}

/* Edge triggered on both ends: splice() does not tell which of them it waits for. */
static int relay_watch(struct relays *r, const struct relay *one)
{
	struct epoll_event e = { .data.u64 = (uint64_t) r->tag << 32 | (uint64_t) (one - r->relay) };

	e.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
	if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, one->sock, &e) < 0)
		return -errno;
	e.events = EPOLLOUT | EPOLLET;
	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, one->pipe, &e) < 0 ? -errno : 0;
}

int relay_start(struct relays *r, const char *path, struct activated *activated, enum api_request what, const char *id, uint32_t number,
		uint64_t now_us, int *ret_fd)
{
	const struct api_template *t = api_template(what);
	struct relay *one = free_place(r);
	int p[2], err;

	if (!t)
		return -EINVAL;
	if (!one)
		return -EBUSY;
	err = relay_connect(path, activated, &one->sock);
	if (err < 0)
		return err;
	err = send_request(one->sock, what, id, number);
	if (err == 0 && pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		err = -errno;
	if (err < 0) {
		relay_end(one);
		return err;
	}
	one->pipe = p[1];
	one->left = t->cap ? t->cap : UINT64_MAX;
	one->deadline_us = t->timeout_ms ? now_us + t->timeout_ms * USEC_PER_MSEC : UINT64_MAX;
	err = relay_watch(r, one);
	if (err < 0) {
		relay_end(one);
		(void) close(p[0]);
		return err;
	}
	*ret_fd = p[0];
	return 0;
}

static void pump(struct relay *one)
{
	one->again = false;
	for (unsigned i = 0; i < PIECES_MAX; i++) {
		ssize_t n = splice(one->sock, NULL, one->pipe, NULL, PV_MIN(one->left, (uint64_t) PIECE),
				   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n > 0 && one->left != UINT64_MAX)
			one->left -= (uint64_t) n;
		if (n <= 0 || !one->left) { /* the answer's end, a reader that left, or the cap */
			relay_end(one);
			return;
		}
	}
	one->again = true;
}

void relay_event(struct relays *r, uint32_t index)
{
	if (index < RELAY_MAX && r->relay[index].sock >= 0)
		pump(&r->relay[index]);
}

uint64_t relays_tick(struct relays *r, uint64_t now_us)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < RELAY_MAX; i++) {
		struct relay *one = &r->relay[i];

		if (one->sock >= 0 && one->again)
			pump(one);
		if (one->sock >= 0 && one->deadline_us <= now_us)
			relay_end(one);
		if (one->sock >= 0)
			next = PV_MIN(next, one->again ? now_us : one->deadline_us);
	}
	return next;
}
