/* What --fix decides without looking: limits from use, where a service writes, what its start needs, what changed since the
 * last run, what a site's answers mean. */
#include "check.h"
#include "check/fix.h"
#include "check/last.h"
#include "check/override.h"
#include "check/probe.h"
#include "check/recreate.h"
#include "engine_api/json.h"

static void test_limits(void **state)
{
	static const struct {
		struct ctr_usage use;
		unsigned cpus;
		uint64_t pids, memory_mib, milli;
	} cases[] = {
		{ { .pids = 5, .memory = 10u << 20, .milli_cpus = 20 }, 4, 100, 512, 1500 },
		{ { .pids = 66, .memory = 341u << 20, .milli_cpus = 999 }, 4, 100, 512, 1500 },
		{ { .pids = 68, .memory = 342u << 20, .milli_cpus = 1001 }, 4, 0, 0, 0 },
		{ { .pids = 5, .pids_peak = 90, .memory = 10u << 20 }, 1, 0, 512, 1000 }, /* no more than the machine has */
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct ctr c = { .name = "a" };
		struct check_policy p;
		struct step_limits w;
		pv_autobuf why = PV_BUF_INIT;

		check_policy_defaults(&p);
		fix_limits(&c, &p, cases[i].cpus, &cases[i].use, &w, &why);
		CHECK(w.pids == cases[i].pids && w.memory >> 20 == cases[i].memory_mib && w.milli_cpus == cases[i].milli, "case %zu", i);
		CHECK((why.len == 0) == (w.pids && w.memory && w.milli_cpus), "case %zu: %s", i, pv_buf_str(&why));
	}
}

static void test_throwaway(void **state)
{
	static const struct {
		const char *path, *front;
	} cases[] = {
		{ "/tmp", "/tmp" },	      { "/tmp/a/b", "/tmp" },	     { "/tmpfoo", NULL },
		{ "/var/cache/nginx/x", "/var/cache" }, { "/run/nginx.pid", "/run" }, { "/running", NULL },
		{ "/home/node/.npm/x", "/home/node/.npm" }, { "/home/.npm", NULL }, { "/home/a/b/.npm", NULL },
		{ "/var/lib/postgresql/data", NULL },	    { "/data", NULL },	     { "/var/log/x.log", NULL },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const char *options;
		size_t n = override_throwaway(cases[i].path, &options);

		CHECK(n == (cases[i].front ? strlen(cases[i].front) : 0), "%s: %zu", cases[i].path, n);
	}
}

static void test_caps(void **state)
{
	static const char *const nginx[] = { "nginx", "-g", "daemon off;" }, *const entry[] = { "/docker-entrypoint.sh", "postgres" },
				      *const node[] = { "/usr/bin/node", "app.js" }, *const own[] = { "/srv/thing" };
	static const struct {
		const char *user;
		const char *const *start;
		size_t n;
		bool low, runs;
		const char *want;
		bool watched;
		uint64_t caps;
	} cases[] = {
		{ "", own, 1, false, true, "CHOWN, SETUID", true, 1u << 0 | 1u << 7 }, /* seen */
		{ "", own, 1, false, true, "", true, 0 },
		{ "", own, 1, false, false, NULL, true, 1 },
		{ "", node, 2, false, true, "DAC_OVERRIDE, CHOWN, KILL", true, 1u << 0 | 1u << 1 | 1u << 5 },
		{ "", own, 1, false, true, "CHECKPOINT_RESTORE", true, 7ull << 40 },
		{ "", nginx, 3, true, true, "CHOWN, DAC_OVERRIDE, NET_BIND_SERVICE, SETGID, SETUID" },
		{ "", entry, 2, false, true, "CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID" },
		{ "", node, 2, false, true, "DAC_OVERRIDE" },
		{ "1000", own, 1, false, true, "" },
		{ "1000:1000", own, 1, true, true, "NET_BIND_SERVICE" },
		{ "", own, 1, false, true, NULL },  /* nobody knows */
		{ "0:0", own, 1, false, true, NULL },
		{ "1000", own, 1, false, false, NULL }, /* not observed */
		{ "", own, 0, false, true, NULL },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct override_seen s = { .runs = cases[i].runs, .user = cases[i].user, .start = cases[i].start,
						 .n_start = cases[i].n, .low_port = cases[i].low, .watched = cases[i].watched, .caps = cases[i].caps };
		auto_arena arena = { .cap = 0 };

		CHECK_STR(override_caps(&arena, &s), cases[i].want, "case %zu", i);
	}
}

