/* finding.h - a check's answer about one subject: fail, pass, not applicable, or unknown with the reason. Made by check/
 * and scan/, shown by report/findings.h. Strings are copied, kept as they came from outside and escaped when they are
 * written; each is cut at FINDING_TEXT bytes.
 *
 *	pv_auto(finding) f = finding_new(ID_SECRET_IN_CODE, FINDING_FAIL);
 *	finding_subject(f, SUBJECT_FILE, "src/app.js", "src/app.js", 12);
 *	finding_evidence(f, "value", "src/app.js", 12, "%s", masked);
 *	finding_remedy(f, "revoke the key, then remove it from the file", NULL);
 *	finding_fingerprint(f, "github.pat", "");
 *	r = finding_list_add(list, pv_steal(f));
 *
 * The functions that fill take NULL and do nothing then; what memory did not suffice for shows in finding_list_add(). */
#ifndef PV_MODEL_FINDING_H
#define PV_MODEL_FINDING_H

#include "base/buf.h"
#include "model/ids.h"
#include "model/notice.h"

#define FINDING_TEXT 512

enum finding_verdict { FINDING_FAIL, FINDING_UNKNOWN, FINDING_PASS, FINDING_NOT_APPLICABLE, FINDING_VERDICT_N };

enum finding_reason { /* of an unknown */
	REASON_NONE,
	REASON_PERMISSION,
	REASON_ABSENT,
	REASON_TIMEOUT,
	REASON_TOO_LARGE,
	REASON_MALFORMED,
	REASON_UNSUPPORTED,
	REASON_STALE,
	REASON_BY_NATURE, /* no program on the host can see it: does not change the exit status */
	REASON_N
};

struct finding_evidence {
	char *what, *value;
	char *path;    /* where; NULL: nowhere in a file */
	uint64_t line; /* from 1; 0: none */
	bool cut;      /* the value was longer */
};

struct finding {
	enum id id;
	enum severity severity; /* by default the id's own */
	enum finding_verdict verdict;
	enum finding_reason reason;
	struct finding_about {
		enum subject_kind kind;
		char *name;
		char *path;    /* relative to the project if there is one; NULL: none */
		uint64_t line; /* from 1; 0: none */
		char *commit;  /* hex; NULL: none */
		uint64_t instances; /* replicas that this stands for; 0 or 1: one */
	} subject;
	char *title; /* NULL: the id's own; see finding_title() */
	struct finding_evidence *evidence;
	size_t n_evidence;
	char *remedy, *command; /* the text and the exact command; NULL: none */
	char **references;
	size_t n_references;
	char fingerprint[33]; /* 32 hex digits, or empty */
	uint64_t first_seen_us; /* wall clock; 0: not known */
	bool old;  /* in the baseline: shown as such, does not count for the exit status */
	struct finding_accepted { /* by an entry of pavise.ignore: shown as such, counts for nothing */
		char *reason, *owner, *until; /* NULL: it is not */
	} accepted;
	bool poor; /* memory ran out while it was filled */
};

struct finding *finding_new(enum id id, enum finding_verdict verdict); /* NULL: no memory */
struct finding *finding_free(struct finding *f);
PV_AUTO(finding)

/* `path` and `commit` may be NULL, line 0. Replaces what was there. */
void finding_subject(struct finding *f, enum subject_kind kind, const char *name, const char *path, uint64_t line);
void finding_commit(struct finding *f, const char *hex);
void finding_titled(struct finding *f, const char *fmt, ...) PV_PRINTF(2, 3);
void finding_unknown(struct finding *f, enum finding_reason reason); /* makes it unknown, for that reason */
void finding_evidence(struct finding *f, const char *what, const char *path, uint64_t line, const char *fmt, ...)
	PV_PRINTF(5, 6);
/* Either may be NULL. A command longer than FINDING_TEXT is left out: half of it would be another one. */
void finding_remedy(struct finding *f, const char *text, const char *command);
void finding_reference(struct finding *f, const char *url);
void finding_accept(struct finding *f, const char *reason, const char *owner, const char *until);

/* BLAKE2b-128 over id, kind, name, project-relative path, `rule` and `key` (either may be NULL), joined by NUL: call it
 * when the subject is set. `key` tells findings of one rule in one place apart and must be stable: never a line, commit,
 * container id, time or secret value. */
void finding_fingerprint(struct finding *f, const char *rule, const char *key);

/* It is wrong, and nobody accepted that. */
static inline bool finding_fails(const struct finding *f)
{
	return f->verdict == FINDING_FAIL && !f->accepted.reason;
}

const char *finding_title(const struct finding *f);
const char *finding_verdict_name(enum finding_verdict v); /* "not-applicable" */
const char *finding_reason_name(enum finding_reason r);	  /* "too-large"; "" for REASON_NONE */
/* The form F of the JSON: one object, no newline. */
void finding_json(struct pv_buf *out, const struct finding *f);

/* --- many --- */

struct finding_list {
	struct finding **item;
	size_t n, room;
	uint64_t checked; /* subjects looked at, whatever came out */
};

void finding_list_done(struct finding_list *l); /* frees the findings too */
/* Takes `f` over in any case. 0, or -ENOMEM: also when `f` is NULL or was filled without enough memory. */
int finding_list_add(struct finding_list *l, struct finding *f);
/* Worst first: fail before unknown before the rest, then severity, id, subject, line. Stable. */
void finding_list_sort(struct finding_list *l);
/* Unknown ones that are not so by nature. */
uint64_t finding_list_unchecked(const struct finding_list *l);
/* 1: a failing one at or above `fail_on` that is neither old nor accepted; else 3: one of that severity is unknown, not by nature;
 * else 0. */
int finding_list_status(const struct finding_list *l, enum severity fail_on);

#endif
