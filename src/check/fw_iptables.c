/* iptables-save(8), ip6tables-save: one rule a line, options as iptables(8) and iptables-extensions(8) have them. */
#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "check/fw_rules.h"

#define WORDS_MAX 128
#define RULES_MAX 60000

struct line { /* a rule, cut into words */
	char *word[WORDS_MAX];
	size_t n, at;
};

struct reader {
	struct fw *fw;
	const char *table;
	bool v6;
	size_t rules;
};

/* Words are separated by blanks; "..." holds some together, \ stands before a quote inside. */
static void cut_words(char *s, struct line *l)
{
	l->n = l->at = 0;
	while (*s && l->n < WORDS_MAX) {
		char *out;

		while (*s == ' ' || *s == '\t')
			s++;
		if (!*s)
			return;
		l->word[l->n++] = out = s;
		if (*s == '"') {
			for (s++; *s && *s != '"'; s++) {
				if (*s == '\\' && s[1])
					s++;
				*out++ = *s;
			}
			if (*s)
				s++;
		} else {
			while (*s && *s != ' ' && *s != '\t')
				*out++ = *s++;
		}
		if (*s)
			s++;
		*out = '\0';
	}
}

static const char *next_word(struct line *l)
{
	return l->at < l->n ? l->word[l->at++] : "";
}

static int proto_number(const char *s)
{
	static const struct {
		const char *name;
		int number;
	} known[] = { { "tcp", 6 },   { "udp", 17 },  { "icmp", 1 },  { "ipv6-icmp", 58 }, { "icmpv6", 58 },
		      { "esp", 50 },  { "ah", 51 },   { "sctp", 132 }, { "gre", 47 },	   { "igmp", 2 },
		      { "dccp", 33 }, { "udplite", 136 } };
	uint32_t n;

	for (size_t i = 0; i < N_ELEMENTS(known); i++)
		if (strcmp(s, known[i].name) == 0)
			return known[i].number;
	return parse_u32(s, &n) == 0 && n < 256 ? (int) n : 255;
}

static void add_number(struct reader *r, struct fw_match *m, uint32_t lo, uint32_t hi)
{
	union fw_value *v = fw_value_add(r->fw, m);

	if (v) {
		v->num.lo = lo;
		v->num.hi = hi;
	}
}

/* "22", "1000:2000", "22,80,1000:2000" */
static void add_ports(struct reader *r, struct fw_match *m, const char *s)
{
	while (m && *s) {
		char one[32];
		size_t len = strcspn(s, ","), colon;
		uint32_t lo = 0, hi = 65535;

		if (len < sizeof(one)) {
			memcpy(one, s, len);
			one[len] = '\0';
			colon = strcspn(one, ":-");
			if (one[colon]) {
				one[colon] = '\0';
				if (one[colon + 1])
					(void) parse_u32(one + colon + 1, &hi);
				if (*one)
					(void) parse_u32(one, &lo);
				add_number(r, m, lo, hi);
			} else if (parse_u32(one, &lo) == 0) {
				add_number(r, m, lo, lo);
			} else {
				m->what = FW_UNKNOWN;
			}
		}
		s += len + (s[len] == ',');
	}
}

static void add_addresses(struct reader *r, struct fw_match *m, const char *s)
{
	while (m && *s) {
		char one[128];
		size_t len = strcspn(s, ",");
		union fw_value *v = fw_value_add(r->fw, m);

		if (len >= sizeof(one) || !v)
			return;
		memcpy(one, s, len);
		one[len] = '\0';
		if (!fw_value_prefix(v, one))
			m->what = FW_UNKNOWN;
		s += len + (s[len] == ',');
	}
}

static void add_range(struct reader *r, struct fw_match *m, const char *s)
{
	const char *dash = strchr(s, '-');
	union fw_value *v = fw_value_add(r->fw, m);
	char lo[64];

	if (!m || !v)
		return;
	if (!dash || (size_t) (dash - s) >= sizeof(lo)) {
		m->what = FW_UNKNOWN;
		return;
	}
	memcpy(lo, s, (size_t) (dash - s));
	lo[dash - s] = '\0';
	if (!fw_value_range(v, lo, dash + 1))
		m->what = FW_UNKNOWN;
}

static void add_name(struct reader *r, struct fw_match *m, const char *s)
{
	union fw_value *v = fw_value_add(r->fw, m);

	if (v)
		v->name = arena_dup(r->fw->arena, s);
	if (!v || !v->name)
		r->fw->cut = true;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strcasestr(p, word)); p++)
		if ((p == list || p[-1] == ',') && (p[n] == ',' || p[n] == '\0'))
			return true;
	return false;
}

