#include "broker/never.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#define FRESH_US     USEC_PER_SEC
#define NETWORKS_MAX 1024
#define LIST_MAX     65536 /* a host with more open connections than this: the rest is not looked at, which is said */
#define FILE_CAP     (256u << 10)

struct never {
	struct never_list list;
	uint64_t read_us; /* 0: not yet */
	struct ip_prefix networks[NETWORKS_MAX];
	size_t n_networks;
	bool said_full;
};

int never_new(struct never **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

struct never *never_free(struct never *n)
{
	if (!n)
		return NULL;
	free(n->list.prefix);
	free(n->list.why);
	free(n);
	return NULL;
}

void never_network(struct never *n, const struct ip_prefix *net, bool add)
{
	for (size_t i = 0; i < n->n_networks; i++) {
		if (memcmp(&n->networks[i], net, sizeof(*net)) != 0)
			continue;
		if (!add)
			n->networks[i] = n->networks[--n->n_networks];
		return;
	}
	if (add && n->n_networks < NETWORKS_MAX)
		n->networks[n->n_networks++] = *net;
}

static bool grow(struct never_list *l)
{
	size_t room = l->room ? 2 * l->room : 64;
	struct ip_prefix *prefix = realloc(l->prefix, room * sizeof(*prefix));
	uint8_t *why;

	if (!prefix)
		return false;
	l->prefix = prefix;
	why = realloc(l->why, room);
	if (!why)
		return false;
	l->why = why;
	l->room = room;
	return true;
}

void never_add(struct never_list *l, const struct ip_addr *a, uint8_t len, enum ban_never why)
{
	struct ip_prefix p = { .addr = *a, .len = len };

	if (l->n == LIST_MAX || (l->n == l->room && !grow(l)))
		return;
	for (unsigned bit = len; bit < 128; bit++)
		p.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	l->prefix[l->n] = p;
	l->why[l->n++] = (uint8_t) why;
}

/* Own addresses; of a bridge its whole network, where containers and virtual machines sit. */
static void own(struct never_list *l)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		return;
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
}

/* Columns of /proc/net/route: Iface Destination Gateway ...; numbers are in host order of a network-order word. */
static void routes4(struct never_list *l, const char *text)
{
	for (const char *line = strchr(text, '\n'); line; line = strchr(line, '\n')) {
		char name[32];
		unsigned long dst, gateway;
		struct ip_addr a;

		line++;
		/* NOLINTNEXTLINE(cert-err34-c): the kernel's own line, words bounded */
		if (sscanf(line, "%31s %lx %lx", name, &dst, &gateway) != 3 || !gateway)
			continue;
		a = ip_from_v4((uint32_t) gateway);
		never_add(l, &a, 128, NEVER_GATEWAY);
	}
}

const char *never_next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : NULL;
}

/* /proc/net/ipv6_route: destination, its length, source, its length, next hop ... */
static void routes6(struct never_list *l, const char *text)
{
	for (const char *line = text; line && *line; line = never_next_line(line)) {
		char dst[33], src[33], hop[33];
		unsigned dst_len, src_len, byte;
		struct ip_addr a;
		bool any = false;

		/* NOLINTNEXTLINE(cert-err34-c): the kernel's own line, words bounded */
		if (sscanf(line, "%32[0-9a-f] %x %32[0-9a-f] %x %32[0-9a-f]", dst, &dst_len, src, &src_len, hop) != 5 ||
		    strlen(hop) != 32)
			continue;
		for (unsigned i = 0; i < 16; i++) {
			/* NOLINTNEXTLINE(cert-err34-c): two of the 32 hex digits that were matched above: it cannot fail */
			(void) sscanf(hop + 2 * i, "%2x", &byte);
			a.b[i] = (uint8_t) byte;
			any = any || byte;
		}
		if (any)
			never_add(l, &a, 128, NEVER_GATEWAY);
	}
}

void never_routes(struct never_list *l, const char *proc_net_route, const char *proc_net_ipv6_route)
{
	routes4(l, proc_net_route);
	routes6(l, proc_net_ipv6_route);
}

void never_resolvers(struct never_list *l, const char *text)
{
	for (const char *line = text; line && *line; line = never_next_line(line)) {
		struct ip_addr a;
		char word[64];

		if (sscanf(line, " nameserver %63s", word) != 1)
			continue;
		word[strcspn(word, "%")] = '\0';
		if (ip_parse(word, &a) == 0)
			never_add(l, &a, 128, NEVER_RESOLVER);
	}
}

/* "" where it is not there. */
static void read_file(const char *path, struct pv_buf *ret)
{
	pv_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char chunk[8192];
	ssize_t n;

	pv_buf_clear(ret);
	ret->cap = FILE_CAP;
	while (fd >= 0 && !ret->cut && (n = read(fd, chunk, sizeof(chunk))) > 0)
		pv_buf_add(ret, chunk, (size_t) n);
}

static void read_again(struct never *n)
{
	static const char *const resolvers[] = { "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf",
						 "/run/NetworkManager/no-stub-resolv.conf" };
	pv_autobuf text = PV_BUF_INIT, more = PV_BUF_INIT;
	pv_autoclose int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t *inodes = malloc(NEVER_INODES * sizeof(*inodes));
	size_t n_inodes = 0;

	n->list.n = 0;
	own(&n->list);
	read_file("/proc/net/route", &text);
	read_file("/proc/net/ipv6_route", &more);
	never_routes(&n->list, pv_buf_str(&text), pv_buf_str(&more));
	for (size_t i = 0; i < N_ELEMENTS(resolvers); i++) {
		read_file(resolvers[i], &text);
		never_resolvers(&n->list, pv_buf_str(&text));
	}
	read_file("/etc/group", &text);
	if (proc >= 0 && inodes)
		n_inodes = never_sessions(proc, pv_buf_str(&text), inodes);
	if (never_connections(&n->list, inodes, n_inodes) < 0)
		log_warning("open connections cannot be listed: their far ends are not spared");
	if (n->list.n == LIST_MAX && !n->said_full) {
		log_warning("more than %d addresses are in use here; the rest is not spared from bans", LIST_MAX);
		n->said_full = true;
	}
	free(inodes);
}

static bool touch(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len >= b->len ? ip_in_prefix(&a->addr, b) : ip_in_prefix(&b->addr, a);
}

static bool in_list(const struct ip_prefix *who, const struct ip_prefix *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (touch(who, &list[i]))
			return true;
	return false;
}

static bool special(const struct ip_prefix *who)
{
	static const char *const texts[] = { "127.0.0.0/8", "0.0.0.0/8", "224.0.0.0/3", "169.254.0.0/16", "::/127", "fe80::/10",
					     "ff00::/8" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct ip_prefix p;

		if (ip_prefix_parse(texts[i], &p) == 0 && touch(who, &p))
			return true;
	}
	return false;
}

enum ban_never never_check(struct never *n, const struct policy *p, const struct ip_prefix *who, uint64_t now_us)
{
	if (special(who))
		return NEVER_SPECIAL;
	if (in_list(who, p->never_ban, p->n_never_ban))
		return NEVER_LISTED;
	if (in_list(who, p->proxies, p->n_proxies))
		return NEVER_PROXY;
	if (in_list(who, n->networks, n->n_networks))
		return NEVER_CONTAINERS;
	if (!n->read_us || now_us - n->read_us >= FRESH_US) {
		read_again(n);
		n->read_us = now_us;
	}
	for (size_t i = 0; i < n->list.n; i++)
		if (touch(who, &n->list.prefix[i]))
			return (enum ban_never) n->list.why[i];
	return NEVER_NO;
}
