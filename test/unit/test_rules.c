/* The loader of rule files: what it refuses and where it points to, what it hands out, and that ours load. */
#include <glob.h>

#include "check.h"
#include "match/rules.h"
#include "match/set.h"

#define HEAD "schema: 1\nkind: secret\nname: t\nreference: [https://example.org/]\nverified: documentation\nrules:\n"
#define RULE "  - id: t.a\n    severity: high\n    literal: [tok_]\n    match: 'tok_[a-z]{8}'\n    remedy: revoke\n"
#define GOOD HEAD RULE "    examples: {yes: ['«to+k_abcdefgh»']}\n"

static const struct {
	const char *what, *text, *want; /* "" is accepted */
} cases[] = {
	{ "good", GOOD, "" },
	{ "empty", "", "f.yaml:1:1: the file is empty" },
	{ "not YAML", "a: [b", "f.yaml:2:1: is not YAML: flow sequence" },
	{ "a list", "- a\n", "f.yaml:1:1: a rule file is a map of keys and values" },
	{ "unknown key", "schema: 1\nkinds: secret\n", "f.yaml:2:1: `kinds` is no key of a rule file; did you mean kind" },
	{ "wrong schema", "schema: 2\nkind: secret\nname: t\nreference: [https://e.org]\nverified: real\nrules: [x]\n",
	  "f.yaml:1:9: schema 2 is not known" },
	{ "wrong kind", "schema: 1\nkind: secrets\n", "f.yaml:2:7: `secrets` is no value of kind; did you mean `secret`" },
	{ "key twice", "schema: 1\nschema: 1\n", "f.yaml:2:1: sets `schema` a second time" },
	{ "no rules", "schema: 1\nkind: secret\nname: t\nreference: [https://e.org]\nverified: real\n", "needs `rules`" },
	{ "reference", "schema: 1\nkind: secret\nname: t\nreference: [ftp://e.org]\nverified: real\nrules: [x]\n",
	  "f.yaml:4:13: `ftp://e.org` is no reference" },
	{ "rule is a word", HEAD "  - x\n", "f.yaml:7:5: a rule is a map" },
	{ "bad id", HEAD "  - id: Bad\n", "f.yaml:7:9: `Bad` is no id; family.name" },
	{ "id twice", HEAD RULE "    examples: {yes: ['«to+k_abcdefgh»']}\n" RULE "    examples: {yes: ['«to+k_abcdefgh»']}\n",
	  "f.yaml:13:9: `t.a` is the id of another rule, too (f.yaml:10:12)" },
	{ "severity", HEAD "  - id: t.a\n    severity: bad\n", "f.yaml:8:15: `bad` is no severity" },
	{ "no literal", HEAD "  - id: t.a\n    severity: low\n    match: 'abc'\n    remedy: r\n    examples: {yes: ['«abc»']}\n",
	  "a rule has either `literal`" },
	{ "literal and after", HEAD "  - id: t.a\n    severity: low\n    literal: [abc]\n    after: [abcd]\n    match: 'abc'\n"
				    "    remedy: r\n    examples: {yes: ['«abc»']}\n", "a rule has either `literal`" },
	{ "no remedy", HEAD "  - id: t.a\n    severity: low\n    literal: [abc]\n    match: 'abc'\n    examples: {yes: ['«abc»']}\n",
	  "f.yaml:7:5: a rule for a secret says how it is revoked" },
	{ "no example", HEAD RULE, "a rule needs `examples`" },
	{ "no yes", HEAD RULE "    examples: {no: [a]}\n", "f.yaml:12:15: a rule needs an example that it finds" },
	{ "no span", HEAD RULE "    examples: {yes: ['tok_abcdefgh']}\n", "f.yaml:12:22: the example does not say what is to be found" },
	{ "random", HEAD RULE "    random: 17\n    examples: {yes: ['«to+k_abcdefgh»']}\n", "f.yaml:12:13: random is `17`; a number from 0 to 16" },
	{ "reach", HEAD RULE "    reach: 99999999\n    examples: {yes: ['«to+k_abcdefgh»']}\n", "f.yaml:12:12: reach is `99999999`" },
	{ "check", HEAD RULE "    check: lun\n    examples: {yes: ['«to+k_abcdefgh»']}\n", "did you mean `luhn`" },
	{ "short literal", HEAD "  - id: t.a\n    severity: low\n    literal: [a]\n    gate: literal\n    match: 'abc'\n    remedy: r\n"
			    "    examples: {yes: ['«abc»']}\n", "f.yaml:10:11: the literal `a` would be found everywhere" },
	{ "longer than it says", HEAD "  - id: t.a\n    severity: low\n    literal: [abc]\n    match: 'abc[a-z]{0,600}'\n    remedy: r\n"
				  "    examples: {yes: ['«abc»']}\n", "f.yaml:10:12: t.a: a match may have 603 bytes, its context included; write reach: 603" },
	{ "no longest match", HEAD "  - id: t.a\n    severity: low\n    literal: [abc]\n    match: 'abc[a-z]*'\n    remedy: r\n"
			       "    examples: {yes: ['«abc»']}\n", "t.a: a match has no longest length" },
	{ "far, and a wide gate", HEAD "  - id: t.a\n    severity: low\n    literal: [abc]\n    match: 'abc[a-z]{0,600}'\n    reach: 700\n"
				   "    remedy: r\n    examples: {yes: ['«abc»']}\n", "needs a gate of at most 256; write gate: literal" },
	{ "run in a run", HEAD RULE "    run: [tok_]\n    examples: {yes: ['«to+k_abcdefgh»']}\n", "f.yaml:12:10: `tok_` may stand in a run itself" },
	{ "run that reaches far", HEAD RULE "    reach: 1000\n    run: [k.]\n    examples: {yes: ['«to+k_abcdefgh»']}\n",
	  "a rule with `run` reaches at most 512" },
	{ "run not in match", HEAD "  - id: t.a\n    severity: low\n    literal: [k.]\n    run: [k.]\n    match: 'k\\.[a-z]{23}'\n    remedy: r\n"
			       "    examples: {yes: ['«k.+abcdefghijklmnopqrstuvw»']}\n", "t.a: the rule does not find this example" },
	{ "run", HEAD "  - id: t.a\n    severity: low\n    literal: [k.]\n    run: ['?.']\n    match: 'k\\.[a-z]{24}'\n    remedy: r\n"
		  "    examples: {yes: ['«k.+abcdefghijklmnopqrstuvwx»', 'x «k.+abcdefghijklmnopqrstuvwx» y']}\n", "" },
	{ "short word", HEAD "  - id: t.a\n    severity: low\n    after: [ab]\n    match: 'abc'\n    remedy: r\n"
			 "    examples: {yes: ['ab = «abc»']}\n", "`ab` is too short" },
	/* found by trying */
	{ "bad pattern", HEAD "  - id: t.a\n    severity: low\n    literal: [abc]\n    match: 'abc('\n    remedy: r\n"
			  "    examples: {yes: ['«abc»']}\n", "f.yaml:10:12: t.a: the pattern is wrong at its character 5" },
	{ "not found", HEAD RULE "    examples: {yes: ['«to+k_abc»']}\n", "f.yaml:12:22: t.a: the rule does not find this example" },
	{ "other span", HEAD RULE "    examples: {yes: ['to+k_«abcdefgh»']}\n", "f.yaml:12:22: t.a: the rule finds another span" },
	{ "found no", HEAD RULE "    examples: {yes: ['«to+k_abcdefgh»'], no: ['to+k_abcdefgh']}\n",
	  "f.yaml:12:47: t.a: the rule finds this example, which is listed under `no`" },
	{ "literal not in match", HEAD "  - id: t.a\n    severity: low\n    literal: [xyz]\n    match: 'abc'\n    remedy: r\n"
				   "    examples: {yes: ['«abc»']}\n", "the match holds none of the literals" },
	{ "no such group", "schema: 1\nkind: log\nname: t\nreference: [https://e.org]\nverified: real\nrules:\n  - id: t.a\n"
			   "    severity: low\n    literal: [abc]\n    match: 'abc'\n    address: host\n    examples: {yes: ['abc']}\n",
	  "t.a: the pattern has no group (?<host>...)" },
};

