#include "model/conf_yaml.h"

#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct anchor {
	char *name;
	struct yaml_node *node;
};

struct yaml_doc {
	struct yaml_node **nodes; /* every node, for freeing */
	size_t n_nodes, room;
	struct anchor anchors[YAML_ALIAS_MAX];
	size_t n_anchors, n_aliases;

	struct fy_parser *parser; /* while parsing only */
	struct fy_event *event;	  /* the one looked at */
	struct pv_buf *why;
	bool tagged; /* keeps tags instead of refusing them */
	unsigned line, column;
	char message[256]; /* the library's first one */
};

/* The library's list of collected errors is never freed by it (0.7.12), so its messages are taken as they are printed. */
static void on_message(struct fy_diag *diag, void *user, const char *buf, size_t len)
{
	struct yaml_doc *d = user;

	(void) diag;
	if (!d->message[0])
		(void) snprintf(d->message, sizeof(d->message), "%.*s", (int) PV_MIN(len, sizeof(d->message) - 1), buf);
}

struct yaml_doc *yaml_doc_free(struct yaml_doc *d)
{
	for (size_t i = 0; i < d->n_nodes; i++) {
		free(d->nodes[i]->text);
		free(d->nodes[i]->tag);
		free(d->nodes[i]->child);
		free(d->nodes[i]);
	}
	free(d->nodes);
	for (size_t i = 0; i < d->n_anchors; i++)
		free(d->anchors[i].name);
	free(d);
	return NULL;
}

/* Where the event looked at starts; the library's mark of a quoted text is behind the quote. */
static void place(const struct yaml_doc *d, unsigned *ret_line, unsigned *ret_column)
{
	const struct fy_mark *m = d->event ? fy_event_start_mark(d->event) : NULL;
	struct fy_token *t = d->event && d->event->type == FYET_SCALAR ? d->event->scalar.value : NULL;
	enum fy_scalar_style style = t ? fy_token_scalar_style(t) : FYSS_PLAIN;

	*ret_line = m ? (unsigned) m->line + 1 : 1;
	*ret_column = m ? (unsigned) m->column + 1 : 1;
	if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) && *ret_column > 1)
		--*ret_column;
}

/* The first reason stays: what follows it is mostly its consequence. */
static int wrong(struct yaml_doc *d, const char *why)
{
	if (d->why->len)
		return -EINVAL;
	place(d, &d->line, &d->column);
	pv_buf_puts(d->why, why);
	return -EINVAL;
}

/* `<memory-@0x1-0x2>:3:7: error: what is wrong`, lines and columns from 1; or a bare sentence. */
static int wrong_syntax(struct yaml_doc *d)
{
	char *s = strstr(d->message, ">:");
	unsigned line = 0, column = 0;

	if (d->why->len)
		return -EINVAL;
	if (s) {
		line = (unsigned) strtoul(s + 2, &s, 10);
		column = *s == ':' ? (unsigned) strtoul(s + 1, &s, 10) : 0;
		s = strstr(s, "error: ");
	}
	d->line = PV_MAX(line, 1);
	d->column = PV_MAX(column, 1);
	s = s ? s + strlen("error: ") : d->message;
	pv_buf_puts(d->why, "is not YAML: ");
	pv_buf_safe(d->why, s, strcspn(s, "\n"));
	return -EINVAL;
}

static int next(struct yaml_doc *d)
{
	if (d->event)
		fy_parser_event_free(d->parser, d->event);
	d->event = fy_parser_parse(d->parser);
	if (!d->event || fy_parser_get_stream_error(d->parser))
		return wrong_syntax(d);
	return 0;
}

static struct yaml_node *add_node(struct yaml_doc *d, enum yaml_kind kind)
{
	struct yaml_node *n;

	if (d->n_nodes == YAML_NODE_MAX)
		return NULL;
	if (d->n_nodes == d->room) {
		size_t room = d->room ? d->room * 2 : 64;
		void *more = realloc(d->nodes, room * sizeof(*d->nodes));

		if (!more)
			return NULL;
		d->nodes = more;
		d->room = room;
	}
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->kind = kind;
	place(d, &n->line, &n->column);
	d->nodes[d->n_nodes++] = n;
	return n;
}

static int add_child(struct yaml_node *parent, struct yaml_node *child)
{
	if ((parent->n & (parent->n - 1)) == 0) { /* full at every power of two */
		void *more = realloc(parent->child, (parent->n ? parent->n * 2 : 1) * sizeof(*parent->child));

		if (!more)
			return -ENOMEM;
		parent->child = more;
	}
	parent->child[parent->n++] = child;
	return 0;
}

