#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "model/conf.h"

/* Words at most 92 columns to a line, each line after `lead`. */
static void wrap(struct pv_buf *out, const char *lead, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t n = strcspn(text, " \n");

		if (!n) { /* an empty line */
			pv_buf_puts(out, column ? "\n\n" : "\n");
			column = 0;
			text += strspn(text, " \n");
			continue;
		}
		if (column && column + 1 + n > 92) {
			pv_buf_putc(out, '\n');
			column = 0;
		}
		pv_buf_puts(out, column ? " " : lead);
		pv_buf_add(out, text, n);
		column += n + (column ? 1 : strlen(lead));
		text += n;
		text += strspn(text, " ");
	}
	pv_buf_putc(out, '\n');
}

static void option_lines(struct pv_buf *out, const struct cmd_option *list)
{
	for (const struct cmd_option *o = list; o && o->name; o++) {
		char left[48];

		(void) snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
				o->letter ? "," : " ", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		pv_buf_printf(out, "%-28s %s\n", left, o->help);
	}
}

static void example_lines(struct pv_buf *out, const char *lead, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		pv_buf_puts(out, lead);
		pv_buf_add(out, text, n);
		pv_buf_putc(out, '\n');
		text += n + (text[n] == '\n');
	}
}

void help_main(struct pv_buf *out)
{
	pv_buf_puts(out, "pavise watches containers and services, stops what should not be there, and tells.\n\n"
			 "usage: pavise COMMAND [OPTIONS]\n\n");
	for (const struct command *c = commands; c->name; c++)
		if (!c->hidden) {
			char left[64];

			(void) snprintf(left, sizeof(left), "%s%s%s", c->name, *c->args ? " " : "", c->args);
			pv_buf_printf(out, "  %-36s %s\n", left, c->brief);
		}
	pv_buf_puts(out, "\nEvery command takes:\n");
	option_lines(out, common_options);
	pv_buf_puts(out, "\nA first look, which changes nothing:  sudo pavise doctor\n"
			 "Exit statuses: pavise help exit-codes\n");
}

void help_command(struct pv_buf *out, const struct command *c)
{
	pv_buf_printf(out, "usage: pavise %s%s%s%s\n\npavise %s: %s\n\n", c->name, c->options ? " [OPTIONS]" : "",
		      *c->args ? " " : "", c->args, c->name, c->brief);
	wrap(out, "", c->about);
	pv_buf_puts(out, "\nOptions:\n");
	option_lines(out, c->options);
	option_lines(out, common_options);
	pv_buf_printf(out, "\nExit status: %s\n\nExamples:\n", c->statuses);
	example_lines(out, "  ", c->examples);
}

static const struct {
	int status;
	const char *text;
} exit_codes[] = {
	{ CMD_OK, "all is well, or it is done" },
	{ CMD_FINDING, "something was found that should be mended" },
	{ CMD_USAGE, "the command line or the configuration is not good; nothing was done" },
	{ CMD_INCOMPLETE, "something could not be checked or done; for status, top, events: the guard does not run" },
	{ 130, "interrupted" },
};

void help_exit_codes(struct pv_buf *out)
{
	pv_buf_puts(out, "Exit statuses of pavise:\n\n");
	for (size_t i = 0; i < N_ELEMENTS(exit_codes); i++)
		pv_buf_printf(out, "  %3d  %s\n", exit_codes[i].status, exit_codes[i].text);
	pv_buf_puts(out, "\nWhat they mean for one command stands in its --help.\n");
}

int cmd_help(struct cmd *c)
{
	const struct command *about = c->n_words ? command_find(c->word[0]) : NULL;
	pv_autobuf out = PV_BUF_INIT;

	if (c->n_words == 0)
		help_main(&out);
	else if (strcmp(c->word[0], "exit-codes") == 0)
		help_exit_codes(&out);
	else if (about)
		help_command(&out, about);
	else {
		cmd_fail("there is no such command", "pavise help");
		return CMD_USAGE;
	}
	return cmd_write(&out);
}

static void man_word(struct pv_buf *out, const char *s, size_t n)
{
	if (*s == '.')
		pv_buf_puts(out, "\\&"); /* at the start of a line it would be a macro */
	for (size_t i = 0; i < n; i++) {
		static const char special[] = "\\-`'";
		static const char *const escapes[] = { "\\e", "\\-", "\\(ga", "\\(aq" };
		const char *at = strchr(special, s[i]);

		if (at)
			pv_buf_puts(out, escapes[at - special]);
		else
			pv_buf_putc(out, s[i]);
	}
}

