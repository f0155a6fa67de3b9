/* engine.h - inside match/: a set of rules ready to be searched for. */
#ifndef PV_MATCH_ENGINE_H
#define PV_MATCH_ENGINE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <hs.h>
#include <pcre2.h>

#include "match/set.h"

/* The second stage of one rule, compiled when its gate first opens: most never do. */
struct confirm {
	pcre2_code *re;
	int secret, address, user; /* numbers of the groups; 0 the whole match, -1 none */
	int more[MATCH_MORE_N];
};

/* Two of them, since what changed in a text is looked at as far around as its rules reach; a whole text is gone over once. */
struct gates {
	hs_database_t *near, *far; /* rules up to RULE_REACH_NEAR, and those that reach further; NULL: none */
	hs_database_t *all;	   /* both; NULL where one of them is */
};

struct run_gate {
	const char *before; /* rule.h, `run` */
	size_t len;
	size_t rule;
};

struct match_set {
	const struct rules *rs;
	struct rules *own;		 /* the same, when they came with the set */
	struct gates gates;
	struct run_gate *run;
	size_t n_runs;
	bool run_after[256]; /* the last bytes of their words */
	uint32_t reach_near, reach_far;
	_Atomic(struct confirm *) *confirm; /* one for each rule */
	void *map;			 /* the cache that `own` points into */
	size_t map_len;
	bool cached;
};

struct rule_state {
	uint64_t scan;	/* the scan the rest belongs to */
	size_t from, to; /* starts that were tried already, both included */
	uint64_t wasted; /* bytes that confirmations in vain may have read, of rules that reach far */
};

struct place {
	size_t index, start, end;
};

struct match_scratch {
	const struct match_set *set;
	hs_scratch_t *hs;
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
	struct rule_state *state;
	uint64_t scan; /* counts scans */
	uint64_t gave_up;
	struct place *seen; /* match_scan_deep(): what was told, to tell it once */
	size_t n_seen, seen_room;
};

/* -EINVAL: err says what is wrong with the pattern. */
int confirm_compile(const struct rule *rule, struct confirm **ret, struct pv_buf *err);
struct confirm *confirm_free(struct confirm *c);
PV_AUTO(confirm)
const struct confirm *confirm_of(const struct match_set *set, size_t index); /* NULL without memory */

struct decode_known;
/* match_scan() that also notes what decode_next() will ask for, as far as there is room; `known` may be NULL. */
int scan_knowing(const struct match_set *set, struct match_scratch *s, const char *text, size_t len, struct decode_known *known,
		 struct match_far *far, match_fn fn, void *user);
/* match_scan_changed() with what is known of rules that reach far; `far` as in struct match_deep. */
int scan_changed(const struct match_set *set, struct match_scratch *s, const char *text, size_t len, const struct rule_span *changed,
		 size_t n, struct match_far *far, match_fn fn, void *user, size_t *ret_scanned);

/* `lines`: for match_gates(): the literals alone, in one database, and MATCH_ESCAPE. */
int gates_compile(const struct rules *rs, bool lines, struct gates *ret, struct pv_buf *err);
void gates_done(struct gates *g);
/* A set around what was compiled or loaded; takes the gates over, and `own` (may be NULL). */
int match_set_make(const struct rules *rs, struct rules *own, const struct gates *gates, struct match_set **ret);

/* cache.c. `digest` is 32 bytes over all that decides what is compiled. */
int cache_load(const char *dir, const unsigned char *digest, struct match_set **ret); /* -ENOENT: nothing that is good */
int cache_copy(const char *dir, const unsigned char *digest, int fd); /* its bytes; the same */
int cache_store(const char *dir, const unsigned char *digest, const void *data, size_t len);
int cache_pack(const struct rules *rs, const struct gates *gates, struct pv_buf *out);
#define MATCH_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
/* All of a file, to be read; the file may be closed. -EBADMSG: empty, or beyond 256 MiB. */
int set_map(int fd, void **ret_map, size_t *ret_len);
/* Takes the mapping over, also on failure. */
int cache_unpack(void *map, size_t map_len, size_t offset, struct match_set **ret);

#endif
