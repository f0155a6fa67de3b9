#include "scan/look.h"

#include <sodium/crypto_generichash.h>
#include <sodium/randombytes.h>
#include <string.h>

#include "base/array.h"
#include "base/mask.h"
#include "base/text.h"
#include "scan/allow.h"

#define MARGIN	  MATCH_MARGIN
#define BLOCK	  1024
#define CARRY_MAX 4000000 /* hits times copies; above, the text is looked at as a whole */

struct worker {
	struct match_scratch *scratch;
	struct look_hits *hits; /* of the text at hand */
	uint64_t bytes;
	struct look *l;
	bool binary, full;
};

struct slot {
	unsigned char key[16];
	uint32_t secret; /* plus 1 */
};

struct look {
	const struct match_set *set;
	const struct match_values *values;
	struct scan_notes *notes;
	unsigned threads;
	struct worker worker[LOOK_THREADS];
	unsigned char hash_key[crypto_generichash_KEYBYTES];
	pthread_mutex_t archive;
	pthread_mutex_t lock; /* of all below */
	struct look_secret *block[LOOK_SECRETS / BLOCK + 1]; /* they stay where they are: another thread may be telling of one */
	size_t n_secrets;
	struct slot *slot;
	size_t slots;
};

static struct look_secret *secret_at(const struct look *l, size_t i)
{
	return &l->block[i / BLOCK][i % BLOCK];
}

int look_new(const struct match_set *set, const struct match_values *values, struct scan_notes *notes, unsigned threads,
	     struct look **ret)
{
	pv_auto(look) l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->set = set;
	look_values(l, values);
	l->notes = notes;
	l->threads = PV_MIN(PV_MAX(threads, 1u), (unsigned) LOOK_THREADS);
	(void) pthread_mutex_init(&l->archive, NULL);
	(void) pthread_mutex_init(&l->lock, NULL);
	randombytes_buf(l->hash_key, sizeof(l->hash_key));
	for (unsigned i = 0; i < l->threads; i++) {
		int r = match_scratch_new(set, &l->worker[i].scratch);

		l->worker[i].l = l;
		if (r < 0)
			return r;
	}
	*ret = pv_steal(l);
	return 0;
}

void look_values(struct look *l, const struct match_values *values)
{
	l->values = values && match_values_count(values) ? values : NULL;
}

bool look_has_values(const struct look *l)
{
	return l->values != NULL;
}

struct look *look_free(struct look *l)
{
	if (!l)
		return NULL;
	for (unsigned i = 0; i < l->threads; i++) {
		(void) match_scratch_free(l->worker[i].scratch);
	}
	for (size_t i = 0; i < l->n_secrets; i++) {
		free(secret_at(l, i)->variable);
		free(secret_at(l, i)->masked);
	}
	for (size_t i = 0; i < N_ELEMENTS(l->block) && l->block[i]; i++)
		free(l->block[i]);
	(void) pthread_mutex_destroy(&l->archive);
	(void) pthread_mutex_destroy(&l->lock);
	free(l->slot);
	free(l);
	return NULL;
}

bool look_is_binary(const char *text, size_t len)
{
	return memchr(text, '\0', PV_MIN(len, (size_t) LOOK_BINARY)) != NULL;
}

/* --- the table of secrets --- */

static void key_of(const struct look *l, const struct match_hit *h, unsigned char key[16])
{
	size_t index = h->rule ? h->index : SIZE_MAX;
	crypto_generichash_state st;

	(void) crypto_generichash_init(&st, l->hash_key, sizeof(l->hash_key), 16);
	(void) crypto_generichash_update(&st, (const unsigned char *) &index, sizeof(index));
	(void) crypto_generichash_update(&st, (const unsigned char *) h->secret_text, h->secret_len);
	(void) crypto_generichash_final(&st, key, 16);
}

