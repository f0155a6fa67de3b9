/* pvlogin - what test/system/test_bans_exact.py and bench drive: lines of a log through the grammar and the counting, with the
 * clock of the lines themselves. Prints each address that would be banned, once.
 *
 *   pvlogin RULES... -- SERVICE|- [docker] < FILE       the defaults of the configuration; `-`: syslog frames */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "detect/login.h"
#include "logs/logs.h"
#include "match/set.h"

struct run {
	struct login *login;
	uint64_t bans;
};

static int on_event(const struct log_event *e, void *arg)
{
	struct run *r = arg;
	struct log_event may = *e;
	struct login_verdict v;
	pv_autobuf text = PV_BUF_INIT;

	may.may_ban = true; /* which source may is not the question here */
	if (e->strength == LOG_NO_LOGIN || login_step(r->login, &may, e->time_us, &v) != LOGIN_BAN)
		return 0;
	ip_format(&text, &v.who.addr);
	printf("%s\n", pv_buf_str(&text));
	r->bans++;
	return 0;
}

int main(int argc, char **argv)
{
	const struct login_policy p = { .limit = 5, .weak_limit = 30, .within_us = 600 * USEC_PER_SEC, .prefix6 = 64,
					.seed = { 0x1234567, 0x89abcdef } };
	const char *dirs[8] = { NULL };
	struct match_where where = { 0 };
	struct log_source source = { .kind = LOG_FILE, .name = "file:stdin" };
	pv_auto(logs) l = NULL;
	pv_auto(logs_reader) reader = NULL;
	pv_autobuf err = PV_BUF_INIT;
	struct run r = { 0 };
	size_t n = 0, len = 0, used;
	static char buf[1u << 20];
	ssize_t got;

	for (argv++, argc--; argc && strcmp(*argv, "--") != 0 && n < N_ELEMENTS(dirs) - 1; argv++, argc--)
		dirs[n++] = *argv;
	if (argc < 2)
		return 2;
	source.service = strcmp(argv[1], "-") == 0 ? NULL : argv[1];
	source.kind = source.service ? LOG_FILE : LOG_SYSLOG;
	source.docker_json = argc > 2 && strcmp(argv[2], "docker") == 0;
	where = (struct match_where){ .paths = dirs, .n_paths = n, .cache_dir = getenv("PV_RULES_CACHE") };
	if (logs_open(&where, &l, &err) < 0 || logs_reader_new(l, &source, &reader) < 0 || login_new(&p, &r.login) < 0) {
		fprintf(stderr, "%s\n", pv_buf_str(&err));
		return 1;
	}
	while ((got = read(STDIN_FILENO, buf + len, sizeof(buf) - len)) > 0) {
		len += (size_t) got;
		if (logs_lines(reader, buf, len, clock_wall_us(), on_event, &r, &used) < 0)
			return 1;
		memmove(buf, buf + used, len - used);
		len -= used;
	}
	r.login = login_free(r.login);
	return 0;
}
