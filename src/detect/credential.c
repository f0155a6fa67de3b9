#include "detect/credential.h"

#include <stdbool.h>
#include <string.h>

#include "base/util.h"

static const struct {
	const char *part, *sign;
	bool ends; /* a word ends there, or goes on with a `.`, `-` or `/` */
} parts[] = {
	{ "/etc/shadow", "the system's passwords", true },
	{ "/etc/gshadow", "the system's passwords", true },
	{ ".ssh/authorized_keys", "SSH keys", true },
	{ ".ssh/id_", "SSH keys", false },
	{ ".aws/credentials", "a cloud's credentials", true },
	{ ".config/gcloud", "a cloud's credentials", true },
	{ ".kube/config", "a cluster's credentials", true },
	{ "serviceaccount/token", "a cluster's credentials", true },
	{ ".docker/config.json", "a registry's credentials", true },
	{ "/run/secrets/", "mounted secrets", false },
	{ "/proc/1/environ", "a process's environment", true },
	{ "/proc/self/environ", "a process's environment", true },
	{ "169.254.169.254", "the cloud's metadata address", false },
	{ "169.254.170.2", "the cloud's metadata address", false },
	{ "169.254.170.23", "the cloud's metadata address", true },
	{ "100.100.100.200", "the cloud's metadata address", true },
	{ "fd00:ec2::", "the cloud's metadata address", false },
	{ "metadata.google.internal", "the cloud's metadata address", false },
};

static bool is_gap(char c)
{
	return c == '\0' || strchr(" \t\n\r\"'`;|&<>()$={},", c) != NULL;
}

static bool ends(char c)
{
	return is_gap(c) || c == '.' || c == '-' || c == '/' || c == '~';
}

/* .env and .env.production, alone or behind a folder; not .envrc. */
static bool is_dotenv(const char *w, size_t len)
{
	const char *slash = memrchr(w, '/', len);
	size_t at = slash ? (size_t) (slash + 1 - w) : 0;

	return len - at >= 4 && memcmp(w + at, ".env", 4) == 0 && (len - at == 4 || w[at + 4] == '.' || w[at + 4] == '*');
}

static const char *word_sign(const char *w, size_t len)
{
	if (is_dotenv(w, len))
		return "an .env file";
	for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
		size_t n = strlen(parts[i].part);
		const char *at = memmem(w, len, parts[i].part, n);

		if (at && (!parts[i].ends || at + n == w + len || ends(at[n])))
			return parts[i].sign;
	}
	return NULL;
}

const char *credential_sign(const char *argv, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t end = i;
		const char *sign;

		while (end < len && !is_gap(argv[end]))
			end++;
		sign = end > i ? word_sign(argv + i, end - i) : NULL;
		if (sign)
			return sign;
		i = end + 1;
	}
	return NULL;
}
