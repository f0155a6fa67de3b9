#include "detect/succession.h"

#include <string.h>

#include "base/clock.h"
#include "detect/load.h"

#define CORE	   10000 /* permyriad */
#define LOOK_YOUNG 6	 /* samples */

/* What one run used between two steps. */
struct span {
	uint64_t run, id, service;
	uint64_t from_us, to_us, cpu_us, waited_us, throttled_us, quota;
	bool swarm, ended, topped;
};

/* A run that was the busiest of its group at some moment. */
struct part {
	uint64_t run, id, service;
	uint64_t last_us;
	bool swarm, ended;
};

struct group {
	uint64_t key;
	bool by_image;
	struct load *load;
	uint64_t step_us;	   /* the last step */
	uint64_t used_us;	   /* when it last used something */
	struct cgroup_usage usage; /* of the time line so far */
	size_t n_spans, n_parts;
	struct span spans[SUCCESSION_RUNS];
	struct part parts[SUCCESSION_RUNS];
};

struct succession {
	size_t n;
	struct group *groups[SUCCESSION_GROUPS];
};

int succession_new(struct succession **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static struct group *group_free(struct group *g)
{
	if (g)
		load_free(g->load);
	free(g);
	return NULL;
}

struct succession *succession_free(struct succession *s)
{
	for (size_t i = 0; s && i < s->n; i++)
		s->groups[i] = group_free(s->groups[i]);
	free(s);
	return NULL;
}

/* ---- who belongs together ---- */

static uint64_t mix(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t) *text) * 0x100000001b3ULL;
	return h * 0x100000001b3ULL; /* the end counts: "a" "bc" is not "ab" "c" */
}

/* 0: it names none. */
static uint64_t service_key(const struct container_info *c)
{
	return *c->service ? mix(mix(mix(0xcbf29ce484222325ULL, "service"), c->project), c->service) : 0;
}

static uint64_t image_key(const struct container_info *c)
{
	return *c->image_id ? mix(mix(0xcbf29ce484222325ULL, "image"), c->image_id) : 0;
}

static uint64_t run_key(const struct container_info *c, const struct succession_run *run)
{
	return mix(0xcbf29ce484222325ULL ^ run->begin_us, c->id);
}

static size_t keys_of(const struct container_info *c, uint64_t ret[2])
{
	size_t n = 0;

	ret[n] = service_key(c);
	n += ret[n] != 0;
	ret[n] = image_key(c);
	n += ret[n] != 0;
	return n;
}

static struct group *find(struct succession *s, uint64_t key)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->groups[i]->key == key)
			return s->groups[i];
	return NULL;
}

static struct group **place(struct succession *s)
{
	struct group **idle = &s->groups[0];

	if (s->n < SUCCESSION_GROUPS)
		return &s->groups[s->n++];
	for (size_t i = 1; i < s->n; i++)
		if (s->groups[i]->used_us < (*idle)->used_us)
			idle = &s->groups[i];
	*idle = group_free(*idle);
	return idle;
}

/* Its time begins at `from_us`. NULL: without memory. */
static struct group *group_new(struct succession *s, const struct policy *p, uint64_t key, bool by_image, uint64_t from_us)
{
	struct group *g = calloc(1, sizeof(*g));
	struct verdict none[LOAD_VERDICTS];

	if (!g || load_new(&g->load) < 0) {
		free(g);
		return NULL;
	}
	g->key = key;
	g->by_image = by_image;
	g->step_us = from_us;
	g->usage = (struct cgroup_usage){ .memory = UINT64_MAX,
					  .memory_limit = UINT64_MAX,
					  .oom_kills = UINT64_MAX,
					  .tasks = UINT64_MAX,
					  .tasks_max = UINT64_MAX,
					  .processes = UINT64_MAX };
	(void) load_step(g->load, p, &g->usage, from_us, none);
	*place(s) = g;
	return g;
}

/* ---- looks ---- */

static uint64_t sample_of(const struct policy *p)
{
	return p->sample_us ? p->sample_us : 5 * USEC_PER_SEC;
}

static bool is_young(const struct succession_run *run, const struct policy *p, uint64_t now_us)
{
	return run->begin_us && now_us >= run->begin_us && now_us - run->begin_us < load_cpu_hold(p);
}

bool succession_wants(const struct succession_run *run, const struct policy *p, uint64_t now_us)
{
	return p->cpu.action != ACTION_IGNORE && is_young(run, p, now_us) && now_us - run->begin_us < LOOK_YOUNG * sample_of(p);
}

static uint64_t share(uint64_t of, uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t) ((__extension__(unsigned __int128) of) * part / whole) : 0;
}

/* What it used before the group's last step came too late to be counted. */
static void span_cut(struct span *x, uint64_t from_us)
{
	uint64_t whole = x->to_us - x->from_us, part;

	if (x->from_us >= from_us)
		return;
	part = x->to_us > from_us ? x->to_us - from_us : 0;
	x->cpu_us = share(x->cpu_us, part, whole);
	x->waited_us = share(x->waited_us, part, whole);
	x->throttled_us = share(x->throttled_us, part, whole);
	x->from_us = x->to_us - part;
}

