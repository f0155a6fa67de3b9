/* The checks of containers. What other auditors get wrong is said where it is decided. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "check/check.h"
#include "check/secret_name.h"

#define INSPECT    (1u << CTR_INSPECT)
#define SWARM      (1u << CTR_SWARM)
#define COMPOSE    (1u << CTR_COMPOSE)
#define DOCKERFILE (1u << CTR_DOCKERFILE)
#define RUNNING    (INSPECT | SWARM | COMPOSE)

static const char *path_of(const struct ctr *c, const struct ctr_word *w)
{
	return w->file ? w->file : c->path;
}

static void saw(const struct ctr *c, struct finding *f, const struct ctr_word *w, const char *text)
{
	finding_evidence(f, w->what ? w->what : "", path_of(c, w), w->line, "%s", text);
}

static bool is(const struct ctr_word *w, const char *text)
{
	return w->text && strcmp(w->text, text) == 0;
}

/* --- security_opt --- */

/* "no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"; with false it is off. 1 on, 0 off, -1 not
 * this. */
static int nnp_value(const char *s)
{
	static const char name[] = "no-new-privileges";

	if (!s || strncmp(s, name, sizeof(name) - 1) != 0)
		return -1;
	s += sizeof(name) - 1;
	if (!*s)
		return 1;
	if (*s != ':' && *s != '=')
		return -1;
	return strcasecmp(s + 1, "true") == 0;
}

static enum answer no_new_privileges(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	int value = -1;

	for (size_t i = 0; i < c->security.n; i++) {
		int v = nnp_value(c->security.item[i].text);

		if (v < 0)
			continue;
		value = v;
		saw(c, f, &c->security.item[i], c->security.item[i].text);
	}
	if (value == 0)
		return ANSWER_SEEN; /* also against the daemon's default */
	return value == 1 || c->nnp_privileges || p->daemon_nnp ? ANSWER_PASS : ANSWER_MISSING;
}

/* The value of "seccomp=x" or "seccomp:x". */
static const char *security_value(const struct ctr *c, const char *key, const struct ctr_word **ret)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < c->security.n; i++) {
		const char *s = c->security.item[i].text;

		if (s && strncmp(s, key, n) == 0 && (s[n] == '=' || s[n] == ':')) {
			*ret = &c->security.item[i];
			return s + n + 1;
		}
	}
	return NULL;
}

static enum answer seccomp(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	const struct ctr_word *at;
	const char *v = security_value(c, "seccomp", &at);

	(void) p;
	if (!v || strcmp(v, "unconfined") != 0)
		return ANSWER_PASS;
	saw(c, f, at, at->text);
	return ANSWER_SEEN;
}

static enum answer apparmor(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	const struct ctr_word *at;
	const char *v = security_value(c, "apparmor", &at);

	if (p->host_known && !p->has_apparmor)
		return ANSWER_NA; /* a kernel without it: nothing that an owner of a container could do */
	if (!v || strcmp(v, "unconfined") != 0)
		return ANSWER_PASS;
	saw(c, f, at, at->text);
	return ANSWER_SEEN;
}

/* --- the root file system --- */

static enum answer readonly_rootfs(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	(void) p;
	if (c->read_only)
		return ANSWER_PASS;
	if (c->rootfs.line)
		saw(c, f, &c->rootfs, "false");
	return ANSWER_MISSING;
}

static const struct ctr_mount *mount_at(const struct ctr *c, const char *target)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (c->mount[i].target && strcmp(c->mount[i].target, target) == 0)
			return &c->mount[i];
	return NULL;
}

static enum answer tmpfs_tmp(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	const struct ctr_mount *m = mount_at(c, "/tmp");

	(void) p;
	if (!c->read_only)
		return ANSWER_NA;
	if (!m)
		return ANSWER_MISSING;
	if (strcmp(m->type, "tmpfs") == 0)
		return ANSWER_PASS;
	finding_evidence(f, "/tmp", path_of(c, &m->at), m->at.line, "a %s: what is written there stays", m->type);
	return ANSWER_SEEN;
}

/* --- limits: none at all is what hurts; one above the policy is a matter of taste, and low --- */

