/* Our own JSON: interfaces of the project, `schema` 1. */
#include <inttypes.h>

#include "report/findings.h"

int findings_json(FILE *out, const struct findings_report *r)
{
	pv_autobuf b = PV_BUF_INIT;
	int e = 0;

	pv_buf_puts(&b, "{\"schema\":1,\"findings\":[");
	for (size_t i = 0; i < r->list->n && e == 0; i++) {
		pv_buf_puts(&b, i ? ",\n" : "\n");
		finding_json(&b, r->list->item[i]);
		e = findings_flush(out, &b);
	}
	pv_buf_printf(&b, "],\"checked\":%" PRIu64 ",\"could_not_check\":%" PRIu64 "}\n", r->list->checked,
		      finding_list_unchecked(r->list));
	return e ? e : findings_flush(out, &b);
}

int findings_jsonl(FILE *out, const struct findings_report *r)
{
	pv_autobuf b = PV_BUF_INIT;
	int e = 0;

	for (size_t i = 0; i < r->list->n && e == 0; i++) {
		finding_json(&b, r->list->item[i]);
		pv_buf_putc(&b, '\n');
		e = findings_flush(out, &b);
	}
	return e;
}
