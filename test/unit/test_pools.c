#include "policy_child/pools.h"

#include <sodium.h>

#include "base/util.h"
#include "check.h"
#include "model/conf.h"
#include "model/dns_table.h"
#include "model/minisign.h"

/* By minisign 0.11 itself, over `hello`. */
static const char real_key[] = "RWRc3tvQjvJRnKuGywS0H21AqfUu+ME7Gbfv7h4ILYhNubPoE6gB5MON";
static const char real_hashed[] =
	"untrusted comment: signature from minisign secret key\n"
	"RURc3tvQjvJRnCSu5oIg1vYql6ASpU14zmtPXeVgT91sx27fIGhrX/LXaY6tr8RrXdhUD8C38lYVVBFfXdJtAGhObbzOMnNHdgs=\n"
	"trusted comment: version 7\n"
	"bcf82gdu1/Yw/LSZF9Clcrwahgu/Gm8wexU/hJTsN/pDkRW++MELuYWFUqmPcVltv0aVIAaPNkYpCcvIScsTCQ==\n";
static const char real_legacy[] =
	"untrusted comment: signature from minisign secret key\n"
	"RWRc3tvQjvJRnFagdNV7sc9wpX1+C5ZYdF7ZH51QuS2LnQ/+dWQdaiAFQu0XxQhp6HNoJopAFRGdjuxZro1we9A95V3OqNWyfAA=\n"
	"trusted comment: old form\n"
	"0ywI5aFK/Mb0CYelm5q0SK/iDWIDCUnPdowOWb/rqFNPjovnqKxtK7fBqDWiQY2dUfFruVDlV0q9IhZ+H/9EAw==\n";

static void test_minisign(void **state)
{
	struct minisign_key key, other;
	char text[sizeof(real_hashed)];

	(void) state;
	assert_int_equal(minisign_key_parse(real_key, &key), 0);
	assert_int_equal(minisign_key_parse("RWQ", &key), -EINVAL);
	assert_int_equal(minisign_key_parse(real_key, &key), 0);
	assert_int_equal(minisign_verify(&key, "hello", 5, real_hashed, strlen(real_hashed)), 0);
	assert_int_equal(minisign_verify(&key, "hello", 5, real_legacy, strlen(real_legacy)), 0);
	assert_int_equal(minisign_verify(&key, "hallo", 5, real_hashed, strlen(real_hashed)), -EKEYREJECTED);
	assert_int_equal(minisign_verify(&key, "hello", 5, "", 0), -EBADMSG);
	other = key;
	other.id[0]++;
	assert_int_equal(minisign_verify(&other, "hello", 5, real_hashed, strlen(real_hashed)), -ENOKEY);
	memcpy(text, real_hashed, sizeof(text));
	strstr(text, "version 7")[8] = '8'; /* the comment is signed, too */
	assert_int_equal(minisign_verify(&key, "hello", 5, text, strlen(text)), -EKEYREJECTED);
	for (size_t n = 0; n < strlen(real_hashed) - 1; n++) /* the last line's end may be missing */
		CHECK(minisign_verify(&key, "hello", 5, real_hashed, n) < 0, "cut at %zu", n);
}

/* ---- a list of one's own ---- */

static uint8_t secret[64];
static char key_text[MINISIGN_KEY_TEXT + 1];

static void make_key(void)
{
	uint8_t raw[42] = "Ed"
			  "12345678",
		seed[32] = { 7 };

	assert_int_equal(crypto_sign_seed_keypair(raw + 10, secret, seed), 0);
	sodium_bin2base64(key_text, sizeof(key_text), raw, sizeof(raw), sodium_base64_VARIANT_ORIGINAL);
}

static void sign(char *out, size_t size, const char *text)
{
	uint8_t sig[74] = "ED"
			  "12345678",
		hash[64], global[64], both[64 + 3];
	char first[128], last[128];

	crypto_generichash(hash, sizeof(hash), (const uint8_t *) text, strlen(text), NULL, 0);
	crypto_sign_detached(sig + 10, NULL, hash, sizeof(hash), secret);
	memcpy(both, sig + 10, 64);
	memcpy(both + 64, "abc", 3);
	crypto_sign_detached(global, NULL, both, sizeof(both), secret);
	sodium_bin2base64(first, sizeof(first), sig, sizeof(sig), sodium_base64_VARIANT_ORIGINAL);
	sodium_bin2base64(last, sizeof(last), global, sizeof(global), sodium_base64_VARIANT_ORIGINAL);
	(void) snprintf(out, size, "untrusted comment: x\n%s\ntrusted comment: abc\n%s\n", first, last);
}

#define LIST(version, name)                                                                                                      \
	"schema: 1\nkind: ioc\nname: pools\nversion: " version                                                                   \
	"\nreference: [https://example.org/]\nverified: documentation\nrules:\n"                                                 \
	"  - {id: net.pool-name, title: t, severity: high, names: [" name "], examples: {yes: [" name "], no: [x]}}\n"           \
	"  - {id: net.pool-port, title: t, severity: high, names: [\"7777\"], examples: {yes: [\"7777\"], no: [x]}}\n"

