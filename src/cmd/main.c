/* pavise: finds the subcommand, reads its options by its own row of the table, runs it. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "model/suggest.h"

static const struct cmd_option *find_option(const struct cmd_option *list, const char *name, size_t len, char letter)
{
	for (const struct cmd_option *o = list; o && o->name; o++)
		if (letter ? o->letter == letter : strlen(o->name) == len && strncmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

const char *cmd_opt(const struct cmd *c, const char *name)
{
	const struct cmd_option *o = find_option(c->command->options, name, strlen(name), 0);

	return o ? c->value[o - c->command->options] : NULL;
}

static int usage(const struct cmd *c, const char *what, const char *word)
{
	pv_autobuf text = PV_BUF_INIT;

	pv_buf_puts(&text, what);
	if (word) {
		pv_buf_puts(&text, " `");
		pv_buf_safe(&text, word, 64);
		pv_buf_putc(&text, '`');
	}
	cmd_fail(pv_buf_str(&text), c->command ? "pavise %s --help" : "pavise help%s", c->command ? c->command->name : "");
	return -EINVAL;
}

static int unknown_option(const struct cmd *c, const char *arg, const char *name, size_t len)
{
	char word[48];
	struct suggest s = { .word = word };
	pv_autobuf text = PV_BUF_INIT;

	(void) snprintf(word, sizeof(word), "%.*s", (int) PV_MIN(len, sizeof(word) - 1), name);
	for (const struct cmd_option *o = c->command->options; o && o->name; o++)
		suggest_try(&s, o->name);
	for (const struct cmd_option *o = common_options; o->name; o++)
		suggest_try(&s, o->name);
	if (!s.best)
		return usage(c, "there is no option", arg);
	pv_buf_puts(&text, "there is no option `");
	pv_buf_safe(&text, arg, 48);
	pv_buf_printf(&text, "`; did you mean --%s?", s.best);
	return usage(c, pv_buf_str(&text), NULL);
}

static int set_common(struct cmd *c, const struct cmd_option *o, const char *value)
{
	switch (o - common_options) {
	case 0:
		c->config = value;
		break;
	case 1:
		c->colour = false;
		break;
	case 2:
		c->quiet = true;
		break;
	}
	return 0;
}

/* One option at argv[*i]; returns 1 for --help. */
static int read_option(struct cmd *c, int argc, char **argv, int *i)
{
	const char *arg = argv[*i], *name = arg + 2, *value = NULL;
	bool is_long = arg[1] == '-';
	size_t len = is_long ? strcspn(name, "=") : 0;
	const struct cmd_option *o, *list = c->command->options;

	o = find_option(list, name, len, is_long ? 0 : arg[1]);
	if (!o)
		o = find_option(list = common_options, name, len, is_long ? 0 : arg[1]);
	if (!o)
		return unknown_option(c, arg, is_long ? name : arg + 1, is_long ? len : 1);
	if (is_long && name[len] == '=')
		value = name + len + 1;
	else if (!is_long && arg[2])
		value = arg + 2;
	if (o->arg && !value && *i + 1 < argc)
		value = argv[++*i];
	if (o->arg ? !value || !*value : value != NULL)
		return usage(c, o->arg ? "a value is missing after" : "no value is taken by", arg);
	if (list != common_options) {
		c->value[o - list] = value ? value : "";
		return 0;
	}
	return strcmp(o->name, "help") == 0 ? 1 : set_common(c, o, value);
}

static int read_args(struct cmd *c, int argc, char **argv)
{
	bool options = true;

	for (int i = 0; i < argc; i++) {
		int r = 0;

		if (options && strcmp(argv[i], "--") == 0)
			options = false;
		else if (options && argv[i][0] == '-' && argv[i][1])
			r = read_option(c, argc, argv, &i);
		else if (c->n_words < c->command->max_words && c->n_words < CMD_WORDS)
			c->word[c->n_words++] = argv[i];
		else
			r = usage(c, "too much is given:", argv[i]);
		if (r)
			return r;
	}
	if (c->n_words < c->command->min_words)
		return usage(c, "something is missing: pavise", c->command->name);
	for (const struct cmd_option *o = c->command->options; o && o->name; o++) {
		const char *v = c->value[o - c->command->options], *at = v && o->values ? strstr(o->values, v) : NULL;
		size_t n = v ? strlen(v) : 0;

		if (v && o->values && (!at || (at != o->values && at[-1] != ' ') || (at[n] && at[n] != ' ')))
			return usage(c, "there is no such value:", v);
	}
	return 0;
}

static int no_command(const char *name)
{
	struct suggest s = { .word = name };
	pv_autobuf text = PV_BUF_INIT;

	for (const struct command *c = commands; c->name; c++)
		if (!c->hidden)
			suggest_try(&s, c->name);
	pv_buf_puts(&text, "there is no command `");
	pv_buf_safe(&text, name, 48);
	pv_buf_puts(&text, "`");
	if (s.best)
		pv_buf_printf(&text, "; did you mean `pavise %s`?", s.best);
	cmd_fail(pv_buf_str(&text), "pavise help");
	return CMD_USAGE;
}

static void find_self(char out[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
	char *slash;

	out[n > 0 ? n : 0] = '\0';
	slash = strrchr(out, '/');
	if (slash)
		*slash = '\0';
}

static bool want_colour(void)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

int main(int argc, char **argv)
{
	static char self[PATH_MAX];
	struct cmd c = { .colour = want_colour(), .self = self };
	pv_autobuf out = PV_BUF_INIT;
	int r;

	log_open("pavise");
	find_self(self);
	if (argc < 2) {
		help_main(&out);
		(void) cmd_write(&out);
		return CMD_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		argv[1] = (char *) "help";
	else if (strcmp(argv[1], "--version") == 0)
		argv[1] = (char *) "version";
	c.command = command_find(argv[1]);
	if (!c.command)
		return no_command(argv[1]);
	r = read_args(&c, argc - 2, argv + 2);
	if (r < 0)
		return CMD_USAGE;
	if (r > 0) {
		help_command(&out, c.command);
		return cmd_write(&out);
	}
	return c.command->run(&c);
}
