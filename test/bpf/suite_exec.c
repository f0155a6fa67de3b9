/* Programs that are not of their image, in a container made by hand: an overlay, a mount namespace, a cgroup with a
 * container's name. Each case is tried without the guard's block first: it must run, else its refusal proves nothing. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>

#include <bpf/bpf.h>

#include "base/text.h"
#include "broker/kernel_exec.h"
#include "broker/kernel_private.h"
#include "model/broker_proto.h"
#include "test_bpf.h"
#include "lab.h"

#define HEX_F "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define HEX_E "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
#define HEX_D "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define CONTAINER container
#define DIR_NAME  "/run/pvexec"

static const char *container = "docker/" HEX_E;
static pid_t holder = -1;
static bool own_pids; /* the container has a PID namespace of its own, as containers have */

/* ---- the container ---- */

static bool copy(const char *from, const char *to, mode_t mode)
{
	pv_autoclose int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	char buf[16384];
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t) n) != n)
			return false;
	return n == 0 && fchmod(out, mode) == 0;
}

static bool one_byte_path(char *out, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", out, size - 1);
	char *slash;

	if (n <= 0)
		return false;
	out[n] = '\0';
	slash = strrchr(out, '/');
	return slash && text_copy(slash + 1, size - (size_t) (slash + 1 - out), "one_byte");
}

/* bin/one, bin/other, bin/daemon: of the image. */
static bool make_image(void)
{
	static const char *const dirs[] = { "lower", "lower/bin", "lower/tmp", "lower/opt", "lower/opt/.pnpm", "lower/proc", "lower/mem",
					    "lower/vol", "lower/ro", "upper", "work", "root", "volume", "volume/open" };
	static const char *const programs[] = { "lower/bin/one", "lower/bin/other", "lower/bin/daemon", "lower/bin/data", "lower/bin/sh",
						"lower/bin/ld-one.so.1", "lower/bin/server", "lower/bin/busybox", "volume/tool", "volume/open/tool" };
	char program[300];

	(void) mkdir(DIR_NAME, 0755);
	if (mount("pvexec", DIR_NAME, "tmpfs", 0, "mode=755") < 0 || chdir(DIR_NAME) < 0)
		return false;
	for (size_t i = 0; i < N_ELEMENTS(dirs); i++)
		if (mkdir(dirs[i], 0755) < 0)
			return false;
	(void) chmod("lower/tmp", 01777);
	(void) chmod("volume/open", 0777);
	if (!one_byte_path(program, sizeof(program)))
		return false;
	for (size_t i = 0; i < N_ELEMENTS(programs); i++)
		if (!copy(program, programs[i], 0755))
			return false;
	return mount("overlay", "root", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work") == 0;
}

static int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* What the container runtime does: cgroup, mount namespace, root, then the first program. `meanwhile`: while it has its own namespace, and still
 * the host's root. */
static bool start_container_while(int (*meanwhile)(void))
{
	int ready[2], status;
	char c;

	(void) lab_mkdir(CONTAINER);
	(void) fflush(stdout);
	if (pipe(ready) < 0)
		return false;
	holder = (pid_t) syscall(SYS_clone, SIGCHLD | (own_pids ? CLONE_NEWPID : 0), NULL, NULL, NULL, NULL);
	if (holder == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void) dup2(ready[1], STDERR_FILENO);
		(void) close_range(STDERR_FILENO + 1, ~0u, 0); /* the links are the parent's to hold */
		if (lab_enter(CONTAINER) < 0 || unshare(CLONE_NEWNS) < 0 || (meanwhile && raise(SIGSTOP)) || mount("mem", "root/mem", "tmpfs", 0, NULL) < 0 ||
		    mount("volume", "root/vol", NULL, MS_BIND, NULL) < 0 || mount("volume", "root/ro", NULL, MS_BIND, NULL) < 0 ||
		    mount(NULL, "root/ro", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0 || chroot("root") < 0 || chdir("/") < 0)
			_exit(1);
		if (fork() == 0) {
			(void) execl("/bin/one", "one", NULL);
			_exit(1);
		}
		(void) wait(NULL);
		(void) !write(STDERR_FILENO, "1", 1);
		for (;;)
			(void) pause();
	}
	(void) close(ready[1]);
	if (meanwhile) {
		(void) waitpid(holder, &status, WUNTRACED);
		(void) meanwhile();
		(void) kill(holder, SIGCONT);
	}
	if (read(ready[0], &c, 1) != 1)
		return false;
	return close(ready[0]) == 0;
}

static bool start_container(void)
{
	return start_container_while(NULL);
}

static int enter_container(void)
{
	char path[64];
	pv_autoclose int ns = -1;

	(void) snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int) holder);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	return ns < 0 || setns(ns, CLONE_NEWNS) < 0 || chdir(DIR_NAME "/root") < 0 || chroot(".") < 0 ? -1 : 0;
}

static void end_container(void)
{
	if (holder > 0) {
		(void) kill(holder, SIGKILL);
		(void) wait_for(holder);
	}
	holder = -1;
	lab_rmdir(CONTAINER);
	if (chdir("/") < 0)
		return;
	(void) umount2(DIR_NAME "/root", MNT_DETACH);
	(void) umount2(DIR_NAME, MNT_DETACH);
	(void) rmdir(DIR_NAME);
}

/* ---- one program ---- */

enum outcome { RAN, KILLED, FAILED };

static int out_pipe[2];

/* One byte, and how it ended. */
static enum outcome judge(int status)
{
	char c;
	bool wrote = read(out_pipe[0], &c, 1) == 1;

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !wrote)
		return KILLED;
	return wrote && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? RAN : FAILED;
}

static void open_pipe(void)
{
	if (pipe2(out_pipe, O_NONBLOCK) < 0 || dup2(out_pipe[1], 3) < 0)
		_exit(250);
}

typedef void (*start_fn)(const char *path);

static void plainly(const char *path)
{
	(void) execl(path, path, "an", "argument", NULL);
}

static void by_descriptor(const char *path)
{
	int fd = open(path, O_PATH);

	(void) syscall(SYS_execveat, fd, "", (char *[]){ (char *) (uintptr_t) "x", NULL }, NULL, AT_EMPTY_PATH);
}

