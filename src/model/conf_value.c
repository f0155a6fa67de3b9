#include "model/conf_value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

static void *place(struct policy *p, const struct conf_item *item)
{
	return (char *) p + item->offset;
}

static void print_permyriad(struct pv_buf *out, uint64_t v)
{
	if (v % 100)
		pv_buf_printf(out, "%" PRIu64 ".%02u%%", v / 100, (unsigned) (v % 100));
	else
		pv_buf_printf(out, "%" PRIu64 "%%", v / 100);
}

/* Exact, in the largest unit that divides it, so that it reads back as the same value. */
static void print_unit(struct pv_buf *out, uint64_t v, const char *const names[], const uint64_t factors[], size_t n)
{
	size_t i = n - 1;

	while (i > 0 && (v < factors[i] || v % factors[i]))
		i--;
	pv_buf_printf(out, "%" PRIu64 "%s", v / factors[i], names[i]);
}

static void print_duration(struct pv_buf *out, uint64_t us)
{
	static const char *const names[] = { "ms", "s", "m", "h", "d", "y" };
	static const uint64_t factors[] = { 1000, 1000000, 60000000, 3600000000, 86400000000, 365 * 86400000000 };

	print_unit(out, us, names, factors, N_ELEMENTS(names));
}

static void print_bytes(struct pv_buf *out, uint64_t bytes)
{
	static const char *const names[] = { "", "KiB", "MiB", "GiB" };
	static const uint64_t factors[] = { 1, 1u << 10, 1u << 20, 1u << 30 };

	print_unit(out, bytes, names, factors, N_ELEMENTS(names));
}

static void print_milli(struct pv_buf *out, uint64_t v)
{
	pv_buf_printf(out, "%g", (double) v / 1000);
}

static void expect_range(struct pv_buf *out, const char *what, const struct conf_item *item, void (*print)(struct pv_buf *, uint64_t))
{
	pv_buf_puts(out, what);
	pv_buf_puts(out, " from ");
	print(out, item->min);
	pv_buf_puts(out, " to ");
	print(out, item->max);
}

static void expect_list(struct pv_buf *out, const struct conf_item *item, const char *of)
{
	pv_buf_printf(out, "a list of at most %" PRIu64 " %s", item->max, of);
}

static void expect_actions(struct pv_buf *out, enum pv_signal signal)
{
	const char *sep = "";

	for (unsigned a = 0; a < ACTION_N; a++)
		if (signal_takes(signal, (enum pv_action) a)) {
			pv_buf_printf(out, "%s%s", sep, action_name((enum pv_action) a));
			sep = ", ";
		}
}

void conf_expect(struct pv_buf *out, const struct conf_item *item)
{
	switch (item->type) {
	case CONF_MODE:
		pv_buf_puts(out, "enforce, observe");
		break;
	case CONF_PATH:
		pv_buf_puts(out, item->min ? "an absolute path, or no" : "an absolute path");
		break;
	case CONF_ACTION:
		expect_actions(out, (enum pv_signal) item->min);
		break;
	case CONF_PERMYRIAD:
		expect_range(out, "a percentage", item, print_permyriad);
		break;
	case CONF_USEC:
		expect_range(out, "a time", item, print_duration);
		break;
	case CONF_BYTES:
		expect_range(out, "a size", item, print_bytes);
		break;
	case CONF_CPUS:
		expect_range(out, "a number of CPUs such as 1.5,", item, print_milli);
		break;
	case CONF_COUNT:
		pv_buf_printf(out, "a number from %" PRIu64 " to %" PRIu64, item->min, item->max);
		break;
	case CONF_PORTS:
		pv_buf_puts(out, "a list of ports from 1 to 65535");
		break;
	case CONF_PREFIXES:
		expect_list(out, item, "addresses or networks such as 203.0.113.0/24");
		break;
	case CONF_NAMES:
		expect_list(out, item, "names such as \"pool.*\"");
		break;
	case CONF_SERVICES:
		expect_list(out, item, "services such as grafana");
		break;
	case CONF_WEBPATHS:
		expect_list(out, item, "paths such as /admin/login");
		break;
	case CONF_BOOL:
		pv_buf_puts(out, "yes, no");
		break;
	case CONF_KEY:
		pv_buf_puts(out, "the second line of minisign.pub (56 characters), or no");
		break;
	case CONF_RATE:
		pv_buf_printf(out, "a number from %" PRIu64 " to %" PRIu64 " and a time, such as 50/h", item->min, item->max);
		break;
	case CONF_FILES:
		expect_list(out, item, "absolute paths or {path, service}");
		break;
	case CONF_PATHS:
		expect_list(out, item, "absolute paths such as /opt/app/");
		break;
	case CONF_PROGRAMS:
		expect_list(out, item, "programs' names such as node");
		break;
	case CONF_CHANNELS:
		pv_buf_puts(out, "a list of {url, secret_file, name, min_severity}");
		break;
	case CONF_EXCEPTIONS:
		pv_buf_puts(out, "a list of {name, signal, action}");
		break;
	}
}

