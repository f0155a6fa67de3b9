#include "scan/attribute.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/array.h"
#include "base/map.h"
#include "scan/bulk.h"

#define NONE	   UINT32_MAX
#define DEPTH_MAX  400	      /* folders in folders; git itself gives up at about 2,000 */
#define IS_BLOB	   0x80000000u /* of edge.name */
#define HEAD_STEPS 4000000    /* entries of HEAD along paths that are known */
#define BITS	   20	      /* of the quick look whether an id can be wanted */
#define SPREAD	   0x9e3779b97f4a7c15ull

struct edge { /* an entry of a tree: a folder, or a wanted blob */
	uint32_t to;   /* the tree's number among the thread's refs, later of all objects; index into wanted */
	uint32_t name; /* in the names of the thread that read it; later of all */
};

struct entry { /* of a tree at hand: where it starts, and its edge; `to` NONE: it has none */
	uint32_t at, to, name;
};

struct tree_note { /* goes along to the deltas of a tree */
	size_t n; /* and one more, at the end of the tree */
	struct entry entry[];
};

struct names { /* texts by number; the last object that stood under a name is remembered: it is mostly the next, too */
	char *text;
	size_t len, room;
	struct name {
		uint32_t at, len;  /* in text */
		uint32_t next;	   /* of the same bucket, plus 1 */
		uint32_t to;	   /* ref of the tree that `id` is */
		uint8_t id[GIT_ID_MAX];
	} *name;
	uint32_t n, names_room;
	uint32_t bucket[65536];
};

struct tree {
	uint32_t start, n; /* of the thread's edges */
	uint8_t thread;
};

struct commit {
	uint32_t number, tree, parents, n_parents; /* parents: in the thread's, later in all ids */
	uint32_t waits;				   /* for so many parents */
	uint32_t children;			   /* first of the list */
	int64_t author, committer;
	bool reachable, before, done;
};

struct reader { /* one for each thread */
	struct names names;
	struct edge *edge;
	size_t n_edges, edges_room;
	uint8_t *ref; /* ids of trees, looked up at the end, in their order: one by one would miss every cache */
	size_t n_refs, refs_room;
	struct entry *entry; /* of the tree at hand */
	size_t n_entries, entries_room;
	struct commit *commit;
	size_t n_commits, commits_room;
	uint32_t *parent;
	size_t n_parents, parents_room;
	uint64_t missing;
};

struct path {
	uint32_t parent, name;
};

struct attribute {
	struct objects *s;
	const struct gitdir *g;
	const uint32_t *wanted;
	size_t n_wanted;
	uint32_t *want_slot; /* hash of ids to index + 1 */
	size_t want_mask;
	uint64_t *want_bits;
	unsigned threads;
	struct reader *reader;

	uint32_t *slot;	     /* by number: index of the commit or tree */
	struct tree *tree;
	_Atomic uint32_t n_trees;
	uint32_t trees_room;
	struct commit *commit;
	size_t n_commits;
	uint32_t head; /* index of HEAD's commit */
	uint32_t *parent;
	struct link {
		uint32_t commit, next;
	} *link; /* children of a commit */

	struct names *names; /* of all */
	struct path *path;
	size_t n_paths, paths_room;
	struct pv_map path_map, place_map;
	struct attribute_place *place;
	size_t n_places, places_room;
	char **text; /* of paths, by path */
	uint64_t *seen; /* trees entered, by number */
	const struct commit *now;
	bool *head_has; /* by wanted blob */
	uint64_t head_steps;
};

/* --- names --- */

static uint32_t hash(const char *s, size_t len)
{
	uint64_t h = len;

	for (; len >= 8; s += 8, len -= 8) {
		uint64_t v;

		memcpy(&v, s, 8);
		h = (h ^ v) * SPREAD;
		h ^= h >> 29;
	}
	for (; len; s++, len--)
		h = (h ^ (unsigned char) *s) * SPREAD;
	return (uint32_t) (h >> 40);
}

static struct name *intern(struct names *t, const char *s, size_t len)
{
	uint32_t *bucket = &t->bucket[hash(s, len) & 65535];
	size_t room = t->names_room;
	struct name *n;

	for (uint32_t i = *bucket; i; i = t->name[i - 1].next)
		if (t->name[i - 1].len == len && memcmp(t->text + t->name[i - 1].at, s, len) == 0)
			return &t->name[i - 1];
	if (t->n >= IS_BLOB - 1 || t->len + len + 1 > UINT32_MAX / 2)
		return NULL;
	while (t->len + len + 1 > t->room)
		if (pv_grow(&t->text, t->room, &t->room, 1, 256) < 0)
			return NULL;
	if (pv_grow(&t->name, t->n, &room, sizeof(*t->name), 256) < 0)
		return NULL;
	t->names_room = (uint32_t) room;
	n = &t->name[t->n++];
	*n = (struct name){ .at = (uint32_t) t->len, .len = (uint32_t) len, .next = *bucket, .to = NONE };
	*bucket = t->n;
	memcpy(t->text + t->len, s, len);
	t->text[t->len + len] = '\0';
	t->len += len + 1;
	return n;
}

