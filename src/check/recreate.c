#include "check/recreate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/ask.h"
#include "check/override_gather.h"
#include "check/remedy.h"
#include "engine_api/json.h"
#include "engine_api/request.h"

#define PLACES_MAX 64

static const enum id mended[] = {
    ID_CTR_PRIVILEGED,      ID_CTR_DOCKER_SOCKET,  ID_CTR_HOST_PATH,     ID_CTR_NO_NEW_PRIVILEGES,
    ID_CTR_READONLY_ROOTFS, ID_CTR_TMPFS_TMP,      ID_CTR_PIDS_LIMIT,    ID_CTR_MEMORY_LIMIT,
    ID_CTR_MEMORY_SWAP,     ID_CTR_CPU_LIMIT,      ID_CTR_NON_ROOT,      ID_CTR_CAP_DROP_ALL,
    ID_CTR_CAP_ADD,         ID_CTR_HOST_NETWORK,   ID_CTR_HOST_PID,      ID_CTR_HOST_IPC,
    ID_CTR_HOST_UTS,        ID_CTR_USERNS,         ID_CTR_SECCOMP,       ID_CTR_APPARMOR,
    ID_CTR_DEVICES,         ID_CTR_PUBLISHED_PORT, ID_CTR_VOLUME_SHARED, ID_CTR_RESTART_POLICY,
};

bool recreate_mends(enum id id)
{
	for (size_t i = 0; i < N_ELEMENTS(mended); i++)
		if (mended[i] == id)
			return true;
	return false;
}

struct box {
	struct arena *a;
	const cJSON *root, *host, *config;
	const struct ctr *c;
	const struct override_seen *seen;
	const struct check_policy *p;
	bool fails[ID_N];
	bool left[ID_N]; /* of those: not mended by it */
	struct override_place place[PLACES_MAX];
	size_t n_places;
	bool tight; /* its root file system becomes read-only */
	struct pv_buf args, notes, *why;
};

/* --- words --- */

/* Nothing that a terminal would act on; lines may end in it. */
static bool harmless(const char *s)
{
	pv_autobuf safe = PV_BUF_INIT;

	for (const char *p = s; *p; p++)
		pv_buf_putc(&safe, *p == '\n' || *p == '\t' ? ' ' : *p);
	if (!safe.len)
		return true;
	{
		pv_autobuf shown = PV_BUF_INIT;

		pv_buf_safe(&shown, safe.data, 0);
		return shown.len == safe.len && memcmp(shown.data, safe.data, safe.len) == 0;
	}
}

static void cannot(struct box *b, const char *what)
{
	if (!b->why->len)
		pv_buf_safe(b->why, what, 200);
}

static void word(struct box *b, const char *text)
{
	if (!harmless(text))
		cannot(b, "one of its settings holds control characters");
	pv_buf_putc(&b->args, ' ');
	remedy_word(&b->args, text);
}

static void option(struct box *b, const char *name, const char *value)
{
	pv_buf_printf(&b->args, " %s", name);
	if (value)
		word(b, value);
}

static void option_number(struct box *b, const char *name, double n, const char *unit)
{
	pv_buf_printf(&b->args, " %s %.0f%s", name, n, unit);
}

static void note(struct box *b, const char *text)
{
	pv_buf_printf(&b->notes, "# %s\n", text);
}

static void leave(struct box *b, enum id id, const char *text)
{
	b->left[id] = true;
	note(b, text);
}

static const char *text(const cJSON *o, const char *key)
{
	const char *s = cJSON_GetStringValue(json_member(o, key));

	return s ? s : "";
}

static double number(const cJSON *o, const char *key)
{
	const cJSON *v = json_member(o, key);

	return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static void each(struct box *b, const char *key, const char *name)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, json_array(json_member(b->host, key))) if (cJSON_IsString(v))
	    option(b, name, v->valuestring);
}

/* {"key": "value"} as --name key=value */
static void each_pair(struct box *b, const cJSON *o, const char *name, const char *between)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, json_object(o))
	{
		const char *value = cJSON_GetStringValue(v);

		option(b, name,
		       value && *value
			   ? arena_printf(b->a, "%s%s%s", v->string, between, value) ?: ""
			   : v->string);
	}
}

/* --- what it may --- */

