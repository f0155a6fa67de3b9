#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/guard.h"
#include "report/tell.h"

#define IN_FLIGHT	   4
#define INSPECT_TRIES	   3
#define STOPPED_ASKED	   256 /* stopped containers of a list, the newest first */
#define RETRY_FIRST_US	   (1 * USEC_PER_SEC)
#define RETRY_MAX_US	   (4 * USEC_PER_SEC)
#define RETRY_ABSENT_US	   (3 * USEC_PER_SEC) /* at boot the guard comes first */
#define LOST_TELL_AFTER_US (8 * USEC_PER_SEC)

static const char *const engine_names[GUARD_ENGINES] = { "Docker", "Podman" };

/* One request on its way: queued, at the broker, or its answer being read from the pipe. */
struct api_call {
	struct guard *g;
	struct guard_engine *e;
	struct broker_req req;
	void (*done)(struct api_call *c, int status); /* status: HTTP, or negative errno; takes `c` */
	struct http_answer *http;
	sd_event_source *source;
	int fd;
	bool asked;	/* the broker's answer is still to come: it holds a pointer to this */
	bool busy;	/* what was read is being given to its reader */
	bool cancelled; /* nobody waits any more */
	struct api_call *next;
	/* by what is asked */
	unsigned tries;
	struct pv_buf inspect;
	engine_act_fn act;
	engine_text_fn text;
	engine_stream_fn stream;
	void *act_arg;
};

static void queue_run(struct guard *g, struct guard_engine *e);
static void ask_all(struct guard *g, struct guard_engine *e);
static void engine_lost(struct guard *g, struct guard_engine *e);

static struct api_call *call_free(struct api_call *c)
{
	if (!c)
		return NULL;
	if (c->asked || c->busy) {
		c->cancelled = true;
		return NULL;
	}
	sd_event_source_disable_unref(c->source);
	c->fd = pv_close(c->fd);
	http_answer_free(c->http);
	pv_buf_done(&c->inspect);
	free(c);
	return NULL;
}

static struct api_call *call_new(struct guard *g, struct guard_engine *e, enum api_request r, const char *id,
				 void (*done)(struct api_call *, int))
{
	const struct api_template *t = api_template(r);
	struct api_call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct api_call){ .g = g, .e = e, .done = done, .fd = -1 };
	c->req = (struct broker_req){ .op = BROKER_API, .arg = r, .arg2 = e ? (uint64_t) e->kind : 0 };
	(void) text_copy(c->req.id, sizeof(c->req.id), id ? id : "");
	if (http_answer_new(t->cap ? t->cap : 1u << 20, &c->http) < 0)
		return call_free(c);
	return c;
}

/* Counted apart: it is on its way for as long as the engine runs. */
static bool is_endless(const struct api_call *c)
{
	return c->req.arg == API_EVENTS || c->req.arg == API_FOLLOW;
}

static void call_finish(struct api_call *c, int status)
{
	struct guard *g = c->g;
	struct guard_engine *e = c->e;
	bool counted = !is_endless(c);

	c->source = sd_event_source_disable_unref(c->source);
	c->fd = pv_close(c->fd);
	if (counted)
		e->in_flight--;
	c->done(c, status);
	if (counted)
		queue_run(g, e);
}

static void events_lines(struct api_call *c);
static bool stream_piece(struct api_call *c);

static int on_answer(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct api_call *c = arg;
	char buf[16384];
	ssize_t n;
	int r;

	(void) s;
	(void) revents;
	n = read(fd, buf, sizeof(buf));
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			call_finish(c, -errno);
		return 0;
	}
	r = n ? http_answer_feed(c->http, buf, (size_t) n) : http_answer_end(c->http);
	if (c->req.arg == API_EVENTS && http_answer_status(c->http) == 200 && r >= 0)
		events_lines(c);
	if (c->req.arg == API_FOLLOW && http_answer_status(c->http) == 200 && r >= 0 && !stream_piece(c))
		return 0;
	if (r)
		call_finish(c, r < 0 ? r : http_answer_status(c->http));
	return 0;
}

