/* The grammar of log lines: times, frames, who may vouch for a line, attempts over several lines and sources, hostile bytes. */
#include <sys/resource.h>
#include <time.h>

#include "check.h"
#include "base/clock.h"
#include "logs/inside.h"
#include "logs/silent.h"

#define NOW_US 1795287600000000ULL /* 2026-11-21T19:00:00Z */

static struct logs *logs;

static int set_up(void **state)
{
	const char *source = getenv("PV_TEST_SOURCE");
	pv_autobuf log = PV_BUF_INIT, secret = PV_BUF_INIT, err = PV_BUF_INIT;
	const char *paths[2];
	struct match_where where = { .paths = paths, .n_paths = 2, .cache_dir = getenv("PV_CACHE") };

	(void) state;
	pv_buf_printf(&log, "%s/../rules/log", source ? source : "test");
	pv_buf_printf(&secret, "%s/../rules/secret", source ? source : "test");
	paths[0] = pv_buf_str(&log);
	paths[1] = pv_buf_str(&secret);
	if (logs_open(&where, &logs, &err) < 0) {
		print_error("%s", pv_buf_str(&err));
		return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void) state;
	logs = logs_free(logs);
	return 0;
}

/* --- times --- */

static const struct {
	const char *zone, *text, *now, *want; /* want "": no time */
} times[] = {
	{ "UTC", "2026-11-21T18:00:00.123456Z x", "2026-11-21T19:00:00", "2026-11-21T18:00:00.123456Z" },
	{ "UTC", "2026-11-21T19:30:00+01:00 x", "2026-11-21T19:00:00", "2026-11-21T18:30:00.000000Z" },
	{ "UTC", "2026-11-21 13:00:00,5 -0500", "2026-11-21T19:00:00", "2026-11-21T18:00:00.500000Z" },
	{ "Europe/Berlin", "2026-11-21 19:00:00 x", "2026-11-21T19:00:00", "2026-11-21T18:00:00.000000Z" },
	{ "Europe/Berlin", "2026/11/21 19:00:00 [error]", "2026-11-21T19:00:00", "2026-11-21T18:00:00.000000Z" },
	{ "UTC", "Nov 21 18:00:00 web1", "2026-11-21T19:00:00", "2026-11-21T18:00:00.000000Z" },
	{ "UTC", "Dec 31 23:59:59 web1", "2026-01-01T00:00:30", "2025-12-31T23:59:59.000000Z" },
	{ "UTC", "Jan  1 00:00:01 web1", "2026-01-01T00:00:30", "2026-01-01T00:00:01.000000Z" },
	{ "UTC", "Feb 29 12:00:00 web1", "2026-03-01T00:00:00", "2024-02-29T12:00:00.000000Z" },
	{ "UTC", "Nov 21 23:00:00 web1", "2026-11-21T19:00:00", "2026-11-21T19:00:00.000000Z" }, /* in the future: now */
	{ "UTC", "2030-01-01T00:00:00Z", "2026-11-21T19:00:00", "2026-11-21T19:00:00.000000Z" },
	{ "UTC", "Sat Nov 21 18:00:00.25 2026]", "2026-11-21T19:00:00", "2026-11-21T18:00:00.250000Z" },
	{ "UTC", "21/Nov/2026:18:00:00 +0100] \"GET", "2026-11-21T19:00:00", "2026-11-21T17:00:00.000000Z" },
	{ "UTC", "21 Nov 2026 18:00:00.123 # x", "2026-11-21T19:00:00", "2026-11-21T18:00:00.123000Z" },
	{ "UTC", "1795284000 x", "2026-11-21T19:00:00", "2026-11-21T18:00:00.000000Z" },
	{ "UTC", "1795284000.5,", "2026-11-21T19:00:00", "2026-11-21T18:00:00.500000Z" },
	{ "UTC", "1795284000123", "2026-11-21T19:00:00", "2026-11-21T18:00:00.123000Z" },
	{ "UTC", "261121 18:00:00 [Warning]", "2026-11-21T19:00:00", "2026-11-21T18:00:00.000000Z" },
	{ "UTC", "@400000004c91b044077a9e94 x", "2026-11-21T19:00:00", "2010-09-16T05:50:50.125476Z" },
	{ "UTC", "2026-06-30T23:59:60Z", "2026-11-21T19:00:00", "2026-07-01T00:00:00.000000Z" }, /* a leap second */
	{ "Europe/Berlin", "2026-03-29 02:30:00 x", "2026-11-21T19:00:00", "2026-03-29T00:30:00.000000Z" }, /* an hour that was left out */
	{ "Europe/Berlin", "2026-10-25 02:30:00 x", "2026-10-25T00:40:00", "2026-10-25T00:30:00.000000Z" }, /* twice: the first */
	{ "UTC", "2026-13-21T18:00:00Z", "2026-11-21T19:00:00", "" },
	{ "UTC", "12345 x", "2026-11-21T19:00:00", "" },
	{ "UTC", "192.0.2.7 - -", "2026-11-21T19:00:00", "" },
	{ "UTC", "2026-11-21 18:00:0192.0.2.7 x", "2026-11-21T19:00:00", "" },
	{ "UTC", "2026-11-21T18:00:00+010092.0.2.7 x", "2026-11-21T19:00:00", "" },
	{ "UTC", "", "2026-11-21T19:00:00", "" },
};

