/* SARIF 2.1.0 (OASIS). A failing finding is a result of kind fail; an unknown one is kind open, so that "could not be
 * checked" is never read as "nothing there". */
#include <inttypes.h>
#include <string.h>

#include "report/findings.h"

#define FINGERPRINT "pavise/v1"

static void pair(struct pv_buf *b, const char *key, const char *value)
{
	pv_buf_printf(b, "\"%s\":", key);
	pv_buf_json_str(b, value);
}

static const char *level(const struct finding *f)
{
	if (f->verdict != FINDING_FAIL)
		return "none";
	return f->severity >= SEV_HIGH ? "error" : f->severity == SEV_MEDIUM ? "warning" : "note";
}

/* Percent-encoding of a path (RFC 3986, pchar without what a link could be broken by). A colon in the first segment
 * would read as a scheme. */
static void uri(struct pv_buf *b, const char *path)
{
	pv_buf_putc(b, '"');
	if (*path == '/')
		pv_buf_puts(b, "file://");
	for (const unsigned char *p = (const unsigned char *) path; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			     strchr("-._~/", *p);

		if (plain)
			pv_buf_putc(b, (char) *p);
		else
			pv_buf_printf(b, "%%%02X", *p);
	}
	pv_buf_putc(b, '"');
}

static void rule(struct pv_buf *b, enum id id)
{
	const struct id_info *info = id_info(id);

	pv_buf_putc(b, '{');
	pair(b, "id", info->name);
	pv_buf_puts(b, ",\"shortDescription\":{");
	pair(b, "text", info->title);
	pv_buf_puts(b, "},\"fullDescription\":{");
	pair(b, "text", *info->why ? info->why : info->title);
	pv_buf_puts(b, "},\"help\":{");
	pair(b, "text", *info->mend ? info->mend : info->title);
	pv_buf_printf(b, "},\"properties\":{\"security-severity\":\"%d.0\",\"tags\":[\"security\"]}}",
		      severity_cef(info->severity));
}

static int rules(FILE *out, struct pv_buf *b, const struct findings_report *r, unsigned index[ID_N])
{
	bool used[ID_N] = { false };
	unsigned n = 0;

	for (size_t i = 0; i < r->list->n; i++)
		used[r->list->item[i]->id] = true;
	pv_buf_puts(b, "\"rules\":[");
	for (unsigned id = 0; id < ID_N; id++)
		if (used[id]) {
			pv_buf_puts(b, n ? ",\n" : "\n");
			rule(b, (enum id) id);
			index[id] = n++;
		}
	pv_buf_putc(b, ']');
	return findings_flush(out, b);
}

static void location(struct pv_buf *b, const struct finding *f)
{
	pv_autobuf place = PV_BUF_INIT;

	findings_place(&place, f);
	pv_buf_puts(b, ",\"locations\":[{");
	if (f->subject.path && *f->subject.path) {
		pv_buf_puts(b, "\"physicalLocation\":{\"artifactLocation\":{\"uri\":");
		uri(b, f->subject.path);
		pv_buf_putc(b, '}');
		if (f->subject.line)
			pv_buf_printf(b, ",\"region\":{\"startLine\":%" PRIu64 "}", f->subject.line);
		pv_buf_puts(b, "},");
	}
	pv_buf_puts(b, "\"logicalLocations\":[{");
	pair(b, "fullyQualifiedName", pv_buf_str(&place));
	pv_buf_puts(b, "}]}]");
}

/* In a message a brace begins a placeholder (3.11.5) and a bracket a link (3.11.6): names come from strangers. */
static void message_text(struct pv_buf *b, const char *s)
{
	pv_autobuf text = PV_BUF_INIT;

	for (; *s; s++) {
		if (*s == '{' || *s == '}')
			pv_buf_putc(&text, *s);
		else if (*s == '[' || *s == ']')
			pv_buf_putc(&text, '\\');
		pv_buf_putc(&text, *s);
	}
	pair(b, "text", pv_buf_str(&text));
}

static void message(struct pv_buf *b, const struct finding *f)
{
	pv_autobuf text = PV_BUF_INIT;

	pv_buf_puts(&text, finding_title(f));
	if (f->verdict == FINDING_UNKNOWN)
		pv_buf_printf(&text, "; could not be checked: %s", finding_reason_name(f->reason));
	for (size_t i = 0; i < f->n_evidence; i++)
		pv_buf_printf(&text, "; %s %s", f->evidence[i].what ? f->evidence[i].what : "",
			      f->evidence[i].value ? f->evidence[i].value : "");
	if (f->remedy)
		pv_buf_printf(&text, ". %s", f->remedy);
	pv_buf_puts(b, ",\"message\":{");
	message_text(b, pv_buf_str(&text));
	pv_buf_putc(b, '}');
}

/* 3.35: kept elsewhere than in the file that it is about. */
static void suppression(struct pv_buf *b, const struct finding *f)
{
	pv_autobuf text = PV_BUF_INIT;

	findings_accepted(&text, f);
	pv_buf_puts(b, ",\"suppressions\":[{\"kind\":\"external\",\"status\":\"accepted\",");
	pair(b, "justification", pv_buf_str(&text));
	pv_buf_puts(b, "}]");
}

static void result(struct pv_buf *b, const struct finding *f, const unsigned index[ID_N])
{
	static const char *const kinds[FINDING_VERDICT_N] = { "fail", "open", "pass", "notApplicable" };

	pv_buf_putc(b, '{');
	pair(b, "ruleId", id_info(f->id)->name);
	pv_buf_printf(b, ",\"ruleIndex\":%u,\"level\":\"%s\",\"kind\":\"%s\"", index[f->id], level(f), kinds[f->verdict]);
	message(b, f);
	location(b, f);
	if (*f->fingerprint)
		pv_buf_printf(b, ",\"partialFingerprints\":{\"" FINGERPRINT "\":\"%s\"}", f->fingerprint);
	if (f->verdict == FINDING_FAIL)
		pv_buf_printf(b, ",\"baselineState\":\"%s\"", f->old ? "unchanged" : "new");
	if (f->accepted.reason)
		suppression(b, f);
	pv_buf_printf(b, ",\"properties\":{\"severity\":\"%s\"", severity_name(f->severity));
	if (f->subject.commit) {
		pv_buf_putc(b, ',');
		pair(b, "commit", f->subject.commit);
	}
	pv_buf_puts(b, "}}");
}

int findings_sarif(FILE *out, const struct findings_report *r)
{
	unsigned index[ID_N] = { 0 };
	pv_autobuf b = PV_BUF_INIT;
	int e;

	pv_buf_puts(&b, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{"
			"\"tool\":{\"driver\":{\"name\":\"pavise\",\"version\":\"" PAVISE_VERSION "\",");
	e = rules(out, &b, r, index);
	pv_buf_printf(&b, "}},\"automationDetails\":{\"id\":\"pavise/%s/\"},\"columnKind\":\"unicodeCodePoints\",\"results\":[",
		      r->command);
	for (size_t i = 0; i < r->list->n && e == 0; i++) {
		pv_buf_puts(&b, i ? ",\n" : "\n");
		result(&b, r->list->item[i], index);
		e = findings_flush(out, &b);
	}
	pv_buf_printf(&b, "],\"invocations\":[{\"executionSuccessful\":%s}]}]}\n",
		      finding_list_unchecked(r->list) ? "false" : "true");
	return e ? e : findings_flush(out, &b);
}
