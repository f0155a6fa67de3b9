/* hello.h - a ClientHello (RFC 8446, 4.1.2) for a name, as tests want it. */
#ifndef PV_TEST_HELLO_H
#define PV_TEST_HELLO_H

#include <stdint.h>
#include <string.h>

static inline size_t put16(uint8_t *out, size_t v)
{
	out[0] = (uint8_t) (v >> 8);
	out[1] = (uint8_t) v;
	return 2;
}

/* `before`: octets of another extension that comes first (a key share of today's browsers has 1,200). `record`: octets of the
 * message in each TLS record; 0: all in one. Returns the length; `out` has 8192 octets. */
static inline size_t hello_make(uint8_t *out, const char *name, size_t before, size_t record)
{
	uint8_t m[3000] = { 1, 0, 0, 0, 3, 3 };
	size_t at = 6 + 32, n = name ? strlen(name) : 0, len = 0, total;

	memset(m + 6, 0x16, 32); /* random: looks like a record's type to whoever loses its place */
	m[at++] = 32;
	memset(m + at, 3, 32);
	at += 32;
	at += put16(m + at, 4);
	memcpy(m + at, "\x13\x01\x13\x02", 4);
	at += 4;
	m[at++] = 1;
	m[at++] = 0;
	at += put16(m + at, 4 + before + (name ? 9 + n : 0));
	at += put16(m + at, 0x33);
	at += put16(m + at, before);
	memset(m + at, 0, before);
	at += before;
	if (name) {
		at += put16(m + at, 0);
		at += put16(m + at, n + 5);
		at += put16(m + at, n + 3);
		m[at++] = 0;
		at += put16(m + at, n);
		memcpy(m + at, name, n);
		at += n;
	}
	total = at;
	put16(m + 2, total - 4);
	for (at = 0; at < total;) {
		size_t part = record && record < total - at ? record : total - at;

		out[len++] = 22;
		out[len++] = 3;
		out[len++] = 1;
		len += put16(out + len, part);
		memcpy(out + len, m + at, part);
		len += part;
		at += part;
	}
	return len;
}

#endif