static void deleted(const char *path)
{
	int fd = open(path, O_RDONLY);

	(void) unlink(path);
	(void) syscall(SYS_execveat, fd, "", (char *[]){ (char *) (uintptr_t) "x", NULL }, NULL, AT_EMPTY_PATH);
}

static void from_memory(const char *path)
{
	int fd = memfd_create("kworker", 0), in = open(path, O_RDONLY);
	char buf[65536];
	ssize_t n = read(in, buf, sizeof(buf));

	(void) !write(fd, buf, (size_t) n);
	(void) syscall(SYS_execveat, fd, "", (char *[]){ (char *) (uintptr_t) "x", NULL }, NULL, AT_EMPTY_PATH);
}

/* An overlay of one's own, whose lower is what was dropped: it looks like an image. */
static void by_own_overlay(const char *path)
{
	(void) path;
	(void) mkdir("/mem/l", 0755);
	(void) mkdir("/mem/u", 0755);
	(void) mkdir("/mem/w", 0755);
	(void) mkdir("/mem/o", 0777);
	(void) copy("/bin/one", "/mem/l/x", 0755);
	if (unshare(CLONE_NEWNS) < 0 || mount("overlay", "/mem/o", "overlay", 0, "lowerdir=/mem/l,upperdir=/mem/u,workdir=/mem/w") < 0)
		return;
	(void) chmod("/mem/o", 0777);
	if (chroot("/mem/o") == 0)
		(void) execl("/x", "/x", NULL);
}

/* Read-only in a namespace of one's own is no word of the owner's. */
static void by_own_readonly(const char *path)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("/mem", "/opt", NULL, MS_BIND, NULL) < 0)
		return;
	(void) copy(path, "/opt/x", 0755);
	(void) mount(NULL, "/opt", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
	(void) execl("/opt/x", "/opt/x", NULL);
}

/* ---- mapped, not started ---- */

/* /bin/one is a loader in the kernel's eyes. */
static void by_loader(const char *path)
{
	(void) execl("/bin/one", "one", "map", path, NULL);
}

/* A program none of whose parts is code when it is mapped. */
static void by_loader_without_code(const char *path)
{
	(void) execl("/bin/one", "one", "deny", path, NULL);
}

static void by_loader_made_code(const char *path)
{
	(void) execl("/bin/one", "one", "text", path, NULL);
}

static void by_named_loader_made_code(const char *path)
{
	(void) execl("/bin/ld-one.so.1", "one", "text", path, NULL);
}

static void by_loader_from_memory(const char *path)
{
	int fd = memfd_create("kworker", 0), in = open(path, O_RDONLY);
	char buf[65536], self[40];
	ssize_t n = read(in, buf, sizeof(buf));

	(void) !write(fd, buf, (size_t) n);
	(void) snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (mount("proc", "/proc", "proc", 0, NULL) == 0)
		by_loader(self);
}

static void map(const char *path, int prot, int flags)
{
	int fd = open(path, O_RDONLY);
	void *at = mmap(NULL, 4096, prot, flags, fd, 0);

	_exit(at != MAP_FAILED && write(3, "x", 1) == 1 ? 0 : 102);
}

static void as_library(const char *path)
{
	map(path, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_DENYWRITE);
}

static void as_data(const char *path)
{
	map(path, PROT_READ, MAP_PRIVATE);
}

static void made_code(const char *path, int flags)
{
	int fd = open(path, O_RDONLY);
	void *at = mmap(NULL, 4096, PROT_READ, flags, fd, 0);

	_exit(at != MAP_FAILED && mprotect(at, 4096, PROT_READ | PROT_EXEC) == 0 && write(3, "x", 1) == 1 ? 0 : 102);
}

static void as_library_made_code(const char *path)
{
	made_code(path, MAP_PRIVATE);
}

static void as_code_beside_later(const char *path)
{
	made_code(path, MAP_SHARED);
}

static void as_memory_made_code(const char *path)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void) path;
	_exit(at != MAP_FAILED && mprotect(at, 4096, PROT_READ | PROT_EXEC) == 0 && write(3, "x", 1) == 1 ? 0 : 102);
}

static void as_code_beside(const char *path)
{
	map(path, PROT_READ | PROT_EXEC, MAP_SHARED);
}

