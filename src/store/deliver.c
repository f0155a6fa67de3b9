/* What still has to reach a channel. */
#include "store/db.h"

struct each_delivery {
	int (*fn)(const struct delivery *, void *);
	void *arg;
};

static int give_delivery(sqlite3_stmt *st, void *arg)
{
	struct each_delivery *e = arg;
	struct delivery d = {
		.row = db_u64(st, 0),
		.key = db_u64(st, 1),
		.attempt = (uint32_t) sqlite3_column_int(st, 2) + 1,
		.since_us = db_u64(st, 3),
	};

	return db_notice(st, 4, &d.notice) < 0 ? 0 : e->fn(&d, e->arg);
}

int store_due(struct store *s, uint64_t key, uint64_t now_us, size_t max,
	      int (*fn)(const struct delivery *, void *), void *arg)
{
	sqlite3_stmt *st = db_get(s, DB_DELIVERY_DUE);
	struct each_delivery e = { fn, arg };

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, key);
	(void) db_bind_u64(st, 2, PV_MIN(now_us, (uint64_t) INT64_MAX));
	(void) db_bind_u64(st, 3, PV_MIN(max, (size_t) INT32_MAX));
	return db_each(s, st, give_delivery, &e);
}

int store_delivered(struct store *s, uint64_t delivery_row)
{
	sqlite3_stmt *st = db_get(s, DB_DELIVERY_DONE);

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, delivery_row);
	return db_run(s, st);
}

int store_retry(struct store *s, uint64_t delivery_row, uint64_t when_us, const char *error)
{
	sqlite3_stmt *st = db_get(s, DB_DELIVERY_RETRY);

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, delivery_row);
	(void) db_bind_u64(st, 2, when_us);
	(void) db_bind_text(st, 3, error);
	return db_run(s, st);
}

static int keep_min(sqlite3_stmt *st, void *arg)
{
	if (sqlite3_column_type(st, 0) != SQLITE_NULL)
		*(uint64_t *) arg = db_u64(st, 0);
	return 1;
}

uint64_t store_next_due(struct store *s, uint64_t key, uint64_t after_us)
{
	sqlite3_stmt *st = db_get(s, DB_DELIVERY_NEXT);
	uint64_t due = UINT64_MAX;

	if (!st)
		return due;
	(void) db_bind_u64(st, 1, key);
	(void) db_bind_u64(st, 2, PV_MIN(after_us, (uint64_t) INT64_MAX));
	(void) db_each(s, st, keep_min, &due);
	return due;
}

int store_hurry(struct store *s, uint64_t key, uint64_t when_us)
{
	sqlite3_stmt *st = db_get(s, DB_DELIVERY_HURRY);

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, key);
	(void) db_bind_u64(st, 2, when_us);
	return db_run(s, st);
}

int store_keep_channels(struct store *s, const uint64_t *keys, size_t n)
{
	sqlite3_stmt *st = db_get(s, DB_DELIVERY_KEEP);
	int r;

	if (!st)
		return db_error(s);
	if (n > POLICY_CHANNELS)
		return -EINVAL;
	/* What is not bound is NULL, and a list with NULL in it is left out by nothing: bind a key again instead. */
	for (int i = 0; n && i < POLICY_CHANNELS; i++)
		(void) db_bind_u64(st, i + 1, keys[PV_MIN((size_t) i, n - 1)]);
	if (!n)
		st = db_get(s, DB_DELIVERY_DROP);
	r = db_run(s, st);
	return r < 0 ? r : sqlite3_changes(s->db);
}

static int keep_counts(sqlite3_stmt *st, void *arg)
{
	*(struct store_counts *) arg =
		(struct store_counts){ .notices = db_u64(st, 0), .waiting = db_u64(st, 1), .given_up = db_u64(st, 2) };
	return 1;
}

int store_counts(struct store *s, struct store_counts *ret)
{
	return db_each(s, db_get(s, DB_COUNTS), keep_counts, ret);
}

static int keep_backlog(sqlite3_stmt *st, void *arg)
{
	struct store_backlog *b = arg;

	*b = (struct store_backlog){
		.n = db_u64(st, 0),
		.first_us = db_u64(st, 1),
		.last_us = db_u64(st, 2),
		.due_us = db_u64(st, 3),
		.up_to = db_u64(st, 4),
		.since_us = db_u64(st, 5),
		.attempt = (uint32_t) sqlite3_column_int(st, 6) + 1,
	};
	for (int i = 0; i < SEV_N; i++)
		b->by_severity[i] = db_u64(st, 7 + i);
	return 1;
}

int store_backlog(struct store *s, uint64_t key, struct store_backlog *ret)
{
	sqlite3_stmt *st = db_get(s, DB_BACKLOG);

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, key);
	return db_each(s, st, keep_backlog, ret);
}

int store_backlog_worst(struct store *s, uint64_t key, uint64_t up_to, size_t max,
			int (*fn)(const struct notice *, void *), void *arg)
{
	sqlite3_stmt *st = db_get(s, DB_BACKLOG_WORST);
	struct db_each_notice e = { fn, arg };

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, key);
	(void) db_bind_u64(st, 2, up_to);
	(void) db_bind_u64(st, 3, PV_MIN(max, (size_t) INT32_MAX));
	return db_each(s, st, db_give_notice, &e);
}

int store_backlog_delivered(struct store *s, uint64_t key, uint64_t up_to)
{
	sqlite3_stmt *st = db_get(s, DB_BACKLOG_DONE);

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, key);
	(void) db_bind_u64(st, 2, up_to);
	return db_run(s, st);
}

int store_backlog_retry(struct store *s, uint64_t key, uint64_t up_to, uint64_t when_us, const char *error)
{
	sqlite3_stmt *st = db_get(s, DB_BACKLOG_RETRY);

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, key);
	(void) db_bind_u64(st, 2, up_to);
	(void) db_bind_u64(st, 3, when_us);
	(void) db_bind_text(st, 4, error);
	return db_run(s, st);
}
