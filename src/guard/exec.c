/* exec.c - programs that are not of their container's image: the kernel has decided, this tells. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "detect/credential.h"
#include "detect/entry.h"
#include "detect/miner.h"
#include "detect/script.h"
#include "guard/guard.h"
#include "report/tell.h"

#define BUILD_QUIET_US (10 * USEC_PER_MIN) /* programs of builds closer together than this are one build's */

/* `arg`: the cgroup's id. */
static void answered(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct guard_workload *w = rep->result < 0 ? table_find(g, (uint64_t) (uintptr_t) arg) : NULL;

	(void) pv_close(fd);
	if (w)
		w->exec_told = UINT32_MAX; /* once more with what is told of it next */
	if (rep->result < 0 && rep->result != -ESRCH && rep->result != -EPIPE)
		(void) log_warning_errno(rep->result, "the broker refused to change how a container's programs are judged");
}

/* A label is a softer word than an exception: it never keeps silent what would have been refused. */
void exec_tell_kernel(struct guard *g, struct guard_workload *w)
{
	struct broker_req req = { .op = BROKER_EXEC, .cgroup = w->w.cgroup };
	uint32_t want = 0;

	if (!w->w.info || w->w.class_ != PV_CLASS_CONTAINER)
		return;
	if (w->info.label_action[SIGNAL_EXEC] < ACTION_N)
		want |= PV_EXEC_ALERT;
	if (w->info.build)
		want |= PV_EXEC_BUILD;
	/* The kernel remembers the first start, but not over a reboot; what was made within the grace keeps the rest of it. */
	if (w->info.ran_before && clock_wall_us() > w->info.created_us + g->policy->exec.grace_us)
		want |= PV_EXEC_NO_GRACE;
	if (want == w->exec_told)
		return;
	req.arg = want;
	if (link_call(g, &req, answered, (void *) (uintptr_t) w->w.cgroup) == 0)
		w->exec_told = want;
}

static bool is_build(const struct event_exec *e, const struct guard_workload *w)
{
	return e->head.class_ == PV_CLASS_BUILD || (w && w->w.info && w->info.build);
}

/* One notice a build, however many steps and programs it has; its steps are workloads of their own. */
static bool is_same_build(struct guard *g)
{
	uint64_t now = clock_monotonic_us();
	bool same = g->build_us && now - g->build_us < BUILD_QUIET_US;

	g->build_us = now;
	return same;
}

/* Once an hour and sign for each workload (detect/burst.h); an exception or label for exec spares it. */
static void look_for_miner(struct guard *g, struct guard_workload *w, const char *argv, size_t len, uint32_t pid)
{
	const char *sign = miner_sign(argv, len);
	struct notice n;
	char name[160];
	int exception;

	if (!sign || !w || w->w.class_ == PV_CLASS_BUILD)
		return;
	workload_name(name, sizeof(name), &w->w);
	if (policy_action(g->policy, name, SIGNAL_EXEC, &exception) == ACTION_IGNORE)
		return;
	notice_init(&n, ID_EXEC_MINER, clock_wall_us());
	notices_subject(&n, w);
	tell_miner(&n, sign, argv, len, pid);
	notices_fold(g, kernel_mix(kernel_mix(ID_EXEC_MINER, &w->w.cgroup, 8), sign, strlen(sign)), &n);
}

#define LOOK_PIDS    64
#define LOOK_BUSY    500 /* permyriad of a core: who mines, computes */
#define LOOK_EACH_US (15 * USEC_PER_SEC)

/* Its command line, a NUL behind each word and one at the end. How many octets; 0: it has none any more. */
static size_t read_line(uint32_t pid, char *out, size_t size)
{
	char path[40];

	(void) snprintf(path, sizeof(path), "/proc/%u/cmdline", pid);
	return pv_read_start(path, out, size);
}

