#include "base/array.h"

#include <string.h>

int pv_grow(void *item, size_t n, size_t *room, size_t size, size_t first)
{
	size_t want = *room ? 2 * *room : first;
	void *p;

	if (n < *room)
		return 0;
	memcpy(&p, item, sizeof(p)); /* a pointer to some type: not to be read as one to void */
	p = reallocarray(p, want, size);
	if (!p)
		return -ENOMEM;
	memcpy(item, &p, sizeof(p));
	*room = want;
	return 0;
}