static void capabilities(struct box *b)
{
	const char *caps = b->fails[ID_CTR_CAP_DROP_ALL] ? override_caps(b->a, b->seen) : NULL;
	char room[256];

	if (b->fails[ID_CTR_CAP_DROP_ALL] && !caps)
		leave(b, ID_CTR_CAP_DROP_ALL,
		      "--cap-drop ALL is not applied: which capabilities its start needs was not "
		      "observed");
	for (size_t i = 0; !caps && i < b->c->cap_drop.n; i++)
		option(b, "--cap-drop", b->c->cap_drop.item[i].text);
	if (caps)
		option(b, "--cap-drop", "ALL");
	for (size_t i = 0; i < b->c->cap_add.n; i++)
		if (!b->fails[ID_CTR_CAP_ADD] || ctr_cap_harmless(b->c->cap_add.item[i].text))
			option(b, "--cap-add", b->c->cap_add.item[i].text);
	(void) snprintf(room, sizeof(room), "%s", caps ? caps : "");
	for (char *save, *one = strtok_r(room, ", ", &save); one; one = strtok_r(NULL, ", ", &save))
		option(b, "--cap-add", one);
	/* Dropping all means nothing while privileged gives all of them back. */
	if (b->c->is_privileged && !b->fails[ID_CTR_PRIVILEGED] && !caps)
		option(b, "--privileged", NULL);
}

static void security(struct box *b)
{
	for (size_t i = 0; i < b->c->security.n; i++) {
		const char *s = b->c->security.item[i].text;

		if (strncmp(s, "no-new-privileges", 17) == 0 && b->fails[ID_CTR_NO_NEW_PRIVILEGES])
			continue;
		if (strncmp(s, "seccomp", 7) == 0 && strstr(s, "{"))
			cannot(b, "it has a seccomp profile of its own, whose file the engine does "
				  "not tell");
		if ((strcmp(s + strcspn(s, "=:"), "=unconfined") == 0 ||
		     strcmp(s + strcspn(s, "=:"), ":unconfined") == 0) &&
		    ((b->fails[ID_CTR_SECCOMP] && *s == 's') ||
		     (b->fails[ID_CTR_APPARMOR] && *s == 'a')))
			continue;
		option(b, "--security-opt", s);
	}
	if (b->fails[ID_CTR_NO_NEW_PRIVILEGES])
		option(b, "--security-opt", "no-new-privileges:true");
}

static void namespaces(struct box *b)
{
	static const struct {
		const char *key, *name;
		enum id id;
	} spaces[] = {{"PidMode", "--pid", ID_CTR_HOST_PID},
		      {"IpcMode", "--ipc", ID_CTR_HOST_IPC},
		      {"UTSMode", "--uts", ID_CTR_HOST_UTS},
		      {"UsernsMode", "--userns", ID_CTR_USERNS}};

	for (size_t i = 0; i < N_ELEMENTS(spaces); i++) {
		const char *mode = text(b->host, spaces[i].key);

		if (*mode && strcmp(mode, "private") != 0 &&
		    !(b->fails[spaces[i].id] && strcmp(mode, "host") == 0))
			option(b, spaces[i].name, mode);
	}
}

static void limits(struct box *b)
{
	double swap = number(b->host, "MemorySwap"), nano = number(b->host, "NanoCpus");
	struct override_limits w;

	override_limits(b->seen, b->p, &w);
	/* One that is set above the policy is its owner's to lower: docker update. */
	b->left[ID_CTR_PIDS_LIMIT] = b->c->pids > 0;
	b->left[ID_CTR_MEMORY_LIMIT] = b->c->memory > 0;
	b->left[ID_CTR_CPU_LIMIT] = b->c->nano_cpus > 0;
	if (b->c->pids > 0)
		option_number(b, "--pids-limit", (double) b->c->pids, "");
	else if (b->fails[ID_CTR_PIDS_LIMIT])
		option_number(b, "--pids-limit", (double) w.pids, "");
	if (!b->c->memory && b->fails[ID_CTR_MEMORY_LIMIT]) {
		option_number(b, "--memory", (double) w.mib, "m");
		option_number(b, "--memory-swap", (double) w.mib, "m");
	} else if (b->c->memory) {
		option_number(b, "--memory", (double) b->c->memory, "");
		if (swap < 0 && b->fails[ID_CTR_MEMORY_SWAP])
			swap = (double) b->c->memory;
		if (swap != 0)
			option_number(b, "--memory-swap", swap, "");
	}
	if (!b->c->nano_cpus && b->fails[ID_CTR_CPU_LIMIT])
		pv_buf_printf(&b->args, " --cpus %" PRIu64 ".%02" PRIu64, w.milli / 1000,
			      w.milli / 10 % 100);
	else if (nano > 0)
		pv_buf_printf(&b->args, " --cpus %.3f", nano / 1e9);
	if (number(b->host, "CpuQuota") > 0)
		option_number(b, "--cpu-quota", number(b->host, "CpuQuota"), "");
	if (number(b->host, "CpuPeriod") > 0)
		option_number(b, "--cpu-period", number(b->host, "CpuPeriod"), "");
}

