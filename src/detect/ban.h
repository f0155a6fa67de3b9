/* ban.h - for how long, and how many one log may cause. Pure. */
#ifndef PV_DETECT_BAN_H
#define PV_DETECT_BAN_H

#include "base/ip.h"

/* The first time `first_us`, four times as long each further time, `max_us` at most: 1 h, 4 h, 16
 * h, 2.7 d, 11 d ... */
uint64_t ban_time(uint64_t first_us, uint64_t max_us, uint32_t times);

#define BAN_SOURCES 256
/* So many bans in `us` for each source, by its name's hash. A further source takes the place of the
 * one that began longest ago. */
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

/* A botnet is not one notice for each of its addresses. The first BAN_FOLD_SINGLE bans are told one
 * by one; whatever more comes is held, and told together when the ten minutes from the first on are
 * over, then each hour. A time without any ends it: the next ones are told one by one again. */
#define BAN_FOLD_SINGLE   5
#define BAN_FOLD_SHOWN    5
#define BAN_FOLD_FIRST_US ((uint64_t) 600 * 1000000)
#define BAN_FOLD_NEXT_US  ((uint64_t) 3600 * 1000000)
struct ban_folded {
	uint64_t n;
	uint64_t span_us; /* from the first of them to the last */
	struct ban_shown {
		struct ip_prefix who;
		char service[32];
	} shown[BAN_FOLD_SHOWN]; /* the first ones */
	size_t n_shown;
};
struct ban_fold {
	bool open, going_on; /* a time runs; it is not the first */
	uint64_t until_us;
	uint32_t single;
	uint64_t held_us; /* the first that is held */
	struct ban_folded held;
};
/* True: tell this one now. `now_us` never goes back. */
bool ban_fold_step(struct ban_fold *f, const struct ip_prefix *who, const char *service,
		   uint64_t now_us);
/* True: a time is over (UINT64_MAX: now, at the end) and some are held; they are handed out. */
bool ban_fold_due(struct ban_fold *f, uint64_t now_us, struct ban_folded *ret);

#endif
