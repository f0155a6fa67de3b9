#include "scan/archive.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define PATH_LEN 4096

struct state {
	const char *place;
	struct scan_notes *notes;
	int (*fn)(const struct archive_member *, void *);
	void *user;
	size_t held;	/* unpacked and in memory */
	size_t total;	/* unpacked so far */
	size_t total_max; /* of an outermost file of this length */
	unsigned members;
};

static int open_one(struct state *s, const char *path, const char *data, size_t len, unsigned depth);

static uint32_t le(const char *p, unsigned n)
{
	uint32_t v = 0;

	while (n-- > 0)
		v = v << 8 | (uint8_t) p[n];
	return v;
}

static bool begins(const char *data, size_t len, const char *magic, size_t n)
{
	return len >= n && memcmp(data, magic, n) == 0;
}

static bool is_gzip(const char *data, size_t len)
{
	return len >= 18 && begins(data, len, "\x1f\x8b\x08", 3);
}

static bool is_zip(const char *data, size_t len)
{
	return begins(data, len, "PK\3\4", 4);
}

static bool is_tar(const char *data, size_t len)
{
	return len >= 512 && memcmp(data + 257, "ustar", 5) == 0;
}

static bool is_other(const char *data, size_t len)
{
	return begins(data, len, "\xfd" "7zXZ\0", 6) || begins(data, len, "BZh", 3) || begins(data, len, "\x28\xb5\x2f\xfd", 4) ||
	       begins(data, len, "7z\xbc\xaf\x27\x1c", 6) || begins(data, len, "Rar!\x1a\x07", 6);
}

bool archive_is(const char *data, size_t len)
{
	return is_zip(data, len) || is_gzip(data, len) || is_tar(data, len) || is_other(data, len);
}

/* --- unpacking --- */

static void too_much(const struct state *s)
{
	scan_note(s->notes, REASON_TOO_LARGE, s->place, "what is packed in it is more than %u MB, or more than %d times its size: not looked "
		  "at to its end", ARCHIVE_BYTES >> 20, ARCHIVE_RATIO);
}

static void damaged(const struct state *s)
{
	scan_note(s->notes, REASON_MALFORMED, s->place, "a damaged archive: not looked at to its end");
}

/* How much may still come out of `packed` bytes. */
static size_t allowance(const struct state *s, size_t packed)
{
	size_t most = PV_MAX(packed > SIZE_MAX / ARCHIVE_RATIO ? SIZE_MAX : packed * ARCHIVE_RATIO, (size_t) ARCHIVE_RATIO_FREE);

	most = PV_MIN(most, s->total_max - PV_MIN(s->total, s->total_max));
	return PV_MIN(most, ARCHIVE_BYTES - PV_MIN(s->held, (size_t) ARCHIVE_BYTES));
}

struct unpacked {
	char *text;
	size_t len, room;
};

