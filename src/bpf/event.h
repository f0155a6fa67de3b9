/* event.h - what the kernel programs and user space share: events in the ring, counters, the maps'
 * values. Included by *.bpf.c (clang -target bpf) and by user space. Fixed-width types, padding
 * spelled out and zeroed, sizes asserted. Change anything here and raise PV_BPF_LAYOUT: pins of
 * another layout lie in another folder (v<layout>) and are taken over link by link, never map by map. */
#ifndef PV_BPF_EVENT_H
#define PV_BPF_EVENT_H

#ifdef __bpf__
#include "bpf/kernel.h"
#else
#include <linux/types.h>
#endif

#ifndef PV_BPF_LAYOUT /* a test of upgrades gives another */
#define PV_BPF_LAYOUT	5
#endif
#define PV_DNS_NAME_MAX 255 /* RFC 1035, 2.3.4: octets of a name on the wire, lengths included */
#define PV_PATH_MAX	192 /* tail of a cgroup path in an event */
#define PV_COMM_LEN	16
#define PV_RING_BYTES	(512 * 1024) /* max_entries of map `events` */
#define PV_NETNAME_LEN	64
#define PV_NAME_LEN	32 /* of a program, as rules name it; longer ones are in no rule */
#define PV_EXEC_PATH	512
#define PV_EXEC_ARGV	256
#define PV_EXEC_CHAIN	6

/* Class of a cgroup. Inherited by a child when it is made, unless the child's own name says more. */
enum pv_class {
	PV_CLASS_NONE = 0,	/* not known: the container rules hold */
	PV_CLASS_CONTAINER = 1, /* 64 hex digits in its name; everything below it too */
	PV_CLASS_UNIT = 2,	/* systemd service: blocked alike, never killed */
	PV_CLASS_SESSION = 3,	/* login session, user manager: told only */
	PV_CLASS_TOP = 4,	/* the watched root itself: told only */
	PV_CLASS_PROTECTED = 5, /* pavise, sshd, container engines, systemd: never touched, not told */
	PV_CLASS_BUILD = 6,	/* image build: blocked alike, never killed */
	PV_N_CLASSES
};

/* Bits of a workload's exceptions (struct pv_workload.flags). */
#define PV_ALLOW_NET	 (1u << 0) /* net.stratum: told as an exception, let through */
#define PV_ALLOW_DNS	 (1u << 1)
#define PV_ALLOW_EXEC	 (1u << 2) /* exec.dropped */
#define PV_EXEC_ALERT	 (1u << 3) /* a label says so: dropped programs are told only */
#define PV_EXEC_BUILD	 (1u << 4) /* an image is being built in it: told once, never refused */
#define PV_EXEC_NO_GRACE (1u << 5) /* it is not this container's first start */
#define PV_WORKLOAD_ROOT (1u << 8) /* the topmost cgroup of its workload, not one nested below it */

enum event_kind { /* numbers are never reused */
	EVENT_CGROUP_NEW = 1,
	EVENT_CGROUP_GONE = 2,
	EVENT_NET = 3,	  /* connect or datagram to a blocked port at an external address */
	EVENT_DNS = 4,	  /* a question that matched */
	EVENT_DNS_ODD = 5, /* question to a resolver that cannot be read: let through on UDP */
	EVENT_OOM = 6,	  /* a process of this cgroup died as the OOM killer's victim */
	EVENT_MOVED = 7,  /* a task left a container's cgroup for one that is not below it */
	EVENT_EXEC = 8,	  /* a program that is not as the container's image has it */
	EVENT_SHELL = 9,  /* a server's process started a shell, a downloader, a compiler: struct event_exec */
	EVENT_OPENING = 10, /* what a connection begins with: struct event_dns, `what` says more */
	EVENT_N_KINDS
};

/* event_head.flags: what was done. None set: it was let through and is told. */
#define EVF_REFUSED  (1u << 0) /* carried out */
#define EVF_OBSERVED (1u << 1) /* mode observe: would have been refused */
#define EVF_OFF	     (1u << 2) /* pavise off: let through */
#define EVF_CLASS    (1u << 3) /* let through because of the class (top, session) */
#define EVF_ALLOWED  (1u << 4) /* let through by an exception */
#define EVF_ALERT    (1u << 5) /* the signal's action is alert */
#define EVF_MOVED    (1u << 6) /* by a process that had left its container; cgroup_id is the one it left */

struct event_head {
	__u32 size; /* bytes, head included */
	__u16 kind, flags;
	__u64 time_ns; /* bpf_ktime_get_ns(), CLOCK_MONOTONIC */
	__u64 cgroup_id; /* the cgroup whose process or socket it was */
	__u32 tgid;	 /* 0 where no process is behind it (a packet) */
	__u8 class_, pad[3];
	char comm[PV_COMM_LEN];
};
_Static_assert(sizeof(struct event_head) == 48, "BPF and user space disagree");

