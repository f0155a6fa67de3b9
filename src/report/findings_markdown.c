/* A table for a merge request. Names come from strangers: everything that could become a link, a mention, an image, HTML
 * or a second cell is written so that it stays text. */
#include <string.h>

#include "report/findings.h"

/* Inside a code span nothing is interpreted but the backtick (which we replace) and the cell separator. A mention in a
 * code span notifies nobody. */
static void code(struct pv_buf *b, const char *s)
{
	pv_autobuf safe = PV_BUF_INIT;

	pv_buf_safe(&safe, s, 0);
	pv_buf_putc(b, '`');
	for (const char *p = pv_buf_str(&safe); *p; p++)
		pv_buf_puts(b, *p == '`' ? "'" : *p == '|' ? "\\|" : (char[]){ *p, '\0' });
	pv_buf_puts(b, safe.len ? "`" : " `");
}

static void details(struct pv_buf *b, const struct finding *f)
{
	pv_autobuf accepted = PV_BUF_INIT;

	if (f->verdict == FINDING_UNKNOWN)
		pv_buf_printf(b, "could not be checked: %s", finding_reason_name(f->reason));
	findings_accepted(&accepted, f);
	if (accepted.len)
		code(b, pv_buf_str(&accepted));
	for (size_t i = 0; i < f->n_evidence; i++) {
		pv_autobuf text = PV_BUF_INIT;

		pv_buf_printf(&text, "%s %s", f->evidence[i].what ? f->evidence[i].what : "",
			      f->evidence[i].value ? f->evidence[i].value : "");
		pv_buf_puts(b, i || f->verdict == FINDING_UNKNOWN || accepted.len ? "<br>" : "");
		code(b, pv_buf_str(&text));
	}
}

static void mend(struct pv_buf *b, const struct finding *f)
{
	if (f->remedy)
		code(b, f->remedy);
	if (f->command) {
		pv_buf_puts(b, f->remedy ? "<br>" : "");
		code(b, f->command);
	}
}

int findings_markdown(FILE *out, const struct findings_report *r)
{
	pv_autobuf b = PV_BUF_INIT;
	bool any = false;
	int e = 0;

	pv_buf_printf(&b, "**pavise %s**: ", r->command);
	findings_summary(&b, r);
	pv_buf_puts(&b, "\n");
	for (size_t i = 0; i < r->list->n && e == 0; i++) {
		const struct finding *f = r->list->item[i];
		pv_autobuf place = PV_BUF_INIT;

		if (!findings_shown(r, f))
			continue;
		if (!any)
			pv_buf_puts(&b, "\n| severity | id | where | what | mend |\n| --- | --- | --- | --- | --- |\n");
		any = true;
		findings_place(&place, f);
		pv_buf_printf(&b, "| %s | `%s` | ", findings_word(f), id_info(f->id)->name);
		code(&b, pv_buf_str(&place));
		pv_buf_puts(&b, " | ");
		details(&b, f);
		pv_buf_puts(&b, " | ");
		mend(&b, f);
		pv_buf_puts(&b, " |\n");
		e = findings_flush(out, &b);
	}
	return e ? e : findings_flush(out, &b);
}
