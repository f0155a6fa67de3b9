#include "check_child/screen.h"

#include <string.h>

#include "base/clock.h"
#include "check/remedy.h"
#include "report/findings.h"

#define LINES     15
#define NAMES_MAX 4
#define GROUPS    512

struct group {
	const struct finding **item;
	size_t n;
};

/* Findings of one id and severity stand together in a sorted list. */
static size_t make_groups(const struct finding_list *l, const struct finding **failing, struct group *out)
{
	size_t n = 0, n_groups = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct finding *f = l->item[i];

		if (!finding_fails(f) || f->old)
			continue;
		failing[n++] = f;
		if (n_groups && out[n_groups - 1].item[0]->id == f->id &&
		    out[n_groups - 1].item[0]->severity == f->severity) {
			out[n_groups - 1].n++;
			continue;
		}
		if (n_groups == GROUPS)
			break;
		out[n_groups++] = (struct group){ &failing[n - 1], 1 };
	}
	return n_groups;
}

/* Worst first, then what concerns most. */
static int by_weight(const void *pa, const void *pb)
{
	const struct group *a = pa, *b = pb;

	if (a->item[0]->severity != b->item[0]->severity)
		return (int) b->item[0]->severity - (int) a->item[0]->severity;
	return a->n != b->n ? (a->n < b->n ? 1 : -1) : (int) a->item[0]->id - (int) b->item[0]->id;
}

static void subject_name(struct pv_buf *out, const struct finding *f)
{
	const char *name = f->subject.name ? f->subject.name : f->subject.path;

	pv_buf_safe(out, name ? name : "", 120);
}

static void group_names(struct pv_buf *out, const struct group *g)
{
	size_t max = g->item[0]->severity == SEV_CRITICAL ? g->n : NAMES_MAX;

	for (size_t i = 0; i < g->n && i < max; i++) {
		pv_buf_puts(out, i ? ", " : "");
		subject_name(out, g->item[i]);
	}
	if (g->n > max)
		pv_buf_printf(out, " and %zu more", g->n - max);
}

static void group_mend(struct pv_buf *out, const struct group *g)
{
	pv_autobuf command = PV_BUF_INIT;

	bool all = remedy_joined(&command, g->item, g->n);

	pv_buf_puts(out, "          mend: ");
	if (command.len)
		pv_buf_safe(out, command.data, 0);
	else
		pv_buf_safe(out, g->item[0]->remedy ? g->item[0]->remedy : "", 0);
	if (g->n > 1 && !all)
		pv_buf_puts(out, "   (and the like for the others)");
	pv_buf_putc(out, '\n');
}

static void group_write(struct pv_buf *out, const struct group *g, const struct words_style *style)
{
	const struct finding *f = g->item[0];

	pv_buf_printf(out, "%s%-9s%s %s (%s): ", words_colour(f->severity, style), severity_name(f->severity),
		      words_plain(style), finding_title(f), id_info(f->id)->name);
	group_names(out, g);
	pv_buf_putc(out, '\n');
	group_mend(out, g);
}

static void head(struct pv_buf *out, const struct screen *s)
{
	struct findings_count c = findings_count(s->list);
	struct grade g = grade_host(s->list);
	struct findings_report r = { .command = "audit", .list = s->list };

	pv_buf_safe(out, s->target ? s->target : "this host", 0);
	if (g.letter)
		pv_buf_printf(out, ": grade %c (%u of 100); ", g.letter, g.score);
	else
		pv_buf_puts(out, ": ");
	findings_summary(out, &r);
	if (c.pass)
		pv_buf_printf(out, "; %zu passed", c.pass);
	pv_buf_putc(out, '\n');
}

/* `could not be checked: 12 (permission 3, unsupported 9)` */
static void unknowns(struct pv_buf *out, const struct screen *s)
{
	size_t n[REASON_N] = { 0 }, all = 0;
	bool any = false;

	for (size_t i = 0; i < s->list->n; i++)
		if (s->list->item[i]->verdict == FINDING_UNKNOWN) {
			n[s->list->item[i]->reason]++;
			all++;
		}
	if (!all)
		return;
	pv_buf_printf(out, "could not be checked: %zu (", all);
	for (unsigned r = 0; r < REASON_N; r++)
		if (n[r]) {
			pv_buf_printf(out, "%s%s %zu", any ? ", " : "", finding_reason_name((enum finding_reason) r),
				      n[r]);
			any = true;
		}
	pv_buf_puts(out, "): pavise audit --all\n");
}

/* `critical, but ctr.docker-socket traefik accepted by anna until 2027-03-01: it is the proxy` */
static bool accepted(struct pv_buf *out, const struct finding_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct finding *f = l->item[i];
		pv_autobuf why = PV_BUF_INIT;

		if (f->verdict != FINDING_FAIL || finding_fails(f) || f->severity != SEV_CRITICAL || n++ >= NAMES_MAX)
			continue;
		pv_buf_printf(out, "%s%s ", n > 1 ? "; " : "critical, but ", id_info(f->id)->name);
		subject_name(out, f);
		pv_buf_putc(out, ' ');
		findings_accepted(&why, f);
		pv_buf_safe(out, pv_buf_str(&why), 200);
	}
	if (n > NAMES_MAX)
		pv_buf_printf(out, "; and %zu more: pavise audit --all", n - NAMES_MAX);
	if (n)
		pv_buf_putc(out, '\n');
	return n;
}

/* `since 2026-11-27 10:00:00 +0000: 2 new (ctr.privileged shop/web, ...), 1 mended (file.env-mode /srv/shop/.env)` */
static bool since(struct pv_buf *out, const struct last_diff *d)
{
	if (!d || !d->when_us)
		return false;
	pv_buf_puts(out, "since ");
	clock_local(out, d->when_us);
	if (!d->fresh && !d->mended)
		pv_buf_puts(out, ": nothing new, nothing mended");
	if (d->fresh)
		pv_buf_printf(out, ": %zu new (%s)", d->fresh, pv_buf_str(&d->fresh_names));
	if (d->mended)
		pv_buf_printf(out, "%s %zu mended (%s)", d->fresh ? "," : ":", d->mended, pv_buf_str(&d->mended_names));
	pv_buf_putc(out, '\n');
	return true;
}

void screen_write(struct pv_buf *out, const struct screen *s)
{
	pv_autofree const struct finding **failing = calloc(s->list->n + 1, sizeof(*failing));
	pv_autofree struct group *groups = calloc(GROUPS, sizeof(*groups));
	size_t n, shown = 0, lines = LINES - 3; /* but the head, what is left out, what could not be checked */

	if (!failing || !groups)
		return;
	head(out, s);
	lines -= since(out, s->diff);
	lines -= accepted(out, s->list);
	n = make_groups(s->list, failing, groups);
	if (n)
		qsort(groups, n, sizeof(*groups), by_weight);
	for (; shown < n && (shown < lines / 2 || groups[shown].item[0]->severity == SEV_CRITICAL); shown++)
		group_write(out, &groups[shown], &s->style);
	if (shown < n)
		pv_buf_printf(out, "... and %zu more kinds, %s and below: pavise audit --all\n", n - shown,
			      severity_name(groups[shown].item[0]->severity));
	unknowns(out, s);
}
