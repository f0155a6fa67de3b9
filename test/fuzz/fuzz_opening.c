/* The kernel's reader of what a connection begins with, built for user space: it stays within its buffer, always gets on, and
 * says the same however the octets are cut into segments (a proxy's words apart, behind which a segment's start counts). */
#include <assert.h>
#include <string.h>

#include "base/util.h"
#include "bpf/opening.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct opening *o, const uint8_t *data, size_t len, size_t step)
{
	opening_begin(o);
	for (size_t at = 0; at < len && opening_goes_on(o);) {
		uint32_t n = (uint32_t) PV_MIN(step, len - at), i = 0;
		uint8_t *buf = malloc(DNS_BUF); /* on the heap, where a byte too far is found */

		assert(buf);
		memcpy(buf, data + at, n);
		if (at)
			opening_segment(o);
		while (i < n && !o->found && o->kind != OPENING_OTHER) {
			uint32_t took = opening_take(o, buf, i, n);

			assert(took >= 1 && took <= n - i);
			i += took;
		}
		free(buf);
		at += n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct opening whole, cut;
	size_t step;

	if (!size)
		return 0;
	step = 1 + data[0] % 40;
	data++;
	size = PV_MIN(size - 1, (size_t) OPENING_BYTES);
	feed(&whole, data, size, DNS_BUF);
	feed(&cut, data, size, step);
	assert(whole.name_len <= whole.name_want || !whole.name_want);
	if (!whole.proxied && !cut.proxied) {
		assert(whole.found == cut.found && whole.kind == cut.kind);
		assert(whole.name_len == cut.name_len && memcmp(whole.name, cut.name, whole.name_len) == 0);
	}
	return 0;
}
