#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/guard.h"

#define FDS_SPARE     64
#define OOM_SAME_US   (30 * USEC_PER_SEC) /* the kernel's own event told it already */
#define NAME_WAIT_US  (3 * USEC_PER_SEC)  /* load can wait for a name; events do not */
#define SAY_STANDING  3			  /* seconds after the start: samples and names are there */

static bool wants_samples(const struct guard_workload *w)
{
	return w->w.class_ != PV_CLASS_PROTECTED && !w->w.gone;
}

/* The broker's answers bring descriptors: some are kept for them, whatever the number of workloads. */
static bool descriptors_are_short(void)
{
	pv_autoclose int next = dup(ROLE_FD_STATE);
	struct rlimit limit;

	return next < 0 || (getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t) next + FDS_SPARE > limit.rlim_cur);
}

int samples_open(struct guard *g, struct guard_workload *w)
{
	int r;

	if (!w->load) {
		r = load_new(&w->load);
		if (r < 0)
			return r;
	}
	if (w->files) /* maybe opened by an act, before any sample */
		return 0;
	r = descriptors_are_short() ? -EMFILE : cgroup_files_open(g->tree, w->w.path, &w->files);
	if (r == -EMFILE || r == -ENFILE) {
		if (!g->own_sampling_off)
			log_warning("too many open files: load of some workloads is not watched");
		g->own_sampling_off = true;
	}
	return r;
}

static void judge(struct guard *g, struct guard_workload *w, uint64_t now)
{
	struct verdict verdicts[LOAD_VERDICTS];
	size_t n;

	if (w->spared && !g->policy->observe && !acts_are_lifted(g)) {
		w->spared = false;
		load_tell_again(w->load);
	}
	n = load_step(w->load, g->policy, &w->usage, now, verdicts);

	for (size_t i = 0; i < n; i++) {
		verdicts[i].cgroup = w->w.cgroup;
		if (verdicts[i].id == ID_RUN_OOM && w->oom_us && now - w->oom_us < OOM_SAME_US)
			continue;
		acts_verdict(g, w, &verdicts[i]);
	}
}

/* -ENODEV: the cgroup is gone and its event was lost or is still on its way. */
static int sample_one(struct guard *g, struct guard_workload *w, uint64_t now)
{
	int r;

	if (samples_open(g, w) < 0)
		return 0;
	r = cgroup_files_read(w->files, PV_MIN((uint64_t) g->policy->pids.limit, (uint64_t) 20), &w->usage);
	if (r < 0)
		return r;
	w->sampled = true;
	exec_look(g, w, now);
	successions_look(g, w, &w->usage, now);
	if (!w->acting && !(*w->w.id && !w->w.info && now - w->w.first_seen_us < NAME_WAIT_US))
		judge(g, w, now);
	return 0;
}

static int on_sample(sd_event_source *s, uint64_t usec, void *arg)
{
	struct guard *g = arg;
	uint64_t now = clock_monotonic_us(), gone[64];
	struct guard_workload *w;
	size_t n_gone = 0;

	(void) usec;
	if (g->degraded & BROKER_DEGRADED_CGROUPS) /* nobody tells of new ones */
		(void) table_start(g);
	for (size_t i = 0; (w = pv_map_next(&g->workloads, &i));)
		if (wants_samples(w) && sample_one(g, w, now) == -ENODEV && n_gone < N_ELEMENTS(gone))
			gone[n_gone++] = w->w.cgroup;
	successions_judge(g, now);
	packets_look(g);
	for (size_t i = 0; i < n_gone; i++)
		table_cgroup_gone(g, gone[i]);
	(void) sd_event_source_set_time_relative(s, g->policy->sample_us);
	return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

/* Once a second: counts that rose, and what the kernel could not deliver. */
static int on_second(sd_event_source *s, uint64_t usec, void *arg)
{
	struct guard *g = arg;

	(void) usec;
	kernel_events_drain(g);
	kernel_events_lost(g);
	kernel_events_flush(g);
	successions_second(g);
	notices_again(g);
	guard_logs_second(g);
	persist_second(g);
	bans_second(g);
	if (g->seconds < SAY_STANDING && ++g->seconds == SAY_STANDING) {
		standing_say(g);
		kept_leftovers(g);
	}
	(void) sd_event_source_set_time_relative(s, USEC_PER_SEC);
	return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

int samples_start(struct guard *g)
{
	int r = sd_event_add_time_relative(g->loop, &g->sample_timer, CLOCK_MONOTONIC, 0, 100 * USEC_PER_MSEC, on_sample, g);

	if (r < 0)
		return r;
	(void) sd_event_source_set_description(g->sample_timer, "samples");
	r = sd_event_add_time_relative(g->loop, &g->second_timer, CLOCK_MONOTONIC, USEC_PER_SEC, 100 * USEC_PER_MSEC,
				       on_second, g);
	if (r >= 0)
		(void) sd_event_source_set_description(g->second_timer, "second");
	return r;
}

void samples_stop(struct guard *g)
{
	g->sample_timer = sd_event_source_disable_unref(g->sample_timer);
	g->second_timer = sd_event_source_disable_unref(g->second_timer);
}
