/* dns_table.h - compiles the patterns of dns.names and dns.allow into the table that bpf/dns_match.h runs. */
#ifndef PV_MODEL_DNS_TABLE_H
#define PV_MODEL_DNS_TABLE_H

#include "base/util.h"
#include "bpf/dns_match.h"

/* Fills *t. Patterns are lists of labels of 1-63 of [a-z0-9_-] (upper case is folded, one trailing dot ignored) or a
 * lone `*`. Together they may have DNS_BITS labels. 0, or -EINVAL (a pattern is no pattern) or -E2BIG (too many labels)
 * with one line in `err`; *t is then all zero and matches nothing. */
int dns_table_build(struct dns_table *t, const char (*names)[128], uint32_t n_names, const char (*allow)[128],
		    uint32_t n_allow, char *err, size_t err_size);

/* Adds a name to the compiled table's pools: `flags` POOL_NAME or POOL_RESOLVER, for it and all that ends with it. Two to four
 * labels. 0, -EINVAL (no such name), -E2BIG: no room. dns_table_build() leaves none in it. */
int dns_table_pool(struct dns_table *t, const char *name, uint32_t flags);
void dns_table_pools_clear(struct dns_table *t);
/* POOL_NAME and POOL_RESOLVER of what `dotted` ends with, 0 neither, -EINVAL: no DNS name. */
int dns_name_pool(const struct dns_table *t, const char *dotted);

/* Does `dotted` (any case, trailing dot ignored) match? 1 and the index of its pattern, 0 no, -EINVAL: no DNS name.
 * `ret_pattern` may be NULL. */
int dns_name_match(const struct dns_table *t, const char *dotted, int *ret_pattern);

/* The wire form of an event's name as dotted text; labels' odd bytes appear as \DDD (RFC 1035, 5.1). Always terminated. */
void dns_name_text(char *out, size_t size, const uint8_t *wire, size_t len);

#endif
