/* pavise-swarm: see broker/swarm.h. HTTP/1.0, so that the answer has no chunks and ends where the connection ends. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "broker/swarm.h"

#define ANSWER_MAX (4u << 20)

static const char *const syscalls[] = { "read",	  "write",	"close",      "send",	 "sendto",	  "recv",
					"recvfrom", "brk",	"mmap",	      "munmap",	 "mremap",	  "madvise",
					"futex",  "exit",	"exit_group", "alarm",	 "setitimer",	  "rt_sigreturn",
					"fstat",  "newfstatat", "getrandom",  "clock_gettime", "restart_syscall" };

static int lock_in(void)
{
	int r = sandbox_basics();

	if (r == 0)
		r = sandbox_paths(NULL, 0);
	if (r == -ENOSYS) /* no landlock: the filter below has no system call that opens anything */
		r = 0;
	return r < 0 ? r : sandbox_syscalls(syscalls, N_ELEMENTS(syscalls));
}

static int send_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		text += n;
		len -= (size_t) n;
	}
	return 0;
}

static int receive_all(int fd, struct pv_buf *out)
{
	char piece[16384];

	for (;;) {
		ssize_t n = recv(fd, piece, sizeof(piece), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		pv_buf_add(out, piece, (size_t) n);
		if (out->cut)
			return -EFBIG;
	}
}

/* 200 and a body, nothing else. */
static int answer_body(const struct pv_buf *answer, const char **ret)
{
	const char *text = pv_buf_str(answer), *end = strstr(text, "\r\n\r\n");

	if (strncmp(text, "HTTP/1.", 7) != 0 || answer->len < 12 || !end)
		return -EBADMSG;
	if (strncmp(text + 8, " 404", 4) == 0)
		return -ENOENT;
	if (strncmp(text + 8, " 200", 4) != 0)
		return -EREMOTEIO;
	*ret = end + 4;
	return 0;
}

/* cJSON keeps numbers as doubles: what does not fit into one exactly would be written back changed. */
static bool numbers_fit(const cJSON *v)
{
	if (cJSON_IsNumber(v) && (v->valuedouble >= 9007199254740992.0 || v->valuedouble <= -9007199254740992.0))
		return false;
	for (const cJSON *c = v->child; c; c = c->next)
		if (!numbers_fit(c))
			return false;
	return true;
}

static cJSON *child_object(cJSON *parent, const char *name)
{
	cJSON *c = cJSON_GetObjectItemCaseSensitive(parent, name);

	if (cJSON_IsObject(c))
		return c;
	if (c)
		cJSON_DeleteItemFromObjectCaseSensitive(parent, name);
	return cJSON_AddObjectToObject(parent, name);
}

/* Adds our constraint, or takes it out. */
static int constrain(cJSON *spec, bool stop)
{
	cJSON *task = cJSON_GetObjectItemCaseSensitive(spec, "TaskTemplate");
	cJSON *place = cJSON_IsObject(task) ? child_object(task, "Placement") : NULL;
	cJSON *list = place ? cJSON_GetObjectItemCaseSensitive(place, "Constraints") : NULL;

	if (!place)
		return -EBADMSG;
	if (!cJSON_IsArray(list)) {
		cJSON_DeleteItemFromObjectCaseSensitive(place, "Constraints");
		list = cJSON_AddArrayToObject(place, "Constraints");
	}
	for (int i = cJSON_GetArraySize(list) - 1; i >= 0; i--) {
		const char *text = cJSON_GetStringValue(cJSON_GetArrayItem(list, i));

		if (text && strcmp(text, SWARM_STOPPED) == 0)
			cJSON_DeleteItemFromArray(list, i);
	}
	if (stop && !cJSON_AddItemToArray(list, cJSON_CreateString(SWARM_STOPPED)))
		return -ENOMEM;
	return 0;
}

/* Changes Replicas (or the constraint) and nothing else. */
static int change(cJSON *spec, const struct swarm_job *job, uint64_t *ret_before)
{
	cJSON *mode = cJSON_GetObjectItemCaseSensitive(spec, "Mode");
	cJSON *replicated = cJSON_GetObjectItemCaseSensitive(mode, "Replicated");
	cJSON *replicas;

	if (cJSON_GetObjectItemCaseSensitive(mode, "Global")) {
		*ret_before = UINT64_MAX;
		return constrain(spec, job->replicas == 0);
	}
	if (!cJSON_IsObject(replicated) || job->replicas > 100000)
		return -EOPNOTSUPP;
	replicas = cJSON_GetObjectItemCaseSensitive(replicated, "Replicas");
	*ret_before = cJSON_IsNumber(replicas) && replicas->valuedouble >= 0 ? (uint64_t) replicas->valuedouble : 1;
	if (job->replicas && *ret_before) /* fewer would end tasks, uncounted; and its owner has set this number */
		return -EALREADY;
	cJSON_DeleteItemFromObjectCaseSensitive(replicated, "Replicas");
	return cJSON_AddNumberToObject(replicated, "Replicas", (double) job->replicas) ? 0 : -ENOMEM;
}

static int post(const struct swarm_job *job, const cJSON *version, const cJSON *spec)
{
	char *body = cJSON_PrintUnformatted(spec);
	pv_autobuf head = PV_BUF_INIT, answer = PV_BUF_INIT;
	const char *text;
	int r;

	if (!body)
		return -ENOMEM;
	answer.cap = ANSWER_MAX;
	pv_buf_printf(&head, "POST /services/%s/update?version=%llu HTTP/1.0\r\nHost: localhost\r\n"
			     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		      job->service, (unsigned long long) version->valuedouble, strlen(body));
	r = send_all(SWARM_FD_POST, head.data, head.len);
	if (r == 0)
		r = send_all(SWARM_FD_POST, body, strlen(body));
	cJSON_free(body);
	if (r == 0)
		r = receive_all(SWARM_FD_POST, &answer);
	return r < 0 ? r : answer_body(&answer, &text);
}

static int scale(const struct swarm_job *job, const char *text, uint64_t *ret_before)
{
	cJSON *root = cJSON_Parse(text);
	cJSON *spec = cJSON_GetObjectItemCaseSensitive(root, "Spec");
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, "Version"), "Index");
	int r = -EBADMSG;

	if (cJSON_IsObject(spec) && cJSON_IsNumber(version) && version->valuedouble >= 0)
		r = numbers_fit(spec) && numbers_fit(version) ? change(spec, job, ret_before) : -EOVERFLOW;
	if (r == 0)
		r = post(job, version, spec);
	cJSON_Delete(root);
	return r;
}

