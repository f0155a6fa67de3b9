#include "scan/staged.h"

#include <sodium/crypto_shorthash.h>
#include <sodium/randombytes.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "host/gitindex.h"

#define DEPTH_MAX 200

struct staged {
	struct objects *s;
	const struct gitdir *g;
	struct look *look;
	struct pack_inflater *inflater;
	int (*fn)(const struct tree_text *, void *);
	void *user;
	unsigned char key[crypto_shorthash_KEYBYTES];
	struct pv_map head; /* hash of a path to the id that HEAD has there */
	struct look_hits old, new, inner;
	uint64_t files, entries;
};

static uint64_t hash(const struct staged *s, const char *path, size_t len)
{
	uint64_t h;

	(void) crypto_shorthash((unsigned char *) &h, (const unsigned char *) path, len, s->key);
	return h;
}

static int get(struct staged *s, const uint8_t *id, enum git_type want, uint8_t **ret, size_t *ret_len)
{
	uint32_t number = objects_find(s->s, id);
	enum git_type type;
	int r;

	if (number == OBJECTS_NONE)
		return -ENOENT;
	r = objects_get(s->s, s->inflater, number, &type, ret, ret_len);
	if (r == 0 && type != want) {
		free(*ret);
		*ret = NULL;
		return -EBADMSG;
	}
	return r;
}

static int remember(struct staged *s, const char *path, const uint8_t *id)
{
	uint8_t *copy = malloc(s->s->id_len), *old;
	uint64_t h = hash(s, path, strlen(path));
	int r;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, id, s->s->id_len);
	old = pv_map_get(&s->head, h);
	r = pv_map_put(&s->head, h, copy);
	free(r < 0 ? copy : old);
	return r;
}

static int read_tree(struct staged *s, const uint8_t *id, const char *prefix, unsigned depth)
{
	pv_autofree uint8_t *data = NULL;
	const char *p, *end;
	size_t len = 0;
	int r = depth > DEPTH_MAX ? -EFBIG : get(s, id, GIT_TREE, &data, &len);

	if (r < 0)
		return r;
	for (p = (const char *) data, end = p + len; p < end && r == 0;) {
		const char *name = memchr(p, ' ', (size_t) (end - p)), *nul;
		char path[4096];

		if (++s->entries > TREE_FILES)
			return -EFBIG;
		nul = name ? memchr(name, '\0', (size_t) (end - name)) : NULL;
		if (!nul || (size_t) (end - nul - 1) < s->s->id_len)
			return -EBADMSG;
		if (snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "/" : "", name + 1) < (int) sizeof(path))
			r = *objects_mode(p) == '4' ? read_tree(s, (const uint8_t *) nul + 1, path, depth + 1) :
					remember(s, path, (const uint8_t *) nul + 1);
		p = nul + 1 + s->s->id_len;
	}
	return r;
}

static int read_head(struct staged *s)
{
	pv_autofree uint8_t *data = NULL;
	uint8_t id[GIT_ID_MAX];
	size_t len = 0;
	int r = gitdir_head(s->g, id);

	if (r == -ENOENT)
		return 0; /* the first commit: everything is new */
	if (r == 0)
		r = get(s, id, GIT_COMMIT, &data, &len);
	if (r == 0 && (len < 5 + 2 * s->s->id_len || memcmp(data, "tree ", 5) != 0 ||
		       gitdir_hex((const char *) data + 5, s->s->id_len, id) < 0))
		r = -EBADMSG;
	return r < 0 ? r : read_tree(s, id, "", 0);
}

static void forget_known(struct look_hits *new, const struct look_hits *old)
{
	size_t kept = 0;

	for (size_t i = 0; i < new->n; i++) {
		bool known = false;

		for (size_t k = 0; k < old->n && !known; k++)
			known = old->hit[k].secret == new->hit[i].secret;
		if (!known)
			new->hit[kept++] = new->hit[i];
	}
	new->n = kept;
}

static int look_blob(struct staged *s, const uint8_t *id, struct look_hits *hits, uint8_t **ret, size_t *ret_len)
{
	int r = get(s, id, GIT_BLOB, ret, ret_len);

	if (r == 0)
		r = look_at(s->look, 0, (const char *) *ret, *ret_len, NULL, 0, NULL, hits);
	return r;
}

struct inside {
	const struct staged *s;
	const char *path;
};

static int on_member(const struct archive_member *m, const struct look_hits *hits, void *user)
{
	const struct inside *in = user;
	char path[2 * 4096];

	(void) snprintf(path, sizeof(path), "%s%s%s", in->path, *m->path ? "!" : "", m->path);
	return in->s->fn(&(struct tree_text){ .path = path, .text = m->text, .len = m->len, .hits = hits }, in->s->user);
}

static int on_entry(const struct gitindex_entry *e, void *user)
{
	struct staged *s = user;
	const uint8_t *head = pv_map_get(&s->head, hash(s, e->path, e->path_len));
	pv_autofree uint8_t *data = NULL, *before = NULL;
	size_t len = 0, before_len = 0;
	int r;

	if ((e->mode & 0170000) != 0100000 || e->stage || (head && memcmp(head, e->id, s->s->id_len) == 0))
		return 0;
	s->files++;
	r = look_blob(s, e->id, &s->new, &data, &len);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		scan_note(s->s->notes, r == -EFBIG ? REASON_TOO_LARGE : r == -ENOENT ? REASON_ABSENT : REASON_MALFORMED, e->path,
			  "the staged content cannot be read");
		return 0;
	}
	if (s->new.n && head && look_blob(s, head, &s->old, &before, &before_len) == 0)
		forget_known(&s->new, &s->old);
	if (archive_is((const char *) data, len))
		r = look_inside(s->look, 0, (const char *) data, len, e->path, &s->new, &s->inner, on_member,
				&(struct inside){ .s = s, .path = e->path });
	if (r != 0 || !s->new.n)
		return r;
	look_settle(s->look, &s->new);
	look_lines((const char *) data, &s->new);
	return s->fn(&(struct tree_text){ .path = e->path, .text = (const char *) data, .len = len, .hits = &s->new }, s->user);
}

int staged_scan(struct objects *objects, const struct gitdir *g, int index_fd, struct look *look,
		int (*fn)(const struct tree_text *f, void *user), void *user, uint64_t *ret_files)
{
	struct staged s = { .s = objects, .g = g, .look = look, .fn = fn, .user = user };
	uint8_t *id;
	int r = pack_inflater_new(&s.inflater);

	randombytes_buf(s.key, sizeof(s.key));
	if (r == 0)
		r = read_head(&s);
	if (r == 0)
		r = index_fd < 0 ? gitindex_read(g, on_entry, &s) : gitindex_read_fd(index_fd, g->id_len, on_entry, &s);
	for (size_t i = 0; (id = pv_map_next(&s.head, &i));)
		free(id);
	pv_map_done(&s.head);
	(void) pack_inflater_free(s.inflater);
	look_hits_done(&s.old);
	look_hits_done(&s.new);
	look_hits_done(&s.inner);
	*ret_files = s.files;
	return r;
}
