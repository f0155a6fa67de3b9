/* inside.h - between the files of logs/: a set of rules, a reader, a line on its way to events. */
#ifndef PV_LOGS_INSIDE_H
#define PV_LOGS_INSIDE_H

#include "logs/attempt.h"
#include "logs/frame.h"
#include "logs/json.h"
#include "logs/logs.h"
#include "logs/weak.h"

#define HITS_MAX 16384

struct gate_hit {
	size_t start; /* of its line */
	uint64_t line;
	uint32_t rule;
};

/* What is needed while lines are read. One reader has its turn at a time, so that all use this one; nothing in it outlives a call. */
struct logs_work {
	struct match_scratch *scratch;
	uint64_t *stamp; /* of each rule: the line it was last noted for */
	uint64_t serial; /* of lines, over all readers */
	uint32_t *ids, *shown_ids; /* room for all rules: of the line that is judged, and of one that is shown meanwhile */
	struct gate_hit *hits; /* HITS_MAX; pages that are never touched cost nothing */
	size_t n_hits;
	struct pv_buf plain, decoded, fields;
};

struct logs {
	struct match_set *set;
	const struct rules *rs;
	uint64_t seed; /* of attempts: who writes lines cannot know which keys collide */
	struct logs_work *work;
};

int logs_make(struct match_set *set, struct logs **ret); /* takes the set over, also on failure */

/* What a source lets a rule do. */
enum { MAY_TRY = 1, MAY_BAN = 2, TRUSTED = 4, MAY_THROUGH = 8 /* only if something was refused to the same address */ };

struct join { /* a record of Docker's that came in pieces */
	struct pv_buf text;
	bool open;
};

struct logs_reader {
	const struct logs *l;
	struct log_source s;
	struct logs_work *w; /* that of all */
	uint8_t *may;	     /* of each rule */
	struct log_clock clock;
	struct attempts *attempts; /* made when first needed */
	struct weak *weak;
	struct join join[2]; /* stdout, stderr */
	uint64_t line; /* lines seen */
	bool skipping; /* the rest of a line that is too long */
	struct logs_counts counts;
	logs_trial_fn trial; /* logs_try() */
	void *trial_arg;
};

struct line {
	const char *text;
	size_t len;
	uint64_t now_us; /* receipt, or the record's own time */
	uint64_t time_us; /* of the engine's record or the journal; 0: to be read from the text */
	uint64_t number;
	const struct log_record *journal; /* NULL: none */
	uint32_t *id; /* rules whose literals stand in it: whoever writes it chooses some of them, so that none may take another's place */
	size_t n_ids;
};

/* Looks for literals in a line (decoded, plain), notes the rules in l->id. */
int line_scan(struct logs_reader *r, struct line *l);
/* From the rules that were noted to events. 0, what fn returned, -ENOMEM. */
int line_judge(struct logs_reader *r, struct line *l, logs_fn fn, void *arg);

/* False: a request that got through tells nothing here, nothing was refused to its address. */
bool line_through(const struct logs_reader *r, const char *text, size_t len);

/* An address as it stands in a line: a zone is dropped, v4-mapped is IPv4. Numeric only. */
bool address_read(const char *s, size_t len, struct ip_addr *ret);
/* Right to left through X-Forwarded-For: the first that is no proxy. False: there is none, or something that is no address
 * comes before it. */
bool address_forwarded(const char *s, size_t len, const struct ip_prefix *proxies, size_t n, struct ip_addr *ret);
bool address_listed(const struct ip_addr *a, const struct ip_prefix *p, size_t n);

/* Whether a POST to this path, refused, is a refused login. */
bool path_is_login(const struct log_source *s, const char *path, size_t len);

#endif
