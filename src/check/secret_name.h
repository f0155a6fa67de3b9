/* secret_name.h - whether a setting looks like a secret, by its name, its length and what people write where a value is
 * still to come. No rule about a provider's formats is applied here: that is what `pavise scan` is for. */
#ifndef PV_CHECK_SECRET_NAME_H
#define PV_CHECK_SECRET_NAME_H

#include "base/util.h"

/* DB_PASSWORD, api_key, JWT_SECRET, DATABASE_URL; not PASSWORD_FILE, PUBLIC_KEY, KEY_ID, TOKEN_TTL. */
bool secret_name(const char *name);
/* Under such a name: something that is used as a secret, be it one that everybody knows (secret_is_default). Not empty, true, a
 * path, <token>, {{ token }}, a reference ${X}; of a URL only one with a password in it. */
bool secret_value(const char *name, const char *value);
/* changeme, your-key-here, <token>, xxx, example ... */
bool secret_placeholder(const char *value);
/* A password that everybody tries first: postgres for POSTGRES_PASSWORD, admin, changeme ... */
bool secret_is_default(const char *name, const char *value);

/* Names of keys that sign sessions and tokens: SECRET_KEY, JWT_SECRET, NEXTAUTH_SECRET, APP_KEY ... */
bool signing_key_name(const char *name);
/* What is wrong with such a key, or NULL: under 32 characters (of hex or base64, what they decode to counts as under 16
 * bytes), a placeholder, or hardly any different characters. Of a reference ${X} nothing is known: NULL. */
const char *signing_key_wrong(const char *value);

#endif
