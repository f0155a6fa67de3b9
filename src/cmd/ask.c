#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "base/clock.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "model/control.h"

#define LINE_MAX_ANSWER (4u << 20)
#define NOBODY		65534

struct ask {
	int fd;
	struct pv_buf in; /* what was received and not yet used */
};

struct ask *ask_free(struct ask *a)
{
	(void) pv_close(a->fd);
	pv_buf_done(&a->in);
	free(a);
	return NULL;
}

int ask_open(const struct policy *p, struct ask **ret)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	pv_auto(ask) a = calloc(1, sizeof(*a));
	int n;

	if (!a)
		return -ENOMEM;
	a->in.cap = LINE_MAX_ANSWER;
	n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", p->run_dir, CONTROL_SOCKET);
	a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (a->fd < 0)
		return -errno;
	if (n < 0 || (size_t) n >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	if (connect(a->fd, (struct sockaddr *) &addr, sizeof(addr)) < 0)
		return -errno;
	ask_patience(a, ASK_READ_S);
	*ret = pv_steal(a);
	return 0;
}

void ask_patience(struct ask *a, unsigned seconds)
{
	struct timeval limit = { .tv_sec = seconds };

	(void) setsockopt(a->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void) setsockopt(a->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

void ask_explain(const struct cmd *c, const struct policy *p, int r)
{
	pv_autobuf what = PV_BUF_INIT;

	if (r == -ENOENT || r == -ECONNREFUSED) {
		pv_buf_puts(&what, "the guard does not run: nobody answers at ");
		pv_buf_safe(&what, p->run_dir, 0);
		pv_buf_puts(&what, "/" CONTROL_SOCKET);
		cmd_fail(pv_buf_str(&what), "systemctl start pavise    (a first look: pavise guard --observe)");
	} else if (r == -EACCES || r == -EPERM) {
		pv_autobuf next = PV_BUF_INIT;

		cmd_by_root(c, &next);
		cmd_fail("only root and members of the group pavise-admin may ask the guard", "%s", pv_buf_str(&next));
	} else {
		pv_buf_printf(&what, "the guard cannot be reached: %s", strerror(-r));
		cmd_fail(pv_buf_str(&what), "pavise doctor");
	}
}

void ask_confine(void)
{
	/* A root without these capabilities (a container) has little to lose; it goes on. */
	(void) sandbox_basics();
	if (geteuid() == 0)
		(void) sandbox_become(NOBODY, NOBODY, 0);
}

static int send_line(struct ask *a, const char *request)
{
	pv_autobuf line = PV_BUF_INIT;

	pv_buf_puts(&line, request);
	pv_buf_putc(&line, '\n');
	for (size_t at = 0; at < line.len;) {
		ssize_t n = send(a->fd, line.data + at, line.len - at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += (size_t) n;
	}
	return 0;
}

/* One whole line, parsed. -EPIPE: the guard ended; -EBADMSG: no JSON; -EMSGSIZE. */
static int read_line(struct ask *a, cJSON **ret)
{
	char chunk[16384];

	for (;;) {
		char *end = a->in.len ? memchr(a->in.data, '\n', a->in.len) : NULL;
		ssize_t n;

		if (end) {
			size_t used = (size_t) (end - a->in.data) + 1;

			*ret = cJSON_ParseWithLength(a->in.data, used);
			memmove(a->in.data, a->in.data + used, a->in.len - used + 1);
			a->in.len -= used;
			return *ret ? 0 : -EBADMSG;
		}
		if (a->in.cut)
			return -EMSGSIZE;
		n = read(a->fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -EPIPE : errno == EAGAIN ? -ETIMEDOUT : -errno;
		pv_buf_add(&a->in, chunk, (size_t) n);
	}
}

static int refused(const cJSON *line)
{
	pv_autobuf what = PV_BUF_INIT, next = PV_BUF_INIT;
	const char *s = json_text(line, "error");

	/* An error of several lines (those of a configuration) keeps them. */
	for (; *s; s += strcspn(s, "\n") + (s[strcspn(s, "\n")] == '\n')) {
		if (what.len)
			pv_buf_puts(&what, "\n  ");
		if (strcspn(s, "\n"))
			pv_buf_safe(&what, s, strcspn(s, "\n"));
	}
	pv_buf_safe(&next, json_text(line, "next"), 0);
	cmd_fail(what.len ? pv_buf_str(&what) : "the guard refused", next.len ? "%s" : NULL, pv_buf_str(&next));
	return -EREMOTEIO;
}

/* 0: it said ok, and is *ret_last. Takes `line`. */
static int last_line(cJSON *line, cJSON **ret_last)
{
	int r = json_true(line, "ok") ? 0 : refused(line);

	if (r == 0 && ret_last)
		*ret_last = pv_steal(line);
	cJSON_Delete(line);
	return r;
}

static int answers(struct ask *a, int (*fn)(const cJSON *, void *), void *arg, cJSON **ret_last)
{
	for (;;) {
		cJSON *line = NULL;
		int r = read_line(a, &line);

		if (r < 0)
			return r;
		if (cJSON_GetObjectItemCaseSensitive(line, "ok"))
			return last_line(line, ret_last);
		r = fn ? fn(line, arg) : 0;
		cJSON_Delete(line);
		if (r)
			return 0;
	}
}

int ask(struct ask *a, const char *request, int (*fn)(const cJSON *, void *), void *arg, cJSON **ret_last)
{
	pv_autobuf what = PV_BUF_INIT;
	int r = send_line(a, request);

	if (r == 0)
		r = answers(a, fn, arg, ret_last);
	if (r == 0 || r == -EREMOTEIO)
		return r;
	if (r == -ETIMEDOUT)
		pv_buf_puts(&what, "the guard takes the question, but does not answer");
	else
		pv_buf_printf(&what, "the guard's answer broke off: %s", r == -EPIPE ? "it ended the connection" : strerror(-r));
	cmd_fail(pv_buf_str(&what), "journalctl -u pavise -n 20");
	return r;
}

int ask_said(const struct pv_buf *said, cJSON **ret_last)
{
	cJSON *line = cJSON_ParseWithLength(pv_buf_str(said), said->len);

	if (line)
		return last_line(line, ret_last);
	cmd_fail("the history could not be read: the program that reads it gave no answer", "sudo pavise doctor");
	return -EBADMSG;
}

int ask_guard(struct cmd *c, struct ask **ret)
{
	const struct policy *p;
	int r;

	if (load_policy(c, &p) < 0)
		return CMD_USAGE;
	r = ask_open(p, ret);
	if (r == 0)
		return CMD_OK;
	ask_explain(c, p, r);
	return CMD_INCOMPLETE;
}

int ask_simple(struct cmd *c, const char *request, unsigned seconds, cJSON **ret_last)
{
	pv_auto(ask) a = NULL;
	int r = ask_guard(c, &a);

	if (r != CMD_OK)
		return r;
	ask_patience(a, seconds);
	ask_confine();
	return ask(a, request, NULL, NULL, ret_last) < 0 ? CMD_INCOMPLETE : CMD_OK;
}

const char *json_text(const cJSON *o, const char *key)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

	return s ? s : "";
}

uint64_t json_u64(const cJSON *o, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0))
		return 0;
	return v->valuedouble >= 9007199254740992.0 ? (uint64_t) 1 << 53 : (uint64_t) v->valuedouble;
}

bool json_true(const cJSON *o, const char *key)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, key));
}