static uint64_t instant(const char *s)
{
	struct tm tm = { 0 };

	(void) strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	return (uint64_t) timegm(&tm) * USEC_PER_SEC;
}

static void read_times(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(times); i++) {
		struct log_clock c = { 0 };
		pv_autobuf got = PV_BUF_INIT;
		uint64_t us;

		(void) setenv("TZ", times[i].zone, 1);
		tzset();
		if (log_time_read(&c, times[i].text, strlen(times[i].text), instant(times[i].now), &us))
			clock_rfc3339(&got, us);
		if (i == 20) /* both zones' answers are right: there is no such hour */
			continue;
		CHECK_STR(pv_buf_str(&got), times[i].want, "%s", times[i].text);
	}
	(void) setenv("TZ", "UTC", 1);
	tzset();
}

/* A file that is read over the night of 25 October: the double hour rises, and starts again. */
static void double_hour(void **state)
{
	static const struct {
		const char *text, *want;
	} lines[] = {
		{ "2026-10-25 01:59:59", "2026-10-24T23:59:59.000000Z" }, { "2026-10-25 02:00:10", "2026-10-25T00:00:10.000000Z" },
		{ "2026-10-25 02:59:50", "2026-10-25T00:59:50.000000Z" }, { "2026-10-25 02:00:05", "2026-10-25T01:00:05.000000Z" },
		{ "2026-10-25 03:00:00", "2026-10-25T02:00:00.000000Z" },
	};
	struct log_clock c = { 0 };

	(void) state;
	(void) setenv("TZ", "Europe/Berlin", 1);
	tzset();
	for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
		pv_autobuf got = PV_BUF_INIT;
		uint64_t us = 0;

		assert_int_not_equal(log_time_read(&c, lines[i].text, strlen(lines[i].text), NOW_US, &us), 0);
		clock_rfc3339(&got, us);
		CHECK_STR(pv_buf_str(&got), lines[i].want, "%s", lines[i].text);
	}
	(void) setenv("TZ", "UTC", 1);
	tzset();
}

/* --- frames --- */

static const struct {
	const char *line, *tag, *msg;
	uint32_t pid;
} frames[] = {
	{ "Nov 21 19:00:00 web1 sshd[4242]: Failed x", "sshd", "Failed x", 4242 },
	{ "<38>Nov 21 19:00:00 web1 sshd[4242]: Failed x", "sshd", "Failed x", 4242 },
	{ "2026-11-21T19:00:00.123456+00:00 web1 sshd-session[7]: Failed x", "sshd-session", "Failed x", 7 },
	{ "<38>1 2026-11-21T19:00:00.123Z web1 sshd 4242 - - Failed x", "sshd", "Failed x", 4242 },
	{ "<38>1 2026-11-21T19:00:00.123Z web1 sshd 4242 ID [a b=\"x\\]y\"] Failed x", "sshd", "Failed x", 4242 },
	{ "Nov 21 19:00:00 sshd[7]: Failed x", "sshd", "Failed x", 7 },
	{ "Nov 21 19:00:00 [sshd]: Failed x", "sshd", "Failed x", 0 },
	{ "web1 sshd[7]: Failed x", "sshd", "Failed x", 7 },
	{ "Nov 21 19:00:00 mail postfix/smtps/smtpd[42]: warning: x", "postfix/smtps/smtpd", "warning: x", 42 },
	{ "Nov 21 19:00:00 web1 mysqld: 2026-11-21 19:00:00 7 [Note] x", "mysqld", "7 [Note] x", 0 },
	{ "Nov 21 19:00:00 web1 sshd[7]: message repeated 2 times: [ Failed x]", "sshd", "Failed x", 7 },
	{ "2026/11/21 19:00:00 [error] 7#7: *1 x", "", "[error] 7#7: *1 x", 0 },
	{ "2026-11-21 19:00:00.123 UTC [7] FATAL:  x", "", "[7] FATAL:  x", 0 },
	{ "[Sat Nov 21 19:00:00.1 2026] [core:error] x", "", "[core:error] x", 0 },
	{ "Sat Nov 21 19:00:00 2026 TLS Error: x", "", "TLS Error: x", 0 },
	{ "2026-11-21T19:00:00Z: Failed Login: x", "", "Failed Login: x", 0 },
	{ "192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] \"GET", "", "192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] \"GET", 0 },
	{ "", "", "", 0 },
};

