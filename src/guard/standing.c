/* standing.c - what is so already: workloads that break a rule now, and connections to blocked ports that were open
 * before the guard came (or before the rule): those are cut, since connect() is long over for them. */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/guard.h"
#include "host/sockets.h"
#include "report/tell.h"

#define CUT_MAX 64 /* connections of one workload; a miner has one or two */

/* As in the kernel (bpf/maps.h, is_external): everything that is not here is outside. The host's own addresses are the
 * broker's to know; nobody has a connection to them on a mining port that is worth cutting. */
static const char *const inside[] = { "0.0.0.0/8",	"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
				      "100.64.0.0/10",	"169.254.0.0/16", "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10",
				      "ff00::/8" };

static bool in_prefixes(const struct ip_addr *a, const struct ip_prefix *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (ip_in_prefix(a, &p[i]))
			return true;
	return false;
}

static bool is_spared(const struct guard *g, const struct ip_addr *a)
{
	const struct guard_subnet *subnet;
	struct ip_prefix p;

	for (size_t i = 0; i < N_ELEMENTS(inside); i++)
		if (ip_prefix_parse(inside[i], &p) == 0 && ip_in_prefix(a, &p))
			return true;
	for (size_t i = 0; (subnet = pv_map_next(&g->subnets, &i));)
		if (ip_in_prefix(a, &subnet->prefix))
			return true;
	return in_prefixes(a, g->policy->net.internal, g->policy->net.n_internal) ||
	       in_prefixes(a, g->policy->net.allow, g->policy->net.n_allow);
}

static bool port_is_blocked(const struct policy *p, uint16_t port)
{
	for (uint32_t i = 0; i < p->net.n_ports; i++)
		if (p->net.ports[i] == port)
			return true;
	return false;
}

struct found {
	struct guard *g;
	size_t n;
	struct {
		struct ip_addr addr;
		uint16_t port;
	} peers[CUT_MAX];
};

static int on_remote(const struct ip_addr *addr, uint16_t port, void *arg)
{
	struct found *f = arg;

	if (!port_is_blocked(f->g->policy, port) || is_spared(f->g, addr))
		return 0;
	f->peers[f->n].addr = *addr;
	f->peers[f->n].port = port;
	return ++f->n == CUT_MAX;
}

/* In the host's own network namespace nobody knows whose a connection is: those are left to the kernel's hooks. */
static bool find_connections(struct guard *g, const struct guard_workload *w, struct found *f)
{
	f->g = g;
	f->n = 0;
	if (g->policy->net.action == ACTION_IGNORE || !w->w.info || !w->info.pid || w->info.host_network)
		return false;
	(void) sockets_remote((pid_t) w->info.pid, on_remote, f);
	return f->n > 0;
}

static bool is_excepted(const struct guard *g, const struct guard_workload *w, enum pv_signal signal)
{
	char name[160];
	int exception;

	workload_name(name, sizeof(name), &w->w);
	(void) policy_action(g->policy, name, signal, &exception);
	return exception >= 0 || (w->w.info && w->info.label_action[signal] < ACTION_N);
}

/* A connection that is being cut, until it is known whether it was. */
struct standing {
	struct notice notice;
	struct ip_addr addr;
	uint16_t port;
};

static void tell_standing(struct guard *g, struct standing *s)
{
	tell_net(&s->notice, &s->addr, s->port, IPPROTO_TCP);
	notice_add_evidence(&s->notice, "when", "the connection was open before the guard or the rule came");
	(void) notices_raise(g, &s->notice);
}

static void on_cut(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	pv_autofree struct standing *s = arg;

	(void) pv_close(fd);
	if (rep->result == -ESRCH || (rep->result == 0 && !rep->value))
		return; /* it is over, or it is another one's in the same network namespace */
	s->notice.action = rep->result < 0 ? DONE_FAILED : DONE_BLOCKED;
	if (rep->result < 0)
		notice_add_evidence(&s->notice, "failed", "%s", strerror(-rep->result));
	tell_standing(g, s);
}