static void devices(struct box *b)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, json_array(json_member(b->host, "Devices")))
	{
		const char *path = text(v, "PathOnHost");

		if (b->fails[ID_CTR_DEVICES] && ctr_device_is_hosts(path))
			continue;
		option(b, "--device",
		       arena_printf(b->a, "%s:%s:%s", path, text(v, "PathInContainer"),
				    text(v, "CgroupPermissions")));
	}
}

/* --- files --- */

static bool drops_mount(const struct box *b, const struct ctr_mount *m)
{
	return (b->fails[ID_CTR_DOCKER_SOCKET] && ctr_mount_gives_socket(m)) ||
	       (b->fails[ID_CTR_HOST_PATH] && ctr_mount_is_hosts(m));
}

static void mount(struct box *b, const cJSON *v)
{
	struct ctr_mount m = {.type = text(v, "Type"),
			      .source = text(v, "Source"),
			      .ro = !cJSON_IsTrue(json_member(v, "RW"))};
	const char *propagation = text(v, "Propagation"), *mode = text(v, "Mode");
	bool labelled = strcspn(mode, "zZ") < strlen(mode);

	if (strcmp(m.type, "tmpfs") == 0)
		return;
	if (strcmp(m.type, "bind") == 0)
		m.source = ctr_path_clean(b->a, m.source);
	else
		m.source = text(v, "Name");
	if (!m.source || !*m.source || strchr(m.source, ':') || strchr(text(v, "Destination"), ':'))
		cannot(b, "it has a mount with a colon in its name, or without one");
	else if (!drops_mount(b, &m))
		option(b, "-v",
		       arena_printf(b->a, "%s:%s:%s%s%s%s", m.source, text(v, "Destination"),
				    m.ro ? "ro" : "rw", labelled ? "," : "",
				    labelled ? (strchr(mode, 'Z') ? "Z" : "z") : "",
				    *propagation && strcmp(propagation, "rprivate") != 0 &&
					    !b->fails[ID_CTR_VOLUME_SHARED]
					? arena_printf(b->a, ",%s", propagation)
					: ""));
}

static void tmpfs_specs(struct box *b)
{
	const cJSON *v;

	each_pair(b, json_member(b->host, "Tmpfs"), "--tmpfs", ":");
	cJSON_ArrayForEach(v, json_array(json_member(b->host, "Mounts")))
	{
		const cJSON *o = json_member(v, "TmpfsOptions");

		if (strcmp(text(v, "Type"), "tmpfs") == 0)
			option(b, "--mount",
			       arena_printf(
				   b->a, "type=tmpfs,destination=%s,tmpfs-size=%.0f,tmpfs-mode=%o",
				   text(v, "Target"), number(o, "SizeBytes"),
				   (unsigned) number(o, "Mode") ?: 01777u));
	}
}

static bool has_tmp(const struct box *b)
{
	for (size_t i = 0; i < b->c->n_mounts; i++)
		if (strcmp(b->c->mount[i].target, "/tmp") == 0)
			return true;
	for (size_t i = 0; i < b->n_places; i++)
		if (strcmp(b->place[i].path, "/tmp") == 0)
			return true;
	return false;
}

/* The places that it wrote to: memory for what nobody misses, a volume for the rest. */
static void tighten(struct box *b)
{
	option(b, "--read-only", NULL);
	if (!has_tmp(b))
		option(b, "--tmpfs", "/tmp:size=64m,noexec,nosuid");
	for (size_t i = 0; i < b->n_places; i++) {
		pv_autobuf value = PV_BUF_INIT;

		if (b->place[i].options) {
			pv_buf_printf(&value, "%s:%s", b->place[i].path, b->place[i].options);
			override_tmpfs_owner(b->seen, b->place[i].path, &value);
			option(b, "--tmpfs", pv_buf_str(&value));
		} else {
			override_volume_name(&value, b->c->engine_name, b->place[i].path);
			pv_buf_printf(&value, ":%s", b->place[i].path);
			option(b, "-v", pv_buf_str(&value));
		}
	}
}

