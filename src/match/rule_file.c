#include "match/rule_file.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bpf/event.h"
#include "match/rules.h"
#include "match/runs.h"
#include "model/conf_yaml.h"
#include "model/suggest.h"

#define ERRORS_MAX   20
#define TEXT_MAX     2000
#define EXAMPLES_MAX 64
#define JSON_KEYS_MAX 16

/* One file while it is read. */
struct load {
	struct rules *rs;
	const char *name;
	struct pv_buf *err;
	unsigned errors;

	/* of the file */
	enum rule_kind kind;
	const char *family;
	bool verified, ban;
	struct rule_words reference;

	/* of the rule that is read */
	struct rule *rule;
	struct rule_words literal, after;
	const char *gate; /* literal, match, or a pattern */
	bool nocase;
	const struct yaml_node *match, *examples;
};

/* The value of a key, into the rule or the load. Each complains by itself. */
typedef void (*key_fn)(struct load *l, const struct yaml_node *n);

struct key {
	const char *name;
	key_fn read;
	bool needed;
};

static int wrong(struct load *l, const struct yaml_node *n, const char *fmt, ...) PV_PRINTF(3, 4);

static int wrong(struct load *l, const struct yaml_node *n, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (++l->errors > ERRORS_MAX)
		return -EINVAL;
	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pv_buf_printf(l->err, "%s:%u:%u: ", l->name, n->line, n->column);
	pv_buf_safe(l->err, text, 0);
	pv_buf_putc(l->err, '\n');
	return -EINVAL;
}

static bool want_text(struct load *l, const struct yaml_node *n, const char *what, size_t max)
{
	if (n->kind != YAML_SCALAR || n->null) {
		wrong(l, n, "%s is not text; write it on this line, in quotes if it holds : or #", what);
		return false;
	}
	if (strlen(n->text) > max) {
		wrong(l, n, "%s is too long; at most %zu bytes", what, max);
		return false;
	}
	return true;
}

static const char *keep(struct load *l, const struct yaml_node *n, const char *what, size_t max)
{
	const char *s = want_text(l, n, what, max) ? rules_strn(l->rs, n->text, strlen(n->text)) : NULL;

	return s ? s : "";
}

/* A list of words, or one word alone. */
static struct rule_words keep_words(struct load *l, const struct yaml_node *n, const char *what, size_t max)
{
	struct rule_words w = { 0 };
	size_t count = n->kind == YAML_LIST ? n->n : 1;

	if (n->kind == YAML_MAP || count == 0 || count > 256) {
		wrong(l, n, "%s is not a list of 1 to 256 words; write [one, two]", what);
		return w;
	}
	w.word = rules_alloc(l->rs, count * sizeof(*w.word));
	if (!w.word)
		return w;
	for (size_t i = 0; i < count; i++) {
		w.word[i] = keep(l, n->kind == YAML_LIST ? n->child[i] : n, what, max);
		w.n += *w.word[i] != '\0';
	}
	if (w.n < count)
		w.n = 0; /* was complained of */
	return w;
}

static int one_of(struct load *l, const struct yaml_node *n, const char *key, const char *const *words, size_t n_words)
{
	struct suggest near = { .word = n->text };

	if (!want_text(l, n, key, 64))
		return -EINVAL;
	for (size_t i = 0; i < n_words; i++) {
		if (strcmp(n->text, words[i]) == 0)
			return (int) i;
		suggest_try(&near, words[i]);
	}
	return wrong(l, n, "`%s` is no value of %s; %s `%s`", n->text, key, near.best ? "did you mean" : "one of them is",
		     near.best ? near.best : words[0]);
}

static bool yes_no(struct load *l, const struct yaml_node *n, const char *key)
{
	static const char *const words[] = { "no", "yes", "false", "true" };
	int i = one_of(l, n, key, words, N_ELEMENTS(words));

	return i == 1 || i == 3;
}

static bool number(struct load *l, const struct yaml_node *n, const char *key, double min, double max, double *ret)
{
	char *end = NULL;
	double v = 0;

	if (!want_text(l, n, key, 32))
		return false;
	v = strtod(n->text, &end);
	if (!*n->text || *end || !(v >= min && v <= max)) {
		wrong(l, n, "%s is `%s`; a number from %g to %g", key, n->text, min, max);
		return false;
	}
	*ret = v;
	return true;
}

