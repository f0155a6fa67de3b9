#include <sys/socket.h>

#include "base/clock.h"
#include "base/text.h"
#include "check.h"
#include "notify/channel.h"
#include "notify/outbox.h"
#include "notify/text.h"
#include "report/words.h"

/* A sender of ours at the other end of the socket, and a clock of ours. */
static struct {
	char dir[64];
	struct policy policy;
	struct store *store;
	struct outbox *box;
	int ours, theirs;
	uint64_t now, next;
	struct outbox_row row; /* the last one that the sender got */
} t;

static int set_up(void **state)
{
	int fds[2];

	(void) state;
	memset(&t, 0, sizeof(t));
	t.now = 1700000000 * USEC_PER_SEC;
	(void) text_copy(t.dir, sizeof(t.dir), "/tmp/pavise-outbox.XXXXXX");
	t.policy.n_channels = 2;
	(void) text_copy(t.policy.channels[0].url, 512, "journal:");
	(void) text_copy(t.policy.channels[1].url, 512, "https://hooks.example/x");
	t.policy.channels[0].min_severity = SEV_CRITICAL;
	if (!mkdtemp(t.dir) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0 || store_open(t.dir, &t.store) < 0)
		return -1;
	t.ours = fds[0];
	t.theirs = fds[1];
	return outbox_new(t.store, t.ours, &t.box);
}

static int tear_down(void **state)
{
	char path[96];

	(void) state;
	t.box = outbox_free(t.box);
	t.store = store_free(t.store);
	(void) close(t.ours);
	(void) close(t.theirs);
	(void) snprintf(path, sizeof(path), "%s/history.db", t.dir);
	(void) unlink(path);
	(void) strcat(path, "-wal");
	(void) unlink(path);
	(void) snprintf(path, sizeof(path), "%s/history.db-shm", t.dir);
	(void) unlink(path);
	return rmdir(t.dir);
}

static void add(enum severity severity)
{
	struct notice n;

	notice_init(&n, ID_NET_STRATUM, t.now);
	n.severity = severity;
	n.action = DONE_BLOCKED;
	n.kind = SUBJECT_CONTAINER;
	(void) text_copy(n.subject, sizeof(n.subject), "shop/web");
	notice_set_what(&n, "tried to connect to 203.0.113.9:3333 (mining port)");
	notice_set_next(&n, "pavise allow shop/web net");
	assert_int_equal(store_add(t.store, &n, &t.policy), 0);
}

static int run_box(void)
{
	int r = outbox_run(t.box, &t.policy, t.now, &t.next);

	CHECK(t.next > t.now, "it would be called again at once");
	return r;
}

/* How many rows came; the last one is in t.row. */
static int take(void)
{
	char data[sizeof(struct outbox_row) + 1];
	ssize_t n;
	int rows = 0;

	while ((n = recv(t.theirs, data, sizeof(data), MSG_DONTWAIT)) > 0) {
		assert_int_equal(outbox_row_parse(data, (size_t) n, &t.row), 0);
		rows++;
	}
	return rows;
}

static void answer_to(uint64_t delivery, int result, uint32_t retry_after_s)
{
	struct outbox_answer a;

	memset(&a, 0, sizeof(a));
	a.delivery = delivery;
	a.retry_after_s = retry_after_s;
	if (result)
		outbox_answer_set(&a, result, "the receiver answered HTTP %d", 503);
	assert_int_equal(send(t.theirs, &a, sizeof(a), 0), sizeof(a));
	assert_int_equal(outbox_answers(t.box, t.now), 0);
}

static void answer(int result, uint32_t retry_after_s)
{
	answer_to(t.row.delivery, result, retry_after_s);
}

static struct store_counts counts(void)
{
	struct store_counts c;

	assert_int_equal(store_counts(t.store, &c), 0);
	return c;
}

