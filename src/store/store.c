/* Notices, acts and small values. Deliveries: deliver.c. */
#include "store/db.h"

#include <string.h>


static int bind_evidence(sqlite3_stmt *st, int index, const struct notice *n)
{
	pv_autobuf blob = PV_BUF_INIT;

	for (size_t i = 0; i < n->n_evidence && i < NOTICE_EVIDENCE; i++) {
		pv_buf_add(&blob, n->evidence[i].what, strlen(n->evidence[i].what) + 1);
		pv_buf_add(&blob, n->evidence[i].value, strlen(n->evidence[i].value) + 1);
	}
	return sqlite3_bind_blob(st, index, pv_buf_str(&blob), (int) blob.len, SQLITE_TRANSIENT);
}

static int bind_notice(sqlite3_stmt *st, const struct notice *n)
{
	int bad = 0;

	bad |= db_bind_u64(st, 1, n->time_us);
	bad |= db_bind_u64(st, 2, n->last_us);
	bad |= db_bind_text(st, 3, id_info(n->id)->name);
	bad |= sqlite3_bind_int(st, 4, (int) n->severity);
	bad |= db_bind_text(st, 5, notice_action_name(n->action));
	bad |= db_bind_text(st, 6, subject_kind_name(n->kind));
	bad |= db_bind_text(st, 7, n->subject);
	bad |= db_bind_u64(st, 8, n->cgroup);
	bad |= db_bind_u64(st, 9, n->count);
	bad |= db_bind_text(st, 10, n->what);
	bad |= db_bind_text(st, 11, n->next);
	bad |= bind_evidence(st, 12, n);
	return bad ? -ENOMEM : 0;
}

static int add_delivery(struct store *s, uint64_t notice, uint64_t wall_us, const struct policy_channel *c)
{
	sqlite3_stmt *st = db_get(s, DB_DELIVERY_ADD);

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, notice);
	(void) db_bind_u64(st, 2, store_channel_key(c));
	(void) db_bind_u64(st, 3, wall_us);
	return db_run(s, st);
}

static int add_rows(struct store *s, const struct notice *n, const struct policy *p, uint64_t *ret_row)
{
	sqlite3_stmt *st = db_get(s, DB_NOTICE_ADD);
	uint64_t row;
	int r = st ? bind_notice(st, n) : db_error(s);

	if (!r && s->last_row) /* not left to SQLite: it gives a row of a batch that was lost once more */
		r = db_bind_u64(st, 13, s->last_row + 1) ? -ENOMEM : 0;
	if (!r)
		r = db_run(s, st);
	if (r < 0)
		return r;
	row = s->last_row = (uint64_t) sqlite3_last_insert_rowid(s->db);
	for (uint32_t i = 0; p && i < p->n_channels && i < POLICY_CHANNELS; i++)
		if ((unsigned) n->severity >= p->channels[i].min_severity) {
			r = add_delivery(s, row, n->last_us, &p->channels[i]);
			if (r < 0)
				return r;
		}
	*ret_row = row;
	return 0;
}

static int add_once(struct store *s, struct notice *n, const struct policy *p)
{
	uint64_t row = 0;
	int r = db_begin(s);

	if (r < 0)
		return r;
	r = db_end(s, add_rows(s, n, p, &row));
	if (!r)
		n->row = row;
	return r;
}

int store_add(struct store *s, struct notice *n, const struct policy *p)
{
	int r = add_once(s, n, p);

	/* Full: the oldest notices that everybody has got make room for the newest. */
	if (r == -ENOSPC && store_trim(s, n->last_us) > 0)
		r = add_once(s, n, p);
	return r;
}

int store_count(struct store *s, const struct notice *n)
{
	sqlite3_stmt *st = db_get(s, DB_NOTICE_COUNT);
	int r = st ? bind_notice(st, n) : db_error(s);

	if (r < 0)
		return r;
	(void) db_bind_u64(st, 13, n->row);
	r = db_run(s, st);
	return r < 0 ? r : sqlite3_changes(s->db) ? 0 : -ENOENT;
}

