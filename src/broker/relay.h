/* relay.h - fixed requests to a container engine: one connection each, the answer spliced into a pipe up to the
 * template's cap and time. Nothing of it is looked at here. */
#ifndef PV_BROKER_RELAY_H
#define PV_BROKER_RELAY_H

#include "base/util.h"
#include "broker/activated.h"
#include "engine_api/request.h"

#define RELAY_MAX 64 /* up to half of them are containers' logs that are followed */

struct relays;
/* Each relay is watched on `epoll_fd` with data tag << 32 | index. */
int relays_new(int epoll_fd, uint32_t tag, struct relays **ret);
struct relays *relays_free(struct relays *r);
PV_AUTO(relays)

/* Connects to an engine's socket: it must be a socket of root's with root behind it. Never blocks. `activated` (may be NULL): a
 * service that was stopped is not started by this. Negative errno: -EPERM (not root's), -EAGAIN (backlog full), -ENOENT,
 * -ECONNREFUSED. */
int relay_connect(const char *path, struct activated *activated, int *ret_fd);

/* Sends the request and returns the read end of the answer's pipe (close-on-exec; the caller's). -EBUSY: RELAY_MAX are
 * open. */
int relay_start(struct relays *r, const char *path, struct activated *activated, enum api_request what, const char *id, uint32_t number,
		uint64_t now_us, int *ret_fd);
void relay_event(struct relays *r, uint32_t index);
/* Ends those whose time is over. Returns when to call again; UINT64_MAX: nothing waits. */
uint64_t relays_tick(struct relays *r, uint64_t now_us);
/* Ends all: the engine they were for is gone. */
void relays_drop(struct relays *r);

#endif
