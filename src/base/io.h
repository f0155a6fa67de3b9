/* io.h - descriptors written whole. */
#ifndef PV_BASE_IO_H
#define PV_BASE_IO_H

#include "base/util.h"

/* Writes all of it to a blocking descriptor, over interruptions. 0 or the negative errno of the write that failed. */
int pv_write_all(int fd, const void *data, size_t len);

#endif
