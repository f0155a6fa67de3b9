/* random.h - how unlike text a string is: what tells a made-up key from a word, a path or a placeholder.
 *
 * randomness(s) = (1/n) * sum over the neighbours a,b of s of  w * -log2 P(b | a)
 *
 * in bits per character. P is the probability that b follows a in program text, counted over C headers and Python and
 * JavaScript sources (tools/random-table makes the table; case matters, the ten digits are equally likely).
 * w is 0 where the neighbours continue a run (aaaa, 1234, fedc), 1/4 where the same two stood before in s (abcabc), else 1.
 * Identifiers of JavaScript give 4.3 (the middle; 19 of 20 less than 7.2), 32 random hex digits 6.3 (99 of 100 more than
 * 4.9), 20 random letters and digits 8.4 (6.2), with capitals 9.7 (7.5).
 * Only the first 128 characters count. Strings under 4 give 0. */
#ifndef PV_MATCH_RANDOM_H
#define PV_MATCH_RANDOM_H

#include "base/util.h"

uint32_t match_randomness(const char *s, size_t len); /* hundredths of a bit */

#endif
