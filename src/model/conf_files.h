/* conf_files.h - finds and opens the configuration: FILE, then conf.d/NAME.yaml beside it in the order of their
 * names. Opens only; the text is read and understood in the unprivileged policy child, which gets the descriptors
 * and these names on its command line (`pavise-policy FD:NAME ...`). */
#ifndef PV_MODEL_CONF_FILES_H
#define PV_MODEL_CONF_FILES_H

#include "base/buf.h"

#define CONF_FILE_DEFAULT "/etc/pavise/pavise.yaml"
#define CONF_FILES_MAX	  64
#define CONF_FILE_NAME	  256

struct conf_files {
	size_t n;
	struct conf_file {
		int fd; /* close-on-exec */
		char name[CONF_FILE_NAME];
	} file[CONF_FILES_MAX];
	struct conf_file pools, pools_sig; /* pools.yaml and pools.yaml.minisig beside FILE; fd 0: there is none */
	char pools_trouble[128];	   /* why it cannot be opened, `pools` then has its name only; empty: it can, or there is none */
};

/* `path` NULL: CONF_FILE_DEFAULT, which need not exist (then n may be 0 and every default holds). A path that is
 * given must exist. Each file must be a regular file, no link, owned by root (or by the caller, when that is not
 * root) and not writable by group or others; the folder conf.d as well.
 * A list of pools that cannot be opened is no error: the shipped one is used in its place, and that is told (pools_trouble).
 * Returns 0, or -errno with one line per refused file in `err`: `file: what is wrong, what would be right`.
 * -EACCES: a file cannot be read by this user. */
int conf_files_open(const char *path, struct conf_files *ret, struct pv_buf *err);
void conf_files_close(struct conf_files *f);

/* For the policy child's --pools-trouble: the list's name and why it cannot be opened. False: nothing is to be told. */
#define CONF_FILES_TROUBLE (CONF_FILE_NAME + 132)
bool conf_files_trouble(const struct conf_files *f, char *out, size_t size);

/* The folder conf.d that belongs to the configuration file `path` (NULL: the default one). 0 or -ENAMETOOLONG. */
int conf_files_dropin_dir(const char *path, char *out, size_t size);

#endif
