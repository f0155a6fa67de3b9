/* mend: what stands at a name may be exchanged between the look and the change; only the file that was judged is changed,
 * and never through a link, a second name, another mount or a FIFO. Root's part (becoming the owner) is in
 * test/system/test_audit_fix.py. */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "check.h"
#include "mend/record.h"
#include "mend/state.h"
#include "mend/target.h"

static char dir[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void) st;
	(void) type;
	(void) ftw;
	return remove(path);
}

static int begin(void **state)
{
	char real[4096];

	(void) state;
	(void) snprintf(dir, sizeof(dir), "/tmp/pv-mend-XXXXXX");
	return mkdtemp(dir) && realpath(dir, real) && strlen(real) < sizeof(dir) ? (strcpy(dir, real), 0) : -1;
}

static int end(void **state)
{
	(void) state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *in(const char *name)
{
	static char path[4][256];
	static unsigned i;

	i = (i + 1) % 4;
	(void) snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void put(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(in(name), "w");

	assert_non_null(f);
	(void) fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in(name), mode), 0);
}

static const char *text_in(const char *name)
{
	static char text[256];
	FILE *f = fopen(in(name), "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		(void) fclose(f);
	text[n] = '\0';
	return f ? text : NULL;
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(lstat(in(name), &st), 0);
	return st.st_mode & 07777;
}

static struct mend_target target(const char *name)
{
	struct mend_target t = { .dir = dir, .name = name };
	struct stat st;

	if (lstat(in(name), &st) == 0) {
		t.dev = (uint64_t) st.st_dev;
		t.ino = (uint64_t) st.st_ino;
		t.owner = st.st_uid;
		t.folder = S_ISDIR(st.st_mode);
	}
	return t;
}

/* --- what may be put in its place --- */

static void by_link(void)
{
	assert_int_equal(rename(in("env"), in("kept")), 0);
	assert_int_equal(symlink(in("victim"), in("env")), 0);
}

static void by_link_to_itself(void)
{
	assert_int_equal(rename(in("env"), in("kept")), 0);
	assert_int_equal(symlink("kept", in("env")), 0);
}

static void by_hard_link(void)
{
	assert_int_equal(unlink(in("env")), 0);
	assert_int_equal(link(in("victim"), in("env")), 0);
}

static void by_second_name(void)
{
	assert_int_equal(link(in("env"), in("second")), 0);
}

static void by_fifo(void)
{
	assert_int_equal(unlink(in("env")), 0);
	assert_int_equal(mkfifo(in("env"), 0644), 0);
}

static void by_folder(void)
{
	assert_int_equal(unlink(in("env")), 0);
	assert_int_equal(mkdir(in("env"), 0755), 0);
}

static void by_another(void)
{
	assert_int_equal(rename(in("env"), in("kept")), 0);
	put("env", "other\n", 0644);
}

static void by_nothing(void)
{
	assert_int_equal(unlink(in("env")), 0);
}

static const struct {
	const char *what;
	void (*swap)(void);
	int want;
} swaps[] = {
	{ "a link to another file", by_link, -ELOOP },
	{ "a link to the file itself", by_link_to_itself, -ELOOP },
	{ "a hard link to another file", by_hard_link, -EMLINK },
	{ "a second name", by_second_name, -EMLINK },
	{ "a FIFO", by_fifo, -EBADF },
	{ "a folder", by_folder, -EBADF },
	{ "another file", by_another, -ESTALE },
	{ "nothing", by_nothing, -ENOENT },
};

static void test_swapped(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(swaps); i++) {
		struct mend_size size;
		struct mend_target t;
		struct stat st;

		put("env", "A=1\n", 0644);
		put("victim", "V=1\n", 0644);
		t = target("env");
		CHECK(mend_look(&t, &st) == 0, "%s: before", swaps[i].what);
		swaps[i].swap();
		CHECK(mend_look(&t, &st) == swaps[i].want, "%s: look: %d", swaps[i].what, mend_look(&t, &st));
		CHECK(mend_mode(&t, 0644, 0600) == swaps[i].want, "%s: mode", swaps[i].what);
		CHECK(mend_append(&t, "B=2", &size) == swaps[i].want, "%s: append", swaps[i].what);
		CHECK(mend_unappend(&t, "1", &(struct mend_size){ .before = 2, .after = 4 }) == swaps[i].want, "%s: unappend",
		      swaps[i].what);
		CHECK(mode_of("victim") == 0644, "%s: the other file's mode", swaps[i].what);
		CHECK_STR(text_in("victim"), "V=1\n", "%s: the other file", swaps[i].what);
		assert_int_equal(end(NULL), 0);
		assert_int_equal(mkdir(dir, 0700), 0);
	}
}

