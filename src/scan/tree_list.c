#include "scan/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sodium/randombytes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "host/gitindex.h"
#include "scan/tree_own.h"

#define PATH_LEN 4096

struct tree *tree_free(struct tree *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n; i++)
		free(tree_file(t, i)->path);
	for (size_t i = 0; i < N_ELEMENTS(t->block) && t->block[i]; i++)
		free(t->block[i]);
	free(t->names);
	pv_map_done(&t->known);
	(void) gitignore_free(t->ignore);
	(void) pv_close(t->top);
	(void) pthread_mutex_destroy(&t->lock);
	free(t);
	return NULL;
}

size_t tree_count(const struct tree *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += tree_file(t, i)->tracked || !tree_file(t, i)->env;
	return n;
}

static uint64_t hash(const struct tree *t, const char *path, size_t len)
{
	uint64_t h;

	(void) crypto_shorthash((unsigned char *) &h, (const unsigned char *) path, len, t->key);
	return h;
}

static bool is_env(const char *path)
{
	static const char *const templates[] = { "example", "sample", "template", "dist", "schema" };
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t n = strlen(name);

	if (strncmp(name, ".env", 4) != 0 || (name[4] && name[4] != '.'))
		if (n < 5 || strcmp(name + n - 4, ".env") != 0)
			return false;
	for (size_t i = 0; i < N_ELEMENTS(templates); i++)
		if (strstr(name, templates[i]))
			return false;
	return true;
}

static int add_file(struct tree *t, const char *path, bool tracked)
{
	struct file *f;

	if (t->n >= TREE_FILES) {
		scan_note(t->notes, REASON_TOO_LARGE, "", "more than %d files; the others were not looked at", TREE_FILES);
		return 0;
	}
	if (!t->block[t->n / TREE_BLOCK]) {
		t->block[t->n / TREE_BLOCK] = calloc(TREE_BLOCK, sizeof(struct file));
		if (!t->block[t->n / TREE_BLOCK])
			return -ENOMEM;
	}
	f = tree_file(t, t->n);
	*f = (struct file){ .path = strdup(path), .tracked = tracked, .env = is_env(path) };
	return f->path ? (atomic_fetch_add(&t->n, 1), 0) : -ENOMEM;
}

static bool below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return !n || (strncmp(path, folder, n) == 0 && (path[n] == '/' || !path[n]));
}

