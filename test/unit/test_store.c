#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "check.h"
#include "full_disk.h"
#include "store/db.h"
#include "store/store.h"

static char dir[64];
static struct policy policy;

static int set_up(void **state)
{
	(void) state;
	(void) text_copy(dir, sizeof(dir), "/tmp/pavise-store.XXXXXX");
	memset(&policy, 0, sizeof(policy));
	policy.n_channels = 2;
	(void) text_copy(policy.channels[0].url, 512, "journal:");
	(void) text_copy(policy.channels[1].url, 512, "https://hooks.example/x");
	policy.channels[1].min_severity = SEV_HIGH;
	return mkdtemp(dir) ? 0 : -1;
}

static void remove_file(const char *name)
{
	char path[128];

	(void) snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void) unlink(path);
}

static int tear_down(void **state)
{
	static const char *const names[] = { "history.db",	   "history.db-wal",     "history.db-shm",
					     "history.db.bad",	   "history.db.bad-wal", "target",
					     "history.db-journal" };

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		remove_file(names[i]);
	return rmdir(dir);
}

static struct notice make_notice(uint64_t time_us)
{
	struct notice n;

	notice_init(&n, ID_DNS_MINING, time_us);
	n.kind = SUBJECT_CONTAINER;
	n.action = DONE_BLOCKED;
	n.cgroup = UINT64_MAX - 5; /* above INT64_MAX: SQLite knows signed numbers only */
	n.count = 14;
	(void) text_copy(n.subject, sizeof(n.subject), "shop/web");
	notice_set_what(&n, "asked for %s", "pool.example");
	notice_set_next(&n, "pavise allow shop/web dns");
	notice_add_evidence(&n, "name", "%s", "pool.example");
	notice_add_evidence(&n, "empty", "%s", "");
	notice_add_evidence(&n, "hostile", "%s", "a'); DROP TABLE notices;--\x1b[31m");
	return n;
}

static struct store *open_store(void)
{
	struct store *s = NULL;

	assert_int_equal(store_open(dir, &s), 0);
	return s;
}

static void check_same(const struct notice *a, const struct notice *b)
{
	pv_autobuf x = PV_BUF_INIT, y = PV_BUF_INIT;

	notice_json(&x, a);
	notice_json(&y, b);
	assert_string_equal(pv_buf_str(&x), pv_buf_str(&y));
}

static int count_notice(const struct notice *n, void *arg)
{
	(void) n;
	++*(int *) arg;
	return 0;
}

static void test_round_trip(void **state)
{
	struct notice n = make_notice(1000), got;
	pv_auto(store) s = open_store();
	pv_autobuf uid = PV_BUF_INIT;

	(void) state;
	assert_int_equal(store_add(s, &n, &policy), 0);
	assert_int_equal(n.row, 1);
	assert_int_equal(store_last_row(s), 1);
	assert_int_equal(store_notice(s, 1, &got), 0);
	check_same(&n, &got);
	assert_int_equal(store_notice(s, 2, &got), -ENOENT);

	n.count = 15;
	n.last_us = 2000;
	assert_int_equal(store_count(s, &n), 0);
	assert_int_equal(store_kv_set(s, "a", "1"), 0);
	assert_int_equal(store_kv_set(s, "a", "2"), 0);
	pv_buf_puts(&uid, store_uid(s));
	assert_true(text_is_hex(pv_buf_str(&uid), 32));

	(void) store_free(s);
	s = open_store();
	assert_int_equal(store_notice(s, 1, &got), 0);
	check_same(&n, &got);
	assert_string_equal(store_uid(s), pv_buf_str(&uid));
	pv_buf_clear(&uid);
	assert_int_equal(store_kv_get(s, "a", &uid), 0);
	assert_string_equal(pv_buf_str(&uid), "2");
	assert_int_equal(store_kv_get(s, "b", &uid), -ENOENT);
	n.row = 9;
	assert_int_equal(store_count(s, &n), -ENOENT);
}

