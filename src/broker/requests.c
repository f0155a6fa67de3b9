#include "broker/requests.h"

#include <string.h>

#include "bpf/event.h"
#include "model/persist.h"
#include "model/log_places.h"

/* The fields a request may carry. What it may not must be zero: a request that says more than it means was not written
 * by our engine. */
#define F_CGROUP (1u << 0)
#define F_ARG	 (1u << 1)
#define F_ARG2	 (1u << 2)
#define F_ADDR	 (1u << 3)
#define F_PORT	 (1u << 4)
#define F_PREFIX (1u << 5)
#define F_ID	 (1u << 6)

struct row {
	const char *name;
	unsigned fields;
	bool own_cgroup; /* `cgroup` must be a container's own: opened and checked before the handler runs */
	int (*check)(struct requests *r, const struct broker_req *req); /* before anything is counted; NULL: nothing to */
	bool (*counts)(const struct broker_req *req); /* against the kill limit; NULL: never */
	int (*handle)(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
		      struct broker_answer *ret);
};

int requests_container_id(const char *name, char ret_id[65])
{
	static const char *const before[] = { "docker-", "libpod-" };
	size_t len;

	for (size_t i = 0; i < N_ELEMENTS(before); i++)
		if (strncmp(name, before[i], strlen(before[i])) == 0) {
			name += strlen(before[i]);
			break;
		}
	len = strspn(name, "0123456789abcdef");
	if (len != 64 || (name[len] && strcmp(name + len, ".scope") != 0))
		return -ENOENT;
	memcpy(ret_id, name, 64);
	ret_id[64] = '\0';
	return 0;
}

static int handle_hello(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			struct broker_answer *ret)
{
	(void) req;
	(void) cg;
	return r->ops->hello(r->ctx, ret);
}

/* Restart policies may be set without a cgroup: a container that is between two starts, or whose kill is taken back, has
 * none. Everything else that acts names its cgroup, whose own name must carry the id. */
static bool needs_cgroup(enum api_request what)
{
	switch (what) {
	case API_KILL:
	case API_STOP:
	case API_PAUSE:
	case API_UNPAUSE:
		return true;
	default:
		return false;
	}
}

static bool api_counts(const struct broker_req *req)
{
	return req->arg == API_RESTART_NO || req->arg == API_KILL || req->arg == API_STOP ||
	       req->arg == API_PAUSE;
}

static int check_api_cgroup(struct requests *r, const struct broker_req *req, const struct api_template *t)
{
	struct broker_cgroup cg;
	int result;

	if (!t->acts || (!req->cgroup && !needs_cgroup((enum api_request) req->arg)))
		return 0;
	result = r->ops->cgroup_open(r->ctx, req->cgroup, &cg);
	if (result == -ESRCH && !needs_cgroup((enum api_request) req->arg))
		return 0; /* it has ended: the id alone will do, as without a cgroup, and it is still one act */
	if (result < 0)
		return result;
	if (strcmp(cg.id, req->id) != 0)
		result = -EPERM;
	r->ops->cgroup_close(r->ctx, &cg);
	return result;
}

static int check_api(struct requests *r, const struct broker_req *req)
{
	const struct api_template *t = req->arg < API_N_REQUESTS ? api_template((enum api_request) req->arg) : NULL;
	uint32_t engine = (uint32_t) req->arg2, number = (uint32_t) (req->arg2 >> 32);

	if (!t || engine > 1 || !api_id_valid(t->id, req->id))
		return -EINVAL;
	if (req->arg >= API_LIMIT_PIDS) /* a person's to change, not the guard's */
		return -EPERM;
	if (number && req->arg != API_FOLLOW && (req->arg != API_RESTART_ON_FAILURE || number > INT32_MAX))
		return -EINVAL;
	return check_api_cgroup(r, req, t);
}

static int handle_api(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
		      struct broker_answer *ret)
{
	(void) cg;
	return r->ops->api(r->ctx, (enum api_request) req->arg, (unsigned) (req->arg2 & UINT32_MAX), req->id,
			   (uint32_t) (req->arg2 >> 32), ret);
}

static bool scale_counts(const struct broker_req *req)
{
	return req->arg == 0;
}

static int check_scale(struct requests *r, const struct broker_req *req)
{
	(void) r;
	if (!api_id_valid(API_ID_SERVICE, req->id) || (req->arg > 100000 && req->arg != UINT64_MAX))
		return -EINVAL;
	return 0;
}

