/* attribute.h - which commit brought a blob, and under which path: for the blobs that matter only. Every commit and tree is
 * read once, in the order of the packs; then the commits are gone through from the oldest on, each tree being entered in
 * the first commit that has it, so that the first meeting of a blob is its first commit.
 *
 * What a reference reaches comes before what none reaches (deleted branches, dropped stashes). Parents come before
 * children whatever their clocks said. Replace refs and grafts are looked behind. */
#ifndef PV_SCAN_ATTRIBUTE_H
#define PV_SCAN_ATTRIBUTE_H

#include "scan/objects.h"

struct attribute_place {
	uint32_t blob;	     /* index into `wanted` */
	const char *path;    /* raw; lives until attribute_free() */
	uint32_t commit;     /* number of the first commit with the blob at that path */
	int64_t author_time; /* seconds since 1970, as the commit says */
	bool reachable;	     /* a reference leads to that commit */
	bool in_head;	     /* HEAD has this blob at that path */
	bool head_has;	     /* HEAD has this blob, under whatever path */
	bool before_since;   /* the commit of `since` has that commit in its history, or is it */
};

struct attribute;

/* `wanted`: numbers of blobs, sorted, no two of the same object. `since` may be NULL. -ENOMEM; -ENOENT: `since` is no
 * commit that is here. What is damaged becomes a note. */
int attribute_run(struct objects *s, const struct gitdir *g, const uint32_t *wanted, size_t n_wanted, const uint8_t *since,
		  unsigned threads, struct attribute **ret);
struct attribute *attribute_free(struct attribute *a);
PV_AUTO(attribute)

/* Every blob with every path, the earliest commit first. */
size_t attribute_count(const struct attribute *a);
const struct attribute_place *attribute_place(const struct attribute *a, size_t i);
size_t attribute_commits(const struct attribute *a); /* read, reachable or not */

#endif
