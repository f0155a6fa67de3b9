/* Pattern sets: spans, windows, the cache, own values, decoders, check sums, randomness. */
#include <ctype.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "match/checksum.h"
#include "match/decode.h"
#include "match/random.h"
#include "match/rule_file.h"
#include "match/runs.h"
#include "match/set.h"
#include "match/values.h"

/* Two near rules, one that reaches far, one that asks for context, one of an assignment. */
static const char rule_text[] =
	"schema: 1\nkind: secret\nname: test\nreference: [https://example.org/]\nverified: documentation\nrules:\n"
	"  - id: test.token\n    severity: high\n    literal: [tok_]\n    match: '\\btok_[a-z0-9]{12}\\b'\n    remedy: revoke\n"
	"    examples: {yes: ['x = «tok+_abc123def456»'], no: [tok_short]}\n"
	"  - id: test.block\n    severity: critical\n    literal: [BEGIN BLOCK]\n    gate: literal\n    reach: 4096\n"
	"    match: 'BEGIN BLOCK\\n(?<secret>[a-z\\n]{8,2000}?)\\nEND BLOCK'\n    remedy: revoke\n"
	"    examples: {yes: [\"BEGIN BLO+CK\\n«abcdefgh»\\nEND BLOCK\"]}\n"
	"  - id: test.near\n    severity: medium\n    literal: [key]\n    gate: literal\n    context: [acme]\n    nocase: yes\n"
	"    match: '(?i)key[=: ]{1,3}(?<secret>[0-9a-f]{16})\\b'\n    random: 2.5\n    remedy: revoke\n"
	"    examples: {yes: ['acme KEY=«0f1e2d3c4b+5a6978»'], no: ['key=0f1e2d3c4b5a6978', 'acme key=0000000000000000']}\n"
	"  - id: test.value\n    severity: medium\n    after: [gizmo]\n    match: '[a-z0-9]{20}'\n    unless: ['*example*']\n"
	"    remedy: revoke\n    examples: {yes: ['GIZMO_TOKEN=«a1b2c3d4e5f6+g7h8i9j0»'], no: ['gizmo = a1b2']}\n";

struct found {
	char text[4096];
	size_t n;
};

static int note(const struct match_hit *h, void *user)
{
	struct found *f = user;
	size_t at = strlen(f->text);

	f->n++;
	(void) snprintf(f->text + at, sizeof(f->text) - at, "%s%s%s@%zu+%zu=%.*s", at ? " " : "", h->rule ? h->rule->id : h->value_name,
			h->depth ? h->encoding : "", h->secret.start, h->secret.len, (int) h->secret_len, h->secret_text);
	return 0;
}

static struct rules *rules;
static struct match_set *set;
static struct match_scratch *scratch;

static int setup(void **state)
{
	pv_autobuf err = PV_BUF_INIT;

	(void) state;
	if (rules_new(&rules) < 0 || rules_add_file(rules, "test.yaml", rule_text, strlen(rule_text), &err) < 0 ||
	    rules_try_examples(rules, &err) < 0 || match_set_compile(rules, &set, &err) < 0 || match_scratch_new(set, &scratch) < 0) {
		print_error("%s", pv_buf_str(&err));
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void) state;
	scratch = match_scratch_free(scratch);
	set = match_set_free(set);
	rules = rules_free(rules);
	return 0;
}

