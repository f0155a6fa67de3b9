#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

static int list_acts(struct cmd *c)
{
	pv_autobuf out = PV_BUF_INIT;
	cJSON *answer = NULL;
	const cJSON *acts, *a;
	int r = ask_simple(c, "{\"verb\":\"acts\"}", ASK_READ_S, &answer);

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
	r = ask_simple(c, pv_buf_str(&request), ASK_ACT_S, &answer);
	if (r != CMD_OK)
		return r;
	pv_buf_safe(&out, json_text(answer, "text"), 0);
	pv_buf_putc(&out, '\n');
	cJSON_Delete(answer);
	return c->quiet ? CMD_OK : cmd_write(&out);
}
