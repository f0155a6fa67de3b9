/* broker_proto.h - the requests of the engine (and of root's own commands) to the privileged broker.
 * One datagram, one struct broker_req, one struct broker_rep back with the same seq; broker_news comes
 * unasked. A datagram of another length or an unknown op closes the connection. Every request is a row
 * of broker/requests.c: what is checked again there stands beside it here. */
#ifndef PV_MODEL_BROKER_PROTO_H
#define PV_MODEL_BROKER_PROTO_H

#include <stdint.h>

#include "bpf/event.h"
#include "model/action.h"

enum broker_op { /* numbers are never reused */
	/* -> two descriptors: the event ring (mmap it, sense/ring.h) and the counters (read-only, mmapable);
	 * value: bits of BROKER_DEGRADED_* */
	BROKER_HELLO = 1,
	/* arg: enum api_request (engine_api/request.h); arg2: 0 Docker, 1 Podman; id: container, image or
	 * service, checked against the template's kind. -> one descriptor: the read end of a pipe with the raw
	 * HTTP answer, cut at the template's cap. Requests that act also need `cgroup`: the cgroup's own name
	 * must carry `id`; limit kill (not for restart policies other than no, and unpause: they give back).
	 * A restart policy can be set with cgroup 0, since a stopped container has none. The pipe's read end does not
	 * block. */
	BROKER_API = 2,
	/* arg: replicas to scale to (0 stops; UINT64_MAX: a global service runs again); id: Swarm service. A one-shot
	 * child does it. -> value: the replicas it had (UINT64_MAX for a global service, which is constrained away). Limit kill
	 * for 0. Else it must be stopped: -EALREADY where it is not. */
	BROKER_SWARM_SCALE = 3,
	/* cgroup: a container's cgroup (64 hex in its name) below the watched root. Writes cgroup.kill, on v1
	 * SIGKILL by pidfd to every process of it. Limit kill. */
	BROKER_CGROUP_KILL = 4,
	/* same checks; arg: 1 freeze, 0 thaw. Limit kill. */
	BROKER_CGROUP_FREEZE = 5,
	/* Closes the TCP connections of this container's network namespace that go to addr:port (port 0:
	 * any) and belong to `cgroup`. -> value: how many. */
	BROKER_CUT = 6,
	/* The workload `cgroup` falls under these exceptions and no others: arg has 16 bits for each of BROKER_EXCEPT_SIGNALS, the lowest
	 * for the first: one more than the index into the sealed policy, 0: none. The broker checks that the exception is for that signal
	 * or for all. Everything in one request, so that what is excepted before and after is so in between. */
	BROKER_EXCEPT = 7,
	/* arg: 1 add, 0 drop: container `cgroup` is attached to the network `id`. */
	BROKER_NETNAME = 8,
	/* arg: 1 add, 0 drop: addr/prefix is one of Docker's networks; at most 1,024, none wider than /8 (IPv4)
	 * or /32 (IPv6). */
	BROKER_INTERNAL = 9,
	/* arg: CLOCK_MONOTONIC nanoseconds until which blocks are lifted; 0: on; UINT64_MAX: until told. */
	BROKER_OFF = 10,
	/* -> value: bits of BROKER_DEGRADED_*, value2: off_until_ns */
	BROKER_STATE = 11,
	/* -> one descriptor: inotify(7), not blocking. Watches on the files that are handed over from here on, and on the folders
	 * in which such files may appear, are added by the broker (the engine may not read what it wants to be told of). */
	BROKER_LOG_WATCH = 12,
	/* arg: a place (model/log_places.h). -> one descriptor: memfd with the paths of the regular files there, sorted, each
	 * with its NUL; value: number of this list; value2: how many more there are. Only the last list of a place is kept. */
	BROKER_LOG_LIST = 13,
	/* arg: place and, in the upper half, position in its list; arg2: number of the list and, in the upper half, which file:
	 * 0 itself, n the nth newest file beside it whose name begins as its own (rotated ones). -> one descriptor, reading,
	 * not blocking; value: its inotify watch (UINT64_MAX: none); value2: 1 a rotated one by its name. Opened as broker/log_files.h says. -ESTALE: another list is in
	 * force; -ENOENT; -ELOOP a link in a folder that others can write; -EPERM not a regular file, or with several names. */
	BROKER_LOG_OPEN = 14,
	/* id: 64 hex digits of a container; arg: enum log_driver (model/log_places.h); arg2: which file, as above without the
	 * shift. -> as BROKER_LOG_OPEN: a log below docker.root. */
	BROKER_LOG_CONTAINER = 15,
	/* -> one descriptor: the datagram socket logs.syslog, bound, not blocking, with SO_PASSCRED. -ENOENT: none is configured. */
	BROKER_LOG_SYSLOG = 16,
	/* How programs of the container `cgroup` are judged. arg: PV_EXEC_ALERT, _BUILD, _NO_GRACE (bpf/event.h), together; 0
	 * takes them back. Only a container's topmost cgroup. -ESRCH: it has gone. */
	BROKER_EXEC = 17,
	/* addr/prefix is locked out for arg seconds (1 to 10 years); arg2: 1 a person asked for it, who may take a prefix wider
	 * than /24 (IPv4) or /56, but none wider than /8 or /16; 2 only look whether it
	 * could be; 3 only look whether another program has locked it out (one address): value is enum ban_other. Never: what enum ban_never names, looked up again here at each
	 * request. -EPERM: value says which of them; -EDQUOT: more than 1,000 in a minute. */
	BROKER_BAN = 20,
	/* addr/prefix is let in again; 0 also where it was not locked out. */
	BROKER_UNBAN = 21,
	/* -> one descriptor: an empty memfd of the broker's, to be filled with struct broker_ban for the next request. */
	BROKER_BANS_FILE = 22,
	/* arg: how many stand in that memfd. They replace whatever is locked out, in one transaction; each is checked as for
	 * BROKER_BAN with arg2 1. -> value: how many are in force, value2: how many are never banned. -EAGAIN: who is
	 * never banned cannot be read now; what was locked out still is. Ten times a minute. */
	BROKER_BANS_LOAD = 23,
	/* -> value: packets dropped since the table was made; -ENOENT: there is no table yet */
	BROKER_BANS_STATE = 24,
	/* id: 64 hex digits of a container; cgroup: its own, or 0 where it has ended. -> one descriptor: the engine's end of a
	 * socket to a pavise-collector that has just been asked for (model/capture.h). 60 in a minute, else -EDQUOT; -EBUSY:
	 * as many as may run at once do. */
	BROKER_CAPTURE = 30,
	/* -> one descriptor: fanotify(7), not blocking, that tells which file in a watched folder of model/persist.h was written or
	 * put there, by whom. -errno: this kernel has none. */
	BROKER_PERSIST_WATCH = 40,
	/* Folders are looked for and watched (again). -> one descriptor: memfd of struct persist_folder; value: how many kinds of
	 * places cannot be watched; value2: number of the list. */
	BROKER_PERSIST_LIST = 41,
	/* arg: position of a folder and, in the upper half, number of the list. -> one descriptor: memfd with the names there that matter, each with its NUL. */
	BROKER_PERSIST_NAMES = 42,
	/* arg: as above, -ESTALE: another list is in force; arg2: a process, 0 none; id: a name that matters there. -> one descriptor: memfd of struct persist_look
	 * and the file's first 64 KiB. Opened as a log is; -ENOENT: it is gone. */
	BROKER_PERSIST_LOOK = 43,
	BROKER_N_OPS
};

