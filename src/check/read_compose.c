#include "check/read_compose.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "check/compose_tree.h"

#define EXTENDS_MAX  16
#define SERVICES_MAX 1000

struct project {
	struct arena *a;
	const struct compose_files *files;
	struct ctr_list *to;
	const char *dir;
	const char *name;
	struct dotenv env;
	struct compose_vars vars;
	size_t budget, n_files;
	struct cv *volumes; /* the top-level section */
};

struct scope { /* where relative names start */
	struct project *p;
	struct ctr *c;
};

/* --- files --- */

static const char *folder_of(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? arena_ndup(a, path, slash == path ? 1 : (size_t) (slash - path)) : ".";
}

static const char *join(struct arena *a, const char *dir, const char *path)
{
	if (strncmp(path, "./", 2) == 0)
		path += 2;
	if (*path == '/' || strcmp(dir, ".") == 0)
		return arena_dup(a, path);
	return arena_printf(a, "%s/%s", dir, path);
}

static enum finding_reason reason_of(int r)
{
	return r == -EACCES || r == -EPERM ? REASON_PERMISSION
	       : r == -EFBIG               ? REASON_TOO_LARGE
	       : r == -ENOENT              ? REASON_ABSENT
					   : REASON_MALFORMED;
}

/* A file that says nothing: told once, under its name. */
static void lost_file(struct project *p, const char *path, enum finding_reason reason, unsigned line, const char *why)
{
	struct ctr *c = ctr_new(p->a, CTR_COMPOSE);

	if (!c)
		return;
	c->kind = SUBJECT_FILE;
	c->name = c->path = path;
	c->line = line;
	ctr_set_all_gaps(c, reason, line, arena_dup(p->a, why));
	c->net.text = c->pid_ns.text = c->ipc_ns.text = c->uts_ns.text = c->user_ns.text = "";
	ctr_list_add(p->a, p->to, c);
}

static struct cv *load(struct project *p, const char *path)
{
	pv_autobuf text = PV_BUF_INIT, why = PV_BUF_INIT;
	unsigned line = 1;
	struct cv *root;
	int r;

	if (!path || p->n_files++ >= COMPOSE_FILES) {
		if (path)
			lost_file(p, path, REASON_TOO_LARGE, 1, "more files than are read");
		return NULL;
	}
	r = p->files->read(p->files->user, path, YAML_TEXT_MAX + 1, &text);
	if (r < 0) {
		lost_file(p, path, reason_of(r), 1, strerror(-r));
		return NULL;
	}
	root = compose_parse(p->a, pv_buf_str(&text), text.len, path, &p->vars, &p->budget, &line, &why);
	if (!root)
		lost_file(p, path, text.len > YAML_TEXT_MAX || p->budget == 0 ? REASON_TOO_LARGE : REASON_MALFORMED,
			  line, pv_buf_str(&why));
	return root;
}

static void add_env(struct project *p, const char *path)
{
	pv_autobuf text = PV_BUF_INIT;
	struct dotenv more = { 0 };

	if (!path || p->files->read(p->files->user, path, DOTENV_BYTES, &text) < 0 ||
	    dotenv_parse(p->a, pv_buf_str(&text), text.len, &more) < 0)
		return;
	for (size_t i = 0; i < more.n; i++) {
		struct ctr_env *item = arena_grow(p->a, p->env.item, p->env.n, sizeof(*item));

		if (!item)
			return;
		p->env.item = item;
		p->env.item[p->env.n++] = more.item[i];
	}
}

/* --- values --- */

static void gap(struct scope *s, enum ctr_field field, const struct cv *v, const char *why)
{
	ctr_set_gap(s->c, field, v->unsure ? REASON_ABSENT : REASON_MALFORMED, v->line,
		    v->unsure ? "a variable that has no value here" : why);
}

