#include "base/mask.h"

#include <string.h>

#define MASK_MIN   12 /* shorter ones are guessed too easily once their beginning is known */
#define MASK_MORE  4
#define MASK_SHARE 5

/* Longest first among those that begin alike. */
static const char *const prefixes[] = {
	"github_pat_", "ghp_",	    "gho_",	"ghu_",	   "ghs_",     "ghr_",	   "glpat-",  "gldt-",
	"AKIA",	       "ASIA",	    "AIza",	"ya29.",   "sk_live_", "sk_test_", "rk_live_", "pk_live_",
	"whsec_",      "sk-ant-",   "sk-proj-", "sk-",	   "xoxb-",    "xoxp-",	   "xoxa-",   "xapp-",
	"npm_",	       "pypi-",	    "dckr_pat_", "hvs.",   "SG.",      "shpat_",   "dop_v1_", "eyJ",
	"age1",	       "AGE-SECRET-KEY-", "tskey-", "nvapi-",
};

static bool starts_with(const char *s, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return len >= n && memcmp(s, prefix, n) == 0;
}

static size_t prefix_len(const char *s, size_t len)
{
	for (size_t i = 0; i < N_ELEMENTS(prefixes); i++)
		if (starts_with(s, len, prefixes[i]))
			return strlen(prefixes[i]);
	return 0;
}

/* A key in PEM, or scheme://user:password@host. */
static bool never_shown(const char *s, size_t len)
{
	const char *after = memmem(s, len, "://", 3);

	if (starts_with(s, len, "-----BEGIN") || starts_with(s, len, "AGE-SECRET-KEY-"))
		return true;
	return after && memchr(after, '@', (size_t) (s + len - after));
}

static bool is_plain(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return true;
}

void mask_head(struct pv_buf *out, enum mask_kind kind, const char *secret, size_t len)
{
	size_t show;

	if (kind == MASK_PASSWORD || len < MASK_MIN || never_shown(secret, len))
		return;
	show = PV_MIN(prefix_len(secret, len) + MASK_MORE, len / MASK_SHARE);
	if (is_plain(secret, show))
		pv_buf_add(out, secret, show);
}

void mask_secret(struct pv_buf *out, enum mask_kind kind, const char *secret, size_t len)
{
	size_t before = out->len;

	mask_head(out, kind, secret, len);
	pv_buf_printf(out, out->len > before ? "… (len %zu)" : "(len %zu)", len);
}

void mask_text(struct pv_buf *out, const char *text, const char *secret, size_t len)
{
	const char *end = text + strlen(text), *hit;

	if (len && len < 4) {
		pv_buf_printf(out, "(len %zu)", (size_t) (end - text));
		return;
	}
	while (len && (hit = memmem(text, (size_t) (end - text), secret, len))) {
		pv_buf_add(out, text, (size_t) (hit - text));
		mask_secret(out, MASK_PASSWORD, secret, len);
		text = hit + len;
	}
	pv_buf_add(out, text, (size_t) (end - text));
}

bool mask_is_known(const char *s, size_t len)
{
	size_t n = prefix_len(s, len);

	return n >= 3 && len >= n + 12 && is_plain(s, len);
}
