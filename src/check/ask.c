#include "check/ask.h"

#include <string.h>

#include "base/fdpass.h"
#include "base/io.h"
#include "base/text.h"
#include "engine_api/answer.h"

int audit_ask(int sock, enum audit_op op, uint32_t number, const char *text, size_t cap, struct pv_buf *out)
{
	struct audit_ask q = { .op = op, .number = number };
	struct audit_reply reply;
	int fds[FDPASS_MAX], r;
	pv_autoclose int fd = -1;
	size_t n_fds = 0;
	ssize_t n;

	if (!text_copy(q.text, sizeof(q.text), text ? text : ""))
		return -EINVAL;
	if (sock < 0)
		return -ENOENT;
	r = fdpass_send(sock, &q, sizeof(q), NULL, 0);
	if (r < 0)
		return r;
	do
		n = fdpass_recv(sock, &reply, sizeof(reply), fds, &n_fds);
	while (n == -EINTR);
	for (size_t i = 1; n > 0 && i < n_fds; i++)
		(void) pv_close(fds[i]);
	fd = n > 0 && n_fds ? fds[0] : -1;
	if (n != sizeof(reply))
		return n < 0 ? (int) n : -EPIPE;
	if (reply.result < 0 || fd < 0)
		return reply.result < 0 ? reply.result : -EBADMSG;
	out->cap = cap;
	return pv_read_all(fd, cap, out);
}

int audit_ask_api(int sock, uint32_t number, const char *id, struct pv_buf *out)
{
	pv_auto(http_answer) h = NULL;
	pv_autobuf raw = PV_BUF_INIT;
	int r = audit_ask(sock, AUDIT_API, number, id, ANSWER_BYTES + 65536, &raw);

	if (r == 0)
		r = http_answer_new(ANSWER_BYTES, &h);
	if (r < 0)
		return r;
	r = http_answer_feed(h, pv_buf_str(&raw), raw.len);
	if (r == 0)
		r = http_answer_end(h);
	if (r < 0)
		return r;
	switch (http_answer_status(h)) {
	case 200:
		pv_buf_add(out, pv_buf_str(http_answer_body(h)), http_answer_body(h)->len);
		return out->cut ? -EFBIG : 0;
	case 404:
		return -ENOENT;
	case 503:
	case 406:
		return -ENOTSUP;
	default:
		return -EBADMSG;
	}
}
