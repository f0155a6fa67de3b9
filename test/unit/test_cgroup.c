#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "host/cgroup.h"

#include "check.h"

/* ---- a made-up tree: a folder with files ---- */

static char folder[64];

static void put(const char *path, const char *text)
{
	char full[512], *slash;
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", folder, path);
	for (slash = full + strlen(folder) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		(void) mkdir(full, 0755);
	}
	f = fopen(full, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static char *at(const char *path)
{
	static char full[4][512];
	static unsigned turn;
	char *p = full[turn++ % 4];

	snprintf(p, sizeof(full[0]), "%s/%s", folder, path);
	return p;
}

static int make_folder(void **state)
{
	(void) state;
	strcpy(folder, "/tmp/pv-cgroup-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
	pid_t pid = fork();

	(void) state;
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", "--", folder, (char *) NULL);
		_exit(127);
	}
	return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static struct cgroup_usage sample(const struct cgroup_tree *t, const char *path, uint64_t count_above)
{
	struct cgroup_usage u = { 0 };
	pv_auto(cgroup_files) f = NULL;

	assert_int_equal(cgroup_files_open(t, path, &f), 0);
	assert_int_equal(cgroup_files_read(f, count_above, &u), 0);
	return u;
}

static void put_v2(void)
{
	put("v2/a/cpu.stat", "usage_usec 123456\nuser_usec 1\nsystem_usec 2\nnr_periods 9\nthrottled_usec 77\n");
	put("v2/a/cpu.max", "50000 100000\n");
	put("v2/a/cpu.pressure", "some avg10=1.00 avg60=0.02 avg300=0.05 total=5410629\nfull avg10=0 total=1\n");
	put("v2/a/memory.current", "1000000\n");
	put("v2/a/memory.stat", "anon 5\nfile 600000\ninactive_file 200000\nactive_file 300000\nslab_reclaimable 1000\n"
				"workingset_refault_file 99\n");
	put("v2/a/memory.max", "536870912\n");
	put("v2/a/memory.events", "low 0\nhigh 0\nmax 4\noom 2\noom_kill 3\noom_group_kill 0\n");
	put("v2/a/pids.current", "9\n");
	put("v2/a/pids.max", "max\n");
	put("v2/a/cgroup.procs", "1\n2\n3\n");
	put("v2/a/sub/cgroup.procs", "4\n5\n");
	put("v2/a/sub/deep/cgroup.procs", "6\n");
}

static void test_pure_v2(void **state)
{
	pv_auto(cgroup_tree) t = NULL;
	struct cgroup_usage u;

	(void) state;
	put_v2();
	assert_int_equal(cgroup_tree_open_at(&(struct cgroup_mounts){ .v2 = at("v2") }, at("v2"), &t), 0);
	assert_false(cgroup_tree_hybrid(t));
	u = sample(t, "/a", 0);
	assert_int_equal(u.cpu_us, 123456);
	assert_int_equal(u.cpu_quota, 5000);
	assert_int_equal(u.throttled_us, 77);
	assert_int_equal(u.pressure_us, 5410629);
	assert_int_equal(u.memory, 1000000 - 200000 - 300000 - 1000);
	assert_int_equal(u.memory_limit, 536870912);
	assert_int_equal(u.oom_kills, 3);
	assert_int_equal(u.tasks, 9);
	assert_true(u.tasks_max == UINT64_MAX);
	assert_int_equal(u.processes, 6); /* nested ones too */
	assert_int_equal(sample(t, "/a", 9).processes, 9); /* not above: tasks stand in */
}

static void test_hybrid(void **state)
{
	struct cgroup_mounts m;
	pv_auto(cgroup_tree) t = NULL;
	struct cgroup_usage u;

	(void) state;
	put("u/a/cpu.stat", "usage_usec 42\n");
	put("u/a/cpu.pressure", "some avg10=1.00 avg60=0.02 avg300=0.05 total=17\n");
	put("u/a/cgroup.procs", "1\n");
	put("u/a/memory.current", "999\n"); /* must not be taken: memory belongs to v1 here */
	put("cpu/a/cpu.cfs_quota_us", "150000\n");
	put("cpu/a/cpu.cfs_period_us", "100000\n");
	put("cpu/a/cpu.stat", "nr_periods 1\nnr_throttled 1\nthrottled_time 5000000\n");
	put("mem/a/memory.usage_in_bytes", "1000\n");
	put("mem/a/memory.stat", "inactive_file 1\nactive_file 1\ntotal_inactive_file 100\ntotal_active_file 200\n");
	put("mem/a/memory.limit_in_bytes", "9223372036854771712\n");
	put("mem/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
	put("pids/a/pids.current", "7\n");
	put("pids/a/pids.max", "100\n");
	m = (struct cgroup_mounts){ at("u"), at("cpu"), at("mem"), at("pids") };
	assert_int_equal(cgroup_tree_open_at(&m, m.v2, &t), 0);
	assert_true(cgroup_tree_hybrid(t));
	u = sample(t, "/a", 50);
	assert_int_equal(u.cpu_us, 42);
	assert_int_equal(u.cpu_quota, 15000);
	assert_int_equal(u.throttled_us, 5000);
	assert_int_equal(u.memory, 700);
	assert_true(u.memory_limit == UINT64_MAX);
	assert_int_equal(u.oom_kills, 1);
	assert_int_equal(u.tasks, 7);
	assert_int_equal(u.tasks_max, 100);
	assert_int_equal(u.processes, 7);
	put("cpu/a/cpu.cfs_quota_us", "-1\n");
	assert_int_equal(sample(t, "/a", 50).cpu_quota, 0);
}

/* Broken or absent files make a value unknown, never wrong and never an end. */
static void test_absent(void **state)
{
	pv_auto(cgroup_tree) t = NULL;
	struct cgroup_usage u;

	(void) state;
	put("bare/a/cpu.stat", "usage_usec 1\n");
	assert_int_equal(cgroup_tree_open_at(&(struct cgroup_mounts){ .v2 = at("bare") }, at("bare"), &t), 0);
	u = sample(t, "/a", 50);
	assert_true(u.pressure_us == UINT64_MAX && u.memory == UINT64_MAX && u.memory_limit == UINT64_MAX);
	assert_true(u.oom_kills == UINT64_MAX && u.tasks == UINT64_MAX && u.tasks_max == UINT64_MAX);
	assert_true(u.processes == UINT64_MAX && u.cpu_quota == 0 && u.throttled_us == 0);
	put("bare/a/memory.current", "99999999999999999999999999\n");
	put("bare/a/memory.stat", "inactive_file x\n");
	put("bare/a/cpu.max", "50000 0\n");
	put("bare/a/cpu.pressure", "some nonsense\n");
	put("bare/a/cgroup.procs", "1\n2\n");
	u = sample(t, "/a", 50);
	assert_true(u.memory == UINT64_MAX && u.cpu_quota == 0 && u.pressure_us == UINT64_MAX);
	assert_int_equal(u.processes, 2); /* tasks are not known: counted */
}

/* A file that appears after the first sample is found by the next, whatever the cgroup's turn in the refreshing. */
static void test_late(void **state)
{
	pv_auto(cgroup_tree) t = NULL;
	struct cgroup_usage u;
	char path[64];

	(void) state;
	put("late/cpu.stat", "usage_usec 1\n");
	assert_int_equal(cgroup_tree_open_at(&(struct cgroup_mounts){ .v2 = at("late") }, at("late"), &t), 0);
	for (int i = 0; i < 12; i++) {
		pv_auto(cgroup_files) f = NULL;

		snprintf(path, sizeof(path), "late/g%d/cpu.stat", i);
		put(path, "usage_usec 1\n");
		snprintf(path, sizeof(path), "g%d", i);
		assert_int_equal(cgroup_files_open(t, path, &f), 0);
		assert_int_equal(cgroup_files_read(f, 50, &u), 0);
		assert_true(u.tasks == UINT64_MAX);
		snprintf(path, sizeof(path), "late/g%d/pids.current", i);
		put(path, "3\n");
		assert_int_equal(cgroup_files_read(f, 50, &u), 0);
		assert_int_equal(u.tasks, 3);
	}
}

static void test_paths(void **state)
{
	static const struct {
		const char *path;
		int r;
	} cases[] = {
		{ "/a", 0 }, { "a", 0 }, { "/a/sub", -ENODEV /* no cpu.stat there */ }, { "/gone", -ENODEV },
		{ "/../etc", -EINVAL }, { "/a/..", -EINVAL }, { "..", -EINVAL }, { "/a/../../x", -EINVAL },
		{ "/link", -ENOTDIR },
	};
	pv_auto(cgroup_tree) t = NULL;
	struct cgroup_mounts m = { .v2 = at("v2") };

	(void) state;
	put_v2();
	assert_int_equal(symlink("/etc", at("v2/link")), 0);
	assert_int_equal(cgroup_tree_open_at(&m, "/etc", &t), -EINVAL);
	assert_int_equal(cgroup_tree_open_at(&m, at("v2x"), &t), -EINVAL);
	assert_int_equal(cgroup_tree_open_at(&m, at("v2/none"), &t), -ENOENT);
	assert_int_equal(cgroup_tree_open_at(&m, m.v2, &t), 0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_auto(cgroup_files) f = NULL;
		int r = cgroup_files_open(t, cases[i].path, &f);

		CHECK(r == cases[i].r, "%s: %d", cases[i].path, r);
	}
}

struct seen {
	char text[512];
	uint64_t parent_of_deep, id_of_sub;
};

static int note(const char *path, uint64_t id, uint64_t parent, void *arg)
{
	struct seen *s = arg;

	strcat(strcat(s->text, path), " ");
	if (strcmp(path, "/a/sub") == 0)
		s->id_of_sub = id;
	if (strcmp(path, "/a/sub/deep") == 0)
		s->parent_of_deep = parent;
	return strcmp(path, "/stop") == 0 ? -ECANCELED : 0;
}

static void test_walk(void **state)
{
	struct cgroup_mounts m = { .v2 = at("v2") };
	pv_auto(cgroup_tree) whole = NULL;
	pv_auto(cgroup_tree) part = NULL;
	struct seen s = { .text = "" };
	struct stat st;

	(void) state;
	put_v2();
	assert_int_equal(cgroup_tree_open_at(&m, m.v2, &whole), 0);
	assert_int_equal(cgroup_tree_walk(whole, note, &s), 0);
	CHECK_STR(s.text, "/a /a/sub /a/sub/deep ", "links are not followed");
	assert_true(s.parent_of_deep == s.id_of_sub && s.id_of_sub != 0);
	assert_int_equal(stat(at("v2"), &st), 0);
	assert_true(cgroup_tree_watched_id(whole) == st.st_ino);
	assert_int_equal(cgroup_tree_open_at(&m, at("v2/a/sub"), &part), 0);
	s.text[0] = '\0';
	assert_int_equal(cgroup_tree_walk(part, note, &s), 0);
	CHECK_STR(s.text, "/a/sub/deep ", "paths stay relative to the mount");
	put("v2/stop/cgroup.procs", "");
	assert_int_equal(cgroup_tree_walk(whole, note, &s), -ECANCELED);
}

/* ---- the machine's own cgroups ---- */

#define BENCH 100
static char group[64];
static const char *v1_mounts[] = { "cpu", "memory", "pids" };

static void each_folder(int (*fn)(const char *path, mode_t), const char *name, bool hybrid, const char *v2)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", v2, name);
	(void) fn(path, 0755);
	for (size_t i = 0; hybrid && i < N_ELEMENTS(v1_mounts); i++) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s", v1_mounts[i], name);
		(void) fn(path, 0755);
	}
}

static int remove_folder(const char *path, mode_t mode)
{
	(void) mode;
	return rmdir(path);
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(write(fd, text, strlen(text)) == (ssize_t) strlen(text));
	close(fd);
}

/* A v1 folder that ends before the v2 one makes its values unknown, and one made anew is found. */
static void try_v1_anew(struct cgroup_files *f)
{
	struct cgroup_usage u;
	char path[512];

	snprintf(path, sizeof(path), "/sys/fs/cgroup/pids/%s", group);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(cgroup_files_read(f, 0, &u), 0);
	assert_true(u.tasks == UINT64_MAX && u.tasks_max == UINT64_MAX);
	assert_int_equal(mkdir(path, 0755), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(cgroup_files_read(f, 0, &u), 0);
	assert_int_equal(u.tasks, 0);
}

static void try_real(const struct cgroup_tree *t, const char *v2)
{
	char path[512], rel[128], text[32];
	struct cgroup_usage u;
	pid_t pid;
	pv_auto(cgroup_files) f = NULL;

	snprintf(rel, sizeof(rel), "/%s", group);
	assert_int_equal(cgroup_files_open(t, rel, &f), 0);
	assert_int_equal(cgroup_files_empty(f), 1);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	snprintf(text, sizeof(text), "%d", pid);
	snprintf(path, sizeof(path), "%s/%s/cgroup.procs", v2, group);
	write_to(path, text);
	if (cgroup_tree_hybrid(t)) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup/pids/%s/cgroup.procs", group);
		write_to(path, text);
		snprintf(path, sizeof(path), "/sys/fs/cgroup/cpu/%s/cpu.cfs_quota_us", group);
		write_to(path, "50000");
		snprintf(path, sizeof(path), "/sys/fs/cgroup/memory/%s/memory.limit_in_bytes", group);
		write_to(path, "67108864");
	}
	assert_int_equal(cgroup_files_empty(f), 0);
	assert_int_equal(cgroup_files_read(f, 0, &u), 0);
	assert_int_equal(u.processes, 1);
	if (cgroup_tree_hybrid(t)) {
		assert_int_equal(u.tasks, 1);
		assert_int_equal(u.cpu_quota, 5000);
		assert_int_equal(u.memory_limit, 67108864);
		assert_int_equal(u.oom_kills, 0);
		assert_true(u.memory != UINT64_MAX);
	}
	assert_true(u.pressure_us != UINT64_MAX);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 200 && cgroup_files_empty(f) == 0; i++)
		usleep(5000);
	assert_int_equal(cgroup_files_empty(f), 1);
	if (cgroup_tree_hybrid(t))
		try_v1_anew(f);
	each_folder(remove_folder, group, cgroup_tree_hybrid(t), v2);
	assert_int_equal(cgroup_files_read(f, 0, &u), -ENODEV);
	assert_int_equal(cgroup_files_empty(f), -ENODEV);
}

static double cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double) ts.tv_sec * 1e3 + (double) ts.tv_nsec / 1e6;
}

