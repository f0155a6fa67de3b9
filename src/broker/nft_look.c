/* What is in the ruleset, asked of the kernel itself: libnftables would list whole sets for it. */
#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "broker/nft.h"

#define TABLE "pavise"

struct message {
	union {
		struct nlmsghdr head;
		uint8_t bytes[512];
	};
};

struct look {
	uint16_t wanted; /* NFT_MSG_NEW... */
	unsigned n;	 /* how many of them came */
	uint32_t generation;
	uint64_t packets;
	void (*each)(struct look *l, uint8_t family, const uint8_t *attrs, size_t len); /* NULL: counted alone */
	struct ip_addr address; /* that is looked for */
	enum ban_other other;	/* who has it */
};

static void start(struct message *m, uint16_t type, uint16_t flags)
{
	struct nfgenmsg *g;

	memset(m, 0, sizeof(*m));
	m->head.nlmsg_len = NLMSG_LENGTH(sizeof(*g));
	m->head.nlmsg_type = (uint16_t) (NFNL_SUBSYS_NFTABLES << 8 | type);
	m->head.nlmsg_flags = NLM_F_REQUEST | flags;
	g = NLMSG_DATA(&m->head);
	g->nfgen_family = type == NFT_MSG_GETGEN ? AF_UNSPEC : NFPROTO_INET;
	g->version = NFNETLINK_V0;
}

static struct nlattr *add(struct message *m, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = (struct nlattr *) (void *) (m->bytes + m->head.nlmsg_len);

	a->nla_type = type;
	a->nla_len = (uint16_t) (NLA_HDRLEN + len);
	if (len)
		memcpy((uint8_t *) a + NLA_HDRLEN, data, len);
	m->head.nlmsg_len += NLA_ALIGN(a->nla_len);
	return a;
}

static void close_nest(struct message *m, struct nlattr *a)
{
	a->nla_len = (uint16_t) (m->bytes + m->head.nlmsg_len - (uint8_t *) a);
}

static const struct nlattr *find(const uint8_t *at, size_t len, uint16_t type)
{
	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const struct nlattr *) (const void *) at;
		size_t whole;

		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			return NULL;
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
		whole = PV_MIN((size_t) NLA_ALIGN(a->nla_len), len);
		at += whole;
		len -= whole;
	}
	return NULL;
}

static void read_one(struct look *l, const struct nlmsghdr *h)
{
	const uint8_t *attrs = (const uint8_t *) h + NLMSG_LENGTH(sizeof(struct nfgenmsg));
	size_t len = h->nlmsg_len > NLMSG_LENGTH(sizeof(struct nfgenmsg)) ? h->nlmsg_len - NLMSG_LENGTH(sizeof(struct nfgenmsg)) : 0;
	const struct nlattr *a;

	l->n++;
	if (l->each && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nfgenmsg)))
		l->each(l, ((const struct nfgenmsg *) NLMSG_DATA(h))->nfgen_family, attrs, len);
	if (l->wanted == NFT_MSG_NEWGEN && (a = find(attrs, len, NFTA_GEN_ID)) && a->nla_len >= NLA_HDRLEN + 4) {
		memcpy(&l->generation, (const uint8_t *) a + NLA_HDRLEN, 4);
		l->generation = ntohl(l->generation);
	}
	if (l->wanted != NFT_MSG_NEWOBJ || !(a = find(attrs, len, NFTA_OBJ_DATA)))
		return;
	a = find((const uint8_t *) a + NLA_HDRLEN, a->nla_len - NLA_HDRLEN, NFTA_COUNTER_PACKETS);
	if (a && a->nla_len >= NLA_HDRLEN + 8) {
		memcpy(&l->packets, (const uint8_t *) a + NLA_HDRLEN, 8);
		l->packets = be64toh(l->packets);
	}
}

