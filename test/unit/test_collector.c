/* What pavise-collector makes of what it reads: mount tables, socket tables, files behind links and devices, bundles. */
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "check.h"
#include "collector/collector.h"

#define MOUNTS                                                                                                                   \
	"21 1 8:1 / /proc rw - proc proc rw\n"                                                                                   \
	"512 480 0:61 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/AA:/srv/with\\040blank/diff,"     \
	"upperdir=/var/lib/docker/overlay2/e1/diff,workdir=/var/lib/docker/overlay2/e1/work\n"                                   \
	"513 512 0:62 / /dev rw - tmpfs tmpfs rw\n"

static void test_overlay(void **state)
{
	static struct overlay o;
	const char *l;

	(void) state;
	assert_int_equal(overlay_parse(MOUNTS, "/root", &o), 0);
	CHECK_STR(o.upper, "/var/lib/docker/overlay2/e1/diff", "upper");
	l = o.lowers;
	CHECK_STR(l, "/var/lib/docker/overlay2/l/AA", "first lower");
	l += strlen(l) + 1;
	CHECK_STR(l, "/srv/with blank/diff", "second lower");
	assert_int_equal(l[strlen(l) + 1], '\0');
	assert_int_equal(
		overlay_parse("1 0 0:1 / / rw - overlay o rw,lowerdir=l/A:l/B,upperdir=x/diff,workdir=x/work\n", "/d", &o), 0);
	CHECK_STR(o.lowers, "/d/overlay2/l/A", "relative, as Docker mounts many layers");
	assert_int_equal(overlay_parse("1 0 0:1 / / rw - overlay o rw,lowerdir+=/a,lowerdir+=/b,upperdir=/u\n", "/d", &o), 0);
	CHECK_STR(o.lowers + strlen(o.lowers) + 1, "/b", "one by one");
	assert_int_equal(overlay_parse("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n", "/d", &o), -ENODATA);
	assert_int_equal(overlay_parse("", "/d", &o), -ENODATA);
	assert_int_equal(overlay_parse("1 0 0:1 / / rw - overlay", "/d", &o), -ENODATA);
	assert_int_equal(overlay_of_dead("/none", "../../etc", &o), -EINVAL);
}

/* A digest alone ends what is not of the container's own image. */
static void test_judge(void **state)
{
	static const uint8_t node[32] = { 1 }, other[32] = { 2 };
	struct capture_job job = { .what = CAPTURE_JUDGE, .may_kill = 1, .n_bad = 2, .bad = { { 3 }, { 1 } } };

	(void) state;
	assert_true(judge_is_bad(&job, node, NULL));
	assert_true(judge_is_bad(&job, node, other));
	assert_false(judge_is_bad(&job, node, node));
	assert_false(judge_is_bad(&job, other, NULL));
	job.n_bad = 1;
	assert_false(judge_is_bad(&job, node, NULL));
	job.n_bad = 255;
	assert_true(judge_is_bad(&job, node, NULL));
}

static void test_sockets(void **state)
{
	static const char v4[] =
		"   0: 0100007F:0CEA 071200CB:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0\n";
	static const char v6[] =
		"   1: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 "
		"00:00000000 00000000     0        0 99 1 0\n";
	struct socket_line s;

	(void) state;
	assert_true(sockets_line(v4, false, &s));
	CHECK_STR(s.local, "127.0.0.1:3306", "local");
	CHECK_STR(s.remote, "203.0.18.7:8080", "remote");
	assert_int_equal(s.state, 1);
	assert_int_equal(s.uid, 1000);
	assert_int_equal(s.inode, 12345);
	assert_true(sockets_line(v6, true, &s));
	CHECK_STR(s.local, "[::]:443", "IPv6");
	assert_false(sockets_line(
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n", false, &s));
	assert_false(sockets_line(v4, true, &s));
	assert_false(sockets_line("0:", false, &s));
}

static char dir[64];

static int put(const char *name, const void *text, size_t len)
{
	char path[160];
	int fd;

	(void) snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t) len);
	return fd;
}

