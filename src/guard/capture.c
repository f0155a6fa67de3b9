/* capture.c - what there is of a workload when something is refused or before it is ended, taken by a pavise-collector of its
 * own (model/capture.h); and looks at one running program. Nothing here waits: an act goes on when the collector holds what the
 * act would destroy, or after CAPTURE_TIME_US. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/guard.h"
#include "model/capture.h"
#include "report/tell.h"

#define PER_MINUTE   30	 /* looks and bundles each, of the whole host */
#define PER_HOUR     120 /* bundles */
#define PER_WORKLOAD 40	 /* bundles an hour: who floods must not push out what others left */
#define LOG_KEPT     (96u << 10)
#define AT_ONCE                                                                                                                  \
	3 /* bundles that no act waits for: fewer than the launcher runs (launcher/shots.c), so that an act finds a place */
#define LATE_US	 (300 * USEC_PER_MSEC)	/* after its time the collector may still say what it had */
#define LATER_US (1500 * USEC_PER_MSEC) /* the same, where no act waits; on a busy machine it begins late */
#define KNOWN_US                                                                                                                 \
	(700 * USEC_PER_MSEC) /* so long the engine may take to say what a container is (collector/main.c waits as long) */
#define KEY_BAD	     "exec.bad"

struct rate {
	uint64_t at, n; /* which minute or hour, how many in it */
};

struct captures {
	struct capture *all;
	struct rate minute, hour, looks;
	uint64_t looks_full; /* the minute of which it was said that there were more */
	uint32_t number;
	uint8_t bad[CAPTURE_DIGESTS][32]; /* SHA-256 of programs that were refused for what they are; a ring */
	size_t n_bad, next_bad;
	unsigned run; /* how many have begun and are not over */
};

struct capture {
	struct guard *g;
	struct capture *next;
	struct capture_job job;
	struct notice *notice; /* an act's, while it is under way; CAPTURE_JUDGE: own */
	struct notice own;
	uint64_t row;
	struct pv_buf event;
	struct workload w;	 /* its info: until it is known */
	struct pv_buf container; /* what is known of it so far */
	bool known;		 /* all is */
	enum engine_kind engine;
	int fd;
	sd_event_source *io, *timer, *unknown;
	struct broker_req req;
	bool begun;		/* else it waits for its turn */
	bool asked, logs_asked; /* an answer is to come that holds a pointer to this */
	bool owned;		/* an act holds a pointer to this */
	bool remember, over;
	capture_fn held;
	void *arg;
};

static bool rate_take(struct rate *r, uint64_t at, uint64_t max)
{
	if (r->at != at)
		*r = (struct rate){ .at = at };
	return r->n < max ? r->n++, true : false;
}

/* ---- what was refused for what it is ---- */

static void bad_save(struct guard *g)
{
	pv_autobuf text = PV_BUF_INIT;

	for (size_t i = 0; i < g->captures->n_bad; i++)
		for (size_t k = 0; k < 32; k++)
			pv_buf_printf(&text, "%02x", g->captures->bad[i][k]);
	(void) store_kv_set(g->store, KEY_BAD, pv_buf_str(&text));
}

static void bad_load(struct guard *g)
{
	struct captures *all = g->captures;
	pv_autobuf text = PV_BUF_INIT;
	char byte[3] = { 0 };

	if (store_kv_get(g->store, KEY_BAD, &text) < 0)
		return;
	for (size_t at = 0; at + 64 <= text.len && all->n_bad < CAPTURE_DIGESTS; at += 64, all->n_bad++)
		for (size_t k = 0; k < 32; k++) {
			memcpy(byte, text.data + at + 2 * k, 2);
			all->bad[all->n_bad][k] = (uint8_t) strtoul(byte, NULL, 16);
		}
	all->next_bad = all->n_bad % CAPTURE_DIGESTS;
}

static void bad_add(struct guard *g, const uint8_t digest[32])
{
	struct captures *all = g->captures;

	for (size_t i = 0; i < all->n_bad; i++)
		if (memcmp(all->bad[i], digest, 32) == 0)
			return;
	memcpy(all->bad[all->next_bad], digest, 32);
	all->next_bad = (all->next_bad + 1) % CAPTURE_DIGESTS;
	all->n_bad = PV_MIN(all->n_bad + 1, (size_t) CAPTURE_DIGESTS);
	bad_save(g);
}

/* ---- its end ---- */

