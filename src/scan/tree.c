#include "scan/tree.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sodium/crypto_shorthash.h>
#include <sodium/randombytes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/map.h"
#include "host/gitignore.h"
#include "host/gitindex.h"
#include "match/random.h"
#include "scan/allow.h"

#define WINDOW	    ((size_t) 16 << 20)
#define PATH_LEN    4096
#define ENV_MAX	    (1u << 20)
#define RANDOM_MIN  400 /* hundredths of a bit; words and identifiers give 200 to 380, keys 400 and more */
#define RANDOM_LEN  12
#define EDGE	    16

struct file {
	char *path;
	bool tracked, env;
};

struct tree {
	const struct tree_options *o;
	struct tree_options own;
	struct scan_notes *notes;
	int top;
	dev_t dev;
	struct file *file;
	size_t n, room;
	struct pv_map known; /* tracked paths, by a keyed hash */
	unsigned char key[crypto_shorthash_KEYBYTES];
	struct gitignore *ignore;
	_Atomic uint64_t next, bytes;
	_Atomic int result;
	pthread_mutex_t lock; /* of fn */
	struct look *look;
	int (*fn)(const struct tree_text *, void *);
	void *user;
};

struct reader {
	struct tree *t;
	unsigned thread;
	char *buf;
	size_t room;
	struct look_hits hits;
};

struct tree *tree_free(struct tree *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n; i++)
		free(t->file[i].path);
	free(t->file);
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
		n += t->file[i].tracked || !t->file[i].env;
	return n;
}

uint64_t tree_bytes(const struct tree *t)
{
	return t->bytes;
}

/* --- listing --- */

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
	if (t->n >= TREE_FILES) {
		scan_note(t->notes, REASON_TOO_LARGE, "", "more than %d files; the others were not looked at", TREE_FILES);
		return 0;
	}
	if (t->n == t->room) {
		size_t want = t->room ? 2 * t->room : 1024;
		struct file *file = reallocarray(t->file, want, sizeof(*file));

		if (!file)
			return -ENOMEM;
		t->file = file;
		t->room = want;
	}
	t->file[t->n] = (struct file){ .path = strdup(path), .tracked = tracked, .env = is_env(path) };
	return t->file[t->n].path ? (t->n++, 0) : -ENOMEM;
}

static bool below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return !n || (strncmp(path, folder, n) == 0 && (path[n] == '/' || !path[n]));
}

