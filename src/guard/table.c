#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/guard.h"

/* FNV-1a: container ids are random already; this only folds them to 64 bits. */
uint64_t table_id_hash(const char *id)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *id; id++)
		h = (h ^ (uint8_t) *id) * 0x100000001b3ULL;
	return h;
}

static struct guard_workload *workload_free(struct guard_workload *w)
{
	if (!w)
		return NULL;
	cgroup_files_free(w->files);
	load_free(w->load);
	free(w);
	return NULL;
}

struct guard_workload *table_find(struct guard *g, uint64_t cgroup)
{
	struct guard_workload *w = pv_map_get(&g->workloads, cgroup);

	return w ? w : pv_map_get(&g->nested, cgroup);
}

struct guard_workload *table_container(struct guard *g, const char *container_id)
{
	return pv_map_get(&g->containers, table_id_hash(container_id));
}

static void answered_except(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	(void) g;
	(void) arg;
	(void) pv_close(fd);
	if (rep->result < 0 && rep->result != -ESTALE && rep->result != -ENOENT && rep->result != -EPIPE)
		(void) log_warning_errno(rep->result, "the broker refused an exception or a network name");
}

static void tell_exceptions(struct guard *g, struct guard_workload *w)
{
	static const struct broker_except_signal kernels[] = BROKER_EXCEPT_SIGNALS;
	struct broker_req req = { .op = BROKER_EXCEPT, .cgroup = w->w.cgroup };
	char name[160];

	workload_name(name, sizeof(name), &w->w);
	for (size_t i = 0; i < N_ELEMENTS(kernels); i++) {
		int index;

		(void) policy_action(g->policy, name, kernels[i].signal, &index);
		if (index >= 0)
			req.arg |= (uint64_t) (index + 1) << 16 * i;
	}
	if (req.arg == w->excepted)
		return;
	w->excepted = req.arg;
	(void) link_call(g, &req, answered_except, NULL);
}

static void tell_networks(struct guard *g, struct guard_workload *w)
{
	if (!w->w.info || w->netnames_told)
		return;
	for (size_t i = 0; i < w->info.n_networks; i++) {
		struct broker_req req = { .op = BROKER_NETNAME, .cgroup = w->w.cgroup, .arg = 1 };

		(void) text_copy(req.id, sizeof(req.id), w->info.networks[i]);
		(void) link_call(g, &req, answered_except, NULL);
	}
	w->netnames_told = true;
}

void table_tell_kernel(struct guard *g, struct guard_workload *w)
{
	tell_exceptions(g, w);
	tell_networks(g, w);
	exec_tell_kernel(g, w);
}

static bool same_networks(const struct container_info *a, const struct container_info *b)
{
	return a->n_networks == b->n_networks && memcmp(a->networks, b->networks, sizeof(a->networks)) == 0;
}

static void drop_networks(struct guard *g, struct guard_workload *w)
{
	for (size_t i = 0; i < w->info.n_networks; i++) {
		struct broker_req req = { .op = BROKER_NETNAME, .cgroup = w->w.cgroup, .arg = 0 };

		(void) text_copy(req.id, sizeof(req.id), w->info.networks[i]);
		(void) link_call(g, &req, answered_except, NULL);
	}
	w->netnames_told = false;
}

/* What its labels say stays: they are those that it was made with. */
static void info_copy(struct container_info *at, bool *labels_known, const struct container_info *info, enum label_state labels)
{
	struct container_info before = *at;

	*at = *info;
	if (labels == LABELS_KNOWN)
		*labels_known = true;
	if (labels == LABELS_KNOWN || !*labels_known)
		return;
	memcpy(at->label_action, before.label_action, sizeof(before.label_action));
	memcpy(at->project, before.project, sizeof(before.project));
	memcpy(at->service, before.service, sizeof(before.service));
}

/* A project and service may be what an image says of itself: they earn no exception, and name no notice of before, until the image
 * was asked. */
static bool name_is_sure(const struct guard_workload *w, enum label_state labels)
{
	return labels != LABELS_COMING || w->labels_known || !w->info.service[0];
}

static void workload_set_info(struct guard *g, struct guard_workload *w, const struct container_info *info,
			      enum label_state labels)
{
	bool first = !w->w.info || !w->info.inspected, sure;
	char before[160], digits[13];

