/* gitindex.h - which files git tracks: the index, versions 2 to 4. */
#ifndef PV_HOST_GITINDEX_H
#define PV_HOST_GITINDEX_H

#include "host/gitdir.h"

struct gitindex_entry {
	const char *path; /* from the top of the work tree; raw */
	size_t path_len;
	uint32_t mode; /* 0100644, 0100755, 0120000 (link), 0160000 (submodule), 040000 (folder of a sparse index) */
	const uint8_t *id;
	unsigned stage; /* not 0: one side of a conflict */
	bool skip;	/* not in the work tree by wish (sparse checkout), or only meant to be added */
};

/* fn for each entry in the order of the index; non-zero ends it. 0; what fn returned; -ENOENT: there is none yet; -EBADMSG;
 * -EOPNOTSUPP: a split index, or a version that is not known; -EFBIG; -ENOMEM. Entries live during the call only. */
int gitindex_read(const struct gitdir *g, int (*fn)(const struct gitindex_entry *e, void *user), void *user);
/* The same of an index that is open already, and over bytes. */
int gitindex_read_fd(int fd, unsigned id_len, int (*fn)(const struct gitindex_entry *e, void *user), void *user);
int gitindex_parse(const uint8_t *data, size_t len, unsigned id_len,
		   int (*fn)(const struct gitindex_entry *e, void *user), void *user);

#endif
