#include <string.h>

#include "base/mask.h"
#include "logs/inside.h"

struct secret_at {
	size_t start, len;
	bool password;
};

#define SECRETS_MAX 16

struct secrets {
	struct secret_at at[SECRETS_MAX];
	size_t n;
	bool more;
};

static int add(struct secrets *s, const struct match_hit *h)
{
	size_t i = s->n;

	if (s->n == SECRETS_MAX) {
		s->more = true;
		return 1;
	}
	while (i && s->at[i - 1].start > h->secret.start) {
		s->at[i] = s->at[i - 1];
		i--;
	}
	s->at[i] = (struct secret_at){ h->secret.start, h->secret.len, h->rule->password };
	s->n++;
	return 0;
}

static void find(struct logs_reader *r, const struct line *l, struct secrets *s)
{
	for (size_t i = 0; i < l->n_ids; i++) {
		const struct rule *rule = rules_get(r->l->rs, l->id[i]);
		struct match_hit h;
		size_t from = 0;

		if (rule->kind != RULE_SECRET)
			continue;
		while (from < l->len && match_confirm(r->l->set, r->w->scratch, l->id[i], l->text, l->len, from, &h, NULL) == 1) {
			if (add(s, &h))
				return;
			from = PV_MAX(h.secret.start + h.secret.len, from + 1);
		}
	}
}

void logs_shown(struct logs_reader *r, const char *text, size_t len, size_t max, struct pv_buf *out)
{
	struct line l = { .text = text, .len = PV_MIN(len, (size_t) LOG_LINE_MAX), .id = r->w->shown_ids };
	struct secrets s = { .n = 0 };
	size_t from = 0, start = out->len;

	if (line_scan(r, &l) == 0)
		find(r, &l, &s);
	for (size_t i = 0; i < s.n && out->len - start < max; i++) {
		size_t end = s.at[i].start + s.at[i].len;

		if (end <= from)
			continue;
		if (s.at[i].start > from)
			pv_buf_add(out, text + from, s.at[i].start - from);
		mask_secret(out, s.at[i].password ? MASK_PASSWORD : MASK_TOKEN, text + s.at[i].start, s.at[i].len);
		from = end;
	}
	if (s.more)
		pv_buf_puts(out, " (more secrets: the rest is left out)");
	else if (from < l.len)
		pv_buf_add(out, text + from, PV_MIN(l.len - from, max));
	if (out->len - start > max) {
		out->len = start + max;
		out->data[out->len] = '\0';
	}
}
