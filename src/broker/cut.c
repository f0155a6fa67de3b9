#include "broker/cut.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "base/ip.h"
#include "base/log.h"

#define DIAG_CGROUP_ID 21 /* INET_DIAG_CGROUP_ID, since 5.9 */
#define FOUND_MAX      1024

struct cut {
	const struct cgroups *c;
	const char *path; /* the container's cgroup */
	uint64_t cgroup, last_id;
	bool last_below;
	const uint8_t *addr;
	uint16_t port;
	size_t n;
	struct inet_diag_req_v2 found[FOUND_MAX];
};

struct diag_request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 req;
};

/* A netlink socket stays in the namespace it was made in. When the way back fails, this process must not go on. */
static int socket_inside(int pidfd)
{
	pv_autoclose int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd, r = 0;

	if (home < 0)
		return -errno;
	if (setns(pidfd, CLONE_NEWNET) < 0)
		return -errno;
	fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		r = -errno;
	if (setns(home, CLONE_NEWNET) < 0) {
		(void) log_error_errno(-errno, "cannot leave a container's network namespace");
		_exit(1);
	}
	return fd < 0 ? r : fd;
}

static int diag_send(int fd, uint16_t type, uint16_t flags, const struct inet_diag_req_v2 *req)
{
	struct diag_request m = { .head = { .nlmsg_len = sizeof(m), .nlmsg_type = type, .nlmsg_flags = flags },
				  .req = *req };

	return send(fd, &m, sizeof(m), 0) < 0 ? -errno : 0;
}

static bool belongs(struct cut *cut, uint64_t id)
{
	char path[4096];
	pv_autoclose int fd = -1;
	size_t n = strlen(cut->path);

	if (id == cut->cgroup)
		return true;
	if (id != cut->last_id) {
		cut->last_id = id;
		cut->last_below = cgroups_open(cut->c, id, path, sizeof(path), &fd) == 0 &&
				  strncmp(path, cut->path, n) == 0 && path[n] == '/';
	}
	return cut->last_below;
}

static struct ip_addr remote(const struct inet_diag_msg *m)
{
	struct ip_addr a;

	if (m->idiag_family == AF_INET)
		return ip_from_v4(m->id.idiag_dst[0]);
	memcpy(a.b, m->id.idiag_dst, sizeof(a.b));
	return a;
}

static void consider(struct cut *cut, const struct nlmsghdr *h)
{
	static const uint8_t any[16];
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	int len = (int) h->nlmsg_len - (int) NLMSG_LENGTH(sizeof(*m));
	const struct rtattr *a = (const struct rtattr *) (m + 1);
	struct ip_addr to;
	uint64_t id = 0;

	if (len < 0 || cut->n == FOUND_MAX)
		return;
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		if (a->rta_type == DIAG_CGROUP_ID && RTA_PAYLOAD(a) >= sizeof(id))
			memcpy(&id, RTA_DATA(a), sizeof(id));
	to = remote(m);
	if (!belongs(cut, id) || (cut->port && ntohs(m->id.idiag_dport) != cut->port))
		return;
	if (memcmp(cut->addr, any, sizeof(any)) != 0 && memcmp(cut->addr, to.b, sizeof(to.b)) != 0)
		return;
	cut->found[cut->n++] = (struct inet_diag_req_v2){ .sdiag_family = m->idiag_family,
							  .sdiag_protocol = IPPROTO_TCP,
							  .id = m->id };
}

/* Reads one dump to its end. */
static int read_dump(struct cut *cut, int fd)
{
	uint8_t *buf = malloc(64 << 10);
	int r = buf ? 1 : -ENOMEM;

	while (r == 1) {
		ssize_t got = recv(fd, buf, 64 << 10, 0);
		unsigned len = got > 0 ? (unsigned) got : 0;

		if (got <= 0) {
			r = got < 0 && errno == EINTR ? 1 : -EIO;
			continue;
		}
		for (struct nlmsghdr *h = (struct nlmsghdr *) buf; NLMSG_OK(h, len) && r == 1; h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_type == NLMSG_DONE)
				r = 0;
			else if (h->nlmsg_type == NLMSG_ERROR)
				r = -EIO;
			else if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY)
				consider(cut, h);
		}
	}
	free(buf);
	return r;
}

/* Open, opening and half-closed connections; those that listen or wait out their time are not connections to anybody. */
#define STATES                                                                                     \
	(1u << TCP_ESTABLISHED | 1u << TCP_SYN_SENT | 1u << TCP_SYN_RECV | 1u << TCP_FIN_WAIT1 |   \
	 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT | 1u << TCP_LAST_ACK | 1u << TCP_CLOSING)

static int find(struct cut *cut, int fd)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	int r = 0;

	for (size_t i = 0; i < N_ELEMENTS(families) && r == 0; i++) {
		struct inet_diag_req_v2 all = { .sdiag_family = families[i],
						.sdiag_protocol = IPPROTO_TCP,
						.idiag_states = STATES,
						.id = { .idiag_dport = htons(cut->port) } };

		r = diag_send(fd, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, &all);
		if (r == 0)
			r = read_dump(cut, fd);
	}
	return r;
}

static int destroy(int fd, const struct inet_diag_req_v2 *one)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr err;
		uint8_t rest[256];
	} answer;
	int r = diag_send(fd, SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, one);
	ssize_t n;

	if (r < 0)
		return r;
	n = recv(fd, &answer, sizeof(answer), 0);
	if (n < (ssize_t) NLMSG_LENGTH(sizeof(answer.err)) || answer.head.nlmsg_type != NLMSG_ERROR)
		return -EIO;
	return answer.err.error;
}

int cut_connections(const struct cgroups *c, const struct broker_cgroup *cg, const uint8_t addr[16], uint16_t port,
		    uint64_t *ret_n)
{
	static struct cut cut; /* large, and everything here is one thread */
	const struct timeval limit = { .tv_sec = 1 };
	pv_autoclose int pidfd = -1, fd = -1;
	uint64_t done = 0;
	int r = cgroups_some_process(c, cg, &pidfd);

	if (r < 0)
		return r;
	fd = socket_inside(pidfd);
	if (fd < 0)
		return fd;
	(void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	cut = (struct cut){ .c = c, .path = cg->path, .cgroup = cg->cgroup, .addr = addr, .port = port };
	r = find(&cut, fd);
	for (size_t i = 0; i < cut.n; i++) {
		int one = destroy(fd, &cut.found[i]);

		if (one == 0)
			done++;
		else if (one != -ENOENT) /* it closed by itself meanwhile */
			r = one;
	}
	if (done == 0 && r < 0)
		return r;
	*ret_n = done;
	return 0;
}
