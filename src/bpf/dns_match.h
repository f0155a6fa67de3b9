/* dns_match.h - does a DNS name match one of the patterns? One source for the kernel (dns.bpf.c) and
 * for user space (config check, replays, tests), so that both give the same answer.
 *
 * A pattern is a list of labels matched against the whole name, ASCII case folded, trailing dot
 * ignored. A leading or trailing `*` stands for one or more labels, an inner `*` for exactly one.
 *
 * All patterns run at once as one bit-parallel automaton (Shift-And, Baeza-Yates and Gonnet 1992): each
 * token of a pattern is a bit; a name is fed label by label. The table maps the hash of a literal
 * label to the bits it satisfies. The table is flat: it lives in the sealed policy and in a BPF array. */
#ifndef PV_BPF_DNS_MATCH_H
#define PV_BPF_DNS_MATCH_H

#include "bpf/event.h"

#define DNS_WORDS	4			/* bits: 256 tokens over all patterns */
#define DNS_BITS	(DNS_WORDS * 64)
#define DNS_LABEL_SLOTS 512			/* open addressing, at most half full */
#define DNS_PROBES	8			/* a label lies at most this far from its slot: the builder sees to it */

struct dns_label_slot {
	__u64 hash; /* 0: free */
	__u64 bits[DNS_WORDS];
};

struct dns_table {
	__u64 first[DNS_WORDS];	 /* tokens that may take the first label */
	__u64 any[DNS_WORDS];	 /* wildcard tokens: satisfied by every label */
	__u64 loop[DNS_WORDS];	 /* leading and trailing wildcards: stay after one label */
	__u64 block[DNS_WORDS];	 /* last tokens of the patterns of dns.names */
	__u64 allow[DNS_WORDS];	 /* last tokens of the patterns of dns.allow: they win */
	__u8 pattern[DNS_BITS];	 /* last token -> index of its pattern */
	struct dns_label_slot slots[DNS_LABEL_SLOTS];
};

/* State while a name is fed, byte by byte. Zero it before the first byte. */
struct dns_state {
	__u64 d[DNS_WORDS];
	__u64 hash;	/* of the label so far */
	__u32 left;	/* bytes of the label still to come */
	__u32 labels;	/* labels finished */
};

#endif
