/* `nft -j list ruleset`: libnftables-json(5). A verdict map becomes one rule for each of its elements. */
#include <string.h>

#include "check/fw_rules.h"
#include "engine_api/json.h"

#define RULES_MAX  60000
#define VALUES_MAX 300000

struct set {
	const char *family, *table, *name;
	const cJSON *elem;
};

struct reader {
	struct fw *fw;
	struct fw_chain *last_iptables;
	struct set *set;
	size_t n_sets, rules, values;
	/* the rule that is being read */
	struct fw_chain *chain;
	const char *family;
	struct fw_rule rule;
};

static const char *text(const cJSON *o, const char *key)
{
	const char *s = cJSON_GetStringValue(json_member(o, key));

	return s ? s : "";
}

static bool is(const cJSON *v, const char *word)
{
	return cJSON_IsString(v) && strcmp(v->valuestring, word) == 0;
}

/* --- the left side of a match --- */

struct left {
	enum fw_what what;
	int proto;  /* that the packet must have for this to be looked at; 0: any */
	int family; /* likewise */
	char word;  /* s: state, t: status, d: direction, y: type of address, o: way back, f: flags, k: kind of packet; 0:
		       values */
};

static void left_payload(const cJSON *p, struct left *l)
{
	const char *proto = text(p, "protocol"), *field = text(p, "field");

	if (strcmp(proto, "tcp") == 0 || strcmp(proto, "udp") == 0 || strcmp(proto, "th") == 0) {
		l->proto = *proto == 'u' ? 17 : proto[1] == 'c' ? 6 : 0;
		if (strcmp(field, "dport") == 0)
			l->what = FW_DPORT;
		else if (strcmp(field, "sport") == 0)
			l->what = FW_SPORT;
		else if (strcmp(field, "flags") == 0)
			l->word = 'f';
	} else if (strcmp(proto, "ip") == 0 || strcmp(proto, "ip6") == 0) {
		l->family = proto[2] ? 6 : 4;
		if (strcmp(field, "saddr") == 0)
			l->what = FW_SADDR;
		else if (strcmp(field, "daddr") == 0)
			l->what = FW_DADDR;
		else if (strcmp(field, "protocol") == 0 || strcmp(field, "nexthdr") == 0)
			l->what = FW_PROTO;
	} else if (strncmp(proto, "icmp", 4) == 0 || strcmp(proto, "igmp") == 0 || strcmp(proto, "sctp") == 0 ||
		   strcmp(proto, "esp") == 0 || strcmp(proto, "ah") == 0 || strcmp(proto, "dccp") == 0) {
		l->proto = 255; /* none that he sends */
		l->what = FW_TRUE;
	}
}

static void left_meta(const char *key, struct left *l)
{
	static const struct {
		const char *key;
		enum fw_what what;
	} known[] = { { "l4proto", FW_PROTO },	 { "nfproto", FW_FAMILY }, { "protocol", FW_FAMILY }, { "iif", FW_IIF },
		      { "iifname", FW_IIF }, { "oif", FW_OIF },	       { "oifname", FW_OIF } };

	for (size_t i = 0; i < N_ELEMENTS(known); i++)
		if (strcmp(key, known[i].key) == 0)
			l->what = known[i].what;
	if (strcmp(key, "pkttype") == 0)
		l->word = 'k';
}

static void left_ct(const cJSON *ct, struct left *l)
{
	const char *key = text(ct, "key");
	bool original = strcmp(text(ct, "dir"), "original") == 0;

	if (strcmp(key, "state") == 0)
		l->word = 's';
	else if (strcmp(key, "status") == 0)
		l->word = 't';
	else if (strcmp(key, "direction") == 0)
		l->word = 'd';
	else if (original && strcmp(key, "proto-dst") == 0)
		l->what = FW_ORIG_DPORT;
	else if (original && strstr(key, "daddr"))
		l->what = FW_ORIG_DADDR;
}

static bool list_has(const cJSON *v, const char *word)
{
	const cJSON *e, *set = json_member(v, "set");

	if (is(v, word))
		return true;
	cJSON_ArrayForEach(e, json_array(set ? set : v)) if (list_has(e, word)) return true;
	return false;
}

