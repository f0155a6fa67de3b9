#include "logs/log_time.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

struct in {
	const char *s, *end;
};

struct when {
	int year, month, day, hour, minute, second; /* month from 1; year 0: not said */
	uint32_t us;
	int zone_s;	/* east of UTC */
	bool has_zone;
};

static bool digits(struct in *in, int min, int max, int *ret)
{
	const char *p = in->s;
	int v = 0, n = 0;

	while (p < in->end && n < max && *p >= '0' && *p <= '9') {
		v = v * 10 + (*p++ - '0');
		n++;
	}
	if (n < min)
		return false;
	*ret = v;
	in->s = p;
	return true;
}

static bool one(struct in *in, char c)
{
	if (in->s == in->end || *in->s != c)
		return false;
	in->s++;
	return true;
}

static bool blanks(struct in *in)
{
	const char *p = in->s;

	while (in->s < in->end && *in->s == ' ')
		in->s++;
	return in->s > p;
}

static bool month(struct in *in, int *ret)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	if (in->end - in->s < 3)
		return false;
	for (int i = 0; i < 12; i++)
		if (memcmp(in->s, names + 3 * i, 3) == 0) {
			*ret = i + 1;
			in->s += 3;
			return true;
		}
	return false;
}

static void fraction(struct in *in, uint32_t *ret_us)
{
	const char *p = in->s;
	uint32_t v = 0, unit = 100000;

	if (in->end - p < 2 || (*p != '.' && *p != ',') || p[1] < '0' || p[1] > '9')
		return;
	for (p++; p < in->end && *p >= '0' && *p <= '9'; p++) {
		v += (uint32_t) (*p - '0') * unit;
		unit /= 10;
	}
	*ret_us = v;
	in->s = p;
}

static bool time_of_day(struct in *in, struct when *w)
{
	if (!digits(in, 1, 2, &w->hour) || !one(in, ':') || !digits(in, 2, 2, &w->minute) || !one(in, ':') ||
	    !digits(in, 2, 2, &w->second))
		return false;
	fraction(in, &w->us);
	return w->hour < 24 && w->minute < 60 && w->second <= 60;
}

/* Z, +01:00, +0100, or after a blank +01:00, UTC, GMT. Nothing is taken where there is none. */
static void zone(struct in *in, struct when *w)
{
	struct in at = *in;
	int sign, h, m = 0;

	if (one(&at, 'Z')) {
		w->has_zone = true;
		*in = at;
		return;
	}
	(void) one(&at, ' ');
	if (at.end - at.s >= 3 && (memcmp(at.s, "UTC", 3) == 0 || memcmp(at.s, "GMT", 3) == 0)) {
		at.s += 3;
		w->has_zone = true;
		*in = at;
		return;
	}
	if (at.s == at.end || (*at.s != '+' && *at.s != '-'))
		return;
	sign = *at.s++ == '-' ? -1 : 1;
	if (!digits(&at, 2, 2, &h))
		return;
	(void) one(&at, ':');
	if (!digits(&at, 2, 2, &m) || h > 15 || m > 59)
		return;
	w->has_zone = true;
	w->zone_s = sign * (h * 3600 + m * 60);
	*in = at;
}

/* Days since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static int64_t days(int y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool hour_as(const struct when *w, int dst, time_t *ret)
{
	struct tm tm = { .tm_year = w->year - 1900, .tm_mon = w->month - 1, .tm_mday = w->day, .tm_hour = w->hour, .tm_isdst = dst };
	time_t t = mktime(&tm);

	if (t == (time_t) -1 || tm.tm_hour != w->hour || (dst >= 0 && tm.tm_isdst != dst))
		return false;
	*ret = t;
	return true;
}

/* First second of a local hour. */
static int64_t local_hour(struct log_clock *c, const struct when *w, uint64_t now_us)
{
	int64_t name = ((w->year * 100LL + w->month) * 100 + w->day) * 100 + w->hour;
	int64_t within = w->minute * 60 + w->second;
	time_t summer = 0, winter = 0;
	bool s, n;

	if (c->hour == name)
		return c->hour_s;
	s = hour_as(w, 1, &summer);
	n = hour_as(w, 0, &winter);
	if (s && n && summer != winter) { /* comes twice: not kept */
		time_t first = PV_MIN(summer, winter), second = PV_MAX(summer, winter);

		if ((uint64_t) (second + within) * USEC_PER_SEC > now_us ||
		    (uint64_t) (first + within) * USEC_PER_SEC + USEC_PER_SEC > c->last_us)
			return first;
		return second;
	}
	if (!s && !n && !hour_as(w, -1, &winter)) /* an hour that was left out */
		winter = (time_t) days(w->year, w->month, w->day) * 86400 + w->hour * 3600;
	c->hour = name;
	c->hour_s = s ? summer : winter;
	return c->hour_s;
}

static bool sane(const struct when *w)
{
	return w->year >= 1970 && w->year < 2200 && w->month >= 1 && w->month <= 12 && w->day >= 1 && w->day <= 31;
}

static bool convert(struct log_clock *c, const struct when *w, uint64_t now_us, uint64_t *ret_us)
{
	int64_t s;

	if (!sane(w))
		return false;
	if (w->has_zone)
		s = days(w->year, w->month, w->day) * 86400 + w->hour * 3600 - w->zone_s;
	else
		s = local_hour(c, w, now_us);
	s += w->minute * 60 + w->second;
	if (s < 0)
		return false;
	*ret_us = (uint64_t) s * USEC_PER_SEC + w->us;
	return true;
}

