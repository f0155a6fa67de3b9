#include <cjson/cJSON.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/cmd.h"

#define PATIENCE_S 4 /* who runs `off` is in a hurry */
#define BROKER_NONE 3 /* its exit status: nothing is pinned */
#define FOR_MAX (366 * USEC_PER_DAY)

/* The guard is asked first, because it also tells that it was switched off, and by whom. True: it answered. */
static bool by_guard(const struct policy *p, const char *request, bool quiet, int *ret_why)
{
	pv_auto(ask) a = NULL;
	cJSON *answer = NULL;

	*ret_why = ask_open(p, &a);
	if (*ret_why < 0)
		return false;
	ask_patience(a, PATIENCE_S);
	if (ask(a, request, NULL, NULL, &answer) < 0)
		return false;
	if (!quiet) {
		pv_autobuf text = PV_BUF_INIT;

		pv_buf_safe(&text, json_text(answer, "text"), 0);
		pv_buf_putc(&text, '\n');
		(void) cmd_write(&text);
	}
	cJSON_Delete(answer);
	return true;
}

/* The guard is dead or stuck: the same code as a child of root's own. */
static int by_broker(const struct cmd *c, const struct policy *p, const char *op, const char *until, int why)
{
	char path[4096];
	const char *argv[6] = { path, op };
	pv_autobuf said = PV_BUF_INIT;
	size_t n = 2;
	int r;

	if (geteuid() != 0 && (why == -EACCES || why == -EPERM)) {
		ask_explain(c, p, why);
		return CMD_INCOMPLETE;
	}
	if (geteuid() != 0) {
		pv_autobuf next = PV_BUF_INIT;

		cmd_by_root(c, &next);
		cmd_fail("the guard does not answer, and only root may switch without it", "%s", pv_buf_str(&next));
		return CMD_INCOMPLETE;
	}
	if (child_path(c, "pavise-broker", path, sizeof(path)) < 0) {
		cmd_fail("the guard does not answer, and the program pavise-broker is missing", NULL);
		return CMD_INCOMPLETE;
	}
	if (until)
		argv[n++] = until;
	argv[n++] = "--bpf-dir";
	argv[n++] = p->bpf_dir;
	r = child_run(argv, &(struct child_io){ .fd3 = -1, .out = &said });
	if (r == BROKER_NONE && until) {
		if (!c->quiet)
			cmd_say("nothing is in force: the guard does not run, and nothing is pinned in the kernel");
		return CMD_OK;
	}
	if (r != 0) {
		cmd_fail(r == BROKER_NONE ? "nothing can be put in force: the guard does not run, and nothing is pinned in the kernel" :
					    "it could not be done; what the kernel refuses is pinned below bpf_dir",
			 r == BROKER_NONE ? "systemctl start pavise" : "sudo pavise doctor");
		return CMD_INCOMPLETE;
	}
	if (!c->quiet)
		cmd_say("the guard does not answer; done in the kernel directly%s",
			strncmp(pv_buf_str(&said), "off unpinned", 12) == 0 ? ": the blocks were taken out, until the guard starts again" : "");
	return CMD_OK;
}

int cmd_off(struct cmd *c)
{
	const char *span = cmd_opt(c, "for");
	pv_autobuf request = PV_BUF_INIT, until = PV_BUF_INIT;
	const struct policy *p;
	uint64_t us = 0;
	int why;

	if (span && (parse_duration(span, &us) < 0 || us < USEC_PER_SEC || us > FOR_MAX)) {
		cmd_fail("--for takes a duration from 1s to 366d, such as 10m or 1h", "pavise off --help");
		return CMD_USAGE;
	}
	p = load_policy_or_defaults(c);
	pv_buf_printf(&request, "{\"verb\":\"off\",\"for_us\":%" PRIu64 "}", us);
	if (by_guard(p, pv_buf_str(&request), c->quiet, &why))
		return CMD_OK;
	if (us)
		pv_buf_printf(&until, "%" PRIu64, (clock_monotonic_us() + us) * 1000);
	else
		pv_buf_puts(&until, "forever");
	return by_broker(c, p, "off", pv_buf_str(&until), why);
}

int cmd_on(struct cmd *c)
{
	const struct policy *p = load_policy_or_defaults(c);
	int why;

	if (by_guard(p, "{\"verb\":\"on\"}", c->quiet, &why))
		return CMD_OK;
	return by_broker(c, p, "on", NULL, why);
}
