/* The values of .env files. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "match/random.h"
#include "scan/tree_own.h"

#define ENV_MAX	   (1u << 20)
#define RANDOM_MIN 400 /* hundredths of a bit; words and identifiers give 200 to 380, keys 400 and more */
#define RANDOM_LEN 12

static bool speaks_of_secret(const char *name)
{
	static const char *const words[] = { "KEY", "SECRET", "TOKEN", "PASS", "PWD", "AUTH", "CREDENTIAL", "PRIVATE", "SALT",
					     "DSN", "SIGN", "SESSION", "WEBHOOK", "COOKIE", "JWT", "CERT" };

	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		if (strcasestr(name, words[i]))
			return true;
	return false;
}

/* postgres://app:PASSWORD@db/app: the part between the colon and the last @ before the path. */
static int add_password(struct match_values *v, const char *name, const char *value, size_t len)
{
	const char *scheme = memmem(value, len, "://", 3), *end = value + len, *colon, *at, *slash;
	int r;

	if (!scheme)
		return 0;
	scheme += 3;
	slash = memchr(scheme, '/', (size_t) (end - scheme));
	at = memrchr(scheme, '@', (size_t) ((slash ? slash : end) - scheme));
	colon = at ? memchr(scheme, ':', (size_t) (at - scheme)) : NULL;
	if (!colon)
		return 0;
	r = match_values_add(v, name, colon + 1, (size_t) (at - colon - 1));
	return r < 0 ? r : 1;
}

/* Names of shops and hosts are in the code because they belong there. */
static bool looks_random(const char *value, size_t len)
{
	bool digit = false;

	for (size_t i = 0; i < len; i++)
		digit |= isdigit((unsigned char) value[i]) != 0;
	return digit && len >= RANDOM_LEN && match_randomness(value, len) >= RANDOM_MIN;
}

static int add_value(struct match_values *v, const char *name, const char *value, size_t len)
{
	int r = add_password(v, name, value, len);

	if (r != 0) /* an address: without its password it is no secret */
		return r < 0 ? r : 0;
	if (!speaks_of_secret(name) && !looks_random(value, len))
		return 0;
	r = match_values_add(v, name, value, len);
	return r < 0 ? r : 0;
}

/* One `export NAME=value`, value bare or quoted (then it may hold line ends). Returns where the next line starts. */
static const char *env_line(struct match_values *v, const char *p, const char *end, int *ret)
{
	const char *nl = memchr(p, '\n', (size_t) (end - p)), *line_end = nl ? nl : end, *eq, *value, *stop;
	char name[128];

	while (p < line_end && isspace((unsigned char) *p))
		p++;
	if (line_end - p > 7 && memcmp(p, "export ", 7) == 0)
		p += 7;
	eq = memchr(p, '=', (size_t) (line_end - p));
	if (*p == '#' || !eq || eq == p || (size_t) (eq - p) >= sizeof(name))
		return nl ? nl + 1 : end;
	(void) snprintf(name, sizeof(name), "%.*s", (int) (eq - p), p);
	name[strcspn(name, " \t")] = '\0';
	for (value = eq + 1; value < line_end && (*value == ' ' || *value == '\t');)
		value++;
	if (value < line_end && (*value == '"' || *value == '\'')) {
		stop = memchr(value + 1, *value, (size_t) (end - value - 1));
		if (stop && stop - value <= MATCH_VALUE_MAX) {
			*ret = add_value(v, name, value + 1, (size_t) (stop - value - 1));
			nl = memchr(stop, '\n', (size_t) (end - stop));
			return nl ? nl + 1 : end;
		}
	}
	stop = memmem(value, (size_t) (line_end - value), " #", 2);
	stop = stop ? stop : line_end;
	while (stop > value && isspace((unsigned char) stop[-1]))
		stop--;
	*ret = add_value(v, name, value, (size_t) (stop - value));
	return nl ? nl + 1 : end;
}

int tree_values_text(struct match_values *values, struct scan_notes *notes, const char *place, const char *text, size_t len)
{
	const char *end = text + len;
	int r = 0;

	for (const char *p = text; p < end && r == 0;) {
		p = env_line(values, p, end, &r);
		if (r == -ENOSPC) {
			scan_note(notes, REASON_TOO_LARGE, place, "more values than there is room for: not all are looked for");
			r = 0;
		}
	}
	return r;
}

int tree_values(struct tree *t, struct match_values *values)
{
	int r = 0;

	for (size_t i = 0; i < t->n && r == 0; i++) {
		const struct file *f = tree_file(t, i);
		pv_autofree char *text = NULL;
		pv_autoclose int fd = -1;
		size_t len = 0;

		if (!f->env)
			continue;
		fd = tree_open(t, f->path);
		if (fd == -ENOENT)
			continue;
		if (fd < 0 || (r = gitdir_read_fd(fd, ENV_MAX, false, &text, &len)) < 0) {
			scan_note(t->notes, fd == -EACCES ? REASON_PERMISSION : REASON_MALFORMED, f->path,
				  "its values cannot be read");
			r = r == -ENOMEM ? r : 0;
			continue;
		}
		r = tree_values_text(values, t->notes, f->path, text, len);
		explicit_bzero(text, len);
	}
	return r;
}
