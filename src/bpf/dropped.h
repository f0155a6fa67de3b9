/* dropped.h - judging a file that is about to run or to be mapped as code: where it lies, what follows from that, how it is told.
 * Included by exec.bpf.c, whose hooks share it; `slot` is the place in exec_room that the caller may use.
 *
 * The overlay keeps its own inode around the vfs inode; what follows it says whether the file has an upper (written in
 * this container) and a lower (the image's) part. Its layout changed twice (enum pv_ovl_layout, event.h). */
#ifndef PV_BPF_DROPPED_H
#define PV_BPF_DROPPED_H

#include "bpf/maps.h"
#include "bpf/process.h"

#define MAGIC_OVERLAY	0x794c7630
#define MAGIC_TMPFS	0x01021994
#define MAGIC_RAMFS	0x858458f6
#define MAGIC_HUGETLBFS 0x958458f6
#define SB_RDONLY	1
#define SB_KERNMOUNT	(1 << 22)
#define MNT_READONLY	0x40

#define SIGKILL		 9
#define DEPTH		 24 /* folders that are looked at; a program that lies deeper is told as lying below a writable one */
#define TELL_AGAIN_NS	 (60ull * 1000000000)

/* ---- in which container ---- */

struct here {
	struct pv_bpf_conf *conf;
	struct pv_workload *w, *root;
	struct pv_exec *c;
	__u64 cgroup, root_id;
	__u32 ns; /* mount namespace */
	bool moved;
};

static __always_inline bool is_runtime(const struct pv_exec *c, const struct pv_bpf_conf *conf, __u32 ns)
{
	return ns == conf->host_ns[0] || ns == conf->host_ns[1] || ns == c->maker_ns;
}

static __always_inline struct pv_workload *container_of_current(__u64 *ret_cgroup, bool *ret_moved)
{
	struct pv_home *home = home_of_current();
	struct pv_workload *w;

	*ret_cgroup = bpf_get_current_cgroup_id();
	*ret_moved = home && home->moved;
	if (*ret_moved)
		*ret_cgroup = home->cgroup;
	w = workload_of(*ret_cgroup);
	return w && (w->class_ == PV_CLASS_CONTAINER || w->class_ == PV_CLASS_BUILD) ? w : NULL;
}

/* Whether the current task is one of a container whose programs are judged; `root` is looked up later, by those who need it. */
static __always_inline bool is_judged(struct here *h, struct task_struct *task)
{
	h->conf = settings();
	h->w = container_of_current(&h->cgroup, &h->moved);
	if (!h->w || !h->conf || h->conf->exec_action == ACTION_IGNORE || h->conf->ovl_layout == PV_OVL_UNKNOWN)
		return false;
	h->root_id = h->w->root_id;
	h->c = bpf_map_lookup_elem(&execs, &h->root_id);
	if (!h->c)
		return false;
	h->ns = task->nsproxy->mnt_ns->ns.inum;
	return !is_runtime(h->c, h->conf, h->ns);
}

/* Of another cgroup than the container's. Who moved out is known by its home. */
static __always_inline bool is_outside(const struct here *h, struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	struct pv_home *home = bpf_map_lookup_elem(&homes, &tgid);
	struct pv_workload *w = workload_of(home ? home->cgroup : BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id));

	return !w || w->root_id != h->root_id;
}

/* A runtime that has a mount namespace of its own, a rootless engine's, on its way in: who started it is outside of the container and in the
 * same namespace. Nobody of the container's has such a parent: orphans go to its init, or to the host's. */
static __always_inline bool is_coming_in(const struct here *h, struct task_struct *task)
{
	struct task_struct *parent = task->real_parent;

	return h->ns != h->c->mnt_ns && BPF_CORE_READ(parent, nsproxy, mnt_ns, ns.inum) == h->ns && is_outside(h, parent);
}

/* ---- where it lies ---- */

