/* A signature's text: whatever it is, no bytes are taken for signed by a key that has signed nothing. */
#include <assert.h>
#include <string.h>

#include "base/util.h"
#include "model/minisign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct minisign_key key = { .id = { 1, 2, 3, 4, 5, 6, 7, 8 }, .key = { 9 } };
	char *text = malloc(size + 1); /* on the heap, where a byte too far is found */
	int r;

	assert(text);
	memcpy(text, data, size);
	assert(minisign_verify(&key, "pools", 5, text, size) < 0);
	text[size] = '\0';
	r = minisign_key_parse(text, &key);
	assert(r == -EINVAL || (r == 0 && size >= MINISIGN_KEY_TEXT));
	free(text);
	return 0;
}