/* The text of a scalar, or NULL with a gap. An absent or null value is NULL without one. */
static const char *text_of(struct scope *s, const struct cv *v, enum ctr_field field)
{
	if (!v || v->null)
		return NULL;
	if (v->kind != YAML_SCALAR || v->unsure) {
		gap(s, field, v, "one value is expected here");
		return NULL;
	}
	return v->text;
}

static bool truth(struct scope *s, const struct cv *v, enum ctr_field field)
{
	const char *text = text_of(s, v, field);
	bool value = false;

	if (text && ctr_parse_bool(text, &value) < 0)
		gap(s, field, v, "neither true nor false");
	return value;
}

static struct ctr_word place(const struct cv *v, const char *what, const char *text)
{
	return (struct ctr_word){ .text = text, .what = what, .file = v ? v->file : NULL, .line = v ? v->line : 0 };
}

static struct ctr_word word(struct scope *s, const struct cv *service, const char *key, enum ctr_field field)
{
	const struct cv *v = compose_get(service, key);
	const char *text = text_of(s, v, field);

	return place(v, key, text ? text : "");
}

/* A list, or one value that stands for a list of one. */
static void words(struct scope *s, const struct cv *v, const char *what, enum ctr_field field, struct ctr_words *to)
{
	struct project *p = s->p;

	if (!v || v->null)
		return;
	if (v->kind == YAML_MAP) {
		gap(s, field, v, "a list is expected here");
		return;
	}
	for (size_t i = 0; i < (v->kind == YAML_LIST ? v->n : 1); i++) {
		const struct cv *item = v->kind == YAML_LIST ? v->child[i] : v;
		const char *text = text_of(s, item, field);
		struct ctr_word *w = text ? ctr_words_add(p->a, to, text, what, item->line) : NULL;

		if (w)
			w->file = item->file;
	}
}

static void caps(struct scope *s, const struct cv *service, const char *key, struct ctr_words *to)
{
	words(s, compose_get(service, key), key, CTR_CAPS, to);
	for (size_t i = 0; i < to->n; i++)
		to->item[i].text = ctr_cap_name(s->p->a, to->item[i].text);
}

/* --- limits: at the top of the service, or below deploy.resources.limits --- */

static const struct cv *limit(const struct cv *service, const char *own, const char *deployed)
{
	const struct cv *v = compose_get(service, own);

	if (v && !v->null)
		return v;
	return compose_get(compose_get(compose_get(compose_get(service, "deploy"), "resources"), "limits"), deployed);
}

static int64_t size_of(struct scope *s, const struct cv *v, enum ctr_field field)
{
	const char *text = text_of(s, v, field);
	int64_t n = 0;

	if (text && ctr_parse_size(text, &n) < 0)
		gap(s, field, v, "no size like 512m");
	return n;
}

static void cpu_limit(struct scope *s, const struct cv *service)
{
	const struct cv *v = limit(service, "cpus", "cpus"), *quota = compose_get(service, "cpu_quota"),
			*period = compose_get(service, "cpu_period");
	const char *text = text_of(s, v, CTR_CPU);

	s->c->limit_cpu = place(v ? v : quota, v || !quota ? "cpus" : "cpu_quota", NULL);
	if (text && ctr_parse_cpus(text, &s->c->nano_cpus) < 0)
		gap(s, CTR_CPU, v, "no number like 1.5");
	if (!v && quota) {
		int64_t q = size_of(s, quota, CTR_CPU), per = period ? size_of(s, period, CTR_CPU) : 100000;

		if (q > 0 && q < INT64_MAX / 1000 && per > 0)
			s->c->nano_cpus = (uint64_t) q * 1000 / (uint64_t) per * 1000000;
	}
}

