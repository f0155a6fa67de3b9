/* history.h - secrets in every blob of a repository, reachable or not, each with the commit and path that brought it. */
#ifndef PV_SCAN_HISTORY_H
#define PV_SCAN_HISTORY_H

#include "scan/look.h"
#include "scan/objects.h"

struct history_found { /* one secret under one path, from its first commit on */
	uint32_t secret;
	const char *path;    /* raw; NULL: no commit has the blob */
	const char *member;  /* of an archive (archive.h); NULL: the blob itself */
	uint32_t line;	     /* in the first blob, or its member */
	const uint8_t *blob; /* id of the first blob */
	const uint8_t *commit; /* id; NULL: none */
	int64_t author_time; /* of that commit, seconds since 1970 */
	bool reachable;	     /* a reference leads to it */
	bool in_head;	     /* HEAD has it under that path */
	bool elsewhere;	     /* HEAD has it under another path only */
	bool before_since;   /* the commit of `since` has it already */
	uint32_t versions;   /* blobs of that path that hold it */
};

struct history_options {
	unsigned threads;
	const uint8_t *since; /* a commit's id, or NULL */
	bool whole;	      /* look at every blob as a whole: for comparison */
};

struct history_count {
	uint64_t blobs, bytes, hits, commits; /* commits: 0 where nothing was found, as none was read then */
};

/* fn is called in this thread, once for each secret and path; non-zero ends it. 0; what fn returned; -ENOENT: `since` is
 * not here; -ENOMEM. What could not be read becomes a note of the objects. */
int history_scan(struct objects *s, const struct gitdir *g, struct look *look, const struct history_options *o,
		 int (*fn)(const struct history_found *, void *), void *user, struct history_count *ret_count);

#endif
