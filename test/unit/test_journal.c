/* Journals made by systemd-journal-remote, with trusted fields of our own making. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "check.h"
#include "sense/journal.h"

#define REMOTE "/lib/systemd/systemd-journal-remote"

struct world {
	char dir[64];
	struct pv_buf got; /* "message|unit|transport|uid\n" ... */
	unsigned n, refuse_at; /* the sink refuses its n-th record once */
	uint64_t serial;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (access(REMOTE, X_OK) < 0) {
		print_message("systemd-journal-remote is not installed\n");
		free(w);
		*state = NULL;
		return 0;
	}
	(void) strcpy(w->dir, "/tmp/pv-journal-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char command[100];

	if (!w)
		return 0;
	(void) snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	assert_int_equal(system(command), 0);
	pv_buf_done(&w->got);
	free(w);
	return 0;
}

/* Records `from` to `to` into the journal `name`. */
static void make(struct world *w, const char *name, unsigned from, unsigned to, const char *more)
{
	char text[128], out[128], command[400];
	FILE *f;

	(void) snprintf(text, sizeof(text), "%s/export", w->dir);
	(void) snprintf(out, sizeof(out), "%s/%s.journal", w->dir, name);
	f = fopen(text, "w");
	assert_non_null(f);
	for (unsigned i = from; i < to; i++) {
		w->serial++;
		(void) fprintf(f, "__REALTIME_TIMESTAMP=%llu\n__MONOTONIC_TIMESTAMP=%llu\n_BOOT_ID=0123456789abcdef0123456789abcdef\n"
			       "MESSAGE=record %u\n%s\n", 1700000000000000ULL + w->serial * 1000, (unsigned long long) w->serial * 1000, i, more);
	}
	(void) fclose(f);
	(void) snprintf(command, sizeof(command), REMOTE " -o %s %s >/dev/null 2>&1", out, text);
	assert_int_equal(system(command), 0);
}

static void give(struct world *w, struct journal *j, const char *const *names, size_t n, const char *cursor)
{
	int fds[4];

	for (size_t i = 0; i < n; i++) {
		char path[128];

		(void) snprintf(path, sizeof(path), "%s/%s.journal", w->dir, names[i]);
		fds[i] = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		assert_true(fds[i] >= 0);
	}
	assert_int_equal(journal_files(j, fds, n, cursor), 0);
}

static int sink(const struct journal_record *r, void *arg)
{
	struct world *w = arg;

	if (w->refuse_at && ++w->n == w->refuse_at)
		return -EIO;
	pv_buf_printf(&w->got, "%.*s|%s|%s|%d|%s\n", (int) r->len, r->message, r->unit, r->transport, r->has_uid ? (int) r->uid : -1,
		      r->identifier);
	return 0;
}

