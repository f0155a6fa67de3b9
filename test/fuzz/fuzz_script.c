/* Command lines and folders of strangers: what is called temporary is a plain path, and says so again when it is given whole. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "detect/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = size ? data[0] : 0, len;
	char folder[256] = "", out[300], again[300], line[310] = "sh", *argv;

	if (size < n + 1 || size > 4096)
		return 0;
	for (size_t i = 0; i < n && data[1 + i]; i++)
		folder[i] = (char) data[1 + i];
	len = size - n - 1;
	argv = malloc(len + 1);
	if (!argv)
		return 0;
	memcpy(argv, data + 1 + n, len);
	if (script_is_temporary(argv, len, folder, false, out, sizeof(out))) {
		assert(out[0] == '/' && strlen(out) < sizeof(out) && !strstr(out, "//") && !strstr(out, "/../") && !strstr(out, "/./"));
		memcpy(line + 3, out, strlen(out) + 1);
		assert(script_is_temporary(line, 3 + strlen(out), "", false, again, sizeof(again)) && strcmp(out, again) == 0);
	}
	free(argv);
	return 0;
}
