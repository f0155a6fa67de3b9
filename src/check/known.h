/* known.h - since when something is known on this host: remembered by the command between two audits. */
#ifndef PV_CHECK_KNOWN_H
#define PV_CHECK_KNOWN_H

#include "check/gather.h"

struct known_at {
	uint64_t first_us; /* when it was seen first */
	uint64_t since_us; /* since when things of its kind are looked at; equal to first_us: it was there from the start */
};

/* `kind`: a-z and -, at most 15. 0; -ENOENT for a saved host, which has no past; -errno where nothing can be kept. */
int known_since(struct audit *a, const char *kind, const char *what, struct known_at *ret);
/* It came later than the first look. */
static inline bool known_new(const struct known_at *s)
{
	return s->first_us > s->since_us;
}

#endif
