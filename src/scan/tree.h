/* tree.h - the files of a folder: what git tracks, and what lies there untracked and is not ignored; outside a repository
 * every file. Links are not followed, other file systems and repositories inside are not entered, devices not opened. */
#ifndef PV_SCAN_TREE_H
#define PV_SCAN_TREE_H

#include "host/gitdir.h"
#include "scan/look.h"

#define TREE_FILES 4000000
#define TREE_DEPTH 256
#define TREE_WHOLE ((size_t) 256 << 20) /* larger files are looked at in windows, which is said */

struct tree_options {
	const char *top;	  /* the work tree, or the folder itself */
	const char *below;	  /* only what lies below this, from the top; "" for all */
	const struct gitdir *git; /* NULL: no repository */
	unsigned threads;
	/* A look without own values, of two threads or more: used meanwhile on files that are listed already, so that tree_scan()
	 * has less to do. NULL: nothing is read. */
	struct look *early;
};

struct tree;
/* Lists only. What cannot be listed becomes a note. 0; -errno when the top cannot be opened; -ENOMEM. */
int tree_list(const struct tree_options *o, struct scan_notes *notes, struct tree **ret);
struct tree *tree_free(struct tree *t);
PV_AUTO(tree)
size_t tree_count(const struct tree *t); /* files to be looked at */

/* The values of the .env files that were met, templates left out, and which they are: names that speak of a secret, and
 * what looks random whatever it is called; of an address with a password also the password. `values` is not made ready.
 * Files that git does not track are not looked at afterwards: a secret belongs there. -ENOMEM. */
int tree_values(struct tree *t, struct match_values *values);
/* The same for one text, as it would stand in a file; `place` is what it is called in a note. */
int tree_values_text(struct match_values *values, struct scan_notes *notes, const char *place, const char *text, size_t len);

struct tree_text { /* a file in which something was found */
	const char *path; /* from the top; raw */
	const char *text;
	size_t len;
	uint64_t first_line;  /* line ends before the text: 0 but in windows */
	const struct look_hits *hits; /* with lines of the text */
};

/* fn is called for each file with secrets or with a comment that allows some, one at a time. Non-zero ends it. 0; what fn
 * returned; -ENOMEM. */
int tree_scan(struct tree *t, struct look *look, int (*fn)(const struct tree_text *f, void *user), void *user);
/* One more text of any size from a descriptor, in the same way; `path` is what it is called. What is no file is looked at in
 * windows from 16 MB on. */
int tree_scan_fd(int fd, const char *path, struct look *look, struct scan_notes *notes,
		 int (*fn)(const struct tree_text *f, void *user), void *user);

#endif
