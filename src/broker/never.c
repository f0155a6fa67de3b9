#include "broker/never.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#define FRESH_US     USEC_PER_SEC
#define NETWORKS_MAX 1024
#define LIST_MAX     65536
#define SAME_LATELY  16

struct never {
	const struct never_readers *readers;
	struct never_list list;
	uint64_t read_us;  /* 0: not yet */
	char unknown[128]; /* what could not be read the last time */
	struct ip_prefix networks[NETWORKS_MAX];
	size_t n_networks, n_more; /* those that found no room */
};

int never_new(struct never **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (*ret)
		(*ret)->readers = &never_this_host;
	return *ret ? 0 : -ENOMEM;
}

void never_read_by(struct never *n, const struct never_readers *r)
{
	n->readers = r;
	n->read_us = 0;
}

struct never *never_free(struct never *n)
{
	if (!n)
		return NULL;
	free(n->list.prefix);
	free(n->list.why);
	free(n);
	return NULL;
}

void never_network(struct never *n, const struct ip_prefix *net, bool add)
{
	for (size_t i = 0; i < n->n_networks; i++) {
		if (memcmp(&n->networks[i], net, sizeof(*net)) != 0)
			continue;
		if (!add)
			n->networks[i] = n->networks[--n->n_networks];
		return;
	}
	if (add && n->n_networks < NETWORKS_MAX)
		n->networks[n->n_networks++] = *net;
	else if (add)
		n->n_more++;
	else if (n->n_more)
		n->n_more--;
}

static bool grow(struct never_list *l)
{
	size_t room = l->room ? 2 * l->room : 64;
	struct ip_prefix *prefix = realloc(l->prefix, room * sizeof(*prefix));
	uint8_t *why;

	if (!prefix)
		return false;
	l->prefix = prefix;
	why = realloc(l->why, room);
	if (!why)
		return false;
	l->why = why;
	l->room = room;
	return true;
}

void never_add(struct never_list *l, const struct ip_addr *a, uint8_t len, enum ban_never why)
{
	struct ip_prefix p = { .addr = *a, .len = len };

	for (unsigned bit = len; bit < 128; bit++)
		p.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	/* One next hop of a thousand routes, one far end of a thousand connections: they come one after the other. */
	for (size_t i = l->n; i > 0 && i + SAME_LATELY > l->n; i--)
		if (l->why[i - 1] == why && memcmp(&l->prefix[i - 1], &p, sizeof(p)) == 0)
			return;
	if (l->n == LIST_MAX || (l->n == l->room && !grow(l))) {
		l->full = true;
		return;
	}
	l->prefix[l->n] = p;
	l->why[l->n++] = (uint8_t) why;
}

/* --- reading --- */

static void cannot(struct never *n, const char *what, int error)
{
	if (!n->unknown[0])
		(void) snprintf(n->unknown, sizeof(n->unknown), "%.60s: %.50s", what, strerror(-error));
}

/* The text of a file; "" where it is not there. */
static const char *text_of(struct never *n, const char *path, struct pv_buf *text)
{
	int r;

	pv_buf_clear(text);
	r = n->readers->file(path, text);
	if (r == 0 || r == -ENOENT)
		return pv_buf_str(text);
	cannot(n, path, r);
	return "";
}

static void read_connections(struct never *n, const char *etc_group)
{
	pv_autofree uint64_t *inodes = malloc(NEVER_INODES * sizeof(*inodes));
	size_t n_inodes = 0;
	int r = inodes ? n->readers->sessions(etc_group, inodes, &n_inodes) : -ENOMEM;

	if (r < 0)
		cannot(n, "open SSH sessions", r);
	r = n->readers->connections(&n->list, inodes, n_inodes);
	if (r < 0)
		cannot(n, "open connections", r);
}

static void read_again(struct never *n)
{
	static const char *const resolvers[] = { "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf",
						 "/run/NetworkManager/no-stub-resolv.conf" };
	pv_autobuf text = PV_BUF_INIT, more = PV_BUF_INIT;
	int r;

	n->list.n = 0;
	n->list.full = n->list.odd = false;
	n->unknown[0] = '\0';
	r = n->readers->own(&n->list);
	if (r < 0)
		cannot(n, "own addresses", r);
	never_routes(&n->list, text_of(n, "/proc/net/route", &text), text_of(n, "/proc/net/ipv6_route", &more));
	if (!text.len)
		cannot(n, "/proc/net/route", -ENODATA); /* the kernel's own has at least its heading */
	for (size_t i = 0; i < N_ELEMENTS(resolvers); i++)
		never_resolvers(&n->list, text_of(n, resolvers[i], &text));
	read_connections(n, text_of(n, "/etc/group", &text));
	if (n->list.odd)
		cannot(n, "routes and connections", -EBADMSG);
	if (n->list.full || n->n_more)
		cannot(n, n->n_more ? "networks of containers" : "addresses in use", -E2BIG);
}

const char *never_refresh(struct never *n, uint64_t age_us, uint64_t now_us)
{
	if (!n->read_us || now_us - n->read_us >= age_us) {
		bool was = n->unknown[0];

		read_again(n);
		n->read_us = now_us;
		if (n->unknown[0] && !was)
			log_error("who is never banned cannot be read whole (%s): nobody is banned meanwhile", n->unknown);
		else if (was && !n->unknown[0])
			log_info("who is never banned can be read again");
	}
	return n->unknown;
}

/* --- asking --- */

static bool touch(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len >= b->len ? ip_in_prefix(&a->addr, b) : ip_in_prefix(&b->addr, a);
}

static bool in_list(const struct ip_prefix *who, const struct ip_prefix *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (touch(who, &list[i]))
			return true;
	return false;
}

static bool special(const struct ip_prefix *who)
{
	static const char *const texts[] = { "127.0.0.0/8", "0.0.0.0/8", "224.0.0.0/3", "169.254.0.0/16", "::/127", "fe80::/10",
					     "ff00::/8" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct ip_prefix p;

		if (ip_prefix_parse(texts[i], &p) == 0 && touch(who, &p))
			return true;
	}
	return false;
}

enum ban_never never_check(struct never *n, const struct policy *p, const struct ip_prefix *who, uint64_t now_us)
{
	if (special(who))
		return NEVER_SPECIAL;
	if (in_list(who, p->never_ban, p->n_never_ban))
		return NEVER_LISTED;
	if (in_list(who, p->proxies, p->n_proxies))
		return NEVER_PROXY;
	if (in_list(who, n->networks, n->n_networks))
		return NEVER_CONTAINERS;
	(void) never_refresh(n, FRESH_US, now_us);
	for (size_t i = 0; i < n->list.n; i++)
		if (touch(who, &n->list.prefix[i]))
			return (enum ban_never) n->list.why[i];
	return n->unknown[0] ? NEVER_UNKNOWN : NEVER_NO;
}
