#include "check/proc_net.h"

#include <stdio.h>
#include <string.h>

#define FILE_BYTES (4u << 20)

static int nibble(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

static bool hex(const char *s, size_t digits, uint32_t *ret)
{
	uint32_t v = 0;

	for (size_t i = 0; i < digits; i++) {
		int d = nibble(s[i]);

		if (d < 0)
			return false;
		v = v << 4 | (uint32_t) d;
	}
	*ret = v;
	return true;
}

/* "0100007F:1F90", or four such words for IPv6: words of the address in host byte order, as the kernel holds them. */
static const char *endpoint(const char *s, const char *end, struct ip_addr *addr, uint16_t *port)
{
	size_t n = 0;
	uint32_t word;

	while (s < end && *s == ' ')
		s++;
	while (s + n < end && nibble(s[n]) >= 0)
		n++;
	if ((n != 8 && n != 32) || s + n + 5 > end || s[n] != ':')
		return NULL;
	if (n == 8) {
		if (!hex(s, 8, &word))
			return NULL;
		*addr = ip_from_v4(word);
	}
	for (size_t i = 0; n == 32 && i < 4; i++) {
		if (!hex(s + 8 * i, 8, &word))
			return NULL;
		memcpy(addr->b + 4 * i, &word, 4);
	}
	if (!hex(s + n + 1, 4, &word))
		return NULL;
	*port = (uint16_t) word;
	return s + n + 5;
}

/* The sixth word behind the state: queues, timer, retransmissions, user, timeout, inode. */
static uint64_t inode_of(const char *s, const char *end)
{
	uint64_t inode = 0;

	for (unsigned word = 0; word < 6; word++) {
		while (s < end && *s != ' ')
			s++;
		while (s < end && *s == ' ')
			s++;
	}
	for (; s < end && *s >= '0' && *s <= '9' && inode < UINT64_MAX / 16; s++)
		inode = inode * 10 + (uint64_t) (*s - '0');
	return inode;
}

static bool parse_line(const char *s, const char *end, struct proc_socket *out)
{
	const char *colon = memchr(s, ':', (size_t) (end - s));
	uint32_t state;

	s = colon ? endpoint(colon + 1, end, &out->addr, &out->port) : NULL;
	s = s ? endpoint(s, end, &out->peer, &out->peer_port) : NULL;
	if (!s || s + 3 > end || !hex(s + 1, 2, &state))
		return false;
	out->listens = out->udp ? state == 7 : state == 10; /* an unconnected datagram socket is TCP_CLOSE */
	out->connected = !out->udp && (state == 1 || state == 2);
	out->inode = inode_of(s + 1, end);
	return true;
}

void proc_net_parse(struct arena *a, const char *text, size_t len, bool udp, struct proc_net *to)
{
	const char *end = text + len;

	for (const char *p = text; p < end;) {
		const char *lf = memchr(p, '\n', (size_t) (end - p)), *stop = lf ? lf : end;
		struct proc_socket s = { .udp = udp }, *item;

		if (parse_line(p, stop, &s) && (s.listens || s.connected)) {
			item = to->n < PROC_NET_SOCKETS ? arena_grow(a, to->item, to->n, sizeof(*item)) : NULL;
			if (!item) {
				to->error = -EFBIG;
				return;
			}
			to->item = item;
			to->item[to->n++] = s;
		}
		p = lf ? lf + 1 : end;
	}
}

void proc_net_read(struct arena *a, const struct hostfs *fs, long pid, struct proc_net *ret)
{
	static const char *const files[] = { "tcp", "tcp6", "udp", "udp6" };

	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		pv_autobuf text = PV_BUF_INIT;
		char path[64];
		int r;

		if (pid)
			(void) snprintf(path, sizeof(path), "/proc/%ld/net/%s", pid, files[i]);
		else
			(void) snprintf(path, sizeof(path), "/proc/net/%s", files[i]);
		r = hostfs_read(fs, path, FILE_BYTES, &text);
		proc_net_parse(a, pv_buf_str(&text), text.len, i >= 2, ret);
		if (r < 0 && !(r == -ENOENT && i % 2 == 1)) /* a host without IPv6 has no tcp6 */
			ret->error = r;
	}
}

bool proc_net_inner(const struct ip_addr *addr)
{
	static const char *const inner[] = { "127.0.0.0/8",    "10.0.0.0/8",    "172.16.0.0/12", "192.168.0.0/16",
					     "169.254.0.0/16", "100.64.0.0/10", "224.0.0.0/4",   "::1",
					     "fe80::/10",      "fc00::/7",      "ff00::/8" };
	struct ip_prefix p;

	for (size_t i = 0; i < N_ELEMENTS(inner); i++)
		if (ip_prefix_parse(inner[i], &p) == 0 && ip_in_prefix(addr, &p))
			return true;
	return false;
}
