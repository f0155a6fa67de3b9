#include "broker/nft.h"

#include <malloc.h>
#include <netinet/in.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"

#define TABLE "inet pavise"
#define RULES 6 /* in the chain, see form_text() */
#define TRIM_ABOVE 1024 /* elements: what libnftables took for them goes back to the system */

enum set { BAN4, BAN6, NET4, NET6, SETS };
static const char *const set_names[SETS] = { "ban4", "ban6", "net4", "net6" };

struct nft {
	struct nft_ctx *ctx;
	struct nft_form form;
	bool made;
	uint32_t generation;
	/* One ban of each set that is looked for: a flush of a set leaves no other trace. */
	struct canary {
		struct ip_prefix who;
		uint64_t until_us; /* 0: none */
	} canaries[SETS];
};

int nft_new(struct nft **ret)
{
	struct nft *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!n->ctx || nft_ctx_buffer_output(n->ctx) || nft_ctx_buffer_error(n->ctx)) {
		(void) nft_free(n);
		return -ENOMEM;
	}
	*ret = n;
	return 0;
}

struct nft *nft_free(struct nft *n)
{
	if (!n)
		return NULL;
	if (n->ctx)
		nft_ctx_free(n->ctx);
	free(n);
	return NULL;
}

bool nft_made(const struct nft *n)
{
	return n->made;
}

/* One transaction. libnftables gives no error number, only text; that goes to the log. */
static int run(struct nft *n, const struct pv_buf *text)
{
	const char *said;

	if (text->cut)
		return -ENOMEM;
	errno = 0;
	if (nft_run_cmd_from_buffer(n->ctx, pv_buf_str(text)) == 0) {
		(void) nft_ctx_get_output_buffer(n->ctx); /* empties it */
		return 0;
	}
	said = nft_ctx_get_error_buffer(n->ctx);
	if (said && strstr(said, "No such file or directory"))
		return -ENOENT;
	if (said && strstr(said, "interval")) /* "overlaps with an existing one", "conflicting ..." */
		return -EEXIST;
	if (said && *said) {
		pv_autobuf line = PV_BUF_INIT;

		pv_buf_safe(&line, said, PV_MIN(strcspn(said, "\n"), 300u));
		log_error("nftables: %s", pv_buf_str(&line));
	}
	return said && strstr(said, "Operation not permitted") ? -EACCES : -EIO;
}

/* Own changes move the generation on; what somebody else did in between is found by looking. */
static void note_generation(struct nft *n)
{
	uint32_t now;

	if (nft_look_generation(&now) == 0 && (now == n->generation + 1 || !n->generation))
		n->generation = now;
}

static void mask_text(struct pv_buf *out, uint8_t len)
{
	struct ip_addr mask;

	for (unsigned i = 0; i < 16; i++)
		mask.b[i] = len >= (i + 1) * 8 ? 0xff : len > i * 8 ? (uint8_t) (0xff00u >> (len - i * 8)) : 0;
	ip_format(out, &mask);
}

static void form_text(struct pv_buf *out, const struct nft_form *f)
{
	const char *chain = f->raw ? "early" : "in", *other = f->raw ? "in" : "early";
	pv_autobuf mask = PV_BUF_INIT;

	mask_text(&mask, f->prefix6);
	pv_buf_printf(out,
		      "add table " TABLE "\n"
		      "add set " TABLE " ban4 { type ipv4_addr; flags timeout; size 262144; }\n"
		      "add set " TABLE " ban6 { type ipv6_addr; flags timeout; size 262144; }\n"
		      "add set " TABLE " net4 { type ipv4_addr; flags interval,timeout; }\n"
		      "add set " TABLE " net6 { type ipv6_addr; flags interval,timeout; }\n"
		      "add set " TABLE " off { type nf_proto; flags timeout; }\n"
		      "add counter " TABLE " dropped\n"
		      "add chain " TABLE " %s\nflush chain " TABLE " %s\ndelete chain " TABLE " %s\n"
		      "add chain " TABLE " %s { type filter hook prerouting priority %d; policy accept; }\n"
		      "flush chain " TABLE " %s\n"
		      "add rule " TABLE " %s %s accept\n"
		      "add rule " TABLE " %s meta nfproto @off accept\n"
		      "add rule " TABLE " %s ip saddr @ban4 counter name dropped drop\n"
		      "add rule " TABLE " %s ip saddr @net4 counter name dropped drop\n"
		      "add rule " TABLE " %s ip6 saddr and %s @ban6 counter name dropped drop\n"
		      "add rule " TABLE " %s ip6 saddr @net6 counter name dropped drop\n",
		      other, other, other, chain, f->raw ? -300 : -150, chain, chain,
		      /* raw: connection tracking has not looked yet; loopback is nobody's attack */
		      f->raw ? "iif lo" : "ct direction reply", chain, chain, chain, chain, pv_buf_str(&mask), chain);
}

