/* fw_rules.h - a packet filter as plain rules, whatever wrote it (nft, iptables, ufw, firewalld, Docker), and what it
 * would do with the first packet of a connection from somewhere on the Internet. Pure: text in, verdict out.
 *
 * The stranger who sends it stands in nobody's list: a rule for some source addresses does not fit him, unless the
 * prefix is as wide as the Internet (an IPv4 /8 or wider that holds him). What cannot be judged (a mark, a time, an
 * ipset of destinations) makes both outcomes possible, and the answer is then that it is not sure.
 *
 * Not looked into: bridge filters, XDP, tc, eBPF programs, and rules that look at more than the first packet. */
#ifndef PV_CHECK_FW_RULES_H
#define PV_CHECK_FW_RULES_H

#include "base/ip.h"
#include "check/arena.h"

enum fw_hook { FW_INGRESS, FW_PREROUTING, FW_INPUT, FW_FORWARD, FW_NO_HOOK };

enum fw_what {
	FW_TRUE, /* fits every packet that the stranger sends; with `negate` none */
	FW_UNKNOWN,
	FW_PROTO,
	FW_SADDR,
	FW_DADDR,
	FW_SPORT,
	FW_DPORT,
	FW_IIF,
	FW_OIF,
	FW_DLOCAL, /* the destination is an address of this host */
	FW_FAMILY, /* number: 4 or 6 */
	FW_DNATTED,
	FW_ORIG_DADDR, /* before any DNAT */
	FW_ORIG_DPORT,
	FW_TUPLES, /* `sub`: n groups of `width` matches; fits when all of one group fit */
};

union fw_value {
	struct {
		struct ip_addr lo, hi;
	} addr;
	struct {
		uint32_t lo, hi;
	} num;
	const char *name; /* of an interface; a * or + at the end stands for anything */
};

struct fw_match {
	enum fw_what what;
	bool negate;
	size_t n, width;
	union fw_value *value; /* fits when one of them does */
	struct fw_match *sub;
};

enum fw_verdict { FW_GO_ON, FW_ACCEPT, FW_DROP, FW_RETURN, FW_JUMP, FW_GOTO, FW_DNAT, FW_REDIRECT, FW_ANYTHING };

struct fw_rule {
	struct fw_match *match;
	size_t n;
	enum fw_verdict verdict;
	const char *target_name; /* of a jump */
	struct fw_chain *target;
	const struct fw_nat *nat;
};

struct fw_nat {
	bool has_addr;
	struct ip_addr addr;
	uint16_t port; /* 0: the same */
};

struct fw_chain {
	const char *table, *name, *device; /* device: of an ingress chain */
	bool v4, v6, nat;
	enum fw_hook hook;
	int prio;
	bool drops; /* its policy */
	struct fw_rule *rule;
	size_t n;
	struct fw_chain *next;
};

struct fw {
	struct arena *arena;
	struct fw_chain *first, *last;
	bool cut;   /* more than is read: what it says is not sure */
	bool terse; /* nft was asked without the elements of sets: of those only lists of sources can be judged */
};

struct fw_packet {
	bool v6, udp, dnatted, dst_local;
	struct ip_addr src, dst, orig_dst;
	uint16_t dport, orig_dport;
	const char *iif, *oif; /* oif NULL: not known yet */
};

/* One table of `iptables-save`, or all of them. Lines that are none are passed over. 0 or -ENOMEM. */
int fw_read_iptables(struct fw *fw, const char *text, size_t len, bool v6);
/* `nft -j list ruleset`, after the texts of iptables-save: a table that those told of is left out, since nft shows some
 * of its matches by name only. 0, -EBADMSG, -EFBIG, -ENOMEM. */
int fw_read_nft(struct fw *fw, const char *json, size_t len);
/* When everything is read: finds the targets of jumps. */
void fw_link(struct fw *fw);

/* What becomes of a packet at a hook: one of these, or both when it is not sure. FW_PREROUTING carries out DNAT on it.
 */
#define FW_PASSES 1u
#define FW_STOPS  2u
unsigned fw_hook(const struct fw *fw, enum fw_hook hook, struct fw_packet *p);

/* Who asks, in both families. */
struct ip_addr fw_stranger(bool v6);
/* Whether any rule names that port as a destination in a range that is not as wide as all user ports. */
bool fw_names_port(const struct fw *fw, unsigned port);
/* fn for each range of ports that DNAT or a redirection of new connections is about; udp NULL-able protocol. */
void fw_each_dnat(const struct fw *fw, void (*fn)(unsigned lo, unsigned hi, bool udp, void *user), void *user);

/* --- for the readers --- */
struct fw_chain *fw_chain_of(struct fw *fw, const char *table, const char *name, bool v4, bool v6); /* found or made */
struct fw_rule *fw_rule_add(struct fw *fw, struct fw_chain *c);
struct fw_match *fw_match_add(struct fw *fw, struct fw_rule *r, enum fw_what what, bool negate);
union fw_value *fw_value_add(struct fw *fw, struct fw_match *m);
bool fw_value_prefix(union fw_value *v, const char *text);		 /* "10.0.0.0/8", "10.0.0.0/255.0.0.0", one address */
bool fw_value_range(union fw_value *v, const char *lo, const char *hi); /* two addresses */

#endif
