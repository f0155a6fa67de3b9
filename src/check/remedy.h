/* remedy.h - how a failing check is mended, with the real names filled in. A command starts with the program's name; a
 * patch of a Compose file is YAML that starts with `services:`. */
#ifndef PV_CHECK_REMEDY_H
#define PV_CHECK_REMEDY_H

#include "check/check.h"

void remedy_container(const struct ctr *c, const struct ctr_check *check, const struct check_policy *p, struct finding *f);
/* ` --publish-rm published=3000,target=3000,mode=host`: Swarm removes those whose target, protocol and mode are the same. */
void remedy_publish_rm(struct pv_buf *out, const struct ctr_port *port);
/* `[address:][published]:target[/udp]`, as -p and Compose take it, on 127.0.0.1 when it is not to face anybody else. */
void remedy_port(struct pv_buf *out, const struct ctr_port *port, bool near);
/* One word of a shell command, in single quotes when it needs them. */
void remedy_word(struct pv_buf *out, const char *word);

/* Commands of findings with one cause, joined where the program takes several names: `docker update --cpus 1.5 a b`. Those
 * that cannot be joined with the first are left out. `f` are n findings of one id. Returns whether all are in it. */
bool remedy_joined(struct pv_buf *out, const struct finding *const *f, size_t n);

#endif