static void names_done(struct names *t)
{
	free(t->text);
	free(t->name);
}

/* --- wanted blobs by id --- */

static uint64_t id_key(const uint8_t *id)
{
	uint64_t v;

	memcpy(&v, id, sizeof(v));
	return v;
}

static int index_wanted(struct attribute *a)
{
	size_t size = 16;

	while (size < 2 * a->n_wanted)
		size *= 2;
	a->want_mask = size - 1;
	a->want_slot = calloc(size, sizeof(*a->want_slot));
	a->want_bits = calloc((1u << BITS) / 64, sizeof(*a->want_bits));
	if (!a->want_slot || !a->want_bits)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_wanted; i++) {
		uint64_t key = id_key(objects_id(a->s, a->wanted[i]));
		size_t at = key & a->want_mask;

		while (a->want_slot[at])
			at = (at + 1) & a->want_mask;
		a->want_slot[at] = (uint32_t) i + 1;
		a->want_bits[(key >> (64 - BITS)) / 64] |= 1ull << ((key >> (64 - BITS)) % 64);
	}
	return 0;
}

static uint32_t find_wanted(const struct attribute *a, const uint8_t *id)
{
	uint64_t key = id_key(id), bit = key >> (64 - BITS);

	if (!(a->want_bits[bit / 64] >> (bit % 64) & 1))
		return NONE;
	for (size_t at = key & a->want_mask; a->want_slot[at]; at = (at + 1) & a->want_mask) {
		uint32_t i = a->want_slot[at] - 1;

		if (memcmp(objects_id(a->s, a->wanted[i]), id, a->s->id_len) == 0)
			return i;
	}
	return NONE;
}

/* --- trees --- */

static int add_entry(struct reader *r, size_t at, uint32_t to, uint32_t name)
{
	if (pv_grow(&r->entry, r->n_entries, &r->entries_room, sizeof(*r->entry), 256) < 0)
		return -ENOMEM;
	r->entry[r->n_entries++] = (struct entry){ (uint32_t) at, to, name };
	return 0;
}

static int add_folder(struct attribute *a, struct reader *r, size_t at, const char *name, size_t len, const uint8_t *id)
{
	struct name *n = intern(&r->names, name, len);

	if (!n)
		return -ENOMEM;
	if (n->to == NONE || memcmp(n->id, id, a->s->id_len) != 0) {
		if (r->n_refs >= NONE || pv_grow(&r->ref, r->n_refs, &r->refs_room, a->s->id_len, 256) < 0)
			return -ENOMEM;
		memcpy(n->id, id, a->s->id_len);
		memcpy(r->ref + r->n_refs * a->s->id_len, id, a->s->id_len);
		n->to = (uint32_t) r->n_refs++;
	}
	return add_entry(r, at, n->to, (uint32_t) (n - r->names.name));
}

static int add_file(struct attribute *a, struct reader *r, size_t at, const char *name, size_t len, const uint8_t *id)
{
	uint32_t w = find_wanted(a, id);
	struct name *n;

	if (w == NONE)
		return add_entry(r, at, NONE, 0);
	n = intern(&r->names, name, len);
	return n ? add_entry(r, at, w, (uint32_t) (n - r->names.name) | IS_BLOB) : -ENOMEM;
}

/* One entry `mode SP name NUL id`. Returns its length. */
static int read_entry(struct attribute *a, struct reader *r, const char *data, size_t at, size_t len)
{
	const char *p = data + at, *end = data + len, *name = memchr(p, ' ', (size_t) PV_MIN(end - p, 12)), *nul, *mode;
	int e;

	nul = name ? memchr(name, '\0', (size_t) (end - name)) : NULL;
	if (!nul || (size_t) (end - nul - 1) < a->s->id_len || nul - p > 1 << 20)
		return -EBADMSG;
	name++;
	mode = objects_mode(p);
	if (*mode == '4')
		e = add_folder(a, r, at, name, (size_t) (nul - name), (const uint8_t *) nul + 1);
	else if (mode[1] == '6')
		e = add_entry(r, at, NONE, 0);
	else
		e = add_file(a, r, at, name, (size_t) (nul - name), (const uint8_t *) nul + 1);
	return e < 0 ? e : (int) (nul + 1 + a->s->id_len - p);
}

