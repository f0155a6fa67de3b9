/* A container's environment and the files it changed. The engine's answer comes over a socket on which the request was
 * sent already; the files are those of the upper folder of its overlay. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "engine_api/answer.h"
#include "scan_child/scan_child.h"

#define ANSWER_MAX (4u << 20)

static int read_answer(int fd, struct http_answer *h)
{
	char buf[65536];

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r = n ? http_answer_feed(h, buf, (size_t) n) : http_answer_end(h);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

static int look_env(struct scan_run *run, const cJSON *env, struct pv_buf *text)
{
	const cJSON *e;
	int r = 0;

	cJSON_ArrayForEach(e, env) {
		if (!cJSON_IsString(e))
			continue;
		pv_buf_puts(text, e->valuestring);
		pv_buf_putc(text, '\n');
		if (r == 0)
			r = tree_values_text(run->values, e->valuestring, strlen(e->valuestring));
	}
	return r;
}

static int scan_env(struct scan_run *run, const struct pv_buf *text)
{
	struct look_hits hits = { .hit = NULL };
	pv_auto(look) plain = NULL;
	struct look *look = run->secrets.look;
	/* Every own value stands in the environment, that is what makes it one: only rules count there. */
	int r = look_new(run->set, NULL, &run->tree_notes, 1, &plain);

	if (r == 0)
		r = look_at(plain, 0, pv_buf_str(text), text->len, NULL, 0, NULL, &hits);
	if (r == 0 && hits.n) {
		look_settle(plain, &hits);
		look_lines(pv_buf_str(text), &hits);
		run->secrets.look = plain;
		r = secrets_in_text(&(struct tree_text){ .path = "environment", .text = pv_buf_str(text), .len = text->len,
							 .hits = &hits }, &run->secrets);
		run->secrets.look = look;
	}
	look_hits_done(&hits);
	return r;
}

static int scan_upper(struct scan_run *run, const char *upper)
{
	pv_auto(tree) t = NULL;
	int r;

	if (*upper != '/' || strstr(upper, "/../")) {
		scan_note(&run->tree_notes, REASON_UNSUPPORTED, "", "its changed files: the engine names no overlay folder");
		return 0;
	}
	r = tree_list(&(struct tree_options){ .top = upper, .below = "", .threads = run->threads }, &run->tree_notes, &t);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		scan_note(&run->tree_notes, r == -EACCES ? REASON_PERMISSION : REASON_ABSENT, "",
			  "its changed files cannot be read from here");
		return 0;
	}
	run->files += tree_count(t);
	return tree_scan(t, run->secrets.look, secrets_in_text, &run->secrets);
}

static int scan_json(struct scan_run *run, const cJSON *root)
{
	const cJSON *config = cJSON_GetObjectItemCaseSensitive(root, "Config");
	const cJSON *graph = cJSON_GetObjectItemCaseSensitive(root, "GraphDriver");
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(graph, "Data");
	const cJSON *upper = cJSON_GetObjectItemCaseSensitive(data, "UpperDir");
	pv_autobuf text = PV_BUF_INIT;
	int r = look_env(run, cJSON_GetObjectItemCaseSensitive(config, "Env"), &text);

	if (r == 0)
		r = match_values_ready(run->values);
	if (r == -EPERM)
		r = 0;
	if (r == 0)
		r = look_new(run->set, run->values, &run->tree_notes, run->threads, &run->secrets.look);
	if (r == 0)
		r = scan_env(run, &text);
	if (r == 0)
		r = scan_upper(run, cJSON_IsString(upper) ? upper->valuestring : "");
	if (text.data)
		explicit_bzero(text.data, text.len);
	return r;
}

int scan_container(struct scan_run *run)
{
	pv_auto(http_answer) h = NULL;
	const struct pv_buf *body;
	cJSON *root;
	int r = http_answer_new(ANSWER_MAX, &h);

	if (r == 0)
		r = read_answer(run->args->container_fd, h);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || http_answer_status(h) != 200) {
		bool absent = r == 0 && http_answer_status(h) == 404;

		scan_note(&run->tree_notes, absent ? REASON_ABSENT : REASON_MALFORMED, "",
			  absent ? "there is no such container" : "the container engine's answer cannot be read");
		return look_new(run->set, run->values, &run->tree_notes, 1, &run->secrets.look);
	}
	body = http_answer_body(h);
	root = cJSON_ParseWithLength(pv_buf_str(body), body->len);
	if (root)
		r = scan_json(run, root);
	else
		scan_note(&run->tree_notes, REASON_MALFORMED, "", "the container engine's answer cannot be read");
	cJSON_Delete(root);
	return r;
}
