#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "broker/kernel_private.h"
#include "model/dns_table.h"
#include "senders.h"
#include "test_bpf.h"

/* Rows and columns of what was proven by hand: each way of asking, over each road, forbidden and benign. */
static void matrix(void)
{
	static const struct {
		enum lab_addr addr;
		uint16_t port, tcp_port;
		const char *name;
	} roads[] = {
		{ OUT4, 53, 53, "IPv4" },	 { OUT6, 53, 53, "IPv6" },
		{ MAPPED, 53, 53, "v4-mapped" }, { RESOLVER, 53, 53, "127.0.0.11" },
		{ RESOLVER, 43923, 38035, "127.0.0.11 past its NAT" },
	};
	static const struct {
		const char *name;
		bool forbidden;
	} names[] = { { "x.MiNe.org", true }, { "POOL.example.com", true }, { "www.example.com", false }, { "pool.ntp.org", false } };
	static const enum way ways[] = { BY_SENDTO, BY_CONNECTED, BY_SENDMMSG, BY_URING_SENDMSG, BY_RAW_UDP, BY_GSO, BY_TCP,
					 BY_TCP_BYTES, BY_TCP_SPLIT, BY_TCP_PIPELINED };

	for (size_t r = 0; r < N_ELEMENTS(roads); r++)
		for (size_t w = 0; w < N_ELEMENTS(ways); w++)
			for (size_t n = 0; n < N_ELEMENTS(names); n++) {
				struct job j = { ways[w], roads[r].addr, ways[w] >= BY_TCP ? roads[r].tcp_port : roads[r].port,
						 names[n].name };
				int want = !names[n].forbidden ? WENT : ways[w] >= BY_TCP ? SILENT : REFUSED, got;
				const struct lab_seen *s;

				if (roads[r].addr == RESOLVER && roads[r].port == 53 && !lab_nat)
					continue;
				if (ways[w] == BY_RAW_UDP && (lab_family(roads[r].addr) != AF_INET || roads[r].port != 53 ||
							      roads[r].addr == RESOLVER))
					continue; /* the raw sender here listens on an IPv4 socket, and NAT answers another port */
				got = lab_in(BOX, send_job, &j);
				s = lab_events();
				if (got == CANNOT)
					continue;
				lab_check(got == want && (s->n[EVENT_DNS] > 0) == names[n].forbidden,
					  "%s over %s, %s: %s, %zu told", names[n].name, way_name(ways[w]), roads[r].name,
					  outcome_name(got), s->n[EVENT_DNS]);
			}
}

static void details(void)
{
	struct job j = { BY_SENDTO, OUT4, 53, "Pool.HashVault.pro" };
	const struct lab_seen *s;
	char text[300];

	(void) lab_in(BOX, send_job, &j);
	s = lab_events();
	dns_name_text(text, sizeof(text), s->dns.name, s->dns.name_len);
	lab_check(strcmp(text, "pool.hashvault.pro") == 0 && s->dns.pattern == 0 && s->dns.dport == 53 &&
			  s->dns.proto == IPPROTO_UDP && s->dns.head.tgid != 0 && strcmp(s->dns.head.comm, "test_bpf") == 0,
		  "the event carries the name (%s), the pattern, the process (%u %s)", text, s->dns.head.tgid, s->dns.head.comm);
}

static void neighbours(void)
{
	uint64_t box = lab_mkdir(BOX);
	struct job ours = { BY_SENDTO, RESOLVER, 53, "pool.PmBackend" }, other = { BY_SENDTO, RESOLVER, 53, "pool.elsewhere" };
	struct job outside = { BY_SENDTO, OUT4, 53, "pool.pmbackend" };

	lab_check(lab_in(BOX, send_job, &ours) == REFUSED, "pool.pmbackend is refused while nobody knows the network");
	lab_check(kernel_netname(lab_kernel, box, "PMbackend", true) == 0, "the network becomes known");
	lab_check(lab_in(BOX, send_job, &ours) == WENT, "the container `pool` on network `pmbackend` is found");
	ours.way = BY_TCP_BYTES;
	lab_check(lab_in(BOX "/nested", send_job, &ours) == WENT, "also over TCP and from a nested cgroup");
	ours.way = BY_SENDTO;
	lab_check(lab_in(BOX, send_job, &other) == REFUSED, "another network's name is refused");
	lab_check(lab_in(BOX, send_job, &outside) == REFUSED, "and the same name, asked outside");
	lab_check(lab_in("docker/" HEX_B, send_job, &ours) == REFUSED, "and another container");
	lab_check(kernel_netname(lab_kernel, 1ull << 60, "gone", true) == 0 && kernel_refresh_addresses(lab_kernel) == 0 &&
			  lab_in(BOX, send_job, &ours) == WENT, "names of containers that live stay known");
	lab_check(kernel_netname(lab_kernel, box, "pmbackend", false) == 0 && lab_in(BOX, send_job, &ours) == REFUSED,
		  "detached, it is refused again");
	(void) lab_events();
}