static __always_inline __u64 mtime_of(const void *inode, __u64 *ret_ns)
{
	const struct inode___now *now = inode;
	const struct inode___610 *v610 = inode;
	const struct inode___65 *v65 = inode;

	if (bpf_core_field_exists(now->i_mtime_sec)) {
		*ret_ns = BPF_CORE_READ(now, i_mtime_nsec);
		return BPF_CORE_READ(now, i_mtime_sec);
	}
	if (bpf_core_field_exists(v610->__i_mtime)) {
		*ret_ns = BPF_CORE_READ(v610, __i_mtime.tv_nsec);
		return BPF_CORE_READ(v610, __i_mtime.tv_sec);
	}
	*ret_ns = BPF_CORE_READ(v65, i_mtime.tv_nsec);
	return BPF_CORE_READ(v65, i_mtime.tv_sec);
}

static __always_inline __u64 ctime_ns(const void *inode)
{
	const struct inode___now *now = inode;
	const struct inode___610 *v610 = inode;
	const struct inode___65 *v65 = inode;

	if (bpf_core_field_exists(now->i_ctime_sec))
		return BPF_CORE_READ(now, i_ctime_sec) * 1000000000ull + BPF_CORE_READ(now, i_ctime_nsec);
	if (bpf_core_field_exists(v610->__i_ctime))
		return BPF_CORE_READ(v610, __i_ctime.tv_sec) * 1000000000ull + BPF_CORE_READ(v610, __i_ctime.tv_nsec);
	return BPF_CORE_READ(v65, i_ctime.tv_sec) * 1000000000ull + BPF_CORE_READ(v65, i_ctime.tv_nsec);
}

/* The lower inode of an overlay's inode, NULL: there is none. `after` points behind the vfs inode. */
static __always_inline struct inode *lower_of(const void *after, __u8 layout)
{
	struct dentry *dentry = NULL;
	struct inode *lower = NULL;
	void *entry = NULL;
	__u32 n = 0;

	if (layout == PV_OVL_LOWER) {
		bpf_probe_read_kernel(&lower, sizeof(lower), after + 8);
		return lower;
	}
	if (layout == PV_OVL_PATH) { /* layer, dentry */
		bpf_probe_read_kernel(&dentry, sizeof(dentry), after + 16);
	} else {
		bpf_probe_read_kernel(&entry, sizeof(entry), after + 8);
		if (entry)
			bpf_probe_read_kernel(&n, sizeof(n), entry);
		if (n) /* the number counts, not the pointer */
			bpf_probe_read_kernel(&dentry, sizeof(dentry), entry + 16);
	}
	return dentry ? BPF_CORE_READ(dentry, d_inode) : NULL;
}

static __always_inline __u8 on_overlay(struct exec_look *l, struct inode *inode, __u8 layout)
{
	const void *after = (const void *) inode + bpf_core_type_size(struct inode);
	struct dentry *upper = NULL;
	struct inode *real, *lower;
	__u64 ns = 0, lower_ns = 0;

	bpf_probe_read_kernel(&upper, sizeof(upper), after);
	if (!upper)
		return PV_PLACE_IMAGE;
	lower = lower_of(after, layout);
	if (!lower)
		return PV_PLACE_NEW;
	real = BPF_CORE_READ(upper, d_inode);
	l->lower_size = BPF_CORE_READ(lower, i_size);
	if (BPF_CORE_READ(real, i_size) != l->lower_size) {
		l->bits = PV_EXEC_SIZE;
		return PV_PLACE_CHANGED;
	}
	if (mtime_of(real, &ns) != mtime_of(lower, &lower_ns) || ns != lower_ns)
		return PV_PLACE_CHANGED;
	return PV_PLACE_COPIED;
}

/* What place_of() wants to know: read in the caller's way, since a file of the tracepoint's is followed by plain loads. */
struct seat {
	struct inode *inode;
	struct vfsmount *mnt;
	unsigned long magic, sb_flags;
	__u32 dev;
	int mnt_flags;
};