static const struct program {
	const char *what, *from, *to; /* copied first; from NULL: it is there */
	enum { AS_IS, TOUCHED, CHMOD, LINKED, RENAMED, OVERWRITTEN, LONGER, SAME_SIZE } then;
	start_fn start;
	enum outcome outcome;
	int place, why; /* place -1: no event */
} programs[] = {
	{ "a program of the image", NULL, "/bin/one", AS_IS, plainly, RAN, -1, 0 },
	{ "the same by descriptor", NULL, "/bin/one", AS_IS, by_descriptor, RAN, -1, 0 },
	{ "a copy in /tmp", "/bin/one", "/tmp/id", AS_IS, plainly, KILLED, PV_PLACE_NEW, PV_WHY_WRITABLE },
	{ "a copy deep below /tmp", "/bin/one", "/tmp/a/b/c/d/e/f/g/h/x", AS_IS, plainly, KILLED, PV_PLACE_NEW, PV_WHY_WRITABLE },
	{ "a copy in /tmp, by descriptor", "/bin/one", "/tmp/fd", AS_IS, by_descriptor, KILLED, PV_PLACE_NEW, PV_WHY_WRITABLE },
	{ "a copy in /opt", "/bin/one", "/opt/tool", AS_IS, plainly, RAN, PV_PLACE_NEW, PV_WHY_NONE },
	{ "a copy in a hidden folder", "/bin/one", "/opt/.pnpm/esbuild", AS_IS, plainly, RAN, PV_PLACE_NEW, PV_WHY_NONE },
	{ "a miner's name in /opt", "/bin/one", "/opt/xmrig", AS_IS, plainly, KILLED, PV_PLACE_NEW, PV_WHY_NAME },
	{ "a miner's name with a version", "/bin/one", "/opt/xmrig-6.24.0", AS_IS, plainly, KILLED, PV_PLACE_NEW, PV_WHY_NAME },
	{ "a name that only begins so", "/bin/one", "/opt/xmrigger", AS_IS, plainly, RAN, PV_PLACE_NEW, PV_WHY_NONE },
	{ "a daemon's lookalike in /opt", "/bin/one", "/opt/kworkerd", AS_IS, plainly, KILLED, PV_PLACE_NEW, PV_WHY_NAME },
	{ "a deleted file", "/bin/one", "/opt/gone", AS_IS, deleted, KILLED, PV_PLACE_NEW, PV_WHY_MEMORY },
	{ "from memory", NULL, "/bin/one", AS_IS, from_memory, KILLED, PV_PLACE_MEMFD, PV_WHY_MEMORY },
	{ "on a tmpfs", "/bin/one", "/mem/x", AS_IS, plainly, KILLED, PV_PLACE_TMPFS, PV_WHY_MEMORY },
	{ "on a volume that is a tmpfs", NULL, "/vol/tool", AS_IS, plainly, KILLED, PV_PLACE_TMPFS, PV_WHY_MEMORY },
	{ "on a read-only mount", NULL, "/ro/tool", AS_IS, plainly, RAN, -1, 0 },
	{ "chmod of an image's program", NULL, "/bin/daemon", CHMOD, plainly, RAN, PV_PLACE_COPIED, PV_WHY_NONE },
	{ "a hard link of it in /tmp", "/bin/other", "/tmp/linked", LINKED, plainly, RAN, PV_PLACE_COPIED, PV_WHY_NONE },
	{ "the image's program, touched", NULL, "/bin/daemon", TOUCHED, plainly, RAN, PV_PLACE_CHANGED, PV_WHY_NONE },
	{ "the image's program, made longer", NULL, "/bin/data", LONGER, plainly, KILLED, PV_PLACE_CHANGED, PV_WHY_CHANGED },
	{ "an overlay of one's own", NULL, "/bin/one", AS_IS, by_own_overlay, KILLED, PV_PLACE_MOUNT, PV_WHY_WRITABLE },
	{ "the loader runs a copy in /tmp", "/bin/one", "/tmp/loaded", AS_IS, by_loader, KILLED, PV_PLACE_NEW, PV_WHY_WRITABLE },
	{ "the loader runs what is in memory", NULL, "/bin/one", AS_IS, by_loader_from_memory, KILLED, PV_PLACE_MEMFD, PV_WHY_MEMORY },
	{ "the loader runs a miner's name", "/bin/one", "/opt/sub/xmrig", AS_IS, by_loader, KILLED, PV_PLACE_NEW, PV_WHY_NAME },
	{ "the loader runs a copy in /opt", "/bin/one", "/opt/loaded", AS_IS, by_loader, RAN, PV_PLACE_NEW, PV_WHY_NONE },
	{ "the loader runs the image's program", NULL, "/bin/other", AS_IS, by_loader, RAN, -1, 0 },
	{ "the loader runs what it maps as data", "/bin/one", "/tmp/rel", AS_IS, by_loader_without_code, KILLED, PV_PLACE_NEW, PV_WHY_WRITABLE },
	{ "and in /opt", "/bin/one", "/opt/rel", AS_IS, by_loader_without_code, RAN, PV_PLACE_NEW, PV_WHY_NONE },
	{ "and the image's", NULL, "/bin/other", AS_IS, by_loader_without_code, RAN, -1, 0 },
	{ "the loader makes it code afterwards", "/bin/one", "/tmp/textrel", AS_IS, by_loader_made_code, KILLED, PV_PLACE_NEW, PV_WHY_WRITABLE },
	{ "and the image's, too", NULL, "/bin/other", AS_IS, by_loader_made_code, RAN, -1, 0 },
	{ "one with a loader's name does", "/bin/one", "/tmp/named", AS_IS, by_named_loader_made_code, KILLED, PV_PLACE_NEW, PV_WHY_WRITABLE },
	{ "a library in /tmp", "/bin/one", "/tmp/lib.so", AS_IS, as_library, RAN, PV_PLACE_NEW, PV_WHY_WRITABLE },
	{ "a library on a tmpfs", "/bin/one", "/mem/lib.so", AS_IS, as_library, RAN, PV_PLACE_TMPFS, PV_WHY_MEMORY },
	{ "a library of a package", "/bin/one", "/opt/node_modules/native.node", AS_IS, as_library, RAN, -1, 0 },
	{ "a library of /tmp that becomes code", "/bin/one", "/tmp/later.so", AS_IS, as_library_made_code, RAN, PV_PLACE_NEW, PV_WHY_WRITABLE },
	{ "one of a package", "/bin/one", "/opt/node_modules/later.node", AS_IS, as_library_made_code, RAN, -1, 0 },
	{ "memory that becomes code", NULL, "/bin/one", AS_IS, as_memory_made_code, RAN, -1, 0 },
	{ "a library of the image", NULL, "/bin/other", AS_IS, as_library, RAN, -1, 0 },
	{ "a library on a read-only mount", NULL, "/ro/open/tool", AS_IS, as_library, RAN, -1, 0 },
	{ "data in /tmp", "/bin/one", "/tmp/data", AS_IS, as_data, RAN, -1, 0 },
	{ "what is written beside being run, in /tmp", "/bin/one", "/tmp/jit", AS_IS, as_code_beside, RAN, -1, 0 },
	{ "the same, run later", "/bin/one", "/tmp/jit", AS_IS, as_code_beside_later, RAN, -1, 0 },
	{ "read-only in one's own namespace", NULL, "/bin/one", AS_IS, by_own_readonly, KILLED, PV_PLACE_TMPFS, PV_WHY_MEMORY },
};

static void prepare(const struct program *p)
{
	char path[200];

	for (const char *s = p->to + 1; (s = strchr(s, '/')); s++) {
		(void) snprintf(path, sizeof(path), "%.*s", (int) (s - p->to), p->to);
		(void) mkdir(path, 0755);
	}
	if (p->then == LINKED)
		(void) !link(p->from, p->to);
	else if (p->from)
		(void) copy(p->from, p->to, 0755);
	if (p->then == CHMOD)
		(void) chmod(p->to, 0711);
	if (p->then == TOUCHED)
		(void) utimensat(AT_FDCWD, p->to, NULL, 0);
	if (p->then == LONGER) {
		int fd = open(p->to, O_WRONLY | O_APPEND | O_CLOEXEC);

		(void) !write(fd, "more", 4);
		(void) close(fd);
	}
}

