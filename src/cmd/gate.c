#include "cmd/gate.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "model/ids.h"

#define RUNS_MAX 8

/* --- the table --- */

static bool in_gate(const char *id)
{
	unsigned long group = *id ? strtoul(id + 1, NULL, 10) : 0;
	char letter = *id;

	return (letter == 'P' && group >= 1 && group <= 10) || (letter == 'G' && group >= 2 && group <= 6);
}

static void column(const char **p, char *out, size_t size)
{
	size_t n = strcspn(*p, "\t\n"), take = PV_MIN(n, size - 1);

	memcpy(out, *p, take);
	out[take] = '\0';
	*p += n + ((*p)[n] == '\t');
}

bool gate_next(const char **at, struct gate_row *ret)
{
	char source[64];

	while (**at) {
		const char *p = *at, *end = strchr(p, '\n');

		*at = end ? end + 1 : p + strlen(p);
		if (*p == '#')
			continue;
		column(&p, ret->id, sizeof(ret->id));
		column(&p, source, sizeof(source));
		column(&p, ret->text, sizeof(ret->text));
		column(&p, ret->met_by, sizeof(ret->met_by));
		if (in_gate(ret->id))
			return true;
	}
	return false;
}

/* "audit --app (static and probe): app.x" is the command audit; "pavise ci" is ci. */
static void command_of(const char *s, size_t len, char command[16])
{
	size_t n;

	if (len > 7 && strncmp(s, "pavise ", 7) == 0) {
		s += 7;
		len -= 7;
	}
	for (n = 0; n < len && n < 15 && islower((unsigned char) s[n]); n++)
		command[n] = s[n];
	command[n] = '\0';
}

bool gate_part(const char **at, char command[16], char ids[128])
{
	while (**at) {
		const char *s = *at + strspn(*at, " ;"), *colon;
		size_t len = strcspn(s, ";"), n = 0;

		*at = s + len;
		colon = memchr(s, ':', len);
		if (!colon && strncmp(s, "pavise ", 7) != 0) /* a remark */
			continue;
		command_of(s, colon ? (size_t) (colon - s) : len, command);
		for (const char *p = colon ? colon + 1 : s + len; p < s + len && n < 127 && *p != '(' && strncmp(p, " -", 2) != 0; p++)
			if (*p != ' ')
				ids[n++] = *p;
		ids[n] = '\0';
		return true;
	}
	return false;
}

/* --- what the commands say --- */

enum answer { SAYS_PASS, SAYS_UNKNOWN, SAYS_FAIL }; /* in order of weight */

struct run {
	char name[16];
	bool exists, done;
	int status;
	struct pv_buf out;
	struct finding_line {
		char id[64];
		enum answer answer;
		bool accepted; /* it fails, and a person has accepted that for a time (pavise.ignore) */
	} *line;
	size_t n;
};

struct gate {
	struct cmd *c;
	struct run run[RUNS_MAX];
	size_t n;
};

/* The commands of the rows that can be run without being told what to look at, and how. */
static const struct {
	const char *name, *args[6];
} known[] = {
	{ "audit", { "audit", "--format", "jsonl" } },
	{ "scan", { "scan", "--history", "--format", "jsonl" } },
	{ "status", { "status" } },
	{ "top", { "top" } },
	{ "logs", { NULL } }, /* needs files to read */
	{ "ci", { NULL } },   /* runs a project's own steps */
	{ "guard", { NULL } },
	{ "notify", { NULL } },
};

static const char *const *args_of(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(known); i++)
		if (strcmp(known[i].name, name) == 0 && known[i].args[0])
			return known[i].args;
	return NULL;
}

static struct run *run_of(struct gate *g, const char *name)
{
	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->run[i].name, name) == 0)
			return &g->run[i];
	if (g->n == RUNS_MAX)
		return NULL;
	(void) text_copy(g->run[g->n].name, sizeof(g->run[g->n].name), name);
	return &g->run[g->n++];
}

static void start(struct gate *g, struct run *r)
{
	const char *const *args = args_of(r->name);
	char self[4096];
	const char *argv[12] = { self };
	size_t n = 1;

	r->exists = args && command_find(r->name);
	if (!r->exists || child_path(g->c, "pavise", self, sizeof(self)) < 0)
		return;
	for (; args[n - 1]; n++)
		argv[n] = args[n - 1];
	if (g->c->config) {
		argv[n++] = "--config";
		argv[n++] = g->c->config;
	}
	for (size_t i = 0; i < g->c->n_words && n + 1 < N_ELEMENTS(argv) && args[1]; i++) /* the project's folder */
		argv[n++] = g->c->word[i];
	argv[n] = NULL;
	r->out.cap = 16u << 20;
	r->status = child_run(argv, &(struct child_io){ .fd3 = -1, .out = &r->out });
	r->done = r->status >= 0 && r->status <= CMD_INCOMPLETE && r->status != CMD_USAGE && !r->out.cut;
}

static bool accepted(const cJSON *f)
{
	return cJSON_GetObjectItemCaseSensitive(f, "accepted");
}

static enum answer says(const cJSON *f)
{
	const char *verdict = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(f, "verdict"));
	const char *reason = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(f, "reason"));

	if (!verdict || strcmp(verdict, "fail") == 0)
		return accepted(f) ? SAYS_PASS : SAYS_FAIL;
	if (strcmp(verdict, "unknown") == 0 && (!reason || strcmp(reason, "by-nature") != 0))
		return SAYS_UNKNOWN;
	return SAYS_PASS;
}

