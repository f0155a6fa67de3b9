/* probe.h - `pavise audit --probe URL`: what a site answered, judged. The requests are made by pavise-fetch, which prints a line
 * for each (`kind TAB status TAB ...`, escaped); this reads the lines. Pure. */
#ifndef PV_CHECK_PROBE_H
#define PV_CHECK_PROBE_H

#include "check/gather.h"

#define PROBE_LOGINS 7 /* requests at most that look like a login */

/* Adds tls.https-on, tls.redirect, app.cors-explicit and app.rate-limit about `url`. 0, -ENOMEM, -EBADMSG. */
int probe_judge(struct audit *a, const char *url, const char *text);

#endif
