#include "bpf/dns_match.h"
#include "check.h"
#include "base/util.h"
#include "model/dns_table.h"

static const char names[][128] = { "pool.*", "*.mine.*" };
static const char allow[][128] = { "pool.ntp.org" };

/* The table of the man page: what the two patterns of the default take, and what they must leave alone. */
static void test_defaults(void **state)
{
	static const struct {
		const char *name;
		int match, pattern;
	} cases[] = {
		{ "pool.hashvault.pro", 1, 0 },	     { "POOL.HashVault.PRO", 1, 0 },   { "pool.hashvault.pro.", 1, 0 },
		{ "pool.x", 1, 0 },		     { "pool", 0, 0 },		       { "xmr.pool.example.org", 0, 0 },
		{ "pool.ntp.org", 0, 0 },	     { "Pool.NTP.org.", 0, 0 },	       { "0.debian.pool.ntp.org", 0, 0 },
		{ "de.pool.ntp.org", 0, 0 },	     { "pool.ntp.org.example", 1, 0 }, { "pools.example.org", 0, 0 },
		{ "a.mine.example", 1, 1 },	     { "a.b.mine.example", 1, 1 },     { "mine.example", 0, 0 },
		{ "x.MiNe.org", 1, 1 },		     { "a.mine", 0, 0 },	       { "a.b.mine", 0, 0 },
		{ "a.mine.b.c.d", 1, 1 },	     { "mine.mine.mine", 1, 1 },       { "mine.mine", 0, 0 },
		{ "a.mines.example", 0, 0 },	     { "a.xmine.example", 0, 0 },      { "www.example.com", 0, 0 },
		{ "", 0, 0 },			     { ".", 0, 0 },		       { "a..b", -EINVAL, 0 },
		{ "pool.mine.org", 1, 0 },	     { "a.mine.b.mine.c", 1, 1 },
		{ "pool-supportxmr.com", 0, 0 },     { "carpool.example.org", 0, 0 },
	};
	struct dns_table *t = malloc(sizeof(*t));
	char err[200] = "";

	(void) state;
	assert_non_null(t);
	CHECK(dns_table_build(t, names, 2, allow, 1, err, sizeof(err)) == 0, "%s", err);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		int pattern = -1, r = dns_name_match(t, cases[i].name, &pattern);

		CHECK(r == cases[i].match, "%s: %d", cases[i].name, r);
		if (r == 1)
			CHECK(pattern == cases[i].pattern, "%s: pattern %d", cases[i].name, pattern);
	}
	free(t);
}

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern, *name;
		int match;
	} cases[] = {
		{ "a.*.c", "a.b.c", 1 },   { "a.*.c", "a.b.b.c", 0 }, { "a.*.c", "a.c", 0 },	 { "*", "x", 1 },
		{ "*", "x.y.z", 1 },	   { "*.*", "x", 0 },	      { "*.*", "x.y.z", 1 },	 { "*.a.*.b.*", "x.a.y.b.z", 1 },
		{ "*.a.*.b.*", "a.y.b", 0 }, { "Pool.EXAMPLE.", "pool.example", 1 }, { "_dmarc.*", "_dmarc.x", 1 },
		{ "xmr", "xmr", 1 },	   { "xmr", "a.xmr", 0 },
	};
	struct dns_table *t = malloc(sizeof(*t));

	(void) state;
	assert_non_null(t);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char one[1][128] = { "" }, err[200];

		(void) snprintf(one[0], sizeof(one[0]), "%s", cases[i].pattern);
		assert_int_equal(dns_table_build(t, one, 1, NULL, 0, err, sizeof(err)), 0);
		CHECK(dns_name_match(t, cases[i].name, NULL) == cases[i].match, "%s on %s", cases[i].pattern, cases[i].name);
	}
	free(t);
}