static void on_pipe(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct api_call *c = arg;
	int r = rep->result;

	c->asked = false;
	if (c->cancelled) {
		(void) pv_close(fd);
		call_free(c);
		return;
	}
	if (r >= 0 && fd < 0)
		r = -EBADMSG;
	if (r >= 0) {
		c->fd = fd;
		fd = -1;
		(void) fcntl(c->fd, F_SETFL, O_NONBLOCK);
		r = sd_event_add_io(g->loop, &c->source, c->fd, EPOLLIN, on_answer, c);
	}
	(void) pv_close(fd);
	if (r < 0)
		call_finish(c, r);
	else if (c->req.arg == API_EVENTS)
		ask_all(g, c->e); /* the stream is open first, so that nothing is missed between it and the list */
}

static void call_send(struct guard *g, struct api_call *c)
{
	int r = link_call(g, &c->req, on_pipe, c);

	if (!is_endless(c))
		c->e->in_flight++;
	c->asked = r >= 0;
	if (r < 0)
		call_finish(c, r);
}

static void queue_run(struct guard *g, struct guard_engine *e)
{
	while (e->queue && e->in_flight < IN_FLIGHT) {
		struct api_call *c = e->queue;

		e->queue = c->next;
		if (!e->queue)
			e->queue_tail = &e->queue;
		call_send(g, c);
	}
}

/* The same question waits already: its answer will be as fresh. */
static bool queue_has(const struct guard_engine *e, enum api_request r, const char *id)
{
	for (const struct api_call *c = e->queue; c; c = c->next)
		if (c->req.arg == r && strcmp(c->req.id, id) == 0)
			return true;
	return false;
}

static void queue_add(struct guard *g, struct api_call *c)
{
	struct guard_engine *e = c->e;

	c->next = NULL;
	*e->queue_tail = c;
	e->queue_tail = &c->next;
	queue_run(g, e);
}

/* inspect, then the image's labels, then the table */

static bool inspect_again(struct guard_engine *e, const char *container_id, unsigned tries);

/* Without the image's labels none of the container's counts; those that were judged before stay as they were. */
static void on_image(struct api_call *c, int status)
{
	const struct pv_buf *body = http_answer_body(c->http);
	struct container_info info;
	bool known = status == 200;

	if (answer_inspect(c->inspect.data, c->inspect.len, known ? pv_buf_str(body) : NULL, known ? body->len : 0,
			   c->e->kind, &info) >= 0 &&
	    table_knows(c->g, info.id) && /* not one that was removed meanwhile: nobody would take it out again */
	    (known || status == 404 || !inspect_again(c->e, info.id, c->tries + 1)))
		table_info(c->g, &info, known ? LABELS_KNOWN : LABELS_NONE);
	call_free(c);
}

static void on_inspect(struct api_call *c, int status)
{
	const struct pv_buf *body = http_answer_body(c->http);
	struct container_info info;
	struct api_call *image = NULL;

	if (status == 200 && answer_inspect(pv_buf_str(body), body->len, NULL, 0, c->e->kind, &info) >= 0) {
		if (api_id_valid(API_ID_IMAGE, info.image_id))
			image = call_new(c->g, c->e, API_IMAGE, info.image_id, on_image);
		table_info(c->g, &info, image ? LABELS_COMING : LABELS_NONE); /* at once: the name is there */
		persist_container(c->g, &info);
		if (image) {
			image->tries = c->tries;
			pv_buf_add(&image->inspect, body->data, body->len);
			queue_add(c->g, image);
		}
	} else if (status != 404) {
		(void) inspect_again(c->e, c->req.id, c->tries + 1);
	}
	call_free(c);
}

/* dockerd answers about a container that it is starting only when that is done, on a busy machine later than the broker waits.
 * True: the question is on its way. */
