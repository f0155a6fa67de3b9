#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/guard.h"
#include "report/tell.h"
#include "report/words.h"

#define KEEP_US	      (90 * USEC_PER_DAY)
#define STATE_FD_PATH "/proc/self/fd/7" /* ROLE_FD_STATE: the folder is handed over, its path is nobody's business */

void notices_subject(struct notice *n, struct guard_workload *w)
{
	if (!w)
		return;
	w->told |= !w->name_sure;
	n->kind = workload_subject(&w->w);
	n->cgroup = w->w.cgroup;
	workload_name(n->subject, sizeof(n->subject), &w->w);
}

#define LATE_MAX 64

/* What the history did not take. A place whose notice has its row by now is kept for the counts that still come under
 * the time of its making, until another needs it. */
struct late {
	struct notice notices[LATE_MAX];
	uint64_t rows[LATE_MAX]; /* that it had in a batch which was lost; 0: none */
	size_t used, without_row;
	uint64_t dropped;
};

/* Of the batch that is open: told and sent once it is committed. */
struct batch {
	struct notice notices[LATE_MAX]; /* the first of them */
	size_t n;
	uint64_t first_row;
};

/* -EBADMSG: nothing can be done with this file. The next engine sets it aside. */
static int trouble(struct guard *g, int r)
{
	if (r == -EBADMSG)
		(void) sd_event_exit(g->loop, r);
	return r;
}

static struct notice *late_place(struct late *l)
{
	if (l->used < LATE_MAX)
		return &l->notices[l->used++];
	for (size_t i = 0; i < LATE_MAX; i++)
		if (l->notices[i].row)
			return &l->notices[i];
	return NULL;
}

static void late_keep(struct guard *g, const struct notice *n)
{
	struct notice *place;

	if (!g->late)
		g->late = calloc(1, sizeof(*g->late));
	if (!g->late)
		return; /* the log has it */
	place = late_place(g->late);
	if (!place) {
		g->late->dropped++;
		return;
	}
	g->late->rows[place - g->late->notices] = n->row;
	*place = *n;
	place->row = 0;
	g->late->without_row++;
}

static struct notice *late_find(struct guard *g, const struct burst_told *t)
{
	for (size_t i = 0; g->late && i < g->late->used; i++) {
		struct notice *l = &g->late->notices[i];

		if (g->late->rows[i] != t->row)
			continue;
		if (t->row || (l->id == t->id && l->time_us == t->time_us && l->cgroup == t->cgroup))
			return l;
	}
	return NULL;
}

bool notices_wait(const struct guard *g)
{
	return g->late && (g->late->without_row || g->late->dropped);
}

static void late_tell_dropped(struct guard *g)
{
	struct notice n;

	notice_init(&n, ID_GUARD_LOST, clock_wall_us());
	notice_set_what(&n, "%" PRIu64 " notices could not be stored (no room?); they stand in the log only", g->late->dropped);
	notice_set_next(&n, "journalctl -u pavise");
	if (store_add(g->store, &n, g->policy) < 0)
		return;
	g->late->dropped = 0;
	control_follow(g, &n);
}

void notices_again(struct guard *g)
{
	if (!notices_wait(g))
		return;
	for (size_t i = 0; i < g->late->used; i++) {
		struct notice *n = &g->late->notices[i];

		if (n->row)
			continue;
		if (trouble(g, store_add(g->store, n, g->policy)) < 0)
			return;
		g->late->without_row--;
		control_follow(g, n);
	}
	if (g->late->dropped)
		late_tell_dropped(g);
	notices_deliver(g);
}

static bool batch_add(struct guard *g, const struct notice *n)
{
	struct batch *b = g->batch;

	if (!store_in_batch(g->store))
		return false;
	if (!b)
		b = g->batch = calloc(1, sizeof(*b));
	if (!b)
		return false;
	if (!b->n)
		b->first_row = n->row;
	if (b->n < LATE_MAX)
		b->notices[b->n] = *n;
	b->n++;
	return true;
}

static void batch_lost(struct guard *g, int error)
{
	struct batch *b = g->batch;

	(void) log_error_errno(error, "%zu notices from event %" PRIu64 " on could not be stored", b->n, b->first_row);
	for (size_t i = 0; i < b->n && i < LATE_MAX; i++)
		late_keep(g, &b->notices[i]);
	if (g->late && b->n > LATE_MAX)
		g->late->dropped += b->n - LATE_MAX;
}

static int on_committed(const struct notice *n, void *arg)
{
	control_follow(arg, n);
	return 0;
}

int notices_batch_end(struct guard *g)
{
	int r = trouble(g, store_batch_end(g->store));
	struct batch *b = g->batch;
	struct store_query q = { .oldest_first = true };

	if (store_in_batch(g->store) || !b || !b->n)
		return r;
	if (r < 0) {
		batch_lost(g, r);
	} else {
		q.after_row = b->first_row - 1;
		q.max = b->n;
		(void) store_notices(g->store, &q, on_committed, g);
	}
	b->n = 0;
	if (r == 0)
		notices_deliver(g);
	return r;
}

#define RENAME_MAX 50

struct naming {
	uint64_t cgroup;
	uint64_t rows[RENAME_MAX];
	size_t n;
};

static int on_unnamed(const struct notice *n, void *arg)
{
	struct naming *a = arg;

	if (n->cgroup == a->cgroup)
		a->rows[a->n++] = n->row;
	return a->n == RENAME_MAX;
}

void notices_count(struct guard *g, const struct notice *n)
{
	int r = trouble(g, store_count(g->store, n));

	if (r < 0)
		(void) log_error_errno(r, "event %" PRIu64 ": its count could not be stored", n->row);
}