static void spans(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "nothing here tok_ tok_ABC", "" },
		{ "a tok_abc123def456", "test.token@2+16=tok_abc123def456" },
		{ "tok_abc123def4567", "" },
		{ "tok_abc123def456 tok_abc123def457", "test.token@0+16=tok_abc123def456 test.token@17+16=tok_abc123def457" },
		{ "tok_tok_abc123def456", "" },
		{ "tok_-tok_abc123def456.", "test.token@5+16=tok_abc123def456" },
		{ "BEGIN BLOCK\nabcdefgh\nEND BLOCK", "test.block@12+8=abcdefgh" },
		{ "x key=0f1e2d3c4b5a6978", "" },
		{ "# Acme\nkey=0f1e2d3c4b5a6978", "test.near@11+16=0f1e2d3c4b5a6978" },
		{ "acme key=0123456789abcdef", "" }, /* counts up: not random */
		{ "\"gizmo_token\": \"a1b2c3d4e5f6g7h8i9j0\"", "test.value@16+20=a1b2c3d4e5f6g7h8i9j0" },
		{ "<gizmoToken>\n  a1b2c3d4e5f6g7h8i9j0\n</gizmoToken>", "test.value@15+20=a1b2c3d4e5f6g7h8i9j0" },
		{ "setProperty(\"GIZMO.KEY\", \"a1b2c3d4e5f6g7h8i9j0\")", "test.value@26+20=a1b2c3d4e5f6g7h8i9j0" },
		{ "gizmo = a1b2c3d4e5f6gexample", "" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct found f = { 0 };

		CHECK(match_scan(set, scratch, cases[i].text, strlen(cases[i].text), note, &f) == 0, "%s", cases[i].text);
		CHECK_STR(f.text, cases[i].want, "%s", cases[i].text);
	}
}

static int stop(const struct match_hit *h, void *user)
{
	(void) h;
	++*(int *) user;
	return 42;
}

static void ends_when_told(void **state)
{
	static const char text[] = "tok_abc123def456 tok_abc123def456";
	int n = 0;

	(void) state;
	CHECK(match_scan(set, scratch, text, strlen(text), stop, &n) == 42 && n == 1, "%d calls", n);
}

/* Whatever changed, the windows find what touches it, at the same span as a scan of the whole. */
static void windows_miss_nothing(void **state)
{
	static const char *const pieces[] = { "tok_abc123def456", "BEGIN BLOCK\nabcd\nefgh\nEND BLOCK",
					      "acme\nkey=0f1e2d3c4b5a6978", "gizmo=a1b2c3d4e5f6g7h8i9j0" };
	char text[20000];

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(pieces); i++) {
		size_t n = strlen(pieces[i]), at = 9000;
		struct found whole = { 0 };

		memset(text, '\n', sizeof(text));
		memcpy(text + at, pieces[i], n);
		CHECK(match_scan(set, scratch, text, sizeof(text), note, &whole) == 0 && whole.n == 1, "%s", pieces[i]);
		for (size_t from = at; from <= at + n; from += 3) {
			struct rule_span changed[] = { { 100, 5 }, { from, from % 2 } };
			struct found f = { 0 };
			size_t scanned = 0;

			CHECK(match_scan_changed(set, scratch, text, sizeof(text), changed, 2, note, &f, &scanned) == 0, "scan");
			CHECK_STR(f.text, whole.text, "%s changed at %zu", pieces[i], from - at);
			CHECK(scanned < sizeof(text), "%zu bytes looked at", scanned);
		}
	}
}

static void made_up_is_low(void **state)
{
	static const struct {
		enum rule_check check;
		const char *token;
		int want;
	} cases[] = {
		{ RULE_CHECK_LUHN, "4111111111111111", 1 },
		{ RULE_CHECK_LUHN, "4111111111111112", 0 },
		{ RULE_CHECK_LUHN, "41x1", 0 },
		{ RULE_CHECK_JWT, "eyJhbGciOiJub25lIn0.e30.", 1 },
		{ RULE_CHECK_JWT, "eyJ0eXAiOiJKV1QifQ.e30.", 0 },
		{ RULE_CHECK_JWT, "", 0 },
		{ RULE_CHECK_NONE, "", 1 },
		/* published as samples, and revoked or never made; in two halves, so that no scanner finds them */
		{ RULE_CHECK_BASE62CRC, "gh" "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17", 1 },
		{ RULE_CHECK_BASE62CRC, "gh" "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18", 0 },
		{ RULE_CHECK_BASE62CRC, "np" "m_qkJaB6MffYVzZXWqmcoF49yrUxP3wf0LsakP", 1 },
		{ RULE_CHECK_CRC32, "123456789_cbf43926", 1 },
		{ RULE_CHECK_CRC32, "123456789_cbf43927", 0 },
		{ RULE_CHECK_BASE36CRC, "1234567891kl8mjq", 1 },
		{ RULE_CHECK_BASE36CRC, "1234567891kl8mjr", 0 },
		{ RULE_CHECK_BASE62CRC, "x", 0 },
		{ RULE_CHECK_BASE36CRC, "abc", 0 },
		{ RULE_CHECK_CRC32, "", 0 },
	};
	const char check[] = "123456789";

	(void) state;
	assert_int_equal(match_crc32(check, 9), 0xcbf43926); /* the check value of CRC-32/ISO-HDLC */
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		CHECK(match_check(cases[i].check, cases[i].token, strlen(cases[i].token)) == cases[i].want, "%s", cases[i].token);
}

