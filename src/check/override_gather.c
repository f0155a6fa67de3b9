#include "check/override_gather.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/ask.h"
#include "check/compose_tree.h"
#include "engine_api/json.h"
#include "check/override.h"
#include "engine_api/request.h"

#define WRITTEN_MAX 20000
#define OVERLAY	    "/pavise-override" /* the name under which our own reader gets the text */

/* --- the container of a service --- */

static const struct ctr *running(const struct ctr_list *l, const struct ctr *service)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct ctr *c = l->item[i];

		if (c->source == CTR_INSPECT && c->running && c->id && c->project && c->service &&
		    strcmp(c->project, service->project) == 0 && strcmp(c->service, service->service) == 0)
			return c;
	}
	return NULL;
}

static void add_words(struct arena *a, const char ***list, size_t *n, const cJSON *words)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, json_array(words))
	{
		const char **more = cJSON_IsString(v) ? arena_grow(a, *list, *n, sizeof(*more)) : NULL;

		if (!more)
			continue;
		*list = more;
		more[(*n)++] = arena_dup(a, v->valuestring);
	}
}

/* `{"80/tcp": {}}` */
static bool low_port(const cJSON *ports)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, json_object(ports)) if (v->string && strtol(v->string, NULL, 10) > 0 && strtol(v->string, NULL, 10) < 1024) return true;
	return false;
}

/* Links in the container lead nowhere here: the last name is not followed, and those before it stay below the root. */
static int owner_of(void *user, const char *path, unsigned *ret_uid, unsigned *ret_gid, unsigned *ret_mode)
{
	struct hostfs root;
	struct stat st = { .st_size = 0 };
	int r = hostfs_open(&root, user);

	if (r == 0) {
		r = hostfs_stat(&root, path + 1, false, &st);
		hostfs_done(&root);
	}
	if (r < 0 || !S_ISDIR(st.st_mode))
		return r < 0 ? r : -ENOTDIR;
	*ret_uid = st.st_uid;
	*ret_gid = st.st_gid;
	*ret_mode = st.st_mode & 07777;
	return 0;
}

static void read_config(struct audit *a, const struct ctr *c, struct override_seen *seen)
{
	pv_autobuf text = PV_BUF_INIT;
	auto_json *root = NULL;
	const char **start = NULL, *merged;
	const cJSON *config;

	if (audit_ask_api(a->sock, (uint32_t) API_INSPECT | c->engine << 16, c->id, &text) < 0 ||
	    json_parse(pv_buf_str(&text), text.len, &root) < 0)
		return;
	config = json_member(root, "Config");
	add_words(&a->arena, &start, &seen->n_start, json_member(config, "Entrypoint"));
	add_words(&a->arena, &start, &seen->n_start, json_member(config, "Cmd"));
	seen->start = start;
	seen->low_port = low_port(json_member(config, "ExposedPorts"));
	merged = cJSON_GetStringValue(json_member(json_member(json_member(root, "GraphDriver"), "Data"), "MergedDir"));
	if (merged && *merged == '/') { /* the container's root as the host sees it, while it runs */
		seen->owner = owner_of;
		seen->owner_user = arena_dup(&a->arena, merged);
	}
	seen->user = arena_dup(&a->arena, cJSON_GetStringValue(json_member(config, "User")) ?: "");
}

/* A folder directly before what lies below it: `/` sorts before every other byte. */
static int by_path(const void *pa, const void *pb)
{
	const unsigned char *a = (const unsigned char *) ((const struct override_path *) pa)->path;
	const unsigned char *b = (const unsigned char *) ((const struct override_path *) pb)->path;

	while (*a && *a == *b)
		a++, b++;
	return (*a == '/' ? 1 : *a) - (*b == '/' ? 1 : *b);
}

/* `[{"Path": "/run/nginx.pid", "Kind": 1}]`; 2 is a removed one: that is a write, too. */
static void read_changes(struct audit *a, const struct ctr *c, struct override_seen *seen)
{
	pv_autobuf text = PV_BUF_INIT;
	auto_json *root = NULL;
	struct override_path *list = NULL;
	const cJSON *v;
	size_t n = 0;

	if (audit_ask_api(a->sock, (uint32_t) API_CHANGES | c->engine << 16, c->id, &text) < 0 ||
	    json_parse(pv_buf_str(&text), text.len, &root) < 0)
		return;
	cJSON_ArrayForEach(v, json_array(root))
	{
		const char *path = cJSON_GetStringValue(json_member(v, "Path"));
		struct override_path *more = path && *path == '/' ? arena_grow(&a->arena, list, n, sizeof(*more)) : NULL;

		if (!more)
			continue;
		list = more;
		list[n].path = ctr_path_clean(&a->arena, path);
		list[n++].added = cJSON_GetNumberValue(json_member(v, "Kind")) == 1;
		if (n > WRITTEN_MAX)
			return; /* not known */
	}
	if (n && !a->arena.poor)
		qsort(list, n, sizeof(*list), by_path);
	seen->written = list;
	seen->n_written = n;
	seen->written_known = !a->arena.poor; /* no changes at all is known, too: then the answer was null or [] */
}

/* Only of one whose first process started while somebody watched: else its start was not seen. */
static void watched(const struct audit *a, struct override_seen *seen)
{
	const char *text = a->watched;
	char line[32];
	const char *at;

	if (!text || !seen->use_known || !seen->use.cgroup || strncmp(text, "since ", 6) != 0 ||
	    seen->use.started_us + 10000 < strtoull(text + 6, NULL, 10))
		return;
	seen->watched = true;
	(void) snprintf(line, sizeof(line), "\n%" PRIx64 " ", seen->use.cgroup);
	at = strstr(text, line);
	seen->caps = at ? strtoull(at + strlen(line), NULL, 16) : 0;
}

