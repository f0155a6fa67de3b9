#include "check/reach.h"

#include <stdio.h>
#include <string.h>

#include "check/ask.h"

#define RULES_BYTES (4u << 20)
#define NFT_BYTES   (1u << 20) /* as JSON it takes several times as much memory */
#define PORTS_MAX   4096	      /* followed through the rules */
#define SAVED       "/firewall"

/* --- the rules in force, or what loads them --- */

static const struct {
	const char *file; /* of a saved host */
	bool v6, nft;
} sources[] = {
	[FIREWALL_IPTABLES] = { SAVED "/iptables.rules", false, false },
	[FIREWALL_IP6TABLES] = { SAVED "/ip6tables.rules", true, false },
	[FIREWALL_LEGACY] = { SAVED "/iptables-legacy.rules", false, false },
	[FIREWALL_LEGACY6] = { SAVED "/ip6tables-legacy.rules", true, false },
	[FIREWALL_NFT] = { SAVED "/nft.json", false, true },
	[FIREWALL_NFT_TERSE] = { NULL, false, true },
};

static int source_text(struct audit *a, unsigned i, struct pv_buf *out)
{
	if (!a->saved)
		return audit_ask(a->sock, AUDIT_FIREWALL, i, "", sources[i].nft ? NFT_BYTES : RULES_BYTES, out);
	return sources[i].file ? hostfs_read(&a->fs, sources[i].file, sources[i].nft ? NFT_BYTES : RULES_BYTES, out) : -ENOENT;
}

static int read_source(struct audit *a, struct reach *r, unsigned i)
{
	pv_autobuf text = PV_BUF_INIT;
	int e = source_text(a, i, &text);

	if (e < 0)
		return e;
	r->fw.terse = i == FIREWALL_NFT_TERSE;
	return sources[i].nft ? fw_read_nft(&r->fw, pv_buf_str(&text), text.len)
			      : fw_read_iptables(&r->fw, pv_buf_str(&text), text.len, sources[i].v6);
}

/* 0: the rules in force are known. */
static int read_rules(struct audit *a, struct reach *r)
{
	bool any = false;
	int e = -ENOENT;

	for (unsigned i = FIREWALL_IPTABLES; i <= FIREWALL_LEGACY6; i++) {
		e = read_source(a, r, i);
		if (e < 0 && e != -ENOENT && e != -ECHILD)
			return e;
		any = any || e == 0;
	}
	e = read_source(a, r, FIREWALL_NFT);
	if (e == -EFBIG) /* large sets: without what is in them */
		e = read_source(a, r, FIREWALL_NFT_TERSE);
	if (e == -ENOENT || e == -ECHILD)
		return any ? 0 : -ENOENT;
	return e;
}

static bool file_there(struct audit *a, const char *path)
{
	struct stat st;

	return hostfs_stat(&a->fs, path, true, &st) == 0;
}

static void files_onto(struct audit *a, struct reach *r, const char *path, bool v6)
{
	pv_autobuf text = PV_BUF_INIT;

	if (hostfs_read(&a->fs, path, 1 << 20, &text) == 0)
		(void) fw_read_iptables(&r->fw, pv_buf_str(&text), text.len, v6);
}