static bool inspect_again(struct guard_engine *e, const char *container_id, unsigned tries)
{
	struct api_call *c;

	if (queue_has(e, API_INSPECT, container_id))
		return true;
	if (tries >= INSPECT_TRIES || !e->events)
		return false;
	c = call_new(e->g, e, API_INSPECT, container_id, on_inspect);
	if (!c)
		return false;
	c->tries = tries;
	queue_add(e->g, c);
	return true;
}

void engines_inspect(struct guard *g, enum engine_kind kind, const char *container_id)
{
	struct guard_engine *e = &g->engines[kind];
	struct api_call *c;

	if (!api_id_valid(API_ID_CONTAINER, container_id) || queue_has(e, API_INSPECT, container_id))
		return;
	c = call_new(g, e, API_INSPECT, container_id, on_inspect);
	if (c)
		queue_add(g, c);
}

/* networks */

static void answered_subnet(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	(void) g;
	(void) arg;
	(void) pv_close(fd);
	if (rep->result < 0 && rep->result != -EPIPE)
		(void) log_warning_errno(rep->result, "the broker refused one of the container networks");
}

static int tell_subnet(struct guard *g, const struct ip_prefix *p, bool add)
{
	struct broker_req req = { .op = BROKER_INTERNAL, .arg = add, .prefix = p->len };

	memcpy(req.addr, p->addr.b, 16);
	return link_call(g, &req, answered_subnet, NULL);
}

static uint64_t subnet_key(const struct ip_prefix *p)
{
	uint64_t hash = p->len;

	for (size_t i = 0; i < 16; i++)
		hash = (hash ^ p->addr.b[i]) * 0x100000001b3ULL;
	return hash;
}

static int on_subnet(const char *name, const struct ip_prefix *subnet, void *arg)
{
	struct api_call *c = arg;
	struct guard *g = c->g;
	uint64_t key = subnet_key(subnet);
	struct guard_subnet *kept = pv_map_get(&g->subnets, key);

	(void) name;
	if (!kept) {
		kept = calloc(1, sizeof(*kept));
		if (!kept || tell_subnet(g, subnet, true) < 0 || pv_map_put(&g->subnets, key, kept) < 0) {
			free(kept);
			return 0; /* again with the next list */
		}
		kept->prefix = *subnet;
	}
	kept->engines |= 1u << c->e->kind;
	kept->seen |= 1u << c->e->kind;
	return 0;
}

/* A network that was removed is no longer inside: its addresses may be anybody's. */
static void subnets_drop_unseen(struct guard *g, const struct guard_engine *e)
{
	const uint8_t bit = (uint8_t) (1u << e->kind);
	struct guard_subnet *s, *gone;

	do { /* the table must not change while it is walked */
		gone = NULL;
		for (size_t i = 0; !gone && (s = pv_map_next(&g->subnets, &i));)
			if (s->engines & bit && !(s->seen & bit))
				gone = s;
		if (!gone)
			break;
		gone->engines &= (uint8_t) ~bit;
		if (gone->engines)
			continue;
		(void) pv_map_take(&g->subnets, subnet_key(&gone->prefix));
		(void) tell_subnet(g, &gone->prefix, false);
		free(gone);
	} while (gone);
}

static void on_networks(struct api_call *c, int status)
{
	const struct pv_buf *body = http_answer_body(c->http);
	struct guard_subnet *s;

	if (status == 200) {
		for (size_t i = 0; (s = pv_map_next(&c->g->subnets, &i));)
			s->seen &= (uint8_t) ~(1u << c->e->kind);
		if (answer_networks(pv_buf_str(body), body->len, on_subnet, c) >= 0)
			subnets_drop_unseen(c->g, c->e);
	}
	call_free(c);
}

static void ask_networks(struct guard *g, struct guard_engine *e)
{
	struct api_call *c = queue_has(e, API_NETWORKS, "") ? NULL : call_new(g, e, API_NETWORKS, NULL, on_networks);

	if (c)
		queue_add(g, c);
}

/* list */

