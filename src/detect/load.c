#include "detect/load.h"

#include <string.h>

#include "base/clock.h"

#define CORE	     10000	/* permyriad */
#define DEFAULT_HOLD (5 * USEC_PER_MIN)
#define DEFAULT_STEP (5 * USEC_PER_SEC)
#define REPEAT	     USEC_PER_HOUR
#define PRESSURE_MIN (CORE / 5) /* below this use of a core, waiting for one says nothing */
#define PRESSURE_CAP 9000
#define TASKS_SHARE  8000 /* of pids.max */
#define NOW_SPAN     (10 * USEC_PER_SEC)

/* A window is a ring of buckets; a sample is spread over those that it covers, so that samples and buckets need not
 * be in step. The newest bucket is partly filled, hence the window is between n-1 and n widths long. */
struct bucket {
	uint64_t cpu_us, waited_us, covered_us;
};

#define SHORT_BUCKETS 30 /* six to a fifth */
#define HOUR_BUCKETS  30
#define DAY_BUCKETS   48

struct window {
	uint64_t width_us, at; /* `at`: number of the newest bucket, its time divided by the width */
	uint32_t n;
	struct bucket *b;
};

enum condition { COND_CPU, COND_CPU_HALF, COND_CPU_HOUR, COND_CPU_DAY, COND_MEMORY, COND_PROCESSES, COND_TASKS, N_CONDITIONS };

struct load {
	bool sampled;
	struct cgroup_usage last;
	uint64_t last_now_us;
	/* Time that was seen, and no other: it goes on by what lies between two samples that follow on each other.
	 * Steps of the clock and gaps are not in it, so nothing below has to think of them. Starts above 0. */
	uint64_t seen_us;
	uint64_t busy_from_us, busy_last_us; /* load without a break of a fifth of the window; 0: none */
	struct {
		bool active;
		uint64_t told_us; /* in seen time */
	} cond[N_CONDITIONS];
	struct {
		uint32_t cpu_us, us;
	} recent[8]; /* for load_cpu_now() */
	unsigned n_recent;
	struct window hold, hour, day;
	struct bucket hold_b[SHORT_BUCKETS], hour_b[HOUR_BUCKETS], day_b[DAY_BUCKETS];
};
_Static_assert(sizeof(struct load) <= 4096, "a thousand workloads should stay below 4 MB");

static void window_init(struct window *w, struct bucket *b, uint32_t n, uint64_t span_us)
{
	memset(b, 0, n * sizeof(*b));
	*w = (struct window){ .width_us = PV_MAX(span_us / n, (uint64_t) 1), .n = n, .b = b };
}

int load_new(struct load **ret)
{
	struct load *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->seen_us = 1;
	window_init(&l->hold, l->hold_b, SHORT_BUCKETS, DEFAULT_HOLD);
	window_init(&l->hour, l->hour_b, HOUR_BUCKETS, USEC_PER_HOUR);
	window_init(&l->day, l->day_b, DAY_BUCKETS, USEC_PER_DAY);
	*ret = l;
	return 0;
}

struct load *load_free(struct load *l)
{
	free(l);
	return NULL;
}

/* ---- windows ---- */

/* a * b / c without overflow */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
	__extension__ unsigned __int128 v = (__extension__ (unsigned __int128) a) * b / c;

	return v > UINT64_MAX ? UINT64_MAX : (uint64_t) v;
}

static void window_advance(struct window *w, uint64_t to)
{
	if (to - w->at >= w->n)
		memset(w->b, 0, w->n * sizeof(*w->b));
	else
		for (uint64_t i = w->at + 1; i <= to; i++)
			w->b[i % w->n] = (struct bucket){ 0 };
	w->at = to;
}

/* What was used between `from` and `to` of seen time. */
static void window_add(struct window *w, uint64_t from, uint64_t to, uint64_t cpu_us, uint64_t waited_us)
{
	uint64_t last = to / w->width_us, first = from / w->width_us;

	window_advance(w, last);
	if (last - first >= w->n)
		first = last - w->n + 1;
	for (uint64_t i = first; i <= last; i++) {
		uint64_t begin = PV_MAX(from, i * w->width_us), end = PV_MIN(to, (i + 1) * w->width_us);
		struct bucket *b = &w->b[i % w->n];

		b->cpu_us += scale(cpu_us, end - begin, to - from);
		b->waited_us += scale(waited_us, end - begin, to - from);
		b->covered_us += end - begin;
	}
}

/* The sum of `n` buckets, the first of which is `back` before the newest. */
static struct bucket window_sum(const struct window *w, uint32_t back, uint32_t n)
{
	struct bucket sum = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		const struct bucket *b = &w->b[(w->at - back + i) % w->n];