/* 1: more is to come. */
static int read_some(struct look *l, const uint8_t *buf, size_t len, bool dump)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *) (const void *) buf;

	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *) NLMSG_DATA(h))->error;
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | l->wanted))
			read_one(l, h);
	}
	return dump || !l->n;
}

static int ask(const struct message *m, struct look *l)
{
	pv_autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	const struct timeval limit = { .tv_sec = 1 };
	uint8_t buf[16384] __attribute__((aligned(8)));
	int r = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    send(fd, m->bytes, m->head.nlmsg_len, 0) < 0)
		return -errno;
	while (r == 1) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		r = read_some(l, buf, (size_t) n, m->head.nlmsg_flags & NLM_F_DUMP);
	}
	return r;
}

int nft_look_generation(uint32_t *ret)
{
	struct look l = { .wanted = NFT_MSG_NEWGEN };
	struct message m;
	int r;

	start(&m, NFT_MSG_GETGEN, 0);
	r = ask(&m, &l);
	if (r == 0)
		*ret = l.generation;
	return r;
}

int nft_look_rules(const char *chain, unsigned *ret_n)
{
	struct look l = { .wanted = NFT_MSG_NEWRULE };
	struct message m;
	int r;

	start(&m, NFT_MSG_GETRULE, NLM_F_DUMP);
	(void) add(&m, NFTA_RULE_TABLE, TABLE, sizeof(TABLE));
	(void) add(&m, NFTA_RULE_CHAIN, chain, strlen(chain) + 1);
	r = ask(&m, &l);
	if (r < 0)
		return r;
	*ret_n = l.n; /* a chain that is not there has no rules */
	return l.n ? 0 : -ENOENT;
}

static int element(uint8_t family, const char *table, const char *set, const void *key, size_t len)
{
	struct look l = { .wanted = NFT_MSG_NEWSETELEM };
	struct nlattr *list, *element, *value;
	struct message m;

	start(&m, NFT_MSG_GETSETELEM, 0);
	((struct nfgenmsg *) NLMSG_DATA(&m.head))->nfgen_family = family;
	(void) add(&m, NFTA_SET_ELEM_LIST_TABLE, table, strlen(table) + 1);
	(void) add(&m, NFTA_SET_ELEM_LIST_SET, set, strlen(set) + 1);
	list = add(&m, NLA_F_NESTED | NFTA_SET_ELEM_LIST_ELEMENTS, NULL, 0);
	element = add(&m, NLA_F_NESTED | NFTA_LIST_ELEM, NULL, 0);
	value = add(&m, NLA_F_NESTED | NFTA_SET_ELEM_KEY, NULL, 0);
	(void) add(&m, NFTA_DATA_VALUE, key, len);
	close_nest(&m, value);
	close_nest(&m, element);
	close_nest(&m, list);
	return ask(&m, &l);
}

int nft_look_element(const char *set, const void *key, size_t len)
{
	return element(NFPROTO_INET, TABLE, set, key, len);
}

/* --- other programs' bans --- */

/* Of a set, or of the chain of a rule: whose it is, by the names that these programs have used for years. */
static enum ban_other owner(const char *table, const char *set, const char *chain)
{
	if (set && strcmp(table, "f2b-table") == 0 && strncmp(set, "addr", 4) == 0)
		return OTHER_FAIL2BAN;
	if (set && (strcmp(table, "crowdsec") == 0 || strcmp(table, "crowdsec6") == 0))
		return OTHER_CROWDSEC;
	if (set && strcmp(table, "sshguard") == 0)
		return OTHER_SSHGUARD;
	return chain && strncmp(chain, "f2b-", 4) == 0 ? OTHER_FAIL2BAN : OTHER_NONE;
}

/* A name of the kernel's: NUL-terminated within its attribute, else "". */
static const char *name_of(const uint8_t *attrs, size_t len, uint16_t type)
{
	const struct nlattr *a = find(attrs, len, type);
	const char *s = (const char *) a + NLA_HDRLEN;

	return a && memchr(s, '\0', a->nla_len - NLA_HDRLEN) ? s : "";
}

