/* pavise audit --watch: pavise-caps looks on while containers start, and the reader gets what it saw. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/audit.h"

int audit_watch(struct cmd *c, struct start *s)
{
	char program[PATH_MAX], seconds[16];
	const char *const argv[] = { program, seconds, NULL };
	pv_autobuf out = PV_BUF_INIT, wait = PV_BUF_INIT;
	uint64_t us;
	int r;

	if (parse_duration(cmd_opt(c, "watch"), &us) < 0 || us < USEC_PER_SEC || us > USEC_PER_HOUR) {
		cmd_fail("--watch takes 1s to 1h, such as 2m", "pavise audit --help");
		return CMD_USAGE;
	}
	if (!cmd_opt(c, "recreate") && !(cmd_opt(c, "fix") && cmd_opt(c, "compose"))) {
		cmd_fail("--watch goes with --fix --compose FILE or with --recreate NAME", "pavise audit --help");
		return CMD_USAGE;
	}
	if (child_path(c, "pavise-caps", program, sizeof(program)) < 0) {
		cmd_fail("the program pavise-caps is missing: it belongs beside pavise or into /usr/lib/pavise", NULL);
		return CMD_INCOMPLETE;
	}
	(void) snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long) (us / USEC_PER_SEC));
	s->watch_fd = memfd_create("watch", MFD_CLOEXEC);
	if (s->watch_fd < 0)
		return CMD_INCOMPLETE;
	clock_duration(&wait, us);
	cmd_say("watching for %s which capabilities are used: restart the containers now, and use them", pv_buf_str(&wait));
	r = child_run(argv, &(struct child_io){ .fd3 = s->watch_fd, .out = &out });
	if (r != 0 || lseek(s->watch_fd, 0, SEEK_SET) < 0) {
		cmd_say("nothing was observed; what is not known by the way it starts is left out");
		s->watch_fd = pv_close(s->watch_fd);
	}
	return CMD_OK;
}