static int handle_scale(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			struct broker_answer *ret)
{
	(void) cg;
	return r->ops->swarm_scale(r->ctx, req->id, req->arg, ret);
}

static bool always_counts(const struct broker_req *req)
{
	(void) req;
	return true;
}

static int handle_kill(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
		       struct broker_answer *ret)
{
	(void) req;
	(void) ret;
	return r->ops->kill(r->ctx, cg);
}

static bool freeze_counts(const struct broker_req *req)
{
	return req->arg != 0; /* thawing harms nobody, and undo must not run into a limit */
}

static int check_flag(struct requests *r, const struct broker_req *req)
{
	(void) r;
	return req->arg > 1 ? -EINVAL : 0;
}

static int handle_freeze(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			 struct broker_answer *ret)
{
	(void) ret;
	return r->ops->freeze(r->ctx, cg, req->arg == 1);
}

static int handle_cut(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
		      struct broker_answer *ret)
{
	return r->ops->cut(r->ctx, cg, req->addr, req->port, &ret->rep.value);
}

/* The engine says which exceptions; what they free is read from the sealed policy, not from the engine. */
static int handle_except(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			 struct broker_answer *ret)
{
	static const struct broker_except_signal kernels[] = BROKER_EXCEPT_SIGNALS;
	const struct policy *p = r->policy;
	uint32_t flags = 0;

	(void) cg;
	(void) ret;
	if (!req->cgroup || req->arg >> 16 * N_ELEMENTS(kernels))
		return -EINVAL;
	for (size_t i = 0; i < N_ELEMENTS(kernels); i++) {
		const uint32_t at = req->arg >> 16 * i & UINT16_MAX;

		if (!at)
			continue;
		if (at > p->n_exceptions)
			return -EINVAL;
		if (p->exceptions[at - 1].signal != kernels[i].signal && p->exceptions[at - 1].signal != SIGNAL_N)
			return -EPERM;
		flags |= kernels[i].flag;
	}
	return r->ops->except(r->ctx, req->cgroup, flags);
}

/* Docker and Podman: [a-zA-Z0-9][a-zA-Z0-9_.-]* */
static bool network_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return len > 0 && len < PV_NETNAME_LEN && !name[len] && !strchr("_.-", name[0]);
}

static int handle_netname(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			  struct broker_answer *ret)
{
	(void) cg;
	(void) ret;
	if (!req->cgroup || !network_name(req->id))
		return -EINVAL;
	return r->ops->netname(r->ctx, req->cgroup, req->id, req->arg == 1);
}

static int handle_internal(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			   struct broker_answer *ret)
{
	struct ip_prefix net = { .len = req->prefix };

	(void) cg;
	(void) ret;
	memcpy(net.addr.b, req->addr, sizeof(net.addr.b));
	if (net.len > 128 || net.len < (ip_is_v4(&net.addr) ? 96 + 8 : 32))
		return -EINVAL;
	for (unsigned bit = net.len; bit < 128; bit++)
		if (net.addr.b[bit / 8] & 0x80 >> bit % 8)
			return -EINVAL;
	return r->ops->internal(r->ctx, &net, req->arg == 1);
}

static int check_exec(struct requests *r, const struct broker_req *req)
{
	(void) r;
	return req->arg & ~(uint64_t) (PV_EXEC_ALERT | PV_EXEC_BUILD | PV_EXEC_NO_GRACE) ? -EINVAL : 0;
}

/* Its class is the kernel's word: the container has just been made, and its folder can be opened a moment after that only. */
static int handle_exec(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
		       struct broker_answer *ret)
{
	(void) cg;
	(void) ret;
	return r->ops->exec(r->ctx, req->cgroup, (uint32_t) req->arg);
}

static int handle_off(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
		      struct broker_answer *ret)
{
	(void) cg;
	(void) ret;
	return r->ops->off(r->ctx, req->arg);
}

static struct ip_prefix prefix_of(const struct broker_req *req)
{
	struct ip_prefix p = { .len = req->prefix };

	memcpy(p.addr.b, req->addr, sizeof(p.addr.b));
	return p;
}

enum ban_never requests_check_ban(const struct ip_prefix *who, uint64_t seconds, bool by_person)
{
	bool v4 = ip_is_v4(&who->addr);
	unsigned widest = v4 ? 96 + (by_person ? 8 : 24) : (by_person ? 16 : 56);