static int run_program(void *arg)
{
	const struct program *p = arg;
	pid_t pid;

	if (enter_container() < 0)
		return FAILED;
	open_pipe();
	prepare(p);
	pid = fork();
	if (pid == 0) {
		p->start(p->to);
		_exit(101);
	}
	return (int) judge(wait_for(pid));
}

static const char *name_of(int outcome)
{
	return outcome == RAN ? "ran" : outcome == KILLED ? "killed before it wrote" : "failed";
}

static int access_link(const char *name)
{
	char path[300];

	(void) snprintf(path, sizeof(path), "%s/v%d/link_%s", lab_policy->bpf_dir, PV_BPF_LAYOUT, name);
	return access(path, F_OK);
}

static void check_event(const struct program *p)
{
	const struct lab_seen *s = lab_events();
	const struct event_exec *e = &s->exec;
	bool killed = p->outcome == KILLED;

	if (p->place < 0) {
		lab_check(s->n[EVENT_EXEC] == 0, "and nothing is told");
		return;
	}
	lab_check(s->n[EVENT_EXEC] == 1 && e->place == p->place && e->why == p->why && e->head.class_ == PV_CLASS_CONTAINER &&
			  !!(s->flags[EVENT_EXEC] & EVF_REFUSED) == killed,
		  "and it is told so (%zu events, place %u, why %u, flags %x)", s->n[EVENT_EXEC], e->place, e->why, s->flags[EVENT_EXEC]);
	if (p->start == plainly)
		lab_check(strcmp(e->path, p->to) == 0 && strcmp(e->filename, p->to) == 0 && e->argv_len == strlen(p->to) + 1 + 3 + 9 &&
				  strcmp(e->argv + strlen(p->to) + 1, "an") == 0 && e->n_chain >= 1,
			  "with path %s, arguments and parents (%u)", e->path, e->n_chain);
}

static bool is_mapping(const struct program *p)
{
	return p->start == by_loader || p->start == by_loader_from_memory || p->start == as_library || p->start == as_data ||
	       p->start == by_loader_without_code || p->start == by_named_loader_made_code;
}

/* Only a hook on mprotect() sees it; where functions take no programs there is none. */
static bool is_unseen(const struct program *p)
{
	return (p->start == by_loader_made_code || p->start == as_library_made_code) && p->place >= 0 && access_link("mprotect") < 0;
}

static void places(bool mappings)
{
	lab_policy->exec.action = ACTION_IGNORE;
	(void) kernel_policy(lab_kernel, lab_policy);
	for (size_t i = 0; i < N_ELEMENTS(programs); i++) {
		const struct program *p = &programs[i];
		int r = p->outcome == KILLED && (!mappings || is_mapping(p)) ? lab_in(CONTAINER, run_program, (void *) (uintptr_t) p) : RAN;

		if (r != RAN)
			lab_check(false, "%s: %s although nobody stops it", p->what, name_of(r));
	}
	lab_policy->exec.action = ACTION_AUTO;
	(void) kernel_policy(lab_kernel, lab_policy);
	(void) lab_events();
	for (size_t i = 0; i < N_ELEMENTS(programs); i++) {
		const struct program *p = &programs[i];
		int r;

		if ((mappings && !is_mapping(p)) || is_unseen(p))
			continue;
		r = lab_in(CONTAINER, run_program, (void *) (uintptr_t) p);
		lab_check(r == (int) p->outcome, "%s: %s", p->what, name_of(r));
		check_event(p);
	}
}

/* Interpreters: what of their lines makes the kernel tell. /bin/sh is one by its name alone. */
static const struct script {
	const char *what, *folder;
	const char *const argv[4];
	bool told;
} scripts[] = {
	{ "a script in /tmp", "/", { "sh", "/tmp/x" }, true },
	{ "the same once more", "/", { "sh", "/tmp/x" }, false },
	{ "behind an option", "/", { "sh", "-x", "/var/tmp/x" }, true },
	{ "in /dev/shm", "/", { "/bin/sh", "--", "/dev/shm/.x" }, true },
	{ "from within /tmp", "/tmp", { "sh", "x", "y" }, true },
	{ "from beside it", "/opt", { "sh", "../tmp/x" }, true },
	{ "a line of code", "/tmp", { "sh", "-c", "/tmp/x" }, false },
	{ "a script in /opt", "/", { "sh", "/opt/x", "/tmp/x" }, false },
	{ "from within /opt", "/opt", { "sh", "x" }, false },
	{ "no script", "/tmp", { "sh" }, false },
};

static int run_script(void *arg)
{
	const struct script *s = arg;
	pid_t pid;

	if (enter_container() < 0)
		return FAILED;
	open_pipe();
	pid = fork();
	if (pid == 0) {
		if (chdir(s->folder) == 0)
			(void) execv("/bin/sh", (char **) (uintptr_t) s->argv);
		_exit(101);
	}
	return (int) judge(wait_for(pid));
}

static void interpreters(void)
{
	for (size_t i = 0; i < N_ELEMENTS(scripts); i++) {
		const struct script *s = &scripts[i];
		int r = lab_in(CONTAINER, run_script, (void *) (uintptr_t) s);
		const struct lab_seen *seen = lab_events();
		const struct event_exec *e = &seen->shell;

		lab_check(r == RAN && seen->n[EVENT_SHELL] == s->told, "%s: %s, %zu events", s->what, name_of(r), seen->n[EVENT_SHELL]);
		if (s->told)
			lab_check(e->why == PV_SHELL_SCRIPT && (e->bits & PV_EXEC_WRITABLE) && (strcmp(s->folder, "/") == 0 || strcmp(e->path, s->folder) == 0),
				  "and it is told so (%u, %s)", e->why, e->path);
	}
}

