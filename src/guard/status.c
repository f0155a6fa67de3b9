#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "guard/guard.h"

#define RECENT	      5
#define WOULD_HIT_MAX 20

/* What is in the way the broker says once, where it finds it: kernel_blame(). */
#define WHY_NOT "journalctl -u pavise | grep 'not in force'"
const struct degradation degradations[] = {
	{ BROKER_DEGRADED_CONNECT, true, "net", "connections to mining ports are not refused: the connect hooks are not attached", WHY_NOT },
	{ BROKER_DEGRADED_SENDMSG, true, "net", "datagrams that a NAT of their own redirects are not refused: the sendmsg hooks are not attached",
	  WHY_NOT },
	{ BROKER_DEGRADED_EGRESS, true, "dns", "DNS questions are not seen: the egress hook is not attached", WHY_NOT },
	{ BROKER_DEGRADED_INGRESS, true, "net", "UDP servers' answers or their clients cannot be told apart: the recvmsg or ingress hooks are not "
	  "attached", WHY_NOT },
	{ BROKER_DEGRADED_CGROUPS, true, "workloads", "new containers are found late, by walking: the cgroup tracepoints are not attached",
	  WHY_NOT },
	{ BROKER_DEGRADED_OOM, true, "memory", "OOM kills are found late, by sampling: the tracepoints are not attached", WHY_NOT },
	{ BROKER_DEGRADED_EXEC, true, "exec", "programs are not judged: the exec hook is not attached, or this kernel's overlay is not known",
	  WHY_NOT },
	{ BROKER_DEGRADED_MMAP, true, "exec", "programs that the dynamic loader runs, and libraries that are loaded, are not or not all judged: a hook "
	  "on mappings is not attached", WHY_NOT },
	{ BROKER_DEGRADED_STORAGE, false, "exec", "some container's root is no overlay (storage driver vfs, btrfs, zfs): its programs are not judged",
	  "docker info --format {{.Driver}}" },
	{ BROKER_DEGRADED_BELOW, true, "net", "another program holds the root cgroup; the hooks were attached one level below it", WHY_NOT },
	{ BROKER_DEGRADED_REPLACED, true, "net", "a hook of the guard was missing or replaced by somebody; it was attached again",
	  "pavise events --id guard." },
	{ BROKER_DEGRADED_BANS, true, "login", "bans were gone from the kernel: somebody flushed the ruleset or changed the table inet pavise; they are "
	  "put back", "pavise bans" },
	{ BROKER_DEGRADED_UNBANNED, true, "login", "bans have no effect here: the first one dropped no packet in its test", "pavise doctor" },
	{ BROKER_DEGRADED_NEVER, true, "login", "nobody is banned for now: who never may be (routers, name servers, open connections) cannot be read",
	  "journalctl -u pavise | grep 'never banned'" },
	{ BROKER_DEGRADED_DOCKER, false, "workloads", "Docker's socket does not answer; names and kills through it are not possible",
	  "systemctl status docker" },
	{ BROKER_DEGRADED_PODMAN, false, "workloads", "Podman's socket does not answer", "systemctl status podman.socket" },
};
const size_t n_degradations = N_ELEMENTS(degradations);

static const char *const state_names[] = {
	[ENGINE_ABSENT] = "absent",
	[ENGINE_LISTING] = "connected",
	[ENGINE_CONNECTED] = "connected",
	[ENGINE_LOST] = "lost",
};

/* Puts a comma before every element but the first of an array. */
static void comma(struct pv_buf *out)
{
	char last = out->len ? out->data[out->len - 1] : '[';

	if (last != '[' && last != '{')
		pv_buf_putc(out, ',');
}

static void field(struct pv_buf *out, const char *key, const char *value)
{
	comma(out);
	pv_buf_json_str(out, key);
	pv_buf_putc(out, ':');
	pv_buf_json_str(out, value);
}

static void number(struct pv_buf *out, const char *key, uint64_t value)
{
	comma(out);
	pv_buf_printf(out, "\"%s\":%" PRIu64, key, value);
}

static uint64_t count_of(const struct guard *g, enum event_kind kind, enum pv_count what)
{
	return g->counters ? __atomic_load_n(&g->counters[kind * PV_COUNT_STEP + what], __ATOMIC_RELAXED) : 0;
}

static void counts_json(const struct guard *g, struct pv_buf *out)
{
	uint64_t lost = 0;

	for (int kind = 1; kind < EVENT_N_KINDS; kind++)
		lost += count_of(g, (enum event_kind) kind, PV_COUNT_LOST);
	pv_buf_puts(out, ",\"counts\":{");
	number(out, "net_seen", count_of(g, EVENT_NET, PV_COUNT_SEEN));
	number(out, "net_refused", count_of(g, EVENT_NET, PV_COUNT_REFUSED));
	number(out, "dns_seen", count_of(g, EVENT_DNS, PV_COUNT_SEEN));
	number(out, "dns_refused", count_of(g, EVENT_DNS, PV_COUNT_REFUSED));
	number(out, "exec_seen", count_of(g, EVENT_EXEC, PV_COUNT_SEEN));
	number(out, "exec_refused", count_of(g, EVENT_EXEC, PV_COUNT_REFUSED));
	number(out, "lost", lost);
	pv_buf_putc(out, '}');
}