static void take_line(struct run *r, const char *s, size_t len)
{
	cJSON *f = cJSON_ParseWithLength(s, len);
	const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(f, "id"));
	struct finding_line *more = id ? realloc(r->line, (r->n + 1) * sizeof(*more)) : NULL;

	if (more) {
		r->line = more;
		(void) text_copy(more[r->n].id, sizeof(more->id), id);
		more[r->n].accepted = accepted(f);
		more[r->n++].answer = says(f);
	} else {
		r->done = false; /* not one of ours: then nothing of it counts */
	}
	cJSON_Delete(f);
}

static void read_answers(struct run *r)
{
	for (const char *p = pv_buf_str(&r->out); *p;) {
		size_t len = strcspn(p, "\n");

		if (len)
			take_line(r, p, len);
		p += len + (p[len] == '\n');
	}
}

/* --- a row --- */

static bool same_id(const char *name, const char *word)
{
	enum id a, b;

	if (id_parse(word, &b) == 0)
		return id_parse(name, &a) == 0 && a == b;
	return strncmp(name, word, strcspn(word, "*")) == 0 && strchr(word, '*');
}

/* The worst answer about one id. Nothing said: `scan` finds only what is wrong, so that its silence is a pass; the audit
 * answers for every id, so that its silence is none. */
static enum answer of_id(const struct run *r, const char *word, bool *ret_accepted)
{
	enum answer worst = SAYS_PASS;
	enum id id;
	bool any = false;

	for (size_t i = 0; i < r->n; i++)
		if (same_id(r->line[i].id, word)) {
			any = true;
			worst = PV_MAX(worst, r->line[i].answer);
			*ret_accepted |= r->line[i].accepted;
		}
	if (any)
		return worst;
	if (strcmp(r->name, "scan") == 0 && id_parse(word, &id) == 0)
		return r->status == CMD_INCOMPLETE ? SAYS_UNKNOWN : SAYS_PASS;
	return strncmp(word, "ctr.", 4) == 0 ? SAYS_PASS : SAYS_UNKNOWN; /* no container, nothing to say about one */
}

static enum answer of_part(struct gate *g, const char *command, const char *ids, struct pv_buf *why)
{
	const struct run *r = run_of(g, command);
	enum answer worst = SAYS_PASS;

	if (r && r->done && !*ids && r->status == CMD_OK) /* its own status is the answer */
		return SAYS_PASS;
	if (!r || !r->done || !*ids) {
		pv_buf_printf(why, "%s%s", why->len ? "; " : "", *command ? command : "?");
		pv_buf_puts(why, !r || !r->exists ? " cannot be asked from here" : r->done ? " did not pass" : " did not run to its end");
		return SAYS_UNKNOWN;
	}
	while (*ids) {
		char word[64];
		size_t len = strcspn(ids, ",");
		bool allowed = false;
		enum answer one;

		(void) snprintf(word, sizeof(word), "%.*s", (int) len, ids);
		one = of_id(r, word, &allowed);
		if (one != SAYS_PASS || allowed)
			pv_buf_printf(why, "%s%s%s", why->len ? "; " : "", word,
				      one == SAYS_UNKNOWN ? " could not be checked" : one == SAYS_PASS ? " accepted in pavise.ignore" : "");
		worst = PV_MAX(worst, one);
		ids += len + (ids[len] == ',');
	}
	return worst;
}

static enum answer of_row(struct gate *g, const struct gate_row *row, struct pv_buf *why)
{
	char command[16], ids[128];
	const char *at = row->met_by;
	enum answer worst = SAYS_PASS;
	bool any = false;

	while (gate_part(&at, command, ids)) {
		enum answer one = of_part(g, command, ids, why);

		any = true;
		worst = PV_MAX(worst, one);
	}
	return any ? worst : SAYS_UNKNOWN;
}

static void run_all(struct gate *g)
{
	const char *at = requirements_tsv;
	struct gate_row row;

	while (gate_next(&at, &row)) {
		char command[16], ids[128];
		const char *part = row.met_by;

		while (gate_part(&part, command, ids))
			(void) run_of(g, command);
	}
	for (size_t i = 0; i < g->n; i++)
		start(g, &g->run[i]);
}

static int print_rows(struct gate *g)
{
	static const char *const words[] = { "pass", "could not check", "FAIL" };
	size_t count[3] = { 0 };
	pv_autobuf out = PV_BUF_INIT;
	const char *at = requirements_tsv;
	struct gate_row row;

	while (gate_next(&at, &row)) {
		pv_autobuf why = PV_BUF_INIT;
		enum answer a = of_row(g, &row, &why);

		count[a]++;
		pv_buf_printf(&out, "%-6s %-16s %s", row.id, words[a], row.text);
		if (why.len)
			pv_buf_printf(&out, "  [%s]", pv_buf_str(&why));
		pv_buf_putc(&out, '\n');
	}
	pv_buf_printf(&out, "%zu pass, %zu fail, %zu could not be checked\n", count[SAYS_PASS], count[SAYS_FAIL], count[SAYS_UNKNOWN]);
	if (cmd_write(&out) != CMD_OK)
		return CMD_INCOMPLETE;
	return count[SAYS_FAIL] ? CMD_FINDING : count[SAYS_UNKNOWN] ? CMD_INCOMPLETE : CMD_OK;
}

int gate_deploy(struct cmd *c)
{
	struct gate g = { .c = c };
	int r;

	run_all(&g);
	ask_confine(); /* what follows reads what they printed, and prints */
	for (size_t i = 0; i < g.n; i++)
		if (g.run[i].done && args_of(g.run[i].name)[1])
			read_answers(&g.run[i]);
	r = print_rows(&g);
	for (size_t i = 0; i < g.n; i++) {
		pv_buf_done(&g.run[i].out);
		free(g.run[i].line);
	}
	return r;
}
