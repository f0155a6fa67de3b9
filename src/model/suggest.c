#include "model/suggest.h"

#include <string.h>

#include "base/util.h"

#define WORD_MAX 48

/* Optimal string alignment; three rows are enough for a swap of neighbours. */
unsigned word_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1];
	size_t la = PV_MIN(strlen(a), WORD_MAX), lb = PV_MIN(strlen(b), WORD_MAX);

	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = (unsigned) j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *upper = rows[(i + 1) % 3];

		row[0] = (unsigned) i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned d = up[j - 1] + (a[i - 1] != b[j - 1]);

			d = PV_MIN(d, PV_MIN(up[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = PV_MIN(d, upper[j - 2] + 1);
			row[j] = d;
		}
	}
	return rows[la % 3][lb];
}

void suggest_try(struct suggest *s, const char *candidate)
{
	unsigned d = word_distance(s->word, candidate);

	if (d > strlen(candidate) / 3 + 1 || d >= strlen(candidate) || (s->best && d >= s->distance))
		return;
	s->best = candidate;
	s->distance = d;
}
