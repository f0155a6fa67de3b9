/* maps.h - the maps, and what every program needs: settings, counters, classes, the ring. Included by each *.bpf.c;
 * the linker (bpftool gen object) makes one map out of the weak definitions of one name. */
#ifndef PV_BPF_MAPS_H
#define PV_BPF_MAPS_H

#include "bpf/event.h"
#define DNS_READ_LABEL(s, t, buf, len, slot) pv_dns_label(slot, len)
int pv_dns_label(__u32 slot, __u32 len); /* dns.bpf.c */
#include "bpf/opening.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ACTION_IGNORE 0 /* as in model/action.h, which user space has */
#define ACTION_ALERT  1
#define ACTION_BLOCK  2
#define ACTION_AUTO   7

#define PEER_HEARD  1 /* value of map `peers`: it wrote to this cgroup first: answers are a server's */
#define PEER_OPENED 2 /* this cgroup wrote first, it was let through and told */

#define MARK_DNS      (1u << 0) /* connected to a resolver: maker and sender are known */
#define MARK_ODD_TOLD (1u << 1)

#define DNS_STREAM (2 + DNS_QUESTION_MAX) /* length prefix and question */
#define SCRATCH_SLOTS 32
#define EXEC_ROOMS    5

struct addr {
	__u32 w[4]; /* network order; IPv4 as v4-mapped IPv6 */
};

struct peer_key {
	__u64 cgroup;
	struct addr addr;
	__u32 port; /* host byte order */
	__u32 pad;
};

struct asked_key {
	__u64 cgroup;
	__u64 name_hash; /* 0: whatever it asked for, the only client for a while */
};

#define ASKED_NS 5000000000ull /* a server asks on at once, or its client has given up */

struct asked {
	struct addr client;
	__u64 time_ns;
};

struct mark { /* per socket */
	__u64 origin; /* cgroup that whoever connected it had left; 0: none */
	__u32 tgid;   /* of who connected it to a resolver */
	__u32 flags;
	char comm[PV_COMM_LEN];
};

struct stream { /* per TCP socket that speaks DNS: the question so far */
	__u32 next; /* sequence number after the last byte that was let through */
	__u32 have; /* bytes of the message in buf, prefix included; buf is kept between segments */
	__u32 skip; /* bytes of a judged message still to come */
	__u16 known;
	__u16 held; /* what comes at `next` was dropped and told: its retransmissions are only dropped */
	__u8 buf[DNS_STREAM + 7];
};

struct first_bytes { /* per TCP socket whose first bytes are not all there yet, or were judged and cut */
	__u32 next; /* sequence number after the last byte that was looked at */
	__u32 cut;  /* refused and told: all that comes is dropped */
	__u32 tgid; /* of who sent the first of them, if that is known; what waits for room is sent in anybody's time */
	char comm[PV_COMM_LEN];
	__u32 begin; /* sequence number of the connection's SYN: a socket can be connected again */
	struct opening o;
};

struct packet {
	struct addr saddr, daddr;
	__u32 l4; /* offset of the transport header */
	__u16 sport, dport;
	__u8 proto, first_fragment;
	__u8 running, pad; /* the task that runs now sends it */
};

/* Room for one DNS packet under the magnifier: too large for the stack, and a per-CPU map is not private where
 * programs are preempted or interrupted (a softirq sends and receives DNS, too). So slots are claimed under a lock. */
struct scratch {
	struct bpf_spin_lock lock;
	__u32 busy;
	struct packet pkt;
	struct dns_state state;
	__u32 have, skip, look, known;
	__u64 cgroup;
	__u32 verdict, held;
	struct pv_netname_key net;
	struct opening opening;
	__u8 buf[2 + DNS_STREAM * 2 + DNS_BUF]; /* message from index 2 on, before it a stream's length prefix */
};

struct told_key { /* a program that is told only, so that a build's thousandth run of its compiler costs no event */
	__u64 root, ino, ctime_ns;
	__u32 dev, what; /* what: the verdict; another one is told anew */
};

struct told {
	__u64 time_ns;
	__u32 repeats, pad;
};

/* What the exec hook has found out about one program. It stands in a map, not on the stack: what the verifier does not
 * know the value of, it follows once. */
