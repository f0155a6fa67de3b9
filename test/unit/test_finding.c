#include "base/util.h"
#include "check.h"
#include "model/ignore.h"
#include "report/baseline.h"
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

static void test_long_command(void **state)
{
	pv_auto(finding) f = finding_new(ID_SECRET_IN_CODE, FINDING_FAIL);
	char text[FINDING_TEXT + 2] = "";

	(void) state;
	memset(text, 'x', FINDING_TEXT);
	finding_remedy(f, text, text);
	CHECK(f->command && strlen(f->command) == FINDING_TEXT, "as long as there is room for");
	text[FINDING_TEXT] = 'x';
	finding_remedy(f, text, text);
	CHECK(f->remedy && strlen(f->remedy) == FINDING_TEXT && !f->command, "a longer one is none");
}

static void test_baseline(void **state)
{
	static const struct {
		const char *text;
		bool has1, has2;
		const char *err; /* NULL: it is one */
	} cases[] = {
		{ "", false, false, NULL },
		{ "\n \n", false, false, NULL },
		{ H1 "\n", true, false, NULL },
		{ H2 "\r\n" H1, true, true, NULL },
		{ "{\"fingerprint\":\"" H1 "\"}", true, false, NULL },
		{ "{\"fingerprint\": \"" H1 "\"}\n{\"fingerprint\":\"" H2 "\"}\n", true, true, NULL },
		{ "{\"schema\":1,\"findings\":[],\"checked\":1}", false, false, NULL },
		/* Only what failed is old: what passed then, could not be checked or was accepted is new when it fails. */
		{ "{\"schema\":1,\"findings\":[{\"verdict\":\"pass\",\"fingerprint\":\"" H1 "\"},\n"
		  "{\"verdict\":\"fail\",\"fingerprint\":\"" H2 "\",\"of a later version\":[1]}]}", false, true, NULL },
		{ "{\"verdict\":\"unknown\",\"fingerprint\":\"" H1 "\"}\n{\"verdict\":\"not-applicable\",\"fingerprint\":\"" H2 "\"}", false,
		  false, NULL },
		{ "{\"verdict\":\"fail\",\"fingerprint\":\"" H1 "\",\"accepted\":{\"reason\":\"x\"}}", false, false, NULL },
		{ "{\"runs\":[{\"results\":[{\"kind\":\"open\",\"partialFingerprints\":{\"pavise/v1\":\"" H1 "\"}},"
		  "{\"kind\":\"fail\",\"partialFingerprints\":{\"pavise/v1\":\"" H2 "\"}}]}]}", false, true, NULL },
		{ "{\"runs\":[{\"results\":[{\"partialFingerprints\":{\"pavise/v1\":\"" H2 "\"},\"suppressions\":[{\"kind\":\"external\"}]}]}]}", false,
		  false, NULL },
		{ "{\"runs\":[{\"results\":[{\"partialFingerprints\":{\"pavise/v1\":\"" H2 "\"},\"suppressions\":[]}]}]}", false, true, NULL },
		/* What is broken is no baseline: with the place. */
		{ "hello", false, false, "line 1, column 1: no fingerprint of 32 hex digits" },
		{ H1 "\n0" H2 "\n", false, false, "line 2, column 1: no fingerprint of 32 hex digits" },
		{ "{\"commit\":\"" H1 "\"}", false, false, "line 1, column 1: none of pavise's reports, or" },
		{ "{\"schema\":2,\"findings\":[{\"fingerprint\":\"" H1 "\"}]}", false, false, "line 1, column 1: a report of another version" },
		{ "{\"schema\":1,\"findings\":[\n{\"fingerprint\":\"" H1 "\"},\n{\"fingerp", false, false, "line 3, column " },
		{ "{\"fingerprint\":\"" H1 "\"}\n\n{\"fingerprint\":\"" H2 "\"", false, false, "line 3, column 49: no JSON" },
		{ "{\"fingerprint\":\"abc\"}", false, false, "line 1, column 1: none of pavise's reports, or one with a fingerprint" },
		{ "{\"schema\":1,\"findings\":7}", false, false, "line 1, column 1: none of" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_auto(baseline) b = NULL;
		pv_autobuf err = PV_BUF_INIT;
		int r = baseline_read(cases[i].text, strlen(cases[i].text), &b, &err);

		CHECK(r == (cases[i].err ? -EINVAL : 0), "case %zu: %s", i, pv_buf_str(&err));
		if (cases[i].err)
			CHECK(strncmp(pv_buf_str(&err), cases[i].err, strlen(cases[i].err)) == 0, "case %zu: %s", i, pv_buf_str(&err));
		CHECK(baseline_has(b, H1) == cases[i].has1, "case %zu", i);
		CHECK(baseline_has(b, H2) == cases[i].has2, "case %zu", i);
	}
}

#define NOW_US (1767225600ull * 1000000) /* 2026-01-01 */
#define REST   "reason: made up, owner: anna, expires: 2026-06-01}\n"

static struct finding *of(enum id id, enum finding_verdict verdict, const char *name)
{
	struct finding *f = finding_new(id, verdict);

	finding_subject(f, SUBJECT_CONTAINER, name, NULL, 0);
	return f;
}

/* Which entry counts; what is wrong with one that does not, and where it stands. */
static void test_ignore(void **state)
{
	static const struct {
		const char *entry, *wrong; /* NULL: it counts */
	} cases[] = {
		{ "- {id: ctr.privileged, subject: shop/web, " REST, NULL },
		{ "- {id: ctr.privileged, subject: 'shop/*', " REST, NULL },
		{ "- {id: ctr.privileged, subject: shop/we, " REST, "" },
		{ "- {id: ctr.pids-limit, subject: shop/web, " REST, "" },
		{ "- {id: ctr.privileged, subject: shop/web, rule: github.pat, " REST, "" },
		{ "- {id: 'ctr.*', subject: shop/web, " REST, "an id has no wildcard" },
		{ "- {id: ctr.privilege, subject: shop/web, " REST, "there is no such id" },
		{ "- {id: [ctr.privileged], subject: shop/web, " REST, "its id is missing" },
		{ "- {subject: shop/web, " REST, "its id is missing" },
		{ "- {id: ctr.privileged, " REST, "its subject is missing" },
		{ "- {id: ctr.privileged, subject: shop/web, owner: anna, expires: 2026-06-01}\n", "its reason is missing" },
		{ "- {id: ctr.privileged, subject: shop/web, reason: '', owner: anna, expires: 2026-06-01}\n", "its reason is missing" },
		{ "- {id: ctr.privileged, subject: shop/web, reason: x, expires: 2026-06-01}\n", "its owner is missing: who answers for it" },
		{ "- {id: ctr.privileged, subject: shop/web, reason: x, owner: anna}\n", "expires wants a date such as 2027-03-01" },
		{ "- {id: ctr.privileged, subject: shop/web, reason: x, owner: anna, expires: 2026-02-30}\n", "expires wants a date such as 2027-03-01" },
		{ "- {id: ctr.privileged, subject: shop/web, reason: x, owner: anna, expires: never}\n", "expires wants a date such as 2027-03-01" },
		{ "- {id: ctr.privileged, subject: shop/web, reason: x, owner: anna, expires: 2025-12-31}\n", "it ended on 2025-12-31" },
		{ "- {id: ctr.privileged, subject: shop/web, reason: x, owner: anna, expires: 2026-01-01}\n", NULL }, /* to the end of that day */
		{ "- {id: ctr.privileged, subject: shop/web, reason: x, owner: anna, expires: 2027-01-01}\n", NULL },
		{ "- {id: ctr.privileged, subject: shop/web, reason: x, owner: anna, expires: 2027-01-03}\n", "expires lies more than a year ahead" },
		{ "- {id: ctr.privileged, subjects: x, subject: shop/web, " REST, "a key that is none of id, subject, rule, reason, owner, expires" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct finding_list l = { .n = 0 };
		pv_auto(ignore_list) list = NULL;
		pv_autobuf text = PV_BUF_INIT, err = PV_BUF_INIT;
		const char *wrong = cases[i].wrong;

		pv_buf_printf(&text, "# kept\n%s", cases[i].entry);
		CHECK(ignore_read("pavise.ignore", pv_buf_str(&text), text.len, NOW_US, &list, &err) == 0, "case %zu: %s", i, pv_buf_str(&err));
		assert_int_equal(finding_list_add(&l, of(ID_CTR_PRIVILEGED, FINDING_FAIL, "shop/web")), 0);
		CHECK(ignore_covers(list, l.item[0], NULL) == !wrong && finding_fails(l.item[0]) == !!wrong, "case %zu", i);
		assert_int_equal(ignore_report(list, NULL, &l), 0);
		if (!wrong) {
			CHECK(l.n == 1 && l.item[0]->verdict == FINDING_FAIL && finding_list_status(&l, SEV_INFO) == 0, "case %zu: listed still", i);
			CHECK_STR(l.item[0]->accepted.owner, "anna", "owner");
		} else {
			CHECK(l.n == 2 && l.item[1]->id == (*wrong ? ID_IGNORE_INVALID : ID_IGNORE_UNUSED) && l.item[1]->subject.line == 2, "case %zu", i);
			CHECK(!*wrong || strcmp(l.item[1]->evidence[1].value, wrong) == 0, "case %zu: %s", i, l.item[1]->evidence[1].value);
		}
		finding_list_done(&l);
	}
}

/* What could not be checked is not hidden by any entry, and an entry that this concerns is not called unused. */
static void test_ignore_unknown(void **state)
{
	static const char text[] = "- {id: ctr.privileged, subject: '*', " REST "- {id: ctr.seccomp, subject: web, " REST;
	struct finding_list l = { .n = 0 };
	pv_auto(ignore_list) list = NULL;
	pv_autobuf err = PV_BUF_INIT;

	(void) state;
	assert_int_equal(ignore_read("x", text, strlen(text), NOW_US, &list, &err), 0);
	assert_int_equal(finding_list_add(&l, of(ID_CTR_PRIVILEGED, FINDING_UNKNOWN, "web")), 0);
	l.item[0]->reason = REASON_PERMISSION;
	CHECK(!ignore_covers(list, l.item[0], NULL) && !l.item[0]->accepted.reason, "not hidden");
	assert_int_equal(ignore_report(list, NULL, &l), 0);
	CHECK(l.n == 2 && l.item[1]->id == ID_IGNORE_UNUSED && strstr(l.item[1]->evidence[0].value, "ctr.seccomp"), "only the other is unused");
	CHECK(finding_list_status(&l, SEV_HIGH) == 3, "incomplete still");
	finding_list_done(&l);
}

static void test_ignore_broken(void **state)
{
	static const struct {
		const char *text, *err;
	} cases[] = {
		{ "not: [a, list\n", "i\\x1b[2J:2:1: " },
		{ "id: ctr.privileged\n", "i\\x1b[2J:1:1: wants a list of `- id: ...` entries\n" },
		{ "- ctr.privileged\n", "i\\x1b[2J:1:3: wants `id:`, `subject:` and so on\n" },
		{ "- {id: a, id: b}\n", "i\\x1b[2J:1:" },
		{ "- &a {x: *a}\n", "i\\x1b[2J:1:" },
	};
	pv_autobuf many = PV_BUF_INIT, err = PV_BUF_INIT;
	pv_auto(ignore_list) list = NULL;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_buf_clear(&err);
		CHECK(ignore_read("i\x1b[2J", cases[i].text, strlen(cases[i].text), NOW_US, &list, &err) == -EINVAL && !list, "case %zu", i);
		CHECK(strncmp(pv_buf_str(&err), cases[i].err, strlen(cases[i].err)) == 0, "case %zu: %s", i, pv_buf_str(&err));
	}
	for (unsigned i = 0; i <= IGNORE_ENTRIES; i++)
		pv_buf_puts(&many, "- {}\n");
	pv_buf_clear(&err);
	CHECK(ignore_read("x", pv_buf_str(&many), many.len, NOW_US, &list, &err) == -EINVAL, "too many");
	CHECK_STR(pv_buf_str(&err), "x:1:1: too many entries; at most 2000\n", "too many");
	/* Without content it accepts nothing. */
	assert_int_equal(ignore_read("x", "# nothing\n", 10, NOW_US, &list, &err), 0);
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
	finding_list_add(&l, sample(ID_CTR_PRIVILEGED, FINDING_FAIL, "c", 0));
	finding_accept(l.item[2], hostile, hostile, "2027-03-01");
	for (const struct findings_format *f = findings_formats; f->name; f++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);
		pv_auto(baseline) b = NULL;
		pv_autobuf err = PV_BUF_INIT;

		CHECK(f->write(out, &r) == 0, "%s", f->name);
		(void) fclose(out);
		CHECK(!memchr(text, 0x1b, len) && !memchr(text, 0x07, len) && !memchr(text, 0xff, len), "%s: %s", f->name, text);
		if (strcmp(f->name, "html") == 0 || strcmp(f->name, "junit") == 0)
			CHECK(!strstr(text, "<script") && !strstr(text, "]]>"), "%s", text);
		if (strncmp(f->name, "json", 4) == 0 || strcmp(f->name, "sarif") == 0) {
			CHECK(baseline_read(text, len, &b, &err) == 0, "%s: %s", f->name, pv_buf_str(&err));
			CHECK(baseline_apply(b, &l) == 1 && l.item[0]->old && !l.item[1]->old && !l.item[2]->old, "%s", f->name);
			l.item[0]->old = false;
		}
		CHECK(strstr(text, "2027-03-01") && strstr(text, "ctr.privileged"), "%s: what is accepted is listed: %s", f->name, text);
		CHECK(findings_format_find(f->name) == f, "%s", f->name);
		free(text);
	}
	finding_list_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fingerprint), cmocka_unit_test(test_json),     cmocka_unit_test(test_status),
		cmocka_unit_test(test_sort),	    cmocka_unit_test(test_long_command), cmocka_unit_test(test_baseline), cmocka_unit_test(test_ignore), cmocka_unit_test(test_ignore_unknown),
		cmocka_unit_test(test_ignore_broken), cmocka_unit_test(test_formats),
	};

	return cmocka_run_group_tests_name("finding", tests, NULL, NULL);
}
