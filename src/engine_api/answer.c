#include "engine_api/answer.h"

#include <cjson/cJSON.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine_api/json.h"

#define COMMAND_MAX 16384 /* octets of a command; a longer one is not known */

/* ---- reading JSON that a stranger wrote ---- */

static const char *get_text(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(json_member(object, key));
}

static uint64_t get_number(const cJSON *object, const char *key)
{
	const cJSON *v = json_member(object, key);

	if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0) || v->valuedouble > 9007199254740992.0)
		return 0;
	return (uint64_t) v->valuedouble;
}

/* Control characters become `?`, a character that does not fit whole is left out. False when something was cut. */
static bool copy(char *dst, size_t size, const char *s)
{
	bool whole;
	size_t n;

	if (!s)
		s = "";
	whole = text_copy(dst, size, s);
	n = strlen(dst);
	while (!whole && n && ((unsigned char) s[n] & 0xc0) == 0x80)
		dst[--n] = '\0';
	for (; n; n--)
		if ((unsigned char) dst[n - 1] < 0x20 || dst[n - 1] == 0x7f)
			dst[n - 1] = '?';
	return whole;
}

static bool is_plain(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7f)
			return false;
	return true;
}

static bool digits(const char *s, size_t n, int *ret)
{
	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		*ret = *ret * 10 + (s[i] - '0');
	}
	return true;
}

/* "Z" or "+01:00" (Podman): seconds east of UTC. */
static bool zone(const char *s, int *ret)
{
	int h, m;

	*ret = 0;
	if (strcmp(s, "Z") == 0)
		return true;
	if (strlen(s) != 6 || (*s != '+' && *s != '-') || s[3] != ':' || !digits(s + 1, 2, &h) || !digits(s + 4, 2, &m))
		return false;
	*ret = (h * 3600 + m * 60) * (*s == '-' ? -1 : 1);
	return h < 24 && m < 60;
}

/* RFC 3339 with any fraction; 0 when it is none, or before 1970 (an engine's "never" is the year 1). */
static uint64_t wall_us(const char *s)
{
	static const uint64_t tens[] = { 100000, 10000, 1000, 100, 10, 1 };
	struct tm tm = { 0 };
	uint64_t us = 0;
	int64_t t;
	int east;

	if (!s || strlen(s) < 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' ||
	    !digits(s, 4, &tm.tm_year) || !digits(s + 5, 2, &tm.tm_mon) || !digits(s + 8, 2, &tm.tm_mday) ||
	    !digits(s + 11, 2, &tm.tm_hour) || !digits(s + 14, 2, &tm.tm_min) || !digits(s + 17, 2, &tm.tm_sec))
		return 0;
	s += 19;
	if (*s == '.')
		for (size_t i = 0; *++s >= '0' && *s <= '9'; i++)
			us += i < 6 ? tens[i] * (uint64_t) (*s - '0') : 0;
	if (!zone(s, &east))
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	t = timegm(&tm) - east;
	return t > 0 ? (uint64_t) t * USEC_PER_SEC + us : 0;
}

/* ---- who a container is ---- */

struct labels {
	const cJSON *own;   /* the container's: those of the image are merged into it */
	const cJSON *image; /* the image's own; NULL: none, or not known */
	bool image_known;
};

static bool from_image(const struct labels *l, const char *key)
{
	const char *own = get_text(l->own, key), *image = get_text(l->image, key);

	return own && image && strcmp(own, image) == 0;
}

/* Swarm names a task's container SERVICE.SLOT.TASK; an image cannot choose a container's name. Believing its labels
 * instead would let it have somebody else's service stopped. */