static void limits(struct scope *s, const struct cv *service)
{
	const struct cv *pids = limit(service, "pids_limit", "pids"), *memory = limit(service, "mem_limit", "memory"),
			*swap = compose_get(service, "memswap_limit");
	int64_t n = size_of(s, memory, CTR_MEMORY);

	s->c->memory = n > 0 ? (uint64_t) n : 0;
	s->c->limit_memory = place(memory, "memory", NULL);
	s->c->swap = size_of(s, swap, CTR_SWAP);
	s->c->limit_swap = place(swap, "memswap_limit", NULL);
	n = size_of(s, pids, CTR_PIDS);
	s->c->pids = n > 0 ? n : 0;
	s->c->limit_pids = place(pids, "pids_limit", NULL);
	cpu_limit(s, service);
}

/* --- volumes --- */

/* A relative source is one below the project's folder; `..` may lead out of it. */
static const char *resolve(struct project *p, const char *source)
{
	if (*source == '~')
		return ctr_path_clean(p->a, arena_printf(p->a, "/home/you%s", source + 1));
	if (*source == '.' && *p->dir == '/')
		return ctr_path_clean(p->a, arena_printf(p->a, "%s/%s", p->dir, source));
	return ctr_path_clean(p->a, source);
}

/* volumes: {x: {driver_opts: {o: bind, device: /run}}} is a bind in all but name. */
static void named_volume(struct project *p, struct ctr_mount *m)
{
	const struct cv *opts = compose_get(compose_get(p->volumes, m->source), "driver_opts");
	const struct cv *o = compose_get(opts, "o"), *device = compose_get(opts, "device");

	if (o && device && o->kind == YAML_SCALAR && device->kind == YAML_SCALAR && strstr(o->text, "bind")) {
		m->type = "bind";
		m->source = resolve(p, device->text);
	}
}

static struct ctr_mount *mount_slot(struct scope *s, const char *target)
{
	for (size_t i = 0; i < s->c->n_mounts; i++)
		if (strcmp(s->c->mount[i].target, target) == 0)
			return &s->c->mount[i]; /* an override of the same place */
	return ctr_mount_add(s->p->a, s->c);
}

static void long_volume(struct scope *s, const struct cv *v)
{
	const char *type = text_of(s, compose_get(v, "type"), CTR_MOUNTS),
		   *source = text_of(s, compose_get(v, "source"), CTR_MOUNTS),
		   *target = text_of(s, compose_get(v, "target"), CTR_MOUNTS), *propagation;
	const struct cv *size = compose_get(compose_get(v, "tmpfs"), "size");
	struct ctr_mount *m;

	if (!type || !target) {
		gap(s, CTR_MOUNTS, v, "a volume without type or target");
		return;
	}
	m = mount_slot(s, target);
	if (!m)
		return;
	propagation = text_of(s, compose_get(compose_get(v, "bind"), "propagation"), CTR_MOUNTS);
	*m = (struct ctr_mount){ .at = place(v, "volumes", NULL),
				 .type = type,
				 .source = source ? source : "",
				 .target = target,
				 .options = propagation ? propagation : "",
				 .ro = truth(s, compose_get(v, "read_only"), CTR_MOUNTS) };
	if (strcmp(type, "bind") == 0)
		m->source = resolve(s->p, m->source);
	else if (strcmp(type, "tmpfs") == 0 && size && size->kind == YAML_SCALAR)
		m->options = arena_printf(s->p->a, "size=%s", size->text);
	else
		named_volume(s->p, m);
	if (!m->source || !m->options)
		*m = (struct ctr_mount){ .type = "volume", .source = "", .target = "", .options = "" };
}

static void short_volume(struct scope *s, const struct cv *v)
{
	struct ctr_mount parsed = { .at = place(v, "volumes", NULL) }, *m;
	const char *text = text_of(s, v, CTR_MOUNTS);

	if (!text)
		return;
	if (ctr_parse_volume(s->p->a, text, &parsed) < 0) {
		gap(s, CTR_MOUNTS, v, "no volume like source:target:ro");
		return;
	}
	m = mount_slot(s, parsed.target);
	if (!m)
		return;
	*m = parsed;
	if (strcmp(m->type, "bind") == 0)
		m->source = resolve(s->p, m->source);
	else
		named_volume(s->p, m);
	if (!m->source)
		m->source = "";
}

