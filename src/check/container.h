/* container.h - what a check knows about one container, whatever it was read from: the Engine API's answer about a
 * container or a Swarm service, a service of a Compose file, a Dockerfile. Facts only; the verdicts are in ctr.c and
 * img.c.
 *
 * What could not be read is marked in `gap`, field by field with the reason and the line: a check then says unknown
 * instead of guessing. What is there twice or in another spelling is brought to one form here (sizes in bytes,
 * capabilities without CAP_, volume and port syntax short or long), so that the same container gives the same verdicts
 * from every source. */
#ifndef PV_CHECK_CONTAINER_H
#define PV_CHECK_CONTAINER_H

#include "base/buf.h"
#include "check/arena.h"
#include "model/finding.h"

enum ctr_source { CTR_INSPECT, CTR_SWARM, CTR_COMPOSE, CTR_DOCKERFILE };

enum ctr_field {               /* what a check may need; each may have a gap */
		 CTR_SECURITY, /* security_opt */
		 CTR_ROOTFS,
		 CTR_TMPFS,
		 CTR_PIDS,
		 CTR_MEMORY,
		 CTR_SWAP,
		 CTR_CPU,
		 CTR_USER,
		 CTR_CAPS,
		 CTR_MOUNTS,
		 CTR_PORTS,
		 CTR_ENV,
		 CTR_IMAGE,
		 CTR_HEALTH,
		 CTR_RESTART,
		 CTR_NET,
		 CTR_PID_NS,
		 CTR_IPC_NS,
		 CTR_UTS_NS,
		 CTR_USER_NS,
		 CTR_DEVICES,
		 CTR_PRIVILEGED,
		 CTR_BUILD, /* the steps of a Dockerfile */
		 CTR_FIELDS
};

struct ctr_gap {
	enum finding_reason reason; /* REASON_NONE: there is no gap */
	unsigned line;
	const char *why;
};

/* A word with the place it was read at (line 0: none). */
struct ctr_word {
	const char *text;
	const char *what; /* "security_opt[1]", "HostConfig.CapAdd[0]": names it in the evidence */
	const char *file; /* NULL: the container's own path */
	unsigned line;
};

struct ctr_words {
	struct ctr_word *item;
	size_t n;
};

struct ctr_mount {
	struct ctr_word at;
	const char *type;   /* bind, volume, tmpfs */
	const char *source; /* of a bind: normalised absolute path, or as written when it is relative */
	const char *target;
	const char *options; /* of a tmpfs: "size=64m,noexec"; of a bind: propagation; "" */
	bool ro;
};

struct ctr_port {
	struct ctr_word at;
	const char *address;             /* "": all of them */
	unsigned first, last; /* on the host; 0: some free one */
	unsigned container, container_last; /* _last 0: that one alone */
	bool udp, host_mode; /* host_mode: of a Swarm service, past the routing mesh */
};

struct ctr_env {
	struct ctr_word at;
	const char *name;
	const char *value;  /* NULL: not known */
	bool from_env_file; /* read from .env or an env_file, not written down here */
};

struct ctr_step { /* an instruction of a Dockerfile */
	struct ctr_word at;
	const char *name; /* upper case: RUN */
};

struct ctr {
	enum ctr_source source;
	enum subject_kind kind;
	const char *name;              /* shop/web, as findings name it */
	const char *engine_name;       /* what `docker` takes: container or service name; NULL: none */
	const char *id;		       /* of a container, 64 hex digits; NULL: none */
	unsigned engine;	       /* 0 Docker, 1 Podman */
	const char *project, *service; /* of Compose; NULL: none */
	const char *dir;               /* folder of the project; NULL: not known */
	const char *path;              /* file it was read from; NULL: none */
	unsigned line;
	bool running;
	const char *upper; /* the folder of its own layer (overlay); NULL: not known */
	long pid; /* of its first process on the host; 0: none */

