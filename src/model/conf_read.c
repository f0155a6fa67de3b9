#include "model/conf.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "model/conf_value.h"
#include "model/conf_yaml.h"
#include "model/severity.h"
#include "model/suggest.h"

#define ERRORS_MAX 20

struct reader {
	struct policy *policy;
	const char *file;
	struct pv_buf *err, *notes;
	struct conf_origins *origins;
	unsigned n_errors;
	struct pv_buf dropped; /* takes what comes after the last message that is shown */
};

/* Keys that the product knows, but this version has no use for: a file written for a later one loads. */
static const char *const reserved[] = {
	"db", "schedule", "secrets", "panel", "fleet", "alert", "notify.first_wait", "notify.remind_every", "notify.fallback", "notify.heartbeat",
};

static const char *const of_project[] = { "ci", "scan", "ignore" };

static void position(struct pv_buf *out, const struct reader *r, unsigned line, unsigned column)
{
	pv_buf_safe(out, r->file, 0);
	pv_buf_printf(out, ":%u:%u: ", line, column);
}

static struct pv_buf *error_at(struct reader *r, const struct yaml_node *n)
{
	r->n_errors++;
	if (r->n_errors == ERRORS_MAX + 1) {
		pv_buf_safe(r->err, r->file, 0);
		pv_buf_printf(r->err, ":%u:%u: and more; mend these first\n", n->line, n->column);
	}
	if (r->n_errors > ERRORS_MAX) {
		pv_buf_clear(&r->dropped);
		return &r->dropped;
	}
	position(r->err, r, n->line, n->column);
	return r->err;
}

static void error_text(struct reader *r, const struct yaml_node *n, const char *key, const char *text)
{
	struct pv_buf *b = error_at(r, n);

	pv_buf_safe(b, key, 96);
	pv_buf_printf(b, ": %s\n", text);
}

static void error_type(struct reader *r, const struct yaml_node *n, const char *key, const struct conf_item *item)
{
	static const char *const kinds[] = { "a single value", "a map", "a list" };
	struct pv_buf *b = error_at(r, n);

	pv_buf_printf(b, "%s: is %s; right would be ", key, n->null ? "empty" : kinds[n->kind]);
	conf_expect(b, item);
	pv_buf_putc(b, '\n');
}

static const struct conf_item *find_item(const char *key)
{
	for (const struct conf_item *i = conf_items; i->key; i++)
		if (strcmp(i->key, key) == 0)
			return i;
	return NULL;
}

static bool in_list(const char *const *list, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], key) == 0)
			return true;
	return false;
}

/* Whether `key` is the first part of a dotted key: a section. */
static bool is_section(const char *key)
{
	size_t len = strlen(key);

	for (const struct conf_item *i = conf_items; i->key; i++)
		if (strncmp(i->key, key, len) == 0 && i->key[len] == '.')
			return true;
	return false;
}

/* Compares within one section by the second word, at the top by sections and plain keys: `ney.ports` is as near as
 * `prots` below `net`. Returns the suggestion in `out`, empty where nothing is near. */
static void nearest_key(const char *key, char out[64])
{
	const char *dot = strchr(key, '.');
	size_t prefix = dot ? (size_t) (dot - key) + 1 : 0;
	struct suggest s = { .word = key + prefix };

	out[0] = '\0';
	for (const struct conf_item *i = conf_items; i->key; i++) {
		char word[32];
		const char *before = s.best;

		if (strncmp(i->key, key, prefix) != 0)
			continue;
		(void) snprintf(word, sizeof(word), "%.*s", (int) strcspn(i->key + prefix, "."), i->key + prefix);
		suggest_try(&s, word);
		if (s.best != before)
			(void) snprintf(out, 64, "%.*s%s", (int) PV_MIN(prefix, 31), key, word);
		s.best = out[0] ? out : NULL;
	}
}

static void unknown_key(struct reader *r, const struct yaml_node *n, const char *key)
{
	struct pv_buf *b = error_at(r, n);
	char near[64];

	nearest_key(key, near);
	pv_buf_putc(b, '`');
	pv_buf_safe(b, key, 64);
	pv_buf_puts(b, "` is not a key of the configuration");
	if (near[0])
		pv_buf_printf(b, "; did you mean `%s`?\n", near);
	else
		pv_buf_puts(b, "; all keys: pavise config sample\n");
}

static void set_origin(struct reader *r, const struct conf_item *item, const struct yaml_node *n)
{
	struct conf_origin *o;

	if (!r->origins)
		return;
	o = &r->origins->item[item - conf_items];
	(void) text_copy(o->file, sizeof(o->file), r->file);
	o->line = n->line;
}

