#include "check/probe.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COLUMNS 6

struct answer_line {
	char *column[COLUMNS]; /* "" where there is none */
};

struct answers {
	struct answer_line http, https, cors, login;
	const char *host;
};

static void split(struct arena *a, const char *line, size_t len, struct answers *to)
{
	char *copy = arena_ndup(a, line, len);
	struct answer_line l;
	struct {
		const char *kind;
		struct answer_line *at;
	} const kinds[] = { { "http", &to->http }, { "https", &to->https }, { "cors", &to->cors }, { "login", &to->login } };

	for (size_t i = 0; i < COLUMNS; i++) {
		char *tab = copy ? strchr(copy, '\t') : NULL;

		l.column[i] = copy ? copy : arena_dup(a, "");
		if (tab)
			*tab = '\0';
		copy = tab ? tab + 1 : NULL;
	}
	for (size_t i = 0; i < N_ELEMENTS(kinds) && l.column[0] && l.column[COLUMNS - 1]; i++)
		if (strcmp(l.column[0], kinds[i].kind) == 0)
			*kinds[i].at = l;
}

static struct finding *about(const struct answers *p, enum id id)
{
	return gather_finding(id, FINDING_PASS, SUBJECT_NETWORK, p->host, NULL);
}

static int number(const char *s)
{
	return (int) strtol(s, NULL, 10);
}

static bool came(const struct answer_line *l)
{
	return l->column[0] && number(l->column[1]) > 0;
}

/* status, error, Location */
static int redirect(struct audit *a, const struct answers *p)
{
	struct finding *f = about(p, ID_TLS_REDIRECT);
	const struct answer_line *l = &p->http;
	int status = l->column[0] ? number(l->column[1]) : 0;

	if (!f)
		return -ENOMEM;
	if (!came(l)) { /* nobody answers there: nothing can be sent in the clear */
		f->verdict = FINDING_NOT_APPLICABLE;
		finding_evidence(f, "port 80", NULL, 0, "%s", l->column[0] ? l->column[2] : "not asked");
	} else if ((status == 301 || status == 308 || status == 302 || status == 307) && strncasecmp(l->column[3], "https://", 8) == 0) {
		finding_evidence(f, "http", NULL, 0, "%d to %s", status, l->column[3]);
	} else {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "http", NULL, 0, "%d %s", status, l->column[3]);
		finding_remedy(f, "answer everything on port 80 but /.well-known/acme-challenge/ with 301 to https", NULL);
	}
	return gather_add(a, f, NULL);
}

/* status, error, Strict-Transport-Security */
static int https_on(struct audit *a, const struct answers *p)
{
	struct finding *f = about(p, ID_TLS_HTTPS_ON);
	const struct answer_line *l = &p->https;

	if (!f)
		return -ENOMEM;
	if (came(l)) {
		finding_evidence(f, "https", NULL, 0, "%s%s", l->column[1], *l->column[3] ? ", with Strict-Transport-Security" : "");
	} else if (l->column[0] && *l->column[2] == '?') { /* it could not be asked: no such name, not ours to ask */
		finding_unknown(f, REASON_ABSENT);
		finding_evidence(f, "https", NULL, 0, "%s", l->column[2] + 1);
	} else {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "https", NULL, 0, "%s", l->column[0] ? l->column[2] : "no answer");
		finding_remedy(f, "serve it with a certificate that browsers take (Let's Encrypt)", NULL);
	}
	return gather_add(a, f, NULL);
}

/* status, error, Access-Control-Allow-Origin, Access-Control-Allow-Credentials, the Origin that was sent */
static int cors(struct audit *a, const struct answers *p)
{
	struct finding *f = about(p, ID_APP_CORS_EXPLICIT);
	const struct answer_line *l = &p->cors;
	const char *allowed = came(l) ? l->column[3] : "";
	bool credentials = came(l) && strcasecmp(l->column[4], "true") == 0;

	if (!f)
		return -ENOMEM;
	if (!came(l)) {
		finding_unknown(f, REASON_ABSENT);
	} else if ((strcmp(allowed, "*") == 0 && credentials) || (*allowed && strcmp(allowed, l->column[5]) == 0)) {
		f->verdict = FINDING_FAIL;
		if (credentials)
			f->severity = SEV_HIGH; /* any site may act for whoever is logged in */
		finding_evidence(f, "Access-Control-Allow-Origin", NULL, 0, "%s%s", allowed, credentials ? ", with credentials" : "");
		finding_remedy(f, "name the origins that may; never answer with what was asked", NULL);
	} else {
		finding_evidence(f, "Access-Control-Allow-Origin", NULL, 0, "%s", *allowed ? allowed : "none");
	}
	return gather_add(a, f, NULL);
}

/* how many were sent, error, their statuses with blanks between */
static int rate_limit(struct audit *a, const struct answers *p)
{
	struct finding *f = about(p, ID_APP_RATE_LIMIT);
	const struct answer_line *l = &p->login;
	int sent = l->column[0] ? number(l->column[1]) : 0;

	if (!f)
		return -ENOMEM;
	if (!l->column[0]) {
		f->verdict = FINDING_NOT_APPLICABLE;
		finding_evidence(f, "path", NULL, 0, "it does not look like a login: give the whole URL of one");
	} else if (strstr(l->column[3], "429")) {
		finding_evidence(f, "failed logins", NULL, 0, "%s", l->column[3]);
	} else if (sent < PROBE_LOGINS || strstr(l->column[3], "404") || strstr(l->column[3], "405") || strstr(l->column[3], " 0")) {
		finding_unknown(f, REASON_ABSENT); /* nobody took them for logins */
		finding_evidence(f, "failed logins", NULL, 0, "%s %s", l->column[3], l->column[2]);
	} else {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "failed logins", NULL, 0, "%s: none was refused with 429", l->column[3]);
		finding_remedy(f, "allow 5 attempts in 15 minutes for an address and for an account, then answer 429", NULL);
	}
	return gather_add(a, f, NULL);
}

int probe_judge(struct audit *a, const char *url, const char *text)
{
	struct answers p = { .host = url };
	const bool *on = a->select.on;
	int r = 0;

	for (const char *s = text; *s;) {
		size_t len = strcspn(s, "\n");

		split(&a->arena, s, len, &p);
		s += len + (s[len] == '\n');
	}
	if (a->arena.poor)
		return -ENOMEM;
	if (on[ID_TLS_HTTPS_ON])
		r = https_on(a, &p);
	if (r == 0 && on[ID_TLS_REDIRECT])
		r = redirect(a, &p);
	if (r == 0 && on[ID_APP_CORS_EXPLICIT])
		r = cors(a, &p);
	return r == 0 && on[ID_APP_RATE_LIMIT] ? rate_limit(a, &p) : r;
}
