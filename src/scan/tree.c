/* Reading what is listed. */
#include "scan/tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/text.h"
#include "scan/allow.h"
#include "scan/tree_own.h"

#define WINDOW	  ((size_t) 16 << 20)
#define EDGE	  16
#define EARLY_MAX (4 << 20)

struct reader {
	struct tree *t;
	unsigned thread;
	char *buf;
	size_t room;
	struct look_hits hits, inner;
};

int tree_open(const struct tree *t, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	int fd = (int) syscall(SYS_openat2, t->top, path, &how, sizeof(how));

	if (fd < 0) /* tracked but gone, or a link by now */
		return errno == ELOOP || errno == ENOTDIR ? -ENOENT : -errno;
	return fd;
}

static int give(struct tree *t, const struct tree_text *f)
{
	int r;

	(void) pthread_mutex_lock(&t->lock);
	r = t->fn(f, t->user);
	(void) pthread_mutex_unlock(&t->lock);
	return r;
}

struct inside {
	struct reader *r;
	const char *path;
};

static int on_member(const struct archive_member *m, const struct look_hits *hits, void *user)
{
	const struct inside *in = user;
	char path[2 * 4096];

	(void) snprintf(path, sizeof(path), "%s%s%s", in->path, *m->path ? "!" : "", m->path);
	return give(in->r->t, &(struct tree_text){ .path = path, .text = m->text, .len = m->len, .hits = hits });
}

static int look_text(struct reader *r, const char *path, const char *text, size_t len)
{
	struct inside in = { .r = r, .path = path };
	struct tree *t = r->t;
	int e = look_at(t->look, r->thread, text, len, NULL, 0, NULL, &r->hits);

	if (e == 0 && archive_is(text, len))
		e = look_inside(t->look, r->thread, text, len, path, &r->hits, &r->inner, on_member, &in);
	if (e != 0)
		return e;
	look_settle(t->look, &r->hits);
	if (!r->hits.n && !allow_find(text, len))
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

	scan_note(r->t->notes, REASON_NONE, path, "larger than %zu MB: looked at in windows of %zu MB",
		  (have ? WINDOW : TREE_WHOLE) >> 20, WINDOW >> 20);
	for (bool first = true;; first = false) {
		ssize_t n = fill(fd, r->buf + have, r->room - have);
		size_t len = have + (n > 0 ? (size_t) n : 0), keep = PV_MIN(len, LOOK_OVERLAP);
		bool last = n < (ssize_t) (r->room - have);
		int e;

		if (first && archive_is(r->buf, len))
			scan_note(r->t->notes, REASON_TOO_LARGE, path, "an archive too large to be looked into");

		if (n < 0) {
			scan_note(r->t->notes, REASON_MALFORMED, path, "cannot be read to its end");
			return 0;
		}
		e = look_window(r, path, len, overlap, last, lines);
		if (e != 0 || last)
			return e;
		lines += text_lines(r->buf, len - keep);
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
		return look_text(r, path, r->buf, (size_t) n);
	}
	return need(r, WINDOW) < 0 ? -ENOMEM : look_stream(r, fd, path, 0);
}

static int one_file(struct reader *r, const struct file *f)
{
	pv_autoclose int fd = tree_open(r->t, f->path);
	int e;

	if (fd == -ENOENT)
		return 0;
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
			const struct file *f = tree_file(t, i);
			int zero = 0, e;

			if (atomic_load(&t->result))
				return NULL;
			e = (f->env && !f->tracked) || (f->clean && !look_has_values(t->look)) ? 0 : one_file(r, f);
			if (e != 0)
				(void) atomic_compare_exchange_strong(&t->result, &zero, e);
		}
	return NULL;
}

/* One file of ordinary size. Only what is beyond doubt counts; all else is left to tree_scan(). */
static bool is_clean(struct reader *r, const struct file *f)
{
	pv_autoclose int fd = tree_open(r->t, f->path);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > EARLY_MAX || need(r, (size_t) st.st_size + 1) < 0)
		return false;
	n = fill(fd, r->buf, (size_t) st.st_size);
	if (n < 0 || archive_is(r->buf, (size_t) n) ||
	    look_at(r->t->look, r->thread, r->buf, (size_t) n, NULL, 0, NULL, &r->hits) < 0 || r->hits.n ||
	    allow_find(r->buf, (size_t) n))
		return false;
	return true;
}

void *tree_read_early(void *tree)
{
	struct tree *t = tree;
	struct reader r = { .t = t, .thread = 1 };

	for (size_t i = 0; i < atomic_load(&t->n) && !atomic_load(&t->stop); i++) {
		struct file *f = tree_file(t, i);

		f->clean = (f->tracked || !f->env) && is_clean(&r, f);
	}
	free(r.buf);
	look_hits_done(&r.hits);
	look_hits_done(&r.inner);
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
		look_hits_done(&reader[i].hits);
		look_hits_done(&reader[i].inner);
	}
	return t->result;
}

/* How much will come is known of a file only. */
static int look_unsized(struct reader *r, int fd, const char *path)
{
	ssize_t n = need(r, WINDOW) < 0 ? -ENOMEM : fill(fd, r->buf, WINDOW);

	if (n < 0)
		return (int) n;
	return (size_t) n < WINDOW ? look_text(r, path, r->buf, (size_t) n) : look_stream(r, fd, path, WINDOW);
}

int tree_scan_fd(int fd, const char *path, struct look *look, struct scan_notes *notes,
		 int (*fn)(const struct tree_text *f, void *user), void *user)
{
	struct tree t = { .notes = notes, .look = look, .fn = fn, .user = user, .lock = PTHREAD_MUTEX_INITIALIZER, .top = -1 };
	struct reader r = { .t = &t };
	struct stat st;
	int e = fstat(fd, &st);

	e = e == 0 && st.st_size >= (off_t) WINDOW ? look_fd(&r, fd, path) : look_unsized(&r, fd, path);
	free(r.buf);
	look_hits_done(&r.hits);
	look_hits_done(&r.inner);
	return e;
}