/* The folder on the way may be exchanged, too. */
static void test_folder_swapped(void **state)
{
	struct mend_target t;
	char path[128];
	struct stat st;

	(void) state;
	assert_int_equal(mkdir(in("p"), 0755), 0);
	put("p/env", "A=1\n", 0644);
	(void) snprintf(path, sizeof(path), "%s/p", dir);
	t = target("p/env");
	t.dir = path;
	t.name = "env";
	assert_int_equal(mend_look(&t, &st), 0);
	assert_int_equal(rename(in("p"), in("q")), 0);
	assert_int_equal(symlink("q", in("p")), 0);
	assert_int_equal(mend_mode(&t, 0644, 0600), -ELOOP);
	t.dir = dir;
	t.name = "q/env"; /* no way below a folder but the folder itself */
	assert_int_equal(mend_mode(&t, 0644, 0600), -EINVAL);
	t.name = "..";
	assert_int_equal(mend_mode(&t, 0644, 0600), -EINVAL);
	assert_int_equal(mode_of("q/env"), 0644);
}

static void test_mode(void **state)
{
	struct mend_target t;

	(void) state;
	put("env", "A=1\n", 0640);
	t = target("env");
	assert_int_equal(mend_mode(&t, 0644, 0600), -ESTALE); /* somebody set another mode meanwhile */
	assert_int_equal(mend_mode(&t, 0640, 0600), 0);
	assert_int_equal(mode_of("env"), 0600);
	assert_int_equal(mkdir(in("backups"), 0755), 0);
	t = target("backups");
	assert_int_equal(mend_mode(&t, UINT32_MAX, 0700), 0);
	assert_int_equal(mode_of("backups"), 0700);
	put("shut", "x", 0); /* nobody may open it: the owner may still set its mode */
	t = target("shut");
	assert_int_equal(mend_mode(&t, 0, 0600), 0);
	assert_int_equal(mode_of("shut"), 0600);
}

static void test_lines(void **state)
{
	struct mend_target made = { .dir = dir, .name = ".gitignore" }, t;
	struct mend_size first, second, third;

	(void) state;
	assert_int_equal(mend_append(&made, ".env", &first), 0);
	CHECK_STR(text_in(".gitignore"), ".env\n", "made");
	assert_int_equal(mend_append(&made, "x", &third), -EEXIST); /* it came meanwhile */
	t = target(".gitignore");
	assert_int_equal(mend_append(&t, "*.sql", &second), 0);
	CHECK_STR(text_in(".gitignore"), ".env\n*.sql\n", "a second one");
	assert_int_equal(mend_append(&t, "a\nb", &third), -EINVAL);
	assert_int_equal(mend_unappend(&t, ".env", &first), -ESTALE); /* not while another stands behind it */
	assert_int_equal(mend_unappend(&t, "*.sql", &second), 0);
	CHECK_STR(text_in(".gitignore"), ".env\n", "the second is gone");
	assert_int_equal(mend_unappend(&t, ".env", &first), 0);
	assert_null(text_in(".gitignore"));

	put(".gitignore", "node_modules", 0644); /* no newline at its end */
	t = target(".gitignore");
	assert_int_equal(mend_append(&t, ".env", &first), 0);
	CHECK_STR(text_in(".gitignore"), "node_modules\n.env\n", "a newline before it");
	assert_int_equal(mend_unappend(&t, ".env", &first), 0);
	CHECK_STR(text_in(".gitignore"), "node_modules", "as it was");
}

