/* dns_match.h - does a DNS name match one of the patterns? One source for the kernel (dns.bpf.c) and
 * for user space (config check, replays, tests), so that both give the same answer.
 *
 * A pattern is a list of labels matched against the whole name, ASCII case folded, trailing dot
 * ignored. A leading or trailing `*` stands for one or more labels, an inner `*` for exactly one.
 *
 * All patterns run at once as one bit-parallel automaton (Shift-And, Baeza-Yates and Gonnet 1992): each
 * token of a pattern is a bit; a name is read label by label. The table maps the hash of a literal
 * label to the bits it satisfies. The table is flat: it lives in the sealed policy and in a BPF array. */
#ifndef PV_BPF_DNS_MATCH_H
#define PV_BPF_DNS_MATCH_H

#include "bpf/event.h"

#define DNS_WORDS	4			/* bits: 256 tokens over all patterns */
#define DNS_BITS	(DNS_WORDS * 64)
#define DNS_LABEL_SLOTS 512			/* open addressing, at most half full */
#define DNS_PROBES	8			/* a label lies at most this far from its slot: the builder sees to it */

/* Names of known pools and of resolvers that take encrypted questions: far too many for the automaton, and all of one shape, a
 * name and whatever stands before it. So each is a hash of its last two to four labels in a flat table of their own. */
#define POOL_SLOTS  4096 /* open addressing, at most half full */
#define POOL_PROBES 8
#define POOL_LABELS 4

#define POOL_NAME     (1u << 0) /* a pool */
#define POOL_RESOLVER (1u << 1) /* a resolver: matters as a TLS server's name only */
#define POOL_LONGER   (1u << 2) /* a longer name of the table ends so */
#define POOL_FLAGS    7ull

struct dns_label_slot {
	__u64 hash; /* 0: free */
	__u64 bits[DNS_WORDS];
};

struct dns_table {
	__u64 seed;		 /* start of every label's hash: chosen so that each label lies within DNS_PROBES */
	__u64 first[DNS_WORDS];	 /* tokens that may take the first label */
	__u64 any[DNS_WORDS];	 /* wildcard tokens: satisfied by every label */
	__u64 loop[DNS_WORDS];	 /* leading and trailing wildcards: stay after one label */
	__u64 block[DNS_WORDS];	 /* last tokens of the patterns of dns.names */
	__u64 allow[DNS_WORDS];	 /* last tokens of the patterns of dns.allow: they win */
	__u8 pattern[DNS_BITS];	 /* last token -> index of its pattern */
	struct dns_label_slot slots[DNS_LABEL_SLOTS];
	__u64 pool_seed;
	__u64 pools[POOL_SLOTS]; /* hash with POOL_* in its lowest bits; 0: free */
};

#define DNS_BUF		512 /* bytes of a message that are looked at: 12 + 255 + 4 would do */
#define DNS_HEADER	12
#define DNS_QUESTION_MAX (DNS_HEADER + 255 + 4)
#define DNS_NO_PATTERN	255
#define DNS_POOL	254 /* no pattern, but a known pool's name */
#define DNS_HOPS	4 /* compression pointers followed: no client writes one into a question, some servers read it */

/* State while a name is read. The kernel keeps it in a per-CPU map and not on its stack: the verifier does not track
 * values in map memory, so that the ways through each label meet again and 127 labels stay cheap to verify. */
struct dns_state {
	__u64 d[DNS_WORDS];
	__u64 name_hash; /* of the labels so far */
	__u64 last[POOL_LABELS]; /* hashes of the last labels, at their number modulo POOL_LABELS */
	__u32 labels;	 /* how many */
	__u32 len;	 /* octets in `name` */
	__u32 pos, end;	 /* where in the message we read; where the name ended */
	__u32 hops;
	__u32 pad;
	__u32 questions; /* QDCOUNT */
	__u32 pattern;	 /* DNS_LOOK_MATCH: which; else DNS_NO_PATTERN */
	__u32 slot;	 /* kernel only: where this state lies; never reset */
	__u64 text_hash; /* of a label in dotted form */
	__u8 name[256];	 /* wire form, folded, without the root label's zero; the rest is zero */
};

enum dns_read { DNS_MORE, DNS_END, DNS_BAD, DNS_CUT };

/* What a message is. CUT: the first question is not whole within `len`. */
enum dns_look { DNS_LOOK_CUT, DNS_LOOK_ODD, DNS_LOOK_ANSWER, DNS_LOOK_CLEAN, DNS_LOOK_MATCH };

