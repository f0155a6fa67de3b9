/* tail.h - reads one open file that grows, each whole record once. No path and no clock here: the caller opens files (sense/follow.h
 * says which) and brings the buffer, so that a thousand logs share one.
 *
 * A position is the end of the last record that was given out. Nothing of an unfinished record is kept: its bytes are read again when
 * its end is there, so that a position can be stored at any moment and reading goes on from it after kill -9. The bytes before the
 * position are remembered: if others stand there, the file was truncated and written anew, however large it is by now. */
#ifndef PV_SENSE_TAIL_H
#define PV_SENSE_TAIL_H

#include "base/util.h"
#include "model/log_event.h"

#define TAIL_BLOCK  256u		/* bytes before the position that are remembered */
#define TAIL_BUFFER ((256u << 10) + TAIL_BLOCK) /* what one turn may read */

/* Where reading goes on, in a form that can be stored. */
struct tail_pos {
	uint64_t dev, ino;
	uint64_t offset;
	uint64_t hash;	     /* of the `block` bytes before offset */
	uint32_t block;
	bool skipping;	     /* behind a gap, or inside of a record that is too long: what comes up to its end is passed over */
};

/* What a record is. whole(): the bytes up to the end of the last whole one in `buf`, 0 when there is none; SIZE_MAX: this is no such file. */
struct tail_kind {
	size_t (*whole)(const char *buf, size_t len);
	bool pieces; /* lines of the application may be in several; its files are closed before they are renamed */
	bool frames; /* not lines: they can be found from the file's start only, and not again after a gap */
};
extern const struct tail_kind tail_lines;
/* Docker's json-file: lines, but those that hold the pieces of one line of the application (16 KiB each) belong together. What follows a gap
 * (truncated, shed, too long) is passed over up to the end of such a line: a client could have chosen how its last piece begins. */
extern const struct tail_kind tail_docker_json;

/* Gets whole records; 0 or a negative errno, which ends the turn: they are given again in the next one. */
typedef int (*tail_fn)(const char *buf, size_t len, void *arg);

struct tail {
	int fd;
	struct tail_pos pos;	/* hash is not kept up to date: tail_position() */
	uint64_t scanned;	/* up to here no record ends */
	uint64_t start;		/* records before this are passed over: they were there before we came (frames, see tail_at_end) */
	const struct tail_kind *kind;
	bool over;		/* nothing is added to the file any more */
	uint64_t long_records, shed_bytes, bad; /* counted, for the one who tells; set to 0 by him */
	uint8_t block[TAIL_BLOCK];
};

/* `fd` belongs to *t from here on. Reading begins at the file's start. 0 or negative errno. */
int tail_open(struct tail *t, int fd, const struct tail_kind *kind);
void tail_close(struct tail *t);
/* Begins at the end instead, or at the beginning of what is not finished there. */
int tail_at_end(struct tail *t);
/* Goes on where `pos` says. -ESTALE: these bytes are not before it (another file, or truncated). The device and inode are not compared:
 * a copy of the file will do. */
int tail_resume(struct tail *t, const struct tail_pos *pos);
void tail_position(const struct tail *t, struct tail_pos *ret);

enum tail_answer {
	TAIL_IDLE,	/* nothing (whole) is there at the moment */
	TAIL_MORE,	/* there is more; the others have their turn first */
	TAIL_TRUNCATED, /* the file was truncated; *ret_lost is the position in what it was. Reading begins at the start */
};

/* One turn: at most `room` bytes (TAIL_BUFFER) of buf are filled. TAIL_* or a negative errno, also of fn. */
int tail_turn(struct tail *t, char *buf, size_t room, tail_fn fn, void *arg, struct tail_pos *ret_lost);

/* When more than `most` bytes wait, all but the last `keep` are passed over and counted in shed_bytes. Returns how many. */
uint64_t tail_shed(struct tail *t, uint64_t most, uint64_t keep);

#endif