/* The base's entry that starts at `at`; n when none does. */
static size_t entry_at(const struct tree_note *base, size_t at)
{
	size_t lo = 0, hi = base->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (base->entry[mid].at < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < base->n && base->entry[lo].at == at ? lo : base->n;
}

/* Entries that were copied whole need not be read again: most of a tree is its base. *at moves behind them. */
static int take_entries(struct reader *r, const struct tree_note *base, const struct delta_copy *c, size_t *at)
{
	size_t src = *at - c->dst + c->src, stop = c->src + c->len, i = entry_at(base, src);

	for (; i < base->n && base->entry[i + 1].at <= stop; i++) {
		if (add_entry(r, *at, base->entry[i].to, base->entry[i].name) < 0)
			return -ENOMEM;
		*at += base->entry[i + 1].at - base->entry[i].at;
	}
	return 0;
}

static int read_entries(struct attribute *a, struct reader *r, const struct bulk_object *o, const struct tree_note *base)
{
	size_t at = 0, copy = 0;

	r->n_entries = 0;
	if (o->len > UINT32_MAX / 2)
		return -EBADMSG;
	while (at < o->len) {
		size_t before = at;
		int e = 0;

		if (base && o->map) {
			while (copy < o->map->n_copies && o->map->copy[copy].dst + o->map->copy[copy].len <= at)
				copy++;
			if (copy < o->map->n_copies && o->map->copy[copy].dst <= at)
				e = take_entries(r, base, &o->map->copy[copy], &at);
		}
		if (e == 0 && at == before) {
			e = read_entry(a, r, o->data, at, o->len);
			at += e > 0 ? (size_t) e : 0;
		}
		if (e < 0)
			return e;
	}
	return 0;
}

static int keep_entries(const struct reader *r, size_t len, void **ret_note)
{
	struct tree_note *n = malloc(sizeof(*n) + (r->n_entries + 1) * sizeof(n->entry[0]));

	if (!n)
		return -ENOMEM;
	n->n = r->n_entries;
	if (n->n)
		memcpy(n->entry, r->entry, n->n * sizeof(n->entry[0]));
	n->entry[n->n] = (struct entry){ (uint32_t) len, NONE, 0 };
	*ret_note = n;
	return 0;
}

static int add_edges(struct reader *r)
{
	for (size_t i = 0; i < r->n_entries; i++) {
		if (r->entry[i].to == NONE)
			continue;
		if (pv_grow(&r->edge, r->n_edges, &r->edges_room, sizeof(*r->edge), 256) < 0 || r->n_edges == UINT32_MAX)
			return -ENOMEM;
		r->edge[r->n_edges++] = (struct edge){ r->entry[i].to, r->entry[i].name };
	}
	return 0;
}

static int on_tree(void *user, unsigned thread, const struct bulk_object *o, const void *base_note, void **ret_note)
{
	struct attribute *a = user;
	struct reader *r = &a->reader[thread];
	uint32_t i, start = (uint32_t) r->n_edges;
	int e = read_entries(a, r, o, base_note);

	if (e == -EBADMSG)
		scan_note(a->s->notes, REASON_MALFORMED, "", "damaged tree");
	else if (e == 0 && o->has_children)
		e = keep_entries(r, o->len, ret_note);
	if (e < 0 && e != -EBADMSG)
		return e;
	if (!o->first)
		return 0;
	if (add_edges(r) < 0)
		return -ENOMEM;
	if (r->n_edges == start)
		return 0; /* nothing below it matters */
	i = atomic_fetch_add(&a->n_trees, 1);
	if (i >= a->trees_room)
		return -EBADMSG;
	a->tree[i] = (struct tree){ .start = start, .n = (uint32_t) r->n_edges - start, .thread = (uint8_t) thread };
	a->slot[o->number] = i;
	return 0;
}

/* --- commits --- */

static const char *field(const char **p, const char *end, const char *word)
{
	size_t n = strlen(word);
	const char *at = *p, *line;

	if ((size_t) (end - at) <= n || memcmp(at, word, n) != 0)
		return NULL;
	line = memchr(at, '\n', (size_t) (end - at));
	*p = line ? line + 1 : end;
	return at + n;
}

/* `Name <mail> 1700000000 +0100`: what follows the last `>` of the line. */
static int64_t person_time(const char *s, const char *end)
{
	const char *line = memchr(s, '\n', (size_t) (end - s)), *mail = NULL;
	int64_t v = 0;

	for (const char *p = s; p < (line ? line : end); p++)
		if (*p == '>')
			mail = p;
	if (!mail)
		return 0;
	for (mail++; mail < end && *mail == ' ';)
		mail++;
	for (; mail < end && *mail >= '0' && *mail <= '9' && v < INT64_MAX / 100; mail++)
		v = 10 * v + (*mail - '0');
	return v;
}

static uint32_t number_of(const struct attribute *a, const char *hex, const char *end)
{
	uint8_t id[GIT_ID_MAX];

	if (end - hex < 2 * (ptrdiff_t) a->s->id_len || gitdir_hex(hex, a->s->id_len, id) < 0)
		return NONE;
	return objects_find(a->s, id);
}

static int on_commit(void *user, unsigned thread, const struct bulk_object *o, const void *base_note, void **ret_note)
{
	struct attribute *a = user;
	struct reader *r = &a->reader[thread];
	const char *p = o->data, *end = o->data + o->len, *f;
	struct commit c = { .number = o->number, .parents = (uint32_t) r->n_parents, .children = NONE };

	(void) base_note;
	(void) ret_note;
	if (!o->first)
		return 0;
	f = field(&p, end, "tree ");
	c.tree = f ? number_of(a, f, end) : NONE;
	if (!f) {
		scan_note(a->s->notes, REASON_MALFORMED, "", "damaged commit");
		return 0;
	}
	while ((f = field(&p, end, "parent "))) {
		uint32_t n = number_of(a, f, end);

		if (pv_grow(&r->parent, r->n_parents, &r->parents_room, sizeof(*r->parent), 256) < 0)
			return -ENOMEM;
		if (n != NONE) /* a shallow clone ends here; that it is one is said elsewhere */
			r->parent[r->n_parents++] = n;
	}
	c.n_parents = (uint32_t) r->n_parents - c.parents;
	if ((f = field(&p, end, "author ")))
		c.author = person_time(f, end);
	if ((f = field(&p, end, "committer ")))
		c.committer = person_time(f, end);
	if (pv_grow(&r->commit, r->n_commits, &r->commits_room, sizeof(*r->commit), 256) < 0)
		return -ENOMEM;
	r->commit[r->n_commits++] = c;
	return 0;
}

/* Parents' numbers become indexes; one that is no commit (damage) is dropped. */
static int link_commits(struct attribute *a)
{
	size_t links = 0;

	for (size_t i = 0; i < a->n_commits; i++) {
		struct commit *c = &a->commit[i];
		uint32_t kept = 0;

		for (uint32_t k = 0; k < c->n_parents; k++) {
			uint32_t n = a->slot[a->parent[c->parents + k]];

			if (n != NONE && n < a->n_commits && a->commit[n].number == a->parent[c->parents + k])
				a->parent[c->parents + kept++] = n;
		}
		c->n_parents = c->waits = kept;
		links += kept;
	}
	a->link = reallocarray(NULL, links + 1, sizeof(*a->link));
	if (!a->link)
		return -ENOMEM;
	links = 0;
	for (size_t i = 0; i < a->n_commits; i++)
		for (uint32_t k = 0; k < a->commit[i].n_parents; k++) {
			struct commit *p = &a->commit[a->parent[a->commit[i].parents + k]];

			a->link[links] = (struct link){ (uint32_t) i, p->children };
			p->children = (uint32_t) links++;
		}
	return 0;
}

static int join_commits(struct attribute *a)
{
	size_t n = 0, parents = 0;

	for (unsigned t = 0; t < a->threads; t++) {
		n += a->reader[t].n_commits;
		parents += a->reader[t].n_parents;
	}
	a->commit = reallocarray(NULL, n + 1, sizeof(*a->commit));
	a->parent = reallocarray(NULL, parents + 1, sizeof(*a->parent));
	if (!a->commit || !a->parent)
		return -ENOMEM;
	parents = 0;
	for (unsigned t = 0; t < a->threads; t++) {
		struct reader *r = &a->reader[t];

		for (size_t i = 0; i < r->n_commits; i++) {
			struct commit *c = &a->commit[a->n_commits];

			*c = r->commit[i];
			c->parents += (uint32_t) parents;
			a->slot[c->number] = (uint32_t) a->n_commits++;
		}
		if (r->n_parents)
			memcpy(a->parent + parents, r->parent, r->n_parents * sizeof(*r->parent));
		parents += r->n_parents;
		free(r->commit);
		free(r->parent);
		r->commit = NULL;
		r->parent = NULL;
	}
	return link_commits(a);
}

/* --- which commits a reference reaches --- */

struct marking {
	struct attribute *a;
	uint32_t *stack;
	size_t n, room;
	bool before; /* mark `before`, else `reachable` */
};

static int mark(struct marking *m, uint32_t commit)
{
	struct commit *c = &m->a->commit[commit];
	bool *flag = m->before ? &c->before : &c->reachable;

	if (*flag)
		return 0;
	*flag = true;
	if (pv_grow(&m->stack, m->n, &m->room, sizeof(*m->stack), 256) < 0)
		return -ENOMEM;
	m->stack[m->n++] = commit;
	return 0;
}

static int spread(struct marking *m)
{
	int r = 0;

	while (m->n && r == 0) {
		const struct commit *c = &m->a->commit[m->stack[--m->n]];

		for (uint32_t k = 0; k < c->n_parents && r == 0; k++)
			r = mark(m, m->a->parent[c->parents + k]);
	}
	return r;
}

static uint32_t commit_of(const struct attribute *a, uint32_t number)
{
	uint32_t i = number == OBJECTS_NONE ? NONE : a->slot[number];

	return i != NONE && i < a->n_commits && a->commit[i].number == number ? i : NONE;
}

/* A tag object stands for what it names, perhaps another tag. */
static uint32_t peel(const struct attribute *a, const uint8_t *id)
{
	struct pack_inflater *f = NULL;
	uint32_t number = objects_find(a->s, id);

	for (unsigned depth = 0; depth < 5 && number != OBJECTS_NONE && commit_of(a, number) == NONE; depth++) {
		pv_autofree uint8_t *data = NULL;
		enum git_type type;
		size_t len;

		if (!f && pack_inflater_new(&f) < 0)
			return NONE;
		if (objects_get(a->s, f, number, &type, &data, &len) < 0 || type != GIT_TAG || len < 7 ||
		    memcmp(data, "object ", 7) != 0)
			number = OBJECTS_NONE;
		else
			number = number_of(a, (const char *) data + 7, (const char *) data + len);
	}
	(void) pack_inflater_free(f);
	return commit_of(a, number);
}

static int on_ref(const char *name, const uint8_t *id, void *user)
{
	struct marking *m = user;
	uint32_t c = peel(m->a, id);

	(void) name;
	return c == NONE ? 0 : mark(m, c);
}

static int mark_reachable(struct attribute *a, const uint8_t *since)
{
	struct marking m = { .a = a };
	uint32_t c;
	int r = gitdir_refs(a->g, on_ref, &m);

	if (r < 0 && r != -ENOMEM) {
		scan_note(a->s->notes, REASON_MALFORMED, "", "references cannot be read");
		r = 0;
	}
	if (r == 0)
		r = spread(&m);
	m.before = true;
	if (r == 0 && since) {
		c = peel(a, since);
		r = c == NONE ? -ENOENT : mark(&m, c);
		if (r == 0)
			r = spread(&m);
	}
	free(m.stack);
	return r;
}

/* --- going through the trees --- */

struct step { /* where we are: folders from the root on */
	const struct step *up;
	uint32_t name, path; /* NONE: not made yet; the root's is 0 */
};

static uint64_t pair(uint32_t a, uint32_t b)
{
	return ((uint64_t) a << 32 | b) + 1;
}

static int path_of(struct attribute *a, uint32_t parent, uint32_t name, uint32_t *ret)
{
	uint64_t key = pair(parent, name);
	void *known = pv_map_get(&a->path_map, key);

	if (known) {
		*ret = (uint32_t) ((uintptr_t) known - 1);
		return 0;
	}
	if (pv_grow(&a->path, a->n_paths, &a->paths_room, sizeof(*a->path), 256) < 0 ||
	    pv_map_put(&a->path_map, key, (void *) (uintptr_t) (a->n_paths + 1)) < 0)
		return -ENOMEM;
	a->path[a->n_paths] = (struct path){ parent, name };
	*ret = (uint32_t) a->n_paths++;
	return 0;
}

static int step_path(struct attribute *a, struct step *s)
{
	uint32_t up = 0;
	int r = 0;

	if (s->path != NONE)
		return 0;
	if (s->up) {
		r = step_path(a, (struct step *) (uintptr_t) s->up);
		up = s->up->path;
	}
	return r < 0 ? r : path_of(a, up, s->name, &s->path);
}

static int met(struct attribute *a, struct step *folder, uint32_t name, uint32_t blob)
{
	struct attribute_place *p;
	uint32_t path = 0;
	uint64_t key;
	int r = step_path(a, folder);

	if (r == 0)
		r = path_of(a, folder->path, name, &path);
	if (r < 0)
		return r;
	key = pair(blob, path);
	if (pv_map_get(&a->place_map, key))
		return 0;
	if (pv_grow(&a->place, a->n_places, &a->places_room, sizeof(*a->place), 256) < 0 ||
	    pv_map_put(&a->place_map, key, (void *) (uintptr_t) (a->n_places + 1)) < 0)
		return -ENOMEM;
	p = &a->place[a->n_places++];
	*p = (struct attribute_place){ .blob = blob, .commit = a->now->number, .author_time = a->now->author,
				       .reachable = a->now->reachable, .before_since = a->now->before };
	/* The text is made at the end; until then the path's number stands in its place. */
	p->path = (const char *) (uintptr_t) path;
	return 0;
}

static const struct tree *tree_of(const struct attribute *a, uint32_t number)
{
	uint32_t i = number == OBJECTS_NONE ? NONE : a->slot[number];

	return i == NONE || i >= atomic_load(&a->n_trees) ? NULL : &a->tree[i];
}

/* The tree, the first time that it is asked for. */
static const struct tree *tree_once(struct attribute *a, uint32_t number)
{
	const struct tree *t = tree_of(a, number);

	if (!t || a->seen[number / 64] >> (number % 64) & 1)
		return NULL;
	a->seen[number / 64] |= 1ull << (number % 64);
	return t;
}

static const struct edge *edge_of(const struct attribute *a, const struct tree *t, uint32_t k)
{
	return &a->reader[t->thread].edge[t->start + k];
}

static int enter(struct attribute *a, uint32_t number, struct step *here, unsigned depth)
{
	const struct tree *t = tree_once(a, number);

	if (!t)
		return 0;
	if (depth > DEPTH_MAX) {
		scan_note(a->s->notes, REASON_TOO_LARGE, "", "folders more than %d deep", DEPTH_MAX);
		return 0;
	}
	for (uint32_t k = 0; k < t->n; k++) {
		const struct edge *e = edge_of(a, t, k);
		struct step below = { .up = here, .name = e->name & ~IS_BLOB, .path = NONE };
		int r = e->name & IS_BLOB ? met(a, here, below.name, e->to) : enter(a, e->to, &below, depth + 1);

		if (r < 0)
			return r;
	}
	return 0;
}

static int enter_root(struct attribute *a, const struct commit *c)
{
	struct step root = { .name = NONE, .path = 0 };

	a->now = c;
	return c->tree == NONE ? 0 : enter(a, c->tree, &root, 0);
}

/* --- commits from the oldest on: a heap of those whose parents are done --- */

struct heap {
	const struct attribute *a;
	uint32_t *item;
	size_t n, room;
};

static bool older(const struct heap *h, uint32_t x, uint32_t y)
{
	const struct commit *a = &h->a->commit[x], *b = &h->a->commit[y];

	return a->committer != b->committer ? a->committer < b->committer : a->number < b->number;
}

static int heap_add(struct heap *h, uint32_t c)
{
	size_t i = h->n;

	if (pv_grow(&h->item, h->n, &h->room, sizeof(*h->item), 256) < 0)
		return -ENOMEM;
	for (h->n++; i && older(h, c, h->item[(i - 1) / 2]); i = (i - 1) / 2)
		h->item[i] = h->item[(i - 1) / 2];
	h->item[i] = c;
	return 0;
}

static uint32_t heap_take(struct heap *h)
{
	uint32_t top = h->item[0], last = h->item[--h->n];
	size_t i = 0;

	for (size_t k; (k = 2 * i + 1) < h->n; i = k) {
		if (k + 1 < h->n && older(h, h->item[k + 1], h->item[k]))
			k++;
		if (!older(h, h->item[k], last))
			break;
		h->item[i] = h->item[k];
	}
	h->item[i] = last;
	return top;
}

static int release_children(struct attribute *a, struct heap *h, struct commit *c, bool reachable)
{
	int r = 0;

	for (uint32_t l = c->children; l != NONE && r == 0; l = a->link[l].next) {
		struct commit *child = &a->commit[a->link[l].commit];

		if (--child->waits == 0 && child->reachable == reachable)
			r = heap_add(h, a->link[l].commit);
	}
	return r;
}

static int go_through(struct attribute *a, bool reachable)
{
	struct heap h = { .a = a };
	int r = 0;

	for (size_t i = 0; i < a->n_commits && r == 0; i++)
		if (!a->commit[i].done && a->commit[i].waits == 0 && a->commit[i].reachable == reachable)
			r = heap_add(&h, (uint32_t) i);
	while (h.n && r == 0) {
		struct commit *c = &a->commit[heap_take(&h)];

		c->done = true;
		r = enter_root(a, c);
		if (r == 0)
			r = release_children(a, &h, c, reachable);
	}
	free(h.item);
	return r;
}

/* --- what HEAD has --- */

static void head_blobs(struct attribute *a, uint32_t number, unsigned depth)
{
	const struct tree *t = depth > DEPTH_MAX ? NULL : tree_once(a, number);

	for (uint32_t k = 0; t && k < t->n; k++) {
		const struct edge *e = edge_of(a, t, k);

		if (e->name & IS_BLOB)
			a->head_has[e->to] = true;
		else
			head_blobs(a, e->to, depth + 1);
	}
}

/* The same tree may lie at as many paths as a stranger likes: only those are followed where something was found. */
static void head_places(struct attribute *a, uint32_t number, uint32_t path, unsigned depth)
{
	const struct tree *t = depth > DEPTH_MAX ? NULL : tree_of(a, number);

	for (uint32_t k = 0; t && k < t->n && a->head_steps < HEAD_STEPS; k++) {
		const struct edge *e = edge_of(a, t, k);
		uint32_t below = (uint32_t) (uintptr_t) pv_map_get(&a->path_map, pair(path, e->name & ~IS_BLOB));
		uintptr_t place;

		a->head_steps++;
		if (!below)
			continue;
		if (!(e->name & IS_BLOB))
			head_places(a, e->to, below - 1, depth + 1);
		else if ((place = (uintptr_t) pv_map_get(&a->place_map, pair(e->to, below - 1))))
			a->place[place - 1].in_head = true;
	}
}

static void mark_head(struct attribute *a)
{
	uint32_t tree = a->head == NONE ? OBJECTS_NONE : a->commit[a->head].tree;

	memset(a->seen, 0, (a->s->total / 64 + 1) * sizeof(*a->seen));
	head_blobs(a, tree, 0);
	head_places(a, tree, 0, 0);
	if (a->head_steps == HEAD_STEPS)
		scan_note(a->s->notes, REASON_TOO_LARGE, "", "HEAD has more than %d entries: whether it still has what was found is not known",
			  HEAD_STEPS);
	for (size_t i = 0; i < a->n_places; i++)
		a->place[i].head_has = a->head_has[a->place[i].blob];
}

/* --- all of it --- */

struct ref_order {
	uint32_t key, ref;
};

/* By the first four bytes, eleven bits at a time. */
static void sort_refs(struct ref_order *o, struct ref_order *tmp, size_t n)
{
	for (unsigned shift = 0; shift < 33; shift += 11) {
		size_t count[2049] = { 0 };
		struct ref_order *swap = o;

		for (size_t i = 0; i < n; i++)
			count[(o[i].key >> shift & 2047) + 1]++;
		for (unsigned i = 0; i < 2048; i++)
			count[i + 1] += count[i];
		for (size_t i = 0; i < n; i++)
			tmp[count[o[i].key >> shift & 2047]++] = o[i];
		o = tmp;
		tmp = swap;
	}
}

/* Numbers in place of refs; a tree that is not here keeps NONE. */
static int resolve_refs(struct attribute *a, struct reader *r)
{
	pv_autofree uint32_t *number = reallocarray(NULL, r->n_refs + 1, sizeof(*number));
	pv_autofree struct ref_order *o = reallocarray(NULL, 2 * r->n_refs + 1, sizeof(*o));

	if (!number || !o)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_refs; i++) {
		const uint8_t *id = r->ref + i * a->s->id_len;

		o[i] = (struct ref_order){ (uint32_t) id[0] << 24 | (uint32_t) id[1] << 16 | (uint32_t) id[2] << 8 | id[3],
					   (uint32_t) i };
	}
	sort_refs(o, o + r->n_refs, r->n_refs); /* three passes: the result is in the second half */
	for (size_t i = 0; i < r->n_refs; i++) {
		uint32_t ref = o[r->n_refs + i].ref;

		number[ref] = objects_find(a->s, r->ref + (size_t) ref * a->s->id_len);
		r->missing += number[ref] == OBJECTS_NONE;
	}
	for (size_t i = 0; i < r->n_edges; i++)
		if (!(r->edge[i].name & IS_BLOB))
			r->edge[i].to = number[r->edge[i].to];
	free(r->ref);
	r->ref = NULL;
	return 0;
}

