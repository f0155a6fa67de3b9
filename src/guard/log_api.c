/* Containers whose log lies in no file that is to be had: another data root, Podman's k8s-file, a remote driver of whose lines
 * Docker keeps a copy. The engine's API tells their lines (engine_api/log_stream.h); it is asked again where its answer ends, and
 * the place is kept like those of files. What it tells stays with it for the container's life: a place in one is none in the
 * other. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine_api/log_stream.h"
#include "guard/logs.h"

#define STREAMS_MAX 32
#define PAUSE_US    (1 * USEC_PER_SEC)
#define PAUSE_MAX   (60 * USEC_PER_SEC)

struct log_api {
	enum engine_kind engine;
	struct api_call *call; /* NULL: it is not being followed */
	struct log_stream *stream;
	struct log_place_in place;
	uint64_t next_us, pause_us;
	bool over;	  /* read to its end since the container ended */
	bool unsupported; /* the engine keeps nothing of what this driver sends away */
	bool waits;	  /* others have all the streams */
	bool told;
};

/* `none` is a choice; the journal's are found by their records. */
static bool is_readable(const struct container_info *info)
{
	static const char *const no[] = { "", "none", "journald", "passthrough", "passthrough-tty" };

	for (size_t i = 0; i < N_ELEMENTS(no); i++)
		if (strcmp(info->log_driver, no[i]) == 0)
			return false;
	return true;
}

bool log_api_kept(struct guard_logs *l, const char *key)
{
	pv_autobuf text = PV_BUF_INIT;
	struct log_place_in place;

	return store_kv_get(l->g->store, key, &text) == 0 && log_place_restore(&place, pv_buf_str(&text)) == 0;
}

/* Where nothing is kept: what came since logs were last read, or from now on where a file was read up to now. */
static void recall(struct guard_logs *l, struct log_src *s)
{
	pv_autobuf text = PV_BUF_INIT;

	if (!log_src_position(l, s, &text)) {
		log_place_begin(&s->api->place, l->since_us / USEC_PER_SEC * USEC_PER_SEC * 1000); /* Podman's times are whole seconds */
		log_src_save(l, s);
	} else if (log_place_restore(&s->api->place, pv_buf_str(&text)) < 0) {
		log_place_begin(&s->api->place, clock_wall_us() * 1000);
		log_src_save(l, s);
	}
}

struct log_src *log_api_container(struct guard_logs *l, const struct container_info *info)
{
	struct log_src *s = is_readable(info) ? log_src_container(l, info, false) : NULL;

	if (!s)
		return NULL;
	s->api = calloc(1, sizeof(*s->api));
	if (!s->api) {
		log_src_drop(l, s);
		return NULL;
	}
	s->api->engine = info->engine;
	s->api->pause_us = PAUSE_US;
	recall(l, s);
	log_api_second(l, s, clock_monotonic_us());
	return s;
}

static void stop(struct log_api *a)
{
	engines_unfollow(a->call);
	a->call = NULL;
	a->stream = log_stream_free(a->stream);
}

void log_api_done(struct log_src *s)
{
	if (s->api)
		stop(s->api);
	free(s->api);
	s->api = NULL;
}

void log_api_save(const struct log_src *s, struct pv_buf *out)
{
	log_place_save(&s->api->place, out);
}

/* --- lines --- */

static int on_line(const struct log_stream_line *line, void *arg)
{
	struct log_src *s = arg;
	struct log_record r = { .text = line->text, .len = line->len, .time_us = line->ns / 1000 };

	if (!log_place_take(&s->api->place, line))
		return 0;
	s->dirty = true;
	r.line = ++s->lines;
	return logs_record(s->reader, &r, log_src_event, s);
}

/* Asked again after a pause, which grows while nothing comes of it. */
static void again_later(struct log_api *a)
{
	stop(a);
	a->next_us = clock_monotonic_us() + a->pause_us;
	a->pause_us = PV_MIN(a->pause_us * 2, (uint64_t) PAUSE_MAX);
}

/* As a turn of a file: what the lines led to and the place behind them are one transaction. */
static void on_piece(struct log_src *s, const char *data, size_t len)
{
	struct guard_logs *l = s->g->logs;
	bool batch = store_batch_begin(l->g->store) == 0;
	int r;

	l->turn_counted = false;
	s->allowance -= (int64_t) len;
	s->api->pause_us = PAUSE_US;
	r = log_stream_feed(s->api->stream, data, len, on_line, s);
	if (s->dirty) {
		log_silent_seen(&s->silent, clock_wall_us());
		if (l->turn_counted || !s->marked)
			log_src_save(l, s);
	}
	if (batch && notices_batch_end(l->g) < 0)
		s->dirty = true;
	if (r < 0) {
		(void) log_warning_errno(r, "%s: what the engine sends of it cannot be read; trying again", s->name);
		again_later(s->api);
	} else if (s->allowance <= 0) {
		engines_follow_hold(s->api->call, true);
	}
}

/* 501 and these words: Docker (daemon/logger.ErrReadLogsNotSupported); older ones answer with 500. */
static bool says_unsupported(int status, const char *body, size_t len)
{
	static const char words[] = "does not support reading";

	return status == 501 || (status >= 400 && body && memmem(body, len, words, strlen(words)));
}

static void on_end(struct log_src *s, int status, const char *body, size_t len)
{
	struct log_api *a = s->api;

	a->call = NULL; /* it is over, and its owner frees it */
	a->unsupported = says_unsupported(status, body, len);
	a->over = s->ended_us && (status == 200 || status == 404);
	if (status != 200 && status != 404 && status != -EPIPE && !a->told && !a->unsupported) {
		a->told = true;
		log_warning("%s: the engine does not tell its log (%d); asked again", s->name, status);
	}
	again_later(a);
}

static void on_stream(struct guard *g, const char *data, size_t len, int end, void *arg)
{
	(void) g;
	if (end)
		on_end(arg, end, data, len);
	else
		on_piece(arg, data, len);
}

/* --- once a second --- */

static bool is_room(const struct guard_logs *l)
{
	size_t n = 0;

	for (const struct log_src *s = l->all; s; s = s->next)
		n += s->api && s->api->call;
	return n < STREAMS_MAX;
}

static void start(struct guard_logs *l, struct log_src *s)
{
	struct log_api *a = s->api;

	a->waits = !is_room(l);
	if (a->waits || log_stream_new(&a->stream) < 0)
		return;
	log_place_again(&a->place);
	a->call = engines_follow(l->g, a->engine, s->id, log_place_since(&a->place), on_stream, s);
	if (!a->call)
		again_later(a);
}

void log_api_second(struct guard_logs *l, struct log_src *s, uint64_t now)
{
	struct log_api *a = s->api;

	if (!s->ended_us)
		a->over = false;
	if (a->call)
		engines_follow_hold(a->call, s->allowance <= 0);
	else if (!a->over && !a->unsupported && now >= a->next_us && engines_answer(l->g, a->engine))
		start(l, s);
}

enum log_api_state log_api_state(const struct log_src *s)
{
	return !s->api		     ? LOG_API_NONE
	       : s->api->call	     ? LOG_API_OPEN
	       : s->api->unsupported ? LOG_API_UNSUPPORTED
	       : s->api->waits	     ? LOG_API_WAITS
				     : LOG_API_CLOSED;
}
