#include "model/notice.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

static const char *const action_names[DONE_N] = {
	[DONE_ALERTED] = "alerted",	    [DONE_BLOCKED] = "blocked",
	[DONE_KILLED] = "killed",	    [DONE_STOPPED] = "stopped",
	[DONE_FROZEN] = "frozen",	    [DONE_BANNED] = "banned",
	[DONE_WOULD_BLOCK] = "would-block", [DONE_WOULD_KILL] = "would-kill",
	[DONE_WOULD_STOP] = "would-stop",   [DONE_WOULD_FREEZE] = "would-freeze",
	[DONE_WOULD_BAN] = "would-ban",	    [DONE_FAILED] = "failed",
};

static const char *const kind_names[SUBJECT_N] = {
	[SUBJECT_HOST] = "host",
	[SUBJECT_CONTAINER] = "container",
	[SUBJECT_SERVICE] = "service",
	[SUBJECT_UNIT] = "unit",
	[SUBJECT_IMAGE] = "image",
	[SUBJECT_FILE] = "file",
	[SUBJECT_NETWORK] = "network",
	[SUBJECT_PORT] = "port",
	[SUBJECT_USER] = "user",
	[SUBJECT_KEY] = "key",
	[SUBJECT_CERTIFICATE] = "certificate",
	[SUBJECT_REPOSITORY] = "repository",
	[SUBJECT_PACKAGE] = "package",
	[SUBJECT_ADVISORY] = "advisory",
	[SUBJECT_SECRET] = "secret",
	[SUBJECT_DEPLOYMENT] = "deployment",
	[SUBJECT_LOG] = "log",
	[SUBJECT_SOURCE] = "source",
};

static int find_name(const char *const *names, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], s) == 0)
			return (int) i;
	return -EINVAL;
}

const char *notice_action_name(enum notice_action a)
{
	return (unsigned) a < DONE_N ? action_names[a] : "unknown";
}

int notice_action_parse(const char *s, enum notice_action *ret)
{
	int i = find_name(action_names, DONE_N, s);

	if (i < 0)
		return i;
	*ret = (enum notice_action) i;
	return 0;
}

const char *subject_kind_name(enum subject_kind k)
{
	return (unsigned) k < SUBJECT_N ? kind_names[k] : "unknown";
}

int subject_kind_parse(const char *s, enum subject_kind *ret)
{
	int i = find_name(kind_names, SUBJECT_N, s);

	if (i < 0)
		return i;
	*ret = (enum subject_kind) i;
	return 0;
}

void notice_init(struct notice *n, enum id id, uint64_t wall_us)
{
	memset(n, 0, sizeof(*n));
	n->id = id;
	n->severity = id_info(id)->severity;
	n->action = DONE_ALERTED;
	n->time_us = n->last_us = wall_us;
	n->count = 1;
	(void) text_copy(n->subject, sizeof(n->subject), "host");
}

void notice_set_what(struct notice *n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void) vsnprintf(n->what, sizeof(n->what), fmt, ap);
	va_end(ap);
}

void notice_set_next(struct notice *n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void) vsnprintf(n->next, sizeof(n->next), fmt, ap);
	va_end(ap);
}

void notice_add_evidence(struct notice *n, const char *what, const char *fmt, ...)
{
	struct notice_evidence *e;
	va_list ap;

	if (n->n_evidence == NOTICE_EVIDENCE)
		return;
	e = &n->evidence[n->n_evidence++];
	(void) text_copy(e->what, sizeof(e->what), what);
	va_start(ap, fmt);
	(void) vsnprintf(e->value, sizeof(e->value), fmt, ap);
	va_end(ap);
}

void notice_json(struct pv_buf *out, const struct notice *n)
{
	pv_buf_puts(out, "{\"schema\":1,\"row\":");
	pv_buf_printf(out, "%" PRIu64 ",\"time\":\"", n->row);
	clock_rfc3339(out, n->time_us);
	pv_buf_puts(out, "\",\"last\":\"");
	clock_rfc3339(out, n->last_us);
	pv_buf_printf(out, "\",\"id\":\"%s\",\"severity\":\"%s\",\"subject\":{\"kind\":\"%s\",\"name\":",
		      id_info(n->id)->name, severity_name(n->severity), subject_kind_name(n->kind));
	pv_buf_json_str(out, n->subject);
	if (n->cgroup)
		pv_buf_printf(out, ",\"cgroup\":%" PRIu64, n->cgroup);
	pv_buf_printf(out, "},\"action\":\"%s\",\"count\":%" PRIu64 ",\"detail\":{\"what\":",
		      notice_action_name(n->action), n->count);
	pv_buf_json_str(out, n->what);
	pv_buf_puts(out, ",\"evidence\":[");
	for (size_t i = 0; i < n->n_evidence; i++) {
		pv_buf_puts(out, i ? ",{\"what\":" : "{\"what\":");
		pv_buf_json_str(out, n->evidence[i].what);
		pv_buf_puts(out, ",\"value\":");
		pv_buf_json_str(out, n->evidence[i].value);
		pv_buf_putc(out, '}');
	}
	pv_buf_puts(out, "]},\"next\":");
	pv_buf_json_str(out, n->next);
	pv_buf_putc(out, '}');
}
