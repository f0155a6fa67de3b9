/* img.h - what a Dockerfile does while it builds, instruction by instruction. */
#ifndef PV_CHECK_IMG_H
#define PV_CHECK_IMG_H

#include "check/check.h"

/* One finding for each id of img.* that was asked for. Nothing for other sources than a Dockerfile. 0 or -ENOMEM. */
int check_image_steps(const struct ctr *c, const struct check_select *sel, struct finding_list *to);

#endif
