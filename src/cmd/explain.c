#include <string.h>

#include "cmd/cmd.h"
#include "model/suggest.h"

static void paragraph(struct pv_buf *out, const char *title, const char *text)
{
	size_t column = 0;

	if (!*text)
		return; /* not everything has an attacker behind it */
	pv_buf_printf(out, "\n%s\n", title);
	while (*text) {
		size_t n = strcspn(text, " \n");

		if (column && column + 1 + n > 92) {
			pv_buf_putc(out, '\n');
			column = 0;
		}
		if (n) {
			pv_buf_puts(out, column ? " " : "  ");
			pv_buf_add(out, text, n);
			column += n + (column ? 1 : 2);
		}
		text += n;
		if (*text == '\n') {
			pv_buf_putc(out, '\n');
			column = 0;
		}
		text += *text != '\0';
	}
	pv_buf_putc(out, '\n');
}

static int list(void)
{
	pv_autobuf out = PV_BUF_INIT;

	for (unsigned i = 0; i < ID_N; i++) {
		const struct id_info *id = id_info((enum id) i);

		pv_buf_printf(&out, "%-16s %-9s %s\n", id->name, severity_name(id->severity), id->title);
	}
	return cmd_write(&out);
}

static int unknown(const char *name)
{
	struct suggest s = { .word = name };
	pv_autobuf what = PV_BUF_INIT;

	for (unsigned i = 0; i < ID_N; i++)
		suggest_try(&s, id_info((enum id) i)->name);
	pv_buf_puts(&what, "there is no id `");
	pv_buf_safe(&what, name, 48);
	pv_buf_putc(&what, '`');
	if (s.best)
		pv_buf_printf(&what, "; did you mean `%s`?", s.best);
	cmd_fail(pv_buf_str(&what), s.best ? "pavise explain %s" : "pavise explain --list", s.best);
	return CMD_USAGE;
}

int cmd_explain(struct cmd *c)
{
	pv_autobuf out = PV_BUF_INIT;
	const struct id_info *info;
	enum id id;

	if (cmd_opt(c, "list"))
		return list();
	if (c->n_words == 0) {
		cmd_fail("an id is missing, such as net.stratum", "pavise explain --list");
		return CMD_USAGE;
	}
	if (id_parse(c->word[0], &id) < 0)
		return unknown(c->word[0]);
	info = id_info(id);
	pv_buf_printf(&out, "%s (%s): %s\n", info->name, severity_name(info->severity), info->title);
	paragraph(&out, "Why it matters", info->why);
	paragraph(&out, "What an attack looks like", info->attack);
	paragraph(&out, "What to do", info->mend);
	return cmd_write(&out);
}
