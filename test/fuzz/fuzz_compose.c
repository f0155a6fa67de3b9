/* A Compose file and its .env from one input (split at a NUL). Whatever is in them: the reader ends, every service answers
 * every check once, and reading it again gives the same. */
#include <assert.h>
#include <string.h>

#include "check/check.h"
#include "check/read_compose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const char *text, *env;
	size_t text_len, env_len;
};

static int read_input(void *user, const char *path, size_t max, struct pv_buf *out)
{
	const struct input *in = user;
	bool env = strstr(path, ".env") != NULL;

	if (strstr(path, "absent"))
		return -ENOENT;
	pv_buf_add(out, env ? in->env : in->text, PV_MIN(env ? in->env_len : in->text_len, max));
	return 0;
}

static size_t judge(struct input *in, unsigned verdicts[FINDING_VERDICT_N])
{
	static const char *const paths[] = { "compose.yaml" };
	struct compose_files files = { read_input, in };
	struct ctr_list l = { 0 };
	struct check_select sel;
	struct check_policy p;
	auto_arena a = { 0 };
	char word[8];
	size_t n = 0;

	check_policy_defaults(&p);
	assert(check_select(&sel, "ctr", NULL, word, sizeof(word)) == 0);
	if (ctr_from_compose(&a, paths, 1, "/srv/x", &files, &l) < 0)
		return 0;
	for (size_t i = 0; i < l.n && i < 20; i++) {
		struct finding_list out = { 0 };

		assert(l.item[i]->name);
		assert(check_container(l.item[i], &p, &sel, &out) == 0);
		assert(n == 0 || out.n == n);
		n = out.n;
		for (size_t k = 0; k < out.n; k++) {
			verdicts[out.item[k]->verdict]++;
			assert(out.item[k]->verdict != FINDING_UNKNOWN || out.item[k]->reason != REASON_NONE);
		}
		finding_list_done(&out);
	}
	return l.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, '\0', size);
	struct input in = { .text = (const char *) data, .text_len = nul ? (size_t) (nul - data) : size };
	unsigned first[FINDING_VERDICT_N] = { 0 }, second[FINDING_VERDICT_N] = { 0 };

	in.env = nul ? (const char *) nul + 1 : "";
	in.env_len = nul ? size - in.text_len - 1 : 0;
	assert(judge(&in, first) == judge(&in, second));
	assert(memcmp(first, second, sizeof(first)) == 0);
	return 0;
}
