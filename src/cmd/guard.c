#include <string.h>

#include "cmd/cmd.h"

int cmd_guard(struct cmd *c)
{
	char path[4096];
	const char *argv[6] = { path };
	pv_autobuf what = PV_BUF_INIT;
	size_t n = 1;

	if (geteuid() != 0) {
		cmd_fail("the guard must be started by root; it gives up what it does not need by itself", "sudo pavise guard");
		return CMD_INCOMPLETE;
	}
	if (child_path(c, "pavise-launcher", path, sizeof(path)) < 0) {
		cmd_fail("the program pavise-launcher is missing: it belongs beside pavise or into /usr/lib/pavise", NULL);
		return CMD_INCOMPLETE;
	}
	if (c->config) {
		argv[n++] = "--config";
		argv[n++] = c->config;
	}
	if (cmd_opt(c, "observe"))
		argv[n++] = "--observe";
	(void) execv(path, (char *const *) (uintptr_t) argv);
	pv_buf_printf(&what, "%s cannot be started: %s", path, strerror(errno));
	cmd_fail(pv_buf_str(&what), NULL);
	return CMD_INCOMPLETE;
}
