#include "scan/bulk.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/array.h"

#define CHUNK 64 /* seqs, or loose objects, that a thread takes at a time */

struct bulk {
	struct objects *s;
	const struct bulk_visitor *v;
	_Atomic uint64_t next;	/* over all seqs, then all loose objects */
	_Atomic int result;
	pthread_mutex_t big;
};

struct frame { /* an object whose deltas are being built */
	uint32_t seq, child; /* the next delta */
	uint8_t *data;	     /* NULL: dropped for want of room, built again when needed */
	size_t len;
	void *note;
};

struct worker {
	struct bulk *b;
	struct pack_inflater *inflater;
	struct delta_map map;
	struct frame *stack;
	size_t depth, room;
	size_t held; /* bytes of the stack's data */
	unsigned index;
	bool big; /* we hold the lock for big objects */
};

static void failed(struct worker *w, int r)
{
	enum finding_reason reason = r == -EFBIG ? REASON_TOO_LARGE : r == -ENOENT ? REASON_ABSENT : REASON_MALFORMED;

	scan_note(w->b->s->notes, reason, "", r == -EFBIG ? "object too large to be built from a delta" :
					      r == -ENOENT ? "object without its base" : "damaged object");
}

static void big_lock(struct worker *w, uint64_t len)
{
	if (len > BULK_BIG && !w->big) {
		(void) pthread_mutex_lock(&w->b->big);
		w->big = true;
	}
}

static void big_unlock(struct worker *w)
{
	if (w->big)
		(void) pthread_mutex_unlock(&w->b->big);
	w->big = false;
}

/* --- the stack --- */

static void drop_note(struct worker *w, void *note)
{
	if (note && w->b->v->drop)
		w->b->v->drop(note);
}

static void pop(struct worker *w)
{
	struct frame *f = &w->stack[--w->depth];

	if (f->data)
		w->held -= f->len;
	free(f->data);
	drop_note(w, f->note);
}

/* The bases that wait longest are at the bottom: they are built again last, if at all. */
static void make_room(struct worker *w)
{
	for (size_t i = 0; i + 1 < w->depth && w->held > BULK_HELD; i++)
		if (w->stack[i].data) {
			w->held -= w->stack[i].len;
			free(w->stack[i].data);
			w->stack[i].data = NULL;
		}
}

static int push(struct worker *w, const struct frame *f)
{
	if (pv_grow(&w->stack, w->depth, &w->room, sizeof(*w->stack), 64) < 0)
		return -ENOMEM;
	w->stack[w->depth++] = *f;
	w->held += f->len;
	make_room(w);
	return 0;
}

/* --- one object --- */

static int visit(struct worker *w, struct pack *p, struct frame *f, const struct frame *base)
{
	struct bulk_object o = {
		.number = p->base + p->object[f->seq].pos,
		.data = (const char *) f->data,
		.len = f->len,
		.map = base ? &w->map : NULL,
		.base_len = base ? base->len : 0,
		.has_children = f->child != PACK_NONE,
	};

	o.first = objects_first(w->b->s, o.number);
	return w->b->v->object(w->b->v->user, w->index, &o, base ? base->note : NULL, &f->note);
}

static int build(struct worker *w, struct pack *p, uint32_t seq, const struct frame *base, struct frame *ret)
{
	struct pack_header h;
	int r = pack_header(p, seq, false, &h);

	if (r < 0)
		return r;
	big_lock(w, PV_MAX(h.size, base ? (uint64_t) base->len : 0));
	*ret = (struct frame){ .seq = seq, .child = p->object[seq].child };
	return pack_build(w->inflater, p, &h, base ? base->data : NULL, base ? base->len : 0, base ? &w->map : NULL, &ret->data,
			  &ret->len);
}

static int rebuild(struct worker *w, struct pack *p, struct frame *f)
{
	enum git_type type;
	int r;

	if (f->data)
		return 0;
	r = pack_get(w->inflater, p, f->seq, &type, &f->data, &f->len);
	if (r == 0)
		w->held += f->len;
	return r;
}

/* Builds and shows one object; pushes it when it has deltas. -ENOMEM or what the visitor returned ends the walk, what is
 * wrong with the object does not. */
static int enter(struct worker *w, struct pack *p, uint32_t seq, struct frame *base)
{
	struct frame f = { .data = NULL };
	int r = build(w, p, seq, base, &f);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		failed(w, r);
		return 0;
	}
	r = visit(w, p, &f, base);
	if (r == 0 && f.child != PACK_NONE) {
		r = push(w, &f);
		if (r == 0)
			return 0;
	}
	free(f.data);
	drop_note(w, f.note);
	return r;
}