static int join_names(struct attribute *a)
{
	a->names = calloc(1, sizeof(*a->names));
	if (!a->names)
		return -ENOMEM;
	for (unsigned t = 0; t < a->threads; t++) {
		struct reader *r = &a->reader[t];
		pv_autofree uint32_t *to = reallocarray(NULL, r->names.n + 1, sizeof(*to));

		if (!to || resolve_refs(a, r) < 0)
			return -ENOMEM;
		for (uint32_t i = 0; i < r->names.n; i++) {
			const char *s = r->names.text + r->names.name[i].at;
			struct name *n = intern(a->names, s, strlen(s));

			if (!n)
				return -ENOMEM;
			to[i] = (uint32_t) (n - a->names->name);
		}
		for (size_t i = 0; i < r->n_edges; i++)
			r->edge[i].name = to[r->edge[i].name & ~IS_BLOB] | (r->edge[i].name & IS_BLOB);
		if (r->missing)
			scan_note(a->s->notes, REASON_ABSENT, "", "folders of the history that are not here");
	}
	return 0;
}

static char *make_text(const struct attribute *a, uint32_t path)
{
	size_t len = 0;
	char *text;

	for (uint32_t p = path; p; p = a->path[p].parent)
		len += strlen(a->names->text + a->names->name[a->path[p].name].at) + 1;
	text = len ? malloc(len) : NULL;
	if (!text)
		return NULL;
	text[--len] = '\0';
	for (uint32_t p = path; p; p = a->path[p].parent) {
		const char *s = a->names->text + a->names->name[a->path[p].name].at;
		size_t n = strlen(s);

		len -= n;
		memcpy(text + len, s, n);
		if (a->path[p].parent)
			text[--len] = '/';
	}
	return text;
}