static struct left left_of(const cJSON *v)
{
	struct left l = { .what = FW_UNKNOWN };
	const cJSON *payload = json_member(v, "payload"), *meta = json_member(v, "meta"), *ct = json_member(v, "ct"),
		    *fib = json_member(v, "fib"), *masked = json_array(json_member(v, "&"));

	if (payload)
		left_payload(payload, &l);
	else if (meta)
		left_meta(text(meta, "key"), &l);
	else if (ct)
		left_ct(ct, &l);
	else if (fib && strcmp(text(fib, "result"), "type") == 0 && list_has(json_member(fib, "flags"), "daddr"))
		l.word = 'y';
	else if (fib && strncmp(text(fib, "result"), "oif", 3) == 0)
		l.word = 'o';
	else if (masked) {
		l = left_of(cJSON_GetArrayItem(masked, 0));
		if (l.word != 'f')
			l = (struct left){ .what = FW_UNKNOWN };
	}
	return l;
}

/* --- the right side --- */

static bool is_addr(enum fw_what what)
{
	return what == FW_SADDR || what == FW_DADDR || what == FW_ORIG_DADDR;
}

static int number_of(enum fw_what what, const cJSON *v, uint32_t *ret)
{
	static const struct {
		const char *name;
		enum fw_what what;
		uint32_t number;
	} names[] = { { "tcp", FW_PROTO, 6 },	       { "udp", FW_PROTO, 17 },	   { "icmp", FW_PROTO, 1 },
		      { "ipv6-icmp", FW_PROTO, 58 }, { "icmpv6", FW_PROTO, 58 }, { "ipv4", FW_FAMILY, 4 },
		      { "ipv6", FW_FAMILY, 6 },	       { "ip", FW_FAMILY, 4 },	   { "ip6", FW_FAMILY, 6 } };

	if (cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble <= UINT32_MAX) {
		*ret = (uint32_t) v->valuedouble;
		if (what == FW_FAMILY)
			*ret = *ret == 2 ? 4 : *ret == 10 ? 6 : 0;
		return 0;
	}
	for (size_t i = 0; cJSON_IsString(v) && i < N_ELEMENTS(names); i++)
		if (names[i].what == what && strcmp(v->valuestring, names[i].name) == 0) {
			*ret = names[i].number;
			return 0;
		}
	if (cJSON_IsString(v) && (what == FW_PROTO || what == FW_FAMILY)) {
		*ret = 255; /* some other one */
		return 0;
	}
	return -EINVAL;
}

static bool addr_value(const cJSON *v, union fw_value *out)
{
	const cJSON *prefix = json_member(v, "prefix"), *range = json_array(json_member(v, "range")),
		    *len = json_member(prefix, "len");
	pv_autobuf s = PV_BUF_INIT;

	if (cJSON_IsString(v))
		return fw_value_prefix(out, v->valuestring);
	if (range)
		return fw_value_range(out, cJSON_GetStringValue(cJSON_GetArrayItem(range, 0)) ?: "",
				      cJSON_GetStringValue(cJSON_GetArrayItem(range, 1)) ?: "");
	if (!prefix || !cJSON_IsNumber(len))
		return false;
	pv_buf_printf(&s, "%.64s/%d", text(prefix, "addr"), len->valueint);
	return fw_value_prefix(out, pv_buf_str(&s));
}

static bool number_value(enum fw_what what, const cJSON *v, union fw_value *out)
{
	const cJSON *range = json_array(json_member(v, "range"));

	if (range)
		return number_of(what, cJSON_GetArrayItem(range, 0), &out->num.lo) == 0 &&
		       number_of(what, cJSON_GetArrayItem(range, 1), &out->num.hi) == 0;
	if (number_of(what, v, &out->num.lo) < 0)
		return false;
	out->num.hi = out->num.lo;
	return true;
}

static const struct set *set_of(const struct reader *r, const char *name)
{
	for (size_t i = 0; i < r->n_sets; i++)
		if (strcmp(r->set[i].name, name) == 0 && strcmp(r->set[i].table, r->chain->table) == 0 &&
		    strcmp(r->set[i].family, r->family) == 0)
			return &r->set[i];
	return NULL;
}

