/* What this host says about itself: its addresses, its routers, its resolvers. */
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "broker/never.h"

#define FILE_CAP (4u << 20) /* some thirty thousand routes */

/* Own addresses; of a bridge its whole network, where containers and virtual machines sit. */
static int own(struct never_list *l)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		return -errno;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		char bridge[64];
		struct ip_addr a;
		const uint8_t *mask;
		unsigned len, ones = 0;

		if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
			continue;
		if (i->ifa_addr->sa_family == AF_INET) {
			a = ip_from_v4(((const struct sockaddr_in *) (const void *) i->ifa_addr)->sin_addr.s_addr);
			mask = i->ifa_netmask ? (const uint8_t *) &((const struct sockaddr_in *) (const void *) i->ifa_netmask)->sin_addr : NULL;
			len = 4;
		} else {
			memcpy(a.b, &((const struct sockaddr_in6 *) (const void *) i->ifa_addr)->sin6_addr, 16);
			mask = i->ifa_netmask ? (const uint8_t *) &((const struct sockaddr_in6 *) (const void *) i->ifa_netmask)->sin6_addr : NULL;
			len = 16;
		}
		never_add(l, &a, 128, NEVER_OWN);
		(void) snprintf(bridge, sizeof(bridge), "/sys/class/net/%.20s/bridge", i->ifa_name);
		if (!mask || access(bridge, F_OK) < 0)
			continue;
		for (unsigned k = 0; k < len; k++)
			ones += (unsigned) __builtin_popcount(mask[k]);
		if (ones >= 8)
			never_add(l, &a, (uint8_t) (len == 4 ? 96 + ones : ones), NEVER_CONTAINERS);
	}
	freeifaddrs(all);
	return 0;
}

bool never_number(const char **at, int base, uint64_t *ret)
{
	const char *s = *at + strspn(*at, " \t");
	char *end;

	if (*s == '-' || *s == '+' || *s == '\n')
		return false;
	errno = 0;
	*ret = strtoull(s, &end, base);
	*at = end;
	return end > s && errno == 0;
}

/* Columns of /proc/net/route: Iface Destination Gateway ...; numbers are in host order of a network-order word. */
static void routes4(struct never_list *l, const char *text)
{
	for (const char *line = never_next_line(text); line && *line; line = never_next_line(line)) {
		const char *at = line + strcspn(line, " \t\n");
		uint64_t dst, gateway;
		struct ip_addr a;

		if (!never_number(&at, 16, &dst) || !never_number(&at, 16, &gateway) || gateway > UINT32_MAX) {
			l->odd = true;
		} else if (gateway) {
			a = ip_from_v4((uint32_t) gateway);
			never_add(l, &a, 128, NEVER_GATEWAY);
		}
	}
}

const char *never_next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : NULL;
}

static bool is_address(const char *hex)
{
	return strspn(hex, "0123456789abcdef") == 32 && (hex[32] == ' ' || hex[32] == '\t');
}

/* /proc/net/ipv6_route: destination, its length, source, its length, next hop ..., each address 32 digits. */
static bool hop_of(const char *line, struct ip_addr *ret)
{
	uint64_t len;

	for (int i = 0; i < 2; i++) {
		if (!is_address(line))
			return false;
		line += 32;
		if (!never_number(&line, 16, &len))
			return false;
		line += strspn(line, " \t");
	}
	if (!is_address(line))
		return false;
	for (size_t i = 0; i < 16; i++) {
		const char two[3] = { line[2 * i], line[2 * i + 1], '\0' };

		ret->b[i] = (uint8_t) strtoul(two, NULL, 16);
	}
	return true;
}

static void routes6(struct never_list *l, const char *text)
{
	static const struct ip_addr none;

	for (const char *line = text; line && *line; line = never_next_line(line)) {
		struct ip_addr a;

		if (!hop_of(line, &a))
			l->odd = true;
		else if (memcmp(&a, &none, sizeof(a)) != 0)
			never_add(l, &a, 128, NEVER_GATEWAY);
	}
}

void never_routes(struct never_list *l, const char *proc_net_route, const char *proc_net_ipv6_route)
{
	routes4(l, proc_net_route);
	routes6(l, proc_net_ipv6_route);
}

/* resolv.conf(5). What is no address is none to the C library either. */
void never_resolvers(struct never_list *l, const char *text)
{
	static const char key[] = "nameserver";

	for (const char *line = text; line && *line; line = never_next_line(line)) {
		const char *at = line + strspn(line, " \t");
		struct ip_addr a;
		char word[64];
		size_t n;

		if (strncmp(at, key, sizeof(key) - 1) != 0 || !strchr(" \t", at[sizeof(key) - 1]))
			continue;
		at += sizeof(key) - 1;
		at += strspn(at, " \t");
		n = strcspn(at, " \t\r\n%");
		if (n >= sizeof(word))
			continue;
		memcpy(word, at, n);
		word[n] = '\0';
		if (ip_parse(word, &a) == 0)
			never_add(l, &a, 128, NEVER_RESOLVER);
	}
}

/* The whole of it: half a table of routes is no table. */
static int file(const char *path, struct pv_buf *ret)
{
	pv_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char chunk[8192];
	ssize_t n;

	if (fd < 0)
		return -errno;
	ret->cap = FILE_CAP;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 && !ret->cut)
		pv_buf_add(ret, chunk, (size_t) n);
	return n < 0 ? -errno : ret->cut ? -EFBIG : 0;
}

static int sessions(const char *etc_group, uint64_t *ret, size_t *ret_n)
{
	pv_autoclose int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return proc < 0 ? -errno : never_sessions(proc, etc_group, ret, ret_n);
}

const struct never_readers never_this_host = { .file = file, .own = own, .sessions = sessions, .connections = never_connections };