static void test_bad_patterns(void **state)
{
	static const char *const cases[] = { "", ".", "a..b", "po*l.x", "a b", "\xc3\xa4.x", ".a", "**", "a/b",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b" };
	static char many[DNS_BITS / 2 + 1][128];
	struct dns_table *t = malloc(sizeof(*t)), *zero = calloc(1, sizeof(*zero));
	char err[200];

	(void) state;
	assert_true(t && zero);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char one[1][128] = { "" };

		(void) snprintf(one[0], sizeof(one[0]), "%s", cases[i]);
		err[0] = '\0';
		CHECK(dns_table_build(t, one, 1, NULL, 0, err, sizeof(err)) == -EINVAL, "%s", cases[i]);
		CHECK(err[0] && memcmp(t, zero, sizeof(*t)) == 0, "%s", cases[i]);
	}
	/* exactly full fits, with every label another one; one more does not */
	for (size_t i = 0; i < N_ELEMENTS(many); i++)
		(void) snprintf(many[i], sizeof(many[i]), "a%zu.b%zu", i, i);
	assert_int_equal(dns_table_build(t, many, DNS_BITS / 2, NULL, 0, err, sizeof(err)), 0);
	for (int i = 0; i < DNS_BITS / 2; i++) {
		int pattern = -1;

		CHECK(dns_name_match(t, many[i], &pattern) == 1 && pattern == i, "%s", many[i]);
	}
	assert_int_equal(dns_table_build(t, many, DNS_BITS / 2 + 1, NULL, 0, err, sizeof(err)), -E2BIG);
	free(t);
	free(zero);
}

/* ---- against a plain matcher that shares nothing with the table ---- */

static size_t split(char *text, char *labels[16])
{
	size_t n = 0;

	for (char *save = NULL, *l = strtok_r(text, ".", &save); l && n < 16; l = strtok_r(NULL, ".", &save))
		labels[n++] = l;
	return n;
}

static bool naive(char *p[16], size_t np, size_t at_p, char *l[16], size_t nl, size_t at_l)
{
	if (at_p == np)
		return at_l == nl;
	if (at_l == nl)
		return false;
	if (strcmp(p[at_p], "*") != 0)
		return strcasecmp(p[at_p], l[at_l]) == 0 && naive(p, np, at_p + 1, l, nl, at_l + 1);
	if (at_p == 0 || at_p + 1 == np)
		for (size_t more = at_l + 2; more <= nl; more++)
			if (naive(p, np, at_p + 1, l, nl, more))
				return true;
	return naive(p, np, at_p + 1, l, nl, at_l + 1);
}

static bool naive_match(const char *pattern, const char *name)
{
	char a[128], b[128], *p[16], *l[16];
	size_t np, nl;

	(void) snprintf(a, sizeof(a), "%s", pattern);
	(void) snprintf(b, sizeof(b), "%s", name);
	np = split(a, p);
	nl = split(b, l);
	return naive(p, np, 0, l, nl, 0);
}

static unsigned random_state = 12345;

static unsigned random_below(unsigned n)
{
	random_state = random_state * 1103515245u + 12345u;
	return (random_state >> 16) % n;
}

static void random_name(char *out, size_t size, bool pattern)
{
	static const char *const words[] = { "a", "b", "pool", "POOL", "mine", "x9", "ab", "*" };
	unsigned n = 1 + random_below(6);

	out[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		size_t at = strlen(out);

		(void) snprintf(out + at, size - at, "%s%s", i ? "." : "", words[random_below(pattern ? 8 : 7)]);
	}
}

static void test_against_naive(void **state)
{
	struct dns_table *t = malloc(sizeof(*t));
	unsigned hits = 0;

	(void) state;
	assert_non_null(t);
	for (int round = 0; round < 300; round++) {
		static char p[20][128];
		unsigned n = 1 + random_below(12), n_allow = random_below(8);
		char err[200];

		for (unsigned i = 0; i < n + n_allow; i++)
			random_name(p[i], sizeof(p[i]), true);
		assert_int_equal(dns_table_build(t, p, n, p + n, n_allow, err, sizeof(err)), 0);
		for (int k = 0; k < 200; k++) {
			char name[128];
			bool block = false, spared = false;
			int pattern = -1, r;

			random_name(name, sizeof(name), false);
			r = dns_name_match(t, name, &pattern);
			for (unsigned i = 0; i < n; i++)
				block |= naive_match(p[i], name);
			for (unsigned i = n; i < n + n_allow; i++)
				spared |= naive_match(p[i], name);
			CHECK(r == (block && !spared), "round %d: %s gave %d", round, name, r);
			if (r == 1)
				CHECK(naive_match(p[pattern], name), "%s is not %s", name, p[pattern]);
			hits += r == 1;
		}
	}
	CHECK(hits > 1000 && hits < 59000, "%u hits show nothing", hits);
	free(t);
}