	struct ctr_words security; /* security_opt */
	struct ctr_words cap_add, cap_drop;
	struct ctr_words devices;    /* host paths */
	struct ctr_words steps_from; /* images of FROM, all stages */
	struct ctr_words labels;     /* "key=value" of Traefik's, from an engine */
	struct ctr_words args;	     /* of the command, where the image is Traefik */
	struct ctr_word image, user, restart, net, pid_ns, ipc_ns, uts_ns, user_ns, health;
	struct ctr_mount *mount;
	size_t n_mounts;
	struct ctr_port *port;
	size_t n_ports;
	struct ctr_env *env;
	size_t n_env;
	struct ctr_step *step;
	size_t n_steps;
	struct ctr_word rootfs, limit_pids, limit_memory, limit_swap, limit_cpu, privileged; /* where they stand */
	bool read_only, is_privileged;
	bool healthcheck, healthcheck_off;
	int64_t pids;         /* 0: none */
	uint64_t memory;      /* bytes; 0: none */
	int64_t swap;         /* memory and swap together, bytes; 0: not set; -1: without end */
	uint64_t nano_cpus;   /* 0: none */
	long live_uid;        /* of the running first process, seen from the host; -1: not known */
	const char *apparmor; /* profile in force; NULL: not known */
	bool nnp_privileges;  /* Swarm: Privileges.NoNewPrivileges */

	struct ctr_gap gap[CTR_FIELDS];
};

struct ctr_list {
	struct ctr **item;
	size_t n;
};

struct ctr *ctr_new(struct arena *a, enum ctr_source source);          /* NULL: no memory */
void ctr_list_add(struct arena *a, struct ctr_list *l, struct ctr *c); /* takes NULL */
/* The first reason of a field stays. */
void ctr_set_gap(struct ctr *c, enum ctr_field field, enum finding_reason reason, unsigned line, const char *why);
void ctr_set_all_gaps(struct ctr *c, enum finding_reason reason, unsigned line, const char *why);

struct ctr_word *ctr_words_add(struct arena *a, struct ctr_words *l, const char *text, const char *what, unsigned line);
struct ctr_mount *ctr_mount_add(struct arena *a, struct ctr *c);
struct ctr_port *ctr_port_add(struct arena *a, struct ctr *c);
struct ctr_env *ctr_env_set(struct arena *a, struct ctr *c, const char *name, const char *value); /* replaces */

/* --- spellings; -EINVAL: not understood --- */
int ctr_parse_size(const char *s, int64_t *ret);       /* 512m 1.5g 1gb 512MiB 1024 -1, as Docker does: all binary */
int ctr_parse_cpus(const char *s, uint64_t *ret_nano); /* 1.5 0.25 */
int ctr_parse_bool(const char *s, bool *ret);          /* true false yes no on off */
/* "[address:][host[-host]:]container[-container][/proto]". */
int ctr_parse_port(struct arena *a, const char *s, struct ctr_port *ret);
/* "source:target[:options]", "target". A source with a slash or a leading . or ~ is a bind. */
int ctr_parse_volume(struct arena *a, const char *s, struct ctr_mount *ret);
const char *ctr_cap_name(struct arena *a, const char *s); /* upper case, without CAP_ */
/* Removes //, /./ and /../ from an absolute path; others as they are. Text only: links are for whoever can look. */
char *ctr_path_clean(struct arena *a, const char *path);
/* The uid of "0", "0:0", "root:x", "1001:1001", "node": 1 root, 0 not root, -EINVAL when nothing can be said. */
int ctr_user_is_root(const char *user);

/* --- readers --- */
/* Body of GET /containers/{id}/json. 0, -EBADMSG, -EFBIG, -ENOMEM. What does not have the type that the API promises is
 * a gap. */
int ctr_from_inspect(struct arena *a, const char *json, size_t len, struct ctr **ret);
/* Body of GET /services/{id}, or one element of GET /services. */
int ctr_from_service(struct arena *a, const char *json, size_t len, struct ctr **ret);
/* A Dockerfile: the last stage's image. Never fails but for memory; what is not understood is a gap. */
int ctr_from_dockerfile(struct arena *a, const char *text, size_t len, const char *path, struct ctr **ret);

#endif
