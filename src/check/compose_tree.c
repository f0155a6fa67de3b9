#include "check/compose_tree.h"

#include <ctype.h>
#include <string.h>

#define EXPAND_DEPTH 8
#define EXPAND_BYTES 65536
#define MERGE_MAX    2000 /* keys of a map with merge keys: each is compared with each */

/* --- variables --- */

struct expansion {
	struct pv_buf *out;
	const struct compose_vars *vars;
	bool unsure, from_var;
};

static void expand(struct expansion *e, const char *s, size_t len, unsigned depth);

/* The end of `${...}` whose inside starts at `s`: the brace that closes it. */
static const char *closing(const char *s, const char *end)
{
	unsigned depth = 1;

	for (; s < end; s++) {
		if (s[0] == '$' && s + 1 < end && s[1] == '{') {
			depth++;
			s++;
		} else if (*s == '}' && --depth == 0) {
			return s;
		}
	}
	return NULL;
}

static size_t name_len(const char *s, const char *end)
{
	size_t n = 0;

	while (s + n < end && (isalnum((unsigned char) s[n]) || s[n] == '_') && (n || !isdigit((unsigned char) s[0])))
		n++;
	return n;
}

/* NAME and what follows it inside of the braces. */
static void variable(struct expansion *e, const char *name, size_t n, const char *rest, const char *end, unsigned depth)
{
	const struct ctr_env *v = e->vars->env ? dotenv_find(e->vars->env, name, n) : NULL;
	bool colon = rest < end && *rest == ':', has = v && (*v->value || !colon);
	char op;

	rest += colon;
	op = rest < end ? *rest++ : '\0';
	if (op == '+') {
		if (has)
			expand(e, rest, (size_t) (end - rest), depth + 1);
	} else if (has || (v && op == '\0')) {
		e->from_var = true;
		pv_buf_puts(e->out, v->value);
	} else if (op == '-') {
		expand(e, rest, (size_t) (end - rest), depth + 1);
	} else {
		e->unsure = true; /* the shell of whoever deploys may have it */
	}
}

static void expand(struct expansion *e, const char *s, size_t len, unsigned depth)
{
	const char *end = s + len;

	if (depth > EXPAND_DEPTH) {
		e->unsure = true;
		return;
	}
	while (s < end) {
		const char *next = memchr(s, '$', (size_t) (end - s)), *close;
		size_t n;

		pv_buf_add(e->out, s, (size_t) ((next ? next : end) - s));
		if (!next)
			return;
		s = next + 1;
		if (s < end && *s == '$') {
			pv_buf_putc(e->out, '$');
			s++;
		} else if (s < end && *s == '{') {
			s++;
			n = name_len(s, end);
			close = closing(s, end);
			if (!close || !n || (s[n] != '}' && !strchr(":-?+", s[n]))) {
				e->unsure = true;
				return;
			}
			variable(e, s, n, s + n, close, depth);
			s = close + 1;
		} else {
			n = name_len(s, end);
			if (!n)
				e->unsure = true; /* Compose refuses it */
			else
				variable(e, s, n, s + n, s + n, depth);
			s += n;
		}
	}
}

char *compose_expand(struct arena *a, const char *text, const struct compose_vars *vars, bool *ret_unsure,
		     bool *ret_from_var)
{
	pv_autobuf out = PV_BUF_INIT;
	struct expansion e = { .out = &out, .vars = vars };

	out.cap = EXPAND_BYTES;
	expand(&e, text, strlen(text), 0);
	*ret_unsure = e.unsure || out.cut;
	*ret_from_var = e.from_var;
	return arena_dup(a, pv_buf_str(&out));
}

/* --- from YAML --- */

struct builder {
	struct arena *a;
	const char *file;
	const struct compose_vars *vars;
	size_t *budget;
	struct pv_buf *why;
	unsigned line;
};

static struct cv *build(struct builder *b, const struct yaml_node *n, unsigned depth);