/* What an exception frees in the kernel, by its signal. */
struct broker_except_signal {
	enum pv_signal signal;
	uint32_t flag;
};
#define BROKER_EXCEPT_SIGNALS { { SIGNAL_NET, PV_ALLOW_NET }, { SIGNAL_DNS, PV_ALLOW_DNS }, { SIGNAL_EXEC, PV_ALLOW_EXEC } }

struct broker_req {
	uint32_t op;  /* enum broker_op */
	uint32_t seq; /* not 0; repeated in the answer */
	uint64_t cgroup;
	uint64_t arg, arg2;
	uint8_t addr[16];
	uint16_t port; /* host byte order */
	uint8_t prefix, pad[5];
	char id[72]; /* container, image, service id or network name; NUL-terminated */
};
_Static_assert(sizeof(struct broker_req) == 128, "broker protocol");

struct broker_rep {
	uint32_t seq;	/* 0: news, not an answer */
	int32_t result; /* 0 or negative errno; -EDQUOT: over the limit; -ESRCH: the cgroup is gone */
	uint64_t value, value2;
};
_Static_assert(sizeof(struct broker_rep) == 24, "broker protocol");

/* One ban as it is stored and restored. */
struct broker_ban {
	uint8_t addr[16];
	uint8_t prefix, pad[3];
	uint32_t seconds; /* that are left */
};
_Static_assert(sizeof(struct broker_ban) == 24, "broker protocol");
#define BROKER_BANS_MAX	  200000 /* in force at once */
#define BROKER_BAN_LONGEST (10u * 365 * 86400) /* seconds */

