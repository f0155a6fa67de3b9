#include "check/host_net.h"

#include <stdio.h>
#include <string.h>


#define FILE_BYTES (1u << 20)

static void add_addr(struct arena *a, struct host_net *to, const struct ip_addr *addr, const char *iface)
{
	for (size_t i = 0; i < to->n_addrs; i++)
		if (memcmp(&to->addr[i].addr, addr, sizeof(*addr)) == 0)
			return;
	if (to->n_addrs < HOST_ADDRS)
		to->addr[to->n_addrs++] = (struct host_addr){ .addr = *addr, .iface = arena_dup(a, iface) };
}

static void add_route(struct arena *a, struct host_net *to, const struct ip_prefix *p, const char *iface)
{
	struct host_route *list =
		to->n_routes < HOST_ROUTES ? arena_grow(a, to->route, to->n_routes, sizeof(*list)) : NULL;

	if (!list)
		return;
	to->route = list;
	list[to->n_routes] = (struct host_route){ *p, arena_dup(a, iface) };
	to->n_routes += list[to->n_routes].iface != NULL;
}

/* A line in front of `*p`, at most size-1 bytes of it; false at the end. */
static bool next_line(const char **p, char *out, size_t size)
{
	size_t len = strcspn(*p, "\n");

	if (!**p)
		return false;
	(void) snprintf(out, size, "%.*s", (int) PV_MIN(len, size - 1), *p);
	*p += len + ((*p)[len] == '\n');
	return true;
}

/*            |-- 192.0.2.1
 *               /32 host LOCAL */
void host_net_parse_fib_trie(struct arena *a, const char *text, struct host_net *to)
{
	struct ip_addr addr;
	char line[128];
	bool have = false;

	while (next_line(&text, line, sizeof(line))) {
		char *at = strstr(line, "|-- ");

		if (at) {
			have = ip_parse(at + 4, &addr) == 0;
		} else if (have && strstr(line, "/32 host LOCAL")) {
			add_addr(a, to, &addr, NULL);
		}
	}
}

static uint32_t hex_word(const char *s)
{
	return (uint32_t) strtoul(s, NULL, 16);
}

static unsigned mask_len(uint32_t network_order)
{
	return (unsigned) __builtin_popcount(network_order);
}

/* Iface Destination Gateway Flags RefCnt Use Metric Mask ...: words as the kernel holds them */
void host_net_parse_route(struct arena *a, const char *text, struct host_net *to)
{
	char line[256], iface[32], dest[16], flags[16], mask[16];

	while (next_line(&text, line, sizeof(line))) {
		struct ip_prefix p;

		if (sscanf(line, "%31s %15s %*s %15s %*s %*s %*s %15s", iface, dest, flags, mask) != 4 ||
		    strcmp(iface, "Iface") == 0 || hex_word(flags) & 0x200) /* 0x200: RTF_REJECT */
			continue;
		p.addr = ip_from_v4(hex_word(dest));
		p.len = (uint8_t) (96 + mask_len(hex_word(mask)));
		add_route(a, to, &p, iface);
	}
}

static bool hex_addr(const char *s, struct ip_addr *ret)
{
	for (size_t i = 0; i < 16; i++) {
		char pair[3] = { s[2 * i], s[2 * i] ? s[2 * i + 1] : '\0', '\0' };
		char *end;

		ret->b[i] = (uint8_t) strtoul(pair, &end, 16);
		if (end != pair + 2)
			return false;
	}
	return true;
}

/* "fe800000000000000000000000000001 02 40 20 80     eth0" */
void host_net_parse_inet6(struct arena *a, const char *text, struct host_net *to)
{
	char line[256], addr[40], iface[32];
	struct ip_addr v;

	while (next_line(&text, line, sizeof(line)))
		if (sscanf(line, "%39s %*s %*s %*s %*s %31s", addr, iface) == 2 && hex_addr(addr, &v))
			add_addr(a, to, &v, iface);
}

/* destination length source length next-hop metric references use flags interface, all hexadecimal */
void host_net_parse_route6(struct arena *a, const char *text, struct host_net *to)
{
	char line[256], dest[40], bits[16], flags[16], iface[32];

	while (next_line(&text, line, sizeof(line))) {
		struct ip_prefix p;

		uint32_t len;

		if (sscanf(line, "%39s %15s %*s %*s %*s %*s %*s %*s %15s %31s", dest, bits, flags, iface) != 4)
			continue;
		len = hex_word(bits);
		if (len > 128 || hex_word(flags) & 0x200 || !hex_addr(dest, &p.addr) || p.addr.b[0] == 0xff)
			continue;
		p.len = (uint8_t) len;
		if (strcmp(iface, "lo") != 0)
			add_route(a, to, &p, iface);
	}
}