/* The first packet of a connection has SYN and nothing else. "FIN,SYN,RST,ACK SYN": looked at, and set. */
static bool syn_fits(const char *mask, const char *set)
{
	bool looks = has_word(mask, "SYN") || has_word(mask, "ALL");

	if (strcmp(set, "NONE") == 0 || !*set)
		return !looks;
	return looks ? strcasecmp(set, "SYN") == 0 : false;
}

/* A match with one word behind it: 1 taken, 0 not one of these. */
static int with_one_word(struct reader *r, struct fw_rule *rule, const char *o, bool negate, struct line *l)
{
	static const struct {
		const char *option;
		enum fw_what what;
		char kind; /* a: addresses, p: ports, i: interface, r: range */
	} plain[] = {
		{ "-s", FW_SADDR, 'a' },	     { "-d", FW_DADDR, 'a' },
		{ "-i", FW_IIF, 'i' },		     { "-o", FW_OIF, 'i' },
		{ "--dport", FW_DPORT, 'p' },	     { "--dports", FW_DPORT, 'p' },
		{ "--sport", FW_SPORT, 'p' },	     { "--sports", FW_SPORT, 'p' },
		{ "--src-range", FW_SADDR, 'r' },    { "--dst-range", FW_DADDR, 'r' },
		{ "--ctorigdstport", FW_ORIG_DPORT, 'p' }, { "--ctorigdst", FW_ORIG_DADDR, 'a' },
	};

	for (size_t i = 0; i < N_ELEMENTS(plain); i++) {
		struct fw_match *m;

		if (strcmp(o, plain[i].option) != 0)
			continue;
		m = fw_match_add(r->fw, rule, plain[i].what, negate);
		if (plain[i].kind == 'a')
			add_addresses(r, m, next_word(l));
		else if (plain[i].kind == 'p')
			add_ports(r, m, next_word(l));
		else if (plain[i].kind == 'r')
			add_range(r, m, next_word(l));
		else
			add_name(r, m, next_word(l));
		return 1;
	}
	return 0;
}

/* What the stranger's first packet is, or is not: known without looking at it. */
static int known_answer(const char *o, struct line *l, enum fw_what *what, bool *yes)
{
	*what = FW_TRUE;
	*yes = true;
	if (strcmp(o, "--ctstate") == 0 || strcmp(o, "--state") == 0) {
		const char *list = next_word(l);

		*yes = has_word(list, "NEW");
		if (has_word(list, "DNAT"))
			*what = *yes ? FW_TRUE : FW_DNATTED, *yes = true;
	} else if (strcmp(o, "--ctdir") == 0) {
		*yes = strcmp(next_word(l), "ORIGINAL") == 0;
	} else if (strcmp(o, "--dst-type") == 0) {
		const char *type = next_word(l);

		*yes = strcmp(type, "LOCAL") == 0;
		*what = *yes || strcmp(type, "UNICAST") == 0 ? FW_DLOCAL : FW_TRUE;
	} else if (strcmp(o, "--src-type") == 0) {
		*yes = strcmp(next_word(l), "UNICAST") == 0;
	} else if (strcmp(o, "--pkt-type") == 0) {
		*yes = strcmp(next_word(l), "unicast") == 0;
	} else if (strcmp(o, "--tcp-flags") == 0) {
		const char *mask = next_word(l);

		*yes = syn_fits(mask, next_word(l));
	} else if (strcmp(o, "-f") == 0) {
		*yes = false;
	} else if (strcmp(o, "--syn") == 0 || strcmp(o, "--set") == 0) {
		*yes = true;
	} else if (strcmp(o, "--update") == 0 || strcmp(o, "--rcheck") == 0 || strcmp(o, "--remove") == 0) {
		*yes = false; /* recent: nobody has seen him before */
	} else if (strcmp(o, "--limit") == 0 || strcmp(o, "--hashlimit-upto") == 0 ||
		   strcmp(o, "--connlimit-upto") == 0) {
		(void) next_word(l);
	} else if (strcmp(o, "--hashlimit-above") == 0 || strcmp(o, "--connlimit-above") == 0) {
		(void) next_word(l);
		*yes = false;
	} else {
		return 0;
	}
	return 1;
}