static void capture_drop(struct capture *c)
{
	struct capture **at = &c->g->captures->all;

	if (c->asked || c->logs_asked || c->owned || !c->over)
		return;
	while (*at && *at != c)
		at = &(*at)->next;
	if (*at)
		*at = c->next;
	pv_buf_done(&c->event);
	pv_buf_done(&c->container);
	free(c);
}

static const struct capture_result ended_early = { .result = -EPIPE };

/* `r` NULL: its time was over. */
static const char *why_not(const struct capture_result *r)
{
	return !r ? "the collector did not answer in time" : r == &ended_early ? "the collector ended early" : strerror(-r->result);
}

static void add_evidence(struct notice *n, const struct capture *c, const struct capture_result *r)
{
	if (!r || r->result < 0) {
		notice_add_evidence(n, "evidence", "could not be taken: %s", why_not(r));
		return;
	}
	notice_add_evidence(n, "evidence", "%s/evidence/%s", c->g->policy->state_dir, c->job.name);
	notice_add_evidence(n, "taken", "%.120s; %u files, %" PRIu64 " kB", r->found, r->files, (r->bytes + 999) / 1000);
	if (r->missing)
		notice_add_evidence(n, "missing", "%s", r->lacks);
}

static void amend(const struct capture *c, const struct capture_result *r)
{
	struct notice n;

	if (c->row && store_notice(c->g->store, c->row, &n) == 0) {
		add_evidence(&n, c, r);
		notices_count(c->g, &n);
	}
}

static void held(struct capture *c)
{
	capture_fn fn = c->held;

	c->held = NULL;
	if (fn)
		fn(c->g, c->arg);
}

static void tell_judged(struct capture *c, const struct capture_result *r)
{
	struct notice *n = &c->own;

	if ((!r || r->result < 0) && !(r && r->result == -ESRCH)) /* one that ended by itself is no news */
		log_warning("a running program could not be compared with its image's file (%s): %s", n->subject, why_not(r));
	if (!r || r->result < 0 || !(r->differs || r->is_bad))
		return;
	tell_exec_judged(n, r->is_bad, r->killed, r->spared);
	(void) notices_raise(c->g, n);
}

static void begin_waiting(struct guard *g);

static void finish(struct capture *c, const struct capture_result *r)
{
	struct guard *g = c->g;

	g->captures->run -= c->begun;
	c->io = sd_event_source_disable_unref(c->io);
	c->timer = sd_event_source_disable_unref(c->timer);
	c->unknown = sd_event_source_disable_unref(c->unknown);
	c->fd = pv_close(c->fd);
	c->over = true;
	if (r && r->result == 0 && c->remember && r->has_digest)
		bad_add(c->g, r->sha256);
	if (c->job.what == CAPTURE_JUDGE)
		tell_judged(c, r);
	else if (c->notice)
		add_evidence(c->notice, c, r);
	else
		amend(c, r);
	held(c); /* after all else: the act may be over when it returns */
	capture_drop(c);
	begin_waiting(g);
}

/* ---- what is said ---- */

static void send_part(struct capture *c, enum capture_part_is is, const char *text, size_t len)
{
	struct capture_part *part = malloc(sizeof(*part));

	for (size_t at = 0; part && at < len; at += part->len) {
		part->is = is;
		part->len = (uint32_t) PV_MIN(len - at, sizeof(part->text));
		memcpy(part->text, text + at, part->len);
		if (send(c->fd, part, offsetof(struct capture_part, text) + part->len, MSG_NOSIGNAL) < 0)
			break; /* full: the collector is slow or gone; the rest is missing, and it says so */
	}
	free(part);
}

/* Line by line, since that is how secrets are found. */
static void send_log(struct capture *c, const char *body, size_t len)
{
	pv_autobuf plain = PV_BUF_INIT, shown = PV_BUF_INIT;
	const char *at, *end;

	answer_logs(body, len, &plain);
	at = plain.len > LOG_KEPT ? plain.data + (plain.len - LOG_KEPT) : pv_buf_str(&plain);
	for (; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, '\n');
		guard_logs_shown(c->g, at, (size_t) (end - at), &shown);
		pv_buf_putc(&shown, '\n');
	}
	send_part(c, CAPTURE_LOG, pv_buf_str(&shown), shown.len);
}