static enum answer above(struct finding *f)
{
	f->severity = SEV_LOW;
	return ANSWER_SEEN;
}

static enum answer pids_limit(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	if (c->pids <= 0) { /* null, 0 and -1 all mean: without end */
		if (c->limit_pids.line)
			saw(c, f, &c->limit_pids, "without end");
		return ANSWER_MISSING;
	}
	if ((uint64_t) c->pids <= p->pids)
		return ANSWER_PASS;
	finding_evidence(f, c->limit_pids.what, path_of(c, &c->limit_pids), c->limit_pids.line,
			 "%" PRId64 ", the policy says at most %" PRIu64, c->pids, p->pids);
	return above(f);
}

static enum answer memory_limit(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	if (!c->memory)
		return ANSWER_MISSING;
	if (c->memory <= p->memory)
		return ANSWER_PASS;
	finding_evidence(f, c->limit_memory.what, path_of(c, &c->limit_memory), c->limit_memory.line,
			 "%" PRIu64 " MiB, the policy says at most %" PRIu64 " MiB", c->memory >> 20, p->memory >> 20);
	return above(f);
}

static enum answer cpu_limit(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	if (!c->nano_cpus)
		return ANSWER_MISSING;
	if (c->nano_cpus <= p->nano_cpus)
		return ANSWER_PASS;
	finding_evidence(f, c->limit_cpu.what, path_of(c, &c->limit_cpu), c->limit_cpu.line,
			 "%" PRIu64 ".%02" PRIu64 " cores, the policy says at most %" PRIu64 ".%02" PRIu64,
			 c->nano_cpus / 1000000000, c->nano_cpus / 10000000 % 100, p->nano_cpus / 1000000000,
			 p->nano_cpus / 10000000 % 100);
	return above(f);
}

/* Not set: the engine allows as much swap again as memory, which is an end. */
static enum answer memory_swap(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	(void) p;
	if (!c->memory)
		return ANSWER_NA; /* without a limit there is nothing to get around; ctr.memory-limit says that */
	if (c->swap >= 0)
		return ANSWER_PASS;
	saw(c, f, &c->limit_swap, "-1: swap without end");
	return ANSWER_SEEN;
}

/* --- who it runs as --- */

static enum answer non_root(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	const char *user = c->user.text ? c->user.text : "";
	int root = ctr_user_is_root(user);

	(void) p;
	if (root == 0)
		return ANSWER_PASS;
	if (root < 0) {
		saw(c, f, &c->user, user);
		finding_unknown(f, REASON_MALFORMED);
		return ANSWER_UNKNOWN;
	}
	if (c->live_uid > 0) { /* dropped by its own start script, or mapped by userns-remap */
		finding_evidence(f, "uid of its first process, seen from the host", NULL, 0, "%ld", c->live_uid);
		return ANSWER_PASS;
	}
	if (!*user && (c->source == CTR_COMPOSE || c->source == CTR_SWARM)) {
		finding_evidence(f, c->user.what ? c->user.what : "user", c->path, c->line,
				 "not set: the image decides, which is not read here");
		finding_unknown(f, REASON_ABSENT);
		return ANSWER_UNKNOWN;
	}
	saw(c, f, &c->user, *user ? user : "not set: root");
	return *user ? ANSWER_SEEN : ANSWER_MISSING;
}

/* --- capabilities --- */

/* What an ordinary server's start needs: dropping to its user, a port below 1024, files of its own. */
static const char *const harmless_caps[] = {
	"NET_BIND_SERVICE", "CHOWN", "SETUID",  "SETGID", "DAC_OVERRIDE",
	"FOWNER",           "KILL",  "SETPCAP", "FSETID", "AUDIT_WRITE",
};
/* Each of these is the host, in one step or two. */
static const char *const host_caps[] = {
	"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF", "SYS_BOOT", "MAC_ADMIN",
};

static bool in_list(const char *const *list, size_t n, const char *s)
{
	for (size_t i = 0; s && i < n; i++)
		if (strcmp(list[i], s) == 0)
			return true;
	return false;
}

bool ctr_cap_harmless(const char *name)
{
	return in_list(harmless_caps, N_ELEMENTS(harmless_caps), name);
}

