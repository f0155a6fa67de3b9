#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "logs_child/logs_child.h"

#define SAMPLE_MAX 240
#define SHOWN	   8

static uint64_t hash(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return (h ^ (h >> 29)) * 0xff51afd7ed558ccdULL;
}

/* Errors by template, logins and probes by address, the rest by what found it. */
static uint64_t key_of(const struct log_event *e)
{
	uint64_t h = hash(0xcbf29ce484222325ULL + e->id, e->source, strlen(e->source));

	if (e->id == ID_LOGS_ERROR)
		return hash(h, &e->attempt, sizeof(e->attempt)) | 1;
	h = hash(h, e->rule, e->id == ID_LOGS_AUTH_FAILURE ? 0 : strlen(e->rule));
	h = hash(h, e->service, strlen(e->service));
	if (e->has_address)
		h = hash(h, e->address.b, sizeof(e->address.b));
	return h | 1;
}

static struct tally_group *new_group(struct tally *t, struct logs_reader *r, const struct log_event *e, uint64_t key)
{
	struct tally_group *g = calloc(1, sizeof(*g));
	pv_autobuf shown = PV_BUF_INIT;

	if (!g)
		return NULL;
	*g = (struct tally_group){ .id = e->id, .severity = e->severity, .rule = e->rule, .service = e->service, .address = e->address,
				   .has_address = e->has_address, .first_us = e->time_us, .line = e->line };
	(void) text_copy(g->source, sizeof(g->source), e->source);
	logs_shown(r, e->text, e->text_len, SAMPLE_MAX, &shown);
	g->sample = strdup(pv_buf_str(&shown));
	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 256;
		void *more = realloc(t->item, room * sizeof(*t->item));

		if (!more) {
			free(g->sample);
			free(g);
			return NULL;
		}
		t->item = more;
		t->room = room;
	}
	if (!g->sample || pv_map_put(&t->map, key, g) < 0) {
		free(g->sample);
		free(g);
		return NULL;
	}
	t->item[t->n++] = g;
	return g;
}

int tally_add(struct tally *t, struct logs_reader *r, const struct log_event *e)
{
	uint64_t key = key_of(e);
	struct tally_group *g = pv_map_get(&t->map, key);

	t->count[e->id]++;
	if (!g && t->n == TALLY_MAX) {
		t->beyond++;
		return 0;
	}
	if (!g)
		g = new_group(t, r, e, key);
	if (!g)
		return -ENOMEM;
	g->count++;
	g->first_us = PV_MIN(g->first_us, e->time_us);
	g->last_us = PV_MAX(g->last_us, e->time_us);
	g->severity = PV_MAX(g->severity, e->severity);
	if (*e->user)
		(void) text_copy(g->user, sizeof(g->user), e->user);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct tally_group *x = *(struct tally_group *const *) a, *y = *(struct tally_group *const *) b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->first_us < y->first_us ? -1 : x->first_us > y->first_us;
}

void tally_sort(struct tally *t)
{
	if (t->n)
		qsort(t->item, t->n, sizeof(struct tally_group *), compare);
}

static enum subject_kind kind_of(const char *source)
{
	return strncmp(source, "container:", 10) == 0 ? SUBJECT_CONTAINER : strncmp(source, "journal:", 8) == 0 ? SUBJECT_UNIT : SUBJECT_LOG;
}

static const char *name_of(const char *source)
{
	const char *colon = strchr(source, ':');

	return colon ? colon + 1 : source;
}

int tally_findings(const struct tally *t, struct finding_list *list)
{
	int r = 0;

	for (size_t i = 0; i < t->n && r == 0; i++) {
		const struct tally_group *g = t->item[i];
		struct finding *f = finding_new(g->id, FINDING_FAIL);
		pv_autobuf a = PV_BUF_INIT, first = PV_BUF_INIT, last = PV_BUF_INIT, template = PV_BUF_INIT;

		if (f)
			f->severity = g->severity;
		if (g->has_address)
			ip_format(&a, &g->address);
		clock_rfc3339(&first, g->first_us);
		clock_rfc3339(&last, g->last_us);
		finding_subject(f, kind_of(g->source), name_of(g->source), kind_of(g->source) == SUBJECT_LOG ? name_of(g->source) : NULL,
				g->line);
		finding_evidence(f, "rule", NULL, 0, "%s", g->rule);
		finding_evidence(f, "count", NULL, 0, "%llu", (unsigned long long) g->count);
		finding_evidence(f, "first", NULL, 0, "%s", pv_buf_str(&first));
		finding_evidence(f, "last", NULL, 0, "%s", pv_buf_str(&last));
		if (a.len)
			finding_evidence(f, "address", NULL, 0, "%s", pv_buf_str(&a));
		finding_evidence(f, "line", NULL, 0, "%s", g->sample);
		logs_template(g->sample, strlen(g->sample), &template);
		finding_fingerprint(f, g->rule, g->id == ID_LOGS_ERROR ? pv_buf_str(&template) : pv_buf_str(&a));
		r = finding_list_add(list, f);
	}
	list->checked = t->sources;
	return r;
}