int nft_form(struct nft *n, const struct nft_form *form)
{
	bool other_prefix = n->made && n->form.prefix6 != form->prefix6;
	pv_autobuf text = PV_BUF_INIT;
	int r;

	if (n->made && n->form.raw == form->raw && !other_prefix)
		return 0;
	form_text(&text, form);
	if (other_prefix)
		pv_buf_puts(&text, "flush set " TABLE " ban6\n");
	r = run(n, &text);
	if (r < 0)
		return r;
	n->form = *form;
	n->made = true;
	n->generation = 0;
	note_generation(n);
	return 0;
}

int nft_adopt(struct nft *n, const struct nft_form *form)
{
	unsigned rules;

	if (nft_look_rules("in", &rules) == -ENOENT && nft_look_rules("early", &rules) == -ENOENT)
		return -ENOENT;
	return nft_form(n, form);
}

/* --- elements --- */

static enum set set_of(const struct nft *n, const struct ip_prefix *who)
{
	if (ip_is_v4(&who->addr) && who->len >= 96)
		return who->len == 128 ? BAN4 : NET4;
	return who->len == n->form.prefix6 ? BAN6 : NET6;
}

static void element_text(struct pv_buf *out, const struct nft *n, const struct ip_prefix *who, uint32_t seconds)
{
	if (who->len == 128 || (!ip_is_v4(&who->addr) && who->len == n->form.prefix6))
		ip_format(out, &who->addr);
	else
		ip_prefix_format(out, who);
	if (seconds) /* a number of nft's has at most eight digits */
		pv_buf_printf(out, " timeout %ud%us", seconds / 86400, seconds % 86400);
}

static void one_element(struct pv_buf *out, const struct nft *n, const char *verb, const struct ip_prefix *who, uint32_t seconds)
{
	pv_buf_printf(out, "%s element " TABLE " %s { ", verb, set_names[set_of(n, who)]);
	element_text(out, n, who, seconds);
	pv_buf_puts(out, " }\n");
}

static void watch(struct nft *n, const struct ip_prefix *who, uint32_t seconds)
{
	n->canaries[set_of(n, who)] = (struct canary){ .who = *who, .until_us = clock_monotonic_us() + seconds * USEC_PER_SEC };
}

static void forget_canaries(struct nft *n)
{
	memset(n->canaries, 0, sizeof(n->canaries));
}

/* Older kernels keep the old timeout of an element that is there: it is taken out first. */
int nft_ban(struct nft *n, const struct ip_prefix *who, uint32_t seconds)
{
	pv_autobuf text = PV_BUF_INIT;
	int r;

	one_element(&text, n, "add", who, seconds);
	one_element(&text, n, "delete", who, 0);
	one_element(&text, n, "add", who, seconds);
	r = run(n, &text);
	if (r < 0)
		return r;
	note_generation(n);
	watch(n, who, seconds);
	return 0;
}

int nft_unban(struct nft *n, const struct ip_prefix *who)
{
	pv_autobuf text = PV_BUF_INIT;
	int r;

	one_element(&text, n, "add", who, 60); /* taking out what is not there would be an error */
	one_element(&text, n, "delete", who, 0);
	r = run(n, &text);
	if (r < 0) /* within another network: it was left out at nft_load() */
		return r == -EEXIST ? 0 : r;
	note_generation(n);
	if (memcmp(&n->canaries[set_of(n, who)].who, who, sizeof(*who)) == 0)
		n->canaries[set_of(n, who)].until_us = 0;
	return 0;
}

static struct ip_prefix who_of(const struct broker_ban *ban)
{
	struct ip_prefix who = { .len = ban->prefix };

	memcpy(who.addr.b, ban->addr, sizeof(who.addr.b));
	return who;
}

static bool in_interval_set(const struct nft *n, const struct broker_ban *ban)
{
	const struct ip_prefix who = who_of(ban);
	const enum set s = set_of(n, &who);

	return s == NET4 || s == NET6;
}

/* By address, the wider one first. */
static int compare(const void *a, const void *b)
{
	const struct broker_ban *x = a, *y = b;
	int r = memcmp(x->addr, y->addr, sizeof(x->addr));

	return r ? r : x->prefix - y->prefix;
}

/* Networks within one another would be refused, and all the others with them. The widest stands for those that it holds, for as
 * long as the longest of them. Returns how many are left. */
static size_t fold_networks(const struct nft *n, struct broker_ban *bans, size_t count)
{
	size_t first = count, kept;

	for (size_t i = count; i-- > 0;)
		if (in_interval_set(n, &bans[i])) {
			const struct broker_ban one = bans[i];

			bans[i] = bans[--first];
			bans[first] = one;
		}
	qsort(bans + first, count - first, sizeof(*bans), compare);
	kept = first;
	for (size_t i = first; i < count; i++) {
		const struct ip_prefix who = who_of(&bans[i]), before = kept > first ? who_of(&bans[kept - 1]) : (struct ip_prefix){ .len = 129 };

		if (before.len <= who.len && set_of(n, &before) == set_of(n, &who) && ip_in_prefix(&who.addr, &before))
			bans[kept - 1].seconds = PV_MAX(bans[kept - 1].seconds, bans[i].seconds);
		else
			bans[kept++] = bans[i];
	}
	return kept;
}