static void files(struct box *b)
{
	const cJSON *v;
	bool plain;

	cJSON_ArrayForEach(v, json_array(json_member(b->root, "Mounts"))) mount(b, v);
	tmpfs_specs(b);
	if (!b->seen->written_known) {
		cannot(b, "what it has written to its own layer cannot be seen, and would be lost");
		return;
	}
	b->n_places = override_places(b->a, b->seen, b->place, PLACES_MAX);
	for (size_t i = 0; i < b->n_places; i++)
		if (!b->place[i].path || strcmp(b->place[i].path, "/") == 0 ||
		    b->n_places == PLACES_MAX) {
			cannot(b, "it has written to the top folder, or to too many places");
			return;
		}
	plain = override_places_plain(b->place, b->n_places);
	b->tight = b->fails[ID_CTR_READONLY_ROOTFS] && b->seen->runs && plain;
	if (b->tight)
		tighten(b);
	else if (b->c->read_only)
		option(b, "--read-only", NULL);
	if (b->fails[ID_CTR_READONLY_ROOTFS] && !b->tight)
		leave(b, ID_CTR_READONLY_ROOTFS,
		      plain ? "--read-only is not applied: where it writes was not observed, it does not run"
			    : "--read-only is not applied: it writes to a folder that has a colon or a dollar sign in "
			      "its name");
	if (!b->tight && b->fails[ID_CTR_TMPFS_TMP] && !has_tmp(b))
		option(b, "--tmpfs", "/tmp:size=64m,noexec,nosuid");
}

/* --- networks --- */

static void ports(struct box *b)
{
	for (size_t i = 0; i < b->c->n_ports; i++) {
		const struct ctr_port *p = &b->c->port[i];
		pv_autobuf text = PV_BUF_INIT;

		remedy_port(&text, p, b->fails[ID_CTR_PUBLISHED_PORT] && ctr_port_faces(b->p, p));
		option(b, "-p", pv_buf_str(&text));
	}
}

/* Off the host's network the ports of the image have to be published. */
static void own_network(struct box *b)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, json_object(json_member(b->config, "ExposedPorts")))
	{
		unsigned port = (unsigned) strtoul(v->string, NULL, 10);

		option(b, "-p",
		       arena_printf(b->a, "%s%u:%s",
				    check_port_allowed(b->p, port) ? "" : "127.0.0.1:", port,
				    v->string));
	}
	note(b, "it leaves the host's network: what it listens on beyond the ports of its image is "
		"to be published by hand (-p)");
}

/* The endpoint's names and fixed addresses. */
static void endpoint(struct box *b, const cJSON *e, struct pv_buf *out)
{
	const cJSON *v, *ipam = json_member(e, "IPAMConfig");
	const char *id = text(b->root, "Id");

	cJSON_ArrayForEach(
	    v, json_array(json_member(
		   e, "Aliases"))) if (cJSON_IsString(v) && strncmp(id, v->valuestring, 12) != 0 &&
				       strcmp(v->valuestring, b->c->engine_name) != 0)
	{
		pv_buf_puts(out, " --network-alias ");
		remedy_word(out, v->valuestring);
	}
	if (*text(ipam, "IPv4Address")) {
		pv_buf_puts(out, " --ip ");
		remedy_word(out, text(ipam, "IPv4Address"));
	}
	if (*text(ipam, "IPv6Address")) {
		pv_buf_puts(out, " --ip6 ");
		remedy_word(out, text(ipam, "IPv6Address"));
	}
	if (cJSON_GetArraySize(json_array(json_member(e, "Links"))) > 0)
		cannot(b, "it is linked to other containers (--link)");
	if (!harmless(pv_buf_str(out)))
		cannot(b, "one of its settings holds control characters");
}

static void networks(struct box *b, struct pv_buf *more)
{
	const char *mode = text(b->host, "NetworkMode");
	const cJSON *all = json_object(
			json_member(json_member(b->root, "NetworkSettings"), "Networks")),
		    *e;
	bool plain = !*mode || strcmp(mode, "default") == 0 || strcmp(mode, "bridge") == 0;

	if (strcmp(mode, "host") == 0 && b->fails[ID_CTR_HOST_NETWORK]) {
		own_network(b);
		return;
	}
	if (!plain)
		option(b, "--network", mode);
	ports(b);
	cJSON_ArrayForEach(e, all)
	{
		bool first =
		    strcmp(e->string, mode) == 0 || (plain && strcmp(e->string, "bridge") == 0);
		pv_autobuf own = PV_BUF_INIT;

		if (strcmp(e->string, "host") == 0 || strcmp(e->string, "none") == 0 ||
		    (first && plain))
			continue;
		endpoint(b, e, &own);
		if (first) {
			pv_buf_puts(&b->args, pv_buf_str(&own));
			continue;
		}
		if (strchr(e->string, '\n') || strchr(pv_buf_str(&own), '\n')) /* `more` has a network a line */
			cannot(b, "one of its networks has a line break in its settings");
		if (!harmless(e->string) || strstr(pv_buf_str(&own), "--network-alias"))
			cannot(b, "it is in several networks under several names");
		pv_buf_puts(more, pv_buf_str(&own));
		pv_buf_putc(more, ' ');
		remedy_word(more, e->string);
		pv_buf_putc(more, '\n');
	}
}

