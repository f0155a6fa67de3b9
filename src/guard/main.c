/* pavise-engine: the unprivileged role that sees, decides and remembers. Started by the launcher with the descriptors
 * of model/roles.h; ends when the launcher or the broker does. With words it is offline.c. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "guard/guard.h"
#include "report/tell.h"

/* What the loop, SQLite, its flush thread, and reading /proc and cgroup files need. No socket(), connect() or bpf():
 * every descriptor was handed over. */
static const char *const syscalls[] = {
	"read", "write", "readv", "writev", "pread64", "pwrite64", "close", "fstat", "newfstatat", "stat", "lstat", "statx",
	"lseek", "openat", "openat2", "open", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64",
	"fcntl", "fsync", "fdatasync", "ftruncate", "fallocate", "unlink", "unlinkat", "rename", "renameat", "renameat2",
	"mkdir", "mkdirat", "fchmod", "fchown", "geteuid", "getuid", "getegid", "getgid", "getpid", "gettid", "getppid",
	"flock", "umask", "getcwd", "mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "futex", "clone", "clone3",
	"set_robust_list", "rseq", "exit", "exit_group", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "timerfd_create",
	"timerfd_settime", "eventfd2", "signalfd4", "recvmsg", "sendmsg", "recvfrom", "sendto", "shutdown", "accept4", "getsockopt",
	"getpeername", "clock_gettime", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrandom", "prctl",
	"tgkill", "kill", "restart_syscall", "sched_yield", "sched_getaffinity", "sysinfo", "uname", "prlimit64", "getrlimit",
	"pipe2", "dup", "dup3", "fadvise64", "utimensat", "wait4", "waitid", "pidfd_open", "name_to_handle_at", "statfs",
	"fstatfs", "membarrier", "inotify_rm_watch",
};