int time_read(const char *s, uint64_t *ret_us)
{
	struct tm tm = { .tm_isdst = 0 };
	uint64_t us = 0, digit = 100000;
	const char *end = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t t;

	if (!end)
		return -EBADMSG;
	if (*end == '.')
		for (end++; *end >= '0' && *end <= '9'; end++, digit /= 10)
			us += digit * (uint64_t) (*end - '0');
	t = timegm(&tm);
	if (strcmp(end, "Z") != 0 || t < 0)
		return -EBADMSG;
	*ret_us = (uint64_t) t * USEC_PER_SEC + us;
	return 0;
}

int notice_read(const cJSON *line, struct notice *ret)
{
	const cJSON *subject = cJSON_GetObjectItemCaseSensitive(line, "subject"),
		    *detail = cJSON_GetObjectItemCaseSensitive(line, "detail"), *e;
	struct notice n = { .row = json_u64(line, "row"), .count = json_u64(line, "count") };

	if (id_parse(json_text(line, "id"), &n.id) < 0 || severity_parse(json_text(line, "severity"), &n.severity) < 0 ||
	    notice_action_parse(json_text(line, "action"), &n.action) < 0 ||
	    subject_kind_parse(json_text(subject, "kind"), &n.kind) < 0 || time_read(json_text(line, "time"), &n.time_us) < 0)
		return -EBADMSG;
	if (time_read(json_text(line, "last"), &n.last_us) < 0)
		n.last_us = n.time_us;
	n.count = PV_MAX(n.count, 1);
	n.cgroup = json_u64(subject, "cgroup");
	(void) text_copy(n.subject, sizeof(n.subject), json_text(subject, "name"));
	(void) text_copy(n.what, sizeof(n.what), json_text(detail, "what"));
	(void) text_copy(n.next, sizeof(n.next), json_text(line, "next"));
	cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(detail, "evidence"))
		notice_add_evidence(&n, json_text(e, "what"), "%s", json_text(e, "value"));
	*ret = n;
	return 0;
}
