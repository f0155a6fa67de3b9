#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
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

/* In the container: moves itself to the top, where only telling is done, and tries; then a child of it does. */
static int escape(void *arg)
{
	int r, status;
	pid_t pid;

	(void) arg;
	pid = fork(); /* a process that was never moved into the container by anybody */
	if (pid == 0) {
		if (lab_enter(".") < 0)
			_exit(99);
		r = send_job((void *) (uintptr_t) &tcp) == REFUSED && send_job((void *) (uintptr_t) &dns) == REFUSED &&
		    send_job((void *) (uintptr_t) &raw) == REFUSED;
		pid = fork();
		if (pid == 0)
			_exit(send_job((void *) (uintptr_t) &tcp) != REFUSED);
		(void) waitpid(pid, &status, 0);
		_exit(r && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1);
	}
	(void) waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int enter_nested(void *arg)
{
	return lab_enter(arg) < 0 ? 99 : 0;
}

static void moves(void)
{
	uint64_t box = lab_mkdir(BOX);
	static char nested[] = BOX "/nested";
	const struct lab_seen *s;
	int r;

	(void) lab_mkdir(BOX "/nested");
	(void) lab_events();
	lab_check(lab_in(BOX, enter_nested, nested) == 0 && lab_events()->n[EVENT_MOVED] == 0, "a move within the container is none");
	r = lab_in(BOX, escape, NULL);
	s = lab_events();
	lab_check(r == 0, "who moved out keeps the class it left, and so do its children (%d)", r);
	lab_check(s->n[EVENT_MOVED] == 1 && s->move.head.cgroup_id == box && s->move.to_id == kernel_root_id(lab_kernel),
		  "the move is told once");
	lab_check(s->n[EVENT_NET] == 3 && s->net.head.cgroup_id == box && (s->flags[EVENT_NET] & EVF_MOVED) &&
			  (s->flags[EVENT_DNS] & EVF_MOVED),
		  "refusals name the container (%zu, %x %x)", s->n[EVENT_NET], s->flags[EVENT_NET], s->flags[EVENT_DNS]);
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
