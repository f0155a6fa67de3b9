/* target.h - changing a file that somebody else may own, as `pavise audit --fix` does. The folder is opened without
 * following a link, the name in it without following a link or crossing a mount; it must be a regular file with one link
 * (or a folder, where one is meant) and the one that was judged: same device, inode and owner. The change itself is made through
 * that descriptor, in a process that has become the file's owner for good. So whoever may swap the name between check and
 * change gets at most what its owner could have done anyway.
 *
 * All return 0 or: -ELOOP a link stands there; -EXDEV another mount; -EMLINK the file has several names; -ESTALE it is
 * another file now, or it was changed since; -EBADF neither file nor folder (a FIFO, a device), or not the one of both that
 * was meant; -EPERM it belongs to somebody else and we are not root; -errno. Needs Linux 5.6 (openat2). */
#ifndef PV_MEND_TARGET_H
#define PV_MEND_TARGET_H

#include <sys/stat.h>

#include "base/util.h"

struct mend_target {
	const char *dir, *name;
	uint64_t dev, ino; /* ino 0: nothing may be there */
	uint32_t owner;	   /* its uid: an inode's number is used again soon */
	bool folder;
};

const char *mend_why(int r); /* in words: "a link stands there now" */

int mend_look(const struct mend_target *t, struct stat *ret);
/* `from`: the mode that it must have now; UINT32_MAX: any. */
int mend_mode(const struct mend_target *t, uint32_t from, uint32_t to);

struct mend_size {
	uint64_t before, after; /* bytes; before UINT64_MAX: it was made */
	uint64_t dev, ino;
	uint32_t owner;
};
/* A line behind the end of a text file, with a newline before it where one is missing. Makes the file, mode 0644, where
 * ino is 0, as the folder's owner. */
int mend_append(const struct mend_target *t, const char *line, struct mend_size *ret);
/* Takes that back: only while the file still ends so. A file that was made goes. */
int mend_unappend(const struct mend_target *t, const char *line, const struct mend_size *size);

/* Writes a whole new file as the folder's owner; -EEXIST where something is there whose first line is not `mark`. */
int mend_write(const char *dir, const char *name, const char *mark, const char *text, size_t len, uint32_t mode);
/* Takes it away again: only while it has that mark and length. */
int mend_unwrite(const char *dir, const char *name, const char *mark, uint64_t len);

#endif
