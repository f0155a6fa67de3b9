/* fake_broker.h - the broker's checks with nothing behind them: every operation only says that it was reached, and with
 * what. For test_broker.c and fuzz_broker_req.c. */
#ifndef PV_TEST_FAKE_BROKER_H
#define PV_TEST_FAKE_BROKER_H

#include <stdio.h>
#include <string.h>

#include "model/persist.h"
#include "base/text.h"
#include "broker/requests.h"

#define FAKE_ID		  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FAKE_OTHER_ID	  "ffffffffffffffff0123456789abcdef0123456789abcdef0123456789abcdef"
#define FAKE_SERVICE	  "abcdefghij0123456789abcde"
#define FAKE_CONTAINER	  100 /* up to 199: containers; the first one's id is FAKE_ID, see fake_id() */
#define FAKE_UNIT	  200 /* exists, but is no container */

struct fake {
	char reached[32]; /* name of the operation; empty: none */
	uint64_t cgroup;
	uint32_t flags;
	int open; /* cgroups opened and not closed */
};

static inline int fake_reach(void *ctx, const char *name)
{
	struct fake *f = ctx;

	(void) text_copy(f->reached, sizeof(f->reached), name);
	return 0;
}

static inline void fake_id(uint64_t cgroup, char *out, size_t size)
{
	(void) snprintf(out, size, "%02x%s", (unsigned) (cgroup - FAKE_CONTAINER + 1) & 0xff, &FAKE_ID[2]);
}

static int fake_cgroup_open(void *ctx, uint64_t id, struct broker_cgroup *ret)
{
	struct fake *f = ctx;

	if (id == FAKE_UNIT)
		return -EPERM;
	if (id < FAKE_CONTAINER || id > FAKE_CONTAINER + 99)
		return -ESRCH;
	*ret = (struct broker_cgroup){ .fd = 77, .cgroup = id };
	fake_id(id, ret->id, sizeof(ret->id));
	f->open++;
	return 0;
}

static void fake_cgroup_close(void *ctx, struct broker_cgroup *cg)
{
	struct fake *f = ctx;

	cg->fd = -1;
	f->open--;
}

static int fake_exec(void *ctx, uint64_t cgroup, uint32_t flags)
{
	struct fake *f = ctx;

	f->cgroup = cgroup;
	f->flags = flags;
	return fake_reach(ctx, "exec");
}

static int fake_capture(void *ctx, const struct broker_cgroup *cg, const char *id, struct broker_answer *ret)
{
	(void) ret;
	(void) id;
	((struct fake *) ctx)->cgroup = cg ? cg->cgroup : 0;
	return fake_reach(ctx, "capture");
}

static int fake_hello(void *ctx, struct broker_answer *ret)
{
	ret->fds[0] = 50;
	ret->fds[1] = 51;
	ret->n_fds = 2;
	return fake_reach(ctx, "hello");
}

static int fake_api(void *ctx, enum api_request what, unsigned engine, const char *id, uint32_t number,
		    struct broker_answer *ret)
{
	const struct api_template *t = api_template(what);

	(void) number;
	if (!t || engine > 1 || !api_id_valid(t->id, id))
		abort(); /* the checks let something through */
	ret->fds[0] = 60;
	ret->n_fds = 1;
	ret->give = true;
	return fake_reach(ctx, "api");
}

static int fake_swarm(void *ctx, const char *service, uint64_t replicas, struct broker_answer *ret)
{
	(void) replicas;
	if (!api_id_valid(API_ID_SERVICE, service))
		abort();
	ret->later = true;
	return fake_reach(ctx, "swarm");
}

static int fake_kill(void *ctx, const struct broker_cgroup *cg)
{
	((struct fake *) ctx)->cgroup = cg->cgroup;
	return fake_reach(ctx, "kill");
}

static int fake_freeze(void *ctx, const struct broker_cgroup *cg, bool freeze)
{
	((struct fake *) ctx)->cgroup = cg->cgroup;
	return fake_reach(ctx, freeze ? "freeze" : "thaw");
}

static int fake_cut(void *ctx, const struct broker_cgroup *cg, const uint8_t addr[16], uint16_t port, uint64_t *ret_n)
{
	(void) addr;
	(void) port;
	((struct fake *) ctx)->cgroup = cg->cgroup;
	*ret_n = 3;
	return fake_reach(ctx, "cut");
}

static int fake_except(void *ctx, uint64_t cgroup, uint32_t flags)
{
	((struct fake *) ctx)->cgroup = cgroup;
	((struct fake *) ctx)->flags = flags;
	return fake_reach(ctx, "except");
}

static int fake_netname(void *ctx, uint64_t cgroup, const char *name, bool add)
{
	(void) cgroup;
	(void) add;
	if (!name[0] || strlen(name) >= 64 || strpbrk(name, " /\"\n"))
		abort();
	return fake_reach(ctx, "netname");
}

static int fake_internal(void *ctx, const struct ip_prefix *net, bool add)
{
	(void) add;
	if (net->len > 128 || net->len < 32)
		abort();
	return fake_reach(ctx, "internal");
}

