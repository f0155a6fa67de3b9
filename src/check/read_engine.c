/* What the Engine API says about a container and about a Swarm service. The bounds of the JSON (size, depth, number of
 * values) are those of engine_api/answer.h; a member of another type than the API promises is a gap, never a default.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "check/container.h"
#include "engine_api/json.h"

static const char *text_of(struct arena *a, const cJSON *o, const char *key)
{
	const char *s = cJSON_GetStringValue(json_member(o, key)), *own = s ? arena_dup(a, s) : NULL;

	return own ? own : "";
}

static void list_of(struct arena *a, struct ctr *c, struct ctr_words *to, const cJSON *o, const char *key,
		    enum ctr_field field)
{
	const cJSON *list = json_member(o, key), *v;
	unsigned i = 0;

	if (!list || cJSON_IsNull(list))
		return;
	if (!cJSON_IsArray(list)) {
		ctr_set_gap(c, field, REASON_MALFORMED, 0, arena_printf(a, "%s is no list", key));
		return;
	}
	cJSON_ArrayForEach(v, list)
	{
		if (!cJSON_IsString(v))
			ctr_set_gap(c, field, REASON_MALFORMED, 0,
				    arena_printf(a, "%s holds something else than text", key));
		else
			(void) ctr_words_add(a, to, arena_dup(a, v->valuestring), arena_printf(a, "%s[%u]", key, i), 0);
		i++;
	}
}

static void caps_of(struct arena *a, struct ctr *c, struct ctr_words *to, const cJSON *o, const char *key)
{
	list_of(a, c, to, o, key, CTR_CAPS);
	for (size_t i = 0; i < to->n; i++)
		to->item[i].text = ctr_cap_name(a, to->item[i].text);
}

static bool truth(struct ctr *c, const cJSON *o, const char *key, enum ctr_field field)
{
	const cJSON *v = json_member(o, key);

	if (v && !cJSON_IsBool(v) && !cJSON_IsNull(v))
		ctr_set_gap(c, field, REASON_MALFORMED, 0, "neither true nor false");
	return cJSON_IsTrue(v);
}

/* A number that the API gives as one; null is 0. */
static int64_t number(struct ctr *c, const cJSON *o, const char *key, enum ctr_field field)
{
	const cJSON *v = json_member(o, key);

	if (!v || cJSON_IsNull(v))
		return 0;
	if (!cJSON_IsNumber(v) || isnan(v->valuedouble) || fabs(v->valuedouble) > 9e15) {
		ctr_set_gap(c, field, REASON_MALFORMED, 0, "no number");
		return 0;
	}
	return (int64_t) v->valuedouble;
}

static struct ctr_word word(struct arena *a, struct ctr *c, const cJSON *o, const char *key, const char *what,
			    enum ctr_field field)
{
	const cJSON *v = json_member(o, key);

	if (v && !cJSON_IsString(v) && !cJSON_IsNull(v))
		ctr_set_gap(c, field, REASON_MALFORMED, 0, "no text");
	return (struct ctr_word){ .text = text_of(a, o, key), .what = what };
}

static void env_of(struct arena *a, struct ctr *c, const cJSON *list)
{
	const cJSON *v;

	if (list && !cJSON_IsArray(list) && !cJSON_IsNull(list))
		ctr_set_gap(c, CTR_ENV, REASON_MALFORMED, 0, "Env is no list");
	cJSON_ArrayForEach(v, json_array(list))
	{
		const char *s = cJSON_IsString(v) ? v->valuestring : NULL, *eq = s ? strchr(s, '=') : NULL;
		struct ctr_env *e;

		if (!eq)
			continue;
		e = ctr_env_set(a, c, arena_ndup(a, s, (size_t) (eq - s)), arena_dup(a, eq + 1));
		if (e)
			e->at.what = "Env";
	}
}

/* A label that says where a thing comes from counts only for naming. */
static const char *label(struct arena *a, const cJSON *labels, const char *key)
{
	const char *s = cJSON_GetStringValue(json_member(labels, key));

	return s && *s ? arena_dup(a, s) : NULL;
}