static int load(const char *text, struct pv_buf *err, struct rules **ret)
{
	int r = rules_new(ret);

	if (r == 0)
		r = rules_add_file(*ret, "f.yaml", text, strlen(text), err);
	return r ? r : rules_try_examples(*ret, err);
}

static void loader(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_auto(rules) rs = NULL;
		pv_autobuf err = PV_BUF_INIT;
		int r = load(cases[i].text, &err, &rs);

		CHECK(r == (*cases[i].want ? -EINVAL : 0), "%s: %d, %s", cases[i].what, r, pv_buf_str(&err));
		CHECK(strstr(pv_buf_str(&err), cases[i].want), "%s: %s", cases[i].what, pv_buf_str(&err));
	}
}

static const char log_text[] =
	"schema: 1\nkind: log\nname: sshd\nreference: [https://man.openbsd.org/sshd]\nverified: real\nrules:\n"
	"  - id: sshd.password\n    severity: medium\n    strength: weak\n    literal: ['Failed password for']\n"
	"    match: 'Failed password for (?:invalid user )?(?<user>.{0,100}) from (?<host>[0-9A-Fa-f.:]{3,45}) port [0-9]{1,5}'\n"
	"    from: 'json:MESSAGE'\n    address: host\n    user: user\n    when: {program: [sshd], uid: 0, unit: [ssh.service]}\n"
	"    examples: {yes: [{text: 'Failed password for root from 203.0.113.7 port 22', address: 203.0.113.7}]}\n";

