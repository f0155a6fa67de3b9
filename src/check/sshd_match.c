/* Match of sshd_config(5): criteria and pattern lists (ssh_config(5), PATTERNS). */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/ip.h"
#include "base/text.h"
#include "check/sshd_conf.h"

#define LIST_MAX 512

struct sshd_login sshd_stranger(void)
{
	return (struct sshd_login){ "stranger", "stranger.example.net", "198.51.100.217", "192.0.2.1", 22 };
}

static bool one_fits(const char *pattern, const char *value, bool address)
{
	struct ip_prefix p;
	struct ip_addr a;

	if (address && strchr(pattern, '/'))
		return ip_prefix_parse(pattern, &p) == 0 && ip_parse(value, &a) == 0 && ip_in_prefix(&a, &p);
	return glob_match(pattern, value);
}

/* A negated pattern that fits ends it; else one that fits is needed. */
static bool list_fits(const char *list, const char *value, bool address, bool fold)
{
	char text[LIST_MAX], lower[256], *save = NULL;
	bool fits = false;

	if (!text_copy(text, sizeof(text), list) || !text_copy(lower, sizeof(lower), value))
		return false;
	for (char *p = lower; fold && *p; p++)
		*p = (char) (*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
	for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		bool negate = *w == '!';

		for (char *p = w; fold && *p; p++)
			*p = (char) (*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
		if (!one_fits(w + negate, lower, address))
			continue;
		if (negate)
			return false;
		fits = true;
	}
	return fits;
}

/* The next "Word list" of the criteria; false at the end. */
static bool next_criterion(const char **p, char word[32], char list[LIST_MAX])
{
	size_t n;

	*p += strspn(*p, " \t\"");
	n = strcspn(*p, " \t=\"");
	if (!n || n >= 32)
		return false;
	memcpy(word, *p, n);
	word[n] = '\0';
	*p += n;
	*p += strspn(*p, " \t=\"");
	n = strcspn(*p, " \t\"");
	if (n >= LIST_MAX)
		return false;
	memcpy(list, *p, n);
	list[n] = '\0';
	*p += n;
	return true;
}

static bool criterion_fits(const char *word, const char *list, const struct sshd_login *who)
{
	char port[12];

	(void) snprintf(port, sizeof(port), "%u", who->lport);
	if (strcasecmp(word, "all") == 0)
		return true;
	if (strcasecmp(word, "user") == 0)
		return list_fits(list, who->user, false, false);
	if (strcasecmp(word, "host") == 0)
		return list_fits(list, who->host, false, true);
	if (strcasecmp(word, "address") == 0)
		return list_fits(list, who->addr, true, false);
	if (strcasecmp(word, "localaddress") == 0)
		return list_fits(list, who->laddr, true, false);
	if (strcasecmp(word, "localport") == 0)
		return strcmp(list, port) == 0;
	return false; /* Group, RDomain: nobody knows who is in it */
}

bool sshd_applies(const char *criteria, const struct sshd_login *who)
{
	char word[32], list[LIST_MAX];
	bool any = false;

	while (next_criterion(&criteria, word, list)) {
		any = true;
		if (!criterion_fits(word, list, who))
			return false;
	}
	return any;
}

/* "10.0.0.0/8" -> "10.0.0.1", "192.168.*" -> "192.168.1.1" */
static const char *address_of(struct arena *a, const char *pattern)
{
	char text[128], *star;
	struct ip_prefix p;
	size_t dots = 0;
	pv_autobuf out = PV_BUF_INIT;

	if (ip_prefix_parse(pattern, &p) == 0) {
		if (p.len < 127)
			p.addr.b[15] |= 1;
		ip_format(&out, &p.addr);
		return arena_dup(a, pv_buf_str(&out));
	}
	if (!text_copy(text, sizeof(text) - 8, pattern))
		return NULL;
	for (star = text; *star; star++) {
		*star = *star == '*' || *star == '?' ? '1' : *star;
		dots += *star == '.';
	}
	pv_buf_puts(&out, text);
	for (; dots < 3 && !strchr(text, ':'); dots++)
		pv_buf_puts(&out, ".1");
	return arena_dup(a, pv_buf_str(&out));
}

static const char *name_of(struct arena *a, const char *pattern)
{
	char *own = arena_dup(a, pattern);

	for (char *p = own; p && *p; p++)
		*p = *p == '*' || *p == '?' ? 'x' : *p;
	return own;
}

/* A value that the whole list takes: made from one of its patterns. */
static const char *value_for(struct arena *a, const char *list, bool address, const char *plain)
{
	char text[LIST_MAX], *save = NULL;

	if (list_fits(list, plain, address, false))
		return plain;
	if (!text_copy(text, sizeof(text), list))
		return NULL;
	for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		const char *made = *w == '!' ? NULL : address ? address_of(a, w) : name_of(a, w);

		if (made && list_fits(list, made, address, false))
			return made;
	}
	return NULL;
}

bool sshd_login_for(struct arena *a, const char *criteria, struct sshd_login *ret)
{
	const char *all = criteria;
	char word[32], list[LIST_MAX];
	struct sshd_login who = sshd_stranger();
	uint32_t port;

	while (next_criterion(&criteria, word, list)) {
		if (strcasecmp(word, "user") == 0)
			who.user = value_for(a, list, false, who.user);
		else if (strcasecmp(word, "host") == 0)
			who.host = value_for(a, list, false, who.host);
		else if (strcasecmp(word, "address") == 0)
			who.addr = value_for(a, list, true, who.addr);
		else if (strcasecmp(word, "localaddress") == 0)
			who.laddr = value_for(a, list, true, who.laddr);
		else if (strcasecmp(word, "localport") == 0 && parse_u32(list, &port) == 0 && port < 65536)
			who.lport = port;
		if (!who.user || !who.host || !who.addr || !who.laddr)
			return false;
	}
	if (!sshd_applies(all, &who))
		return false;
	*ret = who;
	return true;
}

const char *sshd_login_text(struct arena *a, const struct sshd_login *who)
{
	return arena_printf(a, "user=%s,host=%s,addr=%s,laddr=%s,lport=%u", who->user, who->host, who->addr, who->laddr,
			    who->lport);
}

struct sshd_block sshd_effective(const struct sshd_conf *c, const struct sshd_login *who)
{
	struct sshd_block b = { .criteria = NULL };

	for (size_t i = 0; i < c->n_matches; i++)
		for (unsigned k = 0; k < SSHD_KEYS && sshd_applies(c->match[i].criteria, who); k++)
			if (!b.value[k].text)
				b.value[k] = c->match[i].value[k];
	for (unsigned k = 0; k < SSHD_KEYS; k++)
		if (!b.value[k].text)
			b.value[k] = c->global.value[k];
	return b;
}
