/* log.h - messages to the operator, on stderr. With $JOURNAL_STREAM set (systemd) each line starts
 * with the <N> priority prefix of sd-daemon(3), else with the program's name. Text from outside must
 * pass pv_buf_safe() first. *_errno append the error's own words. The functions return the negative errno they were given, so that
 * `return log_error_errno(r, ...)` reads well. */
#ifndef PV_BASE_LOG_H
#define PV_BASE_LOG_H

#include "base/util.h"

enum log_level { LOG_LEVEL_ERR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6 };

void log_open(const char *name);	  /* the program's name; copied */
int log_full(enum log_level level, int error, const char *fmt, ...) PV_PRINTF(3, 4);

#define log_error(...)	       ((void) log_full(LOG_LEVEL_ERR, 0, __VA_ARGS__))
#define log_warning(...)       ((void) log_full(LOG_LEVEL_WARNING, 0, __VA_ARGS__))
#define log_info(...)	       ((void) log_full(LOG_LEVEL_INFO, 0, __VA_ARGS__))
#define log_error_errno(r, ...)	  log_full(LOG_LEVEL_ERR, (r), __VA_ARGS__)
#define log_warning_errno(r, ...) log_full(LOG_LEVEL_WARNING, (r), __VA_ARGS__)

#endif
