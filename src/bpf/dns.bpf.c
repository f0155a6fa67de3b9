/* dns.bpf.c - packets. Egress judges DNS questions (UDP datagram by datagram, TCP as a stream) and, for senders that no
 * connect hook saw, blocked ports; ingress remembers who asked a DNS server of ours.
 *
 * Egress comes after the NAT of the sender's own network namespace (the embedded resolver of Docker's networks, a host that
 * redirects port 53). What was asked for stands elsewhere: a connected socket keeps its peer's port, and of a datagram
 * without one the connection tracker's entry, which hangs on the packet, has the original destination.
 *
 * TCP: bytes are let through as they come, in order, and kept until the question is whole. The segment that completes a
 * forbidden one is dropped, and so is everything after it: the server never sees a whole question, while a benign query
 * sent byte by byte is not delayed at all. What is below the mark is a retransmission of bytes already judged.
 *
 * Of any other connection the first 2 kB that this side sends are looked at (opening.h), and of every later packet nothing
 * but how much was acknowledged. */
#include "bpf/maps.h"

/* On packets it may not be called in 6.1: running_cgroup() tells the same. */
#pragma clang poison bpf_get_current_cgroup_id

enum { PASS = 1, DROP = 0 };

/* A function that is not static is looked at once by the verifier and not once for each call: loops over messages and
 * datagrams stay cheap to load. It takes the context and numbers only, hence `slot` instead of pointers. */
#define GLOBAL __attribute__((noinline))

/* ---- scratch slots ---- */

static __always_inline struct scratch *slot_get(__u32 slot)
{
	return bpf_map_lookup_elem(&scratch, &slot);
}

static __noinline int slot_claim(void)
{
	__u32 first = bpf_get_smp_processor_id();

	for (int i = 0; i < 8; i++) {
		__u32 slot = (first + i) & (SCRATCH_SLOTS - 1);
		struct scratch *s = slot_get(slot);
		bool mine;

		if (!s)
			return -1;
		bpf_spin_lock(&s->lock);
		mine = !s->busy;
		s->busy = 1;
		bpf_spin_unlock(&s->lock);
		if (mine) {
			s->state.slot = slot;
			return slot;
		}
	}
	return -1;
}

static __always_inline void slot_release(__u32 slot)
{
	struct scratch *s = slot_get(slot);

	if (!s)
		return;
	bpf_spin_lock(&s->lock);
	s->busy = 0;
	bpf_spin_unlock(&s->lock);
}

static __always_inline const struct dns_table *table(void)
{
	struct pv_bpf_conf *c = settings();
	__u32 which = c ? c->dns_slot & 1 : 0;

	return bpf_map_lookup_elem(&dns, &which);
}

/* skb->sk is read once: each read is another pointer to the verifier, of which it knows nothing. */
static __always_inline struct mark *mark_of(struct __sk_buff *skb, __u64 flags)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? bpf_sk_storage_get(&marks, sk, 0, flags) : NULL;
}

static __always_inline struct stream *stream_of(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? bpf_sk_storage_get(&streams, sk, 0, 0) : NULL;
}

static __always_inline struct first_bytes *first_bytes_of(struct __sk_buff *skb, __u64 flags)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? bpf_sk_storage_get(&first_bytes, sk, 0, flags) : NULL;
}

/* ---- reading packets ---- */

static __always_inline int read_ports(struct __sk_buff *skb, struct packet *p)
{
	__u16 ports[2];

	if (bpf_skb_load_bytes(skb, p->l4, ports, sizeof(ports)) < 0)
		return -1;
	p->sport = bpf_ntohs(ports[0]);
	p->dport = bpf_ntohs(ports[1]);
	return 0;
}

/* UDP-Lite (RFC 3828) has UDP's header but for the length, which nobody here reads. */
static __always_inline bool transport(__u8 proto, struct packet *p)
{
	p->proto = proto == IPPROTO_UDPLITE ? IPPROTO_UDP : proto;
	return p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP;
}

static __always_inline int read_v4(struct __sk_buff *skb, struct packet *p)
{
	struct {
		__u8 version_ihl, tos;
		__u16 len, id, frag;
		__u8 ttl, proto;
		__u16 sum;
		__u32 saddr, daddr;
	} h;

	if (bpf_skb_load_bytes(skb, 0, &h, sizeof(h)) < 0)
		return -1;
	if (!transport(h.proto, p))
		return -1;
	if (h.frag & bpf_htons(0x1fff))
		return -1; /* a later fragment: without its first one it comes to nothing */
	p->first_fragment = !!(h.frag & bpf_htons(0x2000));
	p->l4 = (h.version_ihl & 15) * 4;
	v4_mapped(&p->saddr, h.saddr);
	v4_mapped(&p->daddr, h.daddr);
	return read_ports(skb, p);
}

#define EXTENSIONS 12

/* -2: more extension headers than anybody sends */
static __noinline int walk_extensions(struct __sk_buff *skb, struct packet *p, __u8 next)
{
	__u32 at = 40;

	if (!p)
		return -1;
	for (int i = 0; i < EXTENSIONS; i++) {
		__u8 h[8];

		if (transport(next, p)) {
			p->l4 = at;
			return 0;
		}
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_AH)
			return -1;
		if (bpf_skb_load_bytes(skb, at, h, sizeof(h)) < 0)
			return -1;
		if (next == IPPROTO_FRAGMENT) {
			if ((h[2] << 8 | h[3]) & 0xfff8)
				return -1;
			p->first_fragment = h[3] & 1;
			at += 8;
		} else if (next == IPPROTO_AH) {
			at += (h[1] + 2) * 4;
		} else {
			at += (h[1] + 1) * 8;
		}
		next = h[0];
	}
	return -2;
}