static void rename_row(struct guard *g, uint64_t row, const char *name)
{
	struct notice n;

	if (store_notice(g->store, row, &n) < 0)
		return;
	tell_renamed(&n, name);
	notices_count(g, &n);
}

/* Events do not wait for the Engine API: what was told under the first digits of an id, or what an image says of itself, gets its name
 * afterwards. */
void notices_named(struct guard *g, const struct guard_workload *w, const char *before)
{
	struct store_query q = { .max = RENAME_MAX, .subject = before };
	struct naming a = { .cgroup = w->w.cgroup };
	char name[160];

	workload_name(name, sizeof(name), &w->w);
	if (strcmp(name, before) == 0)
		return;
	kernel_events_end(g); /* counts that are still to be stored bear the old name */
	(void) store_notices(g->store, &q, on_unnamed, &a);
	for (size_t i = 0; i < a.n; i++)
		rename_row(g, a.rows[i], name);
}

int notices_raise(struct guard *g, struct notice *n)
{
	pv_autobuf text = PV_BUF_INIT;
	int r = trouble(g, store_add(g->store, n, g->policy));

	words_sentence(&text, n);
	if (r < 0) {
		late_keep(g, n);
		return log_error_errno(r, "a notice could not be stored (%s)", pv_buf_str(&text));
	}
	log_info("%s [%s, event %" PRIu64 "]", pv_buf_str(&text), id_info(n->id)->name, n->row);
	if (batch_add(g, n))
		return 0;
	control_follow(g, n);
	notices_deliver(g);
	return 0;
}

/* The first event of its kind is a notice at once; the others only raise its count. */
void notices_fold(struct guard *g, uint64_t key, struct notice *n)
{
	struct burst_told *t = NULL;
	uint64_t before = 0;

	if (burst_step(g->burst, key, clock_monotonic_us(), n->count, &t) == BURST_COUNT) {
		before = t->count;
	} else {
		(void) notices_raise(g, n);
		/* Also without a row: its counts find it where it waits to be stored. */
		*t = (struct burst_told){ .row = n->row, .time_us = n->time_us, .id = n->id, .cgroup = n->cgroup };
	}
	t->count = before + n->count;
	t->last_us = n->time_us;
	(void) text_copy(t->subject, sizeof(t->subject), n->subject); /* the name may have come since */
	(void) text_copy(t->next, sizeof(t->next), n->next);
}

void notices_counted(struct guard *g, const struct burst_told *t)
{
	struct notice *late = late_find(g, t);
	uint64_t row = late ? late->row : t->row;
	struct notice n;
	int r;

	if (late && !late->row) { /* goes into the history with its count */
		late->count = t->count;
		late->last_us = t->last_us;
		return;
	}
	r = trouble(g, store_notice(g->store, row, &n));
	if (r < 0) {
		(void) log_error_errno(r, "event %" PRIu64 ": its count could not be stored", row);
		return;
	}
	n.count = t->count;
	n.last_us = t->last_us;
	(void) text_copy(n.subject, sizeof(n.subject), t->subject);
	(void) text_copy(n.next, sizeof(n.next), t->next);
	notices_count(g, &n);
}

void notices_deliver(struct guard *g)
{
	uint64_t next = UINT64_MAX, now = clock_wall_us();
	int r = trouble(g, outbox_run(g->outbox, g->policy, now, &next));

	if (r < 0)
		(void) log_error_errno(r, "notices wait: they could not be handed to the sender");
	if (r > 0)
		(void) guard_ask_launcher(LAUNCH_WANT_SENDER);
	if (next == UINT64_MAX) {
		(void) sd_event_source_set_enabled(g->outbox_timer, SD_EVENT_OFF);
		return;
	}
	(void) sd_event_source_set_time_relative(g->outbox_timer, next > now ? next - now : 0);
	(void) sd_event_source_set_enabled(g->outbox_timer, SD_EVENT_ONESHOT);
}

static int on_outbox_timer(sd_event_source *s, uint64_t usec, void *arg)
{
	(void) s;
	(void) usec;
	notices_deliver(arg);
	return 0;
}

static int on_sender(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct guard *g = arg;
	int r;

	(void) s;
	(void) fd;
	(void) revents;
	r = trouble(g, outbox_answers(g->outbox, clock_wall_us()));
	if (r == -EPIPE)
		return r;
	if (r < 0) /* the history did not take an answer (no room): the others still come */
		(void) log_error_errno(r, "what the sender answered could not be stored; that notice may be sent twice");
	notices_deliver(g);
	return 0;
}

int notices_start(struct guard *g, int sender_fd)
{
	int r;

	r = store_open(STATE_FD_PATH, &g->store);
	if (r < 0)
		return log_error_errno(r, "the history (engine/history.db) could not be opened");
	(void) store_trim(g->store, clock_wall_us() - KEEP_US);
	r = outbox_new(g->store, sender_fd, &g->outbox);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(g->loop, &g->outbox_timer, CLOCK_MONOTONIC, 0, 0, on_outbox_timer, g);
	if (r < 0)
		return r;
	return sd_event_add_io(g->loop, NULL, sender_fd, EPOLLIN, on_sender, g);
}

void notices_stop(struct guard *g)
{
	g->outbox_timer = sd_event_source_disable_unref(g->outbox_timer);
	g->outbox = outbox_free(g->outbox);
	g->store = store_free(g->store);
	free(g->late);
	free(g->batch);
	g->late = NULL;
	g->batch = NULL;
}
