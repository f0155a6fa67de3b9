#include "check/conf_files.h"

#include <fnmatch.h>
#include <string.h>

#include "check/gather.h"

#define CONF_BYTES (1u << 20)
#define NAMES_MAX  2000

struct pattern {
	struct audit *a;
	const char *dir, *name;
	const char **found;
	size_t n;
};

static int match_name(const char *name, unsigned char type, void *user)
{
	struct pattern *p = user;
	const char **list;

	(void) type;
	if (fnmatch(p->name, name, FNM_PERIOD) != 0)
		return 0;
	list = arena_grow(&p->a->arena, p->found, p->n, sizeof(*list));
	if (!list)
		return -ENOMEM;
	p->found = list;
	p->found[p->n] = arena_printf(&p->a->arena, "%s/%s", p->dir, name);
	p->n += p->found[p->n] != NULL;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static int each_file(void *user, const char *pattern,
		     void (*fn)(void *arg, const char *path, const char *text, size_t len), void *arg)
{
	struct audit *a = user;
	const char *slash = strrchr(pattern, '/');
	struct pattern p = { .a = a,
			     .name = slash + 1,
			     .dir = arena_ndup(&a->arena, pattern, (size_t) (slash - pattern)) };
	int bad = 0;

	if (!p.dir)
		return -ENOMEM;
	if (strpbrk(p.name, "*?[")) {
		bad = hostfs_list(&a->fs, p.dir, NAMES_MAX, match_name, &p);
		if (p.n > 1)
			qsort(p.found, p.n, sizeof(*p.found), by_name);
	} else {
		p.found = &pattern;
		p.n = 1;
	}
	for (size_t i = 0; i < p.n; i++) {
		pv_autobuf text = PV_BUF_INIT;
		int r = hostfs_read(&a->fs, p.found[i], CONF_BYTES, &text);

		if (r == 0)
			fn(arg, p.found[i], pv_buf_str(&text), text.len);
		else if (bad == 0 || r != -ENOENT)
			bad = r;
	}
	return bad;
}

struct conf_source conf_source_of(struct audit *a)
{
	return (struct conf_source){ each_file, a };
}
