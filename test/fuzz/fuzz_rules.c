/* Hostile rule files: refused with a reason, or what was read can be written and read back to the same bytes. */
#include <assert.h>
#include <string.h>

#include "match/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libfyaml 0.7.12 loses memory on some malformed documents. The child that reads rules ends after one set of them, so it is
 * no matter of ours; leaks of our own code are still found. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so";
}

static void check_flat(const struct rules *rs)
{
	struct pv_buf first = PV_BUF_INIT, second = PV_BUF_INIT;
	struct rules *copy = NULL;
	int r;

	rules_write(rs, &first);
	r = rules_read(first.data, first.len, &copy);
	assert(r == 0);
	assert(rules_count(copy) == rules_count(rs));
	rules_write(copy, &second);
	assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	rules_free(copy);
	pv_buf_done(&first);
	pv_buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_buf err = { .cap = 65536 };
	struct rules *rs = NULL, *flat = NULL;
	int r = rules_new(&rs);

	assert(r == 0);
	r = rules_add_file(rs, "f", (const char *) data, size, &err);
	if (r == 0)
		check_flat(rs);
	else
		assert(r == -ENOMEM || (err.len && memcmp(err.data, "f:", 2) == 0));
	if (rules_read(data, size, &flat) == 0) /* the same bytes as a cache */
		check_flat(flat);
	rules_free(flat);
	rules_free(rs);
	pv_buf_done(&err);
	return 0;
}