static void randomness(void **state)
{
	static const char *const low[] = { "aaaaaaaaaaaaaaaaaaaa", "12345678901234567890", "abcdefghijklmnop", "password",
					   "application/octet-stream", "get_user_by_name", "XXXXXXXXXXXXXXXX", "abcabcabcabcabc", "",
					   "internationalization", "com.example.service", "HttpServletRequest" };
	static const char *const high[] = { "q7Zx9LrT2vKw8NbY4mDs", "9f86d081884c7d659a2f", "kq3vxw7zj2p9tm4hb8nd", "Xk9_qP-2vLz7RwTj5m" };

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(low); i++)
		CHECK(match_randomness(low[i], strlen(low[i])) < 520, "%s has %u", low[i], match_randomness(low[i], strlen(low[i])));
	for (size_t i = 0; i < N_ELEMENTS(high); i++)
		CHECK(match_randomness(high[i], strlen(high[i])) > 480, "%s has %u", high[i],
		      match_randomness(high[i], strlen(high[i])));
}

/* A text that keeps one rule busy: the rule is given up and that is counted, the others go on. */
static void hostile(void **state)
{
	static char text[2 << 20];
	const char unit[] = "BEGIN BLOCK\nabcd\n";
	uint64_t before = match_scratch_gave_up(scratch);
	struct found f = { 0 };

	(void) state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = unit[i % (sizeof(unit) - 1)];
	memcpy(text + sizeof(text) - 17, " tok_abc123def456", 17);
	CHECK(match_scan(set, scratch, text, sizeof(text), note, &f) == 0, "scan");
	CHECK(f.n == 1 && strstr(f.text, "test.token@"), "%s", f.text);
	CHECK(match_scratch_gave_up(scratch) == before + 1, "given up %d times", (int) (match_scratch_gave_up(scratch) - before));
}

/* --- own values --- */

static int note_value(size_t index, size_t start, size_t len, void *user)
{
	struct found *f = user;
	size_t at = strlen(f->text);

	f->n++;
	(void) snprintf(f->text + at, sizeof(f->text) - at, "%s%zu@%zu+%zu", at ? " " : "", index, start, len);
	return 0;
}

static void own_values(void **state)
{
	static const struct {
		const char *value;
		int want;
	} cases[] = {
		{ "h0rse-battery-staple", 1 }, { "Tr0ub4dor&3", 1 }, { "battery-staple-9", 1 }, { "short", 0 }, { "password", 0 },
		{ "production", 0 }, { "1234567890123", 0 }, { "https://example.org/a", 0 }, { "${DB_PASSWORD}", 0 },
		{ "postgres://u:pw1@db/x", 1 }, { "/usr/local/bin", 0 }, { "Application", 0 }, { "h0rse-battery-staple", 0 },
	};
	static const char text[] = "x h0rse-battery-staple y Tr0ub4dor&3,battery-staple-9postgres://u:pw1@db/xh0rse-battery-stapl";
	pv_auto(match_values) v = NULL;
	struct found f = { 0 };
	size_t n = 0;

	(void) state;
	assert_int_equal(match_values_new(&v), 0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		int r = match_values_add(v, "NAME", cases[i].value, strlen(cases[i].value));

		CHECK(r == cases[i].want, "%s: %d", cases[i].value, r);
		n += (size_t) r;
	}
	CHECK(match_values_count(v) == n, "%zu", match_values_count(v));
	CHECK(match_values_ready(v) <= 0, "ready");
	assert_int_equal(match_values_scan(v, text, strlen(text), note_value, &f), 0);
	CHECK_STR(f.text, "0@2+20 1@25+11 2@37+16 3@53+21", "values");
	for (size_t from = 0; from < strlen(text); from++) { /* every single byte changed */
		memset(&f, 0, sizeof(f));
		assert_int_equal(match_values_scan_changed(v, text, strlen(text), from, from + 1, note_value, &f), 0);
		CHECK(!(from >= 2 && from < 22) || strstr(f.text, "0@2+20"), "changed at %zu: %s", from, f.text);
	}
}

