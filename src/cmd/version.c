#include "cmd/cmd.h"

int cmd_version(struct cmd *c)
{
	pv_autobuf out = PV_BUF_INIT;

	(void) c;
	pv_buf_puts(&out, "pavise " PAVISE_VERSION "\n");
	return cmd_write(&out);
}
