/* Units, sshd, sockets, and whole saved hosts: a folder with the files of one, and the verdicts it must get. */
#include <fcntl.h>
#include <ftw.h>
#include <lz4frame.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/util.h"
#include "check.h"
#include "check/apt_conf.h"
#include "check/dumps.h"
#include "check/gather.h"
#include "check/packed.h"
#include "check/proc_net.h"
#include "check/secret_name.h"
#include "check/sshd_conf.h"
#include "check/unit_file.h"

enum { F = FINDING_FAIL, P = FINDING_PASS, U = FINDING_UNKNOWN, N = FINDING_NOT_APPLICABLE };

/* --- parsers --- */

static void test_unit_file(void **state)
{
	static const struct {
		const char *text, *user;
		bool tmp, nnp, dynamic, implied;
		size_t env, files;
	} rows[] = {
		{ "[Service]\nUser=app\nPrivateTmp=yes\n", "app", true, false, false, false, 0, 0 },
		{ "[Service]\nUser=app\nUser=\n", NULL, false, false, false, false, 0, 0 },
		{ "[Service]\nPrivateTmp=yes\n[Service]\nPrivateTmp=no\n", NULL, false, false, false, false, 0, 0 },
		{ "User=x\n[Unit]\nUser=y\nNoNewPrivileges=yes\n", NULL, false, false, false, false, 0, 0 },
		{ "[Service]\n# User=x\n; User=y\nDynamicUser = true\n", NULL, false, false, true, false, 0, 0 },
		{ "[Service]\nEnvironment=A=1 \"B=two words\" \\\n  C=3\nEnvironmentFile=-/x\nEnvironmentFile=/y\n", NULL, false, false, false, false, 3, 2 },
		{ "[Service]\nEnvironment=A=1\nEnvironment=\nEnvironment=B=2\n", NULL, false, false, false, false, 1, 0 },
		{ "[Service]\nSystemCallFilter=@system-service\nNoNewPrivileges=on\n", NULL, false, true, false, true, 0, 0 },
		{ "[Service]\nPrivateDevices=no\n", NULL, false, false, false, false, 0, 0 },
		{ "[Service]\nUser=a\\\n# comment between\nb\n", "a b", false, false, false, false, 0, 0 },
		{ "", NULL, false, false, false, false, 0, 0 },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct unit_file u = { .name = "x" };
		auto_arena a = { 0 };

		assert_int_equal(unit_file_read(&a, &u, rows[i].text, strlen(rows[i].text), "/x"), 0);
		CHECK_STR(u.user, rows[i].user, "row %zu", i);
		CHECK(u.private_tmp == rows[i].tmp && u.no_new_privileges == rows[i].nnp && u.dynamic_user == rows[i].dynamic &&
			      u.implies_nnp == rows[i].implied, "row %zu", i);
		CHECK(u.env.n == rows[i].env && u.env_file.n == rows[i].files, "row %zu: %zu %zu", i, u.env.n, u.env_file.n);
	}
}

static void test_sshd_conf(void **state)
{
	static const struct {
		const char *text;
		bool password;	 /* for everybody */
		bool by_match;	 /* in the first Match block */
		const char *root;
		unsigned port;
	} rows[] = {
		{ "", true, false, "prohibit-password", 0 },
		{ "PasswordAuthentication no\n", true, false, "prohibit-password", 0 },
		{ "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n", false, false, "no", 0 },
		{ "passwordauthentication=no\nChallengeResponseAuthentication \"no\"\nPort 2222\n", false, false, "prohibit-password", 2222 },
		{ "PasswordAuthentication no\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\n", false, false, "prohibit-password", 0 },
		{ "#PasswordAuthentication no\nPermitRootLogin yes # really\n", true, false, "yes", 0 },
		{ "PasswordAuthentication no\nKbdInteractiveAuthentication no\nMatch User bob\n PasswordAuthentication yes\n", false, true, "prohibit-password", 0 },
		{ "Match User bob\n PasswordAuthentication no\n KbdInteractiveAuthentication no\n", true, false, "prohibit-password", 0 },
		{ "Match all\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n", false, false, "prohibit-password", 0 },
		{ "AuthenticationMethods publickey,password publickey\n", false, false, "prohibit-password", 0 },
		{ "AuthenticationMethods password publickey\n", true, false, "prohibit-password", 0 },
		{ "AuthenticationMethods any\n", true, false, "prohibit-password", 0 },
		{ "PermitRootLogin without-password\n", true, false, "prohibit-password", 0 },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct sshd_conf *c = calloc(1, sizeof(*c));
		const struct sshd_value *why;
		struct sshd_block all;
		auto_arena a = { 0 };

		assert_int_equal(sshd_conf_read(&a, c, "x", rows[i].text, strlen(rows[i].text), NULL), 0);
		all = sshd_effective(c, &(struct sshd_login){ "x", "h", "198.51.100.1", "192.0.2.1", 22 });
		CHECK(sshd_password_possible(c, &all, &why) == rows[i].password, "row %zu", i);
		CHECK(!rows[i].by_match || (c->n_matches == 1 && sshd_password_possible(c, &c->match[0], &why)), "row %zu", i);
		CHECK_STR(sshd_root_login(c, &all), rows[i].root, "row %zu", i);
		CHECK((c->n_ports ? c->port[0] : 0) == rows[i].port, "row %zu", i);
		free(c);
	}
}

static void test_proc_net(void **state)
{
	static const char text[] =
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
		"   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1\n"
		"   1: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2\n"
		"   2: 0100007F:1538 0A007BCB:0D05 01 00000000:00000000 00:00000000 00000000     0        0 3\n"
		"   3: garbage\n"
		"   4: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0 0 0\n";
	struct proc_net net = { .n = 0 };
	auto_arena a = { 0 };

	(void) state;
	proc_net_parse(&a, text, strlen(text), false, &net);
	assert_int_equal(net.n, 4);
	assert_true(net.item[0].listens && net.item[0].port == 22 && !proc_net_inner(&net.item[0].addr));
	assert_true(net.item[1].listens && proc_net_inner(&net.item[1].addr));
	assert_true(net.item[2].connected && net.item[2].peer_port == 3333 && !proc_net_inner(&net.item[2].peer));
	assert_true(net.item[3].port == 8080 && proc_net_inner(&net.item[3].addr)); /* ::1 */
}

static void test_secret_words(void **state)
{
	static const struct {
		const char *name, *value;
		bool secret;
	} rows[] = {
		{ "DB_PASSWORD", "x1y2z3", true },	     { "dbPassword", "x1y2z3", true },	   { "API_KEY", "abcd", true },
		{ "PASSWORD_FILE", "/run/x", false },	     { "DB_PASSWORD", "/run/secrets/x", false }, { "PUBLIC_KEY", "abcd", false },
		{ "AWS_ACCESS_KEY_ID", "AKIA", false },	     { "JWT_TTL", "900", false },	   { "MAX_TOKENS", "4096", false },
		{ "DATABASE_URL", "postgres://u:p@h/d", true }, { "DATABASE_URL", "postgres://h/d", false }, { "COMPASS", "north", false },
		{ "REQUIRE_PASSWORD", "true", false },	     { "TOKEN", "", false },		   { "SECRET", "${X}", false },
		{ "NEXT_PUBLIC_API_KEY", "abcd", false },    { "PASSPORT", "abc", false },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		CHECK((secret_name(rows[i].name) && secret_value(rows[i].name, rows[i].value)) == rows[i].secret, "%s=%s", rows[i].name, rows[i].value);
}

/* --- saved hosts --- */

struct entry {
	const char *path, *text; /* text NULL: a folder */
	unsigned mode, days_old;
};

static char root[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void) st;
	(void) type;
	(void) ftw;
	return remove(path);
}

static void put(const struct entry *e)
{
	char path[512];
	int fd;

	(void) snprintf(path, sizeof(path), "%s%s", root, e->path);
	for (char *p = path + strlen(root) + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			(void) mkdir(path, 0755);
			*p = '/';
		}
	if (!e->text) {
		(void) mkdir(path, 0755);
	} else {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		assert_true(fd >= 0 && write(fd, e->text, strlen(e->text)) == (ssize_t) strlen(e->text));
		(void) close(fd);
	}
	if (e->mode)
		assert_int_equal(chmod(path, e->mode), 0);
	if (e->days_old) {
		struct timespec at[2] = { { .tv_sec = time(NULL) - (time_t) e->days_old * 86400 } };

		at[1] = at[0];
		assert_int_equal(utimensat(AT_FDCWD, path, at, 0), 0);
	}
}

/* A git index of version 2 that holds one path. */
static void put_index(const char *dir, const char *tracked)
{
	unsigned char data[256] = "DIRC\0\0\0\2\0\0\0\1";
	char path[256];
	size_t n = 12 + 62, len = strlen(tracked);
	int fd;

	data[12 + 24 + 2] = 0x81; /* mode 0100644 */
	data[12 + 24 + 3] = 0xa4;
	data[12 + 61] = (unsigned char) len;
	memcpy(data + n, tracked, len);
	n += len;
	n = 12 + ((n - 12) / 8 + 1) * 8;
	(void) snprintf(path, sizeof(path), "%s%s/.git/index", root, dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0 && write(fd, data, n + 20) == (ssize_t) n + 20);
	(void) close(fd);
}

static char big[300001]; /* more than is read of a unit; filled in main() */

static const struct entry git_dir[] = {
	{ "/srv/shop/.git/HEAD", "ref: refs/heads/main\n", 0 }, { "/srv/shop/.git/objects", NULL, 0 }, { "/srv/shop/.git/refs/heads", NULL, 0 },
	{ "/srv/shop/.git/config", "[core]\n\trepositoryformatversion = 0\n", 0 },
};

