/* The texts that say who is never banned: routes, resolvers, sockets. Promises: it never crashes, and what it lists has a length that fits. */
#include <assert.h>
#include <string.h>

#include "broker/never.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct never_list l = { .n = 0 };
	pv_autobuf text = PV_BUF_INIT;

	pv_buf_add(&text, data, size);
	never_routes(&l, pv_buf_str(&text), pv_buf_str(&text));
	never_resolvers(&l, pv_buf_str(&text));
	never_sockets(&l, (const uint64_t[]){ 77 }, 1, size % 2, pv_buf_str(&text), pv_buf_str(&text));
	for (size_t i = 0; i < l.n; i++)
		assert(l.prefix[i].len == 128 && (l.why[i] == NEVER_GATEWAY || l.why[i] == NEVER_RESOLVER || l.why[i] == NEVER_OUTGOING ||
						  l.why[i] == NEVER_ADMIN));
	free(l.prefix);
	free(l.why);
	return 0;
}