static bool swarm_identity(const struct labels *l, const char *name, struct container_info *c)
{
	const char *service = get_text(l->own, "com.docker.swarm.service.name");
	const char *task = get_text(l->own, "com.docker.swarm.task.id");
	const char *id = get_text(l->own, "com.docker.swarm.service.id");
	const char *stack = get_text(l->own, "com.docker.stack.namespace");
	size_t n = service ? strlen(service) : 0, all = strlen(name), t = task ? strlen(task) : 0, s;

	if (!n || !t || all < n + t + 2 || strncmp(name, service, n) != 0 || name[n] != '.' ||
	    strcmp(name + all - t, task) != 0 || name[all - t - 1] != '.')
		return false;
	s = stack ? strlen(stack) : 0;
	if (s && strncmp(service, stack, s) == 0 && service[s] == '_' && service[s + 1]) {
		(void) copy(c->project, sizeof(c->project), stack);
		service += s + 1;
	}
	(void) copy(c->service, sizeof(c->service), service);
	(void) copy(c->task_id, sizeof(c->task_id), task);
	if (id && is_plain(id))
		(void) copy(c->service_id, sizeof(c->service_id), id);
	return true;
}

/* An image that Compose built carries project and service itself, so these alone prove nothing either way; number
 * and hash are only ever put on containers. */
static bool compose_identity(const struct labels *l, struct container_info *c)
{
	static const char *const sets[][2] = {
		{ "com.docker.compose.project", "com.docker.compose.service" },
		{ "io.podman.compose.project", "io.podman.compose.service" },
		{ "io.podman.compose.project", "com.docker.compose.service" },
	};
	static const char *const proofs[] = { "com.docker.compose.container-number", "com.docker.compose.config-hash",
					      "io.podman.compose.config-hash" };
	bool proven = false;

	for (size_t i = 0; i < N_ELEMENTS(proofs); i++)
		proven |= get_text(l->own, proofs[i]) && !from_image(l, proofs[i]);
	for (size_t i = 0; i < N_ELEMENTS(sets); i++) {
		const char *project = get_text(l->own, sets[i][0]), *service = get_text(l->own, sets[i][1]);

		if (!project || !service || !*project || !*service)
			continue;
		if (!proven && (from_image(l, sets[i][0]) || from_image(l, sets[i][1])))
			continue;
		(void) copy(c->project, sizeof(c->project), project);
		(void) copy(c->service, sizeof(c->service), service);
		return true;
	}
	return false;
}

static void label_exceptions(const struct labels *l, struct container_info *c)
{
	static const char *const keys[SIGNAL_N] = { /* net and dns: never by label */
		[SIGNAL_CPU] = "pavise.cpu",
		[SIGNAL_MEMORY] = "pavise.memory",
		[SIGNAL_PIDS] = "pavise.pids",
		[SIGNAL_EXEC] = "pavise.exec",
	};

	for (size_t i = 0; i < SIGNAL_N; i++) {
		const char *v = keys[i] ? get_text(l->own, keys[i]) : NULL;

		c->label_action[i] = ACTION_N;
		if (!v || !l->image_known || from_image(l, keys[i]))
			continue;
		if (strcmp(v, "ignore") == 0)
			c->label_action[i] = ACTION_IGNORE;
		else if (strcmp(v, "alert") == 0)
			c->label_action[i] = ACTION_ALERT;
	}
}

