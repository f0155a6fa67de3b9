/* syscalls.c - what the hooks cost. bench ROUNDS OUT CGROUP...: a child in each cgroup does the same work in turns; the best
 * turn of each counts. OUT is an IPv4 address that is not this namespace's. Prints one line an operation: name, then the ns
 * of each child. bench sink says `ready` and takes the datagrams out there.
 *
 * The machine's own drift is larger than what is measured, so everything else is kept alike: the children share one CPU,
 * a turn is a millisecond or two (shorter than what others get at a time) and begins with a fresh socket, because where a
 * socket lies in memory makes more of a difference than an empty program. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TURNS	 10 /* of each child in a round */
#define CGROUPS_MAX 8

static struct sockaddr_in to = { .sin_family = AF_INET }, out = { .sin_family = AF_INET };
static const uint8_t query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\3com\0\0\1\0";

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void op_getppid(int fd)
{
	(void) fd;
	syscall(SYS_getppid);
}

static void connect_to(struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a->sin_port = htons(9); /* nobody listens: the cheapest whole connect */
	(void) !connect(fd, (struct sockaddr *) a, sizeof(*a));
	close(fd);
}

static void op_connect(int fd)
{
	(void) fd;
	connect_to(&to);
}

static void op_connect_out(int fd)
{
	(void) fd;
	connect_to(&out);
}

/* Plain datagrams never leave by the socket that asks: what a DNS socket sends is looked at, whatever its port. */
static void op_udp(int fd)
{
	to.sin_port = htons(7001);
	(void) !sendto(fd, query, sizeof(query), 0, (struct sockaddr *) &to, sizeof(to));
}

static void op_udp_out(int fd)
{
	out.sin_port = htons(7001);
	(void) !sendto(fd, query, sizeof(query), 0, (struct sockaddr *) &out, sizeof(out));
}

static void op_udp_connected(int fd)
{
	(void) !send(fd, query, sizeof(query), 0);
}

static void op_dns(int fd)
{
	to.sin_port = htons(53);
	(void) !sendto(fd, query, sizeof(query), 0, (struct sockaddr *) &to, sizeof(to));
}

static void op_dns_out(int fd)
{
	out.sin_port = htons(53);
	(void) !sendto(fd, query, sizeof(query), 0, (struct sockaddr *) &out, sizeof(out));
}

static void op_exec(int fd)
{
	pid_t pid = vfork();

	(void) fd;
	if (pid == 0) {
		execl("/proc/self/exe", "bench", "exit", NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static const struct { const char *name; void (*op)(int fd); int n; } ops[] = {
	{ "getppid", op_getppid, 10000 }, { "connect", op_connect, 300 }, { "connect-out", op_connect_out, 200 }, { "udp", op_udp, 1000 },
	{ "udp-connected", op_udp_connected, 1000 }, { "udp-out", op_udp_out, 500 }, { "dns", op_dns, 1000 },
	{ "dns-out", op_dns_out, 500 }, { "fork+exec", op_exec, 15 },
};
#define N_OPS (sizeof(ops) / sizeof(ops[0]))

struct child { int ask, answer; };

static void enter(const char *cgroup)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1) {
		perror(path);
		exit(1);
	}
	close(fd);
}

/* All on the last CPU that we may use: two CPUs of one machine are not equally busy. */
static void pin(void)
{
	cpu_set_t may, one;

	if (sched_getaffinity(0, sizeof(may), &may) < 0)
		return;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
		if (CPU_ISSET(cpu, &may)) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			(void) sched_setaffinity(0, sizeof(one), &one);
			return;
		}
}

static uint64_t turn(unsigned char which)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t start, took;

	to.sin_port = htons(7001);
	if (ops[which].op == op_udp_connected)
		(void) !connect(fd, (struct sockaddr *) &to, sizeof(to));
	ops[which].op(fd); /* the first one warms up */
	start = now_ns();
	for (int i = 0; i < ops[which].n; i++)
		ops[which].op(fd);
	took = (now_ns() - start) / (unsigned) ops[which].n;
	close(fd);
	return took;
}

static struct child child_start(const char *cgroup)
{
	int ask[2], answer[2];

	if (pipe2(ask, O_CLOEXEC) < 0 || pipe2(answer, O_CLOEXEC) < 0)
		exit(1);
	if (fork() == 0) {
		unsigned char which;

		close(ask[1]);
		enter(cgroup);
		pin();
		(void) setpriority(PRIO_PROCESS, 0, -20);
		while (read(ask[0], &which, 1) == 1) {
			uint64_t took = turn(which);

			(void) !write(answer[1], &took, sizeof(took));
		}
		_exit(0);
	}
	close(ask[0]);
	close(answer[1]);
	return (struct child){ ask[1], answer[0] };
}

static void sink(int port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* never read: what does not fit is dropped, as with any busy server */
	if (bind(fd, (struct sockaddr *) &any, sizeof(any)) < 0)
		perror("bench: sink");
}

static uint64_t ask(const struct child *c, unsigned char op)
{
	uint64_t took;

	if (write(c->ask, &op, 1) != 1 || read(c->answer, &took, sizeof(took)) != sizeof(took))
		exit(1);
	return took;
}

int main(int argc, char **argv)
{
	uint64_t best[N_OPS][CGROUPS_MAX];
	struct child c[CGROUPS_MAX];
	int n = argc - 3;

	if (argc == 2 && strcmp(argv[1], "exit") == 0)
		return 0;
	if (argc == 2 && strcmp(argv[1], "sink") == 0) {
		sink(7001);
		puts("ready");
		fflush(stdout);
		return pause();
	}
	if (n < 1 || n > CGROUPS_MAX || inet_pton(AF_INET, argv[2], &out.sin_addr) != 1) {
		fputs("usage: bench ROUNDS OUT CGROUP...\n", stderr);
		return 2;
	}
	memset(best, 0xff, sizeof(best));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sink(7001);
	sink(53);
	for (int i = 0; i < n; i++)
		c[i] = child_start(argv[3 + i]);
	for (int round = 0; round < atoi(argv[1]); round++)
		for (unsigned char op = 0; op < N_OPS; op++)
			for (int i = 0; i < n * TURNS; i++) {
				int who = (i + i / n + round) % n;
				uint64_t took = ask(&c[who], op);

				if (took < best[op][who])
					best[op][who] = took;
			}
	for (size_t op = 0; op < N_OPS; op++) {
		printf("%s", ops[op].name);
		for (int i = 0; i < n; i++)
			printf(" %llu", (unsigned long long) best[op][i]);
		printf("\n");
	}
	return 0;
}