static int fake_off(void *ctx, uint64_t until_ns)
{
	(void) until_ns;
	return fake_reach(ctx, "off");
}

static int fake_log_watch(void *ctx, struct broker_answer *ret)
{
	(void) ret;
	return fake_reach(ctx, "log watch");
}

static int fake_log_list(void *ctx, uint32_t place, struct broker_answer *ret)
{
	(void) ret;
	((struct fake *) ctx)->flags = place;
	return fake_reach(ctx, "log list");
}

static int fake_log_open(void *ctx, uint32_t place, uint32_t position, uint32_t number, uint32_t which, struct broker_answer *ret)
{
	(void) position;
	(void) number;
	(void) which;
	(void) ret;
	((struct fake *) ctx)->flags = place;
	return fake_reach(ctx, "log");
}

static int fake_log_container(void *ctx, const char *id, uint32_t driver, uint32_t which, struct broker_answer *ret)
{
	(void) which;
	(void) ret;
	if (!api_id_valid(API_ID_CONTAINER, id) || driver > 1)
		abort();
	return fake_reach(ctx, "container log");
}

static int fake_log_syslog(void *ctx, struct broker_answer *ret)
{
	(void) ret;
	return fake_reach(ctx, "syslog socket");
}

static int fake_persist_watch(void *ctx, struct broker_answer *ret)
{
	(void) ret;
	return fake_reach(ctx, "persistence watch");
}

static int fake_persist_list(void *ctx, struct broker_answer *ret)
{
	(void) ret;
	return fake_reach(ctx, "persistence folders");
}

static int fake_persist_names(void *ctx, uint32_t folder, uint32_t number, struct broker_answer *ret)
{
	(void) number;
	(void) ret;
	if (folder >= PERSIST_FOLDERS)
		abort();
	return fake_reach(ctx, "persistence names");
}

static int fake_persist_look(void *ctx, uint32_t folder, uint32_t number, const char *name, uint32_t pid, struct broker_answer *ret)
{
	(void) number;
	(void) ret;
	if (folder >= PERSIST_FOLDERS || !*name || strchr(name, '/') || pid > INT32_MAX)
		abort();
	return fake_reach(ctx, "persistence file");
}

static void fake_state(void *ctx, uint64_t *ret_degraded, uint64_t *ret_off_until)
{
	*ret_degraded = 5;
	*ret_off_until = 6;
	(void) fake_reach(ctx, "state");
}

/* Never wider than a person may, never for ever; 198.51.100.0/24 is never banned. */
static int fake_ban(void *ctx, const struct ip_prefix *who, uint32_t seconds, uint64_t *ret_why)
{
	if (requests_check_ban(who, seconds, true) != NEVER_NO)
		abort();
	*ret_why = ip_is_v4(&who->addr) && who->addr.b[12] == 198 ? NEVER_LISTED : NEVER_NO;
	return *ret_why ? -EPERM : fake_reach(ctx, "ban");
}

static int fake_ban_look(void *ctx, const struct ip_prefix *who, uint64_t *ret_why)
{
	*ret_why = NEVER_NO;
	(void) who;
	return fake_reach(ctx, "look");
}

static int fake_ban_others(void *ctx, const struct ip_prefix *who, uint64_t *ret_other)
{
	*ret_other = OTHER_NONE;
	if (who->len != 128)
		abort();
	return fake_reach(ctx, "others");
}

static int fake_unban(void *ctx, const struct ip_prefix *who)
{
	if (requests_check_ban(who, 1, true) != NEVER_NO)
		abort();
	return fake_reach(ctx, "unban");
}

static int fake_bans_file(void *ctx, struct broker_answer *ret)
{
	(void) ret;
	return fake_reach(ctx, "bans file");
}

static int fake_bans_load(void *ctx, uint32_t n, uint64_t *ret_in_force, uint64_t *ret_never)
{
	if (n > BROKER_BANS_MAX)
		abort();
	*ret_in_force = n;
	*ret_never = 0;
	return fake_reach(ctx, "bans load");
}

static int fake_bans_state(void *ctx, uint64_t *ret_dropped)
{
	*ret_dropped = 7;
	return fake_reach(ctx, "bans state");
}

static const struct broker_ops fake_ops = {
	.cgroup_open = fake_cgroup_open, .cgroup_close = fake_cgroup_close, .hello = fake_hello, .api = fake_api,
	.swarm_scale = fake_swarm, .kill = fake_kill, .freeze = fake_freeze, .cut = fake_cut, .except = fake_except,
	.netname = fake_netname, .internal = fake_internal, .exec = fake_exec, .off = fake_off, .capture = fake_capture, .state = fake_state,
	.ban = fake_ban, .ban_look = fake_ban_look, .ban_others = fake_ban_others, .unban = fake_unban, .bans_file = fake_bans_file, .bans_load = fake_bans_load, .bans_state = fake_bans_state,
	.log_watch = fake_log_watch, .log_list = fake_log_list, .log_open = fake_log_open, .log_container = fake_log_container,
	.log_syslog = fake_log_syslog, .persist_watch = fake_persist_watch, .persist_list = fake_persist_list,
	.persist_names = fake_persist_names, .persist_look = fake_persist_look,
};

#endif
