/* util.h - cleanup by scope, ownership that moves in sight, and the small things every file needs. */
#ifndef PV_BASE_UTIL_H
#define PV_BASE_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define N_ELEMENTS(a)	 (sizeof(a) / sizeof((a)[0]))
#define PV_PRINTF(f, a)	 __attribute__((format(printf, f, a)))
#define PV_MIN(a, b)	 ((a) < (b) ? (a) : (b))
#define PV_MAX(a, b)	 ((a) > (b) ? (a) : (b))

/* pv_auto(ban_list) b = NULL; calls ban_list_freep(&b) when b leaves its scope. */
#define pv_auto(type) __attribute__((cleanup(type##_freep))) struct type *
#define PV_AUTO(type)                                                                              \
	static inline void type##_freep(struct type **p)                                           \
	{                                                                                          \
		if (*p)                                                                            \
			*p = type##_free(*p);                                                      \
	}

/* Moves a pointer out of a pv_auto variable. */
#define pv_steal(p)                                                                                \
	__extension__({                                                                            \
		__typeof__(p) pv_steal_tmp_ = (p);                                                 \
		(p) = NULL;                                                                        \
		pv_steal_tmp_;                                                                     \
	})

static inline void pv_freep(void *p)
{
	free(*(void **) p);
}
#define pv_autofree __attribute__((cleanup(pv_freep)))

/* Closes and returns -1, so that `fd = pv_close(fd)` cannot be closed twice. Keeps errno. */
static inline int pv_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		(void) close(fd);
		errno = saved;
	}
	return -1;
}

static inline void pv_closep(int *fd)
{
	*fd = pv_close(*fd);
}
#define pv_autoclose __attribute__((cleanup(pv_closep)))

/* Moves a descriptor out of a pv_autoclose variable. */
static inline int pv_steal_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

#endif
