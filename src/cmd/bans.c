#include <cjson/cJSON.h>
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/text.h"
#include "cmd/cmd.h"

#define FOR_MAX (10 * 365 * USEC_PER_DAY)

/* --- bans --- */

struct listing {
	struct pv_buf *out;
	bool json, lines;
};

static void print_lines(struct pv_buf *out, const cJSON *list)
{
	const cJSON *e;

	cJSON_ArrayForEach(e, list) {
		pv_buf_puts(out, "    ");
		pv_buf_safe(out, json_text(e, "source"), 96);
		if (json_u64(e, "line"))
			pv_buf_printf(out, ":%" PRIu64, json_u64(e, "line"));
		pv_buf_puts(out, "  ");
		pv_buf_safe(out, json_text(e, "text"), 0);
		pv_buf_putc(out, '\n');
	}
}

static int on_ban(const cJSON *line, void *arg)
{
	struct listing *l = arg;
	pv_autobuf left = PV_BUF_INIT;
	size_t start = l->out->len;

	if (l->json) {
		char *text = cJSON_PrintUnformatted(line);

		pv_buf_puts(l->out, text ? text : "null");
		pv_buf_putc(l->out, '\n');
		free(text);
		return 0;
	}
	clock_duration(&left, json_u64(line, "left_us") / USEC_PER_SEC * USEC_PER_SEC);
	pv_buf_safe(l->out, json_text(line, "address"), 64);
	while (l->out->len - start < 24)
		pv_buf_putc(l->out, ' ');
	pv_buf_printf(l->out, " for %-9s ", left.len ? pv_buf_str(&left) : "0s");
	pv_buf_safe(l->out, json_text(line, "service"), 32);
	pv_buf_puts(l->out, *json_text(line, "service") ? ": " : "");
	pv_buf_safe(l->out, json_text(line, "reason"), 128);
	pv_buf_puts(l->out, " (");
	pv_buf_safe(l->out, json_text(line, "by"), 64);
	if (json_u64(line, "times") > 1)
		pv_buf_printf(l->out, ", for the %" PRIu64 "th time", json_u64(line, "times"));
	pv_buf_puts(l->out, ")\n");
	if (l->lines)
		print_lines(l->out, cJSON_GetObjectItemCaseSensitive(line, "evidence"));
	return 0;
}

static int list(struct cmd *c)
{
	const char *format = cmd_opt(c, "format"), *max = cmd_opt(c, "max");
	pv_autobuf request = PV_BUF_INIT, out = PV_BUF_INIT;
	struct listing l = { .out = &out, .json = format && strcmp(format, "jsonl") == 0, .lines = c->n_words == 1 };
	pv_auto(ask) a = NULL;
	cJSON *last = NULL;
	uint64_t n = 100, all;
	int r;

	if (max && parse_u64(max, &n) < 0)
		return CMD_USAGE;
	pv_buf_printf(&request, "{\"verb\":\"bans\",\"max\":%" PRIu64, n);
	if (c->n_words == 1) {
		pv_buf_puts(&request, ",\"address\":");
		pv_buf_json_str(&request, c->word[0]);
	}
	pv_buf_putc(&request, '}');
	r = ask_guard(c, &a);
	if (r != CMD_OK)
		return r;
	ask_confine();
	if (ask(a, pv_buf_str(&request), on_ban, &l, &last) < 0)
		return CMD_INCOMPLETE;
	all = json_u64(last, "count");
	if (!c->quiet && !l.json && !out.len)
		cmd_say(c->n_words ? "that address is not locked out by pavise" : "nobody is locked out");
	else if (!c->quiet && !l.json && !c->n_words)
		cmd_say("%" PRIu64 " in force%s; the lines that led to one: pavise bans ADDRESS", all,
			json_true(last, "off") ? ", but lifted by pavise off" : "");
	cJSON_Delete(last);
	return cmd_write(&out);
}

int cmd_bans(struct cmd *c)
{
	struct ip_prefix who;

	if (c->n_words == 2 && strcmp(c->word[0], "import") == 0 && strcmp(c->word[1], "fail2ban") == 0)
		return bans_import(c);
	if (c->n_words > 1 || (c->n_words == 1 && ip_prefix_parse(c->word[0], &who) < 0)) {
		cmd_fail("bans takes an address, or: import fail2ban", "pavise bans --help");
		return CMD_USAGE;
	}
	return list(c);
}

/* --- ban, unban --- */

