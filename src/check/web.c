#include "check/web.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/ip.h"

struct web_site *web_site_add(struct web *w, const char *server, const char *file, unsigned line)
{
	struct web_site *list = w->n < WEB_SITES ? arena_grow(w->arena, w->site, w->n, sizeof(*list)) : NULL;

	if (!list) {
		web_gap(w, REASON_TOO_LARGE, "more than 2000 sites");
		return NULL;
	}
	w->site = list;
	list[w->n] = (struct web_site){ .server = server, .file = file, .line = line };
	return &list[w->n++];
}

void web_name_add(struct web *w, struct web_site *s, const char *name, size_t len)
{
	char *own = len && s->n_names < WEB_NAMES ? arena_ndup(w->arena, name, len) : NULL;

	if (!own) {
		if (len)
			web_gap(w, REASON_TOO_LARGE, "more than 64 names of one site");
		return;
	}
	for (char *p = own; *p; p++)
		*p = (char) tolower((unsigned char) *p);
	if (len > 1 && own[len - 1] == '.')
		own[len - 1] = '\0';
	for (size_t i = 0; i < s->n_names; i++)
		if (strcmp(s->name[i], own) == 0)
			return;
	s->name[s->n_names++] = own;
}

void web_gap(struct web *w, enum finding_reason reason, const char *why)
{
	if (w->gap != REASON_NONE)
		return;
	w->gap = reason;
	w->gap_why = why;
}

static enum finding_reason reason_of(int r)
{
	return r == -EACCES || r == -EPERM ? REASON_PERMISSION : r == -EFBIG ? REASON_TOO_LARGE : REASON_MALFORMED;
}

struct reading {
	struct web *w;
	void (*fn)(void *arg, const char *path, const char *text, size_t len);
	void *arg;
};

static void one_file(void *arg, const char *path, const char *text, size_t len)
{
	struct reading *r = arg;

	if (r->w->files >= WEB_FILES) {
		web_gap(r->w, REASON_TOO_LARGE, "includes without end");
		return;
	}
	r->w->files++;
	r->fn(r->arg, path, text, len);
}

void web_include(struct web *w, const struct conf_source *files, const char *base, const char *pattern,
		 void (*fn)(void *arg, const char *path, const char *text, size_t len), void *arg)
{
	const char *full = *pattern == '/' ? pattern : arena_printf(w->arena, "%s/%s", base, pattern);
	struct reading reading = { w, fn, arg };
	int r;

	if (!files || !full)
		return;
	if (w->depth >= WEB_DEPTH || w->files >= WEB_FILES) {
		web_gap(w, REASON_TOO_LARGE, "includes without end");
		return;
	}
	w->depth++;
	r = files->each(files->user, full, one_file, &reading);
	w->depth--;
	if (r < 0 && r != -ENOENT)
		web_gap(w, reason_of(r), arena_dup(w->arena, full));
}

bool web_name_public(const char *name)
{
	static const char *const inner[] = { ".local", ".localhost", ".internal", ".lan", ".home", ".intranet", ".arpa" };
	const char *dot = strrchr(name, '.');
	struct ip_addr a;

	if (!dot || !dot[1] || strspn(dot + 1, "0123456789") == strlen(dot + 1) || ip_parse(name, &a) == 0 ||
	    strpbrk(name, "$~^:{}()"))
		return false;
	for (size_t i = 0; i < N_ELEMENTS(inner); i++)
		if (strcmp(dot, inner[i]) == 0)
			return false;
	return true;
}

bool web_name_covers(const char *have, const char *want)
{
	const char *dot = strchr(want, '.');

	if (strcasecmp(have, want) == 0)
		return true;
	if (have[0] == '*' && have[1] == '.')
		return dot && strcasecmp(have + 1, dot) == 0; /* one label, RFC 6125 */
	return *have == '.' && (strcasecmp(have + 1, want) == 0 || (dot && strcasecmp(have, dot) == 0));
}
