#include "match/random.h"

#include <string.h>

/* -log2 P(b | a) in sixteenths of a bit. */
static const uint8_t surprise[61][61] = {
#include "match/random_table.inc"
};

#define DIGIT	   52
#define LONGEST	   128
#define DIGIT_COST 53 /* log2(10): which of the ten */

static unsigned symbol(unsigned char c)
{
	static const char others[] = "_-./+= ";
	const char *p;

	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 26u;
	if (c >= '0' && c <= '9')
		return DIGIT;
	p = c ? strchr(others, c) : NULL;
	return p ? 53u + (unsigned) (p - others) : 60;
}

/* aaaa, 1234, fedc: the third and later characters of a run tell nothing new. */
static bool runs_on(const char *s, size_t i)
{
	int step = s[i] - s[i - 1];

	return step == 0 || (i >= 2 && (step == 1 || step == -1) && step == s[i - 1] - s[i - 2]);
}

uint32_t match_randomness(const char *s, size_t len)
{
	uint64_t seen[64] = { 0 }; /* pairs, by their hash: a false "seen before" only makes us more careful */
	uint32_t sum = 0;

	len = PV_MIN(len, (size_t) LONGEST);
	if (len < 4)
		return 0;
	for (size_t i = 1; i < len; i++) {
		unsigned a = symbol((unsigned char) s[i - 1]), b = symbol((unsigned char) s[i]);
		unsigned pair = ((unsigned char) s[i - 1] * 251u + (unsigned char) s[i] * 31u) & 4095;
		uint32_t bits = surprise[a][b] + (b == DIGIT ? DIGIT_COST : 0u);

		if (runs_on(s, i))
			bits = 0;
		else if (seen[pair / 64] >> pair % 64 & 1)
			bits /= 4;
		seen[pair / 64] |= 1ULL << pair % 64;
		sum += bits;
	}
	return (uint32_t) (sum * 100 / 16 / (len - 1));
}
