/* findings.h - a list of findings in the formats of the command line. Every string comes from outside and is escaped for
 * where it goes: terminal, JSON, XML, Markdown, HTML. Secrets are masked before they become findings. */
#ifndef PV_REPORT_FINDINGS_H
#define PV_REPORT_FINDINGS_H

#include <stdio.h>

#include "model/finding.h"
#include "report/words.h"

struct findings_report {
	const char *command;  /* "scan", "audit": names the run */
	const char *target;   /* what was looked at, as it was given; NULL: this host */
	const struct finding_list *list; /* in the order to show: finding_list_sort() */
	uint64_t now_us;      /* wall clock of the run */
	bool all;	      /* table, markdown, html: also pass and not-applicable */
	struct words_style style; /* table */
};

struct findings_format {
	const char *name;
	const char *about; /* one line */
	/* 0, or -EIO when `out` did not take it, -ENOMEM. */
	int (*write)(FILE *out, const struct findings_report *r);
};

extern const struct findings_format findings_formats[]; /* ends with a NULL name */

const struct findings_format *findings_format_find(const char *name); /* NULL: there is none */

/* --- one file each --- */
int findings_table(FILE *out, const struct findings_report *r);
int findings_json(FILE *out, const struct findings_report *r);
int findings_jsonl(FILE *out, const struct findings_report *r);
int findings_sarif(FILE *out, const struct findings_report *r);
int findings_junit(FILE *out, const struct findings_report *r);
int findings_markdown(FILE *out, const struct findings_report *r);
int findings_html(FILE *out, const struct findings_report *r);

/* --- shared by them --- */
struct findings_count {
	size_t fail[SEV_N], old, accepted, unknown, by_nature, pass, not_applicable;
	size_t failing; /* all of fail[] */
};
struct findings_count findings_count(const struct finding_list *l);
bool findings_shown(const struct findings_report *r, const struct finding *f);
/* `src/app.js:12`, `shop/web`; the name alone where there is no path, both where they differ. Not escaped. */
void findings_place(struct pv_buf *out, const struct finding *f);
/* The severity of one that fails, `accepted`, `known`, else the verdict. */
const char *findings_word(const struct finding *f);
/* `accepted by anna until 2027-03-01: made-up keys`; nothing for what is not. Not escaped. */
void findings_accepted(struct pv_buf *out, const struct finding *f);
/* `1 critical, 3 high, 2 could not be checked` */
void findings_summary(struct pv_buf *out, const struct findings_report *r);
/* Writes and empties. 0, -EIO, or -ENOMEM when the buffer was cut. */
int findings_flush(FILE *out, struct pv_buf *b);
/* Text for XML 1.0 and HTML, also between double quotes: what neither allows appears as \xNN. */
void findings_xml(struct pv_buf *out, const char *s);

#endif
