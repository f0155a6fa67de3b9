#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/wait.h>

#include "../unit/hello.h"
#include "model/dns_table.h"
#include "senders.h"
#include "test_bpf.h"

#define ALL 8192

/* What one client sends to a server of the same machine: on loopback the hook is the same, and both ends are here. */
struct talk {
	const uint8_t *data;
	size_t len, step; /* octets of one segment; 0: all of them */
	uint16_t port;
	bool fast; /* the first ones with the SYN */
	size_t urgent; /* so many octets first, the last of them urgent */
	const char *before; /* said on the same socket to somebody else first */
	bool full; /* the socket has no room for anything of ours */
	bool refused; /* filled in by converse() */
};

static int connect_to(int fd, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return connect(fd, (struct sockaddr *) &to, sizeof(to));
}

static int connect_again(int fd, const struct talk *t)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	return connect_to(fd, t->port) == 0 && send(fd, t->before, strlen(t->before), MSG_NOSIGNAL) > 0 && connect(fd, &none, sizeof(none)) == 0;
}

/* An IPv6 socket that is connected over IPv4, and has joined groups until no room was left. */
static int connect_full(uint16_t port)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void) inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr);
	return fill_socket(fd) && connect(fd, (struct sockaddr *) &to, sizeof(to)) == 0 ? fd : -1;
}

static int client(void *arg)
{
	const struct talk *t = arg;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(t->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = t->full ? connect_full(t->port) : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct linger reset = { .l_onoff = 1 };

	(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (t->before && !connect_again(fd, t))
		return BROKEN;
	if (!t->fast && !t->full && connect(fd, (struct sockaddr *) &to, sizeof(to)) < 0)
		return BROKEN;
	if (t->urgent && send(fd, t->data, t->urgent, MSG_OOB | MSG_NOSIGNAL) < 0)
		return errno == EPERM ? REFUSED : BROKEN;
	for (size_t at = t->urgent; at < t->len;) {
		size_t n = t->step ? PV_MIN(t->step, t->len - at) : t->len - at;

		if (t->fast && at == 0
			    ? sendto(fd, t->data, n, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *) &to, sizeof(to)) < 0
			    : send(fd, t->data + at, n, MSG_NOSIGNAL) < 0)
			return errno == EPERM ? REFUSED : BROKEN;
		at += n;
	}
	if (t->full && t->refused) { /* let it try again once, and then no more */
		(void) usleep(400000);
		(void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	}
	(void) shutdown(fd, SHUT_WR);
	return WENT;
}

static int listener(uint16_t *port)
{
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(me);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), queue = 5;

	(void) setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue));
	if (bind(fd, (struct sockaddr *) &me, sizeof(me)) < 0 || listen(fd, 5) < 0 ||
	    getsockname(fd, (struct sockaddr *) &me, &len) < 0)
		return -1;
	*port = ntohs(me.sin_port);
	return fd;
}

/* How many octets arrive: all of them, or what came until nothing came for `patience` ms. */
static size_t arrived(int fd, int patience)
{
	struct pollfd p = { .fd = accept(fd, NULL, NULL), .events = POLLIN };
	uint8_t buf[ALL];
	size_t got = 0;

	while (poll(&p, 1, patience) == 1) {
		ssize_t n = recv(p.fd, buf, sizeof(buf), 0);

		if (n <= 0)
			break;
		got += (size_t) n;
	}
	(void) close(p.fd);
	return got;
}

static size_t converse(const char *path, struct talk *t, bool refused)
{
	int fd = listener(&t->port);
	size_t got = 0;

	t->refused = refused;
	if (fd >= 0 && lab_in(path, client, t) >= 0 && (!t->before || arrived(fd, 100) <= strlen(t->before)))
		got = arrived(fd, refused ? 100 : 3000);
	(void) close(fd);
	return got;
}

static size_t say(const char *path, const void *data, size_t len, size_t step, bool fast, bool refused)
{
	struct talk t = { .data = data, .len = len, .step = step, .fast = fast };

	return converse(path, &t, refused);
}

