#include "scan/secrets.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "scan/allow.h"

#define ALLOWS_MAX 1000 /* comments of one text */

/* In this order: what is known to others stays known, whatever is rewritten. */
static const char first_of_all[] = "revoke it where it was issued, and issue another";
static const char in_code[] = "read the new one from .env (mode 600, ignored by git) or a secret store; then remove this one "
			      "from the file";
static const char in_history[] = "every clone has it: only then rewrite the history (git filter-repo --replace-text FILE), "
				 "push with force, and let everybody clone again";

void secrets_done(struct secrets *s)
{
	pv_map_done(&s->used);
}

static uint64_t short_fingerprint(struct finding *f, const char *rule, uintptr_t n)
{
	char key[24] = "";
	uint64_t hash;

	if (n > 1)
		(void) snprintf(key, sizeof(key), "%" PRIuPTR, n);
	finding_fingerprint(f, rule, key);
	memcpy(&hash, f->fingerprint, sizeof(hash));
	return hash;
}

/* Two secrets of one rule in one file need two fingerprints, and neither line nor value may be part of one: they are
 * counted. With each fingerprint stands how many were given out from it on: a file may have thousands. */
static int fingerprint(struct secrets *s, struct finding *f, const char *rule)
{
	uint64_t first, hash;
	uintptr_t n;
	int r;

	if (!f)
		return -ENOMEM;
	first = hash = short_fingerprint(f, rule, 1);
	n = (uintptr_t) pv_map_get(&s->used, first);
	while (pv_map_get(&s->used, hash))
		hash = short_fingerprint(f, rule, ++n);
	r = pv_map_put(&s->used, hash, (void *) (uintptr_t) 1);
	return r == 0 && hash != first ? pv_map_put(&s->used, first, (void *) n) : r;
}

static void describe(struct finding *f, const struct look_secret *x, const char *path, uint64_t line)
{
	finding_evidence(f, "secret", path, line, "%s", x->masked);
	finding_evidence(f, "rule", NULL, 0, "%s", look_rule_id(x));
	if (x->variable)
		finding_evidence(f, "value of", NULL, 0, "%s", x->variable);
	if (*x->encoding)
		finding_evidence(f, "encoded as", NULL, 0, "%s", x->encoding);
	if (x->checked != MATCH_UNCHECKED)
		finding_evidence(f, "check sum", NULL, 0, x->checked == MATCH_CHECK_GOOD ? "fits" : "does not fit: mistyped, or made up");
	if (x->rule && *x->rule->opens)
		finding_evidence(f, "opens", NULL, 0, "%s", x->rule->opens);
	for (size_t i = 0; x->rule && i < x->rule->reference.n; i++)
		finding_reference(f, x->rule->reference.word[i]);
}

static void title(struct finding *f, const struct look_secret *x, const char *where)
{
	if (!x->rule)
		finding_titled(f, "the value of %s stands in %s", x->variable ? x->variable : "an own variable", where);
	else
		finding_titled(f, "%s in %s", *x->rule->title ? x->rule->title : x->rule->id, where);
}

static void remedy(struct finding *f, const struct look_secret *x, const char *then)
{
	const char *first = x->rule && *x->rule->remedy ? x->rule->remedy : first_of_all;
	pv_autobuf text = PV_BUF_INIT;
	size_t len = strlen(first);

	while (len && strchr(". \n", first[len - 1]))
		len--;
	pv_buf_printf(&text, "1. %.*s; 2. %s", (int) len, first, then);
	finding_remedy(f, pv_buf_str(&text), NULL);
}

static int add(struct secrets *s, struct finding *f, const struct look_secret *x)
{
	const char *rule = look_rule_id(x);
	int r;

	if (!f)
		return -ENOMEM;
	f->severity = x->severity;
	(void) ignore_covers(s->ignore, f, rule);
	r = fingerprint(s, f, rule);
	if (r < 0) {
		(void) finding_free(f);
		return r;
	}
	return finding_list_add(s->list, f);
}

/* --- files --- */

struct allows {
	struct allow item[ALLOWS_MAX];
	bool used[ALLOWS_MAX];
	size_t n;
};

