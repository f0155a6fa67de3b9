/* workload.h - what policy and alerts speak of: a container or a systemd unit; always one cgroup. Plain
 * data, filled from the cgroup's path (at once) and from the Engine API (later; nothing waits for it). */
#ifndef PV_MODEL_WORKLOAD_H
#define PV_MODEL_WORKLOAD_H

#include <stdint.h>

#include "base/ip.h"
#include "base/util.h"
#include "bpf/event.h"
#include "model/action.h"
#include "model/notice.h"

enum engine_kind { ENGINE_DOCKER, ENGINE_PODMAN, ENGINE_NONE };

#define CONTAINER_NETWORKS 16
#define CONTAINER_ENTRIES  8 /* beginnings of its command that are kept */

/* From the Engine API; hostile text, cut at the arrays' sizes. */
struct container_info {
	enum engine_kind engine;
	char id[65];	     /* 64 hex digits */
	char name[128];	     /* without the leading slash */
	char project[64];    /* Compose project or stack namespace, else empty */
	char service[64];    /* Compose or Swarm service name without the stack's prefix, else empty */
	char service_id[32]; /* Swarm service id, else empty */
	char task_id[32];
	char image[192];     /* as it was asked for: node:20 */
	char image_id[80];   /* sha256:<64 hex> */
	char restart_policy[24]; /* always, unless-stopped, on-failure, no, or empty */
	uint32_t restart_max;	 /* of on-failure */
	char log_driver[24];	 /* json-file, local, journald ...; empty: not told */
	char log_service[24];	 /* label pavise.logs, where the image does not carry it: whose rules its log is read by; else empty */
	uint32_t pid;		 /* of its init; 0 when it does not run */
	bool running, host_network, inspected;
	bool ran_before; /* this is not its first start */
	bool build;	 /* the classic image builder's: one step of a Dockerfile runs in it */
	char host_engine[64]; /* a socket of a container engine's that it holds, or a folder with one; else empty */
	char host_folder[64]; /* a folder of the host's that it may write to and in which something can stay; else empty */
	uint64_t created_us, started_us; /* wall clock; 0: not told */
	/* What its owner lets it start, as hashes (detect/entry.h); 0: none. Its command from its first, second ... word on, and what its
	 * health check runs: two spellings of a shell's line. */
	uint64_t entry[CONTAINER_ENTRIES], health[2];
	size_t n_networks;
	size_t networks_skipped; /* names that were too long, not plain text, or one too many */
	char networks[CONTAINER_NETWORKS][PV_NETNAME_LEN]; /* names, lower case */
	struct ip_addr addresses[CONTAINER_NETWORKS][2];   /* IPv4 and IPv6 of each; all zeroes: none */
	/* exceptions by label pavise.<signal>: ACTION_IGNORE or ACTION_ALERT, ACTION_N where there is none. A
	 * label that the image carries too with the same value is not counted; net and dns are never switched
	 * off by label. */
	enum pv_action label_action[SIGNAL_N];
};

struct workload {
	uint64_t cgroup;      /* 64-bit cgroup2 id */
	enum pv_class class_;
	bool rootless;	      /* a container below a user's slice: no Engine API reaches it */
	bool gone;
	char path[256];	      /* below the cgroup2 root, with leading slash */
	char id[65];	      /* 64 hex of a container, else empty */
	uint64_t first_seen_us; /* monotonic */
	struct container_info *info; /* NULL until the Engine API told */
};

/* The name people know it by: project/service, container name, unit name, or the id's first 12 digits as
 * long as the API has not told. Never empty. */
void workload_name(char *out, size_t size, const struct workload *w);
enum subject_kind workload_subject(const struct workload *w);

/* How an exception names all containers of an image, for what they do one after the other: `image:node:20`. No container's
 * name has a colon. Cut where it is too long. */
void container_image_name(char *out, size_t size, const struct container_info *info);

/* Of a command line, words with NULs behind each, as far as the kernel tells one (PV_EXEC_ARGV octets). Never 0. */
uint64_t container_words(const char *words, size_t len);

/* What is in a cgroup's own name. Fills class, id and rootless of *w from `path` (whole path below the
 * cgroup2 root); `parent` is the parent's class (PV_CLASS_TOP at the root). The same rules as in the kernel
 * (bpf/classify.h). */
void workload_classify(struct workload *w, const char *path, enum pv_class parent);
/* Whether a cgroup path is a container's, or lies below one. */
bool workload_path_is_container(const char *path);

#endif