static void get(const char *name, struct pv_buf *out)
{
	char path[160], buf[65536];
	ssize_t n;
	int fd;

	(void) snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		pv_buf_add(out, buf, (size_t) n);
	(void) pv_close(fd);
}

/* Links lead nowhere outside, and what is no file is not opened. */
static void test_files(void **state)
{
	pv_autoclose int root = open(dir, O_PATH | O_DIRECTORY);
	pv_autoclose int fd = put("plain", "x", 1);
	char path[160];

	(void) state;
	(void) snprintf(path, sizeof(path), "%s/out", dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	(void) snprintf(path, sizeof(path), "%s/in", dir);
	assert_int_equal(symlink("/plain", path), 0);
	(void) snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(file_open_in(root, "out"), -ENOENT);
	assert_int_equal(file_open_in(root, "../../../../etc/passwd"), -ENOENT);
	assert_int_equal(file_open_in(root, "fifo"), -ENOTSUP);
	assert_int_equal(file_open_in(root, "/"), -ENOTSUP);
	fd = pv_close(fd);
	fd = file_open_in(root, "in");
	assert_true(fd >= 0);
}

static void check_signature(void)
{
	pv_autobuf manifest = PV_BUF_INIT, sig = PV_BUF_INIT, key = PV_BUF_INIT;

	get("20260101T000000Z-exec.dropped-0001/manifest.json", &manifest);
	get("20260101T000000Z-exec.dropped-0001/manifest.sig", &sig);
	get("host.key", &key);
	assert_int_equal(sig.len, crypto_sign_BYTES);
	assert_int_equal(key.len, crypto_sign_SECRETKEYBYTES);
	assert_int_equal(crypto_sign_verify_detached((const uint8_t *) sig.data, (const uint8_t *) manifest.data, manifest.len,
						     (const uint8_t *) key.data + 32),
			 0);
	assert_non_null(strstr(manifest.data, "{\"path\":\"1-a.json\",\"size\":5,\"sha256\":\""
					      "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\""));
	assert_non_null(strstr(manifest.data, "\"what\":\"\\u001b[31m\",\"why\":\"gone\""));
	assert_non_null(strstr(manifest.data, "of 100000 octets 65531 were taken: the bundle was full"));
}

static void test_bundle(void **state)
{
	pv_autoclose int evidence = open(dir, O_RDONLY | O_DIRECTORY);
	static char big[100000];
	pv_autoclose int fd = put("big", big, sizeof(big));
	uint8_t digest[32] = { 0 };
	struct bundle *b = NULL;

	(void) state;
	assert_int_equal(bundle_new(evidence, "../x", 1, UINT64_MAX, &b), -EINVAL);
	assert_int_equal(bundle_new(evidence, "", 1, UINT64_MAX, &b), -EINVAL);
	assert_int_equal(bundle_new(evidence, "x1", 1, UINT64_MAX, &b), -EINVAL); /* nobody would count or remove it */
	assert_int_equal(bundle_new(evidence, "host.key", 1, UINT64_MAX, &b), -EINVAL);
	assert_int_equal(bundle_new(evidence, "20260101T000000Z-exec.dropped-0001", 65536, UINT64_MAX, &b), 0);
	bundle_text(b, "1-a.json", "test", "hello", 5);
	bundle_file(b, "2-big", "test", fd, digest);
	bundle_missing(b, "\x1b[31m", "gone");
	assert_int_equal(bundle_end(b), 0);
	assert_int_equal(bundle_files(b), 2);
	assert_int_equal(bundle_lacks(b), 2);
	b = bundle_free(b);
	assert_int_equal(bundle_new(evidence, "20260101T000000Z-exec.dropped-0001", 65536, UINT64_MAX, &b), -EEXIST);
	check_signature();
}

/* A capture that was killed leaves a manifest that says so; one that is late takes no files. */
static void test_cut_short(void **state)
{
	pv_autoclose int evidence = open(dir, O_RDONLY | O_DIRECTORY);
	pv_autobuf manifest = PV_BUF_INIT;
	pv_autoclose int fd = put("late", "x", 1);
	uint8_t digest[32];
	struct bundle *b = NULL;

	(void) state;
	assert_int_equal(bundle_new(evidence, "20260101T000000Z-exec.dropped-0002", 1000, 1, &b), 0);
	get("20260101T000000Z-exec.dropped-0002/manifest.json", &manifest);
	assert_non_null(strstr(manifest.data, "the capture did not come to its end"));
	assert_false(bundle_file(b, "1-late", "test", fd, digest));
	assert_int_equal(bundle_files(b), 0);
	assert_int_equal(bundle_lacks(b), 1);
	b = bundle_free(b);
}

/* What the header promised and nobody could read is zeroes: the manifest's digest is that of what lies in the archive. A file of
 * sysfs says that it has a page, and has some octets. */
static void test_padded(void **state)
{
	pv_autoclose int evidence = open(dir, O_RDONLY | O_DIRECTORY);
	pv_autoclose int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
	pv_autobuf manifest = PV_BUF_INIT;
	uint8_t page[4096] = { 0 }, want[32], digest[32] = { 7 };
	struct bundle *b = NULL;
	char hex[65];
	struct stat st;

	(void) state;
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size != sizeof(page))
		skip();
	assert_in_range(pread(fd, page, sizeof(page), 0), 1, sizeof(page) - 1);
	(void) crypto_hash_sha256(want, page, sizeof(page));
	(void) sodium_bin2hex(hex, sizeof(hex), want, sizeof(want));
	assert_int_equal(bundle_new(evidence, "20260101T000000Z-exec.dropped-0003", 65536, UINT64_MAX, &b), 0);
	assert_false(bundle_file(b, "1-short", "test", fd, digest));
	assert_int_equal(digest[0], 7);
	assert_int_equal(bundle_end(b), 0);
	b = bundle_free(b);
	get("20260101T000000Z-exec.dropped-0003/manifest.json", &manifest);
	assert_non_null(strstr(manifest.data, hex));
	assert_non_null(strstr(manifest.data, "it could not be read further; zeroes fill its place"));
}

