/* What the requests about bans do. */
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"

#define NEVER_EVERY_US (60 * USEC_PER_SEC)
#define NEVER_AGAIN_US (10 * USEC_PER_SEC) /* while it cannot be read */

static struct nft_form form_of(const struct policy *p)
{
	return (struct nft_form){ .raw = p->ban.raw != 0, .prefix6 = (uint8_t) p->ban.prefix6 };
}

uint32_t bans_seconds(uint64_t until_ns)
{
	uint64_t now_us = clock_monotonic_us();

	if (until_ns == 0 || until_ns == UINT64_MAX)
		return until_ns ? UINT32_MAX : 0;
	if (until_ns / 1000 <= now_us)
		return 0;
	return (uint32_t) PV_MIN((until_ns / 1000 - now_us) / USEC_PER_SEC + 1, UINT32_MAX - 1);
}

/* The table, made when it is needed. */
static int table(struct broker *b)
{
	struct nft_form form = form_of(b->policy);
	uint32_t off = bans_seconds(kernel_off_until(b->kernel));
	bool made;
	int r = b->nft ? 0 : nft_new(&b->nft);

	if (r < 0)
		return r;
	made = nft_made(b->nft);
	r = nft_form(b->nft, &form);
	if (r == 0 && !made)
		r = nft_off(b->nft, off);
	return r;
}

/* Once: does the kernel drop what it should? */
static void test_first(struct broker *b, const struct ip_prefix *who)
{
	int r;

	if (b->bans_tested || bans_seconds(kernel_off_until(b->kernel)))
		return;
	r = nft_test(b->nft, who);
	b->bans_tested = true;
	b->bans_failed = r == -ENODATA;
	if (r == -ENODATA)
		log_error("the first ban dropped no packet in its test: bans have no effect here");
	else if (r < 0)
		log_info("bans could not be tested on this host: %s", strerror(-r));
	else
		log_info("bans are in force: the first one dropped its test packet");
}

/* Who is never banned is read at each ban; in between from time to time, so that it is told before somebody should be. */
static void look_never(struct broker *b, uint64_t now_us)
{
	bool was = b->never_unknown;

	b->never_unknown = *never_refresh(b->never, was ? NEVER_AGAIN_US : NEVER_EVERY_US, now_us);
}

int bans_look_never(void *ctx, const struct ip_prefix *who, uint64_t *ret_why)
{
	struct broker *b = ctx;

	*ret_why = never_check(b->never, b->policy, who, clock_monotonic_us());
	if (*ret_why == NEVER_UNKNOWN)
		b->check_us = 0; /* it is news */
	return *ret_why == NEVER_NO ? 0 : -EPERM;
}

int bans_look_others(void *ctx, const struct ip_prefix *who, uint64_t *ret_other)
{
	enum ban_other other;
	int r = nft_look_others(&who->addr, &other);

	(void) ctx;
	if (r == 0)
		*ret_other = other;
	return r;
}

int bans_ban(void *ctx, const struct ip_prefix *who, uint32_t seconds, uint64_t *ret_why)
{
	struct broker *b = ctx;
	bool made;
	int r;

	r = bans_look_never(ctx, who, ret_why);
	if (r < 0)
		return r;
	r = table(b);
	made = r == 0;
	if (r == 0)
		r = nft_ban(b->nft, who, seconds);
	if (r < 0 && made) { /* was the table taken from under us? */
		(void) nft_check(b->nft, clock_monotonic_us());
		if (!nft_made(b->nft)) {
			b->bans_missing = true;
			b->check_us = 0;
			r = table(b);
			if (r == 0)
				r = nft_ban(b->nft, who, seconds);
		}
	}
	if (r == 0)
		test_first(b, who);
	return r;
}

int bans_unban(void *ctx, const struct ip_prefix *who)
{
	struct broker *b = ctx;
	int r = table(b);

	return r < 0 ? r : nft_unban(b->nft, who);
}

