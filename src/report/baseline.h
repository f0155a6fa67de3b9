/* baseline.h - the findings that failed in an earlier report, by their fingerprints: they count as old. What passed there, could
 * not be checked or was accepted (pavise.ignore) was no finding then, and is a new one when it fails now. */
#ifndef PV_REPORT_BASELINE_H
#define PV_REPORT_BASELINE_H

#include "model/finding.h"

#define BASELINE_BYTES (16u << 20)

struct baseline;

/* Takes our JSON (`schema` 1), JSON lines and SARIF, and fingerprints of 32 hex digits, one a line. A member that it does not
 * know says nothing. 0; -ENOMEM; -EINVAL: `err` gets `line 3, column 14: what is wrong`, and nothing of it counts: half a
 * report is none. */
int baseline_read(const char *text, size_t len, struct baseline **ret, struct pv_buf *err);
struct baseline *baseline_free(struct baseline *b);
PV_AUTO(baseline)

bool baseline_has(const struct baseline *b, const char *fingerprint); /* NULL baseline: false */
/* Marks the failing ones that it has. Returns how many. */
size_t baseline_apply(const struct baseline *b, struct finding_list *l);

#endif
