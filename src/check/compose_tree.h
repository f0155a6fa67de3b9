/* compose_tree.h - a Compose file as the tree that Compose itself would see: anchors and merge keys resolved, variables
 * filled in, overrides merged. Every value keeps the line it stands in. Hostile text is capped: values in all, levels,
 * files. */
#ifndef PV_CHECK_COMPOSE_TREE_H
#define PV_CHECK_COMPOSE_TREE_H

#include "check/dotenv.h"
#include "model/conf_yaml.h"

#define COMPOSE_VALUES 60000 /* of all files together, copies of anchors included */
#define COMPOSE_FILES  32
#define COMPOSE_DEPTH  64

struct cv { /* a value */
	enum yaml_kind kind;
	const char *text; /* of a scalar */
	const char *key;  /* inside of a map */
	const char *file;
	unsigned line;
	bool null;
	bool unsure;          /* holds a variable that has no value here */
	bool from_var;        /* holds the value of a variable from an .env file */
	bool reset, override; /* the tags !reset and !override */
	size_t n;
	struct cv **child;
};

struct compose_vars {
	const struct dotenv *env; /* may be NULL */
};

/* Reads `text`. NULL on an error: *ret_line and `why` say where and what. *budget counts down the values. */
struct cv *compose_parse(struct arena *a, const char *text, size_t len, const char *file,
			 const struct compose_vars *vars, size_t *budget, unsigned *ret_line, struct pv_buf *why);
/* `over` on top of `base`: maps by key, lists one behind the other, all else replaced; `command`, `entrypoint` and
 * `test` are replaced whole. Either may be NULL. */
struct cv *compose_merge(struct arena *a, struct cv *base, struct cv *over);
struct cv *compose_get(const struct cv *map, const char *key); /* NULL: absent, or no map */

/* Variables of one text: $X ${X} ${X:-d} ${X-d} ${X:?e} ${X?e} ${X:+r} ${X+r} $$. */
char *compose_expand(struct arena *a, const char *text, const struct compose_vars *vars, bool *ret_unsure,
		     bool *ret_from_var);

#endif
