#include "base/text.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Reads decimal digits; returns how many, or -ERANGE. */
static int read_digits(const char *s, uint64_t *ret)
{
	uint64_t v = 0;
	int n = 0;

	for (; s[n] >= '0' && s[n] <= '9'; n++)
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t) (s[n] - '0'), &v))
			return -ERANGE;
	*ret = v;
	return n;
}

int parse_u64(const char *s, uint64_t *ret)
{
	uint64_t v;
	int n = read_digits(s, &v);

	if (n <= 0 || s[n])
		return n < 0 ? n : -EINVAL;
	*ret = v;
	return 0;
}

int parse_u32(const char *s, uint32_t *ret)
{
	uint64_t v;
	int r = parse_u64(s, &v);

	if (r < 0)
		return r;
	if (v > UINT32_MAX)
		return -ERANGE;
	*ret = (uint32_t) v;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static int parse_with_unit(const char *s, const struct unit *units, size_t n_units, uint64_t *ret)
{
	uint64_t v;
	int n = read_digits(s, &v);

	if (n <= 0)
		return n < 0 ? n : -EINVAL;
	for (size_t i = 0; i < n_units; i++) {
		if (strcmp(s + n, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(v, units[i].factor, &v))
			return -ERANGE;
		*ret = v;
		return 0;
	}
	return -EINVAL;
}

int parse_duration(const char *s, uint64_t *ret_us)
{
	static const struct unit units[] = {
		{ "ms", 1000 },
		{ "s", 1000000 },
		{ "m", 60000000 },
		{ "h", 3600000000 },
		{ "d", 86400000000 },
		{ "y", 365 * 86400000000 },
	};

	return parse_with_unit(s, units, N_ELEMENTS(units), ret_us);
}

int parse_bytes(const char *s, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "B", 1 },
		{ "kB", 1000 },
		{ "MB", 1000000 },
		{ "GB", 1000000000 },
		{ "KiB", 1u << 10 },
		{ "MiB", 1u << 20 },
		{ "GiB", 1u << 30 },
	};

	return parse_with_unit(s, units, N_ELEMENTS(units), ret);
}

int parse_permyriad(const char *s, uint32_t *ret)
{
	uint64_t whole, part = 0;
	int n = read_digits(s, &whole), m;

	if (n <= 0)
		return n < 0 ? n : -EINVAL;
	s += n;
	if (*s == '.') {
		m = read_digits(++s, &part);
		if (m < 1 || m > 2)
			return -EINVAL;
		if (m == 1)
			part *= 10;
		s += m;
	}
	if (strcmp(s, "%") != 0)
		return -EINVAL;
	if (whole > UINT32_MAX / 100 - 1)
		return -ERANGE;
	*ret = (uint32_t) (whole * 100 + part);
	return 0;
}

int parse_bool(const char *s, bool *ret)
{
	if (strcmp(s, "yes") == 0 || strcmp(s, "true") == 0)
		*ret = true;
	else if (strcmp(s, "no") == 0 || strcmp(s, "false") == 0)
		*ret = false;
	else
		return -EINVAL;
	return 0;
}

bool glob_match(const char *p, const char *s)
{
	const char *star = NULL, *back = NULL;

	while (*s) {
		if (*p == '*') {
			star = p++;
			back = s;
		} else if (*p == '?' || *p == *s) {
			p++;
			s++;
		} else if (star) {
			p = star + 1;
			back++;
			if (*p && *p != '*' && *p != '?') { /* on to where it can go on */
				back = strchr(back, *p);
				if (!back)
					return false;
			}
			s = back;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return !*p;
}

bool text_copy(char *dst, size_t size, const char *s)
{
	size_t len = strlen(s), n = PV_MIN(len, size - 1);

	memcpy(dst, s, n);
	dst[n] = '\0';
	return n == len;
}

bool text_is_hex(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	return s[len] == '\0';
}

size_t text_lines(const char *s, size_t len)
{
	size_t n = 0, i = 0;

#ifdef __SSE2__
	const __m128i nl = _mm_set1_epi8('\n'), zero = _mm_setzero_si128();

	while (len - i >= 16) { /* a byte counts to 255 */
		size_t end = i + PV_MIN(len - i, (size_t) 255 * 16) / 16 * 16;
		__m128i sum = zero;

		for (; i < end; i += 16)
			sum = _mm_sub_epi8(sum, _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *) (s + i)), nl));
		sum = _mm_sad_epu8(sum, zero);
		n += (size_t) _mm_cvtsi128_si64(sum) + (size_t) _mm_cvtsi128_si64(_mm_unpackhi_epi64(sum, sum));
	}
#endif
	for (; i < len; i++)
		n += s[i] == '\n';
	return n;
}

bool text_listed(const char *list, const char *id)
{
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ",");

		if (n && strncmp(p, id, n) == 0 && (!id[n] || id[n] == '.' || p[n - 1] == '.'))
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}
