/* Files: which there are, which one a path means now, and what lies beside it. Nothing is opened here; the broker is asked
 * (model/broker_proto.h, BROKER_LOG_*). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/logs.h"
#include "report/tell.h"

#define RELIST_US   (50 * USEC_PER_MSEC) /* several names change at once when logs are rotated */
#define LIST_BYTES  (1u << 20)
#define BESIDE_MAX  8
#define FIRST_US    (10 * USEC_PER_SEC)

/* --- watches --- */

void log_watch_watched(struct guard_logs *l, uint64_t watch, struct log_src *s)
{
	if (watch <= INT32_MAX)
		(void) pv_map_put(&l->watches, watch + 1, s);
}

void log_watch_unwatch(int wd, void *arg)
{
	struct guard_logs *l = arg;

	if (pv_map_take(&l->watches, (uint64_t) wd + 1) && l->inotify_fd >= 0)
		(void) inotify_rm_watch(l->inotify_fd, wd);
}

static void look_again(struct guard_logs *l, struct log_src *s)
{
	s->moved = true;
	if (s->kind == SRC_CONTAINER)
		log_watch_look(l, s);
	else
		log_watch_relist(l, RELIST_US);
}

/* A folder got a name: whatever waits for its file is asked for again. */
static void folder_changed(struct guard_logs *l)
{
	for (struct log_src *s = l->all; s; s = s->next)
		if (s->kind == SRC_CONTAINER && s->moved)
			log_watch_look(l, s);
	log_watch_relist(l, RELIST_US);
}

static void overflowed(struct guard_logs *l)
{
	for (struct log_src *s = l->all; s; s = s->next) {
		s->moved = true;
		log_src_ready(l, s);
		if (s->kind == SRC_CONTAINER)
			log_watch_look(l, s);
	}
	log_watch_relist(l, 0);
}

static void changed(struct guard_logs *l, const struct inotify_event *e)
{
	struct log_src *s = e->wd < 0 ? NULL : pv_map_get(&l->watches, (uint64_t) e->wd + 1);

	if (e->mask & IN_Q_OVERFLOW) {
		overflowed(l);
	} else if (e->mask & IN_IGNORED) {
		if (s)
			(void) pv_map_take(&l->watches, (uint64_t) e->wd + 1);
	} else if (s) {
		log_src_ready(l, s);
		if (e->mask & (IN_MOVE_SELF | IN_DELETE_SELF | IN_ATTRIB))
			look_again(l, s);
	} else if (e->mask & (IN_CREATE | IN_MOVED_TO)) {
		folder_changed(l);
	}
}

static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct guard_logs *l = arg;
	_Alignas(struct inotify_event) char buf[16384];
	ssize_t n = read(fd, buf, sizeof(buf));
	const struct inotify_event *e;

	(void) source;
	(void) revents;
	for (ssize_t at = 0; at + (ssize_t) sizeof(*e) <= n; at += (ssize_t) (sizeof(*e) + e->len)) {
		e = (const void *) (buf + at);
		changed(l, e);
	}
	return 0;
}

/* --- one file --- */

/* Younger than the last look of anybody: all of it is news. Where the file system does not tell, all that comes after the first
 * moments is. */
static bool is_young(const struct guard_logs *l, int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st) == 0 && st.stx_mask & STATX_BTIME)
		return (uint64_t) st.stx_btime.tv_sec * USEC_PER_SEC + st.stx_btime.tv_nsec / 1000 >= l->since_us;
	return clock_monotonic_us() - l->started_us > FIRST_US;
}

static bool read_by_another(const struct guard_logs *l, const struct log_src *s, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	for (const struct log_src *t = l->all; t; t = t->next)
		if (t != s && follow_has(&t->follow, st.st_dev, st.st_ino))
			return true;
	return false;
}

static void tell_refused(struct guard_logs *l, struct log_src *s, int error)
{
	const char *colon = strchr(s->name, ':');
	struct notice n;

	if (s->refused)
		return;
	s->refused = true;
	notice_init(&n, ID_LOGS_REFUSED, clock_wall_us());
	n.kind = SUBJECT_LOG;
	(void) text_copy(n.subject, sizeof(n.subject), colon ? colon + 1 : s->name);
	tell_refused_log(&n, n.subject, error);
	(void) notices_raise(l->g, &n);
}

/* An answer for a source: false when nobody waits for it any more. */
static bool answered(struct log_src *s, int fd)
{
	s->asking = false;
	if (!s->dead)
		return true;
	(void) pv_close(fd);
	free(s->name);
	free(s->key);
	free(s);
	return false;
}