/* What a server starts of many programs in one, by the name that it calls it by. */
#define SLASHES_16 "////////////////"
#define SLASHES_144 SLASHES_16 SLASHES_16 SLASHES_16 SLASHES_16 SLASHES_16 SLASHES_16 SLASHES_16 SLASHES_16 SLASHES_16
static const struct {
	const char *name, *first;
	bool told;
} applets[] = {
	{ "sh", "-c", true },	 { "/bin/sh", "-c", true }, { "-sh", "-c", true },	      { "busybox", "sh", true }, { "-busybox", "/bin/sh", true },
	{ "ls", "-c", false },	 { "/sh/ls", "-c", false }, { SLASHES_144 "sh", "-c", true }, { "/bin/-sh", "-c", false },
	{ "busybox", SLASHES_144 "sh", true },
};

static int run_applet(void *arg)
{
	size_t i = *(size_t *) arg;
	pid_t pid;

	if (enter_container() < 0)
		return FAILED;
	open_pipe();
	pid = fork();
	if (pid == 0) {
		(void) execl("/bin/server", "server", "exec", "/bin/busybox", applets[i].name, applets[i].first, "id", NULL);
		_exit(101);
	}
	return (int) judge(wait_for(pid));
}

static void by_other_names(void)
{
	for (size_t i = 0; i < N_ELEMENTS(applets); i++) {
		int r = lab_in(CONTAINER, run_applet, &i);
		const struct lab_seen *seen = lab_events();

		lab_check(r == RAN && seen->n[EVENT_SHELL] == applets[i].told && (!applets[i].told || seen->shell.why == PV_SHELL_STARTED),
			  "a server starts %.20s %.20s: %s, %zu events, %u", applets[i].name, applets[i].first, name_of(r), seen->n[EVENT_SHELL],
			  seen->shell.why);
	}
}

/* With a container of its own each time. */
static bool reopen(void)
{
	int r;

	end_container();
	r = lab_reopen();
	return make_image() && start_container() && r == 0 && lab_events();
}

/* The same on a machine that takes no program before its functions: a tracepoint has to do. */
static void mappings_by_tracepoint(void)
{
	kernel_functions = FUNCTIONS_CLOSED;
	lab_check(reopen() && access_link("mmap") < 0 && access_link("mprotect") < 0 && access_link("unmapped") == 0 && !(kernel_degraded(lab_kernel) & BROKER_DEGRADED_MMAP),
		  "where functions take no programs a tracepoint is there");
	places(true);
}

/* And where one seems to be taken, and is not: everything else is attached, and what lacks is said. */
static void mappings_refused(void)
{
	const char *why;

	kernel_functions = FUNCTIONS_OPEN;
	lab_check(reopen(), "a hook that the kernel refuses does not end the start");
	why = kernel_reason(lab_kernel, BROKER_DEGRADED_MMAP);
	lab_check(access_link("exec") == 0 && (access_link("mmap") == 0) == (*why == '\0') && access_link("unmapped") < 0,
		  "what is left out is said: %s", *why ? why : "nothing");
	kernel_functions = FUNCTIONS_TRIED;
	lab_check(reopen() && access_link("mmap") != access_link("unmapped") && access_link("mmap") == access_link("mprotect") && !(kernel_degraded(lab_kernel) & BROKER_DEGRADED_MMAP),
		  "one of both is attached");
}

/* By the release alone; where the kernel says it itself, it must say the same. */
static void layouts(void)
{
	static const struct {
		const char *release;
		uint8_t layout;
	} cases[] = { { "5.10.0-28-amd64", PV_OVL_UNKNOWN }, { "5.15.0-91-generic", PV_OVL_LOWER }, { "5.19.0", PV_OVL_PATH },
		      { "6.1.0-56-amd64", PV_OVL_PATH },     { "6.4.16", PV_OVL_PATH },	       { "6.5.0-14-generic", PV_OVL_ENTRY },
		      { "6.18.44-x", PV_OVL_ENTRY },	     { "7.0", PV_OVL_ENTRY },		       { "linux", PV_OVL_UNKNOWN } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		lab_check(kernel_ovl_layout(cases[i].release) == cases[i].layout, "the overlay's layout of %s", cases[i].release);
}

/* ---- modes ---- */

static const struct program in_tmp = { "", "/bin/one", "/tmp/mode", AS_IS, plainly, KILLED, PV_PLACE_NEW, 0 };
static const struct program in_opt = { "", "/bin/one", "/opt/app/run", AS_IS, plainly, RAN, PV_PLACE_NEW, 0 };

static void expect(const char *what, const struct program *p, int outcome, uint32_t flags)
{
	const struct lab_seen *s;
	int r;

	(void) usleep(20000); /* a file of another time: what is only told is told once */
	r = lab_in(CONTAINER, run_program, (void *) (uintptr_t) p);
	s = lab_events();
	if (flags == UINT32_MAX)
		lab_check(r == outcome && s->n[EVENT_EXEC] == 0, "%s: %s, and nothing is told", what, name_of(r));
	else
		lab_check(r == outcome && s->n[EVENT_EXEC] == 1 && s->flags[EVENT_EXEC] == flags, "%s: %s (%zu events, flags %x)", what,
			  name_of(r), s->n[EVENT_EXEC], s->flags[EVENT_EXEC]);
}

static void put_policy(void)
{
	(void) kernel_policy(lab_kernel, lab_policy);
	(void) lab_events();
}

static void modes(void)
{
	uint64_t box = lab_mkdir(CONTAINER);

	expect("auto", &in_tmp, KILLED, EVF_REFUSED);
	lab_policy->observe = 1;
	put_policy();
	expect("observe", &in_tmp, RAN, EVF_OBSERVED);
	lab_policy->observe = 0;
	lab_policy->exec.action = ACTION_ALERT;
	put_policy();
	expect("alert", &in_tmp, RAN, EVF_ALERT);
	lab_policy->exec.action = ACTION_BLOCK;
	put_policy();
	expect("block, in /opt", &in_opt, KILLED, EVF_REFUSED);
	lab_policy->exec.action = ACTION_AUTO;
	put_policy();
	(void) kernel_off(lab_kernel, UINT64_MAX);
	expect("off", &in_tmp, RAN, EVF_OFF);
	(void) kernel_off(lab_kernel, 0);
	(void) kernel_except(lab_kernel, box, PV_ALLOW_EXEC);
	expect("an exception", &in_tmp, RAN, EVF_ALLOWED);
	(void) kernel_except(lab_kernel, box, 0);
	(void) kernel_exec(lab_kernel, box, PV_EXEC_ALERT);
	expect("a label", &in_tmp, RAN, EVF_ALERT);
	(void) kernel_exec(lab_kernel, box, PV_EXEC_BUILD);
	expect("an image build", &in_tmp, RAN, EVF_CLASS);
	expect("and once more", &in_tmp, RAN, UINT32_MAX);
	(void) kernel_exec(lab_kernel, box, 0);
	lab_policy->exec.n_allow = 2;
	(void) text_copy(lab_policy->exec.allow[0], 128, "/tmp/mo");
	(void) text_copy(lab_policy->exec.allow[1], 128, "/opt/app/");
	put_policy();
	expect("an allowed folder", &in_opt, RAN, UINT32_MAX);
	expect("a path is not what it begins with", &in_tmp, KILLED, EVF_REFUSED);
	(void) text_copy(lab_policy->exec.allow[0], 128, "/tmp/mode");
	put_policy();
	expect("an allowed program", &in_tmp, RAN, UINT32_MAX);
	lab_policy->exec.n_allow = 0;
	put_policy();
	expect("and no longer", &in_tmp, KILLED, EVF_REFUSED);
}

/* The reader is asleep in epoll_wait(), as the guard's engine is. */
static void wakes(void)
{
	pv_autoclose int sleeper = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN };

	(void) lab_events();
	(void) epoll_ctl(sleeper, EPOLL_CTL_ADD, kernel_ring_fd(lab_kernel), &e);
	(void) usleep(20000);
	(void) lab_in(CONTAINER, run_program, (void *) (uintptr_t) &in_opt);
	lab_check(epoll_wait(sleeper, &e, 1, 100) == 0, "what is only told wakes nobody");
	(void) lab_mkdir("docker/" HEX_D);
	lab_check(epoll_wait(sleeper, &e, 1, 1000) == 1, "and keeps nobody asleep for what comes after it");
	lab_rmdir("docker/" HEX_D);
	lab_check(lab_events()->n[EVENT_EXEC] == 1, "and is read then");
}

