/* bulk.h - every object of one type, each built once: families of deltas are walked depth first, so that a base is in memory
 * when its deltas are applied, by several threads at once. Memory: per thread BULK_HELD bytes of waiting bases and the two
 * objects at hand; bases above that are dropped and built again when their turn comes; objects above BULK_BIG are held by
 * one thread at a time. */
#ifndef PV_SCAN_BULK_H
#define PV_SCAN_BULK_H

#include "scan/objects.h"

#define BULK_HELD    ((size_t) 16 << 20)
#define BULK_BIG     ((size_t) 16 << 20)
#define BULK_THREADS 8

struct bulk_object {
	uint32_t number;	/* of the objects */
	bool first;		/* no earlier place holds the same object */
	const char *data;	/* a NUL follows */
	size_t len;
	const struct delta_map *map; /* against its base; NULL: there is none, look at all of it */
	size_t base_len;
	bool has_children;
};

struct bulk_visitor {
	enum git_type type;
	unsigned threads; /* 1 to BULK_THREADS */
	void *user;
	/* Called once for each object, by any of the threads. `base_note` is what the call for its base left in *ret_note
	 * (NULL for what has no base); the note of an object is dropped when its last delta was built. Non-zero ends the
	 * walk. */
	int (*object)(void *user, unsigned thread, const struct bulk_object *o, const void *base_note, void **ret_note);
	void (*drop)(void *note); /* may be NULL when no notes are left */
	/* An object above GIT_BLOB_MAX that is no delta. NULL: it becomes a note of the objects. */
	int (*large)(void *user, unsigned thread, uint32_t number, uint64_t size);
};

/* 0; what a call returned; -ENOMEM. What cannot be read becomes a note of the objects, the rest goes on. */
int bulk_walk(struct objects *s, const struct bulk_visitor *v);

#endif
