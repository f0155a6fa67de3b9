/* array.h - an array that grows as items come. */
#ifndef PV_BASE_ARRAY_H
#define PV_BASE_ARRAY_H

#include "base/util.h"

/* Makes room for one more item behind the `n` that `*item` (a `T **`) holds: `first` items at first, then twice as many
 * each time. Nothing moves while there is room. -ENOMEM leaves everything as it was. The caller frees *item. */
int pv_grow(void *item, size_t n, size_t *room, size_t size, size_t first);

#endif
