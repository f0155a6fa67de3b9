#include "scan/history.h"

#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "scan/attribute.h"
#include "scan/bulk.h"

#define WINDOW	    ((size_t) 16 << 20) /* of blobs that are too large to hold */
#define RECORDS_MAX 4000000

struct record { /* a secret in a blob */
	uint32_t blob, secret, line;
	uint32_t member; /* number of its name, from 1; 0: the blob itself */
};

struct records {
	struct record *item;
	size_t n, room;
};

struct history {
	struct objects *s;
	struct look *look;
	const struct history_options *o;
	struct records of[BULK_THREADS];
	struct look_hits scratch[BULK_THREADS], inner[BULK_THREADS];
	char **member; /* names of members in which something was found */
	size_t n_members, members_room;
	pthread_mutex_t lock; /* of these three */
	uint64_t blobs[BULK_THREADS], bytes[BULK_THREADS];
	_Atomic uint64_t n_records;
};

/* --- the bulk pass --- */

static int record(struct history *h, unsigned thread, uint32_t blob, uint32_t member, const struct look_hits *hits)
{
	struct records *r = &h->of[thread];

	if (atomic_fetch_add(&h->n_records, hits->n) > RECORDS_MAX) {
		scan_note(h->s->notes, REASON_TOO_LARGE, "", "more than %d places with secrets; the others are not listed",
			  RECORDS_MAX);
		return 0;
	}
	for (size_t i = 0; i < hits->n; i++) {
		if (pv_grow(&r->item, r->n, &r->room, sizeof(*r->item), 1024) < 0)
			return -ENOMEM;
		r->item[r->n++] = (struct record){ blob, hits->hit[i].secret, hits->hit[i].line, member };
	}
	return 0;
}

/* What was found in a base goes along to its deltas. */
static int keep(const struct look_hits *hits, void **ret_note)
{
	const struct match_far *far = &hits->far;
	struct look_hits *copy = malloc(sizeof(*copy) + hits->n * sizeof(*hits->hit) + far->n * sizeof(*far->place));

	if (!copy)
		return -ENOMEM;
	*copy = (struct look_hits){ .n = hits->n, .far = { .n = far->n, .lost = far->lost } };
	copy->hit = (struct look_hit *) (copy + 1);
	copy->far.place = (struct match_far_place *) (copy->hit + hits->n);
	if (hits->n)
		memcpy(copy->hit, hits->hit, hits->n * sizeof(*hits->hit));
	if (far->n)
		memcpy(copy->far.place, far->place, far->n * sizeof(*far->place));
	*ret_note = copy;
	return 0;
}

struct inside {
	struct history *h;
	unsigned thread;
	uint32_t blob;
};

static int member_number(struct history *h, const char *name, uint32_t *ret)
{
	int r = 0;

	(void) pthread_mutex_lock(&h->lock);
	if (pv_grow(&h->member, h->n_members, &h->members_room, sizeof(*h->member), 64) == 0 && (h->member[h->n_members] = strdup(name)))
		*ret = (uint32_t) ++h->n_members;
	else
		r = -ENOMEM;
	(void) pthread_mutex_unlock(&h->lock);
	return r;
}

static int on_member(const struct archive_member *m, const struct look_hits *hits, void *user)
{
	const struct inside *in = user;
	uint32_t number = 0;
	int r = hits->n && *m->path ? member_number(in->h, m->path, &number) : 0;

	return r < 0 ? r : record(in->h, in->thread, in->blob, number, hits);
}

static int look_packed(struct history *h, unsigned thread, const struct bulk_object *o)
{
	const uint8_t *id = objects_id(h->s, o->number);
	struct inside in = { .h = h, .thread = thread, .blob = o->first ? o->number : objects_find(h->s, id) };
	char place[24] = "blob ";

	for (unsigned i = 0; i < 6; i++)
		(void) snprintf(place + 5 + 2 * i, 3, "%02x", id[i]);
	return look_inside(h->look, thread, o->data, o->len, place, &h->scratch[thread],
			   &h->inner[thread], on_member, &in);
}

