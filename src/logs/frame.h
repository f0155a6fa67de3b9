/* frame.h - what stands around a message: syslog's header (RFC 5424, RFC 3164, rsyslog's and Debian's with an RFC 3339 time,
 * files without a host or without a time), or a time alone. */
#ifndef PV_LOGS_FRAME_H
#define PV_LOGS_FRAME_H

#include "base/buf.h"
#include "logs/log_time.h"

struct frame {
	const char *msg; /* in the line */
	size_t len;
	const char *tag; /* program; tag_len 0: there is no syslog header, or it names none */
	size_t tag_len;
	bool framed;	 /* a program stands in front of the message */
	uint32_t pid;	 /* 0: none */
	uint64_t time_us; /* 0: none */
	unsigned times;	 /* rsyslog: "message repeated N times: [ ... ]", else 1 */
};

void frame_read(struct log_clock *c, const char *line, size_t len, uint64_t now_us, struct frame *ret);

/* Takes out colours and other control sequences (ECMA-48 CSI, and rsyslog's #033 for ESC). Appends to out. */
void frame_plain(const char *line, size_t len, struct pv_buf *out);

#endif