static void tmpfs(struct scope *s, const struct cv *v)
{
	struct ctr_words list = { 0 };

	words(s, v, "tmpfs", CTR_TMPFS, &list);
	for (size_t i = 0; i < list.n; i++) {
		const char *colon = strchr(list.item[i].text, ':');
		const char *target =
			colon ? arena_ndup(s->p->a, list.item[i].text, (size_t) (colon - list.item[i].text))
			      : list.item[i].text;
		struct ctr_mount *m = target ? mount_slot(s, target) : NULL;

		if (m)
			*m = (struct ctr_mount){ .at = list.item[i],
						 .type = "tmpfs",
						 .source = "",
						 .target = target,
						 .options = colon ? colon + 1 : "" };
	}
}

static void mounts(struct scope *s, const struct cv *service)
{
	const struct cv *list = compose_get(service, "volumes");

	if (list && list->kind != YAML_LIST && !list->null)
		gap(s, CTR_MOUNTS, list, "a list is expected here");
	for (size_t i = 0; list && list->kind == YAML_LIST && i < list->n; i++) {
		if (list->child[i]->kind == YAML_MAP)
			long_volume(s, list->child[i]);
		else
			short_volume(s, list->child[i]);
	}
	tmpfs(s, compose_get(service, "tmpfs"));
}

/* --- ports --- */

static void long_port(struct scope *s, const struct cv *v)
{
	const char *target = text_of(s, compose_get(v, "target"), CTR_PORTS),
		   *published = text_of(s, compose_get(v, "published"), CTR_PORTS),
		   *address = text_of(s, compose_get(v, "host_ip"), CTR_PORTS),
		   *protocol = text_of(s, compose_get(v, "protocol"), CTR_PORTS);
	struct ctr_port parsed = { .address = "" }, *p;
	const char *text = arena_printf(s->p->a, "%s:%s/%s", published ? published : "", target ? target : "",
					protocol ? protocol : "tcp");

	if (!text || ctr_parse_port(s->p->a, text, &parsed) < 0) {
		gap(s, CTR_PORTS, v, "no port");
		return;
	}
	p = ctr_port_add(s->p->a, s->c);
	if (!p)
		return;
	*p = parsed;
	p->at = place(v, "ports", NULL);
	p->address = address ? address : "";
}

static void ports(struct scope *s, const struct cv *service)
{
	const struct cv *list = compose_get(service, "ports");

	if (list && list->kind != YAML_LIST && !list->null)
		gap(s, CTR_PORTS, list, "a list is expected here");
	for (size_t i = 0; list && list->kind == YAML_LIST && i < list->n; i++) {
		const struct cv *v = list->child[i];
		struct ctr_port parsed = { .at = place(v, "ports", NULL) }, *p;
		const char *text;

		if (v->kind == YAML_MAP) {
			long_port(s, v);
			continue;
		}
		text = text_of(s, v, CTR_PORTS);
		if (text && ctr_parse_port(s->p->a, text, &parsed) < 0)
			gap(s, CTR_PORTS, v, "no port like 127.0.0.1:8080:80");
		else if (text && (p = ctr_port_add(s->p->a, s->c)))
			*p = parsed;
	}
}

/* --- environment --- */

static void set_env(struct scope *s, const char *name, const char *value, const struct cv *at, bool from_env_file)
{
	struct ctr_env *e = name ? ctr_env_set(s->p->a, s->c, name, value) : NULL;

	if (!e)
		return;
	e->at = place(at, "environment", NULL);
	e->from_env_file = from_env_file;
}

static void env_entry(struct scope *s, const struct cv *v, const char *name, const char *value)
{
	if (value && v->kind == YAML_SCALAR && !v->null) {
		set_env(s, name, v->unsure ? NULL : value, v, v->from_var);
		return;
	}
	if (name) { /* given through: from .env, or the shell of whoever deploys */
		const struct ctr_env *e = dotenv_find(&s->p->env, name, strlen(name));

		set_env(s, name, e ? e->value : NULL, v, true);
	}
}

