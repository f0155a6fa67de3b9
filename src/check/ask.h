/* ask.h - what the audit's reader, which may not connect or start anything, asks of the command that started it:
 * answers of the container engine and the configuration of sshd, both fixed requests. One datagram a question over a
 * SOCK_SEQPACKET pair; the answer carries a descriptor with the raw text behind it. Pure layout, shared by both sides.
 */
#ifndef PV_CHECK_ASK_H
#define PV_CHECK_ASK_H

#include "base/buf.h"

enum audit_op { AUDIT_API = 1, AUDIT_SSHD = 2 };

#define AUDIT_TEXT 160

struct audit_ask {
	uint32_t op;
	uint32_t number; /* AUDIT_API: enum api_request, a reading one; engine in the upper half: 0 Docker, 1 Podman */
	char text[AUDIT_TEXT]; /* AUDIT_API: the id; AUDIT_SSHD: what -C takes, or "" */
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
