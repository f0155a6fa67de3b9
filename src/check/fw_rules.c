#include "check/fw_rules.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 32
#define STEPS_MAX 200000u
#define WIDE_V4   8  /* a list of sources that are this wide speaks of the Internet, not of somebody */
#define WIDE_V6   16
#define WIDE_PORTS 1024u

/* --- building --- */

struct fw_chain *fw_chain_of(struct fw *fw, const char *table, const char *name, bool v4, bool v6)
{
	struct fw_chain *c = fw->first;

	for (; c; c = c->next)
		if (c->v4 == v4 && c->v6 == v6 && strcmp(c->name, name) == 0 && strcmp(c->table, table) == 0)
			return c;
	c = arena_alloc(fw->arena, sizeof(*c));
	if (!c)
		return NULL;
	*c = (struct fw_chain){ .table = arena_dup(fw->arena, table),
				.name = arena_dup(fw->arena, name),
				.v4 = v4,
				.v6 = v6,
				.hook = FW_NO_HOOK };
	if (!c->table || !c->name)
		return NULL;
	*(fw->last ? &fw->last->next : &fw->first) = c;
	fw->last = c;
	return c;
}

struct fw_rule *fw_rule_add(struct fw *fw, struct fw_chain *c)
{
	struct fw_rule *list = arena_grow(fw->arena, c->rule, c->n, sizeof(*list));

	if (!list)
		return NULL;
	c->rule = list;
	list[c->n] = (struct fw_rule){ .verdict = FW_GO_ON };
	return &list[c->n++];
}

struct fw_match *fw_match_add(struct fw *fw, struct fw_rule *r, enum fw_what what, bool negate)
{
	struct fw_match *list = r ? arena_grow(fw->arena, r->match, r->n, sizeof(*list)) : NULL;

	if (!list)
		return NULL;
	r->match = list;
	list[r->n] = (struct fw_match){ .what = what, .negate = negate };
	return &list[r->n++];
}

union fw_value *fw_value_add(struct fw *fw, struct fw_match *m)
{
	union fw_value *list = m ? arena_grow(fw->arena, m->value, m->n, sizeof(*list)) : NULL;

	if (!list)
		return NULL;
	m->value = list;
	memset(&list[m->n], 0, sizeof(*list));
	return &list[m->n++];
}

static struct ip_addr with_tail(struct ip_addr a, unsigned bits, uint8_t fill)
{
	for (unsigned i = bits; i < 128; i++) {
		uint8_t bit = (uint8_t) (0x80u >> i % 8);

		a.b[i / 8] = (uint8_t) (fill ? a.b[i / 8] | bit : a.b[i / 8] & ~bit);
	}
	return a;
}

/* The bits of "255.255.0.0", or -1. */
static int mask_bits(const char *text)
{
	struct ip_addr mask;
	unsigned bits = 0;
	bool v4;

	if (ip_parse(text, &mask) < 0)
		return -1;
	v4 = ip_is_v4(&mask);
	for (unsigned i = v4 ? 96 : 0; i < 128 && mask.b[i / 8] & 0x80u >> i % 8; i++)
		bits++;
	return (int) bits;
}

bool fw_value_prefix(union fw_value *v, const char *text)
{
	const char *slash = strchr(text, '/');
	struct ip_prefix p;
	char own[128];

	if (slash && strpbrk(slash, ".:")) {
		int bits = mask_bits(slash + 1);

		if (bits < 0 || slash - text > 64 ||
		    snprintf(own, sizeof(own), "%.*s/%d", (int) (slash - text), text, bits) < 0)
			return false;
		text = own;
	}
	if (ip_prefix_parse(text, &p) < 0)
		return false;
	v->addr.lo = with_tail(p.addr, p.len, 0);
	v->addr.hi = with_tail(p.addr, p.len, 1);
	return true;
}

bool fw_value_range(union fw_value *v, const char *lo, const char *hi)
{
	return ip_parse(lo, &v->addr.lo) == 0 && ip_parse(hi, &v->addr.hi) == 0;
}