static void env_file(struct scope *s, const struct cv *v)
{
	const struct cv *path = v->kind == YAML_MAP ? compose_get(v, "path") : v,
			*required = compose_get(v, "required");
	const char *name = text_of(s, path, CTR_ENV);
	pv_autobuf text = PV_BUF_INIT;
	struct dotenv env = { 0 };
	bool must = true;
	int r;

	if (!name)
		return;
	if (required && required->kind == YAML_SCALAR)
		(void) ctr_parse_bool(required->text, &must);
	name = join(s->p->a, s->p->dir, name);
	r = name ? s->p->files->read(s->p->files->user, name, DOTENV_BYTES, &text) : -ENOMEM;
	if (r == 0)
		r = dotenv_parse(s->p->a, pv_buf_str(&text), text.len, &env);
	if (r < 0 && must)
		ctr_set_gap(s->c, CTR_ENV, reason_of(r), v->line,
			    arena_printf(s->p->a, "env_file %s: %s", name ? name : "", strerror(-r)));
	for (size_t i = 0; i < env.n; i++) {
		struct ctr_env *e = ctr_env_set(s->p->a, s->c, env.item[i].name, env.item[i].value);

		if (e) {
			e->at = env.item[i].at;
			e->at.file = name;
			e->from_env_file = true;
		}
	}
}

static void environment(struct scope *s, const struct cv *service)
{
	const struct cv *files = compose_get(service, "env_file"), *v = compose_get(service, "environment");

	if (files && files->kind == YAML_LIST)
		for (size_t i = 0; i < files->n; i++)
			env_file(s, files->child[i]);
	else if (files && !files->null)
		env_file(s, files);
	if (!v || v->null)
		return;
	if (v->kind == YAML_SCALAR)
		gap(s, CTR_ENV, v, "a map or a list is expected here");
	for (size_t i = 0; i < v->n; i++) {
		const struct cv *item = v->child[i];

		if (v->kind == YAML_MAP) {
			env_entry(s, item, item->key, item->kind == YAML_SCALAR && !item->null ? item->text : NULL);
		} else if (item->kind == YAML_SCALAR) {
			const char *eq = strchr(item->text, '=');

			env_entry(s, item,
				  eq ? arena_ndup(s->p->a, item->text, (size_t) (eq - item->text)) : item->text,
				  eq ? eq + 1 : NULL);
		}
	}
}

/* --- one service --- */

static void health(struct scope *s, const struct cv *service)
{
	const struct cv *v = compose_get(service, "healthcheck"), *test = compose_get(v, "test");
	const struct cv *first = test && test->kind == YAML_LIST && test->n ? test->child[0] : test;

	s->c->health = place(v, "healthcheck", NULL);
	if (truth(s, compose_get(v, "disable"), CTR_HEALTH) ||
	    (first && first->kind == YAML_SCALAR && strcmp(first->text, "NONE") == 0))
		s->c->healthcheck_off = true;
	else if (test && !test->null)
		s->c->healthcheck = true;
}

static void restart(struct scope *s, const struct cv *service)
{
	const struct cv *deploy = compose_get(compose_get(service, "deploy"), "restart_policy");
	const struct cv *v = compose_get(service, "restart"), *condition = compose_get(deploy, "condition");
	const char *text = text_of(s, v, CTR_RESTART);

	if (!text && deploy) {
		text = text_of(s, condition, CTR_RESTART);
		s->c->restart = place(condition ? condition : deploy, "deploy.restart_policy", text ? text : "any");
		return;
	}
	s->c->restart = place(v, "restart", text ? text : "");
}

