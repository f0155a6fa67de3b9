#include "guard/logs.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mask.h"
#include "base/text.h"
#include "report/tell.h"

#define SINCE_KEY     "logs.since"
#define POLL_SECONDS  5	 /* for what inotify does not tell (network file systems, a queue that overflowed) */
#define LIST_SECONDS  60 /* places that did not exist, or whose folder could not be watched */
#define TIDY_SECONDS  10
#define STALE_SECONDS 900 /* positions that nobody claimed until then belong to what is gone */
#define RULES_SECONDS 120 /* rules that did not come until then do not come */
#define ENDED_US      (60 * USEC_PER_SEC)
#define TURN_SMALL    (LOG_LINE_MAX + TAIL_BLOCK + 8192) /* bytes of a turn when others wait */
#define TURN_RECORDS  256
#define LINE_SHOWN    180

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return h;
}

/* --- what a line said --- */

static void subject(const struct guard_logs *l, const struct log_src *s, struct notice *n)
{
	struct guard_workload *w = s->kind == SRC_CONTAINER ? table_container(l->g, s->id) : NULL;
	const char *colon = strchr(s->name, ':');

	if (w) {
		notices_subject(n, w);
		return;
	}
	n->kind = s->kind == SRC_CONTAINER ? SUBJECT_CONTAINER : s->kind == SRC_JOURNAL && s->unit[0] ? SUBJECT_UNIT : SUBJECT_LOG;
	(void) text_copy(n->subject, sizeof(n->subject), s->kind == SRC_JOURNAL && s->unit[0] ? s->unit : colon ? colon + 1 : s->name);
}

/* Evidence is stored and sent: secrets in it are masked, as logs_shown() does it. */
static void finding(struct guard_logs *l, struct log_src *s, const struct log_event *e)
{
	pv_autobuf line = PV_BUF_INIT, address = PV_BUF_INIT;
	struct notice n;
	uint64_t key;

	notice_init(&n, e->id, PV_MIN(e->time_us, clock_wall_us()));
	n.severity = e->severity;
	subject(l, s, &n);
	logs_shown(s->reader, e->text, e->text_len, LINE_SHOWN, &line);
	if (e->has_address)
		ip_format(&address, &e->address);
	tell_log(&n, pv_buf_str(&line), e->rule, s->name, pv_buf_str(&address));
	key = mix(mix(e->id, s->key, strlen(s->key)), e->rule, strlen(e->rule));
	key = mix(mix(key, n.subject, strlen(n.subject)), &e->attempt, sizeof(e->attempt)); /* of an error: its template */
	notices_fold(l->g, key, &n);
}

int log_src_event(const struct log_event *e, void *arg)
{
	struct log_src *s = arg;
	struct guard_logs *l = s->g->logs;

	l->turn_counted = true;
	s->events++;
	if (e->strength != LOG_NO_LOGIN)
		bans_event(s->g, e, s->reader);
	else
		finding(l, s, e);
	return 0;
}

/* --- sources --- */

struct log_src *log_src_new(struct guard_logs *l, enum log_src_kind kind, enum log_kind as, const char *name, const char *key,
			    const char *service, const char *image, bool docker_json)
{
	const struct policy *p = l->g->policy;
	struct log_src *s = calloc(1, sizeof(*s));
	struct log_source source;

	if (!s)
		return NULL;
	*s = (struct log_src){ .g = l->g, .kind = kind, .allowance = 4 * (int64_t) LOG_RATE,
			       .pending = { { .cap = LOG_LINE_MAX }, { .cap = LOG_LINE_MAX } } };
	follow_init(&s->follow, &tail_lines, true);
	s->name = strdup(name);
	s->key = strdup(key);
	(void) text_copy(s->image, sizeof(s->image), image ? image : "");
	(void) text_copy(s->service, sizeof(s->service), service ? service : "");
	source = (struct log_source){ .kind = as, .name = s->name, .service = service ? s->service : NULL, .image = image ? s->image : NULL,
				      .docker_json = docker_json, .proxies = p->proxies, .n_proxies = p->n_proxies, .ban = l->ban,
				      .n_ban = p->logs.n_ban, .login_paths = l->login_paths, .n_login_paths = p->login.n_paths };
	if (!s->name || !s->key || logs_reader_new(l->rules, &source, &s->reader) < 0) {
		log_src_drop(l, s);
		return NULL;
	}
	s->next = l->all;
	l->all = s;
	return s;
}

