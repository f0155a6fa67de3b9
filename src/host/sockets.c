#include "host/sockets.h"

#include <stdio.h>
#include <string.h>

#define TCP_STATE_ESTABLISHED 1
#define TCP_STATE_LISTEN      10

struct remote {
	struct ip_addr addr;
	unsigned port, state, local_port;
};

struct reading {
	uint8_t listens[65536 / 8]; /* bit by local port */
	bool established;	    /* the second time through; the first looks for those that listen */
	int (*fn)(const struct ip_addr *, uint16_t, void *);
	void *arg;
};

static unsigned hex_field(const char *s, size_t digits)
{
	char part[9] = { 0 };

	memcpy(part, s, digits);
	return (unsigned) strtoul(part, NULL, 16);
}

/* `  0: 0100007F:0CEA 0100007F:1F90 01 ...`: addresses as 32-bit words in host order (Documentation/networking/proc_net_tcp). */
static bool parse_line(const char *line, bool v6, struct remote *ret)
{
	size_t digits = v6 ? 32 : 8;
	const char *s = strchr(line, ':');
	uint32_t words[4] = { 0 };

	if (!s || strlen(s) < 2 + 2 * (digits + 6) + 2)
		return false;
	s += 2 + digits + 1;
	ret->local_port = hex_field(s, 4);
	s += 4 + 1; /* past the local end */
	for (size_t at = 0; at < digits; at += 8)
		words[at / 8] = hex_field(s + at, 8);
	ret->port = hex_field(s + digits + 1, 4);
	ret->state = hex_field(s + digits + 6, 2);
	if (v6)
		memcpy(ret->addr.b, words, 16);
	else
		ret->addr = ip_from_v4(words[0]);
	return true;
}

static int on_line(struct reading *rd, const struct remote *r)
{
	uint8_t *byte = &rd->listens[r->local_port / 8], bit = (uint8_t) (1u << r->local_port % 8);

	if (!rd->established) {
		if (r->state == TCP_STATE_LISTEN)
			*byte |= bit;
		return 0;
	}
	if (r->state != TCP_STATE_ESTABLISHED || *byte & bit)
		return 0;
	return rd->fn(&r->addr, (uint16_t) r->port, rd->arg) ? 1 : 0;
}

static int read_file(const char *path, bool v6, struct reading *rd)
{
	FILE *f = fopen(path, "re");
	size_t bytes = 0;
	char line[512];
	struct remote r;
	int stop = 0;

	if (!f)
		return -errno;
	while (!stop && fgets(line, sizeof(line), f)) {
		bytes += strlen(line);
		if (bytes > SOCKETS_BYTES) {
			stop = -EFBIG;
			break;
		}
		if (parse_line(line, v6, &r))
			stop = on_line(rd, &r);
	}
	(void) fclose(f);
	return stop;
}

static int read_both(pid_t pid, struct reading *rd)
{
	static const char *const files[] = { "tcp", "tcp6" };
	char path[64];
	int r, result = 0;

	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		(void) snprintf(path, sizeof(path), "/proc/%d/net/%s", (int) pid, files[i]);
		r = read_file(path, i == 1, rd);
		if (r == 1)
			return 0;
		if (r == -ENOENT && i == 1) /* a kernel without IPv6 */
			r = 0;
		if (r < 0 && r != -EFBIG)
			return r == -ESRCH || r == -EINVAL ? -ENOENT : r;
		result = r < 0 ? r : result;
	}
	return result;
}

/* Those that listen come first in the file, so all of them are known also where the rest is too long to be read. */
int sockets_remote(pid_t pid, int (*fn)(const struct ip_addr *, uint16_t, void *), void *arg)
{
	struct reading rd = { .fn = fn, .arg = arg };
	int r = read_both(pid, &rd);

	if (r < 0 && r != -EFBIG)
		return r;
	rd.established = true;
	return read_both(pid, &rd);
}
