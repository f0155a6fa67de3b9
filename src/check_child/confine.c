#include "check_child/confine.h"

#include <linux/capability.h>

#include "base/sandbox.h"

#define NOBODY 65534

int audit_confine(void)
{
	/* Reading and memory; the one socket it was given. Nothing that opens another, starts something or changes a
	 * file. */
	static const char *const calls[] = {
		"read",
		"pread64",
		"readv",
		"write",
		"writev",
		"close",
		"fstat",
		"newfstatat",
		"statx",
		"lstat",
		"stat",
		"lseek",
		"openat",
		"openat2",
		"open",
		"faccessat",
		"faccessat2",
		"access",
		"readlink",
		"readlinkat",
		"getdents64",
		"fcntl",
		"dup",
		"mmap",
		"munmap",
		"mremap",
		"mprotect",
		"madvise",
		"brk",
		"futex",
		"exit",
		"exit_group",
		"rt_sigreturn",
		"rt_sigprocmask",
		"rt_sigaction",
		"restart_syscall",
		"getrandom",
		"clock_gettime",
		"getpid",
		"gettid",
		"tgkill",
		"getuid",
		"geteuid",
		"getgid",
		"getegid",
		"prlimit64",
		"sendmsg",
		"recvmsg",
		"poll",
		"ppoll",
		"ioctl",
		"rseq",
		"set_robust_list",
		"uname",
		"getxattr",
		"lgetxattr",
	};
	const struct sandbox_path all = { .path = "/" };
	int r = sandbox_basics();

	if (r == 0 && geteuid() == 0) {
		r = sandbox_become(NOBODY, NOBODY,
				   1ULL << CAP_DAC_READ_SEARCH); /* reads what root reads, owns nothing */
		if (r == -EPERM)
			r = sandbox_become(NOBODY, NOBODY, 0);
	}
	if (r < 0)
		return r;
	r = sandbox_paths(&all, 1);
	if (r < 0 && r != -ENOSYS && r != -EOPNOTSUPP)
		return r;
	return sandbox_syscalls(calls, N_ELEMENTS(calls));
}
