/* outbox.h - from stored notices to the sender. The engine's side: picks due deliveries, hands them to the
 * sender over a SOCK_SEQPACKET socket (wire.h), and turns its answers into delivered or retry. Back-off: 1 s, doubling
 * to 15 min with jitter, for 72 h; then given up, which is counted and logged. A channel that fails is left alone until
 * its next attempt, and asked with one notice only. More than 20 that wait for one channel go out as one digest. */
#ifndef PV_NOTIFY_OUTBOX_H
#define PV_NOTIFY_OUTBOX_H

#include "model/policy.h"
#include "notify/wire.h"
#include "store/store.h"

struct outbox;
int outbox_new(struct store *s, int sender_fd, struct outbox **ret); /* sender_fd is borrowed */
struct outbox *outbox_free(struct outbox *o);
PV_AUTO(outbox)

/* Hands over what is due, at most a few at once; returns 1 when the sender should be started or woken, 0 when
 * nothing is due, negative errno. *ret_next_us: wall clock when to call again, always later than wall_us (UINT64_MAX:
 * when a notice comes). It is set whatever is returned. Call after each store_add(), after outbox_answers(), and with the
 * new policy after a reload. */
int outbox_run(struct outbox *o, const struct policy *p, uint64_t wall_us, uint64_t *ret_next_us);
/* Reads the sender's answers until -EAGAIN; 0, or -EPIPE when the other end is closed. */
int outbox_answers(struct outbox *o, uint64_t wall_us);

/* Wall clock of the last delivery through the channel (store_channel_key()), also by an earlier engine, to the minute then;
 * 0: none yet. */
uint64_t outbox_last_success(struct outbox *o, uint64_t key);

/* When attempt `attempt` (from 1) failed: how long to wait, in microseconds. A fifth less or more by `seed`; never less
 * than the receiver asked for (and then up to a fifth more), but that counts to 6 h at most. */
uint64_t outbox_backoff_us(uint32_t attempt, uint32_t retry_after_s, uint32_t seed);
/* Whether to give up what has waited since `since_us` and was tried `attempt` times. A clock that was set forward by
 * days loses nothing: fewer than 12 attempts are never enough. */
bool outbox_is_over(uint64_t since_us, uint64_t now_us, uint32_t attempt);

#endif