/* --- keys of a rule --- */

static bool id_is_good(const char *id)
{
	bool dot = false;

	if (!islower((unsigned char) *id) && !isdigit((unsigned char) *id))
		return false;
	for (const char *p = id; *p; p++) {
		if (*p == '.' && (p[1] == '.' || !p[1]))
			return false;
		dot |= *p == '.';
		if (!islower((unsigned char) *p) && !isdigit((unsigned char) *p) && !strchr(".-", *p))
			return false;
	}
	return dot;
}

static void read_id(struct load *l, const struct yaml_node *n)
{
	const char *id = keep(l, n, "id", 64);

	if (*id && !id_is_good(id))
		wrong(l, n, "`%s` is no id; family.name in lower case letters, digits and -", id);
	else if (*id && rules_find(l->rs, id))
		wrong(l, n, "`%s` is the id of another rule, too (%s); ids are unique", id, rules_find(l->rs, id)->origin);
	else
		l->rule->id = id;
}

static void read_title(struct load *l, const struct yaml_node *n)
{
	l->rule->title = keep(l, n, "title", 200);
}

static void read_opens(struct load *l, const struct yaml_node *n)
{
	l->rule->opens = keep(l, n, "opens", TEXT_MAX);
}

static void read_remedy(struct load *l, const struct yaml_node *n)
{
	l->rule->remedy = keep(l, n, "remedy", TEXT_MAX);
}

static void read_prefix(struct load *l, const struct yaml_node *n)
{
	l->rule->prefix = keep(l, n, "prefix", 32);
}

static void read_severity(struct load *l, const struct yaml_node *n)
{
	if (want_text(l, n, "severity", 16) && severity_parse(n->text, &l->rule->severity) < 0)
		wrong(l, n, "`%s` is no severity; critical, high, medium, low or info", n->text);
}

static void read_strength(struct load *l, const struct yaml_node *n)
{
	static const char *const words[] = { "weak", "strong", "neutral", "accepted", "through" };
	int i = one_of(l, n, "strength", words, N_ELEMENTS(words));

	if (i >= 0)
		l->rule->strength = (enum rule_strength) i;
}

static void read_literal(struct load *l, const struct yaml_node *n)
{
	l->literal = keep_words(l, n, "literal", 128);
}

static void read_also(struct load *l, const struct yaml_node *n)
{
	l->rule->also = keep_words(l, n, "also", 64);
}

static void read_after(struct load *l, const struct yaml_node *n)
{
	l->after = keep_words(l, n, "after", 64);
	for (size_t i = 0; i < l->after.n; i++)
		if (strlen(l->after.word[i]) < 3)
			wrong(l, n, "`%s` is too short to be looked for; at least 3 characters", l->after.word[i]);
}

static void read_names(struct load *l, const struct yaml_node *n)
{
	l->rule->names = keep_words(l, n, "names", strncmp(l->rule->id, "exec.", 5) == 0 ? PV_NAME_LEN - 1 : 63);
	for (size_t i = 0; i < l->rule->names.n; i++) {
		const char *word = l->rule->names.word[i], *star = strchr(word, '*');

		if (strchr(word, '/') || (star && (star == word || star[1])))
			wrong(l, n, "`%s` is no name of a program; a `*` may stand at its end, for a version", word);
	}
}

static void read_match(struct load *l, const struct yaml_node *n)
{
	l->rule->match = keep(l, n, "match", RULE_PATTERN_MAX);
	l->match = n;
}

static void read_gate(struct load *l, const struct yaml_node *n)
{
	l->gate = keep(l, n, "gate", RULE_PATTERN_MAX);
	if (strcmp(l->gate, "literal") != 0)
		return;
	for (size_t i = 0; i < l->literal.n; i++)
		if (strlen(l->literal.word[i]) < 2)
			wrong(l, n, "the literal `%s` would be found everywhere; at least 2 characters, 4 are better",
			      l->literal.word[i]);
}

static void read_run(struct load *l, const struct yaml_node *n)
{
	l->rule->run = keep_words(l, n, "run", 16);
	for (size_t i = 0; i < l->rule->run.n; i++) {
		const char *word = l->rule->run.word[i];

		if (word[strlen(word) - 1] == '?' || run_has(word[strlen(word) - 1]))
			wrong(l, n, "`%s` may stand in a run itself; its last character is no letter, no digit, none of + / _ - ?", word);
	}
}