struct exec_look {
	__u64 lower_size;
	__u32 flags; /* EVF_* */
	__u8 place, why, bits, pad;
	__u32 kind, role; /* PV_NAME_* of its name; PV_ROLE_* of the process */
};

/* The path is put together from its end, with room behind the end for a name's copy that is cut afterwards. */
struct exec_scratch {
	struct event_exec e;
	struct exec_look look;
	struct pv_path_key key;
	__u32 at; /* where the path begins so far; in pv_script_kind() where a name begins */
	__u32 arg, option, found, word;
	__u32 busy; /* a mapping is judged in it */
	__u64 hash; /* of the script's name */
	struct dentry *dentry; /* of the program, for pv_exec_path() */
	struct vfsmount *mnt;
	char path[PV_EXEC_PATH * 2];
};

#define MAP(name) name SEC(".maps") __attribute__((weak))

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pv_bpf_conf);
} MAP(conf);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY); /* a bit per port: an array look-up is inlined, a hash is a call */
	__uint(max_entries, 65536 / 64);
	__type(key, __u32);
	__type(value, struct pv_ports);
} MAP(ports);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, struct addr); /* of public resolvers that speak HTTPS */
	__type(value, __u32);
} MAP(resolvers);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct pv_lpm_key);
	__type(value, __u32);
} MAP(internal);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct pv_lpm_key);
	__type(value, __u32);
} MAP(net_allow);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct pv_workload);
} MAP(workloads);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct pv_netname_key);
	__type(value, __u32);
} MAP(netnames);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2); /* conf.dns_slot says which is in force; a new one is written beside it */
	__type(key, __u32);
	__type(value, struct dns_table);
} MAP(dns);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} MAP(events);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PV_COUNTERS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} MAP(counters);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32); /* tgid of a container's process */
	__type(value, struct pv_home);
} MAP(homes);

struct {
	__uint(type, BPF_MAP_TYPE_HASH); /* preallocated: raw tracepoints demand it */
	__uint(max_entries, 256);
	__type(key, __u32); /* pid of an OOM victim that is not dead yet */
	__type(value, __u32);
} MAP(victims);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64); /* topmost cgroup of a container or build */
	__type(value, struct pv_exec);
} MAP(execs);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH); /* a container that is started again has no second grace */
	__uint(max_entries, 8192);
	__type(key, __u64); /* hash of its id */
	__type(value, __u64); /* CLOCK_MONOTONIC of its first start */
} MAP(firsts);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct pv_name_key);
	__type(value, __u32); /* PV_NAME_* */
} MAP(exec_names);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 128);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct pv_path_key);
	__type(value, __u32);
} MAP(exec_allow);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct told_key);
	__type(value, struct told);
} MAP(exec_told);

struct {
	/* The first is for exec: a tracepoint's programs run with preemption off, and nothing execs in between. The others are for what
	 * is mapped, where each is claimed. */
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EXEC_ROOMS);
	__type(key, __u32);
	__type(value, struct exec_scratch);
} MAP(exec_room);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct peer_key);
	__type(value, __u32);
} MAP(peers);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct asked_key);
	__type(value, struct asked);
} MAP(asked);

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct mark);
} MAP(marks);

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct stream);
} MAP(streams);

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct first_bytes);
} MAP(first_bytes);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCH_SLOTS);
	__type(key, __u32);
	__type(value, struct scratch);
} MAP(scratch);

struct cgroup_name {
	char text[128 + 8]; /* a comparison at its very end reads on */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* cgroups are made one at a time, under cgroup_mutex */
	__type(key, __u32);
	__type(value, struct cgroup_name);
} MAP(cgroup_name);

static __always_inline struct pv_bpf_conf *settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&conf, &zero);
}

static __always_inline bool ingress_rests(void)
{
	struct pv_bpf_conf *c = settings();

	return c && c->ingress_rests;
}

static __always_inline void count(__u32 kind, __u32 what)
{
	__u32 index = kind * PV_COUNT_STEP + what;
	__u64 *n = bpf_map_lookup_elem(&counters, &index);

	if (n)
		__sync_fetch_and_add(n, 1);
}

#define BPF_RB_NO_WAKEUP    1
#define BPF_RB_FORCE_WAKEUP 2

/* How a record is sent that may wait until the reader looks by itself; called before and after it. The kernel wakes the reader for no record but the
 * one that it comes to next, so this one would keep it asleep for all that follow: the next of them wakes it, whatever the kernel thinks. */
