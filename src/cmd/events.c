#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "report/story.h"

struct printer {
	struct words_style style;
	bool jsonl;
	uint64_t n;
	int status;
};

static int print_one(const cJSON *line, void *arg)
{
	struct printer *p = arg;
	pv_autobuf out = PV_BUF_INIT;
	struct notice n;

	if (notice_read(line, &n) < 0) {
		cmd_say("pavise: one event was left out: it cannot be read (is the guard of another version?)");
		return 0;
	}
	p->n++;
	if (p->jsonl) {
		notice_json(&out, &n);
		pv_buf_putc(&out, '\n');
	} else {
		words_event_line(&out, &n, &p->style);
	}
	p->status = cmd_write(&out);
	return p->status != CMD_OK;
}

static int bad(const char *what, const char *value)
{
	pv_autobuf text = PV_BUF_INIT;

	pv_buf_printf(&text, "%s `", what);
	pv_buf_safe(&text, value, 48);
	pv_buf_putc(&text, '`');
	cmd_fail(pv_buf_str(&text), "pavise events --help");
	return -EINVAL;
}

static int make_request(const struct cmd *c, struct pv_buf *out)
{
	const char *since = cmd_opt(c, "since"), *max = cmd_opt(c, "max");
	const char *texts[] = { "id", "subject" };
	uint64_t us, now = clock_wall_us();
	uint32_t n;

	pv_buf_puts(out, "{\"verb\":\"events\"");
	if (since) {
		if (parse_duration(since, &us) < 0)
			return bad("--since takes a duration such as 90s, 10m, 24h or 7d, not", since);
		pv_buf_printf(out, ",\"since_us\":%" PRIu64, now > us ? now - us : 0);
	}
	if (max && (parse_u32(max, &n) < 0 || n == 0))
		return bad("--max takes a number from 1 on, not", max);
	if (max || since)
		pv_buf_printf(out, ",\"max\":%u", max ? n : 1000);
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		if (cmd_opt(c, texts[i])) {
			pv_buf_printf(out, ",\"%s\":", texts[i]);
			pv_buf_json_str(out, cmd_opt(c, texts[i]));
		}
	if (cmd_opt(c, "follow"))
		pv_buf_puts(out, ",\"follow\":true");
	pv_buf_putc(out, '}');
	return 0;
}

static int request_show(const struct cmd *c, struct pv_buf *out)
{
	uint64_t row;

	if (strcmp(c->word[0], "show") != 0)
		return bad("there is no `pavise events`", c->word[0]);
	if (c->n_words < 2)
		return bad("the number of the event is missing after", "show");
	if (parse_u64(c->word[1], &row) < 0)
		return bad("the number of an event is wanted, not", c->word[1]);
	pv_buf_printf(out, "{\"verb\":\"event\",\"row\":%" PRIu64 "}", row);
	return 0;
}

static int take_event(const cJSON *line, void *arg)
{
	(void) notice_read(line, arg); /* left as it is: row 0 */
	return 0;
}

static int take_step(const cJSON *line, void *arg)
{
	struct notice n;

	if (notice_read(line, &n) == 0)
		story_add(arg, &n);
	return 0;
}

/* The event, then what happened around it to the same workload, by a second connection: the first has answered. */
static int show(struct cmd *c, struct ask *one, struct ask *around, const char *request, bool jsonl)
{
	const char *format = cmd_opt(c, "format");
	struct words_style style = cmd_style(c);
	pv_autobuf out = PV_BUF_INIT, more = PV_BUF_INIT;
	struct notice n = { 0 };
	static struct story s;

	if (ask(one, request, take_event, &n, NULL) < 0)
		return CMD_INCOMPLETE;
	if (!n.row) {
		cmd_say("pavise: the event cannot be read (is the guard of another version?)");
		return CMD_INCOMPLETE;
	}
	s = (struct story){ .event = &n };
	story_add(&s, &n);
	if (!jsonl && n.kind != SUBJECT_HOST) {
		pv_buf_printf(&more, "{\"verb\":\"events\",\"max\":500,\"since_us\":%" PRIu64 ",\"subject\":",
			      n.time_us > STORY_AROUND ? n.time_us - STORY_AROUND : 0);
		pv_buf_json_str(&more, n.subject);
		pv_buf_putc(&more, '}');
		(void) ask(around, pv_buf_str(&more), take_step, &s, NULL); /* without it the event still stands for itself */
	}
	if (jsonl) {
		notice_json(&out, &n);
		pv_buf_putc(&out, '\n');
	} else if (format && strcmp(format, "json") == 0) {
		story_json(&out, &s);
	} else {
		story_print(&out, &s, &style);
	}
	return cmd_write(&out);
}

int cmd_events(struct cmd *c)
{
	const char *format = cmd_opt(c, "format");
	struct printer printer = { .jsonl = format && strcmp(format, "jsonl") == 0 };
	pv_autobuf request = PV_BUF_INIT;
	pv_auto(ask) a = NULL;
	pv_auto(ask) around = NULL;
	int r = c->n_words ? request_show(c, &request) : make_request(c, &request);

	if (r == 0 && !c->n_words && format && strcmp(format, "json") == 0)
		r = bad("jsonl is the format of several events, not", format);
	if (r < 0)
		return CMD_USAGE;
	r = ask_guard(c, &a);
	if (r == CMD_OK && c->n_words)
		r = ask_guard(c, &around);
	if (r != CMD_OK)
		return r;
	if (cmd_opt(c, "output")) {
		c->colour = false;
		if (cmd_output_to(cmd_opt(c, "output")) < 0)
			return CMD_USAGE;
	}
	if (cmd_opt(c, "follow"))
		ask_patience(a, 0);
	ask_confine();
	if (c->n_words)
		return show(c, a, around, pv_buf_str(&request), printer.jsonl);
	printer.style = cmd_style(c);
	r = ask(a, pv_buf_str(&request), print_one, &printer, NULL);
	if (r < 0)
		return CMD_INCOMPLETE;
	if (printer.n == 0 && !c->quiet)
		cmd_say("nothing to show: no event fits");
	return printer.status;
}