static int note_user(const struct match_hit *h, void *user)
{
	*(struct match_hit *) user = *h;
	return 0;
}

static void log_rules(void **state)
{
	static const char line[] = "Failed password for ada from 2001:db8::7 port 4242";
	pv_auto(rules) rs = NULL;
	pv_auto(match_set) set = NULL;
	pv_auto(match_scratch) s = NULL;
	pv_autobuf err = PV_BUF_INIT;
	struct match_hit h = { 0 };
	const struct rule *r;

	(void) state;
	CHECK(load(log_text, &err, &rs) == 0, "%s", pv_buf_str(&err));
	r = rules_find(rs, "sshd.password");
	assert_non_null(r);
	CHECK(r->from == RULE_FROM_JSON && r->json_keys.n == 1 && strcmp(r->json_keys.word[0], "MESSAGE") == 0, "from");
	CHECK(r->kind == RULE_LOG && r->strength == RULE_WEAK && r->verified && r->when.has_uid && r->when.uid == 0, "keys");
	CHECK_STR(r->when.unit.word[0], "ssh.service", "when");
	assert_int_equal(match_set_compile(rs, &set, &err), 0);
	assert_int_equal(match_scratch_new(set, &s), 0);
	assert_int_equal(match_scan(set, s, line, strlen(line), note_user, &h), 0);
	CHECK(h.rule && h.address.start == 29 && h.address.len == 11 && h.user.start == 20 && h.user.len == 3, "spans %zu+%zu %zu+%zu",
	      h.address.start, h.address.len, h.user.start, h.user.len);
}

/* Ours, through the child, as at a first start. */
static void own_rules(void **state)
{
	const char *dir = getenv("PV_TEST_SOURCE");
	pv_autobuf path = PV_BUF_INIT;
	pv_autobuf err = PV_BUF_INIT;
	pv_auto(match_set) set = NULL;
	struct match_where where = { .n_paths = 1 };
	const struct rules *rs;
	size_t far = 0;

	(void) state;
	pv_buf_printf(&path, "%s/../rules", dir ? dir : "test");
	where.paths = (const char *const[]){ pv_buf_str(&path) };
	CHECK(match_set_open(&where, &set, &err) == 0, "%s", pv_buf_str(&err));
	rs = match_set_rules(set);
	CHECK(rules_count(rs) >= 200, "%zu rules", rules_count(rs));
	for (size_t i = 0; i < rules_count(rs); i++) {
		const struct rule *r = rules_get(rs, i);

		if (r->kind != RULE_SECRET)
			continue;
		CHECK(*r->remedy && *r->title && *r->opens && r->reference.n, "%s says too little", r->id);
		CHECK(strncmp(r->remedy, "Revoke", 6) == 0 || strstr(r->remedy, "hange") || strstr(r->remedy, "key") ||
			      strncmp(r->remedy, "No", 2) == 0,
		      "%s: the remedy begins with something else than revoking: %s", r->id, r->remedy);
		far += r->reach > RULE_REACH_NEAR;
	}
	CHECK(far < 40, "%zu rules reach far: windows grow", far);
}

/* --- nothing is lost at the edges of windows --- */

#define TEXT_SIZE  60000
#define EDITS	   400
#define PLACES_MAX 4096

struct places {
	struct {
		size_t rule, start, len;
	} at[PLACES_MAX];
	size_t n;
};

static int note_place(const struct match_hit *h, void *user)
{
	struct places *p = user;

	assert_true(p->n < PLACES_MAX);
	p->at[p->n].rule = h->index;
	p->at[p->n].start = h->whole.start;
	p->at[p->n++].len = h->whole.len;
	return 0;
}

static bool has_place(const struct places *p, size_t rule, size_t start, size_t len)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->at[i].rule == rule && p->at[i].start == start && p->at[i].len == len)
			return true;
	return false;
}

static bool overlaps(const struct places *p, size_t rule, size_t start, size_t len)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->at[i].rule == rule && p->at[i].start < start + len && start < p->at[i].start + p->at[i].len)
			return true;
	return false;
}

