/* cgroup.bpf.c - cgroups come and go, tasks leave their container, the OOM killer strikes. A cgroup has its class
 * before any task can enter: the tracepoint lies between its making and its becoming visible (cgroup_mkdir()). */
#include "bpf/maps.h"
#include "bpf/classify.h"

#include <bpf/bpf_tracing.h>

static __always_inline bool on_v2(struct cgroup *cgrp)
{
	return cgrp->root->hierarchy_id == 0; /* the default hierarchy is the first ever made */
}

static __always_inline __u64 parent_id(struct cgroup *cgrp)
{
	struct cgroup_subsys_state *css = cgrp->self.parent;
	struct cgroup *parent;

	if (!css)
		return 0;
	parent = (void *) css - bpf_core_field_offset(struct cgroup, self);
	return BPF_CORE_READ(parent, kn, id);
}

static __always_inline void tell_cgroup(__u16 kind, __u64 id, __u64 parent, const struct pv_workload *w, const char *path)
{
	struct event_cgroup *e = event_new(sizeof(*e), kind, 0, id, w->class_);

	if (!e)
		return;
	e->parent_id = parent;
	e->root_id = w->root_id;
	__builtin_memset(e->path, 0, sizeof(e->path));
	if (bpf_probe_read_kernel_str(e->path, sizeof(e->path), path) >= (long) sizeof(e->path))
		e->path[0] = '\0';
	bpf_ringbuf_submit(e, wake());
}

/* FNV-1a over the 64 digits of a container's id. */
static __always_inline __u64 id_hash(const char *name, __u32 at)
{
	__u64 h = 0xcbf29ce484222325ull;

	for (__u32 i = 0; i < CLASSIFY_HEX; i++)
		h = (h ^ (__u8) name[(at + i) & (CLASSIFY_NAME - 1)]) * 0x100000001b3ull;
	return h;
}

/* When this container began for the first time: a restart brings no second grace. */
static __always_inline __u64 first_start(const char *name, __u32 len)
{
	__u64 now = bpf_ktime_get_ns(), hash, *before;
	int at = classify_hex_at(name, len);

	if (at < 0)
		return now;
	hash = id_hash(name, at);
	before = bpf_map_lookup_elem(&firsts, &hash);
	if (before)
		return *before;
	bpf_map_update_elem(&firsts, &hash, &now, BPF_ANY);
	return now;
}

/* Who makes the cgroup is the container runtime, or systemd for it; its root is learned from the first program. */
static __always_inline void begin_execs(const struct pv_bpf_conf *c, __u64 id, const char *name, __u32 len)
{
	struct task_struct *maker = (struct task_struct *) bpf_get_current_task();
	struct pv_exec e = { 0 };

	e.grace_until_ns = first_start(name, len) + c->exec_grace_ns;
	e.maker_ns = BPF_CORE_READ(maker, nsproxy, mnt_ns, ns.inum);
	bpf_map_update_elem(&execs, &id, &e, BPF_ANY);
}

SEC("tp_btf/cgroup_mkdir") int BPF_PROG(pv_cgroup_mkdir, struct cgroup *cgrp, const char *path)
{
	__u32 zero = 0;
	struct cgroup_name *name = bpf_map_lookup_elem(&cgroup_name, &zero);
	struct pv_bpf_conf *c = settings();
	struct pv_workload w = { 0 }, *up;
	__u64 id, parent;
	long len;

	if (!c || !name || !on_v2(cgrp))
		return 0;
	id = cgrp->kn->id;
	parent = parent_id(cgrp);
	up = workload_of(parent);
	if (!up && parent != c->root_id)
		return 0; /* not below the watched root */
	__builtin_memset(name, 0, sizeof(*name));
	len = bpf_probe_read_kernel_str(name->text, sizeof(name->text), cgrp->kn->name);
	if (len < 1)
		len = 1;
	w.class_ = classify_name(name->text, (__u32) len - 1, up ? up->class_ : PV_CLASS_TOP);
	if (classify_is_top(w.class_, up ? up->class_ : PV_CLASS_TOP)) {
		w.root_id = id;
		w.flags = PV_WORKLOAD_ROOT;
		if (w.class_ == PV_CLASS_CONTAINER || w.class_ == PV_CLASS_BUILD)
			begin_execs(c, id, name->text, (__u32) len - 1);
	} else if (w.class_ != PV_CLASS_NONE && up) {
		w.root_id = up->root_id;
	}
	if (bpf_map_update_elem(&workloads, &id, &w, BPF_ANY) < 0)
		count(EVENT_CGROUP_NEW, PV_COUNT_LOST); /* the table is full: container rules hold for its network, its programs go unjudged */
	tell_cgroup(EVENT_CGROUP_NEW, id, parent, &w, path);
	return 0;
}

SEC("tp_btf/cgroup_rmdir") int BPF_PROG(pv_cgroup_rmdir, struct cgroup *cgrp, const char *path)
{
	struct pv_workload w, *there;
	__u64 id;

	if (!on_v2(cgrp))
		return 0;
	id = cgrp->kn->id;
	there = workload_of(id);
	if (!there)
		return 0;
	w = *there;
	bpf_map_delete_elem(&workloads, &id);
	if (w.flags & PV_WORKLOAD_ROOT)
		bpf_map_delete_elem(&execs, &id);
	tell_cgroup(EVENT_CGROUP_GONE, id, parent_id(cgrp), &w, path);
	return 0;
}

