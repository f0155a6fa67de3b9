#include "host/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/text.h"

#define WALK_DEPTH   128
#define NESTED_MAX   4096      /* cgroups below one workload that are looked into */
#define PROCESS_MAX  (1u << 20)
#define REFRESH_FROM 3	       /* samples that read everything */
#define REFRESH_EACH 6	       /* then every sixth */

enum hierarchy { V2, CPU, MEMORY, PIDS, N_HIERARCHIES };

struct cgroup_tree {
	int fd[N_HIERARCHIES]; /* of the mounts; -1: the controller is part of v2 */
	char *v2;	       /* path of the v2 mount, without trailing slash */
	char *watched;	       /* path of the watched root */
	uint64_t watched_id;
	bool hybrid;
};

/* The files kept open, under their two names. */
enum kept { CPU_STAT, CPU_PRESSURE, CPU_THROTTLED, MEMORY_NOW, MEMORY_STAT, MEMORY_EVENTS, PIDS_NOW, N_KEPT };

static const struct {
	enum hierarchy in;
	const char *v2, *v1; /* NULL: no such file there */
} kept_files[N_KEPT] = {
	[CPU_STAT] = { V2, "cpu.stat", "cpu.stat" },
	[CPU_PRESSURE] = { V2, "cpu.pressure", "cpu.pressure" },
	[CPU_THROTTLED] = { CPU, NULL, "cpu.stat" }, /* on v2 a line of cpu.stat; opened where there is a quota */
	[MEMORY_NOW] = { MEMORY, "memory.current", "memory.usage_in_bytes" },
	[MEMORY_STAT] = { MEMORY, "memory.stat", "memory.stat" },
	[MEMORY_EVENTS] = { MEMORY, "memory.events", "memory.oom_control" },
	[PIDS_NOW] = { PIDS, "pids.current", "pids.current" },
};

struct cgroup_files {
	const struct cgroup_tree *tree;
	int dir;	  /* its v2 folder */
	int fd[N_KEPT];	  /* -1: absent */
	uint64_t id;
	unsigned reads;
	uint64_t cpu_quota, memory_limit, tasks_max; /* as last read */
	char path[];	  /* below the mounts, without leading slash; "." for the mount itself */
};

/* ---- the mounts ---- */

/* Octal escapes of mountinfo (proc(5)): blanks, tabs, newlines, backslashes. In place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' &&
		    s[3] <= '7') {
			*to++ = (char) ((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* Whether `path` is `folder` or lies below it. */
static bool path_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	while (n && folder[n - 1] == '/')
		n--;
	return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; p; p = strchr(p, ','), p = p ? p + 1 : NULL)
		if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	return false;
}

struct mount_line {
	const char *root, *point, *type, *options;
};

/* "36 31 0:33 / /sys/fs/cgroup/devices rw,relatime shared:9 - cgroup cgroup rw,devices": the optional fields end
 * at the lone dash. */
static bool split_mount_line(char *line, struct mount_line *ret)
{
	char *field[6], *save = NULL, *word = strtok_r(line, " \n", &save);
	size_t n = 0;

	for (; word && n < 6; word = strtok_r(NULL, " \n", &save))
		field[n++] = word;
	while (word && strcmp(word, "-") != 0)
		word = strtok_r(NULL, " \n", &save);
	ret->type = word ? strtok_r(NULL, " \n", &save) : NULL;
	if (n < 6 || !ret->type || !strtok_r(NULL, " \n", &save))
		return false;
	ret->options = strtok_r(NULL, " \n", &save);
	ret->root = field[3];
	ret->point = field[4];
	unescape(field[4]);
	return ret->options != NULL;
}

struct found_mounts {
	char *path[N_HIERARCHIES];
};

static void found_mounts_done(struct found_mounts *f)
{
	for (size_t i = 0; i < N_HIERARCHIES; i++)
		free(f->path[i]);
}

