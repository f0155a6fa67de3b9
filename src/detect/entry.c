#include "detect/entry.h"

#include <string.h>

/* Where the word after the one at `at` begins; `len`: nowhere. */
static size_t next_word(const char *argv, size_t at, size_t len)
{
	const char *end = at < len ? memchr(argv + at, '\0', len - at) : NULL;

	return end ? (size_t) (end - argv) + 1 : len;
}

/* A word after the first that is no option: a line or a script. */
static bool has_operand(const char *argv, size_t len)
{
	for (size_t at = next_word(argv, 0, len); at < len; at = next_word(argv, at, len))
		if (argv[at] != '-')
			return true;
	return false;
}

static bool is_entry(const struct container_info *info, uint64_t hash)
{
	for (size_t i = 0; i < CONTAINER_ENTRIES; i++)
		if (info->entry[i] == hash)
			return true;
	return false;
}

bool entry_is_own(const struct container_info *info, const char *argv, size_t len, bool script)
{
	size_t at = 0;

	if (!len || !has_operand(argv, len))
		return false;
	for (int i = 0; i < (script ? 3 : 1) && at < len; i++, at = next_word(argv, at, len)) /* interpreter, its option, the script */
		if (is_entry(info, container_words(argv + at, len - at)))
			return true;
	return false;
}

bool entry_is_health(const struct container_info *info, const char *argv, size_t len)
{
	const uint64_t hash = len ? container_words(argv, len) : 0;

	return hash && (hash == info->health[0] || hash == info->health[1]);
}
