/* hostfs.h - the files of this host, or of a saved copy of one below some folder. Reads, never waits for what it reads,
 * and below a copy follows links only inside of it. */
#ifndef PV_HOST_HOSTFS_H
#define PV_HOST_HOSTFS_H

#include <sys/stat.h>

#include "base/buf.h"
#include "base/lines.h"

struct hostfs {
	int root;           /* of the copy; -1: this host */
	const char *prefix; /* "" or the copy's folder: for readers that take a path */
};

int hostfs_open(struct hostfs *fs, const char *folder); /* NULL: this host. 0 or -errno */
void hostfs_done(struct hostfs *fs);
/* A whole regular file (or one of procfs), absolute path, at most `max` bytes. -EFBIG; -EBADMSG: no regular file;
 * -errno. */
int hostfs_read(const struct hostfs *fs, const char *path, size_t max, struct pv_buf *out);
/* The same in pieces, one after the other, for fn(piece, length): what it returns ends it when it is not 0. */
int hostfs_pieces(const struct hostfs *fs, const char *path, size_t max, int (*fn)(const char *piece, size_t len, void *user),
		  void *user);
/* The first `size` bytes of a regular file, however large it is. How many there were, or -errno. */
ssize_t hostfs_head(const struct hostfs *fs, const char *path, void *out, size_t size);
/* fn for each line of a file that may be large (base/lines.h). At most `max` bytes: -EFBIG. */
int hostfs_lines(const struct hostfs *fs, const char *path, size_t max, lines_fn *fn, void *user);
int hostfs_stat(const struct hostfs *fs, const char *path, bool follow, struct stat *ret); /* 0 or -errno */
/* fn(name, d_type) for each entry but . and .., at most `max` of them, in no order; non-zero ends it. 0; what fn
 * returned; -EFBIG; -errno. */
int hostfs_list(const struct hostfs *fs, const char *path, size_t max,
		int (*fn)(const char *name, unsigned char type, void *user), void *user);

#endif
