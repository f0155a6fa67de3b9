/* A log that grows in pieces, and whose reader dies at any moment: every whole line is given
 * exactly once and in order. Input: pairs of an operation and a length, taken from the bytes that are written, too. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "sense/follow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct follow f;
	int fd; /* the log */
	struct pv_buf got, want, stored;
	char *buf;
};

static int keep(const char *buf, size_t len, void *arg)
{
	struct run *r = arg;

	assert(len && buf[len - 1] == '\n');
	pv_buf_add(&r->got, buf, len);
	return 0;
}

static void look(struct run *r)
{
	assert(follow_present(&r->f, fcntl(r->fd, F_DUPFD_CLOEXEC, 0), -1, 0) >= 0);
	while (follow_turn(&r->f, r->buf, TAIL_BUFFER, keep, r, 0) > 0)
		;
	pv_buf_clear(&r->stored);
	follow_save(&r->f, &r->stored);
}

static void die(struct run *r)
{
	follow_done(&r->f);
	follow_init(&r->f, &tail_lines, true);
	assert(follow_restore(&r->f, pv_buf_str(&r->stored)) == 0);
}

static void add(struct run *r, const uint8_t *p, size_t len)
{
	assert(write(r->fd, p, len) == (ssize_t) len);
	pv_buf_add(&r->want, p, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = { .fd = memfd_create("log", MFD_CLOEXEC), .buf = malloc(TAIL_BUFFER) };

	assert(r.fd >= 0 && r.buf);
	follow_init(&r.f, &tail_lines, true);
	look(&r);
	while (size >= 2) {
		size_t len = PV_MIN((size_t) data[1], size - 2);

		add(&r, data + 2, len);
		if (data[0] & 1)
			look(&r);
		if (data[0] & 2)
			die(&r);
		data += 2 + len;
		size -= 2 + len;
	}
	look(&r);
	while (r.want.len && r.want.data[r.want.len - 1] != '\n')
		r.want.len--;
	assert(r.got.len == r.want.len && (!r.got.len || memcmp(r.got.data, r.want.data, r.got.len) == 0));
	follow_done(&r.f);
	pv_buf_done(&r.got);
	pv_buf_done(&r.want);
	pv_buf_done(&r.stored);
	(void) close(r.fd);
	free(r.buf);
	return 0;
}
