/* Opening the history: the checks of the file before SQLite sees it, the settings, the schema. */
#include "store/db.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "store/vfs.h"

#define DB_FILE		 "history.db"
#define DB_APPLICATION	 0x70766973 /* "pvis" */
#define DB_VERSION	 1
/* Tables that came later; a file from before gets them when it is opened, and an older version passes over them. */
#define DB_LATER                                                                                                                 \
	"CREATE TABLE IF NOT EXISTS bans(address BLOB NOT NULL,len INTEGER NOT NULL,since_us INTEGER NOT NULL,until_us INTEGER NOT NULL," \
	"times INTEGER NOT NULL,cause TEXT NOT NULL,service TEXT NOT NULL,reason TEXT NOT NULL,evidence BLOB,"                      \
	"PRIMARY KEY(address,len)) STRICT"
#define DB_INDEX "CREATE INDEX IF NOT EXISTS bans_evidence ON bans(until_us) WHERE evidence IS NOT NULL"
#define DB_MAX_PAGES	 65536 /* 256 MB */
#define DB_LOG_PAGES	 2000  /* 8 MB */
#define DB_CHECK_US	 USEC_PER_SEC /* a start does not wait longer for the integrity check */

static const char settings[] =
	"PRAGMA journal_mode=WAL;"
	"PRAGMA synchronous=NORMAL;"
	"PRAGMA wal_autocheckpoint=0;" /* flush.c does them */
	"PRAGMA journal_size_limit=4194304;"
	"PRAGMA cache_size=-1000;"
	"PRAGMA mmap_size=0;"
	"PRAGMA temp_store=MEMORY;"
	"PRAGMA cell_size_check=ON;";

static const char schema[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE notices(row INTEGER PRIMARY KEY AUTOINCREMENT,time_us INTEGER NOT NULL,last_us INTEGER NOT NULL,"
	" id TEXT NOT NULL,severity INTEGER NOT NULL,action TEXT NOT NULL,kind TEXT NOT NULL,subject TEXT NOT NULL,"
	" cgroup INTEGER NOT NULL,count INTEGER NOT NULL,what TEXT NOT NULL,next TEXT NOT NULL,evidence BLOB) STRICT;"
	/* state: 0 waiting, 1 given up; a delivered one is deleted */
	"CREATE TABLE deliveries(row INTEGER PRIMARY KEY AUTOINCREMENT,notice INTEGER NOT NULL,"
	" key INTEGER NOT NULL,attempts INTEGER NOT NULL DEFAULT 0,"
	" since_us INTEGER NOT NULL,due_us INTEGER NOT NULL,"
	" state INTEGER NOT NULL DEFAULT 0,error TEXT) STRICT;"
	"CREATE INDEX deliveries_waiting ON deliveries(key,due_us) WHERE state=0;"
	"CREATE INDEX deliveries_given_up ON deliveries(row) WHERE state=1;"
	"CREATE INDEX deliveries_notice ON deliveries(notice);"
	"CREATE TABLE acts(row INTEGER PRIMARY KEY AUTOINCREMENT,time_us INTEGER NOT NULL,notice INTEGER NOT NULL,"
	" kind TEXT NOT NULL,subject TEXT NOT NULL,id TEXT NOT NULL,old_value TEXT NOT NULL,undone INTEGER NOT NULL) STRICT;"
	"CREATE TABLE kv(key TEXT PRIMARY KEY,value TEXT NOT NULL) STRICT;"
	"INSERT INTO kv VALUES('store.uid',lower(hex(randomblob(16))));"
	"PRAGMA application_id=1886808435;" /* DB_APPLICATION */
	"PRAGMA user_version=1;"
	"COMMIT;";
_Static_assert(DB_APPLICATION == 1886808435, "the schema says the same");

static int read_number(sqlite3_stmt *st, void *arg)
{
	*(int *) arg = sqlite3_column_int(st, 0);
	return 1;
}

static int ask_number(struct store *s, const char *sql, int *ret)
{
	sqlite3_stmt *st = NULL;
	int r;

	if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
		return db_error(s);
	r = db_each(s, st, read_number, ret);
	(void) sqlite3_finalize(st);
	return r;
}

/* Ours, new, or somebody else's? 1 when the schema is still to be made. */
static int check_version(struct store *s)
{
	int application = 0, version = 0, tables = 0, r;

	r = ask_number(s, "PRAGMA application_id", &application);
	if (!r)
		r = ask_number(s, "PRAGMA user_version", &version);
	if (!r)
		r = ask_number(s, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r < 0)
		return r;
	if (!application && !version && !tables)
		return 1;
	if (application != DB_APPLICATION || version < 1)
		return -EBADMSG;
	return version > DB_VERSION ? -EUCLEAN : 0;
}

static int past_deadline(void *arg)
{
	return clock_monotonic_us() > *(uint64_t *) arg;
}

static int read_ok(sqlite3_stmt *st, void *arg)
{
	const char *text = (const char *) sqlite3_column_text(st, 0);

	*(bool *) arg = text && strcmp(text, "ok") == 0;
	return 1;
}

/* Whole or damaged. What is so large that the check takes longer than a second counts as whole: damage met later is
 * -EBADMSG then. */
static int check_whole(struct store *s)
{
	uint64_t deadline = clock_monotonic_us() + DB_CHECK_US;
	sqlite3_stmt *st = NULL;
	bool ok = false;
	int code, r;

	if (sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &st, NULL) != SQLITE_OK)
		return db_error(s);
	sqlite3_progress_handler(s->db, 1000, past_deadline, &deadline);
	r = db_each(s, st, read_ok, &ok);
	code = sqlite3_finalize(st);
	sqlite3_progress_handler(s->db, 0, NULL, NULL);
	if ((code & 0xff) == SQLITE_INTERRUPT || (r == -EIO && clock_monotonic_us() > deadline))
		return 0;
	return r < 0 ? r : ok ? 0 : -EBADMSG;
}

/* Makes the file if it is absent, so that it is ours alone (0600) whatever the umask, and refuses what is no plain
 * file of our own. It is closed again before SQLite opens it: closing later would drop SQLite's locks. */
static int check_file(int dir_fd)
{
	pv_autoclose int fd = openat(dir_fd, DB_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return errno == EISDIR ? -EPERM : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == geteuid() ? 0 : -EPERM;
}

static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct store *s = arg;

	(void) name;
	if (s->flush)
		flush_told(s->flush, pages);
	/* A log is begun anew only when all of it is written back, and in a storm of commits the thread never gets that
	 * far: it is stopped by what came meanwhile. Then the writer does the rest, once in some hundred commits. */
	if (pages >= DB_LOG_PAGES)
		(void) sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return SQLITE_OK;
}

static void db_defend(sqlite3 *db)
{
	(void) sqlite3_db_config(db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 512, 64);
	(void) sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void) sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void) sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	(void) sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void) sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	(void) sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	(void) sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	(void) sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	(void) sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 20);
	(void) sqlite3_busy_timeout(db, 1000);
}

