/* host_net.h - addresses and routes of the host, from /proc/net/{fib_trie,route,if_inet6,ipv6_route}: which of them a
 * stranger can send to, and through which interface something leaves. */
#ifndef PV_CHECK_HOST_NET_H
#define PV_CHECK_HOST_NET_H

#include "base/ip.h"
#include "check/arena.h"
#include "host/hostfs.h"

#define HOST_ADDRS  256
#define HOST_ROUTES 2000

struct host_addr {
	struct ip_addr addr;
	const char *iface;
	bool outside; /* on an interface that leads to the Internet: one with a default route. Where there is none: on any
			 but loopback and the bridges of container engines */
};

struct host_route {
	struct ip_prefix to;
	const char *iface;
};

struct host_net {
	struct host_addr addr[HOST_ADDRS];
	size_t n_addrs;
	struct host_route *route;
	size_t n_routes;
	bool known; /* anything could be read */
	bool forwards4, forwards6;
	unsigned ephemeral; /* ports from here on are given to clients */
};

/* What cannot be read is left out. */
void host_net_read(struct arena *a, const struct hostfs *fs, struct host_net *ret);
void host_net_parse_fib_trie(struct arena *a, const char *text, struct host_net *to);
void host_net_parse_route(struct arena *a, const char *text, struct host_net *to);
void host_net_parse_inet6(struct arena *a, const char *text, struct host_net *to);
void host_net_parse_route6(struct arena *a, const char *text, struct host_net *to);
void host_net_settle(struct host_net *n); /* when all is parsed: interfaces of addresses, and which are outside */

bool host_net_local(const struct host_net *n, const struct ip_addr *a);
/* The interface of the longest route, or NULL. */
const char *host_net_way(const struct host_net *n, const struct ip_addr *a);

#endif