/* Certificates for a.example.com of an authority made for this: one that has ended, one that lasts for decades. */
#define CERT_OLD \
	"-----BEGIN CERTIFICATE-----\n" \
	"MIIBeTCCAR+gAwIBAgIUPGUtDMce0sr6c8sT2I1iyRIDTPkwCgYIKoZIzj0EAwIw\n" \
	"DzENMAsGA1UECgwEVGVzdDAeFw0yNjExMjgxNzAxNTVaFw0yNjExMjcxNzAxNTVa\n" \
	"MAwxCjAIBgNVBAMMAWEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASQQrssTiIE\n" \
	"3ZwUTSeE5i8+2Ev7aHfSeE7Twxe2bJf4izV/fLEe9qKD8JNnUmUY0mt71AWGgRu5\n" \
	"uLs6DXpkYttto1wwWjAYBgNVHREEETAPgg1hLmV4YW1wbGUuY29tMB0GA1UdDgQW\n" \
	"BBSZCsDg6RCWm1axypReoqDhLhlUJDAfBgNVHSMEGDAWgBRPUZjhY69t8R7/LCq/\n" \
	"qFm9iLGCUTAKBggqhkjOPQQDAgNIADBFAiEAreR0RoDY9Ql0Ire23/zxjUeo1W3L\n" \
	"2Pt6kWt30ylyoMoCIANxHLR6P/9jSSjgWe/cIC4zYu09XuLCE3tC3wwDH8hs\n" \
	"-----END CERTIFICATE-----\n"
#define CERT_NEW \
	"-----BEGIN CERTIFICATE-----\n" \
	"MIIBezCCASGgAwIBAgIUPGUtDMce0sr6c8sT2I1iyRIDTPowCgYIKoZIzj0EAwIw\n" \
	"DzENMAsGA1UECgwEVGVzdDAgFw0yNjExMjgxNzAxNTVaGA8yMTAwMTAzMTE3MDE1\n" \
	"NVowDDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLvLR/GQ\n" \
	"5wvo8sveMl1aDJ1S8zHPd6Qsj+hRO1Eg3aSYG0+7C5ThXy1fZ+oi9RqNzwqBWPx3\n" \
	"3yzgE+iMvd4LObSjXDBaMBgGA1UdEQQRMA+CDWEuZXhhbXBsZS5jb20wHQYDVR0O\n" \
	"BBYEFCDPFY2XI3Em//4PJyPqhcXeDUMxMB8GA1UdIwQYMBaAFE9RmOFjr23xHv8s\n" \
	"Kr+oWb2IsYJRMAoGCCqGSM49BAMCA0gAMEUCIHD6La0kwNKjuTymIJANxRAout6I\n" \
	"g/awidvz+9mUp35CAiEA+j81b9K0eMzEEOCK/6GwABFNGqV7YkUEAwAKnxvnlZY=\n" \
	"-----END CERTIFICATE-----\n"
#define SITE(cert) { "/etc/nginx/nginx.conf", "http {\nserver { listen 443 ssl; server_name a.example.com; ssl_certificate /etc/ssl/a.pem; }\n" cert "}\n", 0 }
#define HTTP_ONLY "server { listen 80; server_name a.example.com; }\n"
#define HTTP_AWAY "server { listen 80; server_name a.example.com; return 301 https://$host$request_uri; }\n"
#define LISTENS(hex) "  sl\n   0: " hex " 00000000:0000 0A 0 0 0 0 0\n"
#define UNIT "/etc/systemd/system/web.service"
#define AGE "age-encryption.org/v1\n-> X25519 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"
#define KEY64 "3f786850e387550fdab836ed7e6dc881de23001b"

