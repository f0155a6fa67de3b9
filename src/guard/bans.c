#include "guard/bans.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "logs/logs.h"
#include "report/tell_login.h"

#define OTHERS_SECONDS 300 /* how often other ban programs are looked for */
#define SWEEP_SECONDS  30
#define KEEP_SECONDS   60
#define TRIM_SECONDS   3600
#define THROUGH_US     (15 * USEC_PER_SEC) /* lines may come late; after this an attempt came through the ban */

/* Asked of the broker and not answered. */
struct asked {
	struct login_verdict v; /* lines masked */
	struct ip_addr address; /* the whole one */
	struct store_ban before;
	uint64_t us;
	bool look; /* only whether it may be banned */
};

static struct login_policy login_policy(const struct policy *p, const uint64_t seed[2])
{
	return (struct login_policy){ .limit = p->login.limit,
				      .weak_limit = p->login.weak_limit,
				      .within_us = p->login.within_us,
				      .prefix6 = (uint8_t) p->ban.prefix6,
				      .seed = { seed[0], seed[1] } };
}

/* --- a ban --- */

static void store_it(struct guard *g, struct ban *ban, const struct asked *a, uint64_t now, uint32_t times)
{
	struct store_ban s = { .who = a->v.who, .since_us = now, .until_us = now + a->us, .times = times, .by = "pavise" };
	int r;

	(void) text_copy(s.service, sizeof(s.service), a->v.service);
	(void) snprintf(s.reason, sizeof(s.reason), "%u refused logins", a->v.count);
	for (; s.n_lines < a->v.n_lines && s.n_lines < STORE_BAN_LINES; s.n_lines++) {
		struct store_ban_line *to = &s.lines[s.n_lines];
		const struct login_line *from = &a->v.lines[s.n_lines];

		to->time_us = from->time_us;
		to->line = from->line;
		(void) text_copy(to->source, sizeof(to->source), from->source);
		(void) text_copy(to->text, sizeof(to->text), from->text);
	}
	r = store_ban_put(g->store, &s);
	ban->unstored = r < 0;
	if (r < 0)
		(void) log_error_errno(r, "a ban could not be stored; until it can be, it ends with the next start");
}

/* The batch of the history that it was stored in may have been lost since (no room). */
static void store_again(struct guard *g, struct ban *ban, const struct asked *a)
{
	struct store_ban s;

	if (store_ban_get(g->store, &a->v.who, &s) < 0 || s.until_us != ban->until_us)
		store_it(g, ban, a, ban->since_us, bans_times(&a->before, ban->since_us));
}

static void ask_broker(struct guard *g, struct asked *a);

static void on_banned(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct asked *a = arg;
	struct ban *ban = bans_find(g->bans, &a->v.who);

	(void) pv_close(fd);
	if (a->look) {
		if (rep->result == -EPERM)
			bans_tell_protected(g, &a->v, rep->value);
		else
			bans_tell(g, ID_LOGIN_BRUTEFORCE, &a->v, LOGIN_TELL_BRUTEFORCE, DONE_ALERTED,
				  "what its line is was judged by its shape alone");
		free(a);
		return;
	}
	if (rep->result == 0) {
		if (ban) {
			ban->asked = false;
			store_again(g, ban, a);
		}
		g->bans->bans++;
		bans_tell_banned(g, &a->v, a->us);
		free(a);
		return;
	}
	(void) bans_take_back(g, &a->v.who, &a->before);
	/* Somebody who is never banned shares the IPv6 network: the address alone. */
	if (rep->result == -EPERM && rep->value != NEVER_WIDE && rep->value != NEVER_UNKNOWN && a->v.who.len < 128) {
		a->v.who = (struct ip_prefix){ .addr = a->address, .len = 128 };
		ask_broker(g, a);
		return;
	}
	if (rep->result == -EPERM)
		bans_tell_protected(g, &a->v, rep->value);
	else
		bans_tell_failed(g, &a->v,
				 rep->result == -EDQUOT ? "more than 1,000 bans were asked for within a minute"
							: "the kernel refused it",
				 "pavise doctor", false);
	free(a);
}

