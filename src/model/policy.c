#include "model/policy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/text.h"
#include "base/util.h"
#include "model/severity.h"
#include "model/workload.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Terminated within its array and free of control characters: it goes to logs and file names. */
static bool text_ok(const char *s, size_t size, bool may_be_empty)
{
	size_t len = strnlen(s, size);

	if (len == size || (len == 0 && !may_be_empty))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char) s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return true;
}

static bool path_ok(const char *s, bool may_be_empty)
{
	if (!text_ok(s, POLICY_PATH, may_be_empty))
		return false;
	return !*s || (s[0] == '/' && !strstr(s, "/..") && !strstr(s, "//"));
}

static bool signals_ok(const struct policy *p)
{
	return signal_takes(SIGNAL_CPU, (enum pv_action) p->cpu.action) &&
	       signal_takes(SIGNAL_MEMORY, (enum pv_action) p->memory.action) &&
	       signal_takes(SIGNAL_PIDS, (enum pv_action) p->pids.action) &&
	       signal_takes(SIGNAL_NET, (enum pv_action) p->net.action) &&
	       signal_takes(SIGNAL_DNS, (enum pv_action) p->dns.action) && p->cpu.limit > 0 &&
	       p->cpu.hold_us > 0 && p->memory.limit > 0 && p->memory.of_limit > 0 &&
	       p->memory.of_limit <= 10000 && p->pids.limit > 0 && p->sample_us > 0;
}

static bool prefixes_ok(const struct ip_prefix *list, uint32_t n)
{
	if (n > POLICY_PREFIXES)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (list[i].len > 128)
			return false;
	return true;
}

static bool network_ok(const struct policy *p)
{
	if (p->net.n_ports > POLICY_PORTS || p->dns.n_names > POLICY_PATTERNS ||
	    p->dns.n_allow > POLICY_PATTERNS)
		return false;
	for (uint32_t i = 0; i < p->net.n_ports; i++)
		if (p->net.ports[i] == 0)
			return false;
	if (!signal_takes(SIGNAL_DNS, (enum pv_action) p->dns.encrypted) || p->pool.n_ports > POLICY_PORTS ||
	    p->pool.n_resolvers > POLICY_RESOLVERS || !text_ok(p->pool.key, sizeof(p->pool.key), true) || !text_ok(p->pool.refused, sizeof(p->pool.refused), true))
		return false;
	for (uint32_t i = 0; i < p->pool.n_ports; i++)
		if (p->pool.ports[i] == 0)
			return false;
	for (uint32_t i = 0; i < p->dns.n_names; i++)
		if (!text_ok(p->dns.names[i], sizeof(p->dns.names[i]), false))
			return false;
	for (uint32_t i = 0; i < p->dns.n_allow; i++)
		if (!text_ok(p->dns.allow[i], sizeof(p->dns.allow[i]), false))
			return false;
	return prefixes_ok(p->net.internal, p->net.n_internal) && prefixes_ok(p->net.allow, p->net.n_allow);
}

static bool texts_ok(const char *list, size_t size, uint32_t n, uint32_t max)
{
	if (n > max)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!text_ok(list + i * size, size, false))
			return false;
	return true;
}

static bool logins_ok(const struct policy *p)
{
	if (!signal_takes(SIGNAL_LOGIN, (enum pv_action) p->login.action) || p->login.limit == 0 || p->login.weak_limit == 0 ||
	    p->login.within_us == 0 || p->login.ban_us == 0 || p->ban.max_us < p->login.ban_us || p->ban.raw > 1 ||
	    p->ban.prefix6 < 56 || p->ban.prefix6 > 128 || p->ban.budget.us == 0)
		return false;
	if (p->logs.journal > 1 || p->logs.containers > 1 || p->logs.n_files > POLICY_LOGS || !path_ok(p->logs.syslog, true))
		return false;
	for (uint32_t i = 0; i < p->logs.n_files; i++)
		if (!path_ok(p->logs.files[i].path, false) || !text_ok(p->logs.files[i].service, sizeof(p->logs.files[i].service), true))
			return false;
	return texts_ok(p->login.paths[0], sizeof(p->login.paths[0]), p->login.n_paths, POLICY_WEBPATHS) &&
	       texts_ok(p->logs.ban[0], sizeof(p->logs.ban[0]), p->logs.n_ban, POLICY_SERVICES) &&
	       prefixes_ok(p->proxies, p->n_proxies) && prefixes_ok(p->never_ban, p->n_never_ban);
}

static bool exec_ok(const struct policy *p)
{
	if (!signal_takes(SIGNAL_EXEC, (enum pv_action) p->exec.action) || p->exec.n_names > POLICY_EXEC_NAMES ||
	    !texts_ok(p->exec.allow[0], sizeof(p->exec.allow[0]), p->exec.n_allow, POLICY_PATHS) ||
	    !texts_ok(p->exec.servers[0], sizeof(p->exec.servers[0]), p->exec.n_servers, POLICY_SERVERS))
		return false;
	for (uint32_t i = 0; i < p->exec.n_names; i++)
		if (!text_ok(p->exec.names[i].name, PV_NAME_LEN, false))
			return false;
	return true;
}

