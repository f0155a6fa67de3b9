/* Who guesses logins: the flows of test/flow/NAME.login, memory, and a stream of random events. */
#include "check.h"

#include <glob.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"
#include "detect/login.h"

#define START (1790000000ull * USEC_PER_SEC) /* some day in 2026 */

static const char *const answers[] = { "nothing", "ban", "bruteforce", "suspicious", "distributed" };
static const char *const strengths[] = { "none", "refused", "weak", "neutral", "accepted" };
static const char *const whys[] = { "fast", "slow", "weak" };

struct flow {
	const char *path;
	char *line[2048], *expect[64];
	size_t n, n_expect;
	struct login_policy policy;
	size_t seen;
};

static int word_of(const char *const *list, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], word) == 0)
			return (int) i;
	return -1;
}

static uint64_t duration(const struct flow *f, const char *s)
{
	uint64_t us = 0;

	CHECK(strcmp(s, "0s") == 0 || parse_duration(s, &us) == 0, "%s: `%s` is no time", f->path, s);
	return us;
}

static void compare(struct flow *f, uint64_t at, enum login_answer answer, const struct login_verdict *v)
{
	pv_autobuf got = PV_BUF_INIT;

	pv_buf_printf(&got, "%llus %s ", (unsigned long long) (at / USEC_PER_SEC), answers[answer]);
	ip_prefix_format(&got, &v->who);
	if (answer == LOGIN_BAN)
		pv_buf_printf(&got, " %s %u", whys[v->why], v->count);
	if (v->container[0])
		pv_buf_printf(&got, " %s", v->container);
	CHECK(f->seen < f->n_expect, "%s: %s: nobody expects it", f->path, pv_buf_str(&got));
	CHECK_STR(pv_buf_str(&got), f->expect[f->seen], "%s", f->path);
	f->seen++;
	CHECK(v->n_lines >= 1 && v->n_lines <= LOGIN_EVIDENCE, "%s: %zu lines", f->path, v->n_lines);
}

static void next_address(struct ip_addr *a, uint64_t by)
{
	for (int i = 15; i >= 0 && by; i--) {
		by += a->b[i];
		a->b[i] = (uint8_t) by;
		by >>= 8;
	}
}

static bool restarts;

/* Another process goes on with what this one kept. */
static struct login *restarted(const struct flow *f, struct login *l, uint64_t now_us)
{
	struct login_policy p = f->policy;
	pv_autobuf text = PV_BUF_INIT;
	struct login *fresh = NULL;

	login_save(l, now_us, &text);
	assert_true(login_saved_seed(pv_buf_str(&text), p.seed));
	assert_int_equal(login_new(&p, &fresh), 0);
	CHECK(login_load(fresh, pv_buf_str(&text), now_us) == 0, "%s: is not read again", f->path);
	login_free(l);
	return fresh;
}

/* One line of a flow: so many events, each with what its words say. */
static void play(struct flow *f, struct login **login, char *line)
{
	struct log_event e = { .id = ID_GUARD_STARTED, .service = "sshd", .rule = "r", .may_ban = true, .has_address = true,
			       .source = "file:/var/log/auth.log" };
	uint64_t at, times = 1, every = 0, step = 0, line_back = 0;
	char *save = NULL, *word = strtok_r(line, " \t", &save), text[64];
	bool each = false;
	int strength = -1;
	struct login *l = *login;

	at = duration(f, word);
	while ((word = strtok_r(NULL, " \t", &save)) && *word != '#') {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		if (!value && word[0] == 'x')
			CHECK(parse_u64(word + 1, &times) == 0, "%s: %s", f->path, word);
		else if (!value && strength < 0)
			CHECK((strength = word_of(strengths, N_ELEMENTS(strengths), word)) >= 0, "%s: `%s`", f->path, word);
		else if (!value)
			CHECK(ip_parse(word, &e.address) == 0, "%s: `%s`", f->path, word);
		else if (strcmp(word, "every") == 0)
			every = duration(f, value);
		else if (strcmp(word, "user") == 0)
			(void) text_copy(e.user, sizeof(e.user), value);
		else if (strcmp(word, "service") == 0)
			e.service = value;
		else if (strcmp(word, "source") == 0)
			e.source = value;
		else if (strcmp(word, "attempt") == 0 && !(each = strcmp(value, "each") == 0))
			CHECK(parse_u64(value, &e.attempt) == 0, "%s: %s", f->path, value);
		else if (strcmp(word, "may-ban") == 0)
			e.may_ban = strcmp(value, "yes") == 0;
		else if (strcmp(word, "next") == 0)
			CHECK(parse_u64(value, &step) == 0, "%s: %s", f->path, value);
		else if (strcmp(word, "late") == 0)
			line_back = duration(f, value);
	}
	e.strength = (enum log_strength) strength;
	e.text = text;
	for (uint64_t i = 0; i < times; i++, at += every) {
		struct login_verdict v;
		enum login_answer answer;

		if (restarts && i < 40) /* of thousands: the first */
			l = restarted(f, l, START + at);
		if (each)
			e.attempt = at / USEC_PER_SEC + 1000;
		e.text_len = (size_t) snprintf(text, sizeof(text), "line of %llu", (unsigned long long) at);
		e.time_us = START + at - line_back;
		answer = login_step(l, &e, START + at, &v);
		if (answer != LOGIN_NOTHING)
			compare(f, at, answer, &v);
		next_address(&e.address, step);
	}
	*login = l;
}