/* --- decoding --- */

static size_t naive_run(const char *text, size_t len, size_t at, size_t limit)
{
	for (; at < limit && len - at >= RUN_MIN; at++) {
		size_t n = 0;

		while (n < RUN_MIN && run_has(text[at + n]))
			n++;
		if (n == RUN_MIN)
			return at;
	}
	return limit;
}

/* Found in blocks as they are one by one, wherever a run and the search begin. */
static void runs(void **state)
{
	static const char others[] = " .:=\"'\n\t\200\300@[`{,*";
	unsigned seed = 7, found = 0;
	char text[400];

	(void) state;
	for (int c = 0; c < 256; c++)
		CHECK(run_has((char) c) == (c && (isalnum(c) || strchr("+/-_", c))), "%d", c);
	for (int k = 0; k < 3000; k++) {
		size_t len = (unsigned) rand_r(&seed) % sizeof(text), i = 0;

		while (i < len) {
			size_t n = (unsigned) rand_r(&seed) % 40;

			for (; n && i < len; n--)
				text[i++] = "aZ0+/-_m"[(unsigned) rand_r(&seed) % 8];
			if (i < len)
				text[i++] = others[(unsigned) rand_r(&seed) % (sizeof(others) - 1)];
		}
		for (size_t at = 0; at < len; at += 1 + (unsigned) rand_r(&seed) % 9) {
			size_t limit = at + (unsigned) rand_r(&seed) % (len - at + 1), got = run_next(text, len, at, limit), end = at;

			while (end < len && run_has(text[end]))
				end++;
			CHECK(run_end(text, len, at) == end, "end at %zu of %zu", at, len);
			CHECK(PV_MIN(got, limit) == naive_run(text, len, at, limit), "%zu..%zu of %zu: %zu", at, limit, len, got);
			found += got < limit;
		}
	}
	CHECK(found > 1000, "only %u", found);
}

static void encoded(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "data: eCA9IHRva19hYmMxMjNkZWY0NTYK", "test.tokenbase64@11+22=tok_abc123def456" },
		{ "zz/eCA9IHRva19hYmMxMjNkZWY0NTYK,", "test.tokenbase64@8+22=tok_abc123def456" },
		{ "746f6b5f616263313233646566343536", "test.tokenhex@0+32=tok_abc123def456" },
		{ "?q=%74%6f%6b_abc123%64ef456&x=1", "test.tokenurl@3+24=tok_abc123def456" },
		{ "u=%20%74%6f%6b_abc123%64ef456&x=1", "test.tokenurl@5+24=tok_abc123def456" },
		{ "tok_abc123def456%20%20", "test.token@0+16=tok_abc123def456" }, /* once, as it stands */
		/* twice: base64 of the first line */
		{ "ZGF0YTogZUNBOUlIUnZhMTloWW1NeE1qTmtaV1kwTlRZSw==", "test.tokenbase64>base64@14+30=tok_abc123def456" },
		{ "sha512-Z7g0Yv3rZk0wq2nJtQv3mB9yX1fPp8sJrWkq0a5bV2cT4dU6eX8fY0gZ1hA2iB3jC4kD5lE6mF7nG8oH9pI0qQ==", "" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct match_deep how = { .max_depth = 3 }, flat = { .max_depth = 0 };
		struct rule_span all = { 0, strlen(cases[i].text) };
		const struct match_deep parts = { .max_depth = 3, .changed = &all, .n_changed = 1 };
		struct found f = { 0 }, g = { 0 }, h = { 0 };

		CHECK(match_scan_deep(set, scratch, cases[i].text, strlen(cases[i].text), &how, note, &f, NULL) == 0, "deep");
		CHECK_STR(f.text, cases[i].want, "%s", cases[i].text);
		CHECK(match_scan_deep(set, scratch, cases[i].text, strlen(cases[i].text), &parts, note, &g, NULL) == 0, "parts");
		CHECK_STR(g.text, cases[i].want, "%s, in parts", cases[i].text);
		CHECK(match_scan_deep(set, scratch, cases[i].text, strlen(cases[i].text), &flat, note, &h, NULL) == 0, "flat");
		CHECK(h.n == (strstr(cases[i].want, "token@") != NULL), "%s as it stands: %s", cases[i].text, h.text);
	}
}