static __always_inline __u64 quietly(void)
{
	__u32 index = PV_QUIET;
	__u64 *quiet = bpf_map_lookup_elem(&counters, &index);

	if (quiet)
		*quiet = 1;
	return BPF_RB_NO_WAKEUP;
}

/* How all others are sent. */
static __always_inline __u64 wake(void)
{
	__u32 index = PV_QUIET;
	__u64 *quiet = bpf_map_lookup_elem(&counters, &index);

	if (!quiet || !*quiet)
		return 0;
	*quiet = 0;
	return BPF_RB_FORCE_WAKEUP;
}

/* Has any process ever left its container? Counted for good, even by a broker before us: hardly any machine has seen it,
 * and an array is looked into without a call. */
static __always_inline bool any_moved(void)
{
	__u32 index = EVENT_MOVED * PV_COUNT_STEP + PV_COUNT_SEEN;
	__u64 *n = bpf_map_lookup_elem(&counters, &index);

	return n && *n;
}

static __always_inline struct pv_home *home_of_current(void)
{
	__u32 tgid;

	if (!any_moved())
		return NULL; /* its callers ask for homes that were left */
	tgid = BPF_CORE_READ((struct task_struct *) bpf_get_current_task(), tgid);
	return bpf_map_lookup_elem(&homes, &tgid);
}

static __always_inline void fill_current(__u32 *tgid, char *comm)
{
	struct task_struct *t = (struct task_struct *) bpf_get_current_task();

	*tgid = BPF_CORE_READ(t, tgid);
	bpf_core_read(comm, PV_COMM_LEN, &t->comm);
}

static __always_inline bool port_blocked(__u16 port)
{
	__u32 index = port / 64;
	struct pv_ports *p = bpf_map_lookup_elem(&ports, &index);

	return p && (p->blocked >> (port % 64) & 1);
}

static __always_inline bool port_told(__u16 port)
{
	__u32 index = port / 64;
	struct pv_ports *p = bpf_map_lookup_elem(&ports, &index);

	return p && ((p->blocked | p->watched) >> (port % 64) & 1);
}

/* Who this cgroup is to us; what is not known counts as a container's. */
static __always_inline struct pv_workload *workload_of(__u64 cgroup)
{
	return bpf_map_lookup_elem(&workloads, &cgroup);
}

static __always_inline __u8 class_of(__u64 cgroup)
{
	struct pv_workload *w = workload_of(cgroup);

	return w ? w->class_ : PV_CLASS_NONE;
}

/* What becomes of something forbidden that `cgroup` does: EVF_* bits, or SILENT (let through, not told). */
#define SILENT 0x10000u

static __always_inline __u32 judge_by(const struct pv_bpf_conf *c, __u8 action, __u64 cgroup, __u32 allow, __u8 *ret_class)
{
	struct pv_workload *w = workload_of(cgroup), *root = w;
	__u8 class_ = w ? w->class_ : PV_CLASS_NONE;

	if (cgroup == c->root_id)
		class_ = PV_CLASS_TOP;
	*ret_class = class_;
	if (action == ACTION_IGNORE || class_ == PV_CLASS_PROTECTED)
		return SILENT;
	if (w && w->root_id && w->root_id != cgroup)
		root = workload_of(w->root_id);
	if (root && (root->flags & allow))
		return EVF_ALLOWED;
	if (class_ == PV_CLASS_TOP || class_ == PV_CLASS_SESSION)
		return EVF_CLASS;
	if (c->off_until_ns && c->off_until_ns > bpf_ktime_get_ns())
		return EVF_OFF;
	if (c->observe)
		return EVF_OBSERVED;
	return action == ACTION_ALERT ? EVF_ALERT : EVF_REFUSED;
}

static __always_inline __u32 judge(__u64 cgroup, __u32 allow, bool is_dns, __u8 *ret_class)
{
	struct pv_bpf_conf *c = settings();

	return c ? judge_by(c, is_dns ? c->dns_action : c->net_action, cgroup, allow, ret_class) : SILENT;
}