/* Refused: something is missing at the other end, and it is told once. */
static void expect(const char *what, const void *data, size_t len, size_t step, int told)
{
	bool refused = told == PV_OPENING_MINER || told == PV_OPENING_SNI;
	size_t got = say(BOX, data, len, step, false, refused);
	const struct lab_seen *s = lab_events();

	lab_check(refused ? got < len : got == len, "%s, %zu at a time: %zu of %zu octets arrive", what, step, got, len);
	lab_check(s->n[EVENT_OPENING] == !!told &&
			  (!told || (s->dns.what == told && s->dns.head.class_ == PV_CLASS_CONTAINER &&
				     !!(s->flags[EVENT_OPENING] & EVF_REFUSED) == refused && s->dns.head.tgid)),
		  "and %s (%zu events)", told ? "it is told so once" : "nothing is told", s->n[EVENT_OPENING]);
}

static void text(const char *what, const char *line, size_t step, int told)
{
	expect(what, line, strlen(line), step, told);
}

#define SUBSCRIBE "{\"id\": 1, \"method\": \"mining.subscribe\", \"params\": [\"cpuminer/2.5.1\"]}\n"
#define LOGIN                                                                                                                    \
	"{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"4Axyz\",\"pass\":\"x\",\"agent\":\"XMRig/"   \
	"6.21.0\"}}\n"

static void words(void)
{
	static const size_t steps[] = { 0, 1, 7 };

	for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
		text("mining.subscribe", SUBSCRIBE, steps[i], PV_OPENING_MINER);
		text("login with an agent", LOGIN, steps[i], PV_OPENING_MINER);
	}
	text("spaces, escapes, upper case", " \r\n{ \"METHOD\"\n:\t\"m\\u0069ning.Auth\\u006Frize\" , \"id\":2}", 5,
	     PV_OPENING_MINER);
	text("the second message of a batch", "[{\"id\":1,\"method\":\"x\"},{\"id\":2,\"method\":\"mining.configure\"}]", 0,
	     PV_OPENING_MINER);
	text("behind HTTP CONNECT", "CONNECT 198.51.100.7:443 HTTP/1.1\r\n\r\n" LOGIN, 37, PV_OPENING_MINER);
	/* twins that are nobody's concern */
	text("an Ethereum node's subscription",
	     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_subscribe\",\"params\":[\"newHeads\"]}", 0, 0);
	text("a login without an agent",
	     "{\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"user\":\"a\",\"password\":\"b\"}}", 0, 0);
	text("a language server",
	     "Content-Length: 60\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{}}", 22, 0);
	text("HTTP with a body about mining",
	     "POST /posts HTTP/1.1\r\nContent-Length: 40\r\n\r\n{\"method\":\"mining.subscribe\",\"mining\":1}", 0, 0);
	text("a log line that quotes a miner",
	     "{\"message\":\"{\\\"method\\\":\\\"mining.subscribe\\\"}\",\"agent\":\"filebeat\"}\n", 9, 0);
	text("a method of something else, deeper", "{\"params\":{\"method\":\"mining.subscribe\"},\"method\":\"index\"}\n", 0, 0);
}

static void names(void)
{
	static uint8_t hello[ALL];

	expect("TLS to pool.hashvault.pro", hello, hello_make(hello, "pool.hashvault.pro", 0, 0), 0, PV_OPENING_SNI);
	expect("TLS to DONATE.V2.xmrig.com", hello, hello_make(hello, "DONATE.V2.xmrig.com", 0, 0), 100, PV_OPENING_SNI);
	expect("TLS to a name behind 1,200 octets", hello, hello_make(hello, "gulf.hashvault.pro", 1200, 0), 0, PV_OPENING_SNI);
	expect("TLS in records of 9 octets", hello, hello_make(hello, "gulf.hashvault.pro", 0, 9), 11, PV_OPENING_SNI);
	expect("TLS to a name of dns.names", hello, hello_make(hello, "x.mine.example.org", 0, 0), 0, PV_OPENING_SNI);
	expect("TLS to xmrig.com", hello, hello_make(hello, "xmrig.com", 0, 0), 0, 0);
	expect("TLS to www.example.com", hello, hello_make(hello, "www.example.com", 700, 0), 50, 0);
	expect("TLS without a name", hello, hello_make(hello, NULL, 20, 0), 0, 0);
	expect("TLS to dns.google", hello, hello_make(hello, "dns.google", 0, 0), 0, PV_OPENING_RESOLVER);
}