static int unfit(struct pv_buf *why, const char *text, const struct conf_item *item)
{
	pv_buf_putc(why, '`');
	pv_buf_safe(why, text, 64);
	pv_buf_puts(why, "` does not fit; right would be ");
	conf_expect(why, item);
	return -EINVAL;
}

int conf_set_path(char out[POLICY_PATH], const char *text, struct pv_buf *why)
{
	const char *bad = NULL;
	size_t len = strlen(text);

	if (text[0] != '/')
		bad = "is not an absolute path; right would be one that starts with /";
	else if (len >= POLICY_PATH)
		bad = "is too long a path; at most 255 bytes";
	else if (strstr(text, "/..") || strstr(text, "//"))
		bad = "holds `..` or `//`; right would be the plain path";
	for (size_t i = 0; !bad && i < len; i++)
		if ((unsigned char) text[i] < 0x20 || text[i] == 0x7f)
			bad = "holds a control character";
	if (bad) {
		pv_buf_putc(why, '`');
		pv_buf_safe(why, text, 64);
		pv_buf_printf(why, "` %s", bad);
		return -EINVAL;
	}
	while (len > 1 && text[len - 1] == '/')
		len--;
	memcpy(out, text, len);
	memset(out + len, 0, POLICY_PATH - len);
	return 0;
}

static int set_action(uint8_t *out, const struct conf_item *item, const char *text, struct pv_buf *why)
{
	enum pv_action a;

	if (action_parse(text, &a) < 0 || !signal_takes((enum pv_signal) item->min, a))
		return unfit(why, text, item);
	*out = (uint8_t) a;
	return 0;
}

/* "1.5", "2": thousandths; three decimals at most. */
static int parse_milli(const char *s, uint64_t *ret)
{
	char whole[16];
	const char *dot = strchr(s, '.');
	size_t n = dot ? (size_t) (dot - s) : strlen(s), decimals = dot ? strlen(dot + 1) : 0;
	uint64_t v, part = 0;

	if (n >= sizeof(whole) || (dot && (!decimals || decimals > 3)))
		return -EINVAL;
	memcpy(whole, s, n);
	whole[n] = '\0';
	if (parse_u64(whole, &v) < 0 || (dot && parse_u64(dot + 1, &part) < 0) || v > 1000000)
		return -EINVAL;
	for (; decimals < 3; decimals++)
		part *= 10;
	*ret = v * 1000 + part;
	return 0;
}

static int set_number(void *out, const struct conf_item *item, const char *text, struct pv_buf *why)
{
	uint64_t v = 0;
	uint32_t small = 0;
	int r;

	switch (item->type) {
	case CONF_USEC:
		r = parse_duration(text, &v);
		break;
	case CONF_BYTES:
		r = parse_bytes(text, &v);
		break;
	case CONF_PERMYRIAD:
		r = parse_permyriad(text, &small);
		v = small;
		break;
	case CONF_CPUS:
		r = parse_milli(text, &v);
		break;
	default:
		r = parse_u64(text, &v);
	}
	if (r < 0 || v < item->min || v > item->max)
		return unfit(why, text, item);
	if (item->type == CONF_USEC || item->type == CONF_BYTES)
		memcpy(out, &v, sizeof(v));
	else {
		small = (uint32_t) v;
		memcpy(out, &small, sizeof(small));
	}
	return 0;
}