static void read_words(struct reader *r, const struct conf_item *item, const struct yaml_node *value)
{
	conf_list_clear(r->policy, item);
	if (value->kind == YAML_SCALAR && value->null)
		return;
	if (value->kind != YAML_LIST) {
		error_type(r, value, item->key, item);
		return;
	}
	for (size_t i = 0; i < value->n; i++) {
		const struct yaml_node *word = value->child[i];
		pv_autobuf why = PV_BUF_INIT;

		if (word->kind != YAML_SCALAR || word->null)
			error_type(r, word, item->key, item);
		else if (conf_list_add(r->policy, item, word->text, &why) < 0)
			error_text(r, word, item->key, pv_buf_str(&why));
	}
}

/* One field of an entry of `exceptions` or `notify.channels`. */
struct field {
	const char *name;
	int (*set)(void *entry, const char *text, struct pv_buf *why);
	bool required;
};

static int set_except_name(void *entry, const char *text, struct pv_buf *why)
{
	struct policy_exception *e = entry;

	for (const char *s = text; *s; s++)
		if ((unsigned char) *s < 0x20 || *s == 0x7f) {
			pv_buf_puts(why, "name holds a control character");
			return -EINVAL;
		}
	if (*text && text_copy(e->name, sizeof(e->name), text))
		return 0;
	pv_buf_puts(why, "name must be 1 to 127 bytes: a workload's name as `pavise top` shows it, `*` stands for any text");
	return -EINVAL;
}

static int set_except_signal(void *entry, const char *text, struct pv_buf *why)
{
	struct policy_exception *e = entry;
	enum pv_signal s = SIGNAL_N;

	if (strcmp(text, "all") != 0 && signal_parse(text, &s) < 0) {
		pv_buf_puts(why, "signal `");
		pv_buf_safe(why, text, 48);
		pv_buf_puts(why, "` is not known; right would be " SIGNAL_LIST);
		return -EINVAL;
	}
	e->signal = (uint8_t) s;
	return 0;
}

static int set_except_action(void *entry, const char *text, struct pv_buf *why)
{
	struct policy_exception *e = entry;
	enum pv_action a;

	if (action_parse(text, &a) < 0 || (a != ACTION_IGNORE && a != ACTION_ALERT)) {
		pv_buf_puts(why, "action `");
		pv_buf_safe(why, text, 48);
		pv_buf_puts(why, "` does not fit; right would be ignore or alert");
		return -EINVAL;
	}
	e->action = (uint8_t) a;
	return 0;
}

static int set_channel_url(void *entry, const char *text, struct pv_buf *why)
{
	return conf_set_channel_url(entry, text, why);
}

static int set_channel_secret(void *entry, const char *text, struct pv_buf *why)
{
	struct policy_channel *c = entry;

	return conf_set_path(c->secret_file, text, why);
}

static int set_channel_name(void *entry, const char *text, struct pv_buf *why)
{
	struct policy_channel *c = entry;

	memset(c->name, 0, sizeof(c->name));
	for (const char *s = text; *s; s++)
		if ((unsigned char) *s < 0x20 || *s == 0x7f)
			text = "";
	if (*text && text_copy(c->name, sizeof(c->name), text))
		return 0;
	pv_buf_puts(why, "name must be 1 to 63 bytes without control characters");
	return -EINVAL;
}

static int set_channel_severity(void *entry, const char *text, struct pv_buf *why)
{
	struct policy_channel *c = entry;
	enum severity s;

	if (severity_parse(text, &s) < 0) {
		pv_buf_puts(why, "min_severity `");
		pv_buf_safe(why, text, 48);
		pv_buf_puts(why, "` is not known; right would be info, low, medium, high or critical");
		return -EINVAL;
	}
	c->min_severity = (uint8_t) s;
	return 0;
}

static int set_log_path(void *entry, const char *text, struct pv_buf *why)
{
	struct policy_log *l = entry;

	return conf_set_path(l->path, text, why);
}

static int set_log_service(void *entry, const char *text, struct pv_buf *why)
{
	struct policy_log *l = entry;

	return conf_set_service(l->service, text, why);
}

static const struct field log_fields[] = {
	{ "path", set_log_path, true },
	{ "service", set_log_service, false },
	{ NULL, NULL, false },
};

static const struct field except_fields[] = {
	{ "name", set_except_name, true },
	{ "signal", set_except_signal, false },
	{ "action", set_except_action, false },
	{ NULL, NULL, false },
};

static const struct field channel_fields[] = {
	{ "name", set_channel_name, false }, /* before the URL, which gives a name where there is none */
	{ "url", set_channel_url, true },
	{ "secret_file", set_channel_secret, false },
	{ "min_severity", set_channel_severity, false },
	{ NULL, NULL, false },
};

