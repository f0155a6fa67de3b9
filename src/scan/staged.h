/* staged.h - what `git commit` would commit now: entries of the index that differ from HEAD. A secret that the committed
 * version of the file holds already is not told again. */
#ifndef PV_SCAN_STAGED_H
#define PV_SCAN_STAGED_H

#include "scan/objects.h"
#include "scan/tree.h"

/* `index_fd`: the index to read, -1: the repository's own. fn as for tree_scan(). *ret_files: how many were looked at. 0; what fn returned; -ENOENT: no index; -EBADMSG,
 * -EOPNOTSUPP: it cannot be read; -EFBIG: HEAD is deeper, or holds more; -ENOMEM. */
int staged_scan(struct objects *s, const struct gitdir *g, int index_fd, struct look *look,
		int (*fn)(const struct tree_text *f, void *user), void *user, uint64_t *ret_files);

#endif