/* A folder of the image is never hidden by a tmpfs above it; a folder that was made whole is kept whole. */
static void test_places(void **state)
{
	static const struct override_path written[] = {
		{ "/data", true },	{ "/data/a", true },	{ "/data/a/x", true },	    { "/etc/hosts", false },
		{ "/run", false },	{ "/run/nginx.pid", true }, { "/srv", false },	    { "/srv/app", false },
		{ "/srv/app/count", true }, { "/srv/keep", false }, { "/srv/keep/y", true }, { "/tmp", false },
		{ "/tmp/z", true },	{ "/var", false },	{ "/var/cache", false },     { "/var/cache/nginx", false },
		{ "/var/cache/nginx/body", true },
	};
	static const char *const volumes[] = { "/srv/keep" };
	static const struct {
		const char *path;
		bool tmpfs;
	} want[] = { { "/data", false }, { "/run", true }, { "/srv/app", false }, { "/tmp", true }, { "/var/cache/nginx", true } };
	const struct override_seen seen = { .runs = true, .written = written, .n_written = N_ELEMENTS(written), .volumes = volumes, .n_volumes = 1 };
	struct override_place out[16];
	auto_arena a = { .last = NULL };
	size_t n = override_places(&a, &seen, out, 16);

	(void) state;
	assert_int_equal(n, N_ELEMENTS(want));
	for (size_t i = 0; i < n; i++) {
		CHECK_STR(out[i].path, want[i].path, "place %zu", i);
		CHECK((out[i].options != NULL) == want[i].tmpfs, "%s", out[i].path);
	}
	assert_int_equal(override_places(&a, &seen, out, 2), 2); /* no more than there is room for */
}

static struct finding *failing(enum id id, const char *name)
{
	struct finding *f = finding_new(id, FINDING_FAIL);

	finding_subject(f, SUBJECT_CONTAINER, name, NULL, 0);
	finding_fingerprint(f, NULL, NULL);
	return f;
}

static void test_last(void **state)
{
	struct finding_list before = { .n = 0 }, after = { .n = 0 };
	struct check_select all;
	struct last_diff d;
	pv_autobuf text = PV_BUF_INIT;
	char word[64];

	(void) state;
	assert_int_equal(check_select(&all, NULL, NULL, word, sizeof(word)), 0);
	assert_int_equal(finding_list_add(&before, failing(ID_CTR_PRIVILEGED, "a")), 0);
	assert_int_equal(finding_list_add(&before, failing(ID_CTR_PIDS_LIMIT, "gone \x1b[2J \"x\"")), 0);
	last_compare(&before, &all, "", 1000, &d);
	assert_true(d.when_us == 0 && d.fresh == 0 && before.item[0]->first_seen_us == 1000);
	last_write(&text, &before, &d, 1000);
	last_diff_done(&d);

	assert_int_equal(finding_list_add(&after, failing(ID_CTR_PRIVILEGED, "a")), 0);
	assert_int_equal(finding_list_add(&after, failing(ID_CTR_SECCOMP, "b")), 0);
	last_compare(&after, &all, pv_buf_str(&text), 2000, &d);
	assert_true(d.when_us == 1000 && d.fresh == 1 && d.mended == 1);
	CHECK_STR(pv_buf_str(&d.fresh_names), "ctr.seccomp b", "new");
	CHECK(strstr(pv_buf_str(&d.mended_names), "ctr.pids-limit gone") && !strchr(pv_buf_str(&d.mended_names), 0x1b), "%s",
	      pv_buf_str(&d.mended_names));
	assert_true(after.item[0]->first_seen_us == 1000 && after.item[1]->first_seen_us == 2000);
	last_diff_done(&d);

	/* What was not looked at says nothing; what is no list of ours says nothing. */
	assert_int_equal(check_select(&all, "ctr.privileged", NULL, word, sizeof(word)), 0);
	last_compare(&after, &all, pv_buf_str(&text), 2000, &d);
	assert_int_equal(d.mended, 0);
	last_diff_done(&d);
	last_compare(&after, &all, "pavise audit 1 77\nzz\n0123 5 x\n\n00000000000000000000000000000000 1 ctr.privileged", 2000, &d);
	assert_int_equal(d.mended, 0);
	last_diff_done(&d);
	finding_list_done(&before);
	finding_list_done(&after);
}

