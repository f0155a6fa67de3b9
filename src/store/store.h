/* store.h - notices, their deliveries and acts that can be undone, in one SQLite file (WAL,
 * synchronous=NORMAL). A notice and its delivery rows are one transaction; a thread flushes the WAL to disk at
 * most 200 ms after a commit and does the checkpoints. Only the engine opens it, and one thread uses it.
 *
 * Negative results everywhere: -EBADMSG the file is damaged (end; the next store_open() moves it aside and starts
 * anew), -ENOSPC no room (disk, or 256 MB of notices that nothing could be trimmed from), -EIO, -EBUSY, -ENOMEM.
 *
 * Order with a sandbox: landlock before store_open() (it opens files only below `dir`), seccomp after it (it starts the
 * thread), with the filter put on all threads. */
#ifndef PV_STORE_STORE_H
#define PV_STORE_STORE_H

#include "base/buf.h"
#include "base/ip.h"
#include "model/notice.h"
#include "model/policy.h"
#include "store/key.h"

struct store;

/* `dir` holds history.db, made if absent; a file that is not a database of ours, or is damaged, is moved aside
 * (history.db.bad) and said so in the log. `dir` may be "/proc/self/fd/7": it is opened once, everything else goes
 * through that descriptor, so no folder above it need be reachable, nor stay where it is. Links in it are not followed:
 * -ELOOP, -EPERM for what is no plain file of this user. -EUCLEAN: from a newer version, refused. */
int store_open(const char *dir, struct store **ret);
struct store *store_free(struct store *s);
PV_AUTO(store)
/* Whether store_open() found a damaged file and moved it aside. */
bool store_was_damaged(const struct store *s);
/* 32 hex digits, made with the file: with a row they name a notice among all hosts. */
const char *store_uid(const struct store *s);

/* All that is written between the two is committed together, or not at all: what a log said, and how far it was read. They nest; the outermost
 * end commits. Negative: nothing of it is there, also where each part returned 0 (no room shows when it is committed), and the rows that its
 * notices got are given to no others. What is written after an error that took the batch back fails, too. */
int store_batch_begin(struct store *s);
int store_batch_end(struct store *s);
bool store_in_batch(const struct store *s);

/* Writes the notice and one delivery row for each channel of the policy that takes its severity. Committed
 * when this returns 0 (in a batch: with it); n->row is set. */
int store_add(struct store *s, struct notice *n, const struct policy *p);
/* Updates a stored notice: count, last_us, severity, action and words; what is not yet delivered goes out so. -ENOENT. */
int store_count(struct store *s, const struct notice *n);

/* Newest first, at most `max` rows with row < before (0: newest); fn returns non-zero to stop. Nothing may be written
 * to the store from inside any `fn` of this header. */
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

/* Deliveries of one channel (`key`: store_channel_key()) that are due at `now_us` (wall), oldest first. `attempt` counts
 * from 1. */
struct delivery {
	uint64_t row; /* of the delivery */
	uint64_t key;
	uint32_t attempt;
	uint64_t since_us; /* wall clock of its making */
	struct notice notice;
};
int store_due(struct store *s, uint64_t key, uint64_t now_us, size_t max,
	      int (*fn)(const struct delivery *, void *), void *arg);
int store_delivered(struct store *s, uint64_t delivery_row);
/* Try again at `when_us`; 0: given up (kept and counted). */
int store_retry(struct store *s, uint64_t delivery_row, uint64_t when_us, const char *error);
/* Wall clock of the channel's first delivery that is due after `after_us` (0: of any); UINT64_MAX: none. */
uint64_t store_next_due(struct store *s, uint64_t key, uint64_t after_us);
/* Everything that waits for the channel is due at `when_us` at the latest: it answers again. */
int store_hurry(struct store *s, uint64_t key, uint64_t when_us);
/* Gives up what waits for channels other than these (taken out of the configuration), and returns how many. At most
 * POLICY_CHANNELS keys. */
int store_keep_channels(struct store *s, const uint64_t *keys, size_t n);
struct store_counts {
	uint64_t notices, waiting, given_up;
};
int store_counts(struct store *s, struct store_counts *ret);

/* Everything that waits for one channel, taken as one (a digest after an outage). */
struct store_backlog {
	uint64_t n;
	uint64_t first_us, last_us; /* of the notices, wall clock */
	uint64_t due_us;	    /* the earliest */
	uint64_t up_to;		    /* row of the newest delivery */
	uint64_t since_us;	    /* the oldest delivery's making */
	uint32_t attempt;	    /* the highest, counted from 1 for the coming one */
	uint64_t by_severity[SEV_N];
};
int store_backlog(struct store *s, uint64_t key, struct store_backlog *ret);
/* The notices of that backlog, worst first. */
int store_backlog_worst(struct store *s, uint64_t key, uint64_t up_to, size_t max,
			int (*fn)(const struct notice *, void *), void *arg);
int store_backlog_delivered(struct store *s, uint64_t key, uint64_t up_to);
int store_backlog_retry(struct store *s, uint64_t key, uint64_t up_to, uint64_t when_us, const char *error);

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

/* Who is or was locked out: one row for each network, kept after its end so that who comes back is known. */
#define STORE_BAN_LINES 5
struct store_ban {
	struct ip_prefix who;
	uint64_t since_us, until_us; /* wall clock */
	uint32_t times;		     /* how often it was banned, this time included */
	char by[64];		     /* "pavise", "user id 1000", "fail2ban" */
	char service[32];	     /* of the logins; "" where a person banned */
	char reason[128];
	size_t n_lines;
	struct store_ban_line {
		uint64_t time_us, line;
		char source[96];
		char text[168]; /* masked, not escaped */
	} lines[STORE_BAN_LINES];
};
int store_ban_put(struct store *s, const struct store_ban *b);				/* added or replaced */
int store_ban_get(struct store *s, const struct ip_prefix *who, struct store_ban *ret);	/* -ENOENT */
int store_ban_drop(struct store *s, const struct ip_prefix *who);			/* 0 also where there is none */
/* Those that end after `after_us`, the last to end first. */
int store_bans(struct store *s, uint64_t after_us, size_t max, int (*fn)(const struct store_ban *, void *), void *arg);
/* Of those that ended by `now_us` only how often and until when is kept: the lines would fill the history. */
int store_bans_over(struct store *s, uint64_t now_us);
/* Drops those that ended before `before_us`, and of those that ended by `now_us` all but the `max` last ones. */
int store_bans_trim(struct store *s, uint64_t before_us, uint64_t now_us, size_t max);

/* Small values of the engine itself (last seen counters, ...). */
int store_kv_set(struct store *s, const char *key, const char *value);
int store_kv_get(struct store *s, const char *key, struct pv_buf *ret); /* -ENOENT */
int store_kv_drop(struct store *s, const char *key);
/* Those whose key begins so, in order; fn returns non-zero to stop. */
int store_kv_each(struct store *s, const char *prefix, int (*fn)(const char *key, const char *value, void *arg), void *arg);

/* Deletes notices older than `before_us` whose deliveries are done or given up, at most 1,000 at once, and returns how
 * many went; acts that were undone go with them. */
int store_trim(struct store *s, uint64_t before_us);

#endif