/* `50/h`: a number, then one unit of time. */
static int set_rate(struct policy_rate *out, const struct conf_item *item, const char *text, struct pv_buf *why)
{
	const char *slash = strchr(text, '/');
	char number[16], unit[8];
	uint64_t n, us;

	if (!slash || (size_t) (slash - text) >= sizeof(number) || strlen(slash + 1) > 4)
		return unfit(why, text, item);
	memcpy(number, text, (size_t) (slash - text));
	number[slash - text] = '\0';
	(void) snprintf(unit, sizeof(unit), "1%s", slash + 1);
	if (parse_u64(number, &n) < 0 || n < item->min || n > item->max || parse_duration(unit, &us) < 0 || us < 1000000)
		return unfit(why, text, item);
	*out = (struct policy_rate){ .n = (uint32_t) n, .us = us };
	return 0;
}

/* Whether it is a key says whoever uses it: nothing here can tell a point of the curve. */
static int set_key(char *out, const struct conf_item *item, const char *text, struct pv_buf *why)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	memset(out, 0, sizeof(((struct policy *) 0)->pool.key));
	if (strcmp(text, "no") == 0)
		return 0;
	if (strlen(text) != 56 || strspn(text, base64) != 56 || strncmp(text, "RW", 2) != 0)
		return unfit(why, text, item);
	memcpy(out, text, 56);
	return 0;
}

int conf_set_scalar(struct policy *p, const struct conf_item *item, const char *text, struct pv_buf *why)
{
	bool yes;

	switch (item->type) {
	case CONF_BOOL:
		if (parse_bool(text, &yes) < 0)
			return unfit(why, text, item);
		*(uint8_t *) place(p, item) = yes;
		return 0;
	case CONF_KEY:
		return set_key(place(p, item), item, text, why);
	case CONF_RATE:
		return set_rate(place(p, item), item, text, why);
	case CONF_MODE:
		if (strcmp(text, "enforce") != 0 && strcmp(text, "observe") != 0)
			return unfit(why, text, item);
		*(uint8_t *) place(p, item) = text[0] == 'o';
		return 0;
	case CONF_PATH:
		if (item->min && strcmp(text, "no") == 0) {
			memset(place(p, item), 0, POLICY_PATH);
			return 0;
		}
		return conf_set_path(place(p, item), text, why);
	case CONF_ACTION:
		return set_action(place(p, item), item, text, why);
	default:
		return set_number(place(p, item), item, text, why);
	}
}

/* Where the words of a list lie: its count and its array. */
struct list {
	uint32_t *n;
	uint16_t *ports;
	struct ip_prefix *prefixes;
	char *names;
	size_t name_size; /* of each */
};

#define LIST_NAMES(a) .names = (a)[0], .name_size = sizeof((a)[0])

static struct list list_of(struct policy *p, const struct conf_item *item)
{
	void *at = place(p, item);

