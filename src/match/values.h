/* values.h - secrets known by their value (of .env files, unit and container environments), searched literally. They
 * live in one locked mapping that is left out of core dumps and of children, and is wiped when freed. */
#ifndef PV_MATCH_VALUES_H
#define PV_MATCH_VALUES_H

#include "base/util.h"

#define MATCH_VALUE_MIN	   8
#define MATCH_VALUE_MAX	   4096
#define MATCH_VALUES_COUNT 4096
#define MATCH_VALUES_BYTES (256u << 10)

struct match_values;
int match_values_new(struct match_values **ret);
struct match_values *match_values_free(struct match_values *v);
PV_AUTO(match_values)

/* Copies both. 1: will be searched for; 0: left out, being too short, too long, or a common word, number, address of this
 * host or placeholder that would be found everywhere; -ENOSPC, -ENOMEM. The same value again only counts once, under its
 * first name. Not after match_values_ready(). */
int match_values_add(struct match_values *v, const char *name, const char *value, size_t len);
/* Builds the table. -ENOMEM; -EPERM when memory could not be locked (RLIMIT_MEMLOCK): usable, but say so. */
int match_values_ready(struct match_values *v);

size_t match_values_count(const struct match_values *v);
const char *match_values_name(const struct match_values *v, size_t i);

typedef int (*match_value_fn)(size_t index, size_t start, size_t len, void *user);
/* Every place where a value stands. Returns 0 or what fn returned. Any number of threads. */
int match_values_scan(const struct match_values *v, const char *text, size_t len, match_value_fn fn, void *user);
/* Only those that touch [from, to). */
int match_values_scan_changed(const struct match_values *v, const char *text, size_t len, size_t from, size_t to,
			      match_value_fn fn, void *user);

#endif
