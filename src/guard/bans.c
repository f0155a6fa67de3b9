#include "base/clock.h"
#include "guard/guard.h"
#include "model/log_event.h"

/* Refused logins are told, folded by address. */
void bans_event(struct guard *g, const struct log_event *e)
{
	pv_autobuf address = PV_BUF_INIT;
	struct notice n;
	uint64_t key = ID_LOGS_AUTH_FAILURE;

	if (e->strength != LOG_STRONG || !e->has_address)
		return;
	ip_format(&address, &e->address);
	for (size_t i = 0; i < sizeof(e->address.b); i++)
		key = (key ^ e->address.b[i]) * 0x100000001b3ULL;
	notice_init(&n, ID_LOGS_AUTH_FAILURE, clock_wall_us());
	notice_set_what(&n, "refused a login from %s", pv_buf_str(&address));
	notice_add_evidence(&n, "address", "%s", pv_buf_str(&address));
	notice_add_evidence(&n, "log", "%s", e->source);
	notices_fold(g, key, &n);
}
