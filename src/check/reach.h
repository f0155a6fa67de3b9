/* reach.h - what a stranger on the Internet can reach on this host: published ports and listeners, joined with the
 * addresses they are bound to and with every firewall on the host. What stands in front of the host (a provider's
 * firewall, a router) cannot be seen from here. */
#ifndef PV_CHECK_REACH_H
#define PV_CHECK_REACH_H

#include "check/fw_rules.h"
#include "check/gather.h"
#include "check/host_net.h"
#include "check/proc_net.h"

#define REACH_MAX 1024

enum reach_by { REACH_SOCKET, REACH_FORWARD };

struct reach_port {
	unsigned port;
	bool udp, v4, v6;
	bool unsure;	 /* it depends on something that cannot be judged */
	enum reach_by by; /* a program of the host (or of a container in its network), or handed on to another address */
	struct ip_addr to; /* REACH_FORWARD */
	unsigned to_port;
	uint64_t inode;		  /* REACH_SOCKET: of its socket; 0: not known */
	const struct ctr *ctr;	  /* that publishes it; NULL: none known */
};

/* How the firewall is known. */
enum wall_from {
	WALL_RULES,   /* the rules in force */
	WALL_FILES,   /* what ufw or iptables-persistent load at start: Docker's own rules are not among them */
	WALL_NOTHING, /* there is no sign of one */
	WALL_UNKNOWN, /* `reason` and `why` say it */
};

struct reach {
	enum wall_from from;
	enum finding_reason reason;
	const char *why;
	struct fw fw;
	struct host_net net;
	struct proc_net sockets;
	struct reach_port item[REACH_MAX];
	size_t n, tried;
	bool cut; /* more ports than are followed */
};

/* Reads all of it and works it out; lives in the arena. NULL: no memory. */
struct reach *reach_find(struct audit *a);
/* Whether a packet for that port of the host itself gets past the firewall: FW_PASSES, FW_STOPS, or both where that is
 * not sure or differs between addresses. */
unsigned reach_input(const struct reach *r, bool udp, unsigned port);
/* The containers' addresses do not stand in what the engine is asked; its published ports do. */
const struct ctr *reach_publisher(const struct audit *a, bool udp, unsigned port);

#endif
