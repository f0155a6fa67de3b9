/* look.h - looks at one text for secrets: rules and own values together, what overlaps settled, what was found reduced to a
 * number. Values do not leave it: a secret is known by a keyed hash that lives as long as the scan, and by its masked form. */
#ifndef PV_SCAN_LOOK_H
#define PV_SCAN_LOOK_H

#include <pthread.h>

#include "match/set.h"
#include "match/values.h"
#include "scan/archive.h"
#include "scan/delta.h"
#include "scan/notes.h"

#define LOOK_THREADS 8
#define LOOK_DEPTH   3	     /* encodings in encodings */
#define LOOK_HITS    10000   /* of one text; more are not told apart */
#define LOOK_SECRETS 1000000 /* different ones of one scan */
#define LOOK_OVERLAP ((size_t) 128 << 10) /* of windows over a text too large to hold: above every reach */
#define LOOK_BINARY  8000    /* a NUL within so many bytes: binary, as git decides */

struct look_secret { /* one value that one rule takes for a secret */
	const struct rule *rule; /* NULL: an own value */
	_Atomic(char *) variable; /* the own value's name; NULL: it is none. May come later, with look_settle() */
	char *masked;
	char encoding[24];	 /* "base64>hex"; "" as it stands */
	enum severity severity;
	enum match_checked checked;
	size_t len;
};

struct look_hit {
	uint32_t secret;
	uint32_t line;	   /* from 1; 0 before look_lines() */
	size_t start, len; /* in the text */
	uint32_t before, after; /* bytes beside it that the rule looked at, its context included */
};

struct look_hits {
	struct look_hit *hit;
	size_t n, room;
	struct match_far far; /* of the text: lets rules that reach far find what changed in the next one */
};

void look_hits_done(struct look_hits *h);

struct look;

/* `values` (NULL: none) and `set` must outlive it. */
int look_new(const struct match_set *set, const struct match_values *values, struct scan_notes *notes, unsigned threads,
	     struct look **ret);
struct look *look_free(struct look *l);
/* Own values that were not known at first; while nothing is looked at. They must outlive it. */
void look_values(struct look *l, const struct match_values *values);
bool look_has_values(const struct look *l);
PV_AUTO(look)

/* Replaces *hits by what stands in the text, sorted by place. `map` (NULL: look at all of it) says what changed against a
 * base; `base` is then what was found there, and what was copied with it is taken over. Any thread, each with its own
 * number. 0, -ENOMEM. */
int look_at(struct look *l, unsigned thread, const char *text, size_t len, const struct delta_map *map, size_t base_len,
	    const struct look_hits *base, struct look_hits *hits);
/* Leaves one hit for each place, which look_at() does not: what is hidden behind a longer one here may stand free in a text
 * that was made from this one. */
void look_settle(struct look *l, struct look_hits *hits);
/* What is packed in an archive (archive.h), member by member as text of its own: fn is called with settled hits and their lines
 * where something was found or a comment may allow it. What stands unpacked in the archive was found by look_at() as well, in
 * `outer`: it is taken out there. `inner` is room to work in. One archive at a time over all threads, so that memory is
 * bounded. 0; what fn returned; -ENOMEM. */
typedef int (*look_member_fn)(const struct archive_member *m, const struct look_hits *hits, void *user);
int look_inside(struct look *l, unsigned thread, const char *data, size_t len, const char *place,
		struct look_hits *outer, struct look_hits *inner, look_member_fn fn, void *user);
void look_lines(const char *text, struct look_hits *hits); /* fills in the lines */
bool look_is_binary(const char *text, size_t len);

const struct look_secret *look_secret(const struct look *l, uint32_t secret);
const struct rules *look_rules(const struct look *l);
const char *look_rule_id(const struct look_secret *s); /* github.pat, own-value */
void look_end(struct look *l);	/* adds a note about patterns that were given up */
uint64_t look_bytes(const struct look *l); /* looked at, by all threads */

#endif
