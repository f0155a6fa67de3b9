#include "engine_api/answer.h"

#include "check.h"

#define CAP 64
#define OK  "HTTP/1.1 200 OK\r\n"
#define CH  OK "Transfer-Encoding: chunked\r\n\r\n"

/* What feeding says, what the end of the connection says after that, and the body. */
static const struct {
	const char *in;
	int feed, end;
	int status;
	const char *body;
} cases[] = {
	/* by length */
	{ OK "Content-Length: 5\r\n\r\nhello", 1, 1, 200, "hello" },
	{ OK "content-length:5 \r\nX: y\r\n\r\nhello and more", 1, 1, 200, "hello" },
	{ OK "Content-Length: 0\r\n\r\n", 1, 1, 200, "" },
	{ OK "Content-Length: 5\r\n\r\nhel", 0, -EPIPE, 200, "hel" },
	{ OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 1, 1, 200, "hello" },
	{ OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", -EBADMSG, -EBADMSG, 200, "" },
	{ OK "Content-Length: 65\r\n\r\n", -EFBIG, -EFBIG, 200, "" },
	{ OK "Content-Length: 200000000\r\n\r\n", -EFBIG, -EFBIG, 200, "" },
	{ OK "Content-Length: 99999999999999999999999\r\n\r\n", -EFBIG, -EFBIG, 200, "" },
	{ OK "Content-Length: -1\r\n\r\n", -EBADMSG, -EBADMSG, 200, "" },
	{ OK "Content-Length: 5x\r\n\r\nhello", -EBADMSG, -EBADMSG, 200, "" },
	{ OK "Content-Length:\r\n\r\nhello", -EBADMSG, -EBADMSG, 200, "" },
	{ OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", -EBADMSG, -EBADMSG, 200, "" },
	/* until the end */
	{ "HTTP/1.0 200 OK\r\n\r\nhello", 0, 1, 200, "hello" },
	{ "HTTP/1.1 404\r\n\r\n", 0, 1, 404, "" },
	/* chunked */
	{ CH "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", 1, 1, 200, "hello!" },
	{ CH "5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n", 1, 1, 200, "hello" },
	{ CH "00a\r\n0123456789\r\n0\r\n\r\n", 1, 1, 200, "0123456789" },
	{ CH "5\r\nhello\r\n", 0, -EPIPE, 200, "hello" },
	{ CH "5\r\nhelloX\r\n0\r\n\r\n", -EBADMSG, -EBADMSG, 200, "hello" },
	{ CH "\r\n", -EBADMSG, -EBADMSG, 200, "" },
	{ CH "-5\r\nhello\r\n", -EBADMSG, -EBADMSG, 200, "" },
	{ CH "5x\r\nhello\r\n", -EBADMSG, -EBADMSG, 200, "" },
	{ CH "41\r\n", -EFBIG, -EFBIG, 200, "" },
	{ CH "ffffffffffffffff\r\n", -EFBIG, -EFBIG, 200, "" },
	{ CH "10000000000000000\r\n", -EFBIG, -EFBIG, 200, "" },
	{ CH "20\r\n01234567890123456789012345678901\r\n21\r\n012345678901234567890123456789012", -EFBIG, -EFBIG, 200,
	  "01234567890123456789012345678901" },
	{ OK "Transfer-Encoding: gzip, chunked\r\n\r\n", -EBADMSG, -EBADMSG, 200, "" },
	/* no body; an interim answer first */
	{ "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 1, 1, 204, "" },
	{ "HTTP/1.1 304 Not Modified\r\n\r\n", 1, 1, 304, "" },
	{ "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" OK "Content-Length: 1\r\n\r\n!", 1, 1, 200, "!" },
	{ "HTTP/1.1 101 UPGRADED\r\n\r\n", -EBADMSG, -EBADMSG, 0, "" },
	/* no HTTP at all */
	{ "HTTP/2 200 OK\r\n\r\n", -EBADMSG, -EBADMSG, 0, "" },
	{ "HTTP/1.1 20x OK\r\n\r\n", -EBADMSG, -EBADMSG, 0, "" },
	{ "HTTP/1.1 2000\r\n\r\n", -EBADMSG, -EBADMSG, 0, "" },
	{ "HTTP/1.1 99 X\r\n\r\n", -EBADMSG, -EBADMSG, 0, "" },
	{ "GET / HTTP/1.1\r\n\r\n", -EBADMSG, -EBADMSG, 0, "" },
	{ "HTTP/1.1 200 OK\n\n", -EBADMSG, -EBADMSG, 0, "" },
	{ OK "no colon\r\n\r\n", -EBADMSG, -EBADMSG, 200, "" },
	{ OK " folded: x\r\n\r\n", -EBADMSG, -EBADMSG, 200, "" },
	{ OK "A: b\r\n c\r\n\r\n", -EBADMSG, -EBADMSG, 200, "" },
	{ OK "A: b\rc\r\n\r\n", -EBADMSG, -EBADMSG, 200, "" },
	{ OK "Content-Length : 5\r\n\r\nhello", -EBADMSG, -EBADMSG, 200, "" },
	{ "", 0, -EPIPE, 0, "" },
	{ "HTTP/1.1 200", 0, -EPIPE, 0, "" },
};

/* In pieces of every size the outcome is the same. */
static void test_table(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		size_t len = strlen(cases[i].in);

		for (size_t piece = 1; piece <= len + 1; piece++) {
			pv_auto(http_answer) h = NULL;
			int r = 0;

			assert_int_equal(http_answer_new(CAP, &h), 0);
			for (size_t at = 0; at < len; at += piece)
				r = http_answer_feed(h, cases[i].in + at, PV_MIN(piece, len - at));
			CHECK(r == cases[i].feed, "case %zu in %zu: %d `%s`", i, piece, r, cases[i].in);
			r = http_answer_end(h);
			CHECK(r == cases[i].end, "case %zu in %zu: end %d", i, piece, r);
			CHECK(http_answer_status(h) == cases[i].status, "case %zu: %d", i, http_answer_status(h));
			CHECK(http_answer_body(h)->len <= CAP, "case %zu", i);
			if (r >= 0 || r == -EPIPE)
				CHECK_STR(pv_buf_str(http_answer_body(h)), cases[i].body, "case %zu", i);
		}
	}
}

static int feed_text(struct http_answer *h, const char *text)
{
	return http_answer_feed(h, text, strlen(text));
}

/* A NUL hides nothing: the line is refused. */
static void test_nul(void **state)
{
	static const char in[] = OK "Content-Length: 5\0\r\n\r\nhello";
	pv_auto(http_answer) h = NULL;

	(void) state;
	assert_int_equal(http_answer_new(CAP, &h), 0);
	assert_int_equal(http_answer_feed(h, in, sizeof(in) - 1), -EBADMSG);
}

/* Endless headers, endless trailers, endless size lines, endless bodies: each ends at its cap. */
static void test_endless(void **state)
{
	static const struct {
		const char *start, *more;
		int r;
		size_t within;
	} endless[] = {
		{ OK, "X-Filler: aaaaaaaaaaaaaaaa\r\n", -EBADMSG, 17 << 10 },
		{ OK, "x", -EBADMSG, 17 << 10 },
		{ "HTTP/1.1 200 ", "x", -EBADMSG, 17 << 10 },
		{ "", "HTTP/1.1 100 Continue\r\n\r\n", -EBADMSG, 17 << 10 },
		{ CH "1;", "x", -EBADMSG, 200 },
		{ CH, "0", -EBADMSG, 200 },
		{ CH "0\r\n", "T: xxxxxxxxxxxxxxxx\r\n", -EBADMSG, 17 << 10 },
		{ CH, "1\r\nx\r\n", -EFBIG, 1024 },
		{ OK "\r\n", "x", -EFBIG, 1024 },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(endless); i++) {
		pv_auto(http_answer) h = NULL;
		size_t fed = 0;
		int r;

		assert_int_equal(http_answer_new(CAP, &h), 0);
		for (r = feed_text(h, endless[i].start); r == 0 && fed < 1 << 20; fed += strlen(endless[i].more))
			r = feed_text(h, endless[i].more);
		CHECK(r == endless[i].r, "case %zu: %d after %zu", i, r, fed);
		CHECK(fed < endless[i].within, "case %zu: only after %zu", i, fed);
		assert_int_equal(feed_text(h, "x"), endless[i].r); /* and it stays so */
	}
}

/* A stream of lines may go on for ever as long as its lines are taken. */
static void test_lines(void **state)
{
	pv_auto(http_answer) h = NULL;
	pv_autobuf line = PV_BUF_INIT;
	size_t taken = 0;

	(void) state;
	assert_int_equal(http_answer_new(CAP, &h), 0);
	assert_int_equal(feed_text(h, CH), 0);
	assert_false(http_answer_take_line(h, &line));
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(feed_text(h, "c\r\none\ntwo\nthre\r\n"), 0);
		while (http_answer_take_line(h, &line))
			CHECK_STR(pv_buf_str(&line), taken++ % 3 == 0 ? "one" : taken % 3 == 2 ? "two" : "three", "line");
		CHECK_STR(pv_buf_str(http_answer_body(h)), "thre", "what is not a whole line yet");
		assert_int_equal(feed_text(h, "2\r\ne\n\r\n"), 0);
		while (http_answer_take_line(h, &line))
			CHECK_STR(pv_buf_str(&line), taken++ % 3 == 2 ? "three" : "?", "line");
	}
	assert_int_equal(taken, 3000);
	assert_int_equal(http_answer_body(h)->len, 0);
	assert_int_equal(feed_text(h, "40\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n"), 0);
	assert_false(http_answer_take_line(h, &line));
	assert_int_equal(feed_text(h, "1\r\nx\r\n"), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