static int on_listed(const struct container_info *info, void *arg)
{
	struct api_call *c = arg;

	if (!info->running)
		return 0;
	if (!table_knows(c->g, info->id))
		table_info(c->g, info, LABELS_COMING);
	engines_inspect(c->g, c->e->kind, info->id);
	return 0;
}

/* After those that run: their exceptions are to hold when they start. */
static int on_listed_stopped(const struct container_info *info, void *arg)
{
	struct api_call *c = arg;

	if (!info->running && c->tries++ < STOPPED_ASKED)
		engines_inspect(c->g, c->e->kind, info->id);
	return 0;
}

static void on_list(struct api_call *c, int status)
{
	const struct pv_buf *body = http_answer_body(c->http);
	struct guard *g = c->g;
	struct guard_engine *e = c->e;
	int r;

	if (status == 200)
		table_forget_infos(g, e->kind); /* containers may have been removed while nobody told us */
	r = status == 200 ? answer_list(pv_buf_str(body), body->len, e->kind, on_listed, c) : -EBADMSG;
	if (r > 0)
		(void) answer_list(pv_buf_str(body), body->len, e->kind, on_listed_stopped, c);

	call_free(c);
	if (r < 0) {
		(void) log_warning_errno(status < 0 ? status : r, "%s: the list of containers could not be read",
					 engine_names[e->kind]);
		engine_lost(g, e);
		return;
	}
	e->state = ENGINE_CONNECTED;
	e->seen = true;
	e->retry_us = RETRY_FIRST_US;
	e->lost_since_us = 0;
	log_info("%s: connected, %d containers listed", engine_names[e->kind], r);
}

/* events */

/* `docker exec` and health checks: exec.c tells their shells from a server's. */
static void on_exec(struct guard *g, const struct engine_event *ev)
{
	struct guard_workload *w = table_container(g, ev->id);

	if (!w)
		return;
	if (strcmp(ev->action, "exec_start") == 0) {
		w->exec_us = clock_monotonic_us();
		w->execs++;
	} else if (strcmp(ev->action, "exec_die") == 0 && w->execs) {
		w->execs--;
	}
}

static void on_event(struct guard *g, struct guard_engine *e, const struct engine_event *ev)
{
	static const char *const again[] = { "create", "start", "restart", "rename", "update", "unpause", "connect",
					     "disconnect" };

	if (strcmp(ev->type, "network") == 0 && strcmp(ev->action, "disconnect") != 0)
		ask_networks(g, e);
	if (strcmp(ev->action, "destroy") == 0 || strcmp(ev->action, "remove") == 0) {
		table_removed(g, ev->id);
		guard_logs_container_removed(g, ev->id);
	}
	if (ev->who.name[0] && !table_knows(g, ev->id)) { /* before its first program, and although it may not live until it is asked for */
		struct container_info who = ev->who;

		who.engine = e->kind;
		table_info(g, &who, LABELS_COMING);
	}
	if (strncmp(ev->action, "exec_", 5) == 0)
		on_exec(g, ev);
	for (size_t i = 0; i < N_ELEMENTS(again); i++)
		if (strcmp(ev->action, again[i]) == 0)
			engines_inspect(g, e->kind, ev->id);
}

static void events_lines(struct api_call *c)
{
	pv_autobuf line = PV_BUF_INIT;
	struct engine_event ev;

	while (http_answer_take_line(c->http, &line)) {
		if (answer_event(pv_buf_str(&line), line.len, &ev) >= 0)
			on_event(c->g, c->e, &ev);
		pv_buf_clear(&line);
	}
}

static void on_events_end(struct api_call *c, int status)
{
	struct guard *g = c->g;
	struct guard_engine *e = c->e;
	bool absent = status == -ENOENT || status == -ECONNREFUSED;

	e->events = NULL;
	call_free(c);
	if (absent && !e->seen) {
		e->state = ENGINE_ABSENT;
		e->retry_us = RETRY_ABSENT_US;
	}
	engine_lost(g, e);
}