static void read_doubt(struct load *l, const struct yaml_node *n)
{
	static const char *const words[] = { "drop", "low" };

	l->rule->doubt_low = one_of(l, n, "doubt", words, N_ELEMENTS(words)) == 1;
}

static void read_nocase(struct load *l, const struct yaml_node *n)
{
	l->nocase = yes_no(l, n, "nocase");
}

static void read_password(struct load *l, const struct yaml_node *n)
{
	l->rule->password = yes_no(l, n, "password");
}

static void read_generic(struct load *l, const struct yaml_node *n)
{
	l->rule->generic = yes_no(l, n, "generic");
}

static void read_context(struct load *l, const struct yaml_node *n)
{
	l->rule->context = keep_words(l, n, "context", 64);
}

static void read_unless(struct load *l, const struct yaml_node *n)
{
	l->rule->unless = keep_words(l, n, "unless", 128);
}

static void read_check(struct load *l, const struct yaml_node *n)
{
	const char *names[RULE_CHECK_N];
	int i;

	for (i = 0; i < RULE_CHECK_N; i++)
		names[i] = rule_check_name((enum rule_check) i);
	i = one_of(l, n, "check", names, N_ELEMENTS(names));
	if (i >= 0)
		l->rule->check = (enum rule_check) i;
}

static void read_random(struct load *l, const struct yaml_node *n)
{
	double v = 0;

	if (number(l, n, "random", 0, 16, &v))
		l->rule->random = (uint32_t) (v * 100 + 0.5);
}

static void read_reach(struct load *l, const struct yaml_node *n)
{
	double v = 0;

	if (number(l, n, "reach", 16, RULE_REACH_MAX, &v))
		l->rule->reach = (uint32_t) v;
}

/* json:KEY KEY... */
static void read_json_keys(struct load *l, const struct yaml_node *n)
{
	struct rule_words *w = &l->rule->json_keys;

	l->rule->from = RULE_FROM_JSON;
	w->word = rules_alloc(l->rs, JSON_KEYS_MAX * sizeof(*w->word));
	for (const char *p = n->text + 5; w->word && *p;) {
		size_t len = strcspn(p, " ");

		if (len && w->n == JSON_KEYS_MAX) {
			wrong(l, n, "too many keys; at most %d", JSON_KEYS_MAX);
			return;
		}
		if (len && !(w->word[w->n++] = rules_strn(l->rs, p, len)))
			w->n--;
		p += len + (p[len] == ' ');
	}
}

static void read_from(struct load *l, const struct yaml_node *n)
{
	if (!want_text(l, n, "from", 512))
		return;
	if (strcmp(n->text, "line") == 0)
		l->rule->from = RULE_FROM_LINE;
	else if (strcmp(n->text, "tail") == 0)
		l->rule->from = RULE_FROM_TAIL;
	else if (strcmp(n->text, "part") == 0)
		l->rule->from = RULE_FROM_PART;
	else if (strncmp(n->text, "json:", 5) == 0 && n->text[5])
		read_json_keys(l, n);
	else
		wrong(l, n, "`%s` is no value of from; line, tail, part or json:KEY", n->text);
}

static void read_tells(struct load *l, const struct yaml_node *n)
{
	static const char *const words[] = { "login", "miner", "error", "probe" };
	int i = one_of(l, n, "tells", words, N_ELEMENTS(words));

	if (i >= 0)
		l->rule->tells = (enum rule_tells) i;
}

static void read_join(struct load *l, const struct yaml_node *n)
{
	static const char *const words[] = { "pid", "address" };

	l->rule->join_address = one_of(l, n, "join", words, N_ELEMENTS(words)) == 1;
}

static void read_phase(struct load *l, const struct yaml_node *n)
{
	static const char *const words[RULE_PHASE_N] = { "none", "begin", "check", "refused", "end" };
	int i = one_of(l, n, "phase", words, N_ELEMENTS(words));

	if (i >= 0)
		l->rule->phase = (enum rule_phase) i;
}

static void read_address(struct load *l, const struct yaml_node *n)
{
	l->rule->address = keep(l, n, "address", 32);
}

