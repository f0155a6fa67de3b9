/* fdpass.h - one datagram with descriptors over a SOCK_SEQPACKET socket (SCM_RIGHTS). */
#ifndef PV_BASE_FDPASS_H
#define PV_BASE_FDPASS_H

#include "base/util.h"

#define FDPASS_MAX 4

/* Sends `len` bytes and n_fds descriptors (kept by the caller). 0 or negative errno. */
int fdpass_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds);

/* Receives one datagram. Returns its length (0: the peer is gone), -EAGAIN, -EBADMSG when it was
 * larger than `len` or carried more than FDPASS_MAX descriptors, or another negative errno.
 * Descriptors arrive close-on-exec in fds[0..*ret_n_fds-1] and belong to the caller; `fds` NULL: any
 * that come are closed. */
ssize_t fdpass_recv(int sock, void *data, size_t len, int fds[FDPASS_MAX], size_t *ret_n_fds);

#endif