static int ask_and_say(struct cmd *c, const char *request)
{
	pv_autobuf out = PV_BUF_INIT;
	cJSON *answer = NULL;
	int r = ask_simple(c, request, ASK_ACT_S, &answer);

	if (r != CMD_OK)
		return r;
	pv_buf_safe(&out, json_text(answer, "text"), 0);
	pv_buf_putc(&out, '\n');
	cJSON_Delete(answer);
	return c->quiet ? CMD_OK : cmd_write(&out);
}

int cmd_ban(struct cmd *c)
{
	const char *span = cmd_opt(c, "for"), *reason = cmd_opt(c, "reason");
	pv_autobuf request = PV_BUF_INIT;
	struct ip_prefix who;
	uint64_t us = 0;

	if (ip_prefix_parse(c->word[0], &who) < 0) {
		cmd_fail("an address or a network is wanted, such as 203.0.113.7 or 203.0.113.0/24", "pavise ban --help");
		return CMD_USAGE;
	}
	if (span && (parse_duration(span, &us) < 0 || us < USEC_PER_SEC || us > FOR_MAX)) {
		cmd_fail("--for takes a duration from 1s to 10y, such as 10m, 1h, 30d", "pavise ban --help");
		return CMD_USAGE;
	}
	pv_buf_puts(&request, "{\"verb\":\"ban\",\"address\":");
	pv_buf_json_str(&request, c->word[0]);
	pv_buf_printf(&request, ",\"for_us\":%" PRIu64 ",\"reason\":", us);
	pv_buf_json_str(&request, reason ? reason : "");
	pv_buf_putc(&request, '}');
	return ask_and_say(c, pv_buf_str(&request));
}

/* The first SSH_CONNECTION in a process's environment: "203.0.113.7 50222 192.0.2.1 22". */
static bool ssh_of(long pid, char out[64])
{
	char path[64];
	pv_autobuf text = { .cap = 1u << 20 };
	pv_autoclose int fd = -1;
	char chunk[8192];
	ssize_t n;

	(void) snprintf(path, sizeof(path), "/proc/%ld/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (n = read(fd, chunk, sizeof(chunk))) > 0)
		pv_buf_add(&text, chunk, (size_t) n);
	for (const char *s = pv_buf_str(&text), *end = s + text.len; s < end; s += strlen(s) + 1)
		if (strncmp(s, "SSH_CONNECTION=", 15) == 0 && sscanf(s + 15, "%63s", out) == 1)
			return true;
	return false;
}

static long parent_of(long pid)
{
	char path[64], text[512], *at;
	pv_autoclose int fd = -1;
	long parent = 0;
	ssize_t n;

	(void) snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	at = strrchr(text, ')'); /* a name may hold anything */
	/* NOLINTNEXTLINE(cert-err34-c): a number that does not fit is no address of ours */
	return at && sscanf(at + 1, " %*c %ld", &parent) == 1 ? parent : 0;
}

/* Where the person sits: of this process, or, since sudo clears the environment, of the nearest one above it that knows. */
static int my_address(char out[64])
{
	long pid = getpid();

	for (unsigned i = 0; pid > 1 && i < 64; i++, pid = parent_of(pid))
		if (ssh_of(pid, out)) {
			out[strcspn(out, "%")] = '\0';
			return 0;
		}
	return -ENOENT;
}

int cmd_unban(struct cmd *c)
{
	pv_autobuf request = PV_BUF_INIT;
	struct ip_prefix who;
	char mine[64] = "";

	if ((c->n_words == 1) == (cmd_opt(c, "me") != NULL)) {
		cmd_fail("an address or a network is wanted, or --me", "pavise bans    (lists them)");
		return CMD_USAGE;
	}
	if (!c->n_words && my_address(mine) < 0) {
		cmd_fail("this is no SSH session: where you come from is not known", "pavise unban ADDRESS");
		return CMD_INCOMPLETE;
	}
	if (ip_prefix_parse(c->n_words ? c->word[0] : mine, &who) < 0) {
		cmd_fail("an address or a network is wanted, such as 203.0.113.7 or 203.0.113.0/24", "pavise bans    (lists them)");
		return CMD_USAGE;
	}
	pv_buf_puts(&request, "{\"verb\":\"unban\",\"address\":");
	pv_buf_json_str(&request, c->n_words ? c->word[0] : mine);
	pv_buf_putc(&request, '}');
	return ask_and_say(c, pv_buf_str(&request));
}
