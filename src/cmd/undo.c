#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/cmd.h"

static void print_act(struct pv_buf *out, const cJSON *a)
{
	uint64_t us;

	pv_buf_printf(out, "%4" PRIu64 "  ", json_u64(a, "row"));
	if (time_read(json_text(a, "time"), &us) == 0)
		clock_local(out, us);
	pv_buf_puts(out, "  ");
	pv_buf_safe(out, json_text(a, "subject"), 160);
	pv_buf_puts(out, ": ");
	pv_buf_safe(out, json_text(a, "kind"), 32);
	if (*json_text(a, "old")) {
		pv_buf_puts(out, ", was ");
		pv_buf_safe(out, json_text(a, "old"), 64);
	}
	pv_buf_puts(out, json_true(a, "undone") ? "  (taken back)\n" : "\n");
}

/* It gets one request at `fd`, and answers there; what it complains about goes to standard error. */
static int start_broker(const struct cmd *c, const struct policy *p, int fd, pid_t *ret)
{
	char path[4096];
	const char *argv[] = { path, "undo", p->cgroup_root, p->docker_socket, p->podman_socket, NULL };

	if (child_path(c, "pavise-broker", path, sizeof(path)) < 0)
		return -ENOENT;
	return child_start(argv, &(struct child_io){ .fd3 = fd }, ret);
}

/* The same programs as a running guard's, as children of root's own: one holds the history, the other the rights. Nothing of
 * what they say to each other comes by here. */
static int run_children(const struct cmd *c, const struct policy *p, const char *row, struct pv_buf *said)
{
	char path[4096], dir[POLICY_PATH + 8];
	const char *argv[] = { path, row ? "undo" : "acts", dir, row, NULL };
	pid_t broker = 0;
	int pair[2] = { -1, -1 }, r;

	(void) snprintf(dir, sizeof(dir), "%s/engine", p->state_dir);
	r = child_path(c, "pavise-engine", path, sizeof(path));
	if (r == 0 && row) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			return -errno;
		r = start_broker(c, p, pair[1], &broker);
		(void) pv_close(pair[1]);
	}
	if (r == 0)
		r = child_run(argv, &(struct child_io){ .fd3 = pair[0], .out = said });
	(void) pv_close(pair[0]); /* where the engine asked nothing, the broker ends with it */
	if (broker)
		(void) child_wait(broker);
	return r;
}

static int without_guard(const struct cmd *c, const struct policy *p, const char *row, cJSON **ret)
{
	pv_autobuf said = PV_BUF_INIT, next = PV_BUF_INIT;

	if (geteuid() != 0) {
		cmd_by_root(c, &next);
		cmd_fail("the guard does not run, and only root may read its history and take an act back without it", "%s", pv_buf_str(&next));
		return CMD_INCOMPLETE;
	}
	if (run_children(c, p, row, &said) == -ENOENT) {
		cmd_fail("the guard does not run, and its programs pavise-engine and pavise-broker are missing", NULL);
		return CMD_INCOMPLETE;
	}
	ask_confine();
	if (ask_said(&said, ret) < 0)
		return CMD_INCOMPLETE;
	if (!c->quiet)
		cmd_say(row ? "the guard does not run; done without it" : "the guard does not run; this stands in its history");
	return CMD_OK;
}

static int ask_acts(const struct cmd *c, const char *request, const char *row, cJSON **ret)
{
	const struct policy *p = load_policy_or_defaults(c);
	pv_auto(ask) a = NULL;
	int r = ask_open(p, &a);

	if (r == -ENOENT || r == -ECONNREFUSED)
		return without_guard(c, p, row, ret);
	if (r < 0) {
		ask_explain(c, p, r);
		return CMD_INCOMPLETE;
	}
	ask_patience(a, row ? ASK_ACT_S : ASK_READ_S);
	ask_confine();
	return ask(a, request, NULL, NULL, ret) < 0 ? CMD_INCOMPLETE : CMD_OK;
}

static int list_acts(struct cmd *c)
{
	pv_autobuf out = PV_BUF_INIT;
	cJSON *answer = NULL;
	const cJSON *acts, *a;
	int r = ask_acts(c, "{\"verb\":\"acts\"}", NULL, &answer);

	if (r != CMD_OK)
		return r;
	acts = cJSON_GetObjectItemCaseSensitive(answer, "acts");
	cJSON_ArrayForEach(a, acts)
		print_act(&out, a);
	if (!cJSON_GetArraySize(acts) && !c->quiet)
		cmd_say("nothing was done that could be taken back");
	else if (!c->quiet)
		cmd_say("next: pavise undo ROW");
	cJSON_Delete(answer);
	return cmd_write(&out);
}

int cmd_undo(struct cmd *c)
{
	pv_autobuf request = PV_BUF_INIT, out = PV_BUF_INIT;
	cJSON *answer = NULL;
	uint64_t row;
	int r;

	if (c->n_words == 0)
		return list_acts(c);
	if (parse_u64(c->word[0], &row) < 0) {
		cmd_fail("the number of an act is wanted", "pavise undo    (lists them)");
		return CMD_USAGE;
	}
	pv_buf_printf(&request, "{\"verb\":\"undo\",\"row\":%" PRIu64 "}", row);
	r = ask_acts(c, pv_buf_str(&request), c->word[0], &answer);
	if (r != CMD_OK)
		return r;
	pv_buf_safe(&out, json_text(answer, "text"), 0);
	pv_buf_putc(&out, '\n');
	cJSON_Delete(answer);
	return c->quiet ? CMD_OK : cmd_write(&out);
}