static void take_present(struct guard_logs *l, struct log_src *s, int fd, uint64_t watch)
{
	int r;

	if (read_by_another(l, s, fd)) {
		(void) pv_close(fd);
		return;
	}
	s->refused = false;
	s->follow.from_end = !is_young(l, fd);
	if (s->kind == SRC_CONTAINER && !s->follow.from_end && !s->follow.restored && !s->follow.orders)
		s->follow.born_ns = l->since_us * 1000; /* it has rotated before we came to look */
	r = follow_present(&s->follow, fd, watch <= INT32_MAX ? (int) watch : -1, clock_monotonic_us());
	if (r < 0)
		return;
	log_watch_watched(l, watch, s);
	if (r > 0) { /* where it began, before anything is read: who is killed now must not begin at another end */
		log_src_save(l, s);
		s->marked = false;
	}
	log_src_ready(l, s);
	log_watch_beside(l, s);
}

/* A container's file that was never to be had: its engine is asked. Once missed is not enough, a file that is being rotated may not be there. */
static bool api_instead(struct guard_logs *l, struct log_src *s, int error)
{
	const struct guard_workload *w = s->kind == SRC_CONTAINER ? table_container(l->g, s->id) : NULL;
	uint64_t ended_us = s->ended_us;
	struct container_info info;

	if (!w || !w->w.info || s->follow.orders || error == -EPIPE || error == -EBUSY || (error == -ENOENT && !s->missed++))
		return false;
	info = w->info;
	log_src_drop(l, s);
	s = log_api_container(l, &info);
	if (s)
		s->ended_us = ended_us;
	return true;
}

static void on_present(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct log_src *s = arg;

	if (!answered(s, fd))
		return;
	if (rep->result >= 0 && fd >= 0) {
		take_present(g->logs, s, fd, rep->value);
		return;
	}
	(void) pv_close(fd);
	s->moved = true; /* not there at the moment, or not to be opened: looked for again */
	if (api_instead(g->logs, s, rep->result))
		return;
	if (rep->result == -ESTALE)
		log_watch_relist(g->logs, RELIST_US);
	else if (rep->result == -ELOOP || rep->result == -EPERM || rep->result == -EACCES)
		tell_refused(g->logs, s, rep->result);
	log_watch_beside(g->logs, s); /* what was rotated away is there all the same */
}

static struct broker_req request_of(const struct log_src *s, uint32_t which)
{
	struct broker_req req = { .op = BROKER_LOG_OPEN, .arg = s->place_i | (uint64_t) s->position << 32,
				  .arg2 = s->list | (uint64_t) which << 32 };

	if (s->kind == SRC_CONTAINER) {
		req = (struct broker_req){ .op = BROKER_LOG_CONTAINER, .arg = s->driver, .arg2 = which };
		(void) text_copy(req.id, sizeof(req.id), s->id);
	}
	return req;
}

void log_watch_look(struct guard_logs *l, struct log_src *s)
{
	struct broker_req req = request_of(s, 0);

	if (!s->moved || s->asking || s->by_journal || s->api || (s->kind == SRC_FILE && !s->listed) ||
	    (s->kind != SRC_FILE && s->kind != SRC_CONTAINER))
		return;
	s->moved = false;
	s->asking = link_call(l->g, &req, on_present, s) >= 0;
}

/* --- beside it --- */

static void ask_beside(struct guard_logs *l, struct log_src *s);

/* Takes `fd`. 1: it is read from now on; -EBUSY: no room for it now. */
static int try_beside(struct guard_logs *l, struct log_src *s, const struct broker_rep *rep, int fd)
{
	int wd = rep->value <= INT32_MAX ? (int) rep->value : -1;

	if (read_by_another(l, s, fd) || (s->look == LOOK_BETWEEN && !rep->value2)) {
		(void) pv_close(fd);
		return 0;
	}
	if (s->look == LOOK_BETWEEN)
		return follow_between(&s->follow, fd, wd, clock_monotonic_us());
	return follow_beside(&s->follow, fd, wd, s->look == LOOK_COPIES, clock_monotonic_us());
}