/* One row: up to four files of a host, perhaps with git; one id; its verdict. */
static const struct {
	enum id id;
	struct entry file[4];
	const char *tracked; /* NULL: no git; "": git, and nothing tracked */
	int verdict;
} hosts[] = {
	/* .env in its states */
	{ ID_FILE_ENV_MODE, { { "/srv/shop/.env", "A=1\n", 0644 } }, NULL, F },
	{ ID_FILE_ENV_MODE, { { "/srv/shop/.env.production", "A=1\n", 0640 } }, NULL, F },
	{ ID_FILE_ENV_MODE, { { "/srv/shop/.env", "A=1\n", 0600 } }, NULL, P },
	{ ID_FILE_ENV_MODE, { { "/srv/shop/.env", "A=1\n", 0400 } }, NULL, P },
	{ ID_FILE_ENV_MODE, { { "/srv/shop/.env.example", "A=1\n", 0644 } }, NULL, N },
	{ ID_FILE_ENV_IGNORED, { { "/srv/shop/.env", "A=1\n", 0600 } }, NULL, N },
	{ ID_FILE_ENV_IGNORED, { { "/srv/shop/.env", "A=1\n", 0600 } }, ".env", F },
	{ ID_FILE_ENV_IGNORED, { { "/srv/shop/.env", "A=1\n", 0600 }, { "/srv/shop/.gitignore", ".env\n", 0 } }, ".env", F },
	{ ID_FILE_ENV_IGNORED, { { "/srv/shop/.env", "A=1\n", 0600 } }, "", F },
	{ ID_FILE_ENV_IGNORED, { { "/srv/shop/.env", "A=1\n", 0600 }, { "/srv/shop/.gitignore", ".env*\n!.env\n", 0 } }, "", F },
	{ ID_FILE_ENV_IGNORED, { { "/srv/shop/.env", "A=1\n", 0600 }, { "/srv/shop/.gitignore", ".env*\n!.env.example\n", 0 } }, "", P },
	{ ID_FILE_ENV_IGNORED, { { "/srv/shop/.env", "A=1\n", 0600 }, { "/srv/shop/.git/info/exclude", ".env\n", 0 } }, "", P },
	{ ID_FILE_ENV_IGNORED, { { "/srv/shop/.env", "A=1\n", 0600 }, { "/srv/shop/.git/index", "no index", 0 } }, "", U },
	{ ID_FILE_ENV_EXAMPLE_CLEAN, { { "/srv/shop/.env", "A=1\n", 0600 } }, NULL, N },
	{ ID_FILE_ENV_EXAMPLE_CLEAN, { { "/srv/shop/.env.example", "API_KEY=" KEY64 "\n", 0 } }, NULL, F },
	{ ID_FILE_ENV_EXAMPLE_CLEAN, { { "/srv/shop/.env", "DB_PASSWORD=example-but-real\n", 0600 }, { "/srv/shop/.env.example", "DB_PASSWORD=example-but-real\n", 0 } }, NULL, F },
	{ ID_FILE_ENV_EXAMPLE_CLEAN, { { "/srv/shop/.env.example", "API_KEY=\nDB_PASSWORD=change-me-please\nPORT=3000\n", 0 } }, NULL, P },
	{ ID_FILE_ENV_EXAMPLE_CLEAN, { { "/srv/shop/.env.sample", "SECRET_KEY=<your secret key>\nDB_PASSWORD=postgres\n", 0 } }, NULL, P },
	{ ID_FILE_ENV_EXAMPLE_CLEAN, { { "/srv/shop/.env.example", NULL, 0700 } }, NULL, U },
	{ ID_SECRET_KEY_LENGTH, { { "/srv/shop/.env", NULL, 0700 } }, NULL, U },
	{ ID_SECRET_KEY_LENGTH, { { "/srv/shop/.env", "SECRET_KEY=short\n", 0600 } }, NULL, F },
	{ ID_SECRET_KEY_LENGTH, { { "/srv/shop/.env", "SECRET_KEY=your-secret-key-goes-here-please-change\n", 0600 } }, NULL, F },
	{ ID_SECRET_KEY_LENGTH, { { "/srv/shop/.env", "SECRET_KEY=" KEY64 "\n", 0600 } }, NULL, P },
	{ ID_SECRET_KEY_LENGTH, { { "/srv/shop/.env", "A=1\n", 0600 } }, NULL, N },
	/* dumps and sessions */
	{ ID_GIT_DUMPS_SESSIONS, { { "/srv/shop/x", "", 0 } }, NULL, N },
	{ ID_GIT_DUMPS_SESSIONS, { { "/srv/shop/db.sql.gz", "x", 0 } }, "db.sql.gz", F },
	{ ID_GIT_DUMPS_SESSIONS, { { "/srv/shop/session_string.txt", "x", 0 } }, "session_string.txt", F },
	{ ID_GIT_DUMPS_SESSIONS, { { "/srv/shop/all.sql", "INSERT INTO users VALUES (1);\n", 0 } }, "all.sql", F },
	{ ID_GIT_DUMPS_SESSIONS, { { "/srv/shop/db.dump", "x", 0 } }, "", F },
	{ ID_GIT_DUMPS_SESSIONS, { { "/srv/shop/db.dump", "x", 0 }, { "/srv/shop/.gitignore", "*.dump\n", 0 } }, "", P },
	{ ID_GIT_DUMPS_SESSIONS, { { "/srv/shop/init.sql", "CREATE TABLE a (b int);\n", 0 } }, "init.sql", P },
	{ ID_GIT_DUMPS_SESSIONS, { { "/srv/shop/.git/index", "no index", 0 } }, "", U },
	/* the pipeline */
	{ ID_CI_PRESENT, { { "/srv/shop/x", "", 0 } }, NULL, N },
	{ ID_CI_PRESENT, { { "/srv/shop/x", "", 0 } }, "", F },
	{ ID_CI_PRESENT, { { "/srv/shop/.github/workflows/a.yml", "run: make\n# npm audit\n", 0 } }, "", F },
	{ ID_CI_PRESENT, { { "/srv/shop/.github/workflows/a.yml", "run: npm audit --audit-level=high\n", 0 } }, "", P },
	{ ID_CI_PRESENT, { { "/srv/shop/.gitlab-ci.yml", "script: [pip-audit]\n", 0 } }, "", P },
	/* backups */
	{ ID_BACKUP_LOCATION_MODE, { { "/srv/shop/x", "", 0 } }, NULL, N },
	{ ID_BACKUP_LOCATION_MODE, { { "/srv/backups", NULL, 0755 } }, NULL, F },
	{ ID_BACKUP_LOCATION_MODE, { { "/srv/shop/backups", NULL, 0700 } }, "", F },
	{ ID_BACKUP_LOCATION_MODE, { { "/srv/backups", NULL, 0700 } }, "", P },
	{ ID_BACKUP_LOCATION_MODE, { { "/srv/shop/backup", NULL, 0700 } }, NULL, P },
	{ ID_BACKUP_ENCRYPTED, { { "/srv/shop/x", "", 0 } }, NULL, N },
	{ ID_BACKUP_ENCRYPTED, { { "/srv/backups/a.sql", "CREATE TABLE x;", 0 } }, NULL, F },
	{ ID_BACKUP_ENCRYPTED, { { "/srv/backups/a.age", AGE, 0 }, { "/srv/backups/b.gz", "\x1f\x8b\x08", 0 } }, NULL, F },
	{ ID_BACKUP_ENCRYPTED, { { "/srv/backups/a.age", AGE, 0 } }, NULL, P },
	{ ID_BACKUP_ENCRYPTED, { { "/srv/backups/a.enc", "Salted__abcdefgh", 0 }, { "/srv/backups/a.asc", "-----BEGIN PGP MESSAGE-----\n", 0 } }, NULL, P },
	{ ID_BACKUP_ENCRYPTED, { { "/srv/backups/a.gpg", "\x85\x01\x0c\x03", 0 } }, NULL, P },
	{ ID_BACKUP_ENCRYPTED, { { "/srv/backups/config", "x", 0 }, { "/srv/backups/data", NULL, 0 }, { "/srv/backups/keys", NULL, 0 }, { "/srv/backups/snapshots", NULL, 0 } }, NULL, P },
	{ ID_BACKUP_FRESH, { { "/srv/shop/x", "", 0 } }, NULL, U },
	{ ID_BACKUP_FRESH, { { "/srv/backups/a.sql", "", 0 } }, NULL, F },
	{ ID_BACKUP_FRESH, { { "/srv/backups", NULL, 0700 } }, NULL, F },
	{ ID_BACKUP_FRESH, { { "/srv/backups/a.sql", "x", 0 } }, NULL, P },
	/* units */
	{ ID_UNIT_PRIVATE_TMP, { { "/etc/x", "", 0 } }, NULL, N },
	{ ID_UNIT_PRIVATE_TMP, { { UNIT, "[Service]\nExecStart=/x\n", 0 } }, NULL, F },
	{ ID_UNIT_PRIVATE_TMP, { { UNIT, "[Service]\nPrivateTmp=yes\n", 0 }, { UNIT ".d/z.conf", "[Service]\nPrivateTmp=no\n", 0 } }, NULL, F },
	{ ID_UNIT_PRIVATE_TMP, { { UNIT, "[Service]\nPrivateTmp=true\n", 0 } }, NULL, P },
	{ ID_UNIT_PRIVATE_TMP, { { UNIT, "[Service]\nExecStart=/x\n", 0 }, { UNIT ".d/a.conf", "[Service]\nDynamicUser=yes\n", 0 } }, NULL, P },
	{ ID_UNIT_NO_NEW_PRIVILEGES, { { UNIT, "[Service]\nNoNewPrivileges=no\n", 0 } }, NULL, F },
	{ ID_UNIT_NO_NEW_PRIVILEGES, { { UNIT, "[Service]\nSystemCallFilter=~@mount\n", 0 } }, NULL, F },
	{ ID_UNIT_NO_NEW_PRIVILEGES, { { UNIT, "[Service]\nUser=app\nSystemCallFilter=~@mount\n", 0 } }, NULL, P },
	{ ID_UNIT_NO_NEW_PRIVILEGES, { { UNIT, "[Service]\nNoNewPrivileges=1\n", 0 } }, NULL, P },
	{ ID_UNIT_NO_NEW_PRIVILEGES, { { "/etc/x", "", 0 } }, NULL, N },
	{ ID_UNIT_NON_ROOT, { { UNIT, "[Service]\nExecStart=/x\n", 0 } }, NULL, F },
	{ ID_UNIT_NON_ROOT, { { UNIT, "[Service]\nUser=nobody\n", 0 } }, NULL, F },
	{ ID_UNIT_NON_ROOT, { { UNIT, "[Service]\nUser=app\n", 0 } }, NULL, P },
	{ ID_UNIT_NON_ROOT, { { UNIT, "[Service]\nDynamicUser=yes\n", 0 } }, NULL, P },
	{ ID_UNIT_NON_ROOT, { { "/etc/x", "", 0 } }, NULL, N },
	{ ID_UNIT_NON_ROOT, { { UNIT, big, 0 } }, NULL, U },
	{ ID_UNIT_ENVIRONMENT_FILE, { { UNIT, "[Service]\nEnvironment=DB_PASSWORD=hunter2hunter2\n", 0 } }, NULL, F },
	{ ID_UNIT_ENVIRONMENT_FILE, { { UNIT, "[Service]\nExecStart=/x --api-key=hunter2hunter2\n", 0 } }, NULL, F },
	{ ID_UNIT_ENVIRONMENT_FILE, { { UNIT, "[Service]\nEnvironmentFile=/srv/shop/.env\n", 0 }, { "/srv/shop/.env", "A=1\n", 0644 } }, NULL, F },
	{ ID_UNIT_ENVIRONMENT_FILE, { { UNIT, "[Service]\nEnvironmentFile=/srv/shop/.env\n", 0 }, { "/srv/shop/.env", "A=1\n", 0600 } }, NULL, P },
	{ ID_UNIT_ENVIRONMENT_FILE, { { UNIT, "[Service]\nEnvironment=KEY_PATH=/x NODE_ENV=production\nExecStart=/x --token=${TOKEN}\n", 0 } }, NULL, P },
	{ ID_UNIT_ENVIRONMENT_FILE, { { UNIT, "[Service]\nEnvironmentFile=/srv/shop/absent\n", 0 } }, NULL, U },
	{ ID_UNIT_ENVIRONMENT_FILE, { { "/etc/x", "", 0 } }, NULL, N },
	/* SSH */
	{ ID_SSH_PASSWORD_AUTH, { { "/etc/x", "", 0 } }, NULL, N },
	{ ID_SSH_PASSWORD_AUTH, { { "/etc/ssh/sshd_config", "PasswordAuthentication no\n", 0 } }, NULL, F },
	{ ID_SSH_PASSWORD_AUTH, { { "/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n", 0 },
				  { "/etc/ssh/sshd_config.d/50-cloud-init.conf", "PasswordAuthentication yes\n", 0 } }, NULL, F },
	{ ID_SSH_PASSWORD_AUTH, { { "/etc/ssh/sshd_config", "Include sshd_config.d/*.conf\n", 0 },
				  { "/etc/ssh/sshd_config.d/00-a.conf", "PasswordAuthentication no\nKbdInteractiveAuthentication no\n", 0 },
				  { "/etc/ssh/sshd_config.d/50-cloud-init.conf", "PasswordAuthentication yes\n", 0 } }, NULL, P },
	{ ID_SSH_PASSWORD_AUTH, { { "/etc/ssh/sshd_config", "PasswordAuthentication no\nKbdInteractiveAuthentication no\n", 0 } }, NULL, P },
	{ ID_SSH_PASSWORD_AUTH, { { "/etc/ssh/sshd_config", NULL, 0 } }, NULL, U },
	/* a drop-in that cannot be read: it may say anything */
#define CLOUD_INIT { "/etc/ssh/sshd_config.d/50-cloud-init.conf", NULL, 0 }
	{ ID_SSH_PASSWORD_AUTH, { { "/etc/ssh/sshd_config", "Include sshd_config.d/*.conf\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n", 0 }, CLOUD_INIT }, NULL, U },
	{ ID_SSH_ROOT_LOGIN, { { "/etc/ssh/sshd_config", "Include sshd_config.d/*.conf\nPermitRootLogin no\n", 0 }, CLOUD_INIT }, NULL, U },
	{ ID_SSH_ROOT_LOGIN, { { "/etc/ssh/sshd_config", "Include sshd_config.d/*.conf\nPermitRootLogin no\n", 0 }, { "/etc/ssh/sshd_config.d", "no folder", 0 } }, NULL, U },
	{ ID_SSH_ROOT_LOGIN, { { "/etc/ssh/sshd_config", "Include sshd_config.d/*.conf\nPermitRootLogin yes\n", 0 }, CLOUD_INIT }, NULL, F },
	{ ID_SSH_ROOT_LOGIN, { { "/etc/ssh/sshd_config", "Include sshd_config.d/*.conf absent.conf\nPermitRootLogin no\n", 0 } }, NULL, P },
	{ ID_SSH_ROOT_LOGIN, { { "/etc/ssh/sshd_config", "PermitRootLogin yes\n", 0 } }, NULL, F },
	{ ID_SSH_ROOT_LOGIN, { { "/etc/ssh/sshd_config", "PermitRootLogin no\nMatch Address 10.0.0.0/8\nPermitRootLogin yes\n", 0 } }, NULL, F },
	{ ID_SSH_ROOT_LOGIN, { { "/etc/ssh/sshd_config", "PermitRootLogin no\n", 0 } }, NULL, P },
	{ ID_SSH_ROOT_LOGIN, { { "/etc/ssh/sshd_config", "PermitRootLogin no\nMatch User x\nPermitRootLogin no\n", 0 } }, NULL, P },
	{ ID_SSH_ROOT_LOGIN, { { "/etc/x", "", 0 } }, NULL, N },
	{ ID_SSH_ROOT_LOGIN, { { "/etc/ssh/sshd_config", NULL, 0 } }, NULL, U },
	{ ID_SSH_BAN_ENGINE, { { "/etc/ssh/sshd_config", "", 0 }, { "/proc/1/comm", "systemd\n", 0 } }, NULL, F },
	{ ID_SSH_BAN_ENGINE, { { "/etc/ssh/sshd_config", "", 0 }, { "/proc/77/comm", "sshd\n", 0 } }, NULL, F },
	{ ID_SSH_BAN_ENGINE, { { "/etc/ssh/sshd_config", "", 0 }, { "/proc/77/comm", "fail2ban-server\n", 0 } }, NULL, P },
	{ ID_SSH_BAN_ENGINE, { { "/etc/ssh/sshd_config", "", 0 }, { "/proc/77/comm", "pavise-engine\n", 0 } }, NULL, P },
	{ ID_SSH_BAN_ENGINE, { { "/etc/ssh/sshd_config", "", 0 } }, NULL, U },
	{ ID_SSH_BAN_ENGINE, { { "/etc/x", "", 0 } }, NULL, N },
	/* the machine */
	{ ID_HOST_DOCKER_SOCK_PERM, { { "/etc/x", "", 0 } }, NULL, N },
	{ ID_HOST_DOCKER_SOCK_PERM, { { "/run/docker.sock", "", 0666 } }, NULL, F },
	{ ID_HOST_DOCKER_SOCK_PERM, { { "/run/docker.sock", "", 0660 }, { "/etc/group", "root:x:0:\ndocker:x:998:bob\n", 0 } }, NULL, F },
	{ ID_HOST_DOCKER_SOCK_PERM, { { "/run/docker.sock", "", 0660 }, { "/etc/group", "docker:x:998:\nx:x:1:y\n", 0 } }, NULL, P },
	{ ID_HOST_DOCKER_SOCK_PERM, { { "/var/run/docker.sock", "", 0600 } }, NULL, P },
	{ ID_HOST_DOCKER_TCP, { { "/etc/docker/daemon.json", "{\"hosts\":[\"tcp://0.0.0.0:2375\"]}", 0 }, { "/proc/net/tcp", "", 0 }, { "/proc/net/udp", "", 0 } }, NULL, F },
	{ ID_HOST_DOCKER_TCP, { { "/proc/net/tcp", LISTENS("00000000:0947"), 0 }, { "/proc/net/udp", "", 0 } }, NULL, F },
	{ ID_HOST_DOCKER_TCP, { { "/proc/net/tcp", LISTENS("00000000:0050"), 0 }, { "/proc/net/udp", "", 0 } }, NULL, P },
	{ ID_HOST_DOCKER_TCP, { { "/etc/docker/daemon.json", "{}", 0 }, { "/proc/net/tcp", "", 0 }, { "/proc/net/udp", "", 0 } }, NULL, P },
	{ ID_HOST_DOCKER_TCP, { { "/etc/x", "", 0 } }, NULL, U },
#define DAEMON(json) { "/etc/docker/daemon.json", json, 0 }, { "/proc/net/tcp", "", 0 }, { "/proc/net/udp", "", 0 }
	{ ID_HOST_DOCKER_TCP, { DAEMON("{\"log-driver\":\"syslog\",\"log-opts\":{\"syslog-address\":\"tcp://192.0.2.9:514\"}}") }, NULL, P },
	{ ID_HOST_DOCKER_TCP, { DAEMON("{\"hosts\":[\"fd://\",\"tcp://0.0.0.0:2376\"],\"tlsverify\":true}") }, NULL, P },
	{ ID_HOST_DOCKER_TCP, { DAEMON("{\"hosts\":[\"fd://\",\"tcp://0.0.0.0:2376\"],\"tlsverify\":false}") }, NULL, F },
	{ ID_HOST_DOCKER_TCP, { DAEMON("{\"hosts\":[\"unix:///run/docker.sock\"],\"x\":\"tcp://\"}") }, NULL, P },
	{ ID_HOST_DOCKER_TCP, { DAEMON("{\"hosts\":") }, NULL, U },
	{ ID_HOST_DOCKER_TCP, { DAEMON("\n") }, NULL, P },
	{ ID_HOST_DOCKER_TCP, { { "/etc/docker/daemon.json", NULL, 0 }, { "/proc/net/tcp", "", 0 }, { "/proc/net/udp", "", 0 } }, NULL, U },
	{ ID_FW_LISTENING, { { "/proc/net/tcp", LISTENS("00000000:0CEA"), 0 }, { "/proc/net/udp", "", 0 } }, NULL, F },
	{ ID_FW_LISTENING, { { "/proc/net/tcp6", LISTENS("00000000000000000000000000000000:1538"), 0 }, { "/proc/net/tcp", "", 0 }, { "/proc/net/udp", "", 0 } }, NULL, F },
	{ ID_FW_LISTENING, { { "/proc/net/tcp", LISTENS("0100007F:0CEA"), 0 }, { "/proc/net/udp", "", 0 } }, NULL, P },
	{ ID_FW_LISTENING, { { "/proc/net/tcp", LISTENS("00000000:08AE"), 0 }, { "/proc/net/udp", "", 0 }, { "/etc/ssh/sshd_config", "Port 2222\n", 0 } }, NULL, P },
	{ ID_FW_LISTENING, { { "/etc/x", "", 0 } }, NULL, U },
	{ ID_UPD_UNATTENDED, { { "/etc/apt/x", "", 0 } }, NULL, F },
	{ ID_UPD_UNATTENDED, { { "/usr/bin/unattended-upgrade", "", 0 }, { "/etc/apt/apt.conf.d/20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"0\";\n", 0 } }, NULL, F },
	{ ID_UPD_UNATTENDED, { { "/usr/bin/unattended-upgrade", "", 0 }, { "/etc/apt/apt.conf.d/20auto-upgrades", "//APT::Periodic::Unattended-Upgrade \"1\";\n", 0 } }, NULL, F },
	{ ID_UPD_UNATTENDED, { { "/usr/bin/unattended-upgrade", "", 0 }, { "/etc/apt/apt.conf.d/20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"1\";\n", 0 } }, NULL, P },
	{ ID_UPD_UNATTENDED, { { "/usr/bin/unattended-upgrade", "", 0 }, { "/etc/apt/apt.conf.d/10periodic", "APT::Periodic::Unattended-Upgrade \"7\";\n", 0 } }, NULL, P },
	{ ID_UPD_UNATTENDED, { { "/etc/x", "", 0 } }, NULL, U },
	{ ID_BACKUP_ENCRYPTED, { { "/srv/shop/backups/daily/a.age", AGE, 0 }, { "/srv/shop/backups/daily/1/x.sql", "CREATE", 0 } }, NULL, F },
	{ ID_BACKUP_ENCRYPTED, { { "/srv/shop/backups/daily/1/2/a.age", AGE, 0 } }, NULL, P },
	{ ID_BACKUP_ENCRYPTED, { { "/srv/shop/backups/1/2/3/4/5/a.age", AGE, 0 } }, NULL, U }, /* deeper than it looks */
	{ ID_BACKUP_FRESH, { { "/srv/shop/backups/daily/1/a.age", AGE, 0, 1 } }, NULL, P },
#define PART(name, text) { "/etc/apt/apt.conf.d/" name, text, 0 }
#define TOOL { "/usr/bin/unattended-upgrade", "", 0 }
	{ ID_UPD_UNATTENDED, { TOOL, PART("20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"1\";\n"), PART("99off", "APT::Periodic::Unattended-Upgrade \"0\";\n") }, NULL, F },
	{ ID_UPD_UNATTENDED, { TOOL, PART("20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"1\";\n"), PART("99off.bak", "APT::Periodic::Unattended-Upgrade \"0\";\n") }, NULL, P },
	{ ID_UPD_UNATTENDED, { TOOL, PART("20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"1\";\n"), { "/etc/apt/apt.conf", "#clear APT::Periodic;\n", 0 } }, NULL, F },
	{ ID_UPD_UNATTENDED, { TOOL, PART("20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"1\";\n"), PART("10periodic", "APT::Periodic::Enable \"0\";\n") }, NULL, F },
	{ ID_UPD_UNATTENDED, { TOOL, PART("x.conf", "# off\napt {\n  /* \"0\"; */ Periodic { Update-Package-Lists 1; unattended-upgrade 1; }; // x\n};\n") }, NULL, P },
	{ ID_UPD_UNATTENDED, { TOOL, PART("20auto-upgrades", "Other { APT::Periodic::Unattended-Upgrade \"1\"; };\n") }, NULL, F },
#define TIMER "apt-daily-upgrade.timer"
	{ ID_UPD_UNATTENDED, { TOOL, PART("20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"1\";\n"), { "/usr/lib/systemd/system/" TIMER, "", 0 } }, NULL, F },
	{ ID_UPD_UNATTENDED, { TOOL, PART("20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"1\";\n"), { "/lib/systemd/system/" TIMER, "", 0 } }, NULL, F },
	{ ID_UPD_UNATTENDED, { TOOL, PART("20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"1\";\n"), { "/usr/lib/systemd/system/" TIMER, "", 0 },
			       { "/etc/systemd/system/timers.target.wants/" TIMER, "", 0 } }, NULL, P },
	{ ID_FW_ACTIVE_DEFAULT_DENY, { { "/etc/x", "", 0 } }, NULL, F },
	{ ID_FW_ACTIVE_DEFAULT_DENY, { { "/etc/ufw/ufw.conf", "x\nENABLED=no\n", 0 } }, NULL, F },
	{ ID_FW_ACTIVE_DEFAULT_DENY, { { "/etc/ufw/ufw.conf", "x\nENABLED=yes\n", 0 }, { "/etc/default/ufw", "DEFAULT_INPUT_POLICY=\"ACCEPT\"\n", 0 } }, NULL, F },
	{ ID_FW_ACTIVE_DEFAULT_DENY, { { "/etc/ufw/ufw.conf", "x\nENABLED=yes\n", 0 }, { "/etc/default/ufw", "DEFAULT_INPUT_POLICY=\"DROP\"\n", 0 } }, NULL, P },
	{ ID_FW_ACTIVE_DEFAULT_DENY, { { "/etc/nftables.conf", "table x {}", 0 } }, NULL, U },
	{ ID_MON_TIMER_ACTIVE, { { "/proc/1/comm", "systemd\n", 0 } }, NULL, F },
	{ ID_MON_TIMER_ACTIVE, { { "/proc/1/comm", "pavise-sender\n", 0 }, { "/etc/systemd/system/timers.target.wants/apt-daily.timer", "", 0 } }, NULL, F },
	{ ID_MON_TIMER_ACTIVE, { { "/proc/7/comm", "pavise-engine\n", 0 } }, NULL, P },
	{ ID_MON_TIMER_ACTIVE, { { "/proc/7/comm", "x\n", 0 }, { "/etc/systemd/system/timers.target.wants/pavise-monitor.timer", "", 0 } }, NULL, P },
	{ ID_MON_TIMER_ACTIVE, { { "/etc/x", "", 0 } }, NULL, U },
	{ ID_TLS_ACME_PERM, { { "/etc/x", "", 0 } }, NULL, N },
	{ ID_TLS_ACME_PERM, { { "/etc/dokploy/traefik/dynamic/acme.json", "{}", 0644 } }, NULL, F },
	{ ID_TLS_ACME_PERM, { { "/srv/shop/letsencrypt/acme.json", "{}", 0640 } }, NULL, F },
	{ ID_TLS_ACME_PERM, { { "/etc/dokploy/traefik/dynamic/acme.json", "{}", 0600 } }, NULL, P },
	{ ID_TLS_ACME_PERM, { { "/srv/shop/acme.json", "{}", 0600 } }, NULL, P },
	/* connections, panels and Swarm, with the engine's answers saved beside */
#define ID64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LIST { "/engine/list.json", "[{\"Id\":\"" ID64 "\"}]", 0 }
#define BOX(host, image) { "/engine/inspect-" ID64 ".json", "{\"Name\":\"/p\",\"State\":{\"Running\":true,\"Pid\":9},\"HostConfig\":{" host "},\"Config\":{\"Image\":\"" image "\"}}", 0 }
#define NETS { "/proc/net/tcp", "", 0 }, { "/proc/net/udp", "", 0 }
	{ ID_HOST_PANEL_EXPOSED, { LIST, BOX("\"x\":0", "redis:7") }, NULL, N },
	{ ID_HOST_PANEL_EXPOSED, { LIST, BOX("\"PortBindings\":{\"3000/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"3000\"}]}", "dokploy/dokploy:latest") }, NULL, F },
	{ ID_HOST_PANEL_EXPOSED, { LIST, BOX("\"NetworkMode\":\"host\"", "portainer/portainer-ce:2") }, NULL, F },
	{ ID_HOST_PANEL_EXPOSED, { LIST, BOX("\"PortBindings\":{\"3000/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"3000\"}]}", "dokploy/dokploy:v0.29.3") }, NULL, P },
	{ ID_HOST_PANEL_EXPOSED, { LIST, BOX("\"PortBindings\":{\"443/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"443\"}]}", "traefik:v3") }, NULL, P },
	{ ID_HOST_PANEL_EXPOSED, { LIST, BOX("\"PortBindings\":7", "dokploy/dokploy:latest") }, NULL, U },
	{ ID_HOST_MINER_CONNECTION, { LIST, BOX("\"x\":0", "a:1"), { "/proc/9/net/tcp", "x\n 0: 0100000A:1000 0A007BCB:0D05 01 0\n", 0 } }, NULL, F },
	{ ID_HOST_MINER_CONNECTION, { { "/proc/net/tcp", "x\n 0: 0100000A:1000 0A007BCB:386C 02 0\n", 0 }, { "/proc/net/udp", "", 0 } }, NULL, F },
	{ ID_HOST_MINER_CONNECTION, { { "/proc/net/tcp", "x\n 0: 0100000A:1000 0200000A:0D05 01 0\n", 0 }, { "/proc/net/udp", "", 0 } }, NULL, P },
	{ ID_HOST_MINER_CONNECTION, { { "/proc/net/tcp", "x\n 0: 0100000A:0D05 0A007BCB:1F90 01 0\n", 0 }, { "/proc/net/udp", "", 0 } }, NULL, P },
	{ ID_HOST_MINER_CONNECTION, { { "/etc/x", "", 0 } }, NULL, U },
#define INFO(state) { "/engine/info.json", "{\"Swarm\":{\"LocalNodeState\":\"" state "\"}}", 0 }
#define NONE { "/engine/list.json", "[]", 0 }
	{ ID_HOST_SWARM_PORTS, { NONE, INFO("inactive") }, NULL, N },
	{ ID_HOST_SWARM_PORTS, { NONE, INFO("active") }, NULL, F },
	{ ID_HOST_SWARM_PORTS, { NONE, INFO("active"), { "/etc/ufw/ufw.conf", "x\nENABLED=yes\n", 0 }, { "/etc/ufw/user.rules", "-A ufw-user-input -p tcp --dport 2377 -j ACCEPT\n", 0 } }, NULL, F },
	{ ID_HOST_SWARM_PORTS, { NONE, INFO("active"), { "/etc/ufw/ufw.conf", "x\nENABLED=yes\n", 0 }, { "/etc/ufw/user.rules", "-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n", 0 } }, NULL, P },
	{ ID_HOST_SWARM_PORTS, { NONE, INFO("active"), { "/etc/ufw/ufw.conf", "x\nENABLED=yes\n", 0 }, { "/etc/ufw/user.rules", "-A ufw-user-input -p tcp --dport 2377 -s 10.0.0.2 -j ACCEPT\n", 0 } }, NULL, P },
	{ ID_HOST_SWARM_PORTS, { NONE, INFO("active"), { "/etc/nftables.conf", "x", 0 } }, NULL, U },
	/* firewalls, with their rules saved beside */
#define ADDR { "/proc/net/fib_trie", "|-- 192.0.2.9\n   /32 host LOCAL\n", 0 }, { "/proc/net/route", "Iface\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n", 0 }
#define DNAT5432 "*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n" \
	"-A DOCKER ! -i docker0 -p tcp -m tcp --dport 5432 -j DNAT --to-destination 172.17.0.2:5432\nCOMMIT\n"
#define FORWARD "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\n" \
	"-A FORWARD -d 172.17.0.2/32 ! -i docker0 -p tcp -m tcp --dport 5432 -j ACCEPT\nCOMMIT\n"
#define CLOSED "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n-A DOCKER-USER -i eth0 -p tcp -m conntrack --ctorigdstport 5432 -j DROP\n" \
	"-A FORWARD -j DOCKER-USER\n-A FORWARD -d 172.17.0.2/32 -p tcp -m tcp --dport 5432 -j ACCEPT\nCOMMIT\n"
#define PUBLISHED BOX("\"PortBindings\":{\"5432/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"5432\"}]}", "postgres:16")
	{ ID_FW_DOCKER_BYPASS, { NONE, INFO("inactive") }, NULL, N },
	{ ID_FW_DOCKER_BYPASS, { LIST, PUBLISHED }, NULL, F },
	{ ID_FW_DOCKER_BYPASS, { LIST, PUBLISHED, { "/etc/ufw/ufw.conf", "x\nENABLED=yes\n", 0 } }, NULL, F },
	{ ID_FW_DOCKER_BYPASS, { ADDR, { "/firewall/iptables.rules", DNAT5432 FORWARD, 0 } }, NULL, F },
	{ ID_FW_DOCKER_BYPASS, { ADDR, { "/firewall/iptables.rules", DNAT5432 CLOSED, 0 } }, NULL, N },
	{ ID_FW_DOCKER_BYPASS, { LIST, PUBLISHED, { "/firewall/iptables.rules", DNAT5432 CLOSED, 0 } }, NULL, P },
	{ ID_FW_DOCKER_BYPASS, { LIST, BOX("\"PortBindings\":{\"443/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"443\"}]}", "caddy:2") }, NULL, P },
	{ ID_FW_DOCKER_BYPASS, { LIST, BOX("\"PortBindings\":{\"5432/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"5432\"}]}", "postgres:16") }, NULL, P },
	{ ID_FW_DOCKER_BYPASS, { LIST, PUBLISHED, { "/etc/firewalld/x", "", 0 } }, NULL, U },
	{ ID_FW_DOCKER_BYPASS, { LIST, BOX("\"PortBindings\":7", "a:1") }, NULL, U },
	{ ID_FW_LISTENING, { { "/proc/net/tcp", LISTENS("00000000:1F90"), 0 }, { "/proc/net/udp", "", 0 }, { "/firewall/iptables.rules", "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp ! --dport 22 -j DROP\nCOMMIT\n", 0 } }, NULL, P },
	{ ID_FW_LISTENING, { { "/proc/net/tcp", LISTENS("00000000:1F90"), 0 }, { "/proc/net/udp", "", 0 }, { "/firewall/iptables.rules", "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 8000:9000 -j ACCEPT\nCOMMIT\n", 0 } }, NULL, F },
	{ ID_FW_LISTENING, { { "/proc/net/tcp", LISTENS("00000000:1F90"), 0 }, { "/proc/net/udp", "", 0 }, { "/firewall/iptables.rules", "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m time --timestart 08:00 -j DROP\nCOMMIT\n", 0 } }, NULL, U },
	{ ID_FW_LISTENING, { { "/proc/net/udp", "x\n 0: 00000000:12B5 00000000:0000 07 0\n", 0 }, { "/proc/net/tcp", "", 0 } }, NULL, F },
	{ ID_FW_LISTENING, { { "/proc/net/udp", "x\n 0: 00000000:0044 00000000:0000 07 0\n", 0 }, { "/proc/net/tcp", "", 0 } }, NULL, P },
	{ ID_FW_ACTIVE_DEFAULT_DENY, { { "/firewall/nft.json", "{\"nftables\":[{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"i\",\"type\":\"filter\",\"hook\":\"input\",\"prio\":0,\"policy\":\"drop\"}}]}", 0 } }, NULL, P },
	{ ID_FW_ACTIVE_DEFAULT_DENY, { { "/firewall/nft.json", "{\"nftables\":[{\"chain\":{\"family\":\"ip\",\"table\":\"t\",\"name\":\"i\",\"type\":\"filter\",\"hook\":\"input\",\"prio\":0,\"policy\":\"drop\"}}]}", 0 } }, NULL, F },
	{ ID_FW_ACTIVE_DEFAULT_DENY, { { "/firewall/nft.json", "[", 0 } }, NULL, U },
	{ ID_HOST_DOKPLOY_SETUP_OPEN, { NONE, INFO("inactive") }, NULL, N },
	{ ID_HOST_DOKPLOY_SETUP_OPEN, { LIST, BOX("\"PortBindings\":{\"3000/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"3000\"}]}", "dokploy/dokploy:latest") }, NULL, U },
	{ ID_HOST_DOKPLOY_SETUP_OPEN, { LIST, BOX("\"PortBindings\":{\"3000/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"3000\"}]}", "dokploy/dokploy:latest") }, NULL, P },
	/* a client of ours whose port is a pool's */
	{ ID_HOST_MINER_CONNECTION, { { "/proc/net/tcp", "x\n 0: 00000000:0050 00000000:0000 0A 0\n 1: 0100000A:0050 0A007BCB:0D05 01 0\n", 0 }, { "/proc/net/udp", "", 0 } }, NULL, P },
	/* sites and certificates */
	{ ID_TLS_HTTPS_ON, { { "/etc/x", "", 0 } }, NULL, N },
	{ ID_TLS_HTTPS_ON, { { "/etc/nginx/nginx.conf", "http { " HTTP_ONLY " }", 0 } }, NULL, F },
	{ ID_TLS_HTTPS_ON, { { "/etc/apache2/apache2.conf", "<VirtualHost *:80>\nServerName a.example.com\n</VirtualHost>\n", 0 } }, NULL, F },
	{ ID_TLS_HTTPS_ON, { { "/etc/nginx/nginx.conf", "http { server { listen 443 ssl; server_name other.example.com; ssl_certificate /etc/ssl/a.pem; } }", 0 }, { "/etc/ssl/a.pem", CERT_NEW, 0 } }, NULL, F },
	{ ID_TLS_HTTPS_ON, { SITE(""), { "/etc/ssl/a.pem", CERT_NEW, 0 } }, NULL, P },
	{ ID_TLS_HTTPS_ON, { { "/etc/caddy/Caddyfile", "a.example.com {\n\treverse_proxy x:80\n}\n", 0 } }, NULL, P },
	{ ID_TLS_HTTPS_ON, { { "/etc/nginx/nginx.conf", "http { include nginx.conf; }", 0 } }, NULL, U },
	{ ID_TLS_REDIRECT, { { "/etc/x", "", 0 } }, NULL, N },
	{ ID_TLS_REDIRECT, { SITE(HTTP_ONLY), { "/etc/ssl/a.pem", CERT_NEW, 0 } }, NULL, F },
	{ ID_TLS_REDIRECT, { { "/etc/caddy/Caddyfile", "{\n\tauto_https disable_redirects\n}\nhttp://a.example.com {\n\trespond x\n}\na.example.com {\n\trespond x\n}\n", 0 } }, NULL, F },
	{ ID_TLS_REDIRECT, { SITE(HTTP_AWAY), { "/etc/ssl/a.pem", CERT_NEW, 0 } }, NULL, P },
	{ ID_TLS_REDIRECT, { { "/etc/nginx/nginx.conf", "http { server { a", 0 } }, NULL, U },
	{ ID_TLS_EXPIRY, { { "/etc/x", "", 0 } }, NULL, N },
	{ ID_TLS_EXPIRY, { SITE(""), { "/etc/ssl/a.pem", CERT_OLD, 0 } }, NULL, F },
	{ ID_TLS_EXPIRY, { { "/etc/letsencrypt/live/a.example.com/fullchain.pem", CERT_OLD, 0 } }, NULL, F },
	{ ID_TLS_EXPIRY, { SITE(""), { "/etc/ssl/a.pem", CERT_NEW, 0 } }, NULL, P },
	{ ID_TLS_EXPIRY, { SITE(""), { "/etc/ssl/a.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n", 0 } }, NULL, U },
	{ ID_TLS_RENEWAL, { { "/etc/x", "", 0 } }, NULL, N },
	{ ID_TLS_RENEWAL, { SITE(""), { "/etc/ssl/a.pem", CERT_NEW, 0 } }, NULL, F },
	{ ID_TLS_RENEWAL, { { "/etc/letsencrypt/live/a.example.com/fullchain.pem", CERT_OLD, 0 }, { "/etc/systemd/system/timers.target.wants/certbot.timer", "", 0 } }, NULL, F },
	{ ID_TLS_RENEWAL, { { "/etc/letsencrypt/live/a.example.com/fullchain.pem", CERT_NEW, 0 }, { "/etc/systemd/system/timers.target.wants/certbot.timer", "", 0 } }, NULL, P },
	{ ID_TLS_RENEWAL, { SITE(""), { "/etc/ssl/a.pem", "x", 0 } }, NULL, U },
	{ ID_TLS_ACME_PERM, { { "/etc/nginx/nginx.conf", "http { server { listen 443 ssl; server_name a.example.com; ssl_certificate_key /k.pem; } }", 0 }, { "/k.pem", "x", 0644 } }, NULL, F },
	/* updates */
#define STATUS(version) { "/var/lib/dpkg/status", "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: " version "\n", 0 }
#define OFFER(version, days) { "/var/lib/apt/lists/mirror.example.org_dists_bookworm-security_main_binary-amd64_Packages", "Package: openssl\nArchitecture: amd64\nVersion: " version "\n", 0, days }
	{ ID_UPD_PENDING, { STATUS("3.0.11-1~deb12u2"), OFFER("3.0.15-1~deb12u1", 8) }, NULL, F },
	{ ID_UPD_PENDING, { STATUS("3.0.15-1"), OFFER("3.0.15-1", 8), { "/run/reboot-required", "", 0, 9 } }, NULL, F },
	{ ID_UPD_PENDING, { STATUS("3.0.11-1~deb12u2"), OFFER("3.0.15-1~deb12u1", 2) }, NULL, P },
	{ ID_UPD_PENDING, { STATUS("3.0.15-1~deb12u1"), OFFER("3.0.15-1~deb12u1", 30) }, NULL, P },
	{ ID_UPD_PENDING, { STATUS("1:1.0"), OFFER("2.0", 30) }, NULL, P },
	{ ID_UPD_PENDING, { STATUS("3.0.11") }, NULL, U },
	/* a list that is not read, beside one that is: not a pass */
#define PACKED "/var/lib/apt/lists/mirror.example.org_dists_bookworm-security_contrib_binary-amd64_Packages"
	{ ID_UPD_PENDING, { STATUS("3.0.15-1"), OFFER("3.0.15-1", 2), { PACKED ".xz", "x", 0 } }, NULL, U },
	{ ID_UPD_PENDING, { STATUS("3.0.15-1"), OFFER("3.0.15-1", 2), { PACKED ".lz4", "no frame", 0 } }, NULL, U },
	{ ID_UPD_PENDING, { STATUS("3.0.15-1"), OFFER("3.0.15-1", 2), { PACKED ".gz", "", 0 } }, NULL, U },
	{ ID_UPD_PENDING, { STATUS("3.0.15-1"), OFFER("3.0.15-1", 2), { PACKED ".diff_Index", "x", 0 } }, NULL, P },
	{ ID_UPD_PENDING, { STATUS("3.0.11-1"), OFFER("3.0.15-1", 8), { PACKED ".xz", "x", 0 } }, NULL, F },
	{ ID_UPD_PENDING, { { "/etc/x", "", 0 } }, NULL, U },
	/* what came, and what stays too long */
#define LAYER { "/engine/inspect-" ID64 ".json", "{\"Name\":\"/p\",\"State\":{\"Running\":true,\"Pid\":0},\"HostConfig\":{},\"Config\":{\"Image\":\"a:1\"}," \
	"\"GraphDriver\":{\"Data\":{\"UpperDir\":\"/layer\"}}}", 0 }
	{ ID_IMAGE_NEW_EXECUTABLES, { NONE }, NULL, N },
	{ ID_IMAGE_NEW_EXECUTABLES, { LIST, LAYER, { "/layer/tmp/x", "\177ELF\2\1\1", 0644 } }, NULL, F },
	{ ID_IMAGE_NEW_EXECUTABLES, { LIST, LAYER, { "/layer/app/node_modules/.bin/kworker", "#!/bin/sh\n", 0755 } }, NULL, F },
	{ ID_IMAGE_NEW_EXECUTABLES, { LIST, LAYER, { "/layer/tmp/x.log", "text", 0644 }, { "/layer/usr/bin/x", "\177ELF\2", 0755 } }, NULL, P },
	{ ID_IMAGE_NEW_EXECUTABLES, { LIST, BOX("\"x\":0", "a:1") }, NULL, U },
	{ ID_SECRET_ROTATION_AGE, { { "/srv/shop/.env", "PORT=1\n", 0600 } }, NULL, N },
	{ ID_SECRET_ROTATION_AGE, { { "/srv/shop/.env", "SECRET_KEY=" KEY64 "\n", 0600, 91 } }, NULL, F },
	{ ID_SECRET_ROTATION_AGE, { { "/srv/shop/.env.production", "DB_PASSWORD=h8Xk29sLmQ\n", 0600, 400 } }, NULL, F },
	{ ID_SECRET_ROTATION_AGE, { { "/srv/shop/.env", "SECRET_KEY=" KEY64 "\n", 0600, 89 } }, NULL, P },
	{ ID_SECRET_ROTATION_AGE, { { "/srv/shop/.env", NULL, 0700 } }, NULL, U },
	{ ID_HOST_STATS_NOW, { NONE }, NULL, N },
};

