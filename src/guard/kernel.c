#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/guard.h"
#include "report/tell.h"

#define DRAIN_MAX	  4096 /* records in one go; the loop serves the others in between */
#define NAMES_PER_MINUTE  8    /* notices by name and workload; beyond, by pattern */

uint64_t kernel_mix(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return h;
}

uint64_t kernel_event_time(const struct event_head *e)
{
	uint64_t now = clock_monotonic_us(), then = e->time_ns / 1000;

	return clock_wall_us() - (now > then ? now - then : 0);
}

static enum notice_action done_by(uint16_t flags)
{
	if (flags & EVF_REFUSED)
		return DONE_BLOCKED;
	return flags & EVF_OBSERVED ? DONE_WOULD_BLOCK : DONE_ALERTED;
}

/* Why it was let through, for the reader; NULL when it was not. */
static const char *let_through(uint16_t flags, uint8_t class_)
{
	if (flags & EVF_OFF)
		return "blocks were lifted by pavise off";
	if (flags & EVF_ALLOWED)
		return "an exception lets it through";
	if (flags & EVF_CLASS && class_ == PV_CLASS_BUILD)
		return "an image build is told, never stopped";
	if (flags & EVF_CLASS)
		return "login sessions and the host's own shell are never blocked";
	if (flags & EVF_ALERT)
		return "the configured action is alert";
	return NULL;
}

/* An exception with action ignore keeps its workload's let-through questions and connections out of the history. */
bool kernel_is_ignored(const struct guard *g, const struct guard_workload *w, uint16_t flags, enum pv_signal signal)
{
	char name[160];
	int exception;

	if (!(flags & EVF_ALLOWED) || !w)
		return false;
	workload_name(name, sizeof(name), &w->w);
	return policy_action(g->policy, name, signal, &exception) == ACTION_IGNORE && exception >= 0;
}

void kernel_notice_fill(struct notice *n, const struct event_head *e, struct guard_workload *w)
{
	const char *why = let_through(e->flags, e->class_);
	char comm[PV_COMM_LEN + 1] = { 0 };

	notices_subject(n, w);
	n->action = done_by(e->flags);
	if (n->action == DONE_ALERTED && n->severity > SEV_MEDIUM && (e->flags & (EVF_ALLOWED | EVF_CLASS)))
		n->severity = SEV_MEDIUM;
	memcpy(comm, e->comm, PV_COMM_LEN);
	if (e->tgid)
		notice_add_evidence(n, "process", "%s (pid %u)", comm, e->tgid);
	if (w && w->w.info && *w->info.image)
		notice_add_evidence(n, "image", "%s", w->info.image);
	if (why)
		notice_add_evidence(n, "let through", "%s", why);
	if (e->flags & EVF_MOVED)
		notice_add_evidence(n, "moved", "the process had moved itself out of its container's cgroup");
}

/* A port that is told only, or encrypted questions. */
static void on_watched(struct guard *g, const struct event_net *e, struct guard_workload *w, uint64_t root)
{
	bool pool = e->what == PV_NET_POOL;
	uint64_t key = kernel_mix(kernel_mix(ID_NET_POOL, &root, 8), &e->what, 1);
	struct notice n;

	notice_init(&n, pool ? ID_NET_POOL : ID_DNS_ENCRYPTED, kernel_event_time(&e->head));
	if (pool)
		n.severity = SEV_LOW;
	kernel_notice_fill(&n, &e->head, w);
	tell_watched(&n, e);
	notices_fold(g, kernel_mix(kernel_mix(key, &e->dport, 2), e->daddr, 16), &n);
}

static void on_net(struct guard *g, const struct event_net *e)
{
	struct guard_workload *w = table_find(g, e->head.cgroup_id);
	uint64_t root = w ? w->w.cgroup : e->head.cgroup_id, key;
	struct ip_addr addr;
	struct notice n;

	if (w)
		w->refused += !!(e->head.flags & EVF_REFUSED);
	if (e->what == PV_NET_METADATA) {
		exec_metadata(g, e);
		return;
	}
	if (e->what != PV_NET_BLOCKED) {
		on_watched(g, e, w, root);
		return;
	}
	if (kernel_is_ignored(g, w, e->head.flags, SIGNAL_NET))
		return;
	key = kernel_mix(kernel_mix(kernel_mix(ID_NET_STRATUM, &root, 8), &e->dport, 2), &e->head.flags, 2);
	notice_init(&n, ID_NET_STRATUM, kernel_event_time(&e->head));
	kernel_notice_fill(&n, &e->head, w);
	memcpy(addr.b, e->daddr, 16);
	tell_net(&n, &addr, e->dport, e->proto);
	notices_fold(g, key, &n);
}