static void read_user(struct load *l, const struct yaml_node *n)
{
	l->rule->user = keep(l, n, "user", 32);
}

static void read_keys(struct load *l, const struct yaml_node *map, const struct key *keys, size_t n, const char *what);

static void read_program(struct load *l, const struct yaml_node *n)
{
	l->rule->when.program = keep_words(l, n, "program", 128);
}

static void read_unit(struct load *l, const struct yaml_node *n)
{
	l->rule->when.unit = keep_words(l, n, "unit", 128);
}

static void read_image(struct load *l, const struct yaml_node *n)
{
	l->rule->when.image = keep_words(l, n, "image", 128);
}

static void read_transport(struct load *l, const struct yaml_node *n)
{
	l->rule->when.transport = keep_words(l, n, "transport", 32);
}

static void read_uid(struct load *l, const struct yaml_node *n)
{
	double v = 0;

	l->rule->when.has_uid = number(l, n, "uid", 0, UINT32_MAX - 1, &v);
	if (l->rule->when.has_uid)
		l->rule->when.uid = (uint32_t) v;
}

static const struct key when_keys[] = {
	{ "program", read_program, false },
	{ "unit", read_unit, false },
	{ "image", read_image, false },
	{ "transport", read_transport, false },
	{ "uid", read_uid, false },
};

static void read_when(struct load *l, const struct yaml_node *n)
{
	read_keys(l, n, when_keys, N_ELEMENTS(when_keys), "when");
}

static void read_examples(struct load *l, const struct yaml_node *n)
{
	l->examples = n;
}

static const struct key rule_keys[] = {
	{ "id", read_id, true },
	{ "title", read_title, false },
	{ "opens", read_opens, false },
	{ "severity", read_severity, true },
	{ "strength", read_strength, false },
	{ "literal", read_literal, false },
	{ "also", read_also, false },
	{ "after", read_after, false },
	{ "match", read_match, false },
	{ "gate", read_gate, false },		{ "run", read_run, false },
	{ "names", read_names, false },
	{ "nocase", read_nocase, false },
	{ "prefix", read_prefix, false },
	{ "password", read_password, false },
	{ "generic", read_generic, false },
	{ "context", read_context, false },
	{ "unless", read_unless, false },
	{ "check", read_check, false },
	{ "doubt", read_doubt, false },
	{ "random", read_random, false },
	{ "reach", read_reach, false },
	{ "from", read_from, false },
	{ "tells", read_tells, false },
	{ "phase", read_phase, false },
	{ "join", read_join, false },
	{ "address", read_address, false },
	{ "user", read_user, false },
	{ "when", read_when, false },
	{ "remedy", read_remedy, false },
	{ "examples", read_examples, true },
};

/* --- examples --- */

/* Takes out what keeps scanners from finding the example: `+` goes, `++` becomes `+`. */
static void unsplit(const char *s, struct pv_buf *out)
{
	for (; *s; s++) {
		if (*s == '+' && s[1] != '+')
			continue;
		s += *s == '+';
		pv_buf_putc(out, *s);
	}
}

static struct rule_example *push_example(struct rules *rs)
{
	if (rs->n_examples == rs->examples_room) {
		size_t room = rs->examples_room ? rs->examples_room * 2 : 256;
		void *more = realloc(rs->examples, room * sizeof(*rs->examples));

		if (!more)
			return NULL;
		rs->examples = more;
		rs->examples_room = room;
	}
	return memset(&rs->examples[rs->n_examples++], 0, sizeof(struct rule_example));
}

static void add_example(struct load *l, const struct yaml_node *n, bool want, const char *text, const char *span)
{
	struct rule_example *e = push_example(l->rs);
	size_t a = strlen(text) + 1, b = strlen(span) + 1;

	if (!e)
		return;
	e->text = malloc(a + b);
	if (!e->text)
		return;
	memcpy(e->text, text, a);
	memcpy(e->text + a, span, b);
	e->span = e->text + a;
	e->rule = l->rs->n - 1;
	e->want = want;
	(void) snprintf(e->where, sizeof(e->where), "%.60s:%u:%u", l->name, n->line, n->column);
}

