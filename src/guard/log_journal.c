/* The journal: its files asked of the broker, its records told apart: those of containers (Docker's and Podman's journald drivers), our own
 * (what we say about a line must not be judged as a line), all others. And the syslog socket. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/logs.h"

#define TURN_RECORDS 256
#define PER_PLACE    (JOURNAL_FILES / 2)
#define DATAGRAMS    64 /* in one go */

/* --- its files --- */

/* All that were asked for are here: the journal goes on with them. */
static void set_complete(struct guard_logs *l)
{
	pv_autobuf cursor = PV_BUF_INIT;
	int r;

	if (l->set.asked || !l->set.wanted)
		return;
	(void) log_src_position(l, l->journal_src, &cursor);
	r = journal_files(l->journal, l->set.fds, l->set.n, pv_buf_str(&cursor));
	l->set.n = l->set.wanted = 0;
	if (r < 0)
		(void) log_warning_errno(r, "the journal cannot be read");
	if ((r < 0) != l->journal_failed)
		log_watch_relist(l, 0); /* auth.log stands in for it, or does so no longer */
	l->journal_failed = r < 0;
	log_src_save(l, l->journal_src); /* where it begins */
	log_src_ready(l, l->journal_src);
}

struct asked {
	uint64_t generation;
};

static void on_file(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct guard_logs *l = g->logs;
	struct asked *a = arg;
	bool ours = l && a->generation == l->journal_generation;

	free(a);
	if (!ours) {
		(void) pv_close(fd);
		return;
	}
	l->set.asked--;
	if (rep->result >= 0 && fd >= 0 && l->set.n < JOURNAL_FILES) {
		l->set.fds[l->set.n++] = fd;
		log_watch_watched(l, rep->value, l->journal_src);
	} else {
		(void) pv_close(fd);
	}
	set_complete(l);
}

static void drop_set(struct guard_logs *l)
{
	while (l->set.n)
		(void) pv_close(l->set.fds[--l->set.n]);
	l->set.wanted = l->set.asked = 0;
	l->journal_generation++;
}

static void ask_file(struct guard_logs *l, const struct log_journal_place *p, uint32_t position)
{
	struct broker_req req = { .op = BROKER_LOG_OPEN, .arg = p->place | (uint64_t) position << 32, .arg2 = p->list };
	struct asked *a = malloc(sizeof(*a));

	if (!a)
		return;
	*a = (struct asked){ l->journal_generation };
	if (link_call(l->g, &req, on_file, a) < 0) {
		free(a);
		return;
	}
	l->set.asked++;
	l->set.wanted++;
}

/* system.journal comes first, then the archived ones by their age. */
static void ask_files(struct guard_logs *l)
{
	drop_set(l);
	for (size_t i = 0; i < N_ELEMENTS(l->journal_places); i++) {
		const struct log_journal_place *p = &l->journal_places[i];

		for (uint32_t k = 0; k < p->n; k++)
			if (k == 0 || k + PER_PLACE > p->n)
				ask_file(l, p, k);
	}
}

bool log_journal_is_there(const struct guard_logs *l)
{
	bool there = false;

	for (size_t i = 0; i < N_ELEMENTS(l->journal_places); i++)
		there |= l->journal_places[i].n > 0;
	return there && l->journal && !l->journal_failed;
}

static uint64_t hash_text(const char *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t) p[i]) * 0x100000001b3ULL;
	return h;
}

void log_journal_paths(struct guard_logs *l, uint32_t place, uint32_t list, const char *paths, size_t len)
{
	struct log_journal_place *p = NULL;
	uint64_t hash = hash_text(paths, len);
	bool again;

	for (size_t i = 0; i < N_ELEMENTS(l->journal_places) && !p; i++)
		if (l->journal_places[i].place == place || !l->journal_places[i].list)
			p = &l->journal_places[i];
	if (!p || !l->journal)
		return;
	again = p->list && p->hash == hash && !l->journal_src->moved;
	*p = (struct log_journal_place){ .place = place, .list = list, .hash = hash };
	for (const char *path = paths; path < paths + len; path += strlen(path) + 1)
		p->n++;
	if (again)
		return;
	l->journal_src->moved = false;
	ask_files(l);
}

/* --- its records --- */

/* Written by a container's engine on behalf of the container: root's, through the journal's own socket, from the unit of Docker or from
 * one that Podman makes for each container. */
static bool from_engine(const struct journal_record *r)
{
	return r->container[0] && text_is_hex(r->container, 64) && r->has_uid && r->uid == 0 && strcmp(r->transport, "journal") == 0 &&
	       (strcmp(r->unit, "docker.service") == 0 || strncmp(r->unit, "libpod-", 7) == 0 || strcmp(r->unit, "podman.service") == 0);
}

static struct log_src *journal_container(struct guard_logs *l, const char *id)
{
	struct guard_workload *w = table_container(l->g, id);
	char name[200] = "container:", key[80];
	struct log_src *s;

	for (s = l->all; s; s = s->next)
		if (s->kind == SRC_CONTAINER && strcmp(s->id, id) == 0)
			return s->by_journal ? s : NULL; /* its file is read: once is enough */
	if (!w || !w->w.info || !l->g->policy->logs.containers)
		return NULL;
	workload_name(name + strlen(name), sizeof(name) - strlen(name), &w->w);
	(void) snprintf(key, sizeof(key), LOG_KEY "container:%.64s", id);
	s = log_src_new(l, SRC_CONTAINER, LOG_CONTAINER, name, key, log_src_service(l, &w->info), w->info.image, false);
	if (!s)
		return NULL;
	(void) text_copy(s->id, sizeof(s->id), id);
	s->by_journal = true;
	return s;
}

