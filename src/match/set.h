/* set.h - many rules searched at once, in time linear in the text: libhs finds where a rule may match, PCRE2 confirms there
 * and gives the spans, then check sum, randomness and context are judged.
 *
 *	match_set_open(&where, &set, err);       once; from the cache in about a millisecond
 *	match_scratch_new(set, &scratch);        one for each thread
 *	match_scan(set, scratch, text, len, on_hit, user);
 */
#ifndef PV_MATCH_SET_H
#define PV_MATCH_SET_H

#include "match/rule.h"

struct match_set;
struct match_scratch;

/* Rule files to be used: a directory is read with its subdirectories (*.yaml, at most RULE_FILES_MAX), links are not
 * followed. `cache_dir` NULL: nothing is cached. Else a folder that only its user can write (made 0700 when absent); a
 * file in it is used only if it is a regular file of this user with one link, written by nobody else, for exactly
 * these rule files, this libhs and this processor. Anything else is compiled again and replaced, never loaded. */
struct match_where {
	const char *const *paths;
	size_t n_paths;
	const char *cache_dir;
	/* For texts that are many lines (match_gates): the first pass looks for literals alone, and rules with one of less than three bytes
	 * are left out: it would stand in every line. Kept apart from others in the cache. */
	bool lines;
	/* Tries the examples of rules of kind log; called in the child that has no rights. As rules_try_examples(). NULL: they
	 * are not tried. */
	int (*try_lines)(const struct rules *rs, struct pv_buf *err);
};

/* Reading, trying of examples and compiling happen in a child without rights (seccomp, landlock, 1 GiB, 60 s).
 * -EINVAL: a rule is wrong, err says `file:line:column: ...`; -EIO: the child died; -errno of opening. Call it before
 * threads are started. */
int match_set_open(const struct match_where *where, struct match_set **ret, struct pv_buf *err);
/* The same in this process from rules that are already read; takes nothing over, `rs` must outlive the set. */
int match_set_compile(const struct rules *rs, struct match_set **ret, struct pv_buf *err);
int match_set_compile_lines(const struct rules *rs, struct match_set **ret, struct pv_buf *err); /* for match_gates() */
struct match_set *match_set_free(struct match_set *set);
PV_AUTO(match_set)

const struct rules *match_set_rules(const struct match_set *set);
bool match_set_was_cached(const struct match_set *set);

int match_scratch_new(const struct match_set *set, struct match_scratch **ret);
struct match_scratch *match_scratch_free(struct match_scratch *s);
PV_AUTO(match_scratch)

enum match_checked { MATCH_UNCHECKED, MATCH_CHECK_GOOD, MATCH_CHECK_BAD };

/* One thing found. Positions are bytes in the text given to the scan; all of it holds during the call only. */
struct match_hit {
	const struct rule *rule;
	size_t index;		   /* of the rule */
	struct rule_span whole;	   /* all that the pattern took */
	struct rule_span secret;   /* the credential (logs: the whole) */
	struct rule_span address, user;
	const char *secret_text;   /* decoded where depth > 0; secret_len bytes, not terminated */
	size_t secret_len;
	enum match_checked checked;
	enum severity severity;	   /* the rule's; low where the check sum does not fit */
	unsigned depth;		   /* 0: as it stands; else decoded that many times, the spans are those of the encoded text */
	const char *encoding;	   /* "base64", "hex", "url", outermost first with `>` between; "" at depth 0 */
	const char *value_name;	   /* a literal own value (values.h): its variable; then rule is NULL */
	size_t value_index;
};

/* Return 0 to go on, anything else to end the scan; the scan returns it. */
typedef int (*match_fn)(const struct match_hit *hit, void *user);

/* Every rule reports each place once; overlapping places of different rules are all reported, in no promised order. The
 * text may hold anything, NUL included. Returns 0, what fn returned, or a negative errno. */
int match_scan(const struct match_set *set, struct match_scratch *s, const char *text, size_t len, match_fn fn, void *user);

