/* pvengine: stands in for the engine role (and, under the name pavise-sender, for the sender), so that launcher and broker
 * can be tried alone. It does what its test tells it over the control socket, one message a connection:
 *   one byte      goes to the launcher
 *   `>` and text  goes to the sender
 *   `+` and more  goes to the broker as one datagram, and nobody waits for the answer
 *   else          the same; the answer comes back, and behind it what its descriptor holds
 * What launcher, broker and sender say by themselves goes to stderr. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "model/broker_proto.h"
#include "model/roles.h"

#define MAX_FDS 4

static ssize_t take(int sock, void *data, size_t len, int fds[MAX_FDS], size_t *n_fds, int flags)
{
	char room[CMSG_SPACE(sizeof(int) * MAX_FDS)];
	struct iovec iov = { data, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	ssize_t n = recvmsg(sock, &m, flags);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	*n_fds = 0;
	if (c) {
		*n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), *n_fds * sizeof(int));
	}
	return n;
}

static void close_all(const int *fds, size_t n)
{
	while (n)
		close(fds[--n]);
}

/* Everything behind a descriptor, to `to`. Memory files (ring, counters) are not read: they never end. */
static void pour(int fd, int to)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char piece[65536];
	ssize_t n;

	while (poll(&p, 1, 10000) == 1 && (n = read(fd, piece, sizeof(piece))) > 0)
		if (send(to, piece, (size_t) n, MSG_NOSIGNAL) != n)
			return;
}

static void ask_broker(int client, const char *text, size_t len)
{
	struct broker_req req = { 0 };
	struct broker_rep rep;
	int fds[MAX_FDS];
	size_t n_fds;

	memcpy(&req, text, len < sizeof(req) ? len : sizeof(req));
	if (send(ROLE_FD_PEER, text, len, MSG_NOSIGNAL) < 0)
		return;
	for (;;) {
		ssize_t n = take(ROLE_FD_PEER, &rep, sizeof(rep), fds, &n_fds, 0);

		if (n <= 0)
			exit(0);
		if (rep.seq)
			break;
	}
	(void) !write(client, &rep, sizeof(rep));
	if (n_fds == 1 && req.op == BROKER_API)
		pour(fds[0], client);
	close_all(fds, n_fds);
}

static void on_client(void)
{
	int client = accept(ROLE_FD_CONTROL, NULL, NULL);
	char text[1024];
	ssize_t n = client < 0 ? -1 : recv(client, text, sizeof(text), 0);

	if (n == 1)
		(void) !write(ROLE_FD_LAUNCHER, text, 1);
	else if (n > 1 && text[0] == '>')
		(void) !write(ROLE_FD_SENDER, text + 1, (size_t) n - 1);
	else if (n > 1 && text[0] == '+')
		(void) !write(ROLE_FD_PEER, text + 1, (size_t) n - 1);
	else if (n > 1)
		ask_broker(client, text, (size_t) n);
	close(client);
}

static void on_launcher(void)
{
	struct launch_msg m;
	int fds[MAX_FDS];
	size_t n_fds;
	char text[2000] = "";
	ssize_t n = take(ROLE_FD_LAUNCHER, &m, sizeof(m), fds, &n_fds, 0);

	if (n <= 0)
		exit(0);
	if (m.op == LAUNCH_POLICY_FAILED && n_fds == 1 && (n = pread(fds[0], text, sizeof(text) - 1, 0)) > 0)
		text[n] = '\0';
	fprintf(stderr, "pvengine: launcher: op %u role %u descriptors %zu %s\n", m.op, m.role, n_fds, text);
	close_all(fds, n_fds);
}

static void on_broker(void)
{
	struct broker_rep rep;
	int fds[MAX_FDS];
	size_t n_fds;

	if (take(ROLE_FD_PEER, &rep, sizeof(rep), fds, &n_fds, 0) <= 0) {
		fprintf(stderr, "pvengine: the broker is gone\n");
		exit(0);
	}
	close_all(fds, n_fds);
	if (rep.seq)
		fprintf(stderr, "pvengine: late answer %u result %d\n", rep.seq, rep.result);
	else
		fprintf(stderr, "pvengine: news %llx\n", (unsigned long long) rep.value);
}

static void engine(void)
{
	struct broker_req req = { .op = BROKER_HELLO, .seq = 1 };
	struct broker_rep rep;
	int fds[MAX_FDS];
	size_t n_fds;

	if (send(ROLE_FD_PEER, &req, sizeof(req), 0) < 0 ||
	    take(ROLE_FD_PEER, &rep, sizeof(rep), fds, &n_fds, 0) != sizeof(rep))
		exit(1);
	fprintf(stderr, "pvengine: hello: result %d descriptors %zu\n", rep.result, n_fds);
	close_all(fds, n_fds);
	(void) !write(ROLE_FD_LAUNCHER, "Y", 1);
	for (;;) {
		struct pollfd p[] = { { ROLE_FD_LAUNCHER, POLLIN, 0 }, { ROLE_FD_PEER, POLLIN, 0 },
				      { ROLE_FD_CONTROL, POLLIN, 0 } };

		(void) poll(p, 3, -1);
		if (p[0].revents)
			on_launcher();
		if (p[1].revents)
			on_broker();
		if (p[2].revents)
			on_client();
	}
}

static void sender(void)
{
	struct role_secrets secrets;
	char text[200];

	if (pread(ROLE_FD_STATE, &secrets, sizeof(secrets), 0) != sizeof(secrets))
		exit(1);
	fprintf(stderr, "pvengine: sender: secrets %u %u\n", secrets.channels[0].len, secrets.channels[1].len);
	for (;;) {
		struct pollfd p[] = { { ROLE_FD_LAUNCHER, POLLIN, 0 }, { ROLE_FD_PEER, POLLIN, 0 } };
		ssize_t n;

		(void) poll(p, 2, -1);
		if (p[0].revents)
			exit(0);
		n = recv(ROLE_FD_PEER, text, sizeof(text) - 1, 0);
		if (n <= 0)
			exit(0);
		text[n] = '\0';
		fprintf(stderr, "pvengine: sender: got %s\n", text);
		if (strcmp(text, "bye") == 0)
			exit(0);
		if (strcmp(text, "die") == 0)
			exit(1);
	}
}

int main(int argc, char **argv)
{
	(void) argc;
	(void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (strstr(argv[0], "sender"))
		sender();
	engine();
	return 0;
}