static __always_inline int read_v6(struct __sk_buff *skb, struct packet *p)
{
	struct {
		__u32 flow;
		__u16 len;
		__u8 next, hops;
		struct addr saddr, daddr;
	} h;
	int r;

	if (bpf_skb_load_bytes(skb, 0, &h, sizeof(h)) < 0)
		return -1;
	p->saddr = h.saddr;
	p->daddr = h.daddr;
	p->first_fragment = 0;
	if (transport(h.next, p)) {
		p->l4 = 40;
	} else {
		r = walk_extensions(skb, p, h.next);
		if (r < 0)
			return r;
	}
	return read_ports(skb, p);
}

/* Where nearly every packet has what tells it from those that concern us. */
struct v4_start {
	__u8 version_ihl, tos;
	__u16 len, id, frag;
	__u8 ttl, proto;
	__u16 sum;
	__u32 saddr, daddr;
	__u16 sport, dport;
};

struct v6_start {
	__u32 flow;
	__u16 len;
	__u8 next, hops;
	struct addr saddr, daddr;
	__u16 sport, dport;
};

struct start {
	__u32 last; /* last word of the destination */
	__u16 sport, dport;
	__u8 l4;  /* offset of the transport header */
	bool udp; /* else TCP */
};

/* Reads it straight from the packet. False: it is written in another way (options, fragments, extension headers, a
 * header outside the linear part) or speaks neither UDP nor TCP, all of which read_packet() knows. */
static __always_inline bool read_start(struct __sk_buff *skb, struct start *s)
{
	void *data = (void *) (long) skb->data, *end = (void *) (long) skb->data_end;
	struct v4_start *v4 = data;
	struct v6_start *v6 = data;
	__u8 proto;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if ((void *) (v4 + 1) > end || v4->version_ihl != 0x45 || (v4->frag & bpf_htons(0x3fff)))
			return false;
		proto = v4->proto;
		s->l4 = 20;
		s->last = v4->daddr;
		s->sport = bpf_ntohs(v4->sport);
		s->dport = bpf_ntohs(v4->dport);
	} else {
		if (skb->protocol != bpf_htons(ETH_P_IPV6) || (void *) (v6 + 1) > end)
			return false;
		proto = v6->next;
		s->l4 = 40;
		s->last = v6->daddr.w[3];
		s->sport = bpf_ntohs(v6->sport);
		s->dport = bpf_ntohs(v6->dport);
	}
	s->udp = proto == IPPROTO_UDP;
	return s->udp || proto == IPPROTO_TCP;
}

static __always_inline int read_packet(struct __sk_buff *skb, struct packet *p)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return read_v4(skb, p);
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return read_v6(skb, p);
	return -1;
}

/* ---- before NAT ---- */

struct asked_for {
	struct addr addr;
	__u16 port;
};

/* Is the socket connected to one? It keeps what it was connected to, whatever NAT makes of its packets. */
static __always_inline bool is_resolvers(struct __sk_buff *skb)
{
	return bpf_ntohl(skb->remote_port) == 53 || skb->remote_ip4 == EMBEDDED_RESOLVER;
}

#define CT_INFO	    7ul /* enum ip_conntrack_info: below REPLY it goes the way the connection was opened */
#define CT_IS_REPLY 3

/* Where a packet was sent to: its entry's original destination. False: it has none, or is an answer. `struct nf_conn` stands
 * in the kernel's own BTF even where the tracker is a module; the broker sees to machines on which it does not. */
static __always_inline bool before_nat(struct __sk_buff *skb, bool v4, struct asked_for *a)
{
	struct sk_buff *packet = (void *) skb; /* the context is the packet itself, to whoever does not say so to the verifier */
	const struct nf_conn *ct;
	unsigned long nfct = 0;

	if (!bpf_core_field_exists(packet->_nfct) || !bpf_core_type_exists(struct nf_conn))
		return false;
	if (bpf_core_read(&nfct, sizeof(nfct), &packet->_nfct) < 0 || nfct <= CT_INFO || (nfct & CT_INFO) >= CT_IS_REPLY)
		return false;
	ct = (const void *) (nfct & ~CT_INFO);
	a->port = bpf_ntohs(BPF_CORE_READ(ct, tuplehash[0].tuple.dst.u.all));
	if (v4)
		v4_mapped(&a->addr, BPF_CORE_READ(ct, tuplehash[0].tuple.dst.u3.all[0]));
	else
		bpf_core_read(&a->addr, sizeof(a->addr), &ct->tuplehash[0].tuple.dst.u3);
	return true;
}

/* ---- whose it is ---- */

static __always_inline bool is_raw(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	return sk && sk->type == SOCK_RAW;
}

/* Of a datagram the process that runs is its sender, unless a tunnel of the kernel's sends it in whoever's time. */
static __always_inline bool is_users(struct __sk_buff *skb)
{
	struct sk_buff *packet = (void *) skb;
	struct sock *sk = NULL;

	return bpf_core_read(&sk, sizeof(sk), &packet->sk) == 0 && sk && BPF_CORE_READ(sk, sk_socket, file);
}

struct sender {
	__u64 cgroup;
	__u64 task;	     /* cgroup of the task that runs now, where that is the sender; else the socket's */
	bool moved, running; /* it had left `cgroup`; it is the task that runs now */
};

static __always_inline bool is_judged(__u64 cgroup)
{
	__u8 class_ = class_of(cgroup);

	return class_ != PV_CLASS_PROTECTED && class_ != PV_CLASS_TOP && class_ != PV_CLASS_SESSION;
}

