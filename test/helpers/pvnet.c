/* pvnet.c - everything that the network tests do inside containers, in one static program. Each command prints one
 * line: `ok`, the name of the errno that stopped it (`EPERM`), `timeout`, `closed` or `reset`; exit status 0 for ok,
 * 1 else, 2 for usage. `each` runs several at once and prints their lines in order. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static int wait_ms = 2500;	/* -t: how long an answer is waited for */
static int source_port;		/* -s */
static const char *source_addr;	/* -b */
static bool fold_case;		/* -x: random case in names */
static int more_labels;		/* -n: this many labels `a` before the name */
static int more_questions;	/* -q: this many harmless questions before the real one */
static bool garbage;		/* -g: a question that cannot be read */
static bool reserved_bits;	/* -z: AD and CD set, as real resolvers do */
static int qtype = 1;		/* -6: AAAA */

union addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t addr_len(const union addr *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);
}

static union addr addr_of(const char *text, int port)
{
	union addr a = { 0 };

	if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(port);
	} else if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(port);
	} else {
		fprintf(stderr, "pvnet: not an address: %s\n", text);
		exit(2);
	}
	return a;
}

static int say(int err)
{
	const char *name = err == 0 ? "ok" : err == ETIMEDOUT ? "timeout" : err == ECONNRESET ? "reset" :
			   err == EPIPE ? "closed" : strerrorname_np(err);

	printf("%s\n", name ? name : "unknown");
	return err ? 1 : 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int socket_for(const union addr *a, int type, int proto)
{
	int one = 1, fd = socket(a->sa.sa_family, type | SOCK_CLOEXEC, proto);
	union addr from = { 0 };

	if (fd < 0 || (!source_port && !source_addr))
		return fd;
	if (source_addr)
		from = addr_of(source_addr, 0);
	from.sa.sa_family = a->sa.sa_family;
	from.v4.sin_port = htons(source_port); /* the same place in both families */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &from.sa, addr_len(a)) < 0) {
		int e = errno;

		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

static int wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r = poll(&p, 1, wait_ms);

	return r > 0 ? 0 : r == 0 ? ETIMEDOUT : errno;
}

/* Connects within the time limit. 0 or an errno. */
static int connect_in_time(int fd, const union addr *a)
{
	int err = 0, flags = fcntl(fd, F_GETFL);
	socklen_t n = sizeof(err);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	if (connect(fd, &a->sa, addr_len(a)) < 0) {
		if (errno != EINPROGRESS)
			return errno;
		err = wait_for(fd, POLLOUT);
		if (err)
			return err;
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n);
		if (err)
			return err;
	}
	fcntl(fd, F_SETFL, flags);
	return 0;
}

static int recv_in_time(int fd, void *buf, size_t size, ssize_t *ret)
{
	int err = wait_for(fd, POLLIN);

	if (err)
		return err;
	*ret = recv(fd, buf, size, 0);
	return *ret < 0 ? errno : 0;
}

/* --- io_uring without a library: one entry at a time ---------------------------------------------------------- */

struct uring {
	int fd;
	struct io_uring_params p;
	void *ring;
	struct io_uring_sqe *sqe;
};

static int uring_open(struct uring *u)
{
	size_t size;

	memset(u, 0, sizeof(*u));
	u->fd = syscall(SYS_io_uring_setup, 4, &u->p);
	if (u->fd < 0)
		return errno;
	size = u->p.sq_off.array + u->p.sq_entries * sizeof(uint32_t);
	if (size < u->p.cq_off.cqes + u->p.cq_entries * sizeof(struct io_uring_cqe))
		size = u->p.cq_off.cqes + u->p.cq_entries * sizeof(struct io_uring_cqe);
	u->ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd, IORING_OFF_SQ_RING);
	u->sqe = mmap(NULL, u->p.sq_entries * sizeof(*u->sqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd,
		      IORING_OFF_SQES);
	return u->ring == MAP_FAILED || u->sqe == MAP_FAILED ? errno : 0;
}