static void names(struct arena *a, struct ctr *c, const cJSON *labels, const char *own)
{
	const char *stack = label(a, labels, "com.docker.stack.namespace"),
		   *service = label(a, labels, "com.docker.swarm.service.name");
	size_t n = stack ? strlen(stack) : 0;

	c->engine_name = own;
	c->name = own;
	c->project = label(a, labels, "com.docker.compose.project");
	c->service = label(a, labels, "com.docker.compose.service");
	c->dir = label(a, labels, "com.docker.compose.project.working_dir");
	if (c->project && c->service) {
		c->name = arena_printf(a, "%s/%s", c->project, c->service);
		return;
	}
	c->project = c->service = NULL;
	if (c->kind == SUBJECT_SERVICE)
		service = own;
	if (service) {
		c->kind = SUBJECT_SERVICE;
		c->engine_name = service;
		c->name = stack && strncmp(service, stack, n) == 0 && service[n] == '_'
				  ? arena_printf(a, "%s/%s", stack, service + n + 1)
				  : service;
	}
}

/* Routes of a reverse proxy, as the labels that only it reads. */
static void routes_of(struct arena *a, struct ctr *c, const cJSON *labels)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, json_object(labels)) if (cJSON_IsString(v) && strncasecmp(v->string, "traefik.", 8) == 0)
		(void) ctr_words_add(a, &c->labels, arena_printf(a, "%s=%s", v->string, v->valuestring), "Labels", 0);
}

static void args_of(struct arena *a, struct ctr *c, const cJSON *list)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, json_array(list)) if (cJSON_IsString(v) && c->image.text && strstr(c->image.text, "traefik"))
		(void) ctr_words_add(a, &c->args, arena_dup(a, v->valuestring), "Cmd", 0);
}

/* A volume whose driver only binds a folder of the host is a bind in all but name. */
static void driver_bind(struct arena *a, struct ctr_mount *m, const cJSON *options)
{
	const char *o = cJSON_GetStringValue(json_member(options, "o")),
		   *device = cJSON_GetStringValue(json_member(options, "device"));

	if (device && *device == '/' && o && strstr(o, "bind")) {
		m->type = "bind";
		m->source = ctr_path_clean(a, device);
	}
}

/* --mount and Swarm: [{Type, Source, Target, ReadOnly, BindOptions, TmpfsOptions, VolumeOptions}] */
static void mount_specs(struct arena *a, struct ctr *c, const cJSON *list, const char *only)
{
	const cJSON *v;
	unsigned i = 0;

	if (list && !cJSON_IsArray(list) && !cJSON_IsNull(list))
		ctr_set_gap(c, CTR_MOUNTS, REASON_MALFORMED, 0, "Mounts is no list");
	cJSON_ArrayForEach(v, json_array(list))
	{
		bool wanted = !only || strcmp(text_of(a, v, "Type"), only) == 0;
		struct ctr_mount *m = wanted ? ctr_mount_add(a, c) : NULL;
		const cJSON *size = json_member(json_member(v, "TmpfsOptions"), "SizeBytes");

		if (!m)
			continue;
		m->at.what = arena_printf(a, "Mounts[%u].Source", i++);
		m->type = text_of(a, v, "Type");
		m->source = text_of(a, v, "Source");
		m->target = text_of(a, v, "Target");
		m->ro = cJSON_IsTrue(json_member(v, "ReadOnly"));
		m->options = text_of(a, json_member(v, "BindOptions"), "Propagation");
		if (strcmp(m->type, "tmpfs") == 0 && cJSON_IsNumber(size) && size->valuedouble > 0)
			m->options = arena_printf(a, "size=%.0f", size->valuedouble);
		if (strcmp(m->type, "bind") == 0)
			m->source = ctr_path_clean(a, m->source);
		driver_bind(a, m, json_member(json_member(json_member(v, "VolumeOptions"), "DriverConfig"), "Options"));
	}
}

