/* process.h - who a process of a container is: the name of its program, its arguments, what it descends from. Included by
 * exec.bpf.c. A role is set at exec and inherited at fork (pv_fork); nothing is learned by time. */
#ifndef PV_BPF_PROCESS_H
#define PV_BPF_PROCESS_H

#include "bpf/maps.h"

static __always_inline bool is_stem_end(char c)
{
	return c == '-' || c == '_' || c == '.' || (c >= '0' && c <= '9');
}

/* What is not static here is looked at once by the verifier, whatever leads to it; it takes numbers only, hence `slot`, the
 * index into exec_room, where the rest stands. */
#define GLOBAL __attribute__((noinline))

#define S_IWOTH 2
GLOBAL int pv_below_writable(__u32 slot); /* dropped.h */

/* php-fpm8.2: without the version at its end. */
static __always_inline void cut_tail(struct pv_name_key *key)
{
	bool tail = true;

	for (int i = PV_NAME_LEN - 1; i > 0; i--) {
		tail = tail && (!key->name[i] || is_stem_end(key->name[i]));
		if (tail)
			key->name[i] = '\0';
	}
}

/* xmrig-6.24.0-linux-static-x64: from the first such mark on. */
static __always_inline void cut_head(struct pv_name_key *key)
{
	bool end = false;

	for (int i = 1; i < PV_NAME_LEN; i++) {
		end = end || is_stem_end(key->name[i]);
		if (end)
			key->name[i] = '\0';
	}
}

/* Most names have nothing behind their stem: one pass over them in place of two and two more look-ups. */
static __always_inline bool has_tail(const struct pv_name_key *key)
{
	bool any = false;

	for (int i = 1; i < PV_NAME_LEN; i++)
		any |= is_stem_end(key->name[i]);
	return any;
}

/* PV_NAME_* of the program's name as it is, else without the version behind it; 0: no rule has it. */
GLOBAL int pv_name_kind(__u32 slot)
{
	struct exec_scratch *s = bpf_map_lookup_elem(&exec_room, &slot);
	struct pv_name_key key = { 0 };
	struct dentry *d;
	__u32 *what;
	long len;

	if (!s)
		return 0;
	d = s->dentry;
	len = bpf_probe_read_kernel_str(key.name, sizeof(key.name), BPF_CORE_READ(d, d_name.name));
	if (len < 2 || len >= (long) sizeof(key.name))
		return 0;
	what = bpf_map_lookup_elem(&exec_names, &key);
	if (what)
		return *what;
	if (!has_tail(&key))
		return 0;
	cut_tail(&key);
	what = bpf_map_lookup_elem(&exec_names, &key);
	if (what && (*what & PV_NAME_STEM))
		return *what;
	cut_head(&key);
	what = bpf_map_lookup_elem(&exec_names, &key);
	return what && (*what & PV_NAME_STEM) ? *what : 0;
}

static __always_inline void fill_argv(struct event_exec *e)
{
	struct task_struct *task = (struct task_struct *) bpf_get_current_task();
	__u64 from = BPF_CORE_READ(task, mm, arg_start), n = BPF_CORE_READ(task, mm, arg_end) - from;

	e->argv_len = 0;
	e->argv_cut = 0;
	if (n > PV_EXEC_ARGV) {
		n = PV_EXEC_ARGV;
		e->argv_cut = 1;
	}
	asm volatile("" : "+r"(n)); /* clang 14 would check one register and pass another */
	if (n == 0 || n > PV_EXEC_ARGV)
		return;
	if (bpf_probe_read_user(e->argv, n, (const void *) from) == 0)
		e->argv_len = n;
}

#define SCRIPT_LOOK 128 /* octets of the arguments in which the script is looked for */

#define SCRIPT_NAME 64 /* octets of its name that are looked at */
#define TMP_SLASH 0x746d702f
#define SHM_SLASH 0x73686d2f

/* Does an interpreter get a script from a temporary folder? By the first argument that is no option: a part of it is `tmp` or `shm`, or it
 * is relative and everybody may write to the working folder. 1: it may be so, and user space looks closer; the hash of the name is in
 * the room then, and, of a relative one, the working folder as what pv_exec_path() tells. */
