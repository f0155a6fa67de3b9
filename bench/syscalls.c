/* syscalls.c - what the hooks cost. bench ROUNDS OUT1 OUT2 IN: three children, each in one cgroup (two that nothing watches,
 * one that the guard watches), do the same work in turns; the best round of each counts. Interleaved, because the machine's
 * own drift is larger than what is measured; the ratio of the two unwatched ones (A/A) says how far the figures can be
 * trusted. Prints one line an operation: name, ns of OUT1, OUT2, IN. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in to = { .sin_family = AF_INET };
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

static void op_connect(int fd)
{
	(void) fd;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	to.sin_port = htons(9); /* nobody listens: the cheapest whole connect */
	(void) !connect(fd, (struct sockaddr *) &to, sizeof(to));
	close(fd);
}

static void op_udp(int fd)
{
	to.sin_port = htons(7001);
	(void) !sendto(fd, query, sizeof(query), 0, (struct sockaddr *) &to, sizeof(to));
}

static void op_dns(int fd)
{
	to.sin_port = htons(53);
	(void) !sendto(fd, query, sizeof(query), 0, (struct sockaddr *) &to, sizeof(to));
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
	{ "getppid", op_getppid, 200000 }, { "connect", op_connect, 1500 }, { "udp", op_udp, 8000 },
	{ "dns", op_dns, 8000 }, { "fork+exec", op_exec, 150 },
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

static struct child child_start(const char *cgroup)
{
	int ask[2], answer[2];

	if (pipe(ask) < 0 || pipe(answer) < 0)
		exit(1);
	if (fork() == 0) {
		unsigned char which;
		int fd;

		close(ask[1]);
		enter(cgroup);
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* belongs to this cgroup */
		while (read(ask[0], &which, 1) == 1) {
			uint64_t start = now_ns(), took;

			for (int i = 0; i < ops[which].n; i++)
				ops[which].op(fd);
			took = (now_ns() - start) / ops[which].n;
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
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons(port); /* never read: what does not fit is dropped, as with any busy server */
	if (bind(fd, (struct sockaddr *) &to, sizeof(to)) < 0)
		perror("bench: sink");
}

int main(int argc, char **argv)
{
	uint64_t best[N_OPS][3];
	struct child c[3];

	if (argc == 2 && strcmp(argv[1], "exit") == 0)
		return 0;
	if (argc != 5) {
		fputs("usage: bench ROUNDS OUT1 OUT2 IN\n", stderr);
		return 2;
	}
	memset(best, 0xff, sizeof(best));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sink(7001);
	sink(53);
	for (int i = 0; i < 3; i++)
		c[i] = child_start(argv[2 + i]);
	for (int round = 0; round < atoi(argv[1]); round++)
		for (unsigned char op = 0; op < N_OPS; op++)
			for (int i = 0; i < 3; i++) {
				int who = (i + round) % 3;
				uint64_t took;

				if (write(c[who].ask, &op, 1) != 1 || read(c[who].answer, &took, sizeof(took)) != sizeof(took))
					return 1;
				if (took < best[op][who])
					best[op][who] = took;
			}
	for (size_t op = 0; op < N_OPS; op++)
		printf("%s %llu %llu %llu\n", ops[op].name, (unsigned long long) best[op][0],
		       (unsigned long long) best[op][1], (unsigned long long) best[op][2]);
	return 0;
}
