#include "model/ids.h"

#include <string.h>

#include "base/util.h"

static const struct id_info ids[ID_N] = {
#define ID(sym, name_, severity_, title_, why_, attack_, mend_)                                    \
	[ID_##sym] = { .name = name_, .severity = severity_, .title = title_, .why = why_,         \
		       .attack = attack_, .mend = mend_ },
#include "model/ids.def"
#undef ID
};

/* Names that other lists give to the same checks, those of this project's earlier ones among them. */
static const struct {
	const char *name;
	enum id id;
} aliases[] = {
	{ "host.dokploy-panel", ID_HOST_PANEL_EXPOSED }, { "host.miner-port-conn", ID_HOST_MINER_CONNECTION },
	{ "ssh.fail2ban", ID_SSH_BAN_ENGINE },		 { "tls.expiry+renewal", ID_TLS_EXPIRY },
	{ "git.history-secrets", ID_SECRET_IN_HISTORY }, { "ci.deps-audit", ID_CI_PRESENT },
	{ "ci.ioc", ID_CI_PRESENT },			 { "ci.tsc", ID_CI_PRESENT },
	{ "cis-4.1", ID_CTR_NON_ROOT },			 { "cis-4.6", ID_CTR_HEALTHCHECK },
	{ "cis-5.2", ID_CTR_APPARMOR },			 { "cis-5.4", ID_CTR_CAP_ADD },
	{ "cis-5.5", ID_CTR_PRIVILEGED },		 { "cis-5.6", ID_CTR_HOST_PATH },
	{ "cis-5.10", ID_CTR_HOST_NETWORK },		 { "cis-5.11", ID_CTR_MEMORY_LIMIT },
	{ "cis-5.12", ID_CTR_CPU_LIMIT },		 { "cis-5.13", ID_CTR_READONLY_ROOTFS },
	{ "cis-5.14", ID_CTR_PUBLISHED_PORT },		 { "cis-5.15", ID_CTR_RESTART_POLICY },
	{ "cis-5.16", ID_CTR_HOST_PID },		 { "cis-5.17", ID_CTR_HOST_IPC },
	{ "cis-5.18", ID_CTR_DEVICES },			 { "cis-5.20", ID_CTR_VOLUME_SHARED },
	{ "cis-5.21", ID_CTR_HOST_UTS },		 { "cis-5.22", ID_CTR_SECCOMP },
	{ "cis-5.26", ID_CTR_NO_NEW_PRIVILEGES },	 { "cis-5.29", ID_CTR_PIDS_LIMIT },
	{ "cis-5.31", ID_CTR_USERNS },			 { "cis-5.32", ID_CTR_DOCKER_SOCKET },
};

const struct id_info *id_info(enum id id)
{
	return (unsigned) id < ID_N ? &ids[id] : NULL;
}

int id_parse(const char *name, enum id *ret)
{
	for (unsigned i = 0; i < ID_N; i++)
		if (strcmp(name, ids[i].name) == 0) {
			*ret = (enum id) i;
			return 0;
		}
	for (unsigned i = 0; i < N_ELEMENTS(aliases); i++)
		if (strcmp(name, aliases[i].name) == 0) {
			*ret = aliases[i].id;
			return 0;
		}
	return -EINVAL;
}
