/* `bans import fail2ban`: its database (SQLite, table bips since 0.11; https://github.com/fail2ban/fail2ban, server/database.py)
 * is read as bytes, then, without rights and without files, as a database in memory. */
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/sandbox.h"
#include "cmd/cmd.h"

#define DATABASE "/var/lib/fail2ban/fail2ban.sqlite3"
#define SIZE_MAX_BYTES (256u << 20)
#define BANS_MAX 50000

/* The parser of a stranger's file gets memory and the open connection, nothing else. */
static const char *const syscalls[] = {
	"read", "write", "sendto", "recvfrom", "close", "fstat", "newfstatat", "mmap", "munmap", "mremap", "mprotect", "madvise", "brk",
	"futex", "clock_gettime", "gettimeofday", "getrandom", "exit", "exit_group", "rt_sigreturn", "getpid", "geteuid", "lseek",
};

struct import {
	struct ask *ask;
	const char *config;
	uint64_t now_s, taken, over, odd;
};

static int read_all(const char *path, uint8_t **ret, size_t *ret_len)
{
	pv_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint8_t *data;
	struct stat st;
	size_t at = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t) st.st_size > SIZE_MAX_BYTES)
		return -EINVAL;
	data = sqlite3_malloc64((sqlite3_uint64) st.st_size);
	if (!data)
		return -ENOMEM;
	while (at < (size_t) st.st_size) {
		ssize_t n = read(fd, data + at, (size_t) st.st_size - at);

		if (n <= 0) {
			sqlite3_free(data);
			return n < 0 ? -errno : -EIO;
		}
		at += (size_t) n;
	}
	/* A log beside the file (WAL) cannot be read from memory: the header says so, and is told the other thing. What was not
	 * written back yet is missed. */
	if (at > 20 && data[18] == 2)
		data[18] = data[19] = 1;
	*ret = data;
	*ret_len = at;
	return 0;
}

static int ban(struct import *i, const char *address, const char *jail, uint64_t left_s)
{
	pv_autobuf request = PV_BUF_INIT, reason = PV_BUF_INIT;
	cJSON *answer = NULL;

	pv_buf_printf(&reason, "jail %.60s", jail);
	pv_buf_puts(&request, "{\"verb\":\"ban\",\"by\":\"fail2ban\",\"address\":");
	pv_buf_json_str(&request, address);
	pv_buf_printf(&request, ",\"for_us\":%" PRIu64 ",\"reason\":", left_s * USEC_PER_SEC);
	pv_buf_json_str(&request, pv_buf_str(&reason));
	pv_buf_putc(&request, '}');
	if (ask(i->ask, pv_buf_str(&request), NULL, NULL, &answer) == 0)
		i->taken++;
	else
		i->odd++; /* said by ask() */
	cJSON_Delete(answer);
	return 0;
}

static void one_row(struct import *i, sqlite3_stmt *st)
{
	const char *address = (const char *) sqlite3_column_text(st, 0), *jail = (const char *) sqlite3_column_text(st, 1);
	int64_t start = sqlite3_column_int64(st, 2), length = sqlite3_column_int64(st, 3);
	struct ip_prefix who;

	if (!address || ip_prefix_parse(address, &who) < 0)
		i->odd++;
	else if (length >= 0 && (uint64_t) (start + length) <= i->now_s)
		i->over++;
	else
		(void) ban(i, address, jail ? jail : "", length < 0 ? 10ull * 365 * 86400 : (uint64_t) (start + length) - i->now_s);
}

static int import(struct import *i, uint8_t *data, size_t len)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	int r = -EBADMSG, n = 0;

	if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
	    sqlite3_deserialize(db, "main", data, (sqlite3_int64) len, (sqlite3_int64) len,
				SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY) != SQLITE_OK)
		goto out;
	(void) sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void) sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void) sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	if (sqlite3_prepare_v2(db, "SELECT ip,jail,timeofban,bantime FROM bips ORDER BY timeofban", -1, &st, NULL) != SQLITE_OK)
		goto out;
	while (sqlite3_step(st) == SQLITE_ROW && n++ < BANS_MAX)
		one_row(i, st);
	r = 0;
out:
	(void) sqlite3_finalize(st);
	(void) sqlite3_close(db);
	return r;
}

int bans_import(struct cmd *c)
{
	const char *path = cmd_opt(c, "file") ? cmd_opt(c, "file") : DATABASE;
	struct import i = { .now_s = clock_wall_us() / USEC_PER_SEC };
	pv_autobuf text = PV_BUF_INIT;
	uint8_t *data = NULL;
	size_t len = 0;
	int r;

	r = ask_guard(c, &i.ask);
	if (r != CMD_OK)
		return r;
	r = read_all(path, &data, &len);
	if (r < 0) {
		pv_buf_safe(&text, path, 0);
		pv_buf_printf(&text, ": %s", r == -EINVAL ? "is no file that could be read" : strerror(-r));
		cmd_fail(pv_buf_str(&text), geteuid() ? "sudo pavise bans import fail2ban" : "pavise bans import fail2ban --file FILE");
		i.ask = ask_free(i.ask);
		return CMD_INCOMPLETE;
	}
	ask_patience(i.ask, ASK_ACT_S);
	ask_confine();
	if (sandbox_syscalls(syscalls, N_ELEMENTS(syscalls)) < 0)
		r = -EPERM;
	else
		r = import(&i, data, len);
	i.ask = ask_free(i.ask);
	if (r < 0) {
		cmd_fail(r == -EPERM ? "it cannot be read safely here: seccomp is missing" : "this is no database of fail2ban 0.11 or later", NULL);
		return CMD_INCOMPLETE;
	}
	pv_buf_printf(&text, "%" PRIu64 " bans taken over, %" PRIu64 " were over already, %" PRIu64 " were not taken\n", i.taken, i.over, i.odd);
	if (!c->quiet)
		cmd_say("now switch it off, so that nobody is banned twice: systemctl disable --now fail2ban");
	return cmd_write(&text);
}