static void test_write(void **state)
{
	(void) state;
	assert_int_equal(mend_write(dir, "o.yaml", "# ours", "# ours\na: 1\n", 12, 0644), 0);
	assert_int_equal(mend_write(dir, "o.yaml", "# ours", "# ours\nb\n", 9, 0644), 0);
	CHECK_STR(text_in("o.yaml"), "# ours\nb\n", "our own is replaced");
	put("o.yaml", "services: {}\n", 0644);
	assert_int_equal(mend_write(dir, "o.yaml", "# ours", "# ours\n", 7, 0644), -EEXIST);
	put("victim", "V\n", 0644);
	assert_int_equal(symlink("victim", in("l.yaml")), 0);
	assert_int_equal(mend_write(dir, "l.yaml", "# ours", "# ours\n", 7, 0644), -ELOOP);
	CHECK_STR(text_in("victim"), "V\n", "not through a link");
}

/* --- records --- */

static void test_record(void **state)
{
	int folder = open(dir, O_RDONLY | O_DIRECTORY);
	struct record_line line = { .step = { .kind = STEP_MODE, .mode = 0600, .dev = UINT64_MAX, .ino = 7 }, .old_mode = 0644 };
	struct record_line *lines = NULL;
	struct record a, b;
	size_t n = 0;

	(void) state;
	assert_true(folder >= 0);
	(void) strcpy(line.step.dir, "/srv/\"x\"\n");
	(void) strcpy(line.step.name, ".env");
	assert_int_equal(record_newest(folder, &b, &lines, &n), -ENOENT);
	assert_int_equal(record_new(folder, 1764342000000000, &a), 0);
	assert_int_equal(record_add(&a, &line), 0);
	line.failed = true;
	assert_int_equal(record_add(&a, &line), 0); /* the same step, as it came out */
	record_close(&a);
	assert_int_equal(record_new(folder, 1764342000000001, &a), 0);
	line.failed = false;
	assert_int_equal(record_add(&a, &line), 0);
	(void) strcpy(line.step.name, ".env.prod");
	assert_int_equal(record_add(&a, &line), 0);
	assert_int_equal(write(a.fd, "{\"schema\":1,", 12), 12); /* cut off by a crash */
	record_close(&a);
	assert_int_equal(record_newest(folder, &b, &lines, &n), 0);
	CHECK_STR(b.name, a.name, "the newest");
	assert_int_equal(n, 2);
	CHECK_STR(lines[0].step.dir, "/srv/\"x\"\n", "as it was");
	assert_true(lines[0].step.dev == UINT64_MAX && lines[0].step.ino == 7 && lines[0].old_mode == 0644 && !lines[0].failed);
	free(lines);
	assert_int_equal(record_undone(&b), 0);
	assert_int_equal(record_newest(folder, &b, &lines, &n), 0);
	assert_true(n == 1 && lines[0].failed);
	free(lines);
	assert_int_equal(fchmodat(folder, b.name, 0666, 0), 0);
	assert_int_equal(record_newest(folder, &b, &lines, &n), -EPERM); /* others could have written it */
	(void) close(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_swapped, begin, end),
		cmocka_unit_test_setup_teardown(test_folder_swapped, begin, end),
		cmocka_unit_test_setup_teardown(test_mode, begin, end),
		cmocka_unit_test_setup_teardown(test_lines, begin, end),
		cmocka_unit_test_setup_teardown(test_write, begin, end),
		cmocka_unit_test_setup_teardown(test_record, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