/* One value, or all of a set, named or not. What is not understood makes the match unknown. */
static void add_values(struct reader *r, struct fw_match *m, const cJSON *v, unsigned depth)
{
	const cJSON *list = json_member(v, "set"), *elem = json_member(v, "elem"), *e;
	const struct set *named = cJSON_IsString(v) && *v->valuestring == '@' ? set_of(r, v->valuestring + 1) : NULL;
	union fw_value *to;
	bool good;

	if (elem)
		v = json_member(elem, "val");
	if (named)
		list = named->elem;
	else if (cJSON_IsString(v) && *v->valuestring == '@')
		list = NULL, m->what = m->what == FW_SADDR ? FW_SADDR : FW_UNKNOWN;
	if (named && !named->elem) { /* empty: nobody stands in it; not shown: at least he does not */
		if (r->fw->terse && m->what != FW_SADDR)
			m->what = FW_UNKNOWN;
		return;
	}
	if ((list && depth < 3) || cJSON_IsArray(v)) {
		cJSON_ArrayForEach(e, json_array(list ? list : v)) add_values(r, m, e, depth + 1);
		return;
	}
	if (cJSON_IsString(v) && *v->valuestring == '@')
		return;
	to = ++r->values <= VALUES_MAX ? fw_value_add(r->fw, m) : NULL;
	if (!to) {
		r->fw->cut = true;
		return;
	}
	if (is_addr(m->what))
		good = addr_value(v, to);
	else if (m->what == FW_IIF || m->what == FW_OIF)
		good = cJSON_IsString(v) && (to->name = arena_dup(r->fw->arena, v->valuestring));
	else
		good = number_value(m->what, v, to);
	if (!good)
		m->what = FW_UNKNOWN;
}

static struct fw_match *add_match(struct reader *r, enum fw_what what, bool negate)
{
	return fw_match_add(r->fw, &r->rule, what, negate);
}

static void need_number(struct reader *r, enum fw_what what, int number)
{
	struct fw_match *m = number ? add_match(r, what, false) : NULL;
	union fw_value *v = fw_value_add(r->fw, m);

	if (v)
		v->num.lo = v->num.hi = (uint32_t) number;
}

static void add_flag(struct reader *r, bool yes, bool negate)
{
	(void) add_match(r, FW_TRUE, yes == negate);
}

/* A property of the stranger's packet that is known beforehand. */
static void add_word(struct reader *r, char word, const cJSON *right, bool negate)
{
	switch (word) {
	case 's':
		add_flag(r, list_has(right, "new"), negate);
		break;
	case 't':
		if (list_has(right, "dnat"))
			(void) add_match(r, FW_DNATTED, negate);
		else
			add_flag(r, false, negate);
		break;
	case 'd':
		add_flag(r, list_has(right, "original"), negate);
		break;
	case 'y':
		if (list_has(right, "local"))
			(void) add_match(r, FW_DLOCAL, negate);
		else
			add_flag(r, false, negate);
		break;
	case 'o': /* `fib saddr . iif oif missing`, or exists */
		add_flag(r, !cJSON_IsFalse(right), negate);
		break;
	case 'k':
		add_flag(r, list_has(right, "host") || list_has(right, "unicast"), negate);
		break;
	default:
		add_flag(r, list_has(right, "syn"), negate);
		break;
	}
}

/* `tcp dport < 1024` */
static void add_compared(struct reader *r, enum fw_what what, const char *op, const cJSON *right)
{
	struct fw_match *m = add_match(r, what, false);
	union fw_value *v = fw_value_add(r->fw, m);
	uint32_t n;

	if (!m || !v)
		return;
	if (is_addr(what) || number_of(what, right, &n) < 0) {
		m->what = FW_UNKNOWN;
		return;
	}
	v->num.hi = UINT32_MAX;
	if (*op == '<')
		v->num.hi = op[1] ? n : n - 1;
	else
		v->num.lo = op[1] ? n : n + 1;
	if (!op[1] && n == 0 && *op == '<')
		m->negate = true, v->num.hi = UINT32_MAX;
}

static void add_one(struct reader *r, const struct left *l, const char *op, const cJSON *right)
{
	bool negate = strcmp(op, "!=") == 0;
	struct fw_match *m;

	need_number(r, FW_PROTO, l->proto);
	need_number(r, FW_FAMILY, l->family);
	if (l->word) {
		add_word(r, l->word, right, negate);
	} else if (*op == '<' || *op == '>') {
		add_compared(r, l->what, op, right);
	} else {
		m = add_match(r, l->what, negate);
		if (m && m->what != FW_UNKNOWN && m->what != FW_TRUE)
			add_values(r, m, right, 0);
	}
}

