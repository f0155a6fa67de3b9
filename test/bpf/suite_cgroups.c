#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "senders.h"
#include "test_bpf.h"

static void births(void)
{
	uint64_t id, nested;
	struct pv_workload w = { 0 };
	const struct lab_seen *s;

	(void) lab_events();
	id = lab_mkdir("docker/" HEX_B "/inner");
	s = lab_events();
	lab_check(s->n[EVENT_CGROUP_NEW] >= 1 && s->cgroup.head.cgroup_id == id && strstr(s->cgroup.path, HEX_B "/inner") &&
			  s->cgroup.head.class_ == PV_CLASS_CONTAINER && s->cgroup.root_id == s->cgroup.parent_id,
		  "a new cgroup is told with its path: %s", s->cgroup.path);
	lab_check(kernel_workload(lab_kernel, id, &w) == 0 && w.class_ == PV_CLASS_CONTAINER && w.root_id == s->cgroup.parent_id,
		  "and is in the table with its class and its topmost cgroup");
	nested = id;
	lab_rmdir("docker/" HEX_B "/inner");
	s = lab_events();
	lab_check(s->n[EVENT_CGROUP_GONE] == 1 && s->cgroup.head.cgroup_id == nested, "its end is told");
	lab_check(kernel_workload(lab_kernel, nested, &w) == -ENOENT, "and it leaves the table");
	(void) mkdir("/sys/fs/cgroup/unified/pvbpf-elsewhere", 0755);
	(void) rmdir("/sys/fs/cgroup/unified/pvbpf-elsewhere");
	lab_check(lab_events()->n[EVENT_CGROUP_NEW] == 0, "one that is not below the watched root is none of ours");
}

static const struct job tcp = { BY_CONNECT, OUT4, 3333, NULL };
static const struct job dns = { BY_SENDTO, OUT4, 53, "pool.example.com" };
static const struct job raw = { BY_RAW_UDP, OUT4, 3333, NULL };

static const struct job dot = { BY_CONNECT, OUT4, 853, NULL };

static const struct job without_room = { BY_CONNECT, OUT6, 3334, NULL, true };

/* Both ends are its own: does the other hear a miner's words? */
static int speak(void)
{
	static const char words[] = "{\"id\": 1, \"method\": \"mining.subscribe\"}\n";
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(me);
	int at = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd p = { .events = POLLIN };

	if (bind(at, (struct sockaddr *) &me, len) < 0 || listen(at, 1) < 0 || getsockname(at, (struct sockaddr *) &me, &len) < 0 ||
	    connect(fd, (struct sockaddr *) &me, len) < 0 || send(fd, words, sizeof(words) - 1, MSG_NOSIGNAL) < 0)
		return BROKEN;
	p.fd = accept(at, NULL, NULL);
	return poll(&p, 1, 300) == 1 ? WENT : REFUSED;
}

