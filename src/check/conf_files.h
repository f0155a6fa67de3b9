/* conf_files.h - files that an Include or an include names by a pattern, in order of their names. */
#ifndef PV_CHECK_CONF_FILES_H
#define PV_CHECK_CONF_FILES_H

#include "base/util.h"

struct conf_source {
	/* fn for each file that an absolute pattern (with * ? [] in its last part alone) names. 0, or -errno of one, or of
	 * the folder, that could not be read; -ENOENT only where that is all that is wrong. */
	int (*each)(void *user, const char *pattern,
		    void (*fn)(void *arg, const char *path, const char *text, size_t len), void *arg);
	void *user;
};

struct audit;
/* Those of the host that is looked at; 1 MiB each. */
struct conf_source conf_source_of(struct audit *a);

#endif
