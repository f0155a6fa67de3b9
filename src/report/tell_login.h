/* tell_login.h - wording of what is said about logins and bans. Lines are masked by the caller. */
#ifndef PV_REPORT_TELL_LOGIN_H
#define PV_REPORT_TELL_LOGIN_H

#include "detect/ban.h"
#include "detect/login.h"
#include "model/broker_proto.h"
#include "model/notice.h"

/* login.bruteforce, login.distributed, login.suspicious; `n` was begun with its id. `how`: NULL, or what is done instead of a
 * ban ("fail2ban runs here and is left to it"). */
void tell_login(struct notice *n, const struct login_verdict *v, enum login_answer answer, uint64_t ban_us, const char *how);
/* ban.failed: what `why` (text) kept from being banned. */
void tell_ban_failed(struct notice *n, const struct login_verdict *v, const char *why, const char *next);
/* login.bruteforce of many at once. */
void tell_bans_folded(struct notice *n, const struct ban_folded *f);
/* "it is an address of this host" */
const char *tell_never(uint64_t why);
/* Evidence: the lines that led to it. */
void tell_lines(struct notice *n, const struct login_verdict *v);

#endif
