/* severity.h - the five severities, worst first as numbers go up. */
#ifndef PV_MODEL_SEVERITY_H
#define PV_MODEL_SEVERITY_H

enum severity { SEV_INFO, SEV_LOW, SEV_MEDIUM, SEV_HIGH, SEV_CRITICAL, SEV_N };

const char *severity_name(enum severity s);	       /* "critical" */
int severity_parse(const char *s, enum severity *ret); /* 0 or -EINVAL */
int severity_cef(enum severity s);		       /* 9 7 4 2 0: CEF, SARIF */
int severity_syslog(enum severity s);		       /* 2 3 4 5 6 */

#endif