/* Whose rules take its log. The image's own label does not count: it would choose what the log may have banned. */
static void label_log(const struct labels *l, struct container_info *c)
{
	const char *v = get_text(l->own, "pavise.logs");

	if (v && l->image_known && !from_image(l, "pavise.logs") && strspn(v, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(v))
		(void) copy(c->log_service, sizeof(c->log_service), v);
}

static void read_image_id(struct container_info *c, const char *id)
{
	if (!id)
		return;
	if (strncmp(id, "sha256:", 7) == 0)
		id += 7;
	if (!text_is_hex(id, 64)) /* libpod's own form has no prefix */
		return;
	memcpy(c->image_id, "sha256:", 7);
	memcpy(c->image_id + 7, id, 65);
}

static void read_networks(struct container_info *c, const cJSON *networks)
{
	static const char *const addresses[] = { "IPAddress", "GlobalIPv6Address" };
	const cJSON *n;

	cJSON_ArrayForEach(n, networks) {
		const char *name = n->string;

		if (!cJSON_IsObject(networks) || !name || !*name)
			continue;
		if (c->n_networks == CONTAINER_NETWORKS || strlen(name) >= PV_NETNAME_LEN || !is_plain(name)) {
			c->networks_skipped++;
			continue;
		}
		for (size_t i = 0; name[i]; i++)
			c->networks[c->n_networks][i] =
				(char) (name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
		for (size_t i = 0; i < N_ELEMENTS(addresses); i++) {
			const char *text = get_text(n, addresses[i]);

			if (text) /* empty where it has none */
				(void) ip_parse(text, &c->addresses[c->n_networks][i]);
		}
		c->n_networks++;
	}
}

static int read_identity(struct container_info *c, const char *id, const char *name, const struct labels *l)
{
	if (!id || !text_is_hex(id, 64))
		return -EBADMSG;
	memcpy(c->id, id, 65);
	if (name && *name == '/')
		name++;
	(void) copy(c->name, sizeof(c->name), name);
	if (!swarm_identity(l, name ? name : "", c))
		(void) compose_identity(l, c);
	label_exceptions(l, c);
	label_log(l, c);
	return 0;
}

/* What list and inspect have in common. */
static int read_container(struct container_info *c, const cJSON *object, const char *name, const struct labels *l)
{
	const char *id = get_text(object, "Id");
	int r = read_identity(c, id, name, l);

	if (r < 0)
		return r;
	read_networks(c, json_member(json_member(object, "NetworkSettings"), "Networks"));
	id = get_text(json_member(object, "HostConfig"), "NetworkMode");
	c->host_network = id && strcmp(id, "host") == 0;
	return 0;
}

/* A container has its own name and those of links to it (/other/alias): its own has one slash. */
static const char *own_name(const cJSON *names)
{
	const cJSON *n;

	cJSON_ArrayForEach(n, names) {
		const char *s = cJSON_GetStringValue(n);

		if (s && *s == '/' && !strchr(s + 1, '/'))
			return s;
	}
	return NULL;
}

int answer_list(const char *json, size_t len, enum engine_kind engine, int (*fn)(const struct container_info *, void *),
		void *arg)
{
	auto_json *list = NULL;
	const cJSON *e;
	int r = json_parse(json, len, &list), n = 0;

	if (r < 0)
		return r;
	if (!cJSON_IsArray(list))
		return -EBADMSG;
	cJSON_ArrayForEach(e, list) {
		struct container_info c = { .engine = engine };
		struct labels l = { .own = json_member(e, "Labels") };
		const char *state = get_text(e, "State");

		if (read_container(&c, e, own_name(json_member(e, "Names")), &l) < 0)
			continue;
		(void) copy(c.image, sizeof(c.image), get_text(e, "Image"));
		read_image_id(&c, get_text(e, "ImageID"));
		c.running = state && (strcmp(state, "running") == 0 || strcmp(state, "paused") == 0);
		r = fn(&c, arg);
		if (r < 0)
			return r;
		n++;
	}
	return n;
}

/* `path` is `folder`, or lies below it. */
static bool is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && (path[n] == '/' || !path[n] || n == 1);
}

static bool holds_engine(const char *source)
{
	static const char *const sockets[] = { "/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock", "/var/run/podman/podman.sock",
		"/run/containerd/containerd.sock" };

	for (size_t i = 0; i < N_ELEMENTS(sockets); i++)
		if (is_below(sockets[i], source))
			return true;
	return false;
}

/* Folders in which something can stay (model/persist.h), one that holds such, or what lies in one. Of a home, its own dot files and
 * no project below it. */
static bool holds_folder(const char *source)
{
	static const char *const folders[] = { "/etc/cron.d", "/etc/crontab", "/etc/systemd", "/etc/profile.d", "/etc/init.d", "/etc/ld.so.preload",
		"/var/spool/cron", "/usr/lib/systemd", "/root/.ssh", "/root/.config/systemd" };
	const char *user;

	for (size_t i = 0; i < N_ELEMENTS(folders); i++)
		if (is_below(source, folders[i]) || is_below(folders[i], source))
			return true;
	if (strcmp(source, "/home") == 0)
		return true;
	if (strncmp(source, "/home/", 6) != 0)
		return false;
	user = strchr(source + 6, '/');
	return !user || is_below(user, "/.ssh") || is_below(user, "/.config/systemd");
}

/* Bind mounts that hold the host: the engine's socket (read-only is no hindrance to a socket), and folders that may be written to. */
static void read_mounts(struct container_info *c, const cJSON *mounts)
{
	const cJSON *m;

	cJSON_ArrayForEach(m, mounts) {
		const char *type = get_text(m, "Type"), *source = get_text(m, "Source");

		if (!type || strcmp(type, "bind") != 0 || !source || source[0] != '/')
			continue;
		if (!c->host_engine[0] && holds_engine(source) && strcmp(source, "/") != 0)
			(void) copy(c->host_engine, sizeof(c->host_engine), source);
		if (!c->host_folder[0] && holds_folder(source) && cJSON_IsTrue(json_member(m, "RW")))
			(void) copy(c->host_folder, sizeof(c->host_folder), source);
	}
}

static void read_restart(struct container_info *c, const cJSON *policy)
{
	static const char *const known[] = { "no", "always", "unless-stopped", "on-failure" };
	const char *name = get_text(policy, "Name");

	if (name && !*name)
		name = "no";
	for (size_t i = 0; name && i < N_ELEMENTS(known); i++)
		if (strcmp(name, known[i]) == 0)
			(void) text_copy(c->restart_policy, sizeof(c->restart_policy), known[i]);
	c->restart_max = (uint32_t) PV_MIN(get_number(policy, "MaximumRetryCount"), (uint64_t) UINT32_MAX);
}

/* A word and the NUL behind it; words are strangers' text, and only their hash is kept. */
static void add_word(struct pv_buf *out, const char *word)
{
	if (word)
		pv_buf_add(out, word, strlen(word) + 1);
}

/* Path and Args are what it starts: entrypoint and command in one, with Docker and Podman. A program that starts another one (an
 * init, a wrapper) is given it as the rest of its words. */
static void read_entry(struct container_info *c, const cJSON *object)
{
	pv_autobuf words = PV_BUF_INIT;
	size_t at[CONTAINER_ENTRIES] = { 0 }, n = 1;
	const cJSON *arg;

	words.cap = COMMAND_MAX;
	add_word(&words, get_text(object, "Path"));
	cJSON_ArrayForEach(arg, json_member(object, "Args")) {
		if (n < CONTAINER_ENTRIES)
			at[n++] = words.len;
		add_word(&words, cJSON_GetStringValue(arg));
	}
	for (size_t i = 0; i < n && !words.cut; i++)
		if (words.len > at[i])
			c->entry[i] = container_words(words.data + at[i], words.len - at[i]);
}

/* Test is CMD and words, or CMD-SHELL and a line, which Docker gives to the image's SHELL or /bin/sh, Podman to sh. */
static void read_health(struct container_info *c, const cJSON *config)
{
	const cJSON *test = json_member(json_member(config, "Healthcheck"), "Test"), *shell = json_member(config, "Shell"), *word;
	static const char *const shells[] = { "/bin/sh", "sh" };
	const char *kind = cJSON_GetStringValue(cJSON_GetArrayItem(test, 0));
	bool line = kind && strcmp(kind, "CMD-SHELL") == 0;

	if (!line && (!kind || strcmp(kind, "CMD") != 0))
		return;
	for (size_t i = 0; i < (line ? N_ELEMENTS(c->health) : 1); i++) {
		pv_autobuf words = PV_BUF_INIT;

		words.cap = COMMAND_MAX;
		if (line && i == 0 && cJSON_GetArraySize(shell)) {
			cJSON_ArrayForEach(word, shell) add_word(&words, cJSON_GetStringValue(word));
		} else if (line) {
			add_word(&words, shells[i]);
			add_word(&words, "-c");
		}
		for (word = test->child ? test->child->next : NULL; word; word = word->next)
			add_word(&words, cJSON_GetStringValue(word));
		if (words.len && !words.cut)
			c->health[i] = container_words(words.data, words.len);
	}
}

static const cJSON *image_labels(const cJSON *image)
{
	const cJSON *l = json_member(json_member(image, "Config"), "Labels");

	return l ? l : json_member(image, "Labels");
}

/* The classic builder of dockerd names no image but the layer before, keeps no log, and restarts nothing. */
static bool is_build_step(const cJSON *object, const struct container_info *c)
{
	const cJSON *host = json_member(object, "HostConfig");
	const char *log = get_text(json_member(host, "LogConfig"), "Type");

	return c->engine == ENGINE_DOCKER && log && strcmp(log, "none") == 0 && strncmp(c->image, "sha256:", 7) == 0 &&
	       (!c->restart_policy[0] || strcmp(c->restart_policy, "no") == 0) && !c->service[0] &&
	       !cJSON_GetArraySize(json_member(host, "Binds")) && !cJSON_GetArraySize(json_member(host, "Mounts"));
}

int answer_inspect(const char *json, size_t len, const char *image, size_t image_len, enum engine_kind engine,
		   struct container_info *ret)
{
	struct container_info c = { .engine = engine, .inspected = true };
	auto_json *object = NULL;
	auto_json *of_image = NULL;
	const cJSON *state;
	struct labels l;
	int r = json_parse(json, len, &object);

	if (r < 0)
		return r;
	if (image)
		(void) json_parse(image, image_len, &of_image);
	l = (struct labels){ json_member(json_member(object, "Config"), "Labels"), image_labels(of_image), json_member(of_image, "Id") != NULL };
	r = read_container(&c, object, get_text(object, "Name"), &l);
	if (r < 0)
		return r;
	(void) copy(c.image, sizeof(c.image), get_text(json_member(object, "Config"), "Image"));
	read_image_id(&c, get_text(object, "Image"));
	read_restart(&c, json_member(json_member(object, "HostConfig"), "RestartPolicy"));
	(void) copy(c.log_driver, sizeof(c.log_driver), get_text(json_member(json_member(object, "HostConfig"), "LogConfig"), "Type"));
	state = json_member(object, "State");
	c.running = cJSON_IsTrue(json_member(state, "Running"));
	c.pid = c.running ? (uint32_t) PV_MIN(get_number(state, "Pid"), (uint64_t) INT32_MAX) : 0;
	c.created_us = wall_us(get_text(object, "Created"));
	c.started_us = wall_us(get_text(state, "StartedAt"));
	c.ran_before = wall_us(get_text(state, "FinishedAt")) != 0; /* 0001-01-01 before it ended for the first time */
	c.build = is_build_step(object, &c);
	read_entry(&c, object);
	read_health(&c, json_member(object, "Config"));
	read_mounts(&c, json_member(object, "Mounts"));
	*ret = c;
	return 0;
}

/* ---- networks, events, services ---- */

int answer_networks(const char *json, size_t len, int (*fn)(const char *name, const struct ip_prefix *subnet, void *),
		    void *arg)
{
	auto_json *list = NULL;
	const cJSON *e, *config;
	char name[PV_NETNAME_LEN];
	struct ip_prefix p;
	int r = json_parse(json, len, &list), n = 0;

	if (r < 0)
		return r;
	if (!cJSON_IsArray(list))
		return -EBADMSG;
	cJSON_ArrayForEach(e, list) {
		(void) copy(name, sizeof(name), get_text(e, "Name"));
		cJSON_ArrayForEach(config, json_member(json_member(e, "IPAM"), "Config")) {
			const char *subnet = get_text(config, "Subnet");

			if (!subnet || ip_prefix_parse(subnet, &p) < 0 || p.len < (ip_is_v4(&p.addr) ? 96 + 8 : 16))
				continue;
			r = fn(name, &p, arg);
			if (r < 0)
				return r;
			n++;
		}
	}
	return n;
}

static int exit_code(const cJSON *attributes)
{
	const char *s = get_text(attributes, "exitCode");
	uint32_t v;

	if (!s)
		s = get_text(attributes, "containerExitCode"); /* Podman */
	return s && parse_u32(s, &v) == 0 && v <= INT32_MAX ? (int) v : -1;
}

/* Nanoseconds since 1970 are beyond what a double counts exactly; the microseconds are right. */
static uint64_t nano_us(const cJSON *v)
{
	if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0) || v->valuedouble > 1e19)
		return 0;
	return (uint64_t) (v->valuedouble / 1000);
}

