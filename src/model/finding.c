#include "model/finding.h"

#include <inttypes.h>
#include <sodium/crypto_generichash.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static const char *const verdict_names[FINDING_VERDICT_N] = {
	[FINDING_FAIL] = "fail",
	[FINDING_UNKNOWN] = "unknown",
	[FINDING_PASS] = "pass",
	[FINDING_NOT_APPLICABLE] = "not-applicable",
};

static const char *const reason_names[REASON_N] = {
	[REASON_NONE] = "",
	[REASON_PERMISSION] = "permission",
	[REASON_ABSENT] = "absent",
	[REASON_TIMEOUT] = "timeout",
	[REASON_TOO_LARGE] = "too-large",
	[REASON_MALFORMED] = "malformed",
	[REASON_UNSUPPORTED] = "unsupported",
	[REASON_STALE] = "stale",
	[REASON_BY_NATURE] = "by-nature",
};

const char *finding_verdict_name(enum finding_verdict v)
{
	return (unsigned) v < FINDING_VERDICT_N ? verdict_names[v] : "unknown";
}

const char *finding_reason_name(enum finding_reason r)
{
	return (unsigned) r < REASON_N ? reason_names[r] : "";
}

const char *finding_title(const struct finding *f)
{
	const struct id_info *id = id_info(f->id);

	return f->title ? f->title : id ? id->title : "";
}

struct finding *finding_new(enum id id, enum finding_verdict verdict)
{
	struct finding *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->id = id;
	f->verdict = verdict;
	f->severity = id_info(id) ? id_info(id)->severity : SEV_HIGH;
	return f;
}

struct finding *finding_free(struct finding *f)
{
	if (!f)
		return NULL;
	for (size_t i = 0; i < f->n_evidence; i++) {
		free(f->evidence[i].what);
		free(f->evidence[i].value);
		free(f->evidence[i].path);
	}
	for (size_t i = 0; i < f->n_references; i++)
		free(f->references[i]);
	free(f->evidence);
	free(f->references);
	free(f->subject.name);
	free(f->subject.path);
	free(f->subject.commit);
	free(f->title);
	free(f->remedy);
	free(f->command);
	free(f->accepted.reason);
	free(f->accepted.owner);
	free(f->accepted.until);
	free(f);
	return NULL;
}

/* Replaces *to by a copy of `s`, cut at the cap between two characters of UTF-8. Returns true when it was cut. */
static bool copy(struct finding *f, char **to, const char *s)
{
	size_t len = s ? strlen(s) : 0;
	bool cut = len > FINDING_TEXT;

	free(*to);
	*to = NULL;
	if (!s)
		return false;
	if (cut)
		for (len = FINDING_TEXT; len > FINDING_TEXT - 4 && ((unsigned char) s[len] & 0xc0) == 0x80;)
			len--;
	*to = strndup(s, len);
	if (!*to)
		f->poor = true;
	return cut;
}

static bool format(struct finding *f, char **to, const char *fmt, va_list ap) PV_PRINTF(3, 0);
static bool format(struct finding *f, char **to, const char *fmt, va_list ap)
{
	char *text;
	bool cut = false;

	if (vasprintf(&text, fmt, ap) < 0) {
		f->poor = true;
		return false;
	}
	cut = copy(f, to, text);
	free(text);
	return cut;
}

void finding_subject(struct finding *f, enum subject_kind kind, const char *name, const char *path, uint64_t line)
{
	if (!f)
		return;
	f->subject.kind = kind;
	f->subject.line = line;
	(void) copy(f, &f->subject.name, name);
	(void) copy(f, &f->subject.path, path);
}

void finding_commit(struct finding *f, const char *hex)
{
	if (f)
		(void) copy(f, &f->subject.commit, hex);
}

void finding_titled(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	if (!f)
		return;
	va_start(ap, fmt);
	(void) format(f, &f->title, fmt, ap);
	va_end(ap);
}

void finding_unknown(struct finding *f, enum finding_reason reason)
{
	if (!f)
		return;
	f->verdict = FINDING_UNKNOWN;
	f->reason = reason;
}

