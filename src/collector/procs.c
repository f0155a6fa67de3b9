#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mask.h"
#include "base/text.h"
#include "collector/collector.h"

#define DEPTH_MAX   16
#define COMMAND_MAX 4096

static ssize_t read_at(int dir, const char *name, char *out, size_t size)
{
	pv_autoclose int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	while (fd >= 0 && len < size - 1 && (n = read(fd, out + len, size - 1 - len)) > 0)
		len += (size_t) n;
	out[len] = '\0';
	return fd < 0 || n < 0 ? -1 : (ssize_t) len;
}

/* Its cgroup on the unified hierarchy is `path` or below. */
static bool belongs(int dir, const char *path)
{
	char text[4096], *line;
	size_t len = strlen(path);

	if (read_at(dir, "cgroup", text, sizeof(text)) < 0)
		return false;
	line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (!line)
		return false;
	line += line == text ? 3 : 4;
	return strncmp(line, path, len) == 0 && (line[len] == '\n' || line[len] == '/');
}

/* `pid (comm) state ppid ...`: the name may hold anything, brackets too. */
static void take_stat(struct proc *p)
{
	char text[1024], *end;

	if (read_at(p->dir, "stat", text, sizeof(text)) < 0 || !(end = strrchr(text, ')')) || strlen(end) < 5)
		return;
	p->state = end[2];
	p->parent = (pid_t) strtol(end + 4, NULL, 10);
}

static void take_status(struct proc *p)
{
	char text[4096], *at;

	if (read_at(p->dir, "status", text, sizeof(text)) < 0)
		return;
	at = strstr(text, "\nUid:\t");
	p->uid = at ? (uid_t) strtoul(at + 6, NULL, 10) : 0;
	at = strstr(text, "\nNSpid:\t");
	for (at = at ? at + 8 : NULL; at && isdigit((unsigned char) *at); at += *at == '\t')
		p->inside = (pid_t) strtol(at, &at, 10);
}

static void take_command(struct proc *p)
{
	char text[COMMAND_MAX];
	ssize_t n = read_at(p->dir, "cmdline", text, sizeof(text));

	if (n > 0)
		mask_words(&p->command, text, (size_t) n);
	if (n == (ssize_t) sizeof(text) - 1)
		pv_buf_puts(&p->command, " …");
	if (read_at(p->dir, "comm", p->comm, sizeof(p->comm)) > 0)
		p->comm[strcspn(p->comm, "\n")] = '\0';
}

static bool is_of_image(const struct procs *p, const struct program *g)
{
	pv_autoclose int lower = -1, upper = -1;

	if (!p->has_overlay || g->deleted)
		return false;
	upper = overlay_open_upper(&p->overlay, g->path);
	if (upper >= 0)
		return false;
	lower = overlay_open_lower(&p->overlay, g->path);
	return lower >= 0;
}

static int program_of(struct procs *ps, struct proc *p)
{
	struct program *g;
	struct stat st;
	char *end;
	ssize_t n;
	int fd;

	n = readlinkat(p->dir, "exe", p->exe, sizeof(p->exe) - 1);
	p->exe[n > 0 ? n : 0] = '\0';
	fd = file_open_at(p->dir, "exe");
	if (fd < 0 || fstat(fd, &st) < 0) {
		(void) pv_close(fd);
		return -1;
	}
	for (size_t i = 0; i < ps->n_programs; i++)
		if (ps->programs[i].dev == st.st_dev && ps->programs[i].ino == st.st_ino) {
			(void) pv_close(fd);
			return (int) i;
		}
	g = &ps->programs[ps->n_programs];
	*g = (struct program){ .fd = fd, .dev = st.st_dev, .ino = st.st_ino, .size = (uint64_t) st.st_size };
	(void) text_copy(g->path, sizeof(g->path), p->exe);
	end = strstr(g->path, " (deleted)");
	if (end && !end[10]) {
		*end = '\0';
		g->deleted = true;
	}
	g->of_image = is_of_image(ps, g);
	return (int) ps->n_programs++;
}

struct walk {
	struct procs *p;
	const char *path, *docker_root;
};

