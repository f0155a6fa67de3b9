/* succession.c - CPU of containers that end and begin (detect/succession.h): looks, and what follows for those that are there. */
#include "base/clock.h"
#include "guard/guard.h"

#define VERDICTS 8

static bool counts(const struct guard_workload *w)
{
	return w->w.class_ == PV_CLASS_CONTAINER && w->w.info && !w->w.gone;
}

/* One that was there before us, or whose making was lost: its engine knows since when it runs. */
static void find_begin(struct guard_workload *w, uint64_t now_us)
{
	const uint64_t wall = clock_wall_us();

	if (w->run.begin_us || !w->info.inspected || !w->info.started_us || w->info.started_us > wall)
		return;
	w->run.begin_us = now_us - PV_MIN(wall - w->info.started_us, now_us - 1);
}

/* Its owner lets it work, by its name, its image's or its label: that is not held against others of its group either. */
static bool is_spared(const struct guard *g, const struct guard_workload *w)
{
	enum pv_action unused;
	char name[160];

	workload_name(name, sizeof(name), &w->w);
	return w->info.label_action[SIGNAL_CPU] < ACTION_N || policy_excepts(g->policy, name, &w->info, SIGNAL_CPU, &unused);
}

void successions_look(struct guard *g, struct guard_workload *w, const struct cgroup_usage *u, uint64_t now_us)
{
	if (!counts(w))
		return;
	find_begin(w, now_us);
	if (!is_spared(g, w))
		succession_look(g->succession, g->policy, &w->info, &w->run, u, now_us);
}

void successions_second(struct guard *g)
{
	const uint64_t now = clock_monotonic_us();
	struct guard_workload *w;
	struct cgroup_usage u;

	for (size_t i = 0; (w = pv_map_next(&g->workloads, &i));)
		if (counts(w) && succession_wants(&w->run, g->policy, now) && samples_open(g, w) >= 0 &&
		    cgroup_files_read_cpu(w->files, &u) >= 0)
			successions_look(g, w, &u, now);
}

/* An act for everyone who is there; of a notice alone one is enough. */
static void deliver(struct guard *g, const struct succession_verdict *sv, uint64_t now_us)
{
	const bool held = g->policy->observe || acts_are_lifted(g), acts = sv->v.action > ACTION_ALERT && !held;
	struct guard_workload *w, *busiest = NULL;
	struct verdict v = sv->v;
	bool acted = false;

	g->successions_spared |= sv->v.action > ACTION_ALERT && held;
	for (size_t i = 0; (w = pv_map_next(&g->workloads, &i));) {
		if (!counts(w) || !w->respawn_checked || w->acting || !succession_of(sv, g->policy, &w->info, &w->run, now_us))
			continue; /* one that has just come is judged as a return first (acts_seen_container()) */
		if (!busiest || w->run.rate > busiest->run.rate)
			busiest = w;
		if (acts && !w->run.told) {
			w->run.told = true;
			v.cgroup = w->w.cgroup;
			acts_verdict(g, w, &v);
			acted |= w->acting;
		}
	}
	if (busiest && !acts) {
		v.cgroup = busiest->w.cgroup;
		acts_verdict(g, busiest, &v);
	}
	if (!v.warning && (acted || !busiest)) /* others were made meanwhile; or nobody was there */
		succession_tell_again(g->succession, sv);
}

void successions_judge(struct guard *g, uint64_t now_us)
{
	struct succession_verdict v[VERDICTS];
	size_t n;

	if (g->successions_spared && !g->policy->observe && !acts_are_lifted(g)) {
		g->successions_spared = false;
		succession_tell_again(g->succession, NULL);
	}
	n = succession_step(g->succession, g->policy, now_us, v, VERDICTS);
	for (size_t i = 0; i < n; i++)
		deliver(g, &v[i], now_us);
}

void successions_gone(struct guard *g, const struct guard_workload *w)
{
	if (w->w.info)
		succession_ended(g->succession, &w->info, &w->run);
}
