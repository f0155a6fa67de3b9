/* delta.h - git's deltas: a result made of pieces copied from a base and of bytes inserted. What was inserted is told, so
 * that only that needs to be looked at; what was copied is told too, so that what is known of the base can be taken over. */
#ifndef PV_SCAN_DELTA_H
#define PV_SCAN_DELTA_H

#include "base/util.h"
#include "match/rule.h"

struct delta_copy {
	size_t src, dst, len; /* neighbours that continue each other in both are one */
};

/* Reused from one delta to the next; starts as zeroes. */
struct delta_map {
	struct delta_copy *copy; /* in the order of dst, disjoint there */
	size_t n_copies, copies_room;
	/* Sorted and disjoint: what was inserted, and an empty span where something was left out. */
	struct rule_span *changed;
	size_t n_changed, changed_room;
};

void delta_map_done(struct delta_map *m);

/* The two lengths a delta starts with. Returns the bytes they took, or -EBADMSG. */
int delta_lengths(const uint8_t *delta, size_t len, uint64_t *ret_base, uint64_t *ret_result);

/* Builds the result; `out` has room for exactly the length that delta_lengths() gave. `map` may be NULL.
 * 0; -EBADMSG: it does not fit the base, itself or the result's length; -ENOMEM. `out` may hold anything after an error. */
int delta_apply(const uint8_t *base, size_t base_len, const uint8_t *delta, size_t len, uint8_t *out, size_t out_len,
		struct delta_map *map);

/* Where bytes [start, start + len) of the base stand in the result: true when copy number *at or a later one has them in
 * one piece, with at least `margin` bytes (or the end of both texts) on each side. *at (first 0) is then the number to go
 * on from: a part may be copied more than once. */
bool delta_carried(const struct delta_map *m, size_t *at, size_t start, size_t len, size_t margin, size_t base_len,
		   size_t out_len, size_t *ret_start);

#endif
