#include "check/gather.h"

#include <stdio.h>
#include <string.h>

#include "check/ask.h"
#include "check/dotenv.h"
#include "engine_api/json.h"
#include "engine_api/answer.h"
#include "engine_api/request.h"

#define CONTAINERS_MAX 2000
#define SERVICES_MAX   200
#define FILE_MAX       (4u << 20)

enum finding_reason gather_reason(int r)
{
	switch (r) {
	case -EACCES:
	case -EPERM:
		return REASON_PERMISSION;
	case -ENOENT:
	case -ECONNREFUSED:
		return REASON_ABSENT;
	case -ETIMEDOUT:
	case -EAGAIN:
		return REASON_TIMEOUT;
	case -EFBIG:
		return REASON_TOO_LARGE;
	default:
		return REASON_MALFORMED;
	}
}

struct finding *gather_finding(enum id id, enum finding_verdict v, enum subject_kind kind, const char *name,
			       const char *path)
{
	struct finding *f = finding_new(id, v);

	finding_subject(f, kind, name, path, 0);
	return f;
}

int gather_add(struct audit *a, struct finding *f, const char *key)
{
	finding_fingerprint(f, NULL, key);
	a->out.checked++;
	return finding_list_add(&a->out, f);
}

int gather_unknown(struct audit *a, enum id id, enum subject_kind kind, const char *name, enum finding_reason reason,
		   const char *why)
{
	struct finding *f = gather_finding(id, FINDING_UNKNOWN, kind, name, NULL);

	finding_unknown(f, reason);
	if (why)
		finding_evidence(f, "could not be read", NULL, 0, "%s", why);
	return gather_add(a, f, NULL);
}

void gather_project(struct audit *a, const char *dir, const char *why)
{
	char *own;

	if (!dir || *dir != '/')
		return;
	own = ctr_path_clean(&a->arena, dir);
	for (size_t i = 0; own && i < a->n_projects; i++)
		if (strcmp(a->project[i].dir, own) == 0)
			return;
	if (!own || strcmp(own, "/") == 0)
		return;
	if (a->n_projects == GATHER_DIRS)
		a->projects_left++;
	else
		a->project[a->n_projects++] = (struct project){ own, why };
}

/* --- projects that no label names --- */

struct panel_data {
	struct audit *a;
	const char *dir, *below, *why;
};

static int one_deployment(const char *name, unsigned char type, void *user)
{
	struct panel_data *d = user;
	const char *path = arena_printf(&d->a->arena, "%s/%s%s", d->dir, name, d->below);
	struct stat st;

	(void) type;
	if (path && hostfs_stat(&d->a->fs, path, true, &st) == 0 && S_ISDIR(st.st_mode)) {
		gather_project(d->a, path, d->why);
		d->a->workloads = true;
	}
	return 0;
}

/* Where Dokploy and Coolify keep what they deploy. */
static void panel_folders(struct audit *a)
{
	static const struct {
		const char *dir, *below, *why;
	} places[] = { { "/etc/dokploy/compose", "/code", "deployed by Dokploy" },
		       { "/etc/dokploy/applications", "/code", "deployed by Dokploy" },
		       { "/data/coolify/applications", "", "deployed by Coolify" },
		       { "/data/coolify/services", "", "deployed by Coolify" } };

	for (size_t i = 0; i < N_ELEMENTS(places); i++) {
		struct panel_data d = { a, places[i].dir, places[i].below, places[i].why };

		(void) hostfs_list(&a->fs, places[i].dir, 1000, one_deployment, &d);
	}
}

static bool has_file(struct audit *a, const char *dir, const char *name)
{
	const char *path = arena_printf(&a->arena, "%s/%s", dir, name);
	struct stat st;

	return path && hostfs_stat(&a->fs, path, false, &st) == 0;
}

