/* check.h - the audit's table of checks, and how they are run over collected facts. A probe is pure: it sees facts and
 * the policy, and answers. Gathering is elsewhere (read_*.c, gather_*.c), so that every verdict can be tried on a saved
 * host.
 *
 * A check that fails because something is missing (no limit is set) cannot fail where the field could not be read: it
 * is unknown then, with the reason and the line of the gap. One that fails because of something seen (a mounted socket)
 * fails, whatever else is hidden. That rule is applied here, once, not in the probes. */
#ifndef PV_CHECK_CHECK_H
#define PV_CHECK_CHECK_H

#include "check/container.h"
#include "model/finding.h"

enum answer {
	ANSWER_PASS,
	ANSWER_SEEN,    /* fails: something is there that must not be */
	ANSWER_MISSING, /* fails: something that must be there is not */
	ANSWER_NA,      /* does not apply to this subject */
	ANSWER_UNKNOWN, /* the probe has set the reason: finding_unknown() */
};

#define CHECK_PORTS 64
#define SSH_PORTS   16

struct check_policy {
	uint64_t pids, memory, nano_cpus; /* 100, 512 MiB, 1.5 */
	uint16_t ports[CHECK_PORTS];      /* that may face the Internet: 80, 443 */
	size_t n_ports;
	uint16_t ssh_ports[SSH_PORTS]; /* of the host's own sshd */
	size_t n_ssh_ports;
	bool ssh_unsure; /* a part of its configuration could not be read, or systemd listens for it: there may be others */
	uint64_t key_age_us, now_us; /* wall clock of the run */
	unsigned channels;	     /* that notices go to */
	bool configured;	     /* the configuration is known: `channels` says something */
	/* of the machine the containers run on; zeroed for a file that is judged before it is there */
	bool host_known, daemon_nnp, userns_remap, rootless, has_apparmor, swarm;
};

void check_policy_defaults(struct check_policy *p);
/* "pids=100,memory=536870912,milli_cpus=1500,key_age=SECONDS,channels=1,ports=80:443". 0 or -EINVAL. */
int check_policy_read(struct check_policy *p, const char *text);
bool check_port_allowed(const struct check_policy *p, unsigned port);

struct ctr_check {
	enum id id;
	enum ctr_field field; /* what it needs */
	unsigned sources;     /* bit 1 << enum ctr_source: where it has a meaning */
	/* Fills evidence and, where it differs from the id's own, severity. */
	enum answer (*probe)(const struct ctr *c, const struct check_policy *p, struct finding *f);
	/* The one line that mends it in a Compose file below the service, with %s for nothing; NULL: none */
	const char *compose;
	const char *update;  /* `docker update` of a running container: its options; NULL: cannot be done live */
	const char *service; /* `docker service update`: its options; NULL: none */
	const char *run;     /* `docker run`: its options; NULL: none */
	const char *text;    /* in words */
};
extern const struct ctr_check ctr_checks[]; /* ends with a NULL probe */

/* What the probes go by, for whoever mends. */
bool ctr_cap_harmless(const char *name); /* what an ordinary server's start needs */
bool ctr_mount_gives_socket(const struct ctr_mount *m);
bool ctr_mount_is_hosts(const struct ctr_mount *m);
bool ctr_device_is_hosts(const char *path);
bool ctr_loopback(const char *address);
bool ctr_port_faces(const struct check_policy *p, const struct ctr_port *port); /* strangers, and need not */

/* Which ids were asked for: --only and --skip, ids, aliases or prefixes, commas between. */
struct check_select {
	bool on[ID_N];
};
/* `only` and `skip` may be NULL. -EINVAL: *ret_word (of at most `size`) fits no id. */
int check_select(struct check_select *s, const char *only, const char *skip, char *ret_word, size_t size);
bool check_is_audit(enum id id); /* ids that the audit answers for */

/* All container checks over one container. Adds a finding each, passes too. 0 or -ENOMEM. */
int check_container(const struct ctr *c, const struct check_policy *p, const struct check_select *s,
		    struct finding_list *to);
/* Findings of the same id, kind, name and path become one with `instances` (replicas); the worse verdict stays. */
void check_fold(struct finding_list *l);
/* An id that was asked for and that nothing answers for yet: unknown, unsupported. */
int check_unsupported(const struct check_select *s, bool host, struct finding_list *to);

/* --- the grade --- */
struct grade {
	char letter;    /* A B C D F; 0: nothing was looked at */
	unsigned score; /* 0-100 */
};
/* Of one subject: 100 minus 40, 15, 5, 1 for each failing critical, high, medium, low id; half of that for an unknown
 * one; nothing for what is unknown by nature or unsupported. A from 90, B 75, C 55, D 35. With a failing high at best
 * C, with a critical F. `name` NULL: everything that is no workload. */
struct grade grade_subject(const struct finding_list *l, enum subject_kind kind, const char *name);
/* The host: the worse of its own checks and the median of its workloads; F with a critical anywhere. */
struct grade grade_host(const struct finding_list *l);

#endif