/* connection */

static void ask_all(struct guard *g, struct guard_engine *e)
{
	struct api_call *list = call_new(g, e, API_LIST, NULL, on_list);

	e->state = ENGINE_LISTING;
	e->seen = true;
	ask_networks(g, e);
	if (list)
		queue_add(g, list);
}

static void engine_connect(struct guard *g, struct guard_engine *e)
{
	if (e->events)
		return;
	e->events = call_new(g, e, API_EVENTS, NULL, on_events_end);
	if (e->events)
		call_send(g, e->events);
}

static int on_retry(sd_event_source *s, uint64_t usec, void *arg)
{
	struct guard_engine *e = arg;

	(void) s;
	(void) usec;
	engine_connect(e->g, e);
	return 0;
}

/* A container of this engine that nobody could name. */
static bool has_nameless(struct guard *g, enum engine_kind kind)
{
	struct guard_workload *w;

	for (size_t i = 0; (w = pv_map_next(&g->workloads, &i));)
		if (*w->w.id && !w->w.info && !w->w.rootless &&
		    (strstr(w->w.path, "libpod") != NULL) == (kind == ENGINE_PODMAN))
			return true;
	return false;
}

static void note_lost(struct guard *g, struct guard_engine *e)
{
	uint64_t now = clock_monotonic_us();
	struct notice n;

	if (!e->seen && !has_nameless(g, e->kind))
		return;
	if (!e->lost_since_us) {
		e->lost_since_us = now;
	} else if (e->lost_since_us != UINT64_MAX && now - e->lost_since_us > LOST_TELL_AFTER_US) {
		notice_init(&n, ID_GUARD_ENGINE, clock_wall_us());
		tell_engine(&n, engine_names[e->kind]);
		(void) notices_raise(g, &n);
		e->lost_since_us = UINT64_MAX; /* once, until it answers again */
	}
}

static void engine_lost(struct guard *g, struct guard_engine *e)
{
	if (e->state != ENGINE_ABSENT)
		e->state = ENGINE_LOST;
	note_lost(g, e);
	e->events = call_free(e->events);
	if (e->retry) {
		(void) sd_event_source_set_time_relative(e->retry, e->retry_us);
		(void) sd_event_source_set_enabled(e->retry, SD_EVENT_ONESHOT);
	}
	if (e->state != ENGINE_ABSENT)
		e->retry_us = PV_MIN(e->retry_us * 2, (uint64_t) RETRY_MAX_US);
}

/* The broker could connect to it again: no need to wait for the next try. */
void engines_there(struct guard *g, enum engine_kind kind)
{
	struct guard_engine *e = &g->engines[kind];

	if (e->events)
		return;
	e->retry_us = RETRY_FIRST_US;
	(void) sd_event_source_set_time_relative(e->retry, 0);
	(void) sd_event_source_set_enabled(e->retry, SD_EVENT_ONESHOT);
}

bool engines_answer(const struct guard *g, enum engine_kind kind)
{
	return kind < GUARD_ENGINES &&
	       (g->engines[kind].state == ENGINE_CONNECTED || g->engines[kind].state == ENGINE_LISTING);
}

/* acts */

static void on_act(struct api_call *c, int status)
{
	c->act(c->g, status, c->act_arg);
	call_free(c);
}

int engines_act(struct guard *g, const struct broker_req *req, engine_act_fn fn, void *arg)
{
	uint32_t kind = (uint32_t) req->arg2;
	struct api_call *c;

	if (kind >= GUARD_ENGINES || req->arg >= API_N_REQUESTS)
		return -EINVAL;
	c = call_new(g, &g->engines[kind], (enum api_request) req->arg, req->id, on_act);
	if (!c)
		return -ENOMEM;
	c->req = *req;
	c->act = fn;
	c->act_arg = arg;
	call_send(g, c); /* ahead of the queue: an act does not wait for inspections */
	return 0;
}