	if (at == p->net.ports)
		return (struct list){ .n = &p->net.n_ports, .ports = p->net.ports };
	if (at == p->net.internal)
		return (struct list){ .n = &p->net.n_internal, .prefixes = p->net.internal };
	if (at == p->net.allow)
		return (struct list){ .n = &p->net.n_allow, .prefixes = p->net.allow };
	if (at == p->dns.names)
		return (struct list){ .n = &p->dns.n_names, LIST_NAMES(p->dns.names) };
	if (at == p->login.paths)
		return (struct list){ .n = &p->login.n_paths, LIST_NAMES(p->login.paths) };
	if (at == p->logs.ban)
		return (struct list){ .n = &p->logs.n_ban, LIST_NAMES(p->logs.ban) };
	if (at == p->proxies)
		return (struct list){ .n = &p->n_proxies, .prefixes = p->proxies };
	if (at == p->never_ban)
		return (struct list){ .n = &p->n_never_ban, .prefixes = p->never_ban };
	if (at == p->audit.ports)
		return (struct list){ .n = &p->audit.n_ports, .ports = p->audit.ports };
	if (at == p->audit.projects)
		return (struct list){ .n = &p->audit.n_projects, LIST_NAMES(p->audit.projects) };
	if (at == p->audit.backups)
		return (struct list){ .n = &p->audit.n_backups, LIST_NAMES(p->audit.backups) };
	if (at == p->exec.allow)
		return (struct list){ .n = &p->exec.n_allow, LIST_NAMES(p->exec.allow) };
	if (at == p->exec.servers)
		return (struct list){ .n = &p->exec.n_servers, LIST_NAMES(p->exec.servers) };
	return (struct list){ .n = &p->dns.n_allow, LIST_NAMES(p->dns.allow) };
}

bool conf_is_list(const struct conf_item *item)
{
	switch (item->type) {
	case CONF_PORTS:
	case CONF_PREFIXES:
	case CONF_NAMES:
	case CONF_SERVICES:
	case CONF_WEBPATHS:
	case CONF_PATHS:
	case CONF_PROGRAMS:
		return true;
	default:
		return false;
	}
}

bool conf_is_map_list(const struct conf_item *item)
{
	return item->type == CONF_FILES || item->type == CONF_CHANNELS || item->type == CONF_EXCEPTIONS;
}

void conf_list_clear(struct policy *p, const struct conf_item *item)
{
	*list_of(p, item).n = 0;
}

static bool label_ok(const char *s, size_t len)
{
	if (len == 0 || len > 63)
		return false;
	if (len == 1 && *s == '*')
		return true;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char) s[i]) && s[i] != '-' && s[i] != '_')
			return false;
	return true;
}

int conf_check_pattern(const char *text, struct pv_buf *why)
{
	const char *s = text;
	bool literal = false;
	size_t len = strlen(text);

	if (len && text[len - 1] == '.')
		len--; /* the root's dot */
	if (len > 127)
		goto bad;
	for (;;) {
		size_t n = strcspn(s, "."), left = len - (size_t) (s - text);

		n = PV_MIN(n, left);
		if (!label_ok(s, n))
			goto bad;
		literal = literal || *s != '*';
		s += n;
		if ((size_t) (s - text) >= len)
			break;
		s++;
	}
	if (literal)
		return 0;
	pv_buf_puts(why, "`");
	pv_buf_safe(why, text, 64);
	pv_buf_puts(why, "` would take every name; right would be one with at least one label, such as pool.*");
	return -EINVAL;
bad:
	pv_buf_puts(why, "`");
	pv_buf_safe(why, text, 64);
	pv_buf_puts(why, "` is not a name pattern; right would be labels of letters, digits, - and _ with dots between "
			 "them, a `*` only as a whole label, at most 127 bytes");
	return -EINVAL;
}

static int add_port(struct list *l, const struct conf_item *item, const char *text, struct pv_buf *why)
{
	uint32_t port;

	if (parse_u32(text, &port) < 0 || port < item->min || port > item->max)
		return unfit(why, text, item);
	for (uint32_t i = 0; i < *l->n; i++)
		if (l->ports[i] == port)
			return 0;
	if (*l->n == POLICY_PORTS) {
		pv_buf_puts(why, "is one port too many; at most 64");
		return -EINVAL;
	}
	l->ports[(*l->n)++] = (uint16_t) port;
	return 0;
}

static int too_many(struct pv_buf *why, const struct conf_item *item)
{
	pv_buf_printf(why, "is one entry too many; at most %" PRIu64, item->max);
	return -EINVAL;
}