static void inspect_mounts(struct arena *a, struct ctr *c, const cJSON *root, const cJSON *host)
{
	const cJSON *list = json_member(root, "Mounts"), *tmpfs = json_member(host, "Tmpfs"), *v;
	unsigned i = 0;

	if (list && !cJSON_IsArray(list) && !cJSON_IsNull(list))
		ctr_set_gap(c, CTR_MOUNTS, REASON_MALFORMED, 0, "Mounts is no list");
	cJSON_ArrayForEach(v, json_array(list))
	{
		struct ctr_mount *m = strcmp(text_of(a, v, "Type"), "tmpfs") == 0 ? NULL : ctr_mount_add(a, c);

		i++;
		if (!m) /* a tmpfs comes from HostConfig, with its options */
			continue;
		m->at.what = arena_printf(a, "Mounts[%u].Source", i - 1);
		m->type = text_of(a, v, "Type");
		m->source = text_of(a, v, "Source");
		if (strcmp(m->type, "bind") == 0)
			m->source = ctr_path_clean(a, m->source);
		m->target = text_of(a, v, "Destination");
		m->options = text_of(a, v, "Propagation");
		m->ro = !cJSON_IsTrue(json_member(v, "RW"));
		if (!*m->type || !m->source)
			ctr_set_gap(c, CTR_MOUNTS, REASON_MALFORMED, 0, "a mount without a type");
	}
	cJSON_ArrayForEach(v, json_object(tmpfs))
	{
		struct ctr_mount *m = ctr_mount_add(a, c);

		if (!m)
			return;
		m->type = "tmpfs";
		m->at.what = "HostConfig.Tmpfs";
		m->target = arena_dup(a, v->string);
		m->options = cJSON_IsString(v) ? arena_dup(a, v->valuestring) : "";
	}
	mount_specs(a, c, json_member(host, "Mounts"), "tmpfs");
}

static void inspect_ports(struct arena *a, struct ctr *c, const cJSON *bindings)
{
	const cJSON *port, *v;

	if (bindings && !cJSON_IsObject(bindings) && !cJSON_IsNull(bindings))
		ctr_set_gap(c, CTR_PORTS, REASON_MALFORMED, 0, "PortBindings is no object");
	cJSON_ArrayForEach(port, json_object(bindings)) cJSON_ArrayForEach(v, json_array(port))
	{
		struct ctr_port *p = ctr_port_add(a, c), own = { .address = "" };
		const char *host = text_of(a, v, "HostPort");

		if (!p)
			return;
		own.at.what = "HostConfig.PortBindings";
		if (ctr_parse_port(a, arena_printf(a, "%s:%s", host ? host : "", port->string), &own) < 0)
			ctr_set_gap(c, CTR_PORTS, REASON_MALFORMED, 0, "a port that is none");
		*p = own;
		p->address = text_of(a, v, "HostIp");
	}
}

static void inspect_limits(struct ctr *c, const cJSON *host)
{
	int64_t nano = number(c, host, "NanoCpus", CTR_CPU), quota = number(c, host, "CpuQuota", CTR_CPU),
		period = number(c, host, "CpuPeriod", CTR_CPU), memory = number(c, host, "Memory", CTR_MEMORY);

	c->pids = PV_MAX(number(c, host, "PidsLimit", CTR_PIDS), 0);
	c->memory = memory > 0 ? (uint64_t) memory : 0;
	c->swap = number(c, host, "MemorySwap", CTR_SWAP);
	if (nano > 0)
		c->nano_cpus = (uint64_t) nano;
	else if (quota > 0)
		c->nano_cpus = (uint64_t) quota * 1000 / (uint64_t) (period > 0 ? period : 100000) * 1000000;
	c->limit_pids.what = "HostConfig.PidsLimit";
	c->limit_memory.what = "HostConfig.Memory";
	c->limit_swap.what = "HostConfig.MemorySwap";
	c->limit_cpu.what = "HostConfig.NanoCpus";
}

static void health_of(struct ctr *c, const cJSON *check)
{
	const cJSON *test = json_member(check, "Test");
	const char *first = cJSON_GetStringValue(cJSON_GetArrayItem(test, 0));

	c->healthcheck_off = first && strcmp(first, "NONE") == 0;
	c->healthcheck = first && !c->healthcheck_off;
	c->health.what = "Config.Healthcheck";
}

static void devices_of(struct arena *a, struct ctr *c, const cJSON *list)
{
	const cJSON *v;
	unsigned i = 0;

	if (list && !cJSON_IsArray(list) && !cJSON_IsNull(list))
		ctr_set_gap(c, CTR_DEVICES, REASON_MALFORMED, 0, "Devices is no list");
	cJSON_ArrayForEach(v, json_array(list))(void)
		ctr_words_add(a, &c->devices, ctr_path_clean(a, text_of(a, v, "PathOnHost")),
			      arena_printf(a, "HostConfig.Devices[%u]", i++), 0);
}