/* 100 cgroups with kept descriptors: what one round of the sampler costs. Twelve rounds, so that the ones that
 * read limits again count too. */
static void bench(const struct cgroup_tree *t, const char *v2)
{
	struct cgroup_files *f[BENCH] = { NULL };
	struct cgroup_usage u;
	double best = 1e9, took;
	char name[128];

	for (int i = 0; i < BENCH; i++) {
		snprintf(name, sizeof(name), "%s-%d", group, i);
		each_folder(mkdir, name, cgroup_tree_hybrid(t), v2);
		assert_int_equal(cgroup_files_open(t, name, &f[i]), 0);
		for (int k = 0; k < 3; k++)
			assert_int_equal(cgroup_files_read(f[i], 50, &u), 0);
	}
	for (int round = 0; round < 10; round++) {
		took = cpu_ms();
		for (int i = 0; i < BENCH * 12; i++)
			(void) cgroup_files_read(f[i % BENCH], 50, &u);
		took = (cpu_ms() - took) / 12;
		best = PV_MIN(best, took);
	}
	for (int i = 0; i < BENCH; i++) {
		snprintf(name, sizeof(name), "%s-%d", group, i);
		cgroup_files_free(f[i]);
		each_folder(remove_folder, name, cgroup_tree_hybrid(t), v2);
	}
	print_message("# %d cgroups, kept descriptors: %.2f ms CPU a round\n", BENCH, best);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
	CHECK(best <= 4.5, "%.2f ms", best); /* 1.5 on a quiet machine */
#endif
}

