#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/text.h"
#include "lab.h"
#include "model/dns_table.h"

char lab_root[256];
struct policy *lab_policy;
struct kernel *lab_kernel;
bool lab_nat;

static struct ring *ring;
static const uint64_t *counters;
static struct lab_seen seen;
static unsigned passed, failed, skipped;
static pid_t outside = -1, resolver = -1;
static int packets = -1;

void lab_check(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %u - ", ok ? "" : "not ", passed + failed + skipped + 1);
	va_start(ap, fmt);
	(void) vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	(void) fflush(stdout);
	*(ok ? &passed : &failed) += 1;
}

void lab_skip(const char *fmt, ...)
{
	va_list ap;

	printf("ok %u - # SKIP ", passed + failed + skipped + 1);
	va_start(ap, fmt);
	(void) vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	skipped++;
}

int lab_summary(void)
{
	printf("1..%u\n# bpf: %u passed, %u failed, %u skipped\n", passed + failed + skipped, passed, failed, skipped);
	return failed != 0;
}

static void give_up(const char *what)
{
	printf("1..0 # SKIP %s: %s\n", what, strerror(errno));
	lab_end();
	exit(77);
}

static int run(const char *const argv[])
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execvp(argv[0], (char *const *) (uintptr_t) argv);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int ip(const char *line)
{
	char text[256], *argv[24] = { NULL };
	size_t n = 0;

	(void) text_copy(text, sizeof(text), line);
	for (char *save = NULL, *w = strtok_r(text, " ", &save); w && n < 23; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	return run((const char *const *) argv);
}

bool lab_run(const char *line)
{
	return ip(line) == 0;
}

bool lab_add_address(const char *prefix)
{
	char line[128];

	(void) snprintf(line, sizeof(line), "ip addr replace %s dev lo", prefix);
	return ip(line) == 0;
}

/* ---- addresses ---- */

int lab_family(enum lab_addr addr)
{
	return addr == OUT6 || addr == MAPPED || addr == NATTED6 || addr == NATTED_MAPPED ? AF_INET6 : AF_INET;
}

socklen_t lab_sockaddr(struct sockaddr_storage *ss, enum lab_addr addr, uint16_t port)
{
	static const char *const text[] = { "203.0.113.2", "2001:db8::2", "::ffff:203.0.113.2", "10.9.0.2", "127.0.0.11", "127.0.0.1",
		"203.0.113.9", "2001:db8::9", "::ffff:203.0.113.9" };
	struct sockaddr_in *v4 = (struct sockaddr_in *) ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) ss;

	memset(ss, 0, sizeof(*ss));
	if (lab_family(addr) == AF_INET) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		(void) inet_pton(AF_INET, text[addr], &v4->sin_addr);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	(void) inet_pton(AF_INET6, text[addr], &v6->sin6_addr);
	return sizeof(*v6);
}

