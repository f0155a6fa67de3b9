/* Any text is a Dockerfile: it is read to its end, every check answers once, and every line that is named lies inside. */
#include <assert.h>
#include <string.h>

#include "check/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct finding_list l = { 0 };
	struct check_select sel;
	struct check_policy p;
	auto_arena a = { 0 };
	struct ctr *c = NULL;
	char word[8];
	uint64_t lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	check_policy_defaults(&p);
	assert(check_select(&sel, NULL, NULL, word, sizeof(word)) == 0);
	if (ctr_from_dockerfile(&a, (const char *) data, size, "Dockerfile", &c) < 0)
		return 0;
	assert(check_container(c, &p, &sel, &l) == 0);
	assert(l.n == 10);
	for (size_t i = 0; i < l.n; i++)
		assert(l.item[i]->subject.line <= lines);
	finding_list_done(&l);
	return 0;
}
