#include "base/io.h"

#include <fcntl.h>

int pv_write_all(int fd, const void *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, (const char *) data + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += (size_t) n;
	}
	return 0;
}

int pv_read_all(int fd, size_t max, struct pv_buf *out)
{
	char chunk[16384];
	size_t total = 0;

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		total += (size_t) n;
		if (total > max)
			return -EFBIG;
		pv_buf_add(out, chunk, (size_t) n);
		if (out->cut)
			return -ENOMEM;
	}
}

size_t pv_read_start(const char *path, char *out, size_t size)
{
	pv_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

	out[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t) n : 0;
}