void exec_look(struct guard *g, struct guard_workload *w, uint64_t now_us)
{
	uint32_t pids[LOOK_PIDS];
	char argv[2049];
	int n;

	if (!w->load || load_cpu_now(w->load) < LOOK_BUSY || (w->looked_us && now_us - w->looked_us < LOOK_EACH_US))
		return;
	w->looked_us = now_us;
	n = cgroup_files_pids(w->files, pids, LOOK_PIDS);
	for (int i = 0; i < n; i++) {
		size_t len = read_line(pids[i], argv, sizeof(argv));

		if (len)
			look_for_miner(g, w, argv, len, pids[i]);
	}
}

/* It was mapped, by a program that goes on; not the loader about to run it. */
static bool is_library(const struct event_exec *e)
{
	return (e->bits & (PV_EXEC_MAPPED | PV_EXEC_LOADER)) == PV_EXEC_MAPPED;
}

static enum severity severity_of(const struct event_exec *e, const struct notice *n, bool build)
{
	if (build)
		return SEV_LOW;
	if (is_library(e)) /* what unpacks its own libraries does so in /tmp: JNA, netty */
		return e->why == PV_WHY_MEMORY || e->why == PV_WHY_NAME || e->why == PV_WHY_CHANGED ? SEV_HIGH : SEV_MEDIUM;
	if (n->action == DONE_BLOCKED || n->action == DONE_WOULD_BLOCK || e->why != PV_WHY_NONE)
		return e->why == PV_WHY_NAME || e->why == PV_WHY_SHELL ? SEV_CRITICAL : SEV_HIGH;
	return SEV_MEDIUM;
}

/* Whoever has this program's bytes is refused wherever he turns up: not for its place alone, where honest programs may be
 * copied to as well. */
static bool is_bad_itself(const struct event_exec *e)
{
	return e->why == PV_WHY_NAME || e->why == PV_WHY_SHELL || e->why == PV_WHY_MEMORY || e->why == PV_WHY_CHANGED;
}

static void take_evidence(struct guard *g, struct guard_workload *w, const struct event_exec *e, const struct notice *n)
{
	const bool dead = e->head.flags & EVF_REFUSED && !(e->bits & PV_EXEC_UNKILLED);
	char path[PV_EXEC_PATH + 1] = { 0 }, called[sizeof(e->filename) + 1] = { 0 };

	if (!w && e->head.class_ == PV_CLASS_CONTAINER) /* it ended while no engine ran */
		capture_none(g, n->row, -ESRCH);
	memcpy(path, e->path, sizeof(e->path));
	memcpy(called, e->filename, sizeof(e->filename));
	capture_evidence(g, w, n, &(struct capture_of){ .pid = e->head.tgid, .dev = e->dev, .ino = e->ino, .dead = dead, .path = path, .event = e,
							.also = e->bits & PV_EXEC_SCRIPT && called[0] == '/' ? called : NULL,
							.remember = e->head.flags & EVF_REFUSED && is_bad_itself(e) });
}

/* Whether a program that the kernel let through may be ended by us: the same words as for a block. */
static bool may_end(const struct guard *g, const struct guard_workload *w, const struct event_exec *e)
{
	const enum pv_action action = (enum pv_action) g->policy->exec.action;

	return (action == ACTION_AUTO || action == ACTION_BLOCK) && !g->policy->observe && !acts_are_lifted(g) && e->head.flags == 0 &&
	       w->w.class_ == PV_CLASS_CONTAINER && !(w->w.info && w->info.label_action[SIGNAL_EXEC] < ACTION_N);
}

/* Length and time say that it is the image's, or the length alone does: its bytes decide. And what is new to the container may
 * be one that was refused elsewhere. */
static void look_at_program(struct guard *g, struct guard_workload *w, const struct event_exec *e)
{
	bool compare = e->place == PV_PLACE_COPIED || (e->place == PV_PLACE_CHANGED && !(e->bits & PV_EXEC_SIZE));

	if (w && !(e->head.flags & (EVF_REFUSED | EVF_ALLOWED)))
		capture_judge(g, w, e, compare, may_end(g, w, e));
}