void fw_link(struct fw *fw)
{
	for (struct fw_chain *c = fw->first; c; c = c->next)
		for (size_t i = 0; i < c->n; i++) {
			struct fw_rule *r = &c->rule[i];

			for (struct fw_chain *t = r->target_name && !r->target ? fw->first : NULL; t; t = t->next)
				if (t->v4 == c->v4 && t->v6 == c->v6 && strcmp(t->table, c->table) == 0 &&
				    strcmp(t->name, r->target_name) == 0) {
					r->target = t;
					break;
				}
		}
}

/* --- one match --- */

enum truth { NO, YES, MAYBE };

static bool between(const struct ip_addr *a, const union fw_value *v)
{
	return memcmp(a->b, v->addr.lo.b, 16) >= 0 && memcmp(a->b, v->addr.hi.b, 16) <= 0;
}

/* As wide as a /8 (v4) or a /16 (v6): bits in which both ends agree. */
static bool wide(const union fw_value *v)
{
	bool v4 = ip_is_v4(&v->addr.lo);
	unsigned first = v4 ? 96 : 0, same = first;

	while (same < 128 && !((v->addr.lo.b[same / 8] ^ v->addr.hi.b[same / 8]) & 0x80u >> same % 8))
		same++;
	return same - first <= (v4 ? WIDE_V4 : WIDE_V6);
}

static bool fits_name(const char *have, const char *want)
{
	size_t n = strlen(want);

	if (n && (want[n - 1] == '*' || want[n - 1] == '+'))
		return strncmp(have, want, n - 1) == 0;
	return strcmp(have, want) == 0;
}

static enum truth fits_iface(const struct fw_match *m, const char *have)
{
	if (!have)
		return MAYBE;
	for (size_t i = 0; i < m->n; i++)
		if (fits_name(have, m->value[i].name))
			return YES;
	return NO;
}

static enum truth fits_addr(const struct fw_match *m, const struct ip_addr *a, bool only_wide)
{
	for (size_t i = 0; i < m->n; i++)
		if (between(a, &m->value[i]) && (!only_wide || wide(&m->value[i])))
			return YES;
	return NO;
}

static enum truth fits_number(const struct fw_match *m, uint32_t have)
{
	for (size_t i = 0; i < m->n; i++)
		if (have >= m->value[i].num.lo && have <= m->value[i].num.hi)
			return YES;
	return NO;
}

/* The port of the stranger: some high one. A rule that wants a certain one does not fit. */
static enum truth fits_sport(const struct fw_match *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->value[i].num.hi - m->value[i].num.lo >= WIDE_PORTS && m->value[i].num.hi >= 60999)
			return YES;
	return NO;
}

static enum truth fits(const struct fw_match *m, const struct fw_packet *p, unsigned depth);

static enum truth fits_tuples(const struct fw_match *m, const struct fw_packet *p, unsigned depth)
{
	enum truth any = NO;

	for (size_t i = 0; i < m->n && any != YES; i++) {
		enum truth all = YES;

		for (size_t k = 0; k < m->width && all != NO; k++) {
			enum truth one = fits(&m->sub[i * m->width + k], p, depth + 1);

			all = one == YES ? all : one;
		}
		any = all == NO ? any : all;
	}
	return any;
}

static enum truth plain_fit(const struct fw_match *m, const struct fw_packet *p, unsigned depth)
{
	switch (m->what) {
	case FW_TRUE:
		return YES;
	case FW_UNKNOWN:
		return MAYBE;
	case FW_PROTO:
		return fits_number(m, p->udp ? 17 : 6);
	case FW_SADDR:
		return fits_addr(m, &p->src, true);
	case FW_DADDR:
		return fits_addr(m, &p->dst, false);
	case FW_SPORT:
		return fits_sport(m);
	case FW_DPORT:
		return fits_number(m, p->dport);
	case FW_IIF:
		return fits_iface(m, p->iif);
	case FW_OIF:
		return fits_iface(m, p->oif);
	case FW_DLOCAL:
		return p->dst_local ? YES : NO;
	case FW_FAMILY:
		return fits_number(m, p->v6 ? 6 : 4);
	case FW_DNATTED:
		return p->dnatted ? YES : NO;
	case FW_ORIG_DADDR:
		return fits_addr(m, &p->orig_dst, false);
	case FW_ORIG_DPORT:
		return fits_number(m, p->orig_dport);
	case FW_TUPLES:
		return depth < 4 ? fits_tuples(m, p, depth) : MAYBE;
	}
	return MAYBE;
}

