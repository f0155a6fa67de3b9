/* Files of Docker's local driver, frame by frame. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "check.h"
#include "sense/docker_local.h"

static void varint(struct pv_buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		pv_buf_putc(b, (char) (v | 0x80));
	pv_buf_putc(b, (char) v);
}

static void bytes(struct pv_buf *b, unsigned field, const char *s, size_t len)
{
	varint(b, field << 3 | 2);
	varint(b, len);
	pv_buf_add(b, s, len);
}

static void size4(struct pv_buf *b, size_t n)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		pv_buf_putc(b, (char) (n >> shift));
}

/* As messageToProto() of the driver fills it: `part` 0 whole, 1 a piece, 2 the last piece; `ordinal` of a piece from 1 on. */
static void numbered(struct pv_buf *out, const char *source, const char *line, int part, unsigned ordinal)
{
	pv_autobuf m = PV_BUF_INIT, meta = PV_BUF_INIT;

	bytes(&m, 1, source, strlen(source));
	varint(&m, 2 << 3);
	varint(&m, 1700000000123456789ULL);
	bytes(&m, 3, line, strlen(line));
	if (part) {
		varint(&m, 4 << 3);
		varint(&m, 1);
		pv_buf_add(&meta, "\x08\x01", part == 2 ? 2 : 0);
		bytes(&meta, 2, "id", 2);
		varint(&meta, 3 << 3);
		varint(&meta, ordinal);
		bytes(&m, 5, meta.data, meta.len);
	}
	size4(out, m.len);
	pv_buf_add(out, m.data, m.len);
	size4(out, m.len);
}

static void frame(struct pv_buf *out, const char *source, const char *line, int part)
{
	numbered(out, source, line, part, (unsigned) part);
}

static int sink(const struct docker_line *l, void *arg)
{
	pv_buf_printf(arg, "%.*s|%llu\n", (int) l->len, l->text, (unsigned long long) l->time_us);
	return 0;
}

static void check(const struct pv_buf *file, size_t len, size_t whole, const char *want, const char *what)
{
	pv_autobuf got = PV_BUF_INIT;

	CHECK(tail_docker_local.whole(file->data, len) == whole, "%s: %zu of %zu", what, tail_docker_local.whole(file->data, len), whole);
	assert_int_equal(docker_local_each(file->data, whole, sink, &got), 0);
	CHECK_STR(pv_buf_str(&got), want, "%s", what);
}

#define AT "|1700000000123456\n"

static void test_frames(void **state)
{
	pv_autobuf f = PV_BUF_INIT;
	size_t first;

	(void) state;
	frame(&f, "stdout", "one", 0);
	first = f.len;
	frame(&f, "stderr", "two", 0);
	check(&f, f.len, f.len, "one" AT "two" AT, "two whole ones");
	for (size_t len = first; len < f.len; len++) /* torn anywhere */
		check(&f, len, first, "one" AT, "torn");
	for (size_t len = 0; len < first; len++)
		assert_int_equal(tail_docker_local.whole(f.data, len), 0);
}

/* Pieces of both streams between each other; the position stays before what is not finished. */
static void test_pieces(void **state)
{
	pv_autobuf f = PV_BUF_INIT;
	size_t before, after;

	(void) state;
	frame(&f, "stdout", "whole", 0);
	before = f.len;
	frame(&f, "stdout", "a-", 1);
	frame(&f, "stderr", "x-", 1);
	check(&f, f.len, before, "whole" AT, "pieces wait");
	frame(&f, "stdout", "b-", 1);
	frame(&f, "stderr", "y", 2);
	frame(&f, "stdout", "c", 2);
	after = f.len;
	frame(&f, "stdout", "next-", 1);
	check(&f, f.len, after, "whole" AT "x-y" AT "a-b-c" AT, "joined by stream");
}

/* Whose beginning is not here, in the file before or passed over: a client could have chosen how such a piece begins. */
static void test_headless(void **state)
{
	pv_autobuf f = PV_BUF_INIT;

	(void) state;
	numbered(&f, "stdout", "last", 2, 2);
	check(&f, f.len, f.len, "", "the last piece alone");
	numbered(&f, "stdout", "middle", 1, 2);
	numbered(&f, "stderr", "whole", 0, 0);
	numbered(&f, "stdout", "last", 2, 3);
	numbered(&f, "stdout", "a-", 1, 1);
	numbered(&f, "stdout", "b", 2, 2);
	check(&f, f.len, f.len, "whole" AT "a-b" AT, "a middle and a last one");
}

