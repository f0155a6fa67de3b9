#include "match/runs.h"

#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

bool run_char[256];

__attribute__((constructor)) static void fill_table(void)
{
	static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";

	for (const char *p = chars; *p; p++)
		run_char[(uint8_t) *p] = true;
}

static size_t next_slow(const char *text, size_t len, size_t at, size_t limit)
{
	while (at < limit && len - at >= RUN_MIN) {
		size_t i = RUN_MIN;

		/* The end of where it would be is looked at first, so that words are skipped in one step. */
		while (i > 0 && run_has(text[at + i - 1]))
			i--;
		if (!i)
			return at;
		at += i;
	}
	return limit;
}

static size_t end_slow(const char *text, size_t len, size_t at)
{
	while (at < len && run_has(text[at]))
		at++;
	return at;
}

#ifdef __x86_64__
static bool has_avx2;

__attribute__((constructor)) static void ask_processor(void)
{
	__builtin_cpu_init();
	has_avx2 = __builtin_cpu_supports("avx2") != 0;
}

/* Zero in each byte of 32 that is a character of a run. Which ones are is looked up in two steps: the upper half of the byte
 * gives its row (2, 3, 4 and 6, 5, 7 hold some), the lower half the rows that have one there. */
__attribute__((target("avx2"))) static inline __m256i out_of_run(const char *p)
{
	const __m256i rows = _mm256_setr_epi8(0, 0, 1, 2, 4, 8, 4, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 4, 16, 0, 0, 0, 0,
					      0, 0, 0, 0);
	const __m256i cols = _mm256_setr_epi8(26, 30, 30, 30, 30, 30, 30, 30, 30, 30, 28, 5, 4, 5, 4, 13, 26, 30, 30, 30, 30, 30,
					      30, 30, 30, 30, 28, 5, 4, 5, 4, 13);
	const __m256i c = _mm256_loadu_si256((const __m256i *) p);
	const __m256i row = _mm256_and_si256(_mm256_srli_epi16(c, 4), _mm256_set1_epi8(15));

	return _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(rows, row), _mm256_shuffle_epi8(cols, c)),
				 _mm256_setzero_si256());
}

__attribute__((target("avx2"))) static inline uint64_t in_run(const char *p)
{
	return ~(uint32_t) _mm256_movemask_epi8(out_of_run(p)) & 0xffffffff;
}

/* One bit for each eight bytes of 32 that all stand in a run. */
__attribute__((target("avx2"))) static inline unsigned eights(const char *p)
{
	return (unsigned) _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(out_of_run(p), _mm256_setzero_si256())));
}

/* The start of a run in the 64 bytes at `p`, or 64; 32 more are read. */
__attribute__((target("avx2"))) static size_t start_in(const char *p)
{
	uint64_t m = in_run(p) | in_run(p + 32) << 32, next = in_run(p + 64);
	uint64_t two = m & (m >> 1 | next << 63), two_next = next & next >> 1;
	uint64_t four = two & (two >> 2 | two_next << 62), four_next = two_next & two_next >> 2;
	uint64_t eight = four & (four >> 4 | four_next << 60), eight_next = four_next & four_next >> 4;
	uint64_t run = eight & (eight >> 8 | eight_next << 56) & (eight >> 16 | eight_next << 48); /* 3 x 8 = RUN_MIN */

	return run ? (size_t) __builtin_ctzll(run) : 64;
}

/* Blocks do not depend on each other, so the processor works on several at once; steps from word to word do. A run of 24 fills
 * two eights that lie beside each other, wherever it begins: few blocks need a closer look. */
__attribute__((target("avx2"))) static size_t next_fast(const char *text, size_t len, size_t at, size_t limit)
{
	size_t floor = at;
	unsigned before = 0;

	while (at < limit && len - at >= 64 + 32) {
		unsigned full = eights(text + at) | eights(text + at + 32) << 4;
		size_t from = at - floor > 16 ? at - 16 : floor, start;

		if (!(full & (full << 1 | before))) {
			before = full >> 7;
			at += 64;
			continue;
		}
		start = start_in(text + from); /* it began less than 16 bytes before the first of two eights */
		if (start < 64)
			return from + start;
		floor = at = from + 64;
		before = 0;
	}
	/* What the last block may have begun. */
	return next_slow(text, len, at - floor > 16 ? at - 16 : floor, limit);
}

__attribute__((target("avx2"))) static size_t end_fast(const char *text, size_t len, size_t at)
{
	for (; at < len && len - at >= 32; at += 32) {
		uint32_t other = ~(uint32_t) in_run(text + at);

		if (other)
			return at + (size_t) __builtin_ctz(other);
	}
	return end_slow(text, len, at);
}
#endif

size_t run_next(const char *text, size_t len, size_t at, size_t limit)
{
#ifdef __x86_64__
	if (has_avx2)
		return next_fast(text, len, at, limit);
#endif
	return next_slow(text, len, at, limit);
}

size_t run_end(const char *text, size_t len, size_t at)
{
#ifdef __x86_64__
	if (has_avx2)
		return end_fast(text, len, at);
#endif
	return end_slow(text, len, at);
}
