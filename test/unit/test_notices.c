/* notices.c with a history whose disk is full when the test says so; who follows and the sender are played here. */
#include <fcntl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/text.h"
#include "check.h"
#include "full_disk.h"
#include "guard/guard.h"

static char dir[64];
static struct policy policy;
static struct guard g;
static int ours = -1, sender = -1; /* both ends of its socket */

/* ---- what the guard's other files would do ---- */

static struct notice followed[160];
static size_t n_followed;

void control_follow(struct guard *gg, const struct notice *n)
{
	(void) gg;
	assert_true(n_followed < N_ELEMENTS(followed));
	followed[n_followed++] = *n;
}

void kernel_events_end(struct guard *gg)
{
	(void) gg;
}

int guard_ask_launcher(char byte)
{
	(void) byte;
	return 0;
}

/* ---- the stage ---- */

static int set_up(void **state)
{
	int s[2], state_fd;

	(void) state;
	memset(&g, 0, sizeof(g));
	memset(&policy, 0, sizeof(policy));
	n_followed = 0;
	g.policy = &policy;
	policy.n_channels = 1;
	(void) text_copy(policy.channels[0].url, sizeof(policy.channels[0].url), "journal:");
	(void) text_copy(dir, sizeof(dir), "/tmp/pavise-notices.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	state_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state_fd < 0 || dup2(state_fd, ROLE_FD_STATE) < 0 || sd_event_new(&g.loop) < 0 || burst_new(&g.burst) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s) < 0)
		return -1;
	if (state_fd != ROLE_FD_STATE)
		(void) close(state_fd);
	ours = s[0];
	sender = s[1];
	disk_take();
	return notices_start(&g, ours);
}

static int tear_down(void **state)
{
	static const char *const names[] = { "history.db", "history.db-wal", "history.db-shm" };
	char path[128];

	(void) state;
	notices_stop(&g);
	disk_give_back();
	g.burst = burst_free(g.burst);
	sd_event_unref(g.loop);
	(void) close(ours);
	(void) close(sender);
	(void) close(ROLE_FD_STATE);
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		(void) snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void) unlink(path);
	}
	return rmdir(dir);
}

static struct notice make(const char *what)
{
	struct notice n;

	notice_init(&n, ID_LOGS_SHED, 1000); /* all at one time, as lines of one second are */
	notice_set_what(&n, "%s", what);
	return n;
}

static size_t sent(void)
{
	static struct outbox_row row;
	size_t n = 0;

	while (recv(sender, &row, sizeof(row), MSG_DONTWAIT) > 0)
		n++;
	return n;
}

static const char *stored(uint64_t row, uint64_t *ret_count)
{
	static struct notice n;

	if (store_notice(g.store, row, &n) < 0)
		return "none";
	*ret_count = n.count;
	return n.what;
}

static void on_count(const struct burst_told *t, void *arg)
{
	notices_counted(arg, t);
}

/* ---- tests ---- */

/* What is raised in a batch is shown and sent when it is stored, in its order, however many. */
static void test_batch(void **state)
{
	struct notice n;

	(void) state;
	assert_int_equal(store_batch_begin(g.store), 0);
	assert_int_equal(store_batch_begin(g.store), 0);
	for (unsigned i = 1; i <= 100; i++) {
		n = make("a line");
		assert_int_equal(notices_raise(&g, &n), 0);
		assert_int_equal(n.row, i);
	}
	assert_int_equal(notices_batch_end(&g), 0);
	assert_int_equal(n_followed, 0);
	assert_int_equal(sent(), 0);
	assert_int_equal(notices_batch_end(&g), 0);
	assert_int_equal(n_followed, 100);
	assert_int_equal(followed[99].row, 100);
	assert_true(sent() > 0);
	assert_int_equal(notices_raise(&g, &n), 0); /* and alone again */
	assert_int_equal(n_followed, 101);
	assert_false(notices_wait(&g));
}

