/* Any text is a unit or a drop-in: it is read to its end; a drop-in that empties every list leaves none; what it says itself
 * comes behind what was there. */
#include <assert.h>
#include <string.h>

#include "check/unit_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char after[] = "\n\n[Service]\nEnvironment=\nEnvironmentFile=\nUser=last\nPrivateTmp=yes\n";
	struct unit_file u = { .name = "x.service" };
	auto_arena a = { 0 };

	if (unit_file_read(&a, &u, (const char *) data, size, "/x") < 0)
		return 0;
	for (size_t i = 0; i < u.env.n; i++)
		assert(u.env.item[i].text && *u.env.item[i].text && u.env.item[i].line);
	assert(unit_file_read(&a, &u, after, sizeof(after) - 1, "/y") == 0);
	assert(u.env.n == 0 && u.env_file.n == 0 && u.private_tmp && u.has_service);
	assert(strcmp(u.user, "last") == 0);
	return 0;
}