static __always_inline __u8 place_of(struct exec_look *l, const struct pv_exec *c, const struct seat *at, struct fs_struct *fs,
				     __u32 ns, __u8 layout)
{
	if (at->dev == c->root_dev && (c->flags & PV_CTR_OVERLAY))
		return on_overlay(l, at->inode, layout);
	if (!(c->flags & PV_CTR_OVERLAY) && at->mnt == fs->root.mnt)
		return PV_PLACE_ROOTFS;
	/* docker-init and tools that the owner mounted; not what a process mounts in a namespace of its own */
	if (ns == c->mnt_ns && ((at->mnt_flags & MNT_READONLY) || (at->sb_flags & SB_RDONLY)))
		return PV_PLACE_MOUNT_RO;
	if (at->magic == MAGIC_TMPFS || at->magic == MAGIC_RAMFS || at->magic == MAGIC_HUGETLBFS)
		return at->sb_flags & SB_KERNMOUNT ? PV_PLACE_MEMFD : PV_PLACE_TMPFS;
	return PV_PLACE_MOUNT;
}

/* From the mode of each folder above, up to the mount's root: no list of names knows an application's own spool. */
GLOBAL int pv_below_writable(__u32 slot)
{
	struct exec_scratch *s = bpf_map_lookup_elem(&exec_room, &slot);
	struct dentry *d, *top;
	struct vfsmount *mnt;

	if (!s)
		return 0;
	d = s->dentry;
	mnt = s->mnt;
	top = BPF_CORE_READ(mnt, mnt_root);
	for (int i = 0; i < DEPTH; i++) {
		struct dentry *parent = BPF_CORE_READ(d, d_parent);

		if (d == top || parent == d)
			return 0;
		if (BPF_CORE_READ(parent, d_inode, i_mode) & S_IWOTH)
			return 1;
		d = parent;
	}
	return 1;
}

/* ---- what is known of it ---- */

static __always_inline bool is_brought(__u8 place)
{
	return place == PV_PLACE_NEW || place == PV_PLACE_CHANGED || place == PV_PLACE_MOUNT;
}

/* Whether the owner wants it refused; bits are filled in on the way. */
static __always_inline __u8 why_of(struct exec_look *l, struct inode *inode, __u8 action, const struct pv_exec *c,
				   const struct pv_workload *root, __u32 slot)
{
	bool memory = l->place == PV_PLACE_MEMFD || l->place == PV_PLACE_TMPFS;

	if (!BPF_CORE_READ(inode, i_nlink))
		l->bits |= PV_EXEC_DELETED;
	if (pv_below_writable(slot))
		l->bits |= PV_EXEC_WRITABLE;
	if (memory || ((l->bits & PV_EXEC_DELETED) && is_brought(l->place)))
		return PV_WHY_MEMORY;
	if (is_brought(l->place) && (l->kind & (PV_NAME_MINER | PV_NAME_LOOKALIKE)))
		return PV_WHY_NAME;
	if (l->place == PV_PLACE_CHANGED && (l->bits & PV_EXEC_SIZE))
		return PV_WHY_CHANGED;
	if (is_brought(l->place) && (l->role & PV_ROLE_SHELL))
		return PV_WHY_SHELL;
	if (action == ACTION_BLOCK && (l->place == PV_PLACE_NEW || l->place == PV_PLACE_MOUNT))
		return PV_WHY_ACTION;
	if (!(l->bits & PV_EXEC_WRITABLE) || (l->place != PV_PLACE_NEW && l->place != PV_PLACE_MOUNT))
		return PV_WHY_NONE;
	if (!(root->flags & PV_EXEC_NO_GRACE) && c->grace_until_ns > bpf_ktime_get_ns()) {
		l->bits |= PV_EXEC_GRACE;
		return PV_WHY_NONE;
	}
	return PV_WHY_WRITABLE;
}

/* EVF_* bits; SILENT: not told either. */
static __always_inline __u32 exec_verdict(const struct exec_look *l, const struct pv_bpf_conf *conf, struct pv_exec *c,
					  const struct pv_workload *root, __u8 class_)
{
	if (root->flags & PV_ALLOW_EXEC)
		return EVF_ALLOWED;
	if (class_ == PV_CLASS_BUILD || (root->flags & PV_EXEC_BUILD)) {
		if (c->flags & PV_CTR_TOLD)
			return SILENT;
		c->flags |= PV_CTR_TOLD;
		return EVF_CLASS;
	}
	if (l->why == PV_WHY_NONE)
		return 0;
	if (conf->off_until_ns && conf->off_until_ns > bpf_ktime_get_ns())
		return EVF_OFF;
	if (conf->observe)
		return EVF_OBSERVED;
	return conf->exec_action == ACTION_ALERT || (root->flags & PV_EXEC_ALERT) ? EVF_ALERT : EVF_REFUSED;
}