/* The guard starts while the runtime is on its way in: what it sees there is the host's root, not the container's. */
static void begun_meanwhile(void)
{
	end_container();
	lab_check(make_image() && start_container_while(lab_reopen) && lab_events(), "the guard starts while a container does");
	put_policy();
	expect("what is dropped into that container", &in_tmp, KILLED, EVF_REFUSED);
}

/* What a rootless engine's runtime does: in a mount namespace of its own it enters the cgroup, which systemd has made, and runs itself again
 * from memory. Then, `arg`: it enters the container's namespace, too, as whoever does so with a program of the container's. */
static int come_in(void *arg)
{
	pid_t pid;

	if (unshare(CLONE_NEWNS) < 0)
		return FAILED;
	open_pipe();
	pid = fork();
	if (pid == 0) {
		if (lab_enter(CONTAINER) < 0 || (arg && enter_container() < 0))
			_exit(102);
		from_memory(arg ? "/bin/one" : DIR_NAME "/lower/bin/one");
		_exit(101);
	}
	return (int) judge(wait_for(pid));
}

/* A process of the container's makes a namespace of its own and leaves for another cgroup; its child is where it was. */
static int child_of_who_left(void *arg)
{
	char path[1024], c = 0;
	int out, go[2];
	pid_t pid;

	(void) snprintf(path, sizeof(path), "%s/elsewhere/cgroup.procs", (const char *) arg);
	out = open(path, O_WRONLY | O_CLOEXEC);
	if (out < 0 || enter_container() < 0 || unshare(CLONE_NEWNS) < 0 || pipe(go) < 0)
		return FAILED;
	open_pipe();
	pid = fork();
	if (pid == 0) {
		(void) !read(go[0], &c, 1);
		from_memory("/bin/one");
		_exit(101);
	}
	if (write(out, "0", 1) != 1 || write(go[1], &c, 1) != 1)
		return FAILED;
	return (int) judge(wait_for(pid));
}

static void expect_memory(const char *what, int outcome, int r)
{
	const struct lab_seen *s = lab_events();

	lab_check(r == outcome && s->n[EVENT_EXEC] == (outcome == KILLED), "%s: %s (%zu events)", what, name_of(r), s->n[EVENT_EXEC]);
}

static void rootless(void)
{
	const char *before = container;

	end_container();
	container = "docker/" HEX_D;
	(void) lab_mkdir(CONTAINER);
	(void) lab_mkdir("elsewhere");
	lab_check(make_image() && lab_events(), "a container whose runtime has a mount namespace of its own");
	expect_memory("that runtime, before the first program", RAN, lab_in("elsewhere", come_in, NULL));
	lab_check(start_container() && lab_events(), "the first program");
	expect("what is dropped into that container", &in_tmp, KILLED, EVF_REFUSED);
	expect_memory("that runtime, to run one more", RAN, lab_in("elsewhere", come_in, NULL));
	expect_memory("what it runs in the container", KILLED, lab_in("elsewhere", come_in, (void *) (uintptr_t) 1));
	expect_memory("a child of who left the container", KILLED, lab_in(CONTAINER, child_of_who_left, (void *) (uintptr_t) lab_root));
	end_container();
	lab_rmdir("elsewhere");
	container = before;
}

/* `docker exec`: who starts a program stands outside, with PIDs of the host's. The starter that ends has no namespaces while the kernel lets
 * go of the memory that it held, and its child is not somebody else's yet. */
enum starter { STAYS, ENDS, ENDS_WITHIN, ENDS_WITHIN_HOSTS_PIDS, STAYS_WITHIN };

static void hold_much(void)
{
	int fd = memfd_create("much", 0);

	if (fd < 0 || fallocate(fd, 0, 0, 256 << 20) < 0)
		_exit(103);
}