/* A key in 64 columns: the secret lies across a line break. */
static void wrapped(void **state)
{
	static const char text[] = "v: |\n"
				   "    YSBsb25nIGxpbmUgb2YgdGV4dCB0aGF0IGZpbGxzIGl0IHVwIHRvIHRvazogdG9r\n"
				   "    X2FiYzEyM2RlZjQ1NiBhbmQgbW9yZQ==\n";
	const struct match_deep how = { .max_depth = 1 };
	struct found f = { 0 };

	(void) state;
	CHECK(match_scan_deep(set, scratch, text, strlen(text), &how, note, &f, NULL) == 0, "deep");
	CHECK_STR(f.text, "test.tokenbase64@69+27=tok_abc123def456", "wrapped");
	for (size_t at = 9; at < strlen(text) - 6; at++) { /* whichever byte changed */
		struct rule_span changed = { at, 1 };
		const struct match_deep part = { .max_depth = 1, .changed = &changed, .n_changed = 1 };
		struct found g = { 0 };

		CHECK(match_scan_deep(set, scratch, text, strlen(text), &part, note, &g, NULL) == 0, "part");
		CHECK_STR(g.text, f.text, "changed at %zu", at);
	}
}

/* --- the cache --- */

static char dir[] = "/tmp/pavise-match-XXXXXX";

static char *path(const char *name)
{
	static char p[2][300];
	static int i;

	i ^= 1;
	(void) snprintf(p[i], sizeof(p[i]), "%s/%s", dir, name);
	return p[i];
}

