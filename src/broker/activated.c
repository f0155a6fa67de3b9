#include "broker/activated.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"

#define SYSTEMD	   1
#define SERVER	   "dockerd\n"
#define LISTENS	   0x10000 /* __SO_ACCEPTCON in the flags of /proc/net/unix */
#define LOOK_AGAIN USEC_PER_SEC

static bool holds(const struct activated *a, int pid, int fd)
{
	char path[64], want[64], is[64];
	ssize_t n;

	(void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	(void) snprintf(want, sizeof(want), "socket:[%" PRIu64 "]", a->socket);
	n = readlink(path, is, sizeof(is) - 1);
	if (n < 0)
		return false;
	is[n] = '\0';
	return strcmp(is, want) == 0;
}

/* The descriptor of `pid` that is the socket; -1: it has none. */
static int descriptor_of(const struct activated *a, int pid)
{
	char path[64];
	struct dirent *e;
	uint32_t n;
	int fd = -1;
	DIR *d;

	(void) snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && fd < 0 && (e = readdir(d)))
		if (parse_u32(e->d_name, &n) == 0 && holds(a, pid, (int) n))
			fd = (int) n;
	if (d)
		(void) closedir(d);
	return fd;
}

static bool find_server(struct activated *a)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	bool found = false;

	while (d && !found && (e = readdir(d))) {
		char path[64], comm[16];
		uint32_t pid;
		int fd;

		if (parse_u32(e->d_name, &pid) < 0)
			continue;
		(void) snprintf(path, sizeof(path), "/proc/%u/comm", pid);
		if (!pv_read_start(path, comm, sizeof(comm)) || strcmp(comm, SERVER) != 0)
			continue;
		fd = descriptor_of(a, (int) pid);
		if (fd < 0)
			continue;
		a->server = (int) pid;
		a->fd = fd;
		found = true;
	}
	if (d)
		(void) closedir(d);
	return found;
}

enum { FLAGS = 3, NUMBER = 6, N_WORDS }; /* of a line of /proc/net/unix, before the path */

/* The number of the socket that listens at the node, under whatever name it was bound; 0: it is not in this network namespace. */
static uint64_t number_of(const struct stat *node)
{
	FILE *f = fopen("/proc/net/unix", "re");
	uint64_t found = 0;
	char *line = NULL;
	size_t size = 0;

	while (f && !found && getline(&line, &size, f) > 0) {
		char *word[N_WORDS], *path = line;
		uint64_t number;
		struct stat st;
		size_t n = 0;

		line[strcspn(line, "\n")] = '\0';
		while (n < N_WORDS && (word[n] = strtok_r(n ? NULL : line, " ", &path)))
			n++;
		if (n < N_WORDS || !(strtoul(word[FLAGS], NULL, 16) & LISTENS) || parse_u64(word[NUMBER], &number) < 0)
			continue;
		if (*path == '/' && stat(path, &st) == 0 && st.st_dev == node->st_dev && st.st_ino == node->st_ino)
			found = number;
	}
	free(line);
	if (f)
		(void) fclose(f);
	return found;
}

static bool is_about(const struct activated *a, const struct stat *node)
{
	return a->dev == node->st_dev && a->ino == node->st_ino;
}

bool activated_may_connect(struct activated *a, const struct stat *node)
{
	if (!a->server || !is_about(a, node))
		return true;
	return holds(a, a->server, a->fd) || find_server(a);
}

void activated_connected(struct activated *a, const struct stat *node, pid_t listener, uint64_t now_us)
{
	if (is_about(a, node) && (a->server || (a->looked_us && now_us < a->looked_us + LOOK_AGAIN)))
		return;
	*a = (struct activated){ .dev = node->st_dev, .ino = node->st_ino, .looked_us = now_us };
	if (listener != SYSTEMD)
		return;
	a->socket = number_of(node);
	if (a->socket)
		(void) find_server(a);
}