/* --- several things at once: `ip daddr . tcp dport { ... }` --- */

/* One group of a tuple, as matches of their own; they are moved out of a scratch rule. */
static void tuple_group(struct reader *r, const cJSON *lefts, const cJSON *rights, struct fw_match *to, size_t width)
{
	struct fw_rule outer = r->rule;
	size_t i = 0;

	for (size_t k = 0; k < width; k++)
		to[k] = (struct fw_match){ .what = FW_TRUE };
	for (const cJSON *e = lefts ? lefts->child : NULL; e && i < width / 3; e = e->next, i++) {
		struct left l = left_of(e);

		r->rule = (struct fw_rule){ .n = 0 };
		add_one(r, &l, "==", cJSON_GetArrayItem(rights, (int) i));
		for (size_t k = 0; k < r->rule.n && k < 3; k++)
			to[i * 3 + k] = r->rule.match[k];
	}
	r->rule = outer;
}

static const cJSON *concat_of(const cJSON *v)
{
	const cJSON *elem = json_member(v, "elem");

	return json_array(json_member(elem ? json_member(elem, "val") : v, "concat"));
}

static void add_tuples(struct reader *r, const cJSON *lefts, const cJSON *right, bool negate)
{
	const cJSON *list = json_member(right, "set"), *e;
	const struct set *named =
		cJSON_IsString(right) && *right->valuestring == '@' ? set_of(r, right->valuestring + 1) : NULL;
	size_t width = 3 * (size_t) cJSON_GetArraySize(lefts), n = 0;
	struct fw_match *m, *sub;

	list = json_array(named ? named->elem : list);
	if (!list || !width || width > 24) {
		bool empty = named && !list && !r->fw->terse;

		(void) add_match(r, empty ? FW_TRUE : FW_UNKNOWN, empty && !negate);
		return;
	}
	n = (size_t) cJSON_GetArraySize(list);
	r->values += n * width;
	sub = r->values <= VALUES_MAX ? arena_alloc(r->fw->arena, n * width * sizeof(*sub) + 1) : NULL;
	if (!sub) {
		r->fw->cut = true;
		return;
	}
	n = 0;
	cJSON_ArrayForEach(e, list) tuple_group(r, lefts, concat_of(e), sub + n++ * width, width);
	m = add_match(r, FW_TUPLES, negate);
	if (m) {
		m->sub = sub;
		m->n = n;
		m->width = width;
	}
}

static void on_match(struct reader *r, const cJSON *m)
{
	const cJSON *left = json_member(m, "left"), *right = json_member(m, "right");
	const cJSON *concat = json_array(json_member(left, "concat"));
	struct left l = left_of(left);
	const char *op = text(m, "op");

	if (concat)
		add_tuples(r, concat, right, strcmp(op, "!=") == 0);
	else
		add_one(r, &l, op, right);
}

/* --- verdicts --- */

static void emit(struct reader *r, struct fw_rule rule)
{
	struct fw_rule *to = ++r->rules <= RULES_MAX ? fw_rule_add(r->fw, r->chain) : NULL;

	if (!to) {
		r->fw->cut = true;
		return;
	}
	/* its own list: the next one may add to the same matches */
	*to = rule;
	to->match = rule.n ? arena_alloc(r->fw->arena, rule.n * sizeof(*to->match)) : NULL;
	to->n = to->match ? rule.n : 0;
	if (to->match)
		memcpy(to->match, rule.match, rule.n * sizeof(*to->match));
}

static const struct fw_nat *nat_of(struct reader *r, const cJSON *v)
{
	struct fw_nat *nat = arena_alloc(r->fw->arena, sizeof(*nat));
	const cJSON *addr = json_member(v, "addr"), *port = json_member(v, "port"),
		    *range = json_array(json_member(addr, "range"));

	if (range)
		addr = cJSON_GetArrayItem(range, 0);
	if (nat && cJSON_IsString(addr))
		nat->has_addr = ip_parse(addr->valuestring, &nat->addr) == 0;
	if (nat && cJSON_IsNumber(port) && port->valueint > 0 && port->valueint < 65536)
		nat->port = (uint16_t) port->valueint;
	return nat;
}