static __always_inline __u64 running_cgroup(void)
{
	struct task_struct *t = (struct task_struct *) bpf_get_current_task();

	return BPF_CORE_READ(t, cgroups, dfl_cgrp, kn, id);
}

/* The socket's cgroup; the one that its user had left; and for a datagram of a socket that somebody made who is never
 * blocked (systemd, a login session) and passed on, the cgroup of who sends it. */
static __noinline int who_sends(struct __sk_buff *skb, __u32 proto, struct sender *s)
{
	struct mark *m = mark_of(skb, 0);
	struct pv_home *home;

	if (!s)
		return 0;
	s->cgroup = s->task = bpf_skb_cgroup_id(skb);
	s->moved = m && m->origin;
	s->running = (proto == IPPROTO_UDP || is_raw(skb)) && is_users(skb);
	if (s->moved)
		s->cgroup = m->origin;
	if (!s->running)
		return 0;
	s->task = running_cgroup();
	home = home_of_current();
	if (home && home->moved) {
		s->cgroup = home->cgroup;
		s->moved = true;
	} else if (!is_judged(s->cgroup) && is_judged(s->task)) {
		s->cgroup = s->task;
	}
	return 0;
}

/* ---- the question ---- */

/* 1 to DNS_BUF, which it is already, in a form that verifiers up to 6.1 follow: to them `!= 0` tells nothing about the
 * smallest value; and out of the compiler's sight, which knows better and would drop it. */
static __always_inline __u32 bounded(__u32 n)
{
	n--;
	barrier_var(n);
	return (n & (DNS_BUF - 1)) + 1;
}

GLOBAL int pv_dns_label(__u32 slot, __u32 len)
{
	struct scratch *s = slot_get(slot);
	const struct dns_table *t = table();

	return s && t ? dns_read_label(&s->state, t, s->buf + 2, len) : DNS_BAD;
}

/* The message at `off`: looked at in scratch[slot]; enum dns_look. */
GLOBAL int pv_dns_datagram(struct __sk_buff *skb, __u32 slot, __u32 off, __u32 len)
{
	struct scratch *s = slot_get(slot);
	const struct dns_table *t = table();

	if (!s || !t)
		return DNS_LOOK_ODD;
	if (len == 0)
		return DNS_LOOK_CUT;
	if (len > DNS_BUF)
		len = DNS_BUF;
	len = bounded(len);
	if (bpf_skb_load_bytes(skb, off, s->buf + 2, len) < 0)
		return DNS_LOOK_CUT;
	return dns_look(&s->state, t, s->buf + 2, len);
}

/* A message of a stream at `off`, with `remain` bytes of segment left: takes what belongs to it, sets s->look and
 * returns how many bytes those were; s->have != 0 afterwards means that the question is not whole yet. */
GLOBAL int pv_dns_stream(struct __sk_buff *skb, __u32 slot, __u32 off, __u32 remain)
{
	struct scratch *s = slot_get(slot);
	const struct dns_table *t = table();
	__u32 have, n, total, use;

	if (!s || !t || !remain)
		return 0;
	s->look = DNS_LOOK_CUT;
	if (s->skip) {
		n = s->skip < remain ? s->skip : remain;
		s->skip -= n;
		return n;
	}
	have = s->have;
	if (have >= DNS_STREAM)
		return 0;
	n = DNS_STREAM - have;
	if (n > remain)
		n = remain;
	barrier_var(have);
	have &= DNS_BUF - 1;
	n = bounded(n);
	if (bpf_skb_load_bytes(skb, off, &s->buf[have], n) < 0)
		return 0;
	s->have = have + n;
	if (s->have < 2)
		return n;
	total = 2 + ((__u32) s->buf[0] << 8 | s->buf[1]);
	use = s->have < total ? s->have : total;
	s->look = dns_look(&s->state, t, s->buf + 2, use - 2);
	if (s->look == DNS_LOOK_CUT) {
		if (use == total || s->have >= DNS_STREAM || s->state.questions > 1)
			s->look = DNS_LOOK_ODD;
		return n;
	}
	s->have = 0;
	s->skip = total - use;
	return use - have;
}

/* `pool.pmbackend` asked of Docker's resolver is the container `pool` on the network `pmbackend`. */
GLOBAL int pv_is_neighbour(__u32 slot)
{
	struct scratch *s = slot_get(slot);
	struct pv_workload *w;
	__u32 at, left = 0, out = 0;

	if (!s || !is_embedded_resolver(&s->pkt.daddr))
		return 0;
	w = workload_of(s->cgroup);
	__builtin_memset(&s->net, 0, sizeof(s->net));
	s->net.root_id = w && w->root_id ? w->root_id : s->cgroup;
	at = 1 + s->state.name[0];
	for (int i = 0; i < PV_NETNAME_LEN; i++) {
		__u8 c;

		if (at >= s->state.len)
			return out && bpf_map_lookup_elem(&netnames, &s->net);
		c = s->state.name[at & 255];
		at++;
		if (left) {
			left--;
		} else {
			left = c;
			if (!out && i == 0)
				continue;
			c = '.';
		}
		if (out >= PV_NETNAME_LEN - 1)
			return 0;
		s->net.name[out & (PV_NETNAME_LEN - 1)] = c;
		out++;
	}
	return 0;
}