/* Submits *sqe and waits for its result: 0 or positive, or negative errno. */
static int uring_do(struct uring *u, const struct io_uring_sqe *sqe)
{
	char *r = u->ring;
	uint32_t *tail = (uint32_t *) (r + u->p.sq_off.tail), mask = *(uint32_t *) (r + u->p.sq_off.ring_mask);
	uint32_t *array = (uint32_t *) (r + u->p.sq_off.array), *chead = (uint32_t *) (r + u->p.cq_off.head);
	struct io_uring_cqe *cqes = (struct io_uring_cqe *) (r + u->p.cq_off.cqes);
	uint32_t cmask = *(uint32_t *) (r + u->p.cq_off.ring_mask), i = *tail & mask;
	int res;

	u->sqe[i] = *sqe;
	array[i] = i;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, u->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	res = cqes[*chead & cmask].res;
	__atomic_store_n(chead, *chead + 1, __ATOMIC_RELEASE);
	return res;
}

static int uring_connect(int fd, const union addr *a)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t) a, .off = addr_len(a) };
	struct uring u;
	int err = uring_open(&u), r;

	if (err)
		return err;
	alarm(wait_ms / 1000 + 1); /* the ring waits for the whole connect */
	r = uring_do(&u, &sqe);
	alarm(0);
	return r < 0 ? -r : 0;
}

static int uring_sendto(int fd, const union addr *a, const void *buf, size_t len)
{
	struct iovec iov = { (void *) buf, len };
	struct msghdr m = { .msg_name = (void *) a, .msg_namelen = addr_len(a), .msg_iov = &iov, .msg_iovlen = 1 };
	struct io_uring_sqe sqe = { .opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (uintptr_t) &m, .len = 1 };
	struct uring u;
	int err = uring_open(&u), r;

	if (err)
		return err;
	r = uring_do(&u, &sqe);
	return r < 0 ? -r : 0;
}

/* --- plain connections ------------------------------------------------------------------------------------------ */

/* A server of ours echoes; a connection that nobody answers counts as connected all the same. */
static int cmd_tcp(const char *how, const union addr *a)
{
	int proto = strcmp(how, "mptcp") == 0 ? IPPROTO_MPTCP : 0, err, fd = socket_for(a, SOCK_STREAM, proto);
	char buf[64];
	ssize_t n = 0;

	if (fd < 0)
		return errno;
	if (strcmp(how, "tfo") == 0) {
		err = sendto(fd, "hello\n", 6, MSG_FASTOPEN, &a->sa, addr_len(a)) < 0 ? errno : 0;
		if (err == EINPROGRESS)
			err = 0;
	} else if (strcmp(how, "uring-tcp") == 0) {
		err = uring_connect(fd, a);
	} else {
		err = connect_in_time(fd, a);
	}
	if (err || strcmp(how, "connect") == 0)
		return err;
	if (strcmp(how, "tfo") != 0 && send(fd, "hello\n", 6, MSG_NOSIGNAL) < 0)
		return errno;
	err = recv_in_time(fd, buf, sizeof(buf), &n);
	return err ? err : n == 0 ? EPIPE : 0;
}

static int cmd_udp(const char *how, const union addr *a)
{
	int err = 0, fd = socket_for(a, SOCK_DGRAM, 0);
	struct iovec iov = { "hello\n", 6 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = (void *) a, .msg_namelen = addr_len(a), .msg_iov = &iov,
					  .msg_iovlen = 1 } };
	char buf[64];
	ssize_t n;

	if (fd < 0)
		return errno;
	if (strcmp(how, "udpc") == 0)
		err = connect(fd, &a->sa, addr_len(a)) < 0 || send(fd, "hello\n", 6, 0) < 0 ? errno : 0;
	else if (strcmp(how, "udp-mmsg") == 0)
		err = sendmmsg(fd, &m, 1, 0) < 1 ? errno : 0;
	else if (strcmp(how, "uring-udp") == 0)
		err = uring_sendto(fd, a, "hello\n", 6);
	else
		err = sendto(fd, "hello\n", 6, 0, &a->sa, addr_len(a)) < 0 ? errno : 0;
	return err ? err : recv_in_time(fd, buf, sizeof(buf), &n);
}

