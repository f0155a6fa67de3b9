/* logs.h - the grammar of log lines: from a record (a line of a file, a journal record, a container's output) to events.
 * Pure: no I/O after loading, the clock is passed in. Every byte of a record is hostile.
 *
 *	logs_open(&where, &logs, &err);                   once: rules of rules/log and rules/secret, from the cache in a moment
 *	logs_reader_new(logs, &source, &reader);          one for each source
 *	logs_lines(reader, buf, len, now_us, fn, arg, &used);   many whole lines at once: this is where the speed comes from
 *	logs_record(reader, &record, fn, arg);            one record: journal, syslog socket
 *
 * Which rule may take a line:
 *  - `service` of the source set: rules of the file of that name (and those of no service: logs.miner, logs.error ...). Where
 *    the line has a syslog frame, its tag must be one that the rule names, too.
 *  - LOG_JOURNAL: a rule that names programs needs the record's identifier among them AND what the kernel and systemd vouch
 *    for: the unit, uid and transport that the rule names. Without them the record is no login.
 *  - LOG_SYSLOG (a file or socket with syslog frames): the tag chooses. Any local user can forge it: `doctor` says so.
 *  - LOG_CONTAINER: rules by shape; such an event may ban only when the service was forced or `image` is one that the rule
 *    names.
 *  - LOG_FILE without service: by frame and shape; told, never banned.
 *
 * Addresses: numeric ones only, nothing is looked up; from the place where the service writes it, lines being matched from
 * both ends; v4-mapped becomes IPv4, a zone is dropped. X-Forwarded-For counts only where the peer is a declared proxy, from
 * right to left. */
#ifndef PV_LOGS_LOGS_H
#define PV_LOGS_LOGS_H

#include "match/set.h"
#include "model/log_event.h"

struct logs; /* compiled rules, shared by all readers; the readers of one are used by one thread, one call at a time */

/* Command line: rule files (folders), their cache; see match_set_open(). -EINVAL: err says `file:line:column: ...`. */
int logs_open(const struct match_where *where, struct logs **ret, struct pv_buf *err);
/* Launcher or policy child: the same as a sealed memfd (the caller's to close) ... */
int logs_save(const struct match_where *where, int *ret_fd, struct pv_buf *err);
/* ... and the engine: that memfd and nothing else. Takes `fd` over in any case. -EPERM: it is not sealed; -EBADMSG: it is
 * none, or of another version. */
int logs_load(int fd, struct logs **ret);
struct logs *logs_free(struct logs *l);
/* Numbers of attempts (log_event.attempt) come from a random seed: who writes lines cannot know which of them collide. Given the
 * same seed as the process before, they go on; before the first reader. */
void logs_seed(struct logs *l, uint64_t seed);
PV_AUTO(logs)

/* Whether rules for this service (the `name` of a rule file) are there. */
bool logs_has_service(const struct logs *l, const char *service);
/* The service whose rules name an image like this (docker.io/library/nginx:1.27), or NULL. */
const char *logs_service_of_image(const struct logs *l, const char *image);

enum log_kind { LOG_FILE, LOG_JOURNAL, LOG_CONTAINER, LOG_SYSLOG };

struct log_source {
	enum log_kind kind;
	const char *name;    /* log_event.source; the caller's, as long as the reader lives, as all of this */
	const char *service; /* forced by configuration, image or label; NULL: by shape */
	const char *image;   /* container */
	bool docker_json;    /* lines are records of Docker's json-file driver; partial ones (16 KiB) are joined by stream */
	const struct ip_prefix *proxies; /* whose X-Forwarded-For is believed */
	size_t n_proxies;
	const char *const *ban; /* services whose rules may ban though they were written from documentation (logs.ban) */
	size_t n_ban;
	const char *const *login_paths; /* further paths where a POST answered 401 or 403 is a refused login (login.paths); globs */
	size_t n_login_paths;
};

struct log_record {
	const char *text; /* not terminated; journal: MESSAGE */
	size_t len;
	uint64_t time_us; /* wall clock: of the record (journal, container), which counts whatever the text says; else of its receipt:
			   * a time in the text is believed where it is not later than that. It is never 0 */
	uint64_t line;	  /* from 1; 0: not known */
	/* Journal only: what the sender cannot choose (_SYSTEMD_UNIT or the slice, _TRANSPORT, _UID), and what it can
	 * (SYSLOG_IDENTIFIER, then pid). NULL where absent. */
	const char *unit, *transport, *identifier;
	uint32_t uid, pid;
	bool has_uid;
};

/* Non-zero ends the call and is returned. Events of strength LOG_NEUTRAL and LOG_ACCEPTED have the id LOGS_AUTH_FAILURE, too:
 * look at the strength first. */
typedef int (*logs_fn)(const struct log_event *e, void *arg);

struct logs_reader; /* state of one source: joining of lines, attempts, time zone, counters */
int logs_reader_new(const struct logs *l, const struct log_source *s, struct logs_reader **ret);
struct logs_reader *logs_reader_free(struct logs_reader *r);
PV_AUTO(logs_reader)

/* 0, what fn returned, or a negative errno (-ENOMEM). */
int logs_record(struct logs_reader *r, const struct log_record *rec, logs_fn fn, void *arg);

/* Whole lines at once; *ret_used: bytes up to and including the last newline, the rest is to be given again with what follows.
 * A buffer of LOG_LINE_MAX bytes or more without a newline is used up: that line is looked at as far as it goes and the rest
 * of it skipped, also in the next calls. Events carry line numbers from 1 on from the reader's start. `time_us`: receipt. */
int logs_lines(struct logs_reader *r, const char *buf, size_t len, uint64_t time_us, logs_fn fn, void *arg, size_t *ret_used);
/* The lines counted so far were not from the beginning: the next one is `line`. */
/* The end of what can be read: an unfinished line is judged as it is. */
int logs_end(struct logs_reader *r, const char *buf, size_t len, uint64_t time_us, logs_fn fn, void *arg);

/* When a line was written, as far as it says so itself. */
bool logs_time(struct logs_reader *r, const char *line, size_t len, uint64_t now_us, uint64_t *ret_us);

struct logs_counts {
	uint64_t lines, events;
	uint64_t cut;	  /* lines longer than LOG_LINE_MAX: the rest of them is skipped */
	uint64_t gave_up; /* a pattern was given up on a line: of all readers of the rules */
};
struct logs_counts logs_reader_counts(const struct logs_reader *r);

/* What may be shown of a line, as evidence or otherwise: every secret in it masked, at most `max` bytes, NOT escaped. Use it
 * for whatever is stored or sent. */
void logs_shown(struct logs_reader *r, const char *text, size_t len, size_t max, struct pv_buf *out);

/* The template of an error: numbers, addresses, hex and quoted text become `*`. Equal errors have equal templates; an event
 * LOGS_ERROR carries its hash in `attempt`. */
void logs_template(const char *text, size_t len, struct pv_buf *out);

/* --- `pavise logs test` --- */
struct logs_trial {
	const struct rule *rule;
	const char *why; /* NULL: it took the line; else what was missing, e.g. "its pattern does not take the line" */
	struct log_event event; /* where it took it */
};
typedef int (*logs_trial_fn)(const struct logs_trial *t, void *arg);
/* Every rule whose literals stand in the line, and what became of it. */
int logs_try(struct logs_reader *r, const struct log_record *rec, logs_trial_fn fn, void *arg);

#endif
