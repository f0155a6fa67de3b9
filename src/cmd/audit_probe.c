/* pavise audit --probe URL: says what it will send, has pavise-fetch send it, and hands what came back to the reader, which judges
 * it. Nothing of the answers is read here. */
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/ip.h"
#include "cmd/audit.h"

#define ADDRESSES 250
#define URL_MAX	  1024

/* https://HOST[:PORT][/PATH] of plain characters: no user, no blank, nothing for a shell or a log to trip over. */
static bool take_host(const char *url, char *host, size_t size)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_~:/?&=%[]";
	const char *from = url + 8;
	size_t n;

	if (strncasecmp(url, "https://", 8) != 0 || strlen(url) >= URL_MAX || strspn(url, plain) != strlen(url))
		return false;
	n = *from == '[' ? strcspn(from, "]") + 1 : strcspn(from, ":/?");
	if (!n || n >= size || (*from == '[' && from[n - 1] != ']'))
		return false;
	memcpy(host, from, n);
	host[n] = '\0';
	return true;
}

/* Of this host's interfaces, the loopback included. */
static size_t own_addresses(char out[ADDRESSES][64])
{
	struct ifaddrs *all = NULL;
	size_t n = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (const struct ifaddrs *i = all; i && n < ADDRESSES; i = i->ifa_next) {
		pv_autobuf text = PV_BUF_INIT;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct ip_addr a;

		if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
			continue;
		if (i->ifa_addr->sa_family == AF_INET) {
			memcpy(&v4, i->ifa_addr, sizeof(v4));
			a = ip_from_v4(v4.sin_addr.s_addr);
		} else {
			memcpy(&v6, i->ifa_addr, sizeof(v6));
			memcpy(a.b, &v6.sin6_addr, sizeof(a.b));
		}
		ip_format(&text, &a);
		(void) snprintf(out[n++], 64, "%s", pv_buf_str(&text));
	}
	freeifaddrs(all);
	return n;
}

/* A user that cannot exist: nobody's account is locked by it. */
static bool make_user(char out[40])
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return false;
	(void) snprintf(out, 40, "pavise-probe-%016llx", (unsigned long long) random);
	return true;
}

static void announce(const char *host, const char *url, const char *user, bool remote)
{
	cmd_say("will ask http://%s/ once and %s at most 9 times (7 of them as the user %s, with a wrong password, where it looks "
		"like a login), each for at most 5 s and 64 kB, %s", host, url, user,
		remote ? "wherever the name leads" : "at addresses of this host only");
}

static int fetch(struct cmd *c, const char *url, struct pv_buf *out)
{
	static char own[ADDRESSES][64];
	char program[PATH_MAX], host[256], user[40];
	const char *argv[ADDRESSES + 8] = { program, host, url, user };
	bool remote = cmd_opt(c, "probe-remote") != NULL;
	size_t n = 4;

	if (!take_host(url, host, sizeof(host))) {
		cmd_fail("--probe takes https://HOST, https://HOST:PORT/PATH", "pavise audit --help");
		return -EINVAL;
	}
	if (child_path(c, "pavise-fetch", program, sizeof(program)) < 0) {
		cmd_fail("the program pavise-fetch is missing: it belongs beside pavise or into /usr/lib/pavise", NULL);
		return -ENOENT;
	}
	if (!make_user(user))
		return -EIO;
	announce(host, url, user, remote);
	if (remote)
		argv[n++] = "any";
	for (size_t i = 0, all = remote ? 0 : own_addresses(own); i < all; i++)
		argv[n++] = own[i];
	argv[n] = NULL;
	if (n == 4)
		return -ENODEV;
	return child_run(argv, &(struct child_io){ .fd3 = -1, .out = out });
}

int audit_probe(struct cmd *c, struct start *s)
{
	const char *url = cmd_opt(c, "probe");
	pv_autobuf text = PV_BUF_INIT;
	int r = fetch(c, url, &text);

	if (r == -EINVAL)
		return CMD_USAGE;
	if (r != 0) {
		cmd_fail("the site could not be asked", NULL);
		return CMD_INCOMPLETE;
	}
	s->probe_fd = memfd_create("probe", MFD_CLOEXEC);
	if (s->probe_fd < 0 || write(s->probe_fd, pv_buf_str(&text), text.len) != (ssize_t) text.len ||
	    lseek(s->probe_fd, 0, SEEK_SET) < 0)
		return CMD_INCOMPLETE;
	return CMD_OK;
}
