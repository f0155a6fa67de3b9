/* answer.h - reads what a container engine answers. Hostile input: capped, typed, never trusted for length.
 * Pure: bytes in, plain data out. */
#ifndef PV_ENGINE_API_ANSWER_H
#define PV_ENGINE_API_ANSWER_H

#include "base/buf.h"
#include "base/ip.h"
#include "model/workload.h"

/* An HTTP/1.x answer, fed as it arrives. Bodies by Content-Length, chunked, or until the end. */
struct http_answer;
int http_answer_new(size_t cap, struct http_answer **ret); /* cap of the body kept */
struct http_answer *http_answer_free(struct http_answer *h);
PV_AUTO(http_answer)
/* 0: more wanted; 1: complete (what follows is ignored); -EBADMSG: malformed; -EFBIG: over the cap; -ENOMEM. An
 * error stays. Status line and headers may have 16 KiB, a chunk's size line 128 bytes. */
int http_answer_feed(struct http_answer *h, const void *data, size_t len);
int http_answer_end(struct http_answer *h); /* the peer closed: 1 complete, -EPIPE cut short */
int http_answer_status(const struct http_answer *h); /* 200; 0 before the status line */
/* The body so far. For streams (events): http_answer_take_line() removes one whole line from it, without its end;
 * the cap then holds for what was not taken yet, which is to say for one line. */
const struct pv_buf *http_answer_body(const struct http_answer *h);
bool http_answer_take_line(struct http_answer *h, struct pv_buf *ret_line);
void http_answer_take_all(struct http_answer *h); /* the same, of all that is there: http_answer_body() was read */

/* What all of the following have in common: JSON of at most ANSWER_BYTES, ANSWER_NODES values and ANSWER_DEPTH levels,
 * else -EFBIG; checked before anything is allocated for it. Not JSON, or not of the expected kind: -EBADMSG. A member
 * of the wrong type, or one that is given twice, counts as absent. Text is cut at whole UTF-8 characters, control
 * characters in it become `?`. */
#define ANSWER_BYTES (16u << 20)
#define ANSWER_NODES 400000
#define ANSWER_DEPTH 64

/* Body of API_LIST: calls fn for each container (a summary: no limits, networks as listed,
 * no exceptions; entries without a valid id are left out). Returns how many, the first negative that fn returned, or
 * -EBADMSG, -EFBIG. */
int answer_list(const char *json, size_t len, enum engine_kind engine, int (*fn)(const struct container_info *, void *),
		void *arg);
/* Body of API_INSPECT. `image`: body of API_IMAGE of its image, NULL when that could not be had; then no label
 * counts as an exception. What the image says of itself never makes it somebody else: names of a Swarm service count
 * only where the container's own name agrees with them, names of a Compose service only where Compose put something
 * there that the image does not carry. 0, -EBADMSG (no id in it, too), -EFBIG. */
int answer_inspect(const char *json, size_t len, const char *image, size_t image_len, enum engine_kind engine,
		   struct container_info *ret);
/* Body of API_NETWORKS: every subnet of every network, but none wider than an IPv4 /8 or an IPv6 /16: one network that
 * claims the whole Internet must not make every pool an internal address. Returns how many, else as answer_list(). */
int answer_networks(const char *json, size_t len, int (*fn)(const char *name, const struct ip_prefix *subnet, void *), void *arg);

struct engine_event {
	char type[16];	 /* container, network */
	char action[40]; /* start, die, destroy, oom, connect, disconnect, exec_start: ... cut at the colon */
	char id[65];	 /* container's; for network events the container attached */
	char network[PV_NETNAME_LEN];
	int exit_code;	 /* die; else -1 */
	struct container_info who; /* create, start: names and image as in a list; else no name */
	uint64_t time_us; /* wall clock */
};
int answer_event(const char *json, size_t len, struct engine_event *ret); /* one line of API_EVENTS */

/* Body of API_LOGS: the text without the frames (8 octets: stream, three zeroes, length) that it has where the container
 * owns no terminal. What is no frame is taken as text from there on. */
void answer_logs(const char *body, size_t len, struct pv_buf *out);

struct service_info {
	char name[128];
	bool global;
	uint64_t replicas;
	uint64_t version;
};
int answer_service(const char *json, size_t len, struct service_info *ret);

#endif