/* Wire form to `pool.hashvault.pro`; anything that is no plain name character becomes \DDD as in zone files. */
static void name_text(char *out, size_t size, const uint8_t *name, size_t len)
{
	size_t at = 0, used = 0;

	out[0] = '\0';
	while (at < len && name[at] && at + 1 + name[at] <= len) {
		size_t label = name[at++];

		if (used && used + 1 < size)
			out[used++] = '.';
		for (; label; label--, at++) {
			char c = (char) name[at];
			bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';

			if (used + 5 >= size)
				break;
			if (plain)
				out[used++] = c;
			else
				used += (size_t) snprintf(out + used, size - used, "\\%03u", (uint8_t) c);
		}
		at += label;
	}
	out[PV_MIN(used, size - 1)] = '\0';
}

static bool has_address(const struct container_info *info, const struct ip_addr *addr)
{
	for (size_t i = 0; i < info->n_networks; i++)
		for (size_t k = 0; k < N_ELEMENTS(info->addresses[i]); k++)
			if (memcmp(&info->addresses[i][k], addr, sizeof(*addr)) == 0)
				return true;
	return false;
}

static struct guard_workload *by_address(struct guard *g, const struct ip_addr *addr)
{
	struct guard_workload *w;

	for (size_t i = 0; (w = pv_map_next(&g->workloads, &i));)
		if (w->w.info && has_address(&w->info, addr))
			return w;
	return NULL;
}

/* A DNS server in a container only passes the question on: the one who asked is the subject. */
static void blame_client(struct guard *g, const struct event_dns *e, struct guard_workload **subject, char *client,
			 size_t size)
{
	static const uint8_t none[16];
	pv_autobuf text = PV_BUF_INIT;
	struct guard_workload *w;
	struct ip_addr addr;

	client[0] = '\0';
	if (memcmp(e->client, none, 16) == 0)
		return;
	memcpy(addr.b, e->client, 16);
	w = by_address(g, &addr);
	if (w) {
		workload_name(client, size, &w->w);
		*subject = w;
		return;
	}
	ip_format(&text, &addr);
	(void) text_copy(client, size, pv_buf_str(&text));
}

bool kernel_name_fits(struct guard *g, struct guard_workload *w)
{
	uint64_t now_us = clock_monotonic_us();
	uint64_t *minute = w ? &w->names_minute : &g->names_minute;
	uint64_t *n = w ? &w->names_in_minute : &g->names_in_minute;

	if (*minute != now_us / USEC_PER_MIN) {
		*minute = now_us / USEC_PER_MIN;
		*n = 0;
	}
	return (*n)++ < NAMES_PER_MINUTE;
}

/* The kernel holds the segment back; the connection is ended now. The packet's port is the resolver's own behind the
 * container's NAT, the socket's is 53: to 127.0.0.11 every connection goes. */
static void cut(struct guard *g, const struct event_dns *e, uint64_t root)
{
	static const uint8_t embedded[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 11 };
	struct broker_req req = { .op = BROKER_CUT, .cgroup = root, .port = e->dport };

	memcpy(req.addr, e->daddr, 16);
	if (memcmp(e->daddr, embedded, 16) == 0)
		req.port = 0;
	(void) link_call(g, &req, NULL, NULL);
}

static void on_dns(struct guard *g, const struct event_dns *e)
{
	struct guard_workload *w = table_find(g, e->head.cgroup_id);
	struct guard_workload *subject = w;
	uint64_t root = w ? w->w.cgroup : e->head.cgroup_id, key;
	bool odd = e->head.kind == EVENT_DNS_ODD;
	char name[512], client[160];
	struct notice n;

	if (e->head.flags & EVF_REFUSED && w)
		w->refused++;
	if (kernel_is_ignored(g, w, e->head.flags, SIGNAL_DNS))
		return;
	name_text(name, sizeof(name), e->name, e->name_len);
	notice_init(&n, odd ? ID_DNS_ODD : e->pattern == DNS_POOL ? ID_NET_POOL : ID_DNS_MINING, kernel_event_time(&e->head));
	blame_client(g, e, &subject, client, sizeof(client));
	kernel_notice_fill(&n, &e->head, subject);
	key = kernel_mix(kernel_mix(kernel_mix(kernel_mix(n.id, &root, 8), &e->head.flags, 2), e->client, 16), &e->what, 1);
	if (odd) {
		tell_dns_odd(&n, e);
	} else {
		const char *pattern = e->pattern < g->policy->dns.n_names ? g->policy->dns.names[e->pattern] : "";
		char resolver_name[160] = "";

		if (*client && w)
			workload_name(resolver_name, sizeof(resolver_name), &w->w);
		tell_dns(&n, name, pattern, *client ? client : NULL, *resolver_name ? resolver_name : NULL);
		if (kernel_name_fits(g, w))
			key = kernel_mix(key, name, strlen(name));
		else
			key = kernel_mix(key, &e->pattern, 1);
	}
	if (e->proto == IPPROTO_TCP && e->head.flags & EVF_REFUSED && e->what != PV_OPENING_UNKEPT)
		cut(g, e, root);
	notices_fold(g, key, &n);
}

