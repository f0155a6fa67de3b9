/* flow.h - what the replays of test/flow (test_load.c, test_succession.c) read alike. */
#ifndef PV_TEST_FLOW_H
#define PV_TEST_FLOW_H

#include "base/text.h"

#include "check.h"

/* "4m50s" */
static inline uint64_t duration(const char *s)
{
	uint64_t sum = 0, part;
	char one[32];

	while (*s) {
		size_t n = strspn(s, "0123456789");

		n += strspn(s + n, "msdh");
		CHECK(n && n < sizeof(one), "duration %s", s);
		memcpy(one, s, n);
		one[n] = '\0';
		CHECK(parse_duration(one, &part) == 0, "duration %s", one);
		sum += part;
		s += n;
	}
	return sum;
}

static inline uint64_t percent(const char *s)
{
	uint32_t v = 0;

	CHECK(s && parse_permyriad(s, &v) == 0, "percentage %s", s ? s : "(none)");
	return v;
}

#endif
