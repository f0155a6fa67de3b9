#include "check/x509.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "check/web.h"

#define DER_MAX (64u << 10)

enum { SEQUENCE = 0x30, SET = 0x31, OID = 6, OCTETS = 4, UTC_TIME = 0x17, GENERAL_TIME = 0x18, DNS_NAME = 0x82, IP_ADDRESS = 0x87 };

struct der {
	const uint8_t *at, *end;
};

/* The next element: its tag and what is in it. False at the end, or where lengths do not fit. */
static bool next(struct der *d, uint8_t *tag, struct der *inside)
{
	size_t len, n;

	if (d->end - d->at < 2)
		return false;
	*tag = *d->at++;
	len = *d->at++;
	if (len & 0x80) {
		n = len & 0x7f;
		if (!n || n > 4 || (size_t) (d->end - d->at) < n)
			return false;
		for (len = 0; n; n--)
			len = len << 8 | *d->at++;
	}
	if ((*tag & 0x1f) == 0x1f || len > (size_t) (d->end - d->at))
		return false;
	*inside = (struct der){ d->at, d->at + len };
	d->at += len;
	return true;
}

static bool want(struct der *d, uint8_t tag, struct der *inside)
{
	uint8_t got;

	return next(d, &got, inside) && got == tag;
}

static bool is_oid(const struct der *d, const char *bytes, size_t n)
{
	return (size_t) (d->end - d->at) == n && memcmp(d->at, bytes, n) == 0;
}

static int two(const char *digits)
{
	return (digits[0] - '0') * 10 + digits[1] - '0';
}

/* YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ (RFC 5280, 4.1.2.5) */
static bool read_time(const struct der *d, uint8_t tag, int64_t *ret)
{
	size_t len = (size_t) (d->end - d->at), digits = tag == UTC_TIME ? 12 : 14;
	struct tm tm = { 0 };
	char text[16];

	if ((tag != UTC_TIME && tag != GENERAL_TIME) || len != digits + 1 || d->at[digits] != 'Z')
		return false;
	memcpy(text, d->at, digits);
	text[digits] = '\0';
	if (strspn(text, "0123456789") != digits)
		return false;
	tm.tm_mon = two(text + digits - 10);
	tm.tm_mday = two(text + digits - 8);
	tm.tm_hour = two(text + digits - 6);
	tm.tm_min = two(text + digits - 4);
	tm.tm_sec = two(text + digits - 2);
	text[digits - 10] = '\0';
	tm.tm_year = (int) strtol(text, NULL, 10);
	tm.tm_year += tag == GENERAL_TIME ? -1900 : tm.tm_year < 50 ? 100 : 0;
	tm.tm_mon--;
	*ret = (int64_t) timegm(&tm);
	return true;
}

static const char *text_of(struct arena *a, const struct der *d)
{
	size_t len = (size_t) (d->end - d->at);

	if (!len || len > X509_NAME || memchr(d->at, '\0', len))
		return NULL;
	return arena_ndup(a, (const char *) d->at, len);
}

/* A Name: sets of { type, value }. The wanted types are 2.5.4.x. */
static const char *name_part(struct arena *a, struct der name, uint8_t x)
{
	const char oid[] = { 0x55, 0x04, (char) x };
	struct der set, pair, type, value;
	uint8_t tag;

	while (want(&name, SET, &set))
		while (want(&set, SEQUENCE, &pair))
			if (want(&pair, OID, &type) && is_oid(&type, oid, 3) && next(&pair, &tag, &value))
				return text_of(a, &value);
	return NULL;
}

static void add_name(struct x509 *c, const char *name)
{
	if (name && c->n_names < X509_NAMES)
		c->name[c->n_names++] = name;
	else if (name)
		c->more_names = true;
}

static const char *address(struct arena *a, const struct der *d)
{
	size_t len = (size_t) (d->end - d->at);
	struct ip_addr addr;
	pv_autobuf text = PV_BUF_INIT;

	if (len == 4) {
		uint32_t word;

		memcpy(&word, d->at, 4);
		addr = ip_from_v4(word);
	} else if (len == 16) {
		memcpy(addr.b, d->at, 16);
	} else {
		return NULL;
	}
	ip_format(&text, &addr);
	return arena_dup(a, pv_buf_str(&text));
}

