#include "store/flush.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/vfs.h"

/* A flush begins this long after the first commit it covers: a burst shares one, and the disk has 100 ms left of
 * the 200 that are promised. */
#define FLUSH_DELAY_US (100 * USEC_PER_MSEC)
#define CHECKPOINT_PAGES 500 /* 2 MB */

struct flush {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* on CLOCK_MONOTONIC */
	bool started, up, stop, dirty;
	int wal_pages;
	uint64_t dirty_us; /* monotonic, of the first commit that is not on the disk */
	uint64_t flushes, longest_us;
	int wal_fd;
	sqlite3 *db; /* the thread's own connection, for checkpoints only */
};

/* Waits for something to flush, then for its delay; the lock is held before and after. False: stop, nothing left. */
static bool flush_wait(struct flush *f)
{
	struct timespec until;
	uint64_t at;

	while (!f->dirty && !f->stop)
		(void) pthread_cond_wait(&f->wake, &f->lock);
	if (!f->dirty)
		return false;
	at = f->dirty_us + FLUSH_DELAY_US;
	until.tv_sec = (time_t) (at / USEC_PER_SEC);
	until.tv_nsec = (long) (at % USEC_PER_SEC * 1000);
	while (!f->stop && pthread_cond_timedwait(&f->wake, &f->lock, &until) == 0)
		;
	return true;
}

/* A passive checkpoint never blocks the writer, nor does the writer block it for longer than one commit. */
static void flush_checkpoint(struct flush *f)
{
	int r = sqlite3_wal_checkpoint_v2(f->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	if (r != SQLITE_OK && r != SQLITE_BUSY)
		log_error("history: cannot write the log back: %s", sqlite3_errstr(r));
}

static void *flush_main(void *arg)
{
	struct flush *f = arg;

	(void) pthread_mutex_lock(&f->lock);
	f->up = true;
	(void) pthread_cond_signal(&f->wake);
	while (flush_wait(f)) {
		uint64_t since = f->dirty_us, took;
		int pages = f->wal_pages;

		f->dirty = false;
		(void) pthread_mutex_unlock(&f->lock);
		if (fdatasync(f->wal_fd) < 0)
			(void) log_error_errno(-errno, "history: the disk did not take it");
		took = clock_monotonic_us() - since;
		if (pages >= CHECKPOINT_PAGES)
			flush_checkpoint(f);
		(void) pthread_mutex_lock(&f->lock);
		f->flushes++;
		f->longest_us = PV_MAX(f->longest_us, took);
	}
	(void) pthread_mutex_unlock(&f->lock);
	return NULL;
}

static int flush_open(struct flush *f, const char *path, int dir_fd, const char *wal)
{
	int r = sqlite3_open_v2(path, &f->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, STORE_VFS);

	if (r != SQLITE_OK)
		return -EIO;
	(void) sqlite3_db_config(f->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void) sqlite3_db_config(f->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* The first read joins the WAL; a checkpoint of a connection that never read is refused. */
	r = sqlite3_exec(f->db, "PRAGMA synchronous=NORMAL; PRAGMA mmap_size=0; PRAGMA cache_size=-64;"
			 "PRAGMA temp_store=MEMORY; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
	if (r != SQLITE_OK)
		return -EIO;
	f->wal_fd = openat(dir_fd, wal, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return f->wal_fd < 0 ? -errno : 0;
}

static int flush_thread(struct flush *f)
{
	sigset_t all, before;
	int r;

	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&f->thread, NULL, flush_main, f);
	(void) pthread_sigmask(SIG_SETMASK, &before, NULL);
	f->started = r == 0;
	/* The caller may put a filter over all threads next: one that is still being set up would not survive it. */
	(void) pthread_mutex_lock(&f->lock);
	while (f->started && !f->up)
		(void) pthread_cond_wait(&f->wake, &f->lock);
	(void) pthread_mutex_unlock(&f->lock);
	return -r;
}

int flush_start(const char *path, int dir_fd, const char *wal, struct flush **ret)
{
	pv_auto(flush) f = calloc(1, sizeof(*f));
	pthread_condattr_t attr;
	int r;

	if (!f)
		return -ENOMEM;
	f->wal_fd = -1;
	(void) pthread_mutex_init(&f->lock, NULL);
	(void) pthread_condattr_init(&attr);
	(void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void) pthread_cond_init(&f->wake, &attr);
	(void) pthread_condattr_destroy(&attr);
	r = flush_open(f, path, dir_fd, wal);
	if (r < 0)
		return r;
	r = flush_thread(f);
	if (r < 0)
		return r;
	*ret = pv_steal(f);
	return 0;
}

struct flush *flush_free(struct flush *f)
{
	if (!f)
		return NULL;
	if (f->started) {
		(void) pthread_mutex_lock(&f->lock);
		f->stop = true;
		(void) pthread_cond_signal(&f->wake);
		(void) pthread_mutex_unlock(&f->lock);
		(void) pthread_join(f->thread, NULL);
	}
	(void) sqlite3_close(f->db);
	(void) pv_close(f->wal_fd);
	(void) pthread_cond_destroy(&f->wake);
	(void) pthread_mutex_destroy(&f->lock);
	free(f);
	return NULL;
}

void flush_told(struct flush *f, int wal_pages)
{
	(void) pthread_mutex_lock(&f->lock);
	f->wal_pages = wal_pages;
	if (!f->dirty) {
		f->dirty = true;
		f->dirty_us = clock_monotonic_us();
		(void) pthread_cond_signal(&f->wake);
	}
	(void) pthread_mutex_unlock(&f->lock);
}

void flush_stats(struct flush *f, uint64_t *ret_flushes, uint64_t *ret_longest_us)
{
	(void) pthread_mutex_lock(&f->lock);
	*ret_flushes = f->flushes;
	*ret_longest_us = f->longest_us;
	(void) pthread_mutex_unlock(&f->lock);
}
