/* A container's log as its engine streams it, in two parts that meet anywhere: every line lies within its bounds and has a time,
 * the parts give what the whole gives; and of lines that are sent twice none is new the second time, unless the clock was set
 * back. Input: two bytes of where the parts meet, the stream. */
#include <assert.h>
#include <string.h>

#include "engine_api/log_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct got {
	struct pv_buf text;
	struct log_place_in place;
	uint64_t last[2];
	bool back; /* a stream's times fell */
	size_t news;
};

static int keep(const struct log_stream_line *l, void *arg)
{
	struct got *g = arg;

	assert(l->stream < 2 && l->len <= LOG_LINE_MAX && l->ns && !memchr(l->text, '\n', l->len));
	g->back |= l->ns < g->last[l->stream];
	g->last[l->stream] = l->ns;
	pv_buf_putc(&g->text, (char) ('0' + l->stream));
	pv_buf_add(&g->text, l->text, l->len);
	pv_buf_putc(&g->text, '\n');
	g->news += log_place_take(&g->place, l);
	return 0;
}

static int feed(const char *p, size_t meet, size_t len, struct got *g)
{
	pv_auto(log_stream) s = NULL;
	int r = log_stream_new(&s);

	assert(r == 0);
	r = log_stream_feed(s, p, meet, keep, g);
	return r ? r : log_stream_feed(s, p + meet, len - meet, keep, g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct got parts = { .text = PV_BUF_INIT }, once = { .text = PV_BUF_INIT };
	pv_autobuf kept = PV_BUF_INIT;
	size_t meet;
	int r;

	if (size < 2)
		return 0;
	meet = (size_t) (data[0] << 8 | data[1]);
	size -= 2;
	if (meet > size)
		return 0;
	r = feed((const char *) data + 2, size, size, &once);
	log_place_save(&once.place, &kept);
	assert(log_place_restore(&parts.place, pv_buf_str(&kept)) == 0);
	assert(feed((const char *) data + 2, meet, size, &parts) == r);
	assert(parts.text.len == once.text.len && memcmp(pv_buf_str(&parts.text), pv_buf_str(&once.text), once.text.len) == 0);
	assert(parts.news == 0 || once.back);
	pv_buf_done(&parts.text);
	pv_buf_done(&once.text);
	return 0;
}
