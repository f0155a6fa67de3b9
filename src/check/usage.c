#include "check/usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define FILE_BYTES 65536
#define FOLDER	   1024

struct folders { /* of one process, by controller; "" where it has none */
	char pids[FOLDER], memory[FOLDER], cpu[FOLDER], unified[FOLDER];
};

static bool names(const char *list, size_t len, const char *controller)
{
	size_t n = strlen(controller);

	for (const char *p = list; p < list + len; p += strcspn(p, ",") + 1)
		if (strncmp(p, controller, n) == 0 && (p[n] == ',' || p + n == list + len))
			return true;
	return false;
}

static void place(char *out, const char *mount, const char *path, size_t len)
{
	if (len < FOLDER - 64 && !memmem(path, len, "/..", 3))
		(void) snprintf(out, FOLDER, "/sys/fs/cgroup%s%.*s", mount, (int) len, path);
}

/* `4:memory:/docker/ID`, `0::/docker/ID` (cgroups(7)). */
static void take_line(struct folders *f, const char *line, size_t len, bool hybrid)
{
	const char *list = memchr(line, ':', len), *path = list ? memchr(list + 1, ':', len - (size_t) (list + 1 - line)) : NULL;
	size_t n = path ? (size_t) (path - list - 1) : 0, rest = path ? len - (size_t) (path + 1 - line) : 0;

	if (!path || !rest)
		return;
	list++;
	path++;
	if (!n)
		place(f->unified, hybrid ? "/unified" : "", path, rest);
	if (names(list, n, "pids"))
		place(f->pids, "/pids", path, rest);
	if (names(list, n, "memory"))
		place(f->memory, "/memory", path, rest);
	if (names(list, n, "cpuacct"))
		place(f->cpu, "/cpuacct", path, rest);
}

static int find(const struct hostfs *fs, long pid, struct folders *f)
{
	pv_autobuf text = PV_BUF_INIT;
	char path[64];
	bool hybrid;
	int r;

	(void) snprintf(path, sizeof(path), "/proc/%ld/cgroup", pid);
	r = hostfs_read(fs, path, FILE_BYTES, &text);
	hybrid = strstr(pv_buf_str(&text), ":memory:") || strstr(pv_buf_str(&text), ":pids:");
	for (const char *p = pv_buf_str(&text); r == 0 && *p; p += strcspn(p, "\n") + (p[strcspn(p, "\n")] != '\0'))
		take_line(f, p, strcspn(p, "\n"), hybrid);
	return r == 0 && !*f->unified && !*f->memory ? -ENOENT : r;
}

/* A number alone in a file, or the one behind `key` at the start of a line. "max" is none. */
static bool value(const struct hostfs *fs, const char *folder, const char *file, const char *key, uint64_t *ret)
{
	pv_autobuf text = PV_BUF_INIT;
	char path[FOLDER + 64], digits[24] = "";
	const char *p;
	size_t n;

	(void) snprintf(path, sizeof(path), "%s/%s", folder, file);
	if (!*folder || hostfs_read(fs, path, FILE_BYTES, &text) < 0)
		return false;
	p = pv_buf_str(&text);
	for (n = key ? strlen(key) : 0; key && p && (strncmp(p, key, n) != 0 || p[n] != ' ');)
		p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL;
	if (!p)
		return false;
	p += key ? n + 1 : 0;
	n = strspn(p, "0123456789");
	if (!n || n >= sizeof(digits))
		return false;
	memcpy(digits, p, n);
	return parse_u64(digits, ret) == 0;
}

static bool read_memory(const struct hostfs *fs, const struct folders *f, struct ctr_usage *u)
{
	const bool old = *f->memory != '\0';
	const char *folder = old ? f->memory : f->unified;
	uint64_t inactive = 0, active = 0;

	if (!value(fs, folder, old ? "memory.usage_in_bytes" : "memory.current", NULL, &u->memory))
		return false;
	(void) value(fs, folder, "memory.stat", old ? "total_inactive_file" : "inactive_file", &inactive);
	(void) value(fs, folder, "memory.stat", old ? "total_active_file" : "active_file", &active);
	u->memory -= PV_MIN(u->memory, inactive + active);
	(void) value(fs, folder, old ? "memory.max_usage_in_bytes" : "memory.peak", NULL, &u->memory_peak);
	return true;
}

static void read_pids(const struct hostfs *fs, const struct folders *f, struct ctr_usage *u)
{
	const char *folder = *f->pids ? f->pids : f->unified;

	(void) value(fs, folder, "pids.current", NULL, &u->pids);
	(void) value(fs, folder, "pids.peak", NULL, &u->pids_peak);
}

/* Field 22 of /proc/PID/stat: ticks after boot; the name in field 2 may hold blanks and parentheses. */
static uint64_t age_of(const struct hostfs *fs, long pid, uint64_t *ret_started)
{
	pv_autobuf stat = PV_BUF_INIT, up = PV_BUF_INIT;
	unsigned long long ticks = 0, hz = (unsigned long long) sysconf(_SC_CLK_TCK);
	double uptime = 0;
	char path[64];
	const char *p;

	(void) snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	if (hostfs_read(fs, path, FILE_BYTES, &stat) < 0 || hostfs_read(fs, "/proc/uptime", FILE_BYTES, &up) < 0)
		return 0;
	p = strrchr(pv_buf_str(&stat), ')');
	for (unsigned field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		ticks = strtoull(p + 1, NULL, 10);
	*ret_started = hz ? (uint64_t) (ticks * 1000000 / hz) : 0;
	uptime = strtod(pv_buf_str(&up), NULL);
	return ticks && hz && uptime * 1e6 > (double) ticks / (double) hz * 1e6
		       ? (uint64_t) (uptime * 1e6 - (double) ticks / (double) hz * 1e6)
		       : 0;
}

static void read_cpu(const struct hostfs *fs, const struct folders *f, struct ctr_usage *u)
{
	uint64_t us = 0;

	if (value(fs, f->cpu, "cpuacct.usage", NULL, &us))
		us /= 1000;
	else if (!value(fs, f->unified, "cpu.stat", "usage_usec", &us))
		return;
	if (u->age_us)
		u->milli_cpus = us / PV_MAX(u->age_us / 1000, (uint64_t) 1);
}

int usage_read(const struct hostfs *fs, long pid, struct ctr_usage *ret)
{
	struct folders f = { .pids = "" };
	struct ctr_usage u = { .pids = 0 };
	struct stat st;
	int r = pid > 0 ? find(fs, pid, &f) : -ENOENT;

	if (r < 0)
		return r;
	u.age_us = age_of(fs, pid, &u.started_us);
	if (f.unified[0] && hostfs_stat(fs, f.unified, true, &st) == 0)
		u.cgroup = (uint64_t) st.st_ino;
	if (!read_memory(fs, &f, &u))
		return -ENOENT;
	read_pids(fs, &f, &u);
	read_cpu(fs, &f, &u);
	*ret = u;
	return 0;
}