static void start_server(enum starter who)
{
	const bool ends = who != STAYS && who != STAYS_WITHIN;
	int told[2];
	char c;

	if (ends)
		hold_much(); /* on both sides: whatever the order in which its files are closed */
	if (pipe(told) < 0)
		return;
	if (ends)
		hold_much();
	if (fork() == 0) {
		(void) close(told[1]);
		if (who < ENDS_WITHIN ? lab_enter(CONTAINER) < 0 || enter_container() < 0 : who == STAYS_WITHIN && unshare(CLONE_NEWNS) < 0)
			_exit(102);
		(void) close_range(told[0] + 1, ~0u, 0);
		(void) !read(told[0], &c, 1);
		(void) execl("/bin/server", "server", "exec", "/bin/busybox", "sh", "-c", "id", NULL);
		_exit(101);
	}
	(void) usleep(50000); /* it reads by then */
	if (ends)
		return;
	(void) !write(told[1], "x", 1);
	(void) wait(NULL);
}

/* Its children are in the container's PID namespace; or in one that it makes, whose init is in the container's other ones. */
static bool take_pids(bool make, int hold)
{
	char path[64], c;
	pv_autoclose int ns = -1;

	if (!make) {
		(void) snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int) holder);
		ns = open(path, O_RDONLY | O_CLOEXEC);
		return ns >= 0 && setns(ns, CLONE_NEWPID) == 0;
	}
	if (unshare(CLONE_NEWPID) < 0)
		return false;
	if (fork() == 0) {
		if (lab_enter(CONTAINER) == 0 && enter_container() == 0)
			(void) !read(hold, &c, 1);
		_exit(0);
	}
	return true;
}

static int run_from_outside(void *arg)
{
	enum starter who = *(enum starter *) arg;
	struct pollfd wrote = { .events = POLLIN };
	int hold[2], n;

	open_pipe();
	if (pipe(hold) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return FAILED;
	if (fork() == 0) {
		(void) close(hold[1]);
		if (!take_pids(who == ENDS_WITHIN_HOSTS_PIDS, hold[0]))
			_exit(102);
		if ((who == ENDS_WITHIN || who == STAYS_WITHIN) && fork() != 0) {
			(void) wait(NULL);
			_exit(0);
		}
		if (who >= ENDS_WITHIN && (lab_enter(CONTAINER) < 0 || enter_container() < 0))
			_exit(102);
		start_server(who);
		_exit(0);
	}
	wrote.fd = out_pipe[0];
	n = poll(&wrote, 1, 10000);
	(void) close(hold[1]); /* that init ends, and all with it */
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return n == 1 ? RAN : FAILED;
}

static void brought_in(void)
{
	static const struct {
		const char *what;
		bool told;
	} cases[] = {
		[STAYS] = { "a server's name that is brought in starts a shell", false },
		[ENDS] = { "the same, while who brought it ends", false },
		[ENDS_WITHIN] = { "while a process of the container's ends", true },
		[ENDS_WITHIN_HOSTS_PIDS] = { "that one with PIDs of the host's", true },
		[STAYS_WITHIN] = { "a process of the container's, in a mount namespace of its own", true },
	};

	(void) lab_mkdir("elsewhere");
	for (enum starter i = STAYS; i < (int) N_ELEMENTS(cases); i++) {
		end_container();
		own_pids = i != ENDS_WITHIN_HOSTS_PIDS;
		lab_check(make_image() && start_container() && lab_events(), "a container with PIDs of %s", own_pids ? "its own" : "the host's");
		int r = lab_in("elsewhere", run_from_outside, &i);
		const struct lab_seen *s = lab_events();

		lab_check(r == RAN && s->n[EVENT_SHELL] == cases[i].told, "%s: %s, %zu events", cases[i].what, name_of(r), s->n[EVENT_SHELL]);
		if (cases[i].told && i != ENDS_WITHIN_HOSTS_PIDS) /* whose orphans go to somebody outside */
			lab_check(s->shell.n_chain, "with who started it");
		if (i == STAYS) {
			kernel_exec_end(lab_kernel, lab_mkdir(CONTAINER)); /* what the hooks saw */
			lab_check(lab_reopen() == 0 && lab_events(), "a guard that did not see it begin");
			r = lab_in("elsewhere", run_from_outside, &i);
			s = lab_events();
			lab_check(r == RAN && !s->n[EVENT_SHELL], "it knows the container's PIDs, too: %s, %zu events", name_of(r), s->n[EVENT_SHELL]);
		}
	}
	own_pids = false;
	lab_rmdir("elsewhere");
}

/* The grace is that of a container's first start, not of each. */
static void grace(void)
{
	static const struct program miner = { "", "/bin/one", "/tmp/xmrig", AS_IS, plainly, KILLED, PV_PLACE_NEW, 0 };
	static const char *const ids[] = { "docker/" HEX_E, "docker/" HEX_F };

	lab_policy->exec.grace_us = 1000000;
	put_policy();
	(void) usleep(1100000); /* since the first start of the first of them */
	for (size_t i = 0; i < N_ELEMENTS(ids); i++) {
		end_container();
		container = ids[i];
		if (!make_image() || !start_container()) {
			lab_check(false, "another container");
			return;
		}
		(void) lab_events();
		if (i == 0) {
			expect("a container that is started again", &in_tmp, KILLED, EVF_REFUSED);
			continue;
		}
		expect("a new container, soon after its start", &in_tmp, RAN, 0);
		expect("but not a miner's name", &miner, KILLED, EVF_REFUSED);
		(void) usleep(1100000);
		expect("and a while later", &in_tmp, KILLED, EVF_REFUSED);
	}
	end_container();
}

/* ---- ways to start it: not one byte ---- */

static char *const no_args[] = { (char *) (uintptr_t) "x", NULL };
static const char *dropped = "/tmp/dropped";

static int by_fork(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void) execv(dropped, no_args);
		_exit(1);
	}
	return wait_for(pid);
}

static int by_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		(void) execv(dropped, no_args);
		_exit(1);
	}
	return wait_for(pid);
}

static int by_spawn(void)
{
	pid_t pid;

	return posix_spawn(&pid, dropped, NULL, NULL, no_args, NULL) == 0 ? wait_for(pid) : -1;
}

static int by_the_loader(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		by_loader(dropped);
		_exit(1);
	}
	return wait_for(pid);
}

static int wait_thread(void *arg)
{
	(void) arg;
	for (;;)
		(void) pause();
	return 0;
}