		if (back - i > w->at)
			continue; /* before the beginning */
		sum.cpu_us += b->cpu_us;
		sum.waited_us += b->waited_us;
		sum.covered_us += b->covered_us;
	}
	return sum;
}

struct use {
	uint64_t mean;	   /* permyriad of a core, corrected for waiting where that applies */
	uint64_t pressure; /* the share it was corrected with; 0: not */
};

/* On a host without a free core even an endless loop gets a fraction of one: what it would have used alone is taken
 * to be its use divided by the share of time in which it was not kept waiting. */
static struct use use_of(const struct bucket *b, uint64_t limit)
{
	struct use u = { .mean = b->covered_us ? scale(b->cpu_us, CORE, b->covered_us) : 0 };
	uint64_t pressure;

	if (u.mean > limit || u.mean < PRESSURE_MIN)
		return u;
	pressure = PV_MIN(scale(b->waited_us, CORE, b->covered_us), (uint64_t) PRESSURE_CAP);
	if (!pressure)
		return u;
	u.mean = scale(u.mean, CORE, CORE - pressure);
	u.pressure = pressure;
	return u;
}

/* ---- conditions ---- */

struct judge {
	struct load *l;
	const struct policy *p;
	uint64_t now_us;
	struct verdict *out;
	size_t n;
};

/* True when the condition is to be told now: it has begun, or goes on for `repeat_us` since it was told. */
static bool cond_tell(struct load *l, enum condition c, bool holds, bool gone, uint64_t repeat_us)
{
	if (!holds) {
		if (gone)
			l->cond[c].active = false;
		return false;
	}
	if (l->cond[c].active && l->seen_us - l->cond[c].told_us < repeat_us)
		return false;
	l->cond[c].active = true;
	l->cond[c].told_us = l->seen_us;
	return true;
}

void load_tell_again(struct load *l)
{
	l->cond[COND_CPU].active = l->cond[COND_MEMORY].active = l->cond[COND_PROCESSES].active = false;
}

static struct verdict *add_verdict(struct judge *j, enum id id, enum pv_action action, uint64_t value, uint64_t limit)
{
	struct verdict *v = &j->out[j->n++];

	*v = (struct verdict){ .id = id, .action = action, .now_us = j->now_us, .value = value, .limit = limit };
	return v;
}

/* ---- cpu ---- */

/* `share` of one core, or of the workload's own quota where that is smaller. */
static uint64_t cpu_limit(uint64_t share, uint64_t quota)
{
	return quota && quota < CORE ? share * quota / CORE : share;
}

static uint64_t hold_of(const struct policy *p)
{
	return p->cpu.hold_us ? p->cpu.hold_us : DEFAULT_HOLD;
}

/* The newest `n` buckets of a window (all, or half): enough of them seen, their mean above the limit, and no
 * fifth of them below half of it. */
static bool sustained(const struct window *w, uint32_t n, uint64_t limit, struct use *ret)
{
	struct bucket all = window_sum(w, n - 1, n), fifth;
	uint32_t step = n / 5;

	*ret = use_of(&all, limit);
	if (all.covered_us < (uint64_t) (n - 2) * w->width_us || ret->mean <= limit)
		return false;
	for (uint32_t i = 0; i < 5; i++) {
		fifth = window_sum(w, n - 1 - i * step, step);
		if (use_of(&fifth, limit).mean < limit / 2)
			return false;
	}
	return true;
}

/* The load is counted from the end of its first busy sample and must be on in the newest one: a load of a given
 * length is never taken for a longer one, whichever way it lies to the samples. */
static void note_busy(struct load *l, const struct bucket *sample, uint64_t limit, uint64_t hold_us)
{
	bool busy = use_of(sample, limit).mean >= limit / 2 && sample->cpu_us > 0;
	uint64_t begin = l->seen_us - sample->covered_us;

	if (l->busy_from_us && (busy ? begin : l->seen_us) - l->busy_last_us >= hold_us / 5)
		l->busy_from_us = 0; /* the break was too long */
	if (!busy)
		return;
	if (!l->busy_from_us)
		l->busy_from_us = l->seen_us;
	l->busy_last_us = l->seen_us;
}

static bool busy_for(const struct load *l, uint64_t us)
{
	return l->busy_from_us && l->busy_last_us == l->seen_us && l->seen_us - l->busy_from_us >= us;
}

static void cpu_verdict(struct judge *j, struct use u, uint64_t limit, uint64_t window_us, enum pv_action action, bool warning)
{
	struct verdict *v = add_verdict(j, ID_RUN_CPU, action, u.mean, limit);

	v->window_us = window_us;
	v->pressure = u.pressure;
	v->warning = warning;
}