static bool exists(const char *name)
{
	char path[160];

	(void) snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void test_retain(void **state)
{
	pv_autoclose int evidence = open(dir, O_RDONLY | O_DIRECTORY);
	char name[80];
	struct bundle *b;

	(void) state;
	for (int i = 0; i < 5; i++) {
		(void) snprintf(name, sizeof(name), "2027010%dT000000Z-run.cpu-0001", i);
		assert_int_equal(bundle_new(evidence, name, 1000, UINT64_MAX, &b), 0);
		b = bundle_free(b);
	}
	bundle_retain(evidence, UINT64_MAX, 4, 0);
	assert_false(exists("20270101T000000Z-run.cpu-0001"));
	assert_true(exists("20270102T000000Z-run.cpu-0001"));
	assert_true(exists("host.key"));
	assert_true(exists("plain"));
	bundle_retain(evidence, 3 * 4096, 100, 4096); /* each takes a block at least */
	assert_true(exists("20270104T000000Z-run.cpu-0001"));
	assert_false(exists("20270102T000000Z-run.cpu-0001"));
	bundle_retain(evidence, 0, 100, 1);
	assert_false(exists("20270104T000000Z-run.cpu-0001"));
	assert_true(exists("plain"));
}

static int set_up(void **state)
{
	(void) state;
	(void) snprintf(dir, sizeof(dir), "/tmp/pv-collector-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const files[] = { "plain", "out", "in", "fifo", "big", "late", "host.key", "host.pub" };
	pv_autoclose int evidence = open(dir, O_RDONLY | O_DIRECTORY);

	(void) state;
	bundle_retain(evidence, 0, 1, 1);
	for (size_t i = 0; i < N_ELEMENTS(files); i++)
		(void) unlinkat(evidence, files[i], 0);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlay), cmocka_unit_test(test_judge),	  cmocka_unit_test(test_sockets),  cmocka_unit_test(test_files),
		cmocka_unit_test(test_bundle),	cmocka_unit_test(test_cut_short), cmocka_unit_test(test_padded), cmocka_unit_test(test_retain),
	};

	return cmocka_run_group_tests_name("collector", tests, set_up, tear_down);
}