static void inspect_host(struct arena *a, struct ctr *c, const cJSON *host)
{
	list_of(a, c, &c->security, host, "SecurityOpt", CTR_SECURITY);
	caps_of(a, c, &c->cap_add, host, "CapAdd");
	caps_of(a, c, &c->cap_drop, host, "CapDrop");
	devices_of(a, c, json_member(host, "Devices"));
	c->read_only = truth(c, host, "ReadonlyRootfs", CTR_ROOTFS);
	c->rootfs.what = "HostConfig.ReadonlyRootfs";
	c->is_privileged = truth(c, host, "Privileged", CTR_PRIVILEGED);
	c->privileged.what = "HostConfig.Privileged";
	c->net = word(a, c, host, "NetworkMode", "HostConfig.NetworkMode", CTR_NET);
	c->pid_ns = word(a, c, host, "PidMode", "HostConfig.PidMode", CTR_PID_NS);
	c->ipc_ns = word(a, c, host, "IpcMode", "HostConfig.IpcMode", CTR_IPC_NS);
	c->uts_ns = word(a, c, host, "UTSMode", "HostConfig.UTSMode", CTR_UTS_NS);
	c->user_ns = word(a, c, host, "UsernsMode", "HostConfig.UsernsMode", CTR_USER_NS);
	c->restart = word(a, c, json_member(host, "RestartPolicy"), "Name", "HostConfig.RestartPolicy", CTR_RESTART);
	inspect_limits(c, host);
	inspect_ports(a, c, json_member(host, "PortBindings"));
}

static int inspect(struct arena *a, const cJSON *root, struct ctr **ret)
{
	const cJSON *host = json_member(root, "HostConfig"), *config = json_member(root, "Config");
	const char *name = text_of(a, root, "Name");
	struct ctr *c = ctr_new(a, CTR_INSPECT);

	if (!c || !name)
		return -ENOMEM;
	if (!cJSON_IsObject(host) || !cJSON_IsObject(config))
		return -EBADMSG;
	names(a, c, json_member(config, "Labels"), *name == '/' ? name + 1 : name);
	c->running = cJSON_IsTrue(json_member(json_member(root, "State"), "Running"));
	c->pid = (long) number(c, json_member(root, "State"), "Pid", CTR_FIELDS - 1);
	c->apparmor = text_of(a, root, "AppArmorProfile");
	inspect_host(a, c, host);
	inspect_mounts(a, c, root, host);
	c->upper = cJSON_GetStringValue(json_member(json_member(json_member(root, "GraphDriver"), "Data"), "UpperDir"));
	c->upper = c->upper && *c->upper == '/' ? ctr_path_clean(a, c->upper) : NULL;
	c->user = word(a, c, config, "User", "Config.User", CTR_USER);
	c->image = word(a, c, config, "Image", "Config.Image", CTR_IMAGE);
	env_of(a, c, json_member(config, "Env"));
	health_of(c, json_member(config, "Healthcheck"));
	routes_of(a, c, json_member(config, "Labels"));
	args_of(a, c, json_member(config, "Cmd"));
	*ret = c;
	return a->poor ? -ENOMEM : 0;
}

int ctr_from_inspect(struct arena *a, const char *json, size_t len, struct ctr **ret)
{
	auto_json *root = NULL;
	int r = json_parse(json, len, &root);

	return r < 0 ? r : inspect(a, root, ret);
}

/* --- a Swarm service: Spec.TaskTemplate.ContainerSpec and what stands beside it --- */

static void service_ports(struct arena *a, struct ctr *c, const cJSON *list)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, json_array(list))
	{
		int64_t on_host = number(c, v, "PublishedPort", CTR_PORTS);
		struct ctr_port *p = ctr_port_add(a, c);

		if (!p)
			return;
		p->at.what = "EndpointSpec.Ports";
		p->first = p->last = on_host >= 0 && on_host < 65536 ? (unsigned) on_host : 0;
		p->container = (unsigned) (number(c, v, "TargetPort", CTR_PORTS) & 0xffff);
		p->udp = strcmp(text_of(a, v, "Protocol"), "udp") == 0;
		p->host_mode = strcmp(text_of(a, v, "PublishMode"), "host") == 0;
	}
}

