/* seen.h - what an owner should know by name: keys that may log in, deployments, and files that start things. Each is a line of
 * text (`key "root: ssh-ed25519 anna@laptop" HASH`), so that a state of the host can be accepted by a person (`pavise accept`)
 * and what came since stands out. */
#ifndef PV_CHECK_SEEN_H
#define PV_CHECK_SEEN_H

#include "check/gather.h"

enum seen_kind { SEEN_KEYS, SEEN_DEPLOYMENTS, SEEN_FILES, SEEN_KINDS };
extern const char *const seen_names[SEEN_KINDS]; /* "keys", "deployments", "files" */

/* Sorted lines of one kind. 0 or -errno: it could not be read in full (what was is there). */
int seen_list(struct audit *a, enum seen_kind kind, struct pv_buf *out);

/* host.new-keys, dokploy.unknown-deploys, host.new-files: each compared with what was accepted, else with the last run.
 * `dir`: the folder of the state, NULL: none. Writes what is there now to `now` (may be NULL): all kinds. 0 or -ENOMEM. */
int check_seen(struct audit *a, const char *dir, struct pv_buf *now);

#endif