	if (who->len > 128 || seconds == 0 || seconds > BROKER_BAN_LONGEST)
		return NEVER_N;
	for (unsigned bit = who->len; bit < 128; bit++)
		if (who->addr.b[bit / 8] & 0x80 >> bit % 8)
			return NEVER_N;
	/* ::/16 and wider hold all of IPv4 in its mapped form, which no packet of IPv6 carries */
	return who->len < widest ? NEVER_WIDE : NEVER_NO;
}

static int handle_ban(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
		      struct broker_answer *ret)
{
	struct ip_prefix who = prefix_of(req);
	enum ban_never why = requests_check_ban(&who, req->arg, req->arg2 == 1);
	int result;

	(void) cg;
	if (why == NEVER_N || req->arg2 > 3 || (req->arg2 == 3 && who.len != 128))
		return -EINVAL;
	ret->rep.value = why;
	if (why != NEVER_NO)
		return -EPERM;
	if (req->arg2 == 2)
		return r->ops->ban_look(r->ctx, &who, &ret->rep.value);
	if (req->arg2 == 3)
		return r->ops->ban_others(r->ctx, &who, &ret->rep.value);
	result = limit_rate_take(&r->bans, r->now_us);
	return result < 0 ? result : r->ops->ban(r->ctx, &who, (uint32_t) req->arg, &ret->rep.value);
}

static int handle_unban(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			struct broker_answer *ret)
{
	struct ip_prefix who = prefix_of(req);

	(void) cg;
	(void) ret;
	return requests_check_ban(&who, 1, true) != NEVER_NO ? -EINVAL : r->ops->unban(r->ctx, &who);
}

static int handle_bans_file(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			    struct broker_answer *ret)
{
	(void) req;
	(void) cg;
	return r->ops->bans_file(r->ctx, ret);
}

static int handle_bans_load(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			    struct broker_answer *ret)
{
	int result = req->arg > BROKER_BANS_MAX ? -EINVAL : limit_rate_take(&r->loads, r->now_us);

	(void) cg;
	return result < 0 ? result : r->ops->bans_load(r->ctx, (uint32_t) req->arg, &ret->rep.value, &ret->rep.value2);
}

static int handle_bans_state(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			     struct broker_answer *ret)
{
	(void) req;
	(void) cg;
	return r->ops->bans_state(r->ctx, &ret->rep.value);
}

static int handle_state(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			struct broker_answer *ret)
{
	(void) req;
	(void) cg;
	r->ops->state(r->ctx, &ret->rep.value, &ret->rep.value2);
	return 0;
}

static int handle_log_watch(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			    struct broker_answer *ret)
{
	(void) req;
	(void) cg;
	return r->ops->log_watch(r->ctx, ret);
}

static bool is_place(const struct requests *r, uint32_t place)
{
	return place < log_places(r->policy) && (log_place(r->policy, place).kind != PLACE_JOURNAL || r->policy->logs.journal);
}

static int handle_log_list(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			   struct broker_answer *ret)
{
	(void) cg;
	if (req->arg > UINT32_MAX || !is_place(r, (uint32_t) req->arg))
		return -EINVAL;
	return r->ops->log_list(r->ctx, (uint32_t) req->arg, ret);
}

static int handle_log_open(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			   struct broker_answer *ret)
{
	(void) cg;
	if (!is_place(r, (uint32_t) req->arg))
		return -EINVAL;
	return r->ops->log_open(r->ctx, (uint32_t) req->arg, (uint32_t) (req->arg >> 32), (uint32_t) req->arg2,
				(uint32_t) (req->arg2 >> 32), ret);
}

static int handle_log_container(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
				struct broker_answer *ret)
{
	(void) cg;
	if (!r->policy->logs.containers || !api_id_valid(API_ID_CONTAINER, req->id) || req->arg >= LOG_DRIVERS || req->arg2 > UINT32_MAX)
		return -EINVAL;
	return r->ops->log_container(r->ctx, req->id, (uint32_t) req->arg, (uint32_t) req->arg2, ret);
}

static int handle_log_syslog(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			     struct broker_answer *ret)
{
	(void) req;
	(void) cg;
	return r->policy->logs.syslog[0] ? r->ops->log_syslog(r->ctx, ret) : -ENOENT;
}

