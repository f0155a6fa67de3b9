/* state.h - where a command keeps what it must remember between two runs: below state_dir for root, below
 * $XDG_STATE_HOME/pavise or ~/.local/state/pavise for everybody else. Links are followed nowhere on the way in. */
#ifndef PV_MEND_STATE_H
#define PV_MEND_STATE_H

#include "base/buf.h"

/* Opens, and makes where it is missing, the folder `name` (mode 0700). Returns a descriptor; -EPERM: it belongs to somebody
 * else; -ELOOP: a link; -errno. `ret_path` (may be NULL) gets its path, for messages. */
int state_folder(const char *state_dir, const char *name, struct pv_buf *ret_path);
/* Only opens: -ENOENT where there is none yet. */
int state_folder_open(const char *state_dir, const char *name, struct pv_buf *ret_path);

/* A whole file of at most `max` bytes in that folder. -ENOENT; -EPERM: not ours alone to write. */
int state_read(int folder, const char *name, size_t max, struct pv_buf *out);
/* Replaces a file in one step (mode 0600). */
int state_write(int folder, const char *name, const char *text, size_t len);

#endif