static struct cv *wrong(struct builder *b, const struct yaml_node *n, const char *why)
{
	if (!b->why->len) {
		pv_buf_puts(b->why, why);
		b->line = n->line;
	}
	return NULL;
}

static int add_child(struct arena *a, struct cv *to, struct cv *child)
{
	struct cv **list = child ? arena_grow(a, to->child, to->n, sizeof(*list)) : NULL;

	if (!list)
		return -ENOMEM;
	to->child = list;
	to->child[to->n++] = child;
	return 0;
}

static struct cv *find(const struct cv *map, const char *key)
{
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->child[i]->key, key) == 0)
			return map->child[i];
	return NULL;
}

/* `<<: *x`, `<<: [*x, *y]`: what is not there yet. */
static int merge_key(struct builder *b, struct cv *map, const struct yaml_node *value, unsigned depth)
{
	struct cv *from;

	if (value->kind == YAML_LIST) {
		for (size_t i = 0; i < value->n; i++)
			if (value->child[i]->kind != YAML_MAP || merge_key(b, map, value->child[i], depth) < 0)
				return -EINVAL;
		return 0;
	}
	from = value->kind == YAML_MAP ? build(b, value, depth + 1) : NULL;
	if (from && from->n + map->n > MERGE_MAX)
		return -EFBIG;
	for (size_t i = 0; from && i < from->n; i++)
		if (!find(map, from->child[i]->key) && add_child(b->a, map, from->child[i]) < 0)
			return -ENOMEM;
	return from ? 0 : -EINVAL;
}