static void test_queries(void **state)
{
	static const struct {
		struct store_query q;
		int n;
	} cases[] = {
		{ { .max = 100 }, 10 },
		{ { .max = 3 }, 3 },
		{ { .max = 100, .before_row = 4 }, 3 },
		{ { .max = 100, .after_row = 4, .oldest_first = true }, 6 },
		{ { .max = 100, .since_us = 6000 }, 5 },
		{ { .max = 100, .id_prefix = "dns." }, 5 },
		{ { .max = 100, .id_prefix = "net." }, 5 },
		{ { .max = 100, .id_prefix = "%" }, 0 },
		{ { .max = 100, .subject = "shop/web" }, 10 },
		{ { .max = 100, .subject = "shop" }, 0 },
	};
	pv_auto(store) s = open_store();

	(void) state;
	for (uint64_t i = 1; i <= 10; i++) {
		struct notice n = make_notice(i * 1000);

		n.id = i % 2 ? ID_DNS_MINING : ID_NET_STRATUM;
		assert_int_equal(store_add(s, &n, &policy), 0);
	}
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		int n = 0;

		assert_int_equal(store_notices(s, &cases[i].q, count_notice, &n), 0);
		CHECK(n == cases[i].n, "case %zu: %d rows", i, n);
	}
}

static int keep_delivery(const struct delivery *d, void *arg)
{
	struct delivery *all = arg;

	for (size_t i = 0; i < 8; i++)
		if (!all[i].row) {
			all[i] = *d;
			return 0;
		}
	return 1;
}

static void test_deliveries(void **state)
{
	struct notice low = make_notice(1000), high = make_notice(2000);
	const uint64_t keys[] = { store_channel_key(&policy.channels[0]), store_channel_key(&policy.channels[1]) };
	static struct delivery d[8];
	pv_auto(store) s = open_store();
	struct store_counts c;

	(void) state;
	low.severity = SEV_LOW;
	assert_int_equal(store_next_due(s, keys[0], 0), UINT64_MAX);
	assert_int_equal(store_add(s, &low, &policy), 0);
	assert_int_equal(store_add(s, &high, &policy), 0);
	assert_int_equal(store_next_due(s, keys[0], 0), 1000);
	assert_int_equal(store_next_due(s, keys[0], 1000), 2000);
	assert_int_equal(store_next_due(s, keys[1], 0), 2000); /* the low one went to the first channel only */

	memset(d, 0, sizeof(d));
	assert_int_equal(store_due(s, keys[1], 1999, 8, keep_delivery, d), 0);
	assert_int_equal(d[0].row, 0);
	assert_int_equal(store_due(s, keys[1], 2000, 8, keep_delivery, d), 0);
	assert_int_equal(d[0].attempt, 1);
	assert_int_equal(d[0].since_us, 2000);
	check_same(&d[0].notice, &high);
	assert_int_equal(store_due(s, keys[0], UINT64_MAX, 8, keep_delivery, d + 1), 0);
	check_same(&d[1].notice, &low);
	check_same(&d[2].notice, &high);
	assert_int_equal(d[3].row, 0);

	assert_int_equal(store_retry(s, d[0].row, 0, "gone"), 0);
	assert_int_equal(store_delivered(s, d[1].row), 0);
	assert_int_equal(store_retry(s, d[2].row, 9000, "no route"), 0);
	assert_int_equal(store_next_due(s, keys[0], 0), 9000);
	assert_int_equal(store_counts(s, &c), 0);
	assert_int_equal(c.notices, 2);
	assert_int_equal(c.waiting, 1);
	assert_int_equal(c.given_up, 1);
	assert_int_equal(store_hurry(s, keys[1], 3000), 0); /* another channel's */
	assert_int_equal(store_next_due(s, keys[0], 0), 9000);
	assert_int_equal(store_hurry(s, keys[0], 3000), 0);
	memset(d, 0, sizeof(d));
	assert_int_equal(store_due(s, keys[0], 3000, 8, keep_delivery, d), 0);
	assert_int_equal(d[0].attempt, 2);
	assert_int_equal(store_keep_channels(s, keys, 2), 0);
	assert_int_equal(store_keep_channels(s, keys + 1, 1), 1);
	assert_int_equal(store_keep_channels(s, NULL, 0), 0);
	assert_int_equal(store_counts(s, &c), 0);
	assert_int_equal(c.waiting, 0);
	assert_int_equal(c.given_up, 2);
}

