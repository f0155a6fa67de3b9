/* v6only.h - which sockets on :: take IPv6 alone, asked of the kernel by sock_diag(7): procfs does not show it. Reads,
 * changes nothing; the own network namespace, no privileges needed. */
#ifndef PV_HOST_V6ONLY_H
#define PV_HOST_V6ONLY_H

#include "base/util.h"

/* fn for the inode of each listening TCP and each unconnected UDP socket with IPV6_V6ONLY. 0, -errno. */
int v6only_each(void (*fn)(uint32_t inode, void *user), void *user);

#endif
