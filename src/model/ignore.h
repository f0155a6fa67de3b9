/* ignore.h - pavise.ignore: findings that a person accepts for a time.
 *
 *	- id: secret.in-code            # or its alias; no wildcard
 *	  subject: test/fixtures/key-*  # a glob over the finding's name or path
 *	  rule: github.pat              # optional: only what this rule found
 *	  reason: made-up keys of the test suite
 *	  owner: anna                   # who answers for it
 *	  expires: 2027-03-01           # at most a year ahead
 *
 * An entry that is over counts no more, and one that is wrong never did: both are told, and so is one that spared
 * nothing. */
#ifndef PV_MODEL_IGNORE_H
#define PV_MODEL_IGNORE_H

#include "model/finding.h"

#define IGNORE_ENTRIES 2000

struct ignore_list;

/* `name` is how the file is called in messages and findings. Entries that do not count are kept for ignore_report().
 * -EINVAL: no YAML, or no list of entries: `err` gets `name:line:column: what is wrong`; -ENOMEM. */
int ignore_read(const char *name, const char *text, size_t len, uint64_t now_us, struct ignore_list **ret,
		struct pv_buf *err);
struct ignore_list *ignore_list_free(struct ignore_list *l);
PV_AUTO(ignore_list)

/* Whether an entry in force spares the finding, which is marked as accepted then; that entry is used from then on. Only what
 * fails is spared: never what could not be checked. `rule` may be NULL. NULL list: false. */
bool ignore_covers(struct ignore_list *l, struct finding *f, const char *rule);
/* Adds ignore.invalid and ignore.unused findings, the latter for ids of which `ran` says true (NULL: all) and of which `to`
 * has nothing that could not be checked: what this run did not see may still need the entry. */
int ignore_report(const struct ignore_list *l, bool (*ran)(enum id id), struct finding_list *to);

/* `2027-03-01` to the end of that day, microseconds since 1970 (UTC). -EINVAL. */
int ignore_date(const char *text, uint64_t *ret_us);
/* Whether an exception until then counts now. -ERANGE: more than a year ahead; -ETIME: over; 0. */
int ignore_in_force(uint64_t until_us, uint64_t now_us);

#endif