static const struct yaml_node *map_get(const struct yaml_node *map, const char *key)
{
	for (size_t i = 0; i + 1 < map->n; i += 2)
		if (strcmp(map->child[i]->text, key) == 0)
			return map->child[i + 1];
	return NULL;
}

static void unknown_fields(struct reader *r, const char *key, const struct yaml_node *map, const struct field *fields)
{
	for (size_t i = 0; i + 1 < map->n; i += 2) {
		struct suggest s = { .word = map->child[i]->text };
		const struct field *f = fields;
		struct pv_buf *b;

		for (; f->name && strcmp(f->name, map->child[i]->text) != 0; f++)
			suggest_try(&s, f->name);
		if (f->name)
			continue;
		b = error_at(r, map->child[i]);
		pv_buf_printf(b, "%s: `", key);
		pv_buf_safe(b, map->child[i]->text, 48);
		pv_buf_puts(b, "` is not known here; ");
		if (s.best)
			pv_buf_printf(b, "did you mean `%s`?\n", s.best);
		else {
			pv_buf_puts(b, "right would be");
			for (f = fields; f->name; f++)
				pv_buf_printf(b, "%s %s", f == fields ? "" : ",", f->name);
			pv_buf_putc(b, '\n');
		}
	}
}

/* Returns whether the whole entry was good. */
static bool read_fields(struct reader *r, const struct conf_item *item, const struct yaml_node *map,
			const struct field *fields, void *entry)
{
	unsigned before = r->n_errors;

	if (map->kind != YAML_MAP) {
		error_type(r, map, item->key, item);
		return false;
	}
	unknown_fields(r, item->key, map, fields);
	for (const struct field *f = fields; f->name; f++) {
		const struct yaml_node *v = map_get(map, f->name);
		pv_autobuf why = PV_BUF_INIT;

		if (!v && !f->required)
			continue;
		if (!v || v->kind != YAML_SCALAR || v->null) {
			struct pv_buf *b = error_at(r, v ? v : map);

			pv_buf_printf(b, "%s: %s `%s`; right would be ", item->key, v ? "has no single value for" : "lacks", f->name);
			conf_expect(b, item);
			pv_buf_putc(b, '\n');
		} else if (f->set(entry, v->text, &why) < 0) {
			error_text(r, v, item->key, pv_buf_str(&why));
		}
	}
	return r->n_errors == before;
}

static void read_exception(struct reader *r, const struct conf_item *item, const struct yaml_node *n)
{
	struct policy *p = r->policy;
	struct policy_exception e = { .signal = SIGNAL_N, .action = ACTION_IGNORE, .line = n->line };

	if (!read_fields(r, item, n, except_fields, &e))
		return;
	if (p->n_exceptions == POLICY_EXCEPTIONS) {
		error_text(r, n, item->key, "is one entry too many; at most 256 (a name may hold `*`)");
		return;
	}
	if (!text_copy(e.origin, sizeof(e.origin), r->file)) /* its end tells more than its beginning */
		(void) text_copy(e.origin, sizeof(e.origin), r->file + strlen(r->file) - sizeof(e.origin) + 1);
	for (char *s = e.origin; *s; s++)
		if ((unsigned char) *s < 0x20 || *s == 0x7f)
			*s = '?';
	p->exceptions[p->n_exceptions++] = e;
}

static void read_channel(struct reader *r, const struct conf_item *item, const struct yaml_node *n)
{
	struct policy *p = r->policy;
	struct policy_channel c = { .min_severity = SEV_LOW };

	if (!read_fields(r, item, n, channel_fields, &c))
		return;
	if (p->n_channels == POLICY_CHANNELS) {
		error_text(r, n, item->key, "is one entry too many; at most 16");
		return;
	}
	p->channels[p->n_channels++] = c;
}

/* A word is a path; a map may name the service, too. */
static void read_log(struct reader *r, const struct conf_item *item, const struct yaml_node *n)
{
	struct policy *p = r->policy;
	struct policy_log l = { .path = "" };
	pv_autobuf why = PV_BUF_INIT;

	if (n->kind == YAML_SCALAR && !n->null) {
		if (set_log_path(&l, n->text, &why) < 0) {
			error_text(r, n, item->key, pv_buf_str(&why));
			return;
		}
	} else if (!read_fields(r, item, n, log_fields, &l)) {
		return;
	}
	if (p->logs.n_files == POLICY_LOGS) {
		error_text(r, n, item->key, "is one entry too many; at most 64 (a path may hold `*`)");
		return;
	}
	p->logs.files[p->logs.n_files++] = l;
}

