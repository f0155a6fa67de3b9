#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/guard.h"

#define EVENTS_MAX   1000
#define BANS_SHOWN   1000
#define UNSENT_MAX   (4u << 20) /* a client that does not read is dropped */
#define FOLLOW_UNSENT_MAX (256u << 10) /* beside the history it asked for */
#define COMPACT_AT   (64u << 10)
#define IDLE_US	     (60 * USEC_PER_SEC) /* then its place may go to another */

struct client {
	struct guard *g;
	int fd;
	uid_t uid;
	sd_event_source *source;
	struct pv_buf in, out;
	size_t sent, unsent_max;
	uint64_t asked_us; /* its last request, monotonic */
	bool follow, closing, waits_reload;
	char follow_id[48];
	char follow_subject[160];
	unsigned pending; /* an undo that is still under way holds a pointer */
	bool dead;
	uint64_t off_until_ns, off_for_us; /* asked for, in force once the broker answered */
};

struct control {
	sd_event_source *source;
	struct client *clients[CONTROL_CLIENTS];
};

static const struct control_verb verbs[] = { CONTROL_VERBS };

static void client_drop(struct client *c)
{
	struct control *ctl = c->g->control;

	for (size_t i = 0; ctl && i < CONTROL_CLIENTS; i++)
		if (ctl->clients[i] == c)
			ctl->clients[i] = NULL;
	c->source = sd_event_source_disable_unref(c->source);
	c->fd = pv_close(c->fd);
	c->dead = true;
	if (c->pending)
		return;
	pv_buf_done(&c->in);
	pv_buf_done(&c->out);
	free(c);
}

/* It still waits for an answer that comes later. */
static bool client_waits(const struct client *c)
{
	return c->pending || c->waits_reload;
}

/* Answers that come from outside a client's own request are sent from the loop: whoever gives them may be called inside
 * that request, and must not see the client go. */
static void client_wake(struct client *c)
{
	(void) sd_event_source_set_io_events(c->source, (c->closing ? 0 : EPOLLIN) | EPOLLOUT);
}

static void client_sent(struct client *c)
{
	if (c->sent < c->out.len && c->sent < COMPACT_AT)
		return;
	c->out.len -= c->sent;
	if (c->out.len)
		memmove(c->out.data, c->out.data + c->sent, c->out.len);
	else
		pv_buf_clear(&c->out);
	c->sent = 0;
}

/* False when the client is gone. */
static bool client_flush(struct client *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			client_drop(c);
			return false;
		}
		c->sent += (size_t) n;
	}
	if (c->out.cut || c->out.len - c->sent > c->unsent_max || (c->closing && c->sent == c->out.len && !client_waits(c))) {
		client_drop(c);
		return false;
	}
	client_sent(c);
	if (c->follow && !c->out.len)
		c->unsent_max = FOLLOW_UNSENT_MAX;
	/* the end that was read already would be told again and again */
	(void) sd_event_source_set_io_events(c->source, (c->closing ? 0 : EPOLLIN) | (c->out.len ? EPOLLOUT : 0));
	return true;
}

void control_error(struct pv_buf *out, const char *error, const char *next)
{
	pv_buf_puts(out, "{\"ok\":false,\"error\":");
	pv_buf_json_str(out, error);
	pv_buf_puts(out, ",\"next\":");
	pv_buf_json_str(out, next);
	pv_buf_puts(out, "}\n");
}

void control_text(struct pv_buf *out, const char *text)
{
	pv_buf_puts(out, "{\"ok\":true,\"text\":");
	pv_buf_json_str(out, text);
	pv_buf_puts(out, "}\n");
}

static uint64_t get_u64(const cJSON *o, const char *key, uint64_t otherwise)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	if (!cJSON_IsNumber(v) || v->valuedouble < 0 || v->valuedouble > 9e15)
		return otherwise;
	return (uint64_t) v->valuedouble;
}

static const char *get_str(const cJSON *o, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsString(v) ? v->valuestring : NULL;
}

/* events */

static int on_notice_row(const struct notice *n, void *arg)
{
	struct client *c = arg;

	notice_json(&c->out, n);
	pv_buf_putc(&c->out, '\n');
	return c->out.cut;
}

/* The newest `max` are wanted, told oldest first. */
struct newest {
	struct pv_buf text; /* of one, to know how long it is */
	size_t bytes;
	uint64_t first_row;
};

