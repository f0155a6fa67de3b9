/* A container's environment and the files it changed. The engine's answer comes over a socket on which the request was
 * sent already; the files are those of the upper folder of its overlay. */
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/sandbox.h"
#include "engine_api/answer.h"
#include "engine_api/json.h"
#include "scan_child/scan_child.h"

#define ANSWER_MAX (4u << 20)
#define NOBODY	   65534

/* The engine's answer as JSON; NULL and a status when there is none. Freed by the caller. */
static cJSON *parse_answer(const struct pv_buf *bytes, int *ret_status)
{
	pv_auto(http_answer) h = NULL;
	const struct pv_buf *body;
	cJSON *root = NULL;
	int r = http_answer_new(ANSWER_MAX, &h);

	*ret_status = 0;
	if (r == 0)
		r = http_answer_feed(h, pv_buf_str(bytes), bytes->len);
	if (r == 0)
		r = http_answer_end(h);
	if (r < 0)
		return NULL;
	*ret_status = http_answer_status(h);
	body = http_answer_body(h);
	if (*ret_status == 200)
		(void) json_parse(pv_buf_str(body), body->len, &root);
	return root;
}

static const char *upper_of(const cJSON *root)
{
	const cJSON *driver = cJSON_GetObjectItemCaseSensitive(root, "GraphDriver");
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(driver, "Data");
	const cJSON *upper = cJSON_GetObjectItemCaseSensitive(data, "UpperDir");

	return cJSON_IsString(upper) ? upper->valuestring : "";
}

/* What an engine calls the changed files of a container: /var/lib/docker/overlay2/ID/diff. */
static bool upper_is_good(const char *path)
{
	size_t n = strlen(path);

	return *path == '/' && n > 6 && n < PATH_MAX && !strstr(path, "/../") &&
	       (strcmp(path + n - 5, "/diff") == 0 || strcmp(path + n - 3, "/fs") == 0);
}

/* --- before the rights are given up --- */

/* In a process that can do nothing but this: which folder is it? */
static void tell_upper(const struct pv_buf *answer, int out)
{
	static const char *const calls[] = { "read", "write", "close", "brk", "mmap", "munmap", "mremap", "madvise", "futex", "exit",
					     "exit_group", "rt_sigreturn" };
	const char *upper;
	int status, r = sandbox_basics();
	cJSON *root;

	if (r == 0 && geteuid() == 0)
		r = sandbox_become(NOBODY, NOBODY, 0);
	if (r == 0)
		r = sandbox_syscalls(calls, N_ELEMENTS(calls));
	if (r < 0)
		_exit(1);
	root = parse_answer(answer, &status);
	upper = upper_of(root);
	_exit(write(out, upper, strlen(upper)) == (ssize_t) strlen(upper) ? 0 : 1);
}

static int ask_upper(const struct pv_buf *answer, char ret[PATH_MAX])
{
	pv_autoclose int in = -1, out = -1;
	int pipes[2];
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	in = pipes[0];
	out = pipes[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		tell_upper(answer, out);
	pv_close(pv_steal_fd(&out));
	while (len < PATH_MAX - 1 && ((n = read(in, ret + len, PATH_MAX - 1 - len)) > 0 || (n < 0 && errno == EINTR)))
		len += n > 0 ? (size_t) n : 0;
	ret[len] = '\0';
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (strlen(ret) != len || !upper_is_good(ret))
		*ret = '\0';
	return 0;
}

int scan_container_ask(struct scan_run *run)
{
	int r = pv_read_all(run->args->container_fd, ANSWER_MAX, &run->answer);

	if (r == 0)
		r = ask_upper(&run->answer, run->upper);
	return r == -ENOMEM ? r : 0; /* what is wrong with the answer is told when it is read */
}

/* --- afterwards --- */

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
			r = tree_values_text(run->values, &run->tree_notes, "environment", e->valuestring, strlen(e->valuestring));
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

static int scan_upper(struct scan_run *run)
{
	pv_auto(tree) t = NULL;
	int r;

	if (!*run->upper) {
		scan_note(&run->tree_notes, REASON_UNSUPPORTED, "", "its changed files: the engine names no overlay folder");
		return 0;
	}
	r = tree_list(&(struct tree_options){ .top = run->upper, .below = "", .threads = run->threads }, &run->tree_notes, &t);
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
		r = scan_upper(run);
	if (text.data)
		explicit_bzero(text.data, text.len);
	return r;
}

int scan_container(struct scan_run *run)
{
	int status, r;
	cJSON *root = parse_answer(&run->answer, &status);

	if (root) {
		r = scan_json(run, root);
		cJSON_Delete(root);
		return r;
	}
	scan_note(&run->tree_notes, status == 404 ? REASON_ABSENT : REASON_MALFORMED, "",
		  status == 404 ? "there is no such container" : "the container engine's answer cannot be read");
	return look_new(run->set, run->values, &run->tree_notes, 1, &run->secrets.look);
}
