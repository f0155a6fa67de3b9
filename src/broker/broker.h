/* broker.h - the privileged role: one loop, one engine, the table of requests (requests.h), the programs in the kernel
 * (kernel.h), answers of the container engines passed through (relay.h).
 *
 *   main.c       start, sandbox, the one-shot commands
 *   broker.c     the loop, the launcher's and the engine's messages, the periodic look
 *   operations.c what the requests do; bans.c: those about bans
 *   undo.c       one request, for root's own `pavise undo`
 */
#ifndef PV_BROKER_BROKER_H
#define PV_BROKER_BROKER_H

#include "broker/cgroups.h"
#include "broker/kernel.h"
#include "broker/never.h"
#include "broker/nft.h"
#include "broker/log_files.h"
#include "broker/persist.h"
#include "broker/relay.h"
#include "broker/requests.h"

#define BROKER_JOBS 4
#define BROKER_LOOKS 8 /* more than collectors run at once */

enum broker_tag { TAG_SIGNAL, TAG_LAUNCHER, TAG_PEER, TAG_RELAY, TAG_JOB, TAG_LOOK };

struct broker {
	int epoll_fd, signal_fd, launcher_fd;
	int peer_fd; /* -1: no engine at the moment */
	bool ending;
	const struct policy *policy;
	struct kernel *kernel;
	struct cgroups cgroups;
	struct requests requests;
	struct relays *relays;
	struct nft *nft;     /* NULL before the first ban */
	struct never *never;
	int bans_fd;	     /* memfd that the engine fills; -1 */
	bool bans_tested, bans_missing, bans_failed, never_unknown;
	struct log_files logs;
	struct persist persist;
	uint64_t check_us, addresses_us; /* when due */
	uint64_t degraded;		 /* as last told, or as found at start */
	uint64_t off_told;		 /* off_until_ns in the news; root may have switched past the engine */
	struct activated activated[2];	 /* Docker, Podman */
	uint64_t engines_down;		 /* BROKER_DEGRADED_DOCKER, _PODMAN */
	struct broker_job {		 /* a pavise-swarm under way */
		int result_fd;		 /* -1: free */
		uint32_t seq;
		uint64_t deadline_us;
	} jobs[BROKER_JOBS];
	struct limit looks_kill;	 /* programs that looks end; apart from the engine's kills, so that neither can use up the other's */
	struct broker_look {		 /* a collector that may ask whether it may end a program */
		int fd;			 /* -1: free */
		uint64_t cgroup, until_us; /* a collector may hang: another one gets its place then */
	} looks[BROKER_LOOKS];
};

extern const struct broker_ops broker_operations;

/* Takes ownership of nothing; runs until the launcher goes or SIGTERM. Returns 0 or negative errno. */
int broker_run(struct broker *b);
int broker_watch(struct broker *b, int fd, enum broker_tag tag, uint32_t which);
/* Sends one answer or news to the engine; one that does not read is dropped. */
void broker_reply(struct broker *b, struct broker_answer *a);
/* Tries the engines' sockets that did not answer last time. */
void broker_probe_engines(struct broker *b);
void broker_job_done(struct broker *b, uint32_t which); /* result there, pipe closed, or time over */
void broker_look_asks(struct broker *b, uint32_t which); /* or has ended */
uint64_t broker_degraded(const struct broker *b);

/* undo.c. Of `b` it needs peer_fd, epoll_fd, cgroups and requests. 0, also where nothing was asked, or negative errno. */
int broker_undo(struct broker *b);

/* bans.c */
int bans_ban(void *ctx, const struct ip_prefix *who, uint32_t seconds, uint64_t *ret_why);
int bans_look_never(void *ctx, const struct ip_prefix *who, uint64_t *ret_why);
int bans_look_others(void *ctx, const struct ip_prefix *who, uint64_t *ret_other);
int bans_unban(void *ctx, const struct ip_prefix *who);
int bans_file(void *ctx, struct broker_answer *ret);
int bans_load(void *ctx, uint32_t n, uint64_t *ret_in_force, uint64_t *ret_never);
int bans_state(void *ctx, uint64_t *ret_dropped);
void bans_start(struct broker *b);	     /* a table from before is taken over */
bool bans_look(struct broker *b, uint64_t now_us); /* something was found missing: news */
void bans_policy(struct broker *b);	     /* a new policy */
uint32_t bans_seconds(uint64_t until_ns);    /* from now on, for nft_off() */
void bans_off(struct broker *b, uint64_t until_ns);
void bans_stop(struct broker *b);	     /* the table stays */

#endif
