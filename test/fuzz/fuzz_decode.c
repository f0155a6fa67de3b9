/* Hostile text: candidates lie inside it, decoding never grows, every decoded byte has its place in the outer text, and the
 * search ends. */
#include <assert.h>

#include "match/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_candidate(const char *text, size_t len, const struct decode_cand *c)
{
	struct pv_buf out = PV_BUF_INIT;

	assert(c->outer.len && c->outer.start < len && c->outer.len <= len - c->outer.start);
	decode_run(text, c, &out);
	assert(out.len <= c->outer.len);
	for (size_t at = 0; at < out.len; at += 1 + out.len / 16) {
		size_t n = PV_MIN(out.len - at, (size_t) 5);
		struct rule_span s = decode_outer(text, c, (struct rule_span) { at, n });

		assert(s.start >= c->outer.start && s.len && s.start + s.len <= c->outer.start + c->outer.len);
		assert(s.len >= n);
	}
	pv_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data;
	struct decode_at at = { .known = NULL };
	struct decode_cand c;
	size_t found = 0;

	while (decode_next(text, size, size, &at, &c)) {
		check_candidate(text, size, &c);
		assert(++found <= size);
	}
	if (size)
		assert(decode_start(text, size / 2) <= size / 2);
	return 0;
}