int guard_ask_launcher(char byte)
{
	return send(ROLE_FD_LAUNCHER, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -errno;
}

/* The broker's first answer, waited for: without ring and counters there is nothing to do. */
static int hello(struct guard *g)
{
	struct broker_req req = { .op = BROKER_HELLO, .seq = 1 };
	struct broker_rep rep;
	int fds[FDPASS_MAX];
	size_t n_fds;
	ssize_t n;
	int r;

	r = fdpass_send(ROLE_FD_PEER, &req, sizeof(req), NULL, 0);
	if (r < 0)
		return log_error_errno(r, "the broker cannot be asked");
	do { /* the socket is blocking until the loop takes it over; news may come first */
		n = fdpass_recv(ROLE_FD_PEER, &rep, sizeof(rep), fds, &n_fds);
		if (n != sizeof(rep))
			return log_error_errno(n < 0 ? (int) n : -EPIPE, "the broker did not answer");
	} while (rep.seq != 1);
	if (rep.result < 0 || n_fds != 2)
		return log_error_errno(rep.result < 0 ? rep.result : -EBADMSG, "the broker has no event ring for us");
	g->degraded = rep.value;
	g->off_until_ns = rep.value2;
	return kernel_events_start(g, fds[0], fds[1]);
}

static void policy_changed(struct guard *g)
{
	struct guard_workload *w;

	bans_reload(g);
	guard_logs_resume(g);

	for (size_t i = 0; (w = pv_map_next(&g->workloads, &i));) {
		w->excepted = UINT64_MAX;
		w->exec_told = UINT32_MAX; /* indices moved: told again whatever they were */
		table_tell_kernel(g, w);
		standing_cut(g, w); /* connections that a new port or a dropped exception makes a breach */
	}
	notices_deliver(g);
}

static void tell_refused(struct guard *g, const char *what)
{
	struct notice n;

	notice_init(&n, ID_GUARD_DEGRADED, clock_wall_us());
	tell_degraded(&n, what, "pavise config check");
	(void) notices_raise(g, &n);
}

/* The owner's list of pools is not used: told when that begins, at a start or a reload. */
static void tell_pools(struct guard *g, const char *before)
{
	char what[400];

	if (!*g->policy->pool.refused || strcmp(g->policy->pool.refused, before) == 0)
		return;
	(void) snprintf(what, sizeof(what), "the shipped list of pools is in force: %s", g->policy->pool.refused);
	tell_refused(g, what);
}

static void reloaded(struct guard *g, int fd)
{
	char pools_before[POLICY_REFUSED];
	const struct policy *p;
	int r = policy_map(fd, &p);

	(void) pv_close(fd);
	if (r < 0) {
		(void) log_error_errno(r, "the new policy is not valid; the old one stays in force");
		control_reloaded(g, false, "the new policy is not valid; the old one stays in force");
		return;
	}
	guard_logs_pause(g);
	memcpy(pools_before, g->policy->pool.refused, sizeof(pools_before));
	policy_unmap(g->policy);
	g->policy = p;
	policy_changed(g);
	*g->refused = '\0';
	tell_pools(g, pools_before);
	log_info("the new configuration is in force");
	control_reloaded(g, true, "the new configuration is in force");
}

static void note_refused(struct guard *g, const char *text)
{
	const bool news = !*g->refused;
	char what[400];

	(void) snprintf(g->refused, sizeof(g->refused), "%.*s", (int) strcspn(text, "\n"), text);
	(void) snprintf(what, sizeof(what), "the configuration was refused, the one before it stays in force: %s", g->refused);
	if (news)
		tell_refused(g, what);
}

static void reload_failed(struct guard *g, int fd)
{
	char text[4096] = "";
	ssize_t n = fd >= 0 ? pread(fd, text, sizeof(text) - 1, 0) : 0;

	text[n > 0 ? n : 0] = '\0';
	(void) pv_close(fd);
	log_warning("the configuration has errors; the old one stays in force");
	note_refused(g, *text ? text : "no reason was given");
	control_reloaded(g, false, *text ? text : "the configuration has errors; the old one stays in force");
}

static void role_dying(struct guard *g, uint32_t role)
{
	static const char *const names[] = { [LAUNCH_BROKER] = "broker", [LAUNCH_ENGINE] = "engine", [LAUNCH_SENDER] = "sender" };
	struct notice n;

	notice_init(&n, ID_GUARD_ROLE, clock_wall_us());
	tell_role(&n, role && role < N_ELEMENTS(names) ? names[role] : "unknown");
	(void) notices_raise(g, &n);
}

static int on_launcher(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct guard *g = arg;
	struct launch_msg msg;
	int fds[FDPASS_MAX];
	size_t n_fds = 0;
	ssize_t n = fdpass_recv(fd, &msg, sizeof(msg), fds, &n_fds);

	(void) s;
	(void) revents;
	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return sd_event_exit(g->loop, 0); /* the launcher is gone, and we go with it */
	for (size_t i = 1; i < n_fds; i++)
		(void) pv_close(fds[i]);
	if (n == sizeof(msg) && msg.op == LAUNCH_POLICY && n_fds)
		reloaded(g, fds[0]);
	else if (n == sizeof(msg) && msg.op == LAUNCH_POLICY_FAILED)
		reload_failed(g, n_fds ? fds[0] : -1);
	else if (n == sizeof(msg) && msg.op == LAUNCH_RULES && n_fds)
		guard_logs_rules(g, fds[0]);
	else if (n == sizeof(msg) && msg.op == LAUNCH_ROLE_DYING)
		role_dying(g, msg.role);
	else if (n_fds)
		(void) pv_close(fds[0]);
	return 0;
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *arg)
{
	struct guard *g = arg;
	struct notice n;

	(void) s;
	(void) si;
	notice_init(&n, ID_GUARD_STOPPED, clock_wall_us());
	notice_set_what(&n, "the guard was stopped; blocks in the kernel stay in force, kills and alerts do not");
	notice_set_next(&n, "systemctl start pavise");
	(void) notices_raise(g, &n);
	return sd_event_exit(g->loop, 0);
}

void guard_degraded(struct guard *g, uint64_t bits)
{
	/* REPLACED and BANS are news each time, not a state */
	uint64_t fresh = (bits & ~g->degraded) | (bits & (BROKER_DEGRADED_REPLACED | BROKER_DEGRADED_BANS)), mended = g->degraded & ~bits;
	struct notice n;

	g->degraded = bits;
	if (mended & BROKER_DEGRADED_DOCKER)
		engines_there(g, ENGINE_DOCKER);
	if (mended & BROKER_DEGRADED_PODMAN)
		engines_there(g, ENGINE_PODMAN);
	if (mended & BROKER_DEGRADED_CGROUPS)
		(void) table_start(g);
	if (fresh & BROKER_DEGRADED_BANS)
		bans_missing(g);
	for (size_t i = 0; i < n_degradations; i++) {
		if (!degradations[i].told || !(fresh & degradations[i].bit))
			continue;
		notice_init(&n, ID_GUARD_DEGRADED, clock_wall_us());
		tell_degraded(&n, degradations[i].why, degradations[i].next);
		(void) notices_raise(g, &n);
	}
}

/* Root's `pavise off` does without the engine where it does not answer. */
void guard_off(struct guard *g, uint64_t until_ns)
{
	bool news = until_ns != g->off_until_ns;
	struct notice n;

	g->off_until_ns = until_ns;
	if (!news || !acts_are_lifted(g))
		return;
	notice_init(&n, ID_GUARD_OFF, clock_wall_us());
	notice_set_what(&n, "every block, kill and ban is lifted, switched in the kernel by root");
	notice_set_next(&n, "pavise on");
	(void) notices_raise(g, &n);
}

int guard_sandbox_files(void)
{
	const struct sandbox_path paths[] = {
		{ .path = "/proc", .fd = -1 },
		{ .path = "/sys/fs/cgroup", .fd = -1 },
		{ .path = NULL, .fd = ROLE_FD_STATE, .write = true },
	};
	int r = sandbox_paths(paths, N_ELEMENTS(paths));

	if (r == -ENOSYS)
		log_warning("this kernel has no landlock: the engine is held by its user and seccomp alone");
	else if (r < 0)
		return log_error_errno(r, "landlock could not be set up");
	return 0;
}

int guard_sandbox_calls(void)
{
	int r = sandbox_syscalls(syscalls, N_ELEMENTS(syscalls));

	return r < 0 ? log_error_errno(r, "seccomp could not be set up") : 0;
}

static int sources_start(struct guard *g)
{
	sigset_t mask;
	int r;

	(void) sigemptyset(&mask);
	(void) sigaddset(&mask, SIGTERM);
	(void) sigprocmask(SIG_BLOCK, &mask, NULL);
	r = sd_event_add_signal(g->loop, NULL, SIGTERM, on_signal, g);
	if (r < 0)
		return r;
	if (fcntl(ROLE_FD_LAUNCHER, F_SETFL, O_NONBLOCK) < 0 || fcntl(ROLE_FD_CONTROL, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = sd_event_add_io(g->loop, NULL, ROLE_FD_LAUNCHER, EPOLLIN, on_launcher, g);
	if (r < 0)
		return r;
	r = link_start(g, ROLE_FD_PEER);
	if (r < 0)
		return r;
	r = bans_start(g);
	if (r < 0)
		return r;
	r = engines_start(g);
	if (r < 0)
		return r;
	r = table_start(g);
	if (r < 0)
		return r;
	capture_again(g);
	r = samples_start(g);
	if (r < 0)
		return r;
	r = guard_logs_start(g);
	if (r < 0)
		return r;
	r = persist_start(g);
	if (r < 0)
		return r;
	return control_start(g, ROLE_FD_CONTROL);
}

static void tell_started(struct guard *g)
{
	struct notice n;

	notice_init(&n, ID_GUARD_STARTED, g->started_wall_us);
	notice_set_what(&n, "the guard started (%s), watching %zu workloads",
			g->policy->observe ? "observe: nothing is changed" : "enforce", g->workloads.used);
	notice_set_next(&n, "pavise status");
	(void) notices_raise(g, &n);
	if (!store_was_damaged(g->store))
		return;
	notice_init(&n, ID_GUARD_LOST, clock_wall_us());
	notice_set_what(&n, "the history was damaged: it was set aside (history.db.bad), and a new one begun");
	notice_set_next(&n, "journalctl -u pavise");
	(void) notices_raise(g, &n);
}

static int guard_run(struct guard *g)
{
	int r;

	r = policy_map(ROLE_FD_POLICY, &g->policy);
	if (r < 0)
		return log_error_errno(r, "the policy from the launcher is not valid");
	r = cgroup_tree_open(g->policy->cgroup_root, &g->tree);
	if (r < 0)
		return log_error_errno(r, "%s: no cgroup v2 hierarchy to watch; `pavise doctor` says more",
				       g->policy->cgroup_root);
	if (burst_new(&g->burst) < 0 || respawn_new(&g->respawn) < 0 || succession_new(&g->succession) < 0)
		return -ENOMEM;
	r = sd_event_default(&g->loop);
	if (r < 0)
		return r;
	r = guard_sandbox_files(); /* before the store starts its thread: landlock holds for the thread that asks and its children */
	if (r < 0)
		return r;
	r = notices_start(g, ROLE_FD_SENDER); /* arms a timer: sd-event reads boot_id once, before the filter */
	if (r < 0)
		return r;
	kept_start(g);
	r = capture_start(g);
	if (r < 0)
		return r;
	r = hello(g);
	if (r < 0)
		return r;
	r = guard_sandbox_calls();
	if (r < 0)
		return r;
	r = sources_start(g);
	if (r < 0)
		return r;
	tell_started(g);
	tell_pools(g, "");
	(void) guard_ask_launcher(LAUNCH_READY);
	return sd_event_loop(g->loop);
}

static void guard_done(struct guard *g)
{
	if (g->store)
		kernel_events_end(g);
	exec_stop(g);
	control_stop(g);
	bans_stop(g);
	samples_stop(g);
	guard_logs_stop(g);
	engines_stop(g);
	kernel_events_stop(g);
	link_stop(g);
	capture_stop(g);
	persist_stop(g);
	pv_map_done(&g->images);
	pv_map_done(&g->holders);
	table_stop(g);
	notices_stop(g);
	g->burst = burst_free(g->burst);
	g->respawn = respawn_free(g->respawn);
	g->succession = succession_free(g->succession);
	g->tree = cgroup_tree_free(g->tree);
	sd_event_unref(g->loop);
	policy_unmap(g->policy);
}

int main(int argc, char **argv)
{
	struct guard g = { .started_wall_us = clock_wall_us() };
	int r;

	log_open("pavise-engine");
	if (argc > 1)
		return offline(argc - 1, argv + 1);
	r = sandbox_basics();
	if (r >= 0)
		r = guard_run(&g);
	if (r < 0)
		(void) log_error_errno(r, "ending");
	guard_done(&g);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
