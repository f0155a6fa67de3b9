/* proc_net.h - sockets of a network namespace, from /proc/PID/net/{tcp,tcp6,udp,udp6}. */
#ifndef PV_CHECK_PROC_NET_H
#define PV_CHECK_PROC_NET_H

#include "base/ip.h"
#include "check/arena.h"
#include "host/hostfs.h"

#define PROC_NET_SOCKETS 20000

struct proc_socket {
	struct ip_addr addr, peer;
	uint16_t port, peer_port;
	uint64_t inode; /* 0: not known, or the kernel's own (VXLAN, WireGuard) */
	bool udp, listens, connected; /* connected: established, or asking for it */
	bool v6only; /* set by whoever has asked: procfs does not show it */
};

struct proc_net {
	struct proc_socket *item;
	size_t n;
	int error; /* what could not be read; 0: all was */
};

void proc_net_read(struct arena *a, const struct hostfs *fs, long pid,
		   struct proc_net *ret); /* pid 0: our own namespace */
/* One file's text. */
void proc_net_parse(struct arena *a, const char *text, size_t len, bool udp, struct proc_net *to);
/* Loopback, private, link-local, CGNAT and multicast addresses: not the Internet. The unspecified address is not among
 * them. */
bool proc_net_inner(const struct ip_addr *addr);

#endif