/* ufw's own files, in the order in which it walks through its chains. */
static bool read_ufw(struct audit *a, struct reach *r)
{
	pv_autobuf conf = PV_BUF_INIT, defaults = PV_BUF_INIT, head = PV_BUF_INIT;
	const char *policy = "DROP";

	if (hostfs_read(&a->fs, "/etc/ufw/ufw.conf", 65536, &conf) < 0 || !strstr(pv_buf_str(&conf), "\nENABLED=yes"))
		return false;
	if (hostfs_read(&a->fs, "/etc/default/ufw", 65536, &defaults) == 0 &&
	    strstr(pv_buf_str(&defaults), "DEFAULT_INPUT_POLICY=\"ACCEPT\""))
		policy = "ACCEPT";
	for (unsigned v6 = 0; v6 < 2; v6++) {
		const char *six = v6 ? "6" : "";

		pv_buf_clear(&head);
		pv_buf_printf(&head,
			      "*filter\n:INPUT %s [0:0]\n-A INPUT -j ufw%s-before-input\n-A INPUT -j ufw%s-user-input\n",
			      policy, six, six);
		(void) fw_read_iptables(&r->fw, pv_buf_str(&head), head.len, v6);
		(void) fw_chain_of(&r->fw, "filter", v6 ? "ufw6-before-input" : "ufw-before-input", !v6, v6);
		(void) fw_chain_of(&r->fw, "filter", v6 ? "ufw6-user-input" : "ufw-user-input", !v6, v6);
		files_onto(a, r, v6 ? "/etc/ufw/before6.rules" : "/etc/ufw/before.rules", v6);
		files_onto(a, r, v6 ? "/etc/ufw/user6.rules" : "/etc/ufw/user.rules", v6);
		files_onto(a, r, v6 ? "/etc/ufw/after6.rules" : "/etc/ufw/after.rules", v6);
	}
	return true;
}

static bool read_files(struct audit *a, struct reach *r)
{
	if (read_ufw(a, r))
		return true;
	if (!file_there(a, "/etc/iptables/rules.v4"))
		return false;
	files_onto(a, r, "/etc/iptables/rules.v4", false);
	files_onto(a, r, "/etc/iptables/rules.v6", true);
	return true;
}

static void read_wall(struct audit *a, struct reach *r)
{
	int e = read_rules(a, r);

	if (e == 0) {
		r->from = WALL_RULES;
	} else if (a->saved && read_files(a, r)) {
		r->from = WALL_FILES;
	} else if (e == -ENOENT && !file_there(a, "/etc/nftables.conf") && !file_there(a, "/etc/firewalld") &&
		   !file_there(a, "/etc/sysconfig/iptables")) {
		r->from = WALL_NOTHING;
	} else {
		r->from = WALL_UNKNOWN;
		r->reason = e == -ENOENT ? REASON_ABSENT : e == -EFBIG ? REASON_TOO_LARGE : gather_reason(e);
		r->why = e == -ENOENT ? "there is a firewall, and no program (nft) or saved rules to see it by"
				      : "the firewall's rules";
	}
	fw_link(&r->fw);
}

/* --- one packet --- */

static struct fw_packet packet_to(const struct ip_addr *to, const char *iface, bool udp, unsigned port)
{
	bool v6 = !ip_is_v4(to);

	return (struct fw_packet){ .v6 = v6,
				   .udp = udp,
				   .dst_local = true,
				   .src = fw_stranger(v6),
				   .dst = *to,
				   .orig_dst = *to,
				   .dport = (uint16_t) port,
				   .orig_dport = (uint16_t) port,
				   .iif = iface };
}

/* Where it ends: the host (then *p says at which address and port), or a container. What can come out. */
static unsigned send(const struct reach *r, struct fw_packet *p)
{
	unsigned v = fw_hook(&r->fw, FW_INGRESS, p), next;

	if (v & FW_PASSES) {
		next = fw_hook(&r->fw, FW_PREROUTING, p);
		v = next & FW_PASSES ? v | next : FW_STOPS;
	}
	if (!(v & FW_PASSES))
		return v;
	p->dst_local = host_net_local(&r->net, &p->dst) || (!r->net.known && !p->dnatted);
	if (!p->dst_local) {
		p->oif = host_net_way(&r->net, &p->dst);
		if (!(p->v6 ? r->net.forwards6 : r->net.forwards4))
			return FW_STOPS;
	}
	next = fw_hook(&r->fw, p->dst_local ? FW_INPUT : FW_FORWARD, p);
	return next & FW_PASSES ? v | next : FW_STOPS;
}

/* Addresses that a stranger sends to; where none is known, one that stands for them. */
static size_t targets(const struct reach *r, struct host_addr *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < r->net.n_addrs && n < max; i++)
		if (r->net.addr[i].outside)
			out[n++] = r->net.addr[i];
	if (n || r->net.known || max < 2)
		return n;
	(void) ip_parse("192.0.2.1", &out[0].addr);
	(void) ip_parse("2001:db8::1", &out[1].addr);
	out[0].iface = out[1].iface = "eth0";
	return 2;
}

