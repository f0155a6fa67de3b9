/* runs.h - runs of characters that tokens and encodings are made of: A-Za-z0-9 + / - _. A few in a thousand bytes of plain
 * text stand in one of RUN_MIN or more; they are found 64 bytes at a time where the processor has AVX2. */
#ifndef PV_MATCH_RUNS_H
#define PV_MATCH_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUN_MIN 24

extern bool run_char[256];

static inline bool run_has(char c)
{
	return run_char[(uint8_t) c];
}

/* The first place in [at, limit) from which RUN_MIN characters of a run stand in the text; `limit` or more: none. It is the
 * start of a run, or `at` in the middle of one. */
size_t run_next(const char *text, size_t len, size_t at, size_t limit);
/* Where the run ends that `at` stands in; `at` itself when it stands in none. */
size_t run_end(const char *text, size_t len, size_t at);

#endif
