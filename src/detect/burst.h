/* burst.h - many events of one kind become one notice: the first tells at once, the others only raise its count.
 * Pure: the caller brings the clock (microseconds, CLOCK_MONOTONIC) and stores what comes out.
 *
 * A key is told when it is new, once more when it still goes on after BURST_WINDOW_US, and then every
 * BURST_REMIND_US; after an hour of quiet it is new again. The window is fixed, not sliding: whoever keeps sending
 * cannot keep us silent. BURST_SLOTS keys are remembered; a further one takes the place of the one that was quiet
 * for longest. */
#ifndef PV_DETECT_BURST_H
#define PV_DETECT_BURST_H

#include "base/util.h"
#include "model/ids.h"

#define BURST_SLOTS	1024
#define BURST_WINDOW_US ((uint64_t) 60 * 1000000)
#define BURST_REMIND_US ((uint64_t) 3600 * 1000000)
#define BURST_FLUSH_US	((uint64_t) 1000000)

enum burst_answer {
	BURST_NEW,   /* raise a notice */
	BURST_COUNT, /* it was told already: raise the count of that notice */
};

struct burst;

/* What is remembered of a notice, enough to raise its count in the store: a whole one takes eight times the room. */
struct burst_told {
	uint64_t row;		   /* of the store; 0: not stored */
	uint64_t time_us, last_us; /* wall clock */
	enum id id;
	uint64_t cgroup;
	uint64_t count;
	char subject[160], next[224]; /* as the last event had them: a name may come late */
};

int burst_new(struct burst **ret);
struct burst *burst_free(struct burst *b);
PV_AUTO(burst)

/* `n` events of `key` (a hash of workload, id and what the notice says) at `now_us`. *ret_kept is the place where
 * the caller keeps the key's notice until burst_flush() or an eviction hands it back: on BURST_NEW it still holds
 * the one before (counted up and handed back already, or zeroed) and is filled by the caller; on BURST_COUNT the
 * caller raises its count. Valid until the next call. */
enum burst_answer burst_step(struct burst *b, uint64_t key, uint64_t now_us, uint64_t n, struct burst_told **ret_kept);

/* Hands every notice whose count rose to `fn` and returns how many; at most once a second, else 0. */
size_t burst_flush(struct burst *b, uint64_t now_us, void (*fn)(const struct burst_told *t, void *arg), void *arg);
/* The same now, whatever the clock says: before the end, and what burst_step() does with one notice that loses its
 * slot while its count is not stored. Until it is set such a count is lost (and counted). */
void burst_on_evicted(struct burst *b, void (*fn)(const struct burst_told *t, void *arg), void *arg);
size_t burst_flush_all(struct burst *b, void (*fn)(const struct burst_told *t, void *arg), void *arg);

uint64_t burst_events(const struct burst *b);  /* all that were given */
uint64_t burst_evicted(const struct burst *b); /* keys that lost their slot to another */

#endif
