/* io.h - descriptors read and written whole. */
#ifndef PV_BASE_IO_H
#define PV_BASE_IO_H

#include "base/buf.h"

/* Writes all of it to a blocking descriptor, over interruptions. 0 or the negative errno of the write that failed. */
int pv_write_all(int fd, const void *data, size_t len);

/* Appends what comes until the end of `fd` to `out`, over interruptions. 0; -EFBIG: it is more than `max` bytes; -ENOMEM; the
 * negative errno of the read that failed. */
int pv_read_all(int fd, size_t max, struct pv_buf *out);

/* The beginning of a small file (of /proc, say) as text with its NUL; its length, 0 where it cannot be read. */
size_t pv_read_start(const char *path, char *out, size_t size);

#endif
