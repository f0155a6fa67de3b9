/* gate.h - `pavise audit --gate deploy`: the rows of the requirements that a deploy is held to (P1-P10, G2-G6), each answered by
 * running the command that stands in its row. The rows are compiled in (doc/requirements.tsv). */
#ifndef PV_CMD_GATE_H
#define PV_CMD_GATE_H

#include "cmd/cmd.h"

extern const char requirements_tsv[]; /* made at build time */

struct gate_row {
	char id[8], text[160], met_by[160];
};
/* The next row of the gate in the table's text; false at its end. *at starts at the text's beginning. */
bool gate_next(const char **at, struct gate_row *ret);

/* Each `command: ids` of a row: "scan: dep.vulnerable, dep.malicious"; "pavise ci; audit: ci.present". Stores the command's
 * name ("scan", "ci") and the text of its ids ("" where it is the command's own status). False at the end. */
bool gate_part(const char **at, char command[16], char ids[128]);

int gate_deploy(struct cmd *c); /* an exit status: 1 a row fails; 3 one could not be checked; 0 */

#endif
