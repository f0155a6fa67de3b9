/* recreate.h - the lines of a shell that make a container anew without its faults, for one that no
 * Compose file describes: all that the engine knows about it as options of `docker create`, the
 * findings' remedies in between. Its data come along (volumes by their names, what it wrote into
 * its own layer as copies), its environment is passed on without being printed, and when the new
 * one does not stay up the old one is put back. A setting that no option is known for makes no line
 * at all: nothing is dropped in silence. Pure but for recreate_script(). */
#ifndef PV_CHECK_RECREATE_H
#define PV_CHECK_RECREATE_H

#include <cjson/cJSON.h>

#include "check/gather.h"
#include "check/override.h"

/* Whether making the container anew mends it. */
bool recreate_mends(enum id id);

/* `inspect`: body of GET /containers/{id}/json, `c` what was read from it, `l` the findings that
 * are to be mended. 1: the lines are appended; 0: no finding about it can be mended so; -ENOTSUP:
 * it cannot be written down, `ret_why` says what; -ENOMEM. What is left out, since nobody has
 * watched, stands in a comment. */
int recreate_lines(struct arena *a, const cJSON *inspect, const struct ctr *c,
		   const struct override_seen *seen, const struct check_policy *p,
		   const struct finding_list *l, struct pv_buf *out, struct pv_buf *ret_why);

/* What `c` gives to another container of `l` (a network, "container:ID"), and to whom; NULL: nothing. That one would keep the
 * old id, and never start again. */
const char *recreate_lends(const struct ctr_list *l, const struct ctr *c, const struct ctr **ret_who);

/* The script for the containers `names` (commas between), judged in `a`. Returns how many of them
 * have no lines though they were named (said in `err`), or -errno. */
int recreate_script(struct audit *a, const char *names, struct pv_buf *out, struct pv_buf *err);

#endif
