#include "check/sshd_conf.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define INCLUDE_DEPTH 8
#define INCLUDES_MAX  128

struct reader {
	struct arena *a;
	struct sshd_conf *c;
	const struct conf_source *files;
	struct sshd_block *block; /* NULL: one that is not kept */
	unsigned depth, n_files;
};

static const struct {
	const char *word;
	enum sshd_key key;
} words[] = {
	{ "passwordauthentication", SSHD_PASSWORD },     { "kbdinteractiveauthentication", SSHD_KBD },
	{ "challengeresponseauthentication", SSHD_KBD }, { "permitrootlogin", SSHD_ROOT },
	{ "authenticationmethods", SSHD_METHODS },
};

static void read_text(struct reader *r, const char *path, const char *text, size_t len);

static void include_one(void *arg, const char *path, const char *text, size_t len)
{
	struct reader *r = arg;

	if (r->depth >= INCLUDE_DEPTH || r->n_files++ >= INCLUDES_MAX) {
		r->c->cut = true;
		return;
	}
	r->depth++;
	read_text(r, arena_dup(r->a, path), text, len);
	r->depth--;
}

static void on_include(struct reader *r, char *patterns)
{
	struct sshd_block *before = r->block;
	char *save = NULL;

	for (char *w = strtok_r(patterns, " \t\"", &save); w && r->files; w = strtok_r(NULL, " \t\"", &save)) {
		const char *full = *w == '/' ? w : arena_printf(r->a, "/etc/ssh/%s", w);

		int bad = full ? r->files->each(r->files->user, full, include_one, r) : 0;

		if (bad < 0 && bad != -ENOENT) {
			r->c->unread = bad;
			r->c->unread_at = arena_dup(r->a, full);
		}
		r->block = before; /* a Match inside of an included file ends with it */
	}
}

static void on_match(struct reader *r, const char *criteria)
{
	r->block = NULL;
	if (r->c->n_matches == SSHD_MATCHES) {
		r->c->cut = true;
		return;
	}
	r->block = &r->c->match[r->c->n_matches++];
	*r->block = (struct sshd_block){ .criteria = arena_dup(r->a, criteria) };
}

static void on_port(struct sshd_conf *c, const char *value)
{
	uint32_t port;

	if (parse_u32(value, &port) < 0 || !port || port > 65535)
		return;
	for (size_t i = 0; i < c->n_ports; i++)
		if (c->port[i] == port)
			return;
	if (c->n_ports < SSHD_PORTS)
		c->port[c->n_ports++] = port;
}

/* host:port, [address]:port; a bare address has the ports of Port. */
static void on_listen(struct sshd_conf *c, const char *value)
{
	const char *end = *value == '[' ? strchr(value, ']') : value, *colon = end ? strchr(end, ':') : NULL;
	char port[8];

	if (!colon || !text_copy(port, sizeof(port), colon + 1)) /* a bare IPv6 address has more colons: no number follows */
		return;
	port[strcspn(port, " \t")] = '\0'; /* rdomain */
	on_port(c, port);
}

static void on_line(struct reader *r, const char *path, char *key, char *value, unsigned line)
{
	if (strcmp(key, "include") == 0) {
		on_include(r, value);
		return;
	}
	if (strcmp(key, "match") == 0) {
		on_match(r, value);
		return;
	}
	if (r->block == &r->c->global && strcmp(key, "port") == 0)
		on_port(r->c, value);
	if (r->block == &r->c->global && strcmp(key, "listenaddress") == 0)
		on_listen(r->c, value);
	for (size_t i = 0; i < N_ELEMENTS(words) && r->block; i++) {
		struct sshd_value *v = &r->block->value[words[i].key];

		if (strcmp(key, words[i].word) != 0 || v->text)
			continue;
		for (char *p = value; *p; p++)
			*p = (char) tolower((unsigned char) *p);
		*v = (struct sshd_value){ arena_dup(r->a, value), path, line };
	}
}

static void read_text(struct reader *r, const char *path, const char *text, size_t len)
{
	const char *end = text + len;
	unsigned line = 0;

	for (const char *p = text; p < end;) {
		const char *lf = memchr(p, '\n', (size_t) (end - p)), *stop = lf ? lf : end;
		char *s = arena_ndup(r->a, p, (size_t) (stop - p)), *value;
		size_t n;

		line++;
		p = lf ? lf + 1 : end;
		if (!s)
			return;
		s += strspn(s, " \t\r");
		n = strcspn(s, " \t=\r");
		if (!n || *s == '#')
			continue;
		value = s + n + strspn(s + n, " \t=\"");
		for (char *q = s; q < s + n; q++)
			*q = (char) tolower((unsigned char) *q);
		value[strcspn(value, "#\r\"")] = '\0';
		for (n = strlen(value); n && isspace((unsigned char) value[n - 1]); n--)
			value[n - 1] = '\0';
		s[strcspn(s, " \t=\r")] = '\0';
		on_line(r, path, s, value, line);
	}
}

int sshd_conf_read(struct arena *a, struct sshd_conf *c, const char *path, const char *text, size_t len,
		   const struct conf_source *files)
{
	struct reader r = { .a = a, .c = c, .files = files, .block = &c->global };

	read_text(&r, path, text, len);
	return a->poor ? -ENOMEM : 0;
}

static const struct sshd_value *in_force(const struct sshd_conf *c, const struct sshd_block *b, enum sshd_key key)
{
	return b->value[key].text ? &b->value[key] : &c->global.value[key];
}

static bool says_no(const struct sshd_value *v)
{
	return v->text && (strcmp(v->text, "no") == 0 || strcmp(v->text, "false") == 0);
}

bool sshd_password_possible(const struct sshd_conf *c, const struct sshd_block *b, const struct sshd_value **ret_why)
{
	const struct sshd_value *methods = in_force(c, b, SSHD_METHODS), *password = in_force(c, b, SSHD_PASSWORD),
				*kbd = in_force(c, b, SSHD_KBD);
	bool by_key = methods->text && *methods->text && strcmp(methods->text, "any") != 0;

	for (const char *p = methods->text; by_key && *p; p += strcspn(p, " \t"), p += strspn(p, " \t"))
		by_key = strncmp(p, "publickey", 9) == 0;
	*ret_why = says_no(password) ? kbd : password;
	return !by_key && !(says_no(password) && says_no(kbd));
}

const char *sshd_root_login(const struct sshd_conf *c, const struct sshd_block *b)
{
	const char *s = in_force(c, b, SSHD_ROOT)->text;

	if (!s || strcmp(s, "without-password") == 0)
		return "prohibit-password";
	return s;
}
