/* screen.h - the audit on one screen: the grade, then one group a cause, worst first, each with the command that mends
 * it. At most 15 lines, unless there are more causes of severity critical than fit: every critical subject is always
 * named. */
#ifndef PV_CHECK_CHILD_SCREEN_H
#define PV_CHECK_CHILD_SCREEN_H

#include "check/check.h"
#include "check/last.h"
#include "report/words.h"

struct screen {
	const struct finding_list *list; /* sorted */
	const char *target;              /* NULL: this host */
	const struct last_diff *diff;    /* to the last run; may be NULL */
	struct words_style style;
};

void screen_write(struct pv_buf *out, const struct screen *s);

#endif