static int handle_persist_watch(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
				struct broker_answer *ret)
{
	(void) req;
	(void) cg;
	return r->ops->persist_watch(r->ctx, ret);
}

static int handle_persist_list(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			       struct broker_answer *ret)
{
	(void) req;
	(void) cg;
	return r->ops->persist_list(r->ctx, ret);
}

static int handle_persist_names(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
				struct broker_answer *ret)
{
	(void) cg;
	if ((uint32_t) req->arg >= PERSIST_FOLDERS)
		return -EINVAL;
	return r->ops->persist_names(r->ctx, (uint32_t) req->arg, (uint32_t) (req->arg >> 32), ret);
}

static int handle_persist_look(struct requests *r, const struct broker_req *req, const struct broker_cgroup *cg,
			       struct broker_answer *ret)
{
	(void) cg;
	if ((uint32_t) req->arg >= PERSIST_FOLDERS || req->arg2 > INT32_MAX || !req->id[0] || strchr(req->id, '/'))
		return -EINVAL;
	return r->ops->persist_look(r->ctx, (uint32_t) req->arg, (uint32_t) (req->arg >> 32), req->id, (uint32_t) req->arg2, ret);
}

/* A container that has ended is looked at by what is left of it on the disk; its id alone leads nowhere else. */
static int handle_capture(struct requests *r, const struct broker_req *req, const struct broker_cgroup *none,
			  struct broker_answer *ret)
{
	struct broker_cgroup cg = { .fd = -1 };
	int result;

	(void) none;
	if (!api_id_valid(API_ID_CONTAINER, req->id))
		return -EINVAL;
	result = req->cgroup ? r->ops->cgroup_open(r->ctx, req->cgroup, &cg) : -ESRCH;
	if (result < 0 && result != -ESRCH)
		return result;
	if (result == 0 && strcmp(cg.id, req->id) != 0)
		result = -EPERM;
	if (result != -EPERM) {
		int limited = limit_rate_take(&r->captures, r->now_us);

		result = limited < 0 ? limited : r->ops->capture(r->ctx, cg.fd >= 0 ? &cg : NULL, req->id, ret);
	}
	if (cg.fd >= 0)
		r->ops->cgroup_close(r->ctx, &cg);
	return result;
}

static const struct row rows[BROKER_N_OPS] = {
	[BROKER_HELLO] = { "hello", 0, false, NULL, NULL, handle_hello },
	[BROKER_API] = { "api", F_CGROUP | F_ARG | F_ARG2 | F_ID, false, check_api, api_counts, handle_api },
	[BROKER_SWARM_SCALE] = { "swarm scale", F_CGROUP | F_ARG | F_ID, false, check_scale, scale_counts, handle_scale },
	[BROKER_CGROUP_KILL] = { "kill", F_CGROUP | F_ID, true, NULL, always_counts, handle_kill },
	[BROKER_CGROUP_FREEZE] = { "freeze", F_CGROUP | F_ARG | F_ID, true, check_flag, freeze_counts, handle_freeze },
	[BROKER_CUT] = { "cut", F_CGROUP | F_ADDR | F_PORT, true, NULL, NULL, handle_cut },
	[BROKER_EXCEPT] = { "except", F_CGROUP | F_ARG, false, NULL, NULL, handle_except },
	[BROKER_NETNAME] = { "network name", F_CGROUP | F_ARG | F_ID, false, check_flag, NULL, handle_netname },
	[BROKER_INTERNAL] = { "internal network", F_ARG | F_ADDR | F_PREFIX, false, check_flag, NULL, handle_internal },
	[BROKER_OFF] = { "off", F_ARG, false, NULL, NULL, handle_off },
	[BROKER_EXEC] = { "exec", F_CGROUP | F_ARG, false, check_exec, NULL, handle_exec },
	[BROKER_CAPTURE] = { "capture", F_CGROUP | F_ID, false, NULL, NULL, handle_capture },
	[BROKER_STATE] = { "state", 0, false, NULL, NULL, handle_state },
	[BROKER_BAN] = { "ban", F_ARG | F_ARG2 | F_ADDR | F_PREFIX, false, NULL, NULL, handle_ban },
	[BROKER_UNBAN] = { "unban", F_ADDR | F_PREFIX, false, NULL, NULL, handle_unban },
	[BROKER_BANS_FILE] = { "bans file", 0, false, NULL, NULL, handle_bans_file },
	[BROKER_BANS_LOAD] = { "bans load", F_ARG, false, NULL, NULL, handle_bans_load },
	[BROKER_BANS_STATE] = { "bans state", 0, false, NULL, NULL, handle_bans_state },
	[BROKER_LOG_WATCH] = { "log watch", 0, false, NULL, NULL, handle_log_watch },
	[BROKER_LOG_LIST] = { "log list", F_ARG, false, NULL, NULL, handle_log_list },
	[BROKER_LOG_OPEN] = { "log", F_ARG | F_ARG2, false, NULL, NULL, handle_log_open },
	[BROKER_LOG_CONTAINER] = { "container log", F_ARG | F_ARG2 | F_ID, false, NULL, NULL, handle_log_container },
	[BROKER_PERSIST_WATCH] = { "persistence watch", 0, false, NULL, NULL, handle_persist_watch },
	[BROKER_PERSIST_LIST] = { "persistence folders", 0, false, NULL, NULL, handle_persist_list },
	[BROKER_PERSIST_NAMES] = { "persistence names", F_ARG, false, NULL, NULL, handle_persist_names },
	[BROKER_PERSIST_LOOK] = { "persistence file", F_ARG | F_ARG2 | F_ID, false, NULL, NULL, handle_persist_look },
	[BROKER_LOG_SYSLOG] = { "syslog socket", 0, false, NULL, NULL, handle_log_syslog },
};

