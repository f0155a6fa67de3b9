/* key.h - what a delivery remembers of its channel: a hash of the URL. An index would name another channel after a
 * reload, and the URL itself may hold a secret. Guards nothing (FNV-1a, 64 bits). */
#ifndef PV_STORE_KEY_H
#define PV_STORE_KEY_H

#include "model/policy.h"

static inline uint64_t store_channel_key(const struct policy_channel *c)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (const char *s = c->url; *s; s++)
		h = (h ^ (uint8_t) *s) * 0x100000001b3u;
	return h;
}

#endif