static uint16_t checksum(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	if (len & 1)
		sum += p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum & 0xffff);
}

static uint32_t local_addr(const union addr *to)
{
	union addr me = { 0 };
	socklen_t n = sizeof(me);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	union addr probe = *to;

	probe.v4.sin_port = htons(9); /* a port nobody watches: only the route is asked for */
	connect(fd, &probe.sa, sizeof(probe.v4));
	getsockname(fd, &me.sa, &n);
	close(fd);
	return me.v4.sin_addr.s_addr;
}

/* A SYN made by hand: `ok` when a SYN+ACK comes back (the kernel, knowing nothing of it, then resets). */
static int cmd_raw_syn(const union addr *a)
{
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
	struct {
		uint32_t s, d;
		uint8_t zero, proto;
		uint16_t len;
		struct tcphdr t;
	} p = { 0 };
	double end = now() + wait_ms / 1000.0;

	if (fd < 0)
		return errno;
	p.s = local_addr(a), p.d = a->v4.sin_addr.s_addr, p.proto = IPPROTO_TCP, p.len = htons(sizeof(p.t));
	p.t.source = htons(40000 + getpid() % 20000), p.t.dest = a->v4.sin_port, p.t.seq = htonl(getpid());
	p.t.doff = 5, p.t.syn = 1, p.t.window = htons(1024);
	p.t.check = checksum(&p, sizeof(p), 0);
	if (sendto(fd, &p.t, sizeof(p.t), 0, &a->sa, sizeof(a->v4)) < 0)
		return errno;
	while (now() < end) {
		uint8_t buf[2048];
		ssize_t n;
		struct tcphdr *t;

		if (recv_in_time(fd, buf, sizeof(buf), &n))
			break;
		t = (struct tcphdr *) (buf + (buf[0] & 15) * 4);
		if (t->source == p.t.dest && t->dest == p.t.source && t->syn && t->ack)
			return 0;
	}
	return ETIMEDOUT;
}

/* --- DNS ---------------------------------------------------------------------------------------------------------- */

static size_t put_name(uint8_t *out, const char *name)
{
	size_t n = 0;

	while (*name && *name != '.') {
		size_t len = strcspn(name, ".");

		out[n++] = len;
		for (size_t i = 0; i < len; i++) {
			char c = name[i];

			out[n++] = fold_case && ((c | 32) >= 'a' && (c | 32) <= 'z') && rand() & 1 ? c ^ 32 : c;
		}
		name += len;
		if (*name == '.')
			name++;
	}
	out[n++] = 0;
	return n;
}

static size_t put_question(uint8_t *out, const char *name)
{
	size_t n = 0;

	for (int i = 0; i < more_labels; i++)
		out[n++] = 1, out[n++] = 'a';
	n += put_name(out + n, name);
	out[n++] = 0, out[n++] = qtype, out[n++] = 0, out[n++] = 1;
	return n;
}

static size_t make_query(uint8_t *out, const char *name, uint16_t id)
{
	size_t n = 12;

	memset(out, 0, 12);
	out[0] = id >> 8, out[1] = id, out[2] = 1;
	out[3] = reserved_bits ? 0x30 : 0;
	out[5] = 1 + more_questions;
	for (int i = 0; i < more_questions; i++)
		n += put_question(out + n, "www.example.com");
	n += put_question(out + n, name);
	if (garbage)
		out[12] = 0xbf; /* neither a label's length nor a pointer */
	return n;
}

static int judge_answer(const uint8_t *p, ssize_t n, uint16_t id)
{
	if (n < 12 || (p[0] << 8 | p[1]) != id || !(p[2] & 0x80))
		return EBADMSG;
	return p[3] & 15 ? ENOENT : 0;
}

