#include "host/gitignore.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"

#define STEPS_MAX 20000

struct pattern {
	char *text;	/* without slashes at the ends and without `!` */
	char *folder;	/* it counts below; "" at the top */
	size_t folder_len, literal; /* literal: bytes before the first special character */
	bool negated, dir_only, anchored, plain; /* plain: no special character at all */
};

struct gitignore {
	struct pattern *item;
	size_t n, room;
};

int gitignore_new(struct gitignore **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

size_t gitignore_mark(const struct gitignore *g)
{
	return g->n;
}

void gitignore_back(struct gitignore *g, size_t mark)
{
	while (g->n > mark) {
		g->n--;
		free(g->item[g->n].text);
		free(g->item[g->n].folder);
	}
}

struct gitignore *gitignore_free(struct gitignore *g)
{
	if (g) {
		gitignore_back(g, 0);
		free(g->item);
	}
	free(g);
	return NULL;
}

/* --- globs --- */

struct glob {
	unsigned steps;
};

static bool glob(struct glob *g, const char *p, const char *t);

/* One [set]; *pp is behind it afterwards. 1, 0, or -1 when it is not closed. */
static int in_set(const char **pp, unsigned char c)
{
	const unsigned char *p = (const unsigned char *) *pp + 1;
	bool negated = *p == '!' || *p == '^', found = false;

	p += negated;
	for (bool first = true; first || *p != ']'; first = false) {
		unsigned char lo, hi;

		if (!*p)
			return -1;
		lo = *p++;
		if (lo == '\\' && *p)
			lo = *p++;
		hi = lo;
		if (*p == '-' && p[1] && p[1] != ']') {
			hi = p[1];
			p += 2;
			if (hi == '\\' && *p)
				hi = *p++;
		}
		found |= c >= lo && c <= hi;
	}
	*pp = (const char *) p + 1;
	return found != negated;
}

/* p is behind the stars. `deep`: they may take slashes. */
static bool stars(struct glob *g, const char *p, const char *t, bool deep)
{
	for (;; t++) {
		if (glob(g, p, t))
			return true;
		if (!*t || (!deep && *t == '/') || g->steps > STEPS_MAX)
			return false;
	}
}

static bool double_star(struct glob *g, const char *start, const char *p, const char *t)
{
	const char *after = p;

	while (*after == '*')
		after++;
	/* Only a whole component is special: it stands for any number of folders. */
	if ((p == start || p[-1] == '/') && (*after == '/' || !*after) && after - p == 2) {
		if (!*after)
			return true;
		if (glob(g, after + 1, t)) /* no folder at all */
			return true;
		for (; *t && g->steps <= STEPS_MAX; t++)
			if (*t == '/' && glob(g, after + 1, t + 1))
				return true;
		return false;
	}
	return stars(g, after, t, false);
}

static bool glob_from(struct glob *g, const char *start, const char *p, const char *t)
{
	for (; *p; t++) {
		int r;

		if (g->steps++ > STEPS_MAX)
			return false;
		switch (*p) {
		case '*':
			return p[1] == '*' ? double_star(g, start, p, t) : stars(g, p + 1, t, false);
		case '?':
			if (!*t || *t == '/')
				return false;
			p++;
			break;
		case '[':
			if (!*t || *t == '/')
				return false;
			r = in_set(&p, (unsigned char) *t);
			if (r <= 0)
				return false;
			break;
		case '\\':
			if (p[1])
				p++; /* fall through to the character itself */
			/* FALLTHROUGH */
		default:
			if (*p != *t)
				return false;
			p++;
		}
	}
	return !*t;
}

static bool glob(struct glob *g, const char *p, const char *t)
{
	/* What came before was matched: a `**` here stands at a start only if a slash is before it, which p[-1] tells. */
	return glob_from(g, NULL, p, t);
}

bool gitignore_glob(const char *pattern, const char *text)
{
	struct glob g = { .steps = 0 };

	return glob_from(&g, pattern, pattern, text);
}

/* --- reading --- */

static size_t clean_end(char *line)
{
	size_t n = strlen(line);

	if (n && line[n - 1] == '\r')
		line[--n] = '\0';
	while (n && line[n - 1] == ' ' && !(n > 1 && line[n - 2] == '\\'))
		line[--n] = '\0';
	return n;
}

static int add_line(struct gitignore *g, const char *folder, char *line)
{
	struct pattern p = { .folder_len = strlen(folder) };
	size_t n = clean_end(line);

	if (!n || *line == '#')
		return 0;
	if (*line == '!') {
		p.negated = true;
		line++;
		n--;
	}
	if (n && line[n - 1] == '/') {
		p.dir_only = true;
		line[--n] = '\0';
	}
	if (strchr(line, '/'))
		p.anchored = true;
	line += *line == '/';
	if (!*line)
		return 0;
	if (g->n >= GITIGNORE_PATTERNS)
		return -ENOSPC;
	if (pv_grow(&g->item, g->n, &g->room, sizeof(*g->item), 64) < 0)
		return -ENOMEM;
	p.literal = strcspn(line, "*?[\\");
	p.plain = !line[p.literal];
	p.text = strdup(line);
	p.folder = strdup(folder);
	if (!p.text || !p.folder) {
		free(p.text);
		free(p.folder);
		return -ENOMEM;
	}
	g->item[g->n++] = p;
	return 0;
}

int gitignore_add(struct gitignore *g, const char *folder, const char *text, size_t len)
{
	const char *end = text + len;
	int r = 0;

	for (const char *p = text, *next; p < end && r == 0; p = next) {
		const char *nl = memchr(p, '\n', (size_t) (end - p));
		pv_autofree char *line = strndup(p, (size_t) ((nl ? nl : end) - p));

		next = nl ? nl + 1 : end;
		r = line ? add_line(g, folder, line) : -ENOMEM;
	}
	return r;
}

int gitignore_add_file(struct gitignore *g, int dir_fd, const char *name, const char *folder)
{
	pv_autofree char *text = NULL;
	size_t len = 0;
	int r = gitdir_read(dir_fd, name, GITIGNORE_FILE_MAX, false, &text, &len);

	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR ? 0 : r;
	return gitignore_add(g, folder, text, len);
}

int gitignore_add_exclude(struct gitignore *g, const struct gitdir *git)
{
	pv_autofree char *path = NULL;

	if (asprintf(&path, "%s/info/exclude", git->common_dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return gitignore_add_file(g, AT_FDCWD, path, "");
}

/* --- matching --- */

static bool pattern_match(const struct pattern *p, const char *path, const char *name, bool is_dir)
{
	const char *text = path;

	if (p->dir_only && !is_dir)
		return false;
	if (p->folder_len) {
		if (strncmp(path, p->folder, p->folder_len) != 0 || path[p->folder_len] != '/')
			return false;
		text = path + p->folder_len + 1;
	}
	if (!p->anchored)
		text = name;
	if (p->plain)
		return strcmp(p->text, text) == 0;
	return strncmp(p->text, text, p->literal) == 0 && gitignore_glob(p->text, text);
}

bool gitignore_match(const struct gitignore *g, const char *path, bool is_dir)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = g->n; i-- > 0;) /* the last one decides */
		if (pattern_match(&g->item[i], path, name, is_dir))
			return !g->item[i].negated;
	return false;
}

int gitignore_check(const struct gitdir *git, const char *path, bool is_dir)
{
	pv_auto(gitignore) g = NULL;
	pv_autofree char *part = strdup(path);
	pv_autoclose int top = -1;
	int r = gitignore_new(&g);

	if (r < 0 || !part || !git->work_tree)
		return r < 0 ? r : !part ? -ENOMEM : -EINVAL;
	top = open(git->work_tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return -errno;
	r = gitignore_add_exclude(g, git);
	if (r == 0)
		r = gitignore_add_file(g, top, ".gitignore", "");
	for (char *slash = part; r >= 0 && (slash = strchr(slash, '/')); slash++) {
		pv_autofree char *file = NULL;

		*slash = '\0';
		if (gitignore_match(g, part, true))
			return 1;
		if (asprintf(&file, "%s/.gitignore", part) < 0) {
			file = NULL;
			return -ENOMEM;
		}
		r = gitignore_add_file(g, top, file, part);
		*slash = '/';
	}
	return r < 0 ? r : gitignore_match(g, path, is_dir);
}