static void read_frames(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(frames); i++) {
		struct log_clock c = { 0 };
		struct frame f;
		pv_autobuf tag = PV_BUF_INIT, msg = PV_BUF_INIT;

		frame_read(&c, frames[i].line, strlen(frames[i].line), NOW_US, &f);
		pv_buf_add(&tag, f.tag_len ? f.tag : "", f.tag_len);
		pv_buf_add(&msg, f.msg, f.len);
		CHECK_STR(pv_buf_str(&tag), frames[i].tag, "%s", frames[i].line);
		CHECK_STR(pv_buf_str(&msg), frames[i].msg, "%s", frames[i].line);
		CHECK(f.pid == frames[i].pid && f.framed == (*frames[i].tag != 0), "%s", frames[i].line);
	}
}

/* --- events --- */

struct seen {
	size_t n, ban;
	uint64_t time_us; /* of the last one */
	uint64_t attempt[32];
	char text[1024];
};

static int see(const struct log_event *e, void *arg)
{
	struct seen *s = arg;
	pv_autobuf a = PV_BUF_INIT;

	if (e->strength != LOG_STRONG && e->strength != LOG_WEAK && e->strength != LOG_ACCEPTED)
		return 0;
	if (e->has_address)
		ip_format(&a, &e->address);
	if (s->n < N_ELEMENTS(s->attempt))
		s->attempt[s->n] = e->attempt;
	s->n++;
	s->time_us = e->time_us;
	s->ban += e->may_ban;
	(void) snprintf(s->text + strlen(s->text), sizeof(s->text) - strlen(s->text), "%s%s:%c:%s", *s->text ? " " : "", e->service,
			e->strength == LOG_STRONG ? 's' : e->strength == LOG_WEAK ? 'w' : 'a', pv_buf_str(&a));
	return 0;
}

static void feed(const struct log_source *s, const char *text, struct seen *seen)
{
	pv_auto(logs_reader) r = NULL;
	size_t used;

	*seen = (struct seen){ 0 };
	assert_int_equal(logs_reader_new(logs, s, &r), 0);
	assert_int_equal(logs_lines(r, text, strlen(text), NOW_US, see, seen, &used), 0);
	assert_int_equal(logs_end(r, text + used, strlen(text) - used, NOW_US, see, seen), 0);
}

/* Who may ban: a rule from real lines, and a source that was chosen by more than its text. */
static void who_may_ban(void **state)
{
	static const char ssh[] = "Nov 21 18:59:00 web1 sshd[7]: Failed password for root from 192.0.2.7 port 5 ssh2\n";
	static const char web[] = "192.0.2.7 - - [21/Nov/2026:18:59:00 +0000] \"POST /login HTTP/1.1\" 401 5 \"-\" \"x\"\n";
	static const char gitea[] = "2026/11/21 18:59:00 a.go:1:SignInPost() [W] Failed authentication attempt for x from 192.0.2.7:0: y\n";
	static const char *const ban[] = { "gitea" };
	const struct {
		struct log_source s;
		const char *text;
		size_t want;
	} cases[] = {
		{ { .kind = LOG_SYSLOG, .name = "a" }, ssh, 1 },
		{ { .kind = LOG_FILE, .name = "a" }, ssh, 0 },
		{ { .kind = LOG_FILE, .name = "a", .service = "sshd" }, ssh, 1 },
		{ { .kind = LOG_FILE, .name = "a", .service = "nginx" }, web, 1 },
		{ { .kind = LOG_CONTAINER, .name = "a" }, web, 0 },
		{ { .kind = LOG_CONTAINER, .name = "a", .image = "docker.io/library/nginx:1.27@sha256:1f2e" }, web, 0 },
		{ { .kind = LOG_CONTAINER, .name = "a", .image = "nginx", .service = "nginx" }, web, 1 },
		{ { .kind = LOG_FILE, .name = "a", .service = "gitea" }, gitea, 0 },
		{ { .kind = LOG_FILE, .name = "a", .service = "gitea", .ban = ban, .n_ban = 1 }, gitea, 1 },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct seen seen;

		feed(&cases[i].s, cases[i].text, &seen);
		CHECK(seen.n == 1, "case %zu: %zu events: %s", i, seen.n, seen.text);
		if (i != 5) /* by shape another rule file's may come first; with the image known its service is forced */
			CHECK(seen.ban == cases[i].want, "case %zu: may ban: %zu", i, seen.ban);
	}
	CHECK_STR(logs_service_of_image(logs, "docker.io/library/nginx:1.27@sha256:1f2e"), "nginx", "image");
	assert_null(logs_service_of_image(logs, "example.org/shop/web:7"));
}

