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

int nft_look_element(const char *set, const void *key, size_t len)
{
	struct look l = { .wanted = NFT_MSG_NEWSETELEM };
	struct nlattr *list, *element, *value;
	struct message m;

	start(&m, NFT_MSG_GETSETELEM, 0);
	(void) add(&m, NFTA_SET_ELEM_LIST_TABLE, TABLE, sizeof(TABLE));
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
