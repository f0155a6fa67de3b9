/* Promise of engine_api/answer.h: fed in pieces of any size, an answer ends in the same state, keeps no more body
 * than its cap, keeps its error, and the lines taken from it are, joined, what the body would have been. */
#include <assert.h>
#include <string.h>

#include "engine_api/answer.h"

#define CAP 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int feed(struct http_answer *h, const uint8_t *data, size_t size, size_t piece, struct pv_buf *taken)
{
	pv_autobuf line = PV_BUF_INIT;
	int r = 0;

	for (size_t at = 0; at < size; at += piece) {
		int now = http_answer_feed(h, data + at, PV_MIN(piece, size - at));

		assert(r >= 0 || now == r); /* an error stays */
		assert(r != 1 || now == 1);
		r = now;
		while (taken && http_answer_take_line(h, &line)) {
			assert(!memchr(pv_buf_str(&line), '\n', line.len) && line.len < CAP);
			pv_buf_add(taken, pv_buf_str(&line), line.len);
			pv_buf_putc(taken, '\n');
		}
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	pv_auto(http_answer) whole = NULL;
	pv_auto(http_answer) parts = NULL;
	pv_auto(http_answer) lines = NULL;
	pv_autobuf taken = PV_BUF_INIT;
	const struct pv_buf *a, *b;
	size_t piece;
	int r, end;

	if (!size)
		return 0;
	piece = 1 + data[0] % 7;
	data++;
	size--;
	assert(http_answer_new(CAP, &whole) == 0 && http_answer_new(CAP, &parts) == 0 && http_answer_new(CAP, &lines) == 0);
	r = feed(whole, data, size, size + 1, NULL);
	assert(r == 0 || r == 1 || r == -EBADMSG || r == -EFBIG);
	assert(feed(parts, data, size, piece, NULL) == r || r == -EFBIG || r == -EBADMSG);
	(void) feed(lines, data, size, piece, &taken);
	end = http_answer_end(whole);
	assert(end == (r ? r : end) && (end == 1 || end == -EPIPE || end == r));
	assert(http_answer_status(whole) == 0 || (http_answer_status(whole) >= 200 && http_answer_status(whole) <= 999));
	a = http_answer_body(whole);
	b = http_answer_body(parts);
	assert(a->len <= CAP && b->len <= CAP);
	if (r < 0)
		return 0;
	assert(http_answer_status(whole) == http_answer_status(parts) && a->len == b->len);
	assert(a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
	b = http_answer_body(lines);
	pv_buf_add(&taken, pv_buf_str(b), b->len);
	assert(taken.len == a->len && (a->len == 0 || memcmp(taken.data, a->data, a->len) == 0));
	return 0;
}