static int run(const struct swarm_job *job, uint64_t *ret_before)
{
	pv_autobuf answer = PV_BUF_INIT;
	char request[160];
	const char *body;
	int r;

	answer.cap = ANSWER_MAX;
	(void) snprintf(request, sizeof(request), "GET /services/%s HTTP/1.0\r\nHost: localhost\r\n\r\n", job->service);
	r = send_all(SWARM_FD_GET, request, strlen(request));
	if (r == 0)
		r = receive_all(SWARM_FD_GET, &answer);
	if (r == 0)
		r = answer_body(&answer, &body);
	return r < 0 ? r : scale(job, body, ret_before);
}

int main(void)
{
	struct swarm_result result = { 0 };
	struct swarm_job job;
	int r;

	log_open("pavise-swarm");
	(void) alarm(SWARM_TIME_S);
	r = lock_in();
	if (r < 0) {
		(void) log_error_errno(r, "cannot give up what it does not need");
		return 1;
	}
	if (read(SWARM_FD_JOB, &job, sizeof(job)) != (ssize_t) sizeof(job))
		return 1;
	job.service[sizeof(job.service) - 1] = '\0';
	result.result = run(&job, &result.replicas);
	return write(SWARM_FD_RESULT, &result, sizeof(result)) == (ssize_t) sizeof(result) ? 0 : 1;
}
