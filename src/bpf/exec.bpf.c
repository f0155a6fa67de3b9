/* exec.bpf.c - programs that are not as the container's image has them. The tracepoint comes when the new program is
 * loaded and before its first instruction: a SIGKILL sent from here is delivered on the way out to user space, and the
 * program never runs. A program of the image costs the look at its file and nothing else.
 *
 * A program can also be started by another one that maps it: the dynamic loader. That mapping is judged as the start is. */
#include "bpf/dropped.h"

#include <bpf/bpf_tracing.h>

#define PROT_EXEC     4
#define MAP_TYPE      0xf
#define MAP_PRIVATE   2
#define MAP_ANONYMOUS 0x20
#define MAP_DENYWRITE 0x800
#define VM_EXEC	      0x4
#define VM_MAYSHARE   0x80
#define AT_BASE	      7

/* ---- a program starts ---- */

/* NULL: the host's. */
static __always_inline struct pid_namespace *pids_of(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct pid_namespace *ns = NULL;
	__u32 level = BPF_CORE_READ(pid, level);

	if (level)
		bpf_probe_read_kernel(&ns, sizeof(ns), (const void *) pid + bpf_core_field_offset(struct pid, numbers) +
							       level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, ns));
	return ns;
}

/* The first program of a container is started by the runtime, which has just made this root. */
static __always_inline void learn_root(struct pv_exec *c, struct task_struct *task, __u32 ns)
{
	struct super_block *sb = task->fs->root.mnt->mnt_sb;

	c->mnt_ns = ns;
	c->pid_ns = BPF_CORE_READ(pids_of(task), ns.inum);
	if (sb->s_magic == MAGIC_OVERLAY)
		c->flags |= PV_CTR_OVERLAY;
	c->root_dev = sb->s_dev;
}

/* A runtime that ends as soon as the program starts, as `runc exec` does: it has no namespaces any more, and its child is not yet somebody
 * else's. */
static __always_inline bool has_left(const struct here *h, struct task_struct *parent)
{
	return !BPF_CORE_READ(parent, thread_pid, level) && is_outside(h, parent);
}

/* Docker exec, a health check: who started it is the runtime, and it is not the container's first process, which is init of its PID namespace.
 * A process of the container's cannot get such a parent: its orphans go to that init, a new mount namespace changes nothing about who started it,
 * nobody counts in a new PID namespace, and init may not give its own parent to a child (CLONE_PARENT). With the PIDs of the host or of another
 * container nobody counts. */
static __always_inline bool is_brought_in(const struct here *h, struct task_struct *task)
{
	struct task_struct *parent = task->real_parent, *init;
	struct pid_namespace *pids;
	__u32 ns = BPF_CORE_READ(parent, nsproxy, mnt_ns, ns.inum);

	if (ns ? ns == h->ns || !is_runtime(h->c, h->conf, ns) : !has_left(h, parent))
		return false;
	pids = pids_of(task);
	init = BPF_CORE_READ(pids, child_reaper);
	return init && init != task && BPF_CORE_READ(pids, ns.inum) == h->c->pid_ns && BPF_CORE_READ(init, nsproxy, mnt_ns, ns.inum) == h->c->mnt_ns;
}

/* Not of the image. Returns EVF_*, or SILENT. */
static __always_inline __u32 judge_program(struct exec_scratch *s, const struct here *h, struct inode *inode)
{
	s->look.why = why_of(&s->look, inode, h->conf->exec_action, h->c, h->root, 0);
	s->look.flags = exec_verdict(&s->look, h->conf, h->c, h->root, h->w->class_);
	return settle(s, h, inode, 0);
}

