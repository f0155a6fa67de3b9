/* tree_own.h - between tree_list.c, tree_env.c and tree.c only. */
#ifndef PV_SCAN_TREE_OWN_H
#define PV_SCAN_TREE_OWN_H

#include <pthread.h>
#include <sodium/crypto_shorthash.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/map.h"
#include "host/gitignore.h"
#include "scan/tree.h"

#define TREE_BLOCK 1024

struct file {
	char *path;
	bool tracked, env;
	bool clean; /* looked at before the values of .env files were known: no rule found anything, and no comment allows it */
};

struct tree {
	const struct tree_options *o;
	struct tree_options own;
	struct scan_notes *notes;
	int top;
	struct file *block[TREE_FILES / TREE_BLOCK + 1]; /* they stay where they are while others are added */
	_Atomic size_t n;
	struct pv_map known; /* tracked paths, by a keyed hash */
	unsigned char key[crypto_shorthash_KEYBYTES];
	struct gitignore *ignore;
	char *names; /* what stands in the folders that are open: a type, a name, NUL */
	size_t names_len, names_room;

	_Atomic uint64_t next;
	_Atomic int result;
	_Atomic bool stop;    /* the thread that reads while files are listed */
	pthread_mutex_t lock; /* of fn */
	struct look *look;
	int (*fn)(const struct tree_text *, void *);
	void *user;
};

static inline struct file *tree_file(const struct tree *t, size_t i)
{
	return &t->block[i / TREE_BLOCK][i % TREE_BLOCK];
}

/* Below the top, no links on the way. -ENOENT: not there, or not as a file; -errno. */
int tree_open(const struct tree *t, const char *path);

/* Looks at files that are listed already, until told to stop, with thread 1 of the look. */
void *tree_read_early(void *tree);

#endif
