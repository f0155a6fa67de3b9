/* Other programs that ban: whether one runs. What it has banned is left to it (bans.c), so that nobody is banned twice. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/bans.h"

/* Reads a small file of /proc; "" when it is not there. */
static void read_proc(const char *pid, const char *file, char *buf, size_t size)
{
	char path[64];

	(void) snprintf(path, sizeof(path), "/proc/%.16s/%s", pid, file);
	(void) pv_read_start(path, buf, size);
}

/* A name is anybody's to take: only a process of root outside of every container can hold bans back. (The owner of /proc/PID
 * proves nothing: that of a process which is not dumpable is root, too.) */
static bool is_hosts_own(const char *pid)
{
	char status[4096], cgroups[4096], *own;
	const char *uid;

	read_proc(pid, "status", status, sizeof(status));
	read_proc(pid, "cgroup", cgroups, sizeof(cgroups));
	uid = strstr(status, "\nUid:\t0\t");
	own = strstr(cgroups, "0::/");
	if (!uid || !own)
		return false;
	own[strcspn(own, "\n")] = '\0';
	return !workload_path_is_container(own + 3);
}

/* Which of them it is, NULL for none. */
static const char *other_program(const char *pid)
{
	static const char *const names[] = { "fail2ban-server", "crowdsec", "sshguard" };
	static const char *const shown[] = { "fail2ban", "CrowdSec", "sshguard" };
	char comm[32];

	read_proc(pid, "comm", comm, sizeof(comm));
	comm[strcspn(comm, "\n")] = '\0';
	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (strcmp(comm, names[i]) == 0 && is_hosts_own(pid))
			return shown[i];
	return NULL;
}

void bans_others(struct guard *g)
{
	const char *found = NULL;
	const struct dirent *d;
	DIR *proc = opendir("/proc");
	bool news;

	while (proc && !found && (d = readdir(proc)))
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9')
			found = other_program(d->d_name);
	if (proc)
		(void) closedir(proc);
	news = strcmp(g->bans->others, found ? found : "") != 0;
	if (news && found)
		log_info("%s runs on this host: bans wait %d s for it", found, BANS_HOLD_S);
	else if (news)
		log_info("%s is gone: bans wait for nobody", g->bans->others);
	(void) text_copy(g->bans->others, sizeof(g->bans->others), found ? found : "");
}
