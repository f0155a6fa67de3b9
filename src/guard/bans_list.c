#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/bans.h"

#define WIDE_MAX 1000 /* sets of networks grow slowly in the kernel */

static uint64_t key_of(const struct bans *b, const struct ip_prefix *who)
{
	uint64_t h = b->seed[0] ^ who->len;

	for (size_t i = 0; i < sizeof(who->addr.b); i++)
		h = (h ^ who->addr.b[i]) * 0x100000001b3ULL;
	return (h ^ h >> 29) * (b->seed[1] | 1);
}

struct ban *bans_find(struct bans *b, const struct ip_prefix *who)
{
	struct ban *ban = pv_map_get(&b->all, key_of(b, who));

	return ban && memcmp(&ban->who, who, sizeof(*who)) == 0 ? ban : NULL;
}

/* In the kernel it stands in a hash set, not in one of networks. */
static bool is_single(const struct guard *g, const struct ip_prefix *who)
{
	return who->len == (ip_is_v4(&who->addr) ? 128u : g->policy->ban.prefix6);
}

const struct ban *bans_overlapping(const struct guard *g, const struct ip_prefix *who)
{
	const struct bans *b = g->bans;

	for (size_t i = 0; !is_single(g, who) && i < b->n_wide; i++)
		if (ip_in_prefix(&who->addr, &b->wide[i]->who) || ip_in_prefix(&b->wide[i]->who.addr, who))
			return b->wide[i];
	return NULL;
}

struct ban *bans_covering(struct bans *b, const struct guard *g, const struct ip_addr *a)
{
	const struct ip_prefix one = { .addr = *a, .len = 128 }, network = login_network(a, (uint8_t) g->policy->ban.prefix6);
	struct ban *ban = bans_find(b, &network);

	if (!ban)
		ban = bans_find(b, &one);
	for (size_t i = 0; !ban && i < b->n_wide; i++)
		if (ip_in_prefix(a, &b->wide[i]->who))
			ban = b->wide[i];
	return ban;
}

static bool add_wide(struct bans *b, struct ban *ban)
{
	struct ban **more = realloc(b->wide, (b->n_wide + 1) * sizeof(*more));

	if (!more)
		return false;
	b->wide = more;
	b->wide[b->n_wide++] = ban;
	return true;
}

void bans_prefix6(struct guard *g)
{
	struct bans *b = g->bans;
	struct ban *ban;

	b->n_wide = 0;
	for (size_t i = 0; b->n_wide < WIDE_MAX && (ban = pv_map_next(&b->all, &i));)
		if (!is_single(g, &ban->who))
			(void) add_wide(b, ban);
}

struct ban *bans_add(struct guard *g, const struct ip_prefix *who, uint64_t since_us, uint64_t until_us)
{
	struct bans *b = g->bans;
	struct ban *ban = bans_find(b, who);

	if (ban) {
		ban->since_us = since_us;
		ban->until_us = until_us;
		ban->unstored = false;
		return ban;
	}
	if (b->all.used >= BROKER_BANS_MAX || (!is_single(g, who) && b->n_wide == WIDE_MAX))
		return NULL;
	ban = calloc(1, sizeof(*ban));
	if (!ban)
		return NULL;
	*ban = (struct ban){ .who = *who, .since_us = since_us, .until_us = until_us };
	if (!is_single(g, who) && !add_wide(b, ban)) {
		free(ban);
		return NULL;
	}
	if (pv_map_put(&b->all, key_of(b, who), ban) == 0)
		return ban;
	bans_remove(g, ban);
	return NULL;
}

void bans_remove(struct guard *g, struct ban *ban)
{
	struct bans *b = g->bans;

	(void) pv_map_take(&b->all, key_of(b, &ban->who));
	for (size_t i = 0; i < b->n_wide; i++)
		if (b->wide[i] == ban)
			b->wide[i--] = b->wide[--b->n_wide];
	free(ban);
}