static enum answer cap_drop_all(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	(void) p;
	for (size_t i = 0; i < c->cap_drop.n; i++)
		if (is(&c->cap_drop.item[i], "ALL"))
			return c->is_privileged ? ANSWER_SEEN : ANSWER_PASS; /* privileged gives all of them back */
	/* Nothing dropped at all is the usual case, and a finding: 14 capabilities that a web server has no use for. */
	if (c->cap_drop.n)
		saw(c, f, &c->cap_drop.item[0], "drops some, not ALL");
	return ANSWER_MISSING;
}

static enum answer cap_add(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	enum answer answer = ANSWER_PASS;

	(void) p;
	for (size_t i = 0; i < c->cap_add.n; i++) {
		const struct ctr_word *w = &c->cap_add.item[i];

		if (ctr_cap_harmless(w->text))
			continue;
		saw(c, f, w, w->text ? w->text : "");
		if (in_list(host_caps, N_ELEMENTS(host_caps), w->text))
			f->severity = SEV_CRITICAL;
		answer = ANSWER_SEEN;
	}
	return answer;
}

static enum answer privileged(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	(void) p;
	if (!c->is_privileged) /* stopped and created ones count like running ones */
		return ANSWER_PASS;
	saw(c, f, &c->privileged, c->running || c->source != CTR_INSPECT ? "true" : "true (does not run now)");
	return ANSWER_SEEN;
}

/* --- mounts --- */

/* Whether `path` lies at or below `folder`, by whole names. */
static bool below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	if (n && folder[n - 1] == '/')
		n--;
	return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Sockets that start containers. /var/run is a link to /run everywhere. */
static const char *const sockets[] = {
	"/run/docker.sock",    "/run/containerd/containerd.sock", "/run/podman/podman.sock",
	"/run/crio/crio.sock", "/run/balena-engine.sock",         "/run/k3s/containerd/containerd.sock",
};

/* A path as the host resolves it: what is below /var/run is below /run. */
static const char *plain_run(const char *path, char *room, size_t size)
{
	if (!below(path, "/var/run"))
		return path;
	(void) snprintf(room, size, "/run%s", path + 8);
	return room;
}

/* Gives the socket away: it is the socket, or a folder above it. Read-only does not help: one connects, not writes. */
static bool exposes_socket(const char *source)
{
	char room[4096];
	const char *path = plain_run(source, room, sizeof(room));

	for (size_t i = 0; i < N_ELEMENTS(sockets); i++)
		if (below(sockets[i], path))
			return true;
	if (below("/var/run",
		  path)) /* /var: the link in it leads to /run of the container, but /var/run may be a folder */
		return true;
	/* Rootless daemons, and names that other distributions use. */
	return strncmp(path, "/run/user/", 10) == 0
		       ? strstr(path, "docker.sock") || strstr(path, "podman.sock") || !strchr(path + 10, '/')
		       : strcmp(path, "/run/user") == 0 ||
				 (strlen(path) > 12 && strcmp(path + strlen(path) - 12, "/docker.sock") == 0);
}

static bool is_bind(const struct ctr_mount *m)
{
	return strcmp(m->type, "bind") == 0 && m->source && *m->source == '/';
}

bool ctr_mount_gives_socket(const struct ctr_mount *m)
{
	return is_bind(m) && exposes_socket(m->source);
}

static void saw_mount(const struct ctr *c, struct finding *f, const struct ctr_mount *m)
{
	finding_evidence(f, m->at.what, path_of(c, &m->at), m->at.line, "%s%s", m->source, m->ro ? " (read-only)" : "");
}

static enum answer docker_socket(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	enum answer answer = ANSWER_PASS;

	(void) p;
	for (size_t i = 0; i < c->n_mounts; i++)
		if (ctr_mount_gives_socket(&c->mount[i])) {
			saw_mount(c, f, &c->mount[i]);
			answer = ANSWER_SEEN;
		}
	return answer;
}