/* The bound: what comes later costs nothing, and is not seen. */
static void bounds(void)
{
	static char late[ALL];
	size_t n = 2600;

	memset(late, ' ', n);
	late[0] = '{';
	(void) snprintf(late + n, sizeof(late) - n, "\"method\":\"mining.subscribe\"}");
	expect("words behind the first 2 kB", late, strlen(late), 0, 0);
	n = 1900;
	(void) snprintf(late + n, sizeof(late) - n, "\"method\":\"mining.subscribe\"}");
	expect("words within the first 2 kB", late, strlen(late), 600, PV_OPENING_MINER);
	lab_check(say(BOX, SUBSCRIBE, strlen(SUBSCRIBE), 0, true, true) < strlen(SUBSCRIBE) &&
			  lab_events()->n[EVENT_OPENING] == 1,
		  "with TCP fast open");
	lab_check(say("user.slice/user-1000.slice/session-3.scope", SUBSCRIBE, strlen(SUBSCRIBE), 0, false, false) ==
				  strlen(SUBSCRIBE) &&
			  lab_events()->flags[EVENT_OPENING] == EVF_CLASS,
		  "a login session: told only");
	lab_check(say("system.slice/ssh.service", SUBSCRIBE, strlen(SUBSCRIBE), 0, false, false) == strlen(SUBSCRIBE) &&
			  !lab_events()->n[EVENT_OPENING],
		  "a protected unit: neither");
}

/* An octet that the other end leaves out (it has to ask for it) makes other words of those that go by. */
static void urgent(void)
{
	static const struct {
		const char *what, *data;
		size_t urgent; /* the first so many, of which the last is left out */
		int told;
	} cases[] = {
		{ "in the word itself", "{\"id\": 1, \"method\": \"miXning.subscribe\"}\n", 23, PV_OPENING_URGENT },
		{ "the very first octet", "X{\"id\": 1, \"method\": \"mining.subscribe\"}\n", 1, PV_OPENING_URGENT },
		{ "behind the words", SUBSCRIBE, sizeof(SUBSCRIBE) - 1, PV_OPENING_MINER },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct talk t = { .data = (const uint8_t *) cases[i].data, .len = strlen(cases[i].data), .urgent = cases[i].urgent };
		size_t got = converse(BOX, &t, true);
		const struct lab_seen *s = lab_events();

		lab_check(got == 0 && s->n[EVENT_OPENING] == 1 && s->dns.what == cases[i].told, "urgent data %s: %zu octets arrive, %u", cases[i].what, got,
			  s->dns.what);
	}
	{
		struct talk t = { .data = (const uint8_t *) "USER a\r\nABOR\r\n", .len = 14, .urgent = 0, .step = 8 };

		lab_check(converse(BOX, &t, false) == 14 && !lab_events()->n[EVENT_OPENING], "a protocol without any");
	}
}

/* What a socket has begun with one server says nothing of what it says to the next. */
static void again(void)
{
	struct talk t = { .data = (const uint8_t *) SUBSCRIBE, .len = strlen(SUBSCRIBE), .before = "{" };
	struct talk cut = { .data = (const uint8_t *) "hello, world\r\n", .len = 14, .before = SUBSCRIBE };
	const struct lab_seen *s;
	size_t got = converse(BOX, &t, true);

	s = lab_events();
	lab_check(got == 0 && s->n[EVENT_OPENING] == 1 && s->dns.what == PV_OPENING_MINER, "a socket that is connected again is judged again (%zu octets)", got);
	got = converse(BOX, &cut, false);
	lab_check(got == 14 && lab_events()->n[EVENT_OPENING] == 1, "and what was cut is not for ever (%zu octets)", got);
}

/* A socket without room for what it has said so far, by its owner's doing: what cannot be judged does not pass. What waits
 * is sent together in the end, and may then be told as what it is. */
