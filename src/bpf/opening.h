/* opening.h - what a TCP connection begins with: is it a miner that speaks to its pool, which name does it ask of a TLS
 * server? One source for the kernel (dns.bpf.c) and for user space (tests), octet by octet, so that it makes no difference
 * where segments, records or writes end. Only the first OPENING_BYTES that one side sends are ever looked at.
 *
 * A miner: JSON (RFC 8259) whose outermost object has a "method" that begins with `mining.` (stratum), that is
 * `eth_submitLogin`, or that is `login` while somewhere in the object stands the key "agent" (the protocol of Monero's pools).
 * White space, the order of keys, upper case and \u escapes change nothing. Text within strings is no key.
 * A name: the server_name of a ClientHello (RFC 8446, 4.1.2; RFC 6066, 3), also one that is spread over several TLS records.
 * What speaks SOCKS or HTTP CONNECT first is looked at afresh with each segment: behind the proxy's answer begins either. */
#ifndef PV_BPF_OPENING_H
#define PV_BPF_OPENING_H

#include "bpf/dns_match.h"

#ifndef __bpf__
#include <stdbool.h>
#endif

#define OPENING_BYTES 2048
#define OPENING_NAME  256

enum opening_kind { OPENING_NEW, OPENING_JSON, OPENING_TLS, OPENING_OTHER };
enum opening_found { OPENING_NOTHING, OPENING_MINER, OPENING_SNI };

struct opening {
	__u64 hash;   /* JSON: of the string so far. TLS: the record's header so far */
	__u32 value;  /* TLS: a number so far. JSON: of a \u escape */
	__u32 skip;   /* TLS: octets of the message that nobody looks at */
	__u16 record; /* TLS: octets left of the record */
	__u16 extension;
	__u16 length; /* JSON: of the string so far */
	__u8 kind, found;
	__u8 proxied;		  /* it began with words for a proxy */
	__u8 got, want, stage;	  /* TLS: of the record's header; octets that the number still lacks; enum hello_stage */
	__u8 quoted, escape, hex; /* JSON: within a string, behind a backslash, hex digits still to come */
	__u8 prefix;		  /* JSON: the string begins with mining. */
	__u8 depth;		  /* JSON: objects that are open */
	__u8 word, key, seen;	  /* JSON: the last string, the key that a value is awaited for, JSON_SEEN_* */
	__u8 name_want, name_len; /* TLS */
	__u8 pad[2];
	__u8 name[OPENING_NAME]; /* TLS: the server's, as it came */
};
_Static_assert(sizeof(struct opening) == 296, "no holes: it is copied and compared whole");

/* ---- JSON ---- */

#define JSON_FNV	 0xcbf29ce484222325ull
#define JSON_METHOD	 0x230c05e5fb0433b0ull /* FNV-1a of the word; test_opening.c says so, too */
#define JSON_AGENT	 0xd02d8a15c0f8e1e6ull
#define JSON_LOGIN	 0x03c75db6e18f29d2ull
#define JSON_MINING	 0xaceaabacf39eafbdull /* mining. */
#define JSON_SUBMITLOGIN 0xa1401792cbfdca66ull /* eth_submitlogin */

enum json_word { JSON_NONE, JSON_IS_OTHER, JSON_IS_METHOD, JSON_IS_AGENT };
#define JSON_SEEN_LOGIN (1u << 0)
#define JSON_SEEN_AGENT (1u << 1)

static inline void json_char(struct opening *o, __u32 c)
{
	if (c >= 'A' && c <= 'Z')
		c |= 0x20;
	o->hash = (o->hash ^ c) * 0x100000001b3ull;
	if (o->length < 0xffff)
		o->length++;
	if (o->length == 7)
		o->prefix = o->hash == JSON_MINING;
}

