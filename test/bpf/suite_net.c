#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "senders.h"
#include "test_bpf.h"

/* ---- where clouds hand out credentials ---- */

struct asking {
	const char *addr;
	bool is_shell; /* of a server; made by hand here, for real in system/test_exec.py */
	size_t told;
};

static int ask_metadata(void *arg)
{
	const struct asking *a = arg;
	struct pv_home home = { .role = a->is_shell ? PV_ROLE_SHELL : 0 };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
	bool is_v4 = inet_pton(AF_INET, a->addr, &v4.sin_addr) == 1;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), homes;
	uint32_t me;
	char path[300];

	(void) snprintf(path, sizeof(path), "%s/v%d/map_homes", lab_policy->bpf_dir, PV_BPF_LAYOUT);
	homes = bpf_obj_get(path);
	/* The only process of the container, whatever number it has outside of this PID namespace. */
	if (homes < 0 || fd < 0 || bpf_map_get_next_key(homes, NULL, &me) < 0 || bpf_map_update_elem(homes, &me, &home, BPF_ANY) < 0)
		return CANNOT;
	if (!is_v4)
		(void) inet_pton(AF_INET6, a->addr, &v6.sin6_addr);
	errno = 0;
	for (int i = 0; i < 2; i++) /* within a minute it is told once */
		(void) connect(fd, is_v4 ? (struct sockaddr *) &v4 : (struct sockaddr *) &v6, is_v4 ? sizeof(v4) : sizeof(v6));
	return errno == EPERM ? REFUSED : WENT;
}

void suite_metadata(void)
{
	static const struct asking cases[] = {
		{ "169.254.169.254", true, 1 }, { "169.254.169.254", true, 0 }, { "169.254.170.2", true, 1 }, { "169.254.170.23", true, 1 },
		{ "100.100.100.200", true, 1 }, { "fd00:ec2::254", true, 1 }, { "fd00:ec2::23", true, 1 }, { "fd20:ce::254", true, 1 },
		{ "::ffff:169.254.169.254", true, 0 }, /* the same workload and address as the first */
		{ "169.254.169.253", true, 0 }, { "169.254.170.254", true, 0 }, { "0.0.2.84", true, 0 }, { "fd00:ec2:0:1::254", true, 0 },
		{ "fd00:ec2::1:0:254", true, 0 }, { "2001:db8::254", true, 0 }, { "fd00:ec2::a9fe:a9fe", true, 0 },
	};
	struct asking library = { "169.254.169.254", false, 0 };

	(void) lab_mkdir(BOX "/library");
	(void) lab_events();
	(void) lab_in(BOX "/library", ask_metadata, &library);
	lab_check(lab_events()->n[EVENT_NET] == 0, "a server's own library may ask for its role");
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		int r = lab_in(BOX, ask_metadata, (void *) (uintptr_t) &cases[i]);
		const struct lab_seen *s = lab_events();

		lab_check(r == WENT && s->n[EVENT_NET] == cases[i].told, "a server's shell asks %s: %s, %zu events", cases[i].addr, outcome_name(r),
			  s->n[EVENT_NET]);
		if (cases[i].told)
			lab_check(s->net.what == PV_NET_METADATA && s->flags[EVENT_NET] == 0 && s->net.head.class_ == PV_CLASS_CONTAINER,
				  "and it is told as that (%u, flags %x)", s->net.what, s->flags[EVENT_NET]);
	}
}

