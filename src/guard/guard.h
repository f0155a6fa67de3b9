/* guard.h - the engine role's own state, shared by the files of this folder: one loop, the table that joins cgroup id
 * and workload, the sources, the control socket. Everything runs in one thread on sd-event.
 *
 *   main.c       start: descriptors, sandbox, sources; reload; end
 *   link.c       requests to the broker and their answers
 *   table.c      cgroup id -> workload; new and gone cgroups; exceptions told to the kernel
 *   engines.c    Docker and Podman: list, inspect, events, networks
 *   kernel.c     events of the ring -> notices
 *   exec.c       programs that are not of their image
 *   samples.c    cgroup samples -> verdicts
 *   succession.c CPU of containers that end and begin -> verdicts
 *   acts.c       verdicts -> acts -> notices; undo
 *   capture.c    evidence before an act, and looks at one program, by pavise-collector
 *   capture_again.c  evidence that an engine which died did not come to
 *   packets.c    AF_PACKET sockets of containers
 *   persist*.c   cron, units, keys: what came and who wrote it
 *   notices.c    a notice is stored, counted, handed to the outbox and to those who follow
 *   standing.c   what breaks a rule already: named at start, open connections cut
 *   logs.c       logs: sources, whose turn it is, what a line led to (log_watch.c, log_journal.c: logs.h)
 *   bans*.c      refused logins -> bans (bans.h)
 *   control.c    the control socket; status.c: what it says about the whole
 *   offline.c    the history without a guard, for `pavise undo`
 */
#ifndef PV_GUARD_GUARD_H
#define PV_GUARD_GUARD_H

#include <systemd/sd-event.h>

#include "act/run.h"
#include "base/map.h"
#include "detect/burst.h"
#include "detect/load.h"
#include "detect/respawn.h"
#include "detect/succession.h"
#include "engine_api/answer.h"
#include "engine_api/request.h"
#include "host/cgroup.h"
#include "model/broker_proto.h"
#include "model/control.h"
#include "model/policy.h"
#include "model/roles.h"
#include "model/workload.h"
#include "notify/outbox.h"
#include "sense/ring.h"
#include "store/store.h"

#define GUARD_ENGINES 2 /* ENGINE_DOCKER, ENGINE_PODMAN */

struct guard;

/* A cgroup that is the root of a workload. Cgroups nested below it are in guard.nested. */
struct guard_workload {
	struct workload w; /* w.info points to `info` once the Engine API told */
	struct container_info info;
	struct cgroup_files *files;
	struct load *load;
	struct cgroup_usage usage; /* last sample */
	struct succession_run run; /* of a container */
	bool sampled;
	bool acting;		 /* an act is under way */
	bool netnames_told;
	bool labels_known;
	bool respawn_checked;	 /* whether it came back, acts_seen_container() */
	bool spared;		 /* only `off` or observe kept it from an act: judged again when that ends */
	bool name_sure;		 /* the API told it, and it is not only what its image says of itself */
	bool told;		 /* a notice bears its name as it was before that */
	bool removed;		 /* its container was: what is known of it is of no use when its cgroup has gone */
	uint64_t looked_us;	 /* at its command lines, monotonic */
	uint64_t exec_us;	 /* the engine last said that a command was started in it (docker exec, health check), monotonic */
	uint32_t execs;		 /* of those, how many have not ended */
	bool wrapped;		 /* its own command was started by a wrapper with a server's name: the kernel takes all of it for that one's shell */
	uint64_t captures_hour, captures_in_hour; /* bundles of evidence */
	uint32_t exec_told;	 /* PV_EXEC_* as the broker was told; UINT32_MAX: it did not take that */
	uint64_t excepted;	 /* as the broker was told, BROKER_EXCEPT; UINT64_MAX: not yet, of this policy */
	uint64_t oom_us;	 /* last run.oom told, monotonic */
	uint64_t names_minute, names_in_minute; /* dns notices by name: bounded per minute */
	uint64_t refused;	 /* for `top` */
	unsigned packets;	 /* AF_PACKET sockets in its network namespace */
	uint32_t generation;	 /* of the walk that saw it last */
};

/* What the API told of a container that has no cgroup, for its next start: an exception holds from the first program on. */
struct kept_info {
	struct container_info info;
	bool labels_known;
};

/* A container network that the broker knows as internal. */
struct guard_subnet {
	struct ip_prefix prefix;
	uint8_t engines, seen; /* bits 1 << enum engine_kind: who has it; who named it in the list that is being read */
};