int answer_event(const char *json, size_t len, struct engine_event *ret)
{
	struct engine_event ev = { .exit_code = -1 };
	const cJSON *actor, *attributes;
	auto_json *object = NULL;
	const char *id;
	int r = json_parse(json, len, &object);

	if (r < 0)
		return r;
	if (!copy(ev.type, sizeof(ev.type), get_text(object, "Type")) || !ev.type[0] || !is_plain(ev.type))
		return -EBADMSG;
	(void) copy(ev.action, sizeof(ev.action), get_text(object, "Action")); /* exec_start carries the command */
	ev.action[strcspn(ev.action, ":")] = '\0';
	if (!ev.action[0] || !is_plain(ev.action))
		return -EBADMSG;
	actor = json_member(object, "Actor");
	attributes = json_member(actor, "Attributes");
	if (strcmp(ev.type, "network") == 0) {
		id = get_text(attributes, "container");
		(void) copy(ev.network, sizeof(ev.network), get_text(attributes, "name"));
	} else {
		id = get_text(actor, "ID");
	}
	if (id && text_is_hex(id, 64))
		memcpy(ev.id, id, 65);
	else if (strcmp(ev.type, "container") == 0)
		return -EBADMSG;
	if (strcmp(ev.action, "die") == 0)
		ev.exit_code = exit_code(attributes);
	if (strcmp(ev.type, "container") == 0 && (strcmp(ev.action, "create") == 0 || strcmp(ev.action, "start") == 0)) {
		(void) read_identity(&ev.who, ev.id, get_text(attributes, "name"), &(struct labels){ .own = attributes }); /* beside its labels */
		(void) copy(ev.who.image, sizeof(ev.who.image), get_text(attributes, "image"));
	}
	ev.time_us = nano_us(json_member(object, "timeNano"));
	*ret = ev;
	return 0;
}