/* The saved host in `root`, judged; `id` alone is asked for. */
static struct audit *judged(enum id id, bool with_project)
{
	struct audit *a = calloc(1, sizeof(*a));

	check_policy_defaults(&a->policy);
	a->policy.now_us = (uint64_t) time(NULL) * 1000000 + 1000000;
	a->sock = -1;
	a->saved = true;
	a->select.on[id] = true;
	assert_int_equal(hostfs_open(&a->fs, root), 0);
	assert_int_equal(gather_engine(a), 0);
	if (with_project)
		gather_project(a, "/srv/shop", "given");
	assert_int_equal(check_units(a), 0);
	assert_int_equal(check_sshd(a), 0);
	assert_int_equal(check_projects(a), 0);
	assert_int_equal(check_firewall(a), 0);
	assert_int_equal(check_tls(a), 0);
	assert_int_equal(check_updates(a), 0);
	assert_int_equal(check_persistence(a), 0);
	assert_int_equal(check_machine(a), 0);
	finding_list_sort(&a->out);
	return a;
}

static const struct finding *first_of(const struct audit *a, enum id id)
{
	for (size_t i = 0; i < a->out.n; i++)
		if (a->out.item[i]->id == id)
			return a->out.item[i];
	return NULL;
}

static void audit_free(struct audit *a)
{
	finding_list_done(&a->out);
	arena_done(&a->arena);
	hostfs_done(&a->fs);
	free(a);
}