/* --- the rest --- */

static void restart(struct box *b)
{
	const cJSON *policy = json_member(b->host, "RestartPolicy");
	const char *name = text(policy, "Name");
	double tries = number(policy, "MaximumRetryCount");

	if (b->fails[ID_CTR_RESTART_POLICY])
		name = "unless-stopped";
	if (*name && strcmp(name, "no") != 0)
		option(b, "--restart",
		       tries > 0 && strcmp(name, "on-failure") == 0
			   ? arena_printf(b->a, "%s:%.0f", name, tries)
			   : name);
}

static void ulimits(struct box *b)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, json_array(json_member(b->host, "Ulimits")))
	    option(b, "--ulimit",
		   arena_printf(b->a, "%s=%.0f:%.0f", text(v, "Name"), number(v, "Soft"),
				number(v, "Hard")));
}

static void log_driver(struct box *b)
{
	const cJSON *log = json_member(b->host, "LogConfig");

	if (!*text(log, "Type"))
		return;
	option(b, "--log-driver", text(log, "Type"));
	each_pair(b, json_member(log, "Config"), "--log-opt", "=");
}

/* Those of CMD-SHELL are options; an image's own comes with the image. */
static void health(struct box *b)
{
	static const char *const times[][2] = {{"Interval", "--health-interval"},
					       {"Timeout", "--health-timeout"},
					       {"StartPeriod", "--health-start-period"}};
	const cJSON *h = json_member(b->config, "Healthcheck"), *test = json_member(h, "Test");
	const char *kind = cJSON_GetStringValue(cJSON_GetArrayItem(test, 0)) ?: "",
		   *cmd = cJSON_GetStringValue(cJSON_GetArrayItem(test, 1));

	if (strcmp(kind, "NONE") == 0)
		option(b, "--no-healthcheck", NULL);
	if (strcmp(kind, "CMD-SHELL") != 0 || !cmd)
		return;
	option(b, "--health-cmd", cmd);
	for (size_t i = 0; i < N_ELEMENTS(times); i++)
		if (number(h, times[i][0]) > 0)
			option_number(b, times[i][1], number(h, times[i][0]), "ns");
	if (number(h, "Retries") > 0)
		option_number(b, "--health-retries", number(h, "Retries"), "");
}

static void other_host(struct box *b)
{
	static const char *const lists[][2] = {{"Dns", "--dns"},
					       {"DnsSearch", "--dns-search"},
					       {"DnsOptions", "--dns-option"},
					       {"ExtraHosts", "--add-host"},
					       {"GroupAdd", "--group-add"},
					       {"DeviceCgroupRules", "--device-cgroup-rule"}};
	static const char *const numbers[][2] = {{"CpuShares", "--cpu-shares"},
						 {"MemoryReservation", "--memory-reservation"},
						 {"OomScoreAdj", "--oom-score-adj"},
						 {"BlkioWeight", "--blkio-weight"}};
	static const char *const words[][2] = {{"CpusetCpus", "--cpuset-cpus"},
					       {"CpusetMems", "--cpuset-mems"},
					       {"CgroupParent", "--cgroup-parent"},
					       {"CgroupnsMode", "--cgroupns"}};

	for (size_t i = 0; i < N_ELEMENTS(lists); i++)
		each(b, lists[i][0], lists[i][1]);
	for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
		if (number(b->host, numbers[i][0]) != 0)
			option_number(b, numbers[i][1], number(b->host, numbers[i][0]), "");
	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		if (*text(b->host, words[i][0]))
			option(b, words[i][1], text(b->host, words[i][0]));
	if (number(b->host, "ShmSize") > 0 && number(b->host, "ShmSize") != 64 << 20)
		option_number(b, "--shm-size", number(b->host, "ShmSize"), "");
	if (cJSON_IsTrue(json_member(b->host, "Init")))
		option(b, "--init", NULL);
	if (cJSON_IsTrue(json_member(b->host, "PublishAllPorts")))
		option(b, "-P", NULL);
	if (*text(b->host, "Runtime") && strcmp(text(b->host, "Runtime"), "runc") != 0)
		option(b, "--runtime", text(b->host, "Runtime"));
	each_pair(b, json_member(b->host, "Sysctls"), "--sysctl", "=");
	ulimits(b);
	log_driver(b);
	restart(b);
}

