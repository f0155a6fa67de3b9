#include "check/last.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEAD  "pavise audit 1 " /* and the time of the run */
#define NAMES 3

struct line {
	char fingerprint[33], id[64];
	uint64_t first;
	const char *name; /* not terminated */
	size_t name_len;
};

void last_diff_done(struct last_diff *d)
{
	pv_buf_done(&d->fresh_names);
	pv_buf_done(&d->mended_names);
	pv_buf_done(&d->kept);
}

/* One word of these characters and the blank behind it, and where the next begins; NULL: it is none, or too long. */
static const char *take_word(const char *s, const char *set, char *ret, size_t size)
{
	size_t n = s ? strspn(s, set) : 0;

	if (!n || n >= size || s[n] != ' ')
		return NULL;
	memcpy(ret, s, n);
	ret[n] = '\0';
	return s + n + 1;
}

static bool read_line(const char *s, size_t len, struct line *l)
{
	char first[24];
	const char *at = take_word(s, "0123456789abcdef", l->fingerprint, sizeof(l->fingerprint));

	at = take_word(at, "0123456789", first, sizeof(first));
	at = take_word(at, "abcdefghijklmnopqrstuvwxyz0123456789.-", l->id, sizeof(l->id));
	if (!at || (size_t) (at - s) + 2 > len || *at != '"' || s[len - 1] != '"')
		return false;
	l->first = strtoull(first, NULL, 10);
	l->name = at;
	l->name_len = len - (size_t) (at - s);
	return true;
}

static void tell(struct pv_buf *to, size_t n, const char *id, const char *name, size_t len)
{
	if (n > NAMES)
		return;
	if (n == NAMES) {
		pv_buf_puts(to, ", ...");
		return;
	}
	pv_buf_printf(to, "%s%s ", n ? ", " : "", id);
	pv_buf_add(to, name, len);
}

static struct finding *now_failing(const struct finding_list *l, const char *fingerprint)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->item[i]->verdict == FINDING_FAIL && strcmp(l->item[i]->fingerprint, fingerprint) == 0)
			return l->item[i];
	return NULL;
}

static bool same_name(const struct finding *f, const struct line *old)
{
	pv_autobuf name = PV_BUF_INIT;

	pv_buf_json_str(&name, f->subject.name ? f->subject.name : "");
	return name.len == old->name_len && memcmp(name.data, old->name, name.len) == 0;
}

/* Nothing of that id could be checked for certain but what has an answer of its own. */
static bool not_seen(const struct finding_list *l, enum id id, const struct line *old)
{
	bool unknown = false;

	for (size_t i = 0; i < l->n; i++) {
		const struct finding *f = l->item[i];

		if (f->id != id)
			continue;
		if (f->verdict != FINDING_UNKNOWN && f->verdict != FINDING_FAIL && same_name(f, old))
			return false;
		unknown |= f->verdict == FINDING_UNKNOWN;
	}
	return unknown;
}

static void take(struct finding_list *l, const struct check_select *s, const struct line *old, struct last_diff *d)
{
	struct finding *f = now_failing(l, old->fingerprint);
	pv_autobuf safe = PV_BUF_INIT;
	pv_autofree char *name = NULL;
	enum id id;

	if (f) {
		f->first_seen_us = old->first;
		return;
	}
	if (id_parse(old->id, &id) < 0 || !s->on[id])
		return;
	if (not_seen(l, id, old)) {
		pv_buf_printf(&d->kept, "%s %" PRIu64 " %s ", old->fingerprint, old->first, old->id);
		pv_buf_add(&d->kept, old->name, old->name_len);
		pv_buf_putc(&d->kept, '\n');
		return;
	}
	name = strndup(old->name + 1, old->name_len - 2); /* without its quotes */
	pv_buf_safe(&safe, name ? name : "", 80);
	tell(&d->mended_names, d->mended++, old->id, pv_buf_str(&safe), safe.len);
}

void last_compare(struct finding_list *l, const struct check_select *s, const char *text, uint64_t now_us,
		  struct last_diff *ret)
{
	const char *p = text;

	*ret = (struct last_diff){ .when_us = 0 };
	if (p && strncmp(p, HEAD, sizeof(HEAD) - 1) == 0)
		ret->when_us = strtoull(p + sizeof(HEAD) - 1, NULL, 10);
	while (p && ret->when_us && (p = strchr(p, '\n')) && *++p) {
		size_t len = strcspn(p, "\n");
		struct line old;

		if (p[len] == '\n' && read_line(p, len, &old))
			take(l, s, &old, ret);
	}
	for (size_t i = 0; i < l->n; i++) {
		struct finding *f = l->item[i];
		pv_autobuf name = PV_BUF_INIT;

		if (f->verdict != FINDING_FAIL || f->first_seen_us)
			continue;
		f->first_seen_us = now_us;
		if (!ret->when_us || !finding_fails(f))
			continue;
		pv_buf_safe(&name, f->subject.name ? f->subject.name : "", 80);
		tell(&ret->fresh_names, ret->fresh++, id_info(f->id)->name, pv_buf_str(&name), name.len);
	}
}

void last_write(struct pv_buf *out, const struct finding_list *l, const struct last_diff *d, uint64_t now_us)
{
	pv_buf_printf(out, HEAD "%" PRIu64 "\n", now_us);
	for (size_t i = 0; i < l->n; i++) {
		const struct finding *f = l->item[i];

		if (f->verdict != FINDING_FAIL || !*f->fingerprint)
			continue;
		pv_buf_printf(out, "%s %" PRIu64 " %s ", f->fingerprint, f->first_seen_us ? f->first_seen_us : now_us,
			      id_info(f->id)->name);
		pv_buf_json_str(out, f->subject.name ? f->subject.name : "");
		pv_buf_putc(out, '\n');
	}
	pv_buf_add(out, pv_buf_str(&d->kept), d->kept.len);
}
