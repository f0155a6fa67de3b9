/* allow.h - the comment that spares a line: `pavise:allow RULE until=2027-03-01 reason=made-up key of a test`, on the line
 * itself or alone on the line before. RULE is a rule's id (github.pat), own-value, or a finding's (secret.in-code). */
#ifndef PV_SCAN_ALLOW_H
#define PV_SCAN_ALLOW_H

#include "base/util.h"

#define ALLOW_WORD "pavise:allow"

struct allow {
	size_t start;	/* of the word, in the text */
	char rule[96];
	char wrong[80]; /* why it does not count; empty: it does */
};

/* The first ALLOW_WORD, or NULL. Every file that is read is searched for it. */
const char *allow_find(const char *text, size_t len);
/* The next one at or after *at. False when there is none. */
bool allow_next(const char *text, size_t len, size_t *at, uint64_t now_us, struct allow *ret);
/* Whether it speaks of the place `start` in the text. */
bool allow_reaches(const char *text, size_t len, const struct allow *a, size_t start);

#endif