static void other_config(struct box *b)
{
	const char *name = text(b->config, "Hostname"),
		   *user = b->fails[ID_CTR_NON_ROOT] ? "1001:1001" : text(b->config, "User");

	/* With another's network it has that one's names, and may be given none. */
	const bool own = strncmp(text(b->host, "NetworkMode"), "container:", 10) != 0;

	if (own && *name && strncmp(text(b->root, "Id"), name, 12) != 0 &&
	    strcmp(text(b->host, "NetworkMode"), "host") != 0 &&
	    strcmp(text(b->host, "UTSMode"), "host") != 0)
		option(b, "--hostname", name);
	if (own && *text(b->config, "Domainname"))
		option(b, "--domainname", text(b->config, "Domainname"));
	if (*user)
		option(b, "-u", user);
	if (cJSON_IsTrue(json_member(b->config, "Tty")))
		option(b, "-t", NULL);
	if (cJSON_IsTrue(json_member(b->config, "OpenStdin")))
		option(b, "-i", NULL);
	if (*text(b->config, "WorkingDir"))
		option(b, "-w", text(b->config, "WorkingDir"));
	if (*text(b->config, "StopSignal"))
		option(b, "--stop-signal", text(b->config, "StopSignal"));
	if (number(b->config, "StopTimeout") > 0)
		option_number(b, "--stop-timeout", number(b->config, "StopTimeout"), "");
	each_pair(b, json_member(b->config, "Labels"), "--label", "=");
	health(b);
}

/* Members of HostConfig that are written above, follow from others, or mean nothing on Linux. */
static const char *const host_known[] = {
    "Binds",
    "Mounts",
    "ContainerIDFile",
    "LogConfig",
    "NetworkMode",
    "PortBindings",
    "RestartPolicy",
    "VolumesFrom",
    "CapAdd",
    "CapDrop",
    "CgroupnsMode",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "ExtraHosts",
    "GroupAdd",
    "IpcMode",
    "OomScoreAdj",
    "PidMode",
    "Privileged",
    "PublishAllPorts",
    "ReadonlyRootfs",
    "SecurityOpt",
    "UTSMode",
    "UsernsMode",
    "ShmSize",
    "Runtime",
    "ConsoleSize",
    "CpuShares",
    "Memory",
    "NanoCpus",
    "CgroupParent",
    "CpuPeriod",
    "CpuQuota",
    "CpusetCpus",
    "CpusetMems",
    "Devices",
    "DeviceCgroupRules",
    "MemoryReservation",
    "MemorySwap",
    "PidsLimit",
    "Ulimits",
    "MaskedPaths",
    "ReadonlyPaths",
    "Init",
    "Tmpfs",
    "Sysctls",
    "BlkioWeight",
    "AutoRemove",
    "MemorySwappiness",
};

static bool is_nothing(const cJSON *v)
{
	return cJSON_IsNull(v) || cJSON_IsFalse(v) || (cJSON_IsNumber(v) && v->valuedouble == 0) ||
	       (cJSON_IsString(v) && !*v->valuestring) ||
	       ((cJSON_IsArray(v) || cJSON_IsObject(v)) && !v->child);
}

static void what_is_not_known(struct box *b)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, b->host)
	{
		bool known = is_nothing(v);

		for (size_t i = 0; i < N_ELEMENTS(host_known) && !known; i++)
			known = strcmp(v->string, host_known[i]) == 0;
		if (!known)
			cannot(b, arena_printf(b->a, "it sets %s", v->string) ?: "");
	}
	if (cJSON_IsTrue(json_member(b->host, "AutoRemove")))
		cannot(b, "it removes itself when it stops (--rm): start it again by hand");
	if (number(b->host, "MemorySwappiness") > 0)
		cannot(b, "it sets MemorySwappiness");
	if (*text(b->config, "MacAddress"))
		cannot(b, "it has a MAC address of its own");
	/* --env-file takes a variable a line. */
	cJSON_ArrayForEach(
	    v, json_array(json_member(b->config, "Env"))) if (!cJSON_IsString(v) ||
							      strchr(v->valuestring, '\n') ||
							      *v->valuestring == '#')
	    cannot(b, "its environment has a value of several lines");
}

/* Entrypoint and command: the option takes one word of the first, the rest goes before the command. A command without an
 * entrypoint may have an image that has one: it was taken away, then. */