/* What could not be checked is not mended, and not new when it is seen again; what is accepted is neither. */
static void test_last_unknown(void **state)
{
	struct finding_list before = { .n = 0 }, blind = { .n = 0 }, again = { .n = 0 };
	struct check_select all;
	struct last_diff d;
	pv_autobuf text = PV_BUF_INIT, next = PV_BUF_INIT;
	char word[64];
	struct finding *f;

	(void) state;
	assert_int_equal(check_select(&all, NULL, NULL, word, sizeof(word)), 0);
	assert_int_equal(finding_list_add(&before, failing(ID_CTR_PRIVILEGED, "a\n")), 0);
	assert_int_equal(finding_list_add(&before, failing(ID_CTR_PRIVILEGED, "b")), 0);
	assert_int_equal(finding_list_add(&before, failing(ID_CTR_SECCOMP, "b")), 0);
	last_compare(&before, &all, "", 1000, &d);
	last_write(&text, &before, &d, 1000);
	last_diff_done(&d);

	/* The engine does not answer for `a`; `b` was looked at. */
	f = failing(ID_CTR_PRIVILEGED, "Docker");
	finding_unknown(f, REASON_TIMEOUT);
	assert_int_equal(finding_list_add(&blind, f), 0);
	f = failing(ID_CTR_PRIVILEGED, "b");
	f->verdict = FINDING_PASS;
	assert_int_equal(finding_list_add(&blind, f), 0);
	last_compare(&blind, &all, pv_buf_str(&text), 2000, &d);
	CHECK_STR(pv_buf_str(&d.mended_names), "ctr.privileged b, ctr.seccomp b", "mended");
	last_write(&next, &blind, &d, 2000);
	last_diff_done(&d);

	assert_int_equal(finding_list_add(&again, failing(ID_CTR_PRIVILEGED, "a\n")), 0);
	f = failing(ID_CTR_SECCOMP, "c");
	finding_accept(f, "a test", "anna", "2027-03-01");
	assert_int_equal(finding_list_add(&again, f), 0);
	last_compare(&again, &all, pv_buf_str(&next), 3000, &d);
	assert_true(d.when_us == 2000 && d.fresh == 0 && d.mended == 0 && again.item[0]->first_seen_us == 1000);
	last_diff_done(&d);
	finding_list_done(&before);
	finding_list_done(&blind);
	finding_list_done(&again);
}

static int verdict(const char *text, enum id id)
{
	static struct audit a;
	char word[64];
	int v = -1;

	a = (struct audit){ .sock = -1 };
	assert_int_equal(check_select(&a.select, NULL, NULL, word, sizeof(word)), 0);
	assert_int_equal(probe_judge(&a, "https://shop.test/", text), 0);
	for (size_t i = 0; i < a.out.n; i++)
		v = a.out.item[i]->id == id ? (int) a.out.item[i]->verdict : v;
	finding_list_done(&a.out);
	arena_done(&a.arena);
	return v;
}

