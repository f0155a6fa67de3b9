#include "scan/allow.h"

#include <ctype.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "model/ignore.h"

static size_t word_len(const char *p, const char *end)
{
	const char *q = p;

	while (q < end && !isspace((unsigned char) *q))
		q++;
	return (size_t) (q - p);
}

static bool take(const char *p, size_t n, const char *key, char *out, size_t size)
{
	size_t k = strlen(key);

	if (n < k || memcmp(p, key, k) != 0 || n - k >= size)
		return false;
	memcpy(out, p + k, n - k);
	out[n - k] = '\0';
	return true;
}

static const char *judge(const char *until, bool reason, uint64_t now_us)
{
	uint64_t until_us;

	if (!reason)
		return "its reason= is missing";
	if (ignore_date(until, &until_us) < 0)
		return "until= wants a date such as 2027-03-01";
	switch (ignore_in_force(until_us, now_us)) {
	case -ETIME:
		return "its date is over";
	case -ERANGE:
		return "its date lies more than a year ahead";
	}
	return "";
}

const char *allow_find(const char *text, size_t len)
{
	size_t at = 0;

#ifdef __SSE2__
	/* Two characters that stand seldom at this distance; memmem() would take each letter of a program for a beginning. */
	const __m128i v = _mm_set1_epi8('v'), colon = _mm_set1_epi8(':');

	for (; len - at >= 32; at += 16) {
		__m128i a = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *) (text + at + 2)), v);
		__m128i b = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *) (text + at + 6)), colon);

		for (unsigned m = (unsigned) _mm_movemask_epi8(_mm_and_si128(a, b)); m; m &= m - 1) {
			const char *p = text + at + __builtin_ctz(m);

			if (memcmp(p, ALLOW_WORD, sizeof(ALLOW_WORD) - 1) == 0)
				return p;
		}
	}
#endif
	return memmem(text + at, len - at, ALLOW_WORD, sizeof(ALLOW_WORD) - 1);
}

bool allow_next(const char *text, size_t len, size_t *at, uint64_t now_us, struct allow *ret)
{
	const char *end = text + len, *hit, *p, *line_end;
	char until[32] = "";
	bool reasoned = false;
	size_t n;

	hit = *at < len ? allow_find(text + *at, len - *at) : NULL;
	if (!hit)
		return false;
	p = hit + strlen(ALLOW_WORD);
	*at = (size_t) (p - text);
	line_end = memchr(p, '\n', (size_t) (end - p));
	line_end = line_end ? line_end : end;
	*ret = (struct allow){ .start = (size_t) (hit - text) };
	for (bool first = true;; first = false, p += n) {
		while (p < line_end && isspace((unsigned char) *p))
			p++;
		n = word_len(p, line_end);
		if (!n)
			break;
		if (first)
			(void) take(p, n, "", ret->rule, sizeof(ret->rule));
		else if (!take(p, n, "until=", until, sizeof(until)) && n > 7 && memcmp(p, "reason=", 7) == 0)
			reasoned = true; /* the rest of the line is the reason */
		if (reasoned)
			break;
	}
	(void) strncpy(ret->wrong, judge(until, reasoned, now_us), sizeof(ret->wrong) - 1);
	return true;
}

static size_t line_start(const char *text, size_t at)
{
	const char *nl = at ? memrchr(text, '\n', at) : NULL;

	return nl ? (size_t) (nl + 1 - text) : 0;
}

/* Letters in front of it other than a comment's: then it stands behind code and speaks of its own line only. */
static bool alone(const char *text, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (isalnum((unsigned char) text[i]))
			return false;
	return true;
}

bool allow_reaches(const char *text, size_t len, const struct allow *a, size_t start)
{
	size_t from = line_start(text, a->start);
	const char *nl = memchr(text + a->start, '\n', len - a->start);
	size_t end = nl ? (size_t) (nl - text) : len;

	if (start >= from && start < end)
		return true;
	if (!nl || !alone(text, from, a->start) || start <= end)
		return false;
	return line_start(text, start) == end + 1;
}