static void read_flow(struct flow *f, char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned v;

		if (*line == '#' || !*line)
			continue;
		if (sscanf(line, "limit %u", &v) == 1)
			f->policy.limit = v;
		else if (sscanf(line, "weak-limit %u", &v) == 1)
			f->policy.weak_limit = v;
		else if (sscanf(line, "prefix6 %u", &v) == 1)
			f->policy.prefix6 = (uint8_t) v;
		else if (strncmp(line, "expect ", 7) == 0)
			f->expect[f->n_expect++] = line + 7;
		else if (f->n < N_ELEMENTS(f->line))
			f->line[f->n++] = line;
		else
			fail_msg("%s is too long", f->path);
	}
}

static void play_file(const char *path)
{
	static char text[131072];
	struct flow f = { .path = path, .policy = { .limit = 5, .weak_limit = 30, .within_us = 10 * USEC_PER_MIN, .prefix6 = 64,
						    .seed = { 1, 2 } } };
	pv_auto(login) l = NULL;
	FILE *file = fopen(path, "re");
	size_t n;

	assert_non_null(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	(void) fclose(file);
	read_flow(&f, text);
	assert_int_equal(login_new(&f.policy, &l), 0);
	for (size_t i = 0; i < f.n; i++)
		play(&f, &l, f.line[i]);
	CHECK(f.seen == f.n_expect, "%s: `%s` did not come", path, f.expect[f.seen]);
}

static struct log_event refused(uint32_t address, uint64_t t)
{
	struct log_event e = { .service = "sshd", .strength = LOG_STRONG, .may_ban = true, .has_address = true,
			       .source = "file:/a", .text = "x", .text_len = 1, .time_us = t };

	e.address = ip_from_v4(__builtin_bswap32(address));
	return e;
}

static void test_flows(void **state)
{
	const char *source = getenv("PV_TEST_SOURCE");
	char pattern[512];
	glob_t files;

	(void) state;
	(void) snprintf(pattern, sizeof(pattern), "%s/flow/*.login", source ? source : "test");
	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	CHECK(files.gl_pathc >= 15, "only %zu flows", files.gl_pathc);
	for (size_t i = 0; i < files.gl_pathc; i++)
		play_file(files.gl_pathv[i]);
	/* and with a restart before each event the answers are the same */
	restarts = true;
	for (size_t i = 0; i < files.gl_pathc; i++)
		play_file(files.gl_pathv[i]);
	restarts = false;
	globfree(&files);
}

/* What is no text of login_save(), or only half of one, or of another layout. */
static void test_kept_badly(void **state)
{
	const struct login_policy p = { .limit = 5, .weak_limit = 30, .within_us = 10 * USEC_PER_MIN, .prefix6 = 64, .seed = { 3, 4 } };
	pv_auto(login) l = NULL;
	pv_autobuf text = PV_BUF_INIT;
	struct login_verdict v;
	uint64_t seed[2];

	(void) state;
	assert_int_equal(login_new(&p, &l), 0);
	for (uint32_t i = 0; i < 3 * LOGIN_KEPT; i++) { /* the second half was refused twice: they are kept */
		struct log_event e = refused(0xcb000000u + i, START);

		(void) login_step(l, &e, START, &v);
		if (i >= 2 * LOGIN_KEPT)
			(void) login_step(l, &e, START, &v);
	}
	login_save(l, START, &text);
	CHECK(text.len < 2u << 20, "%zu bytes", text.len);
	for (size_t cut = 0; cut < text.len; cut += cut < 200 ? 1 : 40009) {
		pv_autobuf part = PV_BUF_INIT;
		pv_auto(login) other = NULL;

		pv_buf_add(&part, text.data, cut);
		assert_int_equal(login_new(&p, &other), 0);
		CHECK(login_load(other, pv_buf_str(&part), START) == -EBADMSG, "cut at %zu", cut);
	}
	assert_false(login_saved_seed("", seed));
	assert_false(login_saved_seed("logins 1 8 8 8 3 4\n", seed));
	l = login_free(l);
	assert_int_equal(login_new(&p, &l), 0);
	assert_int_equal(login_load(l, pv_buf_str(&text), START), 0);
	assert_int_equal(login_addresses(l), LOGIN_KEPT);
	for (uint32_t i = 2 * LOGIN_KEPT; i < 3 * LOGIN_KEPT; i++) {
		struct log_event e = refused(0xcb000000u + i, START);

		assert_int_equal(login_step(l, &e, START, &v), LOGIN_NOTHING);
		assert_int_equal(login_step(l, &e, START, &v), LOGIN_NOTHING);
		assert_int_equal(login_step(l, &e, START, &v), LOGIN_BAN); /* two before, three now */
	}
}

/* 100,000 addresses with four attempts each, then twice as many more with one: bounded, and who was near the limit is still. */
static void test_memory(void **state)
{
	const struct login_policy p = { .limit = 5, .weak_limit = 30, .within_us = 10 * USEC_PER_MIN, .prefix6 = 64, .seed = { 3, 4 } };
	pv_auto(login) l = NULL;
	struct login_verdict v;
	unsigned banned = 0;

	(void) state;
	assert_int_equal(login_new(&p, &l), 0);
	for (uint32_t round = 0; round < 4; round++)
		for (uint32_t i = 0; i < 100000; i++) {
			struct log_event e = refused(0xcb000000u + i, START + round * USEC_PER_SEC);

			assert_int_equal(login_step(l, &e, e.time_us, &v), LOGIN_NOTHING);
		}
	assert_int_equal(login_addresses(l), 100000);
	CHECK(login_memory(l) < 20u << 20, "%zu bytes", login_memory(l));
	for (uint32_t i = 0; i < 300000; i++) {
		struct log_event e = refused(0x0a000000u + i, START + 60 * USEC_PER_SEC);

		assert_int_equal(login_step(l, &e, e.time_us, &v), LOGIN_NOTHING);
	}
	assert_int_equal(login_addresses(l), LOGIN_ADDRESSES);
	CHECK(login_memory(l) < 40u << 20, "%zu bytes", login_memory(l));
	for (uint32_t i = 0; i < 100000; i++) {
		struct log_event e = refused(0xcb000000u + i, START + 61 * USEC_PER_SEC);

		banned += login_step(l, &e, e.time_us, &v) == LOGIN_BAN;
	}
	CHECK(banned > 99000, "%u of 100000 were still known", banned);
}

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint64_t random_u64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Random attempts of 400 addresses in a small table of 256, with a clock that jumps: every ban has as many different attempts
 * behind it as the limit says, in time. A plain list of all attempts is the judge. */
static void test_random(void **state)
{
	const struct login_policy p = { .limit = 4, .weak_limit = 9, .within_us = 100 * USEC_PER_SEC, .prefix6 = 64, .seed = { 5, 6 },
					.addresses = 256 };
	static struct {
		uint64_t t, attempt;
	} all[400][128]; /* the newest of each */
	static uint64_t n[400];
	pv_auto(login) l = NULL;
	unsigned bans = 0;
	uint64_t now = START;

	(void) state;
	assert_int_equal(login_new(&p, &l), 0);
	for (int i = 0; i < 200000; i++) {
		unsigned who = (unsigned) (random_u64() % 20 * (random_u64() % 20 + 1));
		struct log_event e;
		struct login_verdict v;
		unsigned in_window = 0;

		now += random_u64() % 3 * USEC_PER_SEC;
		if (random_u64() % 5000 == 0)
			now -= 40 * USEC_PER_SEC;
		e = refused(0xc0000200u + who, now);
		e.attempt = random_u64() % 3 ? 0 : now / USEC_PER_SEC / 4 + 1;
		all[who][n[who] % N_ELEMENTS(all[0])].t = now;
		all[who][n[who]++ % N_ELEMENTS(all[0])].attempt = e.attempt ? e.attempt : UINT64_MAX - (uint64_t) i;
		if (login_step(l, &e, now, &v) != LOGIN_BAN || v.why != LOGIN_FAST)
			continue;
		bans++;
		for (uint64_t k = 0; k < PV_MIN(n[who], N_ELEMENTS(all[0])); k++) {
			bool again = false;

			for (uint64_t j = 0; j < k; j++)
				again = again || all[who][j].attempt == all[who][k].attempt;
			in_window += !again && all[who][k].t + p.within_us + 40 * USEC_PER_SEC >= now;
		}
		CHECK(in_window >= p.limit, "event %d: %u attempts", i, in_window);
	}
	CHECK(bans > 100, "%u bans", bans);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_flows), cmocka_unit_test(test_kept_badly), cmocka_unit_test(test_memory), cmocka_unit_test(test_random) };

	return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
