#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "model/conf.h"
#include "model/conf_value.h"
#include "model/severity.h"

/* Rows of one section stand together in the table; writes the section's line when it changes. Returns the name
 * within the section. */
static const char *section_line(struct pv_buf *out, const char *key, char section[32], const char *comment)
{
	const char *dot = strchr(key, '.');
	size_t n = dot ? (size_t) (dot - key) : 0;

	if (n == 0 || strlen(section) != n || strncmp(section, key, n) != 0) {
		memcpy(section, key, n);
		section[n] = '\0';
		if (n)
			pv_buf_printf(out, "%s%s:\n", comment, section);
	}
	return dot ? dot + 1 : key;
}

static void origin(struct pv_buf *out, const struct conf_origins *o, const struct conf_item *item)
{
	if (!o)
		return;
	if (!o->item[item - conf_items].line) {
		pv_buf_puts(out, "  # default");
		return;
	}
	pv_buf_puts(out, "  # ");
	pv_buf_safe(out, o->item[item - conf_items].file, 0);
	pv_buf_printf(out, ":%u", o->item[item - conf_items].line);
}

static void show_channel(struct pv_buf *out, const struct policy_channel *c)
{
	pv_buf_puts(out, "    - {url: ");
	pv_buf_json_str(out, c->url);
	pv_buf_puts(out, ", name: ");
	pv_buf_json_str(out, c->name);
	if (c->secret_file[0]) {
		pv_buf_puts(out, ", secret_file: ");
		pv_buf_json_str(out, c->secret_file);
	}
	pv_buf_printf(out, ", min_severity: %s}", severity_name((enum severity) c->min_severity));
}

static void show_exception(struct pv_buf *out, const struct policy_exception *e, bool origins)
{
	pv_buf_puts(out, "  - {name: ");
	pv_buf_json_str(out, e->name);
	pv_buf_printf(out, ", signal: %s, action: %s}", signal_name((enum pv_signal) e->signal),
		      action_name((enum pv_action) e->action));
	if (!origins)
		return;
	pv_buf_puts(out, "  # ");
	pv_buf_safe(out, e->origin, 0);
	pv_buf_printf(out, ":%u", e->line);
}

static void show_log(struct pv_buf *out, const struct policy_log *l)
{
	pv_buf_puts(out, "    - {path: ");
	pv_buf_json_str(out, l->path);
	if (l->service[0])
		pv_buf_printf(out, ", service: %s", l->service);
	pv_buf_putc(out, '}');
}

static void show_maps(struct pv_buf *out, const struct policy *p, const struct conf_item *item, const char *name,
		      const struct conf_origins *o)
{
	uint32_t n = item->type == CONF_CHANNELS ? p->n_channels : item->type == CONF_FILES ? p->logs.n_files : p->n_exceptions;

	pv_buf_printf(out, "%s%s:%s", strchr(item->key, '.') ? "  " : "", name, n ? "" : " []");
	if (!n || item->type != CONF_EXCEPTIONS)
		origin(out, o, item);
	pv_buf_putc(out, '\n');
	for (uint32_t i = 0; i < n; i++) {
		if (item->type == CONF_CHANNELS)
			show_channel(out, &p->channels[i]);
		else if (item->type == CONF_FILES)
			show_log(out, &p->logs.files[i]);
		else
			show_exception(out, &p->exceptions[i], o != NULL);
		pv_buf_putc(out, '\n');
	}
}

void conf_show(struct pv_buf *out, const struct policy *p, const struct conf_origins *o)
{
	char section[32] = "";

	for (const struct conf_item *item = conf_items; item->key; item++) {
		const char *name = section_line(out, item->key, section, "");

		if (conf_is_map_list(item)) {
			show_maps(out, p, item, name, o);
			continue;
		}
		pv_buf_printf(out, "%s%s: ", section[0] ? "  " : "", name);
		conf_print(out, p, item);
		origin(out, o, item);
		pv_buf_putc(out, '\n');
		if (strcmp(item->key, "dns.allow") == 0)
			pv_buf_puts(out, "  # and, asked of 127.0.0.11: LABEL.NETWORK of a network that the container is "
					 "attached to (built in)\n");
	}
}

