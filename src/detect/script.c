#include "detect/script.h"

#include <string.h>

#include "base/util.h"

/* sh -c, but sh -e /tmp/x; perl -e, node -p, python3 -m. */
static bool is_code_option(const char *word, size_t len, bool shell)
{
	return len > 1 && word[len - 1] && strchr(shell ? "c" : "cempE", word[len - 1]);
}

/* bash, /bin/sh, -ksh */
static bool is_shell(const char *name, size_t len)
{
	return len >= 2 && memcmp(name + len - 2, "sh", 2) == 0;
}

/* The first word that is no option. NULL: there is none, or it is code. */
static const char *script_of(const char *argv, size_t len, size_t *ret_len)
{
	const char *before = NULL;
	size_t before_len = 0, first = strnlen(argv, len), n;

	for (size_t at = first + 1; at < len; at += n + 1) {
		n = strnlen(argv + at, len - at);
		if (argv[at] == '-') {
			before = argv + at;
			before_len = n;
			continue;
		}
		*ret_len = n;
		return n == 0 || (before && is_code_option(before, before_len, is_shell(argv, first))) ? NULL : argv + at;
	}
	return NULL;
}

/* Appends the parts of `path`; `..` takes away the last one. False: no room. */
static bool walk(char *out, size_t size, size_t *used, const char *path, size_t len)
{
	for (size_t at = 0, n; at < len; at += n + 1) {
		for (n = 0; at + n < len && path[at + n] != '/'; n++)
			;
		if (n == 0 || (n == 1 && path[at] == '.'))
			continue;
		if (n == 2 && path[at] == '.' && path[at + 1] == '.') {
			while (*used > 0 && out[--*used] != '/')
				;
			continue;
		}
		if (*used + 1 + n >= size)
			return false;
		out[(*used)++] = '/';
		memcpy(out + *used, path + at, n);
		*used += n;
	}
	return true;
}

/* /proc/1/root/tmp/x is /tmp/x, as far as a container sees. */
static void leave_proc(char *path)
{
	while (strncmp(path, "/proc/", 6) == 0) {
		char *rest = strchr(path + 6, '/');

		if (!rest || strncmp(rest, "/root/", 6) != 0)
			return;
		memmove(path, rest + 5, strlen(rest + 5) + 1);
	}
}

static bool is_below_temporary(const char *path)
{
	static const char *const folders[] = { "/tmp/", "/var/tmp/", "/dev/shm/", "/run/shm/", "/var/run/shm/" };

	for (size_t i = 0; i < N_ELEMENTS(folders); i++)
		if (strncmp(path, folders[i], strlen(folders[i])) == 0)
			return true;
	return false;
}

static bool stays_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return len > 1 && strncmp(path, folder, len) == 0 && path[len] == '/';
}

bool script_is_temporary(const char *argv, size_t len, const char *folder, bool open, char *out, size_t size)
{
	size_t used = 0, n = 0;
	const char *name = script_of(argv, len, &n);
	bool relative = name && name[0] != '/', whole;

	if (!name || size == 0)
		return false;
	whole = (!relative || walk(out, size, &used, folder, strlen(folder))) && walk(out, size, &used, name, n);
	out[used] = '\0';
	leave_proc(out);
	if (is_below_temporary(out))
		return true;
	return relative && open && whole && stays_below(out, folder);
}
