/* rules.h - inside match/: how rules are kept while they are read. */
#ifndef PV_MATCH_RULES_H
#define PV_MATCH_RULES_H

#include "match/rule_file.h"

struct rule_example {
	size_t rule;
	bool want;
	char *text;	   /* the credential or address that is wanted follows after its NUL */
	const char *span;  /* into text; "" when any will do */
	char where[96];	   /* file:line:column */
};

struct rules {
	struct rule *rule;
	size_t n, room;
	uint64_t version;
	struct arena_chunk *arena;
	struct rule_example *examples;
	size_t n_examples, examples_room;
};

/* Memory that lives as long as the rules; zeroed. NULL without memory. */
void *rules_alloc(struct rules *rs, size_t size);
const char *rules_strn(struct rules *rs, const char *s, size_t len);
struct rule *rules_push(struct rules *rs); /* a rule with every string set to "" */

/* The flat form of the cache. Reading trusts nothing: -EBADMSG for whatever does not fit. Strings of what was read
 * point into `data`, which must outlive the rules. */
void rules_write(const struct rules *rs, struct pv_buf *out);
int rules_read(const void *data, size_t len, struct rules **ret);

#endif
