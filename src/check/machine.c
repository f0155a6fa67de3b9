/* host.*, mon.*: what procfs and a few files say about the machine itself. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "base/text.h"
#include "check/gather.h"
#include "check/known.h"
#include "check/proc_net.h"
#include "check/remedy.h"
#include "check/usage.h"
#include "engine_api/json.h"

#define DAEMON_JSON "/etc/docker/daemon.json"

static struct finding *host_finding(enum id id)
{
	return gather_finding(id, FINDING_PASS, SUBJECT_HOST, "host", NULL);
}

/* --- the Docker socket --- */

static const char *group_line(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (strncmp(p, name, n) == 0 && p[n] == ':')
			return p;
	return NULL;
}

static void socket_members(struct audit *a, struct finding *f)
{
	pv_autobuf text = PV_BUF_INIT;
	const char *line, *members;

	if (hostfs_read(&a->fs, "/etc/group", 1 << 20, &text) < 0)
		return;
	line = group_line(pv_buf_str(&text), "docker");
	members = line ? strchr(line, ':') : NULL;
	members = members ? strchr(members + 1, ':') : NULL;
	members = members ? strchr(members + 1, ':') : NULL;
	if (!members || members[1] == '\n' || !members[1])
		return;
	finding_evidence(f, "in the group docker, which is root", NULL, 0, "%.*s", (int) strcspn(members + 1, "\n"),
			 members + 1);
	if (f->verdict == FINDING_PASS) {
		f->verdict = FINDING_FAIL;
		f->severity = SEV_LOW;
		finding_remedy(f, "take out whoever need not be root: gpasswd -d USER docker", NULL);
	}
}

static int docker_sock(struct audit *a)
{
	struct finding *f = host_finding(ID_HOST_DOCKER_SOCK_PERM);
	struct stat st;
	int r = hostfs_stat(&a->fs, "/run/docker.sock", true, &st);

	if (!f)
		return -ENOMEM;
	if (r == -ENOENT)
		r = hostfs_stat(&a->fs, "/var/run/docker.sock", true, &st);
	if (r == -ENOENT) {
		f->verdict = FINDING_NOT_APPLICABLE;
	} else if (r < 0) {
		finding_unknown(f, gather_reason(r));
	} else {
		if (st.st_mode & 07 || (st.st_uid != 0 && !a->policy.rootless)) {
			f->verdict = FINDING_FAIL;
			finding_evidence(f, "/run/docker.sock", NULL, 0, "mode %04o, owner %u", st.st_mode & 07777,
					 (unsigned) st.st_uid);
			finding_remedy(f, "it belongs to root and the group docker alone",
				       "chown root:docker /run/docker.sock && chmod 660 /run/docker.sock");
		}
		socket_members(a, f);
	}
	return gather_add(a, f, NULL);
}

/* 1: it is told to listen on TCP, and not to ask for a certificate; 0: not so; -errno: nobody knows. */
static int tcp_in_daemon_json(struct audit *a)
{
	pv_autobuf text = PV_BUF_INIT;
	auto_json *root = NULL;
	const cJSON *v;
	int r = hostfs_read(&a->fs, DAEMON_JSON, 1 << 20, &text);

	if (r == -ENOENT || (r == 0 && strspn(pv_buf_str(&text), " \t\r\n") == text.len)) /* dockerd takes an empty one, too */
		return 0;
	if (r == 0)
		r = json_parse(pv_buf_str(&text), text.len, &root);
	if (r < 0)
		return r;
	cJSON_ArrayForEach(v, json_array(json_member(root, "hosts")))
		r |= cJSON_IsString(v) && strncmp(v->valuestring, "tcp://", 6) == 0;
	return r && !cJSON_IsTrue(json_member(root, "tlsverify"));
}

static int docker_tcp(struct audit *a, const struct proc_net *net)
{
	struct finding *f = host_finding(ID_HOST_DOCKER_TCP);
	int r = tcp_in_daemon_json(a);

	if (!f)
		return -ENOMEM;
	if (r > 0) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "hosts", DAEMON_JSON, 0, "tcp:// without tlsverify");
	}
	for (size_t i = 0; i < net->n; i++)
		if (net->item[i].listens && !net->item[i].udp && net->item[i].port == 2375) {
			f->verdict = FINDING_FAIL;
			finding_evidence(f, "listens", NULL, 0, "port 2375, where Docker speaks without TLS");
		}
	if (f->verdict == FINDING_PASS && r < 0) {
		finding_unknown(f, gather_reason(r));
		finding_evidence(f, "not read", DAEMON_JSON, 0, "%s", r == -EBADMSG ? "it is no JSON" : strerror(-r));
	} else if (f->verdict == FINDING_PASS && net->error < 0) {
		finding_unknown(f, gather_reason(net->error));
	}
	if (f->verdict == FINDING_FAIL)
		finding_remedy(f,
			       "take tcp:// out of the daemon's hosts and restart it; use DOCKER_HOST=ssh://user@host",
			       NULL);
	return gather_add(a, f, NULL);
}

