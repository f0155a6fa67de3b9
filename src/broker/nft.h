/* nft.h - who is locked out, in the kernel: the table `inet pavise` (nftables), which belongs to pavise alone.
 *
 *	set ban4, ban6  single addresses and IPv6 networks of /prefix6, in hash sets with a timeout for each
 *	set net4, net6  networks of any other size, and single addresses of IPv6
 *	set off         ipv4 and ipv6 while `pavise off` holds, with its own timeout: the kernel resumes by itself
 *	chain in        prerouting, priority -150: behind connection tracking, before destination NAT, so that published
 *	                container ports are protected like the host's own. Packets of a connection that this side opened go
 *	                on; all others of a banned source are dropped, also those of connections that are open.
 *	chain early     instead of it with `ban.raw`: before connection tracking, drops whatever comes from a banned source
 *
 * Nothing is made before the first ban. The table stays when the process ends. Text for libnftables is made of binary
 * addresses and numbers only. One thread. Needs NET_ADMIN. */
#ifndef PV_BROKER_NFT_H
#define PV_BROKER_NFT_H

#include "base/ip.h"
#include "model/broker_proto.h"

struct nft;
int nft_new(struct nft **ret);
struct nft *nft_free(struct nft *n); /* the table stays */
PV_AUTO(nft)

struct nft_form {
	bool raw;
	uint8_t prefix6;
};
/* The table as it should be, made or changed in one transaction; what is in its sets stays, but ban6 when prefix6 is another.
 * Does nothing where it is so already. */
int nft_form(struct nft *n, const struct nft_form *form);
bool nft_made(const struct nft *n); /* by this process */
int nft_adopt(struct nft *n, const struct nft_form *form); /* a table that is there is taken over; -ENOENT: none is */

/* -EEXIST: a network that holds it, or that it holds, stands in its set. */
int nft_ban(struct nft *n, const struct ip_prefix *who, uint32_t seconds);
int nft_unban(struct nft *n, const struct ip_prefix *who);
/* Replaces all bans, in one transaction. Changes their order; networks within others may be left out (nft.c says how). */
int nft_load(struct nft *n, struct broker_ban *bans, size_t count);
/* Lifts all bans for so many seconds; 0: in force again; UINT32_MAX: until told. */
int nft_off(struct nft *n, uint32_t seconds);
/* Whether all is still there. 0: yes, or nothing was made; 1: something is missing. Cheap when nobody changed any ruleset. */
int nft_check(struct nft *n, uint64_t now_us);
int nft_dropped(struct nft *n, uint64_t *ret_packets); /* -ENOENT: no table */
/* Sends a datagram in the name of `who` (its first address) to this host itself and looks whether it was dropped. 0: it was;
 * -ENODATA: it was not; else it could not be tried (no loopback, `off`). */
int nft_test(struct nft *n, const struct ip_prefix *who);

/* For root's own commands; -ENOENT: there is no table. */
int nft_remove(struct nft *n);

/* nft_look.c: reading by netlink alone. */
int nft_look_generation(uint32_t *ret);		 /* rises with every change of any ruleset in this network namespace */
int nft_look_rules(const char *chain, unsigned *ret_n); /* of table inet pavise; -ENOENT */
int nft_look_element(const char *set, const void *key, size_t len); /* 0 there; -ENOENT */
/* Whether a set of fail2ban's, CrowdSec's bouncer or sshguard's holds the address, or a rule of a chain f2b-... names it (iptables as
 * nftables has it). Not seen: ipset, and iptables-legacy. 0, or why it could not be looked. */
int nft_look_others(const struct ip_addr *a, enum ban_other *ret);
int nft_look_counter(const char *name, uint64_t *ret_packets);

#endif
