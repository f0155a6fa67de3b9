/* conf_yaml.h - hostile YAML 1.2 text into a small tree with positions. Aliases point to the node they name (nothing
 * is copied, so nothing explodes); everything is capped; libfyaml's own messages become ours. */
#ifndef PV_MODEL_CONF_YAML_H
#define PV_MODEL_CONF_YAML_H

#include "base/buf.h"

#define YAML_TEXT_MAX  (1u << 20)
#define YAML_DEPTH_MAX 64
#define YAML_ALIAS_MAX 100
#define YAML_NODE_MAX  20000

enum yaml_kind { YAML_SCALAR, YAML_MAP, YAML_LIST };

struct yaml_node {
	enum yaml_kind kind;
	bool null;	/* a scalar that was left empty, or ~ or null */
	unsigned line, column; /* from 1 */
	char *text;	/* scalar, NUL-terminated, holds no other NUL */
	char *tag;	/* "!reset"; only by yaml_doc_parse_tagged(), else NULL */
	size_t n;	/* children; of a map: keys and values in turn */
	struct yaml_node **child;
};

struct yaml_doc;
/* *ret_root is NULL for a file without content; both live until yaml_doc_free(). -EINVAL: the reason and its position
 * are in *ret_line, *ret_column and `why`. Duplicate keys, a second document and tags other than !!str are refused. */
int yaml_doc_parse(const char *text, size_t len, struct yaml_doc **ret, const struct yaml_node **ret_root,
		   unsigned *ret_line, unsigned *ret_column, struct pv_buf *why);
/* The same for files of other programs: tags are kept for the caller to judge. */
int yaml_doc_parse_tagged(const char *text, size_t len, struct yaml_doc **ret, const struct yaml_node **ret_root,
			  unsigned *ret_line, unsigned *ret_column, struct pv_buf *why);
struct yaml_doc *yaml_doc_free(struct yaml_doc *d);
PV_AUTO(yaml_doc)

#endif
