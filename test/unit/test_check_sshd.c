/* Our reading of sshd_config against sshd's own (`sshd -T -C`): 200 generated configurations, each asked for a stranger, for
 * somebody of every Match block, and for one at random. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "check.h"
#include "check/sshd_conf.h"

#define SSHD	"/usr/sbin/sshd"
#define CONFIGS 200

static char dir[64];
static uint32_t seed;

static unsigned dice(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

#define PICK(list) list[dice(N_ELEMENTS(list))]

static void setting(FILE *f)
{
	static const char *const keys[] = { "PasswordAuthentication", "passwordauthentication", "KbdInteractiveAuthentication",
					    "ChallengeResponseAuthentication", "PermitRootLogin", "PermitRootLogin", "AuthenticationMethods",
					    "X11Forwarding" };
	static const char *const roots[] = { "yes", "no", "prohibit-password", "without-password", "forced-commands-only" };
	static const char *const methods[] = { "any", "publickey", "publickey,password", "password publickey", "publickey,password publickey,keyboard-interactive" };
	const char *key = PICK(keys), *value = dice(2) ? "yes" : "no", *sep = dice(6) ? " " : dice(2) ? "=" : " = ";

	if (key[0] == 'P' && key[1] == 'e')
		value = PICK(roots);
	else if (key[0] == 'A')
		value = PICK(methods);
	fprintf(f, "%s%s%s%s%s\n", dice(3) ? "" : "  ", key, sep, value, dice(8) || key[0] == 'A' ? "" : " # note");
}

static void criteria(FILE *f)
{
	static const char *const users[] = { "bob", "bob,alice", "root", "*,!root", "dep*", "!bob,*", "?ob" };
	static const char *const addresses[] = { "10.0.0.0/8", "192.168.*", "198.51.100.217", "!10.1.0.0/16,10.0.0.0/8", "2001:db8::/32", "*" };
	static const char *const hosts[] = { "*.example.com", "HOST.example.com", "!a.example.com,*.example.com" };

	if (dice(8) == 0) {
		fputs("Match all\n", f);
		return;
	}
	fputs("Match", f);
	if (dice(2))
		fprintf(f, " %s %s", dice(2) ? "User" : "user", PICK(users));
	if (dice(3) == 0)
		fprintf(f, " Host %s", PICK(hosts));
	if (dice(3) == 0)
		fprintf(f, " LocalPort %u", dice(2) ? 22 : 2222);
	fprintf(f, " Address %s\n", PICK(addresses));
}

static void generate(const char *path)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	for (unsigned n = dice(4); n; n--)
		setting(f);
	for (unsigned blocks = dice(5); blocks; blocks--) {
		criteria(f);
		for (unsigned n = 1 + dice(3); n; n--)
			setting(f);
		if (dice(4) == 0)
			fputs("# a comment\n\n", f);
	}
	(void) fclose(f);
}

static size_t run(const char *command, char *out, size_t size)
{
	FILE *p = popen(command, "re");
	size_t n = p ? fread(out, 1, size - 1, p) : 0;

	out[n] = '\0';
	return p && pclose(p) == 0 ? n : 0;
}

static void read_file(const char *path, char *out, size_t size, size_t *ret)
{
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	*ret = fread(out, 1, size, f);
	(void) fclose(f);
}

static void agree(struct arena *a, const struct sshd_conf *ours, const char *path, const struct sshd_login *who, unsigned n, unsigned *asked)
{
	static char out[65536];
	struct sshd_conf *theirs = arena_alloc(a, sizeof(*theirs));
	struct sshd_block mine = sshd_effective(ours, who);
	const struct sshd_value *why;
	char command[512];
	size_t len;

	(void) snprintf(command, sizeof(command), SSHD " -T -f %s -h %s/key -C %s 2>/dev/null", path, dir, sshd_login_text(a, who));
	len = run(command, out, sizeof(out));
	if (!len) /* two settings that exclude each other: it would not start with this */
		return;
	++*asked;
	assert_int_equal(sshd_conf_read(a, theirs, "sshd -T", out, len, NULL), 0);
	CHECK(sshd_password_possible(ours, &mine, &why) == sshd_password_possible(theirs, &theirs->global, &why), "configuration %u, %s: password", n,
	      sshd_login_text(a, who));
	CHECK_STR(sshd_root_login(ours, &mine), sshd_root_login(theirs, &theirs->global), "configuration %u, %s: root", n, sshd_login_text(a, who));
}