int conf_set_service(char out[32], const char *text, struct pv_buf *why)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (n == 0 || n > 31 || text[n]) {
		pv_buf_putc(why, '`');
		pv_buf_safe(why, text, 48);
		pv_buf_puts(why, "` is not a service; right would be the name of a rule file such as nginx or sshd");
		return -EINVAL;
	}
	memset(out, 0, 32);
	memcpy(out, text, n);
	return 0;
}

static int set_web_path(char out[128], const char *text, struct pv_buf *why)
{
	bool good = text[0] == '/';

	for (const char *s = text; *s; s++)
		good = good && (unsigned char) *s > 0x20 && *s != 0x7f && *s != '?' && *s != '#' && *s != '"';
	memset(out, 0, 128);
	if (good && text_copy(out, 128, text))
		return 0;
	pv_buf_putc(why, '`');
	pv_buf_safe(why, text, 48);
	pv_buf_puts(why, "` is not the path of a page; right would be one such as /admin/login, at most 127 bytes");
	return -EINVAL;
}

static void set_pattern(char out[128], const char *text)
{
	memset(out, 0, 128);
	for (size_t i = 0; text[i] && !(text[i] == '.' && !text[i + 1]); i++)
		out[i] = (char) tolower((unsigned char) text[i]);
}

/* The kernel compares octets: neither dots nor doubled slashes are understood there. */
static bool path_is_plain(const char *text)
{
	return text[0] == '/' && text[1] && strlen(text) < PV_ALLOW_PATH - 1 && !strstr(text, "//") && !strstr(text, "/./") &&
	       !strstr(text, "/../");
}

static bool program_is_plain(const char *text)
{
	return *text && strlen(text) < PV_NAME_LEN && !strchr(text, '/');
}

static int set_plain(char *out, size_t size, const struct conf_item *item, const char *text, struct pv_buf *why)
{
	bool ok = item->type == CONF_PATHS ? path_is_plain(text) : program_is_plain(text);

	for (const char *s = text; *s; s++)
		ok = ok && (unsigned char) *s >= 0x20 && *s != 0x7f;
	if (!ok)
		return unfit(why, text, item);
	memset(out, 0, size);
	(void) text_copy(out, size, text);
	return 0;
}

int conf_list_add(struct policy *p, const struct conf_item *item, const char *text, struct pv_buf *why)
{
	struct list l = list_of(p, item);
	struct ip_prefix prefix;
	char *name;
	int r = 0;

	if (l.ports)
		return add_port(&l, item, text, why);
	if (*l.n >= item->max)
		return too_many(why, item);
	if (l.prefixes) {
		if (ip_prefix_parse(text, &prefix) < 0)
			return unfit(why, text, item);
		l.prefixes[(*l.n)++] = prefix;
		return 0;
	}
	name = l.names + *l.n * l.name_size;
	if (item->type == CONF_SERVICES)
		r = conf_set_service(name, text, why);
	else if (item->type == CONF_WEBPATHS)
		r = set_web_path(name, text, why);
	else if (item->type == CONF_PATHS || item->type == CONF_PROGRAMS)
		r = set_plain(name, l.name_size, item, text, why);
	else if ((r = conf_check_pattern(text, why)) == 0)
		set_pattern(name, text);
	*l.n += r == 0;
	return r;
}

