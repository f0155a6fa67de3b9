/* restart.h - when a dead role starts again: at once, then after 1, 2, 4 ... 60 s; from the beginning after a minute
 * of health. Pure: the caller brings the clock (CLOCK_MONOTONIC, microseconds). */
#ifndef PV_LAUNCHER_RESTART_H
#define PV_LAUNCHER_RESTART_H

#include "base/util.h"

struct restart { /* all zero at first */
	uint64_t started_us;
	uint64_t deaths_us[3]; /* the last three, oldest first; 0: none */
	unsigned in_row;       /* deaths since it was last healthy */
	bool told;	       /* "dying" was returned since then */
};

void restart_started(struct restart *r, uint64_t now_us);
/* It died. Returns how long to wait, in microseconds. *ret_dying: this is the third death within a minute, and the
 * first such since it was last healthy. */
uint64_t restart_died(struct restart *r, uint64_t now_us, bool *ret_dying);

#endif
