/* store.h - notices, their deliveries and acts that can be undone, in one SQLite file (WAL,
 * synchronous=NORMAL). A notice and its delivery rows are one transaction; a thread flushes the WAL to disk at
 * most 200 ms after a commit. Only the engine opens it. */
#ifndef PV_STORE_STORE_H
#define PV_STORE_STORE_H

#include "base/buf.h"
#include "model/notice.h"
#include "model/policy.h"

struct store;

/* `dir` holds history.db, made if absent; a file that is not a database of ours is moved aside (history.db.bad)
 * and said so. -EUCLEAN: from a newer version, refused. */
int store_open(const char *dir, struct store **ret);
struct store *store_free(struct store *s);
PV_AUTO(store)

/* Writes the notice and one delivery row for each channel of the policy that takes its severity. Committed
 * when this returns 0; n->row is set. */
int store_add(struct store *s, struct notice *n, const struct policy *p);
/* Updates count and last_us of a stored notice (and its still undelivered text). */
int store_count(struct store *s, const struct notice *n);

/* Newest first, at most `max` rows with row < before (0: newest); fn returns non-zero to stop. */
struct store_query {
	uint64_t before_row, after_row, since_us;
	size_t max;
	const char *id_prefix; /* NULL: all */
	const char *subject;   /* NULL: all */
	bool oldest_first;
};
int store_notices(struct store *s, const struct store_query *q, int (*fn)(const struct notice *, void *), void *arg);
int store_notice(struct store *s, uint64_t row, struct notice *ret); /* -ENOENT */
uint64_t store_last_row(struct store *s);

/* Deliveries that are due at `now_us` (wall), oldest first. `attempt` counts from 1. */
struct delivery {
	uint64_t row; /* of the delivery */
	uint32_t channel; /* index into the policy's channels */
	uint32_t attempt;
	struct notice notice;
};
int store_due(struct store *s, uint64_t now_us, size_t max, int (*fn)(const struct delivery *, void *), void *arg);
int store_delivered(struct store *s, uint64_t delivery_row);
/* Try again at `when_us`; 0: given up (kept and counted). */
int store_retry(struct store *s, uint64_t delivery_row, uint64_t when_us, const char *error);
uint64_t store_next_due(struct store *s); /* wall clock of the next delivery; UINT64_MAX: none */
struct store_counts {
	uint64_t notices, waiting, given_up;
};
int store_counts(struct store *s, struct store_counts *ret);

/* Acts that `pavise undo` can take back. */
struct store_act {
	uint64_t row, time_us;
	uint64_t notice_row;
	char kind[32];	    /* "restart-policy", "swarm-scale", "freeze" */
	char subject[160];
	char id[72];	    /* container or service id */
	char old_value[64]; /* what it was: always, on-failure:3, 2 */
	bool undone;
};
int store_act_add(struct store *s, struct store_act *a); /* a->row is set */
int store_acts(struct store *s, size_t max, int (*fn)(const struct store_act *, void *), void *arg); /* newest first */
int store_act(struct store *s, uint64_t row, struct store_act *ret);
int store_act_undone(struct store *s, uint64_t row);

/* Small values of the engine itself (last seen counters, ...). */
int store_kv_set(struct store *s, const char *key, const char *value);
int store_kv_get(struct store *s, const char *key, struct pv_buf *ret); /* -ENOENT */

/* Deletes notices older than `before_us` whose deliveries are done, and returns how many went. */
int store_trim(struct store *s, uint64_t before_us);

#endif
