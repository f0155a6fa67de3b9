#include <time.h>

#include "senders.h"
#include "test_bpf.h"

static const struct job tcp = { BY_CONNECT, OUT4, 3333, NULL };
static const struct job udp = { BY_SENDTO, OUT4, 3333, NULL };
static const struct job dns = { BY_SENDTO, OUT4, 53, "pool.example.com" };
static const struct job dns_tcp = { BY_TCP_BYTES, OUT4, 53, "pool.example.com" };

/* Connect and question from `path`: both `want`, both told with `flags` (0xffff: not told). */
static void expect(const char *path, int want, uint32_t flags, const char *what)
{
	int a = lab_in(path, send_job, (void *) (uintptr_t) &tcp), b = lab_in(path, send_job, (void *) (uintptr_t) &dns);
	const struct lab_seen *s = lab_events();
	bool told = flags == 0xffff ? !s->n[EVENT_NET] && !s->n[EVENT_DNS] :
				      s->n[EVENT_NET] == 1 && s->n[EVENT_DNS] == 1 && s->flags[EVENT_NET] == flags &&
					      s->flags[EVENT_DNS] == flags;

	lab_check(a == want && b == want && told, "%s: %s, %s; %zu+%zu told, flags %x %x", what, outcome_name(a), outcome_name(b),
		  s->n[EVENT_NET], s->n[EVENT_DNS], s->flags[EVENT_NET], s->flags[EVENT_DNS]);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t) ts.tv_sec * 1000000000u + (uint64_t) ts.tv_nsec;
}

static void classes(void)
{
	(void) lab_mkdir("system.slice/backup.service/worker");
	(void) lab_mkdir("system.slice/ssh.service");
	(void) lab_mkdir("user.slice/user-1000.slice/session-3.scope");
	(void) lab_mkdir("user.slice/user-1000.slice/user@1000.service/user.slice/docker-" HEX_B ".scope");
	(void) lab_mkdir("foo/bar");
	(void) lab_mkdir("docker/buildkit/x1");
	(void) lab_events();
	expect(BOX, REFUSED, EVF_REFUSED, "container");
	expect("system.slice/backup.service/worker", REFUSED, EVF_REFUSED, "unit");
	expect("foo/bar", REFUSED, EVF_REFUSED, "no class: container rules");
	expect("docker/buildkit/x1", REFUSED, EVF_REFUSED, "image build");
	expect("user.slice/user-1000.slice/user@1000.service/user.slice/docker-" HEX_B ".scope", REFUSED, EVF_REFUSED,
	       "rootless container");
	expect("system.slice/ssh.service", WENT, 0xffff, "protected");
	expect("user.slice/user-1000.slice/session-3.scope", WENT, EVF_CLASS, "login session");
	expect(".", WENT, EVF_CLASS, "the top itself");
}

static void switches(void)
{
	lab_policy->observe = 1;
	(void) kernel_policy(lab_kernel, lab_policy);
	expect(BOX, WENT, EVF_OBSERVED, "observe");
	lab_check(lab_in(BOX, send_job, (void *) (uintptr_t) &dns_tcp) == WENT, "observe: TCP byte by byte is answered");
	lab_check(lab_events()->n[EVENT_DNS] == 1, "and told once");
	lab_check(lab_in(BOX, send_job, (void *) (uintptr_t) &udp) == WENT && lab_events()->n[EVENT_NET] == 1, "observe: a datagram goes");
	lab_policy->observe = 0;
	lab_policy->net.action = lab_policy->dns.action = ACTION_ALERT;
	(void) kernel_policy(lab_kernel, lab_policy);
	expect(BOX, WENT, EVF_ALERT, "alert");
	lab_policy->net.action = lab_policy->dns.action = ACTION_IGNORE;
	(void) kernel_policy(lab_kernel, lab_policy);
	expect(BOX, WENT, 0xffff, "ignore");
	lab_policy->net.action = lab_policy->dns.action = ACTION_BLOCK;
	(void) kernel_policy(lab_kernel, lab_policy);
	(void) kernel_off(lab_kernel, UINT64_MAX);
	expect(BOX, WENT, EVF_OFF, "off");
	(void) kernel_off(lab_kernel, now_ns() - 1);
	expect(BOX, REFUSED, EVF_REFUSED, "off, its time over");
	lab_check(kernel_off_pinned(lab_policy->bpf_dir, now_ns() + 60000000000u) == 0, "off by the pins alone");
	expect(BOX, WENT, EVF_OFF, "off for a minute");
	(void) kernel_off(lab_kernel, 0);
	expect(BOX, REFUSED, EVF_REFUSED, "on");
}

static void exceptions(void)
{
	uint64_t box = lab_mkdir(BOX), nested = lab_mkdir(BOX "/nested");
	struct ip_prefix doc = { .len = 96 + 24 };
	struct job port;

	lab_check(kernel_except(lab_kernel, box, PV_ALLOW_NET | PV_ALLOW_DNS) == 0, "an exception for the container");
	expect(BOX "/nested", WENT, EVF_ALLOWED, "excepted, nested cgroup too");
	lab_check(kernel_except(lab_kernel, nested, PV_ALLOW_NET) == -EINVAL, "only the topmost cgroup takes one");
	lab_check(kernel_except(lab_kernel, 1ull << 60, 0) == -ENOENT, "and it must be there");
	lab_check(kernel_exec(lab_kernel, box, PV_EXEC_ALERT) == 0 && kernel_exec(lab_kernel, box, 0) == 0, "programs of the container are only told");
	lab_check(kernel_exec(lab_kernel, nested, PV_EXEC_ALERT) == -EINVAL && kernel_exec(lab_kernel, 1ull << 60, 0) == -ENOENT, "the same for them");
	lab_check(kernel_exec(lab_kernel, lab_mkdir("system.slice/backup.service"), PV_EXEC_ALERT) == -EPERM, "but not a unit's");
	lab_check(kernel_except(lab_kernel, box, 0) == 0, "taken back");
	expect(BOX "/nested", REFUSED, EVF_REFUSED, "no longer excepted");
	doc.addr = ip_from_v4(htonl(0xcb007100));
	lab_check(kernel_internal(lab_kernel, &doc, true) == 0, "203.0.113.0/24 becomes one of Docker's networks");
	lab_check(lab_in(BOX, send_job, (void *) (uintptr_t) &tcp) == WENT && !lab_events()->n[EVENT_NET], "it is internal");
	lab_check(kernel_internal(lab_kernel, &doc, false) == 0 && lab_in(BOX, send_job, (void *) (uintptr_t) &tcp) == REFUSED,
		  "and external again");
	doc.len = 96 + 7;
	lab_check(kernel_internal(lab_kernel, &doc, true) == -EINVAL, "wider than /8 is refused");
	port = (struct job){ BY_CONNECT, OUT4, 3334, NULL };
	lab_policy->net.ports[0] = 3334;
	(void) kernel_policy(lab_kernel, lab_policy);
	lab_check(lab_in(BOX, send_job, &port) == REFUSED && lab_in(BOX, send_job, (void *) (uintptr_t) &tcp) == WENT,
		  "a reload takes other ports");
	lab_policy->net.ports[0] = 3333;
	(void) kernel_policy(lab_kernel, lab_policy);
	(void) lab_events();
}

void suite_modes(void)
{
	(void) lab_mkdir(BOX "/nested");
	classes();
	switches();
	exceptions();
}
