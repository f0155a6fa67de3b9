/* login.h - who guesses logins: counts refused ones by address and by account, and says when it is enough. Pure: events come
 * in, the clock with them; what is done about an answer is the caller's. Memory is bounded whatever comes.
 *
 *  - An attempt is counted once for each (service, address, log_event.attempt), whatever number of lines and sources tell it;
 *    attempt 0 is always one of its own. IPv6 addresses of one /prefix6 are one, v4-mapped is IPv4 (as base/ip.h has it).
 *  - Strong ones lead to a ban when `limit` of them lie within `within_us` of each other and the newest is no older than that;
 *    also when LOGIN_SLOW_TIMES times as many lie within 24 hours without a success in between.
 *  - Weak ones (a 401 that may be anything) have `weak_limit` in `within_us`. None counts where the address got through behind
 *    authentication in the last 24 hours; nor does the beat of a monitor or of a page left open: one that comes 5 s or more
 *    after the one before, or at even intervals of 2 s and more.
 *  - What may not ban (log_event.may_ban) is counted by itself, and only told about.
 *  - Time is that of the line, never later than its receipt: a clock that is set back, or a line from the future, counts as
 *    now; a line older than all windows counts for nothing.
 *  - One account refused to LOGIN_SPREAD addresses within an hour is told once a day: nobody in particular is to blame.
 *  - A success at an address that was refused `limit` times in the last 24 hours with the same user (four times as many with any),
 *    or that was refused before at an account under such a spread attack, is told.
 *
 * Lost with the process, unless login_save() is kept: the windows. What was decided is the caller's to keep. */
#ifndef PV_DETECT_LOGIN_H
#define PV_DETECT_LOGIN_H

#include "base/buf.h"
#include "model/log_event.h"

#define LOGIN_LIMIT_MAX	 100  /* of login_policy.limit */
#define LOGIN_ADDRESSES	 200000 /* live at once; then the one with the fewest attempts of sixteen goes */
#define LOGIN_SLOW_TIMES 4
#define LOGIN_SPREAD	 30
#define LOGIN_EVIDENCE	 5 /* lines shown, the newest */
#define LOGIN_TEXT	 160

struct login_policy {
	uint32_t limit, weak_limit;
	uint64_t within_us;
	uint8_t prefix6;    /* 56 to 128 */
	uint64_t seed[2];   /* random: addresses are chosen by others */
	uint32_t addresses; /* 0: LOGIN_ADDRESSES */
};

struct login;
int login_new(const struct login_policy *p, struct login **ret);
struct login *login_free(struct login *l);
PV_AUTO(login)
/* New limits; what was counted stays, unless they ask for more room or another prefix: then all is counted anew. */
int login_change(struct login *l, const struct login_policy *p);

enum login_answer {
	LOGIN_NOTHING,
	LOGIN_BAN,		 /* again for the next attempt a minute later, if there is one */
	LOGIN_TELL_BRUTEFORCE,	 /* as many, but not all of what told them may ban; once per window */
	LOGIN_TELL_SUSPICIOUS,
	LOGIN_TELL_DISTRIBUTED,
};
enum login_why { LOGIN_FAST, LOGIN_SLOW, LOGIN_MANY_WEAK };

struct login_line {
	uint64_t time_us;
	uint64_t line;
	char source[96];
	char text[LOGIN_TEXT]; /* as it came, cut; empty: forgotten meanwhile */
};

struct login_verdict {
	enum login_why why;
	struct ip_prefix who; /* the address, or its IPv6 network */
	uint32_t count, limit;
	uint64_t window_us;
	uint32_t addresses;   /* distributed: about how many */
	char service[32], user[LOG_USER_MAX];
	char container[96];   /* the source, where one of the lines that count came from a container's log; else "" */
	size_t n_lines;
	struct login_line lines[LOGIN_EVIDENCE]; /* newest last */
};

/* One event of a login; of LOG_NO_LOGIN nothing is taken. `now_us`: wall clock of its receipt. *ret is filled for every answer
 * but LOGIN_NOTHING. */
enum login_answer login_step(struct login *l, const struct log_event *e, uint64_t now_us, struct login_verdict *ret);

/* The network that an address counts as. */
struct ip_prefix login_network(const struct ip_addr *a, uint8_t prefix6);

/* Forgets what an address did (it was let in again by a person). */
void login_forget(struct login *l, const struct ip_prefix *who);

size_t login_addresses(const struct login *l); /* live */
size_t login_memory(const struct login *l);    /* bytes */

/* What was counted, as text for login_load() of the next process: the LOGIN_KEPT addresses that count most, and the accounts that
 * many are refused at. Not the texts of lines: evidence from before has source and time alone. */
#define LOGIN_KEPT 2048
void login_save(const struct login *l, uint64_t now_us, struct pv_buf *out);
/* The seed under which a text was saved: login_new() must be given the same. False: it is no such text. */
bool login_saved_seed(const char *text, uint64_t seed[2]);
/* Into a new one. What does not fit this program or is over is left out; -EBADMSG: the text is none, or ends early. */
int login_load(struct login *l, const char *text, uint64_t now_us);

#endif
