#include <stdio.h>
#include <string.h>

#include "model/dns_table.h"

#define SEEDS 4096 /* a table half full fits for about one seed in ten: never has this been reached */

struct builder {
	struct dns_table *t;
	uint32_t bits;
	uint32_t n_labels;
	struct label {
		uint8_t len;
		char text[63];
		uint64_t bits[DNS_WORDS];
	} labels[DNS_BITS];
	char *err;
	size_t err_size;
};

static void set_bit(uint64_t *words, uint32_t bit)
{
	words[bit / 64] |= 1ull << bit % 64;
}

static bool label_fold(char *out, const char *s, size_t len)
{
	if (len == 0 || len > 63)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = (char) dns_fold((uint8_t) s[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
		out[i] = c;
	}
	return true;
}

static void add_literal(struct builder *b, const char *text, size_t len, uint32_t bit)
{
	struct label *l = b->labels;

	for (; l < b->labels + b->n_labels; l++)
		if (l->len == len && memcmp(l->text, text, len) == 0)
			break;
	if (l == b->labels + b->n_labels) {
		memcpy(l->text, text, len);
		l->len = (uint8_t) len;
		b->n_labels++;
	}
	set_bit((uint64_t *) l->bits, bit);
}

/* One label of a pattern is one token, and one bit. */
static int add_token(struct builder *b, const char *s, size_t len, bool first, bool last)
{
	char text[64];
	uint32_t bit = b->bits;
	bool star = len == 1 && *s == '*';

	if (!star && !label_fold(text, s, len))
		return -EINVAL;
	if (bit >= DNS_BITS)
		return -E2BIG;
	b->bits++;
	if (first)
		set_bit((uint64_t *) b->t->first, bit);
	if (star) {
		set_bit((uint64_t *) b->t->any, bit);
		if (first || last)
			set_bit((uint64_t *) b->t->loop, bit);
	} else {
		add_literal(b, text, len, bit);
	}
	return 0;
}

static int complain(struct builder *b, int r, const char *pattern)
{
	if (r == -E2BIG)
		(void) snprintf(b->err, b->err_size, "too many labels in all patterns together, at most %d", DNS_BITS);
	else
		(void) snprintf(b->err, b->err_size,
				"`%.128s` is no name pattern: labels of a-z 0-9 _ - or a lone *, joined by dots", pattern);
	return r;
}

static int add_pattern(struct builder *b, const char *pattern, uint32_t index, uint64_t *last_bits)
{
	const char *s = pattern;
	size_t total = strnlen(pattern, 128);
	bool first = true;
	int r;

	if (total > 1 && total < 128 && pattern[total - 1] == '.')
		total--;
	if (total == 0 || total >= 128)
		return complain(b, -EINVAL, pattern);
	for (;; first = false) {
		const char *dot = memchr(s, '.', total - (size_t) (s - pattern));
		const char *end = dot ? dot : pattern + total;

		r = add_token(b, s, (size_t) (end - s), first, !dot);
		if (r < 0)
			return complain(b, r, pattern);
		if (!dot)
			break;
		s = dot + 1;
	}
	set_bit(last_bits, b->bits - 1);
	b->t->pattern[b->bits - 1] = (uint8_t) index;
	return 0;
}

static bool place_labels(struct builder *b, uint64_t seed)
{
	struct dns_table *t = b->t;

	t->seed = seed;
	memset(t->slots, 0, sizeof(t->slots));
	for (uint32_t i = 0; i < b->n_labels; i++) {
		uint64_t hash = seed;
		struct dns_label_slot *slot = NULL;

		for (uint8_t k = 0; k < b->labels[i].len; k++)
			hash = dns_hash_byte(hash, (uint8_t) b->labels[i].text[k]);
		hash = hash ? hash : 1;
		for (uint32_t p = 0; p < DNS_PROBES; p++) {
			slot = &t->slots[(dns_slot(hash) + p) & (DNS_LABEL_SLOTS - 1)];
			if (!slot->hash || slot->hash == hash)
				break;
		}
		if (slot->hash) /* no room near its place, or two labels of one hash */
			return false;
		slot->hash = hash;
		memcpy(slot->bits, b->labels[i].bits, sizeof(slot->bits));
	}
	return true;
}

static int build(struct builder *b, const char (*names)[128], uint32_t n_names, const char (*allow)[128], uint32_t n_allow)
{
	int r;

	for (uint32_t i = 0; i < n_names; i++) {
		r = i < DNS_NO_PATTERN ? add_pattern(b, names[i], i, (uint64_t *) b->t->block) : complain(b, -E2BIG, names[i]);
		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < n_allow; i++) {
		r = add_pattern(b, allow[i], 0, (uint64_t *) b->t->allow);
		if (r < 0)
			return r;
	}
	for (uint64_t i = 1; i <= SEEDS; i++)
		if (place_labels(b, 0xcbf29ce484222325ull * i))
			return 0;
	return complain(b, -E2BIG, "");
}

int dns_table_build(struct dns_table *t, const char (*names)[128], uint32_t n_names, const char (*allow)[128],
		    uint32_t n_allow, char *err, size_t err_size)
{
	pv_autofree struct builder *b = calloc(1, sizeof(*b));
	int r;

	memset(t, 0, sizeof(*t));
	if (!b)
		return -ENOMEM;
	b->t = t;
	b->err = err;
	b->err_size = err_size;
	r = build(b, names, n_names, allow, n_allow);
	if (r < 0)
		memset(t, 0, sizeof(*t));
	return r;
}

/* ---- pools ---- */

static bool pool_put(struct dns_table *t, uint64_t hash, uint64_t flags)
{
	uint32_t at = pool_slot(t, hash);

	for (uint32_t i = 0; i < POOL_PROBES; i++) {
		__u64 *slot = &t->pools[(at + i) & (POOL_SLOTS - 1)];

		if (!*slot || !((*slot ^ hash) & ~POOL_FLAGS)) {
			*slot = (hash & ~POOL_FLAGS) | (*slot & POOL_FLAGS) | flags;
			return true;
		}
	}
	return false;
}

/* The same entries from another start, until all of them lie near their places. */
static int pools_spread(struct dns_table *t, uint64_t hash, uint64_t flags)
{
	__u64 *old = calloc(N_ELEMENTS(t->pools), sizeof(*old)), old_seed = t->pool_seed;
	int r = -E2BIG;

	if (!old)
		return -ENOMEM;
	memcpy(old, t->pools, sizeof(t->pools));
	for (uint64_t seed = 1; seed < SEEDS / 8 && r < 0; seed++) {
		bool fits = true;

		memset(t->pools, 0, sizeof(t->pools));
		t->pool_seed = seed * 0xcbf29ce484222325ull;
		for (uint32_t i = 0; i < POOL_SLOTS && fits; i++)
			fits = !old[i] || pool_put(t, old[i] & ~POOL_FLAGS, old[i] & POOL_FLAGS);
		if (fits && pool_put(t, hash, flags))
			r = 0;
	}
	if (r < 0) {
		memcpy(t->pools, old, sizeof(t->pools));
		t->pool_seed = old_seed;
	}
	free(old);
	return r;
}

void dns_table_pools_clear(struct dns_table *t)
{
	t->pool_seed = 0;
	memset(t->pools, 0, sizeof(t->pools));
}

static uint64_t label_hash(const struct dns_table *t, const char *text, size_t len)
{
	uint64_t hash = t->seed;

	for (size_t i = 0; i < len; i++)
		hash = dns_hash_byte(hash, (uint8_t) text[i]);
	return hash ? hash : 1;
}

int dns_table_pool(struct dns_table *t, const char *name, uint32_t flags)
{
	const char *end = name + strlen(name);
	uint64_t hash = 0;
	uint32_t labels = 0, used = 0;

	for (uint32_t i = 0; i < POOL_SLOTS; i++)
		used += t->pools[i] != 0;
	for (const char *dot = end; dot > name; end = dot) {
		char text[64];
		size_t len;

		for (dot = end; dot > name && dot[-1] != '.'; dot--)
			continue;
		len = (size_t) (end - dot);
		if (!label_fold(text, dot, len) || ++labels > POOL_LABELS)
			return -EINVAL;
		hash = pool_hash(hash, label_hash(t, text, len));
		dot -= dot > name;
		if (labels < 2)
			continue;
		if (used > POOL_SLOTS / 2)
			return -E2BIG;
		if (!pool_put(t, hash, dot > name ? POOL_LONGER : flags) && pools_spread(t, hash, dot > name ? POOL_LONGER : flags) < 0)
			return -E2BIG;
	}
	return labels >= 2 ? 0 : -EINVAL;
}

/* Dotted text as a message's question; -EINVAL: no DNS name. */
static int question(uint8_t buf[DNS_BUF], const char *dotted)
{
	size_t len = strlen(dotted), at = DNS_HEADER;

	if (len > 0 && dotted[len - 1] == '.')
		len--;
	if (len >= PV_DNS_NAME_MAX)
		return -EINVAL;
	memset(buf, 0, DNS_BUF);
	for (size_t i = 0; i < len;) {
		const char *dot = memchr(dotted + i, '.', len - i);
		size_t n = dot ? (size_t) (dot - dotted) - i : len - i;

		if (n == 0 || n > 63 || (dot && i + n + 1 == len))
			return -EINVAL;
		buf[at] = (uint8_t) n;
		memcpy(buf + at + 1, dotted + i, n);
		at += n + 1;
		i += n + 1;
	}
	return 0;
}

int dns_name_match(const struct dns_table *t, const char *dotted, int *ret_pattern)
{
	struct dns_state s = { .slot = 0 };
	uint8_t buf[DNS_BUF];
	uint32_t pattern;

	if (question(buf, dotted) < 0)
		return -EINVAL;
	dns_reset(&s);
	if (dns_read_name(&s, t, buf, DNS_BUF) != DNS_END)
		return -EINVAL;
	pattern = dns_verdict(&s, t);
	if (pattern == DNS_NO_PATTERN)
		return 0;
	if (ret_pattern)
		*ret_pattern = (int) pattern;
	return 1;
}

int dns_name_pool(const struct dns_table *t, const char *dotted)
{
	struct dns_state s = { .slot = 0 };
	size_t len = strlen(dotted);
	int r = DNS_BAD;

	if (len > 255)
		return -EINVAL;
	dns_reset(&s);
	for (uint32_t i = 0; i <= len; i++)
		if ((r = dns_read_char(&s, t, (const uint8_t *) dotted, i, (uint32_t) len)) != DNS_MORE)
			break;
	return r == DNS_END ? (int) pool_of(&s, t) : -EINVAL;
}

static size_t put_octet(char *out, size_t room, uint8_t c)
{
	if (c > 0x20 && c < 0x7f && c != '.' && c != '\\') {
		if (room < 2)
			return 0;
		out[0] = (char) c;
		return 1;
	}
	if (room < 5)
		return 0;
	(void) snprintf(out, room, "\\%03u", c);
	return 4;
}

void dns_name_text(char *out, size_t size, const uint8_t *wire, size_t len)
{
	size_t at = 0;

	if (size == 0)
		return;
	for (size_t i = 0; i < len && wire[i];) {
		size_t n = PV_MIN((size_t) wire[i], len - i - 1);

		i++;
		if (at > 0 && at + 1 < size)
			out[at++] = '.';
		for (size_t k = 0; k < n; k++, i++) {
			size_t put = put_octet(out + at, size - at, wire[i]);

			if (!put) {
				out[at] = '\0';
				return;
			}
			at += put;
		}
	}
	out[at] = '\0';
}
