#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/cmd.h"

static const char *const severities[] = { "critical", "high", "medium", "low", "info" };

static void heading(struct pv_buf *out, const char *word)
{
	pv_buf_printf(out, "\n%s\n", word);
}

/* A local time from the guard's text; what is no time is shown as it came. */
static void when(struct pv_buf *out, const char *text)
{
	uint64_t us;

	if (time_read(text, &us) == 0)
		clock_local(out, us);
	else
		pv_buf_safe(out, text, 40);
}

static void first_line(struct pv_buf *out, const cJSON *s, const struct words_style *style)
{
	bool off = json_true(s, "off"), observe = strcmp(json_text(s, "mode"), "observe") == 0;
	enum severity colour = off ? SEV_HIGH : observe ? SEV_MEDIUM : SEV_INFO;

	pv_buf_puts(out, "pavise ");
	pv_buf_safe(out, json_text(s, "version"), 32);
	pv_buf_printf(out, ": %s", words_colour(colour, style));
	if (off) {
		pv_buf_puts(out, "OFF: nothing is refused or killed, until ");
		if (*json_text(s, "off_until"))
			when(out, json_text(s, "off_until"));
		else
			pv_buf_puts(out, "`pavise on`");
	} else if (observe) {
		pv_buf_puts(out, "observing: nothing is refused or killed");
	} else {
		pv_buf_puts(out, "in force");
	}
	pv_buf_printf(out, "%s, started ", words_plain(style));
	when(out, json_text(s, "since"));
	pv_buf_putc(out, '\n');
}

static void workloads(struct pv_buf *out, const cJSON *s)
{
	const cJSON *w = cJSON_GetObjectItemCaseSensitive(s, "workloads"), *e;

	pv_buf_printf(out, "  watching   %" PRIu64 " containers, %" PRIu64 " systemd services", json_u64(w, "containers"),
		      json_u64(w, "units"));
	cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(s, "engines")) {
		pv_buf_puts(out, "; ");
		pv_buf_safe(out, json_text(e, "name"), 32);
		pv_buf_putc(out, ' ');
		pv_buf_safe(out, json_text(e, "state"), 32);
		if (*json_text(e, "detail")) {
			pv_buf_puts(out, " (");
			pv_buf_safe(out, json_text(e, "detail"), 80);
			pv_buf_putc(out, ')');
		}
	}
	pv_buf_putc(out, '\n');
}

static void logs(struct pv_buf *out, const cJSON *l)
{
	uint64_t shed = json_u64(l, "shed");

	if (!l)
		return;
	pv_buf_printf(out, "  logs       %" PRIu64 " are read", json_u64(l, "reading"));
	if (!json_true(l, "rules"))
		pv_buf_puts(out, " (their rules are not there yet)");
	if (shed)
		pv_buf_printf(out, "; %" PRIu64 " MiB were passed over", (shed + (1u << 19)) >> 20);
	pv_buf_putc(out, '\n');
}

static void counts(struct pv_buf *out, const cJSON *s)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(s, "counts"), *d = cJSON_GetObjectItemCaseSensitive(s, "deliveries"),
		    *day = cJSON_GetObjectItemCaseSensitive(s, "notices_24h"), *c;
	const char *sep = "";

	pv_buf_printf(out, "  refused    %" PRIu64 " of %" PRIu64 " connections to mining ports, %" PRIu64 " of %" PRIu64
			   " questions for mining names\n",
		      json_u64(n, "net_refused"), json_u64(n, "net_seen"), json_u64(n, "dns_refused"), json_u64(n, "dns_seen"));
	if (json_u64(n, "lost"))
		pv_buf_printf(out, "  lost       details of %" PRIu64 " events (blocks are never lost)\n", json_u64(n, "lost"));
	logs(out, cJSON_GetObjectItemCaseSensitive(s, "logs"));
	if (json_u64(cJSON_GetObjectItemCaseSensitive(s, "bans"), "in_force"))
		pv_buf_printf(out, "  locked out %" PRIu64 " addresses or networks (pavise bans)\n",
			      json_u64(cJSON_GetObjectItemCaseSensitive(s, "bans"), "in_force"));
	pv_buf_puts(out, "  last 24 h  ");
	for (size_t i = 0; i < N_ELEMENTS(severities); i++)
		if (json_u64(day, severities[i])) {
			pv_buf_printf(out, "%s%" PRIu64 " %s", sep, json_u64(day, severities[i]), severities[i]);
			sep = ", ";
		}
	pv_buf_puts(out, *sep ? "\n  channels   " : "nothing to tell\n  channels   ");
	sep = "";
	cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(s, "channels")) {
		pv_buf_puts(out, sep);
		pv_buf_safe(out, json_text(c, "name"), 64);
		pv_buf_puts(out, " (from ");
		pv_buf_safe(out, json_text(c, "min_severity"), 16);
		pv_buf_puts(out, " on)");
		sep = ", ";
	}
	pv_buf_puts(out, *sep ? "" : "none: notices stay on this machine (key notify.channels)");
	if (json_u64(d, "waiting") || json_u64(d, "given_up"))
		pv_buf_printf(out, "; %" PRIu64 " waiting, %" PRIu64 " given up", json_u64(d, "waiting"), json_u64(d, "given_up"));
	pv_buf_putc(out, '\n');
}

