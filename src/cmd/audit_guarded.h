/* audit_guarded.h - changes of SSH and of the firewall: what could lock the owner out. Tested before they take effect (sshd -t, and
 * sshd -T must say so; nft -c, and no port of SSH), and taken back by a process that waits for it unless `pavise audit
 * --confirm` comes first. A change that is waiting is a file `pending-sshd` or `pending-firewall` in the folder of the records; one whose time is over (the machine was restarted
 * meanwhile) is taken back by the next `pavise audit`. */
#ifndef PV_CMD_AUDIT_GUARDED_H
#define PV_CMD_AUDIT_GUARDED_H

#include "cmd/audit.h"
#include "mend/record.h"

bool guarded_kind(const struct audit_step *s);
void guarded_words(struct pv_buf *out, const struct audit_step *s); /* as the command that would do the same */
int guarded_prepare(const struct audit_step *s);		    /* -errno: it must not be done */
int guarded_apply(struct start *s, struct record_line *line);
int guarded_undo(struct start *s, const struct audit_step *step);
void guarded_late(struct start *s);   /* takes back what waits for too long */
int guarded_confirm(struct start *s); /* pavise audit --confirm: an exit status */

#endif
