#include "model/minisign.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#define COMMENT_MAX 8192 /* of minisign's own */
#define TRUSTED	    "trusted comment: "
#define UNTRUSTED   "untrusted comment: "

struct signed_ {
	uint8_t kind[2], id[8], signature[64];
};

struct line {
	const char *text;
	size_t len;
};

/* Exactly `size` octets of base64, padded as minisign does. */
static int decode(const char *text, size_t len, void *out, size_t size)
{
	size_t n = 0;

	if (sodium_base642bin(out, size, text, len, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 || n != size)
		return -EINVAL;
	return 0;
}

int minisign_key_parse(const char *text, struct minisign_key *ret)
{
	uint8_t raw[2 + 8 + 32];

	if (strlen(text) != MINISIGN_KEY_TEXT || decode(text, MINISIGN_KEY_TEXT, raw, sizeof(raw)) < 0 ||
	    memcmp(raw, "Ed", 2) != 0)
		return -EINVAL;
	memcpy(ret->id, raw + 2, 8);
	memcpy(ret->key, raw + 10, 32);
	return 0;
}

/* The next line of [*at, end); what a line ends with may be missing at the end of the text. */
static struct line take_line(const char **at, const char *end)
{
	const char *newline = memchr(*at, '\n', (size_t) (end - *at));
	struct line l = { *at, (size_t) ((newline ? newline : end) - *at) };

	*at = newline ? newline + 1 : end;
	if (l.len && l.text[l.len - 1] == '\r')
		l.len--;
	return l;
}

static bool begins(const struct line *l, const char *word)
{
	return l->len >= strlen(word) && memcmp(l->text, word, strlen(word)) == 0;
}

static bool fits(const struct minisign_key *key, const struct signed_ *s, const void *data, size_t len)
{
	uint8_t hash[64];

	if (memcmp(s->kind, "Ed", 2) == 0)
		return crypto_sign_verify_detached(s->signature, data, len, key->key) == 0;
	if (memcmp(s->kind, "ED", 2) != 0)
		return false;
	return crypto_generichash(hash, sizeof(hash), data, len, NULL, 0) == 0 &&
	       crypto_sign_verify_detached(s->signature, hash, sizeof(hash), key->key) == 0;
}

static bool comment_fits(const struct minisign_key *key, const struct signed_ *s, const struct line *comment,
			 const uint8_t global[64])
{
	uint8_t both[64 + COMMENT_MAX];
	size_t n = comment->len - strlen(TRUSTED);

	if (n > COMMENT_MAX)
		return false;
	memcpy(both, s->signature, 64);
	memcpy(both + 64, comment->text + strlen(TRUSTED), n);
	return crypto_sign_verify_detached(global, both, 64 + n, key->key) == 0;
}

int minisign_verify(const struct minisign_key *key, const void *data, size_t len, const char *sig, size_t sig_len)
{
	const char *at = sig, *end = sig + sig_len;
	struct line untrusted = take_line(&at, end), first = take_line(&at, end), trusted = take_line(&at, end),
		    last = take_line(&at, end);
	struct signed_ s;
	uint8_t global[64];

	if (!begins(&untrusted, UNTRUSTED) || !begins(&trusted, TRUSTED) || decode(first.text, first.len, &s, sizeof(s)) < 0 ||
	    decode(last.text, last.len, global, sizeof(global)) < 0)
		return -EBADMSG;
	if (memcmp(s.id, key->id, sizeof(s.id)) != 0)
		return -ENOKEY;
	return fits(key, &s, data, len) && comment_fits(key, &s, &trusted, global) ? 0 : -EKEYREJECTED;
}