/* No room for a batch: nothing of it is shown, all of it is told later, and the counts go to the notice that they are of. */
static void test_batch_lost(void **state)
{
	struct notice lost = make("lost"), other = make("other");
	uint64_t count = 0;

	(void) state;
	assert_int_equal(store_batch_begin(g.store), 0);
	notices_fold(&g, 1, &lost);
	assert_true(lost.row > 0);
	disk_is_full = true;
	assert_int_equal(notices_batch_end(&g), -ENOSPC);
	disk_is_full = false;
	assert_int_equal(n_followed, 0);
	assert_int_equal(sent(), 0);
	assert_true(notices_wait(&g));
	notices_fold(&g, 2, &other);
	assert_true(other.row > lost.row);
	notices_fold(&g, 1, &lost);
	notices_fold(&g, 1, &lost);
	(void) burst_flush_all(g.burst, on_count, &g);
	notices_again(&g);
	assert_false(notices_wait(&g));
	assert_int_equal(n_followed, 2);
	CHECK_STR(followed[1].what, "lost", "told later");
	CHECK_STR(stored(other.row, &count), "other", "its row is its own");
	assert_int_equal(count, 1);
	CHECK_STR(stored(followed[1].row, &count), "lost", "and stored");
	assert_int_equal(count, 3);
	notices_fold(&g, 1, &lost);
	(void) burst_flush_all(g.burst, on_count, &g);
	CHECK_STR(stored(followed[1].row, &count), "lost", "counted where it is now");
	assert_int_equal(count, 4);
	CHECK_STR(stored(lost.row, &count), "none", "not where it was");
	assert_true(sent() > 0);
}

/* More than can be kept: how many is told. */
static void test_batch_lost_many(void **state)
{
	(void) state;
	assert_int_equal(store_batch_begin(g.store), 0);
	for (unsigned i = 0; i < 100; i++) {
		struct notice n = make("a line");

		assert_int_equal(notices_raise(&g, &n), 0);
	}
	disk_is_full = true;
	assert_int_equal(notices_batch_end(&g), -ENOSPC);
	notices_again(&g);
	assert_int_equal(n_followed, 0);
	disk_is_full = false;
	notices_again(&g);
	assert_int_equal(n_followed, 65);
	CHECK(strncmp(followed[64].what, "36 notices ", 11) == 0, "%s", followed[64].what);
	assert_false(notices_wait(&g));
}

/* A name that an image chose is a word of the command that root is told to run, and nothing else. */
static void test_named(void **state)
{
	static const struct {
		const char *before, *next, *name, *want;
	} cases[] = {
		{ "0123456789ab", "pavise allow 0123456789ab net", "web", "pavise allow web net" },
		{ "0123456789ab", "pavise allow 0123456789ab", "web", "pavise allow web" },
		{ "0123456789ab", "pavise allow 0123456789ab net", "$(touch x)", "pavise allow '$(touch x)' net" },
		{ "0123456789ab", "pavise allow 0123456789ab net", "a'; id", "pavise allow 'a'\\''; id' net" },
		{ "0123456789ab", "pavise allow 0123456789ab net", "-x", "pavise allow -- -x net" },
		{ "$(id)/x", "pavise allow '$(id)/x' dns", "web", "pavise allow web dns" },
		{ "-x", "pavise allow -- -x dns", "web", "pavise allow web dns" },
		{ "0123456789ab", "docker stop 0123456789ab", "$(id)", "docker stop 0123456789ab" }, /* an id stays right */
		{ "0123456789ab", "pavise allow 0123456789abc net", "web", "pavise allow 0123456789abc net" }, /* another's */
		{ "0123456789ab", "pavise allow 0123456789ab net",
		  "''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''", "pavise allow --help" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct guard_workload w = { .w = { .cgroup = 42, .class_ = PV_CLASS_CONTAINER } };
		struct notice n = make("x");

		w.w.info = &w.info;
		(void) text_copy(w.info.name, sizeof(w.info.name), cases[i].name);
		n.cgroup = 42;
		(void) text_copy(n.subject, sizeof(n.subject), cases[i].before);
		(void) text_copy(n.next, sizeof(n.next), cases[i].next);
		assert_int_equal(notices_raise(&g, &n), 0);
		notices_named(&g, &w, cases[i].before);
		assert_int_equal(store_notice(g.store, n.row, &n), 0);
		CHECK_STR(n.subject, cases[i].name, "case %zu: subject", i);
		CHECK_STR(n.next, cases[i].want, "case %zu: next", i);
	}
}

int main(void)
{
#define STAGED(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = { STAGED(test_batch), STAGED(test_batch_lost), STAGED(test_batch_lost_many), STAGED(test_named) };

	return cmocka_run_group_tests_name("notices", tests, NULL, NULL);
}