static inline __u8 dns_fold(__u8 c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static inline __u64 dns_hash_byte(__u64 hash, __u8 c)
{
	return (hash ^ c) * 0x100000001b3ull; /* FNV-1a */
}

static inline __u32 dns_slot(__u64 hash)
{
	return (__u32) (hash ^ hash >> 29) & (DNS_LABEL_SLOTS - 1);
}

static inline void dns_reset(struct dns_state *s)
{
	__u32 slot = s->slot;

	__builtin_memset(s, 0, sizeof(*s));
	s->slot = slot;
	s->pattern = DNS_NO_PATTERN;
}

/* One label is complete: every pattern takes its step. */
static inline void dns_label_end(struct dns_state *s, const struct dns_table *t, __u64 hash)
{
	const struct dns_label_slot *hit = (void *) 0;
	__u64 carry = 0;
	__u32 at = dns_slot(hash);

	for (int i = 0; i < DNS_PROBES; i++) {
		const struct dns_label_slot *slot = &t->slots[(at + i) & (DNS_LABEL_SLOTS - 1)];

		if (slot->hash == hash) {
			hit = slot;
			break;
		}
		if (!slot->hash)
			break;
	}
	for (int w = 0; w < DNS_WORDS; w++) {
		__u64 old = s->d[w], next = (old << 1 | carry) & ~t->first[w];

		next |= old & t->loop[w];
		if (!s->labels)
			next |= t->first[w];
		s->d[w] = next & (hit ? t->any[w] | hit->bits[w] : t->any[w]);
		carry = old >> 63;
	}
	s->last[s->labels & (POOL_LABELS - 1)] = hash;
	s->labels++;
	s->name_hash = (s->name_hash ^ hash) * 0x9e3779b97f4a7c15ull;
}

/* Takes what stands at s->pos: a label or a compression pointer (DNS_MORE), or the end. DNS_CUT: the buffer ends before. */
static inline int dns_read_label(struct dns_state *s, const struct dns_table *t, const __u8 *buf, __u32 len)
{
	__u32 pos = s->pos, n = buf[pos & (DNS_BUF - 1)], at = s->len;
	__u64 hash = t->seed;

	if (pos >= len || (n >= 0xc0 && pos + 1 >= len) || (n < 0xc0 && pos + n >= len))
		return DNS_CUT;
	if (n >= 0xc0) {
		if (!s->end)
			s->end = pos + 2;
		s->pos = (n & 0x3f) << 8 | buf[(pos + 1) & (DNS_BUF - 1)];
		s->hops++;
		return s->hops > DNS_HOPS ? DNS_BAD : DNS_MORE;
	}
	s->pos = pos + 1 + n;
	if (n == 0) {
		if (!s->end)
			s->end = pos + 1;
		return DNS_END;
	}
	if (n > 63 || at + 1 + n > PV_DNS_NAME_MAX - 1)
		return DNS_BAD;
	s->name[at & 255] = n;
	for (__u32 i = 1; i <= 63; i++) {
		__u8 c;

		if (i > n)
			break;
		c = dns_fold(buf[(pos + i) & (DNS_BUF - 1)]);
		s->name[(at + i) & 255] = c;
		hash = dns_hash_byte(hash, c);
	}
	s->len = at + 1 + n;
	dns_label_end(s, t, hash ? hash : 1);
	return DNS_MORE;
}

#ifndef DNS_READ_LABEL /* the kernel puts a call between, so that the verifier looks at a label once and not at each */
#define DNS_READ_LABEL(s, t, buf, len, slot) dns_read_label(s, t, buf, len)
#endif

static inline __u32 pool_slot(const struct dns_table *t, __u64 hash)
{
	return (__u32) ((((hash & ~POOL_FLAGS) ^ t->pool_seed) * 0x9e3779b97f4a7c15ull) >> 52);
}

/* One label more, from the end of a name on; starts with 0. */
static inline __u64 pool_hash(__u64 hash, __u64 label)
{
	return (hash ^ label) * 0x100000001b3ull;
}

static inline __u32 pool_look(const struct dns_table *t, __u64 hash)
{
	__u32 at = pool_slot(t, hash);

	for (int i = 0; i < POOL_PROBES; i++) {
		__u64 slot = t->pools[(at + i) & (POOL_SLOTS - 1)];

		if (!slot)
			return 0;
		if (!((slot ^ hash) & ~POOL_FLAGS))
			return slot & POOL_FLAGS;
	}
	return 0;
}

/* POOL_NAME and POOL_RESOLVER of what the name ends with. */
static inline __u32 pool_of(const struct dns_state *s, const struct dns_table *t)
{
	__u32 flags = POOL_LONGER, found = 0, n = s->labels;
	__u64 hash = 0;

	if (n < 2)
		return 0;
	hash = pool_hash(hash, s->last[(n - 1) & (POOL_LABELS - 1)]);
	for (__u32 i = 2; i <= POOL_LABELS; i++) {
		if (i > n || !(flags & POOL_LONGER))
			break;
		hash = pool_hash(hash, s->last[(n - i) & (POOL_LABELS - 1)]);
		flags = pool_look(t, hash);
		found |= flags;
	}
	return found & (POOL_NAME | POOL_RESOLVER);
}

/* After DNS_END: the index of the pattern that took the whole name, DNS_POOL, or DNS_NO_PATTERN. */
static inline __u32 dns_verdict(const struct dns_state *s, const struct dns_table *t)
{
	__u64 hit = 0;
	__u32 bit = 0;

	for (int w = 0; w < DNS_WORDS; w++)
		if (s->d[w] & t->allow[w])
			return DNS_NO_PATTERN;
	for (int w = 0; w < DNS_WORDS; w++)
		if (!hit && (s->d[w] & t->block[w])) {
			hit = s->d[w] & t->block[w];
			bit = w * 64;
		}
	if (!hit)
		return pool_of(s, t) & POOL_NAME ? DNS_POOL : DNS_NO_PATTERN;
	for (__u32 half = 32; half; half >>= 1)
		if (!(hit & ((1ull << half) - 1))) {
			hit >>= half;
			bit += half;
		}
	return t->pattern[bit & (DNS_BITS - 1)];
}

/* The first name of a message in buf[0..len), a buffer of DNS_BUF bytes. DNS_END, or what is wrong. The loop is as plain
 * as it can be: kernels up to 6.1 take no loop that is entered other than at its top ("back-edge from insn"). */
static inline int dns_read_name(struct dns_state *s, const struct dns_table *t, const __u8 *buf, __u32 len)
{
	const __u32 slot = s->slot;

	s->pos = DNS_HEADER;
	for (int i = 0; i < 128 + DNS_HOPS; i++) {
		int r = DNS_READ_LABEL(s, t, buf, len, slot);

		if (r)
			return r;
	}
	(void) t;
	(void) buf;
	(void) slot;
	return DNS_BAD;
}

/* A name in dotted form, as TLS has it: its i-th character, from 0 to `len`, where the dot may be missing. DNS_MORE, and
 * DNS_END after the last; DNS_BAD: no name. Call dns_reset() before; s->pos is where its label begins. */
static inline int dns_read_char(struct dns_state *s, const struct dns_table *t, const __u8 *text, __u32 i, __u32 len)
{
	__u8 c = i < len ? dns_fold(text[i & 255]) : '.';
	__u32 n = i - s->pos;

	if (i > len || i > PV_DNS_NAME_MAX - 1)
		return DNS_BAD;
	if (!n)
		s->text_hash = t->seed;
	if (c != '.') {
		s->name[(i + 1) & 255] = c;
		s->text_hash = dns_hash_byte(s->text_hash, c);
		return DNS_MORE;
	}
	if (!n)
		return i == len && i ? DNS_END : DNS_BAD;
	if (n > 63)
		return DNS_BAD;
	s->name[s->pos & 255] = n;
	s->pos = i + 1;
	s->len = i + 1;
	dns_label_end(s, t, s->text_hash ? s->text_hash : 1);
	return i == len ? DNS_END : DNS_MORE;
}

/* Looks at a message in buf[0..len), a buffer of DNS_BUF bytes. CLEAN and MATCH speak of the first question;
 * s->questions != 1 makes the message odd all the same. */
static inline int dns_look(struct dns_state *s, const struct dns_table *t, const __u8 *buf, __u32 len)
{
	int r;

	dns_reset(s);
	if (len < DNS_HEADER)
		return DNS_LOOK_CUT;
	if (buf[2] & 0x80)
		return DNS_LOOK_ANSWER;
	s->questions = (__u32) buf[4] << 8 | buf[5];
	if (!s->questions)
		return DNS_LOOK_ODD;
	r = dns_read_name(s, t, buf, len);
	if (r == DNS_BAD)
		return DNS_LOOK_ODD;
	if (r == DNS_CUT || s->end + 4 > len) /* type and class follow the name */
		return DNS_LOOK_CUT;
	s->pattern = dns_verdict(s, t);
	return s->pattern == DNS_NO_PATTERN ? DNS_LOOK_CLEAN : DNS_LOOK_MATCH;
}

#endif