int nft_load(struct nft *n, struct broker_ban *bans, size_t count)
{
	pv_autobuf text = { .cap = 64u << 20 };
	int r;

	count = fold_networks(n, bans, count);
	forget_canaries(n);
	for (unsigned s = 0; s < SETS; s++) {
		bool first = true;

		pv_buf_printf(&text, "flush set " TABLE " %s\n", set_names[s]);
		for (size_t i = 0; i < count; i++) {
			const struct ip_prefix who = who_of(&bans[i]);

			if (set_of(n, &who) != s)
				continue;
			if (first)
				pv_buf_printf(&text, "add element " TABLE " %s { ", set_names[s]);
			else
				pv_buf_puts(&text, ",");
			element_text(&text, n, &who, bans[i].seconds);
			first = false;
			watch(n, &who, bans[i].seconds);
		}
		pv_buf_puts(&text, first ? "" : " }\n");
	}
	r = run(n, &text);
	pv_buf_done(&text);
	if (count > TRIM_ABOVE)
		(void) malloc_trim(0);
	if (r == 0)
		note_generation(n);
	else
		forget_canaries(n);
	return r;
}

int nft_off(struct nft *n, uint32_t seconds)
{
	pv_autobuf text = PV_BUF_INIT, timeout = PV_BUF_INIT;
	int r;

	if (seconds && seconds != UINT32_MAX)
		pv_buf_printf(&timeout, " timeout %ud%us", seconds / 86400, seconds % 86400);
	pv_buf_puts(&text, "flush set " TABLE " off\n");
	if (seconds)
		pv_buf_printf(&text, "add element " TABLE " off { ipv4%s, ipv6%s }\n", pv_buf_str(&timeout), pv_buf_str(&timeout));
	r = run(n, &text);
	if (r == 0)
		note_generation(n);
	return r;
}

int nft_remove(struct nft *n)
{
	pv_autobuf text = PV_BUF_INIT;

	pv_buf_puts(&text, "delete table " TABLE "\n");
	n->made = false;
	forget_canaries(n);
	return run(n, &text);
}

/* --- is it still so --- */

static bool canaries_there(const struct nft *n, uint64_t now_us)
{
	for (unsigned s = 0; s < SETS; s++) {
		const struct canary *c = &n->canaries[s];
		bool v4 = s == BAN4 || s == NET4;

		if (c->until_us > now_us + USEC_PER_SEC &&
		    nft_look_element(set_names[s], c->who.addr.b + (v4 ? 12 : 0), v4 ? 4 : 16) == -ENOENT)
			return false;
	}
	return true;
}

int nft_check(struct nft *n, uint64_t now_us)
{
	uint32_t generation;
	unsigned rules = 0;
	int r;

	if (!n->made || nft_look_generation(&generation) < 0 || generation == n->generation)
		return 0;
	r = nft_look_rules(n->form.raw ? "early" : "in", &rules);
	if (r < 0 && r != -ENOENT)
		return 0; /* it cannot be looked at now */
	n->generation = generation;
	if (r == 0 && rules == RULES && canaries_there(n, now_us))
		return 0;
	n->made = false;
	forget_canaries(n);
	return 1;
}

int nft_dropped(struct nft *n, uint64_t *ret_packets)
{
	(void) n;
	return nft_look_counter("dropped", ret_packets);
}

/* --- the test --- */

/* A datagram from a banned address to the loopback interface: IP_TRANSPARENT lets us take a foreign source (NET_ADMIN), and
 * prerouting sees it before anybody asks whether such a source may come from there. No packet leaves the host. */
static int send_as(const struct ip_addr *from)
{
	bool v4 = ip_is_v4(from);
	pv_autoclose int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	const int yes = 1;
	int r;

	if (fd < 0)
		return -errno;
	r = v4 ? setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &yes, sizeof(yes)) :
		 setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &yes, sizeof(yes));
	if (r < 0)
		return -errno;
	memcpy(&in.sin_addr, from->b + 12, 4);
	memcpy(&in6.sin6_addr, from->b, 16);
	r = v4 ? bind(fd, (struct sockaddr *) &in, sizeof(in)) : bind(fd, (struct sockaddr *) &in6, sizeof(in6));
	if (r < 0)
		return -errno;
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = in6.sin6_port = htons(9); /* discard */
	in6.sin6_addr = in6addr_loopback;
	r = v4 ? (int) sendto(fd, "", 1, 0, (struct sockaddr *) &in, sizeof(in)) :
		 (int) sendto(fd, "", 1, 0, (struct sockaddr *) &in6, sizeof(in6));
	return r < 0 ? -errno : 0;
}

int nft_test(struct nft *n, const struct ip_prefix *who)
{
	uint64_t before = 0, after = 0;
	int r = n->form.raw ? -EOPNOTSUPP : nft_dropped(n, &before); /* raw: loopback is let through */

	if (r == 0)
		r = send_as(&who->addr);
	if (r == 0)
		r = nft_dropped(n, &after);
	if (r < 0)
		return r;
	return after > before ? 0 : -ENODATA;
}