/* What is to be told of a program of the image: a shell that a server started, say. EVF_*, or SILENT. */
static __always_inline __u32 judge_role(struct exec_scratch *s, const struct here *h, __u8 stage)
{
	if (!stage || h->w->class_ != PV_CLASS_CONTAINER || (h->root->flags & PV_EXEC_BUILD))
		return SILENT;
	s->look.why = stage;
	s->e.repeats = 0;
	if (stage == PV_SHELL_SCRIPT && script_told(s, h->root_id))
		return SILENT;
	count(EVENT_SHELL, PV_COUNT_SEEN);
	pv_exec_path(0);
	return h->root->flags & PV_ALLOW_EXEC ? EVF_ALLOWED : 0;
}

/* Scripts of package managers are not looked at, nor what an entrypoint does before the grace is over. */
static __always_inline bool may_script_be_told(const struct here *h, const struct exec_look *l)
{
	if (!(l->kind & (PV_NAME_SHELL | PV_NAME_INTERPRETER)))
		return false;
	if (l->role & (PV_ROLE_SERVER | PV_ROLE_SHELL))
		return true;
	return !(l->role & PV_ROLE_PACKAGE) && ((h->root->flags & PV_EXEC_NO_GRACE) || h->c->grace_until_ns <= bpf_ktime_get_ns());
}

static __always_inline struct seat seat_of(struct file *file)
{
	struct inode *inode = file->f_inode;
	struct super_block *sb = inode->i_sb;

	return (struct seat){ inode, file->f_path.mnt, sb->s_magic, sb->s_flags, sb->s_dev, file->f_path.mnt->mnt_flags };
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(pv_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct exec_look l = { 0 };
	struct exec_scratch *s;
	struct here h;
	struct pv_home *home;
	struct seat at;
	__u32 flags, zero = 0;
	__u8 stage;
	bool own, brought;

	if (!is_judged(&h, task))
		return 0;
	if (!h.c->root_dev) {
		if (is_coming_in(&h, task))
			return 0;
		learn_root(h.c, task, h.ns);
	}
	s = bpf_map_lookup_elem(&exec_room, &zero);
	h.root = workload_of(h.root_id);
	if (!s || !h.root)
		return 0;
	at = seat_of(bprm->file);
	l.place = place_of(&l, h.c, &at, task->fs, h.ns, h.conf->ovl_layout);
	own = l.place == PV_PLACE_IMAGE || l.place == PV_PLACE_MOUNT_RO || l.place == PV_PLACE_ROOTFS;
	if (!own && is_coming_in(&h, task))
		return 0;
	s->dentry = bprm->file->f_path.dentry;
	s->mnt = bprm->file->f_path.mnt;
	l.kind = called_kind((__u32) pv_name_kind(0));
	brought = is_brought_in(&h, task);
	home = brought || l.kind || l.place != PV_PLACE_IMAGE ? own_home(task) : NULL;
	if (home && brought)
		home->role |= PV_ROLE_BROUGHT;
	stage = home && (l.kind & ~(__u32) PV_NAME_STEM) ?
			step_role(home, l.kind, l.kind & PV_NAME_SERVER ? (__u32) pv_script_kind(0, 0) : 0) : 0;
	l.role = home ? home->role : 0;
	if (own && may_script_be_told(&h, &l) && pv_temp_script(0)) {
		l.bits |= PV_EXEC_WRITABLE;
		stage = stage ? stage : PV_SHELL_SCRIPT;
	}
	if (own && !stage)
		return 0;
	s->look = l;
	flags = own ? judge_role(s, &h, stage) : judge_program(s, &h, at.inode);
	if (flags & SILENT)
		return 0;
	if (bprm->interp != bprm->filename)
		s->look.bits |= PV_EXEC_SCRIPT;
	if (flags & EVF_REFUSED)
		end_current(&s->look);
	fill_head(&s->e.head, sizeof(s->e), own ? EVENT_SHELL : EVENT_EXEC, flags | (h.moved ? EVF_MOVED : 0), h.cgroup, h.w->class_);
	fill_event(&s->e, &s->look, task, at.inode, bprm->filename, &h);
	send(s, h.c, flags);
	return 0;
}

/* ---- a file is mapped as code ---- */

/* The program that maps it was started without a loader: it is one itself, which now loads the program that it was given, or it
 * is static and loads none. Its name says less: there are many, and links to them. So asks the kernel's note for the process,
 * AT_BASE of the auxiliary vector, which is written when the start is complete: before that, a program's loader is mapped. */
GLOBAL int pv_is_loader(__u32 unused)
{
	struct task_struct *task = (struct task_struct *) bpf_get_current_task();
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	bool narrow = false; /* a program of 32 bits: id and value in one word; the first value is an address or a set of bits */
	__u64 pair[2];

	for (int i = 0; mm && i < 20; i++) {
		const void *at = (const void *) mm + bpf_core_field_offset(struct mm_struct, saved_auxv) + i * sizeof(pair);

		if (bpf_probe_read_kernel(pair, sizeof(pair), at) < 0 || !pair[0])
			break;
		narrow = narrow || pair[0] >> 32;
		if (narrow && ((__u32) pair[0] == AT_BASE || (__u32) pair[1] == AT_BASE))
			return !(((__u32) pair[0] == AT_BASE ? pair[0] : pair[1]) >> 32);
		if (!narrow && pair[0] == AT_BASE)
			return !pair[1];
	}
	return 1;
}

/* ld-linux-x86-64.so.2, ld-musl-x86_64.so.1, ld.so */
static __always_inline bool is_loaders_name(struct file *exe)
{
	char name[3] = "";

	bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(exe, f_path.dentry, d_name.name));
	return name[0] == 'l' && name[1] == 'd' && (name[2] == '-' || name[2] == '.');
}

