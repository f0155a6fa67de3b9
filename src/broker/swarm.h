/* swarm.h - the job of the one-shot program pavise-swarm: the request that changes a Swarm service carries the service's
 * whole specification, so somebody has to parse JSON. The launcher starts it without user, capabilities or network; it
 * finds two connections to the engine, and cannot open a third. */
#ifndef PV_BROKER_SWARM_H
#define PV_BROKER_SWARM_H

#include <stdint.h>

enum swarm_fd {
	SWARM_FD_GET = 3,    /* connected; the question goes out here */
	SWARM_FD_POST = 4,   /* connected; the change */
	SWARM_FD_RESULT = 5, /* pipe: one struct swarm_result */
	SWARM_FD_JOB = 6,    /* pipe: one struct swarm_job */
};

struct swarm_job {
	char service[32];  /* 25 of [a-z0-9] */
	uint64_t replicas; /* 0: stop; for a global service anything else: let it run again */
};

struct swarm_result {
	int32_t result; /* 0 or negative errno */
	uint32_t pad;
	uint64_t replicas; /* before the change; UINT64_MAX: a global service */
};

/* Pinned to no node, a global service runs nowhere; taking the line out brings it back. */
#define SWARM_STOPPED "node.labels.pavise.stopped==true"

#define SWARM_TIME_S 30

#endif
