#include <glob.h>
#include <string.h>

#include "base/text.h"
#include "cmd/doctor.h"
#include "model/log_places.h"

/* The first file of this kind of place that is there; "" when there is none. */
static void find_kind(const struct policy *p, enum log_place_kind kind, char *out, size_t size)
{
	out[0] = '\0';
	for (unsigned i = 0; i < log_places(p) && !out[0]; i++) {
		struct log_place place = log_place(p, i);
		glob_t g;

		if (place.kind != kind || glob(place.path, GLOB_NOSORT, NULL, &g) != 0)
			continue;
		(void) text_copy(out, size, g.gl_pathv[0]);
		globfree(&g);
	}
}

static bool is_configured(const struct policy *p)
{
	for (uint32_t i = 0; i < p->logs.n_files; i++)
		if (p->logs.files[i].service[0])
			return true;
	return false;
}

static void logins(struct doctor *d)
{
	char journal[POLICY_PATH], file[POLICY_PATH];

	find_kind(d->policy, PLACE_JOURNAL, journal, sizeof(journal));
	find_kind(d->policy, PLACE_AUTH, file, sizeof(file));
	if (journal[0] && d->policy->logs.journal)
		doctor_tell(d, WELL, "logins", NULL, "read from the journal (%s), which knows who wrote a record", journal);
	else if (file[0])
		doctor_tell(d, DEGRADED, "logins", journal[0] ? "set logs.journal: yes" : "systemctl start systemd-journald",
			    "only %s tells of them: any local user can write forged lines to it (logger -t sshd), and so have addresses "
			    "banned", file);
	else if (is_configured(d->policy))
		doctor_tell(d, WELL, "logins", NULL, "read from the files of logs.files alone");
	else
		doctor_tell(d, DEGRADED, "logins", "systemctl start systemd-journald", "neither a journal nor a log of logins is there: who guesses "
			    "passwords is not seen");
}

void doctor_logs(struct doctor *d)
{
	logins(d);
	if (d->policy->logs.syslog[0])
		doctor_tell(d, WELL, "syslog socket", NULL, "%s: any local user can write to it", d->policy->logs.syslog);
	if (d->policy->logs.containers && d->policy->docker_root[0] && d->docker && access(d->policy->docker_root, F_OK) < 0)
		doctor_tell(d, DEGRADED, "container logs", "set docker.root to what `docker info -f '{{.DockerRootDir}}'` says",
			    "Docker's data folder is not %s", d->policy->docker_root);
}
