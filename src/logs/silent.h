/* silent.h - a source that wrote steadily and has stopped. Pure: the caller brings the clock. */
#ifndef PV_LOGS_SILENT_H
#define PV_LOGS_SILENT_H

#include "base/util.h"

#define SILENT_LINES 20		    /* fewer say nothing about a habit */
#define SILENT_TIMES 10		    /* of the longest pause so far */
#define SILENT_MIN_US 3600000000ULL /* an hour at least */

struct log_silent { /* of one source; zeroed at first */
	uint64_t first_us, last_us, longest_us; /* wall clock of lines; the longest pause between two of them */
	uint64_t lines;
	bool told;
};

/* Lines were written at `time_us`. Out of order they count, but change no pause. */
void log_silent_seen(struct log_silent *s, uint64_t time_us);
/* True once when the source has been silent for SILENT_TIMES its longest pause and at least an hour; *ret_us: since when. A line makes it
 * possible again. */
bool log_silent_due(struct log_silent *s, uint64_t now_us, uint64_t *ret_us);

#endif
