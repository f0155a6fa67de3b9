#include "check/container.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

struct ctr *ctr_new(struct arena *a, enum ctr_source source)
{
	struct ctr *c = arena_alloc(a, sizeof(*c));

	if (!c)
		return NULL;
	c->source = source;
	c->kind = SUBJECT_CONTAINER;
	c->live_uid = -1;
	return c;
}

void ctr_list_add(struct arena *a, struct ctr_list *l, struct ctr *c)
{
	struct ctr **item = c ? arena_grow(a, l->item, l->n, sizeof(struct ctr *)) : NULL;

	if (!item)
		return;
	l->item = item;
	l->item[l->n++] = c;
}

void ctr_set_gap(struct ctr *c, enum ctr_field field, enum finding_reason reason, unsigned line, const char *why)
{
	if (c->gap[field].reason == REASON_NONE)
		c->gap[field] = (struct ctr_gap){ reason, line, why };
}

void ctr_set_all_gaps(struct ctr *c, enum finding_reason reason, unsigned line, const char *why)
{
	for (unsigned f = 0; f < CTR_FIELDS; f++)
		ctr_set_gap(c, (enum ctr_field) f, reason, line, why);
}

struct ctr_word *ctr_words_add(struct arena *a, struct ctr_words *l, const char *text, const char *what, unsigned line)
{
	struct ctr_word *item = text ? arena_grow(a, l->item, l->n, sizeof(*item)) : NULL;

	if (!item)
		return NULL;
	l->item = item;
	item += l->n++;
	*item = (struct ctr_word){ .text = text, .what = what, .line = line };
	return item;
}

struct ctr_mount *ctr_mount_add(struct arena *a, struct ctr *c)
{
	struct ctr_mount *item = arena_grow(a, c->mount, c->n_mounts, sizeof(*item));

	if (!item)
		return NULL;
	c->mount = item;
	item += c->n_mounts++;
	*item = (struct ctr_mount){ .type = "volume", .source = "", .target = "", .options = "" };
	return item;
}

struct ctr_port *ctr_port_add(struct arena *a, struct ctr *c)
{
	struct ctr_port *item = arena_grow(a, c->port, c->n_ports, sizeof(*item));

	if (!item)
		return NULL;
	c->port = item;
	item += c->n_ports++;
	*item = (struct ctr_port){ .address = "" };
	return item;
}

struct ctr_env *ctr_env_set(struct arena *a, struct ctr *c, const char *name, const char *value)
{
	struct ctr_env *item = NULL;

	for (size_t i = 0; i < c->n_env && !item; i++)
		if (strcmp(c->env[i].name, name) == 0)
			item = &c->env[i];
	if (!item) {
		item = arena_grow(a, c->env, c->n_env, sizeof(*item));
		if (!item)
			return NULL;
		c->env = item;
		item += c->n_env++;
	}
	*item = (struct ctr_env){ .name = name, .value = value };
	return item;
}

/* Digits, perhaps with a fraction; thousandths are kept. */
static int parse_decimal(const char **s, uint64_t *ret_milli)
{
	uint64_t whole = 0, part = 0, scale = 100;
	const char *p = *s;

	if (!isdigit((unsigned char) *p))
		return -EINVAL;
	for (; isdigit((unsigned char) *p); p++) {
		whole = whole * 10 + (uint64_t) (*p - '0');
		if (whole > UINT64_MAX / 100000)
			return -EINVAL;
	}
	if (*p == '.')
		for (p++; isdigit((unsigned char) *p); p++, scale /= 10)
			part += scale * (uint64_t) (*p - '0');
	*s = p;
	*ret_milli = whole * 1000 + part;
	return 0;
}

int ctr_parse_size(const char *s, int64_t *ret)
{
	static const char units[] = "bkmgtp";
	uint64_t milli, factor = 1;
	const char *unit;

	if (strcmp(s, "-1") == 0) {
		*ret = -1;
		return 0;
	}
	if (parse_decimal(&s, &milli) < 0)
		return -EINVAL;
	while (*s == ' ')
		s++;
	if (*s) {
		unit = strchr(units, tolower((unsigned char) *s++));
		if (!unit)
			return -EINVAL;
		for (; unit > units; unit--)
			factor *= 1024;
		if (tolower((unsigned char) *s) == 'i' && factor > 1)
			s++;
		if (tolower((unsigned char) *s) == 'b' && factor > 1)
			s++;
	}
	if (*s || __builtin_mul_overflow(milli, factor, &milli) || milli / 1000 > INT64_MAX)
		return -EINVAL;
	*ret = (int64_t) (milli / 1000);
	return 0;
}

int ctr_parse_cpus(const char *s, uint64_t *ret_nano)
{
	uint64_t milli;

	if (parse_decimal(&s, &milli) < 0 || *s || milli > 1u << 30)
		return -EINVAL;
	*ret_nano = milli * 1000000;
	return 0;
}

int ctr_parse_bool(const char *s, bool *ret)
{
	static const char *const yes[] = { "true", "yes", "on", "1" }, *const no[] = { "false", "no", "off", "0", "" };

	for (size_t i = 0; i < N_ELEMENTS(yes); i++)
		if (strcasecmp(s, yes[i]) == 0) {
			*ret = true;
			return 0;
		}
	for (size_t i = 0; i < N_ELEMENTS(no); i++)
		if (strcasecmp(s, no[i]) == 0) {
			*ret = false;
			return 0;
		}
	return -EINVAL;
}