static bool verdict_of(struct reader *r, const cJSON *s, struct fw_rule *rule)
{
	static const struct {
		const char *key;
		enum fw_verdict verdict;
	} known[] = { { "accept", FW_ACCEPT },	 { "drop", FW_DROP },	    { "reject", FW_DROP },
		      { "return", FW_RETURN },	 { "jump", FW_JUMP },	    { "goto", FW_GOTO },
		      { "queue", FW_ANYTHING },	 { "dnat", FW_DNAT },	    { "redirect", FW_REDIRECT },
		      { "masquerade", FW_ACCEPT }, { "snat", FW_ACCEPT },    { "tproxy", FW_ANYTHING },
		      { "continue", FW_GO_ON },	 { "synproxy", FW_ANYTHING } };

	for (size_t i = 0; i < N_ELEMENTS(known); i++) {
		const cJSON *v;

		if (!s || !s->string || strcmp(s->string, known[i].key) != 0)
			continue;
		v = s;
		rule->verdict = known[i].verdict;
		if (rule->verdict == FW_JUMP || rule->verdict == FW_GOTO)
			rule->target_name = arena_dup(r->fw->arena, text(v, "target"));
		if (rule->verdict == FW_DNAT || rule->verdict == FW_REDIRECT)
			rule->nat = nat_of(r, v);
		return true;
	}
	return false;
}

/* `tcp dport vmap { 22 : accept, ... }` */
static void on_vmap(struct reader *r, const cJSON *map)
{
	const cJSON *key = json_member(map, "key"), *data = json_member(map, "data"), *list, *e;
	const cJSON *concat = json_array(json_member(key, "concat"));
	const struct set *named =
		cJSON_IsString(data) && *data->valuestring == '@' ? set_of(r, data->valuestring + 1) : NULL;
	struct left l = left_of(key);

	list = json_array(named ? named->elem : json_member(data, "set"));
	if (!list && !(named && !named->elem && !r->fw->terse)) {
		struct fw_rule any = r->rule;

		any.verdict = FW_ANYTHING;
		emit(r, any);
	}
	cJSON_ArrayForEach(e, list)
	{
		struct fw_rule before = r->rule;
		const cJSON *value = cJSON_GetArrayItem(e, 0), *verdict = cJSON_GetArrayItem(e, 1);

		/* matches may have moved: the copy of the rule holds those before this element */
		r->rule.match = NULL;
		r->rule.n = 0;
		for (size_t i = 0; i < before.n; i++) {
			struct fw_match *m = add_match(r, FW_TRUE, false);

			if (m)
				*m = before.match[i];
		}
		if (concat) {
			struct fw_match *m = add_match(r, FW_TUPLES, false);
			size_t width = 3 * (size_t) cJSON_GetArraySize(concat);

			if (m && width && width <= 24 && (m->sub = arena_alloc(r->fw->arena, width * sizeof(*m->sub)))) {
				struct fw_match *sub = m->sub;

				m->n = 1;
				m->width = width;
				tuple_group(r, concat, concat_of(value), sub, width);
			}
		} else {
			add_one(r, &l, "==", value);
		}
		if (!verdict || !verdict_of(r, verdict->child, &r->rule))
			r->rule.verdict = FW_ANYTHING;
		emit(r, r->rule);
		r->rule = before;
	}
}

static bool over(const cJSON *v)
{
	return cJSON_IsTrue(json_member(v, "inv"));
}

/* One statement. True when it ends the rule. */
static bool on_statement(struct reader *r, const cJSON *s)
{
	const cJSON *v = s ? s->child : NULL;
	const char *key = v && v->string ? v->string : "";

	if (strcmp(key, "match") == 0) {
		on_match(r, v);
	} else if (strcmp(key, "vmap") == 0) {
		on_vmap(r, v);
	} else if (strcmp(key, "limit") == 0 || strcmp(key, "ct count") == 0) {
		add_flag(r, !over(v), false);
	} else if (strcmp(key, "quota") == 0) {
		(void) add_match(r, FW_UNKNOWN, false);
	} else if (strcmp(key, "xt") == 0) {
		if (strcmp(text(v, "type"), "target") == 0) {
			r->rule.verdict = FW_ANYTHING;
			return true;
		}
		(void) add_match(r, FW_UNKNOWN, false);
	} else {
		return verdict_of(r, v, &r->rule) && r->rule.verdict != FW_GO_ON;
	}
	return false;
}

