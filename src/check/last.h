/* last.h - what changed since the last run over the whole host: its failing findings are kept as text, one a line
 * (`FINGERPRINT FIRST-SEEN ID NAME`, the name as a JSON string), written by the reader and stored by the command. Pure.
 * Mended is what passes now, or is not there any more: never what could not be checked this time. An accepted finding
 * (pavise.ignore) is neither new nor mended, and known when its time is over. */
#ifndef PV_CHECK_LAST_H
#define PV_CHECK_LAST_H

#include "check/check.h"

struct last_diff {
	uint64_t when_us;      /* of the last run; 0: there was none */
	size_t fresh, mended;
	struct pv_buf fresh_names, mended_names; /* `ctr.privileged a, ...`, at most a few */
	struct pv_buf kept;   /* lines of what could not be checked: for the next run */
};
void last_diff_done(struct last_diff *d);

/* Compares with the last run's text and gives each failing finding its first_seen_us: the old one, or now. What the last
 * run has of ids that are not in `s` says nothing. */
void last_compare(struct finding_list *l, const struct check_select *s, const char *text, uint64_t now_us,
		  struct last_diff *ret);
/* Of this run, and what last_compare() kept. */
void last_write(struct pv_buf *out, const struct finding_list *l, const struct last_diff *d, uint64_t now_us);

#endif