static void span_add(struct group *g, struct span x)
{
	struct span *least = NULL;

	span_cut(&x, g->step_us);
	if (x.to_us <= x.from_us)
		return;
	for (size_t i = 0; i < g->n_spans; i++) {
		struct span *o = &g->spans[i];

		if (o->run == x.run && o->to_us == x.from_us) {
			o->to_us = x.to_us;
			o->cpu_us += x.cpu_us;
			o->waited_us += x.waited_us;
			o->throttled_us += x.throttled_us;
			o->quota = x.quota;
			return;
		}
		if (!least || o->cpu_us < least->cpu_us)
			least = o;
	}
	if (g->n_spans < SUCCESSION_RUNS)
		g->spans[g->n_spans++] = x;
	else if (least && least->cpu_us < x.cpu_us)
		*least = x;
}

/* Since the look before; of the first look since its beginning. */
static struct span span_of(const struct container_info *info, const struct succession_run *run, const struct cgroup_usage *u,
			   uint64_t now_us)
{
	bool first = !run->at_us;

	return (struct span){
		.run = run_key(info, run),
		.id = mix(0xcbf29ce484222325ULL, info->id),
		.service = service_key(info),
		.swarm = *info->service_id != '\0',
		.from_us = first ? run->begin_us : run->at_us,
		.to_us = now_us,
		.cpu_us = u->cpu_us - PV_MIN(run->cpu_us, u->cpu_us),
		.waited_us = u->pressure_us == UINT64_MAX ? 0 : u->pressure_us - PV_MIN(run->pressure_us, u->pressure_us),
		.throttled_us = u->throttled_us - PV_MIN(run->throttled_us, u->throttled_us),
		.quota = u->cpu_quota,
	};
}

void succession_look(struct succession *s, const struct policy *p, const struct container_info *info, struct succession_run *run,
		     const struct cgroup_usage *u, uint64_t now_us)
{
	const uint64_t image = image_key(info);
	struct span x = span_of(info, run, u, now_us);
	uint64_t keys[2], rate;
	size_t n;

	if (!is_young(run, p, now_us) || p->cpu.action == ACTION_IGNORE || x.to_us <= x.from_us)
		return;
	rate = share(x.cpu_us, CORE, x.to_us - x.from_us);
	run->rate = (uint32_t) PV_MIN(rate, (uint64_t) UINT32_MAX);
	run->at_us = now_us;
	run->cpu_us = u->cpu_us;
	run->pressure_us = u->pressure_us == UINT64_MAX ? run->pressure_us : u->pressure_us;
	run->throttled_us = u->throttled_us;
	n = keys_of(info, keys);
	for (size_t i = 0; i < n; i++) {
		struct group *g = find(s, keys[i]);

		if (!g && rate >= load_cpu_limit(p, u->cpu_quota) / 2)
			g = group_new(s, p, keys[i], keys[i] == image, x.from_us);
		if (g)
			span_add(g, x);
	}
}

void succession_ended(struct succession *s, const struct container_info *info, const struct succession_run *run)
{
	const uint64_t key = run_key(info, run);
	uint64_t keys[2];
	size_t n = keys_of(info, keys);

	for (size_t i = 0; i < n; i++) {
		struct group *g = find(s, keys[i]);

		for (size_t k = 0; g && k < g->n_parts; k++)
			g->parts[k].ended |= g->parts[k].run == key;
		for (size_t k = 0; g && k < g->n_spans; k++)
			g->spans[k].ended |= g->spans[k].run == key;
	}
}

/* ---- the time line ---- */

static int by_time(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

	return x < y ? -1 : x > y;
}

static bool busier(const struct span *a, const struct span *b)
{
	__extension__ typedef unsigned __int128 wide;

	return (wide) a->cpu_us * (b->to_us - b->from_us) > (wide) b->cpu_us * (a->to_us - a->from_us);
}

/* The busiest of those that were there between two moments; NULL: nobody. */
static struct span *busiest(struct group *g, uint64_t from_us, uint64_t to_us)
{
	struct span *best = NULL;

	for (size_t i = 0; i < g->n_spans; i++) {
		struct span *x = &g->spans[i];

		if (x->from_us <= from_us && x->to_us >= to_us && (!best || busier(x, best)))
			best = x;
	}
	return best;
}

static void time_line(struct group *g)
{
	uint64_t at[2 * SUCCESSION_RUNS], most = 0;
	size_t n = 0;

	for (size_t i = 0; i < g->n_spans; i++) {
		at[n++] = g->spans[i].from_us;
		at[n++] = g->spans[i].to_us;
		if (g->spans[i].cpu_us >= most) {
			most = g->spans[i].cpu_us;
			g->usage.cpu_quota = g->spans[i].quota;
		}
	}
	qsort(at, n, sizeof(*at), by_time);
	for (size_t i = 0; i + 1 < n; i++) {
		struct span *x = at[i] < at[i + 1] ? busiest(g, at[i], at[i + 1]) : NULL;

		if (!x)
			continue;
		g->usage.cpu_us += share(x->cpu_us, at[i + 1] - at[i], x->to_us - x->from_us);
		g->usage.pressure_us += share(x->waited_us, at[i + 1] - at[i], x->to_us - x->from_us);
		g->usage.throttled_us += share(x->throttled_us, at[i + 1] - at[i], x->to_us - x->from_us);
		x->topped = true;
	}
}

