#include "base/util.h"
#include "check.h"
#include "detect/credential.h"
#include "detect/miner.h"

#define WALLET "4" "7Zr9Qa1Bc2De3Fg4Hj5Km6Np7Qr8St9Uv1Wx2Yz3Ab4Cd5Ef6Gh7Jk8Lm9No1Pq2Rs3Tu4Vw5Xy6Za7Bc8De9Fg1Hj2Km3"

static const struct {
	const char *argv; /* blanks between arguments, ~ for a blank within one */
	const char *sign;
} cases[] = {
	{ "/tmp/x -o stratum+tcp://pool.example.org:3333 -u a", "a stratum URL" },
	{ "x --url=STRATUM+SSL://198.51.100.7:443", "a stratum URL" },
	{ "sh -c ./run~-o~stratum2+tcp://203.0.113.9:1", "a stratum URL" },
	{ "bash -c cd~/tmp;./a~'stratum+tls://x.example'", "a stratum URL" },
	{ "npm_update --donate-level=1", "an option that only miners have" },
	{ "nginxs --donate-level 0 -B", "an option that only miners have" },
	{ "a --randomx-1gb-pages", "an option that only miners have" },
	{ "a --algo=rx/0 -t 2", "an option that only miners have" },
	{ "[kworker] -o 203.0.113.9:443 -u " WALLET, "a Monero address and a pool" },
	{ "x --url=203.0.113.9:443 --user=" WALLET ".worker1 -p x", "a Monero address and a pool" },
	{ "payments --send-to " WALLET, NULL },
	{ "node server.js --url http://example.org -o out", NULL },
	{ "grep -r stratum+tcp:// /srv", NULL },
	{ "/usr/bin/rg --donate-level", NULL },
	{ "gcc -o main main.c -O2", NULL },
	{ "postgres: checkpointer", NULL },
	{ "java -Dpool=stratum -jar app.jar", NULL },
	{ "curl https://example.org/stratum", NULL },
	{ "", NULL },
};

static void test_signs(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char argv[400];
		size_t len = strlen(cases[i].argv);
		const char *got;

		memcpy(argv, cases[i].argv, len + 1);
		for (size_t k = 0; k < len; k++)
			argv[k] = argv[k] == ' ' ? '\0' : argv[k] == '~' ? ' ' : argv[k];
		for (size_t end = 0; end < 2; end++) { /* with and without the last NUL */
			got = miner_sign(argv, len + end);
			CHECK(got == cases[i].sign || (got && cases[i].sign && strcmp(got, cases[i].sign) == 0), "%s: %s", cases[i].argv,
			      got ? got : "nothing");
		}
	}
}

static void test_credentials(void **state)
{
	static const struct {
		const char *argv, *sign; /* as above */
	} lines[] = {
		{ "sh -c cat~/etc/shadow", "the system's passwords" },
		{ "sh -c cat~.env", "an .env file" },
		{ "sh -c cat~/app/.env.production;id", "an .env file" },
		{ "sh -c cat~../.env*", "an .env file" },
		{ "sh -c echo~k>>~/root/.ssh/authorized_keys", "SSH keys" },
		{ "tar c /home/a/.ssh/id_ed25519", "SSH keys" },
		{ "wget -qO- http://169.254.169.254/latest/meta-data/iam/", "the cloud's metadata address" },
		{ "sh -c cat~</proc/self/environ", "a process's environment" },
		{ "sh -c ls~/run/secrets/db", "mounted secrets" },
		{ "sh -c source~.envrc", NULL },
		{ "sh -c ls~/etc/shadows", NULL },
		{ "node --env-file=x.environment", NULL },
		{ "sh -c id", NULL },
		{ "", NULL },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
		char argv[200];
		size_t len = strlen(lines[i].argv);
		const char *got;

		memcpy(argv, lines[i].argv, len + 1);
		for (size_t k = 0; k < len; k++)
			argv[k] = argv[k] == ' ' ? '\0' : argv[k] == '~' ? ' ' : argv[k];
		got = credential_sign(argv, len);
		CHECK(got == lines[i].sign || (got && lines[i].sign && strcmp(got, lines[i].sign) == 0), "%s: %s", lines[i].argv, got ? got : "nothing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_signs), cmocka_unit_test(test_credentials) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