enum engine_state { ENGINE_ABSENT, ENGINE_LISTING, ENGINE_CONNECTED, ENGINE_LOST };

struct guard_engine {
	struct guard *g;
	enum engine_kind kind;
	enum engine_state state;
	struct api_call *events;   /* the endless one */
	sd_event_source *retry;
	uint64_t retry_us;	   /* next pause */
	unsigned in_flight;
	struct api_call *queue, **queue_tail;
	uint64_t lost_since_us;	   /* monotonic; 0: not lost; UINT64_MAX: told */
	bool seen;		   /* it answered at least once */
};

struct guard {
	sd_event *loop;
	const struct policy *policy;
	uint64_t started_wall_us;
	struct link *link;
	struct cgroup_tree *tree;
	struct ring *ring;
	int ring_fd;
	const uint64_t *counters;
	uint64_t lost_seen[EVENT_N_KINDS];
	uint64_t lost_before;	  /* while no engine ran: not told yet */
	uint64_t build_us;	  /* last program of an image build, monotonic */
	uint64_t names_minute, names_in_minute; /* as in guard_workload, for all that is no workload */
	struct pv_map workloads;  /* root cgroup id -> struct guard_workload */
	struct pv_map nested;	  /* nested cgroup id -> struct guard_workload of its root */
	struct pv_map containers; /* hash of the container id -> struct guard_workload (its cgroup lives) */
	struct pv_map infos;	  /* the same hash -> struct kept_info of those without a cgroup: not started yet, or ended */
	struct guard_engine engines[GUARD_ENGINES];
	struct pv_map subnets;	  /* hash of prefix -> struct guard_subnet told to the broker */
	struct burst *burst;
	struct respawn *respawn;
	struct succession *succession;
	bool successions_spared; /* as guard_workload.spared */
	struct bans *bans;
	struct store *store;
	struct outbox *outbox;
	struct late *late;	  /* notices that the history did not take (notices.c) */
	struct batch *batch;	  /* those whose batch is open (the same) */
	sd_event_source *outbox_timer, *sample_timer, *second_timer;
	struct control *control;
	struct guard_logs *logs;  /* logs.h */
	struct captures *captures; /* capture.c */
	struct exec_waiting *exec_waiting; /* exec.c */
	unsigned n_exec_waiting;
	uint64_t rows_before;	   /* the last notice of the engine before us (capture_again.c) */
	struct persist_state *persist; /* persist.c */
	uint64_t packets_us;	  /* last look of packets.c, monotonic */
	struct pv_map images, holders; /* persist_ctr.c: hashes of what was seen */
	uint64_t degraded;	  /* BROKER_DEGRADED_* */
	char refused[256];	  /* a configuration that was not taken: its first line; empty: the last one was */
	uint64_t off_until_ns;	  /* as the broker said */
	uint32_t generation;
	unsigned seconds;	  /* since the start, up to the word about who breaks a rule */
	bool own_sampling_off;	  /* cgroup files could not be opened: said once */
};

/* link.c. `fn` gets the answer and the descriptor that came with it (-1: none; it belongs to fn); rep->result is
 * -EPIPE when the broker went away first. */
typedef void (*link_fn)(struct guard *g, const struct broker_rep *rep, int fd, void *arg);
int link_start(struct guard *g, int fd);
void link_stop(struct guard *g);
/* `fn` may be NULL. Never waits: what the broker cannot take at once is sent when it can, in order. -EBUSY: too much waits
 * already. */
int link_call(struct guard *g, struct broker_req *req, link_fn fn, void *arg);

/* table.c */
int table_start(struct guard *g); /* the walk; again after lost events */
void table_stop(struct guard *g);
/* `made_us`, monotonic: when; 0: not known. */
void table_cgroup_new(struct guard *g, const char *path, uint64_t id, uint64_t parent, uint64_t made_us);
void table_cgroup_gone(struct guard *g, uint64_t id);
struct guard_workload *table_find(struct guard *g, uint64_t cgroup); /* also by a nested id; NULL */
struct guard_workload *table_container(struct guard *g, const char *container_id);
void table_release(struct guard_workload *w); /* an act is over with it */
/* The Engine API told; copied. Exceptions by label count once the image's own labels are known; until then, and where they
 * cannot be had this time, those judged before hold: a container's labels never change. */
