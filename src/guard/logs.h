/* logs.h - inside guard/: what the files that read logs share. Everybody else calls guard_logs_start() and its like of guard.h.
 *
 *   logs.c          sources and whose turn it is; what a line says -> bans, notices; positions in the history
 *   log_watch.c     files and containers' files: asked of the broker, found again after rotation
 *   log_api.c       containers' logs that lie in no file to be had: asked of their engine
 *   log_journal.c   the journal, containers that log to it, the syslog socket
 *
 * One source is read at a time and only for a moment; then the next one that has something. A turn, what it led to and the position behind it
 * are one transaction of the history: after kill -9 its lines were counted and passed, or are read again. */
#ifndef PV_GUARD_LOGS_H
#define PV_GUARD_LOGS_H

#include "guard/guard.h"
#include "logs/logs.h"
#include "logs/silent.h"
#include "model/log_places.h"
#include "sense/docker_local.h"
#include "sense/follow.h"
#include "sense/journal.h"

#define LOG_KEY	      "log:"	   /* of positions in the history */
#define LOG_RATE      (16u << 20) /* bytes a second that one source may have; the burst is four times that */
#define LOG_SHED_OVER (64u << 20) /* what may wait ... */
#define LOG_SHED_TO   (4u << 20)  /* ... and what is left of it */

enum log_src_kind { SRC_FILE, SRC_CONTAINER, SRC_JOURNAL, SRC_SYSLOG };

struct log_src {
	struct guard *g;
	enum log_src_kind kind;
	char *name; /* file:/var/log/auth.log, container:shop/web, journal, syslog: of events */
	char *key;  /* of its position */
	struct logs_reader *reader;
	struct follow follow; /* files and containers' files */
	bool queued, dirty, dead;
	bool asking;	/* the broker's answer is to come: it holds a pointer to this */
	bool moved;	/* the path may mean another file: to be asked */
	unsigned missed; /* how often a container's file was not there */
	bool refused;	/* told that it is not read */
	bool marked;	/* the stored position has bytes before it, by which the file would be known again */
	unsigned beside; /* the file beside it that is tried; 0: none */
	enum log_look {
		LOOK_SAME,    /* for files that were read and rotated */
		LOOK_COPIES,  /* and for copies of those that were truncated */
		LOOK_BETWEEN, /* for files that were never seen, the oldest first */
	} look;
	int64_t allowance; /* bytes, until the next second */
	uint64_t lines, events, shed, told_shed, long_lines, told_long;
	struct log_silent silent; /* files, and containers that run */
	/* files */
	struct log_place place;
	uint32_t place_i, position, list;
	bool listed;
	/* containers */
	char id[65], image[192], service[24]; /* service: whose rules were chosen, else empty */
	enum log_driver driver;
	bool by_journal;
	struct log_api *api; /* log_api.c; NULL: its file is read, or the journal */
	uint64_t ended_us; /* 0: it runs */
	bool removed;	   /* it does not come back: its position is dropped with it */
	struct pv_buf pending[2]; /* pieces of a line from the journal, of stdout and stderr */
	char unit[JOURNAL_FIELD]; /* journal: of the record that is being judged */
	struct log_src *next, *next_ready;
};

struct guard_logs {
	struct guard *g;
	struct logs *rules;
	struct log_src *all, *ready, **ready_tail;
	sd_event_source *turn, *inotify, *relist, *socket;
	int inotify_fd;
	struct pv_map watches; /* inotify watch + 1 -> struct log_src */
	uint64_t since_us;     /* wall clock: what is younger was not there when logs were last read */
	uint64_t started_us;   /* monotonic */
	unsigned seconds, stale_seconds; /* since the start; when positions of what is gone are dropped */
	char *buf; /* TAIL_BUFFER */
	bool ending;
	bool turn_counted; /* the turn led to something */
	const char *ban[POLICY_SERVICES], *login_paths[POLICY_WEBPATHS];
	/* journal */
	struct journal *journal;
	struct log_src *journal_src;
	struct log_journal_place {
		uint32_t place, list, n;
		uint64_t hash; /* of the paths */
	} journal_places[2];
	bool journal_failed; /* its files are no journal for us */
	uint64_t journal_generation; /* of the files that are being opened */
	struct log_set { /* its files, being opened */
		int fds[JOURNAL_FILES];
		size_t n, wanted, asked;
	} set;
	char own_cgroup[JOURNAL_FIELD];
	uint64_t generation; /* answers to an older one are void */
};

/* logs.c */
/* Takes nothing over; NULL without memory. `service` NULL: by shape. */
struct log_src *log_src_new(struct guard_logs *l, enum log_src_kind kind, enum log_kind as, const char *name, const char *key,
			    const char *service, const char *image, bool docker_json);
/* Whose rules take a container's log: its label's, else those that know its image; NULL: by the shape of its lines. */
const char *log_src_service(const struct guard_logs *l, const struct container_info *info);
void log_src_drop(struct guard_logs *l, struct log_src *s);
void log_src_ready(struct guard_logs *l, struct log_src *s);
int log_src_event(const struct log_event *e, void *arg); /* logs_fn; arg: struct log_src */
void log_src_save(struct guard_logs *l, struct log_src *s);
bool log_src_position(struct guard_logs *l, const struct log_src *s, struct pv_buf *out);

/* The source of a container, by its driver; its log is not looked for yet. */
struct log_src *log_src_container(struct guard_logs *l, const struct container_info *info, bool docker_json);
void log_src_container_key(char *out, size_t size, const char *id);

/* log_api.c */
struct log_src *log_api_container(struct guard_logs *l, const struct container_info *info); /* NULL: its driver keeps nothing, or no memory */
bool log_api_kept(struct guard_logs *l, const char *key); /* the place that is kept is one of the API's */
void log_api_done(struct log_src *s);
void log_api_save(const struct log_src *s, struct pv_buf *out);
void log_api_second(struct guard_logs *l, struct log_src *s, uint64_t now);
enum log_api_state { LOG_API_NONE, LOG_API_OPEN, LOG_API_CLOSED, LOG_API_UNSUPPORTED, LOG_API_WAITS } log_api_state(const struct log_src *s);

/* log_files.c */
int log_watch_start(struct guard_logs *l);
void log_watch_stop(struct guard_logs *l);
void log_watch_relist(struct guard_logs *l, uint64_t in_us);
void log_watch_look(struct guard_logs *l, struct log_src *s); /* asks what its path means, if that is due */
void log_watch_beside(struct guard_logs *l, struct log_src *s);
void log_watch_unwatch(int wd, void *arg); /* arg: struct guard_logs; of follow_tidy() */
void log_watch_watched(struct guard_logs *l, uint64_t watch, struct log_src *s);
struct log_src *log_watch_container(struct guard_logs *l, const struct container_info *info);

/* log_journal.c */
int log_journal_start(struct guard_logs *l);
void log_journal_stop(struct guard_logs *l);
void log_journal_paths(struct guard_logs *l, uint32_t place, uint32_t list, const char *paths, size_t len);
bool log_journal_is_there(const struct guard_logs *l); /* and readable, as far as known */
int log_journal_turn(struct guard_logs *l, struct log_src *s); /* 1: more */

#endif
