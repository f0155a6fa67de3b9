#include "base/buf.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/lines.h"
#include "base/map.h"
#include "base/text.h"
#include "check.h"

static void test_text(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
		int r;
	} durations[] = {
		{ "90s", 90000000, 0 },	 { "10m", 600000000, 0 },   { "7d", 604800000000, 0 },
		{ "500ms", 500000, 0 },	 { "1y", 31536000000000, 0 }, { "5", 0, -EINVAL },	    { "", 0, -EINVAL },
		{ "5 m", 0, -EINVAL },	 { "-5m", 0, -EINVAL },	    { "99999999999999999999s", 0, -ERANGE },
		{ "9999999999999999d", 0, -ERANGE },
	};
	static const struct {
		const char *pattern, *text;
		bool match;
	} globs[] = {
		{ "shop/*", "shop/web", true }, { "*", "", true },	  { "a*b*c", "aXXbYYc", true },
		{ "a*b*c", "aXXbYY", false },	{ "?hop", "shop", true }, { "", "x", false },
		{ "a**b", "ab", true },
	};
	uint64_t v;
	uint32_t p;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(durations); i++) {
		v = 0;
		CHECK(parse_duration(durations[i].text, &v) == durations[i].r, "%s", durations[i].text);
		CHECK(v == durations[i].us, "%s", durations[i].text);
	}
	assert_int_equal(parse_bytes("450MiB", &v), 0);
	assert_int_equal(v, 450u << 20);
	assert_int_equal(parse_bytes("450MB", &v), 0);
	assert_int_equal(v, 450000000);
	assert_int_equal(parse_bytes("450 MB", &v), -EINVAL);
	assert_int_equal(parse_permyriad("80%", &p), 0);
	assert_int_equal(p, 8000);
	assert_int_equal(parse_permyriad("0.5%", &p), 0);
	assert_int_equal(p, 50);
	assert_int_equal(parse_permyriad("80", &p), -EINVAL);
	assert_int_equal(parse_permyriad("8.123%", &p), -EINVAL);
	for (size_t i = 0; i < N_ELEMENTS(globs); i++)
		CHECK(glob_match(globs[i].pattern, globs[i].text) == globs[i].match, "%s on %s",
		      globs[i].pattern, globs[i].text);
}

static void test_lines(void **state)
{
	static char text[10000];
	unsigned seed = 3;

	(void) state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = rand_r(&seed) % 3 ? '\n' : (char) (rand_r(&seed) % 256);
	for (size_t k = 0; k < 2000; k++) {
		size_t at = (size_t) rand_r(&seed) % 100, len = (size_t) rand_r(&seed) % (k % 2 ? 200 : sizeof(text) - at), want = 0;

		for (size_t i = 0; i < len; i++)
			want += text[at + i] == '\n';
		CHECK(text_lines(text + at, len) == want, "%zu+%zu", at, len);
	}
}

static void test_escapes(void **state)
{
	static const struct {
		const char *in, *json, *safe;
	} cases[] = {
		{ "plain", "\"plain\"", "plain" },
		{ "q\"b\\", "\"q\\\"b\\\\\"", "q\"b\\" },
		{ "\x1b[31m", "\"\\u001b[31m\"", "\\x1b[31m" },
		{ "caf\xc3\xa9", "\"caf\xc3\xa9\"", "caf\xc3\xa9" },
		{ "bad\xff", "\"bad\\u00ff\"", "bad\\xff" },
		{ "\xe2\x80\xae" "txt", "\"\\u202etxt\"", "\\xe2\\x80\\xaetxt" },
		{ "\xc2\x9b", "\"\\u009b\"", "\\xc2\\x9b" },
		{ "\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\"", "\\xed\\xa0\\x80" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_autobuf b = PV_BUF_INIT;

		pv_buf_json_str(&b, cases[i].in);
		CHECK_STR(pv_buf_str(&b), cases[i].json, "json case %zu", i);
		pv_buf_clear(&b);
		pv_buf_safe(&b, cases[i].in, 0);
		CHECK_STR(pv_buf_str(&b), cases[i].safe, "safe case %zu", i);
	}
}

static void test_buf_cap(void **state)
{
	pv_autobuf b = { .cap = 10 };

	(void) state;
	pv_buf_puts(&b, "12345");
	pv_buf_printf(&b, "%s", "67890");
	assert_false(b.cut);
	pv_buf_putc(&b, 'x');
	assert_true(b.cut);
	assert_string_equal(pv_buf_str(&b), "1234567890");
}

static void test_ip(void **state)
{
	static const struct {
		const char *text, *out;
	} prefixes[] = {
		{ "10.1.2.3/8", "10.0.0.0/8" },	     { "203.0.113.7", "203.0.113.7/32" },
		{ "2001:DB8::1/32", "2001:db8::/32" }, { "::ffff:192.0.2.1", "192.0.2.1/32" },
		{ "0.0.0.0/0", "0.0.0.0/0" },	     { "10.0.0.0/33", NULL },
		{ "10.0.0/8", NULL },		     { "::/129", NULL },
		{ "a", NULL },
	};
	struct ip_prefix p;
	struct ip_addr a;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(prefixes); i++) {
		pv_autobuf b = PV_BUF_INIT;
		int r = ip_prefix_parse(prefixes[i].text, &p);

		if (!r)
			ip_prefix_format(&b, &p);
		CHECK_STR(r ? NULL : pv_buf_str(&b), prefixes[i].out, "%s", prefixes[i].text);
	}
	assert_int_equal(ip_prefix_parse("172.16.0.0/12", &p), 0);
	assert_int_equal(ip_parse("172.31.255.255", &a), 0);
	assert_true(ip_in_prefix(&a, &p));
	assert_int_equal(ip_parse("172.32.0.0", &a), 0);
	assert_false(ip_in_prefix(&a, &p));
}