/* Every way to open a connection or send a datagram, to a blocked port and to its benign neighbour. */
void suite_net(void)
{
	static const struct {
		struct job job;
		int refused;
	} cases[] = {
		{ { BY_CONNECT, OUT4, 3333, NULL }, REFUSED },	   { { BY_CONNECT, OUT4, 3334, NULL }, WENT },
		{ { BY_CONNECT, OUT6, 3333, NULL }, REFUSED },	   { { BY_CONNECT, OUT6, 3334, NULL }, WENT },
		{ { BY_CONNECT, MAPPED, 3333, NULL }, REFUSED },	   { { BY_CONNECT, MAPPED, 3334, NULL }, WENT },
		{ { BY_FASTOPEN, OUT4, 3333, NULL }, REFUSED },	   { { BY_FASTOPEN, OUT4, 3334, NULL }, WENT },
		{ { BY_URING_CONNECT, OUT4, 3333, NULL }, REFUSED }, { { BY_URING_CONNECT, OUT4, 3334, NULL }, WENT },
		{ { BY_RAW_SYN, OUT4, 3333, NULL }, REFUSED },	   { { BY_RAW_SYN, OUT4, 3334, NULL }, WENT },
		{ { BY_RAW_SYN, OUT6, 3333, NULL }, REFUSED },	   { { BY_SENDTO, OUT4, 3333, NULL }, REFUSED },
		{ { BY_SENDTO, OUT4, 3334, NULL }, WENT },	   { { BY_SENDTO, OUT6, 3333, NULL }, REFUSED },
		{ { BY_SENDTO, MAPPED, 3333, NULL }, REFUSED },	   { { BY_CONNECTED, OUT4, 3333, NULL }, REFUSED },
		{ { BY_CONNECTED, OUT6, 3334, NULL }, WENT },	   { { BY_SENDMMSG, OUT4, 3333, NULL }, REFUSED },
		{ { BY_URING_SENDMSG, OUT4, 3333, NULL }, REFUSED }, { { BY_RAW_UDP, OUT4, 3333, NULL }, REFUSED },
		{ { BY_RAW_UDP, OUT4, 3334, NULL }, WENT },	   { { BY_UDPLITE, OUT4, 3333, NULL }, REFUSED },
		{ { BY_UDPLITE, OUT6, 3333, NULL }, REFUSED },	   { { BY_CONNECT, PRIVATE4, 3333, NULL }, WENT },
		{ { BY_SENDTO, PRIVATE4, 3333, NULL }, WENT },
	};

	(void) lab_mkdir(BOX "/nested");
	(void) lab_syns(0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct job *j = &cases[i].job;
		int r = lab_in(i % 2 ? BOX : BOX "/nested", send_job, (void *) (uintptr_t) j);
		const struct lab_seen *s;

		if (r == CANNOT) {
			lab_skip("%s is not to be had here", way_name(j->way));
			continue;
		}
		lab_check(r == cases[i].refused, "%s to %d port %u: %s", way_name(j->way), j->addr, j->port, outcome_name(r));
		s = lab_events();
		lab_check(s->n[EVENT_NET] == (cases[i].refused == REFUSED) &&
				  (cases[i].refused != REFUSED ||
				   (s->flags[EVENT_NET] == EVF_REFUSED && s->net.dport == 3333 &&
				    s->net.head.class_ == PV_CLASS_CONTAINER)),
			  "and it is told so (%zu events)", s->n[EVENT_NET]);
	}
	(void) lab_syns(0);
	for (int i = 0; i < 3; i++)
		for (size_t k = 0; k < 3; k++) {
			struct job j = { BY_CONNECT, (enum lab_addr) k, 3333, NULL };

			(void) lab_in(BOX, send_job, &j);
		}
	lab_check(lab_syns(3333) == 0, "no SYN of a refused connect is on the wire");
	{
		struct job j = { BY_CONNECT, OUT4, 3334, NULL };

		(void) lab_in(BOX, send_job, &j);
	}
	lab_check(lab_syns(3334) == 1, "one SYN of an allowed one is (the counter counts)");
	(void) lab_events();
}

/* ---- servers whose clients have a stratum port as their source: never harmed ---- */

struct exchange {
	int type;
	uint16_t client_port;
	bool per_client; /* QUIC-like: a connected socket for each client */
	int ready[2];
};

