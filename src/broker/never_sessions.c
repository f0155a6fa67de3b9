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
#include <sys/stat.h>
#include <sys/time.h>

#include "broker/cgroups.h"
#include "broker/never.h"
#include "model/roles.h"

#define GROUPS	   8
#define BUF	   (64u << 10)
#define STATE_OPEN (1u << 1 | 1u << 2 | 1u << 8) /* ESTABLISHED, SYN_SENT, CLOSE_WAIT */
#define STATE_LISTEN 10
#define STATE_CLOSE  7 /* a UDP socket without a peer */

/* The groups whose members are administrators, NAME:PASSWORD:GID:...; the password may be empty. False: there are more, or a
 * number cannot be read. */
static bool admin_groups(const char *etc_group, uint32_t gids[GROUPS], size_t *ret_n)
{
	static const char *const names[] = { "sudo", "wheel", ROLE_GROUP_ADMIN };

	*ret_n = 0;
	for (const char *line = etc_group; line && *line; line = never_next_line(line))
		for (size_t i = 0; i < N_ELEMENTS(names); i++) {
			size_t len = strlen(names[i]);
			const char *at = line + len + 1;
			uint64_t gid;

			if (strncmp(line, names[i], len) != 0 || line[len] != ':')
				continue;
			at += strcspn(at, ":\n");
			if (*at++ != ':' || !never_number(&at, 10, &gid) || gid > UINT32_MAX || *ret_n == GROUPS)
				return false;
			gids[(*ret_n)++] = (uint32_t) gid;
		}
	return true;
}

/* It ended while it was looked at. */
static bool is_gone(int r)
{
	return r == -ENOENT || r == -ESRCH;
}

/* Reads a small file of a process as text; its NULs become spaces. Returns its length or negative errno. */
static int read_small(int proc_fd, const char *pid, const char *name, char *out, size_t size)
{
	char path[64];
	pv_autoclose int fd = -1;
	ssize_t n;

	out[0] = '\0';
	(void) snprintf(path, sizeof(path), "%.16s/%s", pid, name);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, out, size - 1);
	if (n < 0)
		return -errno;
	out[n] = '\0';
	for (ssize_t i = 0; i + 1 < n; i++)
		out[i] = out[i] ? out[i] : ' ';
	return (int) n;
}

/* 1, 0 or negative errno. */
static int is_sshd(int proc_fd, const char *pid)
{
	static const char *const names[] = { "sshd", "sshd-session" };
	char path[64], target[256];
	ssize_t n;
	char *name;

	(void) snprintf(path, sizeof(path), "%.16s/exe", pid);
	n = readlinkat(proc_fd, path, target, sizeof(target) - 1);
	if (n < 0)
		return errno == ENAMETOOLONG ? 0 : -errno; /* so long a path is not sshd's, and must not hold bans back */
	target[n] = '\0';
	name = strstr(target, " (deleted)"); /* the package was upgraded meanwhile */
	if (name)
		*name = '\0';
	name = strrchr(target, '/');
	for (size_t i = 0; name && i < N_ELEMENTS(names); i++)
		if (strcmp(name + 1, names[i]) == 0)
			return 1;
	return 0;
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

static bool is_among(uint64_t id, const uint32_t *gids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (gids[i] == id)
			return true;
	return false;
}

/* Behind `key` (with the line end before it) in /proc/PID/status; NULL: it is not there. */
static const char *field_of(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at ? at + strlen(key) : NULL;
}

/* Whose process it is: the kernel's word, not that of any file of users. In doubt it is an administrator's. */
static bool is_admin(const char *status, const uint32_t *gids, size_t n_gids)
{
	const char *uid = field_of(status, "\nUid:"), *gid = field_of(status, "\nGid:"), *groups = field_of(status, "\nGroups:");
	uint64_t real, id;

	if (!uid || !gid || !groups || !strchr(groups, '\n'))
		return true;
	if (!never_number(&uid, 10, &real) || !never_number(&uid, 10, &id) || id == 0)
		return true;
	if (!never_number(&gid, 10, &real) || !never_number(&gid, 10, &id) || is_among(id, gids, n_gids))
		return true;
	while (never_number(&groups, 10, &id))
		if (is_among(id, gids, n_gids))
			return true;
	return false;
}

static int sockets_of(int proc_fd, const char *pid, uint64_t *inodes, size_t *n)
{
	char path[64], target[64];
	int fd, r = 0;
	const struct dirent *d;
	DIR *dir;

	(void) snprintf(path, sizeof(path), "%.16s/fd", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		r = -errno;
		(void) pv_close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, d = readdir(dir))) {
		unsigned long long inode;
		ssize_t len = readlinkat(fd, d->d_name, target, sizeof(target) - 1);

		if (len <= 0)
			continue; /* "." and "..", or closed meanwhile */
		target[len] = '\0';
		/* NOLINTNEXTLINE(cert-err34-c): a number that does not fit is no address of ours */
		if (sscanf(target, "socket:[%llu]", &inode) != 1)
			continue;
		if (*n == NEVER_INODES)
			r = -E2BIG;
		else
			inodes[(*n)++] = inode;
	}
	r = r ? r : -errno;
	(void) closedir(dir);
	return r;
}

