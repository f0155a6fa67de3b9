#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/text.h"
#include "launcher/launcher.h"

static struct sockaddr_un notify_addr;
static socklen_t notify_len;
static uint64_t watchdog_us, watchdog_next;

void service_start(void)
{
	const char *path = getenv("NOTIFY_SOCKET"), *usec = getenv("WATCHDOG_USEC");
	size_t len = path ? strlen(path) : 0;

	if (len >= 2 && len < sizeof(notify_addr.sun_path) && (path[0] == '/' || path[0] == '@')) {
		notify_addr.sun_family = AF_UNIX;
		memcpy(notify_addr.sun_path, path, len);
		if (path[0] == '@')
			notify_addr.sun_path[0] = '\0';
		notify_len = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len);
	}
	if (!usec || parse_u64(usec, &watchdog_us) < 0)
		watchdog_us = 0;
	(void) unsetenv("NOTIFY_SOCKET");
	(void) unsetenv("WATCHDOG_USEC");
}

void service_notify(const char *state)
{
	pv_autoclose int fd = -1;

	if (!notify_len)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		(void) sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *) &notify_addr, notify_len);
}

uint64_t service_watchdog(uint64_t now_us)
{
	if (!watchdog_us)
		return UINT64_MAX;
	if (now_us >= watchdog_next) {
		service_notify("WATCHDOG=1");
		watchdog_next = now_us + watchdog_us / 3;
	}
	return watchdog_next;
}