static int on_blob(void *user, unsigned thread, const struct bulk_object *o, const void *base_note, void **ret_note)
{
	struct history *h = user;
	struct look_hits *hits = &h->scratch[thread];
	const struct delta_map *map = h->o->whole ? NULL : o->map;
	uint32_t blob = o->number;
	int r;

	h->blobs[thread] += o->first;
	h->bytes[thread] += o->first ? o->len : 0;
	r = look_at(h->look, thread, o->data, o->len, map, o->base_len, base_note, hits);
	if (r == 0 && o->has_children && (hits->n || hits->far.n || hits->far.lost))
		r = keep(hits, ret_note);
	if (r == 0 && archive_is(o->data, o->len))
		r = look_packed(h, thread, o);
	if (r < 0 || !hits->n)
		return r;
	look_settle(h->look, hits);
	look_lines(o->data, hits);
	if (!o->first)
		blob = objects_find(h->s, objects_id(h->s, o->number));
	return record(h, thread, blob, 0, hits);
}


/* --- blobs too large to hold --- */

#define EDGE 16 /* a match that ends so near the end of a piece may go on: it is left to the next piece */

struct window {
	struct history *h;
	unsigned thread;
	uint32_t blob;
	uint64_t size;
	size_t overlap;
	uint64_t lines; /* line ends before the piece */
};

static int on_piece(const uint8_t *data, size_t len, uint64_t offset, size_t overlap, void *user)
{
	struct window *w = user;
	struct look_hits *hits = &w->h->scratch[w->thread];
	const char *text = (const char *) data;
	bool last = offset + len == w->size;
	size_t kept = 0, from = overlap > EDGE ? overlap - EDGE : 0;
	int r = look_at(w->h->look, w->thread, text, len, NULL, 0, NULL, hits);

	if (r < 0)
		return r;
	if (offset == 0 && archive_is(text, len))
		scan_note(w->h->s->notes, REASON_TOO_LARGE, "", "an archive too large to be looked into");
	look_settle(w->h->look, hits);
	look_lines(text, hits);
	for (size_t i = 0; i < hits->n; i++) {
		size_t end = hits->hit[i].start + hits->hit[i].len;

		if (end <= from || (!last && end + EDGE > len))
			continue;
		hits->hit[kept] = hits->hit[i];
		hits->hit[kept++].line += (uint32_t) w->lines;
	}
	hits->n = kept;
	w->lines += text_lines(text, len - PV_MIN(w->overlap, len));
	return record(w->h, w->thread, w->blob, 0, hits);
}

static int on_large(void *user, unsigned thread, uint32_t number, uint64_t size)
{
	struct history *h = user;
	struct window w = { .h = h, .thread = thread, .size = size, .overlap = LOOK_OVERLAP };
	int r;

	w.blob = objects_find(h->s, objects_id(h->s, number));
	h->blobs[thread]++;
	h->bytes[thread] += size;
	scan_note(h->s->notes, REASON_NONE, "", "a blob of %" PRIu64 " MB was looked at in windows of %zu MB", size >> 20,
		  WINDOW >> 20);
	r = objects_stream(h->s, number, WINDOW, LOOK_OVERLAP, on_piece, &w);
	if (r == -ENOMEM || r >= 0)
		return r;
	scan_note(h->s->notes, REASON_MALFORMED, "", "damaged object");
	return 0;
}

static void drop(void *note)
{
	free(note);
}

/* --- from blobs to paths --- */

struct found { /* a record under one of its paths */
	uint32_t secret, line, blob, member;
	uint32_t order; /* of the place: the earliest commit has the lowest; UINT32_MAX: no commit */
	const struct attribute_place *place;
};