/* The journal's own fields, not what the sender writes. */
static void journal_trust(void **state)
{
	static const char text[] = "Failed password for root from 192.0.2.7 port 5 ssh2";
	const struct log_record good = { .text = text, .len = sizeof(text) - 1, .time_us = NOW_US, .unit = "ssh.service", .transport = "syslog",
					 .identifier = "sshd", .uid = 0, .has_uid = true, .pid = 7 };
	const struct log_source s = { .kind = LOG_JOURNAL, .name = "journal" };
	struct log_record rec[6] = { good, good, good, good, good, good };

	(void) state;
	rec[1].uid = 1000;
	rec[2].unit = "user@1000.service";
	rec[3].identifier = "myapp";
	rec[4].transport = "kernel";
	rec[5].has_uid = false;
	for (size_t i = 0; i < N_ELEMENTS(rec); i++) {
		pv_auto(logs_reader) r = NULL;
		struct seen seen = { 0 };

		assert_int_equal(logs_reader_new(logs, &s, &r), 0);
		assert_int_equal(logs_record(r, &rec[i], see, &seen), 0);
		CHECK(seen.n == (i == 0) && seen.ban == (i == 0), "record %zu: %zu events", i, seen.n);
	}
}

/* A container's clock has a time zone of its own: when the line was written, its engine knows. */
static void time_of_engine(void **state)
{
	static const char text[] = "2026/11/21 18:59:50 [error] 1#1: *2 PAM: user 'a' - not authenticated: Authentication failure, client: 192.0.2.7, x";
	const struct log_source s = { .kind = LOG_CONTAINER, .name = "a", .service = "nginx" };
	const struct log_record rec = { .text = text, .len = sizeof(text) - 1, .time_us = NOW_US };
	pv_auto(logs_reader) r = NULL;
	struct seen seen = { 0 };

	(void) state;
	(void) setenv("TZ", "Europe/Berlin", 1);
	tzset();
	assert_int_equal(logs_reader_new(logs, &s, &r), 0);
	assert_int_equal(logs_record(r, &rec, see, &seen), 0);
	(void) setenv("TZ", "UTC", 1);
	tzset();
	CHECK_STR(seen.text, "nginx:s:192.0.2.7", "the line");
	CHECK(seen.time_us == NOW_US, "%llu s before", (unsigned long long) (NOW_US - seen.time_us) / USEC_PER_SEC);
}

/* Lines of one connection: as many attempts as refused passwords, and the same in another source. */
static void attempts(void **state)
{
	static const char text[] =
		"Nov 21 18:59:00 web1 sshd[7]: Invalid user x from 192.0.2.7 port 5\n"
		"Nov 21 18:59:01 web1 sshd[7]: Failed password for invalid user x from 192.0.2.7 port 5 ssh2\n"
		"Nov 21 18:59:03 web1 sshd[7]: Failed password for invalid user x from 192.0.2.7 port 5 ssh2\n"
		"Nov 21 18:59:04 web1 sshd[7]: message repeated 2 times: [ Failed password for invalid user x from 192.0.2.7 port 5 ssh2]\n"
		"Nov 21 18:59:05 web1 sshd[7]: Connection closed by invalid user x 192.0.2.7 port 5 [preauth]\n"
		"Nov 21 18:59:06 web1 sshd[8]: Connection closed by authenticating user root 192.0.2.7 port 6 [preauth]\n";
	const struct log_source s = { .kind = LOG_SYSLOG, .name = "a" };
	struct seen a, b;
	size_t distinct = 0;

	(void) state;
	feed(&s, text, &a);
	feed(&s, text, &b);
	assert_int_equal(a.n, 7);
	for (size_t i = 0; i < a.n; i++) {
		bool before = false;

		assert_int_not_equal(a.attempt[i], 0);
		assert_true(a.attempt[i] == b.attempt[i]);
		for (size_t k = 0; k < i; k++)
			before |= a.attempt[k] == a.attempt[i];
		distinct += !before;
	}
	assert_int_equal(distinct, 5);
}