static void judge_hold(struct judge *j, uint64_t quota)
{
	struct load *l = j->l;
	uint64_t hold = hold_of(j->p), limit = cpu_limit(j->p->cpu.limit, quota);
	struct use all, half;
	bool full = sustained(&l->hold, SHORT_BUCKETS, limit, &all) && busy_for(l, hold);
	bool half_way = sustained(&l->hold, SHORT_BUCKETS / 2, limit, &half) && busy_for(l, hold / 2);

	/* gone: not by a mean that moves about the limit, but when the load has ended */
	if (cond_tell(l, COND_CPU, full, all.mean < limit / 2 || !l->busy_from_us, REPEAT))
		cpu_verdict(j, all, limit, hold, j->p->cpu.action, false);
	if (l->cond[COND_CPU].active || j->p->cpu.action <= ACTION_ALERT)
		half_way = false;
	if (cond_tell(l, COND_CPU_HALF, half_way, half.mean < limit / 2 || !l->busy_from_us, REPEAT))
		cpu_verdict(j, half, limit, hold / 2, ACTION_ALERT, true);
}

/* The hour asks for all of its fifths as the kill window does, so that one wide build does not fill it; the day does
 * not, for what mines at night only is to be found. */
static void judge_long(struct judge *j, enum condition c, const struct window *w, uint64_t share, uint64_t quota)
{
	uint64_t limit = cpu_limit(share, quota), span = w->width_us * w->n;
	struct bucket all = window_sum(w, w->n - 1, w->n);
	struct use u = use_of(&all, limit);
	bool holds = all.covered_us >= (w->n - 2) * w->width_us && u.mean > limit;

	if (c == COND_CPU_HOUR)
		holds = sustained(w, w->n, limit, &u);
	for (enum condition shorter = COND_CPU; shorter < c; shorter++)
		if (shorter != COND_CPU_HALF && j->l->cond[shorter].told_us &&
		    j->l->seen_us - j->l->cond[shorter].told_us < span)
			holds = false; /* that load is told */
	if (cond_tell(j->l, c, holds, u.mean < limit - limit / 10, PV_MAX(span, (uint64_t) REPEAT)))
		cpu_verdict(j, u, limit, span, ACTION_ALERT, false);
}

/* A cgroup of the same name that was made anew, or a clock that went back: nothing before counts. */
static bool goes_on(const struct load *l, const struct cgroup_usage *u, uint64_t now_us)
{
	return l->sampled && u->cpu_us >= l->last.cpu_us && now_us > l->last_now_us;
}

/* Waiting that its own quota did not cause. Throttled time is summed over CPUs, so this errs towards none. */
static uint64_t waited(const struct cgroup_usage *a, const struct cgroup_usage *b, uint64_t us)
{
	uint64_t pressure = 0, throttled = 0;

	if (a->pressure_us != UINT64_MAX && b->pressure_us != UINT64_MAX && b->pressure_us > a->pressure_us)
		pressure = PV_MIN(b->pressure_us - a->pressure_us, us);
	if (b->throttled_us > a->throttled_us)
		throttled = b->throttled_us - a->throttled_us;
	return pressure - PV_MIN(pressure, throttled);
}

static void forget_hold(struct load *l, uint64_t hold_us)
{
	window_init(&l->hold, l->hold_b, SHORT_BUCKETS, hold_us);
	l->hold.at = l->seen_us / l->hold.width_us;
	l->busy_from_us = 0;
	l->n_recent = 0;
}

/* Adds the time since the last sample to the windows; false when it cannot be used. */
static bool add_sample(struct judge *j, const struct cgroup_usage *u, uint64_t now_us)
{
	struct load *l = j->l;
	uint64_t hold = hold_of(j->p), step = j->p->sample_us ? j->p->sample_us : DEFAULT_STEP;
	struct bucket s;

	if (l->hold.width_us != PV_MAX(hold / SHORT_BUCKETS, (uint64_t) 1))
		forget_hold(l, hold); /* configured anew */
	if (l->sampled && now_us == l->last_now_us)
		return false;
	if (!goes_on(l, u, now_us) || now_us - l->last_now_us > PV_MAX(hold / 5, 3 * step)) {
		forget_hold(l, hold);
		return false;
	}
	s.covered_us = now_us - l->last_now_us;
	s.cpu_us = u->cpu_us - l->last.cpu_us;
	s.waited_us = waited(&l->last, u, s.covered_us);
	window_add(&l->hold, l->seen_us, l->seen_us + s.covered_us, s.cpu_us, s.waited_us);
	window_add(&l->hour, l->seen_us, l->seen_us + s.covered_us, s.cpu_us, s.waited_us);
	window_add(&l->day, l->seen_us, l->seen_us + s.covered_us, s.cpu_us, s.waited_us);
	l->seen_us += s.covered_us;
	note_busy(l, &s, cpu_limit(j->p->cpu.limit, u->cpu_quota), hold);
	l->recent[l->n_recent % N_ELEMENTS(l->recent)].cpu_us = (uint32_t) PV_MIN(s.cpu_us, (uint64_t) UINT32_MAX);
	l->recent[l->n_recent++ % N_ELEMENTS(l->recent)].us = (uint32_t) PV_MIN(s.covered_us, (uint64_t) UINT32_MAX);
	return true;
}

