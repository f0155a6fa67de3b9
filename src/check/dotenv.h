/* dotenv.h - .env files as Compose and the usual libraries read them: NAME=value, `export` in front, quotes, comments.
 */
#ifndef PV_CHECK_DOTENV_H
#define PV_CHECK_DOTENV_H

#include "check/container.h"

#define DOTENV_BYTES (1u << 20)
#define DOTENV_LINES 5000

struct dotenv {
	struct ctr_env *item; /* value never NULL; at.line */
	size_t n;
	unsigned odd_line; /* first line that is none of these; 0: there is none */
};

int dotenv_parse(struct arena *a, const char *text, size_t len, struct dotenv *ret); /* 0, -ENOMEM, -EFBIG */
const struct ctr_env *dotenv_find(const struct dotenv *d, const char *name, size_t len);

#endif
