#include "sense/follow.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void follow_init(struct follow *f, const struct tail_kind *kind, bool from_end)
{
	*f = (struct follow){ .kind = kind, .from_end = from_end };
	for (size_t i = 0; i < FOLLOW_FILES; i++)
		f->files[i].tail.fd = f->files[i].wd = -1;
}

void follow_done(struct follow *f)
{
	for (size_t i = 0; i < FOLLOW_FILES; i++)
		tail_close(&f->files[i].tail);
	f->n_lost = 0;
}

static bool is_open(const struct follow_file *file)
{
	return file->tail.fd >= 0;
}

static struct follow_file *file_of(struct follow *f, uint64_t dev, uint64_t ino)
{
	for (size_t i = 0; i < FOLLOW_FILES; i++)
		if (is_open(&f->files[i]) && f->files[i].tail.pos.dev == dev && f->files[i].tail.pos.ino == ino)
			return &f->files[i];
	return NULL;
}

bool follow_has(const struct follow *f, uint64_t dev, uint64_t ino)
{
	return file_of((struct follow *) (uintptr_t) f, dev, ino) != NULL;
}

static struct follow_file *oldest(struct follow *f)
{
	struct follow_file *found = NULL;

	for (size_t i = 0; i < FOLLOW_FILES; i++)
		if (is_open(&f->files[i]) && !f->files[i].present && (!found || f->files[i].order < found->order))
			found = &f->files[i];
	return found;
}

/* A free place; where there is none, the file that was rotated first gives way: three were since. */
static struct follow_file *place(struct follow *f)
{
	struct follow_file *file;

	for (size_t i = 0; i < FOLLOW_FILES; i++)
		if (!is_open(&f->files[i]))
			return &f->files[i];
	file = oldest(f);
	tail_close(&file->tail);
	return file;
}

static void lose(struct follow *f, const struct tail_pos *pos)
{
	if (f->n_lost == FOLLOW_LOST)
		memmove(f->lost, f->lost + 1, --f->n_lost * sizeof(f->lost[0]));
	f->lost[f->n_lost++] = *pos;
}

static void found(struct follow *f, size_t i)
{
	memmove(f->lost + i, f->lost + i + 1, (--f->n_lost - i) * sizeof(f->lost[0]));
}

/* A file whose first line may have begun in one that is gone. */
static struct follow_file *headless(struct follow *f)
{
	struct follow_file *file = NULL;

	for (size_t i = 0; i < FOLLOW_FILES; i++) {
		if (is_open(&f->files[i]) && file)
			return NULL;
		file = is_open(&f->files[i]) ? &f->files[i] : file;
	}
	return file && file->present && !file->tail.pos.offset ? file : NULL;
}

void follow_give_up(struct follow *f)
{
	struct follow_file *file = f->kind->pieces && f->n_lost ? headless(f) : NULL;

	if (file)
		file->tail.pos.skipping = true;
	f->n_lost = 0;
}

void follow_caught_up(struct follow *f)
{
	f->between_ns = 0;
}

/* 0: the file system does not tell. */
static uint64_t birth_of(int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st) < 0 || !(st.stx_mask & STATX_BTIME))
		return 0;
	return (uint64_t) st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec;
}

static void note_birth(struct follow *f, uint64_t birth)
{
	if (f->born_ns && birth > f->born_ns && !f->between_ns)
		f->between_ns = f->born_ns;
	f->born_ns = PV_MAX(f->born_ns, birth);
}

/* Where reading begins in a file that the path means and that is not open yet. */
static int begin(struct follow *f, struct tail *t)
{
	for (size_t i = 0; i < f->n_lost; i++)
		if (f->lost[i].dev == t->pos.dev && f->lost[i].ino == t->pos.ino && tail_resume(t, &f->lost[i]) == 0) {
			found(f, i);
			return 0;
		}
	/* Not one that we know: written since (it begins at its start), unless it is the first that we see at all. */
	return f->from_end && !f->restored && !f->orders ? tail_at_end(t) : 0;
}