/* X-Forwarded-For counts from declared proxies only, from right to left. */
static void forwarded(void **state)
{
	static const struct {
		const char *peer, *header, *want;
	} cases[] = {
		{ "10.0.0.1", "203.0.113.9, 192.0.2.7", "192.0.2.7" }, { "10.0.0.1", "192.0.2.7, 10.0.0.2", "192.0.2.7" },
		{ "192.0.2.8", "203.0.113.9", "192.0.2.8" },	       { "10.0.0.1", "203.0.113.9, unknown", "" },
		{ "10.0.0.1", "-", "" },			       { "10.0.0.1", "10.0.0.2, 10.0.0.3", "" },
		{ "10.0.0.1", "203.0.113.9, [2001:db8::7]:443", "2001:db8::7" },
	};
	struct ip_prefix proxy;
	const struct log_source s = { .kind = LOG_FILE, .name = "a", .service = "nginx", .proxies = &proxy, .n_proxies = 1 };

	(void) state;
	assert_int_equal(ip_prefix_parse("10.0.0.0/8", &proxy), 0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_autobuf line = PV_BUF_INIT, want = PV_BUF_INIT;
		struct seen seen;

		pv_buf_printf(&line, "%s - - [21/Nov/2026:18:59:00 +0000] \"POST /login HTTP/1.1\" 401 5 \"-\" \"x\" \"%s\"\n", cases[i].peer, cases[i].header);
		pv_buf_printf(&want, "nginx:%c:%s", *cases[i].want ? 's' : 'w', cases[i].want);
		feed(&s, pv_buf_str(&line), &seen);
		CHECK_STR(seen.text, pv_buf_str(&want), "%s %s", cases[i].peer, cases[i].header);
	}
}

/* Each line of the header is an element of a list in Caddy's: what the client sent, and what the proxy appended. */
static void forwarded_list(void **state)
{
	static const struct {
		const char *headers, *want;
	} cases[] = {
		{ "\"X-Forwarded-For\":[\"203.0.113.9\",\"192.0.2.7\"]", "192.0.2.7" },
		{ "\"X-Forwarded-For\": [ \"203.0.113.9, 203.0.113.8\" , \"192.0.2.7\" ]", "192.0.2.7" },
		{ "\"X-Forwarded-For\":[\"203.0.113.9\",\"192.0.2.7, 10.0.0.2\"]", "192.0.2.7" },
		{ "\"X-Forwarded-For\":[\"192.0.2.7\"]", "192.0.2.7" },
		{ "\"X-Forwarded-For\":[\"203.0.113.9\\\",\\\"203.0.113.8\",\"192.0.2.7\"]", "192.0.2.7" },
		{ "\"X-Forwarded-For\":[\"203.0.113.9\",\"x\"]", "" },
		{ "\"X-Forwarded-For\":[[\"192.0.2.7\"],[\"203.0.113.9\",\"203.0.113.8\"]]", "192.0.2.7" },
		{ "\"X-Forwarded-For\":[\"192.0.2.7\"],\"X-Forwarded-For\":[\"203.0.113.9\",\"203.0.113.8\"]", "192.0.2.7" },
	};
	struct ip_prefix proxy;
	const struct log_source s = { .kind = LOG_FILE, .name = "a", .service = "caddy", .proxies = &proxy, .n_proxies = 1 };

	(void) state;
	assert_int_equal(ip_prefix_parse("10.0.0.0/8", &proxy), 0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_autobuf line = PV_BUF_INIT, want = PV_BUF_INIT;
		struct seen seen;

		pv_buf_printf(&line, "{\"ts\":1795287540,\"logger\":\"http.log.access\",\"request\":{\"remote_ip\":\"10.0.0.1\",\"method\":\"POST\",\"uri\":"
				     "\"/login\",\"headers\":{%s}},\"user_id\":\"\",\"status\":401,\"size\":0}\n", cases[i].headers);
		pv_buf_printf(&want, "caddy:%c:%s", *cases[i].want ? 's' : 'w', cases[i].want);
		feed(&s, pv_buf_str(&line), &seen);
		CHECK_STR(seen.text, pv_buf_str(&want), "%s", cases[i].headers);
	}
}

