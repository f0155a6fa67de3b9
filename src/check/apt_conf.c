#include "check/apt_conf.h"

#include <stdio.h>
#include <string.h>

#define DEPTH	16
#define NAME	256
#define BETWEEN " \t\r\n"

struct reading {
	const char *p;
	char scope[NAME]; /* of the blocks around, each with `::` behind it */
	size_t mark[DEPTH], depth, over; /* over: blocks beyond that, in which nothing is ours */
	char name[NAME], value[APT_VALUE]; /* of the statement under way */
	bool has_name, has_value;
};

/* Blanks and comments. `#clear` is none. */
static void skip(struct reading *r)
{
	for (;;) {
		r->p += strspn(r->p, BETWEEN);
		if (strncmp(r->p, "/*", 2) == 0)
			r->p = strstr(r->p, "*/") ? strstr(r->p, "*/") + 2 : strchr(r->p, '\0');
		else if (strncmp(r->p, "//", 2) == 0 || (*r->p == '#' && strncmp(r->p, "#clear", 6) != 0))
			r->p += strcspn(r->p, "\n");
		else
			return;
	}
}

/* One word, its quotes off; cut to the room. */
static void word(struct reading *r, char *out, size_t size)
{
	bool quoted = false;
	size_t n = 0;

	for (; *r->p && (quoted || !strchr(BETWEEN ";{}", *r->p)); r->p++) {
		if (*r->p == '"')
			quoted = !quoted;
		else if (n + 1 < size)
			out[n++] = *r->p;
	}
	out[n] = '\0';
}

static void whole_name(const struct reading *r, char out[2 * NAME])
{
	(void) snprintf(out, 2 * NAME, "%s%s", r->scope, r->name);
}

static bool end_statement(struct reading *r, const char *name, char ret[APT_VALUE])
{
	char whole[2 * NAME];
	bool ours;

	whole_name(r, whole);
	ours = r->has_value && !r->over && strcasecmp(whole, name) == 0;
	if (ours)
		memcpy(ret, r->value, APT_VALUE);
	r->has_name = r->has_value = false;
	return ours;
}

static bool clear(struct reading *r, const char *name, char ret[APT_VALUE])
{
	size_t n;

	r->p += strlen("#clear");
	skip(r);
	word(r, r->name, sizeof(r->name));
	n = strlen(r->name);
	if (!n || strncasecmp(name, r->name, n) != 0 || (name[n] && strncmp(name + n, "::", 2) != 0))
		return false;
	*ret = '\0';
	return true;
}

static void open_block(struct reading *r)
{
	char whole[2 * NAME];
	size_t len;

	whole_name(r, whole);
	len = strlen(whole);
	r->has_name = r->has_value = false;
	if (r->over || r->depth == DEPTH || len + 3 > sizeof(r->scope)) {
		r->over++;
		return;
	}
	r->mark[r->depth++] = strlen(r->scope);
	(void) snprintf(r->scope, sizeof(r->scope), "%.*s::", NAME - 3, whole);
}

static void close_block(struct reading *r)
{
	r->has_name = r->has_value = false;
	if (r->over)
		r->over--;
	else if (r->depth)
		r->scope[r->mark[--r->depth]] = '\0';
}

bool apt_conf_value(const char *text, const char *name, char ret[APT_VALUE])
{
	struct reading r = { .p = text };
	bool any = false;

	for (skip(&r); *r.p; skip(&r)) {
		if (*r.p == '#') {
			any |= clear(&r, name, ret);
		} else if (*r.p == ';') {
			any |= end_statement(&r, name, ret);
			r.p++;
		} else if (*r.p == '{') {
			open_block(&r);
			r.p++;
		} else if (*r.p == '}') {
			close_block(&r);
			r.p++;
		} else if (!r.has_name) {
			word(&r, r.name, sizeof(r.name));
			r.has_name = true;
		} else {
			word(&r, r.value, sizeof(r.value));
			r.has_value = true;
		}
	}
	return any;
}

bool apt_conf_part(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return n && (!name[n] || strcmp(name + n, ".conf") == 0);
}
