#include "report/story.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

#define CHAIN_MAX 8

static uint64_t apart(const struct notice *a, const struct notice *b)
{
	return a->time_us > b->time_us ? a->time_us - b->time_us : b->time_us - a->time_us;
}

static bool is_before(const struct notice *a, const struct notice *b)
{
	return a->time_us != b->time_us ? a->time_us < b->time_us : a->row < b->row;
}

static void drop_farthest(struct story *s)
{
	size_t farthest = 0;

	for (size_t i = 1; i < s->n; i++)
		if (s->steps[i].row != s->event->row && apart(&s->steps[i], s->event) >= apart(&s->steps[farthest], s->event))
			farthest = i;
	memmove(&s->steps[farthest], &s->steps[farthest + 1], (s->n - farthest - 1) * sizeof(s->steps[0]));
	s->n--;
	s->more++;
}

void story_add(struct story *s, const struct notice *n)
{
	size_t at;

	if (apart(n, s->event) > STORY_AROUND || n->kind != s->event->kind || strcmp(n->subject, s->event->subject) != 0)
		return;
	for (size_t i = 0; i < s->n; i++)
		if (s->steps[i].row == n->row)
			return;
	if (s->n == STORY_STEPS)
		drop_farthest(s);
	for (at = s->n; at && is_before(n, &s->steps[at - 1]); at--)
		s->steps[at] = s->steps[at - 1];
	s->steps[at] = *n;
	s->n++;
}

static const char *value_of(const struct notice *n, const char *what)
{
	for (size_t i = 0; i < n->n_evidence; i++)
		if (strcmp(n->evidence[i].what, what) == 0)
			return n->evidence[i].value;
	return NULL;
}

/* `node (412) > sh (511) > helper (512)`: how many, the outermost first. */
static size_t chain_of(const struct notice *n, const char *at[CHAIN_MAX], size_t len[CHAIN_MAX])
{
	const char *s = value_of(n, "chain");
	size_t count = 0;

	while (s && *s && count < CHAIN_MAX) {
		const char *end = strstr(s, " > ");

		at[count] = s;
		len[count++] = end ? (size_t) (end - s) : strlen(s);
		s = end ? end + 3 : NULL;
	}
	return count;
}

static void heading(struct pv_buf *out, const char *text)
{
	pv_buf_printf(out, "\n%s\n", text);
}

static void print_chain(struct pv_buf *out, const struct notice *n)
{
	const char *at[CHAIN_MAX], *command = value_of(n, "command");
	size_t len[CHAIN_MAX], count = chain_of(n, at, len);

	if (!count)
		return;
	heading(out, "what started what");
	for (size_t i = 0; i < count; i++) {
		pv_buf_printf(out, "  %*s%s", (int) (i ? 2 * (i - 1) : 0), "", i ? "└ " : "");
		pv_buf_safe(out, at[i], len[i]);
		if (i == count - 1 && command && *command) {
			pv_buf_puts(out, ": ");
			pv_buf_safe(out, command, 0);
		}
		if (i == count - 1 && *words_done(n))
			pv_buf_printf(out, "  <- %s", words_done(n));
		pv_buf_putc(out, '\n');
	}
}

static void print_step(struct pv_buf *out, const struct story *s, const struct notice *n, const struct words_style *style)
{
	pv_autobuf when = PV_BUF_INIT;

	clock_local(&when, n->time_us);
	pv_buf_printf(out, "%c %.8s  %s%-8s%s  ", n->row == s->event->row ? '>' : ' ', when.len > 19 ? when.data + 11 : "",
		      words_colour(n->severity, style), severity_name(n->severity), words_plain(style));
	pv_buf_safe(out, n->what, 0);
	if (n->count > 1)
		pv_buf_printf(out, " %" PRIu64 " times", n->count);
	if (*words_done(n))
		pv_buf_printf(out, "; %s", words_done(n));
	pv_buf_printf(out, " [%" PRIu64 "]\n", n->row);
}

