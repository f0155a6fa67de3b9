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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests_name("mask", tests, NULL, NULL);
}
