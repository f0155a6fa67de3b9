/* objects.h - all objects of a repository: its packs and loose objects, and those of its alternates, under one numbering.
 * The same object may stand in several places and have several numbers; objects_find() gives the first, and objects_first()
 * says whether a number is it. */
#ifndef PV_SCAN_OBJECTS_H
#define PV_SCAN_OBJECTS_H

#include "host/gitdir.h"
#include "scan/notes.h"
#include "scan/pack.h"

#define OBJECTS_NONE  UINT32_MAX
#define OBJECTS_PACKS 4096

struct objects_loose {
	uint8_t id[GIT_ID_MAX];
	uint32_t folder; /* of the object folders */
};

struct objects {
	struct pack **pack; /* largest first */
	size_t n_packs;
	struct objects_loose *loose; /* sorted by id */
	uint32_t n_loose, loose_base;
	uint32_t total; /* numbers in use */
	unsigned id_len;
	int folder[GITDIR_OBJECTS];
	size_t n_folders;
	struct scan_notes *notes;
};

/* Maps and indexes every pack. What cannot be read becomes a note and is left out; fails for want of memory only. The
 * notes must outlive the store. */
int objects_open(const struct gitdir *g, struct scan_notes *notes, struct objects **ret);
struct objects *objects_free(struct objects *s);
PV_AUTO(objects)

uint32_t objects_find(const struct objects *s, const uint8_t *id); /* OBJECTS_NONE: not here */
const uint8_t *objects_id(const struct objects *s, uint32_t number);
/* Whether no earlier place holds the same object. */
bool objects_first(const struct objects *s, uint32_t number);
struct pack *objects_pack(const struct objects *s, uint32_t number); /* NULL: loose */

/* One object with its whole content; *ret is freed by the caller and has a NUL after it. -EBADMSG, -EFBIG, -ENOENT (a
 * base is missing), -ENOMEM, -errno. */
int objects_get(const struct objects *s, struct pack_inflater *f, uint32_t number, enum git_type *ret_type, uint8_t **ret,
	      size_t *ret_len);
/* Type and length of a loose object, and its content when it is of type `want` (GIT_NONE: any) and not above
 * GIT_BLOB_MAX (else -EFBIG with type and length set); *ret NULL when it is of another type. */
int objects_loose_get(const struct objects *s, uint32_t i, enum git_type want, enum git_type *ret_type, uint8_t **ret,
		    uint64_t *ret_len);

/* The mode of a tree's entry, which begins with it and has a blank behind it: 40000 is a folder, 160000 a submodule. Old programs wrote zeros before it. */
static inline const char *objects_mode(const char *entry)
{
	while (*entry == '0')
		entry++;
	return entry;
}

/* A blob too large to hold, piece by piece: fn(data, len, offset, overlap) is given at most `window` bytes of which the
 * first `overlap` were in the piece before. 0, what fn returned, -EBADMSG, -ENOMEM. Not for deltas: -EOPNOTSUPP. */
typedef int (*objects_piece_fn)(const uint8_t *data, size_t len, uint64_t offset, size_t overlap, void *user);
int objects_stream(const struct objects *s, uint32_t number, size_t window, size_t overlap, objects_piece_fn fn, void *user);

#endif