/* --- addresses --- */

static void addr_text(char *out, size_t size, const struct ip_addr *addr)
{
	pv_autobuf text = PV_BUF_INIT;

	ip_format(&text, addr);
	(void) text_copy(out, size, pv_buf_str(&text));
}

/* --- who watches --- */

static int look_guard(const char *name, unsigned char type, void *user)
{
	const struct audit *a = *(struct audit *const *) user;
	pv_autobuf text = PV_BUF_INIT;
	char path[64];

	(void) type;
	if (*name < '0' || *name > '9' || strlen(name) > 10)
		return 0;
	(void) snprintf(path, sizeof(path), "/proc/%.10s/comm", name);
	return hostfs_read(&a->fs, path, 64, &text) == 0 && strcmp(pv_buf_str(&text), "pavise-engine\n") == 0;
}

static int look_timer(const char *name, unsigned char type, void *user)
{
	size_t n = strlen(name);

	(void) type;
	(void) user;
	return n > 6 && strcmp(name + n - 6, ".timer") == 0 &&
	       (strstr(name, "pavise") || strstr(name, "security-monitor"));
}

static int monitored(struct audit *a)
{
	struct finding *f = host_finding(ID_MON_TIMER_ACTIVE);
	int guard = hostfs_list(&a->fs, "/proc", 200000, look_guard, &a);
	int timer = hostfs_list(&a->fs, "/etc/systemd/system/timers.target.wants", 10000, look_timer, NULL);

	if (!f)
		return -ENOMEM;
	if (guard > 0 || timer > 0) {
		finding_evidence(f, "watches", NULL, 0, "%s", guard > 0 ? "the guard" : "a timer");
	} else if (guard < 0) {
		finding_unknown(f, gather_reason(guard));
	} else {
		f->verdict = FINDING_FAIL;
		finding_remedy(f, "have the guard watch", "systemctl enable --now pavise");
	}
	return gather_add(a, f, NULL);
}

/* --- connections --- */

struct miners {
	struct audit *a;
	struct finding *f;
	int error;
	bool odd; /* only an ordinary port, but a peer that nobody has seen before */
};

static bool in_list(unsigned port, const unsigned *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == port)
			return true;
	return false;
}

/* The client chose that remote port, not we. */
static bool is_served(const struct proc_net *net, const struct proc_socket *s)
{
	for (size_t i = 0; i < net->n; i++)
		if (net->item[i].listens && !net->item[i].udp && net->item[i].port == s->port)
			return true;
	return false;
}

/* 8080 and 9090 belong to everybody: worth a word, and more only where the peer came after the first audit. */
static void ordinary_port(struct miners *m, const char *where, const char *addr, unsigned port)
{
	const char *what = arena_printf(&m->a->arena, "%s %u", addr, port);
	struct known_at at;
	bool fresh = what && known_since(m->a, "peer", what, &at) == 0 && known_new(&at);

	finding_evidence(m->f, where, NULL, 0, "%s port %u, which is ordinary%s", addr, port,
			 fresh ? "; a peer that was not there before" : "");
	m->odd = m->odd || fresh;
}

static void miners_in(struct miners *m, const struct proc_net *net, const char *where)
{
	static const unsigned pools[] = { 3333, 4444, 14444 }, ordinary[] = { 8080, 9090 };

	for (size_t i = 0; i < net->n; i++) {
		const struct proc_socket *s = &net->item[i];
		char addr[64];

		if (!s->connected || proc_net_inner(&s->peer) || is_served(net, s))
			continue;
		addr_text(addr, sizeof(addr), &s->peer);
		if (in_list(s->peer_port, pools, N_ELEMENTS(pools))) {
			m->f->verdict = FINDING_FAIL;
			finding_evidence(m->f, where, NULL, 0, "%s port %u", addr, s->peer_port);
		} else if (in_list(s->peer_port, ordinary, N_ELEMENTS(ordinary))) {
			ordinary_port(m, where, addr, s->peer_port);
		}
	}
	if (net->error < 0 && net->error != -ENOENT)
		m->error = net->error;
}

