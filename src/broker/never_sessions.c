/* Open SSH sessions of administrators, and open connections. */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/text.h"
#include "broker/never.h"
#include "model/roles.h"

#define GROUPS	   8
#define BUF	   (64u << 10)
#define STATE_OPEN (1u << 1 | 1u << 2 | 1u << 8) /* ESTABLISHED, SYN_SENT, CLOSE_WAIT */
#define STATE_LISTEN 10
#define STATE_CLOSE  7 /* a UDP socket without a peer */

/* The groups whose members are administrators: at most so many numbers. */
static size_t admin_groups(const char *etc_group, uint32_t gids[GROUPS])
{
	static const char *const names[] = { "sudo", "wheel", ROLE_GROUP_ADMIN };
	size_t n = 0;

	for (const char *line = etc_group; line && *line && n < GROUPS; line = never_next_line(line))
		for (size_t i = 0; i < N_ELEMENTS(names); i++) {
			size_t len = strlen(names[i]);
			unsigned gid;

			/* NOLINTNEXTLINE(cert-err34-c): root's own file */
			if (strncmp(line, names[i], len) == 0 && line[len] == ':' && sscanf(line + len, ":%*[^:]:%u", &gid) == 1 && n < GROUPS)
				gids[n++] = gid;
		}
	return n;
}

/* Reads a small file of a process as text; its NULs become spaces. */
static size_t read_small(int proc_fd, const char *pid, const char *name, char *out, size_t size)
{
	char path[64];
	pv_autoclose int fd = -1;
	ssize_t n;

	out[0] = '\0';
	(void) snprintf(path, sizeof(path), "%.16s/%s", pid, name);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, out, size - 1);
	if (n <= 0)
		return 0;
	out[n] = '\0';
	for (ssize_t i = 0; i + 1 < n; i++)
		out[i] = out[i] ? out[i] : ' ';
	return (size_t) n;
}

