/* Command lines of strangers: nothing is read beyond them, a sign that is found in one is found in it with more behind, and a line is
 * a container's own only where that one was given one to compare with, word for word. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "detect/entry.h"
#include "detect/miner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void entries(const char *argv, size_t size)
{
	struct container_info none = { 0 }, c = { 0 };

	assert(!entry_is_own(&none, argv, size, false) && !entry_is_own(&none, argv, size, true) && !entry_is_health(&none, argv, size));
	c.entry[0] = c.health[1] = container_words(argv, size);
	assert(entry_is_health(&c, argv, size) == (size > 0));
	assert(!entry_is_own(&c, argv, size, false) || entry_is_own(&c, argv, size, true));
	if (size < PV_EXEC_ARGV)
		assert(!entry_is_own(&c, argv, size + 2, false) && !entry_is_health(&c, argv, size + 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv = malloc(size + 3);
	const char *sign;

	if (!argv || size > 4096) {
		free(argv);
		return 0;
	}
	memcpy(argv, data, size);
	memcpy(argv + size, "\0x", 3);
	sign = miner_sign(argv, size);
	assert(!sign || miner_sign(argv, size + 2));
	entries(argv, size);
	free(argv);
	return 0;
}