static bool audit_ok(const struct policy *p)
{
	if (!p->evidence.max || !p->evidence.each || !p->evidence.count)
		return false;
	if (!p->audit.pids || !p->audit.memory || !p->audit.milli_cpus || !p->audit.key_age_us || p->audit.n_ports > POLICY_PORTS)
		return false;
	for (uint32_t i = 0; i < p->audit.n_ports; i++)
		if (p->audit.ports[i] == 0)
			return false;
	return texts_ok(p->audit.projects[0], sizeof(p->audit.projects[0]), p->audit.n_projects, POLICY_PATHS) &&
	       texts_ok(p->audit.backups[0], sizeof(p->audit.backups[0]), p->audit.n_backups, POLICY_PATHS);
}

static bool exceptions_ok(const struct policy *p)
{
	if (p->n_exceptions > POLICY_EXCEPTIONS)
		return false;
	for (uint32_t i = 0; i < p->n_exceptions; i++) {
		const struct policy_exception *e = &p->exceptions[i];

		if (!text_ok(e->name, sizeof(e->name), false) || !text_ok(e->origin, sizeof(e->origin), true) ||
		    e->signal > SIGNAL_N || (e->action != ACTION_IGNORE && e->action != ACTION_ALERT))
			return false;
	}
	return true;
}

static bool channels_ok(const struct policy *p)
{
	if (p->n_channels > POLICY_CHANNELS)
		return false;
	for (uint32_t i = 0; i < p->n_channels; i++) {
		const struct policy_channel *c = &p->channels[i];

		if (!text_ok(c->url, sizeof(c->url), false) || !text_ok(c->name, sizeof(c->name), false) ||
		    !path_ok(c->secret_file, true) || c->min_severity >= SEV_N)
			return false;
	}
	return true;
}

int policy_check(const struct policy *p)
{
	if (p->magic != POLICY_MAGIC || p->version != POLICY_VERSION || p->size != sizeof(*p) || p->observe > 1)
		return -EBADMSG;
	if (!path_ok(p->state_dir, false) || !path_ok(p->run_dir, false) || !path_ok(p->bpf_dir, false) ||
	    !path_ok(p->cgroup_root, false) || !path_ok(p->docker_socket, true) || !path_ok(p->docker_root, false) ||
	    !path_ok(p->podman_socket, true))
		return -EBADMSG;
	return signals_ok(p) && network_ok(p) && logins_ok(p) && exec_ok(p) && audit_ok(p) && exceptions_ok(p) && channels_ok(p) ? 0 : -EBADMSG;
}

int policy_map(int fd, const struct policy **ret)
{
	struct stat st;
	const void *map;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0)
		return errno == EINVAL ? -EBADMSG : -errno; /* not a memfd */
	if ((seals & SEALS) != SEALS)
		return -EBADMSG;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size != (off_t) sizeof(struct policy))
		return -EBADMSG;
	map = mmap(NULL, sizeof(struct policy), PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	if (policy_check(map) < 0) {
		policy_unmap(map);
		return -EBADMSG;
	}
	*ret = map;
	return 0;
}

void policy_unmap(const struct policy *p)
{
	if (p)
		(void) munmap((void *) (uintptr_t) p, sizeof(*p));
}

static enum pv_action configured(const struct policy *p, enum pv_signal signal)
{
	switch (signal) {
	case SIGNAL_CPU:
		return (enum pv_action) p->cpu.action;
	case SIGNAL_MEMORY:
		return (enum pv_action) p->memory.action;
	case SIGNAL_PIDS:
		return (enum pv_action) p->pids.action;
	case SIGNAL_NET:
		return (enum pv_action) p->net.action;
	case SIGNAL_DNS:
		return (enum pv_action) p->dns.action;
	case SIGNAL_LOGIN:
		return (enum pv_action) p->login.action;
	case SIGNAL_EXEC:
		return (enum pv_action) p->exec.action;
	case SIGNAL_N:
		break;
	}
	return ACTION_ALERT;
}

enum pv_action policy_action(const struct policy *p, const char *name, enum pv_signal signal, int *ret_exception)
{
	enum pv_action action = configured(p, signal);
	int found = -1;

	/* The last one that fits wins, as everywhere in the configuration. An exception only softens: where the
	 * signal is ignored already, `alert` for one workload does not wake it up for the kernel's signals. */
	for (uint32_t i = 0; i < p->n_exceptions; i++) {
		const struct policy_exception *e = &p->exceptions[i];

		if ((e->signal == SIGNAL_N || e->signal == (uint8_t) signal) && glob_match(e->name, name))
			found = (int) i;
	}
	if (found >= 0)
		action = PV_MIN(action, (enum pv_action) p->exceptions[found].action);
	if (ret_exception)
		*ret_exception = found;
	return action;
}

bool policy_excepts(const struct policy *p, const char *name, const struct container_info *image, enum pv_signal signal, enum pv_action *ret)
{
	char of_image[200];
	int exception;

	*ret = policy_action(p, name, signal, &exception);
	if (exception < 0 && image) {
		container_image_name(of_image, sizeof(of_image), image);
		*ret = policy_action(p, of_image, signal, &exception);
	}
	return exception >= 0;
}