static void devices(struct scope *s, const struct cv *service)
{
	const struct cv *list = compose_get(service, "devices");

	if (list && list->kind != YAML_LIST && !list->null)
		gap(s, CTR_DEVICES, list, "a list is expected here");
	for (size_t i = 0; list && list->kind == YAML_LIST && i < list->n; i++) {
		const struct cv *v = list->child[i];
		const char *text = text_of(s, v->kind == YAML_MAP ? compose_get(v, "source") : v, CTR_DEVICES);
		struct ctr_word *w =
			text ? ctr_words_add(s->p->a, &s->c->devices,
					     ctr_path_clean(s->p->a, arena_ndup(s->p->a, text, strcspn(text, ":"))),
					     "devices", v->line)
			     : NULL;

		if (w)
			w->file = v->file;
	}
}

static void read_service(struct scope *s, const struct cv *v)
{
	struct ctr *c = s->c;

	words(s, compose_get(v, "security_opt"), "security_opt", CTR_SECURITY, &c->security);
	caps(s, v, "cap_add", &c->cap_add);
	caps(s, v, "cap_drop", &c->cap_drop);
	c->read_only = truth(s, compose_get(v, "read_only"), CTR_ROOTFS);
	c->rootfs = place(compose_get(v, "read_only"), "read_only", NULL);
	c->is_privileged = truth(s, compose_get(v, "privileged"), CTR_PRIVILEGED);
	c->privileged = place(compose_get(v, "privileged"), "privileged", NULL);
	c->user = word(s, v, "user", CTR_USER);
	c->image = word(s, v, "image", CTR_IMAGE);
	c->net = word(s, v, "network_mode", CTR_NET);
	c->pid_ns = word(s, v, "pid", CTR_PID_NS);
	c->ipc_ns = word(s, v, "ipc", CTR_IPC_NS);
	c->uts_ns = word(s, v, "uts", CTR_UTS_NS);
	c->user_ns = word(s, v, "userns_mode", CTR_USER_NS);
	if (compose_get(v, "build"))
		c->image.text = ""; /* built here: the name is what it will be called, not what is drawn */
	limits(s, v);
	mounts(s, v);
	ports(s, v);
	environment(s, v);
	health(s, v);
	restart(s, v);
	devices(s, v);
}

/* `extends: name`, `extends: {service: name, file: other.yaml}`: the base below, this one on top. */
static struct cv *extended(struct project *p, struct cv *services, struct cv *service, unsigned depth,
			   const char **ret_why)
{
	const struct cv *e = compose_get(service, "extends"), *file = compose_get(e, "file"),
			*name = e && e->kind == YAML_MAP ? compose_get(e, "service") : e;
	struct cv *root, *base;

	if (!e || e->null)
		return service;
	if (depth > EXTENDS_MAX || !name || name->kind != YAML_SCALAR || name->unsure ||
	    (file && (file->kind != YAML_SCALAR || file->unsure))) {
		*ret_why = "extends cannot be followed";
		return service;
	}
	root = file ? load(p, join(p->a, folder_of(p->a, e->file), file->text)) : NULL;
	if (file)
		services = compose_get(root, "services");
	base = compose_get(services, name->text);
	if (!base || base->kind != YAML_MAP || base == service) {
		*ret_why = "what it extends was not found";
		return service;
	}
	base = extended(p, services, base, depth + 1, ret_why);
	return compose_merge(p->a, base, service);
}

static void add_service(struct project *p, struct cv *services, struct cv *v)
{
	struct scope s = { .p = p, .c = ctr_new(p->a, CTR_COMPOSE) };
	const char *why = NULL;

	if (!s.c)
		return;
	s.c->kind = SUBJECT_SERVICE;
	s.c->project = p->name;
	s.c->service = v->key;
	s.c->name = arena_printf(p->a, "%s/%s", p->name, v->key);
	s.c->path = v->file;
	s.c->line = v->line;
	s.c->dir = p->dir;
	if (v->kind != YAML_MAP)
		why = "a service is a map";
	else
		v = extended(p, services, v, 0, &why);
	if (why)
		ctr_set_all_gaps(s.c, REASON_MALFORMED, s.c->line, why);
	if (v && s.c->name)
		read_service(&s, v);
	ctr_list_add(p->a, p->to, s.c);
}