struct event_cgroup {
	struct event_head head;
	__u64 parent_id;
	__u64 root_id; /* id of the topmost cgroup of its workload, 0 if it belongs to none */
	char path[PV_PATH_MAX]; /* from the hierarchy's root; NUL-terminated; empty if it did not fit */
};
_Static_assert(sizeof(struct event_cgroup) == 256, "BPF and user space disagree");

/* Why an address and port is told. */
enum pv_net_what { /* numbers are never reused */
	PV_NET_BLOCKED = 0,  /* a port of net.ports */
	PV_NET_POOL = 1,     /* another port that pools are known to use: told only */
	PV_NET_DOT = 2,	     /* DNS over TLS or QUIC: port 853 */
	PV_NET_DOH = 3,	     /* HTTPS to the address of a public resolver */
	PV_NET_METADATA = 4, /* a server's shell asks where clouds hand out credentials: exec.web-shell, told only */
};

/* EVENT_OPENING: event_dns.what */
enum pv_opening_what {
	PV_OPENING_MINER = 1,
	PV_OPENING_SNI = 2,
	PV_OPENING_RESOLVER = 3,
	PV_OPENING_URGENT = 4, /* with an octet that the other end's stream may lack (MSG_OOB) */
	PV_OPENING_UNKEPT = 5, /* the socket has no memory left for what has to be known of it; of EVENT_DNS_ODD, too */
};

struct event_net {
	struct event_head head;
	__u8 daddr[16]; /* IPv4 as v4-mapped IPv6 */
	__u16 dport;	/* host byte order */
	__u8 proto;	/* IPPROTO_TCP, IPPROTO_UDP */
	__u8 by_packet; /* seen as a packet at egress, not at connect or sendmsg */
	__u8 what;	/* enum pv_net_what */
	__u8 pad[3];
};
_Static_assert(sizeof(struct event_net) == 72, "BPF and user space disagree");

struct event_dns {
	struct event_head head;
	__u8 daddr[16]; /* the resolver asked, as the packet says (after the container's own NAT) */
	__u8 saddr[16]; /* the source address of the packet */
	__u8 client[16]; /* who asked this cgroup for the same name just before (it is a DNS server); else zero */
	__u16 dport, sport;
	__u8 proto;
	__u8 name_len; /* octets of `name` in use, the root label's zero not counted */
	__u8 pattern;  /* index into the policy's dns.names; DNS_POOL: a known pool's; DNS_NO_PATTERN: neither */
	__u8 what;     /* EVENT_OPENING, EVENT_DNS_ODD: enum pv_opening_what; else 0 */
	__u8 name[256]; /* wire form, folded to lower case */
};
_Static_assert(sizeof(struct event_dns) == 360, "BPF and user space disagree");

struct event_move {
	struct event_head head; /* cgroup_id: the one it left */
	__u64 to_id;
};
_Static_assert(sizeof(struct event_move) == 56, "BPF and user space disagree");

/* Where a program lies, by what the kernel knows of its file. */
enum pv_place { /* numbers are never reused */
	PV_PLACE_IMAGE = 0,    /* on the container's overlay, without an upper file: as shipped */
	PV_PLACE_COPIED = 1,   /* upper and lower file of the same size and time: chmod, chown, link, rename */
	PV_PLACE_CHANGED = 2,  /* upper and lower file that differ */
	PV_PLACE_NEW = 3,      /* an upper file only */
	PV_PLACE_MEMFD = 4,    /* in memory: memfd_create() and the like */
	PV_PLACE_TMPFS = 5,    /* a tmpfs or ramfs that is mounted */
	PV_PLACE_MOUNT = 6,    /* another file system: volume, bind mount, an overlay of somebody's own */
	PV_PLACE_MOUNT_RO = 7, /* the same, read-only since the container began */
	PV_PLACE_ROOTFS = 8,   /* the root itself, which is no overlay: nobody can tell */
	PV_N_PLACES
};

/* Why it was refused, or would have been. */
enum pv_exec_why { /* numbers are never reused */
	PV_WHY_NONE = 0,    /* told only */
	PV_WHY_WRITABLE = 1, /* it lies below a folder that everybody may write to */
	PV_WHY_MEMORY = 2,  /* no file: memory, a tmpfs, or deleted */
	PV_WHY_NAME = 3,    /* a known miner's name, or one that is meant to look like a daemon's */
	PV_WHY_CHANGED = 4, /* a file of the image with another size */
	PV_WHY_SHELL = 5,   /* a shell that a server started brought it */
	PV_WHY_ACTION = 6,  /* the configured action is block */
	PV_N_WHYS
};