void standing_cut(struct guard *g, struct guard_workload *w)
{
	struct found f;
	bool block = g->policy->net.action == ACTION_BLOCK, cut = block && !g->policy->observe;

	if (is_excepted(g, w, SIGNAL_NET) || !find_connections(g, w, &f))
		return;
	for (size_t i = 0; i < f.n; i++) {
		struct broker_req req = { .op = BROKER_CUT, .cgroup = w->w.cgroup, .port = f.peers[i].port };
		pv_autofree struct standing *s = calloc(1, sizeof(*s));

		if (!s)
			return;
		memcpy(req.addr, f.peers[i].addr.b, 16);
		s->addr = f.peers[i].addr;
		s->port = f.peers[i].port;
		notice_init(&s->notice, ID_NET_STRATUM, clock_wall_us());
		notices_subject(&s->notice, w);
		if (cut && link_call(g, &req, on_cut, s) >= 0) {
			(void) pv_steal(s);
			continue;
		}
		s->notice.action = cut ? DONE_FAILED : block ? DONE_WOULD_BLOCK : DONE_ALERTED;
		tell_standing(g, s);
	}
}

static void load_hits(const struct guard *g, const struct guard_workload *w, standing_fn fn, void *arg)
{
	const struct policy *p = g->policy;
	uint32_t cpu = w->load ? load_cpu_now(w->load) : 0;
	const struct cgroup_usage *u = &w->usage;
	uint64_t limit;
	char why[160];

	limit = u->cpu_quota && u->cpu_quota < 10000 ? u->cpu_quota * p->cpu.limit / 10000 : p->cpu.limit;
	if (p->cpu.action != ACTION_IGNORE && cpu > limit && !is_excepted(g, w, SIGNAL_CPU)) {
		(void) snprintf(why, sizeof(why), "uses %u.%u %% of a core now", cpu / 100, cpu % 100 / 10);
		fn(w, SIGNAL_CPU, why, arg);
	}
	limit = u->memory_limit == UINT64_MAX ? p->memory.limit : u->memory_limit / 10000 * p->memory.of_limit;
	if (p->memory.action != ACTION_IGNORE && u->memory != UINT64_MAX && u->memory > limit &&
	    !is_excepted(g, w, SIGNAL_MEMORY)) {
		(void) snprintf(why, sizeof(why), "holds %" PRIu64 " MiB", u->memory >> 20);
		fn(w, SIGNAL_MEMORY, why, arg);
	}
	if (p->pids.action != ACTION_IGNORE && u->processes != UINT64_MAX && u->processes > p->pids.limit &&
	    !is_excepted(g, w, SIGNAL_PIDS)) {
		(void) snprintf(why, sizeof(why), "has %" PRIu64 " processes", u->processes);
		fn(w, SIGNAL_PIDS, why, arg);
	}
}

void standing_each(struct guard *g, standing_fn fn, void *arg)
{
	struct guard_workload *w;
	struct found f;
	char why[160];

	for (size_t i = 0; (w = pv_map_next(&g->workloads, &i));) {
		if (w->sampled)
			load_hits(g, w, fn, arg);
		if (!is_excepted(g, w, SIGNAL_NET) && find_connections(g, w, &f)) {
			pv_autobuf text = PV_BUF_INIT;

			ip_format(&text, &f.peers[0].addr);
			(void) snprintf(why, sizeof(why), "has a connection open to %s port %u", pv_buf_str(&text),
					f.peers[0].port);
			fn(w, SIGNAL_NET, why, arg);
		}
	}
}

static void say(const struct guard_workload *w, enum pv_signal signal, const char *why, void *arg)
{
	pv_autobuf text = PV_BUF_INIT;
	size_t *n = arg;
	char name[160];

	workload_name(name, sizeof(name), &w->w);
	pv_buf_safe(&text, name, 0);
	log_info("breaks a rule now (%s): %s %s", signal_name(signal), pv_buf_str(&text), why);
	(*n)++;
}

void standing_say(struct guard *g)
{
	size_t n = 0;

	standing_each(g, say, &n);
	log_info("%zu of %zu workloads break a rule now%s", n, g->workloads.used,
		 g->policy->observe ? "; observe: nothing is done about it" : "");
}