static void take(const struct walk *w, pid_t pid)
{
	struct procs *ps = w->p;
	struct proc *p;
	char name[32];
	struct stat st;

	if (ps->n == CAPTURE_PROCS) {
		ps->more++;
		return;
	}
	p = &ps->at[ps->n];
	*p = (struct proc){ .pid = pid, .program = -1 };
	(void) snprintf(name, sizeof(name), "/proc/%d", (int) pid);
	p->dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->dir < 0 || !belongs(p->dir, w->path)) {
		p->dir = pv_close(p->dir);
		return;
	}
	if (!ps->has_overlay)
		ps->has_overlay = overlay_of(p->dir, w->docker_root, &ps->overlay) == 0;
	take_stat(p);
	take_status(p);
	take_command(p);
	p->program = program_of(ps, p);
	p->net = fstatat(p->dir, "ns/net", &st, 0) == 0 ? st.st_ino : 0;
	ps->n++;
}

static void walk(const struct walk *w, int dir_fd, unsigned depth)
{
	int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "re");
	struct dirent *e;
	char line[32];
	DIR *d;

	while (f && fgets(line, sizeof(line), f)) {
		long pid = strtol(line, NULL, 10);

		if (pid > 1 && pid <= INT_MAX)
			take(w, (pid_t) pid);
	}
	if (f)
		(void) fclose(f);
	if (depth == DEPTH_MAX)
		return;
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		(void) pv_close(fd);
		return;
	}
	while ((e = readdir(d))) {
		pv_autoclose int sub = -1;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (sub >= 0)
			walk(w, sub, depth + 1);
	}
	(void) closedir(d);
}

void procs_gather(struct procs *p, int cgroup_fd, const char *path, const char *docker_root)
{
	const struct walk w = { .p = p, .path = path, .docker_root = docker_root };

	*p = (struct procs){ 0 };
	if (cgroup_fd >= 0 && *path)
		walk(&w, cgroup_fd, 0);
}

void procs_done(struct procs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		p->at[i].dir = pv_close(p->at[i].dir);
		pv_buf_done(&p->at[i].command);
	}
	for (size_t i = 0; i < p->n_programs; i++)
		p->programs[i].fd = pv_close(p->programs[i].fd);
}

void procs_json(const struct procs *p, struct pv_buf *out)
{
	pv_buf_puts(out, "{\"schema\":1,\"processes\":[");
	for (size_t i = 0; i < p->n; i++) {
		const struct proc *one = &p->at[i];

		pv_buf_printf(out,
			      "%s{\"pid\":%d,\"parent\":%d,\"inside\":%d,\"uid\":%u,\"state\":\"%c\",\"name\":", i ? ",\n" : "\n",
			      (int) one->pid, (int) one->parent, (int) one->inside, (unsigned) one->uid,
			      isalpha((unsigned char) one->state) ? one->state : '?');
		pv_buf_json_str(out, one->comm);
		pv_buf_puts(out, ",\"command\":");
		pv_buf_json_str(out, pv_buf_str(&one->command));
		pv_buf_puts(out, ",\"program\":");
		pv_buf_json_str(out, one->exe);
		pv_buf_printf(out, ",\"net\":%llu}", (unsigned long long) one->net);
	}
	pv_buf_puts(out, "\n]}\n");
}

static void put_program(const struct procs *p, size_t which, struct pv_buf *out)
{
	const struct program *g = &p->programs[which];
	bool first = true;

	pv_buf_puts(out, "{\"path\":");
	pv_buf_json_str(out, g->path);
	pv_buf_printf(out, ",\"size\":%llu,\"of_image\":%s,\"deleted\":%s,\"sha256\":", (unsigned long long) g->size,
		      g->of_image ? "true" : "false", g->deleted ? "true" : "false");
	if (g->hashed)
		pv_buf_putc(out, '"');
	for (size_t k = 0; g->hashed && k < 32; k++)
		pv_buf_printf(out, "%02x", g->sha256[k]);
	pv_buf_puts(out, g->hashed ? "\",\"taken\":" : "null,\"taken\":");
	pv_buf_json_str(out, g->taken);
	pv_buf_puts(out, ",\"pids\":[");
	for (size_t i = 0; i < p->n; i++) {
		if (p->at[i].program != (int) which)
			continue;
		pv_buf_printf(out, "%s%d", first ? "" : ",", (int) p->at[i].pid);
		first = false;
	}
	pv_buf_puts(out, "]}");
}

void programs_json(const struct procs *p, struct pv_buf *out)
{
	pv_buf_puts(out, "{\"schema\":1,\"programs\":[");
	for (size_t i = 0; i < p->n_programs; i++) {
		pv_buf_puts(out, i ? ",\n" : "\n");
		put_program(p, i, out);
	}
	pv_buf_puts(out, "\n]}\n");
}