/* In memory and in the history before the broker is asked: the log is not read a second time. */
static void ask_broker(struct guard *g, struct asked *a)
{
	struct broker_req req = { .op = BROKER_BAN, .prefix = a->v.who.len };
	uint64_t now = clock_wall_us();
	struct ban *ban;

	memcpy(req.addr, a->v.who.addr.b, sizeof(req.addr));
	if (a->look) {
		req.arg = 60;
		req.arg2 = 2;
	} else {
		uint32_t times;

		bans_before(g, &a->v.who, &a->before);
		times = bans_times(&a->before, now);
		a->us = ban_time(g->policy->login.ban_us, g->policy->ban.max_us, times);
		req.arg = PV_MAX(a->us / USEC_PER_SEC, 1u);
		ban = bans_add(g, &a->v.who, now, now + a->us);
		if (!ban) {
			bans_tell_failed(g, &a->v, "so many are banned that no more can be", "pavise bans", false);
			free(a);
			return;
		}
		ban->asked = true;
		store_it(g, ban, a, now, times);
	}
	if (link_call(g, &req, on_banned, a) < 0) {
		const struct broker_rep rep = { .result = -EBUSY };

		on_banned(g, &rep, -1, a);
	}
}

/* --- another program that bans: it is left the time for it --- */

static void on_other(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	static const char *const names[OTHER_N] = { "", "fail2ban", "CrowdSec", "sshguard" };
	struct asked *a = arg;
	char how[64];

	(void) pv_close(fd);
	if (rep->result < 0 || rep->value == OTHER_NONE || rep->value >= OTHER_N) {
		ask_broker(g, a);
		return;
	}
	(void) snprintf(how, sizeof(how), "%s has locked it out already", names[rep->value]);
	bans_tell(g, ID_LOGIN_BRUTEFORCE, &a->v, LOGIN_BAN, DONE_ALERTED, how);
	free(a);
}

static bool hold(struct guard *g, struct asked *a)
{
	struct bans *b = g->bans;

	if (b->n_held == BANS_HELD)
		return false;
	b->held[b->n_held++] = (struct bans_held){ .asked = a, .due_s = b->seconds + BANS_HOLD_S };
	return true;
}

static void held_due(struct guard *g)
{
	struct bans *b = g->bans;
	size_t due = 0;

	while (due < b->n_held && b->held[due].due_s <= b->seconds) { /* in the order of their time */
		struct asked *a = b->held[due++].asked;
		struct broker_req req = { .op = BROKER_BAN, .prefix = 128, .arg = 60, .arg2 = 3 };

		memcpy(req.addr, a->address.b, sizeof(req.addr));
		if (link_call(g, &req, on_other, a) < 0)
			ask_broker(g, a);
	}
	b->n_held -= due;
	memmove(b->held, b->held + due, b->n_held * sizeof(b->held[0]));
}

static struct asked *asked_new(const struct login_verdict *v, const struct log_event *e, bool look)
{
	struct asked *a = malloc(sizeof(*a));

	if (a)
		*a = (struct asked){ .v = *v, .address = e->address, .look = look };
	return a;
}

/* What the configuration says about the source that told it. */
static enum pv_action action_for(const struct guard *g, const struct login_verdict *v)
{
	return policy_action(g->policy, v->container[0] ? strchr(v->container, ':') + 1 : "host", SIGNAL_LOGIN, NULL);
}

/* Attempts go on from an address that is locked out. */
static void came_through(struct guard *g, struct ban *ban, const struct log_event *e, const struct login_verdict *v)
{
	if (ban->told || ban->asked || e->time_us < ban->since_us + THROUGH_US || acts_are_lifted(g))
		return;
	ban->told = true;
	bans_tell_failed(g, v,
			 "it is locked out, but attempts still come through: a proxy in front, or "
			 "a way past this host's prerouting",
			 "pavise explain ban.failed", false);
}

