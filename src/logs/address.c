#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "logs/inside.h"

#define ADDRESS_MAX 46

bool address_read(const char *s, size_t len, struct ip_addr *ret)
{
	const char *zone = memchr(s, '%', len), *colon = memchr(s, ':', len);
	char copy[ADDRESS_MAX];

	if (zone)
		len = (size_t) (zone - s);
	else if (colon && memchr(s, '.', (size_t) (colon - s)) && !memchr(colon + 1, ':', len - (size_t) (colon - s) - 1))
		len = (size_t) (colon - s); /* 192.0.2.7:5123 */
	if (len < 2 || len >= sizeof(copy))
		return false;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return strlen(copy) == len && ip_parse(copy, ret) == 0;
}

bool address_listed(const struct ip_addr *a, const struct ip_prefix *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_in_prefix(a, &p[i]))
			return true;
	return false;
}

/* One entry: an address, an address with a port, or [address] with or without one. */
static bool entry_read(const char *s, size_t len, struct ip_addr *ret)
{
	while (len && (*s == ' ' || *s == '"')) {
		s++;
		len--;
	}
	while (len && (s[len - 1] == ' ' || s[len - 1] == '"'))
		len--;
	if (len && *s == '[') {
		const char *close = memchr(s, ']', len);

		return close && address_read(s + 1, (size_t) (close - s) - 1, ret);
	}
	return address_read(s, len, ret);
}

bool address_forwarded(const char *s, size_t len, const struct ip_prefix *proxies, size_t n, struct ip_addr *ret)
{
	while (len) {
		size_t at = len;
		struct ip_addr a;

		while (at && s[at - 1] != ',')
			at--;
		if (!entry_read(s + at, len - at, &a))
			return false;
		if (!address_listed(&a, proxies, n)) {
			*ret = a;
			return true;
		}
		len = at ? at - 1 : 0;
	}
	return false;
}

/* Words of a path that, as a whole segment or at its start, mean a login. */
bool path_is_login(const struct log_source *s, const char *path, size_t len)
{
	static const char *const words[] = { "login", "log-in", "signin", "sign-in", "sign_in", "auth", "authenticate", "authentication",
					     "session", "sessions", "token", "oauth", "wp-login.php", "xmlrpc.php", "logon", "passwd",
					     "password", "otp", "2fa", "mfa", "totp", "credentials", "verify-password" };
	/* An expired token is no guess. */
	static const char *const renewals[] = { "refresh", "renew", "logout", "signout", "me", "check", "status", "validate",
						"introspect", "csrf", "revoke", "keepalive" };
	const char *q = memchr(path, '?', len), *end = q ? q : path + len, *p = path;
	bool login = false;
	char copy[256];

	for (size_t i = 0; i < s->n_login_paths; i++) {
		size_t n = PV_MIN((size_t) (end - path), sizeof(copy) - 1);

		memcpy(copy, path, n);
		copy[n] = '\0';
		if (glob_match(s->login_paths[i], copy))
			return true;
	}
	while (p < end) {
		const char *slash = memchr(p, '/', (size_t) (end - p));
		size_t n = (size_t) ((slash ? slash : end) - p);

		for (size_t i = 0; i < N_ELEMENTS(words); i++) {
			size_t w = strlen(words[i]);

			login |= n >= w && strncasecmp(p, words[i], w) == 0 && (n == w || p[w] == '.' || p[w] == '-' || p[w] == '_');
		}
		for (size_t i = 0; i < N_ELEMENTS(renewals); i++)
			if (n >= strlen(renewals[i]) && strncasecmp(p, renewals[i], strlen(renewals[i])) == 0 &&
			    (n == strlen(renewals[i]) || strchr("-_.", p[strlen(renewals[i])])))
				return false;
		p += n + (slash != NULL);
	}
	return login;
}
