/* packed.h - the lines of a file that may be packed, as apt keeps its lists (apt.conf(5), Acquire::GzipIndexes): .gz (RFC 1952),
 * .lz4 (frames of LZ4), .zst (RFC 8878), several behind each other too; all else is read as it is. Unpacked piece by piece: what
 * unpacks to very much costs the time of `max` bytes, and a few MiB. */
#ifndef PV_CHECK_PACKED_H
#define PV_CHECK_PACKED_H

#include "base/lines.h"
#include "host/hostfs.h"

struct packed;

/* `name` tells by its end how it is packed. -EOPNOTSUPP: by a program that is not read here (.xz, .bz2, .lzma); -ENOMEM. */
int packed_new(const char *name, size_t max, lines_fn *fn, void *user, struct packed **ret);
struct packed *packed_free(struct packed *p);
PV_AUTO(packed)
/* 0; what fn returned; -EFBIG: it unpacks to more than `max` bytes, or wants more than 8 MiB at once; -EBADMSG: broken. */
int packed_add(struct packed *p, const char *piece, size_t len);
int packed_end(struct packed *p); /* the same; -EBADMSG also: it is cut */

/* All of it for a file. Also -errno. Of the file itself no more than `max` bytes are read: -EFBIG. */
int packed_lines(const struct hostfs *fs, const char *path, size_t max, lines_fn *fn, void *user);

#endif
