/* log_files.h - opens logs for the engine, which may not. Every path comes from the sealed policy or the table of places
 * (model/log_places.h); the engine names numbers and a container's id.
 *
 * How a file is opened: folder by folder by descriptor. A link is followed only where nobody but root can have put it (a folder that
 * root owns and only root can write); elsewhere it is -ELOOP. What is there at the end must be a regular file with one name, else a user
 * who may write to a log folder could have /etc/shadow read (by a link) or a lock file of somebody else. It is checked by O_PATH descriptor,
 * and that very inode is opened, with O_NONBLOCK. */
#ifndef PV_BROKER_LOG_FILES_H
#define PV_BROKER_LOG_FILES_H

#include "base/buf.h"
#include "model/log_places.h"

#define LOG_LIST_MAX   256 /* files of one place */
#define LOG_PLACES_MAX (POLICY_LOGS + 32)
#define LOG_BESIDE_MAX 8   /* rotated files that are tried */

struct log_files {
	int inotify_fd; /* the broker's copy; -1: nobody watches */
	uint32_t numbers; /* of lists */
	struct log_list {
		uint32_t number; /* 0: none */
		size_t n;
		struct pv_buf paths; /* each with its NUL */
	} lists[LOG_PLACES_MAX];
};

struct log_file {
	int fd;
	bool numbered;	/* found beside, and its name says more than the log's by a digit: app.log.1, app-20261128.log */
	uint64_t watch; /* UINT64_MAX: none */
};

void log_files_init(struct log_files *l);
void log_files_forget(struct log_files *l); /* another policy: places have other numbers, lists are void */
void log_files_done(struct log_files *l);   /* another engine: watches, too */

int log_files_watch(struct log_files *l, int *ret_fd);
int log_files_list(struct log_files *l, const struct policy *p, uint32_t place, int *ret_fd, uint64_t *ret_number, uint64_t *ret_more);
int log_files_open(struct log_files *l, const struct policy *p, uint32_t place, uint32_t position, uint32_t number, uint32_t which,
		   struct log_file *ret);
int log_files_container(struct log_files *l, const struct policy *p, const char *id, enum log_driver driver, uint32_t which,
			struct log_file *ret);
int log_files_syslog(const struct policy *p, int *ret_fd);

#endif