/* Evidence is strangers' text and may be long: no more than an answer can hold. */
static int on_newest(const struct notice *n, void *arg)
{
	struct newest *newest = arg;

	pv_buf_clear(&newest->text);
	notice_json(&newest->text, n);
	newest->bytes += newest->text.len + 1;
	if (newest->bytes > UNSENT_MAX - COMPACT_AT)
		return 1;
	newest->first_row = n->row;
	return 0;
}

static void verb_events(struct client *c, const cJSON *o)
{
	struct store *s = c->g->store;
	const char *id = get_str(o, "id"), *subject = get_str(o, "subject");
	struct store_query q = {
		.before_row = get_u64(o, "before", 0),
		.after_row = get_u64(o, "after", 0),
		.since_us = get_u64(o, "since_us", 0),
		.max = PV_MIN(get_u64(o, "max", 50), (uint64_t) EVENTS_MAX),
		.id_prefix = id,
		.subject = subject,
	};
	struct newest newest = { .bytes = c->out.len - c->sent };

	if (q.max) {
		(void) store_notices(s, &q, on_newest, &newest);
		pv_buf_done(&newest.text);
		q.oldest_first = true;
		if (newest.first_row)
			q.after_row = newest.first_row - 1;
		(void) store_notices(s, &q, on_notice_row, c);
	}
	if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "follow"))) {
		pv_buf_puts(&c->out, "{\"ok\":true}\n");
		return;
	}
	c->follow = true;
	c->unsent_max = c->out.len + FOLLOW_UNSENT_MAX;
	(void) snprintf(c->follow_id, sizeof(c->follow_id), "%s", id ? id : "");
	(void) snprintf(c->follow_subject, sizeof(c->follow_subject), "%s", subject ? subject : "");
}

static void verb_event(struct client *c, const cJSON *o)
{
	struct notice n;

	if (store_notice(c->g->store, get_u64(o, "row", 0), &n) < 0) {
		control_error(&c->out, "there is no event of that number", "pavise events");
		return;
	}
	(void) on_notice_row(&n, c);
	pv_buf_puts(&c->out, "{\"ok\":true}\n");
}

void control_follow(struct guard *g, const struct notice *n)
{
	struct client *c;

	for (size_t i = 0; g->control && i < CONTROL_CLIENTS; i++) {
		c = g->control->clients[i];
		if (!c || !c->follow)
			continue;
		if (*c->follow_id && strncmp(id_info(n->id)->name, c->follow_id, strlen(c->follow_id)) != 0)
			continue;
		if (*c->follow_subject && strcmp(n->subject, c->follow_subject) != 0)
			continue;
		(void) on_notice_row(n, c);
		client_wake(c);
	}
}

/* acts */

static void verb_acts(struct client *c, const cJSON *o)
{
	(void) o;
	acts_json(c->g->store, &c->out);
}

/* What was asked of the broker came to an end. */
static void on_done(struct guard *g, bool ok, const char *text, const char *next, void *arg)
{
	struct client *c = arg;

	(void) g;
	c->pending--;
	if (c->dead) {
		client_drop(c);
		return;
	}
	if (ok)
		control_text(&c->out, text);
	else
		control_error(&c->out, text, next);
	client_wake(c);
}

static void on_undone(struct guard *g, bool ok, const char *text, void *arg)
{
	on_done(g, ok, text, "pavise undo", arg);
}

static void verb_undo(struct client *c, const cJSON *o)
{
	int r;

	c->pending++;
	r = acts_undo(c->g, get_u64(o, "row", 0), on_undone, c);
	if (r >= 0)
		return;
	c->pending--;
	control_error(&c->out, acts_undo_why(r), "pavise undo");
}

/* off, on */

static void tell_off(struct client *c)
{
	pv_autobuf span = PV_BUF_INIT;
	struct notice n;

	notice_init(&n, ID_GUARD_OFF, clock_wall_us());
	if (c->off_for_us) {
		clock_duration(&span, c->off_for_us);
		notice_set_what(&n, "every block, kill and ban is lifted for %s, by user id %u", pv_buf_str(&span), c->uid);
	} else {
		notice_set_what(&n, "every block, kill and ban is lifted until `pavise on`, by user id %u", c->uid);
	}
	notice_set_next(&n, "pavise on");
	(void) notices_raise(c->g, &n);
}

