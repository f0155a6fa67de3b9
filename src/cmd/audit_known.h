/* audit_known.h - since when the audit has known a thing (a key of somebody's login, a job, a deployment, an update that waits,
 * a secret's value): what is new since then. One file, `audit/known` in the state folder, a line each:
 * kind, keyed digest, first and last time seen. */
#ifndef PV_CMD_AUDIT_KNOWN_H
#define PV_CMD_AUDIT_KNOWN_H

#include "check/ask.h"

struct known;

/* `text`: "kind digest", kind of a-z and -, digest of 32 hex digits. Remembers it, and writes "first since\n" into `out`,
 * both microseconds of the wall clock: when it was seen first, and when the first thing of that kind was (equal: it was
 * there when this began). -EINVAL; -errno where nothing can be kept. *s is made at the first call. */
int known_ask(struct known **s, const char *state_dir, const char *text, uint64_t now_us, struct pv_buf *out);
/* Writes what has changed, frees it. Takes NULL. */
void known_done(struct known *s);

#endif
