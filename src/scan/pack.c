#include "scan/pack.h"

#include <endian.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/array.h"

#define IDX_V2	  0xff744f63u
#define RATIO_MAX 1032	/* what deflate can reach (RFC 1951: 258 bytes in 2 bits) */
#define CHAIN_MAX 65536

static uint32_t be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static uint64_t be64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

/* --- the index --- */

static bool is_v2(const struct pack *p)
{
	return be32(p->idx) == IDX_V2;
}

static const uint8_t *fanout(const struct pack *p)
{
	return p->idx + (is_v2(p) ? 8 : 0);
}

const uint8_t *pack_id(const struct pack *p, uint32_t pos)
{
	if (is_v2(p))
		return p->idx + 8 + 1024 + (size_t) pos * p->id_len;
	return p->idx + 1024 + (size_t) pos * (p->id_len + 4) + 4;
}

static uint64_t offset_of(const struct pack *p, uint32_t pos)
{
	const uint8_t *table, *big;
	uint32_t v;

	if (!is_v2(p))
		return be32(p->idx + 1024 + (size_t) pos * (p->id_len + 4));
	table = p->idx + 8 + 1024 + (size_t) p->n * (p->id_len + 4);
	v = be32(table + (size_t) pos * 4);
	if (!(v & 0x80000000u))
		return v;
	big = table + (size_t) p->n * 4 + (size_t) (v & 0x7fffffffu) * 8;
	if (big + 8 > p->idx + p->idx_len - 2 * p->id_len)
		return UINT64_MAX;
	return be64(big);
}

/* Ids are spread evenly: a guess by their next bytes lands within a few entries. Steps are limited, since a stranger may
 * have made ids that are not; then halves. */
bool pack_find(const struct pack *p, const uint8_t *id, uint32_t *ret_pos)
{
	uint32_t lo = id[0] ? be32(fanout(p) + 4 * (id[0] - 1)) : 0, hi = be32(fanout(p) + 4 * id[0]);
	uint64_t want = be32(id + 1), low = 0, high = UINT32_MAX;

	for (unsigned step = 0; lo < hi; step++) {
		uint32_t mid = lo + (hi - lo) / 2;
		const uint8_t *at;
		int r;

		if (step < 4 && high > low)
			mid = lo + (uint32_t) ((want - low) * (hi - lo - 1) / (high - low));
		at = pack_id(p, mid);
		r = memcmp(at, id, p->id_len);
		if (r == 0) {
			*ret_pos = mid;
			return true;
		}
		if (r < 0) {
			lo = mid + 1;
			low = PV_MIN((uint64_t) be32(at + 1), want);
		} else {
			hi = mid;
			high = PV_MAX((uint64_t) be32(at + 1), want);
		}
	}
	return false;
}

static int check_index(struct pack *p)
{
	size_t trailer = 2 * p->id_len, head = 1024, each = p->id_len + 4;
	uint32_t last = 0;

	if (p->idx_len < 1024 + trailer)
		return -EBADMSG;
	if (is_v2(p)) {
		head += 8;
		each += 4;
		if (p->idx_len < head + trailer || be32(p->idx + 4) != 2)
			return -EBADMSG;
	}
	for (unsigned i = 0; i < 256; i++) {
		uint32_t v = be32(fanout(p) + 4 * i);

		if (v < last)
			return -EBADMSG;
		last = v;
	}
	p->n = last;
	return (p->idx_len - head - trailer) / each < p->n ? -EBADMSG : 0;
}

static int check_pack(const struct pack *p)
{
	if (p->data_len < 12 + p->id_len || memcmp(p->data, "PACK", 4) != 0)
		return -EBADMSG;
	if ((be32(p->data + 4) != 2 && be32(p->data + 4) != 3) || be32(p->data + 8) != p->n)
		return -EBADMSG;
	/* The index names the pack it was made for by its check sum. */
	return memcmp(p->idx + p->idx_len - 2 * p->id_len, p->data + p->data_len - p->id_len, p->id_len) == 0 ? 0 : -EBADMSG;
}