/* A container's root can be called and titled like a session, and open so many sockets that nobody could be banned any more. Its
 * own cgroup says whose it is; what lies in another network has no connection of this host's in any case. 1, 0 or negative errno. */
static int is_hosts_own(int proc_fd, const char *pid)
{
	struct stat own, other;
	char text[8192], path[64];
	int r = read_small(proc_fd, pid, "cgroup", text, sizeof(text));

	if (r < 0 || cgroups_of_container(text))
		return PV_MIN(r, 0);
	(void) snprintf(path, sizeof(path), "%.16s/ns/net", pid);
	if (fstatat(proc_fd, path, &other, 0) < 0 || fstatat(proc_fd, "self/ns/net", &own, 0) < 0)
		return -errno;
	return own.st_ino == other.st_ino;
}

/* The sockets of one process, if it is an administrator's session. */
static int one_process(int proc_fd, const char *pid, const uint32_t *gids, size_t n_gids, uint64_t *ret, size_t *ret_n)
{
	char text[4096] = "";
	int r = read_small(proc_fd, pid, "comm", text, sizeof(text));

	if (r < 0 || strncmp(text, "sshd", 4) != 0)
		return PV_MIN(r, 0);
	r = read_small(proc_fd, pid, "cmdline", text, sizeof(text));
	if (r < 0 || !is_session(text))
		return PV_MIN(r, 0);
	r = is_sshd(proc_fd, pid);
	if (r > 0)
		r = is_hosts_own(proc_fd, pid);
	if (r <= 0)
		return r;
	r = read_small(proc_fd, pid, "status", text, sizeof(text));
	return r < 0 ? r : is_admin(text, gids, n_gids) ? sockets_of(proc_fd, pid, ret, ret_n) : 0;
}

int never_sessions(int proc_fd, const char *etc_group, uint64_t ret[NEVER_INODES], size_t *ret_n)
{
	uint32_t gids[GROUPS];
	size_t n_gids;
	const struct dirent *d;
	int fd, r = 0;
	DIR *dir;

	*ret_n = 0;
	if (!admin_groups(etc_group, gids, &n_gids))
		return -EBADMSG;
	fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		r = -errno;
		(void) pv_close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, d = readdir(dir))) {
		if (d->d_name[0] < '1' || d->d_name[0] > '9')
			continue;
		r = one_process(proc_fd, d->d_name, gids, n_gids, ret, ret_n);
		if (is_gone(r))
			r = 0;
	}
	r = r ? r : -errno;
	(void) closedir(dir);
	return r;
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

static void one_socket(struct dump *d, uint16_t near_port, uint16_t far_port, const struct ip_addr *far, uint64_t inode)
{
	enum ban_never why = NEVER_NO;

	if (d->ports) {
		d->serves[near_port / 8] |= (uint8_t) (1u << near_port % 8);
		return;
	}
	if (!far_port)
		return;
	for (size_t i = 0; i < d->n_inodes; i++)
		if (d->inodes[i] == inode)
			why = NEVER_ADMIN;
	if (why == NEVER_NO && !(d->serves[near_port / 8] & 1u << near_port % 8))
		why = NEVER_OUTGOING;
	if (why != NEVER_NO)
		never_add(d->list, far, 128, why);
}

static void one_message(struct dump *d, const struct inet_diag_msg *m)
{
	struct ip_addr far;

	if (m->idiag_family == AF_INET)
		far = ip_from_v4(m->id.idiag_dst[0]);
	else
		memcpy(far.b, m->id.idiag_dst, sizeof(far.b));
	one_socket(d, ntohs(m->id.idiag_sport), ntohs(m->id.idiag_dport), &far, m->idiag_inode);
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
				one_message(d, NLMSG_DATA(h));
		}
	}
}