static struct pool_file file_of(const char *name, const char *text)
{
	return (struct pool_file){ .name = name, .text = text, .len = text ? strlen(text) : 0 };
}

static void test_own(void **state)
{
	static const struct {
		const char *own;
		bool key, sig;
		const char *signed_; /* what the signature is of; NULL: of `own` */
		uint64_t present;
		int result;
		const char *says, *in_force;
	} cases[] = {
		{ NULL, true, false, NULL, 0, 0, "", "shipped.org" },
		{ LIST("11", "own.org"), true, true, NULL, 0, 0, "", "own.org" },
		{ LIST("10", "own.org"), true, true, NULL, 0, 0, "", "own.org" }, /* as old as the shipped one */
		{ LIST("11", "own.org"), false, true, NULL, 0, 0, "no key is configured", "shipped.org" },
		{ LIST("11", "own.org"), true, false, NULL, 0, 0, "not signed", "shipped.org" },
		{ LIST("11", "own.org"), true, true, LIST("11", "other.org"), 0, 0, "changed after it was signed",
		  "shipped.org" },
		{ LIST("9", "own.org"), true, true, NULL, 0, 0, "older (version 9) than the present one (10)", "shipped.org" },
		{ LIST("11", "own.org"), true, true, NULL, 12, -ESTALE, "older (version 11) than the present one (12)", NULL },
		{ LIST("12", "own.org"), true, true, NULL, 12, 0, "", "own.org" },
		{ "schema: 1\nrules: 5\n", true, true, NULL, 0, 0, "own.yaml:", "shipped.org" },
		{ LIST("11", "own"), true, true, NULL, 0, 0, "is not of the kind", "shipped.org" },
	};
	struct policy *p = malloc(sizeof(*p));

	(void) state;
	assert_non_null(p);
	make_key();
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct pool_file shipped = file_of("shipped.yaml", LIST("10", "shipped.org")),
				 own = file_of("own.yaml", cases[i].own), sig;
		pv_autobuf err = PV_BUF_INIT, notes = PV_BUF_INIT;
		char text[600] = "";
		int r;

		conf_defaults(p);
		if (cases[i].key)
			memcpy(p->pool.key, key_text, sizeof(key_text));
		assert_int_equal(conf_finish(p, &err), 0);
		if (cases[i].own && cases[i].sig)
			sign(text, sizeof(text), cases[i].signed_ ? cases[i].signed_ : cases[i].own);
		sig = file_of("own.yaml.minisig", *text ? text : NULL);
		r = pools_take(p, &shipped, &own, &sig, cases[i].present, &err, &notes);
		CHECK(r == cases[i].result, "case %zu: %d, %s%s", i, r, pv_buf_str(&err), pv_buf_str(&notes));
		CHECK(strstr(pv_buf_str(r < 0 ? &err : &notes), cases[i].says) && (*cases[i].says || !notes.len), "case %zu: %s",
		      i, pv_buf_str(&notes));
		if (!cases[i].in_force)
			continue;
		CHECK(strstr(p->pool.refused, cases[i].says) && !*p->pool.refused == !*cases[i].says, "case %zu: %s", i, p->pool.refused);
		CHECK(dns_name_pool(&p->dns.table, cases[i].in_force) == POOL_NAME, "case %zu: %s", i, cases[i].in_force);
		CHECK(dns_name_pool(&p->dns.table, strcmp(cases[i].in_force, "own.org") ? "own.org" : "shipped.org") == 0,
		      "case %zu: the other one", i);
		CHECK(p->pool.n_ports == 1 && p->pool.ports[0] == 7777 && policy_check(p) == 0, "case %zu: ports", i);
	}
	free(p);
}

/* One that is there and cannot be read is refused as well, and never silently. */
static void test_unreadable(void **state)
{
	struct pool_file shipped = file_of("shipped.yaml", LIST("10", "shipped.org")), none = { 0 },
			 own = { .name = "own.yaml", .trouble = "its file can be written by others" };
	pv_autobuf err = PV_BUF_INIT, notes = PV_BUF_INIT;
	struct policy *p = malloc(sizeof(*p));

	(void) state;
	conf_defaults(p);
	assert_int_equal(conf_finish(p, &err), 0);
	assert_int_equal(pools_take(p, &shipped, &own, &none, 0, &err, &notes), 0);
	CHECK_STR(p->pool.refused, "own.yaml is not used: its file can be written by others", "why");
	CHECK_STR(pv_buf_str(&notes), "own.yaml is not used: its file can be written by others\n", "note");
	assert_int_equal(dns_name_pool(&p->dns.table, "shipped.org"), POOL_NAME);
	assert_int_equal(pools_take(p, &shipped, &own, &none, 12, &err, &notes), -ESTALE);
	own.trouble = NULL;
	assert_int_equal(pools_take(p, &shipped, &own, &none, 0, &err, &notes), 0);
	CHECK_STR(p->pool.refused, "", "there is none");
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_minisign), cmocka_unit_test(test_own), cmocka_unit_test(test_unreadable) };

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