static enum truth fits(const struct fw_match *m, const struct fw_packet *p, unsigned depth)
{
	enum truth t = plain_fit(m, p, depth);

	return t == MAYBE || !m->negate ? t : t == YES ? NO : YES;
}

static enum truth rule_fits(const struct fw_rule *r, const struct fw_packet *p)
{
	enum truth all = YES;

	for (size_t i = 0; i < r->n; i++) {
		enum truth one = fits(&r->match[i], p, 0);

		if (one == NO)
			return NO;
		all = one == MAYBE ? MAYBE : all;
	}
	return all;
}

/* --- chains: a set of what may come out of them --- */

#define V_ACCEPT 1u
#define V_DROP   2u
#define V_NEXT   4u /* the rule behind it */
#define V_RETURN 8u

struct run {
	struct fw_packet *p;
	unsigned steps;
	bool unsure; /* a DNAT that may or may not happen, or too much to follow */
};

static unsigned walk(struct run *r, const struct fw_chain *c, unsigned depth);

static void translate(struct run *r, const struct fw_rule *rule)
{
	if (rule->nat && rule->nat->has_addr)
		r->p->dst = rule->nat->addr;
	if (rule->nat && rule->nat->port)
		r->p->dport = rule->nat->port;
	r->p->dnatted = true;
}

static unsigned carry_out(struct run *r, const struct fw_rule *rule, bool sure, unsigned depth)
{
	unsigned v;

	switch (rule->verdict) {
	case FW_GO_ON:
		return V_NEXT;
	case FW_ACCEPT:
		return V_ACCEPT;
	case FW_DROP:
		return V_DROP;
	case FW_RETURN:
		return V_RETURN;
	case FW_DNAT:
	case FW_REDIRECT:
		if (!sure || (rule->verdict == FW_DNAT && !(rule->nat && rule->nat->has_addr)))
			r->unsure = true;
		else
			translate(r, rule);
		return V_ACCEPT;
	case FW_JUMP:
	case FW_GOTO:
		if (!rule->target) {
			r->unsure = true;
			return V_NEXT;
		}
		v = walk(r, rule->target, depth + 1);
		if (rule->verdict == FW_JUMP && v & V_RETURN)
			v = (v & ~V_RETURN) | V_NEXT;
		return v;
	case FW_ANYTHING:
		break;
	}
	return V_ACCEPT | V_DROP | V_NEXT;
}

static unsigned walk(struct run *r, const struct fw_chain *c, unsigned depth)
{
	unsigned out = 0;

	if (depth > DEPTH_MAX) {
		r->unsure = true;
		return V_RETURN;
	}
	for (size_t i = 0; i < c->n; i++) {
		enum truth t;
		unsigned v;

		if (++r->steps > STEPS_MAX) {
			r->unsure = true;
			return out | V_RETURN;
		}
		t = rule_fits(&c->rule[i], r->p);
		if (t == NO)
			continue;
		v = carry_out(r, &c->rule[i], t == YES, depth);
		out |= v & ~V_NEXT;
		if (t == YES && !(v & V_NEXT))
			return out;
	}
	return out | V_RETURN;
}

static unsigned base_chain(struct run *r, const struct fw_chain *c)
{
	unsigned v = walk(r, c, 0), out = 0;

	if (v & V_ACCEPT || (v & V_RETURN && !c->drops))
		out |= FW_PASSES;
	if (v & V_DROP || (v & V_RETURN && c->drops))
		out |= FW_STOPS;
	return out;
}

