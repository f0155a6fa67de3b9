/* respawn.h - what was killed and comes back under another id. Pure: the caller brings the clock (microseconds,
 * CLOCK_MONOTONIC), kills, and tells.
 *
 * A new container is the same one when it is of the same Compose project and service (or Swarm service), or, where
 * one of the two says nothing about that, of the same image id. Two different services that share an image are
 * two different workloads: the database of one project does not pay for another's. What was made before the kill
 * does not come back: its engine only starts it again. */
#ifndef PV_DETECT_RESPAWN_H
#define PV_DETECT_RESPAWN_H

#include "base/buf.h"
#include "model/verdict.h"
#include "model/workload.h"

#define RESPAWN_SLOTS	  64
#define RESPAWN_KILLS	  5
#define RESPAWN_WINDOW_US ((uint64_t) 600 * 1000000) /* after the last kill */

enum respawn_answer {
	RESPAWN_NO,	 /* not one of them, or told already */
	RESPAWN_KILL,	 /* kill it on sight */
	RESPAWN_GIVE_UP, /* killed RESPAWN_KILLS times: tell who starts it (ID_RUN_RESPAWN, critical). Once */
};

struct respawn;

int respawn_new(struct respawn **ret);
struct respawn *respawn_free(struct respawn *r);
PV_AUTO(respawn)

/* It was killed because of `v` (also when it was killed on sight), at `wall_us` by the clock of container_info.created_us. Remembered for
 * RESPAWN_WINDOW_US; the oldest of RESPAWN_SLOTS makes room. What has neither an image id nor a service is not remembered. */
void respawn_killed(struct respawn *r, const struct container_info *info, const struct verdict *v, uint64_t now_us, uint64_t wall_us);

/* A container is there, at v->now_us. Unless RESPAWN_NO, v->value is which time this is, from 1 on, v->cause what for its kind was
 * killed last. The killed container itself, started again under its own id, is RESPAWN_NO: somebody did
 * that by hand. Only looks. */
enum respawn_answer respawn_seen(struct respawn *r, const struct container_info *info, struct verdict *v);
/* What respawn_seen() called for is done: it is ended, or told to be given up. The same container counts once. */
void respawn_count(struct respawn *r, const struct container_info *info, uint64_t now_us);

/* The owner spares it (`pavise allow`, `pavise undo`): it may come back. `info` may hold no more than the id of a container
 * that was killed, or a service_id. */
void respawn_forget(struct respawn *r, const struct container_info *info);

/* What is remembered, for a store: JSON, and back. The clocks are those of now; what is older than RESPAWN_WINDOW_US is left out.
 * Text that this did not write is -EINVAL, and nothing is taken from it. */
void respawn_json(const struct respawn *r, uint64_t now_us, uint64_t wall_us, struct pv_buf *out);
int respawn_from_json(struct respawn *r, const char *text, uint64_t now_us, uint64_t wall_us);

#endif
