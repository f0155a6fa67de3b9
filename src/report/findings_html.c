/* One file that needs nothing else and prints well. No script, and a policy that would refuse one. */
#include "base/clock.h"
#include "report/findings.h"

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	"<meta name=\"referrer\" content=\"no-referrer\"><meta name=\"viewport\" content=\"width=device-width\">\n"
	"<style>body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;color:#1a1a1a}\n"
	"table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.4em .6em;text-align:left;"
	"vertical-align:top}\ncode{font:13px ui-monospace,monospace;overflow-wrap:anywhere}.critical,.high{color:#a40000;"
	"font-weight:600}.medium{color:#8a5300}.unknown{color:#444;font-style:italic}\n"
	"tr{break-inside:avoid}@media print{body{margin:0;max-width:none}}</style>\n";

static void code(struct pv_buf *b, const char *s)
{
	pv_buf_puts(b, "<code>");
	findings_xml(b, s);
	pv_buf_puts(b, "</code>");
}

static void row(struct pv_buf *b, const struct finding *f)
{
	const char *word = findings_word(f);
	pv_autobuf place = PV_BUF_INIT, accepted = PV_BUF_INIT;

	findings_place(&place, f);
	pv_buf_printf(b, "<tr><td class=\"%s\">%s</td><td>", word, word);
	code(b, id_info(f->id)->name);
	pv_buf_puts(b, "<br>");
	findings_xml(b, finding_title(f));
	pv_buf_puts(b, "</td><td>");
	code(b, pv_buf_str(&place));
	pv_buf_puts(b, "</td><td>");
	if (f->verdict == FINDING_UNKNOWN)
		pv_buf_printf(b, "could not be checked: %s<br>", finding_reason_name(f->reason));
	findings_accepted(&accepted, f);
	if (accepted.len) {
		findings_xml(b, pv_buf_str(&accepted));
		pv_buf_puts(b, "<br>");
	}
	for (size_t i = 0; i < f->n_evidence; i++) {
		findings_xml(b, f->evidence[i].what ? f->evidence[i].what : "");
		pv_buf_putc(b, ' ');
		code(b, f->evidence[i].value ? f->evidence[i].value : "");
		pv_buf_puts(b, "<br>");
	}
	pv_buf_puts(b, "</td><td>");
	if (f->remedy)
		findings_xml(b, f->remedy);
	if (f->command) {
		pv_buf_puts(b, "<br>");
		code(b, f->command);
	}
	pv_buf_puts(b, "</td></tr>\n");
}

int findings_html(FILE *out, const struct findings_report *r)
{
	pv_autobuf b = PV_BUF_INIT;
	int e = 0;

	pv_buf_puts(&b, head);
	pv_buf_printf(&b, "<title>pavise %s</title></head><body><h1>pavise %s</h1><p>", r->command, r->command);
	if (r->target) {
		code(&b, r->target);
		pv_buf_puts(&b, ", ");
	}
	clock_rfc3339(&b, r->now_us);
	pv_buf_puts(&b, ": ");
	findings_summary(&b, r);
	pv_buf_puts(&b, "</p>\n<table><thead><tr><th>severity</th><th>what</th><th>where</th><th>seen</th><th>mend</th></tr>"
			"</thead><tbody>\n");
	for (size_t i = 0; i < r->list->n && e == 0; i++)
		if (findings_shown(r, r->list->item[i])) {
			row(&b, r->list->item[i]);
			e = findings_flush(out, &b);
		}
	pv_buf_puts(&b, "</tbody></table></body></html>\n");
	return e ? e : findings_flush(out, &b);
}
