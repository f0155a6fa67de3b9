/* activated.h - an engine whose socket systemd holds (docker.socket): a connection to it while its service is stopped starts it
 * again, and with it the containers that its owner has just stopped. From /proc/net/unix and the descriptors of what is called
 * dockerd; nothing is connected to here. */
#ifndef PV_BROKER_ACTIVATED_H
#define PV_BROKER_ACTIVATED_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/util.h"

/* One for each engine, zero at first. Until dockerd was seen behind the socket, everything may be connected to: what else is started
 * by it (podman's service) is there on demand only. */
struct activated {
	dev_t dev; /* the node in the file system that the rest is about */
	ino_t ino;
	uint64_t socket; /* its number in the kernel's table */
	int server, fd;	 /* process and descriptor that accepts there; 0: none was seen yet */
	uint64_t looked_us;
};

/* False: whoever accepted here has gone, or is on its way out, and nobody has come after it. */
bool activated_may_connect(struct activated *a, const struct stat *node);
/* A connection was made, and `listener` (SO_PEERCRED) had called listen(). */
void activated_connected(struct activated *a, const struct stat *node, pid_t listener, uint64_t now_us);

#endif
