/* The questions of pavise-audit (check/ask.h), answered by the command that started it: the container engine's reading
 * requests, sshd's own account of its configuration, the firewall's rules, who holds a socket. Nothing of the answers is
 * read here. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fdpass.h"
#include "check/ask.h"
#include "cmd/audit.h"
#include "host/v6only.h"

#define ANSWER_CAP     (17u << 20)
#define FIREWALL_BYTES (4u << 20)
#define NFT_BYTES      (1u << 20) /* more: it is asked again, without the elements of sets */

static int engine_connect(const char *path)
{
	const struct timeval patience = { .tv_sec = 10 };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	pv_autoclose int fd = -1;

	if (!path || !*path || strlen(path) >= sizeof(at.sun_path))
		return -ENOENT;
	memcpy(at.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (struct sockaddr *) &at, sizeof(at)) < 0)
		return -errno;
	return pv_steal_fd(&fd);
}

/* Everything behind `from` into a file in memory, as it comes. */
static int pour(int from, int to)
{
	char chunk[65536];
	size_t total = 0;

	for (;;) {
		ssize_t n = read(from, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return lseek(to, 0, SEEK_SET) < 0 ? -errno : 0;
		total += (size_t) n;
		if (total > ANSWER_CAP)
			return -EFBIG;
		if (write(to, chunk, (size_t) n) != n)
			return -ENOSPC;
	}
}

int audit_engine(const struct start *s, unsigned engine, enum api_request what, const char *id, uint32_t number, int to)
{
	pv_autobuf request = PV_BUF_INIT;
	pv_autoclose int fd = -1;
	int r = api_request_format(&request, what, id, number);

	if (r == 0 && engine >= N_ELEMENTS(s->sockets))
		r = -EINVAL;
	if (r < 0)
		return r;
	fd = engine_connect(s->sockets[engine]);
	if (fd < 0)
		return fd;
	if (send(fd, pv_buf_str(&request), request.len, MSG_NOSIGNAL) != (ssize_t) request.len)
		return -EPIPE;
	return pour(fd, to);
}

static int answer_api(const struct start *s, const struct audit_ask *q, int to)
{
	const struct api_template *t = api_template((enum api_request)(q->number & 0xffff));

	if (!t || t->acts || !t->cap)
		return -EPERM; /* it reads; nothing else is ever sent for it */
	return audit_engine(s, q->number >> 16, (enum api_request)(q->number & 0xffff), q->text, 0, to);
}

/* "user=root,host=x,addr=203.0.113.1" of plain characters only. */
static bool criteria_fine(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:=_-") == strlen(s) &&
	       *s != '-';
}

static int answer_sshd(const struct audit_ask *q, int to)
{
	static const char *const places[] = { "/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd" };
	const char *argv[6] = { NULL, "-T" };
	pv_autobuf out = PV_BUF_INIT, err = PV_BUF_INIT;
	int r;

	for (size_t i = 0; i < N_ELEMENTS(places) && !argv[0]; i++)
		argv[0] = access(places[i], X_OK) == 0 ? places[i] : NULL;
	if (!argv[0])
		return -ENOENT;
	if (geteuid() != 0)
		return -EPERM; /* it wants to read the host keys */
	if (*q->text) {
		if (!criteria_fine(q->text))
			return -EINVAL;
		argv[2] = "-C";
		argv[3] = q->text;
	}
	r = child_run(argv, &(struct child_io){ .fd3 = -1, .out = &out, .err = &err });
	if (r != 0)
		return r < 0 ? r : -ECHILD;
	if (write(to, pv_buf_str(&out), out.len) != (ssize_t) out.len || lseek(to, 0, SEEK_SET) < 0)
		return -ENOSPC;
	return 0;
}

/* --- the firewall --- */

static bool old_tables(const char *path)
{
	FILE *f = fopen(path, "re");
	bool any = f && fgetc(f) != EOF;

	if (f)
		(void) fclose(f);
	return any;
}

static int run_into(const char *const argv[], size_t cap, int to)
{
	pv_autobuf out = PV_BUF_INIT, err = PV_BUF_INIT;
	int r;

	out.cap = cap;
	r = child_run(argv, &(struct child_io){ .fd3 = -1, .out = &out, .err = &err });
	if (r != 0)
		return r == 127 ? -ENOENT : r < 0 ? r : -ECHILD;
	if (out.cut)
		return -EFBIG;
	if (write(to, pv_buf_str(&out), out.len) != (ssize_t) out.len || lseek(to, 0, SEEK_SET) < 0)
		return -ENOSPC;
	return 0;
}

/* Each only lists. */
static int answer_firewall(const struct audit_ask *q, int to)
{
	static const struct {
		const char *program, *args[4];
		const char *wanted_if; /* there is something in this file */
	} sources[FIREWALL_SOURCES] = {
		[FIREWALL_IPTABLES] = { "iptables-save", { NULL }, NULL },
		[FIREWALL_IP6TABLES] = { "ip6tables-save", { NULL }, NULL },
		[FIREWALL_LEGACY] = { "iptables-legacy-save", { NULL }, "/proc/net/ip_tables_names" },
		[FIREWALL_LEGACY6] = { "ip6tables-legacy-save", { NULL }, "/proc/net/ip6_tables_names" },
		[FIREWALL_NFT] = { "nft", { "-j", "list", "ruleset" }, NULL },
		[FIREWALL_NFT_TERSE] = { "nft", { "-tj", "list", "ruleset" }, NULL },
	};
	static const char *const places[] = { "/usr/sbin", "/sbin", "/usr/local/sbin" };
	const char *argv[6] = { NULL };
	char path[64] = "";

	if (q->number >= FIREWALL_SOURCES)
		return -EINVAL;
	if (sources[q->number].wanted_if && !old_tables(sources[q->number].wanted_if))
		return -ENOENT;
	for (size_t i = 0; i < N_ELEMENTS(places) && !argv[0]; i++) {
		(void) snprintf(path, sizeof(path), "%s/%s", places[i], sources[q->number].program);
		argv[0] = access(path, X_OK) == 0 ? path : NULL;
	}
	if (!argv[0])
		return -ENOENT;
	if (geteuid() != 0)
		return -EPERM;
	for (size_t i = 0; i < 3; i++)
		argv[1 + i] = sources[q->number].args[i];
	return run_into(argv, q->number >= FIREWALL_NFT ? NFT_BYTES : FIREWALL_BYTES, to);
}

/* --- who holds a socket --- */

#define INODES_MAX 16

static size_t parse_inodes(const char *s, char out[INODES_MAX][24])
{
	size_t n = 0;

	while (*s && n < INODES_MAX) {
		size_t len = strspn(s, "0123456789");

		if (!len || len > 20 || (s[len] && s[len] != ' '))
			return 0;
		(void) snprintf(out[n++], 24, "[%.*s]", (int) len, s);
		s += len + (s[len] == ' ');
	}
	return *s ? 0 : n;
}

static void comm_of(const char *pid, char *out, size_t size)
{
	char path[48];
	FILE *f;

	(void) snprintf(path, sizeof(path), "/proc/%.10s/comm", pid);
	f = fopen(path, "re");
	if (!f || !fgets(out, (int) size, f))
		(void) snprintf(out, size, "?\n");
	if (f)
		(void) fclose(f);
	out[strcspn(out, "\n")] = '\0';
}

/* The process's descriptors that are one of these sockets: a line each, and that one is looked for no more. */
static void sockets_of(const char *pid, char inode[INODES_MAX][24], size_t n, struct pv_buf *out)
{
	char path[48], link[64], comm[32];
	struct dirent *e;
	DIR *d;

	(void) snprintf(path, sizeof(path), "/proc/%.10s/fd", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		ssize_t len = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);

		if (len < 8 || memcmp(link, "socket:", 7) != 0)
			continue;
		link[len] = '\0';
		for (size_t i = 0; i < n; i++) {
			if (strcmp(link + 7, inode[i]) != 0)
				continue;
			comm_of(pid, comm, sizeof(comm));
			pv_buf_printf(out, "%.*s %s %s\n", (int) strlen(inode[i]) - 2, inode[i] + 1, pid, comm);
			inode[i][0] = '\0';
		}
	}
	if (d)
		(void) closedir(d);
}

