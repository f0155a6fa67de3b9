#include "check/secret_name.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Whole words of a name: PASSWORD fits DB_PASSWORD and dbPassword, PWD does not fit CPWDX. */
static bool has_word(const char *name, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = name; (p = strcasestr(p, word)); p++) {
		bool starts = p == name || !isalnum((unsigned char) p[-1]) ||
			      (islower((unsigned char) p[-1]) && isupper((unsigned char) *p));
		bool ends = !isalpha((unsigned char) p[n]) ||
			    (isupper((unsigned char) p[n]) && islower((unsigned char) p[n - 1]));

		if (starts && ends)
			return true;
	}
	return false;
}

static bool any_word(const char *name, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (has_word(name, words[i]))
			return true;
	return false;
}

static bool is_url_name(const char *name)
{
	static const char *const urls[] = { "URL", "URI", "DSN" };

	return any_word(name, urls, N_ELEMENTS(urls));
}

bool secret_name(const char *name)
{
	static const char *const secret[] = {
		"PASSWORD",    "PASSWD",         "PASS",        "PASSPHRASE",  "SECRET",     "TOKEN",
		"APIKEY",      "API_KEY",        "PRIVATE_KEY", "ACCESS_KEY",  "SECRET_KEY", "CREDENTIAL",
		"CREDENTIALS", "ENCRYPTION_KEY", "AUTH_KEY",    "SIGNING_KEY", "APP_KEY",    "MASTER_KEY",
		"JWT_KEY",     "session_string", "DBPASS",      "DBPASSWORD",
	};
	static const char *const harmless[] = {
		"FILE",    "PATH",     "DIR",    "PUBLIC",   "ID",     "TTL",     "EXPIRY",    "EXPIRES",  "EXPIRATION",
		"EXPIRE",  "LIFETIME", "LENGTH", "NAME",     "USER",   "TIMEOUT", "ALGORITHM", "ALG",      "ENDPOINT",
		"ENABLED", "ENABLE",   "ALLOW",  "ROTATION", "TYPE",   "HEADER",  "ISSUER",    "AUDIENCE", "MIN",
		"MAX",     "LIMIT",    "COST",   "ROUNDS",   "POLICY", "HASHED",  "HOST",      "PORT",     "REGION",
	};

	if (is_url_name(name))
		return true; /* the value decides */
	return any_word(name, secret, N_ELEMENTS(secret)) && !any_word(name, harmless, N_ELEMENTS(harmless));
}

bool secret_placeholder(const char *value)
{
	static const char *const parts[] = {
		"changeme", "change_me", "change-me",   "change this", "changethis",   "change-this", "change_this",
		"your-",    "your_",     "yourpass",    "yoursecret",  "replace",      "placeholder", "example",
		"todo",     "xxxx",      "****",        "insert",      "generate",     "<",           "${",
		"{{",       "...",       "put-your",    "set-me",      "setme",        "fill",        "dummy",
		"sample",   "ci-only",   "some-secret", "some_secret", "not-a-secret", "_here",       "-here",
	};
	static const char *const whole[] = { "",    "secret", "password", "test",   "none", "null",
					     "xxx", "key",    "token",    "string", "-",    "?" };

	for (size_t i = 0; i < N_ELEMENTS(whole); i++)
		if (strcasecmp(value, whole[i]) == 0)
			return true;
	for (size_t i = 0; i < N_ELEMENTS(parts); i++)
		if (strcasestr(value, parts[i]))
			return true;
	return false;
}

/* "scheme://user:password@host": where the password starts, or NULL. */
static const char *url_password(const char *value, size_t *ret_len)
{
	const char *start = strstr(value, "://"), *at, *colon;

	if (!start)
		return NULL;
	start += 3;
	at = strchr(start, '@');
	colon = strchr(start, ':');
	if (!at || !colon || colon > at || at == colon + 1)
		return NULL;
	*ret_len = (size_t) (at - colon) - 1;
	return colon + 1;
}

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789.") == strlen(s);
}

bool secret_value(const char *name, const char *value)
{
	static const char *const words[] = { "",     "true", "false", "yes",       "no",       "on",      "off",
					     "none", "null", "nil",   "undefined", "required", "optional" };
	size_t len;
	const char *password = url_password(value, &len);

	if (password)
		return strncmp(password, "${", 2) != 0 && *password != '<' && *password != '$';
	if (is_url_name(name) || strstr(value, "://") || *value == '/' || strncmp(value, "./", 2) == 0)
		return false;
	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		if (strcasecmp(value, words[i]) == 0)
			return false;
	if (strncmp(value, "${", 2) == 0 || *value == '<' || strncmp(value, "{{", 2) == 0)
		return false;
	return !(is_number(value) && strlen(value) < 4);
}

bool secret_is_default(const char *name, const char *value)
{
	static const char *const first_tried[] = {
		"password", "passw0rd", "admin",    "root",       "postgres", "mysql",    "redis",
		"mongo",    "secret",   "changeme", "change_me",  "123456",   "12345678", "1234",
		"guest",    "test",     "minio",    "minioadmin", "example",  "rabbitmq", "dokploy",
		"mariadb",  "user",     "letmein",  "toor",       "qwerty",   "admin123", "password123",
		"default",  "grafana",  "elastic",  "sa",         "app",
	};
	size_t len = strlen(value);
	const char *password = url_password(value, &len);

	(void) name;
	if (!password)
		password = value;
	for (size_t i = 0; i < N_ELEMENTS(first_tried); i++)
		if (strlen(first_tried[i]) == len && strncasecmp(password, first_tried[i], len) == 0)
			return true;
	return false;
}

bool signing_key_name(const char *name)
{
	static const char *const names[] = {
		"SECRET_KEY",         "JWT_SECRET",     "JWT_KEY",
		"JWT_SIGNING_KEY",    "JWT_SECRET_KEY", "NEXTAUTH_SECRET",
		"AUTH_SECRET",        "SESSION_SECRET", "APP_KEY",
		"APP_SECRET",         "COOKIE_SECRET",  "SECRET_KEY_BASE",
		"BETTER_AUTH_SECRET", "ENCRYPTION_KEY",
	};
	static const char *const not_it[] = { "FILE",   "PATH",   "PUBLIC",    "ID",      "AWS", "S3",
					      "STRIPE", "ACCESS", "ALGORITHM", "EXPIRES", "TTL" };

	return any_word(name, names, N_ELEMENTS(names)) && !any_word(name, not_it, N_ELEMENTS(not_it));
}

static unsigned different(const char *s)
{
	bool seen[256] = { false };
	unsigned n = 0;

	for (; *s; s++) {
		n += !seen[(unsigned char) *s];
		seen[(unsigned char) *s] = true;
	}
	return n;
}

const char *signing_key_wrong(const char *value)
{
	size_t len = strlen(value);

	if (!len)
		return "empty";
	if (strncmp(value, "${", 2) == 0)
		return NULL;
	if (strncmp(value, "base64:", 7) == 0) /* Laravel: 32 bytes */
		return len >= 7 + 43 ? NULL : "under 32 bytes";
	if (len < 32)
		return "under 32 characters";
	if (secret_placeholder(value) && (len < 64 || different(value) < 20))
		return "a placeholder";
	if (different(value) < 8)
		return "hardly any different characters";
	return NULL;
}
