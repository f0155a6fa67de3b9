/* journal.h - the system's journal, from descriptors of its files (sd_journal_open_files_fd(3)): nothing is opened here, and who wakes us is
 * an inotify watch of the caller's (journald writes through a mapping and then truncates the file to its own size, so that a watch fires;
 * at most 250 ms after the record). The place in it is the journal's own cursor. */
#ifndef PV_SENSE_JOURNAL_H
#define PV_SENSE_JOURNAL_H

#include "base/util.h"

#define JOURNAL_FIELD 128
#define JOURNAL_FILES 16 /* the newest ones; the others are older than anything that can still count */

/* Fields that begin with `_` are journald's own: the sender cannot choose them (systemd.journal-fields(7)). */
struct journal_record {
	const char *message; /* not terminated; valid during the call */
	size_t len;
	uint64_t time_us;
	char unit[JOURNAL_FIELD];      /* _SYSTEMD_UNIT, else _SYSTEMD_SLICE; "" */
	char transport[16];	       /* _TRANSPORT: syslog, journal, stdout, kernel, audit */
	char cgroup[JOURNAL_FIELD];    /* _SYSTEMD_CGROUP */
	char identifier[JOURNAL_FIELD]; /* SYSLOG_IDENTIFIER: chosen by the sender */
	char container[65];	       /* CONTAINER_ID_FULL: chosen by the sender; "" */
	bool partial;		       /* CONTAINER_PARTIAL_MESSAGE: the line goes on in the next one of its stream */
	bool error;		       /* of a container's stderr: Docker and conmon write 3 as PRIORITY, else 6 */
	uint32_t ordinal;	       /* CONTAINER_PARTIAL_ORDINAL: of a piece, from 1; 0: not told (Podman) */
	uint32_t uid, pid;
	bool has_uid;
};

struct journal;
int journal_new(struct journal **ret);
struct journal *journal_free(struct journal *j);
PV_AUTO(journal)

/* These are its files now. Takes the descriptors in any case. Goes on after the cursor it has; `cursor` (may be NULL) is where to begin when
 * it has none: NULL begins at the end. 0 or negative errno. */
int journal_files(struct journal *j, const int *fds, size_t n, const char *cursor);
/* At most `max` records; fn non-zero ends the turn: that record is given again. 1: there may be more; 0; negative: fn's, or errno. */
int journal_turn(struct journal *j, size_t max, int (*fn)(const struct journal_record *r, void *arg), void *arg);
/* Of the last record of the turns that ended well; NULL: nothing was seen yet. */
const char *journal_cursor(const struct journal *j);

#endif