static int verdict_on(enum id id, bool with_project)
{
	struct audit *a = judged(id, with_project);
	const struct finding *f = first_of(a, id);
	int v = f ? (int) f->verdict : -1;

	audit_free(a);
	return v;
}

/* What closes a firewall leaves sshd's own ports open, and what policy.ports names; a line is added behind one without an end. */
static void test_commands(void **state)
{
#define DENY "ufw default deny incoming && "
#define WEB  " && ufw allow 80 && ufw allow 443"
#define NODES " && ufw allow from NODE to any port 2377,7946 proto tcp && ufw allow from NODE to any port 7946,4789 proto udp"
#define SSHD(text) { "/etc/ssh/sshd_config", text, 0 }
	static const struct {
		enum id id;
		struct entry file[4];
		const char *command;
	} rows[] = {
		{ ID_FW_ACTIVE_DEFAULT_DENY, { { "/etc/x", "", 0 } }, "apt install ufw && " DENY "ufw allow OpenSSH" WEB " && ufw enable" },
		{ ID_FW_ACTIVE_DEFAULT_DENY, { SSHD("") }, "apt install ufw && " DENY "ufw allow 22/tcp" WEB " && ufw enable" },
		{ ID_FW_ACTIVE_DEFAULT_DENY, { SSHD("Port 2222\nPort 22\n") }, "apt install ufw && " DENY "ufw allow 2222/tcp && ufw allow 22/tcp" WEB " && ufw enable" },
		{ ID_FW_ACTIVE_DEFAULT_DENY, { SSHD("ListenAddress 192.0.2.1:2222\nListenAddress [2001:db8::1]:2223\nListenAddress 2001:db8::22\n") },
		  "apt install ufw && " DENY "ufw allow 2222/tcp && ufw allow 2223/tcp" WEB " && ufw enable" },
		{ ID_FW_ACTIVE_DEFAULT_DENY, { { "/etc/ssh/sshd_config", NULL, 0 } }, NULL }, /* nobody knows which */
		{ ID_FW_ACTIVE_DEFAULT_DENY, { SSHD("Include sshd_config.d/*.conf\n"), CLOUD_INIT }, NULL },
		{ ID_FW_ACTIVE_DEFAULT_DENY, { SSHD(""), { "/etc/systemd/system/ssh.socket.d/port.conf", "[Socket]\nListenStream=2222\n", 0 } }, NULL },
		{ ID_FILE_ENV_IGNORED, { { "/srv/shop/.env", "A=1\n", 0600 } }, "printf '\\n%s\\n' .env >> /srv/shop/.gitignore" },
		{ ID_HOST_SWARM_PORTS, { NONE, INFO("active"), SSHD("Port 2222\n") }, DENY "ufw allow 2222/tcp" WEB NODES " && ufw enable" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const bool project = strncmp(rows[i].file[0].path, "/srv/", 5) == 0;
		struct audit *a;
		const struct finding *f;

		(void) strcpy(root, "/tmp/pv-host-XXXXXX");
		assert_non_null(mkdtemp(root));
		for (size_t k = 0; k < N_ELEMENTS(git_dir) && project; k++)
			put(&git_dir[k]);
		for (size_t k = 0; k < N_ELEMENTS(rows[i].file) && rows[i].file[k].path; k++)
			put(&rows[i].file[k]);
		a = judged(rows[i].id, project);
		f = first_of(a, rows[i].id);
		CHECK(f && f->verdict == FINDING_FAIL, "row %zu", i);
		CHECK_STR(f ? f->command : "", rows[i].command, "row %zu", i);
		audit_free(a);
		(void) nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	}
}

/* More projects than are looked at: what was not looked at is no pass. */
static void test_many_projects(void **state)
{
	struct audit *a = calloc(1, sizeof(*a));
	char dir[64];
	bool said = false;

	(void) state;
	(void) strcpy(root, "/tmp/pv-host-XXXXXX");
	assert_non_null(mkdtemp(root));
	check_policy_defaults(&a->policy);
	a->sock = -1;
	a->saved = true;
	a->select.on[ID_FILE_ENV_MODE] = true;
	assert_int_equal(hostfs_open(&a->fs, root), 0);
	for (unsigned i = 0; i < GATHER_DIRS + 44; i++) {
		(void) snprintf(dir, sizeof(dir), "/srv/p%u", i);
		gather_project(a, dir, "given");
	}
	gather_project(a, "/srv/p7", "again");
	assert_int_equal(check_projects(a), 0);
	for (size_t i = 0; i < a->out.n; i++)
		said |= a->out.item[i]->verdict == FINDING_UNKNOWN && a->out.item[i]->reason == REASON_TOO_LARGE && a->out.item[i]->n_evidence &&
			strstr(a->out.item[i]->evidence[0].value, "44 folders more") != NULL;
	assert_true(said);
	finding_list_done(&a->out);
	arena_done(&a->arena);
	hostfs_done(&a->fs);
	free(a);
	(void) rmdir(root);
}

static void test_hosts(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(hosts); i++) {
		int v;

		(void) strcpy(root, "/tmp/pv-host-XXXXXX");
		assert_non_null(mkdtemp(root));
		for (size_t k = 0; k < N_ELEMENTS(git_dir) && hosts[i].tracked; k++)
			put(&git_dir[k]);
		for (size_t k = 0; k < N_ELEMENTS(hosts[i].file) && hosts[i].file[k].path; k++)
			put(&hosts[i].file[k]);
		if (hosts[i].tracked && *hosts[i].tracked)
			put_index("/srv/shop", hosts[i].tracked);
		v = verdict_on(hosts[i].id, strncmp(hosts[i].file[0].path, "/srv/", 5) == 0);
		(void) nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
		CHECK(v == hosts[i].verdict, "row %zu: %s: %s, want %s", i, id_info(hosts[i].id)->name, v < 0 ? "nothing" : finding_verdict_name((enum finding_verdict) v),
		      finding_verdict_name((enum finding_verdict) hosts[i].verdict));
	}
}

