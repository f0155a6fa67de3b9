#include "sense/docker_local.h"

#include <string.h>

#include "base/buf.h"

#define FRAME_MAX  (64u << 10) /* Docker cuts lines at 16 KiB; beside them stand attributes of the container */
#define PIECES_MAX (LOG_LINE_MAX - FRAME_MAX - 8) /* the next frame has room behind them */
#define STREAMS	   2

struct entry {
	const char *source, *line;
	size_t source_len, line_len;
	uint64_t time_ns, ordinal; /* of a piece, from 1; 0: not told */
	bool partial, last;
};

static uint32_t size_at(const char *p)
{
	const uint8_t *b = (const uint8_t *) p;

	return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

/* A frame's bytes, 0: not all there, SIZE_MAX: none. */
static size_t frame(const char *buf, size_t len)
{
	size_t size;

	if (len < 4)
		return 0;
	size = size_at(buf);
	if (size > FRAME_MAX || !size)
		return SIZE_MAX;
	if (len < size + 8)
		return 0;
	return size_at(buf + 4 + size) == size ? size + 8 : SIZE_MAX;
}

static bool varint(const char **p, const char *end, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
		uint8_t b = (uint8_t) *(*p)++;

		v |= (uint64_t) (b & 0x7f) << shift;
		if (!(b & 0x80)) {
			*ret = v;
			return true;
		}
	}
	return false;
}

/* PartialLogEntryMetadata { 1: last, 2: id, 3: ordinal }: the last piece is called partial, too. */
static void read_piece(struct entry *e, const char *p, size_t len)
{
	const char *end = p + len;
	uint64_t key, v;

	while (p < end && varint(&p, end, &key) && varint(&p, end, &v)) {
		if (key == (1 << 3 | 0)) {
			e->last = v != 0;
		} else if (key == (3 << 3 | 0)) {
			e->ordinal = v;
		} else if ((key & 7) == 2) {
			if (v > (uint64_t) (end - p))
				return;
			p += v;
		} else if ((key & 7) != 0) {
			return;
		}
	}
}

static void keep_bytes(struct entry *e, uint64_t field, const char *p, size_t len)
{
	if (field == 5) {
		read_piece(e, p, len);
	} else if (field == 1) {
		e->source = p;
		e->source_len = len;
	} else if (field == 3) {
		e->line = p;
		e->line_len = len;
	}
}

/* False: not what it should be. Fields that are not known are passed over, as protobuf wants it. */
static bool entry_read(const char *p, size_t len, struct entry *ret)
{
	const char *end = p + len;

	*ret = (struct entry){ .line = "", .source = "" };
	while (p < end) {
		uint64_t key, v;

		if (!varint(&p, end, &key))
			return false;
		switch (key & 7) {
		case 0:
			if (!varint(&p, end, &v))
				return false;
			if (key >> 3 == 2)
				ret->time_ns = v;
			else if (key >> 3 == 4)
				ret->partial = v != 0;
			break;
		case 2:
			if (!varint(&p, end, &v) || v > (uint64_t) (end - p))
				return false;
			keep_bytes(ret, key >> 3, p, (size_t) v);
			p += v;
			break;
		case 1:
		case 5:
			v = (key & 7) == 1 ? 8 : 4;
			if (v > (uint64_t) (end - p))
				return false;
			p += v;
			break;
		default:
			return false;
		}
	}
	ret->partial &= !ret->last;
	return true;
}

static unsigned stream_of(const struct entry *e)
{
	return e->source_len == 6 && memcmp(e->source, "stderr", 6) == 0;
}

/* Up to the last frame after which no line of either stream waits for its end; what is no entry belongs to none. Pieces before something that
 * is no frame wait in vain. */
static size_t whole_local(const char *buf, size_t len)
{
	bool waits[STREAMS] = { false, false };
	size_t at = 0, whole = 0, size;
	struct entry e;

	while ((size = frame(buf + at, len - at)) && size != SIZE_MAX) {
		at += size;
		if (entry_read(buf + at - size + 4, size - 8, &e))
			waits[stream_of(&e)] = e.partial;
		if (!waits[0] && !waits[1])
			whole = at;
	}
	if (size == SIZE_MAX && !at)
		return SIZE_MAX;
	return whole || (at < PIECES_MAX && size != SIZE_MAX) ? whole : at;
}

const struct tail_kind tail_docker_local = { .whole = whole_local, .frames = true };

static int give(const struct entry *e, struct pv_buf *pending, int (*fn)(const struct docker_line *, void *), void *arg)
{
	struct docker_line line = { .text = e->line, .len = e->line_len, .time_us = e->time_ns / 1000 };
	int r;

	if (pending->len) {
		pv_buf_add(pending, e->line, PV_MIN(e->line_len, pending->cap - pending->len));
		line.text = pending->data;
		line.len = pending->len;
	}
	r = fn(&line, arg);
	pv_buf_clear(pending);
	return r;
}

int docker_local_each(const char *buf, size_t len, int (*fn)(const struct docker_line *line, void *arg), void *arg)
{
	struct pv_buf pending[STREAMS] = { { .cap = LOG_LINE_MAX }, { .cap = LOG_LINE_MAX } };
	struct entry last[STREAMS] = { { .line = "" }, { .line = "" } };
	size_t size;
	int r = 0;

	for (size_t at = 0; r == 0 && (size = frame(buf + at, len - at)) && size != SIZE_MAX; at += size) {
		struct pv_buf *p;
		struct entry e;

		if (!entry_read(buf + at + 4, size - 8, &e))
			continue;
		p = &pending[stream_of(&e)];
		if (e.ordinal > 1 && !p->len) /* its beginning is not here: a client could have chosen how this one begins */
			continue;
		last[p - pending] = e;
		if (e.partial)
			pv_buf_add(p, e.line, PV_MIN(e.line_len, p->cap - p->len));
		else
			r = give(&e, p, fn, arg);
	}
	for (size_t i = 0; i < STREAMS; i++) { /* a line without an end within reach: what there is of it */
		last[i].line_len = 0;
		if (r == 0 && pending[i].len)
			r = give(&last[i], &pending[i], fn, arg);
		pv_buf_done(&pending[i]);
	}
	return r;
}
