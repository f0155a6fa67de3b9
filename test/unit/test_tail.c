/* Real files in a folder of the test's own, written and rotated as log writers and logrotate do it; each line must be given exactly once,
 * also when the reader is killed at any step (nothing is left of it but the positions that it stored). */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "sense/follow.h"

#define LINES 40
#define SEC   ((uint64_t) 1000000)

struct world {
	char dir[64], path[96];
	struct follow f;
	char *buf;
	unsigned seen[LINES];
	size_t records, bytes, longest;
	struct pv_buf pieces; /* what was given of a json-file, see json() */
	uint64_t now_us;
	int writer; /* -1: closed */
	bool mortal; /* killed and started again before each look */
	int fail;    /* what the sink answers next */
	struct pv_buf stored;
};

static struct world *world_new(bool from_end)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	(void) strcpy(w->dir, "/tmp/pv-tail-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void) snprintf(w->path, sizeof(w->path), "%s/app.log", w->dir);
	w->buf = malloc(TAIL_BUFFER);
	assert_non_null(w->buf);
	w->writer = -1;
	w->now_us = 1000 * SEC;
	follow_init(&w->f, &tail_lines, from_end);
	return w;
}

static void world_free(struct world *w)
{
	DIR *d = opendir(w->dir);
	struct dirent *e;

	while ((e = readdir(d)))
		(void) unlinkat(dirfd(d), e->d_name, 0);
	(void) closedir(d);
	(void) rmdir(w->dir);
	(void) pv_close(w->writer);
	follow_done(&w->f);
	pv_buf_done(&w->stored);
	pv_buf_done(&w->pieces);
	free(w->buf);
	free(w);
}

static void open_writer(struct world *w)
{
	(void) pv_close(w->writer);
	w->writer = open(w->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	assert_true(w->writer >= 0);
}

static void put(struct world *w, const char *text)
{
	if (w->writer < 0)
		open_writer(w);
	assert_int_equal(write(w->writer, text, strlen(text)), (ssize_t) strlen(text));
}

static void lines(struct world *w, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		char text[160];

		(void) snprintf(text, sizeof(text), "Nov 28 15:00:%02u host sshd[%u]: Failed password for root from 192.0.2.%u port 4242 ssh2\n",
				i, 1000 + i, i);
		put(w, text);
	}
}

static int sink(const char *buf, size_t len, void *arg)
{
	struct world *w = arg;
	const char *end;

	if (w->fail) {
		int r = w->fail;

		w->fail = 0;
		return r;
	}
	assert_true(len && buf[len - 1] == '\n');
	w->bytes += len;
	for (; len; len -= (size_t) (end - buf) + 1, buf = end + 1) {
		const char *at;
		unsigned n;

		end = memchr(buf, '\n', len);
		if (w->f.kind == &tail_docker_json)
			pv_buf_printf(&w->pieces, "%c%s", buf[8], memmem(buf, (size_t) (end - buf), "\\n\"", 3) ? "." : "");
		w->records++;
		w->longest = PV_MAX(w->longest, (size_t) (end - buf));
		at = memmem(buf, (size_t) (end - buf), "from 192.0.2.", 13);
		if (at && sscanf(at, "from 192.0.2.%u port", &n) == 1 && n < LINES)
			w->seen[n]++;
	}
	return 0;
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*b)->d_name, (*a)->d_name);
}

/* What the broker hands over: files whose name begins as the log's. */
static void beside(struct world *w)
{
	for (int copies = 0; copies < 2 && follow_looks(&w->f); copies++) {
		struct dirent **list;
		int n = scandir(w->dir, &list, NULL, newest_first);

		for (int i = 0; i < n; i++) {
			char path[400];

			(void) snprintf(path, sizeof(path), "%s/%s", w->dir, list[i]->d_name);
			if (strncmp(list[i]->d_name, "app", 3) == 0 && strcmp(path, w->path) != 0)
				(void) follow_beside(&w->f, open(path, O_RDONLY | O_CLOEXEC), -1, copies, w->now_us);
			free(list[i]);
		}
		free(list);
	}
	follow_give_up(&w->f);
}

static uint64_t changed(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t) st.st_mtim.tv_sec * 1000000000 + (uint64_t) st.st_mtim.tv_nsec;
}

static int oldest_first(const void *a, const void *b)
{
	uint64_t x = changed(a), y = changed(b);

	return (x > y) - (x < y);
}

