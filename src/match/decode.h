/* decode.h - text hidden in text: base64 (also url-safe, without padding, wrapped in lines), hex, %XX. Candidates are long
 * runs that decode to something readable; each is decoded into the caller's buffer with a map back to the outer text. */
#ifndef PV_MATCH_DECODE_H
#define PV_MATCH_DECODE_H

#include "base/buf.h"
#include "match/rule.h"

enum decode_how { DECODE_BASE64, DECODE_HEX, DECODE_URL };

#define DECODE_MAX (16u << 20) /* one candidate; the rest of a longer one is left out */

struct decode_cand {
	enum decode_how how;
	struct rule_span outer;	/* the run in the text */
};

const char *decode_name(enum decode_how how);

#define DECODE_KNOWN 256

/* Places from which a run is worth a look, in the order of the text: all of them before `to`. */
struct decode_known {
	size_t at[DECODE_KNOWN];
	size_t n, to;
};

/* Whether what stands from `start` on in the run that ends at `end` may be something encoded; *ret is from where. For whoever goes
 * over the runs of a text anyway: decode_next() then need not. */
bool decode_may_hold(const char *text, size_t start, size_t end, size_t *ret);

/* Where a search goes on: both at the start of what is searched, at first. */
struct decode_at {
	size_t run, url;
	const struct decode_known *known; /* NULL: nothing */
	size_t i;			  /* in known->at; 0 at first */
};

/* The next candidate that begins before `limit` (it may end behind it); false when there is none. First the runs in the
 * order of the text, then those with %XX. Looks at a few percent of plain text only. A candidate may begin in the middle
 * of a longer run if the search does: see decode_start(). */
bool decode_next(const char *text, size_t len, size_t limit, struct decode_at *at, struct decode_cand *ret);

/* Where a search has to begin so that nothing encoded that touches `at` is missed: back over the run that it stands in. */
size_t decode_start(const char *text, size_t at);

/* Appends what the candidate decodes to. Never more bytes than the candidate has. */
void decode_run(const char *text, const struct decode_cand *c, struct pv_buf *out);

/* Which part of the outer text the bytes [start, start + len) of the decoded text came from. Linear in the candidate. */
struct rule_span decode_outer(const char *text, const struct decode_cand *c, struct rule_span inner);

#endif
