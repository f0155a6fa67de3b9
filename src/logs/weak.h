/* weak.h - addresses that were answered 401 lately, and for which paths: a later answer with success for the same path means
 * that they got through (an expired token that was renewed, basic auth's first question). Bounded; forgets the oldest. */
#ifndef PV_LOGS_WEAK_H
#define PV_LOGS_WEAK_H

#include "base/ip.h"

struct weak;
int weak_new(struct weak **ret);
struct weak *weak_free(struct weak *w);
PV_AUTO(weak)

void weak_note(struct weak *w, const struct ip_addr *a, const char *text, size_t text_len, const char *path, size_t path_len,
	       uint64_t time_us);
/* `text`: the address as it is written. False: certainly none was noted for it. Cheap: called for every line. */
bool weak_maybe(const struct weak *w, const char *text, size_t text_len);
/* Whether that path was refused to that address within the last ten minutes; forgets it. */
bool weak_through(struct weak *w, const struct ip_addr *a, const char *path, size_t path_len, uint64_t time_us);

#endif