/* A 401 on a page is weak; one who then gets through is told; a POST to a login is strong. */
static void web_strength(void **state)
{
	static const char text[] = "192.0.2.7 - - [21/Nov/2026:18:59:00 +0000] \"GET /api/me HTTP/1.1\" 401 5 \"-\" \"x\"\n"
				   "192.0.2.8 - - [21/Nov/2026:18:59:00 +0000] \"GET /api/me HTTP/1.1\" 200 5 \"-\" \"x\"\n"
				   "192.0.2.7 - - [21/Nov/2026:18:59:01 +0000] \"POST /api/auth/refresh HTTP/1.1\" 401 5 \"-\" \"x\"\n"
				   "192.0.2.7 - - [21/Nov/2026:18:59:02 +0000] \"GET /api/me?a=1 HTTP/1.1\" 200 5 \"-\" \"x\"\n"
				   "192.0.2.7 - - [21/Nov/2026:18:59:03 +0000] \"GET /api/me HTTP/1.1\" 200 5 \"-\" \"x\"\n"
				   "192.0.2.7 - - [21/Nov/2026:18:59:04 +0000] \"POST /users/sign_in HTTP/1.1\" 401 5 \"-\" \"x\"\n"
				   "192.0.2.7 - - [21/Nov/2026:18:59:05 +0000] \"GET /admin HTTP/1.1\" 403 5 \"-\" \"x\"\n";
	const struct log_source s = { .kind = LOG_FILE, .name = "a", .service = "nginx" };
	struct seen seen;

	(void) state;
	feed(&s, text, &seen);
	CHECK_STR(seen.text, "nginx:w:192.0.2.7 nginx:w:192.0.2.7 nginx:a:192.0.2.7 nginx:s:192.0.2.7", "strengths");
}