int bans_file(void *ctx, struct broker_answer *ret)
{
	struct broker *b = ctx;
	int fd = memfd_create("pavise-bans", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	b->bans_fd = pv_close(b->bans_fd);
	b->bans_fd = fd;
	ret->fds[0] = fd;
	ret->n_fds = 1;
	return 0;
}

/* A copy is judged and used: the engine can still write to the file. */
static int read_bans(int fd, struct broker_ban *bans, size_t n)
{
	size_t size = n * sizeof(*bans), at = 0;

	while (at < size) {
		ssize_t got = pread(fd, (uint8_t *) bans + at, size - at, (off_t) at);

		if (got <= 0)
			return got < 0 ? -errno : -EBADMSG;
		at += (size_t) got;
	}
	return 0;
}

static int drop_never(struct broker *b, struct broker_ban *bans, size_t n, size_t *ret_kept, uint64_t *ret_never)
{
	uint64_t now = clock_monotonic_us();
	enum ban_never why;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct ip_prefix who = { .len = bans[i].prefix };

		memcpy(who.addr.b, bans[i].addr, sizeof(who.addr.b));
		why = requests_check_ban(&who, bans[i].seconds, true);
		if (why == NEVER_NO)
			why = never_check(b->never, b->policy, &who, now);
		if (why == NEVER_UNKNOWN)
			return -EAGAIN;
		if (why != NEVER_NO)
			++*ret_never;
		else
			bans[kept++] = bans[i];
	}
	*ret_kept = kept;
	return 0;
}

int bans_load(void *ctx, uint32_t n, uint64_t *ret_in_force, uint64_t *ret_never)
{
	struct broker *b = ctx;
	pv_autofree struct broker_ban *bans = NULL;
	struct nft_form form = form_of(b->policy);
	size_t kept = 0;
	int r;

	*ret_in_force = *ret_never = 0;
	if (b->bans_fd < 0)
		return -EBADF;
	bans = calloc(PV_MAX(n, 1u), sizeof(*bans));
	r = bans ? read_bans(b->bans_fd, bans, n) : -ENOMEM;
	b->bans_fd = pv_close(b->bans_fd);
	if (r == 0)
		r = drop_never(b, bans, n, &kept, ret_never);
	if (r < 0)
		return r;
	/* Nothing to restore: a host that never banned anybody has no table. */
	if (!kept && !b->nft)
		r = nft_new(&b->nft);
	if (r == 0 && !kept && !nft_made(b->nft) && nft_adopt(b->nft, &form) < 0) {
		b->nft = nft_free(b->nft);
		return 0;
	}
	if (r == 0)
		r = table(b);
	if (r == 0)
		r = nft_load(b->nft, bans, kept);
	if (r < 0)
		return r;
	b->bans_missing = false;
	*ret_in_force = kept;
	return 0;
}

int bans_state(void *ctx, uint64_t *ret_dropped)
{
	(void) ctx;
	return nft_look_counter("dropped", ret_dropped);
}

void bans_start(struct broker *b)
{
	struct nft_form form = form_of(b->policy);
	unsigned rules;

	if (b->policy->observe) /* it may be another guard's, and nothing is changed */
		return;
	if (nft_look_rules("in", &rules) < 0 && nft_look_rules("early", &rules) < 0)
		return;
	if (nft_new(&b->nft) == 0 && nft_adopt(b->nft, &form) < 0)
		log_warning("the table inet pavise from before cannot be taken over");
}

bool bans_look(struct broker *b, uint64_t now_us)
{
	look_never(b, now_us);
	if (!b->nft || nft_check(b->nft, now_us) != 1)
		return false;
	log_warning("bans are missing in the kernel: somebody changed the table inet pavise or flushed the ruleset; restoring them");
	b->bans_missing = true;
	(void) table(b); /* rules at once; what was in the sets comes from the engine */
	return true;
}

void bans_policy(struct broker *b)
{
	struct nft_form form = form_of(b->policy);

	if (b->nft && nft_made(b->nft) && nft_form(b->nft, &form) < 0)
		log_error("the table of bans could not be changed to the new settings");
}

void bans_off(struct broker *b, uint64_t until_ns)
{
	pv_auto(nft) left = NULL; /* who only observes has not taken the table over */
	bool mine = b->nft && nft_made(b->nft);

	if (!mine && (!b->policy->observe || nft_new(&left) < 0))
		return;
	if (nft_off(mine ? b->nft : left, bans_seconds(until_ns)) < 0 && mine)
		log_error("bans could not be lifted or put in force again");
}

void bans_stop(struct broker *b)
{
	b->nft = nft_free(b->nft);
	b->never = never_free(b->never);
	b->bans_fd = pv_close(b->bans_fd);
}
