/* policy.h - the configuration after parsing: one flat, fixed-size, pointer-free struct that the roles
 * get as a sealed memfd. Written by conf_read() and conf_finish() in the unprivileged policy child (model/conf.h),
 * checked by policy_map() in every role. All strings are NUL-terminated inside their arrays. */
#ifndef PV_MODEL_POLICY_H
#define PV_MODEL_POLICY_H

#include <stdint.h>

#include "base/ip.h"
#include "bpf/dns_match.h"
#include "bpf/event.h"
#include "model/action.h"

struct container_info; /* model/workload.h */

#define POLICY_MAGIC	  0x65736976u
#define POLICY_VERSION	  1
#define POLICY_REFUSED	  256
#define POLICY_PORTS	  64
#define POLICY_PREFIXES	  64
#define POLICY_PATTERNS	  64
#define POLICY_EXCEPTIONS 256
#define POLICY_CHANNELS	  16
#define POLICY_PATH	  256
#define POLICY_LOGS	  64
#define POLICY_SERVICES	  32
#define POLICY_WEBPATHS	  32
#define POLICY_PATHS	  32
#define POLICY_SERVERS	  32
#define POLICY_EXEC_NAMES 512
#define POLICY_RESOLVERS  64

struct policy_exception {
	char name[128];	   /* glob over the workload's name (shop/web, backup.service) */
	uint8_t signal;	   /* enum pv_signal; SIGNAL_N: all of them */
	uint8_t action;	   /* what is done instead: ACTION_IGNORE or ACTION_ALERT */
	uint8_t pad[2];
	uint32_t line;
	char origin[128];  /* file it stands in */
};

struct policy_channel {
	char url[512];		/* scheme decides: https (signed webhook), syslog, journal */
	char secret_file[POLICY_PATH]; /* opened by the launcher, handed to the sender; may be empty */
	char name[64];		/* for messages and doctor; from the host of the URL if not given */
	uint8_t min_severity;	/* enum severity */
	uint8_t pad[7];
};

struct policy_log {
	char path[POLICY_PATH]; /* a glob: * and ? within one folder's name or the file's */
	char service[32];	/* name of a rule file; empty: judged by the shape of its lines, never banned */
};

struct policy_rate {
	uint32_t n, pad; /* so many ... */
	uint64_t us;	 /* ... in this time; not 0 */
};

struct policy {
	uint32_t magic, version;
	uint64_t size; /* sizeof(struct policy) */

	uint8_t observe; /* mode: observe */
	uint8_t pad[7];
	char state_dir[POLICY_PATH];	 /* default /var/lib/pavise */
	char run_dir[POLICY_PATH];	 /* default /run/pavise */
	char bpf_dir[POLICY_PATH];	 /* default /sys/fs/bpf/pavise */
	char cgroup_root[POLICY_PATH];	 /* default /sys/fs/cgroup; the v2 folder is found below it on hybrid */
	char docker_socket[POLICY_PATH];
	char docker_root[POLICY_PATH];	 /* default /var/lib/docker */
	char podman_socket[POLICY_PATH]; /* default /run/podman/podman.sock */

	struct {
		uint32_t limit; /* permyriad of one core: 8000 = 80 % */
		uint8_t action, pad[3];
		uint64_t hold_us;
	} cpu;
	struct {
		uint64_t limit;	       /* bytes, for workloads without their own limit */
		uint32_t of_limit;     /* permyriad of the workload's own limit: 8800 */
		uint8_t action, pad[3];
	} memory;
	struct {
		uint32_t limit; /* processes */
		uint8_t action, pad[3];
	} pids;
	struct {
		uint8_t action, pad[3];
		uint32_t n_ports;
		uint16_t ports[POLICY_PORTS];
		uint32_t n_internal, n_allow;
		struct ip_prefix internal[POLICY_PREFIXES]; /* count as internal, beside the built-in ones */
		struct ip_prefix allow[POLICY_PREFIXES];    /* external, but never refused */
	} net;
	struct {
		uint8_t action, encrypted, pad[2];
		uint32_t n_names, n_allow;
		char names[POLICY_PATTERNS][128];
		char allow[POLICY_PATTERNS][128];
		struct dns_table table; /* compiled from both, and from the list of pools */
	} dns;
	struct { /* rules/ioc/pools.yaml or what its owner put in its place; the names stand in dns.table */
		uint64_t version;
		char key[64]; /* minisign's public key, base64; empty: the list cannot be replaced */
		char refused[POLICY_REFUSED]; /* why the owner's list is not used, with its name; empty: it is, or there is none */
		uint32_t n_ports, n_resolvers;
		uint16_t ports[POLICY_PORTS];
		struct ip_addr resolvers[POLICY_RESOLVERS];
	} pool;