int answer_service(const char *json, size_t len, struct service_info *ret)
{
	struct service_info s = { 0 };
	const cJSON *spec, *mode;
	auto_json *object = NULL;
	int r = json_parse(json, len, &object);

	if (r < 0)
		return r;
	spec = json_member(object, "Spec");
	mode = json_member(spec, "Mode");
	(void) copy(s.name, sizeof(s.name), get_text(spec, "Name"));
	if (!s.name[0] || !cJSON_IsObject(mode))
		return -EBADMSG;
	s.global = cJSON_IsObject(json_member(mode, "Global"));
	s.replicas = get_number(json_member(mode, "Replicated"), "Replicas");
	s.version = get_number(json_member(object, "Version"), "Index");
	*ret = s;
	return 0;
}

void answer_logs(const char *body, size_t len, struct pv_buf *out)
{
	const uint8_t *b = (const uint8_t *) body;
	size_t at = 0;

	while (len - at >= 8 && b[at] <= 2 && !b[at + 1] && !b[at + 2] && !b[at + 3]) {
		size_t n = (size_t) b[at + 4] << 24 | (size_t) b[at + 5] << 16 | (size_t) b[at + 6] << 8 | b[at + 7];

		at += 8;
		n = PV_MIN(n, len - at);
		pv_buf_add(out, body + at, n);
		at += n;
	}
	pv_buf_add(out, body + at, len - at);
}