/* The segment was dropped, and all that follows is; the connection is ended, so that nobody waits for it. But where only
 * memory was lacking: that may come back, and TCP sends the segment again. */
static void on_opening(struct guard *g, const struct event_dns *e)
{
	struct guard_workload *w = table_find(g, e->head.cgroup_id);
	uint64_t root = w ? w->w.cgroup : e->head.cgroup_id, key;
	bool resolver = e->what == PV_OPENING_RESOLVER;
	struct notice n;
	char name[512];

	if (e->head.flags & EVF_REFUSED) {
		if (e->what != PV_OPENING_UNKEPT)
			cut(g, e, root);
		if (w)
			w->refused++;
	}
	if (kernel_is_ignored(g, w, e->head.flags, resolver ? SIGNAL_DNS : SIGNAL_NET))
		return;
	name_text(name, sizeof(name), e->name, e->name_len);
	notice_init(&n, resolver ? ID_DNS_ENCRYPTED : ID_NET_POOL, kernel_event_time(&e->head));
	kernel_notice_fill(&n, &e->head, w);
	tell_opening(&n, e, name);
	key = kernel_mix(kernel_mix(kernel_mix(n.id, &root, 8), &e->head.flags, 2), &e->what, 1);
	if (kernel_name_fits(g, w))
		key = kernel_mix(kernel_mix(key, name, strlen(name)), e->daddr, 16);
	notices_fold(g, key, &n);
}

static void on_oom(struct guard *g, const struct event_head *e)
{
	struct guard_workload *w = table_find(g, e->cgroup_id);
	char comm[PV_COMM_LEN + 1] = { 0 };
	struct notice n;

	if (w)
		w->oom_us = clock_monotonic_us();
	memcpy(comm, e->comm, PV_COMM_LEN);
	notice_init(&n, ID_RUN_OOM, kernel_event_time(e));
	notices_subject(&n, w);
	tell_oom(&n, comm, e->tgid);
	notices_fold(g, kernel_mix(ID_RUN_OOM, &e->cgroup_id, 8), &n);
}

static void on_moved(struct guard *g, const struct event_move *e)
{
	struct guard_workload *w = table_find(g, e->head.cgroup_id);
	char comm[PV_COMM_LEN + 1] = { 0 };
	struct notice n;

	if (!w || w->w.class_ != PV_CLASS_CONTAINER)
		return;
	memcpy(comm, e->head.comm, PV_COMM_LEN);
	notice_init(&n, ID_RUN_MOVED, kernel_event_time(&e->head));
	notices_subject(&n, w);
	tell_moved(&n, comm, e->head.tgid);
	notices_fold(g, kernel_mix(kernel_mix(ID_RUN_MOVED, &w->w.cgroup, 8), comm, strlen(comm)), &n);
}

static bool is_whole(const struct event_head *e)
{
	static const size_t sizes[EVENT_N_KINDS] = {
		[EVENT_CGROUP_NEW] = sizeof(struct event_cgroup), [EVENT_CGROUP_GONE] = sizeof(struct event_cgroup),
		[EVENT_NET] = sizeof(struct event_net),		  [EVENT_DNS] = sizeof(struct event_dns),
		[EVENT_DNS_ODD] = sizeof(struct event_dns),	  [EVENT_OPENING] = sizeof(struct event_dns), [EVENT_OOM] = sizeof(struct event_head),
		[EVENT_MOVED] = sizeof(struct event_move),	  [EVENT_EXEC] = sizeof(struct event_exec),
		[EVENT_SHELL] = sizeof(struct event_exec),
	};

	return e->kind < EVENT_N_KINDS && sizes[e->kind] && e->size >= sizes[e->kind];
}