/* ---- whole messages ---- */

static size_t message(uint8_t buf[DNS_BUF], const char *dotted)
{
	size_t at = DNS_HEADER;

	memset(buf, 0, DNS_BUF);
	buf[2] = 1;
	buf[5] = 1;
	while (*dotted) {
		size_t n = strcspn(dotted, ".");

		buf[at++] = (uint8_t) n;
		memcpy(buf + at, dotted, n);
		at += n;
		dotted += n + (dotted[n] == '.');
	}
	at++;
	buf[at + 1] = 1;
	buf[at + 3] = 1;
	return at + 4;
}

static void test_messages(void **state)
{
	static struct dns_state s;
	struct dns_table *t = malloc(sizeof(*t));
	uint8_t buf[DNS_BUF];
	char err[200], text[300];
	size_t len;

	(void) state;
	assert_non_null(t);
	assert_int_equal(dns_table_build(t, names, 2, allow, 1, err, sizeof(err)), 0);
	len = message(buf, "POOL.example.com");
	assert_int_equal(dns_look(&s, t, buf, (uint32_t) len), DNS_LOOK_MATCH);
	assert_int_equal(s.pattern, 0);
	dns_name_text(text, sizeof(text), s.name, s.len);
	assert_string_equal(text, "pool.example.com");
	for (size_t cut = 0; cut < len; cut++)
		CHECK(dns_look(&s, t, buf, (uint32_t) cut) == DNS_LOOK_CUT, "cut at %zu", cut);
	buf[2] |= 0x80;
	assert_int_equal(dns_look(&s, t, buf, (uint32_t) len), DNS_LOOK_ANSWER);
	len = message(buf, "www.example.com");
	assert_int_equal(dns_look(&s, t, buf, (uint32_t) len), DNS_LOOK_CLEAN);
	buf[5] = 2;
	assert_int_equal(dns_look(&s, t, buf, (uint32_t) len), DNS_LOOK_CLEAN);
	assert_int_equal(s.questions, 2);
	buf[5] = 0;
	assert_int_equal(dns_look(&s, t, buf, (uint32_t) len), DNS_LOOK_ODD);
	/* `pool` and a pointer to the rest further on: some servers read it */
	memset(buf, 0, sizeof(buf));
	buf[5] = 1;
	memcpy(buf + 12, "\4pool\xc0\x20\0\1\0\1", 11);
	memcpy(buf + 32, "\7example\3com", 13);
	assert_int_equal(dns_look(&s, t, buf, 60), DNS_LOOK_MATCH);
	memcpy(buf + 32, "\xc0\x20", 2); /* a pointer to itself ends */
	assert_int_equal(dns_look(&s, t, buf, 60), DNS_LOOK_ODD);
	/* the longest name there can be; two octets more are none */
	for (int n = 127; n <= 128; n++) {
		memset(buf, 0, sizeof(buf));
		buf[5] = 1;
		for (int i = 0; i < n; i++)
			memcpy(buf + 12 + i * 2, "\1a", 2);
		memcpy(buf + 12 + 2 * n - 8, "\4mine\2or", 9);
		assert_int_equal(dns_look(&s, t, buf, 300), n == 127 ? DNS_LOOK_MATCH : DNS_LOOK_ODD);
	}
	free(t);
}

static void test_text(void **state)
{
	static const uint8_t odd[] = { 3, 'a', '.', 0x1b, 1, '\\' };
	char out[64], small[5];

	(void) state;
	dns_name_text(out, sizeof(out), odd, sizeof(odd));
	assert_string_equal(out, "a\\046\\027.\\092");
	dns_name_text(small, sizeof(small), odd, sizeof(odd));
	assert_string_equal(small, "a");
	dns_name_text(out, sizeof(out), (const uint8_t *) "\x3f" "ab", 3); /* a length that lies */
	assert_string_equal(out, "ab");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),      cmocka_unit_test(test_patterns), cmocka_unit_test(test_bad_patterns),
		cmocka_unit_test(test_against_naive), cmocka_unit_test(test_messages), cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests_name("dns_match", tests, NULL, NULL);
}
