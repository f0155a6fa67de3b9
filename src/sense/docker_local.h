/* docker_local.h - files of Docker's `local` log driver (daemon/logger/local of moby 19.03 to 28): frames of a 32-bit big endian size, a
 * protobuf LogEntry { 1: source, 2: time in ns, 3: line, 4: partial, 5: { 1: last, 2: id, 3: ordinal } }, and the size again. Pure. Hostile: what the container printed is
 * inside, though the frame is Docker's own. */
#ifndef PV_SENSE_DOCKER_LOCAL_H
#define PV_SENSE_DOCKER_LOCAL_H

#include "sense/tail.h"

/* Pieces of one line (16 KiB each) belong together, as in tail_docker_json. */
extern const struct tail_kind tail_docker_local;

struct docker_line {
	const char *text; /* not terminated; valid during the call */
	size_t len;
	uint64_t time_us; /* wall clock; 0: not told */
};

/* Whole records as the tail gives them; the pieces of a line are joined by stream, up to LOG_LINE_MAX bytes (the rest of the line is left
 * out), and those without a beginning are passed over. 0, the first non-zero that fn returned, -ENOMEM. What is no such entry is passed over. */
int docker_local_each(const char *buf, size_t len, int (*fn)(const struct docker_line *line, void *arg), void *arg);

#endif
