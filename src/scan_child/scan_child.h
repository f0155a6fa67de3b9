/* scan_child.h - pavise-scan: reads what strangers wrote. Between its files only; what it is told on its command line comes
 * from `pavise scan` (cmd/scan.c). */
#ifndef PV_SCAN_CHILD_H
#define PV_SCAN_CHILD_H

#include <limits.h>

#include "report/findings.h"
#include "scan/secrets.h"

#define SCAN_PATHS 16

struct scan_args {
	const char *rules[SCAN_PATHS];
	size_t n_rules;
	const char *cache;     /* folder, or NULL */
	const char *dir;       /* absolute; NULL: none */
	const char *name;      /* of the container, or what standard input is called */
	const char *since;     /* a commit, as it was typed */
	const char *only, *skip;
	const struct findings_format *format;
	enum severity fail_on;
	int text_fd, container_fd, baseline_fd, index_fd; /* -1: not given */
	bool tree, history, staged, all, quiet, colour;
	uint32_t width;
};

/* Reads the arguments. -EINVAL: said. */
int scan_args_read(struct scan_args *a, int argc, char **argv);

/* What may be read from now on; afterwards there is no network, no writing but to open descriptors, no exec. */
int scan_confine(const struct scan_args *a, const struct gitdir *git, const char *upper);

struct scan_run {
	const struct scan_args *args;
	struct gitdir *git; /* NULL: no repository */
	struct match_set *set;
	struct match_values *values;
	struct scan_notes tree_notes, history_notes;
	struct finding_list list;
	struct secrets secrets;
	struct pv_buf said;
	struct pv_buf answer;	/* of the container engine, not read yet */
	char upper[PATH_MAX];	/* the folder of the container's changed files; "": not known */
	unsigned threads;
	uint64_t files, blobs, commits;
};

/* Fetches the engine's answer and finds out, in a process without rights, where the container's changed files are: it is the
 * one folder that may be read afterwards. Before scan_confine(). */
int scan_container_ask(struct scan_run *run);
/* Environment and changed files of a container, from that answer. */
int scan_container(struct scan_run *run);
/* A commit as people name it: HEAD, a branch, a tag, a hexadecimal id or the start of one (7 digits or more). -ENOENT;
 * -EEXIST: more than one starts so. */
int scan_commit(const struct gitdir *g, const struct objects *s, const char *name, uint8_t ret_id[GIT_ID_MAX]);

#endif