/* Encrypted questions are a container's affair: a host's own resolver has every reason to ask so. */
static __always_inline __u32 judge_encrypted(__u64 cgroup, __u8 *ret_class)
{
	struct pv_bpf_conf *c = settings();
	__u8 class_ = class_of(cgroup);

	if (!c || (class_ != PV_CLASS_CONTAINER && class_ != PV_CLASS_NONE) || cgroup == c->root_id)
		return SILENT;
	return judge_by(c, c->encrypted_action, cgroup, PV_ALLOW_DNS, ret_class);
}

static __always_inline void fill_head(struct event_head *h, __u32 size, __u16 kind, __u32 flags, __u64 cgroup, __u8 class_)
{
	h->size = size;
	h->kind = kind;
	h->flags = flags;
	h->time_ns = bpf_ktime_get_ns();
	h->cgroup_id = cgroup;
	h->tgid = 0;
	h->class_ = class_;
	__builtin_memset(h->pad, 0, sizeof(h->pad));
	__builtin_memset(h->comm, 0, sizeof(h->comm));
}

/* Counts the event, and reserves its record. NULL: the ring is full, which is counted too. */
static __always_inline void *event_new(__u32 size, __u16 kind, __u32 flags, __u64 cgroup, __u8 class_)
{
	struct event_head *h;

	count(kind, PV_COUNT_SEEN);
	if (flags & EVF_REFUSED)
		count(kind, PV_COUNT_REFUSED);
	h = bpf_ringbuf_reserve(&events, size, 0);
	if (!h) {
		count(kind, PV_COUNT_LOST);
		return NULL;
	}
	fill_head(h, size, kind, flags, cgroup, class_);
	return h;
}

static __always_inline void v4_mapped(struct addr *a, __u32 network_order)
{
	a->w[0] = 0;
	a->w[1] = 0;
	a->w[2] = bpf_htonl(0xffff);
	a->w[3] = network_order;
}

static __always_inline bool is_v4(const struct addr *a)
{
	return !a->w[0] && !a->w[1] && a->w[2] == bpf_htonl(0xffff);
}

static __always_inline bool same_addr(const struct addr *a, const struct addr *b)
{
	return a->w[0] == b->w[0] && a->w[1] == b->w[1] && a->w[2] == b->w[2] && a->w[3] == b->w[3];
}

#define EMBEDDED_RESOLVER bpf_htonl(0x7f00000b) /* 127.0.0.11 */

static __always_inline bool is_embedded_resolver(const struct addr *a)
{
	return is_v4(a) && a->w[3] == EMBEDDED_RESOLVER;
}

static __always_inline bool v4_is_external(__u32 ip)
{
	__u8 a = ip >> 24, b = ip >> 16 & 0xff;

	if (a == 0 || a == 10 || a == 127 || a >= 224)
		return false;
	if ((a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168) || (a == 169 && b == 254))
		return false;
	return !(a == 100 && b >= 64 && b < 128);
}

static __always_inline bool v6_is_external(const struct addr *a)
{
	__u32 top = bpf_ntohl(a->w[0]);

	if (!a->w[0] && !a->w[1] && !a->w[2] && bpf_ntohl(a->w[3]) <= 1) /* ::, ::1 */
		return false;
	return !(top >> 25 == 0x7e || /* fc00::/7 */ top >> 22 == 0x3fa || /* fe80::/10 */ top >> 24 == 0xff);
}

static __always_inline void lpm_key(struct pv_lpm_key *key, const struct addr *a)
{
	key->bits = 128;
	__builtin_memcpy(key->addr, a, sizeof(key->addr));
}

static __always_inline bool is_external(const struct addr *a)
{
	struct pv_lpm_key key;

	if (is_v4(a) ? !v4_is_external(bpf_ntohl(a->w[3])) : !v6_is_external(a))
		return false;
	lpm_key(&key, a);
	return !bpf_map_lookup_elem(&internal, &key);
}

static __always_inline bool is_net_allowed(const struct addr *a)
{
	struct pv_lpm_key key;

	lpm_key(&key, a);
	return bpf_map_lookup_elem(&net_allow, &key) != NULL;
}

/* By the workload that reads and sends, because a socket may belong to another one, which opened it and passed it on. */
static __always_inline void peer_key(struct peer_key *key, __u64 cgroup, const struct addr *a, __u16 port)
{
	struct pv_workload *w = workload_of(cgroup);

	key->cgroup = w && w->root_id ? w->root_id : cgroup;
	key->addr = *a;
	key->port = port;
	key->pad = 0;
}

#endif
