#include "check/unit_file.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_BYTES 65536

static bool truth(const char *s)
{
	static const char *const yes[] = { "1", "yes", "true", "on", "y", "t" };

	for (size_t i = 0; i < N_ELEMENTS(yes); i++)
		if (strcasecmp(s, yes[i]) == 0)
			return true;
	return false;
}

static void add(struct arena *a, struct ctr_words *l, const char *text, const char *what, const char *path,
		unsigned line)
{
	struct ctr_word *w = ctr_words_add(a, l, text, what, line);

	if (w)
		w->file = path;
}

/* Environment="A=b c" D=e: words with quotes and C escapes left as they are. */
static void add_words(struct arena *a, struct ctr_words *l, const char *s, const char *path, unsigned line)
{
	while (*s) {
		pv_autobuf out = PV_BUF_INIT;
		char quote = 0;

		s += strspn(s, " \t");
		for (; *s && (quote || (*s != ' ' && *s != '\t')); s++) {
			if (quote ? *s == quote : *s == '"' || *s == '\'')
				quote = quote ? 0 : *s;
			else if (*s == '\\' && s[1])
				pv_buf_putc(&out, *++s);
			else
				pv_buf_putc(&out, *s);
		}
		if (out.len)
			add(a, l, arena_dup(a, out.data), "Environment", path, line);
	}
}

static bool implies(const char *key, const char *value)
{
	static const char *const keys[] = {
		"SystemCallFilter", "SystemCallArchitectures", "RestrictAddressFamilies", "RestrictNamespaces",
		"PrivateDevices",   "ProtectKernelTunables",   "ProtectKernelModules",    "ProtectKernelLogs",
		"ProtectClock",     "MemoryDenyWriteExecute",  "RestrictRealtime",        "RestrictSUIDSGID",
		"LockPersonality",  "ProtectHostname",
	};

	for (size_t i = 0; i < N_ELEMENTS(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return *value && strcasecmp(value, "no") != 0 && strcasecmp(value, "false") != 0 &&
			       strcmp(value, "0") != 0 && strcasecmp(value, "off") != 0;
	return false;
}

static void setting(struct arena *a, struct unit_file *u, const char *key, const char *value, const char *path,
		    unsigned line)
{
	struct ctr_words *list = strcmp(key, "Environment") == 0       ? &u->env
				 : strcmp(key, "EnvironmentFile") == 0 ? &u->env_file
				 : strncmp(key, "ExecStart", 9) == 0   ? &u->exec
								       : NULL;

	if (list && !*value) {
		list->n = 0;
		list->item = NULL; /* grown anew */
	} else if (list == &u->env) {
		add_words(a, list, value, path, line);
	} else if (list) {
		add(a, list, arena_dup(a, value), arena_dup(a, key), path, line);
	} else if (strcmp(key, "User") == 0) {
		u->user = *value ? arena_dup(a, value) : NULL;
		u->user_line = line;
	} else if (strcmp(key, "WorkingDirectory") == 0) {
		u->work_dir = *value ? arena_dup(a, value) : NULL;
	} else if (strcmp(key, "PrivateTmp") == 0) {
		u->private_tmp = truth(value) || strcmp(value, "disconnected") == 0;
	} else if (strcmp(key, "NoNewPrivileges") == 0) {
		u->no_new_privileges = truth(value);
	} else if (strcmp(key, "DynamicUser") == 0) {
		u->dynamic_user = truth(value);
	}
	u->implies_nnp = u->implies_nnp || implies(key, value);
}

/* One line over its continuations, without comments. False at the end. */
static bool take(const char **at, const char *end, struct pv_buf *out, unsigned *line, unsigned *ret_first)
{
	bool more = true;

	pv_buf_clear(out);
	*ret_first = *line + 1;
	while (more && *at < end) {
		const char *lf = memchr(*at, '\n', (size_t) (end - *at)), *stop = lf ? lf : end, *s = *at;

		++*line;
		*at = lf ? lf + 1 : end;
		while (s < stop && isspace((unsigned char) *s))
			s++;
		while (stop > s && isspace((unsigned char) stop[-1]))
			stop--;
		if (s < stop && (*s == '#' || *s == ';')) { /* also between continued lines */
			more = out->len > 0;
			if (!more)
				return true;
			continue;
		}
		more = stop > s && stop[-1] == '\\';
		pv_buf_add(out, s, (size_t) (stop - s) - more);
		if (more)
			pv_buf_putc(out, ' ');
		else
			return true;
	}
	return out->len > 0;
}

int unit_file_read(struct arena *a, struct unit_file *u, const char *text, size_t len, const char *path)
{
	const char *at = text, *end = text + len;
	pv_autobuf line = PV_BUF_INIT;
	bool service = false;
	unsigned n = 0, first;

	line.cap = LINE_MAX_BYTES;
	if (memchr(text, '\0', len))
		return 0; /* systemd reads none of it either */
	while (take(&at, end, &line, &n, &first)) {
		char *s = arena_dup(a, pv_buf_str(&line)), *eq, *value;

		if (!s)
			return -ENOMEM;
		if (*s == '[') {
			service = strncmp(s, "[Service]", 9) == 0;
			u->has_service = u->has_service || service;
			continue;
		}
		eq = service ? strchr(s, '=') : NULL;
		if (!eq)
			continue;
		value = eq + 1 + strspn(eq + 1, " \t");
		while (eq > s && isspace((unsigned char) eq[-1]))
			eq--;
		*eq = '\0';
		setting(a, u, s, value, path, first);
	}
	return a->poor ? -ENOMEM : 0;
}