static bool is_sshd(int proc_fd, const char *pid)
{
	static const char *const names[] = { "sshd", "sshd-session" };
	char path[64], target[256];
	ssize_t n;
	char *name;

	(void) snprintf(path, sizeof(path), "%.16s/exe", pid);
	n = readlinkat(proc_fd, path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	name = strstr(target, " (deleted)"); /* the package was upgraded meanwhile */
	if (name)
		*name = '\0';
	name = strrchr(target, '/');
	for (size_t i = 0; name && i < N_ELEMENTS(names); i++)
		if (strcmp(name + 1, names[i]) == 0)
			return true;
	return false;
}

/* A session is titled `sshd: NAME@...` by sshd itself once its user has logged in; before that, and in the part that only
 * watches, there is no @ (an unknown user is called `unknown`). */
static bool is_session(const char *title)
{
	static const char *const starts[] = { "sshd: ", "sshd-session: " };

	for (size_t i = 0; i < N_ELEMENTS(starts); i++) {
		size_t len = strlen(starts[i]);

		if (strncmp(title, starts[i], len) != 0)
			continue;
		title += len;
		return title[0] != '@' && strcspn(title, "@") < strcspn(title, " [");
	}
	return false;
}

/* Whose process it is: the kernel's word, not that of any file of users. */
static bool is_admin(const char *status, const uint32_t *gids, size_t n_gids)
{
	const char *uid = strstr(status, "\nUid:"), *groups = strstr(status, "\nGroups:"), *gid = strstr(status, "\nGid:");
	unsigned id;
	int used;

	/* NOLINTNEXTLINE(cert-err34-c): the kernel's own line */
	if (uid && sscanf(uid, "\nUid: %*u %u", &id) == 1 && id == 0)
		return true;
	/* NOLINTNEXTLINE(cert-err34-c): the kernel's own line */
	if (gid && sscanf(gid, "\nGid: %*u %u", &id) == 1)
		for (size_t i = 0; i < n_gids; i++)
			if (gids[i] == id)
				return true;
	/* NOLINTNEXTLINE(cert-err34-c): the kernel's own line */
	for (groups = groups ? groups + 8 : ""; sscanf(groups, "%u%n", &id, &used) == 1 && *groups != '\n'; groups += used)
		for (size_t i = 0; i < n_gids; i++)
			if (gids[i] == id)
				return true;
	return false;
}

static size_t sockets_of(int proc_fd, const char *pid, uint64_t *inodes, size_t n)
{
	char path[64], target[64];
	int fd;
	const struct dirent *d;
	DIR *dir;

	(void) snprintf(path, sizeof(path), "%.16s/fd", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		(void) pv_close(fd);
		return n;
	}
	while (n < NEVER_INODES && (d = readdir(dir))) {
		unsigned long long inode;
		ssize_t len = readlinkat(fd, d->d_name, target, sizeof(target) - 1);

		if (len <= 0)
			continue;
		target[len] = '\0';
		/* NOLINTNEXTLINE(cert-err34-c): a number that does not fit is no address of ours */
		if (sscanf(target, "socket:[%llu]", &inode) == 1)
			inodes[n++] = inode;
	}
	(void) closedir(dir);
	return n;
}

size_t never_sessions(int proc_fd, const char *etc_group, uint64_t inodes[NEVER_INODES])
{
	uint32_t gids[GROUPS];
	size_t n_gids = admin_groups(etc_group, gids), n = 0;
	int fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;
	char text[4096];

	if (!dir) {
		(void) pv_close(fd);
		return 0;
	}
	while ((d = readdir(dir))) {
		if (d->d_name[0] < '1' || d->d_name[0] > '9')
			continue;
		if (!read_small(proc_fd, d->d_name, "comm", text, sizeof(text)) || strncmp(text, "sshd", 4) != 0)
			continue;
		if (!read_small(proc_fd, d->d_name, "cmdline", text, sizeof(text)) || !is_session(text) || !is_sshd(proc_fd, d->d_name))
			continue;
		if (read_small(proc_fd, d->d_name, "status", text, sizeof(text)) && is_admin(text, gids, n_gids))
			n = sockets_of(proc_fd, d->d_name, inodes, n);
	}
	(void) closedir(dir);
	return n;
}

/* --- connections --- */

struct dump {
	struct never_list *list;
	const uint64_t *inodes;
	size_t n_inodes;
	uint8_t serves[65536 / 8]; /* local ports on which something listens */
	bool ports;		   /* first pass: who listens; second: who is connected */
	uint8_t protocol;
};

static void one_socket(struct dump *d, const struct inet_diag_msg *m)
{
	uint16_t port = ntohs(m->id.idiag_sport);
	enum ban_never why = NEVER_NO;
	struct ip_addr far;

	if (d->ports) {
		d->serves[port / 8] |= (uint8_t) (1u << port % 8);
		return;
	}
	if (!m->id.idiag_dport)
		return;
	if (m->idiag_family == AF_INET)
		far = ip_from_v4(m->id.idiag_dst[0]);
	else
		memcpy(far.b, m->id.idiag_dst, sizeof(far.b));
	for (size_t i = 0; i < d->n_inodes; i++)
		if (d->inodes[i] == m->idiag_inode)
			why = NEVER_ADMIN;
	if (why == NEVER_NO && !(d->serves[port / 8] & 1u << port % 8))
		why = NEVER_OUTGOING;
	if (why != NEVER_NO)
		never_add(d->list, &far, 128, why);
}

static int one_dump(struct dump *d, int fd, uint8_t family, uint32_t states)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} m = { .head = { .nlmsg_len = sizeof(m), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = family, .sdiag_protocol = d->protocol, .idiag_states = states } };
	pv_autofree uint8_t *buf = malloc(BUF);

	if (!buf)
		return -ENOMEM;
	if (send(fd, &m, sizeof(m), 0) < 0)
		return -errno;
	for (;;) {
		ssize_t n = recv(fd, buf, BUF, 0);
		const struct nlmsghdr *h = (const struct nlmsghdr *) (void *) buf;

		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *) NLMSG_DATA(h))->error;
			if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
				one_socket(d, NLMSG_DATA(h));
		}
	}
}

int never_connections(struct never_list *l, const uint64_t *inodes, size_t n_inodes)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	pv_autoclose int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	const struct timeval limit = { .tv_sec = 1 };
	int r = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	for (unsigned udp = 0; udp < 2; udp++) {
		struct dump d = { .list = l, .inodes = inodes, .n_inodes = n_inodes, .ports = true,
				  .protocol = udp ? IPPROTO_UDP : IPPROTO_TCP };

		for (size_t i = 0; i < N_ELEMENTS(families); i++)
			r = PV_MIN(r, one_dump(&d, fd, families[i], 1u << (udp ? STATE_CLOSE : STATE_LISTEN)));
		d.ports = false;
		for (size_t i = 0; i < N_ELEMENTS(families); i++)
			r = PV_MIN(r, one_dump(&d, fd, families[i], STATE_OPEN));
	}
	return r == -ENOENT ? 0 : r; /* no udp_diag or IPv6 in this kernel */
}
