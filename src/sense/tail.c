#include "sense/tail.h"

#include <string.h>
#include <sys/stat.h>

/* FNV-1a, 64 bits: it tells a file that was written anew from one that only grew; nobody gains by forging it, since whoever writes
 * the file decides what stands in it anyway. */
static uint64_t hash_block(const uint8_t *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

static size_t whole_lines(const char *buf, size_t len)
{
	const char *end = len ? memrchr(buf, '\n', len) : NULL;

	return end ? (size_t) (end - buf) + 1 : 0;
}

/* A piece's text ends without the \n that the last one has: {"log":"...\n","stream":... */
static bool ends_pieces(const char *record, size_t len)
{
	return memmem(record, len, "\\n\"", 3);
}

/* As long as the last piece is not there, the others wait. */
static size_t whole_docker_json(const char *buf, size_t len)
{
	size_t at = whole_lines(buf, len);

	while (at) {
		size_t record = whole_lines(buf, at - 1);

		if (ends_pieces(buf + record, at - record))
			break;
		at = record;
	}
	return at;
}

const struct tail_kind tail_lines = { .whole = whole_lines };
const struct tail_kind tail_docker_json = { .whole = whole_docker_json, .pieces = true };

int tail_open(struct tail *t, int fd, const struct tail_kind *kind)
{
	struct stat st;

	*t = (struct tail){ .fd = fd, .kind = kind };
	if (fstat(fd, &st) < 0)
		return -errno;
	t->pos.dev = st.st_dev;
	t->pos.ino = st.st_ino;
	return 0;
}

void tail_close(struct tail *t)
{
	t->fd = pv_close(t->fd);
}

static ssize_t read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = pread(fd, (char *) buf + at, len - at, (off_t) (offset + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		at += (size_t) n;
	}
	return (ssize_t) at;
}

/* The position moves to `offset`; `before` are the `len` bytes in front of it. */
static void move_to(struct tail *t, uint64_t offset, const char *before, size_t len)
{
	size_t take = PV_MIN(len, (size_t) TAIL_BLOCK), keep = PV_MIN((size_t) t->pos.block, TAIL_BLOCK - take);

	memmove(t->block, t->block + t->pos.block - keep, keep);
	memcpy(t->block + keep, before + len - take, take);
	t->pos.block = (uint32_t) (keep + take);
	t->pos.offset = offset;
	t->scanned = offset;
}

/* A position in the middle of the file, whose block is read from it. */
static int jump_to(struct tail *t, uint64_t offset)
{
	uint32_t len = (uint32_t) PV_MIN(offset, (uint64_t) TAIL_BLOCK);
	uint8_t block[TAIL_BLOCK];
	ssize_t n = read_at(t->fd, block, len, offset - len);

	if (n < 0)
		return (int) n;
	if (n != (ssize_t) len)
		return -ESTALE;
	memcpy(t->block, block, len);
	t->pos.block = len;
	t->pos.offset = t->scanned = offset;
	return 0;
}

int tail_at_end(struct tail *t)
{
	struct stat st;
	char *text;
	uint64_t size, from;
	ssize_t n;
	size_t whole;
	int r;

	if (fstat(t->fd, &st) < 0)
		return -errno;
	size = (uint64_t) st.st_size;
	if (t->kind->frames) { /* where its frames begin is known from the start only */
		t->start = size;
		return 0;
	}
	text = malloc(LOG_LINE_MAX);
	if (!text)
		return -ENOMEM;
	from = size > LOG_LINE_MAX ? size - LOG_LINE_MAX : 0;
	n = read_at(t->fd, text, (size_t) (size - from), from);
	whole = n > 0 ? t->kind->whole(text, (size_t) n) : 0;
	free(text);
	if (n < 0)
		return (int) n;
	r = jump_to(t, whole || !from ? from + whole : size);
	t->pos.skipping = r == 0 && !whole && from;
	return r;
}

int tail_resume(struct tail *t, const struct tail_pos *pos)
{
	uint8_t block[TAIL_BLOCK];

	if (pos->block > TAIL_BLOCK || pos->block > pos->offset)
		return -ESTALE;
	if (read_at(t->fd, block, pos->block, pos->offset - pos->block) != (ssize_t) pos->block ||
	    hash_block(block, pos->block) != pos->hash)
		return -ESTALE;
	memcpy(t->block, block, pos->block);
	t->pos.block = pos->block;
	t->pos.offset = t->scanned = pos->offset;
	t->pos.skipping = pos->skipping;
	return 0;
}

void tail_position(const struct tail *t, struct tail_pos *ret)
{
	*ret = t->pos;
	ret->hash = hash_block(t->block, t->pos.block);
}

/* Written anew: from its start. */
static int truncated(struct tail *t, struct tail_pos *ret_lost)
{
	tail_position(t, ret_lost);
	t->pos.offset = t->scanned = t->start = 0;
	t->pos.block = 0;
	t->pos.skipping = t->kind->pieces; /* a line that began before may end here */
	return TAIL_TRUNCATED;
}

/* The bytes up to where a record begins that can be understood without what is before it. 0: that is not here. */
static size_t fresh_start(const struct tail *t, const char *data, size_t len)
{
	const char *from = data, *nl;

	while ((nl = memchr(from, '\n', len - (size_t) (from - data)))) {
		if (!t->kind->pieces || ends_pieces(from, (size_t) (nl - from)))
			return (size_t) (nl - data) + 1;
		from = nl + 1;
	}
	return 0;
}

/* Passes over a record that is too long, and the pieces that belong to it: to their end, if that is here. */
static size_t skip(struct tail *t, const char *data, size_t len)
{
	size_t n = fresh_start(t, data, len);

	if (!t->pos.skipping)
		t->long_records++;
	t->pos.skipping = !n;
	return n ? n : len;
}

/* Pieces wait for their end, but not for ever: not longer than a line may be, nor in a file that nothing is added to any more. */
static size_t whole_records(const struct tail *t, const char *data, size_t len)
{
	size_t whole = t->kind->whole(data, len);

	return t->kind->pieces && (t->over || (!whole && len >= LOG_LINE_MAX)) ? whole_lines(data, len) : whole;
}

/* A whole buffer without an end. Of frames and pieces there are some, and they are given in the next turn. */
static bool is_too_long(const struct tail *t, const char *data, size_t len)
{
	return len >= LOG_LINE_MAX && !t->kind->frames && !memchr(data, '\n', len);
}

static int give(struct tail *t, const char *data, size_t len, tail_fn fn, void *arg)
{
	int r = t->pos.offset < t->start ? 0 : fn(data, len, arg);

	if (r >= 0)
		move_to(t, t->pos.offset + len, data, len);
	return r;
}

static int take(struct tail *t, const char *data, size_t len, bool full, tail_fn fn, void *arg)
{
	size_t at = 0, whole;
	int r;

	if (t->pos.skipping) {
		at = skip(t, data, len);
		move_to(t, t->pos.offset + at, data, at);
		if (t->pos.skipping)
			return full ? TAIL_MORE : TAIL_IDLE;
	}
	whole = whole_records(t, data + at, len - at);
	if (whole == SIZE_MAX) {
		t->bad++;
		move_to(t, t->pos.offset + (len - at), data + at, len - at);
		return full ? TAIL_MORE : TAIL_IDLE;
	}
	if (whole) {
		r = give(t, data + at, whole, fn, arg);
		if (r < 0)
			return r;
		at += whole;
	}
	if (is_too_long(t, data + at, len - at)) {
		at += whole = skip(t, data + at, len - at);
		move_to(t, t->pos.offset + whole, data + at - whole, whole);
	}
	t->scanned = t->pos.offset + (len - at);
	return full ? TAIL_MORE : TAIL_IDLE;
}

/* What came since the last look at an unfinished record: its end may be in it. 1: yes, read the whole; 0: no. Else as tail_turn(). */
static int look_for_end(struct tail *t, char *buf, size_t room)
{
	ssize_t n = read_at(t->fd, buf, PV_MIN(room, (size_t) LOG_LINE_MAX), t->scanned);

	if (n < 0)
		return (int) n;
	if (n == 0 || memchr(buf, '\n', (size_t) n) || t->scanned + (uint64_t) n - t->pos.offset >= LOG_LINE_MAX)
		return 1; /* 0 bytes: perhaps it is shorter by now */
	t->scanned += (uint64_t) n;
	return 0;
}

int tail_turn(struct tail *t, char *buf, size_t room, tail_fn fn, void *arg, struct tail_pos *ret_lost)
{
	const size_t block = t->pos.block;
	ssize_t n;

	room = PV_MIN(room, (size_t) TAIL_BUFFER);
	if (t->scanned > t->pos.offset && !t->kind->frames) {
		int r = look_for_end(t, buf, room);

		if (r <= 0)
			return r;
	}
	n = read_at(t->fd, buf, room, t->pos.offset - block);
	if (n < 0)
		return (int) n;
	if ((size_t) n < block || memcmp(buf, t->block, block) != 0)
		return truncated(t, ret_lost);
	if ((uint64_t) n - block + t->pos.offset < t->scanned) { /* the unfinished record is shorter than it was */
		if (!t->pos.offset)
			return truncated(t, ret_lost);
		t->scanned = t->pos.offset;
	}
	if ((size_t) n == block)
		return TAIL_IDLE;
	return take(t, buf + block, (size_t) n - block, (size_t) n == room, fn, arg);
}

uint64_t tail_shed(struct tail *t, uint64_t most, uint64_t keep)
{
	struct stat st;
	uint64_t size, passed;

	if (t->kind->frames || fstat(t->fd, &st) < 0)
		return 0;
	size = (uint64_t) st.st_size;
	if (size < t->pos.offset || size - t->pos.offset <= most)
		return 0;
	passed = size - keep - t->pos.offset;
	if (jump_to(t, size - keep) < 0)
		return 0;
	t->pos.skipping = true; /* in the middle of a line */
	t->shed_bytes += passed;
	return passed;
}