/* Who is never banned. */
enum ban_never {
	NEVER_NO,
	NEVER_SPECIAL,	  /* loopback, unspecified, multicast, link-local */
	NEVER_OWN,	  /* an address of this host */
	NEVER_GATEWAY,	  /* a router of this host */
	NEVER_RESOLVER,	  /* a name server in use */
	NEVER_CONTAINERS, /* a network of containers: its gateway or a reverse proxy in it would be hit */
	NEVER_PROXY,	  /* `proxies` of the configuration */
	NEVER_LISTED,	  /* `never_ban` */
	NEVER_ADMIN,	  /* an SSH session of root or of a member of sudo, wheel or pavise-admin is open from there */
	NEVER_OUTGOING,	  /* this host opened a connection to it that is still open */
	NEVER_WIDE,	  /* so wide a network needs a person */
	NEVER_UNKNOWN,	  /* who is never banned could not be read: nobody is, until it can be */
	NEVER_N
};

/* Who has locked an address out already. */
enum ban_other { OTHER_NONE, OTHER_FAIL2BAN, OTHER_CROWDSEC, OTHER_SSHGUARD, OTHER_N };

/* News and BROKER_STATE: what is not as it should be. */
#define BROKER_DEGRADED_CONNECT	 (1u << 0) /* connect4/6 not attached */
#define BROKER_DEGRADED_SENDMSG	 (1u << 1)
#define BROKER_DEGRADED_EGRESS	 (1u << 2)
#define BROKER_DEGRADED_CGROUPS	 (1u << 3) /* cgroup_mkdir/rmdir/attach tracepoints */
#define BROKER_DEGRADED_OOM	 (1u << 4)
#define BROKER_DEGRADED_BELOW	 (1u << 5) /* attached one level below the root: somebody sits there */
#define BROKER_DEGRADED_REPLACED (1u << 6) /* a link was found missing or replaced; it was attached again */
#define BROKER_DEGRADED_DOCKER	 (1u << 7) /* the Engine API socket does not answer connect() */
#define BROKER_DEGRADED_PODMAN	 (1u << 8)
#define BROKER_DEGRADED_INGRESS	 (1u << 9) /* recvmsg/ingress: servers' answers cannot be told apart */
#define BROKER_DEGRADED_EXEC	 (1u << 10) /* programs are not judged: no hook, or an overlay that is not known */
#define BROKER_DEGRADED_STORAGE	 (1u << 11) /* some container's root is no overlay: its programs are not judged */
#define BROKER_DEGRADED_MMAP	 (1u << 12) /* what is mapped as code is not judged: no trampoline for security_mmap_file(), or for what mprotect() calls */
#define BROKER_DEGRADED_BANS	 (1u << 16) /* bans are gone from the kernel (somebody flushed the ruleset): load them again */
#define BROKER_DEGRADED_UNBANNED (1u << 17) /* the first ban dropped no packet in its own test */
#define BROKER_DEGRADED_NEVER	 (1u << 18) /* who is never banned cannot be read whole: bans are held back */

#endif