static void test_backoff(void **state)
{
	static const struct {
		uint32_t attempt, retry_after_s, seed;
		uint64_t min, max;
	} cases[] = {
		{ 1, 0, 0, 800000, 800000 },
		{ 1, 0, UINT32_MAX, 1199990, 1200000 },
		{ 2, 0, 0x80000000, 2000000, 2000000 },
		{ 11, 0, 0, 720000000, 720000000 },
		{ 400, 0, UINT32_MAX, 1079000000, 1080000000 }, /* 15 min and a fifth */
		{ UINT32_MAX, 0, 0, 720000000, 720000000 },
		{ 0, 0, 0, 800000, 800000 },
		{ 1, 120, 0, 120000000, 120000000 },
		{ 1, 120, UINT32_MAX, 143990000, 144000000 },
		{ 1, UINT32_MAX, 0, 21600000000, 21600000000 }, /* a receiver cannot push it beyond our 72 h */
		{ 11, 5, 0, 720000000, 720000000 },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		uint64_t us = outbox_backoff_us(cases[i].attempt, cases[i].retry_after_s, cases[i].seed);

		CHECK(us >= cases[i].min && us <= cases[i].max, "case %zu: %lu", i, (unsigned long) us);
	}
	assert_false(outbox_is_over(0, 72 * USEC_PER_HOUR, 300));
	assert_true(outbox_is_over(0, 72 * USEC_PER_HOUR + 1, 300));
	assert_false(outbox_is_over(0, 720 * USEC_PER_HOUR, 2)); /* a clock that jumped */
	assert_false(outbox_is_over(USEC_PER_HOUR, 0, 300));
}

static void test_delivery(void **state)
{
	(void) state;
	assert_int_equal(run_box(), 0);
	assert_int_equal(t.next, UINT64_MAX);
	add(SEV_HIGH);
	assert_int_equal(run_box(), 1);
	assert_int_equal(take(), 1);
	assert_int_equal(t.row.channel, 1);
	assert_string_equal(t.row.id, "net.stratum");
	assert_string_equal(t.row.subject, "shop/web");
	assert_non_null(strstr(t.row.text, "\"text\":\"shop/web tried to connect to 203.0.113.9:3333 (mining port); refused | "
			       "pavise allow shop/web net\"}"));
	assert_int_equal(strncmp(t.row.unique, store_uid(t.store), 32), 0);
	assert_string_equal(t.row.unique + 32, "-1");
	assert_int_equal(run_box(), 1); /* not handed over twice */
	assert_int_equal(take(), 0);
	assert_int_equal(outbox_last_success(t.box, t.row.key), 0);
	answer(0, 0);
	assert_int_equal(counts().waiting, 0);
	assert_int_equal(run_box(), 0);
	assert_int_equal(outbox_last_success(t.box, t.row.key), t.now);
	t.box = outbox_free(t.box); /* the next engine knows it, too */
	assert_int_equal(outbox_new(t.store, t.ours, &t.box), 0);
	assert_int_equal(outbox_last_success(t.box, t.row.key), t.now);
	assert_int_equal(outbox_last_success(t.box, t.row.key + 1), 0);
}

static void test_retry(void **state)
{
	uint64_t first, second;
	char unique[64];

	(void) state;
	add(SEV_HIGH);
	(void) run_box();
	assert_int_equal(take(), 1);
	(void) text_copy(unique, sizeof(unique), t.row.unique);
	answer(-EAGAIN, 7);
	assert_int_equal(run_box(), 0);
	first = t.next - t.now;
	CHECK(first >= 7 * USEC_PER_SEC && first <= 9 * USEC_PER_SEC, "Retry-After: %lu", (unsigned long) first);
	t.now = t.next - 1;
	(void) run_box();
	assert_int_equal(take(), 0);
	t.now += 2;
	(void) run_box();
	assert_int_equal(take(), 1);
	assert_string_equal(t.row.unique, unique); /* a double can be told */
	answer(-ECONNREFUSED, 0);
	(void) run_box();
	second = t.next - t.now;
	CHECK(second >= 1600000 && second <= 2400000, "the second pause: %lu", (unsigned long) second);
	assert_int_equal(counts().waiting, 1);
}

static void test_never(void **state)
{
	(void) state;
	add(SEV_HIGH);
	(void) run_box();
	assert_int_equal(take(), 1);
	answer(-EINVAL, 0);
	assert_int_equal(counts().waiting, 0);
	assert_int_equal(counts().given_up, 1);
}

