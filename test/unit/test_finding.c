#include "base/util.h"
#include "check.h"
#include "model/finding.h"
#include "report/findings.h"

static struct finding *sample(enum id id, enum finding_verdict v, const char *name, uint64_t line)
{
	struct finding *f = finding_new(id, v);

	finding_subject(f, SUBJECT_FILE, name, name, line);
	finding_fingerprint(f, "github.pat", "");
	return f;
}

static void test_fingerprint(void **state)
{
	pv_auto(finding) a = sample(ID_SECRET_IN_CODE, FINDING_FAIL, "a.js", 3);
	pv_auto(finding) b = sample(ID_SECRET_IN_CODE, FINDING_FAIL, "a.js", 99);
	pv_auto(finding) c = sample(ID_SECRET_IN_HISTORY, FINDING_FAIL, "a.js", 3);

	(void) state;
	finding_commit(b, "0123456789abcdef0123456789abcdef01234567");
	CHECK(strlen(a->fingerprint) == 32, "%s", a->fingerprint);
	CHECK_STR(a->fingerprint, b->fingerprint, "line and commit do not count");
	CHECK(strcmp(a->fingerprint, c->fingerprint) != 0, "the id counts");
	finding_fingerprint(b, "github.pat", "2");
	CHECK(strcmp(a->fingerprint, b->fingerprint) != 0, "the key counts");
	/* Pinned: a change would make every baseline out there worthless. */
	CHECK_STR(a->fingerprint, "1a70b1b9fbd32392de1c2678de12ada1", "pavise/v1");
}

static void test_json(void **state)
{
	pv_auto(finding) f = sample(ID_SECRET_IN_CODE, FINDING_FAIL, "a\n\x1b[31m\"b\xff.js", 3);
	pv_autobuf out = PV_BUF_INIT;
	char big[2000];

	(void) state;
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	finding_evidence(f, "value", "c.js", 7, "%s", big);
	finding_remedy(f, "revoke it", NULL);
	finding_reference(f, "https://example.com/");
	finding_json(&out, f);
	CHECK(strstr(out.data, "\"name\":\"a\\u000a\\u001b[31m\\\"b\\u00ff.js\""), "%s", out.data);
	CHECK(strstr(out.data, "\"cut\":true,\"where\":{\"path\":\"c.js\",\"line\":7}"), "%s", out.data);
	CHECK(strstr(out.data, "\"remedy\":{\"text\":\"revoke it\"},\"references\":[\"https://example.com/\"]"), "%s", out.data);
	CHECK(out.len < 2000, "evidence is capped: %zu", out.len);
	pv_buf_clear(&out);
	finding_unknown(f, REASON_TOO_LARGE);
	finding_json(&out, f);
	CHECK(strstr(out.data, "\"verdict\":\"unknown\",\"reason\":\"too-large\""), "%s", out.data);
}

static void test_status(void **state)
{
	static const struct {
		enum finding_verdict verdict;
		enum finding_reason reason;
		enum severity severity, fail_on;
		bool old;
		int status;
	} cases[] = {
		{ FINDING_FAIL, REASON_NONE, SEV_HIGH, SEV_HIGH, false, 1 },
		{ FINDING_FAIL, REASON_NONE, SEV_CRITICAL, SEV_HIGH, false, 1 },
		{ FINDING_FAIL, REASON_NONE, SEV_MEDIUM, SEV_HIGH, false, 0 },
		{ FINDING_FAIL, REASON_NONE, SEV_HIGH, SEV_HIGH, true, 0 },
		{ FINDING_UNKNOWN, REASON_MALFORMED, SEV_HIGH, SEV_HIGH, false, 3 },
		{ FINDING_UNKNOWN, REASON_MALFORMED, SEV_LOW, SEV_HIGH, false, 0 },
		{ FINDING_UNKNOWN, REASON_BY_NATURE, SEV_HIGH, SEV_HIGH, false, 0 },
		{ FINDING_PASS, REASON_NONE, SEV_HIGH, SEV_INFO, false, 0 },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct finding_list l = { .n = 0 };
		struct finding *f = sample(ID_SECRET_IN_CODE, cases[i].verdict, "a", 1);

		f->reason = cases[i].reason;
		f->severity = cases[i].severity;
		f->old = cases[i].old;
		assert_int_equal(finding_list_add(&l, f), 0);
		CHECK(finding_list_status(&l, cases[i].fail_on) == cases[i].status, "case %zu", i);
		finding_list_done(&l);
	}
}

