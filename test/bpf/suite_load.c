#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>

#include <bpf/bpf.h>

#include "senders.h"
#include "test_bpf.h"

#define CONNECTS 100000
#define CHURN	 1000

static int burst(void *arg)
{
	struct sockaddr_storage to;
	socklen_t len = lab_sockaddr(&to, OUT4, 3333);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void) arg;
	for (int i = 0; i < CONNECTS; i++)
		if (connect(fd, (struct sockaddr *) &to, len) == 0 || errno != EPERM)
			return 1;
	return 0;
}

static void connects(void)
{
	uint64_t seen0 = lab_count(EVENT_NET, PV_COUNT_SEEN), refused0 = lab_count(EVENT_NET, PV_COUNT_REFUSED),
		 lost0 = lab_count(EVENT_NET, PV_COUNT_LOST), lost;
	size_t got;
	int r;

	(void) lab_events();
	(void) lab_syns(0);
	r = lab_in(BOX, burst, NULL);
	got = lab_events()->n[EVENT_NET];
	lost = lab_count(EVENT_NET, PV_COUNT_LOST) - lost0;
	lab_check(r == 0, "%d connects, all refused", CONNECTS);
	lab_check(lab_count(EVENT_NET, PV_COUNT_SEEN) - seen0 == CONNECTS && lab_count(EVENT_NET, PV_COUNT_REFUSED) - refused0 == CONNECTS,
		  "all counted");
	lab_check(lost > 0 && got + lost == CONNECTS, "%zu in the ring and %llu lost make all of them", got, (unsigned long long) lost);
	lab_check(lab_syns(3333) == 0, "no SYN on the wire");
}

static int nothing(void *arg)
{
	(void) arg;
	return 0;
}

static size_t entries(void)
{
	char path[300];
	uint64_t key, next;
	size_t n = 0;
	int fd, r;

	(void) snprintf(path, sizeof(path), "%s/v%d/map_workloads", lab_policy->bpf_dir, PV_BPF_LAYOUT);
	fd = bpf_obj_get(path);
	for (r = bpf_map_get_next_key(fd, NULL, &next); r == 0; n++) {
		key = next;
		r = bpf_map_get_next_key(fd, &key, &next);
	}
	(void) pv_close(fd);
	return n;
}

static void churn(void)
{
	size_t before = entries(), born = 0, gone = 0, refused = 0;
	uint64_t lost = lab_count(EVENT_CGROUP_NEW, PV_COUNT_LOST) + lab_count(EVENT_CGROUP_GONE, PV_COUNT_LOST);
	static const struct job tcp = { BY_CONNECT, OUT4, 3333, NULL };

	(void) lab_events();
	for (int i = 0; i < CHURN; i++) {
		char path[100];
		const struct lab_seen *s;

		(void) snprintf(path, sizeof(path), "docker/%064x", i + 16);
		(void) lab_mkdir(path);
		refused += i % 10 ? lab_in(path, nothing, NULL) == 0 : lab_in(path, send_job, (void *) (uintptr_t) &tcp) == REFUSED;
		lab_rmdir(path);
		s = lab_events();
		born += s->n[EVENT_CGROUP_NEW];
		gone += s->n[EVENT_CGROUP_GONE];
	}
	lost = lab_count(EVENT_CGROUP_NEW, PV_COUNT_LOST) + lab_count(EVENT_CGROUP_GONE, PV_COUNT_LOST) - lost;
	lab_check(refused == CHURN, "%d cgroups with a process each, no block lost", CHURN);
	lab_check(born == CHURN && gone == CHURN && lost == 0, "each told at its beginning and its end (%zu, %zu, %llu lost)", born, gone,
		  (unsigned long long) lost);
	lab_check(entries() == before, "and the table is as large as before (%zu)", before);
}

/* ---- cost: of loading, and by the kernel's own account of running ---- */

static bool program_info(const char *link, struct bpf_prog_info *ret)
{
	struct bpf_link_info li = { 0 };
	struct bpf_prog_info pi = { 0 };
	uint32_t len = sizeof(li);
	char path[300];
	int fd, prog;
	bool ok;

	(void) snprintf(path, sizeof(path), "%s/v%d/link_%s", lab_policy->bpf_dir, PV_BPF_LAYOUT, link);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &li, &len) < 0)
		return false;
	prog = bpf_prog_get_fd_by_id(li.prog_id);
	len = sizeof(pi);
	ok = prog >= 0 && bpf_obj_get_info_by_fd(prog, &pi, &len) == 0;
	*ret = pi;
	(void) pv_close(fd);
	(void) pv_close(prog);
	return ok;
}

static bool program_cost(const char *link, uint64_t *ns, uint64_t *runs)
{
	struct bpf_prog_info pi;
	bool ok = program_info(link, &pi);

	*ns = ok ? pi.run_time_ns : 0;
	*runs = ok ? pi.run_cnt : 0;
	return ok;
}

/* A verifier gives up after a million steps, and older ones see fewer ways meet again: for egress 6.1 takes 214,000 and 6.18
 * 107,000, for exec 60,000 and 185,000. What takes half a million on the kernel that one builds on does not load on the other. */
#define STEPS_MAX 300000

