/* checksum.h - formats that carry a check sum: a token that fails it was made up, or mistyped. */
#ifndef PV_MATCH_CHECKSUM_H
#define PV_MATCH_CHECKSUM_H

#include "match/rule.h"

/* 1 fits, 0 does not.
 *   crc32      8 hex digits behind the last `_`: CRC-32 of all before it
 *   luhn       digits of a card or account number
 *   base62crc  the last 6 characters are the CRC-32 in base 62 of what stands between the prefix (up to the last `_`) and
 *              them (GitHub, npm)
 *   base36crc  the last 7 are the CRC-32 in base 36 of all before them (GitLab's routable tokens)
 *   jwt        the first part decodes to a JSON object with "alg" */
int match_check(enum rule_check check, const char *token, size_t len);

uint32_t match_crc32(const void *data, size_t len);

#endif