/* --- tables, chains, sets --- */

static bool families(const char *family, bool *v4, bool *v6)
{
	bool both = strcmp(family, "inet") == 0 || strcmp(family, "netdev") == 0;

	*v4 = both || strcmp(family, "ip") == 0;
	*v6 = both || strcmp(family, "ip6") == 0;
	return *v4 || *v6;
}

/* iptables-save has told of it already. */
static bool told(const struct reader *r, const char *table, bool v4, bool v6)
{
	for (const struct fw_chain *c = r->last_iptables ? r->fw->first : NULL; c; c = c->next) {
		if (c->v4 == v4 && c->v6 == v6 && strcmp(c->table, table) == 0)
			return true;
		if (c == r->last_iptables)
			break;
	}
	return false;
}

/* Chains of one name and table in different families are different ones: netdev and inet are both of both. */
static const char *table_name(struct reader *r, const char *family, const char *table)
{
	return strcmp(family, "netdev") == 0 ? arena_printf(r->fw->arena, "netdev %s", table) : table;
}

static void on_chain(struct reader *r, const cJSON *o)
{
	static const struct {
		const char *name;
		enum fw_hook hook;
	} hooks[] = { { "ingress", FW_INGRESS }, { "prerouting", FW_PREROUTING }, { "input", FW_INPUT }, { "forward", FW_FORWARD } };
	const char *family = text(o, "family"), *table = table_name(r, family, text(o, "table"));
	struct fw_chain *c;
	bool v4, v6;

	if (!families(family, &v4, &v6) || !table || told(r, table, v4, v6))
		return;
	c = fw_chain_of(r->fw, table, text(o, "name"), v4, v6);
	if (!c)
		return;
	c->drops = strcmp(text(o, "policy"), "drop") == 0;
	c->nat = strcmp(text(o, "type"), "nat") == 0;
	c->prio = cJSON_IsNumber(json_member(o, "prio")) ? json_member(o, "prio")->valueint : 0;
	if (*text(o, "dev"))
		c->device = arena_dup(r->fw->arena, text(o, "dev"));
	for (size_t i = 0; i < N_ELEMENTS(hooks); i++)
		if (strcmp(text(o, "hook"), hooks[i].name) == 0)
			c->hook = hooks[i].hook;
}

static void on_set(struct reader *r, const cJSON *o)
{
	struct set *list = arena_grow(r->fw->arena, r->set, r->n_sets, sizeof(*list));

	if (!list)
		return;
	r->set = list;
	list[r->n_sets++] = (struct set){ text(o, "family"), table_name(r, text(o, "family"), text(o, "table")),
					  text(o, "name"), json_array(json_member(o, "elem")) };
}

static void on_rule(struct reader *r, const cJSON *o)
{
	const char *family = text(o, "family"), *table = table_name(r, family, text(o, "table"));
	const cJSON *s;
	bool v4, v6;

	if (!families(family, &v4, &v6) || !table || told(r, table, v4, v6))
		return;
	r->family = family;
	r->chain = fw_chain_of(r->fw, table, text(o, "chain"), v4, v6);
	r->rule = (struct fw_rule){ .verdict = FW_GO_ON };
	if (!r->chain)
		return;
	cJSON_ArrayForEach(s, json_array(json_member(o, "expr"))) if (on_statement(r, s))
	{
		emit(r, r->rule);
		return;
	}
}

int fw_read_nft(struct fw *fw, const char *json, size_t len)
{
	struct reader r = { .fw = fw, .last_iptables = fw->last };
	auto_json *root = NULL;
	const cJSON *list, *e;
	int e_parse = json_parse(json, len, &root);

	if (e_parse < 0)
		return e_parse;
	list = json_member(root, "nftables");
	if (!cJSON_IsArray(list))
		return -EBADMSG;
	cJSON_ArrayForEach(e, list)
	{
		if (json_member(e, "chain"))
			on_chain(&r, json_member(e, "chain"));
		else if (json_member(e, "set") || json_member(e, "map"))
			on_set(&r, json_member(e, "set") ? json_member(e, "set") : json_member(e, "map"));
	}
	cJSON_ArrayForEach(e, list) if (json_member(e, "rule")) on_rule(&r, json_member(e, "rule"));
	return fw->arena->poor ? -ENOMEM : 0;
}
