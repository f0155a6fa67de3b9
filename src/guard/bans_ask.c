#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/bans.h"
#include "report/tell_login.h"

struct asking {
	bans_fn fn;
	void *arg;
	struct store_ban ban, before;
};

static void prefix_text(struct pv_buf *out, const struct ip_prefix *who)
{
	if (who->len == 128)
		ip_format(out, &who->addr);
	else
		ip_prefix_format(out, who);
}

/* --- list --- */

struct list {
	struct pv_buf *out;
	struct ip_addr address;
	struct ip_prefix who;
	bool one;
	uint64_t now;
};

static void time_field(struct pv_buf *out, const char *key, uint64_t us)
{
	pv_buf_printf(out, ",\"%s\":\"", key);
	clock_rfc3339(out, us);
	pv_buf_putc(out, '"');
}

static int on_row(const struct store_ban *b, void *arg)
{
	struct list *l = arg;
	pv_autobuf who = PV_BUF_INIT;

	if (l->one && !ip_in_prefix(&l->who.addr, &b->who) && !ip_in_prefix(&b->who.addr, &l->who))
		return 0;
	prefix_text(&who, &b->who);
	pv_buf_puts(l->out, "{\"address\":");
	pv_buf_json_str(l->out, pv_buf_str(&who));
	time_field(l->out, "since", b->since_us);
	time_field(l->out, "until", b->until_us);
	pv_buf_printf(l->out, ",\"left_us\":%" PRIu64 ",\"times\":%u,\"by\":", b->until_us - l->now, b->times);
	pv_buf_json_str(l->out, b->by);
	pv_buf_puts(l->out, ",\"service\":");
	pv_buf_json_str(l->out, b->service);
	pv_buf_puts(l->out, ",\"reason\":");
	pv_buf_json_str(l->out, b->reason);
	pv_buf_puts(l->out, ",\"evidence\":[");
	for (size_t i = 0; i < b->n_lines; i++) {
		pv_buf_puts(l->out, i ? ",{\"source\":" : "{\"source\":");
		pv_buf_json_str(l->out, b->lines[i].source);
		pv_buf_printf(l->out, ",\"line\":%" PRIu64, b->lines[i].line);
		time_field(l->out, "time", b->lines[i].time_us);
		pv_buf_puts(l->out, ",\"text\":");
		pv_buf_json_str(l->out, b->lines[i].text);
		pv_buf_putc(l->out, '}');
	}
	pv_buf_puts(l->out, "]}\n");
	return l->out->cut;
}

void bans_json(struct guard *g, const char *address, size_t max, struct pv_buf *out)
{
	struct list l = { .out = out, .now = clock_wall_us() };

	l.one = address && ip_prefix_parse(address, &l.who) == 0;
	(void) store_bans(g->store, l.now, l.one ? BROKER_BANS_MAX : max, on_row, &l);
	pv_buf_printf(out, "{\"ok\":true,\"count\":%zu,\"mode\":\"%s\",\"off\":%s}\n", g->bans ? g->bans->all.used : 0,
		      g->policy->observe ? "observe" : "enforce", acts_are_lifted(g) ? "true" : "false");
}

void bans_status_json(struct guard *g, struct pv_buf *out)
{
	if (!g->bans)
		return;
	pv_buf_printf(out, ",\"bans\":{\"in_force\":%zu,\"since_start\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"addresses\":%zu,\"left_to\":",
		      g->bans->all.used, g->bans->bans, g->bans->failed, login_addresses(g->bans->login));
	pv_buf_json_str(out, g->bans->others);
	pv_buf_printf(out, ",\"nameless\":%" PRIu64 ",\"nameless_service\":", g->bans->nameless);
	pv_buf_json_str(out, g->bans->nameless_service);
	pv_buf_putc(out, '}');
}

/* --- ban --- */

static void on_ban(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct asking *a = arg;
	struct ban *ban = bans_find(g->bans, &a->ban.who);
	pv_autobuf text = PV_BUF_INIT, span = PV_BUF_INIT;

	(void) pv_close(fd);
	prefix_text(&text, &a->ban.who);
	if (rep->result == 0) {
		if (ban)
			ban->asked = false;
		clock_duration(&span, a->ban.until_us - a->ban.since_us);
		pv_buf_printf(&text, " is locked out for %s", pv_buf_str(&span));
		log_info("%s, by %s", pv_buf_str(&text), a->ban.by);
		a->fn(g, true, pv_buf_str(&text), "", a->arg);
	} else {
		pv_buf_printf(&text, " is not locked out%s: %s", bans_take_back(g, &a->ban.who, &a->before) ? " anew" : "", rep->result == -EPERM ? tell_never(rep->value) :
			      rep->result == -EDQUOT ? "more than 1,000 bans were asked for within a minute" : "the kernel refused it");
		a->fn(g, false, pv_buf_str(&text), rep->result == -EPERM && rep->value != NEVER_UNKNOWN ? "pavise explain ban.failed" : "pavise doctor", a->arg);
	}
	free(a);
}