void finding_evidence(struct finding *f, const char *what, const char *path, uint64_t line, const char *fmt, ...)
{
	struct finding_evidence *e;
	va_list ap;

	if (!f)
		return;
	e = reallocarray(f->evidence, f->n_evidence + 1, sizeof(*e));
	if (!e) {
		f->poor = true;
		return;
	}
	f->evidence = e;
	e += f->n_evidence++;
	*e = (struct finding_evidence){ .line = line };
	(void) copy(f, &e->what, what);
	(void) copy(f, &e->path, path);
	va_start(ap, fmt);
	e->cut = format(f, &e->value, fmt, ap);
	va_end(ap);
}

void finding_remedy(struct finding *f, const char *text, const char *command)
{
	if (!f)
		return;
	(void) copy(f, &f->remedy, text);
	if (copy(f, &f->command, command)) {
		free(f->command);
		f->command = NULL;
	}
}

void finding_accept(struct finding *f, const char *reason, const char *owner, const char *until)
{
	if (!f)
		return;
	(void) copy(f, &f->accepted.reason, reason);
	(void) copy(f, &f->accepted.owner, owner);
	(void) copy(f, &f->accepted.until, until);
}

void finding_reference(struct finding *f, const char *url)
{
	char **refs;

	if (!f)
		return;
	refs = reallocarray(f->references, f->n_references + 1, sizeof(*refs));
	if (!refs) {
		f->poor = true;
		return;
	}
	f->references = refs;
	refs[f->n_references] = NULL;
	(void) copy(f, &refs[f->n_references++], url);
}

void finding_fingerprint(struct finding *f, const char *rule, const char *key)
{
	const char *parts[6];
	crypto_generichash_state st;
	unsigned char sum[16];

	if (!f)
		return;
	parts[0] = id_info(f->id) ? id_info(f->id)->name : "";
	parts[1] = subject_kind_name(f->subject.kind);
	parts[2] = f->subject.name ? f->subject.name : "";
	parts[3] = f->subject.path ? f->subject.path : "";
	parts[4] = rule ? rule : "";
	parts[5] = key ? key : "";
	(void) crypto_generichash_init(&st, NULL, 0, sizeof(sum));
	for (size_t i = 0; i < N_ELEMENTS(parts); i++) /* joined by NUL: the last has none */
		(void) crypto_generichash_update(&st, (const unsigned char *) parts[i],
						 strlen(parts[i]) + (i + 1 < N_ELEMENTS(parts)));
	(void) crypto_generichash_final(&st, sum, sizeof(sum));
	for (size_t i = 0; i < sizeof(sum); i++)
		(void) snprintf(f->fingerprint + 2 * i, 3, "%02x", sum[i]);
}

/* --- JSON --- */

static void field(struct pv_buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	pv_buf_printf(out, ",\"%s\":", name);
	pv_buf_json_str(out, value);
}

static void json_subject(struct pv_buf *out, const struct finding_about *s)
{
	pv_buf_printf(out, ",\"subject\":{\"kind\":\"%s\"", subject_kind_name(s->kind));
	field(out, "name", s->name ? s->name : "");
	field(out, "path", s->path);
	if (s->line)
		pv_buf_printf(out, ",\"line\":%" PRIu64, s->line);
	field(out, "commit", s->commit);
	if (s->instances > 1)
		pv_buf_printf(out, ",\"instances\":%" PRIu64, s->instances);
	pv_buf_putc(out, '}');
}

static void json_evidence(struct pv_buf *out, const struct finding_evidence *e)
{
	pv_buf_puts(out, "{\"what\":");
	pv_buf_json_str(out, e->what ? e->what : "");
	field(out, "value", e->value ? e->value : "");
	if (e->cut)
		pv_buf_puts(out, ",\"cut\":true");
	if (e->path) {
		pv_buf_puts(out, ",\"where\":{\"path\":");
		pv_buf_json_str(out, e->path);
		if (e->line)
			pv_buf_printf(out, ",\"line\":%" PRIu64, e->line);
		pv_buf_putc(out, '}');
	}
	pv_buf_putc(out, '}');
}