int pack_from_memory(const void *data, size_t data_len, const void *idx, size_t idx_len, unsigned id_len, struct pack **ret)
{
	pv_auto(pack) p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->data = data;
	p->data_len = data_len;
	p->idx = idx;
	p->idx_len = idx_len;
	p->id_len = id_len;
	r = check_index(p);
	if (r == 0)
		r = check_pack(p);
	if (r < 0)
		return r;
	*ret = pv_steal(p);
	return 0;
}

static int map_file(int dir_fd, const char *name, const char *ending, const void **ret, size_t *ret_len)
{
	char path[512];
	pv_autoclose int fd = -1;
	struct stat st;
	void *map;
	int n = snprintf(path, sizeof(path), "%s%s", name, ending);

	if (n < 0 || (size_t) n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = openat(dir_fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return -EBADMSG;
	map = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	*ret = map;
	*ret_len = (size_t) st.st_size;
	return 0;
}

int pack_open(int dir_fd, const char *name, unsigned id_len, struct pack **ret)
{
	const void *data = NULL, *idx = NULL;
	size_t data_len = 0, idx_len = 0;
	int r = map_file(dir_fd, name, ".idx", &idx, &idx_len);

	if (r == 0)
		r = map_file(dir_fd, name, ".pack", &data, &data_len);
	if (r == 0)
		r = pack_from_memory(data, data_len, idx, idx_len, id_len, ret);
	if (r == 0) {
		(*ret)->mapped = true;
		(void) madvise((void *) (uintptr_t) data, data_len, MADV_WILLNEED);
		return 0;
	}
	if (idx)
		(void) munmap((void *) (uintptr_t) idx, idx_len);
	if (data)
		(void) munmap((void *) (uintptr_t) data, data_len);
	return r;
}

struct pack *pack_free(struct pack *p)
{
	if (!p)
		return NULL;
	if (p->mapped) {
		(void) munmap((void *) (uintptr_t) p->data, p->data_len);
		(void) munmap((void *) (uintptr_t) p->idx, p->idx_len);
	}
	free(p->object);
	free(p);
	return NULL;
}

/* --- objects in the order of the pack --- */

/* Least significant digit first over 11 bits at a time: the offsets of 400,000 objects in a few milliseconds. */
static int sort_by_offset(struct pack *p)
{
	struct pack_object *tmp = reallocarray(NULL, p->n, sizeof(*tmp)), *from = p->object, *to = tmp;
	uint64_t top = p->data_len;

	if (!tmp)
		return -ENOMEM;
	for (unsigned shift = 0; shift < 56 && top >> shift; shift += 11) {
		uint32_t count[2049] = { 0 };
		struct pack_object *swap = from;

		for (uint32_t i = 0; i < p->n; i++)
			count[(from[i].offset >> shift & 2047) + 1]++;
		for (unsigned i = 0; i < 2048; i++)
			count[i + 1] += count[i];
		for (uint32_t i = 0; i < p->n; i++)
			to[count[from[i].offset >> shift & 2047]++] = from[i];
		from = to;
		to = swap;
	}
	p->object = from;
	free(to);
	return 0;
}

/* The last object at or before `offset`; found by steps that double from `near` downwards, since bases stand close. */
static uint32_t seq_at(const struct pack *p, uint64_t offset, uint32_t near)
{
	uint32_t lo = near, hi = near, step = 1;

	while (lo > 0 && p->object[lo].offset > offset) {
		hi = lo;
		lo = lo > step ? lo - step : 0;
		step *= 2;
	}
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo + 1) / 2;

		if (p->object[mid].offset <= offset)
			lo = mid;
		else
			hi = mid - 1;
	}
	return p->object[lo].offset == offset ? lo : PACK_NONE;
}

uint32_t pack_seq(const struct pack *p, uint32_t pos)
{
	uint64_t offset = offset_of(p, pos);

	return p->n && offset < p->data_len ? seq_at(p, offset, p->n - 1) : PACK_NONE;
}

static uint64_t end_of(const struct pack *p, uint32_t seq)
{
	uint64_t trailer = p->data_len - p->id_len;

	return seq + 1 < p->n ? PV_MIN((uint64_t) p->object[seq + 1].offset, trailer) : trailer;
}

