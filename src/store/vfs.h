/* vfs.h - SQLite's own file layer, but for one thing: a path is taken as it is given. SQLite resolves every link of a
 * path first, and so turns /proc/self/fd/N/history.db into the folder's place in the file system, which the engine need
 * not be able to reach. */
#ifndef PV_STORE_VFS_H
#define PV_STORE_VFS_H

#define STORE_VFS "pavise"

/* Registers STORE_VFS; any number of times. 0 or negative errno. */
int store_vfs_register(void);

#endif
