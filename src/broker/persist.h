/* persist.h - watches the folders of model/persist.h for the engine, and shows it the files in them: fanotify wants root, and
 * so do most of the files. The engine names a folder by its number in the last list and a file by its name, which must be one
 * of the place's; everything is opened as log_files.h says. Nothing is understood here: octets are handed on. */
#ifndef PV_BROKER_PERSIST_H
#define PV_BROKER_PERSIST_H

#include "base/util.h"
#include "model/persist.h"

struct persist {
	int fanotify_fd; /* the broker's copy; -1: nobody watches */
	size_t n;
	uint32_t number; /* of the last list */
	struct persist_folder *folders; /* of the last list */
};

void persist_init(struct persist *p);
void persist_done(struct persist *p);

/* A new group without marks; the descriptor stays the broker's, who may add marks. -errno: this kernel has none. */
int persist_watch(struct persist *p, int *ret_fd);
/* Finds the folders and marks them (again); *ret_fd: memfd of struct persist_folder. *ret_lost: places of which some
 * folder cannot be watched: its file system names no files, it cannot be opened, there are more than PERSIST_FOLDERS, or more than
 * 4,096 names where homes are looked for. */
int persist_list(struct persist *p, int *ret_fd, uint64_t *ret_lost);
/* Names in folder `which` that its place takes, each with its NUL. -E2BIG: the folder holds more than 4,096. */
int persist_names(const struct persist *p, uint32_t which, int *ret_fd);
/* One file, and who `pid` is (0: nobody asks): memfd of struct persist_look. -ENOENT: it is gone. */
int persist_look(const struct persist *p, uint32_t which, const char *name, uint32_t pid, int *ret_fd);

#endif
