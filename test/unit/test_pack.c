/* Packs made in memory: what a sound one holds comes out, and what a damaged one claims does no harm. */
#include <endian.h>
#include <libdeflate.h>
#include <unistd.h>

#include "base/util.h"
#include "check.h"
#include "match/rule_file.h"
#include "scan/look.h"
#include "scan/pack.h"

/* --- making --- */

struct maker {
	uint8_t data[1 << 16], idx[1 << 16];
	size_t len, idx_len;
	uint32_t n;
	struct {
		uint8_t id[20];
		uint32_t offset;
	} object[64];
};

static void put32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
}

static void start_pack(struct maker *m)
{
	memset(m, 0, sizeof(*m));
	memcpy(m->data, "PACK\0\0\0\2", 8);
	m->len = 12;
}

static void put_header(struct maker *m, unsigned type, uint64_t size)
{
	uint8_t c = (uint8_t) (type << 4 | (size & 15));

	for (size >>= 4; size; size >>= 7) {
		m->data[m->len++] = c | 0x80;
		c = size & 0x7f;
	}
	m->data[m->len++] = c;
}

static void put_deflated(struct maker *m, const void *data, size_t len)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);

	m->len += libdeflate_zlib_compress(c, data, len, m->data + m->len, sizeof(m->data) - m->len);
	libdeflate_free_compressor(c);
}

/* Ids are 1 1 1..., 2 2 2...: nothing here depends on their being hashes. */
static uint32_t begin(struct maker *m, uint8_t id)
{
	memset(m->object[m->n].id, id, 20);
	m->object[m->n].offset = (uint32_t) m->len;
	return m->object[m->n++].offset;
}

static uint32_t put_whole(struct maker *m, uint8_t id, unsigned type, const char *text, size_t claimed)
{
	uint32_t at = begin(m, id);

	put_header(m, type, claimed);
	put_deflated(m, text, strlen(text));
	return at;
}

static uint32_t put_ofs(struct maker *m, uint8_t id, uint32_t base, const void *delta, size_t len)
{
	uint32_t at = begin(m, id), back = at - base;
	uint8_t buf[8];
	unsigned k = sizeof(buf);

	put_header(m, GIT_OFS_DELTA, len);
	buf[--k] = back & 0x7f;
	while (back >>= 7)
		buf[--k] = 0x80 | (--back & 0x7f);
	memcpy(m->data + m->len, buf + k, sizeof(buf) - k);
	m->len += sizeof(buf) - k;
	put_deflated(m, delta, len);
	return at;
}

static void put_ref(struct maker *m, uint8_t id, uint8_t base, const void *delta, size_t len)
{
	(void) begin(m, id);
	put_header(m, GIT_REF_DELTA, len);
	memset(m->data + m->len, base, 20);
	m->len += 20;
	put_deflated(m, delta, len);
}

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, 20);
}

static int end_pack(struct maker *m, struct pack **ret)
{
	uint8_t *p = m->idx;

	put32(m->data + 8, m->n);
	memset(m->data + m->len, 0xcc, 20);
	m->len += 20;
	qsort(m->object, m->n, sizeof(m->object[0]), by_id);
	memcpy(p, "\377tOc\0\0\0\2", 8);
	for (unsigned i = 0; i < 256; i++) {
		uint32_t n = 0;

		while (n < m->n && m->object[n].id[0] <= i)
			n++;
		put32(p + 8 + 4 * i, n);
	}
	p += 8 + 1024;
	for (uint32_t i = 0; i < m->n; i++, p += 20)
		memcpy(p, m->object[i].id, 20);
	p += 4 * m->n; /* check sums */
	for (uint32_t i = 0; i < m->n; i++, p += 4)
		put32(p, m->object[i].offset);
	memset(p, 0xcc, 20);
	m->idx_len = (size_t) (p - m->idx) + 40;
	return pack_from_memory(m->data, m->len, m->idx, m->idx_len, 20, ret);
}