/* Whatever a failed test left behind. */
static int drop_cgroups(void **state)
{
	pv_auto(cgroup_tree) t = NULL;
	char name[128];

	(void) state;
	if (cgroup_tree_open("/sys/fs/cgroup", &t) < 0)
		return 0;
	for (int i = 0; i < BENCH; i++) {
		snprintf(name, sizeof(name), "%s-%d", group, i);
		each_folder(remove_folder, name, cgroup_tree_hybrid(t), cgroup_tree_v2(t));
	}
	each_folder(remove_folder, group, cgroup_tree_hybrid(t), cgroup_tree_v2(t));
	return 0;
}

static void test_real(void **state)
{
	pv_auto(cgroup_tree) t = NULL;
	char path[512];
	int r = cgroup_tree_open("/sys/fs/cgroup", &t);

	(void) state;
	if (r < 0) {
		print_message("# skipped: no cgroup v2 here (%s)\n", strerror(-r));
		skip();
	}
	snprintf(group, sizeof(group), "pv-test-cgroup-%d", getpid());
	snprintf(path, sizeof(path), "%s/%s", cgroup_tree_v2(t), group);
	if (mkdir(path, 0755) < 0) {
		print_message("# skipped: cannot make a cgroup (%s)\n", strerror(errno));
		skip();
	}
	each_folder(mkdir, group, cgroup_tree_hybrid(t), cgroup_tree_v2(t));
	try_real(t, cgroup_tree_v2(t));
	bench(t, cgroup_tree_v2(t));
}

