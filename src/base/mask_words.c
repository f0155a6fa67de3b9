#include <string.h>
#include <strings.h>

#include "base/mask.h"

/* Where a word of a command line ends: quotes too, since a shell's line is one argument with words inside. */
static bool is_gap(char c)
{
	return c == '\0' || c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '"' || c == '\'' || c == ';' || c == '|' ||
	       c == '&';
}

static bool has(const char *s, size_t len, const char *what)
{
	size_t n = strlen(what);

	for (size_t i = 0; i + n <= len; i++)
		if (strncasecmp(s + i, what, n) == 0)
			return true;
	return false;
}

/* The name of an option or a variable, without its value. */
static bool names_a_secret(const char *s, size_t len)
{
	static const char *const words[] = {
		"passw",   "passwd",	 "pwd",	    "secret",	"token",   "apikey",	 "api_key",
		"api-key", "credential", "private", "auth_key", "authkey", "access_key", "access-key"
	};

	if (len > 64 || !memchr("-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_", s[0], 54))
		return false;
	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		if (has(s, len, words[i]))
			return true;
	return false;
}

static void put_masked(struct pv_buf *out, const char *s, size_t len)
{
	mask_secret(out, MASK_PASSWORD, s, len);
}

/* scheme://user:password@host. False: there is no password in it. */
static bool put_url(struct pv_buf *out, const char *s, size_t len)
{
	const char *end = s + len, *after = memmem(s, len, "://", 3), *at, *colon;

	if (!after)
		return false;
	after += 3;
	at = memrchr(after, '@', (size_t) (end - after));
	colon = at ? memchr(after, ':', (size_t) (at - after)) : NULL;
	if (!colon || colon + 1 == at)
		return false;
	pv_buf_add(out, s, (size_t) (colon + 1 - s));
	put_masked(out, colon + 1, (size_t) (at - colon - 1));
	pv_buf_add(out, at, (size_t) (end - at));
	return true;
}

struct reading {
	bool next;  /* the word before says that this one is a secret */
	bool mysql; /* -pX is a password */
};

static void put_word(struct pv_buf *out, const char *s, size_t len, struct reading *r)
{
	const char *eq = memchr(s, '=', len);
	size_t name = eq ? (size_t) (eq - s) : len;
	bool secret = r->next && s[0] != '-';

	r->next = !eq && s[0] == '-' && names_a_secret(s, len);
	r->next = r->next || (len == 6 && strncasecmp(s, "bearer", 6) == 0);
	r->mysql = r->mysql || has(s, len, "mysql") || has(s, len, "mariadb");
	if (secret) {
		put_masked(out, s, len);
	} else if (eq && eq + 1 < s + len && names_a_secret(s, name)) {
		pv_buf_add(out, s, name + 1);
		put_masked(out, eq + 1, len - name - 1);
	} else if (r->mysql && len > 2 && s[0] == '-' && s[1] == 'p') {
		pv_buf_add(out, s, 2);
		put_masked(out, s + 2, len - 2);
	} else if (mask_is_known(s, len)) {
		mask_secret(out, MASK_TOKEN, s, len);
	} else if (!put_url(out, s, len)) {
		pv_buf_add(out, s, len);
	}
}

void mask_words(struct pv_buf *out, const char *argv, size_t len)
{
	struct reading r = { 0 };

	while (len && argv[len - 1] == '\0')
		len--;
	for (size_t i = 0; i < len;) {
		size_t end = i;

		if (is_gap(argv[i])) {
			pv_buf_putc(out, argv[i] ? argv[i] : ' ');
			i++;
			continue;
		}
		while (end < len && !is_gap(argv[end]))
			end++;
		put_word(out, argv + i, end - i, &r);
		i = end;
	}
}
