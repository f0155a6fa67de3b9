/* pavise-broker: as a role it takes no argument and finds its descriptors (model/roles.h). For root's own commands, which
 * must work with the daemon dead:
 *
 *   pavise-broker [--bpf-dir DIR] off UNTIL     lifts blocks until then (CLOCK_MONOTONIC, ns; `forever`: until told) in the
 *                                               pinned map, so that the kernel resumes by itself; prints "off", or
 *                                               "off unpinned" when the pins did not answer and were removed
 *   pavise-broker [--bpf-dir DIR] on            prints "on"
 *   pavise-broker [--bpf-dir DIR] state         prints "on", "off UNTIL" or "off forever"
 *   pavise-broker [--bpf-dir DIR] unpin         removes what is pinned, and the table of bans; prints "unpinned N"
 *   pavise-broker undo CGROUP_ROOT DOCKER_SOCKET PODMAN_SOCKET     does what is asked at ROLE_FD_UNDO (undo.c)
 *
 * Exit status 0; 3 with "none" when nothing is pinned; 1 and a message else; 2 usage. */
#include <fcntl.h>
#include <getopt.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "broker/broker.h"
#include "model/roles.h"

#define BIT(cap) (1ULL << (cap))
#define CAPS                                                                                       \
	(BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_NET_ADMIN) | BIT(CAP_KILL) |                    \
	 BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_PTRACE))
#define BPF_DIR "/sys/fs/bpf/pavise"

/* No exec, no fork, no change of user, no listening. No landlock: whoever is in a landlock domain may not look at
 * processes outside of it, and entering a container's network namespace asks for exactly that. */
static const char *const syscalls[] = {
	"bpf", "perf_event_open", "setns", "open_by_handle_at", "name_to_handle_at", "pidfd_open", "pidfd_send_signal",
	"read", "write", "readv", "writev", "pread64", "pwrite64", "lseek", "close", "close_range", "open", "openat",
	"stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2",
	"readlink", "readlinkat", "getdents", "getdents64", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename",
	"renameat", "renameat2", "flock", "fcntl", "dup", "dup2", "dup3", "pipe2", "splice", "ioctl", "fchmod",
	"chmod", "fchmodat", "umask",
	"inotify_init1", "inotify_add_watch", "fanotify_init", "fanotify_mark", "mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "memfd_create", "ftruncate",
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6", "signalfd4",
	"rt_sigprocmask", "rt_sigaction", "rt_sigreturn", "restart_syscall",
	"socket", "socketpair", "connect", "send", "sendto", "sendmsg", "recv", "recvfrom", "recvmsg", "getsockopt", "setsockopt",
	"getsockname", "bind", "shutdown",
	"getpid", "gettid", "getuid", "geteuid", "getgid", "getegid", "uname", "prlimit64", "getrlimit", "sysinfo",
	"clock_gettime", "gettimeofday", "time", "nanosleep", "clock_nanosleep", "getrandom", "futex", "sched_yield",
	"sched_getaffinity", "getcpu", "rseq", "set_robust_list", "tgkill", "exit", "exit_group",
};

static int usage(void)
{
	(void) fputs("usage: pavise-broker [--bpf-dir DIR] off UNTIL_NS|forever | on | state | unpin\n"
		     "       pavise-broker undo CGROUP_ROOT DOCKER_SOCKET PODMAN_SOCKET\n", stderr);
	return 2;
}

static int told(int r, const char *what)
{
	if (r == -ENOENT) {
		puts("none");
		return 3;
	}
	(void) log_error_errno(r, "%s", what);
	return 1;
}

static int cmd_unpin(const char *dir)
{
	int r = kernel_unpin_all(dir);
	pv_auto(nft) n = NULL;

	if (nft_new(&n) == 0)
		(void) nft_remove(n);
	if (r <= 0)
		return told(r < 0 ? r : -ENOENT, "cannot remove what is pinned");
	printf("unpinned %d\n", r);
	return 0;
}

/* The bans, where there are any. */
static void off_bans(uint64_t until_ns)
{
	pv_auto(nft) n = NULL;

	if (nft_new(&n) == 0)
		(void) nft_off(n, bans_seconds(until_ns));
}

static int cmd_off(const char *dir, const char *until)
{
	uint64_t ns = UINT64_MAX;
	int r;

	if (strcmp(until, "forever") != 0 && parse_u64(until, &ns) < 0)
		return usage();
	off_bans(ns);
	r = kernel_off_pinned(dir, ns);
	if (r < 0)
		return told(r, "cannot lift the blocks");
	puts(r == 1 ? "off unpinned" : ns == 0 ? "on" : "off");
	return 0;
}

static int cmd_state(const char *dir)
{
	uint64_t ns;
	int r = kernel_off_until_pinned(dir, &ns);

	if (r < 0)
		return told(r, "cannot read what is pinned");
	if (!bans_seconds(ns)) /* never, or its time is over */
		puts("on");
	else if (ns == UINT64_MAX)
		puts("off forever");
	else
		printf("off %llu\n", (unsigned long long) ns);
	return 0;
}