void bans_ask_ban(struct guard *g, const char *address, uint64_t for_us, const char *reason, const char *by, bans_fn fn, void *arg)
{
	struct broker_req req = { .op = BROKER_BAN, .arg2 = 1 };
	uint64_t now = clock_wall_us();
	struct asking *a = calloc(1, sizeof(*a));
	const struct ban *other;
	struct ban *ban;

	if (!a || ip_prefix_parse(address, &a->ban.who) < 0 || g->policy->observe) {
		fn(g, false, a && g->policy->observe ? "the guard only observes: nobody is locked out" : "that is no address or network",
		   "pavise ban --help", arg);
		free(a);
		return;
	}
	other = bans_overlapping(g, &a->ban.who);
	if (other && memcmp(&other->who, &a->ban.who, sizeof(other->who)) != 0) {
		fn(g, false, "a network that holds it, or that it holds, is locked out already: let that one in first", "pavise bans", arg);
		free(a);
		return;
	}
	a->fn = fn;
	a->arg = arg;
	bans_before(g, &a->ban.who, &a->before);
	a->ban.times = bans_times(&a->before, now);
	a->ban.since_us = now;
	for_us = for_us ? for_us : ban_time(g->policy->login.ban_us, g->policy->ban.max_us, a->ban.times);
	a->ban.until_us = now + for_us;
	(void) text_copy(a->ban.by, sizeof(a->ban.by), by);
	(void) text_copy(a->ban.reason, sizeof(a->ban.reason), reason);
	ban = bans_add(g, &a->ban.who, now, a->ban.until_us);
	if (!ban || store_ban_put(g->store, &a->ban) < 0) {
		if (ban)
			(void) bans_take_back(g, &a->ban.who, &a->before);
		fn(g, false, ban ? "the ban could not be stored" : "so many are banned that no more can be", "df -h", arg);
		free(a);
		return;
	}
	ban->asked = true;
	req.prefix = a->ban.who.len;
	req.arg = PV_MAX(for_us / USEC_PER_SEC, 1u);
	memcpy(req.addr, a->ban.who.addr.b, sizeof(req.addr));
	if (link_call(g, &req, on_ban, a) < 0) {
		const struct broker_rep rep = { .result = -EBUSY };

		on_ban(g, &rep, -1, a);
	}
}

/* --- unban --- */

#define UNBAN_MAX  64	/* looked for in one go */
#define UNBAN_MOST 4096 /* whatever else is asked of the broker waits behind them */

struct letting {
	bans_fn fn;
	void *arg;
	struct ip_prefix asked;
	unsigned waiting, sent, failed;
	bool more; /* are left */
};

static void on_unban(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct letting *l = arg;
	pv_autobuf text = PV_BUF_INIT, next = PV_BUF_INIT;

	(void) pv_close(fd);
	l->failed += rep->result < 0;
	if (--l->waiting)
		return;
	prefix_text(&text, &l->asked);
	pv_buf_printf(&next, "pavise unban %s", pv_buf_str(&text));
	if (l->failed)
		pv_buf_puts(&text, " could not be let in: the kernel refused it");
	else if (l->more)
		pv_buf_printf(&text, " is not let in whole: %u bans have ended, more are left", l->sent);
	else
		pv_buf_puts(&text, " is let in again");
	l->fn(g, !l->failed && !l->more, pv_buf_str(&text), l->failed ? "pavise doctor" : pv_buf_str(&next), l->arg);
	free(l);
}

/* False: no more can be asked of the broker now, and the ban stays. */
static bool let_in(struct guard *g, struct letting *l, const struct ip_prefix *who)
{
	struct broker_req req = { .op = BROKER_UNBAN, .prefix = who->len };
	struct ban *ban = bans_find(g->bans, who);

	memcpy(req.addr, who->addr.b, sizeof(req.addr));
	if (l->sent == UNBAN_MOST || link_call(g, &req, on_unban, l) < 0)
		return false;
	l->sent++;
	l->waiting++;
	(void) store_ban_drop(g->store, who);
	login_forget(g->bans->login, who);
	if (ban)
		bans_remove(g, ban);
	g->bans->restore |= bans_overlapping(g, who) != NULL; /* it may have stood for that one, too */
	return true;
}

/* Some of the bans that hold the address, or that lie within the network. */
static size_t unban_find(const struct bans *b, const struct ip_prefix *asked, struct ip_prefix ret[UNBAN_MAX])
{
	const struct ban *ban;
	size_t n = 0;

	for (size_t i = 0; n < UNBAN_MAX && (ban = pv_map_next(&b->all, &i));)
		if (ip_in_prefix(&asked->addr, &ban->who) || ip_in_prefix(&ban->who.addr, asked))
			ret[n++] = ban->who;
	return n;
}

/* Every ban that holds the address, or that lies within the network. */
void bans_ask_unban(struct guard *g, const char *address, bans_fn fn, void *arg)
{
	struct letting *l = calloc(1, sizeof(*l));
	struct ip_prefix found[UNBAN_MAX];
	size_t n;

	if (!l || ip_prefix_parse(address, &l->asked) < 0) {
		fn(g, false, "that is no address or network", "pavise unban --help", arg);
		free(l);
		return;
	}
	l->fn = fn;
	l->arg = arg;
	login_forget(g->bans->login, &l->asked);
	l->waiting = 1; /* so that an answer within the loop is not the last */
	while (!l->more && (n = unban_find(g->bans, &l->asked, found)))
		for (size_t i = 0; i < n && !l->more; i++)
			l->more = !let_in(g, l, &found[i]);
	if (!l->sent && !l->more) {
		pv_autobuf text = PV_BUF_INIT;

		prefix_text(&text, &l->asked);
		pv_buf_puts(&text, " is not locked out by pavise");
		fn(g, false, pv_buf_str(&text), "pavise bans", arg);
		free(l);
		return;
	}
	on_unban(g, &(const struct broker_rep){ .result = 0 }, -1, l);
}
