/* minisign.h - signatures as minisign writes them (jedisct1.github.io/minisign): Ed25519 over a file, or over its BLAKE2b-512,
 * and a trusted comment that is signed together with the signature. Pure: text in, answer out. */
#ifndef PV_MODEL_MINISIGN_H
#define PV_MODEL_MINISIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MINISIGN_KEY_TEXT 56 /* characters of a public key in base64 */

struct minisign_key {
	uint8_t id[8], key[32];
};

/* `RWQ...`, the second line of minisign.pub. -EINVAL: it is none. */
int minisign_key_parse(const char *text, struct minisign_key *ret);

/* Has this key signed these bytes? `sig` is the text of FILE.minisig. 0; -EBADMSG: the text is no signature; -ENOKEY: another
 * key's; -EKEYREJECTED: it does not fit the bytes, or the trusted comment was changed. */
int minisign_verify(const struct minisign_key *key, const void *data, size_t len, const char *sig, size_t sig_len);

#endif