static void test_sort(void **state)
{
	struct finding_list l = { .n = 0 };

	(void) state;
	finding_list_add(&l, sample(ID_IGNORE_UNUSED, FINDING_FAIL, "a", 1));
	finding_list_add(&l, sample(ID_SECRET_IN_CODE, FINDING_UNKNOWN, "a", 1));
	finding_list_add(&l, sample(ID_SECRET_IN_CODE, FINDING_FAIL, "b", 9));
	finding_list_add(&l, sample(ID_SECRET_IN_CODE, FINDING_FAIL, "b", 2));
	assert_int_equal(finding_list_add(&l, NULL), -ENOMEM);
	finding_list_sort(&l);
	CHECK(l.item[0]->subject.line == 2 && l.item[1]->subject.line == 9, "by line");
	CHECK(l.item[2]->id == ID_IGNORE_UNUSED, "by severity");
	CHECK(l.item[3]->verdict == FINDING_UNKNOWN, "fail first");
	CHECK(finding_list_unchecked(&l) == 1, "one unknown");
	finding_list_done(&l);
}

#define H1 "0123456789abcdef0123456789abcdef"
#define H2 "ffffffffffffffffffffffffffffffff"

static void test_baseline(void **state)
{
	static const struct {
		const char *text;
		int r;
		bool has1, has2;
	} cases[] = {
		{ "", 0, false, false },
		{ "\n \n", 0, false, false },
		{ H1 "\n", 0, true, false },
		{ H2 "\r\n" H1, 0, true, true },
		{ "{\"fingerprint\":\"" H1 "\"}", 0, true, false },
		{ "{\"fingerprint\": \"" H1 "\"}\n{\"fingerprint\":\"" H2 "\"}\n", 0, true, true },
		{ "{\"partialFingerprints\":{\"pavise/v1\":\"" H2 "\"}}", 0, false, true },
		{ "{\"commit\":\"" H1 "\"}", -EINVAL, false, false },
		{ "0" H1 "\n", -EINVAL, false, false },
		{ "{\"schema\":1,\"findings\":[],\"checked\":1}", 0, false, false },
		{ "hello", -EINVAL, false, false },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_auto(finding_baseline) b = NULL;

		CHECK(finding_baseline_read(cases[i].text, strlen(cases[i].text), &b) == cases[i].r, "case %zu", i);
		CHECK(finding_baseline_has(b, H1) == cases[i].has1, "case %zu", i);
		CHECK(finding_baseline_has(b, H2) == cases[i].has2, "case %zu", i);
	}
}

/* What is written can be read as a baseline again, and nothing of a hostile name stays active. */
static void test_formats(void **state)
{
	static const char hostile[] = "a]]>--><script>alert(1)</script>\x1b]0;x\x07`|@all ![x](http://e.x) \xff\xef\xbf\xbf&\n:b.js";
	struct finding_list l = { .n = 0, .checked = 2 };
	struct findings_report r = { .command = "scan", .list = &l, .target = hostile };

	(void) state;
	finding_list_add(&l, sample(ID_SECRET_IN_CODE, FINDING_FAIL, hostile, 3));
	finding_evidence(l.item[0], "value", NULL, 0, "%s", hostile);
	finding_remedy(l.item[0], hostile, hostile);
	finding_list_add(&l, sample(ID_SECRET_IN_HISTORY, FINDING_UNKNOWN, "b", 0));
	l.item[1]->reason = REASON_MALFORMED;
	for (const struct findings_format *f = findings_formats; f->name; f++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);
		pv_auto(finding_baseline) b = NULL;

		CHECK(f->write(out, &r) == 0, "%s", f->name);
		(void) fclose(out);
		CHECK(!memchr(text, 0x1b, len) && !memchr(text, 0x07, len) && !memchr(text, 0xff, len), "%s: %s", f->name, text);
		if (strcmp(f->name, "html") == 0 || strcmp(f->name, "junit") == 0)
			CHECK(!strstr(text, "<script") && !strstr(text, "]]>"), "%s", text);
		if (strncmp(f->name, "json", 4) == 0 || strcmp(f->name, "sarif") == 0) {
			CHECK(finding_baseline_read(text, len, &b) == 0, "%s", f->name);
			CHECK(finding_baseline_apply(b, &l) == 2, "%s", f->name);
			l.item[0]->old = l.item[1]->old = false;
		}
		CHECK(findings_format_find(f->name) == f, "%s", f->name);
		free(text);
	}
	finding_list_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fingerprint), cmocka_unit_test(test_json),     cmocka_unit_test(test_status),
		cmocka_unit_test(test_sort),	    cmocka_unit_test(test_baseline), cmocka_unit_test(test_formats),
	};

	return cmocka_run_group_tests_name("finding", tests, NULL, NULL);
}
