#include <linux/capability.h>

#include "base/sandbox.h"
#include "scan_child/scan_child.h"

int scan_confine(const struct scan_args *a, const struct gitdir *git, const char *upper)
{
	/* Reading, threads, memory. No socket, no exec, nothing that changes a file. */
	static const char *const calls[] = {
		"read", "pread64", "readv", "write", "writev", "close", "fstat", "newfstatat", "statx", "lseek", "openat",
		"openat2", "open", "faccessat", "faccessat2", "access", "readlink", "readlinkat", "getdents64", "fcntl", "dup",
		"mmap", "munmap", "mremap", "mprotect", "madvise", "mlock", "munlock", "brk", "futex", "clone", "clone3",
		"set_robust_list", "rseq", "sched_getaffinity", "sched_yield", "exit", "exit_group", "rt_sigreturn",
		"rt_sigprocmask", "rt_sigaction", "sigaltstack", "restart_syscall", "getrandom", "clock_gettime", "getpid",
		"gettid", "tgkill", "getuid", "geteuid", "getgid", "getegid", "prlimit64", "getrlimit", "sysinfo", "uname",
		"ioctl", "getrusage", "poll", "ppoll", "prctl", "getcpu",
	};
	struct sandbox_path paths[GITDIR_OBJECTS + 8];
	size_t n = 0;
	int r = sandbox_basics();

	if (r == 0 && geteuid() == 0) {
		r = sandbox_become(0, 0, 1ULL << CAP_DAC_READ_SEARCH);
		if (r == -EPERM) /* root without it, as in a container */
			r = sandbox_become(0, 0, 0);
	}
	if (r < 0)
		return r;
	if (a->dir)
		paths[n++] = (struct sandbox_path){ .path = a->dir };
	if (git) {
		if (git->work_tree)
			paths[n++] = (struct sandbox_path){ .path = git->work_tree };
		paths[n++] = (struct sandbox_path){ .path = git->git_dir };
		paths[n++] = (struct sandbox_path){ .path = git->common_dir };
		for (size_t i = 0; i < git->n_objects; i++)
			paths[n++] = (struct sandbox_path){ .path = git->objects[i] };
	}
	if (*upper)
		paths[n++] = (struct sandbox_path){ .path = upper };
	r = sandbox_paths(paths, n);
	if (r < 0 && r != -ENOSYS && r != -EOPNOTSUPP) /* an older kernel: what may be called is still limited */
		return r;
	return sandbox_syscalls(calls, N_ELEMENTS(calls));
}