/* --- apt.conf --- */

static void test_apt_conf(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: nothing */
	} cases[] = {
		{ "", NULL },
		{ "A::B \"x\";", "x" },
		{ "a::b x;", "x" },
		{ "A::B \"x\"", NULL }, /* not ended */
		{ "A::B \"x; } // y\";", "x; } // y" },
		{ "A { B \"x\"; };", "x" },
		{ "A { B \"x\"; C { B \"y\"; }; };", "x" },
		{ "A { C { D \"y\"; }; B \"x\"; };", "x" },
		{ "A::B \"x\"; A { B \"y\"; };", "y" },
		{ "A::B \"x\"; #clear A::B;", "" },
		{ "A::B \"x\"; #clear A;", "" },
		{ "A::B \"x\"; #clear A::BC;", "x" },
		{ "// A::B \"x\";\n# A::B \"y\";\n/* A::B \"z\"; */", NULL },
		{ "A::B { \"x\"; };", NULL },
		{ "}; }; A::B x;", "x" },
		{ "1{2{3{4{5{6{7{8{9{10{11{12{13{14{15{16{17{18{ A::B y; }}}}}}}}}}}}}}}}}} A::B x;", "x" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char value[APT_VALUE] = "before";
		bool any = apt_conf_value(cases[i].text, "A::B", value);

		CHECK(any == !!cases[i].want && strcmp(value, any ? cases[i].want : "before") == 0, "case %zu: %d %s", i, any, value);
	}
	CHECK(apt_conf_part("20auto-upgrades") && apt_conf_part("x_Y.conf") && !apt_conf_part("x.bak") && !apt_conf_part(".x") && !apt_conf_part("x~"), "names");
}