/* EVENT_SHELL: event_exec.why */
enum pv_shell_stage {
	PV_SHELL_STARTED = 1,
	PV_SHELL_DOWNLOADS = 2,
	PV_SHELL_COMPILES = 3,
	PV_SHELL_SCRIPT = 4, /* no server's: an interpreter, and only the script's place is odd */
};

/* event_exec.bits */
#define PV_EXEC_WRITABLE (1u << 0) /* below a folder that everybody may write to, or deeper than was looked; of EVENT_SHELL: the script may be */
#define PV_EXEC_DELETED	 (1u << 1) /* its file has no name any more */
#define PV_EXEC_GRACE	 (1u << 2) /* only the time after the first start spared it */
#define PV_EXEC_SIZE	 (1u << 3) /* changed: the size differs */
#define PV_EXEC_SCRIPT	 (1u << 4) /* started through #!; the program is the interpreter */
#define PV_EXEC_UNKILLED (1u << 5) /* the kernel refused to send the signal */
#define PV_EXEC_MAPPED	 (1u << 6) /* not started: mapped as code by the process, whose line is in argv and whose program in `filename` */
#define PV_EXEC_LOADER	 (1u << 7) /* and the process is the dynamic loader, or is not complete yet: it was about to run */

struct event_exec {
	struct event_head head; /* tgid: who is dead now, or runs */
	__u64 ino, size, lower_size, /* lower_size: of the image's file, changed and copied only */
		ctime_ns;	     /* of the file, wall clock */
	__u32 dev, uid;		     /* dev: major << 20 | minor, as the kernel has it */
	__u32 repeats;		     /* further ones of the same file since the last event of it, not told one by one */
	__u8 place, why, bits, n_chain;
	struct {
		__u32 tgid;
		char comm[PV_COMM_LEN];
	} chain[PV_EXEC_CHAIN]; /* parent, its parent ..., up to the container's border */
	__u16 argv_len;	 /* octets of `argv` in use */
	__u8 argv_cut, pad[5];
	char argv[PV_EXEC_ARGV];     /* NUL-separated */
	char filename[128];	     /* as given to execve(): relative, a link, /dev/fd/3 */
	char path[PV_EXEC_PATH];     /* from the root of its mount and, if that can be followed, of its container; of PV_SHELL_SCRIPT with a
				      * relative name: the working folder */
};
_Static_assert(sizeof(struct event_exec) == 48 + 48 + 120 + 8 + 256 + 128 + 512, "BPF and user space disagree");

/* Counters: one mmapable array of u64, written with atomic adds, index = kind * PV_COUNT_STEP + what. */
enum pv_count { PV_COUNT_SEEN, PV_COUNT_REFUSED, PV_COUNT_LOST, PV_COUNT_SERVED, PV_COUNT_STEP }; /* SERVED, of EVENT_DNS: datagrams read from port 53 by our DNS servers */
#define PV_COUNTERS (EVENT_N_KINDS * PV_COUNT_STEP)
#define PV_QUIET    0 /* an index that no kind has: set when a record was sent that wakes nobody (maps.h) */

/* Value of map `ports`, key: port / 64; a bit per port. */
struct pv_ports {
	__u64 blocked, watched; /* watched: told where it leads; never blocked ones */
};

/* One value, index 0 of map `conf`. Only the broker (and root's `pavise off`) writes it. */
struct pv_bpf_conf {
	__u64 off_until_ns; /* CLOCK_MONOTONIC; blocks are lifted before it. ~0: until told otherwise. First in every layout */
	__u64 root_id;	    /* the watched root: PV_CLASS_TOP */
	__u8 net_action;    /* enum pv_action of model/policy.h: IGNORE, ALERT, BLOCK */
	__u8 dns_action;
	__u8 observe;
	__u8 dns_slot;	    /* which of the two values of map `dns` is in force */
	__u8 exec_action;   /* IGNORE, ALERT, BLOCK, AUTO */
	__u8 ovl_layout;    /* enum pv_ovl_layout */
	__u8 exec_allow;    /* map `exec_allow` holds something */
	__u8 ingress_rests; /* nobody asks a DNS server of ours: the ingress hook is not attached */
	__u64 exec_grace_ns; /* after the first start of a container */
	__u32 host_ns[2];    /* mount namespaces of the host: of init and of the broker; 0: not known */
	__u8 encrypted_action; /* DNS over TLS and HTTPS: IGNORE, ALERT, BLOCK */
	__u8 pad[7];
};
_Static_assert(sizeof(struct pv_bpf_conf) == 48, "BPF and user space disagree");