/* A line without an end: what there is of it is given in time, none larger than a line may be; the rest of it is passed over. */
static void test_endless(void **state)
{
	pv_autobuf f = PV_BUF_INIT, rest = PV_BUF_INIT;
	char piece[16385];
	size_t whole, longest = 0;

	(void) state;
	memset(piece, 'x', 16384);
	piece[16384] = '\0';
	for (unsigned i = 1; i <= 12; i++)
		numbered(&f, "stdout", piece, 1, i);
	whole = tail_docker_local.whole(f.data, f.len);
	assert_int_equal(whole, f.len);
	numbered(&rest, "stdout", "forged", 2, 13);
	check(&rest, rest.len, rest.len, "", "the rest of it");
	{
		pv_autobuf got = { .cap = 1u << 20 };

		assert_int_equal(docker_local_each(f.data, whole, sink, &got), 0);
		for (const char *p = pv_buf_str(&got), *end; (end = strchr(p, '\n')); p = end + 1)
			longest = PV_MAX(longest, (size_t) (end - p));
	}
	assert_true(longest <= LOG_LINE_MAX + 20);
}

static int on_records(const char *buf, size_t len, void *arg)
{
	return docker_local_each(buf, len, sink, arg);
}

/* The same in a file, behind a whole line and in one turn with it: the line after it is found. */
static void test_endless_in_file(void **state)
{
	pv_autobuf f = PV_BUF_INIT, got = PV_BUF_INIT;
	pv_autofree char *buf = malloc(TAIL_BUFFER);
	char piece[16385];
	struct tail_pos lost;
	struct tail t;
	int fd = memfd_create("log", MFD_CLOEXEC);

	(void) state;
	assert_true(fd >= 0 && buf);
	memset(piece, 'x', 16384);
	piece[16384] = '\0';
	frame(&f, "stdout", "one", 0);
	for (unsigned i = 1; i <= 15; i++)
		numbered(&f, "stdout", piece, 1, i);
	numbered(&f, "stdout", "forged", 2, 16);
	frame(&f, "stdout", "two", 0);
	assert_int_equal(write(fd, f.data, f.len - 20), (ssize_t) f.len - 20);
	assert_int_equal(tail_open(&t, fd, &tail_docker_local), 0);
	while (tail_turn(&t, buf, TAIL_BUFFER, on_records, &got, &lost) == TAIL_MORE)
		;
	assert_int_equal(write(fd, f.data + f.len - 20, 20), 20);
	while (tail_turn(&t, buf, TAIL_BUFFER, on_records, &got, &lost) == TAIL_MORE)
		;
	tail_close(&t);
	CHECK(strncmp(pv_buf_str(&got), "one" AT, strlen("one" AT)) == 0 && strstr(pv_buf_str(&got), "two" AT) && !strstr(pv_buf_str(&got), "\nforged"),
	      "%zu bytes given", got.len);
}

static void test_no_such_file(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} cases[] = {
		{ "{\"log\":\"x\"}\n", 12 }, { "\0\0\0\0\0\0\0\0", 8 }, { "\xff\xff\xff\xff", 4 }, { "\0\0\0\1x\0\0\0\2", 9 },
	};
	pv_autobuf f = PV_BUF_INIT;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		CHECK(tail_docker_local.whole(cases[i].data, cases[i].len) == SIZE_MAX, "case %zu", i);
	size4(&f, 3); /* a frame that holds no entry is passed over */
	pv_buf_add(&f, "\xff\xff\xff", 3);
	size4(&f, 3);
	frame(&f, "stdout", "after", 0);
	check(&f, f.len, f.len, "after" AT, "no entry");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_frames), cmocka_unit_test(test_pieces), cmocka_unit_test(test_headless),
					    cmocka_unit_test(test_endless), cmocka_unit_test(test_endless_in_file),
					    cmocka_unit_test(test_no_such_file) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
