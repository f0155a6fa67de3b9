/* log_walk.h - paths of logs, folder by folder, as log_files.h promises. */
#ifndef PV_BROKER_LOG_WALK_H
#define PV_BROKER_LOG_WALK_H

#include <sys/types.h>

#include "base/util.h"

/* The folder in which the last name of `path` lies (O_PATH), and that name (links at the end resolved, too). 0, -ELOOP, -ENOENT ... */
int log_walk_parent(const char *path, int *ret_dir, char *ret_name, size_t size);
/* The same for a folder itself; one that can be listed. */
int log_walk_folder(const char *path, int *ret_fd);
/* The regular file with one name that `name` in `dir` is: opened for reading. A link is -ELOOP. */
int log_walk_file(int dir, const char *name, int *ret_fd);

#endif