static int db_connect(struct store *s)
{
	int code = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, STORE_VFS);
	int r, pages = 0, keep = 1;

	if (code != SQLITE_OK)
		return s->db ? db_error(s) : -ENOMEM;
	db_defend(s->db);
	/* The log and its index stay when it is closed: where the disk is full, they could not be made anew. */
	(void) sqlite3_file_control(s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	r = check_version(s);
	if (r < 0)
		return r;
	code = sqlite3_exec(s->db, settings, NULL, NULL, NULL);
	if (code == SQLITE_OK && r == 1)
		code = sqlite3_exec(s->db, schema, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(s->db, DB_LATER, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(s->db, DB_INDEX, NULL, NULL, NULL);
	else
		return db_errno(code);
	if (code != SQLITE_OK && code != SQLITE_FULL) /* without it all is slower, no more; the next start tries again */
		return db_errno(code);
	r = ask_number(s, "PRAGMA max_page_count=65536", &pages);
	if (r < 0)
		return r;
	return pages < DB_MAX_PAGES ? -EFBIG : check_whole(s);
}

static void db_disconnect(struct store *s)
{
	for (size_t i = 0; i < DB_N; i++) {
		(void) sqlite3_finalize(s->statements[i]);
		s->statements[i] = NULL;
	}
	(void) sqlite3_close(s->db);
	s->db = NULL;
}

/* The WAL goes along under the name that belongs to it, for whoever wants to save something. */
static int move_aside(struct store *s)
{
	db_disconnect(s);
	(void) unlinkat(s->dir_fd, DB_FILE "-shm", 0);
	(void) unlinkat(s->dir_fd, DB_FILE ".bad-wal", 0);
	(void) renameat(s->dir_fd, DB_FILE "-wal", s->dir_fd, DB_FILE ".bad-wal");
	if (renameat(s->dir_fd, DB_FILE, s->dir_fd, DB_FILE ".bad") < 0)
		return -errno;
	s->damaged = true;
	log_error("history: %s is damaged or not ours; it was moved to %s and a new one begun", DB_FILE, DB_FILE ".bad");
	return check_file(s->dir_fd);
}

static int store_start(struct store *s)
{
	pv_autobuf uid = PV_BUF_INIT;
	int r = check_file(s->dir_fd);

	if (r < 0)
		return r;
	r = db_connect(s);
	if (r == -EBADMSG) {
		r = move_aside(s);
		if (!r)
			r = db_connect(s);
	}
	if (r < 0)
		return r;
	r = store_kv_get(s, "store.uid", &uid);
	if (r < 0)
		return r;
	(void) text_copy(s->uid, sizeof(s->uid), pv_buf_str(&uid));
	r = flush_start(s->path, s->dir_fd, DB_FILE "-wal", &s->flush);
	if (!r)
		(void) sqlite3_wal_hook(s->db, on_commit, s);
	return r;
}

int store_open(const char *dir, struct store **ret)
{
	pv_auto(store) s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return -errno;
	(void) snprintf(s->path, sizeof(s->path), "/proc/self/fd/%d/%s", s->dir_fd, DB_FILE);
	r = store_vfs_register();
	if (!r)
		r = store_start(s);
	if (r < 0)
		return r;
	*ret = pv_steal(s);
	return 0;
}

struct store *store_free(struct store *s)
{
	if (!s)
		return NULL;
	s->flush = flush_free(s->flush); /* before the last connection goes, which removes the WAL */
	db_disconnect(s);
	(void) pv_close(s->dir_fd);
	free(s);
	return NULL;
}

bool store_was_damaged(const struct store *s)
{
	return s->damaged;
}

const char *store_uid(const struct store *s)
{
	return s->uid;
}