static int note_mount(struct found_mounts *f, const struct mount_line *m, const char *root)
{
	static const char *const controllers[N_HIERARCHIES] = { NULL, "cpu", "memory", "pids" };
	bool v2 = strcmp(m->type, "cgroup2") == 0;

	/* A bind mount of a part (root is not "/") would give other relative paths than the kernel's. */
	if (strcmp(m->root, "/") != 0 || (!v2 && strcmp(m->type, "cgroup") != 0))
		return 0;
	for (size_t i = v2 ? V2 : CPU; i < (v2 ? CPU : N_HIERARCHIES); i++) {
		if (v2 ? !path_below(m->point, root) && !path_below(root, m->point)
		       : !has_word(m->options, controllers[i]))
			continue;
		if (f->path[i]) /* the first one: later ones are copies of it elsewhere */
			continue;
		f->path[i] = strdup(m->point);
		if (!f->path[i])
			return -ENOMEM;
	}
	return 0;
}

static int find_mounts(const char *root, struct found_mounts *f)
{
	FILE *in = fopen("/proc/self/mountinfo", "re");
	pv_autofree char *line = NULL;
	size_t room = 0;
	struct mount_line m;
	int r = 0;

	if (!in)
		return -errno;
	while (r == 0 && getline(&line, &room, in) > 0)
		if (split_mount_line(line, &m))
			r = note_mount(f, &m, root);
	(void) fclose(in);
	return r;
}

int cgroup_tree_open(const char *root, struct cgroup_tree **ret)
{
	__attribute__((cleanup(found_mounts_done))) struct found_mounts f = { { NULL } };
	pv_autofree char *real = realpath(root, NULL);
	struct cgroup_mounts m;
	struct statfs fs;
	int r;

	if (!real || statfs(real, &fs) < 0)
		return -errno;
	r = find_mounts(real, &f);
	if (r < 0)
		return r;
	if (!f.path[V2])
		return -ENOTSUP;
	m = (struct cgroup_mounts){ f.path[V2], f.path[CPU], f.path[MEMORY], f.path[PIDS] };
	/* What is not on cgroup2 itself is the tmpfs above the hierarchies: the whole v2 tree is meant. */
	return cgroup_tree_open_at(&m, fs.f_type == CGROUP2_SUPER_MAGIC ? real : f.path[V2], ret);
}