const char *log_src_service(const struct guard_logs *l, const struct container_info *info)
{
	if (info->log_service[0] && logs_has_service(l->rules, info->log_service))
		return info->log_service;
	return logs_service_of_image(l->rules, info->image);
}

void log_src_container_key(char *out, size_t size, const char *id)
{
	(void) snprintf(out, size, LOG_KEY "container:%.64s", id);
}

struct log_src *log_src_container(struct guard_logs *l, const struct container_info *info, bool docker_json)
{
	struct workload w = { .info = (struct container_info *) (uintptr_t) info };
	char name[200] = "container:", key[80];
	struct log_src *s;

	(void) text_copy(w.id, sizeof(w.id), info->id);
	workload_name(name + strlen(name), sizeof(name) - strlen(name), &w);
	log_src_container_key(key, sizeof(key), info->id);
	s = log_src_new(l, SRC_CONTAINER, LOG_CONTAINER, name, key, log_src_service(l, info), info->image, docker_json);
	if (s)
		(void) text_copy(s->id, sizeof(s->id), info->id);
	return s;
}

static void unlink_from(struct log_src **list, struct log_src *s, bool ready)
{
	while (*list && *list != s)
		list = ready ? &(*list)->next_ready : &(*list)->next;
	if (*list)
		*list = ready ? s->next_ready : s->next;
}

/* All that lead to it, also those of files that gave way to newer ones. */
static void forget_watches(struct guard_logs *l, const struct log_src *s)
{
	const struct log_src *t;
	uint64_t keys[32];
	size_t n;

	do { /* the table must not change while it is walked */
		n = 0;
		for (size_t i = 0; i < l->watches.size && n < N_ELEMENTS(keys);) {
			t = pv_map_next(&l->watches, &i);
			if (t == s)
				keys[n++] = l->watches.slots[i - 1].key;
		}
		for (size_t k = 0; k < n; k++)
			log_watch_unwatch((int) (keys[k] - 1), l);
	} while (n == N_ELEMENTS(keys));
}

static void position_drop(struct guard_logs *l, const char *id)
{
	char key[80];

	log_src_container_key(key, sizeof(key), id);
	(void) store_kv_drop(l->g->store, key);
}

void log_src_drop(struct guard_logs *l, struct log_src *s)
{
	if (s->removed)
		position_drop(l, s->id);
	unlink_from(&l->all, s, false);
	unlink_from(&l->ready, s, true);
	l->ready_tail = &l->ready;
	while (*l->ready_tail)
		l->ready_tail = &(*l->ready_tail)->next_ready;
	s->queued = false;
	forget_watches(l, s);
	follow_done(&s->follow);
	log_api_done(s);
	s->reader = logs_reader_free(s->reader);
	for (size_t i = 0; i < N_ELEMENTS(s->pending); i++)
		pv_buf_done(&s->pending[i]);
	s->dead = true;
	if (s->asking && !l->ending) /* its answer frees it */
		return;
	free(s->name);
	free(s->key);
	free(s);
}

void log_src_ready(struct guard_logs *l, struct log_src *s)
{
	if (s->queued || s->dead)
		return;
	s->queued = true;
	s->next_ready = NULL;
	*l->ready_tail = s;
	l->ready_tail = &s->next_ready;
	(void) sd_event_source_set_enabled(l->turn, SD_EVENT_ON);
}

/* --- positions --- */

bool log_src_position(struct guard_logs *l, const struct log_src *s, struct pv_buf *out)
{
	return store_kv_get(l->g->store, s->key, out) == 0;
}

