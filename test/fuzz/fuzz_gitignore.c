/* Ignore files and an index: no pattern takes long, no entry lies outside. Input: a text, NUL, a path, NUL, an index. */
#include <assert.h>
#include <string.h>

#include "host/gitignore.h"
#include "host/gitindex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_entry(const struct gitindex_entry *e, void *user)
{
	(void) user;
	assert(strlen(e->path) == e->path_len && e->path_len > 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, '\0', size), *second;
	pv_auto(gitignore) g = NULL;
	char path[4096];
	size_t n;

	if (!nul || gitignore_new(&g) < 0)
		return 0;
	second = memchr(nul + 1, '\0', size - (size_t) (nul + 1 - data));
	if (!second)
		return 0;
	n = PV_MIN((size_t) (second - nul - 1), sizeof(path) - 1);
	memcpy(path, nul + 1, n);
	path[n] = '\0';
	(void) gitignore_add(g, "", (const char *) data, (size_t) (nul - data));
	(void) gitignore_match(g, path, false);
	(void) gitignore_match(g, path, true);
	(void) gitindex_parse(second + 1, size - (size_t) (second + 1 - data), 20, on_entry, NULL);
	return 0;
}