/* Options that belong to a match or a target and decide nothing here: how many words follow. -1: not known. */
static int words_behind(const char *o)
{
	static const char *const one[] = {
		"--comment",	    "--limit-burst",	   "--name",	      "--seconds",	"--hitcount",
		"--mask",	    "--hashlimit-burst",   "--hashlimit-mode", "--hashlimit-name", "--hashlimit-htable-expire",
		"--hashlimit-srcmask", "--log-prefix",	   "--log-level",     "--reject-with",	"--nflog-prefix",
		"--nflog-group",    "--connlimit-mask",	   "--set-xmark",     "--set-mark",	"--to-source",
		"--nfmask",	    "--ctmask",		   "--set-mss",	      "--zone",		"--type",
		"--hashlimit-htable-size", "--hashlimit-htable-max", "--hashlimit-htable-gcinterval", "--set-xdscp",
		"--icmp-type",	    "--icmpv6-type",	   "--queue-num",     "--helper",	"--nflog-threshold",
	};
	static const char *const none[] = { "--rsource",	   "--rdest",	     "--rttl",		 "--log-tcp-options",
					    "--log-ip-options",	   "--log-uid",	     "--random",	 "--persistent",
					    "--connlimit-saddr",   "--connlimit-daddr", "--save-mark",	 "--restore-mark",
					    "--clamp-mss-to-pmtu", "--notrack",	     "--random-fully",	 "--reap",
					    "--checksum-fill",	   "--log-tcp-sequence", "--queue-bypass" };

	for (size_t i = 0; i < N_ELEMENTS(one); i++)
		if (strcmp(o, one[i]) == 0)
			return 1;
	for (size_t i = 0; i < N_ELEMENTS(none); i++)
		if (strcmp(o, none[i]) == 0)
			return 0;
	return -1;
}

/* An ipset cannot be looked into: the stranger stands in no list of sources; of destinations nobody knows. */
static void add_set(struct reader *r, struct fw_rule *rule, bool negate, struct line *l)
{
	const char *flags;

	(void) next_word(l);
	flags = next_word(l);
	if (strcmp(flags, "src") == 0 || strncmp(flags, "src,", 4) == 0)
		(void) fw_match_add(r->fw, rule, FW_TRUE, !negate);
	else
		(void) fw_match_add(r->fw, rule, FW_UNKNOWN, false);
}

static void add_target(struct reader *r, struct fw_rule *rule, const char *name)
{
	static const struct {
		const char *name;
		enum fw_verdict verdict;
	} known[] = { { "ACCEPT", FW_ACCEPT },	   { "DROP", FW_DROP },	       { "REJECT", FW_DROP },
		      { "RETURN", FW_RETURN },	   { "DNAT", FW_DNAT },	       { "REDIRECT", FW_REDIRECT },
		      { "LOG", FW_GO_ON },	   { "NFLOG", FW_GO_ON },      { "ULOG", FW_GO_ON },
		      { "MARK", FW_GO_ON },	   { "CONNMARK", FW_GO_ON },   { "TCPMSS", FW_GO_ON },
		      { "CT", FW_GO_ON },	   { "NOTRACK", FW_GO_ON },    { "TRACE", FW_GO_ON },
		      { "SET", FW_GO_ON },	   { "CHECKSUM", FW_GO_ON },   { "DSCP", FW_GO_ON },
		      { "AUDIT", FW_GO_ON },	   { "CLASSIFY", FW_GO_ON },   { "TTL", FW_GO_ON },
		      { "MASQUERADE", FW_ACCEPT }, { "SNAT", FW_ACCEPT },      { "TARPIT", FW_DROP },
		      { "QUEUE", FW_ANYTHING },	   { "NFQUEUE", FW_ANYTHING }, { "TPROXY", FW_ANYTHING } };

	for (size_t i = 0; i < N_ELEMENTS(known); i++)
		if (strcmp(name, known[i].name) == 0) {
			rule->verdict = known[i].verdict;
			return;
		}
	rule->verdict = FW_JUMP;
	rule->target_name = arena_dup(r->fw->arena, name);
}

/* "172.17.0.2:80", "[fd00::2]:80", "172.17.0.2", ":80", "10.0.0.1-10.0.0.9:80-90": the first of each. */
static void add_destination(struct reader *r, struct fw_rule *rule, const char *s)
{
	struct fw_nat *nat = arena_alloc(r->fw->arena, sizeof(*nat));
	char addr[64];
	const char *port = strrchr(s, ':');
	size_t len;

	if (!nat)
		return;
	if (*s == '[') {
		s++;
		len = strcspn(s, "]-");
		port = strstr(s, "]:");
		port = port ? port + 1 : NULL;
	} else if (r->v6) { /* without brackets there is no port */
		len = strcspn(s, "-");
		port = NULL;
	} else {
		len = strcspn(s, ":-");
	}
	if (len && len < sizeof(addr)) {
		memcpy(addr, s, len);
		addr[len] = '\0';
		nat->has_addr = ip_parse(addr, &nat->addr) == 0;
	}
	if (port)
		nat->port = (uint16_t) strtoul(port + 1, NULL, 10);
	rule->nat = nat;
}

static void add_redirect(struct reader *r, struct fw_rule *rule, const char *s)
{
	struct fw_nat *nat = arena_alloc(r->fw->arena, sizeof(*nat));

	if (nat)
		nat->port = (uint16_t) strtoul(s, NULL, 10);
	rule->nat = nat;
}

