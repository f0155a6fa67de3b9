#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "model/conf.h"
#include "model/conf_files.h"
#include "model/roles.h"

static int sample(void)
{
	pv_autobuf out = PV_BUF_INIT;

	conf_sample(&out);
	return cmd_write(&out);
}

static void say_checked(const struct conf_files *files)
{
	pv_autobuf text = PV_BUF_INIT;

	if (!files->n)
		pv_buf_puts(&text, "there is no configuration file: every default holds\n");
	for (size_t i = 0; i < files->n; i++) {
		pv_buf_safe(&text, files->file[i].name, 0);
		pv_buf_puts(&text, ": good\n");
	}
	(void) cmd_write(&text);
}

/* check and show: the policy child over the opened files. */
static int run(struct cmd *c, bool check)
{
	const char *args[] = { "--show", cmd_opt(c, "origin") ? "--origin" : NULL, NULL };
	struct conf_files files = { .n = 0 };
	pv_autobuf out = PV_BUF_INIT, err = PV_BUF_INIT;
	int r = conf_files_open(c->config, &files, &err);

	if (r == 0)
		r = load_run_child(c, args, &files, -1, &out, &err);
	(void) fputs(pv_buf_str(&err), stderr);
	if (r == 0 && check && !c->quiet)
		say_checked(&files);
	if (r == 0 && !check)
		r = cmd_write(&out);
	conf_files_close(&files);
	if (r == ROLE_EXIT_CONFIG || (r < 0 && r != -ENOENT) || (r == -ENOENT && c->config))
		return CMD_USAGE;
	return r < 0 ? CMD_INCOMPLETE : r;
}

int cmd_config(struct cmd *c)
{
	const char *what = c->word[0];

	if (strcmp(what, "check") == 0) {
		if (c->n_words > 1)
			c->config = c->word[1];
		return run(c, true);
	}
	if (c->n_words == 1 && strcmp(what, "show") == 0)
		return run(c, false);
	if (c->n_words == 1 && strcmp(what, "sample") == 0)
		return sample();
	cmd_fail("check, show or sample is wanted", "pavise config --help");
	return CMD_USAGE;
}
