/* net.bpf.c - the hooks that see an address before any NAT: connect (and sendmsg, where egress cannot read what NAT has
 * changed) refuses blocked ports and marks the sockets that speak DNS; recvmsg remembers who wrote first. */
#include "bpf/maps.h"

/* Who connected this socket to a resolver: of a TCP packet nobody else knows. And room for its question: false, there is
 * none to be had, so that nobody will see the question whole. */
static __always_inline bool mark_dns(struct bpf_sock_addr *ctx)
{
	struct mark *m = bpf_sk_storage_get(&marks, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (m && !(m->flags & MARK_DNS)) {
		m->flags |= MARK_DNS;
		fill_current(&m->tgid, m->comm);
	}
	return ctx->type != SOCK_STREAM || bpf_sk_storage_get(&streams, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
}

/* Nor does anybody else know of a TCP packet that whoever connected its socket had left its container. False: it had, and
 * that cannot be kept. */
static __always_inline bool mark_moved(struct bpf_sock_addr *ctx)
{
	struct pv_home *home = home_of_current();
	struct mark *m = NULL;

	if (home && home->moved)
		m = bpf_sk_storage_get(&marks, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (m)
		m->origin = home->cgroup;
	return m || !home || !home->moved || ctx->type != SOCK_STREAM;
}

/* The socket has no memory left for what its packets are judged by, which any program can bring about (groups to join,
 * filters): it is not connected where the packets could be refused. `kind`: EVENT_DNS_ODD, to a resolver; EVENT_OPENING. */
static __noinline int unkept(const struct addr *daddr, __u16 port, __u32 kind)
{
	bool is_dns = kind == EVENT_DNS_ODD;
	struct pv_home *home = home_of_current();
	struct event_dns *e;
	__u64 cgroup;
	__u32 flags;
	__u8 class_ = 0;

	if (!daddr)
		return 1;
	cgroup = home && home->moved ? home->cgroup : bpf_get_current_cgroup_id();
	flags = judge(cgroup, is_dns ? PV_ALLOW_DNS : PV_ALLOW_NET, is_dns, &class_);
	if (flags & SILENT)
		return 1;
	if (!is_dns && is_net_allowed(daddr))
		flags = EVF_ALLOWED;
	e = event_new(sizeof(*e), kind, flags | (home && home->moved ? EVF_MOVED : 0), cgroup, class_);
	if (e) {
		fill_current(&e->head.tgid, e->head.comm);
		__builtin_memset((void *) e + sizeof(e->head), 0, sizeof(*e) - sizeof(e->head));
		__builtin_memcpy(e->daddr, daddr, sizeof(e->daddr));
		e->dport = port;
		e->proto = IPPROTO_TCP;
		e->pattern = DNS_NO_PATTERN;
		e->what = PV_OPENING_UNKEPT;
		bpf_ringbuf_submit(e, wake());
	}
	return flags & EVF_REFUSED ? 0 : 1;
}

static __always_inline void tell_net(const struct addr *daddr, __u16 port, __u8 proto, __u8 what, __u64 cgroup, __u32 flags, __u8 class_)
{
	struct event_net *e = event_new(sizeof(*e), EVENT_NET, flags, cgroup, class_);

	if (!e)
		return;
	fill_current(&e->head.tgid, e->head.comm);
	__builtin_memcpy(e->daddr, daddr, sizeof(e->daddr));
	e->dport = port;
	e->proto = proto;
	e->by_packet = 0;
	*(__u32 *) &e->what = what; /* and pad */
	bpf_ringbuf_submit(e, wake());
}

static __noinline int blocked_port(const struct addr *daddr, __u16 port, __u8 proto)
{
	struct peer_key key;
	struct pv_home *home;
	__u64 cgroup;
	__u32 flags, opened = PEER_OPENED, *peer;
	__u8 class_ = 0;

	if (!daddr || !is_external(daddr))
		return 1;
	cgroup = bpf_get_current_cgroup_id();
	peer_key(&key, cgroup, daddr, port);
	if (proto == IPPROTO_UDP) {
		peer = bpf_map_lookup_elem(&peers, &key);
		if (peer && *peer == PEER_HEARD)
			return 1;
	}
	home = home_of_current();
	if (home && home->moved)
		cgroup = home->cgroup;
	flags = judge(cgroup, PV_ALLOW_NET, false, &class_);
	if (flags & SILENT)
		return 1;
	if (is_net_allowed(daddr))
		flags = EVF_ALLOWED;
	tell_net(daddr, port, proto, PV_NET_BLOCKED, cgroup, flags | (home && home->moved ? EVF_MOVED : 0), class_);
	if (flags & EVF_REFUSED)
		return 0;
	if (proto == IPPROTO_UDP)
		bpf_map_update_elem(&peers, &key, &opened, BPF_NOEXIST);
	return 1;
}

#define TOLD_PORT 0x10000u /* beside those of map `peers` that were heard of or opened to */

/* A port that pools are known to use, or encrypted questions: told once for each workload and address. Refused are the
 * latter alone, and where the user says so. */
static __noinline int watched_port(const struct addr *daddr, __u16 port, __u8 proto)
{
	__u32 flags, opened = PEER_OPENED;
	__u8 class_ = 0, what = port == 853 ? PV_NET_DOT : port == 443 ? PV_NET_DOH : PV_NET_POOL;
	struct pv_bpf_conf *c = settings();
	struct peer_key key;
	struct pv_home *home;
	__u64 cgroup;

	if (!daddr || !c || (what == PV_NET_DOH && !bpf_map_lookup_elem(&resolvers, daddr)))
		return 1;
	if ((what == PV_NET_POOL && proto != IPPROTO_TCP) || !is_external(daddr) || is_net_allowed(daddr))
		return 1;
	home = home_of_current();
	cgroup = home && home->moved ? home->cgroup : bpf_get_current_cgroup_id();
	if (what != PV_NET_POOL)
		flags = judge_encrypted(cgroup, &class_);
	else
		flags = judge_by(c, c->net_action ? ACTION_ALERT : ACTION_IGNORE, cgroup, PV_ALLOW_NET, &class_);
	if (flags & (SILENT | EVF_ALLOWED))
		return 1;
	peer_key(&key, cgroup, daddr, port);
	key.port |= TOLD_PORT;
	if (!(flags & EVF_REFUSED)) {
		if (bpf_map_lookup_elem(&peers, &key))
			return 1;
		bpf_map_update_elem(&peers, &key, &opened, BPF_NOEXIST);
	}
	tell_net(daddr, port, proto, what, cgroup, flags | (home && home->moved ? EVF_MOVED : 0), class_);
	return flags & EVF_REFUSED ? 0 : 1;
}

/* Where clouds hand a machine or a container its credentials, by the last word of the address: AWS, Google, Azure and others (also as
 * fd00:ec2::254, fd20:ce::254), tasks and pods of AWS (169.254.170.2, .23, fd00:ec2::23), Alibaba. */
static __always_inline bool may_be_metadata(__u32 last)
{
	return last == bpf_htonl(0xa9fea9fe) || last == bpf_htonl(0xa9feaa02) || last == bpf_htonl(0xa9feaa17) ||
	       last == bpf_htonl(0x646464c8) || last == bpf_htonl(0x254) || last == bpf_htonl(0x23);
}

static __always_inline bool is_metadata(const struct addr *a)
{
	bool small = a->w[3] == bpf_htonl(0x254) || a->w[3] == bpf_htonl(0x23);

	if (!may_be_metadata(a->w[3]))
		return false;
	if (is_v4(a))
		return !small;
	return small && !a->w[2] && ((a->w[0] == bpf_htonl(0xfd000ec2) && !a->w[1]) || (a->w[0] == bpf_htonl(0xfd2000ce) && !a->w[1]));
}

#define TOLD_AGAIN 36 /* shift of nanoseconds: about a minute */

/* Of a shell that a server started, and what comes from it, this is reading credentials; a server's own library that asks for
 * its role is ordinary. Never refused. */
static __noinline int metadata(const struct addr *daddr)
{
	struct task_struct *task = (struct task_struct *) bpf_get_current_task();
	__u32 tgid = BPF_CORE_READ(task, tgid), now = bpf_ktime_get_ns() >> TOLD_AGAIN, *told;
	struct pv_home *home = bpf_map_lookup_elem(&homes, &tgid);
	struct pv_workload *w, *root;
	struct peer_key key;
	__u64 cgroup;

	if (!daddr || !home || !(home->role & PV_ROLE_SHELL))
		return 0;
	cgroup = home->moved ? home->cgroup : bpf_get_current_cgroup_id();
	w = workload_of(cgroup);
	root = w ? workload_of(w->root_id) : NULL;
	if (!root || w->class_ != PV_CLASS_CONTAINER || (root->flags & PV_EXEC_BUILD))
		return 0;
	peer_key(&key, cgroup, daddr, 0);
	key.port |= TOLD_PORT;
	told = bpf_map_lookup_elem(&peers, &key);
	if (told && *told == now)
		return 0;
	bpf_map_update_elem(&peers, &key, &now, BPF_ANY);
	tell_net(daddr, 0, 0, PV_NET_METADATA, cgroup, root->flags & PV_ALLOW_EXEC ? EVF_ALLOWED : 0, w->class_);
	return 0;
}

static __noinline int on_address(struct bpf_sock_addr *ctx, const struct addr *daddr, bool kept)
{
	__u16 port = bpf_ntohs(ctx->user_port);

	if (!daddr)
		return 1;
	if (!kept && !unkept(daddr, port, EVENT_OPENING))
		return 0;
	if ((port == 53 || is_embedded_resolver(daddr)) && !mark_dns(ctx) && !unkept(daddr, port, EVENT_DNS_ODD))
		return 0;
	if (is_metadata(daddr))
		metadata(daddr);
	if (!port_told(port))
		return 1;
	if (!port_blocked(port))
		return watched_port(daddr, port, ctx->type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP);
	if (ctx->type == SOCK_STREAM)
		return blocked_port(daddr, port, IPPROTO_TCP);
	/* ping sockets are datagram sockets, too, and their port is none */
	if (ctx->type == SOCK_DGRAM && (ctx->protocol == IPPROTO_UDP || ctx->protocol == IPPROTO_UDPLITE))
		return blocked_port(daddr, port, IPPROTO_UDP);
	return 1;
}

/* Nearly every call ends here: on_address() would find nothing to do. `last` is the address' last word. */
static __always_inline bool is_plain(const struct bpf_sock_addr *ctx, __u32 last)
{
	__u16 port = bpf_ntohs(ctx->user_port);

	return port != 53 && last != EMBEDDED_RESOLVER && !may_be_metadata(last) && !port_told(port);
}

static __always_inline void address_v6(struct bpf_sock_addr *ctx, struct addr *a)
{
	a->w[0] = ctx->user_ip6[0];
	a->w[1] = ctx->user_ip6[1];
	a->w[2] = ctx->user_ip6[2];
	a->w[3] = ctx->user_ip6[3];
}

#define HOOK4(section, name)                                                                       \
	SEC(section) int name(struct bpf_sock_addr *ctx)                                           \
	{                                                                                          \
		struct addr a;                                                                     \
		bool kept = mark_moved(ctx);                                                       \
		if (kept && is_plain(ctx, ctx->user_ip4))                                          \
			return 1;                                                                  \
		v4_mapped(&a, ctx->user_ip4);                                                      \
		/* the verifier wants to see the range */                                          \
		return on_address(ctx, &a, kept) ? 1 : 0;                                          \
	}
#define HOOK6(section, name)                                                                       \
	SEC(section) int name(struct bpf_sock_addr *ctx)                                           \
	{                                                                                          \
		struct addr a;                                                                     \
		bool kept = mark_moved(ctx);                                                       \
		if (kept && is_plain(ctx, ctx->user_ip6[3]))                                       \
			return 1;                                                                  \
		address_v6(ctx, &a);                                                               \
		return on_address(ctx, &a, kept) ? 1 : 0;                                          \
	}
HOOK4("cgroup/connect4", pv_connect4)
HOOK6("cgroup/connect6", pv_connect6)
/* A sendmsg hook anywhere takes the socket's lock for every unconnected send of the machine, which costs more than the rest
 * of us together. So these two are attached only where egress is not or cannot look up the NAT (broker/kernel_links.c). */
HOOK4("cgroup/sendmsg4", pv_sendmsg4)
HOOK6("cgroup/sendmsg6", pv_sendmsg6)

/* Somebody asks a DNS server of ours. The ingress hook sees who asks for what, but costs every packet that comes in: the
 * broker attaches it when this count rises. Until then the client is known where it is the only one. */
static __noinline int served(const struct addr *a)
{
	struct asked_key key = { .cgroup = bpf_get_current_cgroup_id() };
	struct asked value = { 0 }, *last;
	__u8 class_ = class_of(key.cgroup);

	if (!a || class_ == PV_CLASS_PROTECTED || class_ == PV_CLASS_TOP || class_ == PV_CLASS_SESSION)
		return 1;
	count(EVENT_DNS, PV_COUNT_SERVED);
	if (!ingress_rests())
		return 1;
	value.time_ns = bpf_ktime_get_ns();
	last = bpf_map_lookup_elem(&asked, &key);
	if (!last || value.time_ns - last->time_ns > ASKED_NS || same_addr(&last->client, a))
		value.client = *a;
	bpf_map_update_elem(&asked, &key, &value, BPF_ANY);
	return 1;
}

static __always_inline bool is_served(const struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	return sk && sk->src_port == 53;
}

/* A datagram from a blocked port that this workload reads: its answers are those of a server. */
static __always_inline int heard(const struct addr *a, __u16 port)
{
	struct peer_key key;
	__u32 value = PEER_HEARD;

	peer_key(&key, bpf_get_current_cgroup_id(), a, port);
	bpf_map_update_elem(&peers, &key, &value, BPF_NOEXIST);
	return 1;
}

SEC("cgroup/recvmsg4") int pv_recvmsg4(struct bpf_sock_addr *ctx)
{
	__u16 port = bpf_ntohs(ctx->user_port);
	struct addr a;

	if (is_served(ctx)) {
		v4_mapped(&a, ctx->user_ip4);
		return served(&a) ? 1 : 0;
	}
	if (!port_blocked(port))
		return 1;
	v4_mapped(&a, ctx->user_ip4);
	return heard(&a, port);
}

SEC("cgroup/recvmsg6") int pv_recvmsg6(struct bpf_sock_addr *ctx)
{
	__u16 port = bpf_ntohs(ctx->user_port);
	struct addr a;

	if (is_served(ctx)) {
		address_v6(ctx, &a);
		return served(&a) ? 1 : 0;
	}
	if (!port_blocked(port))
		return 1;
	address_v6(ctx, &a);
	return heard(&a, port);
}

char _license[] SEC("license") = "Dual MIT/GPL";
