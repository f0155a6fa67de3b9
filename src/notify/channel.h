/* channel.h - the ways out. One row of channel_kinds and one file for each; only the sender links them.
 *
 * A channel gets a checked row and says what became of it: result 0 delivered, -EINVAL never again, else try again, with
 * the pause that the receiver asked for and words for people. The words never hold a secret. */
#ifndef PV_NOTIFY_CHANNEL_H
#define PV_NOTIFY_CHANNEL_H

#include "base/buf.h"
#include "base/util.h"
#include "notify/wire.h"

struct channel {
	const char *url;
	const uint8_t *secret; /* NULL: none */
	size_t secret_len;
	bool (*stop)(void *);  /* asked while a delivery takes its time: true when nobody waits for it any more; may be NULL */
	void *stop_arg;
};

struct channel_kind {
	const char *scheme; /* "https:" */
	bool local;	    /* never waits for a network: goes first */
	void (*deliver)(const struct channel *c, const struct outbox_row *row, struct outbox_answer *ret);
};
/* By the URL's scheme; NULL: none that we know. */
const struct channel_kind *channel_kind(const char *url);

/* journal: the datagram of systemd's native protocol. */
void journal_deliver(const struct channel *c, const struct outbox_row *row, struct outbox_answer *ret);
void journal_format(struct pv_buf *out, const struct outbox_row *row);

/* syslog: or syslog:///path: RFC 3164 as /dev/log takes it (no host name), in local time, with facility daemon. */
void syslog_deliver(const struct channel *c, const struct outbox_row *row, struct outbox_answer *ret);
void syslog_format(struct pv_buf *out, const struct outbox_row *row, uint64_t wall_us);

/* https:// a POST of the row's JSON, signed: X-Pavise-Signature is `sha256=` and the hex HMAC-SHA256 of
 * X-Pavise-Timestamp (seconds since 1970), a dot and the body. */
int webhook_start(void); /* before the sandbox; 0 or negative errno */
void webhook_stop(void);
void webhook_deliver(const struct channel *c, const struct outbox_row *row, struct outbox_answer *ret);
#define WEBHOOK_SIGNATURE 65
void webhook_sign(char ret[WEBHOOK_SIGNATURE], const uint8_t *secret, size_t secret_len, const char *timestamp,
		  const char *body, size_t body_len);

#endif