void log_src_save(struct guard_logs *l, struct log_src *s)
{
	pv_autobuf text = PV_BUF_INIT;
	int r;

	s->dirty = false;
	s->marked = true;
	if (s->kind == SRC_JOURNAL && journal_cursor(l->journal))
		pv_buf_puts(&text, journal_cursor(l->journal));
	else if (s->api)
		log_api_save(s, &text);
	else if (s->kind == SRC_FILE || (s->kind == SRC_CONTAINER && !s->by_journal))
		follow_save(&s->follow, &text);
	else
		return;
	r = store_kv_set(l->g->store, s->key, pv_buf_str(&text));
	if (r < 0) /* no room: lines may be counted again after a restart, but none is lost */
		(void) log_warning_errno(r, "%s: how far it was read could not be stored", s->name);
}

/* --- turns --- */

static int on_local_line(const struct docker_line *line, void *arg)
{
	struct log_src *s = arg;
	struct log_record r = { .text = line->text, .len = line->len, .time_us = line->time_us ? line->time_us : clock_wall_us() };

	r.line = ++s->lines;
	return logs_record(s->reader, &r, log_src_event, s);
}

static int on_records(const char *buf, size_t len, void *arg)
{
	struct log_src *s = arg;
	size_t used;

	s->dirty = true;
	s->allowance -= (int64_t) len;
	log_silent_seen(&s->silent, clock_wall_us());
	if (s->follow.kind->frames)
		return docker_local_each(buf, len, on_local_line, s);
	return logs_lines(s->reader, buf, len, clock_wall_us(), log_src_event, s, &used);
}

static int src_turn(struct guard_logs *l, struct log_src *s)
{
	int r;

	if (s->kind == SRC_JOURNAL)
		return log_journal_turn(l, s);
	if (s->api) /* it comes by itself */
		return 0;
	r = follow_turn(&s->follow, l->buf, l->ready ? TURN_SMALL : TAIL_BUFFER, on_records, s, clock_monotonic_us());
	if (follow_looks(&s->follow)) /* truncated: what was not read may stand in a copy */
		log_watch_beside(l, s);
	return r;
}

/* Something was told or counted: the position goes into the same transaction. Else it can wait for the second's end: reading lines that say
 * nothing a second time changes nothing. */
static void one_turn(struct guard_logs *l, struct log_src *s)
{
	bool batch = store_batch_begin(l->g->store) == 0;
	int r;

	l->turn_counted = false;
	r = src_turn(l, s);
	s->dirty |= r > 0; /* a record that is too long is passed over without being given */
	if (r >= 0 && (l->turn_counted || (s->dirty && !s->marked)))
		log_src_save(l, s);
	if (batch && notices_batch_end(l->g) < 0)
		s->dirty = true;
	if (r < 0)
		(void) log_warning_errno(r, "%s: cannot be read now; trying again", s->name);
	if (r > 0 && s->allowance > 0)
		log_src_ready(l, s);
}