static void read_allows(struct allows *a, const struct tree_text *f, uint64_t now_us)
{
	size_t at = 0;

	while (a->n < ALLOWS_MAX && allow_next(f->text, f->len, &at, now_us, &a->item[a->n]))
		a->n++;
}

static bool allow_fits(const struct allow *a, const struct look_secret *x)
{
	return strcmp(a->rule, look_rule_id(x)) == 0 || strcmp(a->rule, id_info(ID_SECRET_IN_CODE)->name) == 0;
}

/* Whether a comment spares the hit; one that would, but does not count, is named in *ret_wrong. */
static bool allowed(struct allows *a, const struct tree_text *f, const struct look_hit *hit, const struct look_secret *x,
		    const char **ret_wrong)
{
	for (size_t i = 0; i < a->n; i++) {
		if (!allow_fits(&a->item[i], x) || !allow_reaches(f->text, f->len, &a->item[i], hit->start))
			continue;
		a->used[i] = true;
		if (!*a->item[i].wrong)
			return true;
		*ret_wrong = a->item[i].wrong;
	}
	return false;
}

static uint64_t line_of(const struct tree_text *f, size_t at)
{
	uint64_t line = f->first_line + 1;

	for (const char *p = f->text, *nl; (nl = memchr(p, '\n', (size_t) (f->text + at - p))); p = nl + 1)
		line++;
	return line;
}

/* A comment that spared nothing is told only where its rule is one of ours: elsewhere it is text about pavise. */
static int tell_unused(struct secrets *s, const struct allows *a, const struct tree_text *f, const struct rules *rules)
{
	int r = 0;

	for (size_t i = 0; i < a->n && r == 0; i++) {
		struct finding *x;

		if (a->used[i] || (!rules_find(rules, a->item[i].rule) && strcmp(a->item[i].rule, "own-value") != 0))
			continue;
		x = finding_new(*a->item[i].wrong ? ID_IGNORE_INVALID : ID_IGNORE_UNUSED, FINDING_FAIL);
		finding_subject(x, SUBJECT_FILE, f->path, f->path, line_of(f, a->item[i].start));
		finding_evidence(x, "comment", NULL, 0, "%s %s", ALLOW_WORD, a->item[i].rule);
		if (*a->item[i].wrong)
			finding_evidence(x, "because", NULL, 0, "%s", a->item[i].wrong);
		r = fingerprint(s, x, a->item[i].rule);
		if (r == 0)
			r = finding_list_add(s->list, x);
		else
			(void) finding_free(x);
	}
	return r;
}

static struct finding *code_finding(const struct secrets *s, const struct tree_text *f, const struct look_hit *hit,
				    const struct look_secret *x, const char *wrong)
{
	struct finding *n = finding_new(ID_SECRET_IN_CODE, FINDING_FAIL);
	uint64_t line = f->first_line + hit->line;

	if (s->subject)
		finding_subject(n, s->kind, s->subject, f->path, line);
	else
		finding_subject(n, SUBJECT_FILE, f->path, f->path, line);
	title(n, x, !s->subject ? "the code" : s->kind == SUBJECT_CONTAINER ? "the container" : s->subject);
	describe(n, x, f->path, line);
	if (wrong)
		finding_evidence(n, "its exception does not count", NULL, 0, "%s", wrong);
	remedy(n, x, in_code);
	return n;
}

int secrets_in_text(const struct tree_text *f, void *user)
{
	struct secrets *s = user;
	pv_autofree struct allows *a = calloc(1, sizeof(*a));
	int r = 0;

	if (!a)
		return -ENOMEM;
	read_allows(a, f, s->now_us);
	for (size_t i = 0; i < f->hits->n && r == 0; i++) {
		const struct look_hit *hit = &f->hits->hit[i];
		const struct look_secret *x = look_secret(s->look, hit->secret);
		const char *wrong = NULL;

		if (allowed(a, f, hit, x, &wrong))
			s->spared++;
		else
			r = add(s, code_finding(s, f, hit, x, wrong), x);
	}
	return r == 0 ? tell_unused(s, a, f, look_rules(s->look)) : r;
}

/* --- the history --- */

