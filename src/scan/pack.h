/* pack.h - one pack of git objects with its index, mapped. Everything in it is hostile: lengths are checked against what is
 * there before memory is asked for, bases that are missing or go in a circle are never reached.
 *
 * An object has two numbers: `pos`, its place in the index (sorted by id), and `seq`, its place in the pack (sorted by
 * offset). Bases and deltas form families; pack_index() links them by seq. */
#ifndef PV_SCAN_PACK_H
#define PV_SCAN_PACK_H

#include "base/util.h"
#include "scan/delta.h"

enum git_type { GIT_NONE = 0, GIT_COMMIT = 1, GIT_TREE = 2, GIT_BLOB = 3, GIT_TAG = 4, GIT_OFS_DELTA = 6, GIT_REF_DELTA = 7 };

#define GIT_ID_MAX  32	       /* SHA-256; SHA-1 has 20 */
#define GIT_BLOB_MAX ((size_t) 256 << 20) /* held in memory as a whole */
#define PACK_NONE   UINT32_MAX

struct pack_object { /* by seq */
	uint64_t offset : 56, type : 8; /* enum git_type; a delta keeps GIT_*_DELTA */
	uint32_t pos;
	uint32_t child, next; /* seq of its first delta; of the next delta of the same base */
};

struct pack {
	const uint8_t *data, *idx;
	size_t data_len, idx_len;
	unsigned id_len;
	uint32_t n;
	uint32_t base; /* for the owner: what to add to pos for a number over all packs */
	struct pack_object *object; /* n of them, after pack_index() */
	uint32_t orphans; /* deltas whose base is not in this pack */
	uint32_t bad;	  /* objects whose header cannot be read */
	bool mapped;
};

/* `name` without its ending. -EBADMSG: not a pack and its index, or they do not belong together; -errno. */
int pack_open(int dir_fd, const char *name, unsigned id_len, struct pack **ret);
/* The same over memory that outlives the pack. */
int pack_from_memory(const void *data, size_t data_len, const void *idx, size_t idx_len, unsigned id_len, struct pack **ret);
struct pack *pack_free(struct pack *p);
PV_AUTO(pack)

/* Sorts by offset, reads the headers, links the families. 0 or -ENOMEM. */
int pack_index(struct pack *p);

const uint8_t *pack_id(const struct pack *p, uint32_t pos);
bool pack_find(const struct pack *p, const uint8_t *id, uint32_t *ret_pos);
uint32_t pack_seq(const struct pack *p, uint32_t pos); /* PACK_NONE when its offset is beyond the pack */

struct pack_header {
	enum git_type type;
	uint64_t size;	  /* inflated */
	size_t start, room; /* of the deflated bytes; the room may be longer than they are */
	uint32_t base;	  /* seq of a delta's base; PACK_NONE: not in this pack, or not looked for */
};
/* -EBADMSG: it cannot be read, or claims more than its bytes can inflate to. Looking for the base takes longer than all
 * the rest: who walks a family knows it. */
int pack_header(const struct pack *p, uint32_t seq, bool find_base, struct pack_header *ret);

/* One for each thread. */
struct pack_inflater;
int pack_inflater_new(struct pack_inflater **ret);
struct pack_inflater *pack_inflater_free(struct pack_inflater *f);
PV_AUTO(pack_inflater)

/* The bytes of the object as stored: for a delta the delta. `out` has room for h->size. -EBADMSG. */
int pack_inflate(struct pack_inflater *f, const struct pack *p, const struct pack_header *h, uint8_t *out);

/* The object itself: inflated as it is when `base` is NULL (then it must be no delta), else its delta applied to the base.
 * At most GIT_BLOB_MAX. *ret is freed by the caller and has one more byte, a NUL. -EBADMSG, -EFBIG, -ENOMEM. */
int pack_build(struct pack_inflater *f, const struct pack *p, const struct pack_header *h, const uint8_t *base,
	       size_t base_len, struct delta_map *map, uint8_t **ret, size_t *ret_len);

/* The whole object, its chain of deltas applied; at most GIT_BLOB_MAX. *ret is freed by the caller and has one more byte,
 * a NUL. -EBADMSG, -EFBIG, -ENOENT (a base is not in this pack), -ENOMEM. */
int pack_get(struct pack_inflater *f, const struct pack *p, uint32_t seq, enum git_type *ret_type, uint8_t **ret,
	     size_t *ret_len);

#endif