unsigned reach_input(const struct reach *r, bool udp, unsigned port)
{
	struct host_addr to[HOST_ADDRS];
	size_t n = targets(r, to, HOST_ADDRS);
	unsigned out = 0;

	for (size_t i = 0; i < n; i++) {
		struct fw_packet p = packet_to(&to[i].addr, to[i].iface, udp, port);
		unsigned v = fw_hook(&r->fw, FW_INGRESS, &p);

		if (v & FW_PASSES)
			v |= fw_hook(&r->fw, FW_PREROUTING, &p);
		p.dst_local = true;
		p.dst = p.orig_dst;
		p.dport = p.orig_dport;
		p.dnatted = false;
		if (v & FW_PASSES)
			v = (v & FW_STOPS) | fw_hook(&r->fw, FW_INPUT, &p);
		out |= v;
	}
	return out ? out : FW_STOPS; /* nobody can send to it */
}

/* --- who takes it --- */

static bool any_addr(const struct ip_addr *a)
{
	static const struct ip_addr zero6;
	struct ip_addr zero4 = ip_from_v4(0);

	return memcmp(a, &zero6, sizeof(*a)) == 0 || memcmp(a, &zero4, sizeof(*a)) == 0;
}

/* A socket on :: takes IPv4 too, unless it is told not to. */
static const struct proc_socket *listener(const struct reach *r, bool udp, unsigned port, const struct ip_addr *at)
{
	const struct proc_socket *both = NULL;

	for (size_t i = 0; i < r->sockets.n; i++) {
		const struct proc_socket *s = &r->sockets.item[i];

		if (!s->listens || s->udp != udp || s->port != port)
			continue;
		if (memcmp(&s->addr, at, sizeof(*at)) == 0)
			return s;
		if (any_addr(&s->addr) && ip_is_v4(&s->addr) == ip_is_v4(at))
			return s;
		if (any_addr(&s->addr) && !ip_is_v4(&s->addr) && !s->v6only)
			both = s;
	}
	return both;
}

const struct ctr *reach_publisher(const struct audit *a, bool udp, unsigned port)
{
	for (size_t i = 0; i < a->containers.n; i++) {
		const struct ctr *c = a->containers.item[i];

		for (size_t k = 0; k < c->n_ports; k++) {
			unsigned last = c->port[k].last ? c->port[k].last : c->port[k].first;

			if (c->port[k].udp == udp && port >= c->port[k].first && port <= last && c->port[k].first)
				return c;
		}
	}
	return NULL;
}

/* Over IPv4 it may be handed on and over IPv6 end at a socket of the host's: two different things. */
static struct reach_port *slot(struct reach *r, enum reach_by by, bool udp, unsigned port)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->item[i].port == port && r->item[i].udp == udp && r->item[i].by == by)
			return &r->item[i];
	if (r->n == REACH_MAX) {
		r->cut = true;
		return NULL;
	}
	r->item[r->n] = (struct reach_port){ .by = by, .port = port, .udp = udp };
	return &r->item[r->n++];
}

static void try_one(struct audit *a, struct reach *r, const struct host_addr *to, bool udp, unsigned port)
{
	struct fw_packet p = packet_to(&to->addr, to->iface, udp, port);
	unsigned v = send(r, &p);
	const struct proc_socket *s = NULL;
	struct reach_port *out;

	if (!(v & FW_PASSES))
		return;
	if (p.dst_local) {
		s = listener(r, udp, p.dport, &p.dst);
		if (!s)
			return;
	}
	out = slot(r, p.dst_local ? REACH_SOCKET : REACH_FORWARD, udp, port);
	if (!out)
		return;
	out->unsure = (out->v4 || out->v6 ? out->unsure : true) && v & FW_STOPS;
	out->to = p.dst;
	out->to_port = p.dport;
	out->inode = s ? s->inode : 0;
	out->ctr = reach_publisher(a, udp, port);
	*(p.v6 ? &out->v6 : &out->v4) = true;
}

