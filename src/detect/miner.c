#include "detect/miner.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/util.h"

#define MONERO_LEN 95 /* of an address, base58; one with a payment id has 106 */

static bool starts(const char *s, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && strncasecmp(s, with, n) == 0;
}

/* Whose arguments are texts to look for. */
static bool is_looking(const char *name, size_t len)
{
	static const char *const names[] = { "grep", "egrep", "fgrep", "rg", "ag", "sed", "awk", "gawk", "mawk", "find", "strings", "vi", "vim",
					     "nano", "less", "more", "echo", "printf", "git", "pavise" };

	for (size_t i = len; i-- > 0;)
		if (name[i] == '/') {
			name += i + 1;
			len -= i + 1;
			break;
		}
	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (len == strlen(names[i]) && memcmp(name, names[i], len) == 0)
			return true;
	return false;
}

/* A word of an argument: what a shell was given with -c is one argument of many words. */
static const char *word_sign(const char *w, size_t len)
{
	static const char *const urls[] = { "stratum+tcp://", "stratum+ssl://", "stratum+tls://", "stratum+udp://", "stratum2+tcp://",
					    "stratum2+ssl://", "stratum://", "stratum1+tcp://" };
	static const char *const options[] = { "--donate-level", "--donate-over-proxy", "--randomx-", "--cpu-max-threads-hint", "--algo=rx/",
					       "--algo=randomx", "--algo=cn/", "--algo=kawpow", "--coin=monero", "--nicehash" };

	for (size_t i = 0; i < N_ELEMENTS(options); i++)
		if (starts(w, len, options[i]))
			return "an option that only miners have";
	if (starts(w, len, "--url=") || starts(w, len, "--pool=")) {
		size_t n = (size_t) ((const char *) memchr(w, '=', len) + 1 - w);

		w += n;
		len -= n;
	}
	for (size_t i = 0; i < N_ELEMENTS(urls); i++)
		if (starts(w, len, urls[i]))
			return "a stratum URL";
	return NULL;
}

static bool is_wallet(const char *w, size_t len)
{
	static const char base58[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
	size_t n = 0;

	while (n < len && w[n] && strchr(base58, w[n]))
		n++;
	if (n != MONERO_LEN && n != 106)
		return false;
	return (w[0] == '4' || w[0] == '8') && (n == len || w[n] == '.' || w[n] == '+' || w[n] == '/' || w[n] == ':');
}

struct seen {
	bool wallet, pool;
};

static void note(struct seen *s, const char *w, size_t len)
{
	static const char *const pool[] = { "-o", "--url", "--pool", "-url", "-pool" };

	for (size_t i = 0; i < N_ELEMENTS(pool); i++)
		s->pool = s->pool || (len >= strlen(pool[i]) && starts(w, len, pool[i]) &&
				      (len == strlen(pool[i]) || w[strlen(pool[i])] == '='));
	for (size_t i = 0; i < len; i++) /* also behind --user= */
		if ((i == 0 || w[i - 1] == '=') && is_wallet(w + i, len - i))
			s->wallet = true;
}

static bool is_gap(char c)
{
	return !c || isspace((unsigned char) c) || c == '\'' || c == '"' || c == ';' || c == '&' || c == '|';
}

const char *miner_sign(const char *argv, size_t len)
{
	struct seen s = { false, false };
	size_t at = strnlen(argv, len);

	if (is_looking(argv, at))
		return NULL;
	while (at < len) {
		size_t n = 0;
		const char *sign;

		while (at < len && is_gap(argv[at]))
			at++;
		while (at + n < len && !is_gap(argv[at + n]))
			n++;
		sign = word_sign(argv + at, n);
		if (sign)
			return sign;
		note(&s, argv + at, n);
		at += n;
	}
	return s.wallet && s.pool ? "a Monero address and a pool" : NULL;
}
