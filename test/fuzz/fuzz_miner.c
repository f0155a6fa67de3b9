/* Command lines of strangers: nothing is read beyond them, and a sign that is found in one is found in it with more behind. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "detect/miner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	free(argv);
	return 0;
}