void exec_event(struct guard *g, const struct event_exec *e)
{
	struct guard_workload *w = table_find(g, e->head.cgroup_id);
	uint64_t root = w ? w->w.cgroup : e->head.cgroup_id, key;
	bool build = is_build(e, w);
	struct notice n;

	if (e->head.flags & EVF_REFUSED && w)
		w->refused++;
	if (kernel_is_ignored(g, w, e->head.flags, SIGNAL_EXEC) || (build && is_same_build(g)))
		return;
	look_for_miner(g, w, e->argv, PV_MIN((size_t) e->argv_len, sizeof(e->argv)), e->head.tgid);
	if (w && w->w.info && w->info.label_action[SIGNAL_EXEC] == ACTION_IGNORE && e->why == PV_WHY_NONE)
		return;
	if (!build && !is_library(e))
		look_at_program(g, w, e);
	if (e->place == PV_PLACE_COPIED)
		return; /* its bytes are the image's, unless that look says otherwise */
	notice_init(&n, ID_EXEC_DROPPED, kernel_event_time(&e->head));
	kernel_notice_fill(&n, &e->head, w);
	n.severity = severity_of(e, &n, build);
	tell_exec(&n, e, build);
	key = kernel_mix(kernel_mix(kernel_mix(ID_EXEC_DROPPED, &root, 8), &e->head.flags, 2), &e->place, 2);
	if (is_library(e)) /* one notice for all that a program loads; its libraries' names are random ones often enough */
		key = kernel_mix(kernel_mix(key, "mapped", 6), e->filename, kernel_name_fits(g, w) ? strnlen(e->filename, sizeof(e->filename)) : 0);
	else if (kernel_name_fits(g, w))
		key = kernel_mix(key, e->path, strnlen(e->path, sizeof(e->path)));
	n.count += e->repeats;
	notices_fold(g, key, &n);
	if (n.row && (n.action == DONE_BLOCKED || n.severity >= SEV_HIGH))
		take_evidence(g, w, e, &n);
}

/* What honest servers start through a shell, every time: PostgreSQL asks once for the machine's locales. */
static bool is_habit(const struct event_exec *e)
{
	static const char locale[] = "sh\0-c\0locale -a";

	return e->n_chain && strncmp(e->chain[0].comm, "postgres", PV_COMM_LEN) == 0 && e->argv_len == sizeof(locale) &&
	       memcmp(e->argv, locale, sizeof(locale)) == 0;
}

#define EXEC_JUST_US (5 * USEC_PER_SEC)
#define EXEC_WAIT_US (700 * USEC_PER_MSEC) /* the engine's word comes by another way than the kernel's, and later */
#define EXEC_WAITING 64

/* A shell of which the engine may say yet that it brought it in. */
struct exec_waiting {
	struct guard *g;
	struct exec_waiting *next;
	sd_event_source *timer;
	struct event_exec e;
};

/* The container's first process is not known yet, or the chain ends at another one. */
static bool may_be_brought_in(const struct event_exec *e, const struct guard_workload *w)
{
	return w && w->w.class_ == PV_CLASS_CONTAINER && e->n_chain && e->n_chain < PV_EXEC_CHAIN &&
	       (!w->w.info || !w->info.pid || e->chain[e->n_chain - 1].tgid != w->info.pid);
}

/* The one who came in runs the line of the container's health check. */
static bool is_health_check(const struct event_exec *e, const struct guard_workload *w)
{
	char line[PV_EXEC_ARGV + 1];
	size_t n = read_line(e->chain[e->n_chain - 1].tgid, line, sizeof(line)); /* as much as an event holds */

	return n && entry_is_health(&w->info, line, n);
}

/* The chain ends at the container's border. Where that is not its first process, somebody came in from outside, and the engine
 * has said so: docker exec, or a health check; or it is the health check by its line. A process of the container cannot get there: its
 * chain of parents leads to the first one. */
