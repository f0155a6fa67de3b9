#include "check/packed.h"

#include <lz4frame.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define OUT	   65536
#define WINDOW_LOG 23 /* 8 MiB, what `zstd -19` wants; more is refused */

struct packing;

struct packed {
	const struct packing *how;
	struct line_reader *lines;
	size_t left;
	bool any, open; /* within a frame: if this is the end, it is cut */
	z_stream gz;
	LZ4F_dctx *lz4;
	ZSTD_DCtx *zst;
	char out[OUT];
};

struct packing {
	const char *end; /* of the name */
	int (*start)(struct packed *p);
	int (*add)(struct packed *p, const char *piece, size_t len);
};

static int give(struct packed *p, const char *s, size_t n)
{
	if (n > p->left)
		return -EFBIG;
	p->left -= n;
	return lines_add(p->lines, s, n);
}

static int plain_start(struct packed *p)
{
	p->any = true;
	return 0;
}

static int gz_start(struct packed *p)
{
	return inflateInit2(&p->gz, 16 + MAX_WBITS) == Z_OK ? 0 : -ENOMEM;
}

static int gz_add(struct packed *p, const char *piece, size_t len)
{
	int e, r = 0;

	p->gz.next_in = (Bytef *) (uintptr_t) piece;
	p->gz.avail_in = (uInt) len;
	while (r == 0 && (p->gz.avail_in || (p->open && !p->gz.avail_out))) {
		if (!p->open && p->any && inflateReset(&p->gz) != Z_OK)
			return -EBADMSG;
		p->any = p->open = true;
		p->gz.next_out = (Bytef *) p->out;
		p->gz.avail_out = OUT;
		e = inflate(&p->gz, Z_NO_FLUSH);
		if (e == Z_BUF_ERROR && !p->gz.avail_in) /* all was out already */
			return 0;
		if (e != Z_OK && e != Z_STREAM_END)
			return -EBADMSG;
		p->open = e != Z_STREAM_END;
		r = give(p, p->out, OUT - p->gz.avail_out);
	}
	return r;
}

static int lz4_start(struct packed *p)
{
	return LZ4F_isError(LZ4F_createDecompressionContext(&p->lz4, LZ4F_VERSION)) ? -ENOMEM : 0;
}

static int lz4_add(struct packed *p, const char *piece, size_t len)
{
	size_t at = 0, made = 0;
	int r = 0;

	while (r == 0 && (at < len || (p->open && made == OUT))) {
		size_t used = len - at, e;

		made = OUT;
		e = LZ4F_decompress(p->lz4, p->out, &made, piece + at, &used, NULL);
		if (LZ4F_isError(e) || (at < len && !used && !made))
			return -EBADMSG;
		at += used;
		p->any = true;
		p->open = e != 0;
		r = give(p, p->out, made);
	}
	return r;
}

static int zst_start(struct packed *p)
{
	p->zst = ZSTD_createDCtx();
	return p->zst && !ZSTD_isError(ZSTD_DCtx_setParameter(p->zst, ZSTD_d_windowLogMax, WINDOW_LOG)) ? 0 : -ENOMEM;
}

static int zst_add(struct packed *p, const char *piece, size_t len)
{
	ZSTD_inBuffer in = { piece, len, 0 };
	ZSTD_outBuffer out = { p->out, OUT, 0 };
	int r = 0;

	while (r == 0 && (in.pos < in.size || (p->open && out.pos == OUT))) {
		size_t e;

		out.pos = 0;
		e = ZSTD_decompressStream(p->zst, &out, &in);
		if (ZSTD_isError(e))
			return ZSTD_getErrorCode(e) == ZSTD_error_frameParameter_windowTooLarge ? -EFBIG : -EBADMSG;
		p->any = true;
		p->open = e != 0;
		r = give(p, p->out, out.pos);
	}
	return r;
}

static const struct packing packings[] = {
	{ ".gz", gz_start, gz_add }, { ".lz4", lz4_start, lz4_add }, { ".zst", zst_start, zst_add },
	{ ".xz", NULL, NULL },	     { ".bz2", NULL, NULL },	      { ".lzma", NULL, NULL },
};
static const struct packing plain = { "", plain_start, give };

static const struct packing *packing_of(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(packings); i++) {
		size_t n = strlen(name), m = strlen(packings[i].end);

		if (n >= m && strcmp(name + n - m, packings[i].end) == 0)
			return &packings[i];
	}
	return &plain;
}

int packed_new(const char *name, size_t max, lines_fn *fn, void *user, struct packed **ret)
{
	const struct packing *how = packing_of(name);
	pv_auto(packed) p = how->start ? calloc(1, sizeof(*p)) : NULL;
	int r;

	if (!p)
		return how->start ? -ENOMEM : -EOPNOTSUPP;
	p->how = how;
	p->left = max;
	p->lines = lines_new(fn, user);
	r = p->lines ? how->start(p) : -ENOMEM;
	if (r == 0)
		*ret = pv_steal(p);
	return r;
}

struct packed *packed_free(struct packed *p)
{
	if (!p)
		return NULL;
	if (p->how->add == gz_add)
		(void) inflateEnd(&p->gz);
	(void) LZ4F_freeDecompressionContext(p->lz4);
	(void) ZSTD_freeDCtx(p->zst);
	free(p->lines);
	free(p);
	return NULL;
}

int packed_add(struct packed *p, const char *piece, size_t len)
{
	return p->how->add(p, piece, len);
}

int packed_end(struct packed *p)
{
	return p->open || !p->any ? -EBADMSG : lines_end(p->lines);
}

static int add(const char *piece, size_t len, void *user)
{
	return packed_add(user, piece, len);
}

int packed_lines(const struct hostfs *fs, const char *path, size_t max, lines_fn *fn, void *user)
{
	pv_auto(packed) p = NULL;
	int r = packed_new(path, max, fn, user, &p);

	if (r == 0)
		r = hostfs_pieces(fs, path, max, add, p);
	return r == 0 ? packed_end(p) : r;
}