static void option(struct reader *r, struct fw_rule *rule, const char *o, bool negate, struct line *l)
{
	enum fw_what what;
	int words;
	bool yes;

	if (strcmp(o, "-m") == 0) {
		(void) next_word(l);
	} else if (strcmp(o, "-p") == 0) {
		const char *name = next_word(l);
		struct fw_match *m = strcmp(name, "all") == 0 ? NULL : fw_match_add(r->fw, rule, FW_PROTO, negate);

		if (m)
			add_number(r, m, (uint32_t) proto_number(name), (uint32_t) proto_number(name));
	} else if (strcmp(o, "-j") == 0) {
		add_target(r, rule, next_word(l));
	} else if (strcmp(o, "-g") == 0) {
		add_target(r, rule, next_word(l));
		rule->verdict = FW_GOTO;
	} else if (strcmp(o, "--to-destination") == 0) {
		add_destination(r, rule, next_word(l));
	} else if (strcmp(o, "--to-ports") == 0) {
		add_redirect(r, rule, next_word(l));
	} else if (strcmp(o, "--match-set") == 0) {
		add_set(r, rule, negate, l);
	} else if (strcmp(o, "--invert") == 0) { /* of rpfilter: his way back is the way he came */
		(void) fw_match_add(r->fw, rule, FW_TRUE, true);
	} else if (with_one_word(r, rule, o, negate, l)) {
		return;
	} else if (known_answer(o, l, &what, &yes)) {
		(void) fw_match_add(r->fw, rule, what, negate == yes);
	} else {
		words = words_behind(o);
		if (words == 1)
			(void) next_word(l);
		else if (words < 0 && *o == '-')
			(void) fw_match_add(r->fw, rule, FW_UNKNOWN, false);
	}
}

static void on_rule(struct reader *r, struct line *l)
{
	struct fw_chain *c;
	struct fw_rule *rule;

	l->at = 1;
	c = fw_chain_of(r->fw, r->table, next_word(l), !r->v6, r->v6);
	if (++r->rules > RULES_MAX || l->n == WORDS_MAX)
		r->fw->cut = true;
	rule = c && r->rules <= RULES_MAX ? fw_rule_add(r->fw, c) : NULL;
	while (rule && l->at < l->n) {
		const char *o = next_word(l);
		bool negate = strcmp(o, "!") == 0;

		option(r, rule, negate ? next_word(l) : o, negate, l);
	}
}

static int prio_of(const char *table)
{
	return strcmp(table, "raw") == 0      ? -300
	       : strcmp(table, "mangle") == 0 ? -150
	       : strcmp(table, "nat") == 0    ? -100
	       : strcmp(table, "filter") == 0 ? 0
					      : 50;
}

/* ":INPUT DROP [0:0]", ":DOCKER - [0:0]" */
static void on_chain(struct reader *r, struct line *l)
{
	static const struct {
		const char *name;
		enum fw_hook hook;
	} hooks[] = { { "PREROUTING", FW_PREROUTING }, { "INPUT", FW_INPUT }, { "FORWARD", FW_FORWARD } };
	struct fw_chain *c = fw_chain_of(r->fw, r->table, l->word[0] + 1, !r->v6, r->v6);

	if (!c || l->n < 2 || strcmp(l->word[1], "-") == 0)
		return;
	c->drops = strcmp(l->word[1], "DROP") == 0;
	c->nat = strcmp(r->table, "nat") == 0;
	c->prio = prio_of(r->table);
	for (size_t i = 0; i < N_ELEMENTS(hooks); i++)
		if (strcmp(c->name, hooks[i].name) == 0)
			c->hook = hooks[i].hook;
}

int fw_read_iptables(struct fw *fw, const char *text, size_t len, bool v6)
{
	struct reader r = { .fw = fw, .v6 = v6, .table = "filter" };
	const char *end = text + len;

	for (const char *p = text; p < end;) {
		const char *lf = memchr(p, '\n', (size_t) (end - p)), *stop = lf ? lf : end;
		char *s = *p == '*' || *p == ':' || *p == '-'
				  ? arena_ndup(fw->arena, p, (size_t) (stop - p))
				  : NULL;
		struct line l;

		p = lf ? lf + 1 : end;
		if (!s)
			continue;
		cut_words(s, &l);
		if (*s == '*')
			r.table = l.word[0] + 1;
		else if (*s == ':' && l.n)
			on_chain(&r, &l);
		else if (l.n > 1 && strcmp(l.word[0], "-A") == 0)
			on_rule(&r, &l);
	}
	return fw->arena->poor ? -ENOMEM : 0;
}