enum label_state { LABELS_COMING, LABELS_NONE, LABELS_KNOWN };
void table_info(struct guard *g, const struct container_info *info, enum label_state labels);
bool table_knows(const struct guard *g, const char *container_id); /* the API told of it */
void table_removed(struct guard *g, const char *container_id);	    /* the container: it does not start again */
void table_forget_infos(struct guard *g, enum engine_kind kind); /* a whole list follows */
void table_tell_kernel(struct guard *g, struct guard_workload *w);   /* exceptions and network names */
uint64_t table_id_hash(const char *container_id);

/* engines.c */
int engines_start(struct guard *g);
void engines_stop(struct guard *g);
void engines_there(struct guard *g, enum engine_kind kind);
bool engines_answer(const struct guard *g, enum engine_kind kind);
void engines_inspect(struct guard *g, enum engine_kind kind, const char *container_id);
/* One request that acts; `fn` gets the HTTP status (204, 304, 409 ...) or a negative errno. */
typedef void (*engine_act_fn)(struct guard *g, int status, void *arg);
int engines_act(struct guard *g, const struct broker_req *req, engine_act_fn fn, void *arg);
/* What a container printed last. `fn` is called once, body NULL where that could not be had; -ENOENT: it is not called. */
typedef void (*engine_text_fn)(struct guard *g, const char *body, size_t len, void *arg);
int engines_logs(struct guard *g, enum engine_kind kind, const char *container_id, engine_text_fn fn, void *arg);

/* Its log from second `since` (wall clock) on. `fn` gets a piece at a time with `end` 0; at last `end` is the HTTP status or a negative errno,
 * with the body where the status is not 200, and the call is gone. NULL: without memory, or it cannot be asked now. */
typedef void (*engine_stream_fn)(struct guard *g, const char *data, size_t len, int end, void *arg);
struct api_call *engines_follow(struct guard *g, enum engine_kind kind, const char *container_id, uint32_t since, engine_stream_fn fn, void *arg);
void engines_follow_hold(struct api_call *c, bool hold); /* no piece comes while it is held */
void engines_unfollow(struct api_call *c);		 /* fn is not called any more; NULL is fine */

/* kernel.c */
int kernel_events_start(struct guard *g, int ring_fd, int counters_fd);
void kernel_events_stop(struct guard *g);
void kernel_events_lost(struct guard *g);  /* looks at the counters, tells what was lost */
void kernel_events_flush(struct guard *g); /* stores the counts that rose, at most once a second */
void kernel_events_end(struct guard *g);   /* the same, before the end */

void kernel_events_drain(struct guard *g); /* what the kernel woke nobody for */
uint64_t kernel_event_time(const struct event_head *e); /* wall clock, microseconds */
/* Subject, action, process, image and why it was let through. */
void kernel_notice_fill(struct notice *n, const struct event_head *e, struct guard_workload *w);
bool kernel_is_ignored(const struct guard *g, const struct guard_workload *w, uint16_t flags, enum pv_signal signal);
/* A workload's notices by name are bounded per minute: whether one more may have its own. */
bool kernel_name_fits(struct guard *g, struct guard_workload *w);
uint64_t kernel_mix(uint64_t h, const void *data, size_t len);

/* exec.c */
void exec_event(struct guard *g, const struct event_exec *e);
/* One that came from outside of the container's own processes is told 0.7 s later, so that the engine can say before that it is
 * docker exec's or a health check's; at most 64 wait, others are told at once. */
void exec_shell(struct guard *g, const struct event_exec *e);
void exec_metadata(struct guard *g, const struct event_net *e); /* a server's shell asks for a cloud's credentials */
void exec_gone(struct guard *g, const struct guard_workload *w); /* tells what waits of one that has ended, while its name is still known */
void exec_stop(struct guard *g); /* tells what waits */
void exec_look(struct guard *g, struct guard_workload *w, uint64_t now_us); /* at a busy workload's command lines */
void exec_tell_kernel(struct guard *g, struct guard_workload *w); /* what the Engine API says that the exec hook must know */

/* samples.c */
int samples_start(struct guard *g);
void samples_stop(struct guard *g);
int samples_open(struct guard *g, struct guard_workload *w); /* its files; 0 also where they are open */

/* succession.c */
void successions_look(struct guard *g, struct guard_workload *w, const struct cgroup_usage *u, uint64_t now_us);
void successions_second(struct guard *g);  /* looks at those that have just begun */
void successions_judge(struct guard *g, uint64_t now_us); /* after the looks of a sample */
void successions_gone(struct guard *g, const struct guard_workload *w);