static void service_privileges(struct arena *a, struct ctr *c, const cJSON *p)
{
	const char *seccomp = cJSON_GetStringValue(json_member(json_member(p, "Seccomp"), "Mode"));
	const char *apparmor = cJSON_GetStringValue(json_member(json_member(p, "AppArmor"), "Mode"));

	c->nnp_privileges = cJSON_IsTrue(json_member(p, "NoNewPrivileges"));
	if (seccomp && strcmp(seccomp, "unconfined") == 0)
		(void) ctr_words_add(a, &c->security, "seccomp=unconfined", "Privileges.Seccomp", 0);
	if (apparmor && strcmp(apparmor, "disabled") == 0)
		(void) ctr_words_add(a, &c->security, "apparmor=unconfined", "Privileges.AppArmor", 0);
}

static void service_container(struct arena *a, struct ctr *c, const cJSON *spec)
{
	caps_of(a, c, &c->cap_add, spec, "CapabilityAdd");
	caps_of(a, c, &c->cap_drop, spec, "CapabilityDrop");
	c->read_only = truth(c, spec, "ReadOnly", CTR_ROOTFS);
	c->rootfs.what = "ContainerSpec.ReadOnly";
	c->user = word(a, c, spec, "User", "ContainerSpec.User", CTR_USER);
	c->image = word(a, c, spec, "Image", "ContainerSpec.Image", CTR_IMAGE);
	service_privileges(a, c, json_member(spec, "Privileges"));
	mount_specs(a, c, json_member(spec, "Mounts"), NULL);
	env_of(a, c, json_member(spec, "Env"));
	health_of(c, json_member(spec, "Healthcheck"));
	c->health.what = "ContainerSpec.Healthcheck";
}

static void service_limits(struct arena *a, struct ctr *c, const cJSON *task)
{
	const cJSON *limits = json_member(json_member(task, "Resources"), "Limits");
	int64_t nano = number(c, limits, "NanoCPUs", CTR_CPU), memory = number(c, limits, "MemoryBytes", CTR_MEMORY);

	c->pids = PV_MAX(number(c, limits, "Pids", CTR_PIDS), 0);
	c->memory = memory > 0 ? (uint64_t) memory : 0;
	c->nano_cpus = nano > 0 ? (uint64_t) nano : 0;
	c->limit_pids.what = "Resources.Limits.Pids";
	c->limit_memory.what = "Resources.Limits.MemoryBytes";
	c->limit_cpu.what = "Resources.Limits.NanoCPUs";
	c->restart =
		word(a, c, json_member(task, "RestartPolicy"), "Condition", "RestartPolicy.Condition", CTR_RESTART);
	if (!*c->restart.text)
		c->restart.text = "any"; /* Swarm's default */
}

static void service_networks(struct arena *a, struct ctr *c, const cJSON *list)
{
	const cJSON *v;

	c->net.what = "Networks";
	c->net.text = "";
	cJSON_ArrayForEach(v, json_array(list)) if (strcmp(text_of(a, v, "Target"), "host") == 0) c->net.text = "host";
}

int ctr_from_service(struct arena *a, const char *json, size_t len, struct ctr **ret)
{
	auto_json *root = NULL;
	const cJSON *spec, *task, *container;
	int r = json_parse(json, len, &root);
	struct ctr *c;

	if (r < 0)
		return r;
	spec = json_member(root, "Spec");
	task = json_member(spec, "TaskTemplate");
	container = json_member(task, "ContainerSpec");
	c = ctr_new(a, CTR_SWARM);
	if (!c)
		return -ENOMEM;
	if (!cJSON_IsObject(container) || !*text_of(a, spec, "Name"))
		return -EBADMSG;
	c->kind = SUBJECT_SERVICE;
	names(a, c, json_member(spec, "Labels"), text_of(a, spec, "Name"));
	service_container(a, c, container);
	service_limits(a, c, task);
	service_networks(a, c, json_member(task, "Networks"));
	service_ports(a, c, json_member(json_member(spec, "EndpointSpec"), "Ports"));
	routes_of(a, c, json_member(spec, "Labels"));
	args_of(a, c, json_member(container, "Args"));
	c->pid_ns.text = c->ipc_ns.text = c->uts_ns.text = c->user_ns.text = ""; /* a service cannot have another */
	*ret = c;
	return a->poor ? -ENOMEM : 0;
}