/* --- packed lists --- */

struct told {
	char text[200];
	size_t lines, bytes;
};

static int tell(const char *line, size_t len, void *user)
{
	struct told *t = user;

	if (t->lines++ < 3)
		(void) snprintf(t->text + strlen(t->text), sizeof(t->text) - strlen(t->text), "%s|", line);
	t->bytes += len + 1;
	return 0;
}

/* In pieces of `step` bytes. */
static int unpack(const char *name, const struct pv_buf *in, size_t step, size_t max, struct told *ret)
{
	pv_auto(packed) p = NULL;
	int r;

	*ret = (struct told){ .lines = 0 };
	r = packed_new(name, max, tell, ret, &p);
	for (size_t i = 0; i < in->len && r == 0; i += step)
		r = packed_add(p, in->data + i, PV_MIN(step, in->len - i));
	return r < 0 ? r : packed_end(p);
}

static void pack(const char *name, const char *text, size_t len, struct pv_buf *to)
{
	size_t room = 2 * len + 4096, n = len;
	char *out = malloc(room);
	z_stream z = { .next_in = (Bytef *) (uintptr_t) text, .avail_in = (uInt) len, .next_out = (Bytef *) out, .avail_out = (uInt) room };

	assert_non_null(out);
	if (strcmp(name, ".gz") == 0) {
		assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
		assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
		n = z.total_out;
		assert_int_equal(deflateEnd(&z), Z_OK);
	} else if (strcmp(name, ".lz4") == 0) {
		n = LZ4F_compressFrame(out, room, text, len, NULL);
	} else if (strcmp(name, ".zst") == 0) {
		n = ZSTD_compress(out, room, text, len, 3);
	}
	pv_buf_add(to, *name ? out : text, n);
	free(out);
}