static void exceptions(struct pv_buf *out, const cJSON *s)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(s, "exceptions"), *e;

	if (!cJSON_GetArraySize(list))
		return;
	heading(out, "Exceptions in force");
	cJSON_ArrayForEach(e, list) {
		pv_buf_puts(out, "  ");
		pv_buf_safe(out, json_text(e, "name"), 128);
		pv_buf_puts(out, ": ");
		pv_buf_safe(out, json_text(e, "signal"), 16);
		pv_buf_puts(out, ", ");
		pv_buf_safe(out, json_text(e, "action"), 16);
		pv_buf_puts(out, "  (");
		pv_buf_safe(out, json_text(e, "source"), 300);
		pv_buf_puts(out, ")\n");
	}
}

static void would_hit(struct pv_buf *out, const cJSON *s)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(s, "would_hit"), *e;
	uint64_t all = json_u64(s, "would_hit_count"), shown = (uint64_t) cJSON_GetArraySize(list);

	if (!shown)
		return;
	heading(out, "Breaks a rule right now");
	cJSON_ArrayForEach(e, list) {
		pv_buf_puts(out, "  ");
		pv_buf_safe(out, json_text(e, "name"), 160);
		pv_buf_putc(out, ' ');
		pv_buf_safe(out, json_text(e, "why"), 200);
		pv_buf_puts(out, "  (");
		pv_buf_safe(out, json_text(e, "signal"), 16);
		pv_buf_puts(out, ")\n");
	}
	if (all > shown)
		pv_buf_printf(out, "  and %" PRIu64 " more\n", all - shown);
}

static void degraded(struct pv_buf *out, const cJSON *s)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(s, "degraded"), *e;

	if (!cJSON_GetArraySize(list))
		return;
	heading(out, "Not as it should be");
	cJSON_ArrayForEach(e, list) {
		pv_buf_puts(out, "  ");
		pv_buf_safe(out, json_text(e, "signal"), 48);
		pv_buf_puts(out, ": ");
		pv_buf_safe(out, json_text(e, "why"), 300);
		pv_buf_puts(out, "\n    next: ");
		pv_buf_safe(out, json_text(e, "next"), 200);
		pv_buf_putc(out, '\n');
	}
}

/* The engine tells the newest first; people read downwards. */
static void recent(struct pv_buf *out, const cJSON *s, const struct words_style *style)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(s, "recent");
	int n = cJSON_GetArraySize(list);

	if (!n)
		return;
	heading(out, "Last of them");
	for (int i = n - 1; i >= 0; i--) {
		struct notice notice;

		if (notice_read(cJSON_GetArrayItem(list, i), &notice) == 0)
			words_event_line(out, &notice, style);
	}
}

static const char *next_command(const cJSON *s)
{
	const cJSON *day = cJSON_GetObjectItemCaseSensitive(s, "notices_24h");

	if (json_true(s, "off"))
		return "pavise on";
	if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(s, "degraded")))
		return "pavise doctor";
	if (json_u64(day, "critical") || json_u64(day, "high"))
		return "pavise events --since 24h";
	if (strcmp(json_text(s, "mode"), "observe") == 0)
		return "set `mode: enforce` in the configuration, then: systemctl reload pavise";
	return "nothing is to be done; live table: pavise top";
}

int cmd_status(struct cmd *c)
{
	struct words_style style = cmd_style(c);
	pv_autobuf out = PV_BUF_INIT;
	cJSON *answer = NULL;
	const cJSON *s;
	int r = ask_simple(c, "{\"verb\":\"status\"}", ASK_READ_S, &answer);

	if (r != CMD_OK)
		return r;
	s = cJSON_GetObjectItemCaseSensitive(answer, "status");
	if (cmd_opt(c, "format") && strcmp(cmd_opt(c, "format"), "json") == 0) {
		char *text = cJSON_PrintUnformatted(s);

		pv_buf_puts(&out, text ? text : "null");
		pv_buf_putc(&out, '\n');
		free(text);
	} else {
		first_line(&out, s, &style);
		workloads(&out, s);
		counts(&out, s);
		would_hit(&out, s);
		degraded(&out, s);
		exceptions(&out, s);
		recent(&out, s, &style);
		pv_buf_printf(&out, "\nnext: %s\n", next_command(s));
	}
	cJSON_Delete(answer);
	return cmd_write(&out);
}