/* The text between « and », which are taken out of the text. */
static bool cut_marks(struct pv_buf *text, struct pv_buf *span)
{
	char *from = text->data ? strstr(text->data, "«") : NULL, *to = from ? strstr(from, "»") : NULL;
	const size_t mark = strlen("«");
	size_t n;

	if (!to)
		return false;
	n = (size_t) (to - from) - mark;
	pv_buf_add(span, from + mark, n);
	memmove(from, from + mark, n);
	memmove(from + n, to + mark, strlen(to + mark) + 1);
	text->len -= 2 * mark;
	return true;
}

static const struct yaml_node *child_of(const struct yaml_node *map, const char *key)
{
	for (size_t i = 0; map->kind == YAML_MAP && i + 1 < map->n; i += 2)
		if (strcmp(map->child[i]->text, key) == 0)
			return map->child[i + 1];
	return NULL;
}

static void read_yes(struct load *l, const struct yaml_node *n)
{
	const struct yaml_node *text = n->kind == YAML_MAP ? child_of(n, "text") : n, *span = NULL;
	pv_autobuf t = PV_BUF_INIT;
	pv_autobuf s = PV_BUF_INIT;

	if (n->kind == YAML_MAP)
		span = child_of(n, l->kind == RULE_LOG ? "address" : "span");
	if (!text) {
		wrong(l, n, "an example without text; write {text: ..., span: ...} or mark the span in it with « and »");
		return;
	}
	if (!want_text(l, text, "the example", 65536) || (span && !want_text(l, span, "the span", 65536)))
		return;
	unsplit(text->text, &t);
	if (span)
		unsplit(span->text, &s);
	else if (!cut_marks(&t, &s) && l->kind == RULE_SECRET) {
		wrong(l, n, "the example does not say what is to be found; mark it with « and », or add span: ...");
		return;
	}
	add_example(l, n, true, pv_buf_str(&t), pv_buf_str(&s));
}

static void read_no(struct load *l, const struct yaml_node *n)
{
	pv_autobuf t = PV_BUF_INIT;

	if (!want_text(l, n, "the example", 65536))
		return;
	unsplit(n->text, &t);
	add_example(l, n, false, pv_buf_str(&t), "");
}

static void try_name(struct load *l, const struct yaml_node *n, bool want)
{
	pv_autobuf t = PV_BUF_INIT;

	if (!want_text(l, n, "the example", PV_NAME_LEN * 2))
		return;
	unsplit(n->text, &t);
	if (rule_names(l->rule, pv_buf_str(&t)) != want)
		wrong(l, n, want ? "the rule does not name this example" : "the rule names this example, which is under `no`");
}

/* Names need no engine: they are compared here and now. */
static void try_names(struct load *l, const struct yaml_node *yes, const struct yaml_node *no)
{
	for (size_t i = 0; i < yes->n; i++)
		try_name(l, yes->child[i], true);
	for (size_t i = 0; no && no->kind == YAML_LIST && i < no->n; i++)
		try_name(l, no->child[i], false);
}

static void add_examples(struct load *l)
{
	const struct yaml_node *n = l->examples, *yes, *no;

	if (!n)
		return;
	yes = child_of(n, "yes");
	no = child_of(n, "no");
	if (!yes || yes->kind != YAML_LIST || !yes->n || yes->n > EXAMPLES_MAX) {
		wrong(l, n, "a rule needs an example that it finds; write examples: {yes: [...], no: [...]}");
		return;
	}
	if (l->rule->names.n) {
		try_names(l, yes, no);
		return;
	}
	for (size_t i = 0; i < yes->n; i++)
		read_yes(l, yes->child[i]);
	if (no && (no->kind != YAML_LIST || no->n > EXAMPLES_MAX))
		wrong(l, no, "`no` is not a list of texts");
	for (size_t i = 0; no && no->kind == YAML_LIST && i < no->n; i++)
		read_no(l, no->child[i]);
}

/* --- what the keys make together --- */

static void escape(struct pv_buf *out, const char *word)
{
	for (; *word; word++) {
		if (!isalnum((unsigned char) *word) && *word != '_' && (signed char) *word > 0)
			pv_buf_putc(out, '\\');
		pv_buf_putc(out, *word);
	}
}

static void alternatives(struct pv_buf *out, const struct rule_words *w)
{
	pv_buf_puts(out, "(?:");
	for (size_t i = 0; i < w->n; i++) {
		if (i)
			pv_buf_putc(out, '|');
		escape(out, w->word[i]);
	}
	pv_buf_putc(out, ')');
}

