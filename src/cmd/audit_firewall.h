/* audit_firewall.h - `pavise audit --fix --guarded` for the firewall: ports that a stranger reaches
 * and should not are closed on the interfaces that lead outside, in a chain of our own (inet
 * pavise_audit), before any redirection, so that it holds for what Docker publishes, too. Only the
 * first packet of a connection is looked at: what is open stays open. It lives in the kernel alone
 * and ends with a restart of the machine. Never closed: a port of sshd, and the port that this
 * session came by. */
#ifndef PV_CMD_AUDIT_FIREWALL_H
#define PV_CMD_AUDIT_FIREWALL_H

#include "base/buf.h"
#include "check/step.h"

/* The step holds nothing but interfaces, ports and the name of a chain. */
bool firewall_valid(const struct audit_step *s);
void firewall_words(struct pv_buf *out,
		    const struct audit_step *s);  /* as the command that does it */
int firewall_prepare(const struct audit_step *s); /* 0; -errno: it must not be done (said where
						     -EREMOTEIO); nft has tried it */
int firewall_put(const struct audit_step *s);
int firewall_take(const struct audit_step *s); /* 0 also where it is gone already */

#endif