size_t lab_question(uint8_t *buf, const char *name)
{
	size_t at = 12;

	memcpy(buf, "\x12\x34\x01\0\0\1\0\0\0\0\0\0", 12);
	while (*name) {
		size_t n = strcspn(name, ".");

		buf[at++] = (uint8_t) n;
		memcpy(buf + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	memcpy(buf + at, "\0\0\1\0\1", 5);
	return at + 5;
}

/* ---- the servers: they accept, and answer whatever looks like a question ---- */

#define CONNS 128 /* what was refused in the middle is never closed: its FIN is held back, too */

struct server {
	struct pollfd fds[8 + CONNS];
	uint8_t buf[8 + CONNS][2048];
	size_t len[8 + CONNS];
	nfds_t n;
};

static void listen_on(struct server *s, int type, const char *addr, uint16_t port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(addr ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0), one = 1;

	(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr)
		(void) inet_pton(AF_INET, addr, &v4.sin_addr);
	if (bind(fd, addr ? (struct sockaddr *) &v4 : (struct sockaddr *) &v6, addr ? sizeof(v4) : sizeof(v6)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 64) < 0))
		_exit(1);
	s->fds[s->n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

static void serve_datagram(int fd)
{
	uint8_t buf[4096];
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *) &from, &len);

	if (n > 2)
		buf[2] |= 0x80;
	if (n > 0)
		(void) sendto(fd, buf, (size_t) n, MSG_DONTWAIT, (struct sockaddr *) &from, len);
}

/* Every whole message of a stream comes back, as an answer. */
static bool serve_stream(struct server *s, nfds_t i)
{
	uint8_t *b = s->buf[i];
	ssize_t n = recv(s->fds[i].fd, b + s->len[i], sizeof(s->buf[i]) - s->len[i], MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	s->len[i] += (size_t) n;
	while (s->len[i] >= 2) {
		size_t total = 2 + (size_t) (b[0] << 8 | b[1]);

		if (total > sizeof(s->buf[i]))
			return false;
		if (s->len[i] < total)
			return true;
		if (total > 4)
			b[4] |= 0x80;
		(void) send(s->fds[i].fd, b, total, MSG_DONTWAIT | MSG_NOSIGNAL);
		memmove(b, b + total, s->len[i] - total);
		s->len[i] -= total;
	}
	return true;
}

static void serve_one(struct server *s, nfds_t i)
{
	int type = 0, listening = 0;
	socklen_t len = sizeof(type);

	(void) getsockopt(s->fds[i].fd, SOL_SOCKET, SO_TYPE, &type, &len);
	(void) getsockopt(s->fds[i].fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len);
	if (type == SOCK_DGRAM) {
		serve_datagram(s->fds[i].fd);
	} else if (listening) {
		int fd = accept4(s->fds[i].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0 && s->n < 8 + CONNS) {
			s->len[s->n] = 0;
			s->fds[s->n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
		} else if (fd >= 0) {
			(void) close(fd);
		}
	} else if (!serve_stream(s, i)) {
		(void) close(s->fds[i].fd);
		s->n--;
		s->fds[i] = s->fds[s->n];
		memcpy(s->buf[i], s->buf[s->n], sizeof(s->buf[i]));
		s->len[i] = s->len[s->n];
	}
}

static void serve(struct server *s)
{
	for (;;) {
		(void) poll(s->fds, s->n, -1);
		for (nfds_t i = s->n; i-- > 0;)
			if (i < s->n && s->fds[i].revents)
				serve_one(s, i);
	}
}

static void wait_ready(int fd)
{
	char c;

	(void) !read(fd, &c, 1);
	(void) close(fd);
}

/* The outside network with its servers, in a child; it signs when it is there. */
static void start_outside(void)
{
	static struct server s;
	int ready[2], go[2];

	if (pipe(ready) < 0 || pipe(go) < 0)
		give_up("pipe");
	outside = fork();
	if (outside == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0)
			_exit(1);
		(void) !write(ready[1], "1", 1);
		(void) close(go[1]);
		wait_ready(go[0]);
		(void) ip("ip link set lo up");
		(void) ip("ip link set pvout up");
		(void) ip("ip addr add 203.0.113.2/24 dev pvout");
		(void) ip("ip addr add 10.9.0.2/24 dev pvout");
		(void) ip("ip addr add 2001:db8::2/64 dev pvout nodad");
		listen_on(&s, SOCK_STREAM, NULL, 3333);
		listen_on(&s, SOCK_STREAM, NULL, 3334);
		listen_on(&s, SOCK_STREAM, NULL, 53);
		listen_on(&s, SOCK_DGRAM, NULL, 3333);
		listen_on(&s, SOCK_DGRAM, NULL, 3334);
		listen_on(&s, SOCK_DGRAM, NULL, 53);
		(void) !write(ready[1], "2", 1);
		serve(&s);
		_exit(0);
	}
	(void) close(ready[1]);
	(void) close(go[0]);
	{
		char c, line[64];

		(void) !read(ready[0], &c, 1);
		(void) snprintf(line, sizeof(line), "ip link set pvout netns %d", (int) outside);
		if (ip("ip link add pvin type veth peer name pvout") != 0 || ip(line) != 0)
			give_up("veth");
		(void) ip("ip link set lo up");
		(void) ip("ip link set pvin up");
		(void) ip("ip addr add 203.0.113.1/24 dev pvin");
		(void) ip("ip addr add 10.9.0.1/24 dev pvin");
		(void) ip("ip addr add 2001:db8::1/64 dev pvin nodad");
	}
	(void) close(go[1]);
	wait_ready(ready[0]);
}

/* Docker's resolver: on other ports of 127.0.0.11, with the NAT of a user-defined network before it. */
static bool start_resolver(void)
{
	static struct server s;
	int ready[2];

	if (pipe(ready) < 0)
		return false;
	resolver = fork();
	if (resolver == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		listen_on(&s, SOCK_DGRAM, "127.0.0.11", 43923);
		listen_on(&s, SOCK_STREAM, "127.0.0.11", 38035);
		(void) !write(ready[1], "1", 1);
		serve(&s);
		_exit(0);
	}
	(void) close(ready[1]);
	wait_ready(ready[0]);
	return ip("iptables -t nat -A OUTPUT -d 127.0.0.11 -p udp --dport 53 -j DNAT --to 127.0.0.11:43923") == 0 &&
	       ip("iptables -t nat -A OUTPUT -d 127.0.0.11 -p tcp --dport 53 -j DNAT --to 127.0.0.11:38035") == 0;
}

/* ---- cgroups ---- */

static bool is_v2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

uint64_t lab_mkdir(const char *path)
{
	char full[1024];
	struct stat st;

	for (size_t i = 1; i <= strlen(path); i++)
		if (path[i] == '/' || path[i] == '\0') {
			(void) snprintf(full, sizeof(full), "%s/%.*s", lab_root, (int) i, path);
			(void) mkdir(full, 0755);
		}
	(void) snprintf(full, sizeof(full), "%s/%s", lab_root, path);
	return stat(full, &st) == 0 ? st.st_ino : 0;
}

void lab_rmdir(const char *path)
{
	char full[1024];

	(void) snprintf(full, sizeof(full), "%s/%s", lab_root, path);
	for (int i = 0; i < 100 && rmdir(full) < 0 && errno == EBUSY; i++)
		(void) usleep(5000);
}

int lab_enter(const char *path)
{
	char full[1024];
	pv_autoclose int fd = -1;

	(void) snprintf(full, sizeof(full), "%s/%s/cgroup.procs", lab_root, path);
	fd = open(full, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, "0", 1) != 1 ? -errno : 0;
}

int lab_in(const char *path, int (*fn)(void *), void *arg)
{
	pid_t pid;
	int status;

	(void) fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (lab_enter(path) < 0)
			_exit(250);
		(void) alarm(20);
		_exit(fn(arg));
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void remove_tree(const char *path)
{
	char cmd[700];

	/* depth first; a cgroup folder holds only files that cannot be removed */
	(void) snprintf(cmd, sizeof(cmd), "find %s -depth -type d -exec rmdir {} ;", path);
	(void) ip(cmd);
}

/* What a run that was killed has left. */
static void remove_leftovers(const char *v2)
{
	DIR *d = opendir(v2);

	for (struct dirent *e; d && (e = readdir(d));) {
		uint32_t pid;
		char path[600];

		if (strncmp(e->d_name, "pvbpf-", 6) != 0 || parse_u32(e->d_name + 6, &pid) < 0 || kill((pid_t) pid, 0) == 0)
			continue;
		(void) snprintf(path, sizeof(path), "%s/%s", v2, e->d_name);
		remove_tree(path);
	}
	if (d)
		(void) closedir(d);
}

/* ---- events ---- */

static void take(const struct event_head *e, void *arg)
{
	(void) arg;
	if (e->kind >= EVENT_N_KINDS)
		return;
	seen.n[e->kind]++;
	seen.flags[e->kind] = e->flags;
	switch (e->kind) {
	case EVENT_NET:
		memcpy(&seen.net, e, sizeof(seen.net));
		break;
	case EVENT_DNS:
	case EVENT_DNS_ODD:
	case EVENT_OPENING:
		memcpy(&seen.dns, e, sizeof(seen.dns));
		break;
	case EVENT_CGROUP_NEW:
	case EVENT_CGROUP_GONE:
		memcpy(&seen.cgroup, e, sizeof(seen.cgroup));
		break;
	case EVENT_MOVED:
		memcpy(&seen.move, e, sizeof(seen.move));
		break;
	case EVENT_SHELL:
		memcpy(&seen.shell, e, sizeof(seen.shell));
		break;
	case EVENT_EXEC:
		memcpy(&seen.exec, e, sizeof(seen.exec));
		break;
	case EVENT_OOM:
		memcpy(&seen.oom, e, sizeof(seen.oom));
		break;
	default:
		break;
	}
}

const struct lab_seen *lab_events(void)
{
	size_t bad = 0;

	memset(&seen, 0, sizeof(seen));
	(void) ring_drain(ring, 1000000, take, NULL, &bad);
	if (bad)
		lab_check(false, "%zu malformed records in the ring", bad);
	return &seen;
}

uint64_t lab_count(int kind, int what)
{
	return __atomic_load_n(&counters[kind * PV_COUNT_STEP + what], __ATOMIC_RELAXED);
}

/* ---- the wire ---- */

static bool is_syn_to(const uint8_t *p, ssize_t n, uint16_t port)
{
	size_t l4 = 0;

	if (n >= 40 && p[0] >> 4 == 4 && p[9] == IPPROTO_TCP)
		l4 = (size_t) (p[0] & 15) * 4;
	else if (n >= 60 && p[0] >> 4 == 6 && p[6] == IPPROTO_TCP)
		l4 = 40;
	return l4 && (size_t) n >= l4 + 14 && (p[l4 + 2] << 8 | p[l4 + 3]) == port && (p[l4 + 13] & 0x12) == 2;
}

unsigned lab_syns(uint16_t port)
{
	uint8_t buf[2048];
	unsigned syns = 0;
	ssize_t n;

	(void) usleep(20000);
	while ((n = recv(packets, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		syns += is_syn_to(buf, n, port);
	return syns;
}

/* ---- the whole ---- */

static void default_policy(void)
{
	static const uint16_t ports[] = { 3333, 4444, 14444 };
	struct policy *p = calloc(1, sizeof(*p));
	char err[200] = "";

	if (!p)
		give_up("memory");
	(void) text_copy(p->bpf_dir, sizeof(p->bpf_dir), "/sys/fs/bpf/pavise");
	(void) text_copy(p->cgroup_root, sizeof(p->cgroup_root), lab_root);
	p->net.action = p->dns.action = ACTION_BLOCK;
	p->net.n_ports = N_ELEMENTS(ports);
	memcpy(p->net.ports, ports, sizeof(ports));
	p->dns.n_names = 2;
	(void) text_copy(p->dns.names[0], 128, "pool.*");
	(void) text_copy(p->dns.names[1], 128, "*.mine.*");
	p->dns.n_allow = 1;
	(void) text_copy(p->dns.allow[0], 128, "pool.ntp.org");
	if (dns_table_build(&p->dns.table, p->dns.names, 2, p->dns.allow, 1, err, sizeof(err)) < 0)
		give_up(err);
	(void) dns_table_pool(&p->dns.table, "hashvault.pro", POOL_NAME);
	(void) dns_table_pool(&p->dns.table, "donate.v2.xmrig.com", POOL_NAME);
	(void) dns_table_pool(&p->dns.table, "dns.google", POOL_RESOLVER);
	p->dns.encrypted = ACTION_ALERT;
	p->pool.n_ports = p->pool.n_resolvers = 1;
	p->pool.ports[0] = 7777;
	p->pool.resolvers[0] = ip_from_v4(inet_addr("203.0.113.2"));
	lab_policy = p;
}

int lab_reopen(void)
{
	int r;

	ring = ring_free(ring);
	counters_unmap(counters);
	counters = NULL;
	lab_kernel = kernel_free(lab_kernel);
	r = kernel_open(lab_policy, &lab_kernel);
	if (r < 0)
		return r;
	r = ring_new(kernel_ring_fd(lab_kernel), kernel_ring_size(lab_kernel), &ring);
	if (r == 0)
		r = counters_map(kernel_counters_fd(lab_kernel), &counters);
	return r;
}

void lab_start(void)
{
	const char *v2 = is_v2("/sys/fs/cgroup") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int r;

	(void) signal(SIGPIPE, SIG_IGN);
	if (geteuid() != 0) {
		errno = EPERM;
		give_up("needs root");
	}
	if (!is_v2(v2)) {
		errno = ENOTSUP;
		give_up("no cgroup v2");
	}
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0)
		give_up("namespaces");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) < 0)
		give_up("bpffs");
	remove_leftovers(v2);
	start_outside();
	(void) snprintf(lab_root, sizeof(lab_root), "%s/pvbpf-%d", v2, (int) getpid());
	if (mkdir(lab_root, 0755) < 0)
		give_up("cgroup");
	lab_nat = start_resolver();
	if (!lab_nat)
		lab_skip("iptables cannot make the NAT of 127.0.0.11");
	default_policy();
	r = lab_reopen();
	if (r < 0) {
		errno = -r;
		give_up("kernel_open");
	}
	packets = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
	ll.sll_ifindex = 0;
	(void) bind(packets, (struct sockaddr *) &ll, sizeof(ll));
}

void lab_end(void)
{
	lab_kernel = kernel_free(lab_kernel);
	(void) kernel_unpin_all("/sys/fs/bpf/pavise");
	if (outside > 0) {
		(void) kill(outside, SIGKILL);
		(void) waitpid(outside, NULL, 0);
	}
	if (resolver > 0) {
		(void) kill(resolver, SIGKILL);
		(void) waitpid(resolver, NULL, 0);
	}
	if (lab_root[0])
		remove_tree(lab_root);
}
