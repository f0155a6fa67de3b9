/* text.h - reading what people and files write: numbers with units, globs, words. Parsers take the
 * whole string or fail with -EINVAL (-ERANGE when it does not fit); results are stored on success only. */
#ifndef PV_BASE_TEXT_H
#define PV_BASE_TEXT_H

#include "base/util.h"

int parse_u64(const char *s, uint64_t *ret);		 /* decimal digits only */
int parse_u32(const char *s, uint32_t *ret);
int parse_duration(const char *s, uint64_t *ret_us);	 /* 90s 10m 6h 7d 1y (365 days), also 500ms; one unit */
int parse_bytes(const char *s, uint64_t *ret);		 /* 450MB = 450*10^6, 450MiB, 4096 */
int parse_permyriad(const char *s, uint32_t *ret);	 /* 80% = 8000; two decimals at most */
int parse_bool(const char *s, bool *ret);		 /* yes no true false */

/* Shell-like match with `*` and `?` only, over the whole of `s`; linear in memory, no recursion. */
bool glob_match(const char *pattern, const char *s);

/* Whether `list` (parted by commas) names an id, or a beginning of it that ends at a dot. */
bool text_listed(const char *list, const char *id);

/* Line ends in `len` bytes. */
size_t text_lines(const char *s, size_t len);

/* Copies at most size-1 bytes and terminates; returns false when `s` was cut. */
bool text_copy(char *dst, size_t size, const char *s);
bool text_is_hex(const char *s, size_t len); /* exactly `len` lower-case hex digits, then NUL */

#endif
