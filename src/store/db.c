#include "store/db.h"

#include <string.h>

#include "base/text.h"

_Static_assert(POLICY_CHANNELS == 16, "DB_DELIVERY_KEEP names so many");

static const char *const texts[DB_N] = {
	[DB_BEGIN] = "BEGIN IMMEDIATE",
	[DB_COMMIT] = "COMMIT",
	[DB_ROLLBACK] = "ROLLBACK",
	[DB_BATCH] = "BEGIN", /* costs nothing as long as nothing is written */
	[DB_INNER] = "SAVEPOINT inner",
	[DB_INNER_COMMIT] = "RELEASE inner",
	[DB_INNER_ROLLBACK] = "ROLLBACK TO inner",
	[DB_NOTICE_ADD] = "INSERT INTO notices(time_us,last_us,id,severity,action,kind,subject,cgroup,count,what,next,evidence,row)"
			  " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
	[DB_NOTICE_COUNT] = "UPDATE notices SET time_us=?1,last_us=?2,id=?3,severity=?4,action=?5,kind=?6,subject=?7,"
			    "cgroup=?8,count=?9,what=?10,next=?11,evidence=?12 WHERE row=?13",
	[DB_NOTICE_GET] = "SELECT " DB_NOTICE_COLUMNS " FROM notices n WHERE n.row=?1",
	/* substr and not LIKE: an id prefix holds `_` and `.`, and means itself. */
#define NOTICES                                                                                    \
	"SELECT " DB_NOTICE_COLUMNS " FROM notices n WHERE n.row<?1 AND n.row>?2 AND n.last_us>=?3"   \
	" AND (?4 IS NULL OR substr(n.id,1,length(?4))=?4) AND (?5 IS NULL OR n.subject=?5)"
	[DB_NOTICES_NEW] = NOTICES " ORDER BY n.row DESC LIMIT ?6",
	[DB_NOTICES_OLD] = NOTICES " ORDER BY n.row LIMIT ?6",
	[DB_LAST_ROW] = "SELECT max(row) FROM notices",
	[DB_DELIVERY_ADD] = "INSERT INTO deliveries(notice,key,since_us,due_us) VALUES(?1,?2,?3,?3)",
	[DB_DELIVERY_DUE] = "SELECT d.row,d.key,d.attempts,d.since_us," DB_NOTICE_COLUMNS
			    " FROM deliveries d JOIN notices n ON n.row=d.notice"
			    " WHERE d.state=0 AND d.key=?1 AND d.due_us<=?2 ORDER BY d.due_us,d.row LIMIT ?3",
	[DB_DELIVERY_DONE] = "DELETE FROM deliveries WHERE row=?1",
	[DB_DELIVERY_RETRY] = "UPDATE deliveries SET attempts=attempts+1,due_us=?2,state=(?2=0),error=?3 WHERE row=?1",
	[DB_DELIVERY_NEXT] = "SELECT min(due_us) FROM deliveries WHERE state=0 AND key=?1 AND due_us>?2",
	[DB_DELIVERY_HURRY] = "UPDATE deliveries SET due_us=?2 WHERE state=0 AND key=?1 AND due_us>?2",
	[DB_DELIVERY_KEEP] = "UPDATE deliveries SET state=1,error='the channel is no longer configured' WHERE state=0"
			     " AND key NOT IN (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)",
	[DB_DELIVERY_DROP] = "UPDATE deliveries SET state=1,error='no channel is configured' WHERE state=0",
	[DB_COUNTS] = "SELECT (SELECT count(*) FROM notices),(SELECT count(*) FROM deliveries WHERE state=0),"
		      "(SELECT count(*) FROM deliveries WHERE state=1)",
	[DB_BACKLOG] = "SELECT count(*),min(n.time_us),max(n.last_us),min(d.due_us),max(d.row),min(d.since_us),"
		       "max(d.attempts),sum(n.severity=0),sum(n.severity=1),sum(n.severity=2),sum(n.severity=3),"
		       "sum(n.severity=4) FROM deliveries d JOIN notices n ON n.row=d.notice WHERE d.state=0 AND d.key=?1",
	[DB_BACKLOG_WORST] = "SELECT " DB_NOTICE_COLUMNS " FROM deliveries d JOIN notices n ON n.row=d.notice"
			     " WHERE d.state=0 AND d.key=?1 AND d.row<=?2 ORDER BY n.severity DESC,n.row LIMIT ?3",
	[DB_BACKLOG_DONE] = "DELETE FROM deliveries WHERE state=0 AND key=?1 AND row<=?2",
	[DB_BACKLOG_RETRY] = "UPDATE deliveries SET attempts=attempts+1,due_us=?3,state=(?3=0),error=?4"
			     " WHERE state=0 AND key=?1 AND row<=?2",
	[DB_ACT_ADD] = "INSERT INTO acts(time_us,notice,kind,subject,id,old_value,undone) VALUES(?1,?2,?3,?4,?5,?6,?7)",
#define ACTS "SELECT row,time_us,notice,kind,subject,id,old_value,undone FROM acts"
	[DB_ACT_GET] = ACTS " WHERE row=?1",
	[DB_ACTS] = ACTS " ORDER BY row DESC LIMIT ?1",
	[DB_ACT_UNDONE] = "UPDATE acts SET undone=1 WHERE row=?1",
	[DB_KV_SET] = "INSERT INTO kv(key,value) VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET value=?2",
	[DB_KV_EACH] = "SELECT key,value FROM kv WHERE substr(key,1,length(?1))=?1 ORDER BY key",
	[DB_KV_DROP] = "DELETE FROM kv WHERE key=?1",
	[DB_KV_GET] = "SELECT value FROM kv WHERE key=?1",
	[DB_BAN_PUT] = "INSERT INTO bans(address,len,since_us,until_us,times,cause,service,reason,evidence) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)"
		       " ON CONFLICT(address,len) DO UPDATE SET since_us=?3,until_us=?4,times=?5,cause=?6,service=?7,reason=?8,evidence=?9",
#define BANS "SELECT address,len,since_us,until_us,times,cause,service,reason,evidence FROM bans"
	[DB_BAN_GET] = BANS " WHERE address=?1 AND len=?2",
	[DB_BANS] = BANS " WHERE until_us>?1 ORDER BY until_us DESC LIMIT ?2",
	[DB_BAN_DROP] = "DELETE FROM bans WHERE address=?1 AND len=?2",
	/* Written anew and not updated: SQLite makes no room of what a row in its place does not need any more. */
	[DB_BANS_OVER] = "REPLACE INTO bans(address,len,since_us,until_us,times,cause,service,reason,evidence)"
			 " SELECT address,len,since_us,until_us,times,cause,service,'',NULL FROM bans WHERE until_us<=?1 AND evidence IS NOT NULL",
	[DB_BANS_FEWER] = "DELETE FROM bans WHERE until_us<="
			  "(SELECT until_us FROM bans WHERE until_us<=?1 ORDER BY until_us DESC LIMIT 1 OFFSET ?2)",
	[DB_BANS_TRIM] = "DELETE FROM bans WHERE until_us<?1",
	/* A row, not a time, bounds what the next three delete: one pick, and the same notices in each. */
	[DB_TRIM_PICK] = "SELECT max(row),count(*) FROM (SELECT row FROM notices WHERE last_us<?1 ORDER BY row LIMIT ?2)",
	[DB_TRIM_DELIVERIES] = "DELETE FROM deliveries WHERE state<>0 AND notice IN"
			       " (SELECT row FROM notices WHERE row<=?1 AND last_us<?2)",
	[DB_TRIM_NOTICES] = "DELETE FROM notices WHERE row<=?1 AND last_us<?2"
			    " AND NOT EXISTS(SELECT 1 FROM deliveries d WHERE d.notice=notices.row)",
	[DB_TRIM_ACTS] = "DELETE FROM acts WHERE undone=1 AND time_us<?1",
};