static int answer_owners(const struct audit_ask *q, int to)
{
	char inode[INODES_MAX][24];
	size_t n = parse_inodes(q->text, inode);
	pv_autobuf out = PV_BUF_INIT;
	struct dirent *e;
	DIR *d = n ? opendir("/proc") : NULL;

	if (!d)
		return -EINVAL;
	while ((e = readdir(d)))
		if (*e->d_name >= '1' && *e->d_name <= '9' && strlen(e->d_name) <= 10)
			sockets_of(e->d_name, inode, n, &out);
	(void) closedir(d);
	if (write(to, pv_buf_str(&out), out.len) != (ssize_t) out.len || lseek(to, 0, SEEK_SET) < 0)
		return -ENOSPC;
	return 0;
}

static void add_inode(uint32_t inode, void *user)
{
	pv_buf_printf(user, "%u\n", inode);
}

static int answer_v6only(int to)
{
	pv_autobuf out = PV_BUF_INIT;
	int r = v6only_each(add_inode, &out);

	if (r < 0)
		return r;
	if (write(to, pv_buf_str(&out), out.len) != (ssize_t) out.len || lseek(to, 0, SEEK_SET) < 0)
		return -ENOSPC;
	return 0;
}

static int answer_known(struct start *s, const struct audit_ask *q, int to)
{
	pv_autobuf out = PV_BUF_INIT;
	int r = s->state_dir ? known_ask(&s->known, s->state_dir, q->text, clock_wall_us(), &out) : -ENOENT;

	if (r < 0)
		return r;
	if (write(to, pv_buf_str(&out), out.len) != (ssize_t) out.len || lseek(to, 0, SEEK_SET) < 0)
		return -ENOSPC;
	return 0;
}