static int bound(int type, uint16_t port, bool reuse)
{
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;

	(void) inet_pton(AF_INET, "203.0.113.1", &me.sin_addr); /* else the answer comes from the client's own address */
	if (reuse) {
		(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		(void) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	}
	return bind(fd, (struct sockaddr *) &me, sizeof(me)) < 0 ? -1 : fd;
}

static int serve_once(void *arg)
{
	struct exchange *x = arg;
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char buf[64];
	int fd = bound(x->type, 8443, true), peer;
	ssize_t n;

	if (x->type == SOCK_STREAM)
		(void) listen(fd, 5);
	(void) !write(x->ready[1], "1", 1);
	if (x->type == SOCK_STREAM) {
		peer = accept(fd, NULL, NULL);
		n = recv(peer, buf, sizeof(buf), 0);
		return n > 0 && send(peer, buf, (size_t) n, MSG_NOSIGNAL) == n ? WENT : BROKEN;
	}
	n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *) &from, &len);
	if (n <= 0)
		return BROKEN;
	if (!x->per_client)
		return sendto(fd, buf, (size_t) n, 0, (struct sockaddr *) &from, len) == n ? WENT : REFUSED;
	peer = bound(x->type, 8443, true);
	if (connect(peer, (struct sockaddr *) &from, len) < 0)
		return REFUSED;
	return send(peer, buf, (size_t) n, 0) == n ? WENT : REFUSED;
}

/* The client outside is this host itself with another address: only the server's side is judged, and 10.9.0.1 would be
 * internal, so it binds to 198.51.100.7 of a network that is no one's. */
static int ask_once(const struct exchange *x)
{
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_port = htons(x->client_port) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(8443) };
	int fd = socket(AF_INET, x->type | SOCK_CLOEXEC, 0), one = 1, r;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[64];

	(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void) inet_pton(AF_INET, "198.51.100.7", &me.sin_addr);
	(void) inet_pton(AF_INET, "203.0.113.1", &to.sin_addr);
	if (bind(fd, (struct sockaddr *) &me, sizeof(me)) < 0 || connect(fd, (struct sockaddr *) &to, sizeof(to)) < 0 ||
	    send(fd, "hello", 5, MSG_NOSIGNAL) != 5)
		r = BROKEN;
	else
		r = poll(&p, 1, 1000) == 1 && recv(fd, buf, sizeof(buf), 0) == 5 ? WENT : SILENT;
	(void) close(fd);
	return r;
}

void suite_servers(void)
{
	static const uint16_t ports[] = { 3333, 4444, 14444 };
	static const struct {
		int type;
		bool per_client;
		const char *name;
	} kinds[] = { { SOCK_STREAM, false, "TCP" }, { SOCK_DGRAM, false, "UDP" }, { SOCK_DGRAM, true, "QUIC-like" } };

	(void) lab_mkdir(BOX);
	if (!lab_add_address("198.51.100.7/32")) {
		lab_skip("no second address");
		return;
	}
	for (size_t k = 0; k < N_ELEMENTS(kinds); k++)
		for (size_t i = 0; i < N_ELEMENTS(ports); i++) {
			struct exchange x = { .type = kinds[k].type, .client_port = ports[i], .per_client = kinds[k].per_client };
			pid_t pid;
			int r, status = -1;
			char c;

			(void) fflush(stdout);
			if (pipe(x.ready) < 0 || (pid = fork()) < 0)
				return;
			if (pid == 0)
				_exit(lab_enter(BOX) < 0 ? 99 : (alarm(5), serve_once(&x)));
			(void) !read(x.ready[0], &c, 1);
			r = ask_once(&x);
			(void) waitpid(pid, &status, 0);
			(void) close(x.ready[0]);
			(void) close(x.ready[1]);
			lab_check(r == WENT && WIFEXITED(status) && WEXITSTATUS(status) == WENT,
				  "%s server answers a client with source port %u: %s", kinds[k].name, ports[i], outcome_name(r));
		}
	lab_check(lab_events()->n[EVENT_NET] == 0, "and nothing is told about it");
}
