/* limit.h - how often the broker harms a workload: at most so many different ones in a minute and in an hour. Pure: the
 * clock comes from outside. What is done to one workload within a minute counts once: setting its restart policy,
 * killing it and finishing with cgroup.kill are one act. */
#ifndef PV_BROKER_LIMIT_H
#define PV_BROKER_LIMIT_H

#include "base/util.h"

#define LIMIT_ROOM 64

struct limit {
	unsigned per_minute, per_hour; /* per_hour at most LIMIT_ROOM */
	size_t n;
	struct limit_use {
		uint64_t key, time_us;
	} uses[LIMIT_ROOM]; /* oldest first */
};

#define LIMIT_KILL                                                                                 \
	(struct limit)                                                                             \
	{                                                                                          \
		.per_minute = 5, .per_hour = 30                                                    \
	}

/* At most `max` of something within any minute, to the second. */
struct limit_rate {
	unsigned max, all;
	uint64_t second; /* of n[second % 60] */
	unsigned n[60];
};
int limit_rate_take(struct limit_rate *l, uint64_t now_us); /* 0 or -EDQUOT */

/* 0: go on; -EDQUOT: refused, and nothing is counted. */
int limit_take(struct limit *l, uint64_t key, uint64_t now_us);

#endif
