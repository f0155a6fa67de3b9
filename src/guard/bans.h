/* bans.h - inside guard/bans*.c: who is locked out, as the engine knows it.
 *
 *   bans.c        what a log says -> login_step() -> a ban asked of the broker, or a notice
 *   bans_list.c   those that are in force: in memory, in the history, restored in the kernel
 *   bans_ask.c    what people ask for: list, ban, unban */
#ifndef PV_GUARD_BANS_H
#define PV_GUARD_BANS_H

#include "detect/ban.h"
#include "detect/login.h"
#include "guard/guard.h"

struct ban {
	struct ip_prefix who;
	uint64_t since_us, until_us; /* wall clock */
	bool asked; /* the broker has not answered yet */
	bool told;  /* that attempts still come through it */
};

struct bans {
	struct login *login;
	struct ban_budget budget;
	uint64_t seed[2];
	struct pv_map all;  /* keyed hash of the network -> struct ban */
	struct ban **wide;  /* those of `all` that are no single address and no /prefix6 */
	size_t n_wide;
	int file_fd;
	uint32_t seconds;
	bool restore;	    /* is due */
	char others[64];    /* other programs that ban on this host: "fail2ban"; "" */
	uint64_t bans, failed; /* since the start */
};

/* bans_list.c */
struct ban *bans_find(struct bans *b, const struct ip_prefix *who);	     /* exactly this network */
struct ban *bans_covering(struct bans *b, const struct guard *g, const struct ip_addr *a); /* whatever holds the address */
struct ban *bans_add(struct guard *g, const struct ip_prefix *who, uint64_t since_us, uint64_t until_us); /* NULL: full, no memory */
void bans_remove(struct guard *g, struct ban *ban);
/* How often it was banned, this time included; the last 90 days count. */
uint32_t bans_times(struct guard *g, const struct ip_prefix *who, uint64_t now_us);
void bans_restore(struct guard *g); /* all that are in the history, into the kernel */
void bans_load(struct guard *g);    /* out of the history, at start */

#define BANS_FORGET_US (90 * USEC_PER_DAY)

#endif
