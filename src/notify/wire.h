/* wire.h - the datagrams between the engine's outbox and the sender, over the socket at ROLE_FD_PEER. Each side checks
 * what the other sends: neither trusts the other with more than it needs. */
#ifndef PV_NOTIFY_WIRE_H
#define PV_NOTIFY_WIRE_H

#include "base/util.h"
#include "model/severity.h"

/* A notice without evidence always fits as JSON, however much of it must be escaped. */
#define OUTBOX_TEXT 8192

struct outbox_row { /* engine -> sender; cut behind the text */
	uint64_t delivery; /* repeated in the answer; OUTBOX_DIGEST set: stands for several */
	uint64_t key;	   /* store_channel_key(): a sender with an older policy must not take it for another's */
	uint32_t channel;  /* index into the policy's channels */
	uint32_t severity; /* enum severity */
	uint32_t len;	   /* of text, without its NUL */
	uint32_t pad;
	char id[48];	   /* net.stratum; `digest` */
	char unique[64];   /* the same at each attempt, another for each notice of each host */
	char subject[160];
	char text[OUTBOX_TEXT + 1]; /* finished: JSON for the webhook, a sentence for syslog and journal */
};
#define OUTBOX_DIGEST (1ULL << 63)

struct outbox_answer { /* sender -> engine */
	uint64_t delivery;
	int32_t result;		/* 0: delivered; -EINVAL: never; -ESTALE: not my policy; else try again */
	uint32_t retry_after_s; /* as the receiver wishes; 0: it did not say */
	char error[120];	/* for people; secrets masked, printable */
};

/* How many bytes of the row are sent. */
size_t outbox_row_size(const struct outbox_row *row);
/* Checks a datagram and copies it: lengths fit, every string ends within its array, id and unique hold letters, digits,
 * dots and dashes only (they go into headers), the text has no NUL. 0 or -EBADMSG. */
int outbox_row_parse(const void *data, size_t len, struct outbox_row *ret);
int outbox_answer_parse(const void *data, size_t len, struct outbox_answer *ret);

/* Sets result and error, cut at its end. */
void outbox_answer_set(struct outbox_answer *a, int result, const char *fmt, ...) PV_PRINTF(3, 4);

#endif