/* Sends bytes that are no question to port 53; the outcome, and what is told. */
struct junk {
	const char *bytes;
	size_t len;
	bool tcp;
};

static int send_junk(void *arg)
{
	const struct junk *k = arg;
	struct sockaddr_storage to;
	socklen_t len = lab_sockaddr(&to, OUT4, 53);
	int fd = socket(AF_INET, (k->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (connect(fd, (struct sockaddr *) &to, len) < 0)
		return BROKEN;
	for (int i = 0; i < (k->tcp ? 1 : 5); i++)
		if (send(fd, k->bytes, k->len, MSG_NOSIGNAL) < 0)
			return errno == EPERM ? REFUSED : BROKEN;
	return poll(&p, 1, 300) == 1 ? WENT : SILENT;
}

/* What goes by is an answer's head; what the resolver reads, without the octet that it has to ask for, is the question. */
static void urgent(void)
{
	struct job j = { BY_TCP_URGENT, OUT4, 53, "pool.hashvault.pro" };
	int r = lab_in(BOX, send_job, &j);
	const struct lab_seen *s = lab_events();

	lab_check(r == SILENT && s->n[EVENT_DNS_ODD] == 1, "urgent data in a question: %s, told %zu times", outcome_name(r), s->n[EVENT_DNS_ODD]);
}

/* A socket in which its owner has left no room for a question: it connects to no resolver, nor when it tries again. */
static int ask_full(void *arg)
{
	int r = send_job(arg);

	return r == REFUSED ? send_job(arg) : r;
}

static void full(void)
{
	static const enum lab_addr roads[] = { MAPPED, OUT6 };
	const struct lab_seen *s;
	struct job j = { BY_TCP_BYTES, OUT6, 53, "pool.hashvault.pro", true };
	int r;

	for (size_t i = 0; i < N_ELEMENTS(roads); i++) {
		j.addr = roads[i];
		r = lab_in(BOX, ask_full, &j);
		s = lab_events();
		lab_check(r == REFUSED && s->n[EVENT_DNS_ODD] == 2 && s->flags[EVENT_DNS_ODD] == EVF_REFUSED && s->dns.head.tgid && s->dns.dport == 53 &&
				  s->dns.what == PV_OPENING_UNKEPT,
			  "DNS over TCP from a socket without room: %s, told %zu times", outcome_name(r), s->n[EVENT_DNS_ODD]);
	}
	j.way = BY_CONNECTED;
	j.name = "www.example.com";
	r = lab_in(BOX, send_job, &j);
	lab_check(r == WENT && !lab_events()->n[EVENT_DNS_ODD], "a datagram needs none: %s", outcome_name(r));
	j.name = "pool.hashvault.pro";
	r = lab_in(BOX, send_job, &j);
	lab_check(r == REFUSED && lab_events()->n[EVENT_DNS] == 1, "and is judged: %s", outcome_name(r));
	lab_policy->observe = 1;
	(void) kernel_policy(lab_kernel, lab_policy);
	j.way = BY_TCP_BYTES;
	r = lab_in(BOX, send_job, &j);
	s = lab_events();
	lab_check(r == WENT && s->n[EVENT_DNS_ODD] == 1 && s->flags[EVENT_DNS_ODD] == EVF_OBSERVED, "observe: %s, told %zu times", outcome_name(r),
		  s->n[EVENT_DNS_ODD]);
	lab_policy->observe = 0;
	(void) kernel_policy(lab_kernel, lab_policy);
}

static void odd(void)
{
	static const struct {
		const char *what;
		struct junk junk;
		int want;
	} cases[] = {
		{ "short datagrams", { "abc", 3, false }, WENT },
		{ "a label of 70", { "\0\1\1\0\0\1\0\0\0\0\0\0\x46zzzzzzzzzzzzzzzzzzz", 32, false }, WENT },
		{ "no question", { "\0\1\1\0\0\0\0\0\0\0\0\0", 12, false }, WENT },
		{ "two questions", { "\0\1\1\0\0\2\0\0\0\0\0\0\1a\0\0\1\0\1\1b\0\0\1\0\1", 26, false }, WENT },
		{ "a stream that is no DNS", { "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n" "padpadpadpadpadpad", 55, true }, SILENT },
		{ "a stream of two questions", { "\0\x1a\0\1\1\0\0\2\0\0\0\0\0\0\1a\0\0\1\0\1\1b\0\0\1\0\1", 28, true }, SILENT },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		int r = lab_in(BOX, send_junk, (void *) (uintptr_t) &cases[i].junk);
		const struct lab_seen *s = lab_events();

		lab_check(r == cases[i].want && s->n[EVENT_DNS_ODD] == 1, "%s: %s, told %zu times", cases[i].what, outcome_name(r),
			  s->n[EVENT_DNS_ODD]);
	}
}

/* A first fragment that ends within its question, made by hand. */
static int send_fragment(void *arg)
{
	struct sockaddr_storage to;
	socklen_t len = lab_sockaddr(&to, OUT4, 0);
	uint8_t p[512] = { 0 };
	struct iphdr *ip = (void *) p;
	struct udphdr *udp = (void *) (p + 20);
	size_t n = lab_question(p + 28, "pool.example.com"), keep = 16;
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), one = 1;

	(void) arg;
	(void) setsockopt(fd, IPPROTO_IP, IP_NODEFRAG, &one, sizeof(one)); /* connection tracking would keep it */
	*ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .frag_off = htons(0x2000), .id = 7 };
	ip->daddr = ((struct sockaddr_in *) &to)->sin_addr.s_addr;
	*udp = (struct udphdr){ .source = htons(999), .dest = htons(53), .len = htons((uint16_t) (8 + n)) };
	return sendto(fd, p, 28 + keep, 0, (struct sockaddr *) &to, len) < 0 ? (errno == EPERM ? REFUSED : BROKEN) : WENT;
}

