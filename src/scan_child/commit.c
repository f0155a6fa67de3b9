#include <stdio.h>
#include <string.h>

#include "scan_child/scan_child.h"

struct wanted {
	const char *name;
	uint8_t id[GIT_ID_MAX];
	unsigned best; /* 0: nothing yet */
};

/* The order of git-rev-parse(1): the name itself, a tag, a branch, a remote's. */
static int on_ref(const char *name, const uint8_t *id, void *user)
{
	static const char *const before[] = { "", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/" };
	struct wanted *w = user;

	for (unsigned i = 0; i < N_ELEMENTS(before); i++) {
		size_t n = strlen(before[i]);

		if (strncmp(name, before[i], n) != 0 || strcmp(name + n, w->name) != 0)
			continue;
		if (N_ELEMENTS(before) - i >= w->best) {
			w->best = (unsigned) N_ELEMENTS(before) - i;
			memcpy(w->id, id, GIT_ID_MAX);
		}
	}
	return 0;
}

static bool starts(const uint8_t *id, const char *hex, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ("0123456789abcdef"[i % 2 ? id[i / 2] & 15 : id[i / 2] >> 4] != hex[i])
			return false;
	return true;
}

static bool is_commit(const struct objects *s, uint32_t number)
{
	struct pack_inflater *f = NULL;
	enum git_type type = GIT_NONE;
	uint8_t *data = NULL;
	size_t len;

	if (pack_inflater_new(&f) == 0)
		(void) objects_get(s, f, number, &type, &data, &len);
	(void) pack_inflater_free(f);
	free(data);
	return type == GIT_COMMIT || type == GIT_TAG;
}

int scan_commit(const struct gitdir *g, const struct objects *s, const char *name, uint8_t ret_id[GIT_ID_MAX])
{
	struct wanted w = { .name = name };
	size_t n = strlen(name), found = 0;
	int r = gitdir_refs(g, on_ref, &w);

	if (r < 0)
		return r;
	if (w.best) {
		memcpy(ret_id, w.id, GIT_ID_MAX);
		return 0;
	}
	if (n < 7 || n > 2 * s->id_len || strspn(name, "0123456789abcdef") != n)
		return -ENOENT;
	for (uint32_t i = 0; i < s->total; i++) {
		const uint8_t *id = objects_id(s, i);

		if (!starts(id, name, n) || !is_commit(s, i) || (found && memcmp(ret_id, id, s->id_len) == 0))
			continue;
		memcpy(ret_id, id, s->id_len);
		found++;
	}
	return found == 1 ? 0 : found ? -EEXIST : -ENOENT;
}