/* acts.c */
bool acts_are_lifted(const struct guard *g); /* by `pavise off` */
void acts_verdict(struct guard *g, struct guard_workload *w, const struct verdict *v);
void acts_seen_container(struct guard *g, struct guard_workload *w); /* a container with its facts: respawned? */
/* `fn` is called once, also before this returns. -ENOENT, -EALREADY and others (acts_undo_why()): it is not called. */
int acts_undo(struct guard *g, uint64_t row, void (*fn)(struct guard *g, bool ok, const char *text, void *arg), void *arg);
const char *acts_undo_why(int r);
void acts_spare(struct guard *g, const struct store_act *a); /* what it was about may come back */
void acts_json(struct store *s, struct pv_buf *out);	      /* the answer to `acts`, a line */

/* capture.c. A collector takes what there is of `w`; what came of it is added to the notice. */
struct capture;
typedef void (*capture_fn)(struct guard *g, void *arg);
struct capture_of { /* what it is about; all may be empty */
	uint32_t pid, dev;
	uint64_t ino;
	bool dead;
	bool remember; /* the digest of its first file: it was refused for what it is */
	const char *path, *also;
	const struct event_exec *event; /* its chain; NULL: none */
};
/* For a notice that is stored. Nothing happens where there are too many already: the notice says so. */
void capture_evidence(struct guard *g, struct guard_workload *w, const struct notice *n, const struct capture_of *of);
void capture_none(struct guard *g, uint64_t row, int error); /* the notice says that there is none, and why */
/* Before an act: `held` is called once, as soon as nothing that the act destroys is missing any more, or when its time is over;
 * NULL when there is nothing to wait for: then it is not called. */
struct capture *capture_before(struct guard *g, struct guard_workload *w, struct notice *n, capture_fn held, void *arg);
/* The act is over and its notice stored (row 0: it could not be): what is still to come is added there. */
void capture_act_over(struct capture *c, uint64_t row);
/* Looks at a program that runs; ends it when it is one that was refused before, or (compare) not what the image has under
 * its name. */
void capture_judge(struct guard *g, struct guard_workload *w, const struct event_exec *e, bool compare, bool may_kill);
void capture_info(struct guard *g,
		  const struct container_info *info); /* the engine says what a container is, maybe after its end */
int capture_start(struct guard *g);
/* capture_again.c: soon after the start, what the engine before us had not come to. */
void capture_again(struct guard *g);
void capture_stop(struct guard *g);

/* kept.c: what an engine leaves to the next one */
void kept_start(struct guard *g);
void kept_respawn(struct guard *g); /* after each change of g->respawn */
/* The windows of logins, each minute and at the end. */
void kept_logins(struct guard *g);
bool kept_logins_seed(struct guard *g, uint64_t seed[2], struct pv_buf *ret_text); /* for login_new(), before login_load() of the text */
/* An act on a container began, or waits and has done nothing yet to this run of it; it is over, whatever came of it. */
void kept_act(struct guard *g, const struct guard_workload *w, const struct verdict *v, bool waits);
void kept_act_over(struct guard *g, const struct guard_workload *w);
bool kept_act_take(struct guard *g, const struct guard_workload *w, struct verdict *ret); /* one that the engine before us began */
void kept_leftovers(struct guard *g); /* those whose container is gone are told; once, some seconds after the start */

/* standing.c */
typedef void (*standing_fn)(const struct guard_workload *w, enum pv_signal signal, const char *why, void *arg);
void standing_each(struct guard *g, standing_fn fn, void *arg); /* who breaks a rule now */
void standing_say(struct guard *g);				 /* the same, to the log */
void standing_cut(struct guard *g, struct guard_workload *w);	 /* connections from before the guard or the rule */

/* notices.c */
void notices_subject(struct notice *n, struct guard_workload *w); /* NULL: the host */
/* Stored when this returns 0, in a batch of the store with it; n->row set. What cannot be stored (disk full) is in the log, is kept and
 * tried again each second; a history that is damaged ends the engine, and the next one begins a new history. */
int notices_raise(struct guard *g, struct notice *n);
/* Instead of store_batch_end(): what was raised in the batch is shown and sent once it is stored, or kept and tried again. Negative: what
 * else was written in it is to be written again. */
