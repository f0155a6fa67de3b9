#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/pidfd.h"
#include "launcher/launcher.h"
#include "model/capture.h"

#define BIT(cap) (1ULL << (cap))
#define KILLED	 UINT64_MAX /* for a deadline */

/* What each gets of the broker, by number, and what it may do. */
static const struct shot_row {
	const char *program;
	int as[4];
	size_t n_min, n_max; /* descriptors of the broker's */
	uint64_t caps, time_us, cpu_s;
	unsigned max; /* at once */
} rows[SHOT_KINDS] = {
	/* sockets for question and change, the result's pipe, the job's pipe */
	[SHOT_SWARM] = { "pavise-swarm", { 3, 4, 5, 6 }, 4, 4, 0, 40 * USEC_PER_SEC, 10, 4 },
	/* the engine's socket, the order, and the cgroup where it is not gone */
	[SHOT_COLLECTOR] = { "pavise-collector",
			     { COLLECTOR_FD_ENGINE, COLLECTOR_FD_ORDER, COLLECTOR_FD_CGROUP },
			     2,
			     3,
			     BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_KILL),
			     CAPTURE_TIME_US + 2 * USEC_PER_SEC,
			     4,
			     5 },
};

void shots_init(struct shots *s)
{
	for (size_t i = 0; i < SHOTS; i++)
		s->at[i].pidfd = -1;
}

static int free_place(const struct shots *s, enum shot_kind kind)
{
	unsigned run = 0;
	int place = -EBUSY;

	for (int i = 0; i < SHOTS; i++) {
		if (s->at[i].pidfd < 0)
			place = i;
		else
			run += s->at[i].kind == kind && s->at[i].deadline_us != KILLED;
	}
	return run < rows[kind].max ? place : -EBUSY;
}

/* How much evidence is kept stands in the policy. */
static void collector_args(char *argv[10], char text[3][24], const struct policy *policy)
{
	(void) snprintf(text[0], sizeof(text[0]), "%llu", (unsigned long long) policy->evidence.max);
	(void) snprintf(text[1], sizeof(text[1]), "%llu", (unsigned long long) policy->evidence.each);
	(void) snprintf(text[2], sizeof(text[2]), "%u", policy->evidence.count);
	argv[1] = (char *) (uintptr_t) "--docker-root";
	argv[2] = (char *) (uintptr_t) policy->docker_root;
	argv[3] = (char *) (uintptr_t) "--max";
	argv[4] = text[0];
	argv[5] = (char *) (uintptr_t) "--each";
	argv[6] = text[1];
	argv[7] = (char *) (uintptr_t) "--count";
	argv[8] = text[2];
	argv[9] = NULL;
}

int shots_start(struct shots *s, enum shot_kind kind, const struct places *p, const struct policy *policy, const int *fds,
		size_t n_fds)
{
	const struct shot_row *row = &rows[kind];
	char *argv[10] = { (char *) (uintptr_t) row->program }, text[3][24];
	struct spawn_fd give[5];
	struct spawn one = { .program = row->program,
			     .argv = argv,
			     .fds = give,
			     .n_fds = n_fds,
			     .caps = row->caps,
			     .no_network = true,
			     .cpu_s = row->cpu_s };
	int place = free_place(s, kind), r;

	if (place < 0)
		return place;
	if (n_fds < row->n_min || n_fds > row->n_max)
		return -EINVAL;
	for (size_t i = 0; i < n_fds; i++)
		give[i] = (struct spawn_fd){ fds[i], row->as[i] };
	if (kind == SHOT_SWARM) {
		one.ids = p->child;
		one.file_bytes = 1;
	} else {
		give[one.n_fds++] = (struct spawn_fd){ p->evidence_fd, COLLECTOR_FD_EVIDENCE };
		one.file_bytes = policy->evidence.each * 2;
		collector_args(argv, text, policy);
	}
	r = spawn(p, &one, NULL, &s->at[place].pidfd);
	if (r < 0)
		return r;
	s->at[place].kind = kind;
	s->at[place].deadline_us = clock_monotonic_us() + row->time_us;
	return place;
}

uint64_t shots_next(const struct shots *s)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < SHOTS; i++)
		if (s->at[i].pidfd >= 0)
			next = PV_MIN(next, s->at[i].deadline_us);
	return next;
}

void shots_ended(struct shots *s, uint32_t which)
{
	(void) spawn_wait(s->at[which].pidfd, 0);
	s->at[which].pidfd = -1;
}

/* Its end is not waited for: who reads a file of a container's own file system may not die before that answers, which it need not
 * ever do. The pidfd tells when it has. */
void shots_end_late(struct shots *s, uint64_t now_us)
{
	for (uint32_t i = 0; i < SHOTS; i++)
		if (s->at[i].pidfd >= 0 && s->at[i].deadline_us <= now_us) {
			(void) pv_pidfd_signal(s->at[i].pidfd, SIGKILL);
			s->at[i].deadline_us = KILLED;
		}
}

void shots_stop(struct shots *s)
{
	shots_end_late(s, KILLED - 1);
	for (uint32_t i = 0; i < SHOTS; i++)
		s->at[i].pidfd = pv_close(s->at[i].pidfd);
}