/* A folder below the v2 mount as the watched root: the mounts are found all the same. */
static void test_real_below(void **state)
{
	pv_auto(cgroup_tree) whole = NULL;
	pv_auto(cgroup_tree) t = NULL;
	char path[512], sub[600];
	struct seen s = { .text = "" };

	(void) state;
	snprintf(group, sizeof(group), "pv-test-below-%d", getpid());
	if (cgroup_tree_open("/sys/fs/cgroup", &whole) < 0)
		skip();
	snprintf(path, sizeof(path), "%s/%s", cgroup_tree_v2(whole), group);
	snprintf(sub, sizeof(sub), "%s/sub", path);
	if (mkdir(path, 0755) < 0)
		skip();
	mkdir(sub, 0755);
	assert_int_equal(cgroup_tree_open(path, &t), 0);
	assert_int_equal(cgroup_tree_walk(t, note, &s), 0);
	rmdir(sub);
	rmdir(path);
	CHECK_STR(cgroup_tree_v2(t), cgroup_tree_v2(whole), "the mount");
	CHECK_STR(cgroup_tree_watched(t), path, "the watched folder");
	assert_int_equal(cgroup_tree_hybrid(t), cgroup_tree_hybrid(whole));
	snprintf(sub, sizeof(sub), "/%s/sub ", group);
	CHECK_STR(s.text, sub, "relative to the mount");
	assert_int_equal(cgroup_tree_open("/proc/none", &t), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pure_v2, make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(test_hybrid, make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(test_absent, make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(test_late, make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(test_paths, make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(test_walk, make_folder, drop_folder),
		cmocka_unit_test_teardown(test_real, drop_cgroups),
		cmocka_unit_test_teardown(test_real_below, drop_cgroups),
	};

	return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
