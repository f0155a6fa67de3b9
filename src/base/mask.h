/* mask.h - secrets as they may be shown. The public prefix of a known format
 * (ghp_, AKIA) and at most 4 further characters, together never more than a fifth of the whole, then `…` and the length:
 * `ghp_ab12… (len 40)`. Passwords, private keys, connection strings with a password, what is shorter than 12 characters
 * and what could do something to a terminal: `(len 40)` alone. */
#ifndef PV_BASE_MASK_H
#define PV_BASE_MASK_H

#include "base/buf.h"

enum mask_kind {
	MASK_TOKEN,    /* made by a machine; a private key or connection string among them is noticed */
	MASK_PASSWORD, /* chosen by a person, or not known what it is */
};

void mask_secret(struct pv_buf *out, enum mask_kind kind, const char *secret, size_t len);
/* Only the part in front of `…`, which may be empty: for the `masked` field of JSON. */
void mask_head(struct pv_buf *out, enum mask_kind kind, const char *secret, size_t len);

/* Appends `text` with every occurrence of the secret masked: for messages that a library or a peer worded. A secret of
 * fewer than 4 bytes is too likely to be part of a word: then nothing of the text is passed on but its length. */
void mask_text(struct pv_buf *out, const char *text, const char *secret, size_t len);

/* A command line for people: words that NUL or blanks part, with single blanks between. Masked is what a word's form says is a
 * secret: the value of an option or variable that is named so (--password X, API_TOKEN=X), a password in a URL, -pX of MySQL's
 * programs, what follows `Bearer`, and words that begin as tokens of known providers do. */
void mask_words(struct pv_buf *out, const char *argv, size_t len);
bool mask_is_known(const char *s, size_t len); /* begins as a token of a known provider, and is as long as one */

#endif
