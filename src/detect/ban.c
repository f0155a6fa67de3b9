#include "detect/ban.h"

#include <stdio.h>

uint64_t ban_time(uint64_t first_us, uint64_t max_us, uint32_t times)
{
	uint64_t us = first_us;

	for (uint32_t i = 1; i < times && us < max_us; i++)
		us = us > max_us / 4 ? max_us : us * 4;
	return PV_MIN(us, max_us);
}

bool ban_budget_take(struct ban_budget *b, uint64_t key, uint64_t now_us)
{
	struct ban_source *s = NULL, *oldest = &b->source[0];

	key = key ? key : 1;
	for (size_t i = 0; i < BAN_SOURCES && !s; i++) {
		if (b->source[i].key == key)
			s = &b->source[i];
		else if (oldest->key && (!b->source[i].key || b->source[i].start_us < oldest->start_us))
			oldest = &b->source[i];
	}
	if (!s) {
		s = oldest;
		*s = (struct ban_source){ .key = key, .start_us = now_us };
	}
	if (now_us - s->start_us >= b->us) {
		s->start_us = now_us;
		s->used = 0;
	}
	if (s->used >= b->n)
		return false;
	s->used++;
	return true;
}

static void fold_begin(struct ban_fold *f, uint64_t now_us, bool going_on)
{
	*f = (struct ban_fold){ .open = true,
				.going_on = going_on,
				.until_us = now_us + (going_on ? BAN_FOLD_NEXT_US : BAN_FOLD_FIRST_US) };
}

bool ban_fold_step(struct ban_fold *f, const struct ip_prefix *who, const char *service, uint64_t now_us)
{
	if (!f->open || (now_us >= f->until_us && !f->held.n))
		fold_begin(f, now_us, false);
	if (!f->going_on && f->single < BAN_FOLD_SINGLE) {
		f->single++;
		return true;
	}
	if (!f->held.n++)
		f->held_us = now_us;
	f->held.span_us = now_us - f->held_us;
	if (f->held.n_shown < BAN_FOLD_SHOWN) {
		struct ban_shown *s = &f->held.shown[f->held.n_shown++];

		s->who = *who;
		(void) snprintf(s->service, sizeof(s->service), "%s", service);
	}
	return false;
}

bool ban_fold_due(struct ban_fold *f, uint64_t now_us, struct ban_folded *ret)
{
	if (!f->open || now_us < f->until_us)
		return false;
	if (!f->held.n) {
		f->open = false; /* it was quiet */
		return false;
	}
	*ret = f->held;
	fold_begin(f, f->until_us, true);
	return true;
}
