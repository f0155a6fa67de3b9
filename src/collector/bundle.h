/* bundle.h - one bundle of evidence, state_dir/evidence/<UTC>-<id>-<number>/:
 *
 *   evidence.tar.zst  what was taken, in the order of its names
 *   manifest.json     {schema, host, boot_id, started, ended, archive, files: [{path, size, sha256, origin, taken, cut}],
 *                      missing: [{what, why}]}; sha256 and size are of what lies in the archive
 *   manifest.sig      Ed25519 over manifest.json, 64 octets, by evidence/host.key, which is made with the first bundle:
 *                     openssl pkeyutl -verify -pubin -inkey host.pub -rawin -in manifest.json -sigfile manifest.sig
 *
 * The archive is flushed after each entry and a first manifest stands before it: a capture that is killed leaves what it had. */
#ifndef PV_COLLECTOR_BUNDLE_H
#define PV_COLLECTOR_BUNDLE_H

#include "base/buf.h"

struct bundle;

/* Makes the folder. `room`: octets that may be taken in all; `deadline_us`: CLOCK_MONOTONIC, after which nothing more is read.
 * -EEXIST, -EINVAL (the name), negative errno. */
int bundle_new(int evidence_fd, const char *name, uint64_t room, uint64_t deadline_us, struct bundle **ret);
struct bundle *bundle_free(struct bundle *b);
PV_AUTO(bundle)
/* Names must come in their order. Errors (no room on the disk) are kept and come out of bundle_end(). */
void bundle_text(struct bundle *b, const char *path, const char *origin, const char *text, size_t len);
/* A regular file from its beginning, as far as room and time go. True: it was taken whole, and this is its digest. */
bool bundle_file(struct bundle *b, const char *path, const char *origin, int fd, uint8_t ret_sha256[32]);
void bundle_missing(struct bundle *b, const char *what, const char *fmt, ...) PV_PRINTF(3, 4);
int bundle_end(struct bundle *b);
bool bundle_late(const struct bundle *b); /* its time is over */

uint32_t bundle_files(const struct bundle *b);
uint32_t bundle_lacks(const struct bundle *b);
uint64_t bundle_bytes(const struct bundle *b);
/* "the program's memory; its open sockets", as far as it goes. */
void bundle_lacks_text(const struct bundle *b, char *out, size_t size);

/* SHA-256 of a file from its beginning, at most `max` octets and until the deadline. 0, -ETIME, -EFBIG, negative errno. */
int bundle_hash(int fd, uint64_t max, uint64_t deadline_us, uint8_t ret[32]);
/* Room for one more of `room` octets: the oldest go until fewer than `count` are left and they hold no more than max - room. */
void bundle_retain(int evidence_fd, uint64_t max, uint32_t count, uint64_t room);

#endif