static size_t key_of(const struct look *l, const void **ret)
{
	*ret = ip_is_v4(&l->address) ? l->address.b + 12 : l->address.b;
	return ip_is_v4(&l->address) ? 4 : 16;
}

static void each_set(struct look *l, uint8_t family, const uint8_t *attrs, size_t len)
{
	const char *table = name_of(attrs, len, NFTA_SET_TABLE), *set = name_of(attrs, len, NFTA_SET_NAME);
	const struct nlattr *a = find(attrs, len, NFTA_SET_KEY_LEN);
	enum ban_other who = owner(table, set, NULL);
	uint32_t key_len = 0;
	const void *key;
	size_t n = key_of(l, &key);

	if (a && a->nla_len >= NLA_HDRLEN + 4)
		memcpy(&key_len, (const uint8_t *) a + NLA_HDRLEN, 4);
	if (who != OTHER_NONE && l->other == OTHER_NONE && ntohl(key_len) == n && element(family, table, set, key, n) == 0)
		l->other = who;
}

/* iptables -s ADDRESS is a comparison with the address: an attribute NFTA_DATA_VALUE of its length, somewhere in the rule. */
static void each_rule(struct look *l, uint8_t family, const uint8_t *attrs, size_t len)
{
	struct nlattr head = { .nla_type = NFTA_DATA_VALUE };
	uint8_t wanted[NLA_HDRLEN + 16];
	const void *key;
	size_t n = key_of(l, &key);

	(void) family;
	if (owner("", NULL, name_of(attrs, len, NFTA_RULE_CHAIN)) == OTHER_NONE)
		return;
	head.nla_len = (uint16_t) (NLA_HDRLEN + n);
	memcpy(wanted, &head, NLA_HDRLEN);
	memcpy(wanted + NLA_HDRLEN, key, n);
	for (size_t at = 0; at + NLA_HDRLEN + n <= len; at += NLA_ALIGNTO)
		if (memcmp(attrs + at, wanted, NLA_HDRLEN + n) == 0)
			l->other = OTHER_FAIL2BAN;
}

int nft_look_others(const struct ip_addr *a, enum ban_other *ret)
{
	struct look sets = { .wanted = NFT_MSG_NEWSET, .each = each_set, .address = *a };
	struct look rules = { .wanted = NFT_MSG_NEWRULE, .each = each_rule, .address = *a };
	struct message m;
	int r;

	start(&m, NFT_MSG_GETSET, NLM_F_DUMP);
	((struct nfgenmsg *) NLMSG_DATA(&m.head))->nfgen_family = AF_UNSPEC;
	r = ask(&m, &sets);
	if (r == 0 && sets.other == OTHER_NONE) {
		start(&m, NFT_MSG_GETRULE, NLM_F_DUMP);
		((struct nfgenmsg *) NLMSG_DATA(&m.head))->nfgen_family = ip_is_v4(a) ? NFPROTO_IPV4 : NFPROTO_IPV6;
		(void) add(&m, NFTA_RULE_TABLE, "filter", sizeof("filter"));
		r = ask(&m, &rules);
	}
	if (r < 0)
		return r;
	*ret = sets.other != OTHER_NONE ? sets.other : rules.other;
	return 0;
}

int nft_look_counter(const char *name, uint64_t *ret_packets)
{
	struct look l = { .wanted = NFT_MSG_NEWOBJ };
	const uint32_t type = htonl(NFT_OBJECT_COUNTER);
	struct message m;
	int r;

	start(&m, NFT_MSG_GETOBJ, 0);
	(void) add(&m, NFTA_OBJ_TABLE, TABLE, sizeof(TABLE));
	(void) add(&m, NFTA_OBJ_NAME, name, strlen(name) + 1);
	(void) add(&m, NFTA_OBJ_TYPE, &type, sizeof(type));
	r = ask(&m, &l);
	if (r == 0)
		*ret_packets = l.packets;
	return r;
}