static void note_part(struct group *g, const struct span *x)
{
	struct part *to = NULL;

	for (size_t i = 0; i < g->n_parts && !to; i++)
		if (g->parts[i].run == x->run)
			to = &g->parts[i];
	if (!to && g->n_parts < SUCCESSION_RUNS) {
		to = &g->parts[g->n_parts++];
	} else if (!to) {
		to = &g->parts[0];
		for (size_t i = 1; i < g->n_parts; i++)
			if (g->parts[i].last_us < to->last_us)
				to = &g->parts[i];
	}
	*to = (struct part){
		.run = x->run, .id = x->id, .service = x->service, .last_us = x->to_us, .swarm = x->swarm, .ended = x->ended
	};
}

/* ---- judgement ---- */

struct parts {
	uint32_t n, ended;
	bool one_id, one_service, swarm;
	uint64_t service;
};

static struct parts parts_since(const struct group *g, uint64_t since_us)
{
	struct parts r = { .one_id = true, .one_service = true, .swarm = true };
	const struct part *first = NULL;

	for (size_t i = 0; i < g->n_parts; i++) {
		const struct part *x = &g->parts[i];

		if (x->last_us < since_us)
			continue;
		if (!first)
			first = x;
		r.n++;
		r.ended += x->ended;
		r.swarm &= x->swarm;
		r.one_id &= x->id == first->id;
		r.one_service &= x->service == first->service;
	}
	r.service = first ? first->service : 0;
	return r;
}

/* Softens the verdict where an honest cause is as likely. False: this is no succession, or its service's own group tells it. */
static bool is_succession(const struct group *g, struct verdict *v, uint64_t now_us)
{
	const struct parts r = parts_since(g, now_us > v->window_us ? now_us - v->window_us : 0);

	if (r.n < 2 || r.ended < r.n - r.ended || (g->by_image && r.one_service && r.service))
		return false;
	v->chain = r.n;
	v->chain_image = g->by_image;
	v->mixed = !r.one_service;
	v->restarts = (r.one_id || r.swarm) && r.n > SUCCESSION_STARTS;
	if (v->mixed || v->restarts)
		v->action = PV_MIN(v->action, ACTION_ALERT);
	return true;
}

static size_t judge(struct group *g, const struct policy *p, uint64_t now_us, struct succession_verdict *ret, size_t max)
{
	struct verdict v[LOAD_VERDICTS];
	size_t n = load_step(g->load, p, &g->usage, now_us, v), told = 0;

	for (size_t i = 0; i < n; i++) {
		if (told < max && is_succession(g, &v[i], now_us))
			ret[told++] = (struct succession_verdict){ .v = v[i], .group = g->key };
		else if (!v[i].warning && v[i].window_us == load_cpu_hold(p))
			load_tell_again(g->load); /* it may become one */
	}
	return told;
}

size_t succession_step(struct succession *s, const struct policy *p, uint64_t now_us, struct succession_verdict *ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n;) {
		struct group *g = s->groups[i];

		time_line(g);
		for (size_t k = 0; k < g->n_spans; k++)
			if (g->spans[k].topped && g->spans[k].cpu_us)
				note_part(g, &g->spans[k]);
		if (g->n_spans)
			g->used_us = now_us;
		g->n_spans = 0;
		g->step_us = now_us;
		n += judge(g, p, now_us, ret + n, max - n);
		if (now_us - PV_MIN(g->used_us, now_us) > USEC_PER_DAY) {
			group_free(g);
			s->groups[i] = s->groups[--s->n];
		} else {
			i++;
		}
	}
	return n;
}

bool succession_of(const struct succession_verdict *v, const struct policy *p, const struct container_info *info,
		   const struct succession_run *run, uint64_t now_us)
{
	uint64_t keys[2];
	size_t n = keys_of(info, keys);

	if (!is_young(run, p, now_us) || run->rate < v->v.limit / 2)
		return false;
	for (size_t i = 0; i < n; i++)
		if (keys[i] == v->group)
			return true;
	return false;
}

void succession_forget(struct succession *s, const struct container_info *info)
{
	uint64_t keys[2] = { 0 };

	if (info)
		(void) keys_of(info, keys);
	for (size_t i = 0; i < s->n;)
		if (!info || s->groups[i]->key == keys[0] || s->groups[i]->key == keys[1]) {
			group_free(s->groups[i]);
			s->groups[i] = s->groups[--s->n];
		} else {
			i++;
		}
}

void succession_tell_again(struct succession *s, const struct succession_verdict *v)
{
	for (size_t i = 0; i < s->n; i++)
		if (!v || s->groups[i]->key == v->group)
			load_tell_again(s->groups[i]->load);
}
