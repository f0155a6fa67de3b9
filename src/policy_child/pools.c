#include "policy_child/pools.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "base/text.h"
#include "base/util.h"
#include "match/rule_file.h"
#include "model/dns_table.h"
#include "model/minisign.h"

static int add_port(struct policy *p, const char *word)
{
	uint32_t port;

	if (parse_u32(word, &port) < 0 || port == 0 || port > 65535)
		return -EINVAL;
	if (p->pool.n_ports == POLICY_PORTS)
		return -E2BIG;
	p->pool.ports[p->pool.n_ports++] = (uint16_t) port;
	return 0;
}

static int add_resolver(struct policy *p, const char *word)
{
	if (p->pool.n_resolvers == POLICY_RESOLVERS)
		return -E2BIG;
	return ip_parse(word, &p->pool.resolvers[p->pool.n_resolvers++]);
}

static int add_word(struct policy *p, const char *id, const char *word)
{
	if (strncmp(id, "net.pool-name", 13) == 0)
		return dns_table_pool(&p->dns.table, word, POOL_NAME);
	if (strncmp(id, "net.pool-port", 13) == 0)
		return add_port(p, word);
	if (strncmp(id, "dns.resolver-name", 17) == 0)
		return dns_table_pool(&p->dns.table, word, POOL_RESOLVER);
	if (strncmp(id, "dns.resolver-address", 20) == 0)
		return add_resolver(p, word);
	return 0;
}

static int add_rules(struct policy *p, const struct rules *rs, const char *name, struct pv_buf *err)
{
	dns_table_pools_clear(&p->dns.table);
	p->pool.n_ports = p->pool.n_resolvers = 0;
	p->pool.version = rules_version(rs);
	for (size_t i = 0; i < rules_count(rs); i++) {
		const struct rule *rule = rules_get(rs, i);

		for (size_t k = 0; k < rule->names.n; k++) {
			int r = add_word(p, rule->id, rule->names.word[k]);

			if (r == 0)
				continue;
			pv_buf_safe(err, name, 0);
			pv_buf_printf(err, ": `%s` of %s: %s\n", rule->names.word[k], rule->id,
				      r == -E2BIG ? "too many of them" : "is not of the kind that the rule's id says");
			return -EINVAL;
		}
	}
	return 0;
}

static int load(const struct pool_file *f, struct rules **ret, struct pv_buf *err)
{
	pv_auto(rules) rs = NULL;
	int r = rules_new(&rs);

	if (r == 0)
		r = rules_add_file(rs, f->name, f->text, f->len, err);
	if (r == 0 && !rules_version(rs)) {
		pv_buf_safe(err, f->name, 0);
		pv_buf_puts(err, ":1:1: a list of pools needs `version`, a number that grows\n");
		r = -EINVAL;
	}
	if (r == 0)
		*ret = pv_steal(rs);
	return r;
}

/* NULL: it may be used. */
static const char *unsigned_why(const struct policy *p, const struct pool_file *own, const struct pool_file *sig)
{
	struct minisign_key key;

	if (own->trouble || sig->trouble)
		return own->trouble ? own->trouble : sig->trouble;
	if (!p->pool.key[0])
		return "no key is configured (net.pool_key)";
	if (!sig->text)
		return "it is not signed: its signature .minisig does not lie beside it";
	if (minisign_key_parse(p->pool.key, &key) < 0)
		return "net.pool_key is no key";
	switch (minisign_verify(&key, own->text, own->len, sig->text, sig->len)) {
	case 0:
		return NULL;
	case -EBADMSG:
		return "its signature is none of minisign's";
	case -ENOKEY:
		return "it is signed by another key than net.pool_key";
	default:
		return "its signature does not fit: it was changed after it was signed";
	}
}

static int take_own(struct policy *p, const struct pool_file *own, const struct pool_file *sig, uint64_t least,
		    struct pv_buf *why)
{
	const char *text = unsigned_why(p, own, sig);
	pv_auto(rules) rs = NULL;
	int r;

	if (text) { /* before a byte of it is parsed */
		pv_buf_puts(why, text);
		return -EPERM;
	}
	r = load(own, &rs, why);
	if (r == 0 && rules_version(rs) < least) {
		pv_buf_printf(why, "it is older (version %" PRIu64 ") than the present one (%" PRIu64 ")", rules_version(rs),
			      least);
		r = -ESTALE;
	}
	return r < 0 ? r : add_rules(p, rs, own->name, why);
}

static const char *first_line(const char *text, char *out, size_t size)
{
	(void) snprintf(out, size, "%.*s", (int) strcspn(text, "\n"), text);
	return out;
}

int pools_take(struct policy *p, const struct pool_file *shipped, const struct pool_file *own, const struct pool_file *own_sig,
	       uint64_t present, struct pv_buf *err, struct pv_buf *notes)
{
	pv_autobuf why = PV_BUF_INIT, told = PV_BUF_INIT;
	pv_auto(rules) rs = NULL;
	uint64_t version = 0;
	char line[200];
	int r = shipped->text ? load(shipped, &rs, err) : 0;

	if (r < 0)
		return r;
	if (rs)
		version = rules_version(rs);
	p->pool.refused[0] = '\0';
	if ((own->text || own->trouble) && take_own(p, own, own_sig, PV_MAX(version, present), &why) == 0)
		return 0;
	r = rs ? add_rules(p, rs, shipped->name, err) : 0;
	if (r < 0 || !(own->text || own->trouble))
		return r;
	pv_buf_safe(&told, own->name, 0);
	pv_buf_puts(&told, " is not used: ");
	pv_buf_safe(&told, first_line(pv_buf_str(&why), line, sizeof(line)), 0);
	(void) text_copy(p->pool.refused, sizeof(p->pool.refused), pv_buf_str(&told));
	pv_buf_printf(present > version ? err : notes, "%s\n", pv_buf_str(&told));
	return present > version ? -ESTALE : 0;
}
