/* Parts of the grammar of lines: times never lie in the future and never take more than there is, JSON never decodes to more than it was,
 * a frame lies in its line. */
#include <assert.h>
#include <string.h>

#include "logs/frame.h"
#include "logs/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_US 1795287600000000ULL

static void json(const char *s, size_t len)
{
	static const char *const keys[] = { "log", "stream", "time", "a.b", "request.remote_ip", "" };
	struct json_value v[N_ELEMENTS(keys)];

	if (json_values(s, len, keys, N_ELEMENTS(keys), v) < 0)
		return;
	for (size_t i = 0; i < N_ELEMENTS(v); i++) {
		struct pv_buf out = PV_BUF_INIT;

		if (!v[i].raw)
			continue;
		assert(v[i].raw >= s && v[i].raw + v[i].len <= s + len);
		json_decode(&out, &v[i]);
		assert(out.len <= v[i].len);
		pv_buf_done(&out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *) data;
	struct log_clock c = { 0 };
	struct pv_buf out = PV_BUF_INIT;
	struct frame f;
	uint64_t us = 0;
	size_t n = log_time_read(&c, s, size, NOW_US, &us);

	assert(n <= size && (!n || us <= NOW_US));
	frame_read(&c, s, size, NOW_US, &f);
	assert(f.msg >= s && f.msg + f.len <= s + size);
	assert(!f.tag_len || (f.tag >= s && f.tag + f.tag_len <= s + size));
	assert(f.times >= 1 && f.times <= 50 && f.time_us <= NOW_US);
	frame_plain(s, size, &out);
	assert(out.len <= size && (!out.len || !memchr(out.data, 0x1b, out.len)));
	pv_buf_done(&out);
	json(s, size);
	return 0;
}
