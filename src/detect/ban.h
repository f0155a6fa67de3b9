/* ban.h - for how long, and how many one log may cause. Pure. */
#ifndef PV_DETECT_BAN_H
#define PV_DETECT_BAN_H

#include "base/util.h"

/* The first time `first_us`, four times as long each further time, `max_us` at most: 1 h, 4 h, 16 h, 2.7 d, 11 d ... */
uint64_t ban_time(uint64_t first_us, uint64_t max_us, uint32_t times);

#define BAN_SOURCES 256
/* So many bans in `us` for each source, by its name's hash. A further source takes the place of the one that began longest
 * ago. */
struct ban_budget {
	uint32_t n;
	uint64_t us;
	struct ban_source {
		uint64_t key, start_us; /* key 0: free */
		uint32_t used;
	} source[BAN_SOURCES];
};
/* Whether one more is left; takes it. */
bool ban_budget_take(struct ban_budget *b, uint64_t key, uint64_t now_us);

#endif
