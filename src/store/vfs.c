#include "store/vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

#include "base/util.h"

static sqlite3_vfs vfs;
static int registered;

static int vfs_path_as_given(sqlite3_vfs *v, const char *path, int size, char *ret)
{
	size_t len = strlen(path);

	(void) v;
	if (len >= (size_t) size)
		return SQLITE_CANTOPEN;
	memcpy(ret, path, len + 1);
	return SQLITE_OK;
}

static void vfs_register_once(void)
{
	const sqlite3_vfs *unix_vfs = sqlite3_vfs_find(NULL);

	if (!unix_vfs) {
		registered = -ENOSYS;
		return;
	}
	vfs = *unix_vfs;
	vfs.zName = STORE_VFS;
	vfs.pNext = NULL;
	vfs.xFullPathname = vfs_path_as_given;
	registered = sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? 0 : -ENOMEM;
}

int store_vfs_register(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void) pthread_once(&once, vfs_register_once);
	return registered;
}