static void try_port(struct audit *a, struct reach *r, bool udp, unsigned port)
{
	struct host_addr to[HOST_ADDRS];
	size_t n = targets(r, to, HOST_ADDRS);

	if (++r->tried > PORTS_MAX) {
		r->cut = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		try_one(a, r, &to[i], udp, port);
}

/* --- which ports --- */

struct wanted {
	uint8_t tcp[65536 / 8], udp[65536 / 8];
};

static void want(struct wanted *w, bool udp, unsigned port)
{
	if (port && port < 65536)
		(udp ? w->udp : w->tcp)[port / 8] |= (uint8_t) (1u << port % 8);
}

/* A range that is redirected: all of a small one, both ends of a large one. */
static void want_range(unsigned lo, unsigned hi, bool udp, void *user)
{
	unsigned step = hi - lo <= 256 ? 1 : hi - lo;

	for (unsigned p = lo; p <= hi && p < 65536; p += step)
		want(user, udp, p);
}

/* Clients' sockets of datagrams are not servers': those of the range that is given out, and DHCP's. */
static bool client_socket(const struct reach *r, const struct proc_socket *s)
{
	return s->udp && (s->port >= r->net.ephemeral || s->port == 68 || s->port == 546);
}

/* Without Docker's own rules: what it publishes is handed on before ufw looks. */
static void published(struct audit *a, struct reach *r)
{
	for (size_t i = 0; i < a->containers.n; i++) {
		const struct ctr *c = a->containers.item[i];

		for (size_t k = 0; k < c->n_ports; k++) {
			const struct ctr_port *p = &c->port[k];
			unsigned last = p->last ? p->last : p->first;
			struct ip_addr at;

			if (*p->address && ip_parse(p->address, &at) == 0 && !any_addr(&at) && proc_net_inner(&at))
				continue;
			for (unsigned port = p->first; port && port <= last && port - p->first < 64; port++) {
				struct reach_port *out = slot(r, REACH_FORWARD, p->udp, port);

				if (out)
					*out = (struct reach_port){ .port = port,
								    .udp = p->udp,
								    .v4 = true,
								    .by = REACH_FORWARD,
								    .ctr = c,
								    .to_port = p->container };
			}
		}
	}
}

static void ask_v6only(struct audit *a, struct reach *r)
{
	pv_autobuf text = PV_BUF_INIT;

	if (a->saved || audit_ask(a->sock, AUDIT_V6ONLY, 0, "", 1 << 20, &text) < 0)
		return;
	for (const char *p = pv_buf_str(&text); *p; p += strcspn(p, "\n"), p += *p == '\n') {
		uint64_t inode = strtoull(p, NULL, 10);

		for (size_t i = 0; i < r->sockets.n && inode; i++)
			if (r->sockets.item[i].inode == inode)
				r->sockets.item[i].v6only = true;
	}
}

struct reach *reach_find(struct audit *a)
{
	struct reach *r = arena_alloc(&a->arena, sizeof(*r));
	struct wanted *w = arena_alloc(&a->arena, sizeof(*w));

	if (!r || !w)
		return NULL;
	r->fw.arena = &a->arena;
	host_net_read(&a->arena, &a->fs, &r->net);
	proc_net_read(&a->arena, &a->fs, 0, &r->sockets);
	ask_v6only(a, r);
	read_wall(a, r);
	if (r->from == WALL_UNKNOWN)
		return r;
	for (size_t i = 0; i < r->sockets.n; i++)
		if (r->sockets.item[i].listens && !client_socket(r, &r->sockets.item[i]))
			want(w, r->sockets.item[i].udp, r->sockets.item[i].port);
	fw_each_dnat(&r->fw, want_range, w);
	for (unsigned port = 1; port < 65536; port++) {
		if (w->tcp[port / 8] >> port % 8 & 1)
			try_port(a, r, false, port);
		if (w->udp[port / 8] >> port % 8 & 1)
			try_port(a, r, true, port);
	}
	if (r->from != WALL_RULES)
		published(a, r);
	return r;
}