static char *content(const struct pack *p, uint8_t id, int *ret)
{
	struct pack_inflater *f = NULL;
	uint8_t full[20], *data = NULL;
	enum git_type type;
	uint32_t pos;
	size_t len;

	memset(full, id, 20);
	CHECK(pack_find(p, full, &pos), "id %u", id);
	CHECK(pack_inflater_new(&f) == 0, "memory");
	*ret = pack_get(f, p, pack_seq(p, pos), &type, &data, &len);
	(void) pack_inflater_free(f);
	return (char *) data;
}

/* --- deltas --- */

static void test_deltas(void **state)
{
	static const struct {
		const char *base, *delta;
		size_t len;
		int r;
		const char *out;
	} cases[] = {
		{ "hello world", "\x0b\x0b\x90\x0b", 4, 0, "hello world" },
		{ "hello world", "\x0b\x08\x90\x05\x03!!!", 8, 0, "hello!!!" },
		{ "hello world", "\x0b\x05\x91\x06\x05", 5, 0, "world" },
		{ "", "\x00\x02\x02hi", 5, 0, "hi" },
		{ "hello world", "\x0b\x05\x91\x07\x05", 5, -EBADMSG, NULL },   /* beyond the base */
		{ "hello world", "\x0b\x04\x91\x06\x05", 5, -EBADMSG, NULL },   /* beyond the result */
		{ "hello world", "\x0b\x06\x91\x06\x05", 5, -EBADMSG, NULL },   /* too short a result */
		{ "hello world", "\x0c\x05\x91\x06\x05", 5, -EBADMSG, NULL },   /* another base */
		{ "hello world", "\x0b\x05\x00\x91\x06\x05", 6, -EBADMSG, NULL }, /* reserved */
		{ "hello world", "\x0b\x05\x05wor", 6, -EBADMSG, NULL },	      /* text cut off */
		{ "hello world", "\x0b\x05\x91\x06", 4, -EBADMSG, NULL },	      /* arguments cut off */
		{ "hello world", "\x0b\x05\x91\xff\xff", 5, -EBADMSG, NULL },
		{ "hello world", "\x8b", 1, -EBADMSG, NULL },
		{ "hello world", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x05", 11, -EBADMSG, NULL },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const uint8_t *d = (const uint8_t *) cases[i].delta;
		struct delta_map map = { .n_copies = 0 };
		uint64_t base = 0, want = 0;
		uint8_t out[64] = { 0 };
		int r = delta_lengths(d, cases[i].len, &base, &want);

		if (r > 0)
			r = want >= sizeof(out) ? -EBADMSG :
						  delta_apply((const uint8_t *) cases[i].base, strlen(cases[i].base), d,
							      cases[i].len, out, (size_t) want, &map);
		CHECK(r == cases[i].r, "case %zu: %d", i, r);
		if (r == 0)
			CHECK_STR((char *) out, cases[i].out, "case %zu", i);
		delta_map_done(&map);
	}
}

/* What the map says, for the forms that matter: an insertion, a part left out, the start and the end cut off. */
static void test_maps(void **state)
{
	static const struct {
		const char *delta;
		size_t len, n;
		struct rule_span changed[3];
	} cases[] = {
		{ "\x0b\x0b\x90\x0b", 4, 0, { { 0, 0 } } },
		{ "\x0b\x0b\x90\x05\x91\x05\x06", 7, 0, { { 0, 0 } } }, /* two copies that continue each other */
		{ "\x0b\x0d\x90\x05\x02!!\x91\x05\x06", 10, 1, { { 5, 2 } } },
		{ "\x0b\x09\x90\x05\x91\x07\x04", 7, 1, { { 5, 0 } } },
		{ "\x0b\x05\x91\x06\x05", 5, 1, { { 0, 0 } } },
		{ "\x0b\x05\x90\x05", 4, 1, { { 5, 0 } } },
		{ "\x0b\x03\x03new", 6, 1, { { 0, 3 } } },
		{ "\x0b\x08\x02hi\x91\x05\x06", 8, 1, { { 0, 2 } } },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const uint8_t *d = (const uint8_t *) cases[i].delta;
		struct delta_map map = { .n_copies = 0 };
		uint64_t base, want;
		uint8_t out[64];

		CHECK(delta_lengths(d, cases[i].len, &base, &want) > 0, "case %zu", i);
		CHECK(delta_apply((const uint8_t *) "hello world", 11, d, cases[i].len, out, (size_t) want, &map) == 0, "case %zu", i);
		CHECK(map.n_changed == cases[i].n, "case %zu: %zu", i, map.n_changed);
		for (size_t k = 0; k < cases[i].n; k++)
			CHECK(map.changed[k].start == cases[i].changed[k].start && map.changed[k].len == cases[i].changed[k].len,
			      "case %zu: %zu+%zu", i, map.changed[k].start, map.changed[k].len);
		delta_map_done(&map);
	}
}

/* --- packs --- */

static void test_sound(void **state)
{
	static struct maker m;
	pv_auto(pack) p = NULL;
	uint32_t a, b;
	char *s;
	int r;

	(void) state;
	start_pack(&m);
	a = put_whole(&m, 7, GIT_BLOB, "hello world", 11);
	b = put_ofs(&m, 3, a, "\x0b\x08\x90\x05\x03!!!", 8);
	(void) put_ofs(&m, 9, b, "\x08\x03\x93\x05\x00\x03", 6);
	put_ref(&m, 1, 3, "\x08\x05\x90\x05", 4);
	CHECK(end_pack(&m, &p) == 0 && pack_index(p) == 0, "made");
	CHECK(p->n == 4 && !p->bad && !p->orphans, "%u %u %u", p->n, p->bad, p->orphans);
	CHECK_STR(s = content(p, 7, &r), "hello world", "root");
	free(s);
	CHECK_STR(s = content(p, 3, &r), "hello!!!", "delta");
	free(s);
	CHECK_STR(s = content(p, 9, &r), "!!!", "delta of a delta");
	free(s);
	CHECK_STR(s = content(p, 1, &r), "hello", "by id");
	free(s);
}

static void test_damaged(void **state)
{
	static struct maker m;
	pv_auto(pack) p = NULL;
	uint32_t a;
	int r;

	(void) state;
	start_pack(&m);
	a = put_whole(&m, 1, GIT_BLOB, "hello world", 5);			/* claims less than there is */
	(void) put_whole(&m, 2, GIT_BLOB, "hello world", 500);			/* claims more */
	(void) put_whole(&m, 3, GIT_BLOB, "hello world", 1ULL << 40);		/* claims what cannot be */
	put_ref(&m, 4, 5, "\x0b\x0b\x90\x0b", 4);				/* a circle of two */
	put_ref(&m, 5, 4, "\x0b\x0b\x90\x0b", 4);
	put_ref(&m, 6, 0x77, "\x0b\x0b\x90\x0b", 4);				/* no such base */
	(void) put_ofs(&m, 8, a + 1, "\x0b\x0b\x90\x0b", 4);			/* into the middle of one */
	put_ref(&m, 9, 9, "\x0b\x0b\x90\x0b", 4);				/* itself */
	CHECK(end_pack(&m, &p) == 0 && pack_index(p) == 0, "made");
	CHECK(p->bad == 1 && p->orphans == 3, "%u %u", p->bad, p->orphans);
	for (uint8_t id = 1; id <= 9; id++) {
		char *s = id == 7 ? NULL : content(p, id, &r);

		CHECK(!s && (id == 7 || r == -EBADMSG || r == -ENOENT), "id %u: %d", id, r);
		free(s);
	}
}

static void test_cut(void **state)
{
	static struct maker m;
	struct pack *p = NULL;
	size_t len, idx_len;

	(void) state;
	start_pack(&m);
	(void) put_ofs(&m, 3, put_whole(&m, 7, GIT_BLOB, "hello world", 11), "\x0b\x08\x90\x05\x03!!!", 8);
	assert_int_equal(end_pack(&m, &p), 0);
	p = pack_free(p);
	len = m.len;
	idx_len = m.idx_len;
	for (size_t n = 0; n < len; n++) {
		CHECK(pack_from_memory(m.data, n, m.idx, idx_len, 20, &p) == -EBADMSG || n == len, "pack of %zu", n);
	}
	for (size_t n = 0; n < idx_len; n++)
		CHECK(pack_from_memory(m.data, len, m.idx, n, 20, &p) == -EBADMSG, "index of %zu", n);
	put32(m.idx + 8 + 4 * 255, 1000000);
	CHECK(pack_from_memory(m.data, len, m.idx, idx_len, 20, &p) == -EBADMSG, "more objects than room");
}

/* --- windows against whole texts --- */

static const char rule_text[] =
	"schema: 1\nkind: secret\nname: t\nreference: [https://docs.example/]\nverified: documentation\nrules:\n"
	"  - {id: t.key, title: key, opens: x, severity: high, strength: strong, literal: [kx_], match: '\\bkx_[a-z0-9]{12}\\b',"
	" remedy: x, examples: {yes: [{text: 'kx+_0123456789ab', span: 'kx+_0123456789ab'}], no: [kx_1]}}\n"
	"  - {id: t.long, title: long, opens: x, severity: high, strength: strong, literal: [BEGIN], match: 'BEGIN[^E]{1,900}END', gate: literal,"
	" reach: 1000, remedy: x, examples: {yes: [{text: 'BE+GIN x END', span: 'BE+GIN x END'}], no: [BEGIN]}}\n";

static uint32_t seed = 1;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

#define TEXT_MAX 8192

static size_t piece(char *out)
{
	static const char *const pieces[] = { "word ", "x", "\n", "kx_0123456789ab", "kx_abcdefghijkl", " ", "kx_", "0123456789ab",
					      "BEGIN", "END", "BE", "GIN", "_", "line of text\n", "kx_0123456789abc " };
	const char *s = pieces[rnd(N_ELEMENTS(pieces))];

	memcpy(out, s, strlen(s));
	return strlen(s);
}

static size_t put_length(uint8_t *p, size_t n)
{
	size_t k = 0;

	do
		p[k++] = (uint8_t) ((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
	while (n >>= 7);
	return k;
}

/* A random delta: copies of any part in any order, and insertions. Returns its length; *ret_out is that of the result. */
static size_t random_delta(size_t base_len, uint8_t *delta, size_t *ret_out)
{
	uint8_t ops[TEXT_MAX];
	size_t n = 0, out = 0, k, at = 0;

	while (n < 200 && out < TEXT_MAX / 2) {
		char text[64];
		size_t len = rnd(3) ? 0 : piece(text);

		if (len) {
			ops[n++] = (uint8_t) len;
			memcpy(ops + n, text, len);
			n += len;
		} else if (base_len) {
			size_t src = rnd(2) ? PV_MIN(at, base_len - 1) : rnd((uint32_t) base_len);

			len = 1 + rnd((uint32_t) PV_MIN(base_len - src, (size_t) 1500));
			ops[n++] = 0x80 | 1 | 2 | 16 | 32;
			ops[n++] = src & 255;
			ops[n++] = (uint8_t) (src >> 8);
			ops[n++] = len & 255;
			ops[n++] = (uint8_t) (len >> 8);
			at = src + len;
		}
		out += len;
		if (!rnd(12))
			break;
	}
	k = put_length(delta, base_len);
	k += put_length(delta + k, out);
	memcpy(delta + k, ops, n);
	*ret_out = out;
	return k + n;
}

static bool has_hit(const struct look_hits *h, const struct look_hit *want)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->hit[i].start == want->start && h->hit[i].len == want->len && h->hit[i].secret == want->secret)
			return true;
	return false;
}

static void swap_hits(struct look_hits *a, struct look_hits *b)
{
	struct look_hits c = *a;

	*a = *b;
	*b = c;
}

/* Whatever a delta does, looking at what changed and taking over the rest finds all that looking at the whole finds. */
static void test_windows(void **state)
{
	pv_auto(rules) rules = NULL;
	pv_auto(match_set) set = NULL;
	pv_auto(look) look = NULL;
	pv_autobuf err = PV_BUF_INIT;
	struct scan_notes notes;
	struct look_hits base = { .n = 0 }, whole = { .n = 0 }, part = { .n = 0 };
	struct delta_map map = { .n_copies = 0 };
	static char text[TEXT_MAX], next[TEXT_MAX + 2048];
	static uint8_t delta[TEXT_MAX + 64];
	size_t len = 0, hits = 0, extra = 0;

	(void) state;
	scan_notes_init(&notes);
	CHECK(rules_new(&rules) == 0 && rules_add_file(rules, "t", rule_text, strlen(rule_text), &err) == 0, "%s", pv_buf_str(&err));
	CHECK(match_set_compile(rules, &set, &err) == 0, "%s", pv_buf_str(&err));
	CHECK(look_new(set, NULL, &notes, 1, &look) == 0, "look");
	for (unsigned round = 0; round < 20000; round++) {
		size_t n, out;

		if (round % 20 == 0) {
			for (len = 0; len < 2000;)
				len += piece(text + len);
			CHECK(look_at(look, 0, text, len, NULL, 0, NULL, &base) == 0, "base");
		}
		n = random_delta(len, delta, &out);
		CHECK(delta_apply((uint8_t *) text, len, delta, n, (uint8_t *) next, out, &map) == 0, "round %u", round);
		CHECK(look_at(look, 0, next, out, NULL, 0, NULL, &whole) == 0, "whole");
		CHECK(look_at(look, 0, next, out, &map, len, &base, &part) == 0, "part");
		for (size_t i = 0; i < whole.n; i++)
			CHECK(has_hit(&part, &whole.hit[i]), "round %u: lost %zu+%zu", round, whole.hit[i].start, whole.hit[i].len);
		hits += whole.n;
		extra += part.n - whole.n;
		memcpy(text, next, out);
		len = out;
		if (round % 7 == 0) /* else what was taken over is the next base, as in a chain of deltas */
			CHECK(look_at(look, 0, text, len, NULL, 0, NULL, &base) == 0, "base");
		else
			swap_hits(&base, &part);
	}
	CHECK(hits > 10000, "enough to compare: %zu", hits);
	CHECK(extra * 200 < hits, "few made up: %zu of %zu", extra, hits);
	look_hits_done(&base);
	look_hits_done(&whole);
	look_hits_done(&part);
	delta_map_done(&map);
	scan_notes_done(&notes);
}

/* One thread tells of a secret while others find more: it stays where it is. */
static void test_secrets_stay(void **state)
{
	pv_auto(rules) rules = NULL;
	pv_auto(match_set) set = NULL;
	pv_auto(look) look = NULL;
	pv_autobuf err = PV_BUF_INIT;
	struct scan_notes notes;
	struct look_hits hits = { .n = 0 };
	const struct look_secret *first = NULL;
	char text[32];

	(void) state;
	scan_notes_init(&notes);
	CHECK(rules_new(&rules) == 0 && rules_add_file(rules, "t", rule_text, strlen(rule_text), &err) == 0, "%s", pv_buf_str(&err));
	CHECK(match_set_compile(rules, &set, &err) == 0, "%s", pv_buf_str(&err));
	CHECK(look_new(set, NULL, &notes, 1, &look) == 0, "look");
	for (uint32_t i = 0; i < 5000; i++) {
		(void) snprintf(text, sizeof(text), "kx_%012u", i);
		CHECK(look_at(look, 0, text, strlen(text), NULL, 0, NULL, &hits) == 0 && hits.n == 1 && hits.hit[0].secret == i, "%u", i);
		first = i == 0 ? look_secret(look, 0) : first;
		CHECK(look_secret(look, 0) == first && look_secret(look, i)->len == 15, "%u", i);
	}
	look_hits_done(&hits);
	scan_notes_done(&notes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deltas),	cmocka_unit_test(test_maps), cmocka_unit_test(test_sound),
		cmocka_unit_test(test_damaged), cmocka_unit_test(test_cut),  cmocka_unit_test(test_windows),
		cmocka_unit_test(test_secrets_stay),
	};

	return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