/* Told only once it is so. */
static void on_off_answer(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct client *c = arg;

	(void) pv_close(fd);
	c->pending--;
	if (rep->result >= 0) {
		g->off_until_ns = c->off_until_ns;
		if (c->off_until_ns)
			tell_off(c);
	}
	if (c->dead) {
		client_drop(c);
		return;
	}
	if (rep->result < 0)
		control_error(&c->out, "the broker could not switch the blocks", "pavise doctor");
	else
		control_text(&c->out, g->off_until_ns ? "blocks, kills and bans are lifted" : "blocks, kills and bans are in force");
	client_wake(c);
}

static void ask_off(struct client *c, uint64_t until_ns, uint64_t for_us)
{
	struct broker_req req = { .op = BROKER_OFF, .arg = until_ns };

	c->pending++;
	c->off_until_ns = until_ns;
	c->off_for_us = for_us;
	if (link_call(c->g, &req, on_off_answer, c) < 0) {
		c->pending--;
		control_error(&c->out, "the broker is busy", "pavise off");
	}
}

static void verb_off(struct client *c, const cJSON *o)
{
	uint64_t for_us = get_u64(o, "for_us", 0);

	ask_off(c, for_us ? (clock_monotonic_us() + for_us) * 1000 : UINT64_MAX, for_us);
}

static void verb_on(struct client *c, const cJSON *o)
{
	(void) o;
	ask_off(c, 0, 0);
}

static void verb_reload(struct client *c, const cJSON *o)
{
	(void) o;
	if (guard_ask_launcher(LAUNCH_WANT_RELOAD) < 0) {
		control_error(&c->out, "the launcher does not answer", "systemctl restart pavise");
		return;
	}
	c->waits_reload = true;
}

void control_reloaded(struct guard *g, bool ok, const char *text)
{
	for (size_t i = 0; g->control && i < CONTROL_CLIENTS; i++) {
		struct client *c = g->control->clients[i];

		if (!c || !c->waits_reload)
			continue;
		c->waits_reload = false;
		if (ok)
			control_text(&c->out, text);
		else
			control_error(&c->out, text, "pavise config check");
		client_wake(c);
	}
}

static void verb_status(struct client *c, const cJSON *o)
{
	(void) o;
	status_json(c->g, &c->out);
	pv_buf_putc(&c->out, '\n');
}

static void verb_top(struct client *c, const cJSON *o)
{
	(void) o;
	top_json(c->g, &c->out);
	pv_buf_putc(&c->out, '\n');
}

/* bans */

static void verb_bans(struct client *c, const cJSON *o)
{
	bans_json(c->g, get_str(o, "address"), PV_MIN(get_u64(o, "max", 100), (uint64_t) BANS_SHOWN), &c->out);
}

static void verb_ban(struct client *c, const cJSON *o)
{
	const char *address = get_str(o, "address"), *reason = get_str(o, "reason"), *by = get_str(o, "by");
	char who[64];

	(void) snprintf(who, sizeof(who), "%suser id %u", by && strcmp(by, "fail2ban") == 0 ? "fail2ban, imported by " : "", c->uid);
	c->pending++;
	bans_ask_ban(c->g, address ? address : "", PV_MIN(get_u64(o, "for_us", 0), BROKER_BAN_LONGEST * USEC_PER_SEC), reason ? reason : "", who,
		     on_done, c);
}

static void verb_unban(struct client *c, const cJSON *o)
{
	const char *address = get_str(o, "address");

	c->pending++;
	bans_ask_unban(c->g, address ? address : "", on_done, c);
}

/* In the order of CONTROL_VERBS. */
static void (*const handlers[])(struct client *, const cJSON *) = {
	verb_status, verb_top, verb_events, verb_event, verb_acts, verb_undo, verb_off, verb_on, verb_reload,
	verb_bans, verb_ban, verb_unban,
};
_Static_assert(N_ELEMENTS(handlers) == N_ELEMENTS(verbs), "a verb of model/control.h has no handler");