	struct {
		uint32_t limit, weak_limit; /* attempts */
		uint64_t within_us, ban_us;
		uint8_t action, pad[3];
		uint32_t n_paths;
		char paths[POLICY_WEBPATHS][128];
	} login;
	struct {
		uint8_t journal, containers, pad[2];
		uint32_t n_files, n_ban, pad2;
		char syslog[POLICY_PATH]; /* empty: no socket is made */
		struct policy_log files[POLICY_LOGS];
		char ban[POLICY_SERVICES][32]; /* services of documentation-only rules that may ban */
	} logs;
	struct {
		uint8_t raw, pad[3];
		uint32_t prefix6; /* 56 to 128 */
		uint64_t max_us;
		struct policy_rate budget; /* of each container's log */
	} ban;
	uint32_t n_proxies, n_never_ban;
	struct ip_prefix proxies[POLICY_PREFIXES];
	struct ip_prefix never_ban[POLICY_PREFIXES];

	struct {
		uint8_t action, pad[3];
		uint32_t n_allow, n_servers, n_names;
		uint64_t grace_us;
		char allow[POLICY_PATHS][128];	    /* paths in containers; with a slash at the end: and all below it */
		char servers[POLICY_SERVERS][PV_NAME_LEN]; /* names of programs, beside the built-in ones */
		struct policy_name {		    /* of miners and lookalikes: rules/ioc */
			char name[PV_NAME_LEN];
			uint32_t what; /* PV_NAME_* */
		} names[POLICY_EXEC_NAMES];
	} exec;

	struct { /* bundles of evidence: in all, how many, and each */
		uint64_t max, each;
		uint32_t count, pad;
	} evidence;

	struct { /* what `pavise audit` asks of a container and of the host */
		uint64_t memory, key_age_us;
		uint32_t pids, milli_cpus;
		uint32_t n_ports, n_projects, n_backups, pad;
		uint16_t ports[POLICY_PORTS]; /* that may face the Internet */
		char projects[POLICY_PATHS][128], backups[POLICY_PATHS][128];
	} audit;

	uint32_t n_exceptions, n_channels;
	struct policy_exception exceptions[POLICY_EXCEPTIONS];
	struct policy_channel channels[POLICY_CHANNELS];
	uint64_t sample_us; /* how often cgroups are read: 5 s */
};

/* Maps a sealed memfd read-only and checks it: magic, version, size, seals, every count and string
 * within bounds, every enum known. Returns 0 or -EBADMSG (and other negative errno); the result is
 * munmap()ed with policy_unmap(). */
int policy_map(int fd, const struct policy **ret);
void policy_unmap(const struct policy *p);
/* The check alone, on memory. 0 or -EBADMSG. */
int policy_check(const struct policy *p);

/* What the policy does to `name` for `signal`: the configured action, unless an exception says otherwise.
 * *ret_exception (may be NULL) is the index of the exception, -1 if none. */
enum pv_action policy_action(const struct policy *p, const char *name, enum pv_signal signal,
			     int *ret_exception);
/* Whether an exception speaks of it, by its name or, of a container given as `image` (else NULL), by that of its image. *ret is what the
 * policy does then, as above. */
bool policy_excepts(const struct policy *p, const char *name, const struct container_info *image, enum pv_signal signal, enum pv_action *ret);

#endif