static void print_steps(struct pv_buf *out, const struct story *s, const struct words_style *style)
{
	if (s->n < 2)
		return;
	heading(out, "what happened, and when");
	for (size_t i = 0; i < s->n; i++)
		print_step(out, s, &s->steps[i], style);
	if (s->more) {
		pv_buf_printf(out, "  %zu more: pavise events --since 1h --subject ", s->more);
		words_shell(out, s->event->subject);
		pv_buf_putc(out, '\n');
	}
}

static void print_evidence(struct pv_buf *out, const struct notice *n)
{
	static const char *const what[] = { "evidence", "taken", "missing" };
	const char *where = value_of(n, "evidence");

	if (!where)
		return;
	heading(out, "evidence");
	for (size_t i = 0; i < N_ELEMENTS(what); i++) {
		const char *value = value_of(n, what[i]);

		if (!value)
			continue;
		pv_buf_printf(out, "  %-9s ", i == 0 ? "lies in" : what[i]);
		pv_buf_safe(out, value, 0);
		pv_buf_putc(out, '\n');
	}
	if (*where == '/') {
		pv_autobuf archive = PV_BUF_INIT;

		pv_buf_printf(&archive, "%s/evidence.tar.zst", where);
		pv_buf_puts(out, "  look      tar --zstd -tvf ");
		words_shell(out, pv_buf_str(&archive));
		pv_buf_putc(out, '\n');
	}
}

static void print_facts(struct pv_buf *out, const struct notice *n)
{
	static const char *const told[] = { "chain", "command", "evidence", "taken", "missing" };

	pv_buf_printf(out, "\n  id        %s (%s)\n  first     ", id_info(n->id)->name, severity_name(n->severity));
	clock_local(out, n->time_us);
	pv_buf_puts(out, "\n  last      ");
	clock_local(out, n->last_us);
	pv_buf_printf(out, "\n  how often %" PRIu64 "\n  done      %s\n  %-9s ", n->count, notice_action_name(n->action),
		      subject_kind_name(n->kind));
	pv_buf_safe(out, n->subject, 0);
	if (n->cgroup)
		pv_buf_printf(out, " (cgroup %" PRIu64 ")", n->cgroup);
	pv_buf_putc(out, '\n');
	for (size_t i = 0; i < n->n_evidence; i++) {
		pv_autobuf what = PV_BUF_INIT;
		bool elsewhere = false;

		for (size_t k = 0; k < N_ELEMENTS(told); k++)
			elsewhere |= strcmp(told[k], n->evidence[i].what) == 0 && (k > 1 || value_of(n, "chain"));
		if (elsewhere)
			continue;
		pv_buf_safe(&what, n->evidence[i].what, 0);
		pv_buf_printf(out, "  %-9s ", pv_buf_str(&what));
		pv_buf_safe(out, n->evidence[i].value, 0);
		pv_buf_putc(out, '\n');
	}
}

void story_print(struct pv_buf *out, const struct story *s, const struct words_style *style)
{
	words_event_line(out, s->event, style);
	print_chain(out, s->event);
	print_steps(out, s, style);
	print_evidence(out, s->event);
	print_facts(out, s->event);
	pv_buf_printf(out, "\nwhy it matters: pavise explain %s\n", id_info(s->event->id)->name);
}

void story_json(struct pv_buf *out, const struct story *s)
{
	const char *at[CHAIN_MAX];
	size_t len[CHAIN_MAX], count = chain_of(s->event, at, len);

	pv_buf_puts(out, "{\"schema\":1,\"event\":");
	notice_json(out, s->event);
	pv_buf_puts(out, ",\"chain\":[");
	for (size_t i = 0; i < count; i++) {
		pv_buf_puts(out, i ? "," : "");
		pv_buf_json_strn(out, at[i], len[i]);
	}
	pv_buf_puts(out, "],\"story\":[");
	for (size_t i = 0; i < s->n; i++) {
		pv_buf_puts(out, i ? "," : "");
		notice_json(out, &s->steps[i]);
	}
	pv_buf_printf(out, "],\"more\":%zu}\n", s->more);
}
