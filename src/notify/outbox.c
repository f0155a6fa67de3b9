#include "notify/outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "notify/text.h"

#define BACKOFF_MAX_US	 (15 * USEC_PER_MIN)
#define RETRY_AFTER_MAX_S 21600u
#define KEEP_US		 (72 * USEC_PER_HOUR)
#define KEEP_ATTEMPTS	 12
#define FLIGHTS		 8
#define FLIGHTS_EACH	 4  /* of one channel; a failing one gets 1 */
#define DIGEST_ABOVE	 20
#define ANSWER_US	 (90 * USEC_PER_SEC) /* a sender that died says nothing */
#define WAKE_US		 (2 * USEC_PER_SEC)
#define SUCCESS_KEEP_US	 USEC_PER_MIN /* a burst of deliveries is not doubled by writing down each success */

struct flight { /* handed over, not answered */
	uint64_t delivery; /* with OUTBOX_DIGEST; 0: free */
	uint64_t key, sent_us, since_us;
	uint32_t attempt;
};

struct lane { /* what is known of a channel */
	uint64_t key;
	uint64_t not_before_us;
	uint64_t success_us, kept_us; /* of the last delivery; of the one that the store knows */
	bool failing;
	char name[64];
};

struct outbox {
	struct store *store;
	int fd;
	struct flight flights[FLIGHTS];
	struct lane lanes[POLICY_CHANNELS]; /* by the index of the policy last seen */
	size_t n_lanes;
	bool known; /* lanes were set once */
};

uint64_t outbox_backoff_us(uint32_t attempt, uint32_t retry_after_s, uint32_t seed)
{
	uint32_t doublings = PV_MIN(attempt ? attempt - 1 : 0, 20u);
	uint64_t wait = PV_MIN(USEC_PER_SEC << doublings, (uint64_t) BACKOFF_MAX_US);
	uint64_t asked = PV_MIN(retry_after_s, RETRY_AFTER_MAX_S) * USEC_PER_SEC;

	wait = wait * 4 / 5 + (wait * 2 / 5) * (seed >> 16) / 65536;
	return PV_MAX(wait, asked + (asked / 5) * (seed >> 16) / 65536);
}

bool outbox_is_over(uint64_t since_us, uint64_t now_us, uint32_t attempt)
{
	return attempt >= KEEP_ATTEMPTS && now_us > since_us && now_us - since_us > KEEP_US;
}

/* Spreads retries of one burst; nobody gains anything by guessing it. */
static uint32_t seed_of(uint64_t delivery, uint64_t wall_us)
{
	return (uint32_t) (((delivery ^ wall_us) * 0x9e3779b97f4a7c15u) >> 32);
}

int outbox_new(struct store *s, int sender_fd, struct outbox **ret)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->store = s;
	o->fd = sender_fd;
	*ret = o;
	return 0;
}

struct outbox *outbox_free(struct outbox *o)
{
	free(o);
	return NULL;
}

static struct lane *lane_find(struct outbox *o, uint64_t key)
{
	for (size_t i = 0; i < o->n_lanes; i++)
		if (o->lanes[i].key == key)
			return &o->lanes[i];
	return NULL;
}

/* The lanes follow the policy; what waited for a channel that is gone is given up. */
static int lanes_update(struct outbox *o, const struct policy *p)
{
	struct lane lanes[POLICY_CHANNELS] = { 0 };
	uint64_t keys[POLICY_CHANNELS];
	size_t n = PV_MIN(p->n_channels, (uint32_t) POLICY_CHANNELS);
	bool same = o->known && n == o->n_lanes;
	int r;

	for (size_t i = 0; i < n; i++) {
		const struct lane *old = lane_find(o, store_channel_key(&p->channels[i]));

		keys[i] = store_channel_key(&p->channels[i]);
		lanes[i].key = keys[i];
		if (old)
			lanes[i] = *old;
		(void) text_copy(lanes[i].name, sizeof(lanes[i].name), p->channels[i].name);
		same = same && o->lanes[i].key == keys[i];
	}
	if (same)
		return 0;
	memcpy(o->lanes, lanes, sizeof(lanes));
	o->n_lanes = n;
	o->known = true;
	r = store_keep_channels(o->store, keys, n);
	if (r > 0)
		log_warning("%d notices waited for channels that are no longer configured; they stay in `pavise events`", r);
	return PV_MIN(r, 0);
}

