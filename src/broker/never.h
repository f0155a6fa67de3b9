/* never.h - who is never banned, looked up by the broker itself: what the engine believes does not count here. */
#ifndef PV_BROKER_NEVER_H
#define PV_BROKER_NEVER_H

#include "base/ip.h"
#include "model/broker_proto.h"
#include "model/policy.h"

struct never;
int never_new(struct never **ret);
struct never *never_free(struct never *n);
PV_AUTO(never)

/* One of the container networks that the Engine API told (BROKER_INTERNAL); at most 1,024. */
void never_network(struct never *n, const struct ip_prefix *net, bool add);

/* NEVER_NO: `who` holds none of them. Own addresses, networks of bridges, routers (/proc/net/route), resolvers (resolv.conf),
 * open SSH sessions and open outgoing connections are read again when they were read more than a second ago. A connection is
 * outgoing when nothing listens on its local port. Where something cannot be read, what is known already still holds. */
enum ban_never never_check(struct never *n, const struct policy *p, const struct ip_prefix *who, uint64_t now_us);

/* --- the parts, for tests; the files and folders are given --- */
struct never_list {
	struct ip_prefix *prefix;
	uint8_t *why;
	size_t n, room;
};
void never_add(struct never_list *l, const struct ip_addr *a, uint8_t len, enum ban_never why);
void never_routes(struct never_list *l, const char *proc_net_route, const char *proc_net_ipv6_route); /* their texts */
void never_resolvers(struct never_list *l, const char *resolv_conf);				      /* its text */
const char *never_next_line(const char *line); /* NULL: that was the last */
/* never_sessions.c */
#define NEVER_INODES 4096
/* Sockets (inode numbers) of SSH sessions of root and of members of the groups, below `proc` with `etc_group` as text. */
size_t never_sessions(int proc_fd, const char *etc_group, uint64_t inodes[NEVER_INODES]);
/* Adds the far ends of connections: those whose socket is one of `inodes`, and those that this side opened. */
int never_connections(struct never_list *l, const uint64_t *inodes, size_t n_inodes);

#endif