static void json_lists(struct pv_buf *out, const struct finding *f)
{
	pv_buf_puts(out, ",\"evidence\":[");
	for (size_t i = 0; i < f->n_evidence; i++) {
		if (i)
			pv_buf_putc(out, ',');
		json_evidence(out, &f->evidence[i]);
	}
	pv_buf_puts(out, "]");
	if (f->remedy || f->command) {
		pv_buf_puts(out, ",\"remedy\":{\"text\":");
		pv_buf_json_str(out, f->remedy ? f->remedy : "");
		field(out, "command", f->command);
		pv_buf_putc(out, '}');
	}
	pv_buf_puts(out, ",\"references\":[");
	for (size_t i = 0; i < f->n_references; i++) {
		if (i)
			pv_buf_putc(out, ',');
		pv_buf_json_str(out, f->references[i] ? f->references[i] : "");
	}
	pv_buf_putc(out, ']');
}

void finding_json(struct pv_buf *out, const struct finding *f)
{
	pv_buf_printf(out, "{\"id\":\"%s\",\"severity\":\"%s\",\"verdict\":\"%s\"", id_info(f->id)->name,
		      severity_name(f->severity), finding_verdict_name(f->verdict));
	if (f->verdict == FINDING_UNKNOWN)
		field(out, "reason", finding_reason_name(f->reason));
	json_subject(out, &f->subject);
	field(out, "title", finding_title(f));
	json_lists(out, f);
	if (*f->fingerprint)
		field(out, "fingerprint", f->fingerprint);
	if (f->first_seen_us) {
		pv_buf_puts(out, ",\"first_seen\":\"");
		clock_rfc3339(out, f->first_seen_us);
		pv_buf_putc(out, '"');
	}
	if (f->old)
		pv_buf_puts(out, ",\"baseline\":true");
	if (f->accepted.reason) {
		pv_buf_puts(out, ",\"accepted\":{\"reason\":");
		pv_buf_json_str(out, f->accepted.reason);
		field(out, "owner", f->accepted.owner);
		field(out, "expires", f->accepted.until);
		pv_buf_putc(out, '}');
	}
	pv_buf_putc(out, '}');
}

/* --- many --- */

void finding_list_done(struct finding_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		(void) finding_free(l->item[i]);
	free(l->item);
	*l = (struct finding_list){ .n = 0 };
}

int finding_list_add(struct finding_list *l, struct finding *f)
{
	if (!f || f->poor) {
		(void) finding_free(f);
		return -ENOMEM;
	}
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		struct finding **item = reallocarray(l->item, room, sizeof(struct finding *));

		if (!item) {
			(void) finding_free(f);
			return -ENOMEM;
		}
		l->item = item;
		l->room = room;
	}
	l->item[l->n++] = f;
	return 0;
}

static int text_order(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int order(const void *pa, const void *pb)
{
	const struct finding *a = *(const struct finding *const *) pa, *b = *(const struct finding *const *) pb;
	int r = (int) a->verdict - (int) b->verdict;

	if (r == 0)
		r = (int) b->severity - (int) a->severity;
	if (r == 0)
		r = (int) a->id - (int) b->id;
	if (r == 0)
		r = text_order(a->subject.name, b->subject.name);
	if (r == 0)
		r = text_order(a->subject.path, b->subject.path);
	if (r == 0)
		r = (a->subject.line > b->subject.line) - (a->subject.line < b->subject.line);
	return r ? r : strcmp(a->fingerprint, b->fingerprint);
}

void finding_list_sort(struct finding_list *l)
{
	if (l->n > 1)
		qsort(l->item, l->n, sizeof(struct finding *), order); /* glibc: a merge sort, stable */
}

static bool unchecked(const struct finding *f)
{
	return f->verdict == FINDING_UNKNOWN && f->reason != REASON_BY_NATURE;
}

uint64_t finding_list_unchecked(const struct finding_list *l)
{
	uint64_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += unchecked(l->item[i]);
	return n;
}

int finding_list_status(const struct finding_list *l, enum severity fail_on)
{
	int status = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct finding *f = l->item[i];

		if (f->severity < fail_on)
			continue;
		if (finding_fails(f) && !f->old)
			return 1;
		if (unchecked(f))
			status = 3;
	}
	return status;
}
