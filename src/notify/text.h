/* text.h - a notice, or many, as a channel wants it. */
#ifndef PV_NOTIFY_TEXT_H
#define PV_NOTIFY_TEXT_H

#include "base/buf.h"
#include "model/notice.h"
#include "model/policy.h"
#include "store/store.h"

/* The body for this channel, at most `max` bytes: JSON for a webhook (notice_json() and `text`, the sentence; evidence
 * goes from its end where it does not fit, and `cut` is set), else the sentence and the next command in one line. */
void notify_text(struct pv_buf *out, const struct policy_channel *c, const struct notice *n, size_t max);

/* A digest of all that waited: how many, from when to when, how severe, and the worst `n_worst` of them in words. */
#define DIGEST_WORST 10
void notify_digest(struct pv_buf *out, const struct policy_channel *c, const struct store_backlog *b,
		   const struct notice *worst, size_t n_worst);

#endif
