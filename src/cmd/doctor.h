/* doctor.h - what the parts of `pavise doctor` share. */
#ifndef PV_CMD_DOCTOR_H
#define PV_CMD_DOCTOR_H

#include "cmd/cmd.h"

enum doctor_answer { WELL, DEGRADED, UNCHECKED, DOCTOR_ANSWERS };

struct doctor {
	struct cmd *c;
	const struct policy *policy;
	struct pv_buf out;
	struct words_style style;
	bool json;
	unsigned n[DOCTOR_ANSWERS];
	bool docker, podman; /* answered */
};

/* One line of the result. `next` NULL: there is nothing to do. */
void doctor_tell(struct doctor *d, enum doctor_answer a, const char *what, const char *next, const char *why_fmt, ...)
	PV_PRINTF(5, 6);

/* What lies on disk: programs, configuration, folders, unit, package. Changes nothing. */
void doctor_install(struct doctor *d);

/* Programs that would not start for want of a library: the dynamic linker is asked, nothing of them runs. Told where one is missing, and
 * with `well` also where none is. */
void doctor_libraries(struct doctor *d, bool well);

/* Where logins are told, and who can forge it. */
void doctor_logs(struct doctor *d);

#endif
