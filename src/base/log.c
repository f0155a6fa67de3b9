#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char log_name[32] = "pavise";

void log_open(const char *name)
{
	(void) snprintf(log_name, sizeof(log_name), "%s", name);
}

int log_full(enum log_level level, int error, const char *fmt, ...)
{
	char line[2048];
	size_t len = 0;
	va_list ap;
	int n;

	if (getenv("JOURNAL_STREAM"))
		n = snprintf(line, sizeof(line), "<%d>%s: ", level, log_name);
	else
		n = snprintf(line, sizeof(line), "%s: ", log_name);
	len = (size_t) n;
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	va_end(ap);
	if (n > 0)
		len = PV_MIN(len + (size_t) n, sizeof(line) - 1);
	if (error) {
		n = snprintf(line + len, sizeof(line) - len, ": %s", strerror(error < 0 ? -error : error));
		len = PV_MIN(len + (size_t) n, sizeof(line) - 1);
	}
	line[PV_MIN(len, sizeof(line) - 2)] = '\n';
	len = PV_MIN(len, sizeof(line) - 2) + 1;
	while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
		;
	return error;
}