/* The word, the rest of the name, an operator of whatever language or format, the value: JIRA_TOKEN=x, "jira_token": "x",
 * jiraToken := `x`, <jiraToken>x, setProperty("jira.token", "x"), var jiraToken string = "x". */
static void make_assignment(struct load *l)
{
	pv_autobuf re = PV_BUF_INIT;
	const char *s;

	/* At the beginning of a word: etsy_key, myEtsyKey, not SetSysctl. */
	pv_buf_puts(&re, "(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z]))(?i:");
	alternatives(&re, &l->after);
	pv_buf_puts(&re, ")[\\w.\\-]{0,40}?(?:[ \\t][\\w.\\-]{1,20}){0,2}\\\\?[\"'`]?[ \\t\\])]{0,3}"
			 "(?:[?:.|+]{0,3}=>?|:{1,3}|>|,|\\|\\||\\bor\\b)[\\s\"'`\\\\(=]{0,20}(?<secret>");
	pv_buf_puts(&re, l->rule->match);
	pv_buf_puts(&re, ")(?=[\\s\"'`;,<>()\\]}\\\\&#]|$)");
	if (re.len > RULE_PATTERN_MAX) {
		wrong(l, l->match, "match and after are too long together; at most %d bytes", RULE_PATTERN_MAX - 250);
		return;
	}
	s = rules_strn(l->rs, pv_buf_str(&re), re.len);
	l->rule->match = s ? s : "";
	l->gate = "literal";
	l->nocase = true;
	l->literal = l->after;
}

#define NAME_MARKS "-_.0123456789" /* where a version may begin, as in bpf/process.h */

bool rule_names(const struct rule *r, const char *name)
{
	size_t stem = strcspn(name, NAME_MARKS), tail = strlen(name);

	while (tail > 1 && strchr(NAME_MARKS, name[tail - 1]))
		tail--;

	for (size_t i = 0; i < r->names.n; i++) {
		const char *word = r->names.word[i];
		size_t len = strcspn(word, "*");

		if (strncmp(word, name, len) == 0 && (!name[len] || (word[len] && (stem == len || tail == len))))
			return true;
	}
	return false;
}

/* The same as a pattern, for whoever looks through text. */
static void make_names(struct load *l)
{
	pv_autobuf re = PV_BUF_INIT;
	const char *s;

	for (size_t i = 0; i < l->rule->names.n; i++) {
		const char *word = l->rule->names.word[i];
		size_t len = strcspn(word, "*");
		const char *plain = rules_strn(l->rs, word, len);

		pv_buf_puts(&re, i ? "|" : "(?:");
		escape(&re, plain ? plain : "");
		if (word[len])
			pv_buf_puts(&re, "(?:[\\-_.0-9][^/]{0,31})?");
	}
	pv_buf_puts(&re, ")");
	if (re.len > RULE_PATTERN_MAX - 40) {
		wrong(l, l->examples, "names are too long together; at most %d bytes, make two rules", RULE_PATTERN_MAX - 40);
		return;
	}
	s = rules_strn(l->rs, pv_buf_str(&re), re.len);
	l->rule->match = s ? s : "";
}

static void make_gate(struct load *l)
{
	pv_autobuf re = PV_BUF_INIT;
	const char *s;

	if (l->rule->run.n)
		return; /* read by match_scan() itself */
	if (strcmp(l->gate, "literal") != 0) {
		l->rule->gate = strcmp(l->gate, "match") == 0 ? l->rule->match : l->gate;
		return;
	}
	alternatives(&re, &l->literal);
	s = rules_strn(l->rs, pv_buf_str(&re), re.len);
	l->rule->gate = s ? s : "";
	l->rule->caseless = l->nocase;
}