/* Folders that belong to the host. `whole`: only the folder itself and what is above; else everything below it too. */
static const struct {
	const char *path;
	bool below;
} host_paths[] = {
	{ "/etc", true },
	{ "/root", true },
	{ "/boot", true },
	{ "/proc", true },
	{ "/sys", true },
	{ "/usr", true },
	{ "/lib", true },
	{ "/lib64", true },
	{ "/bin", true },
	{ "/sbin", true },
	{ "/dev", true },
	{ "/var/lib/docker", true },
	{ "/var/lib/containerd", true },
	{ "/var/spool/cron", true },
	{ "/home", false },
	{ "/var", false },
	{ "/var/lib", false },
	{ "/var/log", false },
	{ "/run", true },
	{ "/opt", false },
	{ "/srv", false },
};

/* Single files and small folders that containers are given read-only all the time. */
static const char *const read_only_fine[] = {
	"/etc/localtime",
	"/etc/timezone",
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/hostname",
	"/etc/ssl/certs",
	"/etc/pki",
	"/etc/ca-certificates",
	"/usr/share/zoneinfo",
	"/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
	"/etc/machine-id",
	"/etc/os-release",
	"/usr/lib/os-release",
	"/lib/modules",
	"/etc/letsencrypt",
	"/dev/null",
	"/dev/shm",
};
/* Folders that programs of their own keep in the host's places. */
static const char *const own_folders[] = { "/etc/dokploy" };

bool ctr_mount_is_hosts(const struct ctr_mount *m)
{
	char room[4096];
	const char *path;

	if (!is_bind(m))
		return false;
	path = plain_run(m->source, room, sizeof(room));
	if (m->ro)
		for (size_t i = 0; i < N_ELEMENTS(read_only_fine); i++)
			if (below(path, read_only_fine[i]))
				return false;
	if (below(path, own_folders[0]))
		return strcmp(path, own_folders[0]) == 0;
	if (strstr(path, "/.ssh"))
		return true;
	for (size_t i = 0; i < N_ELEMENTS(host_paths); i++)
		if (strcmp(path, host_paths[i].path) == 0 || (host_paths[i].below && below(path, host_paths[i].path)))
			return true;
	return strcmp(path, "/") == 0;
}

static enum answer host_path_mounted(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	enum answer answer = ANSWER_PASS;
	enum severity worst = SEV_MEDIUM;

	(void) p;
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct ctr_mount *m = &c->mount[i];

		if (!ctr_mount_is_hosts(m))
			continue;
		saw_mount(c, f, m);
		answer = ANSWER_SEEN;
		if (strcmp(m->source, "/") == 0) /* in any mode: every secret of the host can be read */
			worst = SEV_CRITICAL;
		else if (!m->ro)
			worst = PV_MAX(worst, SEV_HIGH);
	}
	if (answer == ANSWER_SEEN)
		f->severity = worst;
	return answer;
}

static enum answer volume_shared(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	bool binds = false;
	enum answer answer = ANSWER_PASS;

	(void) p;
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct ctr_mount *m = &c->mount[i];

		if (!is_bind(m))
			continue;
		binds = true;
		if (!strstr(m->options, "shared"))
			continue;
		finding_evidence(f, m->at.what, path_of(c, &m->at), m->at.line, "%s is mounted %s", m->source,
				 m->options);
		answer = ANSWER_SEEN;
	}
	return binds || c->gap[CTR_MOUNTS].reason ? answer : ANSWER_NA;
}

/* The disks and the memory of the machine. A GPU, a serial port, /dev/fuse and the like are what --device is for. */
bool ctr_device_is_hosts(const char *path)
{
	static const char *const bad[] = { "/dev/mem",  "/dev/kmem", "/dev/port", "/dev/sd",     "/dev/vd",
					   "/dev/xvd",  "/dev/nvme", "/dev/dm-",  "/dev/mapper", "/dev/md",
					   "/dev/disk", "/dev/loop", "/dev/hd" };
	bool hit = strcmp(path, "/dev") == 0 || strcmp(path, "/") == 0;

	for (size_t k = 0; k < N_ELEMENTS(bad) && !hit; k++)
		hit = strncmp(path, bad[k], strlen(bad[k])) == 0;
	return hit;
}