static void test_packed(void **state)
{
	static const char *const names[] = { "", ".gz", ".lz4", ".zst" };
	static const size_t steps[] = { 1, 7, 70000 };
	pv_autofree char *zeros = calloc(1, 3 << 20);

	(void) state;
	assert_non_null(zeros);
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		pv_autobuf in = PV_BUF_INIT, bomb = PV_BUF_INIT, cut = PV_BUF_INIT;
		struct told t;

		pack(names[i], "Package: a\nVersion: 1\n", 22, &in);
		pack(names[i], "\nPackage: b", 11, &in); /* a second frame behind the first */
		pack(names[i], zeros, 3 << 20, &bomb);
		for (size_t k = 0; k < N_ELEMENTS(steps); k++) {
			CHECK(unpack(names[i], &in, steps[k], 1000, &t) == 0, "%s by %zu", names[i], steps[k]);
			CHECK(strcmp(t.text, "Package: a|Version: 1||") == 0 && t.lines == 4, "%s by %zu: %s", names[i], steps[k], t.text);
		}
		CHECK(unpack(names[i], &in, 5, 32, &t) == -EFBIG, "%s: more than is wanted", names[i]);
		CHECK(unpack(names[i], &bomb, 4096, 3 << 20, &t) == 0 && t.lines == 0, "%s: a line too long is left out", names[i]);
		CHECK(unpack(names[i], &bomb, 4096, (3 << 20) - 1, &t) == -EFBIG, "%s: a bomb ends", names[i]);
		if (!i)
			continue;
		pv_buf_add(&cut, in.data, in.len - 5);
		CHECK(unpack(names[i], &cut, 4096, 1000, &t) == -EBADMSG, "%s: cut", names[i]);
		pv_buf_clear(&cut);
		CHECK(unpack(names[i], &cut, 4096, 1000, &t) == -EBADMSG, "%s: empty", names[i]);
		pv_buf_puts(&in, "more");
		CHECK(unpack(names[i], &in, 4096, 1000, &t) == -EBADMSG, "%s: something behind it", names[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		pv_auto(packed) p = NULL;

		CHECK(packed_new((const char *[]){ "a.xz", "a.bz2", "a.lzma" }[i], 1, tell, NULL, &p) == -EOPNOTSUPP, "%zu", i);
	}
}

/* --- requirements.tsv: every audit id has a row, words and its fixtures --- */

/* Built and judged above, with what cannot be shown here: a pass or an unknown that no fixture can make. */
static const struct {
	const char *prefix, *why;
} elsewhere[] = {
	{ "ctr.", "test_check_ctr" }, { "img.", "test_check_ctr" }, { "dokploy.unknown-deploys", "test_audit_fix" },
};

/* The application's own code is looked at by other means; until then it is unknown (unsupported). */
static const char *const not_built[] = { "app." };

/* A verdict that cannot come out, and why. */
static const struct {
	const char *name;
	int verdict;
	const char *why;
} never[] = {
	{ "file.env-mode", U, "a file that was listed can be looked at" },
	{ "backup.location-mode", U, "so can a folder" },
	{ "backup.encrypted", U, "with rights to read; see test_audit" },
	{ "unit.private-tmp", U, "one that cannot be read is told once, by unit.non-root" },
	{ "unit.no-new-privileges", U, "likewise" },
	{ "ci.present", U, "with rights to read" },
	{ "mon.timer-active", N, "every host is to be watched" },
	{ "fw.active-default-deny", N, "every host has ports" },
	{ "fw.listening", N, "likewise" },
	{ "host.miner-connection", N, "likewise" },
	{ "host.docker-sock-perm", U, "a path that is there can be looked at" },
	{ "upd.unattended", N, "every host has packages" },
	{ "upd.pending", N, "likewise" },
};

static bool in_table(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(elsewhere); i++)
		if (strncmp(name, elsewhere[i].prefix, strlen(elsewhere[i].prefix)) == 0)
			return true;
	return false;
}

static bool unbuilt(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(not_built); i++)
		if (strncmp(name, not_built[i], strlen(not_built[i])) == 0)
			return true;
	return false;
}

static bool can_be(const char *name, int verdict)
{
	for (size_t i = 0; i < N_ELEMENTS(never); i++)
		if (never[i].verdict == verdict && strcmp(never[i].name, name) == 0)
			return false;
	return true;
}

static void one_requirement(const char *row, const char *name)
{
	unsigned fails = 0, passes = 0, unknown = 0, na = 0;
	enum id id;

	CHECK(id_parse(name, &id) == 0, "%s: no row for %s", row, name);
	CHECK(check_is_audit(id), "%s: %s is no audit id", row, name);
	CHECK(*id_info(id)->why && *id_info(id)->mend, "%s: %s is not explained", row, name);
	if (in_table(name))
		return;
	if (unbuilt(name)) {
		print_message("# %s: %s skipped: it is unknown (unsupported) so far\n", row, name);
		return;
	}
	for (size_t i = 0; i < N_ELEMENTS(hosts); i++) {
		fails += hosts[i].id == id && hosts[i].verdict == F;
		passes += hosts[i].id == id && hosts[i].verdict == P;
		unknown += hosts[i].id == id && hosts[i].verdict == U;
		na += hosts[i].id == id && hosts[i].verdict == N;
	}
	CHECK(fails >= 2 && passes >= 1, "%s: %s has %u failing and %u passing fixtures", row, name, fails, passes);
	CHECK(unknown || !can_be(name, U), "%s: %s has no fixture that could not be checked", row, name);
	CHECK(na || !can_be(name, N), "%s: %s has no fixture that it does not apply to", row, name);
}

static void test_requirements(void **state)
{
	const char *source = getenv("PV_TEST_SOURCE");
	char path[512], line[1024];
	unsigned n = 0;
	FILE *f;

	(void) state;
	(void) snprintf(path, sizeof(path), "%s/../doc/requirements.tsv", source ? source : "test");
	f = fopen(path, "re");
	CHECK(f, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		char *by = strrchr(line, '\t'), *audit = by ? strstr(by, "audit") : NULL, *save = NULL;

		audit = audit ? strchr(audit, ':') : NULL;
		line[strcspn(line, "\t")] = '\0';
		if (!audit)
			continue;
		audit[strcspn(audit, ";(\n")] = '\0';
		for (char *w = strtok_r(audit + 1, ", ", &save); w; w = strtok_r(NULL, ", ", &save)) {
			if (!strchr(w, '.') || strchr(w, '*'))
				continue;
			one_requirement(line, w);
			n++;
		}
	}
	(void) fclose(f);
	CHECK(n >= 40, "%u ids", n);
}

/* Everything that the audit answers for is explained. */
static void test_explained(void **state)
{
	(void) state;
	for (unsigned i = 0; i < ID_N; i++)
		if (check_is_audit((enum id) i))
			CHECK(*id_info((enum id) i)->why && *id_info((enum id) i)->mend, "%s", id_info((enum id) i)->name);
}

static void test_aliases(void **state)
{
	enum id id;

	(void) state;
	assert_int_equal(id_parse("ssh.fail2ban", &id), 0);
	assert_int_equal(id, ID_SSH_BAN_ENGINE);
	assert_int_equal(id_parse("cis-5.32", &id), 0);
	assert_int_equal(id, ID_CTR_DOCKER_SOCKET);
	assert_int_equal(id_parse("cis-9.9", &id), -EINVAL);
}

static void join_dir(const char *dir, void *user)
{
	struct pv_buf *out = user;

	pv_buf_printf(out, "%s%s", out->len ? " " : "", dir);
}

/* Where a job's line puts what it dumps. */
static void test_dump_targets(void **state)
{
	static const struct {
		const char *line, *dirs;
	} cases[] = {
		{ "0 3 * * * root pg_dump shop > /srv/dumps/shop.sql", "/srv/dumps" },
		{ "0 3 * * * root pg_dumpall | gzip >/srv/dumps/all-$(date +\\%F).sql.gz", "/srv/dumps" },
		{ "@daily root mysqldump --result-file=/srv/my/x.sql shop", "/srv/my" },
		{ "ExecStart=/usr/bin/pg_dump -Fc -f \"/srv/pg dumps/shop.dump\" shop", "/srv/pg dumps" },
		{ "restic -r /srv/restic backup /home", "/srv/restic" },
		{ "RESTIC_REPOSITORY=/srv/vault restic backup /home", "/srv/vault" },
		{ "borg create /srv/borg::{now} /etc", "/srv/borg" },
		{ "pg_basebackup -D /srv/base/", "/srv/base" },
		{ "mongodump --out=/srv/mongo --gzip", "/srv/mongo" },
		{ "mongodump --out=/srv/mongo/$(date +%F)", "/srv/mongo" },
		{ "restic -r s3:bucket/x backup /home", "" },
		{ "# pg_dump shop > /srv/dumps/x", "" },
		{ "pg_dump shop >/dev/null", "" },
		{ "echo hello > /srv/x/y", "" },
		{ "pg_dump shop > \"$TARGET\"", "" },
		{ "pg_dump x > /x.sql", "" },
		{ "pg_dump 'a", "" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_autobuf got = PV_BUF_INIT;

		dumps_line(cases[i].line, join_dir, &got);
		CHECK_STR(pv_buf_str(&got), cases[i].dirs, "%s", cases[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump_targets),
		cmocka_unit_test(test_unit_file),    cmocka_unit_test(test_sshd_conf), cmocka_unit_test(test_proc_net),
		cmocka_unit_test(test_secret_words), cmocka_unit_test(test_many_projects), cmocka_unit_test(test_hosts), cmocka_unit_test(test_commands),
		cmocka_unit_test(test_packed),     cmocka_unit_test(test_apt_conf),
		     cmocka_unit_test(test_requirements),
		cmocka_unit_test(test_explained),    cmocka_unit_test(test_aliases),
	};

	memset(big, '#', sizeof(big) - 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