/* What the patterns of log rules say shortly. */
static void expand_match(struct load *l)
{
	static const struct {
		const char *name, *text;
	} short_forms[] = {
		{ "<host>", "(?<address>[0-9A-Za-z.:_\\-]{1,255}(?<![^:]:)(?:%[0-9A-Za-z._\\-]{1,32})?)" },
		{ "<time>", "(?<time>[0-9A-Za-z:/.,+ \\-]{8,40})" },
	};
	pv_autobuf out = PV_BUF_INIT;
	const char *p = l->rule->match, *s;
	bool any = false;

	while (*p) {
		size_t i;

		for (i = 0; i < N_ELEMENTS(short_forms); i++)
			if (strncmp(p, short_forms[i].name, strlen(short_forms[i].name)) == 0 &&
			    (p < l->rule->match + 2 || p[-1] != '?' || p[-2] != '(')) /* (?<host>...) is a group like any other */
				break;
		if (i < N_ELEMENTS(short_forms)) {
			any = true;
			if (i == 0 && !*l->rule->address)
				l->rule->address = "address";
			pv_buf_puts(&out, short_forms[i].text);
			p += strlen(short_forms[i].name);
		} else {
			pv_buf_putc(&out, *p++);
		}
	}
	s = any ? rules_strn(l->rs, pv_buf_str(&out), out.len) : NULL;
	if (s)
		l->rule->match = s;
}

static void finish_log_rule(struct load *l)
{
	struct rule *r = l->rule;

	expand_match(l);
	if (!*r->user && strstr(r->match, "(?<user>"))
		r->user = "user";
	if (!*r->address && strstr(r->match, "(?<address>"))
		r->address = "address";
	l->gate = "literal"; /* what the pattern is tried on is not what stands in the text */
}

static void finish_rule(struct load *l, const struct yaml_node *n)
{
	struct rule *r = l->rule;
	char where[128];
	const char *s;

	if (l->kind == RULE_LOG)
		finish_log_rule(l);
	if (!l->match && !r->names.n)
		wrong(l, n, "a rule needs `match`%s", l->kind == RULE_IOC ? ", or `names`" : "");
	if (r->names.n && (l->kind != RULE_IOC || l->match || l->literal.n || l->after.n))
		wrong(l, n, "`names` stands alone, in rules of kind ioc: no match, no literal");
	else if (r->names.n)
		make_names(l);
	else if ((l->literal.n != 0) == (l->after.n != 0))
		wrong(l, n, "a rule has either `literal` (every match contains one of them) or `after` (words of an assignment)");
	else if (l->after.n)
		make_assignment(l);
	make_gate(l);
	if (l->kind == RULE_SECRET && !*r->remedy)
		wrong(l, n, "a rule for a secret says how it is revoked: add `remedy`");
	if (!r->reach)
		r->reach = RULE_REACH_NEAR;
	if (r->run.n && r->reach > RULE_REACH_NEAR)
		wrong(l, n, "a rule with `run` reaches at most %d bytes", RULE_REACH_NEAR);
	if (l->match) {
		(void) snprintf(where, sizeof(where), "%.90s:%u:%u", l->name, l->match->line, l->match->column);
		s = rules_strn(l->rs, where, strlen(where));
		r->origin = s ? s : "";
	}
	r->literal = l->literal;
	r->lead = r->reach;
	if (l->after.n) /* begins with the word */
		for (size_t i = r->lead = 0; i < l->after.n; i++)
			r->lead = PV_MAX(r->lead, (uint32_t) strlen(l->after.word[i]));
	add_examples(l);
}

static void read_rule(struct load *l, const struct yaml_node *n)
{
	if (n->kind != YAML_MAP) {
		wrong(l, n, "a rule is a map; write - id: ...");
		return;
	}
	if (l->rs->n == RULE_MAX) {
		wrong(l, n, "too many rules; at most %d", RULE_MAX);
		return;
	}
	l->rule = rules_push(l->rs);
	if (!l->rule)
		return;
	l->literal = l->after = (struct rule_words) { 0 };
	l->gate = "match";
	l->nocase = false;
	l->match = l->examples = NULL;
	l->rule->kind = l->kind;
	l->rule->family = l->family;
	l->rule->verified = l->verified;
	l->rule->ban = l->ban;
	l->rule->reference = l->reference;
	read_keys(l, n, rule_keys, N_ELEMENTS(rule_keys), "rule");
	finish_rule(l, n);
}

/* --- keys of the file --- */

static void read_schema(struct load *l, const struct yaml_node *n)
{
	if (want_text(l, n, "schema", 8) && strcmp(n->text, "1") != 0)
		wrong(l, n, "schema %s is not known; this pavise reads schema 1", n->text);
}

