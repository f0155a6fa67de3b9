#include "base/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Rights newer than the header this is built with; the kernel's answer decides whether they are used. */
#define FS_REFER     (1ULL << 13) /* ABI 2 */
#define FS_TRUNCATE  (1ULL << 14) /* ABI 3 */
#define FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */

#define FS_ABI1 ((1ULL << 13) - 1)
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                   \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                           \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
	 FS_TRUNCATE)
#define FS_OF_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)

int sandbox_basics(void)
{
	const struct rlimit none = { 0, 0 };

	/* execve sets dumpable again, so every role does this itself, after its exec. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : 0;
}

static int drop_bounding(uint64_t caps)
{
	for (int c = 0; c < 64; c++) {
		int held = cap_get_bound(c);

		if (held < 0) /* beyond the kernel's last capability */
			break;
		if (held && !(caps >> c & 1) && cap_drop_bound(c) < 0)
			return -errno;
	}
	return 0;
}

static int set_caps(uint64_t caps)
{
	cap_t set = cap_init();
	int r = 0;

	if (!set)
		return -ENOMEM;
	for (cap_value_t c = 0; c < 64 && r == 0; c++)
		if (caps >> c & 1 && (cap_set_flag(set, CAP_PERMITTED, 1, &c, CAP_SET) < 0 ||
				      cap_set_flag(set, CAP_EFFECTIVE, 1, &c, CAP_SET) < 0))
			r = -errno;
	if (r == 0 && cap_set_proc(set) < 0)
		r = -errno;
	(void) cap_free(set);
	return r;
}

static int check_held(uint64_t caps)
{
	cap_t set = cap_get_proc();
	int r = 0;

	if (!set)
		return -errno;
	for (cap_value_t c = 0; c < 64 && r == 0; c++) {
		cap_flag_value_t held = CAP_CLEAR;

		if (caps >> c & 1 && (cap_get_flag(set, c, CAP_PERMITTED, &held) < 0 || held != CAP_SET))
			r = -EPERM;
	}
	(void) cap_free(set);
	return r;
}

static bool ids_are(uid_t uid, gid_t gid)
{
	uid_t ru, eu, su;
	gid_t rg, eg, sg;

	return getresuid(&ru, &eu, &su) == 0 && getresgid(&rg, &eg, &sg) == 0 && ru == uid &&
	       eu == uid && su == uid && rg == gid && eg == gid && sg == gid && getgroups(0, NULL) == 0;
}

int sandbox_become(uid_t uid, gid_t gid, uint64_t caps)
{
	int r = check_held(caps);

	if (r < 0)
		return r;
	r = drop_bounding(caps);
	if (r < 0)
		return r;
	/* A role whose starter did this already has no right to repeat it, and no need. */
	if (!ids_are(uid, gid)) {
		if (prctl(PR_SET_KEEPCAPS, caps != 0, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
		    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 ||
		    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
			return -errno;
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	r = set_caps(caps);
	if (r < 0)
		return r;
	return ids_are(uid, gid) ? 0 : -EPERM;
}

static uint64_t landlock_known(long abi)
{
	uint64_t known = FS_ABI1;

	if (abi >= 2)
		known |= FS_REFER;
	if (abi >= 3)
		known |= FS_TRUNCATE;
	if (abi >= 5)
		known |= FS_IOCTL_DEV;
	return known;
}

static int landlock_allow(int ruleset, const struct sandbox_path *p, uint64_t known)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = FS_READ };
	pv_autoclose int own = -1;
	struct stat st;

	if (p->path) {
		own = open(p->path, O_PATH | O_CLOEXEC);
		if (own < 0)
			return errno == ENOENT ? 0 : -errno;
	}
	rule.parent_fd = p->path ? own : p->fd;
	if (fstat(rule.parent_fd, &st) < 0)
		return -errno;
	if (p->write)
		rule.allowed_access |= FS_WRITE;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_OF_FILES;
	rule.allowed_access &= known;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
	return 0;
}

int sandbox_paths(const struct sandbox_path *paths, size_t n)
{
	struct landlock_ruleset_attr attr = { 0 };
	pv_autoclose int ruleset = -1;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int r;

	if (abi < 1) /* ENOSYS: not built in; EOPNOTSUPP: switched off at boot */
		return -ENOSYS;
	attr.handled_access_fs = landlock_known(abi);
	ruleset = (int) syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (ruleset < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		r = landlock_allow(ruleset, &paths[i], attr.handled_access_fs);
		if (r < 0)
			return r;
	}
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

/* What no role has a use for, unless it names it: worth a death and a line in the kernel's log, because only
 * somebody else's code would call it. */
static const char *const never[] = {
	"execve",	   "execveat",	       "ptrace",	  "process_vm_readv",
	"process_vm_writev", "bpf",	       "perf_event_open", "mount",
	"umount2",	   "pivot_root",       "chroot",	  "move_mount",
	"open_tree",	   "fsopen",	       "kexec_load",	  "kexec_file_load",
	"init_module",	   "finit_module",     "delete_module",	  "reboot",
	"swapon",	   "swapoff",	       "setns",		  "unshare",
	"keyctl",	   "add_key",	       "request_key",	  "userfaultfd",
	"io_uring_setup",  "settimeofday",     "clock_settime",	  "acct",
	"quotactl",	   "name_to_handle_at", "open_by_handle_at", "personality",
};

static bool named(const char *const *names, size_t n, int syscall_nr)
{
	for (size_t i = 0; i < n; i++)
		if (seccomp_syscall_resolve_name(names[i]) == syscall_nr)
			return true;
	return false;
}

static int add_rules(scmp_filter_ctx ctx, const char *const *names, size_t n)
{
	int r, nr;

	for (size_t i = 0; i < n; i++) {
		nr = seccomp_syscall_resolve_name(names[i]);
		if (nr < 0) /* __NR_SCMP_ERROR, or a name of another architecture */
			continue;
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < N_ELEMENTS(never); i++) {
		nr = seccomp_syscall_resolve_name(never[i]);
		if (nr < 0 || named(names, n, nr))
			continue;
		r = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, nr, 0);
		if (r < 0)
			return r;
	}
	/* The C library falls back to clone() only after ENOSYS. */
	nr = seccomp_syscall_resolve_name("clone3");
	if (nr >= 0 && !named(names, n, nr))
		return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0);
	return 0;
}

int sandbox_syscalls(const char *const *names, size_t n)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!ctx)
		return -ENOMEM;
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0) /* threads that run already, too */
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = add_rules(ctx, names, n);
	if (r == 0) /* a tree instead of a chain: every system call of a busy role walks it */
		(void) seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}