static uint64_t row_bound(uint64_t row)
{
	return row && row < INT64_MAX ? row : INT64_MAX;
}

int store_notices(struct store *s, const struct store_query *q, int (*fn)(const struct notice *, void *), void *arg)
{
	sqlite3_stmt *st = db_get(s, q->oldest_first ? DB_NOTICES_OLD : DB_NOTICES_NEW);
	struct db_each_notice e = { fn, arg };

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, row_bound(q->before_row));
	(void) db_bind_u64(st, 2, PV_MIN(q->after_row, (uint64_t) INT64_MAX));
	(void) db_bind_u64(st, 3, PV_MIN(q->since_us, (uint64_t) INT64_MAX));
	(void) db_bind_text(st, 4, q->id_prefix);
	(void) db_bind_text(st, 5, q->subject);
	(void) db_bind_u64(st, 6, PV_MIN(q->max, (size_t) INT32_MAX));
	return db_each(s, st, db_give_notice, &e);
}

static int keep_notice(const struct notice *n, void *arg)
{
	*(struct notice *) arg = *n;
	return 1;
}

int store_notice(struct store *s, uint64_t row, struct notice *ret)
{
	sqlite3_stmt *st = db_get(s, DB_NOTICE_GET);
	struct notice n = { .row = 0 };
	struct db_each_notice e = { keep_notice, &n };
	int r;

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, row);
	r = db_each(s, st, db_give_notice, &e);
	if (r < 0)
		return r;
	if (!n.row)
		return -ENOENT;
	*ret = n;
	return 0;
}

static int keep_u64(sqlite3_stmt *st, void *arg)
{
	*(uint64_t *) arg = db_u64(st, 0);
	return 1;
}

uint64_t store_last_row(struct store *s)
{
	uint64_t row = 0;

	(void) db_each(s, db_get(s, DB_LAST_ROW), keep_u64, &row);
	return row;
}

static int act_add_once(struct store *s, struct store_act *a)
{
	sqlite3_stmt *st = db_get(s, DB_ACT_ADD);
	int r;

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, a->time_us);
	(void) db_bind_u64(st, 2, a->notice_row);
	(void) db_bind_text(st, 3, a->kind);
	(void) db_bind_text(st, 4, a->subject);
	(void) db_bind_text(st, 5, a->id);
	(void) db_bind_text(st, 6, a->old_value);
	(void) sqlite3_bind_int(st, 7, a->undone);
	r = db_run(s, st);
	if (!r)
		a->row = (uint64_t) sqlite3_last_insert_rowid(s->db);
	return r;
}

int store_act_add(struct store *s, struct store_act *a)
{
	int r = act_add_once(s, a);

	return r == -ENOSPC && store_trim(s, a->time_us) > 0 ? act_add_once(s, a) : r;
}

struct each_act {
	int (*fn)(const struct store_act *, void *);
	void *arg;
};

static int give_act(sqlite3_stmt *st, void *arg)
{
	struct each_act *e = arg;
	struct store_act a = { .row = db_u64(st, 0), .time_us = db_u64(st, 1), .notice_row = db_u64(st, 2) };

	DB_TEXT(st, 3, a.kind);
	DB_TEXT(st, 4, a.subject);
	DB_TEXT(st, 5, a.id);
	DB_TEXT(st, 6, a.old_value);
	a.undone = sqlite3_column_int(st, 7) != 0;
	return e->fn(&a, e->arg);
}

int store_acts(struct store *s, size_t max, int (*fn)(const struct store_act *, void *), void *arg)
{
	sqlite3_stmt *st = db_get(s, DB_ACTS);
	struct each_act e = { fn, arg };

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, PV_MIN(max, (size_t) INT32_MAX));
	return db_each(s, st, give_act, &e);
}

static int keep_act(const struct store_act *a, void *arg)
{
	*(struct store_act *) arg = *a;
	return 1;
}

