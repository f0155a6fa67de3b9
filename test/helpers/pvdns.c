/* pvdns.c - a DNS server for the tests: pvdns [-f UPSTREAM] PORT. It answers every name (A 203.0.113.9, AAAA
 * 2001:db8::9) over UDP and TCP, or with -f hands each question on to UPSTREAM:53 and the answer back. Each question
 * is a line of output: `udp|tcp NAME`. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in upstream; /* family 0: none */

static const uint8_t rdata4[] = { 203, 0, 113, 9 };
static const uint8_t rdata6[] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 };

static void log_name(const char *proto, const uint8_t *q, size_t len)
{
	char name[300];
	size_t n = 0;

	for (size_t i = 12; i < len && q[i] && n + q[i] + 1 < sizeof(name) && i + q[i] < len; i += q[i] + 1)
		n += snprintf(name + n, sizeof(name) - n, "%s%.*s", n ? "." : "", q[i], q + i + 1);
	name[n] = 0;
	printf("%s %s\n", proto, name);
	fflush(stdout);
}

/* Appends the answer to the last question of the query in `p`. Returns the whole length. */
static size_t answer_self(uint8_t *p, size_t len, size_t size)
{
	size_t at = 12, name = 12;
	int type = 1, n = p[4] << 8 | p[5];

	for (int i = 0; i < n; i++) {
		name = at;
		while (at < len && p[at] && p[at] < 64)
			at += p[at] + 1;
		if (at + 5 > len)
			break;
		type = p[at + 2];
		at += 5;
	}
	p[2] |= 0x84, p[3] = 0x80; /* an answer, authoritative, recursion available */
	memset(p + 8, 0, 4);
	p[6] = 0, p[7] = 1;
	if (at > len || at + 28 > size || name >= 0x4000 || (type != 1 && type != 28)) {
		p[7] = 0;
		return at < len ? at : len;
	}
	p[at++] = 0xc0 | name >> 8, p[at++] = name;
	p[at++] = 0, p[at++] = type, p[at++] = 0, p[at++] = 1;
	memcpy(p + at, "\0\0\0\0\0", 5); /* TTL 0, length's high byte */
	at += 5;
	p[at++] = type == 1 ? 4 : 16;
	memcpy(p + at, type == 1 ? rdata4 : rdata6, type == 1 ? 4 : 16);
	return at + (type == 1 ? 4 : 16);
}

static ssize_t answer(const char *proto, uint8_t *p, size_t len, size_t size)
{
	ssize_t n = -1;
	int fd;

	if (len < 17)
		return -1;
	log_name(proto, p, len);
	if (!upstream.sin_family)
		return answer_self(p, len, size);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (sendto(fd, p, len, 0, (struct sockaddr *) &upstream, sizeof(upstream)) >= 0 &&
	    poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 2000) > 0)
		n = recv(fd, p, size, 0);
	close(fd);
	return n;
}

static void on_udp(int fd)
{
	uint8_t buf[4096];
	char ctl[256];
	struct sockaddr_in6 peer;
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = &peer, .msg_namelen = sizeof(peer), .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = ctl, .msg_controllen = sizeof(ctl) };
	ssize_t n = recvmsg(fd, &m, 0);

	n = n < 0 ? -1 : answer("udp", buf, n, sizeof(buf));
	if (n < 0)
		return;
	iov.iov_len = n;
	if (sendmsg(fd, &m, 0) < 0)
		perror("pvdns");
}

static void on_tcp(int fd)
{
	uint8_t buf[4098];
	size_t got = 0;
	ssize_t n;

	while ((n = recv(fd, buf + got, sizeof(buf) - got, 0)) > 0) {
		got += n;
		while (got >= 2 && got >= 2u + (buf[0] << 8 | buf[1])) {
			size_t len = buf[0] << 8 | buf[1];
			uint8_t out[4098];

			memcpy(out + 2, buf + 2, len);
			n = answer("tcp", out + 2, len, sizeof(out) - 2);
			if (n > 0) {
				out[0] = n >> 8, out[1] = n;
				if (send(fd, out, n + 2, MSG_NOSIGNAL) < 0)
					return;
			}
			memmove(buf, buf + 2 + len, got - 2 - len);
			got -= 2 + len;
		}
	}
}

static int open_port(int type, int port)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, zero = 0, fd = socket(AF_INET6, type, 0), r;

	if (fd < 0) {
		fd = socket(AF_INET, type, 0);
		r = bind(fd, (struct sockaddr *) &a4, sizeof(a4));
	} else {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
		setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one)); /* whole networks are ours */
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		r = bind(fd, (struct sockaddr *) &a6, sizeof(a6));
	}
	if (r < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0)) {
		perror("pvdns");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct pollfd p[2];

	if (argc > 2 && strcmp(argv[1], "-f") == 0) {
		upstream = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(53) };
		inet_pton(AF_INET, argv[2], &upstream.sin_addr);
		argc -= 2, argv += 2;
	}
	if (argc != 2) {
		fputs("usage: pvdns [-f UPSTREAM] PORT\n", stderr);
		return 2;
	}
	signal(SIGCHLD, SIG_IGN);
	p[0] = (struct pollfd){ open_port(SOCK_DGRAM, atoi(argv[1])), POLLIN, 0 };
	p[1] = (struct pollfd){ open_port(SOCK_STREAM, atoi(argv[1])), POLLIN, 0 };
	puts("ready");
	fflush(stdout);
	while (poll(p, 2, -1) >= 0 || errno == EINTR) {
		if (p[0].revents & POLLIN)
			on_udp(p[0].fd);
		if (p[1].revents & POLLIN) {
			int c = accept(p[1].fd, NULL, NULL);

			if (c >= 0 && fork() == 0) {
				on_tcp(c);
				_exit(0);
			}
			close(c);
		}
	}
	return 0;
}