/* The next one to ask for; false: all were. */
static bool next_beside(struct log_src *s)
{
	if (s->look == LOOK_BETWEEN)
		return --s->beside > 0;
	if (!follow_looks(&s->follow) || (++s->beside > BESIDE_MAX && s->look == LOOK_COPIES)) {
		follow_give_up(&s->follow);
		s->look = LOOK_BETWEEN;
		s->beside = follow_misses(&s->follow) ? BESIDE_MAX : 0;
	} else if (s->beside > BESIDE_MAX) {
		s->look = LOOK_COPIES;
		s->beside = 1;
	}
	return s->beside > 0;
}

static void on_beside(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct log_src *s = arg;
	struct guard_logs *l = g->logs;
	int r = 0;

	if (!answered(s, fd))
		return;
	if (rep->result >= 0 && fd >= 0)
		r = try_beside(l, s, rep, fd);
	else if (s->look != LOOK_BETWEEN && (rep->result == -ENOENT || rep->result == -ESTALE))
		s->beside = BESIDE_MAX; /* there are no more */
	else if (rep->result == -ESTALE)
		r = -EBUSY; /* another list is on its way */
	if (r > 0) {
		log_watch_watched(l, rep->value, s);
		log_src_ready(l, s);
	}
	if (r != -EBUSY && next_beside(s)) {
		ask_beside(l, s);
		return;
	}
	if (r != -EBUSY) /* else once more with the next look, every few seconds */
		follow_caught_up(&s->follow);
	s->beside = 0;
	s->dirty = true;
	log_src_ready(l, s); /* what waited for them goes on */
	log_watch_look(l, s);
}

static void ask_beside(struct guard_logs *l, struct log_src *s)
{
	struct broker_req req = request_of(s, s->beside);

	s->asking = link_call(l->g, &req, on_beside, s) >= 0;
}

void log_watch_beside(struct guard_logs *l, struct log_src *s)
{
	if (s->asking || s->by_journal || s->api || (!follow_looks(&s->follow) && !follow_misses(&s->follow)))
		return;
	s->look = follow_looks(&s->follow) ? LOOK_SAME : LOOK_BETWEEN;
	s->beside = s->look == LOOK_SAME ? 1 : BESIDE_MAX;
	ask_beside(l, s);
}

/* --- places --- */

static struct log_src *file_of(struct guard_logs *l, uint32_t place, const char *path)
{
	for (struct log_src *s = l->all; s; s = s->next)
		if (s->kind == SRC_FILE && s->place_i == place && strcmp(s->name + strlen("file:"), path) == 0)
			return s;
	return NULL;
}

static void recall(struct guard_logs *l, struct log_src *s)
{
	pv_autobuf text = PV_BUF_INIT;

	if (log_src_position(l, s, &text) && follow_restore(&s->follow, pv_buf_str(&text)) < 0)
		log_warning("%s: how far it was read is not known any more", s->name);
}

static struct log_src *new_file(struct guard_logs *l, uint32_t place, const char *path)
{
	struct log_place p = log_place(l->g->policy, place);
	pv_autobuf name = PV_BUF_INIT, key = PV_BUF_INIT;
	struct log_src *s;

	pv_buf_printf(&name, "file:%s", path);
	pv_buf_printf(&key, LOG_KEY "file:%s", path);
	s = log_src_new(l, SRC_FILE, p.kind == PLACE_FILES ? LOG_FILE : LOG_SYSLOG, pv_buf_str(&name), pv_buf_str(&key), p.service, NULL,
			false);
	if (!s)
		return NULL;
	s->place = p;
	s->place_i = place;
	recall(l, s);
	return s;
}

static void listed(struct guard_logs *l, uint32_t place, uint32_t list, const char *paths, size_t len)
{
	uint32_t position = 0;
	struct log_src *s;

	for (s = l->all; s; s = s->next)
		if (s->kind == SRC_FILE && s->place_i == place)
			s->listed = false;
	for (const char *path = paths; path < paths + len; path += strlen(path) + 1, position++) {
		s = file_of(l, place, path);
		if (!s)
			s = new_file(l, place, path);
		if (!s)
			continue;
		s->listed = s->moved = true;
		s->position = position;
		s->list = list;
		log_watch_look(l, s);
	}
}

/* Whoever can call logger(1) writes to auth.log what he likes; the journal knows who wrote a record. */
static void drop_place(struct guard_logs *l, uint32_t place)
{
	struct log_src *next;

	for (struct log_src *s = l->all; s; s = next) {
		next = s->next;
		if (s->kind == SRC_FILE && s->place_i == place)
			log_src_drop(l, s);
	}
}

struct listing {
	uint32_t place;
	uint64_t generation;
};