static int more_slots(struct look *l)
{
	size_t want = l->slots ? 2 * l->slots : 1024;
	struct slot *slot = calloc(want, sizeof(*slot));

	if (!slot)
		return -ENOMEM;
	for (size_t i = 0; i < l->slots; i++) {
		size_t at;

		if (!l->slot[i].secret)
			continue;
		memcpy(&at, l->slot[i].key, sizeof(at));
		while (slot[at & (want - 1)].secret)
			at++;
		slot[at & (want - 1)] = l->slot[i];
	}
	free(l->slot);
	l->slot = slot;
	l->slots = want;
	return 0;
}

static int new_secret(struct look *l, const struct match_hit *h)
{
	enum mask_kind kind = !h->rule || h->rule->password ? MASK_PASSWORD : MASK_TOKEN;
	pv_autobuf masked = PV_BUF_INIT;
	struct look_secret *s;

	if (!l->block[l->n_secrets / BLOCK] && !(l->block[l->n_secrets / BLOCK] = calloc(BLOCK, sizeof(*s))))
		return -ENOMEM;
	mask_secret(&masked, kind, h->secret_text, h->secret_len);
	s = secret_at(l, l->n_secrets);
	*s = (struct look_secret){ .rule = h->rule, .masked = strdup(pv_buf_str(&masked)), .severity = h->severity,
				   .checked = h->checked, .len = h->secret_len };
	(void) strncpy(s->encoding, h->encoding ? h->encoding : "", sizeof(s->encoding) - 1);
	if (h->value_name)
		s->variable = strdup(h->value_name);
	if (!s->masked || (h->value_name && !s->variable)) {
		free(s->masked);
		free(s->variable);
		return -ENOMEM;
	}
	l->n_secrets++;
	return 0;
}

static int number_locked(struct look *l, const struct match_hit *h, const unsigned char key[16], uint32_t *ret)
{
	size_t at;
	int r;

	if (2 * l->n_secrets >= l->slots && more_slots(l) < 0)
		return -ENOMEM;
	memcpy(&at, key, sizeof(at));
	for (;; at++) {
		struct slot *s = &l->slot[at & (l->slots - 1)];

		if (s->secret && memcmp(s->key, key, 16) == 0) {
			*ret = s->secret - 1;
			return 0;
		}
		if (s->secret)
			continue;
		if (l->n_secrets >= LOOK_SECRETS)
			return -ENOSPC;
		r = new_secret(l, h);
		if (r < 0)
			return r;
		memcpy(s->key, key, 16);
		s->secret = (uint32_t) l->n_secrets;
		*ret = s->secret - 1;
		return 0;
	}
}

static int number_of(struct look *l, const struct match_hit *h, uint32_t *ret)
{
	unsigned char key[16];
	int r;

	key_of(l, h, key);
	(void) pthread_mutex_lock(&l->lock);
	r = number_locked(l, h, key, ret);
	(void) pthread_mutex_unlock(&l->lock);
	return r;
}

const struct look_secret *look_secret(const struct look *l, uint32_t secret)
{
	return secret_at(l, secret);
}

const struct rules *look_rules(const struct look *l)
{
	return match_set_rules(l->set);
}

const char *look_rule_id(const struct look_secret *s)
{
	return s->rule ? s->rule->id : "own-value";
}

uint64_t look_bytes(const struct look *l)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < l->threads; i++)
		n += l->worker[i].bytes;
	return n;
}

void look_end(struct look *l)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < l->threads; i++)
		n += match_scratch_gave_up(l->worker[i].scratch);
	if (n)
		scan_note(l->notes, REASON_TIMEOUT, "", "%llu places where a pattern took too long",
			  (unsigned long long) n);
}

/* --- one text --- */

void look_hits_done(struct look_hits *h)
{
	free(h->hit);
	free(h->far.place);
	*h = (struct look_hits){ .n = 0 };
}

static int add(struct look_hits *h, const struct look_hit *new)
{
	if (pv_grow(&h->hit, h->n, &h->room, sizeof(*h->hit), 16) < 0)
		return -ENOMEM;
	h->hit[h->n++] = *new;
	return 0;
}

