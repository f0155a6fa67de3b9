/* audit_serve.h - what the audit's reader may ask while it works. */
#ifndef PV_CMD_AUDIT_SERVE_H
#define PV_CMD_AUDIT_SERVE_H

/* Answers until the other end is closed, or sends what is none of its questions. `sockets`: Docker's and Podman's; NULL:
 * not asked. */
void audit_serve(const char *const sockets[2], int sock);

#endif
