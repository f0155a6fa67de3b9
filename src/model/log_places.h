/* log_places.h - where logs lie: the well-known places, the journal's, and those of the configuration, under one numbering that engine
 * and broker share. The engine names a number, the broker takes the path from here: none is ever sent. */
#ifndef PV_MODEL_LOG_PLACES_H
#define PV_MODEL_LOG_PLACES_H

#include "model/policy.h"

enum log_place_kind {
	PLACE_FILES,   /* lines of the service */
	PLACE_SYSLOG,  /* lines with a syslog head: the program in it chooses the rules; any local user can forge it */
	PLACE_AUTH,    /* the same, and all of it stands in the journal, too: read only where there is none */
	PLACE_JOURNAL, /* the system's journal files; they come first */
};

struct log_place {
	const char *path; /* a glob: `*` and `?` inside one name */
	const char *service; /* name of a rule file; NULL: by shape */
	enum log_place_kind kind;
};

/* How the container's engine writes its log to a file of its own. */
enum log_driver { LOG_JSON_FILE, LOG_LOCAL, LOG_DRIVERS };

unsigned log_places(const struct policy *p); /* how many */
struct log_place log_place(const struct policy *p, unsigned i);

/* Names that are no log that grows: compressed, or rotated by number (`.1`, `.old`, `~`). They are found beside their log. */
bool log_name_is_rotated(const char *name);

#endif
