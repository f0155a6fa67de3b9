#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/kernel_private.h"
#include "senders.h"
#include "test_bpf.h"

/* The sender's own network sends 203.0.113.9 and 2001:db8::9, ports 53 and 3333, to a server on port 3334: what leaves shows
 * neither the address nor the port that was asked for. */
static bool redirect(void)
{
	static const char *const rules[] = {
		"iptables -t nat -A OUTPUT -d 203.0.113.9 -p udp -j DNAT --to 203.0.113.2:3334",
		"iptables -t nat -A OUTPUT -d 203.0.113.9 -p tcp -j DNAT --to 203.0.113.2:3334",
		"ip6tables -t nat -A OUTPUT -d 2001:db8::9 -p udp -j DNAT --to [2001:db8::2]:3334",
	};

	for (size_t i = 0; i < N_ELEMENTS(rules); i++)
		if (!lab_run(rules[i]))
			return false;
	return true;
}

static void roads(const char *how)
{
	static const enum lab_addr addrs[] = { NATTED4, NATTED6, NATTED_MAPPED };
	static const char *const names[] = { "IPv4", "IPv6", "v4-mapped" };
	static const enum way ways[] = { BY_SENDTO, BY_CONNECTED, BY_SENDMMSG, BY_URING_SENDMSG };
	static const struct {
		uint16_t port;
		const char *name;
		int want, kind;
	} asks[] = {
		{ 53, "x.MiNe.org", REFUSED, EVENT_DNS }, { 53, "www.example.com", WENT, 0 }, { 3333, NULL, REFUSED, EVENT_NET },
		{ 3333, "www.example.com", REFUSED, EVENT_NET }, { 4000, NULL, WENT, 0 }, { 4000, "x.mine.org", WENT, 0 },
	};

	for (size_t a = 0; a < N_ELEMENTS(addrs); a++)
		for (size_t w = 0; w < N_ELEMENTS(ways); w++)
			for (size_t i = 0; i < N_ELEMENTS(asks); i++) {
				struct job j = { ways[w], addrs[a], asks[i].port, asks[i].name };
				int got = lab_in(BOX, send_job, &j);
				const struct lab_seen *s = lab_events();
				const struct event_head *e = asks[i].kind == EVENT_NET ? &s->net.head : &s->dns.head;

				if (got == CANNOT)
					continue;
				lab_check(got == asks[i].want && s->n[EVENT_NET] == (asks[i].kind == EVENT_NET) &&
						  s->n[EVENT_DNS] == (asks[i].kind == EVENT_DNS),
					  "%s: behind a NAT of its own, %s over %s to port %u, %s: %s", how,
					  asks[i].name ? asks[i].name : "bytes", way_name(ways[w]), asks[i].port, names[a],
					  outcome_name(got));
				if (asks[i].kind)
					lab_check(e->tgid && strcmp(e->comm, "test_bpf") == 0 &&
							  (asks[i].kind != EVENT_NET || s->net.dport == 3333),
						  "and the event says who (%u %.16s) and what for", e->tgid, e->comm);
			}
	for (int w = BY_TCP; w <= BY_TCP_PIPELINED; w++) {
		struct job evil = { (enum way) w, NATTED4, 53, "x.MiNe.org" }, good = { (enum way) w, NATTED4, 53, "www.example.com" };

		lab_check(lab_in(BOX, send_job, &evil) == SILENT && lab_in(BOX, send_job, &good) == WENT, "%s: and over %s", how,
			  way_name((enum way) w));
	}
	(void) lab_events();
}

/* A datagram socket that a login session has made is used by the container's process. */
static int inherit(void *arg)
{
	struct sockaddr_storage to;
	socklen_t len = lab_sockaddr(&to, OUT4, 3333);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void) arg;
	if (sendto(fd, "ping", 4, 0, (struct sockaddr *) &to, len) < 0)
		return BROKEN; /* the session itself may */
	if (lab_enter(BOX) < 0)
		return BROKEN;
	return sendto(fd, "ping", 4, 0, (struct sockaddr *) &to, len) < 0 && errno == EPERM ? REFUSED : WENT;
}

static void passed_on(void)
{
	uint64_t box = lab_mkdir(BOX);
	const struct lab_seen *s;
	int r;

	(void) lab_mkdir("user.slice/session-9.scope");
	(void) lab_events();
	r = lab_in("user.slice/session-9.scope", inherit, NULL);
	s = lab_events();
	lab_check(r == REFUSED && s->net.head.cgroup_id == box && s->flags[EVENT_NET] == EVF_REFUSED,
		  "a socket from a login session does not excuse the container that sends with it: %s", outcome_name(r));
}

static bool sendmsg_is_pinned(void)
{
	char path[300];
	struct stat st;

	(void) snprintf(path, sizeof(path), "%s/v%d/link_sendmsg4", lab_policy->bpf_dir, PV_BPF_LAYOUT);
	return stat(path, &st) == 0;
}

void suite_nat(void)
{
	(void) lab_mkdir(BOX);
	(void) lab_events();
	passed_on();
	if (!redirect()) {
		lab_skip("iptables and ip6tables cannot make a NAT here");
		return;
	}
	roads(sendmsg_is_pinned() ? "no way to look behind NAT" : "egress");
	kernel_nat_is_hidden = true;
	lab_check(lab_reopen() == 0 && sendmsg_is_pinned() && kernel_degraded(lab_kernel) == 0,
		  "where egress cannot look behind NAT the sendmsg hooks are attached");
	roads("sendmsg");
	suite_net();
	kernel_nat_is_hidden = false;
	lab_check(lab_reopen() == 0 && !sendmsg_is_pinned() && kernel_degraded(lab_kernel) == 0, "and taken away where it can");
	(void) lab_run("iptables -t nat -D OUTPUT 3");
	(void) lab_run("iptables -t nat -D OUTPUT 3");
	(void) lab_run("ip6tables -t nat -F OUTPUT");
	(void) lab_events();
}
