/* gitdir.h - where a git repository keeps its things. Read only, no configuration is followed and nothing is executed;
 * .git may be a folder, a link, or a file that points elsewhere (worktrees, submodules): it is followed as git would, but
 * a stranger's folder is never left for what belongs to somebody else. */
#ifndef PV_HOST_GITDIR_H
#define PV_HOST_GITDIR_H

#include "base/buf.h"

#define GITDIR_OBJECTS 32 /* object folders: the own one, then its alternates */

struct gitdir {
	char *work_tree;  /* absolute; NULL: a bare repository */
	char *git_dir;	  /* absolute: HEAD, index, logs */
	char *common_dir; /* absolute: refs, objects; the same but in linked worktrees */
	char *objects[GITDIR_OBJECTS];
	size_t n_objects;
	size_t refused;	   /* alternates not followed: absent, somebody else's, or too many */
	unsigned id_len;   /* bytes of an object id: 20, or 32 (SHA-256) */
	bool shallow;	   /* older commits are not here */
	bool partial;	   /* objects may not be here until somebody asks for them */
	bool replaced;	   /* replace refs or grafts, which we look behind */
	bool reftable;	   /* references in a form that we do not read */
};

/* Looks in `dir` and above it, on the same file system. -ENOENT: no repository; -EPERM: .git points to what belongs to
 * somebody else; -EBADMSG: it cannot be understood; -errno. */
int gitdir_find(const char *dir, struct gitdir **ret);
struct gitdir *gitdir_free(struct gitdir *g);
PV_AUTO(gitdir)

/* Reads a small regular file, at most `max` bytes, never waiting for it. The text gets a NUL. -EFBIG, -EBADMSG: no
 * regular file, or NUL inside when `text`; -errno. *ret is freed by the caller. */
int gitdir_read(int dir_fd, const char *path, size_t max, bool text, char **ret, size_t *ret_len);
int gitdir_read_fd(int fd, size_t max, bool text, char **ret, size_t *ret_len);

/* Every reference and what HEAD stands on: fn(name, hex id). Tags are given as they are (perhaps the id of a tag object).
 * 0, what fn returned, or -errno. */
int gitdir_refs(const struct gitdir *g, int (*fn)(const char *name, const uint8_t *id, void *user), void *user);
/* The commit of HEAD. -ENOENT: there is none yet. */
int gitdir_head(const struct gitdir *g, uint8_t ret_id[32]);
int gitdir_hex(const char *hex, unsigned id_len, uint8_t ret[32]); /* 2 * id_len digits; -EINVAL */

#endif
