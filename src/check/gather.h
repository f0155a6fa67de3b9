/* gather.h - collects the facts of a host and has them judged. The only part of check/ that reads anything. */
#ifndef PV_CHECK_GATHER_H
#define PV_CHECK_GATHER_H

#include "check/check.h"
#include "host/hostfs.h"

#define GATHER_DIRS 256

struct project {         /* a folder somebody deploys from */
	const char *dir; /* absolute */
	const char *why; /* "Compose project shop", "unit web.service", "given" */
};

/* A port that a stranger reaches and should not. */
struct audit_open {
	unsigned port;
	bool udp;
	enum id id; /* that says so */
};

struct audit {
	struct arena arena;
	struct hostfs fs;
	int sock; /* audit_ask(); -1: nobody to ask */
	bool saved;
	struct check_policy policy;
	struct check_select select;
	struct finding_list out;
	struct ctr_list containers;
	struct project project[GATHER_DIRS];
	size_t n_projects, projects_left; /* left: there was no room for them */
	const char *const *backup; /* folders that the configuration names */
	size_t n_backups;
	struct audit_open *open; /* by check_firewall() */
	size_t n_open;
	const char *outside; /* interfaces that lead outside, blanks between */
	struct project target[GATHER_DIRS]; /* folders that backups are put into by what runs by itself: dumps.h */
	size_t n_targets, targets_left;
	const char *watched; /* what pavise-caps wrote; NULL: nobody watched */
	bool workloads; /* there is something that belongs to a project */
};

/* Containers and services of the engines: fills `containers`, the host part of `policy` and the projects. Adds findings
 * only for what could not be asked. 0 or -ENOMEM. */
int gather_engine(struct audit *a);
/* Adds a folder once. */
void gather_project(struct audit *a, const char *dir, const char *why);

/* Each adds the findings of its ids. 0 or -ENOMEM. */
int check_projects(struct audit *a); /* file.*, git.dumps-sessions, backup.* */
int check_units(struct audit *a);    /* unit.* */
int check_sshd(struct audit *a);     /* ssh.* */
int check_machine(struct audit *a);  /* host.*, mon.* */
int check_persistence(struct audit *a); /* what came to stay; secret.rotation-age: when projects are found */
int check_updates(struct audit *a);  /* upd.* */
int check_tls(struct audit *a);	     /* tls.*: after check_units(), which finds projects */
int check_firewall(struct audit *a); /* fw.*, host.panel-exposed, host.swarm-ports: after check_sshd() */

/* A finding about the host, or about something on it: the caller fills the rest and calls gather_add(). */
struct finding *gather_finding(enum id id, enum finding_verdict v, enum subject_kind kind, const char *name,
			       const char *path);
int gather_add(struct audit *a, struct finding *f, const char *key); /* fingerprint, then into the list */
/* `reason` for what could not be read. */
int gather_unknown(struct audit *a, enum id id, enum subject_kind kind, const char *name, enum finding_reason reason,
		   const char *why);
enum finding_reason gather_reason(int r);

#endif