/* Until the end of the stream, `most` bytes, or the first error; what came out until then counts. */
static int inflate_into(z_stream *z, size_t most, size_t expect, struct unpacked *out)
{
	int r = Z_OK;

	while (r == Z_OK) {
		if (out->len == out->room) {
			size_t room = out->room ? 2 * out->room : PV_MAX(PV_MIN(expect + 1, most), (size_t) 4096);
			char *text;

			room = PV_MIN(room, most);
			if (room <= out->room)
				return -EFBIG;
			text = realloc(out->text, room + 1);
			if (!text)
				return -ENOMEM;
			out->text = text;
			out->room = room;
		}
		z->next_out = (Bytef *) out->text + out->len;
		z->avail_out = (uInt) PV_MIN(out->room - out->len, (size_t) 1 << 30);
		r = inflate(z, Z_NO_FLUSH);
		out->len = (size_t) ((char *) z->next_out - out->text);
		if (r == Z_BUF_ERROR && out->len == out->room)
			r = Z_OK;
	}
	return r == Z_STREAM_END ? 0 : r == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

/* bits: 31 gzip, -15 a bare deflate stream. Several gzips behind each other are one. */
static int unpack(struct state *s, int bits, const char *data, size_t len, size_t expect, struct unpacked *out)
{
	z_stream z = { .next_in = (Bytef *) (uintptr_t) data, .avail_in = (uInt) PV_MIN(len, (size_t) UINT32_MAX) };
	size_t most = allowance(s, len);
	int r;

	if (most == 0) {
		too_much(s);
		return 0;
	}
	if (inflateInit2(&z, bits) != Z_OK)
		return -ENOMEM;
	do
		r = inflate_into(&z, most, expect, out);
	while (r == 0 && bits == 31 && is_gzip((const char *) z.next_in, z.avail_in) && inflateReset(&z) == Z_OK);
	(void) inflateEnd(&z);
	if (r == -EFBIG)
		too_much(s);
	else if (r == -EBADMSG)
		damaged(s);
	return r == -ENOMEM ? r : 0;
}

/* A member as it is: looked into, or handed out. */
static int member(struct state *s, const char *path, const char *text, size_t len, unsigned depth)
{
	if (++s->members > ARCHIVE_MEMBERS) {
		scan_note(s->notes, REASON_TOO_LARGE, s->place, "more than %d files in it; the others were not looked at", ARCHIVE_MEMBERS);
		return 1;
	}
	if (archive_is(text, len))
		return open_one(s, path, text, len, depth + 1);
	return s->fn(&(struct archive_member){ .path = path, .text = text, .len = len }, s->user);
}

static int packed_member(struct state *s, int bits, const char *path, const char *data, size_t len, size_t expect, unsigned depth)
{
	struct unpacked out = { .text = NULL };
	int r = unpack(s, bits, data, len, expect, &out);

	s->held += out.room;
	s->total += out.len;
	if (r == 0 && out.len)
		r = member(s, path, out.text, out.len, depth);
	s->held -= out.room;
	free(out.text);
	return r;
}

/* outer!name, cut where it would be longer than a path may be. */
static void join(char *ret, const char *outer, const char *name, size_t n)
{
	size_t at = strnlen(outer, PATH_LEN - 2);

	memcpy(ret, outer, at);
	if (at)
		ret[at++] = '!';
	n = strnlen(name, PV_MIN(n, PATH_LEN - 1 - at));
	memcpy(ret + at, name, n);
	ret[at + n] = '\0';
}

/* --- zip --- */

/* The end of the central directory stands at the end, before a comment of at most 65,535 bytes. */
static const char *find_end(const char *data, size_t len)
{
	size_t lowest = len > 22 + 65535 ? len - 22 - 65535 : 0;

	for (size_t at = len >= 22 ? len - 22 + 1 : 0; at-- > lowest;)
		if (begins(data + at, len - at, "PK\5\6", 4))
			return data + at;
	return NULL;
}

static int zip_entry(struct state *s, const char *outer, const char *data, size_t len, const char *e, size_t shift, unsigned depth)
{
	unsigned flags = le(e + 8, 2), method = le(e + 10, 2);
	size_t packed = le(e + 20, 4), size = le(e + 24, 4), name_len = le(e + 28, 2), at = le(e + 42, 4) + shift, start;
	char path[PATH_LEN];

	if (name_len && e[46 + name_len - 1] == '/')
		return 0; /* a folder */
	if (packed == UINT32_MAX || size == UINT32_MAX || (flags & 1) || (method != 0 && method != 8)) {
		scan_note(s->notes, REASON_NONE, s->place, "files in it that have a password, or are packed in a form that is not read");
		return 0;
	}
	if (at > len || len - at < 30 || memcmp(data + at, "PK\3\4", 4) != 0) {
		damaged(s);
		return 0;
	}
	start = at + 30 + le(data + at + 26, 2) + le(data + at + 28, 2);
	if (start > len || packed > len - start) {
		damaged(s);
		return 0;
	}
	join(path, outer, e + 46, name_len);
	if (method == 8)
		return packed_member(s, -15, path, data + start, packed, size, depth);
	s->total += packed;
	if (s->total > s->total_max) { /* the same bytes under many names */
		too_much(s);
		return 1;
	}
	return packed ? member(s, path, data + start, packed, depth) : 0;
}

static int open_zip(struct state *s, const char *outer, const char *data, size_t len, unsigned depth)
{
	const char *end = find_end(data, len), *p, *stop;
	size_t size, at, shift;
	int r = 0;

	if (!end) {
		damaged(s);
		return 0;
	}
	size = le(end + 12, 4);
	at = le(end + 16, 4);
	if (size > (size_t) (end - data) || at > (size_t) (end - data) - size) {
		damaged(s);
		return 0;
	}
	shift = (size_t) (end - data) - size - at; /* something stands before it */
	p = end - size;
	for (stop = end; r == 0 && stop - p >= 46 && memcmp(p, "PK\1\2", 4) == 0;) {
		size_t whole = 46 + (size_t) le(p + 28, 2) + le(p + 30, 2) + le(p + 32, 2);

		if (whole > (size_t) (stop - p))
			break;
		r = zip_entry(s, outer, data, len, p, shift, depth);
		p += whole;
	}
	if (r == 0 && p != stop)
		damaged(s);
	return r;
}

/* --- tar --- */

/* Octal, or with the first bit set base 256 (GNU). SIZE_MAX: neither. */
static size_t tar_number(const char *p, size_t n)
{
	uint64_t v = 0;

	if ((uint8_t) *p & 0x80) {
		for (size_t i = 1; i < n; i++) {
			if (v >> 48)
				return SIZE_MAX;
			v = v << 8 | (uint8_t) p[i];
		}
		return (size_t) v;
	}
	for (; n && *p == ' '; p++)
		n--;
	for (; n && *p >= '0' && *p <= '7'; p++, n--)
		v = v << 3 | (uint64_t) (*p - '0');
	return n && *p && *p != ' ' ? SIZE_MAX : (size_t) v;
}

/* `17 path=lib/a.js\n` among the records of a pax header. */
static void pax_path(const char *p, size_t len, char *ret)
{
	while (len) {
		size_t n = 0, digits = 0;

		while (digits < len && digits < 8 && p[digits] >= '0' && p[digits] <= '9')
			n = 10 * n + (size_t) (p[digits++] - '0');
		if (n <= digits + 1 || n > len || p[digits] != ' ')
			return;
		if (n > digits + 7 && memcmp(p + digits + 1, "path=", 5) == 0)
			(void) snprintf(ret, PATH_LEN, "%.*s", (int) PV_MIN(n - digits - 7, (size_t) PATH_LEN), p + digits + 6);
		p += n;
		len -= n;
	}
}

static void tar_name(const char *head, char *ret)
{
	bool prefix = memcmp(head + 257, "ustar\0", 6) == 0 && head[345];

	(void) snprintf(ret, PATH_LEN, "%.*s%s%.*s", prefix ? 155 : 0, head + 345, prefix ? "/" : "", 100, head);
}

static int open_tar(struct state *s, const char *outer, const char *data, size_t len, unsigned depth)
{
	char next[PATH_LEN] = "", name[PATH_LEN], path[PATH_LEN];
	int r = 0;

	for (size_t at = 0; r == 0 && len - at >= 512 && data[at];) {
		const char *head = data + at;
		size_t size = tar_number(head + 124, 12);

		at += 512;
		if (head[156] == 'S') /* a sparse file of GNU: where its parts belong stands before them */
			for (char more = head[482]; more && len - at >= 512; at += 512)
				more = data[at + 504];
		if (!is_tar(head, 512) || size > len - at) {
			damaged(s);
			return 0;
		}
		if (head[156] == 'L') {
			(void) snprintf(next, sizeof(next), "%.*s", (int) PV_MIN(size, sizeof(next)), data + at);
		} else if (head[156] == 'x') {
			pax_path(data + at, size, next);
		} else if (head[156] == '0' || !head[156] || head[156] == '7' || head[156] == 'S') {
			tar_name(head, name);
			join(path, outer, *next ? next : name, PATH_LEN);
			r = size ? member(s, path, data + at, size, depth) : 0;
			*next = '\0';
		} else if (head[156] != 'g' && head[156] != 'K') {
			*next = '\0';
		}
		at += PV_MIN((size + 511) / 512 * 512, len - at);
	}
	return r;
}

/* --- any --- */

static int open_one(struct state *s, const char *path, const char *data, size_t len, unsigned depth)
{
	if (depth > ARCHIVE_DEPTH) {
		scan_note(s->notes, REASON_TOO_LARGE, s->place, "archives in archives more than %d deep", ARCHIVE_DEPTH);
		return 0;
	}
	if (is_gzip(data, len)) /* the size that it says is that of its last part; modulo 2^32 */
		return packed_member(s, 31, path, data, len, le(data + len - 4, 4), depth);
	if (is_zip(data, len))
		return open_zip(s, path, data, len, depth);
	if (is_tar(data, len))
		return open_tar(s, path, data, len, depth);
	scan_note(s->notes, REASON_NONE, s->place, "packed in a form that is not read (xz, bzip2, zstd, 7z, rar)");
	return 0;
}

struct ended { /* what fn returned, apart from our own way of ending */
	int (*fn)(const struct archive_member *, void *);
	void *user;
	int result;
};

static int hand_out(const struct archive_member *m, void *user)
{
	struct ended *e = user;

	e->result = e->fn(m, e->user);
	return e->result != 0;
}

int archive_each(const char *data, size_t len, const char *place, struct scan_notes *notes,
		 int (*fn)(const struct archive_member *m, void *user), void *user)
{
	struct ended e = { .fn = fn, .user = user };
	struct state s = { .place = place, .notes = notes, .fn = hand_out, .user = &e };
	int r;

	s.total_max = len > ARCHIVE_BYTES / ARCHIVE_RATIO ? ARCHIVE_BYTES : len * ARCHIVE_RATIO;
	s.total_max = PV_MAX(s.total_max, (size_t) ARCHIVE_RATIO_FREE);
	r = open_one(&s, "", data, len, 1);
	return r < 0 ? r : e.result;
}