static void test_probe(void **state)
{
	static const struct {
		const char *text;
		enum id id;
		int want;
	} cases[] = {
		{ "https\t200\t\tmax-age=1\n", ID_TLS_HTTPS_ON, FINDING_PASS },
		{ "https\t0\tcertificate has expired\t\n", ID_TLS_HTTPS_ON, FINDING_FAIL },
		{ "https\t0\t?no such name\t\n", ID_TLS_HTTPS_ON, FINDING_UNKNOWN },
		{ "http\t301\t\thttps://shop.test/\n", ID_TLS_REDIRECT, FINDING_PASS },
		{ "http\t301\t\thttp://shop.test/x\n", ID_TLS_REDIRECT, FINDING_FAIL },
		{ "http\t200\t\t\n", ID_TLS_REDIRECT, FINDING_FAIL },
		{ "http\t0\trefused\t\n", ID_TLS_REDIRECT, FINDING_NOT_APPLICABLE },
		{ "cors\t200\t\t\t\to\n", ID_APP_CORS_EXPLICIT, FINDING_PASS },
		{ "cors\t200\t\t*\t\to\n", ID_APP_CORS_EXPLICIT, FINDING_PASS },
		{ "cors\t200\t\t*\ttrue\to\n", ID_APP_CORS_EXPLICIT, FINDING_FAIL },
		{ "cors\t200\t\to\t\to\n", ID_APP_CORS_EXPLICIT, FINDING_FAIL },
		{ "cors\t200\t\thttps://app.test\ttrue\to\n", ID_APP_CORS_EXPLICIT, FINDING_PASS },
		{ "login\t6\t\t401 401 401 401 401 429\n", ID_APP_RATE_LIMIT, FINDING_PASS },
		{ "login\t7\t\t401 401 401 401 401 401 401\n", ID_APP_RATE_LIMIT, FINDING_FAIL },
		{ "login\t1\t\t404\n", ID_APP_RATE_LIMIT, FINDING_UNKNOWN },
		{ "", ID_APP_RATE_LIMIT, FINDING_NOT_APPLICABLE },
		{ "", ID_TLS_HTTPS_ON, FINDING_FAIL },
		{ "https", ID_TLS_HTTPS_ON, FINDING_FAIL },
		{ "\t\t\t\t\t\t\t\t\nx\ncors\n", ID_APP_CORS_EXPLICIT, FINDING_UNKNOWN },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		CHECK(verdict(cases[i].text, cases[i].id) == cases[i].want, "case %zu: %d", i, verdict(cases[i].text, cases[i].id));
}

/* --- a container made anew --- */

#define BOX(host, config) \
	"{\"Id\":\"abcdef0123456789\",\"Name\":\"/web\",\"HostConfig\":{" host "},\"Config\":{\"Image\":\"a:1\"" config "},\"Mounts\":[]}"

static void test_recreate(void **state)
{
	static const struct {
		const char *json;
		enum id id;
		int want;
		const char *has, *has_not;
	} cases[] = {
		{ BOX("\"Privileged\":true", ""), ID_CTR_PRIVILEGED, 1, " a:1 &&", "--privileged" },
		{ BOX("\"Privileged\":true", ""), ID_CTR_HOST_PID, 1, " --privileged ", NULL },
		{ BOX("\"PidMode\":\"host\"", ""), ID_CTR_HOST_PID, 1, NULL, "--pid" },
		{ BOX("\"PidMode\":\"container:x\"", ""), ID_CTR_HOST_IPC, 1, " --pid container:x ", NULL },
		{ BOX("\"CapAdd\":[\"SYS_ADMIN\",\"CHOWN\"]", ""), ID_CTR_CAP_ADD, 1, " --cap-add CHOWN ", "SYS_ADMIN" },
		{ BOX("", ""), ID_CTR_CAP_DROP_ALL, 1, "not applied", "docker" },
		{ BOX("", ",\"Entrypoint\":[\"/e\",\"x y\"],\"Cmd\":[\"$(id)\",\"it's\"]"), ID_CTR_NO_NEW_PRIVILEGES, 1,
		  " --security-opt no-new-privileges:true --entrypoint /e a:1 'x y' '$(id)' 'it'\\''s' &&", NULL },
		/* docker run --entrypoint "" a:1 sleep 1: the image's own would come back */
		{ BOX("", ",\"Entrypoint\":null,\"Cmd\":[\"sleep\",\"1\"]"), ID_CTR_NO_NEW_PRIVILEGES, 1, " --entrypoint '' a:1 sleep 1 &&", NULL },
		{ BOX("", ",\"Entrypoint\":[],\"Cmd\":null"), ID_CTR_NO_NEW_PRIVILEGES, 1, " a:1 &&", "--entrypoint" },
		{ BOX("\"NetworkMode\":\"container:x\"", ",\"Hostname\":\"h\",\"Domainname\":\"d\""), ID_CTR_NO_NEW_PRIVILEGES, 1, " --network container:x ", "name h" },
		{ BOX("\"NetworkMode\":\"bridge\"", ",\"Hostname\":\"h\",\"Domainname\":\"d\""), ID_CTR_NO_NEW_PRIVILEGES, 1, " --hostname h --domainname d ", NULL },
		{ BOX("", ",\"Env\":[\"SECRET=hunter2\"]"), ID_CTR_NO_NEW_PRIVILEGES, 1, "--env-file /dev/stdin", "hunter2" },
		{ BOX("", ",\"Env\":[\"A=1\\n2\"]"), ID_CTR_NO_NEW_PRIVILEGES, -ENOTSUP, "several lines", NULL },
		{ BOX("\"AutoRemove\":true", ""), ID_CTR_NO_NEW_PRIVILEGES, -ENOTSUP, "--rm", NULL },
		{ BOX("\"Links\":[\"/a:/b\"]", ""), ID_CTR_NO_NEW_PRIVILEGES, -ENOTSUP, "Links", NULL },
		{ BOX("\"SomethingNew\":{\"a\":1}", ""), ID_CTR_NO_NEW_PRIVILEGES, -ENOTSUP, "SomethingNew", NULL },
		{ BOX("\"SecurityOpt\":[\"seccomp={}\"]", ""), ID_CTR_NO_NEW_PRIVILEGES, -ENOTSUP, "seccomp", NULL },
		{ BOX("", ",\"Cmd\":[\"\\u001b[2J\"]"), ID_CTR_NO_NEW_PRIVILEGES, -ENOTSUP, "control", NULL },
		{ "{\"Name\":\"/web\",\"HostConfig\":{\"NetworkMode\":\"a\"},\"Config\":{\"Image\":\"a:1\"},\"NetworkSettings\":{\"Networks\":{"
		  "\"a\":{\"IPAMConfig\":{\"IPv4Address\":\"$(id)\"}}}},\"Mounts\":[]}", ID_CTR_NO_NEW_PRIVILEGES, 1, " --ip '$(id)' ", NULL },
		{ "{\"Name\":\"/web\",\"HostConfig\":{\"NetworkMode\":\"a\"},\"Config\":{\"Image\":\"a:1\"},\"NetworkSettings\":{\"Networks\":{"
		  "\"a\":{},\"b\\nid #\":{}}},\"Mounts\":[]}", ID_CTR_NO_NEW_PRIVILEGES, -ENOTSUP, "line break", NULL },
		{ BOX("", ""), ID_CTR_HEALTHCHECK, 0, NULL, NULL },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_arena arena = { .cap = 0 };
		auto_json *root = NULL;
		struct finding_list list = { .n = 0 };
		const struct override_seen seen = { .user = "", .written_known = true };
		struct finding *f = finding_new(cases[i].id, FINDING_FAIL);
		pv_autobuf out = PV_BUF_INIT, why = PV_BUF_INIT;
		struct check_policy p;
		struct ctr *c;
		const char *said;
		int r;

		check_policy_defaults(&p);
		assert_int_equal(json_parse(cases[i].json, strlen(cases[i].json), &root), 0);
		assert_int_equal(ctr_from_inspect(&arena, cases[i].json, strlen(cases[i].json), &c), 0);
		finding_subject(f, SUBJECT_CONTAINER, c->name, NULL, 0);
		assert_int_equal(finding_list_add(&list, f), 0);
		r = recreate_lines(&arena, root, c, &seen, &p, &list, &out, &why);
		said = r < 0 ? pv_buf_str(&why) : pv_buf_str(&out);
		CHECK(r == cases[i].want, "case %zu: %d %s", i, r, said);
		CHECK(!cases[i].has || strstr(said, cases[i].has), "case %zu: no %s in %s", i, cases[i].has, said);
		CHECK(!cases[i].has_not || !strstr(said, cases[i].has_not), "case %zu: %s in %s", i, cases[i].has_not, said);
		finding_list_done(&list);
	}
}

/* Names that the container chose: a colon ends a path in -v and tmpfs, Compose fills in what follows a dollar sign. */
static void test_odd_places(void **state)
{
	static const char *const folders[] = { "/srv/a:b", "/tmp/${X:?}", "/srv/$x", "/srv/plain" };
	static const char json[] = BOX("", "");

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
		char file[64];
		const bool plain = i == N_ELEMENTS(folders) - 1;
		const struct override_path written[] = { { folders[i], false }, { file, true } };
		const struct override_seen seen = { .runs = true, .user = "1000", .written = written, .n_written = 2, .written_known = true };
		struct ctr c = { .source = CTR_INSPECT, .name = "web", .engine_name = "web", .service = "web" };
		struct finding_list list = { .n = 0 };
		auto_arena arena = { .cap = 0 };
		auto_json *root = NULL;
		pv_autobuf over = PV_BUF_INIT, volumes = PV_BUF_INIT, lines = PV_BUF_INIT, why = PV_BUF_INIT;
		struct check_policy p;

		(void) snprintf(file, sizeof(file), "%s/x", folders[i]);
		check_policy_defaults(&p);
		assert_int_equal(json_parse(json, strlen(json), &root), 0);
		assert_int_equal(finding_list_add(&list, failing(ID_CTR_READONLY_ROOTFS, "web")), 0);
		assert_int_equal(override_service(&arena, &c, &seen, &p, &list, &over, &volumes), 1);
		CHECK(plain == (strstr(pv_buf_str(&over), "read_only: true\n") != NULL), "%s: %s", folders[i], pv_buf_str(&over));
		CHECK(plain || (strstr(pv_buf_str(&over), "is not applied") && !strstr(pv_buf_str(&over), folders[i]) && !volumes.len), "%s: %s", folders[i], pv_buf_str(&over));
		assert_int_equal(recreate_lines(&arena, root, &c, &seen, &p, &list, &lines, &why), 1);
		CHECK(plain == (strstr(pv_buf_str(&lines), " --read-only --") != NULL), "%s: %s", folders[i], pv_buf_str(&lines));
		CHECK(plain || strstr(pv_buf_str(&lines), "# --read-only is not applied"), "%s: %s", folders[i], pv_buf_str(&lines));
		finding_list_done(&list);
	}
}

