/* One running program: is it byte for byte one that was refused before, or no longer what the image has under its name? The
 * process is held by a pidfd that is opened before anything is compared, so that who is ended is who was looked at. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/pidfd.h"
#include "base/clock.h"
#include "collector/collector.h"

#define JUDGE_MAX (256u << 20) /* a longer program is not looked at */

static int hash_lower(const struct procs *p, const struct program *g, uint64_t deadline_us, uint8_t ret[32])
{
	pv_autoclose int fd = p->has_overlay ? overlay_open_lower(&p->overlay, g->path) : -ENODATA;

	return fd < 0 ? fd : bundle_hash(fd, JUDGE_MAX, deadline_us, ret);
}

static const struct program *program_of_pid(const struct procs *p, pid_t pid)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->at[i].pid == pid)
			return p->at[i].program < 0 ? NULL : &p->programs[p->at[i].program];
	return NULL;
}

/* Between the event and now it may have become another program. */
static bool is_the_one(const struct capture_job *job, const struct program *g)
{
	return !job->ino || g->ino == job->ino;
}

void judge(const struct capture_job *job, const struct capture_order *order, const char *docker_root, struct capture_result *ret)
{
	const uint64_t deadline = clock_monotonic_us() + CAPTURE_TIME_US;
	pv_autoclose int pidfd = job->pid && job->pid <= INT_MAX ? pv_pidfd_open((pid_t) job->pid) : -1;
	struct procs *p = calloc(1, sizeof(*p));
	const struct program *g;
	uint8_t lower[32];
	int compared;

	ret->result = p ? -ESRCH : -ENOMEM;
	if (!p)
		return;
	procs_gather(p, COLLECTOR_FD_CGROUP, order->cgroup, docker_root);
	g = pidfd < 0 ? NULL : program_of_pid(p, (pid_t) job->pid);
	if (g && is_the_one(job, g)) {
		ret->result = bundle_hash(g->fd, JUDGE_MAX, deadline, ret->sha256);
		ret->has_digest = ret->result == 0;
		compared = ret->has_digest && job->compare ? hash_lower(p, g, deadline, lower) : -ENODATA;
		ret->differs = compared == 0 && memcmp(lower, ret->sha256, sizeof(lower)) != 0;
		for (unsigned i = 0; ret->has_digest && i < PV_MIN((unsigned) job->n_bad, (unsigned) CAPTURE_DIGESTS); i++)
			ret->is_bad |= memcmp(job->bad[i], ret->sha256, 32) == 0;
		if (ret->has_digest && job->compare && compared < 0 && !ret->is_bad)
			ret->result = compared; /* nobody can say that it is the image's */
		if (job->may_kill && (ret->differs || ret->is_bad))
			ret->killed = pv_pidfd_signal(pidfd, SIGKILL) == 0;
	}
	procs_done(p);
	free(p);
}
