#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "collector/collector.h"

#define SOCKETS_MAX 2048
#define FDS_MAX	    1024 /* of one process */

/* include/net/tcp_states.h */
static const char *const states[] = { "",	    "established", "syn-sent",	  "syn-received", "fin-wait-1",
				      "fin-wait-2", "time-wait",   "closed",	  "close-wait",	  "last-ack",
				      "listening",  "closing",	   "syn-received" };

static unsigned hex_field(const char *s, size_t digits)
{
	char part[9] = { 0 };

	memcpy(part, s, digits);
	return (unsigned) strtoul(part, NULL, 16);
}

/* `0100007F:0CEA`: the address as 32-bit words in host order (Documentation/networking/proc_net_tcp). */
static void put_end(char out[64], const char *s, bool v6)
{
	size_t digits = v6 ? 32 : 8;
	pv_autobuf text = PV_BUF_INIT;
	uint32_t words[4] = { 0 };
	struct ip_addr addr;

	for (size_t at = 0; at < digits; at += 8)
		words[at / 8] = hex_field(s + at, 8);
	if (v6)
		memcpy(addr.b, words, 16);
	else
		addr = ip_from_v4(words[0]);
	ip_format(&text, &addr);
	(void) snprintf(out, 64, ip_is_v4(&addr) ? "%s:%u" : "[%s]:%u", pv_buf_str(&text), hex_field(s + digits + 1, 4));
}

/* Past `n` words and the blanks before each. */
static const char *skip_fields(const char *s, unsigned n)
{
	while (n--) {
		s += strspn(s, " ");
		s += strcspn(s, " ");
	}
	return s + strspn(s, " ");
}

/* `  0: 0100007F:0CEA 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 12345 ...` */
bool sockets_line(const char *line, bool v6, struct socket_line *ret)
{
	size_t digits = v6 ? 32 : 8;
	const char *s = strchr(line, ':');

	if (!s || strlen(s) < 2 + 2 * (digits + 6) + 2 || strspn(s + 2, "0123456789ABCDEFabcdef") != digits ||
	    strspn(s + 2 + digits + 6, "0123456789ABCDEFabcdef") != digits)
		return false;
	s += 2;
	put_end(ret->local, s, v6);
	s += digits + 6;
	put_end(ret->remote, s, v6);
	s += digits + 6;
	ret->state = hex_field(s, 2);
	s = skip_fields(s + 2, 3); /* queues, timer, retransmissions */
	ret->uid = (unsigned) strtoul(s, NULL, 10);
	s = skip_fields(s, 2); /* user, timeout */
	ret->inode = strtoull(s, NULL, 10);
	return *s != '\0';
}

struct owner {
	uint64_t inode;
	pid_t pid;
};

struct owners {
	struct owner at[SOCKETS_MAX];
	size_t n;
};

static void owners_of(struct owners *o, const struct proc *p)
{
	int fd = openat(p->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned seen = 0;
	struct dirent *e;
	char link[64];
	ssize_t n;

	if (!d) {
		(void) pv_close(fd);
		return;
	}
	while ((e = readdir(d)) && seen++ < FDS_MAX && o->n < SOCKETS_MAX) {
		n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		if (strncmp(link, "socket:[", 8) == 0)
			o->at[o->n++] = (struct owner){ strtoull(link + 8, NULL, 10), p->pid };
	}
	(void) closedir(d);
}

static pid_t owner_of(const struct owners *o, uint64_t inode)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->at[i].inode == inode)
			return o->at[i].pid;
	return 0;
}

static size_t put_file(const struct proc *p, const char *name, bool v6, const struct owners *o, size_t before, struct pv_buf *out)
{
	char path[32], line[512];
	struct socket_line s;
	size_t n = before;
	FILE *f;
	int fd;

	(void) snprintf(path, sizeof(path), "net/%s", name);
	fd = openat(p->dir, path, O_RDONLY | O_CLOEXEC);
	f = fd < 0 ? NULL : fdopen(fd, "re");
	if (!f) {
		(void) pv_close(fd);
		return n;
	}
	while (n < SOCKETS_MAX && fgets(line, sizeof(line), f)) {
		if (!sockets_line(line, v6, &s))
			continue;
		pv_buf_printf(out,
			      "%s{\"protocol\":\"%s\",\"local\":\"%s\",\"remote\":\"%s\",\"state\":\"%s\",\"uid\":%u,\"pid\":%d,"
			      "\"net\":%llu}",
			      n ? ",\n" : "\n", name, s.local, s.remote,
			      name[0] == 't' && s.state < N_ELEMENTS(states) ? states[s.state] : "", s.uid,
			      (int) owner_of(o, s.inode), (unsigned long long) p->net);
		n++;
	}
	(void) fclose(f);
	return n;
}

static bool net_seen(const struct procs *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (p->at[k].net == p->at[i].net)
			return true;
	return false;
}

size_t sockets_json(const struct procs *p, struct pv_buf *out)
{
	static const struct {
		const char *name;
		bool v6;
	} files[] = {
		{ "tcp", false }, { "tcp6", true }, { "udp", false }, { "udp6", true }, { "raw", false }, { "raw6", true }
	};
	struct owners *o = calloc(1, sizeof(*o));
	size_t n = 0;

	pv_buf_puts(out, "{\"schema\":1,\"sockets\":[");
	for (size_t i = 0; o && i < p->n; i++)
		owners_of(o, &p->at[i]);
	for (size_t i = 0; o && i < p->n; i++)
		for (size_t k = 0; k < N_ELEMENTS(files) && !net_seen(p, i); k++)
			n = put_file(&p->at[i], files[k].name, files[k].v6, o, n, out);
	pv_buf_puts(out, "\n]}\n");
	free(o);
	return n;
}