static void judge_cpu(struct judge *j, const struct cgroup_usage *u)
{
	if (!add_sample(j, u, j->now_us) || j->p->cpu.action == ACTION_IGNORE)
		return;
	judge_hold(j, u->cpu_quota);
	judge_long(j, COND_CPU_HOUR, &j->l->hour, CORE / 2, u->cpu_quota);
	judge_long(j, COND_CPU_DAY, &j->l->day, CORE * 3 / 10, u->cpu_quota);
}

/* ---- memory and processes ---- */

/* Above `limit`; gone when a twentieth below. */
static bool above(struct judge *j, enum condition c, uint64_t value, uint64_t limit)
{
	return cond_tell(j->l, c, value > limit, value < limit - limit / 20, REPEAT);
}

static void judge_memory(struct judge *j, const struct cgroup_usage *u)
{
	const struct policy *p = j->p;
	const struct cgroup_usage *last = &j->l->last;
	uint64_t limit = p->memory.limit;

	if (p->memory.action == ACTION_IGNORE)
		return;
	if (j->l->sampled && u->oom_kills != UINT64_MAX && last->oom_kills != UINT64_MAX && u->oom_kills > last->oom_kills)
		(void) add_verdict(j, ID_RUN_OOM, ACTION_ALERT, u->oom_kills - last->oom_kills, 0);
	if (u->memory_limit != UINT64_MAX)
		limit = scale(u->memory_limit, p->memory.of_limit, CORE);
	if (u->memory != UINT64_MAX && limit && above(j, COND_MEMORY, u->memory, limit))
		(void) add_verdict(j, ID_RUN_MEMORY, p->memory.action, u->memory, limit);
}

static void judge_pids(struct judge *j, const struct cgroup_usage *u)
{
	const struct policy *p = j->p;
	uint64_t limit = u->tasks_max != UINT64_MAX ? scale(u->tasks_max, TASKS_SHARE, CORE) : 0;

	if (p->pids.action == ACTION_IGNORE)
		return;
	if (u->processes != UINT64_MAX && above(j, COND_PROCESSES, u->processes, p->pids.limit))
		(void) add_verdict(j, ID_RUN_PIDS, p->pids.action, u->processes, p->pids.limit);
	if (u->tasks != UINT64_MAX && limit && above(j, COND_TASKS, u->tasks, limit))
		add_verdict(j, ID_RUN_PIDS, ACTION_ALERT, u->tasks, limit)->tasks = 1;
}

size_t load_step(struct load *l, const struct policy *p, const struct cgroup_usage *u, uint64_t now_us,
		 struct verdict ret[LOAD_VERDICTS])
{
	struct judge j = { .l = l, .p = p, .now_us = now_us, .out = ret };

	judge_cpu(&j, u); /* at most 4: full or half way, and one of the long ones each */
	judge_memory(&j, u);
	judge_pids(&j, u);
	l->last = *u;
	l->last_now_us = now_us;
	l->sampled = true;
	return j.n;
}

uint64_t load_cpu_limit(const struct policy *p, uint64_t quota)
{
	return cpu_limit(p->cpu.limit, quota);
}

uint64_t load_cpu_hold(const struct policy *p)
{
	return hold_of(p);
}

uint32_t load_cpu_now(const struct load *l)
{
	uint64_t cpu = 0, us = 0;

	for (unsigned i = 0; i < N_ELEMENTS(l->recent) && i < l->n_recent && us < NOW_SPAN; i++) {
		unsigned at = (l->n_recent - 1 - i) % N_ELEMENTS(l->recent);

		cpu += l->recent[at].cpu_us;
		us += l->recent[at].us;
	}
	return us ? (uint32_t) PV_MIN(scale(cpu, CORE, us), (uint64_t) UINT32_MAX) : 0;
}
