/* read_compose.h - services of Compose files as containers. Reads files only through the caller, who decides what may
 * be read. What is not understood becomes a gap of the field it belongs to, with its line; a file that cannot be read
 * at all becomes a container of its own, named after the file, all of whose fields are gaps. */
#ifndef PV_CHECK_READ_COMPOSE_H
#define PV_CHECK_READ_COMPOSE_H

#include "check/container.h"

struct compose_files {
	/* The whole file, at most `max` bytes. 0, -ENOENT, -EACCES, -EFBIG ... */
	int (*read)(void *user, const char *path, size_t max, struct pv_buf *out);
	void *user;
};

/* `paths` (n of them): the file and its overrides, as for `docker compose -f A -f B`. `dir`: the project's folder,
 * absolute; NULL: the folder of the first. Adds to `to`; returns how many services, or -ENOMEM. */
int ctr_from_compose(struct arena *a, const char *const *paths, size_t n, const char *dir,
		     const struct compose_files *files, struct ctr_list *to);

#endif