static int dns_udp(const char *how, const union addr *a, const uint8_t *q, size_t len, uint16_t id)
{
	int err = 0, fd = socket_for(a, SOCK_DGRAM, 0);
	struct iovec iov = { (void *) q, len };
	struct mmsghdr m = { .msg_hdr = { .msg_name = (void *) a, .msg_namelen = addr_len(a), .msg_iov = &iov,
					  .msg_iovlen = 1 } };
	uint8_t buf[4096];
	ssize_t n = 0;

	if (fd < 0)
		return errno;
	if (strcmp(how, "udpc") == 0)
		err = connect(fd, &a->sa, addr_len(a)) < 0 || send(fd, q, len, 0) < 0 ? errno : 0;
	else if (strcmp(how, "mmsg") == 0)
		err = sendmmsg(fd, &m, 1, 0) < 1 ? errno : 0;
	else if (strcmp(how, "uring") == 0)
		err = uring_sendto(fd, a, q, len);
	else
		err = sendto(fd, q, len, 0, &a->sa, addr_len(a)) < 0 ? errno : 0;
	if (!err)
		err = recv_in_time(fd, buf, sizeof(buf), &n);
	return err ? err : judge_answer(buf, n, id);
}

/* UDP written by hand on a raw socket; `frag` sends it as two IP fragments. The answer is read from the raw socket,
 * which sees every UDP packet of this network namespace. */
static int dns_raw(const union addr *a, const uint8_t *q, size_t len, uint16_t id, bool frag)
{
	int one = 1, fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
	uint8_t pkt[2048] = { 0 }, pseudo[2100] = { 0 };
	struct iphdr *ip = (struct iphdr *) pkt;
	struct udphdr *u = (struct udphdr *) (pkt + 20);
	uint16_t port = htons(30000 + getpid() % 20000), ulen = htons(8 + len);
	double end = now() + wait_ms / 1000.0;
	int bound;
	union addr me = { .v4 = { .sin_family = AF_INET, .sin_port = port } };

	if (fd < 0)
		return errno;
	bound = socket(AF_INET, SOCK_DGRAM, 0); /* so that no ICMP error answers the reply */
	bind(bound, &me.sa, sizeof(me.v4));
	setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &one, sizeof(one));
	ip->version = 4, ip->ihl = 5, ip->ttl = 64, ip->protocol = IPPROTO_UDP, ip->id = htons(id);
	ip->saddr = local_addr(a), ip->daddr = a->v4.sin_addr.s_addr;
	u->source = port, u->dest = a->v4.sin_port, u->len = ulen;
	memcpy(u + 1, q, len);
	memcpy(pseudo, &ip->saddr, 8);
	pseudo[9] = IPPROTO_UDP;
	memcpy(pseudo + 10, &ulen, 2);
	memcpy(pseudo + 12, u, 8 + len);
	u->check = checksum(pseudo, 20 + len, 0);
	if (!frag) {
		ip->tot_len = htons(28 + len);
		if (sendto(fd, pkt, 28 + len, 0, &a->sa, sizeof(a->v4)) < 0)
			return errno;
	} else {
		uint8_t second[2048];
		size_t cut = 24; /* 8 of UDP, 16 of DNS: the name lies in both */

		memcpy(second, pkt, 20);
		memcpy(second + 20, pkt + 20 + cut, 8 + len - cut);
		ip->tot_len = htons(20 + cut), ip->frag_off = htons(0x2000);
		((struct iphdr *) second)->tot_len = htons(20 + 8 + len - cut);
		((struct iphdr *) second)->frag_off = htons(cut / 8);
		if (sendto(fd, pkt, 20 + cut, 0, &a->sa, sizeof(a->v4)) < 0 ||
		    sendto(fd, second, 20 + 8 + len - cut, 0, &a->sa, sizeof(a->v4)) < 0)
			return errno;
	}
	while (now() < end) {
		uint8_t buf[4096];
		ssize_t n = 0;
		struct udphdr *r;

		if (recv_in_time(fd, buf, sizeof(buf), &n))
			break;
		r = (struct udphdr *) (buf + (buf[0] & 15) * 4);
		if (n >= 40 && r->dest == port)
			return judge_answer((uint8_t *) (r + 1), n - 28, id);
	}
	return ETIMEDOUT;
}