	if (w->w.info && !same_networks(&w->info, info))
		drop_networks(g, w);
	workload_name(before, sizeof(before), &w->w);
	info_copy(&w->info, &w->labels_known, info, labels);
	w->w.info = &w->info;
	sure = name_is_sure(w, labels);
	if (sure && w->told) {
		(void) snprintf(digits, sizeof(digits), "%.12s", w->w.id);
		if (!w->name_sure)
			notices_named(g, w, digits);
		notices_named(g, w, before);
	}
	w->name_sure |= sure;
	if (sure)
		tell_exceptions(g, w);
	tell_networks(g, w);
	exec_tell_kernel(g, w);
	if (!info->inspected)
		return;
	if (labels != LABELS_COMING) /* the new one's label may excuse it from what the old one was killed for */
		acts_seen_container(g, w);
	if (first)
		standing_cut(g, w);
}

/* What is known of containers that have no cgroup. The list tells of them again. */
void table_forget_infos(struct guard *g, enum engine_kind kind)
{
	struct kept_info *kept, *gone;

	do { /* the table must not change while it is walked */
		gone = NULL;
		for (size_t i = 0; !gone && (kept = pv_map_next(&g->infos, &i));)
			if (kept->info.engine == kind)
				gone = kept;
		if (gone)
			free(pv_map_take(&g->infos, table_id_hash(gone->info.id)));
	} while (gone);
}

bool table_knows(const struct guard *g, const char *container_id)
{
	const uint64_t hash = table_id_hash(container_id);
	const struct guard_workload *w = pv_map_get(&g->containers, hash);

	return w ? w->w.info != NULL : pv_map_get(&g->infos, hash) != NULL;
}

void table_removed(struct guard *g, const char *container_id)
{
	const uint64_t hash = table_id_hash(container_id);
	struct guard_workload *w = pv_map_get(&g->containers, hash);

	if (w)
		w->removed = true;
	free(pv_map_take(&g->infos, hash));
}

#define INFOS_MAX 1024

/* For its next start. */
static void info_keep(struct guard *g, const struct container_info *info, enum label_state labels)
{
	const uint64_t hash = table_id_hash(info->id);
	struct kept_info *kept = pv_map_get(&g->infos, hash);

	if (!kept && g->infos.used >= INFOS_MAX)
		table_forget_infos(g, info->engine); /* a cgroup that comes asks again */
	if (!kept) {
		kept = calloc(1, sizeof(*kept));
		if (!kept || pv_map_put(&g->infos, hash, kept) < 0) {
			free(kept);
			return;
		}
	}
	info_copy(&kept->info, &kept->labels_known, info, labels);
}

void table_info(struct guard *g, const struct container_info *info, enum label_state labels)
{
	struct guard_workload *w = table_container(g, info->id);

	if (w)
		workload_set_info(g, w, info, labels);
	else
		info_keep(g, info, labels);
	capture_info(g, w ? &w->info : info);
	if (labels != LABELS_COMING) /* its name may be what the image says of itself until then */
		guard_logs_container(g, w ? &w->info : info);
}

/* A container that the API told about before its cgroup was made. */
static void attach_info(struct guard *g, struct guard_workload *w)
{
	struct kept_info *kept = pv_map_take(&g->infos, table_id_hash(w->w.id));

	if (kept) {
		kept->info.running = true;
		kept->info.inspected = false; /* it may be of an earlier run: its pid is somebody else's now */
		kept->info.pid = 0;
		kept->info.started_us = 0;
		workload_set_info(g, w, &kept->info, kept->labels_known ? LABELS_KNOWN : LABELS_COMING);
		free(kept);
	}
	if (!w->w.info || !w->w.info->inspected)
		for (int kind = 0; kind < GUARD_ENGINES; kind++)
			if (engines_answer(g, (enum engine_kind) kind))
				engines_inspect(g, (enum engine_kind) kind, w->w.id);
}

static bool is_workload(const struct workload *w)
{
	return w->class_ == PV_CLASS_CONTAINER || w->class_ == PV_CLASS_UNIT || w->class_ == PV_CLASS_BUILD;
}

static int workload_add(struct guard *g, const struct workload *model, uint64_t made_us)
{
	struct guard_workload *w = calloc(1, sizeof(*w));
	int r = w ? 0 : -ENOMEM;

	if (w) {
		w->w = *model;
		w->generation = g->generation;
		w->run.begin_us = made_us;
		w->excepted = UINT64_MAX; /* what stands in the kernel may be from a guard before this one */
		r = pv_map_put(&g->workloads, model->cgroup, w);
	}
	if (r >= 0 && *w->w.id)
		r = pv_map_put(&g->containers, table_id_hash(w->w.id), w);
	if (r < 0) {
		(void) pv_map_take(&g->workloads, model->cgroup);
		workload_free(w);
		return log_error_errno(r, "cgroup %s: cannot watch it", model->path);
	}
	if (*w->w.id)
		attach_info(g, w);
	else
		table_tell_kernel(g, w);
	return 0;
}