static void ban_it(struct guard *g, const struct login_verdict *v, const struct log_event *e)
{
	enum pv_action action = action_for(g, v);
	struct ban *ban = bans_covering(g->bans, g, &e->address);
	struct asked *a;

	if (ban && ban->until_us > clock_wall_us()) {
		came_through(g, ban, e, v);
		return;
	}
	if (ban)
		bans_remove(g, ban); /* its time is over in the kernel, too */
	if (action == ACTION_IGNORE)
		return;
	if (action == ACTION_ALERT) {
		bans_tell(g, ID_LOGIN_BRUTEFORCE, v, LOGIN_BAN, DONE_ALERTED, NULL);
		return;
	}
	if (g->policy->observe || acts_are_lifted(g)) {
		bans_tell(g, ID_LOGIN_BRUTEFORCE, v, LOGIN_BAN, DONE_WOULD_BAN,
			  g->policy->observe ? NULL : "bans are lifted by pavise off");
		return;
	}
	a = asked_new(v, e, false);
	if (!a)
		return;
	if (v->container[0] && !ban_budget_take(&g->bans->budget, bans_hash(v->container), clock_monotonic_us())) {
		free(a);
		bans_tell_failed(g, v, "this container's log may cause no more bans for now (ban.budget)",
				 "pavise explain ban.failed", false);
		return;
	}
	if (!g->bans->others[0] || !hold(g, a))
		ask_broker(g, a);
}

/* Stored and sent: secrets in the lines are masked. */
static void mask_lines(struct login_verdict *v, struct logs_reader *reader)
{
	for (size_t i = 0; i < v->n_lines; i++) {
		pv_autobuf shown = PV_BUF_INIT;

		logs_shown(reader, v->lines[i].text, strlen(v->lines[i].text), sizeof(v->lines[i].text) - 1, &shown);
		(void) text_copy(v->lines[i].text, sizeof(v->lines[i].text), pv_buf_str(&shown));
	}
}

void bans_event(struct guard *g, const struct log_event *e, struct logs_reader *reader)
{
	struct login_verdict v;
	enum login_answer answer;

	if (!g->bans || g->policy->login.action == ACTION_IGNORE)
		return;
	if (!e->has_address && (e->strength == LOG_STRONG || e->strength == LOG_WEAK)) {
		g->bans->nameless++;
		(void) text_copy(g->bans->nameless_service, sizeof(g->bans->nameless_service), e->service);
	}
	g->bans->counted = true;
	answer = login_step(g->bans->login, e, clock_wall_us(), &v);
	if (answer == LOGIN_NOTHING)
		return;
	mask_lines(&v, reader);
	if (answer == LOGIN_BAN) {
		ban_it(g, &v, e);
	} else if (answer == LOGIN_TELL_BRUTEFORCE) {
		struct asked *a = action_for(g, &v) == ACTION_IGNORE ? NULL : asked_new(&v, e, true);

		if (a)
			ask_broker(g, a); /* whether it could be an address that somebody wants to
					     see banned */
	} else {
		bans_tell(g, answer == LOGIN_TELL_SUSPICIOUS ? ID_LOGIN_SUSPICIOUS : ID_LOGIN_DISTRIBUTED, &v, answer,
			  DONE_ALERTED, NULL);
	}
}

/* --- start, time, reload --- */

int bans_start(struct guard *g)
{
	struct bans *b = calloc(1, sizeof(*b));
	pv_autobuf kept = PV_BUF_INIT;
	struct login_policy p;
	bool before;
	int r;

	if (!b)
		return -ENOMEM;
	b->file_fd = -1;
	g->bans = b;
	if (getrandom(b->seed, sizeof(b->seed), 0) != sizeof(b->seed))
		return -EIO;
	before = kept_logins_seed(g, b->seed, &kept);
	p = login_policy(g->policy, b->seed);
	r = login_new(&p, &b->login);
	if (r < 0)
		return r;
	if (before && login_load(b->login, pv_buf_str(&kept), clock_wall_us()) < 0)
		log_warning("not all of the refused logins that were counted before this start are known");
	b->budget.n = g->policy->ban.budget.n;
	b->budget.us = g->policy->ban.budget.us;
	bans_others(g);
	bans_load(g);
	bans_tell_start(g);
	return 0;
}

