#include "scan/objects.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <zlib.h>

#define LOOSE_MAX 50000000u /* objects; more than any file system holds gladly */

struct objects *objects_free(struct objects *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n_packs; i++)
		(void) pack_free(s->pack[i]);
	for (size_t i = 0; i < s->n_folders; i++)
		(void) pv_close(s->folder[i]);
	free(s->pack);
	free(s->loose);
	free(s);
	return NULL;
}

/* --- packs --- */

static enum finding_reason reason_of(int r)
{
	switch (r) {
	case -EACCES:
	case -EPERM:
		return REASON_PERMISSION;
	case -ENOENT:
		return REASON_ABSENT;
	case -EFBIG:
		return REASON_TOO_LARGE;
	}
	return REASON_MALFORMED;
}

static int add_pack(struct objects *s, int dir_fd, const char *name)
{
	pv_auto(pack) p = NULL;
	int r = pack_open(dir_fd, name, s->id_len, &p);

	if (r == 0)
		r = pack_index(p);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		scan_note(s->notes, reason_of(r), name, r == -ENOENT ? "pack without its index" :
							 r == -EBADMSG ? "damaged pack or index" : "pack cannot be read");
		return 0;
	}
	if (p->bad)
		scan_note(s->notes, REASON_MALFORMED, name, "%u objects with a damaged header", p->bad);
	if (p->orphans)
		scan_note(s->notes, REASON_ABSENT, name, "%u deltas without their base", p->orphans);
	s->pack[s->n_packs++] = pv_steal(p);
	return 0;
}

static int add_packs(struct objects *s, int folder)
{
	int fd = openat(folder, "pack", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		if (errno != ENOENT)
			scan_note(s->notes, reason_of(-errno), "objects/pack", "cannot be listed");
		(void) pv_close(fd);
		return 0;
	}
	while (r == 0 && (e = readdir(d))) {
		size_t n = strlen(e->d_name);

		if (n < 6 || strcmp(e->d_name + n - 5, ".pack") != 0)
			continue;
		e->d_name[n - 5] = '\0';
		if (s->n_packs == OBJECTS_PACKS) {
			scan_note(s->notes, REASON_TOO_LARGE, "objects/pack", "more than %d packs", OBJECTS_PACKS);
			break;
		}
		r = add_pack(s, dirfd(d), e->d_name);
	}
	(void) closedir(d);
	return r;
}

static int larger_first(const void *a, const void *b)
{
	const struct pack *x = *(struct pack *const *) a, *y = *(struct pack *const *) b;

	return (x->n < y->n) - (x->n > y->n);
}

/* --- loose objects --- */

static int add_loose(struct objects *s, size_t *room, uint32_t folder, unsigned first, const char *rest)
{
	char hex[2 * GIT_ID_MAX + 1];
	struct objects_loose *o;

	if (strlen(rest) != 2 * s->id_len - 2)
		return 0; /* tmp_obj_…, or of another object format */
	if (s->n_loose == *room) {
		size_t want = *room ? 2 * *room : 256;

		o = want > LOOSE_MAX ? NULL : reallocarray(s->loose, want, sizeof(*o));
		if (!o)
			return -ENOMEM;
		s->loose = o;
		*room = want;
	}
	o = &s->loose[s->n_loose];
	(void) snprintf(hex, sizeof(hex), "%02x%s", first, rest);
	if (gitdir_hex(hex, s->id_len, o->id) < 0)
		return 0;
	o->folder = folder;
	s->n_loose++;
	return 0;
}

static int add_loose_folder(struct objects *s, size_t *room, uint32_t folder, unsigned first)
{
	char name[3];
	struct dirent *e;
	int fd, r = 0;
	DIR *d;

	(void) snprintf(name, sizeof(name), "%02x", first);
	fd = openat(s->folder[folder], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (errno != ENOENT)
			scan_note(s->notes, reason_of(-errno), name, "folder of loose objects cannot be listed");
		(void) pv_close(fd);
		return 0;
	}
	while (r == 0 && (e = readdir(d)))
		r = add_loose(s, room, folder, first, e->d_name);
	(void) closedir(d);
	return r;
}