static int build_map(struct builder *b, struct cv *v, const struct yaml_node *n, unsigned depth)
{
	for (size_t i = 0; i + 1 < n->n; i += 2) {
		struct cv *child;

		if (strcmp(n->child[i]->text, "<<") == 0)
			continue;
		child = build(b, n->child[i + 1], depth + 1);
		if (!child)
			return -EINVAL;
		child->key = arena_dup(b->a, n->child[i]->text);
		if (child->null || child->kind != YAML_SCALAR) /* where the key stands says more */
			child->line = n->child[i]->line;
		if (!child->key || add_child(b->a, v, child) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i + 1 < n->n; i += 2)
		if (strcmp(n->child[i]->text, "<<") == 0 && merge_key(b, v, n->child[i + 1], depth) < 0)
			return wrong(b, n->child[i], "a merge key takes a map or a list of maps"), -EINVAL;
	return 0;
}

static struct cv *build(struct builder *b, const struct yaml_node *n, unsigned depth)
{
	struct cv *v;

	if (depth > COMPOSE_DEPTH || *b->budget == 0)
		return wrong(b, n, "too large: its anchors add up to more values than are read");
	--*b->budget;
	v = arena_alloc(b->a, sizeof(*v));
	if (!v)
		return wrong(b, n, "no memory");
	v->kind = n->kind;
	v->line = n->line;
	v->file = b->file;
	v->null = n->null;
	v->reset = n->tag && strcmp(n->tag, "!reset") == 0;
	v->override = n->tag && strcmp(n->tag, "!override") == 0;
	if (n->kind == YAML_SCALAR) {
		v->text = compose_expand(b->a, n->text, b->vars, &v->unsure, &v->from_var);
		return v->text ? v : wrong(b, n, "no memory");
	}
	if (n->kind == YAML_MAP)
		return build_map(b, v, n, depth) < 0 ? NULL : v;
	for (size_t i = 0; i < n->n; i++)
		if (add_child(b->a, v, build(b, n->child[i], depth + 1)) < 0)
			return NULL;
	return v;
}

struct cv *compose_parse(struct arena *a, const char *text, size_t len, const char *file,
			 const struct compose_vars *vars, size_t *budget, unsigned *ret_line, struct pv_buf *why)
{
	struct builder b = { .a = a, .file = file, .vars = vars, .budget = budget, .why = why };
	pv_auto(yaml_doc) doc = NULL;
	const struct yaml_node *root = NULL;
	unsigned column;
	struct cv *v;

	if (yaml_doc_parse_tagged(text, len, &doc, &root, ret_line, &column, why) < 0)
		return NULL;
	if (!root) {
		pv_buf_puts(why, "is empty");
		*ret_line = 1;
		return NULL;
	}
	v = build(&b, root, 0);
	if (v && v->kind != YAML_MAP) {
		pv_buf_puts(why, "is no map");
		b.line = root->line;
		v = NULL;
	}
	*ret_line = b.line;
	if (!v && !why->len)
		pv_buf_puts(why, "no memory");
	return v;
}

/* --- merging --- */

struct cv *compose_get(const struct cv *map, const char *key)
{
	return map && map->kind == YAML_MAP ? find(map, key) : NULL;
}

/* ["A=b", "C"] as {A: b, C: null} */
static struct cv *as_map(struct arena *a, struct cv *list)
{
	struct cv *map = arena_alloc(a, sizeof(*map));

	if (!map || list->kind != YAML_LIST)
		return list;
	*map = (struct cv){
		.kind = YAML_MAP, .key = list->key, .file = list->file, .line = list->line, .override = list->override
	};
	for (size_t i = 0; i < list->n; i++) {
		const struct cv *from = list->child[i];
		const char *eq = from->kind == YAML_SCALAR ? strchr(from->text, '=') : NULL;
		struct cv *v = from->kind == YAML_SCALAR ? arena_alloc(a, sizeof(*v)) : NULL;

		if (!v)
			continue;
		*v = *from;
		v->key = arena_ndup(a, from->text, eq ? (size_t) (eq - from->text) : strlen(from->text));
		v->text = eq ? arena_dup(a, eq + 1) : "";
		v->null = !eq;
		if (v->key)
			(void) add_child(a, map, v);
	}
	return map;
}

static bool keyed(const char *key)
{
	return key && (strcmp(key, "environment") == 0 || strcmp(key, "labels") == 0 || strcmp(key, "args") == 0);
}

static bool replaced(const char *key)
{
	return key && (strcmp(key, "command") == 0 || strcmp(key, "entrypoint") == 0 || strcmp(key, "test") == 0);
}

static struct cv *merge_maps(struct arena *a, const struct cv *base, const struct cv *over)
{
	struct cv *out = arena_alloc(a, sizeof(*out));

	if (!out)
		return NULL;
	*out = *over;
	out->n = 0;
	out->child = NULL;
	for (size_t i = 0; i < base->n; i++) {
		struct cv *same = find(over, base->child[i]->key),
			  *v = same ? compose_merge(a, base->child[i], same) : base->child[i];

		if (v)
			(void) add_child(a, out, v);
	}
	for (size_t i = 0; i < over->n; i++)
		if (!find(base, over->child[i]->key) && !over->child[i]->reset)
			(void) add_child(a, out, over->child[i]);
	return out;
}

static struct cv *merge_lists(struct arena *a, const struct cv *base, const struct cv *over)
{
	struct cv *out = arena_alloc(a, sizeof(*out));

	if (!out)
		return NULL;
	*out = *over;
	out->n = 0;
	out->child = NULL;
	for (size_t i = 0; i < base->n; i++)
		(void) add_child(a, out, base->child[i]);
	for (size_t i = 0; i < over->n; i++)
		(void) add_child(a, out, over->child[i]);
	return out;
}

struct cv *compose_merge(struct arena *a, struct cv *base, struct cv *over)
{
	if (over && over->reset)
		return NULL;
	if (!base || !over || over->override || replaced(over->key))
		return over ? over : base;
	if (keyed(over->key)) {
		base = as_map(a, base);
		over = as_map(a, over);
	}
	if (base->kind == YAML_MAP && over->kind == YAML_MAP)
		return merge_maps(a, base, over);
	if (base->kind == YAML_LIST && over->kind == YAML_LIST)
		return merge_lists(a, base, over);
	return over->null ? base : over;
}