GLOBAL int pv_temp_script(__u32 slot)
{
	struct task_struct *task = (struct task_struct *) bpf_get_current_task();
	struct exec_scratch *s = bpf_map_lookup_elem(&exec_room, &slot);
	volatile struct exec_scratch *v = s; /* as in pv_script_kind() */
	struct dentry *folder;

	if (!s)
		return 0;
	fill_argv(&s->e);
	v->at = v->option = v->found = v->word = 0;
	for (int i = 0; i < SCRIPT_LOOK; i++) {
		if (v->e.argv[i])
			continue;
		if (i + 2 >= v->e.argv_len)
			return 0;
		if (v->e.argv[i + 1] != '-') {
			v->at = i + 1;
			break;
		}
		v->option = 1;
	}
	if (!v->at || (v->option && v->e.argv[(v->at - 2) & (PV_EXEC_ARGV - 1)] == 'c'))
		return 0; /* sh -c: code; the other languages' options are user space's matter */
	v->hash = 0xcbf29ce484222325ull; /* FNV-1a */
	for (int i = 0; i < SCRIPT_NAME; i++) {
		__u8 c = v->e.argv[(v->at + i) & (PV_EXEC_ARGV - 1)];

		if (!c)
			break;
		v->hash = (v->hash ^ c) * 0x100000001b3ull;
		v->word = v->word << 8 | c; /* the last four octets */
		if (v->word == TMP_SLASH || v->word == SHM_SLASH)
			v->found = 1;
	}
	if (v->e.argv[v->at & (PV_EXEC_ARGV - 1)] == '/')
		return v->found;
	folder = BPF_CORE_READ(task, fs, pwd.dentry);
	s->dentry = folder;
	s->mnt = BPF_CORE_READ(task, fs, pwd.mnt);
	return v->found || BPF_CORE_READ(folder, d_inode, i_mode) & S_IWOTH || pv_below_writable(slot);
}

/* The kind of the script that an interpreter was given: the last part of its first argument that is no option; `zeroth`: of
 * the name by which it was called, without a login shell's dash, as busybox has it. A name that is longer than is looked at is taken for a
 * shell's: nobody writes it so. The state stands in the map, so that the verifier follows one way through the loop. */
GLOBAL int pv_script_kind(__u32 slot, __u32 zeroth)
{
	struct exec_scratch *s = bpf_map_lookup_elem(&exec_room, &slot);
	volatile struct exec_scratch *v;
	struct pv_name_key key = { 0 };
	__u32 *what;

	if (!s)
		return 0;
	__builtin_memset(s->e.argv, 0, sizeof(s->e.argv));
	fill_argv(&s->e);
	v = s; /* read anew each time: the compiler keeps nothing in registers, where the verifier would follow it */
	v->arg = zeroth & 1; /* which argument we are in; the one before the first is the interpreter itself */
	v->at = (zeroth & 1) && v->e.argv[0] == '-'; /* where its last part begins */
	v->option = !(zeroth & 1); /* it begins with a dash, or is the interpreter */
	v->found = 0;
	for (int i = 0; i < SCRIPT_LOOK; i++) {
		char c = v->e.argv[i];

		if (c == '/')
			v->at = i + 1;
		if (c)
			continue;
		if (v->arg && !v->option) {
			v->found = 1;
			break;
		}
		v->arg++;
		v->at = i + 1;
		v->option = v->e.argv[i + 1] == '-';
	}
	if (!v->found)
		return PV_NAME_SHELL;
	bpf_probe_read_kernel_str(key.name, sizeof(key.name), &s->e.argv[v->at & (PV_EXEC_ARGV - 1)]);
	what = v->option ? NULL : bpf_map_lookup_elem(&exec_names, &key);
	return what ? *what : 0;
}

/* `sh` and `wget` are both busybox. */
static __always_inline __u32 called_kind(__u32 kind)
{
	if (!(kind & PV_NAME_MULTI))
		return kind;
	kind = (__u32) pv_script_kind(0, 1);
	return kind & PV_NAME_MULTI ? (__u32) pv_script_kind(0, 0) : kind;
}

/* What becomes of the process by this exec. Returns what is to be told: enum pv_shell_stage, 0 for nothing. A package
 * manager that a server started is still the server's. */
static __always_inline __u8 step_role(struct pv_home *home, __u32 kind, __u32 script)
{
	__u32 role = home->role;

	if ((kind | script) & PV_NAME_PACKAGE) {
		if (!(role & (PV_ROLE_SERVER | PV_ROLE_SHELL)))
			home->role = PV_ROLE_PACKAGE | (role & (PV_ROLE_INSTALLER | PV_ROLE_BROUGHT)) | ((kind | script) & PV_NAME_INSTALLER ? PV_ROLE_INSTALLER : 0);
		return 0;
	}
	if (role & (PV_ROLE_INSTALLER | PV_ROLE_BROUGHT))
		return 0;
	if (kind & PV_NAME_SERVER) {
		home->role = (role & PV_ROLE_SHELL) | PV_ROLE_SERVER;
		return 0;
	}
	if (!(role & (PV_ROLE_SERVER | PV_ROLE_SHELL)))
		return 0;
	if (kind & PV_NAME_DOWNLOADER) {
		home->role = role | PV_ROLE_SHELL;
		return PV_SHELL_DOWNLOADS;
	}
	if (kind & PV_NAME_COMPILER) {
		home->role = role | PV_ROLE_SHELL;
		return PV_SHELL_COMPILES;
	}
	if (!(kind & PV_NAME_SHELL) || (role & PV_ROLE_SHELL))
		return 0;
	home->role = role | PV_ROLE_SHELL;
	return PV_SHELL_STARTED;
}

static __always_inline struct pv_home *own_home(struct task_struct *task)
{
	__u32 tgid = task->tgid;

	return bpf_map_lookup_elem(&homes, &tgid);
}

#endif