/* And those whose name is that of a rotated one, the oldest first, for what was never seen. */
static void between(struct world *w)
{
	char paths[16][400];
	struct dirent **list;
	int n = scandir(w->dir, &list, NULL, newest_first), m = 0, r = 0;

	for (int i = 0; i < n; i++) {
		if (m < 16 && strncmp(list[i]->d_name, "app.log.", 8) == 0)
			(void) snprintf(paths[m++], sizeof(paths[0]), "%s/%s", w->dir, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	qsort(paths, (size_t) m, sizeof(paths[0]), oldest_first);
	for (int i = 0; i < m && r != -EBUSY; i++)
		r = follow_between(&w->f, open(paths[i], O_RDONLY | O_CLOEXEC), -1, w->now_us);
	if (r != -EBUSY)
		follow_caught_up(&w->f);
}

static void kill_reader(struct world *w)
{
	const struct tail_kind *kind = w->f.kind;

	follow_done(&w->f);
	follow_init(&w->f, kind, true);
	assert_int_equal(follow_restore(&w->f, pv_buf_str(&w->stored)), 0);
}

static void look(struct world *w)
{
	int fd, r;

	if (w->mortal)
		kill_reader(w);
	fd = open(w->path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		assert_true(follow_present(&w->f, fd, -1, w->now_us) >= 0);
	do {
		if (follow_looks(&w->f))
			beside(w);
		if (follow_misses(&w->f))
			between(w);
		r = follow_turn(&w->f, w->buf, TAIL_BUFFER, sink, w, w->now_us);
		assert_true(r >= 0 || r == -EIO);
		if (r < 0)
			return;
		/* what was counted and the positions are one transaction of the store */
		pv_buf_clear(&w->stored);
		follow_save(&w->f, &w->stored);
	} while (r > 0 || follow_looks(&w->f) || follow_misses(&w->f));
	follow_tidy(&w->f, w->now_us, NULL, NULL);
}

static void rotate(struct world *w, const char *to)
{
	char path[128];

	(void) snprintf(path, sizeof(path), "%s/%s", w->dir, to);
	assert_int_equal(rename(w->path, path), 0);
}

static void copy_truncate(struct world *w, const char *to, bool look_between)
{
	char path[128], *text = malloc(1u << 20);
	int in = open(w->path, O_RDWR | O_CLOEXEC), out;
	ssize_t n;

	(void) snprintf(path, sizeof(path), "%s/%s", w->dir, to);
	out = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	n = read(in, text, 1u << 20);
	assert_int_equal(write(out, text, (size_t) n), n);
	if (look_between)
		look(w);
	assert_int_equal(ftruncate(in, 0), 0);
	(void) close(in);
	(void) close(out);
	free(text);
}

static void plain(struct world *w)
{
	for (unsigned i = 0; i < LINES; i += 10) {
		lines(w, i, i + 10);
		look(w);
	}
}

static void renamed(struct world *w)
{
	lines(w, 0, 10);
	look(w);
	lines(w, 10, 20); /* not read when it is renamed */
	rotate(w, "app.log.1");
	open_writer(w);
	lines(w, 20, 40);
	look(w);
}

/* Nothing of it was read before it was renamed. */
static void renamed_unread(struct world *w)
{
	look(w);
	lines(w, 0, 20);
	rotate(w, "app.log.1");
	open_writer(w);
	lines(w, 20, 40);
	look(w);
}

static void keeps_old(struct world *w)
{
	int fd;

	lines(w, 0, 10);
	look(w);
	rotate(w, "app.log.1");
	fd = open(w->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	lines(w, 10, 20); /* still into the renamed one */
	look(w);
	w->now_us += 3600 * SEC;
	look(w);
	lines(w, 20, 30);
	look(w);
	(void) close(w->writer);
	w->writer = fd;
	lines(w, 30, 40);
	look(w);
}

static void copied(struct world *w)
{
	lines(w, 0, 20);
	look(w);
	copy_truncate(w, "app.log.1", true);
	lines(w, 20, 40);
	look(w);
}

static void copied_unread(struct world *w)
{
	lines(w, 0, 5);
	look(w);
	lines(w, 5, 20); /* only the copy has these */
	copy_truncate(w, "app.log-20261128", false);
	lines(w, 20, 40);
	look(w);
}

static void truncated_grown(struct world *w)
{
	lines(w, 0, 10);
	look(w);
	assert_int_equal(truncate(w->path, 0), 0);
	lines(w, 10, 40); /* larger than before when it is looked at again */
	look(w);
}

static void truncated_same_size(struct world *w)
{
	lines(w, 10, 30);
	look(w);
	assert_int_equal(truncate(w->path, 0), 0);
	lines(w, 0, 0);
	lines(w, 30, 40);
	put(w, "Nov 28 15:00:00 host sshd[1000]: Failed password for root from 192.0.2.0 port 4242 ssh2\n");
	lines(w, 1, 10);
	look(w);
}

static void halves(struct world *w)
{
	put(w, "Nov 28 15:00:00 host sshd[1000]: Failed password for root fr");
	look(w);
	put(w, "om 192.0.2.0 por");
	look(w);
	look(w);
	put(w, "t 4242 ssh2\nNov 28 15:00:01 host sshd[1001]: Failed pass");
	look(w);
	put(w, "word for root from 192.0.2.1 port 4242 ssh2\n");
	look(w);
	lines(w, 2, LINES);
	look(w);
}

static void deleted(struct world *w)
{
	lines(w, 0, 10);
	look(w);
	if (!w->mortal) /* else nobody can read them any more: the file is gone with its last reader */
		lines(w, 10, 20);
	assert_int_equal(unlink(w->path), 0);
	look(w);
	w->now_us += 3 * SEC;
	look(w);
	open_writer(w);
	lines(w, w->mortal ? 10 : 20, LINES);
	look(w);
}

static void rotated_twice(struct world *w)
{
	lines(w, 0, 10);
	look(w);
	lines(w, 10, 15);
	rotate(w, "app.log.1");
	open_writer(w);
	lines(w, 15, 20);
	{
		char from[128], to[128];

		(void) snprintf(from, sizeof(from), "%s/app.log.1", w->dir);
		(void) snprintf(to, sizeof(to), "%s/app.log.2", w->dir);
		look(w);
		assert_int_equal(rename(from, to), 0);
	}
	lines(w, 20, 25);
	rotate(w, "app.log.1");
	open_writer(w);
	lines(w, 25, LINES);
	look(w);
}

/* As Docker does it: .1 becomes .2, the log .1, a new one is made. Births must differ, and a file system's clock ticks slowly. */
static void shift(struct world *w, unsigned files)
{
	char from[128], to[128];

	for (unsigned i = files; i > 1; i--) {
		(void) snprintf(from, sizeof(from), "%s/app.log.%u", w->dir, i - 1);
		(void) snprintf(to, sizeof(to), "%s/app.log.%u", w->dir, i);
		(void) rename(from, to);
	}
	rotate(w, "app.log.1");
	(void) usleep(12000);
	open_writer(w);
}

static void rotated_unseen(struct world *w)
{
	lines(w, 0, 10);
	look(w);
	lines(w, 10, 15);
	shift(w, 4);
	lines(w, 15, 20);
	shift(w, 4);
	lines(w, 20, 25);
	look(w);
	shift(w, 4);
	lines(w, 25, LINES);
	look(w);
}

/* More than can be open at once, and the last one that was seen is gone. */
static void rotated_often(struct world *w)
{
	lines(w, 0, 10);
	look(w);
	for (unsigned i = 10; i < LINES; i += 4) {
		shift(w, 7);
		lines(w, i, PV_MIN(i + 4, (unsigned) LINES));
	}
	look(w);
}

/* What somebody copied, while it was the log and after, is not read for it. */
static void copied_by_hand(struct world *w)
{
	char text[4096], path[128];
	int in, out;
	ssize_t n;

	lines(w, 0, 10);
	look(w);
	(void) usleep(12000);
	in = open(w->path, O_RDONLY | O_CLOEXEC);
	(void) snprintf(path, sizeof(path), "%s/app.log.9", w->dir);
	out = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	n = read(in, text, sizeof(text));
	assert_int_equal(write(out, text, (size_t) n), n);
	(void) close(in);
	(void) close(out);
	lines(w, 10, 15);
	shift(w, 4);
	lines(w, 15, 20);
	shift(w, 4);
	lines(w, 20, LINES);
	look(w);
}

static const struct {
	const char *name;
	void (*run)(struct world *w);
} scenarios[] = {
	{ "plain append", plain },	       { "renamed and made anew", renamed },
	{ "renamed, unread", renamed_unread },
	{ "the writer keeps the old file", keeps_old }, { "copied and truncated", copied },
	{ "copied and truncated, unread", copied_unread }, { "truncated and grown", truncated_grown },
	{ "truncated to the same size", truncated_same_size }, { "lines in halves", halves },
	{ "deleted and made anew", deleted },  { "rotated twice", rotated_twice }, { "rotated twice, unseen", rotated_unseen },
	{ "rotated often, unseen", rotated_often }, { "copied by hand", copied_by_hand },
};

static void run_scenarios(bool mortal)
{
	for (size_t i = 0; i < N_ELEMENTS(scenarios); i++) {
		struct world *w = world_new(true);

		look(w); /* it was there before the log */
		pv_buf_clear(&w->stored);
		follow_save(&w->f, &w->stored);
		open_writer(w);
		look(w);
		w->mortal = mortal;
		scenarios[i].run(w);
		look(w);
		for (unsigned n = 0; n < LINES; n++)
			CHECK(w->seen[n] == 1, "%s%s: line %u was given %u times", scenarios[i].name, mortal ? ", killed at each step" : "", n,
			      w->seen[n]);
		world_free(w);
	}
}

static void test_rotation(void **state)
{
	(void) state;
	run_scenarios(false);
}

static void test_rotation_killed(void **state)
{
	(void) state;
	run_scenarios(true);
}

/* What stood there before the first look is not read, but for the line that is not finished. */
static void test_from_end(void **state)
{
	struct world *w = world_new(true);

	(void) state;
	lines(w, 0, 20);
	put(w, "Nov 28 15:00:20 host sshd[1020]: Failed password for root from 192.0.");
	look(w);
	assert_int_equal(w->records, 0);
	put(w, "2.20 port 4242 ssh2\n");
	lines(w, 21, 25);
	look(w);
	for (unsigned n = 0; n < 25; n++)
		CHECK(w->seen[n] == (n >= 20), "line %u", n);
	world_free(w);
}

/* 100 MB without an end: passed over and counted once, also by somebody who was killed in the middle; the next line is whole. */
static void test_endless_line(void **state)
{
	struct world *w = world_new(false);
	char *piece = malloc(1u << 20);
	uint64_t counted = 0;

	(void) state;
	memset(piece, 'x', (1u << 20) - 1);
	piece[(1u << 20) - 1] = '\0';
	lines(w, 0, 1);
	for (unsigned i = 0; i < 100; i++) {
		put(w, piece);
		if (i % 10 == 0) {
			look(w);
			counted += w->f.files[0].tail.long_records;
			w->f.files[0].tail.long_records = 0;
		}
		if (i == 50)
			kill_reader(w);
	}
	put(w, " from 192.0.2.39 port 4242\n"); /* its end alone is no line */
	lines(w, 1, 10);
	look(w);
	assert_int_equal(counted, 1);
	assert_int_equal(w->records, 10);
	assert_int_equal(w->seen[39], 0);
	for (unsigned n = 0; n < 10; n++)
		CHECK(w->seen[n] == 1, "line %u", n);
	free(piece);
	world_free(w);
}

/* The limit, byte by byte around it. */
static void test_line_limit(void **state)
{
	(void) state;
	for (size_t len = LOG_LINE_MAX - 3; len < LOG_LINE_MAX + 3; len++) {
		struct world *w = world_new(false);
		char *text = malloc(len + 2);

		memset(text, 'x', len);
		memcpy(text + len, "\n", 2);
		lines(w, 0, 1);
		put(w, text);
		lines(w, 1, 2);
		look(w);
		assert_int_equal(w->seen[0] + w->seen[1], 2);
		w->stored.len = 0;
		/* in two parts, with a look between them */
		text[len] = '\0';
		put(w, text);
		look(w);
		put(w, "\n");
		lines(w, 2, 3);
		look(w);
		CHECK(w->seen[2] == 1, "after a line of %zu bytes", len);
		CHECK((w->records == 5) == (len < LOG_LINE_MAX), "a line of %zu bytes: %zu records", len, w->records);
		free(text);
		world_free(w);
	}
}

/* A sink that cannot take it now gets it again. */
static void test_sink_fails(void **state)
{
	struct world *w = world_new(false);

	(void) state;
	lines(w, 0, 10);
	w->fail = -EIO;
	look(w);
	assert_int_equal(w->records, 0);
	look(w);
	assert_int_equal(w->records, 10);
	world_free(w);
}

static void test_shed(void **state)
{
	struct world *w = world_new(false);
	uint64_t passed;

	(void) state;
	look(w);
	lines(w, 0, 1);
	look(w);
	for (unsigned i = 0; i < 10000; i++)
		put(w, "an ordinary line of about fifty bytes, or somewhat less\n");
	lines(w, 1, 10);
	assert_int_equal(tail_shed(&w->f.files[0].tail, 1u << 20, 1u << 16), 0);
	passed = tail_shed(&w->f.files[0].tail, 1u << 18, 1u << 16);
	assert_true(passed > (1u << 18) && passed == w->f.files[0].tail.shed_bytes);
	look(w);
	for (unsigned n = 0; n < 10; n++)
		CHECK(w->seen[n] == 1, "line %u", n);
	assert_true(w->bytes < (1u << 16) + 200);
	world_free(w);
}

/* Old files are let go when they are over; what is in use is kept. */
static void test_tidy(void **state)
{
	struct world *w = world_new(false);
	size_t open_files = 0;

	(void) state;
	for (unsigned i = 0; i < 12; i++) {
		char name[32];

		lines(w, i, i + 1);
		look(w);
		(void) snprintf(name, sizeof(name), "app.log.%u", i);
		rotate(w, name);
		open_writer(w);
		look(w);
		w->now_us += 40 * SEC;
		look(w);
	}
	for (size_t i = 0; i < FOLLOW_FILES; i++)
		open_files += w->f.files[i].tail.fd >= 0;
	assert_int_equal(open_files, 2);
	for (unsigned n = 0; n < 12; n++)
		CHECK(w->seen[n] == 1, "line %u", n);
	world_free(w);
}

static void test_restore_bad(void **state)
{
	static const char *const bad[] = { "x", "1:2:3:4:5", "1:2:3:4:500:0", "1:2:3:4:5:0x", "1:2:3:4:5:0,1:2:3:4:5:0", "1:2:3:4:5:0+1", "+", "1:2:3:4:5:0 +1g",
					 "+ 1", "+11112222333344445" };
	struct follow f;

	(void) state;
	follow_init(&f, &tail_lines, true);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		CHECK(follow_restore(&f, bad[i]) == -EBADMSG && !f.n_lost, "`%s`", bad[i]);
	assert_int_equal(follow_restore(&f, ""), 0);
	assert_true(f.restored);
	follow_done(&f);
}

/* --- Docker's json-file: lines in pieces --- */

/* A record of `n` bytes of text, all of them `c`; `end`: it ends a line. */
static void json(struct world *w, char c, size_t n, bool end)
{
	char *text = malloc(n + 64);

	assert_non_null(text);
	(void) strcpy(text, "{\"log\":\"");
	memset(text + 8, c, n);
	(void) strcpy(text + 8 + n, end ? "\\n\",\"stream\":\"stdout\"}\n" : "\",\"stream\":\"stdout\"}\n");
	put(w, text);
	free(text);
}

static struct world *json_world(bool from_end)
{
	struct world *w = world_new(from_end);

	follow_init(&w->f, &tail_docker_json, from_end);
	return w;
}

static void given(struct world *w, const char *want, const char *what)
{
	CHECK_STR(pv_buf_str(&w->pieces), want, "%s", what);
	world_free(w);
}

/* Pieces wait for their end, also those of 98 kB that Docker makes of 16 KiB; without an end they are given in time. */
static void test_pieces(void **state)
{
	struct world *w = json_world(false);

	(void) state;
	json(w, 'a', 100, true);
	json(w, 'b', 98304, false);
	look(w);
	CHECK_STR(pv_buf_str(&w->pieces), "a.", "the end is not there");
	json(w, 'b', 100, true);
	look(w);
	CHECK_STR(pv_buf_str(&w->pieces), "a.bb.", "joined");
	json(w, 'c', 100, true);
	for (int i = 0; i < 14; i++)
		json(w, 'd', 16384, false);
	json(w, 'e', 100, true);
	look(w);
	CHECK_STR(pv_buf_str(&w->pieces), "a.bb.c.dddddddddddddde.", "all at once");
	for (int i = 0; i < 16; i++) {
		json(w, 'f', 16384, false);
		look(w);
	}
	CHECK(strlen(pv_buf_str(&w->pieces)) > 23, "pieces that have no end wait for ever");
	json(w, 'f', 100, true);
	look(w);
	given(w, "a.bb.c.dddddddddddddde.fffffffffffffffff.", "one after the other");
}

/* The line goes on in the file that was made at the rotation; the older one is read first, wherever it stands among the others. */
static void test_pieces_rotated(void **state)
{
	(void) state;
	for (unsigned before = 0; before < 8; before++) {
		pv_autobuf want = PV_BUF_INIT;
		struct world *w = json_world(false);

		open_writer(w);
		look(w);
		for (unsigned i = 0; i < before; i++) {
			json(w, 'a', 100, true);
			look(w);
			rotate(w, "app.log.2");
			open_writer(w);
			w->now_us += 40 * SEC;
			look(w);
			pv_buf_puts(&want, "a.");
		}
		json(w, 'b', 100, true);
		if (before % 2)
			look(w);
		json(w, 'c', 16384, false);
		if (before % 4 > 1)
			look(w);
		rotate(w, "app.log.1");
		open_writer(w);
		json(w, 'd', 16384, false);
		json(w, 'e', 100, true);
		look(w);
		pv_buf_puts(&want, "b.cde.");
		given(w, pv_buf_str(&want), "a rotation between pieces");
	}
}

/* Rotated while nobody looked: the older one is found beside it, and read first. */
static void test_pieces_killed(void **state)
{
	struct world *w = json_world(true);

	(void) state;
	w->mortal = true;
	json(w, 'a', 100, true);
	look(w);
	json(w, 'b', 100, true);
	json(w, 'c', 16384, false);
	rotate(w, "app.log.1");
	open_writer(w);
	json(w, 'd', 100, true);
	json(w, 'e', 100, true);
	look(w);
	json(w, 'f', 100, true);
	rotate(w, "app.log.2");
	open_writer(w);
	json(w, 'g', 100, true);
	look(w);
	given(w, "a.b.cd.e.f.g.", "rotated while it did not run");
}

/* Where something is missing, what comes first may be the end of a line whose beginning nobody saw: it is passed over. */
static void test_pieces_gap(void **state)
{
	struct world *w = json_world(true);

	(void) state;
	json(w, 'a', 100, true);
	json(w, 'b', 16384, false);
	look(w);
	json(w, 'b', 100, true);
	look(w);
	given(w, "bb.", "begun at the end, between pieces");

	w = json_world(false);
	json(w, 'a', 16384, false);
	look(w);
	assert_int_equal(ftruncate(w->writer, 0), 0);
	json(w, 'b', 100, false);
	json(w, 'b', 100, true);
	json(w, 'c', 100, true);
	look(w);
	given(w, "c.", "truncated: Docker with one file");

	w = json_world(false);
	json(w, 'a', 100, true);
	look(w);
	for (int i = 0; i < 100; i++) {
		json(w, 'b', 16384, false);
		json(w, 'b', 16384, true);
	}
	json(w, 'c', 16384, false);
	json(w, 'c', 100, true);
	json(w, 'd', 100, true);
	assert_true(tail_shed(&w->f.files[0].tail, 1u << 20, 10000));
	look(w);
	given(w, "a.d.", "shed in the middle of a piece");

	w = json_world(false);
	json(w, 'a', 2 * LOG_LINE_MAX, false);
	look(w);
	json(w, 'b', 100, false);
	json(w, 'b', 100, true);
	json(w, 'c', 100, true);
	look(w);
	assert_int_equal(w->f.files[0].tail.long_records, 1);
	given(w, "c.", "a record that is too long");

	w = json_world(false);
	json(w, 'a', 100, true);
	look(w);
	json(w, 'b', 16384, false);
	look(w);
	assert_int_equal(unlink(w->path), 0);
	open_writer(w);
	json(w, 'b', 100, true);
	json(w, 'c', 100, true);
	kill_reader(w);
	look(w);
	given(w, "a.c.", "rotated and removed while nobody looked");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rotation),   cmocka_unit_test(test_rotation_killed), cmocka_unit_test(test_from_end),
		cmocka_unit_test(test_endless_line), cmocka_unit_test(test_line_limit),	   cmocka_unit_test(test_sink_fails),
		cmocka_unit_test(test_shed),	   cmocka_unit_test(test_tidy),		   cmocka_unit_test(test_restore_bad),
		cmocka_unit_test(test_pieces),	   cmocka_unit_test(test_pieces_rotated),  cmocka_unit_test(test_pieces_killed),
		cmocka_unit_test(test_pieces_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
