#include "report/tell_login.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

static void network(struct pv_buf *out, const struct ip_prefix *who)
{
	if (who->len == 128)
		ip_format(out, &who->addr);
	else
		ip_prefix_format(out, who);
}

void tell_lines(struct notice *n, const struct login_verdict *v)
{
	for (size_t i = 0; i < v->n_lines; i++) {
		pv_autobuf where = PV_BUF_INIT;

		pv_buf_puts(&where, v->lines[i].source);
		if (v->lines[i].line)
			pv_buf_printf(&where, ":%" PRIu64, v->lines[i].line);
		notice_add_evidence(n, pv_buf_str(&where), "%s", v->lines[i].text);
	}
}

static void common(struct notice *n, const struct login_verdict *v)
{
	pv_autobuf who = PV_BUF_INIT;

	network(&who, &v->who);
	notice_add_evidence(n, "address", "%s", pv_buf_str(&who));
	notice_add_evidence(n, "service", "%s", v->service);
	if (v->user[0])
		notice_add_evidence(n, "user", "%s", v->user);
	tell_lines(n, v);
}

void tell_login(struct notice *n, const struct login_verdict *v, enum login_answer answer, uint64_t ban_us, const char *how)
{
	pv_autobuf who = PV_BUF_INIT, window = PV_BUF_INIT, span = PV_BUF_INIT;

	network(&who, &v->who);
	clock_duration(&window, v->window_us);
	clock_duration(&span, ban_us);
	switch (answer) {
	case LOGIN_TELL_DISTRIBUTED:
		notice_set_what(n, "about %u addresses were refused as one user of %s within %s; nobody is locked out", v->addresses,
				v->service, pv_buf_str(&window));
		notice_set_next(n, "pavise explain login.distributed");
		break;
	case LOGIN_TELL_SUSPICIOUS:
		notice_set_what(n, "%s logged in to %s after %u refused logins", pv_buf_str(&who), v->service, v->count);
		notice_set_next(n, "pavise explain login.suspicious");
		break;
	default:
		notice_set_what(n, "%s was refused %u logins by %s within %s%s%s%s%s", pv_buf_str(&who), v->count, v->service,
				pv_buf_str(&window), ban_us ? "; locked out for " : "", ban_us ? pv_buf_str(&span) : "", how ? "; " : "",
				how ? how : "");
		if (ban_us)
			notice_set_next(n, "pavise unban %s", pv_buf_str(&who));
		else
			notice_set_next(n, "pavise explain login.bruteforce");
	}
	common(n, v);
}

void tell_ban_failed(struct notice *n, const struct login_verdict *v, const char *why, const char *next)
{
	pv_autobuf who = PV_BUF_INIT;

	network(&who, &v->who);
	notice_set_what(n, "%s was refused %u logins by %s, but is not locked out: %s", pv_buf_str(&who), v->count, v->service, why);
	notice_set_next(n, "%s", next);
	common(n, v);
}

void tell_bans_folded(struct notice *n, const struct ban_folded *f)
{
	pv_autobuf span = PV_BUF_INIT;

	clock_duration(&span, PV_MAX(f->span_us, USEC_PER_SEC));
	notice_set_what(n, "%" PRIu64 " more addresses were locked out within %s; so many are told together", f->n, pv_buf_str(&span));
	notice_set_next(n, "pavise bans");
	for (size_t i = 0; i < f->n_shown; i++) {
		pv_autobuf who = PV_BUF_INIT;

		network(&who, &f->shown[i].who);
		notice_add_evidence(n, f->shown[i].service, "%s", pv_buf_str(&who));
	}
}

const char *tell_never(uint64_t why)
{
	static const char *const texts[NEVER_N] = {
		[NEVER_NO] = "it could not be carried out",
		[NEVER_SPECIAL] = "it is a loopback, link-local or multicast address",
		[NEVER_OWN] = "it is an address of this host",
		[NEVER_GATEWAY] = "it is a router of this host",
		[NEVER_RESOLVER] = "it is a name server that this host uses",
		[NEVER_CONTAINERS] = "it belongs to a network of containers",
		[NEVER_PROXY] = "it is one of `proxies`",
		[NEVER_LISTED] = "it is in `never_ban`",
		[NEVER_ADMIN] = "an administrator's SSH session is open from there",
		[NEVER_OUTGOING] = "this host has a connection open to it",
		[NEVER_WIDE] = "so wide a network needs a person",
		[NEVER_UNKNOWN] = "who is never banned (routers, name servers, open connections) cannot be read now, and nobody is banned blindly",
	};

	return why < NEVER_N ? texts[why] : texts[NEVER_NO];
}