/* A folder that is mounted into a container, with what a project has in it, or in the folder around it. */
static void mounted_folders(struct audit *a, const struct ctr *c)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct ctr_mount *m = &c->mount[i];
		const char *dir = m->type && strcmp(m->type, "bind") == 0 ? m->source : NULL,
			   *slash = dir ? strrchr(dir, '/') : NULL;

		for (unsigned up = 0; up < 2 && slash && slash != dir; up++) {
			if (has_file(a, dir, ".git") || has_file(a, dir, ".env") || has_file(a, dir, "package.json"))
				gather_project(a, dir, arena_printf(&a->arena, "mounted into %s", c->name));
			dir = arena_ndup(&a->arena, dir, (size_t) (slash - dir));
			slash = dir ? strrchr(dir, '/') : NULL;
		}
	}
}

/* --- where answers come from: the engine, or the files of a saved host --- */

static int answer_of(struct audit *a, unsigned engine, enum api_request what, const char *id, struct pv_buf *out)
{
	pv_autofree char *path = NULL;

	if (!a->saved)
		return audit_ask_api(a->sock, (uint32_t) what | engine << 16, id, out);
	if (engine || asprintf(&path, "/engine/%s%s%.64s.json", api_template(what)->name, *id ? "-" : "", id) < 0) {
		path = NULL;
		return -ENOENT;
	}
	return hostfs_read(&a->fs, path, FILE_MAX, out);
}

/* --- the engine's own settings --- */

static bool has_option(const cJSON *list, const char *word)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, json_array(list)) if (cJSON_IsString(v) && strstr(v->valuestring, word)) return true;
	return false;
}

static void read_info(struct audit *a, unsigned engine)
{
	pv_autobuf text = PV_BUF_INIT, daemon = PV_BUF_INIT;
	auto_json *root = NULL, *conf = NULL;
	const cJSON *options;

	if (answer_of(a, engine, API_INFO, "", &text) < 0 || json_parse(pv_buf_str(&text), text.len, &root) < 0)
		return;
	options = json_member(root, "SecurityOptions");
	a->policy.host_known = true;
	a->policy.has_apparmor = a->policy.has_apparmor || has_option(options, "name=apparmor");
	a->policy.userns_remap = a->policy.userns_remap || has_option(options, "name=userns");
	a->policy.rootless = a->policy.rootless || has_option(options, "name=rootless");
	a->policy.daemon_nnp = has_option(options, "no-new-privileges");
	if (strcmp(cJSON_GetStringValue(json_member(json_member(root, "Swarm"), "LocalNodeState")) ?: "", "active") ==
	    0)
		a->policy.swarm = true;
	if (hostfs_read(&a->fs, "/etc/docker/daemon.json", 1 << 20, &daemon) == 0 &&
	    json_parse(pv_buf_str(&daemon), daemon.len, &conf) == 0)
		a->policy.daemon_nnp = a->policy.daemon_nnp || cJSON_IsTrue(json_member(conf, "no-new-privileges"));
}

/* --- containers --- */

/* The uid of a process as the host sees it. */
static long uid_of(struct audit *a, long pid)
{
	pv_autobuf text = PV_BUF_INIT;
	char path[64];
	const char *p;

	(void) snprintf(path, sizeof(path), "/proc/%ld/status", pid);
	if (pid <= 0 || hostfs_read(&a->fs, path, 65536, &text) < 0)
		return -1;
	p = strstr(pv_buf_str(&text), "\nUid:\t");
	return p ? strtol(p + 6, NULL, 10) : -1;
}

/* What stands in the project's .env is where it belongs. */
static void mark_env(struct audit *a, struct ctr *c)
{
	pv_autobuf text = PV_BUF_INIT;
	pv_autofree char *path = NULL;
	struct dotenv env = { 0 };

	if (!c->dir || *c->dir != '/' || asprintf(&path, "%s/.env", c->dir) < 0) {
		path = NULL;
		return;
	}
	if (hostfs_read(&a->fs, path, DOTENV_BYTES, &text) < 0 ||
	    dotenv_parse(&a->arena, pv_buf_str(&text), text.len, &env) < 0)
		return;
	for (size_t i = 0; i < c->n_env; i++)
		for (size_t k = 0; k < env.n && !c->env[i].from_env_file; k++)
			c->env[i].from_env_file = c->env[i].value && strcmp(c->env[i].value, env.item[k].value) == 0;
}