static void load_own(struct rules *rs)
{
	const char *dir = getenv("PV_TEST_SOURCE");
	pv_autobuf err = PV_BUF_INIT;
	char pattern[512];
	glob_t g;

	(void) snprintf(pattern, sizeof(pattern), "%s/../rules/secret/*.yaml", dir ? dir : "test");
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		static char text[RULE_FILE_MAX];
		FILE *f = fopen(g.gl_pathv[i], "r");
		size_t n;

		assert_non_null(f);
		n = fread(text, 1, sizeof(text), f);
		(void) fclose(f);
		CHECK(rules_add_file(rs, g.gl_pathv[i], text, n, &err) == 0, "%s", pv_buf_str(&err));
	}
	globfree(&g);
}

/* Examples of all rules between lines of filler. */
static size_t make_text(const struct rules *rs, unsigned *seed, char *text)
{
	size_t n = 0;

	while (n < TEXT_SIZE) {
		const char *e = rs->examples[(size_t) rand_r(seed) % rs->n_examples].text;
		size_t len = strlen(e);

		if (n + len + 80 > TEXT_SIZE + 4096)
			break;
		memcpy(text + n, e, len);
		n += len;
		for (int i = rand_r(seed) % 60; i >= 0; i--)
			text[n++] = "abcdefg hijkl_= mnop\n"[rand_r(seed) % 21];
	}
	return n;
}

/* Takes out up to 40 bytes, puts in up to 40 of somewhere else, or the half of an example, the rest of which may stand there. */
static struct rule_span edit(const struct rules *rs, char *text, size_t *n, unsigned *seed)
{
	size_t at = (size_t) rand_r(seed) % (*n - 400), out = (size_t) rand_r(seed) % 40, in = (size_t) rand_r(seed) % 40;
	const char *e = rs->examples[(size_t) rand_r(seed) % rs->n_examples].text;
	size_t len = PV_MIN(strlen(e), (size_t) 400), half = len / 2;
	char piece[40];

	if (rand_r(seed) % 2) { /* its end first, then its beginning: only the second is the change */
		memcpy(text + at + half, e + half, len - half);
		out = in = half;
		memcpy(text + at, e, half);
		return (struct rule_span) { at, in };
	}
	memcpy(piece, text + (size_t) rand_r(seed) % (*n - 40), sizeof(piece));
	memmove(text + at + in, text + at + out, *n - at - out);
	memcpy(text + at, piece, in);
	*n = *n - out + in;
	return (struct rule_span) { at, in };
}

static void windows_lose_nothing(void **state)
{
	static char text[TEXT_SIZE + 4096 + EDITS * 40];
	static struct places whole, part;
	pv_auto(rules) rs = NULL;
	pv_auto(match_set) set = NULL;
	pv_auto(match_scratch) s = NULL;
	pv_autobuf err = PV_BUF_INIT;
	unsigned seed = 20;
	size_t n, touched = 0;

	(void) state;
	assert_int_equal(rules_new(&rs), 0);
	load_own(rs);
	CHECK(match_set_compile(rs, &set, &err) == 0, "%s", pv_buf_str(&err));
	assert_int_equal(match_scratch_new(set, &s), 0);
	n = make_text(rs, &seed, text);
	for (int k = 0; k < EDITS; k++) {
		struct rule_span changed = edit(rs, text, &n, &seed);

		whole.n = part.n = 0;
		assert_int_equal(match_scan(set, s, text, n, note_place, &whole), 0);
		assert_int_equal(match_scan_changed(set, s, text, n, &changed, 1, note_place, &part, NULL), 0);
		for (size_t i = 0; i < whole.n; i++) {
			size_t start = whole.at[i].start, end = start + whole.at[i].len;

			if (end < changed.start || start > changed.start + changed.len)
				continue;
			touched++;
			CHECK(has_place(&part, whole.at[i].rule, start, whole.at[i].len) ||
				      overlaps(&part, whole.at[i].rule, start, whole.at[i].len), "edit %d at %zu+%zu: %s at %zu+%zu is lost", k,
			      changed.start, changed.len, rules_get(rs, whole.at[i].rule)->id, start, whole.at[i].len);
		}
		for (size_t i = 0; i < part.n; i++) /* of two that overlap a scan tells the first that it comes to */
			CHECK(overlaps(&whole, part.at[i].rule, part.at[i].start, part.at[i].len), "edit %d: %s at %zu is made up", k,
			      rules_get(rs, part.at[i].rule)->id, part.at[i].start);
	}
	CHECK(touched > 100, "only %zu places were touched", touched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loader),
		cmocka_unit_test(log_rules),
		cmocka_unit_test(own_rules),
		cmocka_unit_test(windows_lose_nothing),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