static void write_rules(const char *text)
{
	FILE *f = fopen(path("rules.yaml"), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* 1: from the cache, 0: compiled, negative: refused. Whatever it is, it finds what it should. */
static int open_set(struct pv_buf *err)
{
	const char *paths[] = { path("rules.yaml") };
	pv_autofree char *cache = strdup(path("cache"));
	const struct match_where where = { paths, 1, cache };
	pv_auto(match_set) opened = NULL;
	pv_auto(match_scratch) s = NULL;
	struct found f = { 0 };
	int r = match_set_open(&where, &opened, err);

	if (r < 0)
		return r;
	assert_int_equal(match_scratch_new(opened, &s), 0);
	assert_int_equal(match_scan(opened, s, "a tok_abc123def456", 18, note, &f), 0);
	CHECK_STR(f.text, "test.token@2+16=tok_abc123def456", "opened");
	CHECK_STR(rules_find(match_set_rules(opened), "test.token")->remedy, "revoke", "strings");
	return match_set_was_cached(opened);
}

static void only_file(char *ret, size_t size)
{
	glob_t g;

	assert_int_equal(glob(path("cache/match-*.cache"), 0, NULL, &g), 0);
	assert_int_equal(g.gl_pathc, 1);
	(void) snprintf(ret, size, "%s", g.gl_pathv[0]);
	globfree(&g);
}

static void flip(const char *file, off_t at)
{
	int fd = open(file, O_RDWR);
	char c = 0;

	assert_true(fd >= 0 && pread(fd, &c, 1, at) == 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	(void) close(fd);
}

static void cache(void **state)
{
	static const off_t places[] = { 0, 8, 20, 60, 90, 300, 2000 };
	pv_autobuf err = PV_BUF_INIT;
	char file[300], other[320];

	(void) state;
	assert_non_null(mkdtemp(dir));
	write_rules(rule_text);
	CHECK(open_set(&err) == 0, "first: %s", pv_buf_str(&err));
	CHECK(open_set(&err) == 1, "second: %s", pv_buf_str(&err));
	only_file(file, sizeof(file));
	for (size_t i = 0; i < N_ELEMENTS(places); i++) {
		flip(file, places[i]);
		CHECK(open_set(&err) == 0, "byte %d was changed, and it was loaded", (int) places[i]);
		CHECK(open_set(&err) == 1, "not replaced");
	}
	assert_int_equal(truncate(file, 1000), 0);
	CHECK(open_set(&err) == 0, "cut off, and loaded");
	assert_int_equal(chmod(file, 0620), 0);
	CHECK(open_set(&err) == 0, "the group could write it, and it was loaded");
	(void) snprintf(other, sizeof(other), "%s.x", file);
	assert_int_equal(link(file, other), 0);
	CHECK(open_set(&err) == 0, "a second link, and loaded");
	assert_int_equal(rename(file, path("elsewhere")) | unlink(other), 0);
	assert_int_equal(symlink(path("elsewhere"), file), 0);
	CHECK(open_set(&err) == 0, "a link, and loaded");
	CHECK(open_set(&err) == 1, "not replaced");
	if (geteuid() == 0) {
		assert_int_equal(chown(file, 12345, 0), 0);
		CHECK(open_set(&err) == 0, "somebody else's, and loaded");
	}
	assert_int_equal(chmod(path("cache"), 0777), 0);
	CHECK(open_set(&err) == 0, "everybody can write the folder, and it was loaded");
	assert_int_equal(chmod(path("cache"), 0700), 0);
	CHECK(open_set(&err) == 1, "again: %s", pv_buf_str(&err));
}

static void cache_ends(void **state)
{
	pv_autobuf err = PV_BUF_INIT;
	const struct timespec month_ago[] = { { time(NULL) - 31 * 86400, 0 }, { time(NULL) - 31 * 86400, 0 } };
	char text[sizeof(rule_text) + 8], old[300];

	(void) state;
	only_file(old, sizeof(old));
	(void) snprintf(text, sizeof(text), "%s# new\n", rule_text);
	write_rules(text);
	assert_int_equal(utimensat(AT_FDCWD, old, month_ago, 0), 0);
	CHECK(open_set(&err) == 0, "other rules, and the old set was loaded");
	CHECK(access(old, F_OK) < 0, "an old set is still there");
	write_rules("schema: 1\nkind: secret\nname: x\n");
	CHECK(open_set(&err) == -EINVAL, "bad rules were taken");
	CHECK(strstr(pv_buf_str(&err), "rules.yaml:1:1: a rule file needs `reference`"), "%s", pv_buf_str(&err));
	(void) unlink(path("rules.yaml"));
	CHECK(open_set(&err) == -ENOENT, "no rules");
}

static int remove_dir(void **state)
{
	glob_t g;

	(void) state;
	if (glob(path("cache/*"), 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			(void) unlink(g.gl_pathv[i]);
		globfree(&g);
	}
	(void) rmdir(path("cache"));
	(void) unlink(path("elsewhere"));
	(void) unlink(path("rules.yaml"));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans),      cmocka_unit_test(ends_when_told), cmocka_unit_test(windows_miss_nothing),
		cmocka_unit_test(made_up_is_low), cmocka_unit_test(randomness), cmocka_unit_test(own_values), cmocka_unit_test(hostile),
		cmocka_unit_test(runs),	      cmocka_unit_test(encoded),    cmocka_unit_test(wrapped),	cmocka_unit_test(cache),
		cmocka_unit_test_teardown(cache_ends, remove_dir),
	};

	return cmocka_run_group_tests_name("match", tests, setup, teardown);
}