static bool is_brought_in(const struct event_exec *e, const struct guard_workload *w)
{
	if (!w || !w->w.info || !w->info.pid || !e->n_chain || e->n_chain >= PV_EXEC_CHAIN)
		return false;
	return e->chain[e->n_chain - 1].tgid != w->info.pid &&
	       (w->execs || (w->exec_us && clock_monotonic_us() - w->exec_us < EXEC_JUST_US) || is_health_check(e, w));
}

/* The container's own command, which a wrapper started that goes by a server's name. */
static bool is_own_entry(const struct event_exec *e, const struct guard_workload *w)
{
	return (e->why == PV_SHELL_STARTED || e->why == PV_SHELL_SCRIPT) && w && w->w.info &&
	       entry_is_own(&w->info, e->argv, PV_MIN((size_t) e->argv_len, sizeof(e->argv)), e->bits & PV_EXEC_SCRIPT);
}

/* The kernel's word is taken for a guess: here the path is put together. */
static bool has_temporary_script(const struct event_exec *e, char *path, size_t size)
{
	char folder[PV_EXEC_PATH + 1] = { 0 };

	memcpy(folder, e->path, sizeof(e->path));
	return (e->bits & PV_EXEC_WRITABLE) && script_is_temporary(e->argv, PV_MIN((size_t) e->argv_len, sizeof(e->argv)), folder, true, path, size);
}

/* An interpreter that no server started, with a script from a temporary folder. The first process of a container and what docker exec or a
 * health check brings in are somebody's own business. */
static void tell_script_run(struct guard *g, const struct event_exec *e)
{
	struct guard_workload *w = table_find(g, e->head.cgroup_id);
	uint64_t root = w ? w->w.cgroup : e->head.cgroup_id, key;
	char path[PV_EXEC_PATH];
	struct notice n;

	if (kernel_is_ignored(g, w, e->head.flags, SIGNAL_EXEC) || !e->n_chain || is_brought_in(e, w) || is_own_entry(e, w) ||
	    !has_temporary_script(e, path, sizeof(path)))
		return;
	look_for_miner(g, w, e->argv, PV_MIN((size_t) e->argv_len, sizeof(e->argv)), e->head.tgid);
	if (w && w->w.info && w->info.label_action[SIGNAL_EXEC] == ACTION_IGNORE)
		return;
	notice_init(&n, ID_EXEC_DROPPED, kernel_event_time(&e->head));
	kernel_notice_fill(&n, &e->head, w);
	n.severity = PV_MIN(n.severity, SEV_MEDIUM);
	tell_script(&n, e, path);
	key = kernel_mix(kernel_mix(ID_EXEC_DROPPED, &root, 8), "script", 6);
	if (kernel_name_fits(g, w))
		key = kernel_mix(key, path, strlen(path));
	notices_fold(g, key, &n);
}

/* Later, it may be somebody who has read the command. */
static bool is_at_start(const struct guard *g, const struct guard_workload *w)
{
	const uint64_t now = clock_monotonic_us();

	return w->run.begin_us && now - PV_MIN(w->run.begin_us, now) < g->policy->exec.grace_us;
}

