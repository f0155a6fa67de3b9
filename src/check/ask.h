/* ask.h - what the audit's reader, which may not connect or start anything, asks of the command that started it:
 * answers of the container engine, the configuration of sshd, the rules of the firewall, who holds a socket: fixed requests. One datagram a question over a
 * SOCK_SEQPACKET pair; the answer carries a descriptor with the raw text behind it. Pure layout, shared by both sides.
 */
#ifndef PV_CHECK_ASK_H
#define PV_CHECK_ASK_H

#include "base/buf.h"

/* AUDIT_STEP is no question: one struct audit_step of check/step.h, which gets no answer. */
enum audit_op { AUDIT_API = 1, AUDIT_SSHD = 2, AUDIT_FIREWALL = 3, AUDIT_OWNERS = 4, AUDIT_V6ONLY = 5, AUDIT_KNOWN = 6, AUDIT_STEP = 100 };

/* Whose account of the firewall AUDIT_FIREWALL wants: fixed command lines, which only list. */
enum firewall_source {
	FIREWALL_IPTABLES,
	FIREWALL_IP6TABLES,
	FIREWALL_LEGACY, /* -ENOENT where no table of the old kind is in use */
	FIREWALL_LEGACY6,
	FIREWALL_NFT,
	FIREWALL_NFT_TERSE, /* without the elements of sets */
	FIREWALL_SOURCES
};

#define AUDIT_TEXT 160

struct audit_ask {
	uint32_t op;
	uint32_t number; /* AUDIT_API: enum api_request, a reading one; engine in the upper half: 0 Docker, 1 Podman */
			 /* AUDIT_FIREWALL: enum firewall_source */
	char text[AUDIT_TEXT]; /* AUDIT_API: the id; AUDIT_SSHD: what -C takes, or ""; AUDIT_OWNERS: inodes of sockets with
				  blanks between; the answer has a line for each found: inode, process id, its name.
				  AUDIT_KNOWN: kind and digest of cmd/audit_known.h, which says what comes back.
				  AUDIT_V6ONLY: a line with the inode of each socket on :: that takes no IPv4 */
};

struct audit_reply {
	int32_t result; /* 0, or -errno: then no descriptor comes along. AUDIT_SSHD: -ECHILD when it ended with an error
			 */
};

/* The reader's side. Asks and reads the whole answer, at most `cap` bytes. 0, -errno. */
int audit_ask(int sock, enum audit_op op, uint32_t number, const char *text, size_t cap, struct pv_buf *out);
/* The same, and HTTP taken off: the body of a 200. -ENOENT for 404, -ENOTSUP for 503 and 406 (no Swarm), else -EBADMSG.
 */
int audit_ask_api(int sock, uint32_t number, const char *id, struct pv_buf *out);

#endif
