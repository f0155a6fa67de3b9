/* notice.h - what somebody should know. Made by detect/, act/ and the engine; stored by store/, worded
 * by report/, delivered by notify/. Plain data; strings are as they came from outside (escape on output). */
#ifndef PV_MODEL_NOTICE_H
#define PV_MODEL_NOTICE_H

#include "base/buf.h"
#include "model/ids.h"
#include "model/severity.h"

enum notice_action { /* what was done; names in notice_action_name() */
	DONE_ALERTED,
	DONE_BLOCKED,
	DONE_KILLED,
	DONE_STOPPED,
	DONE_FROZEN,
	DONE_BANNED,
	DONE_WOULD_BLOCK,
	DONE_WOULD_KILL,
	DONE_WOULD_STOP,
	DONE_WOULD_FREEZE,
	DONE_WOULD_BAN,
	DONE_FAILED, /* an act was tried and did not work */
	DONE_N
};

enum subject_kind { /* names in subject_kind_name(); notices use the first four, findings all */
	SUBJECT_HOST,
	SUBJECT_CONTAINER,
	SUBJECT_SERVICE,
	SUBJECT_UNIT,
	SUBJECT_IMAGE,
	SUBJECT_FILE,
	SUBJECT_NETWORK,
	SUBJECT_PORT,
	SUBJECT_USER,
	SUBJECT_KEY,
	SUBJECT_CERTIFICATE,
	SUBJECT_REPOSITORY,
	SUBJECT_PACKAGE,
	SUBJECT_ADVISORY,
	SUBJECT_SECRET,
	SUBJECT_DEPLOYMENT,
	SUBJECT_LOG,
	SUBJECT_SOURCE,
	SUBJECT_N
};

#define NOTICE_EVIDENCE 16

struct notice {
	uint64_t row;	     /* of the store; 0 before it is stored */
	uint64_t time_us;    /* wall clock, first seen */
	uint64_t last_us;    /* wall clock, last seen */
	enum id id;	     /* model/ids.h */
	enum severity severity;
	enum notice_action action;
	enum subject_kind kind;
	char subject[160];   /* shop/web, backup.service, host */
	uint64_t cgroup;     /* 0: none */
	uint64_t count;	     /* how often since time_us; at least 1 */
	char what[320];	     /* the sentence without the subject: `asked for pool.hashvault.pro (mining pool name)` */
	char next[224];	     /* the next command, with real names filled in */
	size_t n_evidence;
	struct notice_evidence {
		char what[48];	/* "name", "address", "mean", "image", "chain" */
		char value[192];
	} evidence[NOTICE_EVIDENCE];
};

const char *notice_action_name(enum notice_action a);	       /* "would-block" */
int notice_action_parse(const char *s, enum notice_action *ret);
const char *subject_kind_name(enum subject_kind k);	       /* "container" */
int subject_kind_parse(const char *s, enum subject_kind *ret);

void notice_init(struct notice *n, enum id id, uint64_t wall_us); /* severity and action by default of the id */
void notice_set_what(struct notice *n, const char *fmt, ...) PV_PRINTF(2, 3);
void notice_set_next(struct notice *n, const char *fmt, ...) PV_PRINTF(2, 3);
void notice_add_evidence(struct notice *n, const char *what, const char *fmt, ...) PV_PRINTF(3, 4);

/* One line of JSON without newline, `schema` 1: {"schema","row","time","last","id","severity","subject":{"kind","name","cgroup"},
 * "action","count","detail":{"what","evidence":[{"what","value"}]},"next"}; times in UTC. */
void notice_json(struct pv_buf *out, const struct notice *n);

#endif