GLOBAL int pv_tell_dns(struct __sk_buff *skb, __u32 slot, __u32 kind, __u32 flags, __u32 what)
{
	struct scratch *s = slot_get(slot);
	struct event_dns *e;
	struct asked_key key;
	struct asked *asker;
	struct first_bytes *f;
	struct mark *m;

	if (!s)
		return 0;
	e = event_new(sizeof(*e), kind, flags, s->cgroup, class_of(s->cgroup));
	if (!e)
		return 0;
	m = mark_of(skb, 0);
	f = kind == EVENT_OPENING ? first_bytes_of(skb, 0) : NULL;
	if (f && f->tgid) {
		e->head.tgid = f->tgid;
		__builtin_memcpy(e->head.comm, f->comm, sizeof(e->head.comm));
	} else if (s->pkt.running) {
		fill_current(&e->head.tgid, e->head.comm);
	} else if (m) {
		e->head.tgid = m->tgid;
		__builtin_memcpy(e->head.comm, m->comm, sizeof(e->head.comm));
	}
	__builtin_memcpy(e->saddr, &s->pkt.saddr, sizeof(e->saddr));
	__builtin_memcpy(e->daddr, &s->pkt.daddr, sizeof(e->daddr));
	e->sport = s->pkt.sport;
	e->dport = s->pkt.dport;
	e->proto = s->pkt.proto;
	e->what = what;
	e->pattern = kind == EVENT_DNS_ODD ? DNS_NO_PATTERN : s->state.pattern;
	e->name_len = s->state.len;
	__builtin_memcpy(e->name, s->state.name, sizeof(e->name));
	key.cgroup = s->cgroup;
	key.name_hash = ingress_rests() ? 0 : s->state.name_hash;
	asker = kind == EVENT_DNS ? bpf_map_lookup_elem(&asked, &key) : NULL;
	if (asker && bpf_ktime_get_ns() - asker->time_ns < ASKED_NS)
		__builtin_memcpy(e->client, &asker->client, sizeof(e->client));
	else
		__builtin_memset(e->client, 0, sizeof(e->client));
	bpf_ringbuf_submit(e, wake());
	return 0;
}

/* What cannot be read is told once per socket: a tunnel that uses port 53 would else fill the ring. */
static __always_inline void tell_odd(struct __sk_buff *skb, __u32 slot, __u32 flags)
{
	struct mark *m = mark_of(skb, BPF_SK_STORAGE_GET_F_CREATE);

	if (m) {
		if (m->flags & MARK_ODD_TOLD)
			return;
		m->flags |= MARK_ODD_TOLD;
	}
	pv_tell_dns(skb, slot, EVENT_DNS_ODD, flags, 0);
}

/* One UDP message. Not whole: the first fragment of a datagram cut in the middle of its question is dropped, for the
 * rest of it goes unseen; anything else that cannot be read is told and let through. */
GLOBAL int pv_datagram(struct __sk_buff *skb, __u32 slot, __u32 off, __u32 len)
{
	struct scratch *s = slot_get(slot);
	__u32 verdict;
	int look;

	if (!s)
		return PASS;
	verdict = s->verdict;
	look = pv_dns_datagram(skb, slot, off, len);
	s = slot_get(slot);
	if (!s || look == DNS_LOOK_ANSWER)
		return PASS;
	if (look == DNS_LOOK_MATCH && !pv_is_neighbour(slot)) {
		pv_tell_dns(skb, slot, EVENT_DNS, verdict, 0);
		return verdict & EVF_REFUSED ? DROP : PASS;
	}
	if (look == DNS_LOOK_CUT && s->pkt.first_fragment && (verdict & EVF_REFUSED)) {
		tell_odd(skb, slot, verdict);
		return DROP;
	}
	if (look == DNS_LOOK_CUT || look == DNS_LOOK_ODD || s->state.questions != 1)
		tell_odd(skb, slot, verdict & ~EVF_REFUSED);
	return PASS;
}

#define GSO_SEGMENTS 128 /* UDP_MAX_SEGMENTS; 64 before 6.10 */

static __always_inline int on_udp(struct __sk_buff *skb, __u32 slot, __u32 off)
{
	__u32 len = skb->len > off ? skb->len - off : 0, step = skb->gso_size;

	if (!step || step >= len)
		return pv_datagram(skb, slot, off, len);
	for (int i = 0; i < GSO_SEGMENTS && len; i++) { /* UDP_SEGMENT: many datagrams in one packet */
		__u32 n = len < step ? len : step;

		if (pv_datagram(skb, slot, off, n) == DROP)
			return DROP;
		off += n;
		len -= n;
	}
	return len ? DROP : PASS;
}

#define TCP_URG 0x20

enum { STREAM_DROP = 0, STREAM_PASS = -1 };

/* One message, or what this segment has of it: the bytes it took, or STREAM_*, after which nothing more is looked at. */
GLOBAL int pv_stream_message(struct __sk_buff *skb, __u32 slot, __u32 off, __u32 len)
{
	int n = pv_dns_stream(skb, slot, off, len);
	struct scratch *s = slot_get(slot);

	if (!s || n <= 0 || n > len)
		return STREAM_DROP;
	if (s->look == DNS_LOOK_CUT || s->look == DNS_LOOK_ANSWER)
		return n;
	if (s->look == DNS_LOOK_ODD || s->state.questions != 1) {
		s->known = 0;
		tell_odd(skb, slot, s->verdict);
		return s->verdict & EVF_REFUSED ? STREAM_DROP : STREAM_PASS;
	}
	if (s->look == DNS_LOOK_MATCH && !pv_is_neighbour(slot)) {
		if (!s->held)
			pv_tell_dns(skb, slot, EVENT_DNS, s->verdict, 0);
		if (s->verdict & EVF_REFUSED)
			return STREAM_DROP;
	}
	return n;
}

#define STREAM_MESSAGES 1024 /* of one segment: a message has 17 octets or more */