int follow_present(struct follow *f, int fd, int wd, uint64_t now_us)
{
	struct follow_file *known, *file;
	struct tail t;
	int r = tail_open(&t, fd, f->kind);

	if (r < 0) {
		(void) pv_close(fd);
		return r;
	}
	known = file_of(f, t.pos.dev, t.pos.ino);
	for (size_t i = 0; i < FOLLOW_FILES; i++)
		f->files[i].present = &f->files[i] == known;
	if (known) {
		tail_close(&t);
		known->wd = wd;
		return 0;
	}
	r = begin(f, &t);
	if (r < 0) {
		tail_close(&t);
		return r;
	}
	file = place(f);
	*file = (struct follow_file){ .tail = t, .wd = wd, .grew_us = now_us, .order = ++f->orders, .present = true };
	note_birth(f, birth_of(fd));
	return 1;
}

int follow_beside(struct follow *f, int fd, int wd, bool copies, uint64_t now_us)
{
	struct follow_file *file;
	struct tail t;

	if (tail_open(&t, fd, f->kind) < 0 || follow_has(f, t.pos.dev, t.pos.ino)) {
		(void) pv_close(fd);
		return 0;
	}
	for (size_t i = 0; i < f->n_lost; i++) {
		bool same = f->lost[i].dev == t.pos.dev && f->lost[i].ino == t.pos.ino;

		/* The bytes decide, also for the same inode: its number may have been given to another file since. One of which
		 * nothing was read yet is known by its inode only. */
		if ((!same && (!copies || !f->lost[i].offset)) || tail_resume(&t, &f->lost[i]) < 0)
			continue;
		found(f, i);
		file = place(f);
		*file = (struct follow_file){ .tail = t, .wd = wd, .grew_us = now_us };
		return 1;
	}
	tail_close(&t);
	return 0;
}

/* A copy that somebody made of a log begins as the log itself does. */
static bool begins_as_another(const struct follow *f, int fd)
{
	char own[TAIL_BLOCK], other[TAIL_BLOCK];
	ssize_t n = pread(fd, own, sizeof(own), 0);

	for (size_t i = 0; i < FOLLOW_FILES && n > 0; i++)
		if (is_open(&f->files[i]) && pread(f->files[i].tail.fd, other, (size_t) n, 0) == n && memcmp(own, other, (size_t) n) == 0)
			return true;
	return n <= 0;
}

/* A free place, or that of a rotated file which is read to its end. */
static struct follow_file *place_for_older(struct follow *f)
{
	struct follow_file *file;
	struct stat st;

	for (size_t i = 0; i < FOLLOW_FILES; i++)
		if (!is_open(&f->files[i]))
			return &f->files[i];
	file = oldest(f);
	if (fstat(file->tail.fd, &st) == 0 && (uint64_t) st.st_size > file->tail.scanned)
		return NULL;
	tail_close(&file->tail);
	return file;
}

/* Rotated after all that are known, but before the present one. */
static uint64_t order_before_present(struct follow *f)
{
	uint64_t order = ++f->orders;

	for (size_t i = 0; i < FOLLOW_FILES; i++)
		if (is_open(&f->files[i]) && f->files[i].present) {
			order = f->files[i].order;
			f->files[i].order = f->orders;
		}
	return order;
}

int follow_between(struct follow *f, int fd, int wd, uint64_t now_us)
{
	uint64_t birth = birth_of(fd);
	struct follow_file *file;
	struct tail t;

	if (birth <= f->between_ns || birth >= f->born_ns || tail_open(&t, fd, f->kind) < 0 || follow_has(f, t.pos.dev, t.pos.ino) ||
	    begins_as_another(f, fd)) {
		(void) pv_close(fd);
		return 0;
	}
	file = place_for_older(f);
	if (!file) {
		(void) pv_close(fd);
		return -EBUSY;
	}
	*file = (struct follow_file){ .tail = t, .wd = wd, .grew_us = now_us, .order = order_before_present(f) };
	f->between_ns = birth;
	return 1;
}

/* As they were rotated, the present one last. Returns how many. */
static size_t in_order(struct follow *f, struct follow_file **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < FOLLOW_FILES; i++) {
		struct follow_file *file = &f->files[i];
		size_t k = n;

		if (!is_open(file))
			continue;
		for (; k && (ret[k - 1]->present || (!file->present && file->order < ret[k - 1]->order)); k--)
			ret[k] = ret[k - 1];
		ret[k] = file;
		n++;
	}
	return n;
}

