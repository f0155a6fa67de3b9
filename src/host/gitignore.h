/* gitignore.h - what git ignores: .gitignore files on the way down and .git/info/exclude. (What a user's own configuration
 * names beside that, core.excludesFile, is not read: it belongs to that user, not to the repository.) */
#ifndef PV_HOST_GITIGNORE_H
#define PV_HOST_GITIGNORE_H

#include "host/gitdir.h"

#define GITIGNORE_FILE_MAX (1u << 20)
#define GITIGNORE_PATTERNS 20000 /* of all files in force at once */

/* The patterns in force in one folder: a stack that grows on the way down. */
struct gitignore;
int gitignore_new(struct gitignore **ret);
struct gitignore *gitignore_free(struct gitignore *g);
PV_AUTO(gitignore)

/* Adds the patterns of a text that lies in `folder` ("" or "src/lib": from the top, without slash at the end). -ENOSPC:
 * too many, the rest is left out; -ENOMEM. */
int gitignore_add(struct gitignore *g, const char *folder, const char *text, size_t len);
/* The same from files; one that is not there is no error. -EFBIG, -EBADMSG: it counts as empty. */
int gitignore_add_file(struct gitignore *g, int dir_fd, const char *name, const char *folder);
int gitignore_add_exclude(struct gitignore *g, const struct gitdir *git); /* .git/info/exclude: add it first */

size_t gitignore_mark(const struct gitignore *g);	   /* how many are in force */
void gitignore_back(struct gitignore *g, size_t mark); /* drops those that were added since */

/* Whether the path (from the top) is ignored by the patterns in force. A path below an ignored folder is ignored, too, but
 * that is for the caller to see on its way down. */
bool gitignore_match(const struct gitignore *g, const char *path, bool is_dir);

/* From nothing: is `path` (from the top of the work tree) ignored? Reads the files on its way. 1, 0, or -errno. */
int gitignore_check(const struct gitdir *git, const char *path, bool is_dir);

/* One pattern against one text as git does (wildmatch with WM_PATHNAME): `*` and `?` stop at slashes, `**` does not,
 * [a-z] and [!x] as in a shell. Steps are limited: what is too costly does not match. */
bool gitignore_glob(const char *pattern, const char *text);

#endif
