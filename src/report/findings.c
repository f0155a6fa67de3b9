#include "report/findings.h"

#include <inttypes.h>
#include <string.h>

const struct findings_format findings_formats[] = {
	{ "table", "for people (default)", findings_table },
	{ "json", "one object with all findings", findings_json },
	{ "jsonl", "one finding a line", findings_jsonl },
	{ "sarif", "SARIF 2.1.0, for code hosts", findings_sarif },
	{ "junit", "JUnit XML, for build servers", findings_junit },
	{ "markdown", "a table for a merge request", findings_markdown },
	{ "html", "one file that prints well", findings_html },
	{ NULL, NULL, NULL },
};

const struct findings_format *findings_format_find(const char *name)
{
	for (const struct findings_format *f = findings_formats; f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

struct findings_count findings_count(const struct finding_list *l)
{
	struct findings_count c = { .old = 0 };

	for (size_t i = 0; i < l->n; i++) {
		const struct finding *f = l->item[i];

		if (f->verdict == FINDING_FAIL && f->accepted.reason)
			c.accepted++;
		else if (f->verdict == FINDING_FAIL && f->old)
			c.old++;
		else if (f->verdict == FINDING_FAIL)
			c.fail[f->severity]++, c.failing++;
		else if (f->verdict == FINDING_PASS)
			c.pass++;
		else if (f->verdict == FINDING_NOT_APPLICABLE)
			c.not_applicable++;
		else if (f->reason == REASON_BY_NATURE)
			c.by_nature++;
		else
			c.unknown++;
	}
	return c;
}

bool findings_shown(const struct findings_report *r, const struct finding *f)
{
	return r->all || f->verdict == FINDING_FAIL || f->verdict == FINDING_UNKNOWN;
}

void findings_place(struct pv_buf *out, const struct finding *f)
{
	const struct finding_about *s = &f->subject;

	if (s->name)
		pv_buf_puts(out, s->name);
	if (s->path && (!s->name || strcmp(s->name, s->path) != 0))
		pv_buf_printf(out, "%s%s", s->name && *s->name ? " " : "", s->path);
	if (s->line)
		pv_buf_printf(out, ":%" PRIu64, s->line);
	if (s->instances > 1)
		pv_buf_printf(out, " (%" PRIu64 " instances)", s->instances);
}

const char *findings_word(const struct finding *f)
{
	if (f->verdict != FINDING_FAIL)
		return finding_verdict_name(f->verdict);
	return f->accepted.reason ? "accepted" : f->old ? "known" : severity_name(f->severity);
}

void findings_accepted(struct pv_buf *out, const struct finding *f)
{
	if (f->accepted.reason)
		pv_buf_printf(out, "accepted by %s until %s: %s", f->accepted.owner ? f->accepted.owner : "?",
			      f->accepted.until ? f->accepted.until : "?", f->accepted.reason);
}

static void part(struct pv_buf *out, size_t n, const char *what)
{
	if (n)
		pv_buf_printf(out, "%s%zu %s", out->len ? ", " : "", n, what);
}

void findings_summary(struct pv_buf *out, const struct findings_report *r)
{
	struct findings_count c = findings_count(r->list);
	pv_autobuf text = PV_BUF_INIT;

	for (int s = SEV_CRITICAL; s >= SEV_INFO; s--)
		part(&text, c.fail[s], severity_name((enum severity) s));
	part(&text, c.accepted, "accepted in pavise.ignore");
	part(&text, c.old, "known from the baseline");
	part(&text, c.unknown, "could not be checked");
	part(&text, c.by_nature, "cannot be seen from here");
	pv_buf_puts(out, text.len ? pv_buf_str(&text) : "nothing found");
}

int findings_flush(FILE *out, struct pv_buf *b)
{
	int r = b->cut ? -ENOMEM : 0;

	if (b->len && fwrite(b->data, 1, b->len, out) != b->len)
		r = -EIO;
	pv_buf_clear(b);
	return r;
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	}
	return NULL;
}

void findings_xml(struct pv_buf *out, const char *s)
{
	pv_autobuf safe = PV_BUF_INIT;

	pv_buf_safe(&safe, s, 0);
	for (const char *p = pv_buf_str(&safe); *p; p++) {
		const char *e = entity(*p);

		if (e)
			pv_buf_puts(out, e);
		else if ((unsigned char) *p == 0xef && (unsigned char) p[1] == 0xbf && (unsigned char) p[2] >= 0xbe) {
			pv_buf_printf(out, "\\xef\\xbf\\x%02x", (unsigned char) p[2]); /* U+FFFE, U+FFFF */
			p += 2;
		} else
			pv_buf_putc(out, *p);
	}
}