static void test_backlog(void **state)
{
	uint64_t key = store_channel_key(&policy.channels[1]);
	struct store_backlog b;
	pv_auto(store) s = open_store();
	int n = 0;

	(void) state;
	for (uint64_t i = 1; i <= 30; i++) {
		struct notice notice = make_notice(i * 1000);

		notice.severity = i == 20 ? SEV_CRITICAL : SEV_HIGH;
		assert_int_equal(store_add(s, &notice, &policy), 0);
	}
	assert_int_equal(store_backlog(s, key, &b), 0);
	assert_int_equal(b.n, 30);
	assert_int_equal(b.first_us, 1000);
	assert_int_equal(b.last_us, 30000);
	assert_int_equal(b.attempt, 1);
	assert_int_equal(b.by_severity[SEV_CRITICAL], 1);
	assert_int_equal(b.by_severity[SEV_HIGH], 29);
	assert_int_equal(store_backlog_worst(s, key, b.up_to, 5, count_notice, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(store_backlog_retry(s, key, b.up_to, 99000, "down"), 0);
	assert_int_equal(store_backlog(s, key, &b), 0);
	assert_int_equal(b.attempt, 2);
	assert_int_equal(b.due_us, 99000);
	/* one that came after the digest was made stays */
	struct notice later = make_notice(31000);

	assert_int_equal(store_add(s, &later, &policy), 0);
	assert_int_equal(store_backlog_delivered(s, key, b.up_to), 0);
	assert_int_equal(store_backlog(s, key, &b), 0);
	assert_int_equal(b.n, 1);
	assert_int_equal(b.first_us, 31000);
}

static void test_acts_and_trim(void **state)
{
	struct store_act a = { .time_us = 5, .notice_row = 1, .kind = "freeze", .subject = "x", .old_value = "1" };
	struct notice old = make_notice(1000), young = make_notice(9000);
	struct store_act got;
	struct store_counts c;
	pv_auto(store) s = open_store();

	(void) state;
	assert_int_equal(store_act_add(s, &a), 0);
	assert_int_equal(store_act(s, a.row, &got), 0);
	assert_string_equal(got.kind, "freeze");
	assert_false(got.undone);
	assert_int_equal(store_act_undone(s, 77), -ENOENT);

	assert_int_equal(store_add(s, &old, &policy), 0);
	assert_int_equal(store_add(s, &young, &policy), 0);
	assert_int_equal(store_trim(s, 5000), 0); /* its deliveries wait */
	assert_int_equal(store_act(s, a.row, &got), 0); /* not undone: kept */
	assert_int_equal(store_delivered(s, 1), 0);
	assert_int_equal(store_retry(s, 2, 0, "given up"), 0);
	assert_int_equal(store_trim(s, 1000), 0); /* not older */
	assert_int_equal(store_act_undone(s, a.row), 0);
	assert_int_equal(store_trim(s, 5000), 1);
	assert_int_equal(store_act(s, a.row, &got), -ENOENT);
	assert_int_equal(store_counts(s, &c), 0);
	assert_int_equal(c.notices, 1);
	assert_int_equal(c.given_up, 0);
}

static void write_at(const char *name, off_t at, const char *data, size_t len)
{
	char path[128];
	int fd;

	(void) snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, at), len);
	(void) close(fd);
}

