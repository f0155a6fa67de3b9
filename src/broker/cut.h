/* cut.h - closes open TCP connections of a container (sock_diag, SOCK_DESTROY): the application gets ECONNABORTED at
 * once. Works per network namespace, so the container's is entered for the moment in which the netlink socket is made. */
#ifndef PV_BROKER_CUT_H
#define PV_BROKER_CUT_H

#include "broker/cgroups.h"

/* Those to addr:port (an address of zeros, port 0: any) whose socket belongs to the cgroup or one below it. *ret_n:
 * how many. 0, -ESRCH (no process left), -EOPNOTSUPP (kernel without INET_DIAG_DESTROY), or negative errno. */
int cut_connections(const struct cgroups *c, const struct broker_cgroup *cg, const uint8_t addr[16], uint16_t port,
		    uint64_t *ret_n);

#endif