static int make_texts(struct attribute *a)
{
	a->text = calloc(a->n_paths + 1, sizeof(char *));
	if (!a->text)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_places; i++) {
		uint32_t path = (uint32_t) (uintptr_t) a->place[i].path;

		if (!a->text[path])
			a->text[path] = make_text(a, path);
		a->place[i].path = a->text[path];
		if (!a->text[path])
			return -ENOMEM;
	}
	return 0;
}

static int prepare(struct attribute *a)
{
	size_t bits = a->s->total / 64 + 1;

	a->reader = calloc(a->threads, sizeof(*a->reader));
	a->slot = malloc(((size_t) a->s->total + 1) * sizeof(*a->slot));
	a->seen = calloc(bits, sizeof(*a->seen));
	a->path = calloc(1, sizeof(*a->path)); /* path 0: the root */
	a->head_has = calloc(a->n_wanted + 1, sizeof(*a->head_has));
	if (!a->reader || !a->slot || !a->seen || !a->path || !a->head_has)
		return -ENOMEM;
	a->n_paths = a->paths_room = 1;
	memset(a->slot, 0xff, ((size_t) a->s->total + 1) * sizeof(*a->slot));
	return index_wanted(a);
}

static uint32_t count_trees(const struct objects *s)
{
	uint64_t n = s->n_loose;

	/* A delta of an unknown family may be a tree. */
	for (size_t i = 0; i < s->n_packs; i++)
		for (uint32_t k = 0; k < s->pack[i]->n; k++)
			n += s->pack[i]->object[k].type == GIT_TREE || s->pack[i]->object[k].type > GIT_TAG;
	return (uint32_t) n;
}

