#include "base/clock.h"

#include <inttypes.h>
#include <time.h>

#define STEP_US ((int64_t) (5 * USEC_PER_SEC))

static uint64_t clock_us(clockid_t id)
{
	struct timespec ts = { 0 };

	(void) clock_gettime(id, &ts);
	return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

uint64_t clock_monotonic_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

uint64_t clock_wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

bool clock_stepped(int64_t *at, uint64_t wall_us, uint64_t monotonic_us)
{
	int64_t now = (int64_t) (wall_us - monotonic_us), by = now - *at;
	bool first = !*at;

	if (!first && by <= STEP_US && by >= -STEP_US)
		return false;
	*at = now;
	return !first;
}

void clock_rfc3339(struct pv_buf *out, uint64_t wall_us)
{
	time_t t = (time_t) (wall_us / USEC_PER_SEC);
	char text[32];
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		return;
	(void) strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	pv_buf_printf(out, "%s.%06" PRIu64 "Z", text, wall_us % USEC_PER_SEC);
}

void clock_local(struct pv_buf *out, uint64_t wall_us)
{
	time_t t = (time_t) (wall_us / USEC_PER_SEC);
	char text[40];
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return;
	(void) strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm);
	pv_buf_puts(out, text);
}

void clock_duration(struct pv_buf *out, uint64_t us)
{
	static const struct {
		const char *unit;
		uint64_t us;
	} units[] = {
		{ "d", USEC_PER_DAY }, { "h", USEC_PER_HOUR }, { "m", USEC_PER_MIN }, { "s", USEC_PER_SEC },
	};

	for (size_t i = 0; i < N_ELEMENTS(units); i++) {
		if (us < units[i].us)
			continue;
		pv_buf_printf(out, "%" PRIu64 "%s", us / units[i].us, units[i].unit);
		us %= units[i].us;
		if (i + 1 < N_ELEMENTS(units) && us / units[i + 1].us)
			pv_buf_printf(out, " %" PRIu64 "%s", us / units[i + 1].us, units[i + 1].unit);
		return;
	}
	pv_buf_printf(out, "%" PRIu64 "ms", us / 1000);
}
