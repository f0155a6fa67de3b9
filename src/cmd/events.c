#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/cmd.h"

struct printer {
	struct words_style style;
	bool jsonl, whole;
	uint64_t n;
	int status;
};

static void print_whole(struct pv_buf *out, const struct notice *n, const struct words_style *style)
{
	words_event_line(out, n, style);
	pv_buf_printf(out, "\n  id        %s (%s)\n  first     ", id_info(n->id)->name, severity_name(n->severity));
	clock_local(out, n->time_us);
	pv_buf_puts(out, "\n  last      ");
	clock_local(out, n->last_us);
	pv_buf_printf(out, "\n  how often %" PRIu64 "\n  done      %s\n  %-9s ", n->count, notice_action_name(n->action),
		      subject_kind_name(n->kind));
	pv_buf_safe(out, n->subject, 0);
	if (n->cgroup)
		pv_buf_printf(out, " (cgroup %" PRIu64 ")", n->cgroup);
	pv_buf_putc(out, '\n');
	for (size_t i = 0; i < n->n_evidence; i++) {
		pv_autobuf what = PV_BUF_INIT;

		pv_buf_safe(&what, n->evidence[i].what, 0);
		pv_buf_printf(out, "  %-9s ", pv_buf_str(&what));
		pv_buf_safe(out, n->evidence[i].value, 0);
		pv_buf_putc(out, '\n');
	}
	pv_buf_printf(out, "\nwhy it matters: pavise explain %s\n", id_info(n->id)->name);
}

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
	} else if (p->whole) {
		print_whole(&out, &n, &p->style);
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

int cmd_events(struct cmd *c)
{
	const char *format = cmd_opt(c, "format");
	struct printer printer = { .jsonl = format && strcmp(format, "jsonl") == 0, .whole = c->n_words > 0 };
	pv_autobuf request = PV_BUF_INIT;
	pv_auto(ask) a = NULL;
	int r = c->n_words ? request_show(c, &request) : make_request(c, &request);

	if (r < 0)
		return CMD_USAGE;
	r = ask_guard(c, &a);
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
	printer.style = cmd_style(c);
	r = ask(a, pv_buf_str(&request), print_one, &printer, NULL);
	if (r < 0)
		return CMD_INCOMPLETE;
	if (printer.n == 0 && !c->quiet)
		cmd_say("nothing to show: no event fits");
	return printer.status;
}