static int on_hit(const struct match_hit *h, void *user)
{
	struct worker *w = user;
	uint32_t secret;
	size_t more;
	int r;

	if (w->hits->n >= LOOK_HITS) {
		w->full = true;
		return 1;
	}
	/* In what is no text a rule without a form of its own would find randomness everywhere. */
	if (w->binary && h->rule && (h->rule->generic || h->severity < SEV_MEDIUM))
		return 0;
	r = number_of(w->l, h, &secret);
	if (r == -ENOSPC) {
		scan_note(w->l->notes, REASON_TOO_LARGE, "", "more than %d different secrets; the others are not listed",
			  LOOK_SECRETS);
		return 0;
	}
	if (r < 0)
		return r;
	more = h->rule && h->rule->context.n ? RULE_CONTEXT_REACH : 0;
	return add(w->hits, &(struct look_hit){
				    .secret = secret, .start = h->secret.start, .len = h->secret.len,
				    .before = (uint32_t) PV_MIN(h->secret.start, h->secret.start - h->whole.start + more),
				    .after = (uint32_t) (h->whole.start + h->whole.len - h->secret.start - h->secret.len + more) });
}

static int by_place(const void *pa, const void *pb)
{
	const struct look_hit *a = pa, *b = pb;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->len != b->len)
		return a->len > b->len ? -1 : 1;
	return (a->secret > b->secret) - (a->secret < b->secret);
}

static void sort(struct look_hits *h)
{
	size_t kept = 0;

	if (h->n > 1)
		qsort(h->hit, h->n, sizeof(*h->hit), by_place);
	for (size_t i = 0; i < h->n; i++) /* what was found and taken over stands twice */
		if (!kept || by_place(&h->hit[kept - 1], &h->hit[i]) != 0)
			h->hit[kept++] = h->hit[i];
	h->n = kept;
}

/* Places around which nothing changed; the others are close enough to a change to be found again. */
static int take_far(struct match_far *far, const struct match_far *base, const struct delta_map *map, size_t base_len, size_t len)
{
	far->n = 0;
	far->lost = base->lost;
	for (size_t i = 0; i < base->n && !far->lost; i++) {
		size_t end = base->place[i].end, width = PV_MIN(end, (size_t) MATCH_FAR_WIDTH), at = 0, start;

		while (delta_carried(map, &at, end - width, width, MARGIN, base_len, len, &start))
			if (match_far_add(far, start + width, base->place[i].rule) < 0)
				return -ENOMEM;
	}
	return 0;
}

