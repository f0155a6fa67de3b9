#include "host/gitdir.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SMALL	   (64u << 10)
#define PACKED_MAX (256u << 20)
#define REF_DEPTH  16
#define REFS_MAX   2000000

struct gitdir *gitdir_free(struct gitdir *g)
{
	if (!g)
		return NULL;
	for (size_t i = 0; i < g->n_objects; i++)
		free(g->objects[i]);
	free(g->work_tree);
	free(g->git_dir);
	free(g->common_dir);
	free(g);
	return NULL;
}

int gitdir_read(int dir_fd, const char *path, size_t max, bool text, char **ret, size_t *ret_len)
{
	pv_autoclose int fd = openat(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : gitdir_read_fd(fd, max, text, ret, ret_len);
}

int gitdir_read_fd(int fd, size_t max, bool text, char **ret, size_t *ret_len)
{
	pv_autofree char *data = NULL;
	struct stat st;
	size_t len = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if ((uint64_t) st.st_size > max)
		return -EFBIG;
	data = calloc(1, (size_t) st.st_size + 1);
	if (!data)
		return -ENOMEM;
	while (len < (size_t) st.st_size) {
		ssize_t n = read(fd, data + len, (size_t) st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t) n;
	}
	data[len] = '\0';
	if (text && memchr(data, '\0', len))
		return -EBADMSG;
	*ret = pv_steal(data);
	if (ret_len)
		*ret_len = len;
	return 0;
}

static void trim(char *s)
{
	size_t n = strlen(s);

	while (n && strchr(" \t\r\n", s[n - 1]))
		s[--n] = '\0';
}

static char *join(const char *dir, const char *name)
{
	char *path;

	if (*name == '/')
		return strdup(name);
	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static bool is_dir(const char *dir, const char *name)
{
	pv_autofree char *path = join(dir, name);
	struct stat st;

	return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool exists(const char *dir, const char *name)
{
	pv_autofree char *path = join(dir, name);
	struct stat st;

	return path && stat(path, &st) == 0; /* access() would forget a capability to read that is all this process has */
}

/* May what was pointed to from `from` be read? The kernel refuses a user what is not his; root must refuse itself. */
static bool may_follow(const struct stat *from, const char *to)
{
	struct stat st;

	if (!to || stat(to, &st) < 0)
		return false;
	return from->st_uid == 0 || from->st_uid == geteuid() || from->st_uid == st.st_uid;
}

/* A path that stands in a small file; its last line end is cut. */
static int read_pointer(const char *dir, const char *name, const char *prefix, char **ret)
{
	pv_autofree char *path = join(dir, name), *text = NULL;
	size_t skip = strlen(prefix);
	char *to;
	int r;

	if (!path)
		return -ENOMEM;
	r = gitdir_read(AT_FDCWD, path, PATH_MAX + 16, true, &text, NULL);
	if (r < 0 || !text)
		return r;
	if (strncmp(text, prefix, skip) != 0)
		return -EBADMSG;
	for (to = text + skip; *to == ' ';)
		to++;
	trim(to);
	*ret = *to ? join(dir, to) : NULL;
	return *to ? *ret ? 0 : -ENOMEM : -EBADMSG;
}

/* Sets *ret to the git folder of `dir`. -ENOENT: it has none. */
static int own_git_dir(const char *dir, char **ret)
{
	pv_autofree char *dot = join(dir, ".git"), *to = NULL;
	struct stat st, at;
	int r;

	if (!dot)
		return -ENOMEM;
	if (lstat(dot, &st) < 0 || stat(dir, &at) < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (S_ISREG(st.st_mode)) {
		r = read_pointer(dir, ".git", "gitdir:", &to);
		if (r < 0)
			return r;
	} else {
		to = pv_steal(dot);
	}
	if (!S_ISDIR(st.st_mode) && !may_follow(&at, to))
		return to && access(to, F_OK) == 0 ? -EPERM : -EBADMSG;
	*ret = realpath(to, NULL);
	if (!*ret)
		return errno == ENOENT ? -EBADMSG : -errno;
	return 0;
}

static int set_common(struct gitdir *g)
{
	pv_autofree char *to = NULL;
	struct stat at;
	int r;

	if (!g->git_dir)
		return -EINVAL;
	if (!exists(g->git_dir, "commondir")) {
		g->common_dir = strdup(g->git_dir);
		return g->common_dir ? 0 : -ENOMEM;
	}
	r = read_pointer(g->git_dir, "commondir", "", &to);
	if (r < 0)
		return r;
	if (stat(g->git_dir, &at) < 0)
		return -errno;
	if (!may_follow(&at, to))
		return -EPERM;
	g->common_dir = realpath(to, NULL);
	return g->common_dir ? 0 : -errno;
}

/* --- the few settings that say how to read; nothing of them is a command or a path to follow --- */

static void read_setting(struct gitdir *g, const char *section, char *line)
{
	char *value = strchr(line, '=');

	if (value)
		*value++ = '\0';
	trim(line);
	while (value && (*value == ' ' || *value == '\t' || *value == '"'))
		value++;
	if (value)
		value[strcspn(value, "\"#;")] = '\0', trim(value);
	if (strcasecmp(section, "extensions") != 0)
		return;
	if (strcasecmp(line, "objectformat") == 0 && value && strcasecmp(value, "sha256") == 0)
		g->id_len = 32;
	if (strcasecmp(line, "partialclone") == 0)
		g->partial = true;
	if (strcasecmp(line, "refstorage") == 0 && value && strcasecmp(value, "files") != 0)
		g->reftable = true;
}

static void read_config(struct gitdir *g)
{
	pv_autofree char *path = join(g->common_dir, "config"), *text = NULL;
	char section[64] = "", *save = NULL;

	g->id_len = 20;
	if (!path || gitdir_read(AT_FDCWD, path, SMALL * 16, true, &text, NULL) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		while (*line == ' ' || *line == '\t')
			line++;
		if (*line == '[')
			(void) snprintf(section, sizeof(section), "%.*s", (int) PV_MIN(strcspn(line + 1, "] \""), (size_t) 63),
					line + 1);
		else if (*line && *line != '#' && *line != ';')
			read_setting(g, section, line);
	}
}

/* --- object folders --- */

static bool have_objects(const struct gitdir *g, const char *path)
{
	for (size_t i = 0; i < g->n_objects; i++)
		if (strcmp(g->objects[i], path) == 0)
			return true;
	return false;
}

static void add_objects(struct gitdir *g, const char *path, const struct stat *from)
{
	pv_autofree char *real = realpath(path, NULL);
	struct stat st;

	if (!real || stat(real, &st) < 0 || !S_ISDIR(st.st_mode) || !may_follow(from, real) || g->n_objects == GITDIR_OBJECTS) {
		g->refused++;
		return;
	}
	if (!have_objects(g, real))
		g->objects[g->n_objects++] = pv_steal(real);
}

/* Each folder may name others; those that are added are looked at in their turn. */
static int collect_objects(struct gitdir *g)
{
	pv_autofree char *own = join(g->common_dir, "objects");
	struct stat from;

	if (!own || !g->common_dir || stat(g->common_dir, &from) < 0)
		return own ? -errno : -ENOMEM;
	add_objects(g, own, &from);
	for (size_t i = 0; i < g->n_objects; i++) {
		pv_autofree char *path = join(g->objects[i], "info/alternates"), *text = NULL;
		char *save = NULL;
		int r = path ? gitdir_read(AT_FDCWD, path, SMALL, true, &text, NULL) : -ENOMEM;

		if (r == -ENOENT || r == -ENOTDIR)
			continue;
		g->refused += r < 0;
		for (char *line = r < 0 ? NULL : strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			pv_autofree char *to = *line && *line != '#' ? join(g->objects[i], line) : NULL;

			if (to)
				add_objects(g, to, &from);
		}
	}
	return 0;
}

static bool has_promisor(const struct gitdir *g)
{
	bool found = false;

	for (size_t i = 0; i < g->n_objects && !found; i++) {
		pv_autofree char *path = join(g->objects[i], "pack");
		DIR *d = path ? opendir(path) : NULL;
		struct dirent *e;

		while (d && !found && (e = readdir(d))) {
			size_t n = strlen(e->d_name);

			found = n > 9 && strcmp(e->d_name + n - 9, ".promisor") == 0;
		}
		if (d)
			(void) closedir(d);
	}
	return found;
}

static int fill(struct gitdir *g)
{
	int r = set_common(g);

	if (r < 0)
		return r;
	if (!is_dir(g->common_dir, "objects") || !exists(g->git_dir, "HEAD"))
		return -EBADMSG;
	read_config(g);
	r = collect_objects(g);
	if (r < 0)
		return r;
	g->shallow = exists(g->common_dir, "shallow");
	g->partial |= has_promisor(g);
	g->replaced = is_dir(g->common_dir, "refs/replace") || exists(g->common_dir, "info/grafts");
	return 0;
}

static int up(char *dir, dev_t dev)
{
	char *slash = strrchr(dir, '/');
	struct stat st;

	if (!slash || !dir[1])
		return -ENOENT;
	slash[slash == dir] = '\0';
	return stat(dir, &st) < 0 || st.st_dev != dev ? -ENOENT : 0;
}

int gitdir_find(const char *start, struct gitdir **ret)
{
	pv_auto(gitdir) g = calloc(1, sizeof(*g));
	pv_autofree char *dir = realpath(start, NULL);
	struct stat st;
	int r;

	if (!g)
		return -ENOMEM;
	if (!dir || stat(dir, &st) < 0)
		return -errno;
	if (is_dir(dir, "objects") && is_dir(dir, "refs") && exists(dir, "HEAD")) {
		g->git_dir = pv_steal(dir);
		r = fill(g);
		if (r == 0)
			*ret = pv_steal(g);
		return r;
	}
	while ((r = own_git_dir(dir, &g->git_dir)) == -ENOENT)
		if (up(dir, st.st_dev) < 0)
			return -ENOENT;
	if (r < 0)
		return r;
	g->work_tree = pv_steal(dir);
	r = fill(g);
	if (r == 0)
		*ret = pv_steal(g);
	return r;
}

/* --- references --- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int gitdir_hex(const char *hex, unsigned id_len, uint8_t ret[32])
{
	for (unsigned i = 0; i < id_len; i++) {
		int hi = digit(hex[2 * i]), lo = hi < 0 ? -1 : digit(hex[2 * i + 1]);

		if (lo < 0)
			return -EINVAL;
		ret[i] = (uint8_t) (hi << 4 | lo);
	}
	return 0;
}

struct refs_walk {
	const struct gitdir *g;
	int (*fn)(const char *name, const uint8_t *id, void *user);
	void *user;
	size_t n;
};

static int loose_ref(struct refs_walk *w, int dir_fd, const char *file, const char *name)
{
	pv_autofree char *text = NULL;
	uint8_t id[32];
	size_t len = 0;

	if (w->n++ > REFS_MAX)
		return -EFBIG;
	if (gitdir_read(dir_fd, file, 4096, true, &text, &len) < 0 || len < 2 * w->g->id_len)
		return 0; /* symbolic, or not a reference */
	return gitdir_hex(text, w->g->id_len, id) < 0 ? 0 : w->fn(name, id, w->user);
}

static int walk_refs(struct refs_walk *w, int parent, const char *file, const char *name, unsigned depth)
{
	int fd = openat(parent, file, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		(void) pv_close(fd);
		return 0;
	}
	while (r == 0 && (e = readdir(d))) {
		char path[1024];

		if (e->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", name, e->d_name) >= (int) sizeof(path))
			continue;
		if (e->d_type == DT_DIR && depth < REF_DEPTH)
			r = walk_refs(w, dirfd(d), e->d_name, path, depth + 1);
		else if (e->d_type == DT_REG)
			r = loose_ref(w, dirfd(d), e->d_name, path);
	}
	(void) closedir(d);
	return r;
}

static bool is_loose(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode);
}

/* Those that no loose one has taken the place of, when `fd` is the folder of these; else all (-1). */
static int packed_refs(struct refs_walk *w, int fd)
{
	pv_autofree char *path = join(w->g->common_dir, "packed-refs"), *text = NULL;
	size_t hex = 2 * w->g->id_len;
	char *save = NULL;
	int r = path ? gitdir_read(AT_FDCWD, path, PACKED_MAX, true, &text, NULL) : -ENOMEM;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (char *line = strtok_r(text, "\n", &save); line && r == 0; line = strtok_r(NULL, "\n", &save)) {
		uint8_t id[32];

		if (strlen(line) > hex + 1 && line[hex] == ' ' && gitdir_hex(line, w->g->id_len, id) == 0 &&
		    (fd < 0 || !is_loose(fd, line + hex + 1)))
			r = w->fn(line + hex + 1, id, w->user);
	}
	return r;
}

int gitdir_refs(const struct gitdir *g, int (*fn)(const char *name, const uint8_t *id, void *user), void *user)
{
	struct refs_walk w = { .g = g, .fn = fn, .user = user };
	pv_autoclose int fd = open(g->common_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint8_t id[32];
	int r = fd < 0 ? -errno : packed_refs(&w, fd);

	if (r == 0)
		r = walk_refs(&w, fd, "refs", "refs", 0);
	if (r == 0 && gitdir_head(g, id) == 0)
		r = fn("HEAD", id, user);
	return r;
}

struct wanted_ref {
	const char *name;
	uint8_t id[32];
	bool found;
};

static int same_ref(const char *name, const uint8_t *id, void *user)
{
	struct wanted_ref *w = user;

	if (strcmp(name, w->name) == 0) {
		memcpy(w->id, id, 32);
		w->found = true; /* a loose one comes after and counts more than a packed one */
	}
	return 0;
}

static int resolve(const struct gitdir *g, const char *name, uint8_t ret_id[32])
{
	struct wanted_ref want = { .name = name };
	struct refs_walk w = { .g = g, .fn = same_ref, .user = &want };
	pv_autoclose int fd = open(g->common_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (strncmp(name, "refs/", 5) != 0 || strstr(name, ".."))
		return -ENOENT;
	r = fd < 0 ? -errno : packed_refs(&w, -1);
	if (r == 0)
		r = loose_ref(&w, fd, name, name);
	if (r < 0)
		return r;
	if (!want.found)
		return -ENOENT;
	memcpy(ret_id, want.id, 32);
	return 0;
}

int gitdir_head(const struct gitdir *g, uint8_t ret_id[32])
{
	pv_autofree char *path = join(g->git_dir, "HEAD"), *text = NULL;
	size_t len = 0;
	int r = path ? gitdir_read(AT_FDCWD, path, 4096, true, &text, &len) : -ENOMEM;

	if (r < 0 || !text)
		return r;
	trim(text);
	if (strncmp(text, "ref:", 4) == 0)
		return resolve(g, text + 4 + strspn(text + 4, " "), ret_id);
	if (strlen(text) != 2 * g->id_len)
		return -EBADMSG;
	return gitdir_hex(text, g->id_len, ret_id) < 0 ? -EBADMSG : 0;
}