/* `tcp` in one piece, `tcpbytes` byte by byte, `tcpsplit:N` in two after N bytes, `tcplen` length and query apart. */
static int dns_tcp(const char *how, const union addr *a, const uint8_t *q, size_t len, uint16_t id)
{
	int one = 1, err, fd = socket_for(a, SOCK_STREAM, 0);
	uint8_t buf[4200];
	size_t all = len + 2, step, got = 0;

	if (fd < 0)
		return errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	err = connect_in_time(fd, a);
	if (err)
		return err;
	buf[0] = len >> 8, buf[1] = len;
	memcpy(buf + 2, q, len);
	step = strcmp(how, "tcpbytes") == 0 ? 1 : strncmp(how, "tcpsplit:", 9) == 0 ? (size_t) atoi(how + 9) : all;
	for (size_t i = 0; i < all;) {
		size_t n = step < all - i ? step : all - i;

		if (send(fd, buf + i, n, MSG_NOSIGNAL) < 0)
			return errno;
		i += n;
		if (strncmp(how, "tcpsplit:", 9) == 0)
			step = all;
		if (i < all)
			usleep(strcmp(how, "tcpbytes") == 0 ? 2000 : 60000);
	}
	while (got < 2 + 12) {
		ssize_t n = 0;

		err = recv_in_time(fd, buf + got, sizeof(buf) - got, &n);
		if (err)
			return err;
		if (n == 0)
			return EPIPE;
		got += n;
	}
	return judge_answer(buf + 2, got - 2, id);
}

/* Two questions in one connection, the second behind the first without waiting for its answer. */
static int dns_tcp_two(const union addr *a, const char *name, uint16_t id)
{
	int err, fd = socket_for(a, SOCK_STREAM, 0);
	uint8_t buf[4200];
	size_t one, two, got = 0, want = 0;

	if (fd < 0)
		return errno;
	err = connect_in_time(fd, a);
	if (err)
		return err;
	one = make_query(buf + 2, "www.example.com", id + 1);
	buf[0] = one >> 8, buf[1] = one;
	two = make_query(buf + one + 4, name, id);
	buf[one + 2] = two >> 8, buf[one + 3] = two;
	if (send(fd, buf, one + two + 4, MSG_NOSIGNAL) < 0)
		return errno;
	for (int i = 0; i < 2; i++) {
		uint8_t *at = buf + want;

		while (got < want + 2 || got < want + 2 + (at[0] << 8 | at[1])) {
			ssize_t n = 0;

			err = recv_in_time(fd, buf + got, sizeof(buf) - got, &n);
			if (err || n == 0)
				return err ? err : EPIPE;
			got += n;
		}
		if (judge_answer(at + 2, got - want - 2, id) == 0)
			return 0;
		want += 2 + (at[0] << 8 | at[1]);
	}
	return EBADMSG;
}

static int cmd_dns(const char *how, const union addr *a, const char *name)
{
	uint8_t q[4096];
	uint16_t id = rand();
	size_t len = make_query(q, name, id);

	if (strcmp(how, "tcptwo") == 0)
		return dns_tcp_two(a, name, id);
	if (strncmp(how, "tcp", 3) == 0)
		return dns_tcp(how, a, q, len, id);
	if (strcmp(how, "raw") == 0 || strcmp(how, "frag") == 0)
		return dns_raw(a, q, len, id, how[0] == 'f');
	return dns_udp(how, a, q, len, id);
}