/* In the container: moves itself to the top, where only telling is done, and tries; then a child of it does. */
static int escape(void *arg)
{
	int r, status;
	pid_t pid;

	(void) arg;
	if (send_job((void *) (uintptr_t) &without_room) != WENT)
		return 97;
	pid = fork(); /* a process that was never moved into the container by anybody */
	if (pid == 0) {
		if (lab_enter(".") < 0)
			_exit(99);
		r = send_job((void *) (uintptr_t) &tcp) == REFUSED && send_job((void *) (uintptr_t) &dns) == REFUSED &&
		    send_job((void *) (uintptr_t) &raw) == REFUSED && send_job((void *) (uintptr_t) &dot) == REFUSED && speak() == REFUSED &&
		    send_job((void *) (uintptr_t) &without_room) == REFUSED;
		pid = fork();
		if (pid == 0)
			_exit(send_job((void *) (uintptr_t) &tcp) != REFUSED);
		(void) waitpid(pid, &status, 0);
		_exit(r && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1);
	}
	(void) waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

/* In the container: a child that begins in another cgroup, which is no move. */
static int begin_elsewhere(void *arg)
{
	struct clone_args how = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	char path[600];
	int status = -1, fd;
	long pid;

	(void) snprintf(path, sizeof(path), "%s/%s", lab_root, (const char *) arg);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	how.cgroup = (uint64_t) fd;
	pid = fork(); /* one that nobody has moved in, as above */
	if (pid == 0) {
		pid = syscall(SYS_clone3, &how, sizeof(how));
		if (pid == 0)
			_exit(send_job((void *) (uintptr_t) &tcp));
		_exit(pid > 0 && waitpid((pid_t) pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 99);
	}
	(void) waitpid((pid_t) pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int enter_nested(void *arg)
{
	return lab_enter(arg) < 0 ? 99 : 0;
}

static void moves(void)
{
	uint64_t box = lab_mkdir(BOX);
	static char nested[] = BOX "/nested", protected[] = "system.slice/ssh.service";
	const struct lab_seen *s;
	int r;

	(void) lab_mkdir(BOX "/nested");
	(void) lab_mkdir("system.slice/ssh.service");
	lab_policy->dns.encrypted = ACTION_BLOCK;
	(void) kernel_policy(lab_kernel, lab_policy);
	(void) lab_events();
	r = lab_in(BOX, begin_elsewhere, protected);
	s = lab_events();
	lab_check(r == REFUSED && s->n[EVENT_MOVED] == 1 && s->move.head.cgroup_id == box && s->flags[EVENT_NET] & EVF_MOVED,
		  "who begins in a protected unit has left the container that began it: %s, told %zu times", outcome_name(r), s->n[EVENT_MOVED]);
	r = lab_in(BOX, begin_elsewhere, nested);
	s = lab_events();
	lab_check(r == REFUSED && s->n[EVENT_MOVED] == 0 && !(s->flags[EVENT_NET] & EVF_MOVED), "within the container that is no leaving (%zu)", s->n[EVENT_MOVED]);
	lab_check(lab_in(BOX, enter_nested, nested) == 0 && lab_events()->n[EVENT_MOVED] == 0, "a move within the container is none");
	r = lab_in(BOX, escape, NULL);
	s = lab_events();
	lab_check(r == 0, "who moved out keeps the class it left, and so do its children (%d)", r);
	lab_check(s->n[EVENT_MOVED] == 1 && s->move.head.cgroup_id == box && s->move.to_id == kernel_root_id(lab_kernel),
		  "the move is told once");
	lab_check(s->n[EVENT_NET] == 4 && s->n[EVENT_OPENING] == 2 && s->net.head.cgroup_id == box && (s->flags[EVENT_NET] & EVF_MOVED) &&
			  (s->flags[EVENT_DNS] & EVF_MOVED),
		  "refusals name the container (%zu, %x %x)", s->n[EVENT_NET], s->flags[EVENT_NET], s->flags[EVENT_DNS]);
	lab_policy->dns.encrypted = ACTION_ALERT;
	(void) kernel_policy(lab_kernel, lab_policy);
}

/* ---- OOM: a v1 memory cgroup of 16 MB, or v2 where the controller is ---- */

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t) strlen(text);

	(void) pv_close(fd);
	return ok;
}

static char memory_dir[256];

static int eat(void *arg)
{
	char path[300];
	pid_t pid;
	int status;

	(void) arg;
	(void) snprintf(path, sizeof(path), "%s/cgroup.procs", memory_dir);
	pid = fork(); /* the child dies, the workload lives on */
	if (pid == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!write_file(path, "0"))
			_exit(2);
		for (;;) {
			char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

			if (p != MAP_FAILED)
				memset(p, 1, 1 << 20);
		}
	}
	(void) waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : 1;
}

static void oom(void)
{
	uint64_t box = lab_mkdir(BOX);
	char path[300];
	const struct lab_seen *s;
	int r;

	(void) snprintf(memory_dir, sizeof(memory_dir), "/sys/fs/cgroup/memory/pvbpf-%d", (int) getpid());
	(void) snprintf(path, sizeof(path), "%s/memory.limit_in_bytes", memory_dir);
	if (mkdir(memory_dir, 0755) < 0 || !write_file(path, "16777216")) {
		(void) rmdir(memory_dir);
		lab_skip("no v1 memory controller to kill with");
		return;
	}
	(void) lab_events();
	r = lab_in(BOX, eat, NULL);
	s = lab_events();
	lab_check(r == 0 && s->n[EVENT_OOM] == 1 && s->oom.cgroup_id == box && s->oom.class_ == PV_CLASS_CONTAINER,
		  "an OOM kill is told with the victim's own cgroup (%d, %zu)", r, s->n[EVENT_OOM]);
	(void) rmdir(memory_dir);
}

void suite_cgroups(void)
{
	births();
	moves();
	oom();
}