static int answer(struct start *s, const struct audit_ask *q, int to)
{
	if (!memchr(q->text, '\0', sizeof(q->text)))
		return -EINVAL;
	switch (q->op) {
	case AUDIT_API:
		return answer_api(s, q, to);
	case AUDIT_SSHD:
		return answer_sshd(q, to);
	case AUDIT_FIREWALL:
		return answer_firewall(q, to);
	case AUDIT_OWNERS:
		return answer_owners(q, to);
	case AUDIT_V6ONLY:
		return answer_v6only(to);
	case AUDIT_KNOWN:
		return answer_known(s, q, to);
	}
	return -EINVAL;
}

/* What cannot be one is left out: the reader may have been taken over by what it read. */
static void take_step(struct start *s, const struct audit_step *step)
{
	const char *const texts[] = { step->dir, step->name, step->line, step->container, step->subject };
	const size_t sizes[] = { sizeof(step->dir), sizeof(step->name), sizeof(step->line), sizeof(step->container),
				 sizeof(step->subject) };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		if (!memchr(texts[i], '\0', sizes[i]))
			return;
	s->more_steps = s->more_steps || s->n_steps == AUDIT_STEPS;
	if (!s->step || s->n_steps == AUDIT_STEPS || step->id >= ID_N)
		return;
	s->step[s->n_steps++] = *step;
}

void audit_serve(struct start *s, int sock)
{
	union {
		struct audit_ask ask;
		struct audit_step step;
	} any;
	ssize_t n;

	while ((n = fdpass_recv(sock, &any, sizeof(any), NULL, NULL)) != 0) {
		struct audit_reply reply = { .result = -EINVAL };
		pv_autoclose int fd = -1;

		if (n == -EINTR)
			continue;
		if (n == sizeof(any.step) && any.step.op == AUDIT_STEP) {
			take_step(s, &any.step);
			continue;
		}
		if (n != sizeof(any.ask)) /* not one of ours: it gets no answer any more */
			return;
		fd = memfd_create("answer", MFD_CLOEXEC);
		reply.result = fd < 0 ? -errno : answer(s, &any.ask, fd);
		if (fdpass_send(sock, &reply, sizeof(reply), &fd, reply.result == 0 ? 1 : 0) < 0)
			return;
	}
}