/* All that is in one segment from `off` on. PASS, or DROP; after PASS s->have, s->skip and s->buf are the state. */
GLOBAL int pv_stream_bytes(struct __sk_buff *skb, __u32 slot, __u32 off, __u32 len)
{
	for (int i = 0; i < STREAM_MESSAGES; i++) {
		int n;

		if (!len)
			return PASS;
		n = pv_stream_message(skb, slot, off, len);
		if (n <= 0)
			return n == STREAM_PASS ? PASS : DROP;
		off += n;
		len -= n;
	}
	return DROP;
}

static __always_inline void stream_load(struct scratch *s, const struct stream *st)
{
	s->have = st->have;
	s->skip = st->skip;
	__builtin_memcpy(s->buf, st->buf, sizeof(st->buf));
}

static __always_inline void stream_save(struct stream *st, const struct scratch *s, __u32 next)
{
	st->next = next;
	st->known = s->known;
	st->held = 0;
	st->have = s->have;
	st->skip = s->skip;
	__builtin_memcpy(st->buf, s->buf, sizeof(st->buf));
}

static __always_inline int tcp_stream(struct __sk_buff *skb, struct scratch *s, struct stream *st, __u32 slot, __u32 seq,
				      __u32 off, __u32 len, bool syn)
{
	__s32 ahead;
	int r;

	if (syn) {
		seq++;
		st->known = 0;
	}
	if (!st->known) { /* a new connection, or one that is older than we are */
		st->known = 1;
		st->held = 0;
		st->next = seq;
		st->have = 0;
		st->skip = 0;
	}
	if (!len)
		return PASS;
	ahead = st->next - seq;
	if (ahead < 0) {
		if (s->verdict & EVF_REFUSED)
			return DROP; /* what lies between was held back */
		st->next = seq;
		st->have = 0;
		st->skip = 0;
		ahead = 0;
	}
	if (ahead >= len)
		return PASS;
	s->known = 1;
	s->held = st->held;
	stream_load(s, st);
	r = pv_stream_bytes(skb, slot, off + ahead, len - ahead);
	if (r == PASS)
		stream_save(st, s, seq + len);
	else
		st->held = 1;
	return r;
}

/* No state: a raw socket, a connection from before our time, a server that answers a client with source port 53. The
 * last two are not held back for what cannot be read. */
static __always_inline int tcp_stateless(struct __sk_buff *skb, struct scratch *s, __u32 slot, __u32 off, __u32 len, bool raw)
{
	__u32 verdict = s->verdict;
	int look;

	if (!len)
		return PASS;
	if (raw) {
		s->have = 0;
		s->skip = 0;
		s->held = 0;
		if (pv_stream_bytes(skb, slot, off, len) == DROP)
			return DROP;
		return s->have && (verdict & EVF_REFUSED) ? DROP : PASS;
	}
	look = len > 2 ? pv_dns_datagram(skb, slot, off + 2, len - 2) : DNS_LOOK_CUT;
	if (look != DNS_LOOK_MATCH || pv_is_neighbour(slot))
		return PASS;
	pv_tell_dns(skb, slot, EVENT_DNS, verdict, 0);
	return verdict & EVF_REFUSED ? DROP : PASS;
}

static __always_inline int on_tcp(struct __sk_buff *skb, struct scratch *s, __u32 slot)
{
	struct {
		__u16 sport, dport;
		__u32 seq, ack;
		__u8 offset, flags;
	} h;
	__u32 off, len;
	struct stream *st = stream_of(skb);

	if (bpf_skb_load_bytes(skb, s->pkt.l4, &h, 14) < 0)
		return s->verdict & EVF_REFUSED ? DROP : PASS; /* cut within the header: nobody's stack does that */
	off = s->pkt.l4 + (h.offset >> 4) * 4;
	len = skb->len > off ? skb->len - off : 0;
	if (len && (h.flags & TCP_URG)) { /* what the other end reads is not what goes by here */
		tell_odd(skb, slot, s->verdict);
		return s->verdict & EVF_REFUSED ? DROP : PASS;
	}
	if (st)
		return tcp_stream(skb, s, st, slot, bpf_ntohl(h.seq), off, len, h.flags & 2);
	return tcp_stateless(skb, s, slot, off, len, is_raw(skb));
}

static __noinline int on_dns(struct __sk_buff *skb, const struct packet *p)
{
	struct sender from = { 0 };
	__u8 class_ = 0;
	__u32 verdict;
	struct scratch *s;
	int slot, r;

	if (!p)
		return PASS;
	who_sends(skb, p->proto, &from);
	verdict = judge(from.cgroup, PV_ALLOW_DNS, true, &class_);
	if (verdict & SILENT)
		return PASS;
	slot = slot_claim();
	s = slot_get(slot);
	if (slot < 0 || !s)
		return verdict & EVF_REFUSED ? DROP : PASS; /* 8 questions in the air on one CPU: ask again */
	s->pkt = *p;
	s->cgroup = from.cgroup;
	s->pkt.running = from.running;
	s->verdict = verdict | (from.moved ? EVF_MOVED : 0);
	s->state.len = 0;
	s->state.name_hash = 0;
	r = p->proto == IPPROTO_UDP ? on_udp(skb, slot, p->l4 + 8) : on_tcp(skb, s, slot);
	slot_release(slot);
	return r;
}

/* ---- what a connection begins with ---- */

GLOBAL int pv_opening_take(__u32 slot, __u32 at, __u32 len)
{
	struct scratch *s = slot_get(slot);

	return s && at < len ? opening_take(&s->opening, s->buf, at, len) : 0;
}

