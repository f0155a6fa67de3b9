/* outbox.h - from stored notices to the sender. The engine's side: picks due deliveries, hands them to the
 * sender over a SOCK_SEQPACKET socket, and turns its answers into delivered or retry. Back-off: 1 s, doubling
 * to 15 min with jitter, for 72 h. The sender is asked for (LAUNCH_WANT_SENDER) when something is due. */
#ifndef PV_NOTIFY_OUTBOX_H
#define PV_NOTIFY_OUTBOX_H

#include "model/policy.h"
#include "store/store.h"

struct outbox;
int outbox_new(struct store *s, int sender_fd, struct outbox **ret); /* sender_fd is borrowed */
struct outbox *outbox_free(struct outbox *o);
PV_AUTO(outbox)

/* Hands over what is due, at most a few at once; returns 1 when the sender should be started or woken, 0 when
 * nothing is due, negative errno. *ret_next_us: wall clock when to call again (UINT64_MAX: when a notice comes). */
int outbox_run(struct outbox *o, const struct policy *p, uint64_t wall_us, uint64_t *ret_next_us);
/* Reads the sender's answers until -EAGAIN. */
int outbox_answers(struct outbox *o, uint64_t wall_us);

/* The datagrams (engine -> sender, and back). `text` is a finished body: JSON for the webhook, a sentence for
 * syslog and journal. */
#define OUTBOX_TEXT 6144
struct outbox_row {
	uint64_t delivery;
	uint32_t channel, attempt;
	uint64_t notice;
	uint32_t severity;
	uint32_t len;
	char id[48];
	char text[OUTBOX_TEXT];
};
struct outbox_answer {
	uint64_t delivery;
	int32_t result;		/* 0 delivered, negative errno: try again, -EINVAL: never */
	uint32_t retry_after_s; /* from the receiver; 0: none */
	char error[120];	/* masked */
};

#endif
