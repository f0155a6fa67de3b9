/* One running program: is it byte for byte one that was refused before, or no longer what the image has under its name? The
 * process is held by a pidfd that is opened before anything is compared, so that who is ended is who was looked at. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/pidfd.h"
#include "base/clock.h"
#include "collector/collector.h"

#define JUDGE_MAX (256u << 20) /* a longer program is not looked at */
#define ASK_MS	  500

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

/* What was refused elsewhere may be a public program under another name: in its own image it is what it should be. */
bool judge_is_bad(const struct capture_job *job, const uint8_t own[32], const uint8_t *image)
{
	bool bad = false;

	for (unsigned i = 0; i < PV_MIN((unsigned) job->n_bad, (unsigned) CAPTURE_DIGESTS); i++)
		bad |= memcmp(job->bad[i], own, 32) == 0;
	return bad && !(image && memcmp(image, own, 32) == 0);
}

/* The job's word is the engine's; how often a look may end something is counted by the broker. */
static bool broker_allows(void)
{
	struct pollfd p = { .fd = COLLECTOR_FD_ORDER, .events = POLLIN };
	char byte = 0;

	return send(COLLECTOR_FD_ORDER, &byte, 1, MSG_NOSIGNAL) == 1 && poll(&p, 1, ASK_MS) == 1 &&
	       recv(COLLECTOR_FD_ORDER, &byte, 1, MSG_DONTWAIT) == 1 && byte == 1;
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
		ret->is_bad = ret->has_digest && judge_is_bad(job, ret->sha256, NULL);
		compared = ret->has_digest && (job->compare || ret->is_bad) ? hash_lower(p, g, deadline, lower) : -ENODATA;
		ret->differs = job->compare && compared == 0 && memcmp(lower, ret->sha256, sizeof(lower)) != 0;
		ret->is_bad = ret->is_bad && judge_is_bad(job, ret->sha256, compared == 0 ? lower : NULL);
		if (ret->has_digest && job->compare && compared < 0 && !ret->is_bad)
			ret->result = compared; /* nobody can say that it is the image's */
		if (job->may_kill && (ret->differs || ret->is_bad)) {
			ret->spared = !broker_allows();
			ret->killed = !ret->spared && pv_pidfd_signal(pidfd, SIGKILL) == 0;
		}
	}
	procs_done(p);
	free(p);
}
