/* flush.h - the thread beside the store. synchronous=NORMAL leaves a commit in the page cache, where it survives
 * kill -9 but not a power cut; this thread makes it durable soon after, and copies the WAL into the database (which
 * takes two fsyncs), so that a commit never waits for a disk. */
#ifndef PV_STORE_FLUSH_H
#define PV_STORE_FLUSH_H

#include "base/util.h"

struct flush;

/* Starts the thread. `path` is that of the database, `dir_fd` its folder and `wal` the name of the WAL in it, which
 * must exist already; all are used only in here. The thread takes no signals. */
int flush_start(const char *path, int dir_fd, const char *wal, struct flush **ret);
/* Stops and joins it, after a last flush of what was told. */
struct flush *flush_free(struct flush *f);
PV_AUTO(flush)

/* A commit happened; the WAL holds so many pages now. Costs a mutex, and a wake-up only when the thread slept. */
void flush_told(struct flush *f, int wal_pages);
/* How many flushes were made, and the longest time in microseconds from a commit to the end of its flush. */
void flush_stats(struct flush *f, uint64_t *ret_flushes, uint64_t *ret_longest_us);

#endif
