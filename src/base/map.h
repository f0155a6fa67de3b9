/* map.h - open-addressing hash map from a 64-bit key to a pointer. Keys are whatever the caller has
 * (cgroup ids); values belong to the caller. Deleting while iterating is not allowed. */
#ifndef PV_BASE_MAP_H
#define PV_BASE_MAP_H

#include "base/util.h"

struct pv_map {
	struct pv_map_slot {
		uint64_t key;
		void *value; /* NULL: free, PV_MAP_GONE: deleted */
	} *slots;
	size_t size;  /* a power of two, or 0 */
	size_t used;  /* live */
	size_t dirty; /* live and deleted */
};

void *pv_map_get(const struct pv_map *m, uint64_t key);		/* NULL when absent */
int pv_map_put(struct pv_map *m, uint64_t key, void *value);	/* replaces; 0 or -ENOMEM */
void *pv_map_take(struct pv_map *m, uint64_t key);		/* removes and returns, or NULL */
void pv_map_done(struct pv_map *m);				/* frees the table, not the values */

/* for (size_t i = 0; (v = pv_map_next(&m, &i));) */
void *pv_map_next(const struct pv_map *m, size_t *iter);

#endif