/* ---- how it is told ---- */

/* What is not refused is told once a minute and file. The number of those between; negative: told already. */
static __always_inline long told_before(__u64 root, struct inode *inode, const struct exec_look *l)
{
	struct told_key key = { .root = root, .ino = BPF_CORE_READ(inode, i_ino), .dev = BPF_CORE_READ(inode, i_sb, s_dev) };
	struct told *there, fresh = { .time_ns = bpf_ktime_get_ns() };
	long repeats;

	key.ctime_ns = ctime_ns(inode);
	key.what = l->flags << 16 | l->place << 8 | l->why | (l->bits & PV_EXEC_MAPPED);
	there = bpf_map_lookup_elem(&exec_told, &key);
	if (!there) {
		bpf_map_update_elem(&exec_told, &key, &fresh, BPF_ANY);
		return 0;
	}
	if (fresh.time_ns - there->time_ns < TELL_AGAIN_NS) {
		__sync_fetch_and_add(&there->repeats, 1);
		return -1;
	}
	repeats = there->repeats;
	there->repeats = 0;
	there->time_ns = fresh.time_ns;
	return repeats;
}

/* The same of a script, by the name that its interpreter was given. */
static __always_inline bool script_told(const struct exec_scratch *s, __u64 root)
{
	struct told_key key = { .root = root, .ino = s->hash, .ctime_ns = (__u64) s->dentry, .what = 0xffff };
	struct told *there, fresh = { .time_ns = bpf_ktime_get_ns() };

	there = bpf_map_lookup_elem(&exec_told, &key);
	if (there && fresh.time_ns - there->time_ns < TELL_AGAIN_NS)
		return true;
	bpf_map_update_elem(&exec_told, &key, &fresh, BPF_ANY);
	return false;
}

/* A flood from one container must not cost another its details. */
static __always_inline bool over_budget(struct pv_exec *c)
{
	__u64 second = bpf_ktime_get_ns() >> 30;

	if (c->second != second) {
		c->second = second;
		c->in_second = 0;
	}
	return __sync_fetch_and_add(&c->in_second, 1) >= PV_EXEC_DETAILS;
}

/* Leaf first, each name before what stands there already; over a mount point into the mount that carries it. */
GLOBAL int pv_exec_path(__u32 slot)
{
	struct task_struct *task = (struct task_struct *) bpf_get_current_task();
	struct exec_scratch *s = bpf_map_lookup_elem(&exec_room, &slot);
	struct dentry *d, *root = BPF_CORE_READ(task, fs, root.dentry);
	struct vfsmount *mnt, *top = BPF_CORE_READ(task, fs, root.mnt);
	__u32 at;

	if (!s)
		return 0;
	d = s->dentry;
	mnt = s->mnt;
	s->at = PV_EXEC_PATH - 1;
	for (int i = 0; i < 32; i++) {
		struct mount *m = (void *) mnt - bpf_core_field_offset(struct mount, mnt), *above;
		struct dentry *parent;
		long n;

		if (d == root && mnt == top)
			break;
		if (d == BPF_CORE_READ(mnt, mnt_root)) {
			above = BPF_CORE_READ(m, mnt_parent);
			d = BPF_CORE_READ(m, mnt_mountpoint);
			if (!above || above == m)
				break; /* detached, or in memory */
			mnt = (void *) above + bpf_core_field_offset(struct mount, mnt);
			continue;
		}
		n = bpf_probe_read_kernel_str(&s->path[PV_EXEC_PATH], 256, BPF_CORE_READ(d, d_name.name));
		if (n <= 1 || n > 256 || s->at < n)
			break;
		at = (s->at - n) & (PV_EXEC_PATH - 1); /* a slash takes the place of the NUL */
		s->path[at] = '/';
		bpf_probe_read_kernel(&s->path[(at + 1) & (PV_EXEC_PATH - 1)], (n - 1) & 255, &s->path[PV_EXEC_PATH]);
		s->at = at; /* in the map: the verifier does not follow its value */
		parent = BPF_CORE_READ(d, d_parent);
		if (parent == d)
			break; /* in memory: no folder above it */
		d = parent;
	}
	s->path[PV_EXEC_PATH - 1] = '\0';
	bpf_probe_read_kernel_str(s->e.path, sizeof(s->e.path), &s->path[s->at & (PV_EXEC_PATH - 1)]);
	return 0;
}

