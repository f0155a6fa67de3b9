/* pvran - a stand-in for a program that somebody dropped: says RAN and nothing else.
 *
 *   pvran [WORD...]        says RAN, and the words
 *   pvran memory           copies itself into memory and runs that
 *   pvran deleted PATH     copies itself to PATH, deletes it, and runs what was deleted
 *   pvran spawn PATH       starts PATH by vfork; its exit status, 128 and the signal if it was killed
 *   pvran wait SECONDS     says RAN, then waits
 *   pvran [SCRIPT] sh CMD  as a server does that calls system(): sh -c CMD; a SCRIPT with a slash is what an interpreter has
 *   pvran SCRIPT -- WORD... as a wrapper does: starts WORD ... and waits for it
 *   pvran later PATH CMD     the same, as soon as PATH is there */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int copy_self(int to)
{
	int from = open("/proc/self/exe", O_RDONLY);
	char buf[65536];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t) n) != n)
			return -1;
	close(from);
	return n == 0 ? 0 : -1;
}

static int run_fd(int fd)
{
	char *const argv[] = { (char *) "pvran", NULL }, *const envp[] = { NULL };

	syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
	perror("execveat");
	return 1;
}

static int deleted(const char *path)
{
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755), fd;

	if (out < 0 || copy_self(out) < 0)
		return 1;
	close(out);
	fd = open(path, O_RDONLY);
	unlink(path);
	return run_fd(fd);
}

static int spawn(const char *path)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		execl(path, path, (char *) NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int shell(const char *line)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", line, (char *) NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int wrap(char **words)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		execvp(words[0], words);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	if (argc > 2 && strchr(argv[1], '/')) {
		argv++;
		argc--;
	}
	if (argc > 2 && strcmp(argv[1], "--") == 0)
		return wrap(argv + 2);
	if (argc == 3 && strcmp(argv[1], "sh") == 0)
		return shell(argv[2]);
	if (argc == 2 && strcmp(argv[1], "memory") == 0) {
		int fd = memfd_create("kworker", 0);

		return copy_self(fd) < 0 ? 1 : run_fd(fd);
	}
	if (argc == 3 && strcmp(argv[1], "deleted") == 0)
		return deleted(argv[2]);
	if (argc == 3 && strcmp(argv[1], "spawn") == 0)
		return spawn(argv[2]);
	if (argc == 4 && strcmp(argv[1], "later") == 0) {
		while (access(argv[2], F_OK) < 0)
			usleep(20000);
		return shell(argv[3]);
	}
	printf("RAN");
	for (int i = 1; i < argc; i++)
		printf(" %s", argv[i]);
	printf("\n");
	fflush(stdout);
	if (argc == 3 && strcmp(argv[1], "wait") == 0)
		sleep((unsigned) atoi(argv[2]));
	return 0;
}
