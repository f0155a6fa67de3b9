#include "host/gitindex.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define INDEX_MAX (512u << 20)
#define PATH_LEN  (1u << 16)
#define STAT_LEN  40 /* ctime to file size */

static uint32_t be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

struct cursor {
	const uint8_t *p, *end;
	unsigned version, id_len;
	char path[PATH_LEN]; /* of version 4: the one before is continued */
	size_t path_len;
};

/* How many bytes of the path before are dropped: the same form as the distance of a delta. */
static int read_drop(struct cursor *c, size_t *ret)
{
	size_t v;

	if (c->p >= c->end)
		return -EBADMSG;
	v = *c->p & 0x7f;
	while (*c->p++ & 0x80) {
		if (c->p >= c->end || v >> 24)
			return -EBADMSG;
		v = (v + 1) << 7 | (*c->p & 0x7f);
	}
	*ret = v;
	return 0;
}

static int read_path(struct cursor *c, const uint8_t *start)
{
	size_t drop = c->path_len, keep = 0, len;
	const uint8_t *nul;

	if (c->version == 4) {
		if (read_drop(c, &drop) < 0 || drop > c->path_len)
			return -EBADMSG;
		keep = c->path_len - drop;
	}
	nul = memchr(c->p, '\0', (size_t) (c->end - c->p));
	if (!nul)
		return -EBADMSG;
	len = (size_t) (nul - c->p);
	if (keep + len >= sizeof(c->path))
		return -EBADMSG;
	memcpy(c->path + keep, c->p, len + 1);
	c->path_len = keep + len;
	/* Up to version 3 one to eight NULs fill up to a multiple of eight. */
	c->p = c->version == 4 ? nul + 1 : start + (((size_t) (nul - start) + 8) & ~(size_t) 7);
	return c->p > c->end || !c->path_len ? -EBADMSG : 0;
}

static int read_entry(struct cursor *c, struct gitindex_entry *e)
{
	const uint8_t *start = c->p;
	size_t head = STAT_LEN + c->id_len + 2;
	unsigned flags;

	if ((size_t) (c->end - start) < head + 2)
		return -EBADMSG;
	e->mode = be32(start + 24);
	e->id = start + STAT_LEN;
	flags = (unsigned) start[head - 2] << 8 | start[head - 1];
	e->stage = flags >> 12 & 3;
	e->skip = false;
	c->p += head;
	if (flags & 0x4000) { /* extended: skip-worktree and intent-to-add */
		e->skip = (c->p[0] & 0x60) != 0;
		c->p += 2;
	}
	if (read_path(c, start) < 0)
		return -EBADMSG;
	e->path = c->path;
	e->path_len = c->path_len;
	return 0;
}

/* An extension whose name starts with a small letter must be understood: `link` is a split index. `sdir` only says that
 * folders may stand among the entries. */
static int check_extensions(const struct cursor *c)
{
	const uint8_t *p = c->p;

	while ((size_t) (c->end - p) >= 8) {
		size_t len = be32(p + 4);

		if (p[0] >= 'a' && p[0] <= 'z' && memcmp(p, "sdir", 4) != 0)
			return -EOPNOTSUPP;
		if (len > (size_t) (c->end - p) - 8)
			return -EBADMSG;
		p += 8 + len;
	}
	return 0;
}

int gitindex_parse(const uint8_t *data, size_t len, unsigned id_len,
		   int (*fn)(const struct gitindex_entry *e, void *user), void *user)
{
	pv_autofree struct cursor *c = malloc(sizeof(*c));
	struct gitindex_entry e;
	uint32_t n;
	int r = 0;

	if (!c)
		return -ENOMEM;
	if (len < 12 + id_len || memcmp(data, "DIRC", 4) != 0)
		return -EBADMSG;
	*c = (struct cursor){ .p = data + 12, .end = data + len - id_len, .version = be32(data + 4), .id_len = id_len };
	if (c->version < 2 || c->version > 4)
		return -EOPNOTSUPP;
	n = be32(data + 8);
	for (uint32_t i = 0; i < n && r == 0; i++) {
		r = read_entry(c, &e);
		if (r == 0)
			r = fn(&e, user);
	}
	return r ? r : check_extensions(c);
}

int gitindex_read_fd(int fd, unsigned id_len, int (*fn)(const struct gitindex_entry *e, void *user), void *user)
{
	pv_autofree char *data = NULL;
	size_t len = 0;
	int r = gitdir_read_fd(fd, INDEX_MAX, false, &data, &len);

	return r < 0 ? r : gitindex_parse((const uint8_t *) data, len, id_len, fn, user);
}

int gitindex_read(const struct gitdir *g, int (*fn)(const struct gitindex_entry *e, void *user), void *user)
{
	pv_autofree char *path = NULL;
	pv_autoclose int fd = -1;

	if (asprintf(&path, "%s/index", g->git_dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : gitindex_read_fd(fd, g->id_len, fn, user);
}