/* recent notices */

struct recent {
	uint64_t by_severity[SEV_N];
	size_t n;
	struct pv_buf *out;
};

static int on_recent(const struct notice *n, void *arg)
{
	struct recent *r = arg;

	if ((unsigned) n->severity < SEV_N)
		r->by_severity[n->severity]++;
	if (n->severity > SEV_INFO && r->n < RECENT) {
		comma(r->out);
		notice_json(r->out, n);
		r->n++;
	}
	return 0;
}

static void recent_json(struct guard *g, struct pv_buf *out)
{
	struct store_query q = { .since_us = clock_wall_us() - USEC_PER_DAY, .max = 1000 };
	struct recent r = { .out = out };

	pv_buf_puts(out, ",\"recent\":[");
	(void) store_notices(g->store, &q, on_recent, &r);
	pv_buf_puts(out, "],\"notices_24h\":{");
	for (int s = SEV_N - 1; s >= 0; s--)
		number(out, severity_name((enum severity) s), r.by_severity[s]);
	pv_buf_putc(out, '}');
}

/* exceptions in force, with their source */

static void exceptions_json(struct guard *g, struct pv_buf *out)
{
	struct guard_workload *w;
	char name[160], source[300];

	pv_buf_puts(out, ",\"exceptions\":[");
	for (uint32_t i = 0; i < g->policy->n_exceptions; i++) {
		const struct policy_exception *e = &g->policy->exceptions[i];

		comma(out);
		pv_buf_putc(out, '{');
		field(out, "name", e->name);
		field(out, "signal", signal_name((enum pv_signal) e->signal));
		field(out, "action", action_name((enum pv_action) e->action));
		(void) snprintf(source, sizeof(source), "%s:%u", e->origin, e->line);
		field(out, "source", source);
		pv_buf_putc(out, '}');
	}
	for (size_t i = 0; (w = pv_map_next(&g->workloads, &i));) {
		for (int s = 0; w->w.info && s < SIGNAL_N; s++) {
			if (w->info.label_action[s] >= ACTION_N)
				continue;
			workload_name(name, sizeof(name), &w->w);
			comma(out);
			pv_buf_putc(out, '{');
			field(out, "name", name);
			field(out, "signal", signal_name((enum pv_signal) s));
			field(out, "action", action_name(w->info.label_action[s]));
			(void) snprintf(source, sizeof(source), "label pavise.%s", signal_name((enum pv_signal) s));
			field(out, "source", source);
			pv_buf_putc(out, '}');
		}
	}
	pv_buf_putc(out, ']');
}

static void degraded_one(struct pv_buf *out, const char *signal, const char *why, const char *next)
{
	comma(out);
	pv_buf_putc(out, '{');
	field(out, "signal", signal);
	field(out, "why", why);
	field(out, "next", next);
	pv_buf_putc(out, '}');
}

static void degraded_json(struct guard *g, struct pv_buf *out)
{
	char why[400];

	pv_buf_puts(out, ",\"degraded\":[");
	for (size_t i = 0; i < n_degradations; i++) {
		if (!(g->degraded & degradations[i].bit))
			continue;
		/* an engine that was never there is no degradation: `engines` says absent */
		if (degradations[i].bit == BROKER_DEGRADED_DOCKER && !g->engines[ENGINE_DOCKER].seen)
			continue;
		if (degradations[i].bit == BROKER_DEGRADED_PODMAN && !g->engines[ENGINE_PODMAN].seen)
			continue;
		degraded_one(out, degradations[i].signal, degradations[i].why, degradations[i].next);
	}
	if (g->own_sampling_off)
		degraded_one(out, "cpu, memory, pids", "cgroup files of some workloads could not be opened (too many open files?)",
			     "systemctl show pavise -p LimitNOFILE");
	if (notices_wait(g))
		degraded_one(out, "history", "notices cannot be stored (no room on the disk?); they stand in the log and are tried again", "df -h");
	if (*g->refused) {
		(void) snprintf(why, sizeof(why), "the configuration of the last reload was refused, the one before it is in force: %s", g->refused);
		degraded_one(out, "configuration", why, "pavise config check");
	}
	if (*g->policy->pool.refused) {
		(void) snprintf(why, sizeof(why), "the shipped list of pools is in force: %s", g->policy->pool.refused);
		degraded_one(out, "net, dns", why, "pavise config check");
	}
	pv_buf_putc(out, ']');
}

/* who breaks a rule now */

struct hits {
	struct pv_buf *out;
	size_t n;
};

static void on_hit(const struct guard_workload *w, enum pv_signal signal, const char *why, void *arg)
{
	struct hits *h = arg;
	char name[160];

	if (h->n++ >= WOULD_HIT_MAX)
		return;
	workload_name(name, sizeof(name), &w->w);
	comma(h->out);
	pv_buf_putc(h->out, '{');
	field(h->out, "name", name);
	field(h->out, "signal", signal_name(signal));
	field(h->out, "why", why);
	pv_buf_putc(h->out, '}');
}