int db_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EROFS;
	default:
		return -EIO;
	}
}

int db_error(struct store *s)
{
	int r = db_errno(sqlite3_errcode(s->db));

	return r ? r : -EIO;
}

sqlite3_stmt *db_get(struct store *s, enum db_statement which)
{
	sqlite3_stmt **st = &s->statements[which];

	if (!*st) {
		(void) sqlite3_prepare_v3(s->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, st, NULL);
		return *st;
	}
	(void) sqlite3_reset(*st);
	(void) sqlite3_clear_bindings(*st);
	return *st;
}

static bool is_over(struct store *s)
{
	return sqlite3_get_autocommit(s->db);
}

/* Some errors (no room) roll back all of a batch at once. What came after it would stand by itself, or not at all. */
static bool is_lost(struct store *s)
{
	return s->batches && is_over(s);
}

static int ended(struct store *s, int code)
{
	int r = db_errno(code);

	if (r < 0 && is_lost(s))
		s->lost = r;
	return r;
}

int db_run(struct store *s, sqlite3_stmt *st)
{
	int code;

	if (is_lost(s))
		return s->lost;
	if (!st)
		return db_error(s);
	do
		code = sqlite3_step(st);
	while (code == SQLITE_ROW);
	(void) sqlite3_reset(st);
	return ended(s, code);
}

