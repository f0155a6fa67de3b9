/* secrets.h - from what was looked at to findings: secret.in-code, secret.in-history, and what could not be checked.
 * Exceptions (comments, pavise.ignore) are settled here. */
#ifndef PV_SCAN_SECRETS_H
#define PV_SCAN_SECRETS_H

#include "base/map.h"
#include "model/ignore.h"
#include "scan/history.h"
#include "scan/tree.h"

struct secrets {
	struct finding_list *list;
	struct look *look;
	struct ignore_list *ignore; /* may be NULL */
	uint64_t now_us;
	unsigned id_len;      /* of object ids */
	const char *subject;  /* NULL: files; else the container or stream that everything is about */
	enum subject_kind kind; /* of `subject` */
	struct pv_map used;   /* fingerprints given out, and how many from each on */
	uint64_t spared;      /* by exceptions */
};

void secrets_done(struct secrets *s);
int secrets_in_text(const struct tree_text *f, void *user);	    /* for tree_scan(); user: struct secrets */
int secrets_in_history(const struct history_found *f, void *user);  /* for history_scan() */
/* Notes with a reason become unknown findings of that id; the others are appended to `said`, a line each. */
int secrets_notes(struct secrets *s, const struct scan_notes *n, enum id id, struct pv_buf *said);

#endif