static void on_logs(struct guard *g, const char *body, size_t len, void *arg)
{
	struct capture *c = arg;

	(void) g;
	c->logs_asked = false;
	if (c->over) {
		capture_drop(c);
		return;
	}
	if (body)
		send_log(c, body, len);
	(void) shutdown(c->fd, SHUT_WR);
}

static int on_socket(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct capture *c = arg;
	struct capture_result r;
	ssize_t n = recv(fd, &r, sizeof(r), MSG_DONTWAIT | MSG_TRUNC);

	(void) s;
	(void) revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != (ssize_t) sizeof(r)) {
		finish(c, &ended_early);
		return 0;
	}
	r.found[sizeof(r.found) - 1] = r.lacks[sizeof(r.lacks) - 1] = '\0';
	if (r.says == CAPTURE_HELD)
		held(c);
	else
		finish(c, &r);
	return 0;
}

static int on_late(sd_event_source *s, uint64_t usec, void *arg)
{
	struct capture *c = arg;

	(void) s;
	(void) usec;
	finish(c, NULL);
	return 0;
}

/* Last of all: what it is, and its log. */
static void talk_container(struct capture *c)
{
	c->unknown = sd_event_source_disable_unref(c->unknown);
	send_part(c, CAPTURE_CONTAINER, pv_buf_str(&c->container), c->container.len);
	c->logs_asked = engines_logs(c->g, c->engine, c->w.id, on_logs, c) == 0;
	if (!c->logs_asked)
		(void) shutdown(c->fd, SHUT_WR);
}

static int on_unknown(sd_event_source *s, uint64_t usec, void *arg)
{
	(void) s;
	(void) usec;
	talk_container(arg);
	return 0;
}

/* A container that did not live long may be refused before the engine has said what it is, or ended by then. */
static void talk(struct capture *c)
{
	if (send(c->fd, &c->job, sizeof(c->job), MSG_NOSIGNAL) < 0) {
		finish(c, &ended_early);
		return;
	}
	if (c->job.what != CAPTURE_EVIDENCE) {
		(void) shutdown(c->fd, SHUT_WR);
		return;
	}
	send_part(c, CAPTURE_EVENT, pv_buf_str(&c->event), c->event.len);
	if (c->known || sd_event_add_time_relative(c->g->loop, &c->unknown, CLOCK_MONOTONIC, KNOWN_US, 0, on_unknown, c) < 0)
		talk_container(c);
}

static void on_broker(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct capture *c = arg;
	int r = rep->result < 0 ? rep->result : fd < 0 ? -EBADMSG : 0;

	c->asked = false;
	if (c->over) {
		(void) pv_close(fd);
		capture_drop(c);
		return;
	}
	if (r == 0) {
		c->fd = fd;
		r = sd_event_add_io(g->loop, &c->io, c->fd, EPOLLIN, on_socket, c);
	} else {
		(void) pv_close(fd);
	}
	if (r < 0)
		finish(c, &(struct capture_result){ .result = r });
	else
		talk(c);
}

/* ---- its beginning ---- */

static void put_address(struct pv_buf *out, const char *key, const struct ip_addr *addr)
{
	static const struct ip_addr none;

	pv_buf_printf(out, ",\"%s\":\"", key);
	if (memcmp(addr, &none, sizeof(none)) != 0)
		ip_format(out, addr);
	pv_buf_putc(out, '"');
}

static void put_time(struct pv_buf *out, const char *key, uint64_t wall_us)
{
	if (!wall_us)
		return;
	pv_buf_printf(out, ",\"%s\":\"", key);
	clock_rfc3339(out, wall_us);
	pv_buf_putc(out, '"');
}