int notices_batch_end(struct guard *g);
/* The first of `key` is a notice at once, the others only raise its count by theirs (detect/burst.h). */
void notices_fold(struct guard *g, uint64_t key, struct notice *n);
void notices_count(struct guard *g, const struct notice *n); /* a stored one: count, words or evidence changed */
void notices_counted(struct guard *g, const struct burst_told *t); /* its count rose */
void notices_again(struct guard *g);			     /* what could not be stored */
bool notices_wait(const struct guard *g);		     /* there is such a one */
void notices_deliver(struct guard *g); /* runs the outbox and arms its timer */
void notices_named(struct guard *g, const struct guard_workload *w, const char *before); /* its name is known now */
int notices_start(struct guard *g, int sender_fd);
void notices_stop(struct guard *g);

/* bans.c */
struct log_event;
struct logs_reader;
int bans_start(struct guard *g);  /* after the link: restores what is stored */
void bans_stop(struct guard *g);
uint64_t bans_attempt_seed(const struct guard *g); /* for logs_seed(): the same as that of the engine before */
void bans_event(struct guard *g, const struct log_event *e, struct logs_reader *reader); /* of a login; `reader` masks its lines */
void bans_reload(struct guard *g); /* g->policy is another one */
void bans_second(struct guard *g);
void bans_missing(struct guard *g); /* news: they are gone from the kernel */
/* bans_ask.c: `fn` is called once, with what to say. */
typedef void (*bans_fn)(struct guard *g, bool ok, const char *text, const char *next, void *arg);
void bans_json(struct guard *g, const char *address, size_t max, struct pv_buf *out); /* lines of JSON */
void bans_ask_ban(struct guard *g, const char *address, uint64_t for_us, const char *reason, const char *by, bans_fn fn, void *arg);
void bans_ask_unban(struct guard *g, const char *address, bans_fn fn, void *arg);
void bans_status_json(struct guard *g, struct pv_buf *out);

/* logs.c (logs.h): nothing is read before the rules come from the launcher */
int guard_logs_start(struct guard *g);
void guard_logs_stop(struct guard *g);
void guard_logs_rules(struct guard *g, int fd); /* takes it */
void guard_logs_pause(struct guard *g);	 /* before another policy ... */
void guard_logs_resume(struct guard *g); /* ... and after it */
void guard_logs_container(struct guard *g, const struct container_info *info);
void guard_logs_container_gone(struct guard *g, const char *id);    /* it has ended */
void guard_logs_container_removed(struct guard *g, const char *id); /* and does not come back */
void guard_logs_second(struct guard *g);
void guard_logs_json(struct guard *g, struct pv_buf *out);
void guard_logs_shown(struct guard *g, const char *line, size_t len, struct pv_buf *out); /* secrets masked; not escaped */

/* persist.c: what makes itself at home on the host */
int persist_start(struct guard *g);
void persist_stop(struct guard *g);
void persist_second(struct guard *g);
void persist_json(struct guard *g, struct pv_buf *out); /* a member of the status: what is watched, and what is not */
/* persist_ctr.c: the Engine API told of a container */
void persist_container(struct guard *g, const struct container_info *info);

/* packets.c: sockets below every hook */
void packets_look(struct guard *g);

/* control.c, status.c */
int control_start(struct guard *g, int listen_fd);
void control_text(struct pv_buf *out, const char *text); /* an answer: one line */
void control_error(struct pv_buf *out, const char *error, const char *next);
void control_stop(struct guard *g);
void control_follow(struct guard *g, const struct notice *n); /* to those who follow */
void control_reloaded(struct guard *g, bool ok, const char *text);
void status_json(struct guard *g, struct pv_buf *out);
void top_json(struct guard *g, struct pv_buf *out);
/* What each BROKER_DEGRADED_* means: in status and doctor while it lasts, and as a notice when it begins. */
struct degradation {
	uint64_t bit;
	bool told; /* as a notice */
	const char *signal, *why, *next;
};
extern const struct degradation degradations[];
extern const size_t n_degradations;

/* offline.c: what `pavise-engine WORDS` does; its exit status */
int offline(int argc, char **argv);

/* main.c */
/* The folder at ROLE_FD_STATE, /proc and cgroups; negative: said. Before the store is opened; guard_sandbox_calls() afterwards. */
int guard_sandbox_files(void);
int guard_sandbox_calls(void);
int guard_ask_launcher(char byte);
void guard_degraded(struct guard *g, uint64_t bits); /* news from the broker: notices for what changed */
void guard_off(struct guard *g, uint64_t until_ns);  /* the same: somebody switched past us */

#endif