void override_look(struct audit *a, const struct ctr *c, struct override_seen *seen)
{
	const char **volumes = NULL;

	*seen = (struct override_seen){ .runs = c && c->running, .user = "" };
	if (!c)
		return;
	seen->use_known = c->running && usage_read(&a->fs, c->pid, &seen->use) == 0;
	watched(a, seen);
	read_config(a, c, seen);
	read_changes(a, c, seen);
	for (size_t i = 0; i < c->n_mounts; i++) {
		const char **more = c->mount[i].target ? arena_grow(&a->arena, volumes, seen->n_volumes, sizeof(*more)) : NULL;

		if (!more)
			continue;
		volumes = more;
		volumes[seen->n_volumes++] = c->mount[i].target;
	}
	seen->volumes = volumes;
}

/* --- what is left, as our own reader sees both files together --- */

struct both {
	const struct compose_files *files;
	const struct pv_buf *text;
};

static int read_both(void *user, const char *path, size_t max, struct pv_buf *out)
{
	const struct both *b = user;

	if (strcmp(path, OVERLAY) != 0)
		return b->files->read(b->files->user, path, max, out);
	pv_buf_puts(out, pv_buf_str(b->text));
	return out->cut ? -EFBIG : 0;
}

static void name_left(const struct finding_list *l, struct pv_buf *out)
{
	bool any = false;

	for (size_t i = 0; i < l->n; i++) {
		const struct finding *f = l->item[i];

		if (!finding_fails(f))
			continue;
		if (!any)
			pv_buf_puts(out, "\n# Left, for a person:\n");
		any = true;
		pv_buf_printf(out, "# %s ", id_info(f->id)->name);
		pv_buf_safe(out, f->subject.name ? f->subject.name : "", 200);
		pv_buf_puts(out, ": ");
		pv_buf_safe(out, id_info(f->id)->title, 0);
		pv_buf_putc(out, '\n');
	}
}

static int left(struct audit *a, const char *const *paths, size_t n_paths, const struct compose_files *files, struct pv_buf *out)
{
	const struct both both = { files, out };
	const struct compose_files reader = { read_both, (void *) (uintptr_t) &both };
	const char *all[COMPOSE_FILES];
	struct finding_list l = { .n = 0 };
	struct ctr_list services = { .n = 0 };
	const char *slash = strrchr(paths[0], '/');
	const char *dir = slash ? arena_ndup(&a->arena, paths[0], (size_t) PV_MAX(slash - paths[0], 1)) : NULL;
	pv_autobuf names = PV_BUF_INIT;
	int r;

	if (n_paths + 1 > N_ELEMENTS(all))
		return -E2BIG;
	memcpy(all, paths, n_paths * sizeof(*all));
	all[n_paths] = OVERLAY;
	r = ctr_from_compose(&a->arena, all, n_paths + 1, dir, &reader, &services);
	for (size_t i = 0; i < services.n && r >= 0; i++)
		r = check_container(services.item[i], &a->policy, &a->select, &l);
	finding_list_sort(&l);
	if (r >= 0)
		name_left(&l, &names);
	finding_list_done(&l);
	pv_buf_puts(out, pv_buf_str(&names));
	return r < 0 ? r : 0;
}

/* --- all --- */

/* Compose before 1.27 and without `version:` in one of two files takes them for different formats. */
static void same_version(struct audit *a, const char *path, const struct compose_files *files, struct pv_buf *out)
{
	pv_autobuf text = PV_BUF_INIT, why = PV_BUF_INIT;
	const struct compose_vars vars = { NULL };
	size_t budget = COMPOSE_VALUES;
	const struct cv *version;
	unsigned line;

	if (files->read(files->user, path, YAML_TEXT_MAX, &text) < 0)
		return;
	version = compose_get(compose_parse(&a->arena, pv_buf_str(&text), text.len, path, &vars, &budget, &line, &why), "version");
	if (!version || version->kind != YAML_SCALAR || !version->text)
		return;
	pv_buf_puts(out, "version: ");
	pv_buf_json_str(out, version->text);
	pv_buf_putc(out, '\n');
}

int override_compose(struct audit *a, const char *const *paths, size_t n_paths, const struct compose_files *files,
		     struct pv_buf *out)
{
	struct ctr_list services = a->containers, host;
	pv_autobuf body = PV_BUF_INIT, volumes = PV_BUF_INIT;
	int any = 0, r;

	a->containers = (struct ctr_list){ .n = 0 };
	r = gather_engine(a);
	host = a->containers;
	a->containers = services;
	for (size_t i = 0; i < services.n && r >= 0; i++) {
		const struct ctr *c = services.item[i];
		struct override_seen seen;

		if (!c->service)
			continue;
		override_look(a, running(&host, c), &seen);
		any += override_service(&a->arena, c, &seen, &a->policy, &a->out, &body, &volumes);
	}
	if (r < 0 || a->arena.poor || !any)
		return r < 0 ? r : a->arena.poor ? -ENOMEM : 0;
	pv_buf_puts(out, OVERRIDE_MARK "\n# Read it, then load it on top of the other:"
			 " docker compose -f FILE -f THIS up -d\n");
	same_version(a, paths[0], files, out);
	pv_buf_puts(out, "services:\n");
	pv_buf_puts(out, pv_buf_str(&body));
	if (volumes.len)
		pv_buf_printf(out, "volumes:\n%s", pv_buf_str(&volumes));
	r = left(a, paths, n_paths, files, out);
	return r < 0 ? r : out->cut ? -ENOMEM : 1;
}
