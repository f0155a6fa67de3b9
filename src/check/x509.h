/* x509.h - what a certificate says about its time and its names (RFC 5280), nothing about whether to trust it. DER is read
 * within its lengths; fields may be as large as they like and are cut. */
#ifndef PV_CHECK_X509_H
#define PV_CHECK_X509_H

#include "base/ip.h"
#include "check/arena.h"

#define X509_NAMES 100
#define X509_NAME  253 /* longer ones are left out: no host has them */

struct x509 {
	int64_t not_before, not_after; /* seconds since 1970 */
	const char *name[X509_NAMES];  /* DNS names and addresses of the subject's alternative names; where there are none,
					  its common name */
	size_t n_names;
	const char *issuer; /* organisation, or common name; "" */
	bool self_signed;   /* issuer and subject are the same */
	bool more_names;
};

/* 0, -EBADMSG, -ENOMEM. */
int x509_read_der(struct arena *a, const void *der, size_t len, struct x509 *ret);
/* The first certificate of a PEM file. -ENOENT: there is none in it. */
int x509_read_pem(struct arena *a, const char *text, size_t len, struct x509 *ret);
/* Base64 of a PEM file, as Traefik keeps it. */
int x509_read_wrapped(struct arena *a, const char *base64, struct x509 *ret);
bool x509_covers(const struct x509 *c, const char *name);

#endif
