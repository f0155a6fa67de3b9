/* follow.h - one log by its path, through all that rotation does to it: the file that the path means now, and those before it that
 * somebody still writes to or that are not read to their end. Nothing that was ever readable is lost or given twice:
 *
 *   renamed, made anew     the old file is read on while the new one is; it is let go after FOLLOW_QUIET_US without a byte when it was
 *                          deleted or another one was rotated since, else kept (a writer that was not told writes there for hours)
 *   copied and truncated   what was not read before the truncation stands in the copy: `lost[]` of the state holds the place, the caller
 *                          tries files that lie beside it with follow_beside()
 *   deleted, made anew     the same as renamed; its descriptor keeps the deleted one readable
 *   while we did not run   follow_restore() brings the positions back; a file that the path does not mean any more is found beside it
 *   rotated more than once before we looked    the path meant files that we never saw: they were born after the last one that we did,
 *                          and lie beside it; the caller offers what lies there to follow_between(). Where the file system knows no
 *                          births, or where they were copied and truncated, or compressed at once, such files are not read
 *
 * Pure but for reading the descriptors that it is given; the clock is passed in. */
#ifndef PV_SENSE_FOLLOW_H
#define PV_SENSE_FOLLOW_H

#include "base/buf.h"
#include "sense/tail.h"

#define FOLLOW_FILES	4 /* the present one and three before it */
#define FOLLOW_LOST	4 /* positions whose file is looked for */
#define FOLLOW_QUIET_US ((uint64_t) 30 * 1000000)

struct follow {
	struct follow_file {
		struct tail tail; /* fd -1: free */
		int wd;		  /* the caller's watch on it; -1: none */
		uint64_t grew_us; /* when it last had something */
		uint64_t order;	  /* rotated later, larger */
		bool present;	  /* the path means this one */
	} files[FOLLOW_FILES];
	struct tail_pos lost[FOLLOW_LOST]; /* of files that are not open (any more); offset 0: free */
	size_t n_lost;
	uint64_t orders;
	uint64_t born_ns;    /* wall clock: birth of the youngest file that the path meant; 0: not known */
	uint64_t between_ns; /* what was born after this and before that one may not have been seen; 0: nothing is missing */
	const struct tail_kind *kind;
	bool from_end; /* of the first file, where no position is known */
	bool restored; /* there were positions: a file that is not among them is new */
};

void follow_init(struct follow *f, const struct tail_kind *kind, bool from_end);
void follow_done(struct follow *f);

/* The path means this file now. Takes `fd`; returns 1 when it is another one than before (its watch is `wd`), 0 when nothing changed (fd is
 * closed; the watch is the same, inotify(7) gives one for each inode), negative errno. */
int follow_present(struct follow *f, int fd, int wd, uint64_t now_us);
/* A file that lies beside it: is it one of those that are looked for, or (`copies`) a copy of one? Takes `fd`. 1: yes, it is read on;
 * 0: no. All are tried without copies first: a copy ends where the file itself goes on. */
int follow_beside(struct follow *f, int fd, int wd, bool copies, uint64_t now_us);
bool follow_has(const struct follow *f, uint64_t dev, uint64_t ino);
/* A file that lies beside it and whose name is that of a rotated one, the oldest first: did the path mean it without our seeing it? Takes
 * `fd`. 1: yes, it is read from its start; 0: no; -EBUSY: there is no room for it before others are read: offer all of them again later.
 * follow_caught_up() when all were offered. */
int follow_between(struct follow *f, int fd, int wd, uint64_t now_us);
/* (As long as something is missing or looked for, the present file of a kind with pieces is not read: a line may go on in it.) */
static inline bool follow_misses(const struct follow *f)
{
	return f->between_ns != 0;
}
void follow_caught_up(struct follow *f);
/* Something is looked for; follow_give_up() when all that lie beside it were tried. */
static inline bool follow_looks(const struct follow *f)
{
	return f->n_lost > 0;
}
void follow_give_up(struct follow *f);

/* One turn over its files. 1: there is more; 0; negative errno (of `fn`). */
int follow_turn(struct follow *f, char *buf, size_t room, tail_fn fn, void *arg, uint64_t now_us);
/* Lets go what is over. Calls drop (may be NULL) with the watch of each. */
void follow_tidy(struct follow *f, uint64_t now_us, void (*drop)(int wd, void *arg), void *arg);

/* Positions of all its files as text, and back. -EBADMSG: not such a text; then nothing is known. */
void follow_save(const struct follow *f, struct pv_buf *out);
int follow_restore(struct follow *f, const char *text);

#endif