static void read_maps(struct reader *r, const struct conf_item *item, const struct yaml_node *value)
{
	if (item->type == CONF_CHANNELS)
		r->policy->n_channels = 0;
	if (item->type == CONF_FILES)
		r->policy->logs.n_files = 0;
	if (value->kind == YAML_SCALAR && value->null)
		return;
	if (value->kind != YAML_LIST) {
		error_type(r, value, item->key, item);
		return;
	}
	for (size_t i = 0; i < value->n && r->n_errors <= ERRORS_MAX; i++) {
		if (item->type == CONF_CHANNELS)
			read_channel(r, item, value->child[i]);
		else if (item->type == CONF_FILES)
			read_log(r, item, value->child[i]);
		else
			read_exception(r, item, value->child[i]);
	}
}

static void read_item(struct reader *r, const struct conf_item *item, const struct yaml_node *value)
{
	pv_autobuf why = PV_BUF_INIT;

	set_origin(r, item, value);
	if (conf_is_list(item))
		read_words(r, item, value);
	else if (conf_is_map_list(item))
		read_maps(r, item, value);
	else if (value->kind != YAML_SCALAR || value->null)
		error_type(r, value, item->key, item);
	else if (conf_set_scalar(r->policy, item, value->text, &why) < 0)
		error_text(r, value, item->key, pv_buf_str(&why));
}

static void note_reserved(struct reader *r, const struct yaml_node *n, const char *key)
{
	if (!r->notes)
		return;
	position(r->notes, r, n->line, n->column);
	pv_buf_printf(r->notes, "note: `%s` is known, but not used by this version\n", key);
}

/* `prefix` is empty at the top, else "cpu."; sections are one level deep. */
static void read_map(struct reader *r, const struct yaml_node *map, const char *prefix)
{
	for (size_t i = 0; i + 1 < map->n && r->n_errors <= ERRORS_MAX; i += 2) {
		const struct yaml_node *key = map->child[i], *value = map->child[i + 1];
		const struct conf_item *item;
		char full[96];

		if ((size_t) snprintf(full, sizeof(full), "%s%s", prefix, key->text) >= sizeof(full)) {
			error_text(r, key, prefix, "has a key of more than 80 bytes, which is not known");
			continue;
		}
		item = find_item(full);
		if (item && (*prefix || !strchr(full, '.')))
			read_item(r, item, value);
		else if (item)
			error_text(r, key, full, "is written with a dot; right would be the second word below the first, as in "
						 "`cpu: {limit: 80%}`");
		else if (in_list(reserved, N_ELEMENTS(reserved), full))
			note_reserved(r, key, full);
		else if (!*prefix && in_list(of_project, N_ELEMENTS(of_project), full))
			error_text(r, key, full, "belongs into a project's own .pavise.yaml, not into the host's configuration");
		else if (!*prefix && is_section(full) && value->kind == YAML_MAP) {
			char below[96];

			(void) snprintf(below, sizeof(below), "%.90s.", full);
			read_map(r, value, below);
		} else if (!*prefix && is_section(full) && !value->null)
			error_text(r, value, full, "is a section; right would be `key: value` lines below it");
		else if (!(is_section(full) && value->null))
			unknown_key(r, key, full);
	}
}

int conf_read_noted(struct policy *p, const char *name, const char *text, size_t len, struct pv_buf *err,
		    struct pv_buf *notes, struct conf_origins *origins)
{
	struct reader r = { .policy = p, .file = name, .err = err, .notes = notes, .origins = origins };
	pv_auto(yaml_doc) doc = NULL;
	const struct yaml_node *root = NULL;
	pv_autobuf why = PV_BUF_INIT;
	unsigned line, column;
	int rc = yaml_doc_parse(text, len, &doc, &root, &line, &column, &why);

	if (rc < 0) {
		position(err, &r, line, column);
		pv_buf_printf(err, "%s\n", why.len ? pv_buf_str(&why) : "there is not enough memory to read it");
		return -EINVAL;
	}
	if (!root || (root->kind == YAML_SCALAR && root->null))
		return 0;
	if (root->kind != YAML_MAP) {
		error_text(&r, root, "configuration", "is not made of `key: value` lines; a sample: pavise config sample");
		return -EINVAL;
	}
	read_map(&r, root, "");
	pv_buf_done(&r.dropped);
	return r.n_errors ? -EINVAL : 0;
}

int conf_read(struct policy *p, const char *name, const char *text, size_t len, struct pv_buf *err)
{
	return conf_read_noted(p, name, text, len, err, NULL, NULL);
}