static void program(struct box *b, struct pv_buf *tail)
{
	const cJSON *entry = json_array(json_member(b->config, "Entrypoint")),
		    *cmd = json_array(json_member(b->config, "Cmd")), *v;
	struct pv_buf args;
	bool first = true;

	if (entry && entry->child && cJSON_IsString(entry->child))
		option(b, "--entrypoint", entry->child->valuestring);
	else if (cmd && cmd->child)
		option(b, "--entrypoint", "");
	args = b->args;
	b->args = PV_BUF_INIT;
	word(b, text(b->config, "Image"));
	cJSON_ArrayForEach(v, entry)
	{
		if (!first && cJSON_IsString(v))
			word(b, v->valuestring);
		first = false;
	}
	cJSON_ArrayForEach(v, cmd) if (cJSON_IsString(v)) word(b, v->valuestring);
	*tail = b->args;
	b->args = args;
}

/* --- the lines --- */

/* Into a volume, which is there already; else the folder itself beside its neighbours. */
static void copies(const struct box *b, const char *docker, struct pv_buf *out)
{
	for (size_t i = 0; i < b->n_places; i++) {
		const char *path = b->place[i].path;
		const int up = (int) (strrchr(path, '/') - path);
		pv_autobuf from = PV_BUF_INIT, to = PV_BUF_INIT;

		if (b->place[i].options)
			continue;
		pv_buf_printf(&from, "%s%s", path, b->tight ? "/." : "");
		pv_buf_printf(&to, "%s:%.*s%s", b->c->engine_name,
			      b->tight ? (int) strlen(path) : up, path, b->tight ? "" : "/");
		pv_buf_printf(out, "\t%s cp \"$old\":", docker);
		remedy_word(out, pv_buf_str(&from));
		pv_buf_printf(out, " - | %s cp - ", docker);
		remedy_word(out, pv_buf_str(&to));
		pv_buf_puts(out, " &&\n");
	}
}

static void write_all(struct box *b, const char *tail, const char *more, struct pv_buf *out)
{
	const char *docker = b->c->engine ? "podman" : "docker";
	pv_autobuf name = PV_BUF_INIT;

	remedy_word(&name, b->c->engine_name);
	pv_buf_puts(out, pv_buf_str(&b->notes));
	pv_buf_printf(out, "old=%s-before-$(date +%%s)\n%s rename %s \"$old\" && {\n",
		      pv_buf_str(&name), docker, pv_buf_str(&name));
	if (b->c->running)
		pv_buf_printf(out, "\t%s stop \"$old\" &&\n", docker);
	pv_buf_printf(out,
		      "\t%s inspect -f '{{range .Config.Env}}{{println .}}{{end}}' \"$old\" "
		      "|\n\t%s create --env-file /dev/stdin --name %s%s%s &&\n",
		      docker, docker, pv_buf_str(&name), pv_buf_str(&b->args), tail);
	copies(b, docker, out);
	for (const char *p = more; *p; p += strcspn(p, "\n") + 1)
		pv_buf_printf(out, "\t%s network connect%.*s %s &&\n", docker,
			      (int) strcspn(p, "\n"), p, pv_buf_str(&name));
	if (b->c->running)
		pv_buf_printf(out,
			      "\t%s start %s && sleep 1 &&\n\ttest \"$(%s inspect -f "
			      "'{{.State.Running}}' %s)\" = true &&\n",
			      docker, pv_buf_str(&name), docker, pv_buf_str(&name));
	pv_buf_printf(out,
		      "\t%s rm \"$old\" || {\n\t%s logs --tail 5 %s; %s rm -f %s; %s rename "
		      "\"$old\" %s%s%s%s%s; }; }\n",
		      docker, docker, pv_buf_str(&name), docker, pv_buf_str(&name), docker,
		      pv_buf_str(&name), b->c->running ? "; " : "", b->c->running ? docker : "",
		      b->c->running ? " start " : "", b->c->running ? pv_buf_str(&name) : "");
}

static bool mends_any(const struct box *b)
{
	for (unsigned i = 0; i < ID_N; i++)
		if (b->fails[i] && !b->left[i])
			return true;
	return false;
}

static bool find_faults(struct box *b, const struct finding_list *l)
{
	bool any = false;

	for (size_t i = 0; i < l->n; i++) {
		const struct finding *f = l->item[i];

		if (!finding_fails(f) || f->subject.kind != SUBJECT_CONTAINER ||
		    !f->subject.name || strcmp(f->subject.name, b->c->name) != 0 ||
		    !recreate_mends(f->id))
			continue;
		b->fails[f->id] = any = true;
	}
	return any;
}