static inline void json_string_end(struct opening *o)
{
	o->quoted = 0;
	o->word = o->hash == JSON_METHOD ? JSON_IS_METHOD : o->hash == JSON_AGENT ? JSON_IS_AGENT : JSON_IS_OTHER;
	if (!o->key)
		return;
	if ((o->prefix && o->length >= 7) || o->hash == JSON_SUBMITLOGIN)
		o->found = OPENING_MINER;
	if (o->hash == JSON_LOGIN)
		o->seen |= JSON_SEEN_LOGIN;
	o->key = 0;
}

static inline __u32 json_hex(__u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

static inline void json_within(struct opening *o, __u8 c)
{
	if (o->hex) {
		o->value = o->value << 4 | json_hex(c);
		o->hex--;
		if (!o->hex)
			json_char(o, o->value & 0xffff);
	} else if (o->escape) {
		o->escape = 0;
		if (c == 'u') {
			o->hex = 4;
			o->value = 0;
		} else {
			json_char(o, c);
		}
	} else if (c == '\\') {
		o->escape = 1;
	} else if (c == '"') {
		json_string_end(o);
	} else {
		json_char(o, c);
	}
}

static inline void json_between(struct opening *o, __u8 c)
{
	if (c == '"') {
		o->quoted = 1;
		o->hash = JSON_FNV;
		o->length = 0;
		o->prefix = 0;
	} else if (c == ':') {
		o->key = o->word == JSON_IS_METHOD && o->depth == 1;
		if (o->word == JSON_IS_AGENT)
			o->seen |= JSON_SEEN_AGENT;
		o->word = JSON_NONE;
	} else if (c == '{') {
		o->key = 0;
		if (o->depth < 255)
			o->depth++;
	} else if (c == '}') {
		o->key = 0;
		if (o->depth)
			o->depth--;
		if (!o->depth)
			o->seen = 0; /* the next message */
	} else if (c == ',' || c == '[' || c == ']') {
		o->key = 0;
		o->word = JSON_NONE;
	} else if (c < 9 || c > 126) {
		o->kind = OPENING_OTHER;
	}
}

static inline void json_octet(struct opening *o, __u8 c)
{
	if (o->quoted)
		json_within(o, c);
	else
		json_between(o, c);
	if ((o->seen & (JSON_SEEN_LOGIN | JSON_SEEN_AGENT)) == (JSON_SEEN_LOGIN | JSON_SEEN_AGENT))
		o->found = OPENING_MINER;
}

/* ---- TLS ---- */

/* What the number that is being read means. */
enum hello_stage {
	HELLO_TYPE,
	HELLO_LENGTH,
	HELLO_SESSION,
	HELLO_CIPHERS,
	HELLO_COMPRESSION,
	HELLO_EXTENSIONS,
	HELLO_EXTENSION,
	HELLO_EXTENSION_LENGTH,
	HELLO_NAMES,
	HELLO_NAME_TYPE,
	HELLO_NAME_LENGTH,
	HELLO_NAME
};

static inline void hello_next(struct opening *o, __u8 stage, __u8 want, __u32 skip)
{
	o->stage = stage;
	o->want = want;
	o->skip = skip;
	o->value = 0;
}

static inline void hello_number(struct opening *o)
{
	__u32 v = o->value;

	switch (o->stage) {
	case HELLO_TYPE:
		if (v != 1)
			o->kind = OPENING_OTHER;
		hello_next(o, HELLO_LENGTH, 3, 0);
		break;
	case HELLO_LENGTH:
		hello_next(o, HELLO_SESSION, 1, 2 + 32); /* version, random */
		break;
	case HELLO_SESSION:
		hello_next(o, HELLO_CIPHERS, 2, v);
		break;
	case HELLO_CIPHERS:
		hello_next(o, HELLO_COMPRESSION, 1, v);
		break;
	case HELLO_COMPRESSION:
		hello_next(o, HELLO_EXTENSIONS, 2, v);
		break;
	case HELLO_EXTENSIONS:
		hello_next(o, HELLO_EXTENSION, 2, 0);
		break;
	case HELLO_EXTENSION:
		o->extension = v;
		hello_next(o, HELLO_EXTENSION_LENGTH, 2, 0);
		break;
	case HELLO_EXTENSION_LENGTH:
		if (o->extension)
			hello_next(o, HELLO_EXTENSION, 2, v);
		else
			hello_next(o, HELLO_NAMES, 2, 0);
		break;
	case HELLO_NAMES:
		hello_next(o, HELLO_NAME_TYPE, 1, 0);
		break;
	case HELLO_NAME_TYPE:
		if (v)
			o->kind = OPENING_OTHER;
		hello_next(o, HELLO_NAME_LENGTH, 2, 0);
		break;
	case HELLO_NAME_LENGTH:
		if (!v || v > 255)
			o->kind = OPENING_OTHER;
		o->name_want = v;
		o->name_len = 0;
		hello_next(o, HELLO_NAME, 0, 0);
		break;
	}
}

static inline void hello_octet(struct opening *o, __u8 c)
{
	o->record--;
	if (o->stage == HELLO_NAME) {
		o->name[o->name_len] = c;
		o->name_len++;
		if (o->name_len == o->name_want)
			o->found = OPENING_SNI;
		return;
	}
	o->value = o->value << 8 | c;
	o->want--;
	if (!o->want)
		hello_number(o);
}

/* Type 22, version 3.x, length. */
static inline void record_octet(struct opening *o, __u8 c)
{
	o->hash = o->hash << 8 | c;
	o->got++;
	if (o->got < 5)
		return;
	if ((o->hash >> 32 & 0xff) != 22 || (o->hash >> 24 & 0xff) != 3)
		o->kind = OPENING_OTHER;
	o->record = o->hash & 0xffff;
	o->got = 0;
}

/* ---- the whole ---- */

static inline void opening_begin(struct opening *o)
{
	__builtin_memset(o, 0, sizeof(*o));
}

/* The first octet that is no white space decides. */
static inline void opening_first(struct opening *o, __u8 c)
{
	if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		return;
	o->kind = OPENING_OTHER;
	if (c == '{' || c == '[') {
		o->kind = OPENING_JSON;
		o->depth = c == '{';
	} else if (c == 22) {
		o->kind = OPENING_TLS;
		o->hash = c;
		o->got = 1;
		o->stage = HELLO_TYPE;
		o->want = 1;
	} else if (c == 4 || c == 5 || (c | 0x20) == 'c') { /* SOCKS, CONNECT */
		o->proxied = 1;
	}
}

/* Call before the octets of each segment but the first. */
static inline void opening_segment(struct opening *o)
{
	if (o->proxied && o->kind == OPENING_OTHER)
		o->kind = OPENING_NEW;
}

/* Takes what stands in buf[at..len), `at` below `len` and below DNS_BUF: how many octets that were. Call on until `len`, or
 * until there is nothing more to come: `found` is set, or `kind` is OPENING_OTHER. */
static inline __u32 opening_take(struct opening *o, const __u8 *buf, __u32 at, __u32 len)
{
	__u8 c = buf[at & (DNS_BUF - 1)];
	__u32 n;

	if (o->kind == OPENING_NEW) {
		opening_first(o, c);
	} else if (o->kind == OPENING_JSON) {
		json_octet(o, c);
	} else if (o->kind == OPENING_TLS && !o->record) {
		record_octet(o, c);
	} else if (o->kind == OPENING_TLS && o->skip) {
		n = len - at;
		n = n < o->skip ? n : o->skip;
		n = n < o->record ? n : o->record;
		o->skip -= n;
		o->record -= n;
		return n;
	} else if (o->kind == OPENING_TLS) {
		hello_octet(o, c);
	}
	return 1;
}

/* Can the octets to come tell anything? */
static inline bool opening_goes_on(const struct opening *o)
{
	return !o->found && (o->kind != OPENING_OTHER || o->proxied);
}

#endif