static const char *const schemes_later[] = { "telegram://", "slack://", "discord://", "ntfy://", "smtp://", "smtps://", "exec:" };

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* The URL itself may hold a secret (a token in its path): it is never repeated in a message. */
int conf_set_channel_url(struct policy_channel *c, const char *url, struct pv_buf *why)
{
	const char *bad = NULL, *host = strstr(url, "://");
	size_t n;

	for (size_t i = 0; i < N_ELEMENTS(schemes_later); i++)
		if (starts(url, schemes_later[i]))
			bad = "names a kind of channel that this version does not have; right would be https://..., syslog: "
			      "or journal:";
	for (const char *s = url; *s; s++)
		if ((unsigned char) *s <= 0x20 || *s == 0x7f)
			bad = "holds a space or control character";
	if (starts(url, "http://"))
		bad = "is not encrypted; right would be https://";
	else if (!bad && !starts(url, "https://") && !starts(url, "syslog:") && !starts(url, "journal:"))
		bad = "has a scheme that is not known; right would be https://..., syslog: or journal:";
	else if (!bad && host && host[3] == '\0')
		bad = "has no host";
	if (!bad && !text_copy(c->url, sizeof(c->url), url))
		bad = "is too long; at most 511 bytes";
	if (bad) {
		pv_buf_printf(why, "url %s", bad);
		return -EINVAL;
	}
	if (c->name[0])
		return 0;
	host = host ? host + 3 : url;
	for (const char *at = host; *at && *at != '/'; at++)
		if (*at == '@')
			host = at + 1; /* user:password@ is nobody's business */
	n = strcspn(host, host == url ? ":" : "/?#");
	memcpy(c->name, host, PV_MIN(n, sizeof(c->name) - 1));
	return 0;
}

static void print_words(struct pv_buf *out, struct policy *p, const struct conf_item *item)
{
	struct list l = list_of(p, item);

	pv_buf_putc(out, '[');
	for (uint32_t i = 0; i < *l.n; i++) {
		pv_buf_puts(out, i ? ", " : "");
		if (l.ports)
			pv_buf_printf(out, "%u", l.ports[i]);
		else if (l.prefixes) {
			pv_autobuf text = PV_BUF_INIT;

			ip_prefix_format(&text, &l.prefixes[i]);
			pv_buf_json_str(out, pv_buf_str(&text)); /* quoted: an IPv6 address holds colons */
		} else {
			pv_buf_json_str(out, l.names + i * l.name_size);
		}
	}
	pv_buf_putc(out, ']');
}

static void print_rate(struct pv_buf *out, const struct policy_rate *rate)
{
	pv_autobuf unit = PV_BUF_INIT;

	print_duration(&unit, rate->us); /* "1h": the number is always 1 */
	pv_buf_printf(out, "%u/%s", rate->n, pv_buf_str(&unit) + (unit.len > 1));
}

void conf_print(struct pv_buf *out, const struct policy *p, const struct conf_item *item)
{
	const char *at = (const char *) p + item->offset;
	uint64_t v = 0;
	uint32_t small = 0;

	memcpy(&small, at, sizeof(small));
	if (item->type == CONF_USEC || item->type == CONF_BYTES)
		memcpy(&v, at, sizeof(v));
	switch (item->type) {
	case CONF_MODE:
		pv_buf_puts(out, *(const uint8_t *) at ? "observe" : "enforce");
		break;
	case CONF_PATH:
		if (*at)
			pv_buf_json_str(out, at);
		else
			pv_buf_puts(out, "no");
		break;
	case CONF_ACTION:
		pv_buf_puts(out, action_name((enum pv_action) * (const uint8_t *) at));
		break;
	case CONF_PERMYRIAD:
		print_permyriad(out, small);
		break;
	case CONF_USEC:
		print_duration(out, v);
		break;
	case CONF_BYTES:
		print_bytes(out, v);
		break;
	case CONF_CPUS:
		pv_buf_printf(out, "%g", (double) small / 1000);
		break;
	case CONF_COUNT:
		pv_buf_printf(out, "%u", small);
		break;
	case CONF_BOOL:
		pv_buf_puts(out, *(const uint8_t *) at ? "yes" : "no");
		break;
	case CONF_KEY:
		pv_buf_puts(out, *at ? at : "no");
		break;
	case CONF_RATE:
		print_rate(out, (const struct policy_rate *) at);
		break;
	case CONF_PORTS:
	case CONF_PREFIXES:
	case CONF_NAMES:
	case CONF_SERVICES:
	case CONF_WEBPATHS:
	case CONF_PATHS:
	case CONF_PROGRAMS:
		print_words(out, (struct policy *) (uintptr_t) p, item);
		break;
	case CONF_FILES:
	case CONF_CHANNELS:
	case CONF_EXCEPTIONS:
		break; /* lists of maps: conf_text.c */
	}
}
