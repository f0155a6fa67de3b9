/* The rules as bytes: 32-bit numbers in the byte order of this machine (the cache never leaves it), strings with their
 * length in front and a NUL behind. */
#include "match/rules.h"

#include <string.h>

static void put_u32(struct pv_buf *out, uint32_t v)
{
	pv_buf_add(out, &v, sizeof(v));
}

static void put_str(struct pv_buf *out, const char *s)
{
	put_u32(out, (uint32_t) strlen(s));
	pv_buf_add(out, s, strlen(s) + 1);
}

static void put_words(struct pv_buf *out, const struct rule_words *w)
{
	put_u32(out, (uint32_t) w->n);
	for (size_t i = 0; i < w->n; i++)
		put_str(out, w->word[i]);
}

struct reader {
	const char *at, *end;
	bool bad;
};

static uint32_t get_u32(struct reader *in)
{
	uint32_t v = 0;

	if (in->bad || (size_t) (in->end - in->at) < sizeof(v)) {
		in->bad = true;
		return 0;
	}
	memcpy(&v, in->at, sizeof(v));
	in->at += sizeof(v);
	return v;
}

static uint32_t get_below(struct reader *in, uint32_t limit)
{
	uint32_t v = get_u32(in);

	if (v >= limit) {
		in->bad = true;
		return 0;
	}
	return v;
}

static const char *get_str(struct reader *in)
{
	uint32_t n = get_u32(in);
	const char *s = in->at;

	if (in->bad || (size_t) (in->end - s) <= n || s[n] != '\0' || memchr(s, '\0', n)) {
		in->bad = true;
		return "";
	}
	in->at += n + 1;
	return s;
}

static struct rule_words get_words(struct reader *in, struct rules *rs)
{
	struct rule_words w = { 0 };
	uint32_t n = get_below(in, 4096);

	if (!n)
		return w;
	w.word = rules_alloc(rs, n * sizeof(*w.word));
	if (!w.word) {
		in->bad = true;
		return w;
	}
	w.n = n;
	for (uint32_t i = 0; i < n; i++)
		w.word[i] = get_str(in);
	return w;
}

/* One line a field, in the order of get_rule(). */
static void put_rule(struct pv_buf *out, const struct rule *r)
{
	const char *const strings[] = { r->id, r->family, r->origin, r->title, r->opens, r->remedy, r->prefix, r->match, r->gate,
					r->address, r->user };
	const uint32_t numbers[] = { r->kind, r->severity, r->strength, r->verified, r->password, r->generic, r->doubt_low, r->caseless,
				     r->reach, r->lead, r->check, r->random, r->from, r->tells, r->phase, r->join_address, r->ban, r->when.has_uid, r->when.uid };
	const struct rule_words *words[] = { &r->reference, &r->literal, &r->also, &r->run, &r->context, &r->names, &r->unless, &r->when.program, &r->when.unit,
					     &r->when.image, &r->when.transport, &r->json_keys };

	for (size_t i = 0; i < N_ELEMENTS(strings); i++)
		put_str(out, strings[i]);
	for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
		put_u32(out, numbers[i]);
	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		put_words(out, words[i]);
}

static void get_rule(struct reader *in, struct rules *rs, struct rule *r)
{
	const char **strings[] = { &r->id, &r->family, &r->origin, &r->title, &r->opens, &r->remedy, &r->prefix, &r->match, &r->gate,
				   &r->address, &r->user };
	struct rule_words *words[] = { &r->reference, &r->literal, &r->also, &r->run, &r->context, &r->names, &r->unless, &r->when.program, &r->when.unit,
				       &r->when.image, &r->when.transport, &r->json_keys };

	for (size_t i = 0; i < N_ELEMENTS(strings); i++)
		*strings[i] = get_str(in);
	r->kind = get_below(in, RULE_IOC + 1);
	r->severity = get_below(in, SEV_N);
	r->strength = get_below(in, RULE_THROUGH + 1);
	r->verified = get_below(in, 2);
	r->password = get_below(in, 2);
	r->generic = get_below(in, 2);
	r->doubt_low = get_below(in, 2);
	r->caseless = get_below(in, 2);
	r->reach = get_below(in, RULE_REACH_MAX + 1);
	r->lead = get_below(in, RULE_REACH_MAX + 1);
	r->check = get_below(in, RULE_CHECK_N);
	r->random = get_u32(in);
	r->from = get_below(in, RULE_FROM_JSON + 1);
	r->tells = get_below(in, RULE_PROBE + 1);
	r->phase = get_below(in, RULE_PHASE_N);
	r->join_address = get_below(in, 2);
	r->ban = get_below(in, 2);
	r->when.has_uid = get_below(in, 2);
	r->when.uid = get_u32(in);
	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		*words[i] = get_words(in, rs);
}

void rules_write(const struct rules *rs, struct pv_buf *out)
{
	put_u32(out, (uint32_t) rs->n);
	for (size_t i = 0; i < rs->n; i++)
		put_rule(out, &rs->rule[i]);
}

int rules_read(const void *data, size_t len, struct rules **ret)
{
	struct reader in = { .at = data, .end = (const char *) data + len };
	pv_auto(rules) rs = NULL;
	uint32_t n = get_below(&in, RULE_MAX + 1);
	int r = rules_new(&rs);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n && !in.bad; i++) {
		struct rule *rule = rules_push(rs);

		if (!rule)
			return -ENOMEM;
		get_rule(&in, rs, rule);
	}
	if (in.bad || in.at != in.end)
		return -EBADMSG;
	*ret = pv_steal(rs);
	return 0;
}