/* As much of the segment as the buffer holds: how many octets that were; 0: nothing more is to be learned. */
GLOBAL int pv_opening_chunk(struct __sk_buff *skb, __u32 slot, __u32 off, __u32 len)
{
	struct scratch *s = slot_get(slot);
	__u32 at = 0;

	if (!s || !len)
		return 0;
	if (len > DNS_BUF)
		len = DNS_BUF;
	len = bounded(len);
	if (bpf_skb_load_bytes(skb, off, s->buf, len) < 0)
		return 0;
	for (int i = 0; i < DNS_BUF; i++) {
		if (at >= len)
			return len;
		at += pv_opening_take(slot, at, len);
		if (s->opening.found || s->opening.kind == OPENING_OTHER)
			return 0;
	}
	return len;
}

GLOBAL int pv_name_char(__u32 slot, __u32 i, __u32 len)
{
	struct scratch *s = slot_get(slot);
	const struct dns_table *t = table();

	return s && t ? dns_read_char(&s->state, t, s->opening.name, i, len) : DNS_BAD;
}

/* The TLS server's name: enum pv_opening_what, 0 where it is nobody's concern. */
GLOBAL int pv_name_judged(__u32 slot)
{
	struct scratch *s = slot_get(slot);
	const struct dns_table *t = table();
	int r = DNS_BAD;

	if (!s || !t)
		return 0;
	dns_reset(&s->state);
	for (__u32 i = 0; i <= 255; i++) {
		r = pv_name_char(slot, i, s->opening.name_len);
		if (r)
			break;
	}
	if (r != DNS_END)
		return 0;
	s->state.pattern = dns_verdict(&s->state, t);
	if (s->state.pattern != DNS_NO_PATTERN)
		return PV_OPENING_SNI;
	return pool_of(&s->state, t) & POOL_RESOLVER ? PV_OPENING_RESOLVER : 0;
}

/* A miner's words, or a name that is somebody's concern: EVF_* of what becomes of it, SILENT where nobody is told. The task that runs sends it, as far
 * as the two share a cgroup: most writes lead to their packet at once. */
GLOBAL __u32 pv_on_opening(struct __sk_buff *skb, __u32 slot, __u32 what)
{
	struct scratch *s = slot_get(slot);
	struct sender from = { 0 };
	__u32 verdict;
	__u8 class_ = 0;

	if (!s || read_packet(skb, &s->pkt) < 0)
		return SILENT;
	who_sends(skb, s->pkt.proto, &from);
	verdict = what == PV_OPENING_RESOLVER ? judge_encrypted(from.cgroup, &class_) : judge(from.cgroup, PV_ALLOW_NET, false, &class_);
	if (what == PV_OPENING_UNKEPT && !(verdict & EVF_REFUSED)) { /* it may become either */
		__u32 encrypted = judge_encrypted(from.cgroup, &class_);

		if (encrypted & EVF_REFUSED)
			verdict = encrypted;
	}
	if (verdict & SILENT)
		return verdict;
	if (is_net_allowed(&s->pkt.daddr))
		verdict = EVF_ALLOWED;
	if (what == PV_OPENING_RESOLVER && (verdict & EVF_ALLOWED))
		return SILENT;
	s->cgroup = from.cgroup;
	s->pkt.running = running_cgroup() == from.task;
	if (what != PV_OPENING_SNI && what != PV_OPENING_RESOLVER) {
		dns_reset(&s->state);
		s->state.name_hash = 0;
	}
	return verdict | (from.moved ? EVF_MOVED : 0);
}

/* All that the segment at `off` has of the first bytes: enum pv_opening_what, 0 where they are nobody's concern so far. */
GLOBAL int pv_opening_bytes(struct __sk_buff *skb, __u32 slot, __u32 off, __u32 len)
{
	struct scratch *s = slot_get(slot);

	if (!s)
		return 0;
	for (int i = 0; i < OPENING_BYTES / DNS_BUF && len; i++) {
		int n = pv_opening_chunk(skb, slot, off, len);

		if (n <= 0 || n > len)
			break;
		off += n;
		len -= n;
	}
	if (s->opening.found == OPENING_MINER)
		return PV_OPENING_MINER;
	return s->opening.found ? pv_name_judged(slot) : 0;
}

#define URGENT 0x80000000u /* beside `at`, which is never so large */

/* Octets of a connection's beginning at `off`. `at`: of the stream's, how many came before (a client's first octet is 1, for
 * its SYN was acknowledged). Nothing is kept for a connection whose first segment tells it all, which is nearly every one.
 * Where it cannot be kept the segment is held back: TCP sends it again, and no later one before it. Who has used up his
 * socket's memory himself, which any program can (groups to join, filters), gets nowhere.
 * URGENT: the other end may leave an octet out, so that it reads other words than these. No protocol begins so; those that
 * have a use for urgent data (telnet, FTP, Oracle's) have said what they are before. */