static int open_folder(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

static int open_mounts(struct cgroup_tree *t, const struct cgroup_mounts *m)
{
	const char *const path[N_HIERARCHIES] = { m->v2, m->cpu, m->memory, m->pids };

	for (size_t i = 0; i < N_HIERARCHIES; i++) {
		if (!path[i])
			continue;
		/* followed: /sys/fs/cgroup/cpu may be a link to cpu,cpuacct; the mounts are root's */
		t->fd[i] = open(path[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (t->fd[i] < 0)
			return -errno;
		t->hybrid |= i != V2;
	}
	return 0;
}

int cgroup_tree_open_at(const struct cgroup_mounts *m, const char *watched, struct cgroup_tree **ret)
{
	pv_auto(cgroup_tree) t = calloc(1, sizeof(*t));
	struct stat st;
	int r;

	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < N_HIERARCHIES; i++)
		t->fd[i] = -1;
	if (!m->v2 || !path_below(watched, m->v2))
		return -EINVAL;
	r = open_mounts(t, m);
	if (r < 0)
		return r;
	t->v2 = strdup(m->v2);
	t->watched = strdup(watched);
	if (!t->v2 || !t->watched)
		return -ENOMEM;
	if (stat(watched, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	t->watched_id = st.st_ino;
	*ret = pv_steal(t);
	return 0;
}

struct cgroup_tree *cgroup_tree_free(struct cgroup_tree *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < N_HIERARCHIES; i++)
		pv_close(t->fd[i]);
	free(t->v2);
	free(t->watched);
	free(t);
	return NULL;
}

bool cgroup_tree_hybrid(const struct cgroup_tree *t)
{
	return t->hybrid;
}

const char *cgroup_tree_v2(const struct cgroup_tree *t)
{
	return t->v2;
}

const char *cgroup_tree_watched(const struct cgroup_tree *t)
{
	return t->watched;
}

uint64_t cgroup_tree_watched_id(const struct cgroup_tree *t)
{
	return t->watched_id;
}

/* ---- folders ---- */

static bool is_folder(int at, const struct dirent *e)
{
	struct stat st;

	if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
		return false;
	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_DIR;
	return fstatat(at, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* A second descriptor, so that reading the folder moves no shared offset. */
static DIR *open_listing(int fd)
{
	int own = open_folder(fd, ".");
	DIR *d = own < 0 ? NULL : fdopendir(own);

	if (!d)
		pv_close(own);
	return d;
}

struct walk {
	int (*fn)(const char *path, uint64_t id, uint64_t parent, void *arg);
	void *arg;
	char path[PATH_MAX];
};

static int walk_folder(struct walk *w, int fd, size_t len, uint64_t id, unsigned depth);

static int walk_child(struct walk *w, int at, const char *name, size_t len, uint64_t parent, unsigned depth)
{
	pv_autoclose int fd = open_folder(at, name);
	size_t n = strlen(name);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || len + n + 2 > sizeof(w->path))
		return 0; /* it ended, or the kernel itself could not name it in one path */
	w->path[len] = '/';
	memcpy(w->path + len + 1, name, n + 1);
	r = w->fn(w->path, st.st_ino, parent, w->arg);
	if (r == 0 && depth < WALK_DEPTH)
		r = walk_folder(w, fd, len + 1 + n, st.st_ino, depth + 1);
	w->path[len] = '\0';
	return PV_MIN(r, 0);
}

static int walk_folder(struct walk *w, int fd, size_t len, uint64_t id, unsigned depth)
{
	DIR *d = open_listing(fd);
	struct dirent *e;
	int r = 0;

	if (!d)
		return 0;
	while (r == 0 && (e = readdir(d)))
		if (is_folder(fd, e))
			r = walk_child(w, fd, e->d_name, len, id, depth);
	(void) closedir(d);
	return r;
}

int cgroup_tree_walk(const struct cgroup_tree *t,
		     int (*fn)(const char *path, uint64_t id, uint64_t parent, void *arg), void *arg)
{
	pv_autofree struct walk *w = malloc(sizeof(*w));
	const char *below = t->watched + strlen(t->v2);
	pv_autoclose int fd = -1;
	size_t len = strlen(below);

	if (!w)
		return -ENOMEM;
	if (len >= sizeof(w->path))
		return -ENAMETOOLONG;
	fd = open(t->watched, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	w->fn = fn;
	w->arg = arg;
	memcpy(w->path, below, len + 1);
	return walk_folder(w, fd, len, t->watched_id, 0);
}

/* ---- one cgroup ---- */

/* Whole file from its start, NUL-terminated; what does not fit is left out. Length or negative errno. */
static ssize_t slurp(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

/* Decimal digits at `s`. "max" and what overflows is UINT64_MAX, "-1" and the like 0. */
static uint64_t number(const char *s)
{
	uint64_t v = 0;

	if (strncmp(s, "max", 3) == 0)
		return UINT64_MAX;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t) (*s - '0'), &v))
			return UINT64_MAX;
	return v;
}

/* The number behind `key` in lines of "key number"; `missing` where there is none. */
static uint64_t value_of(const char *text, const char *key, uint64_t missing)
{
	size_t n = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (strncmp(p, key, n) == 0 && p[n] == ' ')
			return number(p + n + 1);
	return missing;
}

static bool on_v1(const struct cgroup_tree *t, enum hierarchy h)
{
	return h != V2 && t->fd[h] >= 0;
}

/* Opens `name` of this cgroup in a v1 hierarchy, or in its v2 folder. */
static int open_in(const struct cgroup_files *f, enum hierarchy h, const char *v2, const char *v1)
{
	char path[PATH_MAX];
	int fd, n;

	if (!on_v1(f->tree, h)) {
		if (!v2)
			return -ENOENT;
		fd = openat(f->dir, v2, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		return fd < 0 ? -errno : fd;
	}
	n = snprintf(path, sizeof(path), "%s/%s", f->path, v1);
	if (n < 0 || (size_t) n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = openat(f->tree->fd[h], path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* A limit: opened, read and closed, since it hardly ever changes. Negative errno where there is no such file. */
static ssize_t read_once(const struct cgroup_files *f, enum hierarchy h, const char *v2, const char *v1, char *buf,
			 size_t size)
{
	pv_autoclose int fd = open_in(f, h, v2, v1);

	return fd < 0 ? fd : slurp(fd, buf, size);
}

static uint64_t permyriad(uint64_t quota, uint64_t period)
{
	if (quota == UINT64_MAX || quota == 0 || period == 0 || quota > UINT64_MAX / 10000)
		return 0;
	return quota * 10000 / period;
}

static uint64_t read_quota(const struct cgroup_files *f)
{
	char buf[64], *space;
	uint64_t quota, period;

	if (on_v1(f->tree, CPU)) {
		if (read_once(f, CPU, NULL, "cpu.cfs_quota_us", buf, sizeof(buf)) <= 0)
			return 0;
		quota = number(buf); /* "-1", none, reads as 0 */
		if (quota == 0 || read_once(f, CPU, NULL, "cpu.cfs_period_us", buf, sizeof(buf)) <= 0)
			return 0;
		return permyriad(quota, number(buf));
	}
	if (read_once(f, CPU, "cpu.max", NULL, buf, sizeof(buf)) <= 0)
		return 0;
	space = strchr(buf, ' ');
	period = space ? number(space + 1) : 100000;
	return permyriad(number(buf), period);
}

static void refresh(struct cgroup_files *f)
{
	char buf[64];

	f->cpu_quota = read_quota(f);
	f->memory_limit = UINT64_MAX;
	if (read_once(f, MEMORY, "memory.max", "memory.limit_in_bytes", buf, sizeof(buf)) > 0)
		f->memory_limit = number(buf);
	if (f->memory_limit >= UINT64_C(1) << 62) /* v1 says "none" as the largest number of whole pages */
		f->memory_limit = UINT64_MAX;
	f->tasks_max = UINT64_MAX;
	if (read_once(f, PIDS, "pids.max", "pids.max", buf, sizeof(buf)) > 0)
		f->tasks_max = number(buf);
	for (size_t i = 0; i < N_KEPT; i++) {
		if (f->fd[i] >= 0 || (i == CPU_THROTTLED && !f->cpu_quota))
			continue;
		f->fd[i] = open_in(f, kept_files[i].in, kept_files[i].v2, kept_files[i].v1);
		f->fd[i] = PV_MAX(f->fd[i], -1);
	}
}

/* No cgroup can have that name; nobody leads us out of the mount. */
static bool climbs(const char *path)
{
	for (const char *p = path; p; p = strchr(p, '/'), p = p ? p + 1 : NULL)
		if (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0'))
			return true;
	return false;
}

int cgroup_files_open(const struct cgroup_tree *t, const char *path, struct cgroup_files **ret)
{
	const char *below = path + strspn(path, "/");
	size_t len = strlen(below);
	pv_auto(cgroup_files) f = NULL;
	struct stat st;

	if (climbs(path))
		return -EINVAL;
	f = calloc(1, sizeof(*f) + len + 2);
	if (!f)
		return -ENOMEM;
	memcpy(f->path, len ? below : ".", len ? len + 1 : 2);
	f->tree = t;
	for (size_t i = 0; i < N_KEPT; i++)
		f->fd[i] = -1;
	f->dir = open_folder(t->fd[V2], f->path);
	if (f->dir < 0)
		return f->dir == -ENOENT ? -ENODEV : f->dir;
	if (fstat(f->dir, &st) < 0)
		return -errno;
	f->id = st.st_ino;
	f->fd[CPU_STAT] = open_in(f, V2, "cpu.stat", NULL);
	if (f->fd[CPU_STAT] < 0)
		return f->fd[CPU_STAT] == -ENOENT ? -ENODEV : f->fd[CPU_STAT];
	*ret = pv_steal(f);
	return 0;
}

struct cgroup_files *cgroup_files_free(struct cgroup_files *f)
{
	if (!f)
		return NULL;
	pv_close(f->dir);
	for (size_t i = 0; i < N_KEPT; i++)
		pv_close(f->fd[i]);
	free(f);
	return NULL;
}

/* A kept file; one whose v1 cgroup has ended is closed, and looked for again at the next refresh. */
static bool read_kept(struct cgroup_files *f, enum kept k, char *buf, size_t size)
{
	ssize_t n;

	if (f->fd[k] < 0)
		return false;
	n = slurp(f->fd[k], buf, size);
	if (n == -ENODEV)
		f->fd[k] = pv_close(f->fd[k]);
	return n > 0;
}

static int read_cpu(struct cgroup_files *f, char *buf, size_t size, struct cgroup_usage *u)
{
	const char *total;
	ssize_t n = slurp(f->fd[CPU_STAT], buf, size);

	if (n < 0)
		return (int) n;
	u->cpu_us = value_of(buf, "usage_usec", 0);
	u->throttled_us = value_of(buf, "throttled_usec", 0);
	u->cpu_quota = f->cpu_quota;
	if (f->cpu_quota && read_kept(f, CPU_THROTTLED, buf, size))
		u->throttled_us = value_of(buf, "throttled_time", 0) / 1000; /* v1: nanoseconds */
	u->pressure_us = UINT64_MAX;
	if (read_kept(f, CPU_PRESSURE, buf, size) && strncmp(buf, "some ", 5) == 0) {
		total = strstr(buf, "total=");
		u->pressure_us = total ? number(total + 6) : UINT64_MAX;
	}
	return 0;
}

/* File cache goes back to the kernel under pressure (both lists of it), and so does part of the slab. tmpfs is
 * not in these lists: it stays counted, as it should. */
static uint64_t reclaimable(const char *stat, bool v1)
{
	if (v1)
		return value_of(stat, "total_inactive_file", 0) + value_of(stat, "total_active_file", 0);
	return value_of(stat, "inactive_file", 0) + value_of(stat, "active_file", 0) +
	       value_of(stat, "slab_reclaimable", 0);
}

static void read_memory(struct cgroup_files *f, char *buf, size_t size, struct cgroup_usage *u)
{
	bool v1 = on_v1(f->tree, MEMORY);
	uint64_t now, back;

	u->memory = u->oom_kills = UINT64_MAX;
	u->memory_limit = f->memory_limit;
	if (read_kept(f, MEMORY_NOW, buf, size)) {
		now = number(buf);
		if (read_kept(f, MEMORY_STAT, buf, size)) {
			back = reclaimable(buf, v1); /* the two files are read one after the other: may be above */
			u->memory = now > back ? now - back : 0;
		}
	}
	if (read_kept(f, MEMORY_EVENTS, buf, size))
		u->oom_kills = value_of(buf, "oom_kill", UINT64_MAX);
}

/* ---- processes ---- */

struct count {
	uint64_t processes;
	unsigned cgroups;
};

/* Lines of cgroup.procs. A threaded child refuses (EOPNOTSUPP): its processes stand in its domain's list. */
static int count_lines(int dir, struct count *c)
{
	pv_autoclose int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char buf[4096];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf, sizeof(buf))) > 0 && c->processes < PROCESS_MAX)
		for (ssize_t i = 0; i < n; i++)
			c->processes += buf[i] == '\n';
	return n < 0 ? -errno : 0;
}

static int count_processes(int dir, struct count *c, unsigned depth)
{
	struct dirent *e;
	struct stat st;
	DIR *d;
	int r = count_lines(dir, c);

	if (r < 0)
		return r;
	/* kernfs keeps the link count: 2 means no folder below */
	if (depth >= WALK_DEPTH || ++c->cgroups >= NESTED_MAX || (fstat(dir, &st) == 0 && st.st_nlink == 2))
		return 0;
	d = open_listing(dir);
	while (d && c->cgroups < NESTED_MAX && (e = readdir(d))) {
		pv_autoclose int child = is_folder(dir, e) ? open_folder(dir, e->d_name) : -1;

		if (child >= 0)
			(void) count_processes(child, c, depth + 1);
	}
	if (d)
		(void) closedir(d);
	return 0;
}

static void read_pids(struct cgroup_files *f, char *buf, size_t size, uint64_t count_above, struct cgroup_usage *u)
{
	struct count c = { 0 };

	u->tasks_max = f->tasks_max;
	u->tasks = read_kept(f, PIDS_NOW, buf, size) ? number(buf) : UINT64_MAX;
	u->processes = u->tasks;
	if (u->tasks > count_above)
		u->processes = count_processes(f->dir, &c, 0) < 0 ? UINT64_MAX : c.processes;
}

int cgroup_files_read(struct cgroup_files *f, uint64_t count_above, struct cgroup_usage *ret)
{
	char buf[8192]; /* memory.stat is 1.5 to 2.5 kB */
	struct cgroup_usage u = { 0 };
	int r;

	if (f->reads < REFRESH_FROM || (f->reads + f->id) % REFRESH_EACH == 0) /* not all in the same round */
		refresh(f);
	f->reads++;
	r = read_cpu(f, buf, sizeof(buf), &u);
	if (r < 0)
		return r;
	read_memory(f, buf, sizeof(buf), &u);
	read_pids(f, buf, sizeof(buf), count_above, &u);
	*ret = u;
	return 0;
}

int cgroup_files_read_cpu(struct cgroup_files *f, struct cgroup_usage *ret)
{
	char buf[1024];
	struct cgroup_usage u = { .memory = UINT64_MAX, .memory_limit = UINT64_MAX, .oom_kills = UINT64_MAX, .tasks = UINT64_MAX,
				  .tasks_max = UINT64_MAX, .processes = UINT64_MAX };
	int r;

	if (!f->reads)
		refresh(f); /* its quota */
	r = read_cpu(f, buf, sizeof(buf), &u);
	if (r < 0)
		return r;
	*ret = u;
	return 0;
}

int cgroup_files_pids(struct cgroup_files *f, uint32_t *ret, size_t max)
{
	int fd = openat(f->dir, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char line[32];
	size_t n = 0;

	if (!file) {
		int r = -errno;

		(void) pv_close(fd);
		return r;
	}
	while (n < max && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		n += parse_u32(line, &ret[n]) == 0 && ret[n] != 0;
	}
	(void) fclose(file);
	return (int) n;
}

int cgroup_files_empty(struct cgroup_files *f)
{
	pv_autoclose int fd = openat(f->dir, "cgroup.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct count c = { 0 };
	char buf[256];
	ssize_t n;
	int r;

	if (fd >= 0) {
		n = slurp(fd, buf, sizeof(buf));
		return n < 0 ? (int) n : value_of(buf, "populated", 1) == 0;
	}
	if (errno != ENOENT)
		return -errno;
	r = count_processes(f->dir, &c, 0); /* the mount itself has no cgroup.events; neither has what is gone */
	if (r < 0)
		return r == -ENOENT ? -ENODEV : r;
	return c.processes == 0;
}