/* Words at most `width` to a line, each line after `lead`. */
static void wrap(struct pv_buf *out, const char *lead, const char *text, size_t width)
{
	size_t column = 0;

	for (const char *s = text; *s;) {
		size_t n = strcspn(s, " ");

		if (column && column + 1 + n > width) {
			pv_buf_putc(out, '\n');
			column = 0;
		}
		pv_buf_puts(out, column ? " " : lead);
		pv_buf_add(out, s, n);
		column += n + (column ? 1 : strlen(lead));
		s += n;
		s += strspn(s, " ");
	}
	pv_buf_putc(out, '\n');
}

void conf_sample(struct pv_buf *out)
{
	static struct policy p;
	char section[32] = "";

	conf_defaults(&p);
	pv_buf_puts(out, "# /etc/pavise/pavise.yaml: the configuration of pavise. Nothing in it need be set: what is\n"
			 "# commented out shows the default. Files in conf.d/*.yaml beside it are read after it, in the\n"
			 "# order of their names; the later one wins. The files must belong to root and be writable by\n"
			 "# nobody else. After a change: pavise config check && systemctl reload pavise\n");
	for (const struct conf_item *item = conf_items; item->key; item++) {
		const char *dot = strchr(item->key, '.'), *name;
		pv_autobuf help = PV_BUF_INIT, value = PV_BUF_INIT;

		if (!dot || strncmp(section, item->key, (size_t) (dot - item->key)) != 0 || !section[0])
			pv_buf_putc(out, '\n');
		name = section_line(out, item->key, section, "#");
		pv_buf_puts(&help, item->help);
		pv_buf_puts(&help, " (");
		conf_expect(&help, item);
		pv_buf_putc(&help, ')');
		wrap(out, section[0] ? "#   # " : "# ", pv_buf_str(&help), 92);
		if (conf_is_map_list(item))
			pv_buf_puts(&value, "[]");
		else
			conf_print(&value, &p, item);
		pv_buf_printf(out, "#%s%s: %s\n", section[0] ? "  " : "", name, pv_buf_str(&value));
	}
}

/* mdoc: short lines; a backslash, a hyphen and quotes mean something to it, and a dot at the start of a line. */
static void man_text(struct pv_buf *out, const char *s)
{
	size_t column = 0;

	while (*s) {
		size_t n = strcspn(s, " ");

		if (column && column + 1 + n > 70) {
			pv_buf_putc(out, '\n');
			column = 0;
		}
		pv_buf_puts(out, column ? " " : *s == '.' ? "\\&" : "");
		column += n + (column != 0);
		for (; n; n--, s++) {
			if (*s == '\\' || *s == '-')
				pv_buf_puts(out, *s == '-' ? "\\-" : "\\e");
			else if (*s == '`' || *s == '\'')
				pv_buf_puts(out, *s == '`' ? "\\(ga" : "\\(aq");
			else
				pv_buf_putc(out, *s);
		}
		s += strspn(s, " ");
	}
	pv_buf_putc(out, '\n');
}

void conf_man(struct pv_buf *out)
{
	static struct policy p;

	conf_defaults(&p);
	pv_buf_puts(out, ".Bl -tag -width Ds\n");
	for (const struct conf_item *item = conf_items; item->key; item++) {
		pv_autobuf text = PV_BUF_INIT;

		pv_buf_printf(out, ".It Cm %s\n", item->key);
		pv_buf_printf(&text, "%s.", item->help);
		man_text(out, pv_buf_str(&text));
		pv_buf_clear(&text);
		pv_buf_puts(&text, "Takes ");
		conf_expect(&text, item);
		pv_buf_putc(&text, '.');
		man_text(out, pv_buf_str(&text));
		pv_buf_clear(&text);
		pv_buf_puts(&text, "Default: ");
		if (conf_is_map_list(item))
			pv_buf_puts(&text, "[]");
		else
			conf_print(&text, &p, item);
		man_text(out, pv_buf_str(&text));
	}
	pv_buf_puts(out, ".El\n");
}
