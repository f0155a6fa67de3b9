/* Text from outside in commands. First byte even: a line of cron or a script, of which only whole paths come. Odd: a container
 * as the engine tells it, written down as lines of a shell: outside of single quotes stands only what is our own. */
#include <assert.h>
#include <string.h>

#include "check/dumps.h"
#include "check/recreate.h"
#include "engine_api/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(const char *dir, void *user)
{
	(void) user;
	assert(*dir == '/' && !strchr(dir, '\n'));
}

/* The pieces of our own shell; longer ones first. */
static const char *const ours[] = { "\"$(docker inspect -f ", ")\" = true", "$(date +%s)", "\"$old\"", "; }; }", "|| {", "&& {", "&&", "|", "; " };
static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@=+-,% \t\n";

static const char *one_piece(const char *p, bool first)
{
	if (*p == '\'') {
		p = strchr(p + 1, '\'');
		assert(p); /* what is opened is closed */
		return p + 1;
	}
	if (first && *p == '#')
		return p + strcspn(p, "\n");
	if (strncmp(p, "\\'", 2) == 0)
		return p + 2;
	for (size_t i = 0; i < N_ELEMENTS(ours); i++)
		if (strncmp(p, ours[i], strlen(ours[i])) == 0)
			return p + strlen(ours[i]);
	assert(strchr(plain, *p));
	return p + 1;
}

static void recreate(const char *text, size_t len, uint8_t which)
{
	static const enum id ids[] = { ID_CTR_PRIVILEGED, ID_CTR_NO_NEW_PRIVILEGES, ID_CTR_READONLY_ROOTFS, ID_CTR_CAP_DROP_ALL,
				       ID_CTR_HOST_NETWORK, ID_CTR_PUBLISHED_PORT, ID_CTR_HOST_PATH, ID_CTR_MEMORY_LIMIT };
	const struct override_seen seen = { .user = "", .written_known = true };
	struct finding_list list = { .n = 0 };
	pv_autobuf out = PV_BUF_INIT, why = PV_BUF_INIT;
	auto_arena a = { 0 };
	auto_json *root = NULL;
	struct check_policy p;
	struct ctr *c;
	int r;

	check_policy_defaults(&p);
	if (json_parse(text, len, &root) < 0 || ctr_from_inspect(&a, text, len, &c) < 0 || !c->name)
		return;
	for (unsigned i = 0; i < N_ELEMENTS(ids); i++) {
		struct finding *f = which >> i & 1 ? NULL : finding_new(ids[i], FINDING_FAIL);

		finding_subject(f, SUBJECT_CONTAINER, c->name, NULL, 0);
		if (f)
			assert(finding_list_add(&list, f) == 0);
	}
	r = c->engine_name ? recreate_lines(&a, root, c, &seen, &p, &list, &out, &why) : 0;
	assert(r == 1 || r == 0 || (r == -ENOTSUP && why.len) || r == -ENOMEM);
	if (r == 1)
		for (const char *s = pv_buf_str(&out); *s;)
			s = one_piece(s, s == out.data || s[-1] == '\n');
	finding_list_done(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1) {
		recreate((const char *) data + 1, size - 1, data[0] >> 1);
	} else {
		pv_autofree char *line = strndup((const char *) data + 1, size - 1);

		assert(line);
		line[strcspn(line, "\n")] = '\0';
		dumps_line(line, take, NULL);
	}
	return 0;
}
