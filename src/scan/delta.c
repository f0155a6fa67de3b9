#include "scan/delta.h"

#include <string.h>

#include "base/array.h"

void delta_map_done(struct delta_map *m)
{
	free(m->copy);
	free(m->changed);
	*m = (struct delta_map){ .copy = NULL };
}

static int length(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; *p < end && shift < 63; shift += 7) {
		uint8_t c = *(*p)++;

		v |= (uint64_t) (c & 0x7f) << shift;
		if (!(c & 0x80)) {
			*ret = v;
			return 0;
		}
	}
	return -EBADMSG;
}

int delta_lengths(const uint8_t *delta, size_t len, uint64_t *ret_base, uint64_t *ret_result)
{
	const uint8_t *p = delta;
	uint64_t base, result;

	if (length(&p, delta + len, &base) < 0 || length(&p, delta + len, &result) < 0)
		return -EBADMSG;
	*ret_base = base;
	*ret_result = result;
	return (int) (p - delta);
}

static int add_changed(struct delta_map *m, size_t start, size_t len)
{
	struct rule_span *last = m->n_changed ? &m->changed[m->n_changed - 1] : NULL;

	if (last && last->start + last->len == start) { /* goes on, or a seam at its end */
		last->len += len;
		return 0;
	}
	if (pv_grow(&m->changed, m->n_changed, &m->changed_room, sizeof(*m->changed), 64) < 0)
		return -ENOMEM;
	m->changed[m->n_changed++] = (struct rule_span){ start, len };
	return 0;
}

static int add_copy(struct delta_map *m, size_t src, size_t dst, size_t len)
{
	struct delta_copy *last = m->n_copies ? &m->copy[m->n_copies - 1] : NULL;

	if (last && last->dst + last->len == dst && last->src + last->len == src) {
		last->len += len;
		return 0;
	}
	/* Before it stands something that did not stand there in the base. */
	if ((dst || src) && add_changed(m, dst, 0) < 0)
		return -ENOMEM;
	if (pv_grow(&m->copy, m->n_copies, &m->copies_room, sizeof(*m->copy), 64) < 0)
		return -ENOMEM;
	m->copy[m->n_copies++] = (struct delta_copy){ src, dst, len };
	return 0;
}

static int end_seam(struct delta_map *m, size_t base_len, size_t out_len)
{
	const struct delta_copy *last = m->n_copies ? &m->copy[m->n_copies - 1] : NULL;

	if (last && last->dst + last->len == out_len && last->src + last->len != base_len)
		return add_changed(m, out_len, 0);
	return !last && !m->n_changed ? add_changed(m, 0, 0) : 0;
}

/* Offset and size of a copy: the bits of `op` say which of their bytes are there. */
static bool copy_args(uint8_t op, const uint8_t **p, const uint8_t *end, size_t *ret_src, size_t *ret_len)
{
	uint32_t v[2] = { 0, 0 };

	for (unsigned i = 0; i < 7; i++) {
		if (!(op >> i & 1))
			continue;
		if (*p >= end)
			return false;
		v[i >= 4] |= (uint32_t) *(*p)++ << 8 * (i % 4);
	}
	*ret_src = v[0];
	*ret_len = v[1] ? v[1] : 0x10000;
	return true;
}

int delta_apply(const uint8_t *base, size_t base_len, const uint8_t *delta, size_t len, uint8_t *out, size_t out_len,
		struct delta_map *map)
{
	const uint8_t *p, *end = delta + len;
	uint64_t want_base, want_out;
	size_t at = 0;
	int r = delta_lengths(delta, len, &want_base, &want_out);

	if (r < 0 || want_base != base_len || want_out != out_len)
		return -EBADMSG;
	if (map)
		map->n_copies = map->n_changed = 0;
	for (p = delta + r; p < end;) {
		uint8_t op = *p++;
		size_t src = 0, n = op;

		if (op & 0x80) {
			if (!copy_args(op, &p, end, &src, &n) || src > base_len || n > base_len - src || n > out_len - at)
				return -EBADMSG;
			memcpy(out + at, base + src, n);
			r = map ? add_copy(map, src, at, n) : 0;
		} else {
			if (op == 0 || n > (size_t) (end - p) || n > out_len - at)
				return -EBADMSG;
			memcpy(out + at, p, n);
			p += n;
			r = map ? add_changed(map, at, n) : 0;
		}
		if (r < 0)
			return r;
		at += n;
	}
	if (at != out_len)
		return -EBADMSG;
	return map ? end_seam(map, base_len, out_len) : 0;
}

bool delta_carried(const struct delta_map *m, size_t *at, size_t start, size_t len, size_t margin, size_t base_len,
		   size_t out_len, size_t *ret_start)
{
	while (*at < m->n_copies) {
		const struct delta_copy *c = &m->copy[(*at)++];
		size_t before, after;

		if (start < c->src || start + len > c->src + c->len)
			continue;
		before = start - c->src;
		after = c->src + c->len - (start + len);
		if (before < margin && !(c->src == 0 && c->dst == 0))
			continue;
		if (after < margin && !(c->src + c->len == base_len && c->dst + c->len == out_len))
			continue;
		*ret_start = c->dst + before;
		return true;
	}
	return false;
}