static __always_inline bool is_container(const struct pv_workload *w)
{
	return w && (w->class_ == PV_CLASS_CONTAINER || w->class_ == PV_CLASS_BUILD);
}

static __always_inline void tell_moved(struct task_struct *task, __u64 from, __u64 to, __u8 class_)
{
	struct event_move *e = event_new(sizeof(*e), EVENT_MOVED, 0, from, class_);

	if (!e)
		return;
	e->head.tgid = task->tgid;
	bpf_core_read(e->head.comm, sizeof(e->head.comm), &task->comm);
	e->to_id = to;
	bpf_ringbuf_submit(e, wake());
}

/* Do both belong to the same workload? */
static __always_inline bool is_of(const struct pv_workload *w, __u64 cgroup)
{
	struct pv_workload *own = workload_of(cgroup);

	return w && own && w->root_id && w->root_id == own->root_id;
}

/* The tracepoint comes after the move and does not say from where: hence the table of homes. */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(pv_attach_task, struct cgroup *dst, const char *path, struct task_struct *task)
{
	struct pv_workload *to;
	struct pv_home new = { 0 }, *home;
	__u32 tgid = task->tgid;
	__u64 id;

	if (!on_v2(dst))
		return 0;
	id = dst->kn->id;
	to = workload_of(id);
	home = bpf_map_lookup_elem(&homes, &tgid);
	if (!home) {
		new.cgroup = id; /* the runtime on its way in */
		if (is_container(to))
			bpf_map_update_elem(&homes, &tgid, &new, BPF_ANY);
		return 0;
	}
	if (is_of(to, home->cgroup)) {
		home->cgroup = id; /* within its container, or back home */
		home->moved = 0;
		return 0;
	}
	if (home->moved)
		return 0;
	home->moved = 1;
	tell_moved(task, home->cgroup, id, class_of(home->cgroup));
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(pv_fork, struct task_struct *parent, struct task_struct *child)
{
	__u64 id = child->cgroups->dfl_cgrp->kn->id;
	bool inside, apart = id != parent->cgroups->dfl_cgrp->kn->id; /* CLONE_INTO_CGROUP, which no attach_task tells of */
	struct pv_home new = { .cgroup = id }, *home;
	__u32 tgid = child->tgid, from = parent->tgid;
	struct pv_workload *to;

	if (child->pid != child->tgid)
		return 0; /* a thread */
	to = workload_of(id);
	inside = is_container(to);
	home = inside || apart || any_moved() ? bpf_map_lookup_elem(&homes, &from) : NULL;
	if (home && home->moved) {
		new = *home;
	} else if (home && apart && !is_of(to, home->cgroup)) {
		new.cgroup = home->cgroup;
		new.moved = 1;
		new.role = home->role;
		tell_moved(child, home->cgroup, id, class_of(home->cgroup));
	} else if (!inside) {
		return 0;
	} else if (home) {
		new.role = home->role;
	}
	bpf_map_update_elem(&homes, &tgid, &new, BPF_ANY);
	return 0;
}

static __always_inline void tell_oom(struct task_struct *task, __u64 cgroup)
{
	struct event_head *e = event_new(sizeof(*e), EVENT_OOM, 0, cgroup, class_of(cgroup));

	if (!e)
		return;
	e->tgid = task->tgid;
	bpf_core_read(e->comm, sizeof(e->comm), &task->comm);
	bpf_ringbuf_submit(e, wake());
}

/* Set by what also fires mark_victim, and a load away; a kernel without the field (none is known) is asked by pid. */
static __always_inline bool is_victim(struct task_struct *task)
{
	__u32 pid = task->pid;

	if (bpf_core_field_exists(task->signal->oom_mm) && !task->signal->oom_mm)
		return false;
	return bpf_map_lookup_elem(&victims, &pid) != NULL;
}

SEC("tp_btf/sched_process_exit") int BPF_PROG(pv_exit, struct task_struct *task)
{
	__u32 pid = task->pid, tgid = task->tgid;

	if (is_victim(task)) {
		__u64 cgroup = task->cgroups->dfl_cgrp->kn->id;

		bpf_map_delete_elem(&victims, &pid);
		if (workload_of(cgroup))
			tell_oom(task, cgroup);
	}
	/* the last thread; looked up first, which takes no lock: most tasks of a machine have no entry */
	if (task->signal->live.counter == 0 && bpf_map_lookup_elem(&homes, &tgid))
		bpf_map_delete_elem(&homes, &tgid);
	return 0;
}

/* The tracepoint runs in whoever asked for memory; on a global OOM that is anybody. So only the victim's pid is kept,
 * and its own cgroup is read when it dies. The argument is the pid up to 6.7 and the task from 6.8 on; no pid is as
 * large as a kernel address. */
SEC("raw_tracepoint/mark_victim") int pv_mark_victim(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 arg = ctx->args[0];
	__u32 one = 1, pid = arg;

	if (arg > 0xffffffffull)
		pid = BPF_CORE_READ((struct task_struct *) arg, pid);
	bpf_map_update_elem(&victims, &pid, &one, BPF_ANY);
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
