/* rule.h - what a rule file says, as plain data. The text form and its loader: rule_file.h; how rules are searched for:
 * set.h. One rule is one kind of thing to find: a credential of one provider, a log line, an indicator. */
#ifndef PV_MATCH_RULE_H
#define PV_MATCH_RULE_H

#include "base/buf.h"
#include "model/severity.h"

#define RULE_MAX	 4096	  /* rules of one set */
#define RULE_PATTERN_MAX 4096	  /* bytes of one pattern */
#define RULE_REACH_NEAR	 512	  /* the reach of a rule that states none */
#define RULE_REACH_MAX	 65536

enum rule_kind { RULE_LOG, RULE_SECRET, RULE_IOC };
enum rule_strength { RULE_WEAK, RULE_STRONG, RULE_NEUTRAL, RULE_ACCEPTED, RULE_THROUGH };
enum rule_check { RULE_CHECK_NONE, RULE_CHECK_CRC32, RULE_CHECK_LUHN, RULE_CHECK_BASE62CRC, RULE_CHECK_BASE36CRC,
		  RULE_CHECK_JWT, RULE_CHECK_N };
enum rule_from { RULE_FROM_LINE, RULE_FROM_TAIL, RULE_FROM_PART, RULE_FROM_JSON };
enum rule_tells { RULE_LOGIN, RULE_MINER, RULE_ERROR, RULE_PROBE };
enum rule_phase { RULE_PHASE_NONE, RULE_PHASE_BEGIN, RULE_PHASE_CHECK, RULE_PHASE_REFUSED, RULE_PHASE_END, RULE_PHASE_N };

struct rule_words {
	size_t n;
	const char **word;
};

struct rule_span {
	size_t start, len; /* len 0: absent */
};

/* Strings are "" where the file says nothing, never NULL. */
struct rule {
	const char *id;		/* github.pat: dotted, unique in a set */
	const char *family;	/* `name` of its file */
	const char *origin;	/* file:line:column of its pattern */
	const char *title;	/* what was found: "GitHub personal access token" */
	const char *opens;	/* what its holder can do */
	const char *remedy;	/* in order: revoke first, then rewrite */
	const char *prefix;	/* public prefix of the format, shown when masked */
	struct rule_words reference;

	enum rule_kind kind;
	enum severity severity;
	enum rule_strength strength;
	bool verified;		/* `real`: written from a real specimen; else from documentation */
	bool password;		/* chosen by a person: masked whole */
	bool generic;		/* names no provider */
	bool doubt_low;		/* a placeholder, or not random enough: told as low, else not at all */

	const char *match;	/* PCRE2; the credential is the group named `secret`, or the whole match */
	struct rule_words literal; /* every match contains one of them */
	struct rule_words also; /* and all of these: asked before the pattern is tried on a line */
	const char *gate;	/* what libhs looks for: a pattern that every match contains, or the same as match */
	struct rule_words run;	/* instead of a gate: what stands before a run of RUN_MIN (runs.h) in every match; ? is any byte */
	bool caseless;		/* of the gate */
	uint32_t reach;		/* no match is longer, look-around and context included */
	uint32_t lead;		/* a match begins at most this far before the end of what the gate finds */

	struct rule_words context; /* at least one stands within context_reach bytes before or after; none: no matter */
	struct rule_words names;   /* of programs or hosts, whole; `*` at the end: also with a version behind it */
	struct rule_words unless;  /* globs over the credential, lower case: placeholders */
	enum rule_check check;
	uint32_t random;	/* least randomness of the credential in hundredths (random.h); 0: no matter */

	/* logs */
	enum rule_from from;
	struct rule_words json_keys; /* RULE_FROM_JSON: paths; their values joined by tabs are what `match` is tried on */
	enum rule_tells tells;
	enum rule_phase phase;	/* of one attempt that several lines tell */
	bool join_address;	/* lines of an attempt are joined by address alone, not by pid */
	bool ban;		/* the owner lets it ban though it was written from documentation */
	const char *address, *user; /* names of groups of `match` */
	struct {
		struct rule_words program, unit, image, transport;
		bool has_uid;
		uint32_t uid;
	} when;
};

#define RULE_CONTEXT_REACH 160

/* Rules and all they point to. */
struct rules;
uint64_t rules_version(const struct rules *rs); /* of the file read last that has one; 0: none has */
size_t rules_count(const struct rules *rs);
const struct rule *rules_get(const struct rules *rs, size_t i);
const struct rule *rules_find(const struct rules *rs, const char *id); /* NULL when absent */
struct rules *rules_free(struct rules *rs);
PV_AUTO(rules)

const char *rule_check_name(enum rule_check c);

#endif
