#include "check.h"
#include "engine_api/log_stream.h"

#define T1 "2026-11-21T19:00:00.123456789Z "
#define NS1 1795287600123456789ull

/* Literals with their NULs. */
#define BYTES(s) (s), sizeof(s) - 1

struct got {
	struct pv_buf text;
	uint64_t ns;
};

static int keep(const struct log_stream_line *l, void *arg)
{
	struct got *g = arg;

	pv_buf_printf(&g->text, "%u:", l->stream);
	pv_buf_add(&g->text, l->text, l->len);
	pv_buf_putc(&g->text, '|');
	g->ns = l->ns;
	return 0;
}

static int feed(const char *data, size_t len, size_t piece, struct got *g)
{
	pv_auto(log_stream) s = NULL;
	int r = log_stream_new(&s);

	for (size_t at = 0; !r && at < len; at += piece)
		r = log_stream_feed(s, data + at, PV_MIN(piece, len - at), keep, g);
	return r;
}

static void test_lines(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		int r;
		const char *want;
		uint64_t ns; /* of the last line */
	} cases[] = {
		{ "", 0, 0, "", 0 },
		{ BYTES("\1\0\0\0\0\0\0\x23" T1 "one\n"), 0, "0:one|", NS1 },
		{ BYTES("\2\0\0\0\0\0\0\x23" T1 "two\n"), 0, "1:two|", NS1 },
		{ BYTES("\1\0\0\0\0\0\0\x20" T1 "\n"), 0, "0:|", NS1 },
		/* pieces of a line, another stream's line between them */
		{ BYTES("\1\0\0\0\0\0\0\x21" T1 "ab\2\0\0\0\0\0\0\x21" T1 "x\n\1\0\0\0\0\0\0\x22" T1 "cd\n"), 0, "1:x|0:abcd|", NS1 },
		/* a terminal */
		{ BYTES(T1 "one\r\n" T1 "two\n"), 0, "0:one\r|0:two|", NS1 },
		/* what looks like a time or a frame is text inside a line */
		{ BYTES(T1 "2020-01-01T00:00:00Z forged\n"), 0, "0:2020-01-01T00:00:00Z forged|", NS1 },
		{ BYTES("\1\0\0\0\0\0\0\x2b" T1 "\2...\0\0\0\3abc\n"), 0, "0:\2...", NS1 },
		/* Podman: whole seconds, local time */
		{ BYTES("\1\0\0\0\0\0\0\x1c" "2026-11-21T20:00:00+01:00 x\n"), 0, "0:x|", 1795287600000000000ull },
		/* no time: passed over */
		{ BYTES("\1\0\0\0\0\0\0\4one\n"), 0, "", 0 },
		{ BYTES("\1\0\0\0\0\0\0\x08one two\n\1\0\0\0\0\0\0\x23" T1 "one\n"), 0, "0:one|", NS1 },
		{ BYTES("\1\0\0\0\0\0\0\x23" "2026-13-21T19:00:00.123456789Z one\n"), 0, "", 0 },
		{ BYTES("error\n\n" T1 "one\n"), 0, "0:one|", NS1 },
		{ BYTES("0\n" T1 "one\n"), 0, "0:one|", NS1 },
		{ BYTES("0123456789012345678901234567890123456789012345678901234567890123456789\n" T1 "one\n"), 0, "0:one|", NS1 },
		/* a word of the engine's own; empty frames */
		{ BYTES("\3\0\0\0\0\0\0\5oops\n\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\x23" T1 "one\n"), 0, "0:one|", NS1 },
		/* not finished */
		{ BYTES("\1\0\0\0\0\0\0\x23" T1 "on"), 0, "", 0 },
		{ BYTES("\1\0\0\0\xff\xff\xff\xff" T1 "one\n" "rest"), 0, "0:one|", NS1 },
		/* no frames */
		{ BYTES("\1\0\0\0\0\0\0\x23" T1 "one\n\7\0\0\0\0\0\0\1x"), -EBADMSG, "0:one|", NS1 },
		{ BYTES("\1\0\1\0\0\0\0\1x"), -EBADMSG, "", 0 },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		for (size_t piece = 1; piece <= cases[i].len + 1; piece++) {
			struct got g = { .text = PV_BUF_INIT };

			CHECK(feed(cases[i].data, cases[i].len, piece, &g) == cases[i].r, "case %zu in pieces of %zu", i, piece);
			CHECK_STR(pv_buf_str(&g.text), cases[i].want, "case %zu in pieces of %zu", i, piece);
			CHECK(g.ns == cases[i].ns, "case %zu: %llu", i, (unsigned long long) g.ns);
			pv_buf_done(&g.text);
		}
	}
}