static enum answer devices(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	enum answer answer = ANSWER_PASS;

	(void) p;
	for (size_t i = 0; i < c->devices.n; i++) {
		const char *path = c->devices.item[i].text;

		if (!path || !ctr_device_is_hosts(path))
			continue;
		saw(c, f, &c->devices.item[i], path);
		answer = ANSWER_SEEN;
	}
	return answer;
}

/* --- namespaces --- */

static enum answer host_mode(const struct ctr *c, const struct ctr_word *w, struct finding *f)
{
	if (!is(w, "host"))
		return ANSWER_PASS;
	saw(c, f, w, "host");
	return ANSWER_SEEN;
}

static enum answer host_network(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	(void) p;
	return host_mode(c, &c->net, f);
}

static enum answer host_pid(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	(void) p;
	return host_mode(c, &c->pid_ns, f);
}

static enum answer host_ipc(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	(void) p;
	return host_mode(c, &c->ipc_ns, f);
}

static enum answer host_uts(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	(void) p;
	return host_mode(c, &c->uts_ns, f);
}

static enum answer userns(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	if (p->host_known && !p->userns_remap)
		return ANSWER_NA; /* there is no mapping that it could opt out of */
	return host_mode(c, &c->user_ns, f);
}

/* --- ports --- */

/* Servers that ask for no password as they come, or whose password is guessed: nothing for the Internet. */
static const struct {
	uint16_t port;
	const char *what;
} inner_ports[] = {
	{ 3306, "MySQL" },          { 5432, "PostgreSQL" },     { 6379, "Redis" },
	{ 27017, "MongoDB" },       { 9200, "Elasticsearch" },  { 9300, "Elasticsearch" },
	{ 11211, "memcached" },     { 5672, "RabbitMQ" },       { 15672, "RabbitMQ's panel" },
	{ 2375, "the Docker API" }, { 2376, "the Docker API" }, { 1433, "SQL Server" },
	{ 5984, "CouchDB" },        { 8086, "InfluxDB" },       { 9042, "Cassandra" },
	{ 9092, "Kafka" },          { 2379, "etcd" },           { 8123, "ClickHouse" },
	{ 9000, "an admin panel" }, { 9443, "an admin panel" }, { 5601, "Kibana" },
};

static const char *inner_port(unsigned port)
{
	for (size_t i = 0; i < N_ELEMENTS(inner_ports); i++)
		if (inner_ports[i].port == port)
			return inner_ports[i].what;
	return NULL;
}

bool ctr_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 || strcmp(address, "localhost") == 0;
}

bool ctr_port_faces(const struct check_policy *p, const struct ctr_port *port)
{
	return !ctr_loopback(port->address) &&
	       !(port->first && port->first == port->last && check_port_allowed(p, port->first));
}

static enum answer published_port(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	enum answer answer = ANSWER_PASS;
	enum severity worst = SEV_MEDIUM;

	for (size_t i = 0; i < c->n_ports; i++) {
		const struct ctr_port *port = &c->port[i];
		const char *inner = inner_port(port->container);

		if (!ctr_port_faces(p, port))
			continue;
		if (inner)
			worst = SEV_HIGH;
		finding_evidence(f, port->at.what, path_of(c, &port->at), port->at.line, "%s:%u to %u/%s%s%s",
				 *port->address ? port->address : "every address", port->first, port->container,
				 port->udp ? "udp" : "tcp", inner ? ": " : "", inner ? inner : "");
		answer = ANSWER_SEEN;
	}
	if (answer == ANSWER_SEEN)
		f->severity = worst;
	return c->n_ports || c->gap[CTR_PORTS].reason ? answer : ANSWER_NA;
}

/* --- what it is given --- */

static enum answer env_secret(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	enum answer answer = ANSWER_PASS;

	(void) p;
	for (size_t i = 0; i < c->n_env; i++) {
		const struct ctr_env *e = &c->env[i];
		bool weak = e->value && secret_is_default(e->name, e->value);

		if (!e->value || !secret_name(e->name) || !secret_value(e->name, e->value) ||
		    (e->from_env_file && !weak))
			continue;
		finding_evidence(f, e->name, path_of(c, &e->at), e->at.line, "(len %zu)%s", strlen(e->value),
				 weak ? ", a well-known default" : "");
		answer = ANSWER_SEEN;
	}
	return answer;
}

