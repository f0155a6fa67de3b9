/* The two channels of the host itself: the journal and syslog, each a socket in the file system. */
#include "notify/channel.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET  "/dev/log"
#define SYSLOG_DAEMON  3

/* One message to the socket at `path`. 0 or negative errno. */
static int socket_send(const char *path, int type, const void *data, size_t len)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = 5 };
	pv_autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (!text_copy(addr.sun_path, sizeof(addr.sun_path), path))
		return -ENAMETOOLONG;
	(void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *) &addr, sizeof(addr)) < 0)
		return -errno;
	return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t) len ? 0 : errno ? -errno : -EIO;
}

/* NAME=value, or, where the value holds a line end, the form with a length: a value can never begin a field. */
static void field(struct pv_buf *out, const char *name, const char *value)
{
	size_t len = strlen(value);

	if (!memchr(value, '\n', len)) {
		pv_buf_printf(out, "%s=", name);
	} else {
		pv_buf_printf(out, "%s\n", name);
		for (unsigned shift = 0; shift < 64; shift += 8)
			pv_buf_putc(out, (char) ((uint64_t) len >> shift & 0xff));
	}
	pv_buf_add(out, value, len);
	pv_buf_putc(out, '\n');
}

void journal_format(struct pv_buf *out, const struct outbox_row *row)
{
	char priority[4];

	(void) snprintf(priority, sizeof(priority), "%d", severity_syslog((enum severity) row->severity));
	field(out, "MESSAGE", row->text);
	field(out, "PRIORITY", priority);
	field(out, "SYSLOG_IDENTIFIER", "pavise");
	field(out, "SYSLOG_FACILITY", "3");
	field(out, "PAVISE_ID", row->id);
	field(out, "PAVISE_SUBJECT", row->subject);
	field(out, "PAVISE_NOTICE", row->unique);
}

void journal_deliver(const struct channel *c, const struct outbox_row *row, struct outbox_answer *ret)
{
	pv_autobuf message = PV_BUF_INIT;
	int r;

	(void) c;
	journal_format(&message, row);
	r = message.cut ? -ENOMEM : socket_send(JOURNAL_SOCKET, SOCK_DGRAM, pv_buf_str(&message), message.len);
	if (r < 0)
		outbox_answer_set(ret, -EAGAIN, "the journal's socket: %s", strerror(-r));
}

void syslog_format(struct pv_buf *out, const struct outbox_row *row, uint64_t wall_us)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t when = (time_t) (wall_us / USEC_PER_SEC);
	struct tm tm = { 0 };

	(void) localtime_r(&when, &tm);
	pv_buf_printf(out, "<%d>%s %2d %02d:%02d:%02d pavise[%d]: ",
		      SYSLOG_DAEMON * 8 + severity_syslog((enum severity) row->severity), months[tm.tm_mon % 12], tm.tm_mday,
		      tm.tm_hour, tm.tm_min, tm.tm_sec, (int) getpid());
	pv_buf_safe(out, row->text, 0); /* a line end would begin another message */
}

void syslog_deliver(const struct channel *c, const struct outbox_row *row, struct outbox_answer *ret)
{
	const char *path = strncmp(c->url, "syslog:///", 10) == 0 ? c->url + 9 : SYSLOG_SOCKET;
	pv_autobuf message = PV_BUF_INIT;
	int r;

	syslog_format(&message, row, clock_wall_us());
	r = message.cut ? -ENOMEM : socket_send(path, SOCK_DGRAM, pv_buf_str(&message), message.len);
	if (r == -EPROTOTYPE) /* a stream: messages end with NUL there */
		r = socket_send(path, SOCK_STREAM, pv_buf_str(&message), message.len + 1);
	if (r < 0)
		outbox_answer_set(ret, -EAGAIN, "the syslog socket: %s", strerror(-r));
}
