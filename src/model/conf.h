/* conf.h - the configuration: one table of keys (conf_items.def: key, type, default, unit, bounds, what it does),
 * from which the reader, the sample file, the man page and `config show` are made; and the reader itself, which runs
 * in the unprivileged policy child. */
#ifndef PV_MODEL_CONF_H
#define PV_MODEL_CONF_H

#include "base/buf.h"
#include "model/policy.h"

enum conf_type {
	CONF_MODE,
	CONF_PATH,
	CONF_ACTION,
	CONF_PERMYRIAD,
	CONF_USEC,
	CONF_BYTES,
	CONF_COUNT,
	CONF_PORTS,
	CONF_PREFIXES,
	CONF_NAMES,
	CONF_SERVICES,
	CONF_WEBPATHS,
	CONF_BOOL,
	CONF_KEY,
	CONF_RATE,
	CONF_FILES,
	CONF_PATHS,
	CONF_PROGRAMS,
	CONF_CPUS,
	CONF_CHANNELS,
	CONF_EXCEPTIONS
};

struct conf_item {
	const char *key; /* dotted: "cpu.limit" */
	enum conf_type type;
	size_t offset; /* in struct policy */
	const char *fallback; /* the default as text; lists without brackets */
	uint64_t min, max;
	const char *help;
};

#define CONF_MAX_ITEMS 64
extern const struct conf_item conf_items[]; /* ends with a NULL key */

/* Where each key in force was set; zeroed: nowhere, the default holds. */
struct conf_origins {
	struct conf_origin {
		char file[128];
		unsigned line; /* 0: default */
	} item[CONF_MAX_ITEMS];
};

/* Starts a policy with every default. */
void conf_defaults(struct policy *p);

/* One file into the policy, later files win key by key (lists replace; `exceptions` of all files add up). `name` is
 * for messages and origins. Errors are appended to `err` as lines `file:line:column: what is wrong, what would be
 * right`, at most 20 a file; returns 0 or -EINVAL (the policy must then not be used). At most 1 MiB, 64 levels, no
 * more than 100 aliases; anchors are expanded within these. */
int conf_read(struct policy *p, const char *name, const char *text, size_t len, struct pv_buf *err);
/* The same; `notes` (may be NULL) gets lines of the same form about keys that are known but not used by this version,
 * `origins` (may be NULL) where each key was set. */
int conf_read_noted(struct policy *p, const char *name, const char *text, size_t len, struct pv_buf *err,
		    struct pv_buf *notes, struct conf_origins *origins);
/* After the last file: cross checks, built-in exceptions, the DNS table is compiled. 0 or -EINVAL. */
int conf_finish(struct policy *p, struct pv_buf *err);

/* `config show`: YAML of everything in force; with origins a comment `# file:line` or `# default` behind each key. */
void conf_show(struct pv_buf *out, const struct policy *p, const struct conf_origins *origins);
/* The sample file (dist/pavise.yaml) and the man page's section (mdoc), both from the table. */
void conf_sample(struct pv_buf *out);
void conf_man(struct pv_buf *out);

#endif
