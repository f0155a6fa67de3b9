/* audit.h - what the files of `pavise audit` share. */
#ifndef PV_CMD_AUDIT_H
#define PV_CMD_AUDIT_H

#include <limits.h>

#include "check/step.h"
#include "cmd/audit_known.h"
#include "cmd/cmd.h"
#include "engine_api/request.h"

#define AUDIT_STEPS 512
#define ARGS_MAX   240
#define PATHS_MAX  16

struct start { /* of the child */
	const char *argv[ARGS_MAX];
	size_t n;
	char program[PATH_MAX], width[12], sock[12], baseline[12], ignore[PATH_MAX];
	char path[PATHS_MAX][PATH_MAX];
	size_t n_paths;
	int baseline_fd;
	const char *sockets[2]; /* Docker's and Podman's; NULL: not asked */
	struct audit_step *step; /* --fix: what it proposes; NULL: steps are not wanted */
	size_t n_steps;
	bool more_steps; /* than AUDIT_STEPS */
	const char *state_dir;
	const struct policy *policy;
	char policy_arg[1024];
	char override[12];
	int override_fd; /* --fix --compose: where the reader writes the override; -1: not wanted */
	struct known *known; /* audit_known.h; NULL: nothing was asked */
	bool quiet;
	uint64_t within_us; /* --guarded: how long it waits to be confirmed */
	/* A run over the whole host is compared with the last one, and kept for the next. */
	char save_arg[12], seen_arg[12], probe_arg[12], watch_arg[12];
	int watch_fd; /* --watch: which capabilities were used; -1: nobody watched */
	int probe_fd; /* --probe: what came back; -1: not wanted */
	struct pv_buf state; /* path of the folder that holds `audit` and `accepted`; empty: none */
	int state_fd, save_fd, seen_fd;
};

/* Answers the reader until it closes its end, and keeps its steps. */
void audit_serve(struct start *s, int sock);
/* One request to an engine; its raw answer into the file `to`, rewound. 0 or -errno. */
int audit_engine(const struct start *s, unsigned engine, enum api_request what, const char *id, uint32_t number, int to);

/* --- audit_fix.c: exit statuses --- */
int audit_fix(struct cmd *c, struct start *s); /* shows the steps, asks, carries them out */
int audit_undo(struct cmd *c, struct start *s);
/* 1: go on; 0: no; -EINVAL: nobody to ask (said). `what`: "Carry out 3 steps" */
int audit_agreed(struct cmd *c, const char *what);

/* --- audit.c --- */
struct start *audit_start_new(struct cmd *c); /* NULL: no memory */
struct start *audit_start_free(struct start *s);
#define start_free audit_start_free
PV_AUTO(start)
void audit_arg(struct start *s, const char *name, const char *value);
int audit_run(struct start *s); /* starts the reader and serves it: its exit status, or -errno */
int audit_program(struct cmd *c, struct start *s); /* finds it, and begins its arguments; an exit status */

/* --- audit_probe.c --- */
int audit_probe(struct cmd *c, struct start *s); /* CMD_OK: probe_fd holds the answers */

/* --- audit_watch.c --- */
int audit_watch(struct cmd *c, struct start *s); /* CMD_OK: watch_fd holds what was seen, or is -1 (said) */

/* --- audit_override.c --- */
int audit_override(struct cmd *c, struct start *s); /* shows what the reader wrote, asks, writes it beside the file */

#endif
