#include <string.h>

#include "check/check.h"

static const unsigned weights[SEV_N] = { [SEV_CRITICAL] = 40, [SEV_HIGH] = 15, [SEV_MEDIUM] = 5, [SEV_LOW] = 1 };

struct tally {
	unsigned char lost[ID_N]; /* points, counted in halves: each id once, by its worst finding */
	bool high, critical, any;
};

static void lose(struct tally *t, enum id id, unsigned halves)
{
	if (halves > t->lost[id])
		t->lost[id] = (unsigned char) halves;
}

static void count(struct tally *t, const struct finding *f)
{
	t->any = t->any || f->verdict != FINDING_NOT_APPLICABLE;
	if (finding_fails(f)) {
		lose(t, f->id, 2 * weights[f->severity]);
		t->high = t->high || f->severity == SEV_HIGH;
		t->critical = t->critical || f->severity == SEV_CRITICAL;
	} else if (f->verdict == FINDING_UNKNOWN && f->reason != REASON_BY_NATURE && f->reason != REASON_UNSUPPORTED) {
		lose(t, f->id, weights[f->severity]);
	}
}

static struct grade grade_of(const struct tally *t)
{
	struct grade g = { .score = 0 };
	unsigned halves = 0;

	if (!t->any)
		return (struct grade){ 0, 0 };
	for (unsigned i = 0; i < ID_N; i++)
		halves += t->lost[i];
	g.score = halves >= 200 ? 0 : (200 - halves) / 2;
	g.letter = g.score >= 90 ? 'A' : g.score >= 75 ? 'B' : g.score >= 55 ? 'C' : g.score >= 35 ? 'D' : 'F';
	if (t->high && g.letter < 'C')
		g.letter = 'C';
	if (t->critical)
		g.letter = 'F';
	return g;
}

static bool is_workload(const struct finding *f)
{
	return f->subject.kind == SUBJECT_CONTAINER || f->subject.kind == SUBJECT_SERVICE ||
	       f->subject.kind == SUBJECT_IMAGE || f->subject.kind == SUBJECT_UNIT;
}

struct grade grade_subject(const struct finding_list *l, enum subject_kind kind, const char *name)
{
	struct tally t = { 0 };

	for (size_t i = 0; i < l->n; i++) {
		const struct finding *f = l->item[i];

		if (name ? f->subject.kind == kind && f->subject.name && strcmp(f->subject.name, name) == 0
			 : !is_workload(f))
			count(&t, f);
	}
	return grade_of(&t);
}

/* --- the host --- */

static int by_subject(const void *pa, const void *pb)
{
	const struct finding *a = *(const struct finding *const *) pa, *b = *(const struct finding *const *) pb;
	int r = (int) a->subject.kind - (int) b->subject.kind;

	return r ? r : strcmp(a->subject.name ? a->subject.name : "", b->subject.name ? b->subject.name : "");
}

/* Worst first: by letter, then by points. */
static int by_grade(const void *pa, const void *pb)
{
	const struct grade *a = pa, *b = pb;

	return a->letter != b->letter ? (int) b->letter - (int) a->letter : (int) a->score - (int) b->score;
}

static size_t grade_workloads(const struct finding **sorted, size_t n, struct grade *out)
{
	size_t n_out = 0;

	for (size_t i = 0; i < n;) {
		struct tally t = { 0 };
		size_t k = i;

		for (; k < n && by_subject(&sorted[i], &sorted[k]) == 0; k++)
			count(&t, sorted[k]);
		if (t.any)
			out[n_out++] = grade_of(&t);
		i = k;
	}
	qsort(out, n_out, sizeof(*out), by_grade);
	return n_out;
}

static struct grade worse(struct grade a, struct grade b)
{
	if (!a.letter || !b.letter)
		return a.letter ? a : b;
	return by_grade(&a, &b) <= 0 ? a : b;
}

struct grade grade_host(const struct finding_list *l)
{
	pv_autofree const struct finding **sorted = calloc(l->n + 1, sizeof(*sorted));
	pv_autofree struct grade *all = calloc(l->n + 1, sizeof(*all));
	struct grade g = grade_subject(l, SUBJECT_HOST, NULL);
	bool critical = false;
	size_t n = 0;

	if (!sorted || !all)
		return (struct grade){ 0, 0 };
	for (size_t i = 0; i < l->n; i++) {
		critical = critical || (finding_fails(l->item[i]) && l->item[i]->severity == SEV_CRITICAL);
		if (is_workload(l->item[i]))
			sorted[n++] = l->item[i];
	}
	qsort(sorted, n, sizeof(*sorted), by_subject);
	n = grade_workloads(sorted, n, all);
	if (n)
		g = worse(g, all[(n - 1) / 2]); /* of an even number the worse of the two in the middle */
	if (critical)
		g.letter = 'F';
	return g;
}
