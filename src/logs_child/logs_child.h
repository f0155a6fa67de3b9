/* logs_child.h - pavise-logs: reads logs, which anybody may have written to. Between its files only; what it is told on its command line
 * comes from `pavise logs` (cmd/logs.c), which has opened everything. */
#ifndef PV_LOGS_CHILD_H
#define PV_LOGS_CHILD_H

#include "base/map.h"
#include "logs/logs.h"
#include "report/findings.h"

#define LOGS_PATHS 16
#define LOGS_FILES 512

struct logs_file {
	int fd, about; /* about: of a container, its config.v2.json; else -1 */
	const char *name;
};

struct logs_args {
	const char *rules[LOGS_PATHS], *cache, *service, *only, *skip, *container, *unit, *line;
	size_t n_rules;
	struct logs_file file[LOGS_FILES], own[LOGS_FILES]; /* named by a person; found in a container's folder */
	size_t n_files, n_own;
	int journal[LOGS_FILES];
	size_t n_journals;
	const struct findings_format *format;
	enum severity fail_on;
	uint64_t since_us; /* wall clock; 0: all */
	uint32_t width;
	bool events, usual, all, quiet, colour; /* events: --format jsonl; usual: nobody named files */
};
int logs_args_read(struct logs_args *a, int argc, char **argv);

/* Equal things, once. */
struct tally_group {
	enum id id;
	enum severity severity;
	const char *rule, *service;
	char source[160], user[LOG_USER_MAX];
	struct ip_addr address;
	bool has_address;
	uint64_t count, first_us, last_us, line;
	char *sample; /* masked, not escaped */
};

#define TALLY_MAX 50000

struct tally {
	struct pv_map map;
	struct tally_group **item;
	size_t n, room;
	uint64_t count[ID_N], beyond; /* events; those of groups that found no room */
	uint64_t lines, cut, sources, records;
};
int tally_add(struct tally *t, struct logs_reader *r, const struct log_event *e);
void tally_sort(struct tally *t); /* worst and most frequent first */
int tally_findings(const struct tally *t, struct finding_list *list);
void tally_screen(const struct tally *t, const struct logs_args *a, struct pv_buf *out);
void tally_done(struct tally *t);

#endif