/* mdoc(7): short lines, each sentence on its own; an empty line begins a paragraph. */
static void man_text(struct pv_buf *out, const char *s)
{
	size_t column = 0;

	while (*s) {
		size_t n = strcspn(s, " \n");

		if (!n) {
			pv_buf_puts(out, column ? "\n.Pp\n" : ".Pp\n");
			column = 0;
			s += strspn(s, " \n");
			continue;
		}
		if (column && column + 1 + n > 70) {
			pv_buf_putc(out, '\n');
			column = 0;
		}
		pv_buf_puts(out, column ? " " : "");
		man_word(out, s, n);
		column += n + (column != 0);
		if (strchr(".;:", s[n - 1]) && s[n]) {
			pv_buf_putc(out, '\n');
			column = 0;
		}
		s += n;
		s += strspn(s, " ");
	}
	if (column)
		pv_buf_putc(out, '\n');
}

static void man_options(struct pv_buf *out, const struct cmd_option *list)
{
	if (!list)
		return;
	pv_buf_puts(out, ".Bl -tag -width Ds\n");
	for (const struct cmd_option *o = list; o->name; o++) {
		pv_buf_puts(out, ".It ");
		if (o->letter)
			pv_buf_printf(out, "Fl %c%s%s , ", o->letter, o->arg ? " Ar " : "", o->arg ? o->arg : "");
		pv_buf_printf(out, "Fl \\-%s", o->name);
		if (o->arg)
			pv_buf_printf(out, " Ar %s", o->arg);
		pv_buf_putc(out, '\n');
		man_text(out, o->help);
	}
	pv_buf_puts(out, ".El\n");
}

static void man_examples(struct pv_buf *out, const char *text)
{
	pv_buf_puts(out, ".Bd -literal -compact\n");
	while (*text) {
		size_t n = strcspn(text, "\n");

		for (size_t i = 0; i < n; i++) {
			if (text[i] == '-' || text[i] == '\'')
				pv_buf_puts(out, text[i] == '-' ? "\\-" : "\\(aq");
			else
				pv_buf_putc(out, text[i]);
		}
		pv_buf_putc(out, '\n');
		text += n + (text[n] == '\n');
	}
	pv_buf_puts(out, ".Ed\n");
}

static void man_commands(struct pv_buf *out)
{
	pv_buf_puts(out, ".Sh COMMANDS\n");
	for (const struct command *c = commands; c->name; c++) {
		if (c->hidden)
			continue;
		pv_buf_printf(out, ".Ss pavise %s\n", c->name);
		if (*c->args) {
			pv_buf_puts(out, ".Bd -literal -compact\n");
			pv_buf_printf(out, "pavise %s %s\n.Ed\n.Pp\n", c->name, c->args);
		}
		man_text(out, c->about);
		man_options(out, c->options);
		pv_buf_puts(out, ".Pp\nExit status:\n");
		man_text(out, c->statuses);
		pv_buf_puts(out, ".Pp\n");
		man_examples(out, c->examples);
	}
	pv_buf_puts(out, ".Ss Options of every command\n");
	man_options(out, common_options);
}