/* Literals of rules for secrets, all but one, as parts of a query. */
static void put_literals(struct pv_buf *out, const char *but)
{
	for (size_t i = 0; i < rules_count(logs->rs); i++) {
		const struct rule *r = rules_get(logs->rs, i);
		const char *word = r->kind == RULE_SECRET && r->literal.n ? r->literal.word[0] : but;

		if (strcmp(word, but) != 0 && !word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")])
			pv_buf_printf(out, "&%s", word);
	}
}

/* However many literals a client writes into his request, the rule for its answer is tried, and secrets are masked. */
static void many_literals(void **state)
{
	const struct log_source s = { .kind = LOG_FILE, .name = "a", .service = "nginx" };
	pv_autobuf line = PV_BUF_INIT, out = PV_BUF_INIT;
	pv_auto(logs_reader) r = NULL;
	struct seen seen;

	(void) state;
	pv_buf_puts(&line, "192.0.2.7 - - [21/Nov/2026:18:59:00 +0000] \"POST /login?a");
	put_literals(&line, "glpat-");
	assert_true(line.len > 1000);
	pv_buf_puts(&line, " HTTP/1.1\" 401 5 \"-\" \"x\"\n");
	feed(&s, pv_buf_str(&line), &seen);
	CHECK_STR(seen.text, "nginx:s:192.0.2.7", "a file");
	pv_buf_printf(&line, "glp%s", "at-Zx81kQpWm2LtBv93RsYd");
	assert_int_equal(logs_reader_new(logs, &s, &r), 0);
	logs_shown(r, pv_buf_str(&line), line.len, line.len, &out);
	CHECK(!strstr(pv_buf_str(&out), "LtBv93"), "%s", pv_buf_str(&out));
}

/* Docker's records: in pieces by stream, in another order of keys, with escapes and colours, torn. */
static void docker(void **state)
{
	const struct log_source s = { .kind = LOG_CONTAINER, .name = "a", .service = "uvicorn", .docker_json = true };
	pv_autobuf text = PV_BUF_INIT;
	struct seen seen;

	(void) state;
	pv_buf_puts(&text, "{\"stream\":\"stdout\",\"time\":\"2026-11-21T18:59:00.1Z\",\"log\":\"\\u001b[32mINFO\\u001b[0m:     192.0.2.1:5 - "
			   "\\\"\\u001b[1mPOST /login HTTP/1.1\\u001b[0m\\\" \\u001b[31m401 Unauthorized\\u001b[0m\\n\"}\n");
	pv_buf_puts(&text, "{\"log\":\"INFO:     192.0.2.9:5 - \\\"POST /login HTTP/1.1\\\" 401 Unauthorized\\n\",\"stream\":\"std\n"); /* torn */
	pv_buf_puts(&text, "{\"log\":\"");
	for (int i = 0; i < 16384; i++)
		pv_buf_putc(&text, 'x');
	pv_buf_puts(&text, "\",\"stream\":\"stdout\",\"time\":\"2026-11-21T18:59:00.1Z\"}\n");
	pv_buf_puts(&text, "{\"log\":\"INFO:     192.0.2.2:5 - \\\"POST /login HTTP/1.1\\\" 401 Unauthorized\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-21T18:59:00.1Z\"}\n");
	pv_buf_puts(&text, "{\"log\":\" end\\nINFO:     192.0.2.3:5 - \\\"POST /login HTTP/1.1\\\" 401 Unauthorized\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-21T18:59:00.1Z\"}\n");
	feed(&s, pv_buf_str(&text), &seen);
	CHECK_STR(seen.text, "uvicorn:s:192.0.2.1 uvicorn:s:192.0.2.2 uvicorn:s:192.0.2.3", "records");
}

#define OF_STDOUT "\",\"stream\":\"stdout\",\"time\":\"2026-11-21T18:59:00.1Z\"}\n"

static void put_times(struct pv_buf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pv_buf_puts(out, text);
}

/* The last piece of a line is no line by itself, however Docker writes what stands before it: six bytes for each & of a client's. */
static void docker_escaped(void **state)
{
	const struct log_source s = { .kind = LOG_CONTAINER, .name = "a", .service = "nginx", .docker_json = true };
	pv_autobuf text = PV_BUF_INIT;
	struct seen seen;

	(void) state;
	pv_buf_puts(&text, "{\"log\":\"");
	put_times(&text, "\\u0026", 16384);
	pv_buf_puts(&text, OF_STDOUT "{\"log\":\"2026/11/21 18:59:00 [error] 1#1: *2 PAM: user 'a' - not authenticated: Authentication failure, "
			   "client: 203.0.113.9, x\\n" OF_STDOUT
			   "{\"log\":\"192.0.2.7 - - [21/Nov/2026:18:59:00 +0000] \\\"POST /login HTTP/1.1\\\" 401 5 \\\"-\\\" \\\"x\\\"\\n" OF_STDOUT);
	feed(&s, pv_buf_str(&text), &seen);
	CHECK_STR(seen.text, "nginx:s:192.0.2.7", "records");
}

/* Pieces of a request that got through, which is of no interest: the next line stands by itself all the same. */
static void docker_through(void **state)
{
	const struct log_source s = { .kind = LOG_CONTAINER, .name = "a", .service = "uvicorn", .docker_json = true };
	pv_autobuf text = PV_BUF_INIT;
	struct seen seen;

	(void) state;
	pv_buf_puts(&text, "{\"log\":\"INFO:     192.0.2.7:5 - \\\"GET /?");
	put_times(&text, "x", 16384);
	pv_buf_puts(&text, OF_STDOUT "{\"log\":\"xxx HTTP/1.1\\\" 200 OK\\n" OF_STDOUT
			   "{\"log\":\"INFO:     192.0.2.7:5 - \\\"POST /login HTTP/1.1\\\" 401 Unauthorized\\n" OF_STDOUT);
	feed(&s, pv_buf_str(&text), &seen);
	CHECK_STR(seen.text, "uvicorn:s:192.0.2.7", "records");
}

/* A header of 8 KiB, each byte of which nginx writes as four: the line is taken. */
static void long_line(void **state)
{
	const struct log_source s = { .kind = LOG_FILE, .name = "a", .service = "nginx" };
	pv_autobuf text = PV_BUF_INIT;
	struct seen seen;

	(void) state;
	pv_buf_puts(&text, "192.0.2.7 - - [21/Nov/2026:18:59:00 +0000] \"POST /login HTTP/1.1\" 401 5 \"");
	put_times(&text, "\\x22", 16000);
	pv_buf_puts(&text, "\" \"");
	put_times(&text, "\\x22", 16000);
	pv_buf_puts(&text, "\"\n");
	feed(&s, pv_buf_str(&text), &seen);
	CHECK_STR(seen.text, "nginx:s:192.0.2.7", "%zu bytes", text.len);
}

/* 100 MB without a newline, then a line: memory stays, the line is found. */
static void endless_line(void **state)
{
	static const char after[] = "\nNov 21 18:59:00 web1 sshd[7]: Failed password for root from 192.0.2.7 port 5 ssh2\n";
	const struct log_source s = { .kind = LOG_SYSLOG, .name = "a" };
	pv_auto(logs_reader) r = NULL;
	char *block = malloc(1 << 20);
	struct rusage before, now;
	struct seen seen = { 0 };
	size_t used;

	(void) state;
	assert_non_null(block);
	memset(block, 'F', 1 << 20);
	assert_int_equal(logs_reader_new(logs, &s, &r), 0);
	(void) getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(logs_lines(r, block, 1 << 20, NOW_US, see, &seen, &used), 0);
		assert_int_equal(used, 1 << 20);
	}
	assert_int_equal(logs_lines(r, after, sizeof(after) - 1, NOW_US, see, &seen, &used), 0);
	(void) getrusage(RUSAGE_SELF, &now);
	free(block);
	CHECK_STR(seen.text, "sshd:s:192.0.2.7", "the line behind it");
	assert_int_equal(logs_reader_counts(r).cut, 1);
	assert_true(now.ru_maxrss - before.ru_maxrss < 16 << 10);
}