static void full(void)
{
	static uint8_t hello[ALL], resolver[ALL];
	struct talk cases[] = {
		{ .data = (const uint8_t *) SUBSCRIBE, .len = 14, .step = 14 }, { .data = (const uint8_t *) SUBSCRIBE, .len = strlen(SUBSCRIBE), .step = 14 },
		{ .data = (const uint8_t *) SUBSCRIBE, .len = strlen(SUBSCRIBE), .step = 1 },
		{ .data = hello, .len = hello_make(hello, "gulf.hashvault.pro", 0, 0), .step = 60 },
	};
	struct talk plain = { .data = (const uint8_t *) "GET / HTTP/1.1\r\n\r\n", .len = 18, .step = 5, .full = true };
	struct talk dns = { .data = resolver, .len = hello_make(resolver, "dns.google", 0, 0), .step = 60, .full = true };
	const struct lab_seen *s;
	size_t got;

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		cases[i].full = true;
		got = converse(BOX, &cases[i], true);
		s = lab_events();
		lab_check(got == 0 && s->n[EVENT_OPENING] && s->flags[EVENT_OPENING] == EVF_REFUSED && s->dns.head.tgid && (i || s->dns.what == PV_OPENING_UNKEPT),
			  "a socket without room, %zu at a time: %zu of %zu octets arrive, told %zu times", cases[i].step, got, cases[i].len,
			  s->n[EVENT_OPENING]);
	}
	got = converse(BOX, &plain, false);
	lab_check(got == plain.len && !lab_events()->n[EVENT_OPENING], "what needs no room goes (%zu octets)", got);
	lab_policy->net.action = ACTION_IGNORE;
	lab_policy->dns.encrypted = ACTION_BLOCK;
	(void) kernel_policy(lab_kernel, lab_policy);
	got = converse(BOX, &dns, true);
	lab_check(got == 0 && lab_events()->n[EVENT_OPENING], "where only encrypted questions are refused, too (%zu octets)", got);
	lab_policy->net.action = ACTION_BLOCK;
	lab_policy->dns.encrypted = ACTION_ALERT;
	lab_policy->observe = 1;
	(void) kernel_policy(lab_kernel, lab_policy);
	got = converse(BOX, &cases[2], false);
	s = lab_events();
	lab_check(got == cases[2].len && s->n[EVENT_OPENING] == 1 && s->flags[EVENT_OPENING] == EVF_OBSERVED && s->dns.what == PV_OPENING_UNKEPT,
		  "observe: %zu octets arrive, told %zu times", got, s->n[EVENT_OPENING]);
	lab_policy->observe = 0;
	(void) kernel_policy(lab_kernel, lab_policy);
}

static int reach(enum lab_addr addr, uint16_t port)
{
	struct job j = { BY_CONNECT, addr, port, NULL };

	return lab_in(BOX, send_job, &j);
}

static void watched(void)
{
	const struct lab_seen *s;

	lab_check(reach(OUT4, 7777) != REFUSED && reach(OUT4, 7777) != REFUSED, "a port that pools use is let through");
	s = lab_events();
	lab_check(s->n[EVENT_NET] == 1 && s->net.what == PV_NET_POOL && !(s->flags[EVENT_NET] & EVF_REFUSED), "and told once");
	lab_check(reach(OUT6, 7777) != REFUSED && lab_events()->n[EVENT_NET] == 1, "another address is new");
	lab_check(reach(PRIVATE4, 7777) != REFUSED && lab_events()->n[EVENT_NET] == 0, "an internal one is nobody's concern");
	lab_check(reach(OUT4, 853) != REFUSED && (s = lab_events())->n[EVENT_NET] == 1 && s->net.what == PV_NET_DOT,
		  "DNS over TLS is told");
	lab_check(reach(OUT4, 443) != REFUSED && (s = lab_events())->n[EVENT_NET] == 1 && s->net.what == PV_NET_DOH,
		  "so is a resolver's HTTPS");
	lab_check(reach(OUT6, 443) != REFUSED && lab_events()->n[EVENT_NET] == 0, "and nobody else's");
	lab_policy->dns.encrypted = ACTION_BLOCK;
	(void) kernel_policy(lab_kernel, lab_policy);
	lab_check(reach(OUT4, 853) == REFUSED && reach(OUT4, 443) == REFUSED && reach(OUT6, 443) != REFUSED &&
			  lab_events()->n[EVENT_NET] == 2,
		  "where the user says so both are refused");
	lab_policy->dns.encrypted = ACTION_ALERT;
	(void) kernel_policy(lab_kernel, lab_policy);
}

void suite_opening(void)
{
	(void) lab_mkdir(BOX);
	(void) lab_mkdir("system.slice/ssh.service");
	(void) lab_mkdir("user.slice/user-1000.slice/session-3.scope");
	(void) lab_events();
	words();
	names();
	bounds();
	urgent();
	again();
	full();
	watched();
}