static int container_record(struct guard_logs *l, const struct journal_record *r)
{
	struct log_src *s = journal_container(l, r->container);
	struct log_record rec = { .text = r->message, .len = r->len, .time_us = r->time_us };
	struct pv_buf *pending;
	int result;

	if (!s)
		return 0;
	pending = &s->pending[r->error];
	if (r->ordinal > 1 && !pending->len) /* its beginning is not here: a client could have chosen how this piece begins */
		return 0;
	if (r->partial || pending->len) {
		pv_buf_add(pending, r->message, PV_MIN(r->len, pending->cap - pending->len));
		if (r->partial)
			return 0;
		rec.text = pv_buf_str(pending);
		rec.len = pending->len;
	}
	rec.line = ++s->lines;
	result = logs_record(s->reader, &rec, log_src_event, s);
	pv_buf_done(pending);
	return result;
}

static int on_record(const struct journal_record *r, void *arg)
{
	struct log_src *s = arg;
	struct guard_logs *l = s->g->logs;
	struct log_record rec = { .text = r->message, .len = r->len, .time_us = r->time_us ? r->time_us : clock_wall_us(),
				  .unit = r->unit[0] ? r->unit : NULL, .transport = r->transport[0] ? r->transport : NULL,
				  .identifier = r->identifier[0] ? r->identifier : NULL, .uid = r->uid, .pid = r->pid, .has_uid = r->has_uid };

	s->dirty = true;
	if (r->cgroup[0] && strcmp(r->cgroup, l->own_cgroup) == 0)
		return 0;
	if (from_engine(r))
		return container_record(l, r);
	(void) text_copy(s->unit, sizeof(s->unit), r->unit);
	rec.line = ++s->lines;
	return logs_record(s->reader, &rec, log_src_event, s);
}

int log_journal_turn(struct guard_logs *l, struct log_src *s)
{
	return journal_turn(l->journal, TURN_RECORDS, on_record, s);
}

/* --- the syslog socket --- */

static int on_datagrams(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct log_src *s = arg;
	bool batch = store_batch_begin(s->g->store) == 0;

	(void) source;
	(void) revents;
	for (unsigned i = 0; i < DATAGRAMS; i++) {
		struct log_record rec = { .time_us = clock_wall_us() };
		ssize_t n = recv(fd, s->g->logs->buf, LOG_LINE_MAX, MSG_DONTWAIT);

		if (n < 0)
			break;
		rec.text = s->g->logs->buf;
		rec.len = (size_t) n;
		while (rec.len && (rec.text[rec.len - 1] == '\n' || rec.text[rec.len - 1] == '\0'))
			rec.len--;
		rec.line = ++s->lines;
		(void) logs_record(s->reader, &rec, log_src_event, s);
	}
	if (batch)
		(void) notices_batch_end(s->g);
	return 0;
}

static void on_socket(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct guard_logs *l = g->logs;
	struct log_src *s;
	int r = rep->result;

	if (r < 0 || fd < 0 || !l || (uintptr_t) arg != (uintptr_t) l->generation) {
		(void) pv_close(fd);
		if (r < 0)
			(void) log_warning_errno(r, "logs.syslog %s: the socket cannot be made", g->policy->logs.syslog);
		return;
	}
	s = log_src_new(l, SRC_SYSLOG, LOG_SYSLOG, "syslog", LOG_KEY "syslog", NULL, NULL, false);
	if (!s || sd_event_add_io(g->loop, &l->socket, fd, EPOLLIN, on_datagrams, s) < 0) {
		(void) pv_close(fd);
		return;
	}
	(void) sd_event_source_set_io_fd_own(l->socket, true);
}

/* --- start and end --- */

/* In which cgroup we run, as journald writes it: that of the unit. */
static void find_own_cgroup(struct guard_logs *l)
{
	char text[4096], *line, *end;
	pv_autoclose int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (!line)
		return;
	line = strchr(line, '/');
	if (!line)
		return;
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	if (strcmp(line, "/") != 0)
		(void) text_copy(l->own_cgroup, sizeof(l->own_cgroup), line);
}

int log_journal_start(struct guard_logs *l)
{
	struct broker_req req = { .op = BROKER_LOG_SYSLOG };
	int r;

	if (l->g->policy->logs.syslog[0]) {
		r = link_call(l->g, &req, on_socket, (void *) (uintptr_t) l->generation);
		if (r < 0)
			return r;
	}
	if (!l->g->policy->logs.journal)
		return 0;
	find_own_cgroup(l);
	r = journal_new(&l->journal);
	if (r < 0)
		return r;
	l->journal_src = log_src_new(l, SRC_JOURNAL, LOG_JOURNAL, "journal", LOG_KEY "journal", NULL, NULL, false);
	return l->journal_src ? 0 : -ENOMEM;
}

void log_journal_stop(struct guard_logs *l)
{
	l->socket = sd_event_source_disable_unref(l->socket);
	drop_set(l);
	memset(l->journal_places, 0, sizeof(l->journal_places));
	l->journal_failed = false;
	l->journal = journal_free(l->journal);
	l->journal_src = NULL;
}