int db_change(struct store *s, enum db_statement which, uint64_t first, uint64_t second)
{
	sqlite3_stmt *st = db_get(s, which);
	int r;

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, first);
	if (sqlite3_bind_parameter_count(st) > 1)
		(void) db_bind_u64(st, 2, second);
	r = db_run(s, st);
	return r < 0 ? r : sqlite3_changes(s->db);
}

int db_each(struct store *s, sqlite3_stmt *st, int (*fn)(sqlite3_stmt *, void *), void *arg)
{
	int code;

	if (!st)
		return db_error(s);
	while ((code = sqlite3_step(st)) == SQLITE_ROW)
		if (fn(st, arg)) {
			code = SQLITE_DONE;
			break;
		}
	(void) sqlite3_reset(st);
	return ended(s, code);
}

int db_begin(struct store *s)
{
	return db_run(s, db_get(s, s->batches ? DB_INNER : DB_BEGIN));
}

static int inner_end(struct store *s, int r)
{
	if (is_lost(s))
		return s->lost;
	if (r < 0)
		(void) db_run(s, db_get(s, DB_INNER_ROLLBACK));
	(void) db_run(s, db_get(s, DB_INNER_COMMIT));
	return r;
}

int store_batch_begin(struct store *s)
{
	int r = s->batches ? 0 : db_run(s, db_get(s, DB_BATCH));

	if (!r)
		s->batches++;
	return r;
}

int store_batch_end(struct store *s)
{
	bool lost = is_lost(s);

	if (--s->batches)
		return 0;
	return lost ? s->lost : db_end(s, 0);
}

bool store_in_batch(const struct store *s)
{
	return s->batches > 0;
}

int db_end(struct store *s, int r)
{
	if (s->batches)
		return inner_end(s, r);
	if (!r)
		r = db_run(s, db_get(s, DB_COMMIT));
	if (r < 0 && !is_over(s))
		(void) db_run(s, db_get(s, DB_ROLLBACK));
	return r;
}

void db_text(sqlite3_stmt *st, int column, char *out, size_t size)
{
	const char *text = (const char *) sqlite3_column_text(st, column);

	(void) text_copy(out, size, text ? text : "");
}

int db_bind_text(sqlite3_stmt *st, int index, const char *text)
{
	return text ? sqlite3_bind_text(st, index, text, -1, SQLITE_STATIC) : sqlite3_bind_null(st, index);
}

/* Evidence is one blob: what NUL value NUL, again and again. */
static void evidence_read(struct notice *n, const char *blob, size_t len)
{
	const char *end = blob + len;

	while (blob < end && n->n_evidence < NOTICE_EVIDENCE) {
		struct notice_evidence *e = &n->evidence[n->n_evidence];
		const char *value = memchr(blob, 0, (size_t) (end - blob));
		const char *next = value ? memchr(value + 1, 0, (size_t) (end - value - 1)) : NULL;

		if (!next)
			return;
		(void) text_copy(e->what, sizeof(e->what), blob);
		(void) text_copy(e->value, sizeof(e->value), value + 1);
		n->n_evidence++;
		blob = next + 1;
	}
}

int db_notice(sqlite3_stmt *st, int c, struct notice *ret)
{
	char id[48], action[24], kind[24];

	DB_TEXT(st, c + 3, id);
	DB_TEXT(st, c + 5, action);
	DB_TEXT(st, c + 6, kind);
	memset(ret, 0, sizeof(*ret));
	ret->row = db_u64(st, c);
	ret->time_us = db_u64(st, c + 1);
	ret->last_us = db_u64(st, c + 2);
	ret->severity = (enum severity) sqlite3_column_int(st, c + 4);
	ret->cgroup = db_u64(st, c + 8);
	ret->count = db_u64(st, c + 9);
	DB_TEXT(st, c + 7, ret->subject);
	DB_TEXT(st, c + 10, ret->what);
	DB_TEXT(st, c + 11, ret->next);
	if (sqlite3_column_bytes(st, c + 12) > 0)
		evidence_read(ret, sqlite3_column_blob(st, c + 12), (size_t) sqlite3_column_bytes(st, c + 12));
	if ((unsigned) ret->severity >= SEV_N || id_parse(id, &ret->id) < 0 ||
	    notice_action_parse(action, &ret->action) < 0 || subject_kind_parse(kind, &ret->kind) < 0)
		return -EBADMSG;
	return 0;
}

int db_give_notice(sqlite3_stmt *st, void *arg)
{
	struct db_each_notice *e = arg;
	struct notice n;

	return db_notice(st, 0, &n) < 0 ? 0 : e->fn(&n, e->arg);
}