static void short_time(struct pv_buf *out, uint64_t us)
{
	pv_autobuf t = PV_BUF_INIT;

	clock_local(&t, us);
	pv_buf_add(out, pv_buf_str(&t) + 5, PV_MIN(t.len > 5 ? t.len - 5 : 0, (size_t) 14)); /* 11-21 19:00:00 */
}

static void number(struct pv_buf *out, uint64_t n)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long) n);

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			pv_buf_putc(out, ',');
		pv_buf_putc(out, digits[i]);
	}
}

static void group_line(struct pv_buf *out, const struct tally_group *g, unsigned width)
{
	size_t start = out->len, used;

	pv_buf_printf(out, "  %6llu  ", (unsigned long long) g->count);
	if (g->has_address) {
		pv_autobuf a = PV_BUF_INIT;

		ip_format(&a, &g->address);
		pv_buf_printf(out, "%-16s ", pv_buf_str(&a));
	}
	short_time(out, g->first_us);
	if (g->count > 1) {
		pv_buf_puts(out, " - ");
		short_time(out, g->last_us);
	}
	pv_buf_puts(out, "  ");
	if (g->id == ID_LOGS_AUTH_FAILURE) {
		pv_buf_puts(out, g->service);
		if (*g->user) {
			pv_buf_puts(out, " (");
			pv_buf_safe(out, g->user, 24);
			pv_buf_putc(out, ')');
		}
		pv_buf_putc(out, ' ');
	}
	pv_buf_safe(out, g->source, 40);
	used = out->len - start;
	if (g->id != ID_LOGS_AUTH_FAILURE) {
		pv_buf_puts(out, used + 40 < width ? ": " : "\n          ");
		pv_buf_safe(out, g->sample, used + 40 < width ? width - used - 2 : PV_MAX(width, 40u) - 12);
	}
	pv_buf_putc(out, '\n');
}

static void section(const struct tally *t, size_t from, size_t to, const struct logs_args *a, unsigned width, struct pv_buf *out)
{
	const struct tally_group *g = t->item[from];
	struct words_style style = { .colour = a->colour, .width = width };
	size_t shown = PV_MIN(to - from, a->all ? to - from : (size_t) SHOWN);

	pv_buf_printf(out, "\n%s%s%s  %s (%s): ", words_colour(g->severity, &style), severity_name(g->severity), words_plain(&style),
		      id_info(g->id)->title, id_info(g->id)->name);
	number(out, to - from);
	pv_buf_puts(out, g->id == ID_LOGS_ERROR ? " kinds" : g->id == ID_LOGS_AUTH_FAILURE ? " addresses and services" : " places");
	pv_buf_putc(out, '\n');
	for (size_t i = from; i < from + shown; i++)
		group_line(out, t->item[i], width);
	if (shown < to - from) {
		pv_buf_puts(out, "          and ");
		number(out, to - from - shown);
		pv_buf_puts(out, " more: --all\n");
	}
}

void tally_screen(const struct tally *t, const struct logs_args *a, struct pv_buf *out)
{
	unsigned width = a->width ? a->width : 120;

	number(out, t->lines);
	pv_buf_printf(out, " lines of %llu source%s", (unsigned long long) t->sources, t->sources == 1 ? "" : "s");
	if (a->since_us) {
		pv_buf_puts(out, " since ");
		clock_local(out, a->since_us);
	}
	pv_buf_puts(out, t->n ? "\n" : ": nothing\n");
	for (size_t i = 0, to; i < t->n; i = to) {
		for (to = i + 1; to < t->n && t->item[to]->id == t->item[i]->id && t->item[to]->severity == t->item[i]->severity; to++)
			;
		section(t, i, to, a, width, out);
	}
	if (t->beyond)
		pv_buf_printf(out, "\n%llu further events of more than %d different kinds are counted, not shown\n",
			      (unsigned long long) t->beyond, TALLY_MAX);
}

void tally_done(struct tally *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->item[i]->sample);
		free(t->item[i]);
	}
	free(t->item);
	pv_map_done(&t->map);
}