static int walk(struct attribute *a, enum git_type type,
		int (*object)(void *, unsigned, const struct bulk_object *, const void *, void **))
{
	return bulk_walk(a->s, &(struct bulk_visitor){ .type = type, .threads = a->threads, .user = a, .object = object,
						       .drop = free });
}

static int run(struct attribute *a, const uint8_t *since)
{
	uint8_t id[GIT_ID_MAX];
	int r = prepare(a);

	if (r == 0)
		r = walk(a, GIT_COMMIT, on_commit);
	if (r == 0)
		r = join_commits(a);
	if (r == 0)
		r = mark_reachable(a, since);
	if (r < 0)
		return r;
	a->trees_room = count_trees(a->s);
	a->tree = reallocarray(NULL, a->trees_room + 1, sizeof(*a->tree));
	if (!a->tree)
		return -ENOMEM;
	a->head = gitdir_head(a->g, id) < 0 ? NONE : peel(a, id);
	/* From here on `slot` is about trees. */
	for (size_t i = 0; i < a->n_commits; i++)
		a->slot[a->commit[i].number] = NONE;
	r = walk(a, GIT_TREE, on_tree);
	if (r == 0)
		r = join_names(a);
	if (r == 0)
		r = go_through(a, true);
	if (r == 0)
		r = go_through(a, false);
	return r;
}

