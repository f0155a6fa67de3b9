/* ip.h - one form for every address: 16 bytes in network order, IPv4 as v4-mapped IPv6 (RFC 4291, 2.5.5.2). */
#ifndef PV_BASE_IP_H
#define PV_BASE_IP_H

#include "base/buf.h"

struct ip_addr {
	uint8_t b[16];
};

struct ip_prefix {
	struct ip_addr addr; /* bits after the prefix are zero */
	uint8_t len;	     /* 0-128, counted in the 16 bytes: an IPv4 /24 is 120 */
};

bool ip_is_v4(const struct ip_addr *a);
struct ip_addr ip_from_v4(uint32_t network_order);
int ip_parse(const char *s, struct ip_addr *ret);		/* numeric only; -EINVAL */
int ip_prefix_parse(const char *s, struct ip_prefix *ret);	/* "10.0.0.0/8" or one address; -EINVAL */
bool ip_in_prefix(const struct ip_addr *a, const struct ip_prefix *p);
void ip_format(struct pv_buf *out, const struct ip_addr *a);	/* canonical (RFC 5952); v4 dotted */
void ip_prefix_format(struct pv_buf *out, const struct ip_prefix *p);

#endif
