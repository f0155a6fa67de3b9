/* JUnit XML as build servers read it: a failing finding is a failed test case, an unknown one an error. */
#include "report/findings.h"

static void attribute(struct pv_buf *b, const char *name, const char *value)
{
	pv_buf_printf(b, " %s=\"", name);
	findings_xml(b, value);
	pv_buf_putc(b, '"');
}

static void body(struct pv_buf *b, const struct finding *f)
{
	for (size_t i = 0; i < f->n_evidence; i++) {
		findings_xml(b, f->evidence[i].what ? f->evidence[i].what : "");
		pv_buf_puts(b, ": ");
		findings_xml(b, f->evidence[i].value ? f->evidence[i].value : "");
		pv_buf_putc(b, '\n');
	}
	if (f->remedy) {
		findings_xml(b, f->remedy);
		pv_buf_putc(b, '\n');
	}
	if (f->command) {
		findings_xml(b, f->command);
		pv_buf_putc(b, '\n');
	}
}

static void result(struct pv_buf *b, const struct finding *f)
{
	pv_autobuf accepted = PV_BUF_INIT;

	if (finding_fails(f) && !f->old) {
		pv_buf_puts(b, "<failure");
		attribute(b, "type", severity_name(f->severity));
		attribute(b, "message", finding_title(f));
		pv_buf_puts(b, ">");
		body(b, f);
		pv_buf_puts(b, "</failure>");
	} else if (f->verdict == FINDING_UNKNOWN && f->reason != REASON_BY_NATURE) {
		pv_buf_puts(b, "<error");
		attribute(b, "type", finding_reason_name(f->reason));
		attribute(b, "message", "could not be checked");
		pv_buf_puts(b, ">");
		body(b, f);
		pv_buf_puts(b, "</error>");
	} else if (f->verdict != FINDING_PASS) {
		findings_accepted(&accepted, f);
		pv_buf_puts(b, "<skipped");
		attribute(b, "message", accepted.len ? pv_buf_str(&accepted) : f->old ? "known from the baseline" : finding_verdict_name(f->verdict));
		pv_buf_puts(b, "/>");
	}
}

int findings_junit(FILE *out, const struct findings_report *r)
{
	struct findings_count c = findings_count(r->list);
	pv_autobuf b = PV_BUF_INIT;
	int e = 0;

	pv_buf_puts(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite");
	attribute(&b, "name", r->command);
	pv_buf_printf(&b, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n", r->list->n, c.failing, c.unknown,
		      c.old + c.accepted + c.not_applicable + c.by_nature);
	for (size_t i = 0; i < r->list->n && e == 0; i++) {
		const struct finding *f = r->list->item[i];
		pv_autobuf place = PV_BUF_INIT;

		findings_place(&place, f);
		pv_buf_puts(&b, "<testcase");
		attribute(&b, "classname", id_info(f->id)->name);
		attribute(&b, "name", pv_buf_str(&place));
		pv_buf_putc(&b, '>');
		result(&b, f);
		pv_buf_puts(&b, "</testcase>\n");
		e = findings_flush(out, &b);
	}
	pv_buf_puts(&b, "</testsuite>\n</testsuites>\n");
	return e ? e : findings_flush(out, &b);
}