static void would_hit_json(struct guard *g, struct pv_buf *out)
{
	struct hits h = { .out = out };

	pv_buf_puts(out, ",\"would_hit\":[");
	standing_each(g, on_hit, &h);
	pv_buf_printf(out, "],\"would_hit_count\":%zu", h.n);
}

static void engines_json(const struct guard *g, struct pv_buf *out)
{
	static const char *const names[] = { "docker", "podman" };

	pv_buf_puts(out, ",\"engines\":[");
	for (int i = 0; i < GUARD_ENGINES; i++) {
		comma(out);
		pv_buf_putc(out, '{');
		field(out, "name", names[i]);
		field(out, "state", state_names[g->engines[i].state]);
		pv_buf_putc(out, '}');
	}
	pv_buf_putc(out, ']');
}

static void off_json(const struct guard *g, struct pv_buf *out)
{
	uint64_t now = clock_monotonic_us();
	bool off = g->off_until_ns / 1000 > now;

	pv_buf_printf(out, ",\"off\":%s,\"off_until\":", off ? "true" : "false");
	if (!off || g->off_until_ns == UINT64_MAX) {
		pv_buf_puts(out, "null");
		return;
	}
	pv_buf_putc(out, '"');
	clock_rfc3339(out, clock_wall_us() + g->off_until_ns / 1000 - now);
	pv_buf_putc(out, '"');
}

static void success_json(struct guard *g, struct pv_buf *out, const struct policy_channel *c)
{
	uint64_t us = outbox_last_success(g->outbox, store_channel_key(c));
	pv_autobuf when = PV_BUF_INIT;

	if (!us)
		return;
	clock_rfc3339(&when, us);
	field(out, "last_success", pv_buf_str(&when));
}

void status_json(struct guard *g, struct pv_buf *out)
{
	uint64_t containers = 0, units = 0;
	struct store_counts sc = { 0 };
	struct guard_workload *w;

	for (size_t i = 0; (w = pv_map_next(&g->workloads, &i));)
		w->w.class_ == PV_CLASS_UNIT ? units++ : containers++;
	(void) store_counts(g->store, &sc);
	pv_buf_puts(out, "{\"ok\":true,\"status\":{");
	field(out, "version", PAVISE_VERSION);
	field(out, "mode", g->policy->observe ? "observe" : "enforce");
	pv_buf_puts(out, ",\"since\":\"");
	clock_rfc3339(out, g->started_wall_us);
	pv_buf_putc(out, '"');
	off_json(g, out);
	pv_buf_puts(out, ",\"workloads\":{");
	number(out, "containers", containers);
	number(out, "units", units);
	pv_buf_putc(out, '}');
	engines_json(g, out);
	counts_json(g, out);
	bans_status_json(g, out);
	recent_json(g, out);
	exceptions_json(g, out);
	degraded_json(g, out);
	would_hit_json(g, out);
	pv_buf_puts(out, ",\"deliveries\":{");
	number(out, "waiting", sc.waiting);
	number(out, "given_up", sc.given_up);
	pv_buf_puts(out, "},\"channels\":[");
	for (uint32_t i = 0; i < g->policy->n_channels; i++) {
		comma(out);
		pv_buf_putc(out, '{');
		field(out, "name", g->policy->channels[i].name);
		field(out, "min_severity", severity_name((enum severity) g->policy->channels[i].min_severity));
		success_json(g, out, &g->policy->channels[i]);
		pv_buf_putc(out, '}');
	}
	pv_buf_puts(out, "],\"logs\":");
	guard_logs_json(g, out);
	persist_json(g, out);
	pv_buf_puts(out, "}}");
}

static void top_row(struct pv_buf *out, const struct guard_workload *w)
{
	const struct cgroup_usage *u = &w->usage;
	char name[160];

	workload_name(name, sizeof(name), &w->w);
	comma(out);
	pv_buf_putc(out, '{');
	field(out, "name", name);
	field(out, "kind", subject_kind_name(workload_subject(&w->w)));
	number(out, "cgroup", w->w.cgroup);
	number(out, "cpu", w->load ? load_cpu_now(w->load) : 0);
	if (w->sampled && u->memory != UINT64_MAX)
		number(out, "memory", u->memory);
	if (w->sampled && u->memory_limit != UINT64_MAX)
		number(out, "memory_limit", u->memory_limit);
	if (w->sampled) {
		number(out, "processes", u->processes == UINT64_MAX ? u->tasks : u->processes);
		number(out, "tasks", u->tasks);
		if (u->tasks_max != UINT64_MAX)
			number(out, "tasks_max", u->tasks_max);
	}
	number(out, "refused", w->refused);
	pv_buf_putc(out, '}');
}

void top_json(struct guard *g, struct pv_buf *out)
{
	struct guard_workload *w;

	pv_buf_puts(out, "{\"ok\":true,\"workloads\":[");
	for (size_t i = 0; (w = pv_map_next(&g->workloads, &i));)
		top_row(out, w);
	pv_buf_puts(out, "]}");
}
