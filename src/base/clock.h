/* clock.h - time in microseconds. Decisions never call these: they are given `now`. */
#ifndef PV_BASE_CLOCK_H
#define PV_BASE_CLOCK_H

#include "base/buf.h"

#define USEC_PER_MSEC ((uint64_t) 1000)
#define USEC_PER_SEC  ((uint64_t) 1000000)
#define USEC_PER_MIN  (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MIN)
#define USEC_PER_DAY  (24 * USEC_PER_HOUR)

uint64_t clock_monotonic_us(void); /* CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns() */
uint64_t clock_wall_us(void);	   /* CLOCK_REALTIME, since 1970 */

/* Whether the wall clock has gone another way than the monotonic one since *at was taken (0: not yet), by more than five seconds: it was set,
 * or the machine slept. *at is taken anew then. */
bool clock_stepped(int64_t *at, uint64_t wall_us, uint64_t monotonic_us);

/* "2026-11-21T21:40:03.123456Z" (RFC 3339, UTC). */
void clock_rfc3339(struct pv_buf *out, uint64_t wall_us);
/* "2026-11-21 22:40:03 +0100" in local time, for people. */
void clock_local(struct pv_buf *out, uint64_t wall_us);
/* "90s", "10m", "1h 30m", "2d": the two largest units, for people. */
void clock_duration(struct pv_buf *out, uint64_t us);

#endif
