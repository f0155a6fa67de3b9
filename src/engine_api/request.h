/* request.h - the fixed requests that pavise ever sends to a container engine. The broker fills in a validated
 * id and nothing else; the engine reads the answers (engine_api/answer.h). Docker 19.03+ and Podman 3+ know them all. */
#ifndef PV_ENGINE_API_REQUEST_H
#define PV_ENGINE_API_REQUEST_H

#include "base/buf.h"

enum api_request {
	API_VERSION,	/* GET /version */
	API_INFO,	/* GET /info */
	API_LIST,	/* GET /containers/json?all=1 */
	API_INSPECT,	/* GET /containers/{id}/json */
	API_IMAGE,	/* GET /images/{id}/json */
	API_NETWORKS,	/* GET /networks */
	API_EVENTS,	/* GET /events, containers and networks only; endless */
	API_SERVICE,	/* GET /services/{id} */
	API_LOGS,	/* GET /containers/{id}/logs: its last 200 lines with their time, both streams */
	API_FOLLOW,	/* the same from second `number` (wall clock) on, and all that is to come; endless */
	API_CHANGES,	/* GET /containers/{id}/changes: what differs from its image */
	API_RESTART_NO, /* POST /containers/{id}/update, restart policy no */
	API_RESTART_ALWAYS,
	API_RESTART_UNLESS_STOPPED,
	API_RESTART_ON_FAILURE, /* arg2's upper half: maximum retries */
	API_KILL,	/* POST /containers/{id}/kill */
	API_STOP,	/* POST /containers/{id}/stop?t=5 */
	API_PAUSE,
	API_UNPAUSE,
	/* Limits of a running container; only the command of a person sends them, the broker refuses them. */
	API_LIMIT_PIDS,	  /* number; 0: none */
	API_LIMIT_MEMORY, /* MiB of memory, and no swap beside it */
	API_LIMIT_CPU,	  /* thousandths of a core */
	API_N_REQUESTS
};

enum api_id_kind { API_ID_NONE, API_ID_CONTAINER /* 64 hex */, API_ID_IMAGE /* sha256:64 hex */, API_ID_SERVICE /* 25 of [a-z0-9] */ };

struct api_template {
	const char *name;	/* for messages */
	enum api_id_kind id;
	bool acts;		/* changes something: counted against the kill limit */
	size_t cap;		/* bytes of answer, headers included; 0: endless (events, follow) */
	unsigned timeout_ms;	/* for the whole answer; 0: none */
};

const struct api_template *api_template(enum api_request r); /* NULL when out of range */
bool api_id_valid(enum api_id_kind kind, const char *id);
/* Writes the whole HTTP/1.1 request with `Connection: close`. 0, -EINVAL (id, request), -ENOBUFS. */
int api_request_format(struct pv_buf *out, enum api_request r, const char *id, uint32_t number);

#endif