/* What is not known yet is left out: the collector names it as missing by the digest. */
static void container_json(struct capture *c, const struct container_info *i)
{
	struct workload w = c->w;
	struct pv_buf *out = &c->container;
	char name[160];

	w.info = (struct container_info *) (uintptr_t) i; /* read only */
	workload_name(name, sizeof(name), &w);
	pv_buf_clear(out);
	pv_buf_puts(out, "{\"schema\":1,\"id\":");
	pv_buf_json_str(out, w.id);
	pv_buf_puts(out, ",\"workload\":");
	pv_buf_json_str(out, name);
	pv_buf_puts(out, ",\"cgroup\":");
	pv_buf_json_str(out, w.path);
	if (i) {
		const char *const members[][2] = { { "name", i->name },	      { "image", i->image },	 { "project", i->project },
						   { "service", i->service }, { "restart", i->restart_policy } };

		for (size_t k = 0; k < N_ELEMENTS(members); k++) {
			pv_buf_printf(out, ",\"%s\":", members[k][0]);
			pv_buf_json_str(out, members[k][1]);
		}
		if (*i->image_id) {
			pv_buf_puts(out, ",\"image_digest\":");
			pv_buf_json_str(out, i->image_id);
		}
		put_time(out, "created", i->created_us);
		put_time(out, "started", i->started_us);
		pv_buf_puts(out, ",\"networks\":[");
		for (size_t k = 0; k < i->n_networks; k++) {
			pv_buf_puts(out, k ? ",{\"name\":" : "{\"name\":");
			pv_buf_json_str(out, i->networks[k]);
			put_address(out, "address", &i->addresses[k][0]);
			put_address(out, "address6", &i->addresses[k][1]);
			pv_buf_putc(out, '}');
		}
		pv_buf_puts(out, "]");
	}
	pv_buf_puts(out, "}\n");
}

static void know(struct capture *c, const struct container_info *info)
{
	container_json(c, info);
	c->known = info && info->inspected;
	c->engine = info ? info->engine : ENGINE_NONE;
}

void capture_info(struct guard *g, const struct container_info *info)
{
	for (struct capture *c = g->captures->all; c && info->inspected; c = c->next) {
		if (c->known || c->over || c->job.what != CAPTURE_EVIDENCE || strcmp(c->w.id, info->id) != 0)
			continue;
		if (c->unknown || !c->begun || c->fd < 0)
			know(c, info);
		if (c->unknown)
			talk_container(c);
	}
}

/* 20261128T190211Z-exec.dropped-2a3f */
static void name_it(struct guard *g, char out[CAPTURE_NAME], enum id id)
{
	time_t now = (time_t) (clock_wall_us() / USEC_PER_SEC);
	char when[20];
	struct tm tm;

	(void) strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	(void) snprintf(out, CAPTURE_NAME, "%s-%.32s-%04x", when, id_info(id)->name, ++g->captures->number & 0xffff);
}

static int begin(struct capture *c, uint64_t late_us)
{
	struct guard *g = c->g;
	int r = sd_event_add_time_relative(g->loop, &c->timer, CLOCK_MONOTONIC, CAPTURE_TIME_US + late_us, 0, on_late, c);

	if (r >= 0)
		r = link_call(g, &c->req, on_broker, c);
	if (r < 0) {
		c->timer = sd_event_source_disable_unref(c->timer);
		return r;
	}
	c->asked = c->begun = true;
	g->captures->run++;
	return 0;
}

/* Many may be refused at once, above all after a time without an engine: each has its turn. */
static void begin_waiting(struct guard *g)
{
	while (g->captures->run < AT_ONCE) {
		struct capture *oldest = NULL;
		int r;

		for (struct capture *c = g->captures->all; c; c = c->next)
			if (!c->begun && !c->over)
				oldest = c;
		if (!oldest)
			return;
		r = begin(oldest, LATER_US);
		if (r < 0)
			finish(oldest, &(struct capture_result){ .result = r });
	}
}

/* Not begun yet. */
static struct capture *capture_new(struct guard *g, const struct guard_workload *w, enum capture_what what)
{
	struct capture *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct capture){ .g = g,
			       .fd = -1,
			       .job.what = what,
			       .w = w->w,
			       .req = { .op = BROKER_CAPTURE, .cgroup = w->w.gone ? 0 : w->w.cgroup } };
	c->w.info = NULL;
	(void) text_copy(c->req.id, sizeof(c->req.id), w->w.id);
	c->next = g->captures->all;
	g->captures->all = c;
	return c;
}

static bool may_take(struct guard *g, struct guard_workload *w)
{
	struct rate own = { w->captures_hour, w->captures_in_hour };
	uint64_t now = clock_monotonic_us();
	bool may = rate_take(&own, now / USEC_PER_HOUR + 1, PER_WORKLOAD);

	w->captures_hour = own.at;
	w->captures_in_hour = own.n;
	return may && rate_take(&g->captures->minute, now / USEC_PER_MIN, PER_MINUTE) &&
	       rate_take(&g->captures->hour, now / USEC_PER_HOUR, PER_HOUR);
}

static struct capture *evidence_new(struct guard *g, struct guard_workload *w, const struct notice *n)
{
	struct capture *c = capture_new(g, w, CAPTURE_EVIDENCE);