static __noinline int opening_segment_at(struct __sk_buff *skb, __u32 off, __u32 len, __u32 seq, __u32 at)
{
	bool urgent = at & URGENT;
	struct bpf_sock *sk = skb->sk;
	struct first_bytes *f;
	struct scratch *s;
	__u32 verdict = SILENT;
	int slot, r, what;
	__s32 ahead = 0;

	if (!sk)
		return PASS;
	at &= ~URGENT;
	f = first_bytes_of(skb, 0);
	if (f && f->begin != seq - at) {
		bpf_sk_storage_delete(&first_bytes, sk);
		f = NULL;
	}
	if (f ? f->cut : at > 1)
		return f ? DROP : PASS;
	if (f) {
		ahead = f->next - seq;
		if (ahead < 0 || ahead >= len)
			return PASS; /* a gap, or a retransmission */
	}
	slot = slot_claim();
	s = slot_get(slot);
	if (slot < 0 || !s)
		return PASS;
	if (f) {
		s->opening = f->o;
		opening_segment(&s->opening);
	} else {
		opening_begin(&s->opening);
	}
	what = pv_opening_bytes(skb, slot, off + ahead, len - ahead);
	if (urgent && !what)
		what = PV_OPENING_URGENT;
	if (!f && (what || opening_goes_on(&s->opening))) {
		f = first_bytes_of(skb, BPF_SK_STORAGE_GET_F_CREATE);
		if (f)
			f->begin = seq - at;
		if (f && running_cgroup() == bpf_skb_cgroup_id(skb))
			fill_current(&f->tgid, f->comm);
		if (!f && !what)
			what = PV_OPENING_UNKEPT;
	}
	if (what)
		verdict = pv_on_opening(skb, slot, what);
	if (!(verdict & SILENT)) /* here, for the sake of the stack: see stack.py */
		pv_tell_dns(skb, slot, EVENT_OPENING, verdict, what);
	r = verdict & EVF_REFUSED ? DROP : PASS;
	if (f) {
		f->o = s->opening;
		f->next = seq + len;
		f->cut = r == DROP;
		if (r != DROP && !opening_goes_on(&s->opening))
			bpf_sk_storage_delete(&first_bytes, sk);
	}
	slot_release(slot);
	return r;
}

struct tcp_start {
	__u16 sport, dport;
	__u32 seq, ack;
	__u8 offset, flags;
};

GLOBAL int pv_opening(struct __sk_buff *skb, __u32 l4)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp;
	struct tcp_start h;
	__u32 off, seq;
	__u64 at;

	if (!sk)
		return PASS;
	tcp = bpf_tcp_sock(sk);
	if (!tcp || bpf_skb_load_bytes(skb, l4, &h, 14) < 0)
		return PASS;
	seq = bpf_ntohl(h.seq) + (h.flags >> 1 & 1); /* TCP fast open: data behind a SYN */
	at = tcp->bytes_acked + (__u32) (seq - tcp->snd_una);
	off = l4 + (h.offset >> 4) * 4;
	if (at > OPENING_BYTES || skb->len <= off)
		return PASS;
	if (h.flags & TCP_URG)
		at |= URGENT;
	return opening_segment_at(skb, off, skb->len - off, seq, at) == DROP ? DROP : PASS;
}

/* Has its connection only begun, and is there anything in it? The acknowledgements of a long download, and the segments of
 * a long upload, end here. */
static __always_inline bool is_opening(struct __sk_buff *skb, const struct start *s)
{
	void *data = (void *) (long) skb->data, *end = (void *) (long) skb->data_end;
	struct tcp_start *h = data + s->l4;
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp;

	if (s->udp || !sk || (void *) h + 14 > end || skb->len <= s->l4 + (h->offset >> 4) * 4)
		return false;
	tcp = bpf_tcp_sock(sk);
	return tcp && tcp->bytes_acked <= OPENING_BYTES;
}

/* ---- blocked ports, by packet ---- */

static __always_inline bool is_first_syn(struct __sk_buff *skb, const struct packet *p)
{
	__u8 flags;

	if (bpf_skb_load_bytes(skb, p->l4 + 13, &flags, 1) < 0)
		return true; /* a fragment that ends before the flags hides them */
	return (flags & 0x12) == 0x02;
}

static __always_inline void tell_packet(const struct packet *p, const struct sender *from, __u32 flags, __u8 class_)
{
	struct event_net *e;

	if (from->moved)
		flags |= EVF_MOVED;
	e = event_new(sizeof(*e), EVENT_NET, flags, from->cgroup, class_);
	if (!e)
		return;
	if (from->running)
		fill_current(&e->head.tgid, e->head.comm);
	__builtin_memcpy(e->daddr, &p->daddr, sizeof(e->daddr));
	e->dport = p->dport;
	e->proto = p->proto;
	e->by_packet = 1;
	*(__u32 *) &e->what = PV_NET_BLOCKED; /* and pad */
	bpf_ringbuf_submit(e, wake());
}

/* TCP has been judged at connect, but for raw sockets; a listener's answers are never looked at. `p` is where the packet
 * goes to, or where it was sent to. */
static __noinline int on_blocked(struct __sk_buff *skb, const struct packet *p)
{
	__u32 verdict, opened = PEER_OPENED, *peer;
	struct sender from = { 0 };
	struct peer_key key;
	__u8 class_ = 0;

	if (!p || !is_external(&p->daddr))
		return PASS;
	if (p->proto == IPPROTO_TCP && !(is_raw(skb) && is_first_syn(skb, p)))
		return PASS;
	who_sends(skb, p->proto, &from);
	peer_key(&key, from.task, &p->daddr, p->dport);
	peer = p->proto == IPPROTO_UDP ? bpf_map_lookup_elem(&peers, &key) : NULL;
	if (peer && *peer == PEER_HEARD)
		return PASS;
	verdict = judge(from.cgroup, PV_ALLOW_NET, false, &class_);
	if (verdict & SILENT)
		return PASS;
	if (is_net_allowed(&p->daddr))
		verdict = EVF_ALLOWED;
	if (verdict & EVF_REFUSED) {
		tell_packet(p, &from, verdict, class_);
		return DROP;
	}
	if (peer)
		return PASS; /* told already, here or at connect */
	tell_packet(p, &from, verdict, class_);
	bpf_map_update_elem(&peers, &key, &opened, BPF_NOEXIST);
	return PASS;
}

