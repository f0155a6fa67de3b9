#include "match/checksum.h"

#include <string.h>

#include "match/decode.h"

/* CRC-32 of IEEE 802.3 (zlib's); a nibble at a time is fast enough for tokens. */
uint32_t match_crc32(const void *data, size_t len)
{
	static const uint32_t nibble[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const unsigned char *p = data;
	uint32_t crc = ~0u;

	for (size_t i = 0; i < len; i++) {
		crc = nibble[(crc ^ p[i]) & 15] ^ (crc >> 4);
		crc = nibble[(crc ^ (p[i] >> 4)) & 15] ^ (crc >> 4);
	}
	return ~crc;
}

/* `v` in the given alphabet, left filled with its zero. */
static bool digits_are(const char *s, size_t n, uint32_t v, const char *alphabet)
{
	uint32_t base = (uint32_t) strlen(alphabet);

	for (size_t i = n; i > 0; i--) {
		if (s[i - 1] != alphabet[v % base])
			return false;
		v /= base;
	}
	return v == 0;
}

static int check_base62(const char *t, size_t len)
{
	const char *cut = memrchr(t, '_', len), *body = cut ? cut + 1 : t;
	size_t n = (size_t) (t + len - body);

	return n > 6 && digits_are(body + n - 6, 6, match_crc32(body, n - 6),
				   "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
}

static int check_base36(const char *t, size_t len)
{
	return len > 7 && digits_are(t + len - 7, 7, match_crc32(t, len - 7), "0123456789abcdefghijklmnopqrstuvwxyz");
}

static int check_hex(const char *t, size_t len)
{
	const char *cut = memrchr(t, '_', len);

	return cut && t + len - cut == 9 && digits_are(cut + 1, 8, match_crc32(t, (size_t) (cut - t)), "0123456789abcdef");
}

static int check_luhn(const char *t, size_t len)
{
	unsigned sum = 0, n = 0;

	for (size_t i = len; i > 0; i--) {
		unsigned d = (unsigned) (t[i - 1] - '0');

		if (t[i - 1] == ' ' || t[i - 1] == '-')
			continue;
		if (d > 9)
			return 0;
		d <<= n++ & 1;
		sum += d > 9 ? d - 9 : d;
	}
	return n >= 2 && sum % 10 == 0;
}

static int check_jwt(const char *t, size_t len)
{
	const char *dot = memchr(t, '.', len);
	struct decode_cand c = { .how = DECODE_BASE64 };
	pv_autobuf head = PV_BUF_INIT;

	if (!dot)
		return 0;
	c.outer.len = (size_t) (dot - t);
	decode_run(t, &c, &head);
	return head.len && head.data[0] == '{' && memmem(head.data, head.len, "\"alg\"", 5) != NULL;
}

int match_check(enum rule_check check, const char *token, size_t len)
{
	switch (check) {
	case RULE_CHECK_CRC32:
		return check_hex(token, len);
	case RULE_CHECK_LUHN:
		return check_luhn(token, len);
	case RULE_CHECK_BASE62CRC:
		return check_base62(token, len);
	case RULE_CHECK_BASE36CRC:
		return check_base36(token, len);
	case RULE_CHECK_JWT:
		return check_jwt(token, len);
	case RULE_CHECK_NONE:
	case RULE_CHECK_N:
		break;
	}
	return 1;
}
