/* What is told of bans: which, which not and why, and of many at once how many. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "guard/bans.h"
#include "report/tell_login.h"

#define KEY_FOLDED "bans/folded"

uint64_t bans_hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *s; s++)
		h = (h ^ (uint8_t) *s) * 0x100000001b3ULL;
	return h;
}

static void subject(struct notice *n, const struct login_verdict *v)
{
	const char *name = strchr(v->container, ':');

	if (!name)
		return; /* the host, as notice_init() has it */
	n->kind = SUBJECT_CONTAINER;
	(void) text_copy(n->subject, sizeof(n->subject), name + 1);
}

void bans_tell(struct guard *g, enum id id, const struct login_verdict *v, enum login_answer answer, enum notice_action action,
	       const char *how)
{
	struct notice n;
	uint64_t key = id;

	notice_init(&n, id, clock_wall_us());
	n.action = action;
	subject(&n, v);
	tell_login(&n, v, answer, 0, how);
	/* One container may name many: they are one notice. */
	for (size_t i = 0; !v->container[0] && i < sizeof(v->who.addr.b); i++)
		key = (key ^ v->who.addr.b[i]) * 0x100000001b3ULL;
	notices_fold(g, key ^ bans_hash(v->container[0] ? v->container : v->user), &n);
}

/* One notice for all that one log names in vain: whoever forges names many. */
void bans_tell_failed(struct guard *g, const struct login_verdict *v, const char *why, const char *next, bool critical)
{
	struct notice n;

	g->bans->failed++;
	notice_init(&n, ID_BAN_FAILED, clock_wall_us());
	n.action = DONE_ALERTED;
	n.severity = critical ? SEV_CRITICAL : n.severity;
	subject(&n, v);
	tell_ban_failed(&n, v, why, next);
	notices_fold(g, bans_hash(v->container) ^ (critical ? ID_BAN_FAILED : bans_hash(why)), &n);
}

void bans_tell_protected(struct guard *g, const struct login_verdict *v, uint64_t why)
{
	char next[128];

	if (why == NEVER_UNKNOWN) {
		bans_tell_failed(g, v, tell_never(why), "pavise doctor", false);
		return;
	}
	if (v->container[0]) {
		(void) snprintf(next, sizeof(next), "docker logs %.90s", strchr(v->container, ':') + 1);
		bans_tell_failed(g, v, tell_never(why), next, true);
		return;
	}
	/* The host's own services do not forge: it is an owner who mistypes, or a proxy in front.
	 */
	bans_tell(g, ID_LOGIN_BRUTEFORCE, v, LOGIN_BAN, DONE_ALERTED, tell_never(why));
}

/* --- many at once --- */

static void tell_folded(struct guard *g, const struct ban_folded *f)
{
	struct notice n;

	notice_init(&n, ID_LOGIN_BRUTEFORCE, clock_wall_us());
	n.action = DONE_BANNED;
	n.count = f->n;
	tell_bans_folded(&n, f);
	(void) notices_raise(g, &n);
	(void) store_kv_drop(g->store, KEY_FOLDED);
}

/* What is held back outlives the engine: "37 600 203.0.113.9/128 sshd ...". */
static void keep_folded(struct guard *g)
{
	const struct ban_folded *f = &g->bans->fold.held;
	pv_autobuf text = PV_BUF_INIT;

	pv_buf_printf(&text, "%" PRIu64 " %" PRIu64, f->n, f->span_us / USEC_PER_SEC);
	for (size_t i = 0; i < f->n_shown; i++) {
		pv_buf_putc(&text, ' ');
		ip_prefix_format(&text, &f->shown[i].who);
		pv_buf_printf(&text, " %s", f->shown[i].service);
	}
	(void) store_kv_set(g->store, KEY_FOLDED, pv_buf_str(&text));
}

static bool parse_folded(char *text, struct ban_folded *ret)
{
	char *rest = NULL, *word = strtok_r(text, " ", &rest), *span = strtok_r(NULL, " ", &rest), *service;

	memset(ret, 0, sizeof(*ret));
	if (!word || parse_u64(word, &ret->n) < 0 || !ret->n || !span || parse_u64(span, &ret->span_us) < 0)
		return false;
	ret->span_us *= USEC_PER_SEC;
	while (ret->n_shown < BAN_FOLD_SHOWN && (word = strtok_r(NULL, " ", &rest)) && (service = strtok_r(NULL, " ", &rest))) {
		struct ban_shown *s = &ret->shown[ret->n_shown];

		if (ip_prefix_parse(word, &s->who) < 0)
			return false;
		(void) text_copy(s->service, sizeof(s->service), service);
		ret->n_shown++;
	}
	return true;
}

void bans_tell_banned(struct guard *g, const struct login_verdict *v, uint64_t ban_us)
{
	struct notice n;

	if (!ban_fold_step(&g->bans->fold, &v->who, v->service, clock_monotonic_us())) {
		keep_folded(g);
		return;
	}
	notice_init(&n, ID_LOGIN_BRUTEFORCE, clock_wall_us());
	n.action = DONE_BANNED;
	subject(&n, v);
	tell_login(&n, v, LOGIN_BAN, ban_us, NULL);
	(void) notices_raise(g, &n);
}

void bans_tell_second(struct guard *g)
{
	struct ban_folded f;

	if (ban_fold_due(&g->bans->fold, clock_monotonic_us(), &f))
		tell_folded(g, &f);
}

void bans_tell_start(struct guard *g)
{
	pv_autobuf text = PV_BUF_INIT;
	struct ban_folded f;

	if (store_kv_get(g->store, KEY_FOLDED, &text) < 0)
		return;
	if (text.len && parse_folded(text.data, &f))
		tell_folded(g, &f);
	else
		(void) store_kv_drop(g->store, KEY_FOLDED);
}

void bans_tell_stop(struct guard *g)
{
	struct ban_folded f;

	if (ban_fold_due(&g->bans->fold, UINT64_MAX, &f))
		tell_folded(g, &f);
}
