/* full_disk.h - a disk without room for SQLite: between disk_take() and disk_give_back() its pwrite(2) asks disk_is_full. */
#ifndef PV_TEST_FULL_DISK_H
#define PV_TEST_FULL_DISK_H

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <unistd.h>

#include "check.h"

static bool disk_is_full;
static sqlite3_syscall_ptr disk_write_before;

static ssize_t disk_write(int fd, const void *buf, size_t len, off_t at)
{
	if (disk_is_full) {
		errno = ENOSPC;
		return -1;
	}
	return pwrite(fd, buf, len, at);
}

static inline void disk_take(void)
{
	sqlite3_vfs *v = sqlite3_vfs_find(NULL);

	disk_is_full = false;
	disk_write_before = v->xGetSystemCall(v, "pwrite64");
	assert_int_equal(v->xSetSystemCall(v, "pwrite64", (sqlite3_syscall_ptr) disk_write), SQLITE_OK);
}

static inline void disk_give_back(void)
{
	sqlite3_vfs *v = sqlite3_vfs_find(NULL);

	assert_int_equal(v->xSetSystemCall(v, "pwrite64", disk_write_before), SQLITE_OK);
}

#endif