static int read_size(const uint8_t **at, const uint8_t *end, struct pack_header *h)
{
	const uint8_t *p = *at;
	unsigned shift = 4;
	uint8_t c;

	if (p >= end)
		return -EBADMSG;
	c = *p++;
	h->type = (enum git_type)(c >> 4 & 7);
	h->size = c & 15;
	while (c & 0x80) {
		if (p >= end || shift > 57)
			return -EBADMSG;
		c = *p++;
		h->size |= (uint64_t) (c & 0x7f) << shift;
		shift += 7;
	}
	*at = p;
	return 0;
}

static int read_distance(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
	uint64_t v;
	const uint8_t *p = *at;

	if (p >= end)
		return -EBADMSG;
	v = *p & 0x7f;
	while (*p++ & 0x80) {
		if (p >= end || v >> 56)
			return -EBADMSG;
		v = (v + 1) << 7 | (*p & 0x7f);
	}
	*at = p;
	*ret = v;
	return 0;
}

static int read_base(const struct pack *p, uint32_t seq, bool find, const uint8_t **at, const uint8_t *end,
		     struct pack_header *h)
{
	uint64_t back, offset = p->object[seq].offset;
	uint32_t pos;

	if (h->type == GIT_OFS_DELTA) {
		if (read_distance(at, end, &back) < 0 || back == 0 || back > offset)
			return -EBADMSG;
		h->base = find ? seq_at(p, offset - back, seq) : PACK_NONE;
	} else if (h->type == GIT_REF_DELTA) {
		if ((size_t) (end - *at) < p->id_len)
			return -EBADMSG;
		if (find && pack_find(p, *at, &pos))
			h->base = pack_seq(p, pos);
		*at += p->id_len;
	}
	return 0;
}

int pack_header(const struct pack *p, uint32_t seq, bool find_base, struct pack_header *ret)
{
	struct pack_header h = { .base = PACK_NONE };
	uint64_t start = p->object[seq].offset, stop = end_of(p, seq);
	const uint8_t *at = p->data + start, *end = p->data + stop;

	if (start < 12 || start >= stop || read_size(&at, end, &h) < 0 || h.type == GIT_NONE || h.type == 5)
		return -EBADMSG;
	if (read_base(p, seq, find_base, &at, end, &h) < 0)
		return -EBADMSG;
	h.start = (size_t) (at - p->data);
	h.room = (size_t) (end - at);
	if (h.size > (h.room + 1) * RATIO_MAX)
		return -EBADMSG;
	*ret = h;
	return 0;
}

static void link_families(struct pack *p)
{
	for (uint32_t seq = p->n; seq-- > 0;) { /* backwards, so that children come out in the order of the pack */
		struct pack_object *o = &p->object[seq];
		struct pack_header h;

		if (pack_header(p, seq, true, &h) < 0) {
			p->bad++;
			continue;
		}
		o->type = h.type & 7;
		if (h.type != GIT_OFS_DELTA && h.type != GIT_REF_DELTA)
			continue;
		if (h.base == PACK_NONE || h.base == seq) {
			p->orphans++;
			continue;
		}
		o->next = p->object[h.base].child;
		p->object[h.base].child = seq;
	}
}

int pack_index(struct pack *p)
{
	p->object = reallocarray(NULL, p->n ? p->n : 1, sizeof(*p->object));
	if (!p->object)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n; i++) {
		uint64_t offset = PV_MIN(offset_of(p, i), (uint64_t) p->data_len);

		p->object[i] = (struct pack_object){ .offset = offset & ((1ULL << 56) - 1), .pos = i, .child = PACK_NONE,
						     .next = PACK_NONE };
	}
	if (p->n && sort_by_offset(p) < 0)
		return -ENOMEM;
	link_families(p);
	return 0;
}

/* --- content --- */

struct pack_inflater {
	struct libdeflate_decompressor *d;
	uint8_t *delta;
	size_t room;
};

int pack_inflater_new(struct pack_inflater **ret)
{
	pv_auto(pack_inflater) f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->d = libdeflate_alloc_decompressor();
	if (!f->d)
		return -ENOMEM;
	*ret = pv_steal(f);
	return 0;
}