static int on_turn(sd_event_source *source, void *arg)
{
	struct guard_logs *l = arg;
	struct log_src *s = l->ready;

	if (s) {
		l->ready = s->next_ready;
		if (!l->ready)
			l->ready_tail = &l->ready;
		s->queued = false;
		one_turn(l, s);
	}
	return l->ready ? 0 : sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

/* --- once a second --- */

static void tell_shed(struct guard_logs *l, struct log_src *s)
{
	struct notice n;
	uint64_t bytes = s->shed - s->told_shed;

	if (!bytes)
		return;
	s->told_shed = s->shed;
	notice_init(&n, ID_LOGS_SHED, clock_wall_us());
	subject(l, s, &n);
	tell_shed_log(&n, s->name, s->shed);
	notices_fold(l->g, mix(ID_LOGS_SHED, s->key, strlen(s->key)), &n);
}

static void shed(struct guard_logs *l, struct log_src *s)
{
	for (size_t i = 0; i < FOLLOW_FILES; i++)
		if (s->follow.files[i].tail.fd >= 0)
			s->shed += tail_shed(&s->follow.files[i].tail, LOG_SHED_OVER, LOG_SHED_TO);
	tell_shed(l, s);
}

/* What is in them counts for nothing, and who writes a request chooses how long its line is. */
static void tell_long(struct guard_logs *l, struct log_src *s)
{
	struct notice n;
	uint64_t lines;

	for (size_t i = 0; i < FOLLOW_FILES; i++) {
		s->long_lines += s->follow.files[i].tail.long_records;
		s->follow.files[i].tail.long_records = 0;
	}
	lines = s->long_lines + logs_reader_counts(s->reader).cut;
	if (lines == s->told_long)
		return;
	s->told_long = lines;
	notice_init(&n, ID_LOGS_SHED, clock_wall_us());
	subject(l, s, &n);
	tell_long_lines(&n, s->name, lines);
	notices_fold(l->g, mix(mix(ID_LOGS_SHED, s->key, strlen(s->key)), "long", 4), &n);
}

/* The habit is learned while we run: a guard that was just started knows none. */
static void tell_silent(struct guard_logs *l, struct log_src *s)
{
	pv_autobuf since = PV_BUF_INIT;
	struct notice n;
	uint64_t us, now = clock_wall_us();

	if (s->ended_us || !log_silent_due(&s->silent, now, &us))
		return;
	notice_init(&n, ID_LOGS_SILENT, now);
	subject(l, s, &n);
	clock_duration(&since, now - us);
	tell_silent_log(&n, s->name, pv_buf_str(&since));
	notices_fold(l->g, mix(ID_LOGS_SILENT, s->key, strlen(s->key)), &n);
}

static void second_of(struct guard_logs *l, struct log_src *s, uint64_t now)
{
	bool waited = s->allowance <= 0;

	s->allowance = PV_MIN(s->allowance + (int64_t) LOG_RATE, 4 * (int64_t) LOG_RATE);
	if (s->api)
		log_api_second(l, s, now);
	if (waited)
		shed(l, s);
	if (waited || l->seconds % POLL_SECONDS == 0) {
		log_src_ready(l, s);
		log_watch_look(l, s);
		log_watch_beside(l, s); /* for what there was no room */
	}
	if (l->seconds % TIDY_SECONDS == 0) {
		follow_tidy(&s->follow, now, log_watch_unwatch, l);
		tell_silent(l, s);
		tell_long(l, s);
	}
	if (s->dirty)
		log_src_save(l, s);
}

static bool is_over(const struct log_src *s, uint64_t now)
{
	return s->kind == SRC_CONTAINER && s->ended_us && now - s->ended_us > ENDED_US && !s->queued && !s->asking;
}

static void save_since(struct guard_logs *l)
{
	char text[24];

	(void) snprintf(text, sizeof(text), "%" PRIu64, clock_wall_us());
	(void) store_kv_set(l->g->store, SINCE_KEY, text);
}

struct stale {
	struct guard_logs *l;
	char keys[64][80];
	size_t n;
};

static int on_key(const char *key, const char *value, void *arg)
{
	struct stale *a = arg;

	(void) value;
	for (const struct log_src *s = a->l->all; s; s = s->next)
		if (strcmp(s->key, key) == 0)
			return 0;
	if (text_copy(a->keys[a->n], sizeof(a->keys[0]), key))
		a->n++;
	return a->n == N_ELEMENTS(a->keys);
}

/* Containers that were removed while nobody looked. True: there may be more. */
static bool drop_stale(struct guard_logs *l)
{
	struct stale *a = calloc(1, sizeof(*a));
	bool full;

	if (!a)
		return false;
	a->l = l;
	(void) store_kv_each(l->g->store, LOG_KEY "container:", on_key, a);
	for (size_t i = 0; i < a->n; i++)
		(void) store_kv_drop(l->g->store, a->keys[i]);
	full = a->n == N_ELEMENTS(a->keys);
	free(a);
	return full;
}

static void tell_no_rules(struct guard_logs *l)
{
	struct notice n;

	notice_init(&n, ID_GUARD_DEGRADED, clock_wall_us());
	tell_degraded(&n, "logs are not read: their rules could not be compiled", "journalctl -u pavise");
	(void) notices_raise(l->g, &n);
}

void guard_logs_second(struct guard *g)
{
	struct guard_logs *l = g->logs;
	uint64_t now = clock_monotonic_us();
	struct log_src *next;
	bool batch;

	if (!l)
		return;
	l->seconds++;
	if (!l->rules) {
		if (l->seconds == RULES_SECONDS)
			tell_no_rules(l);
		return;
	}
	batch = store_batch_begin(g->store) == 0;
	for (struct log_src *s = l->all; s; s = next) {
		next = s->next;
		second_of(l, s, now);
		if (is_over(s, now))
			log_src_drop(l, s);
	}
	if (l->seconds % LIST_SECONDS == 0) {
		log_watch_relist(l, 0);
		save_since(l);
	}
	if (l->seconds >= l->stale_seconds && !drop_stale(l))
		l->stale_seconds = UINT_MAX;
	if (batch && notices_batch_end(g) < 0)
		for (struct log_src *s = l->all; s; s = s->next)
			s->dirty = true; /* whichever were saved in it */
}

/* --- start, reload, end --- */

static void sources_stop(struct guard_logs *l)
{
	for (struct log_src *s = l->all; s; s = s->next)
		if (s->dirty)
			log_src_save(l, s);
	while (l->all)
		log_src_drop(l, l->all);
	log_journal_stop(l);
	log_watch_stop(l);
	pv_map_done(&l->watches);
	l->generation++;
}

static int sources_start(struct guard_logs *l)
{
	const struct policy *p = l->g->policy;
	struct guard_workload *w;
	int r;

	for (uint32_t i = 0; i < p->logs.n_ban; i++)
		l->ban[i] = p->logs.ban[i];
	for (uint32_t i = 0; i < p->login.n_paths; i++)
		l->login_paths[i] = p->login.paths[i];
	r = log_watch_start(l);
	if (r >= 0)
		r = log_journal_start(l);
	for (size_t i = 0; r >= 0 && (w = pv_map_next(&l->g->workloads, &i));)
		if (w->w.info && w->info.inspected)
			guard_logs_container(l->g, &w->info);
	return r;
}

static void recall_since(struct guard_logs *l)
{
	pv_autobuf text = PV_BUF_INIT;

	if (store_kv_get(l->g->store, SINCE_KEY, &text) < 0 || parse_u64(pv_buf_str(&text), &l->since_us) < 0)
		l->since_us = clock_wall_us();
	save_since(l);
}

int guard_logs_start(struct guard *g)
{
	struct guard_logs *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->g = g;
	l->inotify_fd = -1;
	l->ready_tail = &l->ready;
	l->started_us = clock_monotonic_us();
	l->stale_seconds = STALE_SECONDS;
	g->logs = l;
	l->buf = malloc(TAIL_BUFFER);
	r = l->buf ? sd_event_add_defer(g->loop, &l->turn, on_turn, l) : -ENOMEM;
	if (r < 0)
		return r;
	(void) sd_event_source_set_description(l->turn, "logs");
	recall_since(l);
	return sd_event_source_set_enabled(l->turn, SD_EVENT_OFF);
}

void guard_logs_stop(struct guard *g)
{
	struct guard_logs *l = g->logs;

	if (!l)
		return;
	l->ending = true; /* no answer comes any more */
	if (l->rules) {
		sources_stop(l);
		save_since(l);
	}
	l->rules = logs_free(l->rules);
	l->turn = sd_event_source_disable_unref(l->turn);
	free(l->buf);
	free(l);
	g->logs = NULL;
}

static void restart(struct guard_logs *l, struct logs *rules)
{
	int r;

	if (l->rules)
		sources_stop(l);
	if (rules != l->rules)
		l->rules = logs_free(l->rules);
	l->rules = rules;
	r = sources_start(l);
	if (r < 0)
		(void) log_error_errno(r, "logs cannot be read");
}

void guard_logs_rules(struct guard *g, int fd)
{
	struct logs *rules;
	int r = logs_load(fd, &rules);

	if (r < 0) {
		(void) log_error_errno(r, "the rules for logs cannot be used; the ones before stay in force");
		return;
	}
	if (g->bans)
		logs_seed(rules, bans_attempt_seed(g));
	restart(g->logs, rules);
}

/* Any reader knows the rules for secrets; before there is one, forms alone are known. */
void guard_logs_shown(struct guard *g, const char *line, size_t len, struct pv_buf *out)
{
	struct log_src *s = g->logs ? g->logs->all : NULL;

	while (s && !s->reader)
		s = s->next;
	if (s)
		logs_shown(s->reader, line, len, LINE_SHOWN, out);
	else
		mask_words(out, line, PV_MIN(len, (size_t) LINE_SHOWN));
}

/* Another policy: readers hold parts of the old one. Called before that is given up. */
void guard_logs_pause(struct guard *g)
{
	if (g->logs && g->logs->rules)
		sources_stop(g->logs);
}

void guard_logs_resume(struct guard *g)
{
	int r = g->logs && g->logs->rules ? sources_start(g->logs) : 0;

	if (r < 0)
		(void) log_error_errno(r, "logs cannot be read");
}

/* --- containers --- */

static struct log_src *container_of(struct guard_logs *l, const char *id)
{
	for (struct log_src *s = l->all; s; s = s->next)
		if (s->kind == SRC_CONTAINER && strcmp(s->id, id) == 0)
			return s;
	return NULL;
}

void guard_logs_container(struct guard *g, const struct container_info *info)
{
	struct guard_logs *l = g->logs;
	bool was_short = info->started_us > g->started_wall_us && clock_wall_us() - info->started_us < USEC_PER_HOUR; /* it may be over already */
	struct log_src *s;

	if (!l || !l->rules || !g->policy->logs.containers || !info->inspected)
		return;
	s = container_of(l, info->id);
	if (s)
		s->ended_us = info->running ? 0 : clock_monotonic_us();
	else if (info->running || was_short)
		s = log_watch_container(l, info);
	if (s && !info->running && !s->ended_us)
		s->ended_us = clock_monotonic_us();
}

void guard_logs_container_gone(struct guard *g, const char *id)
{
	struct log_src *s = g->logs ? container_of(g->logs, id) : NULL;

	if (s) /* what it printed last is still to be read */
		s->ended_us = clock_monotonic_us();
}

void guard_logs_container_removed(struct guard *g, const char *id)
{
	struct log_src *s = g->logs ? container_of(g->logs, id) : NULL;

	if (!g->logs)
		return;
	if (!s) {
		position_drop(g->logs, id);
		return;
	}
	s->removed = true;
	if (!s->ended_us)
		s->ended_us = clock_monotonic_us();
}

/* --- status --- */

static bool is_open(const struct log_src *s)
{
	bool open = s->kind == SRC_SYSLOG || s->by_journal || log_api_state(s) == LOG_API_OPEN || (s->kind == SRC_JOURNAL && journal_cursor(s->g->logs->journal));

	for (size_t i = 0; i < FOLLOW_FILES; i++)
		open |= s->follow.files[i].tail.fd >= 0;
	return open;
}

void guard_logs_json(struct guard *g, struct pv_buf *out)
{
	uint64_t n = 0, reading = 0, waiting = 0, lines = 0, events = 0, shed_bytes = 0, n_unread = 0, waits = 0;
	const struct guard_workload *w;
	const char *unread = "";

	for (const struct log_src *s = g->logs ? g->logs->all : NULL; s; s = s->next) {
		n++;
		reading += is_open(s);
		waiting += s->queued;
		lines += s->lines ? s->lines : logs_reader_counts(s->reader).lines; /* records, lines */
		events += s->events;
		shed_bytes += s->shed;
		waits += log_api_state(s) == LOG_API_WAITS;
		if (log_api_state(s) == LOG_API_UNSUPPORTED && !n_unread++ && (w = table_container(g, s->id)))
			unread = w->info.log_driver;
	}
	pv_buf_printf(out, "{\"rules\":%s,\"sources\":%" PRIu64 ",\"reading\":%" PRIu64 ",\"waiting\":%" PRIu64 ",\"lines\":%" PRIu64 ",\"events\":%" PRIu64
		      ",\"shed\":%" PRIu64 ",\"unstreamed\":%" PRIu64 ",\"unread\":%" PRIu64 ",\"unread_driver\":", g->logs && g->logs->rules ? "true" : "false", n, reading, waiting, lines, events, shed_bytes, waits, n_unread);
	pv_buf_json_str(out, unread);
	pv_buf_putc(out, '}');
}