static int by_id(const void *a, const void *b)
{
	const struct objects_loose *x = a, *y = b;
	int r = memcmp(x->id, y->id, GIT_ID_MAX);

	return r ? r : (x->folder > y->folder) - (x->folder < y->folder);
}

static int number_all(struct objects *s)
{
	uint64_t total = 0;

	if (s->n_packs > 1)
		qsort(s->pack, s->n_packs, sizeof(struct pack *), larger_first);
	for (size_t i = 0; i < s->n_packs; i++) {
		s->pack[i]->base = (uint32_t) total;
		total += s->pack[i]->n;
	}
	s->loose_base = (uint32_t) total;
	total += s->n_loose;
	if (total >= OBJECTS_NONE)
		return -EFBIG;
	s->total = (uint32_t) total;
	if (s->n_loose > 1)
		qsort(s->loose, s->n_loose, sizeof(*s->loose), by_id);
	return 0;
}

int objects_open(const struct gitdir *g, struct scan_notes *notes, struct objects **ret)
{
	pv_auto(objects) s = calloc(1, sizeof(*s));
	size_t room = 0;
	int r = 0;

	if (s)
		s->pack = calloc(OBJECTS_PACKS, sizeof(struct pack *));
	if (!s || !s->pack)
		return -ENOMEM;
	s->id_len = g->id_len;
	s->notes = notes;
	for (size_t i = 0; i < g->n_objects && r == 0; i++) {
		int fd = open(g->objects[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0) {
			scan_note(notes, reason_of(-errno), g->objects[i], "object folder cannot be opened");
			continue;
		}
		s->folder[s->n_folders++] = fd;
		r = add_packs(s, fd);
		for (unsigned k = 0; k < 256 && r == 0; k++)
			r = add_loose_folder(s, &room, (uint32_t) s->n_folders - 1, k);
	}
	if (r == 0)
		r = number_all(s);
	if (r < 0)
		return r;
	*ret = pv_steal(s);
	return 0;
}

/* --- numbers --- */

struct pack *objects_pack(const struct objects *s, uint32_t number)
{
	for (size_t i = 0; i < s->n_packs; i++)
		if (number - s->pack[i]->base < s->pack[i]->n)
			return s->pack[i];
	return NULL;
}

const uint8_t *objects_id(const struct objects *s, uint32_t number)
{
	struct pack *p = objects_pack(s, number);

	return p ? pack_id(p, number - p->base) : s->loose[number - s->loose_base].id;
}

static uint32_t find_loose(const struct objects *s, const uint8_t *id)
{
	uint32_t lo = 0, hi = s->n_loose;

	while (lo < hi) { /* the first of equal ones */
		uint32_t mid = lo + (hi - lo) / 2;

		if (memcmp(s->loose[mid].id, id, s->id_len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n_loose && memcmp(s->loose[lo].id, id, s->id_len) == 0 ? lo : OBJECTS_NONE;
}

uint32_t objects_find(const struct objects *s, const uint8_t *id)
{
	uint32_t pos;

	for (size_t i = 0; i < s->n_packs; i++)
		if (pack_find(s->pack[i], id, &pos))
			return s->pack[i]->base + pos;
	pos = find_loose(s, id);
	return pos == OBJECTS_NONE ? OBJECTS_NONE : s->loose_base + pos;
}

bool objects_first(const struct objects *s, uint32_t number)
{
	/* What stands in the first pack is first; nothing to look up in a repository of one pack. */
	if (s->n_packs && number < s->pack[0]->n)
		return true;
	return objects_find(s, objects_id(s, number)) == number;
}

/* --- loose content --- */

struct loose_file {
	const uint8_t *data;
	size_t len;
	z_stream z;
	enum git_type type;
	uint64_t size;
	uint8_t head[64]; /* what was inflated behind the header is content already */
	size_t head_len;
};

static void loose_close(struct loose_file *f)
{
	if (f->data) {
		(void) inflateEnd(&f->z);
		(void) munmap((void *) (uintptr_t) f->data, f->len);
	}
	f->data = NULL;
}

static int loose_map(const struct objects *s, const struct objects_loose *o, struct loose_file *f)
{
	char path[2 * GIT_ID_MAX + 8];
	pv_autoclose int fd = -1;
	struct stat st;
	void *map;
	size_t at = 0;

	for (unsigned i = 0; i < s->id_len; i++)
		at += (size_t) snprintf(path + at, sizeof(path) - at, i ? "%02x" : "%02x/", o->id[i]);
	fd = openat(s->folder[o->folder], path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return -EBADMSG;
	map = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	f->data = map;
	f->len = (size_t) st.st_size;
	return 0;
}

static int parse_head(struct loose_file *f)
{
	static const struct {
		const char *word;
		enum git_type type;
	} types[] = { { "commit ", GIT_COMMIT }, { "tree ", GIT_TREE }, { "blob ", GIT_BLOB }, { "tag ", GIT_TAG } };
	const uint8_t *nul = memchr(f->head, '\0', f->head_len);
	const char *p = (const char *) f->head;
	size_t used;

	for (size_t i = 0; nul && i < N_ELEMENTS(types) && !f->type; i++)
		if (strncmp(p, types[i].word, strlen(types[i].word)) == 0) {
			f->type = types[i].type;
			p += strlen(types[i].word);
		}
	if (!nul || !f->type || *p < '0' || *p > '9')
		return -EBADMSG;
	for (; *p >= '0' && *p <= '9' && f->size < UINT64_MAX / 100; p++)
		f->size = 10 * f->size + (uint64_t) (*p - '0');
	if (*p)
		return -EBADMSG;
	used = (size_t) (nul + 1 - f->head);
	memmove(f->head, nul + 1, f->head_len - used);
	f->head_len -= used;
	/* Deflate cannot make more than that of so few bytes. */
	return f->size > (f->len + 1) * 1032 ? -EBADMSG : 0;
}

static int loose_open(const struct objects *s, uint32_t i, struct loose_file *f)
{
	int r;

	memset(f, 0, sizeof(*f));
	r = loose_map(s, &s->loose[i], f);
	if (r < 0)
		return r;
	if (inflateInit(&f->z) != Z_OK) {
		(void) munmap((void *) (uintptr_t) f->data, f->len);
		f->data = NULL;
		return -ENOMEM;
	}
	f->z.next_in = (uint8_t *) (uintptr_t) f->data;
	f->z.avail_in = (unsigned) PV_MIN(f->len, (size_t) UINT32_MAX / 2);
	f->z.next_out = f->head;
	f->z.avail_out = sizeof(f->head);
	r = inflate(&f->z, Z_SYNC_FLUSH);
	f->head_len = sizeof(f->head) - f->z.avail_out;
	r = r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR ? parse_head(f) : -EBADMSG;
	if (r < 0)
		loose_close(f);
	return r;
}

/* Feeds a z_stream whose input may be longer than its counter holds. Returns the bytes made, or -EBADMSG. */
static ssize_t inflate_some(z_stream *z, const uint8_t *end, uint8_t *out, size_t room)
{
	size_t done = 0;

	while (done < room) {
		size_t step = PV_MIN(room - done, (size_t) 1 << 30);
		int r;

		z->avail_in = (unsigned) PV_MIN((size_t) (end - z->next_in), (size_t) 1 << 30);
		z->next_out = out + done;
		z->avail_out = (unsigned) step;
		r = inflate(z, Z_NO_FLUSH);
		done += step - z->avail_out;
		if (r == Z_STREAM_END)
			break;
		if (r != Z_OK)
			return -EBADMSG;
	}
	return (ssize_t) done;
}

int objects_loose_get(const struct objects *s, uint32_t i, enum git_type want, enum git_type *ret_type, uint8_t **ret,
		    uint64_t *ret_len)
{
	pv_autofree uint8_t *out = NULL;
	struct loose_file f;
	size_t have;
	int r = loose_open(s, i, &f);

	if (r < 0)
		return r;
	*ret_type = f.type;
	*ret_len = f.size;
	*ret = NULL;
	if (want && f.type != want)
		goto end;
	r = -EFBIG;
	if (f.size > GIT_BLOB_MAX)
		goto end;
	r = -ENOMEM;
	out = malloc((size_t) f.size + 1);
	if (!out)
		goto end;
	r = -EBADMSG;
	have = PV_MIN(f.head_len, (size_t) f.size);
	memcpy(out, f.head, have);
	if (f.head_len > f.size || inflate_some(&f.z, f.data + f.len, out + have, (size_t) f.size - have) !=
					   (ssize_t) (f.size - have))
		goto end;
	out[f.size] = '\0';
	*ret = pv_steal(out);
	r = 0;
end:
	loose_close(&f);
	return r;
}

int objects_get(const struct objects *s, struct pack_inflater *f, uint32_t number, enum git_type *ret_type, uint8_t **ret,
	      size_t *ret_len)
{
	struct pack *p = objects_pack(s, number);
	uint64_t len = 0;
	uint32_t seq;
	int r;

	if (p) {
		seq = pack_seq(p, number - p->base);
		return seq == PACK_NONE ? -EBADMSG : pack_get(f, p, seq, ret_type, ret, ret_len);
	}
	r = objects_loose_get(s, number - s->loose_base, GIT_NONE, ret_type, ret, &len);
	if (r == 0)
		*ret_len = (size_t) len;
	return r;
}

/* --- windows --- */

static int stream(z_stream *z, const uint8_t *end, uint64_t size, uint8_t *buf, size_t have, size_t window, size_t overlap,
		  objects_piece_fn fn, void *user)
{
	uint64_t start = 0; /* of buf in the blob */
	size_t kept = 0;

	for (;;) {
		size_t room = (size_t) PV_MIN((uint64_t) (window - have), size - start - have);
		ssize_t n = inflate_some(z, end, buf + have, room);
		int r;

		if (n < 0 || (size_t) n != room)
			return -EBADMSG;
		have += room;
		r = fn(buf, have, start, kept, user);
		if (r != 0 || start + have == size)
			return r;
		kept = PV_MIN(overlap, have);
		memmove(buf, buf + have - kept, kept);
		start += have - kept;
		have = kept;
	}
}

int objects_stream(const struct objects *s, uint32_t number, size_t window, size_t overlap, objects_piece_fn fn, void *user)
{
	pv_autofree uint8_t *buf = malloc(window);
	struct pack *p = objects_pack(s, number);
	struct loose_file f;
	struct pack_header h;
	z_stream z = { .next_in = NULL };
	int r;

	if (!buf)
		return -ENOMEM;
	if (!p) {
		r = loose_open(s, number - s->loose_base, &f);
		if (r < 0)
			return r;
		memcpy(buf, f.head, f.head_len);
		r = stream(&f.z, f.data + f.len, f.size, buf, f.head_len, window, overlap, fn, user);
		loose_close(&f);
		return r;
	}
	r = pack_header(p, pack_seq(p, number - p->base), false, &h);
	if (r < 0 || h.type != GIT_BLOB)
		return r < 0 ? r : -EOPNOTSUPP;
	if (inflateInit(&z) != Z_OK)
		return -ENOMEM;
	z.next_in = (uint8_t *) (uintptr_t) p->data + h.start;
	r = stream(&z, p->data + h.start + h.room, h.size, buf, 0, window, overlap, fn, user);
	(void) inflateEnd(&z);
	return r;
}