static unsigned count(const struct world *w)
{
	unsigned n = 0;

	for (const char *p = pv_buf_str(&w->got); (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

#define SSH "_SYSTEMD_UNIT=ssh.service\n_TRANSPORT=syslog\n_UID=0\n_PID=42\nSYSLOG_IDENTIFIER=sshd\n"

static void test_fields(void **state)
{
	static const char *const names[] = { "a" };
	pv_auto(journal) j = NULL;
	struct world *w = *state;

	if (!w)
		skip();
	assert_int_equal(journal_new(&j), 0);
	make(w, "a", 0, 1, SSH);
	give(w, j, names, 1, NULL);
	assert_int_equal(journal_turn(j, 100, sink, w), 0); /* what was there before us */
	assert_int_equal(count(w), 0);
	make(w, "a", 1, 2, SSH);
	make(w, "a", 2, 3, "_TRANSPORT=kernel\n");
	make(w, "a", 3, 4, "_SYSTEMD_SLICE=user-1000.slice\n_UID=1000\n_COMM=sshd\nSYSLOG_IDENTIFIER=sshd\n");
	assert_int_equal(journal_turn(j, 100, sink, w), 0);
	CHECK_STR(pv_buf_str(&w->got), "record 1|ssh.service|syslog|0|sshd\nrecord 2||kernel|-1|\nrecord 3|user-1000.slice||1000|sshd\n", "fields");
}

static int pieces(const struct journal_record *r, void *arg)
{
	struct world *w = arg;

	pv_buf_printf(&w->got, "%s%d%d%u", w->got.len ? " " : "", r->partial, r->error, r->ordinal);
	return 0;
}

/* Which stream of a container, and which piece of its line. */
static void test_container(void **state)
{
	static const char *const names[] = { "a" };
	pv_auto(journal) j = NULL;
	struct world *w = *state;

	if (!w)
		skip();
	assert_int_equal(journal_new(&j), 0);
	make(w, "a", 0, 1, SSH);
	give(w, j, names, 1, NULL);
	make(w, "a", 1, 2, "CONTAINER_ID_FULL=x\nPRIORITY=3\nCONTAINER_PARTIAL_MESSAGE=true\nCONTAINER_PARTIAL_ORDINAL=1\n");
	make(w, "a", 2, 3, "CONTAINER_ID_FULL=x\nPRIORITY=6\nCONTAINER_PARTIAL_LAST=true\nCONTAINER_PARTIAL_ORDINAL=12\n");
	make(w, "a", 3, 4, "CONTAINER_ID_FULL=x\nCONTAINER_PARTIAL_ORDINAL=-1\n");
	make(w, "a", 4, 5, "PRIORITY=3\n");
	assert_int_equal(journal_turn(j, 100, pieces, w), 0);
	CHECK_STR(pv_buf_str(&w->got), "111 0012 000 000", "pieces");
}

/* Rotated, stopped at any record, and refused: each once, in order. */
static void test_once(void **state)
{
	static const char *const first[] = { "a" }, *const both[] = { "a", "b" };
	pv_auto(journal) j = NULL;
	struct world *w = *state;
	pv_autofree char *cursor = NULL;

	if (!w)
		skip();
	assert_int_equal(journal_new(&j), 0);
	make(w, "a", 0, 5, SSH);
	give(w, j, first, 1, NULL);
	make(w, "a", 5, 20, SSH);
	assert_int_equal(journal_turn(j, 7, sink, w), 1);
	assert_int_equal(count(w), 7);
	cursor = strdup(journal_cursor(j));
	make(w, "b", 20, 40, SSH); /* journald goes on in another file */
	j = journal_free(j);
	assert_int_equal(journal_new(&j), 0);
	give(w, j, both, 2, cursor);
	w->refuse_at = 10;
	assert_int_equal(journal_turn(j, 100, sink, w), -EIO);
	while (journal_turn(j, 3, sink, w) > 0)
		;
	give(w, j, both, 2, NULL); /* the same files again */
	assert_int_equal(journal_turn(j, 100, sink, w), 0);
	assert_int_equal(count(w), 35);
	for (unsigned i = 5; i < 40; i++) {
		char text[32];
		const char *at;

		(void) snprintf(text, sizeof(text), "record %u|", i);
		at = strstr(pv_buf_str(&w->got), text);
		CHECK(at && !strstr(at + 1, text), "record %u", i);
	}
}

static void test_nothing(void **state)
{
	pv_auto(journal) j = NULL;
	struct world *w = *state;
	int fd;

	if (!w)
		skip();
	assert_int_equal(journal_new(&j), 0);
	assert_int_equal(journal_turn(j, 10, sink, w), 0);
	assert_true(journal_files(j, NULL, 0, NULL) < 0);
	fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC); /* no journal at all */
	assert_true(journal_files(j, &fd, 1, NULL) < 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(journal_turn(j, 10, sink, w), 0);
	assert_null(journal_cursor(j));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_fields), T(test_container), T(test_once), T(test_nothing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