static bool is_default(const struct host_route *r)
{
	return r->to.len == 0 || (r->to.len == 96 && ip_is_v4(&r->to.addr));
}

static bool of_engine(const char *iface)
{
	static const char *const starts[] = { "lo",    "docker", "br-",	 "veth",   "podman", "cni",
					      "virbr", "vxlan",	 "flannel", "cali", "lxc" };

	for (size_t i = 0; i < N_ELEMENTS(starts); i++)
		if (strncmp(iface, starts[i], strlen(starts[i])) == 0 && (i || iface[2] == '\0'))
			return true;
	return false;
}

static bool leads_out(const struct host_net *n, const char *iface, bool any_default)
{
	if (!any_default)
		return !of_engine(iface);
	for (size_t i = 0; i < n->n_routes; i++)
		if (is_default(&n->route[i]) && n->route[i].iface && strcmp(n->route[i].iface, iface) == 0)
			return true;
	return false;
}

static bool never_outside(const struct ip_addr *a)
{
	static const char *const inner[] = { "127.0.0.0/8", "::1", "fe80::/10", "169.254.0.0/16" };
	struct ip_prefix p;

	for (size_t i = 0; i < N_ELEMENTS(inner); i++)
		if (ip_prefix_parse(inner[i], &p) == 0 && ip_in_prefix(a, &p))
			return true;
	return false;
}

void host_net_settle(struct host_net *n)
{
	bool any = false;

	for (size_t i = 0; i < n->n_routes; i++)
		any = any || is_default(&n->route[i]);
	for (size_t i = 0; i < n->n_addrs; i++) {
		struct host_addr *h = &n->addr[i];

		if (!h->iface)
			h->iface = host_net_way(n, &h->addr);
		h->outside = h->iface && !never_outside(&h->addr) && leads_out(n, h->iface, any);
	}
}

bool host_net_local(const struct host_net *n, const struct ip_addr *a)
{
	struct ip_prefix loop;

	for (size_t i = 0; i < n->n_addrs; i++)
		if (memcmp(&n->addr[i].addr, a, sizeof(*a)) == 0)
			return true;
	return ip_prefix_parse("127.0.0.0/8", &loop) == 0 && ip_in_prefix(a, &loop);
}

const char *host_net_way(const struct host_net *n, const struct ip_addr *a)
{
	const struct host_route *best = NULL;

	for (size_t i = 0; i < n->n_routes; i++) {
		const struct host_route *r = &n->route[i];

		if (ip_in_prefix(a, &r->to) && (ip_is_v4(a) == (r->to.len >= 96 && ip_is_v4(&r->to.addr))) &&
		    (!best || r->to.len > best->to.len))
			best = r;
	}
	return best ? best->iface : NULL;
}

static bool yes(const struct hostfs *fs, const char *path)
{
	pv_autobuf text = PV_BUF_INIT;

	return hostfs_read(fs, path, 64, &text) < 0 || pv_buf_str(&text)[0] != '0'; /* not known: it may */
}

void host_net_read(struct arena *a, const struct hostfs *fs, struct host_net *ret)
{
	static const struct {
		const char *path;
		void (*parse)(struct arena *a, const char *text, struct host_net *to);
	} files[] = { { "/proc/net/fib_trie", host_net_parse_fib_trie },
		      { "/proc/net/route", host_net_parse_route },
		      { "/proc/net/if_inet6", host_net_parse_inet6 },
		      { "/proc/net/ipv6_route", host_net_parse_route6 } };
	pv_autobuf range = PV_BUF_INIT;

	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		pv_autobuf text = PV_BUF_INIT;

		if (hostfs_read(fs, files[i].path, FILE_BYTES, &text) < 0)
			continue;
		files[i].parse(a, pv_buf_str(&text), ret);
		ret->known = ret->known || ret->n_addrs;
	}
	host_net_settle(ret);
	ret->forwards4 = yes(fs, "/proc/sys/net/ipv4/ip_forward");
	ret->forwards6 = yes(fs, "/proc/sys/net/ipv6/conf/all/forwarding");
	ret->ephemeral = 32768;
	if (hostfs_read(fs, "/proc/sys/net/ipv4/ip_local_port_range", 64, &range) == 0)
		ret->ephemeral = (unsigned) strtoul(pv_buf_str(&range), NULL, 10);
}
