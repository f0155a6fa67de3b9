#include "launcher/restart.h"

#define SEC	  ((uint64_t) 1000000)
#define HEALTHY	  (60 * SEC)
#define DELAY_MAX (60 * SEC)

void restart_started(struct restart *r, uint64_t now_us)
{
	r->started_us = now_us;
}

uint64_t restart_died(struct restart *r, uint64_t now_us, bool *ret_dying)
{
	uint64_t delay;

	if (now_us - r->started_us >= HEALTHY) {
		r->in_row = 0;
		r->told = false;
	}
	r->deaths_us[0] = r->deaths_us[1];
	r->deaths_us[1] = r->deaths_us[2];
	r->deaths_us[2] = now_us;
	*ret_dying = !r->told && r->deaths_us[0] && now_us - r->deaths_us[0] <= HEALTHY;
	if (*ret_dying)
		r->told = true;
	delay = r->in_row == 0 ? 0 : r->in_row > 6 ? DELAY_MAX : SEC << (r->in_row - 1);
	r->in_row++;
	return PV_MIN(delay, DELAY_MAX);
}
