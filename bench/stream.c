/* stream.c - what the hooks cost a TCP stream over loopback. stream SERIES CGROUP...: in each series a connection whose both ends
 * are made in each cgroup, then turns of 16 MiB over each of them, one after the other in each of ROUNDS rounds.
 *
 * A socket stays with the cgroup it was made in, and the programs of that cgroup judge what it sends. So one sender and one
 * receiver, each on a CPU of its own, serve all the connections within milliseconds of each other, and the machine's drift is
 * the same for all; new sockets in each series, because where a socket lies in memory makes a difference, too. Prints a line a
 * cgroup: Gbit/s of its best turn, and the median over all rounds of the first cgroup's speed by this one's. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TURN	   (16u << 20)
#define ROUNDS	   24
#define CONNS_MAX  4
#define SERIES_MAX 256

static struct { int cgroup, from, to; double took[SERIES_MAX * ROUNDS]; } conn[CONNS_MAX];
static int jobs[2], done[2]; /* which connection the receiver shall empty; that it has */
static unsigned char chunk[1 << 18], sink[1 << 18];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void pin(unsigned cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	(void) sched_setaffinity(0, sizeof(one), &one);
}

static int procs_of(const char *cgroup)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	return open(path, O_WRONLY | O_CLOEXEC);
}

static void connect_pair(unsigned i)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s;

	if (conn[i].cgroup < 0 || write(conn[i].cgroup, "0", 1) != 1)
		die("stream: cgroup.procs");
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	conn[i].from = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0 || bind(s, (struct sockaddr *) &a, sizeof(a)) < 0 || listen(s, 1) < 0 || getsockname(s, (struct sockaddr *) &a, &len) < 0 ||
	    connect(conn[i].from, (struct sockaddr *) &a, sizeof(a)) < 0)
		die("stream: connect");
	conn[i].to = accept4(s, NULL, NULL, SOCK_CLOEXEC);
	if (conn[i].to < 0)
		die("stream: accept");
	close(s);
}

static void *receive(void *unused)
{
	unsigned char i;

	(void) unused;
	pin(1);
	while (read(jobs[0], &i, 1) == 1) {
		for (size_t left = TURN; left;) {
			ssize_t n = recv(conn[i].to, sink, left < sizeof(sink) ? left : sizeof(sink), 0);

			if (n <= 0)
				die("stream: recv");
			left -= (size_t) n;
		}
		(void) !write(done[1], &i, 1);
	}
	return NULL;
}

static double turn(unsigned char i)
{
	double start = now_s();

	(void) !write(jobs[1], &i, 1);
	for (size_t left = TURN; left;) {
		ssize_t n = send(conn[i].from, chunk, left < sizeof(chunk) ? left : sizeof(chunk), 0);

		if (n <= 0)
			die("stream: send");
		left -= (size_t) n;
	}
	(void) !read(done[0], &i, 1);
	return now_s() - start;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return (x > y) - (x < y);
}

static void result(unsigned i, unsigned rounds)
{
	static double ratio[SERIES_MAX * ROUNDS];
	double best = conn[i].took[0];

	for (unsigned r = 0; r < rounds; r++) {
		best = conn[i].took[r] < best ? conn[i].took[r] : best;
		ratio[r] = conn[i].took[r] / conn[0].took[r];
	}
	qsort(ratio, rounds, sizeof(*ratio), by_size);
	printf("%.2f %.4f\n", TURN * 8.0 / best / 1e9, ratio[rounds / 2]);
}

static void series(unsigned n, unsigned first)
{
	for (unsigned i = 0; i < n; i++)
		connect_pair(i);
	for (unsigned i = 0; i < n; i++)
		(void) turn((unsigned char) i); /* warms up; what is looked at, the first 2 kB, goes by */
	for (unsigned r = 0; r < ROUNDS; r++)
		for (unsigned k = 0; k < n; k++) { /* each comes after each of the others */
			unsigned i = r & 1 ? (n - 1 - k + r / 2) % n : (k + r / 2) % n;

			conn[i].took[first + r] = turn((unsigned char) i);
		}
	for (unsigned i = 0; i < n; i++) {
		close(conn[i].from);
		close(conn[i].to);
	}
}

int main(int argc, char **argv)
{
	unsigned all = argc > 1 ? (unsigned) atoi(argv[1]) : 0, n = argc > 2 ? (unsigned) argc - 2 : 0;
	pthread_t t;

	if (!all || all > SERIES_MAX || !n || n > CONNS_MAX) {
		fprintf(stderr, "usage: stream SERIES CGROUP... (%d and %d at most)\n", SERIES_MAX, CONNS_MAX);
		return 2;
	}
	for (unsigned i = 0; i < n; i++)
		conn[i].cgroup = procs_of(argv[i + 2]);
	if (pipe2(jobs, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0 || pthread_create(&t, NULL, receive, NULL) != 0)
		die("stream: start");
	(void) setpriority(PRIO_PROCESS, 0, -20);
	pin(0);
	for (unsigned s = 0; s < all; s++)
		series(n, s * ROUNDS);
	for (unsigned i = 0; i < n; i++)
		result(i, all * ROUNDS);
	return 0;
}