static void alternative_names(struct arena *a, struct der octets, struct x509 *c)
{
	struct der list, one;
	uint8_t tag;

	if (!want(&octets, SEQUENCE, &list))
		return;
	while (next(&list, &tag, &one))
		if (tag == DNS_NAME)
			add_name(c, text_of(a, &one));
		else if (tag == IP_ADDRESS)
			add_name(c, address(a, &one));
}

static void extensions(struct arena *a, struct der wrapped, struct x509 *c)
{
	struct der list, one, oid, value;
	uint8_t tag;

	if (!want(&wrapped, SEQUENCE, &list))
		return;
	while (want(&list, SEQUENCE, &one)) {
		if (!want(&one, OID, &oid) || !is_oid(&oid, "\x55\x1d\x11", 3))
			continue;
		while (next(&one, &tag, &value)) /* a boolean may stand between */
			if (tag == OCTETS)
				alternative_names(a, value, c);
	}
}

int x509_read_der(struct arena *a, const void *der, size_t len, struct x509 *ret)
{
	struct der d = { der, (const uint8_t *) der + len }, cert, tbs, skip, issuer, subject, validity, when;
	struct x509 c = { .issuer = "" };
	uint8_t tag;

	if (!want(&d, SEQUENCE, &cert) || !want(&cert, SEQUENCE, &tbs) || !next(&tbs, &tag, &skip))
		return -EBADMSG;
	if (tag == 0xa0 && !next(&tbs, &tag, &skip)) /* version; then the serial number */
		return -EBADMSG;
	if (!want(&tbs, SEQUENCE, &skip) || !want(&tbs, SEQUENCE, &issuer) || !want(&tbs, SEQUENCE, &validity) ||
	    !want(&tbs, SEQUENCE, &subject) || !want(&tbs, SEQUENCE, &skip))
		return -EBADMSG;
	if (!next(&validity, &tag, &when) || !read_time(&when, tag, &c.not_before) || !next(&validity, &tag, &when) ||
	    !read_time(&when, tag, &c.not_after))
		return -EBADMSG;
	while (next(&tbs, &tag, &skip))
		if (tag == 0xa3)
			extensions(a, skip, &c);
	if (!c.n_names)
		add_name(&c, name_part(a, subject, 3));
	c.issuer = name_part(a, issuer, 10) ?: name_part(a, issuer, 3) ?: "";
	c.self_signed = issuer.end - issuer.at == subject.end - subject.at &&
			memcmp(issuer.at, subject.at, (size_t) (issuer.end - issuer.at)) == 0;
	if (a->poor)
		return -ENOMEM;
	*ret = c;
	return 0;
}

static int sextet(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int) (at - digits) : -1;
}

/* Decodes up to the first character that ends it; blanks and lines' ends are passed over. */
static size_t decode(const char *p, const char *end, uint8_t *out, size_t max)
{
	uint32_t bits = 0, n_bits = 0;
	size_t n = 0;

	for (; p < end && *p != '-' && *p != '=' && n < max; p++) {
		int v = sextet(*p);

		if (v < 0)
			continue;
		bits = bits << 6 | (uint32_t) v;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			out[n++] = (uint8_t) (bits >> n_bits);
		}
	}
	return n;
}

int x509_read_pem(struct arena *a, const char *text, size_t len, struct x509 *ret)
{
	static const char head[] = "-----BEGIN CERTIFICATE-----";
	const char *p = memmem(text, len, head, strlen(head)), *end = text + len;
	uint8_t *der;

	if (!p)
		return -ENOENT;
	p += strlen(head);
	der = arena_alloc(a, PV_MIN((size_t) (end - p), (size_t) DER_MAX) + 4);
	return der ? x509_read_der(a, der, decode(p, end, der, DER_MAX), ret) : -ENOMEM;
}

int x509_read_wrapped(struct arena *a, const char *base64, struct x509 *ret)
{
	size_t len = PV_MIN(strlen(base64), (size_t) DER_MAX * 2), n;
	uint8_t *pem = arena_alloc(a, len + 4);

	if (!pem)
		return -ENOMEM;
	n = decode(base64, base64 + len, pem, len);
	return x509_read_pem(a, (const char *) pem, n, ret);
}

bool x509_covers(const struct x509 *c, const char *name)
{
	for (size_t i = 0; i < c->n_names; i++)
		if (web_name_covers(c->name[i], name))
			return true;
	return c->more_names;
}