/* --- the files of a project --- */

static struct cv *load_all(struct project *p, const char *path, unsigned depth);

/* include: [path, {path: [a, b], env_file: x}] */
static struct cv *included(struct project *p, struct cv *root, const struct cv *list, unsigned depth)
{
	for (size_t i = 0; list && list->kind == YAML_LIST && i < list->n; i++) {
		const struct cv *entry = list->child[i],
				*path = entry->kind == YAML_MAP ? compose_get(entry, "path") : entry;
		struct cv *from = NULL;

		for (size_t k = 0; path && k < (path->kind == YAML_LIST ? path->n : 1); k++) {
			const struct cv *one = path->kind == YAML_LIST ? path->child[k] : path;

			if (one->kind == YAML_SCALAR && !one->unsure)
				from = compose_merge(
					p->a, from,
					load_all(p, join(p->a, folder_of(p->a, root->file), one->text), depth + 1));
			else
				lost_file(p, entry->file, REASON_ABSENT, entry->line,
					  "include of a path that is not known here");
		}
		root = compose_merge(p->a, from, root);
		if (!root)
			return NULL;
	}
	return root;
}

static struct cv *load_all(struct project *p, const char *path, unsigned depth)
{
	struct cv *root = load(p, path);

	if (!root)
		return NULL;
	if (depth > EXTENDS_MAX) {
		lost_file(p, path, REASON_TOO_LARGE, 1, "includes go round in a circle, or too deep");
		return root;
	}
	return included(p, root, compose_get(root, "include"), depth);
}

static const char *project_name(struct project *p, const struct cv *root)
{
	const struct cv *name = compose_get(root, "name");
	const char *slash = strrchr(p->dir, '/'), *from = slash && slash[1] ? slash + 1 : p->dir;
	char *own;
	size_t n = 0;

	if (name && name->kind == YAML_SCALAR && *name->text && !name->unsure)
		return name->text;
	own = arena_dup(p->a, from);
	for (const char *c = from; own && *c; c++)
		if (isalnum((unsigned char) *c) || *c == '_' || *c == '-')
			own[n++] = (char) tolower((unsigned char) *c);
	if (own)
		own[n] = '\0';
	return n ? own : "project";
}

static void add_services(struct project *p, struct cv *root, const char *path)
{
	struct cv *services = compose_get(root, "services");

	p->volumes = compose_get(root, "volumes");
	p->name = project_name(p, root);
	if (!services || services->kind != YAML_MAP) {
		lost_file(p, path, REASON_MALFORMED, services ? services->line : 1, "has no services");
		return;
	}
	if (services->n > SERVICES_MAX)
		lost_file(p, path, REASON_TOO_LARGE, services->line,
			  "has more than 1000 services; those behind are not read");
	for (size_t i = 0; i < PV_MIN(services->n, (size_t) SERVICES_MAX); i++)
		add_service(p, services, services->child[i]);
}

int ctr_from_compose(struct arena *a, const char *const *paths, size_t n, const char *dir,
		     const struct compose_files *files, struct ctr_list *to)
{
	struct project p = { .a = a, .files = files, .to = to, .budget = COMPOSE_VALUES };
	size_t before = to->n;
	struct cv *root = NULL;
	bool any = false;

	p.dir = dir ? dir : folder_of(a, paths[0]);
	p.vars.env = &p.env;
	add_env(&p, join(a, p.dir, ".env"));
	for (size_t i = 0; i < n; i++) {
		struct cv *next = load_all(&p, arena_dup(a, paths[i]), 0);

		any = any || next;
		root = compose_merge(a, root, next);
	}
	if (root && any)
		add_services(&p, root, paths[0]);
	return a->poor ? -ENOMEM : (int) (to->n - before);
}