/* The far address of a line of /proc/net: words in host order of a network-order address. */
static bool far_of(const char *hex, struct ip_addr *ret)
{
	size_t words = strlen(hex) / 8;
	uint32_t word[4];

	if (strlen(hex) != 8 && strlen(hex) != 32)
		return false;
	for (size_t i = 0; i < words; i++)
		/* NOLINTNEXTLINE(cert-err34-c): 8 of the hex digits that were matched: it cannot fail */
		(void) sscanf(hex + 8 * i, "%8x", &word[i]);
	if (words == 1)
		*ret = ip_from_v4(word[0]);
	else
		memcpy(ret->b, word, sizeof(ret->b));
	return true;
}

/* "  0: 0100007F:0CEA 00000000:0000 0A tx:rx tr:when retrans uid timeout inode ..." */
static void one_text(struct dump *d, const char *text, unsigned states)
{
	for (const char *line = text; line && *line; line = never_next_line(line)) {
		unsigned near_port, far_port, state;
		unsigned long long inode;
		struct ip_addr far;
		char hex[33];

		/* NOLINTNEXTLINE(cert-err34-c): the kernel's own line, words bounded */
		if (sscanf(line, " %*u: %*32[0-9A-F]:%4x %32[0-9A-F]:%4x %2x %*s %*s %*s %*u %*u %llu", &near_port, hex, &far_port, &state,
			   &inode) != 5 || !far_of(hex, &far))
			d->list->odd = d->list->odd || line != text; /* the first is a heading */
		else if (state < 32 && (states & 1u << state))
			one_socket(d, (uint16_t) near_port, (uint16_t) far_port, &far, inode);
	}
}

void never_sockets(struct never_list *l, const uint64_t *inodes, size_t n_inodes, bool udp, const char *v4, const char *v6)
{
	struct dump d = { .list = l, .inodes = inodes, .n_inodes = n_inodes, .ports = true };

	one_text(&d, v4, 1u << (udp ? STATE_CLOSE : STATE_LISTEN));
	one_text(&d, v6, 1u << (udp ? STATE_CLOSE : STATE_LISTEN));
	d.ports = false;
	one_text(&d, v4, STATE_OPEN);
	one_text(&d, v6, STATE_OPEN);
}

static int by_text(struct never_list *l, const uint64_t *inodes, size_t n_inodes, bool udp)
{
	pv_autobuf v4 = PV_BUF_INIT, v6 = PV_BUF_INIT;
	int r = never_this_host.file(udp ? "/proc/net/udp" : "/proc/net/tcp", &v4), r6;

	if (r < 0)
		return r;
	r6 = never_this_host.file(udp ? "/proc/net/udp6" : "/proc/net/tcp6", &v6);
	if (r6 < 0 && r6 != -ENOENT) /* a kernel without IPv6 */
		return r6;
	never_sockets(l, inodes, n_inodes, udp, pv_buf_str(&v4), pv_buf_str(&v6));
	return 0;
}

static int by_diag(struct never_list *l, const uint64_t *inodes, size_t n_inodes, bool udp, int fd)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct dump d = { .list = l, .inodes = inodes, .n_inodes = n_inodes, .ports = true,
			  .protocol = udp ? IPPROTO_UDP : IPPROTO_TCP };
	int r = 0;

	for (size_t i = 0; r == 0 && i < N_ELEMENTS(families); i++)
		r = one_dump(&d, fd, families[i], 1u << (udp ? STATE_CLOSE : STATE_LISTEN));
	d.ports = false;
	for (size_t i = 0; r == 0 && i < N_ELEMENTS(families); i++)
		r = one_dump(&d, fd, families[i], STATE_OPEN);
	return r;
}

int never_connections(struct never_list *l, const uint64_t *inodes, size_t n_inodes)
{
	pv_autoclose int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	const struct timeval limit = { .tv_sec = 1 };
	int r = 0;

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	for (unsigned udp = 0; r == 0 && udp < 2; udp++) {
		r = fd < 0 ? -ENOENT : by_diag(l, inodes, n_inodes, udp, fd);
		/* no tcp_diag or udp_diag in this kernel, and none to be loaded */
		if (r == -ENOENT)
			r = by_text(l, inodes, n_inodes, udp);
	}
	return r;
}
