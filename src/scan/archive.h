/* archive.h - what lies packed in a file: zip and all that is one (jar, whl, docx), tar (POSIX and GNU), gzip, one in another.
 * Known by their first bytes, whatever the file is called. Written by strangers: nothing is taken from a length that was not
 * compared with what is there, names are never opened.
 *
 * Left out, and said: what has a password, what is packed otherwise (xz, bzip2, zstd, 7z, rar; zip64), what is beyond the
 * limits. Sources: PKWARE APPNOTE 6.3.10; POSIX.1-2017 pax; RFC 1951, 1952. */
#ifndef PV_SCAN_ARCHIVE_H
#define PV_SCAN_ARCHIVE_H

#include "scan/notes.h"

#define ARCHIVE_DEPTH	   3		/* one in another; a tar.gz is two */
#define ARCHIVE_BYTES	   (64u << 20)	/* unpacked, of one outermost file with all that lies in it */
#define ARCHIVE_RATIO	   100		/* unpacked to packed */
#define ARCHIVE_RATIO_FREE (1u << 20)	/* so much may come out of however little */
#define ARCHIVE_MEMBERS	   20000

struct archive_member {
	const char *path; /* of the member, raw: "lib/a.js"; in a nested one "inner.zip!lib/a.js"; "" the content of a gzip */
	const char *text;
	size_t len;
};

/* A quick look at the first bytes; also true for forms that are not read. */
bool archive_is(const char *data, size_t len);

/* fn for each regular file in it that is no archive itself; non-zero ends it. Notes are about `place`. 0; what fn returned;
 * -ENOMEM. At most ARCHIVE_BYTES are held at once. */
int archive_each(const char *data, size_t len, const char *place, struct scan_notes *notes,
		 int (*fn)(const struct archive_member *m, void *user), void *user);

#endif