static bool lies_there(const struct tree *t, const char *path)
{
	struct stat st;

	return fstatat(t->top, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int on_entry(const struct gitindex_entry *e, void *user)
{
	struct tree *t = user;
	uint64_t h = hash(t, e->path, e->path_len);

	if (!below(e->path, t->o->below) || pv_map_get(&t->known, h)) /* another side of a conflict */
		return 0;
	if (e->mode == 0160000)
		scan_note(t->notes, REASON_NONE, e->path, "a submodule: scan it by itself");
	/* What git does not check out, or has as a link, may be a file here all the same. */
	if (((e->mode & 0170000) != 0100000 || e->skip) && !lies_there(t, e->path))
		return 0;
	return pv_map_put(&t->known, h, t) < 0 ? -ENOMEM : add_file(t, e->path, true);
}

static int list_tracked(struct tree *t)
{
	int r;

	if (!t->o->git)
		return 0;
	r = gitindex_read(t->o->git, on_entry, t);
	if (r == -ENOMEM)
		return r;
	if (r == -EOPNOTSUPP)
		scan_note(t->notes, REASON_NONE, "", "a split or newer index: what is tracked is not known, every file that "
						      "is not ignored is looked at");
	else if (r < 0 && r != -ENOENT)
		scan_note(t->notes, REASON_MALFORMED, ".git/index", "the index cannot be read");
	return 0;
}

/* --- what lies there beside --- */

static int walk(struct tree *t, int parent, const char *name, const char *path, unsigned depth);

static unsigned type_of(int dir_fd, const char *name, unsigned type)
{
	struct stat st;

	if (type != DT_UNKNOWN)
		return type;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_UNKNOWN;
	return S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_LNK;
}

static int one_entry(struct tree *t, int dir_fd, const char *name, unsigned type, const char *path, unsigned depth)
{
	char full[PATH_LEN];
	int n = snprintf(full, sizeof(full), "%s%s%s", path, *path ? "/" : "", name);

	if (n < 0 || (size_t) n >= sizeof(full)) {
		scan_note(t->notes, REASON_TOO_LARGE, path, "a path of more than %d bytes", PATH_LEN);
		return 0;
	}
	if (type == DT_REG && pv_map_get(&t->known, hash(t, full, (size_t) n)))
		return 0; /* tracked: listed already */
	if (t->ignore && gitignore_match(t->ignore, full, type == DT_DIR)) /* .env is wanted for its values all the same */
		return type == DT_REG && is_env(full) ? add_file(t, full, false) : 0;
	return type == DT_DIR ? walk(t, dir_fd, name, full, depth + 1) : add_file(t, full, false);
}

static int keep_name(struct tree *t, unsigned type, const char *name)
{
	size_t n = strlen(name) + 2;

	if (t->names_room - t->names_len < n) {
		size_t room = PV_MAX(2 * t->names_room, (size_t) 65536);
		char *names = realloc(t->names, room);

		if (!names)
			return -ENOMEM;
		t->names = names;
		t->names_room = room;
	}
	t->names[t->names_len] = (char) type;
	memcpy(t->names + t->names_len + 1, name, n - 1);
	t->names_len += n;
	return 0;
}

struct special { /* names that are looked at, not listed */
	bool git, ignore;
};

/* Folders and regular files of one folder, at the end of t->names. */
static int read_names(struct tree *t, int fd, struct special *ret)
{
	char buf[32768] __attribute__((aligned(8)));
	ssize_t n = -1;
	int r = 0;

	*ret = (struct special){ false, false };
	while (r == 0 && (n = getdents64(fd, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n && r == 0;) {
			const struct dirent64 *e = (const struct dirent64 *) (buf + at);
			unsigned type = type_of(fd, e->d_name, e->d_type);

			at += e->d_reclen;
			ret->git |= strcmp(e->d_name, ".git") == 0;
			ret->ignore |= strcmp(e->d_name, ".gitignore") == 0;
			if ((type == DT_DIR || type == DT_REG) && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
			    strcmp(e->d_name, ".git") != 0)
				r = keep_name(t, type, e->d_name);
		}
	return r < 0 || n == 0 ? r : -errno;
}

static int walk_names(struct tree *t, int fd, const char *path, unsigned depth, bool ignore_file, size_t at)
{
	size_t mark = t->ignore ? gitignore_mark(t->ignore) : 0, end = t->names_len;
	int r = 0;

	if (t->ignore && ignore_file)
		r = gitignore_add_file(t->ignore, fd, ".gitignore", path);
	if (r < 0 && r != -ENOMEM) {
		scan_note(t->notes, REASON_NONE, path, ".gitignore cannot be read, or holds too much; it does not count");
		r = 0;
	}
	while (r == 0 && at < end) {
		const char *name = t->names + at + 1; /* one_entry() may move them: it is done with this one by then */
		unsigned type = (unsigned char) t->names[at];

		at += strlen(name) + 2;
		r = one_entry(t, fd, name, type, path, depth);
	}
	if (t->ignore)
		gitignore_back(t->ignore, mark);
	return r;
}

static int walk(struct tree *t, int parent, const char *name, const char *path, unsigned depth)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, .resolve = depth ? RESOLVE_NO_XDEV : 0 };
	pv_autoclose int fd = (int) syscall(SYS_openat2, parent, name, &how, sizeof(how));
	size_t mark = t->names_len;
	struct special special;
	int r;

	if (fd < 0) {
		if (errno == EXDEV)
			scan_note(t->notes, REASON_NONE, path, "another file system: scan it by itself");
		else if (errno != ENOENT)
			scan_note(t->notes, errno == EACCES ? REASON_PERMISSION : REASON_MALFORMED, path, "cannot be listed");
		return 0;
	}
	if (depth > TREE_DEPTH) {
		scan_note(t->notes, REASON_TOO_LARGE, path, "folders more than %d deep", TREE_DEPTH);
		return 0;
	}
	r = read_names(t, fd, &special);
	if (r < 0 && r != -ENOMEM) {
		scan_note(t->notes, REASON_MALFORMED, path, "cannot be listed to its end");
		r = 0;
	}
	if (depth && t->o->git && special.git)
		scan_note(t->notes, REASON_NONE, path, "a repository inside this one: scan it by itself");
	else if (r == 0)
		r = walk_names(t, fd, path, depth, special.ignore, mark);
	t->names_len = mark;
	return r;
}

/* The ignore files between the top and the folder that is asked for. */
static int add_ignores_above(struct tree *t)
{
	pv_autofree char *part = strdup(t->o->below);
	int r = part ? gitignore_add_file(t->ignore, t->top, ".gitignore", "") : -ENOMEM;

	for (char *slash = part; r >= 0 && slash && (slash = strchr(slash, '/')); slash++) {
		char file[PATH_LEN];

		*slash = '\0';
		if (snprintf(file, sizeof(file), "%s/.gitignore", part) < (int) sizeof(file))
			r = gitignore_add_file(t->ignore, t->top, file, part);
		*slash = '/';
	}
	return r == -ENOMEM ? r : 0;
}

/* Walks while another thread looks at what is listed already. */
static int walk_beside(struct tree *t)
{
	const char *below = t->o->below;
	pthread_t reader;
	bool reads = t->o->early && t->n > 64 && pthread_create(&reader, NULL, tree_read_early, t) == 0;
	int r = walk(t, t->top, *below ? below : ".", below, 0);

	atomic_store(&t->stop, true);
	if (reads)
		(void) pthread_join(reader, NULL);
	return r;
}

int tree_list(const struct tree_options *o, struct scan_notes *notes, struct tree **ret)
{
	pv_auto(tree) t = calloc(1, sizeof(*t));
	int r = 0;

	if (!t)
		return -ENOMEM;
	t->own = *o;
	t->o = &t->own;
	t->notes = notes;
	(void) pthread_mutex_init(&t->lock, NULL);
	t->look = o->early;
	randombytes_buf(t->key, sizeof(t->key));
	t->top = open(o->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->top < 0)
		return -errno;
	if (o->git)
		r = gitignore_new(&t->ignore);
	if (r == 0 && o->git)
		r = gitignore_add_exclude(t->ignore, o->git);
	if (r == -ENOMEM)
		return r;
	if (o->git && *o->below)
		r = add_ignores_above(t);
	else
		r = 0;
	if (r == 0)
		r = list_tracked(t);
	if (r == 0)
		r = walk_beside(t);
	if (r < 0)
		return r;
	*ret = pv_steal(t);
	return 0;
}