/* A line without end is cut, and the one after it is there. */
static void test_long(void **state)
{
	pv_auto(log_stream) s = NULL;
	struct got g = { .text = PV_BUF_INIT };
	char x[4096];

	(void) state;
	memset(x, 'x', sizeof(x));
	assert_int_equal(log_stream_new(&s), 0);
	assert_int_equal(log_stream_feed(s, BYTES(T1), keep, &g), 0);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(log_stream_feed(s, x, sizeof(x), keep, &g), 0);
	assert_int_equal(log_stream_feed(s, BYTES("\n" T1 "next\n"), keep, &g), 0);
	assert_int_equal(g.text.len, strlen("0:|0:next|") + LOG_LINE_MAX);
	pv_buf_done(&g.text);
}

/* One stream's lines, time and whether each is new; 'a': another stream begins, and all are sent again from there. */
static void test_place(void **state)
{
	static const struct {
		char what; /* o, e: a line of stdout, stderr; a */
		uint64_t ns;
		bool new;
	} steps[] = {
		{ 'o', 999, false }, { 'o', 1000, true }, { 'o', 1000, true }, { 'e', 1000, true }, { 'o', 1005, true }, { 'o', 1005, true },
		{ 'e', 1003, true }, /* written late */
		{ 'a', 0, false }, { 'o', 1000, false }, { 'o', 1000, false }, { 'e', 1000, false }, { 'o', 1005, false }, { 'o', 1005, false },
		{ 'e', 1003, false }, { 'o', 1005, true }, { 'e', 1003, true }, { 'o', 1006, true },
		/* what was behind was rotated away */
		{ 'a', 0, false }, { 'o', 1010, true }, { 'o', 1010, true }, { 'e', 1003, false }, { 'e', 1003, false }, { 'e', 1004, true },
		/* the clock is set back while it is read */
		{ 'o', 900, true }, { 'a', 0, false }, { 'o', 900, false }, { 'o', 901, true },
	};
	struct log_place_in p, kept;
	pv_autobuf text = PV_BUF_INIT;

	(void) state;
	log_place_begin(&p, 1000);
	for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
		struct log_stream_line line = { .stream = steps[i].what == 'e', .ns = steps[i].ns };

		if (steps[i].what != 'a') {
			CHECK(log_place_take(&p, &line) == steps[i].new, "step %zu", i);
			continue;
		}
		pv_buf_clear(&text); /* as after a restart */
		log_place_save(&p, &text);
		CHECK(log_place_restore(&kept, pv_buf_str(&text)) == 0, "step %zu: %s", i, pv_buf_str(&text));
		p = kept;
		log_place_again(&p);
	}
}

static void test_kept(void **state)
{
	static const char *const bad[] = { "", "api", "api ", "api 1 2 3", "api 1 2 3 4 5", "api 1 2 3 x", "api -1 2 3 4", "api 1 4294967296 3 4", "2 1 2 3 4",
					   "api 1  3 4", "api 111111111111111111111111111 1 1 1", "api 1 2 3 " };
	struct log_place_in p;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		CHECK(log_place_restore(&p, bad[i]) == -EBADMSG, "%s", bad[i]);
	log_place_begin(&p, NS1);
	CHECK(log_place_since(&p) == NS1 / 1000000000 - 60, "a minute before");
	log_place_begin(&p, 0);
	CHECK(log_place_since(&p) == 0, "from the start");
	log_place_begin(&p, UINT64_MAX);
	CHECK(log_place_since(&p) == UINT32_MAX, "the end of time");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests_name("log_stream", tests, NULL, NULL);
}
