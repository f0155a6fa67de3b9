/* unit_file.h - the settings of a systemd unit that the audit judges, its drop-ins read behind it: later lines win,
 * lists add up, an empty assignment empties a list (systemd.unit(5), systemd.syntax(7)). */
#ifndef PV_CHECK_UNIT_FILE_H
#define PV_CHECK_UNIT_FILE_H

#include "check/container.h"

struct unit_file {
	const char *name; /* web.service */
	const char *path;
	const char *user, *work_dir; /* NULL: not set */
	struct ctr_words env;        /* "NAME=value" */
	struct ctr_words env_file;   /* with its "-" */
	struct ctr_words exec;
	bool private_tmp, no_new_privileges, dynamic_user;
	bool implies_nnp; /* a setting that brings it along for services that are not root's */
	bool has_service; /* there is a [Service] section */
	unsigned user_line;
};

/* Reads `text` of `path` on top of what is there. 0 or -ENOMEM. */
int unit_file_read(struct arena *a, struct unit_file *u, const char *text, size_t len, const char *path);

#endif