static const struct fw_chain *next_at(const struct fw *fw, enum fw_hook hook, const struct fw_packet *p,
				      const struct fw_chain *after)
{
	const struct fw_chain *best = NULL;
	bool seen = !after;

	for (const struct fw_chain *c = fw->first; c; c = c->next) {
		bool here = c->hook == hook && (p->v6 ? c->v6 : c->v4) &&
			    (hook != FW_INGRESS || !c->device || strcmp(c->device, p->iif ? p->iif : "") == 0);

		/* in order of priority, those of one priority as they came */
		if (here && (!after || c->prio > after->prio || (c->prio == after->prio && seen)) &&
		    (!best || c->prio < best->prio))
			best = c;
		seen = seen || c == after;
	}
	return best;
}

unsigned fw_hook(const struct fw *fw, enum fw_hook hook, struct fw_packet *p)
{
	struct run r = { .p = p };
	unsigned out = FW_PASSES;

	for (const struct fw_chain *c = next_at(fw, hook, p, NULL); c; c = next_at(fw, hook, p, c)) {
		unsigned v;

		if (c->nat && (p->dnatted || hook != FW_PREROUTING)) /* a connection is translated once */
			continue;
		v = base_chain(&r, c);
		if (!(v & FW_PASSES))
			return FW_STOPS;
		out |= v & FW_STOPS;
	}
	return r.unsure || fw->cut ? out | FW_STOPS : out;
}

struct ip_addr fw_stranger(bool v6)
{
	struct ip_addr a = { { 0 } };

	(void) ip_parse(v6 ? "2001:db8:5f3:1::17" : "198.51.100.217", &a);
	return a;
}

/* --- ports --- */

static bool names_port(const struct fw_match *m, unsigned port)
{
	for (size_t i = 0; m->what == FW_DPORT && i < m->n; i++)
		if (port >= m->value[i].num.lo && port <= m->value[i].num.hi &&
		    m->value[i].num.hi - m->value[i].num.lo < WIDE_PORTS)
			return true;
	for (size_t i = 0; m->what == FW_TUPLES && i < m->n * m->width; i++)
		if (m->sub[i].what != FW_TUPLES && names_port(&m->sub[i], port))
			return true;
	return false;
}

bool fw_names_port(const struct fw *fw, unsigned port)
{
	for (const struct fw_chain *c = fw->first; c; c = c->next)
		for (size_t i = 0; i < c->n; i++)
			for (size_t k = 0; k < c->rule[i].n; k++)
				if (names_port(&c->rule[i].match[k], port))
					return true;
	return false;
}

static void ports_of(const struct fw_rule *r, const struct fw_match *m,
		     void (*fn)(unsigned lo, unsigned hi, bool udp, void *user), void *user)
{
	bool tcp = true, udp = true;

	for (size_t i = 0; i < r->n; i++)
		if (r->match[i].what == FW_PROTO && !r->match[i].negate) {
			tcp = fits_number(&r->match[i], 6) == YES;
			udp = fits_number(&r->match[i], 17) == YES;
		}
	for (size_t i = 0; i < m->n; i++) {
		if (tcp)
			fn(m->value[i].num.lo, m->value[i].num.hi, false, user);
		if (udp)
			fn(m->value[i].num.lo, m->value[i].num.hi, true, user);
	}
}

void fw_each_dnat(const struct fw *fw, void (*fn)(unsigned lo, unsigned hi, bool udp, void *user), void *user)
{
	for (const struct fw_chain *c = fw->first; c; c = c->next)
		for (size_t i = 0; i < c->n; i++) {
			const struct fw_rule *r = &c->rule[i];

			for (size_t k = 0; k < r->n && (r->verdict == FW_DNAT || r->verdict == FW_REDIRECT); k++)
				if (r->match[k].what == FW_DPORT)
					ports_of(r, &r->match[k], fn, user);
		}
}