static void one(unsigned n, unsigned *asked)
{
	static const struct sshd_login some[] = { { "bob", "host.example.com", "10.1.2.3", "192.0.2.1", 22 },
						  { "root", "a.example.com", "192.168.7.7", "192.0.2.1", 2222 },
						  { "deploy", "x.test", "2001:db8::9", "192.0.2.1", 22 },
						  { "alice", "b.example.com", "10.2.2.2", "192.0.2.1", 2222 } };
	struct sshd_login who = sshd_stranger();
	static char text[65536];
	auto_arena a = { 0 };
	struct sshd_conf *c = arena_alloc(&a, sizeof(*c));
	char path[128];
	size_t len;

	(void) snprintf(path, sizeof(path), "%s/conf", dir);
	generate(path);
	read_file(path, text, sizeof(text), &len);
	assert_int_equal(sshd_conf_read(&a, c, path, text, len, NULL), 0);
	agree(&a, c, path, &who, n, asked);
	for (size_t i = 0; i < c->n_matches; i++)
		if (sshd_login_for(&a, c->match[i].criteria, &who)) {
			CHECK(sshd_applies(c->match[i].criteria, &who), "configuration %u: %s", n, c->match[i].criteria);
			agree(&a, c, path, &who, n, asked);
		}
	agree(&a, c, path, &PICK(some), n, asked);
}

static void test_agreement(void **state)
{
	static char out[65536];
	char command[256];
	unsigned asked = 0;
	bool made;

	(void) state;
	if (geteuid() != 0 || access(SSHD, X_OK) < 0) {
		print_message("# needs root and sshd\n");
		skip();
	}
	(void) strcpy(dir, "/tmp/pv-sshd-XXXXXX");
	assert_non_null(mkdtemp(dir));
	made = mkdir("/run/sshd", 0755) == 0;
	(void) snprintf(command, sizeof(command), "ssh-keygen -q -t ed25519 -N '' -f %s/key 2>&1", dir);
	(void) run(command, out, sizeof(out));
	seed = 20261128;
	for (unsigned n = 0; n < CONFIGS; n++)
		one(n, &asked);
	(void) snprintf(command, sizeof(command), "rm -r %s", dir);
	(void) run(command, out, sizeof(out));
	if (made)
		(void) rmdir("/run/sshd");
	print_message("# sshd was asked %u times\n", asked);
	CHECK(asked >= 3 * CONFIGS, "asked %u times only", asked);
}

/* One of two includes is there and cannot be read. */
static int each(void *user, const char *pattern, void (*fn)(void *arg, const char *path, const char *text, size_t len), void *arg)
{
	(void) user;
	(void) fn;
	(void) arg;
	return strcmp(pattern, "/etc/ssh/absent") == 0 ? -ENOENT : -EACCES;
}

static void test_unread(void **state)
{
	static const struct {
		const char *text, *at;
		int unread;
	} rows[] = { { "Include absent\n", NULL, 0 },
		     { "Include sshd_config.d/*.conf absent\n", "/etc/ssh/sshd_config.d/*.conf", -EACCES },
		     { "Match User bob\nInclude /x\n", "/x", -EACCES } };
	const struct conf_source files = { .each = each };

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		auto_arena a = { 0 };
		struct sshd_conf *c = arena_alloc(&a, sizeof(*c));

		assert_int_equal(sshd_conf_read(&a, c, "x", rows[i].text, strlen(rows[i].text), &files), 0);
		CHECK(c->unread == rows[i].unread, "row %zu: %d", i, c->unread);
		CHECK_STR(c->unread_at, rows[i].at, "row %zu", i);
	}
}

static void test_criteria(void **state)
{
	static const struct {
		const char *criteria, *want; /* NULL: nobody */
	} rows[] = {
		{ "User bob", "user=bob,host=stranger.example.net,addr=198.51.100.217,laddr=192.0.2.1,lport=22" },
		{ "User *,!stranger", "user=x,host=stranger.example.net,addr=198.51.100.217,laddr=192.0.2.1,lport=22" },
		{ "Address 10.0.0.0/8 User deploy", "user=deploy,host=stranger.example.net,addr=10.0.0.1,laddr=192.0.2.1,lport=22" },
		{ "Address 192.168.*", "user=stranger,host=stranger.example.net,addr=192.168.1.1,laddr=192.0.2.1,lport=22" },
		{ "LocalPort 2222", "user=stranger,host=stranger.example.net,addr=198.51.100.217,laddr=192.0.2.1,lport=2222" },
		{ "User !bob", NULL },
		{ "Group wheel", NULL },
		{ "User bob Group wheel", NULL },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct sshd_login who;
		auto_arena a = { 0 };
		bool any = sshd_login_for(&a, rows[i].criteria, &who);

		CHECK_STR(any ? sshd_login_text(&a, &who) : NULL, rows[i].want, "%s", rows[i].criteria);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_unread), cmocka_unit_test(test_criteria), cmocka_unit_test(test_agreement) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
