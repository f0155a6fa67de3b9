/* sockets.h - the TCP connections of a network namespace, read from /proc/PID/net/tcp and tcp6 (readable without
 * privileges). Reads, changes nothing. */
#ifndef PV_HOST_SOCKETS_H
#define PV_HOST_SOCKETS_H

#include <sys/types.h>

#include "base/ip.h"

#define SOCKETS_BYTES (1u << 20) /* of each file; what lies behind is not seen, and that is told: -EFBIG */

/* Calls fn for each established connection of the network namespace in which `pid` lives, with its remote end, but for
 * those of clients to a port that listens there: they chose that remote port, not we. fn returns non-zero to stop. 0, -ENOENT (no such process), -EFBIG (there were more than are read). */
int sockets_remote(pid_t pid, int (*fn)(const struct ip_addr *addr, uint16_t port, void *arg), void *arg);

#endif
