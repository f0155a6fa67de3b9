#include "base/ip.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"

static const uint8_t v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool ip_is_v4(const struct ip_addr *a)
{
	return memcmp(a->b, v4_mapped, sizeof(v4_mapped)) == 0;
}

struct ip_addr ip_from_v4(uint32_t network_order)
{
	struct ip_addr a;

	memcpy(a.b, v4_mapped, 12);
	memcpy(a.b + 12, &network_order, 4);
	return a;
}

int ip_parse(const char *s, struct ip_addr *ret)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, s, &v4) == 1) {
		*ret = ip_from_v4(v4.s_addr);
		return 0;
	}
	if (inet_pton(AF_INET6, s, &v6) == 1) {
		memcpy(ret->b, v6.s6_addr, 16);
		return 0;
	}
	return -EINVAL;
}

int ip_prefix_parse(const char *s, struct ip_prefix *ret)
{
	char text[64];
	struct ip_prefix p;
	char *slash;
	uint32_t len;
	int r;

	if (!text_copy(text, sizeof(text), s))
		return -EINVAL;
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	r = ip_parse(text, &p.addr);
	if (r < 0)
		return r;
	len = ip_is_v4(&p.addr) && !strchr(text, ':') ? 32 : 128;
	if (slash) {
		uint32_t max = len;

		if (parse_u32(slash, &len) < 0 || len > max)
			return -EINVAL;
		if (max == 32)
			len += 96;
	} else {
		len = 128;
	}
	p.len = (uint8_t) len;
	for (unsigned i = 0; i < 16; i++) {
		if (len >= (i + 1) * 8)
			continue;
		p.addr.b[i] &= len > i * 8 ? (uint8_t) (0xff00u >> (len - i * 8)) : 0;
	}
	*ret = p;
	return 0;
}

bool ip_in_prefix(const struct ip_addr *a, const struct ip_prefix *p)
{
	unsigned whole = p->len / 8, rest = p->len % 8;

	if (memcmp(a->b, p->addr.b, whole) != 0)
		return false;
	return !rest || ((a->b[whole] ^ p->addr.b[whole]) & (uint8_t) (0xff00u >> rest)) == 0;
}

void ip_format(struct pv_buf *out, const struct ip_addr *a)
{
	char text[INET6_ADDRSTRLEN];

	if (ip_is_v4(a))
		(void) inet_ntop(AF_INET, a->b + 12, text, sizeof(text));
	else
		(void) inet_ntop(AF_INET6, a->b, text, sizeof(text));
	pv_buf_puts(out, text);
}

void ip_prefix_format(struct pv_buf *out, const struct ip_prefix *p)
{
	ip_format(out, &p->addr);
	if (ip_is_v4(&p->addr) && p->len >= 96)
		pv_buf_printf(out, "/%u", p->len - 96u);
	else
		pv_buf_printf(out, "/%u", p->len);
}