/* A place in the room for what is mapped: these programs can be preempted, by one another as well. */
static __always_inline struct exec_scratch *claim(__u32 *ret_slot)
{
	for (__u32 i = 1; i < EXEC_ROOMS; i++) {
		__u32 slot = i;
		struct exec_scratch *s = bpf_map_lookup_elem(&exec_room, &slot);

		if (s && !__sync_lock_test_and_set(&s->busy, 1)) {
			*ret_slot = slot;
			return s;
		}
	}
	return NULL;
}

/* What honest programs load: libraries in folders that not everybody may write to (packages that are installed at start, hundreds of
 * them), and all that a package manager builds and tries. */
static __always_inline bool is_honest(const struct exec_look *l)
{
	if ((l->role & PV_ROLE_PACKAGE) && !(l->role & (PV_ROLE_SERVER | PV_ROLE_SHELL)))
		return true;
	return !(l->bits & PV_EXEC_WRITABLE) && l->why != PV_WHY_MEMORY && l->why != PV_WHY_NAME && l->why != PV_WHY_CHANGED;
}

/* EVF_* or SILENT. What the loader runs is judged as if it had been started; a library is told, never refused. */
static __always_inline __u32 judge_mapping(struct exec_scratch *s, const struct here *h, struct inode *inode, __u32 slot)
{
	s->look.why = why_of(&s->look, inode, h->conf->exec_action, h->c, h->root, slot);
	if (s->look.bits & PV_EXEC_LOADER)
		s->look.flags = exec_verdict(&s->look, h->conf, h->c, h->root, h->w->class_);
	else if (h->w->class_ == PV_CLASS_BUILD || (h->root->flags & PV_EXEC_BUILD) || is_honest(&s->look))
		return SILENT;
	else
		s->look.flags = h->root->flags & PV_ALLOW_EXEC ? EVF_ALLOWED : 0;
	return settle(s, h, inode, slot);
}

/* So many at once can only be meant to leave no room: what would run is refused unseen, whatever it is called. */
static __always_inline int without_room(const struct here *h, struct exec_look *l)
{
	count(EVENT_EXEC, PV_COUNT_LOST);
	l->why = PV_WHY_ACTION;
	if ((l->bits & PV_EXEC_LOADER) && exec_verdict(l, h->conf, h->c, h->root, h->w->class_) == EVF_REFUSED)
		end_current(l);
	return 0;
}

