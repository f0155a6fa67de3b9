/* db.h - inside the store: the connection and its statements. Only store/ includes this. */
#ifndef PV_STORE_DB_H
#define PV_STORE_DB_H

#include <sqlite3.h>

#include "store/flush.h"
#include "store/store.h"

enum db_statement { /* texts in db.c */
	DB_BEGIN,
	DB_COMMIT,
	DB_ROLLBACK,
	DB_BATCH,
	DB_INNER,
	DB_INNER_COMMIT,
	DB_INNER_ROLLBACK,
	DB_NOTICE_ADD,
	DB_NOTICE_COUNT,
	DB_NOTICE_GET,
	DB_NOTICES_NEW,
	DB_NOTICES_OLD,
	DB_LAST_ROW,
	DB_DELIVERY_ADD,
	DB_DELIVERY_DUE,
	DB_DELIVERY_DONE,
	DB_DELIVERY_RETRY,
	DB_DELIVERY_NEXT,
	DB_DELIVERY_HURRY,
	DB_DELIVERY_KEEP,
	DB_DELIVERY_DROP,
	DB_COUNTS,
	DB_BACKLOG,
	DB_BACKLOG_WORST,
	DB_BACKLOG_DONE,
	DB_BACKLOG_RETRY,
	DB_ACT_ADD,
	DB_ACT_GET,
	DB_ACTS,
	DB_ACT_UNDONE,
	DB_KV_SET,
	DB_KV_GET,
	DB_KV_EACH,
	DB_KV_DROP,
	DB_BAN_PUT,
	DB_BAN_GET,
	DB_BANS,
	DB_BAN_DROP,
	DB_BANS_OVER,
	DB_BANS_TRIM,
	DB_BANS_FEWER,
	DB_TRIM_PICK,
	DB_TRIM_DELIVERIES,
	DB_TRIM_NOTICES,
	DB_TRIM_ACTS,
	DB_N
};

struct store {
	int dir_fd;
	char path[64]; /* /proc/self/fd/N/history.db */
	sqlite3 *db;
	sqlite3_stmt *statements[DB_N]; /* prepared at first use, then kept */
	struct flush *flush;
	unsigned batches; /* begun and not ended; only the outermost commits */
	int lost;	  /* why the batch was rolled back */
	uint64_t last_row; /* the last one that a notice got, also in a batch that was lost; 0: none yet */
	bool damaged;
	char uid[33];
};

/* The prepared statement, reset and without bindings; NULL when it cannot be had: db_error() says why. */
sqlite3_stmt *db_get(struct store *s, enum db_statement which);
/* SQLite's code as negative errno (0 for OK, ROW and DONE); of the last call. */
int db_errno(int code);
int db_error(struct store *s);
/* Steps to the end and resets: 0, or negative errno. */
int db_run(struct store *s, sqlite3_stmt *st);
/* Runs one that takes one number or two, and returns how many rows it changed. */
int db_change(struct store *s, enum db_statement which, uint64_t first, uint64_t second);
/* Steps through all rows; fn non-zero ends it. 0 or negative errno. */
int db_each(struct store *s, sqlite3_stmt *st, int (*fn)(sqlite3_stmt *, void *), void *arg);

int db_begin(struct store *s);
/* Commits when `r` is 0, else rolls back. Returns r, or what the commit said. */
int db_end(struct store *s, int r);

/* A column's text into a fixed array, cut at its end; NULL is "". */
void db_text(sqlite3_stmt *st, int column, char *out, size_t size);
#define DB_TEXT(st, column, array) db_text((st), (column), (array), sizeof(array))
static inline uint64_t db_u64(sqlite3_stmt *st, int column)
{
	return (uint64_t) sqlite3_column_int64(st, column);
}
int db_bind_text(sqlite3_stmt *st, int index, const char *text); /* borrowed until the statement is reset */
static inline int db_bind_u64(sqlite3_stmt *st, int index, uint64_t v)
{
	return sqlite3_bind_int64(st, index, (sqlite3_int64) v);
}

/* The columns of a notice, in this order, from `first` on. -EBADMSG: an id or name that this version does not know. */
#define DB_NOTICE_COLUMNS                                                                          \
	"n.row,n.time_us,n.last_us,n.id,n.severity,n.action,n.kind,n.subject,n.cgroup,n.count,n.what,n.next,n.evidence"
int db_notice(sqlite3_stmt *st, int first, struct notice *ret);

/* For db_each() over rows of DB_NOTICE_COLUMNS alone. A notice of another version's id is passed over: it stays in the
 * file for the version that knows it. */
struct db_each_notice {
	int (*fn)(const struct notice *, void *);
	void *arg;
};
int db_give_notice(sqlite3_stmt *st, void *arg);

#endif