/* What follows the vfs inode in struct ovl_inode. */
enum pv_ovl_layout {
	PV_OVL_UNKNOWN = 0, /* nothing is judged */
	PV_OVL_LOWER = 1,   /* to 5.18: __upperdentry, struct inode *lower */
	PV_OVL_PATH = 2,    /* 5.19 to 6.4: __upperdentry, struct ovl_path { layer, dentry } */
	PV_OVL_ENTRY = 3,   /* 6.5 and later: __upperdentry, struct ovl_entry *oe */
};

/* Value of map `execs`, key: the topmost cgroup of a container (u64). Written by the hooks; the broker fills in what they
 * did not see begin. */
#define PV_CTR_OVERLAY (1u << 0) /* its root is an overlay */
#define PV_CTR_TOLD    (1u << 1) /* of a build */
struct pv_exec {
	__u64 grace_until_ns; /* CLOCK_MONOTONIC */
	__u64 second;	      /* of the last details, and how many in it */
	__u32 in_second;
	__u32 flags;
	__u32 root_dev; /* of its root file system; 0: not known, the first program tells */
	__u32 mnt_ns;	/* its mount namespace */
	__u32 maker_ns; /* mount namespace of who made the cgroup: the container runtime's */
	__u32 pid_ns;	/* PID namespace of its first process */
};
_Static_assert(sizeof(struct pv_exec) == 40, "BPF and user space disagree");
#define PV_EXEC_DETAILS 200 /* a second and container: more are counted as lost, never let through */

/* Key of map `exec_names`: a program's name, zero padded; value: what it is. */
struct pv_name_key {
	char name[PV_NAME_LEN];
};
#define PV_NAME_MINER	  (1u << 0)
#define PV_NAME_LOOKALIKE (1u << 1)
#define PV_NAME_STEM	  (1u << 2) /* also with a version behind it: xmrig-6.21 */
#define PV_NAME_SERVER	  (1u << 3) /* answers the network */
#define PV_NAME_SHELL	  (1u << 4)
#define PV_NAME_DOWNLOADER (1u << 5)
#define PV_NAME_COMPILER  (1u << 6)
#define PV_NAME_PACKAGE	  (1u << 7) /* a package manager, a supervisor: shells are its trade */
#define PV_NAME_INSTALLER (1u << 9) /* a package manager whose own interpreters serve nobody: pip's python builds what pip installs */
#define PV_NAME_INTERPRETER (1u << 10) /* runs the script that it is given, as shells do */
#define PV_NAME_MULTI	  (1u << 8) /* many programs in one, by the name it is called by: busybox */

/* Key of map `exec_allow` (LPM): the first octets of a path, its NUL included where the whole path is meant. */
#define PV_ALLOW_PATH 128
struct pv_path_key {
	__u32 bits;
	char path[PV_ALLOW_PATH];
};

/* Value of map `workloads`, key: cgroup id (u64). */
struct pv_workload {
	__u64 root_id; /* topmost cgroup of this workload; exceptions are looked up there */
	__u32 flags;   /* PV_ALLOW_*, PV_EXEC_*, PV_WORKLOAD_ROOT */
	__u8 class_, pad[3];
};
_Static_assert(sizeof(struct pv_workload) == 16, "BPF and user space disagree");

/* What a process is, by its name and by what started it. */
#define PV_ROLE_SERVER	  (1u << 0) /* it, or what started it, answers the network */
#define PV_ROLE_PACKAGE	  (1u << 1) /* it, or what started it, is a package manager or supervisor */
#define PV_ROLE_SHELL	  (1u << 2) /* a shell that a server started, and all that comes from it */
#define PV_ROLE_INSTALLER (1u << 3) /* beside PV_ROLE_PACKAGE: and what it starts is no server either */
#define PV_ROLE_BROUGHT	  (1u << 4) /* it, or what started it, came in from outside (docker exec, a health check): never SERVER or SHELL */

/* Value of map `homes`, key: tgid (u32). */
struct pv_home {
	__u64 cgroup; /* the container's cgroup in which this process lives, or which it left */
	__u32 moved;  /* it left */
	__u32 role;   /* PV_ROLE_* */
};
_Static_assert(sizeof(struct pv_home) == 16, "BPF and user space disagree");

/* Key of map `internal` (LPM): longest prefix over the 16 bytes. */
struct pv_lpm_key {
	__u32 bits; /* 0-128 */
	__u8 addr[16];
};

/* Key of map `netnames`: a Docker network that a container is attached to, lower case, zero padded. */
struct pv_netname_key {
	__u64 root_id;
	char name[PV_NETNAME_LEN];
};

#endif