static int parse_range(const char *s, unsigned *ret_first, unsigned *ret_last)
{
	const char *dash = strchr(s, '-');
	char first[8];
	uint32_t a, b;

	if (!text_copy(first, sizeof(first), s) && !dash)
		return -EINVAL;
	if (dash) {
		if ((size_t) (dash - s) >= sizeof(first))
			return -EINVAL;
		first[dash - s] = '\0';
	}
	if (parse_u32(first, &a) < 0 || parse_u32(dash ? dash + 1 : first, &b) < 0 || a > 65535 || b > 65535 || b < a)
		return -EINVAL;
	*ret_first = a;
	*ret_last = b;
	return 0;
}

int ctr_parse_port(struct arena *a, const char *s, struct ctr_port *ret)
{
	char *text = arena_dup(a, s), *slash, *colon;
	struct ctr_port p = { .address = "" };

	if (!text)
		return -ENOMEM;
	slash = strchr(text, '/');
	if (slash) {
		*slash++ = '\0';
		if (strcmp(slash, "udp") != 0 && strcmp(slash, "tcp") != 0 && strcmp(slash, "sctp") != 0)
			return -EINVAL;
		p.udp = strcmp(slash, "udp") == 0;
	}
	colon = strrchr(text, ':');
	if (parse_range(colon ? colon + 1 : text, &p.container, &p.container_last) < 0)
		return -EINVAL;
	if (colon) {
		char *host;

		*colon = '\0';
		host = strrchr(text, ':');
		if (host && host[1] == ']') /* [::1] alone cannot be: a port follows */
			return -EINVAL;
		if (host)
			*host = '\0';
		if (host && *text == '[') { /* [::1]:80:80 */
			text++;
			text[strcspn(text, "]")] = '\0';
		}
		p.address = host ? text : "";
		host = host ? host + 1 : text;
		if (*host && parse_range(host, &p.first, &p.last) < 0)
			return -EINVAL;
	}
	if (p.container_last == p.container)
		p.container_last = 0;
	p.at = ret->at;
	*ret = p;
	return 0;
}

char *ctr_path_clean(struct arena *a, const char *path)
{
	char *out = arena_alloc(a, strlen(path) + 2);
	size_t n = 0;

	if (!out || *path != '/')
		return out ? memcpy(out, path, strlen(path) + 1) : NULL;
	for (const char *p = path; *p;) {
		size_t len;

		while (*p == '/')
			p++;
		len = strcspn(p, "/");
		if (len == 2 && p[0] == '.' && p[1] == '.') {
			while (n && out[n - 1] != '/')
				n--;
			n -= n != 0;
		} else if (len && !(len == 1 && *p == '.')) {
			out[n++] = '/';
			memcpy(out + n, p, len);
			n += len;
		}
		p += len;
	}
	if (n == 0)
		out[n++] = '/';
	out[n] = '\0';
	return out;
}

static void volume_option(struct arena *a, struct ctr_mount *m, const char *word)
{
	if (strcmp(word, "ro") == 0 || strcmp(word, "readonly") == 0)
		m->ro = true;
	else if (strcmp(word, "rw") == 0)
		m->ro = false;
	else
		m->options = *m->options ? arena_printf(a, "%s,%s", m->options, word) : arena_dup(a, word);
	if (!m->options)
		m->options = "";
}

int ctr_parse_volume(struct arena *a, const char *s, struct ctr_mount *ret)
{
	struct ctr_mount m = { .at = ret->at, .type = "volume", .source = "", .target = "", .options = "" };
	char *text = arena_dup(a, s), *target, *options, *save = NULL;

	if (!text)
		return -ENOMEM;
	target = strchr(text, ':');
	if (!target) {
		m.target = text;
		*ret = m;
		return *text ? 0 : -EINVAL;
	}
	*target++ = '\0';
	options = strchr(target, ':');
	if (options)
		*options++ = '\0';
	if (!*text || !*target)
		return -EINVAL;
	m.type = strchr(text, '/') || *text == '.' || *text == '~' ? "bind" : "volume";
	m.source = strcmp(m.type, "bind") == 0 ? ctr_path_clean(a, text) : text;
	m.target = target;
	for (char *w = options ? strtok_r(options, ",", &save) : NULL; w; w = strtok_r(NULL, ",", &save))
		volume_option(a, &m, w);
	if (!m.source)
		return -ENOMEM;
	*ret = m;
	return 0;
}

const char *ctr_cap_name(struct arena *a, const char *s)
{
	char *name = arena_dup(a, strncasecmp(s, "CAP_", 4) == 0 ? s + 4 : s);

	for (char *p = name; p && *p; p++)
		*p = (char) toupper((unsigned char) *p);
	return name;
}

int ctr_user_is_root(const char *user)
{
	char name[64];
	size_t n = strcspn(user, ":");
	uint64_t uid;

	if (n >= sizeof(name))
		return -EINVAL;
	memcpy(name, user, n);
	name[n] = '\0';
	if (!*name) /* ":1001" leaves the user as it is: root */
		return 1;
	if (isdigit((unsigned char) *name)) {
		if (parse_u64(name, &uid) < 0)
			return -EINVAL;
		return uid == 0;
	}
	return strcmp(name, "root") == 0;
}