/* Whoever may connect (root, pavise-admin: the socket's mode) may act; who did stands in the log. */
static void client_line(struct client *c, const char *line, size_t len)
{
	cJSON *o = cJSON_ParseWithLength(line, len);
	const char *verb = o ? get_str(o, "verb") : NULL;

	for (size_t i = 0; verb && i < N_ELEMENTS(verbs); i++) {
		if (strcmp(verb, verbs[i].name) != 0)
			continue;
		if (verbs[i].class_ == CONTROL_ACT)
			log_info("%s, asked for by user id %u", verb, c->uid);
		c->asked_us = clock_monotonic_us();
		handlers[i](c, o);
		cJSON_Delete(o);
		return;
	}
	cJSON_Delete(o);
	control_error(&c->out, verb ? "unknown verb" : "not a JSON object with a verb", "pavise --help");
}

static int on_client(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct client *c = arg;
	char buf[4096];
	ssize_t n;
	char *nl;

	(void) s;
	if (revents & (EPOLLHUP | EPOLLERR) && !(revents & EPOLLIN)) {
		client_drop(c);
		return 0;
	}
	if (revents & EPOLLIN) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			c->closing = true; /* it may have closed one direction only, and wait */
			if (c->follow || n < 0) {
				client_drop(c);
				return 0;
			}
		} else if (n > 0) {
			pv_buf_add(&c->in, buf, (size_t) n);
		}
	}
	while (!c->in.cut && c->in.len && (nl = memchr(c->in.data, '\n', c->in.len))) {
		size_t len = (size_t) (nl - c->in.data);

		client_line(c, c->in.data, len);
		c->in.len -= len + 1;
		memmove(c->in.data, nl + 1, c->in.len);
	}
	if (c->in.cut && !c->closing) {
		control_error(&c->out, "the line is longer than 16 KiB", "pavise --help");
		c->closing = true;
	}
	(void) client_flush(c);
	return 0;
}

/* A free place; with all of them taken that of the one that asked nothing for longest. CONTROL_CLIENTS: none. */
static size_t place_for_client(struct guard *g)
{
	uint64_t now = clock_monotonic_us(), before = now > IDLE_US ? now - IDLE_US : 0;
	size_t place = CONTROL_CLIENTS;

	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		const struct client *c = g->control->clients[i];

		if (!c)
			return i;
		if (!c->follow && !client_waits(c) && c->asked_us < before) {
			before = c->asked_us;
			place = i;
		}
	}
	if (place < CONTROL_CLIENTS)
		client_drop(g->control->clients[place]);
	return place;
}

static struct client *client_new(struct guard *g, int sock)
{
	struct ucred cred = { .uid = (uid_t) -1 };
	socklen_t len = sizeof(cred);
	struct client *c;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	*c = (struct client){ .g = g, .fd = sock, .uid = cred.uid, .in.cap = CONTROL_LINE, .out.cap = 2 * UNSENT_MAX,
			      .unsent_max = UNSENT_MAX, .asked_us = clock_monotonic_us() };
	if (sd_event_add_io(g->loop, &c->source, sock, EPOLLIN, on_client, c) >= 0)
		return c;
	free(c);
	return NULL;
}

static int on_connect(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	static const char full[] = "{\"ok\":false,\"error\":\"16 clients are connected already\",\"next\":\"pavise status\"}\n";
	struct guard *g = arg;
	int sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c = NULL;
	size_t place;

	(void) s;
	(void) revents;
	if (sock < 0)
		return 0;
	place = place_for_client(g);
	if (place < CONTROL_CLIENTS)
		c = client_new(g, sock);
	else
		(void) send(sock, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (c)
		g->control->clients[place] = c;
	else
		(void) pv_close(sock);
	return 0;
}
_Static_assert(CONTROL_CLIENTS == 16, "what a client too many is told");

int control_start(struct guard *g, int listen_fd)
{
	int r;

	g->control = calloc(1, sizeof(*g->control));
	if (!g->control)
		return -ENOMEM;
	r = sd_event_add_io(g->loop, &g->control->source, listen_fd, EPOLLIN, on_connect, g);
	if (r < 0)
		return r;
	(void) sd_event_source_set_description(g->control->source, "control");
	return 0;
}

void control_stop(struct guard *g)
{
	if (!g->control)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (g->control->clients[i])
			client_drop(g->control->clients[i]);
	g->control->source = sd_event_source_disable_unref(g->control->source);
	free(g->control);
	g->control = NULL;
}