static int by_blob(const void *pa, const void *pb)
{
	const struct record *a = pa, *b = pb;

	if (a->blob != b->blob)
		return a->blob < b->blob ? -1 : 1;
	if (a->secret != b->secret)
		return a->secret < b->secret ? -1 : 1;
	if (a->member != b->member)
		return a->member < b->member ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

static int by_secret(const void *pa, const void *pb)
{
	const struct found *a = pa, *b = pb;
	const char *x = a->place ? a->place->path : NULL, *y = b->place ? b->place->path : NULL;

	if (a->secret != b->secret)
		return a->secret < b->secret ? -1 : 1;
	if (x != y)
		return (uintptr_t) x < (uintptr_t) y ? -1 : 1; /* equal paths are one text */
	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

/* All threads' records in the order of blobs; a secret that stands twice in a blob counts with its first line. */
static int join_records(struct history *h, struct records *ret)
{
	size_t n = 0;

	for (unsigned t = 0; t < BULK_THREADS; t++)
		n += h->of[t].n;
	ret->item = reallocarray(NULL, n + 1, sizeof(*ret->item));
	if (!ret->item)
		return -ENOMEM;
	for (unsigned t = 0; t < BULK_THREADS; t++) {
		if (h->of[t].n)
			memcpy(ret->item + ret->n, h->of[t].item, h->of[t].n * sizeof(*ret->item));
		ret->n += h->of[t].n;
	}
	qsort(ret->item, ret->n, sizeof(*ret->item), by_blob);
	n = 0;
	for (size_t i = 0; i < ret->n; i++)
		if (!n || ret->item[n - 1].blob != ret->item[i].blob || ret->item[n - 1].secret != ret->item[i].secret)
			ret->item[n++] = ret->item[i];
	ret->n = n;
	return 0;
}

static int wanted_blobs(const struct records *r, uint32_t **ret, size_t *ret_n)
{
	uint32_t *wanted = reallocarray(NULL, r->n + 1, sizeof(*wanted));
	size_t n = 0;

	if (!wanted)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++)
		if (!n || wanted[n - 1] != r->item[i].blob)
			wanted[n++] = r->item[i].blob;
	*ret = wanted;
	*ret_n = n;
	return 0;
}

struct founds {
	struct found *item;
	size_t n, room;
};

static int add_found(struct founds *f, const struct record *r, const struct attribute_place *place, uint32_t order)
{
	if (pv_grow(&f->item, f->n, &f->room, sizeof(*f->item), 1024) < 0)
		return -ENOMEM;
	f->item[f->n++] = (struct found){ r->secret, r->line, r->blob, r->member, order, place };
	return 0;
}

/* Every record under every place of its blob, and those that have none. */
static int spread(const struct records *r, const uint32_t *wanted, size_t n_wanted, const struct attribute *a,
		  struct founds *f)
{
	pv_autofree size_t *first = reallocarray(NULL, n_wanted + 1, sizeof(*first));
	pv_autofree bool *placed = calloc(n_wanted + 1, 1);
	size_t at = 0;
	int e = 0;

	if (!first || !placed)
		return -ENOMEM;
	for (size_t w = 0; w < n_wanted; w++) {
		first[w] = at;
		while (at < r->n && r->item[at].blob == wanted[w])
			at++;
	}
	first[n_wanted] = at;
	for (size_t i = 0; i < attribute_count(a) && e == 0; i++) {
		const struct attribute_place *p = attribute_place(a, i);

		placed[p->blob] = true;
		for (size_t k = first[p->blob]; k < first[p->blob + 1] && e == 0; k++)
			e = add_found(f, &r->item[k], p, (uint32_t) i);
	}
	for (size_t w = 0; w < n_wanted; w++)
		for (size_t k = first[w]; !placed[w] && k < first[w + 1] && e == 0; k++)
			e = add_found(f, &r->item[k], NULL, UINT32_MAX);
	return e;
}

/* Whether HEAD has the secret that begins here in the list, under whatever path. */
static bool head_has(const struct founds *f, size_t i)
{
	for (uint32_t secret = f->item[i].secret; i < f->n && f->item[i].secret == secret; i++)
		if (f->item[i].place && f->item[i].place->head_has)
			return true;
	return false;
}

static int tell(const struct history *h, struct founds *f, int (*fn)(const struct history_found *, void *), void *user)
{
	bool has = false;
	int r = 0;

	if (f->n)
		qsort(f->item, f->n, sizeof(*f->item), by_secret);
	for (size_t i = 0, next; i < f->n && r == 0; i = next) {
		const struct found *x = &f->item[i];
		const struct attribute_place *p = x->place;
		struct history_found out = { .secret = x->secret, .line = x->line, .blob = objects_id(h->s, x->blob),
						.member = x->member ? h->member[x->member - 1] : NULL };

		if (i == 0 || x->secret != x[-1].secret)
			has = head_has(f, i);
		if (p) {
			out.path = p->path;
			out.commit = objects_id(h->s, p->commit);
			out.author_time = p->author_time;
			out.reachable = p->reachable;
			out.before_since = p->before_since;
		}
		for (next = i; next < f->n && f->item[next].secret == x->secret &&
			       (p ? f->item[next].place && f->item[next].place->path == p->path : !f->item[next].place);
		     next++) {
			out.versions++;
			out.in_head |= p && f->item[next].place->in_head;
		}
		out.elsewhere = has && !out.in_head;
		r = fn(&out, user);
	}
	return r;
}

static int attribute_all(struct history *h, const struct gitdir *g, int (*fn)(const struct history_found *, void *),
			 void *user, struct history_count *count)
{
	struct records all = { .item = NULL };
	pv_autofree uint32_t *wanted = NULL;
	pv_auto(attribute) a = NULL;
	struct founds f = { .item = NULL };
	size_t n = 0;
	int r = join_records(h, &all);

	if (r == 0)
		r = wanted_blobs(&all, &wanted, &n);
	if (r == 0 && all.n) { /* what the blobs took is not needed any more; what comes now are a few arrays that grow */
		(void) malloc_trim(0);
		(void) mallopt(M_MMAP_THRESHOLD, 1 << 20);
	}
	if (r == 0 && all.n)
		r = attribute_run(h->s, g, wanted, n, h->o->since, h->o->threads, &a);
	if (r == 0 && all.n)
		r = spread(&all, wanted, n, a, &f);
	if (r == 0)
		r = tell(h, &f, fn, user);
	count->hits = all.n;
	count->commits = a ? attribute_commits(a) : 0;
	free(all.item);
	free(f.item);
	return r;
}

int history_scan(struct objects *s, const struct gitdir *g, struct look *look, const struct history_options *o,
		 int (*fn)(const struct history_found *, void *), void *user, struct history_count *ret_count)
{
	pv_autofree struct history *h = calloc(1, sizeof(*h));
	struct history_count count = { .blobs = 0 };
	int r;

	if (!h)
		return -ENOMEM;
	h->s = s;
	h->look = look;
	h->o = o;
	(void) pthread_mutex_init(&h->lock, NULL);
	r = bulk_walk(s, &(struct bulk_visitor){ .type = GIT_BLOB, .threads = o->threads, .user = h, .object = on_blob,
						 .drop = drop, .large = on_large });
	if (r == 0)
		r = attribute_all(h, g, fn, user, &count);
	for (unsigned t = 0; t < BULK_THREADS; t++) {
		count.blobs += h->blobs[t];
		count.bytes += h->bytes[t];
		free(h->of[t].item);
		look_hits_done(&h->scratch[t]);
		look_hits_done(&h->inner[t]);
	}
	for (size_t i = 0; i < h->n_members; i++)
		free(h->member[i]);
	free(h->member);
	(void) pthread_mutex_destroy(&h->lock);
	if (r == 0)
		*ret_count = count;
	return r;
}