void table_cgroup_new(struct guard *g, const char *path, uint64_t id, uint64_t parent, uint64_t made_us)
{
	struct guard_workload *above = table_find(g, parent);
	struct guard_workload *known = pv_map_get(&g->workloads, id);
	struct workload w = { .cgroup = id, .first_seen_us = clock_monotonic_us() };
	enum pv_class parent_class = above ? above->w.class_ : PV_CLASS_NONE;

	if (known) {
		known->generation = g->generation;
		return;
	}
	if (above && above->w.class_ == PV_CLASS_CONTAINER) { /* all that lies below a container is that container */
		(void) pv_map_put(&g->nested, id, above);
		return;
	}
	(void) text_copy(w.path, sizeof(w.path), path);
	workload_classify(&w, path, parent_class == PV_CLASS_NONE ? PV_CLASS_TOP : parent_class);
	if (!is_workload(&w))
		return;
	if (above && w.class_ == above->w.class_ && !*w.id) {
		(void) pv_map_put(&g->nested, id, above);
		return;
	}
	(void) workload_add(g, &w, made_us);
}

static void forget_nested(struct guard *g, const struct guard_workload *w)
{
	struct guard_workload *v;
	uint64_t keys[64];
	size_t n;

	do { /* the table must not change while it is walked */
		n = 0;
		for (size_t i = 0; i < g->nested.size && n < N_ELEMENTS(keys);) {
			v = pv_map_next(&g->nested, &i);
			if (v == w)
				keys[n++] = g->nested.slots[i - 1].key;
		}
		for (size_t k = 0; k < n; k++)
			(void) pv_map_take(&g->nested, keys[k]);
	} while (n == N_ELEMENTS(keys));
}

void table_cgroup_gone(struct guard *g, uint64_t id)
{
	struct guard_workload *w = pv_map_get(&g->workloads, id);

	if (!w) {
		(void) pv_map_take(&g->nested, id);
		return;
	}
	exec_gone(g, w);
	(void) pv_map_take(&g->workloads, id);
	if (*w->w.id && table_container(g, w->w.id) == w) { /* it may run again already, under another cgroup */
		(void) pv_map_take(&g->containers, table_id_hash(w->w.id));
		guard_logs_container_gone(g, w->w.id);
		if (w->w.info && !w->removed)
			info_keep(g, &w->info, w->labels_known ? LABELS_KNOWN : LABELS_COMING);
	}
	if (g->nested.used)
		forget_nested(g, w);
	successions_gone(g, w);
	if (w->acting) { /* the act looks at it once more and frees it */
		w->w.gone = true;
		return;
	}
	workload_free(w);
}

void table_release(struct guard_workload *w)
{
	w->acting = false;
	if (w->w.gone)
		workload_free(w);
}

static int on_walk(const char *path, uint64_t id, uint64_t parent, void *arg)
{
	table_cgroup_new(arg, path, id, parent, 0);
	return 0;
}

/* Those the walk did not see ended while events were lost. */
static void forget_unseen(struct guard *g)
{
	struct guard_workload *w;
	uint64_t keys[64];
	size_t n;

	do {
		n = 0;
		for (size_t i = 0; n < N_ELEMENTS(keys) && (w = pv_map_next(&g->workloads, &i));)
			if (w->generation != g->generation)
				keys[n++] = w->w.cgroup;
		for (size_t k = 0; k < n; k++)
			table_cgroup_gone(g, keys[k]);
	} while (n == N_ELEMENTS(keys));
}

int table_start(struct guard *g)
{
	int r;

	g->generation++;
	pv_map_done(&g->nested); /* the walk finds all that are left, each after its parent */
	r = cgroup_tree_walk(g->tree, on_walk, g);
	if (r < 0)
		return log_error_errno(r, "cannot walk the cgroups below %s", cgroup_tree_watched(g->tree));
	forget_unseen(g);
	return 0;
}

void table_stop(struct guard *g)
{
	struct guard_workload *w;
	void *info;

	for (size_t i = 0; (w = pv_map_next(&g->workloads, &i));)
		workload_free(w);
	for (size_t i = 0; (info = pv_map_next(&g->infos, &i));)
		free(info);
	pv_map_done(&g->workloads);
	pv_map_done(&g->nested);
	pv_map_done(&g->containers);
	pv_map_done(&g->infos);
}