static __always_inline int on_dropped(struct here *h, struct exec_look *l, struct task_struct *task, const struct seat *at,
				      struct dentry *dentry)
{
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);
	struct exec_scratch *s;
	struct pv_home *home;
	__u32 flags, slot = 0;

	h->root = workload_of(h->root_id);
	if (!h->root)
		return 0;
	s = claim(&slot);
	if (!s)
		return without_room(h, l);
	s->dentry = dentry;
	s->mnt = at->mnt;
	l->kind = (__u32) pv_name_kind(slot);
	home = own_home(task);
	l->role = home ? home->role : 0;
	s->look = *l;
	flags = judge_mapping(s, h, at->inode, slot);
	if (!(flags & SILENT)) {
		if (flags & EVF_REFUSED)
			end_current(&s->look);
		fill_head(&s->e.head, sizeof(s->e), EVENT_EXEC, flags | (h->moved ? EVF_MOVED : 0), h->cgroup, h->w->class_);
		fill_event(&s->e, &s->look, task, at->inode, (const char *) BPF_CORE_READ(exe, f_path.dentry, d_name.name), h);
		send(s, h->c, flags);
	}
	s->busy = 0;
	return 0;
}

/* What says that a mapping is code, or will be. */
enum mapping_sign {
	SIGN_CODE, /* it is executable, or the first part of a library as the caller's registers show it */
	SIGN_DENY, /* glibc's loader maps it: code may be written beside it, or it may be made so, before the program has a part that is */
	SIGN_NAME, /* nothing but a loader's own name */
};

static __always_inline bool is_sign_of(const struct exec_look *l, struct file *exe, enum mapping_sign sign)
{
	return sign == SIGN_CODE || ((l->bits & PV_EXEC_LOADER) && (sign == SIGN_DENY || is_loaders_name(exe)));
}

static __always_inline int on_mapping(struct here *h, struct task_struct *task, const struct path *path, enum mapping_sign sign)
{
	struct dentry *dentry = BPF_CORE_READ(path, dentry);
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	struct exec_look l = { .bits = 0 };
	struct seat at = { inode, BPF_CORE_READ(path, mnt), BPF_CORE_READ(inode, i_sb, s_magic), BPF_CORE_READ(inode, i_sb, s_flags),
			   BPF_CORE_READ(inode, i_sb, s_dev), BPF_CORE_READ(path, mnt, mnt_flags) };
	struct file *exe;

	l.place = place_of(&l, h->c, &at, task->fs, h->ns, h->conf->ovl_layout);
	if (!is_brought(l.place) && l.place != PV_PLACE_MEMFD && l.place != PV_PLACE_TMPFS)
		return 0;
	exe = BPF_CORE_READ(task, mm, exe_file);
	if (BPF_CORE_READ(exe, f_inode) == inode)
		return 0; /* the program that starts: pv_exec judges it */
	if (is_coming_in(h, task))
		return 0;
	l.bits |= PV_EXEC_MAPPED;
	if (pv_is_loader(0))
		l.bits |= PV_EXEC_LOADER;
	if (!is_sign_of(&l, exe, sign))
		return 0;
	return on_dropped(h, &l, task, &at, dentry);
}

/* Called by mmap() and for each part of a program that starts. Most calls end at once: data, memory without a file, and
 * what is shared, as compilers have it that write code beside running it. No library is mapped so. MAP_DENYWRITE, which the kernel ignores,
 * is glibc's word that it maps a library or a program: it comes here as it was given since 5.15. */
SEC("fentry/security_mmap_file")
int BPF_PROG(pv_mmap, struct file *file, unsigned long prot, unsigned long flags)
{
	bool code = prot & PROT_EXEC;
	struct task_struct *task;
	struct here h;

	if ((!code && !(flags & MAP_DENYWRITE)) || (flags & MAP_TYPE) != MAP_PRIVATE || !file)
		return 0;
	task = bpf_get_current_task_btf();
	return is_judged(&h, task) && h.c->root_dev ? on_mapping(&h, task, &file->f_path, code ? SIGN_CODE : SIGN_DENY) : 0;
}

