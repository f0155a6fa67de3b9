/* What the broker opens, and what it does not: real folders, links and owners. */
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/log_files.h"
#include "check.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct world {
	char dir[64];
	struct policy policy;
	struct log_files logs;
	unsigned place; /* of policy.logs.files[0] */
};

static void make(const struct world *w, const char *name, mode_t mode)
{
	char path[512];
	int fd;

	(void) snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	if (S_ISDIR(mode)) {
		assert_int_equal(mkdir(path, mode & 07777), 0);
		assert_int_equal(chmod(path, mode & 07777), 0);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, name, strlen(name)), (ssize_t) strlen(name));
	(void) close(fd);
}

static void make_link(const struct world *w, const char *target, const char *name)
{
	char path[512];

	(void) snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	assert_int_equal(symlink(target, path), 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	(void) strcpy(w->dir, "/tmp/pv-logs-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(chmod(w->dir, 0755), 0);
	log_files_init(&w->logs);
	w->place = log_places(&w->policy);
	w->policy.logs.n_files = 1;
	(void) snprintf(w->policy.docker_root, sizeof(w->policy.docker_root), "%s/docker", w->dir);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char command[100];

	log_files_done(&w->logs);
	(void) snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

static void place(struct world *w, const char *glob)
{
	(void) snprintf(w->policy.logs.files[0].path, POLICY_PATH, "%s/%s", w->dir, glob);
}

/* The list of the test's place as "a b c", without its folder; returns its number. */
static uint64_t list(struct world *w, char *out, size_t size, uint64_t *ret_more)
{
	uint64_t number = 0;
	char text[65536];
	size_t used = 0;
	ssize_t n;
	int fd = -1;

	assert_int_equal(log_files_list(&w->logs, &w->policy, w->place, &fd, &number, ret_more), 0);
	n = pread(fd, text, sizeof(text), 0);
	(void) close(fd);
	out[0] = '\0';
	for (const char *p = text; p < text + n; p += strlen(p) + 1)
		used += (size_t) snprintf(out + used, size - used, "%s%s", used ? " " : "", p + strlen(w->dir) + 1);
	return number;
}

static int open_nth(struct world *w, uint64_t number, uint32_t position, uint32_t which, char *ret_text, size_t size)
{
	struct log_file file = { .fd = -1 };
	int r = log_files_open(&w->logs, &w->policy, w->place, position, (uint32_t) number, which, &file);
	ssize_t n;

	if (r < 0)
		return r;
	n = pread(file.fd, ret_text, size - 1, 0);
	ret_text[n > 0 ? n : 0] = '\0';
	assert_int_equal(fcntl(file.fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY | O_NONBLOCK);
	(void) close(file.fd);
	return 0;
}

static void test_lists(void **state)
{
	struct world *w = *state;
	char got[8192], text[64];
	uint64_t more, number;

	make(w, "a", S_IFDIR | 0755);
	make(w, "b", S_IFDIR | 0755);
	make(w, "a/x.log", 0);
	make(w, "a/y.log", 0);
	make(w, "a/y.log.1", 0);
	make(w, "a/.hidden.log", 0);
	make(w, "b/x.log", 0);
	make(w, "b/x.log.2.gz", 0);
	make(w, "b/x.text", 0);
	place(w, "*/x.log");
	number = list(w, got, sizeof(got), &more);
	CHECK_STR(got, "a/x.log b/x.log", "two folders");
	assert_int_equal(open_nth(w, number, 1, 0, text, sizeof(text)), 0);
	CHECK_STR(text, "b/x.log", "the second");
	place(w, "a/*.log*");
	(void) list(w, got, sizeof(got), &more);
	CHECK_STR(got, "a/x.log a/y.log", "neither hidden nor rotated ones");
	place(w, "none/*.log");
	(void) list(w, got, sizeof(got), &more);
	CHECK_STR(got, "", "no such folder");
	place(w, "b/x.text");
	(void) list(w, got, sizeof(got), &more);
	CHECK_STR(got, "b/x.text", "no wildcard");
}

static void test_list_is_bounded(void **state)
{
	struct world *w = *state;
	char name[32], got[65536];
	uint64_t more;

	for (unsigned i = 0; i < LOG_LIST_MAX + 5; i++) {
		(void) snprintf(name, sizeof(name), "x%u.log", i);
		make(w, name, 0);
	}
	place(w, "x*.log");
	(void) list(w, got, sizeof(got), &more);
	assert_int_equal(more, 5);
}

static void test_stale(void **state)
{
	struct world *w = *state;
	char got[100], text[64];
	uint64_t more, number;

	make(w, "x.log", 0);
	place(w, "x.log");
	number = list(w, got, sizeof(got), &more);
	assert_int_equal(open_nth(w, number + 1, 0, 0, text, sizeof(text)), -ESTALE);
	assert_int_equal(open_nth(w, 0, 0, 0, text, sizeof(text)), -ESTALE);
	assert_int_equal(open_nth(w, number, 1, 0, text, sizeof(text)), -EINVAL);
	log_files_forget(&w->logs);
	assert_int_equal(open_nth(w, number, 0, 0, text, sizeof(text)), -ESTALE);
}

/* Links: only where root alone can have put them. */
static void test_links(void **state)
{
	static const struct {
		const char *path, *target, *folder;
		mode_t mode;
		uid_t owner;
		int want;
	} cases[] = {
		{ "l/x.log", "../real.log", "l", 0755, 0, 0 },
		{ "l/x.log", "/etc/shadow", "l", 0777, 0, -ELOOP },
		{ "l/x.log", "/etc/shadow", "l", 01777, 0, -ELOOP },
		{ "l/x.log", "../real.log", "l", 0775, 0, 0 }, /* group root */
		{ "l/x.log", "../real.log", "l", 0755, 65534, -ELOOP },
		{ "l/x.log", "x.log", "l", 0755, 0, -ELOOP },
		{ "l/x.log", "none", "l", 0755, 0, -ENOENT },
		{ "l/x.log", "..", "l", 0755, 0, -EPERM },
		{ "l/x.log", "/dev/null", "l", 0755, 0, -EPERM },
	};
	struct world *w = *state;

	if (geteuid() != 0)
		skip();
	make(w, "real.log", 0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char got[100], text[64], path[200];
		uint64_t more, number;
		int r;

		make(w, cases[i].folder, S_IFDIR | cases[i].mode);
		make_link(w, cases[i].target, cases[i].path);
		(void) snprintf(path, sizeof(path), "%s/%s", w->dir, cases[i].folder);
		assert_int_equal(chown(path, cases[i].owner, (gid_t) -1), 0);
		place(w, cases[i].path);
		number = list(w, got, sizeof(got), &more);
		r = open_nth(w, number, 0, 0, text, sizeof(text));
		CHECK(r == cases[i].want, "link to %s in a folder %o of %u: %d", cases[i].target, cases[i].mode, cases[i].owner, r);
		if (r == 0)
			CHECK_STR(text, "real.log", "what the link says");
		(void) snprintf(path, sizeof(path), "%s/%s", w->dir, cases[i].path);
		(void) unlink(path);
		(void) snprintf(path, sizeof(path), "%s/%s", w->dir, cases[i].folder);
		(void) rmdir(path);
	}
}

/* A folder on the way that is a link. */
static void test_linked_folder(void **state)
{
	struct world *w = *state;
	char got[100], text[64];
	uint64_t more, number;

	if (geteuid() != 0)
		skip();
	make(w, "real", S_IFDIR | 0755);
	make(w, "real/x.log", 0);
	make_link(w, "real", "way");
	place(w, "way/*.log");
	number = list(w, got, sizeof(got), &more);
	CHECK_STR(got, "way/x.log", "through a link of root's");
	assert_int_equal(open_nth(w, number, 0, 0, text, sizeof(text)), 0);
	make(w, "open", S_IFDIR | 0777);
	make_link(w, "../real", "open/way");
	place(w, "open/way/x.log");
	{
		int fd = -1;

		assert_int_equal(log_files_list(&w->logs, &w->policy, w->place, &fd, &number, &more), -ELOOP);
	}
}

static void test_no_plain_file(void **state)
{
	struct world *w = *state;
	char got[100], text[64], a[200], b[200];
	uint64_t more, number;

	(void) snprintf(a, sizeof(a), "%s/x.log", w->dir);
	(void) snprintf(b, sizeof(b), "%s/other", w->dir);
	place(w, "x.log");
	assert_int_equal(mkfifo(a, 0600), 0);
	number = list(w, got, sizeof(got), &more);
	assert_int_equal(open_nth(w, number, 0, 0, text, sizeof(text)), -EPERM); /* and at once */
	(void) unlink(a);
	make(w, "other", 0);
	assert_int_equal(link(b, a), 0);
	assert_int_equal(open_nth(w, number, 0, 0, text, sizeof(text)), -EPERM);
	(void) unlink(b);
	assert_int_equal(open_nth(w, number, 0, 0, text, sizeof(text)), 0);
	(void) unlink(a);
	assert_int_equal(mkdir(a, 0700), 0);
	assert_int_equal(open_nth(w, number, 0, 0, text, sizeof(text)), -EPERM);
}

static void age(const struct world *w, const char *name, time_t seconds)
{
	struct timespec t[2] = { { .tv_sec = 2000000000 - seconds }, { .tv_sec = 2000000000 - seconds } };
	char path[512];

	(void) snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void test_beside(void **state)
{
	static const char *const made[] = { "auth.log", "auth.log.1", "auth-20261128.log", "auth.log-20261127", "auth.log.2.gz", "auth2.log",
					    "aut.log", "auth.log.old", "auth.log.bak2", "auth-app2.log", "auth-.log" };
	struct world *w = *state;
	char got[100], text[64];
	uint64_t more, number;

	for (size_t i = 0; i < N_ELEMENTS(made); i++) {
		make(w, made[i], 0);
		age(w, made[i], (time_t) i);
	}
	place(w, "auth.log");
	number = list(w, got, sizeof(got), &more);
	static const struct {
		const char *name;
		bool numbered;
	} want[] = { { "auth.log", false },	  { "auth.log.1", true },   { "auth-20261128.log", true }, { "auth.log-20261127", true },
		     { "auth.log.old", false }, { "auth.log.bak2", false }, { "auth-app2.log", false },	   { "auth-.log", false } };

	for (uint32_t i = 0; i < N_ELEMENTS(want); i++) {
		struct log_file file = { .fd = -1 };

		assert_int_equal(open_nth(w, number, 0, i, text, sizeof(text)), 0);
		CHECK_STR(text, want[i].name, "file %u", i);
		assert_int_equal(log_files_open(&w->logs, &w->policy, w->place, 0, (uint32_t) number, i, &file), 0);
		CHECK(file.numbered == want[i].numbered, "%s", text);
		(void) close(file.fd);
	}
	assert_int_equal(open_nth(w, number, 0, N_ELEMENTS(want), text, sizeof(text)), -ENOENT);
	assert_int_equal(open_nth(w, number, 0, LOG_BESIDE_MAX + 1, text, sizeof(text)), -EINVAL);
}

static void test_container(void **state)
{
	struct world *w = *state;
	struct log_file file;
	char text[256] = "";

	make(w, "docker", S_IFDIR | 0710);
	make(w, "docker/containers", S_IFDIR | 0710);
	make(w, "docker/containers/" ID, S_IFDIR | 0710);
	make(w, "docker/containers/" ID "/" ID "-json.log", 0);
	make(w, "docker/containers/" ID "/local-logs", S_IFDIR | 0700);
	make(w, "docker/containers/" ID "/local-logs/container.log", 0);
	assert_int_equal(log_files_container(&w->logs, &w->policy, ID, LOG_JSON_FILE, 0, &file), 0);
	assert_true(pread(file.fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "-json.log"));
	(void) close(file.fd);
	assert_int_equal(log_files_container(&w->logs, &w->policy, ID, LOG_LOCAL, 0, &file), 0);
	(void) close(file.fd);
	assert_int_equal(log_files_container(&w->logs, &w->policy, ID, LOG_LOCAL, 1, &file), -ENOENT);
	assert_int_equal(log_files_container(&w->logs, &w->policy, "../../../etc", LOG_LOCAL, 0, &file), -EINVAL);
	w->policy.docker_root[0] = '\0';
	assert_int_equal(log_files_container(&w->logs, &w->policy, ID, LOG_JSON_FILE, 0, &file), -ENOENT);
}

/* The engine's descriptor hears of a line, of a rename, and of a new file in the folder. */
static void test_watches(void **state)
{
	struct world *w = *state;
	struct log_file file;
	char got[100], buf[4096], path[200];
	uint64_t more, number;
	int engine;
	ssize_t n;

	assert_int_equal(log_files_watch(&w->logs, &engine), 0);
	make(w, "x.log", 0);
	place(w, "x.log");
	number = list(w, got, sizeof(got), &more);
	assert_int_equal(log_files_open(&w->logs, &w->policy, w->place, 0, (uint32_t) number, 0, &file), 0);
	assert_true(file.watch != UINT64_MAX);
	(void) snprintf(path, sizeof(path), "%s/x.log", w->dir);
	{
		int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

		assert_int_equal(write(fd, "line\n", 5), 5);
		(void) close(fd);
	}
	n = read(engine, buf, sizeof(buf));
	assert_true(n >= (ssize_t) sizeof(struct inotify_event));
	assert_int_equal(((struct inotify_event *) (void *) buf)->wd, (int) file.watch);
	make(w, "y.log", 0);
	n = read(engine, buf, sizeof(buf));
	assert_true(n > 0 && ((struct inotify_event *) (void *) buf)->mask & IN_CREATE);
	(void) close(file.fd);
}

static void test_syslog(void **state)
{
	struct world *w = *state;
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char buf[64];
	int fd, out = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (geteuid() != 0)
		skip();
	assert_int_equal(log_files_syslog(&w->policy, &fd), -ENOENT);
	(void) snprintf(w->policy.logs.syslog, POLICY_PATH, "%s/syslog.sock", w->dir);
	for (int again = 0; again < 2; again++) { /* its own socket is made anew */
		assert_int_equal(log_files_syslog(&w->policy, &fd), 0);
		(void) snprintf(to.sun_path, sizeof(to.sun_path), "%s/syslog.sock", w->dir);
		assert_int_equal(sendto(out, "<38>sshd: x", 11, 0, (struct sockaddr *) &to, sizeof(to)), 11);
		assert_int_equal(recv(fd, buf, sizeof(buf), 0), 11);
		(void) close(fd);
	}
	make(w, "file", 0); /* but nothing else is */
	(void) snprintf(w->policy.logs.syslog, POLICY_PATH, "%s/file", w->dir);
	assert_int_equal(log_files_syslog(&w->policy, &fd), -EEXIST);
	(void) snprintf(w->policy.logs.syslog, POLICY_PATH, "/tmp/pv-syslog-%d", getpid());
	assert_int_equal(log_files_syslog(&w->policy, &fd), -EPERM); /* anybody may write to /tmp */
	(void) close(out);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_lists),	  T(test_list_is_bounded), T(test_stale),     T(test_links), T(test_linked_folder),
					    T(test_no_plain_file), T(test_beside),	   T(test_container), T(test_watches), T(test_syslog) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
