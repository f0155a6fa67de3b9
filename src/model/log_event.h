/* log_event.h - what one record of a log says, as plain data: made by logs/ from a line, judged by detect/login, counted
 * and told by guard/. Its JSON form is section 4 of the interfaces: `pavise logs --format jsonl`. */
#ifndef PV_MODEL_LOG_EVENT_H
#define PV_MODEL_LOG_EVENT_H

#include "base/ip.h"
#include "model/ids.h"
#include "model/severity.h"

/* Bytes of a line that are read. nginx and httpd write 130 KiB at most (32 KiB of a request, each byte as \xff), Docker 96 KiB of a piece of
 * 16 KiB (each byte as \u00ff). */
#define LOG_LINE_MAX 196608u

#define LOG_USER_MAX 64

/* What a line of a login says. */
enum log_strength {
	LOG_NO_LOGIN, /* a finding of another kind: logs.miner, logs.error ... */
	LOG_STRONG,   /* the service says that a login was refused */
	LOG_WEAK,     /* a 401 that may be anything: its own limit, void when the address also got through */
	LOG_NEUTRAL,  /* belongs to an attempt and counts for nothing by itself (a session's end, a PAM line that another repeats) */
	LOG_ACCEPTED, /* a login succeeded, or a request got through behind authentication */
};

struct log_event {
	enum id id;		/* ID_LOGS_AUTH_FAILURE, ID_LOGS_MINER ... */
	enum severity severity;
	enum log_strength strength;
	const char *service;	/* name of the rule file: "sshd"; lives as long as the rules */
	const char *rule;	/* id of the rule; the same */
	bool may_ban;		/* the rule is tier 1 or the owner set `ban: yes`, and the source was chosen by more than its text */
	bool has_address;
	struct ip_addr address; /* canonical: v4-mapped for IPv4, no zone; whole, never a prefix */
	char user[LOG_USER_MAX]; /* as written, cut, NUL-terminated, not escaped; "" where the line names none */
	uint64_t time_us;	/* wall clock of the line; that of its receipt where the line has none that can be believed */
	/* Equal for all lines of one attempt at one service, whatever source tells them (sshd's several lines, PAM, journal and
	 * auth.log); 0: each line is an attempt of its own. Compared together with service and address or user, see
	 * detect/login.h. */
	uint64_t attempt;
	const char *source;	/* "file:/var/log/auth.log", "journal:ssh.service", "container:shop/web"; the caller's */
	uint64_t line;		/* from 1; 0: not known */
	const char *text;	/* the application's line (decoded, colours taken out); during the call only, NOT escaped */
	size_t text_len;
	size_t from, to;	/* what the rule took, in text */
};

#endif