static bool exists(const char *name)
{
	char path[128];

	(void) snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void test_damaged(void **state)
{
	struct notice n = make_notice(1000);
	char junk[3000];
	struct store *s;

	(void) state;
	memset(junk, 0x5a, sizeof(junk));
	write_at("history.db", 0, junk, sizeof(junk)); /* no database at all */
	s = open_store();
	assert_true(store_was_damaged(s));
	assert_true(exists("history.db.bad"));
	for (int i = 0; i < 200; i++)
		assert_int_equal(store_add(s, &n, &policy), 0);
	(void) store_free(s);
	remove_file("history.db.bad");

	s = open_store();
	assert_false(store_was_damaged(s));
	(void) store_free(s);
	write_at("history.db", 4096 * 3, junk, sizeof(junk)); /* ours, with a page gone */
	s = open_store();
	assert_true(store_was_damaged(s));
	assert_int_equal(store_last_row(s), 0);
	assert_int_equal(store_add(s, &n, &policy), 0);
	(void) store_free(s);
}

static void change(const char *sql)
{
	char path[128];
	sqlite3 *db = NULL;

	(void) snprintf(path, sizeof(path), "%s/history.db", dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	(void) sqlite3_close(db);
}

static void test_foreign_files(void **state)
{
	char path[128], target[128];
	struct store *s;

	(void) state;
	change("CREATE TABLE mine(x)"); /* somebody else's database */
	s = open_store();
	assert_true(store_was_damaged(s));
	(void) store_free(s);
	change("PRAGMA user_version=2"); /* of a newer version: left alone */
	assert_int_equal(store_open(dir, &s), -EUCLEAN);
	assert_true(exists("history.db"));
	remove_file("history.db");

	(void) snprintf(path, sizeof(path), "%s/history.db", dir);
	(void) snprintf(target, sizeof(target), "%s/target", dir);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(store_open(dir, &s), -ELOOP);
	assert_false(exists("target"));
	remove_file("history.db");
	write_at("target", 0, "x", 1);
	assert_int_equal(link(target, path), 0);
	assert_int_equal(store_open(dir, &s), -EPERM);
}

static void test_mode(void **state)
{
	struct notice n = make_notice(1);
	mode_t before = umask(0);
	struct store *s = open_store();
	struct stat st;
	char path[128];

	(void) state;
	(void) umask(before);
	assert_int_equal(store_add(s, &n, &policy), 0);
	for (int i = 0; i < 2; i++) {
		(void) snprintf(path, sizeof(path), "%s/history.db%s", dir, i ? "-wal" : "");
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	(void) store_free(s);
}

/* What SQLite and the thread call once the store is open. */
static const char *const calls[] = {
	"pread64", "pwrite64", "read",	 "write",  "openat",	 "open",	  "close",	     "fcntl",	  "fstat",
	"newfstatat", "stat",  "lstat", "access", "faccessat",	 "lseek",	  "fsync",	     "fdatasync", "ftruncate",
	"unlink",  "unlinkat", "mmap",	 "munmap", "mremap",	 "brk",		  "madvise",	     "futex",	  "getpid",
	"geteuid", "exit",     "exit_group", "clock_gettime", "clock_nanosleep", "rt_sigprocmask", "gettid", "getrandom",
	"set_robust_list", "rseq", /* a thread that is only beginning */
	"sigaltstack", /* AddressSanitizer's threads */
};

/* The engine's case: another user, a folder that it holds by descriptor only and could not reach by its path, landlock
 * before, seccomp after. */
static int child_by_descriptor(int fd)
{
	const struct sandbox_path only = { .fd = fd, .write = true };
	struct notice n = make_notice(1), got;
	struct store *s = NULL;
	char path[64];
	int r;

	(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (setgid(65534) < 0 || setuid(65534) < 0 || access(dir, F_OK) == 0 || sandbox_basics() < 0)
		return 10;
	r = sandbox_paths(&only, 1); /* -ENOSYS: a kernel without landlock */
	if (r < 0 && r != -ENOSYS)
		return 15;
	if (store_open(path, &s) < 0)
		return 11;
	if (sandbox_syscalls(calls, N_ELEMENTS(calls)) < 0)
		return 16;
	for (int i = 0; i < 300; i++)
		if (store_add(s, &n, &policy) < 0)
			return 12;
	if (store_notice(s, 300, &got) < 0)
		return 13;
	(void) usleep(250000); /* a flush and a checkpoint go by */
	for (int i = 0; i < 300; i++)
		if (store_add(s, &n, &policy) < 0)
			return 14;
	return store_last_row(s) == 600 && !store_free(s) ? 0 : 17;
}

static void test_by_descriptor(void **state)
{
	char inner[80];
	int fd, status;
	pid_t pid;

	(void) state;
	if (geteuid() != 0) {
		print_message("not root: skipped\n");
		skip();
	}
	(void) snprintf(inner, sizeof(inner), "%s/engine", dir);
	assert_int_equal(mkdir(inner, 0700), 0);
	assert_int_equal(chown(inner, 65534, 65534), 0);
	assert_int_equal(chmod(dir, 0700), 0);
	fd = open(inner, O_RDONLY | O_DIRECTORY);
	pid = fork();
	if (pid == 0) {
		(void) text_copy(dir, sizeof(dir), inner);
		_exit(child_by_descriptor(fd));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void) unlinkat(fd, "history.db", 0);
	(void) unlinkat(fd, "history.db-wal", 0);
	(void) unlinkat(fd, "history.db-shm", 0);
	(void) close(fd);
	(void) rmdir(inner);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned) status);
}

/* What the writer has been told is stored, as seen by the parent. */
struct acknowledged {
	volatile uint64_t rows;
};

static void write_for_ever(struct acknowledged *a)
{
	struct notice n = make_notice(1);
	struct store *s = NULL;

	if (store_open(dir, &s) < 0)
		_exit(1);
	for (;;) {
		if (store_add(s, &n, &policy) < 0)
			_exit(2);
		a->rows = n.row;
	}
}

static void count_rows(struct store *s, const char *sql, uint64_t *ret)
{
	sqlite3_stmt *st = NULL;

	assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	*ret = db_u64(st, 0);
	(void) sqlite3_finalize(st);
}

static int count_kv(const char *key, const char *value, void *arg)
{
	(void) key;
	(void) value;
	++*(unsigned *) arg;
	return 0;
}

/* A batch is there as a whole or not at all; what fails inside of it takes only itself back. */
static void test_batch(void **state)
{
	pv_auto(store) s = open_store();
	struct notice n = make_notice(1000);
	pv_autobuf value = PV_BUF_INIT;
	unsigned keys = 0;
	int status;
	pid_t pid;

	(void) state;
	s = store_free(s);
	pid = fork();
	if (pid == 0) {
		s = open_store();
		(void) store_batch_begin(s);
		(void) store_add(s, &n, &policy);
		(void) store_kv_set(s, "log:a", "1");
		(void) kill(getpid(), SIGKILL); /* nothing of it was committed */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	s = open_store();
	assert_int_equal(store_last_row(s), 0);
	assert_int_equal(store_kv_get(s, "log:a", &value), -ENOENT);

	assert_int_equal(store_batch_begin(s), 0);
	assert_int_equal(store_batch_begin(s), 0);
	assert_int_equal(store_add(s, &n, &policy), 0);
	assert_int_equal(db_begin(s), 0);
	assert_int_equal(store_kv_set(s, "log:b", "1"), 0);
	assert_int_equal(db_end(s, -EIO), -EIO); /* taken back alone */
	assert_int_equal(store_kv_set(s, "log:a", "2"), 0);
	assert_int_equal(store_kv_set(s, "logs", "x"), 0);
	assert_int_equal(store_batch_end(s), 0);
	assert_false(sqlite3_get_autocommit(s->db));
	assert_int_equal(store_batch_end(s), 0);
	assert_true(sqlite3_get_autocommit(s->db));
	assert_int_equal(store_last_row(s), n.row);
	assert_int_equal(store_kv_each(s, "log:", count_kv, &keys), 0);
	assert_int_equal(keys, 1);
	assert_int_equal(store_kv_drop(s, "log:a"), 0);
	assert_int_equal(store_kv_get(s, "log:a", &value), -ENOENT);
	assert_int_equal(store_add(s, &n, &policy), 0); /* and alone again */
}

static struct store_ban make_ban(uint32_t i)
{
	struct store_ban b = { .who = { .addr.b = { 0x20, 1, 0xd, 0xb8 }, .len = 64 }, .since_us = i + 1, .until_us = i + 1000, .times = 1, .by = "pavise",
			       .service = "sshd", .reason = "5 refused logins", .n_lines = STORE_BAN_LINES };

	memcpy(b.who.addr.b + 4, &i, sizeof(i));
	for (size_t k = 0; k < STORE_BAN_LINES; k++) {
		(void) text_copy(b.lines[k].source, sizeof(b.lines[k].source), "file:/var/log/auth.log");
		(void) snprintf(b.lines[k].text, sizeof(b.lines[k].text), "%0120u", i);
	}
	return b;
}

/* Who has networks without end fills no history: of bans that are over little is kept, and of the newest only. */
static void test_bans_over(void **state)
{
	enum { EACH = 1000, KEEP = 5000 };
	struct notice first = make_notice(1), last = make_notice(2), got;
	struct store_ban b = make_ban(0), in_force = make_ban(UINT32_MAX), kept;
	pv_auto(store) s = open_store();
	uint64_t n;

	(void) state;
	in_force.until_us = UINT32_MAX;
	assert_int_equal(store_add(s, &first, NULL), 0);
	assert_int_equal(store_ban_put(s, &in_force), 0);
	count_rows(s, "PRAGMA max_page_count=1000", &n); /* 4 MB; the bans alone are 20 */
	for (uint32_t i = 0; i < 20 * EACH; i += EACH) {
		assert_int_equal(store_batch_begin(s), 0);
		for (uint32_t k = i; k < i + EACH; k++) {
			b = make_ban(k);
			assert_int_equal(store_ban_put(s, &b), 0);
		}
		assert_int_equal(store_batch_end(s), 0);
		assert_int_equal(store_bans_over(s, i + EACH + 1000), 0);
		assert_int_equal(store_bans_trim(s, 0, i + EACH + 1000, KEEP), 0);
	}
	assert_int_equal(store_add(s, &last, NULL), 0);
	assert_int_equal(store_notice(s, first.row, &got), 0);
	count_rows(s, "SELECT count(*) FROM bans", &n);
	assert_int_equal(n, KEEP + 1);
	assert_int_equal(store_ban_get(s, &b.who, &kept), 0); /* the newest */
	CHECK(kept.until_us == b.until_us && kept.times == 1 && !kept.n_lines, "%zu lines", kept.n_lines);
	b = make_ban(0);
	assert_int_equal(store_ban_get(s, &b.who, &kept), -ENOENT);
	assert_int_equal(store_ban_get(s, &in_force.who, &kept), 0);
	CHECK(kept.n_lines == STORE_BAN_LINES && kept.reason[0], "%zu lines", kept.n_lines);
	assert_int_equal(store_bans_trim(s, UINT32_MAX, 0, KEEP), 0);
	count_rows(s, "SELECT count(*) FROM bans", &n);
	assert_int_equal(n, 1);
}

/* A full disk shows when the batch is committed: it is gone as a whole, its end says so, and its rows are nobody else's. */
static void test_batch_full(void **state)
{
	pv_auto(store) s = open_store();
	struct notice a = make_notice(1000), b = make_notice(2000), got;
	pv_autobuf value = PV_BUF_INIT;

	(void) state;
	disk_take();
	assert_int_equal(store_batch_begin(s), 0);
	assert_int_equal(store_batch_begin(s), 0);
	assert_int_equal(store_add(s, &a, &policy), 0);
	assert_int_equal(store_kv_set(s, "log:a", "1"), 0);
	disk_is_full = true;
	assert_int_equal(store_batch_end(s), 0);
	assert_true(store_in_batch(s));
	assert_int_equal(store_batch_end(s), -ENOSPC);
	assert_false(store_in_batch(s));
	assert_int_equal(store_add(s, &b, &policy), -ENOSPC);
	disk_is_full = false;
	assert_int_equal(store_notice(s, a.row, &got), -ENOENT);
	assert_int_equal(store_kv_get(s, "log:a", &value), -ENOENT);
	assert_int_equal(store_add(s, &b, &policy), 0);
	assert_true(b.row > a.row);
	assert_int_equal(store_notice(s, a.row, &got), -ENOENT);
	disk_give_back();
}

/* The same where SQLite takes all of it back in the midst of the batch (256 MB are full): what comes after that is not there alone. */
static void test_batch_taken_back(void **state)
{
	pv_auto(store) s = open_store();
	struct notice n = make_notice(1000);
	uint64_t rows;
	int r = 0;

	(void) state;
	assert_int_equal(store_add(s, &n, &policy), 0);
	count_rows(s, "PRAGMA max_page_count=20", &rows);
	assert_int_equal(store_batch_begin(s), 0);
	for (int i = 0; i < 1000 && r == 0; i++)
		r = store_add(s, &n, &policy);
	assert_int_equal(r, -ENOSPC);
	count_rows(s, "PRAGMA max_page_count=1000", &rows);
	assert_int_equal(store_add(s, &n, &policy), -ENOSPC);
	assert_int_equal(store_kv_set(s, "log:a", "1"), -ENOSPC);
	assert_int_equal(store_batch_end(s), -ENOSPC);
	assert_int_equal(store_last_row(s), 1);
	assert_int_equal(store_batch_begin(s), 0);
	assert_int_equal(store_add(s, &n, &policy), 0);
	assert_int_equal(store_batch_end(s), 0);
	assert_int_equal(store_last_row(s), n.row);
}

/* kill -9 at any moment: what was acknowledged is there, and nothing is there by half. */
static void test_kill(void **state)
{
	struct acknowledged *a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t rows, half, kills = 0;
	unsigned seed = 7;

	(void) state;
	assert_ptr_not_equal(a, MAP_FAILED);
	for (int i = 0; i < 200; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			write_for_ever(a);
		(void) usleep((useconds_t) (rand_r(&seed) % 12000));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status), "round %d: the writer ended by itself: %x", i, (unsigned) status);
		kills++;
		if (i % 10)
			continue;
		pv_auto(store) s = open_store();

		assert_false(store_was_damaged(s));
		rows = store_last_row(s);
		CHECK(rows >= a->rows, "round %d: %lu rows, %lu acknowledged", i, (unsigned long) rows,
		      (unsigned long) a->rows);
		count_rows(s, "SELECT count(*) FROM notices n WHERE (SELECT count(*) FROM deliveries d WHERE"
			   " d.notice=n.row)<>2", &half);
		assert_int_equal(half, 0);
	}
	print_message("# %lu kills, %lu notices acknowledged, none lost, none by half\n", (unsigned long) kills,
		      (unsigned long) a->rows);
	assert_true(a->rows > 200);
	(void) munmap(a, 4096);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

	return x < y ? -1 : x > y;
}

/* A commit waits for no disk: it is fast although flushes and checkpoints go on beside it. */
static void test_speed(void **state)
{
	enum { N = 5000 };
	static uint64_t took[N];
	uint64_t flushes, longest;
	pv_auto(store) s = open_store();

	(void) state;
	for (int i = 0; i < N; i++) {
		struct notice n = make_notice(1);
		uint64_t start = clock_monotonic_us();

		assert_int_equal(store_add(s, &n, &policy), 0);
		took[i] = clock_monotonic_us() - start;
		if (i % 10 == 0)
			(void) usleep(1000);
	}
	(void) usleep(250000);
	qsort(took, N, sizeof(took[0]), by_value);
	flush_stats(s->flush, &flushes, &longest);
	print_message("# store_add: median %lu us, p99 %lu us, longest %lu us; %lu flushes, longest delay %lu us\n",
		      (unsigned long) took[N / 2], (unsigned long) took[N * 99 / 100], (unsigned long) took[N - 1],
		      (unsigned long) flushes, (unsigned long) longest);
	CHECK(took[N * 99 / 100] < 5000, "p99 %lu us", (unsigned long) took[N * 99 / 100]);
	assert_true(flushes >= 2);
	/* the WAL is written back as it goes */
	struct stat st;
	char path[128];

	(void) snprintf(path, sizeof(path), "%s/history.db-wal", dir);
	assert_int_equal(stat(path, &st), 0);
	CHECK(st.st_size < 16 << 20, "the WAL grew to %ld bytes", (long) st.st_size);
}

int main(void)
{
#define TEST_STORE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST_STORE(test_round_trip),	TEST_STORE(test_queries), TEST_STORE(test_deliveries),
		TEST_STORE(test_backlog),	TEST_STORE(test_acts_and_trim), TEST_STORE(test_damaged),
		TEST_STORE(test_foreign_files), TEST_STORE(test_mode),	  TEST_STORE(test_by_descriptor),
		TEST_STORE(test_batch), TEST_STORE(test_batch_full), TEST_STORE(test_batch_taken_back), TEST_STORE(test_bans_over), TEST_STORE(test_kill),		TEST_STORE(test_speed),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