/* Where a rule that reaches beyond RULE_REACH_NEAR may match: what the first pass finds of it ends there. Kept for a text, they
 * spare the next version of it a look around every change as wide as such rules reach. */
struct match_far {
	struct match_far_place {
		size_t end;
		uint32_t rule;
	} *place; /* sorted by end */
	size_t n, room;
	bool lost; /* there are more, or they are not known */
};
#define MATCH_FAR_MAX	512 /* of one text */
#define MATCH_FAR_WIDTH 256 /* what the first pass finds of a rule that reaches far is no longer */

/* 0 or -ENOMEM; beyond MATCH_FAR_MAX it is `lost`. */
int match_far_add(struct match_far *far, size_t end, uint32_t rule);

/* Scans only what can have changed: `changed` are the inserted parts of a text (sorted, disjoint; an empty span for a
 * seam where something was taken out). Finds every match that touches one of them, possibly some others; each span is
 * widened by the reach of its rules and confirmed against the whole text, so that no edge makes or loses a match (of two
 * places of one rule that overlap, the one that a scan comes to first is told). *ret_scanned (may be NULL): bytes looked
 * at. */
int match_scan_changed(const struct match_set *set, struct match_scratch *s, const char *text, size_t len,
		       const struct rule_span *changed, size_t n, match_fn fn, void *user, size_t *ret_scanned);

/* Finds so close to a change are looked for again by match_scan_deep(): a character more may make them another thing. Those that
 * are further away can be taken over from the version before. */
#define MATCH_MARGIN 16

struct match_values;

/* What a scan for secrets wants: rules, own values (NULL: none), and what is encoded as base64, hex or with %XX, to
 * max_depth (0: as it stands; at most 3). Each place is reported once at the least depth. `changed` as above, NULL: all. */
struct match_deep {
	const struct match_values *values;
	unsigned max_depth;
	const struct rule_span *changed;
	size_t n_changed;
	size_t budget;	/* decoded bytes of one call; 0: 64 MiB */
	/* NULL: neither wanted nor known. Is replaced by the places of the text. With `changed` it holds, before, those of the
	 * version before at which nothing changed within MATCH_FAR_WIDTH + 16 bytes, moved to where they stand now. */
	struct match_far *far;
};
int match_scan_deep(const struct match_set *set, struct match_scratch *s, const char *text, size_t len,
		    const struct match_deep *how, match_fn fn, void *user, size_t *ret_scanned);

/* --- texts that are many lines: see logs/ --- */

#define MATCH_ESCAPE UINT32_MAX /* `index` of what hides text: an escape sequence or \u of JSON */

/* Where a literal of a rule ends, in rising order; nothing is confirmed. Of a set that was opened with `lines`. */
typedef int (*match_gate_fn)(uint32_t index, size_t end, void *user);
int match_gates(const struct match_set *set, struct match_scratch *s, const char *text, size_t len, match_gate_fn fn, void *user);

enum { MATCH_SESSION, MATCH_COUNT, MATCH_METHOD, MATCH_PATH, MATCH_FORWARDED, MATCH_TIME, MATCH_STATUS, MATCH_MORE_N };

/* Tries one rule on a line, from `start` on (for rules that may match anywhere). 1: it matches, *ret and `more` (may be NULL)
 * are filled; 0: it does not; -ENOMEM. */
int match_confirm(const struct match_set *set, struct match_scratch *s, size_t index, const char *line, size_t len, size_t start,
		  struct match_hit *ret, struct rule_span more[MATCH_MORE_N]);

/* A compiled set as a sealed memfd, and back from it (takes `fd` over; -EPERM: not sealed, -EBADMSG). */
int match_set_save(const struct match_where *where, int *ret_fd, struct pv_buf *err);
int match_set_load(int fd, struct match_set **ret);

/* How often, since the scratch was made, a rule was given up: its pattern backtracked too long at one place, or a text made to
 * keep it busy did so for 32 times its length. Say it. */
uint64_t match_scratch_gave_up(const struct match_scratch *s);

#endif
