/* What pavise-scan and pavise-audit can still do once they are confined: read, the first only below the folder that was asked for,
 * and no more. */
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "check_child/confine.h"
#include "scan_child/scan_child.h"

static char dir[] = "/tmp/pv-confine-XXXXXX";

static int open_error(const char *name, int flags)
{
	char path[256];
	int fd;

	(void) snprintf(path, sizeof(path), "%s%s%s", *name == '/' ? "" : dir, *name == '/' ? "" : "/", name);
	fd = open(path, flags, 0600);
	if (fd < 0)
		return errno;
	(void) close(fd);
	return 0;
}

static const struct {
	const char *name;
	int flags, want;
} opens[] = {
	{ "file", O_RDONLY, 0 },
	{ ".", O_RDONLY | O_DIRECTORY, 0 },
	{ "sub/file", O_RDONLY, 0 },
	{ "file", O_WRONLY, EACCES },
	{ "file", O_RDWR | O_TRUNC, EACCES },
	{ "new", O_WRONLY | O_CREAT | O_EXCL, EACCES },
	{ "link", O_RDONLY, EACCES }, /* to /etc/passwd */
	{ "/etc/passwd", O_RDONLY, EACCES },
	{ "/proc/self/environ", O_RDONLY, EACCES },
	{ "/", O_RDONLY | O_DIRECTORY, EACCES },
	{ "sub/../../../etc/passwd", O_RDONLY, EACCES },
};

static int what_else(const char *path)
{
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM || socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return 50;
	if (unlink(path) == 0 || chmod(path, 0777) == 0 || rename(path, path) == 0 || truncate(path, 0) == 0 || mkdir("/tmp/x", 0700) == 0)
		return 51;
	if (setuid(1) == 0 || kill(getppid(), 0) == 0)
		return 52;
	return 0;
}

/* Returns the number of the first thing that is not as it should be, from 1. */
static int confined(void)
{
	const struct scan_args args = { .dir = dir, .text_fd = -1, .container_fd = -1, .baseline_fd = -1 };
	char path[300];

	(void) snprintf(path, sizeof(path), "%s/file", dir);
	if (scan_confine(&args, NULL, "") < 0)
		return 100;
	for (size_t i = 0; i < N_ELEMENTS(opens); i++)
		if (open_error(opens[i].name, opens[i].flags) != opens[i].want)
			return (int) i + 1;
	return what_else(path);
}

/* The audit reads everywhere, what is not its own too, and writes nowhere: not where anybody may, and not its own. */
static int audit_confined(void)
{
	char path[300];

	(void) snprintf(path, sizeof(path), "%s/file", dir);
	if (chmod(path, 0666) < 0 || chmod(dir, 0777) < 0 || audit_confine() < 0)
		return 100;
	for (size_t i = 0; i < N_ELEMENTS(opens); i++) {
		int e = open_error(opens[i].name, opens[i].flags), mode = opens[i].flags & O_ACCMODE;

		if (mode == O_RDONLY ? e && strcmp(opens[i].name, "/proc/self/environ") != 0 : e != EACCES)
			return (int) i + 1;
	}
	return what_else(path);
}

static int can_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 0;
}

static void audit_only_reads(void **state)
{
	int status;
	pid_t pid;

	(void) state;
	if (!can_landlock())
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		(void) syscall(SYS_exit_group, audit_confined()); /* AddressSanitizer asks for more before _exit() */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x (opens: %zu)", (unsigned) status, N_ELEMENTS(opens));
}

static void only_reading(void **state)
{
	int status;
	pid_t pid;

	(void) state;
	if (!can_landlock())
		skip(); /* a kernel without landlock: what may be called is limited all the same, see test_scan */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(confined());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x (opens: %zu)", (unsigned) status, N_ELEMENTS(opens));
}

static void no_program(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		const struct scan_args args = { .dir = dir, .text_fd = -1, .container_fd = -1, .baseline_fd = -1 };

		if ((*state ? audit_confine() : scan_confine(&args, NULL, "")) == 0)
			(void) execl("/bin/true", "true", NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "status %x: starting a program ends it", (unsigned) status);
}

static int make(void **state)
{
	char path[256];
	int fd;

	(void) state;
	if (!mkdtemp(dir))
		return -1;
	for (int i = 0; i < 2; i++) {
		(void) snprintf(path, sizeof(path), "%s/sub", dir);
		(void) mkdir(path, 0700);
		(void) snprintf(path, sizeof(path), "%s/%sfile", dir, i ? "sub/" : "");
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return -1;
		(void) close(fd);
	}
	(void) snprintf(path, sizeof(path), "%s/link", dir);
	return symlink("/etc/passwd", path);
}

static int drop(void **state)
{
	static const char *const names[] = { "link", "file", "new", "sub/file" };
	char path[256];

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		(void) snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void) unlink(path);
	}
	(void) snprintf(path, sizeof(path), "%s/sub", dir);
	(void) rmdir(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(only_reading), cmocka_unit_test(no_program), cmocka_unit_test(audit_only_reads),
					    cmocka_unit_test_prestate(no_program, dir) };

	return cmocka_run_group_tests_name("confine", tests, make, drop);
}