/* The next delta of the object on top. Its last delta takes its place: a chain needs two objects in memory, not all. */
static int descend(struct worker *w, struct pack *p)
{
	struct frame *top = &w->stack[w->depth - 1], base;
	uint32_t seq = top->child;
	int r = rebuild(w, p, top);

	if (r < 0) {
		pop(w);
		if (r == -ENOMEM)
			return r;
		failed(w, r);
		return 0;
	}
	top->child = p->object[seq].next;
	if (top->child != PACK_NONE) {
		base = *top; /* a push may move the stack */
		return enter(w, p, seq, &base);
	}
	base = *top;
	w->depth--;
	w->held -= base.len;
	r = enter(w, p, seq, &base);
	free(base.data);
	drop_note(w, base.note);
	return r;
}

static int large(struct worker *w, struct pack *p, uint32_t seq, uint64_t size)
{
	const struct bulk_visitor *v = w->b->v;

	if (v->large)
		return v->large(v->user, w->index, p->base + p->object[seq].pos, size);
	scan_note(w->b->s->notes, REASON_TOO_LARGE, "", "an object of %llu MB was not looked at", (unsigned long long) size >> 20);
	return 0;
}

static int family(struct worker *w, struct pack *p, uint32_t root)
{
	struct pack_header h;
	int r = pack_header(p, root, false, &h);

	if (r == 0 && h.size > GIT_BLOB_MAX) {
		if (p->object[root].child != PACK_NONE)
			scan_note(w->b->s->notes, REASON_TOO_LARGE, "", "deltas of an object of %llu MB were not looked at",
				  (unsigned long long) h.size >> 20);
		return large(w, p, root, h.size);
	}
	/* A copy of what an earlier pack holds, with nothing built on it. */
	if (p->object[root].child == PACK_NONE && !objects_first(w->b->s, p->base + p->object[root].pos))
		return 0;
	r = enter(w, p, root, NULL);
	while (r == 0 && w->depth)
		r = descend(w, p);
	while (w->depth)
		pop(w);
	big_unlock(w);
	return r;
}

static int loose(struct worker *w, uint32_t i)
{
	const struct bulk_visitor *v = w->b->v;
	struct bulk_object o = { .number = w->b->s->loose_base + i, .first = true };
	pv_autofree uint8_t *data = NULL;
	enum git_type type;
	uint64_t len;
	void *note = NULL;
	int r;

	if (!objects_first(w->b->s, o.number))
		return 0;
	r = objects_loose_get(w->b->s, i, v->type, &type, &data, &len);
	if (r == -ENOMEM)
		return r;
	if (r == -EFBIG && type == v->type && v->large)
		return v->large(v->user, w->index, o.number, len);
	if (r < 0) {
		scan_note(w->b->s->notes, r == -EACCES ? REASON_PERMISSION : r == -EFBIG ? REASON_TOO_LARGE : REASON_MALFORMED,
			  "", "loose object that cannot be read");
		return 0;
	}
	if (type != v->type)
		return 0;
	o.data = (const char *) data;
	o.len = (size_t) len;
	r = v->object(v->user, w->index, &o, NULL, &note);
	drop_note(w, note);
	return r;
}

/* --- who does what --- */

static int one(struct worker *w, uint64_t k)
{
	struct objects *s = w->b->s;

	for (size_t i = 0; i < s->n_packs; i++) {
		struct pack *p = s->pack[i];

		if (k < p->n)
			return p->object[k].type == (unsigned) w->b->v->type ? family(w, p, (uint32_t) k) : 0;
		k -= p->n;
	}
	return loose(w, (uint32_t) k);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct bulk *b = w->b;
	uint64_t from;

	while ((from = atomic_fetch_add(&b->next, CHUNK)) < b->s->total)
		for (uint64_t k = from; k < PV_MIN(from + CHUNK, (uint64_t) b->s->total); k++) {
			int zero = 0, r = atomic_load(&b->result) ? -ECANCELED : one(w, k);

			if (r == -ECANCELED)
				return NULL;
			if (r != 0)
				(void) atomic_compare_exchange_strong(&b->result, &zero, r);
		}
	return NULL;
}

static void worker_done(struct worker *w)
{
	(void) pack_inflater_free(w->inflater);
	delta_map_done(&w->map);
	free(w->stack);
}

int bulk_walk(struct objects *s, const struct bulk_visitor *v)
{
	struct bulk b = { .s = s, .v = v, .big = PTHREAD_MUTEX_INITIALIZER };
	struct worker w[BULK_THREADS] = { { .b = &b } };
	pthread_t thread[BULK_THREADS];
	unsigned n = PV_MIN(PV_MAX(v->threads, 1u), (unsigned) BULK_THREADS), started = 0;

	for (unsigned i = 0; i < n; i++) {
		w[i] = (struct worker){ .b = &b, .index = i };
		if (pack_inflater_new(&w[i].inflater) < 0)
			b.result = -ENOMEM;
	}
	for (unsigned i = 1; i < n && !b.result; i++)
		if (pthread_create(&thread[started + 1], NULL, work, &w[i]) == 0)
			started++; /* where it cannot be started the others do its work */
	if (!b.result)
		(void) work(&w[0]);
	for (unsigned i = 1; i <= started; i++)
		(void) pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < n; i++)
		worker_done(&w[i]);
	return b.result;
}
