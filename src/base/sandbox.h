/* sandbox.h - giving up power, for good. Every function works or returns a negative errno; a role that gets one ends. */
#ifndef PV_BASE_SANDBOX_H
#define PV_BASE_SANDBOX_H

#include <sys/types.h>

#include "base/util.h"

/* Not dumpable, no_new_privs, core limit 0. */
int sandbox_basics(void);

/* Becomes uid/gid with no supplementary groups, keeping exactly the capabilities in `caps` (bits 1 << CAP_*) in the
 * permitted, effective and bounding set and nothing inheritable or ambient; uid 0 stays root with these only. Bits the
 * process does not hold are an error -EPERM. */
int sandbox_become(uid_t uid, gid_t gid, uint64_t caps);

/* Landlock: afterwards only these folders and files can be opened (and only so). One that does not exist is left out:
 * there is nothing to open. -ENOSYS where the kernel has none. */
struct sandbox_path {
	const char *path; /* NULL: use fd */
	int fd;
	bool write;	  /* also create, remove, rename, truncate below it */
};
int sandbox_paths(const struct sandbox_path *paths, size_t n);

/* seccomp allow list for a role; anything else is EPERM, and what no role ever needs (execve where the role does not,
 * ptrace, bpf, mount, kexec ...) kills. Names are those of seccomp_syscall_resolve_name(); unknown ones are skipped. */
int sandbox_syscalls(const char *const *names, size_t n);

#endif
