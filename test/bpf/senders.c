#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "senders.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define PATIENCE 400 /* ms for an answer */

const char *way_name(enum way w)
{
	static const char *const names[] = { "connect", "fast open", "io_uring connect", "raw SYN", "sendto", "connected", "sendmmsg",
		"io_uring sendmsg", "raw UDP", "UDP_SEGMENT", "UDP-Lite", "tcp", "tcp byte by byte", "tcp split", "tcp pipelined", "tcp urgent" };

	return names[w];
}

const char *outcome_name(int o)
{
	static const char *const names[] = { "went", "EPERM", "no answer", "broken", "cannot" };

	return o >= 0 && o < 5 ? names[o] : "died";
}

static int from_errno(void)
{
	return errno == EPERM ? REFUSED : errno == ENOSYS || errno == EOPNOTSUPP ? CANNOT : BROKEN;
}

static int answered_within(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t buf[2048];

	if (poll(&p, 1, ms) <= 0)
		return SILENT;
	return recv(fd, buf, sizeof(buf), 0) > 0 ? WENT : SILENT;
}

static int answered(int fd)
{
	return answered_within(fd, PATIENCE);
}

static size_t payload(uint8_t *buf, const struct job *j)
{
	if (j->name)
		return lab_question(buf, j->name);
	memcpy(buf, "ping", 4);
	return 4;
}

/* ---- io_uring, one operation, by hand: no library is needed for that ---- */

static int uring(const struct io_uring_sqe *op)
{
	struct io_uring_params p = { 0 };
	int fd = (int) syscall(SYS_io_uring_setup, 4, &p), r;
	uint8_t *sq, *cq;
	struct io_uring_sqe *sqes;
	unsigned mask;

	if (fd < 0)
		return -ENOSYS;
	sq = mmap(NULL, p.sq_off.array + 4 * p.sq_entries, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  IORING_OFF_CQ_RING);
	sqes = mmap(NULL, p.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqes == MAP_FAILED)
		return -ENOSYS;
	mask = *(unsigned *) (void *) (sq + p.sq_off.ring_mask);
	sqes[0] = *op;
	((unsigned *) (void *) (sq + p.sq_off.array))[0 & mask] = 0;
	__atomic_store_n((unsigned *) (void *) (sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	r = ((struct io_uring_cqe *) (void *) (cq + p.cq_off.cqes))[0].res;
	(void) close(fd);
	return r;
}

static int uring_result(int r)
{
	errno = r < 0 ? -r : 0;
	return r < 0 ? from_errno() : WENT;
}

/* The kernel's own list of the groups that a socket has joined takes of what is there for filters, options and our state. */
bool fill_socket(int fd)
{
	struct group_req join = { .gr_interface = 1 };
	struct sockaddr_in6 *group = (struct sockaddr_in6 *) &join.gr_group;

	group->sin6_family = AF_INET6;
	(void) inet_pton(AF_INET6, "ff02::1:0:0", &group->sin6_addr);
	for (uint32_t i = 1; i < 1u << 20; i++) {
		group->sin6_addr.s6_addr32[3] = htonl(i);
		if (setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &join, sizeof(join)) < 0)
			return errno == ENOMEM;
	}
	return false;
}

/* ---- TCP connects ---- */

static int do_connect(const struct job *j)
{
	struct sockaddr_storage to;
	socklen_t len = lab_sockaddr(&to, j->addr, j->port);
	struct timeval wait = { .tv_usec = PATIENCE * 1000 };
	int fd = socket(lab_family(j->addr), SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (j->full && !fill_socket(fd))
		return CANNOT;
	(void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (j->way == BY_URING_CONNECT)
		return uring_result(uring(&(struct io_uring_sqe){ .opcode = IORING_OP_CONNECT, .fd = fd,
								   .addr = (uintptr_t) &to, .off = len }));
	if (j->way == BY_FASTOPEN)
		return sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *) &to, len) < 0 ? from_errno() : WENT;
	return connect(fd, (struct sockaddr *) &to, len) < 0 ? from_errno() : WENT;
}

static int raw_syn(const struct job *j)
{
	struct sockaddr_storage to;
	socklen_t len = lab_sockaddr(&to, j->addr, 0);
	struct tcphdr h = { .source = htons(4321), .dest = htons(j->port), .doff = 5, .syn = 1, .seq = 1 };
	int fd = socket(lab_family(j->addr), SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);

	return sendto(fd, &h, sizeof(h), 0, (struct sockaddr *) &to, len) < 0 ? from_errno() : WENT;
}

/* ---- datagrams ---- */

static int raw_udp(const struct job *j)
{
	struct sockaddr_storage to;
	socklen_t len = lab_sockaddr(&to, j->addr, 0);
	uint8_t buf[600];
	struct udphdr h = { .source = htons(4322), .dest = htons(j->port) };
	size_t n = payload(buf + sizeof(h), j);
	int fd = socket(lab_family(j->addr), SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);
	int rx = socket(lab_family(j->addr), SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_port = htons(4322) };

	if (bind(rx, (struct sockaddr *) &me, sizeof(me)) < 0)
		return CANNOT;
	h.len = htons((uint16_t) (n + sizeof(h)));
	memcpy(buf, &h, sizeof(h));
	if (sendto(fd, buf, n + sizeof(h), 0, (struct sockaddr *) &to, len) < 0)
		return from_errno();
	return answered(rx);
}

/* A benign question first, the one that is asked for second, in one packet. */
static int send_gso(int fd, const struct job *j, const struct sockaddr *to, socklen_t len)
{
	uint8_t buf[1200] = { 0 };
	size_t n = payload(buf + 200, j);
	int size = 200;

	(void) lab_question(buf, "www.example.com");
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) < 0)
		return CANNOT;
	return sendto(fd, buf, 200 + n, 0, to, len) < 0 ? from_errno() : answered(fd);
}