static void hex(char out[2 * GIT_ID_MAX + 1], const uint8_t *id, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		(void) snprintf(out + 2 * i, 3, "%02x", id[i]);
}

static void date(char out[32], int64_t seconds)
{
	time_t t = (time_t) seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void) snprintf(out, 32, "%" PRId64, seconds);
}

static void where_from(struct finding *n, const struct history_found *f, const char *commit)
{
	char when[32];

	if (!f->commit) {
		finding_evidence(n, "first commit", NULL, 0, "none: a blob that no commit has");
		return;
	}
	date(when, f->author_time);
	finding_evidence(n, "first commit", NULL, 0, "%.12s", commit);
	finding_evidence(n, "author date", NULL, 0, "%s", when);
	finding_evidence(n, "still in the tree", NULL, 0, f->in_head ? "yes" : f->elsewhere ? "under another path" : "no");
	if (f->versions > 1)
		finding_evidence(n, "versions of the file", NULL, 0, "%u", f->versions);
	if (!f->reachable)
		finding_evidence(n, "reachable", NULL, 0, "no branch or tag leads to that commit; who has the repository has it");
}

int secrets_in_history(const struct history_found *f, void *user)
{
	struct secrets *s = user;
	const struct look_secret *x = look_secret(s->look, f->secret);
	char commit[2 * GIT_ID_MAX + 1] = "", blob[2 * GIT_ID_MAX + 1];
	pv_autobuf path = PV_BUF_INIT;
	struct finding *n;

	if (f->before_since)
		return 0;
	hex(blob, f->blob, s->id_len);
	pv_buf_printf(&path, "%s%s%s", f->path ? f->path : blob, f->member ? "!" : "", f->member ? f->member : "");
	n = finding_new(ID_SECRET_IN_HISTORY, FINDING_FAIL);
	finding_subject(n, f->path ? SUBJECT_FILE : SUBJECT_REPOSITORY, pv_buf_str(&path), f->path ? pv_buf_str(&path) : NULL, f->line);
	if (f->commit) {
		hex(commit, f->commit, s->id_len);
		finding_commit(n, commit);
	}
	title(n, x, "git history");
	describe(n, x, f->path ? pv_buf_str(&path) : NULL, f->line);
	where_from(n, f, commit);
	remedy(n, x, in_history);
	return add(s, n, x);
}

/* --- notes --- */

static void say(struct pv_buf *said, const struct scan_note *n)
{
	if (*n->place) {
		pv_buf_safe(said, n->place, 0);
		pv_buf_puts(said, ": ");
	}
	pv_buf_safe(said, n->text, 0);
	if (n->count > 1)
		pv_buf_printf(said, " (%" PRIu64 " times)", n->count);
	pv_buf_putc(said, '\n');
}

int secrets_notes(struct secrets *s, const struct scan_notes *n, enum id id, struct pv_buf *said)
{
	int r = 0;

	for (size_t i = 0; i < n->n && r == 0; i++) {
		const struct scan_note *x = &n->note[i];
		struct finding *f;

		if (x->reason == REASON_NONE) {
			say(said, x);
			continue;
		}
		f = finding_new(id, FINDING_UNKNOWN);
		finding_unknown(f, x->reason);
		if (f)
			f->severity = SEV_CRITICAL; /* whatever may stand there: --fail-on spares what is known to be less */
		if (*x->place && !s->subject)
			finding_subject(f, SUBJECT_FILE, x->place, x->place, 0);
		else
			finding_subject(f, s->subject ? s->kind : SUBJECT_REPOSITORY, s->subject ? s->subject : "this repository",
					*x->place ? x->place : NULL, 0);
		finding_titled(f, id == ID_SECRET_IN_HISTORY ? "part of the history could not be checked for secrets" :
							       "a part could not be checked for secrets");
		finding_evidence(f, "because", NULL, 0, "%s", x->text);
		if (x->count > 1)
			finding_evidence(f, "times", NULL, 0, "%" PRIu64, x->count);
		finding_fingerprint(f, NULL, x->text);
		r = finding_list_add(s->list, f);
	}
	if (n->dropped)
		pv_buf_printf(said, "%" PRIu64 " more remarks are not told\n", n->dropped);
	return r;
}
