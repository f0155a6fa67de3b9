/* For people: one block a finding, worst first; what repeats (title, remedy) is said once for a run of the same id. */
#include <inttypes.h>
#include <string.h>

#include "report/findings.h"

static void colour(struct pv_buf *b, const struct findings_report *r, const struct finding *f, const char *word)
{
	pv_buf_printf(b, "%s%-8s%s", words_colour(f->severity, &r->style), word, words_plain(&r->style));
}

static const char *word_of(const struct finding *f)
{
	return f->verdict == FINDING_NOT_APPLICABLE ? "n/a" : findings_word(f);
}

static void evidence(struct pv_buf *b, const struct finding *f)
{
	for (size_t i = 0; i < f->n_evidence; i++) {
		const struct finding_evidence *e = &f->evidence[i];

		pv_buf_puts(b, i % 3 == 0 ? (i ? "\n             " : "             ") : "; ");
		pv_buf_safe(b, e->what ? e->what : "", 0);
		pv_buf_putc(b, ' ');
		pv_buf_safe(b, e->value ? e->value : "", 0);
		if (e->cut)
			pv_buf_puts(b, "...");
		if (e->path && (!f->subject.path || strcmp(e->path, f->subject.path) != 0)) {
			pv_buf_puts(b, " (");
			pv_buf_safe(b, e->path, 0);
			if (e->line)
				pv_buf_printf(b, ":%" PRIu64, e->line);
			pv_buf_putc(b, ')');
		}
	}
	if (f->n_evidence)
		pv_buf_putc(b, '\n');
}

static void one(struct pv_buf *b, const struct findings_report *r, const struct finding *f)
{
	pv_autobuf place = PV_BUF_INIT, accepted = PV_BUF_INIT;

	findings_place(&place, f);
	pv_buf_puts(b, "  ");
	colour(b, r, f, word_of(f));
	pv_buf_puts(b, "   ");
	pv_buf_safe(b, pv_buf_str(&place), 0);
	if (f->verdict == FINDING_UNKNOWN)
		pv_buf_printf(b, " (%s)", finding_reason_name(f->reason));
	pv_buf_putc(b, '\n');
	findings_accepted(&accepted, f);
	if (accepted.len) {
		pv_buf_puts(b, "             ");
		pv_buf_safe(b, pv_buf_str(&accepted), 0);
		pv_buf_putc(b, '\n');
	}
	evidence(b, f);
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static void mend(struct pv_buf *b, const struct finding *f)
{
	if (!finding_fails(f) && f->verdict != FINDING_UNKNOWN)
		return;
	if (f->remedy) {
		pv_buf_puts(b, "    mend: ");
		pv_buf_safe(b, f->remedy, 0);
		pv_buf_putc(b, '\n');
	}
	if (f->command) {
		pv_buf_puts(b, "     run: ");
		pv_buf_safe(b, f->command, 0);
		pv_buf_putc(b, '\n');
	}
}

static const struct finding *next_shown(const struct findings_report *r, size_t *i)
{
	while (*i < r->list->n)
		if (findings_shown(r, r->list->item[(*i)++]))
			return r->list->item[*i - 1];
	return NULL;
}

int findings_table(FILE *out, const struct findings_report *r)
{
	pv_autobuf b = PV_BUF_INIT;
	const struct finding *f, *next, *last = NULL;
	size_t i = 0;
	int e = 0;

	for (f = next_shown(r, &i); f && e == 0; last = f, f = next) {
		next = next_shown(r, &i);
		if (!last || last->id != f->id || last->verdict != f->verdict || !same(last->title, f->title)) {
			pv_buf_printf(&b, "%s%s: ", last ? "\n" : "", id_info(f->id)->name);
			pv_buf_safe(&b, finding_title(f), 0);
			pv_buf_putc(&b, '\n');
		}
		one(&b, r, f);
		if (!next || next->id != f->id || next->verdict != f->verdict || finding_fails(next) != finding_fails(f) || !same(next->remedy, f->remedy) || !same(next->command, f->command))
			mend(&b, f);
		e = findings_flush(out, &b);
	}
	pv_buf_puts(&b, last ? "\n" : "");
	findings_summary(&b, r);
	pv_buf_printf(&b, " (%" PRIu64 " checked)\n", r->list->checked);
	return e ? e : findings_flush(out, &b);
}