int store_act(struct store *s, uint64_t row, struct store_act *ret)
{
	sqlite3_stmt *st = db_get(s, DB_ACT_GET);
	struct store_act a = { .row = 0 };
	struct each_act e = { keep_act, &a };
	int r;

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, row);
	r = db_each(s, st, give_act, &e);
	if (r < 0)
		return r;
	if (!a.row)
		return -ENOENT;
	*ret = a;
	return 0;
}

int store_act_undone(struct store *s, uint64_t row)
{
	sqlite3_stmt *st = db_get(s, DB_ACT_UNDONE);
	int r;

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, row);
	r = db_run(s, st);
	return r < 0 ? r : sqlite3_changes(s->db) ? 0 : -ENOENT;
}

int store_kv_set(struct store *s, const char *key, const char *value)
{
	sqlite3_stmt *st = db_get(s, DB_KV_SET);

	if (!st)
		return db_error(s);
	(void) db_bind_text(st, 1, key);
	(void) db_bind_text(st, 2, value);
	return db_run(s, st);
}

struct kv_value {
	struct pv_buf *out;
	bool found;
};

static int keep_value(sqlite3_stmt *st, void *arg)
{
	struct kv_value *v = arg;
	const char *text = (const char *) sqlite3_column_text(st, 0);

	v->found = true;
	pv_buf_puts(v->out, text ? text : "");
	return 1;
}

int store_kv_get(struct store *s, const char *key, struct pv_buf *ret)
{
	sqlite3_stmt *st = db_get(s, DB_KV_GET);
	struct kv_value v = { ret, false };
	int r;

	if (!st)
		return db_error(s);
	(void) db_bind_text(st, 1, key);
	r = db_each(s, st, keep_value, &v);
	return r < 0 ? r : v.found ? 0 : -ENOENT;
}

int store_kv_drop(struct store *s, const char *key)
{
	sqlite3_stmt *st = db_get(s, DB_KV_DROP);

	if (!st)
		return db_error(s);
	(void) db_bind_text(st, 1, key);
	return db_run(s, st);
}

struct each_kv {
	int (*fn)(const char *key, const char *value, void *arg);
	void *arg;
};

static int give_kv(sqlite3_stmt *st, void *arg)
{
	const char *key = (const char *) sqlite3_column_text(st, 0), *value = (const char *) sqlite3_column_text(st, 1);
	struct each_kv *e = arg;

	return key && value ? e->fn(key, value, e->arg) : 0;
}

int store_kv_each(struct store *s, const char *prefix, int (*fn)(const char *key, const char *value, void *arg), void *arg)
{
	sqlite3_stmt *st = db_get(s, DB_KV_EACH);
	struct each_kv e = { fn, arg };

	if (!st)
		return db_error(s);
	(void) db_bind_text(st, 1, prefix);
	return db_each(s, st, give_kv, &e);
}

#define TRIM_AT_ONCE 1000

/* The newest row of the oldest thousand; 0 when there is none. */
static int trim_pick(struct store *s, uint64_t before_us, uint64_t *ret_row)
{
	sqlite3_stmt *st = db_get(s, DB_TRIM_PICK);

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, before_us);
	(void) sqlite3_bind_int(st, 2, TRIM_AT_ONCE);
	return db_each(s, st, keep_u64, ret_row);
}

int store_trim(struct store *s, uint64_t before_us)
{
	uint64_t row = 0;
	int n = 0, r = db_begin(s);

	if (r < 0)
		return r;
	r = trim_pick(s, before_us, &row);
	if (!r && row)
		r = db_change(s, DB_TRIM_DELIVERIES, row, before_us);
	if (r >= 0 && row)
		r = n = db_change(s, DB_TRIM_NOTICES, row, before_us);
	if (r >= 0)
		r = db_change(s, DB_TRIM_ACTS, before_us, 0);
	r = db_end(s, PV_MIN(r, 0));
	return r < 0 ? r : n;
}