static void on_list(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct listing *a = arg;
	struct guard_logs *l = g->logs;
	struct stat st;
	char *text = NULL;
	ssize_t n = -1;

	if (rep->result >= 0 && fd >= 0 && l && a->generation == l->generation && fstat(fd, &st) == 0 && st.st_size < LIST_BYTES) {
		text = malloc((size_t) st.st_size + 1);
		n = text ? pread(fd, text, (size_t) st.st_size, 0) : -1;
	}
	(void) pv_close(fd);
	if (n >= 0 && (n == 0 || text[n - 1] == '\0')) {
		if (rep->value2)
			log_warning("logs: %llu files of one place are not read: there are more than 256",
				    (unsigned long long) rep->value2);
		enum log_place_kind kind = log_place(g->policy, a->place).kind;

		if (kind == PLACE_JOURNAL)
			log_journal_paths(l, a->place, (uint32_t) rep->value, text, (size_t) n);
		else if (kind == PLACE_AUTH && log_journal_is_there(l))
			drop_place(l, a->place);
		else
			listed(l, a->place, (uint32_t) rep->value, text, (size_t) n);
	}
	free(text);
	free(a);
}

static int on_relist(sd_event_source *source, uint64_t usec, void *arg)
{
	struct guard_logs *l = arg;
	const struct policy *p = l->g->policy;

	(void) source;
	(void) usec;
	for (uint32_t i = 0; i < log_places(p); i++) {
		struct broker_req req = { .op = BROKER_LOG_LIST, .arg = i };
		struct listing *a;

		if (log_place(p, i).kind == PLACE_JOURNAL && !p->logs.journal)
			continue;
		a = malloc(sizeof(*a));
		if (!a)
			return 0;
		*a = (struct listing){ i, l->generation };
		if (link_call(l->g, &req, on_list, a) < 0)
			free(a);
	}
	return 0;
}

void log_watch_relist(struct guard_logs *l, uint64_t in_us)
{
	int on = SD_EVENT_OFF;

	if (!l->relist || (sd_event_source_get_enabled(l->relist, &on) >= 0 && on != SD_EVENT_OFF && in_us))
		return;
	(void) sd_event_source_set_time_relative(l->relist, in_us);
	(void) sd_event_source_set_enabled(l->relist, SD_EVENT_ONESHOT);
}

/* --- containers --- */

struct log_src *log_watch_container(struct guard_logs *l, const struct container_info *info)
{
	const bool json = strcmp(info->log_driver, "json-file") == 0, local = strcmp(info->log_driver, "local") == 0;
	char key[80];
	struct log_src *s;

	log_src_container_key(key, sizeof(key), info->id);
	if (info->engine != ENGINE_DOCKER || (!json && !local) || log_api_kept(l, key))
		return log_api_container(l, info);
	s = log_src_container(l, info, json);
	if (!s)
		return NULL;
	s->driver = json ? LOG_JSON_FILE : LOG_LOCAL;
	follow_init(&s->follow, json ? &tail_docker_json : &tail_docker_local, true);
	recall(l, s);
	s->moved = true;
	log_watch_look(l, s);
	return s;
}

/* --- start and end --- */

static void on_watch(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct guard_logs *l = g->logs;
	int r = rep->result;

	if (!l || (uintptr_t) arg != (uintptr_t) l->generation) { /* the broker has another one for us by now */
		(void) pv_close(fd);
		return;
	}
	l->inotify_fd = fd;
	if (r >= 0 && fd >= 0)
		r = sd_event_add_io(g->loop, &l->inotify, fd, EPOLLIN, on_inotify, l);
	if (r < 0) /* looked at every few seconds, then */
		(void) log_warning_errno(r, "logs: nobody tells when they grow; they are read every few seconds");
}

/* The broker answers in order: watches are there before the first list is made. */
int log_watch_start(struct guard_logs *l)
{
	struct broker_req req = { .op = BROKER_LOG_WATCH };
	int r = link_call(l->g, &req, on_watch, (void *) (uintptr_t) l->generation);

	if (r < 0)
		return r;
	return sd_event_add_time_relative(l->g->loop, &l->relist, CLOCK_MONOTONIC, 0, 0, on_relist, l);
}

void log_watch_stop(struct guard_logs *l)
{
	l->inotify = sd_event_source_disable_unref(l->inotify);
	l->relist = sd_event_source_disable_unref(l->relist);
	l->inotify_fd = pv_close(l->inotify_fd);
}