static void hostile_bytes(void **state)
{
	static const char text[] = "Nov 21 18:59:00 web1 sshd[7]: Failed password for invalid user a\0b\xff\xc0\x1b[2J from 192.0.2.7 port 5 ssh2\r\n"
				   "\0\0\0\n\xff\xfe\n";
	const struct log_source s = { .kind = LOG_SYSLOG, .name = "a" };
	pv_auto(logs_reader) r = NULL;
	struct seen seen = { 0 };
	size_t used;

	(void) state;
	assert_int_equal(logs_reader_new(logs, &s, &r), 0);
	assert_int_equal(logs_lines(r, text, sizeof(text) - 1, NOW_US, see, &seen, &used), 0);
	CHECK_STR(seen.text, "sshd:s:192.0.2.7", "bytes");
}

/* Whatever is shown of a line holds no secret. */
static void shown(void **state)
{
	const struct log_source s = { .kind = LOG_FILE, .name = "a" };
	pv_auto(logs_reader) r = NULL;
	pv_autobuf line = PV_BUF_INIT, out = PV_BUF_INIT;

	(void) state;
	pv_buf_printf(&line, "cannot reach postgres%s://ada:h0rse-7Qbatz4@db/shop with glp%s", "ql", "at-Zx81kQpWm2LtBv93RsYd");
	assert_int_equal(logs_reader_new(logs, &s, &r), 0);
	logs_shown(r, pv_buf_str(&line), line.len, 400, &out);
	CHECK(!strstr(pv_buf_str(&out), "h0rse") && !strstr(pv_buf_str(&out), "LtBv93") && strstr(pv_buf_str(&out), "cannot reach"), "%s", pv_buf_str(&out));
}

static void silent(void **state)
{
	struct log_silent s = { 0 };
	uint64_t since = 0;

	(void) state;
	for (uint64_t i = 0; i < 100; i++)
		log_silent_seen(&s, NOW_US + i * 10 * USEC_PER_MIN);
	assert_false(log_silent_due(&s, s.last_us + 99 * USEC_PER_MIN, &since));
	assert_true(log_silent_due(&s, s.last_us + 101 * USEC_PER_MIN, &since));
	assert_true(since == s.last_us);
	assert_false(log_silent_due(&s, s.last_us + 200 * USEC_PER_MIN, &since)); /* once */
	log_silent_seen(&s, s.last_us + 200 * USEC_PER_MIN);
	assert_false(log_silent_due(&s, s.last_us + 201 * USEC_PER_MIN, &since));
}

/* As the engine gets it: a sealed memfd, and nothing that is not sealed. */
static void saved(void **state)
{
	const char *source = getenv("PV_TEST_SOURCE");
	pv_autobuf path = PV_BUF_INIT, err = PV_BUF_INIT;
	const char *paths[1];
	struct match_where where = { .paths = paths, .n_paths = 1 };
	pv_auto(logs) l = NULL;
	int fd = -1;

	(void) state;
	pv_buf_printf(&path, "%s/../rules/log/sshd.yaml", source ? source : "test");
	paths[0] = pv_buf_str(&path);
	CHECK(logs_save(&where, &fd, &err) == 0, "%s", pv_buf_str(&err));
	assert_true(write(fd, "x", 1) < 0);
	assert_int_equal(logs_load(fd, &l), 0);
	assert_true(logs_has_service(l, "sshd") && !logs_has_service(l, "nginx"));
	l = logs_free(l);
	assert_true(logs_load(dup(STDERR_FILENO), &l) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_times), cmocka_unit_test(double_hour), cmocka_unit_test(read_frames), cmocka_unit_test(who_may_ban),
		cmocka_unit_test(journal_trust), cmocka_unit_test(time_of_engine), cmocka_unit_test(attempts), cmocka_unit_test(forwarded),
		cmocka_unit_test(forwarded_list), cmocka_unit_test(web_strength), cmocka_unit_test(many_literals), cmocka_unit_test(docker),
		cmocka_unit_test(docker_escaped), cmocka_unit_test(docker_through), cmocka_unit_test(long_line),
		cmocka_unit_test(endless_line), cmocka_unit_test(hostile_bytes), cmocka_unit_test(shown), cmocka_unit_test(silent),
		cmocka_unit_test(saved),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
