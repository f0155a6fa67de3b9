/* never.h - who is never banned, looked up by the broker itself: what the engine believes does not count here. */
#ifndef PV_BROKER_NEVER_H
#define PV_BROKER_NEVER_H

#include "base/buf.h"
#include "base/ip.h"
#include "model/broker_proto.h"
#include "model/policy.h"

struct never;
int never_new(struct never **ret);
struct never *never_free(struct never *n);
PV_AUTO(never)

/* One of the container networks that the Engine API told (BROKER_INTERNAL); at most 1,024: while there are more, NEVER_UNKNOWN. */
void never_network(struct never *n, const struct ip_prefix *net, bool add);

/* NEVER_NO: `who` holds none of them. Own addresses, networks of bridges, routers (/proc/net/route), resolvers (resolv.conf),
 * open SSH sessions and open outgoing connections are read again when they were read more than a second ago. A connection is
 * outgoing when nothing listens on its local port.
 * NEVER_UNKNOWN: some of it could not be read, so that nobody can say. Not being there (no resolv.conf, a kernel without IPv6)
 * is an answer; any other failure, a text longer than 4 MiB or more than 65,536 addresses is none. */
enum ban_never never_check(struct never *n, const struct policy *p, const struct ip_prefix *who, uint64_t now_us);
/* Reads again if the last time was more than `age_us` ago. Returns what could not be read ("" nothing), until the next call. */
const char *never_refresh(struct never *n, uint64_t age_us, uint64_t now_us);

/* --- the parts, for tests; the files and folders are given --- */
struct never_list {
	struct ip_prefix *prefix;
	uint8_t *why;
	size_t n, room;
	bool full; /* something found no room */
	bool odd;  /* a line of the kernel's was not understood */
};

/* What is read, and how. All return 0 or a negative errno; `file` gives the whole text, or -ENOENT, or why not. */
struct never_readers {
	int (*file)(const char *path, struct pv_buf *ret);
	int (*own)(struct never_list *l);				       /* own addresses, networks of bridges */
	int (*sessions)(const char *etc_group, uint64_t *ret, size_t *ret_n); /* as never_sessions(), of this host */
	int (*connections)(struct never_list *l, const uint64_t *inodes, size_t n_inodes);
};
extern const struct never_readers never_this_host;
void never_read_by(struct never *n, const struct never_readers *r);
void never_add(struct never_list *l, const struct ip_addr *a, uint8_t len, enum ban_never why);
void never_routes(struct never_list *l, const char *proc_net_route, const char *proc_net_ipv6_route); /* their texts */
void never_resolvers(struct never_list *l, const char *resolv_conf);				      /* its text */
/* A number at *at, behind blanks and tabs, which ends *at. False: there is none, or it is longer than 64 bits. */
bool never_number(const char **at, int base, uint64_t *ret);
const char *never_next_line(const char *line); /* NULL: that was the last */
/* never_sessions.c */
#define NEVER_INODES 4096
/* Sockets (inode numbers) of SSH sessions of root and of members of the groups, containers' apart, below `proc` with `etc_group` as text. A process
 * that ends meanwhile is none. -E2BIG: more than NEVER_INODES; other errors: some process could not be looked at. */
int never_sessions(int proc_fd, const char *etc_group, uint64_t ret[NEVER_INODES], size_t *ret_n);
/* Adds the far ends of connections: those whose socket is one of `inodes`, and those that this side opened. Asks the kernel's
 * sock_diag, and reads /proc/net/{tcp,tcp6,udp,udp6} where that module is not there. */
int never_connections(struct never_list *l, const uint64_t *inodes, size_t n_inodes);
/* The same out of the texts of /proc/net/PROTOCOL and /proc/net/PROTOCOL6. */
void never_sockets(struct never_list *l, const uint64_t *inodes, size_t n_inodes, bool udp, const char *v4, const char *v6);

#endif