/* Extension headers before UDP. */
static int send_extended(void *arg)
{
	const char *name = arg;
	struct sockaddr_storage to;
	socklen_t len = lab_sockaddr(&to, OUT6, 0);
	uint8_t p[512] = { 0 };
	struct udphdr *udp = (void *) (p + 56);
	size_t n = lab_question(p + 64, name);
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	p[0] = 0x60;
	p[4] = (uint8_t) ((24 + n) >> 8);
	p[5] = (uint8_t) (24 + n);
	p[6] = IPPROTO_DSTOPTS;
	p[7] = 64;
	(void) inet_pton(AF_INET6, "2001:db8::1", p + 8);
	memcpy(p + 24, &((struct sockaddr_in6 *) &to)->sin6_addr, 16);
	p[40] = IPPROTO_DSTOPTS;
	p[42] = 1;
	p[43] = 4;
	p[48] = IPPROTO_UDP;
	p[50] = 1;
	p[51] = 4;
	*udp = (struct udphdr){ .source = htons(999), .dest = htons(53), .len = htons((uint16_t) (8 + n)) };
	return sendto(fd, p, 64 + n, 0, (struct sockaddr *) &to, len) < 0 ? (errno == EPERM ? REFUSED : BROKEN) : WENT;
}

/* A DNS server in the container: it hears a question and asks on. */
static int forward(void *arg)
{
	int *ready = arg, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), up = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_port = htons(53) };
	struct sockaddr_storage to, from;
	socklen_t len = lab_sockaddr(&to, OUT4, 53), from_len = sizeof(from);
	uint8_t buf[600];
	ssize_t n;

	(void) inet_pton(AF_INET, "203.0.113.1", &me.sin_addr);
	if (bind(fd, (struct sockaddr *) &me, sizeof(me)) < 0)
		return BROKEN;
	(void) !write(*ready, "1", 1);
	n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *) &from, &from_len); /* it will want to answer */
	return n > 0 && sendto(up, buf, (size_t) n, 0, (struct sockaddr *) &to, len) < 0 && errno == EPERM ? REFUSED : WENT;
}