/* Blocked as sent? The packet itself has been judged. */
static __noinline int on_blocked_before(struct __sk_buff *skb, const struct packet *p, const struct asked_for *a)
{
	struct packet sent;

	if (!p || !a || p->proto != IPPROTO_UDP || !port_blocked(a->port) || (a->port == p->dport && a->addr.w[3] == p->daddr.w[3]))
		return PASS;
	sent = *p;
	sent.daddr = a->addr;
	sent.dport = a->port;
	return on_blocked(skb, &sent);
}

GLOBAL int pv_look_out(struct __sk_buff *skb)
{
	struct packet p = { 0 };
	struct asked_for a = { 0 };
	int r;

	r = read_packet(skb, &p);
	if (r == -2) {
		__u8 class_;

		return judge(bpf_skb_cgroup_id(skb), 0, false, &class_) == EVF_REFUSED ? DROP : PASS;
	}
	if (r < 0)
		return PASS;
	if (p.proto == IPPROTO_TCP && pv_opening(skb, p.l4) == DROP)
		return DROP;
	if (port_blocked(p.dport) && on_blocked(skb, &p) == DROP)
		return DROP;
	if (before_nat(skb, is_v4(&p.daddr), &a) && on_blocked_before(skb, &p, &a) == DROP)
		return DROP;
	if (p.dport != 53 && !is_embedded_resolver(&p.daddr) && !is_resolvers(skb) && a.port != 53 && !is_embedded_resolver(&a.addr))
		return PASS;
	return on_dns(skb, &p);
}

/* A datagram that holds one question, and that one is nobody's concern: whoever sends it and wherever to, it passes.
 * Most are like that, so this comes before the question of who it is, which costs as much. */
GLOBAL int pv_is_clean(struct __sk_buff *skb, __u32 off)
{
	int slot, clean = 0;
	struct scratch *s;

	if (skb->gso_size || skb->len <= off)
		return 0;
	slot = slot_claim();
	if (slot < 0)
		return 0;
	if (pv_dns_datagram(skb, slot, off, skb->len - off) == DNS_LOOK_CLEAN) {
		s = slot_get(slot);
		clean = s && s->state.questions == 1;
	}
	slot_release(slot);
	return clean;
}

enum { NOT_OURS, SENT_TO_RESOLVER, SENT_TO_BLOCKED };

/* Was it sent to a port or an address that concerns us, before NAT gave it these? A socket that is connected to where the
 * packet goes has been seen at connect. */
static __always_inline int sent_to(struct __sk_buff *skb, const struct start *s)
{
	struct asked_for a;

	if (is_resolvers(skb))
		return SENT_TO_RESOLVER;
	if (!s->udp || bpf_ntohl(skb->remote_port) == s->dport)
		return NOT_OURS;
	if (!before_nat(skb, skb->protocol == bpf_htons(ETH_P_IP), &a))
		return NOT_OURS;
	if (port_blocked(a.port))
		return SENT_TO_BLOCKED;
	return a.port == 53 || a.addr.w[3] == EMBEDDED_RESOLVER ? SENT_TO_RESOLVER : NOT_OURS;
}

/* Every packet of the machine comes by here: what pv_look_out() would only pass is passed by as few steps as can be. */
SEC("cgroup_skb/egress") int pv_egress(struct __sk_buff *skb)
{
	int to = SENT_TO_RESOLVER;
	struct start s;

	if (!read_start(skb, &s))
		return pv_look_out(skb) == DROP ? DROP : PASS; /* the verifier wants to see the range */
	/* a connection's ports were judged at connect; what is left of TCP comes from raw sockets */
	if ((!s.udp && bpf_ntohl(skb->remote_port) == s.dport) || !port_blocked(s.dport)) {
		if (s.dport != 53 && s.last != EMBEDDED_RESOLVER)
			to = sent_to(skb, &s);
		if (to == NOT_OURS && is_opening(skb, &s))
			return pv_opening(skb, s.l4) == DROP ? DROP : PASS;
		if (to == NOT_OURS || (to == SENT_TO_RESOLVER && s.udp && pv_is_clean(skb, s.l4 + 8)))
			return PASS;
	}
	return pv_look_out(skb) == DROP ? DROP : PASS;
}

/* ---- what comes in ---- */

static __noinline int remember_asker(struct __sk_buff *skb, const struct packet *p)
{
	__u32 off = p ? p->l4 + 8 : 0;
	struct asked_key key;
	struct asked value;
	struct scratch *s;
	int slot = p ? slot_claim() : -1;

	if (slot < 0 || !p)
		return PASS;
	s = slot_get(slot);
	if (s && skb->len > off && pv_dns_datagram(skb, slot, off, skb->len - off) == DNS_LOOK_MATCH) {
		key.cgroup = bpf_skb_cgroup_id(skb);
		key.name_hash = s->state.name_hash;
		value.client = p->saddr;
		value.time_ns = bpf_ktime_get_ns();
		bpf_map_update_elem(&asked, &key, &value, BPF_ANY);
	}
	slot_release(slot);
	return PASS;
}

GLOBAL int pv_look_in(struct __sk_buff *skb)
{
	struct packet p = { 0 };

	if (read_packet(skb, &p) < 0 || p.proto != IPPROTO_UDP || p.dport != 53)
		return PASS;
	return remember_asker(skb, &p);
}

SEC("cgroup_skb/ingress") int pv_ingress(struct __sk_buff *skb)
{
	struct start s;

	if (!read_start(skb, &s) || (s.udp && s.dport == 53))
		(void) pv_look_in(skb); /* it only remembers */
	return PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