/* The year that a line of RFC 3164 leaves out. */
static void guess_year(struct when *w, uint64_t now_us)
{
	int64_t today = (int64_t) (now_us / USEC_PER_DAY);
	int year = 1970 + (int) ((double) today / 365.2425) + 1;

	while (year > 1971 && days(year, w->month, w->day) > today + 1)
		year--;
	if (w->month == 2 && w->day == 29)
		while (year > 1972 && (year % 4 || (year % 100 == 0 && year % 400)))
			year--;
	w->year = year;
}

/* --- the forms --- */

static bool numeric_date(struct in *in, struct when *w)
{
	char sep;

	if (!digits(in, 4, 4, &w->year) || in->s == in->end || (*in->s != '-' && *in->s != '/'))
		return false;
	sep = *in->s++;
	if (!digits(in, 2, 2, &w->month) || !one(in, sep) || !digits(in, 2, 2, &w->day))
		return false;
	if (!one(in, 'T') && !blanks(in))
		return false;
	if (!time_of_day(in, w))
		return false;
	zone(in, w);
	return true;
}

static bool mysql_date(struct in *in, struct when *w)
{
	int v = 0;

	if (!digits(in, 6, 6, &v) || !blanks(in) || !time_of_day(in, w))
		return false;
	w->year = 2000 + v / 10000;
	w->month = v / 100 % 100;
	w->day = v % 100;
	return true;
}

static bool month_first(struct in *in, struct when *w)
{
	return month(in, &w->month) && blanks(in) && digits(in, 1, 2, &w->day) && blanks(in) && time_of_day(in, w);
}

static bool ctime_date(struct in *in, struct when *w)
{
	if (in->end - in->s < 4 || in->s[3] != ' ')
		return false;
	in->s += 4;
	return month_first(in, w) && one(in, ' ') && digits(in, 4, 4, &w->year);
}

static bool day_first(struct in *in, struct when *w)
{
	bool slash;

	if (!digits(in, 1, 2, &w->day))
		return false;
	slash = one(in, '/');
	if ((!slash && !one(in, ' ')) || !month(in, &w->month) || !one(in, slash ? '/' : ' ') || !digits(in, 4, 4, &w->year) ||
	    !one(in, slash ? ':' : ' ') || !time_of_day(in, w))
		return false;
	zone(in, w);
	return true;
}

static bool epoch(struct in *in, uint64_t *ret_us)
{
	const char *p = in->s;
	uint64_t v = 0;
	uint32_t us = 0;
	size_t n = 0;

	while (p < in->end && n < 20 && *p >= '0' && *p <= '9') {
		v = v * 10 + (uint64_t) (*p++ - '0');
		n++;
	}
	in->s = p;
	if (n == 10) {
		fraction(in, &us);
		*ret_us = v * USEC_PER_SEC + us;
	} else if (n == 13)
		*ret_us = v * 1000;
	else if (n == 16)
		*ret_us = v;
	else if (n == 19)
		*ret_us = v / 1000;
	else
		return false;
	return in->s == in->end || (*in->s != '-' && *in->s != '/' && *in->s != '.' && *in->s != ':');
}

static bool hex(struct in *in, int n, uint64_t *ret)
{
	uint64_t v = 0;

	for (; n; n--, in->s++) {
		char c = in->s < in->end ? *in->s : 'x';

		if (c >= '0' && c <= '9')
			v = v * 16 + (uint64_t) (c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (uint64_t) (c - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return true;
}

static bool tai64n(struct in *in, uint64_t *ret_us)
{
	uint64_t s, ns;

	if (!one(in, '@') || !hex(in, 16, &s) || !hex(in, 8, &ns) || s < (1ULL << 62) || s - (1ULL << 62) > 1ULL << 40)
		return false;
	*ret_us = (s - (1ULL << 62) - 10) * USEC_PER_SEC + ns / 1000;
	return true;
}

typedef bool (*form_fn)(struct in *in, struct when *w);

size_t log_time_read(struct log_clock *c, const char *s, size_t len, uint64_t now_us, uint64_t *ret_us)
{
	static const form_fn numbers[] = { numeric_date, day_first, mysql_date }, names[] = { month_first, ctime_date };
	bool number = len && *s >= '0' && *s <= '9', name = len && *s >= 'A' && *s <= 'W';
	const form_fn *forms = number ? numbers : names;
	size_t n = number ? N_ELEMENTS(numbers) : name ? N_ELEMENTS(names) : 0;
	struct in in = { s, s + len };
	uint64_t us = 0;
	bool good = false;

	for (size_t i = 0; i < n && !good; i++) {
		struct when w = { 0 };

		in.s = s;
		if (!forms[i](&in, &w))
			continue;
		if (!w.year)
			guess_year(&w, now_us);
		good = convert(c, &w, now_us, &us);
	}
	if (!good) {
		in.s = s;
		good = number ? epoch(&in, &us) : len && *s == '@' && tai64n(&in, &us);
	}
	if (!good || (in.s < in.end && *in.s >= '0' && *in.s <= '9')) /* the rest of a number would be read as one of its own */
		return 0;
	us = PV_MIN(us, now_us);
	c->last_us = us;
	*ret_us = us;
	return (size_t) (in.s - s);
}
