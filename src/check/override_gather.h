/* override_gather.h - `pavise audit --fix --compose FILE`: looks at the running containers of the file's services and writes
 * the override, with what it leaves named at its end, found by judging file and override together. */
#ifndef PV_CHECK_OVERRIDE_GATHER_H
#define PV_CHECK_OVERRIDE_GATHER_H

#include "check/gather.h"
#include "check/override.h"
#include "check/read_compose.h"

/* `a` holds the file's services and their findings. Appends the override's text to `out`. 1; 0: nothing is to be mended;
 * -errno. */
int override_compose(struct audit *a, const char *const *paths, size_t n_paths, const struct compose_files *files,
		     struct pv_buf *out);

/* What was seen of a container (NULL: there is none) so far. */
void override_look(struct audit *a, const struct ctr *c, struct override_seen *seen);

#endif
