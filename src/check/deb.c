#include "check/deb.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Letters before everything else, ~ before the end (deb-version(7), "Sorting algorithm"). */
static int order(char c)
{
	if (c == '~')
		return -1;
	if (!c || isdigit((unsigned char) c))
		return 0;
	return isalpha((unsigned char) c) ? (unsigned char) c : (unsigned char) c + 256;
}

static int part_cmp(const char *a, const char *a_end, const char *b, const char *b_end)
{
	while (a < a_end || b < b_end) {
		long first = 0;

		while ((a < a_end && !isdigit((unsigned char) *a)) || (b < b_end && !isdigit((unsigned char) *b))) {
			int x = order(a < a_end ? *a : '\0'), y = order(b < b_end ? *b : '\0');

			if (x != y)
				return x - y;
			a += a < a_end;
			b += b < b_end;
		}
		while (a < a_end && *a == '0')
			a++;
		while (b < b_end && *b == '0')
			b++;
		while (a < a_end && isdigit((unsigned char) *a) && b < b_end && isdigit((unsigned char) *b)) {
			first = first ? first : *a - *b;
			a++;
			b++;
		}
		if (a < a_end && isdigit((unsigned char) *a))
			return 1;
		if (b < b_end && isdigit((unsigned char) *b))
			return -1;
		if (first)
			return first < 0 ? -1 : 1;
	}
	return 0;
}

static unsigned long epoch(const char **s)
{
	const char *colon = strchr(*s, ':');
	unsigned long n = colon ? strtoul(*s, NULL, 10) : 0;

	*s = colon ? colon + 1 : *s;
	return n;
}

int deb_version_cmp(const char *a, const char *b)
{
	unsigned long x = epoch(&a), y = epoch(&b);
	const char *a_end = a + strlen(a), *b_end = b + strlen(b), *a_rev = strrchr(a, '-'), *b_rev = strrchr(b, '-');
	int r;

	if (x != y)
		return x < y ? -1 : 1;
	r = part_cmp(a, a_rev ? a_rev : a_end, b, b_rev ? b_rev : b_end);
	if (r)
		return r;
	return part_cmp(a_rev ? a_rev + 1 : a_end, a_end, b_rev ? b_rev + 1 : b_end, b_end);
}

static bool field(const char *line, size_t len, const char *key, char *out, size_t size)
{
	size_t n = strlen(key);

	if (len < n + 2 || memcmp(line, key, n) != 0 || line[n] != ':')
		return false;
	for (n++; n < len && line[n] == ' ';)
		n++;
	(void) snprintf(out, size, "%.*s", (int) PV_MIN(len - n, size - 1), line + n);
	return true;
}

bool deb_line(struct deb_stanza *s, const char *line, size_t len)
{
	char status[64];

	if (!len)
		return s->any;
	if (field(line, len, "Package", s->name, sizeof(s->name)))
		s->any = true;
	else if (field(line, len, "Status", status, sizeof(status)))
		s->installed = strcmp(status, "install ok installed") == 0;
	else if (!field(line, len, "Architecture", s->arch, sizeof(s->arch)))
		(void) field(line, len, "Version", s->version, sizeof(s->version));
	return false;
}

void deb_installed(struct arena *a, struct deb_packages *to, const struct deb_stanza *s)
{
	struct deb_package *list = s->installed ? arena_grow(a, to->item, to->n, sizeof(*list)) : NULL;

	if (!list)
		return;
	to->item = list;
	list[to->n] = (struct deb_package){ arena_dup(a, s->name), arena_dup(a, s->arch), arena_dup(a, s->version), NULL };
	to->n += list[to->n].version != NULL;
}

static int by_name(const void *pa, const void *pb)
{
	const struct deb_package *a = pa, *b = pb;

	return strcmp(a->name, b->name);
}

void deb_offered(struct arena *a, struct deb_packages *l, const struct deb_stanza *s)
{
	const struct deb_package key = { .name = s->name };
	struct deb_package *p;

	if (!l->sorted && l->n > 1)
		qsort(l->item, l->n, sizeof(*l->item), by_name);
	l->sorted = true;
	p = l->n ? bsearch(&key, l->item, l->n, sizeof(*l->item), by_name) : NULL;
	while (p && p > l->item && strcmp(p[-1].name, s->name) == 0)
		p--;
	for (; p && p < l->item + l->n && strcmp(p->name, s->name) == 0; p++)
		if ((strcmp(p->arch, s->arch) == 0 || strcmp(s->arch, "all") == 0 || strcmp(p->arch, "all") == 0) &&
		    deb_version_cmp(p->version, s->version) < 0 &&
		    (!p->newer || deb_version_cmp(p->newer, s->version) < 0))
			p->newer = arena_dup(a, s->version);
}