static int cmd_undo(char **where)
{
	static struct policy policy; /* of which only the sockets are asked */
	static struct broker b = { .peer_fd = ROLE_FD_UNDO, .policy = &policy };
	pv_autoclose int root = -1;
	char path[4096];
	int r = text_copy(policy.docker_socket, sizeof(policy.docker_socket), where[1]) &&
		text_copy(policy.podman_socket, sizeof(policy.podman_socket), where[2]) ? 0 : -ENAMETOOLONG;

	b.requests = (struct requests){ .ops = &broker_operations, .ctx = &b, .policy = &policy, .kills = LIMIT_KILL };
	if (r == 0)
		r = kernel_root_find(where[0], path, sizeof(path));
	if (r == 0) {
		root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		b.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		r = root < 0 || b.epoll_fd < 0 ? -errno : cgroups_init(&b.cgroups, root);
	}
	if (r == 0)
		r = sandbox_syscalls(syscalls, N_ELEMENTS(syscalls));
	if (r == 0)
		r = broker_undo(&b);
	return r < 0 ? log_error_errno(r, "nothing can be taken back"), 1 : 0;
}

/* Root's own command: the same narrow rights as the role. */
static int one_shot(const char *dir, int argc, char **argv)
{
	int r = sandbox_become(0, 0, CAPS);

	if (r == 0)
		r = sandbox_basics();
	if (r < 0) {
		(void) log_error_errno(r, "must run as root");
		return 1;
	}
	if (argc == 2 && strcmp(argv[0], "off") == 0)
		return cmd_off(dir, argv[1]);
	if (argc == 1 && strcmp(argv[0], "on") == 0)
		return cmd_off(dir, "0");
	if (argc == 1 && strcmp(argv[0], "state") == 0)
		return cmd_state(dir);
	if (argc == 1 && strcmp(argv[0], "unpin") == 0)
		return cmd_unpin(dir);
	if (argc == 4 && strcmp(argv[0], "undo") == 0)
		return cmd_undo(argv + 1);
	return usage();
}

static int nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

/* In this order: rights first, then the one thing that is read from outside (sealed, checked), then the filter, and
 * only then anything is done. */
static int prepare(struct broker *b)
{
	int r = sandbox_become(0, 0, CAPS);

	if (r == 0)
		r = sandbox_basics();
	if (r < 0)
		return log_error_errno(r, "cannot take exactly its capabilities");
	r = nonblocking(ROLE_FD_LAUNCHER);
	if (r == 0)
		r = nonblocking(ROLE_FD_PEER);
	if (r == 0)
		r = policy_map(ROLE_FD_POLICY, &b->policy);
	if (r < 0)
		return log_error_errno(r, "started without its descriptors; `pavise guard` starts it");
	(void) close(ROLE_FD_POLICY);
	r = sandbox_syscalls(syscalls, N_ELEMENTS(syscalls));
	return r < 0 ? log_error_errno(r, "cannot filter its system calls") : 0;
}

static int open_kernel(struct broker *b)
{
	int r = kernel_open(b->policy, &b->kernel);

	if (r == -ENOTSUP)
		return log_error_errno(r, "this kernel has no cgroup v2 or no BTF; `pavise doctor` says more");
	if (r == -ENODEV)
		return log_error_errno(r, "%s does not lie on a bpf file system", b->policy->bpf_dir);
	if (r < 0)
		return log_error_errno(r, "cannot load the programs into the kernel");
	r = cgroups_init(&b->cgroups, kernel_cgroup_fd(b->kernel));
	return r < 0 ? log_error_errno(r, "cannot find the cgroups below %s", b->policy->cgroup_root) : 0;
}

static int role(void)
{
	static struct broker b = { .epoll_fd = -1, .signal_fd = -1, .launcher_fd = ROLE_FD_LAUNCHER,
				   .peer_fd = ROLE_FD_PEER };
	int r;

	log_files_init(&b.logs);
	persist_init(&b.persist);
	for (size_t i = 0; i < BROKER_JOBS; i++)
		b.jobs[i].result_fd = -1;
	for (size_t i = 0; i < BROKER_LOOKS; i++)
		b.looks[i].fd = -1;
	b.looks_kill = LIMIT_KILL;
	if (prepare(&b) < 0)
		return ROLE_EXIT_CONFIG;
	r = open_kernel(&b);
	if (r < 0)
		return r == -ENOTSUP || r == -ENODEV ? ROLE_EXIT_CONFIG : 1;
	b.requests = (struct requests){ .ops = &broker_operations, .ctx = &b, .policy = b.policy, .kills = LIMIT_KILL,
					  .bans = LIMIT_BANS, .loads = LIMIT_LOADS,
					  .captures = LIMIT_CAPTURES };
	b.bans_fd = -1;
	if (never_new(&b.never) < 0)
		return 1;
	r = broker_run(&b);
	if (r < 0)
		(void) log_error_errno(r, "the broker's loop ended");
	b.relays = relays_free(b.relays);
	bans_stop(&b);
	b.kernel = kernel_free(b.kernel);
	return r < 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "bpf-dir", required_argument, NULL, 'b' }, { NULL, 0, NULL, 0 } };
	const char *dir = BPF_DIR;
	int c;

	log_open("pavise-broker");
	(void) signal(SIGPIPE, SIG_IGN);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'b')
			return usage();
		dir = optarg;
	}
	return argc == 1 ? role() : optind < argc ? one_shot(dir, argc - optind, argv + optind) : usage();
}
