#include "logs/silent.h"

void log_silent_seen(struct log_silent *s, uint64_t time_us)
{
	if (!s->lines++)
		s->first_us = s->last_us = time_us;
	if (time_us > s->last_us) {
		s->longest_us = PV_MAX(s->longest_us, time_us - s->last_us);
		s->last_us = time_us;
	}
	s->told = false;
}

bool log_silent_due(struct log_silent *s, uint64_t now_us, uint64_t *ret_us)
{
	uint64_t limit = PV_MAX(s->longest_us * SILENT_TIMES, SILENT_MIN_US);

	if (s->told || s->lines < SILENT_LINES || now_us <= s->last_us || now_us - s->last_us < limit)
		return false;
	s->told = true;
	*ret_us = s->last_us;
	return true;
}