/* Connects and asks for a name every few milliseconds for as long as both are refused; says how often, then what was not. */
static int cmd_always(const union addr *a, const union addr *server, const char *name)
{
	for (unsigned long n = 1;; n++) {
		int tcp = cmd_tcp("connect", a), udp = cmd_dns("udp", server, name);

		close_range(3, ~0U, 0);
		if (tcp != EPERM || udp != EPERM) {
			printf("after %lu: connect %s, name %s\n", n, tcp ? strerrorname_np(tcp) : "ok", udp ? strerrorname_np(udp) : "ok");
			return 1;
		}
		if (n % 20 == 0)
			printf("%lu\n", n);
		fflush(stdout);
		usleep(3000);
	}
}

/* --- servers -------------------------------------------------------------------------------------------------------- */

static int listen_on(int type, int port)
{
	union addr a = { .v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any } };
	int one = 1, zero = 0, fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	if (fd < 0) { /* a network namespace without IPv6 */
		a = (union addr){ .v4 = { .sin_family = AF_INET, .sin_port = htons(port) } };
		fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	}
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &(int){ 16 }, sizeof(int));
	if (bind(fd, &a.sa, addr_len(&a)) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0)) {
		fprintf(stderr, "pvnet: port %d: %s\n", port, strerror(errno));
		exit(1);
	}
	return fd;
}

/* Answers from the address it was asked at: the tests' servers answer for whole networks. */
static void echo_udp(int fd, bool quic, int port)
{
	char buf[2048], ctl[256];
	union addr peer = { 0 };
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = &peer, .msg_namelen = sizeof(peer), .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = ctl, .msg_controllen = sizeof(ctl) };
	ssize_t n = recvmsg(fd, &m, 0);

	if (n < 0)
		return;
	iov.iov_len = n;
	if (quic) { /* one connected socket for each client, as QUIC servers do */
		int one = 1, c = listen_on(SOCK_DGRAM, port);

		setsockopt(c, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (connect(c, &peer.sa, m.msg_namelen) < 0 || send(c, buf, n, 0) < 0)
			perror("quic");
		close(c);
		return;
	}
	if (sendmsg(fd, &m, 0) < 0)
		perror("udp");
}

static int serve(int argc, char **argv)
{
	struct pollfd p[64];
	struct { int port; char kind; } what[64];
	int n = 0;

	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < argc && n < 60; i++) { /* 3333 = TCP and UDP; tcp:80, udp:80, quic:80 */
		const char *colon = strchr(argv[i], ':');
		int port = atoi(colon ? colon + 1 : argv[i]);

		for (const char *k = "tuq"; *k; k++)
			if (colon ? argv[i][0] == *k : *k != 'q') {
				what[n].port = port, what[n].kind = *k;
				p[n++] = (struct pollfd){ listen_on(*k == 't' ? SOCK_STREAM : SOCK_DGRAM, port), POLLIN, 0 };
			}
	}
	puts("ready");
	fflush(stdout);
	while (poll(p, n, -1) >= 0 || errno == EINTR)
		for (int i = 0; i < n; i++) {
			if (!(p[i].revents & POLLIN))
				continue;
			if (what[i].kind != 't') {
				echo_udp(p[i].fd, what[i].kind == 'q', what[i].port);
				continue;
			}
			int c = accept(p[i].fd, NULL, NULL);

			if (c >= 0 && fork() == 0) {
				char buf[2048];
				ssize_t got;

				while ((got = recv(c, buf, sizeof(buf), 0)) > 0 &&
				       send(c, buf, got, MSG_NOSIGNAL) > 0)
					;
				_exit(0);
			}
			close(c);
		}
	return 0;
}

/* --- load ----------------------------------------------------------------------------------------------------------- */

static int cmd_burn(double seconds, int percent)
{
	double end = now() + seconds;

	while (now() < end) {
		double stop = now() + percent / 1000.0;

		while (now() < stop)
			;
		if (percent < 100)
			usleep((100 - percent) * 1000);
	}
	return 0;
}