static int take_over(struct look_hits *hits, const struct look_hits *base, const struct delta_map *map, size_t base_len,
		     size_t len)
{
	for (size_t i = 0; i < base->n; i++) {
		const struct look_hit *b = &base->hit[i];
		size_t from = b->start - b->before, whole = PV_MIN(b->before + b->len + b->after, base_len - from), at = 0, start;

		while (delta_carried(map, &at, from, whole, MARGIN, base_len, len, &start)) {
			struct look_hit moved = *b;

			moved.start = start + b->before;
			if (add(hits, &moved) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

int look_at(struct look *l, unsigned thread, const char *text, size_t len, const struct delta_map *map, size_t base_len,
	    const struct look_hits *base, struct look_hits *hits)
{
	struct worker *w = &l->worker[thread];
	struct match_deep how = { .values = l->values };
	const struct match_far none = { .n = 0 };
	size_t scanned = 0;
	int r = 0;

	hits->n = 0;
	how.far = &hits->far;
	w->hits = hits;
	w->full = false;
	w->binary = look_is_binary(text, len);
	how.max_depth = w->binary ? 0 : LOOK_DEPTH;
	if (map && base && (base->n + base->far.n) * map->n_copies > CARRY_MAX)
		map = NULL;
	if (map) {
		r = take_far(&hits->far, base ? &base->far : &none, map, base_len, len);
		how.changed = map->changed;
		how.n_changed = map->n_changed;
	}
	if (r < 0)
		return r;
	r = map && !map->n_changed ? 0 : match_scan_deep(l->set, w->scratch, text, len, &how, on_hit, w, &scanned);
	w->bytes += scanned;
	if (r < 0)
		return r;
	if (w->full)
		scan_note(l->notes, REASON_TOO_LARGE, "", "a text with more than %d secrets; the others are not listed", LOOK_HITS);
	r = map && base && base->n ? take_over(hits, base, map, base_len, len) : 0;
	sort(hits);
	return r;
}

/* --- overlaps --- */

static int rank(const struct look_secret *s)
{
	return !s->rule ? 2 : s->rule->generic ? 1 : 3;
}

/* The same value, known by its form and as a variable of the project: worth telling both. */
static void attach(struct look_secret *to, const struct look_secret *from, bool same)
{
	if (same && from->variable && !to->variable)
		to->variable = strdup(from->variable); /* left out without memory */
}

/* Of what overlaps the better known stays: a provider's form, then an own value, then a generic rule; the longer of two
 * of a kind. A provider's token that is also an own value stays what the provider's rule says. */
void look_settle(struct look *l, struct look_hits *h)
{
	size_t kept = 0;

	(void) pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < h->n; i++) {
		struct look_hit *last = kept ? &h->hit[kept - 1] : NULL, *hit = &h->hit[i];
		struct look_secret *a, *b = secret_at(l, hit->secret);
		bool same;

		if (!last || hit->start >= last->start + last->len) {
			h->hit[kept++] = *hit;
			continue;
		}
		a = secret_at(l, last->secret);
		same = last->start == hit->start && last->len == hit->len;
		if (rank(b) > rank(a) || (rank(b) == rank(a) && hit->len > last->len)) {
			attach(b, a, same);
			*last = *hit;
		} else {
			attach(a, b, same);
		}
	}
	(void) pthread_mutex_unlock(&l->lock);
	h->n = kept;
}

void look_lines(const char *text, struct look_hits *hits)
{
	uint32_t line = 1;
	size_t at = 0;

	for (size_t i = 0; i < hits->n; i++) { /* in the order of the text */
		size_t start = PV_MAX(hits->hit[i].start, at);

		line += (uint32_t) text_lines(text + at, start - at);
		at = start;
		hits->hit[i].line = line;
	}
}

/* --- what is packed --- */

struct inside {
	struct look *look;
	unsigned thread;
	struct look_hits *hits;
	struct look_hits found; /* in all members, once for each place */
	look_member_fn fn;
	void *user;
};

static int by_number(const void *pa, const void *pb)
{
	const struct look_hit *a = pa, *b = pb;

	return (a->secret > b->secret) - (a->secret < b->secret);
}

static void take_out(struct look_hits *outer, struct look_hits *found)
{
	size_t kept = 0;

	if (!outer->n || !found->n)
		return;
	qsort(found->hit, found->n, sizeof(*found->hit), by_number);
	for (size_t i = 0; i < outer->n; i++)
		if (!bsearch(&outer->hit[i], found->hit, found->n, sizeof(*found->hit), by_number))
			outer->hit[kept++] = outer->hit[i];
	outer->n = kept;
}

static int on_member(const struct archive_member *m, void *user)
{
	struct inside *in = user;
	int r = look_at(in->look, in->thread, m->text, m->len, NULL, 0, NULL, in->hits);

	if (r < 0)
		return r;
	for (size_t i = 0; i < in->hits->n && r == 0; i++)
		r = add(&in->found, &in->hits->hit[i]);
	if (r < 0)
		return r;
	look_settle(in->look, in->hits);
	if (!in->hits->n && !allow_find(m->text, m->len))
		return 0;
	look_lines(m->text, in->hits);
	return in->fn(m, in->hits, in->user);
}

int look_inside(struct look *l, unsigned thread, const char *data, size_t len, const char *place,
		struct look_hits *outer, struct look_hits *inner, look_member_fn fn, void *user)
{
	struct inside in = { .look = l, .thread = thread, .hits = inner, .fn = fn, .user = user };
	int r;

	(void) pthread_mutex_lock(&l->archive);
	r = archive_each(data, len, place, l->notes, on_member, &in);
	(void) pthread_mutex_unlock(&l->archive);
	take_out(outer, &in.found);
	look_hits_done(&in.found);
	return r;
}