	if (!c)
		return NULL;
	name_it(g, c->job.name, n->id);
	notice_json(&c->event, n);
	pv_buf_putc(&c->event, '\n');
	know(c, w->w.info);
	return c;
}

void capture_none(struct guard *g, uint64_t row, int error)
{
	amend(&(struct capture){ .g = g, .row = row }, &(struct capture_result){ .result = error });
}

void capture_evidence(struct guard *g, struct guard_workload *w, const struct notice *n, const struct capture_of *of)
{
	struct capture *c;

	if (!w || !*w->w.id || !n->row)
		return;
	if (!may_take(g, w)) {
		capture_none(g, n->row, -EDQUOT);
		return;
	}
	c = evidence_new(g, w, n);
	if (!c)
		return;
	c->row = n->row;
	c->remember = of->remember;
	c->job.pid = of->pid;
	c->job.dev = of->dev;
	c->job.ino = of->ino;
	c->job.dead = of->dead;
	for (unsigned i = 0; of->event && i < PV_MIN((unsigned) of->event->n_chain, (unsigned) N_ELEMENTS(c->job.chain)); i++) {
		c->job.chain[i].pid = of->event->chain[i].tgid;
		memcpy(c->job.chain[i].comm, of->event->chain[i].comm, PV_COMM_LEN);
	}
	(void) text_copy(c->job.paths[0], sizeof(c->job.paths[0]), of->path ? of->path : "");
	(void) text_copy(c->job.paths[1], sizeof(c->job.paths[1]), of->also ? of->also : "");
	begin_waiting(g);
}

struct capture *capture_before(struct guard *g, struct guard_workload *w, struct notice *n, capture_fn fn, void *arg)
{
	struct capture *c = *w->w.id && may_take(g, w) ? evidence_new(g, w, n) : NULL;

	if (!c)
		return NULL;
	if (begin(c, LATE_US) < 0) {
		c->over = true;
		capture_drop(c);
		return NULL;
	}
	c->notice = n;
	c->held = fn;
	c->arg = arg;
	c->owned = true;
	return c;
}

void capture_act_over(struct capture *c, uint64_t row)
{
	c->owned = false;
	c->notice = NULL;
	c->row = row;
	c->held = NULL;
	capture_drop(c);
}

void capture_judge(struct guard *g, struct guard_workload *w, const struct event_exec *e, bool compare, bool may_kill)
{
	struct captures *all = g->captures;
	struct capture *c;

	if (!w || !*w->w.id || (!compare && !all->n_bad))
		return;
	if (!rate_take(&all->looks, clock_monotonic_us() / USEC_PER_MIN, PER_MINUTE)) {
		if (all->looks_full != all->looks.at)
			log_warning("more than %d programs in a minute are to be compared with their images: the others are not", PER_MINUTE);
		all->looks_full = all->looks.at;
		return;
	}
	c = capture_new(g, w, CAPTURE_JUDGE);
	if (!c)
		return;
	c->job.pid = e->head.tgid;
	c->job.dev = e->dev;
	c->job.ino = e->ino;
	c->job.compare = compare;
	c->job.may_kill = may_kill;
	c->job.n_bad = (uint8_t) all->n_bad;
	memcpy(c->job.bad, all->bad, sizeof(c->job.bad));
	notice_init(&c->own, ID_EXEC_DROPPED, kernel_event_time(&e->head));
	kernel_notice_fill(&c->own, &e->head, w);
	tell_exec(&c->own, e, false);
	if (begin(c, LATE_US) < 0) {
		c->over = true;
		capture_drop(c);
	}
}

int capture_start(struct guard *g)
{
	g->captures = calloc(1, sizeof(*g->captures));
	if (!g->captures)
		return -ENOMEM;
	g->captures->number = (uint32_t) clock_wall_us();
	bad_load(g);
	return 0;
}

void capture_stop(struct guard *g)
{
	struct capture *c, *next;

	for (c = g->captures ? g->captures->all : NULL; c; c = next) {
		next = c->next;
		sd_event_source_disable_unref(c->io);
		sd_event_source_disable_unref(c->timer);
		sd_event_source_disable_unref(c->unknown);
		c->fd = pv_close(c->fd);
		pv_buf_done(&c->event);
		pv_buf_done(&c->container);
		free(c);
	}
	free(g->captures);
	g->captures = NULL;
}
