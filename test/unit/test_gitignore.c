#include "base/util.h"
#include "check.h"
#include "host/gitignore.h"
#include "host/gitindex.h"

/* Cases of gitignore(5) and of git's own test of wildmatch, written down anew. */
static void test_globs(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} cases[] = {
		{ "foo", "foo", true },		  { "foo", "bar", false },	 { "", "", true },
		{ "???", "foo", true },		  { "??", "foo", false },	 { "*", "foo", true },
		{ "f*", "foo", true },		  { "*f", "foo", false },	 { "*foo*", "xfooy", true },
		{ "*", "a/b", false },		  { "?", "/", false },		 { "a*b", "a/b", false },
		{ "**/foo", "foo", true },	  { "**/foo", "a/b/foo", true }, { "**/foo", "xfoo", false },
		{ "foo/**", "foo/a/b", true },	  { "foo/**", "foo", false },	 { "a/**/b", "a/b", true },
		{ "a/**/b", "a/x/y/b", true },	  { "a/**/b", "a/xb", false },	 { "a**b", "axyb", true },
		{ "a**b", "a/b", false },	  { "[ab]c", "bc", true },	 { "[!ab]c", "bc", false },
		{ "[^ab]c", "cc", true },	  { "[a-f]x", "ex", true },	 { "[a-f]x", "gx", false },
		{ "[]]x", "]x", true },		  { "[a", "a", false },		 { "[!/]b", "/b", false },
		{ "\\*", "*", true },		  { "\\*", "x", false },	 { "a\\", "a\\", true },
		{ "*/*/*", "a/b/c", true },	  { "*/*/*", "a/b", false },	 { "**/*.log", "a/b.log", true },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		CHECK(gitignore_glob(cases[i].pattern, cases[i].text) == cases[i].match, "%s on %s", cases[i].pattern,
		      cases[i].text);
}

static void test_costly(void **state)
{
	char pattern[200], text[2000];

	(void) state;
	for (size_t i = 0; i < sizeof(pattern) - 2; i += 2)
		memcpy(pattern + i, "*a", 2);
	memcpy(pattern + sizeof(pattern) - 2, "b", 2);
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(gitignore_glob(pattern, text)); /* ends, which is what is tested */
}

static void test_rules(void **state)
{
	static const char top[] = "*.log\n!keep.log\nbuild/\n/only-top\n# comment\n\\#hash\n\\!bang\ntrailing   \ndoc/*.txt\r\n\n/a/**/z\n";
	static const char below[] = "!special.log\nlocal\n";
	static const struct {
		const char *path;
		bool dir, ignored;
	} cases[] = {
		{ "x.log", false, true },	   { "a/x.log", false, true },	 { "a/keep.log", false, false },
		{ "build", true, true },	   { "build", false, false },	 { "a/build", true, true },
		{ "only-top", false, true },	   { "a/only-top", false, false }, { "#hash", false, true },
		{ "!bang", false, true },	   { "trailing", false, true },	 { "doc/x.txt", false, true },
		{ "a/doc/x.txt", false, false },   { "doc/a/x.txt", false, false }, { "a/b/c/z", false, true },
		{ "sub/special.log", false, false }, { "special.log", false, true }, { "sub/local", false, true },
		{ "local", false, false },	   { "sub2/local", false, false },
	};
	pv_auto(gitignore) g = NULL;

	(void) state;
	assert_int_equal(gitignore_new(&g), 0);
	assert_int_equal(gitignore_add(g, "", top, strlen(top)), 0);
	assert_int_equal(gitignore_add(g, "sub", below, strlen(below)), 0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		CHECK(gitignore_match(g, cases[i].path, cases[i].dir) == cases[i].ignored, "%s", cases[i].path);
}

static int count(const struct gitindex_entry *e, void *user)
{
	CHECK(e->path_len == strlen(e->path), "%s", e->path);
	++*(unsigned *) user;
	return 0;
}

/* An index of one entry `a`, and what is left of it when it is cut anywhere. */
static void test_index(void **state)
{
	uint8_t index[12 + 62 + 2 + 20] = "DIRC\0\0\0\2\0\0\0\1";
	unsigned n = 0;

	(void) state;
	index[12 + 26] = 0x81;
	index[12 + 27] = 0xa4;
	index[12 + 61] = 1;
	index[12 + 62] = 'a';
	/* 62 + 1 bytes, and NULs up to a multiple of eight */
	CHECK(gitindex_parse(index, 12 + 64 + 20, 20, count, &n) == 0 && n == 1, "%u", n);
	for (size_t len = 0; len < 12 + 64 + 20; len++)
		CHECK(gitindex_parse(index, len, 20, count, &n) < 0, "cut at %zu", len);
	index[7] = 5;
	CHECK(gitindex_parse(index, 12 + 64 + 20, 20, count, &n) == -EOPNOTSUPP, "version 5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_costly),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_index),
	};

	return cmocka_run_group_tests_name("gitignore", tests, NULL, NULL);
}