struct pack_inflater *pack_inflater_free(struct pack_inflater *f)
{
	if (f) {
		libdeflate_free_decompressor(f->d);
		free(f->delta);
	}
	free(f);
	return NULL;
}

int pack_inflate(struct pack_inflater *f, const struct pack *p, const struct pack_header *h, uint8_t *out)
{
	size_t got;

	if (libdeflate_zlib_decompress(f->d, p->data + h->start, h->room, out, (size_t) h->size, &got) != LIBDEFLATE_SUCCESS)
		return -EBADMSG;
	return got == h->size ? 0 : -EBADMSG;
}

static int inflate_root(struct pack_inflater *f, const struct pack *p, const struct pack_header *h, uint8_t **ret,
			size_t *ret_len)
{
	uint8_t *out;

	if (h->size > GIT_BLOB_MAX)
		return -EFBIG;
	out = malloc((size_t) h->size + 1);
	if (!out)
		return -ENOMEM;
	if (pack_inflate(f, p, h, out) < 0) {
		free(out);
		return -EBADMSG;
	}
	out[h->size] = '\0';
	*ret = out;
	*ret_len = (size_t) h->size;
	return 0;
}

int pack_build(struct pack_inflater *f, const struct pack *p, const struct pack_header *h, const uint8_t *base,
	       size_t base_len, struct delta_map *map, uint8_t **ret, size_t *ret_len)
{
	uint64_t want_base, want;
	uint8_t *out;
	int r;

	if (!base)
		return inflate_root(f, p, h, ret, ret_len);
	if (h->size > GIT_BLOB_MAX)
		return -EFBIG;
	if (h->size > f->room) {
		uint8_t *more = realloc(f->delta, (size_t) h->size + (size_t) h->size / 4);

		if (!more)
			return -ENOMEM;
		f->delta = more;
		f->room = (size_t) h->size + (size_t) h->size / 4;
	}
	if (pack_inflate(f, p, h, f->delta) < 0 || delta_lengths(f->delta, (size_t) h->size, &want_base, &want) < 0)
		return -EBADMSG;
	if (want > GIT_BLOB_MAX)
		return -EFBIG;
	out = malloc((size_t) want + 1);
	if (!out)
		return -ENOMEM;
	r = delta_apply(base, base_len, f->delta, (size_t) h->size, out, (size_t) want, map);
	if (r < 0) {
		free(out);
		return r;
	}
	out[want] = '\0';
	*ret = out;
	*ret_len = (size_t) want;
	return 0;
}

static int chain_of(const struct pack *p, uint32_t seq, uint32_t **ret, size_t *ret_n)
{
	pv_autofree uint32_t *chain = NULL;
	size_t n = 0, room = 0;
	struct pack_header h;

	do {
		if (pv_grow(&chain, n, &room, sizeof(*chain), 64) < 0)
			return -ENOMEM;
		if (n > CHAIN_MAX || pack_header(p, seq, true, &h) < 0)
			return -EBADMSG;
		chain[n++] = seq;
		seq = h.base;
		if (seq == PACK_NONE && (h.type == GIT_OFS_DELTA || h.type == GIT_REF_DELTA))
			return -ENOENT;
	} while (seq != PACK_NONE);
	*ret = pv_steal(chain);
	*ret_n = n;
	return 0;
}

int pack_get(struct pack_inflater *f, const struct pack *p, uint32_t seq, enum git_type *ret_type, uint8_t **ret,
	     size_t *ret_len)
{
	pv_autofree uint32_t *chain = NULL;
	uint8_t *base = NULL, *out = NULL;
	size_t n = 0, base_len = 0, len = 0;
	struct pack_header h = { .type = GIT_NONE };
	enum git_type type = GIT_NONE;
	int r = chain_of(p, seq, &chain, &n);

	while (r == 0 && n-- > 0) {
		r = pack_header(p, chain[n], false, &h);
		if (r == 0)
			r = pack_build(f, p, &h, base, base_len, NULL, &out, &len);
		if (!base)
			type = h.type;
		free(base);
		base = r == 0 ? out : NULL;
		base_len = len;
	}
	if (r < 0)
		return r;
	*ret = base;
	*ret_len = base_len;
	*ret_type = type;
	return 0;
}