static int exec_thread(void *arg)
{
	(void) arg;
	(void) execv(dropped, no_args);
	return 1;
}

static int by_thread(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		thrd_t t;

		for (int i = 0; i < 6; i++)
			(void) thrd_create(&t, wait_thread, NULL);
		(void) thrd_create(&t, exec_thread, NULL);
		(void) thrd_join(t, NULL);
		_exit(1);
	}
	return wait_for(pid);
}

static int with_signals_off(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t all;

		(void) sigfillset(&all);
		(void) sigprocmask(SIG_BLOCK, &all, NULL);
		for (int i = 1; i < 64; i++)
			(void) signal(i, SIG_IGN);
		(void) execv(dropped, no_args);
		_exit(1);
	}
	return wait_for(pid);
}

/* The init of a PID namespace takes no signal from inside; this one comes from the kernel. */
static int as_init(void)
{
	pid_t pid = (pid_t) syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0) {
		(void) execv(dropped, no_args);
		_exit(1);
	}
	return wait_for(pid);
}

static const struct {
	const char *what;
	int (*start)(void);
} ways[] = { { "fork", by_fork },     { "vfork", by_vfork },	      { "posix_spawn", by_spawn },
	     { "a thread", by_thread }, { "signals off", with_signals_off }, { "as init", as_init },	      { "the loader", by_the_loader } };

struct tries {
	size_t way;
	int n;
	const char *path;
};

static int try_many(void *arg)
{
	const struct tries *t = arg;
	char c;

	(void) alarm(0);
	if (enter_container() < 0)
		return 2;
	open_pipe();
	(void) copy("/bin/one", dropped, 0755);
	dropped = t->path;
	for (int i = 0; i < t->n; i++) {
		int status = ways[t->way].start();
		bool wrote = read(out_pipe[0], &c, 1) == 1;

		if (strcmp(t->path, "/bin/one") == 0 ? !wrote : wrote || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			return 1;
	}
	return 0;
}

static pid_t start_load(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (volatile unsigned i = 0;; i++)
			;
	}
	return pid;
}

static void tries(int total)
{
	pid_t load[4] = { 0 };
	int each = total / (int) N_ELEMENTS(ways) / 2, done = 0;

	for (int busy = 0; busy < 2; busy++) {
		for (size_t i = 0; busy && i < N_ELEMENTS(load); i++)
			load[i] = start_load();
		for (size_t i = 0; i < N_ELEMENTS(ways); i++) {
			struct tries control = { i, 20, "/bin/one" }, t = { i, each, "/tmp/dropped" };

			lab_check(lab_in(CONTAINER, try_many, &control) == 0, "%s: the image's own program writes its byte", ways[i].what);
			lab_check(lab_in(CONTAINER, try_many, &t) == 0, "%s: %d tries%s, not one byte", ways[i].what, each,
				  busy ? " under load" : "");
			done += each;
			(void) lab_events();
		}
	}
	for (size_t i = 0; i < N_ELEMENTS(load); i++)
		if (load[i] > 0) {
			(void) kill(load[i], SIGKILL);
			(void) wait_for(load[i]);
		}
	printf("# %d tries\n", done);
}

/* ---- the suites ---- */

static bool begin(void)
{
	static const struct {
		const char *name;
		uint32_t what;
	} names[] = { { "xmrig", PV_NAME_MINER | PV_NAME_STEM }, { "kworkerd", PV_NAME_LOOKALIKE }, { "sh", PV_NAME_SHELL },
			{ "server", PV_NAME_SERVER }, { "busybox", PV_NAME_MULTI } };

	lab_policy->exec.action = ACTION_AUTO;
	lab_policy->exec.grace_us = 0;
	lab_policy->exec.n_names = N_ELEMENTS(names);
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		(void) text_copy(lab_policy->exec.names[i].name, PV_NAME_LEN, names[i].name);
		lab_policy->exec.names[i].what = names[i].what;
	}
	put_policy();
	if (kernel_degraded(lab_kernel) & BROKER_DEGRADED_EXEC) {
		lab_skip("no hook on exec here: %s", kernel_reason(lab_kernel, BROKER_DEGRADED_EXEC));
		return false;
	}
	if (!make_image() || !start_container()) {
		lab_skip("no overlay in a mount namespace here: %s", strerror(errno));
		end_container();
		return false;
	}
	(void) lab_events();
	return true;
}

void suite_exec(void)
{
	const char *n = getenv("PAVISE_TRIES");
	uint32_t total = 600;

	if (n)
		(void) parse_u32(n, &total);
	if (!begin())
		return;
	layouts();
	places(false);
	interpreters();
	by_other_names();
	if (access_link("mmap") == 0)
		mappings_by_tracepoint();
	mappings_refused();
	modes();
	wakes();
	brought_in();
	begun_meanwhile();
	tries((int) total);
	rootless();
	grace();
	lab_policy->exec.grace_us = 0;
	lab_policy->exec.action = ACTION_IGNORE;
	put_policy();
}

/* Called by suite_cost for its figures: the image's program, n times. */
bool exec_box_begin(void)
{
	return begin();
}

int exec_box_run(int n)
{
	struct tries t = { 1, n, "/bin/one" };

	return lab_in(CONTAINER, try_many, &t);
}

/* One file a run: what is only told is told once. */
static int tell_many(void *arg)
{
	int n = *(int *) arg;
	char path[40];

	if (enter_container() < 0)
		return 2;
	open_pipe();
	for (int i = 0; i < n; i++) {
		(void) snprintf(path, sizeof(path), "/opt/told%d", i);
		(void) unlink(path);
		if (!copy("/bin/one", path, 0755))
			return 3;
	}
	for (int i = 0; i < n; i++) {
		(void) snprintf(path, sizeof(path), "/opt/told%d", i);
		dropped = path;
		if (judge(by_vfork()) != RAN)
			return 1;
	}
	return 0;
}

int exec_box_tell(int n)
{
	(void) usleep(1100000); /* a new second, so that all are told */
	return lab_in(CONTAINER, tell_many, &n);
}

void exec_box_end(void)
{
	end_container();
	lab_policy->exec.action = ACTION_IGNORE;
	put_policy();
}