static const char man_signals[] =
	".Sh SIGNALS\n"
	".Bl -tag -width memory\n"
	".It Cm cpu\n"
	"The mean over\n.Cm cpu.for\n(5 minutes) is above\n.Cm cpu.limit\n"
	"(80% of one core, or of the workload\\(aqs own quota where that is\n"
	"smaller), and no fifth of that time is below half of it.\n"
	"Containers are killed; systemd units and image builds are only told\nabout.\n"
	"Containers of one image or service that end and begin within that\n"
	"time are one load: at any moment that of the busiest, not their sum.\n"
	"Told only: more than five starts by the engine itself.\n"
	"On a saturated host even an endless loop gets a part of a core only.\n"
	"What it would use if it were let is taken to be\n"
	".Dl usage / (1 \\- waiting)\n"
	"where\n.Em waiting\nis the part of the time that it stood waiting for a core, as the\n"
	"kernel\\(aqs cpu.pressure\n.Pq Dq some\n"
	"says, without what its own quota held back, and at most 0.9.\n"
	"That is done where the usage alone is not above the limit and is at\n"
	"least 20% of a core; the notice says so.\n"
	"Limits: a loop beside two other busy workloads on two cores is found\n"
	"(60% used, 26% waiting: 82%); beside five, on a virtual machine that\n"
	"is itself kept waiting, it got 7% of a core and is not.\n"
	"Its connection and its names are refused all the same.\n"
	".It Cm memory\n"
	"What cannot be reclaimed is above\n.Cm memory.of_limit\n(88%) of the container\\(aqs own limit, or without one above\n"
	".Cm memory.limit .\n"
	"An OOM kill always alerts.\n"
	".It Cm pids\n"
	"More processes than\n.Cm pids.limit ,\nor tasks above 80% of pids.max.\n"
	".It Cm net\n"
	"An outbound connection or datagram that this side opened to an\nexternal address on one of\n.Cm net.ports .\n"
	"A server whose clients come from such a port is not touched.\n"
	".It Cm dns\n"
	"A question for a name that one of\n.Cm dns.names\ntakes.\n"
	"A pattern is a list of labels that is matched against the whole name,\nupper and lower case alike.\n"
	"A leading or trailing\n.Ql *\nstands for one or more labels, an inner one for exactly one.\n"
	".It Cm login\n"
	"Refused logins of one address:\n.Cm login.limit\n(5) within\n.Cm login.within\n(10 minutes), or four times as many within a day, and it is banned.\n"
	".It Cm exec\n"
	"Programs that are not of the container\\(aqs image, and shells of\nservers.\n"
	".El\n"
	".Bd -literal\n"
	"pattern    name                    taken\n"
	"pool.*     pool.hashvault.pro      yes\n"
	"pool.*     POOL.HashVault.Pro.     yes\n"
	"pool.*     pool                    no\n"
	"pool.*     xmr.pool.example.org    no\n"
	"pool.*     pool.ntp.org            no: always allowed\n"
	"*.mine.*   a.b.mine.example        yes\n"
	"*.mine.*   x.mine.a.b              yes\n"
	"*.mine.*   mine.example            no\n"
	".Ed\n";

void help_man(struct pv_buf *out)
{
	pv_buf_puts(out, ".\\\" Made by `pavise man` from the tables of commands and keys; not edited by hand.\n"
			 ".Dd November 21, 2026\n.Dt PAVISE 8\n.Os\n.Sh NAME\n.Nm pavise\n"
			 ".Nd guard of a server with containers\n.Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar options\n"
			 ".Sh DESCRIPTION\n"
			 "Watches containers and systemd services, refuses what miners need in\n"
			 "the kernel, stops what burns CPU without end, and tells.\nResults go to standard output, everything else to standard error.\n");
	man_commands(out);
	pv_buf_puts(out, man_signals);
	pv_buf_puts(out, ".Sh CONFIGURATION\nYAML in\n.Pa /etc/pavise/pavise.yaml ,\nthen\n.Pa conf.d/*.yaml\n"
			 "beside it in the order of their names;\na later value replaces an earlier one, and\n.Cm exceptions\n"
			 "of all files add up.\nA dot stands for a section:\n.Cm cpu.limit\nis\n.Li limit\nbelow\n.Li cpu .\n");
	conf_man(out);
	pv_buf_puts(out, ".Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/pavise/pavise.yaml\nthe configuration\n"
			 ".It Pa /etc/pavise/conf.d/allow.yaml\nwhat\n.Nm\n.Cm allow\nwrote\n"
			 ".It Pa /run/pavise/control.sock\nwhere the guard is asked, by root and the group pavise\\-admin\n"
			 ".It Pa /var/lib/pavise\nhistory, and what can be undone\n.El\n.Sh EXIT STATUS\n.Bl -tag -width 130\n");
	for (size_t i = 0; i < N_ELEMENTS(exit_codes); i++) {
		pv_buf_printf(out, ".It %d\n", exit_codes[i].status);
		man_text(out, exit_codes[i].text);
	}
	pv_buf_puts(out, ".El\n.Sh SEE ALSO\n.Xr systemctl 1 ,\n.Xr cgroups 7\n");
}

int cmd_man(struct cmd *c)
{
	pv_autobuf out = PV_BUF_INIT;

	(void) c;
	help_man(&out);
	return cmd_write(&out);
}