static void test_map(void **state)
{
	static int values[2000];
	struct pv_map m = { 0 };
	size_t i, n = 0;

	(void) state;
	for (i = 0; i < 2000; i++)
		assert_int_equal(pv_map_put(&m, i * 0x100000001ULL, &values[i]), 0);
	for (i = 0; i < 2000; i += 2)
		assert_ptr_equal(pv_map_take(&m, i * 0x100000001ULL), &values[i]);
	for (i = 0; i < 2000; i++)
		assert_ptr_equal(pv_map_get(&m, i * 0x100000001ULL), i % 2 ? &values[i] : NULL);
	for (i = 0; pv_map_next(&m, &i);)
		n++;
	assert_int_equal(n, 1000);
	pv_map_done(&m);
}

static void test_clock_stepped(void **state)
{
	const int64_t s = USEC_PER_SEC;
	int64_t at = 0;

	(void) state;
	assert_false(clock_stepped(&at, 1700000000 * (uint64_t) s, 50 * (uint64_t) s)); /* the first look */
	assert_false(clock_stepped(&at, 1700000009 * (uint64_t) s, 59 * (uint64_t) s));
	assert_false(clock_stepped(&at, 1700000023 * (uint64_t) s, 69 * (uint64_t) s)); /* slewed, by four seconds */
	assert_true(clock_stepped(&at, 1700000035 * (uint64_t) s, 79 * (uint64_t) s));
	assert_false(clock_stepped(&at, 1700000045 * (uint64_t) s, 89 * (uint64_t) s)); /* from there on */
	assert_true(clock_stepped(&at, 1600000000 * (uint64_t) s, 90 * (uint64_t) s));
	assert_false(clock_stepped(&at, 1600000001 * (uint64_t) s, 91 * (uint64_t) s));
}

static void test_clock(void **state)
{
	pv_autobuf b = PV_BUF_INIT;

	(void) state;
	clock_rfc3339(&b, 1700000000123456);
	assert_string_equal(pv_buf_str(&b), "2023-11-14T22:13:20.123456Z");
	pv_buf_clear(&b);
	clock_duration(&b, 5400 * USEC_PER_SEC);
	assert_string_equal(pv_buf_str(&b), "1h 30m");
}

/* --- lines in pieces, and a set of them --- */

static int join(const char *line, size_t len, void *user)
{
	struct pv_buf *to = user;

	pv_buf_add(to, line, len);
	pv_buf_putc(to, '|');
	return strcmp(line, "stop") == 0 ? 7 : 0;
}

static void test_line_reader(void **state)
{
	static const struct {
		const char *text, *want;
		int r;
	} cases[] = {
		{ "", "", 0 },	       { "a", "a|", 0 },	 { "a\n", "a|", 0 },	       { "a\n\nb", "a||b|", 0 },
		{ "\n", "|", 0 }, { "a\nstop\nb\n", "a|stop|", 7 }, { "a\nstop", "a|stop|", 7 },
	};
	pv_autofree char *big = calloc(1, LINE_READER_MAX + 2);

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		for (size_t step = 1; step < 4; step++) {
			pv_autobuf out = PV_BUF_INIT;
			pv_autofree struct line_reader *l = lines_new(join, &out);
			size_t len = strlen(cases[i].text);
			int r = 0;

			assert_non_null(l);
			for (size_t k = 0; k < len && r == 0; k += step)
				r = lines_add(l, cases[i].text + k, PV_MIN(step, len - k));
			r = r ? r : lines_end(l);
			CHECK(r == cases[i].r && strcmp(pv_buf_str(&out), cases[i].want) == 0, "case %zu by %zu: %d %s", i, step, r, pv_buf_str(&out));
		}
	assert_non_null(big);
	memset(big, 'x', LINE_READER_MAX + 1);
	for (size_t over = 0; over < 2; over++) {
		pv_autobuf out = PV_BUF_INIT;
		pv_autofree struct line_reader *l = lines_new(join, &out);

		assert_non_null(l);
		assert_int_equal(lines_add(l, "a\n", 2), 0);
		assert_int_equal(lines_add(l, big, 70), 0);
		assert_int_equal(lines_add(l, big, LINE_READER_MAX - 70 + over), 0);
		assert_int_equal(lines_add(l, "\nb", 2), 0);
		assert_int_equal(lines_end(l), 0);
		CHECK(out.len == (over ? 4u : LINE_READER_MAX + 5u), "a line that is too long is left out: %zu", out.len);
	}
}

static void test_line_set(void **state)
{
	pv_auto(line_set) s = line_set_new("b x\na\n\nab\nlast");
	pv_auto(line_set) none = line_set_new("");

	(void) state;
	assert_true(s && none);
	CHECK(line_set_has(s, "a", 1) && line_set_has(s, "ab", 2) && line_set_has(s, "b x", 3) && line_set_has(s, "last", 4), "each line");
	CHECK(!line_set_has(s, "b", 1) && !line_set_has(s, "abc", 3) && !line_set_has(s, "las", 3) && !line_set_has(none, "a", 1), "and no part of one");
	CHECK(line_set_has(s, "ab and more", 2), "by its length");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text), cmocka_unit_test(test_lines), cmocka_unit_test(test_escapes), cmocka_unit_test(test_buf_cap),
		cmocka_unit_test(test_ip),   cmocka_unit_test(test_map),     cmocka_unit_test(test_clock), cmocka_unit_test(test_clock_stepped),
		cmocka_unit_test(test_line_reader), cmocka_unit_test(test_line_set),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
