#include "bpf/opening.h"

#include "check.h"
#include "base/util.h"
#include "hello.h"
#include "model/dns_table.h"

/* As the kernel feeds it: segments, in each of them chunks of its buffer. */
static enum opening_found feed(struct opening *o, const uint8_t *data, size_t len, size_t step)
{
	opening_begin(o);
	for (size_t at = 0; at < len && opening_goes_on(o);) {
		uint8_t buf[DNS_BUF];
		size_t n = PV_MIN(step ? step : len, len - at);

		if (at)
			opening_segment(o);
		for (size_t off = 0; off < n;) {
			uint32_t chunk = (uint32_t) PV_MIN(n - off, sizeof(buf)), i = 0;

			memcpy(buf, data + at + off, chunk);
			while (i < chunk && !o->found && o->kind != OPENING_OTHER)
				i += opening_take(o, buf, i, chunk);
			off += chunk;
		}
		at += n;
	}
	return (enum opening_found) o->found;
}

static uint64_t fnv(const char *s)
{
	uint64_t hash = JSON_FNV;

	for (; *s; s++)
		hash = (hash ^ (uint8_t) *s) * 0x100000001b3ull;
	return hash;
}

static void test_words(void **state)
{
	(void) state;
	assert_int_equal(fnv("method"), JSON_METHOD);
	assert_int_equal(fnv("agent"), JSON_AGENT);
	assert_int_equal(fnv("login"), JSON_LOGIN);
	assert_int_equal(fnv("mining."), JSON_MINING);
	assert_int_equal(fnv("eth_submitlogin"), JSON_SUBMITLOGIN);
}

static void test_json(void **state)
{
	static const struct {
		const char *text;
		enum opening_found found;
	} cases[] = {
		{ "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}", OPENING_MINER },
		{ "{\"method\":\"mining.authorize\"", OPENING_MINER }, /* not even whole */
		{ "{\"method\":\"mining.", OPENING_NOTHING },
		{ "{\"method\":\"eth_submitLogin\",\"worker\":\"eth1.0\"}", OPENING_MINER },
		{ "{\"params\":{\"agent\":\"x\"},\"method\":\"login\"}", OPENING_MINER },
		{ "\n\n [ {\"a\":[1,{\"b\":2}]}, {\"method\" : \"MINING.x\"} ]", OPENING_MINER },
		{ "{\"\\u006d\\u0065thod\":\"\\u004dining\\u002Esubmit\"}", OPENING_MINER },
		{ "{\"method\":\"eth_subscribe\"}", OPENING_NOTHING },
		{ "{\"method\":\"eth_submitWork\"}", OPENING_NOTHING },
		{ "{\"method\":\"login\",\"params\":{}}", OPENING_NOTHING },
		{ "{\"method\":\"login\"}{\"agent\":1}", OPENING_NOTHING }, /* of two messages */
		{ "{\"agent\":\"login\",\"method\":\"x\"}", OPENING_NOTHING },
		{ "{\"method\":[\"mining.subscribe\"]}", OPENING_NOTHING },
		{ "{\"method\":1,\"x\":\"mining.subscribe\"}", OPENING_NOTHING },
		{ "{\"x\":{\"method\":\"mining.subscribe\"}}", OPENING_NOTHING },
		{ "{\"method\":\"data.mining.x\"}", OPENING_NOTHING },
		{ "{\"method\":\"miningx\"}", OPENING_NOTHING },
		{ "{\"q\":\"\\\",\\\"method\\\":\\\"mining.x\"}", OPENING_NOTHING },
		{ "{\x01\"method\":\"mining.x\"}", OPENING_NOTHING },
		{ "GET /mining.subscribe HTTP/1.1\r\n\r\n{\"method\":\"mining.x\"}", OPENING_NOTHING },
		{ "mining.subscribe", OPENING_NOTHING },
		{ "", OPENING_NOTHING },
	};
	struct opening o;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		for (size_t step = 0; step < 9; step++) {
			enum opening_found r = feed(&o, (const uint8_t *) cases[i].text, strlen(cases[i].text), step);

			CHECK(r == cases[i].found, "%s, %zu at a time: %d", cases[i].text, step, r);
		}
}

static void test_proxies(void **state)
{
	static const char connect_[] = "CONNECT pool:1 HTTP/1.1\r\n\r\n{\"method\":\"mining.x\"}",
			  socks5[] = "\5\1\0\5\1\0\1\1\2\3\4\0\1{\"method\":\"mining.x\"}",
			  socks4[] = "\4\1\15\5\1\2\3\4\0{\"method\":\"mining.x\"}";
	static const struct {
		const char *text;
		size_t len, step; /* `step` octets are the proxy's; the rest comes in one segment or in several */
	} cases[] = { { connect_, sizeof(connect_) - 1, 27 },
		      { socks5, sizeof(socks5) - 1, 13 },
		      { socks4, sizeof(socks4) - 1, 9 } };
	struct opening o;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		CHECK(feed(&o, (const uint8_t *) cases[i].text, cases[i].len, cases[i].step) == OPENING_MINER, "proxy %zu", i);
}