static void on_text(struct api_call *c, int status)
{
	const struct pv_buf *body = http_answer_body(c->http);

	c->text(c->g, status == 200 ? pv_buf_str(body) : NULL, status == 200 ? body->len : 0, c->act_arg);
	call_free(c);
}

int engines_logs(struct guard *g, enum engine_kind kind, const char *container_id, engine_text_fn fn, void *arg)
{
	struct api_call *c = kind < GUARD_ENGINES && engines_answer(g, kind) && api_id_valid(API_ID_CONTAINER, container_id) ?
				     call_new(g, &g->engines[kind], API_LOGS, container_id, on_text) : NULL;

	if (!c)
		return -ENOENT;
	c->text = fn;
	c->act_arg = arg;
	call_send(g, c);
	return 0;
}

/* False: whoever took the piece has ended the call. */
static bool stream_piece(struct api_call *c)
{
	const struct pv_buf *body = http_answer_body(c->http);

	if (!body->len)
		return true;
	c->busy = true;
	c->stream(c->g, body->data, body->len, 0, c->act_arg);
	c->busy = false;
	if (c->cancelled) {
		call_free(c);
		return false;
	}
	http_answer_take_all(c->http);
	return true;
}

static void on_stream_end(struct api_call *c, int status)
{
	const struct pv_buf *body = http_answer_body(c->http);

	c->stream(c->g, pv_buf_str(body), body->len, status ? status : -EPIPE, c->act_arg);
	call_free(c);
}

/* Sent from the loop: `fn` is never called before this has returned. */
static int on_follow(sd_event_source *s, uint64_t usec, void *arg)
{
	struct api_call *c = arg;

	(void) s;
	(void) usec;
	c->source = sd_event_source_disable_unref(c->source);
	call_send(c->g, c);
	return 0;
}

struct api_call *engines_follow(struct guard *g, enum engine_kind kind, const char *container_id, uint32_t since, engine_stream_fn fn, void *arg)
{
	struct api_call *c = kind < GUARD_ENGINES && engines_answer(g, kind) && api_id_valid(API_ID_CONTAINER, container_id) ?
				     call_new(g, &g->engines[kind], API_FOLLOW, container_id, on_stream_end) : NULL;

	if (!c)
		return NULL;
	c->req.arg2 |= (uint64_t) since << 32;
	c->stream = fn;
	c->act_arg = arg;
	if (sd_event_add_time_relative(g->loop, &c->source, CLOCK_MONOTONIC, 0, 0, on_follow, c) < 0)
		return call_free(c);
	return c;
}

void engines_follow_hold(struct api_call *c, bool hold)
{
	if (c->fd >= 0)
		(void) sd_event_source_set_enabled(c->source, hold ? SD_EVENT_OFF : SD_EVENT_ON);
}

void engines_unfollow(struct api_call *c)
{
	(void) call_free(c);
}

int engines_start(struct guard *g)
{
	int r;

	for (int i = 0; i < GUARD_ENGINES; i++) {
		struct guard_engine *e = &g->engines[i];

		*e = (struct guard_engine){ .g = g, .kind = (enum engine_kind) i, .retry_us = RETRY_FIRST_US };
		e->queue_tail = &e->queue;
		r = sd_event_add_time_relative(g->loop, &e->retry, CLOCK_MONOTONIC, 0, 0, on_retry, e);
		if (r < 0)
			return r;
		(void) sd_event_source_set_description(e->retry, engine_names[i]);
	}
	return 0;
}

void engines_stop(struct guard *g)
{
	void *subnet;

	for (int i = 0; i < GUARD_ENGINES; i++) {
		struct guard_engine *e = &g->engines[i];

		e->retry = sd_event_source_disable_unref(e->retry);
		e->events = call_free(e->events);
		while (e->queue) {
			struct api_call *c = e->queue;

			e->queue = c->next;
			call_free(c);
		}
	}
	for (size_t i = 0; (subnet = pv_map_next(&g->subnets, &i));)
		free(subnet);
	pv_map_done(&g->subnets);
}