/* 72 hours of failures, then it is given up, and not one attempt more than the back-off allows. */
static void test_given_up(void **state)
{
	uint64_t start = t.now;
	int attempts = 0;

	(void) state;
	add(SEV_HIGH);
	while (counts().waiting) {
		assert_true(attempts < 1000);
		(void) run_box();
		if (take()) {
			attempts++;
			answer(-ECONNREFUSED, 0);
		}
		t.now = t.next == UINT64_MAX ? t.now : t.next;
		(void) run_box();
		if (t.next != UINT64_MAX)
			t.now = PV_MAX(t.now, t.next);
	}
	CHECK(t.now - start > 72 * USEC_PER_HOUR && t.now - start < 73 * USEC_PER_HOUR, "after %lu s",
	      (unsigned long) ((t.now - start) / USEC_PER_SEC));
	CHECK(attempts > 250 && attempts < 400, "%d attempts", attempts);
	assert_int_equal(counts().given_up, 1);
}

static void test_failing_channel(void **state)
{
	(void) state;
	for (int i = 0; i < 6; i++)
		add(SEV_CRITICAL); /* for both channels */
	(void) run_box();
	assert_int_equal(take(), 8); /* four each */
	for (uint64_t row = 1; row <= 8; row++) /* odd rows: the journal's */
		answer_to(row, row % 2 ? 0 : -ECONNREFUSED, 0);
	(void) run_box();
	assert_int_equal(take(), 2); /* the journal's last two: a dead webhook is not in their way */
	assert_int_equal(t.row.channel, 0);
	answer_to(9, 0, 0);
	answer_to(11, 0, 0);
	t.now += 2 * USEC_PER_SEC;
	(void) run_box();
	assert_int_equal(take(), 1); /* while it fails it is asked with one */
	answer(0, 0);
	(void) run_box();
	assert_int_equal(take(), 4); /* it answers: the rest follows at once */
}

static void test_silence(void **state)
{
	(void) state;
	add(SEV_HIGH);
	(void) run_box();
	assert_int_equal(take(), 1);
	t.now += 89 * USEC_PER_SEC;
	assert_int_equal(run_box(), 1);
	assert_int_equal(take(), 0);
	t.now += 2 * USEC_PER_SEC;
	(void) run_box();
	t.now += 2 * USEC_PER_SEC;
	(void) run_box();
	assert_int_equal(take(), 1);
	t.now -= USEC_PER_HOUR; /* the clock is set back while it is in the air, and while one waits */
	(void) run_box();
	t.now += 3 * USEC_PER_SEC;
	(void) run_box();
	assert_int_equal(take(), 1);
	answer(-ECONNREFUSED, 0);
	t.now -= 1000 * USEC_PER_HOUR;
	(void) run_box();
	assert_int_equal(take(), 1);
}

static void test_digest(void **state)
{
	(void) state;
	for (int i = 0; i < 21; i++) {
		if (i)
			t.now += USEC_PER_MIN;
		add(i == 3 ? SEV_CRITICAL : SEV_HIGH);
	}
	(void) run_box();
	assert_int_equal(take(), 2); /* the critical one to the journal, one digest to the webhook */
	assert_string_equal(t.row.id, "digest");
	assert_int_equal(t.row.severity, SEV_CRITICAL);
	assert_non_null(strstr(t.row.text, "\"count\":21"));
	assert_non_null(strstr(t.row.text, "\"text\":\"21 notices from 2023-11-14 22:13:20 +0000 to 2023-11-14 22:33:20 "
			       "+0000: 1 critical, 20 high | shop/web tried"));
	(void) run_box();
	assert_int_equal(take(), 0);
	answer(-ECONNREFUSED, 0);
	assert_int_equal(counts().waiting, 22);
	add(SEV_HIGH); /* while it waits for its next attempt */
	t.now += 2 * USEC_PER_SEC;
	(void) run_box();
	assert_int_equal(take(), 1);
	assert_non_null(strstr(t.row.text, "\"count\":22"));
	add(SEV_HIGH); /* not in the digest that is in the air */
	answer(0, 0);
	assert_int_equal(counts().waiting, 2);
	(void) run_box();
	assert_int_equal(take(), 1);
	assert_string_equal(t.row.id, "net.stratum");
}