static void on_record(const struct event_head *e, void *arg)
{
	struct guard *g = arg;
	const struct event_cgroup *c = (const void *) e;

	if (!is_whole(e))
		return;
	switch ((enum event_kind) e->kind) {
	case EVENT_CGROUP_NEW:
		table_cgroup_new(g, c->path, e->cgroup_id, c->parent_id, e->time_ns / 1000);
		break;
	case EVENT_CGROUP_GONE:
		table_cgroup_gone(g, e->cgroup_id);
		break;
	case EVENT_NET:
		on_net(g, (const void *) e);
		break;
	case EVENT_DNS:
	case EVENT_DNS_ODD:
		on_dns(g, (const void *) e);
		break;
	case EVENT_OPENING:
		on_opening(g, (const void *) e);
		break;
	case EVENT_OOM:
		on_oom(g, e);
		break;
	case EVENT_MOVED:
		on_moved(g, (const void *) e);
		break;
	case EVENT_SHELL:
		exec_shell(g, (const void *) e);
		break;
	case EVENT_EXEC:
		exec_event(g, (const void *) e);
		break;
	case EVENT_N_KINDS:
		break;
	}
}

void kernel_events_drain(struct guard *g)
{
	size_t bad = 0;

	(void) ring_drain(g->ring, DRAIN_MAX, on_record, g, &bad);
}

static int on_ring(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	(void) s;
	(void) fd;
	(void) revents;
	kernel_events_drain(arg);
	return 0;
}

/* Across engines: what was lost while none ran is told by the next. A total below the one that was told is that of new
 * counters. */
#define LOST_KEY "events.lost"

static uint64_t lost_total(const struct guard *g)
{
	uint64_t total = 0;

	for (int kind = 1; kind < EVENT_N_KINDS; kind++)
		total += g->lost_seen[kind];
	return total;
}

static void lost_remember(struct guard *g)
{
	char text[24];

	(void) snprintf(text, sizeof(text), "%" PRIu64, lost_total(g));
	(void) store_kv_set(g->store, LOST_KEY, text);
}

static void lost_recall(struct guard *g)
{
	pv_autobuf text = PV_BUF_INIT;
	uint64_t told, total = lost_total(g);

	if (store_kv_get(g->store, LOST_KEY, &text) < 0 || parse_u64(pv_buf_str(&text), &told) < 0)
		lost_remember(g); /* the first engine with this history: what came before is not its to tell */
	else
		g->lost_before = total >= told ? total - told : total;
}

void kernel_events_lost(struct guard *g)
{
	uint64_t lost = g->lost_before;
	bool cgroups = false;
	struct notice n;

	for (int kind = 1; kind < EVENT_N_KINDS; kind++) {
		uint64_t v = __atomic_load_n(&g->counters[kind * PV_COUNT_STEP + PV_COUNT_LOST], __ATOMIC_RELAXED);

		if (v == g->lost_seen[kind])
			continue;
		lost += v - g->lost_seen[kind];
		cgroups |= kind == EVENT_CGROUP_NEW || kind == EVENT_CGROUP_GONE;
		g->lost_seen[kind] = v;
	}
	if (!lost)
		return;
	g->lost_before = 0;
	lost_remember(g);
	if (cgroups)
		(void) table_start(g);
	notice_init(&n, ID_GUARD_LOST, clock_wall_us());
	tell_lost(&n, lost);
	(void) notices_raise(g, &n);
}

static void on_counted(const struct burst_told *t, void *arg)
{
	notices_counted(arg, t);
}

void kernel_events_flush(struct guard *g)
{
	(void) burst_flush(g->burst, clock_monotonic_us(), on_counted, g);
}

void kernel_events_end(struct guard *g)
{
	(void) burst_flush_all(g->burst, on_counted, g);
}

int kernel_events_start(struct guard *g, int ring_fd, int counters_fd)
{
	int r;

	g->ring_fd = ring_fd;
	burst_on_evicted(g->burst, on_counted, g);
	r = ring_new(ring_fd, PV_RING_BYTES, &g->ring);
	if (r >= 0)
		r = counters_map(counters_fd, &g->counters);
	(void) pv_close(counters_fd);
	if (r < 0)
		return log_error_errno(r, "the kernel's event ring cannot be mapped");
	for (int kind = 1; kind < EVENT_N_KINDS; kind++)
		g->lost_seen[kind] = __atomic_load_n(&g->counters[kind * PV_COUNT_STEP + PV_COUNT_LOST], __ATOMIC_RELAXED);
	lost_recall(g);
	return sd_event_add_io(g->loop, NULL, ring_fd, EPOLLIN, on_ring, g);
}

void kernel_events_stop(struct guard *g)
{
	g->ring = ring_free(g->ring);
	if (g->counters)
		counters_unmap(g->counters);
	g->counters = NULL;
}