int recreate_lines(struct arena *a, const cJSON *inspect, const struct ctr *c,
		   const struct override_seen *seen, const struct check_policy *p,
		   const struct finding_list *l, struct pv_buf *out, struct pv_buf *ret_why)
{
	struct box b = {.a = a, .root = inspect, .c = c, .seen = seen, .p = p, .why = ret_why};
	pv_autobuf tail = PV_BUF_INIT, more = PV_BUF_INIT;

	b.host = json_object(json_member(inspect, "HostConfig"));
	b.config = json_object(json_member(inspect, "Config"));
	if (!find_faults(&b, l))
		return 0;
	what_is_not_known(&b);
	capabilities(&b);
	security(&b);
	namespaces(&b);
	limits(&b);
	devices(&b);
	networks(&b, &more);
	files(&b);
	other_host(&b);
	other_config(&b);
	program(&b, &tail);
	if (!b.why->len && !mends_any(&b))
		pv_buf_puts(out, pv_buf_str(&b.notes));
	else if (!b.why->len)
		write_all(&b, pv_buf_str(&tail), pv_buf_str(&more), out);
	pv_buf_done(&b.args);
	pv_buf_done(&b.notes);
	return a->poor || out->cut ? -ENOMEM : b.why->len ? -ENOTSUP : 1;
}

/* --- those that were asked for --- */

static const struct ctr *named(const struct audit *a, const char *name, size_t len)
{
	for (size_t i = 0; i < a->containers.n; i++) {
		const struct ctr *c = a->containers.item[i];

		if (c->source == CTR_INSPECT && c->kind == SUBJECT_CONTAINER && !c->service &&
		    c->id && c->engine_name && strlen(c->engine_name) == len &&
		    strncmp(c->engine_name, name, len) == 0)
			return c;
	}
	return NULL;
}

static bool means(const char *mode, const struct ctr *c)
{
	const char *of = mode && strncmp(mode, "container:", 10) == 0 ? mode + 10 : "";

	return (strlen(of) >= 12 && c->id && strncmp(c->id, of, strlen(of)) == 0) ||
	       (*of && c->engine_name && strcmp(c->engine_name, of) == 0);
}

const char *recreate_lends(const struct ctr_list *l, const struct ctr *c, const struct ctr **ret_who)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct ctr *o = l->item[i];

		*ret_who = o;
		if (o == c || o->engine != c->engine)
			continue;
		if (means(o->net.text, c))
			return "network";
		if (means(o->pid_ns.text, c))
			return "processes";
		if (means(o->ipc_ns.text, c))
			return "shared memory";
	}
	return NULL;
}

static int one(struct audit *a, const struct ctr *c, struct pv_buf *out, struct pv_buf *why)
{
	const struct ctr *who;
	const char *what = recreate_lends(&a->containers, c, &who);
	pv_autobuf text = PV_BUF_INIT;
	auto_json *root = NULL;
	struct override_seen seen;
	int r;

	if (what) {
		pv_buf_printf(why, "it gives its %s to ", what);
		pv_buf_safe(why, who->name, 100);
		pv_buf_puts(why, ", which could not start again: make both anew by hand, this one first");
		return -ENOTSUP;
	}
	r = audit_ask_api(a->sock, (uint32_t) API_INSPECT | c->engine << 16, c->id, &text);
	if (r == 0)
		r = json_parse(pv_buf_str(&text), text.len, &root);
	if (r < 0) {
		pv_buf_printf(why, "the engine does not tell: %s", strerror(-r));
		return -ENOTSUP;
	}
	override_look(a, c, &seen);
	return recreate_lines(&a->arena, root, c, &seen, &a->policy, &a->out, out, why);
}

int recreate_script(struct audit *a, const char *names, struct pv_buf *out, struct pv_buf *err)
{
	int missed = 0;

	for (size_t len; *names; names += len + (names[len] == ',')) {
		const struct ctr *c;
		pv_autobuf why = PV_BUF_INIT;
		int r = -ENOENT;

		len = strcspn(names, ",");
		c = named(a, names, len);
		if (c)
			r = one(a, c, out, &why);
		else
			pv_buf_puts(
			    &why, "no container without a Compose file or a service has this name");
		if (r == -ENOMEM)
			return r;
		if (r < 0) {
			missed++;
			pv_buf_printf(err, "%.*s: %s\n", (int) len, names, pv_buf_str(&why));
		}
	}
	return missed;
}