static int do_datagram(const struct job *j)
{
	struct sockaddr_storage to;
	socklen_t len = lab_sockaddr(&to, j->addr, j->port);
	int fd = socket(lab_family(j->addr), SOCK_DGRAM | SOCK_CLOEXEC, j->way == BY_UDPLITE ? IPPROTO_UDPLITE : 0);
	uint8_t buf[600];
	struct iovec iov = { buf, payload(buf, j) };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &to, .msg_namelen = len, .msg_iov = &iov, .msg_iovlen = 1 } };
	ssize_t r;

	if (fd < 0 || (j->full && !fill_socket(fd)))
		return CANNOT;
	switch (j->way) {
	case BY_CONNECTED:
		r = connect(fd, (struct sockaddr *) &to, len) < 0 ? -1 : send(fd, buf, iov.iov_len, 0);
		break;
	case BY_SENDMMSG:
		r = sendmmsg(fd, &m, 1, 0);
		break;
	case BY_URING_SENDMSG:
		r = uring(&(struct io_uring_sqe){ .opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (uintptr_t) &m.msg_hdr, .len = 1 });
		errno = r < 0 ? (int) -r : 0;
		break;
	case BY_GSO:
		return send_gso(fd, j, (struct sockaddr *) &to, len);
	default:
		r = sendto(fd, buf, iov.iov_len, 0, (struct sockaddr *) &to, len);
	}
	return r < 0 ? from_errno() : answered(fd);
}

/* ---- DNS over TCP ---- */

static int do_stream(const struct job *j)
{
	struct sockaddr_storage to;
	socklen_t len = lab_sockaddr(&to, j->addr, j->port);
	int fd = socket(lab_family(j->addr), SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	uint8_t buf[600];
	size_t n = lab_question(buf + 2, j->name), at = 0;

	if (j->full && !fill_socket(fd))
		return CANNOT;
	if (connect(fd, (struct sockaddr *) &to, len) < 0)
		return from_errno();
	(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	buf[0] = (uint8_t) (n >> 8);
	buf[1] = (uint8_t) n;
	n += 2;
	if (j->way == BY_TCP_PIPELINED || j->way == BY_TCP_URGENT) { /* a benign question, and maybe half of the next, in front */
		uint8_t first[600];
		size_t k = lab_question(first + 2, "www.example.com");

		first[0] = 0;
		first[1] = (uint8_t) k;
		at = j->way == BY_TCP_PIPELINED ? 9 : 0;
		memcpy(first + 2 + k, buf, at);
		if (send(fd, first, k + 2 + at, MSG_NOSIGNAL) < 0 || answered_within(fd, 20 * PATIENCE) != WENT)
			return BROKEN;
	}
	if (j->way == BY_TCP_URGENT) { /* the id's second octet, which says "answer" where the resolver reads on */
		const char first[] = { (char) buf[0], (char) buf[1], 1, '?' };

		buf[3] = 0x80;
		if (send(fd, first, sizeof(first), MSG_OOB | MSG_NOSIGNAL) < 0)
			return from_errno();
		at = 3;
	}
	while (at < n) {
		size_t step = j->way == BY_TCP_BYTES ? 1 : j->way == BY_TCP_SPLIT ? PV_MIN(n - at, (size_t) 17) : n - at;

		if (send(fd, buf + at, step, MSG_NOSIGNAL) < 0)
			return from_errno();
		at += step;
	}
	return answered(fd);
}

int send_job(void *arg)
{
	const struct job *j = arg;

	if (j->way == BY_RAW_SYN)
		return raw_syn(j);
	if (j->way == BY_RAW_UDP)
		return raw_udp(j);
	if (j->way <= BY_RAW_SYN)
		return do_connect(j);
	return j->way >= BY_TCP ? do_stream(j) : do_datagram(j);
}