int attribute_run(struct objects *s, const struct gitdir *g, const uint32_t *wanted, size_t n_wanted, const uint8_t *since,
		  unsigned threads, struct attribute **ret)
{
	pv_auto(attribute) a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->s = s;
	a->g = g;
	a->wanted = wanted;
	a->n_wanted = n_wanted;
	a->threads = PV_MIN(PV_MAX(threads, 1u), (unsigned) BULK_THREADS);
	r = run(a, since);
	if (r < 0)
		return r;
	mark_head(a);
	r = make_texts(a);
	if (r < 0)
		return r;
	*ret = pv_steal(a);
	return 0;
}

struct attribute *attribute_free(struct attribute *a)
{
	if (!a)
		return NULL;
	for (unsigned t = 0; a->reader && t < a->threads; t++) {
		names_done(&a->reader[t].names);
		free(a->reader[t].edge);
		free(a->reader[t].entry);
		free(a->reader[t].ref);
		free(a->reader[t].commit);
		free(a->reader[t].parent);
	}
	for (size_t i = 0; a->text && i < a->n_paths; i++)
		free(a->text[i]);
	if (a->names)
		names_done(a->names);
	free(a->names);
	free(a->text);
	free(a->reader);
	free(a->want_slot);
	free(a->want_bits);
	free(a->slot);
	free(a->tree);
	free(a->commit);
	free(a->parent);
	free(a->link);
	free(a->path);
	free(a->place);
	free(a->seen);
	free(a->head_has);
	pv_map_done(&a->path_map);
	pv_map_done(&a->place_map);
	free(a);
	return NULL;
}

size_t attribute_count(const struct attribute *a)
{
	return a->n_places;
}

const struct attribute_place *attribute_place(const struct attribute *a, size_t i)
{
	return &a->place[i];
}

size_t attribute_commits(const struct attribute *a)
{
	return a->n_commits;
}
