/* dumps.h - where the host puts its backups, read off what runs by itself: cron jobs and units whose command, or the script
 * that it starts, calls a program that dumps or stores (pg_dump, mysqldump, restic ...). Text only: a target that is put
 * together at run time is followed as far as it is written out, and one that is somewhere else (s3:, sftp:) is none of
 * this host's folders. */
#ifndef PV_CHECK_DUMPS_H
#define PV_CHECK_DUMPS_H

#include "check/gather.h"

/* The folders that a command line writes to; `take` gets each, absolute, once a mention. Pure. */
void dumps_line(const char *line, void (*take)(const char *dir, void *user), void *user);

/* Cron's tables, its folders of scripts, and the admin's units: fills a->target. */
void dumps_find(struct audit *a);

#endif