void bans_before(struct guard *g, const struct ip_prefix *who, struct store_ban *ret)
{
	if (store_ban_get(g->store, who, ret) < 0)
		*ret = (struct store_ban){ .times = 0 };
}

uint32_t bans_times(const struct store_ban *before, uint64_t now_us)
{
	if (before->until_us + BANS_FORGET_US < now_us)
		return 1;
	return before->times < UINT32_MAX ? before->times + 1 : before->times;
}

bool bans_take_back(struct guard *g, const struct ip_prefix *who, const struct store_ban *before)
{
	bool lasts = before->times && before->until_us > clock_wall_us();
	struct ban *ban = bans_find(g->bans, who);

	(void) (before->times ? store_ban_put(g->store, before) : store_ban_drop(g->store, who));
	if (ban && lasts)
		*ban = (struct ban){ .who = *who, .since_us = before->since_us, .until_us = before->until_us, .told = ban->told };
	else if (ban)
		bans_remove(g, ban);
	return lasts;
}

/* --- into the kernel --- */

static void on_loaded(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	(void) arg;
	(void) pv_close(fd);
	if (rep->result == -EDQUOT || rep->result == -EAGAIN) {
		g->bans->restore = true; /* again, within the minute */
		return;
	}
	if (rep->result < 0) {
		(void) log_error_errno(rep->result, "the stored bans could not be restored");
		return;
	}
	if (rep->value || rep->value2)
		log_info("bans in force: %" PRIu64 "; stored ones that are never banned (any more): %" PRIu64, rep->value, rep->value2);
}

static void on_file(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct broker_req req = { .op = BROKER_BANS_LOAD };
	struct broker_ban chunk[256];
	uint64_t now = clock_wall_us();
	const struct ban *ban;
	size_t n = 0;
	bool ok = rep->result == 0 && fd >= 0;

	(void) arg;
	for (size_t i = 0; ok && (ban = pv_map_next(&g->bans->all, &i));) {
		struct broker_ban *at = &chunk[n];

		if (ban->until_us <= now + USEC_PER_SEC)
			continue;
		*at = (struct broker_ban){ .prefix = ban->who.len,
					   .seconds = (uint32_t) PV_MIN((ban->until_us - now) / USEC_PER_SEC, BROKER_BAN_LONGEST) };
		memcpy(at->addr, ban->who.addr.b, sizeof(at->addr));
		req.arg++;
		if (++n == N_ELEMENTS(chunk)) {
			ok = write(fd, chunk, sizeof(chunk)) == (ssize_t) sizeof(chunk);
			n = 0;
		}
	}
	if (ok && n)
		ok = write(fd, chunk, n * sizeof(chunk[0])) == (ssize_t) (n * sizeof(chunk[0]));
	(void) pv_close(fd);
	if (!ok || link_call(g, &req, on_loaded, NULL) < 0)
		log_error("the stored bans could not be handed to the broker");
}

void bans_restore(struct guard *g)
{
	struct broker_req req = { .op = BROKER_BANS_FILE };

	g->bans->restore = false;
	if (g->policy->observe)
		return; /* what is in force stays, nothing is added */
	if (link_call(g, &req, on_file, NULL) < 0)
		g->bans->restore = true;
}

static int on_stored(const struct store_ban *s, void *arg)
{
	return bans_add(arg, &s->who, s->since_us, s->until_us) == NULL;
}

void bans_trim(struct guard *g, uint64_t now)
{
	(void) store_bans_trim(g->store, now > BANS_FORGET_US ? now - BANS_FORGET_US : 0, now, BANS_REMEMBERED);
}

void bans_load(struct guard *g)
{
	uint64_t now = clock_wall_us();

	bans_trim(g, now);
	(void) store_bans(g->store, now, BROKER_BANS_MAX, on_stored, g);
	bans_restore(g);
}