static void verifier(void)
{
	static const char *const links[] = { "connect4", "connect6", "sendmsg4", "sendmsg6", "recvmsg4", "recvmsg6", "egress", "ingress",
		"cgroup_mkdir", "cgroup_rmdir", "attach_task", "fork", "exit", "mark_victim", "exec", "mmap", "mprotect", "unmapped" };
	unsigned seen = 0;

	for (size_t i = 0; i < N_ELEMENTS(links); i++) {
		struct bpf_prog_info pi;

		if (!program_info(links[i], &pi))
			continue;
		seen++;
		lab_check(pi.verified_insns <= STEPS_MAX, "the verifier took %u steps for %s, at most %d", pi.verified_insns, links[i], STEPS_MAX);
	}
	lab_check(seen >= 8, "%u programs were looked at", seen);
}

void suite_load(void)
{
	(void) lab_mkdir(BOX);
	connects();
	churn();
	verifier();
}

#define ROUNDS 20000

/* Connects that are refused and that are not, plain datagrams, and questions. */
static int traffic(void *arg)
{
	struct sockaddr_storage to, closed, dns;
	socklen_t len = lab_sockaddr(&to, OUT4, 3334);
	int tcp, udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t q[300];
	size_t n = lab_question(q, "www.some-ordinary-name.example.com");

	(void) arg;
	(void) lab_sockaddr(&closed, LOOP4, 9);
	(void) lab_sockaddr(&dns, OUT4, 53);
	for (int i = 0; i < ROUNDS; i++) {
		(void) sendto(udp, "plain", 5, MSG_DONTWAIT, (struct sockaddr *) &to, len);
		if (i % 4 == 0)
			(void) sendto(udp, q, n, MSG_DONTWAIT, (struct sockaddr *) &dns, len);
		if (i % 4 == 1) {
			tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
			(void) connect(tcp, (struct sockaddr *) &closed, len);
			(void) close(tcp);
		}
	}
	return 0;
}

static int forks(void *arg)
{
	(void) arg;
	for (int i = 0; i < 500; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		(void) waitpid(pid, NULL, 0);
	}
	return 0;
}

/* The exec hook by the kernel's own account, per run: the best of a few rounds, `n` programs each. */
static uint64_t exec_ns(int (*run)(int n), int n)
{
	uint64_t best = UINT64_MAX, ns0, runs0, ns, runs;

	for (int round = 0; round < 15; round++) {
		if (!program_cost("exec", &ns0, &runs0) || run(n) != 0 || !program_cost("exec", &ns, &runs))
			return UINT64_MAX;
		if (runs > runs0)
			best = PV_MIN(best, (ns - ns0) / (runs - runs0));
		(void) lab_events();
	}
	return best;
}

static void exec_cost(void)
{
	uint64_t image, told;

	if (!exec_box_begin())
		return;
	image = exec_ns(exec_box_run, 1000);
	told = exec_ns(exec_box_tell, 150); /* below the details that one container may have in a second */
	exec_box_end();
	lab_check(image <= 800, "exec, a program of the image: %llu ns a run, at most 800 (600 is meant)", (unsigned long long) image);
	/* Meant are 600 and 2,600. Measured: 450 to 620, and 2,300 to 3,700, the more the colder the caches are; path and arguments are most of it. */
	lab_check(told <= 5000, "exec, one that is told: %llu ns a run, at most 5000 (2600 is meant)", (unsigned long long) told);
}

void suite_cost(void)
{
	static const struct {
		const char *link;
		uint64_t bar;
	} bars[] = { { "connect4", 150 }, { "sendmsg4", 150 }, { "egress", 250 }, { "ingress", 250 },
		     { "fork", 3000 }, { "exit", 3000 } };
	uint64_t ns0[N_ELEMENTS(bars)], runs0[N_ELEMENTS(bars)], best[N_ELEMENTS(bars)];
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);

	(void) lab_mkdir(BOX);
	if (stats < 0) {
		lab_skip("the kernel keeps no account here");
		return;
	}
	memset(best, 0xff, sizeof(best));
	for (int round = 0; round < 5; round++) { /* the best of a few: two cores, and others at work on them */
		for (size_t i = 0; i < N_ELEMENTS(bars); i++)
			(void) program_cost(bars[i].link, &ns0[i], &runs0[i]);
		(void) lab_in(BOX, traffic, NULL);
		(void) lab_in(BOX, forks, NULL);
		for (size_t i = 0; i < N_ELEMENTS(bars); i++) {
			uint64_t ns = 0, runs = 0;

			(void) program_cost(bars[i].link, &ns, &runs);
			if (runs > runs0[i])
				best[i] = PV_MIN(best[i], (ns - ns0[i]) / (runs - runs0[i]));
		}
	}
	for (size_t i = 0; i < N_ELEMENTS(bars); i++) {
		if (best[i] == UINT64_MAX)
			continue; /* sendmsg4, where egress does without it */
		lab_check(best[i] <= bars[i].bar, "%s: %llu ns a run, at most %llu", bars[i].link, (unsigned long long) best[i],
			  (unsigned long long) bars[i].bar);
	}
	exec_cost();
	(void) close(stats);
	(void) lab_events();
}
