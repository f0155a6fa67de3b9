#include <string.h>

#include "cmd/cmd.h"

static void option_words(struct pv_buf *out, const struct cmd_option *list)
{
	for (const struct cmd_option *o = list; o && o->name; o++)
		pv_buf_printf(out, " --%s", o->name);
}

static void command_words(struct pv_buf *out)
{
	const char *sep = "";

	for (const struct command *c = commands; c->name; c++)
		if (!c->hidden) {
			pv_buf_printf(out, "%s%s", sep, c->name);
			sep = " ";
		}
}

/* What may follow the command itself. */
static void first_words(struct pv_buf *out, const struct command *c)
{
	if (c->words)
		pv_buf_puts(out, c->words);
	else if (strcmp(c->name, "help") == 0) {
		command_words(out);
		pv_buf_puts(out, " exit-codes");
	} else if (strcmp(c->name, "allow") == 0) {
		for (unsigned s = 0; s < SIGNAL_N; s++)
			pv_buf_printf(out, "%s%s", s ? " " : "", signal_name((enum pv_signal) s));
	}
}

/* The ids are asked for when they are wanted: they are many, and grow. */
static bool takes_id(const struct command *c)
{
	return strcmp(c->name, "explain") == 0;
}

static void bash(struct pv_buf *out)
{
	pv_buf_puts(out, "# Made by `pavise completion bash` from the table of commands.\n_pavise() {\n"
			 "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=\n\tCOMPREPLY=()\n"
			 "\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\twords='");
	command_words(out);
	pv_buf_puts(out, "'\n\telse\n\t\tcase $prev in\n\t\t--config|--output|-o) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
			 "\t\tesac\n\t\tcase ${COMP_WORDS[1]}:$prev in\n");
	for (const struct command *c = commands; c->name; c++)
		for (const struct cmd_option *o = c->options; !c->hidden && o && o->name; o++)
			if (o->values)
				pv_buf_printf(out, "\t\t%s:--%s) words='%s' ;;\n", c->name, o->name, o->values);
	pv_buf_puts(out, "\t\t*)\n\t\t\tcase ${COMP_WORDS[1]} in\n");
	for (const struct command *c = commands; c->name; c++) {
		if (c->hidden)
			continue;
		pv_buf_printf(out, "\t\t\t%s) words=%s'", c->name,
			      takes_id(c) ? "$(pavise explain --list 2>/dev/null | cut -d' ' -f1)" : "");
		first_words(out, c);
		option_words(out, c->options);
		option_words(out, common_options);
		pv_buf_puts(out, "' ;;\n");
	}
	pv_buf_puts(out, "\t\t\tesac ;;\n\t\tesac\n\tfi\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
			 "complete -F _pavise pavise\n");
}

/* In single quotes, with the characters that _arguments reads taken out of their meaning. */
static void zsh_text(struct pv_buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			pv_buf_puts(out, "'\\''");
		else if (strchr("[]:\\", *s))
			pv_buf_printf(out, "\\%c", *s);
		else
			pv_buf_putc(out, *s);
	}
}

static void zsh_options(struct pv_buf *out, const struct cmd_option *list)
{
	for (const struct cmd_option *o = list; o && o->name; o++) {
		pv_buf_printf(out, " \\\n\t\t\t'--%s%s[", o->name, o->arg ? "=" : "");
		zsh_text(out, o->help);
		pv_buf_putc(out, ']');
		if (o->values)
			pv_buf_printf(out, ":%s:(%s)", o->arg, o->values);
		else if (o->arg)
			pv_buf_printf(out, ":%s:%s", o->arg, strcmp(o->arg, "FILE") == 0 ? "_files" : "");
		pv_buf_putc(out, '\'');
	}
}

static void zsh(struct pv_buf *out)
{
	pv_buf_puts(out, "#compdef pavise\n# Made by `pavise completion zsh` from the table of commands.\n_pavise() {\n"
			 "\tlocal -a commands\n\tcommands=(\n");
	for (const struct command *c = commands; c->name; c++)
		if (!c->hidden) {
			pv_buf_printf(out, "\t\t'%s:", c->name);
			zsh_text(out, c->brief);
			pv_buf_puts(out, "'\n");
		}
	pv_buf_puts(out, "\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n"
			 "\tlocal command=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n\tcase $command in\n");
	for (const struct command *c = commands; c->name; c++) {
		if (c->hidden)
			continue;
		pv_buf_printf(out, "\t%s)\n\t\t_arguments", c->name);
		zsh_options(out, c->options);
		zsh_options(out, common_options);
		pv_buf_puts(out, " \\\n\t\t\t'*::word:");
		if (takes_id(c))
			pv_buf_puts(out, "{compadd -- ${(f)\"$(pavise explain --list 2>/dev/null | cut -d\" \" -f1)\"}}' ;;\n");
		else {
			pv_buf_putc(out, '(');
			first_words(out, c);
			pv_buf_puts(out, ")' ;;\n");
		}
	}
	pv_buf_puts(out, "\tesac\n}\n_pavise \"$@\"\n");
}

static void fish_text(struct pv_buf *out, const char *s)
{
	pv_buf_putc(out, '\'');
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			pv_buf_putc(out, '\\');
		pv_buf_putc(out, *s);
	}
	pv_buf_putc(out, '\'');
}

static void fish_options(struct pv_buf *out, const struct cmd_option *list, const char *command)
{
	for (const struct cmd_option *o = list; o && o->name; o++) {
		pv_buf_printf(out, "complete -c pavise -n '__fish_seen_subcommand_from %s' -l %s", command, o->name);
		if (o->letter)
			pv_buf_printf(out, " -s %c", o->letter);
		if (o->arg)
			pv_buf_puts(out, strcmp(o->arg, "FILE") == 0 ? " -r -F" : " -x");
		if (o->values)
			pv_buf_printf(out, " -a '%s'", o->values);
		pv_buf_puts(out, " -d ");
		fish_text(out, o->help);
		pv_buf_putc(out, '\n');
	}
}

static void fish(struct pv_buf *out)
{
	pv_buf_puts(out, "# Made by `pavise completion fish` from the table of commands.\ncomplete -c pavise -f\n");
	for (const struct command *c = commands; c->name; c++) {
		pv_autobuf words = PV_BUF_INIT;

		if (c->hidden)
			continue;
		pv_buf_printf(out, "complete -c pavise -n __fish_use_subcommand -a %s -d ", c->name);
		fish_text(out, c->brief);
		pv_buf_putc(out, '\n');
		first_words(&words, c);
		if (takes_id(c))
			pv_buf_puts(&words, "(pavise explain --list 2>/dev/null | string split -f1 \" \")");
		if (words.len)
			pv_buf_printf(out, "complete -c pavise -n '__fish_seen_subcommand_from %s' -a '%s'\n", c->name,
				      pv_buf_str(&words));
		fish_options(out, c->options, c->name);
		fish_options(out, common_options, c->name);
	}
}

int help_completion(struct pv_buf *out, const char *shell)
{
	if (strcmp(shell, "bash") == 0)
		bash(out);
	else if (strcmp(shell, "zsh") == 0)
		zsh(out);
	else if (strcmp(shell, "fish") == 0)
		fish(out);
	else
		return -EINVAL;
	return 0;
}

int cmd_completion(struct cmd *c)
{
	pv_autobuf out = PV_BUF_INIT;

	if (help_completion(&out, c->word[0]) < 0) {
		cmd_fail("bash, zsh or fish is wanted", "pavise completion --help");
		return CMD_USAGE;
	}
	return cmd_write(&out);
}