/* Of a file of an overlay's a mapping has the one below it; its path is that in the overlay, or, since 6.7, the one that it keeps beside.
 * Which files keep one is a bit that has moved (6.14): a path into the container's own overlay stands behind no other. */
static __always_inline const struct path *path_of(struct file *file, const struct pv_exec *c)
{
	struct backing_file *backing = (struct backing_file *) file;
	struct super_block *sb;

	if (!bpf_core_field_exists(backing->user_path))
		return &file->f_path;
	sb = BPF_CORE_READ(backing, user_path.mnt, mnt_sb);
	if (sb && BPF_CORE_READ(sb, s_magic) == MAGIC_OVERLAY && BPF_CORE_READ(sb, s_dev) == c->root_dev)
		return &backing->user_path;
	return &file->f_path;
}

/* What was mapped as data and becomes code: musl's loader does so to a program whose text is to be relocated. Called for each mapping that
 * mprotect() changes, which are mostly memory without a file: compilers' code and threads' stacks. */
SEC("fentry/security_file_mprotect")
int BPF_PROG(pv_mprotect, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot)
{
	struct task_struct *task;
	struct file *file;
	struct here h;

	if (!(prot & PROT_EXEC))
		return 0;
	file = vma->vm_file;
	if (!file || (vma->vm_flags & (VM_EXEC | VM_MAYSHARE)))
		return 0;
	task = bpf_get_current_task_btf();
	return is_judged(&h, task) && h.c->root_dev ? on_mapping(&h, task, path_of(file, h.c), SIGN_CODE) : 0;
}

/* mmap()'s arguments as they came; false in another system call. */
static __always_inline bool mmap_arguments(struct task_struct *task, __u64 *prot, __u64 *flags, __u64 *fd)
{
	struct pt_regs *regs = (struct pt_regs *) bpf_task_pt_regs(task);
	struct pt_regs___x86 *x86 = (void *) regs;
	struct pt_regs___arm64 *arm64 = (void *) regs;

	if (bpf_core_field_exists(x86->orig_ax)) {
		bool narrow = x86->orig_ax == 192; /* mmap2() of 32 bits */

		*prot = x86->dx;
		*flags = narrow ? x86->si : x86->r10;
		*fd = narrow ? x86->di : x86->r8;
		return narrow || (x86->orig_ax & ~0x40000000ul) == 9;
	}
	if (!bpf_core_field_exists(arm64->syscallno))
		return false;
	*prot = arm64->regs[2];
	*flags = arm64->regs[3];
	*fd = arm64->regs[4];
	return arm64->syscallno == 222 || arm64->syscallno == 192;
}

/* In place of pv_mmap where a kernel takes no program before its functions. It comes when mmap() looks for a free range, with the
 * first part of a library or a program, which need not be code yet. What asks for an address of its own is not seen, a program that is
 * not position-independent, nor what becomes code later, unless a loader has a loader's name. */
SEC("tp_btf/vm_unmapped_area")
int BPF_PROG(pv_unmapped)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 prot, flags, fd;
	struct fdtable *table;
	struct file *file = NULL;
	struct here h;

	if (!mmap_arguments(task, &prot, &flags, &fd) || (flags & (MAP_TYPE | MAP_ANONYMOUS)) != MAP_PRIVATE)
		return 0;
	if (!is_judged(&h, task) || !h.c->root_dev)
		return 0;
	table = BPF_CORE_READ(task, files, fdt);
	if ((__u32) fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + (__u32) fd);
	return file ? on_mapping(&h, task, &file->f_path, (prot & PROT_EXEC) || (flags & MAP_DENYWRITE) ? SIGN_CODE : SIGN_NAME) : 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