/* Who holds container:ID could never start again. */
static void test_lends(void **state)
{
#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	static struct ctr lender = { .engine_name = "db", .id = ID_A };
	static const struct {
		struct ctr other;
		const char *what;
	} cases[] = {
		{ { .net = { .text = "bridge" }, .pid_ns = { .text = "" } }, NULL },
		{ { .net = { .text = "container:" ID_A } }, "network" },
		{ { .net = { .text = "container:db" } }, "network" },
		{ { .net = { .text = "bridge" }, .pid_ns = { .text = "container:aaaaaaaaaaaa" } }, "processes" },
		{ { .ipc_ns = { .text = "container:" ID_A } }, "shared memory" },
		{ { .net = { .text = "container:" }, .pid_ns = { .text = "container:d" }, .ipc_ns = { .text = "container:dbx" } }, NULL },
		{ { .net = { .text = "container:" ID_A }, .engine = 1 }, NULL },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct ctr other = cases[i].other, *item[] = { &lender, &other };
		const struct ctr_list l = { item, 2 };
		const struct ctr *who = NULL;

		CHECK_STR(recreate_lends(&l, &lender, &who), cases[i].what, "case %zu", i);
		CHECK(!cases[i].what || who == &other, "case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits), cmocka_unit_test(test_throwaway), cmocka_unit_test(test_caps),
		cmocka_unit_test(test_places), cmocka_unit_test(test_last),
		cmocka_unit_test(test_last_unknown),	 cmocka_unit_test(test_probe),
		cmocka_unit_test(test_recreate), cmocka_unit_test(test_odd_places), cmocka_unit_test(test_lends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