/* A name is set once its node is complete, so that no node can hold itself. */
static int set_anchor(struct yaml_doc *d, char *name, struct yaml_node *node)
{
	if (!name)
		return 0;
	if (d->n_anchors == YAML_ALIAS_MAX) {
		free(name);
		return wrong(d, "has too many anchors; at most 100");
	}
	d->anchors[d->n_anchors].name = name;
	d->anchors[d->n_anchors++].node = node;
	return 0;
}

static char *token_dup(struct fy_token *t)
{
	size_t len = 0;
	const char *s = t ? fy_token_get_text(t, &len) : NULL;

	return s ? strndup(s, len) : NULL;
}

static struct yaml_node *find_anchor(struct yaml_doc *d, struct fy_token *t)
{
	pv_autofree char *name = token_dup(t);

	for (size_t i = d->n_anchors; name && i > 0; i--)
		if (strcmp(d->anchors[i - 1].name, name) == 0)
			return d->anchors[i - 1].node;
	return NULL;
}

static int check_tag(struct yaml_doc *d, struct fy_token *tag)
{
	pv_autofree char *s = token_dup(tag);

	if (tag && !d->tagged && (!s || (strcmp(s, "!!str") != 0 && strcmp(s, "tag:yaml.org,2002:str") != 0)))
		return wrong(d, "has a tag (!...), which the configuration does not use; leave it out");
	return 0;
}

static int read_scalar(struct yaml_doc *d, struct yaml_node *n)
{
	struct fy_token *t = d->event->scalar.value;
	size_t len = 0;
	const char *s = t ? fy_token_get_text(t, &len) : "";
	bool plain = !t || fy_token_scalar_style(t) == FYSS_PLAIN;

	if (!s || memchr(s, '\0', len))
		return wrong(d, "holds a NUL character");
	n->text = strndup(s, len);
	if (!n->text)
		return -ENOMEM;
	n->null = plain && (len == 0 || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
	return 0;
}

static int duplicate_key(struct yaml_doc *d, const struct yaml_node *map, const struct yaml_node *key)
{
	if (key->kind != YAML_SCALAR) { /* the event looked at is its end */
		(void) wrong(d, "has a list or map as a key; keys are words");
		d->line = key->line;
		d->column = key->column;
		return -EINVAL;
	}
	for (size_t i = 0; i + 1 < map->n; i += 2)
		if (strcmp(map->child[i]->text, key->text) == 0) {
			pv_autobuf why = PV_BUF_INIT;

			pv_buf_puts(&why, "sets `");
			pv_buf_safe(&why, key->text, 48);
			pv_buf_printf(&why, "` a second time (first in line %u); keep one of the two", map->child[i]->line);
			return wrong(d, pv_buf_str(&why));
		}
	return 0;
}

static int read_node(struct yaml_doc *d, unsigned depth, struct yaml_node **ret);

/* The event looked at opened `n`; returns with its end looked at. */
static int read_children(struct yaml_doc *d, struct yaml_node *n, unsigned depth)
{
	enum fy_event_type end = n->kind == YAML_MAP ? FYET_MAPPING_END : FYET_SEQUENCE_END;

	for (;;) {
		struct yaml_node *child = NULL;
		int r = next(d);

		if (r < 0)
			return r;
		if (d->event->type == end)
			return 0;
		r = read_node(d, depth + 1, &child);
		if (r == 0 && n->kind == YAML_MAP && n->n % 2 == 0)
			r = duplicate_key(d, n, child);
		if (r == 0)
			r = add_child(n, child);
		if (r < 0)
			return r;
		if (n->kind == YAML_MAP && n->n % 2 == 0 && child->null && !child->text[0]) {
			child->line = n->child[n->n - 2]->line; /* nothing stands nowhere: its key's place */
			child->column = n->child[n->n - 2]->column;
		}
	}
}

static int read_alias(struct yaml_doc *d, struct yaml_node **ret)
{
	if (++d->n_aliases > YAML_ALIAS_MAX)
		return wrong(d, "has too many aliases; at most 100");
	*ret = find_anchor(d, d->event->alias.anchor);
	return *ret ? 0 : wrong(d, "refers to an anchor that is not set before it");
}

static int read_node(struct yaml_doc *d, unsigned depth, struct yaml_node **ret)
{
	struct fy_token *tag = NULL, *anchor = NULL;
	enum yaml_kind kind = YAML_SCALAR;
	struct yaml_node *n;
	char *name;
	int r;

	switch (d->event->type) {
	case FYET_ALIAS:
		return read_alias(d, ret);
	case FYET_SCALAR:
		tag = d->event->scalar.tag;
		anchor = d->event->scalar.anchor;
		break;
	case FYET_MAPPING_START:
		kind = YAML_MAP;
		tag = d->event->mapping_start.tag;
		anchor = d->event->mapping_start.anchor;
		break;
	case FYET_SEQUENCE_START:
		kind = YAML_LIST;
		tag = d->event->sequence_start.tag;
		anchor = d->event->sequence_start.anchor;
		break;
	default:
		return wrong(d, "is not YAML");
	}
	if (depth > YAML_DEPTH_MAX)
		return wrong(d, "is nested too deep; at most 64 levels");
	r = check_tag(d, tag);
	if (r < 0)
		return r;
	n = add_node(d, kind);
	if (!n)
		return wrong(d, "is too large; at most 20000 values");
	n->tag = d->tagged ? token_dup(tag) : NULL;
	name = anchor ? token_dup(anchor) : NULL;
	r = kind == YAML_SCALAR ? read_scalar(d, n) : read_children(d, n, depth);
	if (r < 0) {
		free(name);
		return r;
	}
	*ret = n;
	return set_anchor(d, name, n);
}

/* stream start, [document start, node, document end], stream end */
static int read_stream(struct yaml_doc *d, struct yaml_node **ret)
{
	int r = next(d);

	if (r == 0)
		r = next(d);
	if (r < 0 || d->event->type == FYET_STREAM_END)
		return r;
	r = next(d);
	if (r == 0 && d->event->type != FYET_DOCUMENT_END) {
		r = read_node(d, 1, ret);
		if (r == 0)
			r = next(d);
	}
	if (r == 0)
		r = next(d);
	if (r == 0 && d->event->type != FYET_STREAM_END)
		return wrong(d, "starts a second document; put everything into one, without ---");
	return r;
}

/* Length of the UTF-8 character at `s` (RFC 3629), 0 if it is none. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* Before the library sees it: it would take other bytes for UTF-16 and find nothing at all in them. */
static int check_text(struct yaml_doc *d, const char *text, size_t len)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_length((const unsigned char *) text + i, len - i);
		if (n == 0 || text[i] == '\0') {
			d->line = line;
			d->column = column;
			pv_buf_puts(d->why, n ? "holds a NUL character" : "is not UTF-8 text");
			return -EINVAL;
		}
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	return 0;
}

