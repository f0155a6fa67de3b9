/* notes.h - what a scan has to say besides findings: what it could not check, and what it did otherwise than asked. Any
 * thread may add; the same text from the same place is counted, not repeated. */
#ifndef PV_SCAN_NOTES_H
#define PV_SCAN_NOTES_H

#include <pthread.h>

#include "model/finding.h"

#define SCAN_NOTES_MAX 256 /* different ones, those with a reason first; more are only counted */

struct scan_note {
	enum finding_reason reason; /* REASON_NONE: only said, nothing was left out */
	char *place;		    /* a path, raw; "" for the repository */
	char *text;
	uint64_t count;
};

struct scan_notes {
	pthread_mutex_t lock;
	struct scan_note note[SCAN_NOTES_MAX];
	size_t n;
	uint64_t dropped;
};

void scan_notes_init(struct scan_notes *n);
void scan_notes_done(struct scan_notes *n);
void scan_note(struct scan_notes *n, enum finding_reason reason, const char *place, const char *fmt, ...) PV_PRINTF(4, 5);

#endif