/* Up to the border of the container: beyond it is who put us in. */
static __always_inline void fill_chain(struct event_exec *e, struct task_struct *task, const struct here *h)
{
	struct task_struct *t = task->real_parent;

	for (int i = 0; i < PV_EXEC_CHAIN; i++) {
		if (!t->pid || is_outside(h, t))
			break;
		e->chain[i].tgid = t->tgid;
		bpf_probe_read_kernel(e->chain[i].comm, PV_COMM_LEN, &t->comm);
		e->n_chain = i + 1;
		t = t->real_parent;
	}
}

static __always_inline void fill_event(struct event_exec *e, const struct exec_look *l, struct task_struct *task, struct inode *inode,
				       const char *name, const struct here *h)
{
	e->head.tgid = task->tgid;
	bpf_probe_read_kernel(e->head.comm, PV_COMM_LEN, &task->comm);
	e->ino = BPF_CORE_READ(inode, i_ino);
	e->size = BPF_CORE_READ(inode, i_size);
	e->lower_size = l->lower_size;
	e->ctime_ns = ctime_ns(inode);
	e->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	e->uid = task->cred->uid.val;
	e->place = l->place;
	e->why = l->why;
	e->bits = l->bits;
	e->n_chain = 0;
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	__builtin_memset(e->chain, 0, sizeof(e->chain));
	fill_chain(e, task, h);
	fill_argv(e);
	bpf_probe_read_kernel_str(e->filename, sizeof(e->filename), name);
}

static __always_inline bool is_allowed_path(struct exec_scratch *s)
{
	s->key.bits = PV_ALLOW_PATH * 8;
	bpf_probe_read_kernel(s->key.path, sizeof(s->key.path), s->e.path);
	return bpf_map_lookup_elem(&exec_allow, &s->key) != NULL;
}

/* Of what look.flags say: whether it is to be told at all, and with which path. EVF_*, or SILENT: it has been told or is allowed. */
static __always_inline __u32 settle(struct exec_scratch *s, const struct here *h, struct inode *inode, __u32 slot)
{
	long repeats = 0;

	if (!(s->look.flags & EVF_REFUSED))
		repeats = s->look.flags & SILENT ? -1 : told_before(h->root_id, inode, &s->look);
	if (repeats < 0) {
		count(EVENT_EXEC, PV_COUNT_SEEN);
		return SILENT;
	}
	s->e.repeats = repeats;
	pv_exec_path(slot);
	if (h->conf->exec_allow && is_allowed_path(s))
		return SILENT;
	count(EVENT_EXEC, PV_COUNT_SEEN);
	return s->look.flags;
}

static __always_inline void end_current(struct exec_look *l)
{
	count(EVENT_EXEC, PV_COUNT_REFUSED);
	if (bpf_send_signal(SIGKILL) < 0)
		l->bits |= PV_EXEC_UNKILLED;
}

static __always_inline void send(struct exec_scratch *s, struct pv_exec *c, __u32 flags)
{
	bool now = (flags & EVF_REFUSED) || s->e.head.kind == EVENT_SHELL;

	if (over_budget(c) || bpf_ringbuf_output(&events, &s->e, sizeof(s->e), now ? wake() : quietly()) < 0)
		count(s->e.head.kind == EVENT_SHELL ? EVENT_SHELL : EVENT_EXEC, PV_COUNT_LOST);
	if (!now)
		(void) quietly();
}

#endif