static struct fy_parser *make_parser(struct yaml_doc *d, const char *text, size_t len)
{
	const struct fy_diag_cfg diag_cfg = { .output_fn = on_message, .user = d, .level = FYET_ERROR, .module_mask = UINT32_MAX };
	struct fy_parse_cfg cfg = { .flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_DISABLE_MMAP_OPT };
	struct fy_parser *parser;

	cfg.diag = fy_diag_create(&diag_cfg);
	if (!cfg.diag)
		return NULL;
	parser = fy_parser_create(&cfg);
	fy_diag_unref(cfg.diag);
	if (parser && fy_parser_set_string(parser, text, len) != 0) {
		fy_parser_destroy(parser);
		parser = NULL;
	}
	return parser;
}

static int parse(const char *text, size_t len, bool tagged, struct yaml_doc **ret, const struct yaml_node **ret_root,
		 unsigned *ret_line, unsigned *ret_column, struct pv_buf *why)
{
	pv_auto(yaml_doc) d = calloc(1, sizeof(*d));
	struct yaml_node *root = NULL;
	int r;

	if (!d)
		return -ENOMEM;
	d->why = why;
	d->tagged = tagged;
	r = len > YAML_TEXT_MAX ? wrong(d, "is too large; at most 1 MiB") : check_text(d, text, len);
	*ret_line = d->line;
	*ret_column = d->column;
	if (r < 0)
		return r;
	d->parser = make_parser(d, text, len);
	if (!d->parser)
		return -ENOMEM;
	r = len ? read_stream(d, &root) : 0;
	if (d->event)
		fy_parser_event_free(d->parser, d->event);
	fy_parser_destroy(d->parser);
	d->parser = NULL;
	d->event = NULL;
	d->why = NULL;
	*ret_line = d->line;
	*ret_column = d->column;
	if (r < 0)
		return r;
	*ret_root = root;
	*ret = pv_steal(d);
	return 0;
}

int yaml_doc_parse(const char *text, size_t len, struct yaml_doc **ret, const struct yaml_node **ret_root,
		   unsigned *ret_line, unsigned *ret_column, struct pv_buf *why)
{
	return parse(text, len, false, ret, ret_root, ret_line, ret_column, why);
}

int yaml_doc_parse_tagged(const char *text, size_t len, struct yaml_doc **ret, const struct yaml_node **ret_root,
			  unsigned *ret_line, unsigned *ret_column, struct pv_buf *why)
{
	return parse(text, len, true, ret, ret_root, ret_line, ret_column, why);
}