void bans_stop(struct guard *g)
{
	struct ban *ban;

	if (!g->bans)
		return;
	bans_tell_stop(g);
	for (size_t i = 0; i < g->bans->n_held; i++)
		free(g->bans->held[i].asked); /* the windows know it: the next attempt asks again */
	if (g->bans->login)
		kept_logins(g);
	for (size_t i = 0; (ban = pv_map_next(&g->bans->all, &i));)
		free(ban);
	pv_map_done(&g->bans->all);
	free(g->bans->wide);
	g->bans->login = login_free(g->bans->login);
	free(g->bans);
	g->bans = NULL;
}

uint64_t bans_attempt_seed(const struct guard *g)
{
	return (g->bans->seed[0] ^ g->bans->seed[1] * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
}

void bans_reload(struct guard *g)
{
	struct login_policy p = login_policy(g->policy, g->bans->seed);

	if (login_change(g->bans->login, &p) < 0)
		log_error("the new limits for logins are not in force: no memory");
	g->bans->budget.n = g->policy->ban.budget.n;
	g->bans->budget.us = g->policy->ban.budget.us;
	bans_prefix6(g);
	if (g->bans->all.used)
		bans_restore(g); /* never_ban, proxies, prefix6 and raw may be others */
}

/* Its lines are gone by now; what the next start needs is not. */
static void store_late(struct guard *g, struct ban *ban)
{
	struct store_ban before, s = { .who = ban->who, .since_us = ban->since_us, .until_us = ban->until_us, .by = "pavise",
				       .reason = "refused logins; the history had no room for their lines" };

	bans_before(g, &ban->who, &before);
	s.times = bans_times(&before, ban->since_us);
	ban->unstored = store_ban_put(g->store, &s) < 0;
}

/* The kernel forgets by itself; so do we. */
static void sweep(struct guard *g)
{
	struct ban *over[256];
	uint64_t now = clock_wall_us();
	struct ban *ban;
	size_t n;

	do {
		n = 0;
		for (size_t i = 0; n < N_ELEMENTS(over) && (ban = pv_map_next(&g->bans->all, &i));)
			if (ban->until_us <= now)
				over[n++] = ban;
			else if (ban->unstored)
				store_late(g, ban);
		for (size_t i = 0; i < n; i++) {
			const struct ip_prefix who = over[i]->who;

			bans_remove(g, over[i]);
			g->bans->restore |= bans_overlapping(g, &who) != NULL; /* in the kernel one stands for both */
		}
	} while (n == N_ELEMENTS(over));
	(void) store_bans_over(g->store, now);
}

void bans_second(struct guard *g)
{
	struct bans *b = g->bans;

	if (!b)
		return;
	b->seconds++;
	/* The kernel counts by a clock that nobody sets and that stands still while the machine sleeps: what it has and what we think that it has
	 * would differ by the step. */
	if (clock_stepped(&b->clock_at, clock_wall_us(), clock_monotonic_us()))
		bans_load(g);
	bans_tell_second(g);
	held_due(g);
	if (b->restore && b->seconds % 20 == 0)
		bans_restore(g);
	if (b->counted && b->seconds % KEEP_SECONDS == 0) {
		b->counted = false;
		kept_logins(g);
	}
	if (b->seconds % SWEEP_SECONDS == 0)
		sweep(g);
	if (b->seconds % TRIM_SECONDS == 0)
		bans_trim(g, clock_wall_us());
	if (b->seconds % OTHERS_SECONDS == 0)
		bans_others(g);
}

void bans_missing(struct guard *g)
{
	if (g->bans)
		bans_restore(g);
}
