/* record.h - what `pavise audit --fix` changed, so that --undo can take it back: one file a run in the folder `undo` of the
 * state (mend/state.h), one JSON object a line, each written before the change itself is made. A run that was taken back
 * is renamed to *.undone and stays. */
#ifndef PV_MEND_RECORD_H
#define PV_MEND_RECORD_H

#include "check/step.h"
#include "mend/target.h"

#define RECORD_STEPS 1024
#define RECORD_NAME  64

struct record_line {
	struct audit_step step; /* as it was carried out: `dev`, `ino` of the file, `now` and `wanted` of limits */
	uint32_t old_mode;
	struct mend_size size; /* STEP_IGNORE */
	bool failed;	       /* nothing was changed after all */
};

struct record {
	char name[RECORD_NAME]; /* audit-20261128T154500.123456Z.jsonl */
	int folder, fd;
};

int record_new(int folder, uint64_t now_us, struct record *ret); /* makes the file */
void record_close(struct record *r);
/* Appends and waits until it is on the disk. 0 or -errno: then the change must not be made. */
int record_add(struct record *r, const struct record_line *line);
/* The newest run that was not taken back. -ENOENT; -EPERM, -EBADMSG: not written by us. *ret holds n lines to free();
 * of two lines about one step the later counts. */
int record_newest(int folder, struct record *ret, struct record_line **ret_lines, size_t *ret_n);
int record_undone(const struct record *r); /* renames it */

#endif