static void test_hello(void **state)
{
	static const size_t befores[] = { 0, 3, 517, 1700 }, records[] = { 0, 1, 5, 100 };
	static uint8_t hello[16384];
	struct opening o;

	(void) state;
	for (size_t b = 0; b < N_ELEMENTS(befores); b++)
		for (size_t r = 0; r < N_ELEMENTS(records); r++)
			for (size_t step = 0; step < 4; step++) {
				size_t len = hello_make(hello, "Pool.HashVault.pro", befores[b], records[r]);

				CHECK(feed(&o, hello, len, step) == OPENING_SNI && o.name_len == 18 &&
					      memcmp(o.name, "Pool.HashVault.pro", 18) == 0,
				      "%zu before, records of %zu, %zu at a time", befores[b], records[r], step);
				len = hello_make(hello, NULL, befores[b], records[r]);
				memcpy(hello + len, "\x14\3\3\0\1\1", 6); /* what follows the hello */
				CHECK(feed(&o, hello, len + 6, step) == OPENING_NOTHING && o.kind == OPENING_OTHER,
				      "no name, %zu before", befores[b]);
			}
}

static void test_pools(void **state)
{
	static const struct {
		const char *name;
		int pool, match;
	} cases[] = {
		{ "hashvault.pro", POOL_NAME, 1 },
		{ "a.b.c.HashVault.Pro.", POOL_NAME, 1 },
		{ "donate.v2.xmrig.com", POOL_NAME, 1 },
		{ "x.donate.v2.xmrig.com", POOL_NAME, 1 },
		{ "v2.xmrig.com", 0, 0 },
		{ "xmrig.com", 0, 0 },
		{ "donate.v1.xmrig.com", 0, 0 },
		{ "notahashvault.pro", 0, 0 },
		{ "pro", 0, 0 },
		{ "hashvault.pro.example", 0, 0 },
		{ "dns.google", POOL_RESOLVER, 0 },
		{ "ok.hashvault.pro", POOL_NAME, 0 }, /* dns.allow */
		{ "a..hashvault.pro", -EINVAL, -EINVAL },
	};
	static const char names[][128] = { "pool.*" }, allow[][128] = { "ok.hashvault.pro" };
	struct dns_table *t = malloc(sizeof(*t));
	char err[200], many[64];
	int r = 0, n = 0;

	(void) state;
	assert_non_null(t);
	assert_int_equal(dns_table_build(t, names, 1, allow, 1, err, sizeof(err)), 0);
	assert_int_equal(dns_table_pool(t, "HashVault.pro", POOL_NAME), 0);
	assert_int_equal(dns_table_pool(t, "donate.v2.xmrig.com", POOL_NAME), 0);
	assert_int_equal(dns_table_pool(t, "dns.google", POOL_RESOLVER), 0);
	assert_int_equal(dns_table_pool(t, "com", POOL_NAME), -EINVAL);
	assert_int_equal(dns_table_pool(t, "a.b.c.d.e", POOL_NAME), -EINVAL);
	assert_int_equal(dns_table_pool(t, "*.x.org", POOL_NAME), -EINVAL);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		int pattern = -1;

		CHECK(dns_name_pool(t, cases[i].name) == cases[i].pool, "%s: %d", cases[i].name, dns_name_pool(t, cases[i].name));
		CHECK(dns_name_match(t, cases[i].name, &pattern) == cases[i].match &&
			      (cases[i].match != 1 || pattern == DNS_POOL),
		      "%s", cases[i].name);
	}
	while (r == 0 && n < 5000) {
		(void) snprintf(many, sizeof(many), "pool-%d.example%d.org", n, n % 7);
		r = dns_table_pool(t, many, POOL_NAME);
		n += r == 0;
	}
	CHECK(r == -E2BIG && n > 1900, "%d names fit", n);
	for (int i = 0; i < n; i++) {
		(void) snprintf(many, sizeof(many), "eu.pool-%d.example%d.org", i, i % 7);
		CHECK(dns_name_pool(t, many) == POOL_NAME, "%s", many);
	}
	CHECK(dns_name_pool(t, "hashvault.pro") == POOL_NAME, "and the first ones are still there");
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words), cmocka_unit_test(test_json),  cmocka_unit_test(test_proxies),
		cmocka_unit_test(test_hello), cmocka_unit_test(test_pools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
