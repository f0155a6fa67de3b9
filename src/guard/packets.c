/* AF_PACKET sockets pass below every hook on a cgroup: whoever has one sends what it likes, and no question or connection of its
 * is seen. So each container's network namespace is asked now and then whether there are any. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "guard/guard.h"
#include "report/tell.h"

#define EACH_US (10 * USEC_PER_SEC)

/* The first socket of a /proc/PID/net/packet: `sk RefCnt Type Proto Iface R Rmem User Inode`. How many there are. */
static unsigned count(char *text, unsigned *ret_proto, unsigned *ret_user)
{
	char *save = NULL, *line = strtok_r(text, "\n", &save); /* the heads of the columns */
	unsigned n = 0;

	while (line && (line = strtok_r(NULL, "\n", &save))) {
		char *fields = line, *word, *field[9] = { NULL };
		size_t f = 0;

		while (f < N_ELEMENTS(field) && (word = strsep(&fields, " ")))
			if (*word)
				field[f++] = word;
		if (f < N_ELEMENTS(field) || n++)
			continue;
		*ret_proto = (unsigned) strtoul(field[3], NULL, 16);
		*ret_user = (unsigned) strtoul(field[7], NULL, 10);
	}
	return n;
}

static void look(struct guard *g, struct guard_workload *w)
{
	char path[64], text[4096];
	pv_autoclose int fd = -1;
	unsigned n, proto = 0, user = 0;
	struct notice notice;
	ssize_t len;

	(void) snprintf(path, sizeof(path), "/proc/%u/net/packet", w->info.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len < 0)
		return;
	text[len] = '\0';
	n = count(text, &proto, &user);
	if (n && !w->packets) {
		notice_init(&notice, ID_NET_PACKET, clock_wall_us());
		notices_subject(&notice, w);
		tell_packets(&notice, n, proto, user);
		(void) notices_raise(g, &notice);
	}
	w->packets = n;
}

/* A container that has the host's network has the host's sockets in it, too: DHCP clients, captures of the administrator's. */
void packets_look(struct guard *g)
{
	uint64_t now = clock_monotonic_us();
	struct guard_workload *w;

	if (g->packets_us && now - g->packets_us < EACH_US)
		return;
	g->packets_us = now;
	for (size_t i = 0; (w = pv_map_next(&g->workloads, &i));)
		if (w->w.class_ == PV_CLASS_CONTAINER && w->w.info && w->info.pid && !w->info.host_network && !w->w.gone)
			look(g, w);
}