int follow_turn(struct follow *f, char *buf, size_t room, tail_fn fn, void *arg, uint64_t now_us)
{
	struct follow_file *files[FOLLOW_FILES];
	size_t n = in_order(f, files);
	struct tail_pos lost;
	bool more = false;

	for (size_t i = 0; i < n; i++) {
		struct follow_file *file = files[i];
		uint64_t before = file->tail.scanned;
		int r;

		/* A line may go on in the file after: that one waits until those before it are here and read. */
		if (f->kind->pieces && (more || (file->present && (follow_looks(f) || follow_misses(f)))))
			break;
		file->tail.over = !file->present;
		r = tail_turn(&file->tail, buf, room, fn, arg, &lost);
		if (r < 0)
			return r;
		if (r == TAIL_TRUNCATED && lost.offset)
			lose(f, &lost);
		if (file->tail.scanned != before)
			file->grew_us = now_us;
		more |= r != TAIL_IDLE;
	}
	return more;
}

static bool is_deleted(const struct follow_file *file)
{
	struct stat st;

	return fstat(file->tail.fd, &st) < 0 || st.st_nlink == 0;
}

static bool newer_rotated(const struct follow *f, const struct follow_file *file)
{
	for (size_t i = 0; i < FOLLOW_FILES; i++)
		if (is_open(&f->files[i]) && !f->files[i].present && f->files[i].order > file->order)
			return true;
	return false;
}

void follow_tidy(struct follow *f, uint64_t now_us, void (*drop)(int wd, void *arg), void *arg)
{
	for (size_t i = 0; i < FOLLOW_FILES; i++) {
		struct follow_file *file = &f->files[i];

		if (!is_open(file) || file->present || now_us - file->grew_us < FOLLOW_QUIET_US)
			continue;
		if (!is_deleted(file) && !newer_rotated(f, file))
			continue;
		if (drop && file->wd >= 0)
			drop(file->wd, arg);
		tail_close(&file->tail);
	}
}

static void save_one(struct pv_buf *out, const struct tail_pos *p)
{
	pv_buf_printf(out, "%s%" PRIx64 ":%" PRIx64 ":%" PRIx64 ":%" PRIx64 ":%x:%d", out->len ? " " : "", p->dev, p->ino, p->offset,
		      p->hash, p->block, p->skipping);
}

/* Those that are still looked for belong to it, too: who is killed while it looks goes on looking. */
void follow_save(const struct follow *f, struct pv_buf *out)
{
	struct tail_pos pos;

	for (size_t i = 0; i < f->n_lost; i++)
		save_one(out, &f->lost[i]);
	for (size_t i = 0; i < FOLLOW_FILES; i++) {
		if (!is_open(&f->files[i]))
			continue;
		tail_position(&f->files[i].tail, &pos);
		save_one(out, &pos);
	}
	if (f->born_ns)
		pv_buf_printf(out, "%s+%" PRIx64, out->len ? " " : "", f->between_ns ? f->between_ns : f->born_ns);
}

/* DEV:INO:OFFSET:HASH:BLOCK in hexadecimal, :0 or :1, then a blank or the end. */
static bool read_position(const char **text, struct tail_pos *ret)
{
	unsigned long long v[6];
	char *end;

	for (size_t i = 0; i < N_ELEMENTS(v); i++) {
		errno = 0;
		v[i] = strtoull(*text, &end, 16);
		if (end == *text || errno || (i < N_ELEMENTS(v) - 1 ? *end != ':' : *end && *end != ' '))
			return false;
		*text = end + (*end != '\0');
	}
	if (v[4] > TAIL_BLOCK)
		return false;
	*ret = (struct tail_pos){ .dev = v[0], .ino = v[1], .offset = v[2], .hash = v[3], .block = (uint32_t) v[4], .skipping = v[5] != 0 };
	return true;
}

int follow_restore(struct follow *f, const char *text)
{
	struct tail_pos lost[FOLLOW_LOST + FOLLOW_FILES];
	unsigned long long born = 0;
	const char *plus = strchr(text, '+');
	size_t n = 0;

	if (plus) {
		if (!plus[1] || strlen(plus + 1) > 16 || strspn(plus + 1, "0123456789abcdef") != strlen(plus + 1))
			return -EBADMSG;
		born = strtoull(plus + 1, NULL, 16);
	}
	while (*text && text != plus) {
		if (n == N_ELEMENTS(lost) || !read_position(&text, &lost[n]))
			return -EBADMSG;
		n++;
	}
	f->restored = true;
	f->born_ns = born;
	for (size_t i = 0; i < n; i++)
		lose(f, &lost[i]);
	return 0;
}
