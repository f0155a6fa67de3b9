/* conf.h - the configuration: one table of keys (conf_items.def: key, type, default, unit, bounds, what it does),
 * from which the reader, the sample file, the man page and `config show` are made; and the reader itself, which runs
 * in the unprivileged policy child. */
#ifndef PV_MODEL_CONF_H
#define PV_MODEL_CONF_H

#include "base/buf.h"
#include "model/policy.h"

/* Starts a policy with every default. */
void conf_defaults(struct policy *p);

/* One file into the policy, later files win key by key (lists replace). `name` is for messages and origins. Errors are
 * appended to `err` as lines `file:line:column: what is wrong, what would be right`; returns 0 or -EINVAL (the policy
 * must then not be used). At most 1 MiB, 64 levels, no more than 100 aliases; anchors are expanded within these. */
int conf_read(struct policy *p, const char *name, const char *text, size_t len, struct pv_buf *err);
/* After the last file: cross checks, the DNS table is compiled. 0 or -EINVAL. */
int conf_finish(struct policy *p, struct pv_buf *err);

/* `config show`: YAML of everything in force; with `origin` a comment `# file:line` or `# default` behind each key. */
struct conf_origins; /* filled by conf_read when set with conf_track() */
void conf_show(struct pv_buf *out, const struct policy *p, bool origin);
/* The sample file (dist/pavise.yaml) and the man page's section, both from the table. */
void conf_sample(struct pv_buf *out);
void conf_man(struct pv_buf *out);

#endif