const char *requests_name(uint32_t op)
{
	return op < BROKER_N_OPS ? rows[op].name : NULL;
}

static bool all_zero(const void *p, size_t len)
{
	const uint8_t *b = p;

	while (len && !*b)
		b++, len--;
	return len == 0;
}

static bool fields_allowed(const struct broker_req *q, unsigned fields)
{
	size_t id = strnlen(q->id, sizeof(q->id));

	return id < sizeof(q->id) && all_zero(q->id + id, sizeof(q->id) - id) &&
	       all_zero(q->pad, sizeof(q->pad)) && (!q->cgroup || fields & F_CGROUP) &&
	       (!q->arg || fields & F_ARG) && (!q->arg2 || fields & F_ARG2) &&
	       (fields & F_ADDR || all_zero(q->addr, sizeof(q->addr))) && (!q->port || fields & F_PORT) &&
	       (!q->prefix || fields & F_PREFIX) && (!id || fields & F_ID);
}

/* The workload an act is about, by its id (FNV-1a): that of the cgroup, which a request need not repeat, or its own. A cgroup's
 * number in a request proves nothing: it may be gone. */
static uint64_t act_key(const struct broker_req *req, const struct broker_cgroup *cg)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (const char *c = cg->fd >= 0 ? cg->id : req->id; *c; c++)
		h = (h ^ (uint8_t) *c) * 0x100000001b3u;
	return h;
}

static int handle_row(struct requests *r, const struct row *row, const struct broker_req *req, uint64_t now_us,
		      struct broker_answer *ret)
{
	struct broker_cgroup cg = { .fd = -1 };
	int result = 0;

	if (!fields_allowed(req, row->fields))
		return -EINVAL;
	if (row->check) {
		result = row->check(r, req);
		if (result < 0)
			return result;
	}
	if (row->own_cgroup) {
		result = r->ops->cgroup_open(r->ctx, req->cgroup, &cg);
		if (result < 0)
			return result;
		if (req->id[0] && strcmp(req->id, cg.id) != 0)
			result = -EPERM;
	}
	if (result == 0 && row->counts && row->counts(req))
		result = limit_take(&r->kills, act_key(req, &cg), now_us);
	if (result == 0)
		result = row->handle(r, req, &cg, ret);
	if (row->own_cgroup)
		r->ops->cgroup_close(r->ctx, &cg);
	return result;
}

int requests_handle(struct requests *r, const void *buf, size_t len, uint64_t now_us, struct broker_answer *ret)
{
	struct broker_req req;

	if (len != sizeof(req))
		return -EBADMSG;
	memcpy(&req, buf, sizeof(req));
	if (req.op >= BROKER_N_OPS || !rows[req.op].name || !req.seq)
		return -EBADMSG;
	r->now_us = now_us;
	*ret = (struct broker_answer){ .rep.seq = req.seq, .fds = { -1, -1 } };
	ret->rep.result = handle_row(r, &rows[req.op], &req, now_us, ret);
	if (ret->rep.result < 0)
		ret->later = false;
	return 0;
}
