/* host.*, mon.*: what procfs and a few files say about the machine itself. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "base/text.h"
#include "check/gather.h"
#include "check/proc_net.h"
#include "check/remedy.h"

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

static int docker_tcp(struct audit *a, const struct proc_net *net)
{
	struct finding *f = host_finding(ID_HOST_DOCKER_TCP);
	pv_autobuf text = PV_BUF_INIT;

	if (!f)
		return -ENOMEM;
	if (hostfs_read(&a->fs, "/etc/docker/daemon.json", 1 << 20, &text) == 0 &&
	    strstr(pv_buf_str(&text), "tcp://") && !strstr(pv_buf_str(&text), "\"tlsverify\"")) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "hosts", "/etc/docker/daemon.json", 0, "tcp:// without tlsverify");
	}
	for (size_t i = 0; i < net->n; i++)
		if (net->item[i].listens && !net->item[i].udp && net->item[i].port == 2375) {
			f->verdict = FINDING_FAIL;
			finding_evidence(f, "listens", NULL, 0, "port 2375, where Docker speaks without TLS");
		}
	if (f->verdict == FINDING_PASS && net->error < 0)
		finding_unknown(f, gather_reason(net->error));
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

static void miners_in(struct proc_net *net, const char *where, struct finding *f)
{
	for (size_t i = 0; i < net->n; i++) {
		const struct proc_socket *s = &net->item[i];
		char addr[64];

		if (!s->connected || proc_net_inner(&s->peer) ||
		    (s->peer_port != 3333 && s->peer_port != 4444 && s->peer_port != 14444))
			continue;
		addr_text(addr, sizeof(addr), &s->peer);
		f->verdict = FINDING_FAIL;
		finding_evidence(f, where, NULL, 0, "%s port %u", addr, s->peer_port);
	}
}

static int miners(struct audit *a, struct proc_net *net)
{
	struct finding *f = host_finding(ID_HOST_MINER_CONNECTION);

	if (!f)
		return -ENOMEM;
	miners_in(net, "the host", f);
	for (size_t i = 0; i < a->containers.n; i++) {
		const struct ctr *c = a->containers.item[i];
		struct proc_net own = { .n = 0 };

		if (c->pid <= 0)
			continue;
		proc_net_read(&a->arena, &a->fs, c->pid, &own);
		if (own.error < 0 && own.error != -ENOENT && f->verdict == FINDING_PASS)
			finding_unknown(f, gather_reason(own.error));
		miners_in(&own, c->name, f);
	}
	if (net->error < 0 && f->verdict == FINDING_PASS)
		finding_unknown(f, gather_reason(net->error));
	if (f->verdict == FINDING_FAIL)
		finding_remedy(f, "find the program, stop its container, and change the secrets that it could read",
			       "ss -tnp");
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
	return r;
}
