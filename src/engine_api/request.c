#include "engine_api/request.h"

#include <string.h>

#include "base/text.h"

#define MIB (1u << 20)

/* `filters` of API_EVENTS, percent-encoded: {"type":["container","network"]} */
#define EVENTS_FILTER "%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D"

/* What is sent. %I is the id, %N the number, %M the number times 2^20, %K times 10^6. A stop waits 5 s for the container before the engine
 * kills it, so its answer may take longer than the others'. */
static const struct request_row {
	struct api_template t;
	const char *method, *path, *body;
} rows[API_N_REQUESTS] = {
	[API_VERSION] = { { "version", API_ID_NONE, false, 64 << 10, 5000 }, "GET", "/version", NULL },
	[API_INFO] = { { "info", API_ID_NONE, false, MIB, 10000 }, "GET", "/info", NULL },
	[API_LIST] = { { "list", API_ID_NONE, false, 16 * MIB, 20000 }, "GET", "/containers/json?all=1", NULL },
	[API_INSPECT] = { { "inspect", API_ID_CONTAINER, false, 4 * MIB, 10000 }, "GET", "/containers/%I/json", NULL },
	[API_IMAGE] = { { "image", API_ID_IMAGE, false, 4 * MIB, 10000 }, "GET", "/images/%I/json", NULL },
	[API_NETWORKS] = { { "networks", API_ID_NONE, false, 8 * MIB, 10000 }, "GET", "/networks", NULL },
	[API_EVENTS] = { { "events", API_ID_NONE, false, 0, 0 }, "GET", "/events?filters=" EVENTS_FILTER, NULL },
	[API_SERVICE] = { { "service", API_ID_SERVICE, false, 4 * MIB, 10000 }, "GET", "/services/%I", NULL },
	[API_LOGS] = { { "logs", API_ID_CONTAINER, false, 512 << 10, 3000 },
		"GET", "/containers/%I/logs?stdout=1&stderr=1&timestamps=1&tail=200", NULL },
	[API_FOLLOW] = { { "follow logs", API_ID_CONTAINER, false, 0, 0 },
		"GET", "/containers/%I/logs?follow=1&stdout=1&stderr=1&timestamps=1&since=%N", NULL },
	[API_CHANGES] = { { "changes", API_ID_CONTAINER, false, 16 * MIB, 20000 }, "GET", "/containers/%I/changes", NULL },
	[API_RESTART_NO] = { { "restart policy no", API_ID_CONTAINER, true, 64 << 10, 10000 },
		"POST", "/containers/%I/update", "{\"RestartPolicy\":{\"Name\":\"no\"}}" },
	[API_RESTART_ALWAYS] = { { "restart policy always", API_ID_CONTAINER, true, 64 << 10, 10000 },
		"POST", "/containers/%I/update", "{\"RestartPolicy\":{\"Name\":\"always\"}}" },
	[API_RESTART_UNLESS_STOPPED] = { { "restart policy unless-stopped", API_ID_CONTAINER, true, 64 << 10, 10000 },
		"POST", "/containers/%I/update", "{\"RestartPolicy\":{\"Name\":\"unless-stopped\"}}" },
	[API_RESTART_ON_FAILURE] = { { "restart policy on-failure", API_ID_CONTAINER, true, 64 << 10, 10000 },
		"POST", "/containers/%I/update",
		"{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":%N}}" },
	[API_KILL] = { { "kill", API_ID_CONTAINER, true, 64 << 10, 15000 }, "POST", "/containers/%I/kill", NULL },
	[API_STOP] = { { "stop", API_ID_CONTAINER, true, 64 << 10, 30000 }, "POST", "/containers/%I/stop?t=5", NULL },
	[API_PAUSE] = { { "pause", API_ID_CONTAINER, true, 64 << 10, 10000 }, "POST", "/containers/%I/pause", NULL },
	[API_UNPAUSE] = { { "unpause", API_ID_CONTAINER, true, 64 << 10, 10000 }, "POST", "/containers/%I/unpause", NULL },
	[API_LIMIT_PIDS] = { { "limit pids", API_ID_CONTAINER, true, 64 << 10, 10000 }, "POST", "/containers/%I/update", "{\"PidsLimit\":%N}" },
	[API_LIMIT_MEMORY] = { { "limit memory", API_ID_CONTAINER, true, 64 << 10, 10000 },
		"POST", "/containers/%I/update", "{\"Memory\":%M,\"MemorySwap\":%M}" },
	[API_LIMIT_CPU] = { { "limit cpu", API_ID_CONTAINER, true, 64 << 10, 10000 }, "POST", "/containers/%I/update", "{\"NanoCpus\":%K}" },
};

const struct api_template *api_template(enum api_request r)
{
	return (unsigned) r < API_N_REQUESTS ? &rows[r].t : NULL;
}

static bool service_id(const char *id)
{
	size_t n = strnlen(id, 26);

	return n == 25 && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") == n;
}

bool api_id_valid(enum api_id_kind kind, const char *id)
{
	switch (kind) {
	case API_ID_NONE:
		return !id || !id[0];
	case API_ID_CONTAINER:
		return id && text_is_hex(id, 64);
	case API_ID_IMAGE:
		return id && strncmp(id, "sha256:", 7) == 0 && text_is_hex(id + 7, 64);
	case API_ID_SERVICE:
		return id && service_id(id);
	}
	return false;
}

/* Appends `text`, each %I, %N, %M and %K in it replaced; every other % is itself. */
static void expand(struct pv_buf *out, const char *text, const char *id, uint32_t number)
{
	for (const char *c = text; *c; c++) {
		if (c[0] == '%' && c[1] == 'I') {
			pv_buf_puts(out, id);
			c++;
		} else if (c[0] == '%' && c[1] == 'N') {
			pv_buf_printf(out, "%u", number);
			c++;
		} else if (c[0] == '%' && (c[1] == 'M' || c[1] == 'K')) {
			pv_buf_printf(out, "%llu", (unsigned long long) number * (c[1] == 'M' ? 1u << 20 : 1000000u));
			c++;
		} else {
			pv_buf_putc(out, *c);
		}
	}
}

/* No version in the path: Docker 29 refuses those below 1.44, and 19.03 knows none above 1.40; without one every engine
 * answers in its own. `Connection: close`: the engine closes after its answer, so that the end of the pipe is the end of
 * the answer. `Host` is required by RFC 9112; any name does. */
int api_request_format(struct pv_buf *out, enum api_request r, const char *id, uint32_t number)
{
	const struct request_row *row = (unsigned) r < API_N_REQUESTS ? &rows[r] : NULL;
	pv_autobuf body = PV_BUF_INIT;

	if (!row || !api_id_valid(row->t.id, id))
		return -EINVAL;
	if (row->body)
		expand(&body, row->body, id, number);
	pv_buf_printf(out, "%s ", row->method);
	expand(out, row->path, id, number);
	pv_buf_puts(out, " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: pavise\r\nConnection: close\r\n");
	if (row->body)
		pv_buf_puts(out, "Content-Type: application/json\r\n");
	if (strcmp(row->method, "POST") == 0)
		pv_buf_printf(out, "Content-Length: %zu\r\n", body.len);
	pv_buf_puts(out, "\r\n");
	pv_buf_puts(out, pv_buf_str(&body));
	return out->cut || body.cut ? -ENOBUFS : 0;
}