static void servers(void)
{
	int ready[2], status = 0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53) }, me = { .sin_family = AF_INET };
	uint8_t buf[600];
	size_t n = lab_question(buf, "pool.asked.example");
	const struct lab_seen *s;
	char c, text[64] = "";
	pid_t pid;

	(void) fflush(stdout);
	if (pipe(ready) < 0 || (pid = fork()) < 0)
		return;
	if (pid == 0)
		_exit(lab_enter(BOX) < 0 ? 99 : (alarm(5), forward(&ready[1])));
	(void) !read(ready[0], &c, 1);
	(void) inet_pton(AF_INET, "203.0.113.1", &to.sin_addr);
	(void) inet_pton(AF_INET, "198.51.100.9", &me.sin_addr);
	(void) lab_add_address("198.51.100.9/32");
	(void) bind(fd, (struct sockaddr *) &me, sizeof(me));
	(void) lab_events();
	(void) sendto(fd, buf, n, 0, (struct sockaddr *) &to, sizeof(to));
	(void) waitpid(pid, &status, 0);
	(void) close(fd);
	s = lab_events();
	(void) inet_ntop(AF_INET, s->dns.client + 12, text, sizeof(text));
	lab_check(WIFEXITED(status) && WEXITSTATUS(status) == REFUSED && s->n[EVENT_DNS] >= 1 &&
			  s->flags[EVENT_DNS] == EVF_REFUSED && strcmp(text, "198.51.100.9") == 0,
		  "what a DNS server asks on names the client that asked it: %s", text);
}

static bool ingress_is_pinned(void)
{
	char path[300];
	struct stat st;

	(void) snprintf(path, sizeof(path), "%s/v%d/link_ingress", lab_policy->bpf_dir, PV_BPF_LAYOUT);
	return stat(path, &st) == 0;
}

/* The ingress hook is there while a DNS server of ours is asked. Without it a lone client is known all the same. */
static void resting(void)
{
	uint64_t quiet = kernel_quiet_ns;

	lab_check(ingress_is_pinned(), "at the start ingress is looked at");
	kernel_quiet_ns = 0;
	(void) kernel_self_check(lab_kernel); /* sees that one was asked */
	(void) usleep(1000);
	lab_check(kernel_self_check(lab_kernel) == 0 && !ingress_is_pinned(), "nobody is asked: it is no longer");
	lab_check(kernel_self_check(lab_kernel) == 0 && !ingress_is_pinned(), "and that is no fault");
	servers();
	suite_servers();
	kernel_quiet_ns = quiet;
	lab_check(kernel_self_check(lab_kernel) == 0 && ingress_is_pinned(), "a server was asked: it is again");
	servers();
	kernel_quiet_ns = 0;
	(void) kernel_self_check(lab_kernel); /* sees that one was asked */
	(void) usleep(1000);
	lab_check(kernel_self_check(lab_kernel) == 0 && !ingress_is_pinned(), "and no longer");
	lab_check(lab_reopen() == 0 && ingress_is_pinned(), "a new broker looks again");
	kernel_quiet_ns = quiet;
	lab_check(lab_reopen() == 0, "with its own patience");
}

void suite_dns(void)
{
	static char evil[] = "pool.example.com", good[] = "www.example.com";

	(void) lab_mkdir(BOX "/nested");
	(void) lab_mkdir("docker/" HEX_B);
	matrix();
	details();
	if (lab_nat)
		neighbours();
	urgent();
	full();
	odd();
	servers();
	resting();
	lab_check(lab_in(BOX, send_fragment, NULL) == REFUSED, "a fragment that ends within its question is refused");
	lab_check(lab_in(BOX, send_extended, evil) == REFUSED, "a question behind IPv6 extension headers is refused");
	lab_check(lab_in(BOX, send_extended, good) == WENT, "a benign one goes");
	(void) lab_events();
}
