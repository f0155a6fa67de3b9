/* log_time.h - the time at the start of a line, in the forms that services write:
 *
 *	2026-11-21T19:00:00.123456+01:00   RFC 3339, also with a space, a comma, without zone, followed by UTC
 *	2026/11/21 19:00:00                nginx's error log
 *	Nov 21 19:00:00                    RFC 3164: no year; the latest that is not more than a day ahead
 *	Sat Nov 21 19:00:00.123456 2026    ctime(3), Apache
 *	21/Nov/2026:19:00:00 +0100         access logs
 *	21 Nov 2026 19:00:00.123           Redis
 *	1795287600[.123], 1795287600123    epoch: seconds, milli-, micro-, nanoseconds by the number of digits
 *	@400000004c91b044077a9e94          TAI64N
 *	261121 19:00:00                    MySQL before 5.7
 *
 * A time without a zone is local (TZ). In the hour that comes twice it is the first of both, unless that is earlier than the
 * line before, or the second is not over yet. Second 60 is taken. */
#ifndef PV_LOGS_LOG_TIME_H
#define PV_LOGS_LOG_TIME_H

#include "base/util.h"

struct log_clock { /* of one source; zeroed at first */
	uint64_t last_us;      /* of the line before */
	int64_t hour, hour_s;  /* a local hour (yyyymmddhh) that was converted, and its first second */
};

/* Bytes that the time takes at the start of `s`; 0: there is none. *ret_us: wall clock, not later than `now_us`. */
size_t log_time_read(struct log_clock *c, const char *s, size_t len, uint64_t now_us, uint64_t *ret_us);

#endif