static void read_kind(struct load *l, const struct yaml_node *n)
{
	static const char *const words[] = { "log", "secret", "ioc" };
	int i = one_of(l, n, "kind", words, N_ELEMENTS(words));

	if (i >= 0)
		l->kind = (enum rule_kind) i;
}

static void read_name(struct load *l, const struct yaml_node *n)
{
	l->family = keep(l, n, "name", 64);
}

static void read_reference(struct load *l, const struct yaml_node *n)
{
	l->reference = keep_words(l, n, "reference", 400);
	for (size_t i = 0; i < l->reference.n; i++)
		if (strncmp(l->reference.word[i], "https://", 8) != 0)
			wrong(l, n->kind == YAML_LIST ? n->child[i] : n,
			      "`%s` is no reference; an address that begins with https://", l->reference.word[i]);
}

static void read_verified(struct load *l, const struct yaml_node *n)
{
	static const char *const words[] = { "documentation", "real" };

	l->verified = one_of(l, n, "verified", words, N_ELEMENTS(words)) == 1;
}

static void read_ban(struct load *l, const struct yaml_node *n)
{
	l->ban = yes_no(l, n, "ban");
}

static void read_version(struct load *l, const struct yaml_node *n)
{
	double v;

	if (number(l, n, "version", 1, 1e15, &v))
		l->rs->version = (uint64_t) v;
}

static void read_rules(struct load *l, const struct yaml_node *n)
{
	if (n->kind != YAML_LIST || !n->n)
		wrong(l, n, "rules is not a list; write each rule as - id: ...");
	else
		for (size_t i = 0; i < n->n; i++)
			read_rule(l, n->child[i]);
}

/* In this order, whatever the order of the file: rules take what stands above. */
static const struct key file_keys[] = {
	{ "schema", read_schema, true },       { "kind", read_kind, true },	    { "name", read_name, true },
	{ "reference", read_reference, true }, { "verified", read_verified, true },
	{ "version", read_version, false },    { "ban", read_ban, false },	    { "rules", read_rules, true },
};

static void unknown_key(struct load *l, const struct yaml_node *n, const struct key *keys, size_t count, const char *what)
{
	struct suggest near = { .word = n->text };

	for (size_t i = 0; i < count; i++)
		if (strcmp(n->text, keys[i].name) == 0)
			return;
	for (size_t i = 0; i < count; i++)
		suggest_try(&near, keys[i].name);
	wrong(l, n, "`%.60s` is no key of a %s%s%s", n->text, what, near.best ? "; did you mean " : "",
	      near.best ? near.best : "");
}

static void read_keys(struct load *l, const struct yaml_node *map, const struct key *keys, size_t n, const char *what)
{
	if (map->kind != YAML_MAP) {
		wrong(l, map, "a %s is a map of keys and values", what);
		return;
	}
	for (size_t i = 0; i + 1 < map->n; i += 2)
		unknown_key(l, map->child[i], keys, n, what);
	for (size_t i = 0; i < n; i++) {
		const struct yaml_node *value = child_of(map, keys[i].name);

		if (value)
			keys[i].read(l, value);
		else if (keys[i].needed)
			wrong(l, map, "a %s needs `%s`", what, keys[i].name);
	}
}

int rules_add_file(struct rules *rs, const char *name, const char *text, size_t len, struct pv_buf *err)
{
	struct load l = { .rs = rs, .name = name, .err = err, .family = "" };
	const struct yaml_node *root = NULL;
	pv_auto(yaml_doc) doc = NULL;
	pv_autobuf why = PV_BUF_INIT;
	unsigned line, column;
	int r = yaml_doc_parse(text, len, &doc, &root, &line, &column, &why);

	if (r == -EINVAL)
		pv_buf_printf(err, "%s:%u:%u: %s\n", name, line, column, pv_buf_str(&why));
	if (r < 0)
		return r;
	if (!root) {
		pv_buf_printf(err, "%s:1:1: the file is empty; it begins with schema: 1\n", name);
		return -EINVAL;
	}
	read_keys(&l, root, file_keys, N_ELEMENTS(file_keys), "rule file");
	if (l.errors > ERRORS_MAX)
		pv_buf_printf(err, "%s: %u more errors\n", name, l.errors - ERRORS_MAX);
	return l.errors ? -EINVAL : 0;
}