static size_t flights_of(const struct outbox *o, uint64_t key)
{
	size_t n = 0;

	for (size_t i = 0; i < FLIGHTS; i++)
		n += o->flights[i].delivery && o->flights[i].key == key;
	return n;
}

static struct flight *flight_find(struct outbox *o, uint64_t delivery)
{
	for (size_t i = 0; i < FLIGHTS; i++)
		if (o->flights[i].delivery == delivery)
			return &o->flights[i];
	return NULL;
}

static int row_send(struct outbox *o, struct outbox_row *row, const struct pv_buf *text)
{
	row->len = (uint32_t) PV_MIN(text->len, (size_t) OUTBOX_TEXT);
	memcpy(row->text, pv_buf_str(text), row->len);
	if (send(o->fd, row, outbox_row_size(row), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

struct batch { /* one channel's turn */
	struct outbox *o;
	const struct policy_channel *channel;
	uint32_t index;
	uint64_t key, wall_us;
	size_t room;
	int result;
};

static void row_init(struct outbox_row *row, const struct batch *b, uint64_t delivery, enum severity severity,
		     const char *id)
{
	memset(row, 0, offsetof(struct outbox_row, text));
	row->delivery = delivery;
	row->key = b->key;
	row->channel = b->index;
	row->severity = severity;
	(void) text_copy(row->id, sizeof(row->id), id);
}

static int hand_over(const struct delivery *d, void *arg)
{
	struct batch *b = arg;
	struct flight *f = flight_find(b->o, 0);
	pv_autobuf text = PV_BUF_INIT;
	struct outbox_row row;

	if (flight_find(b->o, d->row))
		return 0;
	if (!f || !b->room)
		return 1;
	row_init(&row, b, d->row, d->notice.severity, id_info(d->notice.id)->name);
	(void) snprintf(row.unique, sizeof(row.unique), "%s-%" PRIu64, store_uid(b->o->store), d->notice.row);
	(void) text_copy(row.subject, sizeof(row.subject), d->notice.subject);
	notify_text(&text, b->channel, &d->notice, OUTBOX_TEXT);
	b->result = row_send(b->o, &row, &text);
	if (b->result < 0)
		return 1;
	*f = (struct flight){ .delivery = d->row, .key = b->key, .sent_us = b->wall_us, .since_us = d->since_us,
			      .attempt = d->attempt };
	b->room--;
	return 0;
}

struct worst {
	struct notice notices[DIGEST_WORST];
	size_t n;
};

static int keep_worst(const struct notice *n, void *arg)
{
	struct worst *w = arg;

	w->notices[w->n++] = *n;
	return w->n == DIGEST_WORST;
}

static int hand_over_digest(struct batch *b, const struct store_backlog *backlog)
{
	struct flight *f = flight_find(b->o, 0);
	struct worst *worst = calloc(1, sizeof(*worst));
	pv_autobuf text = { .cap = OUTBOX_TEXT };
	pv_autofree void *owner = worst;
	struct outbox_row row;
	int r;

	if (!f || !owner)
		return f ? -ENOMEM : 0;
	r = store_backlog_worst(b->o->store, b->key, backlog->up_to, DIGEST_WORST, keep_worst, worst);
	if (r < 0)
		return r;
	notify_digest(&text, b->channel, backlog, worst->notices, worst->n);
	row_init(&row, b, backlog->up_to | OUTBOX_DIGEST, worst->n ? worst->notices[0].severity : SEV_INFO, "digest");
	(void) snprintf(row.unique, sizeof(row.unique), "%s-digest-%" PRIu64, store_uid(b->o->store), backlog->up_to);
	(void) text_copy(row.subject, sizeof(row.subject), "host");
	r = row_send(b->o, &row, &text);
	if (!r)
		*f = (struct flight){ .delivery = row.delivery, .key = b->key, .sent_us = b->wall_us,
				      .since_us = backlog->since_us, .attempt = backlog->attempt };
	return r;
}

static bool digest_in_flight(const struct outbox *o, uint64_t key)
{
	for (size_t i = 0; i < FLIGHTS; i++)
		if (o->flights[i].delivery & OUTBOX_DIGEST && o->flights[i].key == key)
			return true;
	return false;
}

static int lane_run(struct batch *b, const struct lane *lane)
{
	size_t flying = flights_of(b->o, b->key), most = lane->failing ? 1 : FLIGHTS_EACH;
	struct store_backlog backlog = { 0 };
	int r;

	if (lane->not_before_us > b->wall_us || flying >= most || digest_in_flight(b->o, b->key) ||
	    store_next_due(b->o->store, b->key, 0) > b->wall_us)
		return 0;
	if (!flying) {
		r = store_backlog(b->o->store, b->key, &backlog);
		if (r < 0)
			return r;
		if (backlog.n > DIGEST_ABOVE)
			return hand_over_digest(b, &backlog);
	}
	b->room = most - flying;
	/* those that fly already are among the first */
	r = store_due(b->o->store, b->key, b->wall_us, most + flying, hand_over, b);
	return r < 0 ? r : b->result;
}

/* `r`: 0 delivered, 1 try again at when_us, -1 given up. */
static int flight_over(struct outbox *o, struct flight *f, int r, uint64_t when_us, const char *error)
{
	uint64_t row = f->delivery & ~OUTBOX_DIGEST, key = f->key;
	bool digest = f->delivery & OUTBOX_DIGEST;

	f->delivery = 0;
	if (r == 0)
		return digest ? store_backlog_delivered(o->store, key, row) : store_delivered(o->store, row);
	if (r < 0)
		when_us = 0;
	return digest ? store_backlog_retry(o->store, key, row, when_us, error)
		      : store_retry(o->store, row, when_us, error);
}

static void say_given_up(const struct lane *lane, const struct flight *f, const char *error)
{
	log_error("channel %s: %s given up: %s; see `pavise events`", lane ? lane->name : "?",
		  f->delivery & OUTBOX_DIGEST ? "several notices" : "a notice", error);
}

static int flight_failed(struct outbox *o, struct flight *f, const struct outbox_answer *a, uint64_t wall_us)
{
	uint64_t when = wall_us + outbox_backoff_us(f->attempt, a->retry_after_s, seed_of(f->delivery, wall_us));
	struct lane *lane = lane_find(o, f->key);
	pv_autobuf error = PV_BUF_INIT;

	pv_buf_safe(&error, a->error, sizeof(a->error));
	if (a->result == -EINVAL || outbox_is_over(f->since_us, wall_us, f->attempt)) {
		say_given_up(lane, f, pv_buf_str(&error));
		return flight_over(o, f, -1, 0, pv_buf_str(&error));
	}
	if (a->result == -ESTALE) { /* the next sender has the policy that this one lacks */
		when = wall_us + USEC_PER_SEC;
	} else if (lane) {
		if (!lane->failing)
			log_warning("channel %s: %s; trying again for 72 hours", lane->name, pv_buf_str(&error));
		lane->failing = true;
		lane->not_before_us = when;
	}
	return flight_over(o, f, 1, when, pv_buf_str(&error));
}

static void success_key(char *out, size_t size, uint64_t key)
{
	(void) snprintf(out, size, "channel.%016" PRIx64 ".success", key);
}

static void note_success(struct outbox *o, struct lane *lane, uint64_t wall_us)
{
	char name[48], value[24];

	lane->success_us = wall_us;
	if (wall_us >= lane->kept_us && wall_us - lane->kept_us < SUCCESS_KEEP_US)
		return;
	success_key(name, sizeof(name), lane->key);
	(void) snprintf(value, sizeof(value), "%" PRIu64, wall_us);
	if (store_kv_set(o->store, name, value) == 0)
		lane->kept_us = wall_us;
}

uint64_t outbox_last_success(struct outbox *o, uint64_t key)
{
	const struct lane *lane = lane_find(o, key);
	pv_autobuf value = PV_BUF_INIT;
	uint64_t us = 0;
	char name[48];

	if (lane && lane->success_us)
		return lane->success_us;
	success_key(name, sizeof(name), key);
	if (store_kv_get(o->store, name, &value) < 0 || parse_u64(pv_buf_str(&value), &us) < 0)
		return 0;
	return us;
}

static int flight_delivered(struct outbox *o, struct flight *f, uint64_t wall_us)
{
	struct lane *lane = lane_find(o, f->key);
	int r = flight_over(o, f, 0, 0, NULL);

	if (r >= 0 && lane)
		note_success(o, lane, wall_us);
	if (r < 0 || !lane || !lane->failing)
		return r;
	log_info("channel %s answers again", lane->name);
	lane->failing = false;
	lane->not_before_us = 0;
	return store_hurry(o->store, lane->key, wall_us);
}

static int expire(struct outbox *o, uint64_t wall_us)
{
	static const struct outbox_answer silence = { .result = -ETIMEDOUT, .error = "the sender gave no answer" };
	int r = 0;

	for (size_t i = 0; i < FLIGHTS && r == 0; i++) {
		struct flight *f = &o->flights[i];

		/* a clock that was set back would keep it in the air for ever */
		if (f->delivery && (wall_us < f->sent_us || wall_us - f->sent_us > ANSWER_US))
			r = flight_failed(o, f, &silence, wall_us);
	}
	return r;
}

static bool any_flight(const struct outbox *o)
{
	for (size_t i = 0; i < FLIGHTS; i++)
		if (o->flights[i].delivery)
			return true;
	return false;
}

/* When to look again, after everything that could go now went. */
static uint64_t next_time(struct outbox *o, uint64_t wall_us)
{
	uint64_t next = any_flight(o) ? wall_us + WAKE_US : UINT64_MAX;

	for (size_t i = 0; i < o->n_lanes; i++) {
		const struct lane *lane = &o->lanes[i];
		bool paused = lane->not_before_us > wall_us;
		uint64_t due = store_next_due(o->store, lane->key, paused ? 0 : wall_us);

		if (due != UINT64_MAX)
			next = PV_MIN(next, paused ? PV_MAX(due, lane->not_before_us) : due);
	}
	/* The wall clock may be set back by years: look at least every quarter of an hour while something waits. */
	return next == UINT64_MAX ? next : PV_MIN(PV_MAX(next, wall_us + 1), wall_us + BACKOFF_MAX_US);
}

/* Times that lie further ahead than any that was ever set: the clock was set back meanwhile. */
static int mend_times(struct outbox *o, uint64_t wall_us)
{
	const uint64_t most = wall_us + (RETRY_AFTER_MAX_S * 6 / 5 + 60) * USEC_PER_SEC;
	int r = 0;

	for (size_t i = 0; i < o->n_lanes && r == 0; i++) {
		if (o->lanes[i].not_before_us > most)
			o->lanes[i].not_before_us = 0;
		if (store_next_due(o->store, o->lanes[i].key, most) != UINT64_MAX)
			r = store_hurry(o->store, o->lanes[i].key, wall_us);
	}
	return r;
}

static int run_lanes(struct outbox *o, const struct policy *p, uint64_t wall_us)
{
	for (size_t i = 0; i < o->n_lanes; i++) {
		struct batch b = { .o = o, .channel = &p->channels[i], .index = (uint32_t) i, .key = o->lanes[i].key,
				   .wall_us = wall_us };
		int r = lane_run(&b, &o->lanes[i]);

		if (r == -EAGAIN || r == -ENOBUFS)
			return 0; /* the socket is full of rows that the sender will read */
		if (r < 0)
			return r;
	}
	return 0;
}

int outbox_run(struct outbox *o, const struct policy *p, uint64_t wall_us, uint64_t *ret_next_us)
{
	int r;

	*ret_next_us = wall_us + 5 * USEC_PER_SEC;
	r = lanes_update(o, p);
	if (!r)
		r = expire(o, wall_us);
	if (!r)
		r = mend_times(o, wall_us);
	if (!r)
		r = run_lanes(o, p, wall_us);
	if (r < 0)
		return r;
	*ret_next_us = next_time(o, wall_us);
	return any_flight(o);
}

/* An answer to what another engine handed over, before this one started: a delivery is still a delivery. */
static int answer_late(struct outbox *o, const struct outbox_answer *a)
{
	if (a->result || a->delivery & OUTBOX_DIGEST || !a->delivery)
		return 0;
	return store_delivered(o->store, a->delivery);
}

int outbox_answers(struct outbox *o, uint64_t wall_us)
{
	struct outbox_answer a;
	struct flight *f;
	char data[sizeof(a) + 1]; /* one more, so that a longer datagram shows */
	ssize_t n;
	int r = 0;

	while (r == 0) {
		n = recv(o->fd, data, sizeof(data), MSG_DONTWAIT);
		if (n <= 0)
			return n == 0 ? -EPIPE : errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (outbox_answer_parse(data, (size_t) n, &a) < 0)
			continue; /* it has no say in anything but its own rows */
		f = a.delivery ? flight_find(o, a.delivery) : NULL;
		if (!f)
			r = answer_late(o, &a);
		else
			r = a.result ? flight_failed(o, f, &a, wall_us) : flight_delivered(o, f, wall_us);
	}
	return r;
}