static int on_entry(const struct gitindex_entry *e, void *user)
{
	struct tree *t = user;
	uint64_t h = hash(t, e->path, e->path_len);

	if (e->mode == 0160000 && below(e->path, t->o->below))
		scan_note(t->notes, REASON_NONE, e->path, "a submodule: scan it by itself");
	if (pv_map_get(&t->known, h)) /* another side of a conflict */
		return 0;
	if (pv_map_put(&t->known, h, t) < 0)
		return -ENOMEM;
	if ((e->mode & 0170000) != 0100000 || e->skip || !below(e->path, t->o->below))
		return 0;
	return add_file(t, e->path, true);
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

static int walk(struct tree *t, int parent, const char *name, const char *path, unsigned depth);

static bool has_git(int fd)
{
	return faccessat(fd, ".git", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static unsigned type_of(int dir_fd, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type;
	if (fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_UNKNOWN;
	return S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_LNK;
}

static int one_entry(struct tree *t, int dir_fd, const struct dirent *e, const char *path, unsigned depth)
{
	char full[PATH_LEN];
	unsigned type = type_of(dir_fd, e);
	int n;

	if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strcmp(e->d_name, ".git") == 0)
		return 0;
	if (type != DT_DIR && type != DT_REG)
		return 0;
	n = snprintf(full, sizeof(full), "%s%s%s", path, *path ? "/" : "", e->d_name);
	if (n < 0 || (size_t) n >= sizeof(full)) {
		scan_note(t->notes, REASON_TOO_LARGE, path, "a path of more than %d bytes", PATH_LEN);
		return 0;
	}
	if (type == DT_REG && pv_map_get(&t->known, hash(t, full, (size_t) n)))
		return 0; /* tracked: listed already */
	if (t->ignore && gitignore_match(t->ignore, full, type == DT_DIR)) /* .env is wanted for its values all the same */
		return type == DT_REG && is_env(full) ? add_file(t, full, false) : 0;
	return type == DT_DIR ? walk(t, dir_fd, e->d_name, full, depth + 1) : add_file(t, full, false);
}

static int walk_open(struct tree *t, int fd, const char *path, unsigned depth)
{
	size_t mark = t->ignore ? gitignore_mark(t->ignore) : 0;
	DIR *d = fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!d) {
		(void) pv_close(fd);
		return -ENOMEM;
	}
	if (t->ignore)
		r = gitignore_add_file(t->ignore, fd, ".gitignore", path);
	if (r < 0 && r != -ENOMEM) {
		scan_note(t->notes, REASON_NONE, path, ".gitignore cannot be read, or holds too much; it does not count");
		r = 0;
	}
	while (r == 0 && (e = readdir(d)))
		r = one_entry(t, dirfd(d), e, path, depth);
	if (t->ignore)
		gitignore_back(t->ignore, mark);
	(void) closedir(d);
	return r;
}

static int walk(struct tree *t, int parent, const char *name, const char *path, unsigned depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {
		if (errno != ENOENT)
			scan_note(t->notes, errno == EACCES ? REASON_PERMISSION : REASON_MALFORMED, path, "cannot be listed");
		return 0;
	}
	if (depth > TREE_DEPTH)
		scan_note(t->notes, REASON_TOO_LARGE, path, "folders more than %d deep", TREE_DEPTH);
	else if (fstat(fd, &st) < 0 || st.st_dev != t->dev)
		scan_note(t->notes, REASON_NONE, path, "another file system: scan it by itself");
	else if (depth && t->o->git && has_git(fd))
		scan_note(t->notes, REASON_NONE, path, "a repository inside this one: scan it by itself");
	else
		return walk_open(t, fd, path, depth);
	(void) pv_close(fd);
	return 0;
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

int tree_list(const struct tree_options *o, struct scan_notes *notes, struct tree **ret)
{
	pv_auto(tree) t = calloc(1, sizeof(*t));
	struct stat st;
	int r = 0;

	if (!t)
		return -ENOMEM;
	t->own = *o;
	t->o = &t->own;
	t->notes = notes;
	(void) pthread_mutex_init(&t->lock, NULL);
	randombytes_buf(t->key, sizeof(t->key));
	t->top = open(o->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->top < 0 || fstat(t->top, &st) < 0)
		return -errno;
	t->dev = st.st_dev;
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
		r = walk(t, t->top, *o->below ? o->below : ".", o->below, 0);
	if (r < 0)
		return r;
	*ret = pv_steal(t);
	return 0;
}

/* --- own values --- */

static bool speaks_of_secret(const char *name)
{
	static const char *const words[] = { "KEY", "SECRET", "TOKEN", "PASS", "PWD", "AUTH", "CREDENTIAL", "PRIVATE", "SALT",
					     "DSN", "SIGN", "SESSION", "WEBHOOK", "COOKIE", "JWT", "CERT" };

	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		if (strcasestr(name, words[i]))
			return true;
	return false;
}

/* postgres://app:PASSWORD@db/app: the part between the colon and the last @ before the path. */
static int add_password(struct match_values *v, const char *name, const char *value, size_t len)
{
	const char *scheme = memmem(value, len, "://", 3), *end = value + len, *colon, *at, *slash;
	int r;

	if (!scheme)
		return 0;
	scheme += 3;
	slash = memchr(scheme, '/', (size_t) (end - scheme));
	at = memrchr(scheme, '@', (size_t) ((slash ? slash : end) - scheme));
	colon = at ? memchr(scheme, ':', (size_t) (at - scheme)) : NULL;
	if (!colon)
		return 0;
	r = match_values_add(v, name, colon + 1, (size_t) (at - colon - 1));
	return r < 0 && r != -ENOSPC ? r : 1;
}

/* Names of shops and hosts are in the code because they belong there. */
static bool looks_random(const char *value, size_t len)
{
	bool digit = false;

	for (size_t i = 0; i < len; i++)
		digit |= isdigit((unsigned char) value[i]) != 0;
	return digit && len >= RANDOM_LEN && match_randomness(value, len) >= RANDOM_MIN;
}

static int add_value(struct match_values *v, const char *name, const char *value, size_t len)
{
	int r = add_password(v, name, value, len);

	if (r != 0) /* an address: without its password it is no secret */
		return r < 0 ? r : 0;
	if (!speaks_of_secret(name) && !looks_random(value, len))
		return 0;
	r = match_values_add(v, name, value, len);
	return r < 0 && r != -ENOSPC ? r : 0;
}

/* One `export NAME=value`, value bare or quoted (then it may hold line ends). Returns where the next line starts. */
static const char *env_line(struct match_values *v, const char *p, const char *end, int *ret)
{
	const char *nl = memchr(p, '\n', (size_t) (end - p)), *line_end = nl ? nl : end, *eq, *value, *stop;
	char name[128];

	while (p < line_end && isspace((unsigned char) *p))
		p++;
	if (line_end - p > 7 && memcmp(p, "export ", 7) == 0)
		p += 7;
	eq = memchr(p, '=', (size_t) (line_end - p));
	if (*p == '#' || !eq || eq == p || (size_t) (eq - p) >= sizeof(name))
		return nl ? nl + 1 : end;
	(void) snprintf(name, sizeof(name), "%.*s", (int) (eq - p), p);
	name[strcspn(name, " \t")] = '\0';
	for (value = eq + 1; value < line_end && (*value == ' ' || *value == '\t');)
		value++;
	if (value < line_end && (*value == '"' || *value == '\'')) {
		stop = memchr(value + 1, *value, (size_t) (end - value - 1));
		if (stop && stop - value <= MATCH_VALUE_MAX) {
			*ret = add_value(v, name, value + 1, (size_t) (stop - value - 1));
			nl = memchr(stop, '\n', (size_t) (end - stop));
			return nl ? nl + 1 : end;
		}
	}
	stop = memmem(value, (size_t) (line_end - value), " #", 2);
	stop = stop ? stop : line_end;
	while (stop > value && isspace((unsigned char) stop[-1]))
		stop--;
	*ret = add_value(v, name, value, (size_t) (stop - value));
	return nl ? nl + 1 : end;
}

int tree_values_text(struct match_values *values, const char *text, size_t len)
{
	const char *end = text + len;
	int r = 0;

	for (const char *p = text; p < end && r == 0;)
		p = env_line(values, p, end, &r);
	return r;
}

static int open_below(const struct tree *t, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	int fd = (int) syscall(SYS_openat2, t->top, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

int tree_values(struct tree *t, struct match_values *values)
{
	int r = 0;

	for (size_t i = 0; i < t->n && r == 0; i++) {
		pv_autofree char *text = NULL;
		pv_autoclose int fd = -1;
		size_t len = 0;

		if (!t->file[i].env)
			continue;
		fd = open_below(t, t->file[i].path);
		if (fd < 0 || (r = gitdir_read_fd(fd, ENV_MAX, false, &text, &len)) < 0) {
			scan_note(t->notes, fd == -EACCES ? REASON_PERMISSION : REASON_MALFORMED, t->file[i].path,
				  "its values cannot be read");
			r = r == -ENOMEM ? r : 0;
			continue;
		}
		r = tree_values_text(values, text, len);
		explicit_bzero(text, len);
	}
	return r;
}

/* --- reading --- */

static int give(struct tree *t, const struct tree_text *f)
{
	int r;

	(void) pthread_mutex_lock(&t->lock);
	r = t->fn(f, t->user);
	(void) pthread_mutex_unlock(&t->lock);
	return r;
}

static int look_text(struct reader *r, const char *path, const char *text, size_t len)
{
	struct tree *t = r->t;
	int e = look_at(t->look, r->thread, text, len, NULL, 0, NULL, &r->hits);

	if (e < 0)
		return e;
	look_settle(t->look, &r->hits);
	if (!r->hits.n && !memmem(text, len, ALLOW_WORD, strlen(ALLOW_WORD)))
		return 0;
	look_lines(text, &r->hits);
	return give(t, &(struct tree_text){ .path = path, .text = text, .len = len, .hits = &r->hits });
}

static ssize_t fill(int fd, char *buf, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, buf + have, len - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t) n;
	}
	return (ssize_t) have;
}

static int need(struct reader *r, size_t room)
{
	char *buf;

	if (r->room >= room)
		return 0;
	buf = realloc(r->buf, room);
	if (!buf)
		return -ENOMEM;
	r->buf = buf;
	r->room = room;
	return 0;
}

static uint64_t count_lines(const char *p, size_t len)
{
	const char *end = p + len, *nl;
	uint64_t n = 0;

	while (p < end && (nl = memchr(p, '\n', (size_t) (end - p)))) {
		n++;
		p = nl + 1;
	}
	return n;
}

/* A match near the end of a piece may go on: it is left to the next piece, which starts with LOOK_OVERLAP of this one. */
static int look_window(struct reader *r, const char *path, size_t len, size_t overlap, bool last, uint64_t first_line)
{
	size_t kept = 0, from = overlap > EDGE ? overlap - EDGE : 0;
	int e = look_at(r->t->look, r->thread, r->buf, len, NULL, 0, NULL, &r->hits);

	if (e < 0)
		return e;
	look_settle(r->t->look, &r->hits);
	for (size_t i = 0; i < r->hits.n; i++) {
		size_t end = r->hits.hit[i].start + r->hits.hit[i].len;

		if (end > from && (last || end + EDGE <= len))
			r->hits.hit[kept++] = r->hits.hit[i];
	}
	r->hits.n = kept;
	if (!kept)
		return 0;
	look_lines(r->buf, &r->hits);
	return give(r->t, &(struct tree_text){ .path = path, .text = r->buf, .len = len, .first_line = first_line,
					       .hits = &r->hits });
}

/* Everything that comes from `fd`, of any length; `have` bytes are in the buffer already. */
static int look_stream(struct reader *r, int fd, const char *path, size_t have)
{
	uint64_t lines = 0;
	size_t overlap = 0;

	scan_note(r->t->notes, REASON_NONE, path, "larger than %zu MB: looked at in windows of %zu MB", TREE_WHOLE >> 20,
		  WINDOW >> 20);
	for (;;) {
		ssize_t n = fill(fd, r->buf + have, r->room - have);
		size_t len = have + (n > 0 ? (size_t) n : 0), keep = PV_MIN(len, LOOK_OVERLAP);
		bool last = n < (ssize_t) (r->room - have);
		int e;

		if (n < 0) {
			scan_note(r->t->notes, REASON_MALFORMED, path, "cannot be read to its end");
			return 0;
		}
		e = look_window(r, path, len, overlap, last, lines);
		r->t->bytes += (uint64_t) n;
		if (e != 0 || last)
			return e;
		lines += count_lines(r->buf, len - keep);
		memmove(r->buf, r->buf + len - keep, keep);
		have = overlap = keep;
	}
}

static int look_fd(struct reader *r, int fd, const char *path)
{
	struct stat st;
	size_t size;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0; /* became something else since it was listed */
	size = (size_t) st.st_size;
	if (size <= TREE_WHOLE) {
		if (need(r, size + 1) < 0)
			return -ENOMEM;
		n = fill(fd, r->buf, size);
		if (n < 0)
			return (int) n;
		r->t->bytes += (uint64_t) n;
		return look_text(r, path, r->buf, (size_t) n);
	}
	return need(r, WINDOW) < 0 ? -ENOMEM : look_stream(r, fd, path, 0);
}

static int one_file(struct reader *r, const struct file *f)
{
	pv_autoclose int fd = open_below(r->t, f->path);
	int e;

	if (fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR)
		return 0; /* tracked but not there, or a link by now */
	e = fd < 0 ? fd : look_fd(r, fd, f->path);
	if (e >= 0 || e == -ENOMEM)
		return e;
	scan_note(r->t->notes, e == -EACCES || e == -EPERM ? REASON_PERMISSION : REASON_MALFORMED, f->path, "cannot be read");
	return 0;
}

static void *read_files(void *arg)
{
	struct reader *r = arg;
	struct tree *t = r->t;
	uint64_t from;

	while ((from = atomic_fetch_add(&t->next, 16)) < t->n)
		for (uint64_t i = from; i < PV_MIN(from + 16, (uint64_t) t->n); i++) {
			int zero = 0, e;

			if (atomic_load(&t->result))
				return NULL;
			e = t->file[i].env && !t->file[i].tracked ? 0 : one_file(r, &t->file[i]);
			if (e != 0)
				(void) atomic_compare_exchange_strong(&t->result, &zero, e);
		}
	return NULL;
}

int tree_scan(struct tree *t, struct look *look, int (*fn)(const struct tree_text *f, void *user), void *user)
{
	struct reader reader[LOOK_THREADS];
	pthread_t thread[LOOK_THREADS];
	unsigned n = PV_MIN(PV_MAX(t->o->threads, 1u), (unsigned) LOOK_THREADS), started = 0;

	t->look = look;
	t->fn = fn;
	t->user = user;
	for (unsigned i = 0; i < n; i++)
		reader[i] = (struct reader){ .t = t, .thread = i };
	for (unsigned i = 1; i < n && t->n > 64; i++)
		if (pthread_create(&thread[started + 1], NULL, read_files, &reader[i]) == 0)
			started++;
	(void) read_files(&reader[0]);
	for (unsigned i = 1; i <= started; i++)
		(void) pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < n; i++) {
		free(reader[i].buf);
		free(reader[i].hits.hit);
	}
	return t->result;
}

int tree_scan_fd(int fd, const char *path, struct look *look, struct scan_notes *notes,
		 int (*fn)(const struct tree_text *f, void *user), void *user)
{
	struct tree t = { .notes = notes, .look = look, .fn = fn, .user = user, .lock = PTHREAD_MUTEX_INITIALIZER, .top = -1 };
	struct reader r = { .t = &t };
	size_t have;
	ssize_t n;
	int e = need(&r, WINDOW);

	n = e < 0 ? e : fill(fd, r.buf, WINDOW);
	have = n > 0 ? (size_t) n : 0;
	if (n < 0)
		e = (int) n;
	else if (have < WINDOW)
		e = look_text(&r, path, r.buf, have);
	else
		e = look_stream(&r, fd, path, have);
	free(r.buf);
	free(r.hits.hit);
	return e;
}