static void keep(struct audit *a, struct ctr *c)
{
	if (c->source == CTR_INSPECT && c->running)
		c->live_uid = uid_of(a, c->pid);
	mark_env(a, c);
	if (c->dir)
		gather_project(a, c->dir, arena_printf(&a->arena, "Compose project %s", c->project ? c->project : ""));
	mounted_folders(a, c);
	a->workloads = true;
	ctr_list_add(&a->arena, &a->containers, c);
}

static int lost(struct audit *a, const char *name, int r, const char *why)
{
	struct ctr *c = ctr_new(&a->arena, CTR_INSPECT);

	if (!c)
		return -ENOMEM;
	c->kind = SUBJECT_HOST;
	c->name = arena_dup(&a->arena, name);
	ctr_set_all_gaps(c, gather_reason(r), 0, arena_dup(&a->arena, why));
	c->net.text = c->pid_ns.text = c->ipc_ns.text = c->uts_ns.text = c->user_ns.text = "";
	ctr_list_add(&a->arena, &a->containers, c);
	return 0;
}

struct services {
	const char *id[SERVICES_MAX];
	size_t n;
};

static bool service_read(struct services *s, const char *id)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->id[i], id) == 0)
			return true;
	return false;
}

/* A task is judged by its service, once; where that cannot be asked (a worker node), by itself. */
static bool judge_service(struct audit *a, unsigned engine, struct services *seen, const char *id)
{
	pv_autobuf text = PV_BUF_INIT;
	struct ctr *c;

	if (!id || !api_id_valid(API_ID_SERVICE, id))
		return false;
	if (service_read(seen, id))
		return true;
	if (seen->n == SERVICES_MAX || answer_of(a, engine, API_SERVICE, id, &text) < 0 ||
	    ctr_from_service(&a->arena, pv_buf_str(&text), text.len, &c) < 0)
		return false;
	seen->id[seen->n++] = arena_dup(&a->arena, id);
	keep(a, c);
	return true;
}

static int one_container(struct audit *a, unsigned engine, struct services *seen, const cJSON *entry)
{
	const char *id = cJSON_GetStringValue(json_member(entry, "Id"));
	const char *service =
		cJSON_GetStringValue(json_member(json_member(entry, "Labels"), "com.docker.swarm.service.id"));
	pv_autobuf text = PV_BUF_INIT;
	struct ctr *c;
	int r;

	if (!id || !api_id_valid(API_ID_CONTAINER, id))
		return 0;
	if (judge_service(a, engine, seen, service))
		return 0;
	r = answer_of(a, engine, API_INSPECT, id, &text);
	if (r == -ENOENT) /* it ended meanwhile */
		return 0;
	if (r == 0)
		r = ctr_from_inspect(&a->arena, pv_buf_str(&text), text.len, &c);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return lost(a, arena_ndup(&a->arena, id, 12), r, "the engine's answer about it");
	c->id = arena_dup(&a->arena, id);
	c->engine = engine;
	keep(a, c);
	return 0;
}

static int one_engine(struct audit *a, unsigned engine)
{
	pv_autobuf text = PV_BUF_INIT;
	struct services seen = { .n = 0 };
	auto_json *root = NULL;
	const cJSON *entry;
	size_t n = 0;
	int r = answer_of(a, engine, API_LIST, "", &text);

	if (r == 0)
		r = json_parse(pv_buf_str(&text), text.len, &root);
	if (r == -ENOENT) /* there is no such engine here */
		return 0;
	if (r == 0 && !cJSON_IsArray(root))
		r = -EBADMSG;
	if (r < 0)
		return lost(a, engine ? "Podman" : "Docker", r, "the list of containers");
	read_info(a, engine);
	cJSON_ArrayForEach(entry, root)
	{
		if (n++ == CONTAINERS_MAX)
			return lost(a, engine ? "Podman" : "Docker", -EFBIG, "more than 2000 containers");
		r = one_container(a, engine, &seen, entry);
		if (r < 0)
			return r;
	}
	return 0;
}

int gather_engine(struct audit *a)
{
	int r = one_engine(a, 0);

	panel_folders(a);
	return r < 0 ? r : one_engine(a, 1);
}