static int cmd_eat(size_t mib, double seconds)
{
	char *p = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return errno;
	for (size_t i = 0; i < mib << 20; i += 4096)
		p[i] = 1;
	usleep(seconds * 1e6);
	return 0;
}

static int cmd_forks(int n, double seconds)
{
	int made = 0;

	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		/* what brought us here may still count among the tasks of our cgroup */
		for (int tries = 0; pid < 0 && errno == EAGAIN && tries < 100; tries++) {
			usleep(20000);
			pid = fork();
		}
		if (pid == 0) {
			usleep(seconds * 1e6);
			_exit(0);
		}
		made += pid > 0;
	}
	printf("%d\n", made);
	fflush(stdout);
	usleep(seconds * 1e6);
	return 0;
}

/* A child that is killed for lack of memory while its parent lives on. */
static int cmd_oomchild(size_t mib)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(cmd_eat(mib, 1));
	waitpid(pid, &status, 0);
	puts(WIFSIGNALED(status) ? "killed" : "lived");
	return 0;
}

/* N connects one after another: how many were refused with EPERM, how many went through, the rest. */
static int cmd_flood(const union addr *a, long n)
{
	long eperm = 0, ok = 0, other = 0;

	for (long i = 0; i < n; i++) {
		int fd = socket(a->sa.sa_family, SOCK_STREAM, 0);
		int r = connect(fd, &a->sa, addr_len(a)) < 0 ? errno : 0;

		eperm += r == EPERM, ok += r == 0, other += r && r != EPERM;
		close(fd);
	}
	printf("%ld %ld %ld\n", eperm, ok, other);
	return 0;
}

/* An open connection that is written to once in 100 ms: `open` if it still echoes at the end, else how it ended and
 * after how many milliseconds. Prints `ok` when connected. */
static int cmd_hold(const union addr *a, double seconds)
{
	int err, fd = socket_for(a, SOCK_STREAM, 0);
	double start = now();
	char buf[64];
	ssize_t n = 0;

	err = connect_in_time(fd, a);
	if (err)
		return say(err);
	puts("ok");
	fflush(stdout);
	wait_ms = 5000;
	while (now() < start + seconds) {
		err = send(fd, "x\n", 2, MSG_NOSIGNAL) < 0 ? errno : recv_in_time(fd, buf, sizeof(buf), &n);
		if (err || n == 0) {
			printf("%s %d\n", err ? strerrorname_np(err) : "closed", (int) ((now() - start) * 1000));
			return 1;
		}
		usleep(100000);
	}
	puts("open");
	return 0;
}

static int run(int argc, char **argv);

/* each CMD ARG.. , CMD ARG.. : all at once, lines in order. */
static int cmd_each(int argc, char **argv)
{
	int out[256], n = 0, bad = 0;

	for (int i = 0, j; i < argc && n < 256; i = j + 1, n++) {
		int p[2];

		for (j = i; j < argc && strcmp(argv[j], ","); j++)
			;
		if (pipe(p) < 0)
			return errno;
		if (fork() == 0) {
			int r;

			close(p[0]);
			dup2(p[1], 1);
			argv[j] = NULL;
			srand(getpid());
			r = run(j - i + 1, argv + i - 1); /* what stands before takes the place of the program's name */
			fflush(stdout);
			_exit(r);
		}
		close(p[1]);
		out[n] = p[0];
	}
	for (int i = 0; i < n; i++) {
		char buf[256];
		ssize_t got, all = 0;

		while ((got = read(out[i], buf, sizeof(buf))) > 0)
			all += fwrite(buf, 1, got, stdout);
		if (!all)
			puts("died");
	}
	for (int i = 0, s; i < n && wait(&s) > 0; i++)
		bad |= s != 0;
	return bad;
}

