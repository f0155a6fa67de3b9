/* bans.h - inside guard/bans*.c: who is locked out, as the engine knows it.
 *
 *   bans.c        what a log says -> login_step() -> a ban asked of the broker, or a notice
 *   bans_list.c   those that are in force: in memory, in the history, restored in the kernel
 *   bans_tell.c   notices of all that
 *   bans_others.c fail2ban, CrowdSec, sshguard
 *   bans_ask.c    what people ask for: list, ban, unban */
#ifndef PV_GUARD_BANS_H
#define PV_GUARD_BANS_H

#include "detect/ban.h"
#include "detect/login.h"
#include "guard/guard.h"

struct ban {
	struct ip_prefix who;
	uint64_t since_us, until_us; /* wall clock */
	bool asked;		     /* the broker has not answered yet */
	bool told;		     /* that attempts still come through it */
	bool unstored;		     /* the history had no room for it */
};

/* Where another program bans, too, a ban waits: fail2ban looks each second, CrowdSec's bouncer each ten. Has one of them locked
 * the address out by then, it is left to it; what none of them covers is banned. */
#define BANS_HOLD_S 12
#define BANS_HELD   1024 /* further ones do not wait */
struct asked;
struct bans_held {
	struct asked *asked;
	uint32_t due_s;
};

struct bans {
	struct login *login;
	struct ban_budget budget;
	struct ban_fold fold;
	uint64_t seed[2];
	struct pv_map all; /* keyed hash of the network -> struct ban */
	struct ban **wide; /* those of `all` that stand in the kernel's sets of networks: see broker/nft.h */
	size_t n_wide;
	int file_fd;
	uint32_t seconds;
	int64_t clock_at;	       /* clock_stepped() */
	uint64_t nameless;	       /* refused logins whose line has no address */
	char nameless_service[32]; /* the last of them */
	struct bans_held held[BANS_HELD];
	size_t n_held;
	bool counted;	       /* something since the windows were kept */
	bool restore;	       /* is due */
	char others[64];       /* other programs that ban on this host: "fail2ban"; "" */
	uint64_t bans, failed; /* since the start */
};

/* bans_list.c */
struct ban *bans_find(struct bans *b, const struct ip_prefix *who);			   /* exactly this network */
struct ban *bans_covering(struct bans *b, const struct guard *g, const struct ip_addr *a); /* whatever holds the address */
struct ban *bans_add(struct guard *g, const struct ip_prefix *who, uint64_t since_us,
		     uint64_t until_us); /* NULL: full, no memory */
void bans_remove(struct guard *g, struct ban *ban);
/* A ban that cannot stand beside this one in the kernel's set of networks; NULL: there is none. */
const struct ban *bans_overlapping(const struct guard *g, const struct ip_prefix *who);
void bans_prefix6(struct guard *g); /* may be another now */
void bans_before(struct guard *g, const struct ip_prefix *who, struct store_ban *ret); /* as it is in the history; times 0: it is not */
/* How often it was banned, this time included; the last 90 days count. */
uint32_t bans_times(const struct store_ban *before, uint64_t now_us);
/* The broker refused it: all is as it was before bans_add(). True: an earlier ban is in force. */
bool bans_take_back(struct guard *g, const struct ip_prefix *who, const struct store_ban *before);
void bans_restore(struct guard *g); /* all that are in the history, into the kernel */
void bans_load(struct guard *g);    /* out of the history, at start */
void bans_trim(struct guard *g, uint64_t now_us); /* the history of those that are over */

/* bans_tell.c */
uint64_t bans_hash(const char *s);
void bans_tell(struct guard *g, enum id id, const struct login_verdict *v, enum login_answer answer, enum notice_action action,
	       const char *how);
void bans_tell_banned(struct guard *g, const struct login_verdict *v, uint64_t ban_us); /* alone, or later with others */
void bans_tell_failed(struct guard *g, const struct login_verdict *v, const char *why, const char *next, bool critical);
void bans_tell_protected(struct guard *g, const struct login_verdict *v, uint64_t why); /* enum ban_never */
void bans_tell_start(struct guard *g);							/* what the engine before had not told */
void bans_tell_second(struct guard *g);
void bans_tell_stop(struct guard *g);

/* bans_others.c */
void bans_others(struct guard *g);

#define BANS_FORGET_US	(90 * USEC_PER_DAY)
#define BANS_REMEMBERED 50000 /* of those that are over: whoever has a million networks fills no history */

#endif
