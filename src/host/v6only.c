#include "host/v6only.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define STATE_LISTEN (1u << 10)
#define STATE_CLOSE  (1u << 7) /* an unconnected datagram socket */

static int ask(int fd, uint8_t protocol)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} q = { .head = { .nlmsg_len = sizeof(q),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = AF_INET6,
			 .sdiag_protocol = protocol,
			 .idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1),
			 .idiag_states = protocol == IPPROTO_TCP ? STATE_LISTEN : STATE_CLOSE } };

	return send(fd, &q, sizeof(q), 0) == (ssize_t) sizeof(q) ? 0 : -errno;
}

static bool only_v6(const struct inet_diag_msg *m, size_t len)
{
	const struct rtattr *a = (const struct rtattr *) (const void *) (m + 1);
	int left = (int) (len - sizeof(*m));

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(a) >= 1)
			return *(const uint8_t *) RTA_DATA(a) != 0;
	return false;
}

/* 1: that was the last one. */
static int one_answer(const char *buf, size_t got, void (*fn)(uint32_t inode, void *user), void *user)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *) (const void *) buf;

	for (unsigned left = (unsigned) got; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
		const struct inet_diag_msg *m = NLMSG_DATA(h);

		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return -EPROTO;
		if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(*m)) && only_v6(m, h->nlmsg_len - NLMSG_HDRLEN))
			fn(m->idiag_inode, user);
	}
	return 0;
}

int v6only_each(void (*fn)(uint32_t inode, void *user), void *user)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	pv_autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	_Alignas(struct nlmsghdr) char buf[32768];
	int r = fd < 0 ? -errno : 0;

	for (size_t i = 0; i < N_ELEMENTS(protocols) && r >= 0; i++) {
		r = ask(fd, protocols[i]);
		while (r == 0) {
			ssize_t n = recv(fd, buf, sizeof(buf), 0);

			if (n < 0 && errno == EINTR)
				continue;
			r = n < 0 ? -errno : one_answer(buf, (size_t) n, fn, user);
		}
	}
	return r < 0 ? r : 0;
}