/* A shell alone is what some applications do; a shell that fetches something is what none should. */
static void tell_server_shell(struct guard *g, const struct event_exec *e)
{
	struct guard_workload *w = table_find(g, e->head.cgroup_id);
	uint64_t root = w ? w->w.cgroup : e->head.cgroup_id, key;
	const char *sign;
	struct notice n;

	if (e->why == PV_SHELL_SCRIPT) {
		tell_script_run(g, e);
		return;
	}
	if (is_own_entry(e, w)) {
		w->wrapped |= is_at_start(g, w);
		return;
	}
	if (kernel_is_ignored(g, w, e->head.flags, SIGNAL_EXEC) || is_habit(e) || is_brought_in(e, w))
		return;
	look_for_miner(g, w, e->argv, PV_MIN((size_t) e->argv_len, sizeof(e->argv)), e->head.tgid);
	notice_init(&n, ID_EXEC_WEB_SHELL, kernel_event_time(&e->head));
	kernel_notice_fill(&n, &e->head, w);
	sign = credential_sign(e->argv, PV_MIN((size_t) e->argv_len, sizeof(e->argv)));
	if (e->why == PV_SHELL_STARTED && !sign)
		n.severity = PV_MIN(n.severity, SEV_MEDIUM);
	else if (e->why == PV_SHELL_COMPILES && !sign) /* tools and notebooks of Python do so too */
		n.severity = PV_MIN(n.severity, SEV_HIGH);
	tell_shell(&n, e, sign);
	key = kernel_mix(kernel_mix(kernel_mix(ID_EXEC_WEB_SHELL, &root, 8), &e->head.flags, 2), &e->why, 1);
	if (kernel_name_fits(g, w))
		key = kernel_mix(key, e->argv, PV_MIN((size_t) e->argv_len, sizeof(e->argv)));
	notices_fold(g, key, &n);
	if (n.row && (e->why != PV_SHELL_STARTED || sign))
		capture_evidence(g, w, &n, &(struct capture_of){ .pid = e->head.tgid, .event = e });
}

void exec_metadata(struct guard *g, const struct event_net *e)
{
	struct guard_workload *w = table_find(g, e->head.cgroup_id);
	uint64_t root = w ? w->w.cgroup : e->head.cgroup_id;
	char argv[PV_EXEC_ARGV + 1];
	struct notice n;
	size_t len;

	if (kernel_is_ignored(g, w, e->head.flags, SIGNAL_EXEC) || (w && w->wrapped))
		return;
	len = read_line(e->head.tgid, argv, sizeof(argv)); /* it waits for an answer, most likely */
	notice_init(&n, ID_EXEC_WEB_SHELL, kernel_event_time(&e->head));
	kernel_notice_fill(&n, &e->head, w);
	tell_metadata(&n, e, argv, len);
	notices_fold(g, kernel_mix(kernel_mix(ID_EXEC_WEB_SHELL, &root, 8), e->daddr, 16), &n);
	if (n.row)
		capture_evidence(g, w, &n, &(struct capture_of){ .pid = e->head.tgid });
}

static void waited(struct exec_waiting *x)
{
	struct exec_waiting **at = &x->g->exec_waiting;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	x->g->n_exec_waiting--;
	(void) sd_event_source_disable_unref(x->timer);
	tell_server_shell(x->g, &x->e);
	free(x);
}

static int on_waited(sd_event_source *s, uint64_t usec, void *arg)
{
	(void) s;
	(void) usec;
	waited(arg);
	return 0;
}

void exec_shell(struct guard *g, const struct event_exec *e)
{
	const struct guard_workload *w = table_find(g, e->head.cgroup_id);
	struct exec_waiting *x = NULL;

	if (may_be_brought_in(e, w) && !is_brought_in(e, w) && g->n_exec_waiting < EXEC_WAITING)
		x = malloc(sizeof(*x));
	if (x) {
		*x = (struct exec_waiting){ .g = g, .next = g->exec_waiting, .e = *e };
		if (sd_event_add_time_relative(g->loop, &x->timer, CLOCK_MONOTONIC, EXEC_WAIT_US, 0, on_waited, x) >= 0) {
			g->exec_waiting = x;
			g->n_exec_waiting++;
			return;
		}
		free(x);
	}
	tell_server_shell(g, e);
}

void exec_gone(struct guard *g, const struct guard_workload *w)
{
	for (struct exec_waiting *x = g->exec_waiting, *next; x; x = next) {
		next = x->next;
		if (table_find(g, x->e.head.cgroup_id) == w)
			waited(x);
	}
}

void exec_stop(struct guard *g)
{
	while (g->exec_waiting)
		waited(g->exec_waiting);
}
