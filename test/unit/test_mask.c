#include "base/mask.h"
#include "check.h"

static void test_secrets(void **state)
{
	static const struct {
		enum mask_kind kind;
		const char *secret, *shown;
	} cases[] = {
		{ MASK_TOKEN, "ghp_" "abcdefghijklmnopqrstuvwxyz0123456789", "ghp_abcd… (len 40)" },
		{ MASK_TOKEN, "AKIA" "ABCDEFGHIJKLMNOP", "AKIA… (len 20)" },
		{ MASK_TOKEN, "AKIA" "ABCDEFGHI", "AK… (len 13)" }, /* a fifth counts more than the prefix */
		{ MASK_TOKEN, "0123456789012345678901234567890123456789", "0123… (len 40)" },
		{ MASK_TOKEN, "01234567890", "(len 11)" },
		{ MASK_TOKEN, "", "(len 0)" },
		{ MASK_PASSWORD, "correct horse battery staple", "(len 28)" },
		{ MASK_TOKEN, "-----BEGIN " "PRIVATE KEY-----\nMIIE", "(len 32)" },
		{ MASK_TOKEN, "postgres://app:" "hunter2@db:5432/app", "(len 34)" },
		{ MASK_TOKEN, "https://hooks.example/path", "http… (len 26)" },
		{ MASK_TOKEN, "\x1b[31mabcdefghijklmnop", "(len 21)" },
		{ MASK_TOKEN, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "(len 16)" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_autobuf b = PV_BUF_INIT;

		mask_secret(&b, cases[i].kind, cases[i].secret, strlen(cases[i].secret));
		CHECK_STR(pv_buf_str(&b), cases[i].shown, "case %zu", i);
	}
}

/* The promise for every length: never more than a fifth, never more than the prefix and four. */
static void test_share(void **state)
{
	static const char secret[] = "github_pat_" "11AAAAAAA0bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

	(void) state;
	for (size_t len = 0; len < sizeof(secret); len++) {
		pv_autobuf b = PV_BUF_INIT;

		mask_head(&b, MASK_TOKEN, secret, len);
		CHECK(b.len <= len / 5 && b.len <= strlen("github_pat_") + 4, "len %zu: %zu shown", len, b.len);
		CHECK(len >= 12 || b.len == 0, "len %zu", len);
	}
}

static void test_text(void **state)
{
	static const struct {
		const char *text, *secret, *shown;
	} cases[] = {
		{ "bad key s3cret-key!", "s3cret-key!", "bad key (len 11)" },
		{ "s3cret-key!s3cret-key!", "s3cret-key!", "(len 11)(len 11)" },
		{ "nothing here", "s3cret-key!", "nothing here" },
		{ "no secret", "", "no secret" },
		{ "", "s3cret-key!", "" },
		{ "abc and more", "abc", "(len 12)" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_autobuf b = PV_BUF_INIT;

		mask_text(&b, cases[i].text, cases[i].secret, strlen(cases[i].secret));
		CHECK_STR(pv_buf_str(&b), cases[i].shown, "case %zu", i);
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *argv;
		size_t len;
		const char *shown;
	} cases[] = {
#define ARGV(s) s, sizeof(s)
		{ ARGV("cp\0-r\0a\0b"), "cp -r a b" },
		{ ARGV("app\0--password=hunter22\0x"), "app --password=(len 8) x" },
		{ ARGV("app\0--db-password\0hunter22\0x"), "app --db-password (len 8) x" },
		{ ARGV("app\0--password\0--verbose"), "app --password --verbose" },
		{ ARGV("sh\0-c\0API_TOKEN=abc curl -H 'Authorization: Bearer abcdef' http://h/"),
		  "sh -c API_TOKEN=(len 3) curl -H 'Authorization: Bearer (len 6)' http://h/" },
		{ ARGV("psql\0postgres://app:hunter2@db:5432/app"), "psql postgres://app:(len 7)@db:5432/app" },
		{ ARGV("mysqldump\0-uroot\0-phunter2\0shop"), "mysqldump -uroot -p(len 7) shop" },
		{ ARGV("ls\0-print"), "ls -print" },
		{ ARGV("x\0-o\0stratum+tcp://pool:3333\0-p\0x"), "x -o stratum+tcp://pool:3333 -p x" },
		{ ARGV("git\0clone\0ghp_" "abcdefghijklmnopqrstuvwxyz0123456789"), "git clone ghp_abcd… (len 40)" },
		{ ARGV("tokenizer\0--file=a"), "tokenizer --file=a" },
		{ ARGV(""), "" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_autobuf b = PV_BUF_INIT;

		mask_words(&b, cases[i].argv, cases[i].len);
		CHECK_STR(pv_buf_str(&b), cases[i].shown, "case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests_name("mask", tests, NULL, NULL);
}