/* Judged by name, length and placeholders: what a key holds is not for us to see in full. */
static enum answer key_length(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	enum answer answer = ANSWER_NA;

	(void) p;
	for (size_t i = 0; i < c->n_env; i++) {
		const struct ctr_env *e = &c->env[i];
		const char *wrong;

		if (!signing_key_name(e->name) || !e->value)
			continue;
		if (answer == ANSWER_NA)
			answer = ANSWER_PASS;
		wrong = signing_key_wrong(e->value);
		if (!wrong)
			continue;
		finding_evidence(f, e->name, path_of(c, &e->at), e->at.line, "(len %zu): %s", strlen(e->value), wrong);
		answer = ANSWER_SEEN;
	}
	return answer;
}

/* The tag of "registry:5000/name:tag@digest"; NULL: none. */
static const char *image_tag(const char *image)
{
	const char *slash = strrchr(image, '/'), *colon = strchr(slash ? slash : image, ':');

	return colon ? colon + 1 : NULL;
}

static bool image_floats(const char *image)
{
	const char *tag;

	if (strstr(image, "@sha256:") || strncmp(image, "sha256:", 7) == 0 || strcmp(image, "scratch") == 0)
		return false;
	tag = image_tag(image);
	return !tag || !*tag || strcmp(tag, "latest") == 0;
}

static enum answer image_tag_pinned(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	enum answer answer = ANSWER_PASS;

	(void) p;
	if (c->source == CTR_DOCKERFILE) {
		for (size_t i = 0; i < c->steps_from.n; i++)
			if (image_floats(c->steps_from.item[i].text)) {
				saw(c, f, &c->steps_from.item[i], c->steps_from.item[i].text);
				answer = ANSWER_SEEN;
			}
		return answer;
	}
	if (!c->image.text || !*c->image.text)
		return c->gap[CTR_IMAGE].reason ? ANSWER_PASS
						: ANSWER_NA; /* built here; nothing is drawn under that name */
	if (!image_floats(c->image.text))
		return ANSWER_PASS;
	saw(c, f, &c->image, c->image.text);
	return ANSWER_SEEN;
}

static enum answer healthcheck(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	(void) p;
	if (c->healthcheck)
		return ANSWER_PASS;
	if (c->healthcheck_off) {
		saw(c, f, &c->health, "switched off");
		return ANSWER_SEEN;
	}
	if (c->source == CTR_COMPOSE || c->source == CTR_SWARM) {
		finding_evidence(f, c->health.what ? c->health.what : "healthcheck", c->path, c->line,
				 "not set: the image may have one, which is not read here");
		finding_unknown(f, REASON_ABSENT);
		return ANSWER_UNKNOWN;
	}
	return ANSWER_MISSING;
}

static enum answer restart_policy(const struct ctr *c, const struct check_policy *p, struct finding *f)
{
	const char *s = c->restart.text ? c->restart.text : "";

	(void) p;
	if (*s && strcmp(s, "no") != 0 && strcmp(s, "none") != 0)
		return ANSWER_PASS;
	if (*s)
		saw(c, f, &c->restart, s);
	return ANSWER_MISSING;
}

