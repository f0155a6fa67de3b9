/* A delta and its base: what is built has the length that was promised, nothing is read or written beyond, and the map
 * accounts for every byte. Input: one byte of base length, the base, the delta. */
#include <assert.h>
#include <string.h>

#include "scan/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_map(const struct delta_map *m, const uint8_t *base, size_t base_len, const uint8_t *out, size_t len)
{
	size_t total = 0, end = 0;

	for (size_t i = 0; i < m->n_copies; i++) {
		const struct delta_copy *c = &m->copy[i];

		assert(c->dst >= end && c->dst + c->len <= len && c->src + c->len <= base_len);
		assert(memcmp(out + c->dst, base + c->src, c->len) == 0);
		end = c->dst + c->len;
		total += c->len;
	}
	end = 0;
	for (size_t i = 0; i < m->n_changed; i++) {
		assert(m->changed[i].start >= end && m->changed[i].start + m->changed[i].len <= len);
		end = m->changed[i].start + m->changed[i].len;
		total += m->changed[i].len;
	}
	assert(total == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct delta_map map;
	size_t base_len = size ? data[0] : 0;
	uint64_t want_base, want;
	uint8_t *out;
	int r;

	if (size < 1 + base_len)
		return 0;
	r = delta_lengths(data + 1 + base_len, size - 1 - base_len, &want_base, &want);
	if (r < 0 || want > 1 << 20)
		return 0;
	assert((size_t) r <= size);
	out = malloc((size_t) want + 1);
	if (out && delta_apply(data + 1, base_len, data + 1 + base_len, size - 1 - base_len, out, (size_t) want, &map) == 0)
		check_map(&map, data + 1, base_len, out, (size_t) want);
	free(out);
	return 0;
}
