/* Bans. */
#include <string.h>

#include "store/db.h"

/* The lines as one blob: time, line number, source and text, each text with its NUL. */
static void pack_lines(struct pv_buf *out, const struct store_ban *b)
{
	for (size_t i = 0; i < b->n_lines && i < STORE_BAN_LINES; i++) {
		const struct store_ban_line *l = &b->lines[i];

		pv_buf_add(out, &l->time_us, sizeof(l->time_us));
		pv_buf_add(out, &l->line, sizeof(l->line));
		pv_buf_add(out, l->source, strlen(l->source) + 1);
		pv_buf_add(out, l->text, strlen(l->text) + 1);
	}
}

/* Returns what is behind it; NULL: it does not end within `end`. */
static const char *take_text(const char *at, const char *end, char *out, size_t size)
{
	size_t n = strnlen(at, (size_t) (end - at));

	if (at + n >= end)
		return NULL;
	memcpy(out, at, PV_MIN(n, size - 1));
	out[PV_MIN(n, size - 1)] = '\0';
	return at + n + 1;
}

static void unpack_lines(struct store_ban *b, const char *at, size_t len)
{
	const char *end = at ? at + len : NULL; /* of a ban that a person made, or that is over, there are none */

	while (at && end - at > 16 && b->n_lines < STORE_BAN_LINES) {
		struct store_ban_line *l = &b->lines[b->n_lines];

		memcpy(&l->time_us, at, 8);
		memcpy(&l->line, at + 8, 8);
		at = take_text(at + 16, end, l->source, sizeof(l->source));
		if (at)
			at = take_text(at, end, l->text, sizeof(l->text));
		if (at)
			b->n_lines++;
	}
}

static void bind_who(sqlite3_stmt *st, const struct ip_prefix *who)
{
	(void) sqlite3_bind_blob(st, 1, who->addr.b, sizeof(who->addr.b), SQLITE_STATIC);
	(void) sqlite3_bind_int(st, 2, who->len);
}

int store_ban_put(struct store *s, const struct store_ban *b)
{
	sqlite3_stmt *st = db_get(s, DB_BAN_PUT);
	pv_autobuf lines = PV_BUF_INIT;

	if (!st)
		return db_error(s);
	pack_lines(&lines, b);
	bind_who(st, &b->who);
	(void) db_bind_u64(st, 3, b->since_us);
	(void) db_bind_u64(st, 4, b->until_us);
	(void) sqlite3_bind_int(st, 5, (int) b->times);
	(void) db_bind_text(st, 6, b->by);
	(void) db_bind_text(st, 7, b->service);
	(void) db_bind_text(st, 8, b->reason);
	(void) sqlite3_bind_blob(st, 9, pv_buf_str(&lines), (int) lines.len, SQLITE_TRANSIENT);
	return db_run(s, st);
}

struct each_ban {
	int (*fn)(const struct store_ban *, void *);
	void *arg;
};

static int give_ban(sqlite3_stmt *st, void *arg)
{
	struct each_ban *e = arg;
	struct store_ban b = { .who.len = (uint8_t) sqlite3_column_int(st, 1), .since_us = db_u64(st, 2), .until_us = db_u64(st, 3),
			       .times = (uint32_t) sqlite3_column_int(st, 4) };

	if (sqlite3_column_bytes(st, 0) != sizeof(b.who.addr.b) || b.who.len > 128)
		return 0;
	memcpy(b.who.addr.b, sqlite3_column_blob(st, 0), sizeof(b.who.addr.b));
	DB_TEXT(st, 5, b.by);
	DB_TEXT(st, 6, b.service);
	DB_TEXT(st, 7, b.reason);
	unpack_lines(&b, sqlite3_column_blob(st, 8), (size_t) sqlite3_column_bytes(st, 8));
	return e->fn(&b, e->arg);
}

static int keep_ban(const struct store_ban *b, void *arg)
{
	*(struct store_ban *) arg = *b;
	return 1;
}

int store_ban_get(struct store *s, const struct ip_prefix *who, struct store_ban *ret)
{
	sqlite3_stmt *st = db_get(s, DB_BAN_GET);
	struct store_ban b = { .times = 0 };
	struct each_ban e = { keep_ban, &b };
	int r;

	if (!st)
		return db_error(s);
	bind_who(st, who);
	r = db_each(s, st, give_ban, &e);
	if (r < 0)
		return r;
	if (!b.times)
		return -ENOENT;
	*ret = b;
	return 0;
}

int store_ban_drop(struct store *s, const struct ip_prefix *who)
{
	sqlite3_stmt *st = db_get(s, DB_BAN_DROP);

	if (!st)
		return db_error(s);
	bind_who(st, who);
	return db_run(s, st);
}

int store_bans(struct store *s, uint64_t after_us, size_t max, int (*fn)(const struct store_ban *, void *), void *arg)
{
	sqlite3_stmt *st = db_get(s, DB_BANS);
	struct each_ban e = { fn, arg };

	if (!st)
		return db_error(s);
	(void) db_bind_u64(st, 1, after_us);
	(void) db_bind_u64(st, 2, PV_MIN(max, (size_t) INT32_MAX));
	return db_each(s, st, give_ban, &e);
}

int store_bans_over(struct store *s, uint64_t now_us)
{
	return PV_MIN(db_change(s, DB_BANS_OVER, now_us, 0), 0);
}

int store_bans_trim(struct store *s, uint64_t before_us, uint64_t now_us, size_t max)
{
	int r = db_change(s, DB_BANS_TRIM, before_us, 0);

	return r < 0 ? r : PV_MIN(db_change(s, DB_BANS_FEWER, now_us, max), 0);
}