const struct ctr_check ctr_checks[] = {
	{ .id = ID_CTR_PRIVILEGED,
	  .field = CTR_PRIVILEGED,
	  .sources = RUNNING,
	  .probe = privileged,
	  .compose = "privileged: false",
	  .run = "no --privileged, but the --cap-add or --device that it needs",
	  .text = "run it without privileged; give it the one capability or device that it needs" },
	{ .id = ID_CTR_DOCKER_SOCKET,
	  .field = CTR_MOUNTS,
	  .sources = RUNNING,
	  .probe = docker_socket,
	  .run = "no mount of the socket or of a folder above it",
	  .text = "take the mount away; where the program must ask Docker, put a filtering socket proxy between them" },
	{ .id = ID_CTR_HOST_PATH,
	  .field = CTR_MOUNTS,
	  .sources = RUNNING,
	  .probe = host_path_mounted,
	  .run = "-v NAME:/path",
	  .text = "use a named volume, or mount the one file that is needed, read-only" },
	{ .id = ID_CTR_NO_NEW_PRIVILEGES,
	  .field = CTR_SECURITY,
	  .sources = RUNNING,
	  .probe = no_new_privileges,
	  .compose = "security_opt: [\"no-new-privileges:true\"]",
	  .run = "--security-opt no-new-privileges:true",
	  .text = "forbid new privileges" },
	{ .id = ID_CTR_PIDS_LIMIT,
	  .field = CTR_PIDS,
	  .sources = RUNNING,
	  .probe = pids_limit,
	  .compose = "pids_limit: 100",
	  .update = "--pids-limit 100",
	  .service = "--limit-pids 100",
	  .run = "--pids-limit 100",
	  .text = "limit its processes" },
	{ .id = ID_CTR_MEMORY_LIMIT,
	  .field = CTR_MEMORY,
	  .sources = RUNNING,
	  .probe = memory_limit,
	  .compose = "mem_limit: 512m",
	  .update = "--memory 512m --memory-swap 512m",
	  .service = "--limit-memory 512M",
	  .run = "--memory 512m --memory-swap 512m",
	  .text = "limit its memory; more where it needs more (docker stats shows what it uses)" },
	{ .id = ID_CTR_NON_ROOT,
	  .field = CTR_USER,
	  .sources = RUNNING | DOCKERFILE,
	  .probe = non_root,
	  .compose = "user: \"1001:1001\"",
	  .service = "--user 1001:1001",
	  .run = "--user 1001:1001",
	  .text = "run it as a user of its own: USER 1001 in the Dockerfile, or user: in the Compose file; its files "
		  "must belong to that user" },
	{ .id = ID_CTR_CAP_DROP_ALL,
	  .field = CTR_CAPS,
	  .sources = RUNNING,
	  .probe = cap_drop_all,
	  .compose = "cap_drop: [ALL]",
	  .service = "--cap-drop ALL",
	  .run = "--cap-drop ALL",
	  .text = "drop all capabilities; add back what it needs (an image that changes its user at start: CHOWN, "
		  "SETUID, SETGID)" },
	{ .id = ID_CTR_CAP_ADD,
	  .field = CTR_CAPS,
	  .sources = RUNNING,
	  .probe = cap_add,
	  .run = "without that --cap-add",
	  .text = "take the capability away" },
	{ .id = ID_CTR_HOST_NETWORK,
	  .field = CTR_NET,
	  .sources = RUNNING,
	  .probe = host_network,
	  .compose = "network_mode: !reset null",
	  .run = "-p PORT:PORT instead of --network host",
	  .text = "use a network of its own and publish the port" },
	{ .id = ID_CTR_HOST_PID,
	  .field = CTR_PID_NS,
	  .sources = RUNNING,
	  .probe = host_pid,
	  .compose = "pid: !reset null",
	  .run = "without --pid host",
	  .text = "give it process numbers of its own (remove pid: host)" },
	{ .id = ID_CTR_SECCOMP,
	  .field = CTR_SECURITY,
	  .sources = RUNNING,
	  .probe = seccomp,
	  .run = "without --security-opt seccomp=unconfined",
	  .text = "use the engine's own filter, or a profile of your own" },
	{ .id = ID_CTR_DEVICES,
	  .field = CTR_DEVICES,
	  .sources = RUNNING,
	  .probe = devices,
	  .compose = "devices: !reset []",
	  .run = "without that --device",
	  .text = "take the disk or memory device away" },
	{ .id = ID_CTR_PUBLISHED_PORT,
	  .field = CTR_PORTS,
	  .sources = RUNNING,
	  .probe = published_port,
	  .run = "-p 127.0.0.1:PORT:PORT",
	  .text = "bind it to 127.0.0.1, or publish nothing: containers of one network reach each other anyway" },
	{ .id = ID_CTR_ENV_SECRET,
	  .field = CTR_ENV,
	  .sources = RUNNING | DOCKERFILE,
	  .probe = env_secret,
	  .run = "--env-file .env",
	  .text = "put the value into .env (mode 600) or a secret, and change it: whoever may inspect the container "
		  "has read it" },
	{ .id = ID_SECRET_KEY_LENGTH,
	  .field = CTR_ENV,
	  .sources = RUNNING | DOCKERFILE,
	  .probe = key_length,
	  .text = "make a new one (openssl rand -hex 32) and restart what uses it; all sessions end" },
	{ .id = ID_CTR_READONLY_ROOTFS,
	  .field = CTR_ROOTFS,
	  .sources = RUNNING,
	  .probe = readonly_rootfs,
	  .compose = "read_only: true",
	  .service = "--read-only",
	  .run = "--read-only --tmpfs /tmp:size=64m,noexec,nosuid",
	  .text = "make its root file system read-only; docker diff NAME shows where it writes: those folders need a "
		  "tmpfs or a volume" },
	{ .id = ID_CTR_CPU_LIMIT,
	  .field = CTR_CPU,
	  .sources = RUNNING,
	  .probe = cpu_limit,
	  .compose = "cpus: 1.5",
	  .update = "--cpus 1.5",
	  .service = "--limit-cpu 1.5",
	  .run = "--cpus 1.5",
	  .text = "limit its CPU time" },
	{ .id = ID_CTR_MEMORY_SWAP,
	  .field = CTR_SWAP,
	  .sources = RUNNING,
	  .probe = memory_swap,
	  .text = "limit memory and swap together" },
	{ .id = ID_CTR_HOST_IPC,
	  .field = CTR_IPC_NS,
	  .sources = RUNNING,
	  .probe = host_ipc,
	  .compose = "ipc: !reset null",
	  .run = "without --ipc host",
	  .text = "give it shared memory of its own (remove ipc: host)" },
	{ .id = ID_CTR_USERNS,
	  .field = CTR_USER_NS,
	  .sources = RUNNING,
	  .probe = userns,
	  .compose = "userns_mode: !reset null",
	  .run = "without --userns host",
	  .text = "keep the daemon's mapping of users (remove userns_mode: host)" },
	{ .id = ID_CTR_APPARMOR,
	  .field = CTR_SECURITY,
	  .sources = RUNNING,
	  .probe = apparmor,
	  .run = "without --security-opt apparmor=unconfined",
	  .text = "use the engine's own AppArmor profile" },
	{ .id = ID_CTR_IMAGE_TAG,
	  .field = CTR_IMAGE,
	  .sources = RUNNING | DOCKERFILE,
	  .probe = image_tag_pinned,
	  .text = "name a version, better a digest: image: NAME:1.2.3@sha256:..." },
	{ .id = ID_CTR_VOLUME_SHARED,
	  .field = CTR_MOUNTS,
	  .sources = RUNNING,
	  .probe = volume_shared,
	  .text = "mount it private (remove :shared or propagation: shared)" },
	{ .id = ID_CTR_TMPFS_TMP,
	  .field = CTR_TMPFS,
	  .sources = RUNNING,
	  .probe = tmpfs_tmp,
	  .compose = "tmpfs: [\"/tmp:size=64m,noexec,nosuid\"]",
	  .service = "--mount-add type=tmpfs,destination=/tmp,tmpfs-size=67108864",
	  .run = "--tmpfs /tmp:size=64m,noexec,nosuid",
	  .text = "put a tmpfs on /tmp" },
	{ .id = ID_CTR_HEALTHCHECK,
	  .field = CTR_HEALTH,
	  .sources = RUNNING | DOCKERFILE,
	  .probe = healthcheck,
	  .text = "add a HEALTHCHECK to the Dockerfile or healthcheck: to the Compose file" },
	{ .id = ID_CTR_RESTART_POLICY,
	  .field = CTR_RESTART,
	  .sources = RUNNING,
	  .probe = restart_policy,
	  .compose = "restart: unless-stopped",
	  .update = "--restart unless-stopped",
	  .service = "--restart-condition any",
	  .run = "--restart unless-stopped",
	  .text = "say what happens after a crash or a restart of the machine" },
	{ .id = ID_CTR_HOST_UTS,
	  .field = CTR_UTS_NS,
	  .sources = RUNNING,
	  .probe = host_uts,
	  .compose = "uts: !reset null",
	  .run = "without --uts host",
	  .text = "give it a host name of its own (remove uts: host)" },
	{ .probe = NULL },
};
