/* pvlogs: the grammar of log lines without a command around it, for tests and measurements.
 *	pvlogs RULES... -- [SERVICE|-] [KIND] <FILE     an event a line: strength, rule, address, user, attempt, line
 *	KIND: file (unless said), syslog, docker, container; with `quiet` behind it only the counts */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "logs/logs.h"
#include "model/ids.h"

static bool quiet;

static int show(const struct log_event *e, void *arg)
{
	static const char *const strengths[] = { "none", "strong", "weak", "neutral", "accepted" };
	pv_autobuf out = PV_BUF_INIT;

	++*(uint64_t *) arg;
	if (quiet)
		return 0;
	pv_buf_printf(&out, "%s %s %s ", id_info(e->id)->name, strengths[e->strength], e->rule);
	if (e->has_address)
		ip_format(&out, &e->address);
	else
		pv_buf_putc(&out, '-');
	pv_buf_printf(&out, " %d %llu %016llx ", e->may_ban, (unsigned long long) e->line, (unsigned long long) e->attempt);
	clock_rfc3339(&out, e->time_us);
	pv_buf_putc(&out, ' ');
	pv_buf_safe(&out, e->user, 0);
	(void) puts(pv_buf_str(&out));
	return 0;
}

static int run(struct logs_reader *r, uint64_t *events)
{
	static char buf[1 << 20];
	size_t have = 0, used, n;
	int e;

	while ((n = fread(buf + have, 1, sizeof(buf) - have, stdin)) > 0) {
		have += n;
		e = logs_lines(r, buf, have, clock_wall_us(), show, events, &used);
		if (e)
			return e;
		have -= used;
		memmove(buf, buf + used, have);
	}
	return logs_end(r, buf, have, clock_wall_us(), show, events);
}

int main(int argc, char **argv)
{
	struct match_where where = { .paths = (const char *const *) (uintptr_t) (argv + 1) };
	struct log_source source = { .kind = LOG_FILE, .name = "file:stdin" };
	pv_autobuf err = PV_BUF_INIT;
	pv_auto(logs) l = NULL;
	pv_auto(logs_reader) r = NULL;
	uint64_t events = 0;
	struct logs_counts c;
	int i = 1, e;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++)
		where.n_paths++;
	where.cache_dir = getenv("PV_CACHE");
	e = logs_open(&where, &l, &err);
	if (e < 0) {
		(void) fprintf(stderr, "%s%s\n", pv_buf_str(&err), strerror(-e));
		return 2;
	}
	if (++i < argc && strcmp(argv[i], "-") != 0)
		source.service = argv[i];
	if (++i < argc) {
		source.kind = strcmp(argv[i], "syslog") == 0 ? LOG_SYSLOG : strcmp(argv[i], "file") == 0 ? LOG_FILE : LOG_CONTAINER;
		source.docker_json = strcmp(argv[i], "docker") == 0;
	}
	quiet = ++i < argc;
	e = logs_reader_new(l, &source, &r);
	if (e == 0)
		e = run(r, &events);
	c = logs_reader_counts(r);
	(void) fprintf(stderr, "%llu lines, %llu events, %llu cut, %llu gave up, %.3f CPU seconds\n", (unsigned long long) c.lines,
		       (unsigned long long) events, (unsigned long long) c.cut, (unsigned long long) c.gave_up,
		       (double) clock() / CLOCKS_PER_SEC);
	return e < 0 ? 1 : 0;
}
