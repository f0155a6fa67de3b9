/* story.h - one event told on one screen: what started what, what else happened to the same workload and when, what was refused,
 * where the evidence lies. Pure; everything from outside is escaped here. */
#ifndef PV_REPORT_STORY_H
#define PV_REPORT_STORY_H

#include "report/words.h"

#define STORY_STEPS  14				    /* other events that are shown */
#define STORY_AROUND ((uint64_t) 10 * 60 * 1000000) /* before and after the event, microseconds */

/* Events of the same workload around one, oldest first, the one itself (added first) among them. */
struct story {
	const struct notice *event;
	struct notice steps[STORY_STEPS];
	size_t n;
	size_t more; /* further ones, which had no place */
};

/* Takes one more of the workload's events, in any order: left out are those of another time or another workload. Where there is
 * no place those nearest to the event stay. */
void story_add(struct story *s, const struct notice *n);
void story_print(struct pv_buf *out, const struct story *s, const struct words_style *style);
/* {"schema":1,"event":{..},"chain":["node (412)",..],"story":[{..}],"more":0} and a newline. */
void story_json(struct pv_buf *out, const struct story *s);

#endif
