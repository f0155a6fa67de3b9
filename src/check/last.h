/* last.h - what changed since the last run over the whole host: its failing findings are kept as text, one a line
 * (`FINGERPRINT FIRST-SEEN ID NAME`, the name as a JSON string), written by the reader and stored by the command. Pure. */
#ifndef PV_CHECK_LAST_H
#define PV_CHECK_LAST_H

#include "check/check.h"

struct last_diff {
	uint64_t when_us;      /* of the last run; 0: there was none */
	size_t fresh, mended;
	struct pv_buf fresh_names, mended_names; /* `ctr.privileged a, ...`, at most a few */
};
void last_diff_done(struct last_diff *d);

/* Compares with the last run's text and gives each failing finding its first_seen_us: the old one, or now. What the last
 * run has of ids that are not in `s` says nothing. */
void last_compare(struct finding_list *l, const struct check_select *s, const char *text, uint64_t now_us,
		  struct last_diff *ret);
void last_write(struct pv_buf *out, const struct finding_list *l, uint64_t now_us);

#endif
