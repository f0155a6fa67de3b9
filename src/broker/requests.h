/* requests.h - the table of requests: what each may carry, what is checked again, what is counted. Believes nobody. The
 * doing is behind struct broker_ops, so that tests and the fuzzer run the checks without a kernel. */
#ifndef PV_BROKER_REQUESTS_H
#define PV_BROKER_REQUESTS_H

#include "broker/limit.h"
#include "engine_api/request.h"
#include "model/broker_proto.h"
#include "model/policy.h"

struct broker_answer {
	struct broker_rep rep;
	int fds[2]; /* kept by the broker, unless `give`: then closed after they were sent */
	size_t n_fds;
	bool give, later; /* later: comes on its own, nothing is sent now */
};

/* A container's cgroup: opened by its id, its name checked. */
struct broker_cgroup {
	int fd;
	uint64_t cgroup;
	char path[4096]; /* below /, for messages and comparisons; the descriptor is what is used */
	char id[65];	 /* 64 hex digits in its own name */
};

/* What the requests do. 0 or negative errno; `ctx` is the caller's. */
struct broker_ops {
	int (*cgroup_open)(void *ctx, uint64_t id, struct broker_cgroup *ret); /* -ESRCH: gone; -EPERM: not ours to touch */
	void (*cgroup_close)(void *ctx, struct broker_cgroup *cg);
	int (*hello)(void *ctx, struct broker_answer *ret);
	int (*api)(void *ctx, enum api_request what, unsigned engine, const char *id, uint32_t number,
		   struct broker_answer *ret);
	int (*swarm_scale)(void *ctx, const char *service, uint64_t replicas, struct broker_answer *ret);
	int (*kill)(void *ctx, const struct broker_cgroup *cg);
	int (*freeze)(void *ctx, const struct broker_cgroup *cg, bool freeze);
	int (*cut)(void *ctx, const struct broker_cgroup *cg, const uint8_t addr[16], uint16_t port, uint64_t *ret_n);
	int (*except)(void *ctx, uint64_t cgroup, uint32_t flags);
	int (*netname)(void *ctx, uint64_t cgroup, const char *name, bool add);
	int (*internal)(void *ctx, const struct ip_prefix *net, bool add);
	int (*exec)(void *ctx, uint64_t cgroup, uint32_t flags);
	int (*off)(void *ctx, uint64_t until_ns);
	int (*capture)(void *ctx, const struct broker_cgroup *cg, const char *id, struct broker_answer *ret); /* cg NULL: it is gone */
	int (*log_watch)(void *ctx, struct broker_answer *ret);
	int (*log_list)(void *ctx, uint32_t place, struct broker_answer *ret);
	int (*log_open)(void *ctx, uint32_t place, uint32_t position, uint32_t number, uint32_t which, struct broker_answer *ret);
	int (*log_container)(void *ctx, const char *id, uint32_t driver, uint32_t which, struct broker_answer *ret);
	int (*log_syslog)(void *ctx, struct broker_answer *ret);
	int (*persist_watch)(void *ctx, struct broker_answer *ret);
	int (*persist_list)(void *ctx, struct broker_answer *ret);
	int (*persist_names)(void *ctx, uint32_t folder, uint32_t number, struct broker_answer *ret);
	int (*persist_look)(void *ctx, uint32_t folder, uint32_t number, const char *name, uint32_t pid, struct broker_answer *ret);
	/* Who is never banned: -EPERM, and *ret_why says which of them. */
	int (*ban)(void *ctx, const struct ip_prefix *who, uint32_t seconds, uint64_t *ret_why);
	int (*ban_look)(void *ctx, const struct ip_prefix *who, uint64_t *ret_why); /* 0, or -EPERM as for ban */
	int (*ban_others)(void *ctx, const struct ip_prefix *who, uint64_t *ret_other); /* enum ban_other */
	int (*unban)(void *ctx, const struct ip_prefix *who);
	int (*bans_file)(void *ctx, struct broker_answer *ret);
	int (*bans_load)(void *ctx, uint32_t n, uint64_t *ret_in_force, uint64_t *ret_never);
	int (*bans_state)(void *ctx, uint64_t *ret_dropped);
	void (*state)(void *ctx, uint64_t *ret_degraded, uint64_t *ret_off_until);
};

struct requests {
	const struct broker_ops *ops;
	void *ctx;
	const struct policy *policy; /* borrowed; exchanged at reload */
	struct limit kills;
	struct limit_rate bans, loads, captures;
	uint64_t now_us; /* of the request in hand */
};

/* One datagram. 0: *ret is to be sent, unless ret->later; -EBADMSG: this peer does not keep to the protocol, close it.
 * Everything else that is wrong with a request is told in ret->rep.result. */
int requests_handle(struct requests *r, const void *buf, size_t len, uint64_t now_us, struct broker_answer *ret);

/* What a ban must be: bits behind the prefix are zero, 1 second to 10 years, and no wider than a machine may decide (or, by a
 * person, than /8 or IPv6 /16). NEVER_NO, NEVER_WIDE, or NEVER_N: malformed. */
enum ban_never requests_check_ban(const struct ip_prefix *who, uint64_t seconds, bool by_person);

#define LIMIT_BANS  (struct limit_rate) { .max = 1000 }
#define LIMIT_LOADS (struct limit_rate) { .max = 10 }
#define LIMIT_CAPTURES (struct limit_rate) { .max = 60 }

const char *requests_name(uint32_t op); /* "kill"; NULL when unknown */

/* The 64 hex digits of a container in a cgroup's own name (docker-<id>.scope, libpod-<id>, <id> ...). 0 or -ENOENT. */
int requests_container_id(const char *name, char ret_id[65]);

#endif