static int usage(void)
{
	fputs("usage: pvnet [-t MS] [-s PORT] [-b ADDR] CMD ...\n"
	      "  connect|tcp|tfo|mptcp|uring-tcp ADDR PORT   udp|udpc|udp-mmsg|uring-udp ADDR PORT   rawsyn ADDR PORT\n"
	      "  [-x] [-z] [-g] [-6] [-n LABELS] [-q QUESTIONS] dns udp|udpc|mmsg|uring|raw|frag|tcp|tcpbytes|tcptwo|tcpsplit:N ADDR PORT NAME\n"
	      "  serve [tcp:|udp:|quic:]PORT...   hold ADDR PORT SECONDS   flood ADDR PORT N\n"
	      "  always ADDR PORT SERVER PORT NAME\n"
	      "  burn SECONDS [PERCENT]   eat MIB SECONDS   forks N SECONDS   oomchild MIB   sleep SECONDS\n"
	      "  each CMD ARG.. , CMD ARG..\n", stderr);
	return 2;
}

static int run(int argc, char **argv)
{
	const char *cmd;
	int opt;

	optind = 0; /* `each` comes here again */
	while ((opt = getopt(argc, argv, "+t:s:b:xgz6n:q:")) != -1)
		switch (opt) {
		case 't': wait_ms = atoi(optarg); break;
		case 's': source_port = atoi(optarg); break;
		case 'b': source_addr = optarg; break;
		case 'n': more_labels = atoi(optarg); break;
		case 'q': more_questions = atoi(optarg); break;
		case 'x': fold_case = true; break;
		case 'g': garbage = true; break;
		case 'z': reserved_bits = true; break;
		case '6': qtype = 28; break;
		default: return usage();
		}
	argc -= optind, argv += optind;
	cmd = argc ? argv[0] : "";
	if (strcmp(cmd, "dns") == 0 && argc == 5) {
		union addr a = addr_of(argv[2], atoi(argv[3]));

		return say(cmd_dns(argv[1], &a, argv[4]));
	}
	if (strcmp(cmd, "each") == 0)
		return cmd_each(argc - 1, argv + 1);
	if (strcmp(cmd, "serve") == 0 && argc > 1)
		return serve(argc - 1, argv + 1);
	if (strcmp(cmd, "burn") == 0 && argc > 1)
		return cmd_burn(atof(argv[1]), argc > 2 ? atoi(argv[2]) : 100);
	if (strcmp(cmd, "eat") == 0 && argc == 3)
		return say(cmd_eat(atol(argv[1]), atof(argv[2])));
	if (strcmp(cmd, "forks") == 0 && argc == 3)
		return cmd_forks(atoi(argv[1]), atof(argv[2]));
	if (strcmp(cmd, "oomchild") == 0 && argc == 2)
		return cmd_oomchild(atol(argv[1]));
	if (strcmp(cmd, "sleep") == 0 && argc == 2)
		return usleep(atof(argv[1]) * 1e6), 0;
	if (argc < 3)
		return usage();

	union addr a = addr_of(argv[1], atoi(argv[2])), server;

	if (strcmp(cmd, "hold") == 0 && argc == 4)
		return cmd_hold(&a, atof(argv[3]));
	if (strcmp(cmd, "always") == 0 && argc == 6)
		return server = addr_of(argv[3], atoi(argv[4])), cmd_always(&a, &server, argv[5]);
	if (strcmp(cmd, "flood") == 0 && argc == 4)
		return cmd_flood(&a, atol(argv[3]));
	if (strcmp(cmd, "rawsyn") == 0)
		return say(cmd_raw_syn(&a));
	if (strstr(cmd, "udp"))
		return say(cmd_udp(cmd, &a));
	if (strcmp(cmd, "connect") == 0 || strcmp(cmd, "tcp") == 0 || strcmp(cmd, "tfo") == 0 ||
	    strcmp(cmd, "mptcp") == 0 || strcmp(cmd, "uring-tcp") == 0)
		return say(cmd_tcp(cmd, &a));
	return usage();
}

int main(int argc, char **argv)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	srand(t.tv_nsec ^ getpid());
	return run(argc, argv);
}
