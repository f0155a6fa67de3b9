/* suggest.h - "did you mean": the nearest of a few words to one that was mistyped. */
#ifndef PV_MODEL_SUGGEST_H
#define PV_MODEL_SUGGEST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap of neighbours) from one word to the other; at most 48 bytes of each count. */
unsigned word_distance(const char *a, const char *b);

struct suggest {
	const char *word; /* what was typed */
	const char *best; /* NULL as long as nothing is near enough */
	unsigned distance;
};
/* Offers one candidate: it is kept when it is nearer than the ones before, and near at all (a third of its length). */
void suggest_try(struct suggest *s, const char *candidate);

#endif