static void test_reload(void **state)
{
	(void) state;
	add(SEV_CRITICAL);
	(void) text_copy(t.policy.channels[0].url, 512, "syslog:"); /* the journal's place is another's now */
	(void) run_box();
	assert_int_equal(take(), 1);
	assert_int_equal(t.row.channel, 1);
	assert_int_equal(counts().given_up, 1);
	answer(-ESTALE, 0); /* the sender still has the old policy */
	assert_int_equal(counts().waiting, 1);
	t.policy.channels[0] = t.policy.channels[1]; /* it moves to another index */
	t.policy.n_channels = 1;
	t.now += 1100000;
	(void) run_box();
	assert_int_equal(take(), 1);
	assert_int_equal(t.row.channel, 0);
}

static void test_answers_of_strangers(void **state)
{
	static const char junk[2000];

	(void) state;
	add(SEV_HIGH);
	(void) run_box();
	assert_int_equal(take(), 1);
	for (size_t len = 1; len < sizeof(junk); len += 7) {
		assert_int_equal(send(t.theirs, junk, len, MSG_DONTWAIT), len);
		assert_int_equal(outbox_answers(t.box, t.now), 0);
	}
	answer_to(4711, -EINVAL, 0);
	assert_int_equal(counts().waiting, 1);
	answer(0, 0);
	assert_int_equal(counts().waiting, 0);
	(void) close(t.theirs);
	t.theirs = -1;
	assert_int_equal(outbox_answers(t.box, t.now), -EPIPE);
}

/* The worst that a notice can hold still makes a row, as valid JSON, by leaving evidence out. */
static void test_longest(void **state)
{
	pv_autobuf json = PV_BUF_INIT, line = PV_BUF_INIT;
	struct notice n;

	(void) state;
	notice_init(&n, ID_NET_STRATUM, t.now);
	memset(n.subject, 0x1b, sizeof(n.subject) - 1);
	memset(n.what, 0x1b, sizeof(n.what) - 1);
	memset(n.next, 0x1b, sizeof(n.next) - 1);
	for (size_t i = 0; i < NOTICE_EVIDENCE; i++)
		notice_add_evidence(&n, "\x1b\x1b\x1b", "%0190d", 1);
	notify_text(&json, &t.policy.channels[1], &n, OUTBOX_TEXT);
	assert_true(json.len && json.len <= OUTBOX_TEXT);
	assert_int_equal(pv_buf_str(&json)[json.len - 1], '}');
	assert_non_null(strstr(pv_buf_str(&json), ",\"cut\":true,\"text\":"));
	notify_text(&line, &t.policy.channels[0], &n, OUTBOX_TEXT);
	for (size_t i = 0; i < line.len; i++)
		assert_true((unsigned char) pv_buf_str(&line)[i] >= ' ');
}

static void test_formats(void **state)
{
	struct outbox_row row = { .severity = SEV_HIGH, .id = "net.stratum", .unique = "u-1", .subject = "shop\nPRIORITY=7" };
	pv_autobuf journal = PV_BUF_INIT, syslog = PV_BUF_INIT;
	char want[64];

	(void) state;
	(void) text_copy(row.text, sizeof(row.text), "it was refused\nX");
	journal_format(&journal, &row);
#define HAS(buf, literal) memmem(pv_buf_str(&buf), buf.len, literal, sizeof(literal) - 1)
	assert_non_null(HAS(journal, "MESSAGE\n\x10\0\0\0\0\0\0\0it was refused\nX\nPRIORITY=3\n"));
	assert_non_null(HAS(journal, "PAVISE_SUBJECT\n\x0f\0\0\0\0\0\0\0shop\nPRIORITY=7\n"));
	syslog_format(&syslog, &row, 1700000000 * USEC_PER_SEC);
	(void) snprintf(want, sizeof(want), "<27>Nov 14 22:13:20 pavise[%d]: it was refused\\x0aX", (int) getpid());
	assert_string_equal(pv_buf_str(&syslog), want);
}

int main(void)
{
#define TEST_BOX(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backoff), TEST_BOX(test_delivery),  TEST_BOX(test_retry),
		TEST_BOX(test_never),		TEST_BOX(test_given_up),  TEST_BOX(test_failing_channel),
		TEST_BOX(test_silence),		TEST_BOX(test_digest),	  TEST_BOX(test_reload),
		TEST_BOX(test_longest),		TEST_BOX(test_answers_of_strangers), TEST_BOX(test_formats),
	};

	(void) setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