static int miners(struct audit *a, struct proc_net *net)
{
	struct miners m = { .a = a, .f = host_finding(ID_HOST_MINER_CONNECTION), .error = net->error };
	struct known_at at;

	if (!m.f)
		return -ENOMEM;
	(void) known_since(a, "peer", "", &at); /* from now on a peer can be new */
	miners_in(&m, net, "the host");
	for (size_t i = 0; i < a->containers.n; i++) {
		const struct ctr *c = a->containers.item[i];
		struct proc_net own = { .n = 0 };

		if (c->pid <= 0)
			continue;
		proc_net_read(&a->arena, &a->fs, c->pid, &own);
		miners_in(&m, &own, c->name);
	}
	if (m.f->verdict != FINDING_FAIL && m.odd) {
		m.f->verdict = FINDING_FAIL;
		m.f->severity = SEV_HIGH;
	} else if (m.f->verdict != FINDING_FAIL && m.error < 0) {
		finding_unknown(m.f, gather_reason(m.error));
	}
	if (m.f->verdict == FINDING_FAIL)
		finding_remedy(m.f, "find the program, stop its container, and change the secrets that it could read",
			       "ss -tnp");
	return gather_add(a, m.f, NULL);
}

/* --- what containers use --- */

#define STATS_CPU    800u	   /* thousandths of a core, the mean since its first process */
#define STATS_MEMORY (450ull * 1000000)
#define STATS_PIDS   50u
#define STATS_AGE_US (300ull * 1000000) /* younger ones are still starting */

static bool uses_too_much(const struct ctr *c, const struct ctr_usage *u, struct finding *f)
{
	bool cpu = u->milli_cpus > STATS_CPU && u->age_us > STATS_AGE_US, memory = u->memory > STATS_MEMORY,
	     pids = u->pids > STATS_PIDS;

	if (cpu)
		finding_evidence(f, c->name, NULL, 0, "%" PRIu64 " %% of a core since it started", u->milli_cpus / 10);
	if (memory)
		finding_evidence(f, c->name, NULL, 0, "%" PRIu64 " MB of memory", u->memory / 1000000);
	if (pids)
		finding_evidence(f, c->name, NULL, 0, "%" PRIu64 " processes and threads", u->pids);
	return cpu || memory || pids;
}

static int stats_now(struct audit *a)
{
	struct finding *f = host_finding(ID_HOST_STATS_NOW);
	size_t seen = 0;
	int error = 0;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < a->containers.n; i++) {
		const struct ctr *c = a->containers.item[i];
		struct ctr_usage u;
		int r;

		if (c->pid <= 0 || !c->running)
			continue;
		seen++;
		r = usage_read(&a->fs, c->pid, &u);
		if (r < 0)
			error = r;
		else if (uses_too_much(c, &u, f))
			f->verdict = FINDING_FAIL;
	}
	if (f->verdict == FINDING_FAIL)
		finding_remedy(f, "is it meant to? then give it limits that fit; else look at what runs in it", "pavise top");
	else if (error < 0)
		finding_unknown(f, gather_reason(error));
	else if (!seen)
		f->verdict = FINDING_NOT_APPLICABLE;
	return gather_add(a, f, NULL);
}

/* --- who is told --- */

static int alert_channel(struct audit *a)
{
	struct finding *f = host_finding(ID_MON_ALERT_CHANNEL);

	if (!f)
		return -ENOMEM;
	if (!a->policy.configured || a->saved) {
		finding_unknown(f, REASON_BY_NATURE); /* a saved host's configuration is not read */
	} else if (a->policy.channels) {
		finding_evidence(f, "notify.channels", NULL, 0, "%u; whether they arrive: pavise status", a->policy.channels);
	} else {
		f->verdict = FINDING_FAIL;
		finding_remedy(f, "set notify.channels in /etc/pavise/pavise.yaml", "pavise config show");
	}
	return gather_add(a, f, NULL);
}

int check_machine(struct audit *a)
{
	const bool *on = a->select.on;
	struct proc_net net = { .n = 0 };
	int r = 0;

	proc_net_read(&a->arena, &a->fs, 0, &net);
	r = on[ID_HOST_DOCKER_SOCK_PERM] ? docker_sock(a) : 0;
	if (r == 0 && on[ID_HOST_DOCKER_TCP])
		r = docker_tcp(a, &net);
	if (r == 0 && on[ID_MON_TIMER_ACTIVE])
		r = monitored(a);
	if (r == 0 && on[ID_HOST_MINER_CONNECTION])
		r = miners(a, &net);
	if (r == 0 && on[ID_HOST_STATS_NOW])
		r = stats_now(a);
	if (r == 0 && on[ID_MON_ALERT_CHANNEL])
		r = alert_channel(a);
	return r;
}
